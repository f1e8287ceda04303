//! Sticky agents: a caller waits for the one he spoke to last, before anybody else of the queue may serve him.

use std::time::{Duration, Instant};

use scheduler::Line;

use super::Call;
use crate::{
    clock::millis_between,
    config::{AgentId, Queue, QueueId},
    shard::Switchboard,
};

/// He waits for this agent alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alone {
    pub(super) agent: AgentId,
    /// The agent's own line.
    pub(super) line: Line,
    /// When everybody of the queue may serve him.
    pub(super) until: Instant,
}

impl Alone {
    /// It is not too long, and the agent is still to be had.
    pub(super) fn goes_on(&self, queue: QueueId, board: &Switchboard) -> bool {
        board.now < self.until && board.is_to_be_had(self.agent, queue)
    }
}

impl Call {
    /// The agent for whom the caller waits first in this queue: whom he spoke to last, if that was not too long ago and
    /// the agent serves the queue, is logged in and has not asked for a pause.
    pub(super) fn waits_first_for(
        &self,
        queue: QueueId,
        settings: &Queue,
        board: &Switchboard,
    ) -> Option<Alone> {
        let sticky = settings.memory.sticky?;
        let (agent, at) = board.callers.last_agent(&self.parties.caller)?;
        let is_recent = Duration::from_millis(millis_between(at, self.arrived)) <= sticky.within;
        let alone = Alone { agent, line: board.line_of(agent), until: board.now + sticky.wait };
        Some(alone).filter(|alone| is_recent && alone.goes_on(queue, board))
    }
}
