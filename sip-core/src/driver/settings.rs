//! The bounds of the driver.

use super::tls::TlsSettings;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How much the driver holds and how long it waits. [`DriverSettings::default`] gives every default.
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// Kernel receive buffer asked for on UDP sockets, in bytes. The kernel caps it at `net.core.rmem_max`; what
    /// was achieved is read with [`Sockets::buffers`](super::Sockets::buffers). Default 4 MiB.
    pub receive_buffer: usize,
    /// The same for sending (`net.core.wmem_max`). Default 1 MiB.
    pub send_buffer: usize,
    /// Datagrams that wait while the kernel takes no more; one more is dropped and counted, for the peer or a
    /// timer repeats it. Default 1,024.
    pub max_waiting_datagrams: usize,
    /// Connections at one time, opened and accepted. One more that is accepted is closed at once, one more that is
    /// to be opened fails. Default 4,096.
    pub max_connections: usize,
    /// Of these, accepted from one address, or one /64 of IPv6. Default 1,024.
    pub max_connections_per_address: usize,
    /// Bytes that wait to be written on one connection. One message more closes it: its peer has stopped reading.
    /// Default 1 MiB.
    pub max_write_queue: usize,
    /// Bytes of one message. Default 65,535, what a datagram can hold.
    pub max_message: usize,
    /// Things that wait to be read with `next` from connections, listeners, and the resolver. While it is full,
    /// connections are not read: the peer's sends block, and nothing is lost. Default 1,024.
    pub inbox: usize,
    /// How long a TCP connection may take to open. Default 5 s.
    pub connect_timeout: Duration,
    /// TLS handshakes of those who connect to us, at one time, and 64 of one address; one more is turned away. Ours do
    /// not count. Default 256.
    pub max_handshakes: usize,
    /// How long a TLS handshake may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// Certificates and trust. Default: nothing to show, and nobody is believed.
    pub tls: TlsSettings,
    /// Origins of pages that may connect to a WebSocket listener, by its position among the listeners; none: all. Who
    /// names no origin is no page of a browser, and may. Default: none for none.
    pub origins: BTreeMap<usize, Vec<String>>,
    /// How long a connection may carry nothing from the peer, not even a keep-alive. It must be longer than a
    /// transaction lives (RFC 3261 §18). Default 15 min.
    pub idle_timeout: Duration,
    /// How often we ping on connections that we opened (RFC 5626 §4.4.1: 95 to 120 s), and on every WebSocket. Default
    /// 110 s.
    pub ping_interval: Duration,
    /// How long the answer to a ping may take before the connection is closed, where pings were answered before.
    /// Default 10 s.
    pub pong_timeout: Duration,
    /// How long a message may take from its first byte to its last, and an accepted connection to its first message; a
    /// WebSocket to the end of its HTTP request, and a message in pieces there has `idle_timeout`. Default 10 s.
    pub message_timeout: Duration,
    /// How long one write may stand still. Default 30 s.
    pub write_timeout: Duration,
    /// Whom names are asked of.
    pub dns: DnsSettings,
    /// Questions to DNS at one time. A name that needs one more fails at once. Default 256.
    pub max_lookups: usize,
}

impl Default for DriverSettings {
    fn default() -> DriverSettings {
        DriverSettings {
            receive_buffer: 4 << 20,
            send_buffer: 1 << 20,
            max_waiting_datagrams: 1_024,
            max_connections: 4_096,
            max_connections_per_address: 1_024,
            max_write_queue: 1 << 20,
            max_message: 65_535,
            inbox: 1_024,
            connect_timeout: Duration::from_secs(5),
            max_handshakes: 256,
            handshake_timeout: Duration::from_secs(10),
            tls: TlsSettings::default(),
            origins: BTreeMap::new(),
            idle_timeout: Duration::from_secs(15 * 60),
            ping_interval: Duration::from_secs(110),
            pong_timeout: Duration::from_secs(10),
            message_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            dns: DnsSettings::default(),
            max_lookups: 256,
        }
    }
}

/// Whom names are asked of, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// DNS servers with their ports; none: those of the system (`/etc/resolv.conf`, read again when it changes). Names
    /// that stand in `/etc/hosts` are asked of nobody. Default none.
    pub servers: Vec<SocketAddr>,
    /// How long one attempt may take, in which two servers at a time are asked. Default 2 s.
    pub timeout: Duration,
    /// How often a question is asked before it has failed; with dead servers in the list 2 at least. At least 1,
    /// default 2.
    pub attempts: usize,
    /// How long an answer is used beyond its time while DNS fails (RFC 8767). Zero: not at all. Default 1 h.
    pub stale: Duration,
}

impl Default for DnsSettings {
    fn default() -> DnsSettings {
        DnsSettings {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: 2,
            stale: Duration::from_secs(3_600),
        }
    }
}
