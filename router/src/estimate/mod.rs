//! How long a caller will wait: a quantile of the waits of those who stood where he stands, and how right that was.
//!
//! Callers are told apart by their *rank* at entry: 0 where an agent is idle, else 1 for the next, 2 for the one after
//! him. What is looked for is the time within which so many in a hundred of a rank are answered. Who gives up or is sent on
//! had not been answered *until then*, which is worth knowing too: the Kaplan-Meier estimator takes him in as long as
//! he waited (Kaplan & Meier 1958). To take the mean of those who were answered instead would forget all who found the
//! wait too long.
//!
//! Nothing is known at the start of the process, and nothing is said then.

mod score;
mod survival;

use std::{collections::BTreeMap, time::Duration};

pub use self::score::Score;
use self::survival::{Wait, quantile};
use crate::{
    config::QueueId,
    journal::fact::{LeftQueue, Micros},
};

/// Waits kept of each class of ranks; the oldest makes room.
const KEPT: usize = 64;

/// No quantile is taken of fewer answered callers.
const FEWEST: usize = 8;

/// If so many waits do not tell, more of them, ever less alike, will not.
const ENOUGH: usize = 4 * KEPT;

/// A wait that is so much older than another counts half as much.
const HALF_LIFE: Duration = Duration::from_secs(30 * 60);

/// Classes of ranks: 0 to 4 each for itself, then two for each doubling up to 1,024, and all that is beyond.
const CLASSES: usize = 5 + 2 * 8 + 1;

/// What a caller may expect when he enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// His rank.
    pub rank: u32,
    /// How long he will wait at most, in as many cases as the queue says; `None`: not known.
    pub wait: Option<Duration>,
}

/// What has been learnt of all queues. A queue takes some 20 kB at most.
#[derive(Debug, Default)]
pub struct Estimates {
    queues: BTreeMap<QueueId, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    classes: BTreeMap<usize, Class>,
    score: Score,
}

/// The latest waits of one class, in a ring.
#[derive(Debug, Default)]
struct Class {
    waits: Vec<Seen>,
    next: usize,
}

/// How one caller fared.
#[derive(Debug, Clone, Copy)]
struct Seen {
    rank: u32,
    waited_ms: u32,
    at: Micros,
    answered: bool,
}

impl Estimates {
    /// What a caller of `rank` may expect at `at`: the time within which `percent` in a hundred are answered.
    pub fn outlook(&self, queue: QueueId, rank: u32, percent: u8, at: Micros) -> Outlook {
        let wait = self.queues.get(&queue).and_then(|queue| queue.expects(rank, percent, at));
        Outlook { rank, wait }
    }

    /// A caller who entered with this outlook has left at `at`: that is learnt, and the outlook is judged.
    pub fn learn(&mut self, queue: QueueId, outlook: Outlook, waited: Duration, how: LeftQueue, at: Micros) {
        let queue = self.queues.entry(queue).or_default();
        let answered = how == LeftQueue::Answered;
        queue.score.judge(outlook.wait, waited, answered);
        let waited_ms = u32::try_from(waited.as_millis()).unwrap_or(u32::MAX);
        let class = queue.classes.entry(class_of(outlook.rank)).or_default();
        class.add(Seen { rank: outlook.rank, waited_ms, at, answered });
    }

    /// How right the estimates for a queue were since the process started.
    pub fn score(&self, queue: QueueId) -> Score {
        self.queues.get(&queue).map(|queue| queue.score).unwrap_or_default()
    }

    /// Forgets the queues of which `is_kept` says no.
    pub fn retain(&mut self, is_kept: impl Fn(QueueId) -> bool) {
        self.queues.retain(|queue, _| is_kept(*queue));
    }
}

impl Queue {
    /// Of his own class if that knows enough, else of more and more classes beside it, their waits scaled to his rank.
    /// Who finds an idle agent has nothing in common with those who do not.
    fn expects(&self, rank: u32, percent: u8, at: Micros) -> Option<Duration> {
        let own = class_of(rank);
        let mut waits = Vec::new();
        for away in 0..CLASSES {
            let (before, known) = (own.checked_sub(away).filter(|class| away > 0 && *class > 0), waits.len());
            for class in before.into_iter().chain([own + away]) {
                let seen = self.classes.get(&class).into_iter().flat_map(|class| &class.waits);
                waits.extend(seen.map(|seen| seen.as_of(rank, at)));
            }
            if waits.len() > known
                && waits.iter().filter(|wait| wait.answered).count() >= FEWEST
                && let Some(wait) = quantile(&mut waits, f64::from(percent) / 100.0)
            {
                return Some(Duration::from_secs_f64(wait / 1_000.0));
            }
            if own == 0 || waits.len() >= ENOUGH {
                return None;
            }
        }
        None
    }
}

impl Class {
    fn add(&mut self, seen: Seen) {
        match self.waits.get_mut(self.next) {
            Some(oldest) => *oldest = seen,
            None => self.waits.push(seen),
        }
        self.next = (self.next + 1) % KEPT;
    }
}

impl Seen {
    /// The wait as it would have been from `rank`, weighed at `at`.
    fn as_of(&self, rank: u32, at: Micros) -> Wait {
        let scale = f64::from(rank.max(1)) / f64::from(self.rank.max(1));
        let age = at.saturating_sub(self.at).max(0) as f64 / HALF_LIFE.as_micros() as f64;
        Wait { ms: f64::from(self.waited_ms) * scale, weight: (-age).exp2(), answered: self.answered }
    }
}

fn class_of(rank: u32) -> usize {
    match rank {
        0..=4 => rank as usize,
        5..=1_024 => {
            let below = rank - 1;
            let octave = below.ilog2();
            let upper_half = (below >> (octave - 1)) & 1;
            5 + 2 * (octave as usize - 2) + upper_half as usize
        }
        _ => CLASSES - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: QueueId = QueueId(0);
    const SECOND: Duration = Duration::from_secs(1);

    fn nothing(rank: u32) -> Outlook {
        Outlook { rank, wait: None }
    }

    /// Callers of `rank` who were answered after 1 s, 2 s, … `most` seconds.
    fn taught(rank: u32, most: u32) -> Estimates {
        let mut estimates = Estimates::default();
        for waited in 1..=most {
            estimates.learn(QUEUE, nothing(rank), waited * SECOND, LeftQueue::Answered, 0);
        }
        estimates
    }

    #[test]
    fn ranks_fall_into_classes_that_grow_and_cover_all() {
        let classes: Vec<usize> =
            [0, 1, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 1_024, 1_025, u32::MAX].map(class_of).to_vec();
        assert_eq!(classes, [0, 1, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 20, 21, 21]);
        assert!((0..5_000).map(class_of).is_sorted());
    }

    #[test]
    fn eight_of_ten_are_answered_within_the_estimate() {
        let estimates = taught(3, 20);
        assert_eq!(estimates.outlook(QUEUE, 3, 80, 0).wait, Some(17 * SECOND));
        assert_eq!(estimates.outlook(QUEUE, 3, 50, 0).wait, Some(11 * SECOND));
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known() {
        assert_eq!(Estimates::default().outlook(QUEUE, 1, 80, 0), nothing(1));
        assert_eq!(taught(3, 7).outlook(QUEUE, 3, 80, 0).wait, None, "too few");
        assert_eq!(taught(3, 15).outlook(QUEUE, 3, 95, 0).wait, None, "one in twenty of fifteen");
        assert_eq!(taught(3, 20).outlook(QUEUE, 0, 80, 0).wait, None, "nobody found an idle agent yet");
        assert_eq!(taught(0, 20).outlook(QUEUE, 1, 80, 0).wait, None, "everybody did");
    }

    #[test]
    fn a_rank_without_waits_of_its_own_takes_those_of_its_neighbours_by_proportion() {
        assert_eq!(taught(4, 20).outlook(QUEUE, 8, 80, 0).wait, Some(34 * SECOND));
        assert_eq!(taught(2_000, 20).outlook(QUEUE, 1, 50, 0).wait, Some(11 * SECOND / 2_000));
    }

    #[test]
    fn callers_who_gave_up_make_the_estimate_longer_not_shorter() {
        let mut estimates = taught(1, 20);
        for waited in 1..=20 {
            estimates.learn(QUEUE, nothing(1), waited * SECOND, LeftQueue::Abandoned, 0);
        }
        let wait = estimates.outlook(QUEUE, 1, 50, 0).wait.unwrap();
        assert!(wait > 11 * SECOND, "{wait:?}");
    }

    #[test]
    fn old_waits_make_room_for_new_ones_and_count_less_until_then() {
        let mut estimates = taught(1, 20);
        let hour = 3_600_000_000;
        for _ in 0..20 {
            estimates.learn(QUEUE, nothing(1), 60 * SECOND, LeftQueue::Answered, 2 * hour);
        }
        assert_eq!(estimates.outlook(QUEUE, 1, 20, 2 * hour).wait, Some(60 * SECOND), "a sixteenth each");
        for _ in 0..KEPT {
            estimates.learn(QUEUE, nothing(1), 90 * SECOND, LeftQueue::Answered, 2 * hour);
        }
        assert_eq!(estimates.outlook(QUEUE, 1, 50, 2 * hour).wait, Some(90 * SECOND));
        assert_eq!(estimates.queues[&QUEUE].classes[&1].waits.len(), KEPT);
    }
}
