//! Whom the endpoint belongs to: he may command anything at any time, also what makes no sense.

use super::desk::Desk;
use super::tape::Tape;
use bytes::Bytes;
use sip_core::auth::digest::{Algorithm, Ha1, Login};
use sip_core::auth::{GuardSettings, UserId};
use sip_core::message::Method;
use sip_core::{
    Ask, Body, EarlyId, HangUp, Invite, LegKey, PeerId, Reliability, Reply, Service, SessionPolicy,
    StatusCode, Terms,
};
use std::sync::Arc;
use std::time::Duration;

const REPLIES: [u16; 16] = [200, 200, 200, 200, 180, 180, 183, 183, 183, 100, 202, 302, 404, 488, 491, 603];

fn sdp(tape: &mut Tape<'_>) -> Option<Body> {
    let body =
        Body { content_type: Bytes::from_static(b"application/sdp"), bytes: Bytes::from_static(b"v=0\r\n") };
    (tape.byte() & 3 != 0).then_some(body)
}

fn leg(desk: &Desk, tape: &mut Tape<'_>) -> Option<LegKey> {
    let back = tape.below(16);
    desk.legs.iter().rev().nth(back % desk.legs.len().max(1)).copied()
}

fn terms(tape: &mut Tape<'_>) -> Terms {
    let policy =
        SessionPolicy { expires: tape.pick(&[90, 600, 1_800]), min_se: 90, by_update: tape.byte() & 1 == 0 };
    let session = (tape.byte() & 1 == 0).then_some(policy);
    Terms { session, reliable: tape.pick(&[Reliability::Never, Reliability::Offered, Reliability::Required]) }
}

fn login(tape: &mut Tape<'_>) -> Option<Arc<Login>> {
    let realm = tape.pick(&[None, Some("far")]).map(str::to_owned);
    let login = Login { username: "us".into(), password: "secret".into(), realm };
    (tape.byte() & 1 == 0).then(|| Arc::new(login))
}

/// A status, to whatever waits.
pub(super) fn answer(desk: &mut Desk, tape: &mut Tape<'_>) {
    let status = StatusCode::new(tape.pick(&REPLIES)).expect("a status");
    let mut reply = Reply::new(status);
    reply.body = sdp(tape);
    let now = desk.now;
    match tape.byte() & 3 {
        0 if !desk.requests.is_empty() => {
            let at = tape.below(desk.requests.len());
            let (leg, key) = desk.requests.swap_remove(at);
            match tape.byte() & 1 {
                0 => desk.endpoint.answer_request(now, leg, key, reply),
                _ => desk.endpoint.accept_refer(now, leg, key),
            }
        }
        1 => leg(desk, tape).into_iter().for_each(|leg| desk.endpoint.ack(now, leg, reply.body.take())),
        _ => leg(desk, tape).into_iter().for_each(|leg| desk.endpoint.respond(now, leg, reply.clone())),
    }
    desk.drain();
}

/// Something that he begins or ends.
pub(super) fn command(desk: &mut Desk, tape: &mut Tape<'_>) {
    desk.begun += 1;
    let what = tape.byte() % 12;
    match what {
        0..=2 => call(desk, tape),
        3 => question(desk, tape),
        _ => {
            let Some(leg) = leg(desk, tape) else { return };
            in_call(desk, tape, leg, what);
        }
    }
    desk.drain();
}

fn in_call(desk: &mut Desk, tape: &mut Tape<'_>, leg: LegKey, what: u8) {
    let (now, endpoint) = (desk.now, &mut desk.endpoint);
    match what {
        4 => endpoint.reinvite(now, leg, sdp(tape)),
        5 => endpoint.update(now, leg, sdp(tape)),
        6 => {
            if let Some(body) = sdp(tape) {
                endpoint.info(now, leg, body);
            }
        }
        7 => {
            let to = (Bytes::from_static(b"Refer-To"), Bytes::from_static(b"<sip:cy@far.test>"));
            endpoint.refer(now, leg, vec![to]);
        }
        8 => endpoint.notify(now, leg, StatusCode::new(tape.pick(&REPLIES)).expect("a status")),
        9 => {
            if let Some(body) = sdp(tape) {
                endpoint.prack(now, leg, EarlyId(u16::from(tape.byte() & 3)), body);
            }
        }
        10 => match tape.byte() & 3 {
            0 => endpoint.set_login(leg, login(tape)),
            1 => endpoint.set_udp_only(leg, tape.byte() & 1 == 0),
            _ => endpoint.probe(now, leg),
        },
        _ => {
            endpoint.hang_up(now, leg, HangUp::new(StatusCode::BUSY_HERE));
            desk.note_over(leg);
        }
    }
}

fn call(desk: &mut Desk, tape: &mut Tape<'_>) {
    let targets = tape.pick(&[
        &["udp:10.0.0.2:5060"][..],
        &["tcp:10.0.0.3:5060"],
        &["udp:far.test"],
        &["udp:10.0.0.2:5060", "tcp:far.test"],
        &["tls:10.0.0.2", "udp:[2001:db8::1]"],
    ]);
    let way = tape.byte();
    let size = tape.pick(&[1, 1_400]);
    let invite = Invite {
        flow: (way & 7 == 0).then(|| desk.flow(way)),
        peer: None,
        login: login(tape),
        targets: targets.iter().map(|target| target.parse().expect("a target")).collect(),
        retry_on: [408, 500, 503].into_iter().filter_map(StatusCode::new).collect(),
        uri: Bytes::from_static(b"sip:bo@far.test"),
        uris: vec![],
        from: Bytes::from_static(b"<sip:anna@near.test>"),
        to: Bytes::from_static(b"<sip:bo@far.test>"),
        headers: vec![(Bytes::from_static(b"X-Size"), Bytes::from("x".repeat(size)))],
        body: sdp(tape),
        udp_only: tape.byte() & 1 == 0,
        max_forwards: 70,
        first_response_timeout: Duration::from_secs(8),
        terms: terms(tape),
    };
    let leg = desk.endpoint.invite(desk.now, invite);
    desk.legs.extend(leg);
}

fn question(desk: &mut Desk, tape: &mut Tape<'_>) {
    let whole = Bytes::from_static(b"<sip:far.test>");
    let ask = Ask {
        peer: None,
        method: if tape.byte() & 1 == 0 { Method::Options } else { Method::Register },
        flow: None,
        target: tape.pick(&["udp:10.0.0.2:5060", "tcp:10.0.0.3", "udp:far.test"]).parse().expect("a target"),
        uri: Bytes::from_static(b"sip:far.test"),
        from: whole.clone(),
        to: whole,
        contact: None,
        contact_user: None,
        headers: vec![],
        series: None,
        login: login(tape),
        timeout: Duration::from_secs(8),
    };
    let leg = desk.endpoint.ask(desk.now, ask);
    desk.legs.extend(leg);
}

/// Which extensions are used with those who call from now on.
pub(super) fn agree(desk: &mut Desk, tape: &mut Tape<'_>) {
    desk.endpoint.set_terms([(PeerId(1), terms(tape))].into());
}

/// What holds for all of the house.
pub(super) fn house(desk: &mut Desk, tape: &mut Tape<'_>) {
    let now = desk.now;
    match tape.byte() & 3 {
        0 => {
            let service = [Service::Open, Service::Draining, Service::Overloaded, Service::NoJournal];
            desk.endpoint.set_service(tape.pick(&service));
        }
        1 => agree(desk, tape),
        2 => desk.endpoint.close(now, desk.flow(235)),
        _ => desk.endpoint.set_guard(now, (tape.byte() & 1 == 0).then(|| guard(tape))),
    }
    desk.drain();
}

fn guard(tape: &mut Tape<'_>) -> GuardSettings {
    GuardSettings {
        peer: PeerId(9),
        realm: "agents".into(),
        users: vec![("anna".into(), UserId(1), vec![Ha1::of(Algorithm::Sha256, "anna", "agents", "x")])],
        algorithms: Algorithm::ALL.to_vec(),
        nonce_lifetime: Duration::from_secs(tape.pick(&[60, 300])),
        max_nonces: 4,
        lock_after: 3,
        lock_for: Duration::from_secs(60),
    }
}
