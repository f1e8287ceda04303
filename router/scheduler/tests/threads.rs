//! Real threads on one floor: the laws of the scheduler hold while they race, and its counts when they have stopped.
#![cfg(not(fernamt_loom))]

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use scheduler::{Agent, Caller, Capacity, Line, Matches, Rested, Scheduler, Withdrawn};

const THREADS: u32 = 4;
const CALLERS: u32 = 8; // per thread
const AGENTS: u32 = 3; // per thread
const LINES: u32 = 3;
/// All threads begin each round together: a thread running alone soon has all agents with its callers.
const ROUNDS: u32 = 10_000;
const STEPS: u32 = 100; // per thread and round

/// A floor, and what must be true of it.
struct Floor {
    scheduler: Scheduler,
    /// Per agent: 1 + the caller he talks to, or 0.
    talks_to: Vec<AtomicU32>,
    /// Matches that a call reported, and letters read.
    told: AtomicU64,
    read: AtomicU64,
}

/// One thread's callers and agents.
struct Owner<'a> {
    floor: &'a Floor,
    first_caller: u32,
    first_agent: u32,
    random: u64,
    waiting: [bool; CALLERS as usize],
    /// Which of its callers talk, and to whom.
    talking: Vec<(u32, u32)>,
    clock: u64,
}

impl Floor {
    fn new() -> Floor {
        let size = Capacity {
            callers: THREADS * CALLERS,
            agents: THREADS * AGENTS,
            lines: LINES,
            memberships: LINES,
        };
        let scheduler = Scheduler::new(size);
        for agent in 0..size.agents {
            let lines: Vec<_> = (0..LINES).filter(|q| agent % LINES != *q).map(Line).collect();
            assert!(scheduler.set_memberships(Agent(agent), &lines, |_| 0).is_empty());
        }
        let talks_to = (0..size.agents).map(|_| AtomicU32::new(0)).collect();
        Floor { scheduler, talks_to, told: AtomicU64::new(0), read: AtomicU64::new(0) }
    }

    fn tell(&self, matches: Matches) {
        self.told.fetch_add(matches.len() as u64, Ordering::Relaxed);
    }
}

impl Owner<'_> {
    fn below(&mut self, limit: u32) -> u32 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.random >> 33) % u64::from(limit)) as u32
    }

    fn step(&mut self) {
        self.clock += 1;
        let (caller, agent) = (self.below(CALLERS), self.below(AGENTS) + self.first_agent);
        match self.below(10) {
            0..3 => self.post(caller),
            3 => self.withdraw(caller),
            4..6 => self.read(caller),
            6..8 => self.floor.tell(self.floor.scheduler.ready(Agent(agent), |_| self.clock)),
            8 => self.hang_up(),
            _ => self.rest(agent),
        }
    }

    fn post(&mut self, caller: u32) {
        if !self.waiting[caller as usize] && self.talking.iter().all(|(c, _)| *c != caller) {
            let line = Line(self.below(LINES));
            self.waiting[caller as usize] = true;
            // The same key each time: a late finder must not take the new post for the old one.
            let key = u64::from(caller);
            self.floor.tell(self.floor.scheduler.post(Caller(self.first_caller + caller), line, key));
        }
    }

    fn withdraw(&mut self, caller: u32) {
        match self.floor.scheduler.withdraw(Caller(self.first_caller + caller)) {
            Withdrawn::Gone => {}
            Withdrawn::Assigned(agent) => self.talk(caller, agent),
        }
        self.waiting[caller as usize] = false;
    }

    fn read(&mut self, caller: u32) {
        if let Some(agent) = self.floor.scheduler.take_letter(Caller(self.first_caller + caller)) {
            self.talk(caller, agent);
        }
    }

    fn talk(&mut self, caller: u32, Agent(agent): Agent) {
        assert!(self.waiting[caller as usize], "a letter for a caller who did not wait");
        self.waiting[caller as usize] = false;
        let before =
            self.floor.talks_to[agent as usize].swap(1 + self.first_caller + caller, Ordering::Relaxed);
        assert_eq!(before, 0, "an agent in two assignments");
        self.floor.read.fetch_add(1, Ordering::Relaxed);
        self.talking.push((caller, agent));
    }

    fn hang_up(&mut self) {
        if let Some((_, agent)) = self.talking.pop() {
            self.floor.talks_to[agent as usize].store(0, Ordering::Relaxed);
            self.floor.scheduler.release(Agent(agent));
        }
    }

    fn rest(&mut self, agent: u32) {
        // `Assigned` may be over by now (its holder hangs up on another thread), `Resting` lasts until we end it.
        if self.floor.scheduler.rest(Agent(agent)) == Rested::Resting {
            assert_eq!(self.floor.talks_to[agent as usize].load(Ordering::Relaxed), 0);
        }
    }
}

#[test]
fn whatever_races_an_agent_has_one_call_and_nobody_free_stands_beside_a_waiting_caller() {
    let (floor, round) = (Floor::new(), Barrier::new(THREADS as usize));
    let owners: Vec<_> = thread::scope(|scope| {
        let run = |index: u32| {
            let (floor, round) = (&floor, &round);
            scope.spawn(move || {
                let (first_caller, first_agent) = (index * CALLERS, index * AGENTS);
                let (random, waiting) = (u64::from(index), [false; CALLERS as usize]);
                let mut owner =
                    Owner { floor, first_caller, first_agent, random, waiting, talking: vec![], clock: 0 };
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
    when_quiet_everything_adds_up(&floor, owners);
}

fn when_quiet_everything_adds_up(floor: &Floor, mut owners: Vec<Owner<'_>>) {
    owners.iter_mut().for_each(|owner| (0..CALLERS).for_each(|caller| owner.read(caller)));
    assert_eq!(
        floor.told.load(Ordering::Relaxed),
        floor.read.load(Ordering::Relaxed),
        "each match is told once"
    );
    assert!(floor.read.load(Ordering::Relaxed) > ROUNDS.into(), "too few matches to prove anything");
    let waiting: u32 =
        owners.iter().map(|owner| owner.waiting.iter().map(|w| u32::from(*w)).sum::<u32>()).sum();
    let scheduler = &floor.scheduler;
    assert_eq!((0..LINES).map(|q| scheduler.waiting(Line(q))).sum::<u32>(), waiting);
    for line in (0..LINES).map(Line) {
        assert!(scheduler.waiting(line) == 0 || scheduler.idle(line) == 0, "free and waiting in {line:?}");
    }
    owners.iter_mut().for_each(|owner| (0..CALLERS).for_each(|caller| owner.withdraw(caller)));
    for owner in &mut owners {
        (0..CALLERS).for_each(|_| owner.hang_up());
    }
    for agent in (0..THREADS * AGENTS).map(Agent) {
        assert!(scheduler.ready(agent, |_| 0).is_empty());
    }
    for line in (0..LINES).map(Line) {
        let members = (0..THREADS * AGENTS).filter(|agent| agent % LINES != line.0).count() as u32;
        assert_eq!((scheduler.waiting(line), scheduler.idle(line)), (0, members));
    }
}
