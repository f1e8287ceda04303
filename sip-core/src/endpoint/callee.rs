//! The called side: their INVITE or re-INVITE from its arrival to the ACK (RFC 3261 §13.3, §14.2, §9.2).

use super::legs::{Stage, Theirs};
use super::{Endpoint, Event, Reply};
use crate::dialog::{Overdue, Unacked};
use crate::key::LegKey;
use crate::message::{Message, StatusCode};
use std::time::{Duration, Instant};

/// A proxy gives an INVITE up after three minutes without a 1xx; one a minute keeps it (RFC 3261 §13.3.1.1, §16.8).
const REMINDER: Duration = Duration::from_secs(60);

impl Endpoint {
    /// Answers the INVITE or re-INVITE that waits: 101 to 199 any number of times, then one final status.
    ///
    /// A 1xx is reliable where [`Terms`](super::Terms) and the far end want it so; then a 2xx waits for the PRACKs of all
    /// descriptions before it. A 2xx is repeated until its ACK is there. The last 1xx is repeated once a minute. A 3xx to 6xx to the first
    /// INVITE ends the leg. Without an INVITE waiting nothing happens.
    pub fn respond(&mut self, now: Instant, leg: LegKey, reply: Reply) {
        let Some(state) = self.legs.get(leg.0).filter(|state| state.told) else { return };
        let Some(theirs) = state.theirs else { return };
        match reply.status {
            StatusCode::TRYING => {}
            status if status.is_provisional() => self.respond_progress(now, leg.0, theirs, &reply),
            status if status.is_success() => self.respond_accept(now, leg.0, theirs, &reply),
            _ => self.respond_refuse(now, leg.0, theirs, &reply),
        }
        self.settle(leg.0);
    }

    fn respond_progress(&mut self, now: Instant, leg: u64, theirs: Theirs, reply: &Reply) {
        if !self.postpone_progress(leg, reply) {
            self.send_progress(now, leg, theirs, reply);
        }
    }

    pub(super) fn send_progress(&mut self, now: Instant, leg: u64, theirs: Theirs, reply: &Reply) {
        let Some(tag) = self.legs.get(leg).map(|state| state.tag) else { return };
        let Some(bytes) = self.reply(now, theirs.server, reply, tag.as_bytes(), true) else { return };
        self.progress_sent(now, leg, reply, bytes);
        if let Some(state) = self.legs.get_mut(leg) {
            state.theirs = Some(Theirs { remind_at: Some(now + REMINDER), ..theirs });
        }
    }

    fn respond_accept(&mut self, now: Instant, leg: u64, theirs: Theirs, reply: &Reply) {
        if self.postpone_accept(leg, reply) {
            return;
        }
        let Some(tag) = self.legs.get(leg).map(|state| state.tag) else { return };
        let Some(request) = self.open_request(theirs.server).map(|open| open.request.clone()) else { return };
        let way = self.reply_way(theirs.server);
        let Some(bytes) = self.reply(now, theirs.server, reply, tag.as_bytes(), true) else { return };
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let timers = self.settings.timers;
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.theirs = None;
        state.unacked = Some(Box::new(Unacked::new(now, bytes, cseq, timers)));
        state.unacked_way = way;
        if state.stage == Stage::Invited {
            state.stage = Stage::Confirmed;
        } else {
            self.refresh_target(leg, &request);
        }
        self.session_answered(now, leg, &request);
    }

    fn respond_refuse(&mut self, now: Instant, leg: u64, theirs: Theirs, reply: &Reply) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        state.theirs = None;
        let (tag, stage) = (state.tag, state.stage);
        self.reply(now, theirs.server, reply, tag.as_bytes(), false);
        if stage == Stage::Invited {
            self.finish(leg);
        }
    }

    /// Ends their waiting INVITE or re-INVITE with `487` (RFC 3261 §9.2, §15.1.2). True if there was one.
    pub(super) fn terminate_theirs(&mut self, now: Instant, leg: u64) -> bool {
        let Some(theirs) = self.legs.get_mut(leg).and_then(|state| state.theirs.take()) else { return false };
        let Some(tag) = self.legs.get(leg).map(|state| state.tag) else { return false };
        let reply = Reply::new(StatusCode::REQUEST_TERMINATED);
        self.reply(now, theirs.server, &reply, tag.as_bytes(), false);
        true
    }

    /// A CANCEL of their INVITE, in time.
    pub(super) fn cancelled(&mut self, now: Instant, leg: u64, request: &Message) {
        if !self.terminate_theirs(now, leg) {
            return;
        }
        let key = LegKey(leg);
        if self.legs.get(leg).is_some_and(|state| state.stage == Stage::Invited) {
            self.tell(leg, Event::Cancelled { leg: key, request: Some(request.clone()) });
            self.finish(leg);
        } else {
            self.tell(leg, Event::ReinviteCancelled { leg: key });
            self.settle(leg);
        }
    }

    /// An ACK that names this leg. Repeats of one that was seen are nothing new.
    pub(super) fn acked(&mut self, now: Instant, leg: u64, request: &Message) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        if !state.unacked.as_ref().is_some_and(|unacked| unacked.is_acked_by(number)) {
            return;
        }
        state.unacked = None;
        self.tell(leg, Event::Acked { leg: LegKey(leg), request: request.clone() });
        self.end_if_wanted(now, leg);
    }

    /// After the ACK or its time-out: a BYE that had to wait may go (RFC 3261 §15).
    fn end_if_wanted(&mut self, now: Instant, leg: u64) {
        match self.legs.get_mut(leg).and_then(|state| state.ending.take()) {
            Some(ending) => self.send_bye(now, leg, ending.headers),
            None => self.settle(leg),
        }
    }

    pub(super) fn leg_due(&mut self, now: Instant, at: Instant, leg: u64) {
        if !self.legs.get_mut(leg).is_some_and(|state| state.alarm.is_meant(at)) {
            return;
        }
        self.unacked_due(now, leg);
        self.reminder_due(now, leg);
        self.provisional_due(now, leg);
        self.pause_due(now, leg);
        self.referral_due(now, leg);
        self.session_due(now, leg);
        if let Some(state) = self.legs.get_mut(leg)
            && state.linger_until.is_some_and(|until| until <= now)
        {
            state.linger_until = None;
        }
        self.settle(leg);
    }

    fn unacked_due(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        match (state.unacked.as_mut().and_then(|unacked| unacked.handle_timeout(now)), state.unacked_way) {
            (Some(Overdue::Resend(bytes)), Some((flow, named))) => {
                self.counters.resent += 1;
                self.send_response(now, flow, Some(named), bytes);
            }
            (Some(Overdue::GiveUp), _) => {
                state.unacked = None;
                self.counters.acks_missing += 1;
                self.tell(leg, Event::AckMissing { leg: LegKey(leg) });
                self.end_if_wanted(now, leg);
            }
            _ => {}
        }
    }

    fn reminder_due(&mut self, now: Instant, leg: u64) {
        let Some(theirs) = self.legs.get_mut(leg).and_then(|state| state.theirs.as_mut()) else { return };
        if theirs.remind_at.is_some_and(|at| at <= now) {
            theirs.remind_at = Some(now + REMINDER);
            let server = theirs.server;
            self.repeat_reply(server);
        }
    }
}
