//! Random days of telephones: they register, refresh their sessions, speak SRTP or not, hold, consult and transfer, Teams
//! sends transfers round, and operators reload meanwhile. The laws hold after every turn, and nothing is left at silence.
//!
//! 200 seeds, in four kinds of day. `FERNAMT_SEED=4711 cargo test -p testbed --test seeds_telephones one_day` plays one day
//! of each kind again and shows its messages; `FERNAMT_DAYS=5000` plays so many of each kind.

mod house;

use std::time::Duration;

use house::days::{Diary, number, seeds};
use media::{MediaLegKey, sdp::Srtp, srtp::Suite};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use router::{
    call::{Call, StageName},
    journal::fact::{Fact, TransferStep, What, Wish},
};
use sip_core::{
    Message, SessionPolicy, Terms,
    auth::digest::{Algorithm, Ha1},
};
use testbed::{
    Behaviour, Link, PhoneId, World,
    phone::{HoldBy, Phone, PhoneState},
    world::{MILLISECOND, SECOND},
};

/// Telephones speak rarely here: the stories listen, the seeds are about signalling.
const RTP_GAP: Duration = Duration::from_secs(2);
const PASSWORD: &str = "correct horse";

const DESK: &str = r#"
[listen]
sip = ["udp:10.0.0.1:5060"]
[media]
address = "10.0.0.1"
silence_timeout = "30s"
[trunk.carrier]
accept_from = ["10.1.0.0/16"]
send_to = ["udp:10.3.0.1:5060"]
transfers = true
session_expires = "90s"
srtp = "optional"
[trunk.teams]
accept_from = ["10.2.0.0/16"]
send_to = ["udp:10.2.0.1:5060", "udp:10.2.0.2:5060"]
session_expires = "90s"
refresh = "reinvite"
srtp = "required"
srtp_suites = ["AES_CM_128_HMAC_SHA1_80"]
transfers_return = true
transfers_rejoin = ["referred-by", "history-info"]
agents_dial_out = true
[[number]]
match = "1"
trunk = "carrier"
flow = "support"
[[number]]
match = "2"
flow = "sales"
[[number]]
match = "+49307*"
trunk = "teams"
flow = "sales"
[[number]]
match = "+491*"
flow = "out"
[flow.support]
steps = [{ queue = "support" }, { queue = "sales" }, "hangup"]
[flow.sales]
steps = [{ queue = "sales" }, { dial = { to = "{called}@teams", ring_timeout = "6s" } }, "hangup"]
[flow.out]
steps = [{ dial = { to = "{called}@carrier", ring_timeout = "6s" } }]
[queue.support]
music = "prompts/music.wav"
ring_timeout = "6s"
wrap_up = "2s"
max_wait = "40s"
rest_no_answer = "3s"
rest_rejected = "2s"
[queue.sales]
strategy = "ring-all"
ring_at_once = 2
music = "prompts/music.wav"
ring_timeout = "5s"
max_wait = "30s"
dead_air = "0s"
rest_no_answer = "2s"
rest_rejected = "1s"
[[transfer]]
match = "81"
to = "queue.sales"
[[transfer]]
match = "9*"
to = "{called}@carrier"
[transfers]
ring_timeout = "6s"
when_gone = "back"
music = "prompts/menu.wav"
[registrar]
accept_from = ["10.7.0.0/16"]
keep_alive = "30s"
"#;

const CARLA: &str = "[agent.carla]\ncall = \"+49555@teams\"\nqueues = [\"support\", \"sales\"]\n";
/// What Teams writes into what it transfers, and into what comes of it.
const REFERRED_BY: &str = "<sip:10.2.0.1:5060;x-m=8:orgid:66ad;x-ti=3f0c>";

/// An agent with a telephone that registers.
fn agent(name: &str, number: u32, more: &str) -> String {
    let ha1 = Ha1::of(Algorithm::Sha256, name, "fernamt", PASSWORD);
    let reach = "trunk = \"carrier\", may_call = [\"+49\", \"0\"], calls_at_once = 2, calls_per_hour = 50";
    format!(
        "[agent.{name}]\ncall = \"phone\"\n{more}\nphone = {{ user = \"{name}\", ha1_sha256 = \"{}\", number = \"{number}\", {reach} }}\n",
        ha1.reveal()
    )
}

/// The desk with these agents.
fn desk(agents: &[String]) -> String {
    format!("{DESK}{}", agents.concat())
}

fn everybody() -> [String; 4] {
    [
        agent("anna", 21, "queues = [\"support\", \"sales\"]\nsrtp = \"optional\""),
        agent("bo", 22, "queues = [\"sales\"]"),
        agent("dora", 23, "queues = [\"support\"]"),
        CARLA.to_owned(),
    ]
}

/// How a kind of day differs from the next.
#[derive(Clone, Copy)]
struct Kind {
    link: fn() -> Link,
    /// All times are multiples of this: the coarser, the more happens in the same instant.
    grid: Duration,
    /// Operators reload and pause agents.
    operators: bool,
    /// The router dies and comes back.
    crashes: bool,
}

const CALM: Kind = Kind { link: Link::perfect, grid: MILLISECOND, operators: false, crashes: false };
const LOSSY: Kind = Kind { link: || Link::lossy(0.05), operators: true, ..CALM };
const SAME_INSTANT: Kind = Kind { grid: SECOND, operators: true, ..CALM };
const CRASHES: Kind = Kind { crashes: true, ..LOSSY };

struct Day {
    world: World,
    random: SmallRng,
    kind: Kind,
    /// Those that register, with whose they are.
    desks: Vec<(PhoneId, &'static str)>,
    teams: PhoneId,
    /// Whence Teams calls.
    teams_out: PhoneId,
}

impl Day {
    fn new(seed: u64, kind: Kind) -> Day {
        let mut world = World::new(seed, &desk(&everybody())).link((kind.link)()).rtp_every(RTP_GAP);
        let teams = world.phone_at("teams", "10.2.0.1:5060", Behaviour::Busy);
        let teams_out = world.phone_at("+49301", "10.2.0.3:5060", Behaviour::Busy);
        let mut day =
            Day { world, random: SmallRng::seed_from_u64(seed), kind, desks: Vec::new(), teams, teams_out };
        for teams in [teams, teams_out] {
            day.world.encrypts(teams, Srtp::Required, &[Suite::AesCm128HmacSha1_80]);
            day.moods(teams);
        }
        day.world.writes(teams_out, "Referred-By", REFERRED_BY);
        for (last, name) in ["anna", "anna", "bo", "dora"].into_iter().enumerate() {
            day.telephone(name, last);
        }
        let outside = day.world.phone_at("outside", "10.3.0.1:5060", Behaviour::Busy);
        day.moods(outside);
        day
    }

    fn telephone(&mut self, name: &'static str, last: usize) {
        let phone = self.world.phone_at(name, &format!("10.7.0.{}:5062", last + 1), Behaviour::Busy);
        self.world.logs_in(phone, name, PASSWORD);
        if name == "anna" && self.random.random() {
            self.world.encrypts(phone, Srtp::Required, &[Suite::AesCm128HmacSha1_80]);
        }
        self.moods(phone);
        let (expires, first) = (self.random.random_range(60..400), self.time(4 * SECOND));
        for at in [first, first + self.time(200 * SECOND)] {
            self.world.registers_in(phone, &format!("<sip:{name}@192.168.1.{last}:5062>"), expires, at);
        }
        self.desks.push((phone, name));
    }

    /// Up to `most`, on the grid.
    fn time(&mut self, most: Duration) -> Duration {
        let steps = u32::try_from(most.as_millis() / self.kind.grid.as_millis()).unwrap();
        self.random.random_range(0..=steps) * self.kind.grid
    }

    /// How a telephone takes calls, and what it knows.
    fn moods(&mut self, phone: PhoneId) {
        let (soon, talk) = (self.time(4 * SECOND), self.time(150 * SECOND) + MILLISECOND);
        let behaviour = match self.random.random_range(0..10) {
            0 => Behaviour::NeverAnswers,
            1 => Behaviour::Busy,
            2 => Behaviour::Refuses(603, soon),
            3 => Behaviour::EarlySound(soon),
            4 | 5 => Behaviour::AnswersFor(soon, talk),
            _ => Behaviour::Answers(soon),
        };
        self.world.behave(phone, behaviour);
        let policy = SessionPolicy { expires: 90, min_se: 90, by_update: self.random.random() };
        let session = Some(policy).filter(|_| self.random.random());
        self.world.agrees_to(phone, Terms { session, ..Terms::default() });
        if self.random.random_bool(0.2) {
            self.world.stays_after_transfer(phone);
        }
    }

    /// What somebody does who speaks, or does not.
    fn whims(&mut self, phone: PhoneId) {
        for _ in 0..self.random.random_range(0..6) {
            let at = self.time(160 * SECOND);
            let how = [HoldBy::SendOnly, HoldBy::Inactive, HoldBy::Nowhere][self.random.random_range(0..3)];
            match self.random.random_range(0..12) {
                0 | 1 => self.world.holds_by_in(phone, how, at),
                2 | 3 => self.world.holds_in(phone, false, at),
                4 => self.world.hangs_up_in(phone, at),
                5 => self.world.hangs_up_first_in(phone, at),
                6 => self.world.mutes_in(phone, self.random.random(), at),
                7 if self.random.random_bool(0.1) => self.world.dies_in(phone, at),
                8 => self.world.moves_in(phone, "10.7.0.99:40100", at),
                _ => {
                    let to = self.target();
                    self.world.transfers_in(phone, to, at);
                }
            }
        }
    }

    /// Whom somebody is transferred to, who need not be there.
    fn target(&mut self) -> &'static str {
        ["anna", "bo", "dora", "carla", "81", "901", "2", "+491", "nobody"][self.random.random_range(0..9)]
    }

    /// Whom an agent calls.
    fn called(&mut self) -> &'static str {
        ["anna", "bo", "dora", "+4930", "+4930", "01"][self.random.random_range(0..6)]
    }

    fn caller(&mut self, number: usize) {
        let caller = self.world.caller(&format!("caller{number}"));
        self.moods(caller);
        match self.random.random_range(0..3) {
            0 => self.world.encrypts(caller, Srtp::Required, &[Suite::AesCm128HmacSha1_80]),
            1 => self.world.encrypts(caller, Srtp::Optional, &[Suite::AesCm128HmacSha1_32]),
            _ => {}
        }
        let called = ["1", "2"][self.random.random_range(0..2)];
        match self.random.random_bool(0.2) {
            true => self.world.dials_without_offer(caller, called),
            false => self.world.dials(caller, called),
        }
        self.whims(caller);
        let at = self.time(240 * SECOND);
        self.world.hangs_up_in(caller, at);
    }

    /// An agent who speaks puts his caller on hold, calls somebody else, and has the two connected.
    fn consults(&mut self) {
        for (phone, _) in self.desks.clone() {
            if self.world.state(phone) != PhoneState::Talking || self.random.random_bool(0.2) {
                continue;
            }
            self.world.holds_in(phone, true, MILLISECOND);
            let pause = self.time(SECOND);
            self.world.run_for(pause);
            let called = self.called();
            self.world.dials(phone, called);
            let pause = self.time(8 * SECOND);
            self.world.transfers_attended_in(phone, pause);
        }
    }

    /// Somebody picks his call up at his other telephone, or tries to pick up a colleague's.
    fn moves_over(&mut self) {
        // The first two are of the same agent.
        let most = if self.random.random_bool(0.7) { 2 } else { 4 };
        let (old, other) = (self.random.random_range(0..most), self.random.random_range(0..most));
        let (old, other) = (self.desks[old].0, self.desks[other].0);
        if self.world.state(old) != PhoneState::Talking || self.world.state(other) == PhoneState::Talking {
            return;
        }
        if let Some(named) = self.world.call_named(old) {
            self.world.writes_only(other, "Replaces", &named);
            self.world.dials(other, "anna");
            self.world.run_for(SECOND);
            self.world.writes_only(other, "X-Nothing", "1");
        }
    }

    /// An agent in Teams transfers, and Teams may call the number itself.
    fn teams_transfers(&mut self) {
        let target =
            ["<sip:+4930777@10.2.0.1:5060>", "<sip:10.2.0.1:5060;x-m=8:orgid:1c9b>", "<sip:81@10.0.0.1>"]
                [self.random.random_range(0..3)];
        self.world.refers_in(self.teams, target, &[("Referred-By", REFERRED_BY)], MILLISECOND);
        let pause = self.time(SECOND);
        if self.random.random() {
            self.world.hangs_up_first_in(self.teams, pause);
        }
        let pause = self.time(2 * SECOND);
        self.world.run_for(pause);
        if self.random.random_bool(0.8) {
            self.world.dials(self.teams_out, "+4930777");
            let pause = self.time(4 * SECOND);
            self.world.hangs_up_in(self.teams_out, pause);
        }
    }

    /// All who talk do several things at almost the same time.
    fn frenzy(&mut self) {
        for phone in (0..self.world.phones().len()).map(PhoneId) {
            if self.world.state(phone) != PhoneState::Talking {
                continue;
            }
            for _ in 0..self.random.random_range(0..4) {
                let at = self.time(2 * SECOND);
                let how =
                    [HoldBy::SendOnly, HoldBy::Inactive, HoldBy::Nowhere][self.random.random_range(0..3)];
                match self.random.random_range(0..9) {
                    0 | 1 => self.world.holds_by_in(phone, how, at),
                    2 => self.world.holds_in(phone, false, at),
                    3 => self.world.hangs_up_first_in(phone, at),
                    4 => self.world.hangs_up_in(phone, at),
                    5 => self.world.transfers_attended_in(phone, at),
                    6 => {
                        let called = self.called();
                        self.world.dials_in(phone, called, at);
                    }
                    _ => {
                        let to = self.target();
                        self.world.transfers_in(phone, to, at);
                    }
                }
            }
        }
        let pause = self.time(6 * SECOND);
        self.world.run_for(pause);
    }

    /// What somebody says who is connected, and holds nobody, goes out to the other.
    fn sound_goes_on(&mut self) {
        let before = self.heard_and_sent();
        self.world.run_for(3 * RTP_GAP);
        let after = self.heard_and_sent();
        for (pair, said, sent) in before {
            let same = after.iter().find(|(other, ..)| *other == pair);
            let Some((_, said_after, sent_after)) = same else { continue };
            let is_deaf = said_after - said > 1 && sent_after == &sent;
            assert!(!is_deaf, "{pair:?}: what is said is not sent on\n{}", self.world.ladder());
        }
    }

    /// Of two who are connected and have not held each other yet: packets of the one, and packets for the other.
    fn heard_and_sent(&self) -> Vec<((MediaLegKey, MediaLegKey), u64, u64)> {
        let world = &self.world;
        let held = |call| {
            let holds = |fact: &&Fact| fact.call == Some(call) && matches!(fact.what, What::Held { .. });
            world.facts().iter().any(|fact| holds(&fact))
        };
        let talks =
            world.shard().calls().filter(|call| call.stage() == StageName::Talking && !held(call.id()));
        let pairs = talks.filter_map(Call::connected).flat_map(|(a, b)| [(a, b), (b, a)]);
        let counted = |(a, b)| {
            let (said, sent) = (world.engine().stats(a)?, world.engine().stats(b)?);
            Some(((a, b), said.received_packets, sent.sent_packets))
        };
        pairs.filter_map(counted).collect()
    }

    fn operator(&mut self) {
        let [anna, bo, dora, carla] = everybody();
        match self.random.random_range(0..8) {
            0 => self.world.reload(&desk(&[anna, bo, carla])),
            1 => self.world.reload(&desk(&[anna, bo, dora, carla])),
            2 => self.world.reload(&desk(&[anna, dora])),
            3 => {
                let desk = desk(&[anna, bo, dora, carla]).replace("sales", "trade");
                self.world.reload(&desk.replace("srtp = \"optional\"", "srtp = \"required\""));
            }
            4 => {
                let desk =
                    desk(&[bo, dora, carla]).replace("transfers_return = true", "transfers_return = false");
                self.world.reload(&desk.replace("transfers_rejoin", "#").replace("90s", "5m"));
            }
            _ => {}
        }
        let agents: Vec<String> = self.world.config().agents().map(|(_, agent)| agent.name.clone()).collect();
        let agent = &agents[self.random.random_range(0..agents.len())];
        let wish = [Wish::Ready, Wish::Ready, Wish::Paused, Wish::LoggedOut][self.random.random_range(0..4)];
        self.world.agent_wish(agent, wish);
    }

    fn pass(&mut self) {
        self.world.run_for(SECOND);
        for number in 0..self.random.random_range(2..7) {
            self.caller(number);
            let pause = self.time(12 * SECOND);
            self.world.run_for(pause);
            if self.kind.crashes && self.random.random_bool(0.3) {
                let down = self.time(20 * SECOND);
                self.world.crashes_for(down);
            }
            match self.random.random_range(0..10) {
                8 | 9 => self.frenzy(),
                0..3 => self.consults(),
                3 | 4 => self.moves_over(),
                5 | 6 => self.teams_transfers(),
                _ => self.sound_goes_on(),
            }
            let phone = self.random.random_range(0..self.desks.len());
            self.whims(self.desks[phone].0);
            if self.kind.operators && self.random.random() {
                self.operator();
            }
        }
        // Two whom a caller has left with each other would speak for ever.
        for round in 5..12 {
            (0..self.world.phones().len())
                .for_each(|phone| self.world.hangs_up_in(PhoneId(phone), round * 60 * SECOND));
        }
        self.world.run_until_silent().assert_nothing_left();
    }
}

/// What the days of one test came to: they must not be idle ones.
#[derive(Debug, Default)]
struct Sums {
    calls: usize,
    talks: usize,
    own: usize,
    encrypted: usize,
    asked: usize,
    done: usize,
    consulted: usize,
    replaced: usize,
    round: usize,
    refreshed: usize,
}

fn is_in_dialog(request: &Message) -> bool {
    request.to().is_ok_and(|to| to.tag().is_some())
}

fn days(first: u64, kind: Kind) -> Sums {
    let mut sums = Sums::default();
    for seed in seeds(first, 50) {
        let _diary = Diary(seed);
        let mut day = Day::new(seed, kind);
        day.pass();
        let world = &day.world;
        let records = world.records();
        sums.calls += records.len();
        sums.talks += records.iter().filter(|record| record.is_connected()).count();
        sums.own += records.iter().filter(|record| record.trunk == "phone").count();
        let steps = |is: fn(&TransferStep) -> bool| {
            house::count(world, |what| matches!(what, What::Transfer(step) if is(step)))
        };
        sums.asked += steps(|step| matches!(step, TransferStep::Asked { .. }));
        sums.done += steps(|step| matches!(step, TransferStep::Over { status: 200, .. }));
        sums.consulted += steps(|step| matches!(step, TransferStep::Came { .. }));
        sums.replaced += steps(|step| matches!(step, TransferStep::Replaced { .. }));
        sums.round += steps(|step| matches!(step, TransferStep::CameRound { .. }));
        sums.encrypted += world.phones().iter().filter(|phone| phone.encrypted > 0).count();
        let reinvited = |phone: &&Phone| phone.last.get("INVITE").is_some_and(is_in_dialog);
        sums.refreshed += world.phones().iter().filter(reinvited).count();
    }
    sums
}

#[test]
fn on_calm_days_everything_that_telephones_do_ends_well() {
    let sums = days(5_000_000, CALM);
    assert!(sums.calls > 250 && sums.talks > 150 && sums.own > 25 && sums.encrypted > 150, "{sums:?}");
    assert!(sums.asked > 50 && sums.done > 40 && sums.consulted > 5 && sums.refreshed > 30, "{sums:?}");
    assert!(sums.replaced > 0 && sums.round > 2, "{sums:?}");
}

#[test]
fn on_as_many_days_datagrams_are_lost_and_operators_reload() {
    let sums = days(6_000_000, LOSSY);
    assert!(sums.calls > 250 && sums.talks > 120 && sums.done > 20 && sums.consulted > 3, "{sums:?}");
}

#[test]
fn on_as_many_days_everything_happens_on_the_full_second() {
    let sums = days(7_000_000, SAME_INSTANT);
    assert!(sums.calls > 250 && sums.talks > 120 && sums.done > 20 && sums.consulted > 3, "{sums:?}");
}

#[test]
fn on_as_many_days_the_router_dies_and_is_started_again() {
    let sums = days(8_000_000, CRASHES);
    assert!(sums.calls > 200 && sums.talks > 80 && sums.done > 10, "{sums:?}");
}

#[test]
fn one_day() {
    let seed = number("FERNAMT_SEED").unwrap_or(7);
    for kind in [CALM, LOSSY, SAME_INSTANT, CRASHES] {
        let _diary = Diary(seed);
        let mut day = Day::new(seed, kind);
        day.pass();
        println!("{}\n", day.world.ladder());
    }
}
