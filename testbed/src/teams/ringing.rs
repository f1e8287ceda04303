//! Calls of the far end until they are answered or over: what is wrong with them, whom they mean, and what he does.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{Flow, LegKey, Message, Reply, StatusCode, message::Header};

use super::{
    call::{Call, Stage},
    dress::DEVICE,
    judge,
    person::Conduct,
    proxy::{Plan, Proxy, reason, sdp},
    sound::Sound,
};

impl Proxy {
    /// A call of theirs.
    pub(super) fn called(&mut self, now: Instant, leg: LegKey, flow: Flow, invite: &Message, replaces: bool) {
        let centre = self.centre(&flow);
        *self.seen.invites.entry(centre).or_default() += 1;
        let names = self.certified.get(&flow.connection).cloned().unwrap_or_default();
        let faults = judge::of_invite(invite, &names);
        let worst = faults.first().and_then(|fault| fault.status);
        faults.into_iter().for_each(|fault| self.violates(format!("INVITE: {}", fault.why)));
        if replaces {
            self.violates("INVITE: Replaces towards Teams (1.5)".to_owned());
        }
        if let Some(status) = worst {
            return self.refuse(now, leg, status, 21, "RequestRefused");
        }
        let Some(person) = self.meant_by(invite) else {
            return self.refuse(now, leg, 404, 1, "NumberNotFound");
        };
        let asked = self.transfer_back(invite);
        let Some(port) = self.ports.pop_front() else { return self.refuse(now, leg, 503, 34, "NoPort") };
        self.people[person].called += 1;
        let name = invite
            .from()
            .ok()
            .and_then(|from| Some(String::from_utf8_lossy(&from.display_name()?).into_owned()));
        self.people[person].shown.extend(name);
        let mut call = Call::new(leg, person, Sound::new(port, self.people[person].tone.clone()));
        if call.sound.answer(&invite.body()).is_err() {
            self.ports.push_back(port);
            return self.refuse(now, leg, 488, 79, "MediaOfferError");
        }
        call.transfer = asked;
        self.calls.push(call);
        let consulted = asked.is_some_and(|at| self.transfers[at].consults);
        self.rings(now, leg, person, consulted);
    }

    pub(super) fn rings(&mut self, now: Instant, leg: LegKey, person: usize, consulted: bool) {
        let conduct = match self.people[person].conduct {
            // Whoever was spoken to already takes the caller over without ringing for long.
            _ if consulted => Conduct::Answers(Duration::from_millis(200)),
            conduct => conduct,
        };
        match conduct {
            Conduct::Answers(after) => {
                self.progress(now, leg, StatusCode::RINGING, Some("desktop"));
                self.plan(now + after / 3, leg, Plan::RingAgain);
                self.plan(now + after, leg, Plan::Answer);
            }
            Conduct::LetsRing => self.progress(now, leg, StatusCode::RINGING, None),
            Conduct::IsForwarded(after) => {
                self.progress(now, leg, StatusCode::RINGING, None);
                self.plan(now + after, leg, Plan::Forward);
                self.plan(now + after + Duration::from_millis(300), leg, Plan::Answer);
            }
            Conduct::Voicemail => self.plan(now + Duration::from_millis(100), leg, Plan::Answer),
            Conduct::Declines => self.gives_up(now, leg, 603, 21, "The call was declined."),
            Conduct::IsBusy => self.gives_up(now, leg, 486, 34, "The callee is busy."),
            Conduct::IsAway => self.gives_up(now, leg, 480, 31, "No callee endpoints were found."),
        }
    }

    pub(super) fn gives_up(&mut self, now: Instant, leg: LegKey, status: u16, cause: u16, phrase: &str) {
        self.refuse(now, leg, status, cause, phrase);
        self.forget(leg);
    }

    /// With the correlation and the phrase that Teams writes into Reason (1.14).
    pub(super) fn refuse(&mut self, now: Instant, leg: LegKey, status: u16, cause: u16, phrase: &str) {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        self.sip.respond(now, leg, Reply { headers: vec![reason(cause, phrase)], ..Reply::new(status) });
    }

    pub(super) fn progress(&mut self, now: Instant, leg: LegKey, status: StatusCode, device: Option<&str>) {
        let device = device.map(|device| (Bytes::from(DEVICE), Bytes::from(device.to_owned())));
        self.sip.respond(now, leg, Reply { headers: device.into_iter().collect(), ..Reply::new(status) });
    }

    pub(super) fn perform(&mut self, now: Instant, leg: LegKey, plan: Plan) {
        let Some(call) = self.calls.iter_mut().find(|call| call.leg == leg) else { return };
        match plan {
            Plan::RingAgain => self.progress(now, leg, StatusCode::RINGING, Some("mobile")),
            Plan::Forward => self.progress(now, leg, StatusCode::CALL_IS_BEING_FORWARDED, None),
            Plan::HangUp => self.hang_up_leg(now, leg),
            Plan::Answer => {
                let Some(answer) = call.sound.again() else { return };
                call.stage = Stage::Talking;
                call.sound.begin(now);
                let person = &self.people[call.person];
                let himself = matches!(person.conduct, Conduct::Answers(_)) || call.transfer.is_some();
                person.presses.into_iter().filter(|_| himself).for_each(|key| call.sound.press(key));
                self.sip.respond(now, leg, Reply::new(StatusCode::OK).with_body(sdp(answer)));
            }
        }
    }

    /// Their CANCEL: without "completed elsewhere" the person sees a missed call (1.15).
    pub(super) fn taken_back(&mut self, leg: LegKey, cancel: Option<&Message>) {
        let elsewhere = cancel
            .and_then(|cancel| cancel.value(Header::Reason))
            .is_some_and(|reason| String::from_utf8_lossy(&reason).contains("cause=200"));
        if let Some(call) = self.calls.iter().find(|call| call.leg == leg) {
            let person = &mut self.people[call.person];
            person.missed += u32::from(!elsewhere);
            person.spared += u32::from(elsewhere);
        }
        self.forget(leg);
    }
}
