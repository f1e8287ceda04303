//! The least of many keys: a tree of minima over places.
//!
//! Leaves hold keys, every node above them the smallest key below it and which child it came from. A node may show
//! too small a key, never too large a one. A new key lowers the nodes above it; a key taken away leaves them as they
//! are, and the finder who trips over such a node raises it. So posting mostly reads, taking away writes one word,
//! and finding follows one path down and looks at one group of neighbours per level that has to be raised.

use crate::sync::{AtomicU64, Ordering, fence_before_minima, retried};

/// Children of one node: two cache lines. Two in the models, so that small boards have levels too.
pub(crate) const WIDTH: usize = if cfg!(fernamt_loom) { 2 } else { 16 };
const CHILD_BITS: u32 = 4;
const CHILD: u64 = (1 << CHILD_BITS) - 1;

/// A leaf without a key, and a node with no key below it.
pub(crate) const FREE: u64 = u64::MAX;

/// Words with a key carry the top bit. A node without it is unknown: it is being computed, and the rest is the stamp
/// of that computation.
const KNOWN: u64 = 1 << 63;

/// The largest order key; larger ones count as this. Microseconds for 18,000 years.
pub(crate) const MAX_KEY: u64 = (1 << 59) - 2;

/// The word of a leaf with `key`.
pub(crate) fn leaf_word(key: u64) -> u64 {
    KNOWN | key << CHILD_BITS
}

/// The key in a known word; of [`FREE`] one larger than all.
fn key_of(word: u64) -> u64 {
    (word & !KNOWN) >> CHILD_BITS
}

fn from_child(word: u64, child: usize) -> u64 {
    if word == FREE { FREE } else { word & !CHILD | child as u64 }
}

/// All children of one node, side by side.
#[cfg_attr(not(fernamt_loom), repr(align(64)))]
pub(crate) struct Group([AtomicU64; WIDTH]);

impl Group {
    pub(crate) fn free() -> Group {
        Group(std::array::from_fn(|_| AtomicU64::new(FREE)))
    }
}

/// A view of one tree. Node 0 is the root, which its owner keeps where he likes; the children of node `n` are the
/// group `n`, and nodes `n * WIDTH + 1` and following. Nodes from `groups.len()` on are the leaves.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) root: &'a AtomicU64,
    pub(crate) groups: &'a [Group],
    /// Stamps given out so far: no two computations of a node share one.
    pub(crate) stamps: &'a AtomicU64,
}

impl Tree<'_> {
    /// How many groups a tree of `levels` levels of groups has; it has `WIDTH` to the power of `levels` leaves.
    pub(crate) const fn groups(levels: u32) -> usize {
        (WIDTH.pow(levels) - 1) / (WIDTH - 1)
    }

    fn node(&self, node: usize) -> &AtomicU64 {
        match node.checked_sub(1) {
            None => self.root,
            Some(below) => &self.groups[below / WIDTH].0[below % WIDTH],
        }
    }

    fn leaf(&self, leaf: usize) -> &AtomicU64 {
        self.node(self.groups.len() + leaf)
    }

    /// Does `leaf` show nothing?
    pub(crate) fn is_free(&self, leaf: usize) -> bool {
        self.leaf(leaf).load(Ordering::Acquire) == FREE
    }

    /// Writes `word` into `leaf` and returns what stood there. A key is found only after [`lower`](Self::lower).
    ///
    /// A swap, not a store: swaps of one leaf have one order, and each sees what the one before it had seen. The
    /// matcher's `tidy` rests on that.
    pub(crate) fn put(&self, leaf: usize, word: u64) -> u64 {
        self.leaf(leaf).swap(word, Ordering::AcqRel)
    }

    /// Lowers the nodes above `leaf` to `word`, which the leaf holds. The caller has fenced since he put it in
    /// ([`fence_before_minima`]); so one fence can serve many leaves.
    ///
    /// A fence stands always between what is written below and the look at the node above (rule 7): if the node is small
    /// enough already and known, whoever raises it later fences after his stamp and sees what is below; if it is
    /// being computed, taking the stamp away makes that computation fail. All levels are looked at, for whoever
    /// lowered the first may have stopped before the next.
    pub(crate) fn lower(&self, leaf: usize, word: u64) {
        let mut node = self.groups.len() + leaf;
        while node > 0 {
            let word = from_child(word, (node - 1) % WIDTH);
            node = (node - 1) / WIDTH;
            if self.lower_one(node, word) && node > 0 {
                fence_before_minima();
            }
        }
    }

    /// Returns whether this call has written it.
    fn lower_one(&self, node: usize, word: u64) -> bool {
        let mut seen = self.node(node).load(Ordering::Relaxed);
        while seen < KNOWN || seen > word {
            let new = if seen < KNOWN { self.stamp() } else { word };
            match self.node(node).compare_exchange(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
            retried();
        }
        false
    }

    fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::Relaxed) // only its being unique counts
    }

    /// The smallest key and its leaf; of equal keys the first leaf.
    pub(crate) fn first(&self) -> Option<(u64, usize)> {
        let (word, node) = self.settle(0);
        (word != FREE).then(|| (key_of(word), node - self.groups.len()))
    }

    /// Makes `node` true and follows it to its leaf.
    fn settle(&self, node: usize) -> (u64, usize) {
        // Acquire: pairs with `lower` and `put`, so that a node leads to the leaf it came from, and the leaf to what
        // was written before it.
        loop {
            let word = self.node(node).load(Ordering::Acquire);
            if node >= self.groups.len() || word == FREE {
                return (word, node);
            }
            if word >= KNOWN {
                let found = self.settle(node * WIDTH + 1 + (word & CHILD) as usize);
                if key_of(found.0) == key_of(word) {
                    return found;
                }
            }
            self.raise(node);
        }
    }

    /// Computes `node` anew, in two steps: take a stamp, then write the result if the stamp still stands. A key put
    /// in meanwhile takes the stamp away (rule 5); in one step too large a minimum would hide it. Who finds
    /// another's stamp works under it, so finders do not hinder each other.
    fn raise(&self, node: usize) {
        let seen = self.node(node).load(Ordering::Acquire);
        let mut stamp = seen;
        if seen >= KNOWN && !cfg!(break_rule_5) {
            stamp = self.stamp();
            let taken = self.node(node).compare_exchange(seen, stamp, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_err() {
                return retried();
            }
        }
        fence_before_minima();
        let known = |child| from_child(self.known(node * WIDTH + 1 + child), child);
        let least = (0..WIDTH).map(known).min().unwrap_or(FREE);
        // AcqRel: who reads this minimum sees the keys it was computed from. If it fails, `settle` looks again.
        if self.node(node).compare_exchange(stamp, least, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            retried();
        }
    }

    /// The minimum at `node`, perhaps too small, but known.
    fn known(&self, node: usize) -> u64 {
        let word = self.node(node).load(Ordering::Acquire);
        if word < KNOWN { self.settle(node).0 } else { word }
    }

    /// How many keys stand before `key` in `leaf`. Groups whose smallest key is larger are passed over.
    pub(crate) fn before(&self, key: u64, leaf: usize) -> u32 {
        self.count(0, (key, self.groups.len() + leaf))
    }

    fn count(&self, node: usize, end: (u64, usize)) -> u32 {
        let word = self.node(node).load(Ordering::Acquire);
        if node >= self.groups.len() {
            return u32::from((key_of(word), node) < end);
        }
        if word >= KNOWN && key_of(word) > end.0 {
            return 0;
        }
        (0..WIDTH).map(|child| self.count(node * WIDTH + 1 + child, end)).sum()
    }
}
