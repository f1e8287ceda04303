//! An agent's desk: the word, how long he has been idle, and the queues he serves.

use std::iter;

use crate::sync::{AtomicU64, Ordering};
use crate::word::{AgentState, AgentWord, Post};

/// One agent slot. Only its owner makes ready, rests and changes the queues; finders claim, put back and engage.
pub(crate) struct Desk {
    word: AgentWord,
    key: AtomicU64,
    /// One bit per queue.
    queues: Box<[AtomicU64]>,
}

impl Desk {
    pub(crate) fn new(queues: u32) -> Desk {
        let words = queues.div_ceil(u64::BITS) as usize;
        Desk {
            word: AgentWord::new(),
            key: AtomicU64::new(0),
            queues: iter::repeat_with(|| AtomicU64::new(0)).take(words).collect(),
        }
    }

    pub(crate) fn state(&self) -> AgentState {
        self.word.load()
    }

    /// The order key of the present or last idleness.
    pub(crate) fn key(&self) -> u64 {
        self.key.load(Ordering::Relaxed) // ordered by the word, see `ready`
    }

    /// Is `queue` one of his?
    pub(crate) fn serves(&self, queue: u32) -> bool {
        let (word, bit) = place(queue);
        self.queues[word].load(Ordering::Acquire) & bit != 0
    }

    /// His queues, in order of their numbers.
    pub(crate) fn queues(&self) -> impl Iterator<Item = u32> + '_ {
        self.queues.iter().zip(0..).flat_map(|(word, index)| {
            let mut bits = word.load(Ordering::Acquire);
            iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(index * u64::BITS + bit)
            })
        })
    }

    /// The owner's: adds `queue` or takes it away. `true` if that changed anything.
    pub(crate) fn set_serves(&self, queue: u32, serves: bool) -> bool {
        let (word, bit) = place(queue);
        let before = if serves {
            self.queues[word].fetch_or(bit, Ordering::AcqRel)
        } else {
            self.queues[word].fetch_and(!bit, Ordering::AcqRel)
        };
        (before & bit != 0) != serves
    }

    /// The key that belongs on `queue`'s board now; `None` when he is not to be had there. A claimed agent stays
    /// on the boards: whoever meets him there carries the claim to its end.
    pub(crate) fn wants(&self, queue: u32) -> Option<u64> {
        match self.state() {
            AgentState::Idle { .. } | AgentState::Claimed { .. } if self.serves(queue) => Some(self.key()),
            _ => None,
        }
    }

    /// The owner's: `Resting` to `Idle`. `false` if he does not rest.
    pub(crate) fn ready(&self, key: u64) -> bool {
        let AgentState::Resting { generation } = self.state() else { return false };
        self.key.store(key, Ordering::Relaxed); // the Release of `set` pairs with the Acquire of every `state`
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
        self.word.change(AgentState::Idle { generation }, AgentState::Claimed { generation, post }).is_ok()
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

fn place(queue: u32) -> (usize, u64) {
    ((queue / u64::BITS) as usize, 1 << (queue % u64::BITS))
}
