//! What callers hear while they wait, and in which order. Every prompt of a world lasts two seconds.

mod house;

use std::collections::BTreeSet;

use house::{QUEUE, caller_in, the_end, world};
use testbed::{
    PhoneId, World,
    world::{MILLISECOND, SECOND},
};

const ALL: [&str; 4] = ["closed", "menu", "music", "welcome"];

fn queue_with(music: &str) -> String {
    QUEUE.replace("\"prompts/music.wav\"", music)
}

/// The prompts of which this telephone hears something in the next half second.
fn now_heard(world: &mut World, listener: PhoneId) -> BTreeSet<&'static str> {
    let count = |world: &World, name| {
        world.at(listener).heard.get(&world.voice_of(name)).copied().unwrap_or_default()
    };
    let before = ALL.map(|name| count(world, name));
    world.run_for(SECOND / 2);
    let after = ALL.map(|name| count(world, name));
    ALL.into_iter().enumerate().filter(|(at, _)| after[*at] > before[*at]).map(|(_, name)| name).collect()
}

fn one(world: &mut World, listener: PhoneId) -> &'static str {
    let heard = now_heard(world, listener);
    assert_eq!(heard.len(), 1, "{heard:?}");
    heard.into_iter().next().unwrap()
}

fn hang_up(mut world: World, callers: &[PhoneId]) {
    callers.iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    match callers.len() {
        1 => drop(the_end(&mut world)),
        _ => world.run_until_silent().assert_nothing_left(),
    }
}

#[test]
fn pieces_follow_each_other_without_a_pause_and_begin_again() {
    let music = "{ play = [\"prompts/welcome.wav\", \"prompts/music.wav\", \"prompts/menu.wav\"], start = \"beginning\" }";
    let mut world = world(1, &[&queue_with(music)]);
    let caller = caller_in(&mut world);
    for expected in ["welcome", "music", "menu", "welcome", "music"] {
        assert_eq!(one(&mut world, caller), expected, "{}", world.ladder());
        world.run_for(3 * SECOND / 2);
    }
    world.run_for(SECOND);
    let heard: u64 = world.at(caller).heard.values().sum();
    assert!((590..=610).contains(&heard), "{heard} packets in 12 seconds: one every 20 ms");
    hang_up(world, &[caller]);
}

#[test]
fn a_folder_is_heard_whole_and_by_all_at_the_same_place() {
    let mut world = world(2, &[&queue_with("\"prompts\"")]);
    let first = caller_in(&mut world);
    world.run_for(2 * SECOND + 700 * MILLISECOND);
    let second = caller_in(&mut world);
    let mut heard = Vec::new();
    for _ in 0..4 {
        let both = (now_heard(&mut world, first), now_heard(&mut world, second));
        heard.extend(both.0.intersection(&both.1).copied());
        world.run_for(SECOND);
    }
    heard.sort();
    assert_eq!(heard, ALL, "each for two seconds, by both at once");
    hang_up(world, &[first, second]);
}

#[test]
fn shuffled_music_is_in_the_same_order_for_all_who_hear_it_together_and_whole_in_each_round() {
    let mut world = world(3, &[&queue_with("{ play = \"prompts/\", order = \"shuffled\" }")]);
    let first = caller_in(&mut world);
    world.run_for(3 * SECOND);
    let second = caller_in(&mut world);
    let mut rounds = BTreeSet::new();
    // To the middle of the first piece of a round of eight seconds.
    world.run_for(4 * SECOND - 250 * MILLISECOND);
    for _ in 0..8 {
        let mut round = Vec::new();
        for _ in 0..4 {
            let piece = one(&mut world, first);
            let of_second = now_heard(&mut world, second);
            assert!(of_second.contains(piece), "{piece} and {of_second:?}");
            round.push(piece);
            world.run_for(SECOND);
        }
        rounds.insert(round.clone());
        round.sort();
        assert_eq!(round, ALL);
    }
    assert!(rounds.len() > 2, "{rounds:?}");
    hang_up(world, &[first, second]);
}

#[test]
fn who_begins_anywhere_hears_another_piece_than_others() {
    let mut world = world(4, &[&queue_with("{ play = \"prompts/\", start = \"random\" }")]);
    let callers: Vec<PhoneId> = (0..6).map(|_| caller_in(&mut world)).collect();
    let heard: BTreeSet<_> = callers.iter().flat_map(|caller| now_heard(&mut world, *caller)).collect();
    let together: BTreeSet<_> =
        callers.iter().map(|caller| world.at(*caller).heard.keys().copied().collect::<Vec<_>>()).collect();
    assert!(heard.len() > 1 && together.len() > 1, "{heard:?} {together:?}");
    hang_up(world, &callers);
}
