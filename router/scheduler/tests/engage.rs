//! An agent who is asked for by name: whoever has him, nobody else is given him.
#![cfg(not(any(fernamt_loom, fernamt_shuttle)))]

use scheduler::{Agent, Caller, Capacity, Line, Scheduler};

const ANNA: Agent = Agent(0);
const SUPPORT: Line = Line(0);

fn floor() -> Scheduler {
    let floor = Scheduler::new(Capacity { callers: 4, agents: 2, lines: 1, memberships: 1 });
    _ = floor.set_memberships(ANNA, &[SUPPORT], |_| 1);
    floor
}

#[test]
fn an_idle_agent_who_is_engaged_is_given_to_nobody_until_he_is_released() {
    let floor = floor();
    _ = floor.ready(ANNA, |_| 1);
    assert!(floor.engage(Caller(0), ANNA));
    assert_eq!(floor.idle(SUPPORT), 0);
    assert_eq!(floor.post(Caller(1), SUPPORT, 7).into_iter().count(), 0);
    assert!(!floor.engage(Caller(2), ANNA), "somebody has him");
    floor.release(ANNA);
    let made: Vec<_> = floor.ready(ANNA, |_| 1).into_iter().collect();
    assert_eq!((made.len(), made[0].caller, made[0].agent), (1, Caller(1), ANNA));
}

#[test]
fn an_agent_who_rests_is_engaged_too_and_rests_on_after_it() {
    let floor = floor();
    assert!(floor.engage(Caller(0), ANNA));
    assert!(!floor.engage(Caller(1), ANNA));
    floor.release(ANNA);
    assert_eq!((floor.idle(SUPPORT), floor.post(Caller(1), SUPPORT, 7).into_iter().count()), (0, 0));
}

#[test]
fn an_agent_who_was_given_to_somebody_is_not_engaged_for_another() {
    let floor = floor();
    _ = floor.post(Caller(1), SUPPORT, 7);
    assert_eq!(floor.ready(ANNA, |_| 1).into_iter().count(), 1);
    assert!(!floor.engage(Caller(0), ANNA));
}
