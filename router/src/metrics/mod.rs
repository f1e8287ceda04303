//! What `/metrics` shows: plain numbers that each shard counts for itself, summed when somebody looks.
//!
//! A shard owns its numbers, so counting costs an add and a scrape sees them exactly as they are between two of the
//! shard's turns. Labels are bounded: stages, states, status codes, and the names in the configuration.

mod histogram;
mod page;
mod quality;
mod trunks;

use std::{collections::BTreeMap, time::Duration};

pub use histogram::Histogram;
pub use page::{About, page};
pub use quality::{Opinions, QualityNumbers};
pub use trunks::{RegistrationGauges, TargetGauges, TrunkGauges};

use crate::{
    estimate::Score,
    journal::fact::{AgentState, Cause, Fault, MessageEnd, TollRefusal, Unanswered},
    sums::QueueSums,
};

/// One shard's numbers at one instant. [`add`](Self::add) makes the node's out of those of all shards.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Generation of the configuration in force.
    pub generation: u64,
    /// Live calls by stage.
    pub calls: CallsByStage,
    /// Live legs, ringing ones included.
    pub legs: u64,
    /// SIP dialogs, early ones included.
    pub dialogs: u64,
    /// SIP transactions that have not yet ended, lingering ones included.
    pub transactions: u64,
    /// Media ports.
    pub ports: Ports,
    /// Calls admitted since the start of the process: one record each.
    pub calls_arrived: u64,
    /// Calls ended since the start of the process.
    pub calls_ended: BTreeMap<(Cause, Fault), u64>,
    /// Assignments that came to nothing since the start of the process.
    pub unanswered: BTreeMap<Unanswered, u64>,
    /// Messages left in mailboxes since the start of the process, by what ended them; those thrown away included.
    pub voicemails: BTreeMap<MessageEnd, u64>,
    /// Transfers since the start of the process, by how they went: `done`, `failed`, `refused`.
    pub transfers: BTreeMap<&'static str, u64>,
    /// Emergency calls since the start of the process.
    pub emergency_calls: u64,
    /// What became of recordings.
    pub recordings: RecordingCounters,
    /// Numbers of callers of whom something is remembered.
    pub callers_known: u64,
    /// Numbers that were forgotten for want of room.
    pub callers_forgotten: u64,
    /// Queues by name.
    pub queues: BTreeMap<String, QueueGauges>,
    /// Trunks by name.
    pub trunks: BTreeMap<String, TrunkGauges>,
    /// All agents of the node by state; one who serves several queues counts once.
    pub agents: AgentsByState,
    /// From "an agent became free for a caller" to the agent's INVITE on the wire.
    pub dispatch: Histogram,
    /// From the answer of the called side to sound both ways.
    pub two_way_sound: Histogram,
    /// How legs sounded that are over.
    pub quality: QualityNumbers,
    /// Agents' telephones.
    pub phones: PhoneNumbers,
    /// What SIP read and wrote.
    pub sip: SipCounters,
    /// What the media workers did.
    pub media: MediaCounters,
    /// Agents' presence in Teams, and how it is asked for; `None` if it is not.
    pub presence: Option<PresenceNumbers>,
    /// When each certificate that we show ceases to hold, in seconds since 1970, by the section that shows it.
    pub certificates: BTreeMap<String, i64>,
    /// How much later than its deadline the shard's loop ran.
    pub loop_lag: Histogram,
}

/// Agents' presence in Teams, and how it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresenceNumbers {
    /// Graph answered when it was asked last.
    pub ok: bool,
    /// How long ago it last answered; `None`: not yet.
    pub age: Option<Duration>,
    /// Agents who may be given calls by what Graph says of them, and those who may not.
    pub known: (u64, u64),
    /// Agents of whom nothing is known any more, or yet.
    pub unknown: u64,
    /// Requests since the start of the process, by what came of them.
    pub requests: BTreeMap<&'static str, u64>,
}

/// Agents' telephones; counts since the start of the process but for the two levels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PhoneNumbers {
    /// Registered now.
    pub registered: u64,
    /// REGISTERs that proved an agent.
    pub registers: u64,
    /// Requests answered by the question who it is.
    pub challenged: u64,
    /// Wrong users or passwords.
    pub proofs_wrong: u64,
    /// Addresses and agents that were locked out for them.
    pub lockouts: u64,
    /// Those who are locked out now.
    pub locked_out: u64,
    /// Calls that the toll guard refused, by why.
    pub toll_refused: BTreeMap<TollRefusal, u64>,
}

impl PhoneNumbers {
    fn add(&mut self, other: &PhoneNumbers) {
        self.registered += other.registered;
        self.registers += other.registers;
        self.challenged += other.challenged;
        self.proofs_wrong += other.proofs_wrong;
        self.lockouts += other.lockouts;
        self.locked_out += other.locked_out;
        add_counts(&mut self.toll_refused, &other.toll_refused);
    }
}

/// Live calls by stage (design §4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallsByStage {
    /// In a flow.
    pub in_flow: u64,
    /// In a queue.
    pub waiting: u64,
    /// An agent or a dialled party rings.
    pub ringing: u64,
    /// Bridged.
    pub talking: u64,
    /// Over; the last media count or transaction is awaited.
    pub ended: u64,
}

/// The pool of media ports, in RTP ports (each has its RTCP port beside it).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// Held by legs.
    pub in_use: u64,
    /// Ready to be taken.
    pub free: u64,
    /// Closed a short while ago: not to be reused yet.
    pub quarantined: u64,
}

/// One queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueGauges {
    /// Callers who wait now and are rung for nobody.
    pub waiting: u64,
    /// Closed by hand or by its configuration.
    pub closed: bool,
    /// How long a caller who enters now would wait at most in most cases; `None`: not known.
    pub estimate: Option<Duration>,
    /// How right such estimates were.
    pub estimates: Score,
    /// The queue's agents by state.
    pub agents: AgentsByState,
    /// What went in and out since the journal began.
    pub sums: QueueSums,
}

/// Agents counted by state, in the order of [`AgentState`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentsByState([u64; 6]);

/// What SIP read and wrote since the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SipCounters {
    /// Initial INVITEs. Admitted + challenged + refused + dropped = read.
    pub invites: Invites,
    /// INVITEs we sent for legs; attempts on further addresses included.
    pub invites_sent: u64,
    /// Responses received, by code.
    pub responses_in: BTreeMap<u16, u64>,
    /// Responses sent, by code, repeats not included.
    pub responses_out: BTreeMap<u16, u64>,
    /// Messages that could not be read, by class.
    pub parse_errors: BTreeMap<&'static str, u64>,
    /// Initial INVITEs refused because they had to wait too long.
    pub shed: u64,
    /// Datagrams and connections from unknown sources: dropped.
    pub unknown_source: u64,
    /// Messages repeated by us because no answer came.
    pub retransmissions: u64,
    /// Legs whose session was not refreshed in time, or that the far end no longer knew when it was asked to (RFC 4028).
    pub sessions_expired: u64,
    /// Messages read and not yet handled.
    pub backlog: u64,
    /// Datagrams that would have begun something, dropped because too many waited.
    pub backlog_drops: u64,
    /// Datagrams the kernel dropped because our socket's buffer was full.
    pub socket_drops: u64,
    /// Connections open now.
    pub connections: u64,
    /// Connections that came to nothing before a message was read, by kind: bad certificates, other protocols.
    pub mishaps: BTreeMap<&'static str, u64>,
    /// Look-ups of names that led nowhere or not as they should, by why.
    pub name_troubles: BTreeMap<&'static str, u64>,
}

/// Initial INVITEs since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Invites {
    /// Read from the network, repeats not included.
    pub read: u64,
    /// Became calls: one record each.
    pub admitted: u64,
    /// Answered with a challenge.
    pub challenged: u64,
    /// Refused without becoming a call.
    pub refused: u64,
    /// Not answered at all.
    pub dropped: u64,
}

/// What became of recordings since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordingCounters {
    /// Pieces of 100 ms that are silence because the disk was too slow.
    pub gaps: u64,
    /// Recordings lost or cut short because a file could not be written.
    pub failed: u64,
}

/// What the media workers did since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaCounters {
    /// RTP packets accepted.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Packets from a source that was not the leg's, or unreadable: dropped.
    pub rejected: u64,
    /// Packets that the agreed SRTP key does not open: dropped.
    pub srtp_unauthentic: u64,
    /// Packets that SRTP has seen before: dropped.
    pub srtp_replayed: u64,
    /// DTLS handshakes that brought keys.
    pub handshakes: u64,
    /// Legs whose ICE or DTLS came to nothing, or ended.
    pub paths_broken: u64,
    /// Legs open now.
    pub legs: u64,
    /// Reports on legs, one each five seconds or so, by R so far: 80 and more, 70 and more, less.
    pub rated: [u64; 3],
}

/// Every state with the name it has in facts and labels.
pub const AGENT_STATES: [(AgentState, &str); 6] = [
    (AgentState::LoggedOut, "logged-out"),
    (AgentState::NotReady, "not-ready"),
    (AgentState::Idle, "idle"),
    (AgentState::Ringing, "ringing"),
    (AgentState::Talking, "talking"),
    (AgentState::WrapUp, "wrap-up"),
];

impl AgentsByState {
    /// One more agent in `state`.
    pub fn count(&mut self, state: AgentState) {
        self.0[state as usize] += 1;
    }

    /// How many are in `state`.
    pub fn of(&self, state: AgentState) -> u64 {
        self.0[state as usize]
    }

    fn add(&mut self, other: &AgentsByState) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

impl CallsByStage {
    /// Every live call.
    pub fn total(&self) -> u64 {
        self.by_name().iter().map(|(_, count)| count).sum()
    }

    /// Each stage with the name it has in labels.
    pub fn by_name(&self) -> [(&'static str, u64); 5] {
        [
            ("in-flow", self.in_flow),
            ("waiting", self.waiting),
            ("ringing", self.ringing),
            ("talking", self.talking),
            ("ended", self.ended),
        ]
    }

    fn add(&mut self, other: &CallsByStage) {
        self.in_flow += other.in_flow;
        self.waiting += other.waiting;
        self.ringing += other.ringing;
        self.talking += other.talking;
        self.ended += other.ended;
    }
}

impl Snapshot {
    /// Adds another shard's numbers. Agents, ports and media are told by one shard only, so that nothing counts twice.
    pub fn add(&mut self, other: &Snapshot) {
        self.generation = self.generation.max(other.generation);
        self.calls.add(&other.calls);
        self.legs += other.legs;
        self.dialogs += other.dialogs;
        self.transactions += other.transactions;
        self.ports.in_use += other.ports.in_use;
        self.ports.free += other.ports.free;
        self.ports.quarantined += other.ports.quarantined;
        self.calls_arrived += other.calls_arrived;
        add_counts(&mut self.calls_ended, &other.calls_ended);
        add_counts(&mut self.unanswered, &other.unanswered);
        add_counts(&mut self.voicemails, &other.voicemails);
        add_counts(&mut self.transfers, &other.transfers);
        self.emergency_calls += other.emergency_calls;
        self.recordings.gaps += other.recordings.gaps;
        self.recordings.failed += other.recordings.failed;
        self.callers_known += other.callers_known;
        self.callers_forgotten += other.callers_forgotten;
        for (name, queue) in &other.queues {
            self.queues.entry(name.clone()).or_default().add(queue);
        }
        for (name, trunk) in &other.trunks {
            self.trunks.entry(name.clone()).or_default().add(trunk);
        }
        self.agents.add(&other.agents);
        self.dispatch.add(&other.dispatch);
        self.two_way_sound.add(&other.two_way_sound);
        self.quality.add(&other.quality);
        self.phones.add(&other.phones);
        self.sip.add(&other.sip);
        self.media.packets_in += other.media.packets_in;
        self.media.packets_out += other.media.packets_out;
        self.media.rejected += other.media.rejected;
        self.media.srtp_unauthentic += other.media.srtp_unauthentic;
        self.media.srtp_replayed += other.media.srtp_replayed;
        self.media.handshakes += other.media.handshakes;
        self.media.paths_broken += other.media.paths_broken;
        self.media.legs += other.media.legs;
        self.media.rated.iter_mut().zip(other.media.rated).for_each(|(sum, more)| *sum += more);
        self.certificates.extend(other.certificates.iter().map(|(by, end)| (by.clone(), *end)));
        self.loop_lag.add(&other.loop_lag);
        self.presence = self.presence.take().or_else(|| other.presence.clone());
    }
}

impl QueueGauges {
    fn add(&mut self, other: &QueueGauges) {
        self.waiting += other.waiting;
        self.closed |= other.closed;
        self.estimate = self.estimate.max(other.estimate);
        self.estimates.add(&other.estimates);
        self.agents.add(&other.agents);
        self.sums.add(&other.sums);
    }
}

impl SipCounters {
    fn add(&mut self, other: &SipCounters) {
        self.invites.read += other.invites.read;
        self.invites.admitted += other.invites.admitted;
        self.invites.challenged += other.invites.challenged;
        self.invites.refused += other.invites.refused;
        self.invites.dropped += other.invites.dropped;
        self.invites_sent += other.invites_sent;
        add_counts(&mut self.responses_in, &other.responses_in);
        add_counts(&mut self.responses_out, &other.responses_out);
        add_counts(&mut self.parse_errors, &other.parse_errors);
        self.shed += other.shed;
        self.unknown_source += other.unknown_source;
        self.retransmissions += other.retransmissions;
        self.sessions_expired += other.sessions_expired;
        self.backlog += other.backlog;
        self.backlog_drops += other.backlog_drops;
        self.socket_drops += other.socket_drops;
        self.connections += other.connections;
        add_counts(&mut self.mishaps, &other.mishaps);
        add_counts(&mut self.name_troubles, &other.name_troubles);
    }
}

fn add_counts<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sums.entry(key.clone()).or_default() += count;
    }
}
