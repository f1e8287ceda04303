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
        (self.0 >> 56) as u8
    }
}

impl fmt::Debug for LegKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leg {:014x}", self.0)
    }
}
