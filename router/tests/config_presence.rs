//! Mistakes in `[presence.graph]` and in agents' ids: each with its place, value and cure.

mod config_support;

use config_support::{DESK, sentences};

/// Asserts that `text` has exactly these problems, whatever their places.
#[track_caller]
fn expect(text: &str, expected: &[&str]) {
    assert_eq!(sentences(text), expected, "of\n{text}");
}

/// A section without mistakes.
const GRAPH: &str = "[presence.graph]\ntenant = \"example.com\"\n\
    client_id = \"66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911\"\nclient_secret_env = \"SECRET\"\n";
const ID: &str = "entra_id = \"1c9b3e7a-6d1f-4c11-9a53-2f0b6a7e4d22\"\n";
const CARL: &str = "[agent.carl]\ncall = \"2@teams\"\nqueues = [\"desk\"]\n";

#[test]
fn what_is_wrong_with_presence_is_told_with_its_cure_and_never_with_the_secret() {
    let desk = DESK.replace("[queue.desk]\n", &format!("{ID}[queue.desk]\n"));
    expect(&format!("{desk}{GRAPH}"), &[]);
    let all = "login_url = \"https://login.microsoftonline.us/\"\ngraph_url = \"http://127.0.0.1:8080\"\nevery = \"2s\"\n\
               budget = 1500\nfresh = \"90s\"\nstale = \"last\"\noffer_when = [\"available\", \"Busy\"]\nown_call_lag = \"0s\"\n";
    expect(&format!("{desk}{GRAPH}{all}"), &[]);
    let cases = [
        ("tenant = \"example.com\"\n", "", "tenant: is missing; write tenant = \"example.com\""),
        (
            "\"example.com\"",
            "\"https://example.com\"",
            "tenant: \"https://example.com\" is neither an id nor a domain; write tenant = \"example.com\"",
        ),
        (
            "\"66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911\"",
            "\"fernamt\"",
            "client_id: \"fernamt\" is no object id: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12; write the application's id as Entra shows it",
        ),
        (
            "client_secret_env = \"SECRET\"",
            "client_secret = \"hunter2\"",
            "client_secret: a secret does not belong in this file; take it out and write client_secret_file = \"PATH\" or client_secret_env = \"NAME\"",
        ),
        (
            "client_secret_env = \"SECRET\"",
            "client_secret_env = \"hunter2~!\"",
            "client_secret_env: is no name of a variable; write the name, not the secret: client_secret_env = \"FERNAMT_GRAPH_SECRET\"",
        ),
        (
            "client_secret_env = \"SECRET\"",
            "client_secret_env = \"SECRET\"\nclient_secret_file = \"secret\"",
            "client_secret_env: client_secret_file says it already; take one out",
        ),
        (
            "client_secret_env = \"SECRET\"",
            "client_secret_file = \"\"",
            "client_secret_file: an empty path is no file; write one such as \"graph.secret\"",
        ),
        (
            "tenant",
            "login_url = \"http://login.microsoftonline.com\"\ntenant",
            "login_url: \"http://login.microsoftonline.com\" would send the secret over the network for all to read; write https://",
        ),
        (
            "tenant",
            "graph_url = \"graph.microsoft.com\"\ntenant",
            "graph_url: \"graph.microsoft.com\" is no base address; write such as \"https://graph.microsoft.com\"",
        ),
        (
            "tenant",
            "trust = \"ca.pem\"\ntenant",
            "trust: etc/ca.pem cannot be read: entity not found; write a PEM file that can",
        ),
        (
            "tenant",
            "trust = \"a.wav\"\ntenant",
            "trust: etc/a.wav has no certificate; write a PEM file with one",
        ),
        (
            "tenant",
            "every = \"2m\"\ntenant",
            "fresh: \"1m\" is over before the next answer comes (every = \"2m\"); write a longer time, or a shorter every",
        ),
        ("tenant", "budget = 2000\ntenant", "budget: 2000 is out of range; write 1 to 1500 (default 300)"),
        (
            "tenant",
            "stale = \"never\"\ntenant",
            "stale: \"never\" is not known here; write \"offer\", \"last\" or \"skip\" (default \"offer\")",
        ),
        (
            "tenant",
            "offer_when = []\ntenant",
            "offer_when: nobody would ever be given a call; write [\"Available\"]",
        ),
        (
            "tenant",
            "offer_when = [\"Available\", \"presenting\"]\ntenant",
            "offer_when[2]: never_when has it too, and wins; take one out",
        ),
    ];
    for (good, bad, told) in cases {
        let text = format!("{desk}{}", GRAPH.replace(good, bad));
        expect(&text, &[&format!("presence.graph.{told}")]);
    }
    let without = GRAPH.replace("client_secret_env = \"SECRET\"\n", "");
    let told =
        "presence.graph: has no secret; write client_secret_file = \"PATH\" or client_secret_env = \"NAME\"";
    expect(&format!("{desk}{without}"), &[told]);
    expect(&format!("{desk}[presence]\n"), &["presence.graph: is missing; write [presence.graph]"]);
}

#[test]
fn what_is_probably_meant_otherwise_about_presence_is_a_warning() {
    let desk = DESK.replace("[queue.desk]\n", &format!("{ID}[queue.desk]\n"));
    let file = GRAPH.replace("client_secret_env = \"SECRET\"", "client_secret_file = \"graph.secret\"");
    expect(
        &format!("{desk}{file}"),
        &[
            "warning: presence.graph.client_secret_file: etc/graph.secret cannot be read: entity not found; put the application's secret there, for this user to read",
        ],
    );
    expect(
        &format!("{desk}{GRAPH}offer_when = [\"Avaliable\", \"Levitating\"]\n"),
        &[
            "warning: presence.graph.offer_when[1]: Graph is not known to say \"Avaliable\"; did you mean \"Available\"?",
            "warning: presence.graph.offer_when[2]: Graph is not known to say \"Levitating\"; see whether it is written so",
        ],
    );
    let many: String = (0..700).map(|n| {
        format!("[agent.a{n}]\ncall = \"1{n}@teams\"\nqueues = [\"desk\"]\nentra_id = \"00000000-0000-4000-8000-{n:012}\"\n")
    }).collect();
    expect(
        &format!("{DESK}{many}{GRAPH}budget = 6\n"),
        &[
            "warning: presence.graph: 700 agents take 2 requests, with a budget of 6 in 30s that is every 10s; raise presence.graph.budget or presence.graph.every",
        ],
    );
    for (fresh, shown) in [("", "1m"), ("fresh = \"55s\"\n", "55s")] {
        expect(
            &format!("{DESK}{many}{GRAPH}{fresh}budget = 1\n"),
            &[&format!(
                "presence.graph.fresh: \"{shown}\" is over before the next answer comes: 700 agents take 2 requests, with a budget of 1 in 30s that is every 1m; write a longer time, or raise presence.graph.budget"
            )],
        );
    }
    let longer = format!("{DESK}{many}{GRAPH}fresh = \"61s\"\nbudget = 1\n");
    expect(
        &longer,
        &[
            "warning: presence.graph: 700 agents take 2 requests, with a budget of 1 in 30s that is every 1m; raise presence.graph.budget or presence.graph.every",
        ],
    );
}

#[test]
fn ids_of_agents_are_ids_each_of_one_person_and_somebody_asks_for_them() {
    let desk = DESK.replace("[queue.desk]\n", &format!("{ID}[queue.desk]\n"));
    let ids = ID.to_uppercase().replace("ENTRA_ID", "entra_id");
    expect(
        &format!("{desk}{CARL}{ids}{GRAPH}"),
        &["agent.carl.entra_id: agent.anna has this id too; write each person's own, as Entra shows it"],
    );
    expect(
        &format!("{desk}{CARL}entra_id = \"carl@example.com\"\n{GRAPH}"),
        &[
            "agent.carl.entra_id: \"carl@example.com\" is no object id: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12; write the person's object id as Entra shows it",
        ],
    );
    expect(
        &desk,
        &["warning: agent.anna.entra_id: nobody asks for it; add [presence.graph], or take it out"],
    );
    expect(
        &format!("{DESK}{GRAPH}"),
        &[
            "warning: presence.graph: no agent has an entra_id, so nobody is asked for; give them theirs, or take the section out",
        ],
    );
}
