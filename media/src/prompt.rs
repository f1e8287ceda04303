//! Prompts and music: read once, kept as ready frames of every codec, so that playing is a copy.

use std::sync::Arc;
use std::time::Duration;

pub use self::file::{FileKind, Sound};
use crate::Codec;
use crate::codec::{Encoder, OpusParameters};
use crate::tone::RATE;
use crate::wav::WavError;

mod file;
pub mod resample;

/// The longest prompt, two hours: 58 MB for each codec.
pub const MAX_DURATION: Duration = Duration::from_secs(7_200);

/// Frames of 20 ms in a second.
const FRAMES_A_SECOND: usize = 50;
/// The sampling rate of the wide codecs, in Hz.
const WIDE: u32 = 16_000;

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

/// Sound that is ready to be sent: 20 ms frames in every codec that was asked for, each made once.
///
/// A clone shares the sound. There is at least one frame; the last is filled up with silence.
#[derive(Clone)]
pub struct Prompt {
    name: Arc<str>,
    sounds: Arc<[Frames]>,
    count: usize,
    duration: Duration,
}

/// The frames of one codec, one behind the other.
struct Frames {
    codec: Codec,
    bytes: Box<[u8]>,
    /// Where each frame ends: those of Opus differ in length.
    ends: Box<[u32]>,
}

impl Prompt {
    /// Decodes a sound file: WAV (see [`crate::wav`] for the kinds), FLAC, MP3, Ogg with Vorbis or Opus, known by its
    /// content. Resampled if need be, two channels mixed to one.
    ///
    /// `name` is for logs: the file's name as the configuration has it. `codecs` are those it will be played in; a codec
    /// that is only passed on here ([`Codec::is_ours`]) is left out.
    ///
    /// # Errors
    /// [`PromptError`] with what is wrong and what would help; the file's name is not in the text.
    pub fn load(bytes: &[u8], name: &str, codecs: &[Codec]) -> Result<Prompt, PromptError> {
        let sound = Sound::read(bytes)?;
        let mut sounds = Vec::new();
        for rate in [RATE, WIDE] {
            let mut codecs =
                codecs.iter().filter(|codec| codec.is_ours() && codec.sound_rate() == rate).peekable();
            if codecs.peek().is_some() {
                let samples = resample::to(&sound, rate)?;
                sounds.extend(codecs.filter_map(|codec| Frames::new(*codec, &samples)));
            }
        }
        Ok(Prompt {
            name: name.into(),
            count: sounds.iter().map(|frames| frames.ends.len()).max().unwrap_or(1),
            sounds: sounds.into(),
            duration: Duration::from_secs(sound.samples().len() as u64) / sound.rate(),
        })
    }

    /// A prompt of linear samples at 8 kHz, in G.711. None at all make one frame of silence.
    #[must_use]
    pub fn from_samples(samples: &[i16], name: &str) -> Prompt {
        let sounds: Vec<Frames> =
            Codec::G711.into_iter().filter_map(|codec| Frames::new(codec, samples)).collect();
        Prompt {
            name: name.into(),
            count: frame_count(samples.len(), RATE),
            sounds: sounds.into(),
            duration: Duration::from_secs(samples.len() as u64) / RATE,
        }
    }

    /// A prompt that is computed, in every codec of ours: `make` gives its samples at a rate.
    #[must_use]
    pub fn from_tone(name: &str, make: impl Fn(u32) -> Vec<i16>) -> Prompt {
        let sounds = Codec::ALL.into_iter().filter_map(|codec| Frames::new(codec, &make(codec.sound_rate())));
        Prompt { sounds: sounds.collect(), ..Prompt::from_samples(&make(RATE), name) }
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
        self.count
    }

    /// Frame `index` as payload of `codec`. `None` past the end, and in a codec it was not made in.
    #[must_use]
    pub fn frame(&self, codec: Codec, index: usize) -> Option<&[u8]> {
        let frames = self.sounds.iter().find(|frames| frames.codec == codec)?;
        let end = *frames.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |before| frames.ends[before] as usize);
        Some(&frames.bytes[start..end])
    }

    /// Whether it can be played in `codec`.
    #[must_use]
    pub fn is_in(&self, codec: Codec) -> bool {
        self.sounds.iter().any(|frames| frames.codec == codec)
    }
}

impl Frames {
    /// `samples` are at the codec's own rate. `None` if the codec can only be passed on.
    fn new(codec: Codec, samples: &[i16]) -> Option<Frames> {
        let mut encoder = Encoder::new(codec, OpusParameters { fec: false, ..OpusParameters::default() })?;
        let length = codec.sound_rate() as usize / FRAMES_A_SECOND;
        let count = frame_count(samples.len(), codec.sound_rate());
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(count));
        let mut last = vec![0; length];
        for index in 0..count {
            let piece = samples.get(index * length..).unwrap_or_default();
            let frame = piece.get(..length).unwrap_or_else(|| {
                last[..piece.len()].copy_from_slice(piece);
                &last
            });
            encoder.encode(frame, &mut bytes);
            ends.push(bytes.len() as u32);
        }
        Some(Frames { codec, bytes: bytes.into(), ends: ends.into() })
    }
}

/// Whole frames for so many samples, at least one.
fn frame_count(samples: usize, rate: u32) -> usize {
    samples.div_ceil(rate as usize / FRAMES_A_SECOND).max(1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decoder;
    use crate::tone;
    use crate::wav::encode_wav;

    fn heard(prompt: &Prompt, codec: Codec) -> Vec<i16> {
        let (mut decoder, mut samples) = (Decoder::new(codec).unwrap(), Vec::new());
        for index in 0..prompt.frame_count() {
            decoder.decode(prompt.frame(codec, index).unwrap(), &mut samples);
        }
        samples
    }

    fn at_8_khz(file: &[u8]) -> Vec<i16> {
        resample::to(&Sound::read(file).unwrap(), RATE).unwrap()
    }

    /// Without the edges, where a tone begins and ends.
    fn middle(samples: &[i16]) -> &[i16] {
        &samples[samples.len() / 10..samples.len() - samples.len() / 10]
    }

    const OURS: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

    #[test]
    fn a_tone_keeps_its_level_from_any_rate_in_every_codec() {
        for rate in
            [4_000, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000, 384_000, 44_101]
        {
            let file = encode_wav(rate, 1, &tone::sine_at(rate, 1_000.0, 1_000, -10.0));
            let prompt = Prompt::load(&file, "tone", &OURS).unwrap();
            assert_eq!(prompt.frame_count(), 50, "{rate} Hz");
            for codec in OURS {
                let samples = heard(&prompt, codec);
                let level = tone::level_at_rate(codec.sound_rate(), middle(&samples), 1_000.0);
                assert!((level + 10.0).abs() < 1.0, "{rate} Hz as {codec}: {level} dBFS");
            }
        }
    }

    #[test]
    fn wide_codecs_carry_what_lies_above_4_khz() {
        let file = encode_wav(48_000, 1, &tone::sine_at(48_000, 6_000.0, 1_000, -10.0));
        let prompt = Prompt::load(&file, "high", &OURS).unwrap();
        for codec in [Codec::G722, Codec::Opus] {
            let level = tone::level_at_rate(16_000, middle(&heard(&prompt, codec)), 6_000.0);
            assert!((level + 10.0).abs() < 2.0, "{codec}: {level} dBFS");
        }
        assert!(tone::level(middle(&heard(&prompt, Codec::Pcma))) < -50.0);
    }

    #[test]
    fn a_prompt_is_made_only_in_the_codecs_asked_for() {
        let file = encode_wav(8_000, 1, &[1; 320]);
        let prompt = Prompt::load(&file, "two", &[Codec::G722, Codec::G729]).unwrap();
        assert_eq!(prompt.frame_count(), 2);
        assert!(prompt.frame(Codec::G722, 1).is_some() && prompt.frame(Codec::G722, 2).is_none());
        assert!(!prompt.is_in(Codec::Pcma) && !prompt.is_in(Codec::G729));
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
        assert_eq!(prompt.frame(Codec::Pcma, 1).unwrap()[1..], [0xD5; 159]);
        assert_eq!(prompt.frame(Codec::Pcmu, 1).unwrap()[1..], [0xFF; 159]);
    }

    #[test]
    fn nothing_is_a_frame_of_silence_and_past_the_end_there_is_none() {
        let prompt = Prompt::from_samples(&[], "nothing");
        assert_eq!(prompt.frame_count(), 1);
        assert_eq!(prompt.frame(Codec::Pcmu, 0), Some(&[0xFF; 160][..]));
        assert_eq!(prompt.frame(Codec::Pcma, 1), None);
        assert_eq!(prompt.frame(Codec::Pcma, usize::MAX), None);
    }

    #[test]
    fn two_channels_are_mixed_to_their_mean() {
        let left = tone::sine_at(8_000, 440.0, 500, -10.0);
        let right = tone::sine_at(8_000, 1_000.0, 500, -10.0);
        let both: Vec<i16> = left.into_iter().zip(right).flat_map(|(left, right)| [left, right]).collect();
        let samples = heard(&Prompt::load(&encode_wav(8_000, 2, &both), "both", &OURS).unwrap(), Codec::Pcma);
        for hz in [440.0, 1_000.0] {
            assert!((tone::level_at(middle(&samples), hz) + 16.0).abs() < 0.5);
        }
    }

    #[test]
    fn a_file_of_more_than_two_hours_is_refused() {
        let mut file = encode_wav(4_000, 1, &[]);
        file[40..44].copy_from_slice(&(4_000u32 * 2 * 7_201).to_le_bytes());
        file.resize(44 + 4_000 * 2 * 7_201, 0);
        let error = Prompt::load(&file, "long", &OURS).unwrap_err();
        assert_eq!(error.to_string(), "it lasts longer than the limit of 7200 s; cut it, or let it repeat");
    }

    #[test]
    fn a_single_sample_is_a_prompt() {
        for rate in [4_000, 8_000, 48_000, 384_000] {
            assert_eq!(Prompt::load(&encode_wav(rate, 1, &[1]), "click", &OURS).unwrap().frame_count(), 1);
        }
    }
}
