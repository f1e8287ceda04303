//! What a leg that we dialled came to, when it came to nothing.

use bytes::Bytes;
use sip_core::{FailCause, Message, StatusCode};

use super::arrive::text;
use crate::reason::{self, Reason};
use crate::trunks::in_words;

/// Q.850: user busy.
const BUSY: u16 = 17;
/// Q.850: no circuit. Teams says so beside 486 when a person is busy.
const NO_CIRCUIT: u16 = 34;

/// What a leg that came to nothing said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) phrase: String,
    /// What the Reason header says (RFC 3326).
    pub(super) told: Reason,
    /// The header, to be passed on.
    pub(super) reason: Option<Bytes>,
    pub(super) origin: Origin,
    /// It had rung before.
    rang: bool,
}

/// Who found that a leg came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The far end, by a response.
    Remote,
    /// We, because nothing came or nothing went through.
    Network,
    /// We, because we had no room or no way.
    Ourselves,
}

impl Failure {
    pub(super) fn of(status: StatusCode, response: Option<&Message>, cause: FailCause) -> Failure {
        let phrase = match response {
            Some(response) => text(response.reason_phrase()),
            None => in_words(cause).to_owned(),
        };
        let mut reason = response.and_then(reason::of_message);
        let mut told = reason.as_deref().map(|reason| Reason::q850(&text(reason))).unwrap_or_default();
        if status == StatusCode::BUSY_HERE && told.cause == Some(NO_CIRCUIT) {
            (told.cause, reason) = (Some(BUSY), Some(Bytes::from(format!("Q.850;cause={BUSY}"))));
        }
        let origin = match cause {
            FailCause::Response => Origin::Remote,
            FailCause::Full => Origin::Ourselves,
            _ => Origin::Network,
        };
        Failure { status, phrase, told, reason, origin, rang: false }
    }

    pub(super) fn found(status: StatusCode, phrase: &str, origin: Origin) -> Failure {
        let (told, reason) = (Reason::default(), None);
        Failure { status, phrase: phrase.to_owned(), told, reason, origin, rang: false }
    }

    /// Nobody picked up in time.
    pub(super) fn no_answer() -> Failure {
        Failure::found(StatusCode::TEMPORARILY_UNAVAILABLE, "no answer in time", Origin::Network)
    }

    /// No telephone is registered: nobody is there (RFC 3261 §21.4.18).
    pub(super) fn not_registered() -> Failure {
        Failure::found(StatusCode::TEMPORARILY_UNAVAILABLE, "no telephone is registered", Origin::Network)
    }

    /// We have no room or no way for this leg.
    pub(super) fn no_way(phrase: &str) -> Failure {
        Failure::found(StatusCode::SERVICE_UNAVAILABLE, phrase, Origin::Ourselves)
    }

    pub(super) fn after_ringing(mut self, rang: bool) -> Failure {
        self.rang |= rang;
        self
    }

    /// 486 Busy Here, 600 Busy Everywhere.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.status.code(), 486 | 600)
    }

    /// A person refused: 603, 607, or 403/480 after it rang.
    pub(super) fn is_decline(&self) -> bool {
        matches!(self.status.code(), 603 | 607) || (self.rang && self.status.code() == 403)
    }

    /// It rang and nobody came: our own time limit, 408 or 480 after 18x, 487.
    pub(super) fn is_no_answer(&self) -> bool {
        matches!(self.status.code(), 480) || (self.rang && matches!(self.status.code(), 408 | 487))
    }

    /// Of two legs that failed, the one that says more about the person called; least what we could not even try.
    pub(super) fn weight(&self) -> u8 {
        match self {
            failure if failure.is_busy() => 4,
            failure if failure.is_decline() => 3,
            failure if failure.is_no_answer() => 2,
            failure if failure.origin == Origin::Ourselves => 0,
            _ => 1,
        }
    }

    /// The status a caller gets to see: redirections and challenges are between us and the called side.
    pub(super) fn status_for_caller(&self) -> StatusCode {
        match self.status.code() {
            300..=399 => StatusCode::TEMPORARILY_UNAVAILABLE,
            401 | 407 | 421 | 494 => StatusCode::SERVER_INTERNAL_ERROR,
            503 => StatusCode::SERVER_INTERNAL_ERROR, // RFC 3261 §21.5.4: a 503 of the far side is not ours to repeat
            _ => self.status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_circuit_beside_486_is_busy_and_is_passed_on_so() {
        let refusal = |status: &str, cause: u16| {
            let text = format!(
                "SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n\
                 Call-ID: a\r\nCSeq: 1 INVITE\r\nReason: Q.850;cause={cause};text=\"a;b\"\r\n\r\n"
            );
            let response = Message::parse(text.into()).unwrap();
            Failure::of(response.status().unwrap(), Some(&response), FailCause::Response)
        };
        let busy = refusal("486", 34);
        assert_eq!((busy.told.cause, busy.reason.as_deref()), (Some(17), Some(&b"Q.850;cause=17"[..])));
        let full = refusal("503", 34);
        assert_eq!(full.told.cause, Some(34));
        assert_eq!(full.reason.as_deref(), Some(&b"Q.850;cause=34;text=\"a;b\""[..]));
    }
}
