//! What goes into a queue comes out of it: design §1.3.
#![allow(missing_docs)]

mod support;

use proptest::prelude::*;
use router::{
    journal::fact::{Cause, Fact, Fault, LeftQueue},
    sums::{QueueSums, Sums},
};
use support::*;

#[test]
fn a_caller_offered_to_a_second_agent_has_entered_once_and_was_answered_once() {
    let mut sums = Sums::default();
    queue_call(call(1), MORNING).iter().for_each(|fact| sums.apply(fact));
    let expected = QueueSums { entered: 1, answered: 1, answered_waited_ms: 30_000, ..QueueSums::default() };
    assert_eq!(sums.queue("support"), expected);
}

#[test]
fn the_service_level_counts_by_the_wait_and_leaves_out_who_gave_up_at_once() {
    let mut sums = Sums::default();
    let waits = [
        (LeftQueue::Answered, 20_000),
        (LeftQueue::Answered, 20_001),
        (LeftQueue::Abandoned, 5_000),
        (LeftQueue::Abandoned, 5_001),
        (LeftQueue::Abandoned, 20_001),
        (LeftQueue::TimedOut, 3_000),
    ];
    for (key, (how, waited_ms)) in (0..).zip(waits) {
        sums.apply(&fact(call(key), MORNING, queued("support", MORNING)));
        sums.apply(&fact(call(key), MORNING, left("support", how, waited_ms)));
    }
    let sums = sums.queue("support");
    assert_eq!((sums.answered, sums.answered_in_time), (2, 1));
    assert_eq!((sums.abandoned, sums.abandoned_in_time, sums.abandoned_short), (3, 2, 1));
    assert_eq!(sums.service_level(), Some(1.0 / 5.0), "six entered, one of them only to leave");
    assert_eq!(QueueSums::default().service_level(), None);
}

#[test]
fn a_caller_turned_away_at_the_door_counts_as_entered_and_as_left() {
    let mut sums = Sums::default();
    sums.apply(&fact(call(1), MORNING, left("support", LeftQueue::Full, 0)));
    assert_eq!(sums.queue("support"), QueueSums { entered: 1, full: 1, ..QueueSums::default() });
}

#[test]
fn a_call_that_ends_inside_a_queue_without_a_word_has_left_it() {
    let mut sums = Sums::default();
    sums.apply(&fact(call(1), MORNING, queued("support", MORNING)));
    assert_eq!(sums.queue("support").waiting, 1);
    sums.apply(&fact(call(1), MORNING, ended(Cause::MediaLost, Fault::CallerSide)));
    assert_eq!(sums.queue("support"), QueueSums { entered: 1, ended: 1, ..QueueSums::default() });
}

fn step() -> impl Strategy<Value = Fact> {
    let what = prop_oneof![
        3 => "[ab]".prop_map(|queue| queued(&queue, 1)),
        1 => "[ab]".prop_map(|queue| left(&queue, LeftQueue::Answered, 7)),
        1 => "[ab]".prop_map(|queue| left(&queue, LeftQueue::Abandoned, 7)),
        1 => "[ab]".prop_map(|queue| left(&queue, LeftQueue::Full, 0)),
        1 => Just(ended(Cause::Abandoned, Fault::None)),
    ];
    (0..6_u64, what).prop_map(|(key, what)| fact(call(key), MORNING, what))
}

proptest! {
    #[test]
    fn every_queue_adds_up_over_every_interval_also_when_facts_are_missing(
        before in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..60),
    ) {
        let mut sums = Sums::default();
        before.iter().for_each(|fact| sums.apply(fact));
        let earlier = sums.clone();
        after.iter().for_each(|fact| sums.apply(fact));
        for (name, queue) in sums.iter() {
            prop_assert!(queue.add_up());
            prop_assert!(queue.answered_in_time <= queue.answered);
            prop_assert!(queue.abandoned_short <= queue.abandoned_in_time && queue.abandoned_in_time <= queue.abandoned);
            prop_assert!(queue.since(&earlier.queue(name)).adds_up());
        }
        let saved = serde_json::to_string(&sums).unwrap();
        prop_assert_eq!(serde_json::from_str::<Sums>(&saved).unwrap(), sums);
    }
}
