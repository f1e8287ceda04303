//! Targets, checks and limits of trunks: what may be written, what it means, and what is wrong with the rest.

mod config_support;

use std::time::Duration;

use config_support::{DESK, HEAD, read_with, sentences, surroundings};
use router::{
    command::check,
    config::{Names, Trunk},
};

/// The problems of a trunk with these keys.
fn problems(lines: &str) -> Vec<String> {
    let told = sentences(&format!("[trunk.x]\naccept_from = \"192.0.2.9\"\n{lines}\n"));
    told.into_iter().filter(|line| line.contains("trunk.x") && !line.contains("names it")).collect()
}

/// A trunk with these keys.
fn trunk(lines: &str) -> Trunk {
    let text = format!("{HEAD}{DESK}[trunk.x]\naccept_from = \"192.0.2.9\"\n{lines}\n");
    let config = read_with(&text, &mut Names::new(), &surroundings()).expect("no mistakes");
    config.trunks().find(|(_, trunk)| trunk.name == "x").expect("the trunk").1.clone()
}

#[test]
fn a_plain_list_is_tried_in_order_and_tables_say_otherwise() {
    let places = |lines: &str| -> Vec<_> {
        let targets = trunk(lines).send_to;
        targets.iter().map(|target| (target.to.to_string(), target.priority, target.weight)).collect()
    };
    let target = |name: &str, priority, weight| (name.to_owned(), priority, weight);
    assert_eq!(places("send_to = \"a.example.com\""), [target("a.example.com", 1, 1)]);
    assert_eq!(
        places("send_to = [\"a.example.com\", { to = \"udp:b.example.com\" }]"),
        [target("a.example.com", 1, 1), target("udp:b.example.com", 2, 1)]
    );
    assert_eq!(
        places(
            "send_to = [{ to = \"a.example.com\", priority = 7, weight = 10 }, { to = \"b.example.com\", priority = 7 }]"
        ),
        [target("a.example.com", 7, 10), target("b.example.com", 7, 1)]
    );
}

#[test]
fn what_is_absent_is_as_the_reference_says() {
    let plain = trunk("send_to = \"a.example.com\"");
    let codes: Vec<u16> = plain.failover.retry_on.iter().map(|status| status.code()).collect();
    assert_eq!(
        (codes.as_slice(), plain.failover.close_on_retry_after),
        (&[408, 500, 502, 503, 504][..], false)
    );
    assert_eq!((plain.health.check_every, plain.health.down_after, plain.health.up_after), (None, 2, 2));
    let limits = plain.limits;
    assert_eq!((limits.max_calls, limits.max_calls_per_second), (None, None));
    assert_eq!((limits.overload_status.code(), limits.retry_after), (503, Duration::from_secs(60)));
    assert!(trunk("retry_on = []").failover.retry_on.is_empty());
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let cases = [
        (
            "send_to = [{ priority = 1 }]",
            "trunk.x.send_to[1].to: is missing; write to = \"udp:192.0.2.1:5060\"",
        ),
        (
            "send_to = [\"a.example.com\", { to = \"a.example.com\" }]",
            "trunk.x.send_to[2]: a.example.com stands in the list already; take one out",
        ),
        (
            "send_to = [{ to = \"a.example.com\", wieght = 2 }]",
            "trunk.x.send_to[1].wieght: there is no such key; did you mean \"weight\"?",
        ),
        (
            "send_to = [{ to = \"a.example.com\", priority = 0 }]",
            "trunk.x.send_to[1].priority: 0 is out of range; write 1 to 65535 (default 1)",
        ),
        (
            "send_to = [\"a.example.com\", { to = \"b.example.com\", weight = 2 }]",
            "warning: trunk.x.send_to[2].weight: has no effect: no other target has this priority; write the same priority at those who share",
        ),
        (
            "retry_on = [486]",
            "trunk.x.retry_on[1]: 486 is what a person decided, and another target must not ring him again; take it out",
        ),
        (
            "retry_on = 407",
            "trunk.x.retry_on: 407 asks for a password, which no other target would know better; take it out",
        ),
        ("retry_on = [603]", "trunk.x.retry_on[1]: 603 is out of range; write 400 to 599"),
        (
            "check_every = \"5s\"",
            "trunk.x.check_every: 5s is too often; write \"10s\" or more, or \"0s\" for never",
        ),
        ("down_after = 0", "trunk.x.down_after: 0 is out of range; write 1 to 10 (default 2)"),
        ("max_calls_per_second = 0", "trunk.x.max_calls_per_second: 0 is out of range; write 1 to 100000"),
        (
            "overload_status = 484",
            "trunk.x.overload_status: 484 does not say that there is no room; write 503, 480, 486, 500 or 600 (default 503)",
        ),
        (
            "retry_after = 60",
            "trunk.x.retry_after: 60 has no unit; write \"60s\" or \"60ms\" (default \"60s\")",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(problems(lines), [expected], "of {lines}");
    }
}

#[test]
fn the_check_tells_what_a_trunk_does_beyond_the_ordinary() {
    let told = |lines: &str| {
        let text = format!("{HEAD}{DESK}[trunk.x]\naccept_from = \"192.0.2.9\"\n{lines}\n");
        let config = read_with(&text, &mut Names::new(), &surroundings()).expect("no mistakes");
        let report = check::report("f.toml", &config, None);
        report.lines().filter(|line| line.starts_with("trunk.x:")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(told("send_to = \"a.example.com\""), "");
    assert_eq!(
        told("send_to = [\"a.example.com\", \"b.example.com\"]\ncheck_every = \"1m\"\nmax_calls = 30"),
        "trunk.x: a.example.com, then b.example.com; OPTIONS every 1m; 30 calls at once"
    );
    assert_eq!(
        told(
            "send_to = [{ to = \"a.example.com\", priority = 1, weight = 3 }, { to = \"b.example.com\", priority = 1 }, \"c.example.com\"]\nmax_calls_per_second = 5"
        ),
        "trunk.x: a.example.com (3 of 4) or b.example.com (1 of 4), then c.example.com; 5 new calls a second"
    );
}
