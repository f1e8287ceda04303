//! `fernamt agent NAME login|logout|pause|ready [--reason TEXT]`.

use std::{io::Write, net::SocketAddr};

use super::{CommandError, http, table::word};
use crate::status::{AgentStatus, Order};

/// Asks the router at `admin` to change what `agent` does, and writes what he does now. In a call, the order takes
/// effect at its end.
///
/// # Errors
/// [`CommandError::Unreachable`] or `Refused` (no such agent).
pub fn agent(
    admin: SocketAddr,
    agent: &str,
    order: Order,
    reason: &str,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let path = format!("/agents/{}/{}?reason={}", http::escape(agent), order.word(), http::escape(reason));
    let now: AgentStatus = serde_json::from_str(&http::post(admin, &path)?)?;
    writeln!(out, "{}: {} (asked for: {})", now.name, word(&now.state), word(&now.wish))?;
    Ok(())
}
