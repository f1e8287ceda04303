//! Symmetric response routing: RFC 3581, RFC 3261 §18.2.

mod support;

use bytes::Bytes;
use sip_core::{Event, Flow, Input, Output, Transport};
use support::*;

/// What a request from behind a NAT (source port 34567) is answered with, and where to.
fn answered(via: &str) -> (Flow, String) {
    let mut desk = Desk::new();
    desk.flow = Flow::udp(addr("10.0.0.1:5060"), addr("10.0.0.2:34567"));
    let text = raw_invite("a", "").replace("SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKa", via);
    let bytes = Bytes::from(text.replace('\n', "\r\n"));
    desk.endpoint.handle_input(desk.now, Input::Received { flow: desk.flow, bytes });
    let (flow, trying) = desk.drain().remove(0);
    (flow, header(&trying, "Via"))
}

#[test]
fn with_rport_the_answer_goes_to_the_source_and_tells_its_address_and_port() {
    let (flow, via) = answered("SIP/2.0/UDP 192.168.1.9:5060;branch=z9hG4bKa;rport");
    assert_eq!((flow.local, flow.remote), (addr("10.0.0.1:5060"), addr("10.0.0.2:34567")));
    assert!(via.contains(";received=10.0.0.2") && via.contains(";rport=34567"), "{via}");
}

#[test]
fn without_rport_the_answer_goes_to_the_source_address_and_the_port_of_the_via() {
    let (flow, via) = answered("SIP/2.0/UDP 192.168.1.9:5070;branch=z9hG4bKa");
    assert_eq!(flow.remote, addr("10.0.0.2:5070"));
    assert!(via.contains(";received=10.0.0.2") && !via.contains("rport"), "{via}");
}

#[test]
fn a_response_whose_connection_is_gone_opens_one_to_the_address_in_the_via() {
    let mut desk = Desk::new();
    let came = Flow::stream(Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:34567"), 4);
    desk.flow = came;
    assert_eq!(statuses(&desk.hear(&raw_invite("a", "").replace("/UDP", "/TCP"))), [100]);
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    desk.input(Input::Closed { flow: came });
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(486)));
    assert!(sent.is_empty());
    let Some(Output::Open { id, transport, remote, .. }) = desk.others.pop() else { panic!("no connection") };
    assert_eq!((transport, remote), (Transport::Tcp, addr("10.0.0.2:5060")));
    let flow = Flow { local: addr("10.0.0.1:40000"), remote, connection: 5, ..came };
    assert_eq!(statuses(&desk.input(Input::Opened { id, flow, peer_names: vec![] })), [486]);
    desk.assert_nothing_left();
}

#[test]
fn requests_in_a_call_that_came_by_a_stream_go_back_on_it() {
    let mut desk = Desk::new();
    let came = Flow::stream(Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:34567"), 4);
    desk.flow = came;
    let text = raw_invite("a", "")
        .replace("/UDP", "/TCP")
        .replace("a@10.0.0.2:5060>", "a@10.0.0.2:5060;transport=tcp>");
    desk.hear(&text);
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    assert_eq!(header(&sent[0], "Contact"), "<sip:10.0.0.1:5060;transport=tcp>");
    desk.hear(&raw_inside("ACK", 10, "ack", &tag_of(&sent[0]), ""));
    desk.endpoint.hang_up(desk.now, leg, sip_core::HangUp::new(sip_core::StatusCode::OK));
    let (flow, bye) = desk.drain().remove(0);
    assert_eq!(flow, came);
    assert!(header(&bye, "Via").starts_with("SIP/2.0/TCP 10.0.0.1:5060;"));
}

#[test]
fn a_bye_that_goes_down_with_its_connection_is_sent_once_more_over_a_new_one() {
    let mut desk = Desk::new();
    let came = Flow::stream(Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:34567"), 4);
    desk.flow = came;
    desk.hear(&raw_invite("a", "").replace("/UDP", "/TCP").replace("5060>", "5060;transport=tcp>"));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    desk.hear(&raw_inside("ACK", 10, "ack", &tag_of(&sent[0]), ""));
    let how = sip_core::HangUp::new(sip_core::StatusCode::OK);
    assert_eq!(lines(&desk.act(|e, now| e.hang_up(now, leg, how)).1), ["BYE"]);
    for (connection, again) in [(5, true), (6, false)] {
        let lost = Flow { connection: connection - 1, ..came };
        let lost = if connection == 5 { came } else { Flow { remote: addr("10.0.0.2:5060"), ..lost } };
        assert!(desk.input(Input::Closed { flow: lost }).is_empty());
        let open = desk.others.pop();
        assert_eq!(open.is_some(), again);
        let Some(Output::Open { id, remote, .. }) = open else { continue };
        let flow = Flow { remote, connection, ..came };
        assert_eq!(lines(&desk.input(Input::Opened { id, flow, peer_names: vec![] })), ["BYE"]);
    }
    desk.assert_nothing_left();
}

#[test]
fn a_2xx_whose_connection_is_gone_is_repeated_over_a_new_one() {
    let mut desk = Desk::new();
    let came = Flow::stream(Transport::Tcp, addr("10.0.0.1:5060"), addr("10.0.0.2:34567"), 4);
    desk.flow = came;
    desk.hear(&raw_invite("a", "").replace("/UDP", "/TCP"));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    desk.act(|e, now| e.respond(now, leg, reply(200)));
    desk.input(Input::Closed { flow: came });
    assert!(desk.pass(SECOND).is_empty());
    let Some(Output::Open { id, remote, .. }) = desk.others.pop() else { panic!("no connection") };
    assert_eq!(remote, addr("10.0.0.2:5060"));
    let flow = Flow { remote, connection: 5, ..came };
    assert_eq!(statuses(&desk.input(Input::Opened { id, flow, peer_names: vec![] })), [200]);
    assert_eq!(desk.pass(SECOND).len(), 1, "and goes on there");
}
