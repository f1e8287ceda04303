//! The file as it was written, key by key: for the difference of two configurations, and for problems found later.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem, Report, Severity};
use super::raw::{Value, join};

/// Every key of one file.
#[derive(Debug, Clone)]
pub(super) struct Written {
    file: String,
    /// Keys in full with their values as written. A `[[number]]` or `[[transfer]]` is keyed by what it matches, so that one
    /// more of them does not change all the others.
    pub(super) values: BTreeMap<String, String>,
    /// Where values stand, entries of lists included.
    places: BTreeMap<String, Place>,
}

impl Written {
    pub(super) fn of(root: &DeTable<'_>, report: &Report) -> Written {
        let mut written =
            Written { file: report.source.file.clone(), values: BTreeMap::new(), places: BTreeMap::new() };
        // A list, not recursion: how deep tables nest is the file's choice.
        let mut open: Vec<(String, &Value<'_>)> = Vec::new();
        for (key, value) in root.iter() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("number", DeValue::Array(sections)) => {
                    open.extend(sections.iter().map(|value| (number_key(value, report), value)));
                }
                ("transfer", DeValue::Array(rules)) => {
                    open.extend(rules.iter().map(|value| (keyed("transfer", value, report), value)));
                }
                (name, _) => open.push((name.to_owned(), value)),
            }
        }
        while let Some((path, value)) = open.pop() {
            written.places.insert(path.clone(), report.source.place(value.span().start));
            match value.get_ref() {
                DeValue::Table(table) => {
                    open.extend(table.iter().map(|(key, value)| (join(&path, key.get_ref()), value)));
                    continue;
                }
                DeValue::Array(items) => {
                    for (at, item) in items.iter().enumerate() {
                        let place = report.source.place(item.span().start);
                        written.places.insert(format!("{path}[{}]", at + 1), place);
                    }
                }
                _ => {}
            }
            let text = report.source.whole(&value.span());
            let text = if is_secret(&path) { disguised(&text) } else { text };
            written.values.insert(path, text);
        }
        written
    }

    /// A problem at `key`, at the list or section that it belongs to, or at the top of the file.
    pub(super) fn problem(&self, key: &str, text: String) -> Problem {
        let around = |key: &str| key.rfind(['[', '.']).map(|end| key[..end].to_owned());
        let place = std::iter::successors(Some(key.to_owned()), |key| around(key))
            .find_map(|key| self.places.get(&key).copied());
        Problem {
            file: self.file.clone(),
            place: place.unwrap_or(Place { line: 1, column: 1 }),
            key: key.to_owned(),
            text,
            severity: Severity::Error,
        }
    }
}

/// Keys whose values nobody may read, in no log and no debugger.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
    ["ha1_sha256", "ha1_md5", "password"].contains(&name)
}

/// Differs when the value does.
fn disguised(value: &str) -> String {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    format!("secret {:x}", hasher.finish())
}

fn number_key(value: &Value<'_>, report: &Report) -> String {
    let part = |key| value.get_ref().get(key).map(|value: &Value<'_>| report.source.whole(&value.span()));
    match (part("match"), part("trunk")) {
        (Some(pattern), Some(trunk)) => format!("number {pattern} on {trunk}"),
        _ => keyed("number", value, report),
    }
}

fn keyed(what: &str, value: &Value<'_>, report: &Report) -> String {
    let pattern = value.get_ref().get("match").map(|value: &Value<'_>| report.source.whole(&value.span()));
    format!("{what} {}", pattern.unwrap_or_default())
}
