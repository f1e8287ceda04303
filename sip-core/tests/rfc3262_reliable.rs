//! Reliable provisional responses and PRACK in both roles against hand-written messages: RFC 3262 §3 to §5.

mod support;

use sip_core::message::Message;
use sip_core::{EarlyId, Event, HangUp, LegKey, PeerId, Reliability, RequestKey, StatusCode, Terms};
use support::*;

const SDP: &str = "Content-Type: application/sdp\nContent-Length: 5\n\nv=0\r\n";

fn terms(reliable: Reliability) -> Terms {
    Terms { reliable, ..Terms::default() }
}

/// A desk that has got an INVITE with these headers.
fn invited(reliable: Reliability, extra: &str) -> (Desk, LegKey) {
    let mut desk = Desk::new();
    desk.endpoint.set_terms([(PeerId(1), terms(reliable))].into());
    desk.hear(&raw_invite("a", extra));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    (desk, leg)
}

fn respond(desk: &mut Desk, leg: LegKey, status: u16, described: bool) -> Vec<Message> {
    let reply = reply(status);
    let reply = if described { reply.with_body(sdp().unwrap()) } else { reply };
    desk.act(|e, now| e.respond(now, leg, reply)).1
}

fn rseq(response: &Message) -> u32 {
    header(response, "RSeq").parse().unwrap()
}

/// The far end's PRACK of this response.
fn prack(response: &Message, cseq: u32, branch: &str, extra: &str) -> String {
    let rack = format!("RAck: {} 10 INVITE\n{extra}", rseq(response));
    raw_inside("PRACK", cseq, branch, &tag_of(response), &rack)
}

/// A desk that calls with these terms, and its INVITE.
fn inviting(reliable: Reliability, with_offer: bool) -> (Desk, LegKey, Message) {
    let mut desk = Desk::new();
    let mut call = sip_core::Invite { terms: terms(reliable), ..invite(&["udp:10.0.0.2:5060"]) };
    call.body = call.body.filter(|_| with_offer);
    let (leg, sent) = desk.act(|e, now| e.invite(now, call).unwrap());
    (desk, leg, sent[0].clone())
}

fn reliable(request: &Message, code: u16, tag: &str, rseq: u32, extra: &str) -> String {
    raw_response(request, code, tag, &format!("Require: 100rel\nRSeq: {rseq}\n{extra}"))
}

#[test]
fn section_3_a_provisional_response_is_reliable_where_the_invite_requires_it_or_we_do_and_it_can() {
    use Reliability::{Never, Offered, Required};
    for (ours, theirs, is) in [
        (Never, "Require: 100rel\n", true),
        (Never, "Supported: 100rel\n", false),
        (Offered, "Supported: 100rel\n", false),
        (Required, "Supported: 100rel\n", true),
        (Required, "", false),
    ] {
        let (mut desk, leg) = invited(ours, theirs);
        assert_eq!(desk.endpoint.is_reliable(leg), is);
        let sent = respond(&mut desk, leg, 180, false);
        assert_eq!(header(&sent[0], "Require") == "100rel", is, "{ours:?} {theirs}");
        assert_eq!(!header(&sent[0], "RSeq").is_empty(), is, "{ours:?} {theirs}");
    }
}

#[test]
fn section_3_it_is_repeated_at_doubled_gaps_until_its_prack_which_is_answered() {
    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    let sent = respond(&mut desk, leg, 180, false);
    let repeats = desk.pass(4 * SECOND);
    assert_eq!(repeats.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(), [500, 1_500, 3_500]);
    assert!(repeats.iter().all(|(_, m)| m.bytes() == sent[0].bytes()));
    let ok = desk.hear(&prack(&sent[0], 11, "p", ""));
    assert_eq!((statuses(&ok), header(&ok[0], "CSeq")), (vec![200], "11 PRACK".into()));
    assert!(desk.pass(50 * SECOND).is_empty());
    assert_eq!(desk.names(), [""; 0], "nothing the caller of the endpoint must know");
}

#[test]
fn section_3_the_next_one_waits_for_the_prack_and_has_the_next_number() {
    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    let first = respond(&mut desk, leg, 180, false);
    assert!(respond(&mut desk, leg, 183, true).is_empty());
    let out = desk.hear(&prack(&first[0], 11, "p", ""));
    assert_eq!(statuses(&out), [200, 183]);
    assert_eq!((rseq(&out[1]), &out[1].body()[..]), (rseq(&first[0]) + 1, OFFER));
}

#[test]
fn section_3_a_2xx_waits_for_the_prack_of_a_description_but_not_of_a_ring() {
    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    let ring = respond(&mut desk, leg, 183, true);
    assert!(respond(&mut desk, leg, 200, false).is_empty());
    assert_eq!(statuses(&desk.hear(&prack(&ring[0], 11, "p", ""))), [200, 200]);

    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    let ring = respond(&mut desk, leg, 180, false);
    assert_eq!(statuses(&respond(&mut desk, leg, 200, true)), [200]);
    assert_eq!(
        statuses(&desk.hear(&prack(&ring[0], 11, "p", ""))),
        [200],
        "a PRACK that comes late is welcome"
    );
    let before = desk.endpoint.live_transactions();
    for (cseq, branch) in (12..).zip(["q", "r", "s"]) {
        assert_eq!(statuses(&desk.hear(&prack(&ring[0], cseq, branch, SDP))), [200]);
    }
    assert_eq!(desk.endpoint.live_transactions(), before, "what changes nothing costs nothing");
    let repeats: Vec<_> = desk.pass(2 * SECOND).into_iter().map(|(_, m)| m).collect();
    assert_eq!(statuses(&repeats), [200, 200], "the 2xx for want of its ACK, the 180 no more");
}

#[test]
fn section_3_a_prack_of_nothing_gets_481_and_one_that_cannot_be_read_400() {
    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    let sent = respond(&mut desk, leg, 180, false);
    let good = prack(&sent[0], 11, "p", "");
    for (rack, status) in [("1 10 INVITE", 481), ("x", 400)] {
        let old = format!("RAck: {} 10 INVITE", rseq(&sent[0]));
        let wrong =
            good.replace(&old, &format!("RAck: {rack}")).replace("z9hG4bKp", &format!("z9hG4bK{status}"));
        assert_eq!(statuses(&desk.hear(&wrong)), [status], "{rack}");
    }
    let (mut desk, leg) = invited(Reliability::Never, "");
    let plain = respond(&mut desk, leg, 180, false);
    let stray = raw_inside("PRACK", 11, "p", &tag_of(&plain[0]), "RAck: 1 10 INVITE\n");
    assert_eq!(statuses(&desk.hear(&stray)), [481]);
}

#[test]
fn section_3_without_a_prack_the_leg_is_told_after_64_t1_and_the_invite_can_be_refused() {
    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    respond(&mut desk, leg, 183, true);
    respond(&mut desk, leg, 200, false);
    desk.pass(32 * SECOND);
    assert_eq!(desk.names(), ["ack missing"]);
    let sent = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::SERVER_TIMEOUT))).1;
    assert_eq!(statuses(&sent), [504]);
    desk.assert_nothing_left();
}

#[test]
fn section_5_a_description_in_the_prack_is_answered_by_the_caller_and_the_2xx_waits_for_that() {
    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    let offer = respond(&mut desk, leg, 183, true);
    respond(&mut desk, leg, 200, false);
    assert!(desk.hear(&prack(&offer[0], 11, "p", SDP)).is_empty());
    let Some(Event::Request { key, request, .. }) = desk.events.pop() else { panic!("not told") };
    assert_eq!(request.body(), "v=0\r\n");
    let answer: RequestKey = key;
    let (_, sent) = desk.act(|e, now| e.answer_request(now, leg, answer, reply(200)));
    assert_eq!(sent.iter().map(|m| header(m, "CSeq")).collect::<Vec<_>>(), ["11 PRACK", "10 INVITE"]);
}

#[test]
fn a_cancel_ends_what_waits_for_its_prack() {
    let (mut desk, leg) = invited(Reliability::Never, "Require: 100rel\n");
    respond(&mut desk, leg, 183, true);
    respond(&mut desk, leg, 200, false);
    let cancel = raw_invite("a", "").replace("INVITE sip", "CANCEL sip").replace("10 INVITE", "10 CANCEL");
    assert_eq!(statuses(&desk.hear(&cancel)), [200, 487]);
    desk.hear(&raw_invite("a", "").replace("INVITE", "ACK"));
    desk.assert_nothing_left();
}

#[test]
fn section_4_our_invite_offers_or_requires_it_or_says_nothing() {
    use Reliability::{Never, Offered, Required};
    for (how, supported, required) in
        [(Never, "replaces", ""), (Offered, "replaces, 100rel", ""), (Required, "replaces, 100rel", "100rel")]
    {
        let (_, _, sent) = inviting(how, true);
        assert_eq!(
            (header(&sent, "Supported"), header(&sent, "Require")),
            (supported.into(), required.into())
        );
    }
}

#[test]
fn section_4_each_reliable_response_is_told_once_in_order_and_acknowledged_in_its_early_dialog() {
    let (mut desk, leg, invite) = inviting(Reliability::Offered, true);
    let route = "Record-Route: <sip:10.0.0.7;lr>\n";
    let first = desk.hear(&reliable(&invite, 180, "x", 41, route));
    assert_eq!(lines(&first), ["PRACK"]);
    assert_eq!(header(&first[0], "RAck"), "41 1 INVITE");
    assert_eq!(
        (header(&first[0], "CSeq"), header(&first[0], "Route")),
        ("2 PRACK".into(), "<sip:10.0.0.7;lr>".into())
    );
    assert_eq!(first[0].request_uri_bytes(), "sip:bo@10.0.0.2:5060");
    assert!(desk.hear(&reliable(&invite, 180, "x", 41, "")).is_empty(), "a repeat");
    assert!(desk.hear(&reliable(&invite, 183, "x", 43, SDP)).is_empty(), "one too early");
    let other = desk.hear(&reliable(&invite, 183, "y", 7, SDP));
    assert_eq!(
        (header(&other[0], "RAck"), header(&other[0], "CSeq")),
        ("7 1 INVITE".into(), "2 PRACK".into())
    );
    let second = desk.hear(&reliable(&invite, 183, "x", 42, SDP));
    assert_eq!(
        (header(&second[0], "RAck"), header(&second[0], "CSeq")),
        ("42 1 INVITE".into(), "3 PRACK".into())
    );
    assert_eq!(desk.names(), ["progress 180 0", "progress 183 1", "progress 183 0"]);

    for prack in [&first[0], &other[0], &second[0]] {
        desk.hear(&raw_response(prack, 200, "x", ""));
    }
    desk.hear(&raw_response(&invite, 200, "y", ""));
    assert!(matches!(desk.events.last(), Some(Event::Answered { early: Some(EarlyId(1)), .. })));
    desk.act(|e, now| e.ack(now, leg, None));
    let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert!(bye[0].cseq().unwrap().number > 3, "numbers of PRACKs are not used again");
    desk.hear(&raw_response(&bye[0], 200, "y", ""));
    desk.assert_nothing_left();
}

#[test]
fn section_4_a_prack_is_repeated_like_any_request_and_outlives_nothing() {
    let (mut desk, _, invite) = inviting(Reliability::Offered, true);
    let sent = desk.hear(&reliable(&invite, 183, "x", 1, ""));
    let repeats = desk.pass(2 * SECOND);
    assert_eq!(repeats.len(), 2, "500 ms, 1.5 s");
    desk.hear(&raw_response(&sent[0], 200, "x", ""));
    desk.hear(&raw_response(&invite, 486, "x", ""));
    desk.assert_nothing_left();
    assert_eq!(desk.names(), ["progress 183 0", "failed 486 Response"]);
}

#[test]
fn without_room_for_a_prack_a_reliable_response_is_as_if_it_had_not_come() {
    let mut settings = settings("10.0.0.1:5060", 7);
    settings.max_transactions = 1;
    let mut desk = Desk::with(settings);
    let call = sip_core::Invite { terms: terms(Reliability::Offered), ..invite(&["udp:10.0.0.2:5060"]) };
    let (leg, sent) = desk.act(|e, now| e.invite(now, call).unwrap());
    for rseq in 1..100 {
        assert!(desk.hear(&reliable(&sent[0], 183, "x", rseq, "")).is_empty());
    }
    assert_eq!((desk.names(), desk.endpoint.live_transactions()), (vec![], 1));
    desk.hear(&raw_response(&sent[0], 200, "x", ""));
    assert_eq!(desk.names(), ["answered"]);
    desk.act(|e, now| e.ack(now, leg, None));
    let (_, again) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    assert!(desk.hear(&reliable(&again[0], 183, "x", 1, "")).is_empty());
}

#[test]
fn section_5_an_offer_in_a_reliable_response_is_answered_in_the_prack() {
    let (mut desk, leg, invite) = inviting(Reliability::Offered, false);
    assert!(desk.hear(&reliable(&invite, 183, "x", 9, SDP)).is_empty(), "the caller owes the answer");
    let (_, sent) = desk.act(|e, now| e.prack(now, leg, EarlyId(0), sdp().unwrap()));
    assert_eq!((lines(&sent), &sent[0].body()[..]), (vec!["PRACK".to_owned()], OFFER));
    let (_, again) = desk.act(|e, now| e.prack(now, leg, EarlyId(0), sdp().unwrap()));
    assert!(again.is_empty(), "once");
}

#[test]
fn section_4_a_reliable_response_to_a_reinvite_is_acknowledged_too() {
    let (mut desk, leg, invite) = inviting(Reliability::Offered, true);
    desk.hear(&raw_response(&invite, 200, "x", ""));
    desk.act(|e, now| e.ack(now, leg, None));
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    let prack = desk.hear(&reliable(&sent[0], 183, "x", 5, ""));
    let number = sent[0].cseq().unwrap().number;
    assert_eq!(header(&prack[0], "RAck"), format!("5 {number} INVITE"));
}

#[test]
fn a_reinvite_that_is_refused_or_cancelled_waits_for_no_prack_any_more() {
    for cancelled in [true, false] {
        let (mut desk, leg) = invited(Reliability::Never, "");
        let tag = tag_of(&respond(&mut desk, leg, 200, true)[0]);
        desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
        let again = raw_inside("INVITE", 11, "b", &tag, "Require: 100rel\n");
        desk.hear(&again);
        assert_eq!(statuses(&respond(&mut desk, leg, 183, true)), [183]);
        let refusal = match cancelled {
            true => desk.hear(&again.replace("INVITE sip", "CANCEL sip").replace("11 INVITE", "11 CANCEL")),
            false => respond(&mut desk, leg, 488, false),
        };
        assert_eq!(statuses(&refusal).last(), Some(if cancelled { &487 } else { &488 }));
        desk.hear(&again.replace("INVITE", "ACK"));
        assert!(desk.pass(40 * SECOND).is_empty(), "the 183 is not repeated");
        let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
        desk.hear(&raw_response(&bye[0], 200, "far", ""));
        desk.assert_nothing_left();
    }
}

#[test]
fn section_3_who_wants_a_prack_that_we_have_not_offered_gets_none_and_the_call_goes_its_way() {
    let (mut desk, leg, invite) = inviting(Reliability::Never, true);
    for rseq in [1, 2, 9] {
        assert!(desk.hear(&reliable(&invite, 183, "x", rseq, SDP)).is_empty());
    }
    assert_eq!(desk.names(), ["progress 183 0"; 3], "what it says counts all the same");
    desk.hear(&raw_response(&invite, 200, "x", ""));
    let (_, ack) = desk.act(|e, now| e.ack(now, leg, None));
    assert_eq!(header(&ack[0], "CSeq"), "1 ACK");
    let (_, again) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    assert_eq!(header(&again[0], "CSeq"), "2 INVITE");
    assert!(desk.hear(&reliable(&again[0], 183, "x", 1, "")).is_empty());
    let ack = desk.hear(&raw_response(&again[0], 200, "x", ""));
    assert_eq!(header(&ack[0], "CSeq"), "2 ACK");
    let (_, bye) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert_eq!(header(&bye[0], "CSeq"), "3 BYE");
    desk.hear(&raw_response(&bye[0], 200, "x", ""));
    desk.assert_nothing_left();
}
