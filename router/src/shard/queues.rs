//! What the switchboard knows of queues: who waits, who is at work, how long it will take, and whether they are open.

use std::time::Duration;

use scheduler::Line;

use super::Switchboard;
use crate::{
    clock::millis_between,
    config::{AgentId, Config, Queue, QueueId, Strategy},
    estimate::Outlook,
    journal::fact::{LeftQueue, Micros, What, Wish},
    lines,
    staff::Crew,
};

/// Callers a line has room for from the start, 17 bytes each.
const ROOM_AT_START: u32 = 4_096;

impl Switchboard {
    pub(crate) fn waiting(&self, queue: QueueId) -> u32 {
        let for_all: u32 = lines::of_queue(queue).map(|line| self.scheduler.waiting(line)).sum();
        for_all + self.alone.waiting(queue)
    }

    /// Idle agents whom a caller of `queue` accepts in the end.
    pub(super) fn idle(&self, queue: QueueId) -> u32 {
        let steps = self.config.queue(queue).map_or(1, |settings| settings.steps.len());
        self.scheduler.idle(lines::of_step(queue, steps - 1))
    }

    /// Who is at work for `queue`.
    pub(crate) fn crew(&self, queue: QueueId) -> Crew {
        self.staff.crew(queue)
    }

    /// What a caller who enters `queue` now with `key` may expect.
    pub(crate) fn outlook(&self, queue: QueueId, key: u64) -> Outlook {
        let is_idle = self.scheduler.idle(lines::of_step(queue, 0)) > 0;
        let rank = if is_idle { 0 } else { self.ahead(queue, key) + 1 };
        let percent = self.config.queue(queue).map_or(0, |queue| queue.rules.estimate_percent);
        self.estimates.outlook(queue, rank, percent, self.at)
    }

    /// A caller who entered with this outlook leaves.
    pub(crate) fn learn_wait(&mut self, queue: QueueId, outlook: Outlook, entered: Micros, how: LeftQueue) {
        if self.config.queue(queue).is_some() {
            let waited = Duration::from_millis(millis_between(entered, self.at));
            self.estimates.learn(queue, outlook, waited, how, self.at);
        }
    }

    /// By its configuration or by hand.
    pub(crate) fn is_closed(&self, queue: &Queue) -> bool {
        queue.rules.closed || self.closed.contains(&queue.name)
    }

    /// A queue is closed by hand, or that is taken back: it goes on record and survives a restart.
    pub(super) fn switch_queue(&mut self, queue: QueueId, closed: bool, reason: String) {
        let queue = self.queue_name(queue);
        match closed {
            true => self.closed.insert(queue.clone()),
            false => self.closed.remove(&queue),
        };
        self.fact(None, What::QueueSwitched { queue, closed, reason });
    }

    /// Callers of `queue` with a smaller key.
    pub(crate) fn ahead(&self, queue: QueueId, key: u64) -> u32 {
        let for_all: u32 = lines::of_queue(queue).map(|line| self.scheduler.ahead(line, key)).sum();
        for_all + self.alone.ahead(queue, key)
    }

    /// What is kept of a configuration beside it.
    pub(super) fn learn(&mut self, config: &Config) {
        self.names.learn(config);
        let by_chance = config.queues().filter(|(_, queue)| queue.strategy == Strategy::RandomWeighted);
        self.by_chance = by_chance.map(|(id, _)| id).collect();
        config.queues().for_each(|(id, queue)| self.make_room(id, queue));
    }

    /// Room on the queue's lines, so that callers are posted without taking memory; a larger crowd takes it as it comes.
    fn make_room(&self, id: QueueId, queue: &Queue) {
        for step in 0..queue.steps.len() {
            self.scheduler.reserve(lines::of_step(id, step), queue.max_waiting.min(ROOM_AT_START));
        }
    }

    /// An agent who serves these lines is of the crew of each queue whose last step of widening is among them.
    pub(super) fn joins_crews(&mut self, agent: AgentId, lines: &[Line]) {
        let crews = lines::crews(lines, &self.config);
        let restaffed = self.staff.serves(agent, crews, self.now);
        self.note_restaffed(restaffed);
    }

    /// What an agent wishes decides how he counts in his crews.
    pub(super) fn counts_in_crews(&mut self, agent: AgentId, wish: Wish) {
        let restaffed = self.staff.wishes(agent, wish, self.now);
        self.note_restaffed(restaffed);
    }

    fn note_restaffed(&mut self, queues: Vec<QueueId>) {
        let asks =
            |queue: &QueueId| self.config.queue(*queue).is_some_and(|of| of.rules.leave_when.is_some());
        self.restaffed.extend(queues.into_iter().filter(asks));
    }
}
