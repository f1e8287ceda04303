//! A caller in a queue, and the agent he is given to.
//!
//! The scheduler decides; this room rings the agent, and when nobody picks up the caller waits again with the key he
//! had: his place is never lost (design §6).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use scheduler::Line;
use tracing::{info, warn};

use super::{
    Call, Stage, Why,
    failure::{Failure, Origin},
    ring::{Purpose, Ring, Rung},
    sticky::Alone,
};
use crate::{
    clock::millis_between,
    config::{AgentId, Queue, QueueId},
    estimate::Outlook,
    journal::fact::{LeftQueue, Micros, Unanswered, What},
    lines,
    shard::Switchboard,
};

/// An agent whom we could not ring, by a fault of ours, is tried again after so long: short, for he could work, and
/// long enough that a want of ports is not made worse by looking for them all the time. No queue can say less.
const OUR_REST: Duration = Duration::from_secs(1);

/// A caller's place in a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) queue: QueueId,
    /// Smaller is sooner. Fixed at first entry.
    pub(super) key: u64,
    pub(super) entered: Micros,
    /// The same instant by a clock that is never stepped: by this he waits.
    pub(super) waits_since: Instant,
    /// The step of the queue's widening.
    pub(super) step: usize,
    /// When the next step begins.
    pub(super) widens: Option<Instant>,
    /// When `max_wait` is over.
    pub(super) until: Instant,
    /// When he must go because nobody serves the queue, and how that is called.
    pub(super) leaves: Option<(Instant, LeftQueue)>,
    /// For whom he waits before all others.
    pub(super) alone: Option<Alone>,
    /// What he might expect when he entered; `None` once that has been judged.
    pub(super) outlook: Option<Outlook>,
}

impl Place {
    /// When something is to be done about waiting here.
    pub(super) fn deadline(&self) -> Instant {
        let leaves = self.leaves.map(|(at, _)| at);
        let alone = self.alone.map(|alone| alone.until);
        [self.widens, leaves, alone].into_iter().flatten().fold(self.until, Instant::min)
    }

    /// How he must leave now, if he must.
    pub(super) fn must_leave(&self, now: Instant) -> Option<LeftQueue> {
        let timed_out = (self.until <= now).then_some(LeftQueue::TimedOut);
        timed_out.or(self.leaves.filter(|(at, _)| *at <= now).map(|(_, how)| how))
    }

    /// Where callers wait who accept the same agents.
    pub(super) fn line(&self) -> Line {
        self.alone.map_or_else(|| lines::of_step(self.queue, self.step), |alone| alone.line)
    }

    /// The same place as the queue's settings and its crew have it now: at the step of widening that is reached, unless
    /// he still waits for one agent alone.
    fn as_of_now(self, settings: &Queue, board: &Switchboard) -> Place {
        let sticky = settings.memory.sticky.is_some();
        if self.alone.is_some_and(|alone| sticky && alone.goes_on(self.queue, board)) {
            return Place { leaves: self.leaves(settings, board), ..self };
        }
        let waited = board.now.saturating_duration_since(self.waits_since);
        let (step, next) = lines::step_after(settings, waited);
        let widens = next.map(|next| board.now + next.saturating_sub(waited));
        Place { step, widens, leaves: self.leaves(settings, board), alone: None, ..self }
    }
}

impl Call {
    /// Waits at `place`: posted, then looked for.
    pub(super) fn wait(&mut self, place: Place, board: &mut Switchboard) {
        self.stage = Stage::Waiting(place);
        match place.alone {
            Some(alone) => board.post_caller_for(self.key, place.queue, place.key, alone.agent),
            None => board.post_caller(self.key, place.line(), place.key),
        }
    }

    /// Waits where he waited, or at a later step of widening if one has begun meanwhile.
    fn wait_on(&mut self, place: Place, settings: &Queue, board: &mut Switchboard) {
        let fresh = self.widened(place, settings, board);
        match self.sent_away(&fresh, settings, board) {
            Some(how) => self.leave_queue(fresh, how, board),
            // For whom so many were rung in vain goes on to what follows the queue.
            None if self.is_full() => self.leave_queue(fresh, LeftQueue::TimedOut, board),
            None => self.wait(fresh, board),
        }
    }

    /// His place as it is now; that he waits for everybody, or a further step of widening, goes on record.
    fn widened(&self, place: Place, settings: &Queue, board: &mut Switchboard) -> Place {
        let fresh = place.as_of_now(settings, board);
        if let Some(alone) = place.alone.filter(|_| fresh.alone.is_none()) {
            let (queue, agent) = (settings.name.clone(), board.agent_name(alone.agent));
            self.fact(What::OpenToAll { queue, agent }, board);
        }
        if fresh.step != place.step {
            self.fact(What::Widened { queue: settings.name.clone(), step: fresh.step as u8 }, board);
        }
        fresh
    }

    /// A deadline of waiting: the caller accepts more agents, or has waited too long.
    pub(super) fn waited(&mut self, place: Place, board: &mut Switchboard) {
        if let Some(how) = place.must_leave(board.now) {
            return self.give_up_waiting(place, how, board);
        }
        match (board.withdraw_caller(self.key), board.config.queue(place.queue).cloned()) {
            (Some(agent), _) => self.ring_agent(place, agent, board),
            (None, Some(settings)) => self.wait_on(place, &settings, board),
            (None, None) => self.leave_queue(place, LeftQueue::Removed, board),
        }
    }

    /// The scheduler laid a letter in our ticket: rings the agent it names.
    pub(super) fn assigned(&mut self, board: &mut Switchboard) {
        let Some(agent) = board.take_letter(self.key) else { return };
        match self.stage {
            Stage::Waiting(place) => self.ring_agent(place, agent, board),
            _ => board.spare_agent(agent, Unanswered::CallerLeft),
        }
    }

    /// The first agent for the caller, and in a queue that rings several at once as many more as it may be.
    fn ring_agent(&mut self, place: Place, agent: AgentId, board: &mut Switchboard) {
        let free_since = board.now;
        self.stage = Stage::Ringing(Ring::new(Purpose::Assignment(place)));
        self.assign(place, agent, board);
        self.ring_on(board);
        board.dispatched(free_since);
    }

    fn assign(&mut self, place: Place, agent: AgentId, board: &mut Switchboard) {
        let (queue, name) = (board.queue_name(place.queue), board.agent_name(agent));
        info!(parent: &self.span, queue, agent = name, "assigned");
        let beside = self.agents().count() as u8;
        let choice = board.choice(place.queue, place.step, place.line(), place.key, agent);
        board.agent_rings(agent, Some(place.queue), self.key);
        let waited_ms = millis_between(place.entered, board.at);
        self.fact(What::Assigned { queue, agent: name, waited_ms, beside }, board);
        self.fact(choice, board);
        if let Some(held_back) = board.held_back(place.queue) {
            self.fact(held_back, board);
        }
        self.ring(Rung::agent(agent, &place, board), board);
    }

    /// Somebody more may ring, or one less does: as many ring as the queue rings at once, if so many are idle. With
    /// nobody left the caller waits again, for then those who wait with him have their turn too.
    pub(super) fn ring_on(&mut self, board: &mut Switchboard) {
        while let Some(place) = self.wants_one_more(board) {
            match board.reinforce_caller(self.key, place.line()) {
                Some(agent) => self.assign(place, agent, board),
                None => break,
            }
        }
        if let Stage::Ringing(Ring { purpose: Purpose::Assignment(place), rung, .. }) = &self.stage
            && rung.is_empty()
        {
            self.wait_again(*place, board);
        }
    }

    /// The place of a caller for whom fewer agents ring than might.
    fn wants_one_more(&mut self, board: &mut Switchboard) -> Option<Place> {
        let is_full = self.is_full();
        let Stage::Ringing(ring) = &mut self.stage else { return None };
        let (Purpose::Assignment(place), rings) = (&ring.purpose, ring.rung.len()) else { return None };
        let config = Arc::clone(&board.config);
        let settings = config.queue(place.queue);
        let most = settings.map_or(1, |queue| usize::from(queue.ring_at_once));
        ring.is_short = (1..most).contains(&rings) && board.now < place.until && !is_full;
        let (place, settings) = (*place, settings.filter(|_| ring.is_short && board.has_ports())?);
        let fresh = self.widened(place, settings, board);
        if let Stage::Ringing(ring) = &mut self.stage {
            ring.purpose = Purpose::Assignment(fresh);
        }
        Some(fresh)
    }

    /// An agent was rung in vain: he rests.
    pub(super) fn agent_unanswered(
        &mut self,
        agent: AgentId,
        rang_since: Micros,
        failure: &Failure,
        board: &mut Switchboard,
    ) {
        let why = Call::unanswered(failure);
        if why == Unanswered::Router {
            let agent = board.agent_name(agent);
            warn!(parent: &self.span, agent, reason = failure.phrase, "an agent could not be rung");
        }
        self.note_unanswered(agent, rang_since, why, board);
        let settings = self.queue().and_then(|queue| board.config.queue(queue)).cloned();
        rests(agent, why, settings.as_ref(), board);
    }

    /// Nobody took the assignment: the caller waits again with his old key, and no longer for whom he was given to.
    fn wait_again(&mut self, place: Place, board: &mut Switchboard) {
        let place = Place { alone: None, ..place };
        match board.config.queue(place.queue).cloned() {
            None => self.leave_queue(place, LeftQueue::Removed, board),
            Some(settings) => self.wait_on(place, &settings, board),
        }
    }

    /// Somebody else answered, or the caller left: an agent is free again and stands among the idle where he stood.
    pub(super) fn spare(&self, agent: AgentId, rang_since: Micros, why: Unanswered, board: &mut Switchboard) {
        self.note_unanswered(agent, rang_since, why, board);
        board.spare_agent(agent, why);
    }

    /// One of those who rang has answered.
    pub(super) fn spare_losers(&self, ring: &Ring, winner: Option<AgentId>, board: &mut Switchboard) {
        let rung = ring.rung.iter().filter_map(|rung| Some((rung.agent?, rung.since)));
        for (agent, since) in rung.filter(|(agent, _)| Some(*agent) != winner) {
            self.spare(agent, since, Unanswered::AnsweredElsewhere, board);
        }
    }

    /// The agent's leg ended before anybody can have said anything, or carried no sound: the caller waits again with
    /// his old key, which makes him the first, and the agent rests. For the queue's sums he was answered, and enters
    /// anew.
    pub(super) fn returns_to_queue(
        &mut self,
        agent: AgentId,
        place: Place,
        why: Unanswered,
        board: &mut Switchboard,
    ) {
        self.note_unanswered(agent, board.at, why, board);
        let settings = board.config.queue(place.queue).cloned();
        rests(agent, why, settings.as_ref(), board);
        let Some(settings) = settings else { return self.goes_out(place.queue, LeftQueue::Removed, board) };
        self.waits_as_before(place, &settings, board);
    }

    /// Waits again in a queue that he had left for a talk, with the key he had, which makes him the first.
    pub(super) fn waits_as_before(&mut self, place: Place, settings: &Queue, board: &mut Switchboard) {
        let place = Place { alone: None, outlook: None, ..place };
        self.note_queued(place, None, settings, board);
        self.begin_telling(place.queue, board);
        self.start_music(place.queue, board);
        self.wait_on(place, settings, board);
        self.follow_holds(board);
    }

    pub(super) fn note_unanswered(
        &self,
        agent: AgentId,
        rang_since: Micros,
        why: Unanswered,
        board: &mut Switchboard,
    ) {
        let rang_ms = millis_between(rang_since, board.at);
        self.fact(What::Unanswered { agent: board.agent_name(agent), why, rang_ms }, board);
    }

    /// Leaves the queue, unless an agent was chosen in this very turn: then he is rung.
    fn give_up_waiting(&mut self, place: Place, how: LeftQueue, board: &mut Switchboard) {
        match board.withdraw_caller(self.key) {
            Some(agent) => self.ring_agent(place, agent, board),
            None => self.leave_queue(place, how, board),
        }
    }

    /// Leaves the queue for where this way of leaving leads.
    fn leave_queue(&mut self, place: Place, how: LeftQueue, board: &mut Switchboard) {
        self.note_left(place, how, board);
        self.note_cut_prompt(board);
        self.cut_prompt(board);
        self.goes_out(place.queue, how, board);
    }

    pub(super) fn note_left(&self, place: Place, how: LeftQueue, board: &mut Switchboard) {
        if let Some(outlook) = place.outlook {
            board.learn_wait(place.queue, outlook, place.entered, how);
        }
        let settings = board.config.queue(place.queue).or_else(|| self.config.queue(place.queue));
        let left = What::Left {
            queue: board.queue_name(place.queue),
            how,
            waited_ms: millis_between(place.entered, board.at),
            targets: settings.map(Queue::targets).unwrap_or_default(),
        };
        self.fact(left, board);
        if how == LeftQueue::Abandoned {
            board.callers.gave_up(&self.parties.caller, place.queue, board.at);
        }
    }

    /// The caller goes while he waits: an agent who was faster is free again.
    pub(super) fn abandon_wait(&mut self, place: Place, how: LeftQueue, board: &mut Switchboard) {
        if let Some(agent) = board.withdraw_caller(self.key) {
            board.spare_agent(agent, Unanswered::CallerLeft);
        }
        self.note_left(place, how, board);
    }

    /// The queue is set otherwise, or gone: then it sends its callers on.
    pub(super) fn queue_changed(&mut self, board: &mut Switchboard) {
        self.tells_from_now_on(board);
        let Stage::Waiting(place) = self.stage else { return self.ring_on(board) };
        let Some(settings) = board.config.queue(place.queue).cloned() else {
            return self.give_up_waiting(place, LeftQueue::Removed, board);
        };
        let fresh = place.as_of_now(&settings, board);
        if let Some(how) = self.sent_away(&fresh, &settings, board) {
            return self.give_up_waiting(place, how, board);
        }
        match fresh.line() == place.line() {
            true => self.stage = Stage::Waiting(fresh),
            false => self.waited(place, board),
        }
    }

    /// Why an assignment's last leg failed, in the words of the record.
    pub(super) fn unanswered(failure: &Failure) -> Unanswered {
        match failure {
            failure if failure.is_busy() => Unanswered::Busy,
            failure if failure.is_decline() => Unanswered::Rejected,
            failure if failure.is_no_answer() => Unanswered::NoAnswer,
            failure if failure.origin == Origin::Ourselves => Unanswered::Router,
            _ => Unanswered::Failed,
        }
    }

    /// End of the call while agents ring.
    pub(super) fn abandon_assignment(&mut self, ring: &Ring, how: LeftQueue, board: &mut Switchboard) {
        if let Purpose::Transfer(transfer) = &ring.purpose {
            self.abandon_transfer(transfer, board);
        }
        let reserved = ring.reserved().map(|reserved| (reserved.agent, reserved.rang_since));
        let rung = ring.rung.iter().filter_map(|rung| Some((rung.agent?, rung.since)));
        let is_step = matches!(ring.purpose, Purpose::Step(_));
        for (agent, since) in rung.chain(reserved) {
            match is_step {
                true => board.spare_agent(agent, Unanswered::CallerLeft), // it was no assignment
                false => self.spare(agent, since, Unanswered::CallerLeft, board),
            }
        }
        if let Some(place) = ring.place() {
            self.note_left(*place, how, board);
        }
    }

    /// For the end of a call in any stage of waiting.
    pub(super) fn how_left(why: &Why) -> LeftQueue {
        if why.is_caller_gone() { LeftQueue::Abandoned } else { LeftQueue::Ended }
    }
}

/// An agent rests; who let it ring or sent no sound too often in a row is paused.
pub(super) fn rests(agent: AgentId, why: Unanswered, queue: Option<&Queue>, board: &mut Switchboard) {
    // First of all: without a rest he would be given the next caller before he is paused.
    if matches!(why, Unanswered::NoAnswer | Unanswered::Silent) {
        board.agent_left_unanswered(agent, queue.map_or(0, |queue| queue.pause_after));
    }
    board.agent_rests(agent, rest_after(why, queue), why);
}

fn rest_after(why: Unanswered, queue: Option<&Queue>) -> Duration {
    // Whoever fails at once, for one whose telephone is dead, would be rung again in the same millisecond, and for ever.
    let of_queue =
        |rest: fn(&Queue) -> Duration| queue.map_or(Duration::ZERO, |queue| rest(queue).max(OUR_REST));
    match why {
        Unanswered::NoAnswer => of_queue(|queue| queue.rest_no_answer),
        Unanswered::Busy
        | Unanswered::Rejected
        | Unanswered::Failed
        | Unanswered::HungUpAtOnce
        | Unanswered::Silent => of_queue(|queue| queue.rest_rejected),
        Unanswered::CallerLeft | Unanswered::AnsweredElsewhere | Unanswered::CustomerUnreached => {
            Duration::ZERO
        }
        Unanswered::Router => OUR_REST,
    }
}
