//! `[dns]`: whom names of trunks and telephones are asked of.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::problem::Report;
use super::raw::{Item, section};
use super::read::bounds;

section! {
    /// Whom names are asked of. A target without port is looked up by NAPTR, SRV, A and AAAA (RFC 3263), again whenever the time that its answer is good for is over; `fernamt check` asks nobody, for it also runs where the names are not known.
    DnsToml "[dns]" {
        /// DNS servers, a list of `"ADDRESS"` or `"ADDRESS:PORT"`. Default: those of the system (`/etc/resolv.conf`, read again when it changes). What stands in `/etc/hosts` is not asked for.
        servers,
        /// How long one attempt at a question may take; at each, two servers are asked at a time. `"100ms"` to `"10s"`, default `"2s"`.
        timeout,
        /// How often a question is asked before it has failed. 1 to 5, default 2.
        attempts,
        /// How long an answer is used beyond its time while DNS fails, with a warning (RFC 8767). `"0s"` to `"24h"`, default `"1h"`.
        stale,
    }
}

/// Whom names are asked of, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// DNS servers; none: those of the system.
    pub servers: Vec<SocketAddr>,
    /// How long one attempt at a question may take. 100 ms to 10 s, default 2 s.
    pub timeout: Duration,
    /// How often a question is asked. 1 to 5, default 2.
    pub attempts: usize,
    /// How long an answer is used beyond its time while DNS fails. Up to 24 h, default 1 h.
    pub stale: Duration,
}

/// Where DNS is asked unless another port is written.
const DNS_PORT: u16 = 53;

impl Dns {
    pub(super) fn resolve(raw: &DnsToml<'_>, report: &mut Report) -> Dns {
        Dns {
            servers: raw.servers.list().iter().filter_map(|item| server(item, report)).collect(),
            timeout: raw.timeout.duration(bounds("100ms", "10s", "2s"), report),
            attempts: raw.attempts.integer(1..=5, 2, report) as usize,
            stale: raw.stale.duration(bounds("0s", "24h", "1h"), report),
        }
    }
}

fn server(item: &Item<'_>, report: &mut Report) -> Option<SocketAddr> {
    let text = item.text("\"192.0.2.53\"", report)?;
    let with_port = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
    match text.parse().or_else(|_| with_port()) {
        Ok(server) if !server.ip().is_unspecified() && server.port() != 0 => Some(server),
        _ => {
            item.error(
                report,
                format!("\"{text}\" is no address of a DNS server; write it such as \"192.0.2.53\" or \"[2001:db8::53]:5353\""),
            );
            None
        }
    }
}
