//! How much a trunk may do at once and in a second, and what whoever comes beyond that is told.

use std::time::Duration;

use sip_core::{Refusal, StatusCode};

use super::problem::Report;
use super::raw::section;
use super::read::bounds;

section! {
    /// How much a trunk may do.
    TrunkLimitsToml "[trunk.NAME]" {
        /// Calls in either direction at once; one more is answered `overload_status`, or is the failure of its `dial`. 1 to 1000000. Default: only `limits.max_calls`.
        max_calls,
        /// New calls in either direction in a second, as many at once at most; one more is answered `overload_status`, or is the failure of its `dial`. 1 to 100000. Default: no limit.
        max_calls_per_second,
        /// What a call is answered that is too much, for the trunk or for us: 503 lets an SBC try another way, 480 and 486 end the call there, 500 and 600 too. Default 503.
        overload_status,
        /// What Retry-After says beside a 503 while we drain: so long an SBC sends us nothing at all (RFC 3261 §21.5.4). A 503 for want of room never has one. `"1s"` to `"1h"`; `"0s"`: none. Default `"60s"`.
        retry_after,
    }
}

/// How much a trunk may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkLimits {
    /// Calls in either direction at once. 1 to 1,000,000; `None`: only the limit of the node.
    pub max_calls: Option<u32>,
    /// New calls in either direction in a second. 1 to 100,000; `None`: no limit.
    pub max_calls_per_second: Option<u32>,
    /// What a call is answered that is too much. Default 503.
    pub overload_status: StatusCode,
    /// Retry-After while we drain; zero: none. Default 60 s.
    pub retry_after: Duration,
}

const STATUSES: [u16; 5] = [503, 480, 486, 500, 600];

impl TrunkLimits {
    pub(super) fn resolve(raw: &TrunkLimitsToml<'_>, report: &mut Report) -> TrunkLimits {
        let mut most = |field: &super::raw::Field<'_>, limit: u64| {
            field.item.as_ref().and_then(|item| item.integer(1..=limit, "", report)).map(|most| most as u32)
        };
        let max_calls = most(&raw.max_calls, 1_000_000);
        let max_calls_per_second = most(&raw.max_calls_per_second, 100_000);
        TrunkLimits {
            max_calls,
            max_calls_per_second,
            overload_status: overload_status(raw, report),
            retry_after: raw.retry_after.duration(bounds("0s", "1h", "60s"), report),
        }
    }

    /// What whoever comes by this trunk is told when we take no calls.
    pub fn refusal(&self) -> Refusal {
        Refusal { status: self.overload_status, retry_after: self.retry_after }
    }
}

fn overload_status(raw: &TrunkLimitsToml<'_>, report: &mut Report) -> StatusCode {
    let item = raw.overload_status.item.as_ref();
    let code = item.and_then(|item| item.integer(480..=600, "503", report)).map_or(503, |code| code as u16);
    if let Some(item) = item.filter(|_| !STATUSES.contains(&code)) {
        item.error(
            report,
            format!(
                "{code} does not say that there is no room; write 503, 480, 486, 500 or 600 (default 503)"
            ),
        );
    }
    StatusCode::new(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}
