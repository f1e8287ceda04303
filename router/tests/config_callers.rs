//! `[callers.NAME]`, boosts and what else orders callers: mistakes, `fernamt check`, reloads.

mod config_support;

use config_support::{DESK, HEAD, config_named, sentences, surroundings};
use router::{command::check, config::Names};

#[track_caller]
fn expect(extra: &str, expected: &[&str]) {
    assert_eq!(sentences(&format!("{DESK}{extra}")), expected, "of {extra}");
}

#[test]
fn a_number_stands_in_one_group_once_and_a_problem_does_not_spell_it_out() {
    let twice = "[callers.gold]\nnumbers = [\"+491\", \"+492*\"]\nboost = \"1m\"\n[callers.red]\nnumbers = [\"+491*\", \"+492*\", \"+491\", \"+491*\"]\npriority = 2\n";
    expect(
        twice,
        &[
            "callers.red.numbers[2]: stands in callers.gold already; take one out",
            "callers.red.numbers[3]: stands in callers.gold already; take one out",
            "callers.red.numbers[4]: stands in callers.red already; take one out",
        ],
    );
}

#[test]
fn a_group_has_numbers_and_an_effect() {
    expect(
        "[callers.a]\nboost = \"1m\"\n",
        &["callers.a.numbers: is missing; write numbers = [\"+491711234567\"]"],
    );
    expect(
        "[callers.a]\nnumbers = []\npriority = 10\nboost = \"25h\"\n",
        &[
            "callers.a.numbers: names nobody; write numbers = [\"+491711234567\"]",
            "callers.a.priority: 10 is out of range; write 0 to 9 (default 0)",
            "callers.a.boost: \"25h\" is out of range; write \"0s\" to \"24h\" (default \"0s\")",
        ],
    );
    expect(
        "[callers.a]\nnumbers = \"+49171*\"\n",
        &["callers.a: changes nothing; write boost = \"10m\", or priority = 9, or take it out"],
    );
}

#[test]
fn returning_has_bounds_and_needs_no_more_than_to_be_there() {
    expect("returning = {}\n", &[]);
    expect(
        "returning = \"2m\"\n",
        &[
            "queue.desk.returning: \"2m\" is not a table; write it such as { within = \"10m\", boost = \"2m\" }",
        ],
    );
    expect(
        "returning = { within = \"59s\", boost = \"0s\" }\n",
        &[
            "queue.desk.returning.within: \"59s\" is out of range; write \"1m\" to \"24h\" (default \"10m\")",
            "queue.desk.returning.boost: \"0s\" is out of range; write \"1s\" to \"24h\" (default \"2m\")",
        ],
    );
}

#[test]
fn waiting_for_one_agent_alone_ends_before_all_waiting_does() {
    expect("sticky = {}\n", &[]);
    expect(
        "sticky = { within = \"91d\", wait = \"0s\" }\n",
        &[
            "queue.desk.sticky.within: \"91d\" is out of range; write \"1m\" to \"90d\" (default \"7d\")",
            "queue.desk.sticky.wait: \"0s\" is out of range; write \"1s\" to \"1h\" (default \"30s\")",
        ],
    );
    let vain = "after 30s nobody else would get him, for max_wait is 30s; write a shorter wait, or a longer max_wait";
    expect("max_wait = \"30s\"\nsticky = {}\n", &[&format!("queue.desk.sticky: {vain}")]);
    expect(
        "max_wait = \"30s\"\nsticky = { wait = \"30s\" }\n",
        &[&format!("queue.desk.sticky.wait: {vain}")],
    );
}

#[test]
fn places_are_kept_for_an_hour_at_most() {
    expect("keep_place = \"0s\"\n", &[]);
    expect(
        "keep_place = \"2h\"\n",
        &["queue.desk.keep_place: \"2h\" is out of range; write \"0s\" to \"1h\" (default \"2m\")"],
    );
}

#[test]
fn a_boost_where_no_queue_follows_is_told() {
    let through = "[[number]]\nmatch = \"7\"\ntrunk = \"carrier\"\nflow = \"through\"\nboost = \"1m\"\n[flow.through]\nsteps = [{ dial = \"1@teams\" }]\n";
    let vain = "warning: number[2]: has a boost and leads to no queue; take the boost out, or lead the flow to a queue";
    expect(through, &[vain]);
    expect(&through.replace("{ dial = \"1@teams\" }", "{ goto = \"flow.desk\" }"), &[]);
    expect(
        &through.replace("{ dial = \"1@teams\" }", "{ dial = { to = \"1@teams\", busy = \"queue.desk\" } }"),
        &[],
    );
}

#[test]
fn check_tells_groups_and_the_boost_of_each_number() {
    let boosted = DESK.replace("flow = \"desk\"", "flow = \"desk\"\nboost = \"90s\"");
    let groups = "[callers.gold]\nnumbers = [\"+491\", \"+492*\"]\nboost = \"10m\"\n[callers.red]\nnumbers = \"+493*\"\npriority = 2\n";
    let config = config_named(&format!("{boosted}{groups}"), &mut Names::new());
    let told = check::report("f.toml", &config, check::moment("2026-12-24T15:00").ok());
    let told = told.split_once("\n\n").expect("details").1;
    assert_eq!(
        told,
        "callers.gold: 2 numbers, 10m ahead\n\ncallers.red: 1 number, priority 2 at least\n\n\
         * on trunk.carrier: flow.desk, 1m30s ahead\n    wait in queue.desk\n"
    );
}

#[test]
fn numbers_of_callers_are_in_no_difference() {
    let mut names = Names::new();
    let with = |numbers: &str| format!("{DESK}[callers.gold]\nnumbers = {numbers}\nboost = \"1m\"\n");
    let old = config_named(&with("[\"+491711234567\"]"), &mut names);
    let new = config_named(&with("[\"+491711234567\", \"+491721234567\"]"), &mut names);
    assert_eq!(new.difference(&old), "callers.gold.numbers changed");
    assert_eq!(config_named(DESK, &mut names).difference(&old), "callers.gold removed");
}

/// Ten thousand VIPs: read at once, and found by number.
#[test]
fn thousands_of_numbers_are_looked_up_like_one() {
    let numbers: Vec<String> = (0..10_000).map(|n| format!("\"+4917{n:07}\"")).collect();
    let text = format!("{HEAD}{DESK}[callers.gold]\nnumbers = [{}]\nboost = \"1m\"\n", numbers.join(", "));
    let config = config_support::read_with(&text, &mut Names::new(), &surroundings()).expect("no mistake");
    let name = |number| config.callers(number).map(|callers| callers.name.as_str());
    assert_eq!([name("+49170009999"), name("+49170010000"), name("")], [Some("gold"), None, None]);
}
