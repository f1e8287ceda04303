//! Trunks with several targets: who is called, what leads to the next, who is left alone, and how much is too much.

mod house;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use house::{count, ends, house};
use router::{
    journal::fact::{Cause, Fault, TargetState, What},
    record::Record,
};
use sip_core::{
    Message, Service, StatusCode,
    message::{Header, Method, respond_to},
};
use testbed::{
    Behaviour, World,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

const ONE: &str = "10.3.0.1:5060";
const TWO: &str = "10.3.0.2:5060";
const THREE: &str = "10.3.0.3:5060";

/// Everything to a trunk with these keys.
fn trunk(keys: &str) -> String {
    let sbc = format!(
        "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"out\"\n[flow.out]\nsteps = [{{ dial = \"{{called}}@sbc\" }}]\n\
         [trunk.sbc]\n{keys}\n"
    );
    house(&[&sbc])
}

fn two_targets(keys: &str) -> String {
    trunk(&format!("send_to = [\"udp:{ONE}\", \"udp:{TWO}\"]\n{keys}"))
}

/// A far end that is told from outside how to answer: 0 is silence.
#[derive(Clone, Default)]
struct FarEnd {
    to_options: Rc<Cell<u16>>,
    to_invite: Rc<Cell<u16>>,
    extra: Rc<Cell<&'static str>>,
    asked: Rc<Cell<u32>>,
    called: Rc<Cell<u32>>,
    /// Calls seen: repeats do not count.
    seen: Rc<RefCell<BTreeSet<Bytes>>>,
}

impl FarEnd {
    /// At `address`: answers OPTIONS and INVITE like this.
    fn at(world: &mut World, address: &str, to_options: u16, to_invite: u16) -> FarEnd {
        let far = FarEnd::default();
        far.to_options.set(to_options);
        far.to_invite.set(to_invite);
        let told = far.clone();
        world.script_at(address, move |message| told.answer(message));
        far
    }

    fn is_new(&self, invite: &Message) -> bool {
        self.seen.borrow_mut().insert(invite.call_id().expect("a Call-ID"))
    }

    fn answer(&self, message: &Message) -> Vec<(Duration, Bytes)> {
        let (code, counter) = match message.method() {
            _ if !message.is_request() => return vec![],
            Method::Options => (self.to_options.get(), &self.asked),
            Method::Invite if !self.is_new(message) => return vec![],
            Method::Invite => (self.to_invite.get(), &self.called),
            _ => return vec![],
        };
        counter.set(counter.get() + 1);
        let Some(status) = StatusCode::new(code) else { return vec![] };
        let mut answer = respond_to(message, "10.0.0.1:5060".parse().unwrap(), status, None, Some(b"far"));
        if status == StatusCode::SERVICE_UNAVAILABLE && !self.extra.get().is_empty() {
            answer.header(Header::RetryAfter, self.extra.get());
        }
        vec![(MILLISECOND, answer.finish())]
    }
}

fn attempts(record: &Record) -> Vec<(&str, u16, &str)> {
    let attempts = record.legs.iter().flat_map(|leg| &leg.attempts);
    attempts.map(|attempt| (attempt.target.as_str(), attempt.status, attempt.next.as_str())).collect()
}

/// Changes of targets, in order.
fn changes(world: &World) -> Vec<(String, TargetState)> {
    let change = |what: &What| match what {
        What::TrunkTarget { target, state, .. } => Some((target.clone(), *state)),
        _ => None,
    };
    world.happened().filter_map(change).collect()
}

fn target(address: &str) -> String {
    format!("udp:{address}")
}

#[test]
fn a_call_goes_to_the_next_target_when_the_first_says_nothing_and_stays_there() {
    let mut world = World::new(1, &two_targets("response_timeout = \"2s\""));
    let caller = world.caller("caller");
    let two = world.phone_at("two", TWO, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(5 * SECOND);
    assert_eq!(world.state(caller), PhoneState::Talking, "{}", world.ladder());
    assert!(world.heard(caller, two) && world.heard(two, caller));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.at(two).got("BYE"), 1, "a dialog keeps its target");
    assert_eq!(attempts(&world.records()[0]), [(&*target(ONE), 408, &*target(TWO))]);
}

#[test]
fn only_what_a_far_end_cannot_do_leads_to_the_next_not_what_a_person_decided() {
    for (status, tried) in [(500, 1), (503, 1), (404, 0), (486, 0), (603, 0)] {
        let mut world = World::new(2, &two_targets(""));
        let (one, two) = (FarEnd::at(&mut world, ONE, 0, status), FarEnd::at(&mut world, TWO, 0, 486));
        let caller = world.caller("caller");
        world.dials(caller, "+4930123");
        world.run_until_silent().assert_nothing_left();
        assert_eq!((one.called.get(), two.called.get()), (1, tried), "{status}");
        let expected = if tried == 1 { 486 } else { status };
        assert_eq!(world.state(caller), PhoneState::Failed(expected));
        assert_eq!(attempts(&world.records()[0]).len(), tried as usize);
    }
}

#[test]
fn the_statuses_that_lead_to_the_next_are_the_operators_to_say() {
    let mut world = World::new(3, &two_targets("retry_on = [404]"));
    let (one, two) = (FarEnd::at(&mut world, ONE, 0, 404), FarEnd::at(&mut world, TWO, 0, 486));
    let caller = world.caller("caller");
    world.dials(caller, "+4930123");
    world.run_until_silent();
    one.to_invite.set(503);
    world.dials(caller, "+4930123");
    world.run_until_silent().assert_nothing_left();
    assert_eq!((one.called.get(), two.called.get()), (2, 1));
}

#[test]
fn once_it_rings_nobody_else_is_tried() {
    let mut world = World::new(4, &two_targets(""));
    world.phone_at("one", ONE, Behaviour::Refuses(503, SECOND));
    let two = FarEnd::at(&mut world, TWO, 0, 486);
    let caller = world.caller("caller");
    world.dials(caller, "+4930123");
    world.run_until_silent().assert_nothing_left();
    assert_eq!((two.called.get(), ends(&world).len()), (0, 1));
}

#[test]
fn a_target_that_asks_to_be_left_alone_is_tried_last_for_so_long() {
    let mut world = World::new(5, &two_targets(""));
    let (one, two) = (FarEnd::at(&mut world, ONE, 0, 503), FarEnd::at(&mut world, TWO, 0, 486));
    one.extra.set("20");
    let caller = world.caller("caller");
    let calls = |world: &mut World| {
        world.dials(caller, "+4930123");
        world.run_for(5 * SECOND);
        (one.called.get(), two.called.get())
    };
    assert_eq!(calls(&mut world), (1, 1));
    assert_eq!(calls(&mut world), (1, 2), "it rests");
    two.to_invite.set(500);
    assert_eq!(calls(&mut world), (2, 3), "last is not never");
    two.to_invite.set(486);
    world.run_for(20 * SECOND);
    one.to_invite.set(486);
    assert_eq!(calls(&mut world), (3, 3), "its time is over");
    world.run_until_silent().assert_nothing_left();
    let (resting, up) = (TargetState::Resting, TargetState::Up);
    assert_eq!(changes(&world), [(target(ONE), resting), (target(ONE), up)]);
}

#[test]
fn checks_take_a_silent_target_down_and_an_answering_one_up_and_one_of_them_is_not_enough() {
    let mut world = World::new(6, &two_targets("check_every = \"60s\"\nresponse_timeout = \"2s\""));
    let (one, two) = (FarEnd::at(&mut world, ONE, 200, 486), FarEnd::at(&mut world, TWO, 200, 486));
    let caller = world.caller("caller");
    let called_first = |world: &mut World| {
        let before = one.called.get();
        world.dials(caller, "+4930123");
        world.run_for(5 * SECOND);
        one.called.get() > before
    };
    world.run_for(2 * SECOND);
    assert_eq!((one.asked.get(), two.asked.get()), (1, 1), "the first check comes before calls do");
    one.to_options.set(0);
    world.run_for(66 * SECOND);
    assert!(called_first(&mut world), "one lost check proves nothing");
    world.run_for(66 * SECOND);
    assert_eq!(changes(&world), [(target(ONE), TargetState::Down)]);
    assert!(!called_first(&mut world));
    one.to_options.set(404);
    world.run_for(66 * SECOND);
    assert!(!called_first(&mut world), "one answer proves nothing either");
    world.run_for(66 * SECOND);
    assert!(called_first(&mut world), "{:?}", changes(&world));
    assert_eq!(changes(&world)[1..], [(target(ONE), TargetState::Up)]);
    assert_eq!(changes(&world).len(), 2);
}

#[test]
fn checks_come_once_in_their_time_and_not_all_at_once() {
    let mut world = World::new(7, &two_targets("check_every = \"60s\""));
    let (one, two) = (FarEnd::at(&mut world, ONE, 200, 486), FarEnd::at(&mut world, TWO, 200, 486));
    world.run_for(3_600 * SECOND);
    for asked in [one.asked.get(), two.asked.get()] {
        assert!((55..=61).contains(&asked), "{asked} in an hour");
    }
    world.reload(&two_targets(""));
    world.run_until_silent().assert_nothing_left();
    assert!(one.asked.get() <= 61, "a reload without checks ends them");
}

#[test]
fn who_does_not_know_us_or_takes_no_calls_is_down_and_who_answers_oddly_is_not() {
    for (status, down) in
        [(403, true), (503, true), (408, true), (0, true), (404, false), (501, false), (200, false)]
    {
        let mut world = World::new(8, &two_targets("check_every = \"10s\"\nresponse_timeout = \"1s\""));
        FarEnd::at(&mut world, ONE, status, 486);
        FarEnd::at(&mut world, TWO, 200, 486);
        world.run_for(30 * SECOND);
        assert_eq!(!changes(&world).is_empty(), down, "{status}: {:?}", changes(&world));
    }
}

#[test]
fn a_target_that_is_down_is_called_when_there_is_nobody_else() {
    let mut world = World::new(
        9,
        &trunk(&format!("send_to = \"udp:{ONE}\"\ncheck_every = \"10s\"\nresponse_timeout = \"1s\"")),
    );
    let one = FarEnd::at(&mut world, ONE, 0, 486);
    world.run_for(60 * SECOND);
    assert_eq!(changes(&world), [(target(ONE), TargetState::Down)]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930123");
    world.run_for(2 * SECOND);
    assert_eq!((one.called.get(), world.state(caller)), (1, PhoneState::Failed(486)));
}

#[test]
fn without_checks_calls_that_get_no_response_take_a_target_down_until_it_is_tried_again() {
    let mut world = World::new(10, &two_targets("response_timeout = \"1s\""));
    let (one, _) = (FarEnd::at(&mut world, ONE, 0, 0), FarEnd::at(&mut world, TWO, 0, 486));
    let caller = world.caller("caller");
    let calls = |world: &mut World| {
        world.dials(caller, "+4930123");
        world.run_for(5 * SECOND);
        one.called.replace(0) > 0
    };
    assert!(calls(&mut world) && calls(&mut world));
    assert_eq!(changes(&world), [(target(ONE), TargetState::Down)]);
    assert!(!calls(&mut world), "two calls in a row were not responded to");
    one.to_invite.set(486);
    world.run_for(30 * SECOND);
    assert!(calls(&mut world), "after a while one call tries it");
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn targets_of_one_priority_share_the_calls_by_weight() {
    let entry = |at: &str, priority: u8, weight: u8| {
        format!("{{ to = \"udp:{at}\", priority = {priority}, weight = {weight} }}")
    };
    let list = [entry(ONE, 1, 1), entry(TWO, 1, 3), entry(THREE, 2, 1)].join(", ");
    let mut world = World::new(11, &trunk(&format!("send_to = [{list}]")));
    let ends = [ONE, TWO, THREE].map(|at| FarEnd::at(&mut world, at, 0, 486));
    let caller = world.caller("caller");
    for _ in 0..400 {
        world.dials(caller, "+4930123");
        world.run_for(100 * MILLISECOND);
    }
    let called = ends.map(|end| end.called.get());
    assert_eq!((called[0] + called[1], called[2]), (400, 0));
    assert!((70..130).contains(&called[0]), "{called:?}");
}

#[test]
fn a_call_too_many_in_a_second_is_refused_in_the_trunks_words_and_the_next_second_has_room() {
    let limit = two_targets("")
        .replace("[trunk.carrier]\n", "[trunk.carrier]\nmax_calls_per_second = 2\noverload_status = 480\n");
    let mut world = World::new(12, &limit);
    FarEnd::at(&mut world, ONE, 0, 486);
    let callers: Vec<_> = (0..4).map(|n| world.caller(&format!("caller{n}"))).collect();
    callers[..3].iter().for_each(|caller| world.dials(*caller, "+4930123"));
    world.run_for(SECOND);
    world.dials(callers[3], "+4930123");
    world.run_until_silent().assert_nothing_left();
    let states: Vec<_> = callers.iter().map(|caller| world.state(*caller)).collect();
    let (busy, refused) = (PhoneState::Failed(486), PhoneState::Failed(480));
    assert_eq!(states, [busy, busy, refused, busy], "{}", world.ladder());
    let records = world.records();
    let refused = records.iter().find(|record| record.cause == Some(Cause::Overload)).expect("a record");
    assert_eq!((refused.fault, refused.status), (Some(Fault::Router), Some(480)));
    assert!(refused.reason.as_ref().is_some_and(|why| why.contains("max_calls_per_second")), "{refused:?}");
    let gauges = &world.shard().numbers().trunks["carrier"];
    assert_eq!(gauges.refused.get("max-calls-per-second"), Some(&1));
}

#[test]
fn calls_we_send_count_too() {
    let mut world = World::new(13, &two_targets("max_calls_per_second = 1"));
    let one = FarEnd::at(&mut world, ONE, 0, 486);
    let callers = [world.caller("a"), world.caller("b")];
    callers.iter().for_each(|caller| world.dials(*caller, "+4930123"));
    world.run_until_silent().assert_nothing_left();
    assert_eq!(one.called.get(), 1);
    assert_eq!(count(&world, |what| matches!(what, What::Dialled { .. })), 1);
}

#[test]
fn while_we_drain_each_trunk_hears_for_how_long_as_it_wants_to() {
    for (keys, expected) in [("", "60"), ("retry_after = \"0s\"\n", ""), ("retry_after = \"5m\"\n", "300")] {
        let config = two_targets("").replace("[trunk.carrier]\n", &format!("[trunk.carrier]\n{keys}"));
        let mut world = World::new(14, &config);
        let heard = Rc::new(Cell::new(None));
        let told = heard.clone();
        world.script_at("10.1.0.9:5060", move |message| {
            let after =
                message.value(Header::RetryAfter).map(|value| String::from_utf8_lossy(&value).into_owned());
            told.set(Some((message.status().map(|status| status.code()), after.unwrap_or_default())));
            vec![]
        });
        world.service(Service::Draining);
        world.inject(
            "10.1.0.9:5060",
            b"INVITE sip:+4930123@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.9:5060;branch=z9hG4bKd\r\n\
              Max-Forwards: 70\r\nFrom: <sip:a@10.1.0.9>;tag=a\r\nTo: <sip:b@10.0.0.1>\r\nCall-ID: drain\r\n\
              CSeq: 1 INVITE\r\nContact: <sip:a@10.1.0.9:5060>\r\nContent-Length: 0\r\n\r\n",
        );
        world.run_for(SECOND);
        assert_eq!(heard.take(), Some((Some(503), expected.to_owned())));
    }
}

#[test]
fn a_reload_keeps_what_is_known_of_targets_that_stay() {
    let keys = "check_every = \"10s\"\nresponse_timeout = \"1s\"";
    let mut world = World::new(15, &two_targets(keys));
    let one = FarEnd::at(&mut world, ONE, 0, 486);
    let three = FarEnd::at(&mut world, THREE, 200, 486);
    world.run_for(30 * SECOND);
    world.reload(&trunk(&format!("send_to = [\"udp:{ONE}\", \"udp:{THREE}\"]\n{keys}")));
    let caller = world.caller("caller");
    world.dials(caller, "+4930123");
    world.run_for(SECOND);
    assert_eq!((one.called.get(), three.called.get()), (0, 1), "it was down and is");
}
