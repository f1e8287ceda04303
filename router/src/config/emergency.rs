//! `[emergency]`: numbers that an agent can always call.

use std::collections::{BTreeMap, BTreeSet};

use sip_core::{PeerId, Urgent};

use super::Config;
use super::names::TrunkId;
use super::problem::Report;
use super::raw::{Item, section};
use super::registrar::PHONES;
use super::trunk::Trunk;

section! {
    /// Numbers that an agent can always call: no limit, no queue and no drain is in the way, and every trunk is tried until one takes the call. They count only when agents dial them, at telephones that have registered (`[registrar]`) or behind a trunk by which agents dial out (`agents_dial_out`), and go out as they are dialled, a plus before them left out.
    EmergencyToml "[emergency]" {
        /// The numbers. Default: those of the countries that trunks name (`country`), `["110", "112"]` in Germany and where no trunk names one that is known.
        numbers,
        /// Value of a Resource-Priority header beside `Priority: emergency` (RFC 4412, 7135), such as `"esnet.1"`; only where the carrier asks for it. Default: none.
        resource_priority,
    }
}

/// Numbers that an agent can always call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emergency {
    /// The numbers, as they are dialled.
    pub numbers: BTreeSet<String>,
    /// Value of Resource-Priority. Default none.
    pub resource_priority: Option<String>,
}

/// Emergency numbers by country code.
const BY_COUNTRY: &[(&str, &[&str])] = &[
    ("1", &["911"]),
    ("31", &["112"]),
    ("32", &["112", "100", "101"]),
    ("33", &["112", "15", "17", "18", "114"]),
    ("34", &["112"]),
    ("39", &["112", "113", "115", "118"]),
    ("41", &["112", "117", "118", "144"]),
    ("43", &["112", "122", "133", "144"]),
    ("44", &["112", "999"]),
    ("45", &["112"]),
    ("46", &["112"]),
    ("47", &["112", "110", "113"]),
    ("48", &["112", "997", "998", "999"]),
    ("49", &["110", "112"]),
    ("61", &["000", "112"]),
    ("352", &["112", "113"]),
    ("353", &["112", "999"]),
    ("358", &["112"]),
    ("420", &["112", "150", "155", "158"]),
    ("423", &["112", "117", "118", "144"]),
];

const GERMAN: &[&str] = &["110", "112"];

impl Emergency {
    /// The emergency number that a user part is, `+112` too: some telephones put a plus before whatever they dial.
    pub fn number(&self, user: &str) -> Option<&str> {
        self.numbers.get(user.strip_prefix('+').unwrap_or(user)).map(String::as_str)
    }

    pub(super) fn resolve(
        raw: &EmergencyToml<'_>,
        trunks: &BTreeMap<TrunkId, Trunk>,
        report: &mut Report,
    ) -> Emergency {
        let listed = raw.numbers.item.as_ref().map(|item| numbers(item, report));
        let resource_priority = raw.resource_priority.item.as_ref().and_then(|item| priority(item, report));
        Emergency { numbers: listed.unwrap_or_else(|| usual(trunks)), resource_priority }
    }
}

impl Config {
    /// Calls that are taken whatever the load: emergency numbers, from agents' telephones and by trunks of agents.
    pub fn urgent(&self) -> Urgent {
        let agents = self.trunks().filter(|(_, trunk)| trunk.emergency.agents_dial_out);
        let phones = self.registrar.is_open().then_some(PHONES);
        Urgent {
            peers: agents.map(|(id, _)| PeerId::from(id)).chain(phones).collect(),
            users: self
                .emergency
                .numbers
                .iter()
                .flat_map(|number| [number.clone(), format!("+{number}")])
                .collect(),
        }
    }

    /// Somebody here can call for help: from a telephone that registers, or behind a trunk of agents.
    pub fn has_callers_for_help(&self) -> bool {
        !self.urgent().peers.is_empty()
    }

    /// Trunks for an emergency call that came by `from`, in the order in which they are tried: those meant for it, the
    /// others in the order of their names, and last the one it came by.
    pub fn emergency_trunks(&self, from: TrunkId) -> Vec<TrunkId> {
        let sending = self.trunks().filter(|(_, trunk)| !trunk.send_to.is_empty());
        let mut trunks: Vec<_> =
            sending.map(|(id, trunk)| (id == from, !trunk.emergency.preferred, id)).collect();
        trunks.sort_by_key(|(back, other, _)| (*back, *other)); // stable: names stay in order
        trunks.into_iter().map(|(.., id)| id).collect()
    }
}

fn usual(trunks: &BTreeMap<TrunkId, Trunk>) -> BTreeSet<String> {
    let of = |code: &str| BY_COUNTRY.iter().find(|(known, _)| *known == code).map(|(_, numbers)| *numbers);
    let mut known: Vec<&[&str]> =
        trunks.values().filter_map(|trunk| of(&trunk.numbers.dialling.country)).collect();
    if known.is_empty() {
        known.push(GERMAN);
    }
    known.into_iter().flatten().map(|number| (*number).to_owned()).collect()
}

fn numbers(item: &Item<'_>, report: &mut Report) -> BTreeSet<String> {
    let list = item.list();
    if list.is_empty() {
        item.error(
            report,
            "without a number nobody could call for help; write [\"110\", \"112\"], or take it out",
        );
    }
    list.iter().filter_map(|item| number(item, report)).collect()
}

fn number(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text("\"112\"", report)?;
    if !(2..=8).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        item.error(
            report,
            format!("\"{text}\" is no emergency number; write two to eight digits, such as \"112\""),
        );
        return None;
    }
    Some(text.to_owned())
}

/// RFC 4412 §3.1: `namespace.value`.
fn priority(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text("\"esnet.1\"", report)?;
    let fits = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_!%*+`'~".contains(&b))
    };
    if !text.split_once('.').is_some_and(|(space, value)| fits(space) && fits(value)) {
        item.error(report, format!("\"{text}\" is no priority; write NAMESPACE.VALUE, such as \"esnet.1\""));
        return None;
    }
    Some(text.to_owned())
}
