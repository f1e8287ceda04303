//! Requests of ours inside a dialog: ACK, BYE, re-INVITE, probe (RFC 3261 §12.2.1, §14.1, §15).

use super::clients::{Departure, Purpose};
use super::legs::{Hop, Ours, OursState, SentAck, Stage};
use super::seeks::Work;
use super::{Endpoint, Event, FailCause, write};
use crate::dialog::{Abilities, Dialog, RAck, Seen, pause, wanted_prack};
use crate::key::LegKey;
use crate::message::{Body, Header, Message, Method, StatusCode, Uri};
use crate::token::{Kind, Token};
use crate::transport::{Flow, Host, Target, Transport};
use bytes::Bytes;
use std::time::Instant;

/// A request that waits for its way.
pub(super) struct Draft {
    pub(super) kind: DraftKind,
    pub(super) cseq: u32,
    pub(super) headers: Vec<(Bytes, Bytes)>,
    pub(super) body: Option<Body>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DraftKind {
    /// Of a 2xx; kept by the leg that repeats of the 2xx come to.
    Ack {
        client: u64,
        keeper: u64,
    },
    Bye,
    Reinvite,
    Probe,
    Notify,
    Refer,
    Update,
    Prack,
    Info,
}

impl DraftKind {
    fn method(self) -> Method {
        match self {
            DraftKind::Ack { .. } => Method::Ack,
            DraftKind::Bye => Method::Bye,
            DraftKind::Reinvite => Method::Invite,
            DraftKind::Probe => Method::Options,
            DraftKind::Notify => Method::Notify,
            DraftKind::Refer => Method::Refer,
            DraftKind::Update => Method::Update,
            DraftKind::Prack => Method::Prack,
            DraftKind::Info => Method::Info,
        }
    }
}

impl Endpoint {
    /// Offers the far end a change of the session, or asks for its offer when there is no body.
    ///
    /// The end is [`Event::Reinvited`]. A glare (`491`, or a re-INVITE under way here) is waited out and tried again
    /// inside (RFC 3261 §14.1), unless the far end's own re-INVITE comes first. One at a time: a second one ends with
    /// 491 at once.
    pub fn reinvite(&mut self, now: Instant, leg: LegKey, body: Option<Body>) {
        let leg = leg.0;
        let give_up_at = now + self.settings.timers.give_up();
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.told) else { return };
        if state.stage != Stage::Confirmed || state.ours.is_some() {
            // Not `reinvited`: the first one, if there is one, goes on.
            let (response, status) = (None, StatusCode::REQUEST_PENDING);
            return self.tell(leg, Event::Reinvited { leg: LegKey(leg), response, status });
        }
        let busy = state.is_invite_pending();
        state.ours = Some(Box::new(Ours {
            body,
            state: OursState::Sent,
            client: None,
            seen: Seen::default(),
            give_up_at,
        }));
        match busy {
            true => self.pause_reinvite(now, leg),
            false => self.send_reinvite(now, leg),
        }
    }

    /// Asks the far end whether the dialog still lives: an OPTIONS inside it. The end is [`Event::Probed`].
    pub fn probe(&mut self, now: Instant, leg: LegKey) {
        let leg = leg.0;
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.told && !state.probing) else { return };
        let (Stage::Confirmed, Some(dialog)) = (state.stage, state.dialog.as_mut()) else { return };
        state.probing = true;
        let cseq = dialog.next_seq();
        self.send_draft(now, leg, Draft { kind: DraftKind::Probe, cseq, headers: Vec::new(), body: None });
    }

    fn send_reinvite(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let (Some(dialog), Some(ours)) = (state.dialog.as_mut(), state.ours.as_mut()) else { return };
        ours.state = OursState::Sent;
        let (cseq, body) = (dialog.next_seq(), ours.body.clone());
        self.send_draft(now, leg, Draft { kind: DraftKind::Reinvite, cseq, headers: Vec::new(), body });
    }

    /// After a glare: once more later, if there is still time.
    fn pause_reinvite(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let made_call_id = state.dialog.as_ref().is_some_and(|dialog| dialog.made_call_id());
        let until = now + pause(made_call_id, |bound| self.mint.below(bound));
        match state.ours.as_mut() {
            Some(ours) if until <= ours.give_up_at => ours.state = OursState::Paused { until },
            _ => self.reinvited(leg, None, StatusCode::REQUEST_PENDING),
        }
        self.settle(leg);
    }

    pub(super) fn pause_due(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let Some(OursState::Paused { until }) = state.ours.as_ref().map(|ours| ours.state) else { return };
        if until > now {
            return;
        }
        match state.theirs.is_some() || state.unacked.is_some() {
            true => self.pause_reinvite(now, leg),
            false => self.send_reinvite(now, leg),
        }
    }

    /// Ends a re-INVITE of ours for its caller.
    pub(super) fn reinvited(&mut self, leg: u64, response: Option<&Message>, status: StatusCode) {
        if let Some(state) = self.legs.get_mut(leg) {
            state.ours = None;
        }
        self.tell(leg, Event::Reinvited { leg: LegKey(leg), response: response.cloned(), status });
        self.settle(leg);
    }

    /// A response to a re-INVITE of ours.
    pub(super) fn reinvite_response(&mut self, now: Instant, client: u64, response: &Message) {
        let (Some(status), Some(tx)) = (response.status(), self.clients.get(client)) else { return };
        let leg = tx.leg;
        match status {
            _ if status.is_provisional() => {
                self.acknowledge_progress(now, leg, response);
                if self.legs.get(leg).is_none_or(|state| state.stage == Stage::Over) {
                    self.expire_invite(now, client);
                }
            }
            _ if status.is_success() => self.reinvite_accepted(now, leg, client, response),
            StatusCode::REQUEST_PENDING => self.pause_reinvite(now, leg),
            StatusCode::SESSION_INTERVAL_TOO_SMALL if self.learns_min_se(leg, response) => {
                self.send_reinvite(now, leg);
            }
            _ => self.reinvited(leg, Some(response), status),
        }
    }

    /// A reliable provisional response to a re-INVITE of ours (RFC 3262 §4).
    fn acknowledge_progress(&mut self, now: Instant, leg: u64, response: &Message) {
        if self.is_busy() {
            return; // it will be repeated
        }
        let state = self.legs.get_mut(leg).filter(|state| state.terms.pracks());
        let ours = state.and_then(|state| state.ours.as_mut());
        let (Some(rseq), Ok(cseq), Some(ours)) = (wanted_prack(response), response.cseq(), ours) else {
            return;
        };
        if ours.seen.take(rseq) {
            self.send_prack(now, leg, RAck { rseq, cseq: cseq.number }, None);
        }
    }

    fn reinvite_accepted(&mut self, now: Instant, leg: u64, client: u64, response: &Message) {
        let (to_tag, Ok(cseq)) = (response.tag(Header::To).unwrap_or_default(), response.cseq()) else {
            return;
        };
        if self.repeat_ack(leg, client, &to_tag) {
            return;
        }
        self.refresh_target(leg, response);
        self.session_agreed(now, leg, response);
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.acks.push(SentAck { client, to_tag: Bytes::copy_from_slice(&to_tag), sent: None });
        let has_answer_to_give = state.told && state.ours.as_ref().is_some_and(|ours| ours.body.is_none());
        if has_answer_to_give {
            let state_of_ours = OursState::Answered { client, cseq: cseq.number };
            state.ours.iter_mut().for_each(|ours| ours.state = state_of_ours);
            let (status, response) = (StatusCode::OK, Some(response.clone()));
            return self.tell(leg, Event::Reinvited { leg: LegKey(leg), response, status });
        }
        self.send_ack(now, leg, (leg, client, cseq.number), None);
        self.reinvited(leg, Some(response), response.status().unwrap_or(StatusCode::OK));
    }

    /// From here on requests go to the Contact of this message.
    pub(super) fn refresh_target(&mut self, leg: u64, message: &Message) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.abilities = Abilities::of(message).unwrap_or(state.abilities);
        if state.dialog.as_mut().is_some_and(|dialog| dialog.refresh_target(message))
            && let Some(hop) = state.hop.take()
        {
            self.roads.release(hop.remote.ip());
        }
    }

    /// Sends a request inside the dialog, or lets it wait until its next hop is known and connected. Requests of one
    /// leg keep their order.
    pub(super) fn send_draft(&mut self, now: Instant, leg: u64, draft: Draft) {
        let Some(state) = self.legs.get(leg) else { return };
        let draft = match state.seek {
            Some(seek) => match self.join_seek(seek, draft) {
                Ok(()) => return,
                Err(draft) => draft,
            },
            None => draft,
        };
        let Some(state) = self.legs.get(leg) else { return };
        if let Some(flow) = state.flow.filter(|flow| state.pinned && self.roads.is_open(flow)) {
            return self.send_draft_on(now, leg, draft, flow);
        }
        if let Some(hop) = state.hop {
            return self.send_draft_to(now, leg, draft, hop);
        }
        match state.dialog.as_ref().and_then(|dialog| dialog.next_hop()).map(|uri| next_hop(&uri)) {
            // A browser is reached by its own connection or not at all (RFC 7118 §5).
            Some(Target { transport: Some(transport), .. }) if transport.is_web() => {
                self.drafts_stuck(now, leg, vec![draft], FailCause::Closed);
            }
            Some(Target { transport, host: Host::Ip(ip), port }) => {
                let transport = transport.unwrap_or(Transport::Udp);
                let remote = (ip, port.unwrap_or(transport.default_port())).into();
                let hop = Hop::new(transport, remote, state.peer);
                self.hop_found(now, leg, Some(hop), vec![draft]);
            }
            Some(target @ Target { host: Host::Name(_), .. }) if !self.seeks.is_full() => {
                // As long as its transaction would ask: DNS that is slow today must not cost a BYE or an ACK.
                let until = now + self.settings.timers.give_up();
                let work = Work::Drafts(vec![draft]);
                let seek = self.seek_name(leg, work, target, until);
                self.note_seek(leg, seek);
            }
            _ => self.drafts_stuck(now, leg, vec![draft], FailCause::Unresolved),
        }
    }

    /// The next hop is known and stays so: an ACK must not resolve anew.
    pub(super) fn hop_found(&mut self, now: Instant, leg: u64, hop: Option<Hop>, drafts: Vec<Draft>) {
        let (Some(hop), Some(state)) = (hop, self.legs.get_mut(leg)) else { return };
        if state.hop.is_none() {
            state.hop = Some(hop);
            self.roads.hold(hop.remote.ip());
        }
        drafts.into_iter().for_each(|draft| self.send_draft(now, leg, draft));
    }

    fn send_draft_to(&mut self, now: Instant, leg: u64, draft: Draft, hop: Hop) {
        let Some(state) = self.legs.get(leg) else { return };
        let (udp_only, began) = (state.udp_only, state.flow);
        if hop.transport != Transport::Udp {
            return self.send_draft_by_stream(now, leg, draft, (hop, false));
        }
        let began = began
            .filter(|flow| flow.transport == Transport::Udp && flow.remote.is_ipv4() == hop.remote.is_ipv4());
        let flow = match began {
            Some(flow) => Some(Flow { remote: hop.remote, ..flow }),
            None => self.origins.udp_flow(hop.remote),
        };
        let Some(flow) = flow else {
            return self.drafts_stuck(now, leg, vec![draft], FailCause::Unreachable);
        };
        let large = draft.body.is_some() && {
            let size =
                self.write_draft(leg, &draft, &flow, &self.any_token(leg)).map_or(0, |bytes| bytes.len());
            self.must_not_be_datagram(size, udp_only, hop)
        };
        match large {
            true => {
                let tcp = Hop { transport: Transport::Tcp, ..hop };
                self.send_draft_by_stream(now, leg, draft, (tcp, true));
            }
            false => self.send_draft_on(now, leg, draft, flow),
        }
    }

    /// By the connection the dialog began on while it lives and leads to that host, else by one to the hop.
    fn send_draft_by_stream(&mut self, now: Instant, leg: u64, draft: Draft, (hop, or_udp): (Hop, bool)) {
        let began = self.legs.get(leg).and_then(|state| state.flow);
        let began = began.filter(|flow| {
            flow.transport == hop.transport && flow.remote.ip() == hop.remote.ip() && self.roads.is_open(flow)
        });
        if let Some(flow) = began.or_else(|| self.roads.connection(hop)) {
            return self.send_draft_on(now, leg, draft, flow);
        }
        if self.seeks.is_full() || !self.origins.speaks(hop.transport, hop.remote.ip()) {
            return self.drafts_stuck(now, leg, vec![draft], FailCause::Unreachable);
        }
        let next = self.legs.get(leg).and_then(|state| state.dialog.as_ref()?.next_hop());
        let server_name = next.and_then(|uri| String::from_utf8(uri.host().to_vec()).ok());
        let until = now + self.settings.open_timeout;
        let seek = self.seek_connection(leg, Work::Drafts(vec![draft]), (hop, or_udp), server_name, until);
        self.note_seek(leg, seek);
    }

    fn note_seek(&mut self, leg: u64, seek: Option<u64>) {
        if let Some(state) = self.legs.get_mut(leg) {
            state.seek = seek;
        }
    }

    /// The way is there.
    pub(super) fn send_draft_on(&mut self, now: Instant, leg: u64, draft: Draft, flow: Flow) {
        let purpose = match draft.kind {
            DraftKind::Ack { client, keeper } => {
                return self.send_ack_on(leg, &draft, (client, keeper), flow);
            }
            DraftKind::Bye => Purpose::Bye,
            DraftKind::Reinvite => Purpose::Reinvite,
            DraftKind::Probe => Purpose::Probe,
            DraftKind::Notify => Purpose::Notify,
            DraftKind::Refer => Purpose::Refer,
            DraftKind::Update => Purpose::Update,
            DraftKind::Prack => Purpose::Prack,
            DraftKind::Info => Purpose::Info,
        };
        let branch = self.next_branch();
        let Some(request) = self.write_draft(leg, &draft, &flow, &branch) else { return };
        let client = self.depart(now, Departure { leg, purpose, flow, request, first_response_at: None });
        if let (Purpose::Reinvite, Some(state)) = (purpose, self.legs.get_mut(leg)) {
            state.ours.iter_mut().for_each(|ours| ours.client = client);
        }
    }

    fn send_ack_on(&mut self, leg: u64, draft: &Draft, (client, keeper): (u64, u64), flow: Flow) {
        let branch = self.mint.token(Kind::Ack, leg);
        let Some(bytes) = self.write_draft(leg, draft, &flow, &branch) else { return };
        let bytes = self.with_proofs_of_invite(leg, bytes);
        let to_tag = self.legs.get(leg).and_then(|state| Some(state.dialog.as_ref()?.remote_tag().clone()));
        if let Some(state) = self.legs.get_mut(keeper) {
            let ours = state
                .acks
                .iter_mut()
                .find(|ack| ack.client == client && Some(&ack.to_tag) == to_tag.as_ref());
            ours.into_iter().for_each(|ack| ack.sent = Some((flow, bytes.clone())));
        }
        self.send(flow, bytes);
    }

    fn any_token(&self, leg: u64) -> Token {
        self.legs.get(leg).map_or(Token::BLANK, |state| state.tag)
    }

    fn write_draft(&self, leg: u64, draft: &Draft, flow: &Flow, branch: &Token) -> Option<Bytes> {
        let state = self.legs.get(leg)?;
        let dialog: &Dialog = state.dialog.as_deref()?;
        let mut request =
            dialog.request(&draft.kind.method(), draft.cseq, &self.origins.via(flow, state.peer, branch));
        if matches!(draft.kind, DraftKind::Notify | DraftKind::Refer) {
            request.header(Header::Contact, self.origins.contact(flow, state.peer)); // RFC 6665 §8.2.1, RFC 3515 §2.2
        }
        match draft.kind {
            DraftKind::Reinvite | DraftKind::Update => {
                self.add_invite_headers(&mut request, flow, state);
                state.add_session_refresh(&mut request);
            }
            _ if self.settings.user_agent.is_empty() => {}
            _ => {
                request.header(Header::UserAgent, &self.settings.user_agent);
            }
        }
        write::add_headers(&mut request, &draft.headers);
        if let Some(body) = &draft.body {
            request.attach(body);
        }
        Some(request.finish())
    }

    /// There is no way for these. A name that does not resolve is no reason to leave a call hanging: then they go
    /// where the dialog began.
    pub(super) fn drafts_stuck(&mut self, now: Instant, leg: u64, drafts: Vec<Draft>, cause: FailCause) {
        let began = self.legs.get(leg).and_then(|state| state.flow).filter(|flow| self.roads.is_open(flow));
        for draft in drafts {
            match (began, draft.kind) {
                (Some(flow), _) => self.send_draft_on(now, leg, draft, flow),
                (None, DraftKind::Reinvite) => self.reinvited(leg, None, StatusCode::SERVICE_UNAVAILABLE),
                (None, DraftKind::Probe) => self.probed(leg, false),
                (None, DraftKind::Notify) => self.notified(now, leg, false),
                (None, DraftKind::Refer) => self.refer_answered(leg, StatusCode::SERVICE_UNAVAILABLE),
                (None, DraftKind::Update) => self.updated(now, leg, StatusCode::SERVICE_UNAVAILABLE, None),
                (None, DraftKind::Ack { .. } | DraftKind::Bye | DraftKind::Prack | DraftKind::Info) => {
                    tracing::debug!(?cause, leg, kind = ?draft.kind, "no way for a request in a dialog");
                }
            }
        }
        self.settle(leg);
    }

    pub(super) fn probed(&mut self, leg: u64, alive: bool) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.probing = false;
        self.tell(leg, Event::Probed { leg: LegKey(leg), alive });
    }

    /// A final response to our probe: any but those that say the dialog is gone (RFC 3261 §12.2.1.2).
    pub(super) fn probe_response(&mut self, client: u64, response: &Message) {
        let (Some(status), Some(tx)) = (response.status(), self.clients.get(client)) else { return };
        let dead = [StatusCode::REQUEST_TIMEOUT, StatusCode::CALL_DOES_NOT_EXIST].contains(&status);
        if status.is_final() {
            self.probed(tx.leg, !dead);
        }
    }
}

/// Whom a URI means: what it does not say DNS may (RFC 3263 §4.1, §4.2). `sips` is TLS whatever it is carried by (RFC 3261
/// §19.1.2, §26.2.2).
fn next_hop(uri: &Uri) -> Target {
    let is_sips = uri.scheme() == crate::message::Scheme::Sips;
    let transport = match uri.param("transport").and_then(Transport::from_name) {
        Some(Transport::Ws | Transport::Wss) if is_sips => Some(Transport::Wss),
        _ if is_sips => Some(Transport::Tls),
        named => named,
    };
    let host = String::from_utf8_lossy(uri.param("maddr").unwrap_or(uri.host())).into_owned();
    Target { transport, host: Host::new(&host), port: uri.port() }
}
