//! A section as written: which keys it may have, which it has, and where each stands.
//!
//! The sections are read from the parsed tree, not by derive: serde stops at the first mistake of a section, and an
//! operator wants them all. [`section!`] makes a section's struct, refuses keys it does not know (with the nearest
//! that it does), and keeps the doc comments, from which the reference page is made.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Report;

/// A value of the file with its span.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A value that is there, and its key in full.
#[derive(Clone)]
pub(super) struct Item<'i> {
    pub(super) key: String,
    pub(super) value: &'i Value<'i>,
}

/// A key of a section, whether it is there or not.
#[derive(Clone)]
pub(super) struct Field<'i> {
    /// In full: `queue.support.ring_timeout`.
    pub(super) key: String,
    pub(super) item: Option<Item<'i>>,
    /// Where the section stands: the place of what is missing.
    pub(super) section: Range<usize>,
}

/// A section's documentation, for the reference page.
pub(super) struct SectionDoc {
    /// As it stands in the file: `[queue.NAME]`.
    pub(super) heading: &'static str,
    /// The lines of its doc comment.
    pub(super) text: &'static [&'static str],
    /// Each key with the lines of its doc comment.
    pub(super) keys: &'static [(&'static str, &'static [&'static str])],
}

/// Declares a section as written: `section! { /// Doc. Name "[heading]" { /// Doc. key, ... } }`.
macro_rules! section {
    ($(#[doc = $doc:literal])* $name:ident $heading:literal {
        $($(#[doc = $key_doc:literal])* $key:ident $(= $spelled:literal)?,)*
    }) => {
        $(#[doc = $doc])*
        // Some keys are taken by their names (weekdays, kinds of section), and stand here for the reference page.
        #[allow(dead_code)]
        pub(super) struct $name<'i> {
            $($(#[doc = $key_doc])* pub(super) $key: $crate::config::raw::Field<'i>,)*
        }

        #[allow(dead_code)]
        impl<'i> $name<'i> {
            pub(super) const DOC: $crate::config::raw::SectionDoc = $crate::config::raw::SectionDoc {
                heading: $heading,
                text: &[$($doc),*],
                keys: &[$((section!(@spelled $key $($spelled)?), &[$($key_doc),*])),*],
            };

            /// Takes the section's keys from `table`; a key it does not know is reported.
            pub(super) fn read(
                table: &'i toml::de::DeTable<'i>,
                path: &str,
                section: std::ops::Range<usize>,
                report: &mut $crate::config::problem::Report,
            ) -> $name<'i> {
                Self::read_beside(&[], table, path, section, report)
            }

            /// As [`Self::read`], for a section whose keys are read by several structs, each in a file of its own:
            /// this one knows the keys of `groups` too, which take theirs with [`Self::read_known`].
            pub(super) fn read_beside(
                groups: &[$crate::config::raw::SectionDoc],
                table: &'i toml::de::DeTable<'i>,
                path: &str,
                section: std::ops::Range<usize>,
                report: &mut $crate::config::problem::Report,
            ) -> $name<'i> {
                let beside = groups.iter().flat_map(|group| group.keys);
                let known: Vec<&str> = Self::DOC.keys.iter().chain(beside).map(|(name, _)| *name).collect();
                $crate::config::raw::refuse_unknown(table, path, &known, report);
                Self::read_known(table, path, section)
            }

            /// As [`Self::read`], for a section that has keys of the operator's own making beside these.
            pub(super) fn read_known(
                table: &'i toml::de::DeTable<'i>,
                path: &str,
                section: std::ops::Range<usize>,
            ) -> $name<'i> {
                $name {
                    $($key: $crate::config::raw::Field::of(
                        table, path, section!(@spelled $key $($spelled)?), section.clone()),)*
                }
            }
        }
    };
    (@spelled $key:ident) => { stringify!($key) };
    (@spelled $key:ident $spelled:literal) => { $spelled };
}
pub(super) use section;

impl<'i> Field<'i> {
    pub(super) fn of(table: &'i DeTable<'i>, path: &str, name: &str, section: Range<usize>) -> Field<'i> {
        let key = join(path, name);
        let item = table.get(name).map(|value| Item { key: key.clone(), value });
        Field { key, item, section }
    }
}

/// `queue.support` and `music` make `queue.support.music`; a name that is no bare key is quoted as in TOML.
pub(super) fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// Keys people try from elsewhere, and where the thing is here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("overflow", "what follows the queue step in its flow is the overflow"),
    ("members", "agents name their queues: agent.NAME.queues"),
    ("agents", "agents name their queues: agent.NAME.queues"),
    ("timezone", "the key is \"zone\""),
    ("tz", "the key is \"zone\""),
    ("moh", "the key is \"music\""),
    ("timeout", "timeouts say which: ring_timeout, max_wait, …"),
    (
        "password",
        "a password stands in no file; write the HA1s that `fernamt passwd USER --realm REALM` prints",
    ),
];

/// Reports every key of `table` that is not among `known`.
pub(super) fn refuse_unknown(table: &DeTable<'_>, path: &str, known: &[&str], report: &mut Report) {
    for (key, _) in table.iter() {
        let name: &str = key.get_ref();
        if !known.contains(&name) {
            let text = unknown_key(name, known.iter().copied());
            report.error(&key.span(), &join(path, name), text);
        }
    }
}

/// The sentence about a key that does not exist.
pub(super) fn unknown_key<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.collect();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("there is no such key; did you mean \"{near}\"?");
    }
    if let Some((_, hint)) = ELSEWHERE.iter().find(|(other, _)| *other == name) {
        return format!("there is no such key; {hint}");
    }
    format!("there is no such key; take it out, or write one of {}", known.join(", "))
}

/// The candidate a slip of the finger away from `name`: at most a third of its letters differ.
pub(super) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    let allowed = (lower.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance with neighbours swapped counting as one. Names longer than 64 are not compared.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > 64 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_key_and_a_stranger_finds_none() {
        let keys = ["ring_timeout", "wrap_up", "max_wait", "max_waiting", "music"];
        let find = |name| nearest(name, keys.iter().copied());
        assert_eq!(find("ring_timeuot"), Some("ring_timeout"));
        assert_eq!(find("ringtimeout"), Some("ring_timeout"));
        assert_eq!(find("Music"), Some("music"));
        assert_eq!(find("max_waitng"), Some("max_waiting"));
        assert_eq!(find("colour"), None);
        assert_eq!(find(&"x".repeat(1000)), None);
    }

    #[test]
    fn keys_are_joined_as_toml_writes_them() {
        assert_eq!(join("", "node"), "node");
        assert_eq!(join("queue", "support"), "queue.support");
        assert_eq!(join("queue", "front desk"), "queue.\"front desk\"");
    }
}
