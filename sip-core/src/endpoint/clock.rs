//! Which of an endpoint's things wants to be woken when.

use crate::deadline::{Deadlines, Ticket};
use crate::transaction::TransactionKey;
use std::time::Instant;

/// Who is to be woken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Client(u64),
    Server(u64),
    Absorbed(TransactionKey),
    Leg(u64),
    Seek(u64),
}

/// The one deadline a thing has running.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    at: Option<Instant>,
    ticket: Option<Ticket>,
}

impl Alarm {
    /// Whether a wake-up at `at` is the one wanted; if so it is used up. Deadlines in lanes cannot be cancelled,
    /// so some wake-ups are stale.
    pub(super) fn is_meant(&mut self, at: Instant) -> bool {
        let meant = self.at == Some(at);
        if meant {
            *self = Alarm::default();
        }
        meant
    }
}

/// All deadlines of one endpoint.
pub(super) struct Clock {
    deadlines: Deadlines<Due>,
    lanes: [&'static [&'static str]; 3],
}

impl Clock {
    pub(super) fn new() -> Clock {
        // Timers that run out, all of one length each: D; I and K (T4); J, L and M (64 * T1).
        Clock { deadlines: Deadlines::new(3), lanes: [&["D"], &["I", "K"], &["J", "L", "M"]] }
    }

    /// Makes `alarm` go off when `want` says, and at no other time.
    pub(super) fn set(&mut self, alarm: &mut Alarm, want: Option<(Instant, &'static str)>, due: Due) {
        if alarm.at == want.map(|(at, _)| at) {
            return;
        }
        self.clear(alarm);
        let Some((at, name)) = want else { return };
        alarm.at = Some(at);
        match self.lanes.iter().position(|names| names.contains(&name)) {
            Some(lane) => self.deadlines.linger(lane, at, due),
            None => alarm.ticket = Some(self.deadlines.start(at, due)),
        }
    }

    pub(super) fn clear(&mut self, alarm: &mut Alarm) {
        if let Some(ticket) = alarm.ticket.take() {
            self.deadlines.cancel(ticket);
        }
        alarm.at = None;
    }

    /// Wakes for a transaction of which only the answer to repeats is left: it needs no alarm.
    pub(super) fn absorb(&mut self, at: Instant, key: TransactionKey) {
        self.deadlines.linger(2, at, Due::Absorbed(key));
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, Due)> {
        self.deadlines.pop(now)
    }

    pub(super) fn next(&self) -> Option<(Instant, Due)> {
        self.deadlines.next()
    }
}
