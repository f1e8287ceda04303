//! The same floor under random schedules: more threads, callers and agents than every interleaving could be tried of.
//! Every atomic operation counts as sequentially consistent here, so what orders memory is loom's to prove.
#![cfg(fernamt_shuttle)]

mod owners;

use owners::{Floor, when_quiet_everything_adds_up};
use shuttle::{rand::Rng, thread};

const THREADS: u32 = 4;
const STEPS: u32 = 8; // per thread
const SCHEDULES: usize = 50_000;

fn a_short_rush() {
    let floor = Floor::new(THREADS, 2, 1, 3);
    let owners: Vec<_> = thread::scope(|scope| {
        let run = |index: u32| {
            let (floor, random) = (&floor, shuttle::rand::thread_rng().r#gen());
            scope.spawn(move || {
                let mut owner = floor.owner(index, random);
                (0..STEPS).for_each(|_| owner.step());
                owner
            })
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    when_quiet_everything_adds_up(&floor, owners);
}

#[test]
fn fifty_thousand_random_schedules() {
    shuttle::check_random(a_short_rush, SCHEDULES);
}

/// Few changes of threads, at the points where they hurt most.
#[test]
fn fifty_thousand_schedules_with_three_changes_of_priority() {
    shuttle::check_pct(a_short_rush, SCHEDULES, 3);
}
