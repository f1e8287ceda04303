//! Who calls again waits first for whom he spoke to last.

mod house;

use house::{ANNA, BO, assigned, count, house, left};
use router::journal::fact::{AgentState, LeftQueue, What, Wish};
use testbed::{
    Behaviour, PhoneId, World,
    world::{MILLISECOND, SECOND},
};

const DESK: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "straight"
[flow.straight]
steps = [{ queue = "support" }, "hangup"]
[queue.support]
music = "prompts/music.wav"
ring_timeout = "10s"
max_wait = "5m"
sticky = { within = "1h", wait = "30s" }
"#;

const REGULAR: &str = "+49301";

/// Anna and bo at work, and a regular caller who has spoken to anna: bo has been idle for longer now.
struct Story {
    world: World,
    regular: PhoneId,
    anna: PhoneId,
    bo: PhoneId,
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut world = World::new(seed, &house(&[DESK, ANNA, BO]));
        let (anna, bo) = (
            house::anna(&mut world, Behaviour::Answers(SECOND)),
            house::bo(&mut world, Behaviour::Answers(SECOND)),
        );
        let regular = world.caller(REGULAR);
        world.dials(regular, "1");
        world.run_for(5 * SECOND);
        world.hangs_up_in(regular, SECOND);
        world.run_for(5 * SECOND);
        assert_eq!(assigned(&world), ["anna"]);
        Story { world, regular, anna, bo }
    }

    /// Anna speaks to somebody else, and bo is idle.
    fn with_anna_in_a_talk(seed: u64) -> (Story, PhoneId) {
        let mut story = Story::new(seed);
        let (first, second) = (story.world.caller("first"), story.world.caller("second"));
        for caller in [first, second] {
            story.world.dials(caller, "1");
            story.world.run_for(3 * SECOND);
        }
        story.world.hangs_up_in(first, MILLISECOND); // bo's
        story.world.run_for(SECOND);
        assert_eq!(story.states(), [AgentState::Talking, AgentState::Idle]);
        (story, second)
    }

    fn states(&self) -> [AgentState; 2] {
        ["anna", "bo"].map(|agent| self.world.agent_state(agent))
    }

    /// The regular caller calls, and waits for anna alone.
    fn waits(&mut self) {
        self.world.dials(self.regular, "1");
        self.world.run_for(2 * SECOND);
        assert_eq!((self.world.waiting("support"), self.states()[1]), (1, AgentState::Idle));
    }

    #[track_caller]
    fn bo_is_rung_at_once(mut self) {
        self.world.run_for(10 * MILLISECOND);
        assert_eq!(self.world.agent_state("bo"), AgentState::Ringing, "{}", self.world.ladder());
        assert_eq!(self.open_to_all(), 1);
        self.ends();
    }

    fn open_to_all(&self) -> usize {
        count(&self.world, |what| matches!(what, What::OpenToAll { agent, .. } if agent == "anna"))
    }

    fn ends(mut self) {
        let callers: Vec<PhoneId> = (0..self.world.phones().len()).map(PhoneId).collect();
        callers.into_iter().for_each(|phone| self.world.hangs_up_in(phone, 3 * SECOND));
        self.world.run_until_silent().assert_nothing_left();
    }
}

fn sticky(world: &World) -> Vec<Option<String>> {
    let agent = |what: &What| match what {
        What::Queued { sticky, .. } => Some(sticky.clone()),
        _ => None,
    };
    world.happened().filter_map(agent).collect()
}

#[test]
fn a_caller_gets_whom_he_spoke_to_last_though_another_has_been_idle_for_longer() {
    let mut story = Story::new(1);
    story.world.dials(story.regular, "1");
    story.world.run_for(3 * SECOND);
    assert!(story.world.heard(story.anna, story.regular) && assigned(&story.world) == ["anna", "anna"]);
    assert_eq!(sticky(&story.world), [None, Some("anna".to_owned())]);
    let stranger = story.world.caller("stranger");
    story.world.dials(stranger, "1");
    story.world.run_for(3 * SECOND);
    assert!(story.world.heard(story.bo, stranger));
    story.ends();
}

#[test]
fn he_waits_for_that_agent_alone_for_as_long_as_the_queue_says_and_then_for_everybody() {
    let (mut story, _) = Story::with_anna_in_a_talk(2);
    story.waits();
    story.world.run_for(27_900 * MILLISECOND);
    assert_eq!((story.world.waiting("support"), story.states()[1]), (1, AgentState::Idle));
    story.world.run_for(200 * MILLISECOND);
    story.bo_is_rung_at_once();
}

#[test]
fn he_gets_that_agent_if_he_is_free_before() {
    let (mut story, with_anna) = Story::with_anna_in_a_talk(3);
    story.waits();
    story.world.hangs_up_in(with_anna, SECOND);
    story.world.run_for(3 * SECOND);
    assert_eq!((story.states(), story.open_to_all()), ([AgentState::Talking, AgentState::Idle], 0));
    story.ends();
}

#[test]
fn when_that_agent_pauses_or_logs_out_he_waits_for_everybody_at_once() {
    for wish in [Wish::Paused, Wish::LoggedOut] {
        let (mut story, _) = Story::with_anna_in_a_talk(4);
        story.waits();
        story.world.agent_wish("anna", wish); // takes effect after her talk
        story.bo_is_rung_at_once();
    }
}

#[test]
fn an_agent_who_has_paused_or_serves_the_queue_no_longer_is_not_waited_for() {
    let paused = |world: &mut World| world.agent_wish("anna", Wish::Paused);
    let gone = |world: &mut World| world.reload(&house(&[DESK, BO]));
    let elsewhere = |world: &mut World| {
        let anna = ANNA.replace("support", "other") + "[queue.other]\n";
        world.reload(&house(&[DESK, &anna, BO]));
    };
    let changes: [fn(&mut World); 3] = [paused, gone, elsewhere];
    for change in changes {
        let mut story = Story::new(5);
        change(&mut story.world);
        story.world.dials(story.regular, "1");
        story.world.run_for(3 * SECOND);
        assert!(story.world.heard(story.bo, story.regular));
        assert_eq!(sticky(&story.world), [None, None]);
        story.ends();
    }
}

#[test]
fn when_that_agent_lets_it_ring_he_waits_for_everybody() {
    let mut story = Story::new(6);
    story.world.behave(story.anna, Behaviour::NeverAnswers);
    story.world.dials(story.regular, "1");
    story.world.run_for(13 * SECOND);
    assert_eq!(story.states(), [AgentState::NotReady, AgentState::Talking], "{}", story.world.ladder());
    story.ends();
}

#[test]
fn an_agent_takes_the_smallest_key_of_his_own_line_and_the_queues() {
    let (mut story, with_anna) = Story::with_anna_in_a_talk(7);
    let (to_bo, earlier) = (story.world.caller("to-bo"), story.world.caller("earlier"));
    for caller in [to_bo, earlier] {
        story.world.dials(caller, "1");
        story.world.run_for(2 * SECOND);
    }
    story.world.dials(story.regular, "1");
    story.world.run_for(SECOND);
    assert_eq!(story.world.waiting("support"), 2);
    let places = |what: &What| match what {
        What::Queued { place, .. } => Some(*place),
        _ => None,
    };
    assert_eq!(story.world.happened().filter_map(places).last(), Some(2));
    story.world.hangs_up_in(with_anna, SECOND);
    story.world.run_for(3 * SECOND);
    assert!(story.world.heard(story.anna, earlier) && !story.world.heard(story.bo, earlier));
    story.ends();
}

#[test]
fn reloads_that_take_agent_membership_queue_or_rule_away_send_him_on() {
    let without_rule = DESK.replace("sticky = { within = \"1h\", wait = \"30s\" }", "");
    let elsewhere = format!("{}[queue.other]\n", ANNA.replace("support", "other"));
    for desk in [&[DESK, BO][..], &[without_rule.as_str(), ANNA, BO], &[DESK, elsewhere.as_str(), BO]] {
        let (mut story, _) = Story::with_anna_in_a_talk(8);
        story.waits();
        story.world.reload(&house(desk));
        story.bo_is_rung_at_once();
    }
    let (mut story, _) = Story::with_anna_in_a_talk(8);
    story.waits();
    story.world.reload(&house(&[&DESK.replace("support", "sales"), &BO.replace("support", "sales")]));
    story.world.run_for(10 * MILLISECOND);
    assert_eq!(left(&story.world).last(), Some(&LeftQueue::Removed));
    story.ends();
}

#[test]
fn who_gives_up_while_he_waits_for_one_agent_is_counted_like_others_and_leaves_nothing_behind() {
    let (mut story, with_anna) = Story::with_anna_in_a_talk(9);
    story.waits();
    story.world.hangs_up_in(story.regular, SECOND);
    story.world.run_for(2 * SECOND);
    assert_eq!((story.world.waiting("support"), left(&story.world).last()), (0, Some(&LeftQueue::Abandoned)));
    story.world.hangs_up_in(with_anna, SECOND);
    story.world.run_for(2 * SECOND);
    assert_eq!(story.states(), [AgentState::Idle, AgentState::Idle]);
    story.ends();
}

#[test]
fn a_talk_too_long_ago_and_a_withheld_number_are_no_reason_to_wait() {
    let mut story = Story::new(10);
    story.world.run_for(3_601 * SECOND);
    story.world.dials(story.regular, "1");
    story.world.run_for(3 * SECOND);
    assert!(story.world.heard(story.bo, story.regular));
    story.ends();
    let mut story = Story::new(11);
    story.world.writes(story.regular, "Privacy", "id");
    story.world.dials(story.regular, "1");
    story.world.run_for(3 * SECOND);
    assert!(story.world.heard(story.bo, story.regular));
    story.ends();
}

#[test]
fn widening_counts_from_the_entry_also_of_who_waited_for_one_agent_first() {
    let skilled = DESK.replace(
        "[queue.support]",
        "[queue.support]\nleast_skill = 5\nwiden = [{ after = \"20s\", least_skill = 1 }]",
    );
    let (bo, mut story) = (BO.replace("\"support\"", "{ queue = \"support\", skill = 2 }"), Story::new(12));
    story.world.reload(&house(&[&skilled, ANNA, &bo]));
    let other = story.world.caller("other");
    story.world.dials(other, "1"); // anna's, for bo is not skilled enough
    story.world.run_for(3 * SECOND);
    story.waits();
    story.world.run_for(27_900 * MILLISECOND);
    assert_eq!(count(&story.world, |what| matches!(what, What::Widened { .. })), 0);
    story.world.run_for(200 * MILLISECOND);
    assert_eq!(count(&story.world, |what| matches!(what, What::Widened { step: 1, .. })), 1);
    story.bo_is_rung_at_once();
}
