//! Spells in which new calls are refused because we cannot keep up: told when one begins and when it is over.

use std::time::{Duration, Instant};

use tracing::warn;

use super::Switchboard;
use crate::{clock::millis, journal::fact::What};

/// When nobody has been refused for so long, the spell is over.
const OVER_AFTER: Duration = Duration::from_secs(5);

/// The spell, if there is one, and what was refused before.
#[derive(Debug, Default)]
pub(super) struct Overload {
    refused: u64,
    spell: Option<Spell>,
}

#[derive(Debug, Clone, Copy)]
struct Spell {
    began: Instant,
    last: Instant,
    refused_before: u64,
}

impl Overload {
    /// So many were refused since the start. True if a spell begins.
    fn note(&mut self, now: Instant, refused: u64) -> bool {
        let before = std::mem::replace(&mut self.refused, refused);
        if refused == before {
            return false;
        }
        let began = self.spell.is_none();
        let spell = self.spell.get_or_insert(Spell { began: now, last: now, refused_before: before });
        spell.last = now;
        began
    }

    /// When the spell is over if nobody more is refused.
    fn deadline(&self) -> Option<Instant> {
        self.spell.map(|spell| spell.last + OVER_AFTER)
    }

    /// The spell that is over: how many were refused, and how long it lasted.
    fn over(&mut self, now: Instant) -> Option<(u64, Duration)> {
        let spell = self.spell.take_if(|spell| spell.last + OVER_AFTER <= now)?;
        Some((self.refused - spell.refused_before, spell.last - spell.began))
    }
}

impl Switchboard {
    /// After every input: whether calls were refused by it.
    pub(super) fn note_overload(&mut self) {
        if self.overload.note(self.now, self.sip.counters().shed) {
            let max_lag = self.config.limits.max_lag;
            warn!(
                ?max_lag,
                "overload: new calls are refused that would wait longer than limits.max_lag, calls in progress go on"
            );
        }
    }

    pub(super) fn overload_deadline(&self) -> Option<Instant> {
        self.overload.deadline()
    }

    /// A spell that is over goes on record: its calls have none, for they were never taken.
    pub(super) fn end_overload(&mut self) {
        let Some((refused, lasted)) = self.overload.over(self.now) else { return };
        warn!(refused, ?lasted, "overload is over: spread the load, or give this machine more processor");
        self.fact(None, What::Overload { refused, lasted_ms: millis(lasted) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is the test's")]
    fn a_spell_begins_once_and_ends_when_nobody_is_refused_for_a_while() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut overload = Overload::default();
        assert!(!overload.note(start, 0) && overload.deadline().is_none());
        assert!(overload.note(start, 3));
        assert!(!overload.note(start + 4 * second, 10));
        assert_eq!(overload.over(start + 8 * second), None);
        assert_eq!(overload.over(start + 9 * second), Some((10, 4 * second)));
        assert!(overload.note(start + 20 * second, 11));
        assert_eq!(overload.over(start + 25 * second), Some((1, Duration::ZERO)));
    }
}
