//! Opening hours in a time zone: weekly times, holidays, special days.
//!
//! Times are what the clock on the wall shows. Where it is put forward, an opening inside the missing hour happens
//! at the jump; where it is put back, a time that comes twice opens with its first and closes with its last coming.
//! So each written span is one stretch of time, and an office that opens once on the paper opens once.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::flow::Goto;
use super::names::PromptId;

/// When somebody is there, and what happens when nobody is.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// Its name.
    pub name: String,
    /// The zone whose clock counts.
    pub zone: TimeZone,
    /// Spans of each weekday, Monday first; in order, without overlap.
    pub week: [Vec<Span>; 7],
    /// Days on which it is closed all day. A yearly one falls on that date every year.
    pub holidays: Vec<Day>,
    /// Days with times of their own; none means closed. They beat holidays and weekdays; a date with its year beats a yearly one.
    pub special: Vec<(Day, Vec<Span>)>,
    /// Played when closed.
    pub closed_prompt: Option<PromptId>,
    /// Where a call goes when closed, after the prompt. Default `Hangup`.
    pub closed: Goto,
}

/// A stretch of a day, in minutes since midnight: 9 to 12 o'clock is 540 up to but not including 720. At most 1,440.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First minute inside.
    pub from: u16,
    /// First minute outside; 1,440 is the end of the day.
    pub to: u16,
}

/// A date, of one year or of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Day {
    /// `2026-12-24`.
    Once(Date),
    /// `12-24`: month, day.
    Yearly(i8, i8),
}

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Somebody is there.
    Open {
        /// When that ends; `None`: not within the next year.
        until: Option<Timestamp>,
    },
    /// Nobody is there.
    Closed {
        /// When that ends; `None`: not within the next year.
        until: Option<Timestamp>,
        /// What the day is.
        because: Because,
    },
}

/// Which rule made it closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The times of the weekday.
    Weekday,
    /// A holiday.
    Holiday,
    /// The times of a special day.
    SpecialDay,
}

/// How far ahead the next change is looked for.
const HORIZON_DAYS: usize = 368;

impl Opening {
    /// Somebody is there.
    pub fn is_open(&self) -> bool {
        matches!(self, Opening::Open { .. })
    }
}

impl Hours {
    /// Whether somebody is there at `now`, and until when that stays so.
    pub fn at(&self, now: Timestamp) -> Opening {
        let today = now.to_zoned(self.zone.clone()).date();
        // Yesterday too: where clocks are put back at midnight, its end may lie in today.
        let days = std::iter::successors(today.yesterday().ok(), |day| day.tomorrow().ok());
        let stretches = days.take(HORIZON_DAYS).flat_map(|day| self.stretches(day));
        let mut ahead = stretches.skip_while(|stretch| stretch.end <= now);
        let Some(first) = ahead.next() else {
            return Opening::Closed { until: None, because: self.because(today) };
        };
        if first.start > now {
            return Opening::Closed { until: Some(first.start), because: self.because(today) };
        }
        // What begins where this ends is the same opening: 22:00-24:00 and 00:00-06:00 of the day after.
        let mut until = first.end;
        for next in ahead {
            if next.start > until {
                return Opening::Open { until: Some(until) };
            }
            until = until.max(next.end);
        }
        let far = now + SignedDuration::from_hours(24 * (HORIZON_DAYS as i64 - 3));
        Opening::Open { until: Some(until).filter(|until| *until < far) }
    }

    /// The instant at which the clock on the wall shows `wall`; the jump over it where it never does, the first coming
    /// where it does twice.
    pub fn wall_clock(&self, wall: DateTime) -> Option<(Timestamp, Wall)> {
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some((offset.to_timestamp(wall).ok()?, Wall::Once)),
            AmbiguousOffset::Gap { after, .. } => Some((self.jump(wall, after)?, Wall::Never)),
            AmbiguousOffset::Fold { before, .. } => Some((before.to_timestamp(wall).ok()?, Wall::Twice)),
        }
    }

    /// The spans that hold on a date.
    fn spans(&self, date: Date) -> &[Span] {
        if let Some((_, spans)) = self.special_day(date) {
            return spans;
        }
        if self.holidays.iter().any(|day| day.is(date)) {
            return &[];
        }
        &self.week[date.weekday().to_monday_zero_offset() as usize]
    }

    fn special_day(&self, date: Date) -> Option<&(Day, Vec<Span>)> {
        let once = self.special.iter().find(|(day, _)| *day == Day::Once(date));
        once.or_else(|| self.special.iter().find(|(day, _)| day.is(date)))
    }

    fn because(&self, date: Date) -> Because {
        if self.special_day(date).is_some() {
            Because::SpecialDay
        } else if self.holidays.iter().any(|day| day.is(date)) {
            Because::Holiday
        } else {
            Because::Weekday
        }
    }

    /// The spans of a date as stretches of time, empty ones left out.
    fn stretches(&self, date: Date) -> impl Iterator<Item = Range<Timestamp>> {
        let instant = move |minute, edge| self.instant(date, minute, edge);
        let stretch =
            move |span: &Span| Some(instant(span.from, Edge::Opens)?..instant(span.to, Edge::Closes)?);
        self.spans(date).iter().filter_map(stretch).filter(|stretch| !stretch.is_empty())
    }

    fn instant(&self, date: Date, minute: u16, edge: Edge) -> Option<Timestamp> {
        let (date, minute) = if minute == 1_440 { (date.tomorrow().ok()?, 0) } else { (date, minute) };
        let time = Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).ok()?;
        let (wall, edge) = (DateTime::from_parts(date, time), edge);
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
            // The wall clock never shows this minute: it is the instant of the jump.
            AmbiguousOffset::Gap { after, .. } => self.jump(wall, after),
            AmbiguousOffset::Fold { before, after } => match edge {
                Edge::Opens => before.to_timestamp(wall).ok(),
                Edge::Closes => after.to_timestamp(wall).ok(),
            },
        }
    }

    /// The jump that leaves out `wall`, given the offset in force after it.
    fn jump(&self, wall: DateTime, after: Offset) -> Option<Timestamp> {
        let before_jump = after.to_timestamp(wall).ok()?;
        self.zone.following(before_jump).next().map(|jump| jump.timestamp())
    }
}

/// How often a clock on the wall shows a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// As on most days.
    Once,
    /// It lies in the hour that is left out when clocks are put forward.
    Never,
    /// It lies in the hour that is repeated when clocks are put back.
    Twice,
}

#[derive(Clone, Copy)]
enum Edge {
    Opens,
    Closes,
}

impl Day {
    /// Whether this is that date.
    pub fn is(&self, date: Date) -> bool {
        match *self {
            Day::Once(own) => own == date,
            Day::Yearly(month, day) => (date.month(), date.day()) == (month, day),
        }
    }
}

/// Names of weekdays, Monday first.
pub(super) const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
