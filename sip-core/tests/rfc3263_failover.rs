//! Which answers lead to the next target, and which do not (RFC 3263 §4.3, RFC 3261 §16.7, §21.5.4).
#![allow(missing_docs)]

mod support;

use sip_core::{Event, FailCause, Flow, Input, LegKey, Located, Message, Output, PeerId, Transport, Trouble};
use support::*;

const TWO: [&str; 2] = ["udp:10.0.0.2:5060", "udp:10.0.0.3:5060"];

fn inviting(targets: &[&str]) -> (Desk, LegKey, Message) {
    let mut desk = Desk::new();
    let (leg, sent) = desk.act(|e, now| e.invite(now, invite(targets)));
    (desk, leg.unwrap(), sent.into_iter().next().unwrap())
}

/// Target, next target and cause of each attempt that came to nothing.
fn attempts(desk: &Desk) -> Vec<(String, Option<String>, FailCause)> {
    let attempt = |event: &Event| match event {
        Event::AttemptFailed { target, next, cause, .. } => {
            Some((target.to_string(), next.as_ref().map(ToString::to_string), *cause))
        }
        _ => None,
    };
    desk.events.iter().filter_map(attempt).collect()
}

#[test]
fn only_the_chosen_statuses_lead_to_the_next_target() {
    for (status, next) in [(408, true), (500, true), (502, true), (503, true), (504, true)]
        .into_iter()
        .chain([404, 480, 486, 487, 501, 600, 603].map(|status| (status, false)))
    {
        let (mut desk, _, first) = inviting(&TWO);
        let sent = desk.hear(&raw_response(&first, status, "x", ""));
        let expected: &[&str] = if next { &["ACK", "INVITE"] } else { &["ACK"] };
        assert_eq!(lines(&sent), expected, "{status}");
        assert_eq!(attempts(&desk).len(), usize::from(next), "{status}");
    }
}

#[test]
fn once_somebody_is_being_called_no_other_target_is_tried() {
    let (mut desk, _, first) = inviting(&TWO);
    desk.hear(&raw_response(&first, 180, "x", ""));
    assert_eq!(lines(&desk.hear(&raw_response(&first, 503, "x", ""))), ["ACK"]);
    assert!(attempts(&desk).is_empty());
    assert_eq!(desk.names(), ["progress 180 0", "failed 503 Response"]);
    desk.assert_nothing_left();
}

#[test]
fn a_100_alone_is_nobody_being_called() {
    let (mut desk, _, first) = inviting(&TWO);
    desk.hear(&raw_response(&first, 100, "", ""));
    assert_eq!(lines(&desk.hear(&raw_response(&first, 503, "x", ""))), ["ACK", "INVITE"]);
}

#[test]
fn each_attempt_is_told_with_what_follows_and_the_last_before_the_failure() {
    let (mut desk, leg, first) = inviting(&TWO);
    let target = |desk: &Desk| desk.endpoint.target(leg).map(ToString::to_string);
    assert_eq!(target(&desk).as_deref(), Some(TWO[0]));
    let second = desk.hear(&raw_response(&first, 503, "x", "Retry-After: 7\n")).remove(1);
    assert_eq!(target(&desk).as_deref(), Some(TWO[1]));
    let Some(Event::AttemptFailed { response: Some(response), flow: Some(flow), .. }) = desk.events.first()
    else {
        panic!("{:?}", desk.events);
    };
    assert_eq!((header(response, "Retry-After"), flow.remote), ("7".into(), addr("10.0.0.2:5060")));
    desk.hear(&raw_response(&second, 500, "x", ""));
    let (first, second) = (TWO[0].to_owned(), TWO[1].to_owned());
    assert_eq!(
        attempts(&desk),
        [(first, Some(second.clone()), FailCause::Response), (second, None, FailCause::Response)]
    );
    assert_eq!(desk.names(), ["failed 500 Response"]);
    desk.assert_nothing_left();
}

#[test]
fn a_target_that_says_nothing_is_told_as_timed_out() {
    let (mut desk, _, _) = inviting(&TWO);
    desk.pass(9 * SECOND);
    assert_eq!(attempts(&desk), [(TWO[0].to_owned(), Some(TWO[1].to_owned()), FailCause::TimedOut)]);
}

#[test]
fn a_connection_closed_by_us_is_opened_anew_for_the_next_call() {
    let mut desk = Desk::new();
    let flow = Flow::stream(Transport::Tcp, addr("10.0.0.1:40000"), addr("10.0.0.2:5060"), 1);
    let mut opens = 0;
    for _ in 0..2 {
        desk.act(|e, now| e.invite(now, invite(&["tcp:10.0.0.2:5060"])));
        if let Some(Output::Open { id, .. }) = desk.others.pop() {
            opens += 1;
            let sent = desk.input(Input::Opened { id, flow, peer_names: vec![] });
            desk.hear(&raw_response(&sent[0], 503, "x", "Retry-After: 1\n"));
        }
        desk.act(|e, now| e.close(now, flow));
        assert!(matches!(desk.others.pop(), Some(Output::Close { flow: closed }) if closed == flow));
        desk.act(|e, now| e.close(now, flow));
        assert!(desk.others.is_empty(), "closed once");
    }
    assert_eq!(opens, 2);
}

/// A call to a name that has two addresses: where its INVITEs go when the first address does not respond.
fn call_by_name(desk: &mut Desk, located: Located) -> Vec<String> {
    desk.act(|e, now| e.invite(now, invite(&["sbc.test"])));
    let Some(Output::Resolve { id, target, .. }) = desk.others.pop() else { panic!("no look-up") };
    assert_eq!(target.to_string(), "sbc.test", "NAPTR and SRV are left to be asked for");
    desk.endpoint.handle_input(desk.now, Input::Resolved { id, located });
    desk.drain().into_iter().map(|(flow, _)| flow.remote.to_string()).collect()
}

fn both() -> Located {
    Located::at(Transport::Udp, [addr("10.0.0.2:5060"), addr("10.0.0.3:5060")])
}

#[test]
fn rfc3263_4_3_an_address_that_has_not_answered_is_tried_last_for_a_while() {
    let mut desk = Desk::new();
    assert_eq!(call_by_name(&mut desk, both()), ["10.0.0.2:5060"]);
    desk.pass(8 * SECOND);
    assert_eq!(call_by_name(&mut desk, both()), ["10.0.0.3:5060"], "nobody waits for the dead one again");
    desk.pass(40 * SECOND);
    assert_eq!(call_by_name(&mut desk, both()), ["10.0.0.2:5060"], "it has its chance again");
}

#[test]
fn an_address_that_answers_is_not_doubted_any_more() {
    let mut desk = Desk::new();
    call_by_name(&mut desk, both());
    desk.input(Input::Unreachable { remote: addr("10.0.0.2:5060") });
    let (_, sent) = desk.act(|e, now| e.invite(now, invite(&["udp:10.0.0.2:5060"])));
    desk.hear(&raw_response(&sent[0], 486, "x", ""));
    assert_eq!(call_by_name(&mut desk, both()), ["10.0.0.2:5060"]);
}

#[test]
fn each_address_is_called_by_the_transport_that_dns_has_for_it() {
    let mut desk = Desk::new();
    let addresses = vec![(Transport::Tcp, addr("10.0.0.2:5070")), (Transport::Udp, addr("10.0.0.3:5060"))];
    assert!(call_by_name(&mut desk, Located { addresses, trouble: None }).is_empty());
    let Some(Output::Open { id, transport, remote, server_name, .. }) = desk.others.pop() else {
        panic!("no connection")
    };
    assert_eq!((transport, remote), (Transport::Tcp, addr("10.0.0.2:5070")));
    assert_eq!(server_name.as_deref(), Some("sbc.test"), "the name that was asked for, RFC 5922 §4");
    desk.endpoint.handle_input(desk.now, Input::OpenFailed { id });
    assert_eq!(desk.drain()[0].0.remote, addr("10.0.0.3:5060"));
}

#[test]
fn what_is_wrong_with_a_name_is_told_with_whose_it_is() {
    let mut desk = Desk::new();
    let mut call = invite(&["sbc.test"]);
    call.peer = Some(PeerId(7));
    desk.act(|e, now| e.invite(now, call));
    let Some(Output::Resolve { id, .. }) = desk.others.pop() else { panic!("no look-up") };
    let located = Located { trouble: Some(Trouble::Stale { left: 5 * SECOND }), ..both() };
    desk.input(Input::Resolved { id, located });
    let [Event::NameTrouble { peer, host, trouble, found }] = &desk.events[..] else {
        panic!("{:?}", desk.events)
    };
    assert_eq!((*peer, host.as_str(), trouble.name(), *found), (Some(PeerId(7)), "sbc.test", "stale", 2));
}
