//! The session of a leg after its answer: refreshed by us, changed by the far end, or over without a BYE (RFC 4028, 3311).

use bytes::Bytes;
use sip_core::{Message, Reply, RequestKey, StatusCode};

use super::{Answered, Call, Why, arrive::sdp, leg::Leg, talk::refusal};
use crate::{journal::fact::LegNumber, shard::Switchboard};

/// When to try again with an offer that came while an earlier one was not answered yet (RFC 3311 §5.2). Seconds.
const RETRY_AFTER: &[u8] = b"1";

impl Call {
    /// The far end wants to hear that we are there: what was agreed on once more, the same id and version, so that
    /// nothing changes (RFC 4028 §7.4).
    pub(super) fn refresh(&mut self, number: LegNumber, board: &mut Switchboard) {
        let Some(leg) = self.leg_mut(number).filter(|leg| leg.offered.is_none()) else { return };
        let (Some(sip), Some(sound)) = (leg.sip, leg.sound.as_mut()) else { return };
        leg.offered = Some(Offered::Refresh);
        let offer = sound.negotiation.offer();
        board.sip.reinvite(board.now, sip, Some(sdp(offer)));
    }

    /// The end of a re-INVITE of ours.
    pub(super) fn reinvited(
        &mut self,
        number: LegNumber,
        status: StatusCode,
        response: Option<&Message>,
        board: &mut Switchboard,
    ) {
        let Some(leg) = self.leg_mut(number) else { return };
        match leg.offered.take() {
            // Theirs came first. When it is answered, what it does not say is told anew.
            Some(Offered::Hold(_)) if status == StatusCode::REQUEST_PENDING => {}
            Some(Offered::Hold(held)) => leg.told_held = held,
            Some(Offered::Refresh) | None => {}
        }
        let answer = response.filter(|_| status.is_success()).map(Message::body).unwrap_or_default();
        if answer.is_empty() || leg.accept(&answer, board).is_err() {
            leg.sound.iter_mut().for_each(|sound| sound.negotiation.withdraw());
        }
        self.note_holds(board);
        if status != StatusCode::REQUEST_PENDING {
            self.follow_holds(board);
        }
        if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST) {
            self.session_expired(number, board); // RFC 3261 §12.2.1.2
        }
    }

    /// The far end let the session run out, or does not know it any more.
    pub(super) fn session_expired(&mut self, number: LegNumber, board: &mut Switchboard) {
        board.sessions_expired += 1;
        self.lost(number, Why::session_expired(number), board);
    }

    /// An UPDATE with an offer. Before our answer to the INVITE only what has been answered for certain may change.
    pub(super) fn updated_by(
        &mut self,
        number: LegNumber,
        key: RequestKey,
        request: &Message,
        board: &mut Switchboard,
    ) {
        let too_early = number == self.seat && !self.is_answered() && !self.is_described_reliably(board);
        let Some(leg) = self.leg_mut(number) else { return };
        let Some(sip) = leg.sip else { return };
        let reply = if too_early { too_soon() } else { leg.answer_update(&request.body(), board) };
        board.sip.answer_request(board.now, sip, key, reply);
        self.note_holds(board);
    }
}

impl Call {
    /// The caller's early answer cannot be lost: it was reliable (RFC 3262).
    pub(super) fn is_described_reliably(&self, board: &Switchboard) -> bool {
        self.answered == Answered::Early && self.caller_sip().is_some_and(|sip| board.sip.is_reliable(sip))
    }

    /// A PRACK with a description: the answer to ours, or another offer after ours was the answer (RFC 3262 §5).
    pub(super) fn described_by_prack(
        &mut self,
        number: LegNumber,
        key: RequestKey,
        request: &Message,
        board: &mut Switchboard,
    ) {
        let Some(leg) = self.leg_mut(number) else { return };
        let Some(sip) = leg.sip else { return };
        let body = request.body();
        let reply = match std::mem::take(&mut leg.answer_due_in_ack) {
            true => match leg.accept(&body, board) {
                Ok(()) => Reply::new(StatusCode::OK),
                Err(error) => refusal(&error),
            },
            false => leg.answer_offer(&body, board),
        };
        let failed = reply.status.is_failure();
        board.sip.answer_request(board.now, sip, key, reply);
        if failed {
            self.end(Why::unusable_answer(number), board);
        }
    }
}

/// An offer of ours in a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// What was agreed on before.
    Refresh,
    /// The far end is on hold, or not any more.
    Hold(bool),
}

impl Leg {
    fn answer_update(&mut self, offer: &[u8], board: &mut Switchboard) -> Reply {
        let Some(sound) = &self.sound else { return Reply::new(StatusCode::NOT_ACCEPTABLE_HERE) };
        if sound.negotiation.awaits_answer() {
            return Reply::new(StatusCode::REQUEST_PENDING); // RFC 3311 §5.2
        }
        self.answer_offer(offer, board)
    }
}

fn too_soon() -> Reply {
    let headers = vec![(Bytes::from_static(b"Retry-After"), Bytes::from_static(RETRY_AFTER))];
    Reply { headers, ..Reply::new(StatusCode::SERVER_INTERNAL_ERROR) }
}
