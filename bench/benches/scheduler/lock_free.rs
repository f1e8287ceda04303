//! Ours.

use scheduler::{Agent, Caller, Capacity, Line, Scheduler, Withdrawn};

use crate::floor::{Floor, Scene};

impl Floor for Scheduler {
    const NAME: &'static str = "lock-free";

    fn new(scene: Scene, serves: &[Vec<u32>]) -> Self {
        let Scene { callers, agents, lines, memberships } = scene;
        let floor = Scheduler::new(Capacity { callers: callers + 1, agents, lines, memberships });
        (0..lines).for_each(|line| floor.reserve(Line(line), callers.div_ceil(lines) + 1));
        for (agent, lines) in (0..).zip(serves) {
            let lines: Vec<Line> = lines.iter().copied().map(Line).collect();
            assert!(floor.set_memberships(Agent(agent), &lines, |_| 0).is_empty());
        }
        floor
    }

    fn post(&self, caller: u32, line: u32, key: u64) -> Option<u32> {
        Scheduler::post(self, Caller(caller), Line(line), key).first().map(|found| found.caller.0)
    }

    fn ready(&self, agent: u32, key: u64) -> Option<u32> {
        Scheduler::ready(self, Agent(agent), |_| key).first().map(|found| found.caller.0)
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
