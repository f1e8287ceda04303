//! Keys pressed while waiting.

mod house;

use house::{ANNA, QUEUE, anna, assigned, ends, left, the_end, world};
use router::{
    journal::fact::{Cause, Fault, LeftQueue, What},
    service::Service,
};
use testbed::{Behaviour, PhoneId, World, phone::PhoneState, world::SECOND};

/// 1 leads to a prompt and the end, 2 to another queue, 3 to the next step.
const KEYS: &str = "keys = { 1 = \"flow.closed\", 2 = \"queue.sales\", 3 = \"next\" }\n[queue.sales]\n";
const CLOSED: &str = "[flow.closed]\nsteps = [{ play = \"prompts/welcome.wav\" }, \"hangup\"]\n";
const BO_OF_SALES: &str = "[agent.bo]\ncall = \"sip:bo@10.2.0.12:5060\"\nqueues = [\"sales\"]\n";

fn desk(seed: u64) -> World {
    world(seed, &[QUEUE, KEYS, CLOSED, ANNA, BO_OF_SALES])
}

fn caller_who_presses(world: &mut World, name: &str, key: char) -> PhoneId {
    let caller = world.caller(name);
    world.dials(caller, "+4930999");
    world.presses_in(caller, key, 5 * SECOND);
    caller
}

fn chosen(world: &World) -> Vec<(String, bool)> {
    let chose = |what: &What| match what {
        What::Chose { key, valid } => Some((key.clone(), *valid)),
        _ => None,
    };
    world.happened().filter_map(chose).collect()
}

#[test]
fn a_key_leads_out_of_the_queue_and_counts_neither_as_answered_nor_as_given_up() {
    let mut world = desk(1);
    let caller = caller_who_presses(&mut world, "caller", '1');
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
    assert!(world.at(caller).heard.contains_key(&world.voice_of("welcome")));
    assert_eq!(left(&world), [LeftQueue::ByKey]);
    let status = world.shard().status(0, Service::Open);
    let sums = status.queues.iter().find(|queue| queue.name == "support").unwrap().sums;
    assert_eq!((sums.entered, sums.by_key, sums.left_otherwise(), sums.abandoned), (1, 1, 1, 0));
}

#[test]
fn a_key_that_means_nothing_changes_nothing() {
    let mut world = desk(2);
    let caller = caller_who_presses(&mut world, "caller", '7');
    world.run_for(10 * SECOND);
    assert_eq!((world.waiting("support"), chosen(&world)), (1, vec![("7".to_owned(), false)]));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(left(&world), [LeftQueue::Abandoned]);
}

#[test]
fn the_agent_who_rings_is_spared_and_his_telephone_is_silent_at_once() {
    let mut world = desk(3);
    let agent = anna(&mut world, Behaviour::NeverAnswers);
    caller_who_presses(&mut world, "caller", '1');
    world.run_for(6 * SECOND);
    assert_eq!(world.state(agent), PhoneState::Failed(487), "{}", world.ladder());
    let next = world.caller("next");
    world.dials(next, "+4930999");
    world.run_for(SECOND);
    assert_eq!(assigned(&world), ["anna", "anna"]);
    world.hangs_up_in(next, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::ByKey, LeftQueue::Abandoned]);
}

#[test]
fn in_the_other_queue_he_stands_by_his_first_arrival() {
    let mut world = desk(4);
    let talker = house::bo(&mut world, Behaviour::AnswersFor(SECOND, 20 * SECOND));
    let busy = caller_who_presses(&mut world, "busy", '2');
    world.run_for(8 * SECOND);
    let early = caller_who_presses(&mut world, "early", '7');
    world.run_for(SECOND);
    let late = world.caller("late");
    world.dials(late, "+4930999");
    world.presses_in(late, '2', 2 * SECOND);
    world.presses_in(early, '2', 6 * SECOND);
    world.run_for(15 * SECOND);
    assert!(world.heard(busy, talker), "{}", world.ladder());
    world.run_for(8 * SECOND);
    assert!(world.heard(early, talker) && !world.heard(late, talker), "{}", world.ladder());
    world.hangs_up_in(early, SECOND);
    world.hangs_up_in(late, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(ends(&world).len(), 3);
}

#[test]
fn keys_do_nothing_for_who_talks_and_in_a_queue_without_any() {
    let mut world = desk(5);
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    let caller = caller_who_presses(&mut world, "caller", '1');
    world.run_for(10 * SECOND);
    assert!(world.heard(agent, caller) && chosen(&world).is_empty(), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(left(&world), [LeftQueue::Answered]);

    let mut world = house::world(6, &[QUEUE, ANNA]);
    let caller = caller_who_presses(&mut world, "caller", '1');
    world.run_for(10 * SECOND);
    assert_eq!((world.waiting("support"), chosen(&world)), (1, vec![]));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}
