//! What the command line shows and asks. Each command writes to the writer it is given, so that it can be tested.

pub mod agent;
pub mod calls;
pub mod check;
mod check_certificates;
mod check_number;
mod check_trunks;
pub mod explain;
mod http;
pub mod journal;
pub mod passwd;
pub mod queue;
pub mod recordings;
pub mod simulate;
pub mod status;
mod table;

use std::{io, net::SocketAddr};

use crate::driver::journal_writer::JournalError;

/// Why a command came to nothing. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Nobody listens on the admin address, or does not answer in time.
    #[error("no fernamt answers at {address}: {reason}; is it running, and is that its `listen.admin`?")]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What went wrong.
        reason: String,
    },
    /// The router refused.
    #[error("{reason}")]
    Refused {
        /// What it says.
        reason: String,
    },
    /// The router's answer cannot be understood: it is of another version.
    #[error("the answer of the router is not understood ({0}); is it of another version?")]
    Answer(#[from] serde_json::Error),
    /// What was given with the command cannot be used: every problem, one a line, each with its cure.
    #[error("{0}")]
    Input(String),
    /// The output cannot be written.
    #[error("output: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    /// The reader of our output has gone (`fernamt calls | head`): no reason to complain.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, CommandError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
