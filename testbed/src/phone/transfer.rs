//! A telephone that transfers its calls.

use std::time::Instant;

use bytes::Bytes;
use sip_core::{HangUp, LegKey, StatusCode};

use super::{Phone, PhoneState};

/// What a telephone is told of its transfers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfers {
    /// What it was told, in order: refusals of its REFER, and what NOTIFYs said.
    pub told: Vec<u16>,
    /// It does not hang up by itself when it hears that its transfer is done.
    pub stays: bool,
}

impl Phone {
    /// Asks the far end of its first call to call `to` instead, which is the whole of Refer-To.
    pub(super) fn transfer(&mut self, now: Instant, to: &str, headers: &[(String, String)]) {
        let Some(leg) = self.legs.first().copied().filter(|_| self.state == PhoneState::Talking) else {
            return;
        };
        let field = |name: &str, value: &str| {
            (Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(value.as_bytes()))
        };
        let others = headers.iter().map(|(name, value)| field(name, value));
        self.sip.refer(now, leg, std::iter::once(field("Refer-To", to)).chain(others).collect());
    }

    /// A NOTIFY, or the refusal of a REFER.
    pub(super) fn told_of_transfer(&mut self, now: Instant, leg: LegKey, status: StatusCode, is_last: bool) {
        self.transfers.told.push(status.code());
        if is_last && status.is_success() && !self.transfers.stays {
            self.sip.hang_up(now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED));
            self.over(leg, PhoneState::Ended);
        }
    }
}
