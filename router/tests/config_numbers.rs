//! Number plans of trunks: their mistakes, each with its cure.

mod config_support;

use config_support::{DESK, config, sentences};
use router::config::{Reading, Whose, Writing};

/// Asserts what is wrong with these keys of a trunk.
#[track_caller]
fn expect(keys: &str, expected: &[&str]) {
    let text = format!("{DESK}[trunk.pbx]\naccept_from = [\"192.0.2.7\"]\n{keys}\n");
    let shown = |line: &&str| match line.strip_prefix("warning: ") {
        Some(line) => format!("warning: trunk.pbx.{line}"),
        None => format!("trunk.pbx.{line}"),
    };
    let told: Vec<String> =
        sentences(&text).into_iter().filter(|line| !line.contains("names it; take it out")).collect();
    assert_eq!(told, expected.iter().map(shown).collect::<Vec<_>>(), "of {keys}");
}

#[test]
fn mistakes_of_a_number_plan_are_told_with_their_cure() {
    let country = "\"national\" in which country? Write country = \"49\" beside it";
    expect("numbers_in = \"national\"", &[&format!("numbers_in: {country}")]);
    expect("numbers_out = { caller = \"national\" }", &[&format!("numbers_out: {country}")]);
    expect(
        "country = \"0049\"",
        &["country: \"0049\" is no country code; write one to three digits, such as \"49\""],
    );
    expect("country = 49", &["country: 49 is not a text; write \"49\""]);
    expect("numbers_in = \"e163\"", &["numbers_in: \"e163\" is not known here; did you mean \"e164\"?"]);
    expect(
        "numbers_in = { callee = \"e164\" }",
        &["numbers_in.callee: there is no such key; did you mean \"called\"?"],
    );
    expect(
        "national_prefix = \"+\"",
        &["national_prefix: \"+\" is no prefix; write digits, at most 8, such as \"0\""],
    );
}

#[test]
fn mistakes_of_a_rule_are_told_once_though_it_serves_callers_and_called() {
    expect("rewrite_in = [{ add = \"1\" }]", &["rewrite_in[1].match: is missing; write match = \"1??\""]);
    expect(
        "rewrite_in = [{ match = \"1*2\" }]",
        &[
            "rewrite_in[1].match: \"1*2\" is no pattern of numbers; write the number, ? for any one character, a * at the end for any that follow",
        ],
    );
    expect(
        "rewrite_out = [{ match = \"00*\", strip = 3 }]",
        &["rewrite_out[1].strip: 3 is out of range; write 0 to 2 (default 0)"],
    );
    expect(
        "rewrite_out = [{ match = \"00*\", add = \"a b@\" }]",
        &["rewrite_out[1].add: \"a b@\" has what no number may have; write digits, letters, + * # - _ ."],
    );
    expect(
        "rewrite_in = [{ match = \"*\", add = \"1\" }, { match = \"1\", whose = \"caller\" }]",
        &[
            "warning: rewrite_in[2]: no number comes here: a rule before it matches all; take it out, or put it first",
        ],
    );
}

#[test]
fn callers_and_called_numbers_have_plans_of_their_own() {
    let config = config(&format!(
        "{DESK}[trunk.pbx]\naccept_from = [\"192.0.2.7\"]\ncountry = \"49\"\nnumbers_in = {{ caller = \"e164\" }}\n\
         numbers_out = \"+e164\"\nrewrite_in = [{{ match = \"1??\", strip = 1, add = \"+493012\", whose = \"called\" }}]\n"
    ));
    let (_, pbx) = config.trunks().find(|(_, trunk)| trunk.name == "pbx").expect("the trunk");
    let numbers = &pbx.numbers;
    assert_eq!((numbers.caller.reading, numbers.called.reading), (Reading::E164, Reading::Raw));
    assert_eq!((numbers.caller.writing, numbers.called.writing), (Writing::Plus, Writing::Plus));
    assert_eq!(numbers.taken(Whose::Caller, "49301234"), "+49301234");
    assert_eq!(numbers.taken(Whose::Called, "49301234"), "49301234");
    assert_eq!(
        (numbers.taken(Whose::Called, "123"), numbers.taken(Whose::Caller, "123")),
        ("+49301223".into(), "123".into())
    );
    assert_eq!(numbers.given(Whose::Called, "0301234"), "+49301234");
}

#[test]
fn mistakes_of_identity_and_headers_are_told_with_their_cure() {
    expect(
        "trust_identity = false\nidentity_out = \"asserted\"",
        &[
            "identity_out: identities are asserted to trusted trunks only (RFC 3325); write \"preferred\", or trust_identity = true",
        ],
    );
    expect(
        "identity_number = \"+4930\"",
        &[
            "warning: identity_number: goes nowhere; write identity_out = \"asserted\" or \"preferred\" beside it",
        ],
    );
    expect(
        "identity_out = \"preferred\"\nidentity_number = \"a b\"",
        &["identity_number: \"a b\" is no number; write one such as \"+493012345\" (default \"{caller}\")"],
    );
    expect(
        "headers = { set = { Via = \"x\", f = \"x\", Privacy = \"id\", X-A = \"a\\r\\nVia: x\", \"X A\" = \"1\", X-B = \"{callee}\" } }",
        &[
            "headers.set.Via: is written by Fernamt itself; take it out",
            "headers.set.f: is written by Fernamt itself; take it out",
            "headers.set.Privacy: is written by Fernamt itself; write identity_out",
            "headers.set.X-A: a line end in the text would begin another header; write one line",
            "headers.set.\"X A\": is no name of a header; write letters, digits and -",
            "headers.set.X-B: {callee} is not known; write {called} or {caller}",
        ],
    );
    expect(
        "headers = { pass = [\"Call-ID\", \"X *\"], remove = [\"X-*\", \"\"] }",
        &[
            "headers.pass[1]: Call-ID is written by Fernamt itself and never goes on; take it out",
            "headers.pass[2]: \"X *\" is no name of a header; write one such as \"X-Tenant\", or \"X-*\"",
            "headers.remove[2]: \"\" is no name of a header; write one such as \"X-Tenant\", or \"X-*\"",
        ],
    );
}

#[test]
fn mistakes_about_emergency_calls_are_told_with_their_cure() {
    expect(
        "emergency = true",
        &["emergency: this trunk sends no calls; give it send_to = [\"udp:192.0.2.1:5060\"]"],
    );
    let whole = |keys: &str| sentences(&format!("{DESK}[emergency]\n{keys}\n"));
    assert_eq!(
        whole("numbers = [\"112\", \"+49112\"]"),
        [
            "emergency.numbers[2]: \"+49112\" is no emergency number; write two to eight digits, such as \"112\""
        ]
    );
    assert_eq!(
        whole("numbers = []"),
        [
            "emergency.numbers: without a number nobody could call for help; write [\"110\", \"112\"], or take it out"
        ]
    );
    assert_eq!(
        whole("resource_priority = \"esnet\""),
        ["emergency.resource_priority: \"esnet\" is no priority; write NAMESPACE.VALUE, such as \"esnet.1\""]
    );
}

#[test]
fn emergency_numbers_are_those_of_the_countries_of_the_trunks() {
    let numbers = |country: &str| {
        let trunk =
            format!("[trunk.pbx]\naccept_from = [\"192.0.2.7\"]\nagents_dial_out = true\n{country}\n");
        let config = config(&format!("{DESK}{trunk}"));
        config.emergency.numbers.iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(numbers(""), ["110", "112"]);
    assert_eq!(numbers("country = \"41\""), ["112", "117", "118", "144"]);
    assert_eq!(numbers("country = \"1\""), ["911"]);
}
