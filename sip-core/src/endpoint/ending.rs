//! The end of a leg, whatever its stage, and what stays of it for a while (RFC 3261 §15, §9).

use super::clients::Purpose;
use super::clock::Due;
use super::inside::{Draft, DraftKind};
use super::legs::{OursState, Stage};
use super::{Endpoint, Event, FailCause, HangUp, Reply};
use crate::key::LegKey;
use crate::message::{Message, StatusCode};
use bytes::Bytes;
use std::time::Instant;

impl Endpoint {
    /// Ends a leg in the way its stage asks for. It is over for the caller from here on: no more events.
    ///
    /// An unanswered INVITE of theirs gets the final status; ours is cancelled as soon as a 1xx is there, and if the
    /// 2xx is faster it is acknowledged and hung up. After our 2xx the BYE waits for the ACK or for its time-out.
    pub fn hang_up(&mut self, now: Instant, leg: LegKey, how: HangUp) {
        let leg = leg.0;
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.told) else { return };
        state.told = false;
        match state.stage {
            Stage::Inviting => self.hang_up_inviting(now, leg, how),
            Stage::Asking => self.drop_question(leg),
            Stage::Invited => self.hang_up_invited(now, leg, how),
            Stage::Answered => self.hang_up_answered(now, leg, how.headers),
            Stage::Confirmed if state.unacked.is_some() => state.ending = Some(Box::new(how)),
            Stage::Confirmed => self.send_bye(now, leg, how.headers),
            Stage::Over => {}
        }
    }

    fn hang_up_inviting(&mut self, now: Instant, leg: u64, how: HangUp) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let client = state.outgoing.as_ref().and_then(|out| out.client);
        match (client, state.seek) {
            (Some(client), _) => {
                let headers = how.headers.clone();
                state.ending = Some(Box::new(how));
                self.cancel(now, client, &headers);
            }
            (None, seek) => {
                seek.into_iter().for_each(|seek| self.drop_seek(seek));
                self.finish(leg);
            }
        }
    }

    fn drop_question(&mut self, leg: u64) {
        if let Some(seek) = self.legs.get(leg).and_then(|state| state.seek) {
            self.drop_seek(seek);
        }
        self.finish(leg);
    }

    fn hang_up_invited(&mut self, now: Instant, leg: u64, how: HangUp) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let tag = state.tag;
        let status = if how.status.is_failure() { how.status } else { StatusCode::TEMPORARILY_UNAVAILABLE };
        if let Some(theirs) = state.theirs.take() {
            let reply = Reply { headers: how.headers, ..Reply::new(status) };
            self.reply(now, theirs.server, &reply, tag.as_bytes(), false);
        }
        self.finish(leg);
    }

    /// A 2xx is there that nobody wants: take the call and end it.
    pub(super) fn hang_up_answered(&mut self, now: Instant, leg: u64, headers: Vec<(Bytes, Bytes)>) {
        self.ack_answer(now, leg, None);
        self.send_bye(now, leg, headers);
    }

    /// Ends a confirmed dialog. What else is under way in it ends too.
    pub(super) fn send_bye(&mut self, now: Instant, leg: u64, headers: Vec<(Bytes, Bytes)>) {
        self.close_dialog(now, leg);
        let Some(dialog) = self.legs.get_mut(leg).and_then(|state| state.dialog.as_mut()) else { return };
        let cseq = dialog.next_seq();
        self.send_draft(now, leg, Draft { kind: DraftKind::Bye, cseq, headers, body: None });
        self.settle(leg);
    }

    /// No more of this session: their waiting INVITE gets `487`, our own are no longer of interest.
    fn close_dialog(&mut self, now: Instant, leg: u64) {
        self.terminate_theirs(now, leg);
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.told = false;
        state.stage = Stage::Over;
        state.provisionals = None;
        state.unacked = None;
        state.ending = None;
        state.session = None;
        self.drop_outgoing(leg);
        let Some(ours) = self.legs.get_mut(leg).and_then(|state| state.ours.take()) else { return };
        match (ours.state, ours.client) {
            (OursState::Answered { client, cseq }, _) => self.send_ack(now, leg, (leg, client, cseq), None),
            (OursState::Sent, Some(client)) => self.expire_invite(now, client),
            _ => {}
        }
    }

    /// The far end has hung up; its `200` is out.
    pub(super) fn bye_received(&mut self, now: Instant, leg: u64, request: &Message) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        if matches!(state.stage, Stage::Inviting | Stage::Asking | Stage::Over) {
            return; // a fork that ends by itself; two BYEs that crossed
        }
        self.tell(leg, Event::Bye { leg: LegKey(leg), request: request.clone() });
        self.close_dialog(now, leg);
        let t4 = self.settings.timers.t4;
        let Some(state) = self.legs.get_mut(leg) else { return };
        if state.acks.iter().any(|ack| ack.sent.as_ref().is_some_and(|(flow, _)| !flow.is_reliable())) {
            state.linger_until = Some(now + t4);
        }
        self.settle(leg);
    }

    /// Passes a response on to what asked for it.
    pub(super) fn deliver(&mut self, now: Instant, client: u64, response: &Message) {
        if self.answers_challenge(now, client, response) {
            return;
        }
        match self.clients.get(client).map(|tx| tx.purpose) {
            Some(Purpose::Invite | Purpose::Abandoned) => self.invite_response(now, client, response),
            Some(Purpose::Reinvite) => self.reinvite_response(now, client, response),
            Some(Purpose::Probe) => self.probe_response(client, response),
            Some(purpose) if purpose.is_of_referral() => self.referral_response(now, client, response),
            Some(Purpose::Ask) => self.ask_response(client, response),
            Some(Purpose::Update) => self.update_response(now, client, response),
            Some(_) | None => {}
        }
    }

    /// A request of ours that will have no response.
    pub(super) fn client_failed(&mut self, now: Instant, client: u64, cause: FailCause) {
        let Some(tx) = self.clients.get(client) else { return };
        let leg = tx.leg;
        let cause = match cause {
            FailCause::Unreachable if tx.flow.is_reliable() => FailCause::Closed,
            cause => cause,
        };
        match tx.purpose {
            Purpose::Invite => self.attempt_failed(now, client, cause, None),
            Purpose::Ask => self.ask_failed(now, client, cause),
            Purpose::Reinvite if cause == FailCause::TimedOut => {
                self.reinvited(leg, None, StatusCode::REQUEST_TIMEOUT);
            }
            Purpose::Reinvite => self.reinvited(leg, None, StatusCode::SERVICE_UNAVAILABLE),
            Purpose::Update if cause == FailCause::TimedOut => {
                self.updated(now, leg, StatusCode::REQUEST_TIMEOUT, None);
            }
            Purpose::Update => self.updated(now, leg, StatusCode::SERVICE_UNAVAILABLE, None),
            Purpose::Probe => self.probed(leg, false),
            Purpose::Notify => self.notified(now, leg, false),
            Purpose::Refer => self.refer_answered(leg, StatusCode::REQUEST_TIMEOUT),
            Purpose::Bye if cause == FailCause::Closed => self.repeat_bye(now, leg),
            Purpose::Abandoned | Purpose::Bye | Purpose::Cancel | Purpose::Prack | Purpose::Info => {}
        }
    }

    /// A BYE that went down with its connection is sent once more over a new one: the far end must not be left
    /// in a call that is over.
    fn repeat_bye(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg).filter(|state| !state.bye_again) else { return };
        state.bye_again = true;
        let Some(cseq) = state.dialog.as_mut().map(|dialog| dialog.next_seq()) else { return };
        self.send_draft(now, leg, Draft { kind: DraftKind::Bye, cseq, headers: Vec::new(), body: None });
    }

    /// The leg is over and nothing more will be sent for it.
    pub(super) fn finish(&mut self, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.told = false;
        state.stage = Stage::Over;
        state.asking = None;
        state.provisionals = None;
        state.ending = None;
        self.drop_outgoing(leg);
        self.settle(leg);
    }

    /// After any change of a leg: its alarm is set, and if nothing is left of it, it goes.
    pub(super) fn settle(&mut self, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        if state.is_finished() {
            let Some(mut state) = self.legs.remove(leg) else { return };
            self.clock.clear(&mut state.alarm);
            let hop = state.hop.map(|hop| hop.remote.ip());
            for ip in hop.into_iter().chain(state.came_from) {
                self.roads.release(ip);
            }
            return;
        }
        let want = state.poll_timeout();
        if state.stage == Stage::Over
            && state.open_clients == 0
            && state.seek.is_none()
            && state.referral.is_none()
        {
            state.dialog = None;
        }
        self.clock.set(&mut state.alarm, want, Due::Leg(leg));
    }

    /// Tells what happened, if anybody still wants to hear of this leg.
    pub(super) fn tell(&mut self, leg: u64, event: Event) {
        if self.legs.get(leg).is_some_and(|state| state.told) {
            self.out.push_back(super::Output::Event(event));
        }
    }
}
