//! Sound to payloads: one encoder for each line of packets, since all codecs but G.711 remember what they sent.

use audio_codec::Encoder as _;
use audio_codec::g722::G722Encoder;

use super::{Codec, g711};

/// What the far end would like of Opus (RFC 7587 §6.1), and the bounds we keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusParameters {
    /// Each packet carries a rough copy of the one before, for whom that was lost (`useinbandfec`). Default true.
    pub fec: bool,
    /// Silence is sent seldom (`usedtx`). Default false.
    pub dtx: bool,
    /// Thousands of bits per second (`maxaveragebitrate`). 6 to 64, default 28: speech up to 8 kHz sounds no better above it.
    pub kbit: u8,
}

impl Default for OpusParameters {
    fn default() -> Self {
        OpusParameters { fec: true, dtx: false, kbit: 28 }
    }
}

/// The loss that the copies in Opus packets are made for, in percent: without any they are left out.
const EXPECTED_LOSS: i32 = 10;
/// How hard Opus tries, 0 to 10: half of the time of the default, and no difference that a telephone lets anybody hear.
const EFFORT: i32 = 5;
/// The largest payload that Opus makes in 20 ms at 64 kbit/s, with room to spare.
const LARGEST: usize = 400;
/// Opus says by so few bytes that nothing need be sent (RFC 6716 §2.1.9).
const NOTHING: usize = 2;

/// Makes payloads of one line of packets.
#[derive(Debug)]
pub struct Encoder(Inner);

enum Inner {
    Law(fn(i16) -> u8, Codec),
    G722(Box<G722Encoder>),
    Opus(Box<opus::Encoder>),
}

impl Encoder {
    /// An encoder that has sent nothing yet; `None` if the codec can only be passed on. `parameters` are for Opus.
    #[must_use]
    pub fn new(codec: Codec, parameters: OpusParameters) -> Option<Encoder> {
        let inner = match codec {
            Codec::Pcma => Inner::Law(g711::encode_a, codec),
            Codec::Pcmu => Inner::Law(g711::encode_mu, codec),
            Codec::G722 => Inner::G722(Box::new(G722Encoder::new())),
            Codec::Opus => Inner::Opus(Box::new(opus_encoder(codec, parameters).ok()?)),
            Codec::G729 => return None,
        };
        Some(Encoder(inner))
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

    /// Appends the payload of `samples`, 20 ms at [`Codec::sound_rate`]. False: nothing need be sent for them (Opus with
    /// `dtx`), and nothing was appended.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) -> bool {
        let start = payload.len();
        match &mut self.0 {
            Inner::Law(encode, _) => payload.extend(samples.iter().map(|sample| encode(*sample))),
            Inner::G722(encoder) => {
                payload.resize(start + encoder.max_encode_bytes(samples.len()), 0);
                let made = encoder.encode_into(samples, &mut payload[start..]).unwrap_or(0);
                payload.truncate(start + made);
            }
            Inner::Opus(encoder) => {
                payload.resize(start + LARGEST, 0);
                let made = encoder.encode(samples, &mut payload[start..]).unwrap_or(0);
                payload.truncate(start + if made > NOTHING { made } else { 0 });
            }
        }
        payload.len() > start
    }
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

fn opus_encoder(codec: Codec, parameters: OpusParameters) -> opus::Result<opus::Encoder> {
    let rate = codec.sound_rate();
    let mut encoder = opus::Encoder::new(rate, opus::Channels::Mono, opus::Application::Voip)?;
    encoder.set_complexity(EFFORT)?;
    encoder.set_bitrate(opus::Bitrate::Bits(i32::from(parameters.kbit.clamp(6, 64)) * 1_000))?;
    encoder.set_inband_fec(parameters.fec)?;
    encoder.set_packet_loss_perc(if parameters.fec { EXPECTED_LOSS } else { 0 })?;
    encoder.set_dtx(parameters.dtx)?;
    Ok(encoder)
}
