//! Requests from the sources of telephones: each that begins something proves who sends it (RFC 3261 §22.1), and only
//! there a REGISTER is taken (§10.3).

use super::servers::Arrival;
use super::{Endpoint, Event, Reply, RequestKey};
use crate::auth::{Admission, Guard, GuardSettings, UserId};
use crate::message::{Header, Method, StatusCode};
use crate::token::Kind;
use crate::transport::PeerId;
use bytes::Bytes;
use std::time::Instant;

/// Extensions that a REGISTER may ask for (RFC 3327 §5.3, RFC 5626 §6).
const OF_REGISTER: [&[u8]; 2] = [b"path", b"outbound"];

impl Endpoint {
    /// Whose requests have to prove a user from now on, and which users there are; `None`: nobody's.
    ///
    /// Nonces and lock-outs outlive a change of settings as far as they can.
    pub fn set_guard(&mut self, now: Instant, settings: Option<GuardSettings>) {
        let Some(settings) = settings else {
            self.guard = None;
            return;
        };
        let nonce_key = [self.mint.number(), self.mint.number()];
        match &mut self.guard {
            Some(guard) => guard.change(now, nonce_key, settings),
            None => self.guard = Some(Box::new(Guard::new(now, nonce_key, settings))),
        }
    }

    /// Addresses and users who are locked out now for wrong proofs.
    pub fn locked_out(&self, now: Instant) -> usize {
        self.guard.as_ref().map_or(0, |guard| guard.locked(now))
    }

    pub(super) fn is_guarded(&self, peer: PeerId) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.guards(peer))
    }

    /// A new request outside dialogs. One without the right proof is challenged without state, whatever it asks.
    pub(super) fn request_at_door(&mut self, now: Instant, arrival: Arrival<'_>, peer: PeerId) {
        let source = arrival.flow.remote.ip();
        let Some(guard) = &mut self.guard else { return };
        match guard.admit(now, source, arrival.request) {
            Admission::User(user) => match arrival.request.method() {
                Method::Invite => self.invite_received(now, arrival, (peer, Some(user))),
                Method::Register => self.register_received(now, &arrival, user),
                _ => self.request_elsewhere(&arrival),
            },
            Admission::Challenge { stale, wrong, locked } => {
                self.counters.proofs_wrong += u64::from(wrong);
                if let Some(suspect) = locked {
                    self.counters.lockouts += 1;
                    self.out.push_back(super::Output::Event(Event::LockedOut { suspect, source }));
                }
                self.challenge(now, &arrival, stale);
            }
        }
    }

    fn challenge(&mut self, now: Instant, arrival: &Arrival<'_>, stale: bool) {
        let salt = self.mint.number();
        let Some(guard) = &self.guard else { return };
        let headers = guard.challenge(now, salt, stale);
        self.counters.challenged += 1;
        self.counters.invites_challenged += u64::from(arrival.request.method() == Method::Invite);
        self.refuse(arrival, Reply { headers, ..Reply::new(StatusCode::UNAUTHORIZED) });
    }

    fn register_received(&mut self, now: Instant, arrival: &Arrival<'_>, user: UserId) {
        let reply = if self.is_busy() {
            Some(Reply::new(StatusCode::SERVICE_UNAVAILABLE))
        } else {
            unknown_extension(arrival)
        };
        if let Some(reply) = reply {
            return self.refuse(arrival, reply);
        }
        let Some(server) = self.open_other(now, arrival, super::NO_LEG) else { return };
        self.counters.registers += 1;
        let (key, flow, request) = (RequestKey(server), arrival.flow, arrival.request.clone());
        self.out.push_back(super::Output::Event(Event::Register { key, user, flow, request }));
    }

    /// Answers [`Event::Register`] with a final status. Too late or a second time: nothing happens.
    pub fn answer_register(&mut self, now: Instant, key: RequestKey, reply: Reply) {
        let fits = self.open_request(key.0).is_some_and(|open| open.leg == super::NO_LEG);
        if fits && reply.status.is_final() {
            let tag = self.mint.token(Kind::Tag, super::NO_LEG);
            self.reply(now, key.0, &reply, tag.as_bytes(), false);
        }
    }
}

fn unknown_extension(arrival: &Arrival<'_>) -> Option<Reply> {
    let is_known = |tag: &[u8]| OF_REGISTER.iter().any(|known| tag.eq_ignore_ascii_case(known));
    let required = arrival.request.values(Header::Require);
    let unknown: Vec<_> = required.filter(|tag| !is_known(tag)).collect();
    let unsupported = (Bytes::from_static(b"Unsupported"), Bytes::from(unknown.join(&b", "[..])));
    let reply = Reply { headers: vec![unsupported], ..Reply::new(StatusCode::BAD_EXTENSION) };
    (!unknown.is_empty()).then_some(reply)
}
