//! An agent calls for help: whatever is full, dead or closing, somebody takes the call.

mod house;

use house::{count, ends, house_with, teams, value};
use router::journal::fact::{Cause, What};
use sip_core::{Service, message::Header};
use testbed::{Behaviour, PhoneId, World, phone::PhoneState, world::SECOND};

/// Agents dial out by Teams; calls for help go by `police` first.
const AGENTS: &str = "agents_dial_out = true\nmax_calls = 1\ncountry = \"49\"\nnumbers_in = \"national\"\n";
const TRUNKS: &str = r#"
[trunk.mobile]
send_to = ["udp:10.3.0.1:5060"]
max_calls = 1
country = "49"
numbers_out = "+e164"
[trunk.police]
send_to = ["udp:10.4.0.1:5060"]
emergency = true
answer_timeout = "5s"
[[number]]
match = "+4930123"
trunk = "carrier"
flow = "out"
[flow.out]
steps = [{ dial = "{called}@mobile" }]
"#;

fn world(more: &str) -> World {
    World::new(21, &house_with("", AGENTS, &format!("{TRUNKS}{more}")))
}

fn police(world: &mut World) -> PhoneId {
    world.phone_at("police", "10.4.0.1:5060", Behaviour::Answers(7 * SECOND))
}

fn mobile(world: &mut World) -> PhoneId {
    world.phone_at("mobile", "10.3.0.1:5060", Behaviour::Answers(SECOND))
}

/// A call that fills trunk mobile, and node and ports as far as the story wants it.
fn ordinary_call(world: &mut World) -> PhoneId {
    let caller = world.caller("+49172555");
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    caller
}

#[test]
fn a_call_for_help_goes_by_the_trunk_for_it_as_it_was_dialled_and_is_marked() {
    for dialled in ["112", "+112"] {
        let mut world = world("[emergency]\nresource_priority = \"esnet.1\"\n");
        let (police, agent) = (police(&mut world), teams(&mut world, Behaviour::Busy));
        world.writes(agent, "Priority", "normal");
        world.dials(agent, dialled);
        world.run_for(10 * SECOND);
        assert_eq!(world.state(agent), PhoneState::Talking, "{}", world.ladder());
        let invite = &world.at(police).last["INVITE"];
        assert_eq!(invite.request_uri_bytes(), "sip:112@10.4.0.1:5060");
        assert_eq!(
            (value(invite, Header::Priority).as_str(), invite.count(Header::Priority)),
            ("emergency", 1)
        );
        assert_eq!(invite.named(b"Resource-Priority").next().as_deref(), Some(&b"esnet.1"[..]));
        world.hangs_up_in(agent, SECOND);
        world.run_until_silent().assert_nothing_left();
        let record = &world.records()[0];
        assert!(record.legs[0].emergency && record.number == "112" && record.is_connected());
        assert_eq!(world.shard().numbers().emergency_calls, 1);
        assert_eq!(count(&world, |what| matches!(what, What::Emergency { .. })), 1);
    }
}

#[test]
fn a_dead_trunk_is_passed_over_and_a_full_one_is_not() {
    let mut world = world("");
    let mobile = mobile(&mut world); // nobody lives at the trunk for it
    ordinary_call(&mut world);
    let agent = teams(&mut world, Behaviour::Busy);
    world.dials(agent, "110");
    world.run_for(6 * SECOND);
    assert_eq!(world.state(agent), PhoneState::Talking, "{}", world.ladder());
    assert_eq!(world.at(mobile).last["INVITE"].request_uri_bytes(), "sip:110@10.3.0.1:5060");
    world.hangs_up_in(mobile, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn neither_a_full_house_nor_a_closing_one_refuses_it() {
    for closing in [false, true] {
        let mut world = world("[limits]\nmax_calls = 1\n");
        police(&mut world);
        mobile(&mut world);
        ordinary_call(&mut world);
        if closing {
            world.service(Service::Draining);
        }
        let late = world.caller("+49172666");
        world.dials(late, "+4930123");
        let agent = teams(&mut world, Behaviour::Busy);
        world.dials(agent, "112");
        world.run_for(10 * SECOND);
        assert_eq!(world.state(late), PhoneState::Failed(503), "{}", world.ladder());
        assert_eq!(world.state(agent), PhoneState::Talking, "{}", world.ladder());
        world.hangs_up_in(agent, SECOND);
        world.hangs_up_in(PhoneId(2), SECOND);
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn who_refuses_is_not_the_last_to_be_asked_and_with_nobody_left_the_answer_is_503() {
    let mut world = world("");
    world.phone_at("police", "10.4.0.1:5060", Behaviour::Refuses(486, SECOND));
    world.phone_at("mobile", "10.3.0.1:5060", Behaviour::Refuses(404, SECOND));
    let agent = teams(&mut world, Behaviour::Busy);
    world.dials(agent, "112");
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.state(agent), PhoneState::Failed(503));
    assert_eq!(count(&world, |what| matches!(what, What::Dialled { .. })), 3, "{}", world.ladder());
}

/// Whoever has got help keeps it: whatever else his trunk's far end may transfer.
#[test]
fn an_agent_behind_a_trunk_that_transfers_cannot_transfer_his_call_for_help() {
    let rule = "[[transfer]]\nmatch = \"*\"\nto = \"{called}@mobile\"\n";
    for (dialled, told) in [("112", &[403][..]), ("+4930123", &[100, 180, 200])] {
        let numbers = TRUNKS.replace("trunk = \"carrier\"\n", "");
        let house = house_with("", &format!("{AGENTS}transfers = true\n"), &format!("{numbers}{rule}"));
        let mut world = World::new(22, &house.replace("max_calls = 1\ncountry", "max_calls = 2\ncountry"));
        let (police, mobile) = (police(&mut world), mobile(&mut world));
        let agent = teams(&mut world, Behaviour::Busy);
        world.dials(agent, dialled);
        world.run_for(8 * SECOND);
        assert_eq!(world.state(agent), PhoneState::Talking, "{}", world.ladder());
        world.transfers_in(agent, "+49301", SECOND);
        world.run_for(4 * SECOND);
        assert_eq!(world.at(agent).transfers.told, told, "{}", world.ladder());
        let with_help = if dialled == "112" { police } else { mobile };
        assert_eq!(world.state(with_help), PhoneState::Talking);
        world.hangs_up_in(agent, SECOND);
        world.hangs_up_in(mobile, SECOND);
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn a_call_by_a_carrier_to_such_a_number_is_none() {
    let mut world = world("");
    let caller = world.caller("+49172555");
    world.dials(caller, "112");
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.state(caller), PhoneState::Failed(404));
    assert_eq!(ends(&world)[0].0, Cause::Rejected);
    assert_eq!(count(&world, |what| matches!(what, What::Emergency { .. })), 0);
}
