//! The calling side against hand-written messages: RFC 3261 §9.1, §12.2.1, §13.2, §14.1, §17.1.1.3, §18.1.1.

mod support;

use bytes::Bytes;
use sip_core::message::Message;
use sip_core::{Event, Flow, HangUp, Input, LegKey, Located, Output, StatusCode, Transport};
use support::*;

const FAR: &str = "udp:10.0.0.2:5060";

/// A desk whose INVITE has just left.
fn inviting(targets: &[&str]) -> (Desk, LegKey, Message) {
    let mut desk = Desk::new();
    let (leg, mut sent) = desk.act(|e, now| e.invite(now, invite(targets)));
    assert_eq!(lines(&sent), ["INVITE"]);
    (desk, leg.unwrap(), sent.remove(0))
}

/// A desk in a call it has made; the leg and our ACK.
fn talking(extra: &str) -> (Desk, LegKey, Message) {
    let (mut desk, leg, invite) = inviting(&[FAR]);
    desk.hear(&raw_response(&invite, 200, "bo", extra));
    assert_eq!(desk.names(), ["answered"]);
    let (_, mut sent) = desk.act(|e, now| e.ack(now, leg, None));
    assert_eq!(lines(&sent), ["ACK"]);
    (desk, leg, sent.remove(0))
}

/// A request of the far end in that call.
fn from_far(ack: &Message, method: &str, cseq: u32, branch: &str) -> String {
    format!(
        "{method} sip:10.0.0.1:5060 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{branch}\n\
         Max-Forwards: 70\nFrom: {}\nTo: {}\nCall-ID: {}\nCSeq: {cseq} {method}\nContact: <sip:bo@10.0.0.2:5060>\n\n",
        header(ack, "To"),
        header(ack, "From"),
        header(ack, "Call-ID"),
    )
}

fn branch(message: &Message) -> Vec<u8> {
    message.via().unwrap().branch().unwrap().to_vec()
}

fn hang_up(desk: &mut Desk, leg: LegKey) -> Vec<Message> {
    desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK))).1
}

#[test]
fn an_invite_says_who_we_are_and_what_we_can() {
    let (_, _, sent) = inviting(&[FAR]);
    assert_eq!(sent.request_uri_bytes(), "sip:bo@far.test");
    assert!(header(&sent, "From").starts_with("\"Anna\" <sip:anna@near.test>;tag="));
    assert!(header(&sent, "Via").starts_with("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK"));
    assert!(header(&sent, "Via").ends_with(";rport"));
    for (name, value) in [
        ("To", "<sip:bo@far.test>"),
        ("Max-Forwards", "70"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:10.0.0.1:5060>"),
        ("X-Case", "1"),
        ("Content-Type", "application/sdp"),
        ("User-Agent", "Fernamt"),
    ] {
        assert_eq!(header(&sent, name), value, "{name}");
    }
    assert!(sent.validate_request().is_ok());
}

#[test]
fn the_ack_of_a_refusal_has_the_branch_of_the_invite_and_the_to_of_the_response() {
    let (mut desk, _, sent) = inviting(&[FAR]);
    let busy = raw_response(&sent, 486, "bo", "");
    let ack = desk.hear(&busy);
    assert_eq!(lines(&ack), ["ACK"]);
    assert_eq!((branch(&ack[0]), header(&ack[0], "CSeq")), (branch(&sent), "1 ACK".into()));
    assert_eq!(header(&ack[0], "To"), "<sip:bo@far.test>;tag=bo");
    assert_eq!(desk.hear(&busy)[0].bytes(), ack[0].bytes());
    assert_eq!(desk.names(), ["failed 486 Response"]);
    desk.assert_nothing_left();
}

#[test]
fn progress_names_the_fork_and_a_100_is_nothing_to_tell() {
    let (mut desk, _, sent) = inviting(&[FAR]);
    for (code, tag) in [(100, ""), (180, "one"), (183, "two"), (180, "one")] {
        desk.hear(&raw_response(&sent, code, tag, ""));
    }
    assert_eq!(desk.names(), ["progress 180 0", "progress 183 1", "progress 180 0"]);
}

#[test]
fn the_ack_of_a_2xx_follows_the_route_set_with_a_branch_of_its_own_and_answers_each_repeat() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    let ok = raw_response(&sent, 200, "bo", "Record-Route: <sip:10.0.0.9:5070;lr>, <sip:10.0.0.8;lr>\n");
    desk.hear(&ok);
    assert!(desk.hear(&ok).is_empty(), "nothing to repeat before the caller has acknowledged");
    desk.endpoint.ack(desk.now, leg, sdp());
    let (flow, ack) = desk.drain().remove(0);
    assert_eq!(flow.remote, addr("10.0.0.8:5060"));
    assert_eq!(ack.request_uri_bytes(), "sip:bo@10.0.0.2:5060");
    assert_eq!(header(&ack, "Route"), "<sip:10.0.0.8;lr>|<sip:10.0.0.9:5070;lr>");
    assert_eq!((header(&ack, "CSeq"), ack.body()), ("1 ACK".into(), Bytes::from_static(OFFER)));
    assert_ne!(branch(&ack), branch(&sent));
    assert_eq!(desk.hear(&ok)[0].bytes(), ack.bytes());
    assert_eq!(desk.names(), ["answered"]);
    let bye = hang_up(&mut desk, leg);
    assert_eq!((header(&bye[0], "Route"), header(&bye[0], "CSeq")), (header(&ack, "Route"), "2 BYE".into()));
}

#[test]
fn a_strict_router_gets_its_own_uri_and_the_target_as_last_route() {
    let (mut desk, leg, _) = talking("Record-Route: <sip:10.0.0.9:5070>\n");
    desk.endpoint.hang_up(desk.now, leg, HangUp::new(StatusCode::OK));
    let (flow, bye) = desk.drain().remove(0);
    assert_eq!(
        (bye.request_uri_bytes(), flow.remote),
        (Bytes::from_static(b"sip:10.0.0.9:5070"), addr("10.0.0.9:5070"))
    );
    assert_eq!(header(&bye, "Route"), "<sip:bo@10.0.0.2:5060>");
}

#[test]
fn a_cancel_waits_for_a_1xx_and_its_487_is_acknowledged() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    let headers = vec![(Bytes::from_static(b"Reason"), Bytes::from_static(b"SIP;cause=200"))];
    let how = HangUp { status: StatusCode::OK, headers };
    assert!(desk.act(|e, now| e.hang_up(now, leg, how)).1.is_empty());
    let cancel = desk.hear(&raw_response(&sent, 100, "", ""));
    assert_eq!(lines(&cancel), ["CANCEL"]);
    assert_eq!((branch(&cancel[0]), header(&cancel[0], "CSeq")), (branch(&sent), "1 CANCEL".into()));
    assert_eq!(header(&cancel[0], "Reason"), "SIP;cause=200");
    assert!(desk.hear(&raw_response(&sent, 180, "bo", "")).is_empty(), "one CANCEL is enough");
    desk.hear(&raw_response(&cancel[0], 200, "bo", ""));
    assert_eq!(lines(&desk.hear(&raw_response(&sent, 487, "bo", ""))), ["ACK"]);
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn a_2xx_that_is_faster_than_the_cancel_is_acknowledged_and_hung_up() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    desk.hear(&raw_response(&sent, 180, "bo", ""));
    assert_eq!(lines(&hang_up(&mut desk, leg)), ["CANCEL"]);
    let ok = raw_response(&sent, 200, "bo", "");
    let ended = desk.hear(&ok);
    assert_eq!(lines(&ended), ["ACK", "BYE"]);
    assert_eq!(desk.hear(&ok)[0].bytes(), ended[0].bytes());
    desk.hear(&raw_response(&ended[1], 200, "bo", ""));
    assert_eq!(desk.names(), ["progress 180 0"]);
    desk.assert_nothing_left();
}

#[test]
fn an_invite_cancelled_in_vain_is_given_up_after_64_t1() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    desk.hear(&raw_response(&sent, 180, "bo", ""));
    hang_up(&mut desk, leg);
    desk.pass(31 * SECOND);
    assert!(desk.endpoint.live_legs() > 0);
    desk.pass(6 * SECOND);
    assert_eq!((desk.endpoint.live_legs(), desk.endpoint.live_transactions()), (0, 0));
}

#[test]
fn hanging_up_before_anything_came_back_ends_with_the_last_try() {
    let (mut desk, leg, _) = inviting(&[FAR]);
    hang_up(&mut desk, leg);
    let sent = desk.pass(40 * SECOND);
    assert!(sent.iter().all(|(_, m)| m.method().to_string() == "INVITE"));
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn a_second_fork_that_answers_is_acknowledged_and_hung_up_inside() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    desk.hear(&raw_response(&sent, 200, "one", ""));
    desk.act(|e, now| e.ack(now, leg, None));
    let second = raw_response(&sent, 200, "two", "").replace("bo@10.0.0.2:5060", "bo@10.0.0.7:5060");
    let ended = desk.hear(&second);
    assert_eq!(lines(&ended), ["ACK", "BYE"]);
    assert!(ended.iter().all(|m| header(m, "To").ends_with(";tag=two")));
    assert!(ended.iter().all(|m| m.request_uri_bytes() == "sip:bo@10.0.0.7:5060"));
    assert_eq!(desk.hear(&second)[0].bytes(), ended[0].bytes(), "its repeat hears the same ACK");
    assert_eq!(desk.names(), ["answered"]);
    desk.hear(&raw_response(&ended[1], 200, "two", ""));
    assert_eq!(lines(&hang_up(&mut desk, leg)), ["BYE"], "the first fork's call is untouched");
    desk.assert_nothing_left();
}

#[test]
fn forks_beyond_the_bound_are_left_to_themselves_however_many_answer() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    desk.hear(&raw_response(&sent, 200, "one", ""));
    desk.act(|e, now| e.ack(now, leg, None));
    let mut ended = vec![];
    for n in 0..1_000 {
        let answered = desk.hear(&raw_response(&sent, 200, &format!("more{n}"), ""));
        ended.extend(answered.into_iter().filter(|m| m.method().to_string() == "BYE"));
    }
    assert_eq!(ended.len(), 12, "as many as may ring");
    for bye in &ended {
        desk.hear(&raw_response(bye, 200, "more", ""));
    }
    assert!(desk.hear(&raw_response(&sent, 200, "one more", "")).is_empty(), "nor when the first have gone");
    assert_eq!(lines(&hang_up(&mut desk, leg)), ["BYE"], "the first fork's call is untouched");
    desk.assert_nothing_left();
}

#[test]
fn the_next_address_is_tried_with_a_branch_of_its_own_when_nothing_comes_back() {
    let (mut desk, _, first) = inviting(&[FAR, "udp:10.0.0.3:5060"]);
    let sent = desk.pass(8 * SECOND);
    let (at, second) = sent.iter().find(|(_, m)| branch(m) != branch(&first)).expect("a second attempt");
    assert_eq!(*at, 8_000);
    let same = |name| header(second, name) == header(&first, name);
    assert!(
        same("From") && same("To") && same("Call-ID") && same("CSeq"),
        "the same request (RFC 3263 §4.3)"
    );
    desk.pass(8 * SECOND);
    assert_eq!(desk.names(), ["failed 408 TimedOut"]);
    assert_eq!(desk.endpoint.counters().invites_sent, 2);
    desk.assert_nothing_left();
}

#[test]
fn an_abandoned_attempt_is_cancelled_when_it_rings_and_ended_when_it_answers() {
    let (mut desk, leg, first) = inviting(&[FAR, "udp:10.0.0.3:5060"]);
    let sent = desk.pass(8 * SECOND);
    let second = sent.into_iter().map(|(_, m)| m).find(|m| branch(m) != branch(&first)).unwrap();
    let cancel = desk.hear(&raw_response(&first, 180, "late", ""));
    assert_eq!((lines(&cancel), branch(&cancel[0])), (vec!["CANCEL".into()], branch(&first)));
    let ended = desk.hear(&raw_response(&first, 200, "late", ""));
    assert_eq!(lines(&ended), ["ACK", "BYE"]);
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.hear(&raw_response(&second, 200, "bo", ""));
    assert_eq!(desk.names(), ["answered"]);
    desk.act(|e, now| e.ack(now, leg, None));
    hang_up(&mut desk, leg);
    desk.assert_nothing_left();
}

#[test]
fn a_503_and_an_icmp_error_lead_to_the_next_target_but_a_busy_does_not() {
    let (mut desk, _, first) = inviting(&[FAR, "udp:10.0.0.3:5060", "udp:10.0.0.4:5060"]);
    let sent = desk.hear(&raw_response(&first, 503, "x", ""));
    assert_eq!(lines(&sent), ["ACK", "INVITE"]);
    let sent = desk.input(Input::Unreachable { remote: addr("10.0.0.3:5060") });
    assert_eq!(lines(&sent), ["INVITE"]);
    desk.hear(&raw_response(&sent[0], 486, "x", ""));
    assert_eq!(desk.names(), ["failed 486 Response"]);
    assert_eq!(desk.endpoint.counters().failovers, 2);
    desk.assert_nothing_left();
}

#[test]
fn an_icmp_error_for_the_last_target_fails_the_call_at_once_but_not_once_it_rings() {
    let (mut desk, _, _) = inviting(&[FAR]);
    desk.input(Input::Unreachable { remote: addr("10.0.0.2:5060") });
    assert_eq!(desk.names(), ["failed 503 Unreachable"]);
    desk.assert_nothing_left();
    let (mut desk, _, sent) = inviting(&[FAR]);
    desk.hear(&raw_response(&sent, 180, "bo", ""));
    desk.input(Input::Unreachable { remote: addr("10.0.0.2:5060") });
    assert_eq!(desk.names(), ["progress 180 0"]);
}

#[test]
fn a_name_is_resolved_and_each_of_its_addresses_tried_within_one_deadline_each() {
    let mut desk = Desk::new();
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite(&["udp:sbc.test"])));
    assert!(leg.is_some() && sent.is_empty());
    let Some(Output::Resolve { id, target, reach, .. }) = desk.others.pop() else { panic!("no look-up") };
    assert_eq!((target.to_string().as_str(), reach.speaks(Transport::Udp)), ("udp:sbc.test", true));
    desk.pass(3 * SECOND);
    let addresses = vec![addr("10.0.0.5:5060"), addr("10.0.0.6:5060")];
    assert_eq!(
        lines(&desk.input(Input::Resolved { id, located: Located::at(Transport::Udp, addresses) })),
        ["INVITE"]
    );
    let sent = desk.pass(5 * SECOND);
    assert!(sent.last().is_some_and(|(at, _)| *at == 8_000), "3 s of the 8 went to the resolver");
    assert_eq!(desk.endpoint.counters().invites_sent, 2);
}

#[test]
fn a_name_without_address_or_without_answer_is_unresolved() {
    for answered in [true, false] {
        let mut desk = Desk::new();
        desk.act(|e, now| e.invite(now, invite(&["udp:sbc.test"])));
        let Some(Output::Resolve { id, .. }) = desk.others.pop() else { panic!("no look-up") };
        match answered {
            true => drop(desk.input(Input::Resolved { id, located: Located::default() })),
            false => drop(desk.pass(8 * SECOND)),
        }
        assert_eq!(desk.names(), ["failed 503 Unresolved"]);
        let late = Input::Resolved { id, located: Located::at(Transport::Udp, vec![addr("10.0.0.5:5060")]) };
        assert!(desk.input(late).is_empty(), "too late is never");
        desk.assert_nothing_left();
    }
}

#[test]
fn hanging_up_while_a_name_is_looked_up_leaves_nothing() {
    let mut desk = Desk::new();
    let (leg, _) = desk.act(|e, now| e.invite(now, invite(&["udp:sbc.test"])));
    assert!(hang_up(&mut desk, leg.unwrap()).is_empty());
    assert_eq!((desk.endpoint.live_legs(), desk.endpoint.live_transactions()), (0, 0));
    assert_eq!(desk.deadline(), None);
}

#[test]
fn the_hop_of_a_dialog_is_looked_up_once_and_kept() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    desk.hear(&raw_response(&sent, 200, "bo", "").replace("bo@10.0.0.2:5060", "bo@pbx.test"));
    let (_, sent) = desk.act(|e, now| e.ack(now, leg, None));
    assert!(sent.is_empty());
    let Some(Output::Resolve { id, .. }) = desk.others.pop() else { panic!("no look-up") };
    let (_, sent) = desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
    assert!(sent.is_empty(), "the BYE waits behind the ACK");
    let sent =
        desk.input(Input::Resolved { id, located: Located::at(Transport::Udp, vec![addr("10.0.0.6:5060")]) });
    assert_eq!(lines(&sent), ["ACK", "BYE"]);
    assert!(desk.others.is_empty());
    desk.hear(&raw_response(&sent[1], 200, "", ""));
    desk.assert_nothing_left();
}

#[test]
fn a_contact_whose_name_does_not_resolve_is_reached_where_the_call_began() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    desk.hear(&raw_response(&sent, 200, "bo", "").replace("bo@10.0.0.2:5060", "bo@pbx.invalid"));
    desk.act(|e, now| e.ack(now, leg, None));
    let Some(Output::Resolve { id, .. }) = desk.others.pop() else { panic!("no look-up") };
    desk.endpoint.handle_input(desk.now, Input::Resolved { id, located: Located::default() });
    let (flow, ack) = desk.drain().remove(0);
    assert_eq!((flow.remote, ack.method().to_string()), (addr("10.0.0.2:5060"), "ACK".into()));
}

fn large() -> sip_core::Invite {
    let mut large = invite(&[FAR]);
    large.headers.push((Bytes::from_static(b"X-Long"), Bytes::from(vec![b'x'; 1_200])));
    large
}

fn tcp(connection: u32) -> Flow {
    Flow::stream(Transport::Tcp, addr("10.0.0.1:41000"), addr("10.0.0.2:5060"), connection)
}

#[test]
fn a_request_beyond_1300_bytes_goes_by_tcp_and_says_so() {
    let mut desk = Desk::new();
    let (_, sent) = desk.act(|e, now| e.invite(now, large()));
    assert!(sent.is_empty());
    let Some(Output::Open { id, transport, remote, .. }) = desk.others.pop() else { panic!("no connection") };
    assert_eq!((transport, remote), (Transport::Tcp, addr("10.0.0.2:5060")));
    let sent = desk.input(Input::Opened { id, flow: tcp(1), peer_names: vec![] });
    assert!(header(&sent[0], "Via").starts_with("SIP/2.0/TCP 10.0.0.1:5060;branch="));
    assert_eq!(header(&sent[0], "Contact"), "<sip:10.0.0.1:5060;transport=tcp>");
    desk.endpoint.invite(desk.now, large());
    let (flow, _) = desk.drain().remove(0);
    assert_eq!(flow, tcp(1), "the connection is used again");
}

#[test]
fn a_large_request_goes_by_udp_after_all_when_tcp_is_refused_or_silent_or_forbidden() {
    for refused in [true, false] {
        let mut desk = Desk::new();
        desk.act(|e, now| e.invite(now, large()));
        let Some(Output::Open { id, .. }) = desk.others.pop() else { panic!("no connection") };
        let sent = match refused {
            true => desk.input(Input::OpenFailed { id }),
            false => desk.pass(3 * SECOND).into_iter().map(|(_, m)| m).collect(),
        };
        assert!(header(&sent[0], "Via").starts_with("SIP/2.0/UDP "), "refused: {refused}");
        assert_eq!(header(&sent[0], "Contact"), "<sip:10.0.0.1:5060>");
    }
    let mut desk = Desk::new();
    let (_, sent) = desk.act(|e, now| e.invite(now, sip_core::Invite { udp_only: true, ..large() }));
    assert_eq!(lines(&sent), ["INVITE"]);
}

#[test]
fn a_connection_that_cannot_be_opened_or_closes_unanswered_fails_the_attempt() {
    for opened in [true, false] {
        let mut desk = Desk::new();
        desk.act(|e, now| e.invite(now, invite(&["tcp:10.0.0.2:5060"])));
        let Some(Output::Open { id, .. }) = desk.others.pop() else { panic!("no connection") };
        if opened {
            assert_eq!(
                lines(&desk.input(Input::Opened { id, flow: tcp(1), peer_names: vec![] })),
                ["INVITE"]
            );
            desk.input(Input::Closed { flow: tcp(1) });
            assert_eq!(desk.names(), ["failed 503 Closed"]);
        } else {
            desk.input(Input::OpenFailed { id });
            assert_eq!(desk.names(), ["failed 503 Unreachable"]);
        }
        desk.assert_nothing_left();
    }
}

#[test]
fn several_calls_wait_for_one_connection() {
    let mut desk = Desk::new();
    for _ in 0..3 {
        desk.act(|e, now| e.invite(now, invite(&["tcp:10.0.0.2:5060"])));
    }
    let Some(Output::Open { id, .. }) = desk.others.pop() else { panic!("no connection") };
    assert!(desk.others.is_empty());
    assert_eq!(
        lines(&desk.input(Input::Opened { id, flow: tcp(1), peer_names: vec![] })),
        ["INVITE", "INVITE", "INVITE"]
    );
}

#[test]
fn a_transport_without_listener_is_no_way() {
    let mut desk = Desk::new();
    desk.act(|e, now| e.invite(now, invite(&["tls:10.0.0.2"])));
    assert_eq!(desk.names(), ["failed 503 Unreachable"]);
    assert_eq!(desk.endpoint.live_legs(), 0);
}

#[test]
fn a_response_with_a_forged_or_foreign_branch_belongs_to_nothing() {
    let (mut desk, _, sent) = inviting(&[FAR]);
    let good = raw_response(&sent, 200, "bo", "");
    let name = String::from_utf8(branch(&sent)).unwrap();
    let last = if name.ends_with('0') { 'g' } else { '0' };
    let forged = format!("{}{last}", &name[..name.len() - 1]);
    desk.hear(&good.replace(&name, &forged));
    desk.hear(&good.replace(&name, "z9hG4bKabc"));
    desk.hear(&good.replace("1 INVITE", "1 BYE"));
    assert_eq!(desk.names(), Vec::<String>::new());
    assert_eq!(desk.endpoint.counters().stray_responses, 3);
}

#[test]
fn a_reinvite_is_acknowledged_inside_and_follows_the_new_contact() {
    let (mut desk, leg, _) = talking("");
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    assert_eq!((lines(&sent), header(&sent[0], "CSeq")), (vec!["INVITE".into()], "2 INVITE".into()));
    let ok = raw_response(&sent[0], 200, "", "").replace("bo@10.0.0.2:5060", "bo@10.0.0.7:5060");
    let ack = desk.hear(&ok);
    assert_eq!((lines(&ack), header(&ack[0], "CSeq")), (vec!["ACK".into()], "2 ACK".into()));
    assert_eq!(ack[0].request_uri_bytes(), "sip:bo@10.0.0.7:5060");
    assert_eq!(desk.hear(&ok)[0].bytes(), ack[0].bytes());
    assert_eq!(desk.names(), ["reinvited 200"]);
    hang_up(&mut desk, leg);
    desk.assert_nothing_left();
}

#[test]
fn a_reinvite_without_offer_waits_for_the_callers_answer_in_the_ack() {
    let (mut desk, leg, _) = talking("");
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, None));
    assert!(desk.hear(&raw_response(&sent[0], 200, "", "")).is_empty());
    assert_eq!(desk.names(), ["reinvited 200"]);
    let (_, ack) = desk.act(|e, now| e.ack(now, leg, sdp()));
    assert_eq!((lines(&ack), ack[0].body()), (vec!["ACK".into()], Bytes::from_static(OFFER)));
}

#[test]
fn a_glare_is_waited_out_and_tried_again() {
    let (mut desk, leg, ack) = talking("");
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    assert_eq!(statuses(&desk.hear(&from_far(&ack, "INVITE", 1, "g"))), [491], "ours is under way");
    assert_eq!(lines(&desk.hear(&raw_response(&sent[0], 491, "", ""))), ["ACK"]);
    let before = (desk.now - desk.start).as_millis();
    let again = desk.pass(5 * SECOND);
    let (at, again) = again.iter().find(|(_, m)| header(m, "CSeq") == "3 INVITE").expect("a second try");
    assert!((2_100..=4_000).contains(&(at - before)), "we made the Call-ID: {}", at - before);
    desk.hear(&raw_response(again, 200, "", ""));
    assert_eq!(desk.names(), ["reinvited 200"]);
}

#[test]
fn their_reinvite_during_our_pause_wins() {
    let (mut desk, leg, ack) = talking("");
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    desk.hear(&raw_response(&sent[0], 491, "", ""));
    assert_eq!(statuses(&desk.hear(&from_far(&ack, "INVITE", 1, "g"))), [100]);
    assert_eq!(desk.names(), ["reinvited 491", "reinvite"]);
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    desk.hear(&from_far(&ack, "ACK", 1, "h"));
    assert!(desk.pass(10 * SECOND).iter().all(|(_, m)| m.method().to_string() != "INVITE"));
}

#[test]
fn a_reinvite_while_theirs_waits_is_held_back_and_goes_later() {
    let (mut desk, leg, ack) = talking("");
    desk.hear(&from_far(&ack, "INVITE", 1, "g"));
    assert!(desk.act(|e, now| e.reinvite(now, leg, sdp())).1.is_empty());
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    desk.hear(&from_far(&ack, "ACK", 1, "h"));
    let sent = desk.pass(5 * SECOND);
    assert!(sent.iter().any(|(_, m)| header(m, "CSeq") == "2 INVITE"));
}

#[test]
fn a_reinvite_that_is_never_answered_ends_with_408() {
    let (mut desk, leg, _) = talking("");
    desk.act(|e, now| e.reinvite(now, leg, sdp()));
    desk.pass(32 * SECOND);
    assert_eq!(desk.names(), ["reinvited 408"]);
    hang_up(&mut desk, leg);
    desk.assert_nothing_left();
}

#[test]
fn a_probe_tells_whether_the_far_end_still_knows_the_call() {
    for (code, alive) in [(200, true), (405, true), (481, false), (408, false)] {
        let (mut desk, leg, _) = talking("");
        let (_, sent) = desk.act(|e, now| e.probe(now, leg));
        assert_eq!(lines(&sent), ["OPTIONS"]);
        desk.hear(&raw_response(&sent[0], code, "", ""));
        assert_eq!(desk.names(), [format!("probed {alive}")]);
    }
    let (mut desk, leg, _) = talking("");
    desk.act(|e, now| e.probe(now, leg));
    desk.pass(32 * SECOND);
    assert_eq!(desk.names(), ["probed false"]);
}

#[test]
fn two_byes_that_cross_are_both_answered() {
    let (mut desk, leg, ack) = talking("");
    let sent = hang_up(&mut desk, leg);
    assert_eq!(statuses(&desk.hear(&from_far(&ack, "BYE", 1, "b"))), [200]);
    desk.hear(&raw_response(&sent[0], 481, "", ""));
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.assert_nothing_left();
}

#[test]
fn a_bye_that_is_never_answered_is_repeated_and_then_forgotten() {
    let (mut desk, leg, _) = talking("");
    hang_up(&mut desk, leg);
    let sent = desk.pass(40 * SECOND);
    assert_eq!(sent.len(), 10);
    desk.assert_nothing_left();
}

#[test]
fn a_2xx_repeated_after_their_quick_bye_still_gets_its_ack() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    let ok = raw_response(&sent, 200, "bo", "");
    desk.hear(&ok);
    let (_, ack) = desk.act(|e, now| e.ack(now, leg, None));
    assert_eq!(statuses(&desk.hear(&from_far(&ack[0], "BYE", 1, "b"))), [200]);
    desk.pass(2 * SECOND);
    assert_eq!(desk.hear(&ok)[0].bytes(), ack[0].bytes());
    assert_eq!(desk.names(), ["answered", "bye"]);
    desk.assert_nothing_left();
}

#[test]
fn an_event_is_never_told_of_a_leg_that_was_hung_up() {
    let (mut desk, leg, ack) = talking("");
    hang_up(&mut desk, leg);
    desk.hear(&from_far(&ack, "INFO", 1, "i"));
    desk.hear(&from_far(&ack, "INVITE", 2, "j"));
    desk.act(|e, now| e.reinvite(now, leg, sdp()));
    desk.act(|e, now| e.probe(now, leg));
    desk.act(|e, now| e.ack(now, leg, None));
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    assert_eq!(desk.names(), Vec::<String>::new());
    let unknown = LegKey(leg.0 + 1);
    let (_, sent) = desk.act(|e, now| e.hang_up(now, unknown, HangUp::new(StatusCode::OK)));
    assert!(sent.is_empty());
    assert!(!desk.events.iter().any(|e| matches!(e, Event::Probed { .. })));
}

#[test]
fn hanging_up_ends_the_search_for_further_targets() {
    let (mut desk, leg, _) = inviting(&[FAR, "udp:10.0.0.3:5060"]);
    hang_up(&mut desk, leg);
    desk.input(Input::Unreachable { remote: addr("10.0.0.2:5060") });
    desk.pass(40 * SECOND);
    assert_eq!(desk.endpoint.counters().invites_sent, 1);
    desk.assert_nothing_left();
}

#[test]
fn a_connection_nobody_waits_for_any_more_is_asked_for_again_by_the_next_call() {
    let mut desk = Desk::new();
    let call = |desk: &mut Desk| desk.act(|e, now| e.invite(now, invite(&["tcp:10.0.0.2:5060"]))).0.unwrap();
    let first = call(&mut desk);
    hang_up(&mut desk, first);
    call(&mut desk);
    let opens = desk.others.iter().filter(|output| matches!(output, Output::Open { .. })).count();
    assert_eq!(opens, 2);
}

#[test]
fn on_a_stream_a_cancelled_call_is_gone_with_its_487() {
    let mut desk = Desk::new();
    let (leg, _) = desk.act(|e, now| e.invite(now, invite(&["tcp:10.0.0.2:5060"])));
    let Some(Output::Open { id, .. }) = desk.others.pop() else { panic!("no connection") };
    let sent = desk.input(Input::Opened { id, flow: tcp(1), peer_names: vec![] });
    desk.flow = tcp(1);
    desk.hear(&raw_response(&sent[0], 180, "bo", ""));
    assert_eq!(lines(&hang_up(&mut desk, leg.unwrap())), ["CANCEL"]);
    assert_eq!(lines(&desk.hear(&raw_response(&sent[0], 487, "bo", ""))), ["ACK"]);
    assert_eq!((desk.endpoint.live_legs(), desk.endpoint.live_transactions()), (0, 0));
}

#[test]
fn a_deadline_says_which_timer_it_is() {
    let (mut desk, _, sent) = inviting(&[FAR]);
    let why = |desk: &mut Desk| match desk.endpoint.poll_output() {
        Output::Timeout(next) => next.map(|(_, why)| why),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&mut desk), Some("A"));
    desk.hear(&raw_response(&sent, 486, "bo", ""));
    assert_eq!(why(&mut desk), Some("D"));
}

#[test]
fn a_damaged_2xx_does_not_lose_the_call_its_repeat_is_taken() {
    let (mut desk, leg, sent) = inviting(&[FAR]);
    let ok = raw_response(&sent, 200, "bo", "");
    for damaged in [
        ok.replace("To: <", "To: "),
        ok.replace("From: \"Anna", "From: \"An\"na"),
        ok.replace(";tag=", ";tag=x"),
    ] {
        assert!(desk.hear(&damaged).is_empty());
    }
    assert_eq!(desk.names(), Vec::<String>::new());
    desk.hear(&ok);
    assert_eq!(desk.names(), ["answered"]);
    hang_up(&mut desk, leg);
    desk.assert_nothing_left();
}

#[test]
fn a_reinvite_whose_end_a_bye_has_swallowed_does_not_wait_for_ever() {
    for by_us in [true, false] {
        for trying_first in [true, false] {
            let (mut desk, leg, ack) = talking("");
            let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
            if trying_first {
                desk.hear(&raw_response(&sent[0], 100, "", ""));
            }
            match by_us {
                true => drop(hang_up(&mut desk, leg)),
                false => drop(desk.hear(&from_far(&ack, "BYE", 1, "b"))),
            }
            if !trying_first {
                desk.hear(&raw_response(&sent[0], 100, "", ""));
            }
            desk.assert_nothing_left();
        }
    }
}

#[test]
fn a_second_reinvite_ends_with_491_and_does_not_disturb_the_first() {
    let (mut desk, leg, ack) = talking("");
    let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
    assert!(desk.act(|e, now| e.reinvite(now, leg, sdp())).1.is_empty());
    assert_eq!(desk.names(), ["reinvited 491"]);
    assert_eq!(statuses(&desk.hear(&from_far(&ack, "INVITE", 1, "g"))), [491], "ours is still under way");
    desk.hear(&raw_response(&sent[0], 200, "", ""));
    assert_eq!(desk.names(), ["reinvited 200"]);
}
