//! Prompts and music: read once, kept as ready frames of every codec, so that playing is a copy.

use std::sync::Arc;
use std::time::Duration;

use crate::Codec;
use crate::tone::RATE;
use crate::wav::{Wav, WavError};

mod resample;

/// The longest prompt, two hours: 58 MB for each codec.
pub const MAX_DURATION: Duration = Duration::from_secs(7_200);

/// Samples of a 20 ms frame.
const FRAME: usize = 160;

/// Why a file cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// The file is not a WAV file we can read.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// Longer than [`MAX_DURATION`].
    #[error("it lasts {} s, the limit is {} s; cut it, or let it repeat", .0.as_secs(), MAX_DURATION.as_secs())]
    TooLong(Duration),
    /// The resampler refused.
    #[error("cannot be resampled from {rate} to {RATE} Hz ({why}); convert it with: sox IN -r 8000 OUT.wav")]
    Resample {
        /// The file's rate.
        rate: u32,
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
    /// Reads a WAV file: see [`Wav::parse`] for the kinds. Resampled to 8 kHz if need be, two channels mixed to one.
    ///
    /// `name` is for logs: the file's name as the configuration has it.
    ///
    /// # Errors
    /// [`PromptError`] with what is wrong and what would help; the file's name is not in the text.
    pub fn from_wav(bytes: &[u8], name: &str) -> Result<Prompt, PromptError> {
        let wav = Wav::parse(bytes)?;
        let duration = Duration::from_secs(wav.frames() as u64) / wav.rate();
        if duration > MAX_DURATION {
            return Err(PromptError::TooLong(duration));
        }
        let samples = resample::to_8_khz(&wav)?;
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
            let prompt = Prompt::from_wav(&file, "tone").unwrap();
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
            let wav = Wav::parse(&file).unwrap();
            let samples = resample::to_8_khz(&wav).unwrap();
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
            let samples = resample::to_8_khz(&Wav::parse(&file).unwrap()).unwrap();
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
            let resampled = resample::to_8_khz(&Wav::parse(&encode_wav(rate, 1, &samples)).unwrap()).unwrap();
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
        let samples = heard(&Prompt::from_wav(&encode_wav(8_000, 2, &both), "both").unwrap(), Codec::Pcma);
        for hz in [440.0, 1_000.0] {
            assert!((tone::level_at(middle(&samples), hz) + 16.0).abs() < 0.5);
        }
    }

    #[test]
    fn a_file_of_more_than_two_hours_is_refused_before_it_is_read() {
        let mut file = encode_wav(4_000, 1, &[]);
        file[40..44].copy_from_slice(&(4_000u32 * 2 * 7_201).to_le_bytes());
        file.resize(44 + 4_000 * 2 * 7_201, 0);
        let error = Prompt::from_wav(&file, "long").unwrap_err();
        assert_eq!(error.to_string(), "it lasts 7201 s, the limit is 7200 s; cut it, or let it repeat");
    }

    #[test]
    fn a_single_sample_is_a_prompt() {
        for rate in [4_000, 8_000, 48_000, 384_000] {
            assert_eq!(Prompt::from_wav(&encode_wav(rate, 1, &[1]), "click").unwrap().frame_count(), 1);
        }
    }
}
