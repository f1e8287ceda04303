//! Why a description or an exchange was refused, and what to answer.

use super::description::{Description, Media};
use super::read::{MAX_BYTES, MAX_FORMATS, MAX_LINES, MAX_MEDIA};
use crate::Codec;

/// Why a body is not a session description. Always the peer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// More bytes than [`MAX_BYTES`].
    #[error("the session description has {0} bytes, the limit is {MAX_BYTES}")]
    TooLong(usize),
    /// More lines than [`MAX_LINES`].
    #[error("the session description has more than {MAX_LINES} lines")]
    TooManyLines,
    /// More media than [`MAX_MEDIA`].
    #[error("the session description has more than {MAX_MEDIA} m= lines")]
    TooManyMedia,
    /// More formats in one `m=` than [`MAX_FORMATS`].
    #[error("line {line}: m= lists more than {MAX_FORMATS} formats")]
    TooManyFormats {
        /// From 1.
        line: usize,
    },
    /// It does not start with `v=0`.
    #[error("line {line}: expected v=0")]
    Version {
        /// From 1.
        line: usize,
    },
    /// A line that must be right is not.
    #[error("line {line}: expected {expected}")]
    Malformed {
        /// From 1.
        line: usize,
        /// What should be there.
        expected: &'static str,
    },
}

impl SdpError {
    /// The SIP status a request with such a body gets: 400, or 413 when it is only too big (RFC 3261 §21.4).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            SdpError::TooLong(_)
            | SdpError::TooManyLines
            | SdpError::TooManyMedia
            | SdpError::TooManyFormats { .. } => 413,
            SdpError::Version { .. } | SdpError::Malformed { .. } => 400,
        }
    }
}

/// Why offer and answer left nothing to send, or came at the wrong moment. What was agreed before still holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// Not a session description.
    #[error(transparent)]
    Unreadable(#[from] SdpError),
    /// No audio, or only audio with port 0.
    #[error("no audio that is open: {offered}")]
    NoAudio {
        /// What there was instead, for the reader of a log.
        offered: String,
    },
    /// Audio over a transport we do not speak.
    #[error("{protocol} is not supported; RTP/AVP and RTP/SAVP are, also with F")]
    Transport {
        /// As the peer wrote it.
        protocol: String,
    },
    /// SRTP, which is off.
    #[error("{protocol} is encrypted, and SRTP is off here; RTP/AVP would be taken")]
    Encrypted {
        /// As the peer wrote it.
        protocol: String,
    },
    /// No key, and SRTP is required, by us or by the transport.
    #[error("{protocol} came without a=crypto, and SRTP is required")]
    NotEncrypted {
        /// As the peer wrote it.
        protocol: String,
    },
    /// Keys, none of them of use (RFC 4568 §7.1.2).
    #[error("no a=crypto line can be used: {theirs}")]
    NoUsableKey {
        /// What is wrong with each, without the keys.
        theirs: String,
    },
    /// ICE and DTLS, with something missing that they need.
    #[error("ICE and DTLS cannot be agreed: {why}")]
    NoAssociation {
        /// What.
        why: &'static str,
    },
    /// None of the peer's formats is among ours.
    #[error("no codec in common: the far end has {theirs}, we have {}", Names(ours))]
    NoCommonCodec {
        /// Names or numbers, separated by blanks.
        theirs: String,
        /// What our policy allows.
        ours: Vec<Codec>,
    },
    /// `c=` is missing, a name, or of another family than our address.
    #[error("cannot send to {address}: {why}")]
    Address {
        /// As the peer wrote it; empty when there is none.
        address: String,
        /// What is wrong, and what would be right.
        why: &'static str,
    },
    /// `c=` is a multicast or broadcast address.
    #[error("{0} is not the address of one host")]
    Multicast(std::net::IpAddr),
    /// An offer came while ours is unanswered (RFC 3264 §4).
    #[error("an offer of ours is still without an answer")]
    Glare,
    /// An answer without an offer of ours.
    #[error("an answer came, but nothing was offered")]
    Unasked,
    /// The answer has not one `m=` for each of the offer's, in the same order (RFC 3264 §6).
    #[error("the answer does not fit the offer: {0}")]
    Mismatch(String),
    /// The answer refused our audio with port 0.
    #[error("the far end refused the audio (port 0)")]
    Refused,
}

impl NegotiationError {
    /// No medium that could be taken.
    pub(super) fn no_audio(offer: &Description) -> NegotiationError {
        let kind = |media: &Media| format!("m={} {}", media.kind.name(), media.port);
        let offered = match offer.media.as_slice() {
            [] => "there is no m= line".to_owned(),
            media => media.iter().map(kind).collect::<Vec<_>>().join(", "),
        };
        NegotiationError::NoAudio { offered }
    }

    /// The SIP status to refuse an offer with: 400 or 413 for what cannot be read, 491 for glare, else 488 (RFC 3261
    /// §13.3.1.3). An answer gets no response: acknowledge it and hang up, with this as the cause.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            NegotiationError::Unreadable(error) => error.status(),
            NegotiationError::Glare => 491,
            NegotiationError::NoAudio { .. }
            | NegotiationError::Transport { .. }
            | NegotiationError::Encrypted { .. }
            | NegotiationError::NotEncrypted { .. }
            | NegotiationError::NoUsableKey { .. }
            | NegotiationError::NoAssociation { .. }
            | NegotiationError::NoCommonCodec { .. }
            | NegotiationError::Address { .. }
            | NegotiationError::Multicast(_)
            | NegotiationError::Unasked
            | NegotiationError::Mismatch(_)
            | NegotiationError::Refused => 488,
        }
    }

    /// Code and text of the Warning header (RFC 3261 §20.43), for the failures it has a code for. The text has no
    /// quotes and no line ends.
    #[must_use]
    pub fn warning(&self) -> Option<(u16, String)> {
        let code = match self {
            NegotiationError::Address { .. } => 301,
            NegotiationError::Transport { .. }
            | NegotiationError::Encrypted { .. }
            | NegotiationError::NotEncrypted { .. } => 302,
            NegotiationError::NoUsableKey { .. } => 306,
            NegotiationError::NoAudio { .. } | NegotiationError::Refused => 304,
            NegotiationError::NoCommonCodec { .. } => 305,
            NegotiationError::Multicast(_) => 330,
            NegotiationError::Unreadable(_)
            | NegotiationError::Mismatch(_)
            | NegotiationError::NoAssociation { .. } => 399,
            NegotiationError::Glare | NegotiationError::Unasked => return None,
        };
        Some((code, quotable(&self.to_string())))
    }
}

/// Parts of the text come from the peer: nothing may end the quoted string or the header line early.
fn quotable(text: &str) -> String {
    let harmless = |c: char| if c.is_control() || c == '"' || c == '\\' { ' ' } else { c };
    text.chars().map(harmless).take(200).collect()
}

struct Names<'a>(&'a [Codec]);

impl std::fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, codec) in self.0.iter().enumerate() {
            write!(f, "{}{codec}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}
