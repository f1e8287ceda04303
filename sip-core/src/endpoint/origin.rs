//! Who we are on each listener: what stands in Via and Contact of what leaves there.

use super::Endpoint;
use crate::locate::Reach;
use crate::token::Token;
use crate::transport::{Flow, Host, Listener, PeerId, Transport};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The listeners, the texts that tell the far end how to reach them, and those that tell it to certain peers.
pub(super) struct Origins {
    listeners: Vec<Origin>,
    own_names: BTreeMap<PeerId, OwnName>,
    /// Headers of what we answer to certain peers.
    in_answers: BTreeMap<PeerId, Vec<(Bytes, Bytes)>>,
}

/// What we are called towards a peer, in place of what our listener is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnName {
    /// The host in Via and Contact.
    pub host: Host,
    /// The port; `None`: the listener's.
    pub port: Option<u16>,
}

impl fmt::Display for OwnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Endpoint {
    /// What we are called towards these peers from now on (RFC 3261 §18.1.1, §8.1.1.8); everybody else is told what the
    /// listener says. Requests inside dialogs that exist say it too.
    pub fn set_own_names(&mut self, names: BTreeMap<PeerId, OwnName>) {
        self.origins.own_names = names;
    }

    /// Headers that each of our answers to these peers carries from now on, `100 Trying` apart. Those that the endpoint
    /// writes itself are left out.
    pub fn set_in_answers(&mut self, headers: BTreeMap<PeerId, Vec<(Bytes, Bytes)>>) {
        self.origins.in_answers = headers;
    }
}

struct Origin {
    listener: Listener,
    /// `host:port` for Via and Contact; `None` when we listen on every address and none is advertised.
    sent_by: Option<Bytes>,
}

impl Origins {
    pub(super) fn new(listeners: &[Listener]) -> Origins {
        let listeners = listeners.iter().cloned().map(Origin::new).collect();
        Origins { listeners, own_names: BTreeMap::new(), in_answers: BTreeMap::new() }
    }

    /// Headers of what we answer to a peer.
    pub(super) fn in_answers(&self, peer: Option<PeerId>) -> &[(Bytes, Bytes)] {
        peer.and_then(|peer| self.in_answers.get(&peer)).map_or(&[], Vec::as_slice)
    }

    /// Somebody's answers carry headers of their own.
    pub(super) fn marks_answers(&self) -> bool {
        !self.in_answers.is_empty()
    }

    /// Our own address for datagrams to `remote`: the first UDP listener of its family, of its kind if there is one.
    pub(super) fn udp_flow(&self, remote: SocketAddr) -> Option<Flow> {
        let local = self.listener(Transport::Udp, remote.ip())?.listener.local;
        Some(Flow::udp(local, remote))
    }

    /// Whether new requests may leave by this transport.
    pub(super) fn speaks(&self, transport: Transport, remote: IpAddr) -> bool {
        self.listener(transport, remote).is_some()
    }

    /// All that can be sent from here.
    pub(super) fn reach(&self) -> Reach {
        Reach::of(self.listeners.iter().map(|origin| &origin.listener))
    }

    fn listener(&self, transport: Transport, remote: IpAddr) -> Option<&Origin> {
        let fits = |o: &&Origin| {
            o.listener.transport == transport && o.listener.local.is_ipv4() == remote.to_canonical().is_ipv4()
        };
        let loopback = |o: &&Origin| o.listener.local.ip().is_loopback() == remote.is_loopback();
        let all = || self.listeners.iter().filter(fits);
        all().find(loopback).or_else(|| all().next())
    }

    /// The listener that a flow belongs to; for a connection we opened, the one of its transport and family.
    fn of(&self, flow: &Flow) -> Option<&Origin> {
        let exact = |o: &&Origin| {
            o.listener.transport == flow.transport
                && o.listener.local.port() == flow.local.port()
                && (o.listener.local.ip() == flow.local.ip() || o.listener.local.ip().is_unspecified())
        };
        self.listeners.iter().find(exact).or_else(|| self.listener(flow.transport, flow.remote.ip()))
    }

    fn sent_by(&self, flow: &Flow, peer: Option<PeerId>) -> Bytes {
        if let Some(name) = peer.and_then(|peer| self.own_names.get(&peer)) {
            let port = name.port.unwrap_or_else(|| self.port_of(flow));
            return Bytes::from(format!("{}:{port}", name.host));
        }
        match self.of(flow) {
            Some(Origin { sent_by: Some(sent_by), .. }) => sent_by.clone(),
            Some(origin) => {
                let at = SocketAddr::new(flow.local.ip(), origin.listener.local.port());
                Bytes::from(at.to_string())
            }
            None => Bytes::from(flow.local.to_string()),
        }
    }

    /// The port at which the far end of a flow reaches us.
    fn port_of(&self, flow: &Flow) -> u16 {
        let advertised = |listener: &Listener| listener.advertise.as_ref().map(|(_, port)| *port);
        let known = |listener: &Listener| advertised(listener).unwrap_or(listener.local.port());
        self.of(flow).map_or(flow.local.port(), |origin| known(&origin.listener))
    }

    /// The Via of a request to `peer` that leaves by `flow`. `rport`: the response comes back to the port we send from
    /// (RFC 3581 §3).
    pub(super) fn via(&self, flow: &Flow, peer: Option<PeerId>, branch: &Token) -> Vec<u8> {
        let sent_by = self.sent_by(flow, peer);
        let mut via = Vec::with_capacity(96);
        via.extend_from_slice(b"SIP/2.0/");
        via.extend_from_slice(flow.transport.via_name().as_bytes());
        via.push(b' ');
        via.extend_from_slice(&sent_by);
        via.extend_from_slice(b";branch=z9hG4bK");
        via.extend_from_slice(branch.as_bytes());
        if flow.transport == Transport::Udp {
            via.extend_from_slice(b";rport");
        }
        via
    }

    /// The Contact of what leaves for `peer` by `flow`: how the far end reaches us for the rest of the dialog.
    pub(super) fn contact(&self, flow: &Flow, peer: Option<PeerId>) -> Vec<u8> {
        self.contact_of(b"", flow, peer)
    }

    /// The same for one `user` of ours; empty: for whoever we are.
    pub(super) fn contact_of(&self, user: &[u8], flow: &Flow, peer: Option<PeerId>) -> Vec<u8> {
        let sent_by = self.sent_by(flow, peer);
        let mut contact = Vec::with_capacity(64);
        contact.extend_from_slice(b"<sip:");
        if !user.is_empty() {
            contact.extend_from_slice(user);
            contact.push(b'@');
        }
        contact.extend_from_slice(&sent_by);
        if flow.transport != Transport::Udp {
            contact.extend_from_slice(b";transport=");
            // RFC 7118 §5.2.1 and §5.2.2: `ws` also where it is in TLS.
            let name = if flow.transport.is_web() { "ws" } else { flow.transport.name() };
            contact.extend_from_slice(name.as_bytes());
        }
        contact.push(b'>');
        contact
    }
}

impl Origin {
    fn new(listener: Listener) -> Origin {
        let sent_by = match &listener.advertise {
            Some((host, port)) if host.contains(':') && !host.starts_with('[') => {
                Some(format!("[{host}]:{port}"))
            }
            Some((host, port)) => Some(format!("{host}:{port}")),
            None if listener.local.ip().is_unspecified() => None,
            None => Some(listener.local.to_string()),
        };
        Origin { listener, sent_by: sent_by.map(Bytes::from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Kind, Mint};

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn via_and_contact_name_the_listener_a_flow_belongs_to_and_its_transport() {
        let mut far = Listener::new(Transport::Tcp, "0.0.0.0:5070".parse().unwrap());
        far.advertise = Some(("sbc.example.com".into(), 5071));
        let near = Listener::new(Transport::Udp, "10.0.0.1:5060".parse().unwrap());
        let origins = Origins::new(&[near, far]);
        let remote = "10.0.0.2:5060".parse().unwrap();
        let tcp = Flow::stream(Transport::Tcp, "10.0.0.1:40000".parse().unwrap(), remote, 3);
        assert_eq!(text(origins.contact(&tcp, None)), "<sip:sbc.example.com:5071;transport=tcp>");
        let udp = origins.udp_flow(remote).unwrap();
        assert_eq!(text(origins.contact(&udp, None)), "<sip:10.0.0.1:5060>");
        let token = Mint::new([0; 32], 0).token(Kind::Branch, 1);
        assert!(
            text(origins.via(&udp, None, &token)).starts_with("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK")
        );
        assert!(text(origins.via(&udp, None, &token)).ends_with(";rport"));
        assert!(
            text(origins.via(&tcp, None, &token)).starts_with("SIP/2.0/TCP sbc.example.com:5071;branch=")
        );
    }

    #[test]
    fn a_peer_may_know_us_by_another_name_than_everybody_else() {
        let mut origins = Origins::new(&[Listener::new(Transport::Tls, "10.0.0.1:5071".parse().unwrap())]);
        let name = |port| OwnName { host: Host::new("ccr1.example.com"), port };
        origins.own_names = [(PeerId(1), name(None)), (PeerId(2), name(Some(443)))].into();
        let remote = "10.0.0.2:5061".parse().unwrap();
        let flow = Flow::stream(Transport::Tls, "10.0.0.1:40000".parse().unwrap(), remote, 3);
        let contact = |peer| text(origins.contact(&flow, Some(PeerId(peer))));
        assert_eq!(contact(1), "<sip:ccr1.example.com:5071;transport=tls>");
        assert_eq!(contact(2), "<sip:ccr1.example.com:443;transport=tls>");
        assert_eq!(contact(3), "<sip:10.0.0.1:5071;transport=tls>");
        let token = Mint::new([0; 32], 0).token(Kind::Branch, 1);
        let via = text(origins.via(&flow, Some(PeerId(1)), &token));
        assert!(via.starts_with("SIP/2.0/TLS ccr1.example.com:5071;branch=z9hG4bK"), "{via}");
    }

    #[test]
    fn a_listener_on_every_address_is_named_by_the_flows_own() {
        let origins = Origins::new(&[Listener::new(Transport::Udp, "0.0.0.0:5060".parse().unwrap())]);
        let flow = Flow::udp("10.9.9.9:5060".parse().unwrap(), "10.0.0.2:5060".parse().unwrap());
        assert_eq!(text(origins.contact(&flow, None)), "<sip:10.9.9.9:5060>");
    }

    #[test]
    fn a_request_leaves_by_a_listener_of_its_family_and_loopback_stays_on_loopback() {
        let listen = |at: &str| Listener::new(Transport::Udp, at.parse().unwrap());
        let origins =
            Origins::new(&[listen("10.0.0.1:5060"), listen("127.0.0.1:5060"), listen("[::1]:5060")]);
        let local = |to: &str| origins.udp_flow(to.parse().unwrap()).unwrap().local.to_string();
        assert_eq!(local("10.0.0.9:1"), "10.0.0.1:5060");
        assert_eq!(local("127.0.0.1:1"), "127.0.0.1:5060");
        assert_eq!(local("[2001:db8::1]:1"), "[::1]:5060");
        assert!(!origins.speaks(Transport::Tcp, "10.0.0.9".parse().unwrap()));
    }
}
