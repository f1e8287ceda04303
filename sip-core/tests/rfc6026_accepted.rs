//! The Accepted states of RFC 6026: a 2xx neither ends an INVITE transaction nor is repeated by it.

use bytes::Bytes;
use sip_core::transaction::{Action, InviteClient, InviteServer, Timers};
use std::time::{Duration, Instant};

const OK: Bytes = Bytes::from_static(b"200");
const LINGER: Duration = Duration::from_secs(32);

/// Any instant: from here on time is the test's.
#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now()
}

fn accepted_server(start: Instant, reliable: bool) -> InviteServer {
    let (mut server, mut out) = (InviteServer::new(reliable, Timers::default()), vec![]);
    server.respond(start, 200, OK, &mut out);
    assert_eq!(out, [Action::Send(OK)]);
    server
}

fn accepted_client(start: Instant, reliable: bool) -> InviteClient {
    let mut out = vec![];
    let mut client = InviteClient::new(start, "INVITE".into(), reliable, Timers::default(), &mut out);
    out.clear();
    client.handle_response(start, 200, &mut out);
    assert_eq!(out, [Action::Deliver]);
    client
}

#[test]
fn a_repeated_invite_after_a_2xx_is_absorbed_for_64_t1_on_any_transport() {
    for reliable in [false, true] {
        let (start, mut out) = (origin(), vec![]);
        let mut server = accepted_server(start, reliable);
        server.handle_retransmission(&mut out);
        assert_eq!(out, []);
        assert_eq!(server.poll_timeout(), Some((start + LINGER, "L")));
        server.handle_timeout(start + LINGER, &mut out);
        assert_eq!((server.is_terminated(), out), (true, vec![]));
    }
}

#[test]
fn the_dialog_repeats_its_2xx_through_the_transaction() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = accepted_server(start, false);
    server.respond(start + Duration::from_millis(500), 200, OK, &mut out);
    server.respond(start, 180, "180".into(), &mut out);
    server.respond(start, 486, "486".into(), &mut out);
    assert_eq!(out, [Action::Send(OK)]);
    assert_eq!(server.poll_timeout(), Some((start + LINGER, "L")), "a repeat does not prolong the state");
}

#[test]
fn an_ack_in_accepted_is_for_the_user() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = accepted_server(start, false);
    server.handle_ack(start, &mut out);
    server.handle_ack(start, &mut out);
    assert_eq!(out, [Action::Deliver, Action::Deliver]);
    assert!(server.is_accepted());
}

#[test]
fn each_2xx_of_each_fork_reaches_the_user_for_64_t1() {
    for reliable in [false, true] {
        let (start, mut out) = (origin(), vec![]);
        let mut client = accepted_client(start, reliable);
        client.handle_response(start + Duration::from_secs(31), 200, &mut out);
        client.handle_response(start + Duration::from_secs(31), 202, &mut out);
        assert_eq!(out, [Action::Deliver, Action::Deliver]);
        assert_eq!(client.poll_timeout(), Some((start + LINGER, "M")));
        client.handle_timeout(start + LINGER, &mut out);
        assert!(client.is_terminated());
        out.clear();
        client.handle_response(start + LINGER, 200, &mut out);
        assert_eq!(out, [], "a stray 2xx is the endpoint's to handle");
    }
}

#[test]
fn refusals_and_provisional_responses_after_a_2xx_are_absorbed() {
    let (start, mut out) = (origin(), vec![]);
    let mut client = accepted_client(start, false);
    client.handle_response(start, 180, &mut out);
    client.handle_response(start, 486, &mut out);
    assert_eq!(out, []);
    assert!(client.is_accepted());
}

#[test]
fn a_transport_error_after_the_2xx_does_not_end_the_client() {
    let (start, mut out) = (origin(), vec![]);
    let mut client = accepted_client(start, false);
    client.handle_unreachable(&mut out);
    assert_eq!((client.is_accepted(), out), (true, vec![]));
}
