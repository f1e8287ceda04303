//! Endpoints in virtual time: two of them on a link that may lose and repeat, or one against hand-written messages.
#![allow(dead_code, missing_docs, unreachable_pub)]

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sip_core::message::Message;
use sip_core::{
    Body, Counters, Endpoint, Event, Flow, Input, Invite, Listener, Located, Output, PeerId, Reply, Settings,
    Sources, StatusCode, Target, Transport,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);
pub const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n";

/// Any instant: from here on time is the test's.
#[allow(clippy::disallowed_methods)]
pub fn origin() -> Instant {
    Instant::now()
}

pub fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn anyone() -> Sources {
    let mut sources = Sources::new();
    sources.allow("0.0.0.0/0".parse().unwrap(), None, PeerId(1));
    sources
}

pub fn settings(at: &str, seed: u8) -> Settings {
    let listen = |transport| Listener::new(transport, addr(at));
    Settings::new([seed; 32], vec![listen(Transport::Udp), listen(Transport::Tcp)])
}

pub fn sdp() -> Option<Body> {
    Some(Body { content_type: Bytes::from_static(b"application/sdp"), bytes: Bytes::from_static(OFFER) })
}

pub fn invite(targets: &[&str]) -> Invite {
    Invite {
        flow: None,
        peer: None,
        login: None,
        targets: targets.iter().map(|t| t.parse::<Target>().unwrap()).collect(),
        retry_on: [408, 500, 502, 503, 504].into_iter().filter_map(StatusCode::new).collect(),
        uri: Bytes::from_static(b"sip:bo@far.test"),
        uris: vec![],
        from: Bytes::from_static(b"\"Anna\" <sip:anna@near.test>"),
        to: Bytes::from_static(b"<sip:bo@far.test>"),
        headers: vec![(Bytes::from_static(b"X-Case"), Bytes::from_static(b"1"))],
        body: sdp(),
        udp_only: false,
        max_forwards: 70,
        first_response_timeout: Duration::from_secs(8),
        terms: sip_core::Terms::default(),
    }
}

pub fn reply(code: u16) -> Reply {
    Reply::new(StatusCode::new(code).unwrap())
}

/// The name of an event, with its status where it has one: stories compare these.
pub fn name(event: &Event) -> String {
    let status = |m: &Message| m.status().map_or(0, |s| s.code());
    match event {
        Event::Invite { .. } => "invite".into(),
        Event::Register { user, .. } => format!("register {}", user.0),
        Event::LockedOut { .. } => "locked out".into(),
        Event::Cancelled { .. } => "cancelled".into(),
        Event::Progress { response, early, .. } => format!("progress {} {}", status(response), early.0),
        Event::Answered { .. } => "answered".into(),
        Event::Failed { status, cause, .. } => format!("failed {status} {cause:?}"),
        Event::Acked { .. } => "acked".into(),
        Event::AckMissing { .. } => "ack missing".into(),
        Event::Reinvite { .. } => "reinvite".into(),
        Event::ReinviteCancelled { .. } => "reinvite cancelled".into(),
        Event::Reinvited { status, .. } => format!("reinvited {status}"),
        Event::Updated { status, .. } => format!("updated {status}"),
        Event::RefreshDue { .. } => "refresh due".into(),
        Event::SessionExpired { .. } => "session expired".into(),
        Event::Bye { .. } => "bye".into(),
        Event::Request { .. } => "request".into(),
        Event::Refer { .. } => "refer".into(),
        Event::Referred { status, is_last, .. } => {
            format!("referred {status}{}", if *is_last { ", the last" } else { "" })
        }
        Event::Asked { answer, .. } => match answer {
            Ok(response) => format!("asked {}", status(response)),
            Err(cause) => format!("asked {cause:?}"),
        },
        Event::NameTrouble { host, trouble, .. } => format!("{host}: {}", trouble.name()),
        Event::Probed { alive, .. } => format!("probed {alive}"),
        _ => "?".into(),
    }
}

/// It speaks of the whole INVITE, not of one attempt.
fn is_whole(event: &Event) -> bool {
    !matches!(event, Event::AttemptFailed { .. })
}

/// One endpoint and what it said, for tests that write the other side by hand.
pub struct Desk {
    pub now: Instant,
    pub start: Instant,
    pub endpoint: Endpoint,
    pub flow: Flow,
    pub events: Vec<Event>,
    pub others: Vec<Output>,
}

impl Desk {
    /// Listens on 10.0.0.1:5060 and is spoken to from 10.0.0.2:5060 by UDP.
    pub fn new() -> Desk {
        Desk::with(settings("10.0.0.1:5060", 7))
    }

    pub fn with(settings: Settings) -> Desk {
        let now = origin();
        let mut endpoint = Endpoint::new(settings);
        endpoint.set_sources(anyone());
        let flow = Flow::udp(addr("10.0.0.1:5060"), addr("10.0.0.2:5060"));
        Desk { now, start: now, endpoint, flow, events: vec![], others: vec![] }
    }

    /// Lets the far end say something; what leaves in the same turn.
    pub fn hear(&mut self, text: &str) -> Vec<Message> {
        let bytes = Bytes::from(text.replace("\r\n", "\n").replace('\n', "\r\n"));
        self.input(Input::Received { flow: self.flow, bytes })
    }

    pub fn input(&mut self, input: Input) -> Vec<Message> {
        self.endpoint.handle_input(self.now, input);
        self.drain().into_iter().map(|(_, message)| message).collect()
    }

    /// Does something with the endpoint; what leaves in the same turn.
    pub fn act<T>(&mut self, act: impl FnOnce(&mut Endpoint, Instant) -> T) -> (T, Vec<Message>) {
        let result = act(&mut self.endpoint, self.now);
        (result, self.drain().into_iter().map(|(_, message)| message).collect())
    }

    pub fn drain(&mut self) -> Vec<(Flow, Message)> {
        let mut sent = vec![];
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { flow, bytes } => sent.push((flow, Message::parse(bytes).unwrap())),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(_) => return sent,
                other => self.others.push(other),
            }
        }
    }

    pub fn deadline(&mut self) -> Option<Instant> {
        match self.endpoint.poll_output() {
            Output::Timeout(next) => next.map(|(at, _)| at),
            other => panic!("not drained: {other:?}"),
        }
    }

    /// Lets time pass; everything that leaves meanwhile, with the milliseconds since the start.
    pub fn pass(&mut self, time: Duration) -> Vec<(u128, Message)> {
        let end = self.now + time;
        let mut sent = vec![];
        while let Some(at) = self.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            let since = (self.now - self.start).as_millis();
            sent.extend(self.drain().into_iter().map(|(_, message)| (since, message)));
            let left = self.deadline();
            assert!(left.is_none_or(|at| at > self.now), "what was due is due again: an endless loop");
        }
        self.now = end;
        sent
    }

    pub fn names(&mut self) -> Vec<String> {
        self.events.drain(..).filter(is_whole).map(|event| name(&event)).collect()
    }

    /// After the longest linger nothing is left.
    pub fn assert_nothing_left(&mut self) {
        self.pass(200 * SECOND);
        let left = (self.endpoint.live_transactions(), self.endpoint.live_legs(), self.deadline());
        assert_eq!(left, (0, 0, None));
        let counters = self.endpoint.counters();
        assert_eq!(counters.invites_read, invite_fates(counters), "an INVITE of unknown fate");
    }
}

/// Initial INVITEs whose fate was counted: as many as were read.
pub fn invite_fates(counters: &Counters) -> u64 {
    counters.invites_admitted
        + counters.invites_challenged
        + counters.invites_refused
        + counters.invites_dropped
}

pub fn statuses(messages: &[Message]) -> Vec<u16> {
    messages.iter().filter_map(|m| m.status()).map(|s| s.code()).collect()
}

/// `INVITE`, `200`, ... for each message.
pub fn lines(messages: &[Message]) -> Vec<String> {
    let line = |m: &Message| m.status().map_or_else(|| m.method().to_string(), |s| s.code().to_string());
    messages.iter().map(line).collect()
}

pub fn header(message: &Message, name: &str) -> String {
    let fields = message.fields().filter(|f| f.name.eq_ignore_ascii_case(name.as_bytes()));
    let values: Vec<_> = fields.map(|f| String::from_utf8(f.value.to_vec()).unwrap()).collect();
    values.join("|")
}

pub fn tag_of(message: &Message) -> String {
    String::from_utf8(message.to().unwrap().tag().unwrap().to_vec()).unwrap()
}

/// An INVITE as 10.0.0.2 writes it.
pub fn raw_invite(branch: &str, extra: &str) -> String {
    format!(
        "INVITE sip:desk@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{branch}\n\
         Max-Forwards: 70\nFrom: <sip:a@far.test>;tag=far\nTo: <sip:desk@near.test>\nCall-ID: c1@far\n\
         CSeq: 10 INVITE\nContact: <sip:a@10.0.0.2:5060>\n{extra}\n"
    )
}

/// A request of 10.0.0.2 in the dialog of [`raw_invite`].
pub fn raw_inside(method: &str, cseq: u32, branch: &str, tag: &str, extra: &str) -> String {
    format!(
        "{method} sip:10.0.0.1:5060 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{branch}\n\
         Max-Forwards: 70\nFrom: <sip:a@far.test>;tag=far\nTo: <sip:desk@near.test>;tag={tag}\nCall-ID: c1@far\n\
         CSeq: {cseq} {method}\nContact: <sip:a@10.0.0.2:5060>\n{extra}\n"
    )
}

/// The far end's response to a request of ours, `tag` in To, its own Contact.
pub fn raw_response(request: &Message, code: u16, tag: &str, extra: &str) -> String {
    let to = header(request, "To");
    let to = if to.contains(";tag=") || tag.is_empty() { to } else { format!("{to};tag={tag}") };
    format!(
        "SIP/2.0 {code} Whatever\nVia: {}\nFrom: {}\nTo: {to}\nCall-ID: {}\nCSeq: {}\n\
         Contact: <sip:bo@10.0.0.2:5060>\n{extra}\n",
        header(request, "Via"),
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
    )
}

/// Two endpoints, `near` (0) and `far` (1), on a link of its own loss and delay.
pub struct Pair {
    pub now: Instant,
    pub ends: [Endpoint; 2],
    pub events: [Vec<Event>; 2],
    pub loss: f64,
    pub twice: f64,
    pub jitter_ms: u64,
    pub sent: usize,
    random: SmallRng,
    wire: BTreeMap<(Instant, u64), (usize, Flow, Bytes)>,
    order: u64,
}

impl Pair {
    pub fn new(seed: u64) -> Pair {
        let end = |at, n| {
            let mut endpoint = Endpoint::new(settings(at, n));
            endpoint.set_sources(anyone());
            endpoint
        };
        let ends = [end("10.0.0.1:5060", seed as u8), end("10.0.0.2:5060", !(seed as u8))];
        let random = SmallRng::seed_from_u64(seed);
        let wire = BTreeMap::new();
        let now = origin();
        Pair {
            now,
            ends,
            events: [vec![], vec![]],
            loss: 0.0,
            twice: 0.0,
            jitter_ms: 0,
            sent: 0,
            random,
            wire,
            order: 0,
        }
    }

    pub fn random(&mut self, below: u32) -> u32 {
        self.random.random_range(0..below)
    }

    /// Takes what both ends want done.
    pub fn drain(&mut self) {
        for end in 0..2 {
            loop {
                match self.ends[end].poll_output() {
                    Output::Transmit { flow, bytes } => self.transmit(end, flow, bytes),
                    Output::Event(event) => self.events[end].push(event),
                    Output::Close { .. } => {}
                    Output::Open { id, .. } => {
                        self.ends[end].handle_input(self.now, Input::OpenFailed { id })
                    }
                    Output::Resolve { id, .. } => {
                        self.ends[end]
                            .handle_input(self.now, Input::Resolved { id, located: Located::default() });
                    }
                    Output::Timeout(_) => break,
                }
            }
        }
    }

    fn transmit(&mut self, from: usize, flow: Flow, bytes: Bytes) {
        self.sent += 1;
        let copies = 1 + usize::from(self.random.random_bool(self.twice));
        for _ in 0..copies {
            if self.random.random_bool(self.loss) {
                continue;
            }
            let delay = 10 + self.random.random_range(0..=self.jitter_ms);
            let back = Flow { local: flow.remote, remote: flow.local, ..flow };
            self.order += 1;
            self.wire.insert((self.now + delay as u32 * MS, self.order), (1 - from, back, bytes.clone()));
        }
    }

    pub fn next(&mut self) -> Option<Instant> {
        self.drain();
        let mut next = self.wire.first_key_value().map(|((at, _), _)| *at);
        for end in &mut self.ends {
            if let Output::Timeout(Some((at, _))) = end.poll_output() {
                next = Some(next.map_or(at, |n| n.min(at)));
            }
        }
        next
    }

    /// One step: the next datagram or deadline. False when there is none.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next() else { return false };
        self.now = self.now.max(at);
        let due = self.wire.split_off(&(self.now + Duration::from_nanos(1), 0));
        for (_, (to, flow, bytes)) in std::mem::replace(&mut self.wire, due) {
            self.ends[to].handle_input(self.now, Input::Received { flow, bytes });
        }
        for end in &mut self.ends {
            end.handle_timeout(self.now);
        }
        self.drain();
        true
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    pub fn names(&mut self, end: usize) -> Vec<String> {
        self.events[end].drain(..).filter(is_whole).map(|event| name(&event)).collect()
    }

    pub fn assert_nothing_left(&mut self, what: &str) {
        for _ in 0..100_000 {
            if !self.step() {
                break;
            }
        }
        for end in &mut self.ends {
            let left = (end.live_transactions(), end.live_legs(), end.counters().live_pending);
            assert_eq!(left, (0, 0, 0), "{what}");
            let counters = end.counters();
            assert_eq!(counters.invites_read, invite_fates(counters), "{what}: an INVITE of unknown fate");
        }
        assert_eq!(self.next(), None, "{what}: something still wants to be woken");
    }
}
