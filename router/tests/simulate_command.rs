//! `fernamt simulate` from its options to its output, and a day of the journal once more.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod config_support;
mod support;

use std::{collections::BTreeMap, fs, path::PathBuf, time::Instant};

use clap::Parser;
use config_support::config;
use jiff::{civil::Date, tz::TimeZone};
use router::{
    command::{
        CommandError,
        simulate::{Options, simulate},
    },
    config::{Config, QueueId},
    driver::journal_store::{Batch, FILE, Store},
    journal::fact::{Cause, Fact, Fault, LeftQueue, Unanswered, What},
    simulate::{Arrival, Length, Replay, Replayed},
};
use support::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("fernamt-simulate-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn desk(extra: &str) -> Config {
    config(&format!(
        r#"
        {extra}
        [[number]]
        match = "*"
        trunk = "carrier"
        flow = "f"
        [flow.f]
        steps = [{{ menu = {{ prompt = "a.wav", keys = {{ 1 = "queue.support", 2 = "flow.g" }} }} }}, {{ queue = "night" }}]
        [flow.g]
        steps = [{{ queue = "sales" }}]
        [queue.support]
        [queue.night]
        [queue.sales]
        [agent.anna]
        call = "+491@teams"
        queues = ["support", "night", "sales"]
        "#
    ))
}

#[allow(clippy::disallowed_methods, reason = "any instant will do")]
fn told(config: &Config, options: &str) -> Result<String, CommandError> {
    let line = Line::try_parse_from(["simulate"].into_iter().chain(options.split(' '))).unwrap();
    let mut out = Vec::new();
    simulate(config, &line.options, Instant::now(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn refused(config: &Config, options: &str) -> String {
    match told(config, options) {
        Err(CommandError::Input(text)) => text,
        other => panic!("{options}: {other:?}"),
    }
}

#[test]
fn what_cannot_be_simulated_is_refused_with_its_cure() {
    let config = desk("");
    let cases = [
        ("--arrivals support=80/8h", "--until is missing: write how long, such as --until 8h"),
        (
            "--arrivals 80/8h --until 8h",
            "--arrivals: for which queue? Write QUEUE= before it; there are night, sales, support",
        ),
        (
            "--arrivals x=80/8h --until 8h",
            "--arrivals: no queue \"x\" in the configuration; it has night, sales, support",
        ),
        (
            "--arrivals support=80 --until 8h",
            "--arrivals: \"support=80\" is no rate; write 80/8h or support=80/8h, a file that ends in .csv, or journal",
        ),
        ("--arrivals sales=1/1h,sales=2/1h --until 8h", "--arrivals: a queue is named twice; write it once"),
        (
            "--arrivals sales=1/1h --until 8h --agents sales=1..2,support=1..2",
            "--agents: two ranges; give one queue a range and the others a number",
        ),
        ("--arrivals sales=1/1h --until 07:00", "--until: it would end before it begins; write a later time"),
        (
            "--arrivals sales=1/1h --until 1h --talk never",
            "--talk: a call that never ends keeps its agent for ever; write a length",
        ),
    ];
    for (options, expected) in cases {
        assert_eq!(refused(&config, options), expected, "{options}");
    }
}

#[test]
fn a_bad_table_is_refused_row_by_row_and_a_good_one_simulated() {
    let (config, dir) = (desk(""), Scratch::new("table"));
    let file = dir.0.join("day.csv");
    fs::write(&file, "arrived_at,queue,talk_s,agent\n09:10,support,60,anna\n09:70,suport,60,anna\n").unwrap();
    let options = format!("--arrivals {}", file.display());
    let problems = refused(&config, &options);
    assert_eq!(problems.lines().count(), 2);
    assert!(problems.starts_with(&format!("{}:3:1: arrived_at: \"09:70\"", file.display())), "{problems}");
    fs::write(
        &file,
        "arrived_at,queue,talk_s,\"the \"\"agent\"\"\"\n09:10,support,60,anna\n09:10:01,support,,\n10:00,sales,5,\n",
    )
    .unwrap();
    let text = told(&config, &format!("{options} --from 09:00 --until 1h")).unwrap();
    for line in [
        "2026-01-12T09:00:00+00:00 to 2026-01-12T10:00:00+00:00, seed 1",
        "  columns not read: the \"agent\"",
        "  left out: 1 calls before the beginning or after the end",
        "  talk time for support: 1m on average, as 1 measured ones",
        "09:00          2        2         0       0        0       0    50.0 %     29.5s    59.0s     6.7 %",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn several_days_as_json_have_intervals_and_a_picture_names_each_staffing() {
    let (config, dir) = (desk(""), Scratch::new("picture"));
    let file = dir.0.join("day.svg");
    let options = "--arrivals support=60/30m --until 2h --agents support=3..5 --days 10 --json --plot";
    let json: serde_json::Value =
        serde_json::from_str(&told(&config, &format!("{options} {}", file.display())).unwrap()).unwrap();
    assert_eq!((&json["days"], &json["staffings"][2]["agents"]["support"]), (&10.into(), &5.into()));
    let support = &json["staffings"][0]["queues"][2];
    assert_eq!((&support["queue"], support["half_hours"].as_array().unwrap().len()), (&"support".into(), 4));
    let sure = &support["total"]["service_level_99"];
    assert_eq!(sure["value"], support["total"]["service_level"]["b"]);
    assert!(sure["within"].as_f64().is_some_and(|within| within > 0.0 && within < 0.5), "{sure}");
    let picture = fs::read_to_string(&file).unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    assert!((3..=5).all(|agents| picture.contains(&format!("{agents} agents"))));
}

fn replayed(facts: &[Fact], day: Option<Date>) -> Option<Replayed> {
    let config = desk("");
    let mut replay = Replay::new(&config, TimeZone::UTC, day);
    facts.iter().for_each(|fact| replay.apply(fact));
    replay.finish()
}

fn queue_id(name: &str) -> QueueId {
    desk("").queues().find(|(_, queue)| queue.name == name).unwrap().0
}

#[test]
fn a_day_of_the_journal_gives_arrivals_talk_times_ring_times_and_patience() {
    let mut facts = queue_call(call(1), MORNING);
    // Three wait 10, 20 and 30 s; the last two hang up: a mean patience of (30 + 10 + 20 + 30) / 2 with the first call.
    for (key, waited, how) in
        [(2, 10, LeftQueue::TimedOut), (3, 20, LeftQueue::Abandoned), (4, 30, LeftQueue::Abandoned)]
    {
        facts.push(fact(call(key), MORNING, queued("support", MORNING)));
        facts.push(fact(call(key), MORNING + waited * SECOND, left("support", how, waited as u64 * 1_000)));
    }
    // Who timed out goes on to the queue behind it: no second arrival. His talk time belongs to the first.
    facts.push(fact(call(2), MORNING + 10 * SECOND, queued("night", MORNING)));
    facts.push(fact(call(2), MORNING + 11 * SECOND, left("night", LeftQueue::Answered, 1_000)));
    facts.push(fact(call(2), MORNING + 11 * SECOND, What::Bridged { leg: 1, agent: Some("anna".into()) }));
    facts.push(fact(call(2), MORNING + 18 * SECOND, ended(Cause::CallerHungUp, Fault::None)));
    // Hung up on at once, he waits on: one arrival, who talked for the 9 s of the second try.
    let hung_up = What::Unanswered { agent: "anna".into(), why: Unanswered::HungUpAtOnce, rang_ms: 0 };
    for (at, what) in [
        (3, queued("night", MORNING)),
        (4, left("night", LeftQueue::Answered, 1_000)),
        (4, What::Bridged { leg: 1, agent: Some("anna".into()) }),
        (5, hung_up),
        (5, queued("night", MORNING)),
        (9, left("night", LeftQueue::Answered, 4_000)),
        (9, What::Bridged { leg: 2, agent: Some("anna".into()) }),
        (18, ended(Cause::CallerHungUp, Fault::None)),
    ] {
        facts.push(fact(call(7), MORNING + at * SECOND, what));
    }
    // Turned away at the door: an arrival all the same.
    facts.push(fact(call(5), MORNING + SECOND, left("sales", LeftQueue::Full, 0)));
    facts.push(fact(call(6), MORNING, queued("gone", MORNING)));
    // A queue that does not follow by itself is entered by choice: a second arrival.
    facts.push(fact(call(3), MORNING + 21 * SECOND, queued("sales", MORNING)));
    let day = replayed(&facts, None).unwrap();
    let [support, sales, night] = ["support", "sales", "night"].map(queue_id);
    let arrival = |after, queue, talk: Option<i64>| Arrival { at: MORNING + after * SECOND, queue, talk };
    let expected = [
        arrival(0, support, Some(7 * SECOND)),
        arrival(0, support, None),
        arrival(0, support, None),
        arrival(1, sales, None),
        arrival(2, support, Some(60 * SECOND)),
        arrival(3, night, Some(9 * SECOND)),
        arrival(21, sales, None),
    ];
    assert_eq!(day.arrivals, expected);
    assert_eq!(day.patience, BTreeMap::from([(support, Length::parse("45s").unwrap())]));
    let Some(Length::Measured(rings)) = &day.ring else { panic!("{:?}", day.ring) };
    assert_eq!(
        (rings.len(), rings.iter().min()),
        (2, Some(&(4 * SECOND))),
        "one rang for 4 s, one was not answered"
    );
    assert_eq!(
        (day.day, day.unknown),
        (Date::constant(2026, 11, 25), BTreeMap::from([("gone".to_owned(), 1)]))
    );
}

#[test]
fn the_last_day_is_taken_or_the_one_asked_for() {
    let next_day = MORNING + 86_400 * SECOND;
    let facts = [queue_call(call(1), MORNING), queue_call(call(2), next_day)].concat();
    let at = |day: Option<Date>| {
        replayed(&facts, day).map(|day| day.arrivals.iter().map(|call| call.at).collect())
    };
    assert_eq!(at(None), Some(vec![next_day + 2 * SECOND]));
    assert_eq!(at(Some(Date::constant(2026, 11, 25))), Some(vec![MORNING + 2 * SECOND]));
    assert_eq!(at(Some(Date::constant(2026, 11, 24))), None);
}

#[test]
fn a_journal_on_disk_is_simulated_once_more() {
    let dir = Scratch::new("journal");
    let config = desk(&format!("[node]\ndata_dir = {:?}", dir.0));
    let mut batch = Batch::default();
    for (index, fact) in queue_call(call(1), MORNING).into_iter().enumerate() {
        batch.push(&Fact { seq: index as u64 + 1, ..fact });
    }
    Store::create(&dir.0.join(FILE), false).unwrap().commit(&batch, None).unwrap();
    let text = told(&config, "--arrivals journal --ring 4s").unwrap();
    assert!(text.starts_with("2026-11-25T08:00:00+00:00 to 2026-11-25T08:30:00+00:00, seed 1\n"), "{text}");
    assert!(text.contains("calls: 1 of 2026-11-25 from the journal"), "{text}");
    let none = refused(&config, "--arrivals journal --day 2026-11-24");
    assert!(none.ends_with("nobody entered a queue on 2026-11-24; name another --day"), "{none}");
}
