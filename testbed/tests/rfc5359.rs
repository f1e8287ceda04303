//! Call flows of RFC 5359 through us: hold (§2.1, §2.2) in every dialect, and what the other side is told and hears.
//!
//! Where the other services of it are shown, as far as they are there:
//!
//! | § | service | shown by |
//! |---|---|---|
//! | 2.3 | music on hold | here; the music is ours or the holder's own, never that of a third party's server |
//! | 2.4, 2.6 | transfer, unattended; instant messages are not there | `transfer.rs`, `transfer_back.rs` |
//! | 2.5 | transfer, attended | `transfer_attended.rs` |
//! | 2.7 to 2.9 | forwarding: always, when busy, when nobody answers | here and in `direct.rs`: steps of a flow; a 302 is not followed |
//! | 2.12 | find-me | `ring_all.rs`, `telephones.rs` |
//! | 2.13, 2.14 | screening of calls in and out | `callers.rs`, `queue_rules.rs`; the toll guard in `telephones.rs` |
//! | 2.15 | call park | `transfer.rs`: a queue is the place to park |
//! | 2.16 | call pickup | `transfer_attended.rs`, `telephones.rs`: Replaces |
//! | 2.17 | automatic redial | `callbacks.rs` |
//!
//! Conferences (§2.10, §2.11) and click to dial (§2.18) are not there.

mod house;

use std::{cell::RefCell, rc::Rc, time::Duration};

use house::{ANNA, DIRECT, QUEUE, anna, heard, house, teams, the_end};
use media::Event;
use router::{
    call::Call,
    journal::fact::{AgentState, Cause, Fault, What},
};
use sip_core::message::Method;
use testbed::{
    Behaviour, PhoneId, World,
    phone::{HoldBy, PhoneState},
    world::{MILLISECOND, ROUTER, SECOND},
};

const DIALECTS: [HoldBy; 3] = [HoldBy::SendOnly, HoldBy::Inactive, HoldBy::Nowhere];

/// Caller and agent in a call through the queue, three seconds old; the caller's trunk has these keys.
fn agent_talks(keys: &str) -> (World, PhoneId, PhoneId) {
    let config = house(&[QUEUE, ANNA]).replace("[trunk.carrier]\n", &format!("[trunk.carrier]\n{keys}\n"));
    let mut world = World::new(1, &config);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(4 * SECOND);
    assert_eq!(world.state(agent), PhoneState::Talking);
    (world, caller, agent)
}

/// Caller and far end of a dialled call; both trunks have these keys.
fn talk(keys: &str) -> (World, PhoneId, PhoneId) {
    let mut config = house(&[DIRECT]);
    for trunk in ["[trunk.teams]\n", "[trunk.carrier]\n"] {
        config = config.replace(trunk, &format!("{trunk}{keys}\n"));
    }
    let mut world = World::new(2, &config);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    (world, caller, far)
}

/// How often `listener` has heard this byte.
fn packets(world: &World, listener: PhoneId, voice: u8) -> u64 {
    world.at(listener).heard.get(&voice).copied().unwrap_or(0)
}

/// What more of this byte is heard within two seconds.
fn more(world: &mut World, listener: PhoneId, voice: u8) -> u64 {
    let before = packets(world, listener, voice);
    world.run_for(2 * SECOND);
    packets(world, listener, voice) - before
}

/// A description that the router wrote: to whom, in which request if in one, and what it says.
type Written = (String, Option<Method>, String);

/// Descriptions that the router writes from now on.
fn descriptions(world: &mut World) -> Rc<RefCell<Vec<Written>>> {
    house::spy(world, |datagram, message| {
        let method = message.is_request().then(|| message.method());
        let body = String::from_utf8_lossy(&message.body()).into_owned();
        let ours = datagram.from.to_string() == ROUTER && !body.is_empty();
        ours.then(|| (datagram.to.to_string(), method, body))
    })
}

fn ends_well(mut world: World, caller: PhoneId) {
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn section_2_1_in_every_dialect_a_held_caller_is_not_heard_and_comes_back_with_the_resume() {
    for dialect in DIALECTS {
        let (mut world, caller, agent) = agent_talks("");
        let voice = world.at(caller).voice();
        world.holds_by_in(agent, dialect, Duration::ZERO);
        world.run_for(SECOND);
        assert_eq!(more(&mut world, agent, voice), 0, "{dialect:?}\n{}", world.ladder());
        let held = world.happened().filter(|what| matches!(what, What::Held { leg: 1, held: true })).count();
        assert_eq!(held, 1, "{dialect:?}");
        world.holds_in(agent, false, Duration::ZERO);
        world.run_for(SECOND);
        assert!(more(&mut world, agent, voice) > 90, "{dialect:?}\n{}", world.ladder());
        ends_well(world, caller);
    }
}

#[test]
fn section_2_1_who_is_held_by_an_agent_who_sends_nothing_hears_the_queues_music() {
    let (mut world, caller, agent) = agent_talks("");
    let (music, voice) = (world.voice_of("music"), world.at(agent).voice());
    assert_eq!(more(&mut world, caller, music), 0);
    world.holds_by_in(agent, HoldBy::Inactive, Duration::ZERO);
    world.run_for(SECOND);
    assert!(more(&mut world, caller, music) > 90, "{}", world.ladder());
    world.holds_in(agent, false, Duration::ZERO);
    world.run_for(SECOND);
    assert_eq!(more(&mut world, caller, music), 0);
    assert!(more(&mut world, caller, voice) > 90);
    ends_well(world, caller);
}

#[test]
fn section_2_2_a_telephone_that_plays_music_of_its_own_is_heard_unless_the_trunk_has_some() {
    for (keys, plays) in [("", false), ("hold_music = \"prompts/welcome.wav\"", true)] {
        let (mut world, caller, agent) = agent_talks(keys);
        let (welcome, voice) = (world.voice_of("welcome"), world.at(agent).voice());
        world.holds_by_in(agent, HoldBy::SendOnly, Duration::ZERO);
        world.run_for(SECOND);
        assert_eq!(more(&mut world, caller, welcome) > 90, plays, "{keys}");
        assert_eq!(more(&mut world, caller, voice) > 90, !plays, "{keys}");
        assert!(!heard(&world, agent, "welcome"), "the agent is not on hold");
        world.holds_in(agent, false, Duration::ZERO);
        world.run_for(SECOND);
        assert!(more(&mut world, caller, voice) > 90);
        ends_well(world, caller);
    }
}

/// Many telephones hold by `sendonly` and send nothing: nobody is to blame, and the caller hears that he is not forgotten.
#[test]
fn section_2_2_who_is_held_by_a_telephone_without_music_of_its_own_hears_the_queues() {
    let (mut world, caller, agent) = agent_talks("");
    let (music, voice) = (world.voice_of("music"), world.at(agent).voice());
    world.holds_by_in(agent, HoldBy::SendOnly, Duration::ZERO);
    world.mutes_in(agent, true, 90 * MILLISECOND); // what he was saying is not over when his hold is here
    let before = packets(&world, caller, music);
    world.run_for(SECOND + 900 * MILLISECOND);
    assert_eq!(packets(&world, caller, music), before, "its own music may begin late");
    world.run_for(SECOND);
    assert!(more(&mut world, caller, music) > 90, "{}", world.ladder());
    world.run_for(100 * SECOND);
    assert!(more(&mut world, caller, music) > 90, "whatever is asked meanwhile");
    world.mutes_in(agent, false, Duration::ZERO);
    world.holds_in(agent, false, Duration::ZERO);
    world.run_for(SECOND);
    assert_eq!(more(&mut world, caller, music), 0);
    assert!(more(&mut world, caller, voice) > 90);
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    let unanswered = |what: &What| matches!(what, What::Unanswered { .. });
    assert_eq!(house::count(&world, unanswered), 0);
    ends_well(world, caller);
}

#[test]
fn who_holds_without_music_after_all_has_the_queues_played_at_once() {
    let (mut world, caller, agent) = agent_talks("");
    let music = world.voice_of("music");
    world.holds_by_in(agent, HoldBy::SendOnly, Duration::ZERO);
    world.mutes_in(agent, true, Duration::ZERO);
    world.run_for(SECOND);
    world.holds_by_in(agent, HoldBy::Inactive, Duration::ZERO);
    world.run_for(100 * MILLISECOND);
    assert!(more(&mut world, caller, music) > 90, "{}", world.ladder());
    let holds = |what: &What| matches!(what, What::Held { .. });
    assert_eq!(house::count(&world, holds), 1, "it is one hold");
    ends_well(world, caller);
}

#[test]
fn a_resume_that_crosses_the_news_of_a_silent_hold_goes_on_with_the_talk() {
    let (mut world, caller, agent) = agent_talks("");
    world.holds_by_in(agent, HoldBy::SendOnly, Duration::ZERO);
    world.mutes_in(agent, true, Duration::ZERO);
    world.run_for(SECOND);
    world.holds_in(agent, false, Duration::ZERO);
    world.run_for(100 * MILLISECOND);
    let (_, leg) = world.shard().calls().find_map(Call::connected).expect("they are connected");
    world.hears_of_media_late(Event::Unheard { leg, on_hold: true });
    world.run_for(SECOND);
    assert_eq!(world.state(agent), PhoneState::Talking, "{}", world.ladder());
    let music = world.voice_of("music");
    assert_eq!(more(&mut world, caller, music), 0);
    ends_well(world, caller);
}

#[test]
fn a_hold_that_stays_here_is_told_to_nobody() {
    let (mut world, caller, far) = talk("");
    let written = descriptions(&mut world);
    world.holds_by_in(far, HoldBy::Inactive, Duration::ZERO);
    world.holds_in(far, false, 2 * SECOND);
    world.run_for(4 * SECOND);
    let to: Vec<_> = written.borrow().iter().map(|(to, ..)| to.clone()).collect();
    assert!(to.iter().all(|to| to.starts_with("10.2.")), "only the answers: {to:?}");
    assert_eq!(to.len(), 2);
    ends_well(world, caller);
}

#[test]
fn a_hold_that_is_passed_on_tells_the_other_telephone_by_sendonly_and_takes_it_back() {
    for dialect in DIALECTS {
        let (mut world, caller, far) = talk("hold = \"pass\"");
        let written = descriptions(&mut world);
        world.holds_by_in(far, dialect, Duration::ZERO);
        world.holds_in(far, false, 2 * SECOND);
        world.run_for(4 * SECOND);
        let offers: Vec<_> = written
            .borrow()
            .iter()
            .filter(|(_, method, _)| *method == Some(Method::Invite))
            .map(|(_, _, body)| ["sendonly", "sendrecv"].into_iter().find(|word| body.contains(word)))
            .collect();
        assert_eq!(offers, [Some("sendonly"), Some("sendrecv")], "{dialect:?}\n{}", world.ladder());
        let voice = world.at(far).voice();
        assert!(more(&mut world, caller, voice) > 90, "{dialect:?}");
        ends_well(world, caller);
    }
}

#[test]
fn two_who_hold_each_other_at_the_same_instant_and_resume_are_heard_again() {
    for keys in ["", "hold = \"pass\""] {
        let (mut world, caller, far) = talk(keys);
        for phone in [caller, far] {
            world.holds_by_in(phone, HoldBy::SendOnly, Duration::ZERO);
        }
        world.run_for(10 * SECOND); // a glare takes up to 4 s (RFC 3261 §14.1)
        let voice = world.at(far).voice();
        assert_eq!(more(&mut world, caller, voice), 0, "{keys}");
        for phone in [caller, far] {
            world.holds_in(phone, false, Duration::ZERO);
        }
        world.run_for(10 * SECOND);
        assert!(more(&mut world, caller, voice) > 90, "{keys}\n{}", world.ladder());
        ends_well(world, caller);
    }
}

#[test]
fn our_media_address_never_changes_in_a_call_whatever_the_far_ends_do() {
    let (mut world, caller, far) = talk("hold = \"pass\"\nsession_expires = \"90s\"");
    let at_first = [&world.at(caller).last["200"], &world.at(far).last["INVITE"]]
        .map(|message| String::from_utf8_lossy(&message.body()).into_owned());
    let written = descriptions(&mut world);
    world.holds_by_in(far, HoldBy::Nowhere, Duration::ZERO);
    world.holds_in(far, false, 2 * SECOND);
    world.moves_in(far, "10.2.0.77:41000", 4 * SECOND);
    world.holds_by_in(caller, HoldBy::Inactive, 6 * SECOND);
    world.holds_in(caller, false, 8 * SECOND);
    world.run_for(10 * SECOND);
    let address = |body: &str| {
        let line = |start: &str| body.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        let port = line("m=audio").split(' ').nth(1).unwrap_or_default().to_owned();
        format!("{} {port}", line("c="))
    };
    for (phone, first) in [("10.1.", &at_first[0]), ("10.2.", &at_first[1])] {
        let later = written.borrow();
        let later: Vec<_> =
            later.iter().filter(|(to, ..)| to.starts_with(phone)).map(|(.., body)| address(body)).collect();
        assert!(later.len() >= 4, "{later:?}");
        assert!(
            first.contains("10.0.0.1") && later.iter().all(|later| *later == address(first)),
            "{later:?}"
        );
    }
    let voice = world.at(caller).voice();
    assert!(more(&mut world, far, voice) > 90, "{}", world.ladder());
    ends_well(world, caller);
}

#[test]
fn a_hold_while_the_agent_rings_is_what_the_agent_finds() {
    let config = house(&[QUEUE, ANNA]);
    let mut world = World::new(3, &config);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(5 * SECOND));
    world.dials(caller, "+4930999");
    world.holds_by_in(caller, HoldBy::Inactive, 2 * SECOND);
    world.run_for(8 * SECOND);
    let music = world.voice_of("music");
    assert!(more(&mut world, agent, music) > 90, "{}", world.ladder());
    world.holds_in(caller, false, Duration::ZERO);
    world.run_for(500 * MILLISECOND);
    assert_eq!(more(&mut world, agent, music), 0);
    ends_well(world, caller);
}

/// A house whose number is a person's desk telephone, and his mobile where he is not to be reached there.
fn forwarded(desk: Behaviour) -> (World, PhoneId, PhoneId, PhoneId) {
    let mobile = "[trunk.mobile]\naccept_from = [\"10.3.0.0/16\"]\nsend_to = [\"udp:10.3.0.1:5060\"]\n";
    let flow = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"desk\"\n[flow.desk]\nsteps = [{ dial = { to = \"{called}@teams\", ring_timeout = \"10s\", busy = \"flow.mobile\", no_answer = \"flow.mobile\" } }]\n[flow.mobile]\nsteps = [{ dial = \"+4917155@mobile\" }]\n";
    let mut world = World::new(3, &house(&[mobile, flow]));
    let caller = world.caller("caller");
    let desk = teams(&mut world, desk);
    let mobile = world.phone_at("mobile", "10.3.0.1:5060", Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    (world, caller, desk, mobile)
}

#[test]
fn section_2_8_who_is_busy_at_his_desk_is_called_at_his_mobile() {
    let (mut world, caller, _, mobile) = forwarded(Behaviour::Busy);
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, mobile) && world.heard(mobile, caller), "{}", world.ladder());
    ends_well(world, caller);
}

#[test]
fn section_2_9_who_does_not_answer_at_his_desk_is_called_at_his_mobile_and_the_desk_stops_ringing() {
    let (mut world, caller, desk, mobile) = forwarded(Behaviour::NeverAnswers);
    world.run_for(9 * SECOND);
    assert_eq!((world.state(desk), world.state(mobile)), (PhoneState::Rung, PhoneState::Idle));
    world.run_for(5 * SECOND);
    assert_eq!(world.state(desk), PhoneState::Failed(487));
    assert!(world.heard(caller, mobile) && world.heard(mobile, caller), "{}", world.ladder());
    ends_well(world, caller);
}
