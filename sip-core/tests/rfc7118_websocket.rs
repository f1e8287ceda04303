//! SIP over WebSocket: a browser registers, is called by its own connection, and by no other way (RFC 7118 §5).
#![allow(missing_docs)]

mod support;

use bytes::Bytes;
use sip_core::auth::GuardSettings;
use sip_core::auth::digest::{Algorithm, Ha1, Login, Session};
use sip_core::{
    Event, FailCause, Flow, HangUp, Input, Invite, PeerId, Reply, Settings, Sources, StatusCode, Transport,
    UserId,
};
use std::time::Duration;
use support::{Desk, addr, header, invite, lines, raw_response, statuses};

const PHONES: PeerId = PeerId(9);
const PASSWORD: &str = "hunter2";

/// A browser has connected to the listener for WebSocket.
fn desk(transport: Transport) -> Desk {
    let listeners =
        vec!["udp:10.0.0.1:5060".parse().unwrap(), format!("{transport}:10.0.0.1:8080").parse().unwrap()];
    let mut desk = Desk::with(Settings::new([7; 32], listeners));
    let mut sources = Sources::new();
    sources.allow("10.0.0.2/32".parse().unwrap(), None, PHONES);
    desk.endpoint.set_sources(sources);
    let ha1s = Algorithm::ALL.map(|algorithm| Ha1::of(algorithm, "anna", "agents", PASSWORD)).to_vec();
    let guard = GuardSettings {
        peer: PHONES,
        realm: "agents".into(),
        algorithms: Algorithm::ALL.to_vec(),
        users: vec![("anna".into(), UserId(4), ha1s)],
        nonce_lifetime: Duration::from_secs(300),
        max_nonces: 100,
        lock_after: 3,
        lock_for: Duration::from_secs(60),
    };
    desk.endpoint.set_guard(desk.now, Some(guard));
    desk.flow = Flow::stream(transport, addr("10.0.0.1:8080"), addr("10.0.0.2:40404"), 3);
    desk
}

/// As JavaScript writes it: a Via and a Contact that lead nowhere, and no Content-Length.
fn register(cseq: u32, extra: &str) -> String {
    format!(
        "REGISTER sip:agents SIP/2.0\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK{cseq}\n\
         Max-Forwards: 70\nFrom: <sip:anna@agents>;tag=p\nTo: <sip:anna@agents>\nCall-ID: r1\n\
         CSeq: {cseq} REGISTER\nContact: <sip:0i4hfqk3@df7jal23ls0d.invalid;transport=ws>\n{extra}\n"
    )
}

#[test]
fn rfc7118_a_browser_registers_and_is_called_by_its_own_connection() {
    for (transport, via) in [(Transport::Ws, "SIP/2.0/WS"), (Transport::Wss, "SIP/2.0/WSS")] {
        let mut desk = desk(transport);
        let challenge = desk.hear(&register(1, "")).remove(0);
        assert_eq!(statuses(std::slice::from_ref(&challenge)), [401]);
        let login = Login { username: "anna".into(), password: PASSWORD.into(), realm: None };
        let proof = Session::of(&challenge, &login).unwrap().answer("REGISTER", "sip:agents", 5);
        desk.hear(&register(2, &format!("Authorization: {}\n", String::from_utf8_lossy(&proof))));
        let Some(Event::Register { key, flow, .. }) = desk.events.pop() else { panic!("no REGISTER") };
        let (_, sent) = desk.act(|e, now| e.answer_register(now, key, Reply::new(StatusCode::OK)));
        assert_eq!((statuses(&sent), flow), (vec![200], desk.flow));
        let call = Invite {
            flow: Some(flow),
            uri: Bytes::from_static(b"sip:0i4hfqk3@df7jal23ls0d.invalid;transport=ws"),
            ..invite(&["udp:10.0.0.2:40404"])
        };
        let leg = desk.endpoint.invite(desk.now, call).unwrap();
        let (by, request) = desk.drain().remove(0);
        assert_eq!(by, flow);
        assert!(header(&request, "Via").starts_with(&format!("{via} 10.0.0.1:8080;branch=")));
        assert_eq!(header(&request, "Contact"), "<sip:10.0.0.1:8080;transport=ws>");
        let answer = raw_response(&request, 200, "x", "");
        desk.hear(&answer.replace("bo@10.0.0.2:5060", "0i4hfqk3@df7jal23ls0d.invalid;transport=ws"));
        desk.endpoint.ack(desk.now, leg, None);
        desk.endpoint.hang_up(desk.now, leg, HangUp::new(StatusCode::OK));
        let sent = desk.drain();
        assert!(sent.iter().all(|(by, _)| *by == flow));
        let sent: Vec<_> = sent.into_iter().map(|(_, message)| message).collect();
        assert_eq!(lines(&sent), ["ACK", "BYE"]);
        assert!(desk.others.is_empty(), "nobody is asked for a name that leads nowhere: {:?}", desk.others);
    }
}

#[test]
fn a_browser_that_has_gone_is_not_looked_for() {
    let mut desk = desk(Transport::Ws);
    desk.hear(&register(1, ""));
    let flow = desk.flow;
    desk.input(Input::Closed { flow });
    let call = Invite { flow: Some(flow), ..invite(&["udp:10.0.0.2:40404"]) };
    desk.act(|e, now| e.invite(now, call));
    assert!(
        desk.events.iter().any(|event| matches!(event, Event::Failed { cause: FailCause::Closed, .. })),
        "{:?}",
        desk.events
    );
    assert!(desk.others.is_empty());
}
