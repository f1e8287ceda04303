//! The reference page says what the code says.

mod config_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config_support::{HEAD, read_with, surroundings, wav};
use router::config::{Files, Names, Surroundings, reference};
use router::speech::Tongue;

#[test]
fn the_reference_page_is_not_stale() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("REFERENCE.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, reference()).expect("the page can be written");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == reference(), "write it anew: BLESS=1 cargo test -p router --test config_reference");
}

#[test]
fn every_key_is_explained() {
    for line in reference().lines().filter(|line| line.starts_with("- **`")) {
        let meaning = line.split_once("**: ").map_or("", |(_, meaning)| meaning);
        assert!(meaning.len() > 5 && meaning.ends_with('.'), "{line}");
    }
}

/// What the README shows of a queue, in a house that has the rest.
#[test]
fn the_readmes_queue_has_no_mistakes() {
    let rest = r#"
        [[number]]
        match = "*"
        flow = "first"
        [flow.first]
        steps = [{ queue = "support" }, { queue = "sales" }]
        [queue.sales]
        [agent.anna]
        call = "1@carrier"
        queues = ["support", "sales"]
    "#;
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README is there");
    let shown = readme.split("```toml\n").nth(1).and_then(|text| text.split("```").next()).expect("a sample");
    let prompts =
        ["emergency", "whisper", "callback", "greeting"].map(|name| format!("etc/prompts/{name}.wav"));
    let mut files: BTreeMap<PathBuf, Vec<u8>> =
        prompts.map(|name| (name.into(), wav())).into_iter().collect();
    for (folder, tongue) in [("de", Tongue::German), ("en", Tongue::English)] {
        let names = tongue.snippets(true, true).into_iter();
        files.extend(names.map(|name| (format!("etc/prompts/{folder}/numbers/{name}.wav").into(), wav())));
    }
    files.insert("etc/jazz/1.wav".into(), wav());
    files.insert("etc/offer.mp3".into(), include_bytes!("../../media/tests/sounds/mono.mp3").to_vec());
    let surroundings = Surroundings { files: Files::Memory(files), ..surroundings() };
    let head = HEAD.replace("[trunk.teams]\n", "");
    let config = read_with(&format!("{head}{rest}{shown}"), &mut Names::new(), &surroundings);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}
