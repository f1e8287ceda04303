//! RFC 3261 §22.2 and §22.3: what we prove to a far end that asks.
#![allow(missing_docs)]

mod support;

use bytes::Bytes;
use sip_core::auth::digest::{Algorithm, Credentials, Login};
use sip_core::message::{Message, Method};
use sip_core::{Ask, HangUp, Invite, Reliability, StatusCode, Terms};
use std::sync::Arc;
use support::{Desk, SECOND, header, lines, raw_invite, raw_response, tag_of};

fn login() -> Option<Arc<Login>> {
    Some(Arc::new(Login { username: "us".into(), password: "secret".into(), realm: Some("far".into()) }))
}

fn invite() -> Invite {
    Invite { login: login(), ..support::invite(&["10.0.0.2"]) }
}

fn asks(name: &str, nonce: &str, more: &str) -> String {
    format!("{name}: Digest realm=\"far\", nonce=\"{nonce}\", qop=\"auth\", algorithm=SHA-256{more}\n")
}

fn www(nonce: &str, more: &str) -> String {
    asks("WWW-Authenticate", nonce, more)
}

fn credentials(message: &Message, name: &str) -> Option<Credentials> {
    let value = header(message, name);
    (!value.is_empty()).then(|| Credentials::parse(value.as_bytes()).unwrap())
}

/// Sends the INVITE and lets it be challenged by 407; the second INVITE.
fn challenged(desk: &mut Desk) -> (Message, Message) {
    let first = desk.act(|endpoint, now| endpoint.invite(now, invite())).1.remove(0);
    let sent = desk.hear(&raw_response(&first, 407, "c", &asks("Proxy-Authenticate", "n1", "")));
    assert_eq!(lines(&sent), ["ACK", "INVITE"]);
    (first, sent[1].clone())
}

#[test]
fn section_22_3_a_challenged_invite_goes_out_again_in_the_same_call_with_the_next_cseq_and_a_proof() {
    let mut desk = Desk::new();
    let (first, second) = challenged(&mut desk);
    for same in ["From", "To", "Call-ID", "Contact", "X-Case", "Content-Type"] {
        assert_eq!(header(&first, same), header(&second, same), "{same}");
    }
    assert_eq!((header(&first, "CSeq"), header(&second, "CSeq")), ("1 INVITE".into(), "2 INVITE".into()));
    assert!(header(&first, "Via") != header(&second, "Via"));
    assert_eq!(first.body(), second.body());
    let proof = credentials(&second, "Proxy-Authorization").unwrap();
    assert_eq!((proof.algorithm, proof.uri.as_str()), (Algorithm::Sha256, "sip:bo@far.test"));
    desk.hear(&raw_response(&second, 486, "b", ""));
    assert_eq!(desk.names(), ["failed 486 Response"]);
    desk.assert_nothing_left();
}

#[test]
fn section_22_1_the_ack_has_the_proof_of_its_invite_and_the_bye_one_of_its_own_with_the_next_count() {
    let mut desk = Desk::new();
    let (_, second) = challenged(&mut desk);
    desk.hear(&raw_response(&second, 200, "b", ""));
    let Some(leg) = desk.events.pop().and_then(|event| event.leg()) else { panic!("no answer") };
    let ack = desk.act(|endpoint, now| endpoint.ack(now, leg, None)).1.remove(0);
    assert_eq!(header(&ack, "Proxy-Authorization"), header(&second, "Proxy-Authorization"));
    assert_eq!(header(&ack, "CSeq"), "2 ACK");
    let how = HangUp::new(StatusCode::REQUEST_TERMINATED);
    let bye = desk.act(|endpoint, now| endpoint.hang_up(now, leg, how)).1.remove(0);
    let counted = credentials(&bye, "Proxy-Authorization").unwrap().counted.unwrap();
    assert_eq!((counted.0, header(&bye, "CSeq")), (2, "3 BYE".into()));
    desk.hear(&raw_response(&bye, 200, "b", ""));
    desk.assert_nothing_left();
}

#[test]
fn a_bye_whose_unasked_proof_is_refused_goes_out_once_more_and_no_oftener() {
    let mut desk = Desk::new();
    let (_, second) = challenged(&mut desk);
    desk.hear(&raw_response(&second, 200, "b", ""));
    let Some(leg) = desk.events.pop().and_then(|event| event.leg()) else { panic!("no answer") };
    desk.act(|endpoint, now| endpoint.ack(now, leg, None));
    let how = HangUp::new(StatusCode::REQUEST_TERMINATED);
    let bye = desk.act(|endpoint, now| endpoint.hang_up(now, leg, how)).1.remove(0);
    let again = desk.hear(&raw_response(&bye, 407, "b", &asks("Proxy-Authenticate", "n2", "")));
    assert_eq!(lines(&again), ["BYE"]);
    assert_eq!(credentials(&again[0], "Proxy-Authorization").unwrap().nonce, "n2");
    let end = desk.hear(&raw_response(&again[0], 407, "b", &asks("Proxy-Authenticate", "n3", "")));
    assert_eq!(lines(&end), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn a_wrong_password_is_a_failure_and_no_loop() {
    let mut desk = Desk::new();
    let (_, second) = challenged(&mut desk);
    let sent = desk.hear(&raw_response(&second, 407, "d", &asks("Proxy-Authenticate", "n2", "")));
    assert_eq!(
        (lines(&sent), desk.names()),
        (vec!["ACK".to_owned()], vec!["failed 407 Response".to_owned()])
    );
    desk.assert_nothing_left();
}

#[test]
fn a_stale_nonce_is_proved_anew_but_not_for_ever() {
    let mut desk = Desk::new();
    let (_, mut last) = challenged(&mut desk);
    let mut sent = 1;
    for round in 0..20 {
        let stale = asks("Proxy-Authenticate", &format!("s{round}"), ", stale=true");
        match desk.hear(&raw_response(&last, 407, "d", &stale)).pop() {
            Some(again) if again.method() == Method::Invite => (last, sent) = (again, sent + 1),
            _ => break,
        }
    }
    assert_eq!((sent, desk.names()), (4, vec!["failed 407 Response".to_owned()]));
    desk.assert_nothing_left();
}

#[test]
fn section_22_3_a_proxy_and_the_far_end_behind_it_may_both_ask() {
    let mut desk = Desk::new();
    let (_, second) = challenged(&mut desk);
    let sent = desk.hear(&raw_response(&second, 401, "d", &www("w1", "")));
    let third = &sent[1];
    assert_eq!(credentials(third, "Authorization").unwrap().nonce, "w1");
    assert_eq!(credentials(third, "Proxy-Authorization").unwrap().counted.unwrap().0, 2);
}

#[test]
fn without_a_login_or_for_another_realm_a_challenge_is_a_failure() {
    let mut desk = Desk::new();
    let first = desk.act(|endpoint, now| endpoint.invite(now, support::invite(&["10.0.0.2"]))).1.remove(0);
    desk.hear(&raw_response(&first, 401, "c", &www("n", "")));
    let first = desk.act(|endpoint, now| endpoint.invite(now, invite())).1.remove(0);
    desk.hear(&raw_response(&first, 401, "c", &www("n", "").replace("far", "other")));
    assert_eq!(desk.names(), ["failed 401 Response", "failed 401 Response"]);
    desk.assert_nothing_left();
}

#[test]
fn who_gave_up_proves_nothing_any_more() {
    let mut desk = Desk::new();
    let (leg, first) = desk.act(|endpoint, now| endpoint.invite(now, invite()));
    let how = HangUp::new(StatusCode::REQUEST_TERMINATED);
    desk.act(|endpoint, now| endpoint.hang_up(now, leg.unwrap(), how));
    let sent = desk.hear(&raw_response(&first[0], 401, "c", &www("n", "")));
    assert_eq!(lines(&sent), ["ACK"]);
    desk.assert_nothing_left();
}

#[test]
fn a_call_that_came_to_us_is_ended_with_a_proof_where_that_is_asked() {
    let mut desk = Desk::new();
    desk.hear(&raw_invite("1", ""));
    let Some(leg) = desk.events.pop().and_then(|event| event.leg()) else { panic!("no INVITE") };
    desk.endpoint.set_login(leg, login());
    let ok = desk.act(|endpoint, now| endpoint.respond(now, leg, support::reply(200))).1.remove(0);
    desk.hear(&support::raw_inside("ACK", 10, "2", &tag_of(&ok), ""));
    let how = HangUp::new(StatusCode::REQUEST_TERMINATED);
    let bye = desk.act(|endpoint, now| endpoint.hang_up(now, leg, how)).1.remove(0);
    let again = desk.hear(&raw_response(&bye, 401, "far", &www("n", "")));
    assert!(credentials(&again[0], "Authorization").is_some());
    assert_eq!(header(&again[0], "CSeq"), "2 BYE");
}

#[test]
fn section_10_2_a_register_is_proved_and_its_series_goes_on() {
    let mut desk = Desk::new();
    let us = Bytes::from_static(b"<sip:us@far>");
    let ask = Ask {
        method: Method::Register,
        flow: None,
        target: "udp:10.0.0.2:5060".parse().unwrap(),
        uri: Bytes::from_static(b"sip:far"),
        from: us.clone(),
        to: us,
        contact: Some(Bytes::from_static(b"<sip:us@10.0.0.1>")),
        contact_user: None,
        headers: vec![],
        series: Some((Bytes::from_static(b"s1"), 7)),
        login: login(),
        peer: None,
        timeout: 8 * SECOND,
    };
    let first = desk.act(|endpoint, now| endpoint.ask(now, ask)).1.remove(0);
    let again = desk.hear(&raw_response(&first, 401, "c", &www("n", ""))).remove(0);
    assert_eq!((header(&again, "CSeq"), header(&again, "Call-ID")), ("8 REGISTER".into(), "s1".into()));
    assert_eq!((header(&again, "Contact"), desk.names().len()), ("<sip:us@10.0.0.1>".into(), 0));
    desk.hear(&raw_response(&again, 200, "c", ""));
    assert_eq!(desk.names(), ["asked 200"]);
    desk.assert_nothing_left();
}

#[test]
fn each_early_dialog_and_each_fork_proves_it_too() {
    let mut desk = Desk::new();
    let terms = Terms { reliable: Reliability::Offered, ..Terms::default() };
    let call = Invite { terms, ..invite() };
    let first = desk.act(|endpoint, now| endpoint.invite(now, call)).1.remove(0);
    let sent = desk.hear(&raw_response(&first, 407, "c", &asks("Proxy-Authenticate", "n1", "")));
    let invite = &sent[1];
    let prack = desk.hear(&raw_response(invite, 183, "x", "Require: 100rel\nRSeq: 1\n")).remove(0);
    let again = desk.hear(&raw_response(&prack, 407, "x", &asks("Proxy-Authenticate", "n2", "")));
    assert_eq!(lines(&again), ["PRACK"]);
    let nonce = |message| credentials(message, "Proxy-Authorization").unwrap().nonce;
    assert_eq!((nonce(&prack), nonce(&again[0])), ("n1".into(), "n2".into()));
    assert_eq!(
        (header(&again[0], "RAck"), header(&again[0], "CSeq")),
        ("1 2 INVITE".into(), "4 PRACK".into())
    );
    desk.hear(&raw_response(&again[0], 200, "x", ""));

    desk.hear(&raw_response(invite, 200, "x", ""));
    let Some(leg) = desk.events.pop().and_then(|event| event.leg()) else { panic!("no answer") };
    desk.act(|endpoint, now| endpoint.ack(now, leg, None));
    let ended = desk.hear(&raw_response(invite, 200, "y", ""));
    assert_eq!((lines(&ended), nonce(&ended[1])), (vec!["ACK".to_owned(), "BYE".to_owned()], "n1".into()));
    let again = desk.hear(&raw_response(&ended[1], 407, "y", &asks("Proxy-Authenticate", "n3", "")));
    assert_eq!((lines(&again), nonce(&again[0])), (vec!["BYE".to_owned()], "n3".into()));
    desk.hear(&raw_response(&again[0], 200, "y", ""));
    let how = HangUp::new(StatusCode::REQUEST_TERMINATED);
    let bye = desk.act(|endpoint, now| endpoint.hang_up(now, leg, how)).1.remove(0);
    desk.hear(&raw_response(&bye, 200, "x", ""));
    desk.assert_nothing_left();
}
