//! Several days, several staffings, one report.

use jiff::tz::TimeZone;

use super::{
    Counts, Headcount, Report, Scenario, Tally, Worker, advice,
    report::{self, StaffingReport},
    run, staff,
};
use crate::config::QueueId;

/// What is to be found out.
#[derive(Debug, Clone)]
pub struct Forecast<'c> {
    /// What happens.
    pub scenario: Scenario<'c>,
    /// How many days are simulated, each drawn anew. At least 1; confidence intervals take 2.
    pub days: u32,
    /// Who answers: each is tried in turn. An empty one means everybody in the configuration.
    pub staffings: Vec<Vec<Headcount>>,
    /// The service level to be reached, as a share of 1.
    pub goal: f64,
    /// In which times of day are told.
    pub zone: TimeZone,
}

/// The days of one staffing.
pub(super) struct Outcome {
    /// Never empty.
    pub(super) days: Vec<Tally>,
    pub(super) sum: Tally,
}

impl Outcome {
    pub(super) fn of(forecast: &Forecast<'_>, workers: &[Worker]) -> Outcome {
        let days: Vec<Tally> =
            (0..forecast.days.max(1)).map(|day| run(&forecast.scenario, workers, day)).collect();
        let mut sum = days[0].clone();
        days[1..].iter().for_each(|day| sum.add(day));
        Outcome { days, sum }
    }

    /// Each day's total of `queues`.
    pub(super) fn totals(&self, queues: &[QueueId]) -> Vec<Counts> {
        let total = |day: &Tally| queues.iter().map(|queue| day.total(*queue)).collect::<Vec<_>>();
        self.days.iter().map(|day| total(day).iter().collect()).collect()
    }
}

/// Simulates every staffing and says what it comes to.
pub fn forecast(forecast: &Forecast<'_>) -> Report {
    let tried: Vec<Tried<'_>> = forecast.staffings.iter().map(|heads| Tried::of(forecast, heads)).collect();
    let staffings: Vec<StaffingReport> = tried
        .iter()
        .map(|tried| report::staffing(forecast, tried.heads, &tried.workers, &tried.outcome))
        .collect();
    Report { advice: advice::advice(forecast, &tried), ..report::report(forecast, staffings) }
}

/// One staffing and what came of it.
pub(super) struct Tried<'f> {
    pub(super) heads: &'f [Headcount],
    pub(super) workers: Vec<Worker>,
    pub(super) outcome: Outcome,
}

impl<'f> Tried<'f> {
    fn of(forecast: &Forecast<'_>, heads: &'f [Headcount]) -> Tried<'f> {
        let Scenario { config, start, .. } = forecast.scenario;
        let workers = staff(config, heads, start, forecast.scenario.end());
        Tried { heads, outcome: Outcome::of(forecast, &workers), workers }
    }
}
