//! `fernamt simulate FILE`: a day in virtual time, with the scheduler and the queues of the configuration.

mod inputs;
mod options;
mod plot;
mod table;

use std::{
    io::{self, Write},
    time::Instant,
};

pub use options::Options;

use super::CommandError;
use crate::{config::Config, simulate::forecast};

/// Simulates and writes the outcome: tables and sentences for people, or one JSON object. `origin` is any instant.
///
/// # Errors
/// [`CommandError::Input`] if an option or the table of calls cannot be used, `Journal` if there is none to replay,
/// `Output` if `out` or the plot cannot be written.
pub fn simulate(
    config: &Config,
    options: &Options,
    origin: Instant,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let (question, assumptions) = inputs::question(config, options, origin)?;
    let mut report = forecast(&question);
    report.assumptions = assumptions;
    if let Some(file) = &options.plot {
        let picture = plot::svg(&report, options.goal).map_err(CommandError::Input)?;
        std::fs::write(file, picture)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    }
    if options.json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    table::write(&report, out)
}
