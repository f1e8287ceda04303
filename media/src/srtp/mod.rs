//! SRTP and SRTCP (RFC 3711) where the packets lie: nothing is copied, nothing is allocated per packet.
//!
//! [`Sender`] protects what we send, [`Receiver`] checks and opens what comes; each has one master key. Nothing is
//! remembered of a packet before its tag has been found right, so forged ones cost time but no memory.

mod counter;
mod gcm;
mod key;
mod receiver;
mod sender;
mod session;
mod suite;
mod window;

pub use key::{MasterKey, PeerKey};
pub use receiver::Receiver;
pub use sender::Sender;
pub use suite::Suite;
pub use window::SOURCES;

/// Bytes by which a packet grows at most: the longest tag, and the index of SRTCP.
pub const GROWTH: usize = 16 + 4;

/// The E flag of SRTCP: encrypted (RFC 3711 §3.4).
const ENCRYPTED: u32 = 1 << 31;
/// Bytes at the beginning of SRTCP that stay readable.
const RTCP_CLEAR: usize = 8;

/// Why a packet was not opened. The peer's fault, or somebody's who is not the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// Shorter than its header and tag together.
    #[error("the packet is too short to be protected")]
    Truncated,
    /// Its index has come already, or lies too far back to tell (RFC 3711 §3.3.2).
    #[error("the packet has come before")]
    Replayed,
    /// The tag is not that of this key: another key, another suite, or a forgery.
    #[error("the packet's tag is wrong")]
    Unauthentic,
    /// SRTCP without encryption, which nobody has agreed to (RFC 3711 §3.4, E flag).
    #[error("the packet is not encrypted")]
    Unencrypted,
}
