//! Models of the long way: an agent who met nobody before he went on the boards, and finds a caller in his second
//! look. From outside that takes a third thread; here the second look is called by itself, so that two will do.

use loom::sync::Arc;

use crate::matcher::Look;
use crate::scene::explore;
use crate::{Agent, Caller, Capacity, Line, Matches, Scheduler, Withdrawn};

const FIRST: Caller = Caller(0);
const SECOND: Caller = Caller(1);
const AGENT: Agent = Agent(0);
const L0: Line = Line(0);
const L1: Line = Line(1);

/// One agent, resting, who serves all lines; the first caller waits in the first.
fn floor(lines: u32) -> Arc<Scheduler> {
    let scheduler = Scheduler::new(Capacity { callers: 2, agents: 1, lines, memberships: lines });
    assert!(scheduler.set_memberships(AGENT, &(0..lines).map(Line).collect::<Vec<_>>(), |_| 1).is_empty());
    assert!(scheduler.post(FIRST, L0, 1).is_empty());
    Arc::new(scheduler)
}

/// [`Scheduler::ready`] of an agent who met nobody.
fn second_look(scheduler: &Scheduler) -> Matches {
    assert!(scheduler.floor.desks[0].ready(|_| 1));
    scheduler.floor.show_agent(0);
    let mut look = Look::new(&scheduler.floor);
    look.serve_agent(0);
    look.finish()
}

/// Rule 3: the agent put back after the first caller's hang-up must look again, and find the second.
#[test]
fn when_the_head_gives_up_in_mid_match_the_next_caller_is_taken() {
    explore(3, |start| {
        let floor = floor(1);
        assert!(floor.post(SECOND, L0, 2).is_empty());
        let (head, told) = start.both(&floor, |f| f.withdraw(FIRST), second_look);
        let next = floor.take_letter(SECOND);
        match head {
            Withdrawn::Gone => assert_eq!(next, Some(AGENT)),
            Withdrawn::Assigned(_) => assert_eq!((next, floor.position(SECOND)), (None, Some(1))),
        }
        assert_eq!((told.len(), floor.idle(L0)), (1, 0));
    });
}

/// Rule 1: the claim of a slow finder is undone by another, who gives the agent a new caller; the slow finder must
/// not set him free again.
#[test]
fn a_claim_undone_by_another_is_not_undone_twice() {
    explore(2, |start| {
        let floor = floor(1);
        let callers = |f: &Scheduler| (f.withdraw(FIRST), f.post(SECOND, L0, 2));
        let ((withdrawn, told), found) = start.both(&floor, callers, second_look);
        assert_eq!(told.len() + found.len(), 1);
        match withdrawn {
            Withdrawn::Gone => assert_eq!(floor.take_letter(SECOND), Some(AGENT)),
            Withdrawn::Assigned(_) => assert_eq!(floor.position(SECOND), Some(1)),
        }
        assert_eq!(floor.idle(L0), 0);
    });
}

/// A put-back agent is offered in each of his lines, not only in the one where the match failed.
#[test]
fn a_put_back_agent_is_seen_from_his_other_line() {
    explore(2, |start| {
        let floor = floor(2);
        let callers = |f: &Scheduler| (f.withdraw(FIRST), f.post(SECOND, L1, 2));
        let ((withdrawn, told), found) = start.both(&floor, callers, second_look);
        assert_eq!(told.len() + found.len(), 1);
        match withdrawn {
            Withdrawn::Gone => assert_eq!(floor.take_letter(SECOND), Some(AGENT)),
            Withdrawn::Assigned(_) => assert_eq!((floor.waiting(L0), floor.waiting(L1)), (0, 1)),
        }
        assert_eq!((floor.idle(L0), floor.idle(L1)), (0, 0));
    });
}

/// Rule 6: the letter is read before the finder has confirmed the agent; a helper must not take the claim for dead.
#[test]
fn a_letter_read_early_keeps_its_agent() {
    explore(3, |start| {
        let floor = floor(1);
        let owner = |f: &Scheduler| (f.take_letter(FIRST), f.post(SECOND, L0, 2));
        let ((letter, told), found) = start.both(&floor, owner, second_look);
        let letter = letter.or_else(|| floor.take_letter(FIRST));
        assert_eq!((letter, floor.take_letter(SECOND)), (Some(AGENT), None));
        assert_eq!((told.len() + found.len(), floor.waiting(L0), floor.idle(L0)), (1, 1, 0));
    });
}

/// Rule 4, by the long way: the finder clears the caller's old entry late.
#[test]
fn a_caller_who_returns_with_his_old_key_is_not_cleared_away() {
    explore(3, |start| {
        let floor = floor(1);
        let owner = |f: &Scheduler| {
            let letter = f.take_letter(FIRST);
            if let Some(agent) = letter {
                f.release(agent);
                assert!(f.post(FIRST, L0, 1).is_empty());
            }
            letter.is_some()
        };
        let (returned, told) = start.both(&floor, owner, second_look);
        assert_eq!(told.len(), 1);
        if returned {
            assert_eq!((floor.waiting(L0), floor.position(FIRST)), (1, Some(1)));
            assert_eq!(floor.ready(AGENT, |_| 2).len(), 1);
        }
        assert_eq!(floor.take_letter(FIRST), Some(AGENT));
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 0));
    });
}

/// Rule 4, between two callers: the finder clears the entry of one whose place has passed to another meanwhile.
#[test]
fn a_caller_who_got_the_place_of_another_is_not_cleared_away() {
    explore(3, |start| {
        let floor = floor(1);
        let owner = |f: &Scheduler| {
            let letter = f.take_letter(FIRST);
            letter.map(|_| f.post(SECOND, L0, 1).len())
        };
        let (told, found) = start.both(&floor, owner, second_look);
        assert_eq!(found.len(), 1);
        if let Some(told) = told {
            assert_eq!((told, floor.waiting(L0), floor.position(SECOND)), (0, 1, Some(1)));
            floor.release(AGENT);
            assert_eq!(floor.ready(AGENT, |_| 2).len(), 1);
            assert_eq!(floor.take_letter(SECOND), Some(AGENT));
        }
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 0));
    });
}
