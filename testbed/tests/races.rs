//! Two things at once, messages lost, doubled and late: whoever wins, nobody is left behind.

mod house;

use std::{net::SocketAddr, time::Duration};

use house::{ANNA, BO, DIRECT, QUEUE, anna, assigned, bo, callee, ends, left, teams, the_end, world};
use router::journal::fact::{AgentState, Cause, Fault, LeftQueue, Wish};
use sip_core::{
    Message, Service, StatusCode,
    message::{Header, Method, respond_to},
};
use testbed::{
    Behaviour, Link, World,
    phone::PhoneState,
    world::{MILLISECOND, ROUTER, SECOND},
};

fn router() -> SocketAddr {
    ROUTER.parse().unwrap()
}

#[test]
fn every_datagram_arrives_twice_and_nobody_notices() {
    let twice = Link { duplicates: 1.0, ..Link::perfect() };
    let mut world = world(1, &[QUEUE, ANNA]).link(twice);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    assert!(world.heard(caller, agent) && world.heard(agent, caller), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    assert_eq!((world.at(agent).answered, world.at(agent).most_at_once), (1, 1));
}

#[test]
fn a_lost_invite_is_repeated_and_counts_as_one_call() {
    let mut world = world(2, &[DIRECT]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    let mut lost = 0;
    world.lose_if(move |datagram| {
        let hit = datagram.start_line().starts_with("INVITE") && lost < 3;
        lost += u32::from(hit);
        hit
    });
    world.dials(caller, "+4930123");
    world.run_for(10 * SECOND);
    assert!(world.heard(caller, far), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
}

#[test]
fn a_lost_cancel_is_repeated_and_the_far_end_stops_ringing() {
    let mut world = world(3, &[DIRECT]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::NeverAnswers);
    let mut lost = 0;
    world.lose_if(move |datagram| {
        let hit = datagram.start_line().starts_with("CANCEL") && lost < 2;
        lost += u32::from(hit);
        hit
    });
    world.dials(caller, "+4930123");
    world.hangs_up_in(caller, 3 * SECOND);
    world.run_for(8 * SECOND);
    assert_eq!(world.state(far), PhoneState::Failed(487));
    assert_eq!(the_end(&mut world), (Cause::Abandoned, Fault::None, Some(487)));
}

/// Of any one message the first copy, or all copies, may be lost: the call takes place or fails, but is never stuck.
#[test]
fn any_one_message_may_be_lost() {
    for start in ["INVITE", "SIP/2.0 100", "SIP/2.0 180", "SIP/2.0 200", "ACK", "BYE", "SIP/2.0 481"] {
        let mut world = world(4, &[QUEUE, ANNA]);
        let caller = world.caller("caller");
        let agent = anna(&mut world, Behaviour::Answers(SECOND));
        world.lose_first(start);
        world.dials(caller, "+4930999");
        world.run_for(6 * SECOND);
        assert!(world.heard(caller, agent), "{start}: {}", world.ladder());
        world.hangs_up_in(agent, SECOND);
        assert_eq!(the_end(&mut world), (Cause::CalledHungUp, Fault::None, None), "{start}");
        assert_eq!(world.state(caller), PhoneState::Ended, "{start}");
    }
}

#[test]
fn an_agent_who_dies_as_he_answers_is_found_and_the_call_has_an_end() {
    let patient = QUEUE.replace("max_wait", "dead_air = \"0s\"\nmax_wait");
    let mut world = world(5, &[&patient, ANNA]).rtp_every(500 * MILLISECOND);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(2 * SECOND));
    world.dials(caller, "+4930999");
    world.dies_in(agent, 2 * SECOND + 8 * MILLISECOND);
    world.run_for(200 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Ended, "{}", world.ladder());
    assert_eq!(the_end(&mut world), (Cause::MediaLost, Fault::CalledSide, None));
    assert_eq!(world.agent_state("anna"), AgentState::Idle);
}

#[test]
fn the_caller_gives_up_at_any_moment_of_a_direct_call() {
    for after in (0..5_000).step_by(61) {
        let mut world = world(1_000 + u64::from(after), &[DIRECT]);
        let caller = world.caller("caller");
        let far = teams(&mut world, Behaviour::EarlySound(2 * SECOND));
        world.dials(caller, "+4930123");
        world.hangs_up_in(caller, after * MILLISECOND);
        let (cause, fault, _) = the_end(&mut world);
        assert!(matches!(cause, Cause::Abandoned | Cause::CallerHungUp), "{after} ms: {cause:?}");
        assert_eq!(fault, Fault::None, "{after} ms");
        assert!(!matches!(world.state(far), PhoneState::Talking | PhoneState::Rung), "{after} ms");
    }
}

/// Menu (welcome, key at 3 s), queue, ringing agent, talk, his hang-up: wherever the caller leaves, all are released.
#[test]
fn the_caller_gives_up_at_any_moment_of_a_call_to_the_service_desk() {
    for after in (0..11_000).step_by(97) {
        let mut world = world(2_000 + u64::from(after), &[house::MENU, QUEUE, ANNA]);
        let caller = world.caller("caller");
        let agent = anna(&mut world, Behaviour::AnswersFor(2 * SECOND, 3 * SECOND));
        world.dials(caller, "+4930123");
        world.presses_in(caller, '1', 3 * SECOND);
        world.hangs_up_in(caller, after * MILLISECOND);
        let (cause, fault, _) = the_end(&mut world);
        assert!(
            matches!(cause, Cause::Abandoned | Cause::CallerHungUp | Cause::CalledHungUp),
            "{after} ms: {cause:?}"
        );
        assert_eq!(fault, Fault::None, "{after} ms");
        assert_eq!(world.agent_state("anna"), AgentState::Idle, "{after} ms");
        assert!(!matches!(world.state(agent), PhoneState::Talking | PhoneState::Rung), "{after} ms");
    }
}

#[test]
fn the_router_is_stopped_at_any_moment_of_a_call_to_the_service_desk() {
    for after in (0..11_000).step_by(173) {
        let mut world = world(3_000 + u64::from(after), &[house::MENU, QUEUE, ANNA]);
        let caller = world.caller("caller");
        let agent = anna(&mut world, Behaviour::AnswersFor(2 * SECOND, 3 * SECOND));
        world.dials(caller, "+4930123");
        world.presses_in(caller, '1', 3 * SECOND);
        world.run_for(after * MILLISECOND);
        world.service(Service::Draining);
        world.shut_down();
        world.run_for(2 * SECOND);
        for phone in [caller, agent] {
            assert!(!matches!(world.state(phone), PhoneState::Talking | PhoneState::Rung), "{after} ms");
        }
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn the_agent_answers_in_the_same_millisecond_as_the_ring_timeout() {
    let mut rang_out = 0;
    for after in 0..16 {
        let mut world = world(4_000 + u64::from(after), &[QUEUE, ANNA]);
        let caller = world.caller("caller");
        let agent = anna(&mut world, Behaviour::Answers(20 * SECOND - 8 * MILLISECOND + after * MILLISECOND));
        world.dials(caller, "+4930999");
        world.run_for(22 * SECOND);
        match world.agent_state("anna") {
            AgentState::Talking => assert!(world.heard(caller, agent), "{after} ms"),
            AgentState::NotReady => {
                rang_out += 1;
                assert_eq!(world.waiting("support"), 1, "{after} ms");
                assert!(!matches!(world.state(agent), PhoneState::Talking | PhoneState::Rung), "{after} ms");
            }
            other => panic!("{after} ms: {other:?}\n{}", world.ladder()),
        }
        world.hangs_up_in(caller, SECOND);
        the_end(&mut world);
    }
    assert!((1..16).contains(&rang_out), "both outcomes must occur, {rang_out} of 16 rang out");
}

/// The rest of the only agent ends in the same instant as the caller's patience.
#[test]
fn the_agent_becomes_free_in_the_same_instant_as_the_longest_wait_is_over() {
    for late in 0..12 {
        let wait = format!("max_wait = \"{}ms\"", 9_998 + late);
        let queue = QUEUE.replace("max_wait = \"10m\"", &format!("{wait}\nrest_rejected = \"10s\""));
        let mut world = world(4_100 + late, &[&queue, ANNA]);
        let caller = world.caller("caller");
        let agent = anna(&mut world, Behaviour::Busy);
        world.dials(caller, "+4930999");
        world.run_for(SECOND);
        world.behave(agent, Behaviour::Answers(SECOND));
        world.run_for(11 * SECOND);
        let closed = world.at(caller).heard.contains_key(&world.voice_of("closed"));
        assert!(closed ^ world.heard(caller, agent), "{late} ms: {}", world.ladder());
        world.hangs_up_in(caller, SECOND);
        the_end(&mut world);
        assert_eq!(world.agent_state("anna"), AgentState::Idle, "{late} ms");
    }
}

#[test]
fn an_agent_who_logs_out_at_any_moment_around_an_arrival_has_the_call_or_has_not() {
    for after in 0..14 {
        let mut world = world(4_200 + u64::from(after), &[QUEUE, ANNA]);
        let caller = world.caller("caller");
        anna(&mut world, Behaviour::Answers(SECOND));
        world.dials(caller, "+4930999");
        world.run_for(after * MILLISECOND);
        world.agent_wish("anna", Wish::LoggedOut);
        world.run_for(3 * SECOND);
        let talks = world.agent_state("anna") == AgentState::Talking;
        assert_ne!(talks, world.waiting("support") == 1, "{after} ms");
        world.hangs_up_in(caller, SECOND);
        the_end(&mut world);
        assert_eq!(world.agent_state("anna"), AgentState::LoggedOut, "{after} ms");
    }
}

#[test]
fn two_free_agents_and_one_caller_and_only_one_of_them_rings() {
    let mut world = world(6, &[QUEUE, ANNA, BO]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::NeverAnswers);
    let second = bo(&mut world, Behaviour::NeverAnswers);
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    assert_eq!((world.agent_state("anna"), world.agent_state("bo")), (AgentState::Ringing, AgentState::Idle));
    assert_eq!(world.state(second), PhoneState::Idle);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(assigned(&world), ["anna"]);
}

#[test]
fn two_callers_and_two_agents_meet_in_the_same_millisecond_and_each_has_one() {
    let mut world = world(7, &[QUEUE, ANNA, BO]);
    let callers = [world.caller("first"), world.caller("second")];
    let agents = [anna(&mut world, Behaviour::Answers(SECOND)), bo(&mut world, Behaviour::Answers(SECOND))];
    callers.iter().for_each(|caller| world.dials(*caller, "+4930999"));
    world.run_for(4 * SECOND);
    for caller in callers {
        let heard = agents.iter().filter(|agent| world.heard(caller, **agent)).count();
        assert_eq!(heard, 1, "{}", world.ladder());
        world.hangs_up_in(caller, SECOND);
    }
    world.run_until_silent().assert_nothing_left();
    assert!(agents.iter().all(|agent| world.at(*agent).most_at_once == 1));
}

#[test]
fn a_hang_up_and_a_hold_cross_and_the_call_ends_in_order() {
    for late in 0..6 {
        let mut world = world(4_300 + u64::from(late), &[DIRECT]);
        let caller = world.caller("caller");
        let far = teams(&mut world, Behaviour::Answers(SECOND));
        world.dials(caller, "+4930123");
        world.run_for(3 * SECOND);
        world.hangs_up_in(caller, SECOND);
        world.holds_in(far, true, SECOND + late * MILLISECOND);
        assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None), "{late} ms");
        assert_eq!(world.state(far), PhoneState::Ended, "{late} ms");
    }
}

#[test]
fn a_hold_and_its_end_in_quick_succession_leave_the_sound_on() {
    let mut world = world(8, &[DIRECT]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    world.holds_in(caller, true, SECOND);
    world.holds_in(caller, false, SECOND + 10 * MILLISECOND);
    world.run_for(5 * SECOND);
    let before = world.at(caller).heard[&world.at(far).voice()];
    world.run_for(SECOND);
    assert!(world.at(caller).heard[&world.at(far).voice()] > before + 40, "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

/// What a peer at 10.2.0.1 answers: status, tag of its dialog, and whether it describes its sound.
fn answer(request: &Message, status: u16, tag: &str, sound: Option<SocketAddr>) -> bytes::Bytes {
    let status = StatusCode::new(status).unwrap();
    let tag = (status != StatusCode::TRYING).then_some(tag.as_bytes());
    let mut response = respond_to(request, router(), status, None, tag);
    response.header(Header::Contact, format!("<sip:fork@{}>", callee::ADDRESS));
    match sound {
        Some(address) => response.body("application/sdp", callee::sdp(address).as_bytes()).finish(),
        None => response.finish(),
    }
}

fn sound_of_fork(number: u8) -> Option<SocketAddr> {
    Some(SocketAddr::from(([10, 2, 0, 30 + number], 40_000)))
}

/// A far end that forks: two telephones announce sound, then each answers at its time.
fn forks(world: &mut World, first_at: Duration, second_at: Duration) {
    world.script_at(callee::ADDRESS, move |message| match message.method() {
        Method::Invite if message.is_request() => vec![
            (Duration::ZERO, answer(message, 100, "", None)),
            (100 * MILLISECOND, answer(message, 183, "one", sound_of_fork(1))),
            (200 * MILLISECOND, answer(message, 183, "two", sound_of_fork(2))),
            (first_at, answer(message, 200, "one", sound_of_fork(1))),
            (second_at, answer(message, 200, "two", sound_of_fork(2))),
        ],
        Method::Bye if message.is_request() => vec![(Duration::ZERO, answer(message, 200, "", None))],
        Method::Cancel => vec![(Duration::ZERO, answer(message, 200, "two", None))],
        _ => vec![],
    });
}

/// Counts requests to the far end by method and To tag.
fn requests_to_forks(world: &mut World) -> std::rc::Rc<std::cell::RefCell<Vec<(Method, String)>>> {
    house::spy(world, |datagram, message| {
        let tag = message.to().ok().and_then(|to| to.tag().map(|tag| tag.to_vec())).unwrap_or_default();
        let to_them = datagram.to.to_string() == callee::ADDRESS && message.is_request();
        to_them.then(|| (message.method(), String::from_utf8(tag).unwrap()))
    })
}

#[test]
fn of_two_forks_with_early_sound_the_one_that_answers_is_heard_and_the_late_one_is_hung_up() {
    let mut world = world(9, &[DIRECT]);
    let caller = world.caller("caller");
    forks(&mut world, 3 * SECOND, 2 * SECOND);
    let seen = requests_to_forks(&mut world);
    world.dials(caller, "+4930123");
    world.run_for(5 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    let asked = |method: Method, tag: &str| seen.borrow().contains(&(method, tag.to_owned()));
    assert!(asked(Method::Ack, "two") && !asked(Method::Bye, "two"), "{:?}", seen.borrow());
    assert!(asked(Method::Ack, "one") && asked(Method::Bye, "one"), "{:?}", seen.borrow());
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    assert!(asked(Method::Bye, "two"), "{:?}", seen.borrow());
}

#[test]
fn after_a_cancel_the_answers_of_both_forks_are_acknowledged_and_hung_up() {
    let mut world = world(10, &[DIRECT]);
    let caller = world.caller("caller");
    forks(&mut world, 2_005 * MILLISECOND, 2_006 * MILLISECOND);
    let seen = requests_to_forks(&mut world);
    world.dials(caller, "+4930123");
    world.hangs_up_in(caller, 2 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::Abandoned, Fault::None, Some(487)));
    for tag in ["one", "two"] {
        for method in [Method::Ack, Method::Bye] {
            assert!(seen.borrow().contains(&(method.clone(), tag.to_owned())), "{method:?} {tag}");
        }
    }
}

#[test]
fn an_agent_whose_answer_has_no_usable_sound_is_passed_over() {
    for body in
        ["", "v=0\r\nnonsense", "v=0\r\no=- 1 1 IN IP4 10.2.0.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n"]
    {
        let carla = "[agent.carla]\ncall = \"+4930555@teams\"\nqueues = [\"support\"]\n";
        let mut world = world(11, &[QUEUE, carla, BO]);
        let caller = world.caller("caller");
        let body = body.to_owned();
        world.script_at(callee::ADDRESS, move |message| match message.method() {
            Method::Invite if message.is_request() => {
                let mut response = respond_to(message, router(), StatusCode::OK, None, Some(b"odd"));
                response.header(Header::Contact, format!("<sip:odd@{}>", callee::ADDRESS));
                let bytes = response.body("application/sdp", body.as_bytes()).finish();
                vec![(Duration::ZERO, bytes)]
            }
            Method::Bye if message.is_request() => vec![(Duration::ZERO, answer(message, 200, "", None))],
            _ => vec![],
        });
        let second = bo(&mut world, Behaviour::Answers(SECOND));
        world.agent_wish("bo", Wish::Paused);
        world.agent_wish("bo", Wish::Ready); // bo is free after carla, so she is first
        world.dials(caller, "+4930999");
        world.run_for(4 * SECOND);
        assert_eq!(assigned(&world), ["carla", "bo"]);
        assert!(world.heard(caller, second), "{}", world.ladder());
        world.hangs_up_in(caller, SECOND);
        the_end(&mut world);
    }
}

#[test]
fn an_overload_of_the_far_side_is_500_for_the_caller_and_its_fault() {
    let mut world = world(12, &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::Refuses(503, MILLISECOND));
    world.dials(caller, "+4930123");
    // RFC 3261 §21.5.4: a 503 passed on would take *us* out of service.
    assert_eq!(the_end(&mut world), (Cause::Unreachable, Fault::CalledSide, Some(500)));
    assert_eq!(world.state(caller), PhoneState::Failed(500));
}

#[test]
fn a_bye_that_overtakes_the_ack_ends_the_call() {
    let mut world = world(13, &[QUEUE, ANNA]);
    let caller = world.caller("caller");
    anna(&mut world, Behaviour::Answers(SECOND));
    let to = router();
    let mut lost = false;
    world.lose_if(move |datagram| {
        let hit = !lost && datagram.to == to && datagram.start_line().starts_with("ACK");
        lost |= hit;
        hit
    });
    world.dials(caller, "+4930999");
    world.hangs_up_in(caller, 100 * MILLISECOND); // before the 200 is repeated at 500 ms
    let (cause, fault, _) = the_end(&mut world);
    assert!(matches!(cause, Cause::CallerHungUp | Cause::Abandoned), "{cause:?}");
    assert_eq!(fault, Fault::None);
    assert!(world.happened().all(|what| !matches!(what, router::journal::fact::What::Acknowledged)));
}

/// RFC 3261 §15: the called side of a dialog sends no BYE before the ACK has come.
#[test]
fn our_own_hang_up_waits_for_the_callers_ack() {
    let mut world = world(15, &[DIRECT]);
    let caller = world.caller("caller");
    teams(&mut world, Behaviour::AnswersFor(SECOND, 50 * MILLISECOND));
    let (to, mut lost) = (router(), false);
    world.lose_if(move |datagram| {
        let hit = !lost && datagram.to == to && datagram.start_line().starts_with("ACK");
        lost |= hit;
        hit
    });
    world.dials(caller, "+4930123");
    world.run_for(SECOND + 400 * MILLISECOND); // the 200 comes again half a second after the first
    assert_eq!((world.state(caller), world.at(caller).got("BYE")), (PhoneState::Talking, 0));
    world.run_for(SECOND / 2);
    assert_eq!(
        (world.state(caller), world.at(caller).got("BYE")),
        (PhoneState::Ended, 1),
        "{}",
        world.ladder()
    );
    assert_eq!(the_end(&mut world), (Cause::CalledHungUp, Fault::None, None));
}

#[test]
fn everybody_hangs_up_in_the_same_millisecond_with_other_callers_waiting() {
    let mut world = world(14, &[QUEUE, ANNA]);
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    let callers: Vec<_> = (0..5).map(|number| world.caller(&format!("caller{number}"))).collect();
    callers.iter().for_each(|caller| world.dials(*caller, "+4930999"));
    world.run_for(4 * SECOND);
    world.hangs_up_in(agent, SECOND);
    callers.iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    world.run_until_silent().assert_nothing_left();
    assert_eq!(ends(&world).len(), 5);
    assert_eq!(left(&world).iter().filter(|how| **how == LeftQueue::Abandoned).count(), 4);
    assert_eq!(world.agent_state("anna"), AgentState::Idle);
}
