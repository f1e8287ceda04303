//! Random days: whatever happens, the laws hold after every turn and nothing is left at silence.
//!
//! 1,250 seeds, in five kinds of day. `FERNAMT_SEED=4711 cargo test -p testbed --test seeds one_day` plays one day
//! of each kind again and shows its messages; `FERNAMT_DAYS=10000` plays so many of each kind instead of 250.

mod house;

use std::time::Duration;

use house::{
    days::{Diary, number, seeds},
    ends, left,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use router::{
    journal::fact::{CallbackEnd, Cause, LeftQueue, TransferStep, Unanswered, What, Wish},
    status::Door,
};
use sip_core::Service;
use testbed::{
    Behaviour, Link, PhoneId, World,
    world::{MILLISECOND, SECOND},
};

/// Telephones speak rarely here: the stories listen, the seeds are about signalling.
const RTP_GAP: Duration = Duration::from_secs(2);

/// A service desk with three queues, one of which rings several at once, four agents of whom two have two addresses,
/// and a line to Teams.
const DESK: &str = r#"
[[number]]
match = "1"
trunk = "carrier"
flow = "menu"
[[number]]
match = "2"
trunk = "carrier"
flow = "straight"
[[number]]
match = "3"
trunk = "carrier"
flow = "early"
[[number]]
match = "4*"
trunk = "carrier"
flow = "through"
[[number]]
match = "5"
trunk = "carrier"
flow = "hotline"
[[number]]
match = "6"
trunk = "carrier"
flow = "patience"
[trunk.out]
send_to = ["udp:10.3.0.1:5060"]
[flow.patience]
steps = [
  { callback = { queue = "hotline", dial = "{caller}@out", prompt = "prompts/welcome.wav", ring_timeout = "6s", retry = "1m", expires = "5m" } },
  { callback = { queue = "sales", dial = "{caller}@out", ring_timeout = "6s", retry = "1m", expires = "5m" } },
  "hangup",
]
[flow.menu]
steps = [
  { play = "prompts/welcome.wav" },
  { menu = { prompt = "prompts/menu.wav", timeout = "3s", tries = 2, keys = { 1 = "queue.sales", 2 = "queue.support", 3 = "flow.through", 7 = "flow.patience" }, otherwise = "queue.support" } },
  { goto = "flow.straight" },
]
[flow.straight]
steps = [{ queue = "support" }, { play = "prompts/closed.wav" }, { queue = "sales" }, "hangup"]
[flow.hotline]
steps = [{ queue = "hotline" }, { queue = "support" }, "hangup"]
[flow.early]
steps = [{ queue = { name = "sales", early = true } }, { dial = "{called}@teams" }, { reject = 480 }]
[flow.through]
steps = [{ dial = { to = "{called}@teams", ring_timeout = "6s", busy = "flow.straight" } }]
[callers.gold]
numbers = "caller1"
boost = "5s"
priority = 1
[queue.support]
sticky = { within = "1h", wait = "15s" }
returning = { within = "5m", boost = "10s" }
music = "prompts/music.wav"
ring_timeout = "5s"
wrap_up = "2s"
max_wait = "20s"
keys = { 1 = "queue.sales", 2 = "flow.patience", 7 = "flow.early" }
rest_no_answer = "4s"
rest_rejected = "3s"
[queue.sales]
priority = 3
ring_timeout = "3s"
max_wait = "12s"
max_waiting = 2
announcement = "prompts/welcome.wav"
closed_prompt = "prompts/closed.wav"
turn_away_when = "nobody-logged-in"
leave_when = "nobody-ready"
leave_grace = "4s"
when_removed = "queue.support"
dead_air = "0s"
rest_no_answer = "2s"
rest_rejected = "1s"
[queue.hotline]
sticky = { within = "1h", wait = "12s" }
head_start = "3s"
strategy = "ring-all"
ring_at_once = 3
keys = { 2 = "queue.support", 3 = "next", 7 = "hangup" }
least_skill = 5
widen = [{ after = "6s", least_skill = 1 }]
music = "prompts/music.wav"
ring_timeout = "4s"
max_wait = "15s"
rest_no_answer = "3s"
rest_rejected = "1s"
pause_after = 5
[[transfer]]
match = "81"
to = "queue.sales"
[[transfer]]
match = "82"
to = "queue.hotline"
[[transfer]]
match = "83"
to = "flow.menu"
[[transfer]]
match = "9*"
to = "{called}@out"
[transfers]
ring_timeout = "6s"
[agent.dora]
call = "sip:dora@10.2.0.14:5060"
queues = [{ queue = "hotline", skill = 2 }]
[agent.anna]
call = ["sip:anna@10.2.0.11:5060", "sip:anna@10.2.0.21:5060"]
ring = "in-turn"
queues = ["support", "sales", "hotline"]
"#;
/// The desk with these sections, in a house whose callers may transfer too.
fn desk(sections: &[&str]) -> String {
    let from = "accept_from = [\"10.1.0.0/16\"]";
    house::house(sections).replace(from, &format!("{from}\ntransfers = true"))
}

const BO: &str = "[agent.bo]\ncall = [\"sip:bo@10.2.0.12:5060\", \"sip:bo@10.2.0.22:5060\"]\nqueues = [\"support\", \"hotline\"]\n";
const CARLA: &str = "[agent.carla]\ncall = \"+49555@teams\"\nqueues = [\"hotline\", \"sales\", \"support\"]\nlogin = \"manual\"\n";

/// How a kind of day differs from the next.
#[derive(Clone, Copy)]
struct Kind {
    link: fn() -> Link,
    /// All times are multiples of this: the coarser, the more happens in the same instant.
    grid: Duration,
    /// Operators reload, pause agents and stop taking calls.
    operators: bool,
    /// Telephones hold, press keys, fall mute and die.
    whims: bool,
    /// The router dies and comes back.
    crashes: bool,
}

const LOSSY: Kind =
    Kind { link: || Link::lossy(0.1), grid: MILLISECOND, operators: false, whims: false, crashes: false };
const WHIMS: Kind = Kind { whims: true, ..LOSSY };
const CRASHES: Kind = Kind { crashes: true, ..WHIMS };
const OPERATORS: Kind = Kind { operators: true, ..WHIMS };
const SAME_INSTANT: Kind = Kind { link: Link::perfect, grid: SECOND, ..OPERATORS };

struct Day {
    world: World,
    random: SmallRng,
    kind: Kind,
}

impl Day {
    fn new(seed: u64, kind: Kind) -> Day {
        let mut day = Day {
            world: World::new(seed, &desk(&[DESK, BO, CARLA])).link((kind.link)()).rtp_every(RTP_GAP),
            random: SmallRng::seed_from_u64(seed),
            kind,
        };
        for (name, address) in [
            ("anna", "10.2.0.11:5060"),
            ("anna-mobile", "10.2.0.21:5060"),
            ("bo", "10.2.0.12:5060"),
            ("bo-mobile", "10.2.0.22:5060"),
            ("dora", "10.2.0.14:5060"),
            ("teams", "10.2.0.1:5060"),
        ] {
            let behaviour = day.behaviour();
            let phone = day.world.phone_at(name, address, behaviour);
            if kind.whims {
                day.whims(phone);
            }
        }
        day.customer_at_home();
        day
    }

    /// Up to `most`, on the grid.
    fn time(&mut self, most: Duration) -> Duration {
        let steps = u32::try_from(most.as_millis() / self.kind.grid.as_millis()).unwrap();
        self.random.random_range(0..=steps) * self.kind.grid
    }

    /// Whoever is called back: he hangs up some time, for nobody else might.
    fn customer_at_home(&mut self) {
        let (soon, talk) = (self.time(6 * SECOND), self.time(20 * SECOND) + MILLISECOND);
        let behaviour = match self.behaviour() {
            other @ (Behaviour::NeverAnswers | Behaviour::Busy | Behaviour::Dead) => other,
            _ => Behaviour::AnswersFor(soon, talk),
        };
        let phone = self.world.phone_at("at home", "10.3.0.1:5060", behaviour);
        if self.kind.whims {
            self.whims(phone);
        }
    }

    fn behaviour(&mut self) -> Behaviour {
        let soon = self.time(6 * SECOND);
        match self.random.random_range(0..9) {
            0 => Behaviour::NeverAnswers,
            1 => Behaviour::Busy,
            2 => Behaviour::Refuses(603, soon),
            3 => Behaviour::EarlySound(soon),
            4 => Behaviour::Dead,
            5 | 6 => Behaviour::AnswersFor(soon, self.time(20 * SECOND) + MILLISECOND),
            _ => Behaviour::Answers(soon),
        }
    }

    fn whims(&mut self, phone: PhoneId) {
        self.transfers(phone);
        for _ in 0..self.random.random_range(0..3) {
            let (at, key) = (self.time(40 * SECOND), self.key());
            match self.random.random_range(0..8) {
                0 | 1 => self.world.holds_in(phone, true, at),
                2 => self.world.holds_in(phone, false, at),
                3 => self.world.mutes_in(phone, true, at),
                4 if self.random.random_bool(0.3) => self.world.dies_in(phone, at),
                5 => self.world.hangs_up_in(phone, at),
                _ => self.world.presses_in(phone, key, at),
            }
        }
    }

    /// Now and then somebody transfers whom he talks to; some hang up before they hear what came of it.
    fn transfers(&mut self, phone: PhoneId) {
        for _ in 0..self.random.random_range(0..4) {
            let (at, user) = (self.time(50 * SECOND), self.target());
            self.world.transfers_in(phone, user, at);
            if self.random.random_bool(0.3) {
                let pause = self.time(SECOND);
                self.world.hangs_up_in(phone, at + pause);
            }
        }
    }

    /// Whom somebody is transferred to, who need not be there.
    fn target(&mut self) -> &'static str {
        ["anna", "bo", "dora", "carla", "81", "82", "83", "901", "2", "41", "nobody"]
            [self.random.random_range(0..11)]
    }

    fn key(&mut self) -> char {
        ['1', '2', '3', '7', '#'][self.random.random_range(0..5)]
    }

    fn caller(&mut self, number: usize) {
        let number = if self.random.random_bool(0.5) { number } else { 1 };
        let caller = self.world.caller(&format!("caller{number}"));
        let called = ["1", "2", "5", "3", "41", "5", "6"][self.random.random_range(0..7)];
        self.world.dials(caller, called);
        if called == "1" {
            let (key, at) = (self.key(), self.time(7 * SECOND));
            self.world.presses_in(caller, key, at);
        }
        if self.kind.whims {
            self.whims(caller);
        }
        let at = self.time(70 * SECOND);
        self.world.hangs_up_in(caller, at);
    }

    fn operator(&mut self) {
        match self.random.random_range(0..8) {
            0 => self.world.reload(&desk(&[DESK, BO])),
            1 => self.world.reload(&desk(&[DESK, BO, CARLA])),
            2 => self
                .world
                .reload(&desk(&[&DESK.replace("sales", "trade"), CARLA]).replace("\"sales\"", "\"trade\"")),
            3 => self.world.service(Service::Overloaded),
            4 => self.world.service(Service::Open),
            5 => self.world.switch_queue("support", Door::Close),
            6 => self.world.switch_queue("support", Door::Open),
            _ => {}
        }
        let agents: Vec<String> = self.world.config().agents().map(|(_, agent)| agent.name.clone()).collect();
        let agent = &agents[self.random.random_range(0..agents.len())];
        let wish = [Wish::Ready, Wish::Ready, Wish::Paused, Wish::LoggedOut][self.random.random_range(0..4)];
        self.world.agent_wish(agent, wish);
    }

    /// Two agents whom a caller has left with each other would speak for ever.
    fn everybody_tires(&mut self) {
        for round in 2..10 {
            (0..self.world.phones().len())
                .for_each(|phone| self.world.hangs_up_in(PhoneId(phone), round * 60 * SECOND));
        }
    }

    fn pass(&mut self) {
        let callers = self.random.random_range(1..7);
        for number in 0..callers {
            self.caller(number);
            let pause = self.time(8 * SECOND);
            self.world.run_for(pause);
            if self.kind.operators {
                self.operator();
            }
            if self.kind.crashes && self.random.random_bool(0.3) {
                let down = self.time(20 * SECOND);
                self.world.crashes_for(down);
            }
        }
        self.everybody_tires();
        self.world.service(Service::Open); // as long as no calls are taken nobody is called back
        self.world.run_until_silent().assert_nothing_left();
    }
}

/// What the days of one test came to: they must not be idle ones.
#[derive(Debug, Default)]
struct Sums {
    calls: usize,
    talks: usize,
    abandoned: usize,
    timed_out: usize,
    lost: usize,
    elsewhere: usize,
    silent: usize,
    sticky: usize,
    kept: usize,
    called_back: usize,
    given_up: usize,
    transferred: usize,
    not_transferred: usize,
}

fn days(first: u64, kind: Kind) -> Sums {
    let mut sums = Sums::default();
    for seed in seeds(first, 250) {
        let _diary = Diary(seed);
        let mut day = Day::new(seed, kind);
        day.pass();
        let world = &day.world;
        let count = |cause| ends(world).iter().filter(|end| end.0 == cause).count();
        let left = |how| left(world).iter().filter(|left| **left == how).count();
        sums.calls += ends(world).len();
        sums.talks += world.records().iter().filter(|record| record.is_connected()).count();
        sums.abandoned += left(LeftQueue::Abandoned);
        sums.timed_out += left(LeftQueue::TimedOut);
        sums.lost += count(Cause::MediaLost);
        let unanswered = |wanted: Unanswered| {
            house::count(world, |what| matches!(what, What::Unanswered { why, .. } if *why == wanted))
        };
        sums.elsewhere += unanswered(Unanswered::AnsweredElsewhere);
        sums.silent += unanswered(Unanswered::Silent);
        let over = |wanted: fn(CallbackEnd) -> bool| {
            house::count(world, |what| matches!(what, What::CallbackOver { how, .. } if wanted(*how)))
        };
        sums.called_back += over(|how| how == CallbackEnd::Reached);
        sums.given_up += over(|how| how != CallbackEnd::Reached);
        let over = |wanted: fn(u16) -> bool| {
            let is_wanted = |what: &What| match what {
                What::Transfer(TransferStep::Over { status, .. }) => wanted(*status),
                _ => false,
            };
            house::count(world, is_wanted)
        };
        sums.transferred += over(|status| status == 200);
        sums.not_transferred += over(|status| status != 200);
        sums.kept += house::count(world, |what| matches!(what, What::Queued { kept: Some(_), .. }));
        sums.sticky += house::count(world, |what| matches!(what, What::Queued { sticky: Some(_), .. }));
    }
    sums
}

#[test]
fn on_two_hundred_and_fifty_days_a_tenth_of_all_datagrams_is_lost_and_others_come_twice_or_late() {
    let sums = days(0, LOSSY);
    assert!(sums.calls > 500 && sums.talks > 150 && sums.abandoned > 50 && sums.timed_out > 20, "{sums:?}");
    assert!(sums.elsewhere > 50, "{sums:?}");
}

#[test]
fn on_as_many_days_telephones_hold_and_press_keys_and_fall_mute_and_die() {
    let sums = days(1_000_000, WHIMS);
    assert!(sums.called_back > 20 && sums.given_up > 20, "{sums:?}");
    assert!(sums.calls > 500 && sums.talks > 150 && sums.lost > 2 && sums.silent > 8, "{sums:?}");
    assert!(sums.transferred > 20 && sums.not_transferred > 20, "{sums:?}");
}

#[test]
fn on_as_many_days_the_router_dies_and_is_started_again() {
    let sums = days(4_000_000, CRASHES);
    assert!(sums.called_back > 5 && sums.given_up > 20, "{sums:?}");
    assert!(sums.calls > 500 && sums.talks > 150 && sums.kept > 10, "{sums:?}");
}

#[test]
fn on_as_many_days_operators_reload_and_send_agents_away_and_stop_taking_calls() {
    let sums = days(2_000_000, OPERATORS);
    assert!(sums.calls > 400 && sums.talks > 100 && sums.abandoned > 50, "{sums:?}");
    assert!(sums.called_back > 5 && sums.given_up > 20, "{sums:?}");
    assert!(sums.elsewhere > 20 && sums.sticky > 5, "{sums:?}");
}

#[test]
fn on_as_many_days_everything_happens_on_the_full_second() {
    let sums = days(3_000_000, SAME_INSTANT);
    assert!(sums.calls > 400 && sums.talks > 100 && sums.timed_out > 20, "{sums:?}");
}

#[test]
fn one_day() {
    let seed = number("FERNAMT_SEED").unwrap_or(7);
    for kind in [LOSSY, WHIMS, CRASHES, OPERATORS, SAME_INSTANT] {
        let _diary = Diary(seed);
        let mut day = Day::new(seed, kind);
        day.pass();
        println!("{}\n", day.world.ladder());
    }
}
