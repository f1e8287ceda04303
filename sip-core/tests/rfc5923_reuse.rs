//! RFC 5923: which connection a request leaves by where certificates are shown, and RFC 5922: who is believed on one.

mod support;

use sip_core::{Flow, Input, Listener, Output, PeerId, Settings, Sources, Transport};
use support::*;

const SBC: PeerId = PeerId(1);
const OTHER: PeerId = PeerId(2);

fn tls(connection: u32, port: u16) -> Flow {
    Flow::stream(Transport::Tls, addr("10.0.0.1:5061"), (addr("10.0.0.2:0").ip(), port).into(), connection)
}

/// Speaks UDP and TLS; 10.0.0.2 is the SBC, pinned to sbc.test.
fn desk() -> Desk {
    let listeners = vec![
        Listener::new(Transport::Udp, addr("10.0.0.1:5060")),
        Listener::new(Transport::Tls, addr("10.0.0.1:5061")),
    ];
    let mut desk = Desk::with(Settings::new([7; 32], listeners));
    let mut sources = Sources::new();
    sources.allow("10.0.0.2/32".parse().unwrap(), None, SBC);
    sources.pin(SBC, vec!["sbc.test".to_owned()]);
    desk.endpoint.set_sources(sources);
    desk
}

fn accepted(flow: Flow, name: &str) -> Input {
    Input::Accepted { flow, peer_names: vec![name.to_owned()] }
}

/// Calls on behalf of a peer; the flow the INVITE left by, or `None` if a connection is asked for.
fn calls(desk: &mut Desk, peer: PeerId) -> Option<Flow> {
    let call = sip_core::Invite { peer: Some(peer), ..invite(&["tls:10.0.0.2:5061"]) };
    desk.endpoint.invite(desk.now, call).unwrap();
    desk.drain().first().map(|(flow, _)| *flow)
}

#[test]
fn rfc5922_7_an_address_alone_proves_nothing_where_a_name_is_pinned() {
    let mut desk = desk();
    assert!(desk.hear(&raw_invite("udp", "Content-Length: 0\n")).is_empty());
    desk.flow = tls(1, 40_001);
    assert!(desk.hear(&raw_invite("bare", "Content-Length: 0\n")).is_empty());
    desk.flow = tls(2, 40_002);
    desk.input(accepted(desk.flow, "else.test"));
    assert!(desk.hear(&raw_invite("else", "Content-Length: 0\n")).is_empty());
    assert_eq!((desk.endpoint.counters().unknown_source, desk.events.len()), (3, 0));
    desk.flow = tls(3, 40_003);
    desk.input(accepted(desk.flow, "sbc.test"));
    assert_eq!(statuses(&desk.hear(&raw_invite("sbc", "Content-Length: 0\n"))), [100]);
    assert_eq!(desk.names(), ["invite"]);
}

#[test]
fn rfc5923_a_connection_proved_to_one_peer_carries_no_call_of_another() {
    let mut desk = desk();
    assert_eq!(calls(&mut desk, SBC), None);
    let Some(Output::Open { id, peer, .. }) = desk.others.pop() else { panic!("no connection") };
    assert_eq!(peer, Some(SBC));
    let flow = tls(9, 5061);
    let sent = desk.input(Input::Opened { id, flow, peer_names: vec!["sbc.test".into()] });
    assert_eq!(lines(&sent), ["INVITE"]);
    assert!(header(&sent[0], "Via").starts_with("SIP/2.0/TLS 10.0.0.1:5061;branch="));
    assert_eq!(calls(&mut desk, SBC), Some(flow), "the same peer uses it again");
    assert_eq!(calls(&mut desk, OTHER), None);
    assert!(matches!(desk.others.pop(), Some(Output::Open { peer: Some(OTHER), .. })));
}

#[test]
fn rfc5923_5_an_alias_makes_the_far_ends_connection_the_way_back() {
    for (alias, names, reused) in
        [(";alias", "sbc.test", true), ("", "sbc.test", false), (";alias", "else.test", false)]
    {
        let mut desk = desk();
        desk.flow = tls(4, 40_004);
        desk.input(accepted(desk.flow, names));
        let invite = raw_invite("a", "Content-Length: 0\n")
            .replace("SIP/2.0/UDP 10.0.0.2:5060;", &format!("SIP/2.0/TLS 10.0.0.2:5061{alias};"));
        desk.hear(&invite);
        assert_eq!(calls(&mut desk, SBC), reused.then_some(desk.flow), "{alias} {names}");
    }
}

#[test]
fn rfc3261_12_2_a_request_of_a_dialog_may_come_over_another_connection() {
    let mut desk = desk();
    desk.flow = tls(5, 40_005);
    desk.input(accepted(desk.flow, "sbc.test"));
    desk.hear(&raw_invite("i", "Content-Length: 0\n"));
    let Some(sip_core::Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no call") };
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200)));
    let tag = tag_of(&sent[0]);
    desk.hear(&raw_inside("ACK", 10, "k", &tag, "Content-Length: 0\n"));
    desk.input(Input::Closed { flow: desk.flow });
    desk.flow = tls(6, 40_006);
    desk.input(accepted(desk.flow, "sbc.test"));
    assert_eq!(statuses(&desk.hear(&raw_inside("BYE", 11, "b", &tag, "Content-Length: 0\n"))), [200]);
    assert_eq!(desk.names().last().map(String::as_str), Some("bye"));
}
