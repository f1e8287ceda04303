//! What a reload costs that changes one queue among a thousand, with twenty thousand agents and idle ones among them.
//!
//! `cargo run --release -p router --example reload_cost`

#![allow(clippy::disallowed_methods)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use router::{
    callbacks::Callbacks,
    callers::Callers,
    clock::Clock,
    config::{Config, Names, Surroundings, parse},
    lines,
    lost_places::LostPlaces,
    prompts::Prompts,
    shard::{Input, Output, Parts, Shard},
    sums::Sums,
};
use scheduler::{Capacity, Scheduler};
use sip_core::{Endpoint, Settings};

const QUEUES: u32 = 1_000;
const AGENTS: u32 = 20_000;
const MEMBERSHIPS: u32 = 5;

fn main() {
    let mut names = Names::new();
    let text = text("20s");
    let began = Instant::now();
    let before = read(&text, &mut names);
    println!("{:>10.1?}  the file is read and checked", began.elapsed());
    let after = read(&self::text("30s"), &mut names);
    let mut shard = shard(before);
    println!("{:>10.1?}  the shard is there", began.elapsed());
    for (config, what) in [(Arc::clone(&after), "one queue changes"), (after, "nothing changes")] {
        let prompts = Arc::new(Prompts::of(&config));
        let began = Instant::now();
        shard.handle_input(began, Input::Reload(config, prompts));
        println!("{:>10.1?}  reload: {what}", drained(&mut shard, began));
    }
    for (what, ask) in [("/metrics", numbers as fn(&Shard)), ("/status", status)] {
        let began = Instant::now();
        ask(&shard);
        println!("{:>10.1?}  {what}", began.elapsed());
    }
}

fn numbers(shard: &Shard) {
    assert_eq!(shard.numbers().queues.len(), QUEUES as usize);
}

fn status(shard: &Shard) {
    assert_eq!(shard.status(100, router::service::Service::Open).queues.len(), QUEUES as usize);
}

fn drained(shard: &mut Shard, began: Instant) -> Duration {
    while !matches!(shard.poll_output(), Output::Timeout(_)) {}
    began.elapsed()
}

/// Queue 7 has `ring_timeout`; every third queue is helped by the agents of its neighbour.
fn text(ring_timeout: &str) -> String {
    let mut text =
        "[listen]\nsip = [\"udp:127.0.0.1:5060\"]\n[trunk.t]\nsend_to = [\"udp:192.0.2.1:5060\"]\n"
            .to_owned();
    for queue in 0..QUEUES {
        let widen = if queue % 3 == 0 {
            format!("widen = [{{ after = \"30s\", agents_of = \"q{}\" }}]\n", (queue + 1) % QUEUES)
        } else {
            String::new()
        };
        let ring_timeout =
            if queue == 7 { format!("ring_timeout = \"{ring_timeout}\"\n") } else { String::new() };
        write!(text, "[queue.q{queue}]\n{widen}{ring_timeout}").expect("a text grows");
    }
    for agent in 0..AGENTS {
        let queues: Vec<String> =
            (0..MEMBERSHIPS).map(|nth| format!("\"q{}\"", (agent + nth * 211) % QUEUES)).collect();
        writeln!(text, "[agent.a{agent}]\ncall = \"{agent}@t\"\nqueues = [{}]", queues.join(", "))
            .expect("a text grows");
    }
    text
}

fn read(text: &str, names: &mut Names) -> Arc<Config> {
    let config = parse(text, "many.toml", Path::new(""), names, &Surroundings::default());
    Arc::new(config.unwrap_or_else(|problems| panic!("{problems}")))
}

fn shard(config: Arc<Config>) -> Shard {
    let now = Instant::now();
    let lines = lines::count(QUEUES, AGENTS);
    let capacity = Capacity { callers: 1_000, agents: AGENTS, lines, memberships: 4 * MEMBERSHIPS };
    let parts = Parts {
        owner: 0,
        seed: [7; 32],
        clock: Clock::new(now, 0),
        run: 0,
        sip: Endpoint::new(Settings::new([7; 32], config.listen.sip.clone())),
        scheduler: Arc::new(Scheduler::new(capacity)),
        prompts: Arc::new(Prompts::of(&config)),
        config,
        wishes: BTreeMap::new(),
        closed: BTreeSet::new(),
        sums: Sums::default(),
        callers: Callers::default(),
        lost_places: LostPlaces::default(),
        callbacks: Callbacks::default(),
        identity: media::Identity::generate().expect("a system with randomness"),
    };
    let mut shard = Shard::new(parts, now);
    drained(&mut shard, now);
    shard
}
