//! Sound files of every kind, made by ffmpeg (`media/tests/sounds`): a tone of 1 kHz at -10 dBFS for one second.

use media::prompt::{MAX_DURATION, Sound, resample};
use media::wav::encode_wav;
use media::{Codec, Prompt, tone};

const WHOLE: [(&str, u32); 9] = [
    ("mono.mp3", 44_100),
    ("stereo.mp3", 48_000),
    ("mono.flac", 16_000),
    ("fast.flac", 48_000),
    ("stereo.ogg", 44_100),
    ("mono.opus", 48_000),
    ("stereo.opus", 48_000),
    ("narrow.opus", 48_000),
    ("piped.wav", 22_050),
];

fn file(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn why(bytes: &[u8]) -> String {
    Prompt::load(bytes, "it", &Codec::G711).unwrap_err().to_string()
}

#[test]
fn a_tone_keeps_level_pitch_and_length_in_every_kind_of_file() {
    for (name, rate) in WHOLE {
        let sound = Sound::read(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sound.rate(), rate, "{name}");
        for wanted in [8_000, 16_000, 48_000] {
            let samples = resample::to(&sound, wanted).unwrap();
            let seconds = samples.len() as f32 / wanted as f32;
            assert!((seconds - 1.0).abs() < 0.002, "{name} at {wanted} Hz: {seconds} s");
            let edge = wanted as usize / 10;
            let middle = &samples[edge..samples.len() - edge];
            let level = tone::level_at_rate(wanted, middle, 1_000.0);
            assert!((level + 10.0).abs() < 1.0, "{name} at {wanted} Hz: {level} dBFS");
            assert!((tone::level(middle) - level).abs() < 0.3, "{name} at {wanted} Hz: not the tone alone");
        }
    }
}

/// What an encoder puts before and behind the sound is left out: pieces of music follow each other without a hole.
#[test]
fn sound_begins_and_ends_where_it_did_before_it_was_encoded() {
    for (name, _) in WHOLE {
        let samples = resample::to(&Sound::read(&file(name)).unwrap(), 8_000).unwrap();
        for (place, edge) in [("start", &samples[..160]), ("end", &samples[samples.len() - 160..])] {
            assert!(tone::level(edge) > -14.0, "{name}: {} dBFS at its {place}", tone::level(edge));
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_and_never_a_shorter_sound() {
    for (name, _) in WHOLE {
        let whole = file(name);
        for tenths in 1..10 {
            let cut = whole.len() * tenths / 10;
            let error = match Prompt::load(&whole[..cut], name, &Codec::G711) {
                // A program that writes to a pipe tells no length: what is there is what there is.
                Ok(_) if name == "piped.wav" => continue,
                Ok(prompt) => panic!("{name} cut at {cut}: {:?} of sound", prompt.duration()),
                Err(error) => error.to_string(),
            };
            assert!(error.contains("; "), "{name} cut at {cut} has no cure: {error}");
        }
    }
}

#[test]
fn what_cannot_be_played_is_named_with_a_cure() {
    let cases = [
        (
            file("mono.m4a"),
            "neither WAV, Ogg, FLAC nor MP3 but MP4; convert it with: sox IN -r 8000 -c 1 -b 16 OUT.wav",
        ),
        (file("six.flac"), "6 channels; mix it to mono: sox IN -c 1 OUT.wav"),
        (vec![], "the file is empty; record or copy it again"),
        (b"OggS".to_vec(), "the Ogg sound in it ends before its end; copy it again"),
        (b"fLaC".to_vec(), "the FLAC sound in it ends before its end; copy it again"),
        (b"ID3".to_vec(), "the MP3 sound in it ends before its end; copy it again"),
        (
            b"Lorem ipsum".to_vec(),
            "neither WAV, Ogg, FLAC nor MP3 but something else; convert it with: sox IN -r 8000 -c 1 -b 16 OUT.wav",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(why(&bytes), expected);
    }
}

/// A FLAC file of silence tells hours in a few bytes a second: what it claims is not believed, what it has is counted.
#[test]
fn a_small_file_that_lasts_for_hours_is_refused_when_the_limit_is_reached() {
    let limit = MAX_DURATION.as_secs() as u32;
    let error = why(&encode_wav(4_000, 1, &vec![0; 4_000 * (limit as usize + 1)]));
    assert_eq!(error, "it lasts longer than the limit of 7200 s; cut it, or let it repeat");
    let mut claims = file("mono.flac");
    claims[21..26].copy_from_slice(&[0xFF; 5]); // 36 bits of samples behind the depth (RFC 9639 §8.2)
    assert_eq!(why(&claims), "the FLAC sound in it ends before its end; copy it again");
}

#[test]
fn no_flipped_byte_makes_the_loader_panic() {
    for (name, _) in WHOLE {
        let whole = file(name);
        for at in (0..whole.len().min(600)).chain((600..whole.len()).step_by(97)) {
            let mut bad = whole.clone();
            bad[at] ^= 0x55;
            match Prompt::load(&bad, name, &Codec::G711) {
                Ok(prompt) => assert!(prompt.frame_count() > 0),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}
