//! Callers who wait for one agent alone. They stand on the agent's own line, beside callers of his other queues; here
//! is which queue they wait in all the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    config::{AgentId, QueueId},
    keys::CallKey,
};

/// Who waits for whom, by call, queue and agent. Bounded by the calls.
#[derive(Debug, Default)]
pub(super) struct Alone {
    by_call: HashMap<CallKey, (QueueId, u64, AgentId)>,
    by_queue: HashMap<QueueId, BTreeSet<(u64, CallKey)>>,
    by_agent: BTreeMap<AgentId, BTreeSet<CallKey>>,
}

impl Alone {
    /// `call` waits in `queue` with `key`, for `agent` alone.
    pub(super) fn add(&mut self, call: CallKey, queue: QueueId, key: u64, agent: AgentId) {
        self.by_call.insert(call, (queue, key, agent));
        self.by_queue.entry(queue).or_default().insert((key, call));
        self.by_agent.entry(agent).or_default().insert(call);
    }

    /// `call` waits no longer, or for everybody; nothing if it did not wait so.
    pub(super) fn remove(&mut self, call: CallKey) {
        let Some((queue, key, agent)) = self.by_call.remove(&call) else { return };
        if let Some(of_queue) = self.by_queue.get_mut(&queue) {
            of_queue.remove(&(key, call));
        }
        if let Some(of_agent) = self.by_agent.get_mut(&agent) {
            of_agent.remove(&call);
        }
    }

    /// How many of `queue` wait so.
    pub(super) fn waiting(&self, queue: QueueId) -> u32 {
        self.by_queue.get(&queue).map_or(0, |calls| calls.len() as u32)
    }

    /// How many of them have a smaller key.
    pub(super) fn ahead(&self, queue: QueueId, key: u64) -> u32 {
        let before = (key, CallKey(0));
        self.by_queue.get(&queue).map_or(0, |calls| calls.range(..before).count() as u32)
    }

    /// The smallest key among them.
    pub(super) fn first(&self, queue: QueueId) -> Option<u64> {
        self.by_queue.get(&queue)?.first().map(|(key, _)| *key)
    }

    /// Who waits for `agent` alone.
    pub(super) fn of_agent(&self, agent: AgentId) -> impl Iterator<Item = CallKey> {
        self.by_agent.get(&agent).into_iter().flatten().copied()
    }
}
