//! New calls in a second: a bucket of tokens that fills with time.

use std::time::{Duration, Instant};

/// Holds at most a second's worth, so that a quiet second may be followed by a burst but not by two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    /// When it will be, or was, full.
    full_at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn full(now: Instant) -> Bucket {
        Bucket { full_at: now }
    }

    /// Takes a token; false if there is none. `rate` is tokens in a second, at least 1.
    pub(super) fn take(&mut self, now: Instant, rate: u32) -> bool {
        let token = Duration::from_secs(1) / rate.max(1);
        let full_at = self.full_at.max(now) + token;
        // Rounded down, `rate` tokens are less than a second: the last of a full bucket is not lost to that.
        let fits = full_at <= now + Duration::from_secs(1);
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any instant: from here on time is the test's.
    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_burst_is_a_seconds_worth_and_then_one_token_comes_at_a_time() {
        let start = origin();
        for rate in [1, 3, 7, 1_000] {
            let mut bucket = Bucket::full(start);
            let burst = (0..2 * rate).filter(|_| bucket.take(start, rate)).count();
            assert_eq!(burst, rate as usize);
            let token = Duration::from_secs(1) / rate;
            assert!(!bucket.take(start + token - Duration::from_micros(1), rate));
            assert!(bucket.take(start + token, rate));
            assert!(!bucket.take(start + token, rate));
        }
    }

    #[test]
    fn over_a_long_time_it_lets_through_as_many_as_the_rate_and_a_burst() {
        let (start, mut bucket) = (origin(), Bucket::full(origin()));
        let all = 0..60_000;
        let taken = all.filter(|ms| bucket.take(start + Duration::from_millis(*ms), 50)).count();
        assert!((3_000..=3_050).contains(&taken), "{taken}");
    }
}
