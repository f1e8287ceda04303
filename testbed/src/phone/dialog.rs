//! What a telephone does inside its dialogs: session timers (RFC 4028), hold in every dialect, keys by INFO.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::Bytes;
use media::{Codec, sdp::Direction};
use sip_core::{
    Body, EarlyId, HangUp, LegKey, Message, PeerId, Reply, RequestKey, StatusCode, Terms, message::Method,
};

use super::{Phone, PhoneState, sdp};

/// Longer than any pause of the router (RFC 3261 §14.1).
const AFTER_GLARE: Duration = Duration::from_secs(5);

/// How a telephone says that the other end is on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldBy {
    /// `a=sendonly` (RFC 3264 §8.4).
    SendOnly,
    /// `a=inactive`, as Teams does.
    Inactive,
    /// `c=IN IP4 0.0.0.0`, as RFC 2543 did.
    Nowhere,
}

impl Phone {
    /// Uses these extensions with the router from the next call on.
    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
        self.sip.set_terms([(PeerId(0), terms)].into());
    }

    /// Knows no telephone-event, from the next call on.
    pub(crate) fn forget_events(&mut self) {
        self.events = false;
    }

    /// 1xx: a description in it is the answer to our offer, or, reliably, an offer.
    pub(super) fn progressed(&mut self, now: Instant, leg: LegKey, early: EarlyId, description: &[u8]) {
        if self.state == PhoneState::Calling {
            self.state = PhoneState::Ringing;
        }
        let Some(sound) = self.sound.as_mut().filter(|_| !description.is_empty()) else { return };
        if sound.negotiation.last_description().is_some() {
            sound.stream = sound.negotiation.accept(description).ok();
        } else if let Ok((answer, stream)) = sound.negotiation.answer(description) {
            sound.stream = Some(stream);
            self.sip.prack(now, leg, early, sdp(answer));
        }
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

    pub(super) fn hold_by(&mut self, now: Instant, how: HoldBy) {
        let Some(sound) = &mut self.sound else { return };
        let offer = match how {
            HoldBy::SendOnly => sound.negotiation.offer_like(Direction::SendOnly, &[Codec::Pcma]),
            HoldBy::Inactive => sound.negotiation.offer_like(Direction::Inactive, &[Codec::Pcma]),
            HoldBy::Nowhere => {
                let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), sound.local.port());
                sound.negotiation.set_local(nowhere);
                let offer = sound.negotiation.offer_like(Direction::SendRecv, &[Codec::Pcma]);
                sound.negotiation.set_local(sound.local);
                offer
            }
        };
        self.reinvite(now, sdp(offer));
    }

    /// The end of a re-INVITE. A hold that met one of the router is tried again.
    pub(super) fn reinvited(&mut self, now: Instant, status: StatusCode, response: Option<&Message>) {
        let holding = self.holding.take();
        if let Some(response) = response.filter(|_| status.is_success()) {
            return self.take_answer(now, &response.body());
        }
        self.sound.iter_mut().for_each(|sound| sound.negotiation.withdraw());
        if let Some(deed) = holding.filter(|_| status == StatusCode::REQUEST_PENDING) {
            self.plan(now + AFTER_GLARE, deed);
        }
    }

    pub(super) fn press_by_info(&mut self, now: Instant, key: char) {
        let body = Body {
            content_type: Bytes::from_static(b"application/dtmf-relay"),
            bytes: format!("Signal={key}\r\nDuration=160\r\n").into(),
        };
        if let Some(leg) = self.legs.last() {
            self.sip.info(now, *leg, body);
        }
    }

    /// INFO with a key, UPDATE or PRACK with an offer.
    pub(super) fn asked(&mut self, now: Instant, leg: LegKey, key: RequestKey, request: &Message) {
        let reply = match request.method() {
            Method::Info => {
                let body = String::from_utf8_lossy(&request.body()).into_owned();
                self.digits.extend(body.strip_prefix("Signal=").and_then(|rest| rest.chars().next()));
                Reply::new(StatusCode::OK)
            }
            Method::Prack => {
                self.take_answer(now, &request.body());
                Reply::new(StatusCode::OK)
            }
            _ => Reply::new(StatusCode::NOT_ACCEPTABLE_HERE),
        };
        self.sip.answer_request(now, leg, key, reply);
    }
}
