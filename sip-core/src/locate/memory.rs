//! What DNS has said: for as long as it is good for, and a while longer in case DNS dies (RFC 8767).

use super::{Answer, Query, Records, Trouble};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Entries of one question that are kept.
const MOST_RECORDS: usize = 32;
/// Whatever a domain says, its answer is asked for again after that long.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// How long it is believed that a name is not there, whatever a domain says.
const LONGEST_NO: Duration = Duration::from_secs(300);
/// The same where the domain does not say.
const USUAL_NO: Duration = Duration::from_secs(30);

/// What is known of a question now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) found: Result<Records, Trouble>,
    /// What an operator should know of it all the same.
    pub(super) remark: Option<Trouble>,
}

#[derive(Debug)]
struct Entry {
    good: Option<Good>,
    /// The last answer was none; the question rests until then.
    failed: Option<(Trouble, Instant)>,
}

#[derive(Debug)]
struct Good {
    records: Records,
    cut: bool,
    until: Instant,
}

impl Good {
    fn known(&self, remark: Option<Trouble>) -> Known {
        let remark = remark.or(self.cut.then_some(Trouble::TooMany));
        Known { found: Ok(self.records.clone()), remark }
    }
}

/// The answers, at most so many.
#[derive(Debug)]
pub(super) struct Memory {
    entries: BTreeMap<Query, Entry>,
    most: usize,
    stale: Duration,
    rest: Duration,
    /// The last question had no answer: until then old answers are used without another wait.
    dead_until: Option<Instant>,
}

impl Memory {
    /// Old answers are used for `stale` when DNS fails, and after a failure a question rests for `rest`.
    pub(super) fn new(most: usize, stale: Duration, rest: Duration) -> Memory {
        Memory { entries: BTreeMap::new(), most, stale, rest, dead_until: None }
    }

    pub(super) fn keep_stale_for(&mut self, stale: Duration) {
        self.stale = stale;
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// `None`: DNS is to be asked.
    pub(super) fn get(&self, now: Instant, query: &Query) -> Option<Known> {
        let entry = self.entries.get(query)?;
        if let Some(good) = entry.good.as_ref().filter(|good| now < good.until) {
            return Some(good.known(None));
        }
        if let Some((trouble, _)) = entry.failed.filter(|(_, until)| now < *until) {
            return Some(self.after_failure(now, entry, trouble));
        }
        // A name takes several questions, and each would cost its caller the whole wait.
        self.dead_until.filter(|until| now < *until)?;
        Some(self.after_failure(now, entry, Trouble::NoAnswer)).filter(|known| known.found.is_ok())
    }

    /// What may be said although DNS cannot be asked; `None`: nothing.
    pub(super) fn unasked(&self, now: Instant, query: &Query) -> Option<Known> {
        let known = self.after_failure(now, self.entries.get(query)?, Trouble::Busy);
        Some(known).filter(|known| known.found.is_ok())
    }

    /// Everything is asked anew; good answers are old ones from now on.
    pub(super) fn ask_again(&mut self, now: Instant) {
        self.dead_until = None;
        self.entries.retain(|_, entry| {
            entry.failed = None;
            entry.good.as_mut().is_some_and(|good| {
                good.until = good.until.min(now);
                true
            })
        });
    }

    fn after_failure(&self, now: Instant, entry: &Entry, trouble: Trouble) -> Known {
        let old = entry.good.as_ref().filter(|_| trouble.is_outage());
        match old.and_then(|good| Some((good, (good.until + self.stale).checked_duration_since(now)?))) {
            Some((good, left)) if !left.is_zero() => {
                let left = Duration::from_secs(left.as_secs());
                good.known(Some(Trouble::Stale { left }))
            }
            _ => Known { found: Err(trouble), remark: None },
        }
    }

    /// Takes in an answer. What is known then is good for whoever waits for it, even if it is to be asked for anew the
    /// next time (a TTL of 0).
    pub(super) fn learn(&mut self, now: Instant, query: &Query, answer: Answer) -> Known {
        let old = self.entries.remove(query).and_then(|entry| entry.good);
        self.dead_until = (answer.found == Err(Trouble::NoAnswer)).then(|| now + self.rest);
        let entry = match answer.found {
            Ok(mut records) => {
                let cut = records.len() > MOST_RECORDS;
                records.cut(MOST_RECORDS);
                let until = now + answer.ttl.unwrap_or_default().min(LONGEST);
                Entry { good: Some(Good { records, cut, until }), failed: None }
            }
            Err(trouble) => {
                let rest = match trouble.is_outage() {
                    true => self.rest,
                    false => answer.ttl.unwrap_or(USUAL_NO).min(LONGEST_NO),
                };
                // That a name is gone is an answer, and ends what was there before.
                let good = old.filter(|good| trouble.is_outage() && now < good.until + self.stale);
                Entry { good, failed: Some((trouble, now + rest)) }
            }
        };
        let known = match (&entry.good, entry.failed) {
            (Some(good), None) => good.known(None),
            (_, Some((trouble, _))) => self.after_failure(now, &entry, trouble),
            (None, None) => Known { found: Err(Trouble::NoAnswer), remark: None },
        };
        self.make_room(now);
        self.entries.insert(query.clone(), entry);
        known
    }

    /// Of too many the one goes that would be asked for first anyway.
    fn make_room(&mut self, now: Instant) {
        if self.entries.len() < self.most {
            return;
        }
        let stale = self.stale;
        self.entries.retain(|_, entry| {
            entry.good.as_ref().is_some_and(|good| now < good.until + stale)
                || entry.failed.is_some_and(|(_, until)| now < until)
        });
        if self.entries.len() < self.most {
            return;
        }
        let ends =
            |entry: &Entry| entry.good.as_ref().map(|good| good.until).max(entry.failed.map(|(_, at)| at));
        let first = self.entries.iter().min_by_key(|(_, entry)| ends(entry)).map(|(query, _)| query.clone());
        first.and_then(|query| self.entries.remove(&query));
    }
}
