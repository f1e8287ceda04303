//! A reload keeps ids, tells what changed, and leaves everything as it was when the new file is wrong.

mod config_support;

use config_support::{HEAD, config_named, read_with, surroundings, wav};
use router::config::{Config, Files, Names};
use std::path::PathBuf;

const DESK: &str = r#"
[node]
name = "desk"
[[number]]
match = "+4930*"
trunk = "carrier"
flow = "desk"
[flow.desk]
steps = [{ queue = "desk" }]
[queue.desk]
music = "a.wav"
ring_timeout = "15s"
[agent.anna]
call = "1@teams"
queues = ["desk"]
"#;

fn ids(config: &Config) -> Vec<(String, u32)> {
    let queues = config.queues().map(|(id, queue)| (queue.name.clone(), id.0));
    queues.chain(config.agents().map(|(id, agent)| (agent.name.clone(), id.0))).collect()
}

#[test]
fn a_name_keeps_its_id_while_others_come_and_go() {
    let mut names = Names::new();
    let first = config_named(DESK, &mut names);
    let more = format!("[queue.a]\n[agent.aaron]\ncall = \"2@teams\"\nqueues = [\"a\"]\n{DESK}");
    let second = config_named(&more, &mut names);
    let without = more.replace("[queue.a]", "[queue.b]").replace("\"a\"", "\"b\"");
    let third = config_named(&without, &mut names);
    assert_eq!(ids(&first), [("desk".into(), 0), ("anna".into(), 0)]);
    assert_eq!(ids(&second), [("a".into(), 1), ("desk".into(), 0), ("aaron".into(), 1), ("anna".into(), 0)]);
    assert_eq!(ids(&third), [("b".into(), 2), ("desk".into(), 0), ("aaron".into(), 1), ("anna".into(), 0)]);
    assert_eq!((first.generation, second.generation, third.generation), (1, 2, 3));

    let gone = names.queue_id("a").unwrap();
    assert_eq!(names.queue(gone), Some("a"), "whoever still waits there can be told where");
    assert!(third.queue(gone).is_none() && second.queue(gone).is_some());
    assert_eq!(names.queues(), 3);
}

#[test]
fn a_wrong_file_leaves_the_names_as_they_were() {
    let mut names = Names::new();
    let first = config_named(DESK, &mut names);
    let wrong = format!("{HEAD}{DESK}max_wait = 5\n[queue.new]\n");
    assert!(read_with(&wrong, &mut names, &surroundings()).is_err());
    assert_eq!(names.queue_id("new"), None);
    let second = config_named(DESK, &mut names);
    assert_eq!(second.generation, first.generation + 1);
}

#[test]
fn the_difference_is_told_in_words_and_in_order() {
    let mut names = Names::new();
    let old = config_named(DESK, &mut names);
    assert_eq!(config_named(DESK, &mut names).difference(&old), "");
    assert_eq!(config_named(&format!("# only a comment\n{DESK}"), &mut names).difference(&old), "");
    let changed = DESK
        .replace("ring_timeout = \"15s\"", "max_waiting = 50\nring_timeout = \"20s\"")
        .replace("[agent.anna]", "[agent.bo]\ncall = \"2@teams\"\nqueues = [\"desk\"]\n[agent.carl]")
        .replace("name = \"desk\"", "name = \"front\"");
    let new = config_named(&changed, &mut names);
    assert_eq!(
        new.difference(&old),
        "agent.anna removed; agent.bo added; agent.carl added; node.name \"desk\" -> \"front\"; \
         queue.desk.max_waiting default -> 50; queue.desk.ring_timeout \"15s\" -> \"20s\""
    );
}

/// What the file says is told, not what is in it.
#[test]
fn a_password_that_has_changed_in_its_file_is_told() {
    let text = format!("{HEAD}username = \"49301\"\npassword_file = \"sbc.password\"\n{DESK}");
    let read = |password: &str| {
        let mut surroundings = surroundings();
        let Files::Memory(files) = &mut surroundings.files else { panic!() };
        files.insert(PathBuf::from("etc/sbc.password"), password.as_bytes().to_vec());
        read_with(&text, &mut Names::new(), &surroundings).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let old = read("correct horse\n");
    assert_eq!(read("correct horse").difference(&old), "");
    assert_eq!(read("battery\n").difference(&old), "trunk.teams.password_file has another content");
    let renamed = text.replace("sbc.password", "new.password");
    let mut surroundings = surroundings();
    let Files::Memory(files) = &mut surroundings.files else { panic!() };
    files.insert(PathBuf::from("etc/new.password"), b"battery".to_vec());
    let renamed = read_with(&renamed, &mut Names::new(), &surroundings).unwrap();
    let told = "trunk.teams.password_file \"sbc.password\" -> \"new.password\"";
    assert_eq!(renamed.difference(&old), told);
}

#[test]
fn one_more_number_is_one_addition() {
    let mut names = Names::new();
    let old = config_named(DESK, &mut names);
    let more = DESK.replace(
        "[flow.desk]",
        "hours = \"office\"\n[[number]]\nmatch = \"112\"\ntrunk = \"carrier\"\nflow = \"desk\"\n[flow.desk]",
    );
    let new = config_named(&format!("{more}[hours.office]\nzone = \"UTC\"\n"), &mut names);
    assert_eq!(
        new.difference(&old),
        "hours.office added; number \"+4930*\" on \"carrier\".hours default -> \"office\"; number \"112\" on \"carrier\" added"
    );
}

#[test]
fn what_needs_a_restart_says_so_and_stays_as_it_is_until_then() {
    let mut names = Names::new();
    let running = config_named(
        &format!(
            "{DESK}[media]\nports = \"10000-19999\"\ncodecs = [\"pcma\"]\n[journal]\nflush = \"50ms\"\n"
        ),
        &mut names,
    );
    let changed = format!(
        "{DESK}[media]\nports = \"12000-19999\"\ncodecs = [\"pcmu\"]\n[limits]\nmax_calls = 7\ndrain_timeout = \"1s\"\n"
    );
    for reload in 1..=2 {
        let mut new = config_named(&changed, &mut names);
        let waiting: Vec<String> = new.keep_until_restart(&running).into_iter().collect();
        assert_eq!(waiting, ["journal.flush", "limits.max_calls", "media.ports"], "reload {reload}");
        assert_eq!((&new.media.ports, new.media.codecs.len()), (&running.media.ports, 1));
        assert_ne!(new.media.codecs, running.media.codecs);
        assert_eq!((&new.journal, new.limits.max_calls), (&running.journal, running.limits.max_calls));
        assert_eq!(new.limits.drain_timeout, std::time::Duration::from_secs(1));
        assert_eq!(
            new.difference(&running),
            "limits added; media.codecs [\"pcma\"] -> [\"pcmu\"]",
            "what is in force now"
        );
    }
}

#[test]
fn another_sound_in_the_same_file_is_a_difference() {
    let mut names = Names::new();
    let text = format!("{HEAD}{DESK}");
    let old = read_with(&text, &mut names, &surroundings()).unwrap();
    let mut other = surroundings();
    let Files::Memory(files) = &mut other.files else { panic!() };
    let mut sound = wav();
    *sound.last_mut().unwrap() = 0x40;
    files.insert(PathBuf::from("etc/a.wav"), sound);
    let new = read_with(&text, &mut names, &other).unwrap();
    assert_eq!(new.difference(&old), "prompt a.wav has another sound");
}

#[test]
fn a_problem_found_in_use_has_its_place_in_the_file() {
    let config = config_named(DESK, &mut Names::new());
    let told = config.problem(
        "listen.sip[1]",
        "udp:127.0.0.1:5060 is in use; stop the other program, or write another port",
    );
    assert_eq!(
        told.to_string(),
        "f.toml:3:8: listen.sip[1]: udp:127.0.0.1:5060 is in use; stop the other program, or write another port"
    );
    assert_eq!(config.problem("listen.admin", "x").to_string(), "f.toml:2:1: listen.admin: x");
    assert_eq!(config.problem("media.address", "x").to_string(), "f.toml:1:1: media.address: x");
}
