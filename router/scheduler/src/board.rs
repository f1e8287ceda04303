//! A board: who waits in one line, or who is idle there; smallest key next.
//!
//! A board is an index, not the truth: an entry may be stale, and who finds it asks the word of whoever stands there.
//! It errs only towards "look once more": an entry whose [`announce`](Board::announce) has returned is found.
//!
//! An entry stands in a *place*, which says who is meant. Places are handed out when somebody comes on the board and
//! given back when he leaves it, so a board is as large as the most who ever stood there at once: its segments are
//! made when they are first needed, each [`WIDTH`] times the one before.

use std::sync::OnceLock;

use crate::sync::{AtomicU32, AtomicU64, Ordering, retried};
use crate::tree::{FREE, Group, Tree, WIDTH, leaf_word};

/// Segments of 16, 256, … 16,777,216 places.
const SEGMENTS: usize = if cfg!(fernamt_loom) { 2 } else { 6 };

/// A place on a board: segment and number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u32);

/// What stands on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) place: Place,
}

impl Entry {
    /// Before all entries with `key`.
    pub(crate) fn least(key: u64) -> Entry {
        Entry { key, place: Place(0) }
    }
}

/// See the module. What everybody reads comes first, what everybody who comes or leaves writes is in another line of
/// the cache.
#[cfg_attr(not(fernamt_loom), repr(align(64)))]
pub(crate) struct Board {
    /// The root of each segment's tree; [`FREE`] where there is no segment. Together, so that one look finds the best.
    roots: [AtomicU64; SEGMENTS],
    segments: [OnceLock<Segment>; SEGMENTS],
    stamps: AtomicU64,
    /// The place given back last, and how often this word has changed: (count << 32 | place + 1).
    given_back: AtomicU64,
    /// The first place never handed out.
    fresh: AtomicU32,
    /// Entries shown.
    shown: AtomicU32,
}

struct Segment {
    groups: Box<[Group]>,
    /// Who has each place; [`LINK`] and the next place given back when nobody has.
    occupants: Box<[AtomicU64]>,
}

const LINK: u64 = 1 << 63;

impl Place {
    const NUMBER_BITS: u32 = 24;

    fn new(segment: usize, number: usize) -> Place {
        Place((segment as u32) << Self::NUMBER_BITS | number as u32)
    }

    fn segment(self) -> usize {
        (self.0 >> Self::NUMBER_BITS) as usize
    }

    fn number(self) -> usize {
        (self.0 & ((1 << Self::NUMBER_BITS) - 1)) as usize
    }

    /// 28 bits, never 0.
    pub(crate) fn pack(self) -> u32 {
        self.0 + 1
    }

    pub(crate) fn unpack(packed: u32) -> Option<Place> {
        packed.checked_sub(1).map(Place)
    }
}

impl Segment {
    fn new(segment: usize) -> Segment {
        let levels = segment as u32 + 1;
        Segment {
            groups: std::iter::repeat_with(Group::free).take(Tree::groups(levels)).collect(),
            occupants: std::iter::repeat_with(|| AtomicU64::new(LINK)).take(WIDTH.pow(levels)).collect(),
        }
    }
}

impl Board {
    pub(crate) fn new() -> Board {
        let board = Board::empty();
        if cfg!(fernamt_loom) {
            // The checker does not see that `OnceLock` orders what is made inside.
            (0..SEGMENTS).for_each(|segment| _ = board.made(segment));
        }
        board
    }

    fn empty() -> Board {
        Board {
            roots: std::array::from_fn(|_| AtomicU64::new(FREE)),
            segments: std::array::from_fn(|_| OnceLock::new()),
            stamps: AtomicU64::new(0),
            given_back: AtomicU64::new(0),
            fresh: AtomicU32::new(0),
            shown: AtomicU32::new(0),
        }
    }

    /// Makes room for `places` at once, so that none of so many is made later. Only before the first is taken.
    pub(crate) fn reserve(&self, places: u32) {
        let fits = |segment: &usize| WIDTH.pow(*segment as u32 + 1) >= places as usize;
        let segment = (0..SEGMENTS).find(fits).unwrap_or(SEGMENTS - 1);
        let start = Place::new(segment, 0).0;
        if self.fresh.compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.made(segment);
        }
    }

    /// Made by whoever needs it first; two who do so at once make it twice, and one is dropped.
    fn made(&self, segment: usize) -> &Segment {
        if self.segments[segment].get().is_none() {
            let _other_was_first = self.segments[segment].set(Segment::new(segment));
        }
        self.segment(segment)
    }

    fn segment(&self, segment: usize) -> &Segment {
        self.segments[segment].get().expect("a place is handed out after its segment is made")
    }

    fn tree(&self, segment: usize) -> Tree<'_> {
        Tree { root: &self.roots[segment], groups: &self.segment(segment).groups, stamps: &self.stamps }
    }

    fn occupant_word(&self, place: Place) -> &AtomicU64 {
        &self.segment(place.segment()).occupants[place.number()]
    }

    /// A place for `occupant` (below 2^63), without an entry yet.
    pub(crate) fn take_place(&self, occupant: u64) -> Place {
        let place = self.reused().unwrap_or_else(|| self.fresh());
        // Release: who finds the entry put in later finds its occupant; `put` is a Release too and comes after.
        self.occupant_word(place).store(occupant, Ordering::Release);
        place
    }

    /// The count makes sure that the word has not come back to the same place in between.
    fn reused(&self) -> Option<Place> {
        let mut head = self.given_back.load(Ordering::Acquire);
        loop {
            let place = Place::unpack(head as u32)?;
            let next = self.occupant_word(place).load(Ordering::Relaxed) & !LINK;
            let new = (head >> 32).wrapping_add(1) << 32 | next & u64::from(u32::MAX);
            match self.given_back.compare_exchange(head, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(place),
                Err(now) => head = now,
            }
            retried();
        }
    }

    fn fresh(&self) -> Place {
        let mut fresh = self.fresh.load(Ordering::Acquire);
        loop {
            let place = Place(fresh);
            let size = self.made(place.segment()).occupants.len();
            let next = match place.number() + 1 {
                next if next < size => Place::new(place.segment(), next),
                _ => Place::new(place.segment() + 1, 0),
            };
            match self.fresh.compare_exchange(fresh, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return place,
                Err(now) => fresh = now,
            }
            retried();
        }
    }

    /// The place is nobody's again. Its entry has been taken away before, and his word does not want one.
    pub(crate) fn give_back(&self, place: Place) {
        let mut head = self.given_back.load(Ordering::Relaxed);
        loop {
            self.occupant_word(place).store(LINK | head & u64::from(u32::MAX), Ordering::Release);
            let new = (head >> 32).wrapping_add(1) << 32 | u64::from(place.pack());
            match self.given_back.compare_exchange(head, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
            retried();
        }
    }

    /// Who has the place.
    pub(crate) fn occupant(&self, place: Place) -> Option<u64> {
        let occupant = self.occupant_word(place).load(Ordering::Acquire);
        (occupant & LINK == 0).then_some(occupant)
    }

    /// Does `place` show nothing?
    pub(crate) fn is_free(&self, place: Place) -> bool {
        self.tree(place.segment()).is_free(place.number())
    }

    /// Shows `key` in `place`, or nothing. A key must be announced after a fence.
    pub(crate) fn put(&self, place: Place, key: Option<u64>) {
        let word = key.map_or(FREE, leaf_word);
        let before = self.tree(place.segment()).put(place.number(), word);
        match (before == FREE, word == FREE) {
            (true, false) => _ = self.shown.fetch_add(1, Ordering::Relaxed),
            (false, true) => _ = self.shown.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u32 {
        self.shown.load(Ordering::Relaxed)
    }

    /// Lets finders know of a key put in before: see [`Tree::lower`].
    pub(crate) fn announce(&self, place: Place, key: u64) {
        self.tree(place.segment()).lower(place.number(), leaf_word(key));
    }

    /// The smallest key.
    pub(crate) fn first(&self) -> Option<Entry> {
        loop {
            let roots = self.roots.each_ref().map(|root| root.load(Ordering::Acquire));
            // A root that is being computed is smaller than all known ones, so it is settled first.
            let (segment, least) = roots.into_iter().enumerate().min_by_key(|(_, root)| *root)?;
            if least == FREE {
                return None;
            }
            let Some((key, number)) = self.tree(segment).first() else { continue };
            // The root may have shown too small a key; then another segment may be the next.
            if roots.iter().enumerate().all(|(other, root)| other == segment || *root >= leaf_word(key)) {
                return Some(Entry { key, place: Place::new(segment, number) });
            }
        }
    }

    /// How many entries stand before `entry`.
    pub(crate) fn before(&self, entry: Entry) -> u32 {
        let made = (0..SEGMENTS).filter(|segment| self.segments[*segment].get().is_some());
        made.map(|segment| {
            let number = match segment.cmp(&entry.place.segment()) {
                std::cmp::Ordering::Less => usize::MAX >> 8,
                std::cmp::Ordering::Equal => entry.place.number(),
                std::cmp::Ordering::Greater => 0,
            };
            self.tree(segment).before(entry.key, number)
        })
        .sum()
    }
}

#[cfg(all(test, not(fernamt_loom)))]
mod tests {
    use super::*;
    use crate::tree::MAX_KEY;

    /// A board, and beside it what stands there.
    struct Pair {
        board: Board,
        list: Vec<Entry>,
        random: u64,
    }

    impl Pair {
        fn below(&mut self, limit: usize) -> usize {
            self.random =
                self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.random >> 33) as usize % limit
        }

        fn comes(&mut self, key: u64) {
            let place = self.board.take_place(key);
            self.board.put(place, Some(key));
            self.board.announce(place, key);
            assert_eq!(self.board.occupant(place), Some(key));
            self.list.push(Entry { key, place });
        }

        fn leaves(&mut self, at: usize) {
            let Entry { place, .. } = self.list.swap_remove(at);
            self.board.put(place, None);
            self.board.give_back(place);
            assert_eq!((self.board.occupant(place), self.board.is_free(place)), (None, true));
        }

        fn agrees(&mut self, probe: u64) {
            assert_eq!(self.board.first().map(|e| e.key), self.list.iter().map(|e| e.key).min());
            assert_eq!(self.board.len() as usize, self.list.len());
            if let Some(at) = self.list.len().checked_sub(1).map(|last| probe as usize % (last + 1)) {
                let entry = self.list[at];
                let before = self.list.iter().filter(|other| **other < entry).count();
                assert_eq!(self.board.before(entry) as usize, before);
            }
        }
    }

    fn pair() -> Pair {
        Pair { board: Board::new(), list: vec![], random: 4_711 }
    }

    #[test]
    fn the_board_agrees_with_a_list_whatever_comes_and_goes() {
        let mut pair = pair();
        for step in 0..60_000_usize {
            let most = [3, 40, 700][step / 1_000 % 3];
            if pair.list.len() >= most || !pair.list.is_empty() && pair.below(3) == 0 {
                let at = pair.below(pair.list.len());
                pair.leaves(at);
            } else {
                let key = pair.below(500) as u64;
                pair.comes(key);
            }
            let probe = pair.below(1 << 20) as u64;
            pair.agrees(probe);
        }
    }

    #[test]
    fn a_board_grows_to_whatever_comes_and_serves_it_in_order() {
        let mut pair = pair();
        (0..5_000).for_each(|n| pair.comes(n * 7_919 % 5_000));
        for key in 0..5_000 {
            assert_eq!(pair.board.first().map(|e| e.key), Some(key));
            let at = pair.list.iter().position(|e| e.key == key).unwrap();
            pair.leaves(at);
        }
        assert_eq!((pair.board.first(), pair.board.len()), (None, 0));
    }

    #[test]
    fn room_made_at_once_is_one_segment_and_holds_the_largest_key() {
        for places in [1, 16, 17, 256, 4_097] {
            let board = Board::new();
            board.reserve(places);
            let places: Vec<_> = (0..places).map(|n| board.take_place(n.into())).collect();
            assert!(places.iter().all(|place| place.segment() == places[0].segment()));
            let last = places[places.len() - 1];
            board.put(last, Some(MAX_KEY));
            board.announce(last, MAX_KEY);
            assert_eq!(board.first(), Some(Entry { key: MAX_KEY, place: last }));
        }
    }
}

#[cfg(all(test, fernamt_loom))]
mod models {
    use loom::sync::Arc;

    use super::*;
    use crate::scene::explore;
    use crate::sync::fence_before_minima;

    /// A board whose places 0.. are taken, with `keys` on the first of them.
    fn board(places: u64, keys: &[u64]) -> (Arc<Board>, Vec<Place>) {
        let board = Board::new();
        board.reserve(places as u32);
        let places: Vec<_> = (0..places).map(|n| board.take_place(n)).collect();
        for (place, key) in places.iter().zip(keys) {
            show(&board, *place, *key);
        }
        (Arc::new(board), places)
    }

    fn show(board: &Board, place: Place, key: u64) {
        board.put(place, Some(key));
        fence_before_minima();
        board.announce(place, key);
    }

    fn first(board: &Board) -> Option<u64> {
        board.first().map(|entry| entry.key)
    }

    /// Rule 5.
    #[test]
    fn a_key_put_in_while_a_minimum_is_raised_is_found() {
        explore(4, |start| {
            let (board, places) = board(4, &[1]);
            let (one, two) = (places[0], places[1]);
            let find = move |board: &Board| {
                board.put(one, None);
                first(board)
            };
            start.both(&board, find, move |board| show(board, two, 2));
            assert_eq!(first(&board), Some(2));
        });
    }

    /// Rule 7: who puts a larger key in only reads the minimum above it, which is being raised.
    #[test]
    fn a_key_put_in_under_a_stale_minimum_is_found() {
        explore(4, |start| {
            let (board, places) = board(4, &[1]);
            board.put(places[0], None);
            let two = places[1];
            start.both(&board, first, move |board| show(board, two, 2));
            assert_eq!(first(&board), Some(2));
        });
    }

    /// Rule 5, one level up, where the group is found empty.
    #[test]
    fn a_key_put_in_a_group_just_found_empty_is_found() {
        explore(4, |start| {
            let (board, places) = board(4, &[1]);
            board.put(places[0], None);
            let last = places[3];
            start.both(&board, first, move |board| show(board, last, 2));
            assert_eq!(first(&board), Some(2));
        });
    }

    #[test]
    fn two_finders_and_a_poster_agree_in_the_end() {
        explore(2, |start| {
            let (board, places) = board(2, &[1]);
            board.put(places[0], None);
            let two = places[1];
            let show_and_find = move |board: &Board| {
                show(board, two, 2);
                first(board)
            };
            let (_, _, found) = start.three(&board, first, first, show_and_find);
            assert_eq!(found, Some(2));
            assert_eq!((first(&board), board.len()), (found, 1));
        });
    }

    /// Two who come at once and one who leaves: never two in one place.
    #[test]
    fn a_place_given_back_is_handed_out_once() {
        explore(3, |start| {
            let (board, places) = board(2, &[]);
            let (one, two) = (places[0], places[1]);
            let comes_and_leaves = move |board: &Board| {
                board.give_back(one);
                board.give_back(two);
                board.take_place(7)
            };
            let (seven, eight) = start.both(&board, comes_and_leaves, |board| board.take_place(8));
            assert_ne!(seven, eight);
            assert_eq!((board.occupant(seven), board.occupant(eight)), (Some(7), Some(8)));
        });
    }
}
