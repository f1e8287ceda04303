//! How much threads on one line hinder each other: counted, not timed. Needs the feature `retries`.
#![cfg(all(not(any(fernamt_loom, fernamt_shuttle)), feature = "retries"))]

use std::sync::Barrier;
use std::thread;

use scheduler::{Agent, Caller, Capacity, Line, Scheduler, retries};

const THREADS: u32 = 2;
const EACH: u32 = 10;
const CYCLES: u32 = 200_000;

/// One thread's cycles: a caller posts, gets somebody, hangs up, and the agent is ready again. Returns how many
/// operations needed how many retries.
fn cycles(floor: &Scheduler, thread: u32) -> Vec<u64> {
    let mut seen = vec![0; 1_000];
    let mut note = |count: u32| seen[(count as usize).min(999)] += 1;
    for cycle in 0..CYCLES {
        let caller = Caller(thread * EACH + cycle % EACH);
        let _told = floor.post(caller, Line(0), cycle.into());
        note(retries::take());
        let agent = loop {
            match floor.take_letter(caller) {
                Some(agent) => break agent,
                None => thread::yield_now(),
            }
        };
        note(retries::take());
        floor.release(agent);
        let _told = floor.ready(agent, |_| cycle.into());
        note(retries::take());
    }
    seen
}

#[test]
fn of_a_thousand_operations_on_one_line_at_most_one_needs_more_than_eight_retries() {
    let floor = Scheduler::new(Capacity {
        callers: THREADS * EACH,
        agents: THREADS * EACH,
        lines: 1,
        memberships: 1,
    });
    for agent in (0..THREADS * EACH).map(Agent) {
        assert!(floor.set_memberships(agent, &[Line(0)], |_| 0).is_empty());
        assert!(floor.ready(agent, |_| agent.0.into()).is_empty());
    }
    let begin = Barrier::new(THREADS as usize);
    let seen: Vec<Vec<u64>> = thread::scope(|scope| {
        let run = |thread| {
            let (floor, begin) = (&floor, &begin);
            scope.spawn(move || {
                begin.wait();
                cycles(floor, thread)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let of = |counts: std::ops::Range<usize>| {
        seen.iter().map(|seen| seen[counts.clone()].iter().sum::<u64>()).sum::<u64>()
    };
    let (all, many) = (of(0..1_000), of(9..1_000));
    println!("{all} operations: {} without a retry, {} with 1 to 8, {many} with more", of(0..1), of(1..9));
    assert!(of(1..1_000) > 0, "the threads never met");
    assert!(many * 1_000 <= all, "{many} of {all} needed more than eight");
}
