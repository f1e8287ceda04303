//! The worker on real loopback sockets.
#![cfg(feature = "driver")]
#![allow(clippy::disallowed_methods)] // real sockets need a real clock

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{A, B, C, prompt, sound, stream};
use media::driver::{MediaSocket, Refused, Worker, WorkerSettings};
use media::rtp::{Packet, packet::HEADER};
use media::{Command, Event, MediaLegKey, PlayFrom, Stream};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Long enough for a machine that is busy with other tests; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(10);

/// A worker with one leg and its peer's socket.
struct Peer {
    socket: UdpSocket,
    /// The leg's address.
    leg: SocketAddr,
}

fn worker() -> (Worker, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    let wake = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (Worker::spawn(WorkerSettings::new(1), wake).unwrap(), woken)
}

fn open(leg: MediaLegKey) -> Command {
    Command::Open { leg, ssrc: leg.0 as u32, sequence: 1, timestamp: 1, cname: 1 }
}

fn connect(worker: &Worker, leg: MediaLegKey) -> Peer {
    connect_at(HERE, worker, leg)
}

fn connect_at(here: IpAddr, worker: &Worker, leg: MediaLegKey) -> Peer {
    let media = MediaSocket::bind(here, 0).unwrap();
    let (socket, address) = (UdpSocket::bind((here, 0)).unwrap(), media.local());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let remote = socket.local_addr().ok();
    worker.open(media, open(leg)).unwrap();
    let stream = Stream { remote, remote_rtcp: None, rtcp_mux: true, ..stream(leg) };
    worker.send(Command::Connect { leg, stream }).unwrap();
    Peer { socket, leg: address }
}

impl Peer {
    fn send(&self, ssrc: u32, n: u32, payload: &[u8]) {
        let mut datagram = vec![0; HEADER];
        sound(ssrc, n).write(datagram.first_chunk_mut().unwrap());
        datagram.extend(payload);
        self.socket.send_to(&datagram, self.leg).unwrap();
    }

    /// The next RTP packet's payload; RTCP on the same port is passed over.
    fn receive(&self) -> Vec<u8> {
        let mut datagram = [0; 1_500];
        loop {
            let (len, from) = self.socket.recv_from(&mut datagram).expect("a packet within ten seconds");
            assert_eq!(from, self.leg, "symmetric RTP");
            if !(192..224).contains(&datagram[1]) {
                let packet = Packet::parse(&datagram[..len]).unwrap();
                return datagram[packet.start..packet.end].to_vec();
            }
        }
    }
}

/// Everything that comes out goes to one socket, so its order there is the order in which the worker did its work. The worker
/// stands still until all of it lies in its sockets.
#[test]
fn a_flood_on_one_port_delays_another_ports_packets_by_a_few_packets_only() {
    const FLOOD: u32 = 150;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let stands = std::sync::Mutex::new(stopped);
    let wake = Box::new(move || {
        let _ = stands.lock().unwrap().recv();
    });
    let worker = Worker::spawn(WorkerSettings::new(1), wake).unwrap();
    let (a, b) = (connect(&worker, A), connect(&worker, B));
    let ear = UdpSocket::bind((HERE, 0)).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    for (leg, from) in [(C, A), (MediaLegKey(0xd), B)] {
        worker.open(MediaSocket::bind(HERE, 0).unwrap(), open(leg)).unwrap();
        let stream =
            Stream { remote: ear.local_addr().ok(), remote_rtcp: None, rtcp_mux: true, ..stream(leg) };
        worker.send(Command::Connect { leg, stream }).unwrap();
        worker.send(Command::Bridge { a: from, b: leg }).unwrap();
    }
    // Its first packet is an event, with which the worker stands; what comes now waits.
    a.send(0xa1, 0, &[1; 160]);
    let mut datagram = [0; 1_500];
    let mut payload = || {
        loop {
            let (len, _) = ear.recv_from(&mut datagram).expect("a packet within ten seconds");
            if !(192..224).contains(&datagram[1]) && len > HEADER {
                return datagram[HEADER];
            }
        }
    };
    assert_eq!(payload(), 1);
    (1..FLOOD).for_each(|n| a.send(0xa1, n, &[1; 160]));
    (0..5).for_each(|n| b.send(0xb1, n, &[2; 160]));
    drop(stop);
    let order: Vec<u8> = (0..FLOOD + 4).map(|_| payload()).collect();
    let last = order.iter().rposition(|payload| *payload == 2).unwrap();
    assert_eq!(order.iter().filter(|payload| **payload == 2).count(), 5);
    assert!(last < 20, "the fifth came after {last} others: {order:?}");
}

fn wait_for(worker: &Worker, wanted: impl Fn(&Event) -> bool) -> Event {
    let end = Instant::now() + PATIENCE;
    loop {
        let event = worker.events().recv_deadline(end).expect("the event within ten seconds");
        if wanted(&event) {
            return event;
        }
    }
}

#[test]
fn two_bridged_legs_hear_each_other() {
    let (worker, woken) = worker();
    let (a, b) = (connect(&worker, A), connect(&worker, B));
    worker.send(Command::Bridge { a: A, b: B }).unwrap();
    // The last command is done when its prompt arrives: then the bridge stands, and is asked for again.
    let (prompt, from) = (prompt(1).into(), PlayFrom::Start);
    worker.send(Command::Play { leg: A, play: 1, prompt, repeat: false, from }).unwrap();
    assert_eq!(a.receive().len(), 160);
    wait_for(&worker, |event| *event == Event::Played { leg: A, play: 1 });
    for n in 0..20 {
        a.send(0xa1, n, &[n as u8; 160]);
        assert_eq!(b.receive(), [n as u8; 160]);
        b.send(0xb1, n, &[100 + n as u8; 160]);
        assert_eq!(a.receive(), [100 + n as u8; 160]);
    }
    wait_for(&worker, |event| matches!(event, Event::TwoWay { .. }));
    assert!(woken.load(Ordering::Relaxed) > 0);
    worker.send(Command::Close { leg: A }).unwrap();
    let Event::Closed { stats, .. } = wait_for(&worker, |event| matches!(event, Event::Closed { .. })) else {
        unreachable!("waited for it");
    };
    assert_eq!((stats.received_packets, stats.sent_packets, stats.lost), (20, 21, 0));
}

#[test]
fn a_busy_worker_passes_everything_on_in_order() {
    let (worker, _) = worker();
    let (a, b) = (connect(&worker, A), connect(&worker, B));
    worker.send(Command::Bridge { a: A, b: B }).unwrap();
    // When its prompt arrives the bridge stands.
    let (prompt, from) = (prompt(1).into(), PlayFrom::Start);
    worker.send(Command::Play { leg: A, play: 1, prompt, repeat: false, from }).unwrap();
    assert_eq!(a.receive().len(), 160);
    wait_for(&worker, |event| *event == Event::Played { leg: A, play: 1 });
    // More in a millisecond than from where on it looks away between its rounds.
    for burst in 0..50 {
        let numbers = 40 * burst..40 * (burst + 1);
        numbers.clone().for_each(|n| a.send(0xa1, n, &[n as u8; 160]));
        numbers.for_each(|n| assert_eq!(b.receive(), [n as u8; 160], "packet {n}"));
    }
}

#[test]
fn sound_goes_over_ipv6_and_between_the_families() {
    let six = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    if let Err(error) = UdpSocket::bind((six, 0)) {
        return println!("passed over: this machine has no IPv6 ({error})");
    }
    for other in [six, HERE] {
        let (worker, _) = worker();
        let (a, b) = (connect_at(six, &worker, A), connect_at(other, &worker, B));
        worker.send(Command::Bridge { a: A, b: B }).unwrap();
        // When its prompt arrives the bridge stands.
        let (prompt, from) = (prompt(1).into(), PlayFrom::Start);
        worker.send(Command::Play { leg: A, play: 1, prompt, repeat: false, from }).unwrap();
        assert_eq!(a.receive().len(), 160);
        wait_for(&worker, |event| *event == Event::Played { leg: A, play: 1 });
        a.send(0xa1, 1, &[7; 160]);
        assert_eq!(b.receive(), [7; 160]);
        b.send(0xb1, 1, &[9; 160]);
        assert_eq!(a.receive(), [9; 160]);
    }
}

#[test]
fn a_prompt_is_heard_at_its_cadence() {
    let (worker, _) = worker();
    let peer = connect(&worker, A);
    let begun = Instant::now();
    let (prompt, from) = (prompt(10).into(), PlayFrom::Start);
    worker.send(Command::Play { leg: A, play: 9, prompt, repeat: false, from }).unwrap();
    for n in 0..10 {
        assert_eq!(peer.receive()[0], common::frame_byte(n));
    }
    assert!(begun.elapsed() >= Duration::from_millis(179), "nine frames lie between the first and the last");
    wait_for(&worker, |event| *event == Event::Played { leg: A, play: 9 });
    worker.shut_down();
}

#[test]
fn what_lay_in_the_socket_before_opening_is_thrown_away() {
    let (worker, _) = worker();
    let media = MediaSocket::bind(HERE, 0).unwrap();
    let peer = Peer { socket: UdpSocket::bind((HERE, 0)).unwrap(), leg: media.local() };
    peer.send(1, 1, b"of the call before");
    peer.send(1, 2, b"of the call before");
    assert_eq!(media.drain(), 2);
    peer.send(1, 3, b"of the call before");
    worker.open(media, open(A)).unwrap();
    worker.send(Command::Connect { leg: A, stream: Stream { rtcp_mux: true, ..stream(A) } }).unwrap();
    worker.send(Command::Close { leg: A }).unwrap();
    let Event::Closed { stats, .. } = wait_for(&worker, |event| matches!(event, Event::Closed { .. })) else {
        unreachable!("waited for it");
    };
    assert_eq!((stats.received_packets, worker.counters().engine.unexpected), (0, 0));
}

#[test]
fn rtcp_gets_the_port_above_once_sound_was_heard() {
    let (worker, _) = worker();
    // A pair of ports that is free: the system's choice, and the one above if nobody has it.
    let (media, above) = std::iter::repeat_with(|| MediaSocket::bind(HERE, 0).unwrap())
        .find_map(|media| {
            let above = SocketAddr::new(HERE, media.local().port().checked_add(1)?);
            MediaSocket::bind(HERE, above.port()).ok()?;
            Some((media, above))
        })
        .unwrap();
    let peer = Peer { socket: UdpSocket::bind((HERE, 0)).unwrap(), leg: media.local() };
    let reports = UdpSocket::bind((HERE, 0)).unwrap();
    reports.set_read_timeout(Some(PATIENCE)).unwrap();
    worker.open(media, open(A)).unwrap();
    let (remote, remote_rtcp) = (peer.socket.local_addr().ok(), reports.local_addr().ok());
    worker.send(Command::Connect { leg: A, stream: Stream { remote, remote_rtcp, ..stream(A) } }).unwrap();
    peer.send(1, 1, &[0; 160]);
    let mut datagram = [0; 200];
    let (_, from) = reports.recv_from(&mut datagram).expect("a report within ten seconds");
    assert_eq!((from, datagram[1]), (above, 201), "a receiver report from the odd port");
    worker.send(Command::Close { leg: A }).unwrap();
    let (len, _) = reports.recv_from(&mut datagram).expect("a BYE at the end");
    assert_eq!(datagram[len - 7], 203);
}

#[test]
fn ending_the_worker_closes_its_legs() {
    let (worker, _) = worker();
    let peer = connect(&worker, A);
    peer.send(1, 1, &[0; 160]);
    wait_for(&worker, |event| matches!(event, Event::Heard { .. }));
    let events = worker.events().clone();
    worker.shut_down();
    assert!(events.iter().any(|event| matches!(event, Event::Closed { leg: A, .. })));
}

#[test]
fn a_full_ring_says_so_and_takes_nothing() {
    let settings = WorkerSettings { commands: 1, ..WorkerSettings::new(1) };
    let (block, blocked) = crossbeam_channel::bounded::<()>(0);
    // The worker calls this after its first event, and stands there until the test lets go of `block`.
    let worker = Worker::spawn(settings, Box::new(move || assert!(blocked.recv().is_err()))).unwrap();
    worker.open(MediaSocket::bind(HERE, 0).unwrap(), open(A)).unwrap();
    let end = Instant::now() + PATIENCE;
    let closed = std::iter::repeat_with(|| worker.send(Command::Close { leg: A }))
        .take_while(|_| Instant::now() < end)
        .any(|taken| taken.is_ok());
    assert!(closed);
    wait_for(&worker, |event| matches!(event, Event::Closed { .. }));
    let taken: Vec<_> = (0..3).map(|_| worker.send(Command::Stop { leg: A })).collect();
    assert_eq!(taken.last(), Some(&Err(Refused::Full)));
    drop(block);
}

#[test]
fn a_port_in_use_is_an_error_to_skip() {
    let media = MediaSocket::bind(HERE, 0).unwrap();
    let error = MediaSocket::bind(HERE, media.local().port()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
