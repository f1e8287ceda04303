//! A router that takes its time: every message costs some, and what comes meanwhile waits as it does in the driver.

use std::time::{Duration, Instant};

use sip_core::backlog::Backlog;

/// What the router's work costs, in time of its only thread.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Each message read.
    pub read: Duration,
    /// Each message sent.
    pub sent: Duration,
    /// Each leg with sound opened: port, description, record.
    pub leg: Duration,
}

/// The router's desk.
pub(super) struct Toil {
    pub(super) backlog: Backlog,
    cost: Cost,
    /// When the work at hand is done.
    free_at: Instant,
}

impl Toil {
    pub(super) fn new(cost: Cost, patience: Duration, now: Instant) -> Toil {
        Toil { backlog: Backlog::new(patience), cost, free_at: now }
    }

    /// When the next message is handled.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        (!self.backlog.is_empty()).then(|| self.free_at.max(now))
    }

    /// So much was done at `now`.
    pub(super) fn spend(&mut self, now: Instant, read: u32, sent: u32, legs: u32) {
        let cost = self.cost.read * read + self.cost.sent * sent + self.cost.leg * legs;
        self.free_at = self.free_at.max(now) + cost;
    }
}
