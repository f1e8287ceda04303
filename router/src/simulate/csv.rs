//! A real day as a table: one call a row.
//!
//! The first row names the columns, in any order; others may stand beside them and are not read.
//!
//! | column | what | |
//! |---|---|---|
//! | `arrived_at` | when the caller entered the queue: `2026-11-24T09:15:02`, with offset or not, or `09:15:02` alone | required |
//! | `queue` | name of the queue | required unless the configuration has only one |
//! | `talk_s` | how long caller and agent talked, in seconds; empty if nobody answered | optional |
//!
//! Fields are parted by commas, or by semicolons if the first row has one: then decimals may have a comma. A field in
//! double quotes may hold either; `""` is a quote in it (RFC 4180). Nothing is guessed: a row that cannot be read is
//! a [`Problem`], and then there is no day.

use std::fmt;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::Arrival;
use crate::{
    config::{Config, QueueId},
    journal::fact::Micros,
};

/// Calls in a day at most.
const MOST_CALLS: usize = 5_000_000;
/// A talk time is shorter.
const LONGEST_TALK_S: f64 = 86_400.0;

/// A day as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenDay {
    /// In the order of time.
    pub arrivals: Vec<Arrival>,
    /// Columns that were not read.
    pub ignored: Vec<String>,
}

/// Why a row cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of the file, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The column's name; empty if it is about the whole row.
    pub name: String,
    /// What is wrong, and the cure.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        f.write_str(&self.text)
    }
}

/// Reads the whole table. Times without an offset are those of `zone`; times without a date are of `date`.
///
/// # Errors
/// Every bad row, in the order of the file; a row with several mistakes is named with each.
pub fn read_csv(text: &str, config: &Config, zone: &TimeZone, date: Date) -> Result<GivenDay, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let first = lines.next().map_or("", |(_, line)| line);
    let table = Table::read(first, config, zone, date).map_err(|problem| vec![problem])?;
    let (mut arrivals, mut problems) = (Vec::new(), Vec::new());
    for (line, row) in lines.filter(|(_, row)| !row.trim().is_empty()) {
        match table.arrival(line, row) {
            Ok(_) if arrivals.len() >= MOST_CALLS => {
                let text = format!("more than {MOST_CALLS} calls; split the file");
                problems.push(Problem { line, column: 1, name: String::new(), text });
                break;
            }
            Ok(arrival) => arrivals.push(arrival),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() && arrivals.is_empty() {
        let text = "no calls; write one a row below the names of the columns".to_owned();
        problems.push(Problem { line: 2, column: 1, name: String::new(), text });
    }
    arrivals.sort_by_key(|arrival| arrival.at);
    if problems.is_empty() { Ok(GivenDay { arrivals, ignored: table.ignored }) } else { Err(problems) }
}

/// Where the columns stand.
struct Table<'a> {
    config: &'a Config,
    zone: &'a TimeZone,
    date: Date,
    separator: char,
    width: usize,
    arrived_at: usize,
    queue: Option<usize>,
    talk_s: Option<usize>,
    ignored: Vec<String>,
}

/// One field: where it begins, from 1, and what it says.
struct Field {
    column: usize,
    text: String,
}

impl<'a> Table<'a> {
    fn read(first: &str, config: &'a Config, zone: &'a TimeZone, date: Date) -> Result<Table<'a>, Problem> {
        let separator = if first.contains(';') { ';' } else { ',' };
        let problem =
            |column, name: &str, text: String| Problem { line: 1, column, name: name.to_owned(), text };
        let fields = fields(first, separator).map_err(|(column, text)| problem(column, "", text))?;
        let find = |name: &str| fields.iter().position(|field| field.text == name);
        for (index, field) in fields.iter().enumerate() {
            if find(&field.text) != Some(index) && COLUMNS.contains(&field.text.as_str()) {
                return Err(problem(
                    field.column,
                    &field.text,
                    "this column comes twice; keep one".to_owned(),
                ));
            }
        }
        let missing = |name: &str| {
            problem(1, name, format!("no such column; the first row names them: {}", COLUMNS.join(",")))
        };
        let queue = find("queue");
        if queue.is_none() && config.queues().count() != 1 {
            return Err(missing("queue"));
        }
        let ignored = fields.iter().map(|field| &field.text).filter(|name| !COLUMNS.contains(&name.as_str()));
        Ok(Table {
            config,
            zone,
            date,
            separator,
            width: fields.len(),
            arrived_at: find("arrived_at").ok_or_else(|| missing("arrived_at"))?,
            queue,
            talk_s: find("talk_s"),
            ignored: ignored.cloned().collect(),
        })
    }

    fn arrival(&self, line: usize, row: &str) -> Result<Arrival, Vec<Problem>> {
        let problem = |column, name: &str, text| Problem { line, column, name: name.to_owned(), text };
        let fields = fields(row, self.separator).map_err(|(column, text)| vec![problem(column, "", text)])?;
        if fields.len() != self.width {
            let text = format!("{} fields, the first row has {}; give it as many", fields.len(), self.width);
            return Err(vec![problem(1, "", text)]);
        }
        let mut problems = Vec::new();
        let mut note =
            |index: usize, name: &str, text| problems.push(problem(fields[index].column, name, text));
        let text = |index: usize| fields[index].text.as_str();
        let at =
            self.instant(text(self.arrived_at)).map_err(|text| note(self.arrived_at, "arrived_at", text));
        let queue = match self.queue {
            Some(index) => self.queue(text(index)).map_err(|text| note(index, "queue", text)),
            None => self.config.queues().next().map(|(id, _)| id).ok_or(()),
        };
        let talk = match self.talk_s {
            Some(index) => self.talk(text(index)).map_err(|text| note(index, "talk_s", text)),
            None => Ok(None),
        };
        match (at, queue, talk) {
            (Ok(at), Ok(queue), Ok(talk)) => Ok(Arrival { at, queue, talk }),
            _ => Err(problems),
        }
    }

    fn instant(&self, text: &str) -> Result<Micros, String> {
        let unreadable = || format!("{text:?} is no time; write it such as 2026-11-24T09:15:02 or 09:15:02");
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(at.as_microsecond());
        }
        let has_date = text.contains('-');
        let wall = match has_date {
            true if !text.contains([':']) => return Err(unreadable()),
            true => text.parse::<DateTime>().map_err(|_| unreadable())?,
            false => DateTime::from_parts(self.date, text.parse::<Time>().map_err(|_| unreadable())?),
        };
        let zoned = self.zone.to_ambiguous_zoned(wall).unambiguous().map_err(|_| {
            format!("{text:?} does not happen, or twice, as clocks change that day; write it with its offset")
        })?;
        Ok(zoned.timestamp().as_microsecond())
    }

    fn queue(&self, text: &str) -> Result<QueueId, String> {
        let found = self.config.queues().find(|(_, queue)| queue.name == text);
        found.map(|(id, _)| id).ok_or_else(|| {
            let names: Vec<&str> = self.config.queues().map(|(_, queue)| queue.name.as_str()).collect();
            format!("no queue {text:?} in the configuration; it has {}", names.join(", "))
        })
    }

    /// Empty: not measured.
    fn talk(&self, text: &str) -> Result<Option<Micros>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let point = if self.separator == ';' { text.replacen(',', ".", 1) } else { text.to_owned() };
        let is_plain = point.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let seconds = point.parse::<f64>().ok().filter(|seconds| is_plain && *seconds < LONGEST_TALK_S);
        seconds.map(|seconds| Some((seconds * 1e6).round() as Micros)).ok_or_else(|| {
            format!("{text:?} is no number of seconds within a day; write such as 182 or 182.5, or nothing")
        })
    }
}

const COLUMNS: [&str; 3] = ["arrived_at", "queue", "talk_s"];

/// The fields of a row, or where a quote is not closed.
fn fields(row: &str, separator: char) -> Result<Vec<Field>, (usize, String)> {
    let (mut fields, mut text, mut begun, mut quote) = (Vec::new(), String::new(), 1, None);
    let mut characters = row.chars().enumerate().peekable();
    while let Some((index, character)) = characters.next() {
        match (character, quote) {
            ('"', Some(_)) if characters.next_if(|(_, next)| *next == '"').is_some() => text.push('"'),
            ('"', Some(_)) => quote = None,
            ('"', None) if text.trim().is_empty() => quote = Some(index + 1),
            (character, None) if character == separator => {
                fields.push(Field { column: begun, text: std::mem::take(&mut text).trim().to_owned() });
                begun = index + 2;
            }
            (character, _) => text.push(character),
        }
    }
    if let Some(opened) = quote {
        return Err((opened, "this quote is not closed in its line; close it".to_owned()));
    }
    fields.push(Field { column: begun, text: text.trim().to_owned() });
    Ok(fields)
}
