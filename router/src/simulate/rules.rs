//! When a simulated queue takes callers, and when it sends away those who wait: what `call/rules.rs` and `staff.rs` do
//! in the running router.

use std::time::Instant;

use jiff::Timestamp;
use scheduler::Agent;

use super::{
    Worker,
    floor::{Floor, Stage, agent_id},
    length::FOREVER,
    micros,
};
use crate::{
    config::{AgentId, Config, Opening, Queue, QueueId},
    estimate::Outlook,
    journal::fact::{LeftQueue, Micros, Wish},
    lines,
    staff::Staff,
};

/// The crews of all queues, before anybody has come.
pub(super) fn crews(config: &Config, staff: &[Worker], now: Instant) -> Staff {
    let mut crews = Staff::new(now);
    for (index, worker) in staff.iter().enumerate() {
        crews.serves(AgentId::from(index), lines::crews(&worker.lines, config), now);
    }
    crews
}

impl Floor<'_> {
    /// Why the queue does not take a new caller; `None` if it does.
    pub(super) fn turned_away(&mut self, id: QueueId) -> Option<LeftQueue> {
        let queue = self.scenario.config.queue(id)?;
        if queue.rules.closed || !self.is_open(id, queue) {
            return Some(LeftQueue::Closed);
        }
        let crew = self.crews.crew(id);
        if queue.rules.turn_away_when.is_some_and(|how| crew.unstaffed_since(how).is_some()) {
            return Some(crew.how_unstaffed());
        }
        (self.waiting(id) >= queue.max_waiting).then_some(LeftQueue::Full)
    }

    fn is_open(&mut self, id: QueueId, queue: &Queue) -> bool {
        let Some(hours) = queue.hours.and_then(|hours| self.scenario.config.hours(hours)) else {
            return true;
        };
        if let Some((open, _)) = self.open.get(&id).filter(|(_, until)| self.at < *until) {
            return *open;
        }
        let Ok(now) = Timestamp::from_microsecond(self.at) else { return true };
        let opening = hours.at(now);
        let (Opening::Open { until } | Opening::Closed { until, .. }) = opening;
        let until = until.map_or(FOREVER, |until| until.as_microsecond());
        self.open.insert(id, (opening.is_open(), until));
        opening.is_open()
    }

    fn waiting(&self, id: QueueId) -> u32 {
        lines::of_queue(id).map(|line| self.scheduler.waiting(line)).sum()
    }

    /// What a caller who enters with `key` may expect; only where that matters.
    pub(super) fn outlook(&self, id: QueueId, queue: &Queue, key: u64) -> Option<Outlook> {
        queue.rules.max_estimate?;
        let is_idle = self.scheduler.idle(lines::of_step(id, 0)) > 0;
        let ahead: u32 = lines::of_queue(id).map(|line| self.scheduler.ahead(line, key)).sum();
        let rank = if is_idle { 0 } else { ahead + 1 };
        Some(self.estimates.outlook(id, rank, queue.rules.estimate_percent, self.at))
    }

    /// An agent asks to be paused, or to come or go: queues may find or lose the last of their crews by it.
    pub(super) fn wishes(&mut self, agent: Agent, wish: Wish) {
        self.change(agent, |agents, _, at| agents.wish(agent_id(agent), wish, at));
        let restaffed = self.crews.wishes(agent_id(agent), wish, self.now());
        for queue in restaffed {
            let settings = self.scenario.config.queue(queue);
            if settings.is_some_and(|queue| queue.rules.leave_when.is_some()) {
                self.rearm(queue);
            }
        }
    }

    fn rearm(&mut self, queue: QueueId) {
        let waits = |caller: &u32| {
            let inside = &self.inside[*caller as usize];
            inside.queue == queue && matches!(inside.stage, Stage::Waiting)
        };
        let waiting: Vec<u32> = self.armed().filter(waits).collect();
        for caller in waiting {
            self.disarm(caller);
            self.inside[caller as usize].leaves = self.leaves(caller);
            self.arm(caller);
        }
    }

    /// When a caller must go because nobody serves his queue.
    pub(super) fn leaves(&self, caller: u32) -> Micros {
        let (entered, queue) = (self.inside[caller as usize].entered, self.queue_of(caller));
        let crew = self.crews.crew(self.inside[caller as usize].queue);
        let since = queue.rules.leave_when.and_then(|how| crew.unstaffed_since(how));
        since.map_or(FOREVER, |since| self.date(since).max(entered) + micros(queue.rules.leave_grace))
    }

    /// A caller waits no longer by a rule of the queue; `None`: he waits on.
    pub(super) fn must_leave(&self, caller: u32) -> Option<LeftQueue> {
        let inside = &self.inside[caller as usize];
        let timed_out = (inside.until <= self.at).then_some(LeftQueue::TimedOut);
        timed_out
            .or_else(|| (inside.leaves <= self.at).then(|| self.crews.crew(inside.queue).how_unstaffed()))
    }
}
