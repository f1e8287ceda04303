//! `[queue.NAME]`: how one queue treats its callers.

use std::time::Duration;

use super::names::{HoursId, PromptId};
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::{Scope, Section};

section! {
    /// How one queue treats its callers. Agents name their queues; what follows a `queue` step in its flow is the overflow.
    QueueToml "[queue.NAME]" {
        /// Who of several free agents is rung: `"longest-idle"`, who has waited longest for a caller. Default `"longest-idle"`.
        strategy,
        /// What callers hear while they wait, over and over. Default: silence.
        music,
        /// Which queue an agent of several serves first: 9 before 0; within one priority the longest waiting caller. 0 to 9, default 0.
        priority,
        /// The wait within which a call counts as answered in time, for reports. `"1s"` to `"1h"`, default `"20s"`.
        service_level,
        /// How long one agent rings before the next is tried. `"1s"` to `"5m"`, default `"20s"`.
        ring_timeout,
        /// Rest of an agent after a call, for notes. `"0s"` to `"8h"`, default `"0s"`.
        wrap_up,
        /// Callers who may wait; one more goes on to the next step at once. 1 to 1000000, default 200.
        max_waiting,
        /// Longest wait; then the caller goes on to the next step. `"1s"` to `"24h"`, default `"30m"`.
        max_wait,
        /// How long an agent who did not answer is left in peace. `"0s"` to `"1h"`, default `"30s"`.
        rest_no_answer,
        /// How long an agent who was busy, declined or could not be reached is left in peace. `"0s"` to `"1h"`, default `"10s"`.
        rest_rejected,
        /// Opening hours, a `[hours.NAME]`: outside them new callers go on to the next step. Default: always open.
        hours,
    }
}

/// How one queue treats its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Who of several free agents is rung. Default `LongestIdle`.
    pub strategy: Strategy,
    /// What callers hear while they wait, over and over; `None`: silence.
    pub music: Option<PromptId>,
    /// 9 is served before 0. Default 0.
    pub priority: u8,
    /// The wait within which a call counts as answered in time. 1 s to 1 h, default 20 s.
    pub service_level: Duration,
    /// How long one agent rings before the next is tried. 1 s to 5 min, default 20 s.
    pub ring_timeout: Duration,
    /// Rest of an agent after a call. 0 s to 8 h, default 0 s.
    pub wrap_up: Duration,
    /// Callers who may wait; one more goes on to the next step at once. 1 to 1,000,000, default 200.
    pub max_waiting: u32,
    /// Longest wait; then the caller goes on to the next step. 1 s to 24 h, default 30 min.
    pub max_wait: Duration,
    /// Rest of an agent who did not answer. 0 s to 1 h, default 30 s.
    pub rest_no_answer: Duration,
    /// Rest of an agent who was busy, declined or could not be reached. 0 s to 1 h, default 10 s.
    pub rest_rejected: Duration,
    /// Outside these hours new callers go on to the next step; `None`: always open.
    pub hours: Option<HoursId>,
}

/// Who of several free agents is rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Who has been idle longest.
    LongestIdle,
}

impl Queue {
    /// Time credit in the caller's order key (design §6): nobody waits longer than `max_wait` allows, 24 hours at
    /// most, so a credit of more than a day a step puts every caller of a higher priority first.
    pub fn credit(&self) -> Duration {
        Duration::from_secs(u64::from(self.priority) * 25 * 3600)
    }

    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<Queue> {
        let item = Item { key: section.path.clone(), value: section.value };
        let table = item.table(&format!("[{}]", section.path), scope.report)?;
        let raw = QueueToml::read(table, &section.path, section.span(), scope.report);
        let music = raw.music.item.as_ref().and_then(|item| scope.prompt(item));
        let hours = raw.hours.item.as_ref().and_then(|item| scope.hours_named(item));
        let report = &mut *scope.report;
        Some(Queue {
            name: section.name.to_owned(),
            strategy: raw.strategy.choice(&[("longest-idle", Strategy::LongestIdle)], report),
            music,
            priority: raw.priority.integer(0..=9, 0, report) as u8,
            service_level: raw.service_level.duration(bounds("1s", "1h", "20s"), report),
            ring_timeout: raw.ring_timeout.duration(bounds("1s", "5m", "20s"), report),
            wrap_up: raw.wrap_up.duration(bounds("0s", "8h", "0s"), report),
            max_waiting: raw.max_waiting.integer(1..=1_000_000, 200, report) as u32,
            max_wait: raw.max_wait.duration(bounds("1s", "24h", "30m"), report),
            rest_no_answer: raw.rest_no_answer.duration(bounds("0s", "1h", "30s"), report),
            rest_rejected: raw.rest_rejected.duration(bounds("0s", "1h", "10s"), report),
            hours,
        })
    }
}
