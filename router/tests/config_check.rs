//! `fernamt check`: what it prints and how it ends.

mod config_support;

use std::path::{Path, PathBuf};

use config_support::{HEAD, wav};
use router::command::check::{Outcome, Questions, check};

const DESK: &str = r#"
[[number]]
match = "+4930*"
trunk = "carrier"
flow = "desk"
hours = "office"
[[number]]
match = "110"
trunk = "carrier"
flow = "night"
[flow.desk]
steps = [{ play = "a.wav" }, { menu = { prompt = "a.wav", keys = { 1 = "queue.desk" }, otherwise = "hangup" } }]
[flow.night]
steps = [{ hours = { name = "office", closed = "next" } }, { queue = "desk" }, { goto = "flow.closed" }]
[flow.closed]
steps = [{ play = "a.wav" }]
[queue.desk]
hours = "office"
[agent.anna]
call = "1@teams"
queues = ["desk"]
[hours.office]
zone = "Europe/Berlin"
mon-fri = "09:00-17:00"
sun = "02:00-04:00"
special = { "2026-12-24" = "09:00-13:00" }
holidays = ["12-25"]
closed_prompt = "a.wav"
closed = "flow.closed"
"#;

/// Runs the command on a file of its own; the file's directory and the machine's warnings are taken out of the text.
fn run(name: &str, text: &str, at: Option<&str>) -> Outcome {
    ask(name, text, Questions { at, number: None })
}

fn ask(name: &str, text: &str, asked: Questions<'_>) -> Outcome {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{name}"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("a.wav"), wav()).unwrap();
    let path: PathBuf = dir.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    let outcome = check(&path, asked);
    let text = outcome.text.replace(&format!("{}/", dir.display()), "");
    let own = text.lines().filter(|line| !line.contains("net.core.rmem_max")).map(|line| format!("{line}\n"));
    Outcome {
        text: own.collect::<String>().replace(": can be used\n", ": no mistakes\n"),
        code: outcome.code,
    }
}

fn story(at: &str) -> String {
    let outcome = run(&at.replace(':', "-"), &format!("{HEAD}{DESK}[limits]\nmax_calls = 100\n"), Some(at));
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    outcome.text.split_once("\n\n").expect("a story").1.to_owned()
}

#[test]
fn a_good_file_is_counted_and_ends_with_zero() {
    let outcome = run("good", &format!("{HEAD}{DESK}[limits]\nmax_calls = 100\n"), None);
    assert_eq!(
        outcome,
        Outcome {
            text: "good.toml: no mistakes\n2 trunks, 2 numbers, 3 flows, 1 queue, 1 agent, 1 prompt; 100 calls at once\n"
                .into(),
            code: 0
        }
    );
}

#[test]
fn a_bad_file_prints_every_problem_and_ends_with_two() {
    let outcome =
        run("bad", &format!("{HEAD}{DESK}call = \"sip:x@teams\"\n[queue.idle]\nmax_wait = 5\n"), None);
    assert_eq!(outcome.code, 2);
    let lines: Vec<&str> = outcome.text.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines[0].ends_with("hours.office.call: there is no such key; take it out, or write one of zone, mon, tue, wed, thu, fri, sat, sun, holidays, special, closed_prompt, closed"), "{lines:#?}");
    assert!(
        lines[1].ends_with("queue.idle.max_wait: 5 has no unit; write \"5s\" or \"5ms\" (default \"30m\")"),
        "{lines:#?}"
    );
    assert_eq!(lines[2], "bad.toml: 2 errors");
}

#[test]
fn open_hours_lead_into_the_flow_up_to_the_first_choice() {
    assert_eq!(
        story("2026-12-24T12:59"),
        "+4930* on trunk.carrier: flow.desk
    hours.office at 2026-12-24T12:59 Europe/Berlin: open until 2026-12-24T13:00
    flow.desk:
    play a.wav
    menu a.wav: 1 queue.desk; after 3 tries hang up

110 on trunk.carrier: flow.night
    hours.office at 2026-12-24T12:59 Europe/Berlin: open until 2026-12-24T13:00
    wait in queue.desk
    hours.office at 2026-12-24T12:59 Europe/Berlin: open until 2026-12-24T13:00
"
    );
}

#[test]
fn closed_hours_play_and_lead_elsewhere_and_a_closed_queue_overflows() {
    assert_eq!(
        story("2026-12-24T15:00"),
        "+4930* on trunk.carrier: flow.desk
    hours.office at 2026-12-24T15:00 Europe/Berlin: closed (special day) until 2026-12-27T02:00
    play a.wav
    flow.closed:
    play a.wav
    hang up (the flow ends)

110 on trunk.carrier: flow.night
    hours.office at 2026-12-24T15:00 Europe/Berlin: closed (special day) until 2026-12-27T02:00
    play a.wav
    wait in queue.desk
    hours.office at 2026-12-24T15:00 Europe/Berlin: closed (special day) until 2026-12-27T02:00
    flow.closed:
    play a.wav
    hang up (the flow ends)
"
    );
}

#[test]
fn an_instant_is_the_same_in_every_zone_and_a_holiday_is_named() {
    let line = |at: &str| story(at).lines().nth(1).unwrap().trim().to_owned();
    let holiday = "hours.office at 2026-12-25T10:00 Europe/Berlin: closed (holiday) until 2026-12-27T02:00";
    assert_eq!(line("2026-12-25T10:00"), holiday);
    assert_eq!(line("2026-12-25T09:00Z"), holiday);
    assert_eq!(line("2026-12-25T04:00-05:00"), holiday);
}

#[test]
fn a_time_the_clock_never_shows_or_shows_twice_is_said_to_be_so() {
    let line = |at: &str| story(at).lines().nth(1).unwrap().trim().to_owned();
    assert_eq!(
        line("2026-03-29T02:30"),
        "hours.office at 2026-03-29T03:00 Europe/Berlin: open until 2026-03-29T04:00 (the clock never shows that time; this is the jump over it)"
    );
    assert_eq!(
        line("2026-10-25T02:30"),
        "hours.office at 2026-10-25T02:30 Europe/Berlin: open until 2026-10-25T04:00 (the clock shows that time twice; this is the first)"
    );
}

#[test]
fn a_time_that_is_none_ends_with_two() {
    for at in ["tomorrow", "2026-12-24", "2026-02-30T10:00", "15:00", ""] {
        let outcome = run("time", &format!("{HEAD}{DESK}"), Some(at));
        assert_eq!(outcome.code, 2, "{at}");
        let cure = "is no time; write it such as 2026-12-24T15:00 or 2026-12-24T15:00+01:00";
        assert_eq!(outcome.text, format!("--at: {at:?} {cure}\n"));
    }
}

#[test]
fn what_becomes_of_a_number_is_told_for_both_ways() {
    let plan = "country = \"49\"\nnumbers_in = \"national\"\nnumbers_out = { called = \"national\" }\n\
                send_to = [\"udp:192.0.2.9:5060\"]\nuser_phone = true\nwithheld = \"restricted\"\n";
    let gold = "[callers.gold]\nnumbers = \"+4930*\"\nboost = \"1m\"\n";
    let text = format!("{}{DESK}{gold}", HEAD.replace("[trunk.teams]", &format!("{plan}[trunk.teams]")));
    let told = |number| ask("number", &text, Questions { number: Some(number), at: None });
    let lines = told("030123@carrier").text;
    let story = lines.split("\n\n").nth(1).expect("a story").to_owned();
    assert_eq!(
        story,
        "030123 called by a call of trunk.carrier: +4930123, flow.desk by +4930*\n\
         030123 as the caller there: +4930123, one of callers.gold\n\
         030123 called by trunk.carrier: goes as 030123;user=phone\n\
         030123 shown as the caller there: goes as 030123;user=phone\n"
    );
    assert!(
        told("110@carrier").text.contains("trunk.carrier: 110, flow.night by 110"),
        "{}",
        told("110@carrier").text
    );
    assert!(told("Restricted@carrier").text.contains("withheld"));
    assert_eq!(told("1@nobody").code, 2);
    assert_eq!(told("1").text, "--number: \"1\" names no trunk; write it such as 0301234@carrier\n");
}
