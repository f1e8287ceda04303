//! RFC 5626 §3.5.2: a telephone behind a NAT holds its mapping open by STUN on the port of SIP.

mod support;

use bytes::Bytes;
use sip_core::{Flow, Input, Output, PeerId, Sources, Transport};
use support::*;

const BINDING: &[u8] = b"\0\x01\0\0\x21\x12\xa4\x42transaction!";

/// What is answered on `flow`.
fn answers(desk: &mut Desk, flow: Flow) -> Vec<(Flow, Bytes)> {
    desk.endpoint.handle_input(desk.now, Input::Received { flow, bytes: Bytes::from_static(BINDING) });
    let mut sent = vec![];
    while let Output::Transmit { flow, bytes } = desk.endpoint.poll_output() {
        sent.push((flow, bytes));
    }
    sent
}

#[test]
fn a_binding_request_is_answered_to_whom_we_know_by_datagram_and_to_nobody_else() {
    let mut desk = Desk::new();
    let mut sources = Sources::new();
    sources.allow("10.0.0.2/32".parse().unwrap(), None, PeerId(1));
    desk.endpoint.set_sources(sources);
    let known = desk.flow;
    let sent = answers(&mut desk, known);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, &sent[0].1[..4], &sent[0].1[8..20]), (known, &[1, 1, 0, 12][..], &BINDING[8..]));
    let stranger = Flow::udp(known.local, addr("10.0.0.9:5060"));
    assert!(answers(&mut desk, stranger).is_empty());
    let stream = Flow::stream(Transport::Tcp, known.local, known.remote, 1);
    assert!(!answers(&mut desk, stream).iter().any(|(_, bytes)| bytes.starts_with(&[1, 1])));
    assert_eq!((desk.endpoint.counters().keep_alives, desk.endpoint.counters().unknown_source), (1, 1));
    desk.endpoint.set_sources(Sources::new());
    desk.assert_nothing_left();
}
