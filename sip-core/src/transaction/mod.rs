//! The four transactions of RFC 3261 §17, with the Accepted states of RFC 6026, and the keys that find them.
//!
//! A machine gets ready-made messages as bytes, status codes and the time. It *says* what to do by pushing
//! [`Action`]s in order, and [`poll_timeout`](InviteServer::poll_timeout) tells when it wants to be called next.
//! It knows no socket and no parser. Who owns it keeps the flow and the message at hand, performs the actions,
//! and drops the machine as soon as it says that it is over (`is_terminated`).
//!
//! What a machine no longer needs it lets go at once: a finished transaction holds its last response (or the
//! ACK) if it may have to be repeated, and nothing else.

mod client;
mod invite_client;
mod invite_server;
mod key;
mod server;

pub use client::Client;
pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use key::{Keys, RequestParts, TransactionKey};
pub use server::Server;

use bytes::Bytes;
use std::time::{Duration, Instant};

/// The three values all timers are made of (RFC 3261 §17.1.1.1 and table 4).
///
/// Each is used in whole milliseconds, at least 1 ms and at most 65,535 ms; what lies outside is clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip. Default 500 ms. 64 times this is how long anything is tried.
    pub t1: Duration,
    /// The longest gap between repeats of a request other than INVITE, and of a final response. Default 4 s.
    pub t2: Duration,
    /// How long a message may live in the network. Default 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timers {
    /// 64 * T1: timers B, F, H, J, L and M. 32 s by default.
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }
}

/// What a machine wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send these bytes on the flow of the transaction.
    Send(Bytes),
    /// The message at hand is for the transaction user: a response to our request, or the ACK of a 2xx.
    /// Without this action it was a repeat and ends here.
    Deliver,
    /// Build the ACK of the final response at hand (RFC 3261 §17.1.1.3) and give it to
    /// [`InviteClient::acknowledge`]. Comes before [`Action::Deliver`], in the same turn.
    Acknowledge,
    /// No answer in time (timers B and F). To the user this is a `408` (RFC 3261 §8.1.3.1).
    TimedOut,
    /// The final response was never acknowledged (timer H).
    AckTimedOut,
    /// The transport lost our request. To the user this is a `503` (RFC 3261 §8.1.3.1).
    Unreachable,
}

/// [`Timers`] in 8 bytes, with what the transport does: every transaction carries one.
#[derive(Clone, Copy, Debug)]
struct Pace {
    t1_ms: u16,
    t2_ms: u16,
    t4_ms: u16,
    reliable: bool,
}

impl Pace {
    fn new(timers: Timers, reliable: bool) -> Pace {
        let ms = |d: Duration| d.as_millis().clamp(1, u16::MAX.into()) as u16;
        Pace { t1_ms: ms(timers.t1), t2_ms: ms(timers.t2), t4_ms: ms(timers.t4), reliable }
    }

    /// 64 * T1 from `now`.
    fn give_up_at(&self, now: Instant) -> Instant {
        now + Duration::from_millis(64 * u64::from(self.t1_ms))
    }

    /// T4 from `now`.
    fn t4_at(&self, now: Instant) -> Instant {
        now + Duration::from_millis(self.t4_ms.into())
    }

    /// The first repeat, after T1; `None` where the transport repeats by itself.
    fn first_resend(&self, now: Instant) -> Option<Resend> {
        (!self.reliable).then(|| Resend::after(now, self.t1_ms.into()))
    }

    fn t2_ms(&self) -> u32 {
        self.t2_ms.into()
    }
}

/// When to send again, and the gap that led there.
#[derive(Clone, Copy, Debug)]
struct Resend {
    at: Instant,
    gap_ms: u32,
}

impl Resend {
    fn after(now: Instant, gap_ms: u32) -> Resend {
        Resend { at: now + Duration::from_millis(gap_ms.into()), gap_ms }
    }

    /// Doubles the gap up to `cap_ms`. The schedule does not drift with a late call; but what was slept through
    /// is not caught up with: a burst of repeats helps nobody.
    fn back_off(&mut self, now: Instant, cap_ms: u32) {
        self.gap_ms = (self.gap_ms * 2).min(cap_ms);
        let gap = Duration::from_millis(self.gap_ms.into());
        self.at = if self.at + gap > now { self.at + gap } else { now + gap };
    }
}

/// The earlier of a repeat and an end; the end wins a tie.
fn earlier(
    resend: Option<Resend>,
    resend_name: &'static str,
    end: Instant,
    end_name: &'static str,
) -> Option<(Instant, &'static str)> {
    match resend {
        Some(Resend { at, .. }) if at < end => Some((at, resend_name)),
        _ => Some((end, end_name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any instant: from here on time is the test's.
    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_late_call_is_not_followed_by_a_burst() {
        let start = origin();
        let mut resend = Resend::after(start, 500);
        let late = start + Duration::from_secs(10);
        resend.back_off(late, 4_000);
        assert_eq!(resend.at, late + Duration::from_secs(1));
    }

    #[test]
    fn a_slightly_late_call_does_not_move_the_schedule() {
        let start = origin();
        let mut resend = Resend::after(start, 500);
        resend.back_off(start + Duration::from_millis(503), 4_000);
        assert_eq!(resend.at, start + Duration::from_millis(1_500));
    }

    #[test]
    fn the_machines_are_small() {
        assert!(size_of::<InviteServer>() <= 96, "{}", size_of::<InviteServer>());
        assert!(size_of::<InviteClient>() <= 96, "{}", size_of::<InviteClient>());
        assert!(size_of::<Client>() <= 96, "{}", size_of::<Client>());
        assert!(size_of::<Server>() <= 64, "{}", size_of::<Server>());
        assert_eq!(size_of::<TransactionKey>(), 16);
    }
}
