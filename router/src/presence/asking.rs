//! What is asked of Graph, and when: one request at a time, batch after batch, round after round.
//!
//! A machine: the time, answers and chance come in, requests go out. It never sees the secret or a token: whoever
//! carries out a request for a token keeps it, and this knows how long it lasts. Whatever fails, the next request
//! comes after a pause that grows; a request that is never answered is given up.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Failure, ObjectId, Refusal, Trouble, Words, trouble::Asked};
use crate::config::Graph;

/// Ids in one request for presence, at most: Graph takes no more.
pub const MOST_IDS: usize = 650;
/// In which `budget` is counted, as Microsoft does.
pub const BUDGET_PERIOD: Duration = Duration::from_secs(30);
/// A token is renewed when so much of its life is over, in percent.
const RENEW_AT: u32 = 80;
/// Longer than its `timeout` no request lasts; a helper that says nothing so much later will never.
const GRACE: Duration = Duration::from_secs(5);
/// Longest `Retry-After` that is kept to: who asks for days means a mistake.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);
/// Batches split in one round because Graph did not understand them, before the fault is not sought in the ids.
const MOST_SPLITS: u32 = 40;
/// So long an id is left out that Graph did not understand.
const LEFT_OUT: Duration = Duration::from_secs(3_600);

/// A request, to be carried out by somebody who has time for it.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Comes back with the answer.
    pub number: u64,
    /// Chance, for `client-request-id`: by this name Microsoft finds the request.
    pub id: u128,
    /// Where and as whom.
    pub settings: Arc<Graph>,
    /// What for.
    pub what: What,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A new token, which is to be kept for the requests that follow.
    Token,
    /// The presence of these, at most [`MOST_IDS`].
    Presence(Arc<[ObjectId]>),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is a token, and it lasts so long.
    Token(Duration),
    /// So it is. In any order, and perhaps not everybody.
    Presence(Vec<Report>),
    /// The far end says no.
    Refused(Refusal),
    /// Nobody said anything.
    Failed(Failure),
}

/// What Graph says of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whom.
    pub id: ObjectId,
    /// What.
    pub words: Words,
    /// Version of what is said; compared as text, greater is later.
    pub sequence: Option<Box<str>>,
}

/// What the operator must hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// From now on presence is not known, or the trouble is another one.
    Fails(Trouble),
    /// The first answer after a trouble that began so long ago.
    Recovers(Duration),
    /// Graph does not understand this id, alone.
    BadId(ObjectId),
}

/// What an answer brought.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Who was asked for, if there was an answer.
    pub asked: Option<Arc<[ObjectId]>>,
    /// What was said.
    pub reports: Vec<Report>,
    /// For the log.
    pub news: Option<News>,
}

/// The machine.
#[derive(Debug, Default)]
pub struct Asking {
    settings: Option<Arc<Graph>>,
    ids: Vec<ObjectId>,
    /// Batches of this round that are still to be asked for.
    pending: VecDeque<Arc<[ObjectId]>>,
    under_way: Option<UnderWay>,
    token: Option<Token>,
    /// A token was refused, and nothing has succeeded since.
    token_refused: bool,
    /// When the next round begins.
    round_at: Option<Instant>,
    /// Nothing is asked before.
    not_before: Option<Instant>,
    /// When requests for presence left, within [`BUDGET_PERIOD`].
    left: VecDeque<Instant>,
    splits: u32,
    left_out: BTreeSet<ObjectId>,
    left_out_until: Option<Instant>,
    failures: u32,
    number: u64,
    trouble: Option<(Trouble, Instant)>,
    last_answer: Option<Instant>,
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct UnderWay {
    number: u64,
    what: What,
    give_up_at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Token {
    renew_at: Instant,
    until: Instant,
}

impl Asking {
    /// From now on asks so, for these. What is under way is of no use any more; a token is, for the same login.
    pub fn set(&mut self, now: Instant, settings: Option<Arc<Graph>>, ids: Vec<ObjectId>) {
        if (&self.settings, &self.ids) == (&settings, &ids) {
            return;
        }
        let login = self.settings.as_ref().zip(settings.as_ref());
        if !login.is_some_and(|(old, new)| old.same_login(new)) {
            self.token = None;
        }
        if settings.is_none() {
            self.trouble = None;
        }
        (self.settings, self.ids) = (settings, ids);
        self.under_way = None;
        self.pending.clear();
        self.left_out.clear();
        (self.failures, self.token_refused) = (0, false);
        (self.round_at, self.not_before) = (Some(now), None);
    }

    /// When [`poll_ask`](Self::poll_ask) has something to say next.
    pub fn deadline(&self) -> Option<Instant> {
        self.settings.as_ref().filter(|_| !self.ids.is_empty())?;
        match &self.under_way {
            Some(under_way) => Some(under_way.give_up_at),
            None if self.pending.is_empty() => self.not_before.max(self.round_at),
            None => self.not_before.or(self.round_at),
        }
    }

    /// The request that is to be carried out now, if it is time for one. `id` is chance.
    pub fn poll_ask(&mut self, now: Instant, id: impl FnOnce() -> u128) -> Option<Ask> {
        if self.under_way.is_some() || self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        let settings = Arc::clone(self.settings.as_ref()?);
        if self.pending.is_empty() {
            self.begin_round(now, &settings);
        }
        let batch = Arc::clone(self.pending.front()?);
        let what = match self.token {
            Some(token) if now < token.renew_at => What::Presence(batch),
            _ => What::Token,
        };
        if what != What::Token && !self.has_budget(now, &settings) {
            return None;
        }
        self.number += 1;
        let give_up_at = now + settings.timeout + GRACE;
        self.under_way = Some(UnderWay { number: self.number, what: what.clone(), give_up_at });
        Some(Ask { number: self.number, id: id(), settings, what })
    }

    fn begin_round(&mut self, now: Instant, settings: &Graph) {
        if self.round_at.is_none_or(|at| now < at) {
            return;
        }
        self.round_at = Some(now + settings.every);
        self.splits = 0;
        if self.left_out_until.is_some_and(|until| until <= now) {
            self.left_out.clear();
        }
        let ids: Vec<ObjectId> = self.ids.iter().copied().filter(|id| !self.left_out.contains(id)).collect();
        self.pending = ids.chunks(MOST_IDS).map(Arc::from).collect();
    }

    /// One request more is within the budget, and is counted. If not, the next may leave when the oldest is forgotten.
    fn has_budget(&mut self, now: Instant, settings: &Graph) -> bool {
        while self.left.front().is_some_and(|at| *at + BUDGET_PERIOD <= now) {
            self.left.pop_front();
        }
        let free = self.left.len() < usize::from(settings.budget);
        match self.left.front() {
            Some(oldest) if !free => self.not_before = Some(*oldest + BUDGET_PERIOD),
            _ => self.left.push_back(now),
        }
        free
    }

    /// A request that nobody will answer any more is given up. `chance` is evenly spread over 0 to 1.
    pub fn handle_timeout(&mut self, now: Instant, chance: f64) -> Outcome {
        match &self.under_way {
            Some(under_way) if under_way.give_up_at <= now => {
                self.handle_answer(now, under_way.number, Answer::Failed(Failure::TimedOut), chance)
            }
            _ => Outcome::default(),
        }
    }

    /// What came of request `number`; one that was given up, or was made under other settings, is not heard.
    pub fn handle_answer(&mut self, now: Instant, number: u64, answer: Answer, chance: f64) -> Outcome {
        let Some(settings) = self.settings.clone() else { return Outcome::default() };
        let Some(UnderWay { what, .. }) = self.under_way.take_if(|under_way| under_way.number == number)
        else {
            return Outcome::default();
        };
        match (what, answer) {
            (What::Token, Answer::Token(lasts)) => {
                self.token = Some(Token { renew_at: now + lasts * RENEW_AT / 100, until: now + lasts });
                self.count("token");
                Outcome::default()
            }
            (What::Presence(batch), Answer::Presence(reports)) => self.answered(now, batch, reports),
            (What::Token, Answer::Refused(refusal)) => {
                self.no_token(now, &settings, Trouble::of(Asked::Token, refusal), chance)
            }
            (What::Token, Answer::Failed(failure)) => {
                self.no_token(now, &settings, Trouble::Failed(Asked::Token, failure), chance)
            }
            (What::Presence(batch), Answer::Refused(refusal)) => {
                self.refused(now, &settings, &batch, refusal, chance)
            }
            (What::Presence(_), Answer::Failed(failure)) => {
                self.fails(now, &settings, Trouble::Failed(Asked::Presence, failure), chance)
            }
            (What::Token, Answer::Presence(_)) | (What::Presence(_), Answer::Token(_)) => {
                debug_assert!(false, "an answer to another request");
                Outcome::default()
            }
        }
    }

    fn answered(&mut self, now: Instant, batch: Arc<[ObjectId]>, reports: Vec<Report>) -> Outcome {
        self.pending.pop_front();
        self.not_before = None;
        self.last_answer = Some(now);
        (self.failures, self.token_refused) = (0, false);
        self.count("presence");
        let news = self.trouble.take().map(|(_, since)| News::Recovers(now - since));
        Outcome { asked: Some(batch), reports, news }
    }

    /// While the old token lasts it is used on, and the new one is asked for again later.
    fn no_token(&mut self, now: Instant, settings: &Graph, trouble: Trouble, chance: f64) -> Outcome {
        match &mut self.token {
            Some(token) if now < token.until => {
                let pause = settings.back_off.max(trouble.retry_after().unwrap_or_default());
                token.renew_at = token.until.min(now + pause);
                self.count(trouble.word());
                Outcome::default()
            }
            _ => self.fails(now, settings, trouble, chance),
        }
    }

    fn refused(
        &mut self,
        now: Instant,
        settings: &Graph,
        batch: &[ObjectId],
        refusal: Refusal,
        chance: f64,
    ) -> Outcome {
        match refusal.status {
            // Perhaps it was withdrawn before its time: a new one is asked for, once.
            401 if !std::mem::replace(&mut self.token_refused, true) => {
                self.token = None;
                self.count("token-withdrawn");
                Outcome::default()
            }
            // One id that Graph does not understand spoils the whole batch: it is found by halves.
            400 if self.splits < MOST_SPLITS => self.split(now, batch),
            400 => {
                self.left_out.clear(); // it is not the ids
                self.pending.clear();
                self.fails(now, settings, Trouble::Request(refusal), chance)
            }
            _ => self.fails(now, settings, Trouble::of(Asked::Presence, refusal), chance),
        }
    }

    fn split(&mut self, now: Instant, batch: &[ObjectId]) -> Outcome {
        self.splits += 1;
        self.pending.pop_front();
        self.count("split");
        if let [id] = batch {
            self.left_out.insert(*id);
            self.left_out_until = Some(now + LEFT_OUT);
            return Outcome { news: Some(News::BadId(*id)), ..Outcome::default() };
        }
        let (first, second) = batch.split_at(batch.len() / 2);
        self.pending.push_front(second.into());
        self.pending.push_front(first.into());
        Outcome::default()
    }

    /// The same batch is asked for again after a pause: the longest at once if only people can help, else twice as long
    /// with each failure; between half of it and the whole, so that many routers do not ask in step; and not before the
    /// far end wants to be asked.
    fn fails(&mut self, now: Instant, settings: &Graph, trouble: Trouble, chance: f64) -> Outcome {
        let doubled = settings.every.saturating_mul(1 << self.failures.min(16));
        let pause = if trouble.is_lasting() { settings.back_off } else { doubled.min(settings.back_off) };
        let wanted = trouble.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + pause.mul_f64(0.5 + chance / 2.0).max(wanted));
        if matches!(trouble, Trouble::Token(_)) {
            self.token = None;
        }
        self.count(trouble.word());
        let since = self.trouble.as_ref().map_or(now, |(_, since)| *since);
        let is_news = self.trouble.as_ref().is_none_or(|(before, _)| before.word() != trouble.word());
        self.trouble = Some((trouble.clone(), since));
        Outcome { news: is_news.then_some(News::Fails(trouble)), ..Outcome::default() }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Why presence cannot be asked for at present, and since when.
    pub fn trouble(&self) -> Option<&(Trouble, Instant)> {
        self.trouble.as_ref()
    }

    /// When Graph last answered.
    pub fn last_answer(&self) -> Option<Instant> {
        self.last_answer
    }

    /// Requests since the start of the process, by what came of them.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }
}
