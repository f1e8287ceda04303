//! What the targets of a trunk do with a call of ours: one after the other is tried, and each is remembered.

use sip_core::{Event as SipEvent, FailCause, StatusCode};

use super::{Call, failure::Failure};
use crate::{
    journal::fact::{LegNumber, What},
    shard::Switchboard,
};

impl Call {
    /// One address of a leg came to nothing. If another is tried that stands in the record; the last word of the last
    /// one is the leg's own.
    pub(super) fn attempt_failed(&mut self, number: LegNumber, event: &SipEvent, board: &mut Switchboard) {
        let SipEvent::AttemptFailed { target, next, flow, response, cause, .. } = event else { return };
        if let Some(next) = next {
            let failure = Failure::of(status_of(*cause), response.as_ref(), *cause);
            let Failure { status, phrase, .. } = failure;
            let status = response.as_ref().and_then(sip_core::Message::status).unwrap_or(status).code();
            let (target, next) = (target.to_string(), next.to_string());
            self.fact(What::AttemptFailed { leg: number, target, status, phrase, next }, board);
        }
        let Some(trunk) = self.leg(number).and_then(|leg| leg.trunk) else { return };
        board.target_failed(trunk, target, *cause, response.as_ref(), *flow);
    }

    /// The target that is being tried has responded.
    pub(super) fn target_responded(&self, number: LegNumber, board: &mut Switchboard) {
        if let Some(leg) = self.leg(number)
            && let (Some(trunk), Some(sip)) = (leg.trunk, leg.sip)
        {
            board.target_responded(trunk, sip);
        }
    }
}

/// The status that says the same (RFC 3261 §8.1.3.1).
fn status_of(cause: FailCause) -> StatusCode {
    match cause {
        FailCause::TimedOut => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}
