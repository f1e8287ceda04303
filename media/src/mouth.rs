//! What one peer hears of a mix, encoded.

use crate::codec::{Codec, Encoder, OpusParameters};
use crate::ear::{FRAME, Halver, Sound};

/// Speaks to one peer.
#[derive(Debug)]
pub(crate) struct Mouth {
    encoder: Encoder,
    halver: Option<Halver>,
}

impl Mouth {
    /// A mouth for one codec; `None` if that can only be passed on.
    pub(crate) fn new(codec: Codec, parameters: OpusParameters) -> Option<Mouth> {
        let encoder = Encoder::new(codec, parameters)?;
        Some(Mouth { encoder, halver: (codec.sound_rate() == 8_000).then(Halver::new) })
    }

    /// Appends the payload for a frame; false if nothing need be sent.
    pub(crate) fn say(&mut self, sound: &Sound, payload: &mut Vec<u8>) -> bool {
        let Some(halver) = &mut self.halver else { return self.encoder.encode(sound, payload) };
        let mut narrow = [0; FRAME / 2];
        halver.halve(sound, &mut narrow);
        self.encoder.encode(&narrow, payload)
    }
}
