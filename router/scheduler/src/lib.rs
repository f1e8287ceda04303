//! Who answers whom: waiting callers and idle agents, matched without a lock.
//!
//! There is no dispatcher. Whoever changes something, a caller who arrives or an agent who becomes free, looks at
//! once for the other side; so an idle agent and a caller he may serve never stand side by side once the calls in
//! flight have returned. All methods take `&self`; share a [`Scheduler`] by `Arc`.
//!
//! A *line* is where callers wait who may be served by the same agents: a queue, or a queue's callers who accept a
//! certain skill, or those who wait for one agent. What strategy an agent is chosen by, and what a caller's priority
//! is worth, is folded into keys by the user of this crate.
//!
//! The truth is one atomic word per caller and one per agent (`word.rs`): boards that keep the order are
//! indexes that may be stale. `matcher.rs` has the rules and what each is for, `board.rs` and `tree.rs` how order is
//! kept.
//!
//! # Owners
//! A slot belongs to whoever the user of this crate says. For one caller [`post`](Scheduler::post),
//! [`withdraw`](Scheduler::withdraw) and [`take_letter`](Scheduler::take_letter), for one agent
//! [`ready`](Scheduler::ready), [`rest`](Scheduler::rest) and [`set_memberships`](Scheduler::set_memberships) must
//! not run at the same time as each other. Between different slots everything may.
//!
//! # Order
//! Callers are served smallest key first. An agent who serves several lines takes the smallest key over all of them,
//! so keys are compared across lines: fold priority in as time credit. Of several idle agents the one with the
//! smallest key in that line is first. Of equal keys any may be first, so make them unique where it matters. Keys
//! above 2^59 - 2 count as that; wall-clock microseconds are far below.
//!
//! # Use
//! ```
//! use scheduler::{Agent, Caller, Capacity, Line, Match, Scheduler};
//!
//! let scheduler = Scheduler::new(Capacity { callers: 100, agents: 10, lines: 2, memberships: 4 });
//! let (caller, agent, line) = (Caller(7), Agent(3), Line(1));
//! scheduler.set_memberships(agent, &[line], |_| 0);
//! assert!(scheduler.post(caller, line, 1_000).is_empty());
//! assert_eq!(scheduler.position(caller), Some(1));
//! for found in scheduler.ready(agent, |_line| 2_000) {
//!     assert_eq!(found, Match { caller, agent }); // tell the owner of `found.caller`, who then:
//!     assert_eq!(scheduler.take_letter(found.caller), Some(agent));
//! }
//! scheduler.release(agent); // the call is over; `ready` again after wrap-up
//! ```
//!
//! # Panics
//! All methods panic on a slot or line beyond the capacity, and when an agent serves more lines than there is room for.
#![forbid(unsafe_code)]

mod board;
mod desk;
mod found;
mod matcher;
#[cfg(all(test, fernamt_loom))]
mod models;
#[cfg(feature = "retries")]
pub mod retries;
#[cfg(fernamt_loom)]
#[doc(hidden)]
pub mod scene;
mod sync;
mod ticket;
mod tree;
mod word;

use std::iter;

use board::{Board, Entry};
use desk::{Desk, Served};
pub use found::{Match, Matches};
use matcher::{Floor, Look, Member};
use sync::fence_before_look;
use ticket::{Seat, Ticket};
use tree::MAX_KEY;
use word::{AgentState, CallerState, MAX_SLOTS, Post};

/// A caller's slot, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller(pub u32);

/// An agent's slot, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Agent(pub u32);

/// A line's number, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line(pub u32);

/// How many there can be. Slots take their memory at creation: 64 bytes a caller, 64 an agent and 16 a membership.
/// A line takes about 700 bytes, and as many stand on its boards come at most 36 more for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Caller slots, at most 2^22.
    pub callers: u32,
    /// Agent slots, at most 2^22.
    pub agents: u32,
    /// Lines.
    pub lines: u32,
    /// Lines that one agent can serve, at most 2^16.
    pub memberships: u32,
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
    /// If more than 2^22 callers or agents are asked for, or more than 2^16 memberships.
    pub fn new(capacity: Capacity) -> Scheduler {
        let Capacity { callers, agents, lines, memberships } = capacity;
        assert!(callers <= MAX_SLOTS && agents <= MAX_SLOTS, "at most {MAX_SLOTS} callers and agents each");
        assert!(memberships <= 1 << 16, "at most {} memberships", 1 << 16);
        let line = || matcher::Line { waiting: Board::new(), idle: Board::new() };
        Scheduler {
            floor: Floor {
                tickets: iter::repeat_with(Ticket::new).take(callers as usize).collect(),
                desks: iter::repeat_with(|| Desk::new(memberships)).take(agents as usize).collect(),
                lines: iter::repeat_with(line).take(lines as usize).collect(),
            },
        }
    }

    /// Makes room for `callers` on the waiting board of `line`, so that posting needs no memory until more wait there
    /// at once. Only before anybody waited there; later it does nothing.
    pub fn reserve(&self, line: Line, callers: u32) {
        self.floor.line(line.0).waiting.reserve(callers);
    }

    /// From now on `agent` serves exactly `lines`, each once. If he is idle he looks into them at once; `key` orders
    /// him among the idle of a line that is new to him until he is [`ready`](Self::ready) next.
    ///
    /// A match in a line taken away may still be returned by a call that had begun before. An assignment he has
    /// stays.
    pub fn set_memberships(&self, agent: Agent, lines: &[Line], mut key: impl FnMut(Line) -> u64) -> Matches {
        let desk = self.floor.desk(agent.0);
        let before: Vec<Served> = desk.serves().collect();
        for served in &before {
            if !lines.contains(&Line(served.line)) {
                self.leave(agent, *served);
            }
        }
        for line in lines {
            if before.iter().all(|served| served.line != line.0) {
                self.join(agent, *line, key(*line).min(MAX_KEY));
            }
        }
        fence_before_look();
        let mut look = Look::new(&self.floor);
        look.serve_agent(agent.0);
        look.finish()
    }

    fn leave(&self, agent: Agent, Served { cell, line, place }: Served) {
        self.floor.desk(agent.0).leave(cell);
        self.floor.tidy_agent(line, place);
        self.floor.line(line).idle.give_back(place);
    }

    fn join(&self, agent: Agent, line: Line, key: u64) {
        let desk = self.floor.desk(agent.0);
        let cell = desk.empty_cell().expect("an agent serves no more lines than there is room for");
        let place = self.floor.line(line.0).idle.take_place(Member { agent: agent.0, cell }.pack());
        desk.sit(cell, Seat { line: line.0, place: Some(place) }, key);
        self.floor.tidy_agent(line.0, place);
    }

    /// `caller` waits in `line` from now on, smaller `key` first, and an agent is looked for.
    ///
    /// Returns the matches this call made, perhaps of other callers. A caller who waits already or whose letter
    /// has not been taken is left as he is: [`withdraw`](Self::withdraw) first.
    pub fn post(&self, caller: Caller, line: Line, key: u64) -> Matches {
        assert!((line.0 as usize) < self.floor.lines.len(), "{line:?} is beyond the capacity");
        let key = key.min(MAX_KEY);
        let number = self.floor.ticket(caller.0).post(line.0, key);
        debug_assert!(number.is_some(), "{caller:?} was posted twice");
        let mut look = Look::new(&self.floor);
        if let Some(number) = number
            && !look.meet_agent(line.0, key, Post { caller: caller.0, number })
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
        match self.floor.ticket(caller.0).withdraw() {
            CallerState::Assigned { number, agent } => {
                self.take(caller, number, agent);
                Withdrawn::Assigned(Agent(agent))
            }
            _ => {
                self.floor.vacate(caller.0);
                Withdrawn::Gone
            }
        }
    }

    /// Reads the letter that lies in `caller`'s ticket, once. The agent is his until [`release`](Self::release).
    pub fn take_letter(&self, caller: Caller) -> Option<Agent> {
        let CallerState::Assigned { number, agent } = self.floor.ticket(caller.0).state() else {
            return None;
        };
        self.take(caller, number, agent);
        Some(Agent(agent))
    }

    fn take(&self, caller: Caller, number: u32, agent: u32) {
        self.floor.confirm(agent, Post { caller: caller.0, number });
        self.floor.ticket(caller.0).clear(number);
        self.floor.vacate(caller.0);
    }

    /// One more agent for a caller who has got one, to be rung beside him: the first who is idle in `line` and whom
    /// nobody waits for. Only for the caller's owner, after he has the letter. Each agent is the caller's until
    /// [`release`](Self::release). The matches are others', as of every look.
    pub fn reinforce(&self, caller: Caller, line: Line) -> (Option<Agent>, Matches) {
        let CallerState::Absent { number } = self.floor.ticket(caller.0).state() else {
            debug_assert!(false, "{caller:?} waits or has not taken his letter");
            return (None, Matches::default());
        };
        let mut look = Look::new(&self.floor);
        let agent = look.join(line.0, Post { caller: caller.0, number });
        (agent.map(Agent), look.finish())
    }

    /// `agent` himself, whether he is idle or rests, for a caller who does not wait: he is the caller's until
    /// [`release`](Self::release). False if somebody has him. Only for the owner of both.
    pub fn engage(&self, caller: Caller, agent: Agent) -> bool {
        let CallerState::Absent { number } = self.floor.ticket(caller.0).state() else {
            debug_assert!(false, "{caller:?} waits or has not taken his letter");
            return false;
        };
        let (desk, ours) = (self.floor.desk(agent.0), Post { caller: caller.0, number });
        let engaged = loop {
            match desk.state() {
                AgentState::Idle { generation } if desk.join(generation, ours) => break true,
                AgentState::Idle { .. } => {} // claimed meanwhile
                AgentState::Claimed { generation, post } => _ = self.floor.resolve(agent.0, generation, post),
                AgentState::Resting { generation } => {
                    desk.engage_unseen(generation, ours);
                    break true;
                }
                AgentState::Engaged { .. } => break false,
            }
        };
        for Served { line, place, .. } in desk.serves() {
            self.floor.tidy_agent(line, place);
        }
        engaged
    }

    /// `agent` is idle from now on, and a caller is looked for in all his lines. `key` is asked for each of his lines;
    /// the smaller is first of those idle in that line.
    ///
    /// Returns the matches this call made, perhaps of other agents. An agent who does not rest is left as he is.
    pub fn ready(&self, agent: Agent, mut key: impl FnMut(Line) -> u64) -> Matches {
        let mut look = Look::new(&self.floor);
        if !look.meet_caller(agent.0) && self.floor.desk(agent.0).ready(|line| key(Line(line)).min(MAX_KEY)) {
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
        let desk = self.floor.desk(agent.0);
        let rested = loop {
            match desk.state() {
                AgentState::Idle { generation } => _ = desk.rest(generation),
                AgentState::Claimed { generation, post } => _ = self.floor.resolve(agent.0, generation, post),
                AgentState::Resting { .. } => break Rested::Resting,
                AgentState::Engaged { post, .. } => break Rested::Assigned(Caller(post.caller)),
            }
        };
        for Served { line, place, .. } in desk.serves() {
            self.floor.tidy_agent(line, place);
        }
        rested
    }

    /// The assignment of `agent` is over: he rests until [`ready`](Self::ready). For whoever holds the assignment,
    /// that is, took the letter or got it from [`withdraw`](Self::withdraw) or [`reinforce`](Self::reinforce); only
    /// then, and once.
    pub fn release(&self, agent: Agent) {
        let released = self.floor.desk(agent.0).release();
        debug_assert!(released, "{agent:?} was released without being engaged");
    }

    /// The place of `caller` in his line, 1 for the head; `None` if he does not wait. Exact when quiet: when no
    /// call on this scheduler is in flight.
    pub fn position(&self, caller: Caller) -> Option<u32> {
        let ticket = self.floor.ticket(caller.0);
        let CallerState::Waiting { .. } = ticket.state() else { return None };
        let Seat { line, place } = ticket.seat();
        Some(self.floor.line(line).waiting.before(Entry { key: ticket.key(), place: place? }) + 1)
    }

    /// How many in `line` wait with a key smaller than `key`. Exact when quiet.
    pub fn ahead(&self, line: Line, key: u64) -> u32 {
        self.floor.line(line.0).waiting.before(Entry::least(key))
    }

    /// Who is first in `line`, and his key. Exact when quiet; while others are at work he may be missing.
    pub fn first_waiting(&self, line: Line) -> Option<(Caller, u64)> {
        let Entry { key, place } = self.floor.line(line.0).waiting.first()?;
        self.floor.post_at(line.0, place, key).map(|post| (Caller(post.caller), key))
    }

    /// Who is the first idle in `line`, and his key there. Exact when quiet; while others are at work he may be
    /// missing.
    pub fn first_idle(&self, line: Line) -> Option<(Agent, u64)> {
        let Entry { place, .. } = self.floor.line(line.0).idle.first()?;
        self.floor.idles_at(line.0, place).map(|(agent, key)| (Agent(agent), key))
    }

    /// How many lines there are.
    pub fn lines(&self) -> u32 {
        self.floor.lines.len() as u32
    }

    /// How many wait in `line`. Exact when quiet.
    pub fn waiting(&self, line: Line) -> u32 {
        self.floor.line(line.0).waiting.len()
    }

    /// How many agents are idle in `line`; an agent counts in each of his lines. Exact when quiet.
    pub fn idle(&self, line: Line) -> u32 {
        self.floor.line(line.0).idle.len()
    }
}
