//! The configuration: one TOML file, read, resolved and checked before anything starts (design §9).
//!
//! [`load()`] gives a [`Config`] in which every name is an id that exists, every time is a `Duration`, every prompt is in
//! memory; or every [`Problem`] at once, each with its place and cure. Sections stand in a file each: as written
//! (`…Toml`, whose doc comments are the reference page) and as resolved.

mod address;
mod agent;
mod callback;
mod caller_group;
mod conference_step;
mod describe;
mod difference;
mod dns;
mod emergency;
mod entra_ids;
mod flow;
mod flow_toml;
mod hosts;
mod hours;
mod hours_toml;
mod languages;
mod limits;
mod listen;
mod listen_tls;
mod load;
mod media;
mod music;
mod names;
mod node;
mod number;
mod number_plan;
mod pattern;
mod pem;
mod phone;
mod presence;
mod problem;
mod program;
mod prompt;
mod queue;
mod queue_confirm;
mod queue_memory;
mod queue_rules;
mod queue_tell;
mod raw;
mod read;
mod recording;
mod reference;
mod registrar;
mod scope;
mod srtp;
mod transfer;
mod trunk;
mod trunk_account;
mod trunk_dialog;
mod trunk_emergency;
mod trunk_headers;
mod trunk_health;
mod trunk_identity;
mod trunk_kind;
mod trunk_limits;
mod trunk_name;
mod trunk_numbers;
mod trunk_register;
mod trunk_sound;
mod trunk_targets;
mod trunk_teams;
mod trunk_tls;
mod trunk_transfer;
mod tts;
mod units;
mod voicemail;
mod voicemail_step;
mod way_of_sound;
mod whole;
mod written;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use self::media::Media;
pub use address::{Address, Template, UriAddress};
pub use agent::{Agent, Login, Membership, RingOrder};
pub use callback::CallbackStep;
pub use caller_group::CallerGroup;
pub use dns::Dns;
pub use emergency::Emergency;
pub use flow::{Flow, Goto, Step};
pub use hosts::Hosts;
pub use hours::{Because, Day, Hours, Opening, Span, Wall};
pub use languages::{Language, Languages};
pub use limits::{Limits, Machine};
pub use listen::Listen;
pub use listen_tls::{ClientCertificates, ListenTls};
pub use load::{Surroundings, load, load_after, parse};
pub use music::{Music, MusicStart};
pub use names::{AgentId, FlowId, HoursId, Names, PromptId, QueueId, TrunkId};
pub use node::{JournalConfig, Level, Log, Node, Synchronous};
pub use number::Number;
pub use number_plan::{Dialling, Reading, Rewrite, Writing, is_telephone_number};
pub use pattern::Pattern;
pub use pem::{Pem, PemIdentity, Shown};
pub use phone::{Phone, Reach};
pub use presence::{Graph, SecretPlace, Stale};
pub use problem::{Place, Problem, Problems, Severity};
pub use prompt::{Files, Prompt, PromptFile};
pub use queue::{MAX_STEPS, Queue, Strategy, WidenStep};
pub use queue_confirm::QueueConfirm;
pub use queue_memory::{QueueMemory, Returning, Sticky, Transferred};
pub use queue_rules::{QueueRules, Unstaffed};
pub use queue_tell::{QueueTell, Snippets};
pub use recording::{RecordingPolicy, Recordings};
pub use reference::reference;
pub use registrar::{PHONES, Registrar};
pub use srtp::Srtp;
pub use transfer::{Destination, Transfers, WhenGone};
pub use trunk::{Source, Trunk};
pub use trunk_account::TrunkAccount;
pub use trunk_dialog::{Hold, TrunkDialog};
pub use trunk_emergency::TrunkEmergency;
pub use trunk_headers::{HeaderName, HeaderRules};
pub use trunk_health::TrunkHealth;
pub(crate) use trunk_identity::ANONYMOUS;
pub use trunk_identity::{History, IdentityOut, TrunkIdentity};
pub use trunk_limits::TrunkLimits;
pub use trunk_numbers::{TrunkNumbers, Ways, Whose};
pub use trunk_register::{NumberIn, TrunkRegister};
pub use trunk_sound::{DeadAirCure, Dtmf, TrunkSound};
pub use trunk_targets::{TrunkFailover, TrunkTarget};
pub use trunk_tls::TrunkTls;
pub use trunk_transfer::{Rejoin, TrunkTransfer};
pub use voicemail::Voicemail;
pub use way_of_sound::WayOfSound;

use bytes::Bytes;
use sip_core::{OwnName, PeerId, Sources, Terms, auth::GuardSettings};

use crate::presence::ObjectId;

pub(crate) use units::{duration, written};

use written::Written;

/// One accepted configuration. Never changed: a reload makes a new one.
#[derive(Debug, Clone)]
pub struct Config {
    /// Rises by one with each configuration this process accepts; the first is 1.
    pub generation: u64,
    /// Who this node is.
    pub node: Node,
    /// Where SIP and the admin pages are heard.
    pub listen: Listen,
    /// Addresses, ports and codecs of sound.
    pub media: Media,
    /// How much at once.
    pub limits: Limits,
    /// Whom names are asked of.
    pub dns: Dns,
    /// How the journal is written.
    pub journal: JournalConfig,
    /// What is logged.
    pub log: Log,
    /// Where messages of callers lie.
    pub voicemail: Voicemail,
    /// Where recordings of calls lie, and which there are.
    pub recordings: Recordings,
    /// How transfers go, and where.
    pub transfers: Transfers,
    /// How agents' presence in Teams is asked for; `None`: it is not.
    pub graph: Option<Arc<Graph>>,
    /// Numbers that an agent can always call.
    pub emergency: Emergency,
    /// Where agents' telephones register.
    pub registrar: Registrar,
    /// Names that are not asked of DNS.
    pub hosts: Hosts,
    /// What the operator probably meant otherwise.
    pub warnings: Problems,
    trunks: Table<Trunk>,
    flows: Table<Flow>,
    queues: Table<Queue>,
    agents: Table<Agent>,
    hours: Table<Hours>,
    prompts: Table<Prompt>,
    /// Languages that callers are spoken to in.
    pub languages: Languages,
    /// Recorded words of each language, by name; only those that queues need.
    pub snippets: Snippets,
    numbers: number::Numbers,
    callers: caller_group::CallerGroups,
    written: Written,
}

impl Config {
    /// The trunk, if this configuration has it.
    pub fn trunk(&self, id: TrunkId) -> Option<&Trunk> {
        self.trunks.get(id.index())
    }

    /// The flow, if this configuration has it.
    pub fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id.index())
    }

    /// The queue, if this configuration has it; a queue that a reload took away is `None` from then on.
    pub fn queue(&self, id: QueueId) -> Option<&Queue> {
        self.queues.get(id.index())
    }

    /// The agent, if this configuration has them.
    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.agents.get(id.index())
    }

    /// The opening hours, if this configuration has them.
    pub fn hours(&self, id: HoursId) -> Option<&Hours> {
        self.hours.get(id.index())
    }

    /// The prompt, if this configuration uses it.
    pub fn prompt(&self, id: PromptId) -> Option<&Prompt> {
        self.prompts.get(id.index())
    }

    /// Trunks, in the order of their names.
    pub fn trunks(&self) -> impl Iterator<Item = (TrunkId, &Trunk)> {
        self.trunks.iter().map(|(index, trunk)| (TrunkId::from(index), trunk))
    }

    /// Flows, in the order of their names.
    pub fn flows(&self) -> impl Iterator<Item = (FlowId, &Flow)> {
        self.flows.iter().map(|(index, flow)| (FlowId::from(index), flow))
    }

    /// Queues, in the order of their names.
    pub fn queues(&self) -> impl Iterator<Item = (QueueId, &Queue)> {
        self.queues.iter().map(|(index, queue)| (QueueId::from(index), queue))
    }

    /// Agents, in the order of their names.
    pub fn agents(&self) -> impl Iterator<Item = (AgentId, &Agent)> {
        self.agents.iter().map(|(index, agent)| (AgentId::from(index), agent))
    }

    /// Opening hours, in the order of their names.
    pub fn all_hours(&self) -> impl Iterator<Item = (HoursId, &Hours)> {
        self.hours.iter().map(|(index, hours)| (HoursId::from(index), hours))
    }

    /// Prompts, in the order of their paths.
    pub fn prompts(&self) -> impl Iterator<Item = (PromptId, &Prompt)> {
        self.prompts.iter().map(|(index, prompt)| (PromptId::from(index), prompt))
    }

    /// Numbers, in the order of the file.
    pub fn numbers(&self) -> &[Number] {
        &self.numbers.list
    }

    /// The number that answers `called` on `trunk`: exact first, then the longest prefix, `*` last.
    ///
    /// `called` is the user part of the request URI as it came.
    pub fn route(&self, trunk: TrunkId, called: &str) -> Option<&Number> {
        self.numbers.find(trunk, called)
    }

    /// Where transfers lead, in the order of the file.
    pub fn transfer_rules(&self) -> &[(Pattern, Destination)] {
        &self.transfers.list
    }

    /// The agent whose name or number `user` is: the user part of one of his addresses.
    pub fn agent_at(&self, user: &str) -> Option<AgentId> {
        let is_his = |agent: &Agent| {
            agent.name == user || agent.call.iter().any(|address| address.fixed_user() == Some(user))
        };
        self.agents().find(|(_, agent)| is_his(agent)).map(|(id, _)| id)
    }

    /// The agent whom Teams calls so: `8:orgid:` and his object id in Entra.
    pub fn agent_in_teams(&self, person: &[u8]) -> Option<AgentId> {
        let id: ObjectId = std::str::from_utf8(person).ok()?.rsplit(':').next()?.parse().ok()?;
        self.agents().find(|(_, agent)| agent.entra_id == Some(id)).map(|(agent, _)| agent)
    }

    /// Groups of callers, in the order of the file.
    pub fn caller_groups(&self) -> &[CallerGroup] {
        &self.callers.list
    }

    /// The callers that `number` is one of, as the trunk asserted it: exact first, then the longest prefix. A withheld
    /// number, which is empty, is one of none.
    pub fn callers(&self, number: &str) -> Option<&CallerGroup> {
        Some(number).filter(|number| !number.is_empty()).and_then(|number| self.callers.find(number))
    }

    /// Who may talk to us, as whom: every trunk's sources under its id, and those of telephones as [`PHONES`].
    pub fn sources(&self) -> Sources {
        let mut sources = Sources::new();
        self.trunks().for_each(|(id, trunk)| trunk.allow(id, &mut sources));
        self.registrar.allow(&mut sources);
        sources
    }

    /// What extensions are used with whom: every trunk's under its id.
    pub fn terms(&self) -> BTreeMap<PeerId, Terms> {
        self.trunks().map(|(id, trunk)| (id.into(), trunk.dialog.terms())).collect()
    }

    /// What we are called towards whom: every trunk that says so, under its id.
    pub fn own_names(&self) -> BTreeMap<PeerId, OwnName> {
        self.trunks().filter_map(|(id, trunk)| Some((id.into(), trunk.own_name.clone()?))).collect()
    }

    /// Headers of what we answer to each trunk.
    pub fn in_answers(&self) -> BTreeMap<PeerId, Vec<(Bytes, Bytes)>> {
        let marked = self.trunks().filter(|(_, trunk)| !trunk.headers.in_answers.is_empty());
        marked.map(|(id, trunk)| (id.into(), trunk.headers.in_answers.clone())).collect()
    }

    /// Every PEM file that is used, in the order of their paths.
    pub fn pems(&self) -> BTreeMap<&Path, &Pem> {
        let trunks = self.trunks().map(|(_, trunk)| (&trunk.tls.identity, &trunk.tls.trust));
        let listeners = self.listen.tls.values().map(|tls| (&tls.identity, &tls.trust));
        let mut pems = BTreeMap::new();
        for (identity, trust) in trunks.chain(listeners) {
            let pair = identity.iter().flat_map(|identity| [&identity.certificate, &identity.key]);
            pems.extend(pair.chain(trust).map(|pem| (pem.path.as_path(), pem)));
        }
        pems
    }

    /// How SIP finds out which agent's telephone it hears; `None` if none may speak.
    pub fn guard(&self) -> Option<GuardSettings> {
        self.registrar.guard(self.agents())
    }

    /// The agent whose telephone has this number or user name.
    pub fn agent_called(&self, number: &str) -> Option<AgentId> {
        let is_called = |phone: &Phone| phone.user == number || phone.number == number;
        self.agents().find(|(_, agent)| agent.phone.as_ref().is_some_and(is_called)).map(|(id, _)| id)
    }

    /// A problem that shows itself only in use, such as an address that another program listens on. `key` is one of
    /// the file, in full; entries of lists count from 1: `listen.sip[2]`. One that is not written is placed at its section.
    pub fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        self.written.problem(key, text.into())
    }

    /// An address as written in the file.
    pub fn written(&self, address: &Address) -> String {
        address.written(|id| self.trunk(id).map_or_else(|| format!("#{id}"), |trunk| trunk.name.clone()))
    }
}

/// Things by their id; an id of an earlier configuration finds nothing.
#[derive(Debug, Clone)]
struct Table<T> {
    by_id: Vec<Option<T>>,
    /// Ids in the order of names.
    order: Vec<usize>,
}

impl<T> Table<T> {
    fn new(items: impl IntoIterator<Item = (usize, String, T)>) -> Table<T> {
        let mut table = Table { by_id: Vec::new(), order: Vec::new() };
        let mut named = BTreeMap::new();
        for (index, name, item) in items {
            if table.by_id.len() <= index {
                table.by_id.resize_with(index + 1, || None);
            }
            table.by_id[index] = Some(item);
            named.insert(name, index);
        }
        table.order = named.into_values().collect();
        table
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.by_id.get(index)?.as_ref()
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.order.iter().filter_map(|&index| Some((index, self.get(index)?)))
    }
}
