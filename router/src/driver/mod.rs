//! Threads, sockets, clocks and files: all that the pure parts must not touch.
#![allow(clippy::disallowed_methods)]

pub mod admin;
mod call_file;
mod capped;
pub mod graph;
mod journal_retention;
pub mod journal_store;
mod journal_talks;
pub mod journal_writer;
mod open;
pub mod question;
pub mod recordings;
pub mod recordings_folder;
pub mod run;
pub mod shard_thread;
mod tls;
