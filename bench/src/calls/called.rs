//! The called side: a far end that answers at once, or agents of a queue who talk and hang up.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_core::{
    Message, StatusCode,
    message::{Header, Method, respond_to},
};

use super::{
    Load, Mode, Report,
    wire::{Out, Side, description},
};

pub(super) struct Called {
    mode: Mode,
    local: SocketAddr,
    talk: Duration,
    /// Answered dialogs by Call-ID.
    dialogs: HashMap<Bytes, Dialog>,
    /// When which dialog is hung up.
    due: BTreeSet<(Instant, Bytes)>,
    /// Agents who hung up and wait for the next call.
    free_since: HashMap<Bytes, Instant>,
    answered: u64,
    /// Grows with every talk: a cheap sequence that looks random enough to keep agents out of step.
    dice: u64,
}

struct Dialog {
    agent: Bytes,
    target: Bytes,
    from: Bytes,
    to: Bytes,
}

impl Called {
    pub(super) fn new(load: &Load) -> Called {
        Called {
            mode: load.mode,
            local: load.called,
            talk: Duration::from_millis(load.hold),
            dialogs: HashMap::new(),
            due: BTreeSet::new(),
            free_since: HashMap::new(),
            answered: 0,
            dice: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Callers who talk: they do not wait any more.
    pub(super) fn waiting(&self) -> usize {
        self.dialogs.len()
    }

    pub(super) fn hear(
        &mut self,
        now: Instant,
        bytes: Bytes,
        from: SocketAddr,
        report: &mut Report,
        out: &mut Out,
    ) {
        let Ok(message) = Message::parse(bytes) else { return };
        if !message.is_request() {
            return;
        }
        let reply = match message.method() {
            Method::Invite => self.answer(now, &message, from, report),
            Method::Bye => {
                self.forget(&message);
                respond_to(&message, from, StatusCode::OK, None, None).finish()
            }
            Method::Ack => return,
            _ => respond_to(&message, from, StatusCode::OK, None, None).finish(),
        };
        out.push_back((Side::Called, from, reply));
    }

    fn answer(&mut self, now: Instant, invite: &Message, from: SocketAddr, report: &mut Report) -> Bytes {
        self.answered += 1;
        let tag = format!("b{}", self.answered);
        let agent = invite
            .request_uri()
            .ok()
            .and_then(|uri| uri.user().map(Bytes::copy_from_slice))
            .unwrap_or_default();
        let call_id = invite.call_id().unwrap_or_default();
        if let Some(since) = self.free_since.remove(&agent) {
            report.note_gap(now - since);
        }
        if self.mode == Mode::Queue {
            let talk = self.talk + self.talk.mul_f64(2.0 * self.roll());
            self.due.insert((now + talk, call_id.clone()));
            self.dialogs.insert(call_id, Dialog::of(invite, agent, &tag));
        }
        let body = description(self.local.ip(), 31_000);
        let mut ok = respond_to(invite, from, StatusCode::OK, None, Some(tag.as_bytes()));
        ok.copy(invite, Header::RecordRoute).header(Header::Contact, format!("<sip:{}>", self.local));
        ok.body(b"application/sdp", body.as_bytes());
        ok.finish()
    }

    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn forget(&mut self, bye: &Message) {
        if let Ok(call_id) = bye.call_id() {
            self.dialogs.remove(&call_id);
        }
    }

    /// Agents who have talked long enough hang up, and are free from then on.
    pub(super) fn due(&mut self, now: Instant, out: &mut Out) {
        while let Some((at, call_id)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.due.remove(&(at, call_id.clone()));
            let Some(dialog) = self.dialogs.remove(&call_id) else { continue };
            out.push_back((Side::Called, dialog.address(), dialog.bye(&call_id, self.local)));
            self.free_since.insert(dialog.agent, now);
        }
    }
}

impl Dialog {
    fn of(invite: &Message, agent: Bytes, tag: &str) -> Dialog {
        let value = |header| invite.value(header).map(|value| value.into_owned()).unwrap_or_default();
        let to = format!("{};tag={tag}", String::from_utf8_lossy(&value(Header::To)));
        let target = invite.contact().map(|contact| contact.uri.without_headers()).unwrap_or_default();
        Dialog { agent, target, from: value(Header::From).into(), to: to.into() }
    }

    /// The router writes its address into Contact.
    fn address(&self) -> SocketAddr {
        let text = String::from_utf8_lossy(&self.target);
        let host = text
            .rsplit(['@', ':'])
            .nth(1)
            .map(|host| format!("{host}:{}", text.rsplit(':').next().unwrap_or("")));
        let bare = host.unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        bare.parse().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 5_060)))
    }

    fn bye(&self, call_id: &[u8], local: SocketAddr) -> Bytes {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (target, call_id) = (text(&self.target), text(call_id));
        format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-e{call_id};rport\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            text(&self.to),
            text(&self.from)
        )
        .into()
    }
}
