//! Whether new calls are taken: one word, read by `/readyz`, OPTIONS and the shards alike, so that they never disagree.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
};

use serde::{Deserialize, Serialize};

/// What the node says to those who ask whether it takes calls. The most lasting reason comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// New calls are taken.
    Open,
    /// The process has not finished starting.
    Starting,
    /// It is about to end: calls in progress go on, no new ones.
    Draining,
    /// Full for the moment.
    Overloaded,
    /// The journal cannot be written.
    NoJournal,
    /// No call can come: every trunk that would bring one needs a registration at its carrier, and has none.
    Unregistered,
}

/// The word itself; clones share it. Each reason is set by whoever knows it.
#[derive(Debug, Clone)]
pub struct ServiceState(Arc<AtomicU8>);

const STARTING: u8 = 1;
const DRAINING: u8 = 2;
const NO_JOURNAL: u8 = 4;
const OVERLOADED: u8 = 8;
const UNREGISTERED: u8 = 16;

impl Default for ServiceState {
    fn default() -> ServiceState {
        ServiceState(Arc::new(AtomicU8::new(STARTING)))
    }
}

impl ServiceState {
    /// A node that is starting.
    pub fn starting() -> ServiceState {
        ServiceState::default()
    }

    /// Listeners, flows and journal are there: calls may come. Said once, by the driver.
    pub fn started(&self) {
        self.set(STARTING, false);
    }

    /// The node drains; there is no way back.
    pub fn drain(&self) {
        self.set(DRAINING, true);
    }

    /// The shard is full, or no longer.
    pub fn overloaded(&self, now: bool) {
        self.set(OVERLOADED, now);
    }

    /// The journal fails, or works again. Said by its writer.
    pub fn journal_failed(&self, now: bool) {
        self.set(NO_JOURNAL, now);
    }

    /// No carrier that must know us does, or one does again.
    pub fn unregistered(&self, now: bool) {
        self.set(UNREGISTERED, now);
    }

    /// What holds now.
    pub fn get(&self) -> Service {
        match self.0.load(SeqCst) {
            0 => Service::Open,
            bits if bits & DRAINING != 0 => Service::Draining,
            bits if bits & STARTING != 0 => Service::Starting,
            bits if bits & NO_JOURNAL != 0 => Service::NoJournal,
            bits if bits & OVERLOADED != 0 => Service::Overloaded,
            _ => Service::Unregistered,
        }
    }

    fn set(&self, reason: u8, holds: bool) {
        match holds {
            true => self.0.fetch_or(reason, SeqCst),
            false => self.0.fetch_and(!reason, SeqCst),
        };
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::Open => "open",
            Service::Starting => "starting",
            Service::Draining => "draining: calls in progress go on, no new ones are taken",
            Service::Overloaded => "overloaded: no new calls for the moment",
            Service::Unregistered => {
                "unregistered: no carrier that is to bring calls knows us (`fernamt status` says why)"
            }
            Service::NoJournal => "no journal: it cannot be written (disk full, database locked?)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_open_only_while_no_reason_holds_and_draining_outlasts_every_other_reason() {
        let state = ServiceState::starting();
        assert_eq!(state.get(), Service::Starting);
        state.started();
        assert_eq!(state.get(), Service::Open);
        state.overloaded(true);
        state.journal_failed(true);
        assert_eq!(state.get(), Service::NoJournal);
        state.journal_failed(false);
        assert_eq!(state.get(), Service::Overloaded);
        state.drain();
        state.overloaded(false);
        assert_eq!(state.get(), Service::Draining);
    }
}
