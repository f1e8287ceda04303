//! The transaction machines of RFC 3261 §17, timer by timer and state by state. Time is a variable.

use bytes::Bytes;
use sip_core::transaction::{Action, Client, InviteClient, InviteServer, Server, Timers};
use std::time::{Duration, Instant};

const UDP: bool = false;
const TCP: bool = true;
const REQUEST: Bytes = Bytes::from_static(b"request");
const RESPONSE: Bytes = Bytes::from_static(b"response");
const ACK: Bytes = Bytes::from_static(b"ack");

/// Any instant: from here on time is the test's.
#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What the four machines have in common.
trait Machine {
    fn next(&self) -> Option<(Instant, &'static str)>;
    fn fire(&mut self, now: Instant, out: &mut Vec<Action>);
}

macro_rules! machine {
    ($($name:ty),*) => {$(
        impl Machine for $name {
            fn next(&self) -> Option<(Instant, &'static str)> {
                self.poll_timeout()
            }
            fn fire(&mut self, now: Instant, out: &mut Vec<Action>) {
                self.handle_timeout(now, out);
            }
        }
    )*};
}
machine!(InviteClient, InviteServer, Client);

impl Machine for Server {
    fn next(&self) -> Option<(Instant, &'static str)> {
        self.poll_timeout()
    }
    fn fire(&mut self, now: Instant, _: &mut Vec<Action>) {
        self.handle_timeout(now);
    }
}

/// One timer that fired: milliseconds since the start, its name, what came of it.
type Fired = (u128, &'static str, Vec<Action>);

/// Fires every timer until none is left.
fn run(machine: &mut impl Machine, start: Instant) -> Vec<Fired> {
    let mut fired = vec![];
    while let Some((at, name)) = machine.next() {
        let mut out = vec![];
        machine.fire(at, &mut out);
        fired.push(((at - start).as_millis(), name, out));
    }
    fired
}

fn times(fired: &[Fired], name: &str) -> Vec<u128> {
    fired.iter().filter(|(_, n, _)| *n == name).map(|(ms, _, _)| *ms).collect()
}

fn ask_invite(start: Instant, reliable: bool) -> InviteClient {
    let mut out = vec![];
    let client = InviteClient::new(start, REQUEST, reliable, Timers::default(), &mut out);
    assert_eq!(out, [Action::Send(REQUEST)]);
    client
}

fn ask(start: Instant, reliable: bool) -> Client {
    let mut out = vec![];
    let client = Client::new(start, REQUEST, reliable, Timers::default(), &mut out);
    assert_eq!(out, [Action::Send(REQUEST)]);
    client
}

fn answered(start: Instant, reliable: bool, status: u16) -> InviteServer {
    let (mut server, mut out) = (InviteServer::new(reliable, Timers::default()), vec![]);
    server.respond(start, status, RESPONSE, &mut out);
    assert_eq!(out, [Action::Send(RESPONSE)]);
    server
}

// 17.1.1 INVITE client

#[test]
fn an_unanswered_invite_doubles_its_gap_without_a_cap_and_ends_at_b() {
    let start = origin();
    let mut client = ask_invite(start, UDP);
    let fired = run(&mut client, start);
    assert_eq!(times(&fired, "A"), [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert!(fired.iter().filter(|f| f.1 == "A").all(|f| f.2 == [Action::Send(REQUEST)]));
    assert_eq!(fired.last().unwrap(), &(32_000, "B", vec![Action::TimedOut]));
    assert!(client.is_terminated());
}

#[test]
fn an_unanswered_invite_on_a_stream_is_not_repeated() {
    let start = origin();
    assert_eq!(run(&mut ask_invite(start, TCP), start), [(32_000, "B", vec![Action::TimedOut])]);
}

#[test]
fn a_provisional_response_stops_a_and_b() {
    let start = origin();
    let (mut client, mut out) = (ask_invite(start, UDP), vec![]);
    client.handle_response(start + seconds(1), 100, &mut out);
    client.handle_response(start + seconds(2), 180, &mut out);
    assert_eq!(out, [Action::Deliver, Action::Deliver]);
    assert_eq!(client.poll_timeout(), None);
    assert!(client.is_proceeding());
}

#[test]
fn a_refusal_is_acknowledged_delivered_once_and_acknowledged_again_when_repeated() {
    let start = origin();
    let (mut client, mut out) = (ask_invite(start, UDP), vec![]);
    client.handle_response(start, 486, &mut out);
    client.acknowledge(ACK, &mut out);
    assert_eq!(out, [Action::Acknowledge, Action::Deliver, Action::Send(ACK)]);
    out.clear();
    client.handle_response(start + seconds(1), 486, &mut out);
    assert_eq!(out, [Action::Send(ACK)]);
    assert_eq!(run(&mut client, start), [(32_000, "D", vec![])]);
    assert!(client.is_terminated());
}

#[test]
fn d_is_at_least_32_seconds_even_with_a_small_t1() {
    let (start, mut out) = (origin(), vec![]);
    let quick = Timers { t1: Duration::from_millis(100), ..Timers::default() };
    let mut client = InviteClient::new(start, REQUEST, UDP, quick, &mut out);
    client.handle_response(start, 404, &mut out);
    assert_eq!(client.poll_timeout(), Some((start + seconds(32), "D")));
}

#[test]
fn on_a_stream_a_refused_invite_is_over_at_once_and_its_ack_still_leaves() {
    let start = origin();
    let (mut client, mut out) = (ask_invite(start, TCP), vec![]);
    client.handle_response(start, 503, &mut out);
    assert!(client.is_terminated());
    client.acknowledge(ACK, &mut out);
    assert_eq!(out, [Action::Acknowledge, Action::Deliver, Action::Send(ACK)]);
}

#[test]
fn other_responses_after_a_refusal_are_nothing() {
    let start = origin();
    let (mut client, mut out) = (ask_invite(start, UDP), vec![]);
    client.handle_response(start, 486, &mut out);
    client.acknowledge(ACK, &mut out);
    out.clear();
    client.handle_response(start, 180, &mut out);
    client.handle_response(start, 200, &mut out);
    assert_eq!(out, []);
}

#[test]
fn a_cancelled_invite_waits_64_t1_for_its_final_response() {
    let start = origin();
    let (mut client, mut out) = (ask_invite(start, UDP), vec![]);
    client.handle_response(start, 180, &mut out);
    client.handle_cancelled(start + seconds(5));
    client.handle_cancelled(start + seconds(9));
    assert_eq!(run(&mut client, start), [(37_000, "cancelled", vec![Action::TimedOut])]);
}

#[test]
fn a_487_after_the_cancel_ends_the_wait() {
    let start = origin();
    let (mut client, mut out) = (ask_invite(start, UDP), vec![]);
    client.handle_response(start, 180, &mut out);
    client.handle_cancelled(start);
    out.clear();
    client.handle_response(start + seconds(1), 487, &mut out);
    assert_eq!(out, [Action::Acknowledge, Action::Deliver]);
    assert_eq!(run(&mut client, start), [(33_000, "D", vec![])]);
}

#[test]
fn an_unreachable_far_end_ends_the_invite_once() {
    let start = origin();
    let (mut client, mut out) = (ask_invite(start, UDP), vec![]);
    client.handle_unreachable(&mut out);
    client.handle_unreachable(&mut out);
    assert_eq!(out, [Action::Unreachable]);
    assert_eq!((client.is_terminated(), client.poll_timeout()), (true, None));
}

// 17.1.2 other clients

#[test]
fn an_unanswered_request_is_repeated_with_gaps_up_to_t2_and_ends_at_f() {
    let start = origin();
    let fired = run(&mut ask(start, UDP), start);
    assert_eq!(
        times(&fired, "E"),
        [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    assert_eq!(fired.last().unwrap(), &(32_000, "F", vec![Action::TimedOut]));
}

#[test]
fn after_a_provisional_response_the_gap_is_t2() {
    let start = origin();
    let (mut client, mut out) = (ask(start, UDP), vec![]);
    client.handle_response(start, 100, &mut out);
    let fired = run(&mut client, start);
    assert_eq!(times(&fired, "E"), [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]);
    assert_eq!(fired.last().unwrap().0, 32_000);
}

#[test]
fn a_request_on_a_stream_is_not_repeated_and_over_with_its_answer() {
    let start = origin();
    assert_eq!(run(&mut ask(start, TCP), start), [(32_000, "F", vec![Action::TimedOut])]);
    let (mut client, mut out) = (ask(start, TCP), vec![]);
    client.handle_response(start, 200, &mut out);
    assert_eq!((out, client.is_terminated()), (vec![Action::Deliver], true));
}

#[test]
fn repeated_answers_are_absorbed_for_t4() {
    let start = origin();
    let (mut client, mut out) = (ask(start, UDP), vec![]);
    client.handle_response(start, 200, &mut out);
    client.handle_response(start, 200, &mut out);
    client.handle_unreachable(&mut out);
    assert_eq!(out, [Action::Deliver]);
    assert_eq!(run(&mut client, start), [(5_000, "K", vec![])]);
}

// 17.2.1 INVITE server

#[test]
fn a_busy_answer_is_repeated_until_the_ack_deadline() {
    let start = origin();
    let mut server = answered(start, UDP, 486);
    let fired = run(&mut server, start);
    assert_eq!(
        times(&fired, "G"),
        [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    assert!(fired.iter().filter(|f| f.1 == "G").all(|f| f.2 == [Action::Send(RESPONSE)]));
    assert_eq!(fired.last().unwrap(), &(32_000, "H", vec![Action::AckTimedOut]));
}

#[test]
fn on_a_stream_a_busy_answer_is_sent_once_and_still_wants_its_ack() {
    let start = origin();
    assert_eq!(run(&mut answered(start, TCP, 486), start), [(32_000, "H", vec![Action::AckTimedOut])]);
}

#[test]
fn the_ack_of_a_refusal_ends_the_repeats_and_late_ones_are_absorbed_for_t4() {
    let start = origin();
    let (mut server, mut out) = (answered(start, UDP, 486), vec![]);
    server.handle_ack(start + seconds(1), &mut out);
    server.handle_ack(start + seconds(2), &mut out);
    server.handle_retransmission(&mut out);
    assert_eq!(out, []);
    assert_eq!(run(&mut server, start), [(6_000, "I", vec![])]);
    assert!(server.is_terminated());
}

#[test]
fn on_a_stream_the_ack_of_a_refusal_ends_it() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = answered(start, TCP, 486);
    server.handle_ack(start, &mut out);
    assert!(server.is_terminated());
}

#[test]
fn a_repeated_invite_gets_the_last_response_again() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = InviteServer::new(UDP, Timers::default());
    server.handle_retransmission(&mut out);
    assert_eq!(out, []);
    for (status, text) in [(100, "100"), (180, "180"), (486, "486")] {
        server.respond(start, status, text.into(), &mut out);
        out.clear();
        server.handle_retransmission(&mut out);
        assert_eq!(out, [Action::Send(text.into())]);
    }
}

#[test]
fn a_second_final_response_and_a_late_provisional_one_are_not_sent() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = answered(start, UDP, 486);
    server.respond(start, 180, "180".into(), &mut out);
    server.respond(start, 200, "200".into(), &mut out);
    server.respond(start, 603, "603".into(), &mut out);
    assert_eq!(out, []);
}

#[test]
fn an_invite_may_ring_for_ever_and_a_stray_ack_means_nothing() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = answered(start, UDP, 180);
    server.handle_ack(start, &mut out);
    assert_eq!((server.poll_timeout(), out), (None, vec![]));
    assert!(server.is_proceeding());
}

// 17.2.2 other servers

#[test]
fn a_repeated_request_gets_the_answer_again_for_64_t1() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = Server::new(UDP, Timers::default());
    server.handle_retransmission(&mut out);
    assert_eq!(out, []);
    server.respond(start, 200, RESPONSE, &mut out);
    server.handle_retransmission(&mut out);
    server.respond(start, 500, "500".into(), &mut out);
    assert_eq!(out, [Action::Send(RESPONSE), Action::Send(RESPONSE)]);
    assert_eq!(run(&mut server, start), [(32_000, "J", vec![])]);
    out.clear();
    server.handle_retransmission(&mut out);
    assert_eq!((out, server.is_terminated()), (vec![], true));
}

#[test]
fn on_a_stream_an_answered_request_is_over_at_once() {
    let (start, mut out) = (origin(), vec![]);
    let mut server = Server::new(TCP, Timers::default());
    server.respond(start, 200, RESPONSE, &mut out);
    assert_eq!((out, server.is_terminated()), (vec![Action::Send(RESPONSE)], true));
}

#[test]
fn a_call_too_early_does_nothing() {
    let (start, mut out) = (origin(), vec![]);
    let early = start + Duration::from_millis(499);
    answered(start, UDP, 486).handle_timeout(early, &mut out);
    ask_invite(start, UDP).handle_timeout(early, &mut out);
    ask(start, UDP).handle_timeout(early, &mut out);
    assert_eq!(out, []);
}

#[test]
fn other_values_of_t1_t2_and_t4_are_followed() {
    let (start, mut out) = (origin(), vec![]);
    let timers = Timers { t1: Duration::from_millis(200), t2: Duration::from_millis(400), t4: seconds(1) };
    let mut client = Client::new(start, REQUEST, UDP, timers, &mut out);
    let fired = run(&mut client, start);
    assert_eq!(times(&fired, "E")[..4], [200, 600, 1_000, 1_400]);
    assert_eq!(times(&fired, "F"), [12_800]);
    assert_eq!(timers.give_up(), Duration::from_millis(12_800));
}
