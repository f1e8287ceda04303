//! What `fernamt status` and `GET /status` show, and what an operator may ask of an agent. Plain data.

use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    estimate::Score,
    journal::fact::{AgentState, Micros, TargetState, Wish},
    service::Service,
    sums::QueueSums,
};

/// The node at one instant. The shard fills in all but `service`, which everybody reads from one word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Name of the node.
    pub node: String,
    /// Version of the running binary.
    pub version: String,
    /// Whether new calls are taken.
    pub service: Service,
    /// When this was written: UTC microseconds.
    pub now: Micros,
    /// When the process started: UTC microseconds.
    pub started_at: Micros,
    /// Generation of the configuration in force.
    pub generation: u64,
    /// Calls admitted since the start of the process.
    pub arrived: u64,
    /// Calls live now, those not in `live` included.
    pub calls: u64,
    /// Legs live now.
    pub legs: u64,
    /// SIP transactions, lingering ones included.
    pub transactions: u64,
    /// RTP ports in use, and in quarantine.
    pub ports: (u64, u64),
    /// Queues in order of name.
    pub queues: Vec<QueueStatus>,
    /// Agents in order of name.
    pub agents: Vec<AgentStatus>,
    /// Trunks in order of name.
    #[serde(default)]
    pub trunks: Vec<TrunkStatus>,
    /// How their presence is asked for; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceStatus>,
    /// Live calls, oldest first, at most as many as were asked for.
    pub live: Vec<LiveCall>,
}

/// One queue at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Its name.
    pub name: String,
    /// Callers who wait and are rung for nobody.
    pub waiting: u64,
    /// Nobody is let in: closed by hand or by its configuration. Its hours are another matter.
    #[serde(default)]
    pub closed: bool,
    /// Agents who are idle, and whom callers of this queue accept in the end.
    pub idle: u64,
    /// Agents who are logged in, and whom callers of this queue accept in the end; who is to be logged out after his
    /// call does not count.
    pub logged_in: u64,
    /// Since when the first in line waits: UTC microseconds.
    pub longest_since: Option<Micros>,
    /// How long a caller who enters now would wait at most, in so many cases as the queue's `estimate_percent` says.
    #[serde(default)]
    pub estimate_ms: Option<u64>,
    /// How right the estimates were since the process started.
    #[serde(default)]
    pub estimates: Score,
    /// What went in and out since the journal began. `sums.waiting` includes callers whose agent rings.
    pub sums: QueueSums,
}

/// One trunk at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrunkStatus {
    /// Its name.
    pub name: String,
    /// Calls on it, in either direction.
    pub calls: u64,
    /// As many as there may be; absent: only the node's limit.
    pub max_calls: Option<u32>,
    /// Ours at its carrier; absent: it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationStatus>,
    /// Its targets in the order of the configuration.
    pub targets: Vec<TargetStatus>,
}

/// Our registration at a carrier at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationStatus {
    /// Where.
    pub registrar: String,
    /// `trying`, `registered`, `failed`, `leaving` or `gone`.
    pub state: String,
    /// Since when: UTC microseconds.
    pub since: Micros,
    /// In how many seconds it ends if it is not renewed; absent: the carrier does not know us.
    pub ends_in_s: Option<u64>,
    /// Why the last request came to nothing; empty: it did not.
    pub why: String,
}

/// One target of a trunk at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// As configured.
    pub target: String,
    /// What is believed of it.
    pub state: TargetState,
    /// Since when: UTC microseconds.
    pub since: Micros,
    /// Why, in words; empty if it was never otherwise.
    pub why: String,
    /// When it was checked last (UTC microseconds), and what came of it.
    pub checked: Option<(Micros, String)>,
}

/// One agent at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// His name.
    pub name: String,
    /// What he does.
    pub state: AgentState,
    /// What was asked for; takes effect when he is free.
    pub wish: Wish,
    /// Since when he does it: UTC microseconds.
    pub since: Micros,
    /// Names of his queues.
    pub queues: Vec<String>,
    /// Calls answered since the process started.
    pub answered: u64,
    /// Telephones that are registered as him: address, and what it says it is.
    #[serde(default)]
    pub phones: Vec<PhoneStatus>,
    /// He has nothing but a telephone to be rung at, and none is registered: he counts as paused.
    #[serde(default)]
    pub unreached: bool,
    /// His presence in Teams, if it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<AgentPresence>,
}

/// What is known of an agent's presence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentPresence {
    /// `Busy, InACall`; `not yet known`; `not known, last Away`.
    pub says: String,
    /// It lets him be given calls.
    pub offered: bool,
    /// When Graph last spoke of him: UTC microseconds. What is older than `presence.graph.fresh` is not known any more.
    pub seen: Option<Micros>,
}

/// How presence is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PresenceStatus {
    /// Agents who are asked for.
    pub agents: u64,
    /// Those of them whom it lets be given calls.
    pub offered: u64,
    /// When Graph last answered: UTC microseconds.
    pub last_answer: Option<Micros>,
    /// Why it cannot be asked, and what to do; absent if it can.
    pub trouble: Option<PresenceTrouble>,
}

/// Why presence cannot be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PresenceTrouble {
    /// What it is: `Graph does not allow it (403 …)`.
    pub what: String,
    /// Whose fault it is.
    pub fault: String,
    /// What to do.
    pub cure: String,
    /// Since when: UTC microseconds.
    pub since: Micros,
}

/// One telephone that is registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhoneStatus {
    /// Its address, as it wrote it.
    pub contact: String,
    /// The way to it.
    pub flow: String,
    /// What it says it is; empty if it does not.
    pub device: String,
    /// How long it stays registered unless it renews: seconds.
    pub expires_s: u64,
}

/// One live call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveCall {
    /// Its [`CallId`](crate::journal::fact::CallId) as text.
    pub call: String,
    /// When it arrived: UTC microseconds.
    pub arrived_at: Micros,
    /// Its stage: `in-flow`, `waiting`, …
    pub stage: String,
    /// The caller.
    pub from: String,
    /// The called number.
    pub to: String,
    /// The queue, if it is or was in one.
    pub queue: Option<String>,
    /// The agents who ring for the caller, or the one who talks with him.
    pub agents: Vec<String>,
    /// The recording under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingStatus>,
}

/// The recording of a live call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingStatus {
    /// The call.
    pub call: String,
    /// Name of the file; absent: it is not recorded, or not yet.
    pub file: Option<String>,
    /// Nothing is recorded at present.
    pub paused: bool,
}

impl RecordingStatus {
    /// Of this call.
    pub fn of(call: &Call) -> RecordingStatus {
        let file = call.recorded_in().map(|(file, _)| file.to_owned());
        let paused = call.recorded_in().is_some_and(|(_, paused)| paused);
        RecordingStatus { call: call.id().to_string(), file, paused }
    }
}

/// What an operator asks of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Come to work, ready.
    Login,
    /// Leave work.
    Logout,
    /// Stay, but take no calls.
    Pause,
    /// Take calls again. Also logs in.
    Ready,
}

/// What an operator does with a queue by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nobody is let in, and nobody stays.
    Close,
    /// Takes back [`Close`](Self::Close); a queue that its configuration closes stays closed.
    Open,
}

impl Door {
    /// The two words of the command line and of the URL.
    pub const WORDS: [(&'static str, Door); 2] = [("close", Door::Close), ("open", Door::Open)];

    /// The door with this word.
    pub fn from_word(word: &str) -> Option<Door> {
        Door::WORDS.iter().find(|(known, _)| *known == word).map(|(_, door)| *door)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Door::Close => "close",
            Door::Open => "open",
        }
    }
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// No such agent.
    #[error("no agent {name:?}; there are: {}", known.join(", "))]
    UnknownAgent {
        /// As asked for.
        name: String,
        /// Those that exist, at most twenty.
        known: Vec<String>,
    },
    /// No such queue.
    #[error("no queue {name:?}; there are: {}", known.join(", "))]
    UnknownQueue {
        /// As asked for.
        name: String,
        /// Those that exist, at most twenty.
        known: Vec<String>,
    },
    /// The hand cannot open what the file closes.
    #[error("queue.{name}.closed is true in the configuration; take it out there and reload")]
    ClosedInFile {
        /// The queue.
        name: String,
    },
}

impl Order {
    /// The four words of the command line and of the URL.
    pub const WORDS: [(&'static str, Order); 4] = [
        ("login", Order::Login),
        ("logout", Order::Logout),
        ("pause", Order::Pause),
        ("ready", Order::Ready),
    ];

    /// The order with this name.
    pub fn from_word(word: &str) -> Option<Order> {
        Order::WORDS.iter().find(|(known, _)| *known == word).map(|(_, order)| *order)
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Order::Login => "login",
            Order::Logout => "logout",
            Order::Pause => "pause",
            Order::Ready => "ready",
        }
    }

    /// The wish it leaves behind.
    pub fn wish(self) -> Wish {
        match self {
            Order::Login | Order::Ready => Wish::Ready,
            Order::Logout => Wish::LoggedOut,
            Order::Pause => Wish::Paused,
        }
    }
}

impl Status {
    /// Adds another shard's calls and sums; agents and the rest are told alike by all.
    pub fn add(&mut self, other: Status) {
        self.arrived += other.arrived;
        self.calls += other.calls;
        self.legs += other.legs;
        self.transactions += other.transactions;
        for (trunk, more) in self.trunks.iter_mut().zip(other.trunks) {
            trunk.calls += more.calls;
        }
        self.live.extend(other.live);
        self.live.sort_by_key(|call| call.arrived_at);
        for (queue, more) in self.queues.iter_mut().zip(other.queues) {
            queue.sums.add(&more.sums);
            queue.estimates.add(&more.estimates);
        }
    }
}
