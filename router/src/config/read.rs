//! Values as written, turned into numbers, times and choices; every refusal names the value and the cure.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::problem::Report;
use super::raw::{Field, Item, join, nearest};
use super::units::{self, UnitError};

/// Bounds and default of a duration or size, each as the operator would write it. An empty default: the key may be absent.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) least: &'static str,
    pub(super) most: &'static str,
    pub(super) default: &'static str,
}

/// `"1s"` to `"5m"`, default `"20s"`.
pub(super) const fn bounds(least: &'static str, most: &'static str, default: &'static str) -> Bounds {
    Bounds { least, most, default }
}

impl<'i> Item<'i> {
    pub(super) fn error(&self, report: &mut Report, text: impl std::fmt::Display) {
        report.error(&self.value.span(), &self.key, text);
    }

    pub(super) fn warning(&self, report: &mut Report, text: impl std::fmt::Display) {
        report.warning(&self.value.span(), &self.key, text);
    }

    /// The value as it stands in the file, shortened.
    pub(super) fn written(&self, report: &Report) -> String {
        match self.value.get_ref() {
            DeValue::Table(_) => "a table".to_owned(),
            _ => report.source.written(&self.value.span()),
        }
    }

    /// A text; `such_as` is an example, with its quotes.
    pub(super) fn text(&self, such_as: &str, report: &mut Report) -> Option<&'i str> {
        if let DeValue::String(text) = self.value.get_ref() {
            return Some(text);
        }
        let shown = self.written(report);
        let cure = match self.value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => format!("write \"{shown}\""),
            _ => format!("write it such as {such_as}"),
        };
        self.error(report, format!("{shown} is not a text; {cure}"));
        None
    }

    pub(super) fn table(&self, such_as: &str, report: &mut Report) -> Option<&'i DeTable<'i>> {
        if let DeValue::Table(table) = self.value.get_ref() {
            return Some(table);
        }
        let shown = self.written(report);
        self.error(report, format!("{shown} is not a table; write it such as {such_as}"));
        None
    }

    /// A list, or one value that stands for a list of one. Positions count from 1.
    pub(super) fn list(&self) -> Vec<Item<'i>> {
        match self.value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .enumerate()
                .map(|(at, value)| Item { key: format!("{}[{}]", self.key, at + 1), value })
                .collect(),
            _ => vec![self.clone()],
        }
    }

    /// The entries of a table, in the order of the file.
    pub(super) fn entries(&self, table: &'i DeTable<'i>) -> Vec<(&'i str, Item<'i>)> {
        entries(table, &self.key)
    }

    pub(super) fn duration(&self, bounds: Bounds, report: &mut Report) -> Option<Duration> {
        let shown = self.written(report);
        let default = default_words(&quoted(bounds.default));
        let read = match self.value.get_ref() {
            DeValue::String(text) => units::duration(text),
            DeValue::Integer(_) | DeValue::Float(_) => Err(UnitError::NoUnit),
            _ => Err(UnitError::Unreadable),
        };
        let range = format!("write \"{}\" to \"{}\"{default}", bounds.least, bounds.most);
        let why = match read {
            Ok(time) if (bounds.least()..=bounds.most()).contains(&time) => return Some(time),
            Ok(_) | Err(UnitError::TooLarge) => format!("{shown} is out of range; {range}"),
            Err(UnitError::NoUnit) => {
                let number = shown.trim_matches(['"', '\'']);
                format!("{shown} has no unit; write \"{number}s\" or \"{number}ms\"{default}")
            }
            Err(UnitError::Unreadable) => {
                format!(
                    "{shown} is no length of time; write a number with ms, s, m, h or d, such as \"20s\"{default}"
                )
            }
        };
        self.error(report, why);
        None
    }

    fn size(&self, bounds: Bounds, report: &mut Report) -> Option<u64> {
        let shown = self.written(report);
        let default = default_words(&quoted(bounds.default));
        let read = match self.value.get_ref() {
            DeValue::String(text) => units::size(text),
            DeValue::Integer(_) => Err(UnitError::NoUnit),
            _ => Err(UnitError::Unreadable),
        };
        let ours = |text| units::size(text).expect("our bounds are sizes");
        let range = ours(bounds.least)..=ours(bounds.most);
        let why = match read {
            Ok(bytes) if range.contains(&bytes) => return Some(bytes),
            Ok(_) | Err(UnitError::TooLarge) => {
                format!("{shown} is out of range; write \"{}\" to \"{}\"{default}", bounds.least, bounds.most)
            }
            Err(UnitError::NoUnit) => {
                let number = shown.trim_matches(['"', '\'']);
                format!("{shown} has no unit; write \"{number}k\" or \"{number}M\"{default}")
            }
            Err(UnitError::Unreadable) => {
                format!("{shown} is no size; write a number with B, k, M or G, such as \"512k\"{default}")
            }
        };
        self.error(report, why);
        None
    }

    /// A whole number in `range`; `default` in words for the message, empty if there is none.
    pub(super) fn integer(
        &self,
        range: RangeInclusive<u64>,
        default: &str,
        report: &mut Report,
    ) -> Option<u64> {
        let shown = self.written(report);
        let cure = format!("write {} to {}{}", range.start(), range.end(), default_words(default));
        match self.value.get_ref() {
            DeValue::Integer(digits) => {
                let number = i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX);
                if let Some(number) = u64::try_from(number).ok().filter(|n| range.contains(n)) {
                    return Some(number);
                }
                self.error(report, format!("{shown} is out of range; {cure}"));
            }
            DeValue::String(text) if text.parse::<u64>().is_ok() => {
                self.error(
                    report,
                    format!("{shown} is a text; write {text} without quotes{}", default_words(default)),
                );
            }
            _ => self.error(report, format!("{shown} is not a whole number; {cure}")),
        }
        None
    }

    pub(super) fn boolean(&self, default: bool, report: &mut Report) -> Option<bool> {
        if let DeValue::Boolean(value) = self.value.get_ref() {
            return Some(*value);
        }
        let shown = self.written(report);
        self.error(
            report,
            format!("{shown} is neither true nor false; write true or false (default {default})"),
        );
        None
    }

    /// One of the named values; the first of them is the default.
    pub(super) fn choice<T: Copy>(&self, values: &[(&str, T)], report: &mut Report) -> Option<T> {
        let text = self.text(&quoted(values[0].0), report)?;
        if let Some((_, value)) = values.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let cure = match nearest(text, values.iter().map(|(name, _)| *name)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => {
                let names: Vec<String> = values.iter().map(|(name, _)| quoted(name)).collect();
                format!("write {} (default \"{}\")", any_of(&names), values[0].0)
            }
        };
        self.error(report, format!("\"{text}\" is not known here; {cure}"));
        None
    }
}

impl<'i> Field<'i> {
    /// The value, or a problem that it is missing; `such_as` is the line to write.
    pub(super) fn required(&self, such_as: &str, report: &mut Report) -> Option<&Item<'i>> {
        if self.item.is_none() {
            report.error(&self.section, &self.key, format!("is missing; write {such_as}"));
        }
        self.item.as_ref()
    }

    pub(super) fn duration(&self, bounds: Bounds, report: &mut Report) -> Duration {
        self.item.as_ref().and_then(|item| item.duration(bounds, report)).unwrap_or_else(|| bounds.default())
    }

    pub(super) fn size(&self, bounds: Bounds, report: &mut Report) -> u64 {
        let default = || units::size(bounds.default).expect("our defaults are sizes");
        self.item.as_ref().and_then(|item| item.size(bounds, report)).unwrap_or_else(default)
    }

    pub(super) fn integer(&self, range: RangeInclusive<u64>, default: u64, report: &mut Report) -> u64 {
        let read = self.item.as_ref().and_then(|item| item.integer(range, &default.to_string(), report));
        read.unwrap_or(default)
    }

    pub(super) fn boolean(&self, default: bool, report: &mut Report) -> bool {
        self.item.as_ref().and_then(|item| item.boolean(default, report)).unwrap_or(default)
    }

    /// One of the named values; the first of them is the default.
    pub(super) fn choice<T: Copy>(&self, values: &[(&str, T)], report: &mut Report) -> T {
        self.item.as_ref().and_then(|item| item.choice(values, report)).unwrap_or(values[0].1)
    }

    pub(super) fn text(&self, such_as: &str, report: &mut Report) -> Option<&'i str> {
        self.item.as_ref().and_then(|item| item.text(such_as, report))
    }

    /// The values of a list; none if the key is absent. One value stands for a list of one.
    pub(super) fn list(&self) -> Vec<Item<'i>> {
        self.item.as_ref().map(Item::list).unwrap_or_default()
    }
}

impl Bounds {
    fn least(&self) -> Duration {
        units::duration(self.least).expect("our bounds are lengths of time")
    }

    fn most(&self) -> Duration {
        units::duration(self.most).expect("our bounds are lengths of time")
    }

    fn default(&self) -> Duration {
        units::duration(self.default).expect("our defaults are lengths of time")
    }
}

/// The entries of a table in the order of the file, with their keys in full.
pub(super) fn entries<'i>(table: &'i DeTable<'i>, path: &str) -> Vec<(&'i str, Item<'i>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let name: &'i str = key.get_ref();
            (key.span().start, name, Item { key: join(path, name), value })
        })
        .collect();
    entries.sort_by_key(|(at, ..)| *at);
    entries.into_iter().map(|(_, name, item)| (name, item)).collect()
}

/// `"a", "b" or "c"`.
pub(super) fn any_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\"{text}\"") }
}

fn default_words(default: &str) -> String {
    if default.is_empty() { String::new() } else { format!(" (default {default})") }
}
