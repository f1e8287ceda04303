//! One or two threads, each with its own ten callers and ten agents, on one line or on a line each.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::floor::{Floor, Scene};

const EACH: u32 = 10;
const THREADS: u32 = 2;

/// The time that `cycles` take when `threads` share them.
pub(crate) fn run<F: Floor>(threads: u32, lines: u32, cycles: u64) -> Duration {
    let scene = Scene { callers: THREADS * EACH, agents: THREADS * EACH, lines, memberships: 1 };
    let serves: Vec<Vec<u32>> = (0..scene.agents).map(|agent| vec![agent / EACH % lines]).collect();
    let floor = F::new(scene, &serves);
    (0..scene.agents).for_each(|agent| _ = floor.ready(agent, u64::from(agent)));
    let (begin, end) = (Barrier::new(threads as usize + 1), Barrier::new(threads as usize + 1));
    thread::scope(|scope| {
        for half in 0..threads {
            let (floor, begin, end) = (&floor, &begin, &end);
            scope.spawn(move || {
                begin.wait();
                let first = u64::from(scene.agents);
                let mine = cycles / u64::from(threads);
                (first..first + mine).for_each(|clock| cycle(floor, half, half % lines, clock));
                end.wait();
            });
        }
        begin.wait();
        let start = Instant::now();
        end.wait();
        start.elapsed()
    })
}

fn cycle<F: Floor>(floor: &F, half: u32, line: u32, clock: u64) {
    // The match may be made by the other thread; the letter is ours to take all the same.
    let caller = half * EACH + (clock % u64::from(EACH)) as u32;
    floor.post(caller, line, clock);
    let agent = loop {
        match floor.take_letter(caller) {
            Some(agent) => break agent,
            None => std::hint::spin_loop(),
        }
    };
    floor.release(agent);
    floor.ready(agent, clock);
}
