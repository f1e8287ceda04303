//! All searches and what is remembered of DNS: questions go out once, however many wait for them.

use super::memory::Memory;
use super::search::{Search, Step};
use super::{Answer, Located, Query, Reach, Trouble};
use crate::endpoint::ResolveId;
use crate::transport::Target;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The bounds of a [`Directory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectorySettings {
    /// Answers that are remembered; for one more the one that is out of date first is forgotten. Default 4,096.
    pub most_answers: usize,
    /// Questions under way at one time; a search that needs one more fails. Default 256.
    pub most_questions: usize,
    /// How long an answer is used beyond its time while DNS fails. Zero: not at all. Default 1 h.
    pub stale: Duration,
    /// How long a question that DNS has failed to answer is not asked again. Default 5 s.
    pub rest: Duration,
}

impl Default for DirectorySettings {
    fn default() -> DirectorySettings {
        DirectorySettings {
            most_answers: 4_096,
            most_questions: 256,
            stale: Duration::from_secs(3_600),
            rest: Duration::from_secs(5),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask DNS, and tell the answer by [`Directory::answered`].
    Ask(Query),
    /// The end of a search.
    Located {
        /// Which.
        id: ResolveId,
        /// Where it led.
        located: Located,
    },
}

/// Names, searches and answers. It asks nobody itself and knows no clock.
#[derive(Debug)]
pub struct Directory {
    settings: DirectorySettings,
    memory: Memory,
    searches: BTreeMap<ResolveId, Search>,
    /// Questions under way, and who waits for them.
    asked: BTreeMap<Query, Vec<ResolveId>>,
    out: VecDeque<Output>,
}

impl Directory {
    /// One that remembers nothing yet.
    pub fn new(settings: DirectorySettings) -> Directory {
        let memory = Memory::new(settings.most_answers.max(1), settings.stale, settings.rest);
        let (searches, asked, out) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Directory { settings, memory, searches, asked, out }
    }

    /// From now on answers are used so long beyond their time while DNS fails.
    pub fn keep_stale_for(&mut self, stale: Duration) {
        self.memory.keep_stale_for(stale);
    }

    /// Other servers are asked from now on, or the same ones otherwise: everything is asked anew. What was good is used
    /// if they fail.
    pub fn asks_others(&mut self, now: Instant) {
        self.memory.ask_again(now);
    }

    /// Answers remembered, good or bad.
    pub fn remembered(&self) -> usize {
        self.memory.len()
    }

    /// Searches that wait for DNS.
    pub fn searching(&self) -> usize {
        self.searches.len()
    }

    /// Begins a search; its end comes by [`poll_output`](Self::poll_output). `random` decides among targets of the same
    /// priority.
    pub fn locate(&mut self, now: Instant, id: ResolveId, (target, reach): (Target, Reach), random: u64) {
        self.go_on(now, id, Search::new(target, reach, random));
    }

    /// DNS has answered.
    pub fn answered(&mut self, now: Instant, query: &Query, answer: Answer) {
        let known = self.memory.learn(now, query, answer);
        for id in self.asked.remove(query).unwrap_or_default() {
            let Some(mut search) = self.searches.remove(&id) else { continue };
            search.learn(query.clone(), known.clone());
            self.go_on(now, id, search);
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Goes through the rules with what is known, until that is not enough.
    fn go_on(&mut self, now: Instant, id: ResolveId, mut search: Search) {
        loop {
            let queries = match search.step() {
                Step::Done(located) => return self.out.push_back(Output::Located { id, located }),
                Step::Ask(queries) => queries,
            };
            let mut unknown = Vec::new();
            for query in queries {
                match self.memory.get(now, &query) {
                    Some(known) => search.learn(query, known),
                    None => unknown.push(query),
                }
            }
            if unknown.is_empty() {
                continue;
            }
            let fresh = unknown.iter().filter(|query| !self.asked.contains_key(query)).count();
            if self.asked.len() + fresh > self.settings.most_questions {
                let old: Option<Vec<_>> =
                    unknown.iter().map(|query| self.memory.unasked(now, query)).collect();
                let Some(old) = old else {
                    let located = Located::nowhere(Trouble::Busy);
                    return self.out.push_back(Output::Located { id, located });
                };
                unknown.into_iter().zip(old).for_each(|(query, known)| search.learn(query, known));
                continue;
            }
            self.searches.insert(id, search);
            return unknown.into_iter().for_each(|query| self.ask(query, id));
        }
    }

    fn ask(&mut self, query: Query, id: ResolveId) {
        match self.asked.get_mut(&query) {
            Some(waiting) => {
                if !waiting.contains(&id) {
                    waiting.push(id);
                }
            }
            None => {
                self.asked.insert(query.clone(), vec![id]);
                self.out.push_back(Output::Ask(query));
            }
        }
    }
}
