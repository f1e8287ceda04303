//! Agents ring for a caller: one, or as many as the queue rings at once; the first to answer gets him.
//!
//! With a ring time of zero the first answers at once, so that `ring-all` is `longest-idle` there.

use scheduler::{Agent, Caller};

use super::{
    floor::{Floor, Stage, agent_id},
    micros,
};
use crate::{
    agents::Tell,
    config::Queue,
    journal::fact::{LeftQueue, Micros, Wish},
    keys::CallKey,
    lines,
};

/// One whose telephone rings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rung {
    agent: Agent,
    answers: Micros,
    stops: Micros,
}

impl Floor<'_> {
    /// The first agent for a caller.
    pub(super) fn ring(&mut self, caller: u32, agent: Agent) {
        self.inside[caller as usize].stage = Stage::Ringing { due: self.at };
        self.rings(caller, agent);
        self.ring_on(caller);
    }

    fn rings(&mut self, caller: u32, agent: Agent) {
        let queue = self.inside[caller as usize].queue;
        self.agents.takes_turn(agent_id(agent), queue, &mut self.chances);
        self.change(agent, |agents, _, at| {
            agents.rings(agent_id(agent), CallKey(u64::from(caller)), at);
            Tell::Nothing
        });
        let answers = self.at + self.scenario.ring.draw(&mut self.rest);
        let stops = self.at + micros(self.queue_of(caller).ring_timeout);
        self.rung[caller as usize].push(Rung { agent, answers, stops });
    }

    /// Whoever answers now gets him; else as many ring as the queue rings at once, if so many are idle. With nobody
    /// left he waits again.
    pub(super) fn ring_on(&mut self, caller: u32) {
        let (most, until) = (self.queue_of(caller).ring_at_once, self.inside[caller as usize].until);
        self.short_of_agents.remove(&(self.inside[caller as usize].key, caller));
        loop {
            let rung = &self.rung[caller as usize];
            if let Some(first) = rung.iter().position(|rung| rung.answers <= self.at) {
                return self.answered(caller, first);
            }
            if !(1..usize::from(most)).contains(&rung.len()) || until <= self.at {
                break;
            }
            self.widen(caller);
            let line = lines::of_step(self.inside[caller as usize].queue, self.inside[caller as usize].step);
            let (agent, made) = self.scheduler.reinforce(Caller(caller), line);
            self.matches.extend(made);
            match agent {
                Some(agent) => self.rings(caller, agent),
                None => {
                    self.short_of_agents.insert((self.inside[caller as usize].key, caller));
                    break;
                }
            }
        }
        match self.rung[caller as usize].iter().map(|rung| rung.answers.min(rung.stops)).min() {
            Some(next) => {
                let inside = &mut self.inside[caller as usize];
                inside.stage = Stage::Ringing { due: next.min(inside.visit.gives_up) };
                self.arm(caller);
            }
            None if until <= self.at => self.is_sent_on(caller, LeftQueue::TimedOut),
            None => self.wait_on(caller),
        }
    }

    /// Somebody became idle: he may ring for callers for whom fewer ring than might.
    pub(super) fn reinforce(&mut self) {
        for (_, caller) in self.short_of_agents.clone() {
            self.disarm(caller);
            self.ring_on(caller);
        }
    }

    fn answered(&mut self, caller: u32, first: usize) {
        let Rung { agent, .. } = self.rung[caller as usize].swap_remove(first);
        self.change(agent, |agents, _, at| {
            agents.talks(agent_id(agent), true, at);
            Tell::Nothing
        });
        self.spare_all(caller);
        let inside = self.inside[caller as usize];
        self.learn(caller, LeftQueue::Answered);
        self.leave(inside.queue, inside.entered, LeftQueue::Answered);
        self.inside[caller as usize].stage = Stage::Talking { agent, ends: self.at + inside.visit.talk };
        self.arm(caller);
    }

    /// Somebody answers, the caller gives up, or somebody has rung long enough.
    pub(super) fn ringing_due(&mut self, caller: u32) {
        let now = self.at;
        let answers = self.rung[caller as usize].iter().any(|rung| rung.answers <= now);
        if !answers && self.inside[caller as usize].visit.gives_up <= now {
            self.spare_all(caller);
            return self.goes(caller, LeftQueue::Abandoned);
        }
        while !answers
            && let Some(over) = self.rung[caller as usize].iter().position(|rung| rung.stops <= now)
        {
            let Rung { agent, .. } = self.rung[caller as usize].remove(over);
            self.unanswered(caller, agent);
        }
        self.ring_on(caller);
    }

    /// An agent did not answer: he rests.
    fn unanswered(&mut self, caller: u32, agent: Agent) {
        let inside = self.inside[caller as usize];
        let Queue { rest_no_answer: rest, pause_after, .. } = *self.queue_of(caller);
        self.counts(inside.queue, inside.entered).unanswered += 1;
        self.scheduler.release(agent);
        self.change(agent, |agents, now, at| agents.rests(agent_id(agent), rest, now, at));
        let in_a_row = self.agents.left_unanswered(agent_id(agent));
        if pause_after > 0 && in_a_row >= pause_after {
            self.wishes(agent, Wish::Paused);
        }
    }

    /// Those who ring and did not get the caller stand among the idle where they stood.
    fn spare_all(&mut self, caller: u32) {
        self.short_of_agents.remove(&(self.inside[caller as usize].key, caller));
        for Rung { agent, .. } in std::mem::take(&mut self.rung[caller as usize]) {
            self.scheduler.release(agent);
            self.change(agent, |agents, now, at| agents.spared(agent_id(agent), now, at));
        }
    }
}
