//! Random operations on the scheduler and on a sorted list beside it: after each one both must agree.
#![cfg(not(fernamt_loom))]

use scheduler::{Agent, Caller, Capacity, Match, Queue, Rested, Scheduler, Withdrawn};

/// What the scheduler should do, written so that one can see it is right.
#[derive(Default)]
struct Reference {
    /// Key, caller, queue: sorted.
    waiting: Vec<(u64, u32, u32)>,
    /// Idle key, agent: sorted.
    idle: Vec<(u64, u32)>,
    /// Letters in tickets.
    letters: Vec<Match>,
    /// The queues of each agent.
    serves: Vec<Vec<u32>>,
}

impl Reference {
    /// The first idle agent who may serve the first possible caller; at most one can be found after one change.
    fn look(&mut self) -> Option<Match> {
        let may = |agent: u32, queue: &u32| self.serves[agent as usize].contains(queue);
        let (c, a) = self.idle.iter().enumerate().find_map(|(a, &(_, agent))| {
            self.waiting.iter().position(|(_, _, queue)| may(agent, queue)).map(|c| (c, a))
        })?;
        let found = Match { caller: Caller(self.waiting.remove(c).1), agent: Agent(self.idle.remove(a).1) };
        self.letters.push(found);
        Some(found)
    }

    fn post(&mut self, caller: u32, queue: u32, key: u64) -> Option<Match> {
        self.waiting.push((key, caller, queue));
        self.waiting.sort();
        self.look()
    }

    fn ready(&mut self, agent: u32, key: u64) -> Option<Match> {
        self.idle.push((key, agent));
        self.idle.sort();
        self.look()
    }

    fn take(&mut self, caller: u32) -> Option<Agent> {
        let at = self.letters.iter().position(|letter| letter.caller == Caller(caller))?;
        Some(self.letters.remove(at).agent)
    }

    fn position(&self, caller: u32) -> Option<u32> {
        let &(_, _, queue) = self.waiting.iter().find(|(_, c, _)| *c == caller)?;
        let mut line = self.waiting.iter().filter(|(_, _, q)| *q == queue);
        line.position(|(_, c, _)| *c == caller).map(|place| place as u32 + 1)
    }
}

/// A small generator, so that a failing run is the same run again (Knuth's constants).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }
}

/// Both beside each other.
struct Pair {
    real: Scheduler,
    reference: Reference,
    random: Random,
    size: Capacity,
    /// Agents whose letters have been taken, not released yet.
    talking: Vec<u32>,
}

impl Pair {
    fn new(seed: u64, size: Capacity) -> Pair {
        let serves = vec![Vec::new(); size.agents as usize];
        let reference = Reference { serves, ..Reference::default() };
        let mut pair =
            Pair { real: Scheduler::new(size), reference, random: Random(seed), size, talking: vec![] };
        (0..size.agents).for_each(|agent| pair.join(agent));
        pair
    }

    fn join(&mut self, agent: u32) {
        let queues: Vec<u32> = (0..self.size.queues).filter(|_| self.random.below(3) == 0).collect();
        let told =
            self.real.set_memberships(Agent(agent), &queues.iter().copied().map(Queue).collect::<Vec<_>>());
        self.reference.serves[agent as usize] = queues;
        let expected = self.reference.look();
        assert_eq!(told.into_iter().collect::<Vec<_>>(), Vec::from_iter(expected));
    }

    fn post(&mut self, caller: u32) {
        let absent = self.reference.waiting.iter().all(|(_, c, _)| *c != caller)
            && self.reference.letters.iter().all(|letter| letter.caller != Caller(caller));
        if absent {
            // Few different keys: ties are decided by the slot.
            let (queue, key) = (self.random.below(self.size.queues), self.random.below(50).into());
            let told = self.real.post(Caller(caller), Queue(queue), key);
            let expected = self.reference.post(caller, queue, key);
            assert_eq!(told.into_iter().collect::<Vec<_>>(), Vec::from_iter(expected));
        }
    }

    fn withdraw(&mut self, caller: u32) {
        let expected = match self.reference.take(caller) {
            Some(agent) => Withdrawn::Assigned(agent),
            None => Withdrawn::Gone,
        };
        self.reference.waiting.retain(|(_, c, _)| *c != caller);
        assert_eq!(self.real.withdraw(Caller(caller)), expected);
        if let Withdrawn::Assigned(Agent(agent)) = expected {
            self.talking.push(agent);
        }
    }

    fn take(&mut self, caller: u32) {
        let expected = self.reference.take(caller);
        assert_eq!(self.real.take_letter(Caller(caller)), expected);
        self.talking.extend(expected.map(|Agent(agent)| agent));
    }

    fn ready(&mut self, agent: u32) {
        let engaged = self.reference.letters.iter().any(|letter| letter.agent == Agent(agent));
        let idle = self.reference.idle.iter().any(|(_, a)| *a == agent);
        let key = self.random.below(50).into();
        let told = self.real.ready(Agent(agent), key);
        let busy = engaged || idle || self.talking.contains(&agent);
        let expected = if busy { None } else { self.reference.ready(agent, key) };
        assert_eq!(told.into_iter().collect::<Vec<_>>(), Vec::from_iter(expected));
    }

    fn rest(&mut self, agent: u32) {
        let rested = self.real.rest(Agent(agent));
        self.reference.idle.retain(|(_, a)| *a != agent);
        let letter = self.reference.letters.iter().find(|letter| letter.agent == Agent(agent));
        match rested {
            Rested::Resting => assert!(letter.is_none() && !self.talking.contains(&agent)),
            Rested::Assigned(caller) => {
                assert!(
                    self.talking.contains(&agent) || letter.is_some_and(|letter| letter.caller == caller)
                );
            }
        }
    }

    fn release(&mut self) {
        if !self.talking.is_empty() {
            let at = self.random.below(self.talking.len() as u32);
            self.real.release(Agent(self.talking.swap_remove(at as usize)));
        }
    }

    fn compare_counts(&mut self) {
        let (caller, queue) = (self.random.below(self.size.callers), self.random.below(self.size.queues));
        assert_eq!(self.real.position(Caller(caller)), self.reference.position(caller));
        let waiting = self.reference.waiting.iter().filter(|(_, _, q)| *q == queue).count();
        let idle =
            self.reference.idle.iter().filter(|(_, a)| self.reference.serves[*a as usize].contains(&queue));
        assert_eq!(
            (self.real.waiting(Queue(queue)), self.real.idle(Queue(queue))),
            (waiting as u32, idle.count() as u32)
        );
    }

    fn step(&mut self) {
        let caller = self.random.below(self.size.callers);
        let agent = self.random.below(self.size.agents);
        match self.random.below(100) {
            0..30 => self.post(caller),
            30..40 => self.withdraw(caller),
            40..60 => self.take(caller),
            60..75 => self.ready(agent),
            75..80 => self.rest(agent),
            80..99 => self.release(),
            _ => self.join(agent),
        }
        self.compare_counts();
    }
}

fn run(seed: u64, steps: u32, size: Capacity) {
    let mut pair = Pair::new(seed, size);
    for step in 0..steps {
        let before = pair.random.0;
        let step_of = std::panic::AssertUnwindSafe(|| pair.step());
        if let Err(failure) = std::panic::catch_unwind(step_of) {
            eprintln!("seed {seed}, {size:?}, step {step}, generator {before}");
            std::panic::resume_unwind(failure);
        }
    }
}

#[test]
fn a_small_floor_does_what_a_sorted_list_does() {
    for seed in 0..20 {
        run(seed, 20_000, Capacity { callers: 12, agents: 5, queues: 3 });
    }
}

#[test]
fn a_large_floor_does_what_a_sorted_list_does() {
    for seed in 0..4 {
        run(seed, 25_000, Capacity { callers: 5_000, agents: 200, queues: 70 });
    }
}

#[test]
fn more_agents_than_callers_do_what_a_sorted_list_does() {
    for seed in 0..4 {
        run(seed, 25_000, Capacity { callers: 40, agents: 300, queues: 5 });
    }
}
