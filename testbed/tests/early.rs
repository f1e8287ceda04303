//! Before the answer: ringing, early sound, forks, reliable provisional responses (RFC 3262).

mod house;

use std::{cell::RefCell, collections::BTreeMap, net::SocketAddr, rc::Rc, time::Duration};

use house::{DIRECT, callee, house, teams, the_end, world};
use router::journal::fact::{Cause, Fault};
use sip_core::{
    Reliability, StatusCode, Terms,
    message::{Header, Method, respond_to},
};
use testbed::{
    Behaviour, World,
    phone::PhoneState,
    world::{MILLISECOND, ROUTER, SECOND},
};

/// A flow that plays before it answers, then dials.
const EARLY_PROMPT: &str = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\n\
    steps = [{ play = { prompt = \"prompts/welcome.wav\", early = true } }, { dial = \"{called}@teams\" }]\n";

fn reliable(how: Reliability) -> Terms {
    Terms { reliable: how, ..Terms::default() }
}

#[test]
fn it_rings_until_something_is_heard_even_if_a_183_has_a_description() {
    let mut world = world(1, &[DIRECT]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::EarlySound(10 * SECOND));
    world.mutes_in(far, true, Duration::ZERO);
    world.dials(caller, "+4930123");
    world.mutes_in(far, false, 4 * SECOND);
    world.run_for(3 * SECOND);
    assert_eq!((world.at(caller).got("180"), world.at(caller).got("183")), (1, 0), "{}", world.ladder());
    world.run_for(2 * SECOND);
    assert_eq!(world.at(caller).got("183"), 1);
    assert!(world.heard(caller, far), "{}", world.ladder());
    world.run_for(6 * SECOND);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_caller_who_was_answered_before_hears_our_ringing_until_there_is_sound_of_the_far_end() {
    let answered = DIRECT.replace("steps = [", "steps = [\"answer\", ");
    let mut world = world(2, &[&answered]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::EarlySound(10 * SECOND));
    world.mutes_in(far, true, Duration::ZERO);
    world.dials(caller, "+4930123");
    world.mutes_in(far, false, 4 * SECOND);
    world.run_for(3 * SECOND);
    assert!(!world.at(caller).heard.is_empty() && !world.heard(caller, far), "{:?}", world.at(caller).heard);
    world.run_for(2 * SECOND);
    assert!(world.heard(caller, far));
    world.run_for(6 * SECOND);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

/// A far end that forks: `a` and `b` ring with descriptions of their own; `winner` answers, with no description.
fn forks(world: &mut World, winner: &'static str) {
    let router: SocketAddr = ROUTER.parse().unwrap();
    world.script_at(callee::ADDRESS, move |message| {
        let reply = |tag: &str, status: StatusCode, port: Option<u16>| {
            let mut response = respond_to(message, router, status, None, Some(tag.as_bytes()));
            response.header(Header::Contact, format!("<sip:{tag}@{}>", callee::ADDRESS));
            if let Some(port) = port {
                let sdp = callee::sdp(SocketAddr::new("10.2.0.31".parse().unwrap(), port));
                response.body("application/sdp", sdp.as_bytes());
            }
            response.finish()
        };
        match (message.is_request(), message.method()) {
            (true, Method::Invite) => vec![
                (10 * MILLISECOND, reply("a", StatusCode::SESSION_PROGRESS, Some(41_000))),
                (20 * MILLISECOND, reply("b", StatusCode::SESSION_PROGRESS, Some(42_000))),
                (SECOND, reply(winner, StatusCode::OK, None)),
            ],
            (true, Method::Bye) => vec![(Duration::ZERO, reply(winner, StatusCode::OK, None))],
            _ => vec![],
        }
    });
}

#[test]
fn a_2xx_without_a_description_has_that_of_its_own_branch() {
    for (winner, port) in [("a", 41_000), ("b", 42_000)] {
        let mut world = world(3, &[DIRECT]);
        let caller = world.caller("caller");
        forks(&mut world, winner);
        let heard = Rc::new(RefCell::new(BTreeMap::<u16, u32>::new()));
        world.dials(caller, "+4930123");
        world.run_for(2 * SECOND);
        let ear = Rc::clone(&heard);
        world.lose_if(move |datagram| {
            if datagram.to.ip().to_string() == "10.2.0.31" {
                *ear.borrow_mut().entry(datagram.to.port()).or_default() += 1;
            }
            false
        });
        world.run_for(SECOND);
        assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
        assert_eq!(
            heard.borrow().keys().copied().collect::<Vec<_>>(),
            [port],
            "{winner}: {}",
            world.ladder()
        );
        world.hangs_up_in(caller, SECOND);
        assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    }
}

#[test]
fn a_caller_who_insists_on_100rel_hears_an_early_prompt_with_an_offer_and_without_one() {
    for offers in [true, false] {
        let mut world = world(4, &[EARLY_PROMPT]);
        let caller = world.caller("caller");
        let far = teams(&mut world, Behaviour::Answers(2 * SECOND));
        world.agrees_to(caller, reliable(Reliability::Required));
        match offers {
            true => world.dials(caller, "+4930123"),
            false => world.dials_without_offer(caller, "+4930123"),
        }
        world.run_for(SECOND);
        assert!(house::heard(&world, caller, "welcome"), "{offers}: {}", world.ladder());
        assert_eq!(world.state(caller), PhoneState::Ringing);
        world.run_for(6 * SECOND);
        assert!(world.heard(caller, far) && world.heard(far, caller), "{offers}: {}", world.ladder());
        world.hangs_up_in(caller, SECOND);
        assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    }
}

#[test]
fn a_caller_who_insists_on_100rel_and_sends_no_prack_is_refused_with_504() {
    let mut world = world(5, &[EARLY_PROMPT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::NeverAnswers);
    world.agrees_to(caller, reliable(Reliability::Required));
    world.lose_if(|datagram| datagram.start_line().starts_with("PRACK"));
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world), (Cause::NoAck, Fault::CallerSide, Some(504)));
}

#[test]
fn a_trunk_may_be_offered_100rel_and_lost_rings_are_repeated() {
    let config = house(&[DIRECT]).replace("[trunk.teams]\n", "[trunk.teams]\nreliable = \"offered\"\n");
    let mut world = World::new(6, &config);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::EarlySound(3 * SECOND));
    world.agrees_to(far, reliable(Reliability::Required));
    world.lose_first("SIP/2.0 183");
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    assert_eq!(world.at(far).got("PRACK"), 1, "{:?}", world.at(far).got);
    assert!(world.heard(caller, far), "{}", world.ladder());
    world.run_for(3 * SECOND);
    assert!(world.heard(far, caller), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

/// A colleague with two telephones, to whom the caller is transferred. One is heard before it answers, and fails.
#[test]
fn when_the_leg_fails_that_was_heard_before_its_answer_the_caller_hears_that_others_ring() {
    let bo = "[agent.bo]\ncall = [\"sip:bo@10.2.0.12:5060\", \"sip:bo@10.2.0.22:5060\"]\n";
    let mut world = world(9, &[house::QUEUE, house::ANNA, bo]);
    let anna = house::anna(&mut world, Behaviour::Answers(SECOND));
    let desk = house::bo(&mut world, Behaviour::EarlySound(60 * SECOND));
    let mobile = world.phone_at("mobile", "10.2.0.22:5060", Behaviour::NeverAnswers);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    world.transfers_in(anna, "bo", Duration::ZERO);
    world.run_for(3 * SECOND);
    assert!(world.heard(caller, desk), "{}", world.ladder());
    let voice = |world: &World, phone| world.at(phone).voice();
    let speakers = [anna, desk, mobile, caller].map(|phone| voice(&world, phone));
    let heard = |world: &World| {
        let (spoken, tones): (Vec<_>, Vec<_>) =
            world.at(caller).heard.iter().partition(|(byte, _)| speakers.contains(byte));
        let sum = |heard: Vec<(&u8, &u64)>| heard.into_iter().map(|(_, packets)| packets).sum::<u64>();
        (sum(spoken), sum(tones))
    };
    world.hangs_up_in(desk, Duration::ZERO);
    world.run_for(100 * MILLISECOND);
    let (spoken, tones) = heard(&world);
    world.run_for(6 * SECOND);
    let after = heard(&world);
    assert!(after.1 > tones + 40, "a second of ringing: {tones} {after:?}\n{}", world.ladder());
    assert_eq!(after.0, spoken, "whoever transfers is not heard meanwhile");
    world.hangs_up_in(caller, SECOND);
    world.hangs_up_in(anna, 2 * SECOND);
    world.run_until_silent().assert_nothing_left();
}
