//! The two words that are the truth: one per caller, one per agent. Whatever boards say, these decide.
//!
//! ```text
//! caller:  Absent --post--> Waiting --match--> Assigned --letter taken--> Absent
//!                              '------withdraw----> Absent
//! agent:   Resting --ready--> Idle --claim--> Claimed --match--> Engaged --release--> Resting
//!                              |  <--put back---'
//!                              '--rest--> Resting
//! ```
//! A match is the change `Waiting` to `Assigned` of a caller whose agent is `Claimed` for this very post. Everything
//! needed to finish or undo a claim stands in the agent's word, so anybody who meets a claim can carry it to its
//! end, and a thread that stops in the middle holds up nobody.
//!
//! A generation counts the posts of a slot. A claim names the post it is for: once that post has ended, by match or
//! withdrawal, it never comes back, so a late finder's change fails instead of hitting the slot's next user. The
//! numbers wrap (callers after 2^24 posts of one slot, agents after 2^16): a finder would have to sleep between two
//! of its instructions for exactly that many posts of one slot.

use crate::sync::{AtomicU64, Ordering};

/// Slots are 22 bits: as many callers and as many agents as one scheduler can have.
pub(crate) const MAX_SLOTS: u32 = 1 << 22;

const STATE_SHIFT: u32 = 62;
const POST_BITS: u32 = 24;
const SLOT_BITS: u32 = 22;

/// One post of one caller slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) caller: u32,
    /// Which post of this slot, modulo 2^24.
    pub(crate) number: u32,
}

/// Where a caller is, as the word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerState {
    /// Not waiting; `number` is of the last post.
    Absent { number: u32 },
    /// On a board, to be had.
    Waiting { number: u32 },
    /// Given to `agent`. This word is the letter: it lies here until the owner takes it.
    Assigned { number: u32, agent: u32 },
}

/// What an agent does, as the word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentState {
    /// Not to be had.
    Resting { generation: u16 },
    /// To be had.
    Idle { generation: u16 },
    /// A finder holds him for one post and tries to match it. Not decided yet.
    Claimed { generation: u16, post: Post },
    /// Given to that post's caller until released.
    Engaged { generation: u16, post: Post },
}

impl CallerState {
    fn pack(self) -> u64 {
        let (state, number, agent) = match self {
            CallerState::Absent { number } => (0, number, 0),
            CallerState::Waiting { number } => (1, number, 0),
            CallerState::Assigned { number, agent } => (2, number, agent),
        };
        state << STATE_SHIFT | u64::from(number) << SLOT_BITS | u64::from(agent)
    }

    fn unpack(word: u64) -> CallerState {
        let number = (word >> SLOT_BITS) as u32 & mask(POST_BITS);
        match word >> STATE_SHIFT {
            0 => CallerState::Absent { number },
            1 => CallerState::Waiting { number },
            _ => CallerState::Assigned { number, agent: word as u32 & mask(SLOT_BITS) },
        }
    }
}

impl AgentState {
    /// How many times the agent was made ready, modulo 2^16.
    pub(crate) fn generation(self) -> u16 {
        match self {
            AgentState::Resting { generation }
            | AgentState::Idle { generation }
            | AgentState::Claimed { generation, .. }
            | AgentState::Engaged { generation, .. } => generation,
        }
    }

    fn pack(self) -> u64 {
        let nobody = Post { caller: 0, number: 0 };
        let (state, post) = match self {
            AgentState::Resting { .. } => (0, nobody),
            AgentState::Idle { .. } => (1, nobody),
            AgentState::Claimed { post, .. } => (2, post),
            AgentState::Engaged { post, .. } => (3, post),
        };
        state << STATE_SHIFT
            | u64::from(self.generation()) << (POST_BITS + SLOT_BITS)
            | u64::from(post.number) << SLOT_BITS
            | u64::from(post.caller)
    }

    fn unpack(word: u64) -> AgentState {
        let generation = (word >> (POST_BITS + SLOT_BITS)) as u16;
        let number = (word >> SLOT_BITS) as u32 & mask(POST_BITS);
        let post = Post { caller: word as u32 & mask(SLOT_BITS), number };
        match word >> STATE_SHIFT {
            0 => AgentState::Resting { generation },
            1 => AgentState::Idle { generation },
            2 => AgentState::Claimed { generation, post },
            _ => AgentState::Engaged { generation, post },
        }
    }
}

/// The number after `number`, within [`POST_BITS`].
pub(crate) fn next_post(number: u32) -> u32 {
    number.wrapping_add(1) & mask(POST_BITS)
}

fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

/// A caller's atomic word.
pub(crate) struct CallerWord(AtomicU64);

/// An agent's atomic word.
pub(crate) struct AgentWord(AtomicU64);

// Orders. Every store and change is a Release and every load an Acquire: who reads a state sees what its writer
// did before, namely the key, queue and memberships written before `Waiting` or `Idle`, and the agent's `Engaged`
// written before the letter was taken.

impl CallerWord {
    pub(crate) fn new() -> CallerWord {
        CallerWord(AtomicU64::new(CallerState::Absent { number: 0 }.pack()))
    }

    pub(crate) fn load(&self) -> CallerState {
        CallerState::unpack(self.0.load(Ordering::Acquire))
    }

    /// For states that only the owner leaves.
    pub(crate) fn set(&self, state: CallerState) {
        self.0.store(state.pack(), Ordering::Release);
    }

    /// From one state to another, or what stands there instead.
    pub(crate) fn change(&self, from: CallerState, to: CallerState) -> Result<(), CallerState> {
        change(&self.0, from.pack(), to.pack()).map_err(CallerState::unpack)
    }
}

impl AgentWord {
    pub(crate) fn new() -> AgentWord {
        AgentWord(AtomicU64::new(AgentState::Resting { generation: 0 }.pack()))
    }

    pub(crate) fn load(&self) -> AgentState {
        AgentState::unpack(self.0.load(Ordering::Acquire))
    }

    /// For states that only the owner leaves.
    pub(crate) fn set(&self, state: AgentState) {
        self.0.store(state.pack(), Ordering::Release);
    }

    /// From one state to another, or what stands there instead.
    pub(crate) fn change(&self, from: AgentState, to: AgentState) -> Result<(), AgentState> {
        change(&self.0, from.pack(), to.pack()).map_err(AgentState::unpack)
    }
}

fn change(word: &AtomicU64, from: u64, to: u64) -> Result<(), u64> {
    word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(drop)
}

#[cfg(all(test, not(fernamt_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_caller_state_survives_its_word() {
        for number in [0, 1, mask(POST_BITS)] {
            for agent in [0, 7, MAX_SLOTS - 1] {
                for state in [
                    CallerState::Absent { number },
                    CallerState::Waiting { number },
                    CallerState::Assigned { number, agent },
                ] {
                    assert_eq!(CallerState::unpack(state.pack()), state);
                }
            }
        }
    }

    #[test]
    fn every_agent_state_survives_its_word() {
        for generation in [0, 1, u16::MAX] {
            for post in [
                Post { caller: 0, number: mask(POST_BITS) },
                Post { caller: MAX_SLOTS - 1, number: 0 },
                Post { caller: 3, number: 4 },
            ] {
                for state in [
                    AgentState::Resting { generation },
                    AgentState::Idle { generation },
                    AgentState::Claimed { generation, post },
                    AgentState::Engaged { generation, post },
                ] {
                    assert_eq!(AgentState::unpack(state.pack()), state);
                }
            }
        }
    }

    #[test]
    fn post_numbers_wrap_within_their_bits() {
        assert_eq!(next_post(mask(POST_BITS)), 0);
        assert_eq!(next_post(7), 8);
    }
}
