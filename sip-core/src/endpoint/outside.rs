//! Requests of the far end outside dialogs: new calls and questions (RFC 3261 §8.2, §11.2, §13.3).

use super::legs::{Leg, Stage, Theirs};
use super::servers::Arrival;
use super::{Endpoint, Event, Reply, Service, Terms};
use crate::auth::UserId;
use crate::dialog::{Abilities, Dialog};
use crate::key::LegKey;
use crate::message::{Header, Message, Method, Scheme, StatusCode};
use crate::token::Kind;
use crate::transport::{PeerId, response_flow};
use bytes::Bytes;
use std::time::Instant;

impl Endpoint {
    /// A new request without To tag, not ACK, not CANCEL.
    pub(super) fn request_outside(&mut self, now: Instant, arrival: Arrival<'_>, peer: PeerId) {
        match arrival.request.method() {
            _ if self.is_guarded(peer) => self.request_at_door(now, arrival, peer),
            Method::Invite => self.invite_received(now, arrival, (peer, None)),
            _ => self.request_elsewhere(&arrival),
        }
    }

    /// A new request that begins no call.
    pub(super) fn request_elsewhere(&mut self, arrival: &Arrival<'_>) {
        match arrival.request.method() {
            // These are for dialogs only.
            Method::Bye | Method::Info | Method::Notify => {
                self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
            }
            Method::Refer => self.refuse(arrival, not_outside()),
            method => self.request_outside_invite(arrival, &method),
        }
    }

    /// OPTIONS, and what we do not do: `405` if we know what it means, `501` if not (RFC 3261 §8.2.1, §21.5.2).
    pub(super) fn request_outside_invite(&mut self, arrival: &Arrival<'_>, method: &Method) {
        let reply = match method {
            Method::Options => self.options(arrival),
            Method::Other(_) => Reply::new(StatusCode::NOT_IMPLEMENTED),
            _ => Reply::new(StatusCode::METHOD_NOT_ALLOWED),
        };
        self.refuse(arrival, reply);
    }

    /// What an INVITE would hear now (RFC 3261 §11.2): so a peer that asks never loses a call to us.
    fn options(&self, arrival: &Arrival<'_>) -> Reply {
        let request = arrival.request;
        let inside = request.tag(Header::To).is_some();
        let terms = self.terms_of(self.sources.find(arrival.flow.remote));
        if let Some(reply) = self.fault_of_require(request, terms) {
            return reply;
        }
        match self.service {
            _ if inside => Reply::new(StatusCode::OK),
            Service::Open if self.is_full() => Reply::new(StatusCode::SERVICE_UNAVAILABLE),
            Service::Open => Reply { headers: vec![self.accept()], ..Reply::new(StatusCode::OK) },
            _ => self.not_open(arrival, StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// From a peer, and from which user of his if he had to prove one.
    pub(super) fn invite_received(
        &mut self,
        now: Instant,
        arrival: Arrival<'_>,
        from: (PeerId, Option<UserId>),
    ) {
        let fault = self.fault_of_invite(&arrival, self.terms_of(Some(from.0)));
        let replaces =
            match fault.map_or_else(|| self.replaced_by(arrival.request), |reply| Err(Box::new(reply))) {
                Ok(replaces) => replaces,
                Err(reply) => return self.refuse_outside(arrival.flow, arrival.request, *reply),
            };
        let merged = self.merge_hash(arrival.request);
        let arrival = Arrival { merged, ..arrival };
        if self.admit(now, &arrival, from, replaces).is_none() {
            let reply = Reply::new(StatusCode::SERVER_INTERNAL_ERROR);
            self.refuse_outside(arrival.flow, arrival.request, reply);
        }
    }

    /// Why this INVITE is not taken, cheapest questions first; all of them answered without state.
    fn fault_of_invite(&mut self, arrival: &Arrival<'_>, terms: Terms) -> Option<Reply> {
        let request = arrival.request;
        if let Some(reply) = self.fault_of_load(arrival) {
            return Some(reply);
        }
        if self.merged.contains_key(&self.merge_hash(request)) {
            return Some(Reply::new(StatusCode::LOOP_DETECTED)); // §8.2.2.2: the same call over another path
        }
        if request.max_forwards().is_ok_and(|hops| hops == Some(0)) {
            return Some(Reply::new(StatusCode::TOO_MANY_HOPS));
        }
        let scheme = request.request_uri().map(|uri| uri.scheme());
        if !matches!(scheme, Ok(Scheme::Sip | Scheme::Sips | Scheme::Tel)) {
            return Some(Reply::new(StatusCode::UNSUPPORTED_URI_SCHEME));
        }
        if request.contact().is_err() {
            let reason = Some(Bytes::from_static(b"Missing Contact header field"));
            return Some(Reply { reason, ..Reply::new(StatusCode::BAD_REQUEST) });
        }
        let fault = self.fault_of_require(request, terms).or_else(|| self.fault_of_content(request));
        fault.or_else(|| self.fault_of_session(request, terms))
    }

    /// Extensions the far end insists on and we do not use with it (RFC 3261 §8.2.2.3).
    pub(super) fn fault_of_require(&self, request: &Message, terms: Terms) -> Option<Reply> {
        let mut required = request.values(Header::Require).filter(|tag| !terms.understands(tag)).peekable();
        required.peek()?;
        let tags: Vec<_> = required.collect();
        let unsupported = (Bytes::from_static(b"Unsupported"), Bytes::from(tags.join(&b", "[..])));
        Some(Reply { headers: vec![unsupported], ..Reply::new(StatusCode::BAD_EXTENSION) })
    }

    /// A body that is too large, encoded, or of a kind nobody here reads (RFC 3261 §8.2.3, §21.4.11).
    pub(super) fn fault_of_content(&self, request: &Message) -> Option<Reply> {
        let body = request.body();
        if body.len() > self.settings.max_body {
            return Some(Reply::new(StatusCode::REQUEST_ENTITY_TOO_LARGE));
        }
        if body.is_empty() {
            return None;
        }
        let unreadable =
            |header| Some(Reply { headers: vec![header], ..Reply::new(StatusCode::UNSUPPORTED_MEDIA_TYPE) });
        let mut encodings = request.values(Header::ContentEncoding);
        if encodings.any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return unreadable((Bytes::from_static(b"Accept-Encoding"), Bytes::from_static(b"identity")));
        }
        if !self.settings.accept.iter().any(|kind| request.has_content_type(kind)) {
            return unreadable(self.accept());
        }
        None
    }

    fn accept(&self) -> (Bytes, Bytes) {
        (Bytes::from_static(b"Accept"), Bytes::from(self.settings.accept.join(", ")))
    }

    fn merge_hash(&self, request: &Message) -> u64 {
        let tag = request.tag(Header::From).unwrap_or_default();
        let number = request.cseq().map_or(0, |cseq| cseq.number).to_be_bytes();
        let hash = self.mint.seal.hash(&[&tag, &request.call_id().unwrap_or_default(), &number]);
        hash.max(1)
    }

    /// A new call: `100` leaves in this turn, then its owner hears of it. `None`: there is no room after all.
    fn admit(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        (peer, user): (PeerId, Option<UserId>),
        replaces: Option<LegKey>,
    ) -> Option<()> {
        let leg = self.legs.next_key();
        let tag = self.mint.token(Kind::Tag, leg);
        let dialog = Dialog::of_request(arrival.request, tag.as_bytes()).ok()?;
        let mut state = Leg::new(Stage::Invited, tag);
        state.dialog = Some(Box::new(dialog));
        state.flow = arrival.request.via().ok().map(|via| response_flow(arrival.flow, &via));
        if user.is_some() {
            // What stands in a telephone's Contact may be an address behind a NAT.
            (state.flow, state.pinned) = (Some(arrival.flow), true);
        }
        let source = arrival.flow.remote.ip();
        state.came_from = Some(source);
        state.terms = self.terms_of(Some(peer));
        state.abilities = Abilities::of(arrival.request).unwrap_or_default();
        state.peer = Some(peer);
        let leg = self.legs.insert(state)?;
        self.roads.hold(source);
        let Some(server) = self.open_invite(arrival, leg) else {
            self.finish(leg);
            return None;
        };
        self.reply_trying(now, server);
        if let Some(state) = self.legs.get_mut(leg) {
            state.theirs = Some(Theirs { server, remind_at: None });
        }
        self.begin_provisionals(leg, arrival.request);
        self.counters.invites_admitted += 1;
        let (flow, request) = (arrival.flow, arrival.request.clone());
        self.tell(leg, Event::Invite { leg: LegKey(leg), peer, user, flow, replaces, request });
        Some(())
    }
}

/// Whom a REFER sends somewhere is told by its dialog; without one it would have us call anybody for anybody.
fn not_outside() -> Reply {
    let reason = Some(Bytes::from_static(b"REFER only inside a call"));
    Reply { reason, ..Reply::new(StatusCode::FORBIDDEN) }
}
