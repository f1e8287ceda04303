//! Fernamt's deciding part: calls, flows, queues, agents, configuration, journal.
#![forbid(unsafe_code)]

pub mod agents;
pub mod call;
pub mod callbacks;
pub mod callers;
pub mod certificates;
pub mod clock;
#[cfg(feature = "driver")]
pub mod command;
pub mod config;
pub mod credit;
#[cfg(feature = "driver")]
pub mod driver;
pub mod estimate;
pub mod journal;
pub mod keys;
pub mod lines;
pub mod log;
pub mod lost_places;
pub mod manifest;
mod media_command;
pub mod metrics;
pub mod presence;
pub mod prompts;
pub mod reason;
pub mod record;
pub mod recording;
pub mod registrar;
pub mod registration;
pub mod service;
pub mod shard;
pub mod simulate;
pub mod speech;
pub mod staff;
pub mod standing;
pub mod status;
pub mod sums;
pub mod trunks;
