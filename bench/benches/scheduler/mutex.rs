//! The obvious way: one lock, sorted sets.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::floor::{Floor, Scene};

pub(crate) struct Locked(Mutex<Sorted>);

/// Where one caller waits with which key, and the agent his letter names.
type Waiting = (Option<(u32, u64)>, Option<u32>);

struct Sorted {
    waiting: Vec<BTreeSet<(u64, u32)>>,
    idle: Vec<BTreeSet<(u64, u32)>>,
    /// Per caller: where he waits and his letter.
    callers: Vec<Waiting>,
    /// Per agent: since when he is idle, and his lines.
    agents: Vec<(Option<u64>, Vec<u32>)>,
}

impl Sorted {
    fn assign(&mut self, caller: u32, agent: u32) -> u32 {
        if let Some((line, key)) = self.callers[caller as usize].0.take() {
            self.waiting[line as usize].remove(&(key, caller));
        }
        let (idle, serves) = &mut self.agents[agent as usize];
        if let Some(key) = idle.take() {
            serves.iter().for_each(|line| _ = self.idle[*line as usize].remove(&(key, agent)));
        }
        self.callers[caller as usize].1 = Some(agent);
        caller
    }
}

impl Floor for Locked {
    const NAME: &'static str = "mutex";

    fn new(scene: Scene, serves: &[Vec<u32>]) -> Self {
        Locked(Mutex::new(Sorted {
            waiting: vec![BTreeSet::new(); scene.lines as usize],
            idle: vec![BTreeSet::new(); scene.lines as usize],
            callers: vec![(None, None); scene.callers as usize + 1],
            agents: serves.iter().map(|lines| (None, lines.clone())).collect(),
        }))
    }

    fn post(&self, caller: u32, line: u32, key: u64) -> Option<u32> {
        let mut floor = self.0.lock().unwrap();
        floor.callers[caller as usize].0 = Some((line, key));
        floor.waiting[line as usize].insert((key, caller));
        let agent = floor.idle[line as usize].first().copied()?.1;
        Some(floor.assign(caller, agent))
    }

    fn ready(&self, agent: u32, key: u64) -> Option<u32> {
        let floor = &mut *self.0.lock().unwrap();
        let (idle, serves) = &mut floor.agents[agent as usize];
        *idle = Some(key);
        serves.iter().for_each(|line| _ = floor.idle[*line as usize].insert((key, agent)));
        let first = serves.iter().filter_map(|line| floor.waiting[*line as usize].first()).min();
        let caller = first.copied()?.1;
        Some(floor.assign(caller, agent))
    }

    fn take_letter(&self, caller: u32) -> Option<u32> {
        self.0.lock().unwrap().callers[caller as usize].1.take()
    }

    fn release(&self, _agent: u32) {}

    fn withdraw(&self, caller: u32) {
        let mut floor = self.0.lock().unwrap();
        if let Some((line, key)) = floor.callers[caller as usize].0.take() {
            floor.waiting[line as usize].remove(&(key, caller));
        }
    }

    fn position(&self, caller: u32) -> Option<u32> {
        let floor = self.0.lock().unwrap();
        let (line, key) = floor.callers[caller as usize].0?;
        Some(floor.waiting[line as usize].range(..(key, caller)).count() as u32 + 1)
    }
}
