//! `fernamt journal rebuild`: the projections of the journal, made anew.

use std::{io::Write, path::Path};

use super::CommandError;
use crate::driver::journal_writer;

/// Makes call records and checkpoint of the journal in `data_dir` anew from its facts, after a damage or a new version.
///
/// # Errors
/// [`CommandError::Journal`]: a router runs on it, there is none, or it cannot be read. All is as it was then.
pub fn rebuild(data_dir: &Path, out: &mut dyn Write) -> Result<(), CommandError> {
    let records = journal_writer::rebuild(data_dir)?;
    writeln!(out, "{records} call records made anew from the facts")?;
    Ok(())
}
