//! Trunks known by name: SRV, dead targets, a dead DNS, and what the operator is told.

mod house;

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use house::{ends, house};
use router::journal::fact::Cause;
use sip_core::{
    Message,
    locate::{Kind, Records, Srv},
    message::Header,
};
use testbed::{
    Behaviour, World,
    world::{SECOND, TTL},
};

const FIRST: &str = "10.3.0.1:5070";
const SECOND_HOST: &str = "10.3.0.2:5070";

/// Everything to a trunk that is known by name only.
fn named() -> String {
    let sbc = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"out\"\n[flow.out]\n\
               steps = [{ dial = \"{called}@sbc\" }]\n[trunk.sbc]\nsend_to = [\"udp:sbc.test\"]\n\
               response_timeout = \"2s\"\n";
    house(&[sbc])
}

fn srv(priority: u16, target: &str) -> Srv {
    Srv { priority, weight: 0, port: 5070, target: target.to_owned() }
}

fn a(world: &mut World, name: &str, address: &str) {
    world.dns_says(Kind::A, name, Records::A(vec![address.parse().unwrap()]));
}

/// Two targets, the first before the second.
fn zone(world: &mut World) {
    let entries = vec![srv(10, "one.sbc.test"), srv(20, "two.sbc.test")];
    world.dns_says(Kind::Srv, "_sip._udp.sbc.test", Records::Srv(entries));
    a(world, "one.sbc.test", "10.3.0.1");
    a(world, "two.sbc.test", "10.3.0.2");
}

fn call(world: &mut World) {
    let caller = world.caller("caller");
    world.hangs_up_in(caller, 6 * SECOND);
    world.dials(caller, "+49301");
    world.run_for(10 * SECOND);
}

fn troubles(world: &World, kind: &str) -> u64 {
    world.shard().numbers().sip.name_troubles.get(kind).copied().unwrap_or(0)
}

#[test]
fn rfc3263_4_3_a_dead_first_target_of_srv_costs_one_caller_a_wait_and_no_caller_the_call() {
    let mut world = World::new(1, &named());
    zone(&mut world);
    // By Call-ID: the INVITE that was given up is repeated for its 32 seconds (RFC 3261 §17.1.1.2).
    let calls: Rc<RefCell<BTreeSet<String>>> = Rc::default();
    let counted = Rc::clone(&calls);
    world.lose_if(move |datagram| {
        let is_for_the_dead = datagram.to.to_string() == FIRST;
        if let Some(message) = Message::parse(datagram.bytes.clone()).ok().filter(|_| is_for_the_dead) {
            counted
                .borrow_mut()
                .extend(message.value(Header::CallId).map(|id| String::from_utf8_lossy(&id).into_owned()));
        }
        is_for_the_dead
    });
    let alive = world.phone_at("alive", SECOND_HOST, Behaviour::Answers(SECOND));
    call(&mut world);
    assert_eq!(calls.borrow().len(), 1);
    assert_eq!(ends(&world)[0].0, Cause::CallerHungUp);
    call(&mut world);
    assert_eq!(world.at(alive).got("ACK"), 2, "both were answered");
    assert_eq!(calls.borrow().len(), 1, "who was dead a moment ago is tried last");
}

#[test]
fn a_trunk_that_moves_is_found_when_the_time_of_its_entry_is_over() {
    let mut world = World::new(2, &named());
    zone(&mut world);
    let old = world.phone_at("old", FIRST, Behaviour::Answers(SECOND));
    let new = world.phone_at("new", "10.3.0.9:5070", Behaviour::Answers(SECOND));
    call(&mut world);
    a(&mut world, "one.sbc.test", "10.3.0.9");
    world.run_for(TTL);
    call(&mut world);
    assert_eq!((world.at(old).got("ACK"), world.at(new).got("ACK")), (1, 1));
}

#[test]
fn while_dns_is_dead_calls_go_where_they_went_and_the_operator_is_told() {
    let mut world = World::new(3, &named());
    zone(&mut world);
    let sbc = world.phone_at("sbc", FIRST, Behaviour::Answers(SECOND));
    call(&mut world);
    world.dns_is_dead(true);
    world.run_for(TTL);
    call(&mut world);
    assert_eq!((world.at(sbc).got("ACK"), troubles(&world, "stale")), (2, 1));
    world.run_for(3_700 * SECOND);
    call(&mut world);
    assert_eq!((world.at(sbc).got("ACK"), troubles(&world, "no-answer")), (2, 1), "an hour is enough");
}
