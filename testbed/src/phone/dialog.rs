//! What a telephone does to keep its dialogs: session timers (RFC 4028).

use std::time::Instant;

use sip_core::{HangUp, LegKey, PeerId, StatusCode, Terms};

use super::{Phone, PhoneState, sdp};

impl Phone {
    /// Uses these extensions with the router from the next call on.
    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
        self.sip.set_terms([(PeerId(0), terms)].into());
    }

    /// What was agreed on once more, unchanged.
    pub(super) fn refresh(&mut self, now: Instant, leg: LegKey) {
        if let Some(sound) = &mut self.sound {
            let offer = sound.negotiation.offer();
            self.sip.reinvite(now, leg, Some(sdp(offer)));
        }
    }

    /// The router is gone.
    pub(super) fn expired(&mut self, now: Instant, leg: LegKey) {
        self.sip.hang_up(now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED));
        self.over(leg, PhoneState::Ended);
    }
}
