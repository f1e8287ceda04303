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
mod ear;
pub mod engine;
pub mod fingerprint;
mod leg;
mod mouth;
mod path;
mod player;
mod playlist;
pub mod ports;
pub mod prompt;
pub mod quality;
mod recorder;
pub mod room;
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
    Absence, Channel, Command, Counters, Engine, Event, Forward, MediaLegKey, Note, Output, PlayFrom,
    Recorded, RecordingEnd, Settings, Sides, Supervision, Title,
};
pub use leg::DeadAir;
pub use path::{Identity, IdentityError, PathError};
pub use player::Gain;
pub use playlist::Playlist;
pub use ports::PortPool;
pub use prompt::{Prompt, PromptError};
pub use rtp::LegStats;
pub use sdp::{Direction, Negotiation, NegotiationError, Policy, Stream};
