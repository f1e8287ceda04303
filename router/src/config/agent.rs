//! `[agent.NAME]`: a person who takes calls.

use std::sync::Arc;

use toml::de::DeValue;

use crate::presence::ObjectId;

use super::address::Address;
use super::names::{AgentId, QueueId};
use super::phone::Phone;
use super::presence::object_id;
use super::problem::Report;
use super::raw::{Item, SectionDoc, section};
use super::recording::{self, RecordingPolicy};
use super::scope::{Scope, Section};
use super::srtp::{AgentSrtpToml, Srtp};

section! {
    /// A person who takes calls.
    AgentToml "[agent.NAME]" {
        /// Where the agent is called: `"+4930555001@TRUNK"`, `"sip:anna@192.0.2.7"`, or `"phone"` for all telephones that have registered as him; or a list of several. An agent who has nothing but `"phone"` and no telephone registered counts as paused. Required.
        call,
        /// How several addresses ring: `"all"` at once, the first to answer wins; `"in-turn"`, one after the other. Default `"all"`.
        ring,
        /// Queues the agent serves: a name, or a table with more to say (`{ queue = "support", skill = 8 }`), or a list of these. Default: none.
        queues,
        /// `"auto"`: ready from the start; `"manual"`: only after a log-in. Default `"auto"`.
        login,
        /// A telephone that registers here as this agent, a table. Default: none.
        phone,
        /// Another agent may have one of the same addresses (a shared desk). Every agent at that address says so. Default false.
        shared,
        /// Whoever answers as this agent may transfer the call, to where `[[transfer]]` and what follows there say. Default true.
        transfers,
        /// The person's object id in Entra ID, such as `"66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911"`, by which `[presence.graph]` asks for his presence in Teams. No two agents have the same. Default: his presence is not asked for.
        entra_id,
        /// How this agent's calls are recorded: a `[recording.NAME]`. Default: by what else says so, or not at all.
        recording,
    }
}

section! {
    /// A queue that an agent serves. Short: the queue's name.
    MembershipToml "queues = [{ … }]" {
        /// A `[queue.NAME]`. Required.
        queue,
        /// How well the agent serves it: 10 is best. A queue may ask for a least skill and ask for less as a caller waits. 1 to 10, default 5.
        skill,
        /// With `strategy = "random-weighted"`: an agent of weight 2 is chosen twice as often as one of weight 1. 1 to 1000, default 1.
        weight,
    }
}

/// Keys of `[agent.NAME]` that are read in files of their own.
const GROUPS: &[SectionDoc] = &[AgentSrtpToml::DOC];

/// A queue that an agent serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Which.
    pub queue: QueueId,
    /// How well; 10 is best. 1 to 10, default 5.
    pub skill: u8,
    /// How often he is chosen at random beside others. 1 to 1,000, default 1.
    pub weight: u16,
}

/// A person who takes calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Their name.
    pub name: String,
    /// Where they are called: one assignment, one winner. Never empty, no address twice.
    pub call: Vec<Address>,
    /// How several addresses ring. Default `All`.
    pub ring: RingOrder,
    /// Queues they serve, each once, as written.
    pub queues: Vec<Membership>,
    /// Which agent of the file, from 0: the order of `strategy = "ordered"`.
    pub rank: u32,
    /// Whether they are ready from the start. Default `Auto`.
    pub login: Login,
    /// The telephone that registers as this agent.
    pub phone: Option<Phone>,
    /// Another agent may have one of the same addresses. Default false.
    pub shared: bool,
    /// He may transfer calls. Default true.
    pub transfers: bool,
    /// By which their presence in Teams is asked for; `None`: it is not.
    pub entra_id: Option<ObjectId>,
    /// How their calls are recorded.
    pub recording: Option<Arc<RecordingPolicy>>,
    /// Whether sound is encrypted at addresses that go by no trunk.
    pub srtp: Srtp,
}

/// How several addresses of one agent ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingOrder {
    /// All at once; the first to answer wins.
    All,
    /// One after the other within the queue's `ring_timeout`, which they share evenly.
    InTurn,
}

/// How an agent comes to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Ready from the start of the process.
    Auto,
    /// Logged out until they log in.
    Manual,
}

impl Agent {
    /// What they are in `queue`, if they serve it.
    pub fn membership(&self, queue: QueueId) -> Option<&Membership> {
        self.queues.iter().find(|membership| membership.queue == queue)
    }

    /// Only a telephone that has registered can be rung.
    pub fn needs_phone(&self) -> bool {
        self.call.iter().all(|address| matches!(address, Address::Phone(_)))
    }

    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<Agent> {
        let item = Item { key: section.path.clone(), value: section.value };
        let table = item.table(&format!("[{}]", section.path), scope.report)?;
        let raw = AgentToml::read_beside(GROUPS, table, &section.path, section.span(), scope.report);
        let srtp = AgentSrtpToml::read_known(table, &section.path, section.span());
        let such_as = "call = \"+4930555001@TRUNK\"";
        if raw.call.required(such_as, scope.report).is_some_and(|item| item.list().is_empty()) {
            let text = format!("nobody could reach this agent; write {such_as}");
            raw.call.list().first().unwrap_or(&item).error(scope.report, text);
        }
        let phone = Phone::resolve(&raw.phone, section, scope);
        let own = raw.phone.item.as_ref().map(|_| AgentId::from(section.id));
        let mut call = Vec::new();
        for item in raw.call.list() {
            let Some(address) = address(&item, own, scope) else { continue };
            if call.contains(&address) {
                item.error(scope.report, "this address stands in the list already; take one out");
            } else {
                call.push(address);
            }
        }
        let queues = queues(&raw.queues.list(), scope);
        let recording = recording::named(&raw.recording, scope);
        let rank = scope.agents.sections.iter().position(|other| other.id == section.id).unwrap_or(0);
        let report = &mut *scope.report;
        let srtp = srtp_of(&srtp, &call, report);
        if raw.queues.list().is_empty() {
            report.warning(
                &section.span(),
                &section.path,
                "serves no queue and will never be rung; write queues = [\"NAME\"]",
            );
        }
        Some(Agent {
            name: section.name.to_owned(),
            call,
            ring: raw.ring.choice(&[("all", RingOrder::All), ("in-turn", RingOrder::InTurn)], report),
            queues,
            rank: rank as u32,
            login: raw.login.choice(&[("auto", Login::Auto), ("manual", Login::Manual)], report),
            phone,
            shared: raw.shared.boolean(false, report),
            transfers: raw.transfers.boolean(true, report),
            entra_id: raw
                .entra_id
                .item
                .as_ref()
                .and_then(|item| object_id(item, "the person's object id as Entra shows it", report)),
            recording,
            srtp,
        })
    }
}

/// `own`: the agent, if he has a telephone.
fn address(item: &Item<'_>, own: Option<AgentId>, scope: &mut Scope<'_, '_>) -> Option<Address> {
    if matches!(item.value.get_ref(), DeValue::String(text) if text == "phone") {
        if own.is_none() {
            let cure = "write phone = { user = \"NAME\", ha1_sha256 = \"…\" }, as `fernamt passwd` prints it";
            item.error(scope.report, format!("the agent has no telephone that could register; {cure}"));
        }
        return own.map(Address::Phone);
    }
    let address = Address::resolve(item, scope)?;
    if let Some(template) = address.template().filter(|template| template.fixed().is_none()) {
        item.error(
            scope.report,
            format!("\"{template}\" would be another address with every call; write the agent's own"),
        );
        return None;
    }
    Some(address)
}

/// A telephone behind a trunk goes as the trunk says.
fn srtp_of(raw: &AgentSrtpToml<'_>, call: &[Address], report: &mut Report) -> Srtp {
    let by_trunk = |address: &Address| matches!(address, Address::Number { .. });
    if let Some(item) = raw.srtp.item.as_ref().filter(|_| !call.is_empty() && call.iter().all(by_trunk)) {
        item.warning(report, "every address of this agent goes by a trunk; write it there: trunk.NAME.srtp");
    }
    Srtp::resolve(&raw.srtp, &raw.srtp_suites, report)
}

fn queues(items: &[Item<'_>], scope: &mut Scope<'_, '_>) -> Vec<Membership> {
    let mut queues: Vec<Membership> = Vec::new();
    for item in items {
        let Some(membership) = membership(item, scope) else { continue };
        if queues.iter().any(|other| other.queue == membership.queue) {
            let name = scope.queues.name(membership.queue.index());
            item.error(scope.report, format!("\"{name}\" stands in the list already; take one out"));
        } else {
            queues.push(membership);
        }
    }
    queues
}

fn membership(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Membership> {
    let DeValue::Table(table) = item.value.get_ref() else {
        let name = item.text("\"support\"", scope.report)?;
        let queue = scope.queue(item, name)?;
        return Some(Membership { queue, skill: 5, weight: 1 });
    };
    let raw = MembershipToml::read(table, &item.key, item.value.span(), scope.report);
    let skill = raw.skill.integer(1..=10, 5, scope.report) as u8;
    let weight = raw.weight.integer(1..=1_000, 1, scope.report) as u16;
    let item = raw.queue.required("queue = \"NAME\"", scope.report)?;
    let name = item.text("\"support\"", scope.report)?;
    let queue = scope.queue(item, name)?;
    Some(Membership { queue, skill, weight })
}
