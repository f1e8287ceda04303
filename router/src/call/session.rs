//! The session of a leg after its answer: refreshed by us, changed by the far end, or over without a BYE (RFC 4028, 3311).

use bytes::Bytes;
use sip_core::{Message, Reply, RequestKey, StatusCode};

use super::{CALLER, Call, Why, arrive::sdp, leg::Leg};
use crate::{journal::fact::LegNumber, shard::Switchboard};

/// When to try again with an offer that came while an earlier one was not answered yet (RFC 3311 §5.2). Seconds.
const RETRY_AFTER: &[u8] = b"1";

impl Call {
    /// The far end wants to hear that we are there: what was agreed on once more, the same id and version, so that
    /// nothing changes (RFC 4028 §7.4).
    pub(super) fn refresh(&mut self, number: LegNumber, board: &mut Switchboard) {
        let Some(leg) = self.leg_mut(number) else { return };
        let (Some(sip), Some(sound)) = (leg.sip, leg.sound.as_mut()) else { return };
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
        let answer = response.filter(|_| status.is_success()).map(Message::body).unwrap_or_default();
        if answer.is_empty() || leg.accept(&answer, board).is_err() {
            leg.sound.iter_mut().for_each(|sound| sound.negotiation.withdraw());
        }
        self.note_holds(board);
        if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST) {
            self.lost(number, Why::session_expired(number), board); // RFC 3261 §12.2.1.2
        }
    }

    /// An UPDATE with an offer. Before our answer to the INVITE only what has been answered for certain may change.
    pub(super) fn updated_by(
        &mut self,
        number: LegNumber,
        key: RequestKey,
        request: &Message,
        board: &mut Switchboard,
    ) {
        let too_early = number == CALLER && !self.is_answered();
        let Some(leg) = self.leg_mut(number) else { return };
        let Some(sip) = leg.sip else { return };
        let reply = if too_early { too_soon() } else { leg.answer_update(&request.body(), board) };
        board.sip.answer_request(board.now, sip, key, reply);
        self.note_holds(board);
    }
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
