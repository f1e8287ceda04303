//! What the journal costs: `cargo run --release -p router --example journal_cost [calls] [directory]`.
//!
//! Appends the facts of whole calls as fast as the room for them allows and prints what the writer's thread and the
//! appending side spent, in calls and facts per CPU-second. Compare only what was measured in one sitting.
#![allow(clippy::disallowed_methods)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use router::{
    config::{JournalConfig, Synchronous},
    driver::journal_writer::{JournalSettings, open, read},
    journal::fact::{CallId, Fact, Micros},
    service::ServiceState,
};
use support::{MORNING, SECOND, direct_call, queue_call};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let calls: u64 = arguments.next().map_or(Ok(100_000), |calls| calls.parse())?;
    let directory =
        arguments.next().map_or_else(|| std::env::temp_dir().join("fernamt-journal-cost"), PathBuf::from);
    measure("direct", calls, &directory, direct_call)?;
    measure("queue", calls, &directory, queue_call)
}

fn measure(
    kind: &str,
    calls: u64,
    directory: &PathBuf,
    tell: fn(CallId, Micros) -> Vec<Fact>,
) -> Result<(), Box<dyn std::error::Error>> {
    fs::remove_dir_all(directory).ok();
    let settings = JournalSettings {
        data_dir: directory.clone(),
        config: JournalConfig {
            retention: Duration::from_secs(90 * 86_400),
            spill: 1_000_000,
            synchronous: Synchronous::Normal,
            flush: Duration::from_millis(200),
        },
        version: "cost".into(),
        generation: 1,
        started_at: MORNING,
    };
    let opened = open(settings, ServiceState::starting())?;
    let (mut facts, mut appending) = (0, 0);
    for first in (0..calls).step_by(1_000) {
        let call = |key| tell(CallId { run: MORNING, key }, MORNING + key as Micros * 500);
        let told: Vec<Fact> = (first..calls.min(first + 1_000)).flat_map(call).collect();
        facts += told.len() as u64;
        let before = thread_ns("main")?;
        told.into_iter().for_each(|fact| opened.journal.append(fact));
        appending += thread_ns("main")? - before;
        opened.journal.flush(Duration::from_secs(60));
    }
    let flushed = opened.journal.flush(Duration::from_secs(60));
    let (writer, counters) = (thread_ns("journal")?, opened.journal.counters());
    let restart = Instant::now();
    let ledger = read(directory)?.ledger()?;
    let restart = restart.elapsed().as_millis();
    let mean_commit = counters.commit.sum_seconds() / counters.commit.count() as f64 * 1e3;
    opened.writer.stop(MORNING + calls as Micros * SECOND, 1);
    let bytes: u64 =
        fs::read_dir(directory)?.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    println!(
        "{kind}: {calls} calls, {facts} facts, all written: {flushed}, lost: {}\n  \
         writer {:.1} µs a call, {:.0} calls and {:.0} facts per CPU-second, mean commit {mean_commit:.1} ms\n  \
         append {:.0} ns a fact; {} bytes a call on disk; a start after a crash here reads for {restart} ms (to fact {})",
        counters.facts_lost,
        writer as f64 / calls as f64 / 1e3,
        calls as f64 / writer as f64 * 1e9,
        facts as f64 / writer as f64 * 1e9,
        appending as f64 / facts as f64,
        bytes / calls,
        ledger.last_seq,
    );
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// CPU time of this process's thread with this name (`main`: the first) in nanoseconds.
fn thread_ns(name: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let schedstat = match name {
        "main" => "/proc/thread-self/schedstat".into(),
        _ => fs::read_dir("/proc/self/task")?
            .flatten()
            .map(|task| task.path())
            .find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name))
            .ok_or("no such thread")?
            .join("schedstat"),
    };
    Ok(fs::read_to_string(schedstat)?.split_whitespace().next().ok_or("empty schedstat")?.parse()?)
}
