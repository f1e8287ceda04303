//! The records of all calls that live, as far as the journal knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::journal::fact::{CallId, Cause, Fact, Fault, LeftQueue, Micros, Targets, What};

/// Folds facts of many calls; gives each record when its call ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Records {
    #[serde(with = "as_list")]
    live: BTreeMap<CallId, Record>,
}

impl Records {
    /// Takes in one fact; returns the finished record if it was a call's end. Facts of calls that never arrived, or
    /// are over, change nothing.
    pub fn apply(&mut self, fact: &Fact) -> Option<Record> {
        let call = fact.call?;
        match fact.what {
            What::Arrived { .. } | What::CallbackBegun { .. } => {
                self.live.entry(call).or_insert(Record::begin(fact)?);
                None
            }
            What::Ended { .. } => {
                let mut record = self.live.remove(&call)?;
                record.apply(fact);
                Some(record)
            }
            _ => {
                self.live.get_mut(&call)?.apply(fact);
                None
            }
        }
    }

    /// A call without an end.
    pub fn get(&self, call: CallId) -> Option<&Record> {
        self.live.get(&call)
    }

    /// Calls without an end.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Every call that arrived has ended.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Calls without an end, in order of run and key.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.live.values()
    }

    /// The facts that end every live call because its process died, at `at`: the last instant of which the journal
    /// proves that it lived. Without `seq`.
    pub fn ends_after_a_crash(&self, at: Micros, generation: u64) -> Vec<Fact> {
        self.iter().flat_map(|record| record.ends_after_a_crash(at, generation)).collect()
    }
}

impl Record {
    fn ends_after_a_crash(&self, at: Micros, generation: u64) -> impl Iterator<Item = Fact> {
        let at = at.max(self.arrived_at);
        let left = self.progress.queued.zip(self.queue.clone()).map(|((_, entered_ms), queue)| {
            let waited_ms = u64::try_from(at / 1_000 - entered_ms).unwrap_or(0);
            What::Left { queue, how: LeftQueue::Ended, waited_ms, targets: Targets::default() }
        });
        let ended = What::Ended {
            cause: Cause::RouterRestarted,
            fault: Fault::Router,
            status: None,
            q850: None,
            reason: None,
        };
        let call = Some(self.call);
        left.into_iter().chain([ended]).map(move |what| Fact { seq: 0, at, call, generation, what })
    }
}

/// JSON has no map with a structured key.
mod as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{CallId, Record};

    pub(super) fn serialize<S: Serializer>(
        live: &BTreeMap<CallId, Record>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(live.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<CallId, Record>, D::Error> {
        let records = Vec::<Record>::deserialize(from)?;
        Ok(records.into_iter().map(|record| (record.call, record)).collect())
    }
}
