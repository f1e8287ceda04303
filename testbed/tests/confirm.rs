//! What an agent hears before the caller is connected, and the key by which he takes the call.

mod house;

use std::time::Duration;

use house::{ANNA, BO, QUEUE, anna, assigned, bo, heard, left, world};
use router::journal::fact::{AgentState, LeftQueue, Unanswered, What};
use testbed::{
    Behaviour, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

const WHISPER: &str = "whisper = \"prompts/welcome.wav\"\n";
const CONFIRM: &str = "confirm = { key = \"1\", timeout = \"10s\" }\n";
const IN_ONE: Behaviour = Behaviour::Answers(Duration::from_secs(1));

fn desk(keys: &[&str], agents: &[&str]) -> (World, PhoneId) {
    let mut world = world(1, &[QUEUE, &keys.concat(), &agents.concat()]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    (world, caller)
}

fn unanswered(world: &World) -> Vec<Unanswered> {
    let why = |what: &What| match what {
        What::Unanswered { why, .. } => Some(*why),
        _ => None,
    };
    world.happened().filter_map(why).collect()
}

#[test]
fn the_agent_hears_the_whisper_and_then_the_caller() {
    let (mut world, caller) = desk(&[WHISPER], &[ANNA]);
    let agent = anna(&mut world, IN_ONE);
    world.run_for(SECOND + 300 * MILLISECOND);
    assert!(heard(&world, agent, "welcome") && !world.heard(agent, caller), "{}", world.ladder());
    assert_eq!(world.agent_state("anna"), AgentState::Ringing);
    assert!(!heard(&world, caller, "welcome") && heard(&world, caller, "music"));
    world.run_for(5 * SECOND);
    assert!(world.heard(agent, caller) && world.heard(caller, agent), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::Answered]);
}

#[test]
fn the_agent_takes_the_call_by_the_key_and_by_no_other() {
    let (mut world, caller) = desk(&[WHISPER, CONFIRM], &[ANNA]);
    let agent = anna(&mut world, IN_ONE);
    world.presses_in(agent, '2', 4 * SECOND);
    world.run_for(8 * SECOND);
    assert_eq!((world.agent_state("anna"), world.heard(agent, caller)), (AgentState::Ringing, false));
    world.presses_in(agent, '1', SECOND);
    world.run_for(2 * SECOND);
    assert!(world.heard(agent, caller) && world.heard(caller, agent), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!((left(&world), unanswered(&world)), (vec![LeftQueue::Answered], vec![]));
}

/// A mailbox picks up and speaks: the caller never hears it, waits on, and the agent has not answered.
#[test]
fn who_presses_nothing_has_not_answered_and_the_next_agent_rings() {
    let (mut world, caller) = desk(&[WHISPER, CONFIRM], &[ANNA, BO]);
    let mailbox = anna(&mut world, IN_ONE);
    let second = bo(&mut world, IN_ONE);
    world.presses_in(second, '1', 15 * SECOND);
    world.run_for(10 * SECOND + 900 * MILLISECOND);
    assert_eq!(world.state(mailbox), PhoneState::Talking);
    world.run_for(10 * SECOND);
    assert_eq!((world.state(mailbox), world.heard(caller, mailbox)), (PhoneState::Ended, false));
    assert!(world.heard(caller, second), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(
        (assigned(&world), unanswered(&world)),
        (vec!["anna".into(), "bo".into()], vec![Unanswered::NoAnswer])
    );
    assert_eq!(left(&world), [LeftQueue::Answered], "one stay, one answer");
    let told = |what: &What| matches!(what, What::LegFailed { phrase, .. } if phrase.contains("press 1"));
    assert_eq!(house::count(&world, told), 1);
}

#[test]
fn while_one_agent_thinks_another_may_take_the_call() {
    let ring_all = "strategy = \"ring-all\"\n";
    let (mut world, caller) = desk(&[ring_all, WHISPER, CONFIRM], &[ANNA, BO]);
    let slow = anna(&mut world, IN_ONE);
    let fast = bo(&mut world, Behaviour::Answers(3 * SECOND));
    world.presses_in(fast, '1', 4 * SECOND);
    world.run_for(6 * SECOND);
    assert!(world.heard(caller, fast) && !world.heard(caller, slow), "{}", world.ladder());
    assert_eq!((world.state(slow), world.agent_state("anna")), (PhoneState::Ended, AgentState::Idle));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(unanswered(&world), [Unanswered::AnsweredElsewhere]);
}

#[test]
fn an_agent_who_hangs_up_at_the_whisper_has_declined() {
    let (mut world, caller) = desk(&[WHISPER, CONFIRM], &[ANNA]);
    let agent = anna(&mut world, IN_ONE);
    world.hangs_up_in(agent, 3 * SECOND);
    world.run_for(4 * SECOND);
    assert_eq!((world.agent_state("anna"), world.waiting("support")), (AgentState::NotReady, 1));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!((unanswered(&world), left(&world)), (vec![Unanswered::Rejected], vec![LeftQueue::Abandoned]));
}

/// Nothing comes from his telephone any more, and it answers no question: neither the caller nor the agent stays with it.
#[test]
fn a_telephone_that_dies_at_the_whisper_costs_the_caller_nothing_but_time() {
    let patient = CONFIRM.replace("10s", "1m");
    let house = house::house(&[QUEUE, WHISPER, &patient, "rest_no_answer = \"2m\"\n", ANNA, BO]);
    let mut world = World::new(1, &house.replace("[media]\n", "[media]\nsilence_timeout = \"5s\"\n"));
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    let dead = anna(&mut world, IN_ONE);
    let second = bo(&mut world, IN_ONE);
    world.dies_in(dead, 3 * SECOND);
    world.presses_in(second, '1', 50 * SECOND);
    world.run_for(52 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::NotReady, "{}", world.ladder());
    assert!(world.heard(caller, second) && world.heard(second, caller), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!((unanswered(&world), left(&world)), (vec![Unanswered::NoAnswer], vec![LeftQueue::Answered]));
}

/// The caller goes, the time runs out, the key comes, the agent goes: whatever meets, nobody is left.
#[test]
fn whatever_meets_at_the_end_of_the_time_nobody_is_stuck() {
    for late in 0..12_u32 {
        for deed in 0..3 {
            let (mut world, caller) = desk(&[WHISPER, CONFIRM], &[ANNA]);
            let agent = anna(&mut world, IN_ONE);
            let at = 10 * SECOND + 995 * MILLISECOND + late * 5 * MILLISECOND;
            match deed {
                0 => world.hangs_up_in(caller, at),
                1 => world.hangs_up_in(agent, at),
                _ => world.presses_in(agent, '1', at),
            }
            world.run_for(12 * SECOND);
            world.hangs_up_in(caller, SECOND);
            world.run_until_silent().assert_nothing_left();
        }
    }
}
