//! Keys are addresses: who owns a thing, where it lies, and which of the things that lay there it is.

use std::fmt;

/// One leg: one INVITE dialog usage, ours or theirs. Owner (8 bits), slot (24 bits), generation (32 bits).
///
/// A key outlives its leg: one that is stale is recognised and ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegKey(pub u64);

impl LegKey {
    /// The shard that owns the leg.
    pub fn owner(self) -> u8 {
        owner(self.0)
    }
}

impl fmt::Debug for LegKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leg {}.{}.{}", owner(self.0), slot(self.0), generation(self.0))
    }
}

pub(crate) fn pack(owner: u8, slot: u32, generation: u32) -> u64 {
    debug_assert!(slot < 1 << 24);
    (u64::from(owner) << 56) | (u64::from(slot) << 32) | u64::from(generation)
}

pub(crate) fn owner(key: u64) -> u8 {
    (key >> 56) as u8
}

pub(crate) fn slot(key: u64) -> u32 {
    (key >> 32) as u32 & 0x00ff_ffff
}

pub(crate) fn generation(key: u64) -> u32 {
    key as u32
}
