//! Two sockets for all calls: legs are told apart by who sends.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use socket2::SockAddr;

use super::{
    Relay,
    bare::{Running, SWEEP, bind, wait, watch},
    many::{MOST, Outgoing, Rooms, number, send},
    thread::Thread,
};

const NAME: &str = "shared";

pub(super) struct Shared {
    legs: Vec<(SocketAddr, SocketAddr)>,
    _running: Running,
}

/// One multiplication, as in the engine.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Shared {
    pub(super) fn start(addresses: &[SocketAddr], sweeps: bool) -> io::Result<Shared> {
        let sockets = [bind()?, bind()?];
        for socket in &sockets {
            let socket = socket2::SockRef::from(socket);
            socket.set_recv_buffer_size(4 << 20)?;
            socket.set_send_buffer_size(4 << 20)?;
        }
        let legs = vec![(sockets[0].local_addr()?, sockets[1].local_addr()?); addresses.len() / 2];
        let epoll = watch(&sockets)?;
        let peers: Vec<SockAddr> = addresses.iter().copied().map(SockAddr::from).collect();
        let by_source: HashMap<u64, usize, BuildHasherDefault<Mixed>> =
            addresses.iter().enumerate().map(|(index, peer)| (number(peer), index)).collect();
        let relay = move |ended: &AtomicBool| {
            let mut rooms = Rooms::new();
            while !ended.load(Ordering::Relaxed) {
                let mut more = false;
                wait(&epoll, |side| {
                    more |= rooms.receive(&sockets[side]) == MOST;
                    let whose = |from: u64| by_source.get(&from).map(|index| &peers[index ^ 1]);
                    let packets = rooms
                        .each()
                        .filter_map(|(bytes, from)| Some(Outgoing { bytes, to: whose(from)?, from: None }));
                    send(&sockets[side ^ 1], &packets.collect::<Vec<_>>());
                });
                if sweeps && !more {
                    std::thread::sleep(SWEEP);
                }
            }
        };
        Ok(Shared { legs, _running: Running::start(NAME, relay)? })
    }
}

impl Relay for Shared {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.legs.clone()
    }

    fn threads(&self) -> io::Result<Vec<Thread>> {
        Ok(vec![Thread::named(NAME)?])
    }
}
