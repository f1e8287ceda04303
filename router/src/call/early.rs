//! What is heard of a leg before it answers: each branch of a fork may have its own description and its own sound
//! (RFC 3261 §13.2.2.1, RFC 3960).

use bytes::Bytes;
use media::Command;
use sip_core::{EarlyId, Message, StatusCode};

use super::{
    Answered, Call, Stage,
    failure::{Failure, Origin},
    ring::{Purpose, Ring},
    secure,
};
use crate::{
    journal::fact::{LegNumber, What},
    media_command::play,
    shard::Switchboard,
};

/// Descriptions kept for the case that the 2xx brings none. What more branches say is not kept: then the first counts.
const MOST_KEPT: usize = 4;

/// Answers to our offer before the 2xx, the latest of each branch.
#[derive(Debug, Default)]
pub(super) struct EarlyAnswers(Vec<(EarlyId, Bytes)>);

impl EarlyAnswers {
    fn keep(&mut self, early: EarlyId, answer: Bytes) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == early) {
            *known = answer;
        } else if self.0.len() < MOST_KEPT {
            self.0.push((early, answer));
        }
    }

    /// What the branch that has answered had said.
    fn of(&self, early: Option<EarlyId>) -> Option<&Bytes> {
        let own = self.0.iter().find(|(known, _)| Some(*known) == early);
        own.or(self.0.first()).map(|(_, answer)| answer)
    }
}

impl Call {
    /// 1xx of a leg we dialled.
    pub(super) fn progressed(
        &mut self,
        number: LegNumber,
        early: EarlyId,
        response: &Message,
        board: &mut Switchboard,
    ) {
        let Some(status) = response.status() else { return };
        let Some(leg) = self.leg_mut(number) else { return };
        leg.forwarded |= status == StatusCode::CALL_IS_BEING_FORWARDED;
        let first = !std::mem::replace(&mut leg.rang, true);
        if first {
            self.target_responded(number, board);
            self.fact(What::Ringing { leg: number, status: status.code() }, board);
        }
        self.transfer_progresses(status, board);
        let body = response.body();
        if !body.is_empty() {
            self.early_answer(number, early, body, board);
        }
        if !self.rings_aloud() {
            return;
        }
        match response.body().is_empty() {
            true => self.ring_for_caller(status, board),
            // Many send a description long before any sound, or no sound at all: so it rings until something is heard.
            false => self.ring_for_caller(StatusCode::RINGING, board),
        }
    }

    /// The caller hears how it rings; in a queue he hears music.
    fn rings_aloud(&self) -> bool {
        matches!(&self.stage, Stage::Ringing(Ring { purpose: Purpose::Step(_) | Purpose::Transfer(_), .. }))
    }

    /// The caller learns that it rings: by the status, or by a tone if he can hear one already.
    fn ring_for_caller(&mut self, status: StatusCode, board: &mut Switchboard) {
        match self.answered {
            Answered::No => self.respond(status, None, board),
            Answered::Early | Answered::Sent | Answered::Acknowledged => self.play_ringback(board),
        }
    }

    fn play_ringback(&mut self, board: &mut Switchboard) {
        let Stage::Ringing(ring) = &mut self.stage else { return };
        if ring.heard.is_some() || std::mem::replace(&mut ring.plays_ringback, true) {
            return;
        }
        self.plays += 1;
        if let Some(leg) = self.caller().media_key() {
            board.media(play::repeat(leg, self.plays, board.prompts.ringback()));
        }
    }

    /// A description before the 2xx. The answer proper comes with that, so a copy of the negotiation takes this one
    /// (RFC 3264 §4: one offer, one answer; each fork has its own).
    fn early_answer(&mut self, number: LegNumber, early: EarlyId, answer: Bytes, board: &mut Switchboard) {
        let Some(leg) = self.leg_mut(number) else { return };
        let Some(sound) = &leg.sound else { return };
        let Ok(stream) = sound.negotiation.clone().accept(&answer) else { return };
        leg.early.keep(early, answer);
        leg.connect(stream, board);
    }

    /// The first sound of a leg. Before its answer it is an announcement or a tone of the far side: the caller hears that
    /// instead of ours.
    pub(super) fn heard_first(&mut self, number: LegNumber, board: &mut Switchboard) {
        if !self.rings_aloud() {
            return;
        }
        if number == self.seat {
            return;
        }
        // Of who has answered, such as one who has transferred and not hung up yet, the caller hears nothing now.
        let Some(key) = self.leg(number).filter(|leg| leg.rings()).and_then(|leg| leg.media_key()) else {
            return;
        };
        let description =
            self.caller().sound.as_ref().and_then(|sound| sound.negotiation.last_description().cloned());
        if self.answered == Answered::No && description.is_some() {
            self.respond(StatusCode::SESSION_PROGRESS, description, board);
            self.answered = Answered::Early;
        }
        if let Some(caller) = self.caller().media_key().filter(|_| self.answered != Answered::No) {
            board.media(Command::Bridge { a: caller, b: key });
            if let Stage::Ringing(ring) = &mut self.stage {
                (ring.heard, ring.plays_ringback) = (Some(number), false);
            }
        }
    }

    /// A leg rings no more. If the caller heard it before its answer he hears nothing now: while others ring he hears
    /// that it rings.
    pub(super) fn rings_again(&mut self, gone: LegNumber, board: &mut Switchboard) {
        let Stage::Ringing(ring) = &mut self.stage else { return };
        let (was_heard, is_transfer) =
            (ring.heard.take_if(|heard| *heard == gone), matches!(ring.purpose, Purpose::Transfer(_)));
        if was_heard.is_none() || !self.dialled_legs().any(|leg| leg.rang) {
            return;
        }
        if !is_transfer || !self.plays_music_of_transfers(board) {
            return self.play_ringback(board);
        }
        if let Stage::Ringing(ring) = &mut self.stage {
            ring.plays_ringback = true;
        }
    }

    /// The answer in a 2xx, or the one that its branch had given before: generous we are.
    pub(super) fn take_answer(
        &mut self,
        number: LegNumber,
        early: Option<EarlyId>,
        answer: Bytes,
        board: &mut Switchboard,
    ) -> Result<(), Failure> {
        let span = self.span.clone();
        let Some(leg) = self.leg_mut(number) else { return Ok(()) };
        let before = std::mem::take(&mut leg.early);
        let answer = if answer.is_empty() { before.of(early).cloned().unwrap_or_default() } else { answer };
        leg.accept(&answer, board).map_err(|error| {
            secure::log_refusal(&span, number, &error);
            Failure::found(StatusCode::NOT_ACCEPTABLE_HERE, &error.to_string(), Origin::Remote)
        })
    }
}
