//! The two example configurations for Teams are what they are meant for: they can be used as they are.

use std::{fs, path::Path};

use router::config::{Config, Names, load};
use testbed::teams::Papers;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn loaded(path: &Path) -> Config {
    let config = load(path, &mut Names::new()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    config
}

#[test]
fn facing_teams_the_example_needs_its_certificates_and_nothing_else() {
    let directory = std::env::temp_dir().join(format!("fernamt-teams-{}", std::process::id()));
    fs::create_dir_all(directory.join("prompts")).unwrap();
    let papers = Papers::new("ccr1.example.com").unwrap();
    let (certificate, key) = &papers.sbc;
    for (name, text) in [
        ("root.pem", &papers.root),
        ("ccr1.pem", certificate),
        ("ccr1.key", key),
        ("graph.secret", &"s".to_owned()),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
    for name in ["prompts/music.wav", "prompts/menu.wav", "teams.toml"] {
        fs::copy(folder().join(name), directory.join(name)).unwrap();
    }
    let config = loaded(&directory.join("teams.toml"));
    fs::remove_dir_all(&directory).unwrap();
    let trunk = config.trunks().find(|(_, trunk)| trunk.name == "teams").unwrap().1;
    assert_eq!(trunk.send_to.len(), 3);
    assert!(trunk.send_to.iter().all(|target| config.hosts.addresses(&target.to.host.to_string()).is_some()));
}

#[test]
fn behind_an_sbc_the_example_needs_nothing() {
    let config = loaded(&folder().join("teams-behind-sbc.toml"));
    let trunk = config.trunks().find(|(_, trunk)| trunk.name == "teams").unwrap().1;
    assert!(trunk.tls.identity.is_none() && trunk.transfer.returns && trunk.send_to.len() == 2);
}
