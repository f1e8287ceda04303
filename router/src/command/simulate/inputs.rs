//! From options, the table of a day or the journal to what is simulated.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{
    super::CommandError,
    options::{Named, Options, Until},
};
use crate::{
    config::{Config, QueueId, duration, written},
    driver::{
        journal_store::FILE,
        journal_writer::{self, JournalError},
    },
    journal::fact::Micros,
    simulate::{
        Arrival, Arrivals, Forecast, HALF_HOUR, Headcount, Length, PerQueue, Rate, Replay, Scenario, read_csv,
    },
};

/// An ordinary Monday.
const SOME_DAY: Date = Date::constant(2026, 1, 12);
const EIGHT_O_CLOCK: Time = Time::constant(8, 0, 0, 0);
/// Talk time where nothing is known of it.
const SOME_TALK: Duration = Duration::from_secs(180);
/// Problems of a table that are printed.
const MOST_PROBLEMS: usize = 200;
/// Callers who can wait at once: what the scheduler has room for, agents' calls left out.
const MOST_WAITING: u64 = 4_000_000;

/// What was found out about callers before anything is drawn.
struct Demand {
    arrivals: Arrivals,
    patience: BTreeMap<QueueId, Length>,
    ring: Option<Length>,
    /// What is to be told about it.
    notes: Vec<String>,
}

/// What is to be simulated, and the sentences that say on what it rests.
pub(super) fn question<'c>(
    config: &'c Config,
    options: &Options,
    origin: Instant,
) -> Result<(Forecast<'c>, Vec<String>), CommandError> {
    let refuse = |text: String| CommandError::Input(text);
    room(config).map_err(refuse)?;
    let zone = zone(config);
    let staffings = staffings(config, &options.agents).map_err(refuse)?;
    let demand = demand(config, options, &zone)?;
    let (start, length) = stretch(options, &demand.arrivals, &zone).map_err(refuse)?;
    let talk = talk(config, options, &demand.arrivals).map_err(refuse)?;
    let mut patience = PerQueue { default: Length::Never, named: demand.patience };
    overrule(config, "--patience", &options.patience, &mut patience).map_err(refuse)?;
    let ring = options.ring.clone().or(demand.ring).unwrap_or(Length::Fixed(Duration::ZERO));
    let mut notes = demand.notes;
    notes.extend(outside(&demand.arrivals, start, length));
    notes.extend(told("talk time", config, &talk));
    notes.extend(told("patience", config, &patience));
    notes.push(format!("ring time: {ring}"));
    let scenario = Scenario {
        config,
        arrivals: demand.arrivals,
        talk,
        patience,
        ring,
        start,
        length,
        seed: options.seed,
        origin,
    };
    Ok((Forecast { scenario, days: options.days, staffings, goal: options.goal, zone }, notes))
}

fn room(config: &Config) -> Result<(), String> {
    let waiting: u64 = config.queues().map(|(_, queue)| u64::from(queue.max_waiting)).sum();
    match waiting {
        0 => Err("the configuration has no queue; write a [queue.NAME]".to_owned()),
        waiting if waiting > MOST_WAITING => Err(format!(
            "{waiting} callers could wait at once by the max_waiting of all queues; the simulation has room for \
             {MOST_WAITING}: write less"
        )),
        _ => Ok(()),
    }
}

/// In which times of day are told: that of the first queue with opening hours.
fn zone(config: &Config) -> TimeZone {
    let hours = config.queues().find_map(|(_, queue)| config.hours(queue.hours?));
    hours.map_or(TimeZone::UTC, |hours| hours.zone.clone())
}

fn queue_named(config: &Config, option: &str, name: Option<&str>) -> Result<QueueId, String> {
    let names: Vec<&str> = config.queues().map(|(_, queue)| queue.name.as_str()).collect();
    let found = config.queues().find(|(_, queue)| name.map_or(names.len() == 1, |name| queue.name == name));
    found.map(|(id, _)| id).ok_or_else(|| match name {
        Some(name) => {
            format!("{option}: no queue {name:?} in the configuration; it has {}", names.join(", "))
        }
        None => format!("{option}: for which queue? Write QUEUE= before it; there are {}", names.join(", ")),
    })
}

/// Every staffing in turn: at most one queue has a range.
fn staffings(
    config: &Config,
    agents: &[Named<std::ops::RangeInclusive<u32>>],
) -> Result<Vec<Vec<Headcount>>, String> {
    let mut staffings: Vec<Vec<Headcount>> = vec![Vec::new()];
    for named in agents {
        let queue = queue_named(config, "--agents", named.queue.as_deref())?;
        if staffings[0].iter().any(|head| head.queue == queue) {
            return Err("--agents: a queue is named twice; write it once".to_owned());
        }
        if named.value.start() != named.value.end() && staffings.len() > 1 {
            return Err("--agents: two ranges; give one queue a range and the others a number".to_owned());
        }
        let each = named.value.clone().flat_map(|agents| {
            staffings.iter().map(move |heads| [heads.as_slice(), &[Headcount { queue, agents }]].concat())
        });
        staffings = each.collect();
    }
    Ok(staffings)
}

fn demand(config: &Config, options: &Options, zone: &TimeZone) -> Result<Demand, CommandError> {
    match options.arrivals.as_str() {
        "journal" => replay(config, options.day, zone),
        file if file.ends_with(".csv") => table(config, Path::new(file), options.day, zone),
        text => rates(config, text).map_err(CommandError::Input),
    }
}

fn rates(config: &Config, text: &str) -> Result<Demand, String> {
    let cure = |what: &str| {
        format!(
            "--arrivals: {what:?} is no rate; write 80/8h or support=80/8h, a file that ends in .csv, or journal"
        )
    };
    let (mut rates, mut notes): (Vec<Rate>, Vec<String>) = (Vec::new(), Vec::new());
    for part in text.split(',') {
        let (name, rate) = part.split_once('=').map_or((None, part), |(name, rate)| (Some(name), rate));
        let (calls, per) = rate.split_once('/').ok_or_else(|| cure(part))?;
        let calls = calls
            .parse::<f64>()
            .ok()
            .filter(|calls| (0.0..=1e9).contains(calls))
            .ok_or_else(|| cure(part))?;
        let per = duration(per).ok().filter(|per| !per.is_zero()).ok_or_else(|| cure(part))?;
        let queue = queue_named(config, "--arrivals", name)?;
        if rates.iter().any(|rate| rate.queue == queue) {
            return Err("--arrivals: a queue is named twice; write it once".to_owned());
        }
        notes.push(format!("calls for {}: {calls} in {}, at random", name_of(config, queue), written(per)));
        rates.push(Rate { queue, calls, per });
    }
    Ok(Demand { arrivals: Arrivals::Rates(rates), patience: BTreeMap::new(), ring: None, notes })
}

fn table(config: &Config, file: &Path, day: Option<Date>, zone: &TimeZone) -> Result<Demand, CommandError> {
    let shown = file.display();
    let unreadable = |error: std::io::Error| {
        CommandError::Input(format!("{shown}: the file cannot be read as text: {error}; name one in UTF-8"))
    };
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let day = read_csv(&text, config, zone, day.unwrap_or(SOME_DAY)).map_err(|problems| {
        let mut lines: Vec<String> =
            problems.iter().take(MOST_PROBLEMS).map(|problem| format!("{shown}:{problem}")).collect();
        if problems.len() > MOST_PROBLEMS {
            lines.push(format!("{shown}: and {} more", problems.len() - MOST_PROBLEMS));
        }
        CommandError::Input(lines.join("\n"))
    })?;
    let mut notes = vec![format!("calls: {} from {shown}", day.arrivals.len())];
    if !day.ignored.is_empty() {
        notes.push(format!("columns not read: {}", day.ignored.join(", ")));
    }
    Ok(Demand { arrivals: Arrivals::Given(day.arrivals), patience: BTreeMap::new(), ring: None, notes })
}

fn replay(config: &Config, day: Option<Date>, zone: &TimeZone) -> Result<Demand, CommandError> {
    let data_dir = &config.node.data_dir;
    let store = journal_writer::read(data_dir)?;
    let mut replay = Replay::new(config, zone.clone(), day);
    let read = store.facts_after(0, |fact| {
        replay.apply(&fact);
        Ok(())
    });
    read.map_err(|source| JournalError::Database { path: data_dir.join(FILE), source })?;
    let replayed = replay.finish().ok_or_else(|| {
        let when = day.map_or_else(String::new, |day| format!(" on {day}"));
        CommandError::Input(format!(
            "{}: nobody entered a queue{when}; name another --day",
            data_dir.join(FILE).display()
        ))
    })?;
    let mut notes = vec![format!("calls: {} of {} from the journal", replayed.arrivals.len(), replayed.day)];
    let unknown = replayed.unknown.iter();
    notes.extend(
        unknown.map(|(queue, calls)| format!("left out: {calls} calls for {queue}, a queue that is gone")),
    );
    Ok(Demand {
        arrivals: Arrivals::Given(replayed.arrivals),
        patience: replayed.patience,
        ring: replayed.ring,
        notes,
    })
}

/// When it begins and how long it lasts.
fn stretch(options: &Options, arrivals: &Arrivals, zone: &TimeZone) -> Result<(Micros, Duration), String> {
    let given = match arrivals {
        Arrivals::Given(list) => list.first().zip(list.last()),
        Arrivals::Rates(_) => None,
    };
    let first = given.and_then(|(first, _)| Timestamp::from_microsecond(first.at).ok());
    let first = first.map(|at| at.to_zoned(zone.clone()));
    let day = first.as_ref().map(|first| first.date()).or(options.day).unwrap_or(SOME_DAY);
    let half_hour = |clock: Time| Time::constant(clock.hour(), clock.minute() / 30 * 30, 0, 0);
    let clock = first.map_or(EIGHT_O_CLOCK, |first| half_hour(first.time()));
    let instant = |day: Date, clock: Time| {
        let zoned = day.to_datetime(clock).to_zoned(zone.clone());
        zoned
            .map(|zoned| zoned.timestamp().as_microsecond())
            .map_err(|error| format!("{day} {clock}: {error}"))
    };
    let start = instant(day, options.from.unwrap_or(clock))?;
    let end = match (options.until, given) {
        (Some(Until::After(length)), _) => return Ok((start, length)),
        (Some(Until::Clock(clock)), _) => instant(day, clock)?,
        (None, Some((_, last))) => {
            let half_hour = HALF_HOUR.as_micros() as Micros;
            start + ((last.at - start).max(0) / half_hour + 1) * half_hour
        }
        (None, None) => return Err("--until is missing: write how long, such as --until 8h".to_owned()),
    };
    match u64::try_from(end - start) {
        Ok(length) if length > 0 => Ok((start, Duration::from_micros(length))),
        _ => Err("--until: it would end before it begins; write a later time".to_owned()),
    }
}

/// Measured talk times are drawn from where one is missing; what is told on the command line comes first.
fn talk(config: &Config, options: &Options, arrivals: &Arrivals) -> Result<PerQueue, String> {
    let mut measured: BTreeMap<QueueId, Vec<Micros>> = BTreeMap::new();
    if let Arrivals::Given(list) = arrivals {
        for Arrival { queue, talk, .. } in list {
            measured.entry(*queue).or_default().extend(talk);
        }
    }
    let named = measured.into_iter().filter(|(_, talks)| !talks.is_empty());
    let named = named.map(|(queue, talks)| (queue, Length::Measured(talks.into()))).collect();
    let mut talk = PerQueue { default: Length::Exponential { mean: SOME_TALK }, named };
    if options.talk.iter().any(|named| named.value == Length::Never) {
        return Err("--talk: a call that never ends keeps its agent for ever; write a length".to_owned());
    }
    overrule(config, "--talk", &options.talk, &mut talk)?;
    Ok(talk)
}

fn overrule(
    config: &Config,
    option: &str,
    told: &[Named<Length>],
    lengths: &mut PerQueue,
) -> Result<(), String> {
    if let Some(all) = told.iter().rfind(|named| named.queue.is_none()) {
        *lengths = PerQueue::all(all.value.clone());
    }
    for Named { queue, value } in told.iter().filter(|named| named.queue.is_some()) {
        lengths.named.insert(queue_named(config, option, queue.as_deref())?, value.clone());
    }
    Ok(())
}

/// Calls that are left out because they came too early or too late.
fn outside(arrivals: &Arrivals, start: Micros, length: Duration) -> Option<String> {
    let Arrivals::Given(list) = arrivals else { return None };
    let end = start + length.as_micros() as Micros;
    let outside = list.iter().filter(|arrival| arrival.at < start || arrival.at >= end).count();
    (outside > 0).then(|| format!("left out: {outside} calls before the beginning or after the end"))
}

/// `talk time: 3m on average, exponential`, and for each queue that differs another.
fn told(what: &str, config: &Config, lengths: &PerQueue) -> Vec<String> {
    let one =
        |(queue, length): (&QueueId, &Length)| format!("{what} for {}: {length}", name_of(config, *queue));
    let all_named = config.queues().all(|(id, _)| lengths.named.contains_key(&id));
    let rest = (!all_named).then(|| match lengths.default {
        Length::Never => format!("{what}: without end"),
        ref length => format!("{what}: {length}"),
    });
    rest.into_iter().chain(lengths.named.iter().map(one)).collect()
}

fn name_of(config: &Config, queue: QueueId) -> &str {
    config.queue(queue).map_or("", |queue| &queue.name)
}
