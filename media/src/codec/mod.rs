//! The codecs we speak. G.711 only so far; the enum is where the next one is added.

pub mod g711;

/// A codec we can send, receive and convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Codec {
    /// G.711 A-law, 64 kbit/s: Europe and most of the world.
    Pcma,
    /// G.711 µ-law, 64 kbit/s: North America and Japan.
    Pcmu,
}

impl Codec {
    /// Every codec, in the order we prefer without other instruction.
    pub const ALL: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

    /// Encoding name of `a=rtpmap` (RFC 3551 §6). Names are compared without regard to case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
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

    /// Ticks of the RTP timestamp per second.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcma | Codec::Pcmu => 8_000,
        }
    }

    /// The number RFC 3551 §6 fixes for it; `None` for codecs that need a dynamic one.
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcma => Some(8),
            Codec::Pcmu => Some(0),
        }
    }

    /// The byte that decodes to silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Codec::Pcma => 0xD5,
            Codec::Pcmu => 0xFF,
        }
    }

    /// Bytes of one 20 ms frame.
    #[must_use]
    pub const fn frame_bytes(self) -> usize {
        match self {
            Codec::Pcma | Codec::Pcmu => 160,
        }
    }

    /// Encodes linear samples, one byte each. The shorter of the two slices decides how many.
    pub fn encode(self, samples: &[i16], into: &mut [u8]) {
        let encode = match self {
            Codec::Pcma => g711::encode_a,
            Codec::Pcmu => g711::encode_mu,
        };
        for (byte, &sample) in into.iter_mut().zip(samples) {
            *byte = encode(sample);
        }
    }

    /// Decodes to linear samples, one a byte. The shorter of the two slices decides how many.
    pub fn decode(self, bytes: &[u8], into: &mut [i16]) {
        let table = match self {
            Codec::Pcma => &g711::A_TO_LINEAR,
            Codec::Pcmu => &g711::MU_TO_LINEAR,
        };
        for (sample, &byte) in into.iter_mut().zip(bytes) {
            *sample = table[usize::from(byte)];
        }
    }

    /// Rewrites a payload of this codec as one of `to`, in place and in the same length.
    pub fn convert(self, to: Codec, payload: &mut [u8]) {
        let table = match (self, to) {
            (Codec::Pcma, Codec::Pcmu) => &g711::A_TO_MU,
            (Codec::Pcmu, Codec::Pcma) => &g711::MU_TO_A,
            (Codec::Pcma, Codec::Pcma) | (Codec::Pcmu, Codec::Pcmu) => return,
        };
        for byte in payload {
            *byte = table[usize::from(*byte)];
        }
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
        assert_eq!(Codec::by_name("G722", 8_000), None);
    }

    #[test]
    fn the_silent_byte_decodes_to_the_value_nearest_to_nothing() {
        for codec in Codec::ALL {
            let mut sample = [i16::MAX];
            codec.decode(&[codec.silence()], &mut sample);
            assert!(sample[0].unsigned_abs() <= 8, "{codec}: {}", sample[0]);
        }
    }

    #[test]
    fn converting_a_payload_equals_decoding_and_encoding_it_but_for_one_step() {
        let all: Vec<u8> = (0..=255).collect();
        for (from, to) in [(Codec::Pcma, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma)] {
            let mut converted = all.clone();
            from.convert(to, &mut converted);
            let (mut before, mut after) = ([0i16; 256], [0i16; 256]);
            from.decode(&all, &mut before);
            to.decode(&converted, &mut after);
            for (code, (was, is)) in before.iter().zip(after).enumerate() {
                let (was, is) = (i32::from(*was), i32::from(is));
                assert!((was - is).abs() <= 8 + was.abs() / 16, "{from} code {code}: {was} became {is}");
            }
        }
    }

    #[test]
    fn a_short_buffer_takes_what_fits() {
        let mut bytes = [1u8; 2];
        Codec::Pcma.encode(&[0, 0, 0], &mut bytes);
        assert_eq!(bytes, [0xD5, 0xD5]);
    }
}
