//! Keys of a trunk that say what is asked and done about sound and keys.

mod config_support;

use std::time::Duration;

use config_support::{config, sentences};
use media::sdp::{Policy, Tones};
use router::config::{DeadAirCure, Dtmf, TrunkSound};

const TRUNK: &str = "[trunk.x]\naccept_from = [\"192.0.2.0/24\"]\n";

/// A trunk with these keys.
fn sound(keys: &str) -> TrunkSound {
    let config = config(&format!("{TRUNK}{keys}\n"));
    config.trunks().find(|(_, trunk)| trunk.name == "x").expect("is there").1.sound
}

fn told(keys: &str) -> Vec<String> {
    let told = sentences(&format!("{TRUNK}{keys}\n"));
    told.into_iter().filter(|line| line.starts_with("trunk.x.")).collect()
}

#[test]
fn without_a_word_dead_air_is_told_after_three_seconds_and_nothing_else_is_done() {
    let expected = TrunkSound {
        rtcp_xr: false,
        dead_air: Duration::from_secs(3),
        dead_air_cure: DeadAirCure::Nothing,
        dead_air_tone: false,
        dtmf: Dtmf::Auto,
    };
    assert_eq!((sound(""), TrunkSound::default()), (expected, expected));
}

#[test]
fn each_key_is_taken_over() {
    let sound = sound(
        "rtcp_xr = true\ndead_air = \"5s\"\ndead_air_cure = \"relatch\"\ndead_air_tone = true\ndtmf = \"info\"",
    );
    let dead_air = Duration::from_secs(5);
    let expected = TrunkSound {
        rtcp_xr: true,
        dead_air,
        dead_air_cure: DeadAirCure::Relatch,
        dead_air_tone: true,
        dtmf: Dtmf::Info,
    };
    assert_eq!(sound, expected);
}

#[test]
fn how_keys_come_decides_what_is_offered_and_what_is_sought_in_the_sound() {
    for (word, events, tones) in [
        ("auto", true, Tones::Unbridged),
        ("rfc4733", true, Tones::Never),
        ("info", false, Tones::Never),
        ("inband", false, Tones::Always),
    ] {
        let policy = sound(&format!("dtmf = \"{word}\"")).dtmf.applied(Policy::default());
        assert_eq!((policy.telephone_event, policy.tones), (events, tones), "{word}");
    }
}

#[test]
fn mistakes_name_the_value_and_the_cure() {
    assert_eq!(
        told("rtcp_xr = 1\ndead_air = 3\ndead_air_cure = \"reinvit\"\ndtmf = \"tones\""),
        [
            "trunk.x.rtcp_xr: 1 is neither true nor false; write true or false (default false)",
            "trunk.x.dead_air: 3 has no unit; write \"3s\" or \"3ms\" (default \"3s\")",
            "trunk.x.dead_air_cure: \"reinvit\" is not known here; did you mean \"reinvite\"?",
            "trunk.x.dtmf: \"tones\" is not known here; write \"auto\", \"rfc4733\", \"info\" or \"inband\" (default \"auto\")",
        ]
    );
    assert_eq!(
        told("dead_air = \"500ms\""),
        [
            "trunk.x.dead_air: 500ms is sooner than sound can be there; write \"1s\" or more, or \"0s\" for never"
        ]
    );
    let warned = config(&format!("{TRUNK}dead_air = \"0s\"\ndead_air_cure = \"reinvite\"\n")).warnings;
    assert!(warned.to_string().contains("trunk.x.dead_air_cure: has no effect"), "{warned}");
}
