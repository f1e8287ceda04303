//! Facts of calls as a shard would tell them, for tests and the cost example.
#![allow(dead_code, missing_docs, unreachable_pub)]

use router::journal::fact::{
    CallId, Cause, Fact, Fault, LeftQueue, LegMedia, LegQuality, Micros, Targets, Unanswered, What,
};

pub const SECOND: Micros = 1_000_000;
/// 2026-11-25 08:00 UTC.
pub const MORNING: Micros = 1_795_593_600 * SECOND;

pub fn call(key: u64) -> CallId {
    CallId { run: MORNING, key }
}

pub fn fact(call: CallId, at: Micros, what: What) -> Fact {
    Fact { seq: 0, at, call: Some(call), generation: 3, what }
}

pub fn arrived(from: &str) -> What {
    What::Arrived {
        agent: None,
        trunk: "carrier".into(),
        from: from.into(),
        to: "+493012345".into(),
        sip_call_id: "a84b4c76e66710@pc33.example.com".into(),
        source: "udp:192.0.2.10:5060".into(),
        diverted_from: None,
        hairpin_of: None,
    }
}

pub fn queued(queue: &str, key: Micros) -> What {
    What::Queued {
        queue: queue.into(),
        key: key as u64,
        place: 1,
        arrived: 0,
        credits: vec![],
        sticky: None,
        estimate_ms: None,
        kept: None,
    }
}

pub fn left(queue: &str, how: LeftQueue, waited_ms: u64) -> What {
    What::Left {
        queue: queue.into(),
        how,
        waited_ms,
        targets: Targets { in_time_ms: 20_000, short_ms: 5_000 },
    }
}

pub fn ended(cause: Cause, fault: Fault) -> What {
    What::Ended { cause, fault, status: None, q850: Some(16), reason: Some("Normal call clearing".into()) }
}

pub fn dialled(leg: u16, agent: Option<&str>) -> What {
    What::Dialled {
        leg,
        trunk: "teams".into(),
        to: "+4930555001".into(),
        sip_call_id: format!("0f9a7c1e5b3d8264-{leg}@192.0.2.1"),
        agent: agent.map(Into::into),
    }
}

pub fn leg_ended(leg: u16) -> What {
    let media = LegMedia {
        codec: "PCMA".into(),
        packets_in: 3_000,
        octets_in: 480_000,
        packets_out: 3_000,
        octets_out: 480_000,
        lost: 2,
        jitter_us: 850,
        rejected: 0,
        round_trip_us: Some(21_000),
        quality: Some(LegQuality {
            r: 92,
            mos_listening: 4.4,
            mos_conversational: 4.39,
            lost: 2,
            speech_dbm0: Some(-21),
            ..LegQuality::default()
        }),
        ..LegMedia::default()
    };
    What::LegEnded { leg, media }
}

/// A caller waits 10 s, bo does not answer for 15 s, 1 s later anna is rung, answers after 4 s, they talk for 60 s:
/// 23 facts over 92 s, 2 s of them prompts and menu.
pub fn queue_call(call: CallId, start: Micros) -> Vec<Fact> {
    let at = |seconds: Micros, what| fact(call, start + seconds * SECOND, what);
    vec![
        at(0, arrived("+491701234567")),
        at(0, What::Routed { flow: "support".into(), number: "+493012345".into() }),
        at(0, What::CallerAnswered),
        at(0, What::Acknowledged),
        at(0, What::PromptStarted { prompt: "prompts/menu.wav".into() }),
        at(2, What::PromptEnded { cut: true }),
        at(2, What::Chose { key: "1".into(), valid: true }),
        at(2, queued("support", start + 2 * SECOND)),
        at(12, What::Assigned { queue: "support".into(), agent: "bo".into(), waited_ms: 10_000, beside: 0 }),
        at(12, dialled(1, Some("bo"))),
        at(13, What::Ringing { leg: 1, status: 180 }),
        at(27, leg_ended(1)),
        at(27, What::Unanswered { agent: "bo".into(), why: Unanswered::NoAnswer, rang_ms: 15_000 }),
        at(
            28,
            What::Assigned { queue: "support".into(), agent: "anna".into(), waited_ms: 26_000, beside: 0 },
        ),
        at(28, dialled(2, Some("anna"))),
        at(28, What::Ringing { leg: 2, status: 180 }),
        at(32, What::LegAnswered { leg: 2 }),
        at(32, What::Bridged { leg: 2, agent: Some("anna".into()) }),
        at(32, left("support", LeftQueue::Answered, 30_000)),
        at(32, What::TwoWaySound { leg: 2, after_ms: 41 }),
        at(92, leg_ended(2)),
        at(92, leg_ended(0)),
        at(92, ended(Cause::CallerHungUp, Fault::None)),
    ]
}

/// A caller is bridged at once and hangs up: 10 facts, the plain B2BUA.
pub fn direct_call(call: CallId, start: Micros) -> Vec<Fact> {
    let at = |seconds: Micros, what| fact(call, start + seconds * SECOND, what);
    vec![
        at(0, arrived("+491701234567")),
        at(0, What::Routed { flow: "through".into(), number: "*".into() }),
        at(0, dialled(1, None)),
        at(1, What::Ringing { leg: 1, status: 180 }),
        at(3, What::LegAnswered { leg: 1 }),
        at(3, What::CallerAnswered),
        at(3, What::Bridged { leg: 1, agent: None }),
        at(8, leg_ended(1)),
        at(8, leg_ended(0)),
        at(8, ended(Cause::CallerHungUp, Fault::None)),
    ]
}
