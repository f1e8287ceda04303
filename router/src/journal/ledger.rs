//! The fold over all facts of the node: live records, queue sums, agents' wishes, closed queues.
//!
//! The writer keeps one beside the file and saves it now and then as a checkpoint, so that a start reads a checkpoint
//! and the few batches after it, not the whole journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fact::{Fact, Micros, What, Wish};
use crate::{
    callbacks::Callbacks,
    lost_places::LostPlaces,
    record::{Record, Records},
    sums::Sums,
};

/// Everything the journal says, up to one fact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The last fact taken in; 0 before the first.
    pub last_seq: u64,
    /// The latest date of any fact.
    pub last_at: Micros,
    /// The latest start of the process.
    pub last_run: Micros,
    /// Calls without an end.
    pub records: Records,
    /// What went into the queues and came out.
    pub sums: Sums,
    /// What was last asked of each agent.
    pub wishes: BTreeMap<String, Wish>,
    /// Queues that were closed by hand.
    #[serde(default)]
    pub closed: BTreeSet<String>,
    /// Places of callers whom we cut off.
    #[serde(default)]
    pub lost_places: LostPlaces,
    /// Customers who are to be called back.
    #[serde(default)]
    pub callbacks: Callbacks,
}

impl Ledger {
    /// Takes in the next fact; returns the finished record if it was a call's end. A fact that is already in it
    /// changes nothing.
    pub fn apply(&mut self, fact: &Fact) -> Option<Record> {
        if fact.seq <= self.last_seq {
            return None;
        }
        self.last_seq = fact.seq;
        self.last_at = self.last_at.max(fact.at);
        self.last_run = self.last_run.max(fact.call.map_or(0, |call| call.run));
        match &fact.what {
            What::Started { .. } => self.last_run = self.last_run.max(fact.at),
            What::Wished { agent, wish, .. } => {
                self.wishes.insert(agent.clone(), *wish);
            }
            What::QueueSwitched { queue, closed: true, .. } => _ = self.closed.insert(queue.clone()),
            What::QueueSwitched { queue, closed: false, .. } => _ = self.closed.remove(queue),
            _ => self.sums.apply(fact),
        }
        self.callbacks.apply(fact);
        self.lost_places.apply(fact, &self.records);
        self.records.apply(fact)
    }
}
