//! A board: slots of order keys, smallest next.
//!
//! One board shows who waits in a queue, another who is idle there. A board is an index, not the truth: an entry
//! may be stale, and who finds it asks the word. It errs only towards "look once more": an entry whose
//! [`set`](Board::set) has returned is found.
//!
//! Level 0 holds the keys, each level above the minima of groups of 64, the last level one root. A minimum may be
//! too small, never too large. A new key lowers the minima above it; a key taken away leaves them as they are, and
//! the finder who trips over such a minimum raises it. So setting costs one step per level, and finding one scan of
//! at most 64 neighbours per level.

use std::iter;
use std::ops::Range;

use crate::sync::{AtomicU64, Ordering};

/// Neighbours under one minimum. Two in the models, so that small boards have levels too.
const WIDTH: usize = if cfg!(fernamt_loom) { 2 } else { 64 };

/// An empty slot, and the minimum of a group without keys.
const FREE: u64 = u64::MAX;

/// Keys carry the top bit. A minimum without it is unknown: it is being computed, and the rest is the stamp of
/// that computation.
const KEY: u64 = 1 << 63;

/// The largest order key a board can hold; larger ones count as this.
pub(crate) const MAX_KEY: u64 = (1 << 63) - 2;

/// See the module.
pub(crate) struct Board {
    /// `levels[0]` has a slot per caller or agent, the last level has one word.
    levels: Box<[Box<[AtomicU64]>]>,
    /// Stamps given out so far: no two computations of minima share one.
    computations: AtomicU64,
}

/// What stands on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) slot: u32,
}

impl Board {
    pub(crate) fn new(slots: u32) -> Board {
        let row = |len: usize| iter::repeat_with(|| AtomicU64::new(FREE)).take(len).collect::<Box<_>>();
        let mut levels = vec![row(slots.max(1) as usize)];
        while let len @ 2.. = levels[levels.len() - 1].len() {
            levels.push(row(len.div_ceil(WIDTH)));
        }
        Board { levels: levels.into(), computations: AtomicU64::new(0) }
    }

    /// Shows `key` in `slot`, or nothing. Returns whether the slot was empty before.
    ///
    /// A swap, not a store: swaps of one slot have one order, and each sees what the one before it had seen. The
    /// matcher's `tidy` rests on that.
    pub(crate) fn set(&self, slot: u32, key: Option<u64>) -> bool {
        let value = key.map_or(FREE, |key| KEY | key);
        let before = self.levels[0][slot as usize].swap(value, Ordering::AcqRel);
        if value != FREE {
            self.lower(slot as usize, value);
        }
        before == FREE
    }

    /// Does `slot` show nothing?
    pub(crate) fn is_free(&self, slot: u32) -> bool {
        self.levels[0][slot as usize].load(Ordering::Acquire) == FREE
    }

    /// Lowers the minima above `slot` to `value`.
    ///
    /// Each is written even if small enough already. AcqRel: if a finder's computation begins after this write, it
    /// has read from it and sees the slot; if it has begun before, this write takes its stamp away and it fails.
    /// Without the write the finder might have read the slot too early and put too large a minimum here.
    fn lower(&self, slot: usize, value: u64) {
        let mut index = slot;
        for level in &self.levels[1..] {
            index /= WIDTH;
            let mut seen = level[index].load(Ordering::Relaxed);
            loop {
                let new = if seen < KEY { self.stamp() } else { seen.min(value) };
                match level[index].compare_exchange(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => break,
                    Err(now) => seen = now,
                }
            }
        }
    }

    fn stamp(&self) -> u64 {
        self.computations.fetch_add(1, Ordering::Relaxed) // only its being unique counts
    }

    /// The smallest key; of equal keys the smallest slot.
    pub(crate) fn first(&self) -> Option<Entry> {
        let (value, slot) = self.settle(self.levels.len() - 1, 0);
        (value != FREE).then_some(Entry { key: value & !KEY, slot: slot as u32 })
    }

    /// Makes the minimum at `index` of `level` true and says where it comes from.
    fn settle(&self, level: usize, index: usize) -> (u64, usize) {
        // Acquire: pairs with `lower` and `set`, so that a minimum leads to the key it came from, and the key to
        // the word written before it.
        loop {
            let value = self.levels[level][index].load(Ordering::Acquire);
            if level == 0 || value == FREE {
                return (value, index);
            }
            match self.child_with(level, index, value) {
                Some(child) => {
                    let found = self.settle(level - 1, child);
                    if found.0 == value {
                        return found;
                    }
                }
                None => self.raise(level, index),
            }
        }
    }

    /// The first child that shows `value`.
    fn child_with(&self, level: usize, index: usize, value: u64) -> Option<usize> {
        let range = self.children(level, index);
        let row = &self.levels[level - 1][range.clone()];
        let found = row.iter().position(|child| child.load(Ordering::Acquire) == value)?;
        Some(range.start + found)
    }

    /// Computes the minimum at `index` anew, in two steps: take a stamp, then write the result if the stamp still
    /// stands. A key set meanwhile takes the stamp away (rule 5); in one step a too large minimum would hide it.
    /// Who finds another's stamp works under it, so finders do not hinder each other.
    fn raise(&self, level: usize, index: usize) {
        let node = &self.levels[level][index];
        let seen = node.load(Ordering::Acquire);
        let mut stamp = seen;
        if seen >= KEY && !cfg!(break_rule_5) {
            stamp = self.stamp();
            if node.compare_exchange(seen, stamp, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                return;
            }
        }
        let least = self.children(level, index).map(|child| self.known(level - 1, child)).min();
        // AcqRel: who reads this minimum sees the keys it was computed from. If it fails, `settle` looks again.
        let least = least.unwrap_or(FREE);
        let _known = node.compare_exchange(stamp, least, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The minimum at `index`, perhaps too small, but known.
    fn known(&self, level: usize, index: usize) -> u64 {
        let value = self.levels[level][index].load(Ordering::Acquire);
        if value < KEY { self.settle(level, index).0 } else { value }
    }

    fn children(&self, level: usize, index: usize) -> Range<usize> {
        let start = index * WIDTH;
        start..(start + WIDTH).min(self.levels[level - 1].len())
    }

    /// How many entries stand before `entry`. Groups whose minimum is larger are passed over.
    pub(crate) fn before(&self, entry: Entry) -> u32 {
        self.count(self.levels.len() - 1, 0, entry)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u32 {
        self.before(Entry { key: MAX_KEY, slot: u32::MAX })
    }

    fn count(&self, level: usize, index: usize, entry: Entry) -> u32 {
        let value = self.levels[level][index].load(Ordering::Acquire);
        if value > KEY | entry.key {
            return 0; // the minimum is larger, or nothing is here
        }
        if level == 0 {
            return u32::from(Entry { key: value & !KEY, slot: index as u32 } < entry);
        }
        self.children(level, index).map(|child| self.count(level - 1, child, entry)).sum()
    }
}

#[cfg(all(test, not(fernamt_loom)))]
mod tests {
    use super::*;

    fn at(key: u64, slot: u32) -> Option<Entry> {
        Some(Entry { key, slot })
    }

    #[test]
    fn the_smallest_key_is_first_and_of_equal_keys_the_smallest_slot() {
        let board = Board::new(10_000);
        assert_eq!(board.first(), None);
        for (slot, key) in [(9_999, 7), (0, 9), (4_711, 7), (65, 8)] {
            assert!(board.set(slot, Some(key)));
        }
        assert_eq!(board.first(), at(7, 4_711));
        assert!(!board.set(4_711, None));
        assert_eq!(board.first(), at(7, 9_999));
        board.set(9_999, None);
        assert_eq!(board.first(), at(8, 65));
        board.set(65, Some(10));
        assert_eq!(board.first(), at(9, 0));
    }

    #[test]
    fn a_board_of_any_size_shows_its_last_slot() {
        for slots in [1, 2, 63, 64, 65, 4_096, 4_097, 262_145] {
            let board = Board::new(slots);
            board.set(slots - 1, Some(MAX_KEY));
            assert_eq!(board.first(), at(MAX_KEY, slots - 1), "{slots} slots");
            board.set(slots - 1, None);
            assert_eq!(board.first(), None, "{slots} slots");
        }
    }

    #[test]
    fn the_board_agrees_with_a_sorted_list() {
        let board = Board::new(300);
        let mut list: Vec<Entry> = Vec::new();
        let mut random = 4_711_u64;
        for _ in 0..200_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (slot, key) = ((random >> 33) as u32 % 300, random >> 50 & 0xff);
            list.retain(|entry| entry.slot != slot);
            let key = (random >> 40 & 3 != 0).then_some(key);
            list.extend(key.map(|key| Entry { key, slot }));
            list.sort();
            board.set(slot, key);
            assert_eq!(board.first(), list.first().copied());
            let probe = Entry { key: random >> 20 & 0xff, slot };
            assert_eq!(board.before(probe) as usize, list.iter().filter(|entry| **entry < probe).count());
            assert_eq!(board.len() as usize, list.len());
        }
    }
}

#[cfg(all(test, fernamt_loom))]
mod models {
    use loom::sync::Arc;

    use super::*;
    use crate::scene::explore;

    /// Rule 5.
    #[test]
    fn a_key_set_while_a_minimum_is_raised_is_found() {
        explore(4, |start| {
            let board = Arc::new(Board::new(4));
            board.set(0, Some(1));
            let find = |board: &Board| {
                board.set(0, None);
                board.first()
            };
            start.both(&board, find, |board| board.set(1, Some(2)));
            assert_eq!(board.first(), Some(Entry { key: 2, slot: 1 }));
        });
    }

    /// Rule 5, one level up, where the group is found empty.
    #[test]
    fn a_key_set_in_a_group_just_found_empty_is_found() {
        explore(4, |start| {
            let board = Arc::new(Board::new(4));
            board.set(0, Some(1));
            board.set(0, None);
            start.both(&board, Board::first, |board| board.set(3, Some(2)));
            assert_eq!(board.first(), Some(Entry { key: 2, slot: 3 }));
        });
    }

    #[test]
    fn two_finders_and_a_poster_agree_in_the_end() {
        explore(2, |start| {
            let board = Arc::new(Board::new(2));
            board.set(0, Some(1));
            board.set(0, None);
            let set_and_find = |board: &Board| {
                board.set(1, Some(2));
                board.first()
            };
            let (_, _, found) = start.three(&board, Board::first, Board::first, set_and_find);
            assert_eq!(found, Some(Entry { key: 2, slot: 1 }));
            assert_eq!((board.first(), board.len()), (found, 1));
        });
    }
}
