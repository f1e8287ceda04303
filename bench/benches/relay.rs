//! Relay per packet: what the engine adds to a packet's way from socket to socket; and what a frame of music costs.
//!
//! `cargo bench -p bench --bench relay`. `parse` reads the header alone, to compare with.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::rtp::{Fields, Packet, packet::HEADER};
use media::{Codec, Command, Direction, Engine, MediaLegKey, Output, PlayFrom, Prompt, Settings, Stream};

/// A G.711 packet of 20 ms.
const LEN: usize = HEADER + 160;

fn peer(leg: u64) -> SocketAddr {
    SocketAddr::from(([10, (leg >> 16) as u8, (leg >> 8) as u8, leg as u8], 4_000))
}

/// Even legs speak A-law, odd ones what the case asks for.
fn payload_type(leg: u64, odd: Codec) -> u8 {
    let codec = if leg.is_multiple_of(2) { Codec::Pcma } else { odd };
    codec.static_payload_type().expect("G.711 has a number of its own")
}

fn stream(leg: u64, odd: Codec) -> Stream {
    Stream {
        remote: Some(peer(leg)),
        remote_rtcp: None,
        rtcp_mux: true,
        codec: if leg.is_multiple_of(2) { Codec::Pcma } else { odd },
        send_payload_type: payload_type(leg, odd),
        receive_payload_type: payload_type(leg, odd),
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

/// Legs 0 and 1 bridged, 2 and 3, and so on.
fn engine(start: Instant, legs: u64, odd: Codec) -> Engine {
    let mut engine = Engine::new(Settings::new(start, Duration::from_secs(1_800_000_000), 1));
    for n in 0..legs {
        let leg = MediaLegKey(n);
        engine.handle_command(
            start,
            Command::Open { leg, ssrc: n as u32, sequence: 1, timestamp: 1, cname: n },
        );
        engine.handle_command(start, Command::Connect { leg, stream: stream(n, odd) });
        if n % 2 == 1 {
            engine.handle_command(start, Command::Bridge { a: MediaLegKey(n - 1), b: leg });
        }
    }
    drain(&mut engine);
    engine
}

fn drain(engine: &mut Engine) {
    while !matches!(engine.poll_output(), Output::Timeout(_)) {}
}

/// Any instant: from here on the engine's time is ours.
#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now()
}

/// Packets through all legs in turn, one a call.
fn relay(criterion: &mut Criterion, name: &str, legs: u64, odd: Codec) {
    let start = origin();
    let mut engine = engine(start, legs, odd);
    let (mut sent, mut packet) = (0u64, [0xd5; LEN + 64]);
    let mut group = criterion.benchmark_group("relay");
    group.throughput(Throughput::Elements(1)).bench_function(name, |bencher| {
        bencher.iter(|| {
            let (leg, n) = (sent % legs, (sent / legs) as u32);
            let (sequence, timestamp, ssrc) = (n as u16, n.wrapping_mul(160), leg as u32 + 7);
            Fields { marker: false, payload_type: payload_type(leg, odd), sequence, timestamp, ssrc }
                .write(packet.first_chunk_mut().expect("room for a header"));
            sent += 1;
            let now = start + Duration::from_nanos(sent * 20_000_000 / legs);
            let forward = engine.handle_packet(now, MediaLegKey(leg), peer(leg), &mut packet, LEN);
            black_box(forward.expect("it is relayed"));
        });
        drain(&mut engine);
    });
}

/// All legs hear music: one call is 20 ms of it.
fn play(criterion: &mut Criterion, legs: u64) {
    let start = origin();
    let mut engine = engine(start, legs, Codec::Pcma);
    let prompt = Arc::new(Prompt::from_samples(&[1_000; 8_000 * 10], "music"));
    for n in 0..legs {
        let (leg, prompt, from) = (MediaLegKey(n), prompt.clone().into(), PlayFrom::Shared);
        let now = start + Duration::from_millis(n % 20);
        engine.handle_command(now, Command::Play { leg, play: 1, prompt, repeat: true, from });
    }
    drain(&mut engine);
    let mut now = start + Duration::from_millis(19);
    let mut group = criterion.benchmark_group("play");
    group.throughput(Throughput::Elements(legs)).bench_function(format!("20 ms of {legs} legs"), |bencher| {
        bencher.iter(|| {
            for _ in 0..20 {
                now += Duration::from_millis(1);
                engine.handle_timeout(now);
                drain(&mut engine);
            }
        });
    });
}

fn benches(criterion: &mut Criterion) {
    let mut packet = [0; LEN];
    Fields { marker: false, payload_type: 8, sequence: 1, timestamp: 1, ssrc: 1 }
        .write(packet.first_chunk_mut().expect("room for a header"));
    let mut group = criterion.benchmark_group("relay");
    group.bench_function("parse", |bencher| bencher.iter(|| Packet::parse(black_box(&packet))));
    group.finish();
    relay(criterion, "one call", 2, Codec::Pcma);
    relay(criterion, "one call, A-law to mu-law and back", 2, Codec::Pcmu);
    relay(criterion, "5,000 calls", 10_000, Codec::Pcma);
    play(criterion, 5_000);
}

criterion_group!(all, benches);
criterion_main!(all);
