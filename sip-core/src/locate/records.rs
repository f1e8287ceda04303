//! What DNS is asked, and what it says.

use super::Trouble;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// What kind of entry is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Which transports a domain offers (RFC 3403).
    Naptr,
    /// Which hosts offer a service (RFC 2782).
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// One question to DNS. `name` is in lower case and has no dot at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Query {
    /// Whose entries.
    pub name: String,
    /// Which.
    pub kind: Kind,
}

impl Query {
    /// A question, whatever the case of the name and whether it ends in the dot of the root.
    pub fn new(kind: Kind, name: &str) -> Query {
        Query { name: name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(), kind }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Naptr => "NAPTR",
            Kind::Srv => "SRV",
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
        };
        write!(f, "{kind} of {}", self.name)
    }
}

/// A host that offers a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Smaller is tried first.
    pub priority: u16,
    /// Share among those of the same priority.
    pub weight: u16,
    /// Where the service listens.
    pub port: u16,
    /// The host; empty, the root, says that there is no such service.
    pub target: String,
}

/// A transport that a domain offers (RFC 3403 §4, RFC 3263 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Smaller comes first.
    pub order: u16,
    /// Among the same order, smaller comes first.
    pub preference: u16,
    /// `s`: the replacement has SRV entries. Nothing else is of use for SIP.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub service: String,
    /// Where the SRV entries are.
    pub replacement: String,
}

/// Entries of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// Of [`Kind::Naptr`].
    Naptr(Vec<Naptr>),
    /// Of [`Kind::Srv`].
    Srv(Vec<Srv>),
    /// Of [`Kind::A`].
    A(Vec<Ipv4Addr>),
    /// Of [`Kind::Aaaa`].
    Aaaa(Vec<Ipv6Addr>),
}

impl Records {
    /// Of the kind that a query asks for, none.
    pub fn none(kind: Kind) -> Records {
        match kind {
            Kind::Naptr => Records::Naptr(Vec::new()),
            Kind::Srv => Records::Srv(Vec::new()),
            Kind::A => Records::A(Vec::new()),
            Kind::Aaaa => Records::Aaaa(Vec::new()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Records::Naptr(list) => list.len(),
            Records::Srv(list) => list.len(),
            Records::A(list) => list.len(),
            Records::Aaaa(list) => list.len(),
        }
    }

    /// Lets go of all but the first `most`; SRV and NAPTR by their priority, so that the best are kept.
    pub(super) fn cut(&mut self, most: usize) {
        match self {
            Records::Naptr(list) => {
                list.sort_by_key(|entry| (entry.order, entry.preference));
                list.truncate(most);
            }
            Records::Srv(list) => {
                list.sort_by_key(|entry| entry.priority);
                list.truncate(most);
            }
            Records::A(list) => list.truncate(most),
            Records::Aaaa(list) => list.truncate(most),
        }
    }
}

/// What DNS said to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The entries, or why there are none.
    pub found: Result<Records, Trouble>,
    /// How long that is good for; of a failure how long the question is not asked again, at the domain's wish.
    pub ttl: Option<Duration>,
}
