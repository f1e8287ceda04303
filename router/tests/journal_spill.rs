//! What is forgotten, and in which order, when facts cannot be written.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use router::{
    journal::{
        Journal, Spill, Weight,
        fact::{Cause, Fact, Fault, What},
    },
    record::Records,
};
use support::*;

fn taken(spill: &mut Spill) -> Vec<Fact> {
    let mut entries = Vec::new();
    spill.take(usize::MAX, &mut entries);
    entries.into_iter().map(|entry| *entry.fact).collect()
}

#[test]
fn facts_come_out_in_the_order_they_went_in_whatever_their_weight() {
    let mut spill = Spill::new(100);
    let facts = queue_call(call(1), MORNING);
    facts.iter().for_each(|fact| assert_eq!(spill.push(fact.clone()), 0));
    assert_eq!(taken(&mut spill), facts);
    assert_eq!(spill.take_gap(), None);
}

#[test]
fn detail_is_forgotten_before_what_a_record_needs_and_the_gap_says_how_much() {
    let facts = queue_call(call(1), MORNING);
    let detail = facts.iter().filter(|fact| fact.what.weight() == Weight::Detail).count();
    let mut spill = Spill::new(facts.len() - detail);
    let lost: u64 = facts.iter().map(|fact| spill.push(fact.clone())).sum();
    assert_eq!(lost, detail as u64);
    assert_eq!(spill.take_gap().unwrap().what, What::Gap { lost, calls: 0 });
    let kept = taken(&mut spill);
    assert!(kept.iter().all(|fact| fact.what.weight() > Weight::Detail));
    let mut records = Records::default();
    let record = kept.iter().find_map(|fact| records.apply(fact)).unwrap();
    assert_eq!(
        (record.wait_ms, record.ring_ms, record.talk_ms),
        (11_000, 19_000, 60_000),
        "the record lacks nothing"
    );
}

#[test]
fn a_call_for_whose_arrival_there_is_no_room_is_missing_as_a_whole() {
    let mut spill = Spill::new(2);
    for key in 1..=2 {
        spill.push(fact(call(key), MORNING, arrived("+49")));
    }
    direct_call(call(3), MORNING).into_iter().for_each(|fact| assert_eq!(spill.push(fact), 1));
    for key in 1..=2 {
        spill.push(fact(call(key), MORNING, ended(Cause::Abandoned, Fault::None)));
    }
    assert_eq!(spill.take_gap().unwrap().what, What::Gap { lost: 10, calls: 1 });
    assert!(taken(&mut spill).iter().all(|fact| fact.call != Some(call(3))));
    spill.settle(4);
    assert_eq!(
        spill.push(fact(call(3), MORNING, arrived("+49"))),
        0,
        "its end was seen: the key is free again"
    );
}

#[test]
fn facts_that_the_writer_holds_take_room_until_they_are_on_disk() {
    let mut spill = Spill::new(3);
    let ringing = || fact(call(1), MORNING, What::Ringing { leg: 1, status: 180 });
    (0..3).for_each(|_| assert_eq!(spill.push(ringing()), 0));
    let mut hand = Vec::new();
    spill.take(3, &mut hand);
    assert_eq!(spill.push(ringing()), 1);
    spill.settle(3);
    assert_eq!(spill.push(ringing()), 0);
}

#[test]
fn a_flush_without_a_writer_says_that_nothing_is_on_disk() {
    let journal = Journal::new(10);
    assert!(journal.flush(Duration::ZERO), "nothing was appended");
    journal.append(fact(call(1), MORNING, What::CallerAnswered));
    assert!(!journal.flush(Duration::ZERO));
}

proptest! {
    #[test]
    fn the_room_is_exceeded_by_one_fact_per_live_call_at_most_and_every_kept_call_has_its_end(
        room in 1_usize..60,
        starts in prop::collection::vec(0..90_u8, 1..20),
    ) {
        let mut facts: Vec<Fact> = Vec::new();
        for (key, start) in starts.iter().enumerate() {
            facts.extend(queue_call(call(key as u64), MORNING + Micros::from(*start) * SECOND));
        }
        facts.sort_by_key(|fact| fact.at);
        let mut spill = Spill::new(room);
        let (mut lost, mut live) = (0, 0_usize);
        for fact in facts.iter().cloned() {
            live += usize::from(matches!(fact.what, What::Arrived { .. }));
            lost += spill.push(fact);
            prop_assert!(spill.len() <= room + live);
        }
        let kept = taken(&mut spill);
        prop_assert_eq!(kept.len() + lost as usize, facts.len());
        let missing = match spill.take_gap().map(|gap| gap.what) {
            Some(What::Gap { lost: told, calls }) => { prop_assert_eq!(told, lost); calls }
            _ => 0,
        };
        let mut records = Records::default();
        let finished = kept.iter().filter_map(|fact| records.apply(fact)).count();
        prop_assert_eq!(finished + missing as usize, starts.len());
        prop_assert!(records.is_empty());
    }
}

use router::journal::fact::Micros;
