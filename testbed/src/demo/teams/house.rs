//! Who is where, and the files of the house.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use crate::{
    graph::SECRET,
    teams::{Papers, Person, Place},
};

/// The SBC's name in the tenant: `fqdn` of `teams.toml`.
pub(super) const FQDN: &str = "ccr1.example.com";

/// Where the simulator of Graph listens, as `teams.toml` says.
pub(super) const GRAPH: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8_061);

/// Where Teams is, as `teams.toml` says.
pub(super) const PLACE: Place = Place {
    centres: [Ipv4Addr::new(127, 0, 0, 11), Ipv4Addr::new(127, 0, 0, 12), Ipv4Addr::new(127, 0, 0, 13)],
    elsewhere: Ipv4Addr::new(127, 0, 0, 14),
    sbc: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5_061),
};

/// People in Teams, by their place among those of [`people`].
pub(super) const ANNA: usize = 0;
pub(super) const BO: usize = 1;
pub(super) const CLEO: usize = 2;
pub(super) const DORA: usize = 3;
pub(super) const EMIL: usize = 4;
pub(super) const FRITZ: usize = 5;
pub(super) const GINA: usize = 6;

/// Those of `teams.toml`.
pub(super) fn people() -> Vec<Person> {
    vec![
        Person::new("Anna", "+4930555001", "66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911", 1_100),
        Person::new("Bo", "+4930555002", "1c9b3e7a-6d1f-4c11-9a53-2f0b6a7e4d22", 1_300),
        Person::new("Cleo", "+4930555003", "3d0f8c55-7a1e-4b7e-9c41-5f6a7b8c9d33", 1_500),
        Person::new("Dora", "+4930555004", "4e1a9d66-8b2f-4c8f-8d52-6a7b8c9dae44", 1_700),
        Person::new("Emil", "+4930555005", "5f2bae77-9c30-4d90-9e63-7b8c9daebf55", 1_900),
        Person::new("Fritz", "+4930555006", "603cbf88-ad41-4ea1-8f74-8c9daebfc066", 2_100),
        Person::new("Gina", "+4930555007", "714dc099-be52-4fb2-9a85-9daebfc0d177", 2_300),
    ]
}

/// Telephones at the carrier, callers first: number, address and voice. The last one is called by an agent.
pub(super) const TELEPHONES: [(&str, [u8; 4], u16); 10] = [
    ("+4917610001", [127, 0, 1, 1], 420),
    ("+4917610002", [127, 0, 1, 2], 540),
    ("+4917610003", [127, 0, 1, 3], 660),
    ("+4917610004", [127, 0, 1, 4], 780),
    ("+4917610005", [127, 0, 1, 5], 480),
    ("+4917610006", [127, 0, 1, 6], 600),
    ("+4917610007", [127, 0, 1, 7], 720),
    ("+4917610008", [127, 0, 1, 8], 840),
    ("+4917610009", [127, 0, 1, 9], 960),
    ("+4930222007", [127, 0, 1, 100], 900),
];
/// The one whom an agent calls.
pub(super) const OUTSIDE: usize = 9;

const FILES: [&str; 6] = ["root.pem", "teams.pem", "teams.key", "ccr1.pem", "ccr1.key", "graph.secret"];

/// Writes the configuration, certificates and the secret of Graph into `directory`, and its prompts.
pub(in super::super) fn write(config: &Path, directory: &Path) -> Result<(), String> {
    let papers = Papers::new(FQDN).map_err(|error| error.to_string())?;
    let (teams, sbc) = (&papers.teams, &papers.sbc);
    let texts: [&str; 6] = [&papers.root, &teams.0, &teams.1, &sbc.0, &sbc.1, SECRET];
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for (name, text) in FILES.iter().zip(texts) {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| told(&path, error))?;
    }
    let beside = config.parent().unwrap_or(Path::new(""));
    let prompts = directory.join("prompts");
    fs::create_dir_all(&prompts).map_err(|error| told(&prompts, error))?;
    for prompt in ["music.wav", "menu.wav"] {
        let from = beside.join("prompts").join(prompt);
        fs::copy(&from, prompts.join(prompt)).map_err(|error| told(&from, error))?;
    }
    fs::copy(config, directory.join("teams.toml")).map_err(|error| told(config, error)).map(drop)
}

/// The certificates that [`write()`] has written beside the configuration.
pub(super) fn papers(config: &Path) -> Result<Papers, String> {
    let read = |name: &str| {
        let path = config.with_file_name(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    Ok(Papers {
        root: read("root.pem")?,
        teams: (read("teams.pem")?, read("teams.key")?),
        sbc: (read("ccr1.pem")?, read("ccr1.key")?),
    })
}
