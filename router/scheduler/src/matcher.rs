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
//! 3. **Who puts back looks again**, on behalf of what he put back: for an agent in all his queues.
//! 4. **Who changes an entry reads the word again.** The last to change an entry leaves it as the word says.
//! 5. **Minima are raised in two steps**, so that a key set meanwhile is not hidden (`board`).
//! 6. **No letter leaves before its agent is engaged.** Else a late finder takes the match for a dead claim.

use crate::board::{Board, Entry};
use crate::desk::Desk;
use crate::found::{Match, Matches};
use crate::sync::fence_before_look;
use crate::ticket::Ticket;
use crate::word::{AgentState, CallerState, Post};
use crate::{Agent, Caller};

/// The shared state: words and boards.
pub(crate) struct Floor {
    pub(crate) tickets: Box<[Ticket]>,
    pub(crate) desks: Box<[Desk]>,
    /// Per queue.
    pub(crate) lines: Box<[Line]>,
}

/// The two boards of a queue.
pub(crate) struct Line {
    pub(crate) waiting: Board,
    pub(crate) idle: Board,
}

impl Floor {
    /// Makes a caller's entry agree with his word. Returns whether he stands there now.
    ///
    /// Whoever changes a word does this afterwards; so does a finder who trips over an entry that is wrong. Of all
    /// who do it at once the last to swap has seen every word that led to an earlier swap, so his second reading
    /// decides (rule 4). Without it a slow finder clears away the entry of a caller who has come back meanwhile.
    pub(crate) fn tidy_caller(&self, queue: u32, caller: u32) -> bool {
        let (ticket, board) = (&self.tickets[caller as usize], &self.lines[queue as usize].waiting);
        tidy(board, caller, || ticket.wants(queue))
    }

    /// The same for an agent's entry in one queue.
    pub(crate) fn tidy_agent(&self, queue: u32, agent: u32) -> bool {
        let (desk, board) = (&self.desks[agent as usize], &self.lines[queue as usize].idle);
        tidy(board, agent, || desk.wants(queue))
    }

    /// Shows a waiting caller to all who look from now on, and sees all who were shown before (rule 2).
    pub(crate) fn show_caller(&self, caller: u32) {
        self.tidy_caller(self.tickets[caller as usize].queue(), caller);
        fence_before_look();
    }

    /// The same for an idle agent, in all his queues.
    pub(crate) fn show_agent(&self, agent: u32) {
        for queue in self.desks[agent as usize].queues() {
            self.tidy_agent(queue, agent);
        }
        fence_before_look();
    }

    /// Tries to give `post` to `agent`, who is claimed for it. Words only; anybody may do it.
    pub(crate) fn resolve(&self, agent: u32, generation: u16, post: Post) -> Resolved {
        let desk = &self.desks[agent as usize];
        match self.tickets[post.caller as usize].assign(post.number, agent) {
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
        let desk = &self.desks[agent as usize];
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

fn tidy(board: &Board, slot: u32, wants: impl Fn() -> Option<u64>) -> bool {
    let mut wanted = wants();
    loop {
        board.set(slot, wanted);
        let now = wants();
        if now == wanted || cfg!(break_rule_4) {
            return wanted.is_some();
        }
        wanted = now;
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
    pub(crate) fn meet_agent(&mut self, queue: u32, key: u64, post: Post) -> bool {
        while let Some(agent) = self.first_agent(queue) {
            let desk = &self.floor.desks[agent as usize];
            match desk.state() {
                AgentState::Idle { generation } => {
                    let before = |(entry, _)| entry < Entry { key, slot: post.caller };
                    if self.first_caller(desk).is_some_and(before) {
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

    /// Gives the first waiting caller of his queues to an agent who is on no board yet. Returns whether there was
    /// one. Nobody can claim this agent, so he is engaged before the letter and needs no claim.
    pub(crate) fn meet_caller(&mut self, agent: u32) -> bool {
        let desk = &self.floor.desks[agent as usize];
        let AgentState::Resting { generation } = desk.state() else { return false };
        while let Some((_, post)) = self.first_caller(desk) {
            desk.engage_unseen(generation.wrapping_add(1), post);
            let ticket = &self.floor.tickets[post.caller as usize];
            if ticket.assign(post.number, agent).is_ok() {
                self.found.push(Match { caller: Caller(post.caller), agent: Agent(agent) });
                self.clear_caller(ticket.queue(), post.caller);
                return true;
            }
            desk.rest_unseen(generation);
        }
        false
    }

    /// Looks on behalf of a caller: until he does not wait any more or nobody is idle in his queue.
    pub(crate) fn serve_caller(&mut self, caller: u32) {
        let ticket = &self.floor.tickets[caller as usize];
        while let CallerState::Waiting { .. } = ticket.state() {
            let queue = ticket.queue();
            let Some(agent) = self.first_agent(queue) else { return };
            if self.serve_agent(agent) {
                // The agent sees nobody: a slow finder has cleared our entry away. He will put it back, but we do
                // not wait for him. (Or the agent has just left the queue; then he is not the first any more.)
                self.floor.tidy_caller(queue, caller);
            }
        }
    }

    /// Looks on behalf of an agent: until he is not idle any more or nobody waits in any of his queues. Returns
    /// whether he is still idle.
    pub(crate) fn serve_agent(&mut self, agent: u32) -> bool {
        let desk = &self.floor.desks[agent as usize];
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
            Resolved::PutBack => return !cfg!(break_rule_3),
            Resolved::Matched => self.found.push(Match { caller: Caller(post.caller), agent: Agent(agent) }),
            Resolved::Finished => {}
        }
        self.clear_caller(self.floor.tickets[post.caller as usize].queue(), post.caller);
        for queue in self.floor.desks[agent as usize].queues() {
            self.clear_agent(queue, agent);
        }
        true
    }

    // Clearing may be left out where nothing stands: an entry left behind does no harm, one taken away would.

    fn clear_caller(&mut self, queue: u32, caller: u32) {
        let board = &self.floor.lines[queue as usize].waiting;
        if !board.is_free(caller) && self.floor.tidy_caller(queue, caller) {
            self.errands.push(Errand::Caller(caller));
        }
    }

    fn clear_agent(&mut self, queue: u32, agent: u32) {
        let board = &self.floor.lines[queue as usize].idle;
        if !board.is_free(agent) && self.floor.tidy_agent(queue, agent) {
            self.errands.push(Errand::Agent(agent));
        }
    }

    /// The agent to be served first in a queue: the smallest key whose word says idle or claimed.
    fn first_agent(&mut self, queue: u32) -> Option<u32> {
        loop {
            let Entry { key, slot } = self.floor.lines[queue as usize].idle.first()?;
            if self.floor.desks[slot as usize].wants(queue) == Some(key) {
                return Some(slot);
            }
            self.clear_agent(queue, slot);
        }
    }

    /// The post with the smallest key over all queues of an agent.
    fn first_caller(&mut self, desk: &Desk) -> Option<(Entry, Post)> {
        desk.queues().filter_map(|queue| self.first_in(queue)).min_by_key(|(entry, _)| *entry)
    }

    /// The first caller of a queue: the smallest key whose word says waiting.
    fn first_in(&mut self, queue: u32) -> Option<(Entry, Post)> {
        loop {
            let entry = self.floor.lines[queue as usize].waiting.first()?;
            let ticket = &self.floor.tickets[entry.slot as usize];
            if let CallerState::Waiting { number } = ticket.state()
                && (ticket.queue(), ticket.key()) == (queue, entry.key)
            {
                return Some((entry, Post { caller: entry.slot, number }));
            }
            self.clear_caller(queue, entry.slot);
        }
    }
}

/// A finder stopped for good at each point of a match; what it holds must be finished by the next who comes.
#[cfg(all(test, not(fernamt_loom)))]
mod tests {
    use super::*;
    use crate::{Capacity, Queue, Rested, Scheduler, Withdrawn};

    const FIRST: Caller = Caller(0);
    const SECOND: Caller = Caller(1);
    const AGENT: Agent = Agent(0);
    const QUEUE: Queue = Queue(0);
    const OPEN: Post = Post { caller: 0, number: 1 };

    /// The agent is claimed for the first caller, and the finder goes no further.
    fn stopped_after_the_claim() -> Scheduler {
        let scheduler = Scheduler::new(Capacity { callers: 2, agents: 1, queues: 1 });
        assert!(scheduler.set_memberships(AGENT, &[QUEUE]).is_empty());
        assert!(scheduler.ready(AGENT, 1).is_empty());
        assert_eq!(scheduler.floor.tickets[0].post(0, 1), Some(1));
        scheduler.floor.show_caller(0);
        assert!(scheduler.floor.desks[0].claim(1, OPEN));
        scheduler
    }

    #[test]
    fn a_claim_left_open_is_finished_by_the_next_who_posts() {
        let scheduler = stopped_after_the_claim();
        let told = scheduler.post(SECOND, QUEUE, 2);
        assert_eq!(told.first(), Some(Match { caller: FIRST, agent: AGENT }));
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        assert_eq!((scheduler.position(SECOND), scheduler.idle(QUEUE)), (Some(1), 0));
    }

    #[test]
    fn a_claim_left_open_for_one_who_gave_up_sets_the_agent_free_for_the_next() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.withdraw(FIRST), Withdrawn::Gone);
        let told = scheduler.post(SECOND, QUEUE, 2);
        assert_eq!(told.first(), Some(Match { caller: SECOND, agent: AGENT }));
        assert_eq!((scheduler.waiting(QUEUE), scheduler.idle(QUEUE)), (0, 0));
    }

    #[test]
    fn who_rests_finishes_the_claim_on_himself() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.rest(AGENT), Rested::Assigned(FIRST));
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.withdraw(FIRST), Withdrawn::Gone);
        assert_eq!(scheduler.rest(AGENT), Rested::Resting);
        assert!(scheduler.post(SECOND, QUEUE, 2).is_empty());
    }

    #[test]
    fn a_letter_whose_finder_went_no_further_engages_its_agent() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.floor.tickets[0].assign(OPEN.number, AGENT.0), Ok(()));
        assert!(scheduler.post(SECOND, QUEUE, 2).is_empty(), "the match was the stopped finder's to tell");
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        scheduler.release(AGENT);
        assert_eq!(scheduler.ready(AGENT, 2).first(), Some(Match { caller: SECOND, agent: AGENT }));
        assert_eq!((scheduler.waiting(QUEUE), scheduler.idle(QUEUE)), (0, 0));
    }

    #[test]
    fn entries_left_behind_by_a_stopped_finder_are_passed_over() {
        let scheduler = stopped_after_the_claim();
        assert_eq!(scheduler.floor.tickets[0].assign(OPEN.number, AGENT.0), Ok(()));
        scheduler.floor.desks[0].engage(1, OPEN);
        assert_eq!((scheduler.waiting(QUEUE), scheduler.idle(QUEUE)), (1, 1), "both entries are stale");
        assert!(scheduler.post(SECOND, QUEUE, 2).is_empty());
        assert_eq!(scheduler.take_letter(FIRST), Some(AGENT));
        assert_eq!((scheduler.waiting(QUEUE), scheduler.idle(QUEUE)), (1, 0));
    }

    /// Stopped between posting and looking: he is visible, so the other side finds him.
    #[test]
    fn a_caller_whose_poster_never_looked_is_found() {
        let scheduler = Scheduler::new(Capacity { callers: 2, agents: 1, queues: 1 });
        assert!(scheduler.set_memberships(AGENT, &[QUEUE]).is_empty());
        assert_eq!(scheduler.floor.tickets[0].post(0, 1), Some(1));
        scheduler.floor.show_caller(0);
        assert_eq!(scheduler.ready(AGENT, 1).first(), Some(Match { caller: FIRST, agent: AGENT }));
    }
}
