//! Requests of ours outside dialogs that make none: OPTIONS (RFC 3261 §11.1), and REGISTER (§10.2).

use super::clients::{Departure, Purpose};
use super::legs::{Hop, Leg, Stage};
use super::proofs::Proofs;
use super::seeks::Work;
use super::{Endpoint, Event, FailCause, write};
use crate::auth::digest::Login;
use crate::dialog::{decimal, write_cseq};
use crate::key::LegKey;
use crate::message::{Builder, Header, Message, Method};
use crate::token::{Kind, Token};
use crate::transport::{Flow, Host, PeerId, Target, Transport};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A question to one far end.
#[derive(Clone, Debug)]
pub struct Ask {
    /// On whose behalf, as [`Invite::peer`](super::Invite::peer).
    pub peer: Option<PeerId>,
    /// What is asked: not INVITE, ACK or CANCEL.
    pub method: Method,
    /// The way a telephone registered by, and then no other; `target` is not looked at.
    pub flow: Option<Flow>,
    /// Whom. If a name has several addresses they are asked in order until one answers.
    pub target: Target,
    /// The Request-URI, as it is to stand on the wire.
    pub uri: Bytes,
    /// `From` without tag.
    pub from: Bytes,
    /// `To` without tag.
    pub to: Bytes,
    /// The Contact; `None`: where we are on the way that is taken.
    pub contact: Option<Bytes>,
    /// The user part of that where `contact` is `None`: so a registrar calls back whom it means (RFC 3261 §10.2.1).
    pub contact_user: Option<Bytes>,
    /// Further headers in order. Those of [`Invite::headers`](super::Invite::headers) that we write ourselves are left out.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Call-ID and CSeq of a series of requests (RFC 3261 §10.2.4); `None`: a Call-ID of its own.
    pub series: Option<(Bytes, u32)>,
    /// Who we are to a far end that asks.
    pub login: Option<Arc<Login>>,
    /// Resolving, connecting and the answer together may take this long per address. At most timer F (32 s).
    pub timeout: Duration,
}

/// A question on its way to an answer.
pub(super) struct Asking {
    ask: Ask,
    call_id: Bytes,
    addresses: VecDeque<Hop>,
    /// The name behind them, for certificates.
    server_name: Option<String>,
    /// Deadline of the address now being asked.
    pub(super) until: Instant,
    pub(super) client: Option<u64>,
    /// Why the last address gave no answer.
    cause: FailCause,
}

impl Endpoint {
    /// Asks a far end. `None` when a limit is reached; the end comes as [`Event::Asked`], unless
    /// [`hang_up`](Self::hang_up) comes first.
    pub fn ask(&mut self, now: Instant, ask: Ask) -> Option<LegKey> {
        if self.is_full() {
            return None;
        }
        let leg = self.legs.next_key();
        let mut state = Leg::new(Stage::Asking, self.mint.token(Kind::Tag, leg));
        state.proofs = ask.login.clone().map(Proofs::new);
        let own = self.mint.token(Kind::CallId, leg);
        let call_id =
            ask.series.as_ref().map_or_else(|| Bytes::copy_from_slice(own.as_bytes()), |s| s.0.clone());
        let until = now + ask.timeout.min(self.settings.timers.give_up());
        let peer = ask.peer;
        state.peer = peer;
        let (target, way) = (ask.target.clone(), ask.flow);
        let transport = target.transport.unwrap_or(Transport::Udp);
        state.asking = Some(Box::new(Asking {
            ask,
            call_id,
            addresses: VecDeque::new(),
            server_name: None,
            until,
            client: None,
            cause: FailCause::Unreachable,
        }));
        let leg = self.legs.insert(state)?;
        match &target.host {
            _ if way.is_some_and(|flow| !self.roads.is_open(&flow)) => {
                self.asked(leg, Err(FailCause::Closed), None)
            }
            _ if way.is_some() => way.into_iter().for_each(|flow| self.ask_on(now, leg, flow)),
            Host::Ip(ip) => {
                let remote = (*ip, target.port_for(transport)).into();
                self.ask_resolved(now, leg, [Hop::new(transport, remote, peer)].into())
            }
            Host::Name(name) => {
                self.asking(leg)?.server_name = Some(name.clone());
                let seek = self.seek_name(leg, Work::Ask, target, until);
                self.note_ask_seek(leg, seek);
            }
        }
        Some(LegKey(leg))
    }

    fn asking(&mut self, leg: u64) -> Option<&mut Asking> {
        self.legs.get_mut(leg)?.asking.as_deref_mut()
    }

    pub(super) fn ask_resolved(&mut self, now: Instant, leg: u64, hops: VecDeque<Hop>) {
        if let Some(asking) = self.asking(leg) {
            asking.addresses = hops;
            self.ask_next(now, leg);
        }
    }

    fn ask_next(&mut self, now: Instant, leg: u64) {
        let patience = self.settings.timers.give_up();
        let Some(asking) = self.asking(leg) else { return };
        let Some(hop) = asking.addresses.pop_front() else {
            let cause = asking.cause;
            return self.asked(leg, Err(cause), None);
        };
        let until = now + asking.ask.timeout.min(patience);
        (asking.until, asking.client) = (until, None);
        let server_name = asking.server_name.clone();
        if !self.origins.speaks(hop.transport, hop.remote.ip()) {
            return self.ask_stuck(now, leg, FailCause::Unreachable);
        }
        let open = match hop.transport {
            Transport::Udp => self.origins.udp_flow(hop.remote),
            _ => self.roads.connection(hop),
        };
        match open {
            Some(flow) => self.ask_on(now, leg, flow),
            None => {
                let seek = self.seek_connection(leg, Work::Ask, (hop, false), server_name, until);
                self.note_ask_seek(leg, seek);
            }
        }
    }

    fn note_ask_seek(&mut self, leg: u64, seek: Option<u64>) {
        match (seek, self.legs.get_mut(leg)) {
            (Some(_), Some(state)) => state.seek = seek,
            _ => self.asked(leg, Err(FailCause::Full), None),
        }
    }

    /// The way is there.
    pub(super) fn ask_on(&mut self, now: Instant, leg: u64, flow: Flow) {
        let branch = self.next_branch();
        let Some(state) = self.legs.get(leg) else { return };
        let Some(asking) = state.asking.as_deref() else { return };
        let request = self.write_ask(state, asking, &flow, &branch);
        let first_response_at = Some(asking.until);
        let client =
            self.depart(now, Departure { leg, purpose: Purpose::Ask, flow, request, first_response_at });
        match (client, self.asking(leg)) {
            (Some(_), Some(asking)) => asking.client = client,
            _ => self.asked(leg, Err(FailCause::Full), None),
        }
    }

    fn write_ask(&self, leg: &Leg, asking: &Asking, flow: &Flow, branch: &Token) -> Bytes {
        let ask = &asking.ask;
        let mut request = Builder::request(&ask.method, &ask.uri);
        let mut digits = [0; 10];
        request.header(Header::Via, self.origins.via(flow, ask.peer, branch));
        request.header(Header::MaxForwards, decimal(70, &mut digits));
        request.parts(Header::From, &[&ask.from, b";tag=", leg.tag.as_bytes()]);
        request.header(Header::To, &ask.to).header(Header::CallId, &asking.call_id);
        write_cseq(&mut request, ask.series.as_ref().map_or(1, |(_, cseq)| *cseq), &ask.method);
        match &ask.contact {
            Some(contact) => request.header(Header::Contact, contact),
            None => {
                let user = ask.contact_user.as_deref().unwrap_or_default();
                request.header(Header::Contact, self.origins.contact_of(user, flow, ask.peer))
            }
        };
        if ask.method == Method::Options {
            request
                .header(Header::Allow, write::ALLOW)
                .header(Header::Accept, self.settings.accept.join(", "));
        }
        if !self.settings.user_agent.is_empty() {
            request.header(Header::UserAgent, &self.settings.user_agent);
        }
        write::add_headers(&mut request, &ask.headers);
        request.finish()
    }

    /// No way to this address.
    pub(super) fn ask_stuck(&mut self, now: Instant, leg: u64, cause: FailCause) {
        if let Some(asking) = self.asking(leg) {
            asking.cause = cause;
            self.ask_next(now, leg);
        }
    }

    /// An address gave no answer.
    pub(super) fn ask_failed(&mut self, now: Instant, client: u64, cause: FailCause) {
        let Some(leg) = self.clients.get(client).map(|tx| tx.leg) else { return };
        self.doubt(now, client, cause, None);
        if self.asking(leg).is_some_and(|asking| asking.client == Some(client)) {
            self.ask_stuck(now, leg, cause);
        }
    }

    pub(super) fn ask_response(&mut self, client: u64, response: &Message) {
        let Some((leg, flow)) = self.clients.get(client).map(|tx| (tx.leg, tx.flow)) else { return };
        let is_final = response.status().is_some_and(|status| status.is_final());
        if is_final && self.asking(leg).is_some_and(|asking| asking.client == Some(client)) {
            self.asked(leg, Ok(response.clone()), Some(flow));
        }
    }

    fn asked(&mut self, leg: u64, answer: Result<Message, FailCause>, flow: Option<Flow>) {
        self.tell(leg, Event::Asked { leg: LegKey(leg), answer, flow });
        self.finish(leg);
    }
}
