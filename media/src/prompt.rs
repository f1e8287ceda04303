//! Prompts and music: read once, kept as ready frames of every codec, so that playing is a copy.

use std::sync::Arc;
use std::time::Duration;

pub use self::file::{FileKind, Sound};
use crate::Codec;
use crate::tone::RATE;
use crate::wav::WavError;

mod file;
pub mod resample;

/// The longest prompt, two hours: 58 MB for each codec.
pub const MAX_DURATION: Duration = Duration::from_secs(7_200);

/// Samples of a 20 ms frame.
const FRAME: usize = 160;

/// Why a file cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// The file is no sound file we can read, or a WAV file with something wrong, or has a rate or channels that no
    /// prompt has.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// The bytes contradict the format.
    #[error("the {kind} sound in it is broken ({why}); export it again")]
    Broken {
        /// Which format.
        kind: &'static str,
        /// What the decoder says.
        why: String,
    },
    /// The end is missing.
    #[error("the {0} sound in it ends before its end; copy it again")]
    Truncated(&'static str),
    /// Nothing in it that could be heard.
    #[error("there is no sound in this {0} file; export it again")]
    Silent(&'static str),
    /// No stream of sound that we know.
    #[error(
        "there is no sound we can decode in this {0} file; export it as Ogg with Opus or Vorbis, or as WAV"
    )]
    NoTrack(&'static str),
    /// Streams one after another, or a rate that changes.
    #[error("this {0} file has several sounds one after another; write them to one, or to several files")]
    Chained(&'static str),
    /// Longer than [`MAX_DURATION`].
    #[error("it lasts longer than the limit of {} s; cut it, or let it repeat", MAX_DURATION.as_secs())]
    TooLong,
    /// The resampler refused.
    #[error("cannot be resampled from {from} to {to} Hz ({why}); convert it with: sox IN -r 8000 OUT.wav")]
    Resample {
        /// The file's rate.
        from: u32,
        /// The codec's.
        to: u32,
        /// What the resampler says.
        why: String,
    },
}

/// Sound that is ready to be sent: 20 ms frames in every codec.
///
/// A clone shares the sound. There is at least one frame; the last is filled up with silence.
#[derive(Clone)]
pub struct Prompt {
    name: Arc<str>,
    a_law: Arc<[u8]>,
    mu_law: Arc<[u8]>,
    duration: Duration,
}

impl Prompt {
    /// Decodes a sound file: WAV (see [`crate::wav`] for the kinds), FLAC, MP3, Ogg with Vorbis or Opus, known by its
    /// content. Resampled to 8 kHz if need be, two channels mixed to one.
    ///
    /// `name` is for logs: the file's name as the configuration has it.
    ///
    /// # Errors
    /// [`PromptError`] with what is wrong and what would help; the file's name is not in the text.
    pub fn load(bytes: &[u8], name: &str) -> Result<Prompt, PromptError> {
        let samples = resample::to(&Sound::read(bytes)?, RATE)?;
        Ok(Prompt::from_samples(&samples, name))
    }

    /// A prompt of linear samples at 8 kHz. None at all make one frame of silence.
    #[must_use]
    pub fn from_samples(samples: &[i16], name: &str) -> Prompt {
        Prompt {
            name: name.into(),
            a_law: encode(Codec::Pcma, samples),
            mu_law: encode(Codec::Pcmu, samples),
            duration: Duration::from_secs(samples.len() as u64) / RATE,
        }
    }

    /// The name it was loaded under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long the sound is, without the filling of the last frame.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Frames of 20 ms; at least 1.
    #[must_use]
    pub fn frame_count(&self) -> usize {
        self.a_law.len() / FRAME
    }

    /// Frame `index` as payload of `codec`, 160 bytes. Past the end there is silence.
    #[must_use]
    pub fn frame(&self, codec: Codec, index: usize) -> &[u8] {
        const A_SILENCE: &[u8] = &[Codec::Pcma.silence(); FRAME];
        const MU_SILENCE: &[u8] = &[Codec::Pcmu.silence(); FRAME];
        let (sound, silence) = match codec {
            Codec::Pcma => (&self.a_law, A_SILENCE),
            Codec::Pcmu => (&self.mu_law, MU_SILENCE),
        };
        let start = index.saturating_mul(FRAME);
        sound.get(start..start.saturating_add(FRAME)).unwrap_or(silence)
    }
}

/// The sound itself would fill a log.
impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prompt")
            .field("name", &self.name)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

fn encode(codec: Codec, samples: &[i16]) -> Arc<[u8]> {
    let length = samples.len().div_ceil(FRAME).max(1) * FRAME;
    let mut bytes = vec![codec.silence(); length];
    codec.encode(samples, &mut bytes);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone;
    use crate::wav::encode_wav;

    fn heard(prompt: &Prompt, codec: Codec) -> Vec<i16> {
        let mut samples = vec![0; prompt.frame_count() * FRAME];
        for (index, frame) in samples.chunks_mut(FRAME).enumerate() {
            codec.decode(prompt.frame(codec, index), frame);
        }
        samples
    }

    fn at_8_khz(file: &[u8]) -> Vec<i16> {
        resample::to(&Sound::read(file).unwrap(), RATE).unwrap()
    }

    /// Without the edges, where a tone begins and ends.
    fn middle(samples: &[i16]) -> &[i16] {
        &samples[800..samples.len() - 800]
    }

    #[test]
    fn a_tone_keeps_its_level_from_any_rate() {
        for rate in
            [4_000, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000, 384_000, 44_101]
        {
            let file = encode_wav(rate, 1, &tone::sine_at(rate, 1_000.0, 1_000, -10.0));
            let prompt = Prompt::load(&file, "tone").unwrap();
            assert_eq!(prompt.frame_count(), 50, "{rate} Hz");
            for codec in Codec::ALL {
                let samples = heard(&prompt, codec);
                let level = tone::level_at(middle(&samples), 1_000.0);
                assert!((level + 10.0).abs() < 0.5, "{rate} Hz as {codec}: {level} dBFS");
            }
        }
    }

    #[test]
    fn speech_reaches_up_to_3400_hertz() {
        for (rate, hz) in [(16_000, 3_400.0), (44_100, 3_400.0), (48_000, 3_400.0), (48_000, 300.0)] {
            let file = encode_wav(rate, 1, &tone::sine_at(rate, hz, 1_000, -10.0));
            let samples = at_8_khz(&file);
            let level = tone::level_at(middle(&samples), hz);
            assert!((level + 10.0).abs() < 0.5, "{hz} Hz from {rate}: {level} dBFS");
        }
    }

    #[test]
    fn what_lies_above_4_khz_does_not_fold_down() {
        for (rate, hz) in
            [(16_000, 5_000.0), (44_100, 5_000.0), (48_000, 5_000.0), (48_000, 7_000.0), (48_000, 4_200.0)]
        {
            let file = encode_wav(rate, 1, &tone::sine_at(rate, hz, 1_000, -3.0));
            let samples = at_8_khz(&file);
            let alias = tone::level(middle(&samples)) + 3.0;
            assert!(alias < -60.0, "{hz} Hz from {rate}: {alias} dB");
        }
    }

    #[test]
    fn the_start_is_neither_late_nor_cut() {
        // 100 ms of tone behind 100 ms of silence: it must still begin at 100 ms.
        for rate in [16_000, 44_100, 48_000] {
            let mut samples = vec![0; rate as usize / 10];
            samples.extend(tone::sine_at(rate, 1_000.0, 100, -10.0));
            let resampled = at_8_khz(&encode_wav(rate, 1, &samples));
            assert_eq!(resampled.len(), 1_600);
            assert!(tone::level(&resampled[..780]) < -50.0);
            assert!((tone::level(&resampled[820..1_580]) + 10.0).abs() < 0.5);
        }
    }

    #[test]
    fn the_last_frame_is_filled_with_silence() {
        let prompt = Prompt::from_samples(&[12_000; 161], "short");
        assert_eq!(prompt.frame_count(), 2);
        assert_eq!(prompt.duration(), Duration::from_micros(20_125));
        assert_eq!(prompt.frame(Codec::Pcma, 1)[1..], [0xD5; 159]);
        assert_eq!(prompt.frame(Codec::Pcmu, 1)[1..], [0xFF; 159]);
    }

    #[test]
    fn past_the_end_and_in_nothing_there_is_silence() {
        let prompt = Prompt::from_samples(&[], "nothing");
        assert_eq!(prompt.frame_count(), 1);
        assert_eq!(prompt.frame(Codec::Pcmu, 0), [0xFF; 160]);
        assert_eq!(prompt.frame(Codec::Pcma, usize::MAX), [0xD5; 160]);
    }

    #[test]
    fn two_channels_are_mixed_to_their_mean() {
        let left = tone::sine_at(8_000, 440.0, 500, -10.0);
        let right = tone::sine_at(8_000, 1_000.0, 500, -10.0);
        let both: Vec<i16> = left.into_iter().zip(right).flat_map(|(left, right)| [left, right]).collect();
        let samples = heard(&Prompt::load(&encode_wav(8_000, 2, &both), "both").unwrap(), Codec::Pcma);
        for hz in [440.0, 1_000.0] {
            assert!((tone::level_at(middle(&samples), hz) + 16.0).abs() < 0.5);
        }
    }

    #[test]
    fn a_file_of_more_than_two_hours_is_refused() {
        let mut file = encode_wav(4_000, 1, &[]);
        file[40..44].copy_from_slice(&(4_000u32 * 2 * 7_201).to_le_bytes());
        file.resize(44 + 4_000 * 2 * 7_201, 0);
        let error = Prompt::load(&file, "long").unwrap_err();
        assert_eq!(error.to_string(), "it lasts longer than the limit of 7200 s; cut it, or let it repeat");
    }

    #[test]
    fn a_single_sample_is_a_prompt() {
        for rate in [4_000, 8_000, 48_000, 384_000] {
            assert_eq!(Prompt::load(&encode_wav(rate, 1, &[1]), "click").unwrap().frame_count(), 1);
        }
    }
}
