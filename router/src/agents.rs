//! Agents: who is at work, in which state, until when. Who answers whom is the scheduler's business.
//!
//! An agent has a *wish* (what he or his team lead asked for) and a *state* (what he is doing). A wish takes effect
//! at once when he is free and otherwise when his present call and its wrap-up are over: nobody is torn from a call,
//! and nobody stays stuck, because each busy state either belongs to a live call or carries a deadline.
//!
//! Beside his wish an agent may be *held back*: his presence elsewhere says that he is not to be rung. That takes
//! effect when a pause would, and leaves his wish as it is.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    config::{AgentId, QueueId},
    journal::fact::{AgentState, Micros, Wish},
    keys::CallKey,
    standing::{Chances, Standing},
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
    /// His place among the idle.
    pub standing: Standing,
    /// His presence elsewhere says that he is not to be rung.
    pub held_back: bool,
    /// When he is free next, he stands among the free where he stood.
    keeps_place: bool,
    /// Assignments in a row that came to no talk because he let them ring or sent no sound.
    unanswered: u8,
    until: Option<Instant>,
    /// The wrap-up or rest that a call of a colleague's or a transfer broke into, and its end.
    interrupted: Option<(AgentState, Instant)>,
    /// Somewhere he could be rung.
    reached: bool,
    /// Calls he is in that no queue gave him.
    own_calls: u8,
}

/// What the scheduler has to be told after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Nothing.
    Nothing,
    /// He is free; his [`Standing`] orders him among the free.
    Ready,
    /// He must not be chosen any more.
    Rest,
}

/// All agents of the node, by [`AgentId`].
#[derive(Debug, Default)]
pub struct Agents {
    desks: Vec<Option<Desk>>,
    timers: BTreeSet<(Instant, AgentId)>,
    /// The latest instant of becoming idle: no two are equal, so of two who became idle in one turn the first is first.
    last_idle: Micros,
    /// The latest turn given out.
    turn: u32,
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
            standing: Standing::since(at),
            held_back: false,
            keeps_place: false,
            unanswered: 0,
            until: None,
            interrupted: None,
            reached: true,
            own_calls: 0,
        });
    }

    /// He can be rung from now on, or not: then he is as if paused when he is free. Nobody is torn from a call.
    pub fn reach(&mut self, agent: AgentId, reached: bool, at: Micros) -> Tell {
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        desk.reached = reached;
        match desk.state {
            AgentState::Idle => self.settle(agent, at),
            AgentState::NotReady if desk.until.is_none() => self.settle(agent, at),
            _ => Tell::Nothing,
        }
    }

    /// He makes a call, or speaks with a colleague: no caller is given to him until [`call_over`](Self::call_over).
    pub fn calls(&mut self, agent: AgentId, at: Micros) -> Tell {
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        desk.own_calls = desk.own_calls.saturating_add(1);
        if desk.state == AgentState::Idle { self.settle(agent, at) } else { Tell::Nothing }
    }

    /// A call that no queue gave him is over.
    pub fn call_over(&mut self, agent: AgentId, at: Micros) -> Tell {
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        desk.own_calls = desk.own_calls.saturating_sub(1);
        let is_free = desk.own_calls == 0 && desk.call.is_none() && desk.state == AgentState::Talking;
        if is_free { self.settle(agent, at) } else { Tell::Nothing }
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
        if wish == Wish::Ready {
            (desk.unanswered, desk.interrupted) = (0, None);
        }
        match desk.state {
            AgentState::Ringing | AgentState::Talking => Tell::Nothing,
            AgentState::WrapUp if wish == Wish::Ready => Tell::Nothing,
            AgentState::Idle if wish == Wish::Ready => Tell::Nothing,
            _ => self.settle(agent, at),
        }
    }

    /// He is held back, or no longer. Takes effect now if he is free, else after his call, wrap-up or rest.
    pub fn hold_back(&mut self, agent: AgentId, held_back: bool, at: Micros) -> Tell {
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        let changes = std::mem::replace(&mut desk.held_back, held_back) != held_back;
        let is_free = matches!(desk.state, AgentState::Idle | AgentState::NotReady) && desk.until.is_none();
        match changes && is_free && desk.wish == Wish::Ready {
            true => self.settle(agent, at),
            false => Tell::Nothing,
        }
    }

    /// The scheduler claimed him for `call` and he is being rung. A wrap-up or rest of his goes on afterwards, unless a
    /// caller of a queue's has taken its place.
    pub fn rings(&mut self, agent: AgentId, call: CallKey, at: Micros) {
        if let Some(desk) = self.desk(agent) {
            desk.interrupted = desk.until.map(|until| (desk.state, until));
        }
        self.clear_timer(agent);
        if let Some(desk) = self.desk(agent) {
            desk.call = Some(call);
            desk.becomes(AgentState::Ringing, at);
        }
    }

    /// He answered: somebody whom a queue gave him (`of_queue`), which counts for him, or a colleague.
    pub fn talks(&mut self, agent: AgentId, of_queue: bool, at: Micros) {
        if let Some(desk) = self.desk(agent) {
            desk.standing.answered += u64::from(of_queue);
            desk.becomes(AgentState::Talking, at);
        }
    }

    /// He talks on, in another call.
    pub fn moves(&mut self, agent: AgentId, call: CallKey) {
        if let Some(desk) = self.desk(agent) {
            desk.call = Some(call);
        }
    }

    /// His call is over; `wrap_up` follows, then his wish. `None`: no queue had given it to him.
    pub fn wraps_up(&mut self, agent: AgentId, wrap_up: Option<Duration>, now: Instant, at: Micros) -> Tell {
        let Some(wrap_up) = wrap_up else { return self.goes_on(agent, now, at) };
        if let Some(desk) = self.desk(agent) {
            desk.unanswered = 0;
        }
        self.pause(agent, AgentState::WrapUp, wrap_up, now, at)
    }

    /// What was broken into goes on for the rest of its time.
    fn goes_on(&mut self, agent: AgentId, now: Instant, at: Micros) -> Tell {
        let broken = self.desk(agent).and_then(|desk| desk.interrupted.take());
        let (state, until) = broken.unwrap_or((AgentState::WrapUp, now));
        self.pause(agent, state, until.saturating_duration_since(now), now, at)
    }

    /// He did not take an assignment: `rest` passes before he is offered the next.
    pub fn rests(&mut self, agent: AgentId, rest: Duration, now: Instant, at: Micros) -> Tell {
        self.pause(agent, AgentState::NotReady, rest, now, at)
    }

    /// He let an assignment ring, or sent no sound. Returns how many in a row it were.
    pub fn left_unanswered(&mut self, agent: AgentId) -> u8 {
        let Some(desk) = self.desk(agent) else { return 0 };
        desk.unanswered = desk.unanswered.saturating_add(1);
        desk.unanswered
    }

    /// He has been given a caller of `queue`: his turn there is over.
    pub fn takes_turn(&mut self, agent: AgentId, queue: QueueId, chances: &mut Chances) {
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn;
        if let Some(desk) = self.desk(agent) {
            desk.standing.takes_turn(queue, turn, chances);
        }
    }

    /// His standing, to draw chances for.
    pub fn standing(&mut self, agent: AgentId) -> Option<&mut Standing> {
        self.desk(agent).map(|desk| &mut desk.standing)
    }

    /// The caller left while he rang: he is free again and keeps his place among the free.
    pub fn spared(&mut self, agent: AgentId, now: Instant, at: Micros) -> Tell {
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        desk.keeps_place = true;
        self.goes_on(agent, now, at)
    }

    /// He could not be rung, and that is not his fault: free again after `wait`, and then he stands where he stood.
    pub fn waits(&mut self, agent: AgentId, wait: Duration, now: Instant, at: Micros) -> Tell {
        if let Some(desk) = self.desk(agent) {
            desk.keeps_place = true;
        }
        self.pause(agent, AgentState::NotReady, wait, now, at)
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
        (desk.call, desk.interrupted) = (None, None);
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
        let (idle_since, turn) = (at.max(self.last_idle + 1), self.turn.wrapping_add(1));
        let Some(desk) = self.desk(agent) else { return Tell::Nothing };
        let keeps_place = std::mem::take(&mut desk.keeps_place);
        match desk.effective_wish() {
            Wish::Ready if desk.own_calls > 0 => {
                desk.becomes(AgentState::Talking, at);
                Tell::Rest
            }
            Wish::Ready => {
                desk.becomes(AgentState::Idle, at);
                if !keeps_place {
                    (desk.standing.idle_since, desk.standing.turn) = (idle_since, turn);
                    (self.last_idle, self.turn) = (idle_since, turn);
                }
                Tell::Ready
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
    /// His wish, and a pause if he is ready and held back, or cannot be rung.
    pub fn effective_wish(&self) -> Wish {
        match self.wish {
            Wish::Ready if self.held_back || !self.reached => Wish::Paused,
            wish => wish,
        }
    }

    /// Nothing but his presence keeps him from being rung.
    pub fn rests_by_presence(&self) -> bool {
        let is_ready = self.wish == Wish::Ready && self.until.is_none();
        is_ready && self.held_back && self.state == AgentState::NotReady
    }

    /// Somewhere he could be rung.
    pub fn is_reached(&self) -> bool {
        self.reached
    }

    /// Calls he is in that no queue gave him.
    pub fn own_calls(&self) -> u8 {
        self.own_calls
    }

    fn becomes(&mut self, state: AgentState, at: Micros) {
        if self.state != state {
            self.state = state;
            self.since = at;
        }
    }
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
        assert_eq!(agents.wish(anna, Wish::Ready, 5), Tell::Ready);
        (agents, anna, origin())
    }

    #[test]
    fn a_pause_asked_for_in_a_call_waits_for_its_end_and_needs_no_second_word() {
        let (mut agents, anna, now) = at_work();
        agents.rings(anna, CallKey(1), 6);
        agents.talks(anna, true, 7);
        assert_eq!(agents.wish(anna, Wish::Paused, 8), Tell::Nothing);
        assert_eq!(agents.get(anna).unwrap().state, AgentState::Talking);
        assert_eq!(agents.wraps_up(anna, Some(Duration::ZERO), now, 9), Tell::Rest);
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
        assert_eq!(free, (anna, Tell::Ready));
        assert_eq!(agents.deadline(), None);
    }

    #[test]
    fn of_two_who_become_idle_at_once_the_first_is_first_also_when_the_clock_steps_back() {
        let mut agents = Agents::default();
        let (anna, bo, carla) = (AgentId::from(0), AgentId::from(1), AgentId::from(2));
        [anna, bo, carla].iter().for_each(|agent| agents.add(*agent, 0));
        let mut idle_since = |agent, at| {
            assert_eq!(agents.wish(agent, Wish::Ready, at), Tell::Ready);
            agents.get(agent).unwrap().standing.idle_since
        };
        assert_eq!([idle_since(carla, 5), idle_since(anna, 5), idle_since(bo, 3)], [5, 6, 7]);
    }

    #[test]
    fn an_agent_whose_caller_gave_up_keeps_his_place_among_the_free() {
        let (mut agents, anna, _) = at_work();
        agents.rings(anna, CallKey(1), 6);
        assert_eq!(agents.spared(anna, origin(), 90), Tell::Ready);
        assert_eq!(agents.get(anna).unwrap().standing.idle_since, 5);
    }

    #[test]
    fn an_agent_whom_we_could_not_ring_waits_and_then_stands_where_he_stood_once() {
        let (mut agents, anna, now) = at_work();
        agents.rings(anna, CallKey(1), 6);
        assert_eq!(agents.waits(anna, Duration::from_secs(1), now, 7), Tell::Rest);
        assert_eq!(agents.due(now + Duration::from_secs(1), 8), Some((anna, Tell::Ready)));
        assert_eq!(agents.get(anna).unwrap().standing.idle_since, 5);
        agents.rings(anna, CallKey(2), 9);
        agents.talks(anna, true, 10);
        assert_eq!(agents.wraps_up(anna, Some(Duration::ZERO), now, 11), Tell::Ready);
        assert_eq!(agents.get(anna).unwrap().standing.idle_since, 11);
    }

    #[test]
    fn a_colleagues_call_breaks_into_a_wrap_up_and_does_not_shorten_it() {
        let second = Duration::from_secs(1);
        for answers in [false, true] {
            let (mut agents, anna, now) = at_work();
            agents.rings(anna, CallKey(1), 6);
            agents.talks(anna, true, 7);
            agents.wraps_up(anna, Some(60 * second), now, 8);
            agents.rings(anna, CallKey(2), 9);
            let told = if answers {
                agents.talks(anna, false, 10);
                agents.wraps_up(anna, None, now + 20 * second, 11)
            } else {
                agents.spared(anna, now + 20 * second, 11)
            };
            assert_eq!((told, agents.get(anna).unwrap().state), (Tell::Rest, AgentState::WrapUp));
            assert_eq!(agents.get(anna).unwrap().standing.answered, 1);
            assert_eq!(agents.deadline(), Some(now + 60 * second));
            assert_eq!(agents.due(now + 60 * second, 12), Some((anna, Tell::Ready)));
        }
    }

    #[test]
    fn who_is_held_back_in_a_call_rests_after_it_and_comes_back_by_himself_with_his_wish() {
        let (mut agents, anna, now) = at_work();
        agents.rings(anna, CallKey(1), 6);
        agents.talks(anna, true, 7);
        assert_eq!(agents.hold_back(anna, true, 8), Tell::Nothing);
        assert_eq!(agents.get(anna).unwrap().state, AgentState::Talking);
        assert_eq!(agents.wraps_up(anna, Some(Duration::from_secs(5)), now, 9), Tell::Rest);
        assert_eq!(agents.hold_back(anna, false, 10), Tell::Nothing, "the wrap-up goes on");
        assert_eq!(agents.hold_back(anna, true, 11), Tell::Nothing);
        assert_eq!(agents.due(now + Duration::from_secs(5), 12), Some((anna, Tell::Rest)));
        assert_eq!(agents.get(anna).unwrap().state, AgentState::NotReady);
        assert_eq!(agents.hold_back(anna, false, 20), Tell::Ready);
        assert_eq!(agents.get(anna).unwrap().standing.idle_since, 20);
    }

    #[test]
    fn being_held_back_and_a_pause_of_ones_own_do_not_undo_each_other() {
        let (mut agents, anna, _) = at_work();
        assert_eq!(agents.hold_back(anna, true, 6), Tell::Rest);
        assert_eq!(agents.wish(anna, Wish::Paused, 7), Tell::Rest);
        assert_eq!(agents.hold_back(anna, false, 8), Tell::Nothing);
        assert_eq!(agents.get(anna).unwrap().state, AgentState::NotReady);
        assert_eq!(agents.hold_back(anna, true, 9), Tell::Nothing);
        assert_eq!(agents.wish(anna, Wish::Ready, 10), Tell::Rest);
        assert_eq!(agents.hold_back(anna, false, 11), Tell::Ready);
    }

    #[test]
    fn a_log_out_in_wrap_up_ends_the_wrap_up() {
        let (mut agents, anna, now) = at_work();
        agents.rings(anna, CallKey(1), 6);
        agents.talks(anna, true, 7);
        agents.wraps_up(anna, Some(Duration::from_secs(30)), now, 9);
        assert_eq!(agents.wish(anna, Wish::LoggedOut, 10), Tell::Rest);
        assert_eq!((agents.get(anna).unwrap().state, agents.deadline()), (AgentState::LoggedOut, None));
    }
}
