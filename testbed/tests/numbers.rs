//! Number plans: in the house a number has one writing, on each trunk its own.

mod house;

use house::{busy_teams, house_with, the_end, value};
use router::journal::fact::{Cause, What};
use sip_core::message::Header;
use testbed::{World, world::SECOND};

const GERMAN: &str = "country = \"49\"\nnumbers_in = \"national\"\n";
const TO_TEAMS: &str = "numbers_out = \"+e164\"\nuser_phone = true\n";
const ONE_NUMBER: &str = r#"
[[number]]
match = "+4930123"
trunk = "carrier"
flow = "through"
[flow.through]
steps = [{ dial = "{called}@teams" }]
"#;

#[test]
fn a_national_number_is_matched_and_recorded_and_sent_on_as_e164() {
    let mut world = World::new(1, &house_with(GERMAN, TO_TEAMS, ONE_NUMBER));
    let seen = busy_teams(&mut world);
    let caller = world.caller("0172555");
    world.dials(caller, "030123");
    assert_eq!(the_end(&mut world).0, Cause::Busy);
    let seen = seen.borrow();
    assert_eq!(seen[0].request_uri_bytes(), "sip:+4930123@10.2.0.1:5060;user=phone");
    assert_eq!(value(&seen[0], Header::To), "<sip:+4930123@10.2.0.1:5060;user=phone>");
    let from = value(&seen[0], Header::From);
    assert!(from.starts_with("<sip:+49172555@10.0.0.1:5060;user=phone>;tag="), "{from}");
    let record = &world.records()[0];
    assert_eq!((record.from.as_str(), record.to.as_str()), ("+49172555", "+4930123"));
    assert_eq!(record.number, "+4930123");
}

#[test]
fn without_a_plan_numbers_stay_as_they_are() {
    let mut world = World::new(2, &house_with("", "", &ONE_NUMBER.replace("+4930123", "030123")));
    let seen = busy_teams(&mut world);
    let caller = world.caller("0172555");
    world.dials(caller, "030123");
    assert_eq!(the_end(&mut world).0, Cause::Busy);
    assert_eq!(seen.borrow()[0].request_uri_bytes(), "sip:030123@10.2.0.1:5060");
    assert!(value(&seen.borrow()[0], Header::From).starts_with("<sip:0172555@10.0.0.1:5060>;tag="));
}

#[test]
fn a_group_of_callers_knows_them_by_their_e164_number_however_the_trunk_writes_it() {
    let sections = r#"
[[number]]
match = "+4930123"
flow = "straight"
[flow.straight]
steps = [{ queue = "support" }]
[queue.support]
[callers.gold]
numbers = "+49172555"
boost = "10m"
[agent.anna]
call = "1@teams"
queues = "support"
login = "manual"
"#;
    for written in ["0172555", "0049172555", "+49172555"] {
        let mut world = World::new(3, &house_with(GERMAN, "", sections));
        let caller = world.caller(written);
        world.dials(caller, "030123");
        world.run_for(SECOND);
        let gold = |what: &What| matches!(what, What::Queued { credits, .. } if !credits.is_empty());
        assert!(world.happened().any(gold), "{written}");
    }
}

#[test]
fn a_word_of_the_trunk_for_a_withheld_number_is_shown_to_nobody() {
    let carrier = format!("{GERMAN}withheld = \"restricted\"\n");
    let mut world = World::new(4, &house_with(&carrier, TO_TEAMS, ONE_NUMBER));
    let seen = busy_teams(&mut world);
    let caller = world.caller("restricted");
    world.dials(caller, "030123");
    the_end(&mut world);
    let from = value(&seen.borrow()[0], Header::From);
    assert!(from.starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="), "{from}");
    assert_eq!(world.records()[0].from, "");
}
