//! Ids of the things a configuration names, stable over reloads.
//!
//! Calls, the scheduler and counters hold ids, not names. A name keeps its id for as long as the process lives, also
//! while no configuration mentions it: so a queue that was removed and comes back is the same queue.

use std::collections::BTreeMap;
use std::fmt;

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index into tables that are as long as [`Names`] says.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl From<usize> for $name {
            fn from(index: usize) -> $name {
                $name(u32::try_from(index).expect("fewer than 2^32 names"))
            }
        }
    )*};
}

ids! {
    /// A `[trunk.NAME]`. At most 65,535 are ever named, so it also serves as the peer id of SIP sources.
    TrunkId
    /// A `[flow.NAME]`.
    FlowId
    /// A `[queue.NAME]`; the scheduler's number of the queue.
    QueueId
    /// An `[agent.NAME]`; the scheduler's number of the agent.
    AgentId
    /// A `[hours.NAME]`.
    HoursId
    /// A prompt file, by its path as written.
    PromptId
}

/// Every name any configuration of this process has used, each with its id. Grows only.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub(super) trunks: Interned,
    pub(super) flows: Interned,
    pub(super) queues: Interned,
    pub(super) agents: Interned,
    pub(super) hours: Interned,
    pub(super) prompts: Interned,
    /// Generation of the last configuration that was accepted; 0 before the first.
    pub(super) generation: u64,
}

impl Names {
    /// No names yet: where a process begins.
    pub fn new() -> Names {
        Names::default()
    }

    /// The trunk's name, as long as the id came from these names.
    pub fn trunk(&self, id: TrunkId) -> Option<&str> {
        self.trunks.name(id.index())
    }

    /// The flow's name.
    pub fn flow(&self, id: FlowId) -> Option<&str> {
        self.flows.name(id.index())
    }

    /// The queue's name, also of a queue that was removed by a reload.
    pub fn queue(&self, id: QueueId) -> Option<&str> {
        self.queues.name(id.index())
    }

    /// The agent's name, also of an agent who was removed by a reload.
    pub fn agent(&self, id: AgentId) -> Option<&str> {
        self.agents.name(id.index())
    }

    /// The agent of that name, if any configuration ever had one.
    pub fn agent_id(&self, name: &str) -> Option<AgentId> {
        self.agents.id(name).map(AgentId::from)
    }

    /// The queue of that name, if any configuration ever had one.
    pub fn queue_id(&self, name: &str) -> Option<QueueId> {
        self.queues.id(name).map(QueueId::from)
    }

    /// How many queues were ever named: ids are below it.
    pub fn queues(&self) -> usize {
        self.queues.len()
    }

    /// How many agents were ever named: ids are below it.
    pub fn agents(&self) -> usize {
        self.agents.len()
    }

    /// How many trunks were ever named: ids are below it.
    pub fn trunks(&self) -> usize {
        self.trunks.len()
    }
}

/// One kind of name.
#[derive(Debug, Clone, Default)]
pub(super) struct Interned {
    by_name: BTreeMap<String, usize>,
    names: Vec<String>,
}

impl Interned {
    pub(super) fn intern(&mut self, name: &str) -> usize {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        let index = self.names.len();
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), index);
        index
    }

    pub(super) fn id(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, index: usize) -> Option<&str> {
        self.names.get(index).map(String::as_str)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}
