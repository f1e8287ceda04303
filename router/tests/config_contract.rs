//! The two files that must run unchanged, whatever else the language learns.

mod config_support;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use config_support::wav;
use router::config::{Address, Config, Goto, Login, Membership, Names, RingOrder, Step, load};

/// A copy of the fixture, with the prompts that it names beside it.
fn contract(name: &str) -> (Config, Names) {
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let copy = COPIES.fetch_add(1, Ordering::Relaxed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("contract-{copy}"));
    std::fs::create_dir_all(dir.join("prompts")).unwrap();
    for prompt in ["welcome", "menu", "closed", "music"] {
        std::fs::write(dir.join(format!("prompts/{prompt}.wav")), wav()).unwrap();
    }
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/contract").join(name);
    let file = dir.join(name);
    std::fs::copy(source, &file).unwrap();
    let mut names = Names::new();
    let config = load(&file, &mut names).unwrap_or_else(|problems| panic!("{problems}"));
    (config, names)
}

#[test]
fn direct_dials_whatever_was_called_at_the_other_trunk() {
    let (config, _) = contract("direct.toml");
    let carrier = config.trunks().find(|(_, trunk)| trunk.name == "carrier").unwrap().0;
    let number = config.route(carrier, "+4930").expect("a star answers all");
    let [Step::Dial { address, on_busy: None, .. }] = &config.flow(number.flow).unwrap().steps[..] else {
        panic!()
    };
    let Address::Number { user, trunk } = address else { panic!() };
    assert_eq!(
        (user.to_string().as_str(), config.trunk(*trunk).unwrap().name.as_str()),
        ("{called}", "teams")
    );
    assert_eq!(user.fill("+4930", ""), "+4930");
    assert_eq!((config.node.name.as_str(), config.generation), ("direct", 1));
    assert_eq!(config.listen.sip.len(), 2);
    assert!(config.limits.max_calls <= 4_500, "20,000 ports, four a call and some that rest");
}

#[test]
fn direct_takes_the_far_ends_port_for_teams_and_the_rest_of_the_host_for_the_carrier() {
    let (config, names) = contract("direct.toml");
    let sources = config.sources();
    let trunk =
        |from: &str| sources.find(from.parse().unwrap()).map(|peer| names.trunk(peer.into()).unwrap());
    assert_eq!(trunk("127.0.0.1:5090"), Some("teams"));
    assert_eq!(trunk("127.0.0.1:5091"), Some("carrier"));
    assert_eq!(trunk("10.0.0.1:5090"), None);
}

#[test]
fn the_service_desk_is_read_as_it_is_meant() {
    let (config, names) = contract("queue.toml");
    let carrier = config.trunks().find(|(_, trunk)| trunk.name == "carrier").unwrap().0;
    let flow =
        |called| config.route(carrier, called).map(|number| config.flow(number.flow).unwrap().name.as_str());
    assert_eq!(flow("+493012345"), Some("support"));
    assert_eq!(flow("+49309991"), Some("straight"));
    assert_eq!(flow("+493012346"), None);

    let (id, queue) = config.queues().next().unwrap();
    assert_eq!(names.queue(id), Some("support"));
    assert_eq!((queue.ring_timeout, queue.max_waiting), (Duration::from_secs(15), 500));
    assert_eq!(config.prompt(queue.music.as_ref().unwrap().pieces[0]).unwrap().name, "prompts/music.wav");

    let support = config.flows().find(|(_, flow)| flow.name == "support").unwrap().1;
    let [Step::Play { early: false, .. }, Step::Menu { timeout, tries, keys, otherwise, .. }] =
        &support.steps[..]
    else {
        panic!("{support:?}")
    };
    let closed = config.flows().find(|(_, flow)| flow.name == "closed").unwrap().0;
    assert_eq!((*timeout, *tries, *otherwise), (Duration::from_secs(5), 3, Goto::Queue(id)));
    assert_eq!(keys, &[('1', Goto::Queue(id)), ('2', Goto::Flow(closed))]);

    let agents: Vec<_> = config.agents().map(|(_, agent)| agent).collect();
    assert_eq!(agents.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), ["anna", "bo"]);
    assert!(
        agents.iter().all(|agent| agent.queues == [Membership { queue: id, skill: 5, weight: 1 }]
            && agent.login == Login::Auto)
    );
    assert_eq!(
        (agents[0].ring, config.written(&agents[0].call[0]).as_str()),
        (RingOrder::All, "+4930555001@teams")
    );
}

#[test]
fn nothing_in_the_contract_gives_cause_for_a_warning_about_itself() {
    for name in ["direct.toml", "queue.toml"] {
        let (config, _) = contract(name);
        // The machine the test runs on may give small buffers; the file is not to blame.
        let own: Vec<_> = config.warnings.iter().filter(|w| w.key != "listen.receive_buffer").collect();
        assert!(own.is_empty(), "{own:?}");
    }
}
