//! Who spoke with whom in a call, and its transfers: a column of `calls` that earlier versions did not have.

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::journal_store::{unreadable, unwritable};
use crate::{
    journal::fact::CallId,
    record::{CallRecording, Record, Segment, Transfer},
};

#[derive(Serialize)]
struct Written<'a> {
    segments: &'a [Segment],
    #[serde(skip_serializing_if = "<[Transfer]>::is_empty")]
    transfers: &'a [Transfer],
    #[serde(skip_serializing_if = "<[CallRecording]>::is_empty")]
    recordings: &'a [CallRecording],
    #[serde(skip_serializing_if = "Option::is_none")]
    went_to: Option<CallId>,
}

/// What the column says.
#[derive(Default, Deserialize)]
pub(super) struct Talks {
    pub(super) segments: Vec<Segment>,
    #[serde(default)]
    pub(super) transfers: Vec<Transfer>,
    #[serde(default)]
    pub(super) recordings: Vec<CallRecording>,
    #[serde(default)]
    pub(super) went_to: Option<CallId>,
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
    let Record { segments, transfers, recordings, went_to, .. } = record;
    let written = Written { segments, transfers, recordings, went_to: *went_to };
    let is_empty = segments.is_empty() && transfers.is_empty() && recordings.is_empty() && went_to.is_none();
    (!is_empty).then(|| serde_json::to_string(&written).map_err(unwritable)).transpose()
}

/// Nothing too for a record of an earlier version.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Talks> {
    let Ok(column) = row.as_ref().column_index("talks") else { return Ok(Talks::default()) };
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(Talks::default()) };
    serde_json::from_str(&text).map_err(|error| unreadable(row, "talks", error))
}
