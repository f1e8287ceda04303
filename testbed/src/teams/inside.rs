//! What happens in calls that were answered: offers of either side, what becomes of a REFER of ours.

use std::time::{Duration, Instant};

use sip_core::{LegKey, Message, Reply, StatusCode, message::Header};

use super::{
    call::Stage,
    judge,
    proxy::{Plan, Proxy, sdp},
};

/// Teams sends BYE so soon after its REFER was taken, before anybody has answered (1.10).
const BYE_AFTER_REFER: Duration = Duration::from_millis(280);

impl Proxy {
    /// Their re-INVITE: a refresh with what was there before, or `inactive`; never another address (1.8, 1.9, 2.6).
    pub(super) fn reoffered(&mut self, now: Instant, leg: LegKey, request: &Message) {
        let offer = request.body();
        let fault = match offer.is_empty() {
            true => Some("re-INVITE without an offer (1.8)".to_owned()),
            false => judge::of_description(&offer).map(|fault| format!("re-INVITE: {}", fault.why)),
        };
        fault.into_iter().for_each(|fault| self.violates(fault));
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        let reply = match call.sound.answer(&offer) {
            Ok(answer) => Reply::new(StatusCode::OK).with_body(sdp(answer)),
            Err(_) => Reply::new(StatusCode::NOT_ACCEPTABLE_HERE),
        };
        let moved = call.sound.has_moved();
        self.sip.respond(now, leg, reply);
        if moved {
            self.violates("sound moved to another address in mid-call (2.6)".to_owned());
        }
    }

    /// What our offer was answered: a hold, or a refresh, in which nothing may change (1.8).
    pub(super) fn held(&mut self, now: Instant, leg: LegKey, response: Option<&Message>) {
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        let answer = response.map(Message::body).unwrap_or_default();
        let refreshes = std::mem::take(&mut call.refreshes);
        let is_kept = call.sound.theirs() == &answer
            && response.is_some_and(|response| response.value(Header::SessionExpires).is_some());
        let accepted = call.sound.accept(&answer, now).is_ok();
        let moved = call.sound.has_moved();
        if !accepted || moved {
            self.violates("a hold or refresh of ours was not answered as it must be (1.9, 2.6)".to_owned());
        } else if refreshes && !is_kept {
            self.violates(
                "a refresh of ours ended the session timer or changed its description (1.8)".to_owned(),
            );
        } else if refreshes {
            self.seen.refreshed += 1;
        }
    }

    pub(super) fn refresh(&mut self, now: Instant, leg: LegKey) {
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        call.refreshes = true;
        let again = call.sound.again();
        self.sip.reinvite(now, leg, again.map(sdp));
    }

    pub(super) fn they_answered(&mut self, now: Instant, leg: LegKey, response: &Message) {
        self.sip.ack(now, leg, None);
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        call.stage = Stage::Talking;
        if call.sound.accept(&response.body(), now).is_err() {
            self.violates("an answer that cannot be used (2.7)".to_owned());
            self.hang_up_leg(now, leg);
        }
    }

    /// What has become of a REFER of ours. BYE comes at once, long before anybody has answered.
    pub(super) fn told(&mut self, now: Instant, leg: LegKey, status: StatusCode, is_last: bool) {
        self.seen.told.push(status.code());
        let first = status == StatusCode::TRYING && !self.switches.patient;
        if first {
            self.plan(now + BYE_AFTER_REFER, leg, Plan::HangUp);
        } else if is_last && status.is_success() {
            self.hang_up_leg(now, leg);
        }
    }
}
