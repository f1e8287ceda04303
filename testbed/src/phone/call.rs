//! Calls of a telephone: dialled, taken, held, ended.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::{Codec, Direction};
use sip_core::{Body, HangUp, Invite, LegKey, Reply, StatusCode, Target, Transport};

use super::{Behaviour, Deed, Line, Phone, PhoneState, sdp, sound::Sound};

impl Phone {
    pub(super) fn dial(&mut self, now: Instant, called: &str, offer: bool) {
        let mut sound = Sound::new(self);
        self.line = Line::default();
        let body = offer.then(|| sdp(sound.negotiation.offer()));
        self.sound = Some(sound);
        self.state = PhoneState::Calling;
        let leg = self.sip.invite(
            now,
            Invite {
                flow: None,
                peer: None,
                login: self.login.clone(),
                targets: vec![Target::at(Transport::Udp, self.router)],
                uri: format!("sip:{called}@{}", self.router).into(),
                from: format!("<sip:{}@{}>", self.name, self.address).into(),
                to: format!("<sip:{called}@{}>", self.router).into(),
                headers: self.headers.clone(),
                body,
                udp_only: true,
                max_forwards: 70,
                retry_on: Vec::new(),
                uris: Vec::new(),
                first_response_timeout: Duration::from_secs(32),
                terms: self.terms,
            },
        );
        self.legs.extend(leg);
        self.count();
    }

    pub(super) fn rung(&mut self, now: Instant, leg: LegKey, offer: &[u8]) {
        let mut sound = Sound::new(self);
        self.line = Line::default();
        let answer = if offer.is_empty() { None } else { sound.negotiation.answer(offer).ok() };
        if let Some((_, stream)) = &answer {
            sound.stream = Some(stream.clone());
        }
        self.legs.push(leg);
        self.count();
        self.state = PhoneState::Rung;
        let reply = |status: StatusCode| Reply::new(status);
        match self.behaviour.clone() {
            Behaviour::Dead => self.dead = true,
            Behaviour::Busy => self.refuse(now, leg, 486),
            Behaviour::NeverAnswers => self.sip.respond(now, leg, reply(StatusCode::RINGING)),
            Behaviour::Refuses(status, after) => {
                self.sip.respond(now, leg, reply(StatusCode::RINGING));
                self.plan(now + after, Deed::Refuse(leg, status));
            }
            Behaviour::Answers(after) | Behaviour::AnswersFor(after, _) => {
                self.sip.respond(now, leg, reply(StatusCode::RINGING));
                self.plan(now + after, Deed::Answer(leg));
            }
            Behaviour::EarlySound(after) => {
                let body = answer.map(|(answer, _)| sdp(answer));
                self.sip.respond(now, leg, Reply { body, ..reply(StatusCode::SESSION_PROGRESS) });
                sound.next_at = Some(now);
                self.plan(now + after, Deed::Answer(leg));
            }
        }
        self.sound = Some(sound);
    }

    pub(super) fn answer(&mut self, now: Instant, leg: LegKey) {
        if !self.legs.contains(&leg) {
            return;
        }
        let Some(sound) = &mut self.sound else { return };
        let description = match sound.negotiation.last_description() {
            Some(description) => description.clone(),
            None => sound.negotiation.offer(),
        };
        self.sip.respond(now, leg, Reply::new(StatusCode::OK).with_body(sdp(description)));
        sound.next_at = Some(now);
        self.state = PhoneState::Talking;
        self.answered += 1;
        if let Behaviour::AnswersFor(_, talk) = self.behaviour {
            self.plan(now + talk, Deed::HangUp);
        }
    }

    pub(super) fn refuse(&mut self, now: Instant, leg: LegKey, status: u16) {
        if self.legs.contains(&leg) {
            let status = StatusCode::new(status).expect("a status of the story");
            self.sip.respond(now, leg, Reply { headers: self.reason.clone(), ..Reply::new(status) });
            self.over(leg, PhoneState::Failed(status.code()));
        }
    }

    pub(super) fn connected(&mut self, now: Instant, leg: LegKey, description: &[u8]) {
        let Some(sound) = &mut self.sound else { return };
        let answer = match sound.negotiation.last_description() {
            Some(_) if description.is_empty() => None, // it came before
            Some(_) => {
                sound.stream = sound.negotiation.accept(description).ok();
                None
            }
            None => sound.negotiation.answer(description).ok().map(|(answer, stream)| {
                sound.stream = Some(stream);
                sdp(answer)
            }),
        };
        sound.next_at = Some(now);
        self.sip.ack(now, leg, answer);
        self.state = PhoneState::Talking;
    }

    pub(super) fn take_answer(&mut self, now: Instant, description: &[u8]) {
        let Some(sound) = self.sound.as_mut().filter(|_| !description.is_empty()) else { return };
        if let Ok(stream) = sound.negotiation.accept(description) {
            sound.stream = Some(stream);
            sound.next_at.get_or_insert(now);
        }
    }

    pub(super) fn reoffered(&mut self, now: Instant, leg: LegKey, offer: &[u8]) {
        let Some(sound) = &mut self.sound else { return };
        let reply = match sound.negotiation.answer(offer) {
            Ok((answer, stream)) => {
                sound.stream = Some(stream);
                Reply::new(StatusCode::OK).with_body(sdp(answer))
            }
            Err(_) => Reply::new(StatusCode::NOT_ACCEPTABLE_HERE),
        };
        self.sip.respond(now, leg, reply);
    }

    pub(super) fn hold(&mut self, now: Instant, direction: Direction) {
        let Some(sound) = &mut self.sound else { return };
        let offer = sound.negotiation.offer_like(direction, &[Codec::Pcma]);
        self.reinvite(now, sdp(offer));
    }

    pub(super) fn move_sound(&mut self, now: Instant, address: SocketAddr) {
        self.sound_at = address;
        let Some(sound) = &mut self.sound else { return };
        sound.local = address;
        sound.negotiation.set_local(address);
        let offer = sound.negotiation.offer_like(Direction::SendRecv, &[]);
        self.reinvite(now, sdp(offer));
    }

    pub(super) fn reinvite(&mut self, now: Instant, offer: Body) {
        if let Some(leg) = self.legs.last().filter(|_| self.state == PhoneState::Talking) {
            self.sip.reinvite(now, *leg, Some(offer));
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant) {
        for leg in std::mem::take(&mut self.legs) {
            let headers = self.reason.clone();
            self.sip.hang_up(now, leg, HangUp { headers, ..HangUp::new(StatusCode::REQUEST_TERMINATED) });
        }
        self.sound = None;
        if !matches!(self.state, PhoneState::Failed(_)) {
            self.state = PhoneState::Ended;
        }
    }

    pub(super) fn over(&mut self, leg: LegKey, state: PhoneState) {
        self.legs.retain(|other| *other != leg);
        if self.legs.is_empty() {
            self.sound = None;
            self.state = state;
        }
    }

    pub(super) fn count(&mut self) {
        self.most_at_once = self.most_at_once.max(self.legs.len());
    }
}
