//! A caller's ticket: the word, what the caller waits for, and the letter.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::word::{CallerState, CallerWord, next_post};

/// One caller slot. Only its owner posts, withdraws and takes the letter; finders only turn `Waiting` into
/// `Assigned`.
pub(crate) struct Ticket {
    word: CallerWord,
    key: AtomicU64,
    queue: AtomicU32,
}

impl Ticket {
    pub(crate) fn new() -> Ticket {
        Ticket { word: CallerWord::new(), key: AtomicU64::new(0), queue: AtomicU32::new(0) }
    }

    pub(crate) fn state(&self) -> CallerState {
        self.word.load()
    }

    /// Where he waits, or waited last.
    pub(crate) fn queue(&self) -> u32 {
        self.queue.load(Ordering::Relaxed) // ordered by the word, see `post`
    }

    /// The order key of the present or last post.
    pub(crate) fn key(&self) -> u64 {
        self.key.load(Ordering::Relaxed) // ordered by the word, see `post`
    }

    /// The key that belongs on `queue`'s board now; `None` when he does not wait there.
    pub(crate) fn wants(&self, queue: u32) -> Option<u64> {
        match self.state() {
            CallerState::Waiting { .. } if self.queue() == queue => Some(self.key()),
            _ => None,
        }
    }

    /// The owner's: `Absent` to `Waiting`. Returns the post's number, or `None` if he waits already or a letter has
    /// not been taken.
    pub(crate) fn post(&self, queue: u32, key: u64) -> Option<u32> {
        let CallerState::Absent { number } = self.state() else { return None };
        let number = next_post(number);
        // Before the word: the Release of `set` pairs with the Acquire of every `state`.
        self.queue.store(queue, Ordering::Relaxed);
        self.key.store(key, Ordering::Relaxed);
        self.word.set(CallerState::Waiting { number });
        Some(number)
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
