//! `[node]`, `[journal]` and `[log]`: who we are, what we keep, what we say.

use std::path::PathBuf;
use std::time::Duration;

use super::problem::Report;
use super::raw::section;
use super::read::bounds;

section! {
    /// Who this Fernamt is.
    NodeToml "[node]" {
        /// Name of this node, in logs, metrics and records. Letters, digits, `-`, `_` and `.`. Default `"fernamt"`. Needs a restart.
        name,
        /// Directory of the journal, made if it does not exist. A relative path starts at the working directory. Default `"data"`. Needs a restart.
        data_dir,
    }
}

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name in logs, metrics and records. Default `fernamt`.
    pub name: String,
    /// Where the journal lies; relative to the working directory. Default `data`.
    pub data_dir: PathBuf,
}

impl Node {
    pub(super) fn resolve(raw: &NodeToml<'_>, report: &mut Report) -> Node {
        let name = raw.name.text("\"fernamt\"", report).unwrap_or("fernamt");
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(item) = raw.name.item.as_ref().filter(|_| name.is_empty() || !name.chars().all(fits)) {
            item.error(
                report,
                format!("{name:?} is no name; write letters, digits, - _ and . (default \"fernamt\")"),
            );
        }
        let dir = raw.data_dir.text("\"data\"", report).unwrap_or("data");
        if let Some(item) = raw.data_dir.item.as_ref().filter(|_| dir.is_empty()) {
            item.error(
                report,
                "an empty path is no directory; write one such as \"data\" (default \"data\")",
            );
        }
        Node { name: name.to_owned(), data_dir: PathBuf::from(dir) }
    }
}

section! {
    /// The journal: every fact about every call, in SQLite under `node.data_dir`.
    JournalToml "[journal]" {
        /// Facts kept in memory while the journal cannot be written (full disk, locked database); beyond it detail goes first and final records last. 1000 to 10000000, default 100000; a fact takes some 300 bytes. Needs a restart.
        spill,
        /// `"normal"`: a power cut loses what the disk had not been told to keep, a crash of Fernamt loses nothing committed. `"full"`: nothing, at the price of one disk flush per batch. Default `"normal"`. Needs a restart.
        synchronous,
        /// How long facts and call records are kept; older ones are deleted little by little, sums stay. The file does not shrink, its room is used again. `"1h"` to `"3650d"`, default `"90d"`. Needs a restart.
        retention,
        /// Longest time a fact waits to be written; what a `kill -9` can lose. `"10ms"` to `"10s"`, default `"200ms"`. Needs a restart.
        flush,
    }
}

/// How the journal is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// Facts kept in memory while the journal cannot be written. 1,000 to 10,000,000, default 100,000.
    pub spill: usize,
    /// When the disk is asked to keep what it was given. Default `Normal`.
    pub synchronous: Synchronous,
    /// How long facts and call records are kept. 1 h to 3,650 d, default 90 d.
    pub retention: Duration,
    /// Longest time between two batches. 10 ms to 10 s, default 200 ms.
    pub flush: Duration,
}

/// SQLite's `synchronous` setting in WAL mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// At checkpoints: a power cut may lose the last batches.
    Normal,
    /// With every batch.
    Full,
}

impl JournalConfig {
    pub(super) fn resolve(raw: &JournalToml<'_>, report: &mut Report) -> JournalConfig {
        let kinds = [("normal", Synchronous::Normal), ("full", Synchronous::Full)];
        JournalConfig {
            spill: raw.spill.integer(1_000..=10_000_000, 100_000, report) as usize,
            synchronous: raw.synchronous.choice(&kinds, report),
            retention: raw.retention.duration(bounds("1h", "3650d", "90d"), report),
            flush: raw.flush.duration(bounds("10ms", "10s", "200ms"), report),
        }
    }
}

section! {
    /// What is logged.
    LogToml "[log]" {
        /// `"error"`, `"warn"`, `"info"`, `"debug"` or `"trace"`. Default `"info"`: two lines a call. Needs a restart.
        level,
        /// Numbers and names of callers in the log above debug level. Default false. Needs a restart.
        personal_data,
    }
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Least serious level that is printed. Default `Info`.
    pub level: Level,
    /// Callers' numbers may appear above debug level. Default false.
    pub personal_data: bool,
}

/// How serious a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken now.
    Error,
    /// Something will be.
    Warn,
    /// Calls and changes of configuration.
    Info,
    /// What a developer of a flow wants to see; may hold personal data.
    Debug,
    /// Everything; messages as they are on the wire.
    Trace,
}

impl Level {
    /// As written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

impl Log {
    pub(super) fn resolve(raw: &LogToml<'_>, report: &mut Report) -> Log {
        // The default stands first.
        let levels = [Level::Info, Level::Error, Level::Warn, Level::Debug, Level::Trace];
        Log {
            level: raw.level.choice(&levels.map(|level| (level.name(), level)), report),
            personal_data: raw.personal_data.boolean(false, report),
        }
    }
}
