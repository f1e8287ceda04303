//! An agent's desk: the word, and the lines he serves with his key in each.

use std::iter;

use crate::board::Place;
use crate::sync::{AtomicU32, AtomicU64, Ordering, retried};
use crate::ticket::Seat;
use crate::word::{AgentState, AgentWord, Post};

/// One agent slot. Only its owner makes ready, rests and changes the lines; finders claim, put back and engage. Two
/// desks never share a cache line.
#[cfg_attr(not(fernamt_loom), repr(align(64)))]
pub(crate) struct Desk {
    word: AgentWord,
    /// Cells in use are below this; there may be holes.
    used: AtomicU32,
    cells: Box<[Cell]>,
}

/// One line he serves.
struct Cell {
    /// As [`Seat::pack`]; without a place the cell is empty.
    seat: AtomicU64,
    /// Orders him among the idle of that line.
    key: AtomicU64,
}

/// One line he serves, as others see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    pub(crate) cell: usize,
    pub(crate) line: u32,
    pub(crate) place: Place,
}

impl Desk {
    pub(crate) fn new(memberships: u32) -> Desk {
        let cell = || Cell { seat: AtomicU64::new(0), key: AtomicU64::new(0) };
        Desk {
            word: AgentWord::new(),
            used: AtomicU32::new(0),
            cells: iter::repeat_with(cell).take(memberships as usize).collect(),
        }
    }

    pub(crate) fn state(&self) -> AgentState {
        self.word.load()
    }

    /// The lines he serves.
    pub(crate) fn serves(&self) -> impl Iterator<Item = Served> + '_ {
        let used = self.used.load(Ordering::Acquire) as usize;
        self.cells[..used].iter().enumerate().filter_map(|(cell, Cell { seat, .. })| {
            let Seat { line, place } = Seat::unpack(seat.load(Ordering::Acquire));
            Some(Served { cell, line, place: place? })
        })
    }

    /// The owner's: the number of an empty cell; `None` if all are in use.
    pub(crate) fn empty_cell(&self) -> Option<usize> {
        self.cells.iter().position(|cell| Seat::unpack(cell.seat.load(Ordering::Relaxed)).place.is_none())
    }

    /// The owner's: he serves `seat.line` from now on, in `cell`.
    pub(crate) fn sit(&self, cell: usize, seat: Seat, key: u64) {
        self.cells[cell].key.store(key, Ordering::Relaxed); // before the seat, whose Release pairs with `serves`
        self.cells[cell].seat.store(seat.pack(), Ordering::Release);
        if self.used.load(Ordering::Relaxed) as usize <= cell {
            self.used.store(cell as u32 + 1, Ordering::Release);
        }
    }

    /// The owner's: empties `cell`.
    pub(crate) fn leave(&self, cell: usize) {
        self.cells[cell].seat.store(0, Ordering::Release);
    }

    /// The key that belongs on the board there now; `None` when he is not to be had there. A claimed agent stays on the
    /// boards: whoever meets him there carries the claim to its end.
    pub(crate) fn wants(&self, Served { cell, line, place }: Served) -> Option<u64> {
        let (cell, seat) = (&self.cells[cell], Seat { line, place: Some(place) });
        match self.state() {
            AgentState::Idle { .. } | AgentState::Claimed { .. }
                if cell.seat.load(Ordering::Acquire) == seat.pack() =>
            {
                Some(cell.key.load(Ordering::Relaxed)) // ordered by the word, see `ready`
            }
            _ => None,
        }
    }

    /// The owner's: `Resting` to `Idle`. `false` if he does not rest.
    pub(crate) fn ready(&self, mut key: impl FnMut(u32) -> u64) -> bool {
        let AgentState::Resting { generation } = self.state() else { return false };
        for Served { cell, line, .. } in self.serves() {
            // The Release of `set` pairs with the Acquire of every `state`.
            self.cells[cell].key.store(key(line), Ordering::Relaxed);
        }
        self.word.set(AgentState::Idle { generation: generation.wrapping_add(1) });
        true
    }

    /// The owner's, while he is on no board: `Resting` to `Engaged`, before the letter is put in. Nobody else looks at
    /// this word until there is a letter, so it may be tried for one post after another.
    pub(crate) fn engage_unseen(&self, generation: u16, post: Post) {
        self.word.set(AgentState::Engaged { generation, post });
    }

    /// The owner's: undoes [`engage_unseen`](Self::engage_unseen) when no letter was put in.
    pub(crate) fn rest_unseen(&self, generation: u16) {
        self.word.set(AgentState::Resting { generation });
    }

    /// The owner's: `Idle` to `Resting`; `Err` with what stands there if he is not idle any more.
    pub(crate) fn rest(&self, generation: u16) -> Result<(), AgentState> {
        self.word.change(AgentState::Idle { generation }, AgentState::Resting { generation })
    }

    /// The assignment's holder: `Engaged` to `Resting`. `false` if he is not engaged.
    pub(crate) fn release(&self) -> bool {
        let AgentState::Engaged { generation, .. } = self.state() else { return false };
        self.word.set(AgentState::Resting { generation });
        true
    }

    /// A finder's: takes him for `post`. `false` if he is not idle in this generation any more.
    pub(crate) fn claim(&self, generation: u16, post: Post) -> bool {
        self.taken(generation, AgentState::Claimed { generation, post })
    }

    /// The owner's of a post that has got somebody: takes him for it too. `false` if he is not idle in this
    /// generation any more.
    pub(crate) fn join(&self, generation: u16, post: Post) -> bool {
        self.taken(generation, AgentState::Engaged { generation, post })
    }

    fn taken(&self, generation: u16, to: AgentState) -> bool {
        let taken = self.word.change(AgentState::Idle { generation }, to).is_ok();
        if !taken {
            retried();
        }
        taken
    }

    /// Anybody's: the post of this claim was matched. Does nothing if that is known already.
    pub(crate) fn engage(&self, generation: u16, post: Post) {
        let claimed = AgentState::Claimed { generation, post };
        let _known = self.word.change(claimed, AgentState::Engaged { generation, post });
    }

    /// Anybody's: the post of this claim has ended otherwise. `false` if somebody else finished the claim: then
    /// the agent may be engaged or resting by now and must not be touched (rule 1).
    pub(crate) fn put_back(&self, generation: u16, post: Post) -> bool {
        if cfg!(break_rule_1) {
            self.word.set(AgentState::Idle { generation });
            return true;
        }
        self.word.change(AgentState::Claimed { generation, post }, AgentState::Idle { generation }).is_ok()
    }
}
