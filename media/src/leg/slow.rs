//! What a leg has beside it while its sound is decoded and mixed.

use std::time::Instant;

use super::{Leg, Place};
use crate::codec::Codec;
use crate::ear::Ear;
use crate::mouth::Mouth;
use crate::sdp::Stream;

/// A leg's place in a room, and its ears and mouth there: none if its codec can only be passed on.
#[derive(Debug)]
pub(crate) struct Slow {
    pub(crate) room: u32,
    codec: Option<Codec>,
    pub(crate) ear: Option<Ear>,
    pub(crate) mouth: Option<Mouth>,
}

/// What decoding has done for a leg so far.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Decoded {
    pub(crate) longest_wait_ms: u16,
    pub(crate) concealed: u64,
}

impl Slow {
    fn new(room: u32, stream: Option<&Stream>) -> Slow {
        let codec = stream.map(|stream| stream.codec);
        Slow {
            room,
            codec,
            ear: codec.and_then(Ear::new),
            mouth: stream.and_then(|stream| Mouth::new(stream.codec, stream.opus)),
        }
    }

    /// Takes in one packet of sound.
    pub(crate) fn take(&mut self, now: Instant, codec: Codec, place: Place, timestamp: u32, payload: &[u8]) {
        let Some(ear) = &mut self.ear else { return };
        if ear.codec() == codec {
            return ear.take(now, place, timestamp, payload);
        }
        let mut other_law = payload.to_vec();
        if codec.convert(ear.codec(), &mut other_law) {
            ear.take(now, place, timestamp, &other_law);
        }
    }
}

impl Leg {
    /// Takes a place in a room. Who keeps his codec keeps ears and mouth, so that nobody hears him move.
    pub(crate) fn move_in(&mut self, room: u32) {
        let codec = self.stream.as_ref().map(|stream| stream.codec);
        match &mut self.slow {
            Some(slow) if slow.codec == codec => slow.room = room,
            _ => {
                self.note_decoded();
                self.slow = Some(Box::new(Slow::new(room, self.stream.as_ref())));
            }
        }
    }

    pub(crate) fn move_out(&mut self) {
        self.note_decoded();
        self.slow = None;
        self.outgoing.forget_speaker();
    }

    fn note_decoded(&mut self) {
        self.decoded = self.decoded_so_far();
    }

    /// Also what the present ear has done.
    pub(crate) fn decoded_so_far(&self) -> Decoded {
        let Some(ear) = self.slow.as_ref().and_then(|slow| slow.ear.as_ref()) else { return self.decoded };
        Decoded {
            longest_wait_ms: self.decoded.longest_wait_ms.max(ear.longest_wait_ms()),
            concealed: self.decoded.concealed + ear.concealed(),
        }
    }
}
