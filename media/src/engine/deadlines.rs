//! The legs' slow deadlines (reports, silence, lost ends of digits): one entry per leg, corrected when it fires.
//!
//! A deadline that moves away, as silence does with each packet, costs nothing: the entry fires early and is put
//! back. Only a deadline that comes nearer is entered anew, and the older entry is recognised as void.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Who is next, of all legs of one engine.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, u64, u32)>>,
}

impl Deadlines {
    /// Enters the leg in place `index`; `key` tells later whether the place still belongs to it.
    pub(crate) fn enter(&mut self, at: Instant, key: u64, index: u32) {
        self.heap.push(Reverse((at, key, index)));
    }

    /// Throws out the entries of legs that are gone when they outnumber by far the `legs` there are: after many short
    /// calls memory must not wait for the last of their deadlines.
    pub(crate) fn tidy(&mut self, legs: usize, is_open: impl Fn(u64, u32) -> bool) {
        if self.heap.len() > 4 * legs + 1_024 {
            self.heap.retain(|Reverse((_, key, index))| is_open(*key, *index));
        }
    }

    /// The next entry's time.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out an entry that is due: its time, key and place.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, u64, u32)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    #[test]
    fn entries_of_closed_legs_do_not_pile_up() {
        let (now, mut deadlines) = (origin(), Deadlines::default());
        for key in 0..100_000 {
            deadlines.enter(now, key, 0);
            deadlines.tidy(1, |open, _| open == 7);
        }
        assert!(deadlines.heap.len() <= 1_029);
        let mut due = std::iter::from_fn(|| deadlines.pop_due(now));
        assert!(due.any(|(_, key, _)| key == 7), "the open one stays");
    }
}
