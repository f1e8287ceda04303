//! A new configuration under living calls, draining, and the end.

mod house;

use house::{ANNA, BO, DIRECT, MENU, QUEUE, anna, assigned, bo, ends, house, left, teams, the_end, world};
use router::journal::fact::{AgentState, Cause, Fault, LeftQueue, What, Wish};
use sip_core::Service;
use testbed::{
    Behaviour,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

#[test]
fn a_queue_that_a_reload_takes_away_sends_its_callers_on() {
    let mut world = world(20, &[QUEUE]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    world.reload(&house(&[DIRECT]));
    world.run_for(SECOND);
    assert!(world.at(caller).heard.contains_key(&world.voice_of("closed")), "{}", world.ladder());
    assert_eq!(the_end(&mut world).0, Cause::FlowEnded);
    assert_eq!(left(&world), [LeftQueue::Removed]);
}

#[test]
fn the_numbers_name_the_configuration_in_force() {
    let mut world = world(25, &[QUEUE]);
    assert_eq!(world.shard().numbers().generation, 1);
    world.reload(&house(&[DIRECT]));
    assert_eq!(world.shard().numbers().generation, 2);
}

#[test]
fn a_reload_that_changes_nothing_about_an_agent_leaves_his_call_and_state_alone() {
    let mut world = world(21, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    world.reload(&house(&[QUEUE, ANNA, BO]));
    assert_eq!((world.agent_state("anna"), world.agent_state("bo")), (AgentState::Talking, AgentState::Idle));
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn while_draining_new_calls_get_503_and_the_present_one_goes_on() {
    let mut world = world(22, &[QUEUE, ANNA]);
    let (first, late) = (world.caller("first"), world.caller("late"));
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(first, "+4930999");
    world.run_for(3 * SECOND);
    world.service(Service::Draining);
    world.dials(late, "+4930999");
    world.run_for(5 * SECOND);
    assert_eq!(world.state(late), PhoneState::Failed(503));
    assert_eq!(world.state(first), PhoneState::Talking);
    assert!(world.heard(first, agent));
    world.hangs_up_in(first, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_shutdown_hangs_everybody_up_and_every_call_has_its_record() {
    let mut world = world(23, &[QUEUE, ANNA]);
    let (talks, waits) = (world.caller("talks"), world.caller("waits"));
    anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(talks, "+4930999");
    world.run_for(3 * SECOND);
    world.dials(waits, "+4930999");
    world.run_for(SECOND);
    world.shut_down();
    world.run_for(2 * SECOND);
    assert_eq!((world.state(talks), world.state(waits)), (PhoneState::Ended, PhoneState::Ended));
    world.run_until_silent().assert_nothing_left();
    assert!(ends(&world).iter().all(|(cause, ..)| *cause == Cause::Shutdown));
}

#[test]
fn an_agent_whom_a_reload_takes_away_finishes_his_call_and_gets_no_other() {
    let mut world = world(30, &[QUEUE, ANNA]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(first, "+4930999");
    world.run_for(3 * SECOND);
    world.reload(&house(&[QUEUE]));
    world.run_for(3 * SECOND);
    assert_eq!((world.state(first), world.state(agent)), (PhoneState::Talking, PhoneState::Talking));
    world.dials(second, "+4930999");
    world.hangs_up_in(first, SECOND);
    world.run_for(10 * SECOND);
    assert_eq!((world.state(agent), world.waiting("support")), (PhoneState::Ended, 1));
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::Answered, LeftQueue::Abandoned]);
}

#[test]
fn an_agent_who_comes_back_by_a_second_reload_is_at_work_again() {
    let mut world = world(31, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.reload(&house(&[QUEUE]));
    world.run_for(SECOND);
    world.reload(&house(&[QUEUE, ANNA]));
    assert_eq!(world.agent_state("anna"), AgentState::Idle, "login is automatic, as at the start");
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    assert!(world.heard(caller, agent), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn an_agent_who_comes_back_while_he_talks_is_free_after_the_call() {
    let mut world = world(32, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    world.reload(&house(&[QUEUE]));
    world.run_for(SECOND);
    world.reload(&house(&[QUEUE, ANNA]));
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(world.agent_state("anna"), AgentState::Idle);
}

#[test]
fn an_agent_who_was_paused_stays_paused_over_a_reload() {
    let mut world = world(33, &[QUEUE, ANNA]);
    world.agent_wish("anna", Wish::Paused);
    world.reload(&house(&[QUEUE, ANNA, BO]));
    assert_eq!(
        (world.agent_state("anna"), world.agent_state("bo")),
        (AgentState::NotReady, AgentState::Idle)
    );
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn an_agent_who_is_taken_away_while_he_rings_may_still_answer() {
    let mut world = world(34, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(3 * SECOND));
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    world.reload(&house(&[QUEUE]));
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, agent), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_queue_that_is_taken_away_while_its_agent_rings_loses_neither_caller_nor_agent() {
    for (behaviour, answered) in
        [(Behaviour::Answers(3 * SECOND), true), (Behaviour::Refuses(486, 3 * SECOND), false)]
    {
        let both = "[queue.other]\n".to_owned() + &ANNA.replace("[\"support\"]", "[\"support\", \"other\"]");
        let other = "[queue.other]\n".to_owned() + &ANNA.replace("support", "other");
        let mut world = world(35, &[QUEUE, &both]);
        let caller = world.caller("caller");
        let agent = anna(&mut world, behaviour);
        world.dials(caller, "+4930999");
        world.run_for(SECOND);
        world.reload(&house(&[DIRECT, &other]));
        world.run_for(5 * SECOND);
        let closed = world.at(caller).heard.contains_key(&world.voice_of("closed"));
        assert_eq!((world.heard(caller, agent), closed), (answered, !answered), "{}", world.ladder());
        world.hangs_up_in(caller, SECOND);
        world.run_until_silent().assert_nothing_left();
        assert_eq!(world.agent_state("anna"), AgentState::Idle);
    }
}

#[test]
fn a_new_member_of_a_queue_takes_those_who_wait_already_in_their_order() {
    let mut world = world(36, &[QUEUE]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    let agent = anna(&mut world, Behaviour::AnswersFor(SECOND, 2 * SECOND));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.dials(second, "+4930999");
    world.run_for(SECOND);
    world.reload(&house(&[QUEUE, ANNA]));
    world.run_for(2 * SECOND);
    assert!(world.heard(first, agent) && !world.heard(second, agent), "{}", world.ladder());
    world.run_until_silent().assert_nothing_left();
    assert!(world.heard(second, agent));
}

#[test]
fn an_agent_who_is_moved_to_another_queue_serves_that_one_and_no_more_the_old() {
    let other = "[queue.other]\n[agent.anna]\ncall = \"sip:anna@10.2.0.11:5060\"\nqueues = [\"other\"]\n";
    let mut world = world(37, &[QUEUE, "[queue.other]\n", ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.reload(&house(&[QUEUE, other]));
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    assert_eq!((world.waiting("support"), world.state(agent)), (1, PhoneState::Idle));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_call_keeps_the_flow_it_came_with_and_the_next_one_gets_the_new() {
    let mut world = world(38, &[MENU, QUEUE, ANNA]);
    let (early, late) = (world.caller("early"), world.caller("late"));
    let agent = anna(&mut world, Behaviour::AnswersFor(SECOND, 2 * SECOND));
    world.dials(early, "+4930123");
    world.run_for(SECOND);
    let swapped = MENU.replace("1 = \"queue.support\"", "1 = \"flow.closed\"");
    world.reload(&house(&[&swapped, QUEUE, ANNA]));
    world.presses_in(early, '1', 2 * SECOND);
    world.run_for(5 * SECOND);
    assert!(world.heard(early, agent), "{}", world.ladder());
    world.dials(late, "+4930123");
    world.presses_in(late, '1', 3 * SECOND);
    world.run_until_silent().assert_nothing_left();
    assert!(world.at(late).heard.contains_key(&world.voice_of("closed")) && !world.heard(late, agent));
}

#[test]
fn a_trunk_that_is_taken_away_brings_no_new_calls_and_the_present_one_can_still_be_hung_up() {
    let mut world = world(39, &[DIRECT]);
    let (present, late) = (world.caller("present"), world.caller("late"));
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(present, "+4930123");
    world.run_for(3 * SECOND);
    let other = house(&[DIRECT]).replace("carrier", "other").replace("10.1.0.0/16", "10.9.0.0/16");
    world.reload(&other);
    world.dials(late, "+4930123");
    world.hangs_up_in(present, SECOND);
    world.run_for(3 * SECOND);
    assert_eq!((world.state(far), world.state(late)), (PhoneState::Ended, PhoneState::Calling));
    world.run_until_silent().assert_nothing_left();
    assert_eq!(ends(&world), [(Cause::CallerHungUp, Fault::None, None)]);
}

#[test]
fn a_reload_at_any_moment_around_the_assignment_leaves_nobody_behind() {
    for after in (8..2_400).step_by(53) {
        let mut world = world(5_000 + u64::from(after), &[QUEUE, ANNA]);
        let caller = world.caller("caller");
        anna(&mut world, Behaviour::AnswersFor(SECOND, SECOND));
        world.dials(caller, "+4930999");
        world.run_for(after * MILLISECOND);
        world.reload(&house(&[DIRECT]));
        world.run_for(20 * MILLISECOND);
        world.reload(&house(&[QUEUE, ANNA]));
        world.hangs_up_in(caller, 8 * SECOND);
        let (_, fault, _) = the_end(&mut world);
        assert_eq!(fault, Fault::None, "{after} ms");
        assert_eq!(world.agent_state("anna"), AgentState::Idle, "{after} ms");
    }
}

#[test]
fn a_smaller_max_waiting_sends_nobody_away_who_waits_already() {
    let mut world = world(40, &[QUEUE]);
    let callers = [world.caller("a"), world.caller("b"), world.caller("c")];
    callers[..2].iter().for_each(|caller| world.dials(*caller, "+4930999"));
    world.run_for(SECOND);
    world.reload(&house(&[&QUEUE.replace("max_wait", "max_waiting = 1\nmax_wait")]));
    world.dials(callers[2], "+4930999");
    world.run_for(SECOND);
    assert_eq!(world.waiting("support"), 2);
    assert!(world.at(callers[2]).heard.contains_key(&world.voice_of("closed")));
    callers.iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn when_draining_is_called_off_new_calls_are_taken_again() {
    let mut world = world(41, &[QUEUE]);
    let caller = world.caller("caller");
    world.service(Service::Overloaded);
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    assert_eq!(world.state(caller), PhoneState::Failed(503));
    world.service(Service::Open);
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    assert_eq!((world.state(caller), world.waiting("support")), (PhoneState::Talking, 1));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_shutdown_while_the_far_end_rings_is_503_for_the_caller_and_stops_the_ringing() {
    let mut world = world(42, &[DIRECT]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::NeverAnswers);
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    world.service(Service::Draining);
    world.shut_down();
    world.run_for(SECOND);
    assert_eq!((world.state(caller), world.state(far)), (PhoneState::Failed(503), PhoneState::Failed(487)));
    assert_eq!(the_end(&mut world), (Cause::Shutdown, Fault::None, Some(503)));
}

#[test]
fn agents_called_away_and_back_leave_one_trace_each_in_the_journal() {
    let mut world = world(43, &[QUEUE, ANNA, BO]);
    let caller = world.caller("caller");
    bo(&mut world, Behaviour::Answers(SECOND));
    world.agent_wish("anna", Wish::LoggedOut);
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(assigned(&world), ["bo"]);
    let states = |name: &str| -> Vec<AgentState> {
        let state = |what: &What| match what {
            What::Agent { agent, state, .. } if agent == name => Some(*state),
            _ => None,
        };
        world.happened().filter_map(state).collect()
    };
    assert_eq!(states("anna"), [AgentState::Idle, AgentState::LoggedOut]);
    assert_eq!(states("bo"), [AgentState::Idle, AgentState::Ringing, AgentState::Talking, AgentState::Idle]);
}

#[test]
fn a_reload_of_something_else_disturbs_neither_a_caller_who_waits_nor_an_agent_who_is_idle() {
    let other = "[queue.other]\nmax_wait = \"5m\"\n[agent.carl]\ncall = \"sip:carl@10.2.0.13:5060\"\nqueues = [\"other\"]\n";
    let mut world = world(44, &[QUEUE, other]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    let key = world.shard().calls().next().expect("he waits").key();
    let (queue, carl) = (world.config().queues().next().expect("other").0, router::config::AgentId(0));
    let before = |world: &testbed::World| {
        (
            world.scheduler().position(scheduler::Caller(key.slot())),
            world.scheduler().first_idle(router::lines::of_step(queue, 0)),
            world.shard().calls().next().map(|call| call.deadline()),
            world.shard().agents().get(carl).map(|desk| desk.standing.clone()),
        )
    };
    let (then, facts) = (before(&world), world.facts().len());
    world.run_for(SECOND);
    let bo = BO.replace("support", "other");
    world.reload(&house(&[QUEUE, &other.replace("5m", "6m"), &bo]));
    assert_eq!(before(&world), then);
    let news: Vec<_> = world.happened().skip(facts).collect();
    assert!(matches!(news[..], [What::ConfigLoaded { .. }, What::Agent { .. }]), "{news:?}");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}
