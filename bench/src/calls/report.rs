//! What a run came to.

use std::{collections::BTreeMap, fmt, io, time::Duration};

use super::{
    Load, Mode,
    process::{Process, calibrate, udp_drops, udp_kernel_kb},
};

/// Figures of one run.
#[derive(Debug)]
pub struct Report {
    mode: Mode,
    process: Process,
    calibration: (f64, u64),
    rate: f64,
    cpu_before: f64,
    resident_before: u64,
    drops_before: u64,
    ended: u64,
    failed: BTreeMap<u16, u64>,
    repeats: u64,
    invites_repeated: u64,
    /// When the last call was begun, and how many had gone well by then.
    all_begun: Option<(Duration, u64)>,
    setup: Vec<Duration>,
    byes: Vec<Duration>,
    first_sound: Vec<Duration>,
    gaps: Vec<Duration>,
    held: Option<Held>,
    cpu: f64,
    resident_after: u64,
    drops: u64,
    lasted: Duration,
}

#[derive(Debug)]
struct Held {
    calls: u64,
    resident_kb: f64,
    kernel_kb: f64,
}

impl Report {
    pub(super) fn begin(load: &Load) -> io::Result<Report> {
        let process = Process(load.pid);
        let calibration = calibrate()?;
        Ok(Report {
            mode: load.mode,
            process,
            calibration,
            rate: load.rate,
            cpu_before: process.cpu_seconds()?,
            resident_before: process.resident_kb()?,
            drops_before: udp_drops(),
            ended: 0,
            failed: BTreeMap::new(),
            repeats: 0,
            invites_repeated: 0,
            all_begun: None,
            setup: Vec::new(),
            byes: Vec::new(),
            first_sound: Vec::new(),
            gaps: Vec::new(),
            held: None,
            cpu: 0.0,
            resident_after: 0,
            drops: 0,
            lasted: Duration::ZERO,
        })
    }

    pub(super) fn note_setup(&mut self, took: Duration) {
        self.setup.push(took);
    }

    /// The last call was begun; said again, it changes nothing.
    pub(super) fn note_all_begun(&mut self, after: Duration) {
        let went_well = self.ended - self.failed();
        self.all_begun.get_or_insert((after, went_well));
    }

    pub(super) fn note_invite_repeated(&mut self) {
        self.invites_repeated += 1;
    }

    pub(super) fn note_bye(&mut self, took: Duration) {
        self.byes.push(took);
    }

    pub(super) fn note_repeat(&mut self) {
        self.repeats += 1;
    }

    pub(super) fn note_first_sound(&mut self, after: Duration) {
        self.first_sound.push(after);
    }

    pub(super) fn note_gap(&mut self, idle: Duration) {
        self.gaps.push(idle);
    }

    pub(super) fn note_end(&mut self, failed: Option<u16>) {
        self.ended += 1;
        if let Some(status) = failed {
            *self.failed.entry(status).or_default() += 1;
        }
    }

    pub(super) fn note_held(&mut self, calls: u64) {
        let resident = self.process.resident_kb().unwrap_or(0).saturating_sub(self.resident_before);
        let each = |kb: u64| kb as f64 / calls as f64;
        self.held = Some(Held { calls, resident_kb: each(resident), kernel_kb: each(udp_kernel_kb()) });
    }

    pub(super) fn end(mut self, lasted: Duration) -> Report {
        self.cpu = self.process.cpu_seconds().unwrap_or(0.0) - self.cpu_before;
        self.resident_after = self.process.resident_kb().unwrap_or(0);
        self.drops = udp_drops() - self.drops_before;
        self.lasted = lasted;
        self
    }

    /// Calls that did not go as they should.
    pub fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Calls per second of the process's CPU.
    pub fn calls_per_cpu_second(&self) -> f64 {
        self.ended as f64 / self.cpu
    }

    /// All figures as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        let held = self.held.as_ref();
        let (user_loop_s, datagram_ns) = self.calibration;
        serde_json::json!({
            "calibration": { "user_loop_s": user_loop_s, "datagram_ns": datagram_ns },
            "mode": format!("{:?}", self.mode).to_lowercase(),
            "rate": self.rate,
            "seconds": self.lasted.as_secs_f64(),
            "calls": self.ended,
            "failed": self.failed(),
            "failed_by_status": self.failed,
            "repeated_answers": self.repeats,
            "repeated_invites": self.invites_repeated,
            "begun_per_second": self.all_begun.map(|(after, _)| self.ended as f64 / after.as_secs_f64()),
            "completed_per_second": self.all_begun.map(|(after, well)| well as f64 / after.as_secs_f64()),
            "cpu_seconds": self.cpu,
            "calls_per_cpu_second": self.calls_per_cpu_second(),
            "setup_ms": quantiles(&self.setup),
            "bye_ms": quantiles(&self.byes),
            "ack_to_first_sound_ms": quantiles(&self.first_sound),
            "agent_free_to_invite_ms": quantiles(&self.gaps),
            "resident_kb_before": self.resident_before,
            "resident_kb_after": self.resident_after,
            "held_calls": held.map(|held| held.calls),
            "resident_kb_per_held_call": held.map(|held| held.resident_kb),
            "kernel_udp_kb_per_held_call": held.map(|held| held.kernel_kb),
            "udp_drops": self.drops,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = self.json();
        let fields = json.as_object().into_iter().flatten();
        for (name, value) in fields.filter(|(_, value)| !value.is_null()) {
            writeln!(f, "{name:28} {value}")?;
        }
        Ok(())
    }
}

/// p50, p90, p99 and the largest, in milliseconds; nothing if nothing was measured.
fn quantiles(lengths: &[Duration]) -> Option<serde_json::Value> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let millis = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    (!sorted.is_empty()).then(|| {
        serde_json::json!({
            "n": sorted.len(), "p50": millis(0.5), "p90": millis(0.9), "p99": millis(0.99), "max": millis(1.0),
        })
    })
}
