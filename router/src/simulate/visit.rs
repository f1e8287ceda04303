//! A caller's way from queue to queue: in, out, and on to what follows.

use std::time::Duration;

use super::{
    floor::{Floor, Inside, Stage, Visit},
    length::FOREVER,
    micros,
};
use crate::{
    config::QueueId,
    credit::{Claims, credits, order_key},
    journal::fact::{LeftQueue, Micros},
};

/// Queues that a caller is sent on to at most: flows may lead in a circle.
const MOST_HOPS: u32 = 16;

impl Floor<'_> {
    /// Enters a queue, or what follows it if it cannot take him.
    pub(super) fn enter(&mut self, id: QueueId, visit: Visit) {
        self.counts(id, self.at).offered += 1;
        if let Some(how) = self.turned_away(id) {
            return self.moves_on(id, self.at, visit, how);
        }
        let Some(queue) = self.scenario.config.queue(id) else { return };
        let key = order_key(visit.arrived, &credits(queue, Claims::default()));
        let outlook = self.outlook(id, queue, key);
        if outlook.is_some_and(|outlook| queue.rules.is_too_long(outlook)) {
            return self.moves_on(id, self.at, visit, LeftQueue::Estimate);
        }
        let caller = self.seat(Inside {
            queue: id,
            entered: self.at,
            key,
            step: 0,
            widens: queue.steps.get(1).map_or(FOREVER, |next| self.at + micros(next.after)),
            until: self.at + micros(queue.max_wait),
            leaves: FOREVER,
            outlook,
            visit,
            stage: Stage::Waiting,
        });
        self.inside[caller as usize].leaves = self.leaves(caller);
        self.wait(caller);
    }

    /// He leaves a queue for what follows it; flows that lead in a circle end sometime.
    fn moves_on(&mut self, id: QueueId, entered: Micros, visit: Visit, how: LeftQueue) {
        self.leave(id, entered, how);
        if let Some(next) = self.overflow.get(&id).filter(|_| visit.hops < MOST_HOPS) {
            self.enter(*next, Visit { hops: visit.hops + 1, ..visit });
        }
    }

    fn seat(&mut self, inside: Inside) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.inside[slot as usize] = inside;
                slot
            }
            None => {
                self.inside.push(inside);
                self.rung.push(Vec::new());
                self.inside.len() as u32 - 1
            }
        }
    }

    pub(super) fn goes(&mut self, caller: u32, how: LeftQueue) {
        let Inside { queue, entered, .. } = self.inside[caller as usize];
        self.learn(caller, how);
        self.leave(queue, entered, how);
        self.free.push(caller);
    }

    /// He may wait no longer: on to what follows the queue.
    pub(super) fn is_sent_on(&mut self, caller: u32, how: LeftQueue) {
        let Inside { queue, entered, visit, .. } = self.inside[caller as usize];
        self.learn(caller, how);
        self.free.push(caller);
        self.moves_on(queue, entered, visit, how);
    }

    /// What became of his outlook.
    pub(super) fn learn(&mut self, caller: u32, how: LeftQueue) {
        let Inside { queue, entered, outlook, .. } = self.inside[caller as usize];
        if let Some(outlook) = outlook {
            let waited = Duration::from_micros((self.at - entered) as u64);
            self.estimates.learn(queue, outlook, waited, how, self.at);
        }
    }
}
