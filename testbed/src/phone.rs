//! A telephone: a caller behind the carrier, or an agent behind Teams. SIP by an [`Endpoint`] of its own, sound by a
//! handful of RTP packets whose payload names the speaker.

mod dialog;
mod transfer;

pub use dialog::HoldBy;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use media::{
    Codec, Direction,
    sdp::{Negotiation, Policy, Srtp, Stream},
    srtp::Suite,
};
use sip_core::{
    Ask, Body, Endpoint, Event, HangUp, Input, Invite, LegKey, Listener, Message, Output, PeerId, Reply,
    Settings, Sources, StatusCode, Target, Terms, Transport, auth::digest::Login, message::Method,
};

pub use transfer::Transfers;

use crate::{net::Datagram, shield::Shield, tone::Tone};

/// A telephone of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneId(pub usize);

/// What a telephone does when it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Rings, and answers after this long.
    Answers(Duration),
    /// Rings for ever.
    NeverAnswers,
    /// 486 at once.
    Busy,
    /// Rings for this long, then this status.
    Refuses(u16, Duration),
    /// 183 with sound at once, answers after this long.
    EarlySound(Duration),
    /// Says nothing at all.
    Dead,
    /// Answers after this long and hangs up after that long.
    AnswersFor(Duration, Duration),
}

/// What a telephone was told to do, with the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    Dial { called: String, offer: bool },
    Answer(LegKey),
    Refuse(LegKey, u16),
    HangUp,
    Press(char),
    Hold(Direction),
    HoldBy(HoldBy),
    PressByInfo(char),
    Move(SocketAddr),
    Offer(Bytes),
    Die,
    Mute(bool),
    Transfer { to: String, headers: Vec<(String, String)> },
    Register { contact: String, expires: u32 },
    TransferAttended,
    HangUpFirst,
}

/// Where a telephone's last call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneState {
    /// No call yet.
    Idle,
    /// Called somebody; no answer yet.
    Calling,
    /// Called somebody; 18x came.
    Ringing,
    /// Is being called.
    Rung,
    /// In a call.
    Talking,
    /// The last call is over, by the final status of an INVITE.
    Failed(u16),
    /// The last call is over after an answer.
    Ended,
}

/// One telephone.
pub struct Phone {
    /// Its name, in ladders.
    pub name: String,
    /// Where it takes SIP.
    pub address: SocketAddr,
    /// How it reacts to a call.
    pub behaviour: Behaviour,
    /// Where its last call is.
    pub state: PhoneState,
    /// RTP packets heard, by the byte they carried: [`World`](crate::World) gives every speaker one.
    pub heard: BTreeMap<u8, u64>,
    /// Digits heard (RFC 4733), in order.
    pub digits: String,
    /// RTP packets heard that came encrypted.
    pub encrypted: u64,
    /// RTP packets that its SRTP key did not open.
    pub unreadable: u64,
    /// What its ear says of the stream of its last call.
    pub line: Line,
    /// SIP messages it got, by method or status: `"BYE"`, `"487"`.
    pub got: BTreeMap<String, u32>,
    /// The last SIP message of each kind that it got.
    pub last: BTreeMap<String, Message>,
    /// Calls it answered.
    pub answered: u64,
    /// What it was told of transfers that it asked for.
    pub transfers: Transfers,
    /// Largest number of calls that it was in at the same time.
    pub most_at_once: usize,
    sip: Endpoint,
    router: SocketAddr,
    legs: Vec<LegKey>,
    sound: Option<Sound>,
    voice: u8,
    tone: Option<Arc<Tone>>,
    policy: Policy,
    sound_at: SocketAddr,
    headers: Vec<(Bytes, Bytes)>,
    reason: Vec<(Bytes, Bytes)>,
    /// Who it is to a router that asks.
    login: Option<Arc<Login>>,
    /// Call-ID and CSeq of its registration.
    series: (Bytes, u32),
    /// Status of its last REGISTER; 0 before it, and when nothing came.
    pub registered: u16,
    dead: bool,
    muted: bool,
    terms: Terms,
    events: bool,
    /// The hold or resume on its way.
    holding: Option<Deed>,
    pub(crate) out: VecDeque<Datagram>,
    pub(crate) deeds: BTreeMap<(Instant, u64), Deed>,
    planned: u64,
    sip_timeout: Option<Instant>,
    rtp_gap: Duration,
}

/// What came over the line in one call, as RTP's own numbers tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Different SSRCs.
    pub sources: BTreeSet<u32>,
    /// Packets whose number was not the one after the packet before.
    pub jumps: u32,
    /// Packets whose timestamp was not later than that of the packet before.
    pub backwards: u32,
    /// Longest time between two packets.
    pub longest_gap: Duration,
    last: Option<(Instant, u16, u32)>,
}

impl Line {
    fn hear(&mut self, now: Instant, packet: &[u8]) {
        let word =
            |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        let (sequence, timestamp) = (u16::from_be_bytes([packet[2], packet[3]]), word(4));
        self.sources.insert(word(8));
        if let Some((at, before, earlier)) = self.last.replace((now, sequence, timestamp)) {
            self.jumps += u32::from(sequence != before.wrapping_add(1));
            self.backwards += u32::from(timestamp.wrapping_sub(earlier).cast_signed() < 0);
            self.longest_gap = self.longest_gap.max(now - at);
        }
    }
}

struct Sound {
    negotiation: Negotiation,
    stream: Option<Stream>,
    local: SocketAddr,
    sequence: u16,
    timestamp: u32,
    next_at: Option<Instant>,
    event: Option<Event4733>,
    last_digit: Option<u32>,
    ear: VecDeque<i16>,
    shield: Shield,
}

struct Event4733 {
    code: u8,
    packets_left: u8,
    timestamp: u32,
}

/// RTP packets per digit: 100 ms of event at 20 ms, and the end three times (RFC 4733 §2.5.1.4).
const EVENT_PACKETS: u8 = 8;

/// Keys in the order of their event numbers (RFC 4733 §3.2).
const DIGITS: &str = "0123456789*#ABCD";

fn endpoint(address: SocketAddr, router: SocketAddr, seed: [u8; 32]) -> Endpoint {
    let listener = Listener::new(Transport::Udp, address);
    let mut sip = Endpoint::new(Settings { owner: 1, ..Settings::new(seed, vec![listener]) });
    let mut sources = Sources::new();
    sources.allow(router.ip().into(), None, PeerId(0));
    sip.set_sources(sources);
    sip
}

impl Phone {
    pub(crate) fn new(
        name: &str,
        address: SocketAddr,
        router: SocketAddr,
        voice: u8,
        seed: [u8; 32],
    ) -> Phone {
        let sip = endpoint(address, router, seed);
        Phone {
            name: name.to_owned(),
            address,
            behaviour: Behaviour::Answers(Duration::from_secs(2)),
            state: PhoneState::Idle,
            heard: BTreeMap::new(),
            digits: String::new(),
            encrypted: 0,
            unreadable: 0,
            line: Line::default(),
            got: BTreeMap::new(),
            last: BTreeMap::new(),
            answered: 0,
            transfers: Transfers::default(),
            most_at_once: 0,
            sip,
            router,
            legs: Vec::new(),
            sound: None,
            voice,
            tone: None,
            policy: Policy { codecs: vec![Codec::Pcma, Codec::Pcmu], ..Policy::default() },
            sound_at: SocketAddr::new(address.ip(), 40_000),
            headers: Vec::new(),
            reason: Vec::new(),
            login: None,
            series: (Bytes::from(format!("{name}@{address}")), 0),
            registered: 0,
            dead: false,
            muted: false,
            terms: Terms::default(),
            events: true,
            holding: None,
            out: VecDeque::new(),
            deeds: BTreeMap::new(),
            planned: 0,
            sip_timeout: None,
            rtp_gap: Duration::from_millis(20),
        }
    }

    /// The router has died and is back: whoever spoke or waited hears nothing any more and hangs up.
    pub(crate) fn finds_its_calls_gone(&mut self, seed: [u8; 32]) {
        self.sip = endpoint(self.address, self.router, seed);
        if !std::mem::take(&mut self.legs).is_empty() {
            self.state = PhoneState::Ended;
        }
        (self.sound, self.sip_timeout) = (None, None);
        self.out.clear();
        self.deeds.retain(|_, deed| !matches!(deed, Deed::Answer(_) | Deed::Refuse(..)));
    }

    pub(crate) fn set_rtp_gap(&mut self, gap: Duration) {
        self.rtp_gap = gap;
    }

    /// How many messages it got with this method or status.
    pub fn got(&self, what: &str) -> u32 {
        self.got.get(what).copied().unwrap_or(0)
    }

    /// It takes what is sent there.
    pub(crate) fn is_at(&self, address: SocketAddr) -> bool {
        address == self.address || address == self.sound_at
    }

    /// The byte that its packets carry.
    pub fn voice(&self) -> u8 {
        self.voice
    }

    /// From the next call on it speaks this tone instead of its byte, and keeps what it hears.
    pub(crate) fn set_tone(&mut self, tone: Tone) {
        self.tone = Some(Arc::new(tone));
    }

    /// The codecs that it offers and takes, best first.
    pub(crate) fn set_codecs(&mut self, codecs: &[Codec]) {
        self.policy.codecs = codecs.to_vec();
    }

    /// Whether it speaks SRTP, and which suites it offers.
    pub(crate) fn set_srtp(&mut self, srtp: Srtp, suites: &[Suite]) {
        (self.policy.srtp, self.policy.suites) = (srtp, suites.to_vec());
    }

    /// Where it takes sound, beside its address.
    pub(crate) fn set_sound_port(&mut self, port: u16) {
        self.sound_at.set_port(port);
    }

    /// Writes this header field into its INVITEs.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        self.headers.push((bytes(name), bytes(value)));
    }

    /// Writes this Reason into what ends its calls: BYE, CANCEL, a refusal.
    pub(crate) fn set_reason(&mut self, value: &str) {
        self.reason = vec![(Bytes::from_static(b"Reason"), Bytes::copy_from_slice(value.as_bytes()))];
    }

    /// Where it takes sound, if that is somewhere else.
    pub(crate) fn set_sound_address(&mut self, address: SocketAddr) {
        self.sound_at = address;
    }

    /// The last `ms` milliseconds that it heard in this call, a second at most; `None` until there are as many. Only
    /// a telephone with a tone listens.
    pub(crate) fn listened(&self, ms: usize) -> Option<Vec<i16>> {
        let ear = &self.sound.as_ref()?.ear;
        let skipped = ear.len().checked_sub(ms * 8)?;
        Some(ear.range(skipped..).copied().collect())
    }

    /// Nothing of SIP is left.
    pub fn is_silent(&self) -> bool {
        self.dead || (self.sip.live_transactions() == 0 && self.sip.live_legs() == 0)
    }

    pub(crate) fn plan(&mut self, at: Instant, deed: Deed) {
        self.planned += 1;
        self.deeds.insert((at, self.planned), deed);
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        if self.dead {
            return None;
        }
        let rtp = self.sound.as_ref().and_then(|sound| sound.next_at);
        let deed = self.deeds.keys().next().map(|(at, _)| *at);
        [self.sip_timeout, rtp, deed].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.dead {
            self.deeds.clear();
            return;
        }
        while let Some(entry) = self.deeds.first_entry().filter(|entry| entry.key().0 <= now) {
            let deed = entry.remove();
            self.perform(now, deed);
        }
        if self.sip_timeout.is_some_and(|at| at <= now) {
            self.sip.handle_timeout(now);
        }
        if self.sound.as_ref().and_then(|sound| sound.next_at).is_some_and(|at| at <= now) {
            self.speak(now);
        }
        self.drain(now);
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: Datagram) {
        if self.dead {
            return;
        }
        if datagram.to == self.address {
            let kind = kind_of(&datagram.start_line());
            *self.got.entry(kind.clone()).or_default() += 1;
            self.last.extend(Message::parse(datagram.bytes.clone()).ok().map(|message| (kind, message)));
            let flow = sip_core::Flow {
                transport: Transport::Udp,
                local: self.address,
                remote: datagram.from,
                connection: 0,
            };
            self.sip.handle_input(now, Input::Received { flow, bytes: datagram.bytes });
            self.drain(now);
        } else {
            self.hear(now, datagram.bytes);
        }
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.sip.poll_output() {
                Output::Transmit { flow, bytes } => {
                    self.out.push_back(Datagram { from: self.address, to: flow.remote, bytes });
                }
                Output::Event(event) => self.handle_event(now, event),
                Output::Timeout(at) => {
                    self.sip_timeout = at.map(|(at, _)| at);
                    return;
                }
                Output::Resolve { .. } | Output::Open { .. } | Output::Close { .. } => {}
            }
        }
    }

    fn perform(&mut self, now: Instant, deed: Deed) {
        if matches!(deed, Deed::Hold(_) | Deed::HoldBy(_)) {
            self.holding = Some(deed.clone());
        }
        match deed {
            Deed::Dial { called, offer } => self.dial(now, &called, offer),
            Deed::Answer(leg) => self.answer(now, leg),
            Deed::Refuse(leg, status) => self.refuse(now, leg, status),
            Deed::HangUp => self.hang_up(now),
            Deed::Press(key) => self.press(key),
            Deed::Hold(direction) => self.hold(now, direction),
            Deed::HoldBy(how) => self.hold_by(now, how),
            Deed::PressByInfo(key) => self.press_by_info(now, key),
            Deed::Move(address) => self.move_sound(now, address),
            Deed::Offer(bytes) => self.reinvite(now, sdp(bytes)),
            Deed::Die => self.dead = true,
            Deed::Mute(muted) => self.muted = muted,
            Deed::HangUpFirst => self.hang_up_first(now),
            Deed::TransferAttended => self.transfer_attended(now),
            Deed::Transfer { to, headers } => self.transfer(now, &to, &headers),
            Deed::Register { contact, expires } => self.register(now, &contact, expires),
        }
    }

    /// Who it is from now on, when it registers and calls.
    pub(crate) fn logs_in(&mut self, user: &str, password: &str) {
        let login = Login { username: user.to_owned(), password: password.to_owned(), realm: None };
        self.login = Some(Arc::new(login));
    }

    fn register(&mut self, now: Instant, contact: &str, expires: u32) {
        self.series.1 += 2; // the proof takes a number of its own
        let us = Bytes::from(format!("<sip:{}@fernamt>", self.name));
        let header =
            |name: &'static str, value: String| (Bytes::from_static(name.as_bytes()), Bytes::from(value));
        self.registered = 0;
        let ask = Ask {
            method: Method::Register,
            flow: None,
            target: Target::at(Transport::Udp, self.router),
            uri: Bytes::from_static(b"sip:fernamt"),
            from: us.clone(),
            to: us,
            headers: vec![header("Expires", expires.to_string())],
            contact: Some(Bytes::from(contact.to_owned())),
            series: Some(self.series.clone()),
            login: self.login.clone(),
            peer: None,
            timeout: Duration::from_secs(32),
        };
        self.sip.ask(now, ask);
    }

    fn dial(&mut self, now: Instant, called: &str, offer: bool) {
        let mut sound = Sound::new(self);
        self.line = Line::default();
        let body = offer.then(|| sdp(sound.negotiation.offer()));
        self.sound = Some(sound);
        self.state = PhoneState::Calling;
        let leg = self.sip.invite(
            now,
            Invite {
                flow: None,
                peer: None,
                login: self.login.clone(),
                targets: vec![Target::at(Transport::Udp, self.router)],
                uri: format!("sip:{called}@{}", self.router).into(),
                from: format!("<sip:{}@{}>", self.name, self.address).into(),
                to: format!("<sip:{called}@{}>", self.router).into(),
                headers: self.headers.clone(),
                body,
                udp_only: true,
                max_forwards: 70,
                retry_on: Vec::new(),
                uris: Vec::new(),
                first_response_timeout: Duration::from_secs(32),
                terms: self.terms,
            },
        );
        self.legs.extend(leg);
        self.count();
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Invite { leg, request, .. } => self.rung(now, leg, &request.body()),
            Event::Cancelled { leg, .. } => self.over(leg, PhoneState::Failed(487)),
            Event::Progress { leg, early, response } => self.progressed(now, leg, early, &response.body()),
            Event::Answered { leg, response, .. } => self.connected(now, leg, &response.body()),
            Event::Failed { leg, status, .. } => self.over(leg, PhoneState::Failed(status.code())),
            Event::Acked { request, .. } => self.take_answer(now, &request.body()),
            Event::Bye { leg, .. } => self.over(leg, PhoneState::Ended),
            Event::AckMissing { leg } => {
                self.sip.hang_up(now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED));
                self.over(leg, PhoneState::Ended);
            }
            Event::Referred { leg, status, is_last } => self.told_of_transfer(now, leg, status, is_last),
            Event::Asked { answer, .. } => {
                self.registered =
                    answer.ok().and_then(|answer| answer.status()).map_or(0, |status| status.code());
            }
            Event::Reinvite { leg, request } => self.reoffered(now, leg, &request.body()),
            Event::Request { leg, key, request } => self.asked(now, leg, key, &request),
            Event::RefreshDue { leg } => self.refresh(now, leg),
            Event::SessionExpired { leg } => self.expired(now, leg),
            Event::Reinvited { status, response, .. } => self.reinvited(now, status, response.as_ref()),
            _ => {}
        }
    }

    fn rung(&mut self, now: Instant, leg: LegKey, offer: &[u8]) {
        let mut sound = Sound::new(self);
        self.line = Line::default();
        let answer = if offer.is_empty() { None } else { sound.negotiation.answer(offer).ok() };
        if let Some((_, stream)) = &answer {
            sound.stream = Some(stream.clone());
        }
        self.legs.push(leg);
        self.count();
        self.state = PhoneState::Rung;
        let reply = |status: StatusCode| Reply::new(status);
        match self.behaviour.clone() {
            Behaviour::Dead => self.dead = true,
            Behaviour::Busy => self.refuse(now, leg, 486),
            Behaviour::NeverAnswers => self.sip.respond(now, leg, reply(StatusCode::RINGING)),
            Behaviour::Refuses(status, after) => {
                self.sip.respond(now, leg, reply(StatusCode::RINGING));
                self.plan(now + after, Deed::Refuse(leg, status));
            }
            Behaviour::Answers(after) | Behaviour::AnswersFor(after, _) => {
                self.sip.respond(now, leg, reply(StatusCode::RINGING));
                self.plan(now + after, Deed::Answer(leg));
            }
            Behaviour::EarlySound(after) => {
                let body = answer.map(|(answer, _)| sdp(answer));
                self.sip.respond(now, leg, Reply { body, ..reply(StatusCode::SESSION_PROGRESS) });
                sound.next_at = Some(now);
                self.plan(now + after, Deed::Answer(leg));
            }
        }
        self.sound = Some(sound);
    }

    fn answer(&mut self, now: Instant, leg: LegKey) {
        if !self.legs.contains(&leg) {
            return;
        }
        let Some(sound) = &mut self.sound else { return };
        let description = match sound.negotiation.last_description() {
            Some(description) => description.clone(),
            None => sound.negotiation.offer(),
        };
        self.sip.respond(now, leg, Reply::new(StatusCode::OK).with_body(sdp(description)));
        sound.next_at = Some(now);
        self.state = PhoneState::Talking;
        self.answered += 1;
        if let Behaviour::AnswersFor(_, talk) = self.behaviour {
            self.plan(now + talk, Deed::HangUp);
        }
    }

    fn refuse(&mut self, now: Instant, leg: LegKey, status: u16) {
        if self.legs.contains(&leg) {
            let status = StatusCode::new(status).expect("a status of the story");
            self.sip.respond(now, leg, Reply { headers: self.reason.clone(), ..Reply::new(status) });
            self.over(leg, PhoneState::Failed(status.code()));
        }
    }

    fn connected(&mut self, now: Instant, leg: LegKey, description: &[u8]) {
        let Some(sound) = &mut self.sound else { return };
        let answer = match sound.negotiation.last_description() {
            Some(_) if description.is_empty() => None, // it came before
            Some(_) => {
                sound.stream = sound.negotiation.accept(description).ok();
                None
            }
            None => sound.negotiation.answer(description).ok().map(|(answer, stream)| {
                sound.stream = Some(stream);
                sdp(answer)
            }),
        };
        sound.next_at = Some(now);
        self.sip.ack(now, leg, answer);
        self.state = PhoneState::Talking;
    }

    fn take_answer(&mut self, now: Instant, description: &[u8]) {
        let Some(sound) = self.sound.as_mut().filter(|_| !description.is_empty()) else { return };
        if let Ok(stream) = sound.negotiation.accept(description) {
            sound.stream = Some(stream);
            sound.next_at.get_or_insert(now);
        }
    }

    fn reoffered(&mut self, now: Instant, leg: LegKey, offer: &[u8]) {
        let Some(sound) = &mut self.sound else { return };
        let reply = match sound.negotiation.answer(offer) {
            Ok((answer, stream)) => {
                sound.stream = Some(stream);
                Reply::new(StatusCode::OK).with_body(sdp(answer))
            }
            Err(_) => Reply::new(StatusCode::NOT_ACCEPTABLE_HERE),
        };
        self.sip.respond(now, leg, reply);
    }

    fn hold(&mut self, now: Instant, direction: Direction) {
        let Some(sound) = &mut self.sound else { return };
        let offer = sound.negotiation.offer_like(direction, &[Codec::Pcma]);
        self.reinvite(now, sdp(offer));
    }

    fn move_sound(&mut self, now: Instant, address: SocketAddr) {
        self.sound_at = address;
        let Some(sound) = &mut self.sound else { return };
        sound.local = address;
        sound.negotiation.set_local(address);
        let offer = sound.negotiation.offer_like(Direction::SendRecv, &[]);
        self.reinvite(now, sdp(offer));
    }

    fn reinvite(&mut self, now: Instant, offer: Body) {
        if let Some(leg) = self.legs.last().filter(|_| self.state == PhoneState::Talking) {
            self.sip.reinvite(now, *leg, Some(offer));
        }
    }

    fn hang_up(&mut self, now: Instant) {
        for leg in std::mem::take(&mut self.legs) {
            let headers = self.reason.clone();
            self.sip.hang_up(now, leg, HangUp { headers, ..HangUp::new(StatusCode::REQUEST_TERMINATED) });
        }
        self.sound = None;
        if !matches!(self.state, PhoneState::Failed(_)) {
            self.state = PhoneState::Ended;
        }
    }

    fn over(&mut self, leg: LegKey, state: PhoneState) {
        self.legs.retain(|other| *other != leg);
        if self.legs.is_empty() {
            self.sound = None;
            self.state = state;
        }
    }

    fn count(&mut self) {
        self.most_at_once = self.most_at_once.max(self.legs.len());
    }

    pub(crate) fn sound_address(&self) -> SocketAddr {
        self.sound_at
    }

    fn press(&mut self, key: char) {
        let code = DIGITS.find(key).and_then(|at| u8::try_from(at).ok());
        if let (Some(sound), Some(code)) = (&mut self.sound, code) {
            sound.event = Some(Event4733 { code, packets_left: EVENT_PACKETS, timestamp: sound.timestamp });
        }
    }

    /// One packet of voice or of an event, if the agreement lets it out.
    fn speak(&mut self, now: Instant) {
        let Some(sound) = &mut self.sound else { return };
        sound.next_at = Some(now + self.rtp_gap);
        let Some(stream) = sound.stream.clone() else { return };
        let sends = matches!(stream.direction, Direction::SendRecv | Direction::SendOnly);
        let (Some(remote), true, false) = (stream.remote, sends, self.muted) else { return };
        sound.shield.follow(stream.keys.as_deref());
        let bytes = sound.packet(&stream, self.voice, self.tone.as_deref());
        let bytes = sound.shield.protect(bytes);
        self.out.push_back(Datagram { from: sound.local, to: remote, bytes });
    }

    fn hear(&mut self, now: Instant, packet: Bytes) {
        let (Some(sound), true) = (&mut self.sound, packet.len() > 12) else { return };
        if packet[1] & 0x7f >= 64 && packet[1] & 0x7f < 96 {
            return; // RTCP on the same port (RFC 5761 §4)
        }
        sound.shield.follow(sound.stream.as_ref().and_then(|stream| stream.keys.as_deref()));
        let Some(packet) = &sound.shield.open(packet) else {
            self.unreadable += 1;
            return;
        };
        self.encrypted += u64::from(sound.shield.is_up());
        self.line.hear(now, packet);
        let events = sound.stream.as_ref().and_then(|stream| stream.receive_event);
        if events != Some(packet[1] & 0x7f) {
            *self.heard.entry(packet[12]).or_default() += 1;
            if self.tone.is_some() {
                sound.listen(packet);
            }
        } else if packet[13] & 0x80 != 0 {
            // The end comes three times; its timestamp is the event's name (RFC 4733 §2.5.1.4).
            let name = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
            if sound.last_digit.replace(name) != Some(name) {
                self.digits.extend(DIGITS.chars().nth(usize::from(packet[12])));
            }
        }
    }
}

/// The method of a request, the status of a response.
fn kind_of(start_line: &str) -> String {
    let mut words = start_line.split(' ');
    let first = words.next().unwrap_or_default();
    if first == "SIP/2.0" { words.next().unwrap_or_default() } else { first }.to_owned()
}

impl Sound {
    fn new(phone: &Phone) -> Sound {
        let (local, events) = (phone.sound_at, phone.events);
        let policy = Policy { telephone_event: events, ..phone.policy.clone() };
        Sound {
            negotiation: Negotiation::new(policy, local, 7, [phone.voice; 32]),
            stream: None,
            local,
            sequence: 1,
            timestamp: 160,
            next_at: None,
            event: None,
            last_digit: None,
            ear: VecDeque::new(),
            shield: Shield::default(),
        }
    }

    /// Takes in a packet of the agreed codec; any other sound is not for us.
    fn listen(&mut self, packet: &[u8]) {
        const KEPT: usize = 8_000;
        let Some(stream) =
            self.stream.as_ref().filter(|stream| stream.receive_payload_type == packet[1] & 0x7f)
        else {
            return;
        };
        let payload = &packet[12..];
        let mut samples = vec![0; payload.len()];
        stream.codec.decode(payload, &mut samples);
        self.ear.extend(samples);
        self.ear.drain(..self.ear.len().saturating_sub(KEPT));
    }

    fn packet(&mut self, stream: &Stream, voice: u8, tone: Option<&Tone>) -> Bytes {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        match (&mut self.event, stream.send_event) {
            (Some(event), Some(payload_type)) => {
                event.packets_left -= 1;
                let ends = event.packets_left < 3;
                let played = u16::from(EVENT_PACKETS - event.packets_left) * 160;
                let mut packet = header(payload_type, sequence, event.timestamp);
                packet.put_slice(&[event.code, if ends { 0x8a } else { 0x0a }]);
                packet.put_u16(played);
                if event.packets_left == 0 {
                    self.event = None;
                }
                packet.freeze()
            }
            _ => {
                let mut packet = header(stream.send_payload_type, sequence, timestamp);
                match tone {
                    Some(tone) => packet.put_slice(&tone.frame(stream.codec, timestamp)),
                    None => packet.put_bytes(voice, 160),
                }
                packet.freeze()
            }
        }
    }
}

fn header(payload_type: u8, sequence: u16, timestamp: u32) -> BytesMut {
    let mut packet = BytesMut::with_capacity(172);
    packet.put_slice(&[0x80, payload_type]);
    packet.put_u16(sequence);
    packet.put_u32(timestamp);
    packet.put_u32(0xfe12_4a57);
    packet
}

/// One packet of PCMA in which this speaker is heard.
pub(crate) fn sound_of(voice: u8) -> Bytes {
    let mut packet = header(8, 1, 160);
    packet.put_bytes(voice, 160);
    packet.freeze()
}

fn sdp(description: Bytes) -> Body {
    Body { content_type: Bytes::from_static(b"application/sdp"), bytes: description }
}
