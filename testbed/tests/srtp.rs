//! SRTP on either side of a bridge, by SDES: what is agreed, what is heard, what is refused, and in which words.

mod house;

use std::{cell::RefCell, rc::Rc};

use house::{ANNA, DIRECT, HOUSE, QUEUE, anna, caller_in, teams, the_end, world};
use media::{
    Direction,
    sdp::Srtp,
    srtp::Suite::{self, AeadAes128Gcm, AesCm128HmacSha1_32, AesCm128HmacSha1_80},
};
use router::journal::fact::{Cause, Fault, What};
use sip_core::message::Header;
use testbed::{
    Behaviour, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

const AT_ONCE: Behaviour = Behaviour::Answers(SECOND);

/// The house with these keys on the trunk to the agents, everything to it, or this instead.
fn with(keys: &str, sections: &[&str]) -> World {
    World::new(1, &format!("{HOUSE}{keys}\n{}", sections.concat()))
}

/// What a story sees of the SDP on the wire: each description with its start line, as text.
fn descriptions(world: &mut World) -> Rc<RefCell<Vec<(String, String)>>> {
    house::spy(world, |datagram, message| {
        let body = String::from_utf8_lossy(&message.body()).into_owned();
        (!body.is_empty()).then(|| (datagram.start_line(), body))
    })
}

/// A caller in the clear and a far end of a trunk that must be encrypted, which speaks this suite; nobody has dialled.
fn required(suite: Suite) -> (World, PhoneId, PhoneId) {
    let mut world = with("srtp = \"required\"", &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, AT_ONCE);
    world.encrypts(callee, Srtp::Required, &[suite]);
    (world, caller, callee)
}

/// Why the caller was refused: the status, and what Warning says (RFC 3261 §20.43).
fn refused(world: &mut World, caller: PhoneId) -> (u16, String) {
    assert_eq!(the_end(world), (Cause::NoCommonMedia, Fault::CallerSide, Some(488)));
    let PhoneState::Failed(status) = world.state(caller) else { panic!("{}", world.ladder()) };
    (status, house::value(&world.at(caller).last[&status.to_string()], Header::Warning))
}

fn lines(description: &str, start: &str) -> Vec<String> {
    description.lines().filter_map(|line| line.strip_prefix(start)).map(str::to_owned).collect()
}

/// The suites agreed, leg by leg, as the record has them.
fn suites(world: &World) -> Vec<Option<String>> {
    world.records()[0]
        .legs
        .iter()
        .map(|leg| leg.media.as_ref().and_then(|media| media.srtp.clone()))
        .collect()
}

fn talks(world: &mut World, caller: PhoneId, called: PhoneId) {
    world.run_for(SECOND);
    assert_eq!(
        (world.state(caller), world.state(called)),
        (PhoneState::Talking, PhoneState::Talking),
        "{}",
        world.ladder()
    );
    assert!(world.heard(caller, called) && world.heard(called, caller), "{}", world.ladder());
    assert_eq!((world.at(caller).unreadable, world.at(called).unreadable), (0, 0));
}

#[test]
fn a_caller_in_the_clear_and_a_callee_who_must_be_encrypted_hear_each_other() {
    let (mut world, caller, callee) = required(AesCm128HmacSha1_80);
    let sent = descriptions(&mut world);
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    talks(&mut world, caller, callee);
    world.presses_in(caller, '5', 100 * MILLISECOND);
    world.presses_in(callee, '7', 100 * MILLISECOND);
    world.run_for(SECOND);
    assert_eq!((world.at(caller).digits.as_str(), world.at(callee).digits.as_str()), ("7", "5"));
    assert!(world.at(callee).encrypted > 90 && world.at(caller).encrypted == 0);
    let sent = sent.take();
    let offer =
        &sent.iter().find(|(line, _)| line.starts_with("INVITE") && line.contains("10.2.0.1")).unwrap().1;
    assert!(offer.contains(" RTP/SAVP "), "{offer}");
    assert!(lines(offer, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:").len() == 1, "{offer}");
    assert!(
        sent.iter().filter(|(_, body)| body.contains("a=crypto")).count() == 2,
        "the offer and its answer"
    );
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    assert_eq!(suites(&world), [None, Some("AES_CM_128_HMAC_SHA1_80".into())]);
}

#[test]
fn both_sides_may_be_encrypted_each_in_its_way() {
    let house = HOUSE.replace("[trunk.teams]", "srtp = \"optional\"\n[trunk.teams]\nsrtp = \"optional\"\nsrtp_suites = [\"AEAD_AES_128_GCM\", \"AES_CM_128_HMAC_SHA1_80\"]");
    let mut world = World::new(1, &format!("{house}{DIRECT}"));
    let caller = world.caller("caller");
    let callee = teams(&mut world, AT_ONCE);
    world.encrypts(caller, Srtp::Required, &[AesCm128HmacSha1_32]);
    world.encrypts(callee, Srtp::Optional, &[AeadAes128Gcm]);
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    talks(&mut world, caller, callee);
    assert!(world.at(callee).encrypted > 40 && world.at(caller).encrypted > 40);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(suites(&world), [Some("AES_CM_128_HMAC_SHA1_32".into()), Some("AEAD_AES_128_GCM".into())]);
}

#[test]
fn best_effort_ends_in_the_clear_with_a_telephone_that_knows_no_srtp() {
    let mut world = with("srtp = \"optional\"", &[DIRECT]);
    let caller = world.caller("caller");
    let callee = teams(&mut world, AT_ONCE);
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    talks(&mut world, caller, callee);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(suites(&world), [None, None]);
}

#[test]
fn the_line_with_80_bits_is_answered_though_it_stands_second_and_has_the_tag_1() {
    let house = HOUSE.replace("[trunk.teams]", "srtp = \"optional\"\n[trunk.teams]");
    let mut world = World::new(1, &format!("{house}{QUEUE}"));
    let sent = descriptions(&mut world);
    let caller = caller_in(&mut world);
    let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let offer = format!(
        "v=0\r\no=- 7 9 IN IP4 10.1.0.1\r\ns=-\r\nc=IN IP4 10.1.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 8\r\n\
         a=crypto:0 AES_CM_128_HMAC_SHA1_32 inline:{key}|2^31\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^31\r\n"
    );
    world.offers_in(caller, &offer, SECOND);
    world.run_for(2 * SECOND);
    let (_, answer) = sent.take().pop().unwrap();
    let crypto = lines(&answer, "a=crypto:");
    assert!(crypto.len() == 1 && crypto[0].starts_with("1 AES_CM_128_HMAC_SHA1_80 inline:"), "{answer}");
    assert!(answer.contains(" RTP/SAVP ") && !answer.contains(key), "{answer}");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn hold_by_inactive_and_back_keeps_keys_and_counters() {
    let (mut world, caller, callee) = required(AesCm128HmacSha1_80);
    let sent = descriptions(&mut world);
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    talks(&mut world, caller, callee);
    for _ in 0..3 {
        world.holds_by(callee, Direction::Inactive, 100 * MILLISECOND);
        world.run_for(SECOND);
        let before = (world.at(caller).heard[&world.at(callee).voice()], world.at(callee).encrypted);
        world.run_for(2 * SECOND);
        let held = (world.at(caller).heard[&world.at(callee).voice()], world.at(callee).encrypted);
        assert_eq!(held, before, "nothing goes either way");
        world.holds_by(callee, Direction::SendRecv, 100 * MILLISECOND);
        world.run_for(2 * SECOND);
        let after = (world.at(caller).heard[&world.at(callee).voice()], world.at(callee).encrypted);
        assert!(after.0 > held.0 + 80 && after.1 > held.1 + 80, "{held:?} {after:?}");
        assert_eq!(world.at(callee).unreadable, 0);
    }
    let ours: std::collections::BTreeSet<String> = sent
        .take()
        .into_iter()
        .filter(|(_, body)| body.contains("10.0.0.1") && body.contains("a=crypto"))
        .flat_map(|(_, body)| lines(&body, "a=crypto:1 "))
        .collect();
    assert_eq!(ours.len(), 1, "one key of ours for the whole call: {ours:?}");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    let media = world.records()[0].legs[1].media.clone().unwrap();
    assert_eq!((media.unauthentic, media.replayed), (0, 0));
}

#[test]
fn a_rollover_counter_lives_through_refreshes_of_a_long_call() {
    // 25 minutes of packets, whose numbers wrap on both sides; a re-INVITE now and then.
    let (mut world, caller, callee) = required(AeadAes128Gcm);
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    for _ in 0..5 {
        world.holds_by(callee, Direction::SendRecv, SECOND);
        world.run_for(300 * SECOND);
        let (heard, encrypted) =
            (world.at(caller).heard[&world.at(callee).voice()], world.at(callee).encrypted);
        world.run_for(SECOND);
        assert!(world.at(caller).heard[&world.at(callee).voice()] > heard + 40);
        assert!(world.at(callee).encrypted > encrypted + 40);
    }
    assert_eq!(world.at(callee).unreadable, 0);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_plain_answer_to_an_offer_that_must_be_encrypted_is_hung_up_and_says_why() {
    let mut world = with("srtp = \"required\"", &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, AT_ONCE);
    world.dials(caller, "+4930123");
    let end = the_end(&mut world);
    assert_eq!(end, (Cause::Unreachable, Fault::CalledSide, Some(488)));
    let phrase = world.happened().find_map(|what| match what {
        What::LegFailed { phrase, .. } => Some(phrase.clone()),
        _ => None,
    });
    assert_eq!(phrase.as_deref(), Some("RTP/AVP came without a=crypto, and SRTP is required"));
}

#[test]
fn who_calls_in_the_clear_where_srtp_is_required_is_refused_with_a_warning() {
    let house = HOUSE.replace("[trunk.teams]", "srtp = \"required\"\n[trunk.teams]");
    let mut world = World::new(1, &format!("{house}{QUEUE}"));
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    let why = "302 fernamt 'RTP/AVP came without a=crypto, and SRTP is required'".replace('\'', "\"");
    assert_eq!(refused(&mut world, caller), (488, why));
}

#[test]
fn who_offers_nothing_but_srtp_where_it_is_off_is_refused_with_a_warning() {
    let mut world = world(1, &[QUEUE]);
    let caller = world.caller("caller");
    world.encrypts(caller, Srtp::Required, &[AesCm128HmacSha1_80]);
    world.dials(caller, "+4930999");
    let (status, why) = refused(&mut world, caller);
    assert!(status == 488 && why.starts_with("302 fernamt \"RTP/SAVP"), "{why}");
}

#[test]
fn music_of_a_queue_and_an_agent_at_an_address_of_his_own_are_encrypted_too() {
    let house = HOUSE.replace("[trunk.teams]", "srtp = \"required\"\n[trunk.teams]");
    let mut world = World::new(1, &format!("{house}{QUEUE}{ANNA}srtp = \"required\"\n"));
    let caller = world.caller("caller");
    world.encrypts(caller, Srtp::Required, &Suite::ALL);
    let agent = anna(&mut world, Behaviour::Answers(3 * SECOND));
    world.encrypts(agent, Srtp::Required, &[AesCm128HmacSha1_80]);
    world.dials(caller, "+4930999");
    world.run_for(2 * SECOND);
    assert!(world.at(caller).heard[&world.voice_of("music")] > 40);
    assert_eq!((world.at(caller).encrypted > 40, world.at(caller).unreadable), (true, 0));
    world.run_for(2 * SECOND);
    talks(&mut world, caller, agent);
    assert!(world.at(agent).encrypted > 40);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn an_agent_behind_a_trunk_goes_as_the_trunk_says() {
    let mut world =
        with("srtp = \"required\"", &[QUEUE, "[agent.anna]\ncall = \"1@teams\"\nqueues = [\"support\"]\n"]);
    let agent = teams(&mut world, AT_ONCE);
    world.encrypts(agent, Srtp::Optional, &[AesCm128HmacSha1_80]);
    let caller = caller_in(&mut world);
    world.run_for(SECOND);
    talks(&mut world, caller, agent);
    assert!(world.at(agent).encrypted > 20);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}
