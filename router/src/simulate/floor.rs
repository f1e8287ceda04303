//! The event loop: callers and agents around the scheduler, time jumping from event to event.
//!
//! What is done here with the scheduler, in which order and with which key, is what `call/assign.rs` and
//! `shard/switchboard.rs` do in the running router.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use scheduler::{Agent, Caller, Capacity, Line, Match, Scheduler, Withdrawn};

use super::{
    Scenario, Worker,
    arrivals::{Arrival, Stream},
    length::FOREVER,
    micros,
    overflow::overflow,
    ring::Rung,
    rules::crews,
    tally::{self, Tally},
    timesheet::Timesheet,
};
use crate::{
    agents::{Agents, Tell},
    config::{AgentId, Config, Queue, QueueId, Strategy},
    estimate::{Estimates, Outlook},
    journal::fact::{AgentState, LeftQueue, Micros, Wish},
    lines,
    staff::Staff,
    standing::Chances,
};

/// Callers who can be inside at once: what the scheduler has room for.
const MOST_INSIDE: u32 = 1 << 22;

pub(super) fn agent_id(agent: Agent) -> AgentId {
    AgentId(agent.0)
}

/// A caller inside, from his entry into a queue to his hang-up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside {
    pub(super) queue: QueueId,
    pub(super) entered: Micros,
    pub(super) key: u64,
    /// The step of the queue's widening, and when the next begins.
    pub(super) step: usize,
    pub(super) widens: Micros,
    /// When `max_wait` is over.
    pub(super) until: Micros,
    /// When he must go because nobody serves the queue.
    pub(super) leaves: Micros,
    /// What he might expect when he entered, where that matters.
    pub(super) outlook: Option<Outlook>,
    pub(super) visit: Visit,
    pub(super) stage: Stage,
}

/// What a caller brings, and keeps from queue to queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    /// When he came, no two alike: by this he is placed in every queue.
    pub(super) arrived: Micros,
    /// When he loses patience.
    pub(super) gives_up: Micros,
    pub(super) talk: Micros,
    /// Queues that did not keep him.
    pub(super) hops: u32,
}

/// Each stage owns its deadline.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Waiting,
    /// Those in `Floor::rung` ring.
    Ringing {
        due: Micros,
    },
    Talking {
        agent: Agent,
        ends: Micros,
    },
}

impl Inside {
    fn deadline(&self) -> Micros {
        match self.stage {
            Stage::Waiting => self.visit.gives_up.min(self.until).min(self.leaves).min(self.widens),
            Stage::Ringing { due } => due,
            Stage::Talking { ends, .. } => ends,
        }
    }
}

/// What happens next.
enum Event {
    Shift { worker: usize, wish: Wish },
    AgentDue,
    CallerDue(u32),
    Arrives(Arrival),
}

/// One day.
pub(super) struct Floor<'a> {
    pub(super) scenario: &'a Scenario<'a>,
    staff: &'a [Worker],
    pub(super) at: Micros,
    pub(super) scheduler: Scheduler,
    pub(super) agents: Agents,
    /// Comings and goings of agents, the next one last.
    shifts: Vec<(Micros, usize, Wish)>,
    arrivals: Stream<'a>,
    /// The next arrival and what was drawn with it.
    next: Option<(Arrival, Micros, Micros)>,
    last_arrival: Micros,
    pub(super) inside: Vec<Inside>,
    /// Who rings for each of them.
    pub(super) rung: Vec<Vec<Rung>>,
    /// Keys and callers for whom fewer ring than might, for want of idle agents.
    pub(super) short_of_agents: BTreeSet<(u64, u32)>,
    /// Somebody became idle who might ring for them.
    look_again: bool,
    pub(super) free: Vec<u32>,
    /// The deadline of each caller who has one: all but those whose turn it is.
    deadlines: BTreeSet<(Micros, u32)>,
    pub(super) matches: VecDeque<Match>,
    pub(super) overflow: BTreeMap<QueueId, QueueId>,
    /// Whether a queue is open, and until when that holds.
    pub(super) open: BTreeMap<QueueId, (bool, Micros)>,
    calls: StdRng,
    /// For what is drawn in the course of things: ring times and agents chosen by chance.
    pub(super) rest: StdRng,
    pub(super) chances: Chances,
    /// Queues that choose by chance.
    by_chance: Vec<QueueId>,
    /// Who is at work for each queue.
    pub(super) crews: Staff,
    /// For queues with a `max_estimate`.
    pub(super) estimates: Estimates,
    sheet: Timesheet,
    tally: Tally,
}

impl<'a> Floor<'a> {
    pub(super) fn new(scenario: &'a Scenario<'a>, staff: &'a [Worker], day: u32) -> Floor<'a> {
        let seed = scenario.seed.wrapping_mul(1 << 20).wrapping_add(u64::from(day) * 2);
        let scheduler = Scheduler::new(capacity(scenario, staff));
        let mut agents = Agents::default();
        for (index, worker) in staff.iter().enumerate() {
            agents.add(AgentId::from(index), scenario.start);
            drop(scheduler.set_memberships(Agent(index as u32), &worker.lines, |_| 0));
        }
        let mut floor = Floor {
            scenario,
            staff,
            at: scenario.start,
            scheduler,
            agents,
            shifts: shifts(staff),
            arrivals: Stream::of(scenario),
            next: None,
            last_arrival: 0,
            inside: Vec::new(),
            rung: Vec::new(),
            short_of_agents: BTreeSet::new(),
            look_again: false,
            free: Vec::new(),
            deadlines: BTreeSet::new(),
            matches: VecDeque::new(),
            overflow: overflow(scenario.config),
            open: BTreeMap::new(),
            calls: StdRng::seed_from_u64(seed),
            rest: StdRng::seed_from_u64(seed + 1),
            chances: Chances::default(),
            by_chance: by_chance(scenario.config),
            crews: crews(scenario.config, staff, scenario.origin),
            estimates: Estimates::default(),
            sheet: Timesheet::new(scenario, staff),
            tally: Tally::new(scenario, Vec::new()),
        };
        floor.draw_next();
        floor
    }

    pub(super) fn run(mut self) -> Tally {
        while let Some((at, event)) = self.event().filter(|(at, _)| *at < self.scenario.end()) {
            self.at = at;
            match event {
                Event::Shift { worker, wish } => self.shift(worker, wish),
                Event::AgentDue => self.agent_due(),
                Event::CallerDue(caller) => self.caller_due(caller),
                Event::Arrives(arrival) => self.arrives(arrival),
            }
            self.tell_matches();
        }
        self.close()
    }

    /// The earliest event. Of several at one instant agents come first, then callers inside, then a new one.
    fn event(&self) -> Option<(Micros, Event)> {
        let shift =
            self.shifts.last().map(|(at, worker, wish)| (*at, Event::Shift { worker: *worker, wish: *wish }));
        let due = self.agents.deadline().map(|at| (self.date(at), Event::AgentDue));
        let caller = self.deadlines.first().map(|(at, caller)| (*at, Event::CallerDue(*caller)));
        let arrival = self.next.map(|(arrival, ..)| (arrival.at, Event::Arrives(arrival)));
        [shift, due, caller, arrival].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Talk time and patience are drawn with the arrival, so that they do not depend on who is there to answer.
    fn draw_next(&mut self) {
        self.next = self.arrivals.next(&mut self.calls).map(|arrival| {
            let talk = self.scenario.talk.of(arrival.queue).draw(&mut self.calls);
            let patience = self.scenario.patience.of(arrival.queue).draw(&mut self.calls);
            (arrival, arrival.talk.unwrap_or(talk), patience)
        });
    }

    fn arrives(&mut self, arrival: Arrival) {
        let Some((_, talk, patience)) = self.next.take() else { return };
        self.draw_next();
        self.last_arrival = self.at.max(self.last_arrival + 1);
        let (arrived, gives_up) = (self.last_arrival, self.at + patience);
        self.enter(arrival.queue, Visit { arrived, gives_up, talk, hops: 0 });
    }

    /// He is posted; who is matched at once needs no deadline.
    pub(super) fn wait(&mut self, caller: u32) {
        let Inside { queue, key, step, .. } = self.inside[caller as usize];
        self.inside[caller as usize].stage = Stage::Waiting;
        let made = self.scheduler.post(Caller(caller), lines::of_step(queue, step), key);
        if made.is_empty() {
            self.arm(caller);
        }
        self.matches.extend(made);
    }

    /// Waits where he waited, or at a later step of widening if one has begun meanwhile.
    pub(super) fn wait_on(&mut self, caller: u32) {
        self.widen(caller);
        self.wait(caller);
    }

    /// The step of widening that has been reached, and when the next begins.
    pub(super) fn widen(&mut self, caller: u32) {
        let entered = self.inside[caller as usize].entered;
        let waited = Duration::from_micros((self.at - entered) as u64);
        let (step, next) = lines::step_after(self.queue_of(caller), waited);
        let inside = &mut self.inside[caller as usize];
        (inside.step, inside.widens) = (step, next.map_or(FOREVER, |next| entered + micros(next)));
        self.inside[caller as usize].leaves = self.leaves(caller);
    }

    fn tell_matches(&mut self) {
        loop {
            match self.matches.pop_front() {
                Some(Match { caller, .. }) => {
                    if let Some(agent) = self.scheduler.take_letter(caller) {
                        self.disarm(caller.0);
                        self.ring(caller.0, agent);
                    }
                }
                None if std::mem::take(&mut self.look_again) => self.reinforce(),
                None => return,
            }
        }
    }

    fn caller_due(&mut self, caller: u32) {
        self.disarm(caller);
        let inside = self.inside[caller as usize];
        let gives_up = inside.visit.gives_up <= self.at;
        match inside.stage {
            Stage::Waiting => {
                let withdrawn = self.scheduler.withdraw(Caller(caller));
                debug_assert_eq!(withdrawn, Withdrawn::Gone, "matches are told before the next event");
                match (gives_up, self.must_leave(caller)) {
                    (true, _) => self.goes(caller, LeftQueue::Abandoned),
                    (false, Some(how)) => self.is_sent_on(caller, how),
                    (false, None) => self.wait_on(caller),
                }
            }
            Stage::Ringing { .. } => self.ringing_due(caller),
            Stage::Talking { agent, .. } => self.hangs_up(caller, agent),
        }
    }

    fn hangs_up(&mut self, caller: u32, agent: Agent) {
        let wrap_up = self.queue_of(caller).wrap_up;
        self.free.push(caller);
        self.scheduler.release(agent);
        self.change(agent, |agents, now, at| agents.wraps_up(agent_id(agent), Some(wrap_up), now, at));
    }

    fn shift(&mut self, worker: usize, wish: Wish) {
        self.shifts.pop();
        self.wishes(Agent(worker as u32), wish);
    }

    fn agent_due(&mut self) {
        let now = self.now();
        if let Some(agent) = self.agents.first_due(now) {
            self.change(Agent(agent.0), |agents, now, at| {
                agents.due(now, at).map_or(Tell::Nothing, |(_, tell)| tell)
            });
        }
    }

    /// Changes an agent, notes his time, tells the scheduler.
    pub(super) fn change(&mut self, agent: Agent, change: impl FnOnce(&mut Agents, Instant, Micros) -> Tell) {
        let before = self.state_of(agent);
        let (now, at) = (self.now(), self.at);
        let tell = change(&mut self.agents, now, at);
        let after = self.state_of(agent);
        if let (Some((state, since)), true) = (before, before != after) {
            self.sheet.note(agent.0 as usize, state, since, self.at);
        }
        match tell {
            Tell::Ready => {
                self.look_again = true;
                self.ready(agent);
            }
            Tell::Rest => _ = self.scheduler.rest(agent),
            Tell::Nothing => {}
        }
    }

    /// An agent who becomes idle draws anew in each queue that chooses by chance.
    fn ready(&mut self, agent: Agent) {
        let who = &self.staff[agent.0 as usize].agent;
        for queue in &self.by_chance {
            let Some(standing) = self.agents.standing(agent_id(agent)) else { return };
            let weight = who.membership(*queue).map_or(1, |own| own.weight);
            standing.draws(*queue, weight, self.rest.random(), &self.chances);
        }
        let Some(desk) = self.agents.get(agent_id(agent)) else { return };
        let key = |line: Line| {
            let queue = lines::queue_of(line);
            let strategy =
                self.scenario.config.queue(queue).map_or(Strategy::LongestIdle, |queue| queue.strategy);
            desk.standing.key(strategy, queue, who.membership(queue), who.rank)
        };
        self.matches.extend(self.scheduler.ready(agent, key));
    }

    fn state_of(&self, agent: Agent) -> Option<(AgentState, Micros)> {
        self.agents.get(agent_id(agent)).map(|desk| (desk.state, desk.since))
    }

    /// The day is over: who waits, waits; what agents do goes on to the end.
    fn close(mut self) -> Tally {
        let end = self.scenario.end();
        self.at = end;
        let waiting: Vec<Inside> =
            self.deadlines.iter().map(|(_, slot)| self.inside[*slot as usize]).collect();
        for inside in waiting.iter().filter(|inside| !matches!(inside.stage, Stage::Talking { .. })) {
            self.leave(inside.queue, inside.entered, LeftQueue::Ended);
        }
        for (agent, desk) in self.agents.iter() {
            self.sheet.note(agent.index(), desk.state, desk.since, end);
        }
        self.tally.teams = self.sheet.teams;
        self.tally
    }

    pub(super) fn leave(&mut self, queue: QueueId, entered: Micros, how: LeftQueue) {
        let Some(settings) = self.scenario.config.queue(queue) else { return };
        let waited = self.at - entered;
        self.counts(queue, entered).leave(how, waited, settings);
    }

    pub(super) fn counts(&mut self, queue: QueueId, entered: Micros) -> &mut tally::Counts {
        let index = tally::half_hour(entered, self.scenario.start);
        let queue = self.tally.queues.get_mut(&queue).expect("every queue has its counts");
        &mut queue[index]
    }

    pub(super) fn queue_of(&self, caller: u32) -> &'a Queue {
        let queue = self.inside[caller as usize].queue;
        self.scenario.config.queue(queue).expect("callers wait in queues of the configuration")
    }

    /// Callers who have a deadline.
    pub(super) fn armed(&self) -> impl Iterator<Item = u32> {
        self.deadlines.iter().map(|(_, caller)| *caller)
    }

    pub(super) fn arm(&mut self, caller: u32) {
        self.deadlines.insert((self.inside[caller as usize].deadline(), caller));
    }

    /// Before his stage changes: the deadline is found by it.
    pub(super) fn disarm(&mut self, caller: u32) {
        self.deadlines.remove(&(self.inside[caller as usize].deadline(), caller));
    }

    /// The instant at which it is `self.at`.
    pub(super) fn now(&self) -> Instant {
        self.scenario.origin + Duration::from_micros((self.at - self.scenario.start) as u64)
    }

    pub(super) fn date(&self, at: Instant) -> Micros {
        self.scenario.start + micros(at.duration_since(self.scenario.origin))
    }
}

/// Comings and goings, the first one last; at one instant in the order of the staff, comings first.
fn shifts(staff: &[Worker]) -> Vec<(Micros, usize, Wish)> {
    let comes = staff.iter().enumerate().map(|(index, worker)| (worker.from, index, Wish::Ready));
    let goes = staff.iter().enumerate().map(|(index, worker)| (worker.to, index, Wish::LoggedOut));
    let mut shifts: Vec<_> = comes.chain(goes).collect();
    shifts.sort_by_key(|(at, index, wish)| (std::cmp::Reverse(*at), std::cmp::Reverse((*wish, *index))));
    shifts
}

fn by_chance(config: &Config) -> Vec<QueueId> {
    let chosen = config.queues().filter(|(_, queue)| queue.strategy == Strategy::RandomWeighted);
    chosen.map(|(id, _)| id).collect()
}

/// Room for everybody who may wait and everybody who may talk.
fn capacity(scenario: &Scenario<'_>, staff: &[Worker]) -> Capacity {
    let waiting: u64 = scenario.config.queues().map(|(_, queue)| u64::from(queue.max_waiting)).sum();
    let agents = staff.len() as u32;
    Capacity {
        callers: (waiting + u64::from(agents) + 1).min(u64::from(MOST_INSIDE)) as u32,
        agents,
        lines: lines::count(scenario.config.queues().map(|(id, _)| id.0 + 1).max().unwrap_or(0), 0),
        memberships: staff.iter().map(|worker| worker.lines.len() as u32).max().unwrap_or(0),
    }
}
