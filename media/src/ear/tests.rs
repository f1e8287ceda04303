//! What an ear hears, by its sound.

use std::time::Duration;

use super::*;
use crate::codec::{Encoder, OpusParameters};
use crate::testing::origin;
use crate::tone;

const OURS: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

/// Payloads of a tone of one second and a half.
fn payloads(codec: Codec, hz: f32) -> Vec<Vec<u8>> {
    let rate = codec.sound_rate();
    let mut encoder = Encoder::new(codec, OpusParameters::default()).unwrap();
    let samples = tone::sine_at(rate, hz, 1_500, -10.0);
    let frames = samples.chunks_exact(rate as usize / 50);
    frames
        .map(|frame| {
            let mut payload = Vec::new();
            assert!(encoder.encode(frame, &mut payload));
            payload
        })
        .collect()
}

/// What is heard when packets for which `comes` says so arrive on time.
fn heard(codec: Codec, payloads: &[Vec<u8>], comes: impl Fn(usize) -> bool) -> Vec<i16> {
    let (mut ear, mut all) = (Ear::new(codec).unwrap(), Vec::new());
    let place = Place { run: 1, number: 0, new_run: false };
    for (n, payload) in payloads.iter().enumerate() {
        if comes(n) {
            let now = origin() + Duration::from_millis(n as u64 * 20);
            ear.take(now, place, n as u32 * codec.clock_rate() / 50, payload);
        }
        let mut sound = [0; FRAME];
        ear.hear(&mut sound);
        all.extend(sound);
    }
    all
}

/// Signal against everything else, in dB, of a tone at `hz`.
fn signal_to_rest(samples: &[i16], hz: f32) -> f32 {
    let level = tone::level_at_rate(RATE, samples, hz);
    let power = |level: f32| 10f32.powf(level / 10.0);
    let rest = (power(tone::level(samples)) - power(level)).max(1e-9);
    10.0 * (power(level) / rest).log10()
}

#[test]
fn a_tone_comes_through_every_codec_at_its_level() {
    for (codec, hz, quality) in [
        (Codec::Pcma, 1_000.0, 30.0),
        (Codec::Pcmu, 1_000.0, 30.0),
        (Codec::G722, 1_000.0, 20.0),
        (Codec::Opus, 1_000.0, 12.0),
        (Codec::G722, 5_000.0, 12.0),
        (Codec::Pcma, 3_300.0, 30.0),
    ] {
        let sound = heard(codec, &payloads(codec, hz), |_| true);
        let middle = &sound[8_000..20_000];
        let level = tone::level_at_rate(RATE, middle, hz);
        assert!((level + 10.0).abs() < 1.0, "{codec} at {hz} Hz: {level} dBFS");
        let ratio = signal_to_rest(middle, hz);
        assert!(ratio > quality, "{codec} at {hz} Hz: {ratio} dB");
    }
}

#[test]
fn one_packet_in_twenty_lost_leaves_no_hole() {
    for codec in OURS {
        let sound = heard(codec, &payloads(codec, 400.0), |n| n % 20 != 13);
        let quiet = sound[4_000..].chunks_exact(160).filter(|part| tone::level(part) < -22.0).count();
        assert!(
            quiet <= usize::from(codec == Codec::Opus),
            "{codec}: {quiet} pieces of 10 ms have lost half of their loudness and more"
        );
    }
}

#[test]
fn without_making_up_there_would_be_holes() {
    // The same measure sees a hole where there is one: 100 ms in a row cannot be made up.
    let sound = heard(Codec::Pcma, &payloads(Codec::Pcma, 400.0), |n| !(30..40).contains(&n));
    assert!(sound[4_000..].chunks_exact(160).any(|part| tone::level(part) < -22.0));
}

#[test]
fn comfort_noise_is_heard_at_its_level_until_words_come() {
    let mut ear = Ear::new(Codec::Pcma).unwrap();
    let mut sound = [0; FRAME];
    ear.take_noise(&[60]);
    ear.hear(&mut sound);
    ear.hear(&mut sound);
    let level = tone::level(&sound) - 3.0; // dBov counts against a square wave (RFC 3389 §3)
    assert!((level + 60.0).abs() < 3.0, "{level}");
    let place = Place { run: 1, number: 0, new_run: false };
    ear.take(origin(), place, 0, &[0xd5; 160]);
    ear.hear(&mut sound);
    ear.hear(&mut sound);
    assert!(tone::level(&sound) < -66.0);
}

#[test]
fn noise_that_is_no_noise_is_kept_down() {
    let mut ear = Ear::new(Codec::Pcma).unwrap();
    let mut sound = [0; FRAME];
    ear.take_noise(&[0]);
    (0..3).for_each(|_| ear.hear(&mut sound));
    assert!(tone::level(&sound) < -24.0);
}

#[test]
fn payloads_that_make_no_sense_are_silence() {
    for codec in OURS {
        let mut ear = Ear::new(codec).unwrap();
        let place = Place { run: 1, number: 0, new_run: false };
        for (n, payload) in [&[][..], &[0xff; 3], &[7; 1_400], &[0xfc, 0xff]].into_iter().enumerate() {
            ear.take(origin(), place, n as u32 * 960, payload);
        }
        let mut sound = [0; FRAME];
        (0..50).for_each(|_| ear.hear(&mut sound));
    }
}
