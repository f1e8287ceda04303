//! What must hold for any bytes, one module per fuzz target; `testbed/tests/fuzz_corpus.rs` replays them.

pub mod config;
pub mod digest;
pub mod dtmf;
pub mod endpoint;
pub mod engine;
pub mod message;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sound;
pub mod srtp;
pub mod stream;
