//! `[flow.NAME]` as written: the steps and their short forms.

use std::ops::Range;

use toml::de::DeValue;

use super::address::Address;
use super::callback;
use super::conference_step::conference;
use super::flow::{Flow, Goto, Step};
use super::raw::{Field, Item, join, nearest, section};
use super::read::bounds;
use super::recording;
use super::scope::{Scope, Section};
use super::voicemail_step::voicemail;

section! {
    /// What happens to a call, step by step. `play`, `menu` and `queue` answer by themselves unless they are `early`, `voicemail`, `conference` and `record` always; a flow that runs out hangs up.
    FlowToml "[flow.NAME]" {
        /// A list of steps: `"answer"`, `{ language = … }`, `{ play = … }`, `{ menu = … }`, `{ queue = … }`, `{ dial = … }`, `{ callback = … }`, `{ hours = … }`, `{ voicemail = … }`, `{ conference = … }`, `{ record = "NAME" }`, `{ reject = … }`, `"hangup"`, `{ goto = … }`. Required.
        steps,
    }
}

section! {
    /// Plays a prompt to its end. Short: `{ play = "prompts/welcome.wav" }`.
    PlayToml "{ play = { … } }" {
        /// A sound file: WAV, Ogg (Opus or Vorbis), FLAC or MP3; a relative path starts at the directory of this file. Required.
        prompt,
        /// Play as early media, without answering the call. Default false.
        early,
    }
}

section! {
    /// Plays a prompt and waits for a key. A key cuts the prompt; a wrong key, or none, repeats it.
    MenuToml "{ menu = { … } }" {
        /// A sound file: WAV, Ogg (Opus or Vorbis), FLAC or MP3; a relative path starts at the directory of this file. Required.
        prompt,
        /// Wait for a key after the prompt. `"1s"` to `"1m"`, default `"5s"`.
        timeout,
        /// How often the prompt is heard at most. 1 to 9, default 3.
        tries,
        /// What each key does: `{ 1 = "queue.support", 2 = "flow.closed", "*" = "hangup" }`. Keys are 0 to 9, `*`, `#` and A to D. Required.
        keys,
        /// Where to go on after the last try. Default `"next"`.
        otherwise,
        /// Ask over early media, without answering the call. Default false.
        early,
    }
}

section! {
    /// Waits for an agent; the next step is the overflow. Short: `{ queue = "support" }`.
    QueueStepToml "{ queue = { … } }" {
        /// A `[queue.NAME]`. Required.
        name,
        /// Wait without answering the call; the agent's answer answers it. Default false.
        early,
    }
}

section! {
    /// Calls somebody and connects them. Short: `{ dial = "{called}@teams" }`. Without `busy`, `no_answer` or `failure` the next step follows, and if there is none the caller gets the far end's status.
    DialToml "{ dial = { … } }" {
        /// `"NUMBER@TRUNK"` or `"sip:USER@HOST"`; `{called}` and `{caller}` stand for the numbers of the call. Required.
        to,
        /// How long it may ring. `"1s"` to `"10m"`, default `"2m"`; the trunk's `answer_timeout` caps it.
        ring_timeout,
        /// Where to go on when the far end is busy.
        busy,
        /// Where to go on when nobody answers.
        no_answer,
        /// Where to go on when the call fails otherwise: refused, no such number, trunk full, unreachable.
        failure,
    }
}

section! {
    /// Goes on with the next step when open. Short: `{ hours = "office" }`.
    HoursStepToml "{ hours = { … } }" {
        /// An `[hours.NAME]`. Required.
        name,
        /// Prompt played when closed. Default: that of the hours.
        closed_prompt,
        /// Where to go on when closed. Default: that of the hours.
        closed,
    }
}

section! {
    /// Refuses the call. Short: `{ reject = 486 }`.
    RejectToml "{ reject = { … } }" {
        /// SIP status, 400 to 699 except 401, 407 and 487. Default 603.
        status,
    }
}

/// The kinds of step, as written.
const STEPS: [&str; 14] = [
    "answer",
    "language",
    "play",
    "menu",
    "queue",
    "dial",
    "callback",
    "hours",
    "voicemail",
    "conference",
    "record",
    "reject",
    "hangup",
    "goto",
];

/// A flow as read: a step that could not be read is `None`, so that the checks of the whole can leave it alone.
pub(super) struct FlowSection {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) span: Range<usize>,
    pub(super) steps: Vec<StepRead>,
    /// The section itself could be read.
    pub(super) whole: bool,
}

/// One step as read.
pub(super) struct StepRead {
    pub(super) step: Option<Step>,
    pub(super) key: String,
    pub(super) span: Range<usize>,
}

impl FlowSection {
    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> FlowSection {
        let mut flow = FlowSection {
            name: section.name.to_owned(),
            path: section.path.clone(),
            span: section.span(),
            steps: Vec::new(),
            whole: false,
        };
        let item = Item { key: section.path.clone(), value: section.value };
        let Some(table) = item.table(&format!("[{}]", section.path), scope.report) else { return flow };
        let raw = FlowToml::read(table, &section.path, section.span(), scope.report);
        let such_as = "steps = [{ queue = \"NAME\" }]";
        let Some(steps) = raw.steps.required(such_as, scope.report) else { return flow };
        let DeValue::Array(_) = steps.value.get_ref() else {
            let shown = steps.written(scope.report);
            steps.error(scope.report, format!("{shown} is not a list; write {such_as}"));
            return flow;
        };
        let items = steps.list();
        if items.is_empty() {
            steps.error(scope.report, "nothing would happen to a call; write a step such as \"hangup\"");
            return flow;
        }
        flow.whole = true;
        for item in items {
            let step = step(&item, scope);
            flow.steps.push(StepRead { step, span: item.value.span(), key: item.key });
        }
        flow
    }

    /// The flow, if every step could be read.
    pub(super) fn finished(&self) -> Option<Flow> {
        let steps: Option<Vec<Step>> = self.steps.iter().map(|read| read.step.clone()).collect();
        Some(Flow { name: self.name.clone(), steps: steps?.into_iter().collect() }).filter(|_| self.whole)
    }
}

fn step(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    match item.value.get_ref() {
        DeValue::String(word) => match word.as_ref() {
            "answer" => Some(Step::Answer),
            "hangup" => Some(Step::Hangup),
            other => {
                let cure = if STEPS.contains(&other) {
                    format!("write {{ {other} = … }}")
                } else {
                    known_steps(other)
                };
                item.error(scope.report, format!("\"{other}\" alone is no step; {cure}"));
                None
            }
        },
        DeValue::Table(table) => {
            let entries = item.entries(table);
            let mut known = entries.iter().filter(|(name, _)| STEPS.contains(name));
            match (known.next(), known.next(), entries.len()) {
                (Some((name, value)), None, 1) => step_named(name, value, scope),
                (Some((name, _)), None, _) => {
                    let text =
                        format!("a step has one key; write {{ {name} = {{ … }} }} with the others inside");
                    item.error(scope.report, text);
                    None
                }
                (Some((one, _)), Some((two, _)), _) => {
                    item.error(
                        scope.report,
                        format!("{one} and {two} are two steps; write {{ {one} = … }}, {{ {two} = … }}"),
                    );
                    None
                }
                (None, ..) => {
                    let (name, value) = entries.first().map_or(("", item), |(name, value)| (*name, value));
                    value.error(scope.report, format!("this is no step; {}", known_steps(name)));
                    None
                }
            }
        }
        _ => {
            let shown = item.written(scope.report);
            item.error(scope.report, format!("{shown} is no step; {}", known_steps("")));
            None
        }
    }
}

fn known_steps(name: &str) -> String {
    match nearest(name, STEPS.into_iter()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("steps are {}", STEPS.join(", ")),
    }
}

fn step_named(name: &str, item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    match name {
        "answer" => empty(item, scope).map(|()| Step::Answer),
        "hangup" => empty(item, scope).map(|()| Step::Hangup),
        "language" => scope.language(item).map(Step::Language),
        "play" => play(item, scope),
        "menu" => menu(item, scope),
        "queue" => queue(item, scope),
        "dial" => dial(item, scope),
        "callback" => callback::step(item, scope),
        "hours" => hours(item, scope),
        "voicemail" => voicemail(item, scope),
        "conference" => conference(item, scope),
        "record" => recording::policy(item, scope).map(|policy| Step::Record { policy }),
        "reject" => reject(item, scope),
        _ => Goto::resolve(item, scope).map(Step::Goto),
    }
}

fn empty(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<()> {
    match item.value.get_ref() {
        DeValue::Table(table) if table.is_empty() => return Some(()),
        DeValue::Boolean(true) => return Some(()),
        DeValue::Table(table) => {
            for (name, item) in item.entries(table) {
                item.error(
                    scope.report,
                    format!("{name} is not known here; this step has no keys, write {{}}"),
                );
            }
        }
        _ => {
            let shown = item.written(scope.report);
            item.error(scope.report, format!("{shown} means nothing here; write {{}}"));
        }
    }
    None
}

/// The fields of a step written as a table, or of its short form: one value that stands for the field `short`.
fn short<'i>(item: &Item<'i>, own: &'static str) -> Field<'i> {
    let item = Item { key: join(&item.key, own), value: item.value };
    Field { key: item.key.clone(), section: item.value.span(), item: Some(item) }
}

fn play(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let DeValue::Table(table) = item.value.get_ref() else {
        return Some(Step::Play { prompt: scope.prompt(item)?, early: false });
    };
    let raw = PlayToml::read(table, &item.key, item.value.span(), scope.report);
    let early = raw.early.boolean(false, scope.report);
    let prompt = raw.prompt.required("prompt = \"prompts/welcome.wav\"", scope.report)?;
    Some(Step::Play { prompt: scope.prompt(prompt)?, early })
}

fn menu(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let such_as = "{ prompt = \"prompts/menu.wav\", keys = { 1 = \"queue.NAME\" } }";
    let table = item.table(such_as, scope.report)?;
    let raw = MenuToml::read(table, &item.key, item.value.span(), scope.report);
    let timeout = raw.timeout.duration(bounds("1s", "1m", "5s"), scope.report);
    let tries = raw.tries.integer(1..=9, 3, scope.report) as u8;
    let early = raw.early.boolean(false, scope.report);
    let otherwise = raw.otherwise.item.as_ref().map_or(Some(Goto::Next), |item| Goto::resolve(item, scope));
    let keys = raw.keys.required("keys = { 1 = \"queue.NAME\" }", scope.report).cloned();
    let keys = keys.and_then(|item| telephone_keys(&item, scope));
    let prompt = raw.prompt.required("prompt = \"prompts/menu.wav\"", scope.report).cloned();
    let prompt = prompt.and_then(|item| scope.prompt(&item));
    Some(Step::Menu { prompt: prompt?, timeout, tries, keys: keys?, otherwise: otherwise?, early })
}

/// Where each key leads, in the order of the keys.
pub(super) fn telephone_keys(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Vec<(char, Goto)>> {
    let table = item.table("{ 1 = \"queue.NAME\" }", scope.report)?;
    if table.is_empty() {
        item.error(scope.report, "no key does anything; write { 1 = \"queue.NAME\" }, or take it out");
        return None;
    }
    let mut keys = Vec::new();
    let mut all = true;
    for (name, item) in item.entries(table) {
        let mut letters = name.chars().map(|c| c.to_ascii_uppercase());
        let key = letters.next().filter(|c| c.is_ascii_digit() || "*#ABCD".contains(*c));
        let goto = Goto::resolve(&item, scope);
        match (key, letters.next()) {
            (Some(key), None) => keys.extend(goto.map(|goto| (key, goto))),
            _ => {
                item.error(
                    scope.report,
                    format!("\"{name}\" is no key of a telephone; write one of 0 to 9, \"*\", \"#\", A to D"),
                );
                all = false;
            }
        }
        all &= goto.is_some();
    }
    keys.sort_by_key(|(key, _)| *key);
    if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        item.error(scope.report, format!("key {} is given twice; take one out", pair[0].0));
    }
    Some(keys).filter(|_| all)
}

fn queue(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let (name, early) = match item.value.get_ref() {
        DeValue::Table(table) => {
            let raw = QueueStepToml::read(table, &item.key, item.value.span(), scope.report);
            let early = raw.early.boolean(false, scope.report);
            (raw.name.required("name = \"support\"", scope.report)?.clone(), early)
        }
        _ => (item.clone(), false),
    };
    let text = name.text("\"support\"", scope.report)?;
    let queue = scope.queue(&name, text.strip_prefix("queue.").unwrap_or(text))?;
    Some(Step::Queue { queue, early })
}

fn dial(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let own;
    let raw = match item.value.get_ref() {
        DeValue::Table(table) => DialToml::read(table, &item.key, item.value.span(), scope.report),
        _ => {
            own = toml::de::DeTable::new();
            DialToml { to: short(item, "to"), ..DialToml::read_known(&own, &item.key, item.value.span()) }
        }
    };
    let ring_timeout = raw.ring_timeout.duration(bounds("1s", "10m", "2m"), scope.report);
    let on_busy = optional_goto(&raw.busy, scope);
    let on_no_answer = optional_goto(&raw.no_answer, scope);
    let on_failure = optional_goto(&raw.failure, scope);
    let to = raw.to.required("to = \"{called}@TRUNK\"", scope.report).cloned();
    let address = to.and_then(|item| Address::resolve(&item, scope))?;
    Some(Step::Dial {
        address,
        ring_timeout,
        on_busy: on_busy?,
        on_no_answer: on_no_answer?,
        on_failure: on_failure?,
    })
}

/// The outer `None` is a mistake, the inner an absent key.
fn optional_goto(field: &Field<'_>, scope: &mut Scope<'_, '_>) -> Option<Option<Goto>> {
    field.item.as_ref().map_or(Some(None), |item| Goto::resolve(item, scope).map(Some))
}

fn hours(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let DeValue::Table(table) = item.value.get_ref() else {
        let hours = scope.hours_named(item)?;
        let (closed_prompt, closed) = scope.when_closed(hours);
        return Some(Step::Hours { hours, closed_prompt, closed });
    };
    let raw = HoursStepToml::read(table, &item.key, item.value.span(), scope.report);
    let own_prompt = raw.closed_prompt.item.as_ref().map(|item| scope.prompt(item));
    let own_goto = raw.closed.item.as_ref().map(|item| Goto::resolve(item, scope));
    let name = raw.name.required("name = \"office\"", scope.report)?.clone();
    let hours = scope.hours_named(&name)?;
    let (closed_prompt, closed) = scope.when_closed(hours);
    Some(Step::Hours {
        hours,
        closed_prompt: own_prompt.map_or(Some(closed_prompt), |own| own.map(Some))?,
        closed: own_goto.unwrap_or(Some(closed))?,
    })
}

fn reject(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let status = match item.value.get_ref() {
        DeValue::Table(table) => {
            let raw = RejectToml::read(table, &item.key, item.value.span(), scope.report);
            match &raw.status.item {
                None => return Some(Step::Reject { status: 603 }),
                Some(item) => item.clone(),
            }
        }
        _ => item.clone(),
    };
    let number = status.integer(400..=699, "603", scope.report)? as u16;
    // These three belong to authentication and CANCEL: a caller's phone would draw the wrong conclusion.
    if matches!(number, 401 | 407 | 487) {
        status.error(
            scope.report,
            format!("{number} would not be understood as a refusal; write 603, 486, 480 or 404"),
        );
        return None;
    }
    Some(Step::Reject { status: number })
}

impl Goto {
    /// Reads `"flow.NAME"`, `"queue.NAME"`, `"next"` or `"hangup"`.
    pub(super) fn resolve(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Goto> {
        let text = item.text("\"flow.NAME\"", scope.report)?;
        match text.split_once('.') {
            Some(("flow", name)) => scope.flow(item, name).map(Goto::Flow),
            Some(("queue", name)) => scope.queue(item, name).map(Goto::Queue),
            None if text == "next" => Some(Goto::Next),
            None if text == "hangup" => Some(Goto::Hangup),
            _ => {
                let cure = if scope.flows.has(text) {
                    format!("write \"flow.{text}\"")
                } else if scope.queues.has(text) {
                    format!("write \"queue.{text}\"")
                } else {
                    "write \"flow.NAME\", \"queue.NAME\", \"next\" or \"hangup\"".to_owned()
                };
                item.error(scope.report, format!("\"{text}\" is no place to go on; {cure}"));
                None
            }
        }
    }
}
