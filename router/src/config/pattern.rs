//! Telephone numbers as the file matches them: one, all that begin alike, or all.

use std::collections::HashMap;

use super::raw::Item;
use super::scope::Scope;

/// What a number is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// Exactly this.
    Exact(String),
    /// Whatever begins so; the empty prefix is `*`.
    Prefix(String),
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pattern::Exact(number) => f.write_str(number),
            Pattern::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl Pattern {
    pub(super) fn resolve(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Pattern> {
        let text = item.text("\"+493012345\"", scope.report)?;
        let (body, prefix) = text.strip_suffix('*').map_or((text, false), |body| (body, true));
        let why = if body.contains('*') {
            "a * may stand only at the end; write a prefix for each"
        } else if text.is_empty() {
            "an empty text matches nothing; write a number, or \"*\" for all"
        } else if body.contains(|c: char| c.is_whitespace() || c == '@') {
            "no number has blanks or an @ in it; write the number as the trunk sends it"
        } else {
            let body = body.to_owned();
            return Some(if prefix { Pattern::Prefix(body) } else { Pattern::Exact(body) });
        };
        item.error(scope.report, format!("\"{text}\": {why}"));
        None
    }
}

/// Things that belong to patterns, looked up by number: thousands of patterns cost no more than a few.
#[derive(Debug, Clone)]
pub(super) struct ByPattern<T> {
    exact: HashMap<String, T>,
    prefixes: HashMap<String, T>,
    longest_prefix: usize,
}

impl<T> Default for ByPattern<T> {
    fn default() -> ByPattern<T> {
        ByPattern { exact: HashMap::new(), prefixes: HashMap::new(), longest_prefix: 0 }
    }
}

impl<T> ByPattern<T> {
    /// Adds a thing; what the pattern has already if it has one.
    pub(super) fn add(&mut self, pattern: &Pattern, thing: T) -> Result<(), &T> {
        let (map, text) = match pattern {
            Pattern::Exact(number) => (&mut self.exact, number),
            Pattern::Prefix(prefix) => {
                self.longest_prefix = self.longest_prefix.max(prefix.len());
                (&mut self.prefixes, prefix)
            }
        };
        if map.contains_key(text) {
            return Err(&map[text]);
        }
        map.insert(text.clone(), thing);
        Ok(())
    }

    /// Exact first, then the longest prefix, `*` last.
    pub(super) fn find(&self, number: &str) -> Option<&T> {
        let ends = (0..=number.len().min(self.longest_prefix)).rev();
        let mut prefixes = ends.filter_map(|end| number.get(..end));
        self.exact.get(number).or_else(|| prefixes.find_map(|prefix| self.prefixes.get(prefix)))
    }
}
