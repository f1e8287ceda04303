//! `[queue.NAME]`: how one queue treats its callers.

use std::sync::Arc;
use std::time::Duration;

use media::Gain;

use super::music::Music;
use super::names::{HoursId, QueueId};
use super::problem::Report;
use super::queue_confirm::QueueConfirm;
use super::queue_memory::QueueMemory;
use super::queue_rules::QueueRules;
use super::queue_tell::QueueTell;
use super::raw::{Item, section};
use super::read::bounds;
use super::recording::{self, RecordingPolicy};
use super::scope::{Scope, Section};
use crate::journal::fact::Targets;

section! {
    /// How one queue treats its callers. Agents name their queues; what follows a `queue` step in its flow is the overflow.
    QueueToml "[queue.NAME]" {
        /// Who of several free agents is rung. `"longest-idle"`: who has waited longest for a caller; `"fewest-calls"`: who has answered fewest since the start; `"best-skill"`: who has the highest `skill` in this queue; `"round-robin"`: whose last call from this queue is longest ago; `"ordered"`: who stands first in this file; `"random-weighted"`: by chance, as often as their `weight` says; `"ring-all"`: several at once, who have waited longest, and the first to answer gets the caller. Among equals who has waited longest. Default `"longest-idle"`.
        strategy,
        /// With `strategy = "ring-all"`: agents who ring at once for one caller. Who becomes free meanwhile joins in, unless somebody waits for him; each rings for `ring_timeout`. 2 to 32, default 8.
        ring_at_once,
        /// The least `skill` an agent must have for a caller who has just come. 1 to 10, default 1.
        least_skill,
        /// Whom a caller accepts after he has waited: a list of steps such as `{ after = "30s", least_skill = 3 }`. At most 7 steps. Default: none.
        widen,
        /// What callers hear while they wait, over and over: a file, a folder, a list of these, or `{ play = …, order = "shuffled", start = "random" }`. Default: silence.
        music,
        /// Heard once by everybody who enters, before the music. One that a reload brings or changes is heard at once by those who wait, too. Nobody loses his place by it, and the agent's answer cuts it. Default: none.
        announcement,
        /// How much softer the music becomes under what is announced while it plays: `"1dB"` to `"40dB"`; `"off"`: it is not heard meanwhile. It fades for 200 ms before and comes back as long; the agent's answer cuts both at once. Default `"off"`.
        duck,
        /// What those who wait are told of their wait, again and again: `{ wait = true, every = "1m" }`. Default: nothing.
        tell,
        /// Which queue an agent of several serves first: 9 before 0; within one priority the caller who came first, boosts and `head_start` counted in. 0 to 9, default 0.
        priority,
        /// Beside queues of the same priority its callers stand as if they had come so much sooner. All boosts of a caller together count for 24 hours at most. `"0s"` to `"24h"`, default `"0s"`.
        head_start,
        /// Who gave up in this queue and calls again soon stands ahead: `{ within = "10m", boost = "2m" }`. Default: he stands as everybody does.
        returning,
        /// How callers stand who are transferred into this queue: `{ place = "kept", boost = "2m" }`. Default: by the time at which they first came to a queue.
        transferred,
        /// Who spoke to an agent waits for him first: `{ within = "7d", wait = "30s" }`. Default: for everybody at once.
        sticky,
        /// Whoever waited here when Fernamt crashed or was ended gets his place again, once, if he calls again from the same asserted number within so long after the next start. `"0s"` (never) to `"1h"`, default `"2m"`.
        keep_place,
        /// The wait, ringing included, within which a call counts as answered in time. The service level is the answered in time by the entered, those apart who gave up within `short_abandon`. `"1s"` to `"1h"`, default `"20s"`.
        service_level,
        /// Who hangs up within so long had dialled wrong or thought better of it: he is counted, but not against the service level. `"0s"` to `"1m"`, default `"5s"`.
        short_abandon,
        /// How long one agent rings before the next is tried. `"1s"` to `"5m"`, default `"20s"`.
        ring_timeout,
        /// What an agent who picks up hears before the caller is connected: the queue's name, say. The caller hears his music meanwhile. Default: nothing.
        whisper,
        /// The agent takes the call by a key, after the `whisper`: `{ key = "1" }`. For agents at mobiles, whose mailbox would else take callers. Default: whoever picks up has the call.
        confirm,
        /// Rest of an agent after a call, for notes. `"0s"` to `"8h"`, default `"0s"`.
        wrap_up,
        /// Callers who may wait; one more goes on to the next step at once. 1 to 1000000, default 200.
        max_waiting,
        /// Longest wait; then the caller goes on to the next step. `"1s"` to `"24h"`, default `"30m"`.
        max_wait,
        /// How long an agent who did not answer is left in peace. `"0s"` to `"1h"`, default `"30s"`.
        rest_no_answer,
        /// How long an agent who was busy, declined, could not be reached, hung up within two seconds or sends no sound (`dead_air`) is left in peace; in the last two cases the caller waits on with his old place. A second passes in any case. `"0s"` to `"1h"`, default `"10s"`.
        rest_rejected,
        /// What an agent's telephone shows in place of the caller's name: `{queue}` and `{name}` stand in it, as in `"{queue}: {name}"`. The name is the caller's number if he has none, and Anonymous if he withholds it. Default: his name alone.
        shown_as,
        /// An agent's telephone of which not one packet of sound comes within so long after the answer sends none: its leg is hung up, the agent rests for `rest_rejected`, and the caller waits on with his old place. Who holds the caller, or agreed to send nothing, is let be. `"0s"`: never. `"0s"` to `"30s"`, default `"3s"`.
        dead_air,
        /// An agent who leaves so many assignments in a row unanswered, or answers without sound (`dead_air`), is paused until he says that he is ready. 0 to 100, 0 for never, default 0.
        pause_after,
        /// Where a key takes those who wait, also while an agent rings for them: `{ 1 = "queue.sales", 2 = "flow.callback" }`, as in a menu. They leave the queue for good, neither answered nor given up; whoever comes back by such a way has the place of his first entry. Each call keeps what was written when it came. Default: keys do nothing.
        keys,
        /// When new callers go on to the next step because nobody serves the queue. `"nobody-logged-in"`; `"nobody-ready"`: that, or all who are logged in have paused. Whoever rings, talks, rests or wraps up is ready, unless he has asked to be paused or logged out after it. Those count whom callers accept in the end, at the last step of `widen`. Default `"never"`: they wait.
        turn_away_when,
        /// When those who wait go on to the next step; the same words as for `turn_away_when`. Default `"never"`.
        leave_when,
        /// How long that must hold before they go, so that a change of shift does not empty the queue; who comes meanwhile stays as long. `"0s"` to `"1h"`, default `"30s"`.
        leave_grace,
        /// A new caller whose wait is estimated longer goes on to the next step at once. Who has been let in waits up to `max_wait`, however the queue fares; who cannot be told an estimate is let in. `"1s"` to `"24h"`. Default: no limit.
        max_estimate,
        /// The estimated wait is the time within which so many callers in a hundred are answered who enter at that place. How right it was is in `/metrics` and `fernamt status`. 50 to 99, default 80.
        estimate_percent,
        /// Closed: new callers and those who wait hear `closed_prompt` and go on to the next step, the latter in the very turn of the reload. `fernamt queue NAME close` does the same without this file. Default false.
        closed,
        /// What callers hear before they go on because the queue is closed: by `closed`, by hand, or by its `hours`. Default: nothing.
        closed_prompt,
        /// Where those who wait go when a reload has taken the queue away: `"next"`, `"hangup"`, `"flow.NAME"` or `"queue.NAME"`. Each call keeps what was written when it came. Default `"next"`.
        when_removed,
        /// Opening hours, a `[hours.NAME]`: outside them new callers go on to the next step. Default: always open.
        hours,
        /// How calls that it brings to agents are recorded: a `[recording.NAME]`. Default: by what else says so, or not at all.
        recording,
    }
}

section! {
    /// From `after` on a waiting caller accepts more agents.
    WidenToml "widen = [{ … }]" {
        /// Time in this queue. Each step later than the one before. `"1s"` to `"24h"`. Required.
        after,
        /// The least `skill` from now on. 1 to 10, at most that of the step before; default: as before.
        least_skill,
        /// A queue, or a list of queues, whose agents are accepted too, whatever their skill. Default: none.
        agents_of,
    }
}

/// The most steps of widening, the first included: a line of the scheduler for each.
pub const MAX_STEPS: usize = 8;

/// Whom a caller accepts from some time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidenStep {
    /// Time in the queue. 0 for the first step.
    pub after: Duration,
    /// The least skill of the queue's own agents. 1 to 10; never more than in the step before.
    pub least_skill: u8,
    /// Other queues whose agents are accepted too; those of the step before are among them.
    pub agents_of: Vec<QueueId>,
}

/// How one queue treats its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Who of several free agents is rung. Default `LongestIdle`.
    pub strategy: Strategy,
    /// Agents who ring at once for one caller: 2 to 32, default 8, with [`Strategy::RingAll`]; else 1.
    pub ring_at_once: u8,
    /// Whom a caller accepts; the first step from the start. 1 to [`MAX_STEPS`], each later than the one before.
    pub steps: Vec<WidenStep>,
    /// What callers hear while they wait, over and over; `None`: silence.
    pub music: Option<Arc<Music>>,
    /// How loud music stays under announcements. Default not at all.
    pub duck: Gain,
    /// What those who wait are told, again and again; `None`: nothing.
    pub tell: Option<QueueTell>,
    /// 9 is served before 0. Default 0.
    pub priority: u8,
    /// By so much its callers stand as if they had come sooner. 0 s to 24 h, default 0 s.
    pub head_start: Duration,
    /// The wait within which a call counts as answered in time. 1 s to 1 h, default 20 s.
    pub service_level: Duration,
    /// Who hangs up within so long does not count against the service level. 0 s to 1 min, default 5 s.
    pub short_abandon: Duration,
    /// How long one agent rings before the next is tried. 1 s to 5 min, default 20 s.
    pub ring_timeout: Duration,
    /// What an agent hears before the caller is connected, and whether he must press a key. Default: nothing.
    pub confirm: QueueConfirm,
    /// Rest of an agent after a call. 0 s to 8 h, default 0 s.
    pub wrap_up: Duration,
    /// Callers who may wait; one more goes on to the next step at once. 1 to 1,000,000, default 200.
    pub max_waiting: u32,
    /// Longest wait; then the caller goes on to the next step. 1 s to 24 h, default 30 min.
    pub max_wait: Duration,
    /// Rest of an agent who did not answer. 0 s to 1 h, default 30 s.
    pub rest_no_answer: Duration,
    /// Rest of an agent who was busy, declined, could not be reached, hung up at once or sent no sound. 0 s to 1 h, default 10 s.
    pub rest_rejected: Duration,
    /// What an agent sees in place of the caller's name, with `{queue}` and `{name}`; `None`: his name.
    pub shown_as: Option<String>,
    /// Within which time after the answer something must be heard of an agent; 0: no matter. 0 s to 30 s, default 3 s.
    pub dead_air: Duration,
    /// Assignments in a row, unanswered or without sound, after which an agent is paused; 0: never. 0 to 100, default 0.
    pub pause_after: u8,
    /// Outside these hours new callers go on to the next step; `None`: always open.
    pub hours: Option<HoursId>,
    /// How its calls are recorded.
    pub recording: Option<Arc<RecordingPolicy>>,
    /// When it takes callers, and when it sends away those who wait.
    pub rules: QueueRules,
    /// What it makes of what is remembered of its callers.
    pub memory: QueueMemory,
}

/// Who of several free agents is rung; among equals who has waited longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Who has been idle longest.
    LongestIdle,
    /// Who has answered fewest calls since the process started.
    FewestCalls,
    /// Who has the highest skill in the queue.
    BestSkill,
    /// Whose last assignment from the queue is longest ago.
    RoundRobin,
    /// Who stands first in the file.
    Ordered,
    /// By chance, in proportion to their weights.
    RandomWeighted,
    /// Several at once, the longest idle; who answers first gets the caller.
    RingAll,
}

impl Strategy {
    const ALL: [(&'static str, Strategy); 7] = [
        ("longest-idle", Strategy::LongestIdle),
        ("fewest-calls", Strategy::FewestCalls),
        ("best-skill", Strategy::BestSkill),
        ("round-robin", Strategy::RoundRobin),
        ("ordered", Strategy::Ordered),
        ("random-weighted", Strategy::RandomWeighted),
        ("ring-all", Strategy::RingAll),
    ];

    /// As written in the configuration.
    pub fn name(self) -> &'static str {
        Strategy::ALL.iter().find(|(_, strategy)| *strategy == self).map_or("", |(name, _)| name)
    }
}

impl Queue {
    /// By which times its service is judged.
    pub fn targets(&self) -> Targets {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Targets { in_time_ms: millis(self.service_level), short_ms: millis(self.short_abandon) }
    }

    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<Queue> {
        let item = Item { key: section.path.clone(), value: section.value };
        let table = item.table(&format!("[{}]", section.path), scope.report)?;
        let raw = QueueToml::read(table, &section.path, section.span(), scope.report);
        let music = raw.music.item.as_ref().and_then(|item| Music::resolve(item, scope));
        let hours = raw.hours.item.as_ref().and_then(|item| scope.hours_named(item));
        let recording = recording::named(&raw.recording, scope);
        let strategy = raw.strategy.choice(&Strategy::ALL, scope.report);
        let steps = steps(&raw, scope);
        let rules = QueueRules::resolve(&raw, scope);
        let confirm = QueueConfirm::resolve(&raw, scope);
        let max_wait = raw.max_wait.duration(bounds("1s", "24h", "30m"), scope.report);
        let memory = QueueMemory::resolve(&raw, max_wait, scope);
        let tell = QueueTell::resolve(&raw, scope);
        let report = &mut *scope.report;
        Some(Queue {
            name: section.name.to_owned(),
            strategy,
            ring_at_once: ring_at_once(&raw, strategy, report),
            steps,
            music,
            tell,
            duck: raw.duck.item.as_ref().and_then(|item| duck(item, report)).unwrap_or(Gain::NONE),
            priority: raw.priority.integer(0..=9, 0, report) as u8,
            head_start: raw.head_start.duration(bounds("0s", "24h", "0s"), report),
            service_level: raw.service_level.duration(bounds("1s", "1h", "20s"), report),
            short_abandon: raw.short_abandon.duration(bounds("0s", "1m", "5s"), report),
            ring_timeout: raw.ring_timeout.duration(bounds("1s", "5m", "20s"), report),
            confirm,
            wrap_up: raw.wrap_up.duration(bounds("0s", "8h", "0s"), report),
            max_waiting: raw.max_waiting.integer(1..=1_000_000, 200, report) as u32,
            max_wait,
            rest_no_answer: raw.rest_no_answer.duration(bounds("0s", "1h", "30s"), report),
            rest_rejected: raw.rest_rejected.duration(bounds("0s", "1h", "10s"), report),
            shown_as: raw.shown_as.item.as_ref().and_then(|item| shown_as(item, report)),
            dead_air: raw.dead_air.duration(bounds("0s", "30s", "3s"), report),
            pause_after: raw.pause_after.integer(0..=100, 0, report) as u8,
            hours,
            recording,
            rules,
            memory,
        })
    }
}

pub(super) fn shown_as(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text("\"{queue}: {name}\"", report)?;
    let rest = text.replace("{queue}", "").replace("{name}", "");
    if text.is_empty() || rest.contains(['{', '}']) || rest.chars().any(char::is_control) {
        item.error(
            report,
            format!("{text:?} cannot be shown; write one line with {{queue}} and {{name}} in it"),
        );
        return None;
    }
    Some(text.to_owned())
}

fn duck(item: &Item<'_>, report: &mut Report) -> Option<Gain> {
    let text = item.text("\"12dB\"", report)?;
    let softer = text.strip_suffix("dB").and_then(|number| number.trim_end().parse::<u8>().ok());
    match softer.filter(|softer| (1..=40).contains(softer)) {
        Some(softer) => Some(Gain::softer_by(softer)),
        None if text == "off" => Some(Gain::NONE),
        None => {
            let cure = "write \"off\" or \"1dB\" to \"40dB\" (default \"off\")";
            item.error(report, format!("{text:?} is not how much softer; {cure}"));
            None
        }
    }
}

fn ring_at_once(raw: &QueueToml<'_>, strategy: Strategy, report: &mut Report) -> u8 {
    let most = raw.ring_at_once.integer(2..=32, 8, report) as u8;
    if strategy == Strategy::RingAll {
        return most;
    }
    if let Some(item) = &raw.ring_at_once.item {
        let text = "has an effect only with strategy = \"ring-all\"; write that, or take it out";
        item.warning(report, format!("{} {text}", item.written(report)));
    }
    1
}

/// Each step takes in whom the one before takes in, and more: callers are never taken from whom they accepted.
fn steps(raw: &QueueToml<'_>, scope: &mut Scope<'_, '_>) -> Vec<WidenStep> {
    let least_skill = raw.least_skill.integer(1..=10, 1, scope.report) as u8;
    let mut steps = vec![WidenStep { after: Duration::ZERO, least_skill, agents_of: Vec::new() }];
    let list = raw.widen.list();
    if let Some(item) = list.get(MAX_STEPS - 1) {
        item.error(scope.report, format!("is one step too many; write at most {}", MAX_STEPS - 1));
        return steps;
    }
    for item in &list {
        let before = steps[steps.len() - 1].clone();
        steps.extend(step(item, &before, scope));
    }
    steps
}

fn step(item: &Item<'_>, before: &WidenStep, scope: &mut Scope<'_, '_>) -> Option<WidenStep> {
    let such_as = "{ after = \"30s\", least_skill = 3 }";
    let table = item.table(such_as, scope.report)?;
    let raw = WidenToml::read(table, &item.key, item.value.span(), scope.report);
    let after = raw.after.required("after = \"30s\"", scope.report)?;
    let at = after.duration(bounds("1s", "24h", ""), scope.report)?;
    if at <= before.after {
        let text = format!("must be later than the step before ({:?}); write a longer time", before.after);
        after.error(scope.report, text);
    }
    let least = u64::from(before.least_skill);
    let least_skill = raw.least_skill.integer(1..=10, least, scope.report) as u8;
    if let Some(item) = raw.least_skill.item.as_ref().filter(|_| least_skill > before.least_skill) {
        item.error(scope.report, format!("would narrow the choice again; write 1 to {least}"));
    }
    let mut agents_of = before.agents_of.clone();
    for item in raw.agents_of.list() {
        let Some(queue) = item.text("\"sales\"", scope.report).and_then(|name| scope.queue(&item, name))
        else {
            continue;
        };
        if !agents_of.contains(&queue) {
            agents_of.push(queue);
        }
    }
    if least_skill == before.least_skill && raw.agents_of.item.is_none() {
        item.error(scope.report, format!("changes nothing; write {such_as}, or agents_of, or take it out"));
    }
    Some(WidenStep { after: at, least_skill, agents_of })
}
