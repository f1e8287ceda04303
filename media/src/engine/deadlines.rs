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
