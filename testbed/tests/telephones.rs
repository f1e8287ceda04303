//! Agents whose telephones register: who is rung, who is not, and what a stolen password is worth.
#![allow(missing_docs)]

use std::time::Duration;

use media::{sdp::Srtp, srtp::Suite};
use router::journal::fact::{AgentState, Cause, TollRefusal, What, Wish};
use sip_core::{
    Service,
    auth::digest::{Algorithm, Ha1},
};
use testbed::{
    Behaviour, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

const PASSWORD: &str = "correct horse";

/// An agent's `phone` table with what else is to stand in it.
fn phone(user: &str, more: &str) -> String {
    let ha1 = |algorithm| Ha1::of(algorithm, user, "fernamt", PASSWORD);
    let (sha256, md5) = (ha1(Algorithm::Sha256), ha1(Algorithm::Md5));
    format!(
        "phone = {{ user = \"{user}\", ha1_sha256 = \"{}\", ha1_md5 = \"{}\"{more} }}",
        sha256.reveal(),
        md5.reveal()
    )
}

const HOUSE: &str = r#"
[listen]
sip = ["udp:10.0.0.1:5060"]
[media]
address = "10.0.0.1"
[trunk.carrier]
accept_from = ["10.1.0.0/16"]
send_to = ["udp:10.2.0.1:5060"]
[[number]]
match = "*"
trunk = "carrier"
flow = "desk"
[flow.desk]
steps = [{ queue = "desk" }]
[queue.desk]
ring_timeout = "20s"
wrap_up = "0s"
rest_no_answer = "5s"
[registrar]
accept_from = ["10.7.0.0/16"]
keep_alive = "30s"
lock_after = 3
"#;

const MAY_CALL: &str =
    r#", number = "21", trunk = "carrier", may_call = ["+49"], never_call = ["+49900"], calls_per_hour = 2"#;

fn house() -> String {
    let anna = phone("anna", MAY_CALL);
    let bo = phone("bo", r#", number = "22""#);
    format!(
        "{HOUSE}[agent.anna]\ncall = \"phone\"\nqueues = [\"desk\"]\n{anna}\n\
         [agent.bo]\ncall = \"phone\"\nqueues = [\"desk\"]\n{bo}\n"
    )
}

fn world() -> World {
    World::new(7, &house())
}

/// A telephone behind a NAT: its Contact is an address that nobody can reach.
fn registered(world: &mut World, user: &str, last: u8, expires: u32) -> PhoneId {
    let address = format!("10.7.0.{last}:5062");
    let id = world.phone_at(user, &address, Behaviour::Answers(2 * SECOND));
    world.logs_in(id, user, PASSWORD);
    world.registers_in(id, &format!("<sip:{user}@192.168.1.{last}:5062>"), expires, Duration::ZERO);
    world.run_for(SECOND);
    assert_eq!(world.at(id).registered, 200, "{}", world.ladder());
    id
}

fn unregistered(world: &World) -> Vec<&str> {
    let why = |what: &What| matches!(what, What::Unregistered { .. });
    world
        .happened()
        .filter(|what| why(what))
        .map(|what| match what {
            What::Unregistered { why, .. } => why.as_str(),
            _ => "",
        })
        .collect()
}

#[test]
fn a_caller_is_given_to_an_agent_whose_telephone_has_registered_and_speaks_with_him() {
    let mut world = world();
    let anna = registered(&mut world, "anna", 1, 600);
    let caller = world.caller("caller");
    world.dials(caller, "4930");
    world.run_for(5 * SECOND);
    assert_eq!((world.at(anna).state, world.state(caller)), (PhoneState::Talking, PhoneState::Talking));
    assert!(world.heard(caller, anna) && world.heard(anna, caller));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.records()[0].agent.as_deref(), Some("anna"));
    assert_eq!(world.records()[0].legs[1].trunk, "phone");
}

#[test]
fn an_agent_without_a_telephone_counts_as_paused_until_one_registers() {
    let mut world = world();
    assert_eq!(world.agent_state("anna"), AgentState::NotReady);
    let caller = world.caller("caller");
    world.dials(caller, "4930");
    world.run_for(30 * SECOND);
    assert_eq!(world.waiting("desk"), 1);
    let anna = registered(&mut world, "anna", 1, 600);
    world.run_for(5 * SECOND);
    assert_eq!((world.waiting("desk"), world.at(anna).state), (0, PhoneState::Talking));
    world.hangs_up_in(caller, SECOND);
    world.registers_in(anna, "*", 0, 2 * SECOND);
    world.run_for(4 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::NotReady);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(unregistered(&world), ["signed off"]);
}

#[test]
fn all_telephones_of_an_agent_ring_and_the_first_to_answer_wins() {
    let mut world = world();
    let desk = registered(&mut world, "anna", 1, 600);
    let home = registered(&mut world, "anna", 2, 600);
    world.behave(desk, Behaviour::NeverAnswers);
    let caller = world.caller("caller");
    world.dials(caller, "4930");
    world.run_for(SECOND);
    assert_eq!((world.at(desk).state, world.at(home).state), (PhoneState::Rung, PhoneState::Rung));
    world.run_for(4 * SECOND);
    assert_eq!((world.at(desk).state, world.at(home).state), (PhoneState::Failed(487), PhoneState::Talking));
    world.hangs_up_in(home, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn a_telephone_that_died_is_found_out_by_two_questions_and_one_that_lives_expires_in_its_time() {
    let mut world = world();
    let dead = registered(&mut world, "anna", 1, 3_600);
    registered(&mut world, "bo", 2, 120);
    world.dies_in(dead, 10 * SECOND);
    world.run_for(80 * SECOND);
    assert_eq!(
        (unregistered(&world), world.agent_state("anna")),
        (vec!["does not answer"], AgentState::NotReady)
    );
    assert_eq!(world.agent_state("bo"), AgentState::Idle);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(unregistered(&world), ["does not answer", "expired"]);
    assert!(world.elapsed() < 160 * SECOND, "{:?}", world.elapsed());
}

#[test]
fn a_telephone_stays_registered_over_a_reload_unless_its_password_has_changed() {
    let mut world = world();
    registered(&mut world, "anna", 1, 600);
    let bo = registered(&mut world, "bo", 2, 600);
    let changed = house().replace(
        Ha1::of(Algorithm::Sha256, "anna", "fernamt", PASSWORD).reveal(),
        Ha1::of(Algorithm::Sha256, "anna", "fernamt", "another one").reveal(),
    );
    world.reload(&changed);
    assert_eq!(
        (unregistered(&world), world.shard().registrar().len()),
        (vec!["removed from the configuration"], 1)
    );
    assert_eq!(
        (world.agent_state("anna"), world.agent_state("bo")),
        (AgentState::NotReady, AgentState::Idle)
    );
    let differs = world.happened().find_map(|what| match what {
        What::ConfigLoaded { difference } => Some(difference.clone()),
        _ => None,
    });
    assert_eq!(differs.as_deref(), Some("agent.anna.phone.ha1_sha256 changed"));
    world.registers_in(bo, "*", 0, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn who_registers_with_a_wrong_password_is_not_rung_and_in_the_end_locked_out() {
    let mut world = world();
    let thief = world.phone_at("thief", "10.7.0.66:5060", Behaviour::Answers(SECOND));
    for (at, guess) in ["one", "two", "three", PASSWORD].into_iter().enumerate() {
        world.logs_in(thief, "anna", guess);
        world.registers_in(thief, "<sip:anna@10.7.0.66>", 600, SECOND);
        world.run_for(5 * SECOND);
        assert_eq!(world.at(thief).registered, 401, "guess {at}");
    }
    let locked = world
        .happened()
        .any(|what| matches!(what, What::LockedOut { agent: Some(agent), .. } if agent == "anna"));
    assert!(locked && world.shard().registrar().is_empty());
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn a_scanner_from_elsewhere_hears_nothing_and_one_from_within_no_more_than_a_question() {
    let mut world = world();
    let outside = world.phone_at("scanner", "10.66.0.1:5060", Behaviour::Dead);
    world.registers_in(outside, "<sip:100@10.66.0.1>", 60, Duration::ZERO);
    world.dials(outside, "100");
    world.run_for(40 * SECOND);
    assert!(world.at(outside).got.is_empty());
    let inside = world.phone_at("scanner", "10.7.0.9:5060", Behaviour::Dead);
    world.dials(inside, "100");
    world.run_for(5 * SECOND);
    assert_eq!(world.state(inside), PhoneState::Failed(401));
    world.run_until_silent().assert_nothing_left();
}

/// Behind the carrier.
fn customer(world: &mut World) -> PhoneId {
    world.phone_at("customer", "10.2.0.1:5060", Behaviour::Answers(2 * SECOND))
}

#[test]
fn an_agent_calls_out_by_his_trunk_and_is_given_no_caller_while_he_speaks() {
    let mut world = world();
    let (anna, customer) = (registered(&mut world, "anna", 1, 600), customer(&mut world));
    world.dials(anna, "+49-30-(1234)");
    world.run_for(4 * SECOND);
    assert_eq!((world.state(anna), world.at(customer).state), (PhoneState::Talking, PhoneState::Talking));
    assert!(world.heard(customer, anna) && world.heard(anna, customer));
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    let caller = world.caller("caller");
    world.dials(caller, "4930");
    world.run_for(5 * SECOND);
    assert_eq!(world.waiting("desk"), 1);
    world.hangs_up_in(customer, SECOND);
    world.run_for(5 * SECOND);
    assert_eq!((world.waiting("desk"), world.at(anna).state), (0, PhoneState::Talking));
    world.hangs_up_in(caller, SECOND);
    world.registers_in(anna, "*", 0, 2 * SECOND);
    world.run_until_silent().assert_nothing_left();
    let call = &world.records()[0];
    let told = (call.trunk.as_str(), call.from.as_str(), call.to.as_str(), call.agent.as_deref());
    assert_eq!(told, ("phone", "21", "+49301234", Some("anna")));
    assert_eq!(call.legs[1].trunk, "carrier");
}

#[test]
fn the_toll_guard_lets_an_agent_call_where_he_may_and_as_often_as_he_may() {
    let mut world = world();
    let (anna, customer) = (registered(&mut world, "anna", 1, 3_600), customer(&mut world));
    let bo = registered(&mut world, "bo", 2, 3_600);
    let call = |world: &mut World, phone, number: &str| {
        world.dials(phone, number);
        world.run_for(4 * SECOND);
        let state = world.state(phone);
        if state == PhoneState::Talking {
            world.hangs_up_in(phone, Duration::ZERO);
        }
        world.run_for(4 * SECOND);
        state
    };
    let refused = PhoneState::Failed(403);
    assert_eq!(call(&mut world, anna, "+33123"), refused);
    assert_eq!(call(&mut world, anna, "+49900123"), refused);
    assert_eq!(call(&mut world, bo, "+49301"), refused);
    assert_eq!(call(&mut world, anna, "+49301"), PhoneState::Talking);
    assert_eq!(call(&mut world, anna, "+49302"), PhoneState::Talking);
    assert_eq!(call(&mut world, anna, "+49303"), refused);
    assert_eq!(world.at(customer).answered, 2);
    world.run_for(3_600 * SECOND - 40 * SECOND);
    let why: Vec<TollRefusal> = world
        .happened()
        .filter_map(|what| if let What::TollRefused { why, .. } = what { Some(*why) } else { None })
        .collect();
    use TollRefusal::{Destination, NoTrunk, PerHour};
    assert_eq!(why, [Destination, Destination, NoTrunk, PerHour]);
    world.run_until_silent().assert_nothing_left();
    assert!(world.records().iter().filter(|record| record.cause == Some(Cause::Rejected)).count() == 4);
}

/// RFC 3966 §5.1.5, RFC 3261 §19.1.6: what a telephone writes behind a number may mean another one.
#[test]
fn what_stands_behind_a_number_does_not_get_past_the_toll_guard() {
    for (behind, status) in [
        ("+49301;phone-context=+33", None),
        ("+49301%3Bext=900", None),
        ("301;phone-context=+49", Some(403)),
        ("+33;phone-context=+49", Some(403)),
        (";phone-context=+49", Some(403)),
    ] {
        let mut world = world();
        let (anna, customer) = (registered(&mut world, "anna", 1, 3_600), customer(&mut world));
        world.dials(anna, behind);
        world.run_for(4 * SECOND);
        if let Some(status) = status {
            assert_eq!((world.state(anna), world.at(customer).answered), (PhoneState::Failed(status), 0));
        } else {
            assert_eq!(world.at(customer).last["INVITE"].request_uri_bytes(), "sip:+49301@10.2.0.1:5060");
            assert_eq!(world.state(anna), PhoneState::Talking, "{behind}");
            world.hangs_up_in(anna, SECOND);
        }
        world.registers_in(anna, "*", 0, 2 * SECOND);
        world.run_until_silent().assert_nothing_left();
        let dialled = if status.is_some() { behind.split(';').next().unwrap() } else { "+49301" };
        assert_eq!(world.records()[0].to, dialled, "{behind}");
    }
}

/// No `may_call` has it, a call of his is under way already, the node is full, and it is about to end.
#[test]
fn a_call_for_help_passes_the_toll_guard_every_limit_and_a_drain() {
    let anna = phone("anna", &format!("{MAY_CALL}, calls_at_once = 1"));
    let full = format!(
        "{HOUSE}[limits]\nmax_calls = 1\n[agent.anna]\ncall = \"phone\"\nqueues = [\"desk\"]\n{anna}\n"
    );
    for dialled in ["112", "112;phone-context=+49"] {
        let mut world = World::new(7, &full);
        let (anna, customer) = (registered(&mut world, "anna", 1, 600), customer(&mut world));
        world.dials(anna, "+49301");
        world.run_for(4 * SECOND);
        assert_eq!(world.at(customer).answered, 1, "{}", world.ladder());
        world.service(Service::Draining);
        world.dials(anna, "+49302");
        world.run_for(SECOND);
        assert_eq!(world.at(customer).answered, 1);
        world.dials(anna, dialled);
        world.run_for(4 * SECOND);
        assert_eq!(world.at(customer).answered, 2, "{dialled}: {}", world.ladder());
        assert_eq!(world.at(customer).last["INVITE"].request_uri_bytes(), "sip:112@10.2.0.1:5060");
        world.hangs_up_in(anna, SECOND);
        world.registers_in(anna, "*", 0, 2 * SECOND);
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn a_colleague_is_called_by_name_or_short_number_and_neither_is_given_a_caller_meanwhile() {
    let mut world = world();
    let anna = registered(&mut world, "anna", 1, 600);
    let bo = registered(&mut world, "bo", 2, 600);
    for (at, name) in ["bo", "22"].into_iter().enumerate() {
        world.dials(anna, name);
        world.run_for(4 * SECOND);
        assert_eq!(
            (world.state(anna), world.at(bo).state),
            (PhoneState::Talking, PhoneState::Talking),
            "{at}"
        );
        let busy = (world.agent_state("anna"), world.agent_state("bo"));
        assert_eq!(busy, (AgentState::Talking, AgentState::Talking));
        world.hangs_up_in(bo, Duration::ZERO);
        world.run_for(3 * SECOND);
        assert_eq!(
            (world.agent_state("anna"), world.agent_state("bo")),
            (AgentState::Idle, AgentState::Idle)
        );
    }
    world.registers_in(bo, "*", 0, Duration::ZERO);
    world.run_for(SECOND);
    world.dials(anna, "22");
    world.run_for(2 * SECOND);
    assert_eq!(world.state(anna), PhoneState::Failed(480));
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn an_agent_who_calls_while_he_is_rung_is_busy_until_both_are_over() {
    let mut world = world();
    let (anna, customer) = (registered(&mut world, "anna", 1, 600), customer(&mut world));
    world.behave(anna, Behaviour::NeverAnswers);
    let caller = world.caller("caller");
    world.dials(caller, "4930");
    world.run_for(SECOND);
    world.dials(anna, "+4930");
    world.run_for(30 * SECOND);
    assert_eq!(
        (world.at(customer).state, world.agent_state("anna")),
        (PhoneState::Talking, AgentState::Talking)
    );
    assert_eq!(world.waiting("desk"), 1);
    world.hangs_up_in(customer, Duration::ZERO);
    world.run_for(500 * MILLISECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Ringing);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// anna has taken a caller of the queue and has called somebody besides, from the same telephone.
fn consulting(world: &mut World, anna: PhoneId, dialled: &str) -> PhoneId {
    let caller = world.caller("caller");
    world.dials(caller, "4930");
    world.run_for(3 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    world.dials(anna, dialled);
    world.run_for(4 * SECOND);
    caller
}

/// Who speaks goes with his leg into the call to which it is given.
#[test]
fn a_colleague_who_is_given_a_caller_is_given_no_other_while_he_speaks() {
    let mut world = world();
    let anna = registered(&mut world, "anna", 1, 600);
    let bo = registered(&mut world, "bo", 2, 600);
    let caller = consulting(&mut world, anna, "22");
    world.transfers_attended_in(anna, Duration::ZERO);
    world.run_for(2 * SECOND);
    assert_eq!(world.at(anna).transfers.told, [100, 200], "{}", world.ladder());
    assert!(world.heard(caller, bo) && world.heard(bo, caller));
    assert_eq!((world.agent_state("anna"), world.agent_state("bo")), (AgentState::Idle, AgentState::Talking));
    world.agent_wish("anna", Wish::Paused);
    let second = world.caller("second");
    world.dials(second, "4930");
    world.run_for(3 * SECOND);
    assert_eq!((world.waiting("desk"), world.at(bo).most_at_once), (1, 1));
    world.hangs_up_in(caller, Duration::ZERO);
    world.run_for(4 * SECOND);
    assert_eq!((world.waiting("desk"), world.at(bo).state), (0, PhoneState::Talking));
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Still ringing he is the other call's as well.
#[test]
fn a_colleague_who_still_rings_is_rung_for_the_caller() {
    let mut world = world();
    let anna = registered(&mut world, "anna", 1, 600);
    let bo = registered(&mut world, "bo", 2, 600);
    world.behave(bo, Behaviour::Answers(8 * SECOND));
    let caller = consulting(&mut world, anna, "22");
    assert_eq!(world.agent_state("bo"), AgentState::Ringing);
    world.transfers_attended_in(anna, Duration::ZERO);
    world.run_for(10 * SECOND);
    assert_eq!(world.at(anna).transfers.told, [100, 180, 200], "{}", world.ladder());
    assert!(world.heard(caller, bo) && world.heard(bo, caller), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Who pays goes with the leg, too: what was given away costs on.
#[test]
fn a_call_that_was_given_away_counts_among_those_at_once_until_it_is_over() {
    let anna = phone("anna", &format!("{}, calls_at_once = 1", MAY_CALL.replace("= 2", "= 9")));
    let house = format!("{HOUSE}[agent.anna]\ncall = \"phone\"\nqueues = [\"desk\"]\n{anna}\n");
    for answers_in in [2, 9] {
        let mut world = World::new(7, &house);
        let (anna, customer) = (registered(&mut world, "anna", 1, 600), customer(&mut world));
        world.behave(customer, Behaviour::Answers(answers_in * SECOND));
        let caller = consulting(&mut world, anna, "+49301");
        world.transfers_attended_in(anna, Duration::ZERO);
        world.run_for(12 * SECOND);
        assert!(world.heard(caller, customer) && world.heard(customer, caller), "{}", world.ladder());
        assert_eq!(world.agent_state("anna"), AgentState::Idle);
        world.dials(anna, "+49302");
        world.run_for(SECOND);
        assert_eq!(world.state(anna), PhoneState::Failed(403), "{}", world.ladder());
        world.hangs_up_in(caller, Duration::ZERO);
        world.run_for(2 * SECOND);
        world.dials(anna, "+49302");
        world.run_for(12 * SECOND);
        assert_eq!(world.state(anna), PhoneState::Talking, "{}", world.ladder());
        world.hangs_up_in(anna, Duration::ZERO);
        world.registers_in(anna, "*", 0, SECOND);
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn an_agents_srtp_holds_for_the_calls_that_he_makes_and_for_those_of_colleagues() {
    let house = house().replace("call = \"phone\"\n", "call = \"phone\"\nsrtp = \"required\"\n");
    let mut world = World::new(7, &house);
    let anna = registered(&mut world, "anna", 1, 600);
    let bo = registered(&mut world, "bo", 2, 600);
    let customer = customer(&mut world);
    for phone in [anna, bo] {
        world.encrypts(phone, Srtp::Required, &[Suite::AesCm128HmacSha1_80]);
    }
    for (dialled, other) in [("+49301", customer), ("22", bo)] {
        let before = world.at(anna).encrypted;
        world.dials(anna, dialled);
        world.run_for(4 * SECOND);
        assert!(world.heard(anna, other) && world.heard(other, anna), "{dialled}: {}", world.ladder());
        assert!(world.at(anna).encrypted > before);
        world.hangs_up_in(anna, Duration::ZERO);
        world.run_for(2 * SECOND);
    }
    assert!(world.at(bo).encrypted > 0 && world.at(customer).encrypted == 0);
    // Help comes before keys.
    world.encrypts(anna, Srtp::Off, &[]);
    world.dials(anna, "112");
    world.run_for(4 * SECOND);
    assert_eq!(world.state(anna), PhoneState::Talking, "{}", world.ladder());
    world.hangs_up_in(anna, Duration::ZERO);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn a_colleague_who_speaks_already_is_busy_and_is_not_rung() {
    let mut world = world();
    let anna = registered(&mut world, "anna", 1, 600);
    let bo = registered(&mut world, "bo", 2, 600);
    customer(&mut world);
    world.dials(anna, "+49301");
    world.run_for(4 * SECOND);
    world.dials(bo, "21");
    world.run_for(SECOND);
    assert_eq!((world.state(bo), world.at(anna).most_at_once), (PhoneState::Failed(486), 1));
    // Nor is he to be had for somebody who is transferred to him.
    world.agent_wish("anna", Wish::LoggedOut);
    world.dials(bo, "anna");
    world.run_for(SECOND);
    assert_eq!((world.state(bo), world.at(anna).most_at_once), (PhoneState::Failed(486), 1));
    world.hangs_up_in(anna, Duration::ZERO);
    world.run_for(2 * SECOND);
    // Who is not at work may be called by a colleague all the same.
    world.dials(bo, "anna");
    world.run_for(4 * SECOND);
    assert_eq!(world.state(bo), PhoneState::Talking, "{}", world.ladder());
    assert_eq!(world.agent_state("anna"), AgentState::LoggedOut);
    world.hangs_up_in(bo, Duration::ZERO);
    world.run_until_silent().assert_nothing_left();
}

/// RFC 3515: from his telephone an agent transfers whom he has called as he transfers a caller.
#[test]
fn an_agent_transfers_whom_he_has_called() {
    let mut world = world();
    let anna = registered(&mut world, "anna", 1, 600);
    let bo = registered(&mut world, "bo", 2, 600);
    let customer = customer(&mut world);
    world.dials(anna, "+49301");
    world.run_for(4 * SECOND);
    world.transfers_in(anna, "bo", Duration::ZERO);
    world.run_for(4 * SECOND);
    assert_eq!(world.at(anna).transfers.told, [100, 180, 200], "{}", world.ladder());
    assert!(world.heard(customer, bo) && world.heard(bo, customer), "{}", world.ladder());
    assert_eq!((world.agent_state("anna"), world.agent_state("bo")), (AgentState::Idle, AgentState::Talking));
    world.hangs_up_in(customer, SECOND);
    world.run_for(3 * SECOND);
    let record = world.records().remove(0);
    let agents: Vec<_> = record.segments.iter().map(|segment| segment.agent.as_deref()).collect();
    assert_eq!((record.agent.as_deref(), &agents[..]), (Some("anna"), &[None, Some("bo")][..]));
    // Whom nobody has allowed that is refused, and talks on.
    world.reload(&house().replace("call = \"phone\"\n", "call = \"phone\"\ntransfers = false\n"));
    world.dials(anna, "+49302");
    world.run_for(4 * SECOND);
    world.transfers_in(anna, "bo", Duration::ZERO);
    world.run_for(SECOND);
    assert_eq!(world.at(anna).transfers.told.last(), Some(&403));
    assert_eq!(world.state(anna), PhoneState::Talking);
    world.hangs_up_in(anna, Duration::ZERO);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn a_call_for_help_is_not_given_up_for_another_call() {
    let mut world = world();
    let (anna, police) = (registered(&mut world, "anna", 1, 600), customer(&mut world));
    let caller = consulting(&mut world, anna, "112");
    world.transfers_attended_in(anna, Duration::ZERO);
    world.run_for(2 * SECOND);
    assert_eq!(world.at(anna).transfers.told, [100, 481], "{}", world.ladder());
    assert_eq!((world.state(caller), world.at(police).state), (PhoneState::Talking, PhoneState::Talking));
    world.hangs_up_in(anna, Duration::ZERO);
    world.run_until_silent().assert_nothing_left();
}

/// RFC 3891 §3: who sends Replaces must be allowed to.
#[test]
fn a_registered_telephone_takes_the_place_of_its_own_agent_and_of_nobody_else() {
    let mut world = world();
    let (desk, home) = (registered(&mut world, "anna", 1, 600), registered(&mut world, "anna", 2, 600));
    let bo = registered(&mut world, "bo", 3, 600);
    let customer = customer(&mut world);
    world.dials(desk, "+49301");
    world.run_for(4 * SECOND);
    let named = world.names_call(desk);
    for phone in [bo, home] {
        world.writes(phone, "Replaces", &named);
        world.dials(phone, "anna");
        world.run_for(SECOND);
    }
    assert_eq!((world.state(bo), world.state(home)), (PhoneState::Failed(403), PhoneState::Talking));
    assert_eq!((world.state(desk), world.at(customer).state), (PhoneState::Ended, PhoneState::Talking));
    world.run_for(SECOND);
    assert!(world.heard(home, customer) && world.heard(customer, home), "{}", world.ladder());
    assert_eq!((world.agent_state("anna"), world.agent_state("bo")), (AgentState::Talking, AgentState::Idle));
    world.hangs_up_in(home, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Whatever its From says: by his password we know who he is.
#[test]
fn whoever_takes_a_place_is_on_record_under_the_number_that_we_know_him_by() {
    let mut world = world();
    let (desk, customer) = (registered(&mut world, "anna", 1, 600), customer(&mut world));
    let liar = world.phone_at("+4966600", "10.7.0.4:5062", Behaviour::Busy);
    world.logs_in(liar, "anna", PASSWORD);
    world.dials(desk, "+49301");
    world.run_for(4 * SECOND);
    let named = world.names_call(desk);
    world.writes(liar, "Replaces", &named);
    world.writes(liar, "P-Asserted-Identity", "<sip:+4966601@x>");
    world.dials(liar, "anna");
    world.run_for(2 * SECOND);
    assert!(world.heard(liar, customer), "{}", world.ladder());
    world.hangs_up_in(liar, SECOND);
    world.run_until_silent().assert_nothing_left();
    let record = &world.records()[0];
    assert_eq!((record.legs[2].party.as_str(), record.legs[2].agent.as_deref()), ("21", Some("anna")));
}
