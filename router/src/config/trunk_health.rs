//! How a trunk finds out whether its targets are there.

use std::time::Duration;

use super::problem::Report;
use super::raw::section;
use super::read::bounds;
use super::units::written;

section! {
    /// How a trunk finds out whether its targets are there.
    TrunkHealthToml "[trunk.NAME]" {
        /// How often each target is asked by OPTIONS whether it is there (RFC 3261 §11), up to a tenth more by chance, so that not all are asked at once. An answer shows that it is, unless it is 403, 408 or 5xx; 501 shows it too. A target that is down is tried last, and never not at all. `"10s"` to `"1h"`; `"0s"`: never. Default `"0s"`, for many far ends that take calls do not answer OPTIONS; Teams wants `"60s"`.
        check_every,
        /// So many checks without an answer in a row make a target down; so do as many calls in a row that it did not respond to at all. 1 to 10, default 2.
        down_after,
        /// So many answered checks in a row make a target that is down up again. One that calls have found down is up with the next call that it responds to. 1 to 10, default 2.
        up_after,
    }
}

/// How a trunk finds out whether its targets are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkHealth {
    /// How often each target is asked. 10 s to 1 h; `None`, the default: never.
    pub check_every: Option<Duration>,
    /// Checks or calls without an answer in a row that make a target down. 1 to 10, default 2.
    pub down_after: u8,
    /// Answered checks in a row that make it up again. 1 to 10, default 2.
    pub up_after: u8,
}

/// A target is not bothered more often than this.
const LEAST: Duration = Duration::from_secs(10);

impl TrunkHealth {
    pub(super) fn resolve(raw: &TrunkHealthToml<'_>, report: &mut Report) -> TrunkHealth {
        let every = raw.check_every.duration(bounds("0s", "1h", "0s"), report);
        if !every.is_zero() && every < LEAST {
            let text = format!("{} is too often; write \"10s\" or more, or \"0s\" for never", written(every));
            raw.check_every.item.iter().for_each(|item| item.error(report, &text));
        }
        TrunkHealth {
            check_every: Some(every).filter(|every| !every.is_zero()),
            down_after: raw.down_after.integer(1..=10, 2, report) as u8,
            up_after: raw.up_after.integer(1..=10, 2, report) as u8,
        }
    }
}
