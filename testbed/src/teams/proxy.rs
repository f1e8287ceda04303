//! The machine of the simulator: SIP by an endpoint of our own, dressed as Teams, and the people behind it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;
use sip_core::{
    Body, Endpoint, Event, Flow, HangUp, Input, LegKey, Listener, Located, Output, OwnName, PeerId,
    SessionPolicy, Settings, Sources, StatusCode, Terms, Transport, transport::Host,
};

use super::{
    call::{Call, Transfer},
    dress::dressed,
    person::Person,
};

/// Everybody who talks to us.
pub(super) const PEER: PeerId = PeerId(1);
/// The names of the three data centres, in order.
pub const NAMES: [&str; 3] =
    ["sip.pstnhub.microsoft.com", "sip2.pstnhub.microsoft.com", "sip3.pstnhub.microsoft.com"];
/// The port of all of them.
pub const PORT: u16 = 5_061;
/// What Teams wants to be quoted when something is asked about a call.
const CORRELATION: &str = "3f0c7a52-0f0e-4f7b-9a53-7f2e2d1b8a10";

/// What is to be done.
pub(super) enum Deed {
    /// Send; `elsewhere`: over a connection of its own from another address.
    Transmit {
        flow: Flow,
        bytes: Bytes,
        elsewhere: bool,
    },
    /// Open a connection.
    Open {
        id: sip_core::OpenId,
        transport: Transport,
        remote: SocketAddr,
        server_name: Option<String>,
    },
    Close(Flow),
    /// A packet of sound from this port.
    Sound {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Bytes,
    },
}

/// What will happen to a call of somebody.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plan {
    Answer,
    RingAgain,
    Forward,
    HangUp,
}

/// Misbehaviour and whom we know.
#[derive(Debug, Clone, Default)]
pub struct Switches {
    /// Data centres that answer 503 with Retry-After: positions in [`NAMES`].
    pub overloaded: Vec<usize>,
    /// BYE comes only when the transfer is done, as older texts have it (1.10).
    pub patient: bool,
}

/// What was seen of the far end.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// OPTIONS of theirs that were good, by data centre.
    pub options: BTreeMap<usize, u32>,
    /// Ours that were answered 200 with our trunk's name and an Allow that has REFER and NOTIFY (1.4).
    pub answered: u32,
    /// INVITEs of theirs, by data centre.
    pub invites: BTreeMap<usize, u32>,
    /// Everything that Teams would not have taken, and what no caller of Teams may do.
    pub violations: Vec<String>,
    /// Transfers that were carried out as the sheet has it: the target and Referred-By came back byte for byte.
    pub transfers: u32,
    /// What our REFERs were told.
    pub told: Vec<u16>,
    /// Sessions that were refreshed by a re-INVITE of ours, and nothing changed (1.8).
    pub refreshed: u32,
}

/// The machine.
pub struct Proxy {
    pub(super) sip: Endpoint,
    /// Where each name of NAMES listens.
    listeners: Vec<SocketAddr>,
    /// Names to addresses, for what we call.
    hosts: HashMap<String, SocketAddr>,
    /// Names in the certificates of those who are connected.
    pub(super) certified: HashMap<u32, Vec<String>>,
    /// Who is there.
    pub people: Vec<Person>,
    pub(super) calls: Vec<Call>,
    pub(super) transfers: Vec<Transfer>,
    /// Misbehaviour.
    pub switches: Switches,
    /// What was seen.
    pub seen: Seen,
    plans: BTreeMap<(Instant, u64), (LegKey, Plan)>,
    planned: u64,
    /// Sound ports that are free.
    pub(super) ports: VecDeque<SocketAddr>,
    pub(super) out: VecDeque<Deed>,
    due: Option<Instant>,
    pub(super) asked: bool,
    trunk: String,
}

impl Proxy {
    /// `trunk`: the name of the SBC in the tenant, with its port and its address.
    pub(super) fn new(
        listeners: Vec<SocketAddr>,
        ports: Vec<SocketAddr>,
        (trunk, at): (&str, SocketAddr),
        people: Vec<Person>,
    ) -> Proxy {
        let own = listeners.iter().map(|at| Listener::new(Transport::Tls, *at)).collect();
        let mut sip = Endpoint::new(Settings {
            owner: 1,
            user_agent: "Teams".to_owned(),
            ..Settings::new(rand::random(), own)
        });
        let mut sources = Sources::new();
        sources.allow("127.0.0.0/8".parse().expect("a net"), None, PEER);
        sip.set_sources(sources);
        let name = OwnName { host: Host::new(NAMES[0]), port: Some(PORT) };
        sip.set_own_names([(PEER, name)].into());
        sip.set_terms([(PEER, terms())].into());
        Proxy {
            sip,
            listeners,
            hosts: HashMap::from([(trunk.to_owned(), at)]),
            certified: HashMap::new(),
            people,
            calls: Vec::new(),
            transfers: Vec::new(),
            switches: Switches::default(),
            seen: Seen::default(),
            plans: BTreeMap::new(),
            planned: 0,
            ports: ports.into(),
            out: VecDeque::new(),
            due: None,
            asked: false,
            trunk: trunk.to_owned(),
        }
    }

    /// The trunk is active: OPTIONS have gone well in both directions (1.4).
    pub fn is_active(&self) -> bool {
        !self.seen.options.is_empty() && self.seen.answered > 0
    }

    pub(super) fn poll(&mut self) -> Option<Deed> {
        self.out.pop_front()
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        let plan = self.plans.keys().next().map(|(at, _)| *at);
        let sound = self.calls.iter().filter_map(|call| call.sound.next_at).min();
        [self.due, plan, sound].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_some_and(|at| at <= now) {
            self.sip.handle_timeout(now);
        }
        while let Some(entry) = self.plans.first_entry().filter(|entry| entry.key().0 <= now) {
            let (leg, plan) = entry.remove();
            self.perform(now, leg, plan);
        }
        for call in &mut self.calls {
            if call.sound.next_at.is_some_and(|at| at <= now)
                && let Some((to, bytes)) = call.sound.speak(now)
            {
                self.out.push_back(Deed::Sound { from: call.sound.local, to, bytes });
            }
        }
        self.drain(now);
    }

    pub(super) fn handle_sound(&mut self, at: SocketAddr, packet: Bytes) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.sound.local == at) {
            call.sound.hear(packet);
        }
    }

    pub(super) fn handle_input(&mut self, now: Instant, input: Input) {
        match &input {
            Input::Accepted { flow, peer_names } | Input::Opened { flow, peer_names, .. } => {
                self.certified.insert(flow.connection, peer_names.clone());
            }
            Input::Received { flow, bytes } if self.is_answered_here(now, *flow, bytes) => {
                return self.drain(now);
            }
            _ => {}
        }
        self.sip.handle_input(now, input);
        self.drain(now);
    }

    /// Which of the data centres it is that a connection leads to.
    pub(super) fn centre(&self, flow: &Flow) -> usize {
        self.listeners.iter().position(|at| at.ip() == flow.local.ip()).unwrap_or_default()
    }

    pub(super) fn violates(&mut self, what: String) {
        self.seen.violations.push(what);
    }

    pub(super) fn plan(&mut self, at: Instant, leg: LegKey, plan: Plan) {
        self.planned += 1;
        self.plans.insert((at, self.planned), (leg, plan));
    }

    /// Hands on whatever the endpoint has to say.
    pub(super) fn drain(&mut self, now: Instant) {
        loop {
            match self.sip.poll_output() {
                Output::Transmit { flow, bytes } => self.transmit(flow, &bytes),
                Output::Event(event) => self.handle_event(now, event),
                Output::Timeout(at) => {
                    self.due = at.map(|(at, _)| at);
                    return;
                }
                Output::Resolve { id, target, .. } => {
                    let transport = target.transport.unwrap_or(Transport::Udp);
                    let port = target.port_for(transport);
                    let found = self.hosts.get(&target.host.to_string());
                    let found = found.map(|at| SocketAddr::new(at.ip(), port));
                    let located = Located::at(transport, found);
                    self.sip.handle_input(now, Input::Resolved { id, located });
                }
                Output::Open { id, transport, remote, server_name, .. } => {
                    self.out.push_back(Deed::Open { id, transport, remote, server_name });
                }
                Output::Close { flow } => self.out.push_back(Deed::Close(flow)),
            }
        }
    }

    /// REFER comes over a connection of its own, from another address (1.1).
    fn transmit(&mut self, flow: Flow, bytes: &Bytes) {
        let elsewhere = bytes.starts_with(b"REFER ");
        self.out.push_back(Deed::Transmit { flow, bytes: dressed(bytes), elsewhere });
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Invite { leg, flow, request, replaces, .. } => {
                self.called(now, leg, flow, &request, replaces.is_some());
            }
            Event::Asked { answer, .. } => self.answered(answer.ok().as_ref()),
            Event::Cancelled { leg, request } => self.taken_back(leg, request.as_ref()),
            Event::Bye { leg, .. } | Event::Failed { leg, .. } => self.forget(leg),
            Event::Answered { leg, response, .. } => self.they_answered(now, leg, &response),
            Event::Reinvite { leg, request } => self.reoffered(now, leg, &request),
            Event::Reinvited { leg, response, .. } => self.held(now, leg, response.as_ref()),
            Event::RefreshDue { leg } => self.refresh(now, leg),
            Event::SessionExpired { leg } | Event::AckMissing { leg } => {
                self.violates("no ACK, or no refresh (1.8)".to_owned());
                self.hang_up_leg(now, leg);
            }
            Event::Referred { leg, status, is_last } => self.told(now, leg, status, is_last),
            _ => {}
        }
    }

    pub(super) fn hang_up_leg(&mut self, now: Instant, leg: LegKey) {
        let headers = vec![reason(16, "CallEndReason: user hung up")];
        self.sip.hang_up(now, leg, HangUp { headers, ..HangUp::new(StatusCode::REQUEST_TERMINATED) });
        self.forget(leg);
    }

    pub(super) fn forget(&mut self, leg: LegKey) {
        if let Some(at) = self.calls.iter().position(|call| call.leg == leg) {
            let call = self.calls.remove(at);
            self.ports.push_back(call.sound.local);
        }
    }

    pub(super) fn trunk(&self) -> &str {
        &self.trunk
    }
}

/// What Teams always offers (1.8).
pub(super) fn terms() -> Terms {
    let session = Some(SessionPolicy { expires: 1_800, min_se: 90, by_update: false });
    Terms { session, ..Terms::default() }
}

pub(super) fn reason(cause: u16, phrase: &str) -> (Bytes, Bytes) {
    let value = format!("Q.850;cause={cause};text=\"{CORRELATION};{phrase}\"");
    (Bytes::from_static(b"Reason"), value.into())
}

pub(super) fn sdp(bytes: Bytes) -> Body {
    Body { content_type: Bytes::from_static(b"application/sdp"), bytes }
}
