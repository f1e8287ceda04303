//! Whole calls by a trunk of `kind = "teams"`, to a telephone that behaves as Teams does: what it is sent and what never,
//! who transfers to whom, and who sees a missed call.

mod house;

use std::{cell::RefCell, rc::Rc};

use house::{house_with, spy, teams, value};
use router::journal::fact::{AgentState, Cause, Unanswered, What};
use sip_core::{
    Message, StatusCode,
    message::{Header, respond_to},
};
use testbed::{
    Behaviour, PhoneId, World,
    net::Datagram,
    phone::{HoldBy, PhoneState},
    world::{MILLISECOND, SECOND},
};

const AT_ONCE: Behaviour = Behaviour::Answers(SECOND);
const BO: &str = "1c9b3e7a-6d1f-4c11-9a53-2f0b6a7e4d22";

/// What makes the house's trunk one of this kind, behind an SBC.
const TEAMS: &str = r#"kind = "teams"
via = "udp:10.2.0.1:5060"
fqdn = "ccr1.example.com"
check_every = "0s"
"#;

const DESK: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "support"
[flow.support]
steps = [{ queue = "support" }, "hangup"]
[queue.support]
music = "prompts/music.wav"
ring_timeout = "5s"
wrap_up = "10s"
max_wait = "20s"
[agent.anna]
call = "+49555@teams"
queues = ["support"]
[agent.bo]
call = "+49556@teams"
login = "manual"
"#;

fn house() -> String {
    house_with("", TEAMS, DESK).replace("send_to = [\"udp:10.2.0.1:5060\"]\n", "")
}

/// Everything that the router sent to Teams.
type Sent = Rc<RefCell<Vec<Message>>>;

/// The house, and what Teams gets.
fn world(seed: u64, config: &str) -> (World, Sent) {
    let mut world = World::new(seed, config);
    let to_teams = |datagram: &Datagram| datagram.to.to_string().starts_with("10.2.");
    let sent = spy(&mut world, move |datagram, message| to_teams(datagram).then(|| message.clone()));
    (world, sent)
}

/// A caller talks to anna.
fn talking(seed: u64, config: &str) -> (World, PhoneId, PhoneId, Sent) {
    let (mut world, sent) = world(seed, config);
    let anna = teams(&mut world, AT_ONCE);
    let caller = house::talks_to_anna(&mut world, anna);
    (world, caller, anna, sent)
}

fn requests(sent: &Sent, method: &str) -> Vec<Message> {
    let is = |message: &&Message| message.is_request() && message.method().as_bytes() == method.as_bytes();
    sent.borrow().iter().filter(is).cloned().collect()
}

/// Where sound is to go, of every description that Teams got.
fn places(sent: &Sent) -> Vec<String> {
    let place = |message: &Message| {
        let body = String::from_utf8_lossy(&message.body()).into_owned();
        let line = |start: &str| body.lines().find(|line| line.starts_with(start)).map(str::to_owned);
        let port = line("m=audio ")?.split(' ').nth(1)?.to_owned();
        Some(format!("{} {port}", line("c=")?))
    };
    sent.borrow().iter().filter_map(place).collect()
}

/// Nothing that Teams does not know has been sent to it.
fn spoken_plainly(sent: &Sent) {
    for method in ["REFER", "UPDATE", "INFO", "PRACK", "MESSAGE", "SUBSCRIBE"] {
        assert!(requests(sent, method).is_empty(), "{method}");
    }
    for invite in requests(sent, "INVITE") {
        assert_eq!((invite.count(Header::Replaces), invite.count(Header::RecordRoute)), (0, 0));
        assert!(
            !invite.has_token(Header::Require, "100rel") && !invite.has_token(Header::Supported, "100rel")
        );
        assert!(!invite.body().is_empty(), "always with an offer");
    }
}

#[test]
fn every_request_names_us_as_teams_knows_us_and_numbers_with_a_plus() {
    let (mut world, caller, _, sent) = talking(1, &house());
    let invite = requests(&sent, "INVITE").remove(0);
    assert_eq!(invite.request_uri_bytes(), "sip:+49555@10.2.0.1:5060;user=phone");
    assert!(value(&invite, Header::Contact).starts_with("<sip:ccr1.example.com:5060"), "{invite:?}");
    assert!(value(&invite, Header::Via).starts_with("SIP/2.0/UDP ccr1.example.com:5060;"));
    assert!(
        value(&invite, Header::From)
            .starts_with("\"support: +49301\" <sip:+49301@ccr1.example.com;user=phone>;tag="),
        "{}",
        value(&invite, Header::From)
    );
    assert!(value(&invite, Header::SessionExpires).starts_with("1800"));
    assert_eq!(invite.named(b"X-MS-SBC").count(), 1);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    let bye = requests(&sent, "BYE").remove(0);
    assert!(value(&bye, Header::Via).starts_with("SIP/2.0/UDP ccr1.example.com:5060;"));
    spoken_plainly(&sent);
}

#[test]
fn options_come_within_a_second_and_every_minute_with_the_name_in_contact() {
    let (mut world, sent) = world(2, &house().replace("check_every = \"0s\"\n", ""));
    teams(&mut world, AT_ONCE);
    world.run_for(2 * SECOND);
    let first = requests(&sent, "OPTIONS");
    assert_eq!(first.len(), 1);
    assert!(value(&first[0], Header::Contact).starts_with("<sip:ccr1.example.com:5060"));
    assert!(value(&first[0], Header::From).starts_with("<sip:ccr1.example.com>;tag="));
    world.run_for(70 * SECOND);
    assert_eq!(requests(&sent, "OPTIONS").len(), 2);
}

#[test]
fn its_options_are_answered_with_our_name_and_what_it_wants_to_see() {
    let (mut world, sent) = world(3, &house());
    teams(&mut world, AT_ONCE);
    let options = "OPTIONS sip:ccr1.example.com:5060 SIP/2.0\r\nFROM: <sip:sip-du-a-eu.pstnhub.microsoft.com>;tag=4f3e\r\n\
                   TO: <sip:ccr1.example.com>\r\nCSEQ: 1 OPTIONS\r\nCALL-ID: 8f1f\r\nMAX-FORWARDS: 70\r\n\
                   VIA: SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bK5a77\r\nCONTENT-LENGTH: 0\r\n\r\n";
    world.inject("10.2.0.1:5060", options.as_bytes());
    world.run_for(SECOND);
    let answers = sent
        .borrow()
        .iter()
        .filter(|message| message.status() == Some(StatusCode::OK))
        .cloned()
        .collect::<Vec<_>>();
    assert!(value(&answers[0], Header::Contact).starts_with("<sip:ccr1.example.com:5060"));
    assert!(answers[0].has_token(Header::Allow, "REFER") && answers[0].has_token(Header::Allow, "NOTIFY"));
    assert_eq!(named(&answers[0]), [format!("Fernamt/Router/{}", env!("CARGO_PKG_VERSION"))]);
}

/// What a message says in X-MS-SBC.
fn named(message: &Message) -> Vec<String> {
    message.named(b"X-MS-SBC").map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
}

#[test]
fn every_answer_to_teams_says_what_we_are_and_no_answer_to_anybody_else_does() {
    let (mut world, caller, anna, sent) = talking(9, &house());
    world.holds_by_in(anna, HoldBy::Inactive, MILLISECOND);
    world.run_for(SECOND);
    world.hangs_up_in(anna, SECOND);
    world.hangs_up_in(caller, 2 * SECOND);
    world.run_until_silent().assert_nothing_left();
    let answers: Vec<Message> = sent
        .borrow()
        .iter()
        .filter(|message| message.status().is_some_and(|status| status != StatusCode::TRYING))
        .cloned()
        .collect();
    assert!(answers.len() >= 2, "to the hold and to BYE: {answers:?}");
    assert!(answers.iter().all(|answer| named(answer).len() == 1), "{answers:?}");
    for answer in world.at(caller).last.values().filter(|message| !message.is_request()) {
        assert_eq!(named(answer), [""; 0]);
    }
}

#[test]
fn who_withholds_his_number_is_anonymous_and_private() {
    let (mut world, sent) = world(10, &house());
    teams(&mut world, AT_ONCE);
    let caller = world.caller("anonymous");
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    let invite = requests(&sent, "INVITE").remove(0);
    let from = value(&invite, Header::From);
    assert!(from.starts_with("\"support: Anonymous\" <sip:anonymous@anonymous.invalid>;tag="), "{from}");
    assert_eq!(value(&invite, Header::Privacy), "id");
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn its_hold_is_answered_in_its_words_and_our_sound_never_moves() {
    let (mut world, caller, anna, sent) = talking(4, &house());
    world.holds_by_in(anna, HoldBy::Inactive, MILLISECOND);
    world.run_for(2 * SECOND);
    let held = sent.borrow().iter().rev().find(|message| !message.body().is_empty()).cloned().unwrap();
    assert!(String::from_utf8_lossy(&held.body()).contains("a=inactive"), "{held:?}\n{}", world.ladder());
    world.holds_in(anna, false, MILLISECOND);
    world.run_for(SECOND);
    world.holds_by_in(caller, HoldBy::SendOnly, MILLISECOND);
    world.run_for(2 * SECOND);
    assert_eq!(requests(&sent, "INVITE").len(), 1, "no re-INVITE of ours because somebody is on hold");
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    let mut places = places(&sent);
    places.dedup();
    assert_eq!(places.len(), 1, "{places:?}");
    spoken_plainly(&sent);
}

#[test]
fn a_transfer_goes_back_as_it_came_and_the_agent_whom_it_means_has_the_call() {
    for pause in [5, 280, 900] {
        let (mut world, caller, anna, sent) =
            talking(5, &house().replace("login = \"manual\"\n", &format!("entra_id = \"{BO}\"\n")));
        let target = format!("sip:sip.pstnhub.microsoft.com:5060;x-m=8:orgid:{BO}");
        let referred_by = "<sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:66ad;x-tt=aHR0%3DQ2>";
        world.refers_in(anna, &format!("<{target}>"), &[("Referred-By", referred_by)], MILLISECOND);
        world.hangs_up_first_in(anna, pause * MILLISECOND + 5 * MILLISECOND);
        world.run_for(4 * SECOND);
        let invites = requests(&sent, "INVITE");
        let back =
            invites.iter().find(|invite| invite.count(Header::ReferredBy) == 1).expect("an INVITE back");
        assert_eq!(back.request_uri_bytes(), target);
        assert_eq!(value(back, Header::ReferredBy), referred_by);
        assert!(value(back, Header::Contact).starts_with("<sip:ccr1.example.com:5060"));
        assert_eq!(world.state(caller), PhoneState::Talking, "{pause}: {}", world.ladder());
        assert_eq!(
            (world.agent_state("anna"), world.agent_state("bo")),
            (AgentState::WrapUp, AgentState::Talking),
            "{pause}: {}",
            world.ladder()
        );
        world.hangs_up_in(caller, SECOND);
        world.run_until_silent().assert_nothing_left();
        let agents: Vec<_> =
            world.records()[0].segments.iter().map(|segment| segment.agent.clone()).collect();
        assert_eq!(agents, [Some("anna".to_owned()), Some("bo".to_owned())]);
        spoken_plainly(&sent);
    }
}

#[test]
fn who_is_rung_in_vain_sees_no_missed_call_whatever_the_reason() {
    let (mut world, sent) = world(6, &house());
    teams(&mut world, Behaviour::NeverAnswers);
    let caller = world.caller("+49301");
    world.dials(caller, "+4930999");
    world.run_for(6 * SECOND); // ring_timeout is 5 s
    let reasons = |sent: &Sent| {
        requests(sent, "CANCEL").iter().map(|cancel| value(cancel, Header::Reason)).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&sent), ["SIP;cause=200;text=\"Call completed elsewhere\""]);
    let config = house().replace("kind = \"teams\"", "kind = \"teams\"\nmissed_calls = true");
    let (mut world, sent) = self::world(7, &config);
    teams(&mut world, Behaviour::NeverAnswers);
    let caller = world.caller("+49301");
    world.dials(caller, "+4930999");
    world.hangs_up_in(caller, 3 * SECOND);
    world.run_for(6 * SECOND);
    let cancels = requests(&sent, "CANCEL");
    assert!(
        !cancels.is_empty() && cancels.iter().all(|cancel| cancel.count(Header::Reason) == 0),
        "the caller gave up"
    );
}

/// Teams answers every INVITE so, without ringing.
fn answers_at_once(world: &mut World) {
    world.script_at(house::callee::ADDRESS, move |message| {
        if !message.is_request() || message.method().as_bytes() == b"ACK" {
            return vec![];
        }
        let source = "10.0.0.1:5060".parse().unwrap();
        let mut answer = respond_to(message, source, StatusCode::OK, None, Some(b"vm"));
        answer.header(Header::Contact, "<sip:10.2.0.1:5060>");
        let description = house::callee::sdp("10.2.0.1:40000".parse().unwrap());
        let invites = message.method().as_bytes() == b"INVITE";
        let answer = match invites {
            true => answer.body("application/sdp", description.as_bytes()).finish(),
            false => answer.finish(),
        };
        vec![(200 * MILLISECOND, answer)]
    });
}

#[test]
fn what_answers_without_ringing_is_a_mailbox_unless_the_trunk_says_otherwise() {
    let unanswered = |world: &World| {
        house::count(world, |what| matches!(what, What::Unanswered { why: Unanswered::NoAnswer, .. }))
    };
    for (keys, refused) in [("", true), ("answers_of_machines = \"take\"\n", false)] {
        let config = house().replace("kind = \"teams\"\n", &format!("kind = \"teams\"\n{keys}"));
        let (mut world, sent) = world(8, &config);
        answers_at_once(&mut world);
        let caller = world.caller("+49301");
        world.dials(caller, "+4930999");
        world.run_for(2 * SECOND);
        assert_eq!(
            (unanswered(&world) > 0, !requests(&sent, "BYE").is_empty()),
            (refused, refused),
            "{keys}"
        );
        world.hangs_up_in(caller, SECOND);
        world.run_until_silent().assert_nothing_left();
        let cause = house::ends(&world)[0].0;
        assert_eq!(cause, if refused { Cause::Abandoned } else { Cause::CallerHungUp });
    }
}
