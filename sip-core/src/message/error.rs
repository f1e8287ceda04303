//! Why a message was refused, and what to answer (RFC 3261 §21.4).

use super::StatusCode;

/// Why a message was refused. Always the peer's fault; our own mistakes are `debug_assert!`s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The first line is neither a request line nor a status line (RFC 3261 §7.1, §7.2).
    #[error("not a SIP message")]
    NotSip,
    /// A header that must be there is not (RFC 3261 §8.1.1).
    #[error("missing {header} header field")]
    Missing {
        /// The full name of the header.
        header: &'static str,
    },
    /// A header that may come once came again (RFC 3261 §7.3.1).
    #[error("more than one {header} header field")]
    Repeated {
        /// The full name of the header.
        header: &'static str,
    },
    /// A part does not follow its grammar (RFC 3261 §25.1).
    #[error("malformed {part} at byte {offset}: expected {expected}")]
    Malformed {
        /// The header's full name, or `Request-Line`, `Request-URI`, `header field`, `URI`.
        part: &'static str,
        /// Bytes from the start of the part; for `header field` from the start of the message.
        offset: usize,
        /// What should have stood there.
        expected: &'static str,
    },
    /// A part is longer than [`Limits`](super::Limits) allow.
    #[error("{part} has {len} bytes, the limit is {limit}")]
    TooLong {
        /// `message` or `header field name`.
        part: &'static str,
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// There are more of these than [`Limits`](super::Limits) allow.
    #[error("more than {limit} {part}")]
    TooMany {
        /// `header fields` or `Via values`.
        part: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The datagram ends before the body that Content-Length promises (RFC 3261 §18.3).
    #[error("body of {promised} bytes promised, {got} received")]
    Truncated {
        /// What Content-Length says.
        promised: u64,
        /// Bytes behind the blank line.
        got: usize,
    },
}

impl ParseError {
    /// The status that answers a request with this fault; `None` when silence is right.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            ParseError::NotSip => None,
            ParseError::Missing { .. }
            | ParseError::Repeated { .. }
            | ParseError::Malformed { .. }
            | ParseError::TooMany { .. }
            | ParseError::Truncated { .. } => Some(StatusCode::BAD_REQUEST),
            ParseError::TooLong { .. } => Some(StatusCode::MESSAGE_TOO_LARGE),
        }
    }

    /// A short name of the class of fault, for counters.
    pub fn class(&self) -> &'static str {
        match self {
            ParseError::NotSip => "not_sip",
            ParseError::Missing { .. } => "missing",
            ParseError::Repeated { .. } => "repeated",
            ParseError::Malformed { .. } => "malformed",
            ParseError::TooLong { .. } => "too_long",
            ParseError::TooMany { .. } => "too_many",
            ParseError::Truncated { .. } => "truncated",
        }
    }
}
