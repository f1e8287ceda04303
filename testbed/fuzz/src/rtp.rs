//! Datagrams on a media port: each is counted once, and what is passed on is a whole packet of our own source.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::rtp::Packet;
use media::{Codec, Command, Counters, Direction, Engine, MediaLegKey, Output, Settings, Stream};

const LEGS: [MediaLegKey; 2] = [MediaLegKey(1), MediaLegKey(2)];

/// Of each datagram: a byte for its length, one for leg, address and pause, then its bytes.
pub fn run(mut data: &[u8]) {
    let mut now = origin();
    let mut engine = bridged(now);
    let mut taken = 0;
    while let [len, way, rest @ ..] = data {
        let (datagram, after) = rest.split_at(usize::from(*len).min(rest.len()));
        now += Duration::from_millis(u64::from(way >> 2) * 10);
        engine.handle_timeout(now);
        hear(&mut engine, now, *way, datagram);
        (taken, data) = (taken + 1, after);
    }
    assert_eq!(fates(engine.counters()), taken, "{:?}", engine.counters());
}

fn hear(engine: &mut Engine, now: Instant, way: u8, datagram: &[u8]) {
    let leg = LEGS[usize::from(way & 1)];
    let from = if way & 2 == 0 { peer(leg) } else { SocketAddr::from(([203, 0, 113, 1], 9)) };
    let mut buffer = [datagram, &[0; 64]].concat();
    if let Some(forward) = engine.handle_packet(now, leg, from, &mut buffer, datagram.len()) {
        let bytes = &buffer[forward.start..forward.start + forward.len];
        let packet = Packet::parse(bytes).expect("we send whole packets");
        assert_ne!(forward.leg, leg);
        // A peer who has our SSRC makes us take another (RFC 3550 §8.2).
        let is_ours = packet.ssrc == forward.leg.0 as u32 || engine.counters().collisions > 0;
        assert!(is_ours, "{packet:?}");
        assert_eq!((packet.start, packet.end), (12, bytes.len()));
        assert!(bytes.len() <= datagram.len());
    }
    while !matches!(engine.poll_output(), Output::Timeout(_)) {}
}

/// Every datagram has one of these.
fn fates(counters: &Counters) -> u64 {
    let Counters { received, malformed, rejected, unknown_payload, unexpected, .. } = *counters;
    let Counters { rtcp_received, rtcp_malformed, stun, dtls, noise, .. } = *counters;
    let sound = received + malformed + rejected + unknown_payload + unexpected;
    sound + rtcp_received + rtcp_malformed + stun + dtls + noise
}

fn bridged(now: Instant) -> Engine {
    let mut engine = Engine::new(Settings::new(now, Duration::from_secs(1_800_000_000), 1));
    for leg in LEGS {
        let ssrc = leg.0 as u32;
        engine.handle_command(now, Command::Open { leg, ssrc, sequence: 65_530, timestamp: 1, cname: 1 });
        engine.handle_command(now, Command::Connect { leg, stream: stream(leg) });
    }
    engine.handle_command(now, Command::Bridge { a: LEGS[0], b: LEGS[1] });
    engine
}

fn peer(leg: MediaLegKey) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, leg.0 as u8], 4_000))
}

/// A-law on one leg, mu-law on the other; events on one only.
fn stream(leg: MediaLegKey) -> Stream {
    let (codec, number) = if leg == LEGS[0] { (Codec::Pcma, 8) } else { (Codec::Pcmu, 0) };
    Stream {
        remote: Some(peer(leg)),
        remote_rtcp: None,
        rtcp_mux: true,
        codec,
        send_payload_type: number,
        receive_payload_type: number,
        send_event: (leg == LEGS[0]).then_some(101),
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

/// Any instant: from here on time is ours.
#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now()
}
