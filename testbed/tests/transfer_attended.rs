//! Attended transfers (RFC 5589 §7) and INVITEs that take a party's place (Replaces, RFC 3891).

mod house;

use std::time::Duration;

use house::{ANNA, BO, anna, bo, ends, segments};
use router::journal::fact::{AgentState, Cause, TransferStep, What};
use router::record::Record;
use sip_core::message::Header;
use testbed::{
    Behaviour, PhoneId, World,
    phone::{HoldBy, PhoneState},
    world::{MILLISECOND, SECOND},
};

/// anna answers support; who dials 2 from a telephone behind the carrier's SBC reaches sales, where bo is, and who dials 0
/// is let out.
const DESK: &str = r#"
[[number]]
match = "+4930999"
trunk = "carrier"
flow = "support"
[[number]]
match = "2"
flow = "sales"
[[number]]
match = "0*"
flow = "out"
[flow.support]
steps = [{ queue = "support" }, "hangup"]
[flow.sales]
steps = [{ queue = "sales" }, "hangup"]
[flow.out]
steps = [{ dial = "{called}@out" }]
[trunk.out]
send_to = ["udp:10.3.0.1:5060"]
[queue.support]
wrap_up = "10s"
[queue.sales]
music = "prompts/music.wav"
"#;

struct Story {
    world: World,
    caller: PhoneId,
    anna: PhoneId,
    bo: PhoneId,
}

/// The caller has reached anna, who has put him on hold and called `user`.
fn consulting(seed: u64, user: &str, outside: Behaviour) -> Story {
    consulting_by(seed, user, outside, |house| house)
}

/// The same in a house with changes.
fn consulting_by(seed: u64, user: &str, outside: Behaviour, change: fn(String) -> String) -> Story {
    let bo_in_sales = BO.replace("support", "sales");
    let mut world = World::new(seed, &change(house::house(&[DESK, ANNA, &bo_in_sales])));
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let bo = bo(&mut world, Behaviour::Answers(SECOND));
    world.phone_at("outside", "10.3.0.1:5060", outside);
    let caller = house::talks_to_anna(&mut world, anna);
    world.holds_in(anna, true, MILLISECOND);
    world.run_for(SECOND);
    world.dials(anna, user);
    world.run_for(4 * SECOND);
    Story { world, caller, anna, bo }
}

impl Story {
    fn told(&self) -> &[u16] {
        &self.world.at(self.anna).transfers.told
    }

    /// The records of the two calls, that of the customer last, for it ends last.
    fn records(&mut self) -> [Record; 2] {
        self.world.hangs_up_in(self.caller, SECOND);
        self.world.run_until_silent().assert_nothing_left();
        self.world.records().try_into().unwrap_or_else(|records| panic!("{records:?}"))
    }
}

#[test]
fn whom_the_agent_has_consulted_gets_the_caller_in_one_record() {
    let mut story = consulting(1, "2", Behaviour::Dead);
    assert!(story.world.heard(story.anna, story.bo), "{}", story.world.ladder());
    story.world.transfers_attended_in(story.anna, MILLISECOND);
    story.world.run_for(3 * SECOND);
    assert_eq!(story.told(), [100, 200], "{}", story.world.ladder());
    assert!(story.world.heard(story.caller, story.bo) && story.world.heard(story.bo, story.caller));
    assert_eq!(story.world.state(story.anna), PhoneState::Ended);
    let states = ["anna", "bo"].map(|agent| story.world.agent_state(agent));
    assert_eq!(states, [AgentState::WrapUp, AgentState::Talking]);
    let [consultation, call] = story.records();
    assert_eq!(segments(&call), [(0, 1, Some("anna")), (0, 2, Some("bo"))]);
    assert_eq!((call.transfers[0].status, call.cause), (Some(200), Some(Cause::CallerHungUp)));
    assert_eq!((consultation.went_to, consultation.cause), (Some(call.call), Some(Cause::Transferred)));
    assert_eq!(segments(&consultation), [(0, 1, Some("bo"))]);
    assert_eq!(story.world.agent_state("bo"), AgentState::Idle);
}

/// Seed 7000759 of the telephones' days: the hold was on record in the call that it had ended with, and no longer counted.
#[test]
fn a_hold_that_comes_over_with_a_party_is_on_record_where_it_goes_on() {
    let mut story = consulting(5, "2", Behaviour::Dead);
    story.world.holds_by_in(story.bo, HoldBy::Inactive, MILLISECOND);
    story.world.run_for(SECOND);
    story.world.transfers_attended_in(story.anna, MILLISECOND);
    story.world.run_for(4 * SECOND);
    story.world.holds_in(story.bo, false, MILLISECOND);
    story.world.run_for(2 * SECOND);
    let (caller, bo) = (story.caller, story.bo);
    assert!(story.world.heard(bo, caller) && story.world.heard(caller, bo), "{}", story.world.ladder());
    let holds = |what: &&What| matches!(what, What::Held { leg: 2, .. });
    assert_eq!(story.world.happened().filter(holds).count(), 2, "it begins and ends");
    let [consultation, call] = story.records();
    assert!((900..1_100).contains(&consultation.hold_ms), "{}", consultation.hold_ms);
    let before = 5_900..6_200; // anna held him while she consulted
    assert!(before.contains(&(call.hold_ms - 4_000)), "{}", call.hold_ms);
}

#[test]
fn whom_the_agent_has_called_outside_gets_the_caller_and_may_end_the_call() {
    let mut story = consulting(2, "0301234", Behaviour::AnswersFor(SECOND, 20 * SECOND));
    story.world.transfers_attended_in(story.anna, MILLISECOND);
    story.world.run_for(3 * SECOND);
    assert_eq!(story.told(), [100, 200]);
    assert_eq!(story.world.state(story.caller), PhoneState::Talking);
    story.world.run_until_silent().assert_nothing_left();
    assert_eq!(ends(&story.world).last().unwrap().0, Cause::CalledHungUp);
    assert_eq!(story.world.state(story.caller), PhoneState::Ended);
}

#[test]
fn a_consultation_that_still_waits_or_rings_leads_the_caller_there() {
    let mut story = consulting(3, "0301234", Behaviour::Answers(6 * SECOND));
    story.world.transfers_attended_in(story.anna, MILLISECOND);
    story.world.run_for(2 * SECOND);
    assert_eq!(story.told(), [100, 180], "{}", story.world.ladder());
    story.world.run_for(6 * SECOND);
    assert_eq!((story.told(), story.world.state(story.caller)), (&[100, 180, 200][..], PhoneState::Talking));
    story.records();
    let mut world = house::world(4, &[DESK, ANNA]);
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let caller = house::talks_to_anna(&mut world, anna);
    world.dials(anna, "2");
    world.transfers_attended_in(anna, 2 * SECOND);
    world.run_for(4 * SECOND);
    assert_eq!((&world.at(anna).transfers.told[..], world.waiting("sales")), (&[100, 200][..], 1));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// For bo it is one call, first anna's and then the caller's: he has missed none (RFC 3326 §3.2).
#[test]
fn who_rings_for_a_consultation_is_told_that_it_goes_on_elsewhere() {
    let bo_in_sales = BO.replace("support", "sales");
    let mut world = house::world(7, &[DESK, ANNA, &bo_in_sales]);
    let (anna, bo) = (anna(&mut world, Behaviour::Answers(SECOND)), bo(&mut world, Behaviour::NeverAnswers));
    let caller = world.caller("+49301");
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    world.dials(anna, "2");
    world.run_for(2 * SECOND);
    world.transfers_attended_in(anna, MILLISECOND);
    world.run_for(2 * SECOND);
    let cancel = &world.at(bo).last["CANCEL"];
    assert_eq!(house::value(cancel, Header::Reason), "SIP;cause=200;text=\"Call completed elsewhere\"");
    assert_eq!((world.at(bo).got("INVITE"), world.state(bo)), (2, PhoneState::Rung), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn a_dialog_that_is_none_of_ours_leaves_the_talk_as_it_is() {
    let mut story = consulting(5, "2", Behaviour::Dead);
    let unknown = "<sip:x@10.0.0.1?Replaces=gone%3Bto-tag%3Da%3Bfrom-tag%3Db>";
    story.world.refers_in(story.anna, unknown, &[], MILLISECOND);
    story.world.run_for(SECOND);
    assert_eq!(story.told(), [100, 481]);
    assert_eq!(story.world.state(story.caller), PhoneState::Talking);
    story.world.hangs_up_in(story.anna, SECOND);
    story.world.run_until_silent().assert_nothing_left();
    let records = story.world.records();
    let call = records.iter().find(|record| record.to == "+4930999").unwrap();
    assert_eq!(segments(call), [(0, 1, Some("anna"))], "they were never parted");
    let talk = &call.segments[0];
    assert_eq!(call.talk_ms, u64::try_from((talk.until.unwrap() - talk.from) / 1_000).unwrap());
    assert!(call.talk_ms > 8_500, "{call:?}");
}

/// RFC 5359 §2.1, RFC 5589 §7: whom the transferring agent had put on hold is told that he is not any more.
#[test]
fn a_caller_who_was_told_that_he_is_on_hold_is_told_when_he_is_not() {
    const PASS: &str = "accept_from = [\"10.1.0.0/16\"]\nhold = \"pass\"";
    let says = |story: &Story, direction: &str| {
        let body = story.world.at(story.caller).last["INVITE"].body();
        String::from_utf8_lossy(&body).contains(&format!("a={direction}"))
    };
    for (attended, waiting) in [(true, 0), (false, 1)] {
        let mut story = consulting_by(40, "2", Behaviour::Dead, |house| {
            house.replace("accept_from = [\"10.1.0.0/16\"]", PASS)
        });
        assert!(says(&story, "sendonly"), "{}", story.world.ladder());
        if attended {
            story.world.transfers_attended_in(story.anna, MILLISECOND);
        } else {
            story.world.transfers_in(story.anna, "2", MILLISECOND); // into the queue of bo, who speaks with anna
        }
        story.world.run_for(3 * SECOND);
        assert!(says(&story, "sendrecv"), "{}", story.world.ladder());
        assert_eq!((story.world.at(story.caller).got("INVITE"), story.world.waiting("sales")), (2, waiting));
        story.world.hangs_up_in(story.caller, SECOND);
        story.world.hangs_up_in(story.anna, SECOND);
        story.world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn the_consulted_party_hangs_up_in_the_same_moment_and_nobody_is_lost() {
    for early in 0..12 {
        let mut story = consulting(10 + early, "2", Behaviour::Dead);
        story.world.transfers_attended_in(story.anna, 10 * MILLISECOND);
        story.world.hangs_up_in(story.bo, u32::try_from(early).unwrap() * 2 * MILLISECOND);
        story.world.run_for(SECOND);
        story.world.hangs_up_in(story.caller, SECOND);
        story.world.hangs_up_in(story.anna, SECOND);
        story.world.run_until_silent().assert_nothing_left();
    }
}

/// Teams' call queues, and desk phones: another telephone takes the agent's place.
#[test]
fn another_telephone_takes_the_place_of_the_agents() {
    let mut world = house::world(30, &[DESK, ANNA]);
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let caller = house::talks_to_anna(&mut world, anna);
    let other = world.phone_at("other", "10.2.0.77:5060", Behaviour::Busy);
    let named = world.names_call(anna);
    world.writes(other, "Replaces", &named);
    world.writes(other, "Require", "replaces");
    world.dials(other, "+4930999");
    world.run_for(2 * SECOND);
    assert_eq!(
        (world.state(anna), world.state(other)),
        (PhoneState::Ended, PhoneState::Talking),
        "{}",
        world.ladder()
    );
    assert!(world.heard(caller, other) && world.heard(other, caller));
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.hangs_up_in(other, SECOND);
    world.run_until_silent().assert_nothing_left();
    let record = world.records().remove(0);
    assert_eq!(segments(&record), [(0, 1, Some("anna")), (0, 2, Some("anna"))]);
    assert_eq!(record.cause, Some(Cause::CalledHungUp));
}

/// The talk goes on: its time is that of the segment, the trunk has no call more, and who hangs up soon has not fled.
#[test]
fn the_talk_goes_on_at_the_telephone_that_takes_a_place() {
    let anna_by_trunk = "[agent.anna]\ncall = \"+49555@teams\"\nqueues = [\"support\"]\n";
    let house = house::house_with("", "max_calls = 1", &format!("{DESK}{anna_by_trunk}"));
    let mut world = World::new(33, &house);
    let (anna, caller) = (house::teams(&mut world, Behaviour::Answers(SECOND)), world.caller("+49301"));
    let other = world.phone_at("other", "10.2.0.77:5060", Behaviour::Busy);
    world.dials(caller, "+4930999");
    world.run_for(5 * SECOND);
    let named = world.names_call(anna);
    world.writes(other, "Replaces", &named);
    world.dials(other, "+4930999");
    world.run_for(SECOND);
    assert_eq!((world.state(anna), world.state(other)), (PhoneState::Ended, PhoneState::Talking));
    world.hangs_up_in(other, Duration::ZERO);
    world.run_for(SECOND);
    assert_eq!(ends(&world)[0].0, Cause::CalledHungUp, "{}", world.ladder());
    world.run_until_silent().assert_nothing_left();
    let record = world.records().remove(0);
    let [first, second] = &record.segments[..] else { panic!("{record:?}") };
    assert_eq!(first.until, Some(second.from));
    assert_eq!(record.talk_ms, u64::try_from((second.until.unwrap() - first.from) / 1_000).unwrap());
}

#[test]
fn another_telephone_takes_the_callers_place_and_hangs_up_for_him() {
    let mut world = house::world(31, &[DESK, ANNA]);
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let caller = house::talks_to_anna(&mut world, anna);
    let other = world.caller("+49302");
    let named = world.names_call(caller);
    world.writes(other, "Replaces", &named);
    world.dials_without_offer(other, "+4930999");
    world.run_for(2 * SECOND);
    assert_eq!(
        (world.state(caller), world.state(anna)),
        (PhoneState::Ended, PhoneState::Talking),
        "{}",
        world.ladder()
    );
    assert!(world.heard(anna, other) && world.heard(other, anna));
    world.hangs_up_in(other, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(ends(&world)[0].0, Cause::CallerHungUp);
}

#[test]
fn who_comes_by_another_trunk_takes_nobodys_place() {
    let mut world = house::world(32, &[DESK, ANNA]);
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let caller = house::talks_to_anna(&mut world, anna);
    let stranger = world.caller("+49302");
    let named = world.names_call(anna); // a dialog of the trunk teams
    world.writes(stranger, "Replaces", &named);
    world.dials(stranger, "+4930999");
    world.run_for(SECOND);
    assert_eq!((world.state(stranger), world.state(anna)), (PhoneState::Failed(403), PhoneState::Talking));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(
        ends(&world).iter().map(|end| end.0).collect::<Vec<_>>(),
        [Cause::Rejected, Cause::CallerHungUp]
    );
    assert!(!world.happened().any(|what| matches!(what, What::Transfer(TransferStep::Replaced { .. }))));
}

/// Numbers of legs end at 4,095, and somebody who is called may have several addresses.
#[test]
fn a_call_that_has_had_as_many_legs_as_a_call_may_takes_nobody_more() {
    let anna_by_trunk = "[agent.anna]\ncall = \"+49555@teams\"\nqueues = [\"support\"]\n";
    let house = house::house_with("", "", &format!("{DESK}{anna_by_trunk}"));
    let mut world = World::new(34, &house).rtp_every(60 * SECOND);
    let anna = house::teams(&mut world, Behaviour::Answers(SECOND));
    let caller = house::talks_to_anna(&mut world, anna);
    let others = [0, 1].map(|n| world.phone_at("other", &format!("10.2.0.{}:5060", 77 + n), Behaviour::Busy));
    let (mut talks, mut turn) = (anna, 0);
    let refused = loop {
        let (named, next) = (world.names_call(talks), others[turn % 2]);
        world.writes_only(next, "Replaces", &named);
        world.dials(next, "+4930999");
        world.run_for(60 * MILLISECOND);
        if world.state(next) != PhoneState::Talking || turn > 5_000 {
            break world.state(next);
        }
        (talks, turn) = (next, turn + 1);
    };
    assert_eq!((refused, world.state(talks)), (PhoneState::Failed(403), PhoneState::Talking));
    world.transfers_in(talks, "2", MILLISECOND);
    world.run_for(SECOND);
    assert_eq!(world.at(talks).transfers.told, [403], "nor may he be transferred");
    assert_eq!((world.state(caller), world.state(talks)), (PhoneState::Talking, PhoneState::Talking));
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    let record = world.records().pop().unwrap();
    assert_eq!(record.legs.len(), 3_900);
}
