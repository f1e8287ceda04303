//! How a worker waits: woken by every packet, or looking at its sockets now and then.
//!
//! Being woken costs more than relaying does, and a packet of sound can wait. So from some load on the worker looks away
//! after each round until many have come.

use std::time::{Duration, Instant};

/// Packets in [`SPAN`] from which on it is too many to be woken by each: those of 160 bridged calls.
const BUSY: u128 = 16;
/// Over how much time they are counted.
const SPAN: Duration = Duration::from_millis(1);

/// Whether there is much to do.
#[derive(Debug)]
pub(super) struct Pace {
    sweep: Duration,
    since: Option<Instant>,
    packets: u128,
    is_busy: bool,
}

impl Pace {
    /// `sweep`: how long to look away; zero: never.
    pub(super) fn new(sweep: Duration) -> Pace {
        Pace { sweep, since: None, packets: 0, is_busy: false }
    }

    /// A round has found so many packets, `all` of those that had come or only some. How long to look away now.
    pub(super) fn round(&mut self, now: Instant, packets: usize, all: bool) -> Option<Duration> {
        self.packets += packets as u128;
        let length = now.saturating_duration_since(*self.since.get_or_insert(now));
        if length >= SPAN {
            self.is_busy = self.packets * SPAN.as_nanos() >= BUSY * length.as_nanos();
            (self.since, self.packets) = (Some(now), 0);
        }
        (self.is_busy && all && !self.sweep.is_zero()).then_some(self.sweep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    const SWEEP: Duration = Duration::from_micros(250);

    /// Rounds of one packet each, so many a second for a tenth of a second: how many of them end by looking away.
    fn looks_away(pace: &mut Pace, start: Instant, rate: u32) -> usize {
        let round = |n| pace.round(start + Duration::from_secs(1) * n / rate, 1, true);
        (0..rate / 10).filter_map(round).count()
    }

    #[test]
    fn few_calls_are_served_at_once_and_many_in_sweeps() {
        let (mut pace, start) = (Pace::new(SWEEP), origin());
        assert_eq!(looks_away(&mut pace, start, 10_000), 0);
        assert!(looks_away(&mut pace, start + Duration::from_secs(1), 20_000) > 1_900);
        let later = start + Duration::from_secs(2);
        assert!(looks_away(&mut pace, later, 10_000) < 20, "it ends as soon as there is little to do");
    }

    #[test]
    fn nobody_looks_away_from_packets_that_are_there() {
        let (mut pace, start) = (Pace::new(SWEEP), origin());
        looks_away(&mut pace, start, 100_000);
        let now = start + Duration::from_millis(101);
        assert_eq!(pace.round(now, 64, false), None);
        assert_eq!(pace.round(now, 3, true), Some(SWEEP));
    }

    #[test]
    fn the_first_packet_after_a_silence_finds_nobody_looking_away() {
        let (mut pace, start) = (Pace::new(SWEEP), origin());
        looks_away(&mut pace, start, 100_000);
        assert_eq!(pace.round(start + Duration::from_secs(60), 1, true), None);
    }

    #[test]
    fn who_is_to_sweep_never_does_not() {
        let mut pace = Pace::new(Duration::ZERO);
        assert_eq!(looks_away(&mut pace, origin(), 100_000), 0);
    }
}
