//! WAV files (RIFF/WAVE): what prompts and music come in, and what tests write.
//!
//! Read without a copy and without trust: every length is checked against the bytes that are there. Understood are PCM
//! of 8, 16, 24 and 32 bits, float of 32 bits, G.711 A-law and µ-law, each also in the extensible form.

use crate::codec::g711;

/// The slowest sampling rate we take, in Hz.
pub const MIN_RATE: u32 = 4_000;
/// The fastest sampling rate we take, in Hz.
pub const MAX_RATE: u32 = 384_000;
/// Bytes before the samples in a file that we write.
pub const HEADER_BYTES: usize = 44;

/// Why a WAV file cannot be used. Always the file's fault; each text says what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// No bytes at all.
    #[error("the file is empty; record or copy it again")]
    Empty,
    /// It does not begin as a file of sound does that we read.
    #[error("neither WAV, Ogg, FLAC nor MP3 but {found}; convert it with: sox IN -r 8000 -c 1 -b 16 OUT.wav")]
    NotWav {
        /// What it looks like.
        found: &'static str,
    },
    /// A chunk goes on past the end of the file.
    #[error("the file ends after {found} of {expected} bytes of its '{chunk}' chunk; copy it again")]
    Truncated {
        /// The chunk's four letters.
        chunk: &'static str,
        /// As its header says.
        expected: u32,
        /// As there are.
        found: usize,
    },
    /// A chunk every WAV file has is not there.
    #[error("the file has no '{0}' chunk; export it again as WAV")]
    Missing(&'static str),
    /// A format number we do not read.
    #[error("the sound is coded as format {0:#06x}; export it as PCM, 16 bits")]
    Format(u16),
    /// A number of bits that does not go with the format.
    #[error("{bits} bits a sample; use 8, 16, 24 or 32 (PCM) or 32 (float)")]
    Bits {
        /// As the file says.
        bits: u16,
    },
    /// No channel, or more than two.
    #[error("{0} channels; mix it to mono: sox IN -c 1 OUT.wav")]
    Channels(u16),
    /// A sampling rate nobody records at.
    #[error("a sampling rate of {0} Hz; use {MIN_RATE} to {MAX_RATE} Hz, best 8000")]
    Rate(u32),
    /// The sizes in the header contradict each other.
    #[error("a frame of {found} bytes where {expected} were expected; export the file again")]
    FrameSize {
        /// Channels times bytes a sample.
        expected: u16,
        /// As the file says.
        found: u16,
    },
    /// Header only.
    #[error("the file has no sound in it, its 'data' chunk is empty")]
    Silent,
    /// A float sample that is not a number.
    #[error("sample {frame} is not a number; export the file again as PCM, 16 bits")]
    NotANumber {
        /// Counted from 0; both channels of an instant count as one.
        frame: usize,
    },
}

/// How a sample is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    ALaw,
    MuLaw,
}

impl Sample {
    fn bytes(self) -> usize {
        match self {
            Sample::Unsigned8 | Sample::ALaw | Sample::MuLaw => 1,
            Sample::Signed16 => 2,
            Sample::Signed24 => 3,
            Sample::Signed32 | Sample::Float32 => 4,
        }
    }

    /// One sample, -1.0 to 1.0 (floats may exceed it). `bytes` has [`Self::bytes`] bytes.
    fn read(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Sample::Unsigned8, &[a]) => (f32::from(a) - 128.0) / 128.0,
            (Sample::Signed16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (Sample::Signed24, &[a, b, c]) => i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0,
            (Sample::Signed32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
            (Sample::Float32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Sample::ALaw, &[a]) => f32::from(g711::A_TO_LINEAR[usize::from(a)]) / 32_768.0,
            (Sample::MuLaw, &[a]) => f32::from(g711::MU_TO_LINEAR[usize::from(a)]) / 32_768.0,
            _ => 0.0,
        }
    }
}

/// A WAV file, checked, its sound still in the file's bytes.
#[derive(Debug, Clone, Copy)]
pub struct Wav<'a> {
    sample: Sample,
    channels: u16,
    rate: u32,
    data: &'a [u8],
}

impl<'a> Wav<'a> {
    /// Reads the header and finds the sound.
    ///
    /// A `data` chunk whose length was never filled in, as programs write that stream to a pipe, reaches to the end.
    ///
    /// # Errors
    /// [`WavError`] for whatever could not be played as it was meant.
    pub fn parse(bytes: &'a [u8]) -> Result<Wav<'a>, WavError> {
        let mut rest = body(bytes)?;
        let mut format = None;
        while let Some((name, length, content)) = chunk(rest) {
            match &name {
                b"fmt " => format = Some(Header::parse(length, content)?),
                b"data" => return format.ok_or(WavError::Missing("fmt "))?.with(length, content),
                _ => {}
            }
            // Chunks are padded to even length.
            let skip = (length as usize).saturating_add(length as usize & 1);
            rest = content.get(skip..).unwrap_or_default();
        }
        Err(WavError::Missing(if format.is_some() { "data" } else { "fmt " }))
    }

    /// Samples a second of each channel, [`MIN_RATE`] to [`MAX_RATE`].
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// 1 or 2.
    #[must_use]
    pub fn channels(&self) -> u16 {
        self.channels
    }

    /// Samples of each channel; at least 1.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.data.len() / self.frame_bytes()
    }

    /// The sound as one channel, -1.0 to 1.0: the mean of both channels if there are two.
    ///
    /// # Errors
    /// An item is `NotANumber` where a float is infinite or no number.
    pub fn mono(&self) -> impl Iterator<Item = Result<f32, WavError>> + use<'a> {
        let (sample, channels) = (self.sample, f32::from(self.channels));
        self.data.chunks_exact(self.frame_bytes()).enumerate().map(move |(frame, bytes)| {
            let sum: f32 = bytes.chunks_exact(sample.bytes()).map(|bytes| sample.read(bytes)).sum();
            if sum.is_finite() { Ok(sum / channels) } else { Err(WavError::NotANumber { frame }) }
        })
    }

    fn frame_bytes(&self) -> usize {
        self.sample.bytes() * usize::from(self.channels)
    }
}

/// The `fmt ` chunk.
struct Header {
    sample: Sample,
    channels: u16,
    rate: u32,
}

impl Header {
    fn parse(length: u32, content: &[u8]) -> Result<Header, WavError> {
        let truncated = WavError::Truncated { chunk: "fmt ", expected: length.max(16), found: content.len() };
        let content =
            content.get(..length as usize).filter(|content| content.len() >= 16).ok_or(truncated)?;
        let word = |at: usize| content.get(at..at + 2).map_or(0, |w| u16::from_le_bytes([w[0], w[1]]));
        let (channels, frame_bytes, bits) = (word(2), word(12), word(14));
        let rate = u32::from(word(4)) | u32::from(word(6)) << 16;
        // Extensible: the real format opens the GUID at byte 24.
        let format = if word(0) == 0xFFFE { word(24) } else { word(0) };
        if !(1..=2).contains(&channels) {
            return Err(WavError::Channels(channels));
        }
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(WavError::Rate(rate));
        }
        let sample = sample(format, bits)?;
        let expected = sample.bytes() as u16 * channels;
        if frame_bytes != expected {
            return Err(WavError::FrameSize { expected, found: frame_bytes });
        }
        Ok(Header { sample, channels, rate })
    }

    fn with(self, length: u32, content: &[u8]) -> Result<Wav<'_>, WavError> {
        let Header { sample, channels, rate } = self;
        // 0xFFFF_FFFF, 0x7FFF_F000 and the like stand for "not known while writing".
        let streamed = length >= 0x7FFF_0000;
        let data = match content.get(..length as usize) {
            Some(data) => data,
            None if streamed => content,
            None => {
                return Err(WavError::Truncated { chunk: "data", expected: length, found: content.len() });
            }
        };
        let wav = Wav { sample, channels, rate, data };
        if wav.frames() == 0 { Err(WavError::Silent) } else { Ok(wav) }
    }
}

fn sample(format: u16, bits: u16) -> Result<Sample, WavError> {
    match (format, bits) {
        (1, 8) => Ok(Sample::Unsigned8),
        (1, 16) => Ok(Sample::Signed16),
        (1, 24) => Ok(Sample::Signed24),
        (1, 32) => Ok(Sample::Signed32),
        (3, 32) => Ok(Sample::Float32),
        (6, 8) => Ok(Sample::ALaw),
        (7, 8) => Ok(Sample::MuLaw),
        (1 | 3 | 6 | 7, bits) => Err(WavError::Bits { bits }),
        (format, _) => Err(WavError::Format(format)),
    }
}

/// What follows `RIFF....WAVE`.
fn body(bytes: &[u8]) -> Result<&[u8], WavError> {
    match bytes {
        [] => Err(WavError::Empty),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', rest @ ..] => Ok(rest),
        _ => Err(WavError::NotWav { found: looks_like(bytes) }),
    }
}

fn looks_like(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xFF, 0xE0..=0xFF, ..] => "AAC or another kind of MPEG audio",
        [b'R', b'I', b'F', b'X', ..] => "big-endian RIFX",
        [b'R', b'F', b'6', b'4', ..] => "RF64",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "MP4",
        [b'R', b'I', b'F', b'F', ..] => "another kind of RIFF, or only the start of a file",
        _ => "something else",
    }
}

/// Name, length as written and all bytes behind the chunk's header.
fn chunk(bytes: &[u8]) -> Option<([u8; 4], u32, &[u8])> {
    let (name, rest) = bytes.split_first_chunk::<4>()?;
    let (length, content) = rest.split_first_chunk::<4>()?;
    Some((*name, u32::from_le_bytes(*length), content))
}

/// A WAV file of 16-bit PCM: `samples` are interleaved when there are two `channels`.
#[must_use]
pub fn encode_wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let mut file = wav_header(rate, channels, samples.len());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// What stands before the samples of such a file: [`HEADER_BYTES`]. More than 4 GiB of them are told as 4 GiB.
#[must_use]
pub fn wav_header(rate: u32, channels: u16, samples: usize) -> Vec<u8> {
    let length = u32::try_from(samples * 2).unwrap_or(u32::MAX - 36);
    let frame_bytes = channels * 2;
    let mut file = Vec::with_capacity(HEADER_BYTES);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&rate.wrapping_mul(u32::from(frame_bytes)).to_le_bytes());
    file.extend_from_slice(&frame_bytes.to_le_bytes());
    file.extend_from_slice(b"\x10\0data");
    file.extend_from_slice(&length.to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one `fmt ` chunk of these numbers and this sound.
    fn file(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let frame_bytes = channels * (bits / 8);
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        file.extend(format.to_le_bytes().into_iter().chain(channels.to_le_bytes()));
        file.extend(rate.to_le_bytes().into_iter().chain([0; 4]));
        file.extend(frame_bytes.to_le_bytes().into_iter().chain(bits.to_le_bytes()));
        file.extend_from_slice(b"data");
        file.extend_from_slice(&(data.len() as u32).to_le_bytes());
        file.extend_from_slice(data);
        file
    }

    fn sound(file: &[u8]) -> Vec<f32> {
        Wav::parse(file).unwrap().mono().map(Result::unwrap).collect()
    }

    fn error(file: &[u8]) -> WavError {
        Wav::parse(file).unwrap_err()
    }

    #[test]
    fn every_sample_format_is_read_at_its_scale() {
        let half = 0.5f32.to_le_bytes();
        let cases: [(u16, u16, &[u8], f32); 7] = [
            (1, 8, &[192, 64], 0.5),
            (1, 16, &[0, 0x40, 0, 0xC0], 0.5),
            (1, 24, &[0, 0, 0x40, 0, 0, 0xC0], 0.5),
            (1, 32, &[0, 0, 0, 0x40, 0, 0, 0, 0xC0], 0.5),
            (3, 32, &[half[0], half[1], half[2], half[3], half[0], half[1], half[2], half[3] | 0x80], 0.5),
            (6, 8, &[0xAA, 0x2A], 32_256.0 / 32_768.0),
            (7, 8, &[0x80, 0x00], 32_124.0 / 32_768.0),
        ];
        for (format, bits, data, level) in cases {
            let samples = sound(&file(format, 1, 8_000, bits, data));
            assert_eq!(samples, [level, -level], "format {format}, {bits} bits");
        }
    }

    #[test]
    fn what_we_write_reads_the_same_here_and_elsewhere() {
        let samples = [0i16, 1, -1, i16::MAX, i16::MIN, 1_000];
        for channels in [1, 2] {
            let file = encode_wav(44_100, channels, &samples);
            let mut other = hound::WavReader::new(file.as_slice()).unwrap();
            assert_eq!((other.spec().sample_rate, other.spec().channels), (44_100, channels));
            let theirs: Vec<i16> = other.samples().map(Result::unwrap).collect();
            assert_eq!(theirs, samples);
            let wav = Wav::parse(&file).unwrap();
            assert_eq!(
                (wav.rate(), wav.channels(), wav.frames()),
                (44_100, channels, 6 / usize::from(channels))
            );
            let mean: Vec<f32> = samples
                .chunks(usize::from(channels))
                .map(|frame| {
                    frame.iter().map(|&s| f32::from(s) / 32_768.0).sum::<f32>() / f32::from(channels)
                })
                .collect();
            assert_eq!(sound(&file), mean);
        }
    }

    #[test]
    fn files_of_another_writer_are_read_as_it_meant_them() {
        use hound::{
            SampleFormat::{Float, Int},
            WavSpec, WavWriter,
        };
        for (bits_per_sample, sample_format) in [(8, Int), (16, Int), (24, Int), (32, Int), (32, Float)] {
            let spec = WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample, sample_format };
            let mut bytes = std::io::Cursor::new(vec![]);
            let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
            for _ in 0..10 {
                for sign in [1, 1] {
                    match sample_format {
                        Int => writer.write_sample(sign << (bits_per_sample - 2)).unwrap(),
                        Float => writer.write_sample(0.5f32).unwrap(),
                    }
                }
            }
            writer.finalize().unwrap();
            // More than 16 bits are written in the extensible form.
            assert_eq!(sound(&bytes.into_inner()), [0.5; 10], "{bits_per_sample} bits");
        }
    }

    #[test]
    fn unknown_chunks_are_skipped_with_their_padding() {
        let plain = encode_wav(8_000, 1, &[256]);
        let mut listed = plain[..12].to_vec();
        listed.extend_from_slice(b"LIST\x03\0\0\0abc\0");
        listed.extend_from_slice(&plain[12..]);
        listed.extend_from_slice(b"id3 \x01\0\0\0x");
        assert_eq!(sound(&listed), sound(&plain));
    }

    #[test]
    fn a_length_that_was_never_filled_in_reaches_to_the_end() {
        for length in [0xFFFF_FFFFu32, 0x7FFF_F000] {
            let mut file = encode_wav(8_000, 1, &[256, 512]);
            file[40..44].copy_from_slice(&length.to_le_bytes());
            assert_eq!(sound(&file).len(), 2);
        }
    }

    #[test]
    fn each_bad_file_is_named_and_gets_a_cure() {
        let good = encode_wav(8_000, 1, &[1, 2, 3]);
        let cases = [
            (vec![], "the file is empty; record or copy it again"),
            (
                b"\0\0\0\x20ftypM4A ".to_vec(),
                "neither WAV, Ogg, FLAC nor MP3 but MP4; convert it with: sox IN -r 8000 -c 1 -b 16 OUT.wav",
            ),
            (
                b"RIFF".to_vec(),
                "neither WAV, Ogg, FLAC nor MP3 but another kind of RIFF, or only the start of a file; convert it with: sox IN -r 8000 -c 1 -b 16 OUT.wav",
            ),
            (good[..12].to_vec(), "the file has no 'fmt ' chunk; export it again as WAV"),
            (good[..30].to_vec(), "the file ends after 10 of 16 bytes of its 'fmt ' chunk; copy it again"),
            (good[..36].to_vec(), "the file has no 'data' chunk; export it again as WAV"),
            (good[..46].to_vec(), "the file ends after 2 of 6 bytes of its 'data' chunk; copy it again"),
            (encode_wav(8_000, 1, &[]), "the file has no sound in it, its 'data' chunk is empty"),
            (encode_wav(1, 1, &[1]), "a sampling rate of 1 Hz; use 4000 to 384000 Hz, best 8000"),
            (encode_wav(768_000, 1, &[1]), "a sampling rate of 768000 Hz; use 4000 to 384000 Hz, best 8000"),
            (encode_wav(8_000, 0, &[1]), "0 channels; mix it to mono: sox IN -c 1 OUT.wav"),
            (encode_wav(8_000, 6, &[1; 6]), "6 channels; mix it to mono: sox IN -c 1 OUT.wav"),
            (file(1, 1, 8_000, 12, &[0; 4]), "12 bits a sample; use 8, 16, 24 or 32 (PCM) or 32 (float)"),
            (
                file(0x55, 1, 8_000, 16, &[0; 4]),
                "the sound is coded as format 0x0055; export it as PCM, 16 bits",
            ),
        ];
        for (file, expected) in cases {
            assert_eq!(error(&file).to_string(), expected);
        }
    }

    #[test]
    fn a_frame_size_that_contradicts_the_rest_is_an_error() {
        let mut file = encode_wav(8_000, 1, &[1, 2]);
        file[32] = 4;
        assert_eq!(error(&file), WavError::FrameSize { expected: 2, found: 4 });
    }

    #[test]
    fn a_float_that_is_no_number_is_found() {
        let mut data = [0; 12];
        data[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
        let file = file(3, 1, 8_000, 32, &data);
        let first_error = Wav::parse(&file).unwrap().mono().find_map(Result::err);
        assert_eq!(first_error, Some(WavError::NotANumber { frame: 1 }));
    }

    #[test]
    fn no_cut_and_no_flipped_byte_makes_it_panic() {
        let good = encode_wav(8_000, 2, &[1, 2, 3, 4]);
        for length in 0..good.len() {
            let _ = Wav::parse(&good[..length]);
        }
        for at in 0..good.len() {
            for byte in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut bad = good.clone();
                bad[at] = byte;
                if let Ok(wav) = Wav::parse(&bad) {
                    assert_eq!(wav.mono().count(), wav.frames());
                }
            }
        }
    }
}
