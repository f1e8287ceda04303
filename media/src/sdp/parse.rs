//! Bytes to a description: bounds first, then what the reader below stumbles over is put right, then it reads.
//!
//! `sdp-types` knows the grammar. Lines that mean nothing to us are emptied before it sees them (their place stays, so
//! that line numbers hold): nothing in a title or a time zone can cost a call.

use std::borrow::Cow;

use super::description::{Description, Origin};
use super::{SdpError, read};

/// The largest description we read. Real ones have 300 bytes to 8 KiB (browsers).
pub const MAX_BYTES: usize = 32_768;
/// The most lines we read.
pub const MAX_LINES: usize = 1_024;
/// The most `m=` lines we read.
pub const MAX_MEDIA: usize = 32;
/// The most formats in one `m=`; there are 128 payload numbers.
pub const MAX_FORMATS: usize = 128;

pub(super) fn description(bytes: &[u8]) -> Result<Description, SdpError> {
    if bytes.len() > MAX_BYTES {
        return Err(SdpError::TooLong(bytes.len()));
    }
    // Text, whatever charset it was in: all we read is ASCII.
    let tidied = tidy(&String::from_utf8_lossy(bytes))?;
    let session = sdp_types::Session::parse(tidied.text.as_bytes())
        .map_err(|error| SdpError::Unreadable(error.to_string()))?;
    Ok(read::description(session, tidied.origin))
}

/// The line without what follows its last visible character, and with blanks for the control bytes inside it. They
/// occur; what they mean nobody knows.
fn printable(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches(|c: char| c.is_whitespace() || c.is_ascii_control());
    if line.bytes().any(|byte| byte.is_ascii_control()) {
        return line.replace(|c: char| c.is_ascii_control(), " ").into();
    }
    line.into()
}

struct Tidied {
    text: String,
    origin: Origin,
}

/// Keeps the lines that matter, in the shape the reader wants; the rest become empty lines.
fn tidy(text: &str) -> Result<Tidied, SdpError> {
    let mut tidied = Tidied { text: String::with_capacity(text.len() + 1), origin: Origin::default() };
    let (mut started, mut media) = (false, 0);
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        if number > MAX_LINES {
            return Err(SdpError::TooManyLines);
        }
        let line = printable(line);
        if !line.is_empty() {
            if !started && !is_version(&line) {
                return Err(SdpError::Version { line: number });
            }
            started = true;
            media += usize::from(line.starts_with("m="));
            keep(&line, number, &mut tidied)?;
        }
        if media > MAX_MEDIA {
            return Err(SdpError::TooManyMedia);
        }
        tidied.text.push('\n');
    }
    if started { Ok(tidied) } else { Err(SdpError::Version { line: 1 }) }
}

fn is_version(line: &str) -> bool {
    line.strip_prefix("v=").is_some_and(|version| version.trim() == "0")
}

fn keep(line: &str, number: usize, into: &mut Tidied) -> Result<(), SdpError> {
    let Some((key, value)) = line.split_at_checked(2).filter(|(key, _)| key.ends_with('=')) else {
        return Err(SdpError::Malformed { line: number, expected: "a letter, '=' and a value" });
    };
    match key {
        "v=" if is_version(line) => into.text.push_str("v=0"),
        "o=" => into.origin = origin(value),
        "b=" if is_bandwidth(value) => into.text.push_str(line),
        "v=" | "c=" | "a=" => into.text.push_str(line),
        "m=" => keep_media(value, number, &mut into.text)?,
        _ => {}
    }
    Ok(())
}

/// `m=` with one blank between its words. A refused medium without a format is common and harmless: it gets one.
fn keep_media(value: &str, line: usize, into: &mut String) -> Result<(), SdpError> {
    into.push_str("m=");
    let mut words = 0;
    for word in value.split_ascii_whitespace() {
        if words > 0 {
            into.push(' ');
        }
        into.push_str(word);
        words += 1;
    }
    if words == 3 && value.split_ascii_whitespace().nth(1) == Some("0") {
        into.push_str(" 0");
    }
    if words > 3 + MAX_FORMATS { Err(SdpError::TooManyFormats { line }) } else { Ok(()) }
}

fn is_bandwidth(value: &str) -> bool {
    value.split_once(':').is_some_and(|(_, number)| number.parse::<u64>().is_ok())
}

/// `o=`, of which nothing decides anything: missing words are left at their defaults.
fn origin(value: &str) -> Origin {
    let mut origin = Origin::default();
    let mut words = value.split_ascii_whitespace();
    let mut set = |field: &mut String| {
        if let Some(word) = words.next() {
            field.clear();
            field.push_str(word);
        }
    };
    set(&mut origin.user);
    set(&mut origin.session_id);
    set(&mut origin.version);
    let (mut nettype, mut addrtype) = (String::new(), String::new());
    set(&mut nettype);
    set(&mut addrtype);
    set(&mut origin.address);
    origin
}
