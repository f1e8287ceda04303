//! Every interleaving of small scenes, weak memory included. Run with
//! `RUSTFLAGS="--cfg fernamt_loom" cargo test -p scheduler --release --lib --test loom`.
//!
//! `tests/broken.sh` takes the rules of the algorithm away one by one and expects these models to fail.
#![cfg(fernamt_loom)]

use loom::sync::Arc;
use loom::thread;
use scheduler::{Agent, Caller, Capacity, Match, Queue, Rested, Scheduler, Withdrawn};

/// Explores `scene` with at most `switches` forced thread switches per run.
fn model(switches: usize, scene: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.max_branches = 10_000;
    builder.check(scene);
}

/// A floor where `serves[i]` are the queues of agent `i`.
fn floor(callers: u32, queues: u32, serves: &[&[u32]]) -> Arc<Scheduler> {
    let scheduler = Scheduler::new(Capacity { callers, agents: serves.len() as u32, queues });
    for (agent, queues) in serves.iter().enumerate() {
        let queues: Vec<Queue> = queues.iter().copied().map(Queue).collect();
        assert!(scheduler.set_memberships(Agent(agent as u32), &queues).is_empty());
    }
    Arc::new(scheduler)
}

/// Runs `act` on a thread of its own.
fn beside<T: 'static>(
    floor: &Arc<Scheduler>,
    act: impl FnOnce(&Scheduler) -> T + 'static,
) -> thread::JoinHandle<T> {
    let floor = floor.clone();
    thread::spawn(move || act(&floor))
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

const Q0: Queue = Queue(0);
const Q1: Queue = Queue(1);

#[test]
fn a_caller_and_an_agent_who_post_at_once_meet() {
    model(3, || {
        let floor = floor(1, 1, &[&[0]]);
        let agent = beside(&floor, |f| f.ready(Agent(0), 1));
        let by_caller = floor.post(Caller(0), Q0, 1);
        let by_agent = agent.join().unwrap();
        let letters = letters(&floor, 1);
        assert_eq!(letters, [Match { caller: Caller(0), agent: Agent(0) }]);
        assert_told_once(&letters, by_caller.into_iter().chain(by_agent));
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (0, 0));
    });
}

#[test]
fn two_callers_and_two_agents_who_post_at_once_all_meet() {
    model(2, || {
        let floor = floor(2, 1, &[&[0], &[0]]);
        let agents =
            beside(&floor, |f| f.ready(Agent(0), 1).into_iter().chain(f.ready(Agent(1), 2)).collect());
        let told: Vec<Match> =
            floor.post(Caller(0), Q0, 1).into_iter().chain(floor.post(Caller(1), Q0, 2)).collect();
        let by_agents: Vec<Match> = agents.join().unwrap();
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 2);
        assert_ne!(letters[0].agent, letters[1].agent);
        assert_told_once(&letters, told.into_iter().chain(by_agents));
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (0, 0));
    });
}

#[test]
fn three_who_post_at_once_leave_nobody_beside_a_free_agent() {
    model(2, || {
        let floor = floor(2, 1, &[&[0]]);
        let first = beside(&floor, |f| f.post(Caller(0), Q0, 1));
        let second = beside(&floor, |f| f.post(Caller(1), Q0, 2));
        let found = floor.ready(Agent(0), 1);
        let told = first.join().unwrap().into_iter().chain(second.join().unwrap()).chain(found);
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (1, 0));
    });
}

#[test]
fn two_callers_never_get_the_same_agent() {
    model(3, || {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), 1).is_empty());
        let other = beside(&floor, |f| f.post(Caller(1), Q0, 2));
        let told = floor.post(Caller(0), Q0, 1);
        let told = told.into_iter().chain(other.join().unwrap());
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!(floor.waiting(Q0), 1);
        floor.release(Agent(0));
        assert_eq!(floor.ready(Agent(0), 2).len(), 1, "the one left waiting is found next");
    });
}

#[test]
fn two_agents_never_get_the_same_caller() {
    model(2, || {
        let floor = floor(1, 1, &[&[0], &[0]]);
        assert!(floor.post(Caller(0), Q0, 1).is_empty());
        let other = beside(&floor, |f| f.ready(Agent(1), 2));
        let told = floor.ready(Agent(0), 1);
        let told = told.into_iter().chain(other.join().unwrap());
        let letters = letters(&floor, 1);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (0, 1));
    });
}

#[test]
fn a_caller_who_gives_up_is_gone_or_assigned_but_never_both() {
    model(3, || {
        let floor = floor(1, 1, &[&[0]]);
        let caller = beside(&floor, |f| {
            let told = f.post(Caller(0), Q0, 1);
            (told, f.withdraw(Caller(0)))
        });
        let found = floor.ready(Agent(0), 1);
        let (told, withdrawn) = caller.join().unwrap();
        let matches: Vec<_> = told.into_iter().chain(found).collect();
        match withdrawn {
            Withdrawn::Gone => assert_eq!((matches.len(), floor.idle(Q0)), (0, 1)),
            Withdrawn::Assigned(agent) => {
                assert_eq!((agent, matches.len(), floor.idle(Q0)), (Agent(0), 1, 0));
                floor.release(Agent(0));
                assert!(floor.ready(Agent(0), 2).is_empty());
            }
        }
        assert_eq!(floor.take_letter(Caller(0)), None);
        assert_eq!(floor.waiting(Q0), 0);
    });
}

#[test]
fn when_the_head_gives_up_in_mid_match_the_next_caller_is_taken() {
    model(3, || {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.post(Caller(0), Q0, 1).is_empty());
        assert!(floor.post(Caller(1), Q0, 2).is_empty());
        let head = beside(&floor, |f| f.withdraw(Caller(0)));
        let told = floor.ready(Agent(0), 1);
        let next = floor.take_letter(Caller(1));
        match head.join().unwrap() {
            Withdrawn::Gone => assert_eq!(next, Some(Agent(0))),
            Withdrawn::Assigned(_) => assert_eq!((next, floor.position(Caller(1))), (None, Some(1))),
        }
        assert_eq!((told.len(), floor.idle(Q0)), (1, 0));
    });
}

#[test]
fn who_gives_up_and_who_comes_instead_make_one_match() {
    model(2, || {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.post(Caller(0), Q0, 1).is_empty());
        let callers = beside(&floor, |f| (f.withdraw(Caller(0)), f.post(Caller(1), Q0, 2)));
        let found = floor.ready(Agent(0), 1);
        let (withdrawn, told) = callers.join().unwrap();
        let expected = if withdrawn == Withdrawn::Gone { (1, 0, 0) } else { (0, 1, 0) };
        let letters = letters(&floor, 2);
        assert_eq!((letters.len(), floor.waiting(Q0) as usize, floor.idle(Q0)), expected);
        assert_eq!(told.len() + found.len(), 1);
    });
}

#[test]
fn an_agent_in_two_queues_gets_one_caller_and_the_other_waits_for_him() {
    model(2, || {
        let floor = floor(2, 2, &[&[0, 1]]);
        assert!(floor.ready(Agent(0), 1).is_empty());
        let other = beside(&floor, |f| f.post(Caller(1), Q1, 2));
        let told = floor.post(Caller(0), Q0, 1);
        let told = told.into_iter().chain(other.join().unwrap());
        let letters = letters(&floor, 2);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.idle(Q0), floor.idle(Q1)), (0, 0));
        floor.release(Agent(0));
        assert_eq!(floor.ready(Agent(0), 2).len(), 1);
        assert_eq!((floor.waiting(Q0), floor.waiting(Q1)), (0, 0));
    });
}

#[test]
fn who_rests_in_mid_match_is_either_resting_or_assigned() {
    model(3, || {
        let floor = floor(1, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), 1).is_empty());
        let agent = beside(&floor, |f| f.rest(Agent(0)));
        let told = floor.post(Caller(0), Q0, 1);
        let rested = agent.join().unwrap();
        match rested {
            Rested::Resting => {
                assert_eq!((floor.take_letter(Caller(0)), floor.waiting(Q0), told.len()), (None, 1, 0));
            }
            Rested::Assigned(caller) => {
                assert_eq!((caller, floor.waiting(Q0)), (Caller(0), 0));
                assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
            }
        }
        assert_eq!(floor.idle(Q0), 0);
    });
}

/// Log-out, hang-up and match at once: three truths that must fit together.
#[test]
fn rest_and_withdraw_in_mid_match_agree() {
    model(2, || {
        let floor = floor(1, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), 1).is_empty());
        let agent = beside(&floor, |f| f.rest(Agent(0)));
        let told = floor.post(Caller(0), Q0, 1);
        let withdrawn = floor.withdraw(Caller(0));
        let rested = agent.join().unwrap();
        assert!(told.is_empty() || withdrawn == Withdrawn::Assigned(Agent(0)));
        match withdrawn {
            Withdrawn::Gone => assert_eq!(rested, Rested::Resting),
            Withdrawn::Assigned(agent) => {
                assert_eq!((agent, rested), (Agent(0), Rested::Assigned(Caller(0))));
            }
        }
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (0, 0));
    });
}

/// Rule 4: the matcher clears the caller's old entry late; the same caller, offered again with the same key,
/// must stay visible.
#[test]
fn a_caller_who_returns_with_his_old_key_is_not_cleared_away() {
    model(3, || {
        let floor = floor(1, 1, &[&[0]]);
        assert!(floor.post(Caller(0), Q0, 1).is_empty());
        let owner = beside(&floor, |f| match f.take_letter(Caller(0)) {
            Some(agent) => {
                f.release(agent);
                assert!(f.post(Caller(0), Q0, 1).is_empty());
                true
            }
            None => false,
        });
        assert_eq!(floor.ready(Agent(0), 1).len(), 1);
        if owner.join().unwrap() {
            assert_eq!((floor.waiting(Q0), floor.position(Caller(0))), (1, Some(1)));
            assert_eq!(floor.ready(Agent(0), 2).len(), 1);
        }
        assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (0, 0));
    });
}

/// The same on the agent's side: he is ready again before the matcher of his last call has cleared up.
#[test]
fn an_agent_who_returns_at_once_is_not_cleared_away() {
    model(3, || {
        let floor = floor(2, 1, &[&[0]]);
        assert!(floor.ready(Agent(0), 1).is_empty());
        let poster = beside(&floor, |f| f.post(Caller(0), Q0, 1));
        if let Some(agent) = floor.take_letter(Caller(0)) {
            floor.release(agent);
            assert!(floor.ready(agent, 1).is_empty());
            assert_eq!(poster.join().unwrap().len(), 1);
            assert_eq!(floor.idle(Q0), 1);
            assert_eq!(floor.post(Caller(1), Q0, 2).len(), 1);
        } else {
            assert_eq!(poster.join().unwrap().len(), 1);
            assert_eq!(floor.take_letter(Caller(0)), Some(Agent(0)));
        }
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (0, 0));
    });
}

#[test]
fn an_agent_who_joins_a_queue_meets_the_caller_who_posts_at_once() {
    model(3, || {
        let floor = floor(1, 2, &[&[1]]);
        assert!(floor.ready(Agent(0), 1).is_empty());
        let joins = beside(&floor, |f| f.set_memberships(Agent(0), &[Q0, Q1]));
        let told = floor.post(Caller(0), Q0, 1);
        let told = told.into_iter().chain(joins.join().unwrap());
        let letters = letters(&floor, 1);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.idle(Q0), floor.idle(Q1)), (0, 0));
    });
}

#[test]
fn an_agent_who_leaves_a_queue_is_assigned_before_or_not_seen_after() {
    model(3, || {
        let floor = floor(1, 2, &[&[0, 1]]);
        assert!(floor.ready(Agent(0), 1).is_empty());
        let leaves = beside(&floor, |f| f.set_memberships(Agent(0), &[Q1]));
        let told = floor.post(Caller(0), Q0, 1);
        let told = told.into_iter().chain(leaves.join().unwrap()); // who leaves may finish the open claim
        let letters = letters(&floor, 1);
        let free = 1 - letters.len() as u32;
        assert_told_once(&letters, told);
        assert_eq!((floor.idle(Q0), floor.idle(Q1), floor.waiting(Q0)), (0, free, free));
    });
}

/// Posts, gives up and posts again elsewhere while an agent looks: a claim on the old post is dead.
#[test]
fn a_caller_who_moved_to_another_queue_is_not_given_to_the_old_one() {
    model(2, || {
        let floor = floor(1, 2, &[&[0]]);
        assert!(floor.post(Caller(0), Q0, 1).is_empty());
        let mover = beside(&floor, |f| {
            let withdrawn = f.withdraw(Caller(0));
            if withdrawn == Withdrawn::Gone {
                assert!(f.post(Caller(0), Q1, 1).is_empty());
            }
            withdrawn
        });
        let found = floor.ready(Agent(0), 1);
        match mover.join().unwrap() {
            Withdrawn::Gone => {
                assert_eq!((found.len(), floor.idle(Q0), floor.waiting(Q1)), (0, 1, 1));
                assert_eq!(floor.take_letter(Caller(0)), None);
            }
            Withdrawn::Assigned(_) => assert_eq!((found.len(), floor.idle(Q0)), (1, 0)),
        }
        assert_eq!(floor.waiting(Q0), 0);
    });
}

/// Two agents go for one caller, one on his way to the boards and one already there.
#[test]
fn an_agent_who_loses_the_caller_waits_for_the_next() {
    model(2, || {
        let floor = floor(2, 1, &[&[0], &[0]]);
        let other = beside(&floor, |f| f.ready(Agent(1), 2));
        let caller = beside(&floor, |f| f.post(Caller(0), Q0, 1));
        let told = floor.ready(Agent(0), 1);
        let told = told.into_iter().chain(other.join().unwrap()).chain(caller.join().unwrap());
        let letters = letters(&floor, 1);
        assert_eq!(letters.len(), 1);
        assert_told_once(&letters, told);
        assert_eq!((floor.waiting(Q0), floor.idle(Q0)), (0, 1));
        assert_eq!(floor.post(Caller(1), Q0, 2).len(), 1);
    });
}
