//! Calls of people in Teams: what they do in them, and transfers with what Teams writes into them (1.10 of the sheet).

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{Invite, LegKey, Message, Target, Transport, message::Header, transport::Host};

use super::{
    proxy::{NAMES, PEER, PORT, Proxy, sdp, terms},
    sound::Sound,
};
use crate::tone::only_voice;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody has answered.
    Ringing,
    /// Somebody has.
    Talking,
}

/// One call of one person.
pub(super) struct Call {
    pub(super) leg: LegKey,
    pub(super) person: usize,
    pub(super) stage: Stage,
    pub(super) sound: Sound,
    /// The transfer that it came by: position in [`Proxy::transfers`].
    pub(super) transfer: Option<usize>,
    /// The re-INVITE on its way only refreshes the session.
    pub(super) refreshes: bool,
}

/// What we have asked the far end to call, and what has come of it.
pub(super) struct Transfer {
    target: String,
    referred_by: String,
    /// Whom it means was spoken to before.
    pub(super) consults: bool,
    came: bool,
}

impl Call {
    pub(super) fn new(leg: LegKey, person: usize, sound: Sound) -> Call {
        Call { leg, person, stage: Stage::Ringing, sound, transfer: None, refreshes: false }
    }
}

/// What people do.
impl Proxy {
    fn call_of(&mut self, person: usize) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.person == person && call.stage == Stage::Talking)
    }

    /// He is in a call.
    pub fn talks(&self, person: usize) -> bool {
        self.calls.iter().any(|call| call.person == person && call.stage == Stage::Talking)
    }

    /// He has been called.
    pub fn is_called(&self, person: usize) -> bool {
        self.people[person].called > 0
    }

    /// Nobody is called or talks.
    pub fn has_no_calls(&self) -> bool {
        self.calls.is_empty()
    }

    /// Missed calls that all of them see.
    pub fn missed(&self) -> u32 {
        self.people.iter().map(|person| person.missed).sum()
    }

    /// He is called and has not answered.
    pub fn is_rung(&self, person: usize) -> bool {
        self.calls.iter().any(|call| call.person == person && call.stage == Stage::Ringing)
    }

    /// Whose voice alone he has heard in the last 200 ms, of these.
    pub fn hears(&self, person: usize, voices: &[u16]) -> Option<u16> {
        let talks = |call: &&Call| call.person == person && call.stage == Stage::Talking;
        let call = self.calls.iter().find(talks)?;
        only_voice(&call.sound.listened(200)?, voices)
    }

    /// He hangs up.
    pub fn hangs_up(&mut self, now: Instant, person: usize) {
        if let Some(leg) = self.call_of(person).map(|call| call.leg) {
            self.hang_up_leg(now, leg);
            self.drain(now);
        }
    }

    /// He presses hold, or takes the caller back.
    pub fn holds(&mut self, now: Instant, person: usize, holds: bool) {
        let Some(call) = self.call_of(person) else { return };
        call.sound.forget();
        let (leg, offer) = (call.leg, call.sound.offer_hold(holds));
        self.sip.reinvite(now, leg, Some(sdp(offer)));
        self.drain(now);
    }

    /// Half of the time of his session is over: it is refreshed by a re-INVITE that changes nothing (1.8).
    pub fn refreshes(&mut self, now: Instant, person: usize) {
        if let Some(leg) = self.call_of(person).map(|call| call.leg) {
            self.refresh(now, leg);
            self.drain(now);
        }
    }

    /// He presses a key.
    pub fn presses(&mut self, person: usize, key: char) {
        if let Some(call) = self.call_of(person) {
            call.sound.press(key);
        }
    }

    /// He calls a number: over the trunk.
    pub fn dials(&mut self, now: Instant, person: usize, number: &str) {
        self.calls_out(now, person, number, Vec::new());
    }

    /// He takes the place of a colleague in his call, for whom Teams asks by INVITE with Replaces (1.10, second way; 7.14).
    pub fn takes_over(&mut self, now: Instant, person: usize, colleague: usize, number: &str) {
        let Some(leg) = self.call_of(colleague).map(|call| call.leg) else { return };
        let Some(place) = self.sip.name(leg) else { return };
        let headers = vec![
            (Bytes::from_static(b"Replaces"), Bytes::from(place.to_string())),
            (Bytes::from_static(b"Require"), Bytes::from_static(b"replaces")),
        ];
        self.calls_out(now, person, number, headers);
    }

    fn calls_out(&mut self, now: Instant, person: usize, number: &str, mut headers: Vec<(Bytes, Bytes)>) {
        let Some(port) = self.ports.pop_front() else { return };
        let (trunk, tone) = (self.trunk().to_owned(), self.people[person].tone.clone());
        let mut sound = Sound::new(port, tone);
        let from = format!(
            "\"{}\" <sip:{}@{}:{PORT};user=phone>",
            self.people[person].name, self.people[person].number, NAMES[0]
        );
        headers.push((Bytes::from_static(b"MS-CONVERSATION-ID"), Bytes::from_static(b"9d4d1c0e8a434a0b")));
        let invite = Invite {
            peer: Some(PEER),
            flow: None,
            targets: vec![Target {
                transport: Some(Transport::Tls),
                host: Host::new(&trunk),
                port: Some(PORT),
            }],
            retry_on: Vec::new(),
            uri: format!("sip:{number}@{trunk}:{PORT};user=phone;transport=tls").into(),
            uris: Vec::new(),
            from: from.into(),
            to: format!("<sip:{number}@{trunk}:{PORT};user=phone>").into(),
            headers,
            body: Some(sdp(sound.offer())),
            login: None,
            udp_only: false,
            max_forwards: 70,
            first_response_timeout: Duration::from_secs(10),
            terms: terms(),
        };
        match self.sip.invite(now, invite) {
            Some(leg) => self.calls.push(Call::new(leg, person, sound)),
            None => self.ports.push_back(port),
        }
        self.drain(now);
    }

    /// He transfers whom he talks to: `consults` after a talk with the other inside Teams, which shows only in `x-tt`.
    pub fn transfers(&mut self, now: Instant, person: usize, to: usize, consults: bool) {
        let Some(leg) = self.call_of(person).map(|call| call.leg) else { return };
        let target = format!("sip:{}:{PORT};transport=tls;x-m=8:orgid:{}", NAMES[0], self.people[to].id);
        let replaced = if consults { ";x-tt=aHR0cHM6Ly9FeGFtcGxlLmludmFsaWQvcmVwbGFjZQ2" } else { "" };
        let referred_by = format!(
            "<sip:{}:{PORT};x-m=8:orgid:{};x-t=0d9a2f1c-4a61-4f0e-8b9a-6a7c1d2e3f40;x-ti=3f0c7a52-0f0e-4f7b-9a53-7f2e2d1b8a10{replaced}>",
            NAMES[0], self.people[person].id
        );
        let headers = vec![
            (Bytes::from_static(b"Refer-To"), Bytes::from(format!("<{target}>"))),
            (Bytes::from_static(b"Referred-By"), Bytes::from(referred_by.clone())),
        ];
        self.transfers.push(Transfer { target, referred_by, consults, came: false });
        self.sip.refer(now, leg, headers);
        self.drain(now);
    }
}

/// Whom a call of theirs means.
impl Proxy {
    pub(super) fn meant_by(&self, invite: &Message) -> Option<usize> {
        let uri = invite.request_uri().ok()?;
        let (user, person) = (uri.user().unwrap_or_default(), uri.param("x-m").unwrap_or_default());
        self.people.iter().position(|known| {
            let is_named = person.strip_prefix(b"8:orgid:").is_some_and(|id| id == known.id.as_bytes());
            is_named || (!user.is_empty() && user == known.number.as_bytes())
        })
    }

    /// The transfer that a call comes from: the target must be what we have written, and so must Referred-By, byte for
    /// byte; a second call for one transfer finds nothing to replace (1.10).
    pub(super) fn transfer_back(&mut self, invite: &Message) -> Option<usize> {
        let uri = String::from_utf8_lossy(&invite.request_uri_bytes()).into_owned();
        if !uri.contains("x-m=") {
            return None;
        }
        let at = self.transfers.iter().position(|transfer| transfer.target == uri && !transfer.came);
        let Some(at) = at else {
            self.violates(format!("INVITE to {uri}, which no transfer asked for (1.10)"));
            return None;
        };
        let told = invite.value(Header::ReferredBy).map(|told| String::from_utf8_lossy(&told).into_owned());
        let transfer = &mut self.transfers[at];
        transfer.came = true;
        if told.as_deref() == Some(transfer.referred_by.as_str()) {
            self.seen.transfers += 1;
        } else {
            self.violates("Referred-By came back changed (1.10)".to_owned());
        }
        Some(at)
    }
}
