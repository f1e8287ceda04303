//! How loud a leg is, and whether it clips: G.711 by a table of squares, of one packet in 32.
//!
//! A frame of 160 bytes costs some 100 ns (a look-up, an addition and two comparisons a byte), so a relayed packet pays 3 ns of
//! it on average; the others pay one comparison. The level of a talk needs no more than a frame each 640 ms.

use crate::codec::{Codec, g711};

/// One packet in so many is looked at.
const ONE_IN: u64 = 32;

/// The mean square of a sine at 0 dBm0: full scale is 3.14 dBm0 (G.711 §4, A-law; µ-law differs by 0.03 dB).
const ZERO_DBM0: f64 = 23_170.5 * 23_170.5 / 2.060_63;

/// Mean square at -45 dBm0: what is louder is taken for speech, what is not for the noise between.
const SPEECH: u64 = 8_238;

/// The largest sample that is nothing: both zeros of µ-law, the smallest step of A-law on either side.
const NOTHING: u32 = 8 * 8;

static A_SQUARES: [u32; 256] = squares(&g711::A_TO_LINEAR);
static MU_SQUARES: [u32; 256] = squares(&g711::MU_TO_LINEAR);

const fn squares(table: &[i16; 256]) -> [u32; 256] {
    let mut squares = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        squares[byte] = (table[byte] as i32 * table[byte] as i32) as u32;
        byte += 1;
    }
    squares
}

/// What one frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// One byte of silence over and over: nobody's microphone sounds like that.
    Nothing,
    /// Sound below -45 dBm0: a room, or comfort noise.
    Noise,
    /// Louder.
    Speech,
}

/// Levels of the frames that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loudness {
    /// Frames of speech, and the sum of their mean squares.
    speech: (u32, u64),
    /// The same of what was between.
    noise: (u32, u64),
    /// Frames of digital silence.
    nothing: u32,
    samples: u32,
    clipped: u32,
}

impl Loudness {
    /// Whether the packet with this number is one to be looked at.
    pub(crate) fn wants(number: u64) -> bool {
        number.is_multiple_of(ONE_IN)
    }

    /// Takes in one frame; `None` if there is nothing in it.
    pub(crate) fn hear(&mut self, codec: Codec, payload: &[u8]) -> Option<Heard> {
        let squares = match codec {
            Codec::Pcma => &A_SQUARES,
            Codec::Pcmu => &MU_SQUARES,
            Codec::G722 | Codec::Opus | Codec::G729 => return None, // they would have to be decoded for it
        };
        let first = *payload.first()?;
        let loudest = squares[if codec == Codec::Pcma { 0xaa } else { 0x80 }];
        let (mut sum, mut clipped, mut differs) = (0u64, 0, 0);
        for &byte in payload {
            let square = squares[usize::from(byte)];
            sum += u64::from(square);
            clipped += u32::from(square == loudest);
            differs |= byte ^ first;
        }
        self.samples = self.samples.saturating_add(payload.len() as u32);
        self.clipped = self.clipped.saturating_add(clipped);
        let mean = sum / payload.len() as u64;
        if differs == 0 && squares[usize::from(first)] <= NOTHING {
            self.nothing += 1;
            return Some(Heard::Nothing);
        }
        let (sums, heard) = match mean > SPEECH {
            true => (&mut self.speech, Heard::Speech),
            false => (&mut self.noise, Heard::Noise),
        };
        (sums.0, sums.1) = (sums.0 + 1, sums.1 + mean);
        Some(heard)
    }

    /// Level of speech in dBm0, 3 at most; `None` if there was none.
    #[must_use]
    pub fn speech_dbm0(&self) -> Option<i8> {
        dbm0(self.speech)
    }

    /// Level between words in dBm0, without digital silence; `None` if it was never heard.
    #[must_use]
    pub fn noise_dbm0(&self) -> Option<i8> {
        dbm0(self.noise)
    }

    /// Samples at full scale, in millionths.
    #[must_use]
    pub fn clipped_ppm(&self) -> u32 {
        (u64::from(self.clipped) * 1_000_000).checked_div(self.samples.into()).unwrap_or(0) as u32
    }

    /// Share of frames that were digital silence, in percent; `None` if none was looked at.
    #[must_use]
    pub fn nothing_percent(&self) -> Option<u8> {
        let frames = u64::from(self.nothing) + u64::from(self.speech.0) + u64::from(self.noise.0);
        (u64::from(self.nothing) * 100).checked_div(frames).map(|percent| percent as u8)
    }
}

/// Of a number of frames and the sum of their mean squares. What is too quiet to have a level is -127.
fn dbm0((frames, sum): (u32, u64)) -> Option<i8> {
    let mean = (frames > 0).then(|| sum as f64 / f64::from(frames))?;
    Some((10.0 * (mean / ZERO_DBM0).log10()).round().clamp(-127.0, 3.0) as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(codec: Codec, dbm0: f64) -> Vec<u8> {
        let peak = ZERO_DBM0.sqrt() * std::f64::consts::SQRT_2 * 10f64.powf(dbm0 / 20.0);
        let sample = |n: i32| (peak * (f64::from(n) * 0.785).sin()).clamp(-32_768.0, 32_767.0) as i16;
        let samples: Vec<i16> = (0..160).map(sample).collect();
        let mut bytes = vec![0; 160];
        codec.encode(&samples, &mut bytes);
        bytes
    }

    fn after(codec: Codec, frame: &[u8]) -> (Loudness, Option<Heard>) {
        let mut loudness = Loudness::default();
        let heard = loudness.hear(codec, frame);
        (loudness, heard)
    }

    #[test]
    fn a_tone_has_the_level_it_was_made_with() {
        for codec in Codec::G711 {
            for level in [0, -10, -20, -30, -40] {
                let (loudness, heard) = after(codec, &tone(codec, f64::from(level)));
                assert_eq!((loudness.speech_dbm0(), heard), (Some(level), Some(Heard::Speech)), "{codec}");
            }
            let (loudness, heard) = after(codec, &tone(codec, -50.0));
            assert_eq!((loudness.speech_dbm0(), heard), (None, Some(Heard::Noise)), "{codec}");
            assert!((-52..=-48).contains(&loudness.noise_dbm0().unwrap()), "{codec}");
        }
    }

    #[test]
    fn the_digital_milliwatt_is_0_dbm0() {
        let a = [0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4].repeat(20);
        assert_eq!(after(Codec::Pcma, &a).0.speech_dbm0(), Some(0));
        let mu = [0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E].repeat(20);
        assert_eq!(after(Codec::Pcmu, &mu).0.speech_dbm0(), Some(0));
    }

    #[test]
    fn only_what_reaches_full_scale_clips() {
        for codec in Codec::G711 {
            assert_eq!(after(codec, &tone(codec, -3.0)).0.clipped_ppm(), 0, "{codec}");
            assert!(after(codec, &tone(codec, 9.0)).0.clipped_ppm() > 300_000, "{codec}");
        }
    }

    #[test]
    fn a_frame_of_one_silent_byte_is_nothing_and_the_faintest_noise_is_not() {
        for (codec, silent) in
            [(Codec::Pcma, 0xD5), (Codec::Pcma, 0x55), (Codec::Pcmu, 0xFF), (Codec::Pcmu, 0x7F)]
        {
            assert_eq!(after(codec, &[silent; 160]).1, Some(Heard::Nothing), "{codec}");
        }
        let mut faint = [0xD5; 160];
        faint[80] = 0x55;
        assert_eq!(after(Codec::Pcma, &faint).1, Some(Heard::Noise));
        assert_eq!(
            after(Codec::Pcma, &[0x2a; 160]).1,
            Some(Heard::Speech),
            "a voltage that stands is no silence"
        );
        assert_eq!(after(Codec::Pcma, &[]).1, None);
    }
}
