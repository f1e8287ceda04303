//! When a queue takes callers, when it sends away those who wait, and what it tells them all.

use std::time::Duration;

use super::flow::Goto;
use super::flow_toml::telephone_keys;
use super::names::PromptId;
use super::problem::Report;
use super::queue::QueueToml;
use super::read::bounds;
use super::scope::Scope;
use crate::estimate::Outlook;

/// When a queue takes callers, when it sends away those who wait, and what it tells them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRules {
    /// When new callers go on to the next step; `None`: never. Default never.
    pub turn_away_when: Option<Unstaffed>,
    /// When those who wait do; `None`: never. Default never.
    pub leave_when: Option<Unstaffed>,
    /// How long that must hold before they go. 0 s to 1 h, default 30 s.
    pub leave_grace: Duration,
    /// A new caller whose wait is estimated longer goes on to the next step; `None`: no limit. 1 s to 24 h.
    pub max_estimate: Option<Duration>,
    /// Of so many callers in a hundred the wait is to be within the estimate. 50 to 99, default 80.
    pub estimate_percent: u8,
    /// Heard once by everybody who enters, before the music, and at once by those who wait when it is new.
    pub announcement: Option<PromptId>,
    /// Nobody is let in, and nobody stays. Default false.
    pub closed: bool,
    /// What callers hear before they go on because the queue is closed; `None`: nothing.
    pub closed_prompt: Option<PromptId>,
    /// Where each key takes those who wait, in the order of the keys. Default none.
    pub keys: Vec<(char, Goto)>,
    /// Where those who wait go when a reload has taken the queue away. Default `Next`.
    pub when_removed: Goto,
}

/// In which sense nobody serves a queue; the second holds whenever the first does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unstaffed {
    /// Nobody is logged in.
    NobodyLoggedIn,
    /// Nobody is logged in, or all who are have paused.
    NobodyReady,
}

impl Unstaffed {
    const CHOICES: [(&'static str, Option<Unstaffed>); 3] = [
        ("never", None),
        ("nobody-logged-in", Some(Unstaffed::NobodyLoggedIn)),
        ("nobody-ready", Some(Unstaffed::NobodyReady)),
    ];
}

impl QueueRules {
    pub(super) fn resolve(raw: &QueueToml<'_>, scope: &mut Scope<'_, '_>) -> QueueRules {
        let when_removed = raw.when_removed.item.as_ref().and_then(|item| Goto::resolve(item, scope));
        let closed_prompt = raw.closed_prompt.item.as_ref().and_then(|item| scope.prompt(item));
        let announcement = raw.announcement.item.as_ref().and_then(|item| scope.prompt(item));
        let keys = raw.keys.item.as_ref().and_then(|item| telephone_keys(item, scope));
        let report = &mut *scope.report;
        let rules = QueueRules {
            turn_away_when: raw.turn_away_when.choice(&Unstaffed::CHOICES, report),
            leave_when: raw.leave_when.choice(&Unstaffed::CHOICES, report),
            leave_grace: raw.leave_grace.duration(bounds("0s", "1h", "30s"), report),
            max_estimate: raw
                .max_estimate
                .item
                .as_ref()
                .and_then(|item| item.duration(bounds("1s", "24h", ""), report)),
            estimate_percent: raw.estimate_percent.integer(50..=99, 80, report) as u8,
            announcement,
            closed: raw.closed.boolean(false, report),
            closed_prompt,
            keys: keys.unwrap_or_default(),
            when_removed: when_removed.unwrap_or(Goto::Next),
        };
        rules.contradictions(raw, report);
        rules
    }

    /// A caller with this outlook is not let in.
    pub fn is_too_long(&self, outlook: Outlook) -> bool {
        self.max_estimate.zip(outlook.wait).is_some_and(|(most, wait)| wait > most)
    }

    fn contradictions(&self, raw: &QueueToml<'_>, report: &mut Report) {
        if let Some(item) = raw.leave_when.item.as_ref().filter(|_| self.leave_when > self.turn_away_when) {
            let text = format!(
                "would let callers in only to send them on after leave_grace; write turn_away_when = {} too",
                item.written(report)
            );
            item.warning(report, text);
        }
        if let Some(item) = raw.leave_grace.item.as_ref().filter(|_| self.leave_when.is_none()) {
            item.warning(
                report,
                "has no effect; write leave_when = \"nobody-logged-in\" too, or take it out",
            );
        }
    }
}
