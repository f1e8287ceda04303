//! Which transports and families of addresses we can send from.

use crate::transport::{Listener, Transport};
use std::net::IpAddr;

/// What we speak, by transport and family: a record that leads elsewhere is of no use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    v4: u8,
    v6: u8,
}

/// In the order in which we choose among what a domain offers without saying what it prefers. Nobody can be called by
/// WebSocket (RFC 7118 §1).
pub(super) const SPOKEN: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

impl Reach {
    /// What can be sent from these listeners.
    pub fn of<'a>(listeners: impl IntoIterator<Item = &'a Listener>) -> Reach {
        let mut reach = Reach::default();
        for listener in listeners {
            match listener.local.is_ipv4() {
                true => reach.v4 |= bit(listener.transport),
                false => reach.v6 |= bit(listener.transport),
            }
        }
        reach
    }

    /// Whether this address can be sent to.
    pub fn covers(&self, transport: Transport, ip: IpAddr) -> bool {
        let family = if ip.to_canonical().is_ipv4() { self.v4 } else { self.v6 };
        family & bit(transport) != 0
    }

    /// Whether anything can be sent by this transport.
    pub fn speaks(&self, transport: Transport) -> bool {
        (self.v4 | self.v6) & bit(transport) != 0
    }

    /// Whether IPv6, then IPv4, addresses are of use with this transport.
    pub fn families(&self, transport: Transport) -> (bool, bool) {
        (self.v6 & bit(transport) != 0, self.v4 & bit(transport) != 0)
    }
}

fn bit(transport: Transport) -> u8 {
    match SPOKEN.iter().position(|spoken| *spoken == transport) {
        Some(at) => 1 << at,
        None => 0,
    }
}
