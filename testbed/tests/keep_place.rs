//! Whoever is cut off because the router ends gets his place again when he calls again soon.

mod house;

use std::time::Duration;

use house::{BO, house, left};
use router::{
    credit::Why,
    journal::fact::{Cause, LeftQueue, What, Wish},
};
use testbed::{
    Behaviour, PhoneId, World,
    world::{MILLISECOND, SECOND},
};

/// Numbers 1 and 2 lead to the queues of those names; who has waited a minute in the first goes on to the second.
const DESK: &str = r#"
[[number]]
match = "1"
trunk = "carrier"
flow = "one"
[[number]]
match = "2"
trunk = "carrier"
flow = "two"
[flow.one]
steps = [{ queue = "support" }, { queue = "sales" }, "hangup"]
[flow.two]
steps = [{ queue = "sales" }, "hangup"]
[queue.support]
max_wait = "1m"
[queue.sales]
[agent.anna]
call = "sip:anna@10.2.0.11:5060"
queues = ["support", "sales"]
"#;

const MINE: &str = "+49301";

/// Two callers wait, the first for longer; anna is logged out.
struct Story {
    world: World,
    anna: PhoneId,
    mine: PhoneId,
    other: PhoneId,
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut world = World::new(seed, &house(&[DESK]));
        let anna = house::anna(&mut world, Behaviour::Answers(SECOND));
        world.agent_wish("anna", Wish::LoggedOut);
        let (mine, other) = (world.caller(MINE), world.caller("+49302"));
        let mut story = Story { world, anna, mine, other };
        story.call(mine);
        story.call(other);
        story
    }

    fn call(&mut self, caller: PhoneId) {
        self.world.dials(caller, "1");
        self.world.run_for(2 * SECOND);
    }

    /// Both call again, the other one first.
    fn both_call_again(&mut self) {
        self.call(self.other);
        self.call(self.mine);
    }

    /// Whose place each entry since the restart took up again.
    fn kept(&self) -> Vec<bool> {
        let facts = self.world.facts().rsplit(|fact| matches!(fact.what, What::Started { .. })).next();
        let kept = |what: &What| match what {
            What::Queued { kept, .. } => Some(kept.is_some()),
            _ => None,
        };
        facts.unwrap_or(&[]).iter().filter_map(|fact| kept(&fact.what)).collect()
    }

    /// Anna comes and takes one caller.
    fn first_served(&mut self) -> PhoneId {
        self.world.agent_wish("anna", Wish::Ready);
        self.world.agent_wish("anna", Wish::LoggedOut); // after this call
        self.world.run_for(2 * SECOND);
        let heard = |caller: &PhoneId| self.world.heard(self.anna, *caller);
        [self.mine, self.other].into_iter().find(heard).expect("anna takes one of them")
    }

    fn ends(mut self) {
        for caller in [self.mine, self.other] {
            self.world.hangs_up_in(caller, SECOND);
        }
        self.world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn after_a_crash_each_gets_the_place_he_had_whoever_calls_again_first() {
    let mut story = Story::new(1);
    story.world.crashes_for(20 * SECOND);
    assert_eq!(left(&story.world), [LeftQueue::Ended, LeftQueue::Ended]);
    let late = story.world.caller("+49303");
    story.call(late);
    story.both_call_again();
    assert_eq!(story.kept(), [false, true, true]);
    assert_eq!(story.first_served(), story.mine);
    story.world.hangs_up_in(late, SECOND);
    story.ends();
}

#[test]
fn the_place_is_given_once() {
    let mut story = Story::new(2);
    story.world.crashes_for(SECOND);
    story.call(story.mine);
    story.world.hangs_up_in(story.mine, SECOND);
    story.world.run_for(2 * SECOND);
    story.both_call_again();
    assert_eq!(story.kept(), [true, true, false]);
    assert_eq!(story.first_served(), story.other);
    story.ends();
}

#[test]
fn the_time_for_it_runs_from_the_start_and_not_from_the_end() {
    let mut story = Story::new(3);
    story.world.crashes_for(3_000 * SECOND);
    story.world.run_for(119 * SECOND);
    story.call(story.mine);
    story.call(story.other); // 121 s after the start
    assert_eq!(story.kept(), [true, false]);
    assert_eq!(story.first_served(), story.mine);
    story.ends();
}

#[test]
fn a_withheld_number_another_queue_and_a_queue_that_keeps_no_places_get_none() {
    let mut story = Story::new(4);
    story.world.crashes_for(SECOND);
    story.world.writes(story.mine, "Privacy", "id");
    story.world.dials(story.other, "2");
    story.call(story.mine);
    assert_eq!(story.kept(), [false, false]);
    story.ends();
    let mut story = Story::new(5);
    story.world.reload(&house(&[&DESK.replace("[queue.support]", "[queue.support]\nkeep_place = \"0s\"")]));
    story.world.crashes_for(SECOND);
    story.both_call_again();
    assert_eq!(story.kept(), [false, false]);
    story.ends();
}

#[test]
fn whoever_is_cut_off_by_an_orderly_end_keeps_his_place_too() {
    let mut story = Story::new(6);
    story.world.is_ended_for(SECOND);
    story.both_call_again();
    assert_eq!(story.kept(), [true, true]);
    assert_eq!(story.first_served(), story.mine);
    story.ends();
}

#[test]
fn a_second_crash_loses_no_place_and_gives_no_more_time() {
    let mut story = Story::new(7);
    story.world.crashes_for(SECOND);
    story.world.run_for(100 * SECOND);
    story.world.crashes_for(SECOND);
    story.call(story.mine);
    story.world.run_for(17 * SECOND);
    story.call(story.other); // more than two minutes after the first start
    assert_eq!(story.kept(), [true, false]);
    story.world.crashes_for(SECOND);
    story.both_call_again();
    assert_eq!(story.kept(), [true, true]);
    assert_eq!(story.first_served(), story.mine);
    story.ends();
}

#[test]
fn who_was_sent_on_to_the_next_queue_has_his_place_there_and_stands_by_when_he_first_came() {
    let mut story = Story::new(8);
    story.world.run_for(60 * SECOND); // both have gone on to sales
    story.world.crashes_for(SECOND);
    story.world.dials(story.other, "2");
    story.world.run_for(SECOND);
    story.world.dials(story.mine, "2");
    story.world.run_for(SECOND);
    assert_eq!(story.kept(), [true, true]);
    assert_eq!(story.first_served(), story.mine);
    story.ends();
}

#[test]
fn a_call_that_was_talking_or_gave_up_has_no_place_to_lose() {
    let mut story = Story::new(9);
    assert_eq!(story.first_served(), story.mine);
    story.world.hangs_up_in(story.other, MILLISECOND);
    story.world.run_for(SECOND);
    story.world.crashes_for(SECOND);
    story.both_call_again();
    assert_eq!(story.kept(), [false, false]);
    story.ends();
}

#[test]
fn an_agent_who_spoke_to_him_before_the_crash_is_remembered_and_so_is_where_he_gave_up() {
    let remembers = "[queue.support]\nsticky = { wait = \"10s\" }\nreturning = {}";
    let mut world = World::new(10, &house(&[&DESK.replace("[queue.support]", remembers), BO]));
    let (_, bo) =
        (house::anna(&mut world, Behaviour::Answers(SECOND)), house::bo(&mut world, Behaviour::NeverAnswers));
    let (spoke, gave_up) = (world.caller(MINE), world.caller("+49302"));
    world.dials(spoke, "1");
    world.run_for(3 * SECOND);
    world.dials(gave_up, "1");
    world.hangs_up_in(gave_up, SECOND);
    world.run_for(2 * SECOND);
    world.crashes_for(Duration::from_secs(30));
    world.behave(bo, Behaviour::Answers(SECOND));
    world.dials(spoke, "1");
    world.dials(gave_up, "1");
    world.run_for(3 * SECOND);
    let entries = |what: &What| match what {
        What::Queued { sticky, credits, .. } => {
            Some((sticky.clone(), credits.first().map(|c| c.why.clone())))
        }
        _ => None,
    };
    let entries: Vec<_> = world.happened().filter_map(entries).collect();
    assert_eq!(entries[2], (Some("anna".to_owned()), None));
    assert!(matches!(entries[3], (None, Some(Why::GaveUp { .. }))), "{entries:?}");
    assert_eq!(world.records()[1].cause, Some(Cause::RouterRestarted));
    for caller in [spoke, gave_up] {
        world.hangs_up_in(caller, SECOND);
    }
    world.run_until_silent().assert_nothing_left();
}
