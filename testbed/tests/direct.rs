//! The plain B2BUA: a `dial` step before the answer.

use std::time::Duration;

use router::journal::fact::{Cause, Fault, What};
use testbed::{Behaviour, World, phone::PhoneState, world::SECOND};

const DIRECT: &str = r#"
[node]
name = "direct"
data_dir = "data"
[listen]
sip = ["udp:10.0.0.1:5060"]
[media]
address = "10.0.0.1"
ports = "10000-10999"
[trunk.carrier]
accept_from = ["10.1.0.0/16"]
[trunk.teams]
send_to = ["udp:10.2.0.1:5060"]
[[number]]
match = "*"
trunk = "carrier"
flow = "through"
[flow.through]
steps = [{ dial = "{called}@teams" }]
"#;

fn ended(world: &World) -> (Cause, Fault, Option<u16>) {
    let ends: Vec<_> = world
        .happened()
        .filter_map(|what| match what {
            What::Ended { cause, fault, status, .. } => Some((*cause, *fault, *status)),
            _ => None,
        })
        .collect();
    assert_eq!(ends.len(), 1, "{ends:?}\n{}", world.ladder());
    ends[0]
}

#[test]
fn two_telephones_talk_through_us_and_the_caller_hangs_up() {
    let mut world = World::new(1, DIRECT);
    let caller = world.caller("caller");
    let callee = world.phone_at("callee", "10.2.0.1:5060", Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930123");
    world.run_for(SECOND);
    assert_eq!(world.state(caller), PhoneState::Ringing, "{}", world.ladder());
    world.run_for(4 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    assert!(world.heard(caller, callee) && world.heard(callee, caller));
    world.hangs_up_in(caller, SECOND);
    world.run_for(2 * SECOND);
    assert_eq!(world.state(callee), PhoneState::Ended);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(ended(&world), (Cause::CallerHungUp, Fault::None, None));
    assert!(
        world.happened().any(|what| matches!(what, What::TwoWaySound { after_ms, .. } if *after_ms < 100))
    );
    assert!(world.elapsed() < Duration::from_secs(120), "{:?}", world.elapsed());
}

#[test]
fn a_busy_answer_goes_through_to_the_caller() {
    let mut world = World::new(2, DIRECT);
    let caller = world.caller("caller");
    world.phone_at("callee", "10.2.0.1:5060", Behaviour::Busy);
    world.dials(caller, "+4930123");
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.state(caller), PhoneState::Failed(486));
    assert_eq!(ended(&world), (Cause::Busy, Fault::None, Some(486)));
}
