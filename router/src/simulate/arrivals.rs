//! Who calls when: drawn at a rate, or a real day once more.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

use super::{
    Scenario,
    length::{self, FOREVER},
};
use crate::{config::QueueId, journal::fact::Micros};

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it comes, as UTC.
    pub at: Micros,
    /// To which queue.
    pub queue: QueueId,
    /// How long it takes once answered; `None`: not measured, to be drawn.
    pub talk: Option<Micros>,
}

/// So many calls in so much time, independent of each other (a Poisson process).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// To which queue.
    pub queue: QueueId,
    /// How many on average.
    pub calls: f64,
    /// In how much time.
    pub per: Duration,
}

/// Who calls when.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// Drawn, each queue at its rate.
    Rates(Vec<Rate>),
    /// These, in the order of time.
    Given(Vec<Arrival>),
}

impl Rate {
    fn a_second(&self) -> f64 {
        self.calls / self.per.as_secs_f64()
    }
}

/// The arrivals of one day, one after the other.
pub(super) enum Stream<'a> {
    /// Two independent Poisson processes together are one of the summed rate; which of the two an arrival belongs to
    /// is drawn by their shares.
    Drawn {
        rates: &'a [Rate],
        a_second: f64,
        last: f64,
        start: Micros,
    },
    Given(std::slice::Iter<'a, Arrival>),
}

impl<'a> Stream<'a> {
    pub(super) fn of(scenario: &'a Scenario<'_>) -> Stream<'a> {
        match &scenario.arrivals {
            Arrivals::Rates(rates) => {
                let a_second = rates.iter().map(Rate::a_second).sum();
                Stream::Drawn { rates, a_second, last: 0.0, start: scenario.start }
            }
            Arrivals::Given(list) => {
                let from = list.partition_point(|arrival| arrival.at < scenario.start);
                Stream::Given(list[from..].iter())
            }
        }
    }

    /// The next one; endless if drawn.
    pub(super) fn next(&mut self, random: &mut StdRng) -> Option<Arrival> {
        match self {
            Stream::Given(list) => list.next().copied(),
            Stream::Drawn { a_second, .. } if *a_second <= 0.0 => None,
            Stream::Drawn { rates, a_second, last, start } => {
                *last += length::exponential(random) / *a_second;
                let at = *start + (*last * 1e6).min(FOREVER as f64) as Micros;
                Some(Arrival { at, queue: pick(rates, random.random::<f64>() * *a_second), talk: None })
            }
        }
    }
}

/// The queue in whose share of the summed rate `mark` falls.
fn pick(rates: &[Rate], mut mark: f64) -> QueueId {
    for rate in rates {
        mark -= rate.a_second();
        if mark < 0.0 {
            return rate.queue;
        }
    }
    rates[rates.len() - 1].queue
}
