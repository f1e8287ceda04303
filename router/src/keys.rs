//! Keys that are addresses: owner, slot and generation in eight bytes (design §4).
//!
//! No table is needed to find what a key means, and a key that outlived its call is recognised by its generation.

use media::MediaLegKey;

use crate::journal::fact::LegNumber;

/// One caller's whole stay: owner shard (8 bits), slot (24 bits), generation of the slot (32 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);

/// Bits of a slot: 16,777,215 calls at once are more than ports can carry.
const SLOT_BITS: u32 = 24;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
/// A media leg's key keeps 20 bits of the generation and 12 bits for the leg's number.
const SHORT_GENERATION: u32 = (1 << 20) - 1;
const LEG_MASK: u64 = (1 << 12) - 1;
/// The last number that a leg of a call can have.
pub(crate) const LAST_LEG: LegNumber = LEG_MASK as LegNumber;

impl CallKey {
    /// The key of `slot` in its `generation`, owned by shard `owner`.
    pub fn new(owner: u8, slot: u32, generation: u32) -> CallKey {
        CallKey(u64::from(owner) << 56 | (u64::from(slot) & SLOT_MASK) << 32 | u64::from(generation))
    }

    /// The slot in its owner's table.
    pub fn slot(self) -> u32 {
        (self.0 >> 32 & SLOT_MASK) as u32
    }

    /// The slot's generation.
    pub fn generation(self) -> u32 {
        self.0 as u32
    }

    /// The key of this call's media leg `number`; the numbers of one call stay below 4,096.
    pub fn media_leg(self, number: LegNumber) -> MediaLegKey {
        let generation = u64::from(self.generation() & SHORT_GENERATION);
        MediaLegKey(self.0 & !u64::from(u32::MAX) | generation << 12 | u64::from(number) & LEG_MASK)
    }

    /// True if `leg` was made by [`media_leg`](Self::media_leg) of this very call.
    pub fn owns(self, leg: MediaLegKey) -> bool {
        self.media_leg(media_leg_number(leg)) == leg
    }
}

/// The slot of the call that a media leg belongs to.
pub fn media_leg_slot(leg: MediaLegKey) -> u32 {
    (leg.0 >> 32 & SLOT_MASK) as u32
}

/// The leg's number within its call.
pub fn media_leg_number(leg: MediaLegKey) -> LegNumber {
    (leg.0 & LEG_MASK) as LegNumber
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_leg_is_owned_by_its_call_and_by_no_later_call_in_the_same_slot() {
        let (call, later) = (CallKey::new(3, 77, 41), CallKey::new(3, 77, 42));
        let leg = call.media_leg(2);
        assert_eq!((media_leg_slot(leg), media_leg_number(leg)), (77, 2));
        assert!(call.owns(leg));
        assert!(!later.owns(leg));
    }
}
