//! `fernamt queue NAME close|open [--reason TEXT]`.

use std::{io::Write, net::SocketAddr};

use super::{CommandError, http};
use crate::status::{Door, QueueStatus};

/// Asks the router at `admin` to close `queue` by hand or to take that back, and writes how it is now. Whoever waits
/// in a queue that is closed hears its `closed_prompt` and goes on.
///
/// # Errors
/// [`CommandError::Unreachable`] or `Refused` (no such queue, or the configuration closes it).
pub fn queue(
    admin: SocketAddr,
    queue: &str,
    door: Door,
    reason: &str,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let path = format!("/queues/{}/{}?reason={}", http::escape(queue), door.word(), http::escape(reason));
    let now: QueueStatus = serde_json::from_str(&http::post(admin, &path)?)?;
    let state = if now.closed { "closed" } else { "open" };
    writeln!(out, "{}: {state}, {} waiting", now.name, now.waiting)?;
    Ok(())
}
