//! Real threads on one floor: the laws of the scheduler hold while they race, and its counts when they have stopped.
#![cfg(not(any(fernamt_loom, fernamt_shuttle)))]

mod owners;

use std::{sync::Barrier, thread};

use owners::{Floor, when_quiet_everything_adds_up};

const THREADS: u32 = 4;
/// All threads begin each round together: a thread running alone soon has all agents with its callers.
const ROUNDS: u32 = 10_000;
const STEPS: u32 = 100; // per thread and round

#[test]
fn whatever_races_an_agent_has_one_call_and_nobody_free_stands_beside_a_waiting_caller() {
    let (floor, round) = (Floor::new(THREADS, 8, 3, 3), Barrier::new(THREADS as usize));
    let owners: Vec<_> = thread::scope(|scope| {
        let run = |index: u32| {
            let (floor, round) = (&floor, &round);
            scope.spawn(move || {
                let mut owner = floor.owner(index, index.into());
                for _ in 0..ROUNDS {
                    round.wait();
                    (0..STEPS).for_each(|_| owner.step());
                }
                owner
            })
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let matches = when_quiet_everything_adds_up(&floor, owners);
    assert!(matches > ROUNDS.into(), "{matches} matches are too few to prove anything");
}
