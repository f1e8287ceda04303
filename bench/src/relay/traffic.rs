//! Packets of G.711 into all legs in turn, and what comes out of them.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use media::rtp::{Fields, packet::HEADER};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::many::{self, MOST, ROOM};

/// A packet of 20 ms: header, and the instant of its sending at the beginning of what it carries.
const LEN: usize = HEADER + 160;
/// Receive buffer asked for: half a second of packets.
const BUFFER: usize = 32 << 20;
/// After so long without one, no packet comes any more.
const LAST: Duration = Duration::from_millis(200);
/// Delays are counted in steps of so many nanoseconds, the last step is for all that are longer.
const STEP: u64 = 1_000;
const STEPS: usize = 100_000;

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
    /// Packets that never came out.
    pub fn lost(&self) -> u64 {
        self.sent - self.packets
    }

    /// The delay that this part of all packets did not exceed, in milliseconds, to the microsecond; 100 at most.
    pub fn delay_ms(&self, part: f64) -> f64 {
        let wanted = (self.packets as f64 * part) as u64;
        let mut below = 0;
        let step = self.delays.iter().position(|&count| {
            below += u64::from(count);
            below >= wanted
        });
        step.unwrap_or(STEPS) as f64 / 1_000.0
    }
}

/// Two sockets: all first legs have the one as their peer, all second legs the other.
pub(super) struct Traffic {
    sides: [UdpSocket; 2],
    legs: [Vec<SockAddr>; 2],
    /// Packets sent to each leg; the legs of a side are served in turn.
    sent: [usize; 2],
    start: Instant,
}

impl Traffic {
    pub(super) fn new() -> io::Result<Traffic> {
        Ok(Traffic { sides: [bind()?, bind()?], legs: [vec![], vec![]], sent: [0; 2], start: Instant::now() })
    }

    pub(super) fn addresses(&self) -> io::Result<[SocketAddr; 2]> {
        Ok([self.sides[0].local_addr()?, self.sides[1].local_addr()?])
    }

    pub(super) fn goes_by(&mut self, legs: &[(SocketAddr, SocketAddr)]) {
        self.legs = [
            legs.iter().map(|(a, _)| SockAddr::from(*a)).collect(),
            legs.iter().map(|(_, b)| SockAddr::from(*b)).collect(),
        ];
    }

    /// So many packets a second, for so long.
    pub(super) fn run(&mut self, rate: u64, length: Duration) -> Heard {
        let mut heard = Heard { sent: 0, packets: 0, delays: vec![0; STEPS + 1] };
        let (start, all) = (Instant::now(), (rate as f64 * length.as_secs_f64()) as u64);
        let mut last = start;
        while heard.sent < all || heard.packets < all && last.elapsed() < LAST {
            let due = ((start.elapsed().as_secs_f64() * rate as f64) as u64).min(all);
            // A burst of a relay's round at most, so that what is measured is the relay and not our bursts.
            for _ in 0..due.saturating_sub(heard.sent).div_ceil(2 * MOST as u64).min(4) {
                let each = (due - heard.sent).div_ceil(2).min(MOST as u64) as usize;
                heard.sent += (self.send(0, each) + self.send(1, each)) as u64;
            }
            if self.listen(&mut heard) {
                last = Instant::now();
            }
        }
        heard
    }

    /// One packet to each of the next legs of this side.
    fn send(&mut self, side: usize, count: usize) -> usize {
        let (mut packets, legs) = ([[0xd5; LEN]; MOST], &self.legs[side]);
        let first = self.sent[side];
        let now = (self.start.elapsed().as_nanos() as u64).to_be_bytes();
        for (n, packet) in packets[..count].iter_mut().enumerate() {
            let (turn, leg) = ((first + n) / legs.len(), (first + n) % legs.len());
            let (sequence, timestamp) = (turn as u16, (turn as u32).wrapping_mul(160));
            let ssrc = (2 * leg + side) as u32 + 7;
            Fields { marker: false, payload_type: 8, sequence, timestamp, ssrc }
                .write(packet.first_chunk_mut().expect("room for a header"));
            packet[HEADER..HEADER + 8].copy_from_slice(&now);
        }
        let datagrams: Vec<(&[u8], &SockAddr)> = packets[..count]
            .iter()
            .enumerate()
            .map(|(n, packet)| (packet.as_slice(), &legs[(first + n) % legs.len()]))
            .collect();
        let sent = many::send(&self.sides[side], &datagrams);
        self.sent[side] += sent;
        sent
    }

    /// Takes what has come; true if something has.
    fn listen(&self, heard: &mut Heard) -> bool {
        let (mut rooms, before) = ([[0; ROOM]; MOST], heard.packets);
        for side in &self.sides {
            let (count, lengths) = many::receive(side, &mut rooms);
            let now = self.start.elapsed().as_nanos() as u64;
            let packets = rooms[..count].iter().zip(lengths).filter(|(_, length)| *length == LEN); // no RTCP
            for (packet, _) in packets {
                let sent = packet[HEADER..].first_chunk().map_or(now, |bytes| u64::from_be_bytes(*bytes));
                let step = usize::try_from(now.saturating_sub(sent) / STEP).unwrap_or(STEPS);
                heard.delays[step.min(STEPS)] += 1;
                heard.packets += 1;
            }
        }
        heard.packets > before
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    Ok(socket.into())
}
