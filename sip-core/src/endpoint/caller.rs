//! The calling side: an INVITE of ours from the first target to the ACK (RFC 3261 §13.2, §9.1; RFC 3263 §4.3).

use super::clients::{Departure, Purpose};
use super::forks::PRACKS;
use super::inside::{Draft, DraftKind};
use super::legs::{Hop, Leg, OursState, Outgoing, SentAck, Stage};
use super::proofs::Proofs;
use super::seeks::Work;
use super::{EarlyId, Endpoint, Event, FailCause, Invite, Reliability, write};
use crate::dialog::{Abilities, Dialog, wanted_prack, write_cseq};
use crate::key::LegKey;
use crate::message::{Body, Builder, Header, Message, Method, StatusCode};
use crate::token::{Kind, Token};
use crate::transport::{Flow, Host, Target, Transport};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;

/// The number of the first request of a call.
const FIRST_CSEQ: u32 = 1;

impl Endpoint {
    /// Makes a call. `None` when a limit is reached; whatever goes wrong later comes as [`Event::Failed`].
    pub fn invite(&mut self, now: Instant, invite: Invite) -> Option<LegKey> {
        if self.is_full() { None } else { self.invite_urgently(now, invite) }
    }

    /// As [`invite`](Self::invite), while there is any room at all: a call for help.
    pub fn invite_urgently(&mut self, now: Instant, invite: Invite) -> Option<LegKey> {
        let leg = self.legs.next_key();
        let tag = self.mint.token(Kind::Tag, leg);
        let call_id = self.mint.token(Kind::CallId, leg);
        let mut state = Leg::new(Stage::Inviting, tag);
        state.udp_only = invite.udp_only;
        state.terms = invite.terms;
        state.peer = invite.peer;
        state.proofs = invite.login.clone().map(Proofs::new);
        state.outgoing = Some(Box::new(Outgoing {
            call_id: Bytes::copy_from_slice(call_id.as_bytes()),
            flow: invite.flow,
            targets: if invite.flow.is_some() {
                VecDeque::new()
            } else {
                VecDeque::from(invite.targets.clone())
            },
            target: 0,
            addresses: VecDeque::new(),
            server_name: None,
            until: None,
            client: None,
            cseq: FIRST_CSEQ,
            forks: Vec::new(),
            cause: FailCause::Unreachable,
            invite,
        }));
        let leg = self.legs.insert(state)?;
        self.advance(now, leg);
        Some(LegKey(leg))
    }

    /// Tries the next address, or tells that there is none.
    fn advance(&mut self, now: Instant, leg: u64) {
        loop {
            let Some(out) = self.outgoing(leg) else { return };
            if let Some(flow) = out.flow.take() {
                match self.invite_by(now, leg, flow) {
                    Ok(()) => return,
                    Err(cause) => self.note_failure(leg, cause, None),
                }
                continue;
            }
            if let Some(hop) = out.addresses.pop_front() {
                let patience = out.invite.first_response_timeout.min(self.settings.timers.give_up());
                let Some(out) = self.outgoing(leg) else { return };
                out.until.get_or_insert(now + patience);
                match self.try_hop(now, leg, hop) {
                    Ok(()) => return,
                    Err(cause) => self.note_failure(leg, cause, None),
                }
            } else if let Some(target) = out.targets.pop_front() {
                out.target = out.invite.targets.len() - out.targets.len() - 1;
                match self.try_target(now, leg, target) {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(cause) => self.note_failure(leg, cause, None),
                }
            } else {
                return self.give_up_inviting(leg);
            }
        }
    }

    /// Sends the INVITE by the one way there is to a telephone.
    fn invite_by(&mut self, now: Instant, leg: u64, flow: Flow) -> Result<(), FailCause> {
        if !self.roads.is_open(&flow) {
            return Err(FailCause::Closed);
        }
        let patience = self.settings.timers.give_up();
        let state = self.legs.get_mut(leg).ok_or(FailCause::Unreachable)?;
        let out = state.outgoing.as_deref_mut().ok_or(FailCause::Unreachable)?;
        out.until = Some(now + out.invite.first_response_timeout.min(patience));
        state.pinned = true;
        self.invite_on(now, leg, flow);
        Ok(())
    }

    fn outgoing(&mut self, leg: u64) -> Option<&mut Outgoing> {
        self.legs.get_mut(leg)?.outgoing.as_deref_mut()
    }

    fn note_failure(&mut self, leg: u64, cause: FailCause, response: Option<&Message>) {
        let Some(out) = self.outgoing(leg) else { return };
        (out.cause, out.until) = (cause, None);
        let (client, target, next) = (out.client.take(), out.target().cloned(), out.next_target().cloned());
        let flow = client.and_then(|client| self.clients.get(client)).map(|tx| tx.flow);
        let (leg_key, response) = (LegKey(leg), response.cloned());
        if let Some(target) = target {
            self.tell(leg, Event::AttemptFailed { leg: leg_key, target, next, flow, response, cause });
        }
    }

    /// The target that an INVITE of ours is tried at, or was accepted by; until its ACK or its end.
    pub fn target(&self, leg: LegKey) -> Option<&Target> {
        self.legs.get(leg.0)?.outgoing.as_deref()?.target()
    }

    /// Starts on a target. `Ok(true)`: it waits for the resolver; `Ok(false)`: its address is ready.
    fn try_target(&mut self, now: Instant, leg: u64, target: Target) -> Result<bool, FailCause> {
        let transport = target.transport.unwrap_or(Transport::Udp);
        let port = target.port_for(transport);
        let patience = self.settings.timers.give_up();
        let peer = self.legs.get(leg).and_then(|state| state.peer);
        let out = self.outgoing(leg).ok_or(FailCause::Unreachable)?;
        let until = now + out.invite.first_response_timeout.min(patience);
        out.until = Some(until);
        match &target.host {
            Host::Ip(ip) => {
                out.server_name = None;
                out.addresses.push_back(Hop::new(transport, (*ip, port).into(), peer));
                Ok(false)
            }
            Host::Name(name) => {
                out.server_name = Some(name.clone());
                let seek = self.seek_name(leg, Work::Invite, target, until);
                self.legs.get_mut(leg).ok_or(FailCause::Full)?.seek = seek;
                seek.map(|_| true).ok_or(FailCause::Full)
            }
        }
    }

    pub(super) fn invite_resolved(&mut self, now: Instant, leg: u64, hops: VecDeque<Hop>) {
        if let Some(out) = self.outgoing(leg) {
            out.addresses = hops;
            self.advance(now, leg);
        }
    }

    /// Sends the INVITE to a hop, or asks for the connection it needs.
    fn try_hop(&mut self, now: Instant, leg: u64, hop: Hop) -> Result<(), FailCause> {
        let state = self.legs.get(leg).ok_or(FailCause::Unreachable)?;
        let out = state.outgoing.as_deref().ok_or(FailCause::Unreachable)?;
        if !self.origins.speaks(hop.transport, hop.remote.ip()) {
            return Err(FailCause::Unreachable);
        }
        let until = out.until.unwrap_or(now);
        if hop.transport != Transport::Udp {
            return self.connect_invite(now, leg, hop, (false, until));
        }
        let flow = self.origins.udp_flow(hop.remote).ok_or(FailCause::Unreachable)?;
        let size = self.size_of_invite(leg, flow);
        if self.must_not_be_datagram(size, state.udp_only, hop) {
            let tcp = Hop { transport: Transport::Tcp, ..hop };
            let until = until.min(now + self.settings.open_timeout);
            return self.connect_invite(now, leg, tcp, (true, until));
        }
        self.invite_on(now, leg, flow);
        Ok(())
    }

    /// Requests beyond 1,300 bytes go by a stream (RFC 3261 §18.1.1), where we speak one and nobody forbade it.
    pub(super) fn must_not_be_datagram(&self, size: usize, udp_only: bool, hop: Hop) -> bool {
        size > self.settings.large_request
            && !udp_only
            && self.origins.speaks(Transport::Tcp, hop.remote.ip())
    }

    fn connect_invite(
        &mut self,
        now: Instant,
        leg: u64,
        hop: Hop,
        (or_udp, until): (bool, Instant),
    ) -> Result<(), FailCause> {
        if let Some(flow) = self.roads.connection(hop) {
            self.invite_on(now, leg, flow);
            return Ok(());
        }
        let server_name = self.outgoing(leg).and_then(|out| out.server_name.clone());
        let seek = self.seek_connection(leg, Work::Invite, (hop, or_udp), server_name, until);
        self.legs.get_mut(leg).ok_or(FailCause::Full)?.seek = seek;
        seek.map(drop).ok_or(FailCause::Full)
    }

    /// The way is there: the INVITE leaves, with a branch of its own for each attempt.
    pub(super) fn invite_on(&mut self, now: Instant, leg: u64, flow: Flow) {
        let branch = self.next_branch();
        let Some(state) = self.legs.get(leg) else { return };
        let Some(out) = state.outgoing.as_deref() else { return };
        let request = self.write_invite(state, out, &flow, &branch);
        let first_response_at = out.until;
        let departure = Departure { leg, purpose: Purpose::Invite, flow, request, first_response_at };
        let client = self.depart(now, departure);
        self.counters.invites_sent += 1;
        if let Some(out) = self.outgoing(leg) {
            out.client = client;
        }
    }

    fn size_of_invite(&self, leg: u64, flow: Flow) -> usize {
        let Some(state) = self.legs.get(leg) else { return 0 };
        let any = state.tag; // as long as any branch
        state.outgoing.as_deref().map_or(0, |out| self.write_invite(state, out, &flow, &any).len())
    }

    fn write_invite(&self, leg: &Leg, out: &Outgoing, flow: &Flow, branch: &Token) -> Bytes {
        let invite = &out.invite;
        let uri = invite.uris.get(out.target).unwrap_or(&invite.uri);
        let mut request = Builder::request(&Method::Invite, uri);
        request.header(Header::Via, self.origins.via(flow, leg.peer, branch));
        let mut digits = [0; 10];
        let hops = crate::dialog::decimal(invite.max_forwards.into(), &mut digits);
        request.header(Header::MaxForwards, hops);
        request.parts(Header::From, &[&invite.from, b";tag=", leg.tag.as_bytes()]);
        request.header(Header::To, &invite.to).header(Header::CallId, &out.call_id);
        write_cseq(&mut request, out.cseq, &Method::Invite);
        self.add_invite_headers(&mut request, flow, leg);
        leg.add_session_wish(&mut request);
        if leg.terms.reliable == Reliability::Required {
            request.header(Header::Require, b"100rel");
        }
        write::add_headers(&mut request, &invite.headers);
        if let Some(body) = &invite.body {
            request.attach(body);
        }
        request.finish()
    }

    /// What every INVITE says of us (RFC 3261 §13.2.1).
    pub(super) fn add_invite_headers(&self, request: &mut Builder, flow: &Flow, leg: &Leg) {
        let contact = self.origins.contact(flow, leg.peer);
        request.header(Header::Contact, contact).header(Header::Allow, write::ALLOW);
        request.header(Header::Supported, leg.terms.supported());
        if !self.settings.user_agent.is_empty() {
            request.header(Header::UserAgent, &self.settings.user_agent);
        }
    }

    /// No way to this address or target.
    pub(super) fn invite_stuck(&mut self, now: Instant, leg: u64, cause: FailCause) {
        self.note_failure(leg, cause, None);
        self.try_next(now, leg);
    }

    /// An attempt ended without an answer, or with one that lets the next address be tried.
    pub(super) fn attempt_failed(
        &mut self,
        now: Instant,
        client: u64,
        cause: FailCause,
        response: Option<&Message>,
    ) {
        let Some(leg) = self.clients.get(client).map(|tx| tx.leg) else { return };
        self.doubt(now, client, cause, response);
        if self.outgoing(leg).is_some_and(|out| out.client == Some(client)) {
            self.note_failure(leg, cause, response);
            self.try_next(now, leg);
        }
    }

    fn try_next(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get(leg).filter(|state| state.stage == Stage::Inviting) else { return };
        if state.ending.is_some() {
            return self.finish(leg);
        }
        self.counters.failovers += u64::from(state.outgoing.as_ref().is_some_and(|out| out.has_more()));
        self.advance(now, leg);
    }

    fn give_up_inviting(&mut self, leg: u64) {
        let Some(out) = self.outgoing(leg) else { return };
        let cause = out.cause;
        let status = match cause {
            FailCause::TimedOut => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        self.tell(leg, Event::Failed { leg: LegKey(leg), status, response: None, cause });
        self.finish(leg);
    }

    /// A response to an INVITE of a new leg.
    pub(super) fn invite_response(&mut self, now: Instant, client: u64, response: &Message) {
        let Some(status) = response.status() else { return };
        match status {
            _ if status.is_provisional() => self.invite_progress(now, client, status, response),
            _ if status.is_success() => self.invite_accepted(now, client, response),
            _ => self.invite_refused(now, client, status, response),
        }
    }

    fn invite_progress(&mut self, now: Instant, client: u64, status: StatusCode, response: &Message) {
        let Some(tx) = self.clients.get(client) else { return };
        let (leg, purpose) = (tx.leg, tx.purpose);
        if purpose == Purpose::Abandoned {
            return self.cancel(now, client, &[]);
        }
        let most = self.settings.max_forks;
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.stage == Stage::Inviting) else {
            return;
        };
        if let Some(ending) = state.ending.as_deref() {
            let headers = ending.headers.clone();
            return self.cancel(now, client, &headers);
        }
        if status == StatusCode::TRYING {
            return;
        }
        let reliable = state.terms.pracks();
        let Some(out) = state.outgoing.as_deref_mut() else { return };
        let early = out.early(response, most);
        if let Some(rseq) = wanted_prack(response).filter(|_| reliable)
            && !self.take_reliable(now, leg, (client, early, rseq), response)
        {
            return;
        }
        let early = EarlyId(early);
        self.tell(leg, Event::Progress { leg: LegKey(leg), early, response: response.clone() });
    }

    fn invite_refused(&mut self, now: Instant, client: u64, status: StatusCode, response: &Message) {
        let Some(leg) = self.clients.get(client).map(|tx| tx.leg) else { return };
        if self.outgoing(leg).is_none_or(|out| out.client != Some(client)) {
            return;
        }
        if status == StatusCode::SESSION_INTERVAL_TOO_SMALL && self.invites_longer(now, client, response) {
            return;
        }
        let Some(out) = self.outgoing(leg) else { return };
        if out.forks.is_empty() && out.invite.retry_on.contains(&status) {
            if out.has_more() {
                return self.attempt_failed(now, client, FailCause::Response, Some(response));
            }
            self.note_failure(leg, FailCause::Response, Some(response));
        }
        let response = Some(response.clone());
        self.tell(leg, Event::Failed { leg: LegKey(leg), status, response, cause: FailCause::Response });
        self.finish(leg);
    }

    /// The same INVITE once more, for a session as long as the far end wants it: true if it has left (RFC 4028 §7.3).
    fn invites_longer(&mut self, now: Instant, client: u64, response: &Message) -> bool {
        let Some((leg, flow)) = self.clients.get(client).map(|tx| (tx.leg, tx.flow)) else { return false };
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.ending.is_none()) else { return false };
        if !state.learns_min_se(response) {
            return false;
        }
        let Some(out) = state.outgoing.as_deref_mut() else { return false };
        (out.cseq, out.until) = (out.cseq + 1, None);
        self.invite_on(now, leg, flow);
        true
    }

    fn invite_accepted(&mut self, now: Instant, client: u64, response: &Message) {
        let Some(tx) = self.clients.get(client) else { return };
        let (leg, flow, purpose) = (tx.leg, tx.flow, tx.purpose);
        let to_tag = response.tag(Header::To).unwrap_or_default();
        if self.repeat_ack(leg, client, &to_tag) {
            return;
        }
        let first = purpose == Purpose::Invite
            && self.legs.get(leg).is_some_and(|state| state.stage == Stage::Inviting);
        let (Ok(mut dialog), Ok(cseq)) = (Dialog::of_response(response), response.cseq()) else { return };
        if self.legs.get(leg).is_some_and(|state| state.terms.pracks()) {
            dialog.skip(PRACKS);
        }
        if !first {
            let most = self.settings.max_forks;
            if self.clients.get_mut(client).is_some_and(|tx| tx.admits_fork(most)) {
                self.end_fork(now, (client, cseq.number), dialog, flow);
            }
            return;
        }
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.dialog = Some(Box::new(dialog));
        state.flow = Some(flow);
        state.stage = Stage::Answered;
        state.acks.push(SentAck { client, to_tag: Bytes::copy_from_slice(&to_tag), sent: None });
        state.abilities = Abilities::of(response).unwrap_or_default();
        let ending = state.ending.take();
        self.session_agreed(now, leg, response);
        match ending {
            // The 2xx was faster than the CANCEL (RFC 3261 §9.1): take the call and end it.
            Some(ending) => self.hang_up_answered(now, leg, ending.headers),
            None => {
                let known = self.outgoing(leg).and_then(|out| out.known(&to_tag));
                let early = known.map(|at| EarlyId(at as u16));
                self.tell(leg, Event::Answered { leg: LegKey(leg), early, response: response.clone() });
            }
        }
    }

    /// A repeat of a 2xx: its ACK goes out again, if it is already made. True if the 2xx is known.
    pub(super) fn repeat_ack(&mut self, leg: u64, client: u64, to_tag: &[u8]) -> bool {
        let Some(state) = self.legs.get(leg) else { return false };
        let Some(ack) = state.acks.iter().find(|ack| ack.client == client && ack.to_tag == to_tag) else {
            return false;
        };
        if let Some((flow, bytes)) = ack.sent.clone() {
            self.counters.resent += 1;
            self.send(flow, bytes);
        }
        true
    }

    /// Another fork has answered too, or one that nobody waits for: ACK, then BYE (RFC 3261 §13.2.2.4).
    fn end_fork(&mut self, now: Instant, (client, cseq): (u64, u32), dialog: Dialog, flow: Flow) {
        let to_tag = dialog.remote_tag().clone();
        let Some(leg) = self.clients.get(client).map(|tx| tx.leg) else { return };
        let Some(fork) = self.open_fork(leg, flow, dialog) else { return };
        let keeper = self.keeper_of_repeats(client, fork);
        if let Some(state) = self.legs.get_mut(keeper) {
            state.acks.push(SentAck { client, to_tag, sent: None });
        }
        self.send_ack(now, fork, (keeper, client, cseq), None);
        self.send_bye(now, fork, Vec::new());
    }

    /// Repeats of a fork's 2xx come to the leg that called, while there is one.
    fn keeper_of_repeats(&mut self, client: u64, fork: u64) -> u64 {
        let Some(tx) = self.clients.get_mut(client) else { return fork };
        if self.legs.get(tx.leg).is_none() {
            tx.leg = fork;
        }
        tx.leg
    }

    /// Acknowledges the 2xx of an INVITE or of a re-INVITE without body, with the answer if the 2xx was the offer.
    ///
    /// Repeats of the 2xx are then acknowledged by themselves. Without a 2xx waiting for it nothing happens.
    pub fn ack(&mut self, now: Instant, leg: LegKey, body: Option<Body>) {
        let leg = leg.0;
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.told) else { return };
        match (state.stage, state.ours.as_ref().map(|ours| ours.state)) {
            (Stage::Answered, _) => self.ack_answer(now, leg, body),
            (Stage::Confirmed, Some(OursState::Answered { client, cseq })) => {
                state.ours = None;
                self.send_ack(now, leg, (leg, client, cseq), body);
            }
            _ => {}
        }
    }

    /// The ACK of the 2xx to the INVITE that made the call.
    pub(super) fn ack_answer(&mut self, now: Instant, leg: u64, body: Option<Body>) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.stage = Stage::Confirmed;
        let acked = self.drop_outgoing(leg).and_then(|out| Some((out.client?, out.cseq)));
        if let Some((client, cseq)) = acked {
            self.send_ack(now, leg, (leg, client, cseq), body);
        }
        self.settle(leg);
    }

    /// Sends an ACK in the dialog of `leg` and keeps it for repeats of the 2xx, which come to `keeper`.
    pub(super) fn send_ack(
        &mut self,
        now: Instant,
        leg: u64,
        (keeper, client, cseq): (u64, u64, u32),
        body: Option<Body>,
    ) {
        let kind = DraftKind::Ack { client, keeper };
        self.send_draft(now, leg, Draft { kind, cseq, headers: Vec::new(), body });
    }
}

impl Outgoing {
    fn target(&self) -> Option<&Target> {
        self.invite.targets.get(self.target)
    }

    fn next_target(&self) -> Option<&Target> {
        if self.addresses.is_empty() { self.targets.front() } else { self.target() }
    }

    fn has_more(&self) -> bool {
        !self.addresses.is_empty() || !self.targets.is_empty()
    }
}
