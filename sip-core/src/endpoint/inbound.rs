//! What comes in: screened by its source, parsed, and given to what it belongs to (RFC 3261 §8.2, §17.2.3, §18.2.1).

use super::legs::Hop;
use super::servers::{Arrival, Known};
use super::{Endpoint, Reply, write};
use crate::message::{Header, Limits, Message, Method, StatusCode, Via};
use crate::transaction::{RequestParts, TransactionKey};
use crate::transport::{Flow, PeerId, Transport, response_flow, stun};
use bytes::Bytes;
use std::time::Instant;

impl Endpoint {
    /// Somebody has connected and proved who he is.
    pub(super) fn accepted(&mut self, flow: Flow, names: Vec<String>) {
        let peer = self.sources.identify(flow.remote, &names);
        self.roads.opened(flow, peer, names);
    }

    pub(super) fn received(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        self.counters.received += 1;
        self.roads.opened(flow, None, Vec::new());
        let peer = self.sources.identify(flow.remote, self.roads.names(&flow));
        if peer.is_none() && !self.roads.is_chosen(flow.remote.ip()) {
            return self.drop_unknown(&bytes);
        }
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.counters.keep_alives += 1;
            return;
        }
        if flow.transport == Transport::Udp
            && let Some(answer) = stun::answer(&bytes, flow.remote)
        {
            self.counters.keep_alives += 1;
            return self.send(flow, answer);
        }
        let limits = Limits { max_bytes: self.settings.max_message, ..Limits::DEFAULT };
        match Message::parse_with(bytes.clone(), &limits) {
            Ok(message) if message.is_request() => self.request(now, flow, peer, &message),
            Ok(message) => self.response_received(now, &message),
            Err(fault) => {
                *self.counters.parse_errors.entry(fault.class()).or_insert(0) += 1;
                self.unreadable(flow, peer, bytes, fault.status(), fault.to_string());
            }
        }
    }

    /// Nobody's address: no transaction, no answer, no parsing.
    fn drop_unknown(&mut self, bytes: &[u8]) {
        self.counters.unknown_source += 1;
        self.drop_unparsed(bytes);
    }

    /// Without parsing whatever begins like an INVITE counts as an initial one.
    fn drop_unparsed(&mut self, bytes: &[u8]) {
        if bytes.starts_with(b"INVITE ") {
            self.counters.invites_read += 1;
            self.counters.invites_dropped += 1;
        }
    }

    /// A message that could not be read: what can be salvaged is answered.
    fn unreadable(
        &mut self,
        flow: Flow,
        peer: Option<PeerId>,
        bytes: Bytes,
        status: Option<StatusCode>,
        why: String,
    ) {
        let salvaged = status
            .filter(|_| peer.is_some())
            .and_then(|status| Some((status, Message::salvage(bytes.clone())?)));
        let Some((status, request)) = salvaged else { return self.drop_unparsed(&bytes) };
        self.note_read(&request);
        let reply = Reply { reason: Some(phrase(&why)), ..Reply::new(status) };
        self.refuse_outside(flow, &request, reply);
    }

    /// A response belongs to the request whose branch we made; the rest is dropped (RFC 3261 §18.1.2).
    fn response_received(&mut self, now: Instant, response: &Message) {
        if let Some(status) = response.status() {
            self.counters.responses_in.add(status);
        }
        let via = response.via().ok();
        match via.as_ref().and_then(|via| self.mint.seal.read_branch(via.branch()?)) {
            Some(client) => self.response(now, client, response),
            None => self.counters.stray_responses += 1,
        }
    }

    fn request(&mut self, now: Instant, flow: Flow, peer: Option<PeerId>, request: &Message) {
        if let Err(refusal) = request.validate_request() {
            *self.counters.parse_errors.entry("refused").or_insert(0) += 1;
            self.note_read(request);
            match refusal.status().filter(|_| peer.is_some()) {
                Some(status) => {
                    let reason = Some(phrase(refusal.phrase()));
                    self.refuse_outside(flow, request, Reply { reason, ..Reply::new(status) });
                }
                None => {
                    self.counters.invites_dropped += u64::from(is_initial_invite(request));
                    tracing::debug!(why = refusal.phrase(), "a request was dropped");
                }
            }
            return;
        }
        let Ok(via) = request.via() else { return };
        self.take_alias(flow, peer, &via);
        match request.method() {
            Method::Ack => self.ack_received(now, &via, request),
            Method::Cancel => self.cancel_received(now, flow, peer, &via, request),
            _ => self.new_or_repeated(now, flow, peer, &via, request),
        }
    }

    /// Whoever has proved his name by a certificate may ask that what we have for the address in his Via comes over
    /// this connection too (RFC 5923 §5).
    fn take_alias(&mut self, flow: Flow, peer: Option<PeerId>, via: &Via) {
        if flow.transport.is_secure()
            && peer.is_some()
            && via.params.has("alias")
            && !self.roads.names(&flow).is_empty()
        {
            let port = via.port.unwrap_or(flow.transport.default_port());
            self.roads.lead(Hop::new(flow.transport, (flow.remote.ip(), port).into(), peer), flow);
        }
    }

    fn new_or_repeated(
        &mut self,
        now: Instant,
        flow: Flow,
        peer: Option<PeerId>,
        via: &Via,
        request: &Message,
    ) {
        let key = self.key_of(via, request, false);
        match self.by_key.get(&key) {
            Some(Known::Server(server)) => {
                let server = *server;
                self.counters.repeated_requests += 1;
                self.repeat_reply(server);
            }
            Some(Known::Absorbed { .. } | Known::Answered(_)) => {
                self.counters.repeated_requests += 1;
                self.repeat_answer(key);
            }
            None => {
                let inside = request.tag(Header::To).is_some();
                let arrival = Arrival { flow, request, key, merged: 0 };
                match (inside, peer) {
                    (true, None) if self.leg_of(request).is_none() => self.counters.unknown_source += 1,
                    (true, _) => self.request_inside(now, &arrival),
                    (false, Some(peer)) => {
                        self.note_read(request);
                        self.request_outside(now, arrival, peer);
                    }
                    (false, None) => self.drop_unknown(request.bytes()),
                }
            }
        }
    }

    /// Of a 3xx to 6xx it belongs to the INVITE's transaction, of a 2xx to the dialog (RFC 3261 §17.2.3, §13.3.1.4).
    fn ack_received(&mut self, now: Instant, via: &Via, request: &Message) {
        let key = self.key_of(via, request, false);
        if let Some(Known::Server(server)) = self.by_key.get(&key) {
            let server = *server;
            if !self.acknowledge(now, server) {
                return;
            }
        }
        match self.leg_of(request) {
            Some(leg) => self.acked(now, leg, request),
            None => self.counters.stray_acks += 1,
        }
    }

    /// A CANCEL is answered by itself, and the INVITE by `487` if it still waits (RFC 3261 §9.2).
    fn cancel_received(
        &mut self,
        now: Instant,
        flow: Flow,
        peer: Option<PeerId>,
        via: &Via,
        request: &Message,
    ) {
        let key = self.key_of(via, request, true);
        let arrival = Arrival { flow, request, key, merged: 0 };
        let leg = match self.by_key.get(&key) {
            Some(Known::Server(server)) => self.cancellable(*server),
            Some(Known::Absorbed { .. } | Known::Answered(_)) => None,
            None if peer.is_none() => return,
            None => return self.refuse(&arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST)),
        };
        let tag = leg.and_then(|leg| self.legs.get(leg)).map(|state| state.tag);
        match tag {
            Some(tag) => self.answer(&arrival, Reply::new(StatusCode::OK), Some(tag.as_bytes())),
            None => self.answer(&arrival, Reply::new(StatusCode::OK), None),
        }
        leg.into_iter().for_each(|leg| self.cancelled(now, leg, request));
    }

    fn key_of(&self, via: &Via, request: &Message, of_cancelled: bool) -> TransactionKey {
        let method = request.method();
        let mut parts = RequestParts {
            method: method.as_bytes(),
            branch: via.branch(),
            sent_by_host: &via.host,
            sent_by_port: via.port,
            ..RequestParts::default()
        };
        if via.has_unique_branch() {
            return if of_cancelled { self.keys.cancelled(&parts) } else { self.keys.server(&parts) };
        }
        // A sender of RFC 2543: everything counts.
        let (uri, call_id) = (request.request_uri_bytes(), request.call_id().unwrap_or_default());
        let top = request.values(Header::Via).next().unwrap_or_default();
        let (from, to) = (request.tag(Header::From), request.tag(Header::To));
        parts.request_uri = &uri;
        parts.top_via = &top;
        parts.call_id = &call_id;
        parts.cseq = request.cseq().map_or(0, |cseq| cseq.number);
        (parts.from_tag, parts.to_tag) = (from.as_deref(), to.as_deref());
        if of_cancelled { self.keys.cancelled(&parts) } else { self.keys.server(&parts) }
    }

    /// Refuses a request that has no transaction: a repeat of it is refused again (RFC 3261 §8.2.7).
    pub(super) fn refuse(&mut self, arrival: &Arrival<'_>, reply: Reply) {
        self.answer(arrival, reply, None);
    }

    /// Counts an initial INVITE before anybody knows what will become of it: that is counted where it is decided, so
    /// that the sum of those counts can be checked against this one.
    fn note_read(&mut self, request: &Message) {
        self.counters.invites_read += u64::from(is_initial_invite(request));
    }

    /// The same for a request that may be an initial INVITE, which is then counted as refused.
    pub(super) fn refuse_outside(&mut self, flow: Flow, request: &Message, reply: Reply) {
        self.counters.invites_refused += u64::from(is_initial_invite(request));
        self.answer_on(flow, request, reply, None);
    }

    pub(super) fn answer(&mut self, arrival: &Arrival<'_>, reply: Reply, tag: Option<&[u8]>) {
        self.answer_on(arrival.flow, arrival.request, reply, tag);
    }

    /// Answers without a transaction. The tag follows from the request, so that repeats get the same.
    fn answer_on(&mut self, flow: Flow, request: &Message, reply: Reply, tag: Option<&[u8]>) {
        let Ok(via) = request.via().or_else(|_| first_via(request)) else { return };
        let call_id = request.call_id().unwrap_or_default();
        let hashed = format!("{:016x}", self.mint.seal.hash(&[via.branch().unwrap_or_default(), &call_id]));
        let tag = tag.unwrap_or(hashed.as_bytes());
        // A far end that asks whether we are there may want to know by which name, and what we can (RFC 3261 §11.2).
        let asks = request.method() == Method::Options && reply.status.is_success();
        let told = asks || self.origins.marks_answers();
        let peer = if told { self.sources.find(flow.remote) } else { None };
        let contact = asks.then(|| self.origins.contact(&flow, peer));
        let context = write::Context {
            tag,
            contact: contact.as_deref(),
            supported: self.terms_of(peer).supported(),
            server: &self.settings.user_agent,
            always: self.origins.in_answers(peer),
            ..write::Context::default()
        };
        let bytes = write::response(request, flow.remote, &reply, &context);
        self.counters.responses_out.add(reply.status);
        self.send(response_flow(flow, &via), bytes);
    }
}

fn is_initial_invite(request: &Message) -> bool {
    request.method() == Method::Invite && request.tag(Header::To).is_none()
}

/// The top Via of a request whose Via parameters may be broken.
fn first_via(request: &Message) -> Result<Via, crate::message::ParseError> {
    let value = request.values(Header::Via).next().unwrap_or_default();
    let bare = value.split(|b| *b == b';').next().unwrap_or_default();
    Via::parse(Bytes::copy_from_slice(bare))
}

/// Words fit for a Reason-Phrase: one line, not too long.
fn phrase(why: &str) -> Bytes {
    let line: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    Bytes::from(line)
}
