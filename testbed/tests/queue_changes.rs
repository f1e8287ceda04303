//! Queues that are closed, taken away or given something to say while callers wait in them.

mod house;

use house::{ANNA, DIRECT, QUEUE, anna, caller_in, count, heard, house, left, queue, the_end, world};
use router::{
    journal::fact::{Cause, LeftQueue, What},
    status::{Door, OrderError},
};
use testbed::{Behaviour, world::SECOND};

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

#[test]
fn a_queue_that_a_reload_closes_tells_those_who_wait_and_those_who_come() {
    let closed = queue("closed = true\nclosed_prompt = \"prompts/menu.wav\"");
    let mut world = world(4, &[QUEUE]);
    let waits = caller_in(&mut world);
    world.reload(&house(&[&closed]));
    assert_eq!(left(&world), [LeftQueue::Closed], "in the turn of the reload");
    let comes = caller_in(&mut world);
    for caller in [waits, comes] {
        assert_eq!((heard(&world, caller, "menu"), heard(&world, caller, "closed")), (true, false));
    }
    world.run_until_silent().assert_nothing_left();
    for caller in [waits, comes] {
        assert!(heard(&world, caller, "closed"), "what follows the queue");
    }
    assert_eq!(left(&world), [LeftQueue::Closed; 2]);
}

#[test]
fn a_queue_closed_by_hand_stays_closed_over_reloads_until_it_is_opened_by_hand() {
    let mut world = world(5, &[QUEUE]);
    let waits = caller_in(&mut world);
    world.switch_queue("support", Door::Close);
    assert_eq!(left(&world), [LeftQueue::Closed]);
    world.reload(&house(&[&queue("max_waiting = 7")]));
    let comes = caller_in(&mut world);
    assert!(heard(&world, waits, "closed") && heard(&world, comes, "closed"));
    world.switch_queue("support", Door::Open);
    let stays = caller_in(&mut world);
    assert_eq!((world.waiting("support"), heard(&world, stays, "closed")), (1, false));
    world.hangs_up_in(stays, SECOND);
    world.run_until_silent().assert_nothing_left();
    let switched = |what: &What| matches!(what, What::QueueSwitched { queue, reason, .. } if (queue.as_str(), reason.as_str()) == ("support", "story"));
    assert_eq!(count(&world, switched), 2);
}

#[test]
fn the_hand_cannot_open_what_the_configuration_closes() {
    let mut world = world(6, &[&queue("closed = true")]);
    let opened = world.try_switch("support", Door::Open);
    assert_eq!(opened, Err(OrderError::ClosedInFile { name: "support".into() }));
    let unknown = world.try_switch("suport", Door::Open);
    assert_eq!(
        unknown,
        Err(OrderError::UnknownQueue { name: "suport".into(), known: vec!["support".into()] })
    );
    let caller = caller_in(&mut world);
    assert!(heard(&world, caller, "closed"));
    the_end(&mut world);
}

#[test]
fn whose_agent_rings_when_the_queue_is_closed_may_still_be_answered_and_goes_on_if_not() {
    for (behaviour, answered) in
        [(Behaviour::Answers(3 * SECOND), true), (Behaviour::Refuses(486, 3 * SECOND), false)]
    {
        let mut world = world(7, &[&queue("closed_prompt = \"prompts/menu.wav\""), ANNA]);
        let agent = anna(&mut world, behaviour);
        let caller = caller_in(&mut world);
        world.switch_queue("support", Door::Close);
        world.run_for(4 * SECOND);
        assert_eq!(
            (world.heard(caller, agent), heard(&world, caller, "menu")),
            (answered, !answered),
            "{}",
            world.ladder()
        );
        world.hangs_up_in(caller, 8 * SECOND);
        the_end(&mut world);
    }
}

#[test]
fn a_caller_who_waits_unanswered_hears_that_it_is_closed_without_being_answered() {
    let early = queue("closed_prompt = \"prompts/menu.wav\"")
        .replace("{ queue = \"support\" }", "{ queue = { name = \"support\", early = true } }")
        .replace("{ play = \"prompts/closed.wav\" }, \"hangup\"", "{ reject = 480 }");
    let mut world = world(8, &[&early]);
    let caller = caller_in(&mut world);
    world.switch_queue("support", Door::Close);
    assert_eq!(the_end(&mut world).2, Some(480));
    assert!(heard(&world, caller, "menu"));
}

#[test]
fn closed_by_its_hours_a_queue_plays_its_prompt_too() {
    let never = "hours = \"never\"\nclosed_prompt = \"prompts/menu.wav\"\n[hours.never]\nzone = \"UTC\"\n";
    let mut world = world(9, &[&queue(never)]);
    let caller = caller_in(&mut world);
    assert!(heard(&world, caller, "menu"));
    the_end(&mut world);
    assert_eq!(left(&world), [LeftQueue::Closed]);
}

#[test]
fn the_announcement_is_heard_before_the_music_by_everybody_who_enters() {
    let mut world = world(10, &[&queue("announcement = \"prompts/welcome.wav\"")]);
    let caller = caller_in(&mut world);
    assert_eq!((heard(&world, caller, "welcome"), heard(&world, caller, "music")), (true, false));
    assert_eq!(world.waiting("support"), 1, "he waits meanwhile");
    world.run_for(2 * SECOND); // it takes two seconds
    assert!(heard(&world, caller, "music"));
    let whole = world.at(caller).heard[&world.voice_of("welcome")];
    world.run_for(5 * SECOND);
    assert_eq!(world.at(caller).heard[&world.voice_of("welcome")], whole, "once");
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn an_announcement_that_a_reload_brings_is_heard_at_once_by_those_who_wait_and_nobody_loses_his_place() {
    let mut world = world(11, &[QUEUE]);
    let (first, second) = (caller_in(&mut world), caller_in(&mut world));
    let news = queue("announcement = \"prompts/welcome.wav\"");
    world.reload(&house(&[&news]));
    world.run_for(SECOND / 2);
    let music = world.at(first).heard[&world.voice_of("music")];
    for caller in [first, second] {
        assert!(heard(&world, caller, "welcome"));
    }
    world.run_for(SECOND);
    assert_eq!(world.at(first).heard[&world.voice_of("music")], music, "no music meanwhile");
    world.run_for(2 * SECOND);
    assert!(world.at(first).heard[&world.voice_of("music")] > music, "and then again");
    let told = world.at(first).heard[&world.voice_of("welcome")];
    world.reload(&house(&[&news, "max_waiting = 7\n"]));
    world.run_for(SECOND);
    assert_eq!(world.at(first).heard[&world.voice_of("welcome")], told, "it is not new");
    world.reload(&house(&[&news, ANNA]));
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    world.run_for(2 * SECOND);
    assert!(world.heard(first, agent) && !world.heard(second, agent), "{}", world.ladder());
    [first, second].iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
    world.run_until_silent().assert_nothing_left();
    let entries = |what: &What| matches!(what, What::Queued { .. });
    assert_eq!(count(&world, entries), 2);
}

#[test]
fn a_free_agent_takes_a_caller_at_once_and_his_answer_cuts_the_announcement() {
    let mut world = world(12, &[&queue("announcement = \"prompts/welcome.wav\""), ANNA]);
    let agent = anna(&mut world, Behaviour::Answers(SECOND));
    let caller = caller_in(&mut world);
    world.run_for(SECOND / 2);
    assert!(world.heard(caller, agent) && heard(&world, caller, "welcome"), "{}", world.ladder());
    let told = world.at(caller).heard[&world.voice_of("welcome")];
    world.run_for(3 * SECOND);
    assert_eq!(world.at(caller).heard[&world.voice_of("welcome")], told);
    assert!(!heard(&world, caller, "music"));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
    let heard: Vec<&What> = world
        .happened()
        .filter(|what| matches!(what, What::PromptEnded { .. } | What::Bridged { .. }))
        .collect();
    assert!(matches!(heard[..], [What::PromptEnded { cut: true }, What::Bridged { .. }]), "{heard:?}");
}

#[test]
fn the_music_follows_the_announcement_also_while_an_agent_rings() {
    let mut world = world(13, &[&queue("announcement = \"prompts/welcome.wav\""), ANNA]);
    let agent = anna(&mut world, Behaviour::Answers(5 * SECOND));
    let caller = caller_in(&mut world);
    world.run_for(3 * SECOND);
    assert!(heard(&world, caller, "music") && !world.heard(caller, agent), "{}", world.ladder());
    world.run_for(3 * SECOND);
    assert!(world.heard(caller, agent));
    world.hangs_up_in(caller, SECOND);
    the_end(&mut world);
}

#[test]
fn a_caller_who_hangs_up_or_must_go_during_the_announcement_leaves_no_prompt_without_an_end() {
    let announced = queue("announcement = \"prompts/welcome.wav\"");
    for closes in [false, true] {
        let mut world = world(14, &[&announced]);
        let caller = caller_in(&mut world);
        if closes {
            world.switch_queue("support", Door::Close);
        }
        world.hangs_up_in(caller, if closes { 5 * SECOND } else { SECOND / 2 });
        the_end(&mut world);
    }
}
