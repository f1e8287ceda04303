//! `[hours.NAME]` as written.

use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::flow::Goto;
use super::hours::{Day, Hours, Span, WEEKDAYS};
use super::problem::Report;
use super::raw::{Item, nearest, section, unknown_key};
use super::scope::{Scope, Section};

section! {
    /// Opening hours: when somebody is there, and what happens when nobody is. Used by a number, a queue, or a step of a flow.
    HoursToml "[hours.NAME]" {
        /// Time zone by its name in the IANA data, `"Europe/Berlin"`; summer time is taken care of. Required.
        zone,
        /// Times of a weekday, `"09:00-17:00"` or a list of such, in order; `"00:00-24:00"` is the whole day. Several days at once: `mon-fri = "09:00-17:00"`. A day without is closed.
        mon,
        /// As `mon`.
        tue,
        /// As `mon`.
        wed,
        /// As `mon`.
        thu,
        /// As `mon`.
        fri,
        /// As `mon`.
        sat,
        /// As `mon`.
        sun,
        /// Days on which it is closed: `"2026-04-03"`, or `"12-25"` for every year. Default: none.
        holidays,
        /// Days with times of their own, a table of date to times: `special = { "2026-12-24" = "09:00-13:00", "12-31" = [] }`. They beat holidays and weekdays. Default: none.
        special,
        /// Prompt played when closed. Default: none.
        closed_prompt,
        /// Where a call goes when closed, after the prompt: `"flow.NAME"`, `"queue.NAME"`, `"next"` or `"hangup"`. Default `"hangup"`.
        closed,
    }
}

impl Hours {
    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<Hours> {
        let item = Item { key: section.path.clone(), value: section.value };
        let table = item.table(&format!("[{}]", section.path), scope.report)?;
        let raw = HoursToml::read_known(table, &section.path, section.span());
        let zone = raw.zone.required("zone = \"Europe/Berlin\"", scope.report);
        let zone = zone.and_then(|item| self::zone(item, scope.report)).unwrap_or(TimeZone::UTC);
        let week = week(&item, scope.report);
        let holidays = holidays(&raw.holidays.list(), scope.report);
        let special = raw.special.item.as_ref().map(|item| special(item, &holidays, scope.report));
        let closed_prompt = raw.closed_prompt.item.as_ref().and_then(|item| scope.prompt(item));
        let closed = raw.closed.item.as_ref().and_then(|item| Goto::resolve(item, scope));
        Some(Hours {
            name: section.name.to_owned(),
            zone,
            week,
            holidays,
            special: special.unwrap_or_default(),
            closed_prompt,
            closed: closed.unwrap_or(Goto::Hangup),
        })
    }
}

fn zone(item: &Item<'_>, report: &mut Report) -> Option<TimeZone> {
    let name = item.text("\"Europe/Berlin\"", report)?;
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let cure = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "write one such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
    };
    item.error(report, format!("\"{name}\" is no time zone of the IANA data; {cure}"));
    None
}

/// The weekdays' times, from keys such as `mon` and `mon-fri`.
fn week(section: &Item<'_>, report: &mut Report) -> [Vec<Span>; 7] {
    let mut week: [Vec<Span>; 7] = Default::default();
    let mut set: [Option<&str>; 7] = [None; 7];
    let DeValue::Table(table) = section.value.get_ref() else { return week };
    for (key, item) in section.entries(table) {
        let Some(days) = days(key) else {
            refuse_unknown(key, &item, report);
            continue;
        };
        let spans = spans(&item, report);
        for day in days {
            if let Some(other) = set[day] {
                item.error(
                    report,
                    format!("{} has its times from \"{other}\" already; name each day once", WEEKDAYS[day]),
                );
                continue;
            }
            set[day] = Some(key);
            week[day].clone_from(&spans);
        }
    }
    week
}

fn refuse_unknown(key: &str, item: &Item<'_>, report: &mut Report) {
    let known = HoursToml::DOC.keys.iter().map(|(name, _)| *name);
    if !known.clone().any(|name| name == key) {
        item.error(report, unknown_key(key, known));
    }
}

/// `mon`, or `mon-fri`; a range may run over the weekend. `None` if the key names no day.
fn days(key: &str) -> Option<Vec<usize>> {
    let day = |name: &str| WEEKDAYS.iter().position(|day| *day == name);
    let (first, last) = key.split_once('-').unwrap_or((key, key));
    let (first, last) = (day(first)?, day(last)?);
    Some((0..=(last + 7 - first) % 7).map(|step| (first + step) % 7).collect())
}

/// `"09:00-12:00"`, or a list of such, in order and apart.
fn spans(item: &Item<'_>, report: &mut Report) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for item in item.list() {
        let Some(span) = span(&item, report) else { continue };
        match spans.iter().find(|other| other.from < span.to && span.from < other.to) {
            Some(other) => {
                item.error(report, format!("{} overlaps {}; write them as one", shown(span), shown(*other)))
            }
            None => spans.push(span),
        }
    }
    spans.sort();
    spans
}

fn span(item: &Item<'_>, report: &mut Report) -> Option<Span> {
    let text = item.text("\"09:00-17:00\"", report)?;
    let minutes =
        text.split_once('-').and_then(|(from, to)| Some((minute(from.trim())?, minute(to.trim())?)));
    let Some((from, to)) = minutes else {
        item.error(
            report,
            format!("\"{text}\" is no span of a day; write it such as \"09:00-17:00\", at most to 24:00"),
        );
        return None;
    };
    if from == to {
        item.error(
            report,
            format!("\"{text}\" lasts no time; write \"00:00-24:00\" for the whole day, [] for none"),
        );
        return None;
    }
    if from > to {
        let (from, to) = (clock(from), clock(to));
        item.error(
            report,
            format!(
                "\"{text}\" runs backwards; write \"{from}-24:00\" here and \"00:00-{to}\" on the day after"
            ),
        );
        return None;
    }
    Some(Span { from, to })
}

/// `9:00` and `09:00` up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str, lengths: RangeInclusive<usize>| {
        let fits = lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| fits)
    };
    let (hour, minute) = (digits(hour, 1..=2)?, digits(minute, 2..=2)?);
    Some(hour * 60 + minute).filter(|total| minute < 60 && *total <= 1_440)
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A span as it is written.
pub(crate) fn shown(span: Span) -> String {
    format!("{}-{}", clock(span.from), clock(span.to))
}

fn holidays(items: &[Item<'_>], report: &mut Report) -> Vec<Day> {
    let mut days = Vec::new();
    for item in items {
        // TOML has dates of its own; we take them as well as texts.
        let written = match item.value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            _ => match item.text("\"12-25\"", report) {
                Some(text) => text.to_owned(),
                None => continue,
            },
        };
        let Some(day) = day(&written, item, report) else { continue };
        if days.contains(&day) {
            item.error(report, format!("\"{written}\" stands in the list already; take one out"));
        } else {
            days.push(day);
        }
    }
    days
}

fn special(item: &Item<'_>, holidays: &[Day], report: &mut Report) -> Vec<(Day, Vec<Span>)> {
    let Some(table) = item.table("{ \"2026-12-24\" = \"09:00-13:00\" }", report) else { return Vec::new() };
    let mut days: Vec<(Day, Vec<Span>)> = Vec::new();
    for (key, item) in item.entries(table) {
        let spans = spans(&item, report);
        let Some(day) = day(key, &item, report) else { continue };
        if holidays.contains(&day) {
            item.error(
                report,
                format!("\"{key}\" is also a holiday; keep one of them ([] here means closed)"),
            );
        }
        days.push((day, spans));
    }
    days
}

/// `2026-12-24` or `12-24`.
fn day(text: &str, item: &Item<'_>, report: &mut Report) -> Option<Day> {
    let whole = match text.len() {
        10 => text.parse::<Date>().ok().map(Day::Once),
        // A leap year, so that 29 February may be a yearly date.
        5 => format!("2028-{text}").parse::<Date>().ok().map(|date| Day::Yearly(date.month(), date.day())),
        _ => None,
    };
    if whole.is_none() {
        item.error(
            report,
            format!("\"{text}\" is no date; write \"2026-12-24\", or \"12-24\" for every year"),
        );
    }
    whole
}
