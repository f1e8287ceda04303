//! Whose packets belong to this leg: symmetric RTP, open only while the session starts.
//!
//! The signalled address is believed at once. Another address (a peer behind NAT) is believed after three
//! packets; until then it is heard too, so that no first word is lost. With SRTP one is enough, for it has proved whose it
//! is. Once pinned, strangers are turned away:
//! they can neither be heard nor draw our sound to themselves ("RTP bleed").

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Packets in a row from one address that pin it.
const STABLE: u8 = 3;
/// A candidate quiet for this long makes room for another.
const CANDIDATE_PATIENCE: Duration = Duration::from_secs(1);
/// For this long after pinning another address the signalled one may still take over.
const SETTLING: Duration = Duration::from_secs(5);
/// For this long after a move packets from the old address are only late ones.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// The addresses of one leg's peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latch {
    signalled: Option<SocketAddr>,
    state: State,
    /// Who was heard before the signalled address changed, and until when packets of his may be on their way.
    left: Option<(SocketAddr, Instant)>,
}

#[derive(Debug, Clone, Default)]
enum State {
    /// Nobody heard yet.
    #[default]
    Open,
    /// Somebody not signalled is being heard.
    Trying {
        candidate: SocketAddr,
        packets: u8,
        last_at: Instant,
    },
    Pinned {
        peer: SocketAddr,
        at: Instant,
    },
}

impl Latch {
    /// The address signalled by SDP, first or anew. A changed one opens the latch again.
    /// Who was heard until now is heard for a moment yet, but draws nothing to himself by it.
    pub(crate) fn signal(&mut self, now: Instant, remote: Option<SocketAddr>) {
        if remote.is_some() && remote != self.signalled {
            if let State::Pinned { peer, .. } = self.state {
                self.left = Some((peer, now + STRAGGLERS));
            }
            self.signalled = remote;
            self.state = State::Open;
        }
    }

    /// Whoever is heard next is believed again, as when the session started; until then our sound goes to where SDP said.
    pub(crate) fn open(&mut self) {
        self.state = State::Open;
        self.left = None;
    }

    /// Where to send: to who is heard, else to where SDP said.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        match self.state {
            State::Open => self.signalled,
            State::Trying { candidate, .. } => Some(candidate),
            State::Pinned { peer, .. } => Some(peer),
        }
    }

    /// The peer is where SDP said it is, as far as we know.
    pub(crate) fn is_as_signalled(&self) -> bool {
        self.target() == self.signalled
    }

    /// Whether a packet from this address is worth looking at.
    pub(crate) fn would_admit(&self, now: Instant, from: SocketAddr) -> bool {
        self.clone().admit(now, from, false)
    }

    /// Whether a valid RTP packet from this address belongs to the leg; an authentic one has been opened by the peer's key.
    pub(crate) fn admit(&mut self, now: Instant, from: SocketAddr, is_authentic: bool) -> bool {
        if let State::Pinned { peer, at } = self.state {
            return peer == from || self.take_over(now, from, at);
        }
        let is_signalled = Some(from) == self.signalled;
        if !is_signalled && self.left.is_some_and(|(left, until)| left == from && now < until) {
            return true;
        }
        if is_authentic || is_signalled {
            self.state = State::Pinned { peer: from, at: now };
            return true;
        }
        self.try_candidate(now, from)
    }

    fn take_over(&mut self, now: Instant, from: SocketAddr, pinned_at: Instant) -> bool {
        let may = Some(from) == self.signalled && now.saturating_duration_since(pinned_at) < SETTLING;
        if may {
            self.state = State::Pinned { peer: from, at: pinned_at };
        }
        may
    }

    fn try_candidate(&mut self, now: Instant, from: SocketAddr) -> bool {
        let packets = match self.state {
            State::Trying { candidate, packets, .. } if candidate == from => packets + 1,
            State::Trying { last_at, .. } if now.saturating_duration_since(last_at) < CANDIDATE_PATIENCE => {
                return false;
            }
            _ => 1,
        };
        self.state = match packets {
            STABLE.. => State::Pinned { peer: from, at: now },
            _ => State::Trying { candidate: from, packets, last_at: now },
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 4_000))
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_signalled_address_pins_with_its_first_packet() {
        let (now, mut latch) = (origin(), Latch::default());
        latch.signal(now, Some(address(1)));
        assert_eq!(latch.target(), Some(address(1)));
        assert!(latch.admit(now, address(1), false));
        assert!(!latch.admit(now, address(2), false));
    }

    #[test]
    fn a_peer_behind_nat_is_heard_from_its_first_packet_and_pinned_by_its_third() {
        let (now, mut latch) = (origin(), Latch::default());
        latch.signal(now, Some(address(1)));
        assert!(latch.admit(now, address(2), false));
        assert_eq!(latch.target(), Some(address(2)));
        assert!(!latch.admit(now, address(3), false), "another stranger while the first is tried");
        assert!(
            latch.admit(now + 20 * MS, address(2), false) && latch.admit(now + 40 * MS, address(2), false)
        );
        assert!(!latch.admit(now + 3_000 * MS, address(3), false));
    }

    #[test]
    fn the_signalled_address_drives_a_stranger_out_while_the_session_settles() {
        let (now, mut latch) = (origin(), Latch::default());
        latch.signal(now, Some(address(1)));
        (0..3).for_each(|n| assert!(latch.admit(now + n * MS, address(2), false)));
        assert!(latch.admit(now + 100 * MS, address(1), false));
        assert!(!latch.admit(now + 120 * MS, address(2), false));
    }

    #[test]
    fn after_settling_nobody_takes_over_a_pinned_leg() {
        let (now, mut latch) = (origin(), Latch::default());
        latch.signal(now, Some(address(1)));
        (0..3).for_each(|n| assert!(latch.admit(now + n * MS, address(2), false)));
        assert!(!latch.admit(now + 6_000 * MS, address(1), false));
    }

    #[test]
    fn a_stranger_that_fell_silent_makes_room() {
        let (now, mut latch) = (origin(), Latch::default());
        assert!(latch.admit(now, address(2), false));
        assert!(latch.admit(now + 1_000 * MS, address(3), false));
    }

    #[test]
    fn only_a_changed_address_in_a_new_description_opens_the_latch() {
        let (now, mut latch) = (origin(), Latch::default());
        latch.signal(now, Some(address(1)));
        assert!(latch.admit(now, address(1), false));
        latch.signal(now, None);
        latch.signal(now, Some(address(1)));
        assert!(!latch.admit(now, address(2), false));
        latch.signal(now, Some(address(2)));
        assert!(latch.admit(now, address(2), false));
        assert!(!latch.admit(now, address(1), false));
    }

    #[test]
    fn stragglers_from_before_a_move_are_heard_and_keep_nobody_out() {
        for is_authentic in [false, true] {
            let (now, mut latch) = (origin(), Latch::default());
            latch.signal(now, Some(address(1)));
            assert!(latch.admit(now, address(1), is_authentic));
            latch.signal(now, Some(address(2)));
            for n in 0..10 {
                assert!(latch.admit(now + n * 20 * MS, address(1), is_authentic));
                assert_eq!(latch.target(), Some(address(2)), "our sound goes to where he is now");
            }
            let nat = now + 300 * MS;
            (0..3).for_each(|n| assert!(latch.admit(nat + n * 20 * MS, address(3), is_authentic)));
            assert_eq!(latch.target(), Some(address(3)), "a peer behind NAT has moved too");
            assert!(!latch.admit(now + 500 * MS, address(1), is_authentic));
        }
    }

    #[test]
    fn who_still_sends_from_the_old_address_a_second_after_a_move_is_there() {
        let (now, mut latch) = (origin(), Latch::default());
        latch.signal(now, Some(address(1)));
        assert!(latch.admit(now, address(1), true));
        latch.signal(now, Some(address(2)));
        assert!(latch.admit(now + 1_000 * MS, address(1), true));
        assert_eq!(latch.target(), Some(address(1)));
        latch.signal(now + 2_000 * MS, Some(address(1)));
        assert!(latch.admit(now + 2_000 * MS, address(1), true));
        assert!(!latch.admit(now + 9_000 * MS, address(2), true), "moved back: pinned at once");
    }

    #[test]
    fn an_authentic_packet_pins_at_once_wherever_it_comes_from() {
        let (now, mut latch) = (origin(), Latch::default());
        latch.signal(now, Some(address(1)));
        assert!(
            latch.would_admit(now, address(3)) && latch.would_admit(now, address(2)),
            "nobody is pinned by a look"
        );
        assert!(latch.admit(now, address(2), true));
        assert!(!latch.would_admit(now, address(3)) && !latch.admit(now, address(3), true));
        assert!(latch.admit(now + 100 * MS, address(1), true), "while the session settles");
    }
}
