//! Relays of sound side by side under the same packets in one run: our worker in every mode, bare ones that do nothing
//! but forward, and rtpengine.
#![allow(clippy::disallowed_methods, reason = "a load generator lives by the clock")]

mod bare;
mod many;
mod memory;
mod ours;
pub mod plot;
mod rtpengine;
mod shared;
mod table;
mod thread;
mod traffic;
mod uring;

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::srtp::Suite;

pub use memory::grow;
pub use table::print;
use thread::Thread;
pub use traffic::Heard;
use traffic::Traffic;

/// The load.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// Bridged calls; each has two legs.
    #[arg(long, default_value_t = 1_000)]
    pub calls: usize,
    /// Packets a second through all legs together, one run for each. 1,000 calls of 20 ms have 100,000.
    #[arg(long, value_delimiter = ',', default_value = "100000,200000,300000")]
    pub rates: Vec<u64>,
    /// Seconds of each run.
    #[arg(long, default_value_t = 1)]
    pub seconds: u64,
    /// How often all of it.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// The core of the relay; the packets come from the other one.
    #[arg(long, default_value_t = 0)]
    pub core: usize,
    /// Some modes only.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub modes: Vec<Mode>,
    /// Where the plot goes; none if absent.
    #[arg(long)]
    pub plot: Option<std::path::PathBuf>,
    /// Prints the memory of a leg of our worker in this mode, in bytes, and measures nothing else.
    #[arg(long, value_enum)]
    pub memory: Option<Mode>,
}

/// Who relays, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// One socket a leg, epoll, one packet a call into the system: the least that a relay of this kind can do.
    Bare,
    /// The same with every socket connected to its peer.
    Connected,
    /// The same as the first, but it looks at its sockets every 250 µs instead of being woken by them.
    Sweep,
    /// A socket a leg in one io_uring: multishot receives into provided buffers, sends in batches.
    Uring,
    /// The same with a look every 250 µs.
    UringSweep,
    /// Two sockets for all, recvmmsg and sendmmsg, legs told apart by source address.
    Shared,
    /// The same with a look every 250 µs.
    SharedSweep,
    /// Our worker as below, but woken by every packet.
    Woken,
    /// Our worker: continuity of numbers, statistics, latching and RTCP.
    Rtp,
    /// Our worker with SRTP on both sides, AES_CM_128_HMAC_SHA1_80.
    Cm,
    /// Our worker with SRTP on both sides, AEAD_AES_128_GCM.
    Gcm,
    /// Our worker with RTP on one side and AES_CM_128_HMAC_SHA1_80 on the other.
    Mixed,
    /// Two of our workers, a core and half of the calls for each.
    Two,
    /// Our worker playing music to a leg for every 50 packets a second.
    Music,
    /// rtpengine in userspace with one thread, if it is installed.
    Rtpengine,
}

impl Mode {
    /// In the order of the runs.
    pub const ALL: [Mode; 15] = [
        Mode::Bare,
        Mode::Connected,
        Mode::Sweep,
        Mode::Uring,
        Mode::UringSweep,
        Mode::Shared,
        Mode::SharedSweep,
        Mode::Woken,
        Mode::Rtp,
        Mode::Cm,
        Mode::Gcm,
        Mode::Mixed,
        Mode::Two,
        Mode::Music,
        Mode::Rtpengine,
    ];

    /// As in the table.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Bare => "bare epoll relay",
            Mode::Connected => "bare, connected sockets",
            Mode::Sweep => "bare, a look every 250 µs",
            Mode::Uring => "bare, io_uring",
            Mode::UringSweep => "bare, io_uring, a look every 250 µs",
            Mode::Shared => "bare, two shared sockets",
            Mode::SharedSweep => "bare, two shared sockets, a look every 250 µs",
            Mode::Woken => "worker without sweeps, RTP to RTP",
            Mode::Rtp => "worker, RTP to RTP",
            Mode::Cm => "worker, SRTP to SRTP, AES_CM_128_HMAC_SHA1_80",
            Mode::Gcm => "worker, SRTP to SRTP, AEAD_AES_128_GCM",
            Mode::Mixed => "worker, RTP to SRTP (AES_CM_128_HMAC_SHA1_80)",
            Mode::Two => "two workers, RTP to RTP",
            Mode::Music => "worker, music",
            Mode::Rtpengine => "rtpengine",
        }
    }

    /// It relays, and is more than one more way to be bare.
    fn is_whole(self) -> bool {
        match self {
            Mode::Connected
            | Mode::Sweep
            | Mode::Uring
            | Mode::UringSweep
            | Mode::Shared
            | Mode::SharedSweep => false,
            Mode::Music => false,
            Mode::Bare
            | Mode::Woken
            | Mode::Rtp
            | Mode::Cm
            | Mode::Gcm
            | Mode::Mixed
            | Mode::Two
            | Mode::Rtpengine => true,
        }
    }

    /// What the peers of the first legs and those of the second protect their packets with.
    fn suites(self) -> [Option<Suite>; 2] {
        let cm = Some(Suite::AesCm128HmacSha1_80);
        match self {
            Mode::Cm => [cm, cm],
            Mode::Gcm => [Some(Suite::AeadAes128Gcm); 2],
            Mode::Mixed => [None, cm],
            _ => [None, None],
        }
    }

    fn start(self, peers: Vec<SocketAddr>) -> io::Result<Box<dyn Relay>> {
        Ok(match self {
            Mode::Bare => Box::new(bare::Bare::start(peers, false, false)?),
            Mode::Connected => Box::new(bare::Bare::start(peers, true, false)?),
            Mode::Sweep => Box::new(bare::Bare::start(peers, false, true)?),
            Mode::Uring => Box::new(uring::Uring::start(&peers, false)?),
            Mode::UringSweep => Box::new(uring::Uring::start(&peers, true)?),
            Mode::Shared => Box::new(shared::Shared::start(&peers, false)?),
            Mode::SharedSweep => Box::new(shared::Shared::start(&peers, true)?),
            Mode::Rtp | Mode::Cm | Mode::Gcm | Mode::Mixed => {
                Box::new(ours::Ours::start(1, &peers, self.suites())?)
            }
            Mode::Woken => Box::new(ours::Ours::start_woken(&peers)?),
            Mode::Two => Box::new(ours::Ours::start(2, &peers, self.suites())?),
            Mode::Music => Box::new(ours::Ours::play(&peers)?),
            Mode::Rtpengine => Box::new(rtpengine::Rtpengine::start(&peers)?),
        })
    }
}

/// What one run came to.
#[derive(Debug, Clone)]
pub struct Run {
    /// Who relayed.
    pub mode: Mode,
    /// Packets a second that were offered.
    pub rate: u64,
    /// CPU time of the relay's threads.
    pub cpu: Duration,
    /// How long it took.
    pub length: Duration,
    /// What came out again.
    pub heard: Heard,
    /// All of it ran before whatever else the machine did.
    pub real_time: bool,
}

impl Run {
    /// Packets that the relay carries in a second of its threads' CPU time.
    pub fn per_cpu_second(&self) -> f64 {
        self.heard.packets as f64 / self.cpu.as_secs_f64()
    }
}

/// A relay that runs: where the two legs of each call are, and on which threads. It ends when dropped.
trait Relay {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)>;
    fn threads(&self) -> io::Result<Vec<Thread>>;
    /// Packets it has sent by itself; `None` if it only relays.
    fn played(&self) -> Option<u64> {
        None
    }
}

/// One mode under one rate.
///
/// # Errors
/// If sockets or threads are not to be had, or there is no rtpengine.
pub fn run(load: &Load, mode: Mode, rate: u64) -> io::Result<Run> {
    let legs_of_music = rate as usize / 100; // half of them: a "call" has two
    let calls = if mode == Mode::Music { legs_of_music } else { load.calls };
    let mut traffic = Traffic::new(calls, mode.suites())?;
    let relay = mode.start(traffic.peers())?;
    let threads = relay.threads()?;
    let other = 1 - load.core.min(1);
    let (myself, mut real_time) = (Thread::current()?, true);
    myself.pin(other)?;
    for (n, thread) in threads.iter().enumerate() {
        thread.pin(if mode == Mode::Two && n == 1 { other } else { load.core })?;
        real_time &= thread.goes_first();
    }
    real_time &= myself.goes_first();
    traffic.goes_by(&relay.legs());
    let length = Duration::from_secs(load.seconds);
    traffic.run(rate, Duration::from_millis(500), relay.as_ref()); // all legs have been used once
    let cpu = || threads.iter().map(|thread| thread.cpu()).sum::<io::Result<Duration>>();
    let (before, start) = (cpu()?, Instant::now());
    let heard = traffic.run(rate, length, relay.as_ref());
    Ok(Run { mode, rate, cpu: cpu()? - before, length: start.elapsed(), heard, real_time })
}
