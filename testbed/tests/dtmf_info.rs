//! Keys by INFO and as tones, from and to telephones that know no telephone-event.

mod house;

use std::time::Duration;

use house::{DIRECT, HOUSE, MENU, QUEUE, teams, the_end, world};
use router::journal::fact::What;
use testbed::{Behaviour, PhoneId, World, world::SECOND};

#[test]
fn a_key_by_info_chooses_in_a_menu() {
    let mut world = world(1, &[MENU, QUEUE]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930123");
    world.presses_by_info_in(caller, '2', 4 * SECOND);
    world.run_for(5 * SECOND);
    assert_eq!(
        house::count(&world, |what| matches!(what, What::Chose { key, valid: true } if key == "2")),
        1
    );
    assert!(house::heard(&world, caller, "closed"), "{}", world.ladder());
    the_end(&mut world);
}

/// A call in which the caller, the far end, or both know no telephone-event.
fn talk(deaf: impl Fn(&mut World, PhoneId, PhoneId)) -> (World, PhoneId, PhoneId) {
    let mut world = world(2, &[DIRECT]);
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    deaf(&mut world, caller, far);
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    (world, caller, far)
}

fn digits(world: &mut World, caller: PhoneId, far: PhoneId) -> String {
    world.run_for(2 * SECOND);
    let digits = world.at(far).digits.clone();
    world.hangs_up_in(caller, Duration::ZERO);
    the_end(world);
    digits
}

#[test]
fn a_key_by_info_is_an_event_for_those_who_know_events_and_an_info_for_those_who_do_not() {
    for deaf in [false, true] {
        let (mut world, caller, far) = talk(|world, caller, far| {
            world.knows_no_events(caller);
            if deaf {
                world.knows_no_events(far);
            }
        });
        world.presses_by_info_in(caller, '7', Duration::ZERO);
        world.presses_by_info_in(caller, '#', SECOND);
        assert_eq!(digits(&mut world, caller, far), "7#", "{deaf}");
        assert_eq!(world.at(far).got("INFO"), if deaf { 2 } else { 0 });
    }
}

#[test]
fn a_key_in_the_sound_goes_by_info_to_a_far_end_without_events() {
    let (mut world, caller, far) = talk(|world, _, far| world.knows_no_events(far));
    world.presses_in(caller, '5', Duration::ZERO);
    assert_eq!(digits(&mut world, caller, far), "5");
    assert_eq!(world.at(far).got("INFO"), 1);
}

#[test]
fn who_says_a_key_twice_in_the_sound_and_by_info_is_heard_once() {
    let (mut world, caller, far) = talk(|_, _, _| {});
    world.presses_in(caller, '5', Duration::ZERO);
    world.presses_by_info_in(caller, '5', SECOND / 2);
    assert_eq!(digits(&mut world, caller, far), "5");
}

#[test]
fn a_key_as_a_tone_chooses_in_a_menu() {
    let mut world = world(1, &[MENU, QUEUE]);
    let caller = world.caller("caller");
    world.knows_no_events(caller);
    world.dials(caller, "+4930123");
    world.presses_in(caller, '2', 4 * SECOND);
    world.run_for(6 * SECOND);
    assert!(house::heard(&world, caller, "closed"), "{}", world.ladder());
    the_end(&mut world);
}

/// Which way a key of the caller takes to the far end: what it hears as key, and how many INFOs it gets.
fn by(trunk: &str, deaf: bool, press: char) -> (String, u32) {
    let mut world = World::new(2, &format!("{HOUSE}{trunk}\n{DIRECT}"));
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    if deaf {
        world.knows_no_events(far);
    }
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    world.presses_in(caller, press, Duration::ZERO);
    (digits(&mut world, caller, far), world.at(far).got("INFO"))
}

#[test]
fn a_trunk_decides_by_which_way_keys_go_to_its_far_end() {
    assert_eq!(by("", false, '5'), ("5".to_owned(), 0), "as event");
    assert_eq!(by("", true, '5'), ("5".to_owned(), 1), "by INFO, for it is allowed");
    assert_eq!(by("dtmf = \"info\"", false, '5'), ("5".to_owned(), 1), "no events are offered");
    assert_eq!(by("dtmf = \"inband\"", false, '5'), ("5".to_owned(), 0), "as a tone");
    assert_eq!(by("dtmf = \"rfc4733\"", true, '5'), (String::new(), 0), "as event or not at all");
}

/// The caller's trunk has tones only; the far end knows events.
#[test]
fn a_key_as_a_tone_is_an_event_to_who_knows_events() {
    let house = HOUSE.replace("[trunk.carrier]", "[trunk.carrier]\ndtmf = \"inband\"");
    let mut world = World::new(2, &format!("{house}\n{DIRECT}"));
    let caller = world.caller("caller");
    let far = teams(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    world.run_for(3 * SECOND);
    world.presses_in(caller, '8', Duration::ZERO);
    assert_eq!(digits(&mut world, caller, far), "8");
}
