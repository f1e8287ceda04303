//! What a queue makes of what is remembered of its callers.

use std::time::Duration;

use super::queue::QueueToml;
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::Scope;

section! {
    /// Who gave up in this queue and calls again soon stands ahead.
    ReturningToml "returning = { … }" {
        /// How soon he calls again, from the same asserted number; a withheld one is not known again. `"1m"` to `"24h"`, default `"10m"`.
        within,
        /// He stands as if he had come so much sooner. All boosts of a caller together count for 24 hours at most. `"1s"` to `"24h"`, default `"2m"`.
        boost,
    }
}

/// What a queue makes of what is remembered of its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMemory {
    /// Whether those who gave up and call again stand ahead. Default no.
    pub returning: Option<Returning>,
}

/// Who gave up in a queue and calls again soon stands ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returning {
    /// How soon. 1 min to 24 h, default 10 min.
    pub within: Duration,
    /// By how much. 1 s to 24 h, default 2 min.
    pub boost: Duration,
}

impl QueueMemory {
    pub(super) fn resolve(raw: &QueueToml<'_>, scope: &mut Scope<'_, '_>) -> QueueMemory {
        QueueMemory {
            returning: raw.returning.item.as_ref().and_then(|item| Returning::resolve(item, scope)),
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
