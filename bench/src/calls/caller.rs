//! The callers' side: INVITE, ACK, hold, BYE.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_core::{
    Message,
    message::{Header, Method},
};

use super::{
    Load, Mode, PATIENCE, Report,
    wire::{Out, Side, description},
};

/// The first pause before an INVITE is repeated (RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);

pub(super) struct Caller {
    mode: Mode,
    router: SocketAddr,
    local: SocketAddr,
    number: String,
    sound_port: u16,
    transport: &'static str,
    contact: String,
    hold: Duration,
    waiting: usize,
    all: u64,
    repeats: bool,
    /// INVITEs that are repeated if nothing has come by then, and how long the last pause was.
    unheard: BTreeMap<(Instant, u64), Duration>,
    calls: HashMap<u64, Call>,
    /// When which call does something: hang up, or be given up.
    due: BTreeSet<(Instant, u64)>,
    /// Which call the router speaks to from this port, and when it was acknowledged.
    speaks: HashMap<u16, (u64, Instant)>,
    /// Who waits in the queue, and since when there is no moment without one.
    crowd: BTreeSet<u64>,
    crowd_since: Instant,
    /// Agents whose caller hung up, until they are called again.
    free_since: HashMap<Bytes, Instant>,
    talking: usize,
    /// Grows with every talk: a cheap sequence that looks random enough to keep agents out of step.
    dice: u64,
    up: u64,
    measured: bool,
}

struct Call {
    dialled: Instant,
    /// Whom he talks to.
    agent: Option<Bytes>,
    /// Request target and To value of the dialog, once answered.
    dialog: Option<(Bytes, Bytes)>,
    due: Instant,
    /// When he hung up.
    left: Option<Instant>,
    heard: bool,
}

impl Caller {
    pub(super) fn new(load: &Load, sound_port: u16) -> Caller {
        Caller {
            mode: load.mode,
            router: load.router,
            local: load.caller,
            number: load.number.clone(),
            sound_port,
            transport: load.transport(),
            contact: load.contact(load.caller),
            hold: Duration::from_millis(load.hold),
            waiting: load.waiting,
            all: load.calls,
            repeats: load.repeat,
            unheard: BTreeMap::new(),
            calls: HashMap::new(),
            due: BTreeSet::new(),
            speaks: HashMap::new(),
            crowd: BTreeSet::new(),
            crowd_since: Instant::now(),
            free_since: HashMap::new(),
            talking: 0,
            dice: 0x9e37_79b9_7f4a_7c15,
            up: 0,
            measured: false,
        }
    }

    /// In queue mode no more callers than asked for wait at once.
    pub(super) fn may_dial(&self) -> bool {
        self.mode != Mode::Queue || self.calls.len() < self.waiting + self.talking
    }

    pub(super) fn dial(&mut self, now: Instant, id: u64, out: &mut Out) {
        self.invite(id, out);
        let due = now + PATIENCE + self.longest_wait();
        let call = Call { dialled: now, agent: None, dialog: None, due, left: None, heard: false };
        self.calls.insert(id, call);
        self.due.insert((due, id));
        if self.repeats {
            self.unheard.insert((now + T1, id), T1);
        }
    }

    /// INVITEs that nobody has answered are sent again.
    pub(super) fn repeat(&mut self, now: Instant, report: &mut Report, out: &mut Out) {
        while let Some(entry) = self.unheard.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, id), gap) = entry.remove_entry();
            if self.calls.get(&id).is_some_and(|call| !call.heard) {
                self.unheard.insert((now + gap * 2, id), gap * 2);
                self.invite(id, out);
                report.note_invite_repeated();
            }
        }
    }

    fn invite(&self, id: u64, out: &mut Out) {
        let body = description(self.local.ip(), self.sound_port);
        let (number, router, local) = (&self.number, self.router, self.local);
        let (transport, contact) = (self.transport, &self.contact);
        let invite = format!(
            "INVITE sip:{number}@{router} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK-i{id};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+4989{id}@{local}>;tag=c{id}\r\nTo: <sip:{number}@{router}>\r\n\
             Call-ID: {id}@bench\r\nCSeq: 1 INVITE\r\nContact: {contact}\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        out.push_back((Side::Caller, router, invite.into()));
    }

    /// Callers of a queue wait as long as it takes.
    fn longest_wait(&self) -> Duration {
        if self.mode == Mode::Queue { Duration::from_secs(600) } else { Duration::ZERO }
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
        let Some(id) = id_of(&message) else { return };
        if let Some(call) = self.calls.get_mut(&id) {
            call.heard = true;
        }
        match (message.status().map(|status| status.code()), message.method()) {
            (None, Method::Bye) => {
                let mut ok =
                    sip_core::message::respond_to(&message, from, sip_core::StatusCode::OK, None, None);
                out.push_back((Side::Caller, from, ok.finish()));
                self.over(id, None, report);
            }
            (None, _) | (Some(100..=199), _) => {}
            (Some(200..=299), Method::Invite) => self.answered(now, id, &message, report, out),
            (Some(200..=299), Method::Bye) => {
                let left = self.calls.get(&id).and_then(|call| call.left);
                left.into_iter().for_each(|left| report.note_bye(now - left));
                self.over(id, None, report);
            }
            (Some(status), Method::Invite) => {
                self.acknowledge_refusal(id, &message, out);
                self.over(id, Some(status), report);
            }
            _ => {}
        }
    }

    fn answered(&mut self, now: Instant, id: u64, response: &Message, report: &mut Report, out: &mut Out) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let target = response.contact().map(|contact| contact.uri.without_headers()).unwrap_or_default();
        let to = response.value(Header::To).map(|to| Bytes::copy_from_slice(&to)).unwrap_or_default();
        let first = call.dialog.replace((target, to)).is_none();
        let ack = self.in_dialog(id, "ACK", 1);
        out.push_back((Side::Caller, self.router, ack));
        if !first {
            return report.note_repeat();
        }
        self.up += 1;
        let call = &self.calls[&id];
        report.note_setup(now - call.dialled);
        if let Some(port) = audio_port(&response.body()) {
            self.speaks.insert(port, (id, now));
        }
        match self.mode {
            Mode::Direct => self.at(id, now + self.hold),
            Mode::Announce => self.at(id, now + PATIENCE / 2),
            Mode::Held | Mode::Register => {}
            Mode::Queue => self.waits(now, id),
        }
    }

    fn waits(&mut self, now: Instant, id: u64) {
        if self.crowd.is_empty() {
            self.crowd_since = now;
        }
        self.crowd.insert(id);
    }

    /// In queue mode: an agent is called for one of those who wait.
    pub(super) fn is_served(&mut self, now: Instant, invite: &Message, report: &mut Report) {
        let (Some(id), Some(agent)) = (caller_of(invite), called_of(invite)) else { return };
        if !self.crowd.remove(&id) {
            return;
        }
        if let Some(free) = self.free_since.remove(&agent) {
            report.note_gap(now - free.max(self.crowd_since));
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = Some(agent);
            self.talking += 1;
        }
        let talk = self.hold + self.hold.mul_f64(2.0 * self.roll());
        self.at(id, now + talk);
    }

    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The first packet of an announcement.
    pub(super) fn sound(&mut self, now: Instant, from: SocketAddr, report: &mut Report) {
        if let Some((id, acknowledged)) = self.speaks.remove(&from.port())
            && self.mode == Mode::Announce
        {
            report.note_first_sound(now - acknowledged);
            self.at(id, now);
        }
    }

    pub(super) fn due(&mut self, now: Instant, report: &mut Report, out: &mut Out) {
        while let Some(&(at, id)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            let Some(call) = self.calls.get_mut(&id) else { continue };
            if call.left.is_some() || call.dialog.is_none() {
                self.over(id, Some(408), report);
                continue;
            }
            call.left = Some(now);
            if let Some(agent) = call.agent.take() {
                self.free_since.insert(agent, now);
                self.talking -= 1;
            }
            self.at(id, now + PATIENCE);
            let bye = self.in_dialog(id, "BYE", 2);
            out.push_back((Side::Caller, self.router, bye));
        }
    }

    /// All calls have ended. Held calls are measured when all are up, and then hung up.
    pub(super) fn is_done(&mut self, now: Instant, report: &mut Report, _out: &mut Out) -> bool {
        if self.mode == Mode::Held && !self.measured && self.up == self.all {
            self.measured = true;
            report.note_held(self.up);
            let ids: BTreeSet<u64> = self.due.iter().map(|(_, id)| *id).collect();
            for id in ids {
                self.at(id, now);
            }
        }
        self.calls.is_empty()
    }

    fn at(&mut self, id: u64, at: Instant) {
        if let Some(call) = self.calls.get_mut(&id) {
            self.due.remove(&(call.due, id));
            call.due = at;
            self.due.insert((at, id));
        }
    }

    fn over(&mut self, id: u64, failed: Option<u16>, report: &mut Report) {
        if let Some(call) = self.calls.remove(&id) {
            self.due.remove(&(call.due, id));
            self.crowd.remove(&id);
            self.talking -= usize::from(call.agent.is_some());
            report.note_end(failed);
        }
    }

    fn in_dialog(&self, id: u64, method: &str, cseq: u32) -> Bytes {
        let Some((target, to)) = self.calls.get(&id).and_then(|call| call.dialog.as_ref()) else {
            return Bytes::new();
        };
        let (target, to) = (String::from_utf8_lossy(target), String::from_utf8_lossy(to));
        self.request(method, &target, &to, id, cseq)
    }

    /// RFC 3261 §17.1.1.3: the branch of the INVITE, the To of the response.
    fn acknowledge_refusal(&self, id: u64, response: &Message, out: &mut Out) {
        let to = response
            .value(Header::To)
            .map(|to| String::from_utf8_lossy(&to).into_owned())
            .unwrap_or_default();
        let target = format!("sip:{}@{}", self.number, self.router);
        let ack = self.request("ACK", &target, &to, id, 1);
        let ack =
            String::from_utf8_lossy(&ack).replace(&format!("z9hG4bK-ACK1{id}"), &format!("z9hG4bK-i{id}"));
        out.push_back((Side::Caller, self.router, ack.into()));
    }

    fn request(&self, method: &str, target: &str, to: &str, id: u64, cseq: u32) -> Bytes {
        let (local, transport) = (self.local, self.transport);
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK-{method}{cseq}{id};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+4989{id}@{local}>;tag=c{id}\r\nTo: {to}\r\nCall-ID: {id}@bench\r\n\
             CSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
        )
        .into()
    }
}

/// Our caller's number stands in the agent's INVITE.
fn caller_of(invite: &Message) -> Option<u64> {
    let from = invite.from().ok()?;
    std::str::from_utf8(from.uri.user()?).ok()?.strip_prefix("+4989")?.parse().ok()
}

fn called_of(invite: &Message) -> Option<Bytes> {
    invite.request_uri().ok()?.user().map(Bytes::copy_from_slice)
}

pub(super) fn id_of(message: &Message) -> Option<u64> {
    let call_id = message.call_id().ok()?;
    std::str::from_utf8(&call_id).ok()?.strip_suffix("@bench")?.parse().ok()
}

fn audio_port(description: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(description).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    line.split(' ').next()?.parse().ok()
}
