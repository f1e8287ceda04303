//! What a look found.

use std::{option, vec};

use crate::{Agent, Caller};

/// A caller given to an agent. The letter lies in the caller's ticket already; whoever gets this tells the caller's
/// owner to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Match {
    /// Who was waiting.
    pub caller: Caller,
    /// Who is his now, until released.
    pub agent: Agent,
}

/// The matches that one call made: nearly always none or one, and then nothing is allocated.
///
/// More than one happens only when threads race: the call met claims that others had left open, or put an agent
/// back who then found another caller. Each match is in exactly one list (or in the answer of
/// [`rest`](crate::Scheduler::rest)); the callers may be anybody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "the owner of each matched caller must be told"]
pub struct Matches {
    first: Option<Match>,
    more: Vec<Match>,
}

impl Matches {
    /// Were none made?
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// How many were made.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    /// The first one made, the only one unless threads race.
    pub fn first(&self) -> Option<Match> {
        self.first
    }

    pub(crate) fn push(&mut self, found: Match) {
        match self.first {
            None => self.first = Some(found),
            Some(_) => self.more.push(found),
        }
    }
}

impl IntoIterator for Matches {
    type Item = Match;
    type IntoIter = std::iter::Chain<option::IntoIter<Match>, vec::IntoIter<Match>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}
