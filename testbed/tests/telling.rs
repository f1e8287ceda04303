//! What those who wait are told of their wait. Every snippet of a world lasts two seconds.

mod house;

use house::{caller_in, heard, the_end, world};
use media::Codec;
use router::journal::fact::What;
use testbed::{
    Behaviour, PhoneId, World,
    world::{MILLISECOND, SECOND},
};

const SPOKEN: &str = "[prompts]\nlanguages = [\"de\", \"en\"]\nsnippets = \"prompts/{lang}\"\n";
const IN_ENGLISH: &str =
    "[[number]]\nmatch = \"+4420123\"\ntrunk = \"carrier\"\nflow = \"straight\"\nlanguage = \"en\"\n";

fn telling(seed: u64, tell: &str, more: &[&str]) -> World {
    let queue = house::queue(&format!("tell = {tell}"));
    let sections: Vec<&str> =
        [queue.as_str(), SPOKEN, IN_ENGLISH].into_iter().chain(more.iter().copied()).collect();
    world(seed, &sections)
}

/// Which of the prompts this telephone hears in the next half second.
fn hears(world: &mut World, listener: PhoneId, prompts: &[&str]) -> Vec<String> {
    let count = |world: &World, name: &str| {
        world.at(listener).heard.get(&world.voice_of(name)).copied().unwrap_or_default()
    };
    let before: Vec<_> = prompts.iter().map(|name| count(world, name)).collect();
    world.run_for(SECOND / 2);
    let more = prompts.iter().zip(before).filter(|(name, before)| count(world, name) > *before);
    more.map(|(name, _)| (*name).to_owned()).collect()
}

/// What was said, by the journal.
fn told(world: &World) -> Vec<String> {
    let prompt = |what: &What| match what {
        What::PromptStarted { prompt } => Some(prompt.clone()),
        _ => None,
    };
    world.happened().filter_map(prompt).collect()
}

const GERMAN: [&str; 4] = ["music", "de/place", "de/1", "de/2"];
const ENGLISH: [&str; 5] = ["music", "en/place", "en/1", "en/2", "en/in-line"];

#[test]
fn each_is_told_his_place_in_his_language_and_hears_the_music_before_and_after() {
    let mut world = telling(1, "{ first = \"5s\" }", &[]);
    let first = caller_in(&mut world);
    let second = world.caller("caller");
    world.dials(second, "+4420123");
    world.run_for(SECOND);
    assert_eq!(hears(&mut world, first, &GERMAN), ["music"]);
    world.run_for(3 * SECOND); // the first came some 5.5 s ago
    assert_eq!(hears(&mut world, first, &GERMAN), ["de/place"], "{}", world.ladder());
    world.run_for(SECOND / 2);
    assert_eq!(hears(&mut world, second, &ENGLISH), ["en/place"]);
    world.run_for(SECOND / 2);
    assert_eq!(hears(&mut world, first, &GERMAN), ["de/1"]);
    world.run_for(SECOND / 2);
    assert_eq!(hears(&mut world, second, &ENGLISH), ["en/2"]);
    world.run_for(SECOND);
    assert_eq!(hears(&mut world, first, &GERMAN), ["music"]);
    world.run_for(SECOND / 2);
    assert_eq!(hears(&mut world, second, &ENGLISH), ["en/in-line"]);
    world.run_for(2 * SECOND);
    assert_eq!(hears(&mut world, second, &ENGLISH), ["music"]);
    [first, second].iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    world.run_until_silent().assert_nothing_left();
    assert_eq!(told(&world), ["place 1", "place 2"]);
}

#[test]
fn a_place_is_told_again_when_it_has_changed_and_not_before() {
    let mut world = telling(2, "{ first = \"2s\", every = \"15s\" }", &[]);
    let (first, second) = (caller_in(&mut world), caller_in(&mut world));
    world.run_for(60 * SECOND);
    assert_eq!(told(&world), ["place 1", "place 2"]);
    world.hangs_up_in(first, SECOND);
    world.run_for(30 * SECOND);
    assert_eq!(told(&world), ["place 1", "place 2", "place 1"]);
    assert_eq!(world.at(second).heard.get(&world.voice_of("de/2")).copied().unwrap_or_default() / 10, 10);
    world.hangs_up_in(second, SECOND);
    world.run_until_silent().assert_nothing_left();
}

#[test]
fn it_is_told_over_and_over_if_the_queue_says_so() {
    let mut world = telling(3, "{ first = \"0s\", every = \"15s\", only_news = false }", &[]);
    let caller = caller_in(&mut world);
    world.run_for(60 * SECOND); // two snippets of two seconds each: every 19 s
    assert_eq!(told(&world), ["place 1"; 4]);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn who_waits_already_is_told_as_soon_as_a_reload_has_the_queue_tell_and_no_more_when_it_does_not() {
    let with = |tell: &str| house::house(&[&house::queue(tell), SPOKEN]);
    let mut world = World::new(7, &with(""));
    let caller = caller_in(&mut world);
    world.run_for(20 * SECOND);
    world.reload(&with("tell = { first = \"2s\", every = \"15s\", only_news = false }"));
    world.run_for(3 * SECOND);
    assert_eq!(told(&world), ["place 1"]);
    world.reload(&with(""));
    world.run_for(60 * SECOND);
    assert_eq!(told(&world), ["place 1"]);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

/// Every prompt of a world is one byte over and over, so that two at once are one byte too.
#[test]
fn music_is_softer_under_what_is_told_if_the_queue_says_so() {
    let mut world = telling(6, "{ first = \"2s\" }\nduck = \"12dB\"", &[]);
    let caller = caller_in(&mut world);
    let level = |name: &str| {
        let mut sample = [0];
        Codec::Pcma.decode(&[world.voice_of(name)], &mut sample);
        i32::from(sample[0])
    };
    let mixed = ["de/place", "de/1"].map(|voice| {
        let mut byte = [0];
        let sum = (level("music") * 64 / 256 + level(voice)).clamp(-32_768, 32_767);
        Codec::Pcma.encode(&[sum as i16], &mut byte);
        byte[0]
    });
    world.run_for(8 * SECOND);
    let heard = mixed.map(|byte| world.at(caller).heard.get(&byte).copied().unwrap_or_default());
    assert!(
        heard.iter().all(|packets| (95..=105).contains(packets)),
        "{heard:?} of {:?}",
        world.at(caller).heard
    );
    assert!(!house::heard(&world, caller, "de/place"), "never alone");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn the_agents_answer_cuts_what_is_told() {
    let mut world = telling(4, "{ first = \"3s\" }", &[house::ANNA]);
    let agent = house::anna(&mut world, Behaviour::Answers(5 * SECOND));
    let caller = caller_in(&mut world);
    world.run_for(5 * SECOND);
    assert!(heard(&world, caller, "de/place") && world.heard(caller, agent), "{}", world.ladder());
    let said =
        |world: &World| world.at(caller).heard.get(&world.voice_of("de/1")).copied().unwrap_or_default();
    let before = said(&world);
    world.run_for(10 * SECOND);
    assert_eq!(said(&world), before);
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert!(world.happened().any(|what| matches!(what, What::PromptEnded { cut: true })));
}

#[test]
fn the_wait_is_told_in_minutes_once_there_is_an_estimate() {
    let mut world = telling(5, "{ place = false, wait = true, first = \"2s\" }", &[house::ANNA]);
    house::anna(&mut world, Behaviour::AnswersFor(SECOND, 45 * SECOND));
    for caller in 0..11 {
        let caller = world.caller(&format!("early{caller}"));
        world.dials(caller, "+4930999");
        world.run_for(MILLISECOND);
    }
    world.run_until_silent();
    let before = told(&world).len();
    // The first finds anna idle; each of the others waits 46 seconds more than the one before.
    let callers: Vec<PhoneId> = (0..4).map(|_| caller_in(&mut world)).collect();
    world.run_for(12 * SECOND);
    assert_eq!(told(&world).split_off(before), ["wait under 1 min", "wait 2 min", "wait 3 min"]);
    let said = |listener, names: [&str; 3]| names.map(|name| heard(&world, listener, name));
    assert_eq!(said(callers[1], ["de/wait", "de/less-than-a-minute", "de/minutes"]), [true, true, false]);
    assert_eq!(said(callers[2], ["de/wait", "de/2", "de/minutes"]), [true; 3]);
    callers.iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    world.run_until_silent().assert_nothing_left();
}
