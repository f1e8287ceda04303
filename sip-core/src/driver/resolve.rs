//! Names to addresses: A and AAAA by the system's resolver, on helper threads.

use super::DriverSettings;
use super::counters::Tally;
use super::sockets::Arrival;
use crate::endpoint::{Input, ResolveId};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout};

/// Look-ups the system's resolver does at one time: each blocks a helper thread, for many seconds if DNS is down.
const THREADS: usize = 8;
/// Names remembered at one time; one more is looked up each time.
const REMEMBERED: usize = 1_024;

/// Looks names up, each only once at a time, and remembers the good answers for a while.
pub(super) struct Resolver {
    waiting: HashMap<String, Vec<(ResolveId, u16)>>,
    remembered: HashMap<String, (Instant, Vec<IpAddr>)>,
    threads: Arc<Semaphore>,
    max_lookups: usize,
    keep: Duration,
    limit: Duration,
    to_inbox: Sender<Arrival>,
    tally: Arc<Tally>,
}

impl Resolver {
    pub(super) fn new(settings: &DriverSettings, to_inbox: Sender<Arrival>, tally: Arc<Tally>) -> Resolver {
        Resolver {
            waiting: HashMap::new(),
            remembered: HashMap::new(),
            threads: Arc::new(Semaphore::new(THREADS)),
            max_lookups: settings.max_lookups,
            keep: settings.resolve_cache,
            limit: settings.resolve_timeout,
            to_inbox,
            tally,
        }
    }

    /// Answers at once into `ready`, or later: then with the task that looks up, if none does already.
    pub(super) fn resolve(
        &mut self,
        id: ResolveId,
        host: &str,
        port: u16,
        ready: &mut Vec<Input>,
    ) -> Option<impl Future<Output = ()> + use<>> {
        if let Some(known) = self.known(host) {
            ready.push(answer(id, port, &known));
            return None;
        }
        let host = host.to_ascii_lowercase();
        if let Some(others) = self.waiting.get_mut(&host) {
            others.push((id, port));
            return None;
        }
        if self.waiting.len() >= self.max_lookups {
            self.tally.lookups_failed.add_one();
            ready.push(answer(id, port, &[]));
            return None;
        }
        self.tally.lookups.add_one();
        self.waiting.insert(host.clone(), vec![(id, port)]);
        Some(look_up(host, self.threads.clone(), self.limit, self.to_inbox.clone()))
    }

    fn known(&self, host: &str) -> Option<Vec<IpAddr>> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse() {
            return Some(vec![ip]);
        }
        let (until, found) = self.remembered.get(&host.to_ascii_lowercase())?;
        (*until > Instant::now()).then(|| found.clone())
    }

    /// A look-up has ended, well or not: all who wait for the name get it.
    pub(super) fn finish(&mut self, host: &str, found: Vec<IpAddr>, into: &mut Vec<Input>) {
        for (id, port) in self.waiting.remove(host).unwrap_or_default() {
            into.push(answer(id, port, &found));
        }
        if found.is_empty() {
            self.tally.lookups_failed.add_one();
            return;
        }
        let now = Instant::now();
        if self.remembered.len() >= REMEMBERED {
            self.remembered.retain(|_, (until, _)| *until > now);
        }
        if self.remembered.len() < REMEMBERED && !self.keep.is_zero() {
            self.remembered.insert(host.to_owned(), (now + self.keep, found));
        }
    }
}

fn answer(id: ResolveId, port: u16, found: &[IpAddr]) -> Input {
    Input::Resolved { id, addresses: found.iter().map(|ip| SocketAddr::new(*ip, port)).collect() }
}

/// Waits for a thread, then for the answer; after `limit` there is none, whatever the thread still does.
async fn look_up(host: String, threads: Arc<Semaphore>, limit: Duration, to_inbox: Sender<Arrival>) {
    let name = host.clone();
    let asked = timeout(limit, async move {
        let thread = threads.acquire_owned().await.ok()?;
        let blocking = tokio::task::spawn_blocking(move || {
            let _thread = thread; // held until the resolver returns, not until we give up
            (name.as_str(), 0).to_socket_addrs().map(distinct)
        });
        blocking.await.ok()?.ok()
    });
    let found = asked.await.ok().flatten().unwrap_or_default();
    let _ = to_inbox.send(Arrival::LookedUp { host, found }).await; // fails only when all is being dropped
}

/// The addresses in the order given, each once: the system gives each per kind of socket.
fn distinct(addresses: impl Iterator<Item = SocketAddr>) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for address in addresses {
        if !found.contains(&address.ip()) {
            found.push(address.ip());
        }
    }
    found
}
