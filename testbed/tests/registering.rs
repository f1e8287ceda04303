//! Carriers that want us to register: whole stories with a registrar that has its moods.

mod house;

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::Bytes;
use house::house;
use router::record::Record;
use sip_core::{
    Message, Service, StatusCode,
    message::{Header, Method, respond_to},
};
use testbed::{
    Behaviour, World,
    world::{MILLISECOND, SECOND},
};

const CARRIER: &str = "10.7.0.1:5060";
const ACCOUNT: &str = "493012345";

/// One trunk that registers, and one number of it that is dialled through to Teams.
fn registering(keys: &str) -> String {
    let carrier = format!(
        "[trunk.reg]\nsend_to = [\"udp:{CARRIER}\"]\nusername = \"{ACCOUNT}\"\npassword = \"pass\"\nregister = {{ {keys} }}\n\
         [[number]]\nmatch = \"*\"\ntrunk = \"reg\"\nflow = \"reg\"\n[flow.reg]\nsteps = [{{ dial = \"{{called}}@teams\" }}]\n"
    );
    house(&[&carrier])
}

/// A registrar at [`CARRIER`], its mood set from outside.
#[derive(Clone, Default)]
struct Registrar(Rc<RefCell<Book>>);

#[derive(Default)]
struct Book {
    /// Status of the next answers; 0 is silence; nothing is 200 for whoever has proved himself.
    mood: Option<u16>,
    /// Seconds that it grants; nothing is as asked.
    grants: Option<u32>,
    /// Of 423.
    least: u32,
    /// Requests, as they came: Call-ID, CSeq, Expires, Contact, and whether they proved who sent them.
    seen: Vec<Seen>,
    /// Answers to what was not a REGISTER: the statuses that the carrier heard.
    heard: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    call_id: String,
    cseq: u32,
    expires: u32,
    contact: String,
    proved: bool,
}

impl Registrar {
    fn at(world: &mut World) -> Registrar {
        let registrar = Registrar::default();
        let book = registrar.clone();
        world.script_at(CARRIER, move |message| book.0.borrow_mut().hears(message));
        registrar
    }

    fn mood(&self, mood: Option<u16>) {
        self.0.borrow_mut().mood = mood;
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.borrow().seen.clone()
    }

    /// How many it has taken or would have.
    fn proofs(&self) -> usize {
        self.seen().iter().filter(|seen| seen.proved).count()
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

impl Book {
    fn hears(&mut self, message: &Message) -> Vec<(Duration, Bytes)> {
        if let Some(status) = message.status() {
            self.heard.push(status.code());
            return vec![];
        }
        if message.method() != Method::Register {
            return vec![];
        }
        let proof = message.value(Header::Authorization);
        let number = |header| message.value(header).and_then(|value| text(&value).parse().ok()).unwrap_or(0);
        let seen = Seen {
            call_id: text(&message.call_id().unwrap()),
            cseq: message.cseq().unwrap().number,
            expires: number(Header::Expires),
            contact: message.value(Header::Contact).map(|value| text(&value)).unwrap_or_default(),
            proved: proof.is_some_and(|proof| text(&proof).contains(&format!("username=\"{ACCOUNT}\""))),
        };
        self.seen.push(seen.clone());
        let code = match self.mood {
            Some(mood) => mood,
            None if seen.proved => 200,
            None => 401,
        };
        let Some(status) = StatusCode::new(code) else { return vec![] };
        let mut answer = respond_to(message, "10.0.0.1:5060".parse().unwrap(), status, None, Some(b"reg"));
        match code {
            200 => {
                let granted = self.grants.unwrap_or(seen.expires);
                answer.header(Header::Contact, format!("{};expires={granted}", seen.contact));
            }
            401 => {
                let ask = "Digest realm=\"carrier\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"";
                answer.header(Header::WwwAuthenticate, ask);
            }
            423 => drop(answer.header(Header::MinExpires, self.least.to_string())),
            _ => {}
        }
        vec![(MILLISECOND, answer.finish())]
    }
}

fn invite(to: &str, uri: &str) -> Vec<u8> {
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 10.7.0.1\r\ns=-\r\nc=IN IP4 10.7.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {CARRIER};branch=z9hG4bK{to}\r\nMax-Forwards: 70\r\n\
         From: <sip:+4917012345@carrier.test>;tag=1\r\nTo: <sip:{to}@carrier.test>\r\nCall-ID: {to}@carrier\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:{CARRIER}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
    .into_bytes()
}

fn registered(world: &World) -> (String, String) {
    let status = world.shard().status(0, router::service::Service::Open);
    let ours = status.trunks.into_iter().find_map(|trunk| trunk.registration).expect("a registration");
    (ours.state, ours.why)
}

#[test]
fn we_register_at_start_prove_who_we_are_and_renew_in_one_series() {
    let mut world = World::new(1, &registering("expires = \"10m\""));
    let registrar = Registrar::at(&mut world);
    world.run_for(SECOND);
    let seen = registrar.seen();
    assert_eq!(seen.iter().map(|seen| (seen.cseq, seen.proved)).collect::<Vec<_>>(), [(1, false), (2, true)]);
    assert_eq!((seen[1].expires, seen[1].contact.as_str()), (600, "<sip:493012345@10.0.0.1:5060>"));
    assert_eq!(registered(&world), ("registered".into(), String::new()));
    world.run_for(3_600 * SECOND);
    let seen = registrar.seen();
    assert!((7..=9).contains(&(registrar.proofs() - 1)), "an hour of ten minutes: {}", registrar.proofs());
    assert!(seen.iter().all(|one| one.call_id == seen[0].call_id), "one series (RFC 3261 §10.2.4)");
    assert!(seen.windows(2).all(|pair| pair[0].cseq < pair[1].cseq));
}

#[test]
fn a_call_to_where_we_have_registered_is_one_of_that_trunk_and_the_number_is_what_was_dialled() {
    let mut world = World::new(2, &registering(""));
    let registrar = Registrar::at(&mut world);
    let teams = house::teams(&mut world, Behaviour::Answers(SECOND));
    world.inject(CARRIER, &invite("+49301234500", "sip:493012345@10.0.0.1:5060"));
    world.run_for(SECOND);
    assert!(registrar.0.borrow().heard.contains(&100), "its address is that of send_to");
    world.run_for(5 * SECOND);
    assert_eq!(world.at(teams).got("INVITE"), 1, "{}", world.ladder());
    world.inject(CARRIER, &invite("+49301234577", "sip:+49301234588@10.0.0.1:5060"));
    world.run_for(5 * SECOND);
    world.shut_down();
    world.run_until_silent();
    let called = |record: &Record| (record.trunk.clone(), record.to.clone());
    let mut calls: Vec<_> = world.records().iter().map(called).collect();
    calls.sort();
    assert_eq!(
        calls,
        [("reg".to_owned(), "+49301234500".to_owned()), ("reg".to_owned(), "+49301234588".to_owned())]
    );
}

#[test]
fn where_we_have_registered_may_call_us_and_before_that_may_not() {
    let elsewhere = registering(&format!("registrar = \"udp:{CARRIER}\""))
        .replace(&format!("send_to = [\"udp:{CARRIER}\"]"), "send_to = [\"udp:10.7.0.9:5060\"]");
    let mut world = World::new(12, &elsewhere);
    let registrar = Registrar::at(&mut world);
    registrar.mood(Some(503));
    world.run_for(SECOND);
    world.inject(CARRIER, &invite("+49301", "sip:493012345@10.0.0.1:5060"));
    world.run_for(SECOND);
    assert!(registrar.0.borrow().heard.is_empty(), "nobody's address yet: silence");
    registrar.mood(None);
    world.run_for(120 * SECOND);
    world.inject(CARRIER, &invite("+49302", "sip:493012345@10.0.0.1:5060"));
    world.run_for(SECOND);
    assert!(registrar.0.borrow().heard.contains(&100));
    world.shut_down();
    world.run_until_silent();
    assert_eq!(world.records().len(), 1);
}

#[test]
fn of_two_accounts_at_one_carrier_the_one_that_is_called_has_the_call() {
    let second = format!(
        "{}[trunk.other]\nsend_to = [\"udp:10.7.0.9:5060\"]\nusername = \"49309999\"\npassword = \"pass\"\n\
         register = {{ registrar = \"udp:{CARRIER}\" }}\n\
         [[number]]\nmatch = \"*\"\ntrunk = \"other\"\nflow = \"reg\"\n",
        registering("")
    );
    let mut world = World::new(3, &second);
    let registrar = Registrar::at(&mut world);
    registrar.mood(Some(200));
    world.run_for(SECOND);
    world.inject(CARRIER, &invite("+49309999000", "sip:49309999@10.0.0.1:5060"));
    world.run_for(SECOND);
    world.shut_down();
    world.run_until_silent();
    assert_eq!(world.records()[0].trunk, "other");
}

#[test]
fn a_registrar_that_refuses_is_told_of_and_not_pestered() {
    for (mood, most) in [(403, 5), (404, 5), (302, 5), (503, 10), (0, 10)] {
        let mut world = World::new(4, &registering(""));
        let registrar = Registrar::at(&mut world);
        registrar.mood(Some(mood));
        world.run_for(3_600 * SECOND);
        let calls: std::collections::BTreeSet<_> = registrar.seen().iter().map(|seen| seen.cseq).collect();
        assert!((2..=most).contains(&calls.len()), "{mood}: {} tries in an hour", calls.len());
        let (state, why) = registered(&world);
        assert_eq!((state.as_str(), why.is_empty()), ("failed", false), "{mood}");
    }
}

#[test]
fn a_wrong_password_is_tried_once_and_not_again_for_long() {
    let mut world = World::new(5, &registering(""));
    let registrar = Registrar::at(&mut world);
    registrar.mood(Some(401));
    world.run_for(600 * SECOND);
    assert_eq!(registrar.seen().len(), 2, "the question and one answer: carriers lock accounts");
    assert_eq!(registered(&world), ("failed".into(), "answered with 401".into()));
}

#[test]
fn rfc3261_10_2_8_a_registrar_that_wants_longer_times_gets_them() {
    let mut world = World::new(6, &registering("expires = \"1m\""));
    let registrar = Registrar::at(&mut world);
    (registrar.0.borrow_mut().mood, registrar.0.borrow_mut().least) = (Some(423), 1_800);
    world.run_until(SECOND, |_| !registrar.seen().is_empty());
    registrar.mood(None);
    world.run_for(SECOND);
    assert_eq!(registrar.seen().last().map(|seen| (seen.expires, seen.proved)), Some((1_800, true)));
    assert_eq!(registered(&world).0, "registered");
}

#[test]
fn a_registrar_that_grants_less_is_renewed_sooner() {
    let mut world = World::new(7, &registering("expires = \"1h\""));
    let registrar = Registrar::at(&mut world);
    registrar.0.borrow_mut().grants = Some(60);
    world.run_for(600 * SECOND);
    assert!((12..=16).contains(&registrar.proofs()), "{}", registrar.proofs());
}

#[test]
fn a_registrar_that_dies_and_comes_back_without_memory_knows_us_again_soon() {
    let mut world = World::new(8, &registering("expires = \"2m\""));
    let registrar = Registrar::at(&mut world);
    world.run_for(SECOND);
    registrar.mood(Some(0));
    world.run_for(300 * SECOND);
    assert_eq!(registered(&world).0, "failed");
    registrar.mood(None);
    let before = registrar.proofs();
    world.run_for(300 * SECOND);
    assert!(registrar.proofs() > before);
    assert_eq!(registered(&world), ("registered".into(), String::new()));
}

#[test]
fn we_sign_off_when_we_drain_and_that_is_waited_for() {
    let mut world = World::new(9, &registering(""));
    let registrar = Registrar::at(&mut world);
    world.run_for(SECOND);
    world.service(Service::Draining);
    assert!(world.shard().is_awaiting());
    world.run_for(SECOND);
    let last = registrar.seen().last().cloned().unwrap();
    assert_eq!((last.expires, last.proved), (0, true), "proved like every other");
    assert!(!world.shard().is_awaiting());
    world.shut_down();
    world.run_until_silent().assert_nothing_left();
    assert_eq!(registrar.seen().last(), Some(&last), "once");
}

#[test]
fn a_reload_signs_off_what_is_gone_and_registers_what_is_new() {
    let mut world = World::new(10, &registering(""));
    let registrar = Registrar::at(&mut world);
    world.run_for(SECOND);
    world.reload(&registering("contact_user = \"desk\""));
    world.run_for(SECOND);
    let seen = registrar.seen();
    let ends: Vec<_> = seen.iter().map(|seen| (seen.expires, seen.contact.contains("desk@"))).collect();
    assert!(ends.contains(&(0, false)) && ends.last() == Some(&(600, true)), "{ends:?}");
    world.reload(&house(&[]));
    world.run_for(SECOND);
    assert_eq!(registrar.seen().last().map(|seen| seen.expires), Some(0));
    world.inject(CARRIER, &invite("+49301", "sip:desk@10.0.0.1:5060"));
    world.run_for(SECOND);
    assert!(world.records().is_empty(), "it is nobody's address any more");
}

#[test]
fn a_node_whose_calls_all_come_by_registrations_is_not_ready_without_one() {
    let alone =
        registering("").replace("accept_from = [\"10.1.0.0/16\"]", "send_to = [\"udp:sbc.test:5060\"]");
    let alone = alone.replace(
        "accept_from = [\"10.2.0.0/16\"]\nsend_to = [\"udp:10.2.0.1:5060\"]",
        "send_to = [\"udp:teams.test:5060\"]",
    );
    let mut world = World::new(11, &alone);
    let registrar = Registrar::at(&mut world);
    assert!(world.shard().is_cut_off());
    world.run_for(SECOND);
    assert!(!world.shard().is_cut_off());
    registrar.mood(Some(403));
    world.run_for(600 * SECOND);
    assert!(world.shard().is_cut_off());
}
