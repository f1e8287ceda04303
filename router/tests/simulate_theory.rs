//! The simulated queue against theory: Erlang C (no patience) and Erlang A (exponential patience).
//!
//! Each figure must lie in the simulation's own 99 % confidence interval, and that interval must be narrow enough to
//! tell a right model from a wrong one.
#![allow(missing_docs)]

mod config_support;

use std::time::{Duration, Instant};

use config_support::config;
use router::{
    config::Config,
    journal::fact::Micros,
    simulate::{
        Arrivals, Counts, Estimate, Headcount, Length, PerQueue, Rate, Scenario, Tally, ratio, run, staff,
    },
};

const HOUR: u64 = 3_600;
/// Half hours cut off at the beginning: the queue starts empty, which no day of theory does.
const WARM_UP: usize = 40;
const BATCHES: usize = 100;

struct Case {
    calls: f64,
    per: Duration,
    talk: Duration,
    agents: u32,
    patience: Length,
    /// How long to watch, in hours.
    hours: u64,
    wrap_up: &'static str,
}

fn one_queue(wrap_up: &str) -> Config {
    config(&format!(
        r#"
        [[number]]
        match = "*"
        trunk = "carrier"
        flow = "f"
        [flow.f]
        steps = [{{ queue = "support" }}]
        [queue.support]
        service_level = "20s"
        max_waiting = 100_000
        max_wait = "24h"
        wrap_up = "{wrap_up}"
        [agent.anna]
        call = "+49@teams"
        queues = ["support"]
        "#
    ))
}

#[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
fn origin() -> Instant {
    Instant::now()
}

impl Case {
    /// What was counted after the warm-up, in batches of equal length.
    fn batches(&self) -> Vec<Counts> {
        let config = one_queue(self.wrap_up);
        let (queue, _) = config.queues().next().unwrap();
        let scenario = Scenario {
            config: &config,
            arrivals: Arrivals::Rates(vec![Rate { queue, calls: self.calls, per: self.per }]),
            talk: PerQueue::all(Length::Exponential { mean: self.talk }),
            patience: PerQueue::all(self.patience.clone()),
            ring: Length::Fixed(Duration::ZERO),
            start: 1_768_204_800_000_000,
            length: Duration::from_secs(self.hours * HOUR),
            seed: 2,
            origin: origin(),
        };
        let staff = staff(&config, &[Headcount { queue, agents: self.agents }], scenario.start, Micros::MAX);
        let tally: Tally = run(&scenario, &staff, 0);
        let half_hours = &tally.queues[&queue][WARM_UP..];
        half_hours.chunks_exact(half_hours.len() / BATCHES).map(|batch| batch.iter().collect()).collect()
    }
}

fn share(batches: &[Counts], part: impl Fn(&Counts) -> u64, whole: impl Fn(&Counts) -> u64) -> Estimate {
    let pairs: Vec<_> = batches.iter().map(|batch| (part(batch) as f64, whole(batch) as f64)).collect();
    ratio(&pairs).unwrap()
}

/// `theory` lies in the interval, and the interval is at most `narrow` to either side.
#[track_caller]
fn agrees(what: &str, estimate: Estimate, theory: f64, narrow: f64) {
    let Estimate { value, within } = estimate;
    println!("{what}: {value:.6} ± {within:.6}, theory {theory:.6}");
    assert!(estimate.holds(theory), "{what}: {value:.6} ± {within:.6} does not hold {theory}");
    assert!(within <= narrow, "{what}: ± {within:.6} says too little");
}

fn wait_probability(batches: &[Counts]) -> Estimate {
    share(batches, |counts| counts.offered - counts.answered_at_once, |counts| counts.offered)
}

fn service_level_a(batches: &[Counts]) -> Estimate {
    share(batches, |counts| counts.answered_in_time, |counts| counts.offered)
}

/// In seconds.
fn mean_wait(batches: &[Counts]) -> Estimate {
    let pairs: Vec<_> =
        batches.iter().map(|batch| (batch.answered_wait as f64 / 1e6, batch.answered as f64)).collect();
    ratio(&pairs).unwrap()
}

fn erlang_c(calls: f64, per: u64, talk: u64, agents: u32, hours: u64) -> Vec<Counts> {
    let [per, talk] = [per, talk].map(Duration::from_secs);
    Case { calls, per, talk, agents, patience: Length::Never, hours, wrap_up: "0s" }.batches()
}

fn erlang_a(agents: u32) -> Vec<Counts> {
    let [per, talk, mean] = [1_800, 180, 60].map(Duration::from_secs);
    Case {
        calls: 100.0,
        per,
        talk,
        agents,
        patience: Length::Exponential { mean },
        hours: 3_000,
        wrap_up: "0s",
    }
    .batches()
}

#[test]
fn two_agents_with_little_to_do_agree_with_erlang_c() {
    let batches = erlang_c(80.0, 8 * HOUR, 270, 2, 60_000);
    agrees("wait probability", wait_probability(&batches), 0.204545, 0.003);
    agrees("mean wait", mean_wait(&batches), 44.18, 1.2);
    agrees("service level", service_level_a(&batches), 0.813544, 0.003);
}

#[test]
fn twelve_busy_agents_agree_with_erlang_c() {
    let batches = erlang_c(100.0, 1_800, 180, 12, 8_000);
    agrees("wait probability", wait_probability(&batches), 0.449388, 0.009);
    agrees("mean wait", mean_wait(&batches), 40.44, 2.0);
    agrees("service level", service_level_a(&batches), 0.640158, 0.008);
}

#[test]
fn twelve_agents_and_impatient_callers_agree_with_erlang_a() {
    let batches = erlang_a(12);
    agrees("wait probability", wait_probability(&batches), 0.24043, 0.006);
    agrees("abandoned", share(&batches, |c| c.abandoned, |c| c.offered), 0.07590, 0.0025);
    agrees("service level", service_level_a(&batches), 0.86030, 0.0045);
}

#[test]
fn nine_agents_for_ten_erlangs_agree_with_erlang_a() {
    let batches = erlang_a(9);
    agrees("wait probability", wait_probability(&batches), 0.52491, 0.006);
    agrees("abandoned", share(&batches, |c| c.abandoned, |c| c.offered), 0.21322, 0.004);
    agrees("service level", service_level_a(&batches), 0.62703, 0.006);
}

#[test]
fn five_seconds_of_wrap_up_are_seen() {
    let [per, talk] = [1_800, 180].map(Duration::from_secs);
    let case =
        Case { calls: 100.0, per, talk, agents: 12, patience: Length::Never, hours: 8_000, wrap_up: "5s" };
    let batches = case.batches();
    assert!(!wait_probability(&batches).holds(0.449388));
    assert!(!mean_wait(&batches).holds(40.44));
    assert!(!service_level_a(&batches).holds(0.640158));
}
