//! Where a request is to go, and where we listen: both written `udp:host:port`.

use super::Transport;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The far end's host: an address, or a name that must be resolved first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A literal address.
    Ip(IpAddr),
    /// A name for the resolver.
    Name(String),
}

impl Host {
    /// Reads a host as it stands in a URI or in the configuration: IPv6 with or without brackets.
    pub fn new(text: &str) -> Host {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => Host::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Ip(ip) => write!(f, "{ip}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// A next hop before it is resolved (RFC 3263): `udp:10.0.0.1:5060`, `tcp:sbc.example.com`, `sbc.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// What to send over. `None`: for a name what its NAPTR or SRV entries say (RFC 3263 §4.1), else UDP, or TCP for large
    /// requests (RFC 3261 §18.1.1).
    pub transport: Option<Transport>,
    /// Where.
    pub host: Host,
    /// Port. `None`: for a name that of its SRV entries (RFC 3263 §4.2), else the transport's default.
    pub port: Option<u16>,
}

impl Target {
    /// A target that needs no resolver.
    pub fn at(transport: Transport, address: SocketAddr) -> Target {
        Target { transport: Some(transport), host: Host::Ip(address.ip()), port: Some(address.port()) }
    }

    /// The port, or the default of `transport`.
    pub fn port_for(&self, transport: Transport) -> u16 {
        self.port.unwrap_or(transport.default_port())
    }

    /// The address when the host is a literal one.
    pub fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        }
    }
}

/// Why a target or listener could not be read; the text tells the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing stands where the host should be.
    #[error("no host; write \"udp:HOST:PORT\"")]
    NoHost,
    /// The port is not a number from 1 to 65535.
    #[error("port {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// A listener needs a transport, an address and a port.
    #[error("{0:?} is no listener; write \"udp:ADDRESS:PORT\" or \"tcp:ADDRESS:PORT\"")]
    Listener(String),
    /// A host with characters no name may have.
    #[error("{0:?} is neither an address nor a host name")]
    Host(String),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        let (transport, rest) = split_transport(text);
        let (host, port) = split_port(rest)?;
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        let host_ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let host = match Host::new(host) {
            Host::Name(name) if !name.bytes().all(host_ok) => return Err(TargetError::Host(name)),
            host => host,
        };
        Ok(Target { transport, host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{transport}:")?;
        }
        write!(f, "{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// One address we receive on, and how the far end is to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    /// What is spoken there.
    pub transport: Transport,
    /// The address to bind.
    pub local: SocketAddr,
    /// Host and port to write in Via and Contact instead of `local`: behind a NAT, or when `local` is `0.0.0.0`.
    pub advertise: Option<(String, u16)>,
}

impl Listener {
    /// A listener that is reached by the address it binds.
    pub fn new(transport: Transport, local: SocketAddr) -> Listener {
        Listener { transport, local, advertise: None }
    }
}

impl FromStr for Listener {
    type Err = TargetError;

    /// Reads `udp:127.0.0.1:5060`.
    fn from_str(text: &str) -> Result<Listener, TargetError> {
        let bad = || TargetError::Listener(text.to_owned());
        let (Some(transport), rest) = split_transport(text) else { return Err(bad()) };
        Ok(Listener::new(transport, rest.parse().map_err(|_| bad())?))
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.local)
    }
}

fn split_transport(text: &str) -> (Option<Transport>, &str) {
    match text.split_once(':') {
        Some((name, rest)) => match name.parse() {
            Ok(transport) => (Some(transport), rest),
            Err(()) => (None, text),
        },
        None => (None, text),
    }
}

/// Splits `host:port`, `[v6]:port`, `host`, `v6` (more than one colon and no bracket).
fn split_port(text: &str) -> Result<(&str, Option<u16>), TargetError> {
    let split = match text.rfind(']') {
        Some(end) => text[end..].find(':').map(|at| end + at),
        None if text.matches(':').count() > 1 => None,
        None => text.find(':'),
    };
    let Some(at) = split else { return Ok((text, None)) };
    let port = &text[at + 1..];
    match port.parse() {
        Ok(number) if number > 0 => Ok((&text[..at], Some(number))),
        _ => Err(TargetError::Port(port.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_and_written_alike() {
        for text in
            ["udp:127.0.0.1:5090", "tcp:sbc.example.com", "sbc.example.com:5070", "[2001:db8::1]:5060"]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_ipv6_address_without_brackets_has_no_port() {
        let target: Target = "udp:2001:db8::1".parse().unwrap();
        assert_eq!((target.literal(), target.port), (Some("2001:db8::1".parse().unwrap()), None));
    }

    #[test]
    fn a_wrong_target_says_what_is_wrong() {
        assert_eq!("udp:".parse::<Target>(), Err(TargetError::NoHost));
        assert_eq!("a:0".parse::<Target>(), Err(TargetError::Port("0".into())));
        assert_eq!("tcp:a b:1".parse::<Target>(), Err(TargetError::Host("a b".into())));
        assert!("5060".parse::<Listener>().is_err());
        assert!("udp:localhost:5060".parse::<Listener>().is_err());
    }
}
