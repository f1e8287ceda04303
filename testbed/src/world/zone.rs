//! DNS on paper: the router's directory, and a zone that answers at once or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use router::shard::Input;
use sip_core::{
    ResolveId, Target, Trouble,
    locate::{Answer, Directory, DirectorySettings, Kind, Output, Query, Reach, Records},
};

use super::World;

/// What DNS says, and whether it does.
pub(super) struct Zone {
    directory: Directory,
    answers: BTreeMap<Query, Records>,
    dead: bool,
}

impl Default for Zone {
    fn default() -> Zone {
        Zone {
            directory: Directory::new(DirectorySettings::default()),
            answers: BTreeMap::new(),
            dead: false,
        }
    }
}

/// How long the answers of the zone are good for.
pub const TTL: Duration = Duration::from_secs(60);

impl World {
    /// DNS has these entries from now on.
    pub fn dns_says(&mut self, kind: Kind, name: &str, records: Records) {
        self.zone.answers.insert(Query::new(kind, name), records);
    }

    /// DNS does not answer any more, or does again.
    pub fn dns_is_dead(&mut self, dead: bool) {
        self.zone.dead = dead;
    }

    pub(super) fn look_up(&mut self, id: ResolveId, wanted: (Target, Reach), random: u64) {
        self.zone.directory.locate(self.now, id, wanted, random);
        while let Some(output) = self.zone.directory.poll_output() {
            match output {
                Output::Ask(query) => {
                    let found = match self.zone.answers.get(&query) {
                        _ if self.zone.dead => Err(Trouble::NoAnswer),
                        Some(records) => Ok(records.clone()),
                        None => Err(Trouble::NoSuchName),
                    };
                    self.zone.directory.answered(self.now, &query, Answer { found, ttl: Some(TTL) });
                }
                Output::Located { id, located } => {
                    let located = sip_core::Input::Resolved { id, located };
                    self.shard.handle_input(self.now, Input::Sip(located));
                }
            }
        }
    }
}
