//! An agent who has picked up hears a whisper first, and takes the call by a key if the queue asks for it: a mailbox or a
//! forgotten mobile presses none. Until then the caller waits and others ring on.

use std::time::Duration;

use sip_core::StatusCode;

use super::{
    Call, Stage,
    failure::{Failure, Origin},
    leg::Leg,
    ring::Purpose,
};
use crate::{config::QueueConfirm, journal::fact::LegNumber, media_command::play, shard::Switchboard};

/// What the agent hears at his leg before he has the caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whisper {
    play: u32,
    /// The key by which he takes the call; `None`: he has it when the whisper is over.
    key: Option<char>,
}

/// The engine tells the end of a whisper; if it does not, the agent is not kept for ever.
const AFTER_WHISPER: Duration = Duration::from_secs(5);

impl Call {
    /// Whether the agent at this leg is to hear something first; then he hears it from now on.
    pub(super) fn whispers(&mut self, number: LegNumber, board: &mut Switchboard) -> bool {
        let confirm = self.confirm(board);
        let prompt = confirm.whisper.and_then(|whisper| board.prompts.get(whisper, self.language));
        let leg = self.leg(number).and_then(Leg::media_key);
        let (Some(prompt), Some(key)) = (prompt, leg) else { return false };
        let until = board.now + confirm.timeout.unwrap_or(prompt.duration() + AFTER_WHISPER);
        self.plays += 1;
        board.media(match confirm.key {
            Some(_) => play::repeat(key, self.plays, prompt),
            None => play::once(key, self.plays, prompt),
        });
        let whisper = Whisper { play: self.plays, key: confirm.key };
        let Some(leg) = self.leg_mut(number) else { return false };
        leg.whisper = Some(whisper);
        let agent = leg.agent;
        let is_alone = self.ringing_legs(agent).count() == 1;
        if let Stage::Ringing(ring) = &mut self.stage {
            ring.rings_until(agent, until, is_alone);
        }
        true
    }

    /// What the queue whispers to its agents; nothing if it rings nobody for a queue.
    fn confirm(&self, board: &Switchboard) -> QueueConfirm {
        let Stage::Ringing(ring) = &self.stage else { return QueueConfirm::default() };
        let Purpose::Assignment(place) = &ring.purpose else { return QueueConfirm::default() };
        board.config.queue(place.queue).map(|queue| queue.confirm).unwrap_or_default()
    }

    /// A prompt ended at a leg we dialled: true if it was its whisper, and the agent has the call now.
    pub(super) fn whispered(&mut self, number: LegNumber, play: u32, board: &mut Switchboard) -> bool {
        let whisper = self.leg(number).and_then(|leg| leg.whisper);
        let ours = whisper.is_some_and(|whisper| whisper.play == play && whisper.key.is_none());
        if ours {
            self.takes(number, board);
        }
        ours
    }

    /// A key at a leg we dialled.
    pub(super) fn confirmed(&mut self, number: LegNumber, key: char, board: &mut Switchboard) {
        if self.leg(number).and_then(|leg| leg.whisper).is_some_and(|whisper| whisper.key == Some(key)) {
            self.takes(number, board);
        }
    }

    fn takes(&mut self, number: LegNumber, board: &mut Switchboard) {
        if let Some(leg) = self.leg_mut(number) {
            leg.whisper = None;
        }
        self.takes_call(number, board);
    }

    /// BYE from an agent who has not taken the call: as if he had declined.
    pub(super) fn hung_up_at_whisper(&mut self, number: LegNumber, board: &mut Switchboard) -> bool {
        let phrase = "picked up, and hung up before the call was taken";
        self.failed_at_whisper(number, Failure::found(StatusCode::DECLINE, phrase, Origin::Remote), board)
    }

    /// The telephone of an agent who has not taken the call is dead: the caller does not notice.
    pub(super) fn lost_at_whisper(&mut self, number: LegNumber, board: &mut Switchboard) -> bool {
        let phrase = "picked up, and was lost before the call was taken";
        let failure = Failure::found(StatusCode::REQUEST_TIMEOUT, phrase, Origin::Network);
        self.failed_at_whisper(number, failure, board)
    }

    fn failed_at_whisper(&mut self, number: LegNumber, failure: Failure, board: &mut Switchboard) -> bool {
        let whispering = self.leg(number).is_some_and(|leg| leg.whisper.is_some());
        if whispering {
            self.hang_up_leg(number, StatusCode::REQUEST_TERMINATED, board);
            self.leg_failed(number, failure, board);
        }
        whispering
    }
}

impl Leg {
    /// What it came to when it has rung long enough.
    pub(super) fn unanswered(&self) -> Failure {
        let failure = match self.whisper {
            Some(Whisper { key: Some(key), .. }) => {
                let phrase = format!("picked up, and did not press {key} in time (queue key confirm)");
                Failure::found(StatusCode::TEMPORARILY_UNAVAILABLE, &phrase, Origin::Network)
            }
            _ => Failure::no_answer(),
        };
        failure.after_ringing(self.rang)
    }
}
