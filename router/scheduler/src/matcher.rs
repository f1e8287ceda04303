//! Matching: whoever posts looks, and carries what he meets to its end.
//!
//! A match is three steps on two words: the agent `Idle` to `Claimed` for one post, the caller's post `Waiting` to
//! `Assigned`, the agent `Claimed` to `Engaged`. The second decides. The first names the post, so the other two can
//! be done by anybody: a finder who meets a claimed agent on a board does not wait and does not pass him over, he
//! finishes the claim. Nobody waits for anybody.
//!
//! Before anybody goes on a board he looks whether the other side is there already ([`Look::meet_agent`],
//! [`Look::meet_caller`]): on a quiet floor that is so, or nobody is there, and half the work on boards is saved.
//! Only who has met nobody posts, fences and looks (rule 2).
//!
//! The rules, and what each is for (each can be taken away by `--cfg break_rule_N`, and a model must then fail):
//!
//! 1. **Only owners post and withdraw.** A finder changes only what is still the claim he saw.
//! 2. **Post, fence, look.** Of two who post at once, at least one sees the other.
//! 3. **Who puts back looks again**, on behalf of what he put back: for an agent in all his lines.
//! 4. **Who changes an entry reads the word again.** The last to change an entry leaves it as the word says.
//! 5. **Minima are raised in two steps**, so that a key put in meanwhile is not hidden (`tree`).
//! 6. **No letter leaves before its agent is engaged.** Else a late finder takes the match for a dead claim.
//! 7. **Fence between leaf and minima**, both who puts a key in and who computes a minimum (`tree`).

use crate::board::{Board, Entry, Place};
use crate::desk::{Desk, Served};
use crate::found::{Match, Matches};
use crate::sync::{fence_before_look, fence_before_minima, retried};
use crate::ticket::{Seat, Ticket};
use crate::word::{AgentState, CallerState, Post};
use crate::{Agent, Caller};

/// The shared state: words and boards.
pub(crate) struct Floor {
    pub(crate) tickets: Box<[Ticket]>,
    pub(crate) desks: Box<[Desk]>,
    pub(crate) lines: Box<[Line]>,
}

/// The two boards of a line.
pub(crate) struct Line {
    /// Occupants are callers.
    pub(crate) waiting: Board,
    /// Occupants are an agent's cells: see [`Member`].
    pub(crate) idle: Board,
}

/// An agent in one of his lines: what stands on an idle board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) agent: u32,
    /// The cell of his desk.
    pub(crate) cell: usize,
}

impl Member {
    const CELL_BITS: u32 = 16;

    pub(crate) fn pack(self) -> u64 {
        u64::from(self.agent) << Self::CELL_BITS | self.cell as u64
    }

    pub(crate) fn unpack(occupant: u64) -> Member {
        let cell = (occupant & ((1 << Self::CELL_BITS) - 1)) as usize;
        Member { agent: (occupant >> Self::CELL_BITS) as u32, cell }
    }
}

impl Floor {
    pub(crate) fn ticket(&self, caller: u32) -> &Ticket {
        &self.tickets[caller as usize]
    }

    pub(crate) fn desk(&self, agent: u32) -> &Desk {
        &self.desks[agent as usize]
    }

    pub(crate) fn line(&self, line: u32) -> &Line {
        &self.lines[line as usize]
    }

    /// Who should be seen in a place of `line`'s waiting board now.
    fn waits_at(&self, line: u32, place: Place) -> Option<(u32, u64)> {
        let caller = self.line(line).waiting.occupant(place)? as u32;
        let key = self.ticket(caller).wants(Seat { line, place: Some(place) })?;
        Some((caller, key))
    }

    /// Who should be seen in a place of `line`'s idle board now.
    pub(crate) fn idles_at(&self, line: u32, place: Place) -> Option<(u32, u64)> {
        let Member { agent, cell } = Member::unpack(self.line(line).idle.occupant(place)?);
        let key = self.desk(agent).wants(Served { cell, line, place })?;
        Some((agent, key))
    }

    /// The post that waits in this place with this key.
    pub(crate) fn post_at(&self, line: u32, place: Place, key: u64) -> Option<Post> {
        let caller = self.line(line).waiting.occupant(place)? as u32;
        let ticket = self.ticket(caller);
        let CallerState::Waiting { number } = ticket.state() else { return None };
        let stands = (ticket.seat(), ticket.key()) == (Seat { line, place: Some(place) }, key);
        stands.then_some(Post { caller, number })
    }

    /// Makes an entry of a waiting board agree with the word of whoever has the place. Returns who stands there now.
    ///
    /// Whoever changes a word does this afterwards; so does a finder who trips over an entry that is wrong. Of all
    /// who do it at once the last to swap has seen every word that led to an earlier swap, so his second reading
    /// decides (rule 4). Without it a slow finder clears away the entry of a caller who has come back meanwhile, or
    /// of another who has the place now.
    pub(crate) fn tidy_caller(&self, line: u32, place: Place) -> Option<u32> {
        let board = &self.line(line).waiting;
        tidy(board, place, || self.waits_at(line, place))
    }

    /// The same for an idle board.
    pub(crate) fn tidy_agent(&self, line: u32, place: Place) -> Option<u32> {
        let board = &self.line(line).idle;
        tidy(board, place, || self.idles_at(line, place))
    }

    /// Gives a waiting caller a place, shows him to all who look from now on, and sees all who were shown before
    /// (rule 2).
    pub(crate) fn show_caller(&self, caller: u32) {
        let Seat { line, .. } = self.ticket(caller).seat();
        let place = self.line(line).waiting.take_place(caller.into());
        self.ticket(caller).sit(Seat { line, place: Some(place) });
        self.tidy_caller(line, place);
        fence_before_look();
    }

    /// The owner's, when he does not wait any more: takes his entry away and gives his place back.
    pub(crate) fn vacate(&self, caller: u32) {
        let Seat { line, place: Some(place) } = self.ticket(caller).seat() else { return };
        let board = &self.line(line).waiting;
        if !board.is_free(place) {
            self.tidy_caller(line, place);
        }
        self.ticket(caller).sit(Seat { line, place: None });
        board.give_back(place);
    }

    /// Shows an idle agent in all his lines. One fence serves all his entries.
    pub(crate) fn show_agent(&self, agent: u32) {
        let desk = self.desk(agent);
        for Served { line, place, .. } in desk.serves() {
            write(&self.line(line).idle, place, || self.idles_at(line, place));
        }
        fence_before_minima();
        for served in desk.serves() {
            if let Some(key) = desk.wants(served) {
                self.line(served.line).idle.announce(served.place, key);
            }
        }
        fence_before_look();
    }

    /// Tries to give `post` to `agent`, who is claimed for it. Words only; anybody may do it.
    pub(crate) fn resolve(&self, agent: u32, generation: u16, post: Post) -> Resolved {
        let desk = self.desk(agent);
        match self.ticket(post.caller).assign(post.number, agent) {
            Ok(()) => {
                desk.engage(generation, post);
                Resolved::Matched
            }
            Err(CallerState::Assigned { number, agent: winner })
                if (number, winner) == (post.number, agent) =>
            {
                desk.engage(generation, post);
                Resolved::Finished
            }
            Err(_) if desk.put_back(generation, post) => Resolved::PutBack,
            Err(_) => Resolved::Finished,
        }
    }

    /// Confirms the agent of a letter before the letter leaves the ticket (rule 6).
    pub(crate) fn confirm(&self, agent: u32, post: Post) {
        let desk = self.desk(agent);
        if let AgentState::Claimed { generation, post: claimed } = desk.state()
            && claimed == post
            && !cfg!(break_rule_6)
        {
            desk.engage(generation, post);
        }
    }
}

/// How a claim ended.
pub(crate) enum Resolved {
    /// This call put the letter in, and reports it.
    Matched,
    /// The agent is idle again; this call put him back, and looks again.
    PutBack,
    /// Somebody else finished it, either way.
    Finished,
}

fn tidy(board: &Board, place: Place, wants: impl Fn() -> Option<(u32, u64)>) -> Option<u32> {
    let (who, key) = write(board, place, wants)?;
    fence_before_minima();
    board.announce(place, key);
    Some(who)
}

fn write(board: &Board, place: Place, wants: impl Fn() -> Option<(u32, u64)>) -> Option<(u32, u64)> {
    let mut wanted = wants();
    loop {
        board.put(place, wanted.map(|(_, key)| key));
        let now = wants();
        if now == wanted || cfg!(break_rule_4) {
            return wanted;
        }
        wanted = now;
        retried();
    }
}

/// One call's look around: what it found, and on whose behalf it must still look.
pub(crate) struct Look<'a> {
    floor: &'a Floor,
    found: Matches,
    errands: Vec<Errand>,
}

/// Somebody whose entry was put back on a board by this call: others may have missed him meanwhile.
enum Errand {
    Caller(u32),
    Agent(u32),
}

impl<'a> Look<'a> {
    pub(crate) fn new(floor: &'a Floor) -> Look<'a> {
        Look { floor, found: Matches::default(), errands: Vec::new() }
    }

    /// Runs the errands and reports.
    pub(crate) fn finish(mut self) -> Matches {
        while let Some(errand) = self.errands.pop() {
            retried();
            fence_before_look();
            match errand {
                Errand::Caller(caller) => self.serve_caller(caller),
                Errand::Agent(agent) => _ = self.serve_agent(agent),
            }
        }
        self.found
    }

    /// Gives a caller who is on no board yet to the first idle agent, unless somebody with a smaller key waits for
    /// that agent. Returns whether he is assigned. His word says waiting, so the claim is like any other.
    pub(crate) fn meet_agent(&mut self, line: u32, key: u64, post: Post) -> bool {
        while let Some(agent) = self.first_agent(line) {
            let desk = self.floor.desk(agent);
            match desk.state() {
                AgentState::Idle { generation } => {
                    if self.first_caller(desk).is_some_and(|(first, _)| first <= key) {
                        return false;
                    }
                    if desk.claim(generation, post) {
                        self.complete(agent, generation, post);
                        return true; // his post can only end by this claim
                    }
                }
                AgentState::Claimed { generation, post } => _ = self.complete(agent, generation, post),
                AgentState::Engaged { .. } | AgentState::Resting { .. } => {} // cleared by `first_agent`
            }
        }
        false
    }

    /// Gives the first waiting caller of his lines to an agent who is on no board yet. Returns whether there was
    /// one. Nobody can claim this agent, so he is engaged before the letter and needs no claim.
    pub(crate) fn meet_caller(&mut self, agent: u32) -> bool {
        let desk = self.floor.desk(agent);
        let AgentState::Resting { generation } = desk.state() else { return false };
        while let Some((_, post)) = self.first_caller(desk) {
            desk.engage_unseen(generation.wrapping_add(1), post);
            if self.floor.ticket(post.caller).assign(post.number, agent).is_ok() {
                self.found.push(Match { caller: Caller(post.caller), agent: Agent(agent) });
                self.clear_caller(post.caller);
                return true;
            }
            desk.rest_unseen(generation);
            retried();
        }
        false
    }

    /// Engages the first idle agent of `line` for `post`, which has got somebody already. Leaves agents to callers
    /// who wait for them.
    pub(crate) fn join(&mut self, line: u32, post: Post) -> Option<u32> {
        while let Some(agent) = self.first_agent(line) {
            let desk = self.floor.desk(agent);
            match desk.state() {
                AgentState::Idle { generation } => {
                    if self.first_caller(desk).is_some() {
                        self.serve_agent(agent);
                    } else if desk.join(generation, post) {
                        self.clear_agent(agent);
                        return Some(agent);
                    }
                }
                AgentState::Claimed { generation, post } => _ = self.complete(agent, generation, post),
                AgentState::Engaged { .. } | AgentState::Resting { .. } => {} // cleared by `first_agent`
            }
        }
        None
    }

    /// Looks on behalf of a caller: until he does not wait any more or nobody is idle in his line.
    pub(crate) fn serve_caller(&mut self, caller: u32) {
        let ticket = self.floor.ticket(caller);
        while let CallerState::Waiting { .. } = ticket.state() {
            let seat = ticket.seat();
            let Some(agent) = self.first_agent(seat.line) else { return };
            if self.serve_agent(agent) {
                // The agent sees nobody: a slow finder has cleared our entry away. He will put it back, but we do
                // not wait for him. (Or the agent has just left the line; then he is not the first any more.)
                let _ours = seat.place.and_then(|place| self.floor.tidy_caller(seat.line, place));
            }
        }
    }

    /// Looks on behalf of an agent: until he is not idle any more or nobody waits in any of his lines. Returns
    /// whether he is still idle.
    pub(crate) fn serve_agent(&mut self, agent: u32) -> bool {
        let desk = self.floor.desk(agent);
        loop {
            match desk.state() {
                AgentState::Idle { generation } => {
                    let Some((_, post)) = self.first_caller(desk) else { return true };
                    if desk.claim(generation, post) && !self.complete(agent, generation, post) {
                        return true;
                    }
                }
                AgentState::Claimed { generation, post } => _ = self.complete(agent, generation, post),
                AgentState::Engaged { .. } | AgentState::Resting { .. } => return false,
            }
        }
    }

    /// Carries a claim to its end and clears up. `false`: he was put back and must not be looked for again, which
    /// happens only with rule 3 broken.
    fn complete(&mut self, agent: u32, generation: u16, post: Post) -> bool {
        match self.floor.resolve(agent, generation, post) {
            Resolved::PutBack => {
                retried();
                return !cfg!(break_rule_3);
            }
            Resolved::Matched => self.found.push(Match { caller: Caller(post.caller), agent: Agent(agent) }),
            Resolved::Finished => retried(),
        }
        self.clear_caller(post.caller);
        self.clear_agent(agent);
        true
    }

    // Clearing may be left out where nothing stands: an entry left behind does no harm, one taken away would.

    fn clear_caller(&mut self, caller: u32) {
        if let Seat { line, place: Some(place) } = self.floor.ticket(caller).seat() {
            self.clear_waiting(line, place);
        }
    }

    fn clear_waiting(&mut self, line: u32, place: Place) {
        if !self.floor.line(line).waiting.is_free(place)
            && let Some(caller) = self.floor.tidy_caller(line, place)
        {
            self.errands.push(Errand::Caller(caller));
        }
    }

    fn clear_agent(&mut self, agent: u32) {
        for Served { line, place, .. } in self.floor.desk(agent).serves() {
            self.clear_idle(line, place);
        }
    }

    fn clear_idle(&mut self, line: u32, place: Place) {
        if !self.floor.line(line).idle.is_free(place)
            && let Some(agent) = self.floor.tidy_agent(line, place)
        {
            self.errands.push(Errand::Agent(agent));
        }
    }

    /// The agent to be served first in a line: the smallest key whose word says idle or claimed.
    fn first_agent(&mut self, line: u32) -> Option<u32> {
        loop {
            let Entry { key, place } = self.floor.line(line).idle.first()?;
            if let Some((agent, wanted)) = self.floor.idles_at(line, place)
                && wanted == key
            {
                return Some(agent);
            }
            self.clear_idle(line, place);
        }
    }

    /// The post with the smallest key over all lines of an agent.
    fn first_caller(&mut self, desk: &Desk) -> Option<(u64, Post)> {
        desk.serves().filter_map(|served| self.first_in(served.line)).min_by_key(|(key, _)| *key)
    }

    /// The first caller of a line: the smallest key whose word says waiting.
    fn first_in(&mut self, line: u32) -> Option<(u64, Post)> {
        loop {
            let Entry { key, place } = self.floor.line(line).waiting.first()?;
            if let Some(post) = self.floor.post_at(line, place, key) {
                return Some((key, post));
            }
            self.clear_waiting(line, place);
        }
    }
}

/// A finder stopped for good at each point of a match; what it holds must be finished by the next who comes.
#[cfg(all(test, not(fernamt_loom)))]
mod tests {
    use super::*;
    use crate::{Capacity, Line, Rested, Scheduler, Withdrawn};

    const FIRST: Caller = Caller(0);
    const SECOND: Caller = Caller(1);
    const AGENT: Agent = Agent(0);
    const LINE: Line = Line(0);
    const OPEN: Post = Post { caller: 0, number: 1 };

    /// The agent is claimed for the first caller, and the finder goes no further.
    fn stopped_after_the_claim() -> Scheduler {
        let scheduler = Scheduler::new(Capacity { callers: 2, agents: 1, lines: 1, memberships: 1 });
        assert!(scheduler.set_memberships(AGENT, &[LINE], |_| 1).is_empty());
        assert!(scheduler.ready(AGENT, |_| 1).is_empty());
        assert_eq!(scheduler.floor.tickets[0].post(0, 1), Some(1));
        scheduler.floor.show_caller(0);
        assert!(scheduler.floor.desks[0].claim(1, OPEN));
        scheduler
    }

    #[test]
    fn a_claim_left_open_is_finished_by_the_next_who_posts() {
        let scheduler = stopped_after_the_claim();
        let told = scheduler.post(SECOND, LINE, 2);
        assert_eq!(told.first(), Some(Match { caller: FIRST, agent: AGENT }));
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        assert_eq!((scheduler.position(SECOND), scheduler.idle(LINE)), (Some(1), 0));
    }

    #[test]
    fn a_claim_left_open_for_one_who_gave_up_sets_the_agent_free_for_the_next() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.withdraw(FIRST), Withdrawn::Gone);
        let told = scheduler.post(SECOND, LINE, 2);
        assert_eq!(told.first(), Some(Match { caller: SECOND, agent: AGENT }));
        assert_eq!((scheduler.waiting(LINE), scheduler.idle(LINE)), (0, 0));
    }

    #[test]
    fn who_rests_finishes_the_claim_on_himself() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.rest(AGENT), Rested::Assigned(FIRST));
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.withdraw(FIRST), Withdrawn::Gone);
        assert_eq!(scheduler.rest(AGENT), Rested::Resting);
        assert!(scheduler.post(SECOND, LINE, 2).is_empty());
    }

    #[test]
    fn a_letter_whose_finder_went_no_further_engages_its_agent() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.floor.tickets[0].assign(OPEN.number, AGENT.0), Ok(()));
        assert!(scheduler.post(SECOND, LINE, 2).is_empty(), "the match was the stopped finder's to tell");
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        scheduler.release(AGENT);
        assert_eq!(scheduler.ready(AGENT, |_| 2).first(), Some(Match { caller: SECOND, agent: AGENT }));
        assert_eq!((scheduler.waiting(LINE), scheduler.idle(LINE)), (0, 0));
    }

    #[test]
    fn entries_left_behind_by_a_stopped_finder_are_passed_over() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.floor.tickets[0].assign(OPEN.number, AGENT.0), Ok(()));
        scheduler.floor.desks[0].engage(1, OPEN);
        assert_eq!((scheduler.waiting(LINE), scheduler.idle(LINE)), (1, 1), "both entries are stale");
        assert!(scheduler.post(SECOND, LINE, 2).is_empty());
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        assert_eq!((scheduler.waiting(LINE), scheduler.idle(LINE)), (1, 0));
    }

    /// Stopped between posting and looking: he is visible, so the other side finds him.
    #[test]
    fn a_caller_whose_poster_never_looked_is_found() {
        let scheduler = Scheduler::new(Capacity { callers: 2, agents: 1, lines: 1, memberships: 1 });
        assert!(scheduler.set_memberships(AGENT, &[LINE], |_| 1).is_empty());
        assert_eq!(scheduler.floor.tickets[0].post(0, 1), Some(1));
        scheduler.floor.show_caller(0);
        assert_eq!(scheduler.ready(AGENT, |_| 1).first(), Some(Match { caller: FIRST, agent: AGENT }));
    }
}
