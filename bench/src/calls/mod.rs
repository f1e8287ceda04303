//! A load generator for call routers: callers and called parties on two UDP sockets, or two TLS connections, and one
//! thread.
//!
//! It knows just enough SIP: templates out, our own parser in. It repeats nothing, unless told to: on loopback a lost
//! datagram is a finding, so it counts as a failed call.
#![allow(clippy::disallowed_methods, reason = "a load generator lives by the clock")]

mod called;
mod caller;
mod process;
mod registrations;
mod report;
mod tls;
mod wire;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

pub use process::{Process, udp_drops};
pub use report::Report;

use called::Called;
use caller::Caller;
use wire::Wire;

/// What kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Calls at a rate, each held for `hold`.
    Direct,
    /// `calls` calls, all up at the same time; memory is read then.
    Held,
    /// The router speaks to a caller who sends nothing: ACK to first packet.
    Announce,
    /// Telephones register again and again, each as soon as it is its turn at that rate, with a password each time.
    Register,
    /// Callers wait for agents and hang up after a random talk of `hold` to three times that.
    Queue,
}

/// The load.
#[derive(Debug, Clone, clap::Parser)]
pub struct Load {
    /// What kind.
    #[arg(long, value_enum, default_value = "direct")]
    pub mode: Mode,
    /// Process to measure.
    #[arg(long)]
    pub pid: u32,
    /// Where the router takes SIP.
    #[arg(long, default_value = "127.0.0.1:5060")]
    pub router: SocketAddr,
    /// Called number.
    #[arg(long, default_value = "+49301234567")]
    pub number: String,
    /// Our caller's address.
    #[arg(long, default_value = "127.0.0.1:5070")]
    pub caller: SocketAddr,
    /// Our called party's address: where the router's trunk or agents point.
    #[arg(long, default_value = "127.0.0.1:5090")]
    pub called: SocketAddr,
    /// New calls a second.
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Calls in all.
    #[arg(long, default_value_t = 10_000)]
    pub calls: u64,
    /// How long a call is held, in milliseconds; in queue mode the shortest talk.
    #[arg(long, default_value_t = 0)]
    pub hold: u64,
    /// Callers waiting at once in queue mode: no new one comes while there are as many.
    #[arg(long, default_value_t = 300)]
    pub waiting: usize,
    /// Speak TLS on both sides: PEM file with the certificate that we show and believe, and its key. `router` is its
    /// TLS listener then.
    #[arg(long)]
    pub tls: Option<PathBuf>,
    /// Repeat INVITEs that nobody answers, after 0.5, 1, 2, … s (RFC 3261 §17.1.1.2): for a router that is to be overrun.
    #[arg(long)]
    pub repeat: bool,
    /// One JSON object instead of lines.
    #[arg(long)]
    pub json: bool,
}

impl Load {
    fn transport(&self) -> &'static str {
        if self.tls.is_some() { "TLS" } else { "UDP" }
    }

    fn contact(&self, local: SocketAddr) -> String {
        format!("<sip:{local}{}>", if self.tls.is_some() { ";transport=tls" } else { "" })
    }
}

/// A call that has not ended after this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest sleep between two looks at what is due.
const LOOK_AROUND: Duration = Duration::from_millis(1);

/// Runs the load to its end.
///
/// # Errors
/// If a socket cannot be opened or the process is not there.
pub fn run(load: &Load) -> std::io::Result<Report> {
    if load.mode == Mode::Register {
        return registrations::run(load);
    }
    let mut wire = Wire::open(load)?;
    let mut caller = Caller::new(load, wire.sound_port());
    let mut called = Called::new(load);
    let mut report = Report::begin(load)?;
    let (start, gap) = (Instant::now(), Duration::from_secs_f64(1.0 / load.rate));
    // Another run within 32 s must not look like a repetition of this one.
    let first = u64::from(std::process::id()) * 1_000_000;
    let (mut next, mut begun, mut out) = (start, 0, VecDeque::new());
    loop {
        let now = Instant::now();
        while begun < load.calls && next <= now && caller.may_dial() {
            caller.dial(now, first + begun, &mut out);
            begun += 1;
            next = (next + gap).max(now.checked_sub(gap * 50).unwrap_or(start));
        }
        if begun == load.calls {
            report.note_all_begun(start.elapsed());
        }
        caller.due(now, &mut report, &mut out);
        caller.repeat(now, &mut report, &mut out);
        wire.send_all(&mut out);
        let done = begun == load.calls && caller.is_done(now, &mut report, &mut out);
        wire.send_all(&mut out);
        if done {
            return Ok(report.end(start.elapsed()));
        }
        // Who may not dial does not spin: that would take a core from the router.
        let dials = begun < load.calls && caller.may_dial();
        let idle = if dials { next.saturating_duration_since(now) } else { LOOK_AROUND };
        wire.wait(idle.min(LOOK_AROUND));
        while let Some((bytes, from)) = wire.read_caller() {
            caller.hear(Instant::now(), bytes, from, &mut report, &mut out);
        }
        while let Some((bytes, from)) = wire.read_called() {
            if let Some(invite) = called.hear(bytes, from, &mut out) {
                caller.is_served(Instant::now(), &invite, &mut report);
            }
        }
        while let Some(from) = wire.read_sound() {
            caller.sound(Instant::now(), from, &mut report);
        }
    }
}
