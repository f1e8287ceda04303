//! Session descriptions (RFC 8866) and offer/answer (RFC 3264).
//!
//! [`Description`] is what a description says, [`Negotiation`] what two ends make of two of them, [`Stream`] the result
//! the engine works with. Reading is generous, writing strict.

mod association;
mod crypto;
mod description;
mod error;
mod far_end;
mod offer_answer;
mod payload;
mod read;
mod security;
mod stream;
mod write;

pub use association::IceCredentials;
pub use description::{
    Attribute, Connection, Crypto, Description, Direction, Encoding, Format, Media, MediaKind, Origin, Rtcp,
};
pub use error::{NegotiationError, SdpError};
pub use offer_answer::Negotiation;
pub use read::{MAX_BYTES, MAX_FORMATS, MAX_LINES, MAX_MEDIA};
pub use stream::{Dtls, Keys, Policy, Srtp, Stream, Tones};
