//! When a queue takes callers, and when it sends away those who wait.

mod house;

use house::{ANNA, BO, QUEUE, anna, bo, caller_in, heard, house, left, queue, the_end, world};
use router::journal::fact::{AgentState, LeftQueue, What, Wish};
use testbed::{
    Behaviour, PhoneId, World,
    world::{MILLISECOND, SECOND},
};

/// He has gone on to what follows the queue.
fn went_on(world: &World, caller: PhoneId) -> bool {
    heard(world, caller, "closed")
}

#[test]
fn without_rules_a_caller_waits_though_nobody_is_at_work() {
    let mut world = world(1, &[QUEUE, ANNA]);
    world.agent_wish("anna", Wish::LoggedOut);
    let caller = caller_in(&mut world);
    assert_eq!((world.waiting("support"), went_on(&world, caller)), (1, false));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(left(&world), [LeftQueue::Abandoned]);
}

#[test]
fn a_new_caller_goes_on_when_nobody_is_there_in_the_sense_of_the_rule() {
    use LeftQueue::{NobodyLoggedIn, NobodyReady};
    for (rule, wish, turned_away) in [
        ("nobody-logged-in", Wish::Ready, None),
        ("nobody-logged-in", Wish::Paused, None),
        ("nobody-logged-in", Wish::LoggedOut, Some(NobodyLoggedIn)),
        ("nobody-ready", Wish::Ready, None),
        ("nobody-ready", Wish::Paused, Some(NobodyReady)),
        ("nobody-ready", Wish::LoggedOut, Some(NobodyLoggedIn)),
        ("never", Wish::LoggedOut, None),
    ] {
        let mut world = world(2, &[&queue(&format!("turn_away_when = \"{rule}\"")), ANNA]);
        anna(&mut world, Behaviour::NeverAnswers);
        world.agent_wish("anna", wish);
        let caller = caller_in(&mut world);
        assert_eq!(went_on(&world, caller), turned_away.is_some(), "{rule}, {wish:?}");
        assert_eq!(left(&world), Vec::from_iter(turned_away), "{rule}, {wish:?}");
        world.hangs_up_in(caller, SECOND);
        world.agent_wish("anna", Wish::Ready);
        the_end(&mut world);
    }
}

#[test]
fn whoever_talks_or_rests_is_ready_and_who_will_pause_after_his_call_is_not() {
    let mut world = world(3, &[&queue("turn_away_when = \"nobody-ready\""), ANNA]);
    let first = world.caller("first");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(first, "+4930999");
    world.run_for(3 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    let second = caller_in(&mut world);
    assert_eq!(world.waiting("support"), 1);
    world.agent_wish("anna", Wish::Paused);
    let third = caller_in(&mut world);
    assert_eq!((world.waiting("support"), went_on(&world, third)), (1, true));
    world.agent_wish("anna", Wish::Ready);
    world.behave(agent, Behaviour::Refuses(486, SECOND));
    world.hangs_up_in(first, SECOND);
    world.run_for(3 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::NotReady, "she rests");
    let fourth = caller_in(&mut world);
    assert_eq!(world.waiting("support"), 2);
    [second, fourth].iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn those_who_wait_go_on_in_the_very_turn_in_which_the_last_agent_goes() {
    let rules =
        "turn_away_when = \"nobody-logged-in\"\nleave_when = \"nobody-logged-in\"\nleave_grace = \"0s\"";
    let mut world = world(4, &[&queue(rules), ANNA, BO]);
    ["anna", "bo"].iter().for_each(|agent| world.agent_wish(agent, Wish::Paused));
    let caller = caller_in(&mut world);
    world.agent_wish("anna", Wish::LoggedOut);
    assert_eq!(left(&world), [], "bo is there");
    world.agent_wish("bo", Wish::LoggedOut);
    assert_eq!(left(&world), [LeftQueue::NobodyLoggedIn]);
    world.run_for(SECOND);
    assert!(went_on(&world, caller));
    the_end(&mut world);
}

#[test]
fn an_agent_who_is_to_be_logged_out_after_his_call_leaves_the_others_without_hope() {
    let mut world = world(5, &[&queue("leave_when = \"nobody-ready\"\nleave_grace = \"0s\""), ANNA]);
    let first = world.caller("first");
    anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(first, "+4930999");
    world.run_for(3 * SECOND);
    let second = caller_in(&mut world);
    world.agent_wish("anna", Wish::LoggedOut);
    assert_eq!(left(&world), [LeftQueue::Answered, LeftQueue::NobodyLoggedIn]);
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.hangs_up_in(first, SECOND);
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn a_change_of_shift_within_the_grace_empties_no_queue() {
    let mut world = world(6, &[&queue("leave_when = \"nobody-logged-in\""), ANNA, BO]);
    ["anna", "bo"].iter().for_each(|agent| world.agent_wish(agent, Wish::LoggedOut));
    bo(&mut world, Behaviour::NeverAnswers);
    let caller = caller_in(&mut world);
    world.run_for(20 * SECOND);
    world.agent_wish("bo", Wish::Paused);
    world.run_for(60 * SECOND);
    assert_eq!((world.waiting("support"), left(&world)), (1, vec![]), "{}", world.ladder());
    world.agent_wish("bo", Wish::LoggedOut);
    world.run_for(29 * SECOND);
    let late = caller_in(&mut world);
    world.run_for(500 * MILLISECOND);
    assert_eq!((went_on(&world, caller), went_on(&world, late)), (true, false), "30 s after bo went");
    world.run_for(28 * SECOND);
    assert!(!went_on(&world, late));
    world.run_for(2 * SECOND);
    assert!(went_on(&world, late), "30 s after he came");
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::NobodyLoggedIn; 2]);
}

#[test]
fn an_agent_of_another_queue_counts_for_those_who_will_accept_him_in_the_end() {
    let lent = "turn_away_when = \"nobody-ready\"\nwiden = [{ after = \"1m\", agents_of = \"sales\" }]\n[queue.sales]\n";
    let sales = ANNA.replace("support", "sales");
    let mut world = world(7, &[&queue(lent), &sales]);
    anna(&mut world, Behaviour::Answers(SECOND));
    let caller = caller_in(&mut world);
    assert_eq!((world.waiting("support"), world.agent_state("anna")), (1, AgentState::Idle));
    world.run_for(60 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Ringing);
    world.run_for(2 * SECOND);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn callers_of_other_queues_stay_when_the_last_agent_of_one_goes() {
    let other = "leave_when = \"nobody-logged-in\"\nleave_grace = \"0s\"\n[queue.sales]\nleave_when = \"nobody-logged-in\"\nleave_grace = \"0s\"\n";
    let sales = BO.replace("support", "sales");
    let mut world = world(8, &[&queue(other), ANNA, &sales]);
    ["anna", "bo"].iter().for_each(|agent| world.agent_wish(agent, Wish::Paused));
    let caller = caller_in(&mut world);
    world.agent_wish("bo", Wish::LoggedOut);
    world.run_for(5 * SECOND);
    assert_eq!((world.waiting("support"), left(&world)), (1, vec![]));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_caller_whose_agent_did_not_answer_and_was_paused_for_it_goes_on() {
    let rules = "leave_when = \"nobody-ready\"\nleave_grace = \"0s\"\npause_after = 1";
    let mut world = world(9, &[&queue(rules), ANNA]);
    anna(&mut world, Behaviour::NeverAnswers);
    let caller = caller_in(&mut world);
    world.run_for(22 * SECOND);
    assert!(went_on(&world, caller), "{}", world.ladder());
    the_end(&mut world);
    assert_eq!(left(&world), [LeftQueue::NobodyReady]);
}

#[test]
fn a_rule_that_a_reload_brings_holds_for_those_who_wait_already() {
    let mut world = world(10, &[QUEUE]);
    let caller = caller_in(&mut world);
    world.run_for(10 * SECOND);
    world.reload(&house(&[&queue("leave_when = \"nobody-ready\"\nleave_grace = \"20s\"")]));
    world.run_for(8 * SECOND);
    assert!(!went_on(&world, caller));
    world.run_for(2 * SECOND);
    assert!(went_on(&world, caller));
    the_end(&mut world);
}

#[test]
fn an_agent_whom_a_reload_takes_away_was_the_last_too() {
    let rules = queue("leave_when = \"nobody-ready\"\nleave_grace = \"0s\"");
    let mut world = world(11, &[&rules, ANNA]);
    world.agent_wish("anna", Wish::Ready);
    let caller = {
        anna(&mut world, Behaviour::Refuses(486, SECOND));
        caller_in(&mut world)
    };
    world.run_for(SECOND);
    assert_eq!((world.agent_state("anna"), world.waiting("support")), (AgentState::NotReady, 1));
    world.reload(&house(&[&rules]));
    world.run_for(SECOND);
    assert!(went_on(&world, caller));
    the_end(&mut world);
    assert_eq!(left(&world), [LeftQueue::NobodyLoggedIn]);
}

/// Ten callers have come one after the other and been answered, 10 s apart.
fn taught(seed: u64, keys: &str) -> World {
    let mut world = world(seed, &[&queue(keys), ANNA]);
    anna(&mut world, Behaviour::AnswersFor(SECOND, 9 * SECOND));
    for caller in 0..11 {
        let caller = world.caller(&format!("early{caller}"));
        world.dials(caller, "+4930999");
        world.run_for(MILLISECOND);
    }
    world.run_until_silent();
    world
}

fn estimates(world: &World) -> Vec<Option<u64>> {
    let estimate = |what: &What| match what {
        What::Queued { estimate_ms, .. } => Some(*estimate_ms),
        _ => None,
    };
    world.happened().filter_map(estimate).collect()
}

#[test]
fn a_caller_is_estimated_by_those_who_stood_where_he_stands_and_unknown_is_said_as_unknown() {
    let mut world = taught(20, "");
    assert!(estimates(&world).iter().all(Option::is_none), "nothing was known before");
    let callers: Vec<PhoneId> = (0..4).map(|_| caller_in(&mut world)).collect();
    let known = &estimates(&world)[11..];
    assert_eq!(known[0], None, "of those who find an idle agent one has been seen");
    for (rank, estimate) in known[1..].iter().enumerate() {
        let (least, most) = (9_000 * (rank as u64 + 1), 12_000 * (rank as u64 + 1));
        assert!((least..most).contains(&estimate.unwrap()), "{rank}: {known:?}");
    }
    let status = world.shard().status(0, router::service::Service::Open).queues.remove(0);
    assert!((36_000..48_000).contains(&status.estimate_ms.unwrap()), "the fourth: {status:?}");
    callers.iter().for_each(|caller| world.hangs_up_in(*caller, 60 * SECOND));
    world.run_until_silent().assert_nothing_left();
    let score = world.shard().status(0, router::service::Service::Open).queues.remove(0).estimates;
    assert_eq!((score.answered, score.within() + score.beyond), (3, 3));
    assert!(score.mean_error().unwrap() < 4 * SECOND, "{score:?}");
}

#[test]
fn a_caller_whose_wait_is_estimated_above_the_limit_goes_on_and_the_estimate_is_on_record() {
    let mut world = taught(21, "max_estimate = \"25s\"");
    let callers: Vec<PhoneId> = (0..5).map(|_| caller_in(&mut world)).collect();
    let turned_away: Vec<bool> = callers.iter().map(|caller| went_on(&world, *caller)).collect();
    assert_eq!(turned_away, [false, false, false, true, true], "{:?}", estimates(&world));
    assert!(estimates(&world)[11 + 3].unwrap() > 25_000);
    world.run_until_silent().assert_nothing_left();
    let estimated = left(&world).iter().filter(|how| **how == LeftQueue::Estimate).count();
    assert_eq!(estimated, 2);
    let sums = world.shard().status(0, router::service::Service::Open).queues.remove(0).sums;
    assert_eq!((sums.estimate, sums.entered, sums.answered), (2, 16, 14));
    assert!(sums.add_up());
}

#[test]
fn an_agent_who_fails_at_once_is_tried_once_a_second_even_if_he_is_to_have_no_rest() {
    let restless = QUEUE.replace("max_wait", "rest_rejected = \"0s\"\nmax_wait");
    let mut world = world(26, &[&restless, ANNA]);
    anna(&mut world, Behaviour::Busy);
    let caller = caller_in(&mut world);
    world.run_for(10 * SECOND);
    let assigned = world.happened().filter(|what| matches!(what, What::Assigned { .. })).count();
    assert!((9..=12).contains(&assigned), "{assigned}");
    assert_eq!(world.waiting("support"), 1);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}
