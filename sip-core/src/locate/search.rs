//! One search by the rules of RFC 3263 §4: what follows from what is known, and what must be asked to know more.
//!
//! It keeps no place in the rules: whenever something becomes known they are gone through from the start. So there is
//! one description of them, and none of its steps can be reached in a wrong order.

use super::memory::Known;
use super::order::{drawn, offered};
use super::reach::SPOKEN;
use super::{Kind, Located, Query, Reach, Records, Srv, Trouble};
use crate::transport::{Host, Target, Transport};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Hosts of SRV entries that are followed.
const MOST_HOSTS: usize = 12;
/// Addresses that one name leads to.
const MOST_ADDRESSES: usize = 32;

/// One search.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) target: Target,
    reach: Reach,
    random: u64,
    /// What was learnt for it. Kept here, because an answer with a TTL of 0 is good for this search and no other.
    known: BTreeMap<Query, Known>,
}

/// What the rules say now.
#[derive(Debug)]
pub(super) enum Step {
    /// These must be known first.
    Ask(Vec<Query>),
    Done(Located),
}

/// A host that may be tried.
struct Door {
    transport: Transport,
    host: String,
    port: u16,
}

/// One walk through the rules.
struct Walk<'a> {
    search: &'a Search,
    asked: Vec<Query>,
    /// The first thing that went wrong and the first that is only odd.
    trouble: Option<Trouble>,
    remark: Option<Trouble>,
}

impl Search {
    pub(super) fn new(target: Target, reach: Reach, random: u64) -> Search {
        Search { target, reach, random, known: BTreeMap::new() }
    }

    pub(super) fn learn(&mut self, query: Query, known: Known) {
        self.known.insert(query, known);
    }

    pub(super) fn step(&self) -> Step {
        let mut walk = Walk { search: self, asked: Vec::new(), trouble: None, remark: None };
        let located = walk.locate();
        if walk.asked.is_empty() { Step::Done(located) } else { Step::Ask(walk.asked) }
    }
}

impl Walk<'_> {
    fn locate(&mut self) -> Located {
        let Target { transport, host, port } = &self.search.target;
        let name = match host {
            Host::Ip(ip) => {
                let transport = transport.unwrap_or(Transport::Udp);
                let port = port.unwrap_or(transport.default_port());
                return Located::at(transport, [SocketAddr::new(*ip, port)]);
            }
            Host::Name(name) => name.as_str(),
        };
        let doors = match (port, transport) {
            // With a port there is nothing to ask SRV for (§4.2), and without a transport it is UDP (§4.1).
            (Some(port), transport) => vec![door(transport.unwrap_or(Transport::Udp), name, *port)],
            (None, Some(transport)) => self.services(&[(*transport, service(*transport, name))], name),
            (None, None) => self.any_transport(name),
        };
        self.addresses(doors)
    }

    /// Nobody has said what is to be spoken: NAPTR does, or the SRV entries that there are (§4.1).
    fn any_transport(&mut self, name: &str) -> Vec<Door> {
        let asked = self.know(Query::new(Kind::Naptr, name));
        let offers = match asked {
            Some(Records::Naptr(entries)) => offered(&entries, self.search.reach),
            _ if !self.asked.is_empty() || self.is_dead() => return Vec::new(),
            _ => Vec::new(),
        };
        if !offers.is_empty() {
            return self.services(&offers, name);
        }
        let spoken = SPOKEN.into_iter().filter(|transport| self.search.reach.speaks(*transport));
        let guesses: Vec<_> = spoken.map(|transport| (transport, service(transport, name))).collect();
        self.services(&guesses, name)
    }

    /// The hosts of these services in order; if there are no entries the name itself with the default port (§4.2).
    fn services(&mut self, services: &[(Transport, String)], name: &str) -> Vec<Door> {
        let (mut doors, mut any) = (Vec::new(), false);
        for (transport, service) in services {
            let Some(Records::Srv(entries)) = self.know(Query::new(Kind::Srv, service)) else { continue };
            any |= !entries.is_empty();
            doors.extend(self.hosts(*transport, entries));
        }
        if any || !self.asked.is_empty() || self.is_dead() {
            return doors;
        }
        let transport = self.search.target.transport.unwrap_or_else(|| self.usual());
        vec![door(transport, name, transport.default_port())]
    }

    /// UDP (§4.1), or what we speak if it is not that.
    fn usual(&self) -> Transport {
        SPOKEN.into_iter().find(|transport| self.search.reach.speaks(*transport)).unwrap_or(Transport::Udp)
    }

    fn hosts(&mut self, transport: Transport, entries: Vec<Srv>) -> Vec<Door> {
        let mut doors = Vec::new();
        for entry in drawn(entries, self.search.random) {
            match (entry.target.is_empty(), entry.port) {
                (true, _) => self.wrong(Trouble::NotOffered),
                (false, 0) => self.wrong(Trouble::Nonsense),
                (false, port) => doors.push(door(transport, &entry.target, port)),
            }
        }
        doors
    }

    fn addresses(&mut self, mut doors: Vec<Door>) -> Located {
        if doors.len() > MOST_HOSTS {
            doors.truncate(MOST_HOSTS);
            self.odd(Trouble::TooMany);
        }
        let mut addresses = Vec::new();
        for door in doors {
            for ip in self.ips(&door) {
                let address = (door.transport, SocketAddr::new(ip, door.port));
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        if addresses.len() > MOST_ADDRESSES {
            addresses.truncate(MOST_ADDRESSES);
            self.odd(Trouble::TooMany);
        }
        let trouble = match addresses.is_empty() {
            true => Some(self.trouble.or(self.remark).unwrap_or(Trouble::NoAddress)),
            // That there are addresses of one family only is as it should be.
            false => self.trouble.filter(|trouble| *trouble != Trouble::NoAddress).or(self.remark),
        };
        Located { addresses, trouble }
    }

    /// IPv6 first (RFC 6724 §2.1), each only if we could send there.
    fn ips(&mut self, door: &Door) -> Vec<IpAddr> {
        if let Ok(ip) = door.host.parse() {
            return self.sendable(door, vec![ip]);
        }
        let (v6, v4) = self.search.reach.families(door.transport);
        let sixes = v6.then(|| self.know(Query::new(Kind::Aaaa, &door.host))).flatten();
        let fours = v4.then(|| self.know(Query::new(Kind::A, &door.host))).flatten();
        let mut ips: Vec<IpAddr> = Vec::new();
        for found in [sixes, fours].into_iter().flatten() {
            match found {
                Records::A(list) => ips.extend(list.into_iter().map(IpAddr::V4)),
                Records::Aaaa(list) => ips.extend(list.into_iter().map(IpAddr::V6)),
                Records::Naptr(_) | Records::Srv(_) => {}
            }
        }
        self.sendable(door, ips)
    }

    /// Those of a family that we send from. An IPv4 address in IPv6's clothes is one of IPv4.
    fn sendable(&mut self, door: &Door, mut ips: Vec<IpAddr>) -> Vec<IpAddr> {
        ips.iter_mut().for_each(|ip| *ip = ip.to_canonical());
        let all = ips.len();
        ips.retain(|ip| is_somebody(*ip));
        if ips.len() < all {
            self.wrong(Trouble::Nonsense);
        }
        ips.retain(|ip| self.search.reach.covers(door.transport, *ip));
        ips
    }

    /// The entries, if they are known and there are any. What is not known is asked.
    fn know(&mut self, query: Query) -> Option<Records> {
        let Some(known) = self.search.known.get(&query) else {
            if !self.asked.contains(&query) {
                self.asked.push(query);
            }
            return None;
        };
        if let Some(remark) = known.remark {
            self.odd(remark);
        }
        match &known.found {
            Ok(records) => Some(records.clone()),
            // That there is no NAPTR and no SRV is nothing wrong.
            Err(Trouble::NoSuchName | Trouble::NoAddress)
                if matches!(query.kind, Kind::Naptr | Kind::Srv) =>
            {
                None
            }
            Err(trouble) => {
                self.wrong(*trouble);
                None
            }
        }
    }

    /// Where one question has timed out, the next would only cost the caller as much time again.
    fn is_dead(&self) -> bool {
        self.trouble == Some(Trouble::NoAnswer)
    }

    /// What says most: an outage before a name that is not there, for that may follow from it.
    fn wrong(&mut self, trouble: Trouble) {
        let says_more =
            |old: &Trouble| *old == Trouble::NoAddress || (trouble.is_outage() && !old.is_outage());
        if self.trouble.as_ref().is_none_or(says_more) {
            self.trouble = Some(trouble);
        }
    }

    fn odd(&mut self, remark: Trouble) {
        self.remark.get_or_insert(remark);
    }
}

fn door(transport: Transport, host: &str, port: u16) -> Door {
    Door { transport, host: host.to_owned(), port }
}

/// Where SRV entries of a transport stand (RFC 3263 §4.1, RFC 7118 has none).
fn service(transport: Transport, name: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp | Transport::Ws => "_sip._tcp",
        Transport::Tls | Transport::Wss => "_sips._tcp",
    };
    format!("{prefix}.{name}")
}

/// Whether a single host could have this address. A loopback address is one: it is whoever listens there.
fn is_somebody(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}
