//! Names that lead nowhere, or not as they should: told to whoever runs the router, and counted.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sip_core::{PeerId, Trouble};
use tracing::warn;

use super::Switchboard;
use crate::config::TrunkId;

/// The same is told of the same name only so often, however many calls it costs.
const QUIET: Duration = Duration::from_secs(60);
/// Names of which it is known when they were told of; a stranger's Contact may name any number of them.
const MOST: usize = 256;

/// What was told of which name, and how often something went wrong.
#[derive(Debug, Default)]
pub(super) struct NameTroubles {
    counts: BTreeMap<&'static str, u64>,
    told: BTreeMap<(String, &'static str), Instant>,
}

impl NameTroubles {
    /// By what went wrong, since the start of the process.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.clone()
    }

    /// Counts it, and says whether it is to be told.
    fn note(&mut self, now: Instant, name: &str, trouble: &Trouble) -> bool {
        *self.counts.entry(trouble.name()).or_default() += 1;
        let key = (name.to_owned(), trouble.name());
        if self.told.get(&key).is_some_and(|told| now < *told + QUIET) {
            return false;
        }
        if self.told.len() >= MOST {
            self.told.retain(|_, told| now < *told + QUIET);
        }
        if self.told.len() >= MOST {
            return false;
        }
        self.told.insert(key, now);
        true
    }
}

impl Switchboard {
    /// A name led to `found` addresses, and something is wrong with it.
    pub(super) fn name_trouble(&mut self, peer: Option<PeerId>, name: &str, trouble: Trouble, found: usize) {
        if self.name_troubles.note(self.now, name, &trouble) {
            let trunk = peer.map(|peer| self.trunk_name(TrunkId::from(peer)));
            warn!(trunk, name, addresses = found, "a name leads wrong: {trouble}; {}", trouble.cure());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // any instant: from here on time is ours
    fn a_dead_name_is_counted_every_time_and_told_once_a_minute() {
        let (mut troubles, start) = (NameTroubles::default(), Instant::now());
        let mut told = 0;
        for second in 0..=120 {
            let now = start + Duration::from_secs(second);
            told += u64::from(troubles.note(now, "sbc.example.com", &Trouble::NoAnswer));
        }
        assert_eq!((told, troubles.counts()["no-answer"]), (3, 121));
        assert!(troubles.note(start, "sbc.example.com", &Trouble::NoSuchName), "another trouble is news");
        for name in 0..1_000 {
            troubles.note(start, &name.to_string(), &Trouble::NoSuchName);
        }
        assert!(troubles.told.len() <= MOST);
    }
}
