//! Whose presence in Teams says no is given no calls, and comes back by himself.

mod house;

use std::time::Duration;

use house::{anna, assigned, bo, caller_in, count, house, left, queue};
use router::journal::fact::{AgentState, LeftQueue, What, Wish};
use testbed::{
    Behaviour, World,
    world::{Fares, MILLISECOND, SECOND},
};

const GRAPH: &str = r#"
[presence.graph]
tenant = "example.com"
client_id = "11111111-2222-4333-8444-555555555555"
client_secret_env = "SECRET"
every = "5s"
fresh = "20s"
"#;
const ANNA: &str = "[agent.anna]\ncall = \"sip:anna@10.2.0.11:5060\"\nqueues = [\"support\"]\n\
                    entra_id = \"aaaaaaaa-0000-4000-8000-000000000001\"\n";
const BO: &str = "[agent.bo]\ncall = \"sip:bo@10.2.0.12:5060\"\nqueues = [\"support\"]\n\
                  entra_id = \"aaaaaaaa-0000-4000-8000-000000000002\"\n";
const RINGS: Behaviour = Behaviour::Answers(SECOND);
/// The next round and its answer have come.
const ROUND: Duration = Duration::from_millis(5_200);

/// A queue with keys, these sections more, and Graph saying of everybody that he is free.
fn world(seed: u64, keys: &str, sections: &[&str]) -> World {
    let mut world = house::world(seed, &[&[queue(keys).as_str(), GRAPH], sections].concat());
    for agent in ["anna", "bo"] {
        if world.config().agents().any(|(_, known)| known.name == agent) {
            world.graph_says(agent, "Available", "Available");
        }
    }
    world.run_for(SECOND);
    world
}

/// What the journal says of an agent's presence, in order: offered or not, and by what.
fn told(world: &World, agent: &str) -> Vec<(bool, String)> {
    let said = |what: &What| match what {
        What::Presence { agent: of, offered, says } if of == agent => Some((*offered, says.clone())),
        _ => None,
    };
    world.happened().filter_map(said).collect()
}

fn changes(world: &mut World, agent: &str, availability: &str, activity: &str) {
    world.graph_says(agent, availability, activity);
    world.run_for(ROUND);
}

/// Everything that was begun has ended; presence is asked for on and on.
fn is_over(world: &mut World) {
    world.run_for(60 * SECOND);
    world.assert_nothing_left();
}

#[test]
fn a_caller_waits_while_presence_says_no_and_is_given_to_the_agent_in_the_turn_in_which_it_says_yes() {
    let mut world = world(1, "", &[ANNA]);
    let anna = anna(&mut world, RINGS);
    changes(&mut world, "anna", "DoNotDisturb", "Presenting");
    assert_eq!(world.agent_state("anna"), AgentState::NotReady);
    let caller = caller_in(&mut world);
    world.run_for(10 * SECOND);
    assert_eq!((world.waiting("support"), assigned(&world).len()), (1, 0));
    changes(&mut world, "anna", "Available", "Available");
    assert_eq!(assigned(&world), ["anna"]);
    world.run_for(3 * SECOND);
    assert!(world.heard(caller, anna), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    is_over(&mut world);
    let expected = [
        (false, "not yet known"),
        (true, "Available"),
        (false, "DoNotDisturb, Presenting"),
        (true, "Available"),
    ];
    assert_eq!(told(&world, "anna"), expected.map(|(offered, says)| (offered, says.to_owned())));
    let reason = |what: &What| matches!(what, What::Agent { reason, .. } if reason == "presence: DoNotDisturb, Presenting");
    assert_eq!(count(&world, reason), 1, "the state says why it changed");
}

#[test]
fn who_rings_or_talks_is_not_touched_and_is_held_back_after_his_call() {
    let mut world = world(2, "", &[ANNA]);
    let anna = anna(&mut world, Behaviour::Answers(8 * SECOND));
    let caller = caller_in(&mut world);
    assert_eq!(world.agent_state("anna"), AgentState::Ringing);
    changes(&mut world, "anna", "DoNotDisturb", "DoNotDisturb");
    assert_eq!(world.agent_state("anna"), AgentState::Ringing);
    world.run_for(5 * SECOND);
    assert!(world.heard(caller, anna), "{}", world.ladder());
    world.run_for(10 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.hangs_up_in(caller, SECOND);
    world.run_for(2 * SECOND);
    let next = caller_in(&mut world);
    world.run_for(10 * SECOND);
    assert_eq!((world.agent_state("anna"), assigned(&world).len()), (AgentState::NotReady, 1));
    world.hangs_up_in(next, SECOND);
    is_over(&mut world);
}

#[test]
fn our_own_call_comes_before_what_graph_says_of_it() {
    let mut world = world(3, "wrap_up = \"1s\"", &[ANNA]);
    anna(&mut world, RINGS);
    let caller = caller_in(&mut world);
    changes(&mut world, "anna", "Busy", "InACall");
    world.hangs_up_in(caller, 6 * SECOND);
    world.run_for(7 * SECOND);
    let next = caller_in(&mut world);
    world.run_for(2 * SECOND);
    assert_eq!(assigned(&world), ["anna", "anna"], "Graph still has her in the first call");
    world.hangs_up_in(next, SECOND);
    world.run_for(30 * SECOND);
    assert_eq!(world.agent_state("anna"), AgentState::NotReady, "that is no call of ours");
    is_over(&mut world);
}

#[test]
fn when_graph_is_dead_the_rule_for_stale_says_who_is_given_calls() {
    for (stale, given) in [("offer", vec!["anna", "bo"]), ("last", vec!["bo"]), ("skip", vec![])] {
        let stale = GRAPH.replace("fresh", &format!("stale = \"{stale}\"\nfresh"));
        let mut world = house::world(4, &[&queue("strategy = \"ordered\""), &stale, ANNA, BO]);
        anna(&mut world, RINGS);
        bo(&mut world, RINGS);
        world.graph_says("anna", "Away", "Away");
        world.graph_says("bo", "Available", "Available");
        world.run_for(SECOND);
        world.graph_fares(Fares::Dead);
        world.run_for(30 * SECOND);
        let callers = [caller_in(&mut world), caller_in(&mut world)];
        world.run_for(5 * SECOND);
        assert_eq!(assigned(&world), given, "{stale}");
        callers.iter().for_each(|caller| world.hangs_up_in(*caller, SECOND));
        world.graph_fares(Fares::Well);
        world.run_for(80 * SECOND);
        let states = ["anna", "bo"].map(|agent| world.agent_state(agent));
        assert_eq!(states, [AgentState::NotReady, AgentState::Idle], "known again");
        is_over(&mut world);
    }
}

#[test]
fn a_graph_that_wants_to_be_left_alone_is() {
    let mut world = world(5, "", &[ANNA]);
    world.graph_fares(Fares::Refuses(429, 120));
    world.run_for(ROUND);
    let before = world.graph_requests();
    world.run_for(114 * SECOND);
    assert_eq!(world.graph_requests(), before);
    world.run_for(10 * SECOND);
    assert!(world.graph_requests() > before);
}

#[test]
fn a_pause_and_a_log_out_of_ones_own_are_kept_over_what_presence_says() {
    let mut world = world(6, "", &[ANNA, BO]);
    world.agent_wish("anna", Wish::Paused);
    world.agent_wish("bo", Wish::LoggedOut);
    for (availability, states) in [
        ("Busy", [AgentState::NotReady, AgentState::LoggedOut]),
        ("Available", [AgentState::NotReady, AgentState::LoggedOut]),
    ] {
        world.graph_says("anna", availability, availability);
        changes(&mut world, "bo", availability, availability);
        assert_eq!(["anna", "bo"].map(|agent| world.agent_state(agent)), states);
    }
    world.agent_wish("anna", Wish::Ready);
    assert_eq!(world.agent_state("anna"), AgentState::Idle);
}

#[test]
fn a_queue_that_is_left_when_nobody_is_ready_is_left_when_presence_says_no_of_all() {
    let mut world = world(7, "leave_when = \"nobody-ready\"\nleave_grace = \"3s\"", &[ANNA, BO]);
    anna(&mut world, RINGS);
    bo(&mut world, RINGS);
    world.graph_says("anna", "Busy", "InAMeeting");
    changes(&mut world, "bo", "Busy", "InAMeeting");
    caller_in(&mut world);
    world.run_for(4 * SECOND);
    assert_eq!(left(&world), [LeftQueue::NobodyReady]);
    is_over(&mut world);
}

#[test]
fn who_waits_for_one_agent_alone_waits_no_longer_when_her_presence_says_no() {
    let sticky = "sticky = { within = \"1h\", wait = \"1m\" }";
    let mut world = world(8, sticky, &[ANNA, BO]);
    anna(&mut world, RINGS);
    bo(&mut world, RINGS);
    world.agent_wish("bo", Wish::Paused);
    let regular = world.caller("+49301");
    world.dials(regular, "+4930999");
    world.run_for(4 * SECOND);
    world.hangs_up_in(regular, MILLISECOND);
    world.agent_wish("bo", Wish::Ready);
    let other = world.caller("+49302");
    world.run_for(SECOND);
    assert_eq!(assigned(&world), ["anna"]);
    world.agent_wish("bo", Wish::Paused);
    world.dials(other, "+4930999");
    world.run_for(2 * SECOND);
    assert_eq!(assigned(&world), ["anna", "anna"], "she talks to somebody else");
    world.agent_wish("bo", Wish::Ready);
    world.dials(regular, "+4930999");
    world.run_for(2 * SECOND);
    assert_eq!(world.waiting("support"), 1, "for anna alone");
    changes(&mut world, "anna", "Busy", "InAMeeting");
    assert_eq!(assigned(&world), ["anna", "anna", "bo"]);
    for caller in [regular, other] {
        world.hangs_up_in(caller, SECOND);
    }
    is_over(&mut world);
}

#[test]
fn a_reload_holds_back_who_is_new_until_graph_has_answered_and_lets_all_go_when_it_is_not_asked_any_more() {
    let mut world = world(9, "", &[]);
    anna(&mut world, RINGS);
    bo(&mut world, RINGS);
    let caller = caller_in(&mut world);
    world.reload(&house(&[&queue(""), GRAPH, ANNA]));
    world.graph_says("anna", "Away", "Away");
    world.run_for(3 * SECOND);
    assert_eq!((assigned(&world).len(), world.agent_state("anna")), (0, AgentState::NotReady));
    world.reload(&house(&[&queue(""), ANNA]));
    world.run_for(3 * SECOND);
    assert_eq!(assigned(&world), ["anna"]);
    let asked = world.graph_requests();
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
    assert_eq!(world.graph_requests(), asked);
}

#[test]
fn the_journal_of_a_call_says_who_was_not_rung_because_of_his_presence() {
    let mut world = world(10, "", &[ANNA, BO]);
    bo(&mut world, RINGS);
    changes(&mut world, "anna", "BeRightBack", "BeRightBack");
    let caller = caller_in(&mut world);
    world.run_for(2 * SECOND);
    assert_eq!(assigned(&world), ["bo"]);
    let held = |what: &What| match what {
        What::HeldBack { agents, more: 0, .. } => Some(agents.clone()),
        _ => None,
    };
    let held: Vec<_> = world.happened().filter_map(held).collect();
    let anna = vec![("anna".to_owned(), "BeRightBack".to_owned())];
    assert_eq!(held, [anna.clone(), anna], "when he entered, and when bo was chosen");
    world.hangs_up_in(caller, SECOND);
    is_over(&mut world);
}
