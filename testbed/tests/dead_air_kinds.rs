//! Nobody is heard after an answer: each kind is told for what it is and answered as its trunk says, and nothing else is
//! taken for it.

mod house;

use std::time::Duration;

use house::{DIRECT, HOUSE, teams};
use media::sdp::Srtp;
use media::srtp::Suite;
use router::journal::fact::{AgentState, Cure, DeadAir, What};
use testbed::{
    Behaviour, PhoneId, World,
    net::Link,
    phone::Manner,
    world::{MILLISECOND, SECOND},
};

const AT_ONCE: Behaviour = Behaviour::Answers(SECOND);

/// A caller and a far end of the trunk to the agents with these keys, who answers at 1 s; both speak.
fn through(keys: &str) -> (World, PhoneId, PhoneId) {
    let mut world = World::new(3, &format!("{HOUSE}{keys}\n{DIRECT}"));
    let caller = world.caller("caller");
    let called = teams(&mut world, AT_ONCE);
    world.dials(caller, "+4930555001");
    (world, caller, called)
}

/// What was said of dead air, and of which leg.
fn dead_air(world: &World) -> Vec<(u16, DeadAir, Cure)> {
    let told = |what: &What| match what {
        What::DeadAir { leg, why, cure } => Some((*leg, *why, *cure)),
        _ => None,
    };
    world.happened().filter_map(told).collect()
}

fn ends(world: &mut World, caller: PhoneId) {
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn each_kind_of_dead_air_is_told_for_what_it_is_three_seconds_after_the_answer() {
    for (manner, why) in [
        (None, DeadAir::Nothing),
        (Some(Manner::Nothing), DeadAir::DigitalSilence),
        (Some(Manner::Foreign), DeadAir::UnknownPayload),
    ] {
        let (mut world, caller, called) = through("");
        match manner {
            Some(manner) => world.sounds_in(called, manner, Duration::ZERO),
            None => world.mutes_in(called, true, Duration::ZERO),
        }
        world.run_for(3 * SECOND + 950 * MILLISECOND);
        assert_eq!(dead_air(&world), [], "{why:?} is no verdict yet");
        world.run_for(200 * MILLISECOND);
        assert_eq!(dead_air(&world), [(1, why, Cure::None)]);
        world.run_for(20 * SECOND);
        assert_eq!(dead_air(&world).len(), 1, "it is told once");
        ends(&mut world, caller);
        assert_eq!(world.records()[0].legs[1].dead_air, Some(why));
        assert_eq!(world.records()[0].legs[0].dead_air, None);
    }
}

#[test]
fn sound_that_no_key_opens_is_told_as_that() {
    let (mut world, caller, called) = through("srtp = \"required\"");
    world.encrypts(called, Srtp::Required, &[Suite::AesCm128HmacSha1_80]);
    world.sounds_in(called, Manner::Garbled, Duration::ZERO);
    world.run_for(6 * SECOND);
    assert_eq!(dead_air(&world), [(1, DeadAir::Unauthentic, Cure::None)]);
    ends(&mut world, caller);
}

#[test]
fn a_mute_caller_is_told_of_too() {
    let (mut world, caller, _) = through("");
    world.mutes_in(caller, true, 900 * MILLISECOND);
    world.run_for(6 * SECOND);
    assert_eq!(dead_air(&world), [(0, DeadAir::Nothing, Cure::None)]);
    ends(&mut world, caller);
}

#[test]
fn sound_from_a_wrong_address_is_heard_where_the_trunk_says_that_it_may_and_only_there() {
    // Heard from where SDP said, and from elsewhere after a hold, with which the time begins anew.
    for (keys, cure, heard) in
        [("", Cure::None, false), ("dead_air_cure = \"relatch\"", Cure::Relatched, true)]
    {
        let (mut world, caller, called) = through(keys);
        let elsewhere = Manner::From("10.2.0.1:40700".parse().unwrap());
        world.run_until(5 * SECOND, |world| world.heard(caller, called));
        let before = world.at(caller).heard[&world.at(called).voice()];
        world.sounds_in(called, elsewhere, Duration::ZERO);
        world.holds_in(called, true, MILLISECOND);
        world.holds_in(called, false, 100 * MILLISECOND);
        world.run_for(6 * SECOND);
        let after = world.at(caller).heard[&world.at(called).voice()];
        let told: Vec<_> = dead_air(&world);
        assert_eq!(told, [(1, DeadAir::WrongSource, cure)], "{}", world.ladder());
        assert_eq!(after > before + 50, heard, "{before} to {after}");
        ends(&mut world, caller);
    }
}

#[test]
fn who_is_not_heard_gets_a_reinvite_once_and_may_speak_after_it() {
    let (mut world, caller, called) = through("dead_air_cure = \"reinvite\"");
    world.mutes_in(called, true, Duration::ZERO);
    world.run_for(3 * SECOND + 900 * MILLISECOND);
    assert_eq!(world.at(called).got("INVITE"), 1);
    world.run_for(SECOND);
    assert_eq!(
        (world.at(called).got("INVITE"), dead_air(&world)),
        (2, vec![(1, DeadAir::Nothing, Cure::Reinvited)])
    );
    world.mutes_in(called, false, Duration::ZERO);
    world.run_for(20 * SECOND);
    assert!(world.heard(caller, called) && world.at(called).got("INVITE") == 2, "{}", world.ladder());
    ends(&mut world, caller);
}

/// An agent's telephone that wakes up by the re-INVITE keeps the caller; one that does not loses him as without it.
#[test]
fn an_agents_telephone_is_tried_again_before_the_caller_goes_on_waiting() {
    let agent = "[agent.anna]\ncall = \"+4930555001@teams\"\nqueues = [\"support\"]\n";
    for wakes in [true, false] {
        let mut world =
            World::new(4, &format!("{HOUSE}dead_air_cure = \"reinvite\"\n{}{agent}", house::QUEUE));
        let caller = world.caller("caller");
        let phone = teams(&mut world, AT_ONCE);
        world.mutes_in(phone, true, Duration::ZERO);
        world.dials(caller, "+4930999");
        world.run_for(5 * SECOND);
        assert_eq!((world.agent_state("anna"), world.at(phone).got("INVITE")), (AgentState::Talking, 2));
        world.mutes_in(phone, !wakes, Duration::ZERO);
        world.run_for(3 * SECOND);
        let state = if wakes { AgentState::Talking } else { AgentState::NotReady };
        assert_eq!(
            (world.agent_state("anna"), world.heard(caller, phone)),
            (state, wakes),
            "{}",
            world.ladder()
        );
        ends(&mut world, caller);
    }
}

#[test]
fn the_other_party_hears_a_tone_where_its_trunk_says_so() {
    for (keys, tone) in [("", false), ("dead_air_tone = true", true)] {
        let (mut world, caller, called) = through(keys);
        world.mutes_in(caller, true, 900 * MILLISECOND);
        world.run_for(3 * SECOND + 900 * MILLISECOND);
        let sounds = |world: &World| world.at(called).heard.values().sum::<u64>();
        let before = sounds(&world);
        world.run_for(SECOND);
        assert_eq!(sounds(&world) - before, if tone { 15 } else { 0 }, "300 ms");
        ends(&mut world, caller);
    }
}

#[test]
fn no_verdict_where_the_trunk_wants_none() {
    let (mut world, caller, called) = through("dead_air = \"0s\"");
    world.mutes_in(called, true, Duration::ZERO);
    world.run_for(20 * SECOND);
    assert_eq!(dead_air(&world), []);
    ends(&mut world, caller);
}

/// Comfort noise by RFC 3389, sound that begins late, a hold in the first seconds, a re-INVITE: none is dead air.
#[test]
fn what_is_no_dead_air_is_not_taken_for_it() {
    for case in 0..5 {
        let (mut world, caller, called) = through("");
        match case {
            0 => world.sounds_in(called, Manner::Noise, Duration::ZERO),
            1 => {
                world.mutes_in(called, true, Duration::ZERO);
                world.mutes_in(called, false, 3 * SECOND + 900 * MILLISECOND);
            }
            2 => {
                world.mutes_in(called, true, SECOND);
                world.holds_in(called, true, 2 * SECOND);
            }
            3 => {
                world.sounds_in(called, Manner::Nothing, Duration::ZERO);
                world.sounds_in(called, Manner::Voice, 3 * SECOND + 800 * MILLISECOND);
            }
            _ => world.moves_in(called, "10.2.0.1:40100", 2 * SECOND),
        }
        world.run_for(10 * SECOND);
        assert_eq!(dead_air(&world), [], "{case}: {}", world.ladder());
        ends(&mut world, caller);
    }
}

#[test]
fn five_percent_of_loss_are_no_dead_air() {
    for seed in 0..40 {
        let mut world = World::new(seed, &format!("{HOUSE}{DIRECT}")).link(Link::lossy(0.05));
        let caller = world.caller("caller");
        let _called = teams(&mut world, AT_ONCE);
        world.dials(caller, "+4930555001");
        world.run_for(12 * SECOND);
        assert_eq!(dead_air(&world), [], "seed {seed}");
        ends(&mut world, caller);
    }
}

/// A muted telephone that sends comfort noise, or RTCP alone, is alive however long it says nothing.
#[test]
fn a_telephone_that_only_sends_comfort_noise_is_never_asked_whether_it_lives() {
    let (mut world, caller, called) = through("");
    world.sounds_in(called, Manner::Noise, 5 * SECOND);
    world.run_for(200 * SECOND); // silence_timeout is 60 s
    assert_eq!(world.at(called).got("OPTIONS"), 0, "{}", world.ladder());
    ends(&mut world, caller);
}
