//! Callers are spoken to in their language: by the number, by a menu, and else in the first of the file.

mod house;

use house::{QUEUE, the_end, world};
use testbed::{PhoneId, World, world::SECOND};

const SPOKEN: &str = r#"
[prompts]
languages = ["de", "en"]
[[number]]
match = "+4930123"
trunk = "carrier"
flow = "hello"
[[number]]
match = "+4420123"
trunk = "carrier"
flow = "hello"
language = "en"
[flow.hello]
steps = [
  { play = "prompts/{lang}/welcome.wav" },
  { menu = { prompt = "prompts/{lang}/menu.wav", keys = { 1 = "flow.wait", 2 = "flow.english" } } },
]
[flow.english]
steps = [{ language = "en" }, { goto = "flow.wait" }]
[flow.wait]
steps = [{ play = "prompts/{lang}/closed.wav" }, { queue = "support" }]
"#;

/// Everything with a language that this telephone has heard.
fn heard(world: &World, phone: PhoneId) -> Vec<String> {
    let all =
        ["de", "en"].into_iter().flat_map(|l| ["welcome", "menu", "closed"].map(|p| format!("{l}/{p}")));
    all.filter(|name| world.at(phone).heard.contains_key(&world.voice_of(name))).collect()
}

/// A caller of `number`, who presses `key` after four seconds.
fn calls(seed: u64, number: &str, key: char) -> Vec<String> {
    let mut world = world(seed, &[QUEUE, SPOKEN]);
    let caller = world.caller("caller");
    world.dials(caller, number);
    world.presses_in(caller, key, 5 * SECOND);
    world.hangs_up_in(caller, 9 * SECOND);
    the_end(&mut world);
    heard(&world, caller)
}

#[test]
fn the_first_language_is_that_of_a_call_of_which_nothing_is_said() {
    assert_eq!(calls(1, "+4930123", '1'), ["de/welcome", "de/menu", "de/closed"]);
}

#[test]
fn a_number_has_its_language() {
    assert_eq!(calls(2, "+4420123", '1'), ["en/welcome", "en/menu", "en/closed"]);
}

#[test]
fn a_key_chooses_the_language_from_then_on() {
    assert_eq!(calls(3, "+4930123", '2'), ["de/welcome", "de/menu", "en/closed"]);
}

#[test]
fn a_language_that_a_reload_takes_away_is_spoken_to_the_end_of_the_call() {
    let mut world = world(4, &[QUEUE, SPOKEN]);
    let caller = world.caller("caller");
    world.dials(caller, "+4420123");
    world.run_for(SECOND);
    let german = SPOKEN.replace("{ language = \"en\" }", "\"answer\"").replace("language = \"en\"", "");
    world.reload(&house::house(&[QUEUE, &german.replace("[\"de\", \"en\"]", "[\"de\"]")]));
    world.presses_in(caller, '1', 4 * SECOND);
    world.hangs_up_in(caller, 8 * SECOND);
    the_end(&mut world);
    assert_eq!(heard(&world, caller), ["en/welcome", "en/menu", "en/closed"]);
}
