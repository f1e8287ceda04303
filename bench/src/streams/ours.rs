//! Our media worker with bridged calls, as the router sets them up.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use media::{
    Codec, Command, Direction, MediaLegKey, PlayFrom, Prompt, Stream,
    driver::{MediaSocket, Worker, WorkerSettings},
    sdp::Keys,
    srtp::Suite,
};

use super::{
    Relay,
    thread::Thread,
    traffic::{PAYLOAD_TYPE, key},
};

/// Seconds of music.
const MUSIC: usize = 10;

pub(super) struct Ours {
    legs: Vec<(SocketAddr, SocketAddr)>,
    workers: Vec<Worker>,
    plays: bool,
}

impl Ours {
    /// Calls with these peers, two for each, in turn one call for each worker.
    pub(super) fn start(
        workers: usize,
        peers: &[SocketAddr],
        suites: [Option<Suite>; 2],
    ) -> io::Result<Ours> {
        let mut ours = Ours::without_legs(workers)?;
        ours.bridge_all(peers, suites)?;
        Ok(ours)
    }

    /// The same for one worker that never looks away from its sockets.
    pub(super) fn start_woken(peers: &[SocketAddr]) -> io::Result<Ours> {
        let mut ours = Ours::of(vec![spawn(0, Duration::ZERO)?]);
        ours.bridge_all(peers, [None, None])?;
        Ok(ours)
    }

    pub(super) fn bridge_all(&mut self, peers: &[SocketAddr], suites: [Option<Suite>; 2]) -> io::Result<()> {
        for (call, peers) in peers.chunks_exact(2).enumerate() {
            self.open(call, [peers[0], peers[1]], suites)?;
            let [a, b] = keys(call);
            self.send(call, Command::Bridge { a, b })?;
        }
        Ok(())
    }

    /// Music for two legs of each call, all at the same place of it.
    pub(super) fn play(peers: &[SocketAddr]) -> io::Result<Ours> {
        let mut ours = Ours::without_legs(1)?;
        ours.plays = true;
        let prompt = Arc::new(Prompt::from_samples(&[1_000; 8_000 * MUSIC], "music"));
        for (call, peers) in peers.chunks_exact(2).enumerate() {
            ours.open(call, [peers[0], peers[1]], [None, None])?;
            for leg in keys(call) {
                let (prompt, from) = (prompt.clone(), PlayFrom::Shared);
                ours.send(call, Command::Play { leg, play: 1, prompt: prompt.into(), repeat: true, from })?;
            }
        }
        Ok(ours)
    }

    pub(super) fn without_legs(workers: usize) -> io::Result<Ours> {
        let sweep = WorkerSettings::new(1).sweep;
        Ok(Ours::of((0..workers).map(|n| spawn(n, sweep)).collect::<io::Result<_>>()?))
    }

    fn of(workers: Vec<Worker>) -> Ours {
        Ours { legs: Vec::new(), workers, plays: false }
    }

    /// The two legs of a call.
    fn open(&mut self, call: usize, peers: [SocketAddr; 2], suites: [Option<Suite>; 2]) -> io::Result<()> {
        let sockets = [bind()?, bind()?];
        self.legs.push((sockets[0].local(), sockets[1].local()));
        for (((leg, socket), peer), suite) in keys(call).into_iter().zip(sockets).zip(peers).zip(suites) {
            let open = Command::Open { leg, ssrc: leg.0 as u32, sequence: 1, timestamp: 1, cname: leg.0 };
            self.worker(call).open(socket, open).map_err(io::Error::other)?;
            self.send(call, Command::Connect { leg, stream: stream(peer, suite) })?;
        }
        Ok(())
    }

    fn send(&self, call: usize, command: Command) -> io::Result<()> {
        self.worker(call).send(command).map_err(io::Error::other)
    }

    fn worker(&self, call: usize) -> &Worker {
        &self.workers[call % self.workers.len()]
    }
}

impl Relay for Ours {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.legs.clone()
    }

    fn threads(&self) -> io::Result<Vec<Thread>> {
        (0..self.workers.len()).map(|n| Thread::named(&name(n))).collect()
    }

    fn played(&self) -> Option<u64> {
        self.plays.then(|| self.workers.iter().map(|worker| worker.counters().engine.played).sum())
    }
}

/// Keys of the two legs of a call; they are their SSRCs too.
fn keys(call: usize) -> [MediaLegKey; 2] {
    [MediaLegKey(2 * call as u64), MediaLegKey(2 * call as u64 + 1)]
}

fn spawn(n: usize, sweep: Duration) -> io::Result<Worker> {
    Worker::spawn(WorkerSettings { name: name(n), sweep, ..WorkerSettings::new(1) }, Box::new(|| ()))
}

fn name(worker: usize) -> String {
    format!("ours {worker}")
}

fn bind() -> io::Result<MediaSocket> {
    MediaSocket::bind([127, 0, 0, 1].into(), 0)
}

/// A-law at `peer`, with RTCP beside the sound.
fn stream(peer: SocketAddr, suite: Option<Suite>) -> Stream {
    let keys = suite.map(key).map(|key| Box::new(Keys { send: key.clone(), receive: key.into() }));
    Stream {
        remote: Some(peer),
        remote_rtcp: None,
        rtcp_mux: true,
        codec: Codec::Pcma,
        send_payload_type: PAYLOAD_TYPE,
        receive_payload_type: PAYLOAD_TYPE,
        send_event: Some(101),
        receive_event: Some(101),
        direction: Direction::SendRecv,
        ptime: 20,
        remote_holds: false,
        tones: media::sdp::Tones::default(),
        wanted_reports: media::rtp::xr::Wanted::default(),
        opus: media::codec::OpusParameters::default(),
        dtls: None,
        rtcp_wanted: true,
        keys,
    }
}
