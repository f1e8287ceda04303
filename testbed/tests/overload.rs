//! More calls than the router can take: as many as it can are completed, the others hear so at once.
//!
//! The router's work costs time here. A call that is refused costs 7 % of one that is completed; on real sockets it is 6 %
//! (bench/results/overload.md).

mod house;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use bytes::Bytes;
use house::{count, house};
use router::journal::fact::What;
use sip_core::{
    Message, StatusCode,
    backlog::Backlog,
    message::{Header, Method, respond_to},
};
use testbed::{
    World,
    world::{Cost, MILLISECOND, SECOND},
};

/// A call costs 2.05 ms: six messages read and seven sent at 50 µs, two legs at 700 µs. So 487 a second can be taken. One
/// that is refused costs 150 µs, its ACK included.
const COST: Cost = Cost {
    read: Duration::from_micros(50),
    sent: Duration::from_micros(50),
    leg: Duration::from_micros(700),
};
const CAPACITY: f64 = 487.0;
const CALLER: &str = "10.1.0.1:5060";
const CALLED: &str = "10.2.0.1:5060";
const ROUTER: &str = "10.0.0.1:5060";

fn config(limits: &str) -> String {
    house(&[house::DIRECT, "[limits]\nmax_calls = 4000\n", limits]).replace("10000-10999", "10000-59999")
}

/// Callers who follow RFC 3261: an INVITE is repeated after 0.5, 1, 2, … s until something comes back.
#[derive(Default)]
struct Callers {
    calls: BTreeMap<u32, Call>,
    completed: u32,
    refused: u32,
    /// From BYE to its 200: the longest.
    bye_took: Duration,
    repeats: u32,
    now: Duration,
}

struct Call {
    repeat_at: Duration,
    gap: Duration,
    answered: bool,
    bye_at: Option<Duration>,
}

impl Callers {
    fn hear(&mut self, message: &Message) -> Vec<(Duration, Bytes)> {
        let Some(status) = message.status().map(StatusCode::code) else { return vec![] };
        let id: u32 = String::from_utf8_lossy(&message.call_id().unwrap()).parse().unwrap();
        let method = message.cseq().unwrap().method;
        let Some(call) = self.calls.get_mut(&id) else {
            return if method == Method::Invite && status >= 200 {
                vec![say("ACK", id, message, 1)]
            } else {
                vec![]
            };
        };
        call.repeat_at = Duration::MAX;
        match (status, method) {
            (100..=199, _) => vec![],
            (200, Method::Invite) => {
                let first = !std::mem::replace(&mut call.answered, true);
                call.bye_at = Some(self.now);
                let mut said = vec![say("ACK", id, message, 1)];
                said.extend(first.then(|| say("BYE", id, message, 2)));
                said
            }
            (200, _) => {
                self.bye_took = self.bye_took.max(self.now - call.bye_at.unwrap());
                self.completed += 1;
                self.calls.remove(&id);
                vec![]
            }
            _ => {
                self.refused += 1;
                self.calls.remove(&id);
                vec![say("ACK", id, message, 1)]
            }
        }
    }

    /// INVITEs that are due: the first of each new call, and repeats.
    fn due(&mut self, first: u32, new: u32) -> Vec<String> {
        let now = self.now;
        for id in first..first + new {
            let gap = 500 * MILLISECOND;
            self.calls.insert(id, Call { repeat_at: now, gap, answered: false, bye_at: None });
        }
        let mut said = vec![];
        self.calls.retain(|id, call| {
            if call.repeat_at <= now {
                self.repeats += u32::from(*id < first);
                said.push(invite(*id));
                call.repeat_at = now + call.gap;
                call.gap *= 2;
            }
            call.gap <= 32 * SECOND // timer B
        });
        said
    }
}

fn invite(id: u32) -> String {
    let body = house::callee::sdp("10.1.0.1:40000".parse().unwrap());
    format!(
        "INVITE sip:+4930123@{ROUTER} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKi{id}\r\nMax-Forwards: 70\r\n\
         From: <sip:+49{id}@{CALLER}>;tag=c\r\nTo: <sip:+4930123@{ROUTER}>\r\nCall-ID: {id}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{CALLER}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request of the caller that follows a response to its INVITE.
fn say(method: &str, id: u32, response: &Message, cseq: u32) -> (Duration, Bytes) {
    let to = response.value(Header::To).unwrap();
    let refused = response.status().is_some_and(StatusCode::is_failure);
    let branch = if refused { format!("i{id}") } else { format!("{method}{id}") };
    let text = format!(
        "{method} sip:{ROUTER} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:+49{id}@{CALLER}>;tag=c\r\nTo: {}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
        String::from_utf8_lossy(&to)
    );
    (MILLISECOND, text.into())
}

/// Rings and answers whatever comes.
fn called(message: &Message) -> Vec<(Duration, Bytes)> {
    if !message.is_request() || message.method() == Method::Ack {
        return vec![];
    }
    let answer = |status: StatusCode| {
        let mut answer = respond_to(message, ROUTER.parse().unwrap(), status, None, Some(b"far"));
        if message.method() == Method::Invite {
            answer.header(Header::Contact, format!("<sip:{CALLED}>"));
            if status.is_success() {
                let body = house::callee::sdp("10.2.0.1:40000".parse().unwrap());
                answer.body(b"application/sdp", body.as_bytes());
            }
        }
        answer.finish()
    };
    match message.method() {
        Method::Invite => vec![
            (MILLISECOND, answer(StatusCode::new(180).unwrap())),
            (3 * MILLISECOND, answer(StatusCode::OK)),
        ],
        _ => vec![(MILLISECOND, answer(StatusCode::OK))],
    }
}

struct Outcome {
    /// Calls completed in a second, over the whole time.
    throughput: f64,
    refused: u32,
    repeats: u32,
    bye_took: Duration,
    world: World,
}

/// A world whose router's work costs time, callers who have not called yet, and somebody who answers them.
fn staged(config: &str) -> (World, Rc<RefCell<Callers>>) {
    let mut world = World::new(1, config);
    world.takes_time(COST);
    let callers = Rc::new(RefCell::new(Callers::default()));
    let hearing = callers.clone();
    world.script_at(CALLER, move |message| hearing.borrow_mut().hear(message));
    world.script_at(CALLED, called);
    (world, callers)
}

/// So many calls in one instant.
fn burst(calls: u32) -> (World, Rc<RefCell<Callers>>) {
    let (mut world, callers) = staged(&config(""));
    let said = callers.borrow_mut().due(0, calls);
    said.iter().for_each(|invite| world.inject(CALLER, invite.as_bytes()));
    (world, callers)
}

/// `rate` times what can be taken, for `seconds`.
fn load(rate: f64, seconds: u32, config: &str) -> Outcome {
    let (mut world, callers) = staged(config);
    let (step, mut begun) = (2 * MILLISECOND, 0);
    while world.elapsed() < seconds * SECOND {
        let wanted = (world.elapsed().as_secs_f64() * rate * CAPACITY) as u32;
        callers.borrow_mut().now = world.elapsed();
        let said = callers.borrow_mut().due(begun, wanted.saturating_sub(begun));
        begun = begun.max(wanted);
        said.iter().for_each(|invite| world.inject(CALLER, invite.as_bytes()));
        world.run_for(step);
    }
    let callers = callers.borrow();
    Outcome {
        throughput: f64::from(callers.completed) / f64::from(seconds),
        refused: callers.refused,
        repeats: callers.repeats,
        bye_took: callers.bye_took,
        world,
    }
}

#[test]
fn below_the_limit_nobody_is_refused() {
    let mut outcome = load(0.9, 4, &config(""));
    assert_eq!((outcome.refused, outcome.repeats), (0, 0));
    outcome.world.run_until_silent().assert_nothing_left();
    assert!(outcome.throughput > 0.85 * CAPACITY, "{}", outcome.throughput);
}

#[test]
fn beyond_the_limit_as_many_calls_are_completed_as_before_and_those_in_progress_notice_nothing() {
    for rate in [1.2, 2.0, 3.0] {
        let outcome = load(rate, 4, &config(""));
        let least = if rate > 2.0 { 0.8 } else { 0.9 };
        assert!(outcome.throughput >= least * CAPACITY, "{rate}: {} of {CAPACITY}", outcome.throughput);
        assert!(outcome.bye_took < 100 * MILLISECOND, "{rate}: a BYE took {:?}", outcome.bye_took);
        assert_eq!(outcome.repeats, 0, "{rate}: refusals come before anybody repeats himself");
        assert!(outcome.refused > 0);
    }
}

/// What happens where nobody is refused in time: callers repeat themselves, and the router works for those who have gone.
#[test]
fn without_the_limit_it_collapses() {
    let outcome = load(2.0, 6, &config("max_lag = \"2s\"\n"));
    let patient = load(2.0, 6, &config(""));
    assert!(outcome.repeats > 1_000, "{} repeats", outcome.repeats);
    assert!(
        outcome.throughput < 0.9 * patient.throughput,
        "{} and {}",
        outcome.throughput,
        patient.throughput
    );
}

#[test]
fn a_spell_of_overload_is_on_record_when_it_is_over() {
    let mut outcome = load(2.0, 2, &config(""));
    let world = &mut outcome.world;
    world.run_for(20 * SECOND);
    let told: Vec<u64> = world
        .happened()
        .filter_map(|what| match what {
            What::Overload { refused, .. } => Some(*refused),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0], world.shard().numbers().sip.shed);
    assert_eq!(
        count(world, |what| matches!(what, What::Ended { .. })),
        count(world, |what| matches!(what, What::Arrived { .. }))
    );
}

/// A burst that is no overload: a second's worth at once is taken if it is done within the patience.
#[test]
fn a_short_burst_is_taken() {
    let (mut world, callers) = burst(30);
    world.run_for(5 * SECOND);
    assert_eq!((callers.borrow().completed, callers.borrow().refused), (30, 0));
    world.run_until_silent().assert_nothing_left();
}

/// Ten thousand INVITEs at once from a peer we trust: bounded, and answered.
#[test]
fn a_flood_from_a_trusted_peer_is_refused_and_forgotten() {
    let (mut world, callers) = burst(10_000);
    world.run_for(MILLISECOND);
    assert!(world.backlog() <= Backlog::LIMIT + 1, "{}", world.backlog());
    world.run_for(20 * SECOND);
    let heard = callers.borrow().completed + callers.borrow().refused;
    // The first is handled before the others are there.
    assert_eq!(heard as usize, Backlog::LIMIT + 1, "the others were dropped, and would repeat");
    world.run_until_silent().assert_nothing_left();
}
