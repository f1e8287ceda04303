//! What is known of each agent's presence, how old it is, and whether he may be given calls by it.
//!
//! Our own calls come first: while an agent talks with one of our callers, and a while after, that Graph has him in a
//! call is an echo of that talk and not believed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{ObjectId, Report, Words};
use crate::{
    config::{AgentId, Graph, Stale},
    journal::fact::Micros,
};

/// Words of Graph told as strange, at most.
const STRANGE_WORDS: usize = 32;

/// Whether an agent may be given calls by his presence, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// He may.
    pub offered: bool,
    /// By what.
    pub why: Why,
}

/// By what it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// What Graph says, and it is fresh.
    Says(Words),
    /// The first answer is awaited.
    NotYetKnown,
    /// There is no answer that is fresh: `stale` decides, with what was said last if there was something.
    NotKnown(Option<Words>),
}

impl fmt::Display for Why {
    /// `Busy, InACall`; `not yet known`; `not known, last Away`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Says(words) => fmt::Display::fmt(words, f),
            Why::NotYetKnown => f.write_str("not yet known"),
            Why::NotKnown(Some(words)) => write!(f, "not known, last {words}"),
            Why::NotKnown(None) => f.write_str("not known"),
        }
    }
}

/// What an answer of Graph changes, or time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Agents whose verdict, or its reason, is another one.
    pub verdicts: Vec<(AgentId, Verdict)>,
    /// Agents who are not asked for any more.
    pub gone: Vec<AgentId>,
    /// Agents of whom Graph has begun to say nothing, though it was asked.
    pub nameless: Vec<AgentId>,
    /// Words that it is not known to use, each told once.
    pub strange: Vec<String>,
}

/// An agent who has an id.
#[derive(Debug)]
pub struct Person {
    id: ObjectId,
    /// Since when he is asked for.
    began: Instant,
    /// What was believed last.
    words: Option<Words>,
    sequence: Option<Box<str>>,
    /// When Graph last spoke of him.
    seen: Option<(Instant, Micros)>,
    /// Until when that he is in a call is an echo.
    echo_until: Option<Instant>,
    nameless: bool,
    /// As told last.
    verdict: Option<Verdict>,
}

/// All agents who have an id. Bounded by the configuration.
#[derive(Debug, Default)]
pub struct Known {
    settings: Option<Arc<Graph>>,
    people: BTreeMap<AgentId, Person>,
    by_id: HashMap<ObjectId, AgentId>,
    /// When a verdict may change without an answer, at the soonest: everybody is looked at then. While answers come in
    /// time that is once in `fresh`.
    look_at: Option<Instant>,
    strange: BTreeSet<String>,
}

impl Known {
    /// From now on these are asked for. Who keeps his id keeps what is known of him.
    pub fn set(
        &mut self,
        now: Instant,
        settings: Option<Arc<Graph>>,
        ids: &[(AgentId, ObjectId)],
    ) -> Changes {
        let ids = if settings.is_some() { ids } else { &[] };
        let mut before = std::mem::take(&mut self.people);
        for &(agent, id) in ids {
            let same = before.remove(&agent).filter(|person| person.id == id);
            self.people.insert(agent, same.unwrap_or_else(|| Person::new(id, now)));
        }
        self.by_id = ids.iter().map(|(agent, id)| (*id, *agent)).collect();
        self.settings = settings;
        Changes { verdicts: self.look(now), gone: before.into_keys().collect(), ..Changes::default() }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next.
    pub fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whose answers have become too old, and who has waited for the first one long enough.
    pub fn handle_timeout(&mut self, now: Instant) -> Changes {
        let is_due = self.look_at.is_some_and(|at| at <= now);
        let verdicts = if is_due { self.look(now) } else { Vec::new() };
        Changes { verdicts, ..Changes::default() }
    }

    /// Judges everybody anew, and knows when that is needed again.
    fn look(&mut self, now: Instant) -> Vec<(AgentId, Verdict)> {
        let Some(settings) = self.settings.clone() else {
            self.look_at = None;
            return Vec::new();
        };
        let mut verdicts = Vec::new();
        for (agent, person) in &mut self.people {
            verdicts.extend(person.judge(now, &settings).map(|verdict| (*agent, verdict)));
        }
        let ends = self.people.values().map(|person| person.holds_until(&settings));
        self.look_at = ends.filter(|end| now < *end).min();
        verdicts
    }

    /// Graph was asked for these and has said so much. `at` is `now` as UTC; `talks`: who talks with one of our callers.
    pub fn hear(
        &mut self,
        (now, at): (Instant, Micros),
        asked: &[ObjectId],
        reports: Vec<Report>,
        talks: impl Fn(AgentId) -> bool,
    ) -> Changes {
        let mut changes = Changes::default();
        let Some(settings) = self.settings.clone() else { return changes };
        let mut silent: BTreeSet<ObjectId> = asked.iter().copied().collect();
        for report in reports {
            let Some(&agent) = self.by_id.get(&report.id) else { continue };
            let Some(person) = self.people.get_mut(&agent) else { continue };
            if !report.words.tell_nothing() {
                silent.remove(&report.id);
                person.nameless = false;
            }
            let strange = report.words.strange().filter(|word| !self.strange.contains(*word));
            if let Some(word) = strange.filter(|_| self.strange.len() < STRANGE_WORDS) {
                self.strange.insert(word.to_owned());
                changes.strange.push(word.to_owned());
            }
            person.hear((now, at), report, talks(agent), &settings);
            changes.verdicts.extend(person.judge(now, &settings).map(|verdict| (agent, verdict)));
        }
        for id in silent {
            let Some(&agent) = self.by_id.get(&id) else { continue };
            let Some(person) = self.people.get_mut(&agent) else { continue };
            if !std::mem::replace(&mut person.nameless, true) {
                changes.nameless.push(agent);
            }
        }
        let grows_old = now + settings.fresh;
        self.look_at = Some(self.look_at.map_or(grows_old, |at| at.min(grows_old)));
        changes
    }

    /// An agent's talk with one of our callers is over.
    pub fn talk_over(&mut self, agent: AgentId, now: Instant) {
        let Some(settings) = &self.settings else { return };
        if let Some(person) = self.people.get_mut(&agent) {
            person.echo_until = Some(now + settings.own_call_lag);
        }
    }

    /// An agent, if he is asked for.
    pub fn person(&self, agent: AgentId) -> Option<&Person> {
        self.people.get(&agent)
    }

    /// Whose id that is.
    pub fn agent(&self, id: ObjectId) -> Option<AgentId> {
        self.by_id.get(&id).copied()
    }

    /// All agents who are asked for.
    pub fn iter(&self) -> impl Iterator<Item = (AgentId, &Person)> {
        self.people.iter().map(|(agent, person)| (*agent, person))
    }
}

impl Person {
    fn new(id: ObjectId, now: Instant) -> Person {
        Person {
            id,
            began: now,
            words: None,
            sequence: None,
            seen: None,
            echo_until: None,
            nameless: false,
            verdict: None,
        }
    }

    /// A version older than what is known is passed over; unless nothing is known any more: then counting has begun anew.
    fn hear(&mut self, (now, at): (Instant, Micros), report: Report, talks: bool, settings: &Graph) {
        let is_older =
            report.sequence.as_ref().zip(self.sequence.as_ref()).is_some_and(|(new, old)| new < old);
        if is_older && self.is_fresh(now, settings) {
            return;
        }
        self.seen = Some((now, at));
        let echoes = talks || self.echo_until.is_some_and(|until| now < until);
        if echoes && report.words.tell_of_a_call() && self.words.is_some() {
            return;
        }
        (self.words, self.sequence) = (Some(report.words), report.sequence);
    }

    /// The verdict, if it is not the one that was told last.
    fn judge(&mut self, now: Instant, settings: &Graph) -> Option<Verdict> {
        let verdict = self.verdict_at(now, settings);
        let is_new = self.verdict.as_ref() != Some(&verdict);
        is_new.then(|| {
            self.verdict = Some(verdict.clone());
            verdict
        })
    }

    fn verdict_at(&self, now: Instant, settings: &Graph) -> Verdict {
        let allows = |words: &Words| settings.mapping.allows(words);
        match &self.words {
            Some(words) if self.is_fresh(now, settings) => {
                Verdict { offered: allows(words), why: Why::Says(words.clone()) }
            }
            None if now < self.holds_until(settings) => Verdict { offered: false, why: Why::NotYetKnown },
            last => {
                let offered = match settings.stale {
                    Stale::Offer => true,
                    Stale::Last => last.as_ref().is_none_or(allows),
                    Stale::Skip => false,
                };
                Verdict { offered, why: Why::NotKnown(last.clone()) }
            }
        }
    }

    /// When what holds now is too old, or has been waited for long enough.
    fn holds_until(&self, settings: &Graph) -> Instant {
        self.seen.map_or(self.began, |(at, _)| at) + settings.fresh
    }

    fn is_fresh(&self, now: Instant, settings: &Graph) -> bool {
        self.seen.is_some() && now < self.holds_until(settings)
    }

    /// Whether he may be given calls, and why.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// When Graph last spoke of him, as UTC.
    pub fn seen(&self) -> Option<Micros> {
        self.seen.map(|(_, at)| at)
    }

    /// How old that is.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.seen.map(|(at, _)| now.saturating_duration_since(at))
    }
}
