//! `fernamt explain`: from facts to sentences, and from the journal to facts.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod support;

use router::{
    command::explain::{Which, write},
    credit::{Credit, Why},
    journal::fact::{Fact, Kept, LeftQueue, TransferStep, Unanswered, What},
};
use support::*;

fn told(facts: &[Fact]) -> String {
    let mut out = Vec::new();
    write(facts, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn chosen(strategy: &str, agent_key: u64, next: Option<(&str, u64)>) -> What {
    What::Chosen {
        strategy: strategy.into(),
        step: 0,
        caller_key: MORNING as u64,
        ahead: 0,
        waiting: 2,
        next_caller_key: Some((MORNING + 3 * SECOND) as u64),
        agent_key,
        idle: next.is_some().into(),
        next_agent: next.map(|(name, _)| name.into()),
        next_agent_key: next.map(|(_, key)| key),
    }
}

#[test]
fn an_assignment_says_who_waited_behind_and_who_else_was_free() {
    let call = call(1);
    let assigned = |agent: &str, waited_ms| What::Assigned {
        queue: "support".into(),
        agent: agent.into(),
        waited_ms,
        beside: 0,
    };
    let facts = [
        fact(call, MORNING, arrived("+491701234567")),
        fact(call, MORNING + SECOND, queued("support", MORNING)),
        fact(call, MORNING + 10 * SECOND, What::Widened { queue: "support".into(), step: 1 }),
        fact(call, MORNING + 11 * SECOND, assigned("bo", 10_000)),
        fact(call, MORNING + 11 * SECOND, chosen("best-skill", 2 << 32 | 7, Some(("anna", 7 << 32 | 3)))),
        fact(
            call,
            MORNING + 31 * SECOND,
            What::Unanswered { agent: "bo".into(), why: Unanswered::NoAnswer, rang_ms: 20_000 },
        ),
        fact(call, MORNING + 251 * SECOND, assigned("anna", 250_000)),
        fact(call, MORNING + 251 * SECOND, chosen("longest-idle", (MORNING + 251 * SECOND) as u64, None)),
        fact(call, MORNING + 255 * SECOND, left("support", LeftQueue::Answered, 254_000)),
    ];
    let expected = "\
08:00:00.000  2026-11-25 08:00:00: +491701234567 calls +493012345 by carrier
08:00:01.000  enters support at place 1, as if he had come 1.0s sooner
08:00:10.000  accepts more agents: step 1 of support.widen
08:00:11.000  is given to bo after 10.0s in support
08:00:11.000  why he: the first of 3 (key 08:00:00.000); the next has 08:00:03.000
              why this agent: best-skill (skill 8); next of 1 others anna (skill 3)
08:00:31.000  bo: no-answer after 20.0s; he keeps his place
08:04:11.000  is given to anna after 4m10s in support
08:04:11.000  why he: the first of 3 (key 08:00:00.000); the next has 08:00:03.000
              why this agent: longest-idle (idle since 08:04:11.000); no other was idle for him
08:04:15.000  leaves support after 4m14s: answered
";
    assert_eq!(told(&facts), expected);
}

#[test]
fn who_was_not_rung_because_of_his_presence_is_told_with_what_it_said() {
    let agents = [("bo", "Busy, InACall"), ("carl", "not yet known")];
    let agents = agents.map(|(agent, says)| (agent.to_owned(), says.to_owned())).to_vec();
    let facts = [
        fact(call(1), MORNING, queued("support", MORNING)),
        fact(call(1), MORNING, What::HeldBack { queue: "support".into(), agents, more: 3 }),
        fact(call(1), MORNING + SECOND, left("support", LeftQueue::Abandoned, 1_000)),
    ];
    let told = told(&facts);
    let line = "not rung because of their presence: bo (Busy, InACall), carl (not yet known), 3 more";
    assert!(told.contains(line), "{told}");
}

#[test]
fn who_rang_beside_the_winner_is_told_too() {
    let call = call(1);
    let at = |second| MORNING + second * SECOND;
    let assigned = |agent: &str, beside| What::Assigned {
        queue: "hotline".into(),
        agent: agent.into(),
        waited_ms: 0,
        beside,
    };
    let unanswered = |agent: &str, why| What::Unanswered { agent: agent.into(), why, rang_ms: 2_000 };
    let facts = [
        fact(call, at(0), queued("hotline", MORNING)),
        fact(call, at(0), assigned("anna", 0)),
        fact(call, at(0), chosen("ring-all", at(-90) as u64, Some(("bo", at(-60) as u64)))),
        fact(call, at(0), assigned("bo", 1)),
        fact(call, at(0), chosen("ring-all", at(-60) as u64, None)),
        fact(call, at(2), unanswered("anna", Unanswered::Busy)),
        fact(call, at(2), left("hotline", LeftQueue::Answered, 2_000)),
        fact(call, at(2), unanswered("bo", Unanswered::AnsweredElsewhere)),
        fact(call, at(5), unanswered("carla", Unanswered::Silent)),
    ];
    let expected = "\
08:00:00.000  enters hotline at place 1
08:00:00.000  is given to anna after 0.0s in hotline
08:00:00.000  why he: the first of 3 (key 08:00:00.000); the next has 08:00:03.000
              why this agent: ring-all (idle since 07:58:30.000); next of 1 others bo (idle since 07:59:00.000)
08:00:00.000  bo rings too, beside 1 other, after 0.0s in hotline
08:00:00.000  why this agent: ring-all (idle since 07:59:00.000); no other was idle for him
08:00:02.000  anna: busy after 2.0s; he keeps his place
08:00:02.000  leaves hotline after 2.0s: answered
08:00:02.000  bo: answered-elsewhere after 2.0s
08:00:05.000  carla: answered, but no sound came from the telephone; he keeps his place
";
    assert_eq!(told(&facts), expected);
}

#[test]
fn an_entry_says_since_when_he_stands_and_what_puts_him_ahead() {
    let credit = |ms, why| Credit { ms, why };
    let credits = vec![
        credit(864_000_000, Why::Priority { priority: 1 }),
        credit(300_000, Why::Number { number: "+4930*".into() }),
        credit(600_000, Why::Callers { callers: "gold".into() }),
        credit(120_000, Why::GaveUp { at: MORNING - 60 * SECOND }),
        credit(30_000, Why::HeadStart),
    ];
    let entered = |seconds: i64, credits: Vec<Credit>| What::Queued {
        queue: "sales".into(),
        key: 0,
        place: 2,
        arrived: MORNING + seconds * SECOND,
        credits,
        sticky: None,
        estimate_ms: (seconds == 0).then_some(95_000),
        kept: None,
    };
    let facts = [
        fact(call(1), MORNING + 90 * SECOND, entered(90, vec![])),
        fact(call(1), MORNING + 90 * SECOND, entered(0, credits)),
    ];
    let expected = "\
08:01:30.000  enters sales at place 2
08:01:30.000  enters sales at place 2, in line since 08:00:00.000; priority 1; 5m00s ahead by the number +4930*; \
10m00s ahead as one of callers.gold; 2m00s ahead as he gave up at 07:59:00.000; 30.0s ahead by the queue's head start; \
estimated to wait 1m35s at most
";
    assert_eq!(told(&facts), expected);
}

#[test]
fn waiting_for_one_agent_alone_is_told() {
    let entered = What::Queued {
        queue: "support".into(),
        key: MORNING as u64,
        place: 1,
        arrived: MORNING,
        credits: vec![],
        sticky: Some("anna".into()),
        estimate_ms: None,
        kept: None,
    };
    let open = What::OpenToAll { queue: "support".into(), agent: "anna".into() };
    let facts = [
        fact(call(1), MORNING, entered),
        fact(call(1), MORNING + 20 * SECOND, chosen("sticky", 0, None)),
        fact(call(1), MORNING + 30 * SECOND, open),
    ];
    let expected = "\
08:00:00.000  enters support at place 1; waits first for anna alone, the last he spoke to
08:00:20.000  why he: the first of 3 (key 08:00:00.000); the next has 08:00:03.000
              why this agent: the last he spoke to
08:00:30.000  waits no longer for anna alone
";
    assert_eq!(told(&facts), expected);
}

#[test]
fn a_place_from_before_our_end_is_told() {
    let entered = What::Queued {
        queue: "support".into(),
        key: (MORNING - 120 * SECOND) as u64,
        place: 1,
        arrived: MORNING - 60 * SECOND,
        credits: vec![Credit { ms: 60_000, why: Why::KeptPlace }],
        sticky: None,
        estimate_ms: None,
        kept: Some(Kept { call: call(7), lost_at: MORNING - 20 * SECOND }),
    };
    let expected = format!(
        "08:00:00.000  enters support at place 1, with the place of call {}, which our end cut off at 07:59:40.000, \
         in line since 07:59:00.000; 1m00s ahead as he was before\n",
        call(7)
    );
    assert_eq!(told(&[fact(call(1), MORNING, entered)]), expected);
}

#[test]
fn a_call_without_a_queue_says_so_and_a_wrong_name_says_what_to_write() {
    let facts = direct_call(call(1), MORNING);
    assert!(told(&facts).contains("the call was in no queue"));
    assert_eq!("last".parse(), Ok(Which::Last));
    assert_eq!(call(7).to_string().parse(), Ok(Which::Call(call(7))));
    assert!("yesterday".parse::<Which>().unwrap_err().contains("fernamt calls --json"));
}

#[test]
fn a_callback_says_who_asked_for_it_and_how_it_went() {
    let (asking, ours) = (call(1), call(2));
    let asked = What::CallbackAsked {
        queue: "support".into(),
        from: "+491".into(),
        to: "1".into(),
        trunk: "carrier".into(),
        dial: "+491@carrier".into(),
        arrived: MORNING,
        ring_ms: 30_000,
        retry_ms: 900_000,
        tries: 3,
        expires: MORNING + 3_600 * SECOND,
    };
    let begun = What::CallbackBegun {
        callback: asking,
        from: "+491".into(),
        to: "1".into(),
        trunk: "carrier".into(),
        tries: 3,
    };
    let put_off = What::CallbackPutOff { callback: asking, until: MORNING + 1_000 * SECOND, tried: true };
    let facts = [
        fact(asking, MORNING, asked),
        fact(ours, MORNING + SECOND, begun),
        fact(ours, MORNING + SECOND, queued("support", MORNING)),
        fact(ours, MORNING + 100 * SECOND, put_off),
        fact(ours, MORNING + 100 * SECOND, left("support", LeftQueue::Unreached, 99_000)),
    ];
    let told = told(&facts);
    for line in [
        "asks to be called back at +491@carrier by support: 3 times at most, until 2026-11-25 09:00:00",
        "+491 is to be called back, as he asked in call",
        "the callback is put off until 08:16:40.000: he was not reached",
        "leaves support after 1m39s: unreached",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

#[test]
fn transfers_are_told_with_who_asked_and_what_came_of_it() {
    let (call, by) = (call(1), 1);
    let step = |seconds, step| fact(call, MORNING + seconds * SECOND, What::Transfer(step));
    let asked = |to: &str, destination: &str| TransferStep::Asked {
        by,
        agent: Some("anna".into()),
        to: to.into(),
        destination: destination.into(),
    };
    let told = told(&[
        step(10, TransferStep::Refused { by, to: "1900".into(), status: 404 }),
        step(20, asked("030", "030@out")),
        step(23, TransferStep::Over { by, status: 486 }),
        step(30, asked("8001", "queue.sales")),
        step(30, TransferStep::Over { by, status: 200 }),
    ]);
    let expected = "\
08:00:10.000  the party of leg 1 may not transfer to 1900: 404
08:00:20.000  anna transfers the other party to 030: 030@out
08:00:23.000  the transfer comes to nothing: 486
08:00:30.000  anna transfers the other party to 8001: queue.sales
08:00:30.000  the transfer is done
";
    assert!(told.starts_with(expected), "{told}");
}
