//! Reading, answering and writing session descriptions, with `sdp-types` beside it in the same run, and what a second of
//! prompt costs to load.
//!
//! `cargo bench -p bench --bench sdp`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::sdp::Description;
use media::{Codec, Negotiation, Policy, Prompt, tone, wav};

/// What a session border controller offers.
const OFFER: &str = "v=0\r\no=- 8123456789 1 IN IP4 192.0.2.10\r\ns=session\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:18 G729/8000\r\n\
    a=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

fn leg() -> Negotiation {
    Negotiation::new(Policy::default(), "198.51.100.1:10000".parse().unwrap(), 4_711, [7; 32])
}

fn descriptions(c: &mut Criterion) {
    let description = Description::parse(OFFER.as_bytes()).unwrap();
    let mut group = c.benchmark_group("sdp");
    group.throughput(Throughput::Bytes(OFFER.len() as u64));
    group.bench_function("parse", |b| b.iter(|| Description::parse(black_box(OFFER.as_bytes())).unwrap()));
    group.bench_function("parse, sdp-types", |b| {
        b.iter(|| sdp_types::Session::parse(black_box(OFFER.as_bytes())).unwrap());
    });
    group.bench_function("write", |b| b.iter(|| black_box(&description).write()));
    group.bench_function("answer an offer", |b| {
        b.iter_batched_ref(
            leg,
            |leg| leg.answer(black_box(OFFER.as_bytes())).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("offer and accept its answer", |b| {
        b.iter_batched_ref(
            leg,
            |leg| {
                leg.offer();
                leg.accept(black_box(OFFER.as_bytes())).unwrap()
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn g711(c: &mut Criterion) {
    let samples = tone::sine(440.0, 20, -10.0);
    let mut payload = [0u8; 160];
    let mut group = c.benchmark_group("g711, 20 ms");
    group
        .bench_function("encode A-law", |b| b.iter(|| Codec::Pcma.encode(black_box(&samples), &mut payload)));
    group.bench_function("encode µ-law", |b| {
        b.iter(|| Codec::Pcmu.encode(black_box(&samples), &mut payload))
    });
    let mut decoded = [0i16; 160];
    group
        .bench_function("decode A-law", |b| b.iter(|| Codec::Pcma.decode(black_box(&payload), &mut decoded)));
    group.bench_function("A-law to µ-law", |b| {
        b.iter(|| Codec::Pcma.convert(Codec::Pcmu, black_box(&mut payload)))
    });
    group.finish();
}

fn prompts(c: &mut Criterion) {
    let mut group = c.benchmark_group("load a second of prompt");
    for rate in [8_000, 44_100, 48_000] {
        let file = wav::encode_wav(rate, 1, &tone::sine_at(rate, 440.0, 1_000, -10.0));
        group.bench_function(format!("{rate} Hz"), |b| {
            b.iter(|| Prompt::load(black_box(&file), "tone", &Codec::G711).unwrap())
        });
    }
    group.finish();
}

criterion_group!(benches, descriptions, g711, prompts);
criterion_main!(benches);
