//! Payloads to sound: one decoder for each source of packets, since all codecs but G.711 remember what came before.

use audio_codec::Decoder as _;
use audio_codec::g722::G722Decoder;

use super::{Codec, g711};

/// Samples at 16 kHz of the longest packet that is looked at, 120 ms: Opus knows no longer one (RFC 6716 §3.2.5), and of
/// the other codecs nobody sends such.
const LONGEST: usize = 1_920;

/// Makes sound of the packets of one source.
#[derive(Debug)]
pub struct Decoder(Inner);

enum Inner {
    Law(&'static [i16; 256], Codec),
    G722(Box<G722Decoder>),
    Opus(Box<opus::Decoder>),
}

impl Decoder {
    /// A decoder that has heard nothing yet; `None` if the codec can only be passed on.
    #[must_use]
    pub fn new(codec: Codec) -> Option<Decoder> {
        let inner = match codec {
            Codec::Pcma => Inner::Law(&g711::A_TO_LINEAR, codec),
            Codec::Pcmu => Inner::Law(&g711::MU_TO_LINEAR, codec),
            Codec::G722 => Inner::G722(Box::new(G722Decoder::new())),
            Codec::Opus => {
                let rate = codec.sound_rate();
                Inner::Opus(Box::new(opus::Decoder::new(rate, opus::Channels::Mono).ok()?))
            }
            Codec::G729 => return None,
        };
        Some(Decoder(inner))
    }

    /// The codec of the payloads.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match &self.0 {
            Inner::Law(_, codec) => *codec,
            Inner::G722(_) => Codec::G722,
            Inner::Opus(_) => Codec::Opus,
        }
    }

    /// Appends the sound of a payload, at [`Codec::sound_rate`] and at most 120 ms of it; nothing if the payload makes no
    /// sense.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        let start = samples.len();
        match &mut self.0 {
            Inner::Law(table, _) => {
                samples.extend(payload.iter().take(LONGEST / 2).map(|byte| table[usize::from(*byte)]));
            }
            Inner::G722(decoder) => {
                let payload = &payload[..payload.len().min(LONGEST / 2)];
                samples.resize(start + decoder.max_decode_samples(payload.len()), 0);
                let made = decoder.decode_into(payload, &mut samples[start..]).unwrap_or(0);
                samples.truncate(start + made);
            }
            Inner::Opus(decoder) => opus(decoder, payload, samples, LONGEST, false),
        }
    }

    /// Appends what came before `next`, which has come while its predecessor of `length` samples was lost: from the copy
    /// in `next` if that has one (RFC 6716 §2.1.7), else by continuing what was heard. False, and nothing appended, if
    /// the codec cannot do either by itself.
    pub fn recover(&mut self, next: Option<&[u8]>, length: usize, samples: &mut Vec<i16>) -> bool {
        let Inner::Opus(decoder) = &mut self.0 else { return false };
        opus(decoder, next.unwrap_or_default(), samples, length.min(LONGEST), next.is_some());
        true
    }
}

fn opus(decoder: &mut opus::Decoder, payload: &[u8], samples: &mut Vec<i16>, room: usize, fec: bool) {
    let start = samples.len();
    samples.resize(start + room, 0);
    let made = decoder.decode(payload, &mut samples[start..], fec).unwrap_or(0);
    samples.truncate(start + made);
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Inner::Law(_, codec) => codec.name(),
            Inner::G722(_) => "G722",
            Inner::Opus(_) => "opus",
        })
    }
}
