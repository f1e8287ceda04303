//! Who may talk to us: the source address decides before a transaction exists.

use super::names::carries_name;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A configured peer (a trunk, a registered phone's range), by the number its owner gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u16);

/// What stands for everybody who is at `source` when it is counted how much comes from there: IPv4 by address, IPv6 by
/// /64, for whoever has one address there has all of them.
pub(crate) fn place_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// Source addresses and the peers they belong to.
///
/// An exact address with port beats the longest prefix, the longest prefix beats a shorter one, a prefix with
/// port beats the same one without, and of equals the first written wins. An address that matches nothing is
/// nobody's: what comes from there is dropped and counted.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    exact: HashMap<SocketAddr, PeerId>,
    /// Longest prefix first, with port before without, then as written.
    prefixes: Vec<(IpNet, Option<u16>, PeerId)>,
    /// Peers whose address alone proves nothing, with the names of which their certificate must carry one.
    pinned: HashMap<PeerId, Vec<String>>,
}

impl Sources {
    /// Nobody may talk to us.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Lets every address of `net` (and this `port`, when given) speak as `peer`.
    pub fn allow(&mut self, net: IpNet, port: Option<u16>, peer: PeerId) {
        let net = canonical(net);
        if let (Some(port), true) = (port, net.prefix_len() == net.max_prefix_len()) {
            self.exact.entry(SocketAddr::new(net.addr(), port)).or_insert(peer);
            return;
        }
        let rank = |net: &IpNet, port: &Option<u16>| (net.prefix_len(), port.is_some());
        let at = self.prefixes.partition_point(|(n, p, _)| rank(n, p) >= rank(&net, &port));
        self.prefixes.insert(at, (net, port, peer));
    }

    /// From now on `peer` is believed only on a connection whose certificate carries one of `names`. None at all takes
    /// that back.
    pub fn pin(&mut self, peer: PeerId, names: Vec<String>) {
        match names.is_empty() {
            true => self.pinned.remove(&peer),
            false => self.pinned.insert(peer, names),
        };
    }

    /// The names of which the certificate of `peer` must carry one; none: its address is enough.
    pub fn pins(&self, peer: PeerId) -> &[String] {
        self.pinned.get(&peer).map_or(&[], Vec::as_slice)
    }

    /// Whether whoever has proved to be `names` may speak as `peer`. `names` are those of a verified certificate, none
    /// without one.
    pub fn believes(&self, peer: PeerId, names: &[String]) -> bool {
        let pins = self.pins(peer);
        pins.is_empty() || pins.iter().any(|wanted| carries_name(names, wanted))
    }

    /// Who speaks from `source` with a certificate of these names.
    pub fn identify(&self, source: SocketAddr, names: &[String]) -> Option<PeerId> {
        self.find(source).filter(|peer| self.believes(*peer, names))
    }

    /// Whose address this is, whether or not that is enough. IPv4 in IPv6 clothing counts as IPv4.
    pub fn find(&self, source: SocketAddr) -> Option<PeerId> {
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        if let Some(peer) = self.exact.get(&source) {
            return Some(*peer);
        }
        let fits = |(net, port, _): &&(IpNet, Option<u16>, PeerId)| {
            net.contains(&source.ip()) && port.is_none_or(|p| p == source.port())
        };
        self.prefixes.iter().find(fits).map(|(_, _, peer)| *peer)
    }
}

fn canonical(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net.prefix_len()) {
        (IpAddr::V4(v4), bits) if net.max_prefix_len() == 128 && bits >= 96 => {
            IpNet::new(v4.into(), bits - 96).map_or(net, |n| n.trunc())
        }
        _ => net.trunc(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(rules: &[(&str, Option<u16>, u16)]) -> Sources {
        let mut sources = Sources::new();
        for (net, port, peer) in rules {
            sources.allow(net.parse().unwrap(), *port, PeerId(*peer));
        }
        sources
    }

    fn find(sources: &Sources, from: &str) -> Option<u16> {
        sources.find(from.parse().unwrap()).map(|p| p.0)
    }

    #[test]
    fn an_exact_address_and_port_beats_the_longest_prefix() {
        let s = sources(&[("10.0.0.1/32", None, 1), ("10.0.0.1/32", Some(5070), 2)]);
        assert_eq!(find(&s, "10.0.0.1:5070"), Some(2));
        assert_eq!(find(&s, "10.0.0.1:5060"), Some(1));
    }

    #[test]
    fn the_longest_prefix_wins_and_of_equals_the_first_written() {
        let s = sources(&[("10.0.0.0/8", None, 1), ("10.1.0.0/16", None, 2), ("10.1.0.0/16", None, 3)]);
        assert_eq!(find(&s, "10.1.2.3:5060"), Some(2));
        assert_eq!(find(&s, "10.2.2.3:5060"), Some(1));
    }

    #[test]
    fn an_address_that_matches_nothing_is_nobodys() {
        let s = sources(&[("10.0.0.0/8", Some(5060), 1)]);
        assert_eq!(find(&s, "10.0.0.1:5061"), None);
        assert_eq!(find(&s, "11.0.0.1:5060"), None);
        assert_eq!(find(&Sources::new(), "[::1]:5060"), None);
    }

    #[test]
    fn a_pinned_peer_is_believed_only_with_a_certificate_of_its_name() {
        let mut s = sources(&[("10.0.0.0/8", None, 1), ("10.1.0.0/16", None, 2)]);
        s.pin(PeerId(2), vec!["sbc.example.com".into()]);
        let from = |names: &[&str], at: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            s.identify(at.parse().unwrap(), &names).map(|peer| peer.0)
        };
        assert_eq!(from(&[], "10.1.0.1:1"), None, "not even as the owner of the wider net");
        assert_eq!(from(&["other.example.com"], "10.1.0.1:1"), None);
        assert_eq!(from(&["x.example.com", "SBC.example.com"], "10.1.0.1:1"), Some(2));
        assert_eq!(from(&["sbc.example.com"], "10.2.0.1:1"), Some(1));
    }

    #[test]
    fn ipv4_in_ipv6_clothing_counts_as_ipv4() {
        let s = sources(&[("10.0.0.0/8", None, 1), ("2001:db8::/32", None, 2)]);
        assert_eq!(find(&s, "[::ffff:10.0.0.1]:5060"), Some(1));
        assert_eq!(find(&s, "[2001:db8::5]:5060"), Some(2));
    }
}
