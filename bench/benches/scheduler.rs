//! The scheduler beside a mutex around sorted maps, in one run.
//!
//! `cargo bench -p bench --bench scheduler`. One cycle is a whole assignment: an agent is given a caller, the letter
//! is taken, the agent is released and ready again, a caller posts again. Compare only figures of one run.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use scheduler::{Agent, Caller, Capacity, Queue, Scheduler, Withdrawn};

/// What both can do.
trait Floor: Sync {
    fn new(size: Capacity, serves: &[Vec<u32>]) -> Self;
    /// The caller matched, if any.
    fn post(&self, caller: u32, queue: u32, key: u64) -> Option<u32>;
    fn ready(&self, agent: u32, key: u64) -> Option<u32>;
    fn take_letter(&self, caller: u32) -> Option<u32>;
    fn release(&self, agent: u32);
    fn withdraw(&self, caller: u32);
    fn position(&self, caller: u32) -> Option<u32>;
}

impl Floor for Scheduler {
    fn new(size: Capacity, serves: &[Vec<u32>]) -> Self {
        let floor = Scheduler::new(size);
        for (agent, queues) in (0..).zip(serves) {
            let queues: Vec<_> = queues.iter().copied().map(Queue).collect();
            assert!(floor.set_memberships(Agent(agent), &queues).is_empty());
        }
        floor
    }

    fn post(&self, caller: u32, queue: u32, key: u64) -> Option<u32> {
        Scheduler::post(self, Caller(caller), Queue(queue), key).first().map(|found| found.caller.0)
    }

    fn ready(&self, agent: u32, key: u64) -> Option<u32> {
        Scheduler::ready(self, Agent(agent), key).first().map(|found| found.caller.0)
    }

    fn take_letter(&self, caller: u32) -> Option<u32> {
        Scheduler::take_letter(self, Caller(caller)).map(|agent| agent.0)
    }

    fn release(&self, agent: u32) {
        Scheduler::release(self, Agent(agent));
    }

    fn withdraw(&self, caller: u32) {
        assert_eq!(Scheduler::withdraw(self, Caller(caller)), Withdrawn::Gone);
    }

    fn position(&self, caller: u32) -> Option<u32> {
        Scheduler::position(self, Caller(caller))
    }
}

/// The obvious way: one lock, sorted sets.
struct Locked(Mutex<Sorted>);

/// Where one caller waits with which key, and the agent his letter names.
type Waiting = (Option<(u32, u64)>, Option<u32>);

struct Sorted {
    waiting: Vec<BTreeSet<(u64, u32)>>,
    idle: Vec<BTreeSet<(u64, u32)>>,
    /// Per caller: where he waits and his letter.
    callers: Vec<Waiting>,
    /// Per agent: since when he is idle, and his queues.
    agents: Vec<(Option<u64>, Vec<u32>)>,
}

impl Sorted {
    fn assign(&mut self, caller: u32, agent: u32) -> u32 {
        if let Some((queue, key)) = self.callers[caller as usize].0.take() {
            self.waiting[queue as usize].remove(&(key, caller));
        }
        let (idle, serves) = &mut self.agents[agent as usize];
        if let Some(key) = idle.take() {
            serves.iter().for_each(|queue| _ = self.idle[*queue as usize].remove(&(key, agent)));
        }
        self.callers[caller as usize].1 = Some(agent);
        caller
    }
}

impl Floor for Locked {
    fn new(size: Capacity, serves: &[Vec<u32>]) -> Self {
        Locked(Mutex::new(Sorted {
            waiting: vec![BTreeSet::new(); size.queues as usize],
            idle: vec![BTreeSet::new(); size.queues as usize],
            callers: vec![(None, None); size.callers as usize],
            agents: serves.iter().map(|queues| (None, queues.clone())).collect(),
        }))
    }

    fn post(&self, caller: u32, queue: u32, key: u64) -> Option<u32> {
        let mut floor = self.0.lock().unwrap();
        floor.callers[caller as usize].0 = Some((queue, key));
        floor.waiting[queue as usize].insert((key, caller));
        let agent = floor.idle[queue as usize].first().copied()?.1;
        Some(floor.assign(caller, agent))
    }

    fn ready(&self, agent: u32, key: u64) -> Option<u32> {
        let floor = &mut *self.0.lock().unwrap();
        let (idle, serves) = &mut floor.agents[agent as usize];
        *idle = Some(key);
        serves.iter().for_each(|queue| _ = floor.idle[*queue as usize].insert((key, agent)));
        let first = serves.iter().filter_map(|queue| floor.waiting[*queue as usize].first()).min();
        let caller = first.copied()?.1;
        Some(floor.assign(caller, agent))
    }

    fn take_letter(&self, caller: u32) -> Option<u32> {
        self.0.lock().unwrap().callers[caller as usize].1.take()
    }

    fn release(&self, _agent: u32) {}

    fn withdraw(&self, caller: u32) {
        let mut floor = self.0.lock().unwrap();
        if let Some((queue, key)) = floor.callers[caller as usize].0.take() {
            floor.waiting[queue as usize].remove(&(key, caller));
        }
    }

    fn position(&self, caller: u32) -> Option<u32> {
        let floor = self.0.lock().unwrap();
        let (queue, key) = floor.callers[caller as usize].0?;
        Some(floor.waiting[queue as usize].range(..(key, caller)).count() as u32 + 1)
    }
}

/// A floor size: who waits, who serves.
#[derive(Clone, Copy)]
struct Scene {
    name: &'static str,
    callers: u32,
    agents: u32,
    queues: u32,
    memberships: u32,
}

const SMALL: Scene = Scene { name: "10x10", callers: 10, agents: 10, queues: 1, memberships: 1 };
const SITE: Scene =
    Scene { name: "10000x1000x50", callers: 10_000, agents: 1_000, queues: 50, memberships: 3 };

impl Scene {
    fn floor<F: Floor>(self) -> F {
        let serves: Vec<Vec<u32>> = (0..self.agents)
            .map(|agent| (0..self.memberships).map(|m| (agent * 7 + m * 11) % self.queues).collect())
            .collect();
        F::new(Capacity { callers: self.callers + 1, agents: self.agents, queues: self.queues }, &serves)
    }
}

/// All callers wait, nobody is idle: an agent becomes free and takes the head; another caller arrives.
struct Backlog<'a, F> {
    floor: &'a F,
    scene: Scene,
    clock: u64,
}

impl<'a, F: Floor> Backlog<'a, F> {
    fn new(floor: &'a F, scene: Scene) -> Self {
        let mut backlog = Backlog { floor, scene, clock: 0 };
        (0..scene.callers).for_each(|caller| backlog.post(caller));
        backlog
    }

    fn post(&mut self, caller: u32) {
        self.clock += 1;
        let queue = (self.clock % u64::from(self.scene.queues)) as u32;
        assert_eq!(self.floor.post(caller, queue, self.clock), None);
    }

    fn cycle(&mut self) {
        let agent = (self.clock % u64::from(self.scene.agents)) as u32;
        let Some(caller) = self.floor.ready(agent, self.clock) else { panic!("nobody waits") };
        assert_eq!(self.floor.take_letter(caller), Some(agent));
        self.floor.release(agent);
        self.post(caller);
    }

    /// A caller gives up and another arrives.
    fn abandon(&mut self) {
        let caller = (self.clock.wrapping_mul(7_919) % u64::from(self.scene.callers)) as u32;
        self.floor.withdraw(caller);
        self.post(caller);
    }
}

/// All agents are idle, nobody waits: a caller arrives and is given the one idle longest, who is ready again later.
struct Free<'a, F> {
    floor: &'a F,
    scene: Scene,
    clock: u64,
}

impl<'a, F: Floor> Free<'a, F> {
    fn new(floor: &'a F, scene: Scene) -> Self {
        (0..scene.agents).for_each(|agent| assert_eq!(floor.ready(agent, u64::from(agent)), None));
        Free { floor, scene, clock: u64::from(scene.agents) }
    }

    fn cycle(&mut self) {
        self.clock += 1;
        let caller = (self.clock % u64::from(self.scene.callers)) as u32;
        let queue = (self.clock % u64::from(self.scene.queues)) as u32;
        assert_eq!(self.floor.post(caller, queue, self.clock), Some(caller));
        let Some(agent) = self.floor.take_letter(caller) else { panic!("no letter") };
        self.floor.release(agent);
        assert_eq!(self.floor.ready(agent, self.clock), None);
    }
}

fn one_thread<F: Floor>(c: &mut Criterion, kind: &str) {
    for scene in [SMALL, SITE] {
        let floor: F = scene.floor();
        let mut free = Free::new(&floor, scene);
        c.benchmark_group("agents free")
            .bench_function(BenchmarkId::new(kind, scene.name), |b| b.iter(|| free.cycle()));

        let floor: F = scene.floor();
        let mut backlog = Backlog::new(&floor, scene);
        c.benchmark_group("callers waiting")
            .bench_function(BenchmarkId::new(kind, scene.name), |b| b.iter(|| backlog.cycle()));
        c.benchmark_group("give up and post")
            .bench_function(BenchmarkId::new(kind, scene.name), |b| b.iter(|| backlog.abandon()));
        c.benchmark_group("position of the last").bench_function(BenchmarkId::new(kind, scene.name), |b| {
            b.iter(|| floor.position(black_box(scene.callers - 1)));
        });
    }
}

/// One of two halves of a floor: its own callers and agents, on the queue given.
fn half_cycle<F: Floor>(floor: &F, half: u32, queue: u32, clock: u64) {
    // Any match of this post may be the other half's; then its letter is that half's to take.
    let caller = half * 10 + (clock % 10) as u32;
    floor.post(caller, queue, clock);
    let agent = loop {
        match floor.take_letter(caller) {
            Some(agent) => break agent,
            None => std::hint::spin_loop(),
        }
    };
    floor.release(agent);
    floor.ready(agent, clock);
}

/// The measured thread's cycles while another does the same beside it.
fn two_threads<F: Floor>(c: &mut Criterion, kind: &str) {
    for (name, queues) in [("same queue", 1), ("own queues", 2)] {
        let serves: Vec<Vec<u32>> = (0..20).map(|agent| vec![agent / 10 % queues]).collect();
        let floor = F::new(Capacity { callers: 20, agents: 20, queues }, &serves);
        (0..20).for_each(|agent| _ = floor.ready(agent, u64::from(agent)));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut clock = 20;
                while !stop.load(Ordering::Relaxed) {
                    clock += 1;
                    half_cycle(&floor, 1, 1 % queues, clock);
                }
            });
            let mut clock = 20;
            c.benchmark_group("two threads").bench_function(BenchmarkId::new(kind, name), |b| {
                b.iter(|| {
                    clock += 1;
                    half_cycle(&floor, 0, 0, clock);
                });
            });
            stop.store(true, Ordering::Relaxed);
        });
    }
}

fn benches(c: &mut Criterion) {
    one_thread::<Scheduler>(c, "lock-free");
    one_thread::<Locked>(c, "mutex");
    two_threads::<Scheduler>(c, "lock-free");
    two_threads::<Locked>(c, "mutex");
}

criterion_group!(all, benches);
criterion_main!(all);
