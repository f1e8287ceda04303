//! What goes into an endpoint and what comes out.

use super::Event;
use crate::locate::{Located, Reach};
use crate::transport::{Flow, PeerId, Target, Transport};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Instant;

/// A name look-up under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResolveId(pub u64);

/// A connection being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpenId(pub u64);

/// What the outside world did.
#[derive(Clone, Debug)]
pub enum Input {
    /// One datagram, or one framed message of a stream.
    Received {
        /// The way it came.
        flow: Flow,
        /// All of it.
        bytes: Bytes,
    },
    /// The same, which had to wait too long before it could be handled (see [`Backlog`](crate::backlog::Backlog)): a new
    /// call is refused without state and without Retry-After. Everything else is handled as ever: repeats of INVITEs
    /// that were taken, answers, and what belongs to a dialog.
    Late {
        /// The way it came.
        flow: Flow,
        /// All of it.
        bytes: Bytes,
    },
    /// The end of [`Output::Resolve`].
    Resolved {
        /// Which look-up.
        id: ResolveId,
        /// Where it led.
        located: Located,
    },
    /// The good end of [`Output::Open`].
    Opened {
        /// Which opening.
        id: OpenId,
        /// The new connection.
        flow: Flow,
        /// DNS names of the far end's certificate, which was verified; none without TLS.
        peer_names: Vec<String>,
    },
    /// Somebody has connected and shown a certificate that was verified. A connection without one announces itself by
    /// what it sends.
    Accepted {
        /// The new connection.
        flow: Flow,
        /// DNS names of the certificate.
        peer_names: Vec<String>,
    },
    /// The bad end of [`Output::Open`].
    OpenFailed {
        /// Which opening.
        id: OpenId,
    },
    /// A connection is gone, whoever closed it.
    Closed {
        /// Which.
        flow: Flow,
    },
    /// An ICMP error: datagrams do not reach this address.
    Unreachable {
        /// The address.
        remote: SocketAddr,
    },
}

/// What the outside world is to do. Drain with [`poll_output`](super::Endpoint::poll_output) until `Timeout`.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this.
    Transmit {
        /// The way.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Something happened to a leg.
    Event(Event),
    /// Look a name up (RFC 3263 §4, see [`Directory`](crate::locate::Directory)); answer with [`Input::Resolved`].
    Resolve {
        /// To be given back.
        id: ResolveId,
        /// The name; its transport and port as far as they are given.
        target: Target,
        /// What can be sent from here.
        reach: Reach,
        /// Decides among entries of the same priority.
        random: u64,
    },
    /// Open a connection; answer with [`Input::Opened`] or [`Input::OpenFailed`].
    Open {
        /// To be given back.
        id: OpenId,
        /// TCP, TLS or WebSocket.
        transport: Transport,
        /// Where to.
        remote: SocketAddr,
        /// The name the certificate must have; `None` if the far end is known by its address only.
        server_name: Option<String>,
        /// On whose behalf: whose certificate to show, and whose to want.
        peer: Option<PeerId>,
    },
    /// Close a connection; no [`Input::Closed`] is awaited.
    Close {
        /// Which.
        flow: Flow,
    },
    /// Nothing more for now. Call [`handle_timeout`](super::Endpoint::handle_timeout) at that instant, if there is
    /// one; the text names the timer.
    Timeout(Option<(Instant, &'static str)>),
}
