//! The journal: facts in, records and reports out (design §8).
//!
//! Shards [`append`](Journal::append) facts; the writer thread takes them in order and commits them. Between the two
//! lies the [`spill`]: all the memory that facts may take while the disk cannot.

pub mod fact;
mod handle;
mod ledger;
mod recording;
pub mod spill;
mod transfer;
mod words;

pub use handle::{BATCH, Journal, JournalCounters, Written};
pub use ledger::Ledger;
pub use spill::{Entry, Spill, Weight};
