//! What was counted, per queue and half hour.
//!
//! Each call counts in the half hour in which it entered its queue, whenever it was answered. So in each row offered
//! is answered + abandoned + turned away + timed out + waiting at the end.

use std::{collections::BTreeMap, ops::AddAssign};

use serde::Serialize;

use super::{HALF_HOUR, Scenario, micros, timesheet::Team};
use crate::{
    config::{Queue, QueueId},
    journal::fact::{LeftQueue, Micros},
};

/// Calls of one queue that entered in one half hour, or sums of them. Times in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Entered, those turned away at the door included.
    pub offered: u64,
    /// An agent answered.
    pub answered: u64,
    /// Of these, within the queue's `service_level`.
    pub answered_in_time: u64,
    /// Of these, without waiting at all.
    pub answered_at_once: u64,
    /// Hung up before an answer.
    pub abandoned: u64,
    /// Of these, within the queue's `short_abandon`.
    pub abandoned_short: u64,
    /// Of these, within the queue's `service_level`.
    pub abandoned_in_time: u64,
    /// `max_wait` was over.
    pub timed_out: u64,
    /// `max_waiting` was reached.
    pub full: u64,
    /// Outside the opening hours.
    pub closed: u64,
    /// Nobody was at work for the queue.
    pub unstaffed: u64,
    /// The estimated wait was above `max_estimate`.
    pub too_long: u64,
    /// Waiting when the simulation ended.
    pub waiting: u64,
    /// Assignments that nobody answered within `ring_timeout`.
    pub unanswered: u64,
    /// Waited by those who were answered.
    #[serde(rename = "answered_wait_us")]
    pub answered_wait: Micros,
    /// Waited by those who abandoned.
    #[serde(rename = "abandoned_wait_us")]
    pub abandoned_wait: Micros,
    /// The longest wait of all.
    #[serde(rename = "longest_wait_us")]
    pub longest: Micros,
}

/// Service level by the usual definitions, each a share of 1; `None` where nobody is to be counted.
///
/// O offered, A answered, B abandoned; T within the queue's `service_level`, S within its `short_abandon`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ServiceLevels {
    /// A(T) / O.
    pub a: Option<f64>,
    /// A(T) / (O - B(S)): what Fernamt calls service level where it names one.
    pub b: Option<f64>,
    /// (A(T) + B(T)) / O.
    pub c: Option<f64>,
    /// A(T) / A.
    pub d: Option<f64>,
    /// (A(T) + B(T)) / (A + B).
    pub e: Option<f64>,
    /// A(T) / (A + B).
    pub f: Option<f64>,
    /// A(T) / (A + B - B(T)).
    pub g: Option<f64>,
}

impl Counts {
    /// Left without an answer and without giving up, or never came in.
    pub fn flowed_out(&self) -> u64 {
        self.timed_out + self.full + self.closed + self.unstaffed + self.too_long
    }

    /// The service levels.
    pub fn service_levels(&self) -> ServiceLevels {
        let Counts { offered, answered, answered_in_time, abandoned, abandoned_in_time, .. } = *self;
        let either = answered_in_time + abandoned_in_time;
        ServiceLevels {
            a: share(answered_in_time, offered),
            b: share(answered_in_time, self.counted()),
            c: share(either, offered),
            d: share(answered_in_time, answered),
            e: share(either, answered + abandoned),
            f: share(answered_in_time, answered + abandoned),
            g: share(answered_in_time, answered + abandoned - abandoned_in_time),
        }
    }

    /// Offered, short abandons left out.
    pub fn counted(&self) -> u64 {
        self.offered - self.abandoned_short
    }

    /// Mean wait of those who were answered, in seconds: the average speed of answer.
    pub fn mean_wait(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.answered_wait as f64 / 1e6 / self.answered as f64)
    }

    pub(super) fn leave(&mut self, how: LeftQueue, waited: Micros, queue: &Queue) {
        self.longest = self.longest.max(waited);
        let in_time = u64::from(waited <= micros(queue.service_level));
        match how {
            LeftQueue::Answered => {
                self.answered += 1;
                self.answered_in_time += in_time;
                self.answered_at_once += u64::from(waited == 0);
                self.answered_wait += waited;
            }
            LeftQueue::Abandoned => {
                self.abandoned += 1;
                self.abandoned_in_time += in_time;
                self.abandoned_short += u64::from(waited <= micros(queue.short_abandon));
                self.abandoned_wait += waited;
            }
            LeftQueue::TimedOut => self.timed_out += 1,
            LeftQueue::Full => self.full += 1,
            LeftQueue::Closed | LeftQueue::Removed => self.closed += 1,
            LeftQueue::NobodyLoggedIn | LeftQueue::NobodyReady => self.unstaffed += 1,
            LeftQueue::Estimate => self.too_long += 1,
            // Nobody presses a key in a forecast, or is called back.
            LeftQueue::ByKey | LeftQueue::Unreached | LeftQueue::Ended => self.waiting += 1,
        }
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.answered_in_time += other.answered_in_time;
        self.answered_at_once += other.answered_at_once;
        self.abandoned += other.abandoned;
        self.abandoned_short += other.abandoned_short;
        self.abandoned_in_time += other.abandoned_in_time;
        self.timed_out += other.timed_out;
        self.full += other.full;
        self.closed += other.closed;
        self.unstaffed += other.unstaffed;
        self.too_long += other.too_long;
        self.waiting += other.waiting;
        self.unanswered += other.unanswered;
        self.answered_wait += other.answered_wait;
        self.abandoned_wait += other.abandoned_wait;
        self.longest = self.longest.max(other.longest);
    }
}

impl<'a> FromIterator<&'a Counts> for Counts {
    fn from_iter<I: IntoIterator<Item = &'a Counts>>(parts: I) -> Counts {
        parts.into_iter().fold(Counts::default(), |mut sum, part| {
            sum += part;
            sum
        })
    }
}

/// One simulated day, or several summed up.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Each queue's half hours from the start on.
    pub queues: BTreeMap<QueueId, Vec<Counts>>,
    /// What the agents did, those with the same queues together.
    pub teams: Vec<Team>,
}

impl Tally {
    pub(super) fn new(scenario: &Scenario<'_>, teams: Vec<Team>) -> Tally {
        let empty = vec![Counts::default(); half_hours(scenario)];
        Tally { queues: scenario.config.queues().map(|(id, _)| (id, empty.clone())).collect(), teams }
    }

    /// Adds another day of the same scenario and staff.
    pub fn add(&mut self, other: &Tally) {
        for (queue, counts) in &other.queues {
            let Some(own) = self.queues.get_mut(queue) else { continue };
            own.iter_mut().zip(counts).for_each(|(own, other)| *own += other);
        }
        self.teams.iter_mut().zip(&other.teams).for_each(|(own, other)| own.add(other));
    }

    /// One queue's sum over all half hours.
    pub fn total(&self, queue: QueueId) -> Counts {
        self.queues.get(&queue).into_iter().flatten().collect()
    }
}

/// How many half hours there are, a last shorter one included.
pub(super) fn half_hours(scenario: &Scenario<'_>) -> usize {
    (scenario.length.as_micros().div_ceil(HALF_HOUR.as_micros()) as usize).max(1)
}

/// The half hour that holds `at`.
pub(super) fn half_hour(at: Micros, start: Micros) -> usize {
    usize::try_from((at - start) / micros(HALF_HOUR)).unwrap_or(0)
}

/// `part` of `whole`.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seven_service_levels_differ_where_their_definitions_do() {
        let counts = Counts {
            offered: 100,
            answered: 70,
            answered_in_time: 50,
            abandoned: 20,
            abandoned_short: 4,
            abandoned_in_time: 8,
            timed_out: 10,
            ..Counts::default()
        };
        let ServiceLevels { a, b, c, d, e, f, g } = counts.service_levels();
        let expected =
            [50.0 / 100.0, 50.0 / 96.0, 58.0 / 100.0, 50.0 / 70.0, 58.0 / 90.0, 50.0 / 90.0, 50.0 / 82.0];
        assert_eq!([a, b, c, d, e, f, g], expected.map(Some));
        assert_eq!(Counts::default().service_levels(), ServiceLevels::default());
    }
}
