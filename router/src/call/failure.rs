//! What a leg that we dialled came to, when it came to nothing.

use bytes::Bytes;
use sip_core::{FailCause, Message, StatusCode, message::Header};

use super::arrive::text;
use crate::trunks::in_words;

/// What a leg that came to nothing said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) phrase: String,
    pub(super) q850: Option<u16>,
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
        let reason =
            response.and_then(|response| response.value(Header::Reason)).map(|v| Bytes::copy_from_slice(&v));
        let q850 = reason.as_deref().and_then(q850_cause);
        let origin = match cause {
            FailCause::Response => Origin::Remote,
            FailCause::Full => Origin::Ourselves,
            _ => Origin::Network,
        };
        Failure { status, phrase, q850, reason, origin, rang: false }
    }

    pub(super) fn found(status: StatusCode, phrase: &str, origin: Origin) -> Failure {
        Failure { status, phrase: phrase.to_owned(), q850: None, reason: None, origin, rang: false }
    }

    /// Nobody picked up in time.
    pub(super) fn no_answer() -> Failure {
        Failure::found(StatusCode::TEMPORARILY_UNAVAILABLE, "no answer in time", Origin::Network)
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

/// `cause` of a Q.850 value in a Reason header (RFC 3326 §2).
pub(super) fn q850_cause(reason: &[u8]) -> Option<u16> {
    let reason = String::from_utf8_lossy(reason).to_ascii_lowercase();
    let value = reason.split(',').find(|value| value.trim_start().starts_with("q.850"))?;
    value.split(';').find_map(|part| part.trim().strip_prefix("cause=")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_q850_cause_is_found_beside_a_sip_reason() {
        assert_eq!(q850_cause(b"SIP;cause=486;text=\"x\", Q.850 ;cause=17;text=\"User busy\""), Some(17));
        assert_eq!(q850_cause(b"SIP;cause=200"), None);
    }
}
