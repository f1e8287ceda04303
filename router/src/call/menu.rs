//! A menu: a prompt, a key, a time limit, a number of tries.

use std::time::{Duration, Instant};

use crate::config::{Goto, PromptId, Step};

/// One visit to a menu.
pub(super) struct Menu {
    prompt: PromptId,
    timeout: Duration,
    keys: Vec<(char, Goto)>,
    otherwise: Goto,
    early: bool,
    tries_left: u8,
    /// The prompt that is playing; keys are taken during it.
    play: Option<u32>,
    /// When the time for a key is over; runs from the end of the prompt.
    until: Option<Instant>,
}

/// What follows a key or its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Elsewhere.
    Go(Goto),
    /// The prompt once more.
    Again,
}

impl Menu {
    /// The visit that a menu step begins; `None` for any other step.
    pub(super) fn of(step: Step) -> Option<Menu> {
        let Step::Menu { prompt, timeout, tries, keys, otherwise, early } = step else { return None };
        Some(Menu {
            prompt,
            timeout,
            keys,
            otherwise,
            early,
            tries_left: tries.max(1),
            play: None,
            until: None,
        })
    }

    pub(super) fn prompt(&self) -> PromptId {
        self.prompt
    }

    pub(super) fn is_early(&self) -> bool {
        self.early
    }

    /// The prompt began as `play`; without one the time for a key begins now.
    pub(super) fn begin(&mut self, play: Option<u32>, now: Instant) {
        self.play = play;
        self.until = play.is_none().then(|| now + self.timeout);
    }

    /// A prompt ended: true if it was this menu's, and the time for a key has begun.
    pub(super) fn played(&mut self, play: u32, now: Instant) -> bool {
        let ours = self.play == Some(play);
        if ours {
            self.play = None;
            self.until = Some(now + self.timeout);
        }
        ours
    }

    /// The prompt is cut: true if it was playing.
    pub(super) fn cut(&mut self) -> bool {
        self.play.take().is_some()
    }

    /// When the time for a key is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// A key, during the prompt or after it.
    pub(super) fn pressed(&mut self, key: char) -> Verdict {
        match self.keys.iter().find(|(known, _)| *known == key) {
            Some((_, to)) => Verdict::Go(*to),
            None => self.one_try_less(),
        }
    }

    /// No key in time.
    pub(super) fn timed_out(&mut self) -> Verdict {
        self.one_try_less()
    }

    fn one_try_less(&mut self) -> Verdict {
        self.until = None;
        self.tries_left -= 1;
        match self.tries_left {
            0 => Verdict::Go(self.otherwise),
            _ => Verdict::Again,
        }
    }
}
