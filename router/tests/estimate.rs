//! Estimated waits against a simulated queue: c agents, exponential arrivals, talks and patience (M/M/c+M), who let it ring for
//! some seconds.
#![allow(missing_docs)]

use std::{collections::VecDeque, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use router::{
    config::QueueId,
    estimate::{Estimates, Outlook, Score},
    journal::fact::LeftQueue,
};

const QUEUE: QueueId = QueueId(0);

/// A desk: agents, and means in seconds.
struct Desk {
    agents: usize,
    gap: f64,
    talk: f64,
    patience: f64,
}

struct Caller {
    came: f64,
    gives_up: f64,
    outlook: Outlook,
    /// What the mean of all answered waits so far would have told him.
    naive: f64,
}

/// What the estimates and the naive ones came to.
#[derive(Default)]
struct Outcome {
    score: Score,
    answered: u64,
    naive_error: f64,
    estimate_error: f64,
}

struct Day {
    desk: Desk,
    random: SmallRng,
    percent: u8,
    estimates: Estimates,
    waiting: VecDeque<Caller>,
    /// When each busy agent is free.
    busy: Vec<f64>,
    outcome: Outcome,
    waits: (f64, u64),
}

fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

impl Day {
    fn of(desk: Desk, percent: u8, seed: u64) -> Day {
        Day {
            desk,
            percent,
            random: SmallRng::seed_from_u64(seed),
            estimates: Estimates::default(),
            waiting: VecDeque::new(),
            busy: Vec::new(),
            outcome: Outcome::default(),
            waits: (0.0, 0),
        }
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.random.random::<f64>()).ln()
    }

    fn pass(mut self, callers: u32) -> Outcome {
        let mut now = 0.0;
        for _ in 0..callers {
            now += self.exponential(self.desk.gap);
            self.serve_until(now);
            self.arrives(now);
        }
        self.outcome.score = self.estimates.score(QUEUE);
        self.outcome
    }

    fn arrives(&mut self, now: f64) {
        self.waiting.retain(|caller| {
            let gone = caller.gives_up <= now;
            if gone {
                let waited = Duration::from_secs_f64(caller.gives_up - caller.came);
                self.estimates.learn(
                    QUEUE,
                    caller.outlook,
                    waited,
                    LeftQueue::Abandoned,
                    micros(caller.gives_up),
                );
            }
            !gone
        });
        let idle = self.busy.len() < self.desk.agents;
        let rank = if idle { 0 } else { self.waiting.len() as u32 + 1 };
        let outlook = self.estimates.outlook(QUEUE, rank, self.percent, micros(now));
        let gives_up = now + self.exponential(self.desk.patience);
        let naive = self.waits.0 / self.waits.1.max(1) as f64;
        self.waiting.push_back(Caller { came: now, gives_up, outlook, naive });
        if idle {
            self.answers(now);
        }
    }

    fn serve_until(&mut self, now: f64) {
        while let Some(at) = (0..self.busy.len()).min_by(|a, b| self.busy[*a].total_cmp(&self.busy[*b])) {
            let free = self.busy[at];
            if free > now {
                return;
            }
            self.busy.swap_remove(at);
            self.answers(free);
        }
    }

    /// An agent takes the first who has not given up.
    fn answers(&mut self, now: f64) {
        while let Some(caller) = self.waiting.pop_front() {
            let ring = self.random.random_range(2.0..8.0);
            let talk = self.exponential(self.desk.talk);
            let answered = caller.gives_up > now;
            let left = if answered { now + ring } else { caller.gives_up };
            let waited = left - caller.came;
            let how = if answered { LeftQueue::Answered } else { LeftQueue::Abandoned };
            self.estimates.learn(QUEUE, caller.outlook, Duration::from_secs_f64(waited), how, micros(left));
            if answered {
                self.note(&caller, waited);
                self.busy.push(now + ring + talk);
                return;
            }
        }
    }

    fn note(&mut self, caller: &Caller, waited: f64) {
        if let Some(estimate) = caller.outlook.wait {
            self.outcome.answered += 1;
            self.outcome.naive_error += (caller.naive - waited).abs();
            self.outcome.estimate_error += (estimate.as_secs_f64() - waited).abs();
        }
        self.waits = (self.waits.0 + waited, self.waits.1 + 1);
    }
}

/// Ten agents with 10 % more work than they can do, and callers with patience for eight minutes.
fn crowded() -> Desk {
    Desk { agents: 10, gap: 16.4, talk: 180.0, patience: 480.0 }
}

fn quiet() -> Desk {
    Desk { agents: 3, gap: 75.0, talk: 180.0, patience: 120.0 }
}

#[test]
fn as_many_wait_no_longer_than_estimated_as_the_quantile_says() {
    for (name, desk) in [("crowded", crowded as fn() -> Desk), ("quiet", quiet)] {
        for percent in [50, 80, 90] {
            let score = Day::of(desk(), percent, 7).pass(20_000).score;
            let coverage = 100.0 * score.coverage().unwrap();
            println!("{name}, {percent} %: {coverage:.1} % within");
            assert!((coverage - f64::from(percent)).abs() < 3.0, "{name}, {percent} %: {coverage:.1}");
        }
    }
}

#[test]
fn estimates_by_rank_are_much_nearer_than_the_mean_of_all_waits() {
    let Outcome { answered, naive_error, estimate_error, score } = Day::of(crowded(), 50, 7).pass(20_000);
    let (naive, estimate) = (naive_error / answered as f64, estimate_error / answered as f64);
    println!("mean error {estimate:.1} s instead of {naive:.1} s");
    assert!(estimate < 0.5 * naive, "{estimate:.1} s instead of {naive:.1} s");
    assert!((score.mean_error().unwrap().as_secs_f64() - estimate).abs() < 0.01, "the score says so too");
}

#[test]
fn after_half_of_the_agents_have_gone_estimates_follow() {
    let mut day = Day::of(crowded(), 80, 11);
    let mut now = 0.0;
    for caller in 0..12_000 {
        if caller == 6_000 {
            (day.desk.agents, day.desk.gap) = (5, 32.8);
        }
        if caller == 7_000 {
            day.outcome.score = day.estimates.score(QUEUE);
        }
        now += day.exponential(day.desk.gap);
        day.serve_until(now);
        day.arrives(now);
    }
    let (then, all) = (day.outcome.score, day.estimates.score(QUEUE));
    assert!(all.beyond > then.beyond + 200, "crowded: {all:?}");
    let coverage = all.since(&then).coverage().unwrap();
    assert!((0.75..0.85).contains(&coverage), "{coverage:.3}");
}
