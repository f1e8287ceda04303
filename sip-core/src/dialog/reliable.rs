//! Reliable provisional responses (RFC 3262): ours that wait for their PRACK, and the order of the far end's.

use super::{Overdue, Unacked};
use crate::message::{Header, Message};
use crate::transaction::Timers;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Our provisional responses to one INVITE, one after the other: the next leaves when the last is acknowledged (§3).
#[derive(Debug)]
pub struct Reliable {
    /// CSeq number of the INVITE.
    cseq: u32,
    first: u32,
    /// The number of the next response.
    next: u32,
    waiting: Option<Unacked>,
    timers: Timers,
}

/// What a PRACK says of our responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The one that waited.
    Now,
    /// One that does not wait any more, because the INVITE is answered.
    Before,
    /// None that we have sent: `481`.
    Never,
}

impl Reliable {
    /// Of the INVITE with this CSeq number. `first` is random, 1 to 2^31 - 1: the number of the first response (§3).
    pub fn new(cseq: u32, first: u32, timers: Timers) -> Reliable {
        Reliable { cseq, first, next: first, waiting: None, timers }
    }

    /// A response waits for its PRACK, so that no other may leave.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The RSeq of the next response.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// The response with the number [`next`](Self::next) has just been sent.
    pub fn sent(&mut self, now: Instant, response: Bytes) {
        let without_cap = Timers { t2: Duration::MAX, ..self.timers };
        self.next = self.next.wrapping_add(1);
        self.waiting = Some(Unacked::new(now, response, self.cseq, without_cap));
    }

    /// The INVITE is answered: nothing is sent again.
    pub fn stop(&mut self) {
        self.waiting = None;
    }

    /// A PRACK has come.
    pub fn acknowledge(&mut self, rack: RAck) -> Acknowledged {
        if rack.cseq != self.cseq || !(self.first..self.next).contains(&rack.rseq) {
            return Acknowledged::Never;
        }
        match rack.rseq.wrapping_add(1) == self.next && self.waiting.take().is_some() {
            true => Acknowledged::Now,
            false => Acknowledged::Before,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.as_ref().map(Unacked::poll_timeout)
    }

    /// What is due at `now`: the gap doubles without a cap (§3). After [`Overdue::GiveUp`] the INVITE should be refused
    /// by a 5xx.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Overdue> {
        let due = self.waiting.as_mut()?.handle_timeout(now);
        if due == Some(Overdue::GiveUp) {
            self.waiting = None;
        }
        due
    }
}

/// Which response a PRACK acknowledges: `RAck: 776656 1 INVITE` (§7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq number of its INVITE.
    pub cseq: u32,
}

impl RAck {
    /// What a PRACK says; `None` if nothing that can be read, or if the method is none that has reliable responses.
    pub fn of(prack: &Message) -> Option<RAck> {
        let value = prack.value(Header::RAck)?;
        let mut words = std::str::from_utf8(&value).ok()?.split_ascii_whitespace();
        let (rseq, cseq) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        (words.next() == Some("INVITE") && words.next().is_none()).then_some(RAck { rseq, cseq })
    }
}

/// The RSeq of a provisional response that wants a PRACK (§4); `None` if it wants none.
pub fn wanted_prack(response: &Message) -> Option<u32> {
    let wants = response.has_token(Header::Require, "100rel");
    let rseq = response.value(Header::RSeq).filter(|_| wants)?;
    std::str::from_utf8(&rseq).ok()?.trim().parse().ok().filter(|rseq| *rseq > 0)
}

/// The order of the far end's reliable responses in one early dialog (§4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    last: Option<u32>,
}

impl Seen {
    /// True if a response with this number is the next one. A repeat is nothing new, and one that comes too early is
    /// as if it had not come: it will be repeated.
    pub fn take(&mut self, rseq: u32) -> bool {
        let next = self.last.is_none_or(|last| last.checked_add(1) == Some(rseq));
        if next {
            self.last = Some(rseq);
        }
        next
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
    fn a_response_is_repeated_at_doubled_gaps_without_a_cap_until_64_t1_have_passed() {
        let start = origin();
        let mut reliable = Reliable::new(1, 10, Timers::default());
        reliable.sent(start, Bytes::from_static(b"183"));
        let mut sent = vec![];
        while let Some(at) = reliable.poll_timeout() {
            match reliable.handle_timeout(at) {
                Some(Overdue::Resend(_)) => sent.push((at - start).as_millis()),
                Some(Overdue::GiveUp) => assert_eq!((at - start).as_millis(), 32_000),
                None => panic!("called in time and nothing was due"),
            }
        }
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    }

    #[test]
    fn a_prack_must_name_a_response_that_was_sent_to_this_invite() {
        use Acknowledged::{Before, Never, Now};
        let mut reliable = Reliable::new(7, 10, Timers::default());
        let rack = |rseq, cseq| RAck { rseq, cseq };
        assert_eq!(reliable.acknowledge(rack(10, 7)), Never, "nothing was sent yet");
        reliable.sent(origin(), Bytes::new());
        assert_eq!([rack(11, 7), rack(9, 7), rack(10, 8)].map(|r| reliable.acknowledge(r)), [Never; 3]);
        assert_eq!(reliable.acknowledge(rack(10, 7)), Now);
        reliable.sent(origin(), Bytes::new());
        assert_eq!((reliable.acknowledge(rack(10, 7)), reliable.is_waiting()), (Before, true));
    }

    #[test]
    fn responses_of_the_far_end_are_taken_in_order_and_once() {
        let mut seen = Seen::default();
        assert_eq!([5, 5, 7, 6, 7, 5].map(|rseq| seen.take(rseq)), [true, false, false, true, true, false]);
    }

    #[test]
    fn rack_is_three_words_and_the_last_is_invite() {
        let rack = |value: &str| {
            RAck::of(
                &Message::parse(format!("PRACK sip:a@x SIP/2.0\r\nRAck: {value}\r\n\r\n").into()).unwrap(),
            )
        };
        assert_eq!(rack("776656  1\tINVITE"), Some(RAck { rseq: 776_656, cseq: 1 }));
        for wrong in ["1 2 BYE", "1 INVITE", "-1 2 INVITE", "1 2 INVITE 3", ""] {
            assert_eq!(rack(wrong), None, "{wrong}");
        }
    }
}
