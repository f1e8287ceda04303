//! The lock-free way from the shelf: a skip list for each line's callers and one for its idle agents.
//!
//! An agent is taken by swapping his flag, a caller by removing him from his list: both decide races. Who took an
//! agent and finds no caller puts him back and looks again, as ours does.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};

use crossbeam_skiplist::SkipSet;

use crate::floor::{Floor, Scene};

pub(crate) struct SkipLists {
    waiting: Vec<SkipSet<(u64, u32)>>,
    idle: Vec<SkipSet<(u64, u32)>>,
    callers: Vec<Caller>,
    agents: Vec<Agent>,
}

struct Caller {
    line: AtomicU32,
    key: AtomicU64,
    /// 1 + the agent.
    letter: AtomicU32,
}

struct Agent {
    idle: AtomicBool,
    key: AtomicU64,
    serves: Vec<u32>,
}

impl SkipLists {
    fn show(&self, agent: u32, key: u64) {
        let desk = &self.agents[agent as usize];
        desk.key.store(key, SeqCst);
        desk.serves.iter().for_each(|line| _ = self.idle[*line as usize].insert((key, agent)));
        desk.idle.store(true, SeqCst);
    }

    /// `false` if somebody else was faster.
    fn take(&self, agent: u32) -> bool {
        let desk = &self.agents[agent as usize];
        let taken = desk.idle.swap(false, SeqCst);
        if taken {
            let key = desk.key.load(SeqCst);
            desk.serves.iter().for_each(|line| _ = self.idle[*line as usize].remove(&(key, agent)));
        }
        taken
    }

    /// The caller an idle agent takes, or nobody, and he is idle again.
    fn serve(&self, agent: u32) -> Option<u32> {
        let desk = &self.agents[agent as usize];
        loop {
            let heads =
                desk.serves.iter().filter_map(|line| Some((self.waiting[*line as usize].front()?, line)));
            let (key, caller, line) =
                heads.map(|(head, line)| (head.value().0, head.value().1, *line)).min()?;
            if !self.take(agent) {
                return None;
            }
            if self.waiting[line as usize].remove(&(key, caller)).is_some() {
                self.callers[caller as usize].letter.store(agent + 1, SeqCst);
                return Some(caller);
            }
            self.show(agent, desk.key.load(SeqCst));
        }
    }
}

impl Floor for SkipLists {
    const NAME: &'static str = "crossbeam-skiplist";

    fn new(scene: Scene, serves: &[Vec<u32>]) -> Self {
        let lists = || (0..scene.lines).map(|_| SkipSet::new()).collect();
        let caller =
            |_| Caller { line: AtomicU32::new(0), key: AtomicU64::new(0), letter: AtomicU32::new(0) };
        let agent = |lines: &Vec<u32>| Agent {
            idle: AtomicBool::new(false),
            key: AtomicU64::new(0),
            serves: lines.clone(),
        };
        SkipLists {
            waiting: lists(),
            idle: lists(),
            callers: (0..=scene.callers).map(caller).collect(),
            agents: serves.iter().map(agent).collect(),
        }
    }

    fn post(&self, caller: u32, line: u32, key: u64) -> Option<u32> {
        let ticket = &self.callers[caller as usize];
        ticket.line.store(line, SeqCst);
        ticket.key.store(key, SeqCst);
        self.waiting[line as usize].insert((key, caller));
        // An agent whom another thread has just taken is still shown: look again while we wait.
        while self.waiting[line as usize].contains(&(key, caller)) {
            let agent = self.idle[line as usize].front()?.value().1;
            if let Some(caller) = self.serve(agent) {
                return Some(caller);
            }
        }
        None
    }

    fn ready(&self, agent: u32, key: u64) -> Option<u32> {
        self.show(agent, key);
        self.serve(agent)
    }

    fn take_letter(&self, caller: u32) -> Option<u32> {
        let letter = &self.callers[caller as usize].letter;
        if letter.load(SeqCst) == 0 { None } else { letter.swap(0, SeqCst).checked_sub(1) }
    }

    fn release(&self, _agent: u32) {}

    fn withdraw(&self, caller: u32) {
        let ticket = &self.callers[caller as usize];
        let key = (ticket.key.load(SeqCst), caller);
        self.waiting[ticket.line.load(SeqCst) as usize].remove(&key);
    }

    fn position(&self, caller: u32) -> Option<u32> {
        let ticket = &self.callers[caller as usize];
        let key = (ticket.key.load(SeqCst), caller);
        Some(self.waiting[ticket.line.load(SeqCst) as usize].range(..key).count() as u32 + 1)
    }
}
