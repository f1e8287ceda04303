//! Keys of a trunk that say how its dialogs are kept.

mod config_support;

use config_support::{config, sentences};
use router::config::{Hold, TrunkDialog};
use sip_core::{Reliability, SessionPolicy};

const TRUNK: &str = "[trunk.x]\naccept_from = [\"192.0.2.0/24\"]\n";

/// A trunk with these keys.
fn dialog(keys: &str) -> TrunkDialog {
    let config = config(&format!("{TRUNK}{keys}\n"));
    config.trunks().find(|(_, trunk)| trunk.name == "x").expect("is there").1.dialog.clone()
}

fn told(keys: &str) -> Vec<String> {
    let told = sentences(&format!("{TRUNK}{keys}\n"));
    told.into_iter().filter(|line| line.starts_with("trunk.x.")).collect()
}

#[test]
fn without_a_word_sessions_last_half_an_hour_nothing_is_acknowledged_and_holds_stay_here() {
    let session = Some(SessionPolicy { expires: 1_800, min_se: 90, by_update: false });
    let expected = TrunkDialog {
        session,
        reliable: Reliability::Never,
        hold: Hold::Local,
        hold_music: None,
        missed_calls: true,
        refuses_machines: false,
    };
    assert_eq!(dialog(""), expected);
    assert_eq!(dialog(""), TrunkDialog::default());
}

#[test]
fn each_key_is_taken_over() {
    let dialog = dialog(
        "session_expires = \"10m\"\nmin_se = \"2m\"\nrefresh = \"update\"\nreliable = \"offered\"\nhold = \"pass\"",
    );
    let session = Some(SessionPolicy { expires: 600, min_se: 120, by_update: true });
    assert_eq!((dialog.session, dialog.reliable, dialog.hold), (session, Reliability::Offered, Hold::Pass));
    assert_eq!(self::dialog("session_expires = \"off\"").session, None);
    assert_eq!(self::dialog("session_expires = \"90500ms\"").session.map(|s| s.expires), Some(91));
}

#[test]
fn mistakes_name_the_value_and_the_cure() {
    assert_eq!(
        told("session_expires = \"60s\"\nmin_se = 90\nrefresh = \"info\"\nreliable = true\nhold = \"pas\""),
        [
            "trunk.x.session_expires: \"60s\" is out of range; write \"90s\" to \"24h\" (default \"30m\")",
            "trunk.x.min_se: 90 has no unit; write \"90s\" or \"90ms\" (default \"90s\")",
            "trunk.x.refresh: \"info\" is not known here; write \"reinvite\" or \"update\" (default \"reinvite\")",
            "trunk.x.reliable: true is not a text; write it such as \"never\"",
            "trunk.x.hold: \"pas\" is not known here; did you mean \"pass\"?",
        ]
    );
    let too_long = "min_se is longer than session_expires; write the same for both, or a shorter min_se";
    assert_eq!(
        told("session_expires = \"10m\"\nmin_se = \"11m\""),
        [format!("trunk.x.session_expires: {too_long}")]
    );
    assert_eq!(told("min_se = \"31m\""), [format!("trunk.x.min_se: {too_long}")]);
}
