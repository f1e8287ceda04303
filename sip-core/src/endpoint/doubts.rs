//! Addresses that have not answered lately: they are tried after the others that a name leads to (RFC 3263 §4.3).

use super::legs::Hop;
use super::{Endpoint, FailCause};
use crate::message::{Message, StatusCode};
use crate::transport::{PeerId, Transport};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long an address is doubted after its first failure, and at most; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(480);
/// Addresses doubted at one time; one more is believed.
const MOST: usize = 1_024;

#[derive(Clone, Copy)]
struct Doubt {
    until: Instant,
    length: Duration,
}

/// Who is doubted, and until when: over TLS each peer's way by itself, for whoever names another's address in his Contact
/// makes a handshake fail there that says nothing of the other.
#[derive(Default)]
pub(super) struct Doubts(BTreeMap<(Option<PeerId>, SocketAddr, Transport), Doubt>);

fn key(hop: &Hop) -> (Option<PeerId>, SocketAddr, Transport) {
    (hop.peer, hop.remote, hop.transport)
}

impl Doubts {
    pub(super) fn fails(&mut self, now: Instant, hop: &Hop) {
        let key = key(hop);
        let length = match self.0.get(&key) {
            // One failure may be told several times, by all who waited for it.
            Some(doubt) if now < doubt.until => return,
            Some(doubt) => (doubt.length * 2).min(LONGEST),
            None => FIRST,
        };
        if self.0.len() >= MOST {
            self.0.retain(|_, doubt| now < doubt.until);
        }
        if self.0.len() < MOST {
            self.0.insert(key, Doubt { until: now + length, length });
        }
    }

    pub(super) fn works(&mut self, hop: &Hop) {
        self.0.remove(&key(hop));
    }

    /// Nobody is doubted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those who are doubted come last; otherwise the order stays.
    pub(super) fn put_last(&self, now: Instant, hops: &mut [Hop]) {
        hops.sort_by_key(|hop| self.0.get(&key(hop)).is_some_and(|doubt| now < doubt.until));
    }
}

impl Endpoint {
    /// An attempt has come to nothing: whether that says something of the address it went to.
    pub(super) fn doubt(&mut self, now: Instant, client: u64, cause: FailCause, response: Option<&Message>) {
        let fails = match cause {
            FailCause::TimedOut | FailCause::Unreachable | FailCause::Closed => true,
            FailCause::Response => {
                response.and_then(Message::status) == Some(StatusCode::SERVICE_UNAVAILABLE)
            }
            FailCause::Unresolved | FailCause::Full => false,
        };
        if let Some(hop) = self.hop_of(client).filter(|_| fails) {
            self.doubts.fails(now, &hop);
        }
    }

    /// A response has come.
    pub(super) fn believe(&mut self, client: u64) {
        if self.doubts.is_empty() {
            return;
        }
        if let Some(hop) = self.hop_of(client) {
            self.doubts.works(&hop);
        }
    }

    fn hop_of(&self, client: u64) -> Option<Hop> {
        let tx = self.clients.get(client)?;
        let peer = self.legs.get(tx.leg).and_then(|leg| leg.peer);
        Some(Hop::new(tx.flow.transport, tx.flow.remote, peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_failure_is_remembered_for_longer_each_time_and_forgotten_with_the_first_answer() {
        let start = origin();
        let at = |text: &str| Hop::new(Transport::Udp, text.parse().unwrap(), None);
        let (a, b) = (at("10.0.0.1:5060"), at("10.0.0.2:5060"));
        let mut doubts = Doubts::default();
        let first = |doubts: &Doubts, now| {
            let mut both = [a, b];
            doubts.put_last(now, &mut both);
            both[0].remote
        };
        doubts.fails(start, &a);
        doubts.fails(start + FIRST / 2, &a);
        assert_eq!((first(&doubts, start), first(&doubts, start + FIRST)), (b.remote, a.remote));
        doubts.fails(start + FIRST, &a);
        assert_eq!(
            (first(&doubts, start + FIRST * 3 - FIRST / 2), first(&doubts, start + FIRST * 3)),
            (b.remote, a.remote)
        );
        doubts.fails(start + FIRST * 3, &a);
        doubts.works(&a);
        assert_eq!(first(&doubts, start + FIRST * 3), a.remote);
    }

    #[test]
    fn a_failed_handshake_with_one_peer_says_nothing_of_another_at_that_address() {
        let start = origin();
        let tls = |peer, text: &str| Hop::new(Transport::Tls, text.parse().unwrap(), Some(PeerId(peer)));
        let mut doubts = Doubts::default();
        doubts.fails(start, &tls(1, "10.0.0.1:5061"));
        for (peer, first) in [(1, "10.0.0.2:5061"), (2, "10.0.0.1:5061")] {
            let mut hops = [tls(peer, "10.0.0.1:5061"), tls(peer, "10.0.0.2:5061")];
            doubts.put_last(start, &mut hops);
            assert_eq!(hops[0].remote.to_string(), first);
        }
    }

    #[test]
    fn a_flood_of_dead_addresses_does_not_grow_without_end() {
        let start = origin();
        let mut doubts = Doubts::default();
        for port in 1..=5_000 {
            doubts.fails(start, &Hop::new(Transport::Udp, ([10, 0, 0, 1], port).into(), None));
        }
        assert_eq!(doubts.0.len(), MOST);
        doubts.fails(start + FIRST, &Hop::new(Transport::Udp, ([10, 0, 0, 2], 1).into(), None));
        assert_eq!(doubts.0.len(), 1, "those no longer doubted make room");
    }
}
