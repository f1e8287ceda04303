//! The called side against hand-written messages: RFC 3261 §8.2, §9.2, §11.2, §12.2.2, §13.3, §14.2, §15.

mod support;

use bytes::Bytes;
use sip_core::message::Message;
use sip_core::{Event, HangUp, LegKey, PeerId, Reply, Service, Sources, StatusCode};
use std::time::Duration;
use support::*;

/// A desk that has just got an INVITE; its `100` is out.
fn invited() -> (Desk, LegKey) {
    let mut desk = Desk::new();
    let sent = desk.hear(&raw_invite("a", ""));
    assert_eq!(statuses(&sent), [100]);
    let Some(Event::Invite { leg, .. }) = desk.events.last() else { panic!("no INVITE") };
    let leg = *leg;
    desk.events.clear();
    (desk, leg)
}

/// A desk in a call; the leg and our tag.
fn talking() -> (Desk, LegKey, String) {
    let (mut desk, leg) = invited();
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
    let tag = tag_of(&sent[0]);
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    assert_eq!(desk.names(), ["acked"]);
    (desk, leg, tag)
}

fn seconds(sent: &[(u128, Message)]) -> Vec<u128> {
    sent.iter().map(|(ms, _)| *ms).collect()
}

#[test]
fn a_100_without_tag_leaves_in_the_turn_the_invite_comes_in() {
    let mut desk = Desk::new();
    let sent = desk.hear(&raw_invite("a", "Timestamp: 54\n"));
    assert_eq!(statuses(&sent), [100]);
    assert_eq!(
        (header(&sent[0], "To"), header(&sent[0], "Timestamp")),
        ("<sip:desk@near.test>".into(), "54".into())
    );
    assert_eq!(desk.names(), ["invite"]);
}

#[test]
fn a_repeated_invite_hears_the_last_response_again_and_makes_no_second_call() {
    let (mut desk, leg) = invited();
    assert_eq!(statuses(&desk.hear(&raw_invite("a", ""))), [100]);
    desk.act(|e, now| e.respond(now, leg, reply(180)));
    assert_eq!(statuses(&desk.hear(&raw_invite("a", ""))), [180]);
    desk.act(|e, now| e.respond(now, leg, reply(486)));
    assert_eq!(statuses(&desk.hear(&raw_invite("a", ""))), [486]);
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn a_response_that_opens_a_dialog_has_our_contact_the_record_routes_and_one_tag_throughout() {
    let mut desk = Desk::new();
    desk.hear(&raw_invite("a", "Record-Route: <sip:p1.test;lr>\nRecord-Route: <sip:p2.test;lr>\n"));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, ringing) = desk.act(|e, now| e.respond(now, leg, reply(180)));
    let (_, ok) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    for sent in [&ringing[0], &ok[0]] {
        assert_eq!(header(sent, "Contact"), "<sip:10.0.0.1:5060>");
        assert_eq!(header(sent, "Record-Route"), "<sip:p1.test;lr>|<sip:p2.test;lr>");
    }
    assert_eq!(tag_of(&ringing[0]), tag_of(&ok[0]));
    assert_eq!(
        header(&ok[0], "Allow"),
        "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, INFO, UPDATE, REFER, NOTIFY"
    );
}

#[test]
fn a_2xx_is_repeated_until_its_ack_and_not_after() {
    let (mut desk, leg) = invited();
    let (_, ok) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    let tag = tag_of(&ok[0]);
    let again = desk.pass(4 * SECOND);
    assert_eq!(seconds(&again), [500, 1_500, 3_500]);
    assert!(again.iter().all(|(_, m)| m.bytes() == ok[0].bytes()));
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    assert_eq!(desk.names(), ["acked"]);
    assert!(desk.pass(60 * SECOND).is_empty());
}

#[test]
fn without_an_ack_the_leg_is_told_after_64_t1_and_can_be_hung_up() {
    let (mut desk, leg) = invited();
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    desk.pass(31_999 * MS);
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.pass(MS);
    assert_eq!(desk.names(), ["ack missing"]);
    let (_, sent) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert_eq!(lines(&sent), ["BYE"]);
    desk.assert_nothing_left();
}

#[test]
fn a_bye_of_ours_waits_for_the_ack_of_our_2xx() {
    let (mut desk, leg) = invited();
    let (_, ok) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    let (_, sent) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert!(sent.is_empty());
    let sent = desk.hear(&raw_inside("ACK", 10, "ack", &tag_of(&ok[0]), ""));
    assert_eq!(lines(&sent), ["BYE"]);
    assert_eq!(
        (header(&sent[0], "CSeq"), header(&sent[0], "To")),
        ("1 BYE".into(), "<sip:a@far.test>;tag=far".into())
    );
    desk.hear(&raw_response(&sent[0], 200, "", ""));
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn who_wants_to_go_waits_for_answers_and_acknowledgements_and_not_for_what_lingers() {
    let (mut desk, leg, tag) = talking();
    assert!(!desk.endpoint.is_awaiting());
    let (_, sent) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert!(desk.endpoint.is_awaiting());
    desk.hear(&raw_response(&sent[0], 200, &tag, ""));
    assert_eq!((desk.endpoint.is_awaiting(), desk.endpoint.live_legs()), (false, 1));

    let (mut desk, leg) = invited();
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(503)));
    assert!(desk.endpoint.is_awaiting());
    desk.hear(&raw_inside("ACK", 10, "a", &tag_of(&sent[0]), ""));
    assert!(!desk.endpoint.is_awaiting());

    let (mut desk, leg) = invited();
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert!(desk.endpoint.is_awaiting(), "the BYE waits for the ACK");
}

#[test]
fn a_bye_that_waits_for_an_ack_that_never_comes_leaves_after_64_t1() {
    let (mut desk, leg) = invited();
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    let sent = desk.pass(32 * SECOND);
    assert_eq!(sent.last().map(|(ms, m)| (*ms, m.method().to_string())), Some((32_000, "BYE".into())));
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn a_cancel_is_answered_and_ends_the_invite_with_487() {
    let (mut desk, leg) = invited();
    desk.act(|e, now| e.respond(now, leg, reply(180)));
    let sent = desk.hear(&raw_invite("a", "").replace("INVITE", "CANCEL"));
    assert_eq!(lines(&sent), ["200", "487"]);
    assert_eq!(
        (header(&sent[0], "CSeq"), header(&sent[1], "CSeq")),
        ("10 CANCEL".into(), "10 INVITE".into())
    );
    assert_eq!(tag_of(&sent[0]), tag_of(&sent[1]));
    assert_eq!(desk.names(), ["cancelled"]);
    assert_eq!(lines(&desk.hear(&raw_invite("a", "").replace("INVITE", "CANCEL"))), ["200"]);
    let (_, late) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    assert!(late.is_empty(), "a stale key does nothing");
    desk.hear(&raw_inside("ACK", 10, "a", &tag_of(&sent[1]), ""));
    assert!(desk.pass(SECOND).is_empty());
    desk.assert_nothing_left();
}

#[test]
fn a_cancel_after_the_answer_is_answered_and_changes_nothing() {
    let (mut desk, leg) = invited();
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    assert_eq!(lines(&desk.hear(&raw_invite("a", "").replace("INVITE", "CANCEL"))), ["200"]);
    assert_eq!(desk.names(), Vec::<String>::new());
}

#[test]
fn a_cancel_of_nothing_and_a_request_in_no_dialog_get_481() {
    let mut desk = Desk::new();
    assert_eq!(lines(&desk.hear(&raw_invite("x", "").replace("INVITE", "CANCEL"))), ["481"]);
    for method in ["BYE", "INFO", "INVITE", "OPTIONS", "UPDATE"] {
        assert_eq!(lines(&desk.hear(&raw_inside(method, 11, method, "forged", ""))), ["481"], "{method}");
    }
    assert!(desk.hear(&raw_inside("ACK", 11, "ack", "forged", "")).is_empty());
    assert_eq!(desk.endpoint.counters().stray_acks, 1);
    assert_eq!((desk.endpoint.live_legs(), desk.endpoint.live_transactions()), (0, 0));
}

#[test]
fn what_we_do_not_take_is_refused_as_the_rfc_says_and_leaves_nothing_behind() {
    let invite = |extra: &str| raw_invite("a", extra);
    let body = "Content-Type: text/plain\nContent-Length: 2\n";
    let cases = [
        (
            invite("").replace("INVITE", "SUBSCRIBE"),
            405,
            "Allow",
            "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, INFO, UPDATE, REFER, NOTIFY",
        ),
        (
            invite("").replace("INVITE", "FROBNICATE"),
            501,
            "Allow",
            "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, INFO, UPDATE, REFER, NOTIFY",
        ),
        (invite("").replace("sip:desk@10.0.0.1 ", "http://x.test "), 416, "", ""),
        (invite("Require: 100rel, timer\nRequire: x\n"), 420, "Unsupported", "timer, x"),
        (format!("{}ab", invite(body)), 415, "Accept", "application/sdp"),
        (
            format!("{}ab", invite(&body.replace("text/plain", "application/sdp\nContent-Encoding: gzip"))),
            415,
            "Accept-Encoding",
            "identity",
        ),
        (invite("").replace("Max-Forwards: 70", "Max-Forwards: 0"), 483, "", ""),
        (invite("").replace("SIP/2.0\nVia", "SIP/7.0\nVia"), 505, "", ""),
        (invite("").replace("Contact: <sip:a@10.0.0.2:5060>\n", ""), 400, "", ""),
        (invite("").replace("CSeq: 10 INVITE", "CSeq: 10 BYE"), 400, "", ""),
        (invite("").replace("Call-ID: c1@far\n", ""), 400, "", ""),
    ];
    for (text, status, name, value) in cases {
        let mut desk = Desk::new();
        let sent = desk.hear(&text);
        assert_eq!(statuses(&sent), [status], "{text}");
        assert_eq!(header(&sent[0], name), value);
        assert_eq!(desk.names(), Vec::<String>::new());
        assert_eq!((desk.endpoint.live_legs(), desk.endpoint.live_transactions()), (0, 0));
        let counters = desk.endpoint.counters();
        assert_eq!(counters.invites_read, counters.invites_refused, "{text}");
    }
}

#[test]
fn options_without_hops_left_are_answered_here_for_they_go_no_further_16_3() {
    let mut desk = Desk::new();
    let last =
        raw_invite("a", "").replace("INVITE", "OPTIONS").replace("Max-Forwards: 70", "Max-Forwards: 0");
    let sent = desk.hear(&last);
    assert_eq!((statuses(&sent), header(&sent[0], "Accept")), (vec![200], "application/sdp".into()));
}

#[test]
fn a_body_beyond_the_limit_gets_413() {
    let mut settings = settings("10.0.0.1:5060", 7);
    settings.max_body = 10;
    let mut desk = Desk::with(settings);
    let text = raw_invite("a", "Content-Type: application/sdp\nContent-Length: 11\n") + "12345678901";
    assert_eq!(statuses(&desk.hear(&text)), [413]);
}

#[test]
fn a_message_beyond_the_limit_gets_513() {
    let mut desk = Desk::new();
    let sent = desk.hear(&raw_invite("a", &format!("X-Long: {}\n", "x".repeat(33_000))));
    assert_eq!(statuses(&sent), [513]);
    assert_eq!((desk.endpoint.counters().parse_errors["too_long"], desk.endpoint.live_legs()), (1, 0));
}

#[test]
fn a_second_copy_of_an_invite_over_another_path_gets_482_even_after_the_answer() {
    let (mut desk, leg) = invited();
    assert_eq!(statuses(&desk.hear(&raw_invite("other", ""))), [482]);
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    assert_eq!(statuses(&desk.hear(&raw_invite("third", ""))), [482]);
    assert_eq!(desk.names(), Vec::<String>::new());
}

#[test]
fn options_say_what_an_invite_would_hear() {
    let options =
        raw_invite("o", "").replace("INVITE", "OPTIONS").replace("Max-Forwards: 70", "Max-Forwards: 0");
    let mut desk = Desk::new();
    let sent = desk.hear(&options);
    assert_eq!(statuses(&sent), [200], "a hop count of 0 is no reason to be silent to a neighbour (§11)");
    assert_eq!(header(&sent[0], "Accept"), "application/sdp");
    assert!(sent[0].fields().any(|f| f.name == b"Supported") && sent[0].fields().any(|f| f.name == b"Allow"));
    for (service, retry) in [(Service::Draining, "60"), (Service::Overloaded, "")] {
        desk.endpoint.set_service(service);
        let asked = desk.hear(&options);
        let called = desk.hear(&raw_invite("i", ""));
        assert_eq!((statuses(&asked), statuses(&called)), (vec![503], vec![503]));
        assert_eq!(
            (header(&asked[0], "Retry-After"), header(&called[0], "Retry-After")),
            (retry.into(), retry.into())
        );
    }
    desk.endpoint.set_service(Service::Open);
    assert_eq!(statuses(&desk.hear(&raw_invite("i", ""))), [100]);
}

#[test]
fn without_a_journal_options_warn_and_a_call_that_comes_all_the_same_is_taken() {
    let mut desk = Desk::new();
    desk.endpoint.set_service(Service::NoJournal);
    assert_eq!(statuses(&desk.hear(&raw_invite("o", "").replace("INVITE", "OPTIONS"))), [503]);
    assert_eq!(statuses(&desk.hear(&raw_invite("i", ""))), [100]);
}

#[test]
fn a_call_in_progress_does_not_notice_that_the_service_closed() {
    let (mut desk, _, tag) = talking();
    desk.endpoint.set_service(Service::Draining);
    assert_eq!(statuses(&desk.hear(&raw_inside("INVITE", 11, "re", &tag, ""))), [100]);
    assert_eq!(statuses(&desk.hear(&raw_inside("OPTIONS", 12, "op", &tag, ""))), [200]);
    assert_eq!(lines(&desk.hear(&raw_inside("BYE", 13, "bye", &tag, ""))), ["200", "487"]);
}

#[test]
fn a_full_endpoint_says_503_without_state_and_keeps_what_it_has() {
    let mut settings = settings("10.0.0.1:5060", 7);
    settings.max_legs = 1;
    let mut desk = Desk::with(settings);
    desk.hear(&raw_invite("a", ""));
    let second = raw_invite("b", "").replace("c1@far", "c2@far");
    let sent = desk.hear(&second);
    assert_eq!((statuses(&sent), header(&sent[0], "Retry-After")), (vec![503], String::new()));
    assert!(desk.act(|e, now| e.invite(now, invite(&["udp:10.0.0.2"]))).0.is_none());
    assert_eq!(desk.endpoint.counters().full, 1);
    let asked = desk.hear(&raw_invite("o", "").replace("INVITE", "OPTIONS").replace("c1@", "c3@"));
    assert_eq!(statuses(&asked), [503], "OPTIONS say what an INVITE would hear");
    assert_eq!(desk.names(), ["invite"]);
}

#[test]
fn an_unknown_source_hears_nothing_and_costs_nothing() {
    let mut desk = Desk::new();
    let mut sources = Sources::new();
    sources.allow("10.0.0.3/32".parse().unwrap(), None, PeerId(4));
    desk.endpoint.set_sources(sources);
    assert!(desk.hear(&raw_invite("a", "")).is_empty());
    let counters = desk.endpoint.counters();
    assert_eq!((counters.unknown_source, counters.invites_read, counters.invites_dropped), (1, 1, 1));
    assert_eq!((desk.endpoint.live_legs(), desk.endpoint.live_transactions()), (0, 0));
}

#[test]
fn an_address_we_call_may_answer_and_hang_up_but_not_call() {
    let mut desk = Desk::new();
    desk.endpoint.set_sources(Sources::new());
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite(&["udp:10.0.0.2:5060"])));
    desk.hear(&raw_response(&sent[0], 200, "bo", ""));
    let (_, ack) = desk.act(|e, now| e.ack(now, leg.unwrap(), None));
    assert_eq!(desk.names(), ["answered"]);
    assert!(desk.hear(&raw_invite("x", "")).is_empty());
    let bye = format!(
        "BYE sip:x SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb\nFrom: {}\nTo: {}\nCall-ID: {}\nCSeq: 1 BYE\n\n",
        header(&ack[0], "To"),
        header(&ack[0], "From"),
        header(&ack[0], "Call-ID"),
    );
    assert_eq!(statuses(&desk.hear(&bye)), [200]);
    assert_eq!(desk.names(), ["bye"]);
    desk.assert_nothing_left();
    assert!(desk.hear(&bye.replace("z9hG4bKb", "z9hG4bKc")).is_empty(), "no longer chosen");
}

#[test]
fn a_lower_cseq_gets_500_and_an_ack_is_never_out_of_order() {
    let (mut desk, leg, tag) = talking();
    assert_eq!(statuses(&desk.hear(&raw_inside("INFO", 12, "i", &tag, ""))), Vec::<u16>::new());
    assert_eq!(statuses(&desk.hear(&raw_inside("OPTIONS", 11, "o", &tag, ""))), [500]);
    assert_eq!(statuses(&desk.hear(&raw_inside("INVITE", 11, "r", &tag, ""))), [500]);
    let Some(Event::Request { key, .. }) = desk.events.pop() else { panic!("no request") };
    let (_, sent) = desk.act(|e, now| e.answer_request(now, leg, key, reply(200)));
    assert_eq!(statuses(&sent), [200]);
    let (_, sent) = desk.act(|e, now| e.answer_request(now, leg, key, reply(200)));
    assert!(sent.is_empty(), "one answer each");
}

#[test]
fn a_request_nobody_answers_is_forgotten_when_its_sender_has_given_up() {
    let (mut desk, leg, tag) = talking();
    desk.hear(&raw_inside("INFO", 12, "i", &tag, ""));
    let Some(Event::Request { key, .. }) = desk.events.pop() else { panic!("no request") };
    desk.pass(33 * SECOND);
    assert!(desk.act(|e, now| e.answer_request(now, leg, key, reply(200))).1.is_empty());
    assert_eq!(desk.endpoint.live_transactions(), 0);
}

#[test]
fn a_second_invite_while_the_first_waits_gets_500_with_a_random_retry_after() {
    let (mut desk, leg) = invited();
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(180)));
    let tag = tag_of(&sent[0]);
    let mut seen = std::collections::BTreeSet::new();
    for n in 11..80 {
        let sent = desk.hear(&raw_inside("INVITE", n, &format!("r{n}"), &tag, ""));
        assert_eq!(statuses(&sent), [500]);
        seen.insert(header(&sent[0], "Retry-After").parse::<u32>().unwrap());
    }
    assert!(seen.iter().all(|s| *s <= 10) && seen.len() > 5, "{seen:?}");
    assert_eq!(desk.names(), Vec::<String>::new());
}

#[test]
fn a_reinvite_is_answered_acknowledged_and_moves_the_target() {
    let (mut desk, leg, tag) = talking();
    let moved =
        raw_inside("INVITE", 11, "re", &tag, "").replace("a@10.0.0.2:5060>\n\n", "a@10.0.0.2:5099>\n\n");
    assert_eq!(statuses(&desk.hear(&moved)), [100]);
    assert_eq!(desk.names(), ["reinvite"]);
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
    assert_eq!((statuses(&sent), header(&sent[0], "Contact")), (vec![200], "<sip:10.0.0.1:5060>".into()));
    desk.hear(&raw_inside("ACK", 11, "ack2", &tag, ""));
    assert_eq!(desk.names(), ["acked"]);
    desk.endpoint.hang_up(desk.now, leg, HangUp::new(StatusCode::OK));
    let (flow, bye) = desk.drain().pop().unwrap();
    assert_eq!(
        (bye.request_uri_bytes(), flow.remote.port()),
        (Bytes::from_static(b"sip:a@10.0.0.2:5099"), 5099)
    );
}

#[test]
fn a_refused_or_cancelled_reinvite_leaves_the_call_as_it_was() {
    let (mut desk, leg, tag) = talking();
    desk.hear(&raw_inside("INVITE", 11, "re", &tag, ""));
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(488)));
    assert_eq!(statuses(&sent), [488]);
    desk.hear(&raw_inside("ACK", 11, "re", &tag, ""));
    desk.hear(&raw_inside("INVITE", 12, "rf", &tag, ""));
    let sent = desk.hear(&raw_inside("INVITE", 12, "rf", &tag, "").replace("INVITE", "CANCEL"));
    assert_eq!(lines(&sent), ["200", "487"]);
    assert_eq!(desk.names(), ["reinvite", "reinvite", "reinvite cancelled"]);
    assert_eq!(statuses(&desk.hear(&raw_inside("BYE", 13, "b", &tag, ""))), [200]);
    assert_eq!(desk.names(), ["bye"]);
    desk.assert_nothing_left();
}

#[test]
fn a_bye_is_answered_again_when_it_comes_again_and_anything_else_gets_481() {
    let (mut desk, leg, tag) = talking();
    let first = desk.hear(&raw_inside("BYE", 11, "b", &tag, ""));
    let second = desk.hear(&raw_inside("BYE", 11, "b", &tag, ""));
    assert_eq!((statuses(&first), first[0].bytes()), (vec![200], second[0].bytes()));
    assert_eq!(desk.names(), ["bye"]);
    assert_eq!(statuses(&desk.hear(&raw_inside("BYE", 12, "c", &tag, ""))), [481]);
    let (_, sent) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert!(sent.is_empty(), "over is over");
    desk.assert_nothing_left();
}

#[test]
fn a_bye_in_an_early_dialog_ends_the_invite_with_487() {
    let (mut desk, leg) = invited();
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(180)));
    let tag = tag_of(&sent[0]);
    assert_eq!(lines(&desk.hear(&raw_inside("BYE", 11, "b", &tag, ""))), ["200", "487"]);
    assert_eq!(desk.names(), ["bye"]);
    desk.assert_nothing_left();
}

#[test]
fn hanging_up_an_unanswered_invite_refuses_it_with_the_status_and_headers_given() {
    let (mut desk, leg) = invited();
    let headers = vec![(Bytes::from_static(b"Reason"), Bytes::from_static(b"Q.850;cause=17"))];
    let (_, sent) = desk.act(|e, now| {
        e.hang_up(now, leg, HangUp { status: StatusCode::BUSY_HERE, headers: headers.clone() })
    });
    assert_eq!((statuses(&sent), header(&sent[0], "Reason")), (vec![486], "Q.850;cause=17".into()));
    let again = desk.pass(10 * SECOND);
    assert_eq!(seconds(&again), [500, 1_500, 3_500, 7_500]);
    desk.assert_nothing_left();
}

#[test]
fn the_last_provisional_response_is_repeated_once_a_minute() {
    let (mut desk, leg) = invited();
    desk.act(|e, now| e.respond(now, leg, reply(183)));
    let sent = desk.pass(150 * SECOND);
    assert_eq!(
        sent.iter().map(|(ms, m)| (*ms, m.status().unwrap().code())).collect::<Vec<_>>(),
        [(60_000, 183), (120_000, 183)]
    );
}

#[test]
fn a_callers_header_may_not_double_one_of_ours_nor_break_the_line() {
    let (mut desk, leg) = invited();
    let headers = [(&b"Contact"[..], &b"<sip:evil>"[..]), (b"cseq", b"9 BYE"), (b"X-Note", b"fine")];
    let headers = headers.map(|(n, v)| (Bytes::from_static(n), Bytes::from_static(v))).to_vec();
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, Reply { headers: headers.clone(), ..reply(200) }));
    assert_eq!(header(&sent[0], "Contact"), "<sip:10.0.0.1:5060>");
    assert_eq!((header(&sent[0], "CSeq"), header(&sent[0], "X-Note")), ("10 INVITE".into(), "fine".into()));
}

#[test]
fn an_rfc_2543_caller_without_cookie_is_known_again_and_may_acknowledge_a_refusal() {
    let mut desk = Desk::new();
    let old = raw_invite("a", "").replace(";branch=z9hG4bKa", "").replace(";tag=far", "");
    assert_eq!(statuses(&desk.hear(&old)), [100]);
    assert_eq!(statuses(&desk.hear(&old)), [100]);
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(486)));
    let to = header(&sent[0], "To");
    desk.hear(&old.replace("INVITE", "ACK").replace("To: <sip:desk@near.test>", &format!("To: {to}")));
    assert!(desk.pass(Duration::from_secs(20)).is_empty());
    assert_eq!(desk.names(), Vec::<String>::new());
}

#[test]
fn a_flood_inside_a_dialog_makes_no_more_transactions_than_allowed() {
    let mut settings = settings("10.0.0.1:5060", 7);
    settings.max_transactions = 20;
    let mut desk = Desk::with(settings);
    desk.hear(&raw_invite("a", ""));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, ok) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    let tag = tag_of(&ok[0]);
    for n in 11..200 {
        let method = ["INVITE", "INFO", "OPTIONS"][n as usize % 3];
        desk.hear(&raw_inside(method, n, &format!("f{n}"), &tag, ""));
    }
    assert!(desk.endpoint.live_transactions() <= 20, "{}", desk.endpoint.live_transactions());
    assert_eq!(statuses(&desk.hear(&raw_inside("BYE", 300, "b", &tag, ""))), [200], "an end is always taken");
    desk.assert_nothing_left();
}
