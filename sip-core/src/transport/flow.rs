//! A flow: the two addresses and, on a stream, the connection that a message came over or leaves by.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// What carries a SIP message (RFC 3261 §18, RFC 7118 for WebSocket).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams; requests and responses are repeated by timers.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream in TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket in TLS.
    Wss,
}

impl Transport {
    /// Whether the transport itself repeats what is lost: then timers A, E and G do not run (RFC 3261 §17).
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// Whether what is sent cannot be read on the way.
    pub fn is_secure(self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }

    /// Whether messages come in frames of WebSocket, and only over connections of the far end (RFC 7118).
    pub fn is_web(self) -> bool {
        matches!(self, Transport::Ws | Transport::Wss)
    }

    /// The name in a Via header, `SIP/2.0/NAME` (RFC 3261 §20.42).
    pub fn via_name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// The name in a URI's `transport` parameter and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }

    /// The port when none is written: 5060, or 5061 for TLS (RFC 3261 §19.1.2); 80 and 443 for WebSocket.
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }

    /// Reads a name in any case; `None` for a transport we do not know.
    pub fn from_name(name: &[u8]) -> Option<Transport> {
        const ALL: [Transport; 5] =
            [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
        ALL.into_iter().find(|t| t.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Transport {
    type Err = ();

    fn from_str(s: &str) -> Result<Transport, ()> {
        Transport::from_name(s.as_bytes()).ok_or(())
    }
}

/// The way a message came, or is to go.
///
/// On UDP a flow is the pair of addresses. On a stream it is one connection: a connection closed and opened
/// again between the same addresses has another `connection` and so is another flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What carries it.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The far end's address as we see it, after any NAT.
    pub remote: SocketAddr,
    /// The driver's number of the connection, from 1; 0 for datagrams.
    pub connection: u32,
}

impl Flow {
    /// The flow of datagrams between two addresses.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, local, remote, connection: 0 }
    }

    /// The flow of one stream connection.
    pub fn stream(transport: Transport, local: SocketAddr, remote: SocketAddr, connection: u32) -> Flow {
        debug_assert!(transport.is_reliable());
        Flow { transport, local, remote, connection }
    }

    /// Whether timers that repeat messages are not needed.
    pub fn is_reliable(&self) -> bool {
        self.transport.is_reliable()
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}->{}", self.transport, self.local, self.remote)?;
        if self.connection == 0 { Ok(()) } else { write!(f, "#{}", self.connection) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_names_are_read_in_any_case() {
        assert_eq!(Transport::from_name(b"UdP"), Some(Transport::Udp));
        assert_eq!(Transport::from_name(b"WSS"), Some(Transport::Wss));
        assert_eq!(Transport::from_name(b"sctp"), None);
    }

    #[test]
    fn only_datagrams_need_repeating() {
        assert!(!Transport::Udp.is_reliable());
        assert!(Transport::Tcp.is_reliable() && Transport::Ws.is_reliable());
    }
}
