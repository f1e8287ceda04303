//! Names to addresses: a [`Directory`] whose questions are asked of DNS, each by a task of its own.

use super::counters::Tally;
use super::dns::Dns;
use super::sockets::Arrival;
use super::{DnsSettings, DriverSettings};
use crate::endpoint::{Input, ResolveId};
use crate::locate::{Answer, Directory, DirectorySettings, Output, Query, Reach};
use crate::transport::Target;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

/// The directory and whom it asks.
pub(super) struct Resolver {
    directory: Directory,
    dns: Dns,
    to_inbox: Sender<Arrival>,
    tally: Arc<Tally>,
}

impl Resolver {
    pub(super) fn new(settings: &DriverSettings, to_inbox: Sender<Arrival>, tally: Arc<Tally>) -> Resolver {
        let bounds = DirectorySettings {
            most_questions: settings.max_lookups,
            stale: settings.dns.stale,
            ..DirectorySettings::default()
        };
        let dns = Dns::new(settings.dns.clone());
        Resolver { directory: Directory::new(bounds), dns, to_inbox, tally }
    }

    pub(super) fn renew(&mut self, settings: DnsSettings) {
        self.directory.keep_stale_for(settings.stale);
        if self.dns.renew(settings) {
            self.directory.asks_others(Instant::now());
        }
    }

    /// Answers at once into `ready`, or when DNS has answered.
    pub(super) fn resolve(
        &mut self,
        id: ResolveId,
        wanted: (Target, Reach),
        random: u64,
        ready: &mut Vec<Input>,
        tasks: &mut JoinSet<()>,
    ) {
        let now = Instant::now();
        if self.dns.has_moved() {
            self.directory.asks_others(now);
        }
        self.directory.locate(now, id, wanted, random);
        self.carry_out(ready, tasks);
    }

    /// A question has its answer: all who wait for it go on.
    pub(super) fn answered(
        &mut self,
        query: &Query,
        answer: Answer,
        into: &mut Vec<Input>,
        tasks: &mut JoinSet<()>,
    ) {
        self.directory.answered(Instant::now(), query, answer);
        self.carry_out(into, tasks);
    }

    fn carry_out(&mut self, into: &mut Vec<Input>, tasks: &mut JoinSet<()>) {
        while let Some(output) = self.directory.poll_output() {
            match output {
                Output::Ask(query) => {
                    self.tally.lookups.add_one();
                    let (asked, to_inbox) = (self.dns.ask(&query), self.to_inbox.clone());
                    tasks.spawn(async move {
                        let answer = asked.await;
                        // Fails only when all is being dropped.
                        let _ = to_inbox.send(Arrival::LookedUp { query, answer }).await;
                    });
                }
                Output::Located { id, located } => {
                    if located.addresses.is_empty() {
                        self.tally.lookups_failed.add_one();
                    }
                    into.push(Input::Resolved { id, located });
                }
            }
        }
    }
}
