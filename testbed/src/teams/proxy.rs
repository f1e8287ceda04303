//! The machine of the simulator: SIP by an endpoint of our own, dressed as Teams, and the people behind it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_core::{
    Ask, Body, Endpoint, Event, Flow, HangUp, Input, LegKey, Listener, Located, Message, Output, OwnName,
    PeerId, Reply, SessionPolicy, Settings, Sources, StatusCode, Target, Terms, Transport,
    message::{Header, Method, respond_to},
    transport::Host,
};

use super::{
    call::{Call, Stage, Transfer},
    dress::{DEVICE, dressed},
    judge,
    person::{Conduct, Person},
};

/// Everybody who talks to us.
pub(super) const PEER: PeerId = PeerId(1);
/// The names of the three data centres, in order.
pub const NAMES: [&str; 3] =
    ["sip.pstnhub.microsoft.com", "sip2.pstnhub.microsoft.com", "sip3.pstnhub.microsoft.com"];
/// The port of all of them.
pub const PORT: u16 = 5_061;
/// Teams sends BYE so soon after its REFER was taken, before anybody has answered (1.10).
const BYE_AFTER_REFER: Duration = Duration::from_millis(280);
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
    /// BYE comes only when the transfer is done, as older texts have it.
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
}

/// The machine.
pub struct Proxy {
    sip: Endpoint,
    /// Where each name of NAMES listens.
    listeners: Vec<SocketAddr>,
    /// Names to addresses, for what we call.
    hosts: HashMap<String, SocketAddr>,
    /// Names in the certificates of those who are connected.
    certified: HashMap<u32, Vec<String>>,
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
    out: VecDeque<Deed>,
    due: Option<Instant>,
    asked: bool,
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

    /// Nothing of SIP is left.
    pub fn is_silent(&self) -> bool {
        self.calls.is_empty() && self.sip.live_legs() == 0 && self.sip.live_transactions() == 0
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

    /// What never comes as far as a dialog: OPTIONS, methods that Teams does not speak, calls when there is no room.
    fn is_answered_here(&mut self, now: Instant, flow: Flow, bytes: &Bytes) -> bool {
        let Ok(request) = Message::parse(bytes.clone()) else { return false };
        if !request.is_request() {
            return false;
        }
        let method = request.method();
        let names = self.certified.get(&flow.connection).cloned().unwrap_or_default();
        let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        let status = match method {
            Method::Options if in_dialog => return false,
            Method::Invite if !in_dialog && self.is_overloaded(&flow) => {
                *self.seen.invites.entry(self.centre(&flow)).or_default() += 1;
                StatusCode::SERVICE_UNAVAILABLE
            }
            Method::Options => self.asked_by(now, flow, &request, &names),
            _ if judge::is_forbidden(&method) => {
                self.violates(format!("{method} towards Teams (1.4: Allow)"));
                StatusCode::METHOD_NOT_ALLOWED
            }
            _ => return false,
        };
        let mut answer = respond_to(&request, flow.remote, status, None, Some(b"7a31"));
        answer.header(Header::Allow, b"").header(Header::Server, b"");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.header(Header::RetryAfter, b"1");
        }
        let bytes = dressed(&answer.finish());
        self.out.push_back(Deed::Transmit { flow, bytes, elsewhere: false });
        true
    }

    /// OPTIONS of theirs; after the first that is good ours go, over a connection of their own (1.4).
    fn asked_by(&mut self, now: Instant, flow: Flow, request: &Message, names: &[String]) -> StatusCode {
        if let Some(fault) = judge::of_contact(request, names) {
            self.violates(format!("OPTIONS with {}", fault.why));
            return fault.status.and_then(StatusCode::new).unwrap_or(StatusCode::FORBIDDEN);
        }
        *self.seen.options.entry(self.centre(&flow)).or_default() += 1;
        if !std::mem::replace(&mut self.asked, true) {
            let uri = format!("sip:{}:{PORT};transport=tls", self.trunk);
            let ask = Ask {
                peer: Some(PEER),
                method: Method::Options,
                flow: None,
                target: Target {
                    transport: Some(Transport::Tls),
                    host: Host::new(&self.trunk),
                    port: Some(PORT),
                },
                uri: uri.into(),
                from: format!("<sip:sip-du-a-eu.pstnhub.microsoft.com:{PORT}>").into(),
                to: format!("<sip:{}>", self.trunk).into(),
                contact: Some(format!("<sip:sip-du-a-eu.pstnhub.microsoft.com:{PORT};transport=tls>").into()),
                contact_user: None,
                headers: Vec::new(),
                series: None,
                login: None,
                timeout: Duration::from_secs(10),
            };
            self.sip.ask(now, ask);
        }
        StatusCode::OK
    }

    fn answered(&mut self, answer: Option<&Message>) {
        let good = answer.is_some_and(|answer| {
            let named = answer.contact().is_ok_and(|contact| contact.uri.host() == self.trunk.as_bytes());
            let can = ["REFER", "NOTIFY"].iter().all(|method| answer.has_token(Header::Allow, method));
            answer.status() == Some(StatusCode::OK) && named && can
        });
        match good {
            true => self.seen.answered += 1,
            false => {
                self.asked = false; // it is asked again at their next OPTIONS
                self.violates("our OPTIONS got no 200 with Contact and Allow (1.4)".to_owned());
            }
        }
    }

    /// The data centre that a connection leads to takes no calls: each decides for itself, so that another may be called.
    fn is_overloaded(&self, flow: &Flow) -> bool {
        self.switches.overloaded.contains(&self.centre(flow))
    }

    /// Which of the data centres it is that a connection leads to.
    fn centre(&self, flow: &Flow) -> usize {
        self.listeners.iter().position(|at| at.ip() == flow.local.ip()).unwrap_or_default()
    }

    pub(super) fn violates(&mut self, what: String) {
        self.seen.violations.push(what);
    }

    pub(super) fn plan(&mut self, at: Instant, leg: LegKey, plan: Plan) {
        self.planned += 1;
        self.plans.insert((at, self.planned), (leg, plan));
    }

    fn drain(&mut self, now: Instant) {
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

    /// A call of theirs.
    fn called(&mut self, now: Instant, leg: LegKey, flow: Flow, invite: &Message, replaces: bool) {
        let centre = self.centre(&flow);
        *self.seen.invites.entry(centre).or_default() += 1;
        let names = self.certified.get(&flow.connection).cloned().unwrap_or_default();
        let faults = judge::of_invite(invite, &names);
        let worst = faults.first().and_then(|fault| fault.status);
        faults.into_iter().for_each(|fault| self.violates(format!("INVITE: {}", fault.why)));
        if replaces {
            self.violates("INVITE: Replaces towards Teams (1.5)".to_owned());
        }
        if let Some(status) = worst {
            return self.refuse(now, leg, status, 21, "RequestRefused");
        }
        let Some(person) = self.meant_by(invite) else {
            return self.refuse(now, leg, 404, 1, "NumberNotFound");
        };
        let asked = self.transfer_back(invite);
        let Some(port) = self.ports.pop_front() else { return self.refuse(now, leg, 503, 34, "NoPort") };
        self.people[person].called += 1;
        let name = invite
            .from()
            .ok()
            .and_then(|from| Some(String::from_utf8_lossy(&from.display_name()?).into_owned()));
        self.people[person].shown.extend(name);
        let tone = self.people[person].tone.clone();
        let mut call = Call::new(leg, person, port, tone);
        if call.sound.answer(&invite.body()).is_err() {
            self.ports.push_back(port);
            return self.refuse(now, leg, 488, 79, "MediaOfferError");
        }
        call.transfer = asked;
        self.calls.push(call);
        self.rings(now, leg, person, asked.is_some());
    }

    fn rings(&mut self, now: Instant, leg: LegKey, person: usize, consulted: bool) {
        let conduct = match self.people[person].conduct {
            // Whoever was spoken to already takes the caller over without ringing for long.
            _ if consulted => Conduct::Answers(Duration::from_millis(200)),
            conduct => conduct,
        };
        match conduct {
            Conduct::Answers(after) => {
                self.progress(now, leg, StatusCode::RINGING, Some("desktop"));
                self.plan(now + after / 3, leg, Plan::RingAgain);
                self.plan(now + after, leg, Plan::Answer);
            }
            Conduct::LetsRing => self.progress(now, leg, StatusCode::RINGING, None),
            Conduct::IsForwarded(after) => {
                self.progress(now, leg, StatusCode::RINGING, None);
                self.plan(now + after, leg, Plan::Forward);
                self.plan(now + after + Duration::from_millis(300), leg, Plan::Answer);
            }
            Conduct::Voicemail => self.plan(now + Duration::from_millis(100), leg, Plan::Answer),
            Conduct::Declines => self.gives_up(now, leg, 603, 21, "The call was declined."),
            Conduct::IsBusy => self.gives_up(now, leg, 486, 34, "The callee is busy."),
            Conduct::IsAway => self.gives_up(now, leg, 480, 31, "No callee endpoints were found."),
        }
    }

    fn gives_up(&mut self, now: Instant, leg: LegKey, status: u16, cause: u16, phrase: &str) {
        self.refuse(now, leg, status, cause, phrase);
        self.forget(leg);
    }

    /// With the correlation and the phrase that Teams writes into Reason (1.14).
    fn refuse(&mut self, now: Instant, leg: LegKey, status: u16, cause: u16, phrase: &str) {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        self.sip.respond(now, leg, Reply { headers: vec![reason(cause, phrase)], ..Reply::new(status) });
    }

    fn progress(&mut self, now: Instant, leg: LegKey, status: StatusCode, device: Option<&str>) {
        let device = device.map(|device| (Bytes::from(DEVICE), Bytes::from(device.to_owned())));
        self.sip.respond(now, leg, Reply { headers: device.into_iter().collect(), ..Reply::new(status) });
    }

    fn perform(&mut self, now: Instant, leg: LegKey, plan: Plan) {
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        match plan {
            Plan::RingAgain => self.progress(now, leg, StatusCode::RINGING, Some("mobile")),
            Plan::Forward => self.progress(now, leg, StatusCode::CALL_IS_BEING_FORWARDED, None),
            Plan::HangUp => self.hang_up_leg(now, leg),
            Plan::Answer => {
                let Some(answer) = call.sound.again() else { return };
                call.stage = Stage::Talking;
                call.sound.begin(now);
                let person = &mut self.people[call.person];
                let himself = matches!(person.conduct, Conduct::Answers(_)) || call.transfer.is_some();
                person.answered += u32::from(himself);
                person.presses.into_iter().filter(|_| himself).for_each(|key| call.sound.press(key));
                self.sip.respond(now, leg, Reply::new(StatusCode::OK).with_body(sdp(answer)));
            }
        }
    }

    /// Their CANCEL: without "completed elsewhere" the person sees a missed call (1.15).
    fn taken_back(&mut self, leg: LegKey, cancel: Option<&Message>) {
        let elsewhere = cancel
            .and_then(|cancel| cancel.value(Header::Reason))
            .is_some_and(|reason| String::from_utf8_lossy(&reason).contains("cause=200"));
        if let Some(call) = self.calls.iter().find(|call| call.leg == leg) {
            self.people[call.person].missed += u32::from(!elsewhere);
        }
        self.forget(leg);
    }

    /// Their re-INVITE: a refresh with what was there before, or `inactive`; never another address (1.8, 1.9, 2.6).
    fn reoffered(&mut self, now: Instant, leg: LegKey, request: &Message) {
        let offer = request.body();
        let fault = match offer.is_empty() {
            true => Some("re-INVITE without an offer (1.8)".to_owned()),
            false => judge::of_description(&offer).map(|fault| format!("re-INVITE: {}", fault.why)),
        };
        fault.into_iter().for_each(|fault| self.violates(fault));
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        let reply = match call.sound.answer(&offer) {
            Ok(answer) => Reply::new(StatusCode::OK).with_body(sdp(answer)),
            Err(_) => Reply::new(StatusCode::NOT_ACCEPTABLE_HERE),
        };
        let moved = call.sound.has_moved();
        self.sip.respond(now, leg, reply);
        if moved {
            self.violates("sound moved to another address in mid-call (2.6)".to_owned());
        }
    }

    fn held(&mut self, now: Instant, leg: LegKey, response: Option<&Message>) {
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        let answer = response.map(Message::body).unwrap_or_default();
        let accepted = call.sound.accept(&answer, now).is_ok();
        let moved = call.sound.has_moved();
        if !accepted || moved {
            self.violates("a hold or refresh of ours was not answered as it must be (1.9, 2.6)".to_owned());
        }
    }

    fn refresh(&mut self, now: Instant, leg: LegKey) {
        let again = self.calls.iter().find(|call| call.leg == leg).and_then(|call| call.sound.again());
        self.sip.reinvite(now, leg, again.map(sdp));
    }

    fn they_answered(&mut self, now: Instant, leg: LegKey, response: &Message) {
        self.sip.ack(now, leg, None);
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        call.stage = Stage::Talking;
        if call.sound.accept(&response.body(), now).is_err() {
            self.violates("an answer that cannot be used (2.7)".to_owned());
            self.hang_up_leg(now, leg);
        }
    }

    /// What has become of a REFER of ours. BYE comes at once, long before anybody has answered.
    fn told(&mut self, now: Instant, leg: LegKey, status: StatusCode, is_last: bool) {
        self.seen.told.push(status.code());
        let first = status == StatusCode::TRYING && !self.switches.patient;
        if first {
            self.plan(now + BYE_AFTER_REFER, leg, Plan::HangUp);
        } else if is_last && status.is_success() {
            self.hang_up_leg(now, leg);
        }
    }

    pub(super) fn hang_up_leg(&mut self, now: Instant, leg: LegKey) {
        let headers = vec![reason(16, "CallEndReason: user hung up")];
        self.sip.hang_up(now, leg, HangUp { headers, ..HangUp::new(StatusCode::REQUEST_TERMINATED) });
        self.forget(leg);
    }

    fn forget(&mut self, leg: LegKey) {
        if let Some(at) = self.calls.iter().position(|call| call.leg == leg) {
            let call = self.calls.remove(at);
            self.ports.push_back(call.sound.local);
        }
    }

    pub(super) fn sip(&mut self) -> &mut Endpoint {
        &mut self.sip
    }

    pub(super) fn trunk(&self) -> &str {
        &self.trunk
    }

    pub(super) fn flush(&mut self, now: Instant) {
        self.drain(now);
    }
}

/// What Teams always offers (1.8).
pub(super) fn terms() -> Terms {
    let session = Some(SessionPolicy { expires: 1_800, min_se: 90, by_update: false });
    Terms { session, ..Terms::default() }
}

fn reason(cause: u16, phrase: &str) -> (Bytes, Bytes) {
    let value = format!("Q.850;cause={cause};text=\"{CORRELATION};{phrase}\"");
    (Bytes::from_static(b"Reason"), value.into())
}

pub(super) fn sdp(bytes: Bytes) -> Body {
    Body { content_type: Bytes::from_static(b"application/sdp"), bytes }
}
