//! The codecs we speak: what they are called, and sound made of them and they of sound.

mod decoder;
mod encoder;
pub mod g711;

pub use decoder::Decoder;
pub use encoder::{Encoder, OpusParameters};

/// A codec that a leg can agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Codec {
    /// G.711 A-law, 64 kbit/s: Europe and most of the world.
    Pcma,
    /// G.711 µ-law, 64 kbit/s: North America and Japan.
    Pcmu,
    /// G.722, 64 kbit/s, sound up to 7 kHz: most desk telephones.
    G722,
    /// Opus (RFC 6716, RFC 7587), here with sound up to 8 kHz: browsers and Teams.
    Opus,
    /// G.729, 8 kbit/s. Passed through only: its code is not free, so it is never decoded or made here.
    G729,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Codec; 5] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus, Codec::G729];

    /// The two kinds of G.711, which every telephone knows: what is agreed without other instruction, in this order.
    pub const G711: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

    /// Encoding name of `a=rtpmap` (RFC 3551 §6, RFC 7587 §7). Names are compared without regard to case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
            Codec::G729 => "G729",
        }
    }

    /// The codec of an encoding name and clock rate; `None` if it is not ours.
    #[must_use]
    pub fn by_name(name: &str, clock_rate: u32) -> Option<Codec> {
        Self::ALL.into_iter().find(|c| c.clock_rate() == clock_rate && c.name().eq_ignore_ascii_case(name))
    }

    /// The codec of a payload number that needs no `a=rtpmap` (RFC 3551 §6).
    #[must_use]
    pub fn by_static_payload_type(number: u8) -> Option<Codec> {
        Self::ALL.into_iter().find(|c| c.static_payload_type() == Some(number))
    }

    /// Ticks of the RTP timestamp per second. That of G.722 is half its sampling rate, by an old mistake that stays
    /// (RFC 3551 §4.5.2); that of Opus is 48,000 whatever it carries (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcma | Codec::Pcmu | Codec::G722 | Codec::G729 => 8_000,
            Codec::Opus => 48_000,
        }
    }

    /// The channels of `a=rtpmap`: 2 for Opus, whatever it carries (RFC 7587 §7).
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Codec::Opus => 2,
            Codec::Pcma | Codec::Pcmu | Codec::G722 | Codec::G729 => 1,
        }
    }

    /// The number RFC 3551 §6 fixes for it; `None` for codecs that need a dynamic one.
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcma => Some(8),
            Codec::Pcmu => Some(0),
            Codec::G722 => Some(9),
            Codec::G729 => Some(18),
            Codec::Opus => None,
        }
    }

    /// Whether it is one of the two kinds of G.711, between which a table converts.
    #[must_use]
    pub const fn is_g711(self) -> bool {
        matches!(self, Codec::Pcma | Codec::Pcmu)
    }

    /// Whether sound can be made of it and it of sound; else it can only be passed on as it is.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        !matches!(self, Codec::G729)
    }

    /// Whether who speaks the one can be understood by who hears the other, as it is or converted.
    #[must_use]
    pub fn goes_with(self, other: Codec) -> bool {
        self == other || self.is_ours() && other.is_ours()
    }

    /// Samples per second of the sound it carries here; what is above 8 kHz in Opus is left out, no telephone has it.
    #[must_use]
    pub const fn sound_rate(self) -> u32 {
        match self {
            Codec::Pcma | Codec::Pcmu | Codec::G729 => 8_000,
            Codec::G722 | Codec::Opus => 16_000,
        }
    }

    /// Encodes linear samples, one byte each; false, and nothing done, for codecs other than G.711, which need an
    /// [`Encoder`]. The shorter of the two slices decides how many.
    pub fn encode(self, samples: &[i16], into: &mut [u8]) -> bool {
        let encode = match self {
            Codec::Pcma => g711::encode_a,
            Codec::Pcmu => g711::encode_mu,
            Codec::G722 | Codec::Opus | Codec::G729 => return false,
        };
        for (byte, &sample) in into.iter_mut().zip(samples) {
            *byte = encode(sample);
        }
        true
    }

    /// Decodes to linear samples, one a byte; false, and nothing done, for codecs other than G.711, which need a
    /// [`Decoder`]. The shorter of the two slices decides how many.
    pub fn decode(self, bytes: &[u8], into: &mut [i16]) -> bool {
        let table = match self {
            Codec::Pcma => &g711::A_TO_LINEAR,
            Codec::Pcmu => &g711::MU_TO_LINEAR,
            Codec::G722 | Codec::Opus | Codec::G729 => return false,
        };
        for (sample, &byte) in into.iter_mut().zip(bytes) {
            *sample = table[usize::from(byte)];
        }
        true
    }

    /// Rewrites a payload of one G.711 as one of the other, in place and in the same length; false if `self` and `to`
    /// are not G.711 or the same.
    pub fn convert(self, to: Codec, payload: &mut [u8]) -> bool {
        let table = match (self, to) {
            (Codec::Pcma, Codec::Pcmu) => &g711::A_TO_MU,
            (Codec::Pcmu, Codec::Pcma) => &g711::MU_TO_A,
            _ => return self == to,
        };
        for byte in payload {
            *byte = table[usize::from(*byte)];
        }
        true
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_but_only_at_their_clock_rate() {
        assert_eq!(Codec::by_name("pcma", 8_000), Some(Codec::Pcma));
        assert_eq!(Codec::by_name("PcMu", 8_000), Some(Codec::Pcmu));
        assert_eq!(Codec::by_name("PCMA", 16_000), None);
        assert_eq!(Codec::by_name("G722", 16_000), None, "RFC 3551 §4.5.2");
        assert_eq!(Codec::by_name("OPUS", 48_000), Some(Codec::Opus));
        assert_eq!(Codec::by_static_payload_type(9), Some(Codec::G722));
    }

    #[test]
    fn converting_a_payload_equals_decoding_and_encoding_it_but_for_one_step() {
        let all: Vec<u8> = (0..=255).collect();
        for (from, to) in [(Codec::Pcma, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma)] {
            let mut converted = all.clone();
            assert!(from.convert(to, &mut converted));
            let (before, after) = (samples(from, &all), samples(to, &converted));
            for (code, (was, is)) in before.into_iter().zip(after).enumerate() {
                let (was, is) = (i32::from(was), i32::from(is));
                assert!((was - is).abs() <= 8 + was.abs() / 16, "{from} code {code}: {was} became {is}");
            }
        }
    }

    #[test]
    fn what_no_table_converts_is_left_alone() {
        let mut payload = [7, 8, 9];
        assert!(
            !Codec::Pcma.convert(Codec::G722, &mut payload)
                && !Codec::G729.convert(Codec::Pcmu, &mut payload)
        );
        assert_eq!(payload, [7, 8, 9]);
    }

    fn samples(codec: Codec, payload: &[u8]) -> Vec<i16> {
        let mut samples = Vec::new();
        Decoder::new(codec).unwrap().decode(payload, &mut samples);
        samples
    }
}
