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

    /// Asks the far end of its first call to have the other party connected with the far end of its second.
    pub(super) fn transfer_attended(&mut self, now: Instant) {
        let [first, second] = self.legs[..] else { return };
        let Some(name) = self.sip.name(second) else { return };
        let escaped = name.to_string().replace('@', "%40").replace(';', "%3B").replace('=', "%3D");
        let to = format!("<sip:second@{}?Replaces={escaped}>", self.router);
        self.sip.refer(now, first, vec![("Refer-To".into(), to.into())]);
    }

    /// Hangs up the first of its calls; others go on.
    pub(super) fn hang_up_first(&mut self, now: Instant) {
        if let Some(leg) = self.legs.first().copied() {
            self.sip.hang_up(now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED));
            self.over(leg, PhoneState::Ended);
        }
    }

    /// How the router is told which call its first one is.
    pub(crate) fn names_call(&self) -> Option<String> {
        self.legs.first().and_then(|leg| self.sip.name(*leg)).map(|name| name.to_string())
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
