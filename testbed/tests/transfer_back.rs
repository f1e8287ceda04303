//! Transfers as Teams wants them: what stands in Refer-To means something to the trunk alone, so it goes back there byte
//! for byte, by one INVITE that is tried nowhere else (`transfers_return`).

mod house;

use std::{cell::RefCell, rc::Rc};

use house::teams;
use router::journal::fact::{AgentState, Cause};
use testbed::{
    Behaviour, PhoneId, World,
    phone::PhoneState,
    world::{MILLISECOND, SECOND},
};

const DESK: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "support"
[flow.support]
steps = [{ queue = "support" }, "hangup"]
[queue.support]
wrap_up = "10s"
[agent.anna]
call = "+49555@teams"
queues = ["support"]
[[transfer]]
match = "*"
to = "queue.support"
"#;

/// A target as Teams writes it, without a user and with parameters of its own.
const TARGET: &str = "sip:10.2.0.1:5060;transport=udp;x-m=8:orgid:1C9b3e7A-6d1f;X-tt=aHR0cHM6Ly9l%2fZQ2";
const REFERRED_BY: &str = "<sip:10.2.0.1:5060;x-m=8:orgid:66ad;x-t=0d9a;x-ti=3f0c;x-tt=aHR0%3D>";

/// Everything the router sends, start line first.
type Sent = Rc<RefCell<Vec<String>>>;

/// The caller talks to anna, who is in Teams.
fn talking(seed: u64) -> (World, PhoneId, PhoneId, Sent) {
    let two = "send_to = [\"udp:10.2.0.1:5060\", \"udp:10.2.0.2:5060\"]\ntransfers_return = true";
    let config = house::house(&[DESK]).replace("send_to = [\"udp:10.2.0.1:5060\"]", two);
    let mut world = World::new(seed, &config);
    let sent = house::spy(&mut world, |datagram, _| {
        let ours = datagram.from.to_string() == testbed::world::ROUTER;
        ours.then(|| String::from_utf8_lossy(&datagram.bytes).into_owned())
    });
    let teams = teams(&mut world, Behaviour::Answers(SECOND));
    let caller = house::talks_to_anna(&mut world, teams);
    sent.borrow_mut().clear();
    (world, caller, teams, sent)
}

fn invites(sent: &Sent) -> Vec<String> {
    sent.borrow().iter().filter(|message| message.starts_with("INVITE ")).cloned().collect()
}

fn refers(world: &mut World, teams: PhoneId) {
    world.refers_in(teams, &format!("<{TARGET}>"), &[("Referred-By", REFERRED_BY)], MILLISECOND);
}

#[test]
fn the_target_comes_back_byte_for_byte_and_so_does_who_transferred() {
    let (mut world, caller, teams, sent) = talking(1);
    refers(&mut world, teams);
    world.run_for(3 * SECOND);
    let invites = invites(&sent);
    assert_eq!(invites.len(), 1, "{invites:#?}");
    assert!(invites[0].starts_with(&format!("INVITE {TARGET} SIP/2.0\r\n")), "{}", invites[0]);
    assert!(invites[0].contains(&format!("\r\nReferred-By: {REFERRED_BY}\r\n")), "{}", invites[0]);
    assert!(invites[0].contains("\r\nFrom: <sip:+49301@"), "{}", invites[0]);
    assert_eq!(world.at(teams).transfers.told, [100, 180, 200]);
    assert_eq!((world.state(caller), world.agent_state("anna")), (PhoneState::Talking, AgentState::WrapUp));
    let outgoing = sent.borrow().iter().any(|m| m.starts_with("REFER ") || m.contains("\r\nReplaces:"));
    assert!(!outgoing, "Teams takes neither REFER nor Replaces");
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn the_bye_that_follows_at_once_does_not_touch_the_caller() {
    for pause in [1, 20, 280, 900] {
        let (mut world, caller, teams, _) = talking(2);
        refers(&mut world, teams);
        world.hangs_up_first_in(teams, 5 * MILLISECOND + pause * MILLISECOND);
        world.run_for(3 * SECOND);
        assert_eq!(world.state(caller), PhoneState::Talking, "{pause} ms: {}", world.ladder());
        assert_eq!(world.agent_state("anna"), AgentState::WrapUp);
        world.hangs_up_in(caller, SECOND);
        world.run_until_silent().assert_nothing_left();
        assert_eq!(house::ends(&world)[0].0, Cause::CallerHungUp);
    }
}

#[test]
fn a_final_answer_is_final_and_the_agent_has_his_caller_back() {
    for status in [404, 486, 480, 503] {
        let (mut world, caller, teams, sent) = talking(3);
        world.behave(teams, Behaviour::Refuses(status, 100 * MILLISECOND));
        refers(&mut world, teams);
        world.run_for(2 * SECOND);
        assert_eq!(world.at(teams).transfers.told.last(), Some(&status), "{status}");
        assert_eq!(
            invites(&sent).len(),
            1,
            "never on another target: 404 \"replacement call not found\" would follow"
        );
        assert_eq!(
            (world.state(caller), world.agent_state("anna")),
            (PhoneState::Talking, AgentState::Talking)
        );
        world.hangs_up_in(caller, SECOND);
        world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn a_refer_from_another_address_of_the_trunk_is_the_dialogs_all_the_same() {
    let (mut world, caller, teams, sent) = talking(4);
    let named = world.names_call(teams);
    let part = |name: &str| named.split(';').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let (call_id, ours, theirs) = (named.split(';').next().unwrap(), part("to-tag="), part("from-tag="));
    let refer = format!(
        "REFER sip:10.0.0.1:5060 SIP/2.0\r\nVIA: SIP/2.0/UDP 10.2.0.99:5060;branch=z9hG4bK90fe11\r\nMAX-FORWARDS: 70\r\n\
         FROM: <sip:+49555@10.2.0.1>;tag={theirs}\r\nTO: <sip:+49301@10.0.0.1>;tag={ours}\r\nCALL-ID: {call_id}\r\n\
         CSEQ: 1 REFER\r\nCONTACT: <sip:10.2.0.1:5060>\r\nREFER-TO: <{TARGET}>\r\nREFERRED-BY: {REFERRED_BY}\r\n\
         CONTENT-LENGTH: 0\r\n\r\n"
    );
    world.inject("10.2.0.99:5060", refer.as_bytes());
    world.hangs_up_first_in(teams, 300 * MILLISECOND);
    world.run_for(3 * SECOND);
    assert_eq!(invites(&sent).len(), 1, "{}", world.ladder());
    assert_eq!(world.state(caller), PhoneState::Talking);
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn any_other_target_goes_by_the_rules_that_are_written() {
    let (mut world, caller, teams, sent) = talking(5);
    world.refers_in(teams, "<sip:8001@10.0.0.1>", &[], MILLISECOND);
    world.run_for(SECOND);
    assert_eq!((world.at(teams).transfers.told.clone(), world.waiting("support")), (vec![100, 200], 1));
    assert!(invites(&sent).is_empty());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}
