//! `Digest name=value, name="value"`: the shape that challenges and credentials share (RFC 7235 §2.1).

use super::Algorithm;
use crate::message::{ParseError, is_token, next_element, quoted_end, unquote};
use std::fmt;

/// The parameters of one challenge or of one set of credentials, each name once.
pub(super) struct Fields<'a> {
    /// The header, for error messages.
    part: &'static str,
    whole: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

/// More than anybody writes; beyond it looking for a name twice would take its time.
const MOST: usize = 32;

impl<'a> Fields<'a> {
    /// Reads a header's value. `Malformed` for another scheme, a parameter without value, a name that comes twice.
    pub(super) fn read(part: &'static str, value: &'a [u8]) -> Result<Fields<'a>, ParseError> {
        let whole = std::str::from_utf8(value).map_err(|error| fault(part, error.valid_up_to(), "UTF-8"))?;
        if let Some(at) = value.iter().position(u8::is_ascii_control) {
            return Err(fault(part, at, "no control characters"));
        }
        let scheme = whole.find([' ', '\t']).unwrap_or(whole.len());
        if !whole[..scheme].eq_ignore_ascii_case("Digest") {
            return Err(fault(part, 0, "the scheme Digest"));
        }
        let mut fields = Fields { part, whole, pairs: Vec::new() };
        let mut rest = Some(&value[scheme..]);
        while let Some(element) = next_element(&mut rest).filter(|_| fields.pairs.len() <= MOST) {
            // The list came from a text and was cut at commas.
            let element = std::str::from_utf8(element).map_err(|_| fault(part, 0, "UTF-8"))?;
            if !element.is_empty() {
                fields.add(element)?;
            }
        }
        match fields.pairs.len() {
            0..=MOST => Ok(fields),
            _ => Err(fault(part, 0, "at most 32 parameters")),
        }
    }

    fn add(&mut self, element: &'a str) -> Result<(), ParseError> {
        let (name, value) =
            element.split_once('=').ok_or_else(|| self.fault(element, "a parameter with a value"))?;
        let (name, value) = (name.trim_end(), value.trim_start());
        if !is_token(name.as_bytes()) || !is_value(value.as_bytes()) {
            return Err(self.fault(element, "name=token or name=\"text\""));
        }
        if self.pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(self.fault(element, "each name once"));
        }
        self.pairs.push((name, value));
        Ok(())
    }

    /// The value without its quotes and escapes.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let (_, value) = self.pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(&unquote(value.as_bytes())).into_owned())
    }

    pub(super) fn required(&self, name: &str, expected: &'static str) -> Result<String, ParseError> {
        self.get(name).ok_or_else(|| self.lacks(expected))
    }

    /// The algorithm; MD5 if none is named (RFC 7616 §3.3).
    pub(super) fn algorithm(&self) -> Result<Algorithm, ParseError> {
        match self.get("algorithm") {
            None => Ok(Algorithm::Md5),
            Some(name) => {
                Algorithm::from_name(&name).ok_or_else(|| self.lacks("the algorithm SHA-256 or MD5"))
            }
        }
    }

    /// Something is not there, or is not what we can use.
    pub(super) fn lacks(&self, expected: &'static str) -> ParseError {
        fault(self.part, 0, expected)
    }

    fn fault(&self, element: &str, expected: &'static str) -> ParseError {
        let offset = element.as_ptr() as usize - self.whole.as_ptr() as usize;
        fault(self.part, offset, expected)
    }
}

fn fault(part: &'static str, offset: usize, expected: &'static str) -> ParseError {
    ParseError::Malformed { part, offset, expected }
}

fn is_value(value: &[u8]) -> bool {
    match value {
        [b'"', ..] => quoted_end(value) == Some(value.len()),
        // Generous: base64 nonces come unquoted from some.
        _ => !value.is_empty() && value.iter().all(|b| is_token(&[*b]) || b"/=:@?&;".contains(b)),
    }
}

/// A quoted string (RFC 3261 §25.1).
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                _ => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}
