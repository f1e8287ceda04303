//! Who is chosen, and whom a caller accepts after he has waited.

mod house;

use house::{anna, assigned, bo, left, the_end, world};
use router::journal::fact::{AgentState, Cause, Fault, LeftQueue, Unanswered, What, Wish};
use testbed::{Behaviour, World, world::SECOND};

/// A queue that chooses as said, with these agents: name, last byte of the address, how each serves it.
fn desk(seed: u64, queue: &str, agents: &[(&str, u8, &str)]) -> World {
    let queue = format!(
        r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "straight"
[flow.straight]
steps = [{{ queue = "support" }}, "hangup"]
[queue.support]
{queue}
"#
    );
    let agent = |(name, byte, serves): &(&str, u8, &str)| {
        format!("[agent.{name}]\ncall = \"sip:{name}@10.2.0.{byte}:5060\"\nqueues = [{serves}]\n")
    };
    let agents: String = agents.iter().map(agent).collect();
    world(seed, &[&queue, &agents])
}

/// Calls one after the other; each is answered, talks a second and hangs up. Who was given them.
fn calls(world: &mut World, count: usize) -> Vec<String> {
    let caller = world.caller("caller");
    for _ in 0..count {
        world.dials(caller, "+4930999");
        world.run_for(2 * SECOND);
        world.hangs_up_in(caller, SECOND);
        world.run_for(2 * SECOND);
    }
    assigned(world)
}

const SUPPORT: &str = "\"support\"";

#[test]
fn the_agent_with_fewest_calls_is_rung_also_when_another_waits_longer() {
    let mut world = desk(1, "strategy = \"fewest-calls\"", &[("anna", 11, SUPPORT), ("bo", 12, SUPPORT)]);
    anna(&mut world, Behaviour::Answers(SECOND));
    bo(&mut world, Behaviour::Answers(SECOND));
    world.agent_wish("bo", Wish::Paused);
    assert_eq!(calls(&mut world, 2), ["anna", "anna"]);
    world.agent_wish("bo", Wish::Ready); // anna waits longer now
    assert_eq!(calls(&mut world, 3)[2..], ["bo", "bo", "anna"]);
}

#[test]
fn the_most_skilled_is_rung_first_and_among_equals_the_longest_idle() {
    let skill = |skill: u8| format!("{{ queue = \"support\", skill = {skill} }}");
    let (low, high) = (skill(3), skill(8));
    let agents = [("anna", 11, low.as_str()), ("bo", 12, high.as_str()), ("carla", 13, high.as_str())];
    let mut world = desk(2, "strategy = \"best-skill\"", &agents);
    anna(&mut world, Behaviour::Answers(SECOND));
    bo(&mut world, Behaviour::Answers(SECOND));
    world.phone_at("carla", "10.2.0.13:5060", Behaviour::Answers(SECOND));
    assert_eq!(calls(&mut world, 3), ["bo", "carla", "bo"]);
    ["bo", "carla"].iter().for_each(|agent| world.agent_wish(agent, Wish::Paused));
    assert_eq!(calls(&mut world, 1)[3], "anna");
}

#[test]
fn agents_take_turns_or_stand_in_the_order_of_the_file() {
    for (strategy, expected) in [
        ("round-robin", ["anna", "bo", "carla", "anna"]),
        ("ordered", ["anna", "anna", "anna", "anna"]),
        ("longest-idle", ["anna", "bo", "carla", "anna"]),
    ] {
        let agents = [("anna", 11, SUPPORT), ("bo", 12, SUPPORT), ("carla", 13, SUPPORT)];
        let mut world = desk(3, &format!("strategy = \"{strategy}\""), &agents);
        anna(&mut world, Behaviour::Answers(SECOND));
        bo(&mut world, Behaviour::Answers(SECOND));
        world.phone_at("carla", "10.2.0.13:5060", Behaviour::Answers(SECOND));
        assert_eq!(calls(&mut world, 4), expected, "{strategy}");
    }
}

/// A pause does not send one to the back of a rotation, as it does among the longest idle.
#[test]
fn who_was_away_keeps_his_turn_in_a_rotation() {
    for (strategy, expected) in [("round-robin", "bo"), ("longest-idle", "anna")] {
        let agents = [("anna", 11, SUPPORT), ("bo", 12, SUPPORT)];
        let mut world = desk(4, &format!("strategy = \"{strategy}\""), &agents);
        anna(&mut world, Behaviour::Answers(SECOND));
        bo(&mut world, Behaviour::Answers(SECOND));
        assert_eq!(calls(&mut world, 1), ["anna"]);
        world.agent_wish("bo", Wish::Paused);
        world.agent_wish("bo", Wish::Ready);
        assert_eq!(calls(&mut world, 1)[1], expected, "{strategy}");
    }
}

#[test]
fn chance_follows_the_weights() {
    let heavy = "{ queue = \"support\", weight = 9 }";
    let mut world = desk(5, "strategy = \"random-weighted\"", &[("anna", 11, heavy), ("bo", 12, SUPPORT)]);
    anna(&mut world, Behaviour::Answers(SECOND));
    bo(&mut world, Behaviour::Answers(SECOND));
    let chosen = calls(&mut world, 60);
    let heavy = chosen.iter().filter(|agent| *agent == "anna").count();
    assert!((46..60).contains(&heavy), "{heavy} of 60 instead of 54 or so");
}

#[test]
fn a_caller_accepts_less_skill_after_a_while_and_is_rung_to_them_at_that_instant() {
    let low = "{ queue = \"support\", skill = 3 }";
    let queue = "least_skill = 7\nwiden = [{ after = \"10s\", least_skill = 4 }, { after = \"30s\", least_skill = 2 }]";
    let mut world = desk(6, queue, &[("anna", 11, low)]);
    anna(&mut world, Behaviour::Answers(SECOND));
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.run_for(5 * SECOND);
    world.dials(second, "+4930999");
    world.run_for(24 * SECOND);
    assert_eq!((world.waiting("support"), world.agent_state("anna")), (2, AgentState::Idle));
    world.run_for(2 * SECOND);
    assert_eq!((assigned(&world).len(), world.waiting("support")), (1, 1));
    let steps = world.happened().filter_map(|what| match what {
        What::Widened { step, .. } => Some(*step),
        _ => None,
    });
    assert_eq!(steps.collect::<Vec<_>>(), [1, 1, 2]);
    world.hangs_up_in(first, 20 * SECOND);
    world.hangs_up_in(second, 40 * SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::Answered, LeftQueue::Answered]);
}

/// A caller who accepts more keeps his place before those who came later, whichever line they stand in.
#[test]
fn of_two_steps_the_earlier_caller_is_served_first() {
    let (low, high) = ("{ queue = \"support\", skill = 3 }", "{ queue = \"support\", skill = 9 }");
    let queue = "least_skill = 7\nwiden = [{ after = \"10s\", least_skill = 1 }]";
    let mut world = desk(7, queue, &[("anna", 11, low), ("bo", 12, high)]);
    bo(&mut world, Behaviour::Answers(SECOND));
    anna(&mut world, Behaviour::Answers(SECOND));
    ["anna", "bo"].iter().for_each(|agent| world.agent_wish(agent, Wish::Paused));
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.run_for(15 * SECOND); // first accepts everybody now
    world.dials(second, "+4930999");
    world.run_for(SECOND);
    world.agent_wish("bo", Wish::Ready); // may serve both
    world.run_for(2 * SECOND);
    assert_eq!(assigned(&world), ["bo"]);
    let queued = world.happened().filter_map(|what| match what {
        What::Queued { place, key, .. } => Some((*place, *key)),
        _ => None,
    });
    let queued: Vec<_> = queued.collect();
    assert_eq!([queued[0].0, queued[1].0], [1, 2]);
    let chosen = world.happened().find_map(|what| match what {
        What::Chosen { caller_key, next_caller_key, waiting, ahead, .. } => {
            Some((*caller_key, *next_caller_key, *waiting, *ahead))
        }
        _ => None,
    });
    assert_eq!(chosen, Some((queued[0].1, Some(queued[1].1), 1, 0)));
    world.agent_wish("anna", Wish::Ready); // not skilled enough for the second yet
    world.run_for(SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Idle);
    world.run_for(8 * SECOND);
    assert_eq!(assigned(&world), ["bo", "anna"]);
    [first, second].iter().for_each(|caller| world.hangs_up_in(*caller, 3 * SECOND));
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn agents_of_another_queue_help_out_after_a_while() {
    let other = "widen = [{ after = \"10s\", agents_of = \"sales\" }]\n[queue.sales]";
    let mut world = desk(8, other, &[("anna", 11, "\"sales\"")]);
    anna(&mut world, Behaviour::Answers(SECOND));
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(9 * SECOND);
    assert_eq!(world.waiting("support"), 1);
    world.run_for(2 * SECOND);
    assert_eq!((assigned(&world), world.waiting("support")), (vec!["anna".to_owned()], 0));
    world.hangs_up_in(caller, 3 * SECOND);
    the_end(&mut world);
}

#[test]
fn who_leaves_two_in_a_row_unanswered_is_paused_until_he_says_that_he_is_ready() {
    for rest in ["0s", "1s"] {
        let queue = format!("pause_after = 2\nring_timeout = \"5s\"\nrest_no_answer = \"{rest}\"");
        let mut world = desk(9, &queue, &[("anna", 11, SUPPORT)]);
        anna(&mut world, Behaviour::NeverAnswers);
        let callers = ["first", "second"].map(|name| world.caller(name));
        callers.iter().for_each(|caller| world.dials(*caller, "+4930999"));
        world.run_for(60 * SECOND);
        assert_eq!((assigned(&world).len(), world.agent_state("anna")), (2, AgentState::NotReady), "{rest}");
        world.agent_wish("anna", Wish::Ready);
        world.run_for(SECOND);
        assert_eq!((assigned(&world).len(), world.agent_state("anna")), (3, AgentState::Ringing), "{rest}");
        callers.iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn a_caller_whose_agent_hangs_up_at_once_is_the_first_again_and_hears_no_hang_up() {
    let mut world = desk(
        10,
        "rest_rejected = \"30s\"\nstrategy = \"ordered\"",
        &[("anna", 11, SUPPORT), ("bo", 12, SUPPORT)],
    );
    anna(&mut world, Behaviour::AnswersFor(SECOND, SECOND));
    let bo = bo(&mut world, Behaviour::Answers(SECOND));
    world.agent_wish("bo", Wish::Paused);
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.run_for(SECOND / 2);
    world.dials(second, "+4930999");
    world.run_for(3 * SECOND);
    assert_eq!((world.waiting("support"), world.agent_state("anna")), (2, AgentState::NotReady));
    world.agent_wish("bo", Wish::Ready);
    world.run_for(3 * SECOND);
    assert_eq!((assigned(&world), world.waiting("support")), (vec!["anna".to_owned(), "bo".to_owned()], 1));
    assert!(world.heard(first, bo) && world.heard(bo, first), "{}", world.ladder());
    world.hangs_up_in(first, SECOND);
    world.hangs_up_in(second, 20 * SECOND);
    world.run_until_silent().assert_nothing_left();
    let at_once = world
        .happened()
        .filter(|what| matches!(what, What::Unanswered { why: Unanswered::HungUpAtOnce, .. }));
    assert_eq!(at_once.count(), 1);
}

#[test]
fn an_agent_who_hangs_up_after_two_seconds_has_ended_the_call() {
    let mut world = desk(11, "", &[("anna", 11, SUPPORT)]);
    anna(&mut world, Behaviour::AnswersFor(SECOND, 5 * SECOND / 2));
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(10 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::CalledHungUp, Fault::None, None));
}
