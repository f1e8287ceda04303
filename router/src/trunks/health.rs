//! Whether one target of a trunk is believed to be there. Checks and calls are witnesses; a single one proves nothing,
//! so that a target does not go up and down with every lost datagram.

use std::time::{Duration, Instant};

use crate::{
    config::TrunkHealth,
    journal::fact::{Micros, TargetState},
};

/// How long a target that calls have found down is left alone where nothing checks it; then a call tries it again.
const AFTER_CALLS: Duration = Duration::from_secs(30);
/// The longest that a Retry-After is believed.
const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// One target as its witnesses see it.
#[derive(Debug, Clone)]
pub struct Health {
    failed_checks: u8,
    answered_checks: u8,
    /// Checks have found it down.
    down_by_checks: bool,
    failed_calls: u8,
    /// Calls have found it down: when one may try it again.
    down_by_calls: Option<Instant>,
    rests_until: Option<Instant>,
    /// What was told last.
    told: TargetState,
    /// Since when, and why.
    pub since: Micros,
    /// Why it is so, in words; empty for one that was never otherwise.
    pub why: String,
}

impl Health {
    /// A target of which nothing is known is believed to be there.
    pub fn new(at: Micros) -> Health {
        Health {
            failed_checks: 0,
            answered_checks: 0,
            down_by_checks: false,
            failed_calls: 0,
            down_by_calls: None,
            rests_until: None,
            told: TargetState::Up,
            since: at,
            why: String::new(),
        }
    }

    /// Calls are to try it in its turn, not last.
    pub fn works(&self, now: Instant, settings: &TrunkHealth) -> bool {
        let may_try = |at: Instant| settings.check_every.is_none() && at <= now;
        !self.down_by_checks
            && self.down_by_calls.is_none_or(may_try)
            && self.rests_until.is_none_or(|until| until <= now)
    }

    /// Nothing is held against it: a call that it responds to changes nothing.
    pub fn is_spotless(&self) -> bool {
        self.failed_calls == 0 && self.down_by_calls.is_none() && self.rests_until.is_none()
    }

    /// A check was answered.
    pub fn check_answered(&mut self, settings: &TrunkHealth) {
        self.failed_checks = 0;
        self.answered_checks = self.answered_checks.saturating_add(1);
        if self.answered_checks >= settings.up_after {
            (self.down_by_checks, self.down_by_calls, self.failed_calls) = (false, None, 0);
        }
    }

    /// A check was not answered, or so that it cannot take calls.
    pub fn check_failed(&mut self, settings: &TrunkHealth) {
        self.answered_checks = 0;
        self.failed_checks = self.failed_checks.saturating_add(1);
        self.down_by_checks |= self.failed_checks >= settings.down_after;
    }

    /// Nothing checks it any more: what checks have found does not hold for ever.
    pub fn checks_end(&mut self) {
        (self.failed_checks, self.answered_checks, self.down_by_checks) = (0, 0, false);
    }

    /// A call was responded to. Checks have the last word where they say that it is down.
    pub fn call_answered(&mut self) {
        (self.failed_calls, self.down_by_calls, self.rests_until) = (0, None, None);
    }

    /// A call was not responded to at all.
    pub fn call_failed(&mut self, now: Instant, settings: &TrunkHealth) {
        self.failed_calls = self.failed_calls.saturating_add(1);
        if self.failed_calls >= settings.down_after {
            self.down_by_calls = Some(now + AFTER_CALLS);
            self.answered_checks = 0;
        }
    }

    /// It asks to be left alone for so long (RFC 3261 §20.33).
    pub fn rest(&mut self, now: Instant, length: Duration) {
        self.rests_until = Some(now + length.min(LONGEST_REST));
    }

    /// When it may be otherwise by itself.
    pub fn deadline(&self) -> Option<Instant> {
        self.rests_until
    }

    /// What is new since this was asked last: the state, and what it was before and since when.
    pub fn news(
        &mut self,
        now: Instant,
        at: Micros,
        why: &str,
    ) -> Option<(TargetState, TargetState, Micros)> {
        self.rests_until = self.rests_until.filter(|until| *until > now);
        let state = match (self.down_by_checks || self.down_by_calls.is_some(), self.rests_until) {
            (true, _) => TargetState::Down,
            (false, Some(_)) => TargetState::Resting,
            (false, None) => TargetState::Up,
        };
        let (before, since) = (self.told, self.since);
        if state == before {
            return None;
        }
        (self.told, self.since, self.why) = (state, at, why.to_owned());
        Some((state, before, since))
    }

    /// What was told last.
    pub fn state(&self) -> TargetState {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Option<Duration> = Some(Duration::from_secs(60));
    const CHECKED: TrunkHealth = TrunkHealth { check_every: EVERY, down_after: 2, up_after: 3 };
    const UNCHECKED: TrunkHealth = TrunkHealth { check_every: None, ..CHECKED };

    /// Any instant: from here on time is the test's.
    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now()
    }

    /// After each check, answered (`+`) or not (`-`): up or down.
    fn after_checks(checks: &str) -> String {
        let (now, mut health) = (origin(), Health::new(0));
        let after = |check| {
            match check {
                '+' => health.check_answered(&CHECKED),
                _ => health.check_failed(&CHECKED),
            }
            if health.works(now, &CHECKED) { 'u' } else { 'd' }
        };
        checks.chars().map(after).collect()
    }

    #[test]
    fn it_takes_as_many_checks_in_a_row_as_the_settings_say_in_either_direction() {
        assert_eq!(after_checks("-+-+--++-+++-"), "uuuuudddddduu");
    }

    #[test]
    fn calls_without_a_response_make_it_down_and_one_with_a_response_makes_it_up() {
        let (now, mut health) = (origin(), Health::new(0));
        health.call_failed(now, &UNCHECKED);
        health.call_answered();
        health.call_failed(now, &UNCHECKED);
        assert!(health.works(now, &UNCHECKED), "two in a row are needed");
        health.call_failed(now, &UNCHECKED);
        assert!(!health.works(now, &UNCHECKED));
        health.call_answered();
        assert!(health.works(now, &UNCHECKED) && health.is_spotless());
    }

    #[test]
    fn where_nothing_checks_it_a_call_tries_again_after_a_while_and_one_failure_is_enough_then() {
        let (now, mut health) = (origin(), Health::new(0));
        health.call_failed(now, &UNCHECKED);
        health.call_failed(now, &UNCHECKED);
        let later = now + AFTER_CALLS;
        assert!(health.works(later, &UNCHECKED) && !health.works(later, &CHECKED));
        health.call_failed(later, &UNCHECKED);
        assert!(!health.works(later, &UNCHECKED));
    }

    #[test]
    fn what_checks_found_down_no_call_makes_up_and_checks_clear_what_calls_found() {
        let (now, mut health) = (origin(), Health::new(0));
        (0..2).for_each(|_| health.check_failed(&CHECKED));
        health.call_answered();
        assert!(!health.works(now, &CHECKED));
        (0..2).for_each(|_| health.call_failed(now, &CHECKED));
        (0..3).for_each(|_| health.check_answered(&CHECKED));
        assert!(health.works(now, &CHECKED));
    }

    #[test]
    fn a_rest_ends_by_itself_and_news_are_told_once() {
        let (now, mut health) = (origin(), Health::new(0));
        health.rest(now, Duration::from_secs(5));
        assert!(!health.works(now, &CHECKED));
        assert_eq!(health.news(now, 7, "503").map(|news| news.0), Some(TargetState::Resting));
        assert_eq!((health.news(now, 8, ""), health.since, health.why.as_str()), (None, 7, "503"));
        let over = now + Duration::from_secs(5);
        assert!(health.works(over, &CHECKED));
        assert_eq!(health.news(over, 9, ""), Some((TargetState::Up, TargetState::Resting, 7)));
        health.rest(now, Duration::from_secs(86_400 * 365));
        assert!(health.works(now + LONGEST_REST, &CHECKED), "nobody is sent away for a year");
    }
}
