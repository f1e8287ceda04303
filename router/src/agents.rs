//! Agents: who is at work, in which state, until when. Who answers whom is the scheduler's business.
//!
//! An agent has a *wish* (what he or his team lead asked for) and a *state* (what he is doing). A wish takes effect
//! at once when he is free and otherwise when his present call and its wrap-up are over: nobody is torn from a call,
//! and nobody stays stuck, because each busy state either belongs to a live call or carries a deadline.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    config::AgentId,
    journal::fact::{AgentState, Micros, Wish},
    keys::CallKey,
};

/// One agent at this instant.
#[derive(Debug, Clone)]
pub struct Desk {
    /// What was asked for.
    pub wish: Wish,
    /// What he does.
    pub state: AgentState,
    /// Since when.
    pub since: Micros,
    /// The call he rings or talks for.
    pub call: Option<CallKey>,
    /// Calls answered since the process started.
    pub answered: u64,
    /// When he last became idle, no two alike: the longest idle has the smallest.
    idle_since: Micros,
    until: Option<Instant>,
}

/// What the scheduler has to be told after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Nothing.
    Nothing,
    /// He is free; `idle_key` orders him among the free.
    Ready {
        /// UTC microseconds of becoming idle.
        idle_key: u64,
    },
    /// He must not be chosen any more.
    Rest,
}

/// All agents of the node, by [`AgentId`].
#[derive(Debug, Default)]
pub struct Agents {
    desks: Vec<Option<Desk>>,
    timers: BTreeSet<(Instant, AgentId)>,
    /// The latest idle key given out: no two are equal, so of two who became idle in one turn the first is first.
    last_idle: Micros,
}

impl Agents {
    /// Adds an agent, logged out until his first wish. Adding him again changes nothing.
    pub fn add(&mut self, agent: AgentId, at: Micros) {
        let index = agent.index();
        if self.desks.len() <= index {
            self.desks.resize(index + 1, None);
        }
        self.desks[index].get_or_insert(Desk {
            wish: Wish::LoggedOut,
            state: AgentState::LoggedOut,
            since: at,
            call: None,
            answered: 0,
            idle_since: at,
            until: None,
        });
    }

    /// The agent's desk, if he is known.
    pub fn get(&self, agent: AgentId) -> Option<&Desk> {
        self.desks.get(agent.index())?.as_ref()
    }

    /// Every agent in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = (AgentId, &Desk)> {
        self.desks.iter().enumerate().filter_map(|(index, desk)| Some((AgentId::from(index), desk.as_ref()?)))
    }

    /// A new wish. Takes effect now if he is free, else after his call.
    pub fn wish(&mut self, agent: AgentId, wish: Wish, at: Micros) -> Tell {
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        desk.wish = wish;
        match desk.state {
            AgentState::Ringing | AgentState::Talking => Tell::Nothing,
            AgentState::WrapUp if wish == Wish::Ready => Tell::Nothing,
            AgentState::Idle if wish == Wish::Ready => Tell::Nothing,
            _ => self.settle(agent, at),
        }
    }

    /// The scheduler claimed him for `call` and he is being rung.
    pub fn rings(&mut self, agent: AgentId, call: CallKey, at: Micros) {
        self.clear_timer(agent);
        if let Some(desk) = self.desk(agent) {
            desk.call = Some(call);
            desk.becomes(AgentState::Ringing, at);
        }
    }

    /// He answered.
    pub fn talks(&mut self, agent: AgentId, at: Micros) {
        if let Some(desk) = self.desk(agent) {
            desk.answered += 1;
            desk.becomes(AgentState::Talking, at);
        }
    }

    /// His call is over; `wrap_up` follows, then his wish.
    pub fn wraps_up(&mut self, agent: AgentId, wrap_up: Duration, now: Instant, at: Micros) -> Tell {
        self.pause(agent, AgentState::WrapUp, wrap_up, now, at)
    }

    /// He did not take an assignment: `rest` passes before he is offered the next.
    pub fn rests(&mut self, agent: AgentId, rest: Duration, now: Instant, at: Micros) -> Tell {
        self.pause(agent, AgentState::NotReady, rest, now, at)
    }

    /// The caller left while he rang: he is free again and keeps his place among the free.
    pub fn spared(&mut self, agent: AgentId, at: Micros) -> Tell {
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        desk.call = None;
        let idle_since = desk.idle_since;
        let tell = self.settle(agent, at);
        match (tell, self.desk(agent)) {
            (Tell::Ready { .. }, Some(desk)) => {
                desk.idle_since = idle_since;
                Tell::Ready { idle_key: key(idle_since) }
            }
            (tell, _) => tell,
        }
    }

    /// When [`due`](Self::due) has work next.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The agent whom [`due`](Self::due) would settle next.
    pub fn first_due(&self, now: Instant) -> Option<AgentId> {
        self.timers.first().filter(|(until, _)| *until <= now).map(|(_, agent)| *agent)
    }

    /// The next agent whose wrap-up or rest is over at `now`, settled; `None` when there is no more.
    pub fn due(&mut self, now: Instant, at: Micros) -> Option<(AgentId, Tell)> {
        let &(until, agent) = self.timers.first().filter(|(until, _)| *until <= now)?;
        self.timers.remove(&(until, agent));
        if let Some(desk) = self.desk(agent) {
            desk.until = None;
        }
        Some((agent, self.settle(agent, at)))
    }

    fn pause(
        &mut self,
        agent: AgentId,
        state: AgentState,
        length: Duration,
        now: Instant,
        at: Micros,
    ) -> Tell {
        self.clear_timer(agent);
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        desk.call = None;
        if length.is_zero() || desk.wish == Wish::LoggedOut {
            return self.settle(agent, at);
        }
        desk.becomes(state, at);
        desk.until = Some(now + length);
        self.timers.insert((now + length, agent));
        Tell::Rest
    }

    /// Free of calls and deadlines: the wish becomes the state.
    fn settle(&mut self, agent: AgentId, at: Micros) -> Tell {
        self.clear_timer(agent);
        let idle_since = at.max(self.last_idle + 1);
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        match desk.wish {
            Wish::Ready => {
                desk.idle_since = idle_since;
                desk.becomes(AgentState::Idle, at);
                self.last_idle = idle_since;
                Tell::Ready { idle_key: key(idle_since) }
            }
            Wish::Paused => {
                desk.becomes(AgentState::NotReady, at);
                Tell::Rest
            }
            Wish::LoggedOut => {
                desk.becomes(AgentState::LoggedOut, at);
                Tell::Rest
            }
        }
    }

    fn clear_timer(&mut self, agent: AgentId) {
        if let Some(until) = self.desk(agent).and_then(|desk| desk.until.take()) {
            self.timers.remove(&(until, agent));
        }
    }

    fn desk(&mut self, agent: AgentId) -> Option<&mut Desk> {
        self.desks.get_mut(agent.index())?.as_mut()
    }
}

impl Desk {
    /// At work, whatever he does.
    pub fn is_logged_in(&self) -> bool {
        self.state != AgentState::LoggedOut
    }

    /// Orders him among the idle: the longest idle has the smallest.
    pub(crate) fn idle_key(&self) -> u64 {
        key(self.idle_since)
    }

    fn becomes(&mut self, state: AgentState, at: Micros) {
        if self.state != state {
            self.state = state;
            self.since = at;
        }
    }
}

fn key(at: Micros) -> u64 {
    u64::try_from(at).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: usize = 0;

    #[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
    fn origin() -> Instant {
        Instant::now()
    }

    fn at_work() -> (Agents, AgentId, Instant) {
        let (mut agents, anna) = (Agents::default(), AgentId::from(ANNA));
        agents.add(anna, 0);
        assert_eq!(agents.wish(anna, Wish::Ready, 5), Tell::Ready { idle_key: 5 });
        (agents, anna, origin())
    }

    #[test]
    fn a_pause_asked_for_in_a_call_waits_for_its_end_and_needs_no_second_word() {
        let (mut agents, anna, now) = at_work();
        agents.rings(anna, CallKey(1), 6);
        agents.talks(anna, 7);
        assert_eq!(agents.wish(anna, Wish::Paused, 8), Tell::Nothing);
        assert_eq!(agents.get(anna).unwrap().state, AgentState::Talking);
        assert_eq!(agents.wraps_up(anna, Duration::ZERO, now, 9), Tell::Rest);
        assert_eq!(agents.get(anna).unwrap().state, AgentState::NotReady);
    }

    #[test]
    fn an_agent_who_did_not_answer_is_free_again_after_his_rest_and_not_before() {
        let (mut agents, anna, now) = at_work();
        agents.rings(anna, CallKey(1), 6);
        assert_eq!(agents.rests(anna, Duration::from_secs(30), now, 7), Tell::Rest);
        assert_eq!(agents.due(now + Duration::from_secs(29), 8), None);
        assert_eq!(agents.deadline(), Some(now + Duration::from_secs(30)));
        let free = agents.due(now + Duration::from_secs(30), 37).unwrap();
        assert_eq!(free, (anna, Tell::Ready { idle_key: 37 }));
        assert_eq!(agents.deadline(), None);
    }

    #[test]
    fn of_two_who_become_idle_at_once_the_first_is_first_also_when_the_clock_steps_back() {
        let mut agents = Agents::default();
        let (anna, bo, carla) = (AgentId::from(0), AgentId::from(1), AgentId::from(2));
        [anna, bo, carla].iter().for_each(|agent| agents.add(*agent, 0));
        assert_eq!(agents.wish(carla, Wish::Ready, 5), Tell::Ready { idle_key: 5 });
        assert_eq!(agents.wish(anna, Wish::Ready, 5), Tell::Ready { idle_key: 6 });
        assert_eq!(agents.wish(bo, Wish::Ready, 3), Tell::Ready { idle_key: 7 });
    }

    #[test]
    fn an_agent_whose_caller_gave_up_keeps_his_place_among_the_free() {
        let (mut agents, anna, _) = at_work();
        agents.rings(anna, CallKey(1), 6);
        assert_eq!(agents.spared(anna, 90), Tell::Ready { idle_key: 5 });
    }

    #[test]
    fn a_log_out_in_wrap_up_ends_the_wrap_up() {
        let (mut agents, anna, now) = at_work();
        agents.rings(anna, CallKey(1), 6);
        agents.talks(anna, 7);
        agents.wraps_up(anna, Duration::from_secs(30), now, 9);
        assert_eq!(agents.wish(anna, Wish::LoggedOut, 10), Tell::Rest);
        assert_eq!((agents.get(anna).unwrap().state, agents.deadline()), (AgentState::LoggedOut, None));
    }
}
