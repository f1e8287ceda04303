//! An agent's telephone that sends no sound: the caller waits on and never notices more than a short silence.

mod house;

use std::time::Duration;

use house::{ANNA, BO, QUEUE, anna, assigned, bo, count, left, world};
use media::Codec;
use router::journal::fact::{AgentState, LeftQueue, Unanswered, What, Wish};
use sip_core::{Message, message::Method};
use testbed::{
    Behaviour, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

const IN_ONE: Behaviour = Behaviour::Answers(Duration::from_secs(1));

fn silent(what: &What) -> bool {
    matches!(what, What::Unanswered { why: Unanswered::Silent, .. })
}

/// A caller whom a mute anna has answered at 1 s.
fn answered_by_a_mute(sections: &[&str]) -> (World, PhoneId, PhoneId) {
    let mut world = world(1, sections);
    let caller = world.caller("caller");
    let agent = anna(&mut world, IN_ONE);
    world.mutes_in(agent, true, Duration::ZERO);
    world.dials(caller, "+4930999");
    world.run_for(2 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    (world, caller, agent)
}

#[test]
fn the_caller_of_a_silent_telephone_hears_music_and_then_the_next_agent() {
    let (mut world, caller, agent) = answered_by_a_mute(&[QUEUE, ANNA, BO]);
    let second = bo(&mut world, IN_ONE);
    let music = world.voice_of("music");
    let before = world.at(caller).heard[&music];
    world.run_for(SECOND + 900 * MILLISECOND);
    assert_eq!(
        (world.agent_state("anna"), world.at(caller).heard[&music]),
        (AgentState::Talking, before),
        "3.9 s"
    );
    world.run_for(SECOND);
    assert!(world.at(caller).heard[&music] > before + 20, "bo rings, and the music goes on");
    assert_eq!(
        (world.agent_state("anna"), world.agent_state("bo")),
        (AgentState::NotReady, AgentState::Ringing)
    );
    assert_eq!(world.state(agent), PhoneState::Ended);
    world.run_for(2 * SECOND);
    assert!(world.heard(caller, second) && world.heard(second, caller), "{}", world.ladder());
    assert_eq!((world.state(caller), world.at(caller).got("BYE")), (PhoneState::Talking, 0), "no hang-up");
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!((assigned(&world), count(&world, silent)), (vec!["anna".to_owned(), "bo".to_owned()], 1));
    assert_eq!(left(&world), [LeftQueue::Answered, LeftQueue::Answered], "answered, come back, answered");
    let record = &world.records()[0];
    assert_eq!((record.agent.as_deref(), record.unanswered), (Some("bo"), 1));
    assert!(record.flow_ms < 200, "waiting, ringing and talking are no flow: {record:?}");
}

#[test]
fn the_leg_of_a_silent_telephone_is_told_why_it_is_hung_up() {
    let mut world = world(2, &[QUEUE, &ANNA.replace("10.2.0.11", "10.2.0.1")]);
    let (telling, told) = std::sync::mpsc::channel();
    world.lose_if(move |datagram| {
        if datagram.is_sip()
            && let Ok(message) = Message::parse(datagram.bytes.clone())
            && message.is_request()
            && message.method() == Method::Bye
        {
            let text = String::from_utf8_lossy(&datagram.bytes).into_owned();
            telling.send(text.lines().find(|line| line.starts_with("Reason:")).map(str::to_owned)).unwrap();
        }
        false
    });
    let caller = world.caller("caller");
    let agent = house::teams(&mut world, IN_ONE);
    world.mutes_in(agent, true, Duration::ZERO);
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    let reason = "Reason: Q.850;cause=41;text=\"No sound came from this telephone\"";
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Some(reason.to_owned())], "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// He has the key he had: who came after him does not overtake him.
#[test]
fn the_caller_of_a_silent_telephone_is_before_those_who_came_after_him() {
    let (mut world, first, agent) = answered_by_a_mute(&[QUEUE, ANNA]);
    let second = world.caller("second");
    world.dials(second, "+4930999");
    world.run_for(3 * SECOND);
    assert_eq!((world.waiting("support"), world.agent_state("anna")), (2, AgentState::NotReady));
    world.mutes_in(agent, false, Duration::ZERO);
    world.run_for(12 * SECOND); // rest_rejected is 10 s
    assert!(world.heard(first, agent) && !world.heard(second, agent), "{}", world.ladder());
    world.hangs_up_in(first, SECOND);
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Nobody is given to a broken telephone every ten seconds all day long.
#[test]
fn an_agent_whose_telephone_stays_silent_is_paused() {
    let queue = QUEUE.replace("max_wait", "pause_after = 2\nmax_wait");
    let (mut world, caller, agent) = answered_by_a_mute(&[&queue, ANNA]);
    world.run_for(30 * SECOND); // rest_rejected is 10 s
    assert_eq!((world.agent_state("anna"), count(&world, silent)), (AgentState::NotReady, 2));
    assert!(world.happened().any(|what| matches!(what, What::Wished { wish: Wish::Paused, .. })));
    world.mutes_in(agent, false, Duration::ZERO);
    world.agent_wish("anna", Wish::Ready);
    world.run_for(3 * SECOND);
    assert!(world.heard(caller, agent), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn an_agent_who_sends_one_packet_is_kept_however_silent_he_is_then() {
    let (mut world, caller, agent) = answered_by_a_mute(&[QUEUE, ANNA]);
    world.mutes_in(agent, false, SECOND + 980 * MILLISECOND);
    world.mutes_in(agent, true, 2 * SECOND);
    world.run_for(20 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Talking, "{}", world.ladder());
    assert_eq!(world.at(caller).heard[&world.at(agent).voice()], 1);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(count(&world, silent), 0);
}

/// Sound comes straight, SIP by way of proxies: his only packet is there before his 200 and is passed on to nobody.
#[test]
fn an_agent_whose_sound_is_faster_than_his_answer_is_kept() {
    let mut world = world(3, &[QUEUE, ANNA]).rtp_every(60 * SECOND);
    let caller = world.caller("caller");
    let agent = anna(&mut world, IN_ONE);
    world.dials(caller, "+4930999");
    world.run_for(20 * SECOND);
    assert_eq!((world.agent_state("anna"), world.heard(caller, agent)), (AgentState::Talking, false));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(count(&world, silent), 0);
}

#[test]
fn an_agent_who_puts_the_caller_on_hold_at_once_is_kept() {
    let (mut world, caller, agent) = answered_by_a_mute(&[QUEUE, ANNA]);
    world.holds_in(agent, true, Duration::ZERO);
    world.run_for(30 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Talking, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(count(&world, silent), 0);
}

#[test]
fn where_dead_air_does_not_matter_a_silent_agent_is_kept() {
    let (mut world, caller, _) =
        answered_by_a_mute(&[&QUEUE.replace("max_wait", "dead_air = \"0s\"\nmax_wait"), ANNA]);
    world.run_for(30 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// The agent's telephone moves its sound by a re-INVITE just before the three seconds are over.
#[test]
fn a_new_offer_begins_the_time_anew() {
    let (mut world, caller, agent) = answered_by_a_mute(&[QUEUE, ANNA]);
    world.moves_in(agent, "10.2.0.11:40100", SECOND + 900 * MILLISECOND);
    world.mutes_in(agent, false, 3 * SECOND);
    world.run_for(10 * SECOND);
    assert!(world.heard(caller, agent), "{}", world.ladder());
    assert_eq!((world.agent_state("anna"), count(&world, silent)), (AgentState::Talking, 0));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// A word, a hang-up of either side or a hold in the very instant of the judgement: one outcome, and nobody is left.
#[test]
fn whatever_happens_as_the_time_runs_out_nobody_is_stuck() {
    for late in 0..12_u32 {
        for deed in 0..4 {
            let (mut world, caller, agent) = answered_by_a_mute(&[QUEUE, ANNA]);
            let at = 2 * SECOND + late * MILLISECOND;
            match deed {
                0 => world.mutes_in(agent, false, at),
                1 => world.hangs_up_in(caller, at),
                2 => world.hangs_up_in(agent, at),
                _ => world.holds_in(agent, true, at),
            }
            world.speaks(agent, &[Codec::Pcmu]);
            world.run_for(4 * SECOND);
            world.hangs_up_in(caller, SECOND);
            world.run_until_silent().assert_nothing_left();
            assert_eq!(world.agent_state("anna"), AgentState::Idle, "{late} ms, deed {deed}");
        }
    }
}
