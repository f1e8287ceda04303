//! Sound without SIP: session descriptions, RTP, prompts and DTMF.
//!
//! Everything here is a machine: bytes, commands and the time go in, outputs and the next deadline come out. Sockets,
//! clocks and threads live in `driver` only.

#![deny(unsafe_code)]

mod bridge;
mod cadence;
pub mod codec;
#[cfg(feature = "driver")]
pub mod driver;
pub mod dtmf;
pub mod engine;
mod leg;
mod player;
pub mod ports;
pub mod prompt;
pub mod quality;
mod recorder;
pub mod rtp;
pub mod sdp;
pub mod srtp;
#[cfg(test)]
mod testing;
pub mod tone;
pub mod wav;

pub use codec::Codec;
pub use dtmf::Digit;
pub use engine::{
    Command, Counters, Engine, Event, Forward, MediaLegKey, Output, PlayFrom, Recorded, RecordingEnd,
    Settings,
};
pub use leg::DeadAir;
pub use ports::PortPool;
pub use prompt::{Prompt, PromptError};
pub use rtp::LegStats;
pub use sdp::{Direction, Negotiation, NegotiationError, Policy, Stream};
