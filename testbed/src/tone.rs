//! Tones as voices: each telephone speaks one of its own, and whoever hears it can tell by measuring whose it is.

use media::{Codec, tone};

/// Level of every voice.
const LEVEL_DBFS: f32 = -10.0;
/// A voice is heard at this level or above: what it has lost on the way is less than 3 dB.
const HEARD_DBFS: f32 = LEVEL_DBFS - 3.0;
/// Any other voice must be this much lower.
const APART_DB: f32 = 20.0;
/// Samples in a packet of 20 ms.
const FRAME: usize = 160;

/// One second of a sine of whole hertz, so that it goes round without a click.
pub(crate) struct Tone(Vec<i16>);

impl Tone {
    pub(crate) fn new(hz: u16) -> Tone {
        Tone(tone::sine(f32::from(hz), 1_000, LEVEL_DBFS))
    }

    /// The 20 ms at an RTP timestamp that is a multiple of them.
    pub(crate) fn frame(&self, codec: Codec, timestamp: u32) -> [u8; FRAME] {
        let at = timestamp as usize % self.0.len() / FRAME * FRAME;
        let mut frame = [0; FRAME];
        assert!(codec.encode(&self.0[at..at + FRAME], &mut frame), "telephones here speak G.711");
        frame
    }
}

/// The one voice of `voices` in `samples`: none if nobody speaks, if two do, or if it has lost loudness on the way.
pub(crate) fn only_voice(samples: &[i16], voices: &[u16]) -> Option<u16> {
    let levels = voices.iter().map(|&hz| (tone::level_at(samples, f32::from(hz)), hz));
    let mut levels: Vec<_> = levels.collect();
    levels.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (level, hz) = *levels.first()?;
    let next = levels.get(1).map_or(f32::NEG_INFINITY, |(level, _)| *level);
    (level >= HEARD_DBFS && level - next >= APART_DB).then_some(hz)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(tone: &Tone, codec: Codec) -> Vec<i16> {
        let packets = (7..17).map(|packet| tone.frame(codec, packet * FRAME as u32));
        packets
            .flat_map(|frame| {
                let mut samples = [0; FRAME];
                codec.decode(&frame, &mut samples);
                samples
            })
            .collect()
    }

    #[test]
    fn a_voice_is_known_by_its_tone_in_both_codecs() {
        for codec in Codec::G711 {
            assert_eq!(only_voice(&heard(&Tone::new(1_340), codec), &[1_240, 1_340, 1_440]), Some(1_340));
        }
    }

    #[test]
    fn nobody_a_stranger_and_two_at_once_are_no_voice() {
        let (one, other) = (heard(&Tone::new(1_340), Codec::Pcma), heard(&Tone::new(900), Codec::Pcma));
        let both: Vec<i16> = one.iter().zip(&other).map(|(one, other)| one / 2 + other / 2).collect();
        assert_eq!(only_voice(&[0; 1_600], &[1_240, 1_340]), None);
        assert_eq!(only_voice(&one, &[900, 1_240]), None);
        assert_eq!(only_voice(&both, &[900, 1_340]), None);
    }

    #[test]
    fn a_voice_that_became_quiet_on_the_way_is_not_heard() {
        let quiet: Vec<i16> = heard(&Tone::new(900), Codec::Pcma).iter().map(|sample| sample / 2).collect();
        assert_eq!(only_voice(&quiet, &[900]), None);
    }
}
