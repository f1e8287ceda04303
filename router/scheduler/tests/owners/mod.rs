//! Threads that each own some callers and agents of one floor, and what must be true of it.
#![allow(unreachable_pub, missing_docs, reason = "part of the tests")]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use scheduler::{Agent, Caller, Capacity, Line, Matches, Rested, Scheduler, Withdrawn};

/// A floor, and what must be true of it.
pub struct Floor {
    size: Capacity,
    /// Threads whose callers and agents these are, in equal parts.
    threads: u32,
    scheduler: Scheduler,
    /// Per agent: 1 + the caller he talks to, or 0.
    talks_to: Vec<AtomicU32>,
    /// Matches that a call reported, rests that found their agent assigned, and letters read.
    told: AtomicU64,
    told_by_rest: AtomicU64,
    read: AtomicU64,
}

/// One thread's callers and agents.
pub struct Owner<'a> {
    floor: &'a Floor,
    first_caller: u32,
    first_agent: u32,
    agents: u32,
    random: u64,
    waiting: Vec<bool>,
    /// Which of its callers talk, and to whom.
    talking: Vec<(u32, u32)>,
    clock: u64,
}

impl Floor {
    /// For so many threads; each gets `callers` and `agents` of his own. An agent serves all lines but one.
    pub fn new(threads: u32, callers: u32, agents: u32, lines: u32) -> Floor {
        let size =
            Capacity { callers: threads * callers, agents: threads * agents, lines, memberships: lines };
        let scheduler = Scheduler::new(size);
        for agent in 0..size.agents {
            let lines: Vec<_> = (0..lines).filter(|q| agent % lines != *q).map(Line).collect();
            assert!(scheduler.set_memberships(Agent(agent), &lines, |_| 0).is_empty());
        }
        let talks_to = (0..size.agents).map(|_| AtomicU32::new(0)).collect();
        Floor {
            size,
            threads,
            scheduler,
            talks_to,
            told: AtomicU64::new(0),
            told_by_rest: AtomicU64::new(0),
            read: AtomicU64::new(0),
        }
    }

    /// What thread `index` owns. Its steps follow from `random`.
    pub fn owner(&self, index: u32, random: u64) -> Owner<'_> {
        let (callers, agents) = (self.size.callers / self.threads, self.size.agents / self.threads);
        Owner {
            floor: self,
            first_caller: index * callers,
            first_agent: index * agents,
            agents,
            random,
            waiting: vec![false; callers as usize],
            talking: vec![],
            clock: 0,
        }
    }

    fn tell(&self, matches: Matches) {
        self.told.fetch_add(matches.len() as u64, Ordering::Relaxed);
    }
}

impl Owner<'_> {
    fn callers(&self) -> u32 {
        self.waiting.len() as u32
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.random >> 33) % u64::from(limit)) as u32
    }

    /// Does something to one of its callers or agents.
    pub fn step(&mut self) {
        self.clock += 1;
        let (caller, agent) = (self.below(self.callers()), self.below(self.agents) + self.first_agent);
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
            let line = Line(self.below(self.floor.size.lines));
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
        match self.floor.scheduler.rest(Agent(agent)) {
            Rested::Resting => assert_eq!(self.floor.talks_to[agent as usize].load(Ordering::Relaxed), 0),
            Rested::Assigned(_) => _ = self.floor.told_by_rest.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// All threads have stopped: the laws, and that everybody can go home. Returns how many matches there were.
pub fn when_quiet_everything_adds_up(floor: &Floor, mut owners: Vec<Owner<'_>>) -> u64 {
    let Capacity { agents, lines, .. } = floor.size;
    owners.iter_mut().for_each(|owner| (0..owner.callers()).for_each(|caller| owner.read(caller)));
    let [told, by_rest, read] =
        [&floor.told, &floor.told_by_rest, &floor.read].map(|count| count.load(Ordering::Relaxed));
    // A rest that carries a claim to its end is the only one who tells of that match.
    assert!(told <= read && read <= told + by_rest, "{told} and {by_rest} told, {read} read");
    let waiting: u32 =
        owners.iter().map(|owner| owner.waiting.iter().map(|w| u32::from(*w)).sum::<u32>()).sum();
    let scheduler = &floor.scheduler;
    assert_eq!((0..lines).map(|q| scheduler.waiting(Line(q))).sum::<u32>(), waiting);
    for line in (0..lines).map(Line) {
        assert!(scheduler.waiting(line) == 0 || scheduler.idle(line) == 0, "free and waiting in {line:?}");
    }
    owners.iter_mut().for_each(|owner| (0..owner.callers()).for_each(|caller| owner.withdraw(caller)));
    for owner in &mut owners {
        (0..owner.callers()).for_each(|_| owner.hang_up());
    }
    for agent in (0..agents).map(Agent) {
        assert!(scheduler.ready(agent, |_| 0).is_empty());
    }
    for line in (0..lines).map(Line) {
        let members = (0..agents).filter(|agent| agent % lines != line.0).count() as u32;
        assert_eq!((scheduler.waiting(line), scheduler.idle(line)), (0, members));
    }
    read
}
