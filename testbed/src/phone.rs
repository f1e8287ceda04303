//! A telephone: a caller behind the carrier, or an agent behind Teams. SIP by an [`Endpoint`] of its own, sound by a
//! handful of RTP packets whose payload names the speaker.

mod call;
mod dialog;
mod line;
mod registration;
mod setup;
mod sound;
mod transfer;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use media::{Codec, Direction, sdp::Policy};
use sip_core::{
    Body, Endpoint, Event, HangUp, Input, LegKey, Listener, Located, Message, Output, PeerId, Settings,
    Sources, StatusCode, Terms, Transport, auth::digest::Login,
};

pub use dialog::HoldBy;
pub use line::Line;
pub(crate) use sound::sound_of;
pub use transfer::Transfers;

use crate::{net::Datagram, tone::Tone};
use sound::Sound;

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
    Sound(Manner),
    Transfer { to: String, headers: Vec<(String, String)> },
    Register { contact: String, expires: u32 },
    TransferAttended,
    HangUpFirst,
}

/// What comes out of a telephone that is not muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Its voice.
    Voice,
    /// One byte of silence over and over: no microphone.
    Nothing,
    /// Comfort noise by RFC 3389, and no sound.
    Noise,
    /// Its voice, from another address than it says.
    From(SocketAddr),
    /// Its voice, with a payload type that nobody agreed to.
    Foreign,
    /// Its voice, encrypted with a broken key.
    Garbled,
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
    /// Of its last stream of RTP.
    ssrc: u32,
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
    manner: Manner,
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
            ssrc: 0xfe12_4a57,
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
            manner: Manner::Voice,
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
                // Whatever the router calls itself, it is the router.
                Output::Resolve { id, target, .. } => {
                    let transport = target.transport.unwrap_or(Transport::Udp);
                    let port = target.port_for(transport);
                    let located = Located::at(transport, [SocketAddr::new(self.router.ip(), port)]);
                    self.sip.handle_input(now, Input::Resolved { id, located });
                }
                Output::Open { .. } | Output::Close { .. } => {}
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
            Deed::Sound(manner) => self.manner = manner,
            Deed::HangUpFirst => self.hang_up_first(now),
            Deed::TransferAttended => self.transfer_attended(now),
            Deed::Transfer { to, headers } => self.transfer(now, &to, &headers),
            Deed::Register { contact, expires } => self.register(now, &contact, expires),
        }
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
}

/// The method of a request, the status of a response.
fn kind_of(start_line: &str) -> String {
    let mut words = start_line.split(' ');
    let first = words.next().unwrap_or_default();
    if first == "SIP/2.0" { words.next().unwrap_or_default() } else { first }.to_owned()
}

fn sdp(description: Bytes) -> Body {
    Body { content_type: Bytes::from_static(b"application/sdp"), bytes: description }
}
