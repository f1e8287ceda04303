//! What a forecast says, as data.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde::Serialize;

use super::{
    Counts, Estimate, Forecast, HALF_HOUR, Headcount, ServiceLevels, Work, Worker, confidence,
    forecast::Outcome, micros,
};
use crate::{config::QueueId, journal::fact::Micros};

/// The whole answer. Counts are sums over all days; lengths are seconds, shares are of 1.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// When the day begins, RFC 3339 in the zone told in.
    pub from: String,
    /// When it ends.
    pub until: String,
    /// Days simulated.
    pub days: u32,
    /// What everything was drawn from.
    pub seed: u64,
    /// What was assumed, and what was left out, in sentences.
    pub assumptions: Vec<String>,
    /// Each staffing in turn.
    pub staffings: Vec<StaffingReport>,
    /// What another staffing would change, in sentences.
    pub advice: Vec<String>,
}

/// What one staffing came to.
#[derive(Debug, Clone, Serialize)]
pub struct StaffingReport {
    /// Queues whose number of agents was given, and that number.
    pub agents: BTreeMap<String, u32>,
    /// Each queue, in the order of names.
    pub queues: Vec<QueueReport>,
    /// All queues together.
    pub all: Figures,
}

/// What one queue came to.
#[derive(Debug, Clone, Serialize)]
pub struct QueueReport {
    /// Its name.
    pub queue: String,
    /// Agents who serve it.
    pub agents: u32,
    /// Its `service_level`, in seconds.
    pub service_level_s: f64,
    /// By the half hour of entry.
    pub half_hours: Vec<HalfHour>,
    /// The day.
    pub total: Figures,
}

/// What came of those who entered in one half hour.
#[derive(Debug, Clone, Serialize)]
pub struct HalfHour {
    /// Its beginning, RFC 3339.
    pub from: String,
    /// Its beginning on the clock on the wall.
    pub clock: String,
    /// What came of them.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Counts and what follows from them.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
    /// Service levels.
    pub service_level: ServiceLevels,
    /// Mean wait of the answered.
    pub mean_wait_s: Option<f64>,
    /// Ring, talk and wrap-up over the same and idle, of the agents who serve the queue, other queues' calls
    /// included.
    pub occupancy: Option<f64>,
    /// Service level b with its 99 % confidence interval over the days; totals of several days only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_level_99: Option<Estimate>,
    /// Mean wait with its 99 % confidence interval over the days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_wait_99: Option<Estimate>,
}

impl Figures {
    fn of(counts: Counts, work: Work) -> Figures {
        Figures {
            service_level: counts.service_levels(),
            mean_wait_s: counts.mean_wait(),
            occupancy: work.occupancy(),
            counts,
            service_level_99: None,
            mean_wait_99: None,
        }
    }

    /// With confidence intervals from the totals of each day.
    fn sure(self, days: &[Counts]) -> Figures {
        let in_time = |day: &Counts| (day.answered_in_time as f64, day.counted() as f64);
        let waited = |day: &Counts| (day.answered_wait as f64 / 1e6, day.answered as f64);
        Figures {
            service_level_99: confidence::ratio(&days.iter().map(in_time).collect::<Vec<_>>()),
            mean_wait_99: confidence::ratio(&days.iter().map(waited).collect::<Vec<_>>()),
            ..self
        }
    }
}

/// Everything but the advice.
pub(super) fn report(forecast: &Forecast<'_>, staffings: Vec<StaffingReport>) -> Report {
    let scenario = &forecast.scenario;
    Report {
        from: iso(scenario.start, &forecast.zone),
        until: iso(scenario.end(), &forecast.zone),
        days: forecast.days,
        seed: scenario.seed,
        assumptions: Vec::new(),
        staffings,
        advice: Vec::new(),
    }
}

pub(super) fn staffing(
    forecast: &Forecast<'_>,
    heads: &[Headcount],
    workers: &[Worker],
    outcome: &Outcome,
) -> StaffingReport {
    let config = forecast.scenario.config;
    let name = |id| config.queue(id).map(|queue| queue.name.clone()).unwrap_or_default();
    let ids: Vec<QueueId> = config.queues().map(|(id, _)| id).collect();
    let counts: Counts = outcome.sum.queues.values().flatten().collect();
    let work = sum(outcome.sum.teams.iter().flat_map(|team| &team.work));
    StaffingReport {
        agents: heads.iter().map(|head| (name(head.queue), head.agents)).collect(),
        queues: ids.iter().map(|id| queue(forecast, *id, workers, outcome)).collect(),
        all: Figures::of(counts, work).sure(&outcome.totals(&ids)),
    }
}

fn queue(forecast: &Forecast<'_>, id: QueueId, workers: &[Worker], outcome: &Outcome) -> QueueReport {
    let settings = forecast.scenario.config.queue(id).expect("it is one of the configuration's");
    let teams = || outcome.sum.teams.iter().filter(|team| team.queues.contains(&id));
    let half_hours = outcome.sum.queues[&id].iter().enumerate().map(|(index, counts)| {
        let at = forecast.scenario.start + index as Micros * micros(HALF_HOUR);
        let figures = Figures::of(*counts, sum(teams().map(|team| &team.work[index])));
        HalfHour { from: iso(at, &forecast.zone), clock: clock(at, &forecast.zone), figures }
    });
    let work = sum(teams().flat_map(|team| &team.work));
    QueueReport {
        queue: settings.name.clone(),
        agents: workers.iter().filter(|worker| worker.serves(id)).count() as u32,
        service_level_s: settings.service_level.as_secs_f64(),
        half_hours: half_hours.collect(),
        total: Figures::of(outcome.sum.total(id), work).sure(&outcome.totals(&[id])),
    }
}

fn sum<'w>(parts: impl Iterator<Item = &'w Work>) -> Work {
    parts.fold(Work::default(), |mut sum, part| {
        sum += part;
        sum
    })
}

/// `10:30`.
pub(super) fn clock(at: Micros, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%H:%M").to_string()
}

fn iso(at: Micros, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn zoned(at: Micros, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(at).unwrap_or_default().to_zoned(zone.clone())
}
