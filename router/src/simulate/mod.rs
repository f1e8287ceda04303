//! A forecast: the production scheduler, agents and queue settings in virtual time.
//!
//! Nothing is calculated by a formula. Callers arrive, are posted, rung, served, give up or run out of `max_wait` as in
//! the running router: the same [`Scheduler`](scheduler::Scheduler), the same [`Agents`](crate::agents::Agents), the
//! same keys; only SIP and sound are left out, and time jumps from event to event. Where theory knows the answer
//! (Erlang C and A) the outcome agrees with it: `tests/simulate_theory.rs`.
//!
//! Its callers are nobody in particular: their credit is that of the queue (`priority`, `head_start`), and what depends on
//! the number they call or call from (boosts, `[callers.NAME]`, `returning`, `sticky`) is left out. Nobody asks to be called back, and a day of the journal is
//! without the calls that did that.
//!
//! Calls of one day are drawn in the order of arrival, talk time and patience with them, from a seed: two staffings
//! meet the very same callers, so their difference is not chance.

mod advice;
mod arrivals;
mod confidence;
mod csv;
mod floor;
mod forecast;
mod length;
mod overflow;
mod replay;
mod report;
mod ring;
mod rules;
mod staff;
mod tally;
mod timesheet;
mod visit;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    config::{Config, QueueId},
    journal::fact::Micros,
};

pub use arrivals::{Arrival, Arrivals, Rate};
pub use confidence::{Estimate, mean, ratio};
pub use csv::{GivenDay, Problem, read_csv};
pub use forecast::{Forecast, forecast};
pub use length::Length;
pub use replay::{Replay, Replayed};
pub use report::{Figures, HalfHour, QueueReport, Report, StaffingReport};
pub use staff::{Headcount, Worker, staff};
pub use tally::{Counts, ServiceLevels, Tally};
pub use timesheet::Work;

/// The length of the intervals that are reported.
pub const HALF_HOUR: Duration = Duration::from_secs(1_800);

/// What happens, except who is there to answer.
#[derive(Debug, Clone)]
pub struct Scenario<'c> {
    /// Queues and opening hours.
    pub config: &'c Config,
    /// Who calls when.
    pub arrivals: Arrivals,
    /// How long callers talk whose talk time is not given with their arrival.
    pub talk: PerQueue,
    /// How long callers wait before they hang up.
    pub patience: PerQueue,
    /// How long an agent's telephone rings before he answers; beyond the queue's `ring_timeout` he does not.
    pub ring: Length,
    /// When it begins, as UTC.
    pub start: Micros,
    /// When it ends, counted from `start`. Who waits then is counted as waiting.
    pub length: Duration,
    /// Of all that is drawn.
    pub seed: u64,
    /// Any instant: virtual time is counted from it. The outcome does not depend on it.
    pub origin: Instant,
}

/// A length for every queue.
#[derive(Debug, Clone, PartialEq)]
pub struct PerQueue {
    /// For those not named.
    pub default: Length,
    /// For these.
    pub named: BTreeMap<QueueId, Length>,
}

impl PerQueue {
    /// The same for all.
    pub fn all(default: Length) -> PerQueue {
        PerQueue { default, named: BTreeMap::new() }
    }

    /// For one queue.
    pub fn of(&self, queue: QueueId) -> &Length {
        self.named.get(&queue).unwrap_or(&self.default)
    }
}

impl Scenario<'_> {
    /// When it ends, as UTC.
    pub fn end(&self) -> Micros {
        self.start + micros(self.length)
    }
}

/// One day of `scenario` with `staff`. Days differ in what is drawn.
pub fn run(scenario: &Scenario<'_>, staff: &[Worker], day: u32) -> Tally {
    floor::Floor::new(scenario, staff, day).run()
}

pub(crate) fn micros(length: Duration) -> Micros {
    Micros::try_from(length.as_micros()).unwrap_or(length::FOREVER)
}
