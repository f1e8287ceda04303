//! RFC 3261 §22 and §10.3 as far as the endpoint goes: telephones prove who they are, and are reached by the way they
//! came, whatever address they believe to have (RFC 5626 §5.3, RFC 3581).
#![allow(missing_docs)]

mod support;

use bytes::Bytes;
use sip_core::auth::digest::{Algorithm, Ha1, Login, Session};
use sip_core::auth::{GuardSettings, Suspect};
use sip_core::message::Message;
use sip_core::{Event, Flow, HangUp, Input, Invite, PeerId, Reply, Sources, StatusCode, Transport, UserId};
use std::time::Duration;
use support::{Desk, SECOND, addr, header, lines, raw_response, sdp, statuses, tag_of};

const PHONES: PeerId = PeerId(9);
const ANNA: UserId = UserId(4);
const REALM: &str = "agents";
const PASSWORD: &str = "hunter2";

fn guard() -> GuardSettings {
    let ha1s = Algorithm::ALL.map(|algorithm| Ha1::of(algorithm, "anna", REALM, PASSWORD)).to_vec();
    GuardSettings {
        peer: PHONES,
        realm: REALM.into(),
        users: vec![("anna".into(), ANNA, ha1s)],
        algorithms: Algorithm::ALL.to_vec(),
        nonce_lifetime: Duration::from_secs(300),
        max_nonces: 100,
        lock_after: 3,
        lock_for: Duration::from_secs(60),
    }
}

/// 10.0.0.2 is where telephones are, 10.0.0.3 is a trunk.
fn desk() -> Desk {
    let mut desk = Desk::new();
    let mut sources = Sources::new();
    sources.allow("10.0.0.2/32".parse().unwrap(), None, PHONES);
    sources.allow("10.0.0.3/32".parse().unwrap(), None, PeerId(1));
    desk.endpoint.set_sources(sources);
    desk.endpoint.set_guard(desk.now, Some(guard()));
    desk.flow = Flow::udp(addr("10.0.0.1:5060"), addr("10.0.0.2:40404"));
    desk
}

/// A request as a telephone behind a NAT writes it.
fn request(method: &str, branch: u32, extra: &str) -> String {
    format!(
        "{method} sip:agents SIP/2.0\nVia: SIP/2.0/UDP 192.168.1.7:5060;branch=z9hG4bK{branch};rport\n\
         Max-Forwards: 70\nFrom: <sip:anna@agents>;tag=p\nTo: <sip:anna@agents>\nCall-ID: r1\n\
         CSeq: {branch} {method}\nContact: <sip:anna@192.168.1.7:5060>\n{extra}\n"
    )
}

fn login(user: &str, password: &str) -> Login {
    Login { username: user.into(), password: password.into(), realm: None }
}

/// What the telephone adds after this 401.
fn proof(challenge: &Message, method: &str, login: &Login) -> String {
    let answer = Session::of(challenge, login).expect("a challenge").answer(method, "sip:agents", 5);
    format!("Authorization: {}\n", String::from_utf8_lossy(&answer))
}

/// Asks, is challenged, asks again with the proof; what comes then.
fn proved(desk: &mut Desk, method: &str, login: &Login) -> Vec<Message> {
    let challenge = desk.hear(&request(method, 1, "")).remove(0);
    desk.hear(&request(method, 2, &proof(&challenge, method, login)))
}

#[test]
fn section_22_1_whatever_begins_without_a_proof_is_challenged_and_leaves_nothing_behind() {
    let mut desk = desk();
    for (at, method) in
        ["REGISTER", "INVITE", "OPTIONS", "MESSAGE", "BYE", "NONSENSE"].into_iter().enumerate()
    {
        let answer = desk.hear(&request(method, at as u32 + 1, ""));
        assert_eq!(statuses(&answer), [401], "{method}");
        let challenges = header(&answer[0], "WWW-Authenticate");
        let (first, second) = challenges.split_once('|').expect("two challenges");
        assert!(first.contains("SHA-256") && second.contains("MD5"), "{challenges}");
        assert_eq!((desk.endpoint.live_transactions(), desk.endpoint.live_legs()), (0, 0));
    }
    assert_eq!(desk.names(), Vec::<String>::new());
    assert_eq!((desk.endpoint.counters().challenged, desk.endpoint.counters().invites_challenged), (6, 1));
    desk.assert_nothing_left();
}

#[test]
fn section_10_3_a_register_with_its_proof_is_told_and_answered_and_its_repeat_hears_the_same() {
    let mut desk = desk();
    let challenge = desk.hear(&request("REGISTER", 1, "")).remove(0);
    let again = request("REGISTER", 2, &proof(&challenge, "REGISTER", &login("anna", PASSWORD)));
    assert!(desk.hear(&again).is_empty());
    let Some(Event::Register { key, user: ANNA, flow, .. }) = desk.events.pop() else {
        panic!("no REGISTER")
    };
    assert_eq!(flow, desk.flow);
    let contacts = ["<sip:a@x>;expires=60", "<sip:b@x>;expires=30"];
    let headers =
        contacts.map(|value| (Bytes::from_static(b"Contact"), Bytes::from_static(value.as_bytes())));
    let reply = Reply { headers: headers.to_vec(), ..Reply::new(StatusCode::OK) };
    let (_, sent) = desk.act(|endpoint, now| endpoint.answer_register(now, key, reply));
    assert_eq!((statuses(&sent), header(&sent[0], "Contact")), (vec![200], contacts.join("|")));
    let repeated = desk.hear(&again);
    assert_eq!((repeated[0].bytes(), desk.events.len()), (sent[0].bytes(), 0));
    desk.assert_nothing_left();
}

#[test]
fn an_unknown_user_and_a_wrong_password_hear_what_anybody_hears() {
    let mut asked = desk();
    let mut answers = vec![asked.hear(&request("REGISTER", 2, ""))];
    for login in [login("anna", "wrong"), login("nobody", PASSWORD), login("nobody", "")] {
        answers.push(proved(&mut desk(), "REGISTER", &login));
    }
    for answer in &answers {
        let names: Vec<_> = answer[0].fields().map(|field| field.name.to_vec()).collect();
        let first: Vec<_> = answers[0][0].fields().map(|field| field.name.to_vec()).collect();
        assert_eq!((statuses(answer), names), (vec![401], first));
        assert!(!header(&answer[0], "WWW-Authenticate").contains("stale"));
        assert_eq!(answer[0].bytes().len(), answers[0][0].bytes().len());
    }
}

#[test]
fn a_proof_that_was_used_or_is_old_is_asked_for_again_with_stale() {
    let mut desk = desk();
    let challenge = desk.hear(&request("REGISTER", 1, "")).remove(0);
    let proof = proof(&challenge, "REGISTER", &login("anna", PASSWORD));
    desk.hear(&request("REGISTER", 2, &proof));
    assert_eq!(desk.names(), ["register 4"]);
    let again = desk.hear(&request("REGISTER", 3, &proof));
    assert!(header(&again[0], "WWW-Authenticate").contains("stale=true"));
    desk.pass(300 * SECOND);
    let late = desk.hear(&request("REGISTER", 4, &proof));
    assert!(header(&late[0], "WWW-Authenticate").contains("stale=true"));
    assert_eq!((desk.names().len(), desk.endpoint.counters().proofs_wrong), (0, 0));
}

#[test]
fn who_guesses_is_locked_out_and_cannot_tell_it_even_with_the_right_password() {
    let mut desk = desk();
    for _ in 0..3 {
        assert_eq!(statuses(&proved(&mut desk, "REGISTER", &login("anna", "guess"))), [401]);
    }
    let Some(Event::LockedOut { suspect: Suspect::User(ANNA), source }) = desk.events.pop() else {
        panic!("{:?}", desk.events)
    };
    assert_eq!((source, desk.endpoint.locked_out(desk.now)), (addr("10.0.0.2:1").ip(), 2));
    let right = login("anna", PASSWORD);
    assert_eq!(statuses(&proved(&mut desk, "REGISTER", &right)), [401]);
    desk.pass(60 * SECOND);
    assert!(proved(&mut desk, "REGISTER", &right).is_empty());
    assert_eq!(desk.names(), ["register 4"]);
}

#[test]
fn section_22_3_credentials_for_another_realm_are_no_wrong_guess() {
    let mut desk = desk();
    let other = "Authorization: Digest username=\"anna\", realm=\"x\", nonce=\"n\", uri=\"sip:agents\", response=\"r\"\n";
    let challenge = desk.hear(&request("REGISTER", 1, other)).remove(0);
    let both = format!("{other}{}", proof(&challenge, "REGISTER", &login("anna", PASSWORD)));
    assert!(desk.hear(&request("REGISTER", 2, &both)).is_empty());
    assert_eq!((desk.names(), desk.endpoint.counters().proofs_wrong), (vec!["register 4".into()], 0));
}

#[test]
fn section_10_3_extensions_of_registering_are_known_and_others_refused() {
    let mut desk = desk();
    let challenge = desk.hear(&request("REGISTER", 1, "")).remove(0);
    let proof = proof(&challenge, "REGISTER", &login("anna", PASSWORD));
    let refused = desk.hear(&request("REGISTER", 2, &format!("{proof}Require: path, gruu\n")));
    assert_eq!((statuses(&refused), header(&refused[0], "Unsupported")), (vec![420], "gruu".into()));
}

#[test]
fn a_trunk_needs_no_proof_and_cannot_register() {
    let mut desk = desk();
    desk.flow = Flow::udp(addr("10.0.0.1:5060"), addr("10.0.0.3:5060"));
    assert_eq!(statuses(&desk.hear(&request("REGISTER", 1, ""))), [405]);
    assert_eq!(lines(&desk.hear(&request("INVITE", 2, ""))), ["100"]);
    assert!(matches!(desk.events.pop(), Some(Event::Invite { user: None, peer: PeerId(1), .. })));
}

#[test]
fn a_call_of_a_telephone_goes_back_by_the_way_it_came_whatever_its_contact_says() {
    let mut desk = desk();
    assert_eq!(statuses(&proved(&mut desk, "INVITE", &login("anna", PASSWORD))), [100]);
    let Some(Event::Invite { leg, user: Some(ANNA), peer: PHONES, .. }) = desk.events.pop() else {
        panic!("no INVITE")
    };
    let (_, ok) = desk.act(|endpoint, now| endpoint.respond(now, leg, Reply::new(StatusCode::OK)));
    let ack = request("ACK", 2, "")
        .replace("To: <sip:anna@agents>", &format!("To: <sip:anna@agents>;tag={}", tag_of(&ok[0])));
    desk.hear(&ack);
    assert_eq!(desk.names(), ["acked"]);
    desk.endpoint.hang_up(desk.now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED));
    let (flow, bye) = desk.drain().remove(0);
    assert_eq!((flow, lines(std::slice::from_ref(&bye))), (desk.flow, vec!["BYE".into()]));
    assert_eq!(bye.request_uri_bytes(), "sip:anna@192.168.1.7:5060");
}

fn invite_by(flow: Flow) -> Invite {
    Invite { flow: Some(flow), body: sdp(), ..support::invite(&["10.9.9.9"]) }
}

#[test]
fn a_telephone_is_called_by_the_way_it_registered_and_so_is_all_of_the_dialog() {
    let mut desk = desk();
    let flow = desk.flow;
    desk.endpoint.invite(desk.now, invite_by(flow)).unwrap();
    let (way, invite) = desk.drain().remove(0);
    assert_eq!(way, flow);
    desk.hear(&raw_response(&invite, 200, "t", "").replace("10.0.0.2:5060", "192.168.1.7:5060"));
    let Some(Event::Answered { leg, .. }) = desk.events.pop() else { panic!("no answer") };
    desk.endpoint.ack(desk.now, leg, None);
    desk.endpoint.hang_up(desk.now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED));
    let sent: Vec<_> = desk.drain().into_iter().map(|(way, message)| (way, lines(&[message]))).collect();
    assert_eq!(sent, [(flow, vec!["ACK".to_owned()]), (flow, vec!["BYE".to_owned()])]);
}

#[test]
fn a_telephone_whose_connection_is_gone_is_not_looked_for_elsewhere() {
    let mut desk = desk();
    let flow = Flow::stream(Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:40404"), 3);
    desk.input(Input::Received { flow, bytes: Bytes::from_static(b"\r\n\r\n") });
    desk.endpoint.invite(desk.now, invite_by(flow)).unwrap();
    assert_eq!(desk.drain().len(), 1);
    desk.input(Input::Closed { flow });
    desk.endpoint.invite(desk.now, invite_by(flow)).unwrap();
    assert!(desk.drain().is_empty() && desk.others.is_empty());
    assert_eq!(desk.names(), ["failed 503 Closed", "failed 503 Closed"]);
}

#[test]
fn other_users_and_passwords_are_in_force_at_once_and_lock_outs_stay() {
    let mut desk = desk();
    let challenge = desk.hear(&request("REGISTER", 1, "")).remove(0);
    let right = proof(&challenge, "REGISTER", &login("anna", PASSWORD));
    let ha1 = Ha1::of(Algorithm::Sha256, "anna", REALM, "other");
    let changed = GuardSettings { users: vec![("anna".into(), ANNA, vec![ha1])], ..guard() };
    desk.endpoint.set_guard(desk.now, Some(changed));
    assert_eq!(statuses(&desk.hear(&request("REGISTER", 2, &right))), [401]);
    assert!(proved(&mut desk, "REGISTER", &login("anna", "other")).is_empty());
    desk.endpoint.set_guard(desk.now, None);
    assert_eq!(statuses(&desk.hear(&request("REGISTER", 9, ""))), [405]);
}

#[test]
fn a_proof_that_was_used_is_not_taken_again_after_the_settings_have_changed() {
    let mut desk = desk();
    desk.pass(10 * SECOND);
    let challenge = desk.hear(&request("OPTIONS", 1, "")).remove(0);
    let proof = proof(&challenge, "OPTIONS", &login("anna", PASSWORD));
    assert_eq!(statuses(&desk.hear(&request("OPTIONS", 2, &proof))), [200]);
    let nonce_lifetime = Duration::from_secs(301);
    desk.endpoint.set_guard(desk.now, Some(GuardSettings { nonce_lifetime, ..guard() }));
    for branch in 3..6 {
        assert_eq!(statuses(&desk.hear(&request("OPTIONS", branch, &proof))), [401]);
        desk.pass(10 * SECOND);
    }
}

#[test]
fn a_password_is_asked_for_and_believed_by_those_hashes_alone_that_are_wanted() {
    let mut desk = desk();
    let md5 = GuardSettings { algorithms: vec![Algorithm::Md5], ..guard() };
    let both = desk.hear(&request("REGISTER", 1, "")).remove(0);
    desk.endpoint.set_guard(desk.now, Some(md5));
    let asked = desk.hear(&request("REGISTER", 2, "")).remove(0);
    let challenges = header(&asked, "WWW-Authenticate");
    assert!(challenges.contains("MD5") && !challenges.contains("SHA-256"), "{challenges}");
    let by_sha256 = proof(&both, "REGISTER", &login("anna", PASSWORD));
    assert!(by_sha256.contains("SHA-256"));
    assert_eq!(statuses(&desk.hear(&request("REGISTER", 3, &by_sha256))), [401]);
    for branch in 10..30 {
        desk.hear(&request("REGISTER", branch, &by_sha256));
    }
    assert_eq!(
        desk.endpoint.counters().proofs_wrong,
        0,
        "a hash not wanted any more is no guess, and locks nobody out"
    );
    let by_md5 = proof(&asked, "REGISTER", &login("anna", PASSWORD));
    assert!(desk.hear(&request("REGISTER", 4, &by_md5)).is_empty());
}
