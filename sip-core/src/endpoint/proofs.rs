//! What we prove to a far end that asks who we are (RFC 3261 §22.2, §22.3): on 401 and 407 the request goes out again
//! with the next CSeq and our credentials, and what follows in the dialog has them from the start.

use super::clients::{Departure, Purpose};
use super::legs::{Leg, Stage};
use super::{Endpoint, write};
use crate::auth::digest::{Login, Session};
use crate::key::LegKey;
use crate::message::{Header, Message, StatusCode};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// Who we are in one leg, and to whom.
#[derive(Clone)]
pub(super) struct Proofs {
    login: Arc<Login>,
    /// One for each realm that has asked; a proxy and the far end behind it may both ask.
    sessions: Vec<Session>,
    /// Those of the last INVITE: its ACK has the same (§22.1).
    of_invite: Vec<(Header, Bytes)>,
}

/// Realms that one leg answers. One more is not answered.
const MOST_REALMS: usize = 4;
/// How often one request goes out again: each realm, and once more each for a nonce that had become old.
const MOST_TIMES: u8 = 4;

impl Proofs {
    pub(super) fn new(login: Arc<Login>) -> Box<Proofs> {
        Box::new(Proofs { login, sessions: Vec::new(), of_invite: Vec::new() })
    }

    /// Takes in a challenge of a request that has gone out `times` before. False if it cannot be answered, or the answer
    /// was wrong: asking again would be a loop.
    fn learn(&mut self, response: &Message, times: u8) -> bool {
        let Some(fresh) = Session::of(response, &self.login) else { return false };
        match self.sessions.iter().position(|known| fresh.replaces(known)) {
            // What was proved unasked may have been proved with a nonce that is good for one request only.
            Some(_) if times > 0 && !fresh.is_stale() => return false,
            Some(at) => self.sessions[at] = fresh,
            None if self.sessions.len() >= MOST_REALMS => return false,
            None => self.sessions.push(fresh),
        }
        true
    }
}

impl Endpoint {
    /// Who we are to the far end of a leg that came to us; legs of ours bring it along
    /// ([`Invite::login`](super::Invite::login)).
    pub fn set_login(&mut self, leg: LegKey, login: Option<Arc<Login>>) {
        if let Some(state) = self.legs.get_mut(leg.0) {
            state.proofs = login.map(Proofs::new);
        }
    }

    /// The request with our credentials for whoever has asked in this leg.
    pub(super) fn with_proofs(&mut self, leg: u64, purpose: Purpose, request: Bytes) -> Bytes {
        let Some(proofs) = self.legs.get_mut(leg).and_then(|state| state.proofs.as_deref_mut()) else {
            return request;
        };
        if proofs.sessions.is_empty() || purpose == Purpose::Cancel {
            return request;
        }
        let Ok(message) = Message::parse(request.clone()) else { return request };
        let (method, uri) = (message.method().to_string(), message.request_uri_bytes());
        let uri = String::from_utf8_lossy(&uri);
        let mint = &mut self.mint;
        let answers = proofs.sessions.iter_mut().map(|session| {
            let cnonce = mint.number();
            (session.header(), session.answer(&method, &uri, cnonce))
        });
        let answers: Vec<(Header, Bytes)> = answers.collect();
        if purpose.is_invite() {
            proofs.of_invite.clone_from(&answers);
        }
        write::proved(&message, &answers)
    }

    /// The ACK of a 2xx with the credentials of its INVITE.
    pub(super) fn with_proofs_of_invite(&self, leg: u64, ack: Bytes) -> Bytes {
        let proofs = self.legs.get(leg).and_then(|state| state.proofs.as_deref());
        let answers = proofs.map(|proofs| &proofs.of_invite[..]).unwrap_or_default();
        match Message::parse(ack.clone()) {
            Ok(message) if !answers.is_empty() => write::proved(&message, answers),
            _ => ack,
        }
    }

    /// A final response to a request of ours. True if it was a challenge and the request is on its way again.
    pub(super) fn answers_challenge(&mut self, now: Instant, client: u64, response: &Message) -> bool {
        let asks = [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED];
        if !response.status().is_some_and(|status| asks.contains(&status)) {
            return false;
        }
        let Some(asked) = self.clients.get(client).and_then(|tx| tx.asked_again()) else { return false };
        let (leg, purpose, flow, request, times) = asked;
        let Some(state) = self.legs.get_mut(leg) else { return false };
        let learnt = state.proofs.as_deref_mut().is_some_and(|proofs| proofs.learn(response, times));
        if !learnt || times >= MOST_TIMES || !state.awaits(purpose, client) {
            return false;
        }
        let (Ok(message), Some(cseq)) = (Message::parse(request), state.next_cseq(purpose, response)) else {
            return false;
        };
        let first_response_at = state.patience(purpose, now);
        let peer = state.peer;
        let branch = self.next_branch();
        let request = write::again(&message, &self.origins.via(&flow, peer, &branch), cseq);
        let again = self.depart(now, Departure { leg, purpose, flow, request, first_response_at });
        let Some(again) = again else { return false };
        if let Some(tx) = self.clients.get_mut(again) {
            tx.set_times(times + 1);
        }
        if let Some(state) = self.legs.get_mut(leg) {
            state.goes_on_as(purpose, again);
        }
        true
    }
}

impl Leg {
    /// Whether the answer to this request is still of interest.
    fn awaits(&self, purpose: Purpose, client: u64) -> bool {
        match purpose {
            Purpose::Invite => {
                self.ending.is_none() && self.outgoing.as_ref().is_some_and(|out| out.client == Some(client))
            }
            Purpose::Ask => self.asking.as_ref().is_some_and(|asking| asking.client == Some(client)),
            Purpose::Abandoned | Purpose::Cancel => false,
            Purpose::Bye => true,
            Purpose::Prack => self.stage != Stage::Over,
            _ => self.told,
        }
    }

    /// The number of the request when it goes out again (§22.2).
    fn next_cseq(&mut self, purpose: Purpose, response: &Message) -> Option<u32> {
        match purpose {
            Purpose::Invite => {
                let out = self.outgoing.as_deref_mut()?;
                out.cseq += 1;
                Some(out.cseq)
            }
            Purpose::Ask => Some(response.cseq().ok()?.number + 1),
            _ => Some(self.dialog.as_mut()?.next_seq()),
        }
    }

    /// Until when the first response to it is awaited: as long as to the one before.
    fn patience(&mut self, purpose: Purpose, now: Instant) -> Option<Instant> {
        match purpose {
            Purpose::Invite => {
                let out = self.outgoing.as_deref_mut()?;
                out.until = Some(now + out.invite.first_response_timeout);
                out.until
            }
            Purpose::Ask => self.asking.as_ref().map(|asking| asking.until),
            _ => None,
        }
    }

    fn goes_on_as(&mut self, purpose: Purpose, client: u64) {
        match purpose {
            Purpose::Invite => self.outgoing.iter_mut().for_each(|out| out.client = Some(client)),
            Purpose::Ask => self.asking.iter_mut().for_each(|asking| asking.client = Some(client)),
            Purpose::Reinvite => self.ours.iter_mut().for_each(|ours| ours.client = Some(client)),
            _ => {}
        }
    }
}
