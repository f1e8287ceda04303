//! Lengths of time in buckets from 0.1 ms to 1 s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets in microseconds; what is longer falls into one more.
const BOUNDS_US: [u64; 13] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// Counts lengths of time by bucket. Plain data: one thread writes, sums are made when somebody looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    buckets: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Counts one length.
    pub fn record(&mut self, length: Duration) {
        let us = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// How many lengths were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Sum of all lengths in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_us as f64 / 1e6
    }

    /// Upper bound in seconds and count of each bucket, counts not cumulated; the last bound is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS_US.into_iter().map(|us| us as f64 / 1e6).chain([f64::INFINITY]);
        bounds.zip(self.buckets)
    }

    /// Adds another histogram's counts.
    pub fn add(&mut self, other: &Histogram) {
        for (sum, more) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += more;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_on_a_bound_belongs_below_it_and_one_past_the_last_bound_is_still_counted() {
        let mut lengths = Histogram::default();
        for us in [0, 100, 101, 1_000_000, 1_000_001] {
            lengths.record(Duration::from_micros(us));
        }
        let filled: Vec<_> = lengths.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.0001, 2), (0.00025, 1), (1.0, 1), (f64::INFINITY, 1)]);
        assert_eq!((lengths.count(), lengths.sum_seconds()), (5, 2.000_202));
    }
}
