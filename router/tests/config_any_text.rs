//! Whatever stands in a file: an answer, never a panic, and every problem has a place in the file.

mod config_support;

use config_support::{HEAD, read_with, surroundings};
use proptest::prelude::*;
use router::config::Names;

const QUEUE: &str = include_str!("contract/queue.toml");

/// Reads `text` and looks at what comes of it.
fn judge(text: &str) {
    let mut names = Names::new();
    let problems = match read_with(text, &mut names, &surroundings()) {
        Ok(config) => {
            assert_eq!(config.difference(&config), "");
            config.trunks().for_each(|(id, _)| {
                config.route(id, "+4930");
            });
            config.warnings
        }
        Err(problems) => {
            assert!(problems.errors().next().is_some(), "refused without saying why: {text:?}");
            assert_eq!(names.queues(), 0, "a refused file leaves no names");
            problems
        }
    };
    let lines = text.split('\n').count() as u32;
    for problem in problems.iter() {
        assert!((1..=lines).contains(&problem.place.line), "{problem} of {lines} lines");
        assert!(!problem.text.contains('\n'), "{problem:?}");
    }
}

/// Words of the language and odd things beside them.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "[",
            "]",
            "{",
            "}",
            "=",
            ",",
            ".",
            "\n",
            "\"",
            "'",
            "#",
            "[[number]]\n",
            "[queue.q]\n",
            "[flow.a]\n",
            "[agent.x]\n",
            "[hours.h]\n",
            "[trunk.t]\n",
            "[limits]\n",
            "[media]\n",
            "steps",
            "play",
            "menu",
            "queue",
            "dial",
            "hours",
            "goto",
            "reject",
            "\"hangup\"",
            "\"flow.a\"",
            "\"queue.q\"",
            "\"a.wav\"",
            "\"20s\"",
            "20",
            "-1",
            "1.5",
            "true",
            "1979-05-27",
            "ä",
            "\"{called}@t\"",
            "\"sip:{caller}@h\"",
            "keys",
            "call",
            "mon",
            "\"09:00-24:00\"",
            "zone",
            "\"UTC\"",
            "match",
            "\"*\"",
            "\u{0}",
            "\u{feff}",
            "inf",
            "0xffffffffffffffff",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ]
}

proptest! {
    #[test]
    fn words_in_any_order_are_judged(words in prop::collection::vec(word(), 0..40)) {
        let text: String = words.join(" ");
        judge(&text);
        judge(&format!("{HEAD}{text}"));
    }

    #[test]
    fn a_good_file_with_a_piece_replaced_is_judged(from in 0..QUEUE.len(), length in 0usize..40, words in prop::collection::vec(word(), 0..4)) {
        let start = QUEUE.floor_char_boundary(from);
        let end = QUEUE.floor_char_boundary((start + length).min(QUEUE.len()));
        judge(&format!("{}{}{}", &QUEUE[..start], words.join(" "), &QUEUE[end.max(start)..]));
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    judge(&deep);
    judge(&format!("x = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000)));
    judge(&format!("[{}]", vec!["a"; 50_000].join(".")));
}
