//! Recordings of calls: as long as the call, the right voices in the right channels at the right times, whatever happens
//! to the call; and whatever is done to a recording is on record.

mod house;

use std::time::Duration;

use house::{ANNA, BO, anna, bo, count, the_end, world};
use media::{Absence, Channel, Note, tone};
use router::journal::fact::{Cause, Fault, Micros, RecordingStep, What, Wish};
use router::record::CallRecording;
use router::recording::{RecorderNews, RecordingOrder, RecordingRefusal};
use testbed::{
    Behaviour, Link, PhoneId, World,
    phone::HoldBy,
    world::{MILLISECOND, SECOND},
};

/// Voices.
const CALLER: u16 = 700;
const ANNAS: u16 = 1_100;
const BOS: u16 = 1_900;
/// Samples of 20 ms.
const FRAME: usize = 160;

/// The queue support, whose calls are recorded; 8001 is anna, 8002 bo.
const DESK: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "straight"
[flow.straight]
steps = [{ queue = "support" }, "hangup"]
[queue.support]
music = "prompts/music.wav"
recording = "calls"
[[transfer]]
match = "8001"
to = "agent.anna"
[[transfer]]
match = "8002"
to = "agent.bo"
"#;

/// He is known and not at work.
const BO_AWAY: &str =
    "[agent.bo]\ncall = \"sip:bo@10.2.0.12:5060\"\nqueues = [\"support\"]\nlogin = \"manual\"\n";

const ALWAYS: &str = "[recording.calls]\n";

struct Story {
    world: World,
    caller: PhoneId,
    anna: PhoneId,
    bo: PhoneId,
}

/// The caller has reached anna.
fn talking(seed: u64, link: Link, sections: &[&str]) -> Story {
    let sections: Vec<&str> = sections.iter().copied().chain([ANNA, BO]).collect();
    let mut world = world(seed, &sections).link(link);
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let bo = bo(&mut world, Behaviour::Answers(SECOND));
    world.agent_wish("bo", Wish::Paused);
    let caller = world.caller("caller");
    for (phone, hz) in [(caller, CALLER), (anna, ANNAS), (bo, BOS)] {
        world.speaks_tone(phone, hz);
    }
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    Story { world, caller, anna, bo }
}

/// The only recording of the only call: what the record says, and both channels.
struct Tape {
    told: CallRecording,
    said: Vec<i16>,
    heard: Vec<i16>,
    notes: Vec<Note>,
}

fn tape(world: &World) -> Tape {
    let record =
        world.records().into_iter().find(|record| !record.recordings.is_empty()).expect("a recording");
    assert_eq!(record.recordings.len(), 1, "{:?}", record.recordings);
    let told = record.recordings[0].clone();
    let samples = world.recording(&told.file).unwrap_or_else(|| panic!("{} is not there", told.file));
    let said: Vec<i16> = samples.iter().step_by(2).copied().collect();
    let heard = samples.iter().skip(1).step_by(2).copied().collect();
    let notes = world.recording_notes(&told.file).to_vec();
    Tape { told, said, heard, notes }
}

impl Tape {
    /// Both channels are as long as the wall clock says that it was recorded.
    fn assert_length(&self) {
        let wall_ms = (self.told.until.expect("an end") - self.told.from) / 1_000;
        for channel in [&self.said, &self.heard] {
            let ms = channel.len() as i64 / 8;
            assert!((ms - wall_ms).abs() <= 20, "{ms} ms of sound in {wall_ms} ms");
        }
    }

    /// Milliseconds of the recording between two instants, half a second at either end apart: there who is heard changes.
    fn between<'a>(&self, channel: &'a [i16], (from, until): (Micros, Micros)) -> &'a [i16] {
        let at = |at: Micros, more: i64| ((at - self.told.from) / 1_000 + more).max(0) as usize * 8;
        &channel[at(from, 500).min(channel.len())..at(until, -500).min(channel.len())]
    }
}

/// In which share of the 20 ms somebody with this voice is heard, and nobody else.
fn share(sound: &[i16], hz: u16) -> f64 {
    let frames = sound.chunks_exact(FRAME);
    let all = frames.len() as f64;
    frames.filter(|frame| (tone::level_at(frame, f32::from(hz)) + 10.0).abs() < 1.5).count() as f64 / all
}

fn is_silent(sound: &[i16]) -> bool {
    !sound.is_empty() && sound.iter().all(|sample| *sample == 0)
}

/// Hold music of the world is one level.
fn is_music(sound: &[i16]) -> bool {
    !sound.is_empty() && sound.iter().all(|sample| *sample == sound[0] && *sample != 0)
}

fn steps(world: &World) -> Vec<RecordingStep> {
    let step = |what: &What| match what {
        What::Recording(step) => Some(step.clone()),
        _ => None,
    };
    world.happened().filter_map(step).collect()
}

/// Who is to be heard from when to when.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Right {
    Voice(u16),
    Music,
    Silence,
}

#[test]
fn ten_minutes_with_holds_transfers_and_reinvites_are_ten_minutes_of_the_right_voices() {
    let mut story = talking(1, Link::perfect(), &[DESK, ALWAYS]);
    let now =
        |story: &Story| story.world.facts().last().map_or(0, |fact| fact.at).max(house_time(&story.world));
    let mut timeline: Vec<(Micros, Micros, bool, Right)> = vec![];
    let (mut voice, mut holds, mut transfers, mut moves) = (ANNAS, 0, 0, 0);
    for round in 0..20 {
        let agent = if voice == ANNAS { story.anna } else { story.bo };
        let began = now(&story);
        story.world.run_for(14 * SECOND);
        timeline.push((began, now(&story), true, Right::Voice(voice)));
        let began = now(&story);
        match round % 2 {
            0 => {
                story.world.holds_by_in(agent, HoldBy::Inactive, MILLISECOND);
                story.world.run_for(5 * SECOND);
                timeline.push((began, now(&story), true, Right::Music));
                story.world.holds_in(agent, false, MILLISECOND);
            }
            _ => {
                story.world.holds_by_in(story.caller, HoldBy::Inactive, MILLISECOND);
                story.world.run_for(5 * SECOND);
                timeline.push((began, now(&story), false, Right::Silence));
                story.world.holds_in(story.caller, false, MILLISECOND);
            }
        }
        holds += 1;
        story.world.run_for(2 * SECOND);
        let began = now(&story);
        match round % 4 {
            1 => {
                let to = if voice == ANNAS { "8002" } else { "8001" };
                story.world.transfers_in(agent, to, MILLISECOND);
                story.world.run_for(5 * SECOND);
                voice = if voice == ANNAS { BOS } else { ANNAS };
                transfers += 1;
            }
            3 => {
                story.world.moves_in(story.caller, &format!("10.1.0.{}:7000", 70 + round), MILLISECOND);
                story.world.run_for(9 * SECOND);
                timeline.push((began, now(&story), true, Right::Voice(voice)));
                moves += 1;
            }
            _ => {
                story.world.moves_in(agent, &format!("10.2.0.{}:7000", 70 + round), MILLISECOND);
                story.world.run_for(9 * SECOND);
                timeline.push((began, now(&story), true, Right::Voice(voice)));
                moves += 1;
            }
        }
    }
    assert_eq!((holds, transfers, moves), (20, 5, 15));
    story.world.hangs_up_in(story.caller, MILLISECOND);
    assert_eq!(the_end(&mut story.world).0, Cause::CallerHungUp);
    let tape = tape(&story.world);
    tape.assert_length();
    assert!(tape.said.len() > 580 * 8_000, "{} s", tape.said.len() / 8_000);
    for (from, until, speaks, right) in timeline {
        let (said, heard) =
            (tape.between(&tape.said, (from, until)), tape.between(&tape.heard, (from, until)));
        let at = (from - tape.told.from) / 1_000_000;
        assert!(said.len() > 3 * 8_000, "at {at} s");
        match speaks {
            true => assert!(share(said, CALLER) > 0.99, "the caller at {at} s: {}", share(said, CALLER)),
            false => assert!(is_silent(said), "the caller holds at {at} s"),
        }
        match right {
            Right::Voice(hz) => assert!(share(heard, hz) > 0.99, "{hz} Hz at {at} s: {}", share(heard, hz)),
            // The queue's music; whom no queue gave him holds him in silence, which is listed.
            Right::Music => assert!(is_music(heard) || at > 60 && is_silent(heard), "music at {at} s"),
            Right::Silence => assert!(is_silent(heard), "nothing at {at} s"),
        }
    }
    let held = |why: Absence, in_channel: Channel| {
        tape.notes.iter().filter(|note| matches!(note, Note::Gap { why: found, channel, .. } if *found == why && *channel == in_channel)).count()
    };
    assert_eq!(
        (held(Absence::HeldByPeer, Channel::Said), held(Absence::HeldByPeer, Channel::Heard)),
        (10, 10)
    );
    let marks: Vec<&str> = tape
        .notes
        .iter()
        .filter_map(|note| match note {
            Note::Mark { what, .. } => Some(&**what),
            _ => None,
        })
        .collect();
    assert_eq!(marks, ["agent anna", "agent bo", "agent anna", "agent bo", "agent anna", "agent bo"]);
}

/// The instant of the world.
fn house_time(world: &World) -> Micros {
    testbed::world::MORNING + world.elapsed().as_micros() as Micros
}

#[test]
fn on_a_bad_line_it_is_as_long_and_what_came_is_in_its_place() {
    for seed in 10..13 {
        let rough = Link { jitter: 40 * MILLISECOND, ..Link::lossy(0.05) };
        let mut story = talking(seed, rough, &[DESK, ALWAYS]);
        story.world.run_for(30 * SECOND);
        story.world.hangs_up_in(story.caller, MILLISECOND);
        the_end(&mut story.world);
        let tape = tape(&story.world);
        tape.assert_length();
        let (said, heard) = (share(&tape.said, CALLER), share(&tape.heard, ANNAS));
        assert!(said > 0.8 && heard > 0.7, "seed {seed}: {said} {heard}");
        assert!(
            share(&tape.said, ANNAS) < 0.01 && share(&tape.heard, CALLER) < 0.01,
            "nobody is in the other channel"
        );
        assert!(tape.notes.iter().any(|note| matches!(note, Note::Gap { why: Absence::NothingCame, .. })));
    }
}

#[test]
fn each_of_number_queue_agent_and_trunk_can_say_so() {
    let plain = DESK.replace("recording = \"calls\"\n", "");
    for (seed, sections) in [
        (
            20,
            [
                plain.replace("flow = \"straight\"", "flow = \"straight\"\nrecording = \"calls\""),
                ALWAYS.into(),
            ],
        ),
        (
            21,
            [
                plain.clone(),
                format!("{ALWAYS}[agent.carla]\ncall = \"sip:c@10.2.0.13:5060\"\nrecording = \"calls\"\n"),
            ],
        ),
    ] {
        let mut story = talking(seed, Link::perfect(), &[&sections[0], &sections[1]]);
        story.world.hangs_up_in(story.caller, 2 * SECOND);
        the_end(&mut story.world);
        assert_eq!(story.world.recordings(), usize::from(seed == 20), "carla had no call");
    }
    let by_agent = format!("{ANNA}recording = \"calls\"\n");
    let by_trunk = house::house_with("recording = \"calls\"", "", &[&plain, ALWAYS, ANNA, BO_AWAY].concat());
    for (seed, config) in [(22, house::house(&[&plain, ALWAYS, &by_agent, BO_AWAY])), (23, by_trunk)] {
        let mut world = World::new(seed, &config);
        anna(&mut world, Behaviour::Answers(SECOND));
        let caller = world.caller("caller");
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, 5 * SECOND);
        the_end(&mut world);
        assert_eq!((world.recordings(), tape(&world).told.policy.as_str()), (1, "calls"), "seed {seed}");
    }
}

#[test]
fn a_step_records_from_there_on_with_what_the_caller_hears_before_anybody_answers() {
    let desk = DESK
        .replace("recording = \"calls\"\n", "")
        .replace("{ queue", "{ record = \"calls\" }, { play = \"prompts/welcome.wav\" }, { queue");
    let told = "[recording.calls]\nannouncement = \"prompts/closed.wav\"\n";
    let mut story = talking(30, Link::perfect(), &[&desk, told]);
    story.world.run_for(6 * SECOND);
    story.world.hangs_up_in(story.caller, MILLISECOND);
    the_end(&mut story.world);
    assert!(house::heard(&story.world, story.caller, "closed"), "he was told");
    let tape = tape(&story.world);
    tape.assert_length();
    let is = |step: &RecordingStep, name| serde_json::to_value(step).unwrap()["step"] == name;
    let steps = steps(&story.world);
    assert!(is(&steps[0], "announced") && is(&steps[1], "began") && is(&steps[2], "ended"), "{steps:?}");
    assert!(is_music(&tape.heard[1_000..15_000]), "the welcome: the announcement was over before");
    assert!(share(&tape.heard[tape.heard.len() - 8_000..], ANNAS) > 0.95);
    assert!(share(&tape.said[160..], CALLER) > 0.99);
}

#[test]
fn both_hear_the_announcement_and_then_it_begins() {
    let told = "[recording.calls]\nannouncement = \"prompts/closed.wav\"\n";
    let mut story = talking(31, Link::perfect(), &[DESK, told]);
    story.world.run_for(6 * SECOND);
    story.world.hangs_up_in(story.caller, MILLISECOND);
    the_end(&mut story.world);
    for phone in [story.caller, story.anna] {
        assert!(house::heard(&story.world, phone, "closed"));
    }
    let tape = tape(&story.world);
    tape.assert_length();
    assert!(share(&tape.heard[800..], ANNAS) > 0.98, "of the announcement nothing is left in it");
    let [RecordingStep::Announced { prompt, .. }, RecordingStep::Began { by, .. }, _] =
        &steps(&story.world)[..]
    else {
        panic!("{:?}", steps(&story.world))
    };
    assert_eq!((prompt.as_str(), by.as_str()), ("closed", "policy"));
}

#[test]
fn a_tone_is_heard_by_both_at_its_interval() {
    let toned = "[recording.calls]\ntone_every = \"5s\"\n";
    let mut story = talking(32, Link::perfect(), &[DESK, toned]);
    story.world.run_for(16 * SECOND);
    story.world.hangs_up_in(story.caller, MILLISECOND);
    the_end(&mut story.world);
    let tape = tape(&story.world);
    let toned = |frame: &[i16]| tone::level_at(frame, 1_400.0) > -22.0;
    let frames: Vec<usize> = tape
        .heard
        .chunks_exact(FRAME)
        .enumerate()
        .filter(|(_, frame)| toned(frame))
        .map(|(at, _)| at)
        .collect();
    assert!((27..=33).contains(&frames.len()), "three tones of 200 ms: {frames:?}");
    assert!(frames.iter().all(|at| (at % 250).min(250 - at % 250) < 15), "every 5 s: {frames:?}");
    assert_eq!(steps(&story.world).len(), 2, "that there is a tone stands at the beginning");
}

#[test]
fn the_agents_keys_begin_pause_and_end_it() {
    let keys = "[recording.calls]\nbegin = \"on-demand\"\nkey = \"*1\"\npause_key = \"*2\"\n";
    let mut story = talking(33, Link::perfect(), &[DESK, keys]);
    let press = |story: &mut Story, keys: &str| {
        for key in keys.chars() {
            story.world.presses_in(story.anna, key, MILLISECOND);
            story.world.run_for(SECOND);
        }
    };
    press(&mut story, "1*");
    assert_eq!(steps(&story.world), []);
    story.world.run_for(3 * SECOND);
    press(&mut story, "1"); // too long after the star
    assert_eq!(steps(&story.world), []);
    press(&mut story, "*1");
    story.world.run_for(3 * SECOND);
    press(&mut story, "*2");
    story.world.run_for(3 * SECOND);
    press(&mut story, "*2");
    story.world.run_for(3 * SECOND);
    press(&mut story, "*1");
    story.world.run_for(3 * SECOND);
    story.world.presses_in(story.caller, '*', MILLISECOND);
    story.world.presses_in(story.caller, '1', SECOND); // he is no agent
    story.world.hangs_up_in(story.caller, 3 * SECOND);
    the_end(&mut story.world);
    let tape = tape(&story.world);
    tape.assert_length();
    assert_eq!(tape.told.by, "keys of anna");
    let [pause] = &tape.told.pauses[..] else { panic!("{:?}", tape.told) };
    let pause = (pause.from, pause.until.unwrap());
    assert!(is_silent(tape.between(&tape.said, pause)) && is_silent(tape.between(&tape.heard, pause)));
    assert!(share(tape.between(&tape.said, (pause.1, tape.told.until.unwrap())), CALLER) > 0.9);
    assert!(
        tape.notes
            .iter()
            .any(|note| matches!(note, Note::Paused { reason, .. } if &**reason == "keys of anna"))
    );
}

#[test]
fn operators_begin_pause_and_end_it_by_call_or_agent_and_are_told_what_cannot_be() {
    let mut story = talking(34, Link::perfect(), &[&DESK.replace("recording = \"calls\"\n", ""), ALWAYS]);
    let world = &mut story.world;
    let call = world.facts().iter().find_map(|fact| fact.call).unwrap().to_string();
    let refused = |world: &mut World, whose: &str, order, policy| {
        world.orders_recording(whose, order, policy, "x").unwrap_err()
    };
    assert_eq!(refused(world, "bo", RecordingOrder::Start, None), RecordingRefusal::NoCall("bo".into()));
    assert_eq!(refused(world, &call, RecordingOrder::Pause, None), RecordingRefusal::NotRecorded);
    assert_eq!(refused(world, &call, RecordingOrder::Start, None), RecordingRefusal::NoPolicy);
    assert_eq!(
        refused(world, &call, RecordingOrder::Start, Some("call")),
        RecordingRefusal::UnknownPolicy("call".into())
    );
    let begun = world.orders_recording(&call, RecordingOrder::Start, Some("calls"), "complaint 17").unwrap();
    assert!(begun.file.is_some_and(|file| file.contains(&call)) && !begun.paused);
    assert_eq!(refused(world, "anna", RecordingOrder::Start, Some("calls")), RecordingRefusal::Recorded);
    assert_eq!(refused(world, "anna", RecordingOrder::Resume, None), RecordingRefusal::NotPaused);
    world.run_for(4 * SECOND);
    assert!(world.orders_recording("anna", RecordingOrder::Pause, None, "card data").unwrap().paused);
    assert_eq!(refused(world, "anna", RecordingOrder::Pause, None), RecordingRefusal::Paused);
    world.run_for(4 * SECOND);
    world.orders_recording("anna", RecordingOrder::Resume, None, "").unwrap();
    world.run_for(4 * SECOND);
    assert_eq!(world.orders_recording(&call, RecordingOrder::Stop, None, "enough").unwrap().file, None);
    world.hangs_up_in(story.caller, 2 * SECOND);
    the_end(world);
    let tape = tape(&story.world);
    tape.assert_length();
    assert_eq!((tape.told.by.as_str(), tape.told.pauses[0].reason.as_str()), ("complaint 17", "card data"));
    let length = Note::Paused { at: 32_000, length: 32_000, reason: "card data".into() };
    assert!(tape.notes.contains(&length), "{:?}", tape.notes);
    assert_eq!(tape.said.len(), 96_000);
}

#[test]
fn what_cannot_be_recorded_goes_on_with_a_word_on_record_or_is_refused_if_it_must_be() {
    let full = || RecorderNews::Fails("no room".into());
    let required = "[recording.calls]\nrequired = true\n";
    let at_once = DESK.replace("{ queue", "{ record = \"calls\" }, { queue");
    for (seed, desk, policy, ends) in [
        (40, DESK, ALWAYS, (Cause::CallerHungUp, Fault::None, None)),
        (41, DESK, required, (Cause::Rejected, Fault::Router, None)),
        (42, at_once.as_str(), required, (Cause::Rejected, Fault::Router, None)),
    ] {
        let mut world = world(seed, &[desk, policy, ANNA, BO_AWAY]);
        anna(&mut world, Behaviour::Answers(SECOND));
        world.recorder_says(full());
        let caller = world.caller("caller");
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, 8 * SECOND);
        assert_eq!(the_end(&mut world), ends, "seed {seed}");
        assert_eq!(world.recordings(), 0);
        let record = &world.records()[0];
        assert_eq!(record.recordings[0].failed.as_deref(), Some("no room"));
        let reason = record.reason.as_deref().unwrap_or_default();
        assert_eq!(reason.contains("cannot be recorded (recording.calls.required)"), seed > 40, "{reason}");
        world.recorder_says(RecorderNews::Works);
        world.dials(caller, "+4930999");
        world.hangs_up_in(caller, 12 * SECOND);
        world.run_until_silent().assert_nothing_left();
        assert_eq!(world.recordings(), 1, "there is room again");
    }
}

#[test]
fn a_recording_that_is_lost_while_the_call_goes_on_is_on_its_record_and_later_on_record_at_least() {
    let mut story = talking(43, Link::perfect(), &[DESK, ALWAYS]);
    let [RecordingStep::Began { file, .. }] = &steps(&story.world)[..] else { panic!("it began") };
    let file = file.clone();
    let lost = RecorderNews::Lost { file, why: "cut short: no room".into() };
    story.world.recorder_says(lost.clone());
    story.world.hangs_up_in(story.caller, SECOND);
    assert_eq!(the_end(&mut story.world).0, Cause::CallerHungUp);
    story.world.recorder_says(lost);
    assert_eq!(tape(&story.world).told.failed.as_deref(), Some("cut short: no room"));
    assert_eq!(count(&story.world, |what| matches!(what, What::Recording(RecordingStep::Failed { .. }))), 2);
    assert_eq!(story.world.facts().last().unwrap().call, None);
}

#[test]
fn a_queue_that_takes_the_caller_back_goes_on_the_same_tape() {
    let mut story = talking(
        44,
        Link::perfect(),
        &[&format!("{DESK}[[transfer]]\nmatch = \"8000\"\nto = \"queue.support\"\n"), ALWAYS],
    );
    story.world.run_for(5 * SECOND);
    story.world.agent_wish("bo", Wish::Ready);
    story.world.agent_wish("anna", Wish::Paused);
    story.world.transfers_in(story.anna, "8000", MILLISECOND);
    story.world.run_for(10 * SECOND);
    story.world.hangs_up_in(story.caller, Duration::from_millis(5));
    the_end(&mut story.world);
    let tape = tape(&story.world);
    tape.assert_length();
    assert!(share(&tape.said, CALLER) > 0.99);
    assert!(share(&tape.heard[160..5 * 8_000 - 1_600], ANNAS) > 0.98);
    assert!(share(&tape.heard[tape.heard.len() - 5 * 8_000..], BOS) > 0.97);
}
