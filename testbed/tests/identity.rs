//! Who is told who calls, and why a call ended.

mod house;

use house::{busy_teams, callee, count, house_with, the_end, value};
use router::journal::fact::{AgentState, What};
use sip_core::{Message, message::Header};
use testbed::{Behaviour, World, phone::PhoneState, world::SECOND};

const THROUGH: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "through"
[flow.through]
steps = [{ dial = "{called}@teams" }]
"#;

/// The INVITE that Teams got of a caller who writes these headers, with these keys of the two trunks.
fn invite_of(carrier: &str, teams: &str, caller: &str, headers: &[(&str, &str)]) -> (Message, World) {
    let mut world = World::new(11, &house_with(carrier, teams, THROUGH));
    let seen = busy_teams(&mut world);
    let caller = world.caller(caller);
    for (name, value) in headers {
        world.writes(caller, name, value);
    }
    world.dials(caller, "+4930123");
    the_end(&mut world);
    let invite = seen.borrow()[0].clone();
    (invite, world)
}

fn has(message: &Message, header: Header) -> bool {
    message.value(header).is_some()
}

#[test]
fn a_withheld_number_goes_to_a_trusted_trunk_only_and_nowhere_on_record() {
    let withheld = [("P-Asserted-Identity", "\"Muster\" <sip:+49172555@c.example>"), ("Privacy", "id")];
    let (told, world) = invite_of("", "identity_out = \"asserted\"\n", "anonymous", &withheld);
    assert!(value(&told, Header::From).starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>"));
    assert_eq!(value(&told, Header::PAssertedIdentity), "<sip:+49172555@10.0.0.1:5060>");
    assert_eq!(value(&told, Header::Privacy), "id");
    assert!(world.records().iter().all(|record| record.from.is_empty()));
    assert!(!world.facts().iter().any(|fact| format!("{fact:?}").contains("49172555")), "it is on record");

    for teams in ["", "identity_out = \"preferred\"\n", "trust_identity = false\n"] {
        let (untold, _) = invite_of("", teams, "anonymous", &withheld);
        let text = String::from_utf8_lossy(untold.bytes()).into_owned();
        assert!(!text.contains("49172555") && !text.contains("Muster"), "{teams}: {text}");
    }
}

/// RFC 3325 §9.3: whoever asserts an identity behind that trunk is not to show it. A number of the house in From hides
/// nobody, and is to be shown.
#[test]
fn a_trunk_that_is_told_nothing_is_told_that_it_is_withheld() {
    for caller in [("anonymous", None), ("+49172555", Some(("Privacy", "id")))] {
        let headers: Vec<_> = caller.1.into_iter().collect();
        for (keys, private) in [
            ("", true),
            ("trust_identity = false\n", true),
            ("anonymous = \"sip:unknown@carrier.example\"\n", true),
            ("from = \"+493012345\"\n", false),
        ] {
            let (told, _) = invite_of("", keys, caller.0, &headers);
            let privacy = told.value(Header::Privacy).map(|_| value(&told, Header::Privacy));
            assert_eq!(privacy.as_deref(), private.then_some("id"), "{caller:?} {keys}");
        }
    }
    let (told, _) = invite_of("", "", "+49172555", &[]);
    assert!(!has(&told, Header::Privacy), "who withholds nothing asks for no privacy");
}

#[test]
fn an_asserted_identity_counts_from_a_trusted_trunk_only() {
    let asserted = [("P-Asserted-Identity", "<sip:max@c.example>, <tel:+49172555>")];
    let (_, world) = invite_of("", "", "+49999", &asserted);
    assert_eq!(world.records()[0].from, "+49172555");
    let (_, world) = invite_of("trust_identity = false\n", "", "+49999", &asserted);
    assert_eq!(world.records()[0].from, "+49999");
}

#[test]
fn a_carrier_gets_the_number_it_knows_beside_the_one_that_is_shown() {
    let teams = "identity_out = \"preferred\"\nidentity_number = \"+493050\"\nnumbers_out = \"+e164\"\nuser_phone = true\n";
    let (invite, _) = invite_of("", teams, "+49172555", &[("Remote-Party-ID", "<sip:+49666@c>")]);
    assert_eq!(value(&invite, Header::PPreferredIdentity), "<sip:+493050@10.0.0.1:5060;user=phone>");
    assert!(value(&invite, Header::From).starts_with("<sip:+49172555@10.0.0.1:5060;user=phone>;tag="));
    assert!(!has(&invite, Header::Privacy) && invite.named(b"Remote-Party-ID").next().is_none());
}

#[test]
fn a_trunk_gets_the_headers_that_its_rules_let_through_and_those_they_set() {
    let rules = "headers = { pass = [\"X-*\", \"Subject\"], remove = [\"X-Secret\"], set = { X-Tenant = \"7 {called}\", X-Own = \"ours\" } }\n";
    let written = [("X-A", "a"), ("X-Secret", "s"), ("X-Own", "theirs"), ("Y-B", "b"), ("Subject", "help")];
    let (invite, _) = invite_of("", rules, "+49172555", &written);
    let of = |name: &str| {
        invite.named(name.as_bytes()).map(|v| String::from_utf8_lossy(&v).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!((of("X-A"), of("X-Secret"), of("Y-B")), (vec!["a".to_owned()], vec![], vec![]));
    assert_eq!((of("X-Tenant"), of("X-Own")), (vec!["7 +4930123".to_owned()], vec!["ours".to_owned()]));
    assert_eq!(value(&invite, Header::Subject), "help");
    let (plain, _) = invite_of("", "", "+49172555", &written);
    assert!(plain.named(b"Y-B").next().is_some());
}

#[test]
fn who_sent_the_call_on_is_on_record_and_a_trunk_is_told_as_it_wants() {
    let diverted = [("Diversion", "<sip:+4930777@c.example>;reason=no-answer")];
    let (passed, world) = invite_of("", "", "+49172555", &diverted);
    assert_eq!(world.records()[0].diverted_from(), Some("+4930777"));
    assert_eq!(value(&passed, Header::Diversion), "<sip:+4930777@c.example>;reason=no-answer");
    let (dropped, _) = invite_of("", "history = \"drop\"\n", "+49172555", &diverted);
    assert!(!has(&dropped, Header::Diversion));
    let came = [("History-Info", "<sip:+4930777@c.example>;index=1")];
    let (added, _) = invite_of("", "history = \"add\"\n", "+49172555", &came);
    assert_eq!(
        value(&added, Header::HistoryInfo),
        "<sip:+4930777@c.example>;index=1, <sip:+4930123@10.0.0.1:5060>;index=1.1, <sip:+4930123@10.2.0.1:5060>;index=1.1.1;mp=1.1"
    );
    assert_eq!(added.count(Header::HistoryInfo), 1);
}

#[test]
fn a_call_that_goes_round_is_refused() {
    let mut world = World::new(12, &house_with("", "", THROUGH));
    let caller = world.caller("+49172555");
    world.writes(
        caller,
        "Diversion",
        "<sip:+4930123@c>;reason=unconditional, <sip:+4966@d>, <sip:+4930123@c>",
    );
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world).2, Some(482));
}

const DESK: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "straight"
[flow.straight]
steps = [{ queue = "support" }]
[queue.support]
shown_as = "{queue}: {name}"
[agent.anna]
call = "+4930555@teams"
queues = ["support"]
"#;

#[test]
fn an_agent_sees_the_queue_and_the_caller() {
    for (caller, display, expected) in [
        (
            "+49172555",
            Some("\"Max Muster\" <sip:+49172555@c>"),
            "\"support: Max Muster\" <sip:+49172555@10.0.0.1:5060>",
        ),
        ("+49172555", None, "\"support: +49172555\" <sip:+49172555@10.0.0.1:5060>"),
        ("anonymous", None, "\"support: Anonymous\" <sip:anonymous@anonymous.invalid>"),
    ] {
        let mut world = World::new(13, &house_with("", "", DESK));
        let seen = busy_teams(&mut world);
        let caller = world.caller(caller);
        if let Some(asserted) = display {
            world.writes(caller, "P-Asserted-Identity", asserted);
        }
        world.dials(caller, "+4930123");
        world.run_for(2 * SECOND);
        let from = value(&seen.borrow()[0], Header::From);
        assert!(from.starts_with(&format!("{expected};tag=")), "{from}");
    }
}

/// Anna's telephone forwards to a number of ours: taken it would be a second caller who waits for himself.
#[test]
fn what_the_agents_own_telephone_sends_back_is_refused_and_the_caller_keeps_his_place() {
    let mut world = World::new(14, &house_with("", "", DESK));
    world.phone_at("teams", callee::ADDRESS, Behaviour::NeverAnswers);
    let caller = world.caller("+49172555");
    world.dials(caller, "+4930123");
    world.run_for(SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Ringing);
    let returned = world.caller("+49172555");
    world.writes(returned, "Diversion", "<sip:+4930555@teams.example>;reason=no-answer");
    world.dials(returned, "+4930999");
    world.run_for(SECOND);
    assert_eq!(world.state(returned), PhoneState::Failed(480), "{}", world.ladder());
    assert_eq!(world.agent_state("anna"), AgentState::Ringing);
    // Somebody else whom she forwards is a caller like any.
    let other = world.caller("+49888");
    world.writes(other, "Diversion", "<sip:+4930555@teams.example>;reason=no-answer");
    world.dials(other, "+4930999");
    world.run_for(SECOND);
    assert_eq!((world.state(other), world.waiting("support")), (PhoneState::Talking, 1));
}

const GUID: &str = "0d4e9b1a-2f7c-4a55-9a3e-6a1c2b3d4e5f";

#[test]
fn what_teams_says_of_a_failure_is_kept_and_passed_on() {
    let mut world = World::new(15, &house_with("", "", THROUGH));
    let reason = format!("Q.850;cause=31;text=\"{GUID};No callee endpoints were found.\"");
    let teams = world.phone_at("teams", callee::ADDRESS, Behaviour::Refuses(480, SECOND));
    world.explains(teams, &reason);
    let caller = world.caller("+49172555");
    world.dials(caller, "+4930123");
    the_end(&mut world);
    assert_eq!(value(&world.at(caller).last["480"], Header::Reason), reason);
    let record = &world.records()[0];
    assert_eq!((record.q850, record.correlation().as_deref()), (Some(31), Some(GUID)));
    assert_eq!(record.legs[1].reason.as_deref(), Some("No callee endpoints were found."));
}

#[test]
fn a_reason_goes_across_with_bye_and_with_cancel_in_both_directions() {
    const REASON: &str = "Q.850;cause=16;text=\"gone\"";
    for (answers, caller_ends, method) in [(true, true, "BYE"), (true, false, "BYE"), (false, true, "CANCEL")]
    {
        let mut world = World::new(16, &house_with("", "", THROUGH));
        let behaviour = if answers { Behaviour::Answers(SECOND) } else { Behaviour::NeverAnswers };
        let teams = world.phone_at("teams", callee::ADDRESS, behaviour);
        let caller = world.caller("+49172555");
        world.dials(caller, "+4930123");
        let (ends, told) = if caller_ends { (caller, teams) } else { (teams, caller) };
        world.explains(ends, REASON);
        world.hangs_up_in(ends, 3 * SECOND);
        the_end(&mut world);
        assert_eq!(value(&world.at(told).last[method], Header::Reason), REASON, "{method}");
        assert_eq!(count(&world, |what| matches!(what, What::Ended { q850: Some(16), .. })), 1);
    }
}

/// A proxy of the carrier's sends our own call back to us, under its Call-ID.
#[test]
fn a_call_of_ours_that_comes_back_is_recognised() {
    let mut world = World::new(17, &house_with("", "", THROUGH));
    let teams = world.phone_at("teams", callee::ADDRESS, Behaviour::NeverAnswers);
    let caller = world.caller("+49172555");
    world.dials(caller, "+4930123");
    world.run_for(SECOND);
    let ours = world.at(teams).last["INVITE"].call_id().unwrap();
    let first = world.shard().calls().next().unwrap().id();
    let back = format!(
        "INVITE sip:+4930999@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.9.9;branch=z9hG4bKb\r\nMax-Forwards: 9\r\n\
         From: <sip:+49172555@c>;tag=q\r\nTo: <sip:+4930999@c>\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:10.1.9.9>\r\nContent-Length: 0\r\n\r\n",
        String::from_utf8_lossy(&ours)
    );
    world.inject("10.1.9.9:5060", back.as_bytes());
    world.run_for(SECOND);
    let back = |what: &What| matches!(what, What::Arrived { hairpin_of: Some(call), .. } if *call == first);
    assert_eq!(count(&world, back), 1, "{}", world.ladder());
}
