//! What a session description says (RFC 8866 §5), as far as a telephone call needs it.
//!
//! Lines that say nothing to us (title, times, phone numbers, keys) are not kept. Attributes we do not know are.

use std::net::IpAddr;

use bytes::Bytes;

use super::SdpError;

/// One session description: the body of an `application/sdp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `o=`.
    pub origin: Origin,
    /// `c=` before the first `m=`: holds for every medium that has none of its own.
    pub connection: Option<Connection>,
    /// Direction attribute before the first `m=`: the default of the media.
    pub direction: Option<Direction>,
    /// `b=RS:` before the first `m=`: RTCP bandwidth of senders in bit/s (RFC 3556).
    pub rtcp_senders: Option<u32>,
    /// `b=RR:` before the first `m=`: RTCP bandwidth of receivers in bit/s (RFC 3556).
    pub rtcp_receivers: Option<u32>,
    /// Session attributes without a field here, in their order.
    pub attributes: Vec<Attribute>,
    /// One for each `m=`, in their order.
    pub media: Vec<Media>,
}

impl Description {
    /// Reads a description, generously: lines may come in any order after `v=`, end in LF or CR LF, be of types nobody
    /// knows; `o=`, `s=` and `t=` may be missing. What would change where sound goes must be right.
    ///
    /// # Errors
    /// [`SdpError`] with the line; sizes are bounded by [`MAX_BYTES`](super::MAX_BYTES) and its neighbours.
    pub fn parse(bytes: &[u8]) -> Result<Description, SdpError> {
        super::read::description(bytes)
    }

    /// Writes the description with the lines in the order of RFC 8866 §9, each ending in CR LF.
    #[must_use]
    pub fn write(&self) -> Bytes {
        super::write::description(self)
    }

    /// The connection of a medium: its own, else that of the session (RFC 8866 §5.7).
    #[must_use]
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// The direction of a medium: its own, else that of the session, else `sendrecv` (RFC 8866 §6.7).
    #[must_use]
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or_default()
    }

    /// Whether RTCP may be sent for this medium: false when both RTCP bandwidths are 0 (RFC 3556 §2).
    #[must_use]
    pub fn wants_rtcp(&self, media: &Media) -> bool {
        let senders = media.rtcp_senders.or(self.rtcp_senders);
        let receivers = media.rtcp_receivers.or(self.rtcp_receivers);
        (senders, receivers) != (Some(0), Some(0))
    }
}

/// `o=`: who made the description and which version of it this is (RFC 8866 §5.2).
///
/// Numbers stay text: real ones have 20 digits, letters, or are missing, and we only ever compare them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `-` when there is none.
    pub user: String,
    /// The same for the whole session.
    pub session_id: String,
    /// Rises by one with each change.
    pub version: String,
    /// Where it was made. Says nothing about where the sound goes.
    pub address: String,
}

impl Default for Origin {
    fn default() -> Self {
        Origin { user: "-".into(), session_id: "0".into(), version: "0".into(), address: "0.0.0.0".into() }
    }
}

/// `c=`: where to send (RFC 8866 §5.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// An address, IPv4 or IPv6; `0.0.0.0` and `::` mean "send nothing" (RFC 3264 §8.4).
    Ip(IpAddr),
    /// A name, or a network type that is not `IN`: the three words of the line, as written.
    Other(String),
}

/// Who sends, as the side that says it sees it (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// It sends and does not want to receive: hold with music.
    SendOnly,
    /// It receives and does not send.
    RecvOnly,
    /// Neither: hold.
    Inactive,
}

impl Direction {
    /// From "does it send" and "does it receive".
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether the side that says it sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the side that says it wants to receive.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same stream seen from the other end.
    #[must_use]
    pub const fn reversed(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Direction) -> Direction {
        Direction::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| direction.name().eq_ignore_ascii_case(name))
    }
}

/// The first word of `m=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaKind {
    /// The only one we take part in.
    Audio,
    /// Anything else, as written: `video`, `image` (T.38), `text`, `application`, `message`.
    Other(String),
}

impl MediaKind {
    /// The word as it is written.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            MediaKind::Audio => "audio",
            MediaKind::Other(name) => name,
        }
    }
}

/// One `m=` with the lines below it (RFC 8866 §5.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Audio or not.
    pub kind: MediaKind,
    /// Where RTP goes; 0 means refused or ended (RFC 3264 §6).
    pub port: u16,
    /// Transport, as written: `RTP/AVP`.
    pub protocol: String,
    /// In the order of preference of who wrote it. Never empty after [`Description::parse`].
    pub formats: Vec<Format>,
    /// `c=` below this `m=`.
    pub connection: Option<Connection>,
    /// Direction attribute below this `m=`.
    pub direction: Option<Direction>,
    /// `a=ptime`: milliseconds of sound per packet the writer would like to receive.
    pub ptime: Option<u8>,
    /// `a=maxptime`: the most milliseconds per packet the writer can receive.
    pub max_ptime: Option<u8>,
    /// `a=rtcp` (RFC 3605): RTCP is not at the next port.
    pub rtcp: Option<Rtcp>,
    /// `a=rtcp-mux` (RFC 5761): RTCP shares the RTP port.
    pub rtcp_mux: bool,
    /// `b=RS:` in bit/s.
    pub rtcp_senders: Option<u32>,
    /// `b=RR:` in bit/s.
    pub rtcp_receivers: Option<u32>,
    /// `a=crypto` lines, in their order.
    pub crypto: Vec<Crypto>,
    /// Attributes without a field here, in their order.
    pub attributes: Vec<Attribute>,
}

impl Media {
    /// A medium with nothing below its `m=` line.
    #[must_use]
    pub fn new(kind: MediaKind, port: u16, protocol: &str, formats: Vec<Format>) -> Media {
        Media {
            kind,
            port,
            protocol: protocol.to_owned(),
            formats,
            connection: None,
            direction: None,
            ptime: None,
            max_ptime: None,
            rtcp: None,
            rtcp_mux: false,
            rtcp_senders: None,
            rtcp_receivers: None,
            crypto: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The refusal of this medium: same kind, transport and formats, port 0 (RFC 3264 §6), and its name if it has one,
    /// without which browsers do not take the answer (RFC 9429 §5.3.1).
    #[must_use]
    pub fn refused(&self) -> Media {
        let formats = self.formats.iter().map(|format| Format::bare(&format.name)).collect();
        let mid = self.attributes.iter().filter(|attribute| attribute.name == "mid").take(1).cloned();
        let attributes = mid.collect();
        Media { attributes, ..Media::new(self.kind.clone(), 0, &self.protocol, formats) }
    }
}

/// One entry of the format list with what `a=rtpmap` and `a=fmtp` say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// As written: a payload number, or a word such as `t38`.
    pub name: String,
    /// `a=rtpmap`; absent for static numbers and foreign transports.
    pub encoding: Option<Encoding>,
    /// `a=fmtp`: what follows the number.
    pub parameters: Option<String>,
}

impl Format {
    /// A format of which only the name is known.
    #[must_use]
    pub fn bare(name: &str) -> Format {
        Format { name: name.to_owned(), encoding: None, parameters: None }
    }

    /// The RTP payload number, 0 to 127; `None` if the format is not one.
    #[must_use]
    pub fn payload_type(&self) -> Option<u8> {
        self.name.parse().ok().filter(|&number| number < 128)
    }
}

/// `a=rtpmap`: what a payload number means (RFC 8866 §6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// Encoding name; compare without regard to case.
    pub name: String,
    /// In Hz.
    pub clock_rate: u32,
    /// 1 when not written.
    pub channels: u8,
}

/// `a=rtcp`: where RTCP goes (RFC 3605).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rtcp {
    /// The port, on the address of RTP unless `address` says otherwise.
    pub port: u16,
    /// Another address than that of `c=`.
    pub address: Option<IpAddr>,
}

/// The value of an `a=crypto` (RFC 4568 §9.1). It holds a key, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Crypto(pub String);

impl std::fmt::Debug for Crypto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Crypto(..)")
    }
}

/// An attribute we keep but do not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Up to the colon.
    pub name: String,
    /// After the colon; `None` for a property attribute.
    pub value: Option<String>,
}
