//! INFO in both roles (RFC 6086), for keys and signs of life: it changes nothing in the dialog.

use super::inside::{Draft, DraftKind};
use super::legs::Stage;
use super::servers::Arrival;
use super::{Endpoint, Event, Reply, RequestKey};
use crate::key::LegKey;
use crate::message::{Body, StatusCode};
use std::time::Instant;

impl Endpoint {
    /// Sends an INFO. Nobody hears what becomes of it: what must not be lost does not belong into one. Ask
    /// [`allows_info`](Self::allows_info) first. Before the answer nothing happens.
    pub fn info(&mut self, now: Instant, leg: LegKey, body: Body) {
        let Some(state) = self.legs.get_mut(leg.0).filter(|state| state.told) else { return };
        let (Stage::Confirmed, Some(dialog)) = (state.stage, state.dialog.as_mut()) else { return };
        let cseq = dialog.next_seq();
        let draft = Draft { kind: DraftKind::Info, cseq, headers: Vec::new(), body: Some(body) };
        self.send_draft(now, leg.0, draft);
    }

    /// Whether the far end takes INFO, as far as it has said.
    pub fn allows_info(&self, leg: LegKey) -> bool {
        self.legs.get(leg.0).is_some_and(|state| state.abilities.info)
    }

    pub(super) fn info_received(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) {
        let Some(terms) = self.legs.get(leg).filter(|state| state.told).map(|state| state.terms) else {
            return self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
        };
        if let Some(reply) = self.fault_of_require(arrival.request, terms) {
            return self.refuse(arrival, reply);
        }
        if self.is_busy() {
            return self.refuse(arrival, Reply::new(StatusCode::SERVICE_UNAVAILABLE));
        }
        let Some(server) = self.open_other(now, arrival, leg) else { return };
        let (leg_key, request) = (LegKey(leg), arrival.request.clone());
        self.tell(leg, Event::Request { leg: leg_key, key: RequestKey(server), request });
    }
}
