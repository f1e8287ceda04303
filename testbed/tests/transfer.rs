//! Blind transfers (REFER, RFC 3515, RFC 5589 §6): we do them, whoever asks may hang up whenever he likes.

mod house;

use house::{ANNA, BO, anna, assigned, bo, count, heard, left, segments, the_end};
use router::journal::fact::{AgentState, Cause, LeftQueue, TransferStep, What, Wish};
use router::record::Record;
use testbed::{
    Behaviour, PhoneId, World,
    phone::{HoldBy, PhoneState},
    world::{MILLISECOND, SECOND},
};

/// Support with anna and bo, sales without anybody at first; 8001 is sales, 0 leads out, 8888 to a flow.
const DESK: &str = r#"
[[number]]
match = "+4930999"
trunk = "carrier"
flow = "straight"
[[number]]
match = "+4930555"
trunk = "carrier"
flow = "closed"
[flow.straight]
steps = [{ queue = "support" }, { play = "prompts/closed.wav" }, "hangup"]
[flow.closed]
steps = [{ play = "prompts/closed.wav" }, "hangup"]
[queue.support]
music = "prompts/music.wav"
ring_timeout = "20s"
max_wait = "10m"
wrap_up = "10s"
[queue.sales]
music = "prompts/welcome.wav"
max_wait = "1m"
[agent.carla]
call = "sip:carla@10.2.0.13:5060"
queues = ["sales"]
login = "manual"
[[transfer]]
match = "8001"
to = "queue.sales"
[[transfer]]
match = "8888"
to = "flow.closed"
[[transfer]]
match = "0*"
to = "{called}@out"
[trunk.out]
send_to = ["udp:10.3.0.1:5060"]
[transfers]
ring_timeout = "15s"
"#;

/// The caller talks to anna since a second or so, bo has paused.
struct Story {
    world: World,
    caller: PhoneId,
    anna: PhoneId,
    bo: PhoneId,
}

fn talking(seed: u64, more: &str) -> Story {
    let mut world = house::world(seed, &[DESK, ANNA, BO, more]);
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let bo = bo(&mut world, Behaviour::Answers(2 * SECOND));
    world.agent_wish("bo", Wish::Paused);
    let caller = house::talks_to_anna(&mut world, anna);
    Story { world, caller, anna, bo }
}

fn out(story: &mut Story, behaviour: Behaviour) -> PhoneId {
    story.world.phone_at("outside", "10.3.0.1:5060", behaviour)
}

impl Story {
    fn transfers_to(&mut self, user: &str) {
        self.world.transfers_in(self.anna, user, MILLISECOND);
    }

    fn told(&self) -> &[u16] {
        &self.world.at(self.anna).transfers.told
    }

    /// The only call's record, after the caller has hung up.
    fn record(&mut self) -> Record {
        self.world.hangs_up_in(self.caller, SECOND);
        the_end(&mut self.world);
        self.world.records().remove(0)
    }
}

fn steps(world: &World) -> Vec<TransferStep> {
    let step = |what: &What| match what {
        What::Transfer(step) => Some(step.clone()),
        _ => None,
    };
    world.happened().filter_map(step).collect()
}

#[test]
fn an_agent_transfers_his_caller_to_a_colleague_and_wraps_up() {
    let mut story = talking(1, "");
    story.transfers_to("bo");
    story.world.run_for(SECOND);
    assert_eq!(story.world.agent_state("bo"), AgentState::Ringing, "{}", story.world.ladder());
    assert_eq!(story.world.agent_state("anna"), AgentState::Talking);
    story.world.run_for(3 * SECOND);
    assert_eq!(story.told(), [100, 180, 200]);
    assert_eq!(story.world.state(story.anna), PhoneState::Ended);
    assert_eq!(
        (story.world.agent_state("anna"), story.world.agent_state("bo")),
        (AgentState::WrapUp, AgentState::Talking)
    );
    assert!(story.world.heard(story.caller, story.bo) && story.world.heard(story.bo, story.caller));
    assert!(!story.world.heard(story.anna, story.bo));
    let record = story.record();
    assert_eq!(segments(&record), [(0, 1, Some("anna")), (0, 2, Some("bo"))]);
    assert_eq!(record.agent.as_deref(), Some("bo"));
    let transfer = &record.transfers[0];
    assert_eq!((transfer.by, transfer.agent.as_deref(), transfer.status), (1, Some("anna"), Some(200)));
    assert_eq!((transfer.to.as_str(), transfer.destination.as_str()), ("bo", "agent.bo"));
    assert_eq!(left(&story.world), [LeftQueue::Answered], "for the queue nothing has happened since");
}

#[test]
fn whoever_does_not_hang_up_after_his_transfer_is_hung_up() {
    let mut story = talking(2, "");
    story.world.stays_after_transfer(story.anna);
    story.transfers_to("bo");
    story.world.run_for(4 * SECOND);
    assert_eq!(
        (story.world.state(story.anna), story.world.agent_state("anna")),
        (PhoneState::Talking, AgentState::Talking)
    );
    story.world.run_for(2 * SECOND);
    assert_eq!(
        (story.world.state(story.anna), story.world.agent_state("anna")),
        (PhoneState::Ended, AgentState::WrapUp)
    );
    assert_eq!(story.world.state(story.caller), PhoneState::Talking);
    story.record();
}

#[test]
fn the_caller_waits_in_another_queue_and_the_agent_is_free_of_him() {
    let mut story = talking(3, "");
    story.transfers_to("8001");
    story.world.run_for(2 * SECOND);
    assert_eq!(story.told(), [100, 200]);
    assert_eq!((story.world.waiting("sales"), story.world.agent_state("anna")), (1, AgentState::WrapUp));
    assert!(heard(&story.world, story.caller, "welcome"));
    let carla = story.world.phone_at("carla", "10.2.0.13:5060", Behaviour::Answers(SECOND));
    story.world.agent_wish("carla", Wish::Ready);
    story.world.run_for(3 * SECOND);
    assert!(story.world.heard(carla, story.caller));
    let record = story.record();
    assert_eq!(segments(&record), [(0, 1, Some("anna")), (0, 2, Some("carla"))]);
    assert_eq!(record.queue.as_deref(), Some("sales"));
    assert_eq!(left(&story.world), [LeftQueue::Answered, LeftQueue::Answered]);
}

#[test]
fn an_outside_number_is_called_by_the_rule_that_is_written_and_by_no_other() {
    let mut story = talking(4, "");
    let outside = out(&mut story, Behaviour::Answers(2 * SECOND));
    story.transfers_to("0301234");
    story.world.run_for(4 * SECOND);
    assert_eq!(story.told(), [100, 180, 200]);
    assert!(story.world.heard(outside, story.caller) && story.world.heard(story.caller, outside));
    let dialled = count(
        &story.world,
        |what| matches!(what, What::Dialled { to, .. } if to.starts_with("sip:0301234@")),
    );
    assert_eq!(dialled, 1);
    assert_eq!(segments(&story.record()), [(0, 1, Some("anna")), (0, 2, None)]);
}

#[test]
fn what_is_not_written_is_not_called_and_the_talk_goes_on() {
    for (user, status) in [("1900666", 404), ("nobody", 404), ("anna", 486), ("carla", 480)] {
        let mut story = talking(5, "");
        story.transfers_to(user);
        story.world.run_for(2 * SECOND);
        assert_eq!(story.told(), [status], "{user}");
        assert!(
            matches!(steps(&story.world)[..], [TransferStep::Refused { status: told, .. }] if told == status)
        );
        let before = story.world.at(story.caller).heard.clone();
        story.world.run_for(SECOND);
        assert_ne!(before, story.world.at(story.caller).heard, "{user}: they speak on");
        assert_eq!(segments(&story.record()).len(), 1);
    }
}

#[test]
fn who_may_not_transfer_is_refused() {
    let mut story = talking(6, "");
    story.world.transfers_in(story.caller, "8001", MILLISECOND);
    story.world.run_for(SECOND);
    assert_eq!(
        story.world.at(story.caller).transfers.told,
        [403],
        "a carrier's caller would call at our cost"
    );
    let mut story =
        talking(7, "[agent.dora]\ncall = \"sip:d@10.2.0.14:5060\"\nqueues = []\ntransfers = false\n");
    story.world.reload(&house::house(&[DESK, &ANNA.replace("queues", "transfers = false\nqueues"), BO]));
    story.transfers_to("8001");
    story.world.run_for(SECOND);
    assert_eq!(story.told(), [403], "live");
    story.record();
}

#[test]
fn a_busy_or_absent_party_gives_the_agent_his_caller_back() {
    for (behaviour, status) in
        [(Behaviour::Busy, 486), (Behaviour::NeverAnswers, 480), (Behaviour::Refuses(603, SECOND), 603)]
    {
        let mut story = talking(8, "");
        out(&mut story, behaviour);
        story.transfers_to("0301234");
        story.world.run_for(20 * SECOND);
        assert_eq!(story.told().last(), Some(&status));
        assert_eq!(story.world.state(story.anna), PhoneState::Talking);
        let before = story.world.at(story.caller).heard[&story.world.at(story.anna).voice()];
        story.world.run_for(SECOND);
        assert!(
            story.world.at(story.caller).heard[&story.world.at(story.anna).voice()] > before,
            "they talk again"
        );
        let record = story.record();
        assert_eq!(segments(&record), [(0, 1, Some("anna")), (0, 1, Some("anna"))]);
        assert_eq!(record.transfers[0].status, Some(status));
        assert_eq!(story.world.agent_state("anna"), AgentState::Idle);
    }
}

#[test]
fn while_the_new_party_rings_the_caller_hears_it_ring_or_the_music_of_transfers() {
    let mut story = talking(9, "");
    out(&mut story, Behaviour::NeverAnswers);
    story.transfers_to("0301234");
    story.world.run_for(100 * MILLISECOND);
    let voice = story.world.at(story.anna).voice();
    let (mine, all) = (
        story.world.at(story.caller).heard[&voice],
        story.world.at(story.caller).heard.values().sum::<u64>(),
    );
    story.world.run_for(2 * SECOND);
    let now = story.world.at(story.caller);
    assert_eq!(now.heard[&voice], mine, "the agent is not heard any more");
    assert!(now.heard.values().sum::<u64>() > all + 90, "and it rings");
    story.record();
    let mut world =
        house::world(9, &[&DESK.replace("[transfers]", "[transfers]\nmusic = \"prompts/menu.wav\""), ANNA]);
    let (anna, caller) = (anna(&mut world, Behaviour::Answers(SECOND)), world.caller("+49301"));
    world.phone_at("outside", "10.3.0.1:5060", Behaviour::NeverAnswers);
    world.dials(caller, "+4930999");
    world.transfers_in(anna, "0301234", 3 * SECOND);
    world.run_for(5 * SECOND);
    assert!(heard(&world, caller, "menu"), "{}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Teams hangs up some 300 ms after our 202.
#[test]
fn the_agent_hangs_up_at_once_and_the_caller_reaches_whom_he_was_to_reach() {
    for pause in [0, 5, 20, 25, 30, 40, 300, 1_000] {
        for user in ["bo", "8001", "0301234"] {
            let mut story = talking(10, "");
            out(&mut story, Behaviour::Answers(2 * SECOND));
            story.transfers_to(user);
            story.world.hangs_up_in(story.anna, pause * MILLISECOND + 12 * MILLISECOND);
            story.world.run_for(4 * SECOND);
            assert_eq!(
                story.world.state(story.caller),
                PhoneState::Talking,
                "{user} {pause}: {}",
                story.world.ladder()
            );
            assert_eq!(story.world.agent_state("anna"), AgentState::WrapUp);
            let record = story.record();
            assert_eq!(record.transfers[0].status, Some(200), "{user} {pause}");
        }
    }
}

#[test]
fn who_has_gone_cannot_get_him_back_so_he_is_the_first_of_his_queue_again() {
    let mut story = talking(11, "");
    let other = story.world.caller("+49302");
    story.world.dials(other, "+4930999");
    out(&mut story, Behaviour::Busy);
    story.transfers_to("0301234");
    story.world.hangs_up_in(story.anna, 5 * MILLISECOND);
    story.world.run_for(SECOND);
    assert_eq!((story.world.waiting("support"), story.world.agent_state("anna")), (2, AgentState::WrapUp));
    story.world.run_for(12 * SECOND);
    assert_eq!(assigned(&story.world), ["anna", "anna"]);
    assert_eq!(story.world.waiting("support"), 1);
    story.world.hangs_up_in(other, MILLISECOND);
    story.world.run_for(SECOND);
    assert_eq!(left(&story.world), [LeftQueue::Answered, LeftQueue::Answered, LeftQueue::Abandoned]);
    story.world.hangs_up_in(story.caller, SECOND);
    story.world.run_until_silent().assert_nothing_left();
}

#[test]
fn who_has_gone_is_rung_back_if_that_is_written() {
    let back = DESK.replace("[transfers]", "[transfers]\nwhen_gone = \"back\"");
    let mut world = house::world(12, &[&back, ANNA]);
    let (anna, caller) = (anna(&mut world, Behaviour::Answers(SECOND)), world.caller("+49301"));
    world.phone_at("outside", "10.3.0.1:5060", Behaviour::Busy);
    world.dials(caller, "+4930999");
    world.transfers_in(anna, "0301234", 3 * SECOND);
    world.hangs_up_in(anna, 3_005 * MILLISECOND);
    world.run_for(6 * SECOND);
    assert_eq!(
        (world.agent_state("anna"), world.at(anna).answered),
        (AgentState::Talking, 2),
        "{}",
        world.ladder()
    );
    assert_eq!(world.state(caller), PhoneState::Talking);
    world.hangs_up_in(caller, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
    let record = world.records().remove(0);
    assert_eq!(segments(&record).last(), Some(&(0, 3, Some("anna"))));
    assert!(steps(&world).contains(&TransferStep::RingsBack { by: 1 }));
}

#[test]
fn who_has_gone_leaves_him_to_a_flow_if_that_is_written() {
    let flow = DESK.replace("[transfers]", "[transfers]\nwhen_gone = \"flow.closed\"");
    let mut world = house::world(13, &[&flow, ANNA]);
    let (anna, caller) = (anna(&mut world, Behaviour::Answers(SECOND)), world.caller("+49301"));
    world.phone_at("outside", "10.3.0.1:5060", Behaviour::Busy);
    world.dials(caller, "+4930999");
    world.transfers_in(anna, "0301234", 3 * SECOND);
    world.hangs_up_in(anna, 3_005 * MILLISECOND);
    assert_eq!(the_end(&mut world).0, Cause::FlowEnded);
    assert!(heard(&world, caller, "closed"));
}

#[test]
fn the_caller_hangs_up_while_the_new_party_rings() {
    for user in ["bo", "0301234"] {
        let mut story = talking(14, "");
        out(&mut story, Behaviour::NeverAnswers);
        story.transfers_to(user);
        story.world.run_for(SECOND);
        story.world.hangs_up_in(story.caller, MILLISECOND);
        story.world.run_for(SECOND);
        assert_eq!(story.told().last(), Some(&487), "{user}");
        assert_eq!(story.world.state(story.anna), PhoneState::Ended);
        assert_eq!(the_end(&mut story.world).0, Cause::Abandoned);
        assert_eq!(
            (story.world.agent_state("anna"), story.world.agent_state("bo")),
            (AgentState::Idle, AgentState::NotReady)
        );
    }
}

#[test]
fn a_transfer_to_a_flow_or_to_a_number_of_ours_runs_it() {
    for user in ["8888", "+4930555"] {
        let mut story = talking(15, "");
        story.transfers_to(user);
        assert_eq!(the_end(&mut story.world).0, Cause::FlowEnded);
        assert!(heard(&story.world, story.caller, "closed"), "{user}");
        assert_eq!(story.told(), [100, 200]);
    }
}

#[test]
fn a_full_queue_takes_nobody_and_the_agent_keeps_his_caller() {
    let mut story = talking(16, "");
    story.world.switch_queue("sales", router::status::Door::Close);
    story.transfers_to("8001");
    story.world.run_for(SECOND);
    assert_eq!((story.told(), story.world.state(story.anna)), (&[480][..], PhoneState::Talking));
    story.record();
}

/// With `transfers = true` on the carrier: desk phones behind it.
fn trusting() -> String {
    house::HOUSE
        .replace("accept_from = [\"10.1.0.0/16\"]", "accept_from = [\"10.1.0.0/16\"]\ntransfers = true")
}

#[test]
fn both_want_to_transfer_at_once_and_one_of_them_waits() {
    let mut world = World::new(17, &format!("{}{DESK}{ANNA}{BO}", trusting()));
    let (anna, bo) =
        (anna(&mut world, Behaviour::Answers(SECOND)), bo(&mut world, Behaviour::Answers(2 * SECOND)));
    world.agent_wish("bo", Wish::Paused);
    let caller = world.caller("+49301");
    world.dials(caller, "+4930999");
    world.transfers_in(anna, "bo", 3 * SECOND);
    world.transfers_in(caller, "bo", 3 * SECOND);
    world.run_for(7 * SECOND);
    let told = [&world.at(anna).transfers.told, &world.at(caller).transfers.told];
    assert!(
        told.iter().any(|told| told[..] == [491]) && told.iter().any(|told| told[..] == [100, 180, 200]),
        "{told:?}"
    );
    assert_eq!(world.agent_state("bo"), AgentState::Talking);
    [caller, anna, bo].into_iter().for_each(|phone| world.hangs_up_in(phone, SECOND));
    world.run_until_silent().assert_nothing_left();
}

/// A desk phone has called somebody outside and hands him to support.
#[test]
fn who_has_called_transfers_whom_he_called_into_a_queue() {
    let mut world = World::new(
        18,
        &format!(
            "{}{DESK}{ANNA}[[number]]\nmatch = \"0*\"\ntrunk = \"carrier\"\nflow = \"out\"\n[flow.out]\nsteps = [{{ dial = \"{{called}}@out\" }}]\n",
            trusting()
        ),
    );
    let anna = anna(&mut world, Behaviour::Answers(SECOND));
    let outside = world.phone_at("outside", "10.3.0.1:5060", Behaviour::Answers(SECOND));
    let desk = world.caller("desk");
    world.dials(desk, "0301234");
    world.transfers_in(desk, "+4930999", 3 * SECOND);
    world.run_for(4 * SECOND);
    assert_eq!(world.state(desk), PhoneState::Ended, "{}", world.ladder());
    world.run_for(3 * SECOND);
    assert!(world.heard(anna, outside) && world.heard(outside, anna), "{}", world.ladder());
    world.hangs_up_in(outside, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CallerHungUp);
    let record = world.records().remove(0);
    assert_eq!(segments(&record), [(0, 1, None), (1, 2, Some("anna"))]);
    assert_eq!(world.agent_state("anna"), AgentState::Idle);
}

#[test]
fn who_has_called_transfers_whom_he_called_and_gets_him_back_when_it_fails() {
    let mut world = World::new(19, &format!("{}{DESK}{ANNA}", trusting()));
    let (anna, caller) = (anna(&mut world, Behaviour::Answers(SECOND)), world.caller("+49301"));
    world.phone_at("outside", "10.3.0.1:5060", Behaviour::Busy);
    world.dials(caller, "+4930999");
    world.transfers_in(caller, "0301234", 3 * SECOND);
    world.run_for(5 * SECOND);
    assert_eq!((world.state(caller), world.state(anna)), (PhoneState::Talking, PhoneState::Talking));
    assert_eq!(world.agent_state("anna"), AgentState::Talking);
    world.transfers_in(caller, "8001", MILLISECOND);
    world.run_for(SECOND);
    assert_eq!(world.at(caller).transfers.told.last(), Some(&403), "an agent is put into no queue");
    world.hangs_up_in(anna, SECOND);
    assert_eq!(the_end(&mut world).0, Cause::CalledHungUp);
}

#[test]
fn a_caller_on_hold_is_transferred_like_any_other() {
    let mut story = talking(20, "");
    story.world.holds_in(story.anna, true, MILLISECOND);
    story.world.transfers_in(story.anna, "bo", SECOND);
    story.world.run_for(5 * SECOND);
    assert!(story.world.heard(story.caller, story.bo) && story.world.heard(story.bo, story.caller));
    let record = story.record();
    assert_eq!(segments(&record).len(), 2);
    assert!((800..1_200).contains(&record.hold_ms), "{}", record.hold_ms);
}

#[test]
fn who_is_transferred_out_of_a_hold_hears_its_music_no_more() {
    let silent = DESK.replace("[queue.sales]\nmusic = \"prompts/welcome.wav\"\n", "[queue.sales]\n");
    let mut world = house::world(26, &[&silent, ANNA]);
    let (anna, caller) = (anna(&mut world, Behaviour::Answers(SECOND)), world.caller("+49301"));
    world.dials(caller, "+4930999");
    world.run_for(4 * SECOND);
    world.holds_by_in(anna, HoldBy::Inactive, MILLISECOND);
    world.run_for(SECOND);
    world.transfers_in(anna, "8001", MILLISECOND);
    world.run_for(SECOND);
    let heard = |world: &World| world.at(caller).heard.get(&world.voice_of("music")).copied().unwrap_or(0);
    let before = heard(&world);
    world.run_for(SECOND);
    assert!(before > 40 && heard(&world) == before, "{before} {}", world.ladder());
    world.hangs_up_in(caller, SECOND);
    world.run_until_silent().assert_nothing_left();
}

/// Who of two callers in sales is first: `mine`, who came to support first and was transferred later than `other` came to
/// sales, or that other.
fn transferred_is_first(seed: u64, sales: &str) -> bool {
    let number = "[[number]]\nmatch = \"8\"\ntrunk = \"carrier\"\nflow = \"sales\"\n[flow.sales]\nsteps = [{ queue = \"sales\" }, \"hangup\"]\n";
    let desk = DESK.replace("[queue.sales]", &format!("[queue.sales]\n{sales}"));
    let mut world = house::world(seed, &[&desk, ANNA, number]);
    let (anna, mine) = (anna(&mut world, Behaviour::Answers(SECOND)), world.caller("+49301"));
    world.dials(mine, "+4930999");
    world.run_for(5 * SECOND);
    let other = world.caller("+49302");
    world.dials(other, "8");
    world.run_for(5 * SECOND);
    world.transfers_in(anna, "8001", MILLISECOND);
    world.run_for(2 * SECOND);
    let carla = world.phone_at("carla", "10.2.0.13:5060", Behaviour::Answers(SECOND));
    world.agent_wish("carla", Wish::Ready);
    world.run_for(3 * SECOND);
    let first = world.heard(carla, mine);
    assert_ne!(first, world.heard(carla, other));
    [mine, other].into_iter().for_each(|caller| world.hangs_up_in(caller, SECOND));
    world.run_until_silent().assert_nothing_left();
    first
}

#[test]
fn a_transferred_caller_keeps_his_place_unless_the_queue_lets_him_begin_anew() {
    assert!(transferred_is_first(40, ""), "he came to a queue first");
    assert!(!transferred_is_first(41, "transferred = { place = \"anew\" }"));
    assert!(transferred_is_first(42, "transferred = { place = \"anew\", boost = \"1m\" }"));
}
