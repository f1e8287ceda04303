//! A response of ours that waits for its acknowledgement: a 2xx for its ACK (RFC 3261 §13.3.1.4), a reliable provisional
//! one for its PRACK (RFC 3262 §3).

use crate::transaction::Timers;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Repeats a response to an INVITE, over streams too, first after T1, then at doubled gaps up to T2, until it is
/// acknowledged or 64 * T1 have passed.
#[derive(Debug)]
pub struct Unacked {
    response: Bytes,
    cseq: u32,
    resend_at: Instant,
    gap: Duration,
    give_up_at: Instant,
    t2: Duration,
}

/// What the passing of time asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Send the response again.
    Resend(Bytes),
    /// Nobody has acknowledged it: after a 2xx the session should be ended by BYE.
    GiveUp,
}

impl Unacked {
    /// `response` has just been sent to the INVITE with this CSeq number.
    pub fn new(now: Instant, response: Bytes, cseq: u32, timers: Timers) -> Unacked {
        Unacked {
            response,
            cseq,
            resend_at: now + timers.t1,
            gap: timers.t1,
            give_up_at: now + timers.give_up(),
            t2: timers.t2,
        }
    }

    /// Whether an ACK with this CSeq number is the one that is missing.
    pub fn is_acked_by(&self, cseq: u32) -> bool {
        self.cseq == cseq
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next.
    pub fn poll_timeout(&self) -> Instant {
        self.resend_at.min(self.give_up_at)
    }

    /// What is due at `now`, if anything.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Overdue> {
        if self.give_up_at <= now {
            return Some(Overdue::GiveUp);
        }
        if now < self.resend_at {
            return None;
        }
        self.gap = (self.gap * 2).min(self.t2);
        self.resend_at = (self.resend_at + self.gap).max(now + self.gap / 2);
        Some(Overdue::Resend(self.response.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now() // any instant: from here on time is ours
    }

    #[test]
    fn a_2xx_is_repeated_at_doubled_gaps_up_to_t2_until_64_t1_have_passed() {
        let start = origin();
        let mut unacked = Unacked::new(start, Bytes::from_static(b"200"), 1, Timers::default());
        let mut sent = vec![];
        let gave_up = loop {
            let at = unacked.poll_timeout();
            match unacked.handle_timeout(at) {
                Some(Overdue::Resend(_)) => sent.push((at - start).as_millis()),
                Some(Overdue::GiveUp) => break (at - start).as_millis(),
                None => panic!("called in time and nothing was due"),
            }
        };
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(gave_up, 32_000);
    }
}
