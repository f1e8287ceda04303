//! Who answers whom: waiting callers and idle agents, matched without a lock.
//!
//! There is no dispatcher. Whoever changes something, a caller who arrives or an agent who becomes free, looks at
//! once for the other side; so an idle agent and a caller he may serve never stand side by side once the calls in
//! flight have returned. All methods take `&self`; share a [`Scheduler`] by `Arc`.
//!
//! The truth is one atomic word per caller and one per agent (`word.rs`): boards that keep the order are
//! indexes that may be stale. `matcher.rs` has the rules and what each is for, `board.rs` how order is kept.
//!
//! # Owners
//! A slot belongs to whoever the user of this crate says. For one caller [`post`](Scheduler::post),
//! [`withdraw`](Scheduler::withdraw) and [`take_letter`](Scheduler::take_letter), for one agent
//! [`ready`](Scheduler::ready), [`rest`](Scheduler::rest) and [`set_memberships`](Scheduler::set_memberships) must
//! not run at the same time as each other. Between different slots everything may.
//!
//! # Order
//! Callers are served smallest key first, equal keys smallest slot first. An agent who serves several queues takes
//! the smallest key over all of them, so keys are compared across queues: fold priority in as time credit. Of
//! several idle agents the smallest idle key is first. Keys above 2^63 - 2 count as that; wall-clock microseconds
//! are far below.
//!
//! # Use
//! ```
//! use scheduler::{Agent, Caller, Capacity, Match, Queue, Scheduler};
//!
//! let scheduler = Scheduler::new(Capacity { callers: 100, agents: 10, queues: 2 });
//! let (caller, agent, queue) = (Caller(7), Agent(3), Queue(1));
//! scheduler.set_memberships(agent, &[queue]);
//! assert!(scheduler.post(caller, queue, 1_000).is_empty());
//! assert_eq!(scheduler.position(caller), Some(1));
//! for found in scheduler.ready(agent, 2_000) {
//!     assert_eq!(found, Match { caller, agent }); // tell the owner of `found.caller`, who then:
//!     assert_eq!(scheduler.take_letter(found.caller), Some(agent));
//! }
//! scheduler.release(agent); // the call is over; `ready` again after wrap-up
//! ```
//!
//! # Panics
//! All methods panic on a slot or queue beyond the capacity.
#![forbid(unsafe_code)]

mod board;
mod desk;
mod found;
mod matcher;
#[cfg(all(test, fernamt_loom))]
mod models;
#[cfg(fernamt_loom)]
#[doc(hidden)]
pub mod scene;
mod sync;
mod ticket;
mod word;

use std::iter;

use board::{Board, Entry, MAX_KEY};
use desk::Desk;
pub use found::{Match, Matches};
use matcher::{Floor, Line, Look};
use sync::fence_before_look;
use ticket::Ticket;
use word::{AgentState, CallerState, MAX_SLOTS, Post};

/// A caller's slot, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller(pub u32);

/// An agent's slot, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Agent(pub u32);

/// A queue's number, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Queue(pub u32);

/// How many there can be. All memory is taken at creation: 8 bytes per queue and slot, and about 32 per slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Caller slots, at most 2^22.
    pub callers: u32,
    /// Agent slots, at most 2^22.
    pub agents: u32,
    /// Queues.
    pub queues: u32,
}

/// How a withdrawal ended. Exactly one is true, whatever raced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    /// He does not wait any more and got nobody. Also when he did not wait.
    Gone,
    /// A match was faster. The letter counts as taken; the agent stays engaged until released.
    Assigned(Agent),
}

/// How a wish to rest ended. Exactly one is true, whatever raced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rested {
    /// He rests: no letter names him. Also when he rested already.
    Resting,
    /// He is engaged: a letter for this caller names him, taken or not. Tell the caller's owner as for a
    /// [`Match`] (once more does no harm, a letter is taken once); [`release`](Scheduler::release) him first.
    Assigned(Caller),
}

/// The scheduler. See the crate's page.
pub struct Scheduler {
    floor: Floor,
}

impl Scheduler {
    /// Everybody absent, resting, and member of nothing.
    ///
    /// # Panics
    /// If more than 2^22 callers or agents are asked for.
    pub fn new(capacity: Capacity) -> Scheduler {
        let Capacity { callers, agents, queues } = capacity;
        assert!(callers <= MAX_SLOTS && agents <= MAX_SLOTS, "at most {MAX_SLOTS} callers and agents each");
        let line = || Line { waiting: Board::new(callers), idle: Board::new(agents) };
        Scheduler {
            floor: Floor {
                tickets: iter::repeat_with(Ticket::new).take(callers as usize).collect(),
                desks: iter::repeat_with(|| Desk::new(queues)).take(agents as usize).collect(),
                lines: iter::repeat_with(line).take(queues as usize).collect(),
            },
        }
    }

    /// From now on `agent` serves exactly `queues`. If he is idle he looks into them at once.
    ///
    /// A match in a queue taken away may still be returned by a call that had begun before. An assignment he has
    /// stays.
    pub fn set_memberships(&self, agent: Agent, queues: &[Queue]) -> Matches {
        let desk = self.desk(agent);
        for queue in 0..self.floor.lines.len() as u32 {
            if desk.set_serves(queue, queues.contains(&Queue(queue))) {
                self.floor.tidy_agent(queue, agent.0);
            }
        }
        fence_before_look();
        let mut look = Look::new(&self.floor);
        look.serve_agent(agent.0);
        look.finish()
    }

    /// `caller` waits in `queue` from now on, smaller `key` first, and an agent is looked for.
    ///
    /// Returns the matches this call made, perhaps of other callers. A caller who waits already or whose letter
    /// has not been taken is left as he is: [`withdraw`](Scheduler::withdraw) first.
    pub fn post(&self, caller: Caller, queue: Queue, key: u64) -> Matches {
        assert!((queue.0 as usize) < self.floor.lines.len(), "{queue:?} is beyond the capacity");
        let key = key.min(MAX_KEY);
        let number = self.ticket(caller).post(queue.0, key);
        debug_assert!(number.is_some(), "{caller:?} was posted twice");
        let mut look = Look::new(&self.floor);
        if let Some(number) = number
            && !look.meet_agent(queue.0, key, Post { caller: caller.0, number })
        {
            self.floor.show_caller(caller.0);
            look.serve_caller(caller.0);
        }
        look.finish()
    }

    /// `caller` waits no longer.
    ///
    /// Racing with a match: either the withdrawal is first, then no letter ever comes for this post, or the match
    /// is first, then the answer is the letter.
    pub fn withdraw(&self, caller: Caller) -> Withdrawn {
        match self.ticket(caller).withdraw() {
            CallerState::Assigned { number, agent } => {
                self.take(caller, number, agent);
                Withdrawn::Assigned(Agent(agent))
            }
            _ => {
                self.floor.tidy_caller(self.ticket(caller).queue(), caller.0);
                Withdrawn::Gone
            }
        }
    }

    /// Reads the letter that lies in `caller`'s ticket, once. The agent is his until [`release`](Self::release).
    pub fn take_letter(&self, caller: Caller) -> Option<Agent> {
        let CallerState::Assigned { number, agent } = self.ticket(caller).state() else { return None };
        self.take(caller, number, agent);
        Some(Agent(agent))
    }

    fn take(&self, caller: Caller, number: u32, agent: u32) {
        self.floor.confirm(agent, Post { caller: caller.0, number });
        let ticket = self.ticket(caller);
        ticket.clear(number);
        let queue = ticket.queue();
        if !self.floor.lines[queue as usize].waiting.is_free(caller.0) {
            self.floor.tidy_caller(queue, caller.0); // the finder was stopped before doing it
        }
    }

    /// `agent` is idle from now on, smaller `idle_key` first, and a caller is looked for in all his queues.
    ///
    /// Returns the matches this call made, perhaps of other agents. An agent who does not rest is left as he is.
    pub fn ready(&self, agent: Agent, idle_key: u64) -> Matches {
        let mut look = Look::new(&self.floor);
        if !look.meet_caller(agent.0) && self.desk(agent).ready(idle_key.min(MAX_KEY)) {
            self.floor.show_agent(agent.0);
            look.serve_agent(agent.0);
        }
        look.finish()
    }

    /// `agent` is not to be had from now on, unless he is assigned.
    ///
    /// Racing with a finder who has claimed him: the claim is carried to its end here and now, without waiting for
    /// the finder, and the answer is how it ended.
    pub fn rest(&self, agent: Agent) -> Rested {
        let desk = self.desk(agent);
        let rested = loop {
            match desk.state() {
                AgentState::Idle { generation } => _ = desk.rest(generation),
                AgentState::Claimed { generation, post } => _ = self.floor.resolve(agent.0, generation, post),
                AgentState::Resting { .. } => break Rested::Resting,
                AgentState::Engaged { post, .. } => break Rested::Assigned(Caller(post.caller)),
            }
        };
        for queue in desk.queues() {
            self.floor.tidy_agent(queue, agent.0);
        }
        rested
    }

    /// The assignment of `agent` is over: he rests until [`ready`](Self::ready). For whoever holds the assignment,
    /// that is, took the letter or got it from [`withdraw`](Self::withdraw); only then, and once.
    pub fn release(&self, agent: Agent) {
        let released = self.desk(agent).release();
        debug_assert!(released, "{agent:?} was released without being engaged");
    }

    /// The place of `caller` in his queue, 1 for the head; `None` if he does not wait. Exact when quiet: when no
    /// call on this scheduler is in flight.
    pub fn position(&self, caller: Caller) -> Option<u32> {
        let ticket = self.ticket(caller);
        let CallerState::Waiting { .. } = ticket.state() else { return None };
        let entry = Entry { key: ticket.key(), slot: caller.0 };
        Some(self.line(Queue(ticket.queue())).waiting.before(entry) + 1)
    }

    /// How many wait in `queue`. Exact when quiet.
    pub fn waiting(&self, queue: Queue) -> u32 {
        self.line(queue).waiting.len()
    }

    /// How many agents are idle in `queue`; an agent counts in each of his queues. Exact when quiet.
    pub fn idle(&self, queue: Queue) -> u32 {
        self.line(queue).idle.len()
    }

    fn ticket(&self, caller: Caller) -> &Ticket {
        &self.floor.tickets[caller.0 as usize]
    }

    fn desk(&self, agent: Agent) -> &Desk {
        &self.floor.desks[agent.0 as usize]
    }

    fn line(&self, queue: Queue) -> &Line {
        &self.floor.lines[queue.0 as usize]
    }
}
