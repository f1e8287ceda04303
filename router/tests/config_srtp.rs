//! SRTP of trunks and agents: what is taken, and each mistake with its cure.

mod config_support;

use config_support::{DESK, config, sentences};
use media::{sdp::Srtp, srtp::Suite};

fn trunk(keys: &str) -> String {
    format!("{DESK}[trunk.pbx]\naccept_from = [\"192.0.2.7\"]\n{keys}\n")
}

fn agent(call: &str, keys: &str) -> String {
    format!("{DESK}[agent.zoe]\ncall = {call}\nqueues = [\"desk\"]\n{keys}\n")
}

#[track_caller]
fn expect(text: &str, section: &str, expected: &[&str]) {
    let own = |line: &String| line.contains(section) && !line.contains("names it; take it out");
    let told: Vec<String> = sentences(text).into_iter().filter(own).collect();
    assert_eq!(told, expected, "of {text}");
}

#[test]
fn srtp_is_off_unless_it_is_asked_for_and_one_suite_is_offered_unless_others_are_named() {
    let of = |keys: &str| {
        let config = config(&trunk(keys));
        let (_, trunk) = config.trunks().find(|(_, trunk)| trunk.name == "pbx").unwrap();
        trunk.srtp.clone()
    };
    let off = of("");
    assert_eq!((off.mode, off.in_words(), off.suites), (Srtp::Off, None, vec![Suite::AesCm128HmacSha1_80]));
    let required =
        of("srtp = \"required\"\nsrtp_suites = [\"AEAD_AES_128_GCM\", \"aes_cm_128_hmac_sha1_80\"]");
    assert_eq!(required.mode, Srtp::Required);
    assert_eq!(
        required.in_words().as_deref(),
        Some("SRTP required: AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80")
    );
    assert_eq!(of("srtp = \"optional\"").mode, Srtp::Optional);
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let known = "\"AEAD_AES_256_GCM\", \"AEAD_AES_128_GCM\", \"AES_256_CM_HMAC_SHA1_80\", \"AES_CM_128_HMAC_SHA1_80\", \
                 \"AES_256_CM_HMAC_SHA1_32\", \"AES_CM_128_HMAC_SHA1_32\"";
    for (keys, told) in [
        ("srtp = \"require\"", "trunk.pbx.srtp: \"require\" is not known here; did you mean \"required\"?".to_owned()),
        (
            "srtp = \"required\"\nsrtp_suites = \"F8_128_HMAC_SHA1_80\"",
            format!("trunk.pbx.srtp_suites: \"F8_128_HMAC_SHA1_80\" is no suite; write one of {known}"),
        ),
        (
            "srtp = \"required\"\nsrtp_suites = [\"AEAD_AES_128_GCM\", \"AEAD_AES_128_GCM\"]",
            "trunk.pbx.srtp_suites[2]: \"AEAD_AES_128_GCM\" stands in the list already; take one out".to_owned(),
        ),
        (
            "srtp = \"required\"\nsrtp_suites = []",
            "trunk.pbx.srtp_suites: offers nothing; name a suite, such as \"AES_CM_128_HMAC_SHA1_80\", or take the key out"
                .to_owned(),
        ),
        (
            "srtp_suites = \"AEAD_AES_128_GCM\"",
            "warning: trunk.pbx.srtp_suites: says nothing while srtp is \"off\"; write srtp = \"optional\" or \"required\""
                .to_owned(),
        ),
    ] {
        expect(&trunk(keys), "trunk.pbx.", &[told.as_str()]);
    }
}

#[test]
fn an_agent_all_of_whose_addresses_go_by_trunks_is_told_where_srtp_belongs() {
    let warning = "warning: agent.zoe.srtp: every address of this agent goes by a trunk; write it there: trunk.NAME.srtp";
    expect(&agent("\"2@teams\"", "srtp = \"required\""), "agent.zoe.", &[warning]);
    expect(&agent("[\"2@teams\", \"sip:zoe@192.0.2.9\"]", "srtp = \"required\""), "agent.zoe.", &[]);
}
