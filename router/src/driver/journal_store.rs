//! The journal's SQLite file: its tables, how a batch gets in, how facts and records come out.
//!
//! `batches` is the truth: one row per batch, its facts as lines of JSON. `calls` (one row per finished call) and
//! `checkpoint` (the [`Ledger`] at some fact) are projections and can be computed again from it, and from `base`, which
//! stands for the facts that were [forgotten](super::journal_retention).

use std::{io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params, types::Type};
use serde::de::{DeserializeOwned, IntoDeserializer, value};

use super::journal_talks::{self, Talks};
use crate::{
    callers::Met,
    journal::{
        Ledger,
        fact::{CallId, Fact, Micros, SCHEMA_VERSION},
    },
    record::Record,
};

/// Name of the file in `node.data_dir`.
pub const FILE: &str = "journal.sqlite";

/// How long a statement waits for another process's lock before it counts as a failure.
const BUSY: Duration = Duration::from_millis(250);

/// Bytes in a page: batches are large, and a page of 16 kB costs a fifth less time than one of 4 kB.
const PAGE: u32 = 16_384;

/// Pages in the write-ahead log before SQLite moves them into the file: 32 MB, some seconds at full load.
const WAL_PAGES: u32 = 2_000;

/// Records inserted at a time while projections are made anew.
const REBUILD_CHUNK: usize = 1_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
  first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
  facts BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, ledger BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS base (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, ledger BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
  seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, key INTEGER NOT NULL, generation INTEGER NOT NULL,
  arrived_at INTEGER NOT NULL, answered_at INTEGER, connected_at INTEGER, ended_at INTEGER,
  trunk TEXT NOT NULL, source TEXT NOT NULL, caller TEXT NOT NULL, called TEXT NOT NULL,
  number TEXT NOT NULL, flow TEXT NOT NULL, keys TEXT NOT NULL, queue TEXT, agent TEXT,
  unanswered INTEGER NOT NULL, flow_ms INTEGER NOT NULL, wait_ms INTEGER NOT NULL, ring_ms INTEGER NOT NULL,
  talk_ms INTEGER NOT NULL, hold_ms INTEGER NOT NULL, sound_ms INTEGER,
  cause TEXT, fault TEXT, status INTEGER, q850 INTEGER, reason TEXT, legs TEXT NOT NULL, talks TEXT);
CREATE INDEX IF NOT EXISTS calls_by_arrival ON calls (arrived_at);
";

const INSERT_BATCH: &str = "INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5)";

/// By position, which costs less than by name: in the order of the columns.
const INSERT_CALL: &str = "INSERT INTO calls VALUES
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const SAVE_CHECKPOINT: &str = "INSERT OR REPLACE INTO checkpoint VALUES (1, ?1, ?2)";
pub(super) const SAVE_BASE: &str = "INSERT OR REPLACE INTO base VALUES (1, ?1, ?2)";
const CHECKPOINT: &str = "SELECT ledger FROM checkpoint";
pub(super) const BASE: &str = "SELECT ledger FROM base";

/// Facts that go to disk together, already written out, and the records they finished.
#[derive(Debug, Default)]
pub struct Batch {
    /// `seq` of the first fact.
    pub first_seq: u64,
    /// `seq` of the last fact.
    pub last_seq: u64,
    /// Earliest date.
    pub first_at: Micros,
    /// Latest date.
    pub last_at: Micros,
    /// One fact a line, in order.
    pub facts: Vec<u8>,
    /// Finished records, each with the `seq` of its call's end.
    pub records: Vec<(u64, Record)>,
}

impl Batch {
    /// Adds a fact that has its `seq`.
    pub fn push(&mut self, fact: &Fact) {
        if self.facts.is_empty() {
            (self.first_seq, self.first_at, self.last_at) = (fact.seq, fact.at, fact.at);
        }
        self.last_seq = fact.seq;
        self.first_at = self.first_at.min(fact.at);
        self.last_at = self.last_at.max(fact.at);
        // A vector takes whatever is written, and a fact has string keys only.
        let written = serde_json::to_writer(&mut self.facts, fact);
        debug_assert!(written.is_ok());
        self.facts.push(b'\n');
    }

    /// No fact is in it.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Empties it; the memory stays.
    pub fn clear(&mut self) {
        self.facts.clear();
        self.records.clear();
    }

    /// How many facts.
    pub fn len(&self) -> u64 {
        if self.is_empty() { 0 } else { self.last_seq + 1 - self.first_seq }
    }
}

/// The open file.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    /// Memory for the legs of one record as JSON.
    legs: Vec<u8>,
}

impl Store {
    /// Opens the file for writing and makes its tables if there are none. `full`: each commit is flushed to the disk.
    pub fn create(file: &Path, full: bool) -> rusqlite::Result<Store> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", if full { "full" } else { "normal" })?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        connection.execute_batch(SCHEMA)?;
        journal_talks::add_column(&connection)?;
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?1)", [SCHEMA_VERSION])?;
        Ok(Store { connection, legs: Vec::new() })
    }

    /// Opens an existing file for reading, beside a writer or without one.
    pub fn open(file: &Path) -> rusqlite::Result<Store> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY)?;
        Ok(Store { connection, legs: Vec::new() })
    }

    /// The layout of the facts in the file; see [`SCHEMA_VERSION`].
    pub fn schema(&self) -> rusqlite::Result<u16> {
        self.connection.query_row("SELECT value FROM meta WHERE key = 'schema'", [], |row| row.get(0))
    }

    /// Puts a batch, its records and, if there is one, a checkpoint on disk: all or nothing.
    pub fn commit(&mut self, batch: &Batch, checkpoint: Option<&Ledger>) -> rusqlite::Result<()> {
        let legs = &mut self.legs;
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        if !batch.is_empty() {
            let seqs = (batch.first_seq as i64, batch.last_seq as i64);
            let row = params![seqs.0, seqs.1, batch.first_at, batch.last_at, batch.facts];
            transaction.prepare_cached(INSERT_BATCH)?.execute(row)?;
        }
        insert_records(&transaction, &batch.records, legs)?;
        if let Some(ledger) = checkpoint {
            save_ledger(&transaction, SAVE_CHECKPOINT, ledger)?;
        }
        transaction.commit()
    }

    /// The fold over all facts there ever were: the checkpoint or the base, then what came after it. A line that
    /// cannot be read is reported and passed over.
    pub fn ledger(&self) -> rusqlite::Result<Ledger> {
        let readable = |sql| match saved_ledger(&self.connection, sql) {
            Err(error @ rusqlite::Error::FromSqlConversionFailure(..)) => {
                tracing::warn!(%error, "a sum of the journal cannot be read: adding up what there is");
                Ok(None)
            }
            saved => saved,
        };
        let saved = [readable(CHECKPOINT)?, readable(BASE)?];
        let mut ledger = saved.into_iter().flatten().max_by_key(|ledger| ledger.last_seq).unwrap_or_default();
        self.facts_after(ledger.last_seq, |fact| {
            ledger.apply(&fact);
            Ok(())
        })?;
        Ok(ledger)
    }

    /// Every fact after `seq`, in order, and those that share a batch with it.
    ///
    /// # Errors
    /// What SQLite says, or the first error of `each`.
    pub fn facts_after(
        &self,
        seq: u64,
        each: impl FnMut(Fact) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        // A batch after `seq` begins after the one that holds it, and that one begins at or before it.
        let sql = "SELECT facts, first_seq FROM batches WHERE first_seq >=
               coalesce((SELECT max(first_seq) FROM batches WHERE first_seq <= ?1), 0) ORDER BY first_seq";
        each_fact(&self.connection, sql, [seq as i64], each)
    }

    /// The facts of one call, in order. None if the journal does not know it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn facts_of(&self, call: CallId) -> rusqlite::Result<Vec<Fact>> {
        // A call without a record still lives, or its process has ended without one: then it is anywhere in its run.
        let span = "SELECT arrived_at, seq FROM calls WHERE run = ?1 AND key = ?2 AND arrived_at >= ?1";
        let span = self.connection.query_row(span, params![call.run, call.key as i64], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        let (arrived_at, ended) = span.optional()?.unwrap_or((call.run, i64::MAX));
        let sql =
            "SELECT facts, first_seq FROM batches WHERE last_at >= ?1 AND first_seq <= ?2 ORDER BY first_seq";
        let mut facts = Vec::new();
        each_fact(&self.connection, sql, [arrived_at, ended], |fact| {
            facts.extend(Some(fact).filter(|fact| fact.call == Some(call)));
            Ok(())
        })?;
        Ok(facts)
    }

    /// The last `count` finished calls, oldest first.
    pub fn last_calls(&self, count: u32) -> rusqlite::Result<Vec<Record>> {
        let sql = "SELECT * FROM calls ORDER BY seq DESC LIMIT ?1";
        let mut records: Vec<Record> =
            self.connection.prepare(sql)?.query_map([count], read_record)?.collect::<Result<_, _>>()?;
        records.reverse();
        Ok(records)
    }

    /// Of the last `most` calls that say something of their callers what they say, oldest first: who gave up in which
    /// queue, who spoke to which agent. Withheld numbers say nothing.
    pub fn met(&self, most: usize) -> rusqlite::Result<Vec<Met>> {
        let sql = "SELECT caller, queue, agent, ended_at, cause = 'abandoned' FROM calls
               WHERE caller <> '' AND (agent IS NOT NULL OR cause = 'abandoned') ORDER BY seq DESC LIMIT ?1";
        let read = |row: &Row<'_>| {
            Ok(Met {
                from: row.get(0)?,
                queue: row.get(1)?,
                agent: row.get(2)?,
                ended_at: row.get(3)?,
                abandoned: row.get(4)?,
            })
        };
        let mut calls: Vec<Met> =
            self.connection.prepare(sql)?.query_map([most as i64], read)?.collect::<Result<_, _>>()?;
        calls.reverse();
        Ok(calls)
    }

    /// Makes the projections anew from the base and the facts; returns how many calls there are.
    ///
    /// # Errors
    /// What SQLite says, also when the base cannot be read: without it sums would be wrong.
    pub fn rebuild(&mut self) -> rusqlite::Result<u64> {
        let mut ledger = saved_ledger(&self.connection, BASE)?.unwrap_or_default();
        let (mut finished, mut count) = (Vec::new(), 0);
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute_batch("DELETE FROM calls; DELETE FROM checkpoint")?;
        self.facts_after(0, |fact| {
            finished.extend(ledger.apply(&fact).map(|record| (fact.seq, record)));
            if finished.len() < REBUILD_CHUNK {
                return Ok(());
            }
            count += finished.len() as u64;
            insert_records(&transaction, &std::mem::take(&mut finished), &mut Vec::new())
        })?;
        count += finished.len() as u64;
        insert_records(&transaction, &finished, &mut Vec::new())?;
        save_ledger(&transaction, SAVE_CHECKPOINT, &ledger)?;
        transaction.commit()?;
        Ok(count)
    }
}

/// The facts of the batches that `sql` selects (`facts`, `first_seq`), in order.
pub(super) fn each_fact(
    connection: &Connection,
    sql: &str,
    bounds: impl rusqlite::Params,
    mut each: impl FnMut(Fact) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut batches = connection.prepare(sql)?;
    let mut rows = batches.query(bounds)?;
    while let Some(row) = rows.next()? {
        let facts = row.get_ref(0)?.as_bytes()?;
        for line in facts.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(fact) => each(fact)?,
                Err(error) => {
                    let batch: i64 = row.get(1)?;
                    tracing::error!(batch, %error, "a fact in the journal cannot be read: passed over");
                }
            }
        }
    }
    Ok(())
}

/// The ledger that `sql` selects, if it was ever saved.
pub(super) fn saved_ledger(connection: &Connection, sql: &str) -> rusqlite::Result<Option<Ledger>> {
    let read = |row: &Row<'_>| {
        serde_json::from_slice(row.get_ref(0)?.as_bytes()?).map_err(|error| unreadable(row, "ledger", error))
    };
    connection.query_row(sql, [], read).optional()
}

pub(super) fn save_ledger(into: &Transaction<'_>, sql: &str, ledger: &Ledger) -> rusqlite::Result<()> {
    let saved = serde_json::to_vec(ledger).map_err(unwritable)?;
    into.prepare_cached(sql)?.execute(params![ledger.last_seq as i64, saved])?;
    Ok(())
}

fn insert_records(
    into: &Transaction<'_>,
    records: &[(u64, Record)],
    legs: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let mut insert = into.prepare_cached(INSERT_CALL)?;
    for (seq, record) in records {
        legs.clear();
        serde_json::to_writer(&mut *legs, &record.legs).map_err(unwritable)?;
        let legs = std::str::from_utf8(legs).map_err(unwritable)?;
        insert.execute(params![
            *seq as i64,
            record.call.run,
            record.call.key as i64,
            record.generation as i64,
            record.arrived_at,
            record.answered_at,
            record.connected_at,
            record.ended_at,
            record.trunk,
            record.source,
            record.from,
            record.to,
            record.number,
            record.flow,
            record.keys,
            record.queue,
            record.agent,
            record.unanswered,
            record.flow_ms as i64,
            record.wait_ms as i64,
            record.ring_ms as i64,
            record.talk_ms as i64,
            record.hold_ms as i64,
            record.sound_ms.map(|ms| ms as i64),
            record.cause.map(|cause| cause.word()),
            record.fault.map(|fault| fault.word()),
            record.status,
            record.q850,
            record.reason,
            legs,
            journal_talks::write(record)?,
        ])?;
    }
    Ok(())
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let count = |name| row.get::<_, i64>(name).map(|value| value as u64);
    let Talks { segments, transfers, recordings, went_to } = journal_talks::read(row)?;
    Ok(Record {
        call: CallId { run: row.get("run")?, key: count("key")? },
        generation: count("generation")?,
        arrived_at: row.get("arrived_at")?,
        answered_at: row.get("answered_at")?,
        connected_at: row.get("connected_at")?,
        ended_at: row.get("ended_at")?,
        trunk: row.get("trunk")?,
        source: row.get("source")?,
        from: row.get("caller")?,
        to: row.get("called")?,
        number: row.get("number")?,
        flow: row.get("flow")?,
        keys: row.get("keys")?,
        queue: row.get("queue")?,
        agent: row.get("agent")?,
        unanswered: row.get("unanswered")?,
        flow_ms: count("flow_ms")?,
        wait_ms: count("wait_ms")?,
        ring_ms: count("ring_ms")?,
        talk_ms: count("talk_ms")?,
        hold_ms: count("hold_ms")?,
        sound_ms: row.get::<_, Option<i64>>("sound_ms")?.map(|ms| ms as u64),
        cause: word(row, "cause")?,
        fault: word(row, "fault")?,
        status: row.get("status")?,
        q850: row.get("q850")?,
        reason: row.get("reason")?,
        legs: serde_json::from_str(row.get_ref("legs")?.as_str()?)
            .map_err(|error| unreadable(row, "legs", error))?,
        segments,
        transfers,
        recordings,
        went_to,
        progress: Default::default(),
    })
}

/// A cause or fault by its word.
fn word<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let Some(word) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    T::deserialize(word.into_deserializer())
        .map(Some)
        .map_err(|error: value::Error| unreadable(row, column, error))
}

pub(super) fn unreadable(
    row: &Row<'_>,
    column: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    let index = row.as_ref().column_index(column).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

pub(super) fn unwritable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(io::Error::other(error)))
}
