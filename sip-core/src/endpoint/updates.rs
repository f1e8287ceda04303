//! UPDATE in both roles (RFC 3311): a change of the session without a re-INVITE, before the answer too; without an
//! offer a sign of life (RFC 4028 §7.4).

use super::inside::{Draft, DraftKind};
use super::legs::{OursState, Stage, Updating};
use super::servers::Arrival;
use super::{Endpoint, Event, Reply, RequestKey};
use crate::key::LegKey;
use crate::message::{Body, Message, Method, StatusCode};
use std::time::Instant;

impl Endpoint {
    /// Offers the far end a change of the session, or without a body only tells it that we are there.
    ///
    /// The end of one with a body is [`Event::Updated`]. It ends with 491 at once while another exchange of offer and
    /// answer is under way that we know of (RFC 3311 §5.1); before the answer only the caller of the endpoint knows
    /// that. Ask [`allows_update`](Self::allows_update) first.
    pub fn update(&mut self, now: Instant, leg: LegKey, body: Option<Body>) {
        let Some(state) = self.legs.get(leg.0).filter(|state| state.told && state.dialog.is_some()) else {
            return;
        };
        let inside = matches!(state.stage, Stage::Confirmed | Stage::Invited);
        let exchanging = state.ours.is_some() || (state.stage == Stage::Confirmed && state.theirs.is_some());
        let busy = state.updating.is_some() || (body.is_some() && (exchanging || self.awaits_update(leg.0)));
        match (inside && !busy, body) {
            (true, body) => self.send_update(now, leg.0, body),
            (false, Some(_)) => {
                let (response, status) = (None, StatusCode::REQUEST_PENDING);
                self.tell(leg.0, Event::Updated { leg, response, status });
            }
            (false, None) => {}
        }
    }

    /// Whether the far end takes UPDATE, as far as it has said.
    pub fn allows_update(&self, leg: LegKey) -> bool {
        self.legs.get(leg.0).is_some_and(|state| state.abilities.update)
    }

    pub(super) fn refresh_by_update(&mut self, now: Instant, leg: u64) {
        if self.legs.get(leg).is_some_and(|state| state.updating.is_none()) {
            self.send_update(now, leg, None);
        }
    }

    fn send_update(&mut self, now: Instant, leg: u64, body: Option<Body>) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let Some(cseq) = state.dialog.as_mut().map(|dialog| dialog.next_seq()) else { return };
        state.updating = Some(if body.is_some() { Updating::Offer } else { Updating::Refresh });
        self.send_draft(now, leg, Draft { kind: DraftKind::Update, cseq, headers: Vec::new(), body });
    }

    pub(super) fn update_response(&mut self, now: Instant, client: u64, response: &Message) {
        let (Some(status), Some(tx)) = (response.status(), self.clients.get(client)) else { return };
        let leg = tx.leg;
        if status.is_final() {
            self.updated(now, leg, status, Some(response));
        }
    }

    /// The final response to an UPDATE of ours, or none at all.
    pub(super) fn updated(&mut self, now: Instant, leg: u64, status: StatusCode, response: Option<&Message>) {
        let Some(updating) = self.legs.get_mut(leg).and_then(|state| state.updating.take()) else { return };
        if let Some(response) = response.filter(|_| status.is_success()) {
            self.refresh_target(leg, response);
            self.session_agreed(now, leg, response);
        }
        match updating {
            Updating::Offer => {
                let response = response.cloned();
                self.tell(leg, Event::Updated { leg: LegKey(leg), response, status });
            }
            Updating::Refresh if status.is_success() => {}
            Updating::Refresh => self.refresh_refused(now, leg, status, response),
        }
        self.settle(leg);
    }

    /// What is not said here is tried again by the session timer.
    fn refresh_refused(&mut self, now: Instant, leg: u64, status: StatusCode, response: Option<&Message>) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        match status {
            StatusCode::SESSION_INTERVAL_TOO_SMALL
                if response.is_some_and(|response| state.learns_min_se(response)) =>
            {
                self.send_update(now, leg, None);
            }
            // It had said otherwise; a re-INVITE it must take.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                state.abilities.update = false;
                self.tell(leg, Event::RefreshDue { leg: LegKey(leg) });
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST => self.session_over(leg),
            _ => {}
        }
    }

    /// Their UPDATE. One without an offer is answered here.
    pub(super) fn update_received(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) {
        let request = arrival.request;
        let Some(state) = self.legs.get(leg).filter(|state| state.told) else {
            return self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
        };
        let (terms, offers) = (state.terms, !request.body().is_empty());
        let fault = self.fault_of_content(request).or_else(|| self.fault_of_require(request, terms));
        let fault = fault.or_else(|| self.fault_of_session(request, terms));
        let fault = fault.or_else(|| if offers { self.fault_of_exchange(leg) } else { None });
        if self.is_busy() {
            return self.refuse(arrival, Reply::new(StatusCode::SERVICE_UNAVAILABLE));
        }
        let Some(server) = self.open_other(now, arrival, leg) else { return };
        match fault {
            Some(reply) => self.answer_update(now, leg, server, &reply),
            None if !offers => self.answer_update(now, leg, server, &Reply::new(StatusCode::OK)),
            None => {
                if let Some(state) = self.legs.get_mut(leg) {
                    state.their_update = Some(server);
                }
                let (leg, request) = (LegKey(leg), request.clone());
                self.tell(leg.0, Event::Request { leg, key: RequestKey(server), request });
            }
        }
    }

    /// Two exchanges of offer and answer at once: `491` if ours is under way, `500` if theirs is (RFC 3311 §5.2).
    /// Whether the offer of an INVITE that waits for its first final response is answered already, only the caller of
    /// the endpoint can know.
    fn fault_of_exchange(&mut self, leg: u64) -> Option<Reply> {
        let state = self.legs.get(leg)?;
        let offered = |state| matches!(state, OursState::Sent | OursState::Answered { .. });
        let ours = state.ours.as_ref().is_some_and(|ours| offered(ours.state));
        if ours || state.updating == Some(Updating::Offer) {
            return Some(Reply::new(StatusCode::REQUEST_PENDING));
        }
        let theirs = state.stage == Stage::Confirmed && state.theirs.is_some();
        (theirs || self.awaits_update(leg)).then(|| self.try_later())
    }

    /// Their UPDATE with an offer waits for our answer.
    fn awaits_update(&self, leg: u64) -> bool {
        let server = self.legs.get(leg).and_then(|state| state.their_update);
        server.is_some_and(|server| self.open_request(server).is_some_and(|open| open.leg == leg))
    }

    pub(super) fn answer_update(&mut self, now: Instant, leg: u64, server: u64, reply: &Reply) {
        let Some(request) = self.open_request(server).map(|open| open.request.clone()) else { return };
        let accepted = reply.status.is_success();
        self.reply(now, server, reply, &[], accepted);
        if let Some(state) = self.legs.get_mut(leg) {
            state.their_update.take_if(|waiting| *waiting == server);
        }
        if accepted {
            self.refresh_target(leg, &request);
            self.session_answered(now, leg, &request);
        }
        self.settle(leg);
    }

    /// Whether a request that waits for [`answer_request`](Self::answer_request) is an UPDATE.
    pub(super) fn is_update(&self, server: u64) -> bool {
        self.open_request(server).is_some_and(|open| open.request.method() == Method::Update)
    }
}
