//! What one peer says, as an even line of frames: packets put in order and awaited, lost ones made up for.
//!
//! Only legs whose sound is decoded have one: where codecs do not go together, and in rooms. It costs the delay of its
//! [`Buffer`], some 3 µs a frame of 20 ms and, with Opus, 20 more.

mod buffer;
mod conceal;
mod rate;

use std::collections::VecDeque;
use std::time::Instant;

use buffer::{Buffer, Next};
use conceal::Conceal;
pub(crate) use rate::{Doubler, Halver};

use crate::codec::{Codec, Decoder};
use crate::leg::Place;

/// Samples per second of everything that is mixed.
pub(crate) const RATE: u32 = 16_000;
/// Samples of a frame of 20 ms.
pub(crate) const FRAME: usize = 320;

/// One frame of sound.
pub(crate) type Sound = [i16; FRAME];

/// The loudest comfort noise that is believed, in dB below overload: a peer that sends louder one means something else.
const LOUDEST_NOISE: u8 = 30;

/// Hears one peer.
#[derive(Debug)]
pub(crate) struct Ear {
    decoder: Decoder,
    doubler: Option<Doubler>,
    buffer: Buffer,
    /// Decoded and not yet given out, at the codec's own rate.
    sound: VecDeque<i16>,
    decoded: Vec<i16>,
    conceal: Conceal,
    /// Amplitude of the peer's comfort noise, while it speaks no word (RFC 3389).
    noise: Option<Noise>,
    concealed: u64,
    longest_wait_ms: u16,
}

/// White noise of the level that the peer told. The spectrum that may follow the level is passed over: behind a telephone
/// nobody hears it.
#[derive(Debug)]
struct Noise {
    amplitude: i32,
    state: u32,
}

impl Ear {
    /// An ear for one codec; `None` if that can only be passed on.
    pub(crate) fn new(codec: Codec) -> Option<Ear> {
        let rate = codec.sound_rate();
        Some(Ear {
            decoder: Decoder::new(codec)?,
            doubler: (rate != RATE).then(Doubler::new),
            buffer: Buffer::new(codec.clock_rate()),
            sound: VecDeque::new(),
            decoded: Vec::new(),
            conceal: Conceal::new(rate),
            noise: None,
            concealed: 0,
            longest_wait_ms: 0,
        })
    }

    pub(crate) fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// Takes in one packet of sound that has come now.
    pub(crate) fn take(&mut self, now: Instant, place: Place, timestamp: u32, payload: &[u8]) {
        self.noise = None;
        self.buffer.take(now, place.run, timestamp, payload);
    }

    /// The peer sends no words but their background (RFC 3389 §3).
    pub(crate) fn take_noise(&mut self, payload: &[u8]) {
        let Some(level) = payload.first().map(|level| level & 0x7f) else { return };
        let peak = 32_768.0 * 10f32.powf(-f32::from(level.max(LOUDEST_NOISE)) / 20.0);
        self.noise = Some(Noise { amplitude: (peak * 1.7) as i32, state: 0x2545_f491 });
    }

    /// The next 20 ms.
    pub(crate) fn hear(&mut self, sound: &mut Sound) {
        let wanted = self.decoder.codec().sound_rate() as usize / 50;
        self.buffer.tick();
        self.longest_wait_ms = self.longest_wait_ms.max(self.buffer.delay_ms());
        if self.buffer.is_too_long() {
            return self.hear_two_in_one(wanted, sound);
        }
        self.fill(wanted);
        let frame: Vec<i16> = self.sound.drain(..wanted).collect();
        self.give(&frame, sound);
    }

    /// Shortens the delay by a frame: one fades into the next, in their place.
    fn hear_two_in_one(&mut self, wanted: usize, sound: &mut Sound) {
        self.fill(2 * wanted);
        let two: Vec<i16> = self.sound.drain(..2 * wanted).collect();
        let (one, other) = two.split_at(wanted);
        let faded = one.iter().zip(other).enumerate().map(|(at, (one, other))| {
            let (at, wanted) = (at as i32, wanted as i32);
            ((i32::from(*one) * (wanted - at) + i32::from(*other) * at) / wanted) as i16
        });
        let faded: Vec<i16> = faded.collect();
        self.give(&faded, sound);
    }

    fn give(&mut self, frame: &[i16], sound: &mut Sound) {
        match &mut self.doubler {
            Some(doubler) => doubler.double(frame, sound),
            None => sound.copy_from_slice(frame),
        }
    }

    fn fill(&mut self, wanted: usize) {
        while self.sound.len() < wanted {
            self.decode_next(wanted);
            self.sound.extend(self.decoded.drain(..));
        }
    }

    fn decode_next(&mut self, wanted: usize) {
        match self.buffer.next() {
            Next::Packet(payload) => {
                self.decoder.decode(payload, &mut self.decoded);
                if self.decoded.is_empty() {
                    self.decoded.resize(wanted, 0); // a payload that makes no sense takes its time all the same
                }
                self.conceal.heard(&mut self.decoded);
                let rate = i64::from(self.decoder.codec().sound_rate());
                self.buffer.heard(self.decoded.len() as i64 * 1_000_000 / rate);
            }
            Next::Lost { after } => {
                self.concealed += 1;
                make_up(&mut self.decoder, &mut self.conceal, after, wanted, &mut self.decoded);
            }
            Next::Late => {
                self.concealed += 1;
                make_up(&mut self.decoder, &mut self.conceal, None, wanted, &mut self.decoded);
            }
            Next::Nothing => {
                self.conceal.forget();
                let noise = &mut self.noise;
                self.decoded.extend((0..wanted).map(|_| noise.as_mut().map_or(0, Noise::sample)));
            }
        }
    }

    /// The longest that packets have waited here, in milliseconds.
    pub(crate) fn longest_wait_ms(&self) -> u16 {
        self.longest_wait_ms
    }

    /// Frames that were made up.
    pub(crate) fn concealed(&self) -> u64 {
        self.concealed
    }
}

/// By the codec, if it can, else by what was heard last.
fn make_up(
    decoder: &mut Decoder,
    conceal: &mut Conceal,
    after: Option<&[u8]>,
    wanted: usize,
    sound: &mut Vec<i16>,
) {
    if !decoder.recover(after, wanted, sound) || sound.is_empty() {
        conceal.make_up(wanted, sound);
    }
}

impl Noise {
    /// Evenly spread (xorshift), which is 1.7 times its mean square root at the peak.
    fn sample(&mut self) -> i16 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        let span = 2 * self.amplitude + 1;
        ((self.state >> 8) as i32 % span - self.amplitude) as i16
    }
}

#[cfg(test)]
mod tests;
