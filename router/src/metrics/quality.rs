//! How legs sounded, of those that are over.

use std::{collections::BTreeMap, time::Duration};

use super::{Histogram, add_counts};
use crate::journal::fact::{DeadAir, LegMedia};

/// Upper bounds of the buckets in hundredths of an opinion; what is better falls into one more. 3.1 and 3.6 are the bounds of
/// "nearly all" and "many dissatisfied", 4.03 that of "satisfied" (ITU-T G.107 table B.1).
const BOUNDS: [u32; 7] = [200, 258, 310, 360, 403, 434, 445];

/// Mean opinions by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opinions {
    buckets: [u64; BOUNDS.len() + 1],
    sum: u64,
}

impl Opinions {
    fn record(&mut self, opinion: f32) {
        let hundredths = (opinion * 100.0).round() as u32;
        self.buckets[BOUNDS.partition_point(|bound| *bound < hundredths)] += 1;
        self.sum += u64::from(hundredths);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of them all.
    pub fn sum(&self) -> f64 {
        self.sum as f64 / 100.0
    }

    /// Upper bound and count of each bucket, not cumulated; the last bound is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS.into_iter().map(|bound| f64::from(bound) / 100.0).chain([f64::INFINITY]);
        bounds.zip(self.buckets)
    }

    fn add(&mut self, other: &Opinions) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(sum, more)| *sum += more);
        self.sum += other.sum;
    }
}

/// How legs sounded that are over, since the start of the process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QualityNumbers {
    /// Of those who only listen.
    pub listening: Opinions,
    /// Of those who talk too.
    pub conversational: Opinions,
    /// Interarrival jitter at the end of each leg.
    pub jitter: Histogram,
    /// Round trips that were told.
    pub round_trip: Histogram,
    /// Legs on which nobody could be heard in the first seconds, by why.
    pub dead_air: BTreeMap<DeadAir, u64>,
    /// Packets that came.
    pub received: u64,
    /// Packets lost by chance.
    pub lost_alone: u64,
    /// Packets lost in bursts.
    pub lost_in_bursts: u64,
}

impl QualityNumbers {
    /// Counts a leg that is over.
    pub fn record(&mut self, media: &LegMedia) {
        let Some(quality) = &media.quality else { return };
        self.listening.record(quality.mos_listening);
        self.conversational.record(quality.mos_conversational);
        self.jitter.record(Duration::from_micros(media.jitter_us.into()));
        let trip = media.round_trip_us.map(|us| Duration::from_micros(us.into()));
        trip.into_iter().for_each(|trip| self.round_trip.record(trip));
        self.received += media.packets_in;
        self.lost_in_bursts += quality.lost_in_bursts;
        self.lost_alone += quality.lost.saturating_sub(quality.lost_in_bursts);
    }

    pub(super) fn add(&mut self, other: &QualityNumbers) {
        self.listening.add(&other.listening);
        self.conversational.add(&other.conversational);
        self.jitter.add(&other.jitter);
        self.round_trip.add(&other.round_trip);
        add_counts(&mut self.dead_air, &other.dead_air);
        self.received += other.received;
        self.lost_alone += other.lost_alone;
        self.lost_in_bursts += other.lost_in_bursts;
    }
}
