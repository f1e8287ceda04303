//! Every interleaving of small scenes, weak memory included. Run with
//! `RUSTFLAGS="--cfg fernamt_loom" cargo test -p scheduler --release --lib --test loom`.
//!
//! `tests/broken.sh` takes the rules of the algorithm away one by one and expects these models to fail.
#![cfg(fernamt_loom)]

use loom::sync::Arc;
use scheduler::scene::explore;
use scheduler::{Agent, Caller, Capacity, Line, Match, Rested, Scheduler, Withdrawn};

/// A floor where `serves[i]` are the lines of agent `i`.
fn floor(callers: u32, lines: u32, serves: &[&[u32]]) -> Arc<Scheduler> {
    let scheduler =
        Scheduler::new(Capacity { callers, agents: serves.len() as u32, lines, memberships: lines });
    for (agent, lines) in serves.iter().enumerate() {
        let lines: Vec<Line> = lines.iter().copied().map(Line).collect();
        assert!(scheduler.set_memberships(Agent(agent as u32), &lines, |_| 1).is_empty());
    }
    Arc::new(scheduler)
}

/// All letters that lie in the tickets of callers `0..callers`.
fn letters(floor: &Scheduler, callers: u32) -> Vec<Match> {
    let letter = |c| floor.take_letter(Caller(c)).map(|agent| Match { caller: Caller(c), agent });
    (0..callers).filter_map(letter).collect()
}

/// Each letter was reported by exactly one call.
fn assert_told_once(letters: &[Match], told: impl IntoIterator<Item = Match>) {
    let mut told: Vec<_> = told.into_iter().collect();
    told.sort();
    assert_eq!(letters, told);
}

const L0: Line = Line(0);
const L1: Line = Line(1);

#[test]
fn a_caller_and_an_agent_who_post_at_once_meet() {
    explore(4, |start| {
        let floor = floor(1, 1, &[&[0]]);
        let (by_caller, by_agent) =
            start.both(&floor, |f| f.post(Caller(0), L0, 1), |f| f.ready(Agent(0), |_| 1));
        let letters = letters(&floor, 1);
        assert_eq!(letters, [Match { caller: Caller(0), agent: Agent(0) }]);
        assert_told_once(&letters, by_caller.into_iter().chain(by_agent));
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 0));
    });
}

#[test]
fn two_callers_and_two_agents_who_post_at_once_all_meet() {
    explore(2, |start| {
        let floor = floor(2, 1, &[&[0], &[0]]);
        let agents = |f: &Scheduler| [f.ready(Agent(0), |_| 1), f.ready(Agent(1), |_| 2)];
        let callers = |f: &Scheduler| [f.post(Caller(0), L0, 1), f.post(Caller(1), L0, 2)];
        let (by_agents, by_callers) = start.both(&floor, agents, callers);
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 2);
        assert_ne!(letters[0].agent, letters[1].agent);
        assert_told_once(&letters, by_agents.into_iter().chain(by_callers).flatten());
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 0));
    });
}

#[test]
fn three_who_post_at_once_leave_nobody_beside_a_free_agent() {
    explore(2, |start| {
        let floor = floor(2, 1, &[&[0]]);
        let told = start.three(
            &floor,
            |f| f.post(Caller(0), L0, 1),
            |f| f.post(Caller(1), L0, 2),
            |f| f.ready(Agent(0), |_| 1),
        );
        let told = told.0.into_iter().chain(told.1).chain(told.2);
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (1, 0));
    });
}

#[test]
fn two_callers_never_get_the_same_agent() {
    explore(4, |start| {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        let told = start.both(&floor, |f| f.post(Caller(0), L0, 1), |f| f.post(Caller(1), L0, 2));
        let told = told.0.into_iter().chain(told.1);
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!(floor.waiting(L0), 1);
        floor.release(Agent(0));
        assert_eq!(floor.ready(Agent(0), |_| 2).len(), 1, "the one left waiting is found next");
    });
}

#[test]
fn two_agents_never_get_the_same_caller() {
    explore(2, |start| {
        let floor = floor(1, 1, &[&[0], &[0]]);
        assert!(floor.post(Caller(0), L0, 1).is_empty());
        let told = start.both(&floor, |f| f.ready(Agent(0), |_| 1), |f| f.ready(Agent(1), |_| 2));
        let told = told.0.into_iter().chain(told.1);
        let letters = letters(&floor, 1);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 1));
    });
}

#[test]
fn a_caller_who_gives_up_is_gone_or_assigned_but_never_both() {
    explore(4, |start| {
        let floor = floor(1, 1, &[&[0]]);
        let caller = |f: &Scheduler| (f.post(Caller(0), L0, 1), f.withdraw(Caller(0)));
        let ((told, withdrawn), found) = start.both(&floor, caller, |f| f.ready(Agent(0), |_| 1));
        let matches: Vec<_> = told.into_iter().chain(found).collect();
        match withdrawn {
            Withdrawn::Gone => assert_eq!((matches.len(), floor.idle(L0)), (0, 1)),
            Withdrawn::Assigned(agent) => {
                assert_eq!((agent, matches.len(), floor.idle(L0)), (Agent(0), 1, 0));
                floor.release(Agent(0));
                assert!(floor.ready(Agent(0), |_| 2).is_empty());
            }
        }
        assert_eq!(floor.take_letter(Caller(0)), None);
        assert_eq!(floor.waiting(L0), 0);
    });
}

#[test]
fn when_the_head_gives_up_in_mid_match_the_next_caller_is_taken() {
    explore(4, |start| {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.post(Caller(0), L0, 1).is_empty());
        assert!(floor.post(Caller(1), L0, 2).is_empty());
        let (head, told) = start.both(&floor, |f| f.withdraw(Caller(0)), |f| f.ready(Agent(0), |_| 1));
        let next = floor.take_letter(Caller(1));
        match head {
            Withdrawn::Gone => assert_eq!(next, Some(Agent(0))),
            Withdrawn::Assigned(_) => assert_eq!((next, floor.position(Caller(1))), (None, Some(1))),
        }
        assert_eq!((told.len(), floor.idle(L0)), (1, 0));
    });
}

#[test]
fn who_gives_up_and_who_comes_instead_make_one_match() {
    explore(2, |start| {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.post(Caller(0), L0, 1).is_empty());
        let callers = |f: &Scheduler| (f.withdraw(Caller(0)), f.post(Caller(1), L0, 2));
        let ((withdrawn, told), found) = start.both(&floor, callers, |f| f.ready(Agent(0), |_| 1));
        let expected = if withdrawn == Withdrawn::Gone { (1, 0, 0) } else { (0, 1, 0) };
        let letters = letters(&floor, 2);
        assert_eq!((letters.len(), floor.waiting(L0) as usize, floor.idle(L0)), expected);
        assert_eq!(told.len() + found.len(), 1);
    });
}

#[test]
fn an_agent_in_two_lines_gets_one_caller_and_the_other_waits_for_him() {
    explore(2, |start| {
        let floor = floor(2, 2, &[&[0, 1]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        let told = start.both(&floor, |f| f.post(Caller(0), L0, 1), |f| f.post(Caller(1), L1, 2));
        let told = told.0.into_iter().chain(told.1);
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.idle(L0), floor.idle(L1)), (0, 0));
        floor.release(Agent(0));
        assert_eq!(floor.ready(Agent(0), |_| 2).len(), 1);
        assert_eq!((floor.waiting(L0), floor.waiting(L1)), (0, 0));
    });
}

#[test]
fn who_rests_in_mid_match_is_either_resting_or_assigned() {
    explore(4, |start| {
        let floor = floor(1, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        let (rested, told) = start.both(&floor, |f| f.rest(Agent(0)), |f| f.post(Caller(0), L0, 1));
        match rested {
            Rested::Resting => {
                assert_eq!((floor.take_letter(Caller(0)), floor.waiting(L0), told.len()), (None, 1, 0));
            }
            Rested::Assigned(caller) => {
                assert_eq!((caller, floor.waiting(L0)), (Caller(0), 0));
                assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
            }
        }
        assert_eq!(floor.idle(L0), 0);
    });
}

/// Log-out, hang-up and match at once: three truths that must fit together.
#[test]
fn rest_and_withdraw_in_mid_match_agree() {
    explore(2, |start| {
        let floor = floor(1, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        let caller = |f: &Scheduler| (f.post(Caller(0), L0, 1), f.withdraw(Caller(0)));
        let (rested, (told, withdrawn)) = start.both(&floor, |f| f.rest(Agent(0)), caller);
        assert!(told.is_empty() || withdrawn == Withdrawn::Assigned(Agent(0)));
        match withdrawn {
            Withdrawn::Gone => assert_eq!(rested, Rested::Resting),
            Withdrawn::Assigned(agent) => {
                assert_eq!((agent, rested), (Agent(0), Rested::Assigned(Caller(0))));
            }
        }
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 0));
    });
}

/// Rule 4: the matcher clears the caller's old entry late; the same caller, offered again with the same key,
/// must stay visible.
#[test]
fn a_caller_who_returns_with_his_old_key_is_not_cleared_away() {
    explore(4, |start| {
        let floor = floor(1, 1, &[&[0]]);
        assert!(floor.post(Caller(0), L0, 1).is_empty());
        let owner = |f: &Scheduler| match f.take_letter(Caller(0)) {
            Some(agent) => {
                f.release(agent);
                assert!(f.post(Caller(0), L0, 1).is_empty());
                true
            }
            None => false,
        };
        let (returned, told) = start.both(&floor, owner, |f| f.ready(Agent(0), |_| 1));
        assert_eq!(told.len(), 1);
        if returned {
            assert_eq!((floor.waiting(L0), floor.position(Caller(0))), (1, Some(1)));
            assert_eq!(floor.ready(Agent(0), |_| 2).len(), 1);
        }
        assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 0));
    });
}

/// The same on the agent's side: he is ready again before the matcher of his last call has cleared up.
#[test]
fn an_agent_who_returns_at_once_is_not_cleared_away() {
    explore(4, |start| {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        let owner = |f: &Scheduler| {
            let letter = f.take_letter(Caller(0));
            if let Some(agent) = letter {
                f.release(agent);
                assert!(f.ready(agent, |_| 1).is_empty());
            }
            letter.is_some()
        };
        let (returned, told) = start.both(&floor, owner, |f| f.post(Caller(0), L0, 1));
        assert_eq!(told.len(), 1);
        if returned {
            assert_eq!(floor.idle(L0), 1);
            assert_eq!(floor.post(Caller(1), L0, 2).len(), 1);
        } else {
            assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        }
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 0));
    });
}

#[test]
fn an_agent_who_joins_a_line_meets_the_caller_who_posts_at_once() {
    explore(4, |start| {
        let floor = floor(1, 2, &[&[1]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        let joins = |f: &Scheduler| f.set_memberships(Agent(0), &[L0, L1], |_| 1);
        let told = start.both(&floor, joins, |f| f.post(Caller(0), L0, 1));
        let told = told.0.into_iter().chain(told.1);
        let letters = letters(&floor, 1);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.idle(L0), floor.idle(L1)), (0, 0));
    });
}

#[test]
fn an_agent_who_leaves_a_line_is_assigned_before_or_not_seen_after() {
    explore(4, |start| {
        let floor = floor(1, 2, &[&[0, 1]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        let leaves = |f: &Scheduler| f.set_memberships(Agent(0), &[L1], |_| 1); // and may finish an open claim
        let told = start.both(&floor, leaves, |f| f.post(Caller(0), L0, 1));
        let told = told.0.into_iter().chain(told.1);
        let letters = letters(&floor, 1);
        let free = 1 - letters.len() as u32;
        assert_told_once(&letters, told);
        assert_eq!((floor.idle(L0), floor.idle(L1), floor.waiting(L0)), (0, free, free));
    });
}

/// Posts, gives up and posts again elsewhere while an agent looks: a claim on the old post is dead.
#[test]
fn a_caller_who_moved_to_another_line_is_not_given_to_the_old_one() {
    explore(2, |start| {
        let floor = floor(1, 2, &[&[0]]);
        assert!(floor.post(Caller(0), L0, 1).is_empty());
        let mover = |f: &Scheduler| {
            let withdrawn = f.withdraw(Caller(0));
            if withdrawn == Withdrawn::Gone {
                assert!(f.post(Caller(0), L1, 1).is_empty());
            }
            withdrawn
        };
        let (withdrawn, found) = start.both(&floor, mover, |f| f.ready(Agent(0), |_| 1));
        match withdrawn {
            Withdrawn::Gone => {
                assert_eq!((found.len(), floor.idle(L0), floor.waiting(L1)), (0, 1, 1));
                assert_eq!(floor.take_letter(Caller(0)), None);
            }
            Withdrawn::Assigned(_) => assert_eq!((found.len(), floor.idle(L0)), (1, 0)),
        }
        assert_eq!(floor.waiting(L0), 0);
    });
}

/// Two agents go for one caller, one on his way to the boards and one already there.
#[test]
fn an_agent_who_loses_the_caller_waits_for_the_next() {
    explore(2, |start| {
        let floor = floor(2, 1, &[&[0], &[0]]);
        let told = start.three(
            &floor,
            |f| f.ready(Agent(0), |_| 1),
            |f| f.ready(Agent(1), |_| 2),
            |f| f.post(Caller(0), L0, 1),
        );
        let told = told.0.into_iter().chain(told.1).chain(told.2);
        let letters = letters(&floor, 1);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 1));
        assert_eq!(floor.post(Caller(1), L0, 2).len(), 1);
    });
}

/// Ring-all: the second agent is wanted by one who has the first and by one who has nobody. One gets him, and when
/// the losers are put back nobody is left beside a free agent.
#[test]
fn an_agent_is_rung_beside_another_or_for_the_next_caller_but_not_both() {
    explore(3, |start| {
        let floor = floor(2, 1, &[&[0], &[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        assert!(floor.ready(Agent(1), |_| 2).is_empty());
        assert_eq!(floor.post(Caller(0), L0, 1).len(), 1);
        assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        let ring_all = |f: &Scheduler| f.reinforce(Caller(0), L0);
        let ((second, told), found) = start.both(&floor, ring_all, |f| f.post(Caller(1), L0, 2));
        assert_eq!((second.is_some() as usize) + told.len() + found.len(), 1);
        let winner = floor.take_letter(Caller(1));
        assert_eq!((second.is_some(), winner.is_some()), (winner.is_none(), second.is_none()));
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (winner.is_none() as u32, 0));
        // The first one answers, the loser is put back by his owner.
        if let Some(loser) = second {
            floor.release(loser);
            assert_eq!(floor.ready(loser, |_| 3).len(), 1, "the one left waiting is found next");
        }
    });
}

/// Log-out while rung beside another: the owner of the call is named.
#[test]
fn who_rests_while_he_is_rung_beside_another_is_resting_or_assigned() {
    explore(4, |start| {
        let floor = floor(1, 1, &[&[0], &[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        assert!(floor.ready(Agent(1), |_| 2).is_empty());
        assert_eq!(floor.post(Caller(0), L0, 1).len(), 1);
        assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        let ring_all = |f: &Scheduler| f.reinforce(Caller(0), L0).0;
        let (second, rested) = start.both(&floor, ring_all, |f| f.rest(Agent(1)));
        match second {
            Some(agent) => assert_eq!((agent, rested), (Agent(1), Rested::Assigned(Caller(0)))),
            None => assert_eq!(rested, Rested::Resting),
        }
        assert_eq!(floor.idle(L0), 0);
    });
}

/// Ring-all, and the caller gives up: both who rang are put back while another caller posts. He gets one of them.
#[test]
fn all_who_rang_for_one_who_gave_up_are_there_for_the_next() {
    explore(2, |start| {
        let floor = floor(2, 1, &[&[0], &[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        assert!(floor.ready(Agent(1), |_| 2).is_empty());
        assert_eq!(floor.post(Caller(0), L0, 1).len(), 1);
        assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        assert_eq!(floor.reinforce(Caller(0), L0).0, Some(Agent(1)));
        let give_up = |f: &Scheduler| {
            let free = |agent| {
                f.release(agent);
                f.ready(agent, |_| 3)
            };
            [free(Agent(0)), free(Agent(1))]
        };
        let (by_owner, by_next) = start.both(&floor, give_up, |f| f.post(Caller(1), L0, 2));
        let letters = letters(&floor, 2);
        assert_eq!((letters.len(), letters[0].caller), (1, Caller(1)));
        assert_told_once(&letters, by_owner.into_iter().flatten().chain(by_next));
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (0, 1));
    });
}

/// Log-out of one who is rung beside another, while the caller gives up: he is resting in the end, whoever was first.
#[test]
fn who_rests_while_he_is_rung_for_one_who_gives_up_is_resting() {
    explore(3, |start| {
        let floor = floor(1, 1, &[&[0], &[0]]);
        assert!(floor.ready(Agent(0), |_| 1).is_empty());
        assert!(floor.ready(Agent(1), |_| 2).is_empty());
        assert_eq!(floor.post(Caller(0), L0, 1).len(), 1);
        assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        let rings_and_gives_up = |f: &Scheduler| {
            let second = f.reinforce(Caller(0), L0).0;
            second.into_iter().for_each(|agent| f.release(agent));
            second
        };
        let (second, rested) = start.both(&floor, rings_and_gives_up, |f| f.rest(Agent(1)));
        assert!(second.is_some() || rested == Rested::Resting);
        assert_eq!((floor.rest(Agent(1)), floor.idle(L0)), (Rested::Resting, 0));
    });
}

/// Priority changes while waiting: withdrawn and posted again with another key.
#[test]
fn a_caller_whose_key_changes_is_matched_once() {
    explore(3, |start| {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.post(Caller(0), L0, 2).is_empty());
        assert!(floor.post(Caller(1), L0, 3).is_empty());
        let sooner = |f: &Scheduler| match f.withdraw(Caller(1)) {
            Withdrawn::Gone => f.post(Caller(1), L0, 1).len(),
            Withdrawn::Assigned(agent) => panic!("{agent:?} went past the head"),
        };
        let (by_owner, by_agent) = start.both(&floor, sooner, |f| f.ready(Agent(0), |_| 1));
        let letters = letters(&floor, 2);
        assert_eq!((letters.len(), by_owner + by_agent.len()), (1, 1));
        assert_eq!((floor.waiting(L0), floor.idle(L0)), (1, 0));
        floor.release(Agent(0));
        assert_eq!(floor.ready(Agent(0), |_| 2).len(), 1);
        assert_eq!(floor.waiting(L0), 0);
    });
}

/// A reload takes a line away: its caller goes on in another line, with the agent who goes there too, unless somebody
/// of the old line was faster.
#[test]
fn a_caller_of_a_removed_line_is_served_in_the_old_or_in_the_new() {
    explore(2, |start| {
        let floor = floor(1, 2, &[&[0], &[0]]);
        assert!(floor.post(Caller(0), L0, 1).is_empty());
        let reload = |f: &Scheduler| {
            let withdrawn = f.withdraw(Caller(0));
            let posted = (withdrawn == Withdrawn::Gone).then(|| f.post(Caller(0), L1, 1).len());
            (
                withdrawn,
                posted,
                f.set_memberships(Agent(0), &[L1], |_| 1).len() + f.ready(Agent(0), |_| 1).len(),
            )
        };
        let ((withdrawn, posted, found), by_other) = start.both(&floor, reload, |f| f.ready(Agent(1), |_| 2));
        match withdrawn {
            Withdrawn::Assigned(agent) => assert_eq!((agent, found, by_other.len()), (Agent(1), 0, 1)),
            Withdrawn::Gone => {
                assert_eq!((posted, found, by_other.len()), (Some(0), 1, 0));
                assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
            }
        }
        assert_eq!((floor.waiting(L0), floor.waiting(L1), floor.idle(L0) + floor.idle(L1)), (0, 0, 1));
    });
}
