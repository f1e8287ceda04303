//! What is wrong with a configuration, where, and how to cure it.

use std::fmt;
use std::ops::Range;

/// A place in a configuration file. Both numbers count from 1; columns count characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Character in that line, from 1.
    pub column: u32,
}

/// Whether a problem keeps the configuration from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The configuration is refused; nothing starts, a reload changes nothing.
    Error,
    /// The configuration is used; the operator probably meant something else.
    Warning,
}

/// One mistake: place, key, what is wrong with the value, and the cure.
///
/// Printed as `fernamt.toml:12:16: queue.support.ring_timeout: 20 has no unit; write "20s" or "20ms" (default "20s")`;
/// a warning has `warning: ` before the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named to us.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// The key in full, such as `queue.support.ring_timeout`; empty for a mistake of TOML's grammar. Positions in lists count from 1.
    pub key: String,
    /// The value and the cure, in words.
    pub text: String,
    /// Error or warning.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.place.line, self.place.column)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// Every problem of one configuration, in the order of the file. Printed one a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The problems that keep the configuration from being used.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter().filter(|p| p.severity == Severity::Error)
    }

    /// The problems that do not.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter().filter(|p| p.severity == Severity::Warning)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}

impl std::error::Error for Problems {}

/// The text of one file, and where its lines begin.
pub(super) struct Source {
    pub(super) file: String,
    text: String,
    lines: Vec<usize>,
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Source {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { file: file.to_owned(), text: text.to_owned(), lines }
    }

    /// Line and column of a byte; the end of the text for a byte behind it.
    pub(super) fn place(&self, offset: usize) -> Place {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.lines.partition_point(|&start| start <= offset);
        let column = self.text[self.lines[line - 1]..offset].chars().count() + 1;
        Place { line: clamp(line), column: clamp(column) }
    }

    /// A value as the operator wrote it, in one line.
    pub(super) fn whole(&self, span: &Range<usize>) -> String {
        let text = self.text.get(span.clone()).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A value as the operator wrote it, in one line of at most 40 characters.
    pub(super) fn written(&self, span: &Range<usize>) -> String {
        shortened(&self.whole(span))
    }
}

/// The first 40 characters.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Gathers problems while a configuration is read.
pub(super) struct Report {
    pub(super) source: Source,
    problems: Vec<Problem>,
    /// Keys that another key of the file stands for, and that one.
    meant: Vec<(String, String)>,
}

impl Report {
    pub(super) fn new(source: Source) -> Report {
        Report { source, problems: Vec::new(), meant: Vec::new() }
    }

    /// Whatever is told of `key`, and of what is in it, is from now on told of `written`: the file says the one by the
    /// other.
    pub(super) fn tell_of(&mut self, written: String, key: String) {
        self.meant.push((key, written));
    }

    fn as_written(&self, key: &str) -> String {
        let other = self.meant.iter().find_map(|(meant, written)| {
            let inner = key.strip_prefix(meant.as_str())?;
            (inner.is_empty() || inner.starts_with(['[', '.'])).then(|| format!("{written}{inner}"))
        });
        other.unwrap_or_else(|| key.to_owned())
    }

    pub(super) fn error(&mut self, span: &Range<usize>, key: &str, text: impl fmt::Display) {
        self.add(span, key, text.to_string(), Severity::Error);
    }

    pub(super) fn warning(&mut self, span: &Range<usize>, key: &str, text: impl fmt::Display) {
        self.add(span, key, text.to_string(), Severity::Warning);
    }

    fn add(&mut self, span: &Range<usize>, key: &str, text: String, severity: Severity) {
        let place = self.source.place(span.start);
        let key = self.as_written(key);
        let problem = Problem { file: self.source.file.clone(), place, key, text, severity };
        // Two passes may come upon the same mistake.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Error)
    }

    /// All problems, in the order of the file.
    pub(super) fn finish(mut self) -> Problems {
        self.problems.sort_by_key(|p| p.place);
        Problems(self.problems)
    }
}

fn clamp(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = Source::new("a.toml", "ä = 1\r\nöö = 2\n");
        assert_eq!(source.place(0), Place { line: 1, column: 1 });
        assert_eq!(source.place("ä = ".len()), Place { line: 1, column: 5 });
        assert_eq!(source.place("ä = 1\r\nöö = ".len()), Place { line: 2, column: 6 });
        assert_eq!(source.place(999), Place { line: 3, column: 1 });
    }

    #[test]
    fn a_long_value_is_shown_in_one_short_line() {
        let text = "[\n  \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n]";
        let shown = Source::new("a.toml", text).written(&(0..text.len()));
        assert_eq!(shown.chars().count(), 41);
        assert!(shown.starts_with("[ \"aaa") && shown.ends_with('…'));
    }
}
