//! Graph in virtual time: what it says of everybody, and how it fares.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use router::{
    presence::{Answer, Ask, Failure, ObjectId, Refusal, Report, What, Words},
    shard::Input,
};

use super::World;

/// How long an answer takes.
const LATENCY: Duration = Duration::from_millis(150);

/// How Graph answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fares {
    /// As it should.
    Well,
    /// With this status, and this `Retry-After` in seconds if not 0.
    Refuses(u16, u64),
    /// Not at all.
    Dead,
}

/// What Graph says of everybody.
#[derive(Debug)]
pub(super) struct Graph {
    says: BTreeMap<ObjectId, (String, String)>,
    fares: Fares,
    /// Answers on their way, by arrival: one request is answered after the other.
    answers: VecDeque<(Instant, u64, Answer)>,
    asked: u32,
}

impl Default for Graph {
    fn default() -> Graph {
        Graph { says: BTreeMap::new(), fares: Fares::Well, answers: VecDeque::new(), asked: 0 }
    }
}

impl Graph {
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.answers.front().map(|(at, ..)| *at)
    }

    pub(super) fn ask(&mut self, now: Instant, ask: &Ask) {
        self.asked += 1;
        let answer = match self.fares {
            Fares::Well => self.answer(&ask.what),
            Fares::Refuses(status, seconds) => {
                let retry_after = (seconds > 0).then(|| Duration::from_secs(seconds));
                Answer::Refused(Refusal { status, retry_after, ..Refusal::default() })
            }
            Fares::Dead => {
                let timed_out = Answer::Failed(Failure::TimedOut);
                return self.answers.push_back((now + ask.settings.timeout, ask.number, timed_out));
            }
        };
        self.answers.push_back((now + LATENCY, ask.number, answer));
    }

    fn answer(&self, what: &What) -> Answer {
        let What::Presence(ids) = what else { return Answer::Token(Duration::from_secs(3_599)) };
        let report = |id: &ObjectId| {
            let (availability, activity) = self.says.get(id)?;
            Some(Report { id: *id, words: Words::new(availability, activity), sequence: None })
        };
        Answer::Presence(ids.iter().filter_map(report).collect())
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<Input> {
        let (_, number, answer) = self.answers.pop_front_if(|(at, ..)| *at <= now)?;
        Some(Input::Graph { number, answer })
    }
}

impl World {
    /// From now on Graph says this of an agent of the configuration; the router learns it when it asks next.
    pub fn graph_says(&mut self, agent: &str, availability: &str, activity: &str) {
        let mut agents = self.config.agents();
        let found = agents.find(|(_, known)| known.name == agent).and_then(|(_, agent)| agent.entra_id);
        let id = found.expect("an agent with an entra_id");
        drop(agents);
        self.graph.says.insert(id, (availability.to_owned(), activity.to_owned()));
    }

    /// From now on Graph and the login address answer so.
    pub fn graph_fares(&mut self, fares: Fares) {
        self.graph.fares = fares;
    }

    /// Requests of the router, those for tokens included.
    pub fn graph_requests(&self) -> u32 {
        self.graph.asked
    }
}
