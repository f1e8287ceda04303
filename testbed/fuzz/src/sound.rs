//! Sound files: any bytes become whole frames of bounded length or an error with a text.

use media::prompt::{MAX_DURATION, Sound};
use media::{Codec, Prompt};

/// The bytes are a file.
pub fn run(data: &[u8]) {
    let sound = match Sound::read(data) {
        Ok(sound) => sound,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!((4_000..=48_000).contains(&sound.rate()));
    let length = sound.samples().len() as u64;
    assert!(length > 0 && length <= (MAX_DURATION.as_secs() + 1) * u64::from(sound.rate()));
    let prompt = Prompt::load(data, "fuzz", &Codec::ALL).expect("what was read once can be read again");
    whole(&sound, &prompt);
}

fn whole(sound: &Sound, prompt: &Prompt) {
    let samples = (sound.samples().len() as u64 * 8_000).div_ceil(u64::from(sound.rate()));
    assert_eq!(prompt.frame_count() as u64, samples.div_ceil(160));
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        assert!(
            (0..prompt.frame_count()).all(|index| prompt.frame(codec, index).map(<[u8]>::len) == Some(160))
        );
    }
}
