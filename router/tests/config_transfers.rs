//! Transfers as written: what a target means, and every mistake with its cure.

mod config_support;

use std::time::Duration;

use config_support::{DESK, config, config_named, sentences};
use router::config::{Destination, Goto, Names, Transferred, WhenGone};

fn with(text: &str) -> String {
    format!("{DESK}{text}")
}

const RULES: &str = r#"
[[transfer]]
match = ["8001", "8*"]
to = "queue.desk"
[[transfer]]
match = "80*"
to = "agent.anna"
[[transfer]]
match = "0*"
to = "{called}@teams"
[[transfer]]
match = "9"
to = "flow.desk"
"#;

#[test]
fn an_exact_target_comes_before_a_prefix_and_a_longer_prefix_before_a_shorter_one() {
    let config = config(&with(RULES));
    let found = |user| config.transfers.find(user).map(|to| config.destination_in_words(to));
    assert_eq!(found("8001").as_deref(), Some("queue.desk"));
    assert_eq!(found("8002").as_deref(), Some("agent.anna"));
    assert_eq!(found("81").as_deref(), Some("queue.desk"));
    assert_eq!(found("0301").as_deref(), Some("{called}@teams"));
    assert_eq!(found("9").as_deref(), Some("flow.desk"));
    assert_eq!((found("1"), found("")), (None, None));
}

#[test]
fn agents_are_found_by_name_and_by_the_users_of_their_addresses() {
    let config =
        config(&with("[agent.bo]\ncall = [\"2@teams\", \"sip:bo.b@192.0.2.9:5070\"]\nqueues = [\"desk\"]\n"));
    let found = |user| config.agent_at(user).and_then(|id| config.agent(id)).map(|agent| agent.name.as_str());
    assert_eq!(
        ["anna", "1", "bo", "2", "bo.b"].map(found),
        [Some("anna"), Some("anna"), Some("bo"), Some("bo"), Some("bo")]
    );
    assert_eq!(["3", "", "192.0.2.9"].map(found), [None; 3]);
}

#[test]
fn everything_has_a_default_and_nobody_but_agents_may_transfer() {
    let config = config(DESK);
    let transfers = &config.transfers;
    assert_eq!(
        (transfers.ring_timeout, transfers.music.clone(), transfers.when_gone),
        (Duration::from_secs(30), None, WhenGone::Queue)
    );
    assert!(config.trunks().all(|(_, trunk)| !trunk.transfer.allowed && !trunk.transfer.returns));
    assert!(config.agents().all(|(_, agent)| agent.transfers));
}

#[test]
fn where_the_transferred_go_when_nobody_is_left_is_read() {
    let gone =
        |text: &str| config(&with(&format!("[transfers]\nwhen_gone = \"{text}\"\n"))).transfers.when_gone;
    assert_eq!((gone("queue"), gone("back")), (WhenGone::Queue, WhenGone::Back));
    assert_eq!(gone("hangup"), WhenGone::Goto(Goto::Hangup));
    assert!(matches!(gone("queue.desk"), WhenGone::Goto(Goto::Queue(_))));
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let cases = [
        ("[[transfer]]\nmatch = \"1\"\n", "transfer[1].to: is missing; write to = \"queue.NAME\""),
        ("[[transfer]]\nto = \"queue.desk\"\n", "transfer[1].match: is missing; write match = \"8001\""),
        (
            "[[transfer]]\nmatch = []\nto = \"queue.desk\"\n",
            "transfer[1].match: matches nothing; write match = \"8001\"",
        ),
        (
            "[[transfer]]\nmatch = \"1\"\nto = \"queue.dusk\"\n",
            "transfer[1].to: there is no queue \"dusk\"; did you mean \"desk\"?",
        ),
        (
            "[[transfer]]\nmatch = \"1\"\nto = \"agent.ana\"\n",
            "transfer[1].to: there is no agent \"ana\"; did you mean \"anna\"?",
        ),
        (
            "[[transfer]]\nmatch = \"1\"\nto = \"desk\"\n",
            "transfer[1].to: \"desk\" is nobody to transfer to; write \"queue.NAME\", \"flow.NAME\", \"agent.NAME\" or an \
             address such as \"{called}@TRUNK\"",
        ),
        (
            "[[transfer]]\nmatch = \"0*\"\nto = \"{called}@carrier\"\n",
            "transfer[1].to: trunk.carrier sends no calls; give it send_to = [\"udp:192.0.2.1:5060\"], or name another",
        ),
        (
            "[[transfer]]\nmatch = [\"1\", \"1\"]\nto = \"queue.desk\"\n",
            "transfer[1].match[2]: \"1\" leads elsewhere already; take one out",
        ),
        (
            "[transfers]\nring_timeout = 20\n",
            "transfers.ring_timeout: 20 has no unit; write \"20s\" or \"20ms\" (default \"30s\")",
        ),
        (
            "[transfers]\nwhen_gone = \"next\"\n",
            "transfers.when_gone: \"next\": no step follows a transfer; write \"queue\", \"back\", \"flow.NAME\", \
             \"queue.NAME\" or \"hangup\" (default \"queue\")",
        ),
        (
            "[transfers]\nring_timout = \"20s\"\n",
            "transfers.ring_timout: there is no such key; did you mean \"ring_timeout\"?",
        ),
    ];
    for (text, expected) in cases {
        let told = sentences(&with(text));
        assert!(told.iter().any(|line| line == expected), "{text}: {told:#?}");
    }
    let far = "[trunk.far]\nsend_to = [\"udp:192.0.2.70:5060\"]\n";
    for (keys, expected) in [
        (
            "transfers_return = true\ntransfers_rejoin = [\"referred-by\", \"history\"]\n",
            "trunk.far.transfers_rejoin[2]: nothing is known by \"history\"; write \"referred-by\", \"history-info\", both, or []",
        ),
        (
            "transfers_rejoin = \"history-info\"\nfoo = 1\n",
            "warning: trunk.far.transfers_rejoin: has no effect without transfers_return; write that, or take it out",
        ),
    ] {
        let told = sentences(&with(&format!("{far}{keys}")));
        assert!(told.iter().any(|line| line == expected), "{keys}: {told:#?}");
    }
    let lonely = "[trunk.far]\naccept_from = [\"192.0.2.64/28\"]\ntransfers_return = true\n";
    let told = sentences(&format!("{}[queue.x]\nfoo = 1\n", with(lonely)));
    let expected =
        "warning: trunk.far.transfers_return: has no effect without send_to; write that, or take it out";
    assert!(told.iter().any(|line| line == expected), "{told:#?}");
}

#[test]
fn a_reload_tells_which_target_has_changed() {
    let mut names = Names::new();
    let before = config_named(&with(RULES), &mut names);
    let after = config_named(&with(&RULES.replace("to = \"flow.desk\"", "to = \"agent.anna\"")), &mut names);
    assert_eq!(after.difference(&before), "transfer \"9\".to \"flow.desk\" -> \"agent.anna\"");
}

#[test]
fn a_queue_that_only_transfers_lead_to_is_used() {
    let config = config(&with(
        "[queue.sales]\n[agent.bo]\ncall = \"2@teams\"\nqueues = [\"sales\"]\n[[transfer]]\nmatch = \"8001\"\nto = \"queue.sales\"\n",
    ));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert!(matches!(config.transfer_rules()[..], [(_, Destination::Goto(Goto::Queue(_)))]));
}

#[test]
fn a_queue_says_how_those_stand_who_are_transferred_into_it() {
    let transferred = |text: &str| {
        let config = config(&format!("{DESK}{text}"));
        config.queues().next().expect("a queue").1.memory.transferred
    };
    assert_eq!(transferred(""), Transferred::default());
    let minute = Duration::from_secs(60);
    let anew = transferred("transferred = { place = \"anew\", boost = \"1m\" }\n");
    assert_eq!(anew, Transferred { anew: true, boost: minute });
    for (text, expected) in [
        (
            "{ place = \"new\" }",
            "queue.desk.transferred.place: \"new\" is not known here; did you mean \"anew\"?",
        ),
        (
            "{ boost = 60 }",
            "queue.desk.transferred.boost: 60 has no unit; write \"60s\" or \"60ms\" (default \"0s\")",
        ),
        (
            "\"kept\"",
            "queue.desk.transferred: \"kept\" is not a table; write it such as { place = \"kept\", boost = \"2m\" }",
        ),
    ] {
        let told = sentences(&format!("{DESK}transferred = {text}\n"));
        assert_eq!(told, [expected], "{text}");
    }
}
