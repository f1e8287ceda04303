//! REFER and its NOTIFYs: RFC 3515, with RFC 4488 (no subscription), RFC 5057 (two usages) and RFC 6665.

mod support;

use bytes::Bytes;
use sip_core::message::Message;
use sip_core::{Event, HangUp, LegKey, RequestKey, StatusCode};
use support::*;

/// A desk in a call that 10.0.0.2 has made; the leg and our tag.
fn talking() -> (Desk, LegKey, String) {
    talking_at(Desk::new())
}

fn talking_at(mut desk: Desk) -> (Desk, LegKey, String) {
    desk.hear(&raw_invite("a", ""));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
    let tag = tag_of(&sent[0]);
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    desk.events.clear();
    (desk, leg, tag)
}

const TO_BO: &str = "Refer-To: <sip:bo@far.test>\n";

fn referred(desk: &mut Desk, tag: &str, cseq: u32, extra: &str) -> (RequestKey, Message) {
    let branch = format!("refer{cseq}");
    assert!(desk.hear(&raw_inside("REFER", cseq, &branch, tag, extra)).is_empty());
    let Some(Event::Refer { key, request, .. }) = desk.events.pop() else { panic!("no REFER") };
    (key, request)
}

/// Takes the REFER; the 202 and the first NOTIFY.
fn accepted(desk: &mut Desk, leg: LegKey, key: RequestKey) -> (Message, Message) {
    let (_, mut sent) = desk.act(|e, now| e.accept_refer(now, leg, key));
    assert_eq!(lines(&sent), ["202", "NOTIFY"]);
    let notify = sent.pop().unwrap();
    (sent.pop().unwrap(), notify)
}

fn told(notify: &Message) -> (String, String, String) {
    let body = String::from_utf8(notify.body().to_vec()).unwrap();
    (header(notify, "Event"), header(notify, "Subscription-State"), body)
}

#[test]
fn s2_4_4_a_refer_is_answered_by_202_and_a_notify_that_says_100_leaves_at_once() {
    let (mut desk, leg, tag) = talking();
    let (key, request) = referred(&mut desk, &tag, 11, TO_BO);
    assert_eq!(header(&request, "Refer-To"), "<sip:bo@far.test>");
    let (ok, notify) = accepted(&mut desk, leg, key);
    assert_eq!(header(&ok, "Contact"), "<sip:10.0.0.1:5060>");
    assert_eq!(notify.request_uri_bytes(), "sip:a@10.0.0.2:5060");
    assert_eq!(
        (header(&notify, "CSeq"), header(&notify, "Contact")),
        ("1 NOTIFY".into(), header(&ok, "Contact"))
    );
    assert_eq!(header(&notify, "Content-Type"), "message/sipfrag;version=2.0");
    assert_eq!(told(&notify), ("refer".into(), "active;expires=600".into(), "SIP/2.0 100 Trying\r\n".into()));
}

#[test]
fn s2_4_5_one_notify_at_a_time_the_newest_next_and_the_final_one_ends_the_subscription() {
    let (mut desk, leg, tag) = talking();
    let (key, _) = referred(&mut desk, &tag, 11, TO_BO);
    let (_, first) = accepted(&mut desk, leg, key);
    for code in [180, 183] {
        assert!(desk.act(|e, now| e.notify(now, leg, StatusCode::new(code).unwrap())).1.is_empty());
    }
    let second = desk.hear(&raw_response(&first, 200, "far", ""));
    assert_eq!(told(&second[0]).2, "SIP/2.0 183 Session Progress\r\n");
    desk.act(|e, now| e.notify(now, leg, StatusCode::OK));
    let last = desk.hear(&raw_response(&second[0], 200, "far", ""));
    let (_, state, body) = told(&last[0]);
    assert_eq!((state.as_str(), body.as_str()), ("terminated;reason=noresource", "SIP/2.0 200 OK\r\n"));
    assert_eq!(header(&last[0], "CSeq"), "3 NOTIFY");
    assert!(desk.act(|e, now| e.notify(now, leg, StatusCode::RINGING)).1.is_empty(), "the last word is said");
    desk.hear(&raw_response(&last[0], 200, "far", ""));
    desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    desk.assert_nothing_left();
}

#[test]
fn s2_4_6_a_second_refer_in_the_dialog_is_named_by_its_cseq() {
    let (mut desk, leg, tag) = talking();
    let (key, _) = referred(&mut desk, &tag, 11, TO_BO);
    let (_, notify) = accepted(&mut desk, leg, key);
    let busy = desk.hear(&raw_inside("REFER", 12, "early", &tag, TO_BO));
    assert_eq!(statuses(&busy), [491], "one at a time");
    desk.act(|e, now| e.notify(now, leg, StatusCode::BUSY_HERE));
    let last = desk.hear(&raw_response(&notify, 200, "far", ""));
    desk.hear(&raw_response(&last[0], 200, "far", ""));
    let (key, _) = referred(&mut desk, &tag, 13, TO_BO);
    let (_, notify) = accepted(&mut desk, leg, key);
    assert_eq!(told(&notify).0, "refer;id=13");
}

#[test]
fn s2_4_1_a_refer_without_refer_to_or_with_two_or_with_a_broken_one_is_a_bad_request() {
    for extra in ["", &TO_BO.repeat(2), "Refer-To: <sip:>\n", "Refer-To: bo\n"] {
        let (mut desk, _, tag) = talking();
        assert_eq!(statuses(&desk.hear(&raw_inside("REFER", 11, "r", &tag, extra))), [400], "{extra}");
        assert_eq!(desk.names(), Vec::<String>::new());
    }
}

#[test]
fn a_refer_that_is_refused_makes_no_subscription_and_the_call_goes_on() {
    let (mut desk, leg, tag) = talking();
    let (key, _) = referred(&mut desk, &tag, 11, TO_BO);
    let (_, sent) = desk.act(|e, now| e.answer_request(now, leg, key, reply(403)));
    assert_eq!(statuses(&sent), [403]);
    assert!(desk.act(|e, now| e.notify(now, leg, StatusCode::OK)).1.is_empty());
    assert_eq!(lines(&desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK))).1), ["BYE"]);
}

#[test]
fn outside_a_call_nobody_refers_us_anywhere() {
    let mut desk = Desk::new();
    let outside = raw_invite("r", TO_BO).replace("INVITE", "REFER");
    assert_eq!(statuses(&desk.hear(&outside)), [403]);
    let notify = raw_invite("n", "Event: refer\nSubscription-State: active\n").replace("INVITE", "NOTIFY");
    assert_eq!(statuses(&desk.hear(&notify)), [481], "RFC 6665 §4.1.3");
    let unknown = raw_inside("REFER", 11, "u", "nobody", TO_BO);
    assert_eq!(statuses(&desk.hear(&unknown)), [481]);
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn s4488_4_who_wants_no_notify_gets_none() {
    let (mut desk, leg, tag) = talking();
    let (key, _) = referred(&mut desk, &tag, 11, &format!("{TO_BO}Refer-Sub: false\n"));
    let (_, sent) = desk.act(|e, now| e.accept_refer(now, leg, key));
    assert_eq!((lines(&sent), header(&sent[0], "Refer-Sub")), (vec!["200".to_owned()], "false".into()));
    assert!(desk.act(|e, now| e.notify(now, leg, StatusCode::OK)).1.is_empty());
}

#[test]
fn s5057_4_the_far_end_hangs_up_and_still_hears_how_it_ended() {
    let (mut desk, leg, tag) = talking();
    let (key, _) = referred(&mut desk, &tag, 11, TO_BO);
    let (_, first) = accepted(&mut desk, leg, key);
    assert_eq!(lines(&desk.hear(&raw_inside("BYE", 12, "bye", &tag, ""))), ["200"]);
    desk.hear(&raw_response(&first, 200, "far", ""));
    desk.pass(20 * SECOND);
    assert_eq!(desk.endpoint.live_legs(), 1);
    let (_, last) = desk.act(|e, now| e.notify(now, leg, StatusCode::OK));
    assert_eq!(told(&last[0]).1, "terminated;reason=noresource");
    desk.hear(&raw_response(&last[0], 200, "far", ""));
    desk.assert_nothing_left();
}

#[test]
fn s6665_4_2_2_a_far_end_that_does_not_want_the_notify_is_told_nothing_more() {
    let (mut desk, leg, tag) = talking();
    let (key, _) = referred(&mut desk, &tag, 11, TO_BO);
    let (_, first) = accepted(&mut desk, leg, key);
    desk.act(|e, now| e.notify(now, leg, StatusCode::RINGING));
    assert!(desk.hear(&raw_response(&first, 481, "far", "")).is_empty());
    assert!(desk.act(|e, now| e.notify(now, leg, StatusCode::OK)).1.is_empty());
}

#[test]
fn what_is_never_brought_to_an_end_is_told_as_timed_out_after_ten_minutes() {
    let (mut desk, leg, tag) = talking();
    let (key, _) = referred(&mut desk, &tag, 11, TO_BO);
    let (_, first) = accepted(&mut desk, leg, key);
    desk.hear(&raw_response(&first, 200, "far", ""));
    let sent = desk.pass(600 * SECOND);
    assert_eq!((sent[0].0, told(&sent[0].1).2), (600_000, "SIP/2.0 408 Request Timeout\r\n".into()));
}

#[test]
fn both_roles_understand_each_other_also_when_datagrams_are_lost() {
    for seed in 0..30 {
        let mut pair = Pair::new(seed);
        (pair.loss, pair.jitter_ms) = (0.2, 30);
        let leg = pair.ends[0].invite(pair.now, invite(&["udp:10.0.0.2:5060"])).unwrap();
        pair.run_for(SECOND);
        let far = pair.events[1].iter().find_map(|event| match event {
            Event::Invite { leg, .. } => Some(*leg),
            _ => None,
        });
        let Some(far) = far else { continue };
        pair.ends[1].respond(pair.now, far, reply(200).with_body(sdp().unwrap()));
        pair.run_for(4 * SECOND);
        if !pair.names(0).contains(&"answered".to_owned()) {
            continue;
        }
        pair.ends[0].ack(pair.now, leg, None);
        pair.run_for(4 * SECOND);
        pair.names(1);
        let to = (Bytes::from_static(b"Refer-To"), Bytes::from_static(b"<sip:cy@far.test>"));
        pair.ends[0].refer(pair.now, leg, vec![to]);
        pair.run_for(10 * SECOND);
        let key = pair.events[1].iter().find_map(|event| match event {
            Event::Refer { key, .. } => Some(*key),
            _ => None,
        });
        let key = key.unwrap_or_else(|| panic!("seed {seed}: no REFER"));
        pair.ends[1].accept_refer(pair.now, far, key);
        pair.run_for(10 * SECOND);
        pair.ends[1].notify(pair.now, far, StatusCode::BUSY_HERE);
        pair.run_for(10 * SECOND);
        let heard = pair.names(0);
        assert_eq!(
            heard.last().map(String::as_str),
            Some("referred 486, the last"),
            "seed {seed}: {heard:?}"
        );
        pair.ends[0].hang_up(pair.now, leg, HangUp::new(StatusCode::OK));
        pair.assert_nothing_left(&format!("seed {seed}"));
    }
}

#[test]
fn without_room_for_a_transaction_a_notify_is_refused_and_can_come_again() {
    let mut settings = settings("10.0.0.1:5060", 7);
    settings.max_transactions = 2;
    let (mut desk, leg, tag) = talking_at(Desk::with(settings));
    let to = (Bytes::from_static(b"Refer-To"), Bytes::from_static(b"<sip:cy@far.test>"));
    let (_, refer) = desk.act(|e, now| e.refer(now, leg, vec![to]));
    desk.hear(&raw_response(&refer[0], 202, "far", ""));
    let last = "Event: refer\nSubscription-State: terminated\nContent-Type: message/sipfrag\n\
                Content-Length: 14\n\nSIP/2.0 200 OK";
    assert_eq!(statuses(&desk.hear(&raw_inside("NOTIFY", 11, "n", &tag, last))), [503]);
    assert_eq!((desk.names(), desk.endpoint.live_transactions()), (vec![], 2));
    desk.pass(40 * SECOND);
    assert_eq!(statuses(&desk.hear(&raw_inside("NOTIFY", 12, "o", &tag, last))), [200]);
    assert_eq!(desk.names(), ["referred 200, the last"]);
}

#[test]
fn of_two_refers_that_wait_together_the_second_is_refused_and_the_first_is_told_to_its_end() {
    let (mut desk, leg, tag) = talking();
    let (first, _) = referred(&mut desk, &tag, 11, TO_BO);
    let (second, _) = referred(&mut desk, &tag, 12, TO_BO);
    let (_, notify) = accepted(&mut desk, leg, first);
    let (_, sent) = desk.act(|e, now| e.accept_refer(now, leg, second));
    assert_eq!(lines(&sent), ["491"]);
    desk.act(|e, now| e.notify(now, leg, StatusCode::OK));
    let last = desk.hear(&raw_response(&notify, 200, "far", ""));
    assert_eq!(told(&last[0]).0, "refer");
}

#[test]
fn a_refer_that_is_taken_after_the_call_has_gone_gets_481_and_leaves_nothing() {
    for lingers in [false, true] {
        let (mut desk, leg, tag) = talking();
        let (key, _) = referred(&mut desk, &tag, 11, TO_BO);
        if lingers {
            // Our own INVITE's 2xx keeps such a leg; here a re-INVITE of ours does.
            let (_, again) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
            desk.hear(&raw_response(&again[0], 200, "far", ""));
        }
        desk.hear(&raw_inside("BYE", 12, "bye", &tag, ""));
        assert_eq!(desk.endpoint.live_legs(), usize::from(lingers));
        let (_, sent) = desk.act(|e, now| e.accept_refer(now, leg, key));
        assert_eq!(lines(&sent), ["481"]);
        desk.assert_nothing_left();
    }
}
