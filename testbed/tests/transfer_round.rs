//! A transfer that was sent back to its trunk and comes to us again, as Teams does with one to a number of ours: the caller
//! goes on in his own call (`transfers_rejoin`).

mod house;

use std::time::Duration;

use house::{count, segments, teams, value};
use router::journal::fact::{AgentState, Cause, TransferStep, What};
use sip_core::message::Header;
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
[[number]]
match = "+49307*"
trunk = "teams"
flow = "sales"
[flow.support]
steps = [{ queue = "support" }, "hangup"]
[flow.sales]
steps = [{ queue = "sales" }, "hangup"]
[queue.support]
wrap_up = "10s"
[queue.sales]
music = "prompts/music.wav"
[agent.anna]
call = "+49555@teams"
queues = ["support"]
[agent.bo]
call = "sip:bo@10.2.0.12:5060"
queues = ["sales"]
login = "manual"
"#;

const REFERRED_BY: &str = "<sip:10.2.0.1:5060;x-m=8:orgid:66ad;x-t=0d9a;x-ti=3f0c;x-tt=aHR0%3D>";
const SAME_REFERRER: &str = "<sip:sip.pstnhub.microsoft.com:5061;x-ti=3f0c>";

struct Story {
    world: World,
    caller: PhoneId,
    /// Where calls to Teams go.
    teams: PhoneId,
    /// Where a call that comes of one starts.
    other: PhoneId,
}

/// anna in Teams has been asked to transfer the caller to a number of ours; Teams has got that back, and rings nobody.
fn sent_back(seed: u64, by: &str) -> Story {
    let keys = format!("transfers_return = true\ntransfers_rejoin = {by}\n");
    let mut world = World::new(seed, &house::house_with("", &keys, DESK));
    let teams = teams(&mut world, Behaviour::Answers(SECOND));
    let other = world.phone_at("+49301", "10.2.0.3:5060", Behaviour::Busy);
    let caller = house::talks_to_anna(&mut world, teams);
    world.behave(teams, Behaviour::NeverAnswers);
    world.stays_after_transfer(teams);
    world.refers_in(teams, "<sip:+4930777@10.2.0.1:5060>", &[("Referred-By", REFERRED_BY)], MILLISECOND);
    world.run_for(100 * MILLISECOND);
    assert_eq!(world.at(teams).got("INVITE"), 2, "{}", world.ladder());
    Story { world, caller, teams, other }
}

impl Story {
    /// And calls the number, with this header.
    fn comes(&mut self, name: &str, header: &str) {
        self.world.writes(self.other, name, header);
        self.world.dials(self.other, "+4930777");
    }

    fn has_come_round(&self) -> usize {
        count(&self.world, |what| matches!(what, What::Transfer(TransferStep::CameRound { .. })))
    }

    fn is_over(&mut self) {
        self.world.hangs_up_in(self.caller, SECOND);
        self.world.hangs_up_in(self.other, SECOND);
        self.world.hangs_up_in(self.teams, SECOND);
        self.world.run_until_silent().assert_nothing_left();
    }
}

#[test]
fn the_caller_goes_on_in_his_own_call_and_both_that_went_round_end() {
    let mut story = sent_back(1, r#"["referred-by"]"#);
    story.comes("Referred-By", SAME_REFERRER);
    story.world.run_for(100 * MILLISECOND);
    assert_eq!(story.world.waiting("sales"), 1, "{}", story.world.ladder());
    let told = &story.world.at(story.teams).transfers.told;
    assert_eq!(told.last(), Some(&200), "anna's Teams hears that it is done: {told:?}");
    let cancel = &story.world.at(story.teams).last["CANCEL"];
    assert!(value(cancel, Header::Reason).contains("Call completed elsewhere"), "no missed call for anybody");
    story.world.hangs_up_in(story.other, Duration::ZERO); // Teams cancels what came of it
    story.world.run_for(SECOND);
    assert_eq!(story.world.at(story.other).got("487"), 1);
    assert!(house::heard(&story.world, story.caller, "music"), "and he hears what waits for him there");
    let bo = house::bo(&mut story.world, Behaviour::Answers(SECOND));
    story.world.agent_wish("bo", router::journal::fact::Wish::Ready);
    story.world.run_for(4 * SECOND);
    assert!(story.world.heard(story.caller, bo) && story.world.heard(bo, story.caller));
    assert_eq!(story.world.agent_state("anna"), AgentState::WrapUp, "who stays is hung up");
    story.is_over();
    let records = story.world.records();
    let [record] = &records[..] else { panic!("{records:#?}") };
    assert_eq!(segments(record), [(0, 1, Some("anna")), (0, 4, Some("bo"))]);
    assert_eq!((record.queue.as_deref(), record.flow.as_str()), (Some("sales"), "sales"));
    assert_eq!((record.legs[3].hairpin_of, record.legs[3].status), (Some(record.call), Some(487)));
    assert_eq!((record.transfers[0].status, record.cause), (Some(200), Some(Cause::CallerHungUp)));
}

#[test]
fn an_entry_of_ours_in_its_history_says_so_too() {
    let mut story = sent_back(2, r#"["referred-by", "history-info"]"#);
    let entry = value(&story.world.at(story.teams).last["INVITE"], Header::HistoryInfo);
    assert!(entry.starts_with("<sip:+4930999@10.0.0.1:5060;rejoin="), "{entry}");
    story.comes("History-Info", &format!("{entry},<sip:+4930777@10.0.0.1>;index=1.1"));
    story.world.run_for(SECOND);
    assert_eq!((story.has_come_round(), story.world.waiting("sales")), (1, 1), "{}", story.world.ladder());
    story.is_over();
    assert_eq!(story.world.records().len(), 1);
}

#[test]
fn one_that_teams_forgets_to_cancel_is_ended_by_us() {
    let mut story = sent_back(3, r#""referred-by""#);
    story.comes("Referred-By", SAME_REFERRER);
    story.world.run_for(SECOND);
    assert_eq!(story.world.state(story.other), PhoneState::Calling);
    story.world.run_for(2 * SECOND);
    assert_eq!(story.world.state(story.other), PhoneState::Failed(487), "{}", story.world.ladder());
    assert_eq!(story.world.state(story.caller), PhoneState::Talking);
    story.is_over();
    let round =
        story.world.records()[0].legs.iter().find(|leg| leg.hairpin_of.is_some()).map(|leg| leg.status);
    assert_eq!(round, Some(Some(487)), "and its end is on record");
}

/// What may come round, whether its record names the first call, and how it comes.
type Case<'a> = (&'a str, bool, &'a dyn Fn(&mut Story));

/// Numbers and times prove nothing.
#[test]
fn what_does_not_bring_what_we_sent_or_is_for_another_number_is_a_call_of_its_own() {
    let other_number = |story: &mut Story| {
        story.world.writes(story.other, "Referred-By", SAME_REFERRER);
        story.world.dials(story.other, "+4930778");
    };
    let cases: &[Case] = &[
        (r#"["referred-by"]"#, false, &|story| story.comes("X-Nothing", "1")),
        (r#"["referred-by"]"#, false, &|story| story.comes("Referred-By", "<sip:h;x-ti=3f0d>")),
        (r#"["history-info"]"#, false, &|story| story.comes("Referred-By", SAME_REFERRER)),
        ("[]", false, &|story| story.comes("Referred-By", SAME_REFERRER)),
        (r#"["history-info"]"#, false, &|story| {
            story.comes("History-Info", "<sip:+4930999@10.0.0.1;rejoin=0>;index=1");
        }),
        (r#"["referred-by"]"#, true, &other_number),
        (r#"["referred-by"]"#, false, &|story| {
            story.other = story.world.caller("+49301"); // by another trunk
            story.comes("Referred-By", SAME_REFERRER);
        }),
    ];
    for (seed, (by, is_told, comes)) in cases.iter().enumerate() {
        let mut story = sent_back(10 + seed as u64, by);
        comes(&mut story);
        story.world.run_for(SECOND);
        assert_eq!(story.has_come_round(), 0, "{seed}");
        let ours = |what: &What| matches!(what, What::Arrived { hairpin_of: Some(_), .. });
        assert_eq!(count(&story.world, ours), usize::from(*is_told), "{seed}: its record names the first");
        story.is_over();
        assert_eq!(story.world.records().len(), 2, "{seed}");
    }
}

/// The caller hangs up, Teams hangs up, takes back or answers at any instant beside the one at which it comes round.
#[test]
fn whatever_happens_beside_it_one_record_is_left_and_nobody_is_stuck() {
    for at in 0..24 {
        for deed in 0..4 {
            let mut story = sent_back(40 + u64::from(at), r#"["referred-by"]"#);
            let pause = at * MILLISECOND;
            match deed {
                0 => story.world.hangs_up_in(story.caller, pause),
                1 => story.world.hangs_up_in(story.teams, pause), // BYE of the first, 486 for the second
                2 => story.world.hangs_up_first_in(story.teams, pause),
                _ => story.world.hangs_up_in(story.other, pause + MILLISECOND),
            }
            story.comes("Referred-By", SAME_REFERRER);
            story.world.run_for(4 * SECOND);
            story.is_over();
            let come_round = story.has_come_round();
            assert_eq!(story.world.records().len(), 2 - come_round, "{at} {deed}: {}", story.world.ladder());
            assert_ne!(story.world.agent_state("anna"), AgentState::Talking, "{at} {deed}");
        }
    }
}
