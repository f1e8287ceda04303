//! The journal's writer: one thread that takes facts, gives them their `seq` and commits them in batches (design §8).
//!
//! The ledger follows each batch, so a record is finished by the very facts that are on disk beside it. A commit that
//! fails is tried again, with the same bytes, until it works: meanwhile facts gather in the spill, `/readyz` and
//! OPTIONS say 503, and one line in the log says why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    journal_store::{Batch, FILE, Store},
    shard_thread::utc_now,
};
use crate::{
    callbacks::Callbacks,
    callers::{MOST_NUMBERS, Met},
    config::{JournalConfig, Synchronous},
    journal::{
        Entry, Journal, Ledger, Written,
        fact::{Fact, Micros, SCHEMA_VERSION, What, Wish},
    },
    lost_places::LostPlaces,
    service::ServiceState,
    sums::Sums,
};

/// Facts between two checkpoints: what a start has to read again, some 0.3 s of it.
const CHECKPOINT: u64 = 100_000;

/// First pause after a failed commit; it doubles up to [`LONGEST_RETRY`].
const RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// How often the writer looks for facts that are too old.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// How long a clean stop keeps trying to write.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How the journal is opened.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// Directory of the file (`node.data_dir`); made if it does not exist.
    pub data_dir: PathBuf,
    /// How it is written (`[journal]`).
    pub config: JournalConfig,
    /// Version of the running binary.
    pub version: String,
    /// Generation of the configuration in force.
    pub generation: u64,
    /// When the process started.
    pub started_at: Micros,
}

/// An open journal.
#[derive(Debug)]
pub struct Opened {
    /// For those who append.
    pub journal: Journal,
    /// For the one who ends it.
    pub writer: Writer,
    /// What earlier runs left behind.
    pub restored: Restored,
}

/// What earlier runs left behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restored {
    /// This run's part of every [`CallId`](crate::journal::fact::CallId): its start, or later if an earlier run
    /// claims to have started after it (the clock was set back).
    pub run: Micros,
    /// Calls that had no end and were given one now.
    pub interrupted: usize,
    /// What was last asked of each agent, by name.
    pub wishes: BTreeMap<String, Wish>,
    /// Queues that were closed by hand, by name.
    pub closed: BTreeSet<String>,
    /// What went into each queue and came out of it since the journal began.
    pub sums: Sums,
    /// Places of callers whom an earlier run cut off.
    pub lost_places: LostPlaces,
    /// Customers who are to be called back.
    pub callbacks: Callbacks,
    /// Calls of the last run and those before that say something of their callers, oldest first.
    pub met: Vec<Met>,
}

/// Why the journal could not be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The directory could not be made or used.
    #[error("{}: {source}; node.data_dir must be a directory that fernamt may write", path.display())]
    Directory {
        /// The directory or the lock file in it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes here.
    #[error("{}: a running fernamt uses this directory; end it, or give each node its own node.data_dir", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// There is no journal to read.
    #[error("{}: no journal here; `fernamt run` makes it", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error("{}: written by a newer fernamt (schema {schema}, this one knows {SCHEMA_VERSION}); use that or newer", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u16,
    },
    /// SQLite says no.
    #[error("{}: {source}; if the file is damaged, move it away (with its -wal) and start again", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// Opens the journal in `settings.data_dir` and starts its writer: [`prepare`], then [`start`](Prepared::start).
///
/// # Errors
/// [`JournalError`]: nothing was started.
pub fn open(settings: JournalSettings, service: ServiceState) -> Result<Opened, JournalError> {
    prepare(settings)?.start(service)
}

/// A journal that can be written and has been read; nothing was written yet.
#[derive(Debug)]
pub struct Prepared {
    settings: JournalSettings,
    path: PathBuf,
    store: Store,
    ledger: Ledger,
    lock: File,
}

/// Takes the directory for this process and reads what earlier runs left.
///
/// # Errors
/// [`JournalError`].
pub fn prepare(settings: JournalSettings) -> Result<Prepared, JournalError> {
    let lock = lock(&settings.data_dir)?;
    let path = settings.data_dir.join(FILE);
    let database = |source| JournalError::Database { path: path.clone(), source };
    let store = Store::create(&path, settings.is_full()).map_err(database)?;
    let schema = store.schema().map_err(database)?;
    if schema > SCHEMA_VERSION {
        return Err(JournalError::Newer { path, schema });
    }
    let ledger = store.ledger().map_err(database)?;
    Ok(Prepared { settings, path, store, ledger, lock })
}

impl Prepared {
    /// Ends what earlier runs left open, and starts the writer.
    ///
    /// When it returns, [`Started`](What::Started) is on disk. `service` learns whenever the journal fails and works
    /// again.
    ///
    /// # Errors
    /// [`JournalError::Database`] or `Directory`: nothing was started.
    pub fn start(self, service: ServiceState) -> Result<Opened, JournalError> {
        let Prepared { settings, path, mut store, mut ledger, lock } = self;
        let mut batch = Batch::default();
        let mut restored = begin_run(&settings, &mut ledger, &mut batch);
        let started = store.commit(&batch, Some(&ledger));
        let met = started.and_then(|()| store.met(MOST_NUMBERS));
        restored.met = met.map_err(|source| JournalError::Database { path: path.clone(), source })?;
        batch.clear();

        let journal = Journal::new(settings.config.spill);
        let work = Work {
            journal: journal.clone(),
            service,
            path,
            full: settings.is_full(),
            store: Some(store),
            ledger,
            since_checkpoint: 0,
            batch,
            hand: Hand::default(),
            failing_since: None,
            retention: settings.config.retention,
            next_forget: Instant::now(),
            _lock: lock,
        };
        let flush = settings.config.flush;
        let thread = thread::Builder::new().name("journal".into()).spawn(move || work.run(flush));
        let thread = thread.map_err(|source| JournalError::Directory { path: settings.data_dir, source })?;
        Ok(Opened { writer: Writer { journal: journal.clone(), thread }, journal, restored })
    }
}

impl JournalSettings {
    fn is_full(&self) -> bool {
        self.config.synchronous == Synchronous::Full
    }
}

/// Opens the journal in `data_dir` for reading, also while a router writes it.
///
/// # Errors
/// [`JournalError::Absent`], `Newer` or `Database`.
pub fn read(data_dir: &Path) -> Result<Store, JournalError> {
    let path = data_dir.join(FILE);
    if !path.exists() {
        return Err(JournalError::Absent { path });
    }
    let opened = Store::open(&path).and_then(|store| Ok((store.schema()?, store)));
    match opened {
        Ok((schema, _)) if schema > SCHEMA_VERSION => Err(JournalError::Newer { path, schema }),
        Ok((_, store)) => Ok(store),
        Err(source) => Err(JournalError::Database { path, source }),
    }
}

/// Makes the projections of the journal in `data_dir` anew from its facts; returns the number of call records.
///
/// # Errors
/// [`JournalError`]; `InUse` while a router runs on it. The old projections stay then.
pub fn rebuild(data_dir: &Path) -> Result<u64, JournalError> {
    read(data_dir)?;
    let _lock = lock(data_dir)?;
    let path = data_dir.join(FILE);
    let rebuilt = Store::create(&path, true).and_then(|mut store| store.rebuild());
    rebuilt.map_err(|source| JournalError::Database { path, source })
}

fn lock(dir: &Path) -> Result<File, JournalError> {
    let directory = |path: &Path, source| JournalError::Directory { path: path.to_owned(), source };
    fs::create_dir_all(dir).map_err(|source| directory(dir, source))?;
    let file = dir.join("fernamt.lock");
    let lock = File::create(&file).map_err(|source| directory(&file, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(directory(&file, source)),
    }
}

/// Ends the calls that earlier runs left open and notes that this one started.
fn begin_run(settings: &JournalSettings, ledger: &mut Ledger, batch: &mut Batch) -> Restored {
    let run = settings.started_at.max(ledger.last_run + 1);
    let mut restored = Restored {
        run,
        interrupted: ledger.records.len(),
        wishes: ledger.wishes.clone(),
        closed: ledger.closed.clone(),
        sums: Sums::default(),
        lost_places: LostPlaces::default(),
        callbacks: Callbacks::default(),
        met: Vec::new(),
    };
    let started = Fact {
        seq: 0,
        at: run,
        call: None,
        generation: settings.generation,
        what: What::Started { version: settings.version.clone() },
    };
    let ends = ledger.records.ends_after_a_crash(ledger.last_at, settings.generation);
    for fact in ends.into_iter().chain([started]) {
        note(fact, ledger, batch);
    }
    restored.sums = ledger.sums.clone();
    restored.lost_places = ledger.lost_places.clone();
    restored.callbacks = ledger.callbacks.clone();
    restored
}

/// Gives `fact` its `seq` and takes it into ledger and batch.
fn note(mut fact: Fact, ledger: &mut Ledger, batch: &mut Batch) {
    fact.seq = ledger.last_seq + 1;
    batch.push(&fact);
    batch.records.extend(ledger.apply(&fact).map(|record| (fact.seq, record)));
}

/// The writer's thread, seen by the one who ends it.
#[derive(Debug)]
pub struct Writer {
    journal: Journal,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Notes at `at` that the process ends in order, writes everything and closes the file. False if facts were left
    /// unwritten because the disk did not come back within 5 s.
    pub fn stop(self, at: Micros, generation: u64) -> bool {
        self.journal.append(Fact { seq: 0, at, call: None, generation, what: What::Stopped });
        self.journal.close();
        self.thread.join().is_ok() && self.journal.counters().waiting == 0
    }
}

/// What the thread holds.
struct Work {
    journal: Journal,
    service: ServiceState,
    path: PathBuf,
    full: bool,
    /// `None` after a failure that a new connection may cure.
    store: Option<Store>,
    ledger: Ledger,
    since_checkpoint: u64,
    /// Taken from the journal and folded; empty between two batches.
    batch: Batch,
    hand: Hand,
    failing_since: Option<Instant>,
    /// Facts older than this are forgotten.
    retention: Duration,
    next_forget: Instant,
    _lock: File,
}

/// The facts of the batch as they were taken.
#[derive(Debug, Default)]
struct Hand {
    entries: Vec<Entry>,
    taken: usize,
    below: u64,
}

/// However the thread ends, nobody may go on believing that facts are written.
struct Farewell {
    journal: Journal,
    service: ServiceState,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if thread::panicking() {
            self.journal.failed();
        }
        self.service.journal_failed(true);
        self.journal.closed();
    }
}

impl Work {
    fn run(mut self, flush: Duration) {
        let _farewell = Farewell { journal: self.journal.clone(), service: self.service.clone() };
        let mut give_up = None;
        loop {
            let closing = match self.failing_since {
                None => self.journal.await_work(flush),
                Some(since) => self.journal.await_retry(since.elapsed().clamp(RETRY, LONGEST_RETRY)),
            };
            let worked = self.write();
            if closing {
                let give_up = *give_up.get_or_insert_with(|| Instant::now() + CLOSE_TIMEOUT);
                if worked && self.journal.is_drained() {
                    return self.leave_checkpoint();
                }
                if Instant::now() >= give_up {
                    return tracing::error!(
                        facts = self.journal.counters().waiting,
                        "facts could not be written"
                    );
                }
            } else if worked {
                self.forget_old();
            }
        }
    }

    /// One step of forgetting, when it is time for one. That it fails is no alarm: it is tried again.
    fn forget_old(&mut self) {
        let now = Instant::now();
        let Some(store) = self.store.as_mut().filter(|_| self.next_forget <= now) else { return };
        let retention = Micros::try_from(self.retention.as_micros()).unwrap_or(Micros::MAX);
        let more = store.forget(utc_now().saturating_sub(retention)).unwrap_or_else(|error| {
            tracing::warn!(%error, "old facts are not forgotten yet");
            false
        });
        self.next_forget = if more { now } else { now + FORGET_INTERVAL };
    }

    /// Writes one batch: the one in hand, or the next. False if the disk did not take it.
    fn write(&mut self) -> bool {
        if self.batch.is_empty() {
            self.take();
        }
        if self.batch.is_empty() {
            return true;
        }
        let began = Instant::now();
        let due = self.since_checkpoint + self.batch.len() >= CHECKPOINT;
        match self.commit(due) {
            Ok(()) => self.committed(began.elapsed(), due),
            Err(error) => self.failed(&error),
        }
        self.failing_since.is_none()
    }

    fn take(&mut self) {
        let gap = self.journal.take(&mut self.hand.entries);
        self.hand.taken = self.hand.entries.len();
        self.hand.below = self.hand.entries.last().map_or(0, |last| last.order + 1);
        let entries = self.hand.entries.drain(..).map(|entry| *entry.fact);
        for fact in gap.into_iter().chain(entries) {
            note(fact, &mut self.ledger, &mut self.batch);
        }
    }

    fn commit(&mut self, checkpoint: bool) -> rusqlite::Result<()> {
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert(Store::create(&self.path, self.full)?),
        };
        store.commit(&self.batch, checkpoint.then_some(&self.ledger))
    }

    fn committed(&mut self, took: Duration, checkpoint: bool) {
        let (facts, records) = (self.batch.len(), self.batch.records.len() as u64);
        self.since_checkpoint = if checkpoint { 0 } else { self.since_checkpoint + facts };
        // Before those who wait for the commit hear of it: they may ask at once whether calls are taken.
        self.service.journal_failed(false);
        self.journal.committed(self.hand.taken, Written { facts, records, below: self.hand.below, took });
        self.batch.clear();
        if let Some(since) = self.failing_since.take() {
            let lost = self.journal.counters().facts_lost;
            tracing::warn!(seconds = since.elapsed().as_secs(), lost, "the journal can be written again");
        }
    }

    fn failed(&mut self, error: &rusqlite::Error) {
        let news = self.journal.failed();
        self.service.journal_failed(true);
        self.failing_since.get_or_insert_with(Instant::now);
        if news {
            tracing::error!(%error, file = %self.path.display(), "the journal cannot be written; calls go on, facts are kept in memory");
        }
        // Busy and full pass by themselves; whatever else it was, a new connection may cure it.
        if !matches!(
            error.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DiskFull)
        ) {
            self.store = None;
        }
    }

    /// The next start then reads nothing but the checkpoint.
    fn leave_checkpoint(mut self) {
        if let Err(error) = self.commit(true) {
            tracing::warn!(%error, "no checkpoint at the end; the next start reads a little more");
        }
    }
}
