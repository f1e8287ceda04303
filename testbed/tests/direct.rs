//! The plain B2BUA: a `dial` step before the answer.

mod house;

use std::time::Duration;

use house::{DIRECT, callee, teams, the_end, world};
use router::journal::fact::{Cause, Fault, What};
use sip_core::{
    Message, StatusCode,
    message::{Header, Method, respond_to},
};
use testbed::{
    Behaviour,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

#[test]
fn two_telephones_talk_through_us_and_the_caller_hangs_up() {
    let mut world = world(1, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930123");
    world.run_for(SECOND);
    assert_eq!(world.state(caller), PhoneState::Ringing, "{}", world.ladder());
    world.run_for(4 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    assert!(world.heard(caller, callee) && world.heard(callee, caller));
    world.hangs_up_in(caller, SECOND);
    world.run_for(2 * SECOND);
    assert_eq!(world.state(callee), PhoneState::Ended);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    assert!(
        world.happened().any(|what| matches!(what, What::TwoWaySound { after_ms, .. } if *after_ms < 100))
    );
    assert!(world.elapsed() < Duration::from_secs(120), "{:?}", world.elapsed());
}

#[test]
fn the_called_party_hangs_up_and_the_caller_hears_of_it() {
    let mut world = world(2, &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::AnswersFor(SECOND, 3 * SECOND));
    world.dials(caller, "+4930123");
    world.run_for(6 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Ended);
    assert_eq!(the_end(&mut world), (Cause::CalledHungUp, Fault::None, None));
}

#[test]
fn a_busy_answer_goes_through_to_the_caller() {
    let mut world = world(3, &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::Busy);
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world), (Cause::Busy, Fault::None, Some(486)));
    assert_eq!(world.state(caller), PhoneState::Failed(486));
}

#[test]
fn a_refusal_after_ringing_goes_through_as_the_persons_decision() {
    let mut world = world(4, &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::Refuses(603, 2 * SECOND));
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world), (Cause::Declined, Fault::None, Some(603)));
    assert_eq!(world.state(caller), PhoneState::Failed(603));
}

#[test]
fn a_number_unknown_to_the_far_side_is_the_far_sides_fault() {
    let mut world = world(5, &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::Refuses(404, MILLISECOND));
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world), (Cause::Unreachable, Fault::CalledSide, Some(404)));
    assert_eq!(world.state(caller), PhoneState::Failed(404));
}

#[test]
fn nobody_answers_within_the_ring_timeout_and_the_far_end_stops_ringing() {
    let dial = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\nsteps = [{ dial = { to = \"{called}@teams\", ring_timeout = \"10s\" } }]\n";
    let mut world = world(6, &[dial]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::NeverAnswers);
    world.dials(caller, "+4930123");
    world.run_for(11 * SECOND);
    assert_eq!(world.state(callee), PhoneState::Failed(487));
    assert_eq!(world.state(caller), PhoneState::Failed(480));
    assert_eq!(the_end(&mut world), (Cause::NoAnswer, Fault::None, Some(480)));
}

#[test]
fn a_dead_far_side_gives_the_caller_an_answer_and_names_the_far_side() {
    let mut world = world(7, &[DIRECT]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930123"); // nobody lives at 10.2.0.1
    world.run_for(40 * SECOND);
    assert!(matches!(world.state(caller), PhoneState::Failed(408 | 500 | 503)), "{:?}", world.state(caller));
    let (cause, fault, _) = the_end(&mut world);
    assert_eq!((cause, fault), (Cause::Unreachable, Fault::CalledSide));
}

#[test]
fn the_caller_gives_up_before_anything_rings() {
    let mut world = world(8, &[DIRECT]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930123"); // nobody answers, not even with 100
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::Abandoned, Fault::None, Some(487)));
    assert_eq!(world.state(caller), PhoneState::Ended);
}

#[test]
fn the_caller_gives_up_while_it_rings_and_the_far_end_stops_ringing() {
    let mut world = world(9, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::NeverAnswers);
    world.dials(caller, "+4930123");
    world.hangs_up_in(caller, 3 * SECOND);
    world.run_for(4 * SECOND);
    assert_eq!(world.state(callee), PhoneState::Failed(487));
    assert_eq!(the_end(&mut world), (Cause::Abandoned, Fault::None, Some(487)));
}

/// CANCEL and the 200 cross at every distance around the answer; whoever wins, nobody is left in a call.
#[test]
fn the_caller_gives_up_in_the_same_millisecond_as_the_answer() {
    for early in 0..12 {
        let mut world = world(100 + early, &[DIRECT]);
        let caller = world.caller("caller");
        let callee = teams(&mut world, Behaviour::Answers(2 * SECOND));
        world.dials(caller, "+4930123");
        world.hangs_up_in(caller, 2 * SECOND + u32::try_from(early).unwrap() * MILLISECOND);
        let (cause, fault, _) = the_end(&mut world);
        assert!(matches!(cause, Cause::Abandoned | Cause::CallerHungUp), "{early} ms: {cause:?}");
        assert_eq!(fault, Fault::None);
        assert!(!matches!(world.state(callee), PhoneState::Talking), "{early} ms: {:?}", world.state(callee));
    }
}

#[test]
fn both_hang_up_at_once() {
    let mut world = world(11, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    world.hangs_up_in(caller, SECOND);
    world.hangs_up_in(callee, SECOND);
    let (cause, fault, _) = the_end(&mut world);
    assert!(matches!(cause, Cause::CallerHungUp | Cause::CalledHungUp));
    assert_eq!(fault, Fault::None);
}

#[test]
fn a_lost_ack_costs_half_a_second_and_no_call() {
    let mut world = world(12, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.lose_first("ACK");
    world.dials(caller, "+4930123");
    world.run_for(5 * SECOND);
    assert!(world.heard(caller, callee) && world.heard(callee, caller));
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn a_caller_who_never_acknowledges_is_hung_up_and_blamed() {
    let mut world = world(13, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    let router: std::net::SocketAddr = testbed::world::ROUTER.parse().unwrap();
    world.lose_if(move |datagram| datagram.to == router && datagram.start_line().starts_with("ACK"));
    world.dials(caller, "+4930123");
    world.run_for(40 * SECOND);
    assert_eq!(world.state(callee), PhoneState::Ended, "{}", world.ladder());
    assert_eq!(the_end(&mut world), (Cause::NoAck, Fault::CallerSide, None));
}

#[test]
fn a_lost_bye_is_repeated() {
    let mut world = world(14, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.lose_first("BYE");
    world.dials(caller, "+4930123");
    world.hangs_up_in(caller, 3 * SECOND);
    world.run_for(5 * SECOND);
    assert_eq!(world.state(callee), PhoneState::Ended);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_lost_final_answer_is_repeated_until_it_arrives() {
    let mut world = world(15, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.lose_first("SIP/2.0 200");
    world.dials(caller, "+4930123");
    world.run_for(6 * SECOND);
    assert!(world.heard(caller, callee) && world.heard(callee, caller));
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn early_sound_of_the_far_end_reaches_the_caller_before_the_answer() {
    let mut world = world(16, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::EarlySound(5 * SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Ringing);
    assert!(world.heard(caller, callee), "{}", world.ladder());
    world.run_for(4 * SECOND);
    assert!(world.heard(callee, caller));
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn a_caller_without_an_offer_gets_ours_and_hears_the_far_end() {
    let mut world = world(17, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials_without_offer(caller, "+4930123");
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, callee) && world.heard(callee, caller), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn a_hold_of_two_hours_ends_no_call_and_the_sound_comes_back() {
    let mut world = world(18, &[DIRECT]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.holds_in(callee, true, 5 * SECOND);
    world.run_for(Duration::from_secs(7_200));
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    assert_eq!(house::count(&world, |what| matches!(what, What::Held { held: true, .. })), 1);
    world.holds_in(callee, false, SECOND);
    world.run_for(3 * SECOND);
    let before = world.at(callee).heard.values().sum::<u64>();
    world.run_for(5 * SECOND);
    assert!(world.at(callee).heard.values().sum::<u64>() > before, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn a_muted_telephone_is_not_a_dead_one() {
    let mut world = world(19, &[DIRECT]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.mutes_in(caller, true, 5 * SECOND);
    world.run_for(Duration::from_secs(600));
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn a_far_end_that_dies_silently_is_found_and_the_caller_is_released() {
    let mut world = world(20, &[DIRECT]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.dies_in(callee, 10 * SECOND);
    world.run_for(Duration::from_secs(120));
    assert_eq!(world.state(caller), PhoneState::Ended, "{}", world.ladder());
    assert_eq!(the_end(&mut world), (Cause::MediaLost, Fault::CalledSide, None));
}

#[test]
fn a_caller_who_dies_silently_is_found_and_the_far_end_is_released() {
    let mut world = world(21, &[DIRECT]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.dies_in(caller, 10 * SECOND);
    world.run_for(Duration::from_secs(120));
    assert_eq!(world.state(callee), PhoneState::Ended, "{}", world.ladder());
    assert_eq!(the_end(&mut world), (Cause::MediaLost, Fault::CallerSide, None));
}

#[test]
fn both_put_each_other_on_hold_at_once_and_neither_is_lost() {
    let mut world = world(22, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    world.holds_in(caller, true, SECOND);
    world.holds_in(callee, true, SECOND);
    world.run_for(10 * SECOND);
    assert_eq!((world.state(caller), world.state(callee)), (PhoneState::Talking, PhoneState::Talking));
    world.hangs_up_in(callee, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CalledHungUp, Fault::None, None));
}

#[test]
fn a_number_that_no_flow_answers_is_404_and_our_configurations_fault() {
    let only =
        "[[number]]\nmatch = \"+49301\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\nsteps = [\"answer\"]\n";
    let mut world = world(23, &[only]);
    let caller = world.caller("caller");
    world.dials(caller, "+49302");
    assert_eq!(the_end(&mut world), (Cause::Rejected, Fault::Configuration, Some(404)));
    assert_eq!(world.state(caller), PhoneState::Failed(404));
}

#[test]
fn a_stranger_gets_nothing_at_all() {
    let mut world = world(24, &[DIRECT]);
    let stranger = world.phone_at("stranger", "192.0.2.66:5060", Behaviour::Busy);
    world.dials(stranger, "+4930123");
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.state(stranger), PhoneState::Failed(408));
    assert_eq!(world.facts().iter().filter(|fact| fact.call.is_some()).count(), 0);
    assert!(world.shard().numbers().sip.unknown_source > 0);
}

#[test]
fn what_follows_a_busy_dial_is_taken() {
    let flow = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\nsteps = [{ dial = { to = \"{called}@teams\", busy = \"flow.sorry\" } }, { reject = 500 }]\n[flow.sorry]\nsteps = [{ play = \"prompts/closed.wav\" }, \"hangup\"]\n";
    let mut world = world(25, &[flow]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::Busy);
    world.dials(caller, "+4930123");
    world.run_for(10 * SECOND);
    assert!(world.at(caller).heard.contains_key(&world.voice_of("closed")), "{:?}", world.at(caller).heard);
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
}

#[test]
fn garbage_from_a_known_source_is_counted_and_harms_nobody() {
    let mut world = world(26, &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    for garbage in
        [&b"\r\n\r\n"[..], b"INVITE", b"INVITE sip:a SIP/9.9\r\n\r\n", b"\xff\xfe\x00SIP/2.0 200 OK\r\n\r\n"]
    {
        world.inject("10.1.0.200:5060", garbage);
    }
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, callee));
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn what_an_invite_says_about_the_call_reaches_the_far_end_and_what_it_says_about_the_hop_does_not() {
    let mut world = world(27, &[DIRECT]);
    let caller = world.caller("caller");
    let said = [
        ("Diversion", "<sip:+4930111@carrier.example>;reason=unconditional"),
        ("X-Campaign", "  spring  ;  42 \u{e9}"),
        ("User-to-User", "56a390f3;encoding=hex"),
    ];
    said.iter().for_each(|(name, value)| world.writes(caller, name, value));
    world.writes(caller, "P-Asserted-Identity", "<sip:+4930222@carrier.example>");
    let (seen, noted) = std::sync::mpsc::channel();
    world.script_at(callee::ADDRESS, move |message| {
        if message.is_request() && message.method() == Method::Invite {
            seen.send(message.clone()).unwrap();
        }
        vec![]
    });
    world.dials(caller, "+4930123");
    world.run_for(SECOND);
    let invite: Message = noted.recv().unwrap();
    let value = |name: &str| {
        let field = invite.fields().find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(String::from_utf8_lossy(field.value).trim().to_owned())
    };
    for (name, expected) in said {
        assert_eq!(value(name).as_deref(), Some(expected.trim()), "{name}");
    }
    assert_eq!(value("Max-Forwards").as_deref(), Some("69"));
    assert_eq!(invite.fields().filter(|field| field.header == Header::Via).count(), 1, "we are not a proxy");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(world.records()[0].from, "+4930222", "as the carrier asserts it (RFC 3325)");
}

#[test]
fn why_the_network_behind_the_far_end_refused_is_told_to_the_caller_and_on_record() {
    let mut world = world(28, &[DIRECT]);
    let caller = world.caller("caller");
    let router = testbed::world::ROUTER.parse().unwrap();
    world.script_at(callee::ADDRESS, move |message| {
        if message.method() != Method::Invite {
            return vec![];
        }
        let status = StatusCode::new(503).unwrap();
        let mut response = respond_to(message, router, status, Some(b"Circuits busy"), Some(b"pstn"));
        response.named(b"Reason", b"Q.850;cause=34;text=\"no circuit\"");
        vec![(Duration::ZERO, response.finish())]
    });
    let (seen, noted) = std::sync::mpsc::channel();
    world.lose_if(move |datagram| {
        if datagram.start_line().starts_with("SIP/2.0 500") {
            seen.send(Message::parse(datagram.bytes.clone()).unwrap()).unwrap();
        }
        false
    });
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world), (Cause::Unreachable, Fault::CalledSide, Some(500)));
    let told: Message = noted.recv().unwrap();
    assert_eq!(told.value(Header::Reason).as_deref(), Some(&b"Q.850;cause=34;text=\"no circuit\""[..]));
    let record = &world.records()[0];
    assert_eq!((record.q850, record.legs[1].status, record.legs[1].q850), (Some(34), Some(503), Some(34)));
    assert_eq!(record.legs[1].phrase.as_deref(), Some("Circuits busy"));
}

#[test]
fn a_redirection_by_the_far_end_is_not_followed_and_not_passed_on() {
    let mut world = world(29, &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::Refuses(302, MILLISECOND));
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world).2, Some(480));
    assert_eq!(world.state(caller), PhoneState::Failed(480));
}
