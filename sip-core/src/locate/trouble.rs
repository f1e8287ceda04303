//! What goes wrong with names, and what an operator can do about it.

use std::time::Duration;

/// Why a name led nowhere, or not the way it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The name cannot stand in a question to DNS.
    #[error("it is no name that DNS could know")]
    NotAName,
    /// DNS knows no such name (NXDOMAIN).
    #[error("DNS knows no such name")]
    NoSuchName,
    /// The name is known but has no address of a family that we listen on.
    #[error("DNS has no address for it that we could send to")]
    NoAddress,
    /// SRV says in so many words that SIP is not offered there (RFC 2782: a target of `.`).
    #[error("DNS says that SIP is not offered there")]
    NotOffered,
    /// No server answered in time.
    #[error("no DNS server answers")]
    NoAnswer,
    /// A server answered that it cannot or will not (SERVFAIL, REFUSED, …).
    #[error("the DNS server refuses or fails")]
    Refused,
    /// Names that lead to each other, or too many of them (CNAME).
    #[error("its DNS entries lead in a circle")]
    Circle,
    /// Entries that nobody could send to: no port, `0.0.0.0`, a group of receivers, an answer that cannot be read.
    #[error("its DNS entries make no sense")]
    Nonsense,
    /// More entries than are followed: the first of them by priority are used.
    #[error("it has more DNS entries than are followed")]
    TooMany,
    /// As many questions as may be are under way already.
    #[error("too many names are being looked up at this time")]
    Busy,
    /// DNS fails, and what it last said is used all the same, for so long at most.
    #[error("DNS fails; what it last said is used for {left:?} more at most")]
    Stale {
        /// Whole seconds until the old answer is forgotten.
        left: Duration,
    },
}

impl Trouble {
    /// One word, for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Trouble::NotAName => "not-a-name",
            Trouble::NoSuchName => "no-such-name",
            Trouble::NoAddress => "no-address",
            Trouble::NotOffered => "not-offered",
            Trouble::NoAnswer => "no-answer",
            Trouble::Refused => "refused",
            Trouble::Circle => "circle",
            Trouble::Nonsense => "nonsense",
            Trouble::TooMany => "too-many",
            Trouble::Busy => "busy",
            Trouble::Stale { .. } => "stale",
        }
    }

    /// What an operator can do.
    pub fn cure(&self) -> &'static str {
        match self {
            Trouble::NotAName => "correct the name",
            Trouble::NoSuchName => "correct the name, or have its DNS entry made",
            Trouble::NoAddress => {
                "listen on an address of the family it has (A: IPv4, AAAA: IPv6), or correct its entry"
            }
            Trouble::NotOffered => {
                "ask the far end for its address, and write it with a port: then SRV is not asked"
            }
            Trouble::NoAnswer => "see whether the servers of dns.servers or /etc/resolv.conf can be reached",
            Trouble::Refused => "ask another server (dns.servers), or whoever runs the name's domain",
            Trouble::Circle | Trouble::Nonsense => "have the entries corrected by whoever runs the domain",
            Trouble::TooMany => "have fewer entries made, or write the targets into send_to",
            Trouble::Busy => "see whether DNS is slow",
            Trouble::Stale { .. } => "see whether the DNS servers can be reached before the old answer ends",
        }
    }

    /// DNS itself fails, which says nothing of the name: an old answer is better than none (RFC 8767).
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Trouble::NoAnswer | Trouble::Refused | Trouble::Busy)
    }
}
