//! Configurations in memory, with prompts that exist.
#![allow(dead_code)] // each test file uses its own part

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use router::config::{Config, Files, Names, Problems, Surroundings, parse};

/// What every file needs, and nothing more.
pub(crate) const HEAD: &str = r#"
[listen]
sip = ["udp:127.0.0.1:5060"]
[trunk.carrier]
accept_from = ["10.0.0.0/8"]
[trunk.teams]
send_to = ["udp:192.0.2.1:5060"]
"#;

/// A flow, queue and agent that refer to each other, and a number that leads there.
pub(crate) const DESK: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "desk"
[flow.desk]
steps = [{ queue = "desk" }]
[agent.anna]
call = "1@teams"
queues = ["desk"]
[queue.desk]
"#;

/// A second of silence: 16-bit, 8 kHz, one channel.
pub(crate) fn wav() -> Vec<u8> {
    let samples = vec![0u8; 16_000];
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + samples.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend([1u16, 1].map(u16::to_le_bytes).concat());
    bytes.extend([8_000u32, 16_000].map(u32::to_le_bytes).concat());
    bytes.extend([2u16, 16].map(u16::to_le_bytes).concat());
    bytes.extend(b"data");
    bytes.extend((samples.len() as u32).to_le_bytes());
    bytes.extend(samples);
    bytes
}

/// Files `a.wav`, `b.wav`, `c.wav`, and the machine nobody knows anything about.
pub(crate) fn surroundings() -> Surroundings {
    let files = ["a.wav", "b.wav", "c.wav"].map(|name| (PathBuf::from("etc").join(name), wav()));
    Surroundings { files: Files::Memory(BTreeMap::from(files)), ..Surroundings::default() }
}

/// Reads `text` as `f.toml` in the directory `etc`.
pub(crate) fn read_with(
    text: &str,
    names: &mut Names,
    surroundings: &Surroundings,
) -> Result<Config, Problems> {
    parse(text, "f.toml", Path::new("etc"), names, surroundings)
}

/// The configuration that `HEAD` and `text` make.
pub(crate) fn config(text: &str) -> Config {
    config_named(text, &mut Names::new())
}

/// As [`config`], with ids from `names`.
pub(crate) fn config_named(text: &str, names: &mut Names) -> Config {
    read_with(&format!("{HEAD}{text}"), names, &surroundings())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every problem of `text`, behind `HEAD`, as printed, without the file's name.
pub(crate) fn problems(text: &str) -> Vec<String> {
    problems_of(&format!("{HEAD}{text}"), &surroundings())
}

/// Every problem of `text` alone, as printed, without the file's name.
pub(crate) fn problems_of(text: &str, surroundings: &Surroundings) -> Vec<String> {
    let found = match read_with(text, &mut Names::new(), surroundings) {
        Ok(config) => config.warnings,
        Err(problems) => problems,
    };
    found.iter().map(|problem| problem.to_string().trim_start_matches("f.toml:").to_owned()).collect()
}

/// The problems, without their places.
pub(crate) fn sentences(text: &str) -> Vec<String> {
    problems(text).iter().map(|line| line.splitn(3, ':').nth(2).unwrap_or("").trim().to_owned()).collect()
}
