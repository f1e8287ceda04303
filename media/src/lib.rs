//! Sound without SIP: session descriptions, RTP, prompts and DTMF.
//!
//! Everything here is a machine: bytes, commands and the time go in, outputs and the next deadline come out. Sockets,
//! clocks and threads live in `driver` only.

pub mod codec;
pub mod prompt;
pub mod sdp;
pub mod tone;
pub mod wav;

pub use codec::Codec;
pub use prompt::{Prompt, PromptError};
pub use sdp::{Direction, Negotiation, NegotiationError, Policy, Stream};
