//! Places in queues that callers lost because we ended: by a crash, or at the deadline of an orderly end.
//!
//! Whoever calls again soon gets his place back, once (`keep_place`). The time for it runs from the start that follows,
//! not from the end: while we are away nobody can call. A fold over the facts of the journal, so that a second crash
//! loses nothing; kept for an hour, then forgotten, for numbers of callers are in it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    journal::fact::{CallId, Cause, Fact, Kept, LeftQueue, Micros, What},
    record::Records,
};

/// The longest `keep_place`.
const LONGEST: Micros = 3_600_000_000;
/// Whoever was cut off longer before we came back waits no more: `max_wait` ends at a day.
const LONGEST_ABSENCE: Micros = 24 * 3_600_000_000;
/// Places remembered; of more the oldest are forgotten.
const MOST: usize = 100_000;

/// A place that was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPlace {
    /// Whose it was.
    pub call: CallId,
    /// The caller's number, as asserted; never empty.
    pub from: String,
    /// Name of the queue.
    pub queue: String,
    /// The order key there.
    pub key: u64,
    /// When the caller had first come to a queue; 0 if not known.
    pub arrived: Micros,
    /// When it was lost.
    pub at: Micros,
    /// When the next run started.
    pub back_at: Option<Micros>,
}

/// All places that may be had again, in the order in which they were lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPlaces(VecDeque<LostPlace>);

impl LostPlaces {
    /// Takes in a fact; `records` as they were before it.
    pub fn apply(&mut self, fact: &Fact, records: &Records) {
        match (&fact.what, fact.call) {
            (What::Left { how: LeftQueue::Ended, .. }, Some(call)) => self.lose(call, fact.at, records),
            (What::Ended { cause, .. }, Some(call)) if !is_ours(*cause) => self.forget(call),
            (What::Queued { kept: Some(kept), .. }, _) => self.forget(kept.call),
            (What::Started { .. }, _) => self.back(fact.at),
            _ => {}
        }
        self.forget_old(fact.at);
    }

    /// The best place that a caller with this number lost in `queue`, if he called at `called_at` and no later than
    /// `keep` after we were back. It is his now: there is none the second time.
    pub fn take(&mut self, from: &str, queue: &str, called_at: Micros, keep: Micros) -> Option<LostPlace> {
        self.forget_old(called_at);
        let is_his = |(_, lost): &(usize, &LostPlace)| {
            let in_time = lost.back_at.is_some_and(|back| called_at <= back.saturating_add(keep));
            keep > 0 && in_time && lost.from == from && lost.queue == queue
        };
        let (at, _) = self.0.iter().enumerate().filter(is_his).min_by_key(|(_, lost)| lost.key)?;
        self.0.remove(at)
    }

    /// Whether the call's end is ours is not known yet; [`Ended`](What::Ended) tells.
    fn lose(&mut self, call: CallId, at: Micros, records: &Records) {
        let Some(record) = records.get(call).filter(|record| !record.from.is_empty()) else { return };
        let Some((queue, key, arrived)) = record.place() else { return };
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let (from, queue) = (record.from.clone(), queue.to_owned());
        self.0.push_back(LostPlace { call, from, queue, key, arrived, at, back_at: None });
    }

    fn forget(&mut self, call: CallId) {
        if let Some(at) = self.0.iter().rposition(|lost| lost.call == call) {
            self.0.remove(at);
        }
    }

    fn back(&mut self, now: Micros) {
        self.0.retain(|lost| lost.back_at.is_some() || now - lost.at <= LONGEST_ABSENCE);
        for lost in &mut self.0 {
            lost.back_at.get_or_insert(now);
        }
    }

    fn forget_old(&mut self, now: Micros) {
        let is_old = |lost: &LostPlace| lost.back_at.is_some_and(|back| back.saturating_add(LONGEST) < now);
        while self.0.front().is_some_and(is_old) {
            self.0.pop_front();
        }
    }
}

impl LostPlace {
    /// For the record of the call that takes it.
    pub fn kept(&self) -> Kept {
        Kept { call: self.call, lost_at: self.at }
    }
}

/// The caller would still be waiting if we were not.
fn is_ours(cause: Cause) -> bool {
    matches!(cause, Cause::RouterRestarted | Cause::Shutdown)
}
