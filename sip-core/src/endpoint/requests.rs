//! Requests of the far end inside a dialog (RFC 3261 §12.2.2, §14.2, §15.1.2).

use super::legs::{OursState, Stage, Theirs};
use super::servers::Arrival;
use super::{Endpoint, Event, Reply, RequestKey};
use crate::dialog::Order;
use crate::key::LegKey;
use crate::message::{Header, Message, Method, StatusCode};
use crate::token::Kind;
use bytes::Bytes;
use std::time::Instant;

impl Endpoint {
    /// The leg whose tag stands in To, if the rest of the request agrees (RFC 3261 §12.2.2).
    pub(super) fn leg_of(&self, request: &Message) -> Option<u64> {
        let leg = self.mint.seal.read(Kind::Tag, &request.tag(Header::To)?)?;
        let state = self.legs.get(leg)?;
        let fits = match (&state.dialog, &state.outgoing) {
            (Some(dialog), _) => dialog.owns(request),
            (None, Some(out)) => {
                let tag = request.tag(Header::From).unwrap_or_default();
                request.call_id().ok()? == out.call_id && out.known(&tag).is_some()
            }
            (None, None) => false,
        };
        fits.then_some(leg)
    }

    /// A new request with a To tag, not ACK, not CANCEL.
    pub(super) fn request_inside(&mut self, now: Instant, arrival: &Arrival<'_>) {
        let method = arrival.request.method();
        let Some(leg) = self.leg_of(arrival.request) else {
            return self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
        };
        let Some(state) = self.legs.get_mut(leg) else { return };
        let over = state.stage == Stage::Over;
        let number = arrival.request.cseq().map_or(0, |cseq| cseq.number);
        let order = state.dialog.as_mut().map_or(Order::InOrder, |dialog| dialog.take_order(number));
        match method {
            Method::Invite if order == Order::Late => {
                self.refuse_invite(now, arrival, leg, Reply::new(StatusCode::SERVER_INTERNAL_ERROR));
            }
            _ if order == Order::Late => self.refuse(arrival, Reply::new(StatusCode::SERVER_INTERNAL_ERROR)),
            Method::Bye if !(over && self.is_busy()) => self.bye(now, arrival, leg),
            _ if over => self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST)),
            Method::Invite => self.reinvite_received(now, arrival, leg),
            Method::Info => self.info_received(now, arrival, leg),
            Method::Refer => self.refer_received(now, arrival, leg),
            Method::Notify => self.notify_received(now, arrival, leg),
            Method::Update => self.update_received(now, arrival, leg),
            Method::Prack => self.prack_received(now, arrival, leg),
            method => self.request_outside_invite(arrival, &method),
        }
    }

    /// Always taken: what ends a call must not be refused.
    fn bye(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) {
        let Some(tag) = self.legs.get(leg).map(|state| state.tag) else { return };
        let Some(server) = self.open_other(now, arrival, leg) else { return };
        self.reply(now, server, &Reply::new(StatusCode::OK), tag.as_bytes(), false);
        self.bye_received(now, leg, arrival.request);
    }

    fn reinvite_received(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) {
        let Some(state) = self.legs.get(leg) else { return };
        let (ours, terms) = (state.ours.as_ref().map(|ours| ours.state), state.terms);
        if state.theirs.is_some() {
            let reply = self.try_later();
            return self.refuse_invite(now, arrival, leg, reply);
        }
        let glare = matches!(ours, Some(OursState::Sent | OursState::Answered { .. }));
        if glare || state.unacked.is_some() || state.stage != Stage::Confirmed {
            return self.refuse_invite(now, arrival, leg, Reply::new(StatusCode::REQUEST_PENDING));
        }
        let fault = self.fault_of_content(arrival.request);
        let fault = fault.or_else(|| self.fault_of_require(arrival.request, terms));
        if let Some(reply) = fault.or_else(|| self.fault_of_session(arrival.request, terms)) {
            return self.refuse_invite(now, arrival, leg, reply);
        }
        if self.is_busy() {
            return self.refuse(arrival, Reply::new(StatusCode::SERVICE_UNAVAILABLE));
        }
        if ours.is_some() {
            // Theirs came during our pause: it wins, and our caller withdraws the offer.
            self.reinvited(leg, None, StatusCode::REQUEST_PENDING);
        }
        let Some(server) = self.open_invite(arrival, leg) else { return };
        self.reply_trying(now, server);
        if let Some(state) = self.legs.get_mut(leg) {
            state.theirs = Some(Theirs { server, remind_at: None });
        }
        self.begin_provisionals(leg, arrival.request);
        self.tell(leg, Event::Reinvite { leg: LegKey(leg), request: arrival.request.clone() });
        self.settle(leg);
    }

    /// A second INVITE while the first is not answered: `500`, to be tried again after 0 to 10 s (§14.2).
    pub(super) fn try_later(&mut self) -> Reply {
        let seconds = self.mint.below(11);
        let headers = vec![(Bytes::from_static(b"Retry-After"), Bytes::from(seconds.to_string()))];
        Reply { headers, ..Reply::new(StatusCode::SERVER_INTERNAL_ERROR) }
    }

    /// An INVITE is refused with a transaction of its own: its repeats must hear the same again, whatever has
    /// changed here since.
    fn refuse_invite(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64, reply: Reply) {
        let Some(tag) = self.legs.get(leg).map(|state| state.tag) else { return };
        if self.is_busy() {
            return self.refuse(arrival, reply);
        }
        if let Some(server) = self.open_invite(arrival, leg) {
            self.reply(now, server, &reply, tag.as_bytes(), false);
        }
    }

    /// Answers [`Event::Request`] with a final status. Too late or a second time: nothing happens.
    pub fn answer_request(&mut self, now: Instant, leg: LegKey, key: RequestKey, reply: Reply) {
        let fits = self.open_request(key.0).is_some_and(|open| open.leg == leg.0);
        match fits && reply.status.is_final() {
            true if self.is_update(key.0) => self.answer_update(now, leg.0, key.0, &reply),
            true if self.is_prack(key.0) => {
                self.reply(now, key.0, &reply, &[], false);
                self.prack_answered(now, leg.0);
            }
            true => drop(self.reply(now, key.0, &reply, &[], false)),
            false => {}
        }
    }
}
