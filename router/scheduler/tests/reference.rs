//! Random operations on the scheduler and on a sorted list beside it: after each one both must agree.
#![cfg(not(any(fernamt_loom, fernamt_shuttle)))]

use scheduler::{Agent, Caller, Capacity, Line, Match, Rested, Scheduler, Withdrawn};

/// What the scheduler should do, written so that one can see it is right.
#[derive(Default)]
struct Reference {
    /// Key, caller, line: sorted.
    waiting: Vec<(u64, u32, u32)>,
    idle: Vec<u32>,
    /// Letters in tickets.
    letters: Vec<Match>,
    /// Each agent's lines, with his key in each.
    serves: Vec<Vec<(u32, u64)>>,
}

impl Reference {
    fn key(&self, agent: u32, line: u32) -> Option<u64> {
        self.serves[agent as usize].iter().find(|(served, _)| *served == line).map(|(_, key)| *key)
    }

    /// Of the idle agents who serve the line the one with the smallest key there.
    fn post(&mut self, caller: u32, line: u32, key: u64) -> Option<Match> {
        self.waiting.push((key, caller, line));
        self.waiting.sort();
        let keys = self.idle.iter().filter_map(|agent| Some((self.key(*agent, line)?, *agent)));
        let (_, agent) = keys.min()?;
        Some(self.assign(caller, agent))
    }

    /// Of the callers in his lines the one with the smallest key.
    fn serve(&mut self, agent: u32) -> Option<Match> {
        let mine = |(_, _, line): &&(u64, u32, u32)| self.key(agent, *line).is_some();
        let &(_, caller, _) = self.waiting.iter().find(mine)?;
        Some(self.assign(caller, agent))
    }

    fn ready(&mut self, agent: u32) -> Option<Match> {
        self.idle.push(agent);
        self.serve(agent)
    }

    fn assign(&mut self, caller: u32, agent: u32) -> Match {
        self.waiting.retain(|(_, waiting, _)| *waiting != caller);
        self.idle.retain(|idle| *idle != agent);
        let found = Match { caller: Caller(caller), agent: Agent(agent) };
        self.letters.push(found);
        found
    }

    fn take(&mut self, caller: u32) -> Option<Agent> {
        let at = self.letters.iter().position(|letter| letter.caller == Caller(caller))?;
        Some(self.letters.remove(at).agent)
    }

    fn position(&self, caller: u32) -> Option<u32> {
        let &(_, _, line) = self.waiting.iter().find(|(_, c, _)| *c == caller)?;
        let mut callers = self.waiting.iter().filter(|(_, _, l)| *l == line);
        callers.position(|(_, c, _)| *c == caller).map(|place| place as u32 + 1)
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
    /// Keys made so far.
    keys: u64,
}

impl Pair {
    fn new(seed: u64, size: Capacity) -> Pair {
        let serves = vec![Vec::new(); size.agents as usize];
        let reference = Reference { serves, ..Reference::default() };
        let mut pair = Pair {
            real: Scheduler::new(size),
            reference,
            random: Random(seed),
            size,
            talking: vec![],
            keys: 0,
        };
        (0..size.agents).for_each(|agent| pair.join(agent));
        pair
    }

    /// Few values, so that order matters, and yet no two alike.
    fn key(&mut self) -> u64 {
        self.keys += 1;
        u64::from(self.random.below(50)) << 32 | self.keys
    }

    fn join(&mut self, agent: u32) {
        let lines: Vec<u32> = (0..self.size.lines).filter(|_| self.random.below(3) == 0).collect();
        let lines = Vec::from_iter(lines.into_iter().take(self.size.memberships as usize));
        let mut serves = Vec::new();
        for line in &lines {
            let new = self.key();
            serves.push((*line, self.reference.key(agent, *line).unwrap_or(new)));
        }
        let keys = serves.clone();
        let key = |line: Line| keys.iter().find(|(served, _)| *served == line.0).unwrap().1;
        let told = self.real.set_memberships(Agent(agent), &Vec::from_iter(lines.into_iter().map(Line)), key);
        self.reference.serves[agent as usize] = serves;
        let idle = self.reference.idle.contains(&agent);
        let expected = if idle { self.reference.serve(agent) } else { None };
        assert_eq!(told.into_iter().collect::<Vec<_>>(), Vec::from_iter(expected));
    }

    fn post(&mut self, caller: u32) {
        let absent = self.reference.waiting.iter().all(|(_, c, _)| *c != caller)
            && self.reference.letters.iter().all(|letter| letter.caller != Caller(caller));
        if absent {
            let (line, key) = (self.random.below(self.size.lines), self.key());
            let told = self.real.post(Caller(caller), Line(line), key);
            let expected = self.reference.post(caller, line, key);
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
        let busy = engaged || self.reference.idle.contains(&agent) || self.talking.contains(&agent);
        let lines: Vec<_> = self.reference.serves[agent as usize].iter().map(|(line, _)| *line).collect();
        let keys: Vec<_> = lines.into_iter().map(|line| (line, self.key())).collect();
        let told = self.real.ready(Agent(agent), |line| keys.iter().find(|(l, _)| *l == line.0).unwrap().1);
        let expected = if busy {
            None
        } else {
            self.reference.serves[agent as usize] = keys;
            self.reference.ready(agent)
        };
        assert_eq!(told.into_iter().collect::<Vec<_>>(), Vec::from_iter(expected));
    }

    /// One more agent for somebody whose letter has just been read.
    fn reinforce(&mut self, caller: u32) {
        let absent = self.reference.waiting.iter().all(|(_, c, _)| *c != caller)
            && self.reference.letters.iter().all(|letter| letter.caller != Caller(caller));
        if absent {
            let line = self.random.below(self.size.lines);
            let (agent, told) = self.real.reinforce(Caller(caller), Line(line));
            let idle = self.reference.idle.iter();
            let keys = idle.filter_map(|agent| Some((self.reference.key(*agent, line)?, *agent)));
            let expected = keys.min().map(|(_, agent)| agent);
            assert_eq!((agent, told.len()), (expected.map(Agent), 0));
            self.reference.idle.retain(|idle| Some(*idle) != expected);
            self.talking.extend(expected);
        }
    }

    fn rest(&mut self, agent: u32) {
        let rested = self.real.rest(Agent(agent));
        self.reference.idle.retain(|idle| *idle != agent);
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
        let (caller, line) = (self.random.below(self.size.callers), self.random.below(self.size.lines));
        assert_eq!(self.real.position(Caller(caller)), self.reference.position(caller));
        let waiting: Vec<_> = self.reference.waiting.iter().filter(|(_, _, l)| *l == line).collect();
        let idle = self.reference.idle.iter();
        let idle: Vec<_> = idle.filter_map(|a| Some((self.reference.key(*a, line)?, *a))).collect();
        let line = Line(line);
        assert_eq!(
            (self.real.waiting(line), self.real.idle(line)),
            (waiting.len() as u32, idle.len() as u32)
        );
        let first = waiting.first().map(|(key, caller, _)| (Caller(*caller), *key));
        assert_eq!(self.real.first_waiting(line), first);
        let first = idle.iter().min().map(|(key, agent)| (Agent(*agent), *key));
        assert_eq!(self.real.first_idle(line), first);
        let key = u64::from(self.random.below(50)) << 32;
        let ahead = waiting.iter().filter(|(waits, _, _)| *waits < key).count();
        assert_eq!(self.real.ahead(line, key) as usize, ahead);
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
            80..84 => self.reinforce(caller),
            84..99 => self.release(),
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
        run(seed, 20_000, Capacity { callers: 12, agents: 5, lines: 3, memberships: 3 });
    }
}

#[test]
fn a_large_floor_does_what_a_sorted_list_does() {
    for seed in 0..4 {
        run(seed, 25_000, Capacity { callers: 5_000, agents: 200, lines: 70, memberships: 40 });
    }
}

#[test]
fn more_agents_than_callers_do_what_a_sorted_list_does() {
    for seed in 0..4 {
        run(seed, 25_000, Capacity { callers: 40, agents: 300, lines: 5, memberships: 5 });
    }
}
