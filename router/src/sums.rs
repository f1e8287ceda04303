//! What went into each queue and came out of it: a fold over facts whose sums always add up (design §1.3).
//!
//! For every queue and between any two moments: waiting at the start + entered = answered + abandoned + left
//! otherwise + waiting at the end. The fold keeps this by itself, even where facts are missing: who leaves without
//! having entered is counted as entered, whose call ends inside has left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::fact::{CallId, CallbackEnd, Fact, LeftQueue, Targets, What};

/// Sums of all queues since the journal began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    queues: BTreeMap<String, QueueSums>,
    /// Which queue each waiting caller is in.
    #[serde(with = "pairs")]
    inside: BTreeMap<CallId, String>,
}

/// Sums of one queue. Everything but `waiting` only ever grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSums {
    /// Callers who entered, those turned away at the door included.
    pub entered: u64,
    /// An agent answered.
    pub answered: u64,
    /// The caller hung up.
    pub abandoned: u64,
    /// `max_wait` was over.
    pub timed_out: u64,
    /// The queue was full: turned away.
    pub full: u64,
    /// The queue was closed: turned away, or left.
    pub closed: u64,
    /// The queue was taken out of the configuration.
    pub removed: u64,
    /// Nobody was logged in: turned away, or left.
    pub nobody_logged_in: u64,
    /// Nobody was ready: turned away, or left.
    pub nobody_ready: u64,
    /// The estimated wait was above `max_estimate`.
    pub estimate: u64,
    /// Went elsewhere by one of the queue's `keys`.
    pub by_key: u64,
    /// An agent was there for a callback, and the customer was not reached.
    pub unreached: u64,
    /// The call ended for another reason.
    pub ended: u64,
    /// Callers who asked to be called back; who asks twice counts once. Each is reached, given up or pending.
    pub callbacks_asked: u64,
    /// Of those who asked, those who were connected with an agent.
    pub callbacks_reached: u64,
    /// Of those who asked, those who were given up.
    pub callbacks_given_up: u64,
    /// Of the answered, those within `service_level`.
    pub answered_in_time: u64,
    /// Of the abandoned, those within `service_level`.
    pub abandoned_in_time: u64,
    /// Of the abandoned, those within `short_abandon`.
    pub abandoned_short: u64,
    /// Waited by those who were answered, in milliseconds.
    pub answered_waited_ms: u64,
    /// Waited by those who abandoned, in milliseconds.
    pub abandoned_waited_ms: u64,
    /// Callers inside now, those whose agent rings included.
    pub waiting: u64,
}

/// What a queue did between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Callers inside at the start.
    pub waiting_at_start: u64,
    /// Entered meanwhile.
    pub entered: u64,
    /// Answered meanwhile.
    pub answered: u64,
    /// Abandoned meanwhile.
    pub abandoned: u64,
    /// Timed out, turned away, closed or ended meanwhile.
    pub left_otherwise: u64,
    /// Callers inside at the end.
    pub waiting_at_end: u64,
}

impl Sums {
    /// Takes in one fact.
    pub fn apply(&mut self, fact: &Fact) {
        match &fact.what {
            What::CallbackAsked { queue, .. } => self.sums(queue).callbacks_asked += 1,
            What::CallbackOver { queue, how: CallbackEnd::Reached, .. } => {
                self.sums(queue).callbacks_reached += 1;
            }
            What::CallbackOver { queue, .. } => self.sums(queue).callbacks_given_up += 1,
            _ => {}
        }
        let Some(call) = fact.call else { return };
        match &fact.what {
            What::Queued { queue, .. } => self.enter(call, queue),
            What::Left { queue, how, waited_ms, targets } => {
                self.leave(call, queue).count(*how, *waited_ms, *targets);
            }
            What::Ended { .. } => self.leave_whatever_queue(call),
            _ => {}
        }
    }

    /// The sums of `queue`; all zero if nobody ever entered it.
    pub fn queue(&self, queue: &str) -> QueueSums {
        self.queues.get(queue).copied().unwrap_or_default()
    }

    /// Every queue that anybody ever entered, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &QueueSums)> {
        self.queues.iter().map(|(name, sums)| (name.as_str(), sums))
    }

    fn enter(&mut self, call: CallId, queue: &str) {
        if self.inside.get(&call).is_some_and(|inside| inside == queue) {
            return; // re-offered after an unanswered assignment
        }
        self.leave_whatever_queue(call);
        let sums = self.sums(queue);
        sums.entered += 1;
        sums.waiting += 1;
        self.inside.insert(call, queue.to_owned());
    }

    /// The queue's sums, `call` no longer among those who wait.
    fn leave(&mut self, call: CallId, queue: &str) -> &mut QueueSums {
        if self.inside.get(&call).is_some_and(|inside| inside == queue) {
            self.inside.remove(&call);
            self.sums(queue).waiting -= 1;
        } else {
            self.sums(queue).entered += 1;
        }
        self.sums(queue)
    }

    fn leave_whatever_queue(&mut self, call: CallId) {
        if let Some(queue) = self.inside.remove(&call) {
            let sums = self.sums(&queue);
            sums.waiting -= 1;
            sums.count(LeftQueue::Ended, 0, Targets::default());
        }
    }

    fn sums(&mut self, queue: &str) -> &mut QueueSums {
        if !self.queues.contains_key(queue) {
            self.queues.insert(queue.to_owned(), QueueSums::default());
        }
        self.queues.get_mut(queue).expect("inserted above")
    }
}

impl QueueSums {
    /// Customers who are still to be called back.
    pub fn callbacks_pending(&self) -> u64 {
        self.callbacks_asked.saturating_sub(self.callbacks_reached + self.callbacks_given_up)
    }

    /// Left without an answer and without giving up.
    pub fn left_otherwise(&self) -> u64 {
        let unstaffed = self.nobody_logged_in + self.nobody_ready;
        let turned_away = self.full + self.closed + self.removed + unstaffed + self.estimate;
        self.timed_out + turned_away + self.by_key + self.unreached + self.ended
    }

    /// The service level, 0 to 1: answered in time by entered less short abandons. `None` before anybody counts.
    pub fn service_level(&self) -> Option<f64> {
        let offered = self.entered - self.abandoned_short;
        (offered > 0).then(|| self.answered_in_time as f64 / offered as f64)
    }

    /// Entered = answered + abandoned + left otherwise + waiting: true of every fold from the beginning.
    pub fn add_up(&self) -> bool {
        self.since(&QueueSums::default()).adds_up()
    }

    /// What happened since `earlier`, an older copy of the same queue's sums.
    pub fn since(&self, earlier: &QueueSums) -> Interval {
        Interval {
            waiting_at_start: earlier.waiting,
            entered: self.entered - earlier.entered,
            answered: self.answered - earlier.answered,
            abandoned: self.abandoned - earlier.abandoned,
            left_otherwise: self.left_otherwise() - earlier.left_otherwise(),
            waiting_at_end: self.waiting,
        }
    }

    /// Adds the sums of the same queue in another shard.
    pub fn add(&mut self, other: &QueueSums) {
        self.entered += other.entered;
        self.answered += other.answered;
        self.abandoned += other.abandoned;
        self.timed_out += other.timed_out;
        self.full += other.full;
        self.closed += other.closed;
        self.removed += other.removed;
        self.nobody_logged_in += other.nobody_logged_in;
        self.nobody_ready += other.nobody_ready;
        self.estimate += other.estimate;
        self.by_key += other.by_key;
        self.unreached += other.unreached;
        self.ended += other.ended;
        self.callbacks_asked += other.callbacks_asked;
        self.callbacks_reached += other.callbacks_reached;
        self.callbacks_given_up += other.callbacks_given_up;
        self.answered_in_time += other.answered_in_time;
        self.abandoned_in_time += other.abandoned_in_time;
        self.abandoned_short += other.abandoned_short;
        self.answered_waited_ms += other.answered_waited_ms;
        self.abandoned_waited_ms += other.abandoned_waited_ms;
        self.waiting += other.waiting;
    }

    fn count(&mut self, how: LeftQueue, waited_ms: u64, targets: Targets) {
        let in_time = u64::from(waited_ms <= targets.in_time_ms);
        match how {
            LeftQueue::Answered => {
                self.answered += 1;
                self.answered_in_time += in_time;
                self.answered_waited_ms += waited_ms;
            }
            LeftQueue::Abandoned => {
                self.abandoned += 1;
                self.abandoned_in_time += in_time;
                self.abandoned_short += u64::from(waited_ms <= targets.short_ms);
                self.abandoned_waited_ms += waited_ms;
            }
            LeftQueue::TimedOut => self.timed_out += 1,
            LeftQueue::Full => self.full += 1,
            LeftQueue::Closed => self.closed += 1,
            LeftQueue::Removed => self.removed += 1,
            LeftQueue::NobodyLoggedIn => self.nobody_logged_in += 1,
            LeftQueue::NobodyReady => self.nobody_ready += 1,
            LeftQueue::Estimate => self.estimate += 1,
            LeftQueue::ByKey => self.by_key += 1,
            LeftQueue::Unreached => self.unreached += 1,
            LeftQueue::Ended => self.ended += 1,
        }
    }
}

impl Interval {
    /// Waiting at the start + entered = answered + abandoned + left otherwise + waiting at the end.
    pub fn adds_up(&self) -> bool {
        self.waiting_at_start + self.entered
            == self.answered + self.abandoned + self.left_otherwise + self.waiting_at_end
    }
}

/// JSON has no map with a structured key.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::CallId;

    pub(super) fn serialize<S: Serializer>(
        inside: &BTreeMap<CallId, String>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(inside)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<CallId, String>, D::Error> {
        Ok(Vec::<(CallId, String)>::deserialize(from)?.into_iter().collect())
    }
}
