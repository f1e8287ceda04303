//! What `fernamt simulate` is told.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use jiff::civil::{Date, Time};

use crate::{config::duration, simulate::Length};

/// Forecasts a day: callers and agents in virtual time, with the scheduler and the queues of FILE.
///
/// Nothing is calculated by a formula: callers arrive, wait, give up, are answered and flow over as in the running
/// router, with strategy, priority, max_waiting, max_wait, ring_timeout, wrap_up, rest_no_answer and hours of each
/// queue in FILE. All agents in FILE are at work from --from to --until. Who leaves a queue unanswered goes on to the
/// queue that follows it in the flows, if they agree on one.
///
/// Each call counts in the half hour in which it entered its queue. "In time" is answered within the queue's
/// service_level over all offered but those who gave up within its short_abandon (definition b; --json has the seven usual ones).
/// Lengths are "exponential with this mean" when written 60s; or fixed:60s, or lognormal:3m,2m (mean, standard
/// deviation), or never.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The configuration.
    #[arg(default_value = "fernamt.toml")]
    pub file: PathBuf,
    /// Who calls when: a rate for each queue, support=80/8h,billing=5/30m (with one queue: 80/8h), at random; or a
    /// file ending in .csv with a real day; or journal: a day of FILE's journal once more, with the talk times,
    /// ring times and patience measured then. Nobody is called back: callers who asked for it have left, and the
    /// journal's callbacks are no arrivals.
    ///
    /// The first row of the CSV file names its columns, in any order, parted by commas or semicolons: arrived_at
    /// (2026-11-24T09:15:02, with offset or not, or 09:15:02; required), queue (required unless FILE has only one),
    /// talk_s (seconds between caller and agent; empty if nobody answered: then it is drawn). Other columns are not
    /// read. One call a row, in any order; a bad row is named with line and column, and nothing is simulated.
    #[arg(long, value_name = "RATES|FILE.csv|journal")]
    pub arrivals: String,
    /// The day, as 2026-11-24. Default: with the journal the last one with calls; else that of the first call, or
    /// Monday 2026-01-12 if times have no date. Decides about opening hours.
    #[arg(long, value_name = "DATE")]
    pub day: Option<Date>,
    /// When it begins, on the clock of the first queue with opening hours, else UTC. Default: 08:00 for rates, else
    /// the half hour of the first call. Calls before it are left out.
    #[arg(long, value_name = "HH:MM")]
    pub from: Option<Time>,
    /// When it ends: a length such as 8h, or a time of day such as 17:00. Required for rates; default: the end of
    /// the last call's half hour. Who waits then is counted as waiting.
    #[arg(long, value_name = "LENGTH|HH:MM", value_parser = until)]
    pub until: Option<Until>,
    /// How long callers wait before they hang up. Default: as measured in the journal, else never. Repeat it with
    /// QUEUE= for single queues.
    #[arg(long, value_name = "[QUEUE=]LENGTH", value_parser = named_length)]
    pub patience: Vec<Named<Length>>,
    /// How long they talk, where it was not measured. Default: as the measured ones of the queue; with none, 3m.
    #[arg(long, value_name = "[QUEUE=]LENGTH", value_parser = named_length)]
    pub talk: Vec<Named<Length>>,
    /// How long an agent's telephone rings; beyond the queue's ring_timeout it is not answered. With ring-all each who
    /// rings answers after a time of his own, and the first gets the caller: of 0s that is longest-idle. Default: as
    /// measured in the journal, else fixed:0s.
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse)]
    pub ring: Option<Length>,
    /// So many agents for a queue, who serve nothing else, in place of those in FILE: support=12 or, each number in
    /// turn, support=12..18 (one queue only); several queues are parted by commas. With one queue its name can be
    /// left out. A range ends with what more agents would change.
    #[arg(long, value_name = "[QUEUE=]N[..M]", value_delimiter = ',', value_parser = headcount)]
    pub agents: Vec<Named<RangeInclusive<u32>>>,
    /// The service level to be reached, for the advice.
    #[arg(long, default_value = "80%", value_name = "PERCENT", value_parser = percent)]
    pub goal: f64,
    /// Simulates the day so often, each time drawn anew; from 2 on totals have a 99 % confidence interval.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub days: u32,
    /// Another seed, other callers; the same seed, the same outcome.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    /// Also draws service level and calls by half hour.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

/// Something for one queue, or for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    /// The queue's name; `None`: all queues.
    pub queue: Option<String>,
    /// What.
    pub value: T,
}

/// When it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// So long after the beginning.
    After(Duration),
    /// At this time of day, after the beginning.
    Clock(Time),
}

/// What is simulated at most.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// Agents of one queue at most.
const MOST_AGENTS: u32 = 100_000;
/// Staffings tried at most.
const MOST_STAFFINGS: u32 = 200;

fn named<T>(text: &str, value: impl FnOnce(&str) -> Result<T, String>) -> Result<Named<T>, String> {
    match text.split_once('=') {
        Some((queue, rest)) => Ok(Named { queue: Some(queue.to_owned()), value: value(rest)? }),
        None => Ok(Named { queue: None, value: value(text)? }),
    }
}

fn named_length(text: &str) -> Result<Named<Length>, String> {
    named(text, Length::parse)
}

fn headcount(text: &str) -> Result<Named<RangeInclusive<u32>>, String> {
    named(text, |numbers| {
        let (few, many) = numbers.split_once("..").unwrap_or((numbers, numbers));
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MOST_AGENTS);
        match (number(few), number(many)) {
            (Some(few), Some(many)) if few <= many && many - few < MOST_STAFFINGS => Ok(few..=many),
            _ => Err(format!(
                "{numbers:?} is no number of agents; write 12, or 12..18 with the smaller first, at most \
                 {MOST_AGENTS} agents and {MOST_STAFFINGS} numbers in turn"
            )),
        }
    })
}

fn until(text: &str) -> Result<Until, String> {
    if text.contains(':') {
        let clock = text.parse::<Time>();
        return clock.map(Until::Clock).map_err(|_| format!("{text:?} is no time of day; write 17:00 or 8h"));
    }
    match time(text) {
        Ok(length) if length.is_zero() || length > LONGEST => Err("write a length up to 366d".to_owned()),
        length => length.map(Until::After),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|_| format!("{text:?} is no length of time; write it such as 20s, 1m30s or 8h"))
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim_end().parse::<f64>();
    let share = number.ok().filter(|number| (0.0..=100.0).contains(number)).map(|number| number / 100.0);
    share.ok_or_else(|| format!("{text:?} is no share; write it such as 80%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_agents_are_one_or_a_range_that_rises() {
        let all = |few, many| Ok(Named { queue: Some("support".to_owned()), value: few..=many });
        assert_eq!(headcount("support=12"), all(12, 12));
        assert_eq!(headcount("support=12..18"), all(12, 18));
        assert_eq!(headcount("3"), Ok(Named { queue: None, value: 3..=3 }));
        for text in ["support=", "18..12", "support=12..", "1..100000", "-1", "1e3"] {
            assert!(headcount(text).unwrap_err().contains("smaller first"), "{text}");
        }
    }

    #[test]
    fn an_end_is_a_length_or_a_time_of_day() {
        assert_eq!(until("8h"), Ok(Until::After(Duration::from_secs(28_800))));
        assert_eq!(until("17:30"), Ok(Until::Clock(Time::constant(17, 30, 0, 0))));
        for text in ["8", "0s", "25:00", "367d"] {
            assert!(until(text).unwrap_err().contains("write"), "{text}");
        }
        assert_eq!((percent("80%"), percent("80 %"), percent("92.5")), (Ok(0.8), Ok(0.8), Ok(0.925)));
        assert!(percent("101%").is_err() && percent("most").is_err());
    }
}
