//! Prompts, keys and opening hours.

mod house;

use house::{ANNA, MENU, QUEUE, anna, the_end, world};
use router::journal::fact::{Cause, Fault, What};
use testbed::{Behaviour, World, phone::PhoneState, world::SECOND};

/// Prompts of the world last two seconds: welcome is over at 2 s, the menu's prompt at 4 s.
fn caller_presses(seed: u64, keys: &[(char, u32)]) -> (World, testbed::PhoneId, testbed::PhoneId) {
    let mut world = world(seed, &[MENU, QUEUE, ANNA]);
    let caller = world.caller("caller");
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.dials(caller, "+4930123");
    for (key, at) in keys {
        world.presses_in(caller, *key, *at * SECOND);
    }
    (world, caller, agent)
}

fn choices(world: &World) -> Vec<(String, bool)> {
    let chose = |what: &What| match what {
        What::Chose { key, valid } => Some((key.clone(), *valid)),
        _ => None,
    };
    world.happened().filter_map(chose).collect()
}

#[test]
fn the_caller_hears_the_welcome_and_the_menu_and_his_key_takes_him_to_an_agent() {
    let (mut world, caller, agent) = caller_presses(1, &[('1', 5)]);
    world.run_for(8 * SECOND);
    let heard = &world.at(caller).heard;
    assert!(heard.contains_key(&world.voice_of("welcome")) && heard.contains_key(&world.voice_of("menu")));
    assert!(world.heard(caller, agent) && world.heard(agent, caller), "{}", world.ladder());
    assert_eq!(choices(&world), [("1".to_owned(), true)]);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
}

#[test]
fn a_key_during_the_prompt_cuts_it() {
    let (mut world, caller, agent) = caller_presses(2, &[('1', 3)]);
    world.run_for(6 * SECOND);
    assert!(world.heard(caller, agent));
    let menu = world.at(caller).heard[&world.voice_of("menu")];
    assert!(menu < 80, "a whole prompt is 100 packets, {menu} were heard");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_wrong_key_plays_the_menu_again() {
    let (mut world, caller, agent) = caller_presses(3, &[('7', 5), ('1', 8)]);
    world.run_for(12 * SECOND);
    assert!(world.heard(caller, agent), "{}", world.ladder());
    assert_eq!(choices(&world), [("7".to_owned(), false), ("1".to_owned(), true)]);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn no_key_in_any_try_leads_where_otherwise_says() {
    let (mut world, caller, agent) = caller_presses(4, &[]);
    world.run_for(20 * SECOND);
    assert!(world.heard(caller, agent), "{}", world.ladder());
    assert_eq!(choices(&world), [(String::new(), false), (String::new(), false)]);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn another_key_leads_to_another_flow_which_hangs_up() {
    let (mut world, caller, _) = caller_presses(5, &[('2', 5)]);
    world.run_for(9 * SECOND);
    assert!(world.at(caller).heard.contains_key(&world.voice_of("closed")));
    assert_eq!(world.state(caller), PhoneState::Ended);
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
}

#[test]
fn the_caller_gives_up_in_the_welcome_and_in_the_menu() {
    for (seed, after) in [(6, 1), (7, 3), (8, 5)] {
        let (mut world, caller, _) = caller_presses(seed, &[]);
        world.hangs_up_in(caller, after * SECOND);
        assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    }
}

#[test]
fn outside_opening_hours_the_closed_prompt_answers() {
    // The world begins on a Wednesday at 08:00 UTC, 09:00 in Berlin.
    let hours = "[hours.office]\nzone = \"Europe/Berlin\"\nmon-fri = \"10:00-17:00\"\nclosed_prompt = \"prompts/closed.wav\"\n";
    let closed = MENU.replace("flow = \"menu\"", "flow = \"menu\"\nhours = \"office\"");
    let mut world = world(10, &[&closed, QUEUE, hours]);
    let caller = world.caller("caller");
    world.dials(caller, "+4930123");
    world.run_for(5 * SECOND);
    let heard = &world.at(caller).heard;
    assert!(heard.contains_key(&world.voice_of("closed")) && !heard.contains_key(&world.voice_of("welcome")));
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
    assert_eq!(house::count(&world, |what| matches!(what, What::HoursChecked { open: false, .. })), 1);
}
