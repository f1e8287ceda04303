//! OPTIONS outside dialogs: asked and answered (RFC 3261 §11).
#![allow(missing_docs)]

mod support;

use bytes::Bytes;
use sip_core::{Ask, HangUp, Input, Listener, Located, Output, StatusCode, Transport, message::Method};
use support::*;

fn ask(target: &str) -> Ask {
    Ask {
        peer: None,
        method: Method::Options,
        target: target.parse().unwrap(),
        uri: Bytes::from_static(b"sip:far.test"),
        from: Bytes::from_static(b"<sip:near.test>"),
        to: Bytes::from_static(b"<sip:far.test>"),
        headers: vec![],
        series: None,
        flow: None,
        contact: None,
        contact_user: None,
        login: None,
        timeout: 8 * SECOND,
    }
}

#[test]
fn a_question_names_us_as_the_far_end_is_to_reach_us_and_its_answer_is_told_once() {
    let mut listener = Listener::new(Transport::Udp, addr("10.0.0.1:5060"));
    listener.advertise = Some(("sbc.near.test".into(), 5070));
    let mut desk = Desk::with(sip_core::Settings::new([3; 32], vec![listener]));
    let (_, sent) = desk.act(|e, now| e.ask(now, ask("udp:10.0.0.2:5060")));
    assert_eq!(lines(&sent), ["OPTIONS"]);
    assert_eq!(header(&sent[0], "Contact"), "<sip:sbc.near.test:5070>");
    assert_eq!(header(&sent[0], "Accept"), "application/sdp");
    assert!(!header(&sent[0], "Allow").is_empty() && !header(&sent[0], "Call-ID").is_empty());
    for _ in 0..2 {
        desk.hear(&raw_response(&sent[0], 404, "x", ""));
    }
    assert_eq!(desk.names(), ["asked 404"]);
    desk.assert_nothing_left();
}

#[test]
fn a_question_without_answer_ends_after_its_time_and_is_repeated_until_then() {
    let mut desk = Desk::new();
    desk.act(|e, now| e.ask(now, ask("udp:10.0.0.2:5060")));
    desk.pass(7_999 * MS);
    assert!(desk.names().is_empty());
    desk.pass(MS);
    assert_eq!(desk.names(), ["asked TimedOut"]);
    desk.assert_nothing_left();
}

#[test]
fn each_address_of_a_name_is_asked_until_one_answers() {
    let mut desk = Desk::new();
    desk.act(|e, now| e.ask(now, ask("udp:sbc.test")));
    let Some(Output::Resolve { id, .. }) = desk.others.pop() else { panic!("no look-up") };
    let addresses = vec![addr("10.0.0.5:5060"), addr("10.0.0.2:5060")];
    let first = desk.input(Input::Resolved { id, located: Located::at(Transport::Udp, addresses) }).remove(0);
    let second = desk.input(Input::Unreachable { remote: addr("10.0.0.5:5060") }).remove(0);
    desk.hear(&raw_response(&first, 200, "x", "")); // late: it does not count any more
    assert!(desk.names().is_empty());
    desk.hear(&raw_response(&second, 200, "x", ""));
    assert_eq!(desk.names(), ["asked 200"]);
    desk.assert_nothing_left();
}

#[test]
fn a_question_that_cannot_leave_or_whose_connection_fails_says_so() {
    let mut desk = Desk::new();
    desk.act(|e, now| e.ask(now, ask("tls:10.0.0.2")));
    assert_eq!(desk.names(), ["asked Unreachable"]);
    desk.act(|e, now| e.ask(now, ask("tcp:10.0.0.2")));
    let Some(Output::Open { id, .. }) = desk.others.pop() else { panic!("no connection") };
    desk.input(Input::OpenFailed { id });
    assert_eq!(desk.names(), ["asked Unreachable"]);
    desk.act(|e, now| e.ask(now, ask("udp:nowhere.test")));
    let Some(Output::Resolve { id, .. }) = desk.others.pop() else { panic!("no look-up") };
    desk.input(Input::Resolved { id, located: Located::default() });
    assert_eq!(desk.names(), ["asked Unresolved"]);
    desk.assert_nothing_left();
}

#[test]
fn a_question_withdrawn_is_not_heard_of_again_and_keeps_nobody_from_going() {
    let mut desk = Desk::new();
    let (leg, sent) = desk.act(|e, now| e.ask(now, ask("udp:10.0.0.2:5060")));
    assert!(!desk.endpoint.is_awaiting());
    desk.act(|e, now| e.hang_up(now, leg.unwrap(), HangUp::new(StatusCode::REQUEST_TERMINATED)));
    desk.hear(&raw_response(&sent[0], 200, "x", ""));
    assert!(desk.names().is_empty());
    desk.assert_nothing_left();
}

#[test]
fn a_series_keeps_the_call_id_it_was_given_and_its_numbers_and_who_has_none_gets_new_ones() {
    let mut desk = Desk::new();
    let mut register = |series: Option<u32>| {
        let series = series.map(|cseq| (Bytes::from_static(b"all@near.test"), cseq));
        let ask = Ask { method: Method::Register, series, ..ask("udp:10.0.0.2:5060") };
        let (_, sent) = desk.act(|e, now| e.ask(now, ask));
        desk.hear(&raw_response(&sent[0], 200, "x", ""));
        assert_eq!(desk.names(), ["asked 200"]);
        (header(&sent[0], "Call-ID"), header(&sent[0], "CSeq"))
    };
    let call_id = || "all@near.test".to_owned();
    assert_eq!(register(Some(41)), (call_id(), "41 REGISTER".into()));
    assert_eq!(register(Some(42)), (call_id(), "42 REGISTER".into()));
    let ((one, number), (other, _)) = (register(None), register(None));
    assert_eq!(number, "1 REGISTER");
    assert!(one != other && one != call_id() && other != call_id());
    desk.assert_nothing_left();
}

/// An interop report: a 200 with neither Contact nor Record-Route is not accepted by Teams.
#[test]
fn our_answer_says_where_we_are_and_what_we_allow() {
    let mut desk = Desk::new();
    let asked = raw_invite("o", "Record-Route: <sip:p.test;lr>\n").replace("INVITE", "OPTIONS");
    let answer = desk.hear(&asked).remove(0);
    assert_eq!(statuses(std::slice::from_ref(&answer)), [200]);
    assert_eq!(header(&answer, "Contact"), "<sip:10.0.0.1:5060>");
    assert!(header(&answer, "Allow").contains("OPTIONS") && header(&answer, "Record-Route").is_empty());
}
