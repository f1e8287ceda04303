//! Wall-clock time as a function of the monotonic clock, so that facts are dated without asking the system.

use std::time::{Duration, Instant};

use crate::journal::fact::Micros;

/// Dates monotonic instants. The driver gives the anchor at start and again when the system clock was stepped.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    utc: Micros,
}

impl Clock {
    /// A clock by which `origin` happened at `utc`.
    pub fn new(origin: Instant, utc: Micros) -> Clock {
        Clock { origin, utc }
    }

    /// UTC of `now`; instants before the anchor are dated too.
    pub fn at(&self, now: Instant) -> Micros {
        match now.checked_duration_since(self.origin) {
            Some(later) => self.utc + micros(later),
            None => self.utc - micros(self.origin.duration_since(now)),
        }
    }
}

fn micros(length: Duration) -> Micros {
    Micros::try_from(length.as_micros()).unwrap_or(Micros::MAX)
}

/// A length in whole milliseconds.
pub fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds between two dates, 0 if the clock went back between them.
pub fn millis_between(from: Micros, to: Micros) -> u64 {
    u64::try_from((to - from) / 1_000).unwrap_or(0)
}
