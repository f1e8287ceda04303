//! A leg of a browser: ICE where we are lite (RFC 8445), DTLS-SRTP (RFC 5763, 5764), consent (RFC 7675), in virtual time.
//! The browser is of another make: a full ICE agent (`is`) and another DTLS (`dimpl`); its descriptions are Chromium's.
#![allow(missing_docs)]

mod common;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{A, UNIX_ORIGIN, frame_byte, prompt, sound};
use dimpl::{Config, Dtls, DtlsCertificate, SrtpProfile};
use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceCreds, Protocol};
use media::engine::Settings;
use media::fingerprint::{Fingerprint, HashFunction};
use media::srtp::{MasterKey, Receiver, Sender, Suite};
use media::{
    Command, Engine, Event, Identity, Negotiation, Output, PathError, PlayFrom, Policy, sdp::Description,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(5);
const OURS: &str = "198.51.100.1:20000";
const THEIRS: &str = "192.0.2.2:57298";

/// A browser's telephone: what it says in SDP, and what it does on its port.
struct Browser {
    at: SocketAddr,
    credentials: IceCreds,
    certificate: DtlsCertificate,
    ice: IceAgent,
    dtls: Option<Dtls>,
    /// It begins the handshake.
    active: bool,
    sender: Option<Sender>,
    receiver: Option<Receiver>,
    sequence: u32,
    heard: Vec<Vec<u8>>,
    dtls_error: Option<String>,
}

impl Browser {
    fn new(active: bool) -> Browser {
        let credentials = IceCreds::new();
        let mut ice = IceAgent::new(credentials.clone());
        ice.set_controlling(true);
        ice.add_local_candidate(Candidate::host(THEIRS.parse().unwrap(), "udp").unwrap());
        Browser {
            at: THEIRS.parse().unwrap(),
            credentials,
            certificate: dimpl::certificate::generate_self_signed_certificate().unwrap(),
            ice,
            dtls: None,
            active,
            sender: None,
            receiver: None,
            sequence: 0,
            heard: vec![],
            dtls_error: None,
        }
    }

    /// As Chromium 156 writes it, shortened by candidates and codecs.
    fn description(&self, setup: &str) -> String {
        let fingerprint = Fingerprint::of(HashFunction::Sha256, &self.certificate.certificate);
        let IceCreds { ufrag, pass } = &self.credentials;
        format!(
            "v=0\r\no=- 2405555178361091502 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             a=extmap-allow-mixed\r\na=msid-semantic: WMS 112ed101\r\n\
             m=audio 57298 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 192.0.2.2\r\n\
             a=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=candidate:1863830270 1 udp 2122194687 192.0.2.2 57298 typ host generation 0 network-id 1\r\n\
             a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pass}\r\na=ice-options:trickle\r\na=fingerprint:{fingerprint}\r\n\
             a=setup:{setup}\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\n\
             a=msid:112ed101 7c88cc32\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n\
             a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n\
             a=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n\
             a=ssrc:2785861905 cname:tXvL9\r\na=ssrc:2785861905 msid:112ed101 7c88cc32\r\n"
        )
    }

    /// Reads our description and begins.
    fn learn(&mut self, now: Instant, ours: &[u8]) {
        let (ufrag, pass) = (attribute(ours, "ice-ufrag"), attribute(ours, "ice-pwd"));
        self.ice.set_remote_credentials(IceCreds { ufrag, pass });
        let candidate = Candidate::from_sdp_string(&format!("candidate:{}", attribute(ours, "candidate")));
        self.ice.add_remote_candidate(candidate.unwrap());
        if self.dtls.is_none() {
            let mut dtls = Dtls::new_12(Arc::new(Config::default()), self.certificate.clone(), now);
            dtls.set_active(self.active);
            if !self.active {
                dtls.handle_timeout(now).unwrap(); // it wants to know the time before the first packet
            }
            self.dtls = Some(dtls);
        }
    }

    fn restart(&mut self) {
        self.credentials = IceCreds::new();
        self.ice.ice_restart(self.credentials.clone(), true);
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        self.ice.handle_timeout(now);
        while let Some(transmit) = self.ice.poll_transmit() {
            out.push((self.at, transmit.contents.to_vec()));
        }
        while self.ice.poll_event().is_some() {}
        let Some(dtls) = self.dtls.as_mut().filter(|_| self.ice.state().is_connected()) else { return };
        if let Err(error) = dtls.handle_timeout(now) {
            self.dtls_error = Some(error.to_string());
        }
        self.drain_dtls(out);
    }

    fn drain_dtls(&mut self, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        let mut buffer = vec![0; 2_048];
        loop {
            match self.dtls.as_mut().unwrap().poll_output(&mut buffer) {
                dimpl::Output::Packet(packet) => out.push((self.at, packet.to_vec())),
                dimpl::Output::KeyingMaterial(material, profile) => self.take_keys(&material, profile),
                dimpl::Output::Timeout(_) => return,
                _ => {}
            }
        }
    }

    fn take_keys(&mut self, material: &[u8], profile: SrtpProfile) {
        let (suite, key, salt) = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => (Suite::AesCm128HmacSha1_80, 16, 14),
            SrtpProfile::AEAD_AES_128_GCM => (Suite::AeadAes128Gcm, 16, 12),
            _ => (Suite::AeadAes256Gcm, 32, 12),
        };
        let half = |n: usize| {
            let (keys, salts) = material.split_at(2 * key);
            MasterKey::new(suite, &[&keys[n * key..][..key], &salts[n * salt..][..salt]].concat()).unwrap()
        };
        let (client, server) = (half(0), half(1));
        let (send, receive) = if self.active { (client, server) } else { (server, client) };
        (self.sender, self.receiver) = (Some(Sender::new(&send)), Some(Receiver::new(&receive.into())));
    }

    fn take(&mut self, now: Instant, datagram: &[u8], out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        match datagram[0] {
            0..=3 => {
                let packet = StunPacket {
                    proto: Protocol::Udp,
                    source: OURS.parse().unwrap(),
                    destination: self.at,
                    message: StunMessage::parse(datagram).expect("we send STUN that can be read"),
                };
                self.ice.handle_packet(now, packet);
            }
            20..=63 => {
                if let Err(error) = self.dtls.as_mut().unwrap().handle_packet(datagram) {
                    self.dtls_error = Some(error.to_string());
                }
                self.drain_dtls(out);
            }
            _ if datagram[1] & 0x7f < 64 => {
                let mut packet = datagram.to_vec();
                let receiver = self.receiver.as_mut().expect("no sound before the keys");
                let len = receiver.unprotect_rtp(&mut packet).expect("our sound is authentic");
                self.heard.push(packet[12..len].to_vec());
            }
            _ => {}
        }
    }

    /// A packet of A-law, protected if it has a key.
    fn speaks(&mut self, voice: u8) -> Vec<u8> {
        let mut packet = vec![0; 12];
        self.sequence += 1;
        sound(0xb0b, self.sequence).write(packet.first_chunk_mut().unwrap());
        packet.extend([voice; 160]);
        let Some(sender) = &mut self.sender else { return packet };
        packet.resize(172 + 20, 0);
        let len = sender.protect_rtp(&mut packet, 172).unwrap();
        packet.truncate(len);
        packet
    }
}

/// Whether a datagram is lost.
type Lose = Box<dyn FnMut(&[u8]) -> bool>;

/// Our engine, one browser, and what is lost between them.
struct Call {
    engine: Engine,
    negotiation: Negotiation,
    browser: Browser,
    now: Instant,
    events: Vec<Event>,
    /// What the engine sent, and where to.
    sent: Vec<(SocketAddr, Vec<u8>)>,
    lose: Lose,
    /// The browser runs.
    is_there: bool,
    /// What we said last.
    description: Vec<u8>,
}

impl Call {
    fn new(browser: Browser) -> Call {
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now(); // any instant: from here on time is ours
        let policy = Policy { dtls: Some(Identity::generate().unwrap()), ..Policy::default() };
        let mut engine = Engine::new(Settings::new(now, UNIX_ORIGIN, 7));
        engine.handle_command(now, Command::Open { leg: A, ssrc: 1, sequence: 1, timestamp: 1, cname: 1 });
        Call {
            engine,
            negotiation: Negotiation::new(policy, OURS.parse().unwrap(), 7, [7; 32]),
            browser,
            now,
            events: vec![],
            sent: vec![],
            lose: Box::new(|_| false),
            is_there: true,
            description: vec![],
        }
    }

    /// The browser offers, now or again, and we answer.
    fn offered(&mut self) -> &mut Call {
        let offer = self.browser.description("actpass");
        self.offered_as(&offer)
    }

    fn offered_as(&mut self, offer: &str) -> &mut Call {
        let (answer, stream) = self.negotiation.answer(offer.as_bytes()).unwrap();
        self.engine.handle_command(self.now, Command::Connect { leg: A, stream });
        self.browser.learn(self.now, &answer);
        self.description = answer.to_vec();
        self
    }

    /// We offer, and the browser answers.
    fn offers(&mut self) -> &mut Call {
        let offer = self.negotiation.offer();
        self.browser.learn(self.now, &offer);
        let setup = if self.browser.active { "active" } else { "passive" };
        let answer = self.browser.description(setup).replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 8 126");
        let stream = self.negotiation.accept(answer.as_bytes()).unwrap();
        self.engine.handle_command(self.now, Command::Connect { leg: A, stream });
        self.description = offer.to_vec();
        self
    }

    fn run(&mut self, time: Duration) -> &mut Call {
        let until = self.now + time;
        while self.now < until {
            self.now += TICK;
            self.engine.handle_timeout(self.now);
            let mut up = vec![];
            if self.is_there {
                self.browser.tick(self.now, &mut up);
            }
            self.exchange(up);
        }
        self
    }

    fn exchange(&mut self, up: Vec<(SocketAddr, Vec<u8>)>) {
        let mut up: VecDeque<_> = up.into();
        loop {
            let mut down = vec![];
            loop {
                match self.engine.poll_output() {
                    Output::Transmit { to, bytes, .. } => down.push((to, bytes.to_vec())),
                    Output::Event(event) => self.events.push(event),
                    Output::Recorded(_) => {}
                    Output::Timeout(_) => break,
                }
            }
            for (to, bytes) in down {
                self.sent.push((to, bytes.clone()));
                if to == self.browser.at && self.is_there && !(self.lose)(&bytes) {
                    let mut answers = vec![];
                    self.browser.take(self.now, &bytes, &mut answers);
                    up.extend(answers);
                }
            }
            let Some((from, bytes)) = up.pop_front() else { return };
            if !(self.lose)(&bytes) {
                self.hear(from, &bytes);
            }
        }
    }

    fn hear(&mut self, from: SocketAddr, bytes: &[u8]) {
        let mut buffer = bytes.to_vec();
        buffer.resize(bytes.len() + 64, 0);
        self.engine.handle_packet(self.now, A, from, &mut buffer, bytes.len());
    }

    fn plays(&mut self) -> &mut Call {
        let (prompt, from) = (prompt(200), PlayFrom::Start);
        self.engine.handle_command(
            self.now,
            Command::Play { leg: A, play: 1, prompt: prompt.into(), repeat: true, from },
        );
        self
    }

    /// How many packets of the browser's sound the engine has taken so far.
    fn taken(&self) -> u64 {
        self.engine.stats(A).unwrap().received_packets
    }

    /// The browser speaks, from where it is.
    fn says(&mut self, voice: u8) {
        let packet = self.browser.speaks(voice);
        self.hear(self.browser.at, &packet);
    }

    fn broken(&self) -> Vec<&PathError> {
        let told = self.events.iter().filter_map(|event| match event {
            Event::PathBroken { why, .. } => Some(why),
            _ => None,
        });
        told.collect()
    }

    fn suites(&self) -> Vec<Suite> {
        let suite = |event: &Event| match event {
            Event::Keyed { suite, .. } => Some(*suite),
            _ => None,
        };
        self.events.iter().filter_map(suite).collect()
    }
}

fn attribute(description: &[u8], name: &str) -> String {
    let description = Description::parse(description).unwrap();
    let attributes = &description.media[0].attributes;
    let found = attributes.iter().find(|attribute| attribute.name == name);
    found.and_then(|attribute| attribute.value.clone()).unwrap_or_else(|| panic!("no a={name}"))
}

/// Sound goes both ways, and is what was said.
fn assert_two_way(call: &mut Call) {
    call.browser.heard.clear();
    let before = call.taken();
    for _ in 0..10 {
        call.says(0x55);
        call.run(20 * MS);
    }
    assert_eq!(call.taken() - before, 10);
    let heard = &call.browser.heard;
    assert!((9..=11).contains(&heard.len()), "{} packets in 200 ms", heard.len());
    assert!(
        heard.iter().all(|payload| payload.len() == 160 && payload.iter().all(|byte| *byte == payload[0]))
    );
}

#[test]
fn a_browser_that_calls_is_heard_and_hears() {
    let mut call = Call::new(Browser::new(true));
    call.offered().plays().run(SECOND);
    assert_eq!(attribute(&call.description, "setup"), "passive");
    assert_eq!(call.suites().len(), 1, "{:?}", call.events);
    assert_eq!(call.browser.heard[0], [frame_byte(0); 160], "the prompt has waited for the keys");
    assert_two_way(&mut call);
    assert_eq!(call.engine.stats(A).unwrap().suite, Some(call.suites()[0]));
}

#[test]
fn a_browser_that_is_called_begins_the_handshake_or_leaves_it_to_us() {
    for active in [true, false] {
        let mut call = Call::new(Browser::new(active));
        call.offers().plays().run(SECOND);
        assert_eq!(attribute(&call.description, "setup"), "actpass");
        assert_eq!(call.suites().len(), 1, "browser active: {active}, {:?}", call.browser.dtls_error);
        assert_two_way(&mut call);
    }
}

#[test]
fn before_the_keys_nothing_is_sent_but_answers_and_nothing_is_heard() {
    let mut call = Call::new(Browser::new(true));
    call.lose = Box::new(|bytes| (20..=63).contains(&bytes[0]));
    call.offered().plays();
    call.says(0x55);
    call.run(SECOND);
    call.says(0x55);
    call.run(SECOND);
    assert_eq!(call.taken(), 0);
    assert!(call.sent.iter().all(|(_, bytes)| bytes[0] < 64), "no sound in the clear");
    assert!(call.engine.counters().unexpected >= 2);
}

#[test]
fn lost_flights_are_repeated_until_the_handshake_is_done() {
    for lost in 0..8 {
        let mut call = Call::new(Browser::new(lost % 2 == 0));
        let mut n = 0;
        call.lose = Box::new(move |bytes| {
            n += u32::from((20..=63).contains(&bytes[0]));
            (20..=63).contains(&bytes[0]) && (n == lost + 1 || n == lost + 2)
        });
        call.offers().plays().run(8 * SECOND);
        assert_eq!(call.suites().len(), 1, "datagrams {} and {} lost", lost + 1, lost + 2);
        assert_eq!(call.broken(), Vec::<&PathError>::new());
        assert_two_way(&mut call);
    }
}

#[test]
fn a_handshake_that_does_not_end_is_given_up_after_ten_seconds_and_told_once() {
    let mut call = Call::new(Browser::new(true));
    call.lose = Box::new(|bytes| (20..=63).contains(&bytes[0]));
    call.offered().run(9 * SECOND);
    assert_eq!(call.broken(), Vec::<&PathError>::new());
    call.run(60 * SECOND);
    assert_eq!(call.broken(), [&PathError::HandshakeTimeout]);
}

#[test]
fn another_certificate_than_the_description_names_is_refused() {
    for active in [true, false] {
        let mut call = Call::new(Browser::new(active));
        let honest = call.browser.certificate.clone();
        let other = dimpl::certificate::generate_self_signed_certificate().unwrap();
        call.browser.certificate = other;
        let offer = call.browser.description(if active { "actpass" } else { "passive" });
        call.browser.certificate = honest;
        call.offered_as(&offer).plays().run(3 * SECOND);
        assert_eq!((call.broken(), call.suites().len()), (vec![&PathError::Fingerprint], 0), "{active}");
        assert!(call.browser.heard.is_empty());
        assert!(call.browser.sender.is_none() || active, "it learns that it has failed");
    }
}

#[test]
fn a_check_by_a_wrong_password_opens_nothing() {
    let mut call = Call::new(Browser::new(true));
    let offer = call.browser.description("actpass");
    let (answer, stream) = call.negotiation.answer(offer.as_bytes()).unwrap();
    call.engine.handle_command(call.now, Command::Connect { leg: A, stream });
    let wrong = String::from_utf8(answer.to_vec()).unwrap();
    let wrong = wrong
        .replace(&attribute(&answer, "ice-pwd"), "a-password-that-is-not-ours".replace('-', "+").as_str());
    call.browser.learn(call.now, wrong.as_bytes());
    call.plays().run(29 * SECOND);
    assert_eq!((call.broken().len(), call.engine.counters().checks), (0, 0));
    assert!(call.engine.counters().stun > 2, "it has tried");
    call.run(2 * SECOND);
    assert_eq!(call.broken(), [&PathError::NoCheck]);
}

#[test]
fn dtls_and_sound_from_elsewhere_than_the_checks_came_from_are_not_looked_at() {
    let mut call = Call::new(Browser::new(true));
    call.offered().run(500 * MS);
    let (stranger, before) = ("203.0.113.9:57298".parse().unwrap(), call.sent.len());
    let hello = [&[22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 9, 0, 60][..], &[1; 60]].concat();
    call.hear(stranger, &hello);
    let sound = call.browser.speaks(0x55);
    call.hear(stranger, &sound);
    call.exchange(vec![]);
    assert_eq!((call.engine.counters().dtls, call.engine.counters().rejected, call.taken()), (1, 1, 0));
    assert_eq!(call.sent.len(), before, "nothing goes to a stranger");
}

#[test]
fn a_reinvite_that_repeats_credentials_and_certificate_changes_nothing() {
    let mut call = Call::new(Browser::new(true));
    call.offered().plays().run(SECOND);
    let before = call.description.clone();
    call.offered();
    assert_eq!(call.description, before, "the same answer, with the same version");
    assert_two_way(&mut call);
    assert_eq!(call.suites().len(), 1);
}

#[test]
fn new_credentials_restart_ice_and_keep_the_keys() {
    let mut call = Call::new(Browser::new(true));
    call.offered().plays().run(SECOND);
    let before = attribute(&call.description, "ice-ufrag");
    call.browser.restart();
    call.offered();
    assert_ne!(attribute(&call.description, "ice-ufrag"), before);
    assert_eq!(attribute(&call.description, "setup"), "passive", "the role stays");
    call.says(0x55);
    assert_eq!(call.taken(), 1, "sound goes on while it restarts");
    call.run(SECOND);
    assert_two_way(&mut call);
    assert_eq!((call.suites().len(), call.broken().len()), (1, 0));
}

#[test]
fn who_checks_no_more_is_gone_after_thirty_seconds() {
    let mut call = Call::new(Browser::new(true));
    call.offered().plays().run(20 * SECOND);
    assert_two_way(&mut call);
    call.run(60 * SECOND);
    assert_eq!(call.broken(), Vec::<&PathError>::new(), "who is there stays");
    call.is_there = false;
    let gone_at = call.now;
    while call.broken().is_empty() {
        call.run(100 * MS);
        assert!(call.now < gone_at + 40 * SECOND);
    }
    let told_at = call.now;
    call.run(60 * SECOND); // what is left of the association passes too
    assert_eq!(call.broken(), [&PathError::ConsentLost]);
    assert!(told_at >= gone_at + 20 * SECOND, "{:?}", told_at - gone_at);
}
