//! Addresses that have not answered lately: they are tried after the others that a name leads to (RFC 3263 §4.3).

use super::{Endpoint, FailCause};
use crate::message::{Message, StatusCode};
use crate::transport::Transport;
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

/// Who is doubted, and until when.
#[derive(Default)]
pub(super) struct Doubts(BTreeMap<(SocketAddr, Transport), Doubt>);

impl Doubts {
    pub(super) fn fails(&mut self, now: Instant, transport: Transport, remote: SocketAddr) {
        let key = (remote, transport);
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

    pub(super) fn works(&mut self, transport: Transport, remote: SocketAddr) {
        if !self.0.is_empty() {
            self.0.remove(&(remote, transport));
        }
    }

    /// Those who are doubted come last; otherwise the order stays.
    pub(super) fn put_last(&self, now: Instant, addresses: &mut [(Transport, SocketAddr)]) {
        let is_doubted = |(transport, remote): &(Transport, SocketAddr)| {
            self.0.get(&(*remote, *transport)).is_some_and(|doubt| now < doubt.until)
        };
        addresses.sort_by_key(is_doubted);
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
        if let Some(flow) = self.clients.get(client).map(|tx| tx.flow).filter(|_| fails) {
            self.doubts.fails(now, flow.transport, flow.remote);
        }
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
        let at = |text: &str| (Transport::Udp, text.parse().unwrap());
        let (a, b) = (at("10.0.0.1:5060"), at("10.0.0.2:5060"));
        let mut doubts = Doubts::default();
        let first = |doubts: &Doubts, now| {
            let mut both = [a, b];
            doubts.put_last(now, &mut both);
            both[0]
        };
        doubts.fails(start, a.0, a.1);
        doubts.fails(start + FIRST / 2, a.0, a.1);
        assert_eq!((first(&doubts, start), first(&doubts, start + FIRST)), (b, a));
        doubts.fails(start + FIRST, a.0, a.1);
        assert_eq!(
            (first(&doubts, start + FIRST * 3 - FIRST / 2), first(&doubts, start + FIRST * 3)),
            (b, a)
        );
        doubts.fails(start + FIRST * 3, a.0, a.1);
        doubts.works(a.0, a.1);
        assert_eq!(first(&doubts, start + FIRST * 3), a);
    }

    #[test]
    fn a_flood_of_dead_addresses_does_not_grow_without_end() {
        let start = origin();
        let mut doubts = Doubts::default();
        for port in 1..=5_000 {
            doubts.fails(start, Transport::Udp, ([10, 0, 0, 1], port).into());
        }
        assert_eq!(doubts.0.len(), MOST);
        doubts.fails(start + FIRST, Transport::Udp, ([10, 0, 0, 2], 1).into());
        assert_eq!(doubts.0.len(), 1, "those no longer doubted make room");
    }
}
