//! Whole calls between two endpoints in virtual time.

mod support;

use sip_core::{Event, HangUp, LegKey, StatusCode};
use support::*;

fn leg_of(pair: &Pair, end: usize) -> LegKey {
    pair.events[end]
        .iter()
        .rev()
        .find_map(|event| match event {
            Event::Invite { leg, .. } => Some(*leg),
            _ => None,
        })
        .expect("an INVITE has arrived")
}

/// A call that rings, is answered and acknowledged; the legs of both ends.
fn connected(pair: &mut Pair) -> (LegKey, LegKey) {
    let near = pair.ends[0].invite(pair.now, invite(&["udp:10.0.0.2:5060"])).unwrap();
    pair.run_for(100 * MS);
    let far = leg_of(pair, 1);
    pair.ends[1].respond(pair.now, far, reply(180));
    pair.run_for(100 * MS);
    pair.ends[1].respond(pair.now, far, reply(200).with_body(sdp().unwrap()));
    pair.run_for(100 * MS);
    pair.ends[0].ack(pair.now, near, None);
    pair.run_for(100 * MS);
    (near, far)
}

#[test]
fn a_call_is_rung_answered_acknowledged_and_ended_by_the_caller() {
    let mut pair = Pair::new(1);
    let (near, _) = connected(&mut pair);
    assert_eq!(pair.names(0), ["progress 180 0", "answered"]);
    assert_eq!(pair.names(1), ["invite", "acked"]);
    pair.ends[0].hang_up(pair.now, near, HangUp::new(StatusCode::OK));
    pair.run_for(SECOND);
    assert_eq!(pair.names(1), ["bye"]);
    // INVITE 100 180 200 ACK BYE 200: nothing twice on a link that loses nothing.
    assert_eq!(pair.sent, 7);
    pair.assert_nothing_left("a plain call");
}
