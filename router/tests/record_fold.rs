//! The call record as a fold over facts.
#![allow(missing_docs)]

mod support;

use proptest::prelude::*;
use router::{
    journal::fact::{Cause, Fact, Fault, LeftQueue, Micros, Unanswered, What},
    record::{Record, Records},
};
use support::*;

fn record_of(facts: &[Fact]) -> Record {
    let mut records = Records::default();
    let finished: Vec<_> = facts.iter().filter_map(|fact| records.apply(fact)).collect();
    assert_eq!((finished.len(), records.len()), (1, 0), "exactly one record, nothing left");
    finished.into_iter().next().unwrap()
}

#[test]
fn a_queue_call_is_told_with_who_waited_rang_and_talked_how_long() {
    let record = record_of(&queue_call(call(1), MORNING));
    assert_eq!(
        (record.flow_ms, record.wait_ms, record.ring_ms, record.talk_ms),
        (2_000, 11_000, 19_000, 60_000)
    );
    assert_eq!((record.queue.as_deref(), record.agent.as_deref()), (Some("support"), Some("anna")));
    assert_eq!(
        (record.flow.as_str(), record.number.as_str(), record.keys.as_str()),
        ("support", "+493012345", "1")
    );
    assert_eq!((record.unanswered, record.sound_ms), (1, Some(41)));
    assert_eq!((record.cause, record.fault), (Some(Cause::CallerHungUp), Some(Fault::None)));
    assert_eq!(record.connected_at, Some(MORNING + 32 * SECOND));
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.leg, leg.agent.as_deref(), leg.status)).collect();
    assert_eq!(legs, [(0, None, Some(200)), (1, Some("bo"), None), (2, Some("anna"), Some(200))]);
    assert_eq!(record.legs[2].media.as_ref().unwrap().packets_in, 3_000);
}

/// anna is busy at 3 s, bo rings on beside her and answers at 9 s.
#[test]
fn while_one_of_several_agents_rings_the_caller_is_not_waiting() {
    let at = |seconds: Micros, what| fact(call(1), MORNING + seconds * SECOND, what);
    let assigned = |agent: &str, beside| What::Assigned {
        queue: "hotline".into(),
        agent: agent.into(),
        waited_ms: 0,
        beside,
    };
    let unanswered = |agent: &str, why| What::Unanswered { agent: agent.into(), why, rang_ms: 0 };
    let record = record_of(&[
        at(0, arrived("+491701234567")),
        at(0, queued("hotline", MORNING)),
        at(1, assigned("anna", 0)),
        at(1, assigned("bo", 1)),
        at(1, assigned("carla", 2)),
        at(3, unanswered("anna", Unanswered::Busy)),
        at(9, left("hotline", LeftQueue::Answered, 9_000)),
        at(9, What::Bridged { leg: 2, agent: Some("bo".into()) }),
        at(9, unanswered("carla", Unanswered::AnsweredElsewhere)),
        at(20, ended(Cause::CallerHungUp, Fault::None)),
    ]);
    assert_eq!((record.wait_ms, record.ring_ms, record.talk_ms), (1_000, 8_000, 11_000));
    assert_eq!(record.unanswered, 1, "nothing is held against carla");
}

#[test]
fn a_dialled_call_that_was_refused_keeps_status_phrase_and_q850_of_the_far_end() {
    let failed = What::LegFailed {
        leg: 1,
        status: 486,
        phrase: "Busy Here".into(),
        q850: Some(17),
        reason: None,
        correlation: None,
        remote: true,
    };
    let mut facts = direct_call(call(1), MORNING);
    facts.truncate(4);
    let busy =
        What::Ended { cause: Cause::Busy, fault: Fault::None, status: Some(486), q850: None, reason: None };
    facts.extend([fact(call(1), MORNING + 3 * SECOND, failed), fact(call(1), MORNING + 4 * SECOND, busy)]);
    let record = record_of(&facts);
    assert_eq!(
        (record.status, record.q850, record.reason.as_deref()),
        (Some(486), Some(17), Some("Busy Here"))
    );
    assert_eq!((record.ring_ms, record.flow_ms, record.talk_ms), (3_000, 1_000, 0));
    assert_eq!((record.legs[0].status, record.legs[1].status), (Some(486), Some(486)));
    assert!(!record.is_connected());
}

#[test]
fn hold_is_counted_as_a_part_of_the_talk_and_once_when_both_sides_hold() {
    let mut facts = direct_call(call(1), MORNING);
    let held = |leg, held, at| fact(call(1), MORNING + at * SECOND, What::Held { leg, held });
    facts.splice(7..7, [held(0, true, 4), held(1, true, 5), held(0, false, 6), held(1, false, 7)]);
    let record = record_of(&facts);
    assert_eq!((record.talk_ms, record.hold_ms), (5_000, 3_000));
}

#[test]
fn a_second_end_and_facts_after_the_end_make_no_second_record() {
    let mut records = Records::default();
    let facts = direct_call(call(1), MORNING);
    let twice = facts.iter().chain(&facts[1..]);
    assert_eq!(twice.filter_map(|fact| records.apply(fact)).count(), 1);
    assert!(records.is_empty());
}

#[test]
fn a_call_whose_process_died_is_ended_as_the_routers_fault_and_leaves_its_queue() {
    let mut records = Records::default();
    for fact in &queue_call(call(1), MORNING)[..8] {
        records.apply(fact);
    }
    let key = (MORNING + 2 * SECOND) as u64;
    assert_eq!(records.get(call(1)).and_then(Record::place), Some(("support", key, 0)));
    let ends = records.ends_after_a_crash(MORNING + 7 * SECOND, 9);
    assert!(matches!(&ends[0].what, What::Left { how: LeftQueue::Ended, waited_ms: 5_000, .. }));
    let record = ends.iter().find_map(|fact| records.apply(fact)).unwrap();
    assert_eq!((record.cause, record.fault), (Some(Cause::RouterRestarted), Some(Fault::Router)));
    assert_eq!((record.flow_ms, record.wait_ms), (2_000, 5_000));
    assert!(records.is_empty());
}

#[test]
fn a_call_that_is_over_has_no_leg_that_is_not() {
    let mut records = Records::default();
    for fact in &direct_call(call(1), MORNING)[..7] {
        records.apply(fact);
    }
    let ends = records.ends_after_a_crash(MORNING + 7 * SECOND, 9);
    let record = ends.iter().find_map(|fact| records.apply(fact)).unwrap();
    let ended: Vec<_> = record.legs.iter().map(|leg| leg.ended_at).collect();
    assert_eq!(ended, [Some(MORNING + 7 * SECOND); 2]);
}

#[test]
fn words_of_causes_faults_and_assignments_in_vain_are_those_in_the_facts() {
    let json = |cause: Cause| serde_json::to_string(&cause).unwrap();
    let causes =
        [Cause::CallerHungUp, Cause::NoCommonMedia, Cause::NoAck, Cause::RouterRestarted, Cause::NoAnswer];
    for cause in causes {
        assert_eq!(json(cause), format!("\"{}\"", cause.word()));
    }
    for fault in [Fault::None, Fault::CallerSide, Fault::CalledSide, Fault::Configuration, Fault::Router] {
        assert_eq!(serde_json::to_string(&fault).unwrap(), format!("\"{}\"", fault.word()));
    }
    use Unanswered::*;
    for why in [
        NoAnswer,
        Busy,
        Rejected,
        Failed,
        CallerLeft,
        AnsweredElsewhere,
        HungUpAtOnce,
        Silent,
        Unanswered::Router,
    ] {
        assert_eq!(serde_json::to_string(&why).unwrap(), format!("\"{}\"", why.word()));
    }
}

/// Anything a shard could say, in any order.
fn anything() -> impl Strategy<Value = What> {
    let leg = 0..4_u16;
    let how = prop_oneof![
        Just(LeftQueue::Answered),
        Just(LeftQueue::Abandoned),
        Just(LeftQueue::TimedOut),
        Just(LeftQueue::Full),
        Just(LeftQueue::Ended)
    ];
    prop_oneof![
        Just(What::CallerAnswered),
        "[ab]".prop_map(|queue| queued(&queue, 5)),
        ("[ab]", how).prop_map(|(queue, how)| left(&queue, how, 1)),
        Just(What::Assigned { queue: "a".into(), agent: "bo".into(), waited_ms: 1, beside: 0 }),
        Just(What::Unanswered { agent: "bo".into(), why: Unanswered::Busy, rang_ms: 1 }),
        leg.clone().prop_map(|leg| dialled(leg, None)),
        leg.clone().prop_map(|leg| What::LegAnswered { leg }),
        leg.clone().prop_map(|leg| What::Bridged { leg, agent: None }),
        (leg.clone(), any::<bool>()).prop_map(|(leg, held)| What::Held { leg, held }),
        leg.prop_map(leg_ended),
    ]
}

proptest! {
    #[test]
    fn the_four_lengths_add_up_to_the_whole_call_whatever_was_said_and_however_the_clock_jumped(
        said in prop::collection::vec((-2_000_000..9_000_000_i64, anything()), 0..40),
    ) {
        let mut at = MORNING + 999;
        let mut latest: Micros = at;
        let mut facts = vec![fact(call(1), at, arrived("+49"))];
        for (step, what) in said {
            at += step;
            latest = latest.max(at);
            facts.push(fact(call(1), at, what));
        }
        facts.push(fact(call(1), at, ended(Cause::FlowEnded, Fault::None)));
        let record = record_of(&facts);
        prop_assert_eq!(record.total_ms() as i64, latest / 1_000 - MORNING / 1_000);
        prop_assert!(record.hold_ms <= record.talk_ms);
    }

    #[test]
    fn a_fold_that_was_saved_and_read_back_goes_on_as_if_nothing_had_happened(cut in 1_usize..22) {
        let facts = queue_call(call(1), MORNING);
        let mut records = Records::default();
        facts[..cut].iter().for_each(|fact| assert_eq!(records.apply(fact), None));
        let saved = serde_json::to_string(&records).unwrap();
        let mut records: Records = serde_json::from_str(&saved).unwrap();
        let finished = facts[cut..].iter().find_map(|fact| records.apply(fact));
        prop_assert_eq!(finished, Some(record_of(&facts)));
    }
}
