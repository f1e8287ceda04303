//! `fernamt check FILE [--at TIME] [--number NUMBER@TRUNK]`: every problem of a file, or what it would do with a call at
//! a certain time, or make of a number.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::{check_certificates, check_number};
use crate::config::{
    Because, CallerGroup, Config, Goto, Graph, Hours, HoursId, Names, Number, Opening, PromptId, QueueId,
    RecordingPolicy, SecretPlace, Srtp, Stale, Step, Wall, load, written,
};
use crate::driver::recordings_folder;

/// What the command prints and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// For standard output; ends with a newline.
    pub text: String,
    /// 0: the file can be used, perhaps with warnings. 2: it cannot, or the time or number was none.
    pub code: u8,
}

/// A moment, as given with `--at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// One instant, given with `Z` or an offset.
    Instant(Timestamp),
    /// What the clock on the wall shows, in the zone of whichever hours are asked.
    Wall(DateTime),
}

/// Steps told of one number at most: enough to see where a call goes.
const MOST_STEPS: usize = 24;

/// What else is asked of a file, beside whether it can be used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Questions<'a> {
    /// A time: tells for every number what a call would meet then.
    pub at: Option<&'a str>,
    /// `NUMBER@TRUNK`: tells what becomes of a number that comes or goes there.
    pub number: Option<&'a str>,
}

/// Checks the file at `path`, and answers what is asked of it.
pub fn check(path: &Path, asked: Questions<'_>) -> Outcome {
    let moment = match asked.at.map(moment).transpose() {
        Ok(moment) => moment,
        Err(text) => return Outcome { text: format!("{text}\n"), code: 2 },
    };
    match load(path, &mut Names::new()) {
        Ok(config) => match recordings_folder::trouble(&config.recordings) {
            Some(text) => {
                Outcome { text: format!("{}\n", config.problem("recordings.folder", text)), code: 2 }
            }
            None => answer(&path.display().to_string(), &config, moment, asked.number),
        },
        Err(problems) => {
            let (errors, warnings) = (problems.errors().count(), problems.warnings().count());
            let sum = [count(errors, "error"), count(warnings, "warning")];
            let sum = if warnings == 0 { sum[0].clone() } else { sum.join(", ") };
            Outcome { text: format!("{problems}{}: {sum}\n", path.display()), code: 2 }
        }
    }
}

fn answer(file: &str, config: &Config, moment: Option<Moment>, number: Option<&str>) -> Outcome {
    let certificates = check_certificates::lines(config, Timestamp::now());
    let report = report(file, config, moment) + &certificates;
    match number.map(|number| check_number::story(config, number)).transpose() {
        Ok(None) => Outcome { text: report, code: 0 },
        Ok(Some(story)) => Outcome { text: format!("{report}\n{story}"), code: 0 },
        Err(text) => Outcome { text: format!("{text}\n"), code: 2 },
    }
}

/// Reads `2026-12-24T15:00` or, for one instant, `2026-12-24T15:00+01:00` or `2026-12-24T14:00Z`.
///
/// # Errors
/// A sentence with the text and the cure.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(Moment::Instant(instant));
    }
    let has_time = text.contains(['T', 't', ' ']);
    text.parse::<DateTime>().ok().filter(|_| has_time).map(Moment::Wall).ok_or_else(|| {
        format!("--at: {text:?} is no time; write it such as 2026-12-24T15:00 or 2026-12-24T15:00+01:00")
    })
}

/// What `check` says of a file that can be used.
pub fn report(file: &str, config: &Config, moment: Option<Moment>) -> String {
    let mut text = config.warnings.to_string();
    text.push_str(&format!(
        "{file}: {}\n",
        if config.warnings.is_empty() { "no mistakes" } else { "can be used" }
    ));
    let parts = [
        count(config.trunks().count(), "trunk"),
        count(config.numbers().len(), "number"),
        count(config.flows().count(), "flow"),
        count(config.queues().count(), "queue"),
        count(config.agents().count(), "agent"),
        count(config.prompts().count(), "prompt"),
    ];
    text.push_str(&format!(
        "{}; {} at once\n",
        parts.join(", "),
        count(config.limits.max_calls as usize, "call")
    ));
    text.push_str(&super::check_trunks::lines(config));
    if let Some(graph) = &config.graph {
        text.push_str(&presence(graph, config));
    }
    if config.has_callers_for_help() {
        let numbers: Vec<&str> = config.emergency.numbers.iter().map(String::as_str).collect();
        text.push_str(&format!("emergency numbers of agents: {}\n", numbers.join(", ")));
    }
    text.push_str(&recorded(config));
    text.push_str(&encrypted(config));
    if let Some(moment) = moment {
        for callers in config.caller_groups() {
            text.push('\n');
            text.push_str(&in_every_queue(callers));
        }
        for number in config.numbers() {
            text.push('\n');
            text.push_str(&Story::of(config, number, moment));
        }
        for (pattern, destination) in config.transfer_rules() {
            text.push_str(&format!(
                "\na transfer to {pattern}: {}\n",
                config.destination_in_words(destination)
            ));
        }
    }
    text
}

/// How calls are recorded, a line each.
fn recorded(config: &Config) -> String {
    let sealed = match config.recordings.recipients.len() {
        0 => "not encrypted".to_owned(),
        keys => format!("encrypted for {}", count(keys, "key")),
    };
    let line = |policy: &Arc<RecordingPolicy>| {
        let begin = if policy.always { "always" } else { "on demand" };
        format!("recording.{}: {begin}, kept {}, {sealed}\n", policy.name, written(policy.keep))
    };
    config.recordings.policies.iter().map(line).collect()
}

/// Who speaks SRTP, a line each.
fn encrypted(config: &Config) -> String {
    let trunks = config.trunks().map(|(_, trunk)| ("trunk", &trunk.name, &trunk.srtp));
    let agents = config.agents().map(|(_, agent)| ("agent", &agent.name, &agent.srtp));
    let line = |(kind, name, srtp): (&str, &String, &Srtp)| {
        srtp.in_words().map(|words| format!("{kind}.{name}: {words}\n"))
    };
    trunks.chain(agents).filter_map(line).collect()
}

/// What one call to one number would meet, line by line.
struct Story<'c> {
    config: &'c Config,
    moment: Moment,
    lines: Vec<String>,
}

impl Story<'_> {
    fn of(config: &Config, number: &Number, moment: Moment) -> String {
        let trunk = config.trunk(number.trunk).map_or("?", |trunk| &trunk.name);
        let flow = config.goto_in_words(Goto::Flow(number.flow));
        let boost = ahead(number.boost);
        let mut story = Story {
            config,
            moment,
            lines: vec![format!("{} on trunk.{trunk}: {flow}{}", number.pattern, boost)],
        };
        let closed = number.hours.filter(|hours| !story.is_open(*hours));
        match closed.and_then(|id| config.hours(id)) {
            Some(hours) => story.closed(hours.closed_prompt, hours.closed, &[]),
            None => story.enter(Goto::Flow(number.flow), &[]),
        }
        story
            .lines
            .iter()
            .enumerate()
            .map(|(at, line)| if at == 0 { format!("{line}\n") } else { format!("    {line}\n") })
            .collect()
    }

    /// Goes on at `goto`; `rest` are the steps behind the one that sent us.
    fn enter(&mut self, goto: Goto, rest: &[Step]) {
        match goto {
            Goto::Hangup => self.lines.push("hang up".to_owned()),
            Goto::Next => self.follow(rest),
            Goto::Queue(queue) => {
                let first = Step::Queue { queue, early: false };
                let steps: Vec<Step> = std::iter::once(first).chain(rest.iter().cloned()).collect();
                self.follow(&steps);
            }
            Goto::Flow(id) => {
                let Some(flow) = self.config.flow(id) else { return };
                if self.lines.len() > 1 {
                    self.lines.push(format!("flow.{}:", flow.name));
                }
                self.follow(&flow.steps);
            }
        }
    }

    /// Tells steps up to where the caller or somebody else decides.
    fn follow(&mut self, steps: &[Step]) {
        let Some((step, rest)) = steps.split_first() else {
            self.lines.push("hang up (the flow ends)".to_owned());
            return;
        };
        if self.lines.len() >= MOST_STEPS {
            self.lines.push("…".to_owned());
            return;
        }
        match step {
            Step::Hours { hours, closed_prompt, closed } => {
                if self.is_open(*hours) {
                    self.follow(rest);
                } else {
                    self.closed(*closed_prompt, *closed, rest);
                }
            }
            Step::Goto(goto) => self.enter(*goto, rest),
            Step::Queue { queue, .. } => {
                let hours = self.config.queue(*queue).and_then(|queue| queue.hours);
                self.lines.push(self.config.step_in_words(step));
                if self.is_closed(*queue) {
                    self.lines.push(format!(
                        "queue.{} is closed",
                        self.config.queue(*queue).map_or("?", |of| &of.name)
                    ));
                    return self.follow(rest);
                }
                if hours.is_some_and(|hours| !self.is_open(hours)) {
                    self.follow(rest);
                }
            }
            Step::Menu { .. }
            | Step::Dial { .. }
            | Step::Conference { .. }
            | Step::Reject { .. }
            | Step::Hangup => {
                self.lines.push(self.config.step_in_words(step));
            }
            Step::Answer
            | Step::Language(_)
            | Step::Play { .. }
            | Step::Voicemail { .. }
            | Step::Record { .. }
            | Step::Callback(_) => {
                self.lines.push(self.config.step_in_words(step));
                self.follow(rest);
            }
        }
    }

    fn is_closed(&self, queue: QueueId) -> bool {
        self.config.queue(queue).is_some_and(|queue| queue.rules.closed)
    }

    fn closed(&mut self, prompt: Option<PromptId>, goto: Goto, rest: &[Step]) {
        if let Some(prompt) = prompt {
            self.lines.push(self.config.step_in_words(&Step::Play { prompt, early: false }));
        }
        self.enter(goto, rest);
    }

    /// Asks the hours, and writes down the answer.
    fn is_open(&mut self, id: HoursId) -> bool {
        let Some(hours) = self.config.hours(id) else { return true };
        let (now, note) = match self.moment {
            Moment::Instant(instant) => (instant, ""),
            Moment::Wall(wall) => match hours.wall_clock(wall) {
                Some((now, Wall::Once)) => (now, ""),
                Some((now, Wall::Never)) => {
                    (now, " (the clock never shows that time; this is the jump over it)")
                }
                Some((now, Wall::Twice)) => (now, " (the clock shows that time twice; this is the first)"),
                None => return true,
            },
        };
        let opening = hours.at(now);
        self.lines.push(format!("{}{note}", in_words(hours, now, opening)));
        opening.is_open()
    }
}

/// `hours.desk at 2026-12-24T15:00 Europe/Berlin: closed (special day) until 2026-12-28T09:00`.
fn in_words(hours: &Hours, now: Timestamp, opening: Opening) -> String {
    let clock = |at: Timestamp| at.to_zoned(hours.zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string();
    let until = |at: Option<Timestamp>| {
        at.map_or_else(|| " for a year and more".to_owned(), |at| format!(" until {}", clock(at)))
    };
    let state = match opening {
        Opening::Open { until: at } => format!("open{}", until(at)),
        Opening::Closed { until: at, because } => {
            let why = match because {
                Because::Weekday => "",
                Because::Holiday => " (holiday)",
                Because::SpecialDay => " (special day)",
            };
            format!("closed{why}{}", until(at))
        }
    };
    let zone = hours.zone.iana_name().unwrap_or("UTC");
    format!("hours.{} at {} {zone}: {state}", hours.name, clock(now))
}

/// `presence of 2 agents by Graph for example.com, every 5s; not known after 1m, then everybody is given calls`.
fn presence(graph: &Graph, config: &Config) -> String {
    let asked = config.agents().filter(|(_, agent)| agent.entra_id.is_some()).count();
    let then = match graph.stale {
        Stale::Offer => "everybody is given calls",
        Stale::Last => "what was said last holds",
        Stale::Skip => "nobody is given calls",
    };
    let (every, fresh) = (written(graph.real_every(asked)), written(graph.fresh));
    let (agents, tenant) = (count(asked, "agent"), &graph.tenant);
    let unset = match &graph.secret {
        SecretPlace::Environment(name) if std::env::var_os(name).is_none() => {
            format!("; {name} is not set here: it must be where the router runs")
        }
        _ => String::new(),
    };
    format!(
        "presence of {agents} by Graph for {tenant}, every {every}; not known after {fresh}, then {then}{unset}\n"
    )
}

/// `callers.gold: 12 numbers, 10m ahead, priority 5 at least`.
fn in_every_queue(callers: &CallerGroup) -> String {
    let priority = match callers.priority {
        0 => String::new(),
        priority => format!(", priority {priority} at least"),
    };
    let numbers = count(callers.numbers, "number");
    format!("callers.{}: {numbers}{}{priority}\n", callers.name, ahead(callers.boost))
}

fn ahead(boost: Duration) -> String {
    if boost.is_zero() { String::new() } else { format!(", {} ahead", written(boost)) }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
