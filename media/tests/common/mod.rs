//! A stage for engine tests: legs, peers and a clock that only the test moves.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media::rtp::{Fields, Packet, packet::HEADER};
use media::{
    Codec, Command, Direction, Engine, Event, MediaLegKey, Output, PlayFrom, Prompt, Recorded, Settings,
    Sides, Stream, Title,
};

pub const MS: Duration = Duration::from_millis(1);
pub const FRAME: Duration = Duration::from_millis(20);
pub const A: MediaLegKey = MediaLegKey(0xa);
pub const B: MediaLegKey = MediaLegKey(0xb);
pub const C: MediaLegKey = MediaLegKey(0xc);
/// The wall clock at the start.
pub const UNIX_ORIGIN: Duration = Duration::from_secs(1_800_000_000);

/// Of a recording of what the peer says.
pub fn title(name: &str) -> Arc<Title> {
    Arc::new(Title { name: name.into(), sides: Sides::Peer, about: String::new() })
}

/// One engine and what came out of it.
pub struct Stage {
    pub engine: Engine,
    pub start: Instant,
    pub now: Instant,
    pub sent: Vec<Sent>,
    pub reports: Vec<(MediaLegKey, SocketAddr, Vec<u8>)>,
    pub events: Vec<Event>,
    pub recorded: Vec<Recorded>,
    pub timeout: Option<Instant>,
}

/// One RTP packet that left, by relay or of our own making.
#[derive(Debug, Clone)]
pub struct Sent {
    pub at: Instant,
    pub leg: MediaLegKey,
    pub to: SocketAddr,
    pub packet: Packet,
    pub payload: Vec<u8>,
    pub bytes: Vec<u8>,
}

impl Stage {
    pub fn new() -> Stage {
        #[allow(clippy::disallowed_methods)]
        let start = Instant::now(); // any instant: from here on time is ours
        Stage {
            engine: Engine::new(Settings::new(start, UNIX_ORIGIN, 7)),
            start,
            now: start,
            sent: vec![],
            reports: vec![],
            events: vec![],
            recorded: vec![],
            timeout: None,
        }
    }

    /// Two connected legs, bridged, A-law on both.
    pub fn bridged() -> Stage {
        let mut stage = Stage::new();
        stage.open(A).connect(A, stream(A)).open(B).connect(B, stream(B));
        stage.command(Command::Bridge { a: A, b: B });
        stage
    }

    pub fn open(&mut self, leg: MediaLegKey) -> &mut Stage {
        let (ssrc, sequence) = (ours(leg), 65_500u16.wrapping_add(leg.0 as u16));
        self.command(Command::Open { leg, ssrc, sequence, timestamp: u32::MAX - 500, cname: leg.0 })
    }

    pub fn connect(&mut self, leg: MediaLegKey, stream: Stream) -> &mut Stage {
        self.command(Command::Connect { leg, stream })
    }

    pub fn play(&mut self, leg: MediaLegKey, play: u32, prompt: &Arc<Prompt>, repeat: bool) -> &mut Stage {
        let (prompt, from) = (prompt.clone().into(), PlayFrom::Start);
        self.command(Command::Play { leg, play, prompt, repeat, from })
    }

    pub fn command(&mut self, command: Command) -> &mut Stage {
        self.engine.handle_command(self.now, command);
        self.drain()
    }

    /// A packet from the peer of `leg`, at its signalled address. True if it was passed on.
    pub fn hear(&mut self, leg: MediaLegKey, fields: Fields, payload: &[u8]) -> bool {
        self.hear_from(leg, peer(leg), fields, payload)
    }

    pub fn hear_from(&mut self, leg: MediaLegKey, from: SocketAddr, fields: Fields, payload: &[u8]) -> bool {
        let mut datagram = [0; HEADER].to_vec();
        fields.write(datagram.first_chunk_mut().unwrap());
        datagram.extend(payload);
        self.hear_bytes(leg, from, &datagram)
    }

    pub fn hear_bytes(&mut self, leg: MediaLegKey, from: SocketAddr, datagram: &[u8]) -> bool {
        let mut buffer = datagram.to_vec();
        buffer.resize(datagram.len() + 64, 0);
        let forward = self.engine.handle_packet(self.now, leg, from, &mut buffer, datagram.len());
        if let Some(forward) = forward {
            let bytes = &buffer[forward.start..forward.start + forward.len];
            self.sent.push(Sent::new(self.now, forward.leg, forward.to, bytes));
        }
        self.drain();
        forward.is_some()
    }

    /// Lets time pass, serving what is due at its own moment.
    pub fn run(&mut self, time: Duration) -> &mut Stage {
        let until = self.now + time;
        while let Some(at) = self.timeout.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
        self
    }

    fn drain(&mut self) -> &mut Stage {
        loop {
            match self.engine.poll_output() {
                Output::Transmit { leg, rtcp: false, to, bytes }
                    if bytes[1] & 0x7f < 64 || bytes[1] & 0x7f > 95 =>
                {
                    self.sent.push(Sent::new(self.now, leg, to, bytes));
                }
                Output::Transmit { leg, to, bytes, .. } => self.reports.push((leg, to, bytes.to_vec())),
                Output::Event(event) => self.events.push(event),
                Output::Recorded(piece) => self.recorded.push(piece),
                Output::Timeout(at) => {
                    self.timeout = at.map(|(at, _)| at);
                    return self;
                }
            }
        }
    }

    /// What was sent from a leg since the last call.
    pub fn take_sent(&mut self, leg: MediaLegKey) -> Vec<Sent> {
        let (taken, rest) = std::mem::take(&mut self.sent).into_iter().partition(|sent| sent.leg == leg);
        self.sent = rest;
        taken
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Sent {
    fn new(at: Instant, leg: MediaLegKey, to: SocketAddr, bytes: &[u8]) -> Sent {
        let packet = Packet::parse(bytes).expect("we send valid RTP");
        let payload = bytes[packet.start..packet.end].to_vec();
        Sent { at, leg, to, packet, payload, bytes: bytes.to_vec() }
    }
}

/// Our SSRC on a leg.
pub fn ours(leg: MediaLegKey) -> u32 {
    0x1000 + leg.0 as u32
}

/// Where SDP says the peer of a leg is.
pub fn peer(leg: MediaLegKey) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, leg.0 as u8], 4_000))
}

/// Both ways, A-law by 8, events by 101.
pub fn stream(leg: MediaLegKey) -> Stream {
    let rtcp = SocketAddr::new(peer(leg).ip(), 4_001);
    Stream {
        remote: Some(peer(leg)),
        remote_rtcp: Some(rtcp),
        rtcp_mux: false,
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        send_event: Some(101),
        receive_event: Some(101),
        direction: Direction::SendRecv,
        ptime: 20,
        remote_holds: false,
        opus: media::codec::OpusParameters::default(),
        rtcp_wanted: true,
        tones: Default::default(),
        wanted_reports: Default::default(),
        keys: None,
        dtls: None,
    }
}

/// The n-th packet of a source that sends A-law.
pub fn sound(ssrc: u32, n: u32) -> Fields {
    Fields { marker: false, payload_type: 8, sequence: n as u16, timestamp: n.wrapping_mul(160), ssrc }
}

/// A prompt of so many frames, at most 256; frame n is full of one level, another one for each n.
pub fn prompt(frames: u8) -> Arc<Prompt> {
    let samples: Vec<i16> = (0..frames).flat_map(|n| [level(n); 160]).collect();
    Arc::new(Prompt::from_samples(&samples, "test"))
}

/// The A-law byte that fills frame n of [`prompt`].
pub fn frame_byte(n: u8) -> u8 {
    n ^ 0xd5
}

fn level(n: u8) -> i16 {
    let mut sample = [0];
    Codec::Pcma.decode(&[frame_byte(n)], &mut sample);
    sample[0]
}
