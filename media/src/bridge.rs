//! Two legs that hear each other.

/// One leg's view of its bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Side {
    /// The other leg's place in the engine.
    pub(crate) partner: u32,
    /// A packet of this leg has been accepted since the bridge was made.
    pub(crate) heard: bool,
    /// Sound of this leg has been passed on to the other.
    pub(crate) carried: bool,
}

impl Side {
    /// A bridge nothing has crossed yet.
    pub(crate) fn to(partner: u32) -> Side {
        Side { partner, heard: false, carried: false }
    }
}
