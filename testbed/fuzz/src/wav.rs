//! Prompt files: any bytes become whole frames or an error with a text.

use media::wav::Wav;
use media::{Codec, Prompt};

/// The bytes are a file.
pub fn run(data: &[u8]) {
    let Ok(wav) = Wav::parse(data) else { return };
    assert_eq!(wav.mono().count(), wav.frames());
    match Prompt::from_wav(data, "fuzz", &Codec::ALL) {
        Ok(prompt) => whole(&wav, &prompt),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn whole(wav: &Wav<'_>, prompt: &Prompt) {
    let samples = (wav.frames() as u64 * 8_000).div_ceil(u64::from(wav.rate()));
    assert_eq!(prompt.frame_count() as u64, samples.div_ceil(160));
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        assert!(
            (0..prompt.frame_count()).all(|index| prompt.frame(codec, index).map(<[u8]>::len) == Some(160))
        );
    }
}
