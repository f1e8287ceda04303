//! The scene while it plays: who hears whom, measured, and what callers do when they hear somebody.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    cast::{self, Caller, Leaves},
    driver::Floor,
    ladder::Ladder,
};
use crate::{
    phone::{Deed, PhoneState},
    tone::only_voice,
};

/// Ears are examined this often.
const GLANCE: Duration = Duration::from_millis(100);
/// So much of what was heard last is measured, in milliseconds.
const MEASURED: usize = 200;
/// A caller of whom nothing became leaves after this long, so that the scene ends.
const LONGEST: Duration = Duration::from_secs(40);

/// The scene.
pub(super) struct Scene {
    callers: Vec<Caller>,
    /// Every voice, by telephone.
    voices: Vec<u16>,
    keys: Vec<(Instant, usize, char)>,
    glance_at: Instant,
    /// Who heard whose voice alone, by telephone.
    heard: BTreeSet<(usize, usize)>,
}

impl Scene {
    /// Plans all calls from now on.
    pub(super) fn begin(callers: Vec<Caller>, voices: Vec<u16>, floor: &mut Floor) -> Scene {
        let now = floor.now();
        let mut keys = Vec::new();
        let mut dial_at = now;
        for (index, caller) in callers.iter().enumerate() {
            let phone = &mut floor.phones[index];
            phone.plan(dial_at, Deed::Dial { called: caller.called.to_owned(), offer: true });
            for &(after, key) in caller.keys {
                let at = dial_at + Duration::from_millis(after);
                phone.plan(at, Deed::Press(key));
                keys.push((at, index, key));
            }
            if let Leaves::Dialled(after) = caller.leaves {
                phone.plan(dial_at + Duration::from_millis(after), Deed::HangUp);
            }
            phone.plan(dial_at + LONGEST, Deed::HangUp);
            dial_at += cast::GAP;
        }
        keys.sort_unstable();
        Scene { callers, voices, keys, glance_at: now, heard: BTreeSet::new() }
    }

    /// When to look again.
    pub(super) fn next_at(&self) -> Instant {
        self.keys.first().map_or(self.glance_at, |(at, _, _)| *at).min(self.glance_at)
    }

    /// Looks, listens and acts.
    pub(super) fn look(&mut self, floor: &mut Floor, ladder: &Ladder) {
        let now = floor.now();
        while let Some(&(_, caller, key)) = self.keys.first().filter(|(at, _, _)| *at <= now) {
            ladder.caller_says(floor.elapsed(), caller, &format!("key {key}"));
            self.keys.remove(0);
        }
        if self.glance_at <= now {
            self.glance_at = now + GLANCE;
            for listener in 0..floor.phones.len() {
                self.listen(listener, floor, ladder);
            }
        }
    }

    /// Every caller's call is over.
    pub(super) fn is_over(&self, floor: &Floor) -> bool {
        let is_over = |state| matches!(state, PhoneState::Failed(_) | PhoneState::Ended);
        floor.phones[..self.callers.len()].iter().all(|phone| is_over(phone.state))
    }

    /// Agents whom this caller heard and who heard him.
    pub(super) fn both_heard(&self, caller: usize) -> Vec<usize> {
        self.heard_by(caller).into_iter().filter(|agent| self.heard.contains(&(*agent, caller))).collect()
    }

    /// Telephones whose voice this one heard.
    pub(super) fn heard_by(&self, listener: usize) -> Vec<usize> {
        self.heard.iter().filter(|(one, _)| *one == listener).map(|(_, speaker)| *speaker).collect()
    }

    fn listen(&mut self, listener: usize, floor: &mut Floor, ladder: &Ladder) {
        let Some(samples) = floor.phones[listener].listened(MEASURED) else { return };
        let Some(hz) = only_voice(&samples, &self.voices) else { return };
        let Some(speaker) = self.voices.iter().position(|voice| *voice == hz) else { return };
        if !self.heard.insert((listener, speaker)) {
            return;
        }
        let (now, at) = (floor.now(), floor.elapsed());
        if let Some(Caller { leaves: Leaves::Heard(after), .. }) = self.callers.get(listener) {
            floor.phones[listener].plan(now + Duration::from_millis(*after), Deed::HangUp);
        }
        if self.heard.contains(&(speaker, listener)) {
            let (caller, agent) = (listener.min(speaker), listener.max(speaker));
            let sound = format!("hear each other: {} Hz ⇄ {} Hz", self.voices[caller], self.voices[agent]);
            if let Some(agent) = agent.checked_sub(self.callers.len()) {
                ladder.both_hear(at, caller, agent, &sound);
            }
        }
    }
}
