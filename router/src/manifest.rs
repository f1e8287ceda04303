//! `manifest.jsonl`, a line for each recording and each deletion: every line has the SHA-256 of the line before it, so that
//! none can be changed or taken out without all that follow telling.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::journal::fact::{CallId, Micros};

/// Its name in `recordings.folder`.
pub const FILE: &str = "manifest.jsonl";
/// What stands for the line before the first.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Gaps told of one recording; what lies beyond is counted.
const MOST_GAPS: usize = 1_000;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// From 1, each one more.
    pub seq: u64,
    /// When it was written: UTC microseconds.
    pub at: Micros,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
    /// SHA-256 of the line before it, without its end, in hexadecimal; 64 zeros in the first.
    pub before: String,
}

/// Lines with their numbers in the file, from 1.
pub type Lines = Vec<(usize, Line)>;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Entry {
    /// A recording is finished.
    Recording(Box<Tape>),
    /// A file has been deleted.
    Deleted {
        /// Its name.
        file: String,
        /// `retention`, or the words of whoever wanted it.
        why: String,
    },
}

/// A finished recording. Places and lengths are milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// Name of the file.
    pub file: String,
    /// The call, as `fernamt calls --json` names it.
    pub call: String,
    /// The policy by which it was made.
    pub policy: String,
    /// When it began: UTC microseconds.
    pub began: Micros,
    /// How long it is.
    pub length_ms: u64,
    /// `wav`, or `wav+age` if it is encrypted.
    pub format: String,
    /// What is in which channel.
    pub channels: [String; 2],
    /// Samples a second.
    pub rate: u32,
    /// False: it was cut short, by a crash or because it could not be written on.
    pub complete: bool,
    /// Whom the caller heard, by role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Heard>,
    /// Silence that nobody has said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Gaps that are not told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gaps_more: u64,
    /// In which nothing was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Paused>,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// When it is deleted: UTC microseconds.
    pub keep_until: Micros,
}

/// From when on whom the caller heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Where.
    pub at_ms: u64,
    /// `agent anna`, `called party`.
    pub who: String,
}

/// A gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// `caller`, `heard` or `both`.
    pub channel: String,
    /// Where it begins.
    pub at_ms: u64,
    /// How long it is.
    pub ms: u64,
    /// Why: `held by the caller`, `held by the other`, `nothing came`, `disk behind`.
    pub why: String,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Where it begins.
    pub at_ms: u64,
    /// How long it is.
    pub ms: u64,
    /// Why, in the words of whoever wanted it.
    pub reason: String,
}

impl Tape {
    /// Beyond some thousand a gap is only counted.
    pub fn note_gap(&mut self, gap: Gap) {
        match self.gaps.len() < MOST_GAPS {
            true => self.gaps.push(gap),
            false => self.gaps_more += 1,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The hash of some bytes, in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The line that follows `last`; the first if that is `None`.
///
/// # Errors
/// `last` is no line of a manifest.
pub fn next(last: Option<&[u8]>, at: Micros, entry: Entry) -> serde_json::Result<String> {
    let seq = match last {
        Some(last) => serde_json::from_slice::<Line>(last)?.seq + 1,
        None => 1,
    };
    let before = last.map_or_else(|| BEGINNING.to_owned(), hash);
    serde_json::to_string(&Line { seq, at, entry, before }).map(|line| line + "\n")
}

/// Something that is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `manifest.jsonl:17`, or the name of a file.
    pub place: String,
    /// What, with the cure.
    pub text: String,
}

/// The lines of a manifest, and what is wrong with the chain.
pub fn read(bytes: &[u8]) -> (Lines, Vec<Fault>) {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    let (mut before, mut seq) = (BEGINNING.to_owned(), 1);
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    for (at, raw) in text.split(|byte| *byte == b'\n').enumerate().filter(|_| !bytes.is_empty()) {
        let mut fault =
            |text: &str| faults.push(Fault { place: format!("{FILE}:{}", at + 1), text: text.to_owned() });
        match serde_json::from_slice::<Line>(raw) {
            Err(error) => fault(&format!("is no line of a manifest ({error}); put it back from a backup")),
            Ok(line) => {
                if line.before != before {
                    fault(
                        "the line before it has been changed, or one is missing there; compare with a backup",
                    );
                } else if line.seq != seq {
                    fault(&format!(
                        "has number {} instead of {seq}: lines are missing or were put in; compare with a backup",
                        line.seq
                    ));
                }
                seq = line.seq;
                lines.push((at + 1, line));
            }
        }
        (before, seq) = (hash(raw), seq + 1);
    }
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        let place = format!("{FILE}:{}", lines.last().map_or(1, |(at, _)| *at));
        let text =
            "ends in the middle of a line, as after a crash; the router puts that right at its next start";
        faults.push(Fault { place, text: text.to_owned() });
    }
    (lines, faults)
}

/// Names of the files that are to be there, each with its place and what is said of it.
pub fn present(lines: &[(usize, Line)]) -> Vec<(usize, &Tape)> {
    let mut present: Vec<(usize, &Tape)> = Vec::new();
    for (at, line) in lines {
        match &line.entry {
            Entry::Recording(tape) => present.push((*at, tape)),
            Entry::Deleted { file, .. } => present.retain(|(_, tape)| tape.file != *file),
        }
    }
    present
}

/// The call that a text names, if it names one.
pub fn is_call(tape: &Tape, text: &str) -> bool {
    text.parse::<CallId>().is_ok_and(|call| call.to_string() == tape.call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: &[&str]) -> Vec<u8> {
        let (mut bytes, mut last): (Vec<u8>, Option<Vec<u8>>) = (vec![], None);
        for file in files {
            let entry = match file.strip_prefix('-') {
                Some(file) => Entry::Deleted { file: file.into(), why: "retention".into() },
                None => Entry::Recording(Box::new(Tape { file: (*file).into(), ..Tape::default() })),
            };
            let line = next(last.as_deref(), 7, entry).unwrap();
            last = Some(line.trim_end().into());
            bytes.extend(line.bytes());
        }
        bytes
    }

    #[test]
    fn a_chain_that_nobody_has_touched_has_no_fault_and_knows_what_is_there() {
        let bytes = manifest(&["a.wav", "b.wav", "-a.wav", "c.wav"]);
        let (lines, faults) = read(&bytes);
        assert_eq!((lines.len(), faults), (4, vec![]));
        let names: Vec<_> = present(&lines).into_iter().map(|(at, tape)| (at, tape.file.as_str())).collect();
        assert_eq!(names, [(2, "b.wav"), (4, "c.wav")]);
        assert_eq!(read(b""), (vec![], vec![]));
    }

    #[test]
    fn a_changed_a_missing_and_a_half_line_are_told_with_their_places() {
        let whole = manifest(&["a.wav", "b.wav", "c.wav"]);
        let places = |bytes: &[u8]| read(bytes).1.into_iter().map(|fault| fault.place).collect::<Vec<_>>();
        let changed = String::from_utf8(whole.clone()).unwrap().replace("b.wav", "x.wav");
        assert_eq!(places(changed.as_bytes()), ["manifest.jsonl:3"]);
        let text = String::from_utf8(whole.clone()).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.remove(1);
        assert_eq!(places((lines.join("\n") + "\n").as_bytes()), ["manifest.jsonl:2"]);
        assert_eq!(places(&whole[..whole.len() - 1]), ["manifest.jsonl:3"]);
        assert_eq!(places(&[&whole[..], b"{\"seq\"\n"].concat()), ["manifest.jsonl:4"]);
    }
}
