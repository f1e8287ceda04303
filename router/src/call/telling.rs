//! What those who wait are told of their wait: which they are, and how long it may take.

use std::time::{Duration, Instant};

use super::{Call, Stage};
use crate::{
    config::{PromptId, QueueId, QueueTell},
    shard::Switchboard,
    speech::{Told, Tongue},
};

/// The next time, and what was told last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    at: Instant,
    last: Option<Told>,
}

/// While something else is said it is tried again so often.
const AGAIN: Duration = Duration::from_secs(1);

impl Call {
    /// He has come to the queue; a queue that tells nothing is looked at no more.
    pub(super) fn begin_telling(&mut self, queue: QueueId, board: &Switchboard) {
        let tell = board.config.queue(queue).and_then(|queue| queue.tell);
        self.telling = tell.map(|tell| Telling { at: board.now + tell.first, last: None });
    }

    /// A reload may have the queue tell what it did not.
    pub(super) fn tells_from_now_on(&mut self, board: &Switchboard) {
        if let Some(queue) = self.waits_in().filter(|_| self.telling.is_none()) {
            self.begin_telling(queue, board);
        }
    }

    /// When he is told something next, if he waits then.
    pub(super) fn tells_at(&self) -> Option<Instant> {
        self.telling
            .filter(|_| self.waits_in().is_some() && self.calling_back.is_none())
            .map(|telling| telling.at)
    }

    /// Tells him, if it is time.
    pub(super) fn tell(&mut self, board: &mut Switchboard) {
        if self.tells_at().is_none_or(|at| at > board.now) {
            return;
        }
        let (Some(queue), Some(telling)) = (self.waits_in(), self.telling) else { return };
        let Some(tell) = board.config.queue(queue).and_then(|queue| queue.tell) else {
            self.telling = None; // a reload has taken it away
            return;
        };
        if self.announcement.is_some() {
            self.telling = Some(Telling { at: board.now + AGAIN, ..telling });
            return;
        }
        let told = self.told(queue, tell, board);
        let spoken = match telling.last == Some(told) && tell.only_news {
            true => Duration::ZERO,
            false => self.says(queue, told, board),
        };
        self.telling = Some(Telling { at: board.now + spoken + tell.every, last: Some(told) });
    }

    /// How he stands now.
    fn told(&self, queue: QueueId, tell: QueueTell, board: &Switchboard) -> Told {
        let Some(key) = self.order_key() else { return Told::default() };
        let wait = board.outlook(queue, key).wait.filter(|_| tell.wait);
        // An estimate that is too short is worse than one that is too long.
        let minutes =
            |wait: Duration| if wait.as_secs() < 60 { 0 } else { wait.as_secs().div_ceil(60) as u32 };
        Told { place: tell.place.then(|| board.ahead(queue, key) + 1), minutes: wait.map(minutes) }
    }

    fn order_key(&self) -> Option<u64> {
        match &self.stage {
            Stage::Waiting(place) => Some(place.key),
            Stage::Ringing(ring) => ring.place().map(|place| place.key),
            _ => None,
        }
    }

    /// Says it over the music; how long it takes.
    fn says(&mut self, queue: QueueId, told: Told, board: &mut Switchboard) -> Duration {
        let language = self.language.filter(|language| board.config.snippets.contains_key(language));
        let Some(language) = language.or(board.config.languages.default()) else { return Duration::ZERO };
        let (Some(tongue), Some(recorded)) = (Tongue::of(language), board.config.snippets.get(&language))
        else {
            return Duration::ZERO;
        };
        let words: Vec<PromptId> =
            tongue.says(told).iter().filter_map(|word| recorded.get(word).copied()).collect();
        let Some(list) = board.prompts.list(&words, None) else { return Duration::ZERO };
        let length = list.duration();
        self.announce(queue, told.to_string(), list, true, board);
        length
    }
}
