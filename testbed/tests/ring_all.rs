//! `strategy = "ring-all"`: several agents ring for one caller, the first to answer gets him, the others are free.

mod house;

use std::{cell::RefCell, rc::Rc, time::Duration};

use house::{QUEUE, assigned, count, ends, left, world};
use router::journal::fact::{AgentState, Cause, LeftQueue, Unanswered, What, Wish};
use sip_core::message::Header;
use testbed::{
    Behaviour, Link, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

/// A queue that rings `k` agents at once.
fn ring_all(k: u8) -> String {
    let strategy = format!("[queue.support]\nstrategy = \"ring-all\"\nring_at_once = {k}");
    QUEUE.replace("[queue.support]", &strategy)
}

/// Agents `a0`, `a1`, …, each with a telephone of his own.
fn staff(count: usize) -> String {
    let agent =
        |at| format!("[agent.a{at}]\ncall = \"sip:a{at}@10.2.0.{}:5060\"\nqueues = [\"support\"]\n", 11 + at);
    (0..count).map(agent).collect()
}

/// A world in which these telephones ring, `k` of them at once.
fn desk(seed: u64, k: u8, behaviours: &[Behaviour]) -> (World, Vec<PhoneId>) {
    let mut world = world(seed, &[&ring_all(k), &staff(behaviours.len())]);
    let phones = telephones(&mut world, behaviours);
    (world, phones)
}

fn telephones(world: &mut World, behaviours: &[Behaviour]) -> Vec<PhoneId> {
    let phones = behaviours.iter().enumerate().map(|(at, behaviour)| {
        world.phone_at(&format!("a{at}"), &format!("10.2.0.{}:5060", 11 + at), behaviour.clone())
    });
    phones.collect()
}

fn states(world: &World, agents: usize) -> Vec<AgentState> {
    (0..agents).map(|at| world.agent_state(&format!("a{at}"))).collect()
}

/// Who came to nothing, and why, in order.
fn unanswered(world: &World) -> Vec<(String, Unanswered)> {
    let why = |what: &What| match what {
        What::Unanswered { agent, why, .. } => Some((agent.clone(), *why)),
        _ => None,
    };
    world.happened().filter_map(why).collect()
}

/// Reasons of all CANCELs that go to agents from now on.
fn cancels(world: &mut World) -> Rc<RefCell<Vec<String>>> {
    house::spy(world, |datagram, _| {
        let text = String::from_utf8_lossy(&datagram.bytes).into_owned();
        let reason = text.lines().find(|line| line.starts_with("Reason:")).unwrap_or("none");
        text.starts_with("CANCEL").then(|| reason.to_owned())
    })
}

const IN_TWO: Behaviour = Behaviour::Answers(Duration::from_secs(2));

#[test]
fn k_of_n_ring_at_once_and_the_first_to_answer_gets_the_caller() {
    let slow = Behaviour::Answers(5 * SECOND);
    let (mut world, phones) = desk(1, 3, &[slow.clone(), IN_TWO, slow.clone(), slow]);
    let caller = world.caller("caller");
    let reasons = cancels(&mut world);
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    let rung = |world: &World| phones.iter().map(|phone| world.state(*phone)).collect::<Vec<_>>();
    assert_eq!(rung(&world)[..3], [PhoneState::Rung; 3], "{}", world.ladder());
    assert_eq!(rung(&world)[3], PhoneState::Idle);
    world.run_for(2 * SECOND);
    assert!(world.heard(caller, phones[1]) && world.heard(phones[1], caller), "{}", world.ladder());
    assert_eq!(
        (world.state(phones[0]), world.state(phones[2])),
        (PhoneState::Failed(487), PhoneState::Failed(487))
    );
    assert_eq!(*reasons.borrow(), ["Reason: SIP;cause=200;text=\"Call completed elsewhere\""; 2]);
    let [idle, talks] = [AgentState::Idle, AgentState::Talking];
    assert_eq!(states(&world, 4), [idle, talks, idle, idle]);
    let elsewhere = |agent: &str| (agent.to_owned(), Unanswered::AnsweredElsewhere);
    assert_eq!(unanswered(&world), [elsewhere("a0"), elsewhere("a2")]);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    let record = &world.records()[0];
    assert_eq!(
        (record.agent.as_deref(), record.unanswered, left(&world)),
        (Some("a1"), 0, vec![LeftQueue::Answered])
    );
    assert_eq!(assigned(&world), ["a0", "a1", "a2"], "in the order of idleness");
}

#[test]
fn the_losers_get_the_next_waiting_caller_in_the_same_instant() {
    let (mut world, phones) = desk(2, 2, &[IN_TWO, Behaviour::NeverAnswers]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.dials(second, "+4930999");
    world.run_for(SECOND / 2);
    assert_eq!(world.waiting("support"), 1);
    world.run_until(5 * SECOND, |world| world.agent_state("a0") == AgentState::Talking);
    assert_eq!((world.waiting("support"), world.agent_state("a1")), (0, AgentState::Ringing));
    let at =
        |wanted: fn(&What) -> bool| world.facts().iter().rev().find(|fact| wanted(&fact.what)).unwrap().at;
    assert_eq!(
        at(|what| matches!(what, What::Assigned { agent, .. } if agent == "a1")),
        at(|what| matches!(what, What::Bridged { .. }))
    );
    world.behave(phones[1], Behaviour::Answers(SECOND));
    world.hangs_up_in(first, SECOND);
    world.hangs_up_in(second, 4 * SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Whose 200 crosses the CANCEL is acknowledged and told good-bye, and is free.
#[test]
fn two_who_answer_in_one_instant_are_one_winner_and_one_who_is_free() {
    for late in 0..12 {
        let almost = Behaviour::Answers(2 * SECOND + late * MILLISECOND);
        let (mut world, phones) = desk(100 + u64::from(late), 2, &[IN_TWO, almost]);
        let caller = world.caller("caller");
        world.dials(caller, "+4930999");
        world.run_for(4 * SECOND);
        assert_eq!(
            states(&world, 2),
            [AgentState::Talking, AgentState::Idle],
            "{late} ms\n{}",
            world.ladder()
        );
        assert!(world.heard(caller, phones[0]) && !world.heard(caller, phones[1]), "{late} ms");
        assert!(!matches!(world.state(phones[1]), PhoneState::Talking | PhoneState::Rung), "{late} ms");
        world.hangs_up_in(caller, SECOND);
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn one_who_is_busy_rests_while_the_others_ring_on_and_another_takes_his_place() {
    let behaviours = [Behaviour::Busy, Behaviour::Answers(4 * SECOND), Behaviour::NeverAnswers];
    let (mut world, phones) = desk(3, 2, &behaviours);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    assert_eq!(unanswered(&world), [("a0".to_owned(), Unanswered::Busy)]);
    assert_eq!(states(&world, 3), [AgentState::NotReady, AgentState::Ringing, AgentState::Ringing]);
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, phones[1]), "{}", world.ladder());
    assert_eq!(states(&world, 3), [AgentState::NotReady, AgentState::Talking, AgentState::Idle]);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    let record = &world.records()[0];
    assert_eq!(record.unanswered, 1);
    let counted = world.shard().numbers().unanswered;
    assert_eq!(
        counted.into_iter().collect::<Vec<_>>(),
        [(Unanswered::Busy, 1), (Unanswered::AnsweredElsewhere, 1)]
    );
    assert!(record.wait_ms < 100 && record.ring_ms > 3_900, "somebody rang all the time: {record:?}");
}

#[test]
fn who_becomes_idle_while_others_ring_joins_in_unless_somebody_waits_for_him() {
    let manual = staff(2).replace("[\"support\"]", "[\"support\"]\nlogin = \"manual\"");
    let mut world = world(4, &[&ring_all(8), &manual]);
    let phones = telephones(&mut world, &[Behaviour::NeverAnswers, Behaviour::Answers(SECOND)]);
    let caller = world.caller("caller");
    world.agent_wish("a0", Wish::Ready);
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    assert_eq!(states(&world, 2), [AgentState::Ringing, AgentState::LoggedOut]);
    world.agent_wish("a1", Wish::Ready);
    assert_eq!(states(&world, 2), [AgentState::Ringing; 2]);
    world.run_for(3 * SECOND);
    assert!(world.heard(caller, phones[1]), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn a_reload_that_lets_more_ring_at_once_is_heard_at_once() {
    let (mut world, _) = desk(10, 2, &vec![Behaviour::NeverAnswers; 5]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    let ring = |world: &World| states(world, 5).iter().filter(|state| **state == AgentState::Ringing).count();
    assert_eq!(ring(&world), 2);
    world.reload(&house::house(&[&ring_all(4), &staff(5)]));
    assert_eq!(ring(&world), 4);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn when_nobody_answers_all_rest_and_the_caller_keeps_his_place() {
    let (mut world, phones) = desk(5, 8, &[Behaviour::NeverAnswers, Behaviour::NeverAnswers]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.dials(second, "+4930999");
    world.run_for(20 * SECOND); // ring_timeout is 20 s
    assert_eq!(states(&world, 2), [AgentState::NotReady; 2], "{}", world.ladder());
    assert_eq!(world.waiting("support"), 2);
    assert!(unanswered(&world).iter().all(|(_, why)| *why == Unanswered::NoAnswer));
    for phone in &phones {
        world.behave(*phone, Behaviour::Answers(SECOND));
    }
    world.run_for(34 * SECOND); // rest_no_answer is 30 s
    assert!(phones.iter().any(|phone| world.heard(first, *phone)), "{}", world.ladder());
    world.hangs_up_in(first, SECOND);
    world.hangs_up_in(second, 2 * SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(count(&world, |what| matches!(what, What::Queued { .. })), 2);
}

#[test]
fn an_agent_with_two_addresses_in_turn_keeps_his_order_beside_others() {
    let staff = staff(2).replace(
        "\"sip:a0@10.2.0.11:5060\"",
        "[\"sip:a0@10.2.0.11:5060\", \"sip:a0@10.2.0.31:5060\"]\nring = \"in-turn\"",
    );
    let mut world = world(6, &[&ring_all(2), &staff]);
    telephones(&mut world, &[Behaviour::NeverAnswers, Behaviour::NeverAnswers]);
    let mobile = world.phone_at("mobile", "10.2.0.31:5060", Behaviour::Answers(3 * SECOND));
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    assert_eq!(world.state(mobile), PhoneState::Idle, "10 s are the first address's");
    world.run_for(10 * SECOND);
    assert!(world.heard(caller, mobile), "{}", world.ladder());
    assert_eq!(states(&world, 2), [AgentState::Talking, AgentState::Idle]);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Whatever comes between: nobody is stuck, and all are as they wish.
#[test]
fn the_caller_gives_up_at_any_moment_while_several_ring() {
    let behaviours = [IN_TWO, Behaviour::Busy, Behaviour::Answers(2 * SECOND + 3 * MILLISECOND)];
    for after in (0..4_000).step_by(61) {
        let (mut world, _) = desk(1_000 + after, 8, &behaviours);
        let caller = world.caller("caller");
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, Duration::from_millis(after));
        world.run_until_silent().assert_nothing_left();
        assert_eq!(states(&world, 3), [AgentState::Idle; 3], "{after} ms");
        assert!(matches!(ends(&world)[0].0, Cause::Abandoned | Cause::CallerHungUp), "{after} ms");
    }
}

#[test]
fn all_who_ring_are_spared_and_keep_their_order_when_the_caller_gives_up() {
    let (mut world, _) = desk(7, 3, &[IN_TWO, IN_TWO, IN_TWO]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.hangs_up_in(first, SECOND);
    world.run_for(2 * SECOND);
    assert_eq!(states(&world, 3), [AgentState::Idle; 3]);
    assert!(unanswered(&world).iter().all(|(_, why)| *why == Unanswered::CallerLeft));
    world.dials(second, "+4930999");
    world.hangs_up_in(second, 6 * SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(assigned(&world), ["a0", "a1", "a2", "a0", "a1", "a2"]);
}

#[test]
fn a_log_out_a_pause_and_a_removed_queue_while_several_ring_leave_nobody_stuck() {
    let (mut world, _) = desk(8, 3, &[Behaviour::NeverAnswers, IN_TWO, Behaviour::NeverAnswers]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    world.agent_wish("a0", Wish::LoggedOut);
    world.agent_wish("a2", Wish::Paused);
    world.reload(&house::house(&[&QUEUE.replace("support", "sales"), &staff(2).replace("support", "sales")]));
    world.run_for(3 * SECOND);
    assert_eq!(world.agent_state("a1"), AgentState::Talking, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(states(&world, 2), [AgentState::LoggedOut, AgentState::Idle]);
}

/// Who calls again rings with the agent he knows, alone; when that is in vain, with all others.
#[test]
fn who_waits_for_the_agent_he_knows_rings_with_him_alone_and_then_with_all() {
    let queue = ring_all(8).replace("max_wait", "sticky = { within = \"1h\", wait = \"1m\" }\nmax_wait");
    let mut world = world(12, &[&queue, &staff(3)]);
    let phones = telephones(&mut world, &[Behaviour::NeverAnswers, IN_TWO, Behaviour::NeverAnswers]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.hangs_up_in(caller, 5 * SECOND);
    world.run_for(6 * SECOND);
    world.behave(phones[1], Behaviour::NeverAnswers);
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    assert_eq!(states(&world, 3), [AgentState::Idle, AgentState::Ringing, AgentState::Idle]);
    world.run_for(20 * SECOND); // ring_timeout is 20 s
    assert_eq!(states(&world, 3), [AgentState::Ringing, AgentState::NotReady, AgentState::Ringing]);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// More ring than ports are in hand in one turn: the others join in as soon as there are ports again.
#[test]
fn twelve_ring_though_only_eight_ports_are_in_hand_and_nobody_is_blamed() {
    let (mut world, phones) = desk(9, 12, &vec![Behaviour::NeverAnswers; 12]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    assert!(phones.iter().all(|phone| world.state(*phone) == PhoneState::Rung), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(count(&world, |what| matches!(what, What::Unanswered { why: Unanswered::Router, .. })), 0);
}

/// Numbers of legs are used up one day: by four busy agents who rest for a second.
#[test]
fn a_caller_for_whom_thousands_of_legs_were_dialled_in_vain_goes_on_to_what_follows() {
    let queue = ring_all(4).replace("max_wait = \"10m\"", "max_wait = \"24h\"\nrest_rejected = \"1s\"");
    let mut world = world(11, &[&queue, &staff(4)]).rtp_every(60 * SECOND);
    telephones(&mut world, &vec![Behaviour::Busy; 4]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::TimedOut]);
    let record = &world.records()[0];
    assert!((3_900..4_096).contains(&record.legs.len()), "{} legs", record.legs.len());
    assert_eq!(ends(&world)[0].0, Cause::FlowEnded, "the closed prompt has been played");
}

/// A busy hour with loss: no agent is ever in two calls, which [`check`](testbed::check) watches after each turn.
#[test]
fn many_callers_and_agents_with_loss_and_nobody_left_over() {
    for seed in 0..20 {
        let behaviours: Vec<Behaviour> = (0..6)
            .map(|at| match (seed + at) % 5 {
                0 => Behaviour::Busy,
                1 => Behaviour::NeverAnswers,
                _ => Behaviour::AnswersFor(Duration::from_millis(900 + 150 * at), 7 * SECOND),
            })
            .collect();
        let mut world =
            world(2_000 + seed, &[&ring_all(3), &staff(6)]).link(Link::lossy(0.05)).rtp_every(SECOND);
        telephones(&mut world, &behaviours);
        for number in 0..12 {
            let caller = world.caller(&format!("caller{number}"));
            world.dials(caller, "+4930999");
            world.hangs_up_in(caller, 90 * SECOND);
            world.run_for(Duration::from_millis(700));
        }
        world.run_until_silent().assert_nothing_left();
        let answered = left(&world).iter().filter(|how| **how == LeftQueue::Answered).count();
        assert!(answered >= 6, "seed {seed}: {answered} of 12\n{}", world.ladder());
    }
}

/// RFC 3326 §3.2: a telephone that is told that the call was completed elsewhere shows no missed call.
#[test]
fn who_rings_in_vain_sees_that_somebody_called_unless_the_caller_goes_elsewhere() {
    let elsewhere = Some("SIP;cause=200;text=\"Call completed elsewhere\"".to_owned());
    for (key, after, reason) in [
        (Some('1'), 3 * SECOND, elsewhere.clone()), // a key leads him out of the queue
        (None, 3 * SECOND, None),                   // he gives up
        (None, 30 * SECOND, elsewhere),             // it is the next agent's turn
    ] {
        let keys = "keys = { 1 = \"next\" }\n";
        let mut world = house::world(40, &[house::QUEUE, keys, house::ANNA]);
        let agent = house::anna(&mut world, Behaviour::NeverAnswers);
        let caller = world.caller("caller");
        world.dials(caller, "+4930999");
        key.into_iter().for_each(|key| world.presses_in(caller, key, 2 * SECOND));
        world.hangs_up_in(caller, after);
        world.run_until_silent().assert_nothing_left();
        let cancel = &world.at(agent).last["CANCEL"];
        let told = cancel.value(Header::Reason).map(|value| String::from_utf8_lossy(&value).into_owned());
        assert_eq!(told, reason, "{key:?} {after:?}");
    }
}
