//! A caller's ticket: the word, where the caller waits and with which key, and the letter.

use crate::board::Place;
use crate::sync::{AtomicU64, Ordering};
use crate::word::{CallerState, CallerWord, next_post};

/// One caller slot. Only its owner posts, withdraws and takes the letter; finders only turn `Waiting` into
/// `Assigned`. Two tickets never share a cache line, for two threads own them.
#[cfg_attr(not(fernamt_loom), repr(align(64)))]
pub(crate) struct Ticket {
    word: CallerWord,
    key: AtomicU64,
    seat: AtomicU64,
}

/// A line, and the place on its board, if any: (line << 32 | place + 1). Both in one word, for they are read while
/// the owner may change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) line: u32,
    pub(crate) place: Option<Place>,
}

impl Seat {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.line) << 32 | u64::from(self.place.map_or(0, Place::pack))
    }

    pub(crate) fn unpack(word: u64) -> Seat {
        Seat { line: (word >> 32) as u32, place: Place::unpack(word as u32) }
    }
}

impl Ticket {
    pub(crate) fn new() -> Ticket {
        Ticket { word: CallerWord::new(), key: AtomicU64::new(0), seat: AtomicU64::new(0) }
    }

    pub(crate) fn state(&self) -> CallerState {
        self.word.load()
    }

    /// Where he waits, or waited last.
    pub(crate) fn seat(&self) -> Seat {
        Seat::unpack(self.seat.load(Ordering::Relaxed)) // ordered by the word, see `post` and `sit`
    }

    /// The order key of the present or last post.
    pub(crate) fn key(&self) -> u64 {
        self.key.load(Ordering::Relaxed) // ordered by the word, see `post`
    }

    /// The key that belongs on this seat now; `None` when he does not wait there.
    pub(crate) fn wants(&self, seat: Seat) -> Option<u64> {
        match self.state() {
            CallerState::Waiting { .. } if self.seat() == seat => Some(self.key()),
            _ => None,
        }
    }

    /// The owner's: `Absent` to `Waiting` in `line`, without a place yet. Returns the post's number, or `None` if he
    /// waits already or a letter has not been taken.
    pub(crate) fn post(&self, line: u32, key: u64) -> Option<u32> {
        let CallerState::Absent { number } = self.state() else { return None };
        let number = next_post(number);
        // Before the word: the Release of `set` pairs with the Acquire of every `state`.
        self.seat.store(Seat { line, place: None }.pack(), Ordering::Relaxed);
        self.key.store(key, Ordering::Relaxed);
        self.word.set(CallerState::Waiting { number });
        Some(number)
    }

    /// The owner's: he has `seat.place` from now on, or none. The entry put in afterwards makes it known.
    pub(crate) fn sit(&self, seat: Seat) {
        self.seat.store(seat.pack(), Ordering::Release);
    }

    /// The owner's: `Waiting` to `Absent`, unless a finder was faster.
    pub(crate) fn withdraw(&self) -> CallerState {
        let state = self.state();
        let CallerState::Waiting { number } = state else { return state };
        match self.word.change(state, CallerState::Absent { number }) {
            Ok(()) => CallerState::Absent { number },
            Err(assigned) => assigned,
        }
    }

    /// A finder's: puts the letter in. `Err` with what stands there if that post does not wait any more.
    pub(crate) fn assign(&self, number: u32, agent: u32) -> Result<(), CallerState> {
        self.word.change(CallerState::Waiting { number }, CallerState::Assigned { number, agent })
    }

    /// The owner's: the letter has been read.
    pub(crate) fn clear(&self, number: u32) {
        self.word.set(CallerState::Absent { number });
    }
}

#[cfg(all(test, not(fernamt_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_seat_survives_its_word() {
        for line in [0, 7, u32::MAX] {
            for place in [None, Place::unpack(1), Place::unpack(77)] {
                assert_eq!(Seat::unpack(Seat { line, place }.pack()), Seat { line, place });
            }
        }
    }
}
