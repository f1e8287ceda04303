//! The simulated day keeps the queues' rules, adds up, and repeats itself.
#![allow(missing_docs)]

mod config_support;

use std::time::{Duration, Instant};

use config_support::config;
use jiff::{civil::Date, tz::TimeZone};
use proptest::prelude::*;
use router::{
    config::{Config, QueueId},
    journal::fact::Micros,
    simulate::{
        Arrival, Arrivals, Counts, Forecast, Headcount, Length, PerQueue, Rate, Scenario, Tally, Work,
        forecast, read_csv, run, staff,
    },
};

const SECOND: Micros = 1_000_000;
/// Monday 2026-01-12, 08:00 UTC.
const EIGHT: Micros = 1_768_204_800 * SECOND;

/// Two queues, the second behind the first; `extra` is for the first.
fn two_queues(extra: &str) -> Config {
    config(&format!(
        r#"
        [[number]]
        match = "*"
        trunk = "carrier"
        flow = "f"
        [flow.f]
        steps = [{{ queue = "first" }}, {{ play = "a.wav" }}, {{ queue = "second" }}, "hangup"]
        [queue.first]
        {extra}
        [queue.second]
        [agent.anna]
        call = "+491@teams"
        queues = ["first"]
        [agent.bo]
        call = "+492@teams"
        queues = ["second"]
        "#
    ))
}

#[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
fn origin() -> Instant {
    Instant::now()
}

/// Calls that come so many seconds after eight, to the queue at that index, and talk so many seconds.
fn calls(config: &Config, list: &[(Micros, usize, Micros)]) -> Arrivals {
    let queues: Vec<QueueId> = config.queues().map(|(id, _)| id).collect();
    let call = |&(at, queue, talk): &(Micros, usize, Micros)| Arrival {
        at: EIGHT + at * SECOND,
        queue: queues[queue],
        talk: Some(talk * SECOND),
    };
    Arrivals::Given(list.iter().map(call).collect())
}

fn scenario(config: &Config, arrivals: Arrivals) -> Scenario<'_> {
    Scenario {
        config,
        arrivals,
        talk: PerQueue::all(Length::Exponential { mean: Duration::from_secs(180) }),
        patience: PerQueue::all(Length::Never),
        ring: Length::Fixed(Duration::ZERO),
        start: EIGHT,
        length: Duration::from_secs(3_600),
        seed: 1,
        origin: origin(),
    }
}

/// One day of everybody in the configuration.
fn day(scenario: &Scenario<'_>) -> Tally {
    run(scenario, &staff(scenario.config, &[], scenario.start, scenario.end()), 0)
}

fn totals(tally: &Tally) -> Vec<Counts> {
    tally.queues.keys().map(|queue| tally.total(*queue)).collect()
}

#[test]
fn callers_wait_in_order_and_each_wait_is_the_one_a_clock_would_show() {
    let config = two_queues("wrap_up = \"10s\"");
    let tally = day(&scenario(&config, calls(&config, &[(0, 0, 100), (10, 0, 50), (20, 0, 50)])));
    let first = totals(&tally)[0];
    // The second waits from 10 to 110, the third from 20 to 170: each until talk and wrap-up before him are over.
    assert_eq!((first.answered, first.answered_at_once), (3, 1));
    assert_eq!((first.answered_wait, first.longest), ((100 + 150) * SECOND, 150 * SECOND));
    let work: Work = tally.teams[0].work[0];
    assert_eq!((work.busy, work.busy + work.idle), (230 * SECOND, 1_800 * SECOND));
}

#[test]
fn who_finds_the_queue_full_or_waits_too_long_goes_on_to_the_next_queue_of_the_flow() {
    let config = two_queues("max_waiting = 1\nmax_wait = \"30s\"");
    let tally = day(&scenario(&config, calls(&config, &[(0, 0, 600), (1, 0, 60), (2, 0, 60)])));
    let [first, second] = totals(&tally)[..] else { panic!() };
    assert_eq!((first.offered, first.answered, first.timed_out, first.full), (3, 1, 1, 1));
    // The third comes first there and talks to 62; the second comes at 31.
    assert_eq!((second.offered, second.answered, second.longest), (2, 2, 31 * SECOND));
}

#[test]
fn who_is_sent_on_stands_in_the_second_queue_by_the_time_at_which_he_came_to_the_first() {
    let config = two_queues("max_wait = \"30s\"");
    let given = calls(&config, &[(0, 0, 600), (0, 1, 100), (1, 0, 50), (10, 1, 50)]);
    let second = totals(&day(&scenario(&config, given)))[1];
    // Bo is free at 100 and takes the one who came at 1 and was sent on at 31; at 150 the one who came at 10.
    assert_eq!((second.answered, second.longest), (3, 140 * SECOND));
}

#[test]
fn a_closed_queue_takes_nobody_and_whoever_waits_inside_stays() {
    let hours = "hours = \"h\"\n[hours.h]\nzone = \"Europe/Berlin\"\nmon = \"09:00-09:01\"";
    let config = two_queues(hours);
    // 08:00 UTC is nine o'clock in Berlin.
    let tally =
        day(&scenario(&config, calls(&config, &[(0, 0, 300), (59, 0, 10), (60, 0, 10), (900, 0, 10)])));
    let [first, second] = totals(&tally)[..] else { panic!() };
    assert_eq!((first.offered, first.answered, first.closed), (4, 2, 2));
    assert_eq!((second.offered, second.answered), (2, 2));
}

/// Anna goes home a minute after eight, with one caller on the line and one waiting.
#[test]
fn when_the_last_agent_goes_new_callers_and_after_a_grace_those_who_wait_go_on() {
    let config = two_queues("turn_away_when = \"nobody-logged-in\"\nleave_when = \"nobody-ready\"");
    let list = [(0, 0, 300), (10, 0, 20), (70, 0, 20), (3_000, 1, 20)];
    let scenario = scenario(&config, calls(&config, &list));
    let mut staff = staff(&config, &[], scenario.start, scenario.end());
    staff[0].to = EIGHT + 60 * SECOND;
    let [first, second]: [Counts; 2] = totals(&run(&scenario, &staff, 0)).try_into().unwrap();
    assert_eq!((first.offered, first.answered, first.unstaffed), (3, 1, 2));
    assert_eq!(first.longest, 80 * SECOND, "from ten seconds after eight to 30 s after she went");
    assert_eq!((second.offered, second.answered), (3, 3));
}

/// A caller every ten seconds, and as many are served; but the first held all the others up for fifty seconds.
#[test]
fn a_caller_whose_wait_is_estimated_too_long_goes_on() {
    let all: Vec<(Micros, usize, Micros)> =
        (0..46).map(|call| (call * 10, 0, 10 + 50 * i64::from(call == 0))).collect();
    let counts = |extra: &str| {
        let config = two_queues(extra);
        totals(&day(&scenario(&config, calls(&config, &all))))[0]
    };
    let (without, with) = (counts(""), counts("max_estimate = \"40s\""));
    assert_eq!((without.answered, without.too_long), (46, 0));
    assert!(with.too_long >= 5 && with.answered + with.too_long == 46, "{with:?}");
}

#[test]
fn an_agent_who_lets_it_ring_rests_and_the_caller_keeps_his_place() {
    let config = two_queues("ring_timeout = \"10s\"\nrest_no_answer = \"1m\"\nmax_wait = \"2h\"");
    let mut scenario = scenario(&config, calls(&config, &[(0, 0, 10), (5, 0, 10)]));
    scenario.ring = Length::Measured([11 * SECOND].into());
    let first = totals(&day(&scenario))[0];
    assert_eq!((first.answered, first.waiting), (0, 2));
    // Ten seconds' ringing and sixty of rest, over and over: the 52nd begins at 3,570.
    assert_eq!(first.unanswered, 52);
    scenario.ring = Length::Fixed(Duration::from_secs(9));
    let first = totals(&day(&scenario))[0];
    assert_eq!((first.answered, first.unanswered), (2, 0));
    assert_eq!(first.answered_wait, (9 + (9 + 10 + 9 - 5)) * SECOND);
}

/// Three agents of one queue, of whom one or all ring.
fn three_of_one_queue(strategy: &str) -> Config {
    let agent = |name: &str, number: u8| {
        format!("[agent.{name}]\ncall = \"+49{number}@teams\"\nqueues = [\"support\"]\n")
    };
    config(&format!(
        "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"f\"\n[flow.f]\nsteps = [{{ queue = \"support\" }}]\n\
         [queue.support]\nstrategy = \"{strategy}\"\nring_timeout = \"10s\"\nrest_no_answer = \"1m\"\n{}{}{}",
        agent("anna", 1),
        agent("bo", 2),
        agent("carla", 3)
    ))
}

#[test]
fn of_several_who_ring_the_fastest_answers_and_with_no_ring_time_it_is_the_longest_idle() {
    let day_of = |strategy: &str, ring: &Length| {
        let config = three_of_one_queue(strategy);
        let list: Vec<_> = (0..100).map(|call| (call * 36, 0, 20)).collect();
        let mut scenario = scenario(&config, calls(&config, &list));
        scenario.ring = ring.clone();
        totals(&day(&scenario))[0]
    };
    let at_once = Length::Fixed(Duration::ZERO);
    assert_eq!(day_of("ring-all", &at_once), day_of("longest-idle", &at_once));
    // 2 s or 6 s, each as often: one alone takes 4 s, the fastest of three 2 s but for one time in eight.
    let ring = Length::Measured([2 * SECOND, 6 * SECOND].into());
    let (all, one) = (day_of("ring-all", &ring), day_of("longest-idle", &ring));
    assert_eq!((all.answered, one.answered, all.unanswered), (100, 100, 0));
    assert!((350..450).contains(&(one.answered_wait / SECOND)), "{one:?}");
    assert!((210..290).contains(&(all.answered_wait / SECOND)), "{all:?}");
}

#[test]
fn when_nobody_answers_all_who_rang_rest_and_the_caller_rings_them_again() {
    let config = three_of_one_queue("ring-all");
    let mut scenario = scenario(&config, calls(&config, &[(0, 0, 20)]));
    scenario.ring = Length::Measured([11 * SECOND].into());
    let all = totals(&day(&scenario))[0];
    // `max_wait` is 30 min: ten seconds' ringing and sixty of rest, 26 times, three agents each time.
    assert_eq!((all.answered, all.timed_out, all.unanswered), (0, 1, 26 * 3));
}

#[test]
fn an_agent_of_two_queues_takes_the_higher_priority_first_and_the_longest_waiting_within_it() {
    let config = config(
        r#"
        [[number]]
        match = "*"
        trunk = "carrier"
        flow = "f"
        [flow.f]
        steps = [{ menu = { prompt = "a.wav", keys = { 1 = "queue.a", 2 = "queue.b" } } }]
        [queue.a]
        [queue.b]
        priority = 1
        [agent.anna]
        call = "+491@teams"
        queues = ["a", "b"]
        "#,
    );
    let tally =
        day(&scenario(&config, calls(&config, &[(0, 0, 100), (10, 0, 100), (20, 1, 100), (30, 1, 100)])));
    let [a, b] = totals(&tally)[..] else { panic!() };
    assert_eq!((b.answered_wait, a.answered_wait), ((80 + 170) * SECOND, 290 * SECOND));
}

#[test]
fn a_caller_accepts_lesser_skills_as_he_waits() {
    let config = config(
        r#"
        [[number]]
        match = "*"
        trunk = "carrier"
        flow = "f"
        [flow.f]
        steps = [{ queue = "a" }]
        [queue.a]
        least_skill = 8
        widen = [{ after = "30s", least_skill = 3 }]
        [agent.anna]
        call = "+491@teams"
        queues = [{ queue = "a", skill = 5 }]
        "#,
    );
    let tally = day(&scenario(&config, calls(&config, &[(0, 0, 10)])));
    assert_eq!(totals(&tally)[0].answered_wait, 30 * SECOND);
}

#[test]
fn who_loses_patience_goes_even_while_an_agent_rings_and_the_agent_is_spared() {
    let config = two_queues("");
    let mut scenario = scenario(&config, calls(&config, &[(0, 0, 10), (6, 0, 10)]));
    scenario.ring = Length::Fixed(Duration::from_secs(4));
    scenario.patience = PerQueue::all(Length::Fixed(Duration::from_secs(3)));
    let first = totals(&day(&scenario))[0];
    assert_eq!((first.abandoned, first.abandoned_short, first.abandoned_wait), (2, 2, 6 * SECOND));
    assert_eq!(first.counted(), 0);
}

fn support(seed: u64, agents: u32) -> (Config, u64, u32) {
    (two_queues("max_waiting = 5\nmax_wait = \"2m\"\nwrap_up = \"7s\"\nring_timeout = \"10s\""), seed, agents)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Who enters comes out, in each half hour's row; whom the first queue does not keep, the second is offered.
    #[test]
    fn every_row_adds_up((config, seed, agents) in (0..1_000_u64, 0..12_u32).prop_map(|(seed, n)| support(seed, n))) {
        let (queue, _) = config.queues().next().unwrap();
        let rate = Rate { queue, calls: 120.0, per: Duration::from_secs(1_800) };
        let mut scenario = scenario(&config, Arrivals::Rates(vec![rate]));
        scenario.patience = PerQueue::all(Length::parse("lognormal:1m,2m").unwrap());
        scenario.ring = Length::parse("5s").unwrap();
        scenario.seed = seed;
        let heads = [Headcount { queue, agents }];
        let tally = run(&scenario, &staff(&config, &heads, scenario.start, scenario.end()), 0);
        for counts in tally.queues.values().flatten() {
            let gone = counts.answered + counts.abandoned + counts.flowed_out() + counts.waiting;
            prop_assert_eq!(counts.offered, gone);
        }
        let [first, second] = totals(&tally)[..] else { panic!() };
        prop_assert!(first.offered > 100);
        prop_assert_eq!(second.offered, first.flowed_out());
        for work in tally.teams.iter().flat_map(|team| &team.work) {
            prop_assert!(work.busy >= 0 && work.idle >= 0);
        }
    }
}

fn question<'c>(
    scenario: Scenario<'c>,
    queue: QueueId,
    agents: std::ops::RangeInclusive<u32>,
) -> Forecast<'c> {
    let staffings = agents.map(|agents| vec![Headcount { queue, agents }]).collect();
    Forecast { scenario, days: 5, staffings, goal: 0.8, zone: TimeZone::UTC }
}

#[test]
fn the_same_seed_gives_the_same_report_and_another_seed_another() {
    let config = two_queues("strategy = \"random-weighted\"");
    let (queue, _) = config.queues().next().unwrap();
    let rates = Arrivals::Rates(vec![Rate { queue, calls: 60.0, per: Duration::from_secs(1_800) }]);
    let report = |seed| {
        let scenario = Scenario { seed, ..scenario(&config, rates.clone()) };
        serde_json::to_string(&forecast(&question(scenario, queue, 6..=7))).unwrap()
    };
    assert_eq!(report(1), report(1));
    assert_ne!(report(1), report(2));
}

#[test]
fn two_staffings_meet_the_very_same_callers() {
    let config = two_queues("");
    let queues: Vec<QueueId> = config.queues().map(|(id, _)| id).collect();
    let rate = |&queue: &QueueId| Rate { queue, calls: 60.0, per: Duration::from_secs(1_800) };
    let mut scenario = scenario(&config, Arrivals::Rates(queues.iter().map(rate).collect()));
    scenario.patience = PerQueue::all(Length::parse("1m").unwrap());
    scenario.ring = Length::parse("5s").unwrap();
    // Nobody serves the second queue: there each caller shows how patient he is.
    let second = |agents| {
        let heads = [Headcount { queue: queues[0], agents }, Headcount { queue: queues[1], agents: 0 }];
        let tally = run(&scenario, &staff(&config, &heads, scenario.start, scenario.end()), 0);
        (tally.total(queues[0]).offered, tally.queues[&queues[1]].clone())
    };
    assert_eq!(second(1), second(4));
}

/// Few calls but for a rush from nine to ten.
fn rush(config: &Config) -> Arrivals {
    let calm = (0..3 * 60).map(|minute| (minute * 60, 0, 50));
    let rush = (0..180).map(|call| (3_600 + call * 20 + 5, 0, 50));
    let mut list: Vec<_> = calm.chain(rush).collect();
    list.sort();
    calls(config, &list)
}

#[test]
fn the_advice_names_the_worst_time_and_how_many_would_do() {
    let config = two_queues("");
    let (queue, _) = config.queues().next().unwrap();
    let mut scenario = scenario(&config, rush(&config));
    scenario.length = Duration::from_secs(3 * 3_600);
    let report = forecast(&question(scenario, queue, 1..=6));
    let [all_day, rush] = &report.advice[..] else { panic!("{:?}", report.advice) };
    assert!(all_day.starts_with("first: four agents instead of one all day raise"), "{all_day}");
    assert!(rush.starts_with("first: three more agents from 09:00 to 11:00 raise"), "{rush}");
}

#[test]
fn enough_is_said_to_be_enough() {
    let config = two_queues("");
    let (queue, _) = config.queues().next().unwrap();
    let report = forecast(&question(scenario(&config, calls(&config, &[(0, 0, 10)])), queue, 1..=2));
    assert_eq!(
        report.advice,
        [
            "first: one agent is enough: 100 % of the callers are answered within 20s, at least 80 % in every half hour."
        ]
    );
}

fn table(text: &str) -> Result<Vec<Arrival>, Vec<String>> {
    let config = two_queues("");
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let day = read_csv(text, &config, &zone, Date::constant(2026, 3, 29));
    day.map(|day| day.arrivals).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_table_is_read_in_any_order_with_quotes_and_in_german_form() {
    let (first, second) = (QueueId(0), QueueId(1));
    let english = "queue,note,talk_s,arrived_at\nsecond,\"late, \"\"very\"\"\",61.5,2026-01-12T09:00:01\n\
                   first,,,2026-01-12T08:00:00Z\n\n";
    let german =
        "\u{feff}arrived_at;talk_s;queue\r\n2026-01-12 09:00:01;61,5;second\r\n2026-01-12T08:00Z;;first\r\n";
    let expected = [
        Arrival { at: EIGHT, queue: first, talk: None },
        Arrival { at: EIGHT + SECOND, queue: second, talk: Some(61_500_000) },
    ];
    assert_eq!(table(english).unwrap(), expected);
    assert_eq!(table(german).unwrap(), expected);
}

#[test]
fn every_bad_row_is_named_with_line_column_and_cure() {
    let text = "arrived_at,queue,talk_s\n25:00,third,3 min\n02:30,first,\n09:00,first\n09:00,\"first,\n09:00,first,-1\n\
                9,first,1e3\n2026-13-01T09:00,first,NaN\n";
    let problems = table(text).unwrap_err();
    let expected = [
        "2:1: arrived_at: \"25:00\" is no time; write it such as 2026-11-24T09:15:02 or 09:15:02",
        "2:7: queue: no queue \"third\" in the configuration; it has first, second",
        "2:13: talk_s: \"3 min\" is no number of seconds within a day; write such as 182 or 182.5, or nothing",
        "3:1: arrived_at: \"02:30\" does not happen, or twice, as clocks change that day; write it with its offset",
        "4:1: 2 fields, the first row has 3; give it as many",
        "5:7: this quote is not closed in its line; close it",
        "6:13: talk_s: \"-1\" is no number of seconds within a day; write such as 182 or 182.5, or nothing",
        "7:1: arrived_at: \"9\" is no time; write it such as 2026-11-24T09:15:02 or 09:15:02",
        "7:9: talk_s: \"1e3\" is no number of seconds within a day; write such as 182 or 182.5, or nothing",
        "8:1: arrived_at: \"2026-13-01T09:00\" is no time; write it such as 2026-11-24T09:15:02 or 09:15:02",
        "8:24: talk_s: \"NaN\" is no number of seconds within a day; write such as 182 or 182.5, or nothing",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_table_without_its_columns_or_without_calls_is_refused() {
    let columns = "the first row names them: arrived_at,queue,talk_s";
    assert_eq!(table("when,queue\n").unwrap_err(), [format!("1:1: arrived_at: no such column; {columns}")]);
    assert_eq!(table("arrived_at\n9:00\n").unwrap_err(), [format!("1:1: queue: no such column; {columns}")]);
    let twice = table("arrived_at,queue,queue\n").unwrap_err();
    assert_eq!(twice, ["1:18: queue: this column comes twice; keep one"]);
    let none = table("arrived_at,queue\n").unwrap_err();
    assert_eq!(none, ["2:1: no calls; write one a row below the names of the columns"]);
}
