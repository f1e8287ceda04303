//! A caller's order key: what he keeps from queue to queue, and what puts him ahead of others.

mod house;

use house::{house, left};
use router::{
    credit::{Credit, Why},
    journal::fact::{LeftQueue, What, Wish},
};
use testbed::{Behaviour, PhoneId, World, world::SECOND};

/// Numbers 1 and 2 lead to the first and the second queue, which follows the first; number 3 to the first and, after a
/// menu, to it again. Anna serves all, once she is told to.
const DESK: &str = r#"
[[number]]
match = "1*"
trunk = "carrier"
flow = "first"
[[number]]
match = "2*"
trunk = "carrier"
flow = "second"
[[number]]
match = "3"
trunk = "carrier"
flow = "menu"
[[number]]
match = "4"
trunk = "carrier"
flow = "second"
boost = "3s"
[flow.first]
steps = [{ queue = "first" }, { play = "prompts/closed.wav" }, { queue = "second" }, "hangup"]
[flow.second]
steps = [{ queue = "second" }, "hangup"]
[flow.menu]
steps = [
  { queue = "first" },
  { menu = { prompt = "prompts/menu.wav", timeout = "5s", tries = 1, keys = { 1 = "queue.first" }, otherwise = "hangup" } },
  "hangup",
]
[queue.first]
max_wait = "10s"
[queue.second]
returning = { within = "10m", boost = "2m" }
[callers.gold]
numbers = ["+49171*", "+49172000"]
boost = "10s"
[callers.red]
numbers = "+49172*"
priority = 1
[agent.anna]
call = "sip:anna@10.2.0.11:5060"
queues = ["first", "second"]
login = "manual"
"#;

fn desk(seed: u64) -> (World, PhoneId) {
    let mut world = World::new(seed, &house(&[DESK]));
    let anna = house::anna(&mut world, Behaviour::Answers(SECOND));
    (world, anna)
}

/// Anna comes and takes one caller: it is this one.
#[track_caller]
fn anna_takes(world: &mut World, anna: PhoneId, caller: PhoneId) {
    world.agent_wish("anna", Wish::Ready);
    world.agent_wish("anna", Wish::Paused); // after this call
    world.run_for(2 * SECOND);
    assert!(world.heard(anna, caller), "{}", world.ladder());
}

#[track_caller]
fn all_hang_up(world: &mut World, callers: &[PhoneId]) {
    callers.iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn who_is_sent_on_to_another_queue_stands_there_by_the_time_at_which_he_came_to_the_first() {
    let (mut world, anna) = desk(1);
    let (sent_on, direct) = (world.caller("sent-on"), world.caller("direct"));
    world.dials(sent_on, "1");
    world.run_for(5 * SECOND);
    world.dials(direct, "2");
    world.run_for(10 * SECOND); // max_wait is 10 s, closed.wav 2 s
    assert_eq!((world.waiting("second"), left(&world)), (2, vec![LeftQueue::TimedOut]));
    anna_takes(&mut world, anna, sent_on);
    all_hang_up(&mut world, &[sent_on, direct]);
}

#[test]
fn who_leaves_for_a_menu_and_comes_back_has_the_place_he_had() {
    let (mut world, anna) = desk(2);
    let (returns, later) = (world.caller("returns"), world.caller("later"));
    world.dials(returns, "3");
    world.run_for(5 * SECOND);
    world.dials(later, "3");
    world.presses_in(returns, '1', 6 * SECOND);
    world.run_for(8 * SECOND);
    assert_eq!(world.waiting("first"), 2);
    anna_takes(&mut world, anna, returns);
    all_hang_up(&mut world, &[returns, later]);
}

#[test]
fn a_clock_that_is_set_back_an_hour_changes_nobodys_place() {
    let (mut world, anna) = desk(3);
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "1");
    world.run_for(SECOND);
    world.sets_clock_back(3_600 * SECOND);
    world.dials(second, "2");
    world.run_for(SECOND);
    anna_takes(&mut world, anna, first);
}

#[test]
fn a_clock_that_is_set_back_an_hour_makes_nobody_wait_longer_for_further_agents() {
    let queue = "widen = [{ after = \"30s\", agents_of = \"sales\" }]\n[queue.sales]\n";
    let bo = house::BO.replace("support", "sales");
    let mut world = house::world(4, &[house::QUEUE, queue, &bo]);
    house::bo(&mut world, Behaviour::Answers(SECOND));
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(10 * SECOND);
    world.sets_clock_back(3_600 * SECOND);
    world.run_for(25 * SECOND);
    assert_eq!(house::assigned(&world), ["bo"]);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent();
}

/// Credits of each entry into a queue, and by how much the key is smaller than arrival and credits make it.
fn credits(world: &World) -> Vec<Vec<Credit>> {
    let of = |what: &What| match what {
        What::Queued { key, arrived, credits, .. } => {
            let credit: u64 = credits.iter().map(|credit| credit.ms * 1_000).sum();
            assert_eq!(*key + credit, u64::try_from(*arrived).unwrap(), "{credits:?}");
            Some(credits.clone())
        }
        _ => None,
    };
    world.happened().filter_map(of).collect()
}

#[test]
fn a_number_with_a_boost_brings_its_callers_before_those_who_came_a_little_sooner() {
    let (mut world, anna) = desk(4);
    let callers = ["long-before", "shortly-before", "boosted"].map(|name| world.caller(name));
    for (caller, called) in callers.into_iter().zip(["2", "2", "4"]) {
        world.dials(caller, called);
        world.run_for(2 * SECOND);
    }
    for next in [0, 2, 1].map(|at| callers[at]) {
        anna_takes(&mut world, anna, next);
        world.hangs_up_in(next, SECOND);
        world.run_for(2 * SECOND);
    }
    world.run_until_silent().assert_nothing_left();
    let why = Why::Number { number: "4".into() };
    assert_eq!(credits(&world), [vec![], vec![], vec![Credit { ms: 3_000, why }]]);
}

#[test]
fn a_caller_is_known_by_the_longest_pattern_of_his_number_and_his_boost_goes_along_with_him() {
    let (mut world, anna) = desk(5);
    let (gold, other) = (world.caller("+49171123"), world.caller("other"));
    world.dials(other, "2");
    world.run_for(4 * SECOND);
    world.dials(gold, "1"); // sent on after ten seconds
    world.run_for(13 * SECOND);
    anna_takes(&mut world, anna, gold);
    let (red, gold_too) = (world.caller("+49172111"), world.caller("+49172000"));
    world.dials(gold_too, "2");
    world.run_for(SECOND);
    world.dials(red, "2");
    world.hangs_up_in(gold, SECOND);
    world.run_for(3 * SECOND);
    anna_takes(&mut world, anna, red);
    let gold = || vec![Credit { ms: 10_000, why: Why::Callers { callers: "gold".into() } }];
    let told = credits(&world);
    assert_eq!(told[..4], [vec![], gold(), gold(), gold()]);
    assert_eq!(told[4][0].why, Why::Raised { callers: "red".into(), priority: 1 });
    all_hang_up(&mut world, &[other, red, gold_too]);
}

#[test]
fn who_withholds_his_number_is_nobody_of_whom_the_configuration_speaks() {
    let (mut world, _) = desk(6);
    let hidden = world.caller("+49171123");
    world.writes(hidden, "Privacy", "id");
    world.dials(hidden, "2");
    world.run_for(SECOND);
    assert_eq!(credits(&world), [vec![]]);
    all_hang_up(&mut world, &[hidden]);
}

#[test]
fn a_reload_that_gives_a_queue_a_head_start_counts_for_those_who_come_from_then_on() {
    let (mut world, anna) = desk(7);
    let callers = ["first", "second", "ahead"].map(|name| world.caller(name));
    world.dials(callers[0], "2");
    world.run_for(SECOND);
    world.reload(&house(&[&DESK.replace("[queue.second]", "[queue.second]\nhead_start = \"5s\"")]));
    world.dials(callers[1], "1");
    world.run_for(SECOND);
    world.dials(callers[2], "2");
    world.run_for(SECOND);
    anna_takes(&mut world, anna, callers[2]);
    all_hang_up(&mut world, &callers);
}

#[test]
fn who_gave_up_and_calls_again_soon_stands_ahead_in_that_queue_and_in_no_other() {
    let (mut world, anna) = desk(8);
    let (returns, other) = (world.caller("+49301"), world.caller("+49302"));
    world.dials(returns, "2");
    world.run_for(SECOND);
    world.dials(other, "2");
    world.hangs_up_in(returns, SECOND);
    world.run_for(60 * SECOND);
    for called in ["1", "2"] {
        world.dials(returns, called);
        world.run_for(2 * SECOND);
        if called == "1" {
            world.hangs_up_in(returns, SECOND);
            world.run_for(2 * SECOND);
        }
    }
    anna_takes(&mut world, anna, returns);
    let told = credits(&world);
    assert_eq!(told[..3], [vec![], vec![], vec![]]);
    assert!(matches!(told[3][..], [Credit { ms: 120_000, why: Why::GaveUp { .. } }]), "{told:?}");
    all_hang_up(&mut world, &[returns, other]);
}

#[test]
fn who_calls_again_too_late_or_without_his_number_stands_as_everybody_does() {
    let (mut world, _) = desk(9);
    let (late, hidden) = (world.caller("+49301"), world.caller("+49302"));
    world.dials(late, "2");
    world.dials(hidden, "2");
    world.run_for(SECOND);
    world.hangs_up_in(late, SECOND);
    world.hangs_up_in(hidden, SECOND);
    world.run_for(60 * SECOND);
    world.writes(hidden, "Privacy", "id");
    world.dials(hidden, "2");
    world.run_for(542 * SECOND);
    world.dials(late, "2");
    world.run_for(SECOND);
    assert_eq!(credits(&world), [vec![], vec![], vec![], vec![]]);
    all_hang_up(&mut world, &[late, hidden]);
}
