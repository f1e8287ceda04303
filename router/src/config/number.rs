//! `[[number]]`: which flow answers which called number.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::languages::Language;
use super::names::{FlowId, HoursId, TrunkId};
use super::pattern::{ByPattern, Pattern};
use super::raw::{Item, section};
use super::read::bounds;
use super::recording::{self, RecordingPolicy};
use super::scope::Scope;

section! {
    /// Which flow answers which called number. An exact number comes before a prefix, a longer prefix before a shorter one, `"*"` last.
    NumberToml "[[number]]" {
        /// The called number as the trunk writes it: `"+493012345"`, a prefix `"+4930999*"`, or `"*"` for all; or a list of these. Required.
        pattern = "match",
        /// The trunk it comes by, or a list. Default: every trunk that brings calls.
        trunk,
        /// The flow that answers. Required.
        flow,
        /// In every queue its callers stand as if they had come so much sooner. All boosts of a caller together count for 24 hours at most. `"0s"` to `"24h"`, default `"0s"`.
        boost,
        /// The language of its calls, one of `prompts.languages`. Default: the first of these.
        language,
        /// Opening hours, a `[hours.NAME]`: outside them its `closed_prompt` and `closed` answer instead. Default: always open.
        hours,
        /// How its calls are recorded: a `[recording.NAME]`. Default: by what else says so, or not at all.
        recording,
    }
}

/// One called number, or a range of them, on one trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// What is matched.
    pub pattern: Pattern,
    /// The trunk it comes by. A `[[number]]` with several trunks or patterns becomes several of these.
    pub trunk: TrunkId,
    /// The flow that answers.
    pub flow: FlowId,
    /// By so much its callers stand as if they had come sooner. 0 s to 24 h, default 0 s.
    pub boost: Duration,
    /// The language of its calls; `None`: the default.
    pub language: Option<Language>,
    /// Outside these hours their `closed_prompt` and `closed` answer instead; `None`: always open.
    pub hours: Option<HoursId>,
    /// How its calls are recorded.
    pub recording: Option<Arc<RecordingPolicy>>,
}

/// Numbers as they are looked up.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) list: Vec<Number>,
    by_trunk: HashMap<TrunkId, ByPattern<usize>>,
}

impl Numbers {
    /// Adds a number; the earlier one if the trunk has that pattern already.
    pub(super) fn add(&mut self, number: Number) -> Result<(), &Number> {
        let by_pattern = self.by_trunk.entry(number.trunk).or_default();
        match by_pattern.add(&number.pattern, self.list.len()) {
            Err(&at) => Err(&self.list[at]),
            Ok(()) => {
                self.list.push(number);
                Ok(())
            }
        }
    }

    /// Exact first, then the longest prefix, `*` last.
    pub(super) fn find(&self, trunk: TrunkId, called: &str) -> Option<&Number> {
        self.by_trunk.get(&trunk)?.find(called).map(|&at| &self.list[at])
    }
}

/// A `[[number]]` as read; whether its trunks can bring calls is checked when all trunks are known.
pub(super) struct NumberSection<'i> {
    pub(super) patterns: Vec<(Item<'i>, Pattern)>,
    /// Empty: every trunk that brings calls.
    pub(super) trunks: Vec<(Item<'i>, TrunkId)>,
    pub(super) trunk_named: bool,
    pub(super) flow: Option<FlowId>,
    pub(super) boost: Duration,
    pub(super) language: Option<Language>,
    pub(super) hours: Option<HoursId>,
    pub(super) recording: Option<Arc<RecordingPolicy>>,
    pub(super) item: Item<'i>,
}

impl<'i> NumberSection<'i> {
    pub(super) fn resolve(item: &Item<'i>, scope: &mut Scope<'_, 'i>) -> Option<NumberSection<'i>> {
        let table = item.table("[[number]]", scope.report)?;
        let raw = NumberToml::read(table, &item.key, item.value.span(), scope.report);
        let such_as = "match = \"+493012345\"";
        if raw.pattern.required(such_as, scope.report).is_some_and(|item| item.list().is_empty()) {
            raw.pattern
                .item
                .as_ref()
                .unwrap_or(item)
                .error(scope.report, format!("matches nothing; write {such_as}"));
        }
        let patterns = raw.pattern.list().into_iter().filter_map(|item| {
            let pattern = Pattern::resolve(&item, scope)?;
            Some((item, pattern))
        });
        let patterns = patterns.collect();
        let mut trunks = Vec::new();
        for item in raw.trunk.list() {
            let Some(name) = item.text("\"carrier\"", scope.report) else { continue };
            if let Some(id) = scope.trunk(&item, name) {
                trunks.push((item, id));
            }
        }
        let flow = raw.flow.required("flow = \"NAME\"", scope.report).cloned();
        let language = raw.language.item.as_ref().and_then(|item| scope.language(item));
        Some(NumberSection {
            language,
            patterns,
            trunks,
            trunk_named: raw.trunk.item.is_some(),
            flow: flow.and_then(|item| {
                let name = item.text("\"support\"", scope.report)?;
                scope.flow(&item, name.strip_prefix("flow.").unwrap_or(name))
            }),
            boost: raw.boost.duration(bounds("0s", "24h", "0s"), scope.report),
            hours: raw.hours.item.as_ref().and_then(|item| scope.hours_named(item)),
            recording: recording::named(&raw.recording, scope),
            item: item.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(patterns: &[&str]) -> Numbers {
        let mut numbers = Numbers::default();
        for (at, text) in patterns.iter().enumerate() {
            let pattern = match text.strip_suffix('*') {
                Some(prefix) => Pattern::Prefix(prefix.to_owned()),
                None => Pattern::Exact((*text).to_owned()),
            };
            let (trunk, boost) = (TrunkId(0), Duration::ZERO);
            let flow = FlowId::from(at);
            let number = Number { pattern, trunk, flow, boost, language: None, hours: None, recording: None };
            numbers.add(number).expect("no pattern twice");
        }
        numbers
    }

    #[test]
    fn an_exact_number_beats_the_longest_prefix_and_the_star_is_last() {
        let numbers = numbers(&["*", "+49*", "+4930*", "+493012345"]);
        let flow = |called| numbers.find(TrunkId(0), called).map(|n| n.flow.0);
        assert_eq!(flow("+493012345"), Some(3));
        assert_eq!(flow("+4930123456"), Some(2));
        assert_eq!(flow("+4989"), Some(1));
        assert_eq!(flow("112"), Some(0));
        assert_eq!(flow("ü"), Some(0));
        assert_eq!(flow(""), Some(0));
        assert_eq!(numbers.find(TrunkId(1), "112"), None);
    }
}
