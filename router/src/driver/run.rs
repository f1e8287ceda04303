//! `fernamt run`: from a configuration file to a running router, and back to nothing.

use std::{
    fmt::Display,
    io::{self, IsTerminal},
    net::TcpListener,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use media::{
    Identity,
    driver::{Worker, WorkerSettings},
};
use rand::{TryRngCore, rngs::OsRng};
use scheduler::{Capacity, Scheduler};
use sip_core::{Endpoint, Settings, driver::Sockets};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, mpsc},
};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use super::{
    admin::{self, Admin, AdminServer},
    graph::GraphClient,
    journal_writer::Restored,
    open::{Outside, open},
    question::questions,
    recordings::{Recordings, Store},
    shard_thread::{Order, ShardThread, utc_now},
};
use crate::{
    callers::Callers,
    clock::Clock,
    config::{self, Config, Names, Problems},
    lines::{self, Accepting},
    log,
    prompts::Prompts,
    service::ServiceState,
    shard::{Parts, Shard},
};

/// Exit code for a configuration that is refused, or a listener that cannot be opened.
const REFUSED: u8 = 2;
/// Agents and queues that a reload may add beside those of the start.
const ROOM_FOR_RELOADS: usize = 256;
/// Lines (steps of queues) that a reload may give one agent beyond the most that one served at the start.
const ROOM_FOR_LINES: usize = 32;
/// Signals under way at once.
const ORDERS: usize = 16;

/// Runs the router; returns when it has ended.
pub fn run(file: &Path) -> ExitCode {
    let mut names = Names::new();
    let config = match config::load(file, &mut names) {
        Ok(config) => config,
        Err(problems) => return refuse(problems),
    };
    start_log(&config);
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    match serve(file, Arc::new(config), names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refusal::Configuration(problems)) => refuse(problems),
        Err(Refusal::System(trouble)) => refuse(format_args!("{}: {trouble}\n", file.display())),
    }
}

fn refuse(why: impl Display) -> ExitCode {
    eprint!("{why}");
    ExitCode::from(REFUSED)
}

/// Why the router does not start.
enum Refusal {
    /// The configuration asks for what cannot be had.
    Configuration(Problems),
    /// The system has no more threads or descriptors.
    System(String),
}

fn start_log(config: &Config) {
    log::show_personal_data(config.log.personal_data);
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(config.log.level.name()));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}

fn serve(file: &Path, config: Arc<Config>, names: Names) -> Result<(), Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Refusal::System(format!("no runtime: {error}")))?;
    runtime.block_on(node(file.to_owned(), config, names))
}

/// The whole node on one thread, with the worker, the journal and the admin listener beside it.
async fn node(file: PathBuf, config: Arc<Config>, names: Names) -> Result<(), Refusal> {
    let service = ServiceState::starting();
    let Outside { sockets, admin: admin_listener, journal } =
        open(&config).map_err(Refusal::Configuration)?;
    let opened = journal.start(service.clone()).map_err(|error| {
        Refusal::Configuration(Problems(vec![config.problem("node.data_dir", error.to_string())]))
    })?;
    let (ask, asked) = questions();
    let admin = Admin {
        node: config.node.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: opened.restored.run,
        service: service.clone(),
        journal: opened.journal.clone(),
        shards: vec![ask],
    };
    let admin = admin_listener.map(|listener| start_admin(listener, admin)).transpose()?;
    let wake = Arc::new(Notify::new());
    let (recordings, store) = Recordings::start(config.voicemail.clone(), config.recordings.clone())
        .map_err(|error| Refusal::System(format!("no thread for recordings: {error}")))?;
    let graph = GraphClient::start()
        .map_err(|error| Refusal::System(format!("no thread that asks Graph: {error}")))?;
    let worker = start_worker(&config, &wake, store)?;
    let now = Instant::now();
    let clock = Clock::new(now, utc_now());
    let identity = Identity::generate().map_err(|error| Refusal::System(error.to_string()))?;
    let shard = Shard::new(parts(&config, &sockets, clock, opened.restored, identity), now);
    let (order, orders) = mpsc::channel(ORDERS);
    let room = capacity(&config);
    // Heard before we say that we run: whoever waits for that may send one at once.
    let heard = Heard::listen().map_err(|error| Refusal::System(format!("no signal handlers: {error}")))?;
    let signals = tokio::spawn(signals(heard, file, names, order, Arc::clone(&config), room));
    let sip = config.listen.sip.iter().map(|listener| format!("{}:{}", listener.transport, listener.local));
    info!(node = config.node.name, sip = sip.collect::<Vec<_>>().join(" "), admin = ?config.listen.admin, "running");
    let generation = config.generation;
    let journal = opened.journal;
    let thread = ShardThread {
        shard,
        sockets,
        worker,
        recordings: recordings.counters(),
        wake,
        journal,
        graph,
        questions: asked,
        orders,
        config,
        service,
        clock,
    };
    thread.run().await; // the worker is gone with it, and so is the store
    recordings.join();
    signals.abort();
    if let Some(admin) = admin {
        admin.stop();
    }
    if !opened.writer.stop(utc_now(), generation) {
        error!("the journal could not be written to its end");
    }
    info!("stopped");
    Ok(())
}

fn start_admin(listener: TcpListener, admin: Admin) -> Result<AdminServer, Refusal> {
    admin::serve(listener, admin).map_err(|error| Refusal::System(format!("no admin listener: {error}")))
}

fn start_worker(config: &Config, wake: &Arc<Notify>, store: Store) -> Result<Worker, Refusal> {
    let wake = Arc::clone(wake);
    // A call has two legs, and a leg at most a handful of commands under way: room is reserved for all of them, so that
    // no bridge and no close can be refused.
    let legs = config.limits.max_calls as usize * 3;
    let settings = WorkerSettings {
        silence_timeout: config.media.silence_timeout,
        max_legs: legs,
        commands: legs * 8 + 1_024,
        events: legs * 8 + 1_024,
        ..WorkerSettings::new(rand::random())
    };
    Worker::spawn_recording(settings, Box::new(move || wake.notify_one()), store)
        .map_err(|error| Refusal::System(format!("no media worker: {error}")))
}

fn parts(
    config: &Arc<Config>,
    sockets: &Sockets,
    clock: Clock,
    restored: Restored,
    identity: Identity,
) -> Parts {
    let calls = config.limits.max_calls as usize;
    let mut settings = Settings::new(seed(), sockets.listeners());
    // A finished leg lingers 32 s (timers H, I, J: RFC 3261 §17), so there are many more of them than calls at once.
    settings.max_legs = settings.max_legs.max(calls * 8);
    settings.max_transactions = settings.max_transactions.max(calls * 32);
    let mut callers = Callers::default();
    callers.recall(&restored.met, config);
    Parts {
        owner: 0,
        seed: seed(),
        clock,
        run: restored.run,
        sip: Endpoint::new(settings),
        scheduler: Arc::new(Scheduler::new(capacity(config))),
        config: Arc::clone(config),
        prompts: Arc::new(Prompts::of(config)),
        wishes: restored.wishes,
        closed: restored.closed,
        sums: restored.sums,
        callers,
        lost_places: restored.lost_places,
        callbacks: restored.callbacks,
        identity,
    }
}

fn capacity(config: &Config) -> Capacity {
    let with_room = |count: usize| u32::try_from(count + ROOM_FOR_RELOADS).unwrap_or(u32::MAX);
    Capacity {
        callers: config.limits.max_calls,
        agents: with_room(config.agents().count()),
        lines: lines::count(with_room(config.queues().count()), with_room(config.agents().count())),
        memberships: (Accepting::by(config).most_served(config) + ROOM_FOR_LINES) as u32,
    }
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).expect("the system has randomness");
    seed
}

/// SIGHUP reloads, SIGTERM and the first SIGINT drain, the second SIGINT ends at once.
async fn signals(
    mut heard: Heard,
    file: PathBuf,
    mut names: Names,
    order: mpsc::Sender<Order>,
    mut config: Arc<Config>,
    room: Capacity,
) {
    loop {
        let next = match heard.next_order().await {
            Some(order) => Some(order),
            None => reload_aside(&file, &mut names, &config, &room).await.map(|fresh| {
                config = Arc::clone(&fresh);
                let prompts = Arc::new(Prompts::of(&fresh));
                Order::Reload(fresh, prompts)
            }),
        };
        if let Some(next) = next
            && order.send(next).await.is_err()
        {
            return;
        }
    }
}

/// The signals that we act on.
struct Heard {
    hup: Signal,
    term: Signal,
    int: Signal,
    interrupted: bool,
}

impl Heard {
    fn listen() -> io::Result<Heard> {
        Ok(Heard {
            hup: signal(SignalKind::hangup())?,
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            interrupted: false,
        })
    }

    /// `None` is SIGHUP.
    async fn next_order(&mut self) -> Option<Order> {
        tokio::select! {
            _ = self.hup.recv() => None,
            _ = self.term.recv() => Some(Order::Drain),
            _ = self.int.recv() => match std::mem::replace(&mut self.interrupted, true) {
                false => Some(Order::Drain),
                true => Some(Order::End),
            },
        }
    }
}

/// Reloads on a thread of its own: music takes seconds to be decoded, and calls go on meanwhile.
async fn reload_aside(
    file: &Path,
    names: &mut Names,
    old: &Arc<Config>,
    room: &Capacity,
) -> Option<Arc<Config>> {
    let (file, mut grown, old, room) = (file.to_owned(), names.clone(), Arc::clone(old), *room);
    let reloaded = tokio::task::spawn_blocking(move || {
        let fresh = reload(&file, &mut grown, &old, &room)?;
        Some((grown, fresh))
    });
    match reloaded.await {
        Ok(Some((grown, fresh))) => {
            *names = grown;
            Some(fresh)
        }
        Ok(None) => None,
        Err(error) => {
            error!(%error, "configuration not reloaded, the old one stays in force");
            None
        }
    }
}

/// A file with a problem changes nothing; every problem is in the log.
fn reload(file: &Path, names: &mut Names, old: &Config, room: &Capacity) -> Option<Arc<Config>> {
    let mut grown = names.clone();
    let mut fresh = match config::load_after(Some(old), file, &mut grown) {
        Ok(fresh) => fresh,
        Err(problems) => {
            error!("configuration not reloaded, the old one stays in force:\n{problems}");
            return None;
        }
    };
    if grown.agents() > room.agents as usize || lines::count(grown.queues() as u32, room.agents) > room.lines
    {
        error!(
            "configuration not reloaded: more than {ROOM_FOR_RELOADS} agents or queues came since the start; restart"
        );
        return None;
    }
    if Accepting::by(&fresh).most_served(&fresh) > room.memberships as usize {
        error!(
            "configuration not reloaded: an agent serves over {} queues and steps of their widening, more than there is room for; restart",
            room.memberships
        );
        return None;
    }
    *names = grown;
    fresh.warnings.iter().for_each(|warning| warn!("{warning}"));
    let waiting = fresh.keep_until_restart(old);
    info!(difference = fresh.difference(old), "configuration reloaded");
    if !waiting.is_empty() {
        let keys = waiting.into_iter().collect::<Vec<_>>().join(", ");
        warn!(keys, "not in force: these keys have changed and need a restart");
    }
    Some(Arc::new(fresh))
}
