//! Our media worker with bridged calls, as the router sets them up.

use std::{io, net::SocketAddr};

use media::{
    Codec, Command, Direction, MediaLegKey, Stream,
    driver::{MediaSocket, Worker, WorkerSettings},
};

use super::{Relay, thread::Thread};

const NAME: &str = "ours";

pub(super) struct Ours {
    legs: Vec<(SocketAddr, SocketAddr)>,
    _worker: Worker,
}

impl Ours {
    pub(super) fn start(calls: usize, a: SocketAddr, b: SocketAddr) -> io::Result<Ours> {
        let settings = WorkerSettings { name: NAME.into(), ..WorkerSettings::new(1) };
        let worker = Worker::spawn(settings, Box::new(|| ()))?;
        let mut legs = Vec::with_capacity(calls);
        for call in 0..calls as u64 {
            let keys = [MediaLegKey(2 * call), MediaLegKey(2 * call + 1)];
            let sockets = [bind()?, bind()?];
            legs.push((sockets[0].local(), sockets[1].local()));
            for ((leg, socket), peer) in keys.into_iter().zip(sockets).zip([a, b]) {
                let open = Command::Open { leg, ssrc: leg.0 as u32, sequence: 1, timestamp: 1, cname: leg.0 };
                worker.open(socket, open).map_err(io::Error::other)?;
                send(&worker, Command::Connect { leg, stream: stream(peer) })?;
            }
            send(&worker, Command::Bridge { a: keys[0], b: keys[1] })?;
        }
        Ok(Ours { legs, _worker: worker })
    }
}

impl Relay for Ours {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.legs.clone()
    }

    fn thread(&self) -> io::Result<Thread> {
        Thread::named(NAME)
    }
}

fn bind() -> io::Result<MediaSocket> {
    MediaSocket::bind([127, 0, 0, 1].into(), 0)
}

fn send(worker: &Worker, command: Command) -> io::Result<()> {
    worker.send(command).map_err(io::Error::other)
}

/// A-law at `peer`, with RTCP beside the sound.
fn stream(peer: SocketAddr) -> Stream {
    Stream {
        remote: Some(peer),
        remote_rtcp: None,
        rtcp_mux: true,
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        send_event: Some(101),
        receive_event: Some(101),
        direction: Direction::SendRecv,
        ptime: 20,
        remote_holds: false,
        rtcp_wanted: true,
        tones: Default::default(),
        wanted_reports: Default::default(),
        keys: None,
    }
}
