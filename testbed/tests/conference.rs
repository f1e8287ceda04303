//! Conferences: who has come to a step of the same name hears all others, and not himself.

mod house;

use std::time::Duration;

use house::world;
use router::journal::fact::What;
use testbed::{PhoneId, World, world::SECOND};

const TONES: [u16; 3] = [700, 1_100, 1_700];

const CONFERENCE: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "meeting"
[flow.meeting]
steps = [{ conference = "standup" }, { play = "prompts/closed.wav" }]
"#;

fn joined(world: &mut World, hz: u16, after: Duration) -> PhoneId {
    let phone = world.caller(&format!("caller-{hz}"));
    world.speaks_tone(phone, hz);
    world.dials_in(phone, "+4930123", after);
    phone
}

#[test]
fn three_hear_each_other_over_a_lossy_network_and_who_hangs_up_is_heard_no_more() {
    let mut world = world(31, &[CONFERENCE]).link(testbed::Link::lossy(0.02));
    let phones = TONES.map(|hz| joined(&mut world, hz, SECOND / 10));
    world.run_for(6 * SECOND);
    for (phone, own) in phones.into_iter().zip(TONES) {
        let others: Vec<u16> = TONES.into_iter().filter(|hz| *hz != own).collect();
        assert_eq!(world.hears_tones(phone, &TONES), others, "{own} Hz");
    }
    world.hangs_up_in(phones[0], SECOND / 10);
    world.run_for(2 * SECOND);
    assert_eq!(world.hears_tones(phones[1], &TONES), [TONES[2]]);
    assert_eq!(world.hears_tones(phones[2], &TONES), [TONES[1]]);
    world.hangs_up_in(phones[1], SECOND / 10);
    world.hangs_up_in(phones[2], SECOND / 10);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.engine().counters().rooms, 0);
    assert_eq!(world.happened().filter(|what| matches!(what, What::ConferenceJoined { .. })).count(), 3);
}

#[test]
fn who_holds_the_conference_is_not_heard_and_comes_back() {
    let mut world = world(32, &[CONFERENCE]);
    let phones = TONES.map(|hz| joined(&mut world, hz, SECOND / 10));
    world.run_for(2 * SECOND);
    world.holds_in(phones[0], true, SECOND / 10);
    world.run_for(2 * SECOND);
    assert_eq!(world.hears_tones(phones[1], &TONES), [TONES[2]]);
    world.holds_in(phones[0], false, SECOND / 10);
    world.run_for(2 * SECOND);
    assert_eq!(world.hears_tones(phones[1], &TONES), [TONES[0], TONES[2]]);
    assert_eq!(world.hears_tones(phones[0], &TONES), [TONES[1], TONES[2]]);
    phones.into_iter().for_each(|phone| world.hangs_up_in(phone, SECOND / 10));
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn the_thirty_third_goes_on_with_the_next_step() {
    let mut world = world(33, &[CONFERENCE]);
    let phones: Vec<PhoneId> = (0..33).map(|n| joined(&mut world, 300 + 60 * n, SECOND / 10)).collect();
    world.run_for(10 * SECOND);
    assert_eq!(
        world.happened().filter(|what| matches!(what, What::ConferenceFull)).count(),
        1,
        "{}",
        world.ladder()
    );
    assert_eq!(world.engine().counters().rooms, 1);
    phones.into_iter().for_each(|phone| world.hangs_up_in(phone, SECOND / 10));
    world.run_until_silent().assert_nothing_left();
}
