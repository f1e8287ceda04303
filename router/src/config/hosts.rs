//! `[hosts]`: names that are not asked of DNS.

use std::collections::BTreeMap;
use std::net::IpAddr;

use toml::de::DeTable;

use super::problem::Report;
use super::raw::{Field, Item, section};
use super::read::entries;

section! {
    /// Names that are not asked of DNS, each with its addresses, tried in order: `"sbc1.example.com" = ["192.0.2.5", "192.0.2.6"]`. They count wherever a SIP message goes to that name: in `send_to`, and in what a far end says of itself. In certificates it is still the name that counts.
    HostsToml "[hosts]" {
        /// An address or a list of them for this name; a name with dots in it is quoted.
        name = "\"NAME\"",
    }
}

/// Names that are not asked of DNS. At most 1,000.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(BTreeMap<String, Vec<IpAddr>>);

/// More is a zone, and belongs into a name server.
const MOST: usize = 1_000;

impl Hosts {
    /// The addresses of a name, whatever its case; `None`: DNS knows.
    pub fn addresses(&self, name: &str) -> Option<&[IpAddr]> {
        if self.0.is_empty() {
            return None;
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.0.get(&name).map(Vec::as_slice)
    }

    /// No name is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn resolve(section: &Field<'_>, report: &mut Report) -> Hosts {
        let such_as = "[hosts] with lines \"sbc1.example.com\" = \"192.0.2.5\"";
        let table = section.item.as_ref().and_then(|item| item.table(such_as, report));
        let mut hosts = Hosts::default();
        for (name, item) in table.map(|table: &DeTable<'_>| entries(table, "hosts")).unwrap_or_default() {
            if hosts.0.len() == MOST {
                item.error(report, format!("is one too many; write at most {MOST}"));
                break;
            }
            let known = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            if !is_name(&known) {
                item.error(report, format!("{name:?} is no name; write one such as \"sbc1.example.com\""));
                continue;
            }
            let addresses = item.list().iter().filter_map(|item| address(item, report)).collect();
            if item.list().is_empty() {
                item.error(report, "has no address; write one such as \"192.0.2.5\", or take the line out");
            }
            if hosts.0.insert(known, addresses).is_some() {
                item.error(report, "stands here already in another case; take one out");
            }
        }
        hosts
    }
}

fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !name.is_empty() && name.parse::<IpAddr>().is_err() && name.bytes().all(fits)
}

fn address(item: &Item<'_>, report: &mut Report) -> Option<IpAddr> {
    let text = item.text("\"192.0.2.5\"", report)?;
    match text.parse::<IpAddr>() {
        Ok(ip) if !ip.is_unspecified() => Some(ip),
        _ => {
            item.error(
                report,
                format!("\"{text}\" is no address; write one without a port, such as \"192.0.2.5\""),
            );
            None
        }
    }
}
