//! New calls that are not taken for want of room or time, and what their peer hears (RFC 3261 §21.5.4).

use super::servers::Arrival;
use super::{Endpoint, Reply, Service};
use crate::message::StatusCode;
use bytes::Bytes;
use std::time::Duration;

/// What a peer hears when a call of its is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status, mostly 503.
    pub status: StatusCode,
    /// What `Retry-After` says beside a 503 while we drain; zero: there is none. At other times there never is one, for
    /// it would stop the peer for that long.
    pub retry_after: Duration,
}

impl Endpoint {
    /// Why no INVITE is taken now, whatever it says.
    pub(super) fn fault_of_load(&mut self, arrival: &Arrival<'_>) -> Option<Reply> {
        if self.is_urgent(arrival) {
            return None;
        }
        let status = self.refusal(arrival).status;
        if matches!(self.service, Service::Draining | Service::Overloaded) {
            self.counters.not_open += 1;
            return Some(self.not_open(arrival, status));
        }
        let (full, late) = (self.is_full(), self.late);
        self.counters.shed += u64::from(late);
        self.counters.full += u64::from(full && !late);
        (full || late).then(|| Reply::new(status))
    }

    fn is_urgent(&self, arrival: &Arrival<'_>) -> bool {
        let peer = self.sources.find(arrival.flow.remote);
        peer.is_some_and(|peer| self.urgent.covers(peer, arrival.request))
    }

    /// The answer while the service is not open.
    pub(super) fn not_open(&self, arrival: &Arrival<'_>, status: StatusCode) -> Reply {
        let mut reply = Reply::new(status);
        let rest = self.refusal(arrival).retry_after;
        if self.service == Service::Draining && status == StatusCode::SERVICE_UNAVAILABLE && !rest.is_zero() {
            let seconds = rest.as_secs().max(1);
            reply.headers.push((Bytes::from_static(b"Retry-After"), Bytes::from(seconds.to_string())));
        }
        reply
    }

    fn refusal(&self, arrival: &Arrival<'_>) -> Refusal {
        let own = self.sources.find(arrival.flow.remote).and_then(|peer| self.refusals.get(&peer));
        let retry_after = self.settings.retry_after;
        own.copied().unwrap_or(Refusal { status: StatusCode::SERVICE_UNAVAILABLE, retry_after })
    }
}
