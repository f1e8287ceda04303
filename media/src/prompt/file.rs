//! Sound files: WAV, FLAC, MP3 and Ogg (Vorbis, Opus), known by their content, decoded whole.
//!
//! WAV is read by our own reader, which names what is cut off and takes the made-up lengths of programs that write to a
//! pipe; the others by `symphonia`, but for the packets of Opus, which it cannot decode: libopus does. However much a file claims, memory grows with what has been decoded, and ends at
//! [`MAX_DURATION`].

use std::io::Cursor;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;

use super::resample::{self, Stream};
use super::{MAX_DURATION, PromptError};
use crate::wav::{MAX_RATE, MIN_RATE, Wav, WavError};

/// What is faster is brought down to this while it is decoded: no codec of ours needs more.
const FASTEST: u32 = 48_000;

/// An MP3 that was cut out of a longer one begins with frames that need what is not there.
const MAY_BE_BROKEN: usize = 2;

/// So many samples less than the header says are a slip of whoever wrote it: two frames of MP3. If it is more, the end
/// is missing.
const SLIP: u64 = 2_304;

/// The kinds of file we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// RIFF/WAVE.
    Wav,
    /// Ogg with Vorbis or Opus.
    Ogg,
    /// FLAC.
    Flac,
    /// MPEG audio, layer III.
    Mp3,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [FileKind; 4] = [FileKind::Wav, FileKind::Ogg, FileKind::Flac, FileKind::Mp3];

    /// By the first bytes; `None`: none of ours.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<FileKind> {
        match bytes {
            [b'R', b'I', b'F', b'F', ..] => Some(FileKind::Wav),
            [b'O', b'g', b'g', b'S', ..] => Some(FileKind::Ogg),
            [b'f', b'L', b'a', b'C', ..] => Some(FileKind::Flac),
            // Layer III; the same eleven bits open ADTS and other layers.
            [b'I', b'D', b'3', ..] | [0xFF, 0xE2 | 0xE3 | 0xF2 | 0xF3 | 0xFA | 0xFB, ..] => {
                Some(FileKind::Mp3)
            }
            _ => None,
        }
    }

    /// What the name of such a file may end in; the first is usual.
    #[must_use]
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            FileKind::Wav => &["wav", "wave"],
            FileKind::Ogg => &["ogg", "opus", "oga"],
            FileKind::Flac => &["flac"],
            FileKind::Mp3 => &["mp3"],
        }
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Wav => "WAV",
            FileKind::Ogg => "Ogg",
            FileKind::Flac => "FLAC",
            FileKind::Mp3 => "MP3",
        }
    }
}

/// A sound as it was in its file: one channel of linear samples, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    rate: u32,
    samples: Vec<i16>,
}

impl Sound {
    /// Decodes a file; two channels become their mean.
    ///
    /// # Errors
    /// [`PromptError`] with what is wrong and what would help; the file's name is not in the text.
    pub fn read(bytes: &[u8]) -> Result<Sound, PromptError> {
        match FileKind::of(bytes) {
            Some(FileKind::Wav) | None => Sound::of_wav(&Wav::parse(bytes)?),
            Some(kind) => Sound::of_packets(kind, bytes),
        }
    }

    /// Samples a second, 4,000 to 48,000.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The sound.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    fn of_wav(wav: &Wav<'_>) -> Result<Sound, PromptError> {
        let mut sink = Sink::new(wav.rate())?;
        for sample in wav.mono() {
            sink.push(sample?)?;
        }
        sink.finish()
    }

    fn of_packets(kind: FileKind, bytes: &[u8]) -> Result<Sound, PromptError> {
        let broken = |error: Error| broken(kind, &error);
        if kind == FileKind::Ogg && ogg_is_cut(bytes) {
            return Err(PromptError::Truncated(kind.name()));
        }
        let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
        let mut reader = symphonia::default::get_probe()
            .probe(&Default::default(), stream, Default::default(), Default::default())
            .map_err(broken)?;
        let track = reader.default_track(TrackType::Audio).ok_or(PromptError::NoTrack(kind.name()))?;
        let (id, expected) = (track.id, track.num_frames);
        let Some(CodecParameters::Audio(parameters)) = track.codec_params.clone() else {
            return Err(PromptError::NoTrack(kind.name()));
        };
        let delay = track.delay.unwrap_or(0);
        let mut decoder = Decoder::of(&parameters, delay).map_err(|why| why.of(kind))?;
        let mut decoding = Decoding { kind, sink: None, interleaved: vec![], broken: 0, decoded: 0 };
        decoding.run(id, &mut *reader, &mut decoder)?;
        if expected.is_some_and(|expected| decoding.decoded + SLIP < expected) {
            return Err(PromptError::Truncated(kind.name()));
        }
        decoding.sink.ok_or(PromptError::Silent(kind.name()))?.finish()
    }
}

/// What makes samples of packets.
enum Decoder {
    Library(Box<dyn AudioDecoder>),
    Opus(Opus),
}

/// Why a packet came to nothing.
enum Undecoded {
    Packet(Error),
    Opus(opus::Error),
}

impl Undecoded {
    fn of(self, kind: FileKind) -> PromptError {
        match self {
            Undecoded::Packet(error) => broken(kind, &error),
            Undecoded::Opus(error) => PromptError::Broken { kind: "Opus", why: error.to_string() },
        }
    }
}

impl Decoder {
    fn of(parameters: &AudioCodecParameters, delay: u32) -> Result<Decoder, Undecoded> {
        if parameters.codec == CODEC_ID_OPUS {
            return Opus::new(parameters, delay).map(Decoder::Opus).map_err(Undecoded::Opus);
        }
        symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map(Decoder::Library)
            .map_err(Undecoded::Packet)
    }

    /// Samples of all channels go to `interleaved`; the rate and how many channels there are.
    fn decode(&mut self, packet: &Packet, interleaved: &mut Vec<f32>) -> Result<(u32, usize), Undecoded> {
        match self {
            Decoder::Library(decoder) => {
                let decoded = decoder.decode(packet).map_err(Undecoded::Packet)?;
                decoded.copy_to_vec_interleaved(interleaved);
                Ok((decoded.spec().rate(), decoded.spec().channels().count()))
            }
            Decoder::Opus(decoder) => {
                decoder.decode(packet, interleaved).map_err(Undecoded::Opus)?;
                Ok((Opus::RATE, decoder.channels))
            }
        }
    }
}

/// Opus in Ogg (RFC 7845): one channel, decoded at 48 kHz.
struct Opus {
    decoder: opus::Decoder,
    /// As in the file, of which the decoder makes one; more than 2 are refused before they are decoded.
    channels: usize,
    /// Samples still to be left out at the start.
    skip: usize,
}

impl Opus {
    const RATE: u32 = 48_000;
    /// The longest packet, 120 ms (RFC 6716 §3.2.5).
    const MOST: usize = 5_760;

    fn new(parameters: &AudioCodecParameters, pre_skip: u32) -> Result<Opus, opus::Error> {
        let mut decoder = opus::Decoder::new(Opus::RATE, opus::Channels::Mono)?;
        // The output gain, in 1/256 dB (RFC 7845 §5.1).
        if let Some(&[low, high]) = parameters.extra_data.as_deref().and_then(|head| head.get(16..18)) {
            decoder.set_gain(i16::from_le_bytes([low, high]).into())?;
        }
        let channels = parameters.channels.as_ref().map_or(1, |channels| channels.count());
        Ok(Opus { decoder, channels: if channels > 2 { channels } else { 1 }, skip: pre_skip as usize })
    }

    fn decode(&mut self, packet: &Packet, into: &mut Vec<f32>) -> Result<(), opus::Error> {
        into.clear();
        if self.channels > 2 {
            return Ok(());
        }
        into.resize(Opus::MOST, 0.0);
        let decoded = self.decoder.decode_float(&packet.data, into, false)?;
        into.truncate(decoded.saturating_sub(packet.trim_end.get() as usize));
        let skip = self.skip.min(into.len());
        self.skip -= skip;
        into.drain(..skip);
        Ok(())
    }
}

/// A file between its packets and its samples.
struct Decoding {
    kind: FileKind,
    /// There once the first packet has told the rate.
    sink: Option<Sink>,
    interleaved: Vec<f32>,
    broken: usize,
    /// Samples of each channel.
    decoded: u64,
}

impl Decoding {
    fn run(
        &mut self,
        track: u32,
        reader: &mut dyn FormatReader,
        decoder: &mut Decoder,
    ) -> Result<(), PromptError> {
        loop {
            let packet = match reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(()),
                Err(Error::ResetRequired) => return Err(PromptError::Chained(self.kind.name())),
                Err(error) => return Err(broken(self.kind, &error)),
            };
            if packet.track_id != track {
                continue;
            }
            match decoder.decode(&packet, &mut self.interleaved) {
                Ok((rate, channels)) => self.take(rate, channels)?,
                Err(Undecoded::Packet(Error::DecodeError(_)))
                    if self.decoded == 0 && self.broken < MAY_BE_BROKEN =>
                {
                    self.broken += 1;
                }
                Err(why) => return Err(why.of(self.kind)),
            }
        }
    }

    fn take(&mut self, rate: u32, channels: usize) -> Result<(), PromptError> {
        if !(1..=2).contains(&channels) {
            return Err(WavError::Channels(u16::try_from(channels).unwrap_or(u16::MAX)).into());
        }
        if self.sink.as_ref().is_some_and(|sink| sink.file_rate != rate) {
            return Err(PromptError::Chained(self.kind.name()));
        }
        if self.interleaved.is_empty() {
            return Ok(());
        }
        let sink = match &mut self.sink {
            Some(sink) => sink,
            none => none.insert(Sink::new(rate)?),
        };
        for frame in self.interleaved.chunks_exact(channels) {
            sink.push(frame.iter().sum::<f32>() / channels as f32)?;
        }
        self.decoded += (self.interleaved.len() / channels) as u64;
        Ok(())
    }
}

/// Where samples of a file go, up to the limit.
struct Sink {
    file_rate: u32,
    /// Brings down what is faster than [`FASTEST`].
    down: Option<Stream>,
    samples: Vec<i16>,
    left: u64,
}

impl Sink {
    fn new(rate: u32) -> Result<Sink, PromptError> {
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(WavError::Rate(rate).into());
        }
        let down = if rate > FASTEST { Some(Stream::new(rate, FASTEST)?) } else { None };
        let left = MAX_DURATION.as_secs() * u64::from(rate);
        Ok(Sink { file_rate: rate, down, samples: Vec::new(), left })
    }

    fn push(&mut self, sample: f32) -> Result<(), PromptError> {
        self.left = self.left.checked_sub(1).ok_or(PromptError::TooLong)?;
        match &mut self.down {
            Some(down) => down.push(sample, &mut self.samples),
            None => {
                self.samples.push(resample::linear(sample));
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<Sound, PromptError> {
        let rate = match self.down {
            Some(down) => {
                down.finish(&mut self.samples)?;
                FASTEST
            }
            None => self.file_rate,
        };
        Ok(Sound { rate, samples: self.samples })
    }
}

fn broken(kind: FileKind, error: &Error) -> PromptError {
    match error {
        Error::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PromptError::Truncated(kind.name())
        }
        error => PromptError::Broken { kind: kind.name(), why: error.to_string() },
    }
}

/// Whether the last page of an Ogg file is not whole, or not marked as the last (RFC 3533 §6).
fn ogg_is_cut(bytes: &[u8]) -> bool {
    const END_OF_STREAM: u8 = 4;
    let Some(at) = bytes.windows(4).rposition(|window| window == b"OggS") else { return true };
    let page = &bytes[at..];
    let (Some(&flags), Some(&segments)) = (page.get(5), page.get(26)) else { return true };
    let Some(lengths) = page.get(27..27 + usize::from(segments)) else { return true };
    let body: usize = lengths.iter().map(|&length| usize::from(length)).sum();
    flags & END_OF_STREAM == 0 || page.len() < 27 + lengths.len() + body
}
