//! A day from the journal, to happen once more: a fold over its facts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Arrival, Length, length::FOREVER, overflow::overflow};
use crate::{
    config::{Config, QueueId},
    journal::fact::{CallId, Fact, LeftQueue, Micros, Unanswered, What},
};

/// What the journal says about one day. Feed it every fact in order.
pub struct Replay<'c> {
    config: &'c Config,
    zone: TimeZone,
    /// The day asked for; `None`: the last one that had calls.
    asked: Option<Date>,
    /// The day that is kept.
    day: Option<Date>,
    overflow: BTreeMap<QueueId, QueueId>,
    arrivals: Vec<Arrival>,
    /// Calls not over yet.
    open: BTreeMap<CallId, Open>,
    /// Calls of ours that are not over yet, to customers who have arrived before.
    callbacks: BTreeSet<CallId>,
    waits: BTreeMap<QueueId, Waits>,
    rings: Vec<Micros>,
    unknown: BTreeMap<String, u64>,
}

/// What is known of a call that is not over.
#[derive(Debug, Clone, Default)]
struct Open {
    /// The queue he is in or was in last, and where his arrival stands.
    last: Option<(QueueId, Option<usize>)>,
    /// Who is rung for him, and since when.
    rung: BTreeMap<String, Micros>,
    bridged_at: Option<Micros>,
}

/// How long was waited in a queue, and how often that ended with a hang-up.
#[derive(Debug, Clone, Copy, Default)]
struct Waits {
    total_ms: u64,
    abandoned: u64,
}

/// A day as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The day.
    pub day: Date,
    /// In the order of time; talk times as measured.
    pub arrivals: Vec<Arrival>,
    /// The patience that explains best who hung up when: all waiting time over the number of those who gave up, the
    /// maximum-likelihood mean of an exponential patience of which the answered show only a part.
    pub patience: BTreeMap<QueueId, Length>,
    /// How long agents' telephones rang, unanswered ones as for ever; `None` if there was no assignment.
    pub ring: Option<Length>,
    /// Queues that the configuration does not have any more, and how many calls they had.
    pub unknown: BTreeMap<String, u64>,
}

impl<'c> Replay<'c> {
    /// `day` in `zone`; `None`: the last day in the journal on which anybody entered a queue.
    pub fn new(config: &'c Config, zone: TimeZone, day: Option<Date>) -> Replay<'c> {
        Replay {
            config,
            zone,
            asked: day,
            day: None,
            overflow: overflow(config),
            arrivals: Vec::new(),
            open: BTreeMap::new(),
            callbacks: BTreeSet::new(),
            waits: BTreeMap::new(),
            rings: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// Takes in one fact.
    pub fn apply(&mut self, fact: &Fact) {
        let Some(call) = fact.call else { return };
        match &fact.what {
            What::CallbackBegun { .. } => _ = self.callbacks.insert(call),
            What::Ended { .. } if self.callbacks.remove(&call) => {}
            _ if self.callbacks.contains(&call) => {}
            What::Queued { queue, .. } => self.entered(call, fact.at, queue),
            What::Left { queue, how, waited_ms: 0, .. } if how.is_of_the_door() => {
                self.entered(call, fact.at, queue);
                self.left(call, *how, 0);
            }
            What::Left { how, waited_ms, .. } => self.left(call, *how, *waited_ms),
            What::Assigned { agent, .. } => {
                self.note(call, |open| _ = open.rung.insert(agent.clone(), fact.at));
            }
            What::Unanswered { why: Unanswered::NoAnswer, .. } if self.open.contains_key(&call) => {
                self.rings.push(FOREVER);
            }
            // He waits on: neither a talk nor a new arrival.
            What::Unanswered { why: Unanswered::HungUpAtOnce | Unanswered::Silent, .. } => {
                self.note(call, |open| open.bridged_at = None)
            }
            What::Bridged { agent: Some(agent), .. } => self.bridged(call, fact.at, agent),
            What::Ended { .. } => self.ended(call, fact.at),
            _ => {}
        }
    }

    /// The day; `None` if nobody entered a queue on it.
    pub fn finish(mut self) -> Option<Replayed> {
        self.arrivals.sort_by_key(|arrival| arrival.at);
        let patience = self.waits.iter().filter(|(_, waits)| waits.abandoned > 0);
        let patience = patience.map(|(queue, waits)| {
            let mean = std::time::Duration::from_millis((waits.total_ms / waits.abandoned).max(1));
            (*queue, Length::Exponential { mean })
        });
        Some(Replayed {
            day: self.day.filter(|_| !self.arrivals.is_empty())?,
            patience: patience.collect(),
            ring: (!self.rings.is_empty()).then(|| Length::Measured(self.rings.into())),
            arrivals: self.arrivals,
            unknown: self.unknown,
        })
    }

    fn entered(&mut self, call: CallId, at: Micros, queue: &str) {
        if !self.is_kept(at) {
            return;
        }
        let Some((queue, _)) = self.config.queues().find(|(_, known)| known.name == queue) else {
            *self.unknown.entry(queue.to_owned()).or_default() += 1;
            return;
        };
        let open = self.open.entry(call).or_default();
        let last = open.last;
        if last.is_some_and(|(last, _)| last == queue && open.bridged_at.is_none()) {
            return;
        }
        // Who flowed over will do so by himself in the simulation; his talk time belongs to his arrival.
        let first =
            last.filter(|(last, _)| self.overflow.get(last) == Some(&queue)).and_then(|(_, first)| first);
        let index = first.unwrap_or_else(|| {
            self.arrivals.push(Arrival { at, queue, talk: None });
            self.arrivals.len() - 1
        });
        open.last = Some((queue, Some(index)));
    }

    fn left(&mut self, call: CallId, how: LeftQueue, waited_ms: u64) {
        let Some(open) = self.open.get(&call) else { return };
        let Some((queue, _)) = open.last else { return };
        let waits = self.waits.entry(queue).or_default();
        waits.total_ms += waited_ms;
        waits.abandoned += u64::from(how == LeftQueue::Abandoned);
    }

    /// Of several who rang only the one who answered shows how long his telephone rang.
    fn bridged(&mut self, call: CallId, at: Micros, agent: &str) {
        let Some(open) = self.open.get_mut(&call) else { return };
        open.bridged_at = Some(at);
        let rung = std::mem::take(&mut open.rung);
        self.rings.extend(rung.get(agent).map(|since| (at - since).max(0)));
    }

    fn ended(&mut self, call: CallId, at: Micros) {
        let Some(Open { last: Some((_, Some(index))), bridged_at: Some(bridged), .. }) =
            self.open.remove(&call)
        else {
            return;
        };
        if let Some(arrival) = self.arrivals.get_mut(index) {
            arrival.talk = Some((at - bridged).max(0));
        }
    }

    fn note(&mut self, call: CallId, note: impl FnOnce(&mut Open)) {
        if let Some(open) = self.open.get_mut(&call) {
            note(open);
        }
    }

    /// Whether `at` is of the day that is kept. Where none was asked for, a later day takes the place of an earlier.
    fn is_kept(&mut self, at: Micros) -> bool {
        let Ok(instant) = Timestamp::from_microsecond(at) else { return false };
        let day = instant.to_zoned(self.zone.clone()).date();
        if self.asked.is_some_and(|asked| asked != day) || self.day.is_some_and(|kept| day < kept) {
            return false;
        }
        if self.day != Some(day) {
            self.day = Some(day);
            self.arrivals.clear();
            self.open.clear();
            self.waits.clear();
            self.rings.clear();
            self.unknown.clear();
        }
        true
    }
}
