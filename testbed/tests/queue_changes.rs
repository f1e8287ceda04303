//! Queues that are closed, taken away or given something to say while callers wait in them.

mod house;

use house::{ANNA, DIRECT, QUEUE, anna, count, house, left, the_end, world};
use router::journal::fact::{Cause, LeftQueue, What};
use testbed::{Behaviour, PhoneId, World, world::SECOND};

/// The queue with these keys.
fn queue(keys: &str) -> String {
    format!("{QUEUE}{keys}\n")
}

/// He has heard this prompt.
fn heard(world: &World, caller: PhoneId, prompt: &str) -> bool {
    world.at(caller).heard.contains_key(&world.voice_of(prompt))
}

fn caller_in(world: &mut World) -> PhoneId {
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    caller
}

#[test]
fn a_queue_that_is_taken_away_sends_its_callers_where_it_said_when_they_came() {
    let elsewhere =
        "[flow.elsewhere]\nsteps = [{ play = \"prompts/menu.wav\" }, \"hangup\"]\n[queue.other]\n";
    for (to, closed, menu, waiting) in [
        ("next", true, false, 0),
        ("hangup", false, false, 0),
        ("flow.elsewhere", false, true, 0),
        ("queue.other", false, false, 1),
    ] {
        let before = queue(&format!("when_removed = \"{to}\"\n{elsewhere}"));
        let mut world = world(1, &[&before]);
        let caller = caller_in(&mut world);
        world.reload(&house(&[DIRECT, elsewhere]));
        assert_eq!(left(&world), [LeftQueue::Removed], "{to}: in the turn of the reload");
        world.run_for(SECOND);
        assert_eq!(
            (heard(&world, caller, "closed"), heard(&world, caller, "menu"), world.waiting("other")),
            (closed, menu, waiting),
            "{to}"
        );
        world.hangs_up_in(caller, 4 * SECOND);
        the_end(&mut world);
    }
}

#[test]
fn who_comes_to_a_queue_that_was_taken_away_meanwhile_goes_there_too() {
    let flow = QUEUE
        .replace("{ queue = \"support\" }", "{ play = \"prompts/welcome.wav\" }, { queue = \"support\" }");
    let mut world = world(2, &[&flow, "when_removed = \"hangup\"\n"]);
    let caller = caller_in(&mut world);
    world.reload(&house(&[DIRECT]));
    world.run_for(3 * SECOND);
    assert!(!heard(&world, caller, "closed"));
    assert_eq!(the_end(&mut world).0, Cause::FlowEnded);
    assert_eq!(left(&world), [LeftQueue::Removed]);
}

#[test]
fn an_agent_who_rings_may_still_answer_after_his_queue_was_taken_away() {
    let mut world = world(3, &[&queue("when_removed = \"hangup\""), ANNA]);
    let agent = anna(&mut world, Behaviour::Answers(3 * SECOND));
    let caller = caller_in(&mut world);
    world.reload(&house(&[DIRECT, "[queue.other]\n", &ANNA.replace("support", "other")]));
    world.run_for(4 * SECOND);
    assert!(world.heard(caller, agent), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    assert_eq!(left(&world), [LeftQueue::Answered]);
}
