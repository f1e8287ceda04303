//! Relays of sound side by side: ours, and a bare one that does nothing but forward, under the same packets in one run.
#![allow(clippy::disallowed_methods, reason = "a load generator lives by the clock")]

mod bare;
mod many;
mod ours;
mod thread;
mod traffic;

use std::{io, net::SocketAddr, time::Duration};

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
    #[arg(long, value_delimiter = ',', default_value = "100000,200000")]
    pub rates: Vec<u64>,
    /// Seconds of each run.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// How often all of it.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// The core of the relay; the packets come from the other one.
    #[arg(long, default_value_t = 0)]
    pub core: usize,
}

/// Who relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// One socket a leg, epoll, one packet a call into the system: the least that a relay of this kind can do.
    Bare,
    /// Our media worker: that, and continuity of numbers, statistics, latching and RTCP.
    Ours,
}

impl Contender {
    /// In the order of the runs.
    pub const ALL: [Contender; 2] = [Contender::Bare, Contender::Ours];

    /// As in the table.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Bare => "bare epoll relay",
            Contender::Ours => "media worker",
        }
    }
}

/// What one run came to.
#[derive(Debug, Clone)]
pub struct Run {
    /// Who relayed.
    pub contender: Contender,
    /// Packets a second that were offered.
    pub rate: u64,
    /// CPU time of the relay's thread.
    pub cpu: Duration,
    /// What came out again.
    pub heard: Heard,
}

impl Run {
    /// Packets that the relay carries in a second of its thread's CPU time.
    pub fn per_cpu_second(&self) -> f64 {
        self.heard.packets as f64 / self.cpu.as_secs_f64()
    }
}

/// A relay that runs: where the two legs of each call are, and on which thread.
trait Relay {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)>;
    fn thread(&self) -> io::Result<Thread>;
}

/// One contender under one rate.
///
/// # Errors
/// If sockets or threads are not to be had.
pub fn run(load: &Load, contender: Contender, rate: u64) -> io::Result<Run> {
    let mut traffic = Traffic::new()?;
    let [a, b] = traffic.addresses()?;
    let relay: Box<dyn Relay> = match contender {
        Contender::Bare => Box::new(bare::Bare::start(load.calls, a, b)?),
        Contender::Ours => Box::new(ours::Ours::start(load.calls, a, b)?),
    };
    let thread = relay.thread()?;
    thread.pin(load.core)?;
    Thread::current()?.pin(1 - load.core.min(1))?;
    traffic.goes_by(&relay.legs());
    traffic.run(rate, Duration::from_millis(500)); // all legs have been used once
    let before = thread.cpu()?;
    let heard = traffic.run(rate, Duration::from_secs(load.seconds));
    Ok(Run { contender, rate, cpu: thread.cpu()? - before, heard })
}
