//! Transactions: keys, deadlines, and whole round trips between a client's and a server's machine; and datagrams
//! through the driver and back on loopback, where the kernel's share is most of it.
//!
//! `cargo bench -p bench --bench transaction`

#![allow(clippy::disallowed_methods)] // a benchmark owns its clock

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sip_core::deadline::Deadlines;
use sip_core::driver::{DriverSettings, Sockets};
use sip_core::transaction::{
    Action, Client, InviteClient, InviteServer, Keys, RequestParts, Server, Timers, TransactionKey,
};
use sip_core::{Input, Listener, Transport};
use std::collections::HashMap;
use std::hint::black_box;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Transactions that are there beside the one measured.
const OTHERS: u64 = 100_000;
const MESSAGE: Bytes = Bytes::from_static(&[b'a'; 500]);

fn parts(branch: &[u8]) -> RequestParts<'_> {
    RequestParts {
        method: b"INVITE",
        branch: Some(branch),
        sent_by_host: b"192.0.2.10",
        sent_by_port: Some(5060),
        ..RequestParts::default()
    }
}

fn key(c: &mut Criterion) {
    let keys = Keys::new(&[7; 16]);
    let invite = parts(b"z9hG4bK-524287-1---0f3eb40b11f97a9c");
    c.bench_function("key of a request", |b| b.iter(|| keys.server(black_box(&invite))));
}

fn deadline(c: &mut Criterion) {
    let (start, mut deadlines) = (Instant::now(), Deadlines::new(1));
    let at = |n: u64| start + Duration::from_micros(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 39);
    for n in 0..OTHERS {
        deadlines.start(at(n), n);
    }
    let mut group = c.benchmark_group("deadline among 100,000");
    let mut n = OTHERS;
    group.bench_function("start and cancel", |b| {
        b.iter(|| {
            n += 1;
            let ticket = deadlines.start(at(n), n);
            deadlines.cancel(ticket)
        })
    });
    group.bench_function("run out and start", |b| {
        b.iter(|| {
            n += 1;
            let (due, _) = deadlines.next()?;
            let popped = deadlines.pop(due);
            deadlines.start(due + Duration::from_secs(32), n);
            popped
        })
    });
    let mut now = start;
    group.bench_function("linger in a lane and run out", |b| {
        b.iter(|| {
            now += Duration::from_nanos(1);
            deadlines.linger(0, now, n);
            deadlines.pop(now)
        })
    });
}

/// INVITE, 100, 180, 200 and the end of both Accepted states.
fn answered_call(now: Instant, out: &mut Vec<Action>) {
    let timers = Timers::default();
    let mut client = InviteClient::new(now, MESSAGE, false, timers, out);
    let mut server = InviteServer::new(false, timers);
    for status in [100, 180, 200] {
        server.respond(now, status, MESSAGE, out);
        client.handle_response(now, status, out);
    }
    server.handle_timeout(now + timers.give_up(), out);
    client.handle_timeout(now + timers.give_up(), out);
    assert!(server.is_terminated() && client.is_terminated());
}

/// INVITE, 100, 486, ACK and the end of D and I.
fn refused_call(now: Instant, out: &mut Vec<Action>) {
    let timers = Timers::default();
    let mut client = InviteClient::new(now, MESSAGE, false, timers, out);
    let mut server = InviteServer::new(false, timers);
    for status in [100, 486] {
        server.respond(now, status, MESSAGE, out);
        client.handle_response(now, status, out);
    }
    client.acknowledge(MESSAGE, out);
    server.handle_ack(now, out);
    server.handle_timeout(now + timers.t4, out);
    client.handle_timeout(now + timers.give_up(), out);
    assert!(server.is_terminated() && client.is_terminated());
}

/// BYE, 200 and the end of J and K.
fn bye(now: Instant, out: &mut Vec<Action>) {
    let timers = Timers::default();
    let mut client = Client::new(now, MESSAGE, false, timers, out);
    let mut server = Server::new(false, timers);
    server.respond(now, 200, MESSAGE, out);
    client.handle_response(now, 200, out);
    server.handle_timeout(now + timers.give_up());
    client.handle_timeout(now + timers.t4, out);
    assert!(server.is_terminated() && client.is_terminated());
}

/// One way through machines only, both sides.
type RoundTrip = fn(Instant, &mut Vec<Action>);

fn round_trip(c: &mut Criterion) {
    let (now, mut out) = (Instant::now(), Vec::with_capacity(32));
    let mut group = c.benchmark_group("both machines");
    let trips: [(&str, RoundTrip); 3] =
        [("INVITE answered", answered_call), ("INVITE refused", refused_call), ("BYE", bye)];
    for (name, trip) in trips {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                trip(black_box(now), &mut out);
                black_box(out.len())
            })
        });
    }
}

/// As an endpoint does it: key, table, machine, deadlines, for a request that is answered at once and lingers.
fn in_a_table(c: &mut Criterion) {
    let (keys, timers, start) = (Keys::new(&[7; 16]), Timers::default(), Instant::now());
    let mut table: HashMap<TransactionKey, Server> = HashMap::new();
    let mut lingering = Deadlines::new(1);
    let mut out = Vec::new();
    let mut n = 0u64;
    let mut serve = || {
        n += 1;
        // 100,000 linger at a time: 3,125 a second for 32 s.
        let now = start + Duration::from_micros(n * 320);
        let mut branch = *b"z9hG4bK-524287-1---0000000000000000";
        branch[19..27].copy_from_slice(&n.to_be_bytes());
        let key = keys.server(&parts(&branch));
        out.clear();
        let server = table.entry(key).or_insert_with(|| Server::new(false, timers));
        server.respond(now, 200, MESSAGE, &mut out);
        if let Some((at, _)) = server.poll_timeout() {
            lingering.linger(0, at, key);
        }
        while let Some((_, key)) = lingering.pop(now) {
            table.remove(&key);
        }
        out.len()
    };
    for _ in 0..OTHERS {
        serve();
    }
    c.bench_function("server transaction in a table of 100,000", |b| b.iter(&mut serve));
}

fn datagrams(c: &mut Criterion) {
    const BURST: usize = 64;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let listener = Listener::new(Transport::Udp, SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut sockets = Sockets::bind(&[listener], DriverSettings::default()).unwrap();
    let local = sockets.listeners()[0].local;
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    println!("kernel buffers: {:?}", sockets.buffers().unwrap());
    let (mut inputs, mut buffer) = (Vec::new(), [0; 2_000]);
    let mut group = c.benchmark_group("driver, 64 datagrams of 500 bytes");
    group.throughput(Throughput::Elements(BURST as u64));
    group.bench_function("read and sent back", |b| {
        b.iter_batched(
            || {
                while peer.set_nonblocking(true).is_ok() && peer.recv(&mut buffer).is_ok() {}
                (0..BURST).for_each(|_| drop(black_box(peer.send_to(&MESSAGE, local))));
            },
            |()| {
                inputs.clear();
                while inputs.len() < BURST {
                    runtime.block_on(sockets.next(&mut inputs));
                }
                for input in inputs.drain(..) {
                    if let Input::Received { flow, bytes } = input {
                        sockets.transmit(flow, bytes);
                    }
                }
            },
            BatchSize::PerIteration,
        )
    });
    println!("drops: {}", sockets.udp_drops().unwrap());
}

criterion_group!(benches, key, deadline, round_trip, in_a_table, datagrams);
criterion_main!(benches);
