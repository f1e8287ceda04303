//! Who would rather be called back: he keeps his place, an agent is there before he is called, and nobody is forgotten.

mod house;

use std::time::Duration;

use house::{count, house, left};
use router::{
    journal::fact::{AgentState, CallbackEnd, Cause, LeftQueue, What, Wish},
    record::Record,
};
use sip_core::Service;
use testbed::{
    Behaviour, PhoneId, World,
    world::{MILLISECOND, SECOND},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Number 1 waits for five seconds and is then called back; number 2 waits, and key 1 leads to what number 3 does at
/// once. Customers are called by the carrier.
const DESK: &str = r#"
[[number]]
match = "1"
trunk = "carrier"
flow = "callback"
[[number]]
match = "2"
trunk = "carrier"
flow = "wait"
[trunk.out]
send_to = ["udp:10.3.0.1:5060"]
[flow.callback]
steps = [
  { queue = "impatient" },
  { callback = { queue = "support", dial = "{caller}@out", prompt = "prompts/welcome.wav", retry = "15m", tries = 3, expires = "2h", otherwise = "flow.wait" } },
  "hangup",
]
[[number]]
match = "3"
trunk = "carrier"
flow = "at-once"
[flow.at-once]
steps = [{ callback = { queue = "support", dial = "{caller}@out", otherwise = "flow.wait" } }, "hangup"]
[flow.wait]
steps = [{ queue = "support" }, "hangup"]
[queue.impatient]
max_wait = "5s"
[queue.support]
music = "prompts/music.wav"
keys = { 1 = "flow.at-once" }
ring_timeout = "20s"
rest_no_answer = "30s"
max_wait = "1h"
"#;
const MINE: &str = "+49301";

/// Anna is at work, but paused; customers' telephones are behind 10.3.0.1.
struct Story {
    world: World,
    anna: PhoneId,
    customer: PhoneId,
    caller: PhoneId,
}

impl Story {
    fn new(seed: u64, customer: Behaviour) -> Story {
        let mut world = World::new(seed, &house(&[DESK, house::ANNA, house::BO]));
        let anna = house::anna(&mut world, Behaviour::Answers(SECOND));
        house::bo(&mut world, Behaviour::Answers(SECOND));
        for agent in ["anna", "bo"] {
            world.agent_wish(agent, Wish::Paused);
        }
        let customer = world.phone_at("customer", "10.3.0.1:5060", customer);
        let caller = world.caller(MINE);
        Story { world, anna, customer, caller }
    }

    /// Calls, and hears that he will be called back: 5 s of waiting, 2 s of prompt.
    fn asks(&mut self, caller: PhoneId) {
        self.world.dials(caller, "1");
        self.world.run_for(10 * SECOND);
    }

    fn anna_is(&mut self, wish: Wish) {
        self.world.agent_wish("anna", wish);
    }

    fn over(&self) -> Vec<CallbackEnd> {
        let how = |what: &What| match what {
            What::CallbackOver { how, .. } => Some(*how),
            _ => None,
        };
        self.world.happened().filter_map(how).collect()
    }

    fn pending(&self) -> u64 {
        self.world.shard().numbers().queues["support"].sums.callbacks_pending()
    }

    fn asked(&self) -> usize {
        count(&self.world, |what| matches!(what, What::CallbackAsked { .. }))
    }

    fn begun(&self) -> usize {
        count(&self.world, |what| matches!(what, What::CallbackBegun { .. }))
    }

    /// How often the customer was called.
    fn called(&self) -> usize {
        count(&self.world, |what| matches!(what, What::Dialled { leg: 0, .. }))
    }

    fn callback(&self) -> Record {
        let records = self.world.records();
        let ours = |record: &&Record| record.source.starts_with("callback of");
        records.iter().rfind(ours).expect("a callback that is over").clone()
    }

    fn ends(&mut self) {
        self.world.run_until_silent().assert_nothing_left();
        assert_eq!(self.pending(), 0);
    }
}

#[test]
fn the_customer_is_called_when_an_agent_has_answered_and_both_hear_each_other() {
    let mut story = Story::new(1, Behaviour::Answers(2 * SECOND));
    let caller = story.caller;
    story.asks(caller);
    assert!(story.world.at(caller).heard.contains_key(&story.world.voice_of("welcome")));
    assert_eq!(house::ends(&story.world)[0].0, Cause::FlowEnded);
    assert_eq!((story.begun(), story.called(), story.pending()), (1, 0, 1));
    assert_eq!(story.world.waiting("support"), 1);
    story.world.run_for(MINUTE);
    story.anna_is(Wish::Ready);
    story.world.run_for(1_500 * MILLISECOND);
    assert_eq!((story.called(), story.world.agent_state("anna")), (1, AgentState::Ringing));
    story.world.run_for(4 * SECOND);
    assert_eq!(story.world.agent_state("anna"), AgentState::Talking);
    assert!(story.world.heard(story.anna, story.customer) && story.world.heard(story.customer, story.anna));
    assert_eq!((story.over(), story.pending()), (vec![CallbackEnd::Reached], 0));
    story.world.hangs_up_in(story.customer, SECOND);
    story.ends();
    let record = story.callback();
    assert_eq!(record.cause, Some(Cause::CallerHungUp));
    assert_eq!(
        (record.from.as_str(), record.to.as_str(), record.queue.as_deref()),
        (MINE, "1", Some("support"))
    );
    assert_eq!(record.agent.as_deref(), Some("anna"));
    assert!(record.answered_at.is_some() && record.talk_ms > 2_000 && record.wait_ms > 55_000, "{record:?}");
    assert_eq!(left(&story.world), [LeftQueue::TimedOut, LeftQueue::Answered]);
}

#[test]
fn he_sees_the_number_that_he_had_called() {
    let mut story = Story::new(2, Behaviour::Answers(2 * SECOND));
    let invited = house::spy(&mut story.world, |datagram, _| {
        let text = String::from_utf8_lossy(&datagram.bytes).into_owned();
        let is_his = datagram.to.to_string() == "10.3.0.1:5060" && text.starts_with("INVITE");
        is_his.then_some(text)
    });
    story.asks(story.caller);
    story.anna_is(Wish::Ready);
    story.world.run_for(2 * SECOND);
    let invite = invited.borrow().first().expect("an INVITE to the customer").clone();
    assert!(invite.starts_with("INVITE sip:+49301@10.3.0.1:5060 "), "{invite}");
    assert!(invite.contains("From: <sip:1@10.0.0.1:5060>"), "{invite}");
    story.world.hangs_up_in(story.customer, 5 * SECOND);
    story.ends();
}

#[test]
fn he_keeps_the_place_that_he_had_when_he_first_waited() {
    let mut story = Story::new(3, Behaviour::Answers(2 * SECOND));
    story.world.dials(story.caller, "1");
    story.world.run_for(SECOND);
    let later = story.world.caller("+49302");
    story.world.dials(later, "2");
    story.world.run_for(10 * SECOND);
    assert_eq!(story.world.waiting("support"), 2);
    story.anna_is(Wish::Ready);
    story.world.run_for(5 * SECOND);
    assert!(story.world.heard(story.anna, story.customer) && !story.world.heard(story.anna, later));
    story.world.hangs_up_in(story.customer, SECOND);
    story.world.run_for(5 * SECOND);
    assert!(story.world.heard(story.anna, later));
    story.world.hangs_up_in(later, SECOND);
    story.ends();
}

#[test]
fn a_caller_who_hangs_up_after_he_asked_is_called_back_all_the_same() {
    let mut story = Story::new(4, Behaviour::Answers(2 * SECOND));
    story.world.dials(story.caller, "1");
    story.world.hangs_up_in(story.caller, 6 * SECOND);
    story.world.run_for(10 * SECOND);
    story.anna_is(Wish::Ready);
    story.world.run_for(5 * SECOND);
    assert_eq!(story.over(), [CallbackEnd::Reached]);
    story.world.hangs_up_in(story.customer, SECOND);
    story.ends();
    assert!(!left(&story.world).contains(&LeftQueue::Abandoned));
}

#[test]
fn a_busy_customer_is_called_every_fifteen_minutes_and_given_up_after_the_third_time() {
    let mut story = Story::new(5, Behaviour::Busy);
    story.asks(story.caller);
    story.anna_is(Wish::Ready);
    story.world.run_for(2 * SECOND);
    assert_eq!((story.called(), story.pending()), (1, 1));
    assert_eq!(story.world.agent_state("anna"), AgentState::Idle);
    story.world.run_for(15 * MINUTE - 5 * SECOND);
    assert_eq!(story.called(), 1);
    story.world.run_for(10 * SECOND);
    assert_eq!(story.called(), 2);
    story.ends();
    assert_eq!((story.called(), story.over()), (3, vec![CallbackEnd::Unreached]));
    assert_eq!(left(&story.world)[1..], [LeftQueue::Unreached; 3]);
    assert_eq!(story.callback().cause, Some(Cause::Busy));
}

#[test]
fn a_customer_who_does_not_answer_frees_the_agent_and_is_called_again() {
    let mut story = Story::new(6, Behaviour::NeverAnswers);
    story.asks(story.caller);
    story.anna_is(Wish::Ready);
    story.world.run_for(20 * SECOND);
    assert_eq!(story.world.agent_state("anna"), AgentState::Ringing);
    story.world.run_for(15 * SECOND);
    assert_eq!(story.world.agent_state("anna"), AgentState::Idle);
    story.world.behave(story.customer, Behaviour::AnswersFor(SECOND, 5 * SECOND));
    story.ends();
    assert_eq!((story.called(), story.over()), (2, vec![CallbackEnd::Reached]));
}

#[test]
fn an_agent_who_does_not_answer_leaves_it_to_the_next_and_the_customer_is_called_once() {
    let mut story = Story::new(7, Behaviour::AnswersFor(2 * SECOND, 5 * SECOND));
    story.world.behave(story.anna, Behaviour::NeverAnswers);
    story.asks(story.caller);
    story.anna_is(Wish::Ready);
    story.world.run_for(SECOND);
    story.world.agent_wish("bo", Wish::Ready);
    story.world.run_for(15 * SECOND);
    assert_eq!(story.called(), 0);
    story.ends();
    assert_eq!((story.begun(), story.called(), story.over()), (1, 1, vec![CallbackEnd::Reached]));
    assert_eq!(story.callback().agent.as_deref(), Some("bo"));
}

#[test]
fn an_agent_who_hangs_up_while_the_customer_rings_rests_and_that_is_no_try() {
    let mut story = Story::new(8, Behaviour::Answers(10 * SECOND));
    story.asks(story.caller);
    story.anna_is(Wish::Ready);
    story.world.hangs_up_in(story.anna, 5 * SECOND);
    story.world.run_for(7 * SECOND);
    assert_eq!(story.world.agent_state("anna"), AgentState::NotReady);
    assert_eq!((story.called(), story.pending()), (1, 1));
    let put_off = |what: &What| matches!(what, What::CallbackPutOff { tried: false, .. });
    assert_eq!(count(&story.world, put_off), 1);
    story.world.behave(story.customer, Behaviour::AnswersFor(SECOND, 5 * SECOND));
    story.ends();
    assert_eq!((story.called(), story.over()), (2, vec![CallbackEnd::Reached]));
}

#[test]
fn a_second_request_of_the_same_number_changes_nothing() {
    let mut story = Story::new(9, Behaviour::AnswersFor(SECOND, 5 * SECOND));
    let caller = story.caller;
    story.asks(caller);
    story.asks(caller);
    assert_eq!((story.asked(), story.begun(), story.pending()), (1, 1, 1));
    assert_eq!(count(&story.world, |what| matches!(what, What::CallbackAwaited { .. })), 1);
    story.anna_is(Wish::Ready);
    story.ends();
    assert_eq!(story.called(), 1);
}

#[test]
fn who_withholds_his_number_waits_on() {
    let mut story = Story::new(10, Behaviour::Answers(SECOND));
    story.world.writes(story.caller, "Privacy", "id");
    story.asks(story.caller);
    assert_eq!((story.asked(), story.world.waiting("support")), (0, 1));
    story.world.hangs_up_in(story.caller, SECOND);
    story.ends();
}

#[test]
fn after_a_crash_all_who_were_pending_are_called_back_also_one_who_was_being_called() {
    for (seed, until_crash) in [(11, 0), (12, 2)] {
        let mut story = Story::new(seed, Behaviour::NeverAnswers);
        story.asks(story.caller);
        if until_crash > 0 {
            story.anna_is(Wish::Ready);
            story.world.run_for(until_crash * SECOND);
            assert_eq!(story.called(), 1);
        }
        story.world.crashes_for(MINUTE);
        assert_eq!(story.pending(), 1);
        story.world.behave(story.customer, Behaviour::AnswersFor(SECOND, 5 * SECOND));
        story.anna_is(Wish::Ready);
        story.ends();
        assert_eq!(story.over(), [CallbackEnd::Reached]);
    }
}

#[test]
fn an_orderly_end_waits_for_no_callback_and_the_next_start_knows_of_it() {
    let mut story = Story::new(13, Behaviour::AnswersFor(SECOND, 5 * SECOND));
    story.asks(story.caller);
    story.world.service(Service::Draining);
    story.world.run_for(SECOND);
    assert_eq!((story.world.shard().live_calls(), story.pending()), (0, 1));
    story.world.is_ended_for(MINUTE);
    story.anna_is(Wish::Ready);
    story.world.run_for(5 * SECOND);
    assert_eq!((story.begun(), story.over()), (2, vec![CallbackEnd::Reached]));
    story.ends();
}

#[test]
fn a_queue_that_is_taken_away_gives_up_whoever_waits_for_it_at_the_telephone_or_at_home() {
    let mut story = Story::new(14, Behaviour::Busy);
    story.asks(story.caller);
    story.anna_is(Wish::Ready);
    story.world.run_for(10 * SECOND); // put off: he was busy
    story.anna_is(Wish::Paused);
    let other = story.world.caller("+49302");
    story.asks(other);
    assert_eq!((story.pending(), story.world.waiting("support")), (2, 1));
    let without = house(&[&DESK.replace("\"support\"", "\"sales\"").replace("queue.support", "queue.sales")]);
    story.world.reload(&without);
    assert_eq!(story.over(), [CallbackEnd::Removed; 2]);
    story.world.run_until_silent().assert_nothing_left();
}

#[test]
fn while_the_queue_is_closed_nobody_is_called_and_in_the_end_he_is_given_up() {
    use router::status::Door;
    let mut story = Story::new(15, Behaviour::Answers(SECOND));
    story.asks(story.caller);
    story.world.switch_queue("support", Door::Close);
    story.anna_is(Wish::Ready);
    story.world.run_for(60 * MINUTE);
    assert_eq!((story.called(), story.pending()), (0, 1));
    story.ends();
    assert_eq!((story.called(), story.over()), (0, vec![CallbackEnd::Expired]));
    assert!(story.world.elapsed() < 121 * MINUTE);
}

#[test]
fn who_waits_for_an_agent_too_long_is_given_up_in_time() {
    let mut story = Story::new(16, Behaviour::Answers(SECOND));
    story.asks(story.caller);
    story.ends();
    assert_eq!((story.called(), story.over()), (0, vec![CallbackEnd::Expired]));
    assert_eq!(left(&story.world)[1..], [LeftQueue::TimedOut]);
}

#[test]
fn a_key_leads_from_the_queue_to_a_callback_and_the_wait_is_no_abandoned_one() {
    let mut story = Story::new(17, Behaviour::AnswersFor(SECOND, 5 * SECOND));
    story.world.dials(story.caller, "2");
    story.world.presses_in(story.caller, '1', 5 * SECOND);
    story.world.run_for(10 * SECOND);
    assert_eq!((story.asked(), story.pending(), story.world.waiting("support")), (1, 1, 1));
    story.anna_is(Wish::Ready);
    story.ends();
    assert_eq!(left(&story.world), [LeftQueue::ByKey, LeftQueue::Answered]);
    let sums = story.world.shard().numbers().queues["support"].sums;
    assert_eq!((sums.entered, sums.answered, sums.abandoned, sums.left_otherwise()), (2, 1, 0, 1));
    assert_eq!((sums.callbacks_asked, sums.callbacks_reached, sums.callbacks_given_up), (1, 1, 0));
}

#[test]
fn who_is_hung_up_on_at_once_waits_on_the_line_for_the_next_agent_and_is_not_called_again() {
    let mut story = Story::new(18, Behaviour::Answers(SECOND));
    story.world.behave(story.anna, Behaviour::AnswersFor(SECOND, 3 * SECOND));
    story.asks(story.caller);
    story.anna_is(Wish::Ready);
    story.world.run_for(6 * SECOND);
    assert_eq!((story.world.waiting("support"), story.over()), (1, vec![CallbackEnd::Reached]));
    story.world.agent_wish("bo", Wish::Ready);
    story.world.run_for(5 * SECOND);
    assert_eq!((story.called(), story.world.agent_state("bo")), (1, AgentState::Talking));
    story.world.hangs_up_in(story.customer, SECOND);
    story.ends();
}

#[test]
fn while_there_is_no_way_to_the_customer_no_try_is_lost() {
    let mut story = Story::new(19, Behaviour::AnswersFor(SECOND, 5 * SECOND));
    let with = house(&[DESK, house::ANNA, house::BO]);
    story.asks(story.caller);
    story.world.reload(&with.replace("trunk.out", "trunk.away").replace("@out", "@away"));
    story.anna_is(Wish::Ready);
    story.world.run_for(50 * MINUTE);
    // The call that had begun finds it out when she has answered; after that nobody is rung for nothing.
    assert_eq!((story.begun(), story.called(), story.pending()), (1, 0, 1));
    assert_eq!((house::assigned(&story.world).len(), story.world.agent_state("anna")), (1, AgentState::Idle));
    story.world.reload(&with);
    story.ends();
    assert_eq!((story.called(), story.over()), (1, vec![CallbackEnd::Reached]));
}

#[test]
fn one_call_asks_for_one_callback_and_the_second_queue_is_no_loss_of_the_first() {
    let mut story = Story::new(21, Behaviour::Answers(SECOND));
    let both = "[[number]]\nmatch = \"9\"\ntrunk = \"carrier\"\nflow = \"both\"\n[flow.both]\nsteps = [\n  { callback = { queue = \"support\", dial = \"{caller}@out\" } },\n  { callback = { queue = \"impatient\", dial = \"{caller}@out\", otherwise = \"flow.told\" } },\n  \"hangup\",\n]\n[flow.told]\nsteps = [{ play = \"prompts/welcome.wav\" }, \"hangup\"]\n";
    story.world.reload(&house(&[DESK, both, house::ANNA, house::BO]));
    story.world.dials(story.caller, "9");
    story.world.run_for(5 * SECOND);
    assert!(story.world.at(story.caller).heard.contains_key(&story.world.voice_of("welcome")));
    assert_eq!((story.asked(), story.pending()), (1, 1));
    story.anna_is(Wish::Ready);
    story.world.run_for(10 * SECOND);
    assert_eq!(story.over(), [CallbackEnd::Reached]);
    story.world.hangs_up_in(story.customer, SECOND);
    story.ends();
}

#[test]
fn of_more_than_a_thousand_who_ask_the_last_has_to_wait_on() {
    let mut story = Story::new(20, Behaviour::Busy);
    for number in 0..=1_000 {
        let caller = story.world.caller(&format!("+49{number:05}"));
        story.world.dials(caller, "3");
        story.world.run_for(100 * MILLISECOND);
        if number == 1_000 {
            assert_eq!((story.asked(), story.pending()), (1_000, 1_000));
            story.world.hangs_up_in(caller, SECOND);
        }
    }
    let ended = count(&story.world, |what| matches!(what, What::Ended { .. }));
    assert_eq!(ended, 1_000);
    story.world.switch_queue("support", router::status::Door::Close);
    story.ends();
    assert_eq!(story.over().len(), 1_000);
}
