//! The handle that shards hold: facts go in, and nobody waits for the disk.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    fact::{Fact, Micros},
    spill::{Entry, Spill},
};
use crate::metrics::Histogram;

/// As many facts as wake the writer before its flush time; also the most it commits in one batch.
pub const BATCH: usize = 4_096;

/// Facts moved to the writer under one lock: about 3 µs, the longest that a shard can wait in [`Journal::append`].
const STRIDE: usize = 256;

/// Where facts go. Cheap to clone; all clones are one journal.
///
/// [`append`](Self::append) costs one uncontended lock and one push. It never waits for the writer's disk: while that
/// is away, facts are kept in the [`Spill`] and the least important are forgotten when its room is full.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inbox: Mutex<Inbox>,
    /// The writer waits here for a full batch, a flush or the end.
    work: Condvar,
    /// Those who flush wait here for the writer.
    done: Condvar,
    healthy: AtomicBool,
    lost: AtomicU64,
    facts_written: AtomicU64,
    records_written: AtomicU64,
    batches_written: AtomicU64,
    failures: AtomicU64,
    commit: Mutex<Histogram>,
}

#[derive(Debug)]
struct Inbox {
    spill: Spill,
    /// Every fact below this order is on disk or forgotten.
    settled: u64,
    /// Date of the oldest fact that the writer holds.
    in_hand: Option<Micros>,
    flush_wanted: bool,
    closing: bool,
    closed: bool,
}

/// What the journal did since the process started, and how it is now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JournalCounters {
    /// The last attempt to write succeeded.
    pub ok: bool,
    /// Facts in memory that are not on disk yet.
    pub waiting: u64,
    /// Date of the oldest of them.
    pub oldest: Option<Micros>,
    /// Facts on disk.
    pub facts_written: u64,
    /// Facts forgotten because the room (`journal.spill`) was full.
    pub facts_lost: u64,
    /// Call records on disk.
    pub records_written: u64,
    /// Batches on disk.
    pub batches_written: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// How long commits took.
    pub commit: Histogram,
}

impl Journal {
    /// A journal that keeps up to `room` facts in memory (`journal.spill`) and waits for a writer.
    pub fn new(room: usize) -> Journal {
        let inbox = Inbox {
            spill: Spill::new(room),
            settled: 0,
            in_hand: None,
            flush_wanted: false,
            closing: false,
            closed: false,
        };
        Journal {
            shared: Arc::new(Shared {
                inbox: Mutex::new(inbox),
                work: Condvar::new(),
                done: Condvar::new(),
                healthy: AtomicBool::new(true),
                lost: AtomicU64::new(0),
                facts_written: AtomicU64::new(0),
                records_written: AtomicU64::new(0),
                batches_written: AtomicU64::new(0),
                failures: AtomicU64::new(0),
                commit: Mutex::new(Histogram::default()),
            }),
        }
    }

    /// Hands over one fact; the writer gives it its `seq`. Never waits for the disk.
    pub fn append(&self, fact: Fact) {
        self.append_all([fact]);
    }

    /// Hands over facts in their order, under one lock.
    pub fn append_all(&self, facts: impl IntoIterator<Item = Fact>) {
        let mut inbox = self.inbox();
        let before = inbox.spill.waiting();
        let lost: u64 = facts.into_iter().map(|fact| inbox.spill.push(fact)).sum();
        let full_batch = before < BATCH && inbox.spill.waiting() >= BATCH;
        drop(inbox);
        if lost > 0 {
            self.shared.lost.fetch_add(lost, Relaxed);
        }
        if full_batch {
            self.shared.work.notify_one();
        }
    }

    /// The last attempt to write succeeded. While this is false calls go on, `/readyz` and OPTIONS say 503.
    pub fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Relaxed)
    }

    /// Waits until every fact appended before is on disk, at most `timeout`. False if it is not: the disk is away,
    /// or the writer has ended. For a clean stop; never from a shard in service.
    pub fn flush(&self, timeout: Duration) -> bool {
        let mut inbox = self.inbox();
        let wanted = inbox.spill.offered();
        inbox.flush_wanted = true;
        self.shared.work.notify_one();
        let unwritten = |inbox: &mut Inbox| inbox.settled < wanted && !inbox.closed;
        let (inbox, _) = self
            .shared
            .done
            .wait_timeout_while(inbox, timeout, unwritten)
            .unwrap_or_else(PoisonError::into_inner);
        inbox.settled >= wanted
    }

    /// How the journal is, for `/metrics`.
    pub fn counters(&self) -> JournalCounters {
        let inbox = self.inbox();
        let (waiting, oldest) = (inbox.spill.len() as u64, inbox.in_hand.or(inbox.spill.oldest()));
        drop(inbox);
        let shared = &self.shared;
        JournalCounters {
            ok: self.is_healthy(),
            waiting,
            oldest,
            facts_written: shared.facts_written.load(Relaxed),
            facts_lost: shared.lost.load(Relaxed),
            records_written: shared.records_written.load(Relaxed),
            batches_written: shared.batches_written.load(Relaxed),
            failures: shared.failures.load(Relaxed),
            commit: shared.commit.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// The writer's sleep: until a batch is full, somebody flushes, the end is near, or `longest` is over.
    /// True if the writer is asked to end.
    pub fn await_work(&self, longest: Duration) -> bool {
        let idle = |inbox: &mut Inbox| !inbox.closing && !inbox.flush_wanted && inbox.spill.waiting() < BATCH;
        let waited = self.shared.work.wait_timeout_while(self.inbox(), longest, idle);
        let (mut inbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inbox.flush_wanted = false;
        inbox.closing
    }

    /// The writer's pause after a failure: `length`, or less if it is asked to end. True if so.
    pub fn await_retry(&self, length: Duration) -> bool {
        let waited = self.shared.work.wait_timeout_while(self.inbox(), length, |inbox| !inbox.closing);
        let (inbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inbox.closing
    }

    /// The writer takes up to [`BATCH`] facts in order; a gap, if there is one, goes first.
    pub fn take(&self, into: &mut Vec<Entry>) -> Option<Fact> {
        let gap = self.inbox().spill.take_gap();
        while into.len() < BATCH {
            let before = into.len();
            let mut inbox = self.inbox();
            inbox.spill.take(STRIDE.min(BATCH - before), into);
            inbox.in_hand = into.first().map(|entry| entry.fact.at);
            if into.len() == before {
                break;
            }
        }
        gap
    }

    /// The writer committed `taken` facts from [`take`](Self::take) and everything that went with them.
    pub fn committed(&self, taken: usize, written: Written) {
        let shared = &self.shared;
        shared.facts_written.fetch_add(written.facts, Relaxed);
        shared.records_written.fetch_add(written.records, Relaxed);
        shared.batches_written.fetch_add(1, Relaxed);
        shared.commit.lock().unwrap_or_else(PoisonError::into_inner).record(written.took);
        shared.healthy.store(true, Relaxed);
        let mut inbox = self.inbox();
        inbox.spill.settle(taken);
        inbox.in_hand = None;
        inbox.settled = match inbox.spill.waiting() {
            0 => inbox.spill.offered(),
            _ => inbox.settled.max(written.below),
        };
        drop(inbox);
        shared.done.notify_all();
    }

    /// The writer failed to commit; what it took stays in its hand. True if this is news.
    pub fn failed(&self) -> bool {
        self.shared.failures.fetch_add(1, Relaxed);
        self.shared.healthy.swap(false, Relaxed)
    }

    /// Every fact is on disk or forgotten, and nothing is left to say about the forgotten ones.
    pub fn is_drained(&self) -> bool {
        self.inbox().spill.is_empty()
    }

    /// Asks the writer to write what there is and end.
    pub fn close(&self) {
        self.inbox().closing = true;
        self.shared.work.notify_one();
    }

    /// The writer has ended: nobody is left waiting for it.
    pub fn closed(&self) {
        self.inbox().closed = true;
        self.shared.done.notify_all();
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.shared.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one commit put on disk.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Facts, the writer's own included.
    pub facts: u64,
    /// Call records.
    pub records: u64,
    /// Every fact whose order is below this was in it or before it.
    pub below: u64,
    /// How long the commit took.
    pub took: Duration,
}
