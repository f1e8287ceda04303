//! Callbacks: who asks to be called back, and the call of ours that does it.
//!
//! That call is one like any other, but its caller's leg is dialled by us, and last. It waits in the queue without a leg
//! and with the place that the customer had; the agent whom it is given to is rung first, for there is nobody who could
//! wait for him. When he has answered he hears the ringing tone and the customer is called, as leg 0; from their bridge
//! on it is a call of a caller who has waited. Whatever ends it before that puts the callback off or gives it up.

use std::time::Duration;

use bytes::Bytes;
use smallvec::smallvec;
use tracing::{info_span, warn};

use super::{
    Answered, CALLER, Call, Parties, Stage, Waits, Why,
    assign::{Place, rests},
    failure::{Failure, Origin},
    flow::{Outcome, Position},
    leg::Leg,
    recording::Recording,
    ring::{Purpose, Ring, Rung},
};
use crate::{
    callbacks::{Callback, MOST_IN_A_QUEUE, NoRoom},
    clock::millis,
    config::{Address, AgentId, CallbackStep, Queue, QueueId, TrunkId},
    journal::fact::{CallId, CallbackEnd, LeftQueue, LegNumber, Micros, Unanswered, What},
    keys::CallKey,
    media_command::play,
    shard::Switchboard,
};

/// What a call of ours works for, until customer and agent are connected.
pub(super) struct CallingBack {
    callback: Callback,
    queue: QueueId,
    /// The customer was called, in vain.
    tried: bool,
}

/// The agent who has answered while the customer is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reserved {
    pub(super) place: Place,
    pub(super) agent: AgentId,
    pub(super) leg: LegNumber,
    pub(super) rang_since: Micros,
}

/// Asking for it.
impl Call {
    /// The `callback` step.
    pub(super) fn callback_step(&mut self, step: &CallbackStep, board: &mut Switchboard) -> Outcome {
        let queue = board.config.queue(step.queue).map(|queue| queue.name.clone());
        let Some(queue) = queue.filter(|_| !self.parties.withheld()) else {
            return Outcome::Jump(step.otherwise);
        };
        // A callback is named by the call in which it was asked for: one for each.
        if board.callbacks.get(self.id).is_some_and(|own| own.queue != queue) {
            return Outcome::Jump(step.otherwise);
        }
        let room = board.callbacks.room_for(&self.parties.caller, &queue);
        if room == Err(NoRoom::Full) {
            warn!(parent: &self.span, queue, "no room for a callback: {MOST_IN_A_QUEUE} are pending");
            return Outcome::Jump(step.otherwise);
        }
        if let Some(outcome) = step.prompt.and_then(|_| self.before_sound(false, board)) {
            return outcome;
        }
        match room {
            Err(NoRoom::Awaited(callback)) => self.fact(What::CallbackAwaited { queue, callback }, board),
            _ => self.ask_callback(queue, step, board),
        }
        match step.prompt.and_then(|prompt| self.play_once(prompt, board)) {
            Some(play) => {
                self.stage = Stage::InFlow(Waits::Prompt { play });
                Outcome::Wait
            }
            None => Outcome::Next,
        }
    }

    fn ask_callback(&mut self, queue: String, step: &CallbackStep, board: &mut Switchboard) {
        let expires = Micros::try_from(step.expires.as_micros()).unwrap_or(Micros::MAX);
        let dial = step.dial.filled(|template| self.parties.fill(template));
        let asked = What::CallbackAsked {
            queue,
            from: self.parties.caller.clone(),
            to: self.parties.called.clone(),
            trunk: board.trunk_name(self.trunk),
            dial: dial.written(|trunk| board.trunk_name(trunk)),
            arrived: *self.in_line_since.get_or_insert_with(|| board.arrival()),
            ring_ms: millis(step.ring_timeout),
            retry_ms: millis(step.retry),
            tries: step.tries,
            expires: board.at.saturating_add(expires),
        };
        self.fact(asked, board);
    }
}

/// Doing it.
impl Call {
    /// A call of ours for `callback`, which waits in `queue` from now on.
    pub fn calls_back(
        key: CallKey,
        callback: Callback,
        queue: QueueId,
        settings: &Queue,
        board: &mut Switchboard,
    ) -> Call {
        let (caller, called) = (callback.from.clone(), callback.to.clone());
        let trunk = trunk_named(&callback.trunk, board);
        let mut call = Call {
            key,
            id: CallId { run: board.run, key: key.0 },
            config: board.config.clone(),
            trunk: trunk.unwrap_or(TrunkId(u32::MAX)), // it is gone: nothing is known of it
            arrived: board.at,
            in_line_since: Some(callback.arrived),
            transferred: None,
            credits: Vec::new(),
            seat: CALLER,
            legs: smallvec![Leg::new(CALLER, None)],
            offer: None,
            answered: Answered::Acknowledged, // we owe nobody an answer
            carried: Vec::new(),
            max_forwards: 70, // RFC 3261 §8.1.1.6
            position: Position::default(),
            stage: Stage::InFlow(Waits::Nothing),
            plays: 0,
            language: board.config.languages.default(),
            announcement: None,
            telling: None,
            last_failure: None,
            is_emergency: false,
            failed_transfer: None,
            probe_at: None,
            recording: Recording::default(),
            span: info_span!("call", key = %format_args!("{:x}", key.0), callback = %callback.id),
            parties: Parties { caller, called, ..Parties::default() },
            calling_back: None,
            own: None,
        };
        let (from, to, trunk) = (callback.from.clone(), callback.to.clone(), callback.trunk.clone());
        let begun = What::CallbackBegun { callback: callback.id, from, to, trunk, tries: callback.tries };
        call.fact(begun, board);
        let left = u64::try_from(callback.expires - board.at).unwrap_or(0);
        let until = board.now + Duration::from_micros(left);
        call.calling_back = Some(Box::new(CallingBack { callback, queue, tried: false }));
        let place = Place { until, ..call.place_in(queue, settings, None, board) };
        call.note_queued(place, None, settings, board);
        call.wait(place, board);
        call
    }

    /// The trunk by which the customer is to be called is still there: else no agent need be rung.
    pub fn can_call_back(callback: &Callback, board: &Switchboard) -> bool {
        Address::reread(&callback.dial, |name| trunk_named(name, board)).is_some()
    }

    /// It waits for an agent, and nobody is on the line.
    pub fn is_idle_callback(&self) -> bool {
        self.calling_back.is_some() && matches!(self.stage, Stage::Waiting(_))
    }

    /// An agent has answered at `leg`: he hears the ringing tone, and the customer is called.
    pub(super) fn call_customer(&mut self, leg: LegNumber, ring: &Ring, board: &mut Switchboard) {
        let rung = ring.rung.iter().find(|rung| self.leg(leg).is_some_and(|leg| leg.agent == rung.agent));
        let answered = rung.and_then(|rung| Some((rung.agent?, rung.since))).zip(ring.place());
        let (Some(((agent, rang_since), place)), Some(calling)) = (answered, &self.calling_back) else {
            return self.end(Why::internal(), board);
        };
        let reserved = Reserved { place: *place, agent, leg, rang_since };
        let ring_timeout = Duration::from_millis(calling.callback.ring_ms);
        let address = Address::reread(&calling.callback.dial, |name| trunk_named(name, board));
        self.spare_losers(ring, Some(agent), board);
        self.stage = Stage::Ringing(Ring::new(Purpose::Customer(reserved)));
        self.plays += 1;
        if let Some(leg) = self.leg(leg).and_then(Leg::media_key) {
            board.media(play::repeat(leg, self.plays, board.prompts.ringback()));
        }
        match address {
            Some(address) => self.ring(Rung::party(address, None, ring_timeout, board.at), board),
            None => self.customer_unreached(Failure::no_way("the trunk is not configured any more"), board),
        }
    }

    /// The agent who waits while the customer is called.
    pub(super) fn reserved(&self) -> Option<Reserved> {
        match &self.stage {
            Stage::Ringing(ring) => ring.reserved(),
            _ => None,
        }
    }

    /// From, as the customer is to see it: what he had called, or what the trunk always shows.
    pub(super) fn shown_to_customer(&self) -> Parties {
        let own = self.parties.called.clone();
        Parties { caller: own.clone(), called: own, ..Parties::default() }
    }

    /// Customer and agent are connected: the callback is done.
    pub(super) fn customer_reached(&mut self, board: &mut Switchboard) {
        if let Some(calling) = self.calling_back.take() {
            self.callback_over(&calling.callback, CallbackEnd::Reached, board);
        }
    }

    /// The customer is busy, does not answer or cannot be called: the agent is free again, and stands where he stood.
    pub(super) fn customer_unreached(&mut self, failure: Failure, board: &mut Switchboard) {
        let Some(Reserved { place, agent, rang_since, .. }) = self.reserved() else { return };
        if let Some(calling) = &mut self.calling_back {
            calling.tried = failure.origin != Origin::Ourselves;
        }
        self.spare(agent, rang_since, Unanswered::CustomerUnreached, board);
        self.leaves_unreached(place, Why::failed(failure), board);
    }

    /// The agent hangs up while the customer rings: he rests, as after an assignment that he refused.
    pub(super) fn agent_left_customer(
        &mut self,
        reserved: Reserved,
        reason: Option<Bytes>,
        board: &mut Switchboard,
    ) {
        let Reserved { place, agent, rang_since, .. } = reserved;
        self.note_unanswered(agent, rang_since, Unanswered::Rejected, board);
        let settings = board.config.queue(place.queue).cloned();
        rests(agent, Unanswered::Rejected, settings.as_ref(), board);
        self.leaves_unreached(place, Why::called_hung_up(reason), board);
    }

    fn leaves_unreached(&mut self, place: Place, why: Why, board: &mut Switchboard) {
        self.note_left(place, LeftQueue::Unreached, board);
        self.stage = Stage::InFlow(Waits::Nothing); // what it owed to agent and queue is settled
        self.end(why, board);
    }

    /// The call ends: a callback that is not done is put off or given up. One that our own end cuts off is pending as it
    /// was, for the next start.
    pub(super) fn settle_callback(&mut self, why: &Why, board: &mut Switchboard) {
        let Some(calling) = self.calling_back.take().filter(|_| !why.is_our_end()) else { return };
        let CallingBack { callback, queue, tried } = *calling;
        let is_last = tried && callback.tries <= 1;
        match () {
            () if board.config.queue(queue).is_none() => {
                self.callback_over(&callback, CallbackEnd::Removed, board);
            }
            () if is_last => self.callback_over(&callback, CallbackEnd::Unreached, board),
            () if callback.expires <= board.at => {
                self.callback_over(&callback, CallbackEnd::Expired, board);
            }
            () => {
                let until = callback.again_at(board.at);
                self.fact(What::CallbackPutOff { callback: callback.id, until, tried }, board);
            }
        }
    }

    fn callback_over(&self, callback: &Callback, how: CallbackEnd, board: &mut Switchboard) {
        let queue = callback.queue.clone();
        self.fact(What::CallbackOver { callback: callback.id, queue, how }, board);
    }
}

fn trunk_named(name: &str, board: &Switchboard) -> Option<TrunkId> {
    board.config.trunks().find(|(_, trunk)| trunk.name == name).map(|(id, _)| id)
}
