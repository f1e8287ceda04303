//! `[callers.NAME]`: callers who are treated alike, known by their numbers.

use std::time::Duration;

use super::pattern::{ByPattern, Pattern};
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::{Scope, Section};

section! {
    /// Callers who are treated alike: regular customers, partners, VIPs. They are known by the number that the trunk asserts (P-Asserted-Identity, or else From); who withholds his number is none of them.
    CallersToml "[callers.NAME]" {
        /// Their numbers as the trunk writes them: `"+491711234567"`, a prefix `"+4930999*"`, or a list of these; thousands do no harm. An exact number comes before a prefix, a longer prefix before a shorter one. Required.
        numbers,
        /// In every queue they stand as if they had come so much sooner. All boosts of a caller together count for 24 hours at most. `"0s"` to `"24h"`, default `"0s"`.
        boost,
        /// Their priority in queues whose own is lower. 0 to 9, default 0.
        priority,
    }
}

/// Callers who are treated alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerGroup {
    /// Its name.
    pub name: String,
    /// By so much they stand as if they had come sooner. 0 s to 24 h, default 0 s.
    pub boost: Duration,
    /// Their priority in queues whose own is lower. 0 to 9, default 0.
    pub priority: u8,
    /// How many numbers and prefixes it has.
    pub numbers: usize,
}

/// All groups, looked up by number.
#[derive(Debug, Clone, Default)]
pub(super) struct CallerGroups {
    /// In the order of the file.
    pub(super) list: Vec<CallerGroup>,
    by_pattern: ByPattern<usize>,
}

impl CallerGroups {
    pub(super) fn resolve(sections: &[Section<'_>], scope: &mut Scope<'_, '_>) -> CallerGroups {
        let mut groups = CallerGroups::default();
        for section in sections {
            groups.add(section, scope);
        }
        groups
    }

    /// The callers that `number` is one of.
    pub(super) fn find(&self, number: &str) -> Option<&CallerGroup> {
        self.by_pattern.find(number).map(|&at| &self.list[at])
    }

    fn add(&mut self, section: &Section<'_>, scope: &mut Scope<'_, '_>) {
        let item = Item { key: section.path.clone(), value: section.value };
        let Some(table) = item.table(&format!("[{}]", section.path), scope.report) else { return };
        let raw = CallersToml::read(table, &section.path, section.span(), scope.report);
        let such_as = "numbers = [\"+491711234567\"]";
        let listed = raw.numbers.list();
        if let Some(item) = raw.numbers.required(such_as, scope.report)
            && listed.is_empty()
        {
            item.error(scope.report, format!("names nobody; write {such_as}"));
        }
        let boost = raw.boost.duration(bounds("0s", "24h", "0s"), scope.report);
        let priority = raw.priority.integer(0..=9, 0, scope.report) as u8;
        if raw.boost.item.is_none() && raw.priority.item.is_none() {
            item.error(
                scope.report,
                "changes nothing; write boost = \"10m\", or priority = 9, or take it out",
            );
        }
        self.list.push(CallerGroup { name: section.name.to_owned(), boost, priority, numbers: listed.len() });
        for item in listed {
            let Some(pattern) = Pattern::resolve(&item, scope) else { continue };
            if let Err(&other) = self.by_pattern.add(&pattern, self.list.len() - 1) {
                // Not the number itself: problems of a reload go to the log.
                let text = format!("stands in callers.{} already; take one out", self.list[other].name);
                item.error(scope.report, text);
            }
        }
    }
}
