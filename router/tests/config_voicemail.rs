//! Voicemail as written: defaults, the short form, and every mistake with its cure.

mod config_support;

use std::path::Path;
use std::time::Duration;

use config_support::{config, sentences};
use router::config::Step;

const HOUSE: &str = "[[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"a\"\n";

fn with_step(step: &str) -> String {
    format!("{HOUSE}[flow.a]\nsteps = [{{ voicemail = {step} }}]\n")
}

fn step(step: &str) -> Step {
    let config = config(&with_step(step));
    config.flows().next().expect("a flow").1.steps[0].clone()
}

#[test]
fn the_short_form_has_the_defaults_of_the_long_one() {
    let seconds = Duration::from_secs;
    let expected = Step::Voicemail {
        mailbox: "support".into(),
        greeting: None,
        max: seconds(120),
        silence: Some(seconds(5)),
    };
    assert_eq!(step("\"support\""), expected);
    assert_eq!(step("{ mailbox = \"support\" }"), expected);
    let bounds = step("{ mailbox = \"b_2\", max = \"30m\", silence = \"0s\" }");
    let expected =
        Step::Voicemail { mailbox: "b_2".into(), greeting: None, max: seconds(1_800), silence: None };
    assert_eq!(bounds, expected);
}

#[test]
fn mistakes_of_the_step_are_told_with_their_cure() {
    let cases = [
        ("{ }", "mailbox: is missing; write mailbox = \"support\""),
        ("\"../x\"", ": \"../x\" is no name for a mailbox; write letters, digits, - and _, at most 64"),
        ("{ mailbox = \"\" }", "mailbox: \"\" is no name for a mailbox"),
        (
            "{ mailbox = \"a\", max = \"31m\" }",
            "max: \"31m\" is out of range; write \"1s\" to \"30m\" (default \"2m\")",
        ),
        ("{ mailbox = \"a\", max = 60 }", "max: 60 has no unit"),
        ("{ mailbox = \"a\", silence = \"200ms\" }", "silence: \"200ms\" is shorter than a pause for breath"),
        ("{ mailbox = \"a\", greeting = \"none.wav\" }", "greeting: "),
        ("{ mailbox = \"a\", silense = \"5s\" }", "silense: there is no such key; did you mean \"silence\"?"),
    ];
    for (step, expected) in cases {
        let told = sentences(&with_step(step));
        let found =
            told.iter().any(|line| line.starts_with("flow.a.steps[1].voicemail") && line.contains(expected));
        assert!(found, "{step}: {told:#?}");
    }
}

#[test]
fn the_folder_lies_in_data_dir_unless_it_is_somewhere_else() {
    let with = |section: &str| config(&format!("{}{section}", with_step("\"a\""))).voicemail;
    let default = with("");
    assert!(default.folder.ends_with("voicemail") && default.folder.components().count() > 1);
    assert_eq!(default.keep, Duration::from_secs(30 * 86_400));
    assert_eq!(with("[voicemail]\nfolder = \"/srv/box\"\n").folder, Path::new("/srv/box"));
    let told = sentences(&format!("{}[voicemail]\nfolder = \"\"\nkeep = \"1s\"\n", with_step("\"a\"")));
    assert!(told.iter().any(|line| line.starts_with("voicemail.folder: an empty path")), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("voicemail.keep: \"1s\" is out of range")), "{told:#?}");
}
