//! Fernamt's deciding part: calls, flows, queues, agents, configuration, journal.
#![forbid(unsafe_code)]

pub mod journal;
