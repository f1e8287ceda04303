//! Telephones that register: a challenge each time, and a proof.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_core::{
    Message,
    auth::digest::{Login, Session},
};

use super::{
    LOOK_AROUND, Load, PATIENCE, Report,
    wire::{Out, Side, Wire},
};

/// How many telephones there are: `t0` to `t99`, each with its name as password.
const TELEPHONES: u64 = 100;

struct Desk<'a> {
    load: &'a Load,
    /// Registrations under way, and when each began.
    begun: HashMap<u64, Instant>,
    out: Out,
}

/// Runs registrations at a rate to their end.
///
/// # Errors
/// If a socket cannot be opened or the process is not there.
pub(super) fn run(load: &Load) -> std::io::Result<Report> {
    let mut wire = Wire::open(load)?;
    let mut report = Report::begin(load)?;
    let mut desk = Desk { load, begun: HashMap::new(), out: Out::new() };
    let (start, gap) = (Instant::now(), Duration::from_secs_f64(1.0 / load.rate));
    let first = u64::from(std::process::id()) * 1_000_000;
    let (mut next, mut count) = (start, 0);
    while count < load.calls || !desk.begun.is_empty() {
        let now = Instant::now();
        while count < load.calls && next <= now {
            desk.register(first + count, 1, "");
            desk.begun.insert(first + count, now);
            (count, next) = (count + 1, next + gap);
        }
        if count == load.calls {
            report.note_all_begun(start.elapsed());
        }
        wire.send_all(&mut desk.out);
        wire.wait(next.saturating_duration_since(now).min(LOOK_AROUND));
        while let Some((bytes, _)) = wire.read_caller() {
            desk.hear(bytes, &mut report);
        }
        desk.give_up(now, &mut report);
    }
    Ok(report.end(start.elapsed()))
}

impl Desk<'_> {
    fn register(&mut self, id: u64, cseq: u32, proof: &str) {
        let (router, local, transport) = (self.load.router, self.load.caller, self.load.transport());
        let (user, contact) = (user(id), self.load.contact(local));
        let register = format!(
            "REGISTER sip:{router} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK-r{cseq}{id};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@bench>;tag=r{id}\r\nTo: <sip:{user}@bench>\r\nCall-ID: {id}@bench\r\n\
             CSeq: {cseq} REGISTER\r\nContact: {contact}\r\nExpires: 600\r\n{proof}Content-Length: 0\r\n\r\n"
        );
        self.out.push_back((Side::Caller, router, register.into()));
    }

    fn hear(&mut self, bytes: Bytes, report: &mut Report) {
        let Ok(message) = Message::parse(bytes) else { return };
        let Some(id) = super::caller::id_of(&message) else { return };
        let Some(begun) = self.begun.get(&id).copied() else { return };
        let first = message.cseq().is_ok_and(|cseq| cseq.number == 1);
        let login = Login { username: user(id), password: user(id), realm: None };
        match (message.status().map(|status| status.code()), Session::of(&message, &login)) {
            (Some(401), Some(mut session)) if first => {
                let value = session.answer("REGISTER", &format!("sip:{}", self.load.router), id);
                let proof = format!("{}: {}\r\n", session.header().name(), String::from_utf8_lossy(&value));
                self.register(id, 2, &proof);
            }
            (Some(200), _) => {
                report.note_setup(begun.elapsed());
                self.over(id, None, report);
            }
            (Some(100..=199) | None, _) => {}
            (Some(status), _) => self.over(id, Some(status), report),
        }
    }

    fn give_up(&mut self, now: Instant, report: &mut Report) {
        let late = self.begun.iter().filter(|(_, begun)| now.saturating_duration_since(**begun) > PATIENCE);
        let late: Vec<u64> = late.map(|(id, _)| *id).collect();
        late.into_iter().for_each(|id| self.over(id, Some(408), report));
    }

    fn over(&mut self, id: u64, failed: Option<u16>, report: &mut Report) {
        self.begun.remove(&id);
        report.note_end(failed);
    }
}

fn user(id: u64) -> String {
    format!("t{}", id % TELEPHONES)
}
