//! What is said over music: how loud each is, when the music fades and comes back, and what an answer cuts.

mod common;

use std::sync::Arc;

use common::{A, B, FRAME, MS, Stage, stream};
use media::{Codec, Command, Event, Gain, PlayFrom, Prompt, tone};

/// A second of a tone.
fn of(hz: f32) -> Arc<Prompt> {
    Arc::new(Prompt::from_samples(&tone::sine(hz, 1_000, -10.0), "tone"))
}

/// What has been sent since.
fn take(stage: &mut Stage) -> Vec<Vec<u8>> {
    let sent = std::mem::take(&mut stage.sent);
    sent.into_iter().filter(|sent| sent.leg == A).map(|sent| sent.payload).collect()
}

fn music_and_voice(under: Gain) -> Stage {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A)).play(A, 1, &of(500.0), true).run(5 * FRAME);
    take(&mut stage);
    stage.command(Command::PlayOver { leg: A, play: 2, prompt: of(1_000.0).into(), under });
    stage
}

/// Levels of the music and the voice in what was sent, 20 ms a value.
fn levels(payloads: &[Vec<u8>]) -> Vec<(f32, f32)> {
    let level = |payload: &Vec<u8>| {
        let mut samples = vec![0; payload.len()];
        Codec::Pcma.decode(payload, &mut samples);
        (tone::level_at(&samples, 500.0), tone::level_at(&samples, 1_000.0))
    };
    payloads.iter().map(level).collect()
}

fn near(level: f32, expected: f32) -> bool {
    (level - expected).abs() < 1.0
}

#[test]
fn music_fades_for_a_fifth_of_a_second_stays_softer_under_the_voice_and_comes_back() {
    let mut stage = music_and_voice(Gain::softer_by(12));
    stage.run(80 * FRAME);
    let heard = levels(&take(&mut stage));
    assert!(
        heard[..10].windows(2).all(|pair| pair[1].0 < pair[0].0),
        "softer and softer: {:?}",
        &heard[..10]
    );
    assert!(heard[..10].iter().all(|(_, voice)| *voice < -40.0), "before the voice");
    for (at, (music, voice)) in heard[10..60].iter().enumerate() {
        assert!(near(*music, -22.0) && near(*voice, -10.0), "{at}: {music} {voice}");
    }
    assert!(
        heard[60..69].windows(2).all(|pair| pair[1].0 > pair[0].0),
        "louder and louder: {:?}",
        &heard[60..69]
    );
    assert!(
        heard[69..].iter().all(|(music, voice)| near(*music, -10.0) && *voice < -40.0),
        "{:?}",
        &heard[69..]
    );
    assert_eq!(stage.take_events(), [Event::Played { leg: A, play: 2 }]);
}

#[test]
fn without_ducking_the_voice_is_alone_and_the_music_goes_on_where_it_would_have_been() {
    let mut stage = music_and_voice(Gain::NONE);
    stage.run(80 * FRAME);
    let heard = take(&mut stage);
    let voice = of(1_000.0);
    for frame in 0..50 {
        assert_eq!(
            Some(&*heard[10 + frame]),
            voice.frame(Codec::Pcma, frame),
            "frame {frame} as it is, not mixed"
        );
    }
    let music = of(500.0);
    let at = heard
        .iter()
        .rposition(|payload| Some(&**payload) == music.frame(Codec::Pcma, (5 + 79) % 50))
        .unwrap();
    assert!(at >= 78, "one packet every 20 ms, none of the music left out: {at}");
}

#[test]
fn an_answer_cuts_music_and_voice_at_once() {
    let mut stage = music_and_voice(Gain::softer_by(12));
    stage.open(B).connect(B, stream(B)).run(20 * FRAME);
    take(&mut stage);
    stage.command(Command::Bridge { a: A, b: B }).run(30 * FRAME);
    assert_eq!(take(&mut stage).len(), 0);
    assert_eq!((stage.take_events(), stage.engine.counters().playing), (vec![], 0));
}

#[test]
fn without_music_the_voice_begins_at_once() {
    let mut stage = Stage::new();
    stage.open(A).connect(A, stream(A));
    let under = Gain::softer_by(12);
    stage.command(Command::PlayOver { leg: A, play: 2, prompt: of(1_000.0).into(), under }).run(60 * FRAME);
    let heard = levels(&take(&mut stage));
    assert_eq!(heard.len(), 50);
    assert!(heard.iter().all(|(_, voice)| near(*voice, -10.0)), "{heard:?}");
    assert_eq!(
        (stage.take_events(), stage.engine.counters().playing),
        (vec![Event::Played { leg: A, play: 2 }], 0)
    );
}

#[test]
fn what_plays_anew_cuts_what_is_said_over() {
    let mut stage = music_and_voice(Gain::softer_by(12));
    stage.run(20 * FRAME + MS);
    take(&mut stage);
    let (prompt, from) = (of(1_500.0).into(), PlayFrom::Start);
    stage.command(Command::Play { leg: A, play: 3, prompt, repeat: false, from }).run(60 * FRAME);
    assert!(levels(&take(&mut stage)).iter().all(|(music, voice)| *music < -40.0 && *voice < -40.0));
    assert_eq!(stage.take_events(), [Event::Played { leg: A, play: 3 }]);
}
