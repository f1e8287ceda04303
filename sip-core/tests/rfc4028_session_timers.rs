//! Session timers in both roles against hand-written messages: RFC 4028 §7 to §10.

mod support;

use sip_core::message::Message;
use sip_core::{Event, HangUp, LegKey, PeerId, SessionPolicy, StatusCode, Terms};
use std::time::Duration;
use support::*;

const POLICY: SessionPolicy = SessionPolicy { expires: 1_800, min_se: 90, by_update: false };

fn terms(policy: SessionPolicy) -> Terms {
    Terms { session: Some(policy), ..Terms::default() }
}

/// A desk that uses session timers with everybody.
fn desk(policy: SessionPolicy) -> Desk {
    let mut desk = Desk::new();
    desk.endpoint.set_terms([(PeerId(1), terms(policy))].into());
    desk
}

/// It has been called with these headers and has answered; the leg, our tag and our 200.
fn called(desk: &mut Desk, extra: &str) -> (LegKey, String, Message) {
    desk.hear(&raw_invite("a", extra));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
    let tag = tag_of(&sent[0]);
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    desk.events.clear();
    (leg, tag, sent[0].clone())
}

/// It has called and was answered with these headers.
fn calling(desk: &mut Desk, policy: SessionPolicy, extra: &str) -> (LegKey, Message) {
    let invite = sip_core::Invite { terms: terms(policy), ..invite(&["udp:10.0.0.2:5060"]) };
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite).unwrap());
    desk.hear(&raw_response(&sent[0], 200, "bo", extra));
    desk.act(|e, now| e.ack(now, leg, None));
    desk.events.clear();
    (leg, sent[0].clone())
}

fn session(message: &Message) -> [String; 3] {
    ["Session-Expires", "Min-SE", "Require"].map(|name| header(message, name))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn section_7_1_our_invite_says_how_long_and_lets_the_far_end_choose_who_refreshes() {
    let mut desk = desk(POLICY);
    let (_, invite) = calling(&mut desk, SessionPolicy { min_se: 120, ..POLICY }, "");
    assert_eq!(session(&invite), ["1800", "120", ""]);
    assert_eq!(header(&invite, "Supported"), "timer, replaces");
    let (_, invite) = calling(&mut desk, POLICY, "");
    assert_eq!(session(&invite), ["1800", "", ""], "90 is meant where there is no Min-SE");
}

#[test]
fn section_7_2_without_session_expires_in_the_2xx_nothing_is_ever_due() {
    let mut desk = desk(POLICY);
    calling(&mut desk, POLICY, "");
    assert_eq!(lines(&desk.pass(seconds(7_200)).into_iter().map(|(_, m)| m).collect::<Vec<_>>()), [""; 0]);
    assert_eq!(desk.names(), [""; 0]);
}

#[test]
fn section_7_2_we_refresh_when_the_2xx_says_uac_or_nobody_and_hang_up_when_the_far_end_should_and_does_not() {
    for (said, at, event) in [
        ("Session-Expires: 600;refresher=uac\n", 300, "refresh due"),
        ("Session-Expires: 600\n", 300, "refresh due"),
        ("Session-Expires: 600;refresher=uas\n", 568, "session expired"),
        ("Session-Expires: 90;refresher=uas\n", 60, "session expired"),
    ] {
        let mut desk = desk(POLICY);
        calling(&mut desk, POLICY, said);
        desk.pass(seconds(at - 1));
        assert_eq!(desk.names(), [""; 0], "{said}");
        desk.pass(seconds(1));
        assert_eq!(desk.names(), [event], "{said}");
    }
}

#[test]
fn section_7_3_a_422_is_followed_by_the_same_call_for_as_long_as_it_asks() {
    let mut desk = desk(POLICY);
    let invite = sip_core::Invite { terms: terms(POLICY), ..invite(&["udp:10.0.0.2:5060"]) };
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite).unwrap());
    let again = desk.hear(&raw_response(&sent[0], 422, "bo", "Min-SE: 3600\n"));
    assert_eq!(lines(&again), ["ACK", "INVITE"]);
    assert_eq!(session(&again[1])[..2], ["3600", "3600"]);
    for same in ["Call-ID", "From", "To"] {
        assert_eq!(header(&sent[0], same), header(&again[1], same));
    }
    assert_eq!(header(&again[1], "CSeq"), "2 INVITE");
    desk.hear(&raw_response(&again[1], 200, "bo", "Session-Expires: 3600;refresher=uac\n"));
    let (_, ack) = desk.act(|e, now| e.ack(now, leg, None));
    assert_eq!(header(&ack[0], "CSeq"), "2 ACK");
    assert_eq!(desk.names(), ["answered"]);
    let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert_eq!(header(&bye[0], "CSeq"), "3 BYE");
    desk.hear(&raw_response(&bye[0], 200, "bo", ""));
    desk.assert_nothing_left();
}

#[test]
fn section_7_3_a_422_that_asks_for_no_more_than_we_offered_or_for_more_than_a_day_or_never_has_enough_fails_the_call()
 {
    let mut desk = desk(POLICY);
    let start = |desk: &mut Desk| {
        let invite = sip_core::Invite { terms: terms(POLICY), ..invite(&["udp:10.0.0.2:5060"]) };
        desk.act(|e, now| e.invite(now, invite).unwrap()).1.pop().unwrap()
    };
    for least in [1_800, 86_401, u32::MAX] {
        let sent = start(&mut desk);
        assert_eq!(
            lines(&desk.hear(&raw_response(&sent, 422, "bo", &format!("Min-SE: {least}\n")))),
            ["ACK"]
        );
        assert_eq!(desk.names(), ["failed 422 Response"], "{least}");
    }
    let sent = start(&mut desk);
    assert_eq!(lines(&desk.hear(&raw_response(&sent, 422, "bo", "Min-SE: 86400\n"))), ["ACK", "INVITE"]);
    let (mut sent, mut tries) = (start(&mut desk), 1);
    loop {
        let out = desk.hear(&raw_response(&sent, 422, "bo", &format!("Min-SE: {}\n", 1_800 + tries)));
        match out.into_iter().nth(1) {
            Some(again) => (sent, tries) = (again, tries + 1),
            None => break,
        }
    }
    assert_eq!((tries, desk.names()), (4, vec!["failed 422 Response".to_owned()]));
    desk.assert_nothing_left();
}

#[test]
fn section_7_3_a_caller_who_has_gone_meanwhile_is_not_called_for_again() {
    let mut desk = desk(POLICY);
    let invite = sip_core::Invite { terms: terms(POLICY), ..invite(&["udp:10.0.0.2:5060"]) };
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite).unwrap());
    desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED)));
    assert_eq!(lines(&desk.hear(&raw_response(&sent[0], 422, "bo", "Min-SE: 3600\n"))), ["ACK"]);
    desk.assert_nothing_left();
}

#[test]
fn section_7_4_a_refresh_by_reinvite_keeps_the_roles_and_begins_the_session_anew() {
    let mut desk = desk(POLICY);
    let (leg, tag, _) = called(&mut desk, "Supported: timer\nSession-Expires: 600\n");
    desk.pass(seconds(300));
    assert_eq!(desk.names(), ["refresh due"]);
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    assert_eq!(session(&sent[0]), ["600;refresher=uac", "", ""], "we refresh, and now we ask");
    desk.hear(&raw_response(&sent[0], 200, &tag, "Session-Expires: 600;refresher=uac\n"));
    assert_eq!(desk.names(), ["reinvited 200"]);
    desk.pass(seconds(299));
    assert_eq!(desk.names(), [""; 0]);
    desk.pass(seconds(1));
    assert_eq!(desk.names(), ["refresh due"]);
}

#[test]
fn section_7_4_a_refresh_by_update_has_no_offer_and_is_repeated_after_half_of_what_remains() {
    let mut desk = desk(POLICY);
    let by_update = SessionPolicy { by_update: true, ..POLICY };
    calling(&mut desk, by_update, "Allow: INVITE, UPDATE\nSession-Expires: 600;refresher=uac\n");
    let (at, update) = desk.pass(seconds(300)).pop().unwrap();
    assert_eq!(
        (at, lines(std::slice::from_ref(&update)), update.body().len()),
        (300_000, vec!["UPDATE".to_owned()], 0)
    );
    assert_eq!(session(&update), ["600;refresher=uac", "", ""]);
    desk.hear(&raw_response(&update, 500, "bo", ""));
    let (at, update) = desk.pass(seconds(134)).pop().unwrap();
    assert_eq!(at, 434_000);
    desk.hear(&raw_response(&update, 200, "bo", "Session-Expires: 600;refresher=uac\n"));
    let (at, _) = desk.pass(seconds(300)).pop().unwrap();
    assert_eq!(at, 734_000, "300 s after the refresh");
    assert_eq!(desk.names(), [""; 0]);
}

#[test]
fn section_7_4_without_update_in_their_allow_or_after_a_405_the_refresh_is_a_reinvite() {
    let by_update = SessionPolicy { by_update: true, ..POLICY };
    let mut desk = desk(POLICY);
    calling(&mut desk, by_update, "Allow: INVITE\nSession-Expires: 600;refresher=uac\n");
    assert!(desk.pass(seconds(300)).is_empty());
    assert_eq!(desk.names(), ["refresh due"]);
    let mut desk = self::desk(POLICY);
    calling(&mut desk, by_update, "Allow: INVITE, UPDATE\nSession-Expires: 600;refresher=uac\n");
    let (_, update) = desk.pass(seconds(300)).pop().unwrap();
    desk.hear(&raw_response(&update, 405, "bo", ""));
    assert_eq!(desk.names(), ["refresh due"]);
}

#[test]
fn section_8_1_a_refresh_for_too_short_a_session_is_asked_for_again() {
    let mut desk = desk(POLICY);
    let (leg, _) = calling(&mut desk, POLICY, "Session-Expires: 600;refresher=uac\n");
    desk.pass(seconds(300));
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    let again = desk.hear(&raw_response(&sent[0], 422, "bo", "Min-SE: 900\n"));
    assert_eq!(
        (lines(&again), &session(&again[1])[..2]),
        (
            vec!["ACK".to_owned(), "INVITE".to_owned()],
            &["900;refresher=uac".to_owned(), "900".to_owned()][..]
        )
    );
}

#[test]
fn section_8_1_a_far_end_for_which_no_session_is_ever_long_enough_is_not_asked_for_ever() {
    let by_update = SessionPolicy { by_update: true, ..POLICY };
    let short = |n: u32| format!("Min-SE: {}\n", 900 + n);
    let mut desk = desk(POLICY);
    let (leg, _) = calling(&mut desk, POLICY, "Session-Expires: 600;refresher=uac\n");
    let (_, mut sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    let tries = (1..100).find(|n| {
        sent = desk.hear(&raw_response(&sent.pop().unwrap(), 422, "bo", &short(*n)));
        sent.last().unwrap().method().to_string() == "ACK"
    });
    assert_eq!((tries, desk.names()), (Some(4), vec!["reinvited 422".to_owned()]));

    let mut desk = self::desk(POLICY);
    calling(&mut desk, by_update, "Allow: INVITE, UPDATE\nSession-Expires: 600;refresher=uac\n");
    let mut sent = vec![desk.pass(seconds(300)).pop().unwrap().1];
    let tries = (1..100).find(|n| {
        sent = desk.hear(&raw_response(&sent.pop().unwrap(), 422, "bo", &short(*n)));
        sent.is_empty()
    });
    assert_eq!(tries, Some(4), "the session timer tries again later");
}

#[test]
fn section_9_our_2xx_shortens_and_says_who_refreshes() {
    for (asked, said) in [
        ("Supported: timer\n", ["1800;refresher=uas", "", ""]),
        ("k: timer\nx: 3600\n", ["1800;refresher=uas", "", ""]),
        ("Supported: timer\nSession-Expires: 300;refresher=uas\n", ["300;refresher=uas", "", ""]),
        ("Require: timer\nSession-Expires: 300;refresher=uac\n", ["300;refresher=uac", "", "timer"]),
        ("Session-Expires: 300\n", ["300;refresher=uas", "", ""]),
        ("", ["", "", ""]),
    ] {
        let mut desk = desk(POLICY);
        let (_, _, ok) = called(&mut desk, asked);
        assert_eq!(session(&ok), said, "{asked}");
        assert_eq!(header(&ok, "Supported"), "timer, replaces");
    }
}

#[test]
fn section_9_a_session_that_is_too_short_gets_422_with_min_se_and_no_call() {
    let mut desk = desk(SessionPolicy { min_se: 120, ..POLICY });
    let sent = desk.hear(&raw_invite("a", "Supported: timer\nSession-Expires: 119\n"));
    assert_eq!((statuses(&sent), header(&sent[0], "Min-SE")), (vec![422], "120".into()));
    assert_eq!(desk.names(), [""; 0]);
    let (_, tag, _) = called(&mut desk, "Supported: timer\nSession-Expires: 120\n");
    for (method, branch, cseq) in [("INVITE", "b", 11), ("UPDATE", "c", 12)] {
        let short = "Supported: timer\nSession-Expires: 100\n";
        let sent = desk.hear(&raw_inside(method, cseq, branch, &tag, short));
        assert_eq!((statuses(&sent), header(&sent[0], "Min-SE")), (vec![422], "120".into()), "{method}");
    }
}

#[test]
fn section_9_where_we_know_nothing_of_timers_nothing_is_said_and_a_require_gets_420() {
    let mut desk = Desk::new();
    let (_, _, ok) = called(&mut desk, "Supported: timer\nSession-Expires: 60\n");
    assert_eq!(
        (session(&ok), header(&ok, "Supported")),
        (["", "", ""].map(String::from), "replaces".to_owned())
    );
    let mut desk = Desk::new();
    let sent = desk.hear(&raw_invite("b", "Require: timer, x\n"));
    assert_eq!((statuses(&sent), header(&sent[0], "Unsupported")), (vec![420], "timer, x".into()));
}

#[test]
fn section_9_their_refresh_by_either_method_begins_the_session_anew() {
    for method in ["INVITE", "UPDATE"] {
        let mut desk = desk(POLICY);
        let asked = "Supported: timer\nSession-Expires: 600;refresher=uac\n";
        let (leg, tag, _) = called(&mut desk, asked);
        desk.pass(seconds(300));
        let mut sent = desk.hear(&raw_inside(method, 11, "b", &tag, asked));
        if method == "INVITE" {
            sent = desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap()))).1;
            desk.hear(&raw_inside("ACK", 11, "ack2", &tag, ""));
        }
        assert_eq!(session(&sent[0]), ["600;refresher=uac", "", "timer"], "{method}");
        desk.events.clear();
        desk.pass(seconds(567));
        assert_eq!(desk.names(), [""; 0], "{method}");
        desk.pass(seconds(1));
        assert_eq!(desk.names(), ["session expired"], "{method}");
        assert_eq!(desk.endpoint.counters().sessions_expired, 1);
    }
}

#[test]
fn section_10_a_refresh_that_nobody_answers_or_knows_ends_the_session() {
    let by_update = SessionPolicy { by_update: true, ..POLICY };
    let asked = "Allow: INVITE, UPDATE\nSession-Expires: 600;refresher=uac\n";
    let mut desk = desk(POLICY);
    calling(&mut desk, by_update, asked);
    let (_, update) = desk.pass(seconds(300)).pop().unwrap();
    desk.hear(&raw_response(&update, 481, "bo", ""));
    assert_eq!(desk.names(), ["session expired"]);
    let mut desk = self::desk(POLICY);
    calling(&mut desk, by_update, asked);
    desk.pass(seconds(331));
    assert_eq!(desk.names(), [""; 0]);
    desk.pass(seconds(1));
    assert_eq!(desk.names(), ["session expired"], "timer F of the first UPDATE");
}

#[test]
fn a_leg_that_is_hung_up_has_no_session_any_more() {
    let mut desk = desk(POLICY);
    let (leg, _, _) = called(&mut desk, "Supported: timer\nSession-Expires: 90\n");
    let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    desk.hear(&raw_response(&bye[0], 200, "far", ""));
    desk.assert_nothing_left();
    assert_eq!(desk.names(), [""; 0]);
}

#[test]
fn a_session_that_an_early_update_agrees_on_counts_from_the_answer_and_until_then_nothing_is_due() {
    for answered in [true, false] {
        let mut desk = desk(POLICY);
        desk.hear(&raw_invite("a", "Allow: INVITE, UPDATE\n"));
        let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
        let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(183)));
        let tag = tag_of(&sent[0]);
        let asked = "Supported: timer\nSession-Expires: 90;refresher=uac\n";
        assert_eq!(statuses(&desk.hear(&raw_inside("UPDATE", 11, "u", &tag, asked))), [200]);
        desk.pass(seconds(100)); // the end of that session is past
        assert_eq!(desk.names(), [""; 0]);
        let code = if answered { 200 } else { 480 };
        desk.act(|e, now| e.respond(now, leg, reply(code)));
        desk.hear(&raw_inside("ACK", 10, if answered { "ack" } else { "a" }, &tag, ""));
        if answered {
            assert_eq!(desk.names(), ["acked"], "the INVITE had no timers, so the call has none (§9)");
            let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
            desk.hear(&raw_response(&bye[0], 200, "far", ""));
        }
        desk.assert_nothing_left();
    }
}

#[test]
fn a_session_that_runs_out_before_our_ack_ends_when_the_ack_has_left() {
    let mut desk = desk(POLICY);
    let invite = sip_core::Invite { terms: terms(POLICY), ..invite(&["udp:10.0.0.2:5060"]) };
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite).unwrap());
    desk.hear(&raw_response(&sent[0], 200, "bo", "Session-Expires: 90;refresher=uas\n"));
    desk.pass(seconds(61));
    assert_eq!(desk.names(), ["answered"]);
    assert_eq!(lines(&desk.act(|e, now| e.ack(now, leg, None)).1), ["ACK"]);
    desk.pass(seconds(0));
    assert_eq!(desk.names(), ["session expired"]);
}

#[test]
fn a_session_agreed_on_by_the_2xx_is_refreshed_in_time_if_nothing_else_happens_after_the_ack() {
    let mut desk = desk(POLICY);
    calling(&mut desk, POLICY, "Session-Expires: 90;refresher=uac\n");
    desk.pass(seconds(45));
    assert_eq!(desk.names(), ["refresh due"]);
}
