//! Whom a trunk's calls are sent to, in which order and share, and which answers lead to the next target.

use sip_core::{StatusCode, Target, Transport};
use toml::de::DeValue;

use super::problem::Report;
use super::raw::{Item, section};

section! {
    /// Whom a trunk's calls are sent to.
    TrunkTargetsToml "[trunk.NAME]" {
        /// Final statuses of one target after which the next is tried, as long as nothing has rung there; a target that cannot be reached or says nothing within `response_timeout` leads to the next in any case. From 400 to 599, but not 401, 407, 486 and 487. Default `[408, 500, 502, 503, 504]`.
        retry_on,
        /// Close the connection to a target that answers 503 with Retry-After, as Teams asks for. Default false.
        close_on_retry_after,
    }
}

section! {
    /// A target with its place and its share.
    TargetToml "trunk.NAME.send_to = [{ … }]" {
        /// Where: `"udp:192.0.2.1:5060"`, `"tcp:sbc.example.com"`, `"sbc.example.com"`. Required.
        to,
        /// Targets of the smallest number are tried first. 1 to 65535. Default: its place in the list.
        priority,
        /// Its share of the calls among targets of the same priority, the others being tried after it. 1 to 65535, default 1.
        weight,
    }
}

/// One far end of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkTarget {
    /// Where it is.
    pub to: Target,
    /// Smaller is tried first. 1 to 65,535; by default its place in the list.
    pub priority: u16,
    /// Its share among those of the same priority. 1 to 65,535, default 1.
    pub weight: u16,
}

/// What leads from one target to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkFailover {
    /// Final statuses after which the next target is tried.
    pub retry_on: Vec<StatusCode>,
    /// A connection is closed on which a 503 with Retry-After came. Default false.
    pub close_on_retry_after: bool,
}

/// Statuses after which another target is tried by default (fact of the field: 5xx of a far end that cannot, not of one
/// that will not).
const RETRY_ON: [u16; 5] = [408, 500, 502, 503, 504];

impl TrunkFailover {
    pub(super) fn resolve(raw: &TrunkTargetsToml<'_>, report: &mut Report) -> TrunkFailover {
        let codes: Vec<u16> = match &raw.retry_on.item {
            Some(item) => item.list().iter().filter_map(|item| retry_code(item, report)).collect(),
            None => RETRY_ON.to_vec(),
        };
        let retry_on = codes.into_iter().filter_map(StatusCode::new).collect();
        TrunkFailover { retry_on, close_on_retry_after: raw.close_on_retry_after.boolean(false, report) }
    }
}

fn retry_code(item: &Item<'_>, report: &mut Report) -> Option<u16> {
    let code = item.integer(400..=599, "", report)? as u16;
    let why = match code {
        401 | 407 => "asks for a password, which no other target would know better",
        486 | 487 => "is what a person decided, and another target must not ring him again",
        _ => return Some(code),
    };
    item.error(report, format!("{code} {why}; take it out"));
    None
}

/// Reads `send_to`.
pub(super) fn targets(items: &[Item<'_>], report: &mut Report) -> Vec<TrunkTarget> {
    let mut targets: Vec<TrunkTarget> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let place = u16::try_from(at + 1).unwrap_or(u16::MAX);
        let Some(target) = placed(item, place, report) else { continue };
        match targets.iter().any(|other| other.to == target.to) {
            true => item.error(report, format!("{} stands in the list already; take one out", target.to)),
            false => targets.push(target),
        }
    }
    lonely_weights(items, &targets, report);
    targets
}

fn placed(item: &Item<'_>, place: u16, report: &mut Report) -> Option<TrunkTarget> {
    let DeValue::Table(table) = item.value.get_ref() else {
        return Some(TrunkTarget { to: target(item, report)?, priority: place, weight: 1 });
    };
    let raw = TargetToml::read(table, &item.key, item.value.span(), report);
    let priority = raw.priority.integer(1..=65_535, place.into(), report) as u16;
    let weight = raw.weight.integer(1..=65_535, 1, report) as u16;
    let to = target(raw.to.required("to = \"udp:192.0.2.1:5060\"", report)?, report)?;
    Some(TrunkTarget { to, priority, weight })
}

/// A weight among equals of whom there is only one says nothing.
fn lonely_weights(items: &[Item<'_>], targets: &[TrunkTarget], report: &mut Report) {
    if items.len() != targets.len() {
        return; // with a mistake in the list it is not known who was meant to be equal
    }
    for (item, target) in items.iter().zip(targets) {
        let equals = targets.iter().filter(|other| other.priority == target.priority).count();
        if let Some(value) = item.value.get_ref().get("weight").filter(|_| equals == 1) {
            let text = "has no effect: no other target has this priority; write the same priority at those who share";
            Item { key: format!("{}.weight", item.key), value }.warning(report, text);
        }
    }
}

fn target(item: &Item<'_>, report: &mut Report) -> Option<Target> {
    let text = item.text("\"udp:192.0.2.1:5060\"", report)?;
    let why = match text.parse::<Target>() {
        Ok(target) => match target.transport {
            Some(other) if !matches!(other, Transport::Udp | Transport::Tcp | Transport::Tls) => {
                format!("nobody can be called by {other}; write udp:, tcp: or tls:")
            }
            _ if target.literal().is_some_and(|ip| ip.is_unspecified()) => {
                "nobody is at that address; write the far end's".to_owned()
            }
            _ => return Some(target),
        },
        Err(error) => error.to_string(),
    };
    item.error(report, format!("\"{text}\": {why}"));
    None
}
