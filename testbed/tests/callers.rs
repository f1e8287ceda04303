//! A caller's order key: what he keeps from queue to queue, and what puts him ahead of others.

mod house;

use house::{house, left};
use router::journal::fact::{LeftQueue, Wish};
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
