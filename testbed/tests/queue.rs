//! Callers who wait, agents who answer or do not.

mod house;

use house::{ANNA, BO, QUEUE, anna, assigned, bo, ends, left, the_end, world};
use router::journal::fact::{AgentState, Cause, Fault, LeftQueue, Unanswered, What, Wish};
use testbed::{
    Behaviour, Link,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

#[test]
fn a_free_agent_is_rung_at_once_and_both_hear_each_other() {
    let mut world = world(1, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    assert_eq!(world.state(agent), PhoneState::Rung);
    assert!(world.at(caller).heard.contains_key(&world.voice_of("music")));
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, agent) && world.heard(agent, caller), "{}", world.ladder());
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    assert_eq!((left(&world), world.agent_state("anna")), (vec![LeftQueue::Answered], AgentState::Idle));
}

#[test]
fn the_music_stops_within_20_ms_of_the_agents_answer() {
    let mut world = world(2, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930999");
    world.run_until(10 * SECOND, |world| world.happened().any(|what| matches!(what, What::Bridged { .. })));
    world.run_for(5 * MILLISECOND); // what was on its way
    let music = world.voice_of("music");
    let heard = world.at(caller).heard[&music];
    world.run_for(2 * SECOND);
    assert!(world.at(caller).heard[&music] <= heard + 1);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_caller_waits_with_music_until_an_agent_logs_in() {
    let manual =
        "[agent.anna]\ncall = \"sip:anna@10.2.0.11:5060\"\nqueues = [\"support\"]\nlogin = \"manual\"\n";
    let mut world = world(3, &[QUEUE, manual]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(30 * SECOND);
    assert_eq!((world.waiting("support"), world.agent_state("anna")), (1, AgentState::LoggedOut));
    world.agent_wish("anna", Wish::Ready);
    world.run_for(SECOND / 2);
    assert_eq!(world.state(agent), PhoneState::Rung);
    world.run_for(2 * SECOND);
    assert!(world.heard(agent, caller));
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn an_agent_who_does_not_answer_rests_and_the_caller_keeps_his_place() {
    let mut world = world(4, &[QUEUE, BO]).link(Link::lossy(0.05));
    let caller = world.caller("caller");
    let agent = bo(&mut world, Behaviour::NeverAnswers);
    world.dials(caller, "+4930999");
    world.run_for(24 * SECOND); // ring_timeout is 20 s
    assert_eq!(
        (world.waiting("support"), world.agent_state("bo")),
        (1, AgentState::NotReady),
        "{}",
        world.ladder()
    );
    world.behave(agent, Behaviour::Answers(SECOND));
    world.run_for(40 * SECOND); // rest_no_answer is 30 s
    assert_eq!(world.agent_state("bo"), AgentState::Talking, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(
        house::count(&world, |what| matches!(what, What::Queued { .. })),
        1,
        "one entry, however often offered"
    );
    assert_eq!(
        house::count(&world, |what| matches!(what, What::Unanswered { why: Unanswered::NoAnswer, .. })),
        1
    );
}

#[test]
fn whoever_was_offered_in_vain_is_still_before_those_who_came_after_him() {
    let mut world = world(26, &[QUEUE, ANNA, &(BO.to_owned() + "login = \"manual\"\n")]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    anna(&mut world, Behaviour::NeverAnswers);
    let agent = bo(&mut world, Behaviour::Answers(SECOND));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.dials(second, "+4930999");
    world.run_for(21 * SECOND); // anna's ring_timeout is over, she rests
    assert_eq!((world.waiting("support"), world.agent_state("anna")), (2, AgentState::NotReady));
    world.agent_wish("bo", Wish::Ready);
    world.run_for(3 * SECOND);
    assert!(world.heard(first, agent) && !world.heard(second, agent), "{}", world.ladder());
    world.hangs_up_in(second, SECOND);
    world.hangs_up_in(first, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn an_agent_whose_caller_gave_up_is_still_the_one_who_has_been_idle_longest() {
    let mut world = world(27, &[QUEUE, ANNA, BO]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    let agent = anna(&mut world, Behaviour::Answers(5 * SECOND));
    bo(&mut world, Behaviour::Answers(SECOND));
    world.dials(first, "+4930999");
    world.hangs_up_in(first, 2 * SECOND);
    world.run_for(3 * SECOND);
    world.dials(second, "+4930999");
    world.run_for(7 * SECOND);
    assert!(world.heard(second, agent), "{}", world.ladder());
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(assigned(&world), ["anna", "anna"]);
}

#[test]
fn a_busy_agent_is_passed_over_for_the_next_without_the_caller_noticing() {
    let mut world = world(5, &[QUEUE, ANNA, BO]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Busy);
    let second = bo(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, second), "{}", world.ladder());
    assert_eq!(assigned(&world), ["anna", "bo"]);
    assert_eq!(world.agent_state("anna"), AgentState::NotReady);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn an_agent_whose_telephone_is_dead_is_passed_over() {
    let mut world = world(6, &[QUEUE, ANNA, BO]);
    let caller = world.caller("caller");
    let second = bo(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999"); // nobody lives at anna's address
    world.run_for(30 * SECOND);
    assert!(world.heard(caller, second), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn the_caller_gives_up_while_he_waits() {
    let mut world = world(7, &[QUEUE]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.hangs_up_in(caller, 12 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::Abandoned, Fault::None, None));
    assert_eq!(left(&world), [LeftQueue::Abandoned]);
}

#[test]
fn the_caller_gives_up_while_the_agent_rings_and_the_agent_is_free_for_the_next() {
    let mut world = world(8, &[QUEUE, ANNA]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    let agent = anna(&mut world, Behaviour::Answers(5 * SECOND));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.dials(second, "+4930999");
    world.hangs_up_in(first, SECOND);
    world.run_for(9 * SECOND);
    assert!(world.heard(second, agent) && !world.heard(first, agent), "{}", world.ladder());
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::Abandoned, LeftQueue::Answered]);
}

/// Hang-up and answer meet at every distance; the agent is never stuck.
#[test]
fn the_caller_gives_up_in_the_same_millisecond_as_the_agent_answers() {
    for late in 0..14 {
        let mut world = world(200 + late, &[QUEUE, ANNA]);
        let caller = world.caller("caller");
        anna(&mut world, Behaviour::Answers(2 * SECOND));
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, 2 * SECOND + u32::try_from(late).unwrap() * MILLISECOND);
        world.run_until_silent().assert_nothing_left();
        assert_eq!(world.agent_state("anna"), AgentState::Idle, "{late} ms\n{}", world.ladder());
    }
}

#[test]
fn the_agent_leaves_and_the_caller_is_released_and_the_agent_wraps_up() {
    let wrap_up = QUEUE.replace("max_wait", "wrap_up = \"15s\"\nmax_wait");
    let mut world = world(9, &[&wrap_up, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::AnswersFor(SECOND, 4 * SECOND));
    world.dials(caller, "+4930999");
    world.run_for(8 * SECOND);
    assert_eq!((world.state(caller), world.agent_state("anna")), (PhoneState::Ended, AgentState::WrapUp));
    world.run_for(11 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::WrapUp, "his 15 s are over at 20 s");
    world.run_for(2 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Idle);
    assert_eq!(the_end(&mut world), (Cause::CalledHungUp, Fault::None, None));
}

#[test]
fn two_callers_and_one_agent_are_served_in_the_order_of_arrival() {
    let mut world = world(10, &[QUEUE, ANNA]);
    let (first, second, third) = (world.caller("first"), world.caller("second"), world.caller("third"));
    let agent = anna(&mut world, Behaviour::AnswersFor(SECOND, 5 * SECOND));
    for caller in [first, second, third] {
        world.dials(caller, "+4930999");
        world.run_for(SECOND / 4);
    }
    world.run_for(10 * SECOND);
    assert!(world.heard(first, agent) && world.heard(second, agent) && !world.heard(third, agent));
    world.run_until_silent().assert_nothing_left();
    assert!(world.heard(third, agent));
    assert_eq!(world.at(agent).most_at_once, 1, "an agent has one call at a time");
}

#[test]
fn the_agent_who_has_been_idle_longest_is_chosen() {
    let mut world = world(11, &[QUEUE, ANNA, BO]);
    anna(&mut world, Behaviour::AnswersFor(SECOND, 2 * SECOND));
    bo(&mut world, Behaviour::AnswersFor(SECOND, 2 * SECOND));
    for number in 0..4 {
        let caller = world.caller(&format!("caller{number}"));
        world.dials(caller, "+4930999");
        world.run_for(10 * SECOND);
    }
    world.run_until_silent().assert_nothing_left();
    assert_eq!(assigned(&world), ["anna", "bo", "anna", "bo"]);
}

#[test]
fn the_queue_with_the_higher_priority_is_served_first() {
    let two = "[[number]]\nmatch = \"1\"\ntrunk = \"carrier\"\nflow = \"low\"\n[[number]]\nmatch = \"2\"\ntrunk = \"carrier\"\nflow = \"high\"\n[flow.low]\nsteps = [{ queue = \"low\" }]\n[flow.high]\nsteps = [{ queue = \"high\" }]\n[queue.low]\n[queue.high]\npriority = 5\n[agent.anna]\ncall = \"sip:anna@10.2.0.11:5060\"\nqueues = [\"low\", \"high\"]\nlogin = \"manual\"\n";
    let mut world = world(12, &[two]);
    let (early, important) = (world.caller("early"), world.caller("important"));
    let agent = anna(&mut world, Behaviour::AnswersFor(SECOND, 3 * SECOND));
    world.dials(early, "1");
    world.run_for(20 * SECOND);
    world.dials(important, "2");
    world.run_for(SECOND);
    world.agent_wish("anna", Wish::Ready);
    world.run_for(3 * SECOND);
    assert!(world.heard(important, agent) && !world.heard(early, agent), "{}", world.ladder());
    world.run_until_silent().assert_nothing_left();
    assert!(world.heard(early, agent));
}

#[test]
fn a_caller_who_has_waited_too_long_goes_on_to_the_next_step() {
    let short = QUEUE.replace("10m", "15s");
    let mut world = world(13, &[&short]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(17 * SECOND);
    assert!(world.at(caller).heard.contains_key(&world.voice_of("closed")));
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
    assert_eq!(left(&world), [LeftQueue::TimedOut]);
}

#[test]
fn a_caller_who_has_waited_too_long_where_nothing_follows_is_hung_up_and_left_the_queue_once() {
    let last = QUEUE.replace("10m", "15s").replace(", { play = \"prompts/closed.wav\" }, \"hangup\"]", "]");
    let mut world = world(25, &[&last, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Busy);
    world.dials(caller, "+4930999");
    world.run_for(17 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Ended);
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
    assert_eq!(left(&world), [LeftQueue::TimedOut]);
}

#[test]
fn one_caller_more_than_may_wait_goes_on_to_the_next_step_at_once() {
    let small = QUEUE.replace("max_wait", "max_waiting = 1\nmax_wait");
    let mut world = world(14, &[&small]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.dials(second, "+4930999");
    world.run_for(SECOND);
    assert!(world.at(second).heard.contains_key(&world.voice_of("closed")));
    world.hangs_up_in(first, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world), [LeftQueue::Full, LeftQueue::Abandoned]);
}

#[test]
fn an_agents_second_address_rings_too_and_the_loser_stops() {
    let two = "[agent.anna]\ncall = [\"sip:anna@10.2.0.11:5060\", \"sip:anna@10.2.0.21:5060\"]\nqueues = [\"support\"]\n";
    let mut world = world(15, &[QUEUE, two]);
    let caller = world.caller("caller");
    let desk = anna(&mut world, Behaviour::NeverAnswers);
    let mobile = world.phone_at("mobile", "10.2.0.21:5060", Behaviour::Answers(3 * SECOND));
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    assert!(world.heard(caller, mobile));
    assert_eq!(world.state(desk), PhoneState::Failed(487));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(assigned(&world), ["anna"], "all addresses are one assignment");
}

#[test]
fn addresses_in_turn_ring_one_after_the_other() {
    let two = "[agent.anna]\ncall = [\"sip:anna@10.2.0.11:5060\", \"sip:anna@10.2.0.21:5060\"]\nring = \"in-turn\"\nqueues = [\"support\"]\n";
    let mut world = world(16, &[QUEUE, two]);
    let caller = world.caller("caller");
    let desk = anna(&mut world, Behaviour::NeverAnswers);
    let mobile = world.phone_at("mobile", "10.2.0.21:5060", Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    assert_eq!((world.state(desk), world.state(mobile)), (PhoneState::Rung, PhoneState::Idle));
    world.run_for(8 * SECOND);
    assert!(world.heard(caller, mobile), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn both_addresses_answer_in_the_same_millisecond_and_one_wins() {
    let two = "[agent.anna]\ncall = [\"sip:anna@10.2.0.11:5060\", \"sip:anna@10.2.0.21:5060\"]\nqueues = [\"support\"]\n";
    let mut world = world(17, &[QUEUE, two]);
    let caller = world.caller("caller");
    let desk = anna(&mut world, Behaviour::Answers(2 * SECOND));
    let mobile = world.phone_at("mobile", "10.2.0.21:5060", Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    let talking = [desk, mobile].map(|phone| world.state(phone) == PhoneState::Talking);
    assert!(talking[0] ^ talking[1], "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_log_out_during_a_call_takes_effect_at_its_end() {
    let mut world = world(18, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    world.agent_wish("anna", Wish::LoggedOut);
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(world.agent_state("anna"), AgentState::LoggedOut);
}

#[test]
fn a_pause_while_rung_leaves_the_call_to_be_answered_and_nothing_after_it() {
    let mut world = world(19, &[QUEUE, ANNA]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    let agent = anna(&mut world, Behaviour::AnswersFor(2 * SECOND, 2 * SECOND));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.agent_wish("anna", Wish::Paused);
    world.dials(second, "+4930999");
    world.run_for(20 * SECOND);
    assert!(world.heard(first, agent) && !world.heard(second, agent));
    assert_eq!((world.agent_state("anna"), world.waiting("support")), (AgentState::NotReady, 1));
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn one_call_more_than_the_limit_is_503_and_has_a_record_too() {
    let limit = "[limits]\nmax_calls = 1\n";
    let mut world = world(24, &[QUEUE, limit]);
    let (first, second) = (world.caller("first"), world.caller("second"));
    world.dials(first, "+4930999");
    world.run_for(SECOND);
    world.dials(second, "+4930999");
    world.run_for(2 * SECOND);
    assert_eq!(world.state(second), PhoneState::Failed(503));
    world.hangs_up_in(first, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert!(ends(&world).contains(&(Cause::Overload, Fault::Router, Some(503))));
}

/// Who waits for somebody abandons; who leaves a prompt or a talk has hung up. CANCEL or BYE makes no difference.
#[test]
fn where_the_caller_leaves_decides_whether_he_abandoned() {
    const EARLY: &str = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\nsteps = [{ play = { prompt = \"prompts/welcome.wav\", early = true } }]\n";
    let leaves = |place: &str, sections: &[&str], after, cause, status, queue: &[LeftQueue]| {
        let mut world = world(30, sections);
        let caller = world.caller("caller");
        anna(&mut world, Behaviour::Answers(5 * SECOND));
        house::teams(&mut world, Behaviour::NeverAnswers);
        world.dials(caller, "+4930123");
        world.hangs_up_in(caller, after);
        assert_eq!(the_end(&mut world), (cause, Fault::None, status), "{place}");
        assert_eq!(left(&world), queue, "{place}");
    };
    let short = QUEUE.replace("max_wait = \"10m\"", "max_wait = \"1s\"");
    let (soon, later) = (300 * MILLISECOND, 3 * SECOND);
    let (hung_up, abandoned) = (Cause::CallerHungUp, Cause::Abandoned);
    leaves("unanswered prompt", &[EARLY], soon, hung_up, Some(487), &[]);
    leaves("prompt", &[house::MENU, QUEUE], soon, hung_up, None, &[]);
    leaves("waiting", &[QUEUE], later, abandoned, None, &[LeftQueue::Abandoned]);
    leaves("ringing", &[QUEUE, ANNA], later, abandoned, None, &[LeftQueue::Abandoned]);
    leaves("talk", &[QUEUE, ANNA], 8 * SECOND, hung_up, None, &[LeftQueue::Answered]);
    leaves("prompt behind the queue", &[&short], 1_050 * MILLISECOND, hung_up, None, &[LeftQueue::TimedOut]);
    leaves("ringing without a queue", &[house::DIRECT], later, abandoned, Some(487), &[]);
}

#[test]
fn who_is_answered_in_time_is_told_by_the_target_of_that_moment() {
    let five =
        QUEUE.replace("[queue.support]", "[queue.support]\nservice_level = \"5s\"\nshort_abandon = \"2s\"");
    let two = five.replace("\"5s\"", "\"2s\"");
    let mut world = world(31, &[&five, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(3 * SECOND));
    let mut rings = |config: &str, behaviour: Behaviour, hangs_up: u32| {
        world.reload(&house::house(&[config, ANNA]));
        world.behave(agent, behaviour);
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, hangs_up * SECOND);
        world.run_until_silent().assert_nothing_left();
    };
    rings(&five, Behaviour::Answers(3 * SECOND), 10);
    rings(&five, Behaviour::Answers(6 * SECOND), 10);
    rings(&two, Behaviour::Answers(3 * SECOND), 10);
    rings(&five, Behaviour::NeverAnswers, 1);
    rings(&five, Behaviour::NeverAnswers, 3);
    let status = world.shard().status(0, router::service::Service::Open);
    let sums = status.queues[0].sums;
    assert_eq!((sums.answered, sums.answered_in_time), (3, 1));
    assert_eq!((sums.abandoned, sums.abandoned_in_time, sums.abandoned_short), (2, 2, 1));
    assert_eq!(sums.service_level(), Some(0.25));
    let mut again = router::sums::Sums::default();
    world.facts().iter().for_each(|fact| again.apply(fact));
    assert_eq!(again.queue("support"), sums, "a restart reads the same from the journal");
}

/// Sixteen ports, each resting for a minute after use: the caller gets the last pair and the agent none.
#[test]
fn an_agent_for_whom_we_have_no_port_is_not_to_blame_and_the_caller_keeps_his_place() {
    let house = house::house(&[QUEUE, ANNA, "[limits]\nmax_calls = 1\n"])
        .replace("ports = \"10000-10999\"", "ports = \"10000-10015\"\nquarantine = \"1m\"");
    let mut world = testbed::World::new(32, &house);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Answers(SECOND));
    let calls_for = |world: &mut testbed::World, length: u32| {
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, length * SECOND);
        world.run_for((length + 1) * SECOND);
    };
    world.agent_wish("anna", Wish::Paused);
    calls_for(&mut world, 2);
    world.agent_wish("anna", Wish::Ready);
    (0..3).for_each(|_| calls_for(&mut world, 3));
    let (before, start) = (assigned(&world).len(), world.elapsed());

    world.dials(caller, "+4930999");
    world.run_until(90 * SECOND, |world| world.agent_state("anna") == AgentState::Talking);
    let seconds = usize::try_from((world.elapsed() - start).as_secs()).unwrap();
    assert!((30..60).contains(&seconds), "{seconds} s until a port had rested");
    let ours = house::count(&world, |what| matches!(what, What::Unanswered { why: Unanswered::Router, .. }));
    assert!((seconds - 2..=seconds).contains(&ours), "{ours} attempts in {seconds} s");
    assert_eq!(assigned(&world).len() - before, ours + 1);
    assert_eq!(house::count(&world, |what| matches!(what, What::Queued { .. })), 5, "one place a call");
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(left(&world).last(), Some(&LeftQueue::Answered));
}

/// Two agents behind one trunk that takes one call: the second is rung as soon as there is room, not ten seconds later.
#[test]
fn an_agent_behind_a_full_trunk_is_tried_again_soon() {
    let agents = "[agent.anna]\ncall = \"1@teams\"\nqueues = [\"support\"]\n[agent.bo]\ncall = \"2@teams\"\nqueues = [\"support\"]\n";
    let house = house::house(&[QUEUE, agents]).replace("[trunk.teams]", "[trunk.teams]\nmax_calls = 1");
    let mut world = testbed::World::new(33, &house);
    let callers = ["one", "two"].map(|name| world.caller(name));
    house::teams(&mut world, Behaviour::Answers(SECOND));
    for caller in callers {
        world.dials(caller, "+4930999");
        world.run_for(3 * SECOND);
    }
    assert_eq!(world.waiting("support"), 1, "{}", world.ladder());
    world.hangs_up_in(callers[0], SECOND / 2);
    world.run_for(4 * SECOND);
    assert_eq!(world.waiting("support"), 0);
    assert_eq!(world.state(callers[1]), PhoneState::Talking);
    world.hangs_up_in(callers[1], SECOND);
    world.run_until_silent().assert_nothing_left();
}
