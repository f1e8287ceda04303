//! What a queue makes of what is remembered of its callers.

use std::time::Duration;

use super::queue::QueueToml;
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::Scope;
use super::units::written;

section! {
    /// Who gave up in this queue and calls again soon stands ahead.
    ReturningToml "returning = { … }" {
        /// How soon he calls again, from the same asserted number; a withheld one is not known again. `"1m"` to `"24h"`, default `"10m"`.
        within,
        /// He stands as if he had come so much sooner. All boosts of a caller together count for 24 hours at most. `"1s"` to `"24h"`, default `"2m"`.
        boost,
    }
}

section! {
    /// How callers stand who are transferred into this queue.
    TransferredToml "transferred = { … }" {
        /// `"kept"`: by the time at which they first came to a queue in this call, so that nobody waits twice; `"anew"`: by that of the transfer. Default `"kept"`.
        place,
        /// They stand as if they had come so much sooner. All boosts of a caller together count for 24 hours at most. `"0s"` to `"24h"`, default `"0s"`.
        boost,
    }
}

section! {
    /// Who spoke to an agent waits for him first, if he serves this queue, is logged in and has not asked for a pause; whoever lets it ring or goes is not waited for any longer.
    StickyToml "sticky = { … }" {
        /// How long ago they spoke at most, whichever queue brought them together; the caller is known by the asserted number. No longer than `journal.retention` over a restart. `"1m"` to `"90d"`, default `"7d"`.
        within,
        /// How long he waits for that agent alone; then for everybody whom the queue's callers accept, with the place he has. Less than `max_wait`. `"1s"` to `"1h"`, default `"30s"`.
        wait,
    }
}

/// What a queue makes of what is remembered of its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMemory {
    /// Whether those who gave up and call again stand ahead. Default no.
    pub returning: Option<Returning>,
    /// Whether callers wait first for whom they spoke to last. Default no.
    pub sticky: Option<Sticky>,
    /// How callers stand who are transferred here.
    pub transferred: Transferred,
    /// How long after our return callers whom we cut off get their places again. 0 s (never) to 1 h, default 2 min.
    pub keep_place: Duration,
}

/// Who gave up in a queue and calls again soon stands ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returning {
    /// How soon. 1 min to 24 h, default 10 min.
    pub within: Duration,
    /// By how much. 1 s to 24 h, default 2 min.
    pub boost: Duration,
}

/// How callers stand who are transferred into a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transferred {
    /// By the time of the transfer, not by that of their first queue in this call. Default false.
    pub anew: bool,
    /// By so much they stand as if they had come sooner. 0 s to 24 h, default 0 s.
    pub boost: Duration,
}

/// A caller waits first for whom he spoke to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky {
    /// How long ago that was at most. 1 min to 90 days, default 7 days.
    pub within: Duration,
    /// How long he waits for that agent alone. 1 s to 1 h and less than `max_wait`, default 30 s.
    pub wait: Duration,
}

impl QueueMemory {
    pub(super) fn resolve(raw: &QueueToml<'_>, max_wait: Duration, scope: &mut Scope<'_, '_>) -> QueueMemory {
        QueueMemory {
            returning: raw.returning.item.as_ref().and_then(|item| Returning::resolve(item, scope)),
            transferred: raw
                .transferred
                .item
                .as_ref()
                .map(|item| Transferred::resolve(item, scope))
                .unwrap_or_default(),
            keep_place: raw.keep_place.duration(bounds("0s", "1h", "2m"), scope.report),
            sticky: raw.sticky.item.as_ref().and_then(|item| Sticky::resolve(item, max_wait, scope)),
        }
    }
}

impl Sticky {
    fn resolve(item: &Item<'_>, max_wait: Duration, scope: &mut Scope<'_, '_>) -> Option<Sticky> {
        let table = item.table("{ within = \"7d\", wait = \"30s\" }", scope.report)?;
        let raw = StickyToml::read(table, &item.key, item.value.span(), scope.report);
        let within = raw.within.duration(bounds("1m", "90d", "7d"), scope.report);
        let wait = raw.wait.duration(bounds("1s", "1h", "30s"), scope.report);
        if wait >= max_wait {
            let text = format!(
                "after {} nobody else would get him, for max_wait is {}; write a shorter wait, or a longer max_wait",
                written(wait),
                written(max_wait)
            );
            raw.wait.item.as_ref().unwrap_or(item).error(scope.report, text);
        }
        Some(Sticky { within, wait })
    }
}

impl Transferred {
    fn resolve(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Transferred {
        let Some(table) = item.table("{ place = \"kept\", boost = \"2m\" }", scope.report) else {
            return Transferred::default();
        };
        let raw = TransferredToml::read(table, &item.key, item.value.span(), scope.report);
        Transferred {
            anew: raw.place.choice(&[("kept", false), ("anew", true)], scope.report),
            boost: raw.boost.duration(bounds("0s", "24h", "0s"), scope.report),
        }
    }
}

impl Returning {
    fn resolve(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Returning> {
        let table = item.table("{ within = \"10m\", boost = \"2m\" }", scope.report)?;
        let raw = ReturningToml::read(table, &item.key, item.value.span(), scope.report);
        Some(Returning {
            within: raw.within.duration(bounds("1m", "24h", "10m"), scope.report),
            boost: raw.boost.duration(bounds("1s", "24h", "2m"), scope.report),
        })
    }
}
