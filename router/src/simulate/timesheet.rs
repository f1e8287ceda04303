//! What agents did with their time, for occupancy.

use std::collections::BTreeMap;

use super::{HALF_HOUR, Scenario, Worker, micros, tally};
use crate::{
    config::QueueId,
    journal::fact::{AgentState, Micros},
};

/// Agents who serve the same queues.
#[derive(Debug, Clone)]
pub struct Team {
    /// Which.
    pub queues: Vec<QueueId>,
    /// What they did, half hour by half hour.
    pub work: Vec<Work>,
}

/// Agents' time in microseconds. Pauses and rests are neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Ringing, talking or wrapping up.
    pub busy: Micros,
    /// Waiting for a caller.
    pub idle: Micros,
}

impl Work {
    /// Share of the time at work in which agents were busy, ring time included; `None` if nobody was there.
    pub fn occupancy(&self) -> Option<f64> {
        let there = self.busy + self.idle;
        (there > 0).then(|| self.busy as f64 / there as f64)
    }
}

impl std::ops::AddAssign<&Work> for Work {
    fn add_assign(&mut self, other: &Work) {
        self.busy += other.busy;
        self.idle += other.idle;
    }
}

impl Team {
    pub(super) fn add(&mut self, other: &Team) {
        self.work.iter_mut().zip(&other.work).for_each(|(own, other)| *own += other);
    }
}

/// Who belongs to which team, and what they did so far.
pub(super) struct Timesheet {
    start: Micros,
    end: Micros,
    team_of: Vec<usize>,
    pub(super) teams: Vec<Team>,
}

impl Timesheet {
    pub(super) fn new(scenario: &Scenario<'_>, staff: &[Worker]) -> Timesheet {
        let mut teams: Vec<Team> = Vec::new();
        let mut by_queues = BTreeMap::new();
        let mut team_of = Vec::with_capacity(staff.len());
        for worker in staff {
            let queues: Vec<QueueId> =
                worker.agent.queues.iter().map(|membership| membership.queue).collect();
            let team = *by_queues.entry(queues.clone()).or_insert_with(|| {
                let work = vec![Work::default(); tally::half_hours(scenario)];
                teams.push(Team { queues, work });
                teams.len() - 1
            });
            team_of.push(team);
        }
        Timesheet { start: scenario.start, end: scenario.end(), team_of, teams }
    }

    /// `worker` was in `state` from `since` to `until`.
    pub(super) fn note(&mut self, worker: usize, state: AgentState, since: Micros, until: Micros) {
        let pick: fn(&mut Work) -> &mut Micros = match state {
            AgentState::Ringing | AgentState::Talking | AgentState::WrapUp => |work| &mut work.busy,
            AgentState::Idle => |work| &mut work.idle,
            AgentState::NotReady | AgentState::LoggedOut => return,
        };
        let work = &mut self.teams[self.team_of[worker]].work;
        let (mut from, until) = (since.max(self.start), until.min(self.end));
        while from < until {
            let index = tally::half_hour(from, self.start);
            let next = self.start + (index as Micros + 1) * micros(HALF_HOUR);
            let to = until.min(next);
            *pick(&mut work[index]) += to - from;
            from = to;
        }
    }
}
