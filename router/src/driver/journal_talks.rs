//! Who spoke with whom in a call, and its transfers: a column of `calls` that earlier versions did not have.

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::journal_store::{unreadable, unwritable};
use crate::record::{Record, Segment, Transfer};

#[derive(Serialize)]
struct Written<'a> {
    segments: &'a [Segment],
    #[serde(skip_serializing_if = "<[Transfer]>::is_empty")]
    transfers: &'a [Transfer],
}

/// What the column says.
#[derive(Default, Deserialize)]
pub(super) struct Talks {
    pub(super) segments: Vec<Segment>,
    #[serde(default)]
    pub(super) transfers: Vec<Transfer>,
}

/// Adds the column to a file of an earlier version.
pub(super) fn add_column(connection: &Connection) -> rusqlite::Result<()> {
    match connection.prepare("SELECT talks FROM calls LIMIT 0") {
        Ok(_) => Ok(()),
        Err(_) => connection.execute_batch("ALTER TABLE calls ADD COLUMN talks TEXT"),
    }
}

/// Nothing for a call in which nobody spoke with anybody, which is most of what is refused.
pub(super) fn write(record: &Record) -> rusqlite::Result<Option<String>> {
    let written = Written { segments: &record.segments, transfers: &record.transfers };
    let is_empty = written.segments.is_empty() && written.transfers.is_empty();
    (!is_empty).then(|| serde_json::to_string(&written).map_err(unwritable)).transpose()
}

/// Nothing too for a record of an earlier version.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Talks> {
    let Ok(column) = row.as_ref().column_index("talks") else { return Ok(Talks::default()) };
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(Talks::default()) };
    serde_json::from_str(&text).map_err(|error| unreadable(row, "talks", error))
}
