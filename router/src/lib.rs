//! Fernamt's deciding part: calls, flows, queues, agents, configuration, journal.
#![forbid(unsafe_code)]

#[cfg(feature = "driver")]
pub mod command;
pub mod config;
#[cfg(feature = "driver")]
pub mod driver;
pub mod journal;
pub mod metrics;
pub mod record;
pub mod service;
pub mod status;
pub mod sums;
