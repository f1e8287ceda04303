//! What is heard: codecs, hold, moves, digits, silence and death.

mod house;

use std::{net::SocketAddr, time::Duration};

use house::{ANNA, BO, DIRECT, QUEUE, anna, bo, callee, ends, teams, the_end, world};
use media::Codec;
use router::journal::fact::{AgentState, Cause, Fault, LeftQueue, What};
use sip_core::{
    Message, StatusCode,
    message::{Builder, Header, Method, respond_to},
};
use testbed::{
    Behaviour, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, ROUTER, SECOND},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Packets of `speaker` that `listener` has heard.
fn packets(world: &World, listener: PhoneId, speaker: PhoneId) -> u64 {
    world.at(listener).heard.get(&world.at(speaker).voice()).copied().unwrap_or(0)
}

/// Caller and far end in a call through us, three seconds old.
fn talk(seed: u64) -> (World, PhoneId, PhoneId) {
    let mut world = world(seed, &[DIRECT]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    assert!(world.heard(caller, far) && world.heard(far, caller), "{}", world.ladder());
    (world, caller, far)
}

/// The same with little sound, for stories that take long.
fn long_talk(seed: u64) -> (World, PhoneId, PhoneId) {
    let mut world = world(seed, &[DIRECT]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    (world, caller, far)
}

#[test]
fn welcome_menu_music_and_agent_are_one_stream_without_a_seam() {
    let mut world = world(1, &[house::MENU, QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930123");
    world.presses_in(caller, '1', 3 * SECOND);
    world.run_for(8 * SECOND);
    for prompt in ["welcome", "menu", "music"] {
        assert!(world.at(caller).heard.contains_key(&world.voice_of(prompt)), "{prompt}");
    }
    assert!(world.heard(caller, agent));
    let line = world.at(caller).line.clone();
    assert_eq!((line.sources.len(), line.jumps, line.backwards), (1, 0, 0), "{line:?}");
    assert!(line.longest_gap <= 60 * MILLISECOND, "{line:?}");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn the_agent_is_heard_with_his_first_packet_and_no_music_after_it() {
    let mut world = world(2, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930999");
    world.run_until(10 * SECOND, |world| world.heard(caller, agent));
    let music = world.at(caller).heard[&world.voice_of("music")];
    world.run_for(2 * SECOND);
    assert_eq!(world.at(caller).heard[&world.voice_of("music")], music, "music under the agent's voice");
    let missed = i64::try_from(packets(&world, agent, caller)).unwrap()
        - i64::try_from(packets(&world, caller, agent)).unwrap();
    assert!(missed.abs() <= 2, "{missed} packets more one way than the other");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_caller_and_an_agent_without_a_common_codec_hear_each_other() {
    let mut world = world(3, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.speaks(caller, &[Codec::Pcma]);
    world.speaks(agent, &[Codec::Pcmu]);
    world.dials(caller, "+4930999");
    world.run_for(4 * SECOND);
    let converted =
        |phone: PhoneId| world.at(phone).line.sources.len() == 1 && world.at(phone).heard.len() > 1;
    assert!(converted(caller), "{:?}", world.at(caller).heard);
    assert!(world.engine().counters().transcoded > 100);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    let record = &world.records()[0];
    let codecs: Vec<&str> =
        record.legs.iter().filter_map(|leg| leg.media.as_ref()).map(|media| media.codec.as_str()).collect();
    assert_eq!(codecs, ["PCMA", "PCMU"]);
}

#[test]
fn a_caller_with_whom_we_share_no_codec_is_488_and_it_is_his_sides_fault() {
    let only_u = DIRECT.to_owned() + "[trunk.other]\naccept_from = [\"10.3.0.0/16\"]\ncodecs = [\"pcmu\"]\n";
    for config in [
        only_u.replace("trunk = \"carrier\"", "trunk = \"other\""),
        QUEUE.replace("\"carrier\"", "\"other\"")
            + "[trunk.other]\naccept_from = [\"10.3.0.0/16\"]\ncodecs = [\"pcmu\"]\n",
    ] {
        let mut world = world(4, &[&config]);
        let caller = world.phone_at("caller", "10.3.0.1:5060", Behaviour::Busy);
        let far = teams(&mut world, Behaviour::Answers(SECOND));
        world.speaks(caller, &[Codec::Pcma]);
        world.dials(caller, "+4930123");
        assert_eq!(the_end(&mut world), (Cause::NoCommonMedia, Fault::CallerSide, Some(488)));
        assert_eq!((world.state(caller), world.state(far)), (PhoneState::Failed(488), PhoneState::Idle));
    }
}

#[test]
fn digits_pass_through_a_call_both_ways_each_once() {
    let (mut world, caller, far) = talk(5);
    for (at, key) in "1942#".chars().enumerate() {
        world.presses_in(caller, key, u32::try_from(at).unwrap() * SECOND / 2);
    }
    world.presses_in(far, '*', SECOND);
    world.run_for(4 * SECOND);
    assert_eq!((world.at(far).digits.as_str(), world.at(caller).digits.as_str()), ("1942#", "*"));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_key_pressed_while_waiting_or_talking_disturbs_nothing() {
    let mut world = world(6, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(3 * SECOND));
    world.dials(caller, "+4930999");
    world.presses_in(caller, '1', SECOND);
    world.presses_in(caller, '2', 5 * SECOND);
    world.run_for(7 * SECOND);
    assert_eq!(world.state(agent), PhoneState::Talking);
    assert_eq!(world.at(agent).digits, "2", "only what was pressed in the talk");
    assert_eq!(house::count(&world, |what| matches!(what, What::Chose { .. })), 0);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn what_is_on_hold_is_not_heard_and_the_record_counts_it() {
    let (mut world, caller, far) = talk(7);
    world.holds_in(far, true, Duration::ZERO);
    world.run_for(SECOND);
    let before = packets(&world, far, caller);
    world.run_for(10 * SECOND);
    assert!(packets(&world, far, caller) <= before + 1, "a held caller is not heard");
    world.holds_in(far, false, Duration::ZERO);
    world.run_for(2 * SECOND);
    assert!(packets(&world, far, caller) > before + 50, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    let record = &world.records()[0];
    assert!((10_900..=11_100).contains(&record.hold_ms), "{record:?}");
    assert!(record.talk_ms > record.hold_ms);
}

#[test]
fn a_telephone_that_moves_takes_its_sound_along() {
    let (mut world, caller, far) = talk(8);
    world.moves_in(far, "10.2.0.77:41000", SECOND);
    world.run_for(2 * SECOND);
    let (before, back) = (packets(&world, far, caller), packets(&world, caller, far));
    world.run_for(2 * SECOND);
    assert!(packets(&world, far, caller) > before + 90, "{}", world.ladder());
    assert!(packets(&world, caller, far) > back + 90);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_reinvite_that_we_cannot_take_is_488_and_the_call_goes_on_as_it_was() {
    let (mut world, caller, far) = talk(9);
    let g729 =
        "v=0\r\no=- 7 9 IN IP4 10.2.0.1\r\ns=-\r\nc=IN IP4 10.2.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 18\r\n";
    world.offers_in(far, g729, SECOND);
    world.offers_in(far, "nonsense", 2 * SECOND);
    world.run_for(4 * SECOND);
    assert_eq!(world.at(far).got("488") + world.at(far).got("400"), 2, "{:?}", world.at(far).got);
    let before = packets(&world, caller, far);
    world.run_for(SECOND);
    assert!(packets(&world, caller, far) > before + 40);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

/// As session border controllers do when they connect two calls of theirs (RFC 3725). Each answer in an ACK has one
/// of `directions`, a second after the last.
fn reinvites_without_offer(world: &mut World, directions: &'static [&str]) {
    let router: SocketAddr = ROUTER.parse().unwrap();
    let sound: SocketAddr = "10.2.0.31:40000".parse().unwrap();
    let (mut invite, mut asked) = (None::<Message>, 0);
    world.script_at(callee::ADDRESS, move |message| {
        let reply = |status: StatusCode| {
            let mut response = respond_to(message, router, status, None, Some(b"sbc"));
            response.header(Header::Contact, format!("<sip:sbc@{}>", callee::ADDRESS));
            response
        };
        match (message.is_request(), message.method()) {
            (true, Method::Invite) => {
                invite = Some(message.clone());
                let answer = callee::sdp(sound);
                let after = |n: u32| (n * SECOND, in_dialog(&Method::Invite, message, message, 76 + n, None));
                let mut sent: Vec<_> = (1..).take(directions.len()).map(after).collect();
                sent.push((
                    Duration::ZERO,
                    reply(StatusCode::OK).body("application/sdp", answer.as_bytes()).finish(),
                ));
                sent
            }
            (false, Method::Invite) if message.status() == Some(StatusCode::OK) => {
                let Some(invite) = &invite else { return vec![] };
                let answer = format!("{}a={}\r\n", callee::sdp(sound), directions[asked as usize]);
                asked += 1;
                vec![(Duration::ZERO, in_dialog(&Method::Ack, invite, message, 76 + asked, Some(&answer)))]
            }
            (true, Method::Bye) => vec![(Duration::ZERO, reply(StatusCode::OK).finish())],
            _ => vec![],
        }
    });
}

#[test]
fn a_reinvite_without_an_offer_gets_ours_and_the_answer_in_the_ack_counts() {
    let mut world = world(10, &[DIRECT]);
    let caller = world.caller("caller");
    reinvites_without_offer(&mut world, &["sendrecv"]);
    world.dials(caller, "+4930123");
    world.run_for(10 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    assert_eq!(house::count(&world, |what| matches!(what, What::Held { .. })), 0);
}

#[test]
fn a_hold_agreed_in_an_ack_is_on_record_like_any_other() {
    let mut world = world(10, &[DIRECT]);
    let caller = world.caller("caller");
    reinvites_without_offer(&mut world, &["sendonly", "inactive", "sendrecv"]);
    world.dials(caller, "+4930123");
    world.hangs_up_in(caller, 5 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    let holds: Vec<_> = world
        .happened()
        .filter_map(|what| match what {
            What::Held { leg, held } => Some((*leg, *held)),
            _ => None,
        })
        .collect();
    assert_eq!(holds, [(1, true), (1, false)]);
    let record = &world.records()[0];
    assert!((1_900..=2_100).contains(&record.hold_ms), "{record:?}");
}

/// A request of the far end in the dialog that `invite` began.
fn in_dialog(
    method: &Method,
    invite: &Message,
    last: &Message,
    cseq: u32,
    body: Option<&str>,
) -> bytes::Bytes {
    let to = [invite.value(Header::To).unwrap().as_ref(), b";tag=sbc"].concat();
    let branch = format!("SIP/2.0/UDP {};branch=z9hG4bK-sbc-{method:?}-{cseq}", callee::ADDRESS);
    let uri = invite.contact().unwrap().uri.to_string();
    let mut request = Builder::request(method, uri.as_bytes());
    request
        .header(Header::Via, branch)
        .header(Header::MaxForwards, "70")
        .header(Header::From, to)
        .header(Header::To, invite.value(Header::From).unwrap())
        .header(Header::CallId, last.call_id().unwrap())
        .header(Header::CSeq, format!("{cseq} {method}"))
        .header(Header::Contact, format!("<sip:sbc@{}>", callee::ADDRESS));
    match body {
        Some(body) => request.body("application/sdp", body.as_bytes()).finish(),
        None => request.finish(),
    }
}

#[test]
fn a_stranger_who_sends_to_our_ports_is_not_heard_and_draws_no_sound_to_himself() {
    let (mut world, caller, far) = talk(11);
    let eavesdropper = world.phone_at("eavesdropper", "192.0.2.66:40000", Behaviour::Busy);
    let before = packets(&world, far, caller);
    for port in world.ports() {
        for _ in 0..10 {
            world.inject_sound("192.0.2.66:40000", port, 0xee);
        }
    }
    world.run_for(SECOND);
    for phone in [caller, far] {
        assert!(!world.at(phone).heard.contains_key(&0xee));
    }
    assert!(world.at(eavesdropper).heard.is_empty());
    assert!(packets(&world, far, caller) >= before + 45);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    let rejected: u64 =
        world.records()[0].legs.iter().filter_map(|leg| leg.media.as_ref()).map(|media| media.rejected).sum();
    assert_eq!(rejected, 20);
}

#[test]
fn a_muted_telephone_is_asked_and_as_it_answers_the_call_goes_on() {
    let (mut world, caller, far) = long_talk(12);
    world.mutes_in(caller, true, SECOND);
    world.run_for(10 * MINUTE);
    assert_eq!(world.state(far), PhoneState::Talking);
    let asked = world.at(caller).got("OPTIONS");
    assert!((8..=11).contains(&asked), "once a minute, {asked} times in ten");
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn two_muted_telephones_are_a_call_all_the_same() {
    let (mut world, caller, far) = long_talk(13);
    world.mutes_in(caller, true, SECOND);
    world.mutes_in(far, true, SECOND);
    world.run_for(10 * MINUTE);
    assert_eq!((world.state(caller), world.state(far)), (PhoneState::Talking, PhoneState::Talking));
    world.hangs_up_in(far, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CalledHungUp, Fault::None, None));
}

#[test]
fn a_dead_telephone_is_asked_before_it_is_given_up_and_not_within_the_first_minute() {
    let (mut world, caller, far) = long_talk(14);
    world.dies_in(far, Duration::ZERO);
    world.run_for(59 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "a minute of silence is allowed");
    world.run_for(40 * SECOND); // the question is repeated for 32 s (RFC 3261 §17.1.2.2, timer F)
    assert_eq!(world.state(caller), PhoneState::Ended, "{}", world.ladder());
    assert!(world.ladder().contains("OPTIONS sip:"), "{}", world.ladder());
    assert_eq!(the_end(&mut world), (Cause::MediaLost, Fault::CalledSide, None));
}

#[test]
fn a_telephone_that_dies_while_it_holds_the_other_is_found_by_the_question() {
    let (mut world, caller, far) = long_talk(15);
    world.holds_in(far, true, SECOND);
    world.dies_in(far, 5 * SECOND);
    world.run_for(4 * MINUTE);
    assert_eq!(world.state(caller), PhoneState::Ended, "{}", world.ladder());
    assert_eq!(the_end(&mut world), (Cause::MediaLost, Fault::CalledSide, None));
}

#[test]
fn a_caller_who_dies_while_he_waits_leaves_the_queue_and_no_agent_rings_for_him() {
    let mut world = world(16, &[QUEUE]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.dies_in(caller, 5 * SECOND);
    world.run_for(50 * SECOND);
    assert_eq!(world.waiting("support"), 1);
    world.run_for(60 * SECOND);
    assert_eq!(world.waiting("support"), 0, "{}", world.ladder());
    assert_eq!(the_end(&mut world), (Cause::MediaLost, Fault::CallerSide, None));
    assert_eq!(house::left(&world), [LeftQueue::Ended]);
}

/// The question to a telephone that only rings yet would be a question about a dialog that is not there.
#[test]
fn a_caller_who_holds_us_while_he_waits_keeps_his_place_and_gets_his_agent() {
    let manual = ANNA.to_owned() + "login = \"manual\"\n";
    let mut world = world(17, &[QUEUE, &manual]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(15 * SECOND));
    world.dials(caller, "+4930999");
    world.holds_in(caller, true, SECOND);
    world.run_for(5 * MINUTE + 55 * SECOND);
    assert_eq!((world.waiting("support"), world.state(caller)), (1, PhoneState::Talking));
    world.agent_wish("anna", router::journal::fact::Wish::Ready); // rings across the next question
    world.run_for(20 * SECOND);
    assert_eq!(world.state(agent), PhoneState::Talking, "{}", world.ladder());
    world.holds_in(caller, false, Duration::ZERO);
    world.run_for(2 * SECOND);
    assert!(world.heard(caller, agent) && world.heard(agent, caller), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_caller_who_holds_us_in_the_menu_is_not_stuck_in_it() {
    let mut world = world(18, &[house::MENU, QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.holds_in(caller, true, SECOND);
    world.run_for(MINUTE);
    assert_eq!(world.state(agent), PhoneState::Talking, "no key in two tries leads to the queue");
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn an_early_prompt_is_heard_in_full_and_the_call_was_never_answered() {
    let early = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\nsteps = [{ play = { prompt = \"prompts/welcome.wav\", early = true } }, { reject = 480 }]\n";
    let mut world = world(19, &[early]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930123");
    assert_eq!(the_end(&mut world), (Cause::Rejected, Fault::None, Some(480)));
    assert_eq!(world.state(caller), PhoneState::Failed(480));
    assert_eq!(world.at(caller).heard[&world.voice_of("welcome")], 100, "two seconds, 50 packets each");
    assert_eq!(world.at(caller).got("200"), 0);
    assert_eq!(world.records()[0].answered_at, None);
}

#[test]
fn a_caller_who_waits_unanswered_hears_the_music_and_is_answered_by_the_agent() {
    let early = QUEUE.replace("{ queue = \"support\" }", "{ queue = { name = \"support\", early = true } }");
    let mut world = world(20, &[&early, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(5 * SECOND));
    world.dials(caller, "+4930999");
    world.run_for(4 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Ringing, "not answered, not charged");
    assert!(world.at(caller).heard.contains_key(&world.voice_of("music")));
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, agent) && world.heard(agent, caller), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_caller_who_gives_up_waiting_unanswered_is_487_and_abandoned() {
    let early = QUEUE.replace("{ queue = \"support\" }", "{ queue = { name = \"support\", early = true } }");
    let mut world = world(21, &[&early, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::NeverAnswers);
    world.dials(caller, "+4930999");
    world.hangs_up_in(caller, 4 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::Abandoned, Fault::None, Some(487)));
    assert_eq!((world.state(agent), world.agent_state("anna")), (PhoneState::Failed(487), AgentState::Idle));
}

#[test]
fn after_the_far_ends_early_sound_and_its_refusal_our_own_prompt_is_heard() {
    let flow = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\nsteps = [{ dial = { to = \"{called}@teams\", ring_timeout = \"3s\" } }, { play = { prompt = \"prompts/closed.wav\", early = true } }, { reject = 480 }]\n";
    let mut world = world(22, &[flow]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::EarlySound(9 * SECOND));
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    assert!(world.heard(caller, far));
    world.run_for(8 * SECOND);
    assert_eq!(world.at(caller).heard[&world.voice_of("closed")], 100, "{}", world.ladder());
    assert_eq!(world.at(caller).line.sources.len(), 1);
    assert_eq!(the_end(&mut world), (Cause::Rejected, Fault::None, Some(480)));
}

#[test]
fn when_all_ports_rest_after_short_calls_the_next_call_is_503_and_our_fault() {
    let few = house::house(&[QUEUE]).replace("10000-10999", "10000-10011");
    let few = few.replace("[media]", "[media]\nquarantine = \"20s\"");
    let mut world = World::new(23, &few);
    let mut callers = Vec::new();
    for number in 0..7 {
        let caller = world.caller(&format!("caller{number}"));
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, SECOND / 2);
        world.run_for(SECOND);
        callers.push(caller);
    }
    assert_eq!(world.state(callers[6]), PhoneState::Failed(503));
    assert!(callers[..6].iter().all(|caller| world.state(*caller) == PhoneState::Ended));
    world.run_for(30 * SECOND); // the ports have rested
    world.dials(callers[6], "+4930999");
    world.run_for(SECOND);
    assert_eq!(world.state(callers[6]), PhoneState::Talking);
    world.hangs_up_in(callers[6], SECOND);
    world.run_until_silent().assert_nothing_left();
    assert!(ends(&world).contains(&(Cause::Overload, Fault::Router, Some(503))), "{:?}", ends(&world));
}

#[test]
fn when_no_port_is_left_for_the_agent_the_caller_waits_on_and_is_served_later() {
    let few = house::house(&[QUEUE, ANNA, BO]).replace("10000-10999", "10000-10003");
    let few = few
        .replace("[media]", "[media]\nquarantine = \"0s\"")
        .replace(
            "sip:anna@10.2.0.11:5060\"",
            "sip:anna@10.2.0.11:5060\", \"sip:a@10.2.0.21:5060\", \"sip:b@10.2.0.22:5060\"]",
        )
        .replace("call = \"sip:anna", "call = [\"sip:anna");
    let mut world = World::new(24, &few);
    let caller = world.caller("caller");
    let first = anna(&mut world, Behaviour::NeverAnswers);
    let second = bo(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930999");
    world.run_for(10 * SECOND);
    assert_eq!(world.state(first), PhoneState::Rung, "one of anna's addresses has a port");
    world.run_for(25 * SECOND); // bo's first ring finds no port: anna's is free a moment too late
    assert!(world.heard(caller, second), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn the_record_says_who_when_how_long_and_what_was_heard() {
    let mut world = world(25, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::AnswersFor(4 * SECOND, 10 * SECOND));
    world.dials(caller, "+4930999");
    the_end(&mut world);
    let record = world.records().remove(0);
    assert_eq!((record.from.as_str(), record.to.as_str()), ("caller", "+4930999"));
    assert_eq!((record.queue.as_deref(), record.agent.as_deref()), (Some("support"), Some("anna")));
    assert!(record.wait_ms < 20 && (3_990..4_050).contains(&record.ring_ms), "{record:?}");
    assert!((9_950..10_050).contains(&record.talk_ms), "{record:?}");
    assert!(record.sound_ms.is_some_and(|after| after < 100), "{record:?}");
    assert_eq!((record.cause, record.fault), (Some(Cause::CalledHungUp), Some(Fault::None)));
    for leg in &record.legs {
        let media = leg.media.as_ref().unwrap();
        assert!(!leg.sip_call_id.is_empty() && media.codec == "PCMA" && media.lost == 0, "{leg:?}");
        assert!(media.packets_in > 450 && media.packets_out > 450, "{leg:?}");
        assert_eq!(media.octets_in, media.packets_in * 160, "{leg:?}");
    }
}
