//! Packets of G.711 into all legs in turn, and what comes out of them. Every leg has a peer with an address of its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use media::{
    rtp::{Fields, packet::HEADER},
    srtp::{GROWTH, MasterKey, Receiver, Sender, Suite},
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{
    Relay,
    many::{self, MOST, Outgoing, Rooms},
};

/// A packet of 20 ms: header, and the instant of its sending at the beginning of what it carries.
const LEN: usize = HEADER + 160;
/// Receive buffer asked for: half a second of packets.
const BUFFER: usize = 32 << 20;
/// After so long without one, no packet comes any more.
const LAST: Duration = Duration::from_millis(200);
/// Delays are counted in steps of so many nanoseconds, the last step is for all that are longer.
const STEP: u64 = 1_000;
const STEPS: usize = 100_000;
/// A breath in every so much time: whoever never sleeps is made to, for far longer.
const BREATH: Duration = Duration::from_micros(60);
const WORK: Duration = Duration::from_millis(1);
/// Of protected packets the delay of every so many is looked at: opening them is work of its own.
const SAMPLE: u16 = 8;
/// A-law.
pub(super) const PAYLOAD_TYPE: u8 = 8;

/// What came out.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Packets that went in.
    pub sent: u64,
    /// Packets that came out.
    pub packets: u64,
    /// How many of them took how many microseconds.
    delays: Vec<u32>,
}

impl Heard {
    fn new() -> Heard {
        Heard { sent: 0, packets: 0, delays: vec![0; STEPS + 1] }
    }

    /// Packets that never came out.
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.packets)
    }

    /// The delay that this part of all packets did not exceed, in milliseconds, to the microsecond; 100 at most.
    pub fn delay_ms(&self, part: f64) -> f64 {
        let all: u64 = self.delays.iter().map(|count| u64::from(*count)).sum();
        let wanted = (all as f64 * part) as u64;
        let mut below = 0;
        let step = self.delays.iter().position(|&count| {
            below += u64::from(count);
            below >= wanted
        });
        step.unwrap_or(STEPS) as f64 / 1_000.0
    }
}

/// Two sockets: the peers of all first legs share the port of one, those of all second legs that of the other.
pub(super) struct Traffic {
    sides: [Side; 2],
    start: Instant,
}

struct Side {
    socket: UdpSocket,
    port: u16,
    first: Ipv4Addr,
    legs: Vec<SockAddr>,
    /// What protects the packets of each peer, if they are protected, and opens those that come to it.
    secure: Vec<(Sender, Receiver)>,
    /// Packets sent to all legs in turn.
    sent: usize,
}

/// The key that both ends of a protected leg use both ways.
pub(super) fn key(suite: Suite) -> MasterKey {
    let bytes = [0x5a; 64];
    MasterKey::new(suite, &bytes[..MasterKey::len(suite)]).expect("as long as it is to be")
}

impl Traffic {
    pub(super) fn new(calls: usize, suites: [Option<Suite>; 2]) -> io::Result<Traffic> {
        let side = |n: usize| Side::new(Ipv4Addr::new(127, n as u8 + 1, 0, 1), calls, suites[n]);
        Ok(Traffic { sides: [side(0)?, side(1)?], start: Instant::now() })
    }

    /// The peers of the first leg of the first call, of its second leg, of the first of the second, and so on.
    pub(super) fn peers(&self) -> Vec<SocketAddr> {
        let calls = self.sides[0].legs.capacity();
        (0..2 * calls).map(|leg| self.sides[leg & 1].peer(leg / 2)).collect()
    }

    pub(super) fn goes_by(&mut self, legs: &[(SocketAddr, SocketAddr)]) {
        self.sides[0].legs.extend(legs.iter().map(|(a, _)| SockAddr::from(*a)));
        self.sides[1].legs.extend(legs.iter().map(|(_, b)| SockAddr::from(*b)));
    }

    /// So many packets a second for so long through a relay, or what it plays by itself for so long.
    pub(super) fn run(&mut self, rate: u64, length: Duration, relay: &dyn Relay) -> Heard {
        match relay.played() {
            None => self.pass(rate, length),
            Some(before) => self.listen_for(length, || relay.played().unwrap_or(before) - before),
        }
    }

    fn pass(&mut self, rate: u64, length: Duration) -> Heard {
        let mut heard = Heard::new();
        let (start, all) = (Instant::now(), (rate as f64 * length.as_secs_f64()) as u64);
        let (mut last, mut breath, mut rooms) = (start, start, Rooms::new());
        while heard.sent < all || heard.packets < heard.sent && last.elapsed() < LAST {
            let due = ((start.elapsed().as_secs_f64() * rate as f64) as u64).min(all);
            // A burst of a relay's round at most, so that what is measured is the relay and not our bursts.
            for _ in 0..due.saturating_sub(heard.sent).div_ceil(2 * MOST as u64).min(4) {
                let each = (due - heard.sent).div_ceil(2).min(MOST as u64) as usize;
                let began = self.start;
                heard.sent += self.sides.iter_mut().map(|side| side.send(began, each) as u64).sum::<u64>();
            }
            if self.listen(&mut rooms, &mut heard) {
                last = Instant::now();
            }
            if breath.elapsed() > WORK {
                std::thread::sleep(BREATH);
                breath = Instant::now();
            }
        }
        heard
    }

    fn listen_for(&mut self, length: Duration, sent: impl Fn() -> u64) -> Heard {
        let (mut heard, mut rooms, start) = (Heard::new(), Rooms::new(), Instant::now());
        while start.elapsed() < length {
            if !self.listen(&mut rooms, &mut heard) {
                std::thread::sleep(BREATH);
            }
        }
        heard.sent = sent();
        heard
    }

    /// Takes what has come; true if something has.
    fn listen(&mut self, rooms: &mut Rooms, heard: &mut Heard) -> bool {
        let before = heard.packets;
        for side in &mut self.sides {
            rooms.receive(&side.socket);
            let now = self.start.elapsed().as_nanos() as u64;
            for (packet, _) in rooms.each().filter(|(packet, _)| packet[1] & 0x7f == PAYLOAD_TYPE) {
                heard.packets += 1;
                if let Some(sent) = side.open(packet) {
                    let step = usize::try_from(now.saturating_sub(sent) / STEP).unwrap_or(STEPS);
                    heard.delays[step.min(STEPS)] += 1;
                }
            }
        }
        heard.packets > before
    }
}

impl Side {
    fn new(first: Ipv4Addr, calls: usize, suite: Option<Suite>) -> io::Result<Side> {
        let socket = bind()?;
        let port = socket.local_addr()?.port();
        let keys = suite.map(key).into_iter().cycle().take(calls);
        let secure = keys.map(|key| (Sender::new(&key), Receiver::new(&key.into()))).collect();
        Ok(Side { socket, port, first, legs: Vec::with_capacity(calls), secure, sent: 0 })
    }

    fn ip(&self, call: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits() + call as u32)
    }

    fn peer(&self, call: usize) -> SocketAddr {
        (self.ip(call), self.port).into()
    }

    /// One packet to each of the next legs.
    fn send(&mut self, start: Instant, count: usize) -> usize {
        let mut packets = [[0xd5; LEN + GROWTH]; MOST];
        let (first, mut lengths) = (self.sent, [LEN; MOST]);
        let now = (start.elapsed().as_nanos() as u64).to_be_bytes();
        for (n, packet) in packets[..count].iter_mut().enumerate() {
            let (turn, leg) = ((first + n) / self.legs.len(), (first + n) % self.legs.len());
            let (sequence, timestamp) = (turn as u16, (turn as u32).wrapping_mul(160));
            Fields { marker: false, payload_type: PAYLOAD_TYPE, sequence, timestamp, ssrc: leg as u32 + 7 }
                .write(packet.first_chunk_mut().expect("room for a header"));
            packet[HEADER..HEADER + 8].copy_from_slice(&now);
            if let Some((sender, _)) = self.secure.get_mut(leg) {
                lengths[n] = sender.protect_rtp(packet, LEN).expect("a number for each packet");
            }
        }
        let datagrams: Vec<Outgoing<'_>> = packets[..count]
            .iter()
            .enumerate()
            .map(|(n, packet)| {
                let leg = (first + n) % self.legs.len();
                Outgoing { bytes: &packet[..lengths[n]], to: &self.legs[leg], from: Some(self.ip(leg)) }
            })
            .collect();
        let sent = many::send(&self.socket, &datagrams);
        // What the socket did not take is not sent again: SRTP does not give a number twice.
        self.sent += if self.secure.is_empty() { sent } else { count };
        sent
    }

    /// When a packet was sent; `None` if it is protected and not looked at, or says nothing of it.
    fn open(&mut self, packet: &mut [u8]) -> Option<u64> {
        if !self.secure.is_empty() {
            let word = |at: usize| packet.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
            let (sequence, ssrc) = (word(0)? as u16, word(8)?);
            if !sequence.is_multiple_of(SAMPLE) {
                return None;
            }
            // The worker numbers the legs by their SSRCs, two for each call.
            let (_, receiver) = self.secure.get_mut(ssrc as usize / 2)?;
            receiver.unprotect_rtp(packet).expect("SRTP that opens");
        }
        packet.get(HEADER..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    Ok(socket.into())
}
