//! How right estimates were.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An estimate is looked at in so many parts of its length.
const PARTS: usize = 16;

/// How right the estimates of one queue were. Everything only ever grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Score {
    /// Answered within the estimate, in each part of it.
    pub answered_in: [u64; PARTS],
    /// Left without an answer before it was over, in each part of it: it might have been right or not.
    pub left_in: [u64; PARTS],
    /// Answered later, or left later.
    pub beyond: u64,
    /// Answered at all.
    pub answered: u64,
    /// How far estimate and wait of these were apart, in milliseconds.
    pub error_ms: u64,
}

impl Score {
    pub(super) fn judge(&mut self, estimate: Option<Duration>, waited: Duration, answered: bool) {
        let Some(estimate) = estimate else { return };
        match (answered, part(waited, estimate)) {
            (true, Some(part)) => self.answered_in[part] += 1,
            (false, Some(part)) => self.left_in[part] += 1,
            (_, None) => self.beyond += 1,
        }
        if answered {
            self.answered += 1;
            self.error_ms += u64::try_from(estimate.abs_diff(waited).as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// The share of callers, 0 to 1, who are answered within the estimate if they wait so long: near the quantile if
    /// estimates are right. `None` before anything is decided.
    ///
    /// Those who left before are no evidence for either, but to leave them out would flatter the estimates: the longer
    /// a wait becomes the more leave. So the share is that of the life table (Cutler & Ederer 1958): in each part of
    /// the estimate those are looked at who came so far, and who left in it counts half.
    pub fn coverage(&self) -> Option<f64> {
        let mut there = self.within() + self.undecided() + self.beyond;
        if self.within() + self.beyond == 0 {
            return None;
        }
        let mut not_answered = 1.0;
        for (answered, left) in self.answered_in.into_iter().zip(self.left_in) {
            let exposed = there as f64 - left as f64 / 2.0;
            if exposed > 0.0 {
                not_answered *= 1.0 - (answered as f64 / exposed).min(1.0);
            }
            there -= answered + left;
        }
        Some(1.0 - not_answered)
    }

    /// Answered within the estimate.
    pub fn within(&self) -> u64 {
        self.answered_in.iter().sum()
    }

    /// Left without an answer before the estimate was over.
    pub fn undecided(&self) -> u64 {
        self.left_in.iter().sum()
    }

    /// How far estimate and wait were apart on average; `None` before anybody was answered.
    pub fn mean_error(&self) -> Option<Duration> {
        (self.answered > 0).then(|| Duration::from_millis(self.error_ms / self.answered))
    }

    /// The score since `earlier`, an older copy.
    pub fn since(&self, earlier: &Score) -> Score {
        let less = |own: [u64; PARTS], then: [u64; PARTS]| std::array::from_fn(|part| own[part] - then[part]);
        Score {
            answered_in: less(self.answered_in, earlier.answered_in),
            left_in: less(self.left_in, earlier.left_in),
            beyond: self.beyond - earlier.beyond,
            answered: self.answered - earlier.answered,
            error_ms: self.error_ms - earlier.error_ms,
        }
    }

    /// Adds the score of the same queue in another shard.
    pub fn add(&mut self, other: &Score) {
        let sum = |own: &mut [u64; PARTS], others: &[u64; PARTS]| {
            own.iter_mut().zip(others).for_each(|(own, other)| *own += other);
        };
        sum(&mut self.answered_in, &other.answered_in);
        sum(&mut self.left_in, &other.left_in);
        self.beyond += other.beyond;
        self.answered += other.answered;
        self.error_ms += other.error_ms;
    }
}

/// In which part of the estimate a wait ended; `None`: beyond it.
fn part(waited: Duration, estimate: Duration) -> Option<usize> {
    let share = if estimate.is_zero() { 0.0 } else { waited.as_secs_f64() / estimate.as_secs_f64() };
    (waited <= estimate).then(|| ((share * PARTS as f64) as usize).min(PARTS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Option<Duration> = Some(Duration::from_secs(10));

    fn judged(ends: &[(u64, bool)]) -> Score {
        let mut score = Score::default();
        ends.iter()
            .for_each(|(seconds, answered)| score.judge(TEN, Duration::from_secs(*seconds), *answered));
        score
    }

    #[test]
    fn a_wait_is_within_beyond_or_undecided() {
        let score = judged(&[(8, true), (10, true), (14, true), (9, false), (11, false)]);
        assert_eq!((score.within(), score.beyond, score.undecided()), (2, 2, 1));
        assert_eq!((score.answered, score.mean_error()), (3, Some(Duration::from_secs(2))));
        let mut nothing = Score::default();
        nothing.judge(None, Duration::from_secs(5), true);
        assert_eq!((nothing, nothing.coverage(), nothing.mean_error()), (Score::default(), None, None));
    }

    #[test]
    fn who_left_before_counts_for_the_time_in_which_he_might_have_been_answered() {
        assert_eq!(judged(&[(1, true), (9, true), (9, true), (20, true)]).coverage(), Some(0.75));
        // Six are there for the early answer, three of those who stay for the two late ones.
        let coverage = judged(&[(1, true), (5, false), (5, false), (9, true), (9, true), (20, true)])
            .coverage()
            .unwrap();
        assert!((coverage - (1.0 - 5.0 / 6.0 / 3.0)).abs() < 1e-9, "{coverage}");
        assert_eq!(judged(&[(1, false)]).coverage(), None);
    }
}
