//! Who is at work for each queue: what its rules of entering and leaving ask.
//!
//! An agent is of the crew of every queue whose callers accept him in the end, at its last step of widening. He counts
//! by what he *wishes*: who rings, talks, rests or wraps up comes back, and who has asked in a call to be logged out
//! after it does not. So crews change with wishes only, and with the queues an agent serves.

use std::time::Instant;

use crate::{
    config::{AgentId, QueueId, Unstaffed},
    journal::fact::{LeftQueue, Wish},
};

/// The crews of all queues.
#[derive(Debug)]
pub struct Staff {
    start: Instant,
    crews: Vec<Crew>,
    members: Vec<Member>,
}

/// Those who serve one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crew {
    /// How many are logged in.
    pub logged_in: u32,
    /// How many of them are not paused.
    pub ready: u32,
    nobody_logged_in_since: Option<Instant>,
    nobody_ready_since: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Member {
    wish: Wish,
    queues: Vec<QueueId>,
}

impl Staff {
    /// Nobody serves anything, since `now`.
    pub fn new(now: Instant) -> Staff {
        Staff { start: now, crews: Vec::new(), members: Vec::new() }
    }

    /// The crew of `queue`.
    pub fn crew(&self, queue: QueueId) -> Crew {
        self.crews.get(queue.index()).copied().unwrap_or(Crew::empty(self.start))
    }

    /// `agent` is of the crews of these queues from now on. Returns the queues that have found or lost their last one.
    pub fn serves(&mut self, agent: AgentId, queues: Vec<QueueId>, now: Instant) -> Vec<QueueId> {
        self.change(agent, now, |member| member.queues = queues)
    }

    /// What `agent` asked for last. Returns the queues that have found or lost their last one.
    pub fn wishes(&mut self, agent: AgentId, wish: Wish, now: Instant) -> Vec<QueueId> {
        self.change(agent, now, |member| member.wish = wish)
    }

    fn change(&mut self, agent: AgentId, now: Instant, change: impl FnOnce(&mut Member)) -> Vec<QueueId> {
        let index = agent.index();
        if self.members.len() <= index {
            self.members.resize(index + 1, Member { wish: Wish::LoggedOut, queues: Vec::new() });
        }
        let before = self.members[index].clone();
        change(&mut self.members[index]);
        let after = self.members[index].clone();
        before.queues.iter().for_each(|queue| self.crew_mut(*queue).loses(before.wish));
        after.queues.iter().for_each(|queue| self.crew_mut(*queue).gains(after.wish));
        let mut touched = [before.queues, after.queues].concat();
        touched.retain(|queue| self.crew_mut(*queue).settle(now));
        touched
    }

    fn crew_mut(&mut self, queue: QueueId) -> &mut Crew {
        if self.crews.len() <= queue.index() {
            self.crews.resize(queue.index() + 1, Crew::empty(self.start));
        }
        &mut self.crews[queue.index()]
    }
}

impl Crew {
    fn empty(since: Instant) -> Crew {
        let since = Some(since);
        Crew { logged_in: 0, ready: 0, nobody_logged_in_since: since, nobody_ready_since: since }
    }

    /// Since when the queue is unstaffed in this sense; `None` if it is not.
    pub fn unstaffed_since(&self, how: Unstaffed) -> Option<Instant> {
        match how {
            Unstaffed::NobodyLoggedIn => self.nobody_logged_in_since,
            Unstaffed::NobodyReady => self.nobody_ready_since,
        }
    }

    /// The word for a queue that is unstaffed.
    pub fn how_unstaffed(&self) -> LeftQueue {
        if self.logged_in == 0 { LeftQueue::NobodyLoggedIn } else { LeftQueue::NobodyReady }
    }

    fn gains(&mut self, wish: Wish) {
        self.logged_in += u32::from(wish != Wish::LoggedOut);
        self.ready += u32::from(wish == Wish::Ready);
    }

    fn loses(&mut self, wish: Wish) {
        self.logged_in -= u32::from(wish != Wish::LoggedOut);
        self.ready -= u32::from(wish == Wish::Ready);
    }

    /// True if it was unstaffed and is not, or the other way round, in either sense.
    fn settle(&mut self, now: Instant) -> bool {
        let logged_in = note(&mut self.nobody_logged_in_since, self.logged_in == 0, now);
        let ready = note(&mut self.nobody_ready_since, self.ready == 0, now);
        logged_in || ready
    }
}

fn note(since: &mut Option<Instant>, holds: bool, now: Instant) -> bool {
    let changes = since.is_some() != holds;
    if changes {
        *since = holds.then_some(now);
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ANNA: AgentId = AgentId(0);
    const BO: AgentId = AgentId(1);
    const SALES: QueueId = QueueId(3);
    const SUPPORT: QueueId = QueueId(1);

    #[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn only_the_first_who_comes_and_the_last_who_goes_change_a_queue() {
        let (mut staff, now) = (Staff::new(start()), start());
        assert_eq!(staff.serves(ANNA, vec![SALES, SUPPORT], now), [], "she is logged out");
        staff.serves(BO, vec![SUPPORT], now);
        assert_eq!(staff.wishes(ANNA, Wish::Ready, now), [SALES, SUPPORT]);
        assert_eq!(staff.wishes(BO, Wish::Ready, now), []);
        assert_eq!(staff.wishes(ANNA, Wish::LoggedOut, now), [SALES]);
        assert_eq!(staff.wishes(BO, Wish::Paused, now), [SUPPORT], "nobody is ready");
        assert_eq!(staff.wishes(BO, Wish::LoggedOut, now), [SUPPORT], "nobody is logged in");
        assert_eq!(staff.crew(SUPPORT), Crew { nobody_ready_since: Some(now), ..Crew::empty(now) });
    }

    #[test]
    fn a_pause_counts_from_its_beginning_and_a_log_out_after_it_does_not_begin_it_anew() {
        let (mut staff, now) = (Staff::new(start()), start());
        let at = |seconds| now + Duration::from_secs(seconds);
        staff.serves(ANNA, vec![SALES], at(0));
        staff.wishes(ANNA, Wish::Ready, at(1));
        assert_eq!(staff.crew(SALES).unstaffed_since(Unstaffed::NobodyReady), None);
        staff.wishes(ANNA, Wish::Paused, at(2));
        staff.wishes(ANNA, Wish::LoggedOut, at(5));
        assert_eq!(staff.crew(SALES).unstaffed_since(Unstaffed::NobodyReady), Some(at(2)));
        assert_eq!(staff.crew(SALES).unstaffed_since(Unstaffed::NobodyLoggedIn), Some(at(5)));
    }

    #[test]
    fn who_is_moved_from_one_queue_to_another_leaves_the_one_and_finds_the_other_empty() {
        let (mut staff, now) = (Staff::new(start()), start());
        staff.serves(ANNA, vec![SALES], now);
        staff.wishes(ANNA, Wish::Ready, now);
        assert_eq!(staff.serves(ANNA, vec![SUPPORT], now), [SALES, SUPPORT]);
        assert_eq!(staff.serves(ANNA, vec![SUPPORT], now), []);
    }
}
