//! The scheduler beside a mutex around sorted sets and beside skip lists, in one run.
//!
//! `cargo bench -p bench --bench scheduler`. One cycle is a whole assignment: an agent is given a caller, the letter
//! is taken, the agent is released and ready again, a caller posts again. Compare only figures of one run. At the end
//! the growth from 10 to 1,000,000 waiting callers is measured and drawn: `bench/results/scheduler.svg`.
#![allow(clippy::disallowed_methods, reason = "a benchmark owns its clock")]

mod curve;
mod floor;
mod lock_free;
mod mutex;
mod skiplist;
mod threads;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use floor::{Backlog, Floor, Free, Scene};
use mutex::Locked;
use scheduler::Scheduler;
use skiplist::SkipLists;

const SMALL: Scene = Scene { callers: 10, agents: 10, lines: 1, memberships: 1 };
const SITE: Scene = Scene { callers: 10_000, agents: 1_000, lines: 50, memberships: 3 };
const COUNTRY: Scene = Scene { callers: 1_000_000, agents: 20_000, lines: 1_000, memberships: 5 };

fn one_thread<F: Floor>(c: &mut Criterion) {
    for scene in [SMALL, SITE, COUNTRY] {
        let bench = BenchmarkId::new(F::NAME, scene.name());
        let floor: F = scene.floor();
        let mut free = Free::new(&floor, scene);
        c.benchmark_group("agents free").bench_function(bench.clone(), |b| b.iter(|| free.cycle()));

        let floor: F = scene.floor();
        let mut backlog = Backlog::new(&floor, scene);
        c.benchmark_group("callers waiting").bench_function(bench.clone(), |b| b.iter(|| backlog.cycle()));
        c.benchmark_group("give up and post").bench_function(bench.clone(), |b| b.iter(|| backlog.abandon()));
        c.benchmark_group("position").bench_function(bench, |b| b.iter(|| backlog.position()));
    }
}

/// Nanoseconds per cycle of all threads together: with two threads that do not hinder each other half of one's.
fn some_threads<F: Floor>(c: &mut Criterion) {
    for (lines, group) in [(1, "one queue"), (2, "a queue for each thread")] {
        for threads in [1, 2] {
            let bench = BenchmarkId::new(F::NAME, format!("{threads} threads"));
            c.benchmark_group(group)
                .bench_function(bench, |b| b.iter_custom(|cycles| threads::run::<F>(threads, lines, cycles)));
        }
    }
}

fn benches(c: &mut Criterion) {
    one_thread::<Scheduler>(c);
    one_thread::<Locked>(c);
    one_thread::<SkipLists>(c);
    some_threads::<Scheduler>(c);
    some_threads::<Locked>(c);
    some_threads::<SkipLists>(c);
    curve::draw();
}

criterion_group!(all, benches);
criterion_main!(all);
