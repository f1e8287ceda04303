//! Messages: what the caller says after the beep is in the file, whatever ends it.

mod house;

use std::time::Duration;

use house::{QUEUE, the_end, world};
use media::tone;
use router::journal::fact::{Cause, Fault, MessageEnd, What};
use testbed::{
    Link, PhoneId, World,
    world::{MILLISECOND, SECOND},
};

/// What the caller says.
const HZ: u16 = 700;
/// Greetings of the world last two seconds, the beep 300 ms.
const BEGINS: Duration = Duration::from_millis(2_300);
/// Samples of 20 ms.
const FRAME: usize = 160;

/// A mailbox with these keys, and a farewell after it.
fn mailbox(keys: &str) -> String {
    format!(
        r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "message"
[flow.message]
steps = [
  {{ voicemail = {{ mailbox = "support", greeting = "prompts/welcome.wav", {keys} }} }},
  {{ play = "prompts/closed.wav" }},
]
"#
    )
}

fn caller_of(world: &mut World) -> PhoneId {
    let caller = world.caller("caller");
    world.speaks_tone(caller, HZ);
    world.dials(caller, "+4930123");
    caller
}

fn called(seed: u64, keys: &str) -> (World, PhoneId) {
    let mut world = world(seed, &[&mailbox(keys)]);
    let caller = caller_of(&mut world);
    (world, caller)
}

/// File, length in milliseconds and end of the only message.
fn message(world: &World) -> (Option<String>, u64, MessageEnd) {
    let messages: Vec<_> = world
        .happened()
        .filter_map(|what| match what {
            What::VoicemailLeft { mailbox, file, length_ms, end } => {
                assert_eq!(mailbox, "support");
                Some((file.clone(), *length_ms, *end))
            }
            _ => None,
        })
        .collect();
    assert_eq!(messages.len(), 1, "{messages:?}\n{}", world.ladder());
    messages[0].clone()
}

/// The sound of the only message, which is as long as the fact says and on the caller's record.
fn sound(world: &World) -> Vec<i16> {
    let (file, length_ms, _) = message(world);
    let file = file.expect("a message that is kept");
    assert_eq!(world.recordings(), 1);
    assert_eq!(world.records()[0].legs[0].recordings, [file.as_str()]);
    let sound = world.recording(&file).unwrap_or_else(|| panic!("{file} is not there"));
    assert!((sound.len() as u64 / 8).abs_diff(length_ms) <= 20, "{} samples, {length_ms} ms", sound.len());
    sound.to_vec()
}

/// For each 20 ms: does the caller speak, with his own voice?
fn spoken(sound: &[i16]) -> Vec<bool> {
    let speaks = |frame: &[i16]| (tone::level_at(frame, f32::from(HZ)) + 10.0).abs() < 3.0;
    sound.chunks_exact(FRAME).map(speaks).collect()
}

fn about(length: u64, expected: Duration) -> bool {
    length.abs_diff(expected.as_millis() as u64) <= 200
}

#[test]
fn the_caller_speaks_presses_the_key_and_hears_what_follows() {
    let (mut world, caller) = called(1, "");
    world.presses_in(caller, '#', 9 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
    let (file, length, end) = message(&world);
    assert!(end == MessageEnd::Key && about(length, 9 * SECOND - BEGINS), "{end:?} {length}");
    let file = file.unwrap();
    assert!(file.starts_with("20261125T080002Z-") && file.ends_with("-support.wav"), "{file}");
    let spoken = spoken(&sound(&world));
    // While he presses the key he does not speak.
    assert!(spoken[1..spoken.len() - 20].iter().all(|spoken| *spoken), "{spoken:?}");
    let heard = &world.at(caller).heard;
    assert!(heard.contains_key(&world.voice_of("welcome")) && heard.contains_key(&world.voice_of("closed")));
}

#[test]
fn on_a_bad_line_what_is_lost_is_silence_and_what_comes_is_in_its_place() {
    for seed in 10..15 {
        let rough = Link { jitter: 40 * MILLISECOND, ..Link::lossy(0.1) };
        let mut world = world(seed, &[&mailbox("silence = \"0s\"")]).link(rough);
        let caller = caller_of(&mut world);
        world.hangs_up_in(caller, 20 * SECOND);
        the_end(&mut world);
        let sound = sound(&world);
        assert!(sound.len() > 14 * 8_000, "{}", sound.len());
        let spoken = spoken(&sound).iter().filter(|spoken| **spoken).count() as f64;
        let share = spoken / (sound.len() / FRAME) as f64;
        assert!(share > 0.75, "seed {seed}: {share}");
    }
}

#[test]
fn silence_ends_the_message() {
    let (mut world, caller) = called(2, "silence = \"3s\"");
    world.mutes_in(caller, true, 7 * SECOND);
    world.run_for(12 * SECOND);
    assert!(world.at(caller).heard.contains_key(&world.voice_of("closed")), "{}", world.ladder());
    the_end(&mut world);
    let (_, length, end) = message(&world);
    let expected = 7 * SECOND - BEGINS + 3 * SECOND + 300 * MILLISECOND;
    assert!(end == MessageEnd::Silence && about(length, expected), "{end:?} {length}");
    let spoken = spoken(&sound(&world));
    assert!(spoken[1..230].iter().all(|spoken| *spoken) && !spoken[240..].iter().any(|spoken| *spoken));
}

#[test]
fn a_pause_for_breath_does_not_end_it() {
    let (mut world, caller) = called(3, "silence = \"3s\"");
    world.mutes_in(caller, true, 5 * SECOND);
    world.mutes_in(caller, false, 7 * SECOND);
    world.presses_in(caller, '#', 11 * SECOND);
    the_end(&mut world);
    let (_, length, end) = message(&world);
    assert!(end == MessageEnd::Key && about(length, 11 * SECOND - BEGINS), "{end:?} {length}");
}

#[test]
fn silence_that_is_off_ends_nothing() {
    let (mut world, caller) = called(4, "silence = \"0s\", max = \"20s\"");
    world.mutes_in(caller, true, 4 * SECOND);
    the_end(&mut world);
    let (_, length, end) = message(&world);
    assert_eq!((length, end), (20_000, MessageEnd::TooLong));
    assert_eq!(sound(&world).len(), 160_000);
}

#[test]
fn the_longest_message_is_cut_and_the_flow_goes_on() {
    let (mut world, caller) = called(5, "max = \"4s\"");
    assert_eq!(the_end(&mut world), (Cause::FlowEnded, Fault::None, None));
    let (_, length, end) = message(&world);
    assert_eq!((length, end), (4_000, MessageEnd::TooLong));
    assert_eq!(sound(&world).len(), 32_000);
    assert!(world.at(caller).heard.contains_key(&world.voice_of("closed")));
}

#[test]
fn who_hangs_up_has_left_his_message() {
    let (mut world, caller) = called(6, "");
    world.hangs_up_in(caller, 6 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    let (_, length, end) = message(&world);
    assert!(end == MessageEnd::HungUp && about(length, 6 * SECOND - BEGINS), "{end:?} {length}");
    assert!(spoken(&sound(&world))[1..].iter().all(|spoken| *spoken));
}

#[test]
fn our_end_keeps_what_was_said() {
    let (mut world, _) = called(7, "");
    world.run_for(6 * SECOND);
    world.shut_down();
    assert_eq!(the_end(&mut world).0, Cause::Shutdown);
    assert_eq!(message(&world).2, MessageEnd::Ended);
    assert!(sound(&world).len() > 3 * 8_000);
}

#[test]
fn under_a_second_is_no_message() {
    let (mut world, caller) = called(8, "");
    world.hangs_up_in(caller, BEGINS + 700 * MILLISECOND);
    the_end(&mut world);
    let (file, length, end) = message(&world);
    assert!(file.is_none() && length < 1_000 && end == MessageEnd::HungUp, "{file:?} {length}");
    assert_eq!(world.recordings(), 0);
}

#[test]
fn who_says_nothing_leaves_no_message() {
    let (mut world, caller) = called(9, "");
    world.mutes_in(caller, true, SECOND);
    the_end(&mut world);
    let (file, _, end) = message(&world);
    assert!(file.is_none() && end == MessageEnd::Silence, "{file:?} {end:?}");
    assert_eq!(world.recordings(), 0);
}

#[test]
fn who_hangs_up_before_the_beep_was_never_recorded() {
    for (seed, after) in [(20, 1_000), (21, 2_150)] {
        let (mut world, caller) = called(seed, "");
        world.hangs_up_in(caller, after * MILLISECOND);
        assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
        assert_eq!(house::count(&world, |what| matches!(what, What::VoicemailLeft { .. })), 0);
        assert_eq!(world.recordings(), 0);
    }
}

#[test]
fn the_key_skips_the_greeting_and_other_keys_do_nothing() {
    let (mut world, caller) = called(22, "");
    world.presses_in(caller, '5', 500 * MILLISECOND);
    world.presses_in(caller, '#', SECOND);
    world.presses_in(caller, '7', 4 * SECOND);
    world.hangs_up_in(caller, 6 * SECOND);
    the_end(&mut world);
    let (_, length, _) = message(&world);
    assert!(about(length, 6 * SECOND - SECOND - 400 * MILLISECOND), "{length}");
}

#[test]
fn hold_and_another_address_leave_no_gap_in_time() {
    let (mut world, caller) = called(23, "silence = \"0s\"");
    world.holds_in(caller, true, 4 * SECOND);
    world.holds_in(caller, false, 6 * SECOND);
    world.moves_in(caller, "10.1.0.77:7000", 8 * SECOND);
    world.hangs_up_in(caller, 12 * SECOND);
    the_end(&mut world);
    let sound = sound(&world);
    assert!(about(sound.len() as u64 / 8, 12 * SECOND - BEGINS), "{}", sound.len());
    let spoken = spoken(&sound);
    assert!(spoken[1..80].iter().all(|spoken| *spoken), "before");
    assert!(spoken[200..270].iter().all(|spoken| *spoken), "after the hold");
    assert!(spoken[310..480].iter().all(|spoken| *spoken), "from the other address: {spoken:?}");
}

#[test]
fn a_queue_that_nobody_serves_overflows_into_a_mailbox() {
    let queue = QUEUE
        .replace("10m", "5s")
        .replace("{ play = \"prompts/closed.wav\" }", "{ voicemail = \"support\" }");
    let mut world = world(24, &[&queue]);
    let caller = caller_of(&mut world);
    world.hangs_up_in(caller, 10 * SECOND);
    assert_eq!(the_end(&mut world), (Cause::CallerHungUp, Fault::None, None));
    let (_, length, end) = message(&world);
    assert!(end == MessageEnd::HungUp && about(length, 4_700 * MILLISECOND), "{end:?} {length}");
    assert!(spoken(&sound(&world))[1..].iter().all(|spoken| *spoken));
}
