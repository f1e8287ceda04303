//! The bytes below the grammar: tokens, blanks, folds, numbers, quoted strings (RFC 3261 §25.1).

use std::borrow::Cow;

use bytes::Bytes;

use super::ParseError;

/// True for the bytes of a `token` (RFC 3261 §25.1).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    CLASS[byte as usize] & TOKEN != 0
}

/// True for bytes that can be in no URI: blanks, controls, quotes, angle brackets.
pub(crate) const fn ends_uri(byte: u8) -> bool {
    CLASS[byte as usize] & ENDS_URI != 0
}

/// True for the bytes that end the name of a parameter.
pub(crate) const fn ends_param_name(byte: u8) -> bool {
    CLASS[byte as usize] & ENDS_PARAM_NAME != 0
}

/// True for the bytes that end the unquoted value of a parameter.
pub(crate) const fn ends_param_value(byte: u8) -> bool {
    CLASS[byte as usize] & ENDS_PARAM_VALUE != 0
}

/// True if `text` is a non-empty `token`.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// True for SP and HT.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const TOKEN: u8 = 1;
const ENDS_URI: u8 = 2;
const ENDS_PARAM_NAME: u8 = 4;
const ENDS_PARAM_VALUE: u8 = 8;

/// What a byte can be: one look instead of several comparisons, for every byte of every message passes here.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let mark = matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        if byte.is_ascii_alphanumeric() || mark {
            table[at] |= TOKEN;
        }
        if matches!(byte, 0..=b' ' | 127 | b'<' | b'>' | b'"') {
            table[at] |= ENDS_URI;
        }
        if matches!(byte, b';' | b'=' | b'"' | b',' | b' ' | b'\t') {
            table[at] |= ENDS_PARAM_NAME;
        }
        if matches!(byte, b';' | b'"' | b' ' | b'\t') {
            table[at] |= ENDS_PARAM_VALUE;
        }
        at += 1;
    }
    table
};

/// `text` without blanks and line ends at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_white(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|&byte| !is_white(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// One line out of a folded value: each fold, with the blanks around it, becomes one space (RFC 3261 §7.3.1).
pub(crate) fn unfold(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut line = Vec::with_capacity(text.len());
    for (number, part) in text.split(|&byte| byte == b'\n').enumerate() {
        let part = if number == 0 { part.trim_ascii_end() } else { trim(part) };
        if number > 0 && !part.is_empty() && !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(part);
    }
    Cow::Owned(line)
}

/// A decimal number of at least one digit that fits `u64`; nothing else may stand beside it.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Where the quoted string that opens at `text[0]` ends, one past the closing quote; `None` if it never closes.
pub(crate) fn quoted_end(text: &[u8]) -> Option<usize> {
    debug_assert_eq!(text.first(), Some(&b'"'));
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2; // a quoted pair: whatever follows the backslash is itself
    }
}

/// What a quoted string says: without its quotes and escapes. Text without quotes is returned as it is.
pub(crate) fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return Cow::Borrowed(text);
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(byte),
        }
    }
    Cow::Owned(plain)
}

/// Takes the next element of a comma-separated list off `rest`. Commas in quotes and in `<>` do not separate.
///
/// Elements come trimmed and may be empty. A quote that never closes takes the rest of the list with it, so that the
/// reader of the element reports it.
pub(crate) fn next_element<'a>(rest: &mut Option<&'a [u8]>) -> Option<&'a [u8]> {
    let text = rest.take()?;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|tail| memchr::memchr3(b',', b'"', b'<', tail)) {
        at += found;
        let closing = match text[at] {
            b',' => {
                *rest = Some(&text[at + 1..]);
                return Some(trim(&text[..at]));
            }
            b'"' => quoted_end(&text[at..]),
            _ => memchr::memchr(b'>', &text[at..]).map(|end| end + 1),
        };
        match closing {
            Some(length) => at += length,
            None => break,
        }
    }
    Some(trim(text))
}

/// Reads one header value from left to right and remembers where it is, for the error message.
pub(crate) struct Cursor<'a> {
    part: &'static str,
    text: &'a Bytes,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(part: &'static str, text: &'a Bytes) -> Self {
        Cursor { part, text, at: 0 }
    }

    pub(crate) fn error(&self, expected: &'static str) -> ParseError {
        ParseError::Malformed { part: self.part, offset: self.at, expected }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// A part of the value as its own slice.
    pub(crate) fn own(&self, part: &[u8]) -> Bytes {
        self.text.slice_ref(part)
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.at += count;
    }

    pub(crate) fn skip_blanks(&mut self) -> usize {
        let blanks = self.rest().iter().take_while(|&&byte| is_blank(byte)).count();
        self.at += blanks;
        blanks
    }

    /// The bytes up to the first that fails `belongs`; an error if there is none at all.
    pub(crate) fn take_while(
        &mut self,
        expected: &'static str,
        belongs: impl Fn(u8) -> bool,
    ) -> Result<&'a [u8], ParseError> {
        let rest = self.rest();
        match rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len()) {
            0 => Err(self.error(expected)),
            length => Ok(self.take(length)),
        }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let taken = &self.text[self.at..self.at + count];
        self.at += count;
        taken
    }

    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ParseError> {
        if self.peek() != Some(byte) {
            return Err(self.error(expected));
        }
        self.at += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Vec<&str> {
        let mut rest = Some(text.as_bytes());
        std::iter::from_fn(|| next_element(&mut rest)).map(|e| std::str::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn commas_in_quotes_and_angle_brackets_do_not_split_a_list() {
        assert_eq!(elements(r#""a, \"b" <sip:c,d@e> , f"#), [r#""a, \"b" <sip:c,d@e>"#, "f"]);
        assert_eq!(elements("a,,b"), ["a", "", "b"]);
        assert_eq!(elements(r#"a,"b,c"#), ["a", r#""b,c"#]);
    }

    #[test]
    fn a_fold_becomes_one_space() {
        assert_eq!(&*unfold(b"a \r\n\t b\n c"), b"a b c");
        assert_eq!(&*unfold(b"\r\n  a\r\n \r\n b"), b"a b");
    }

    #[test]
    fn a_quoted_string_ends_at_the_first_quote_that_is_not_escaped() {
        assert_eq!(quoted_end(br#""a\"b" c"#), Some(6));
        assert_eq!(quoted_end(br#""a\""#), None);
        assert_eq!(quoted_end(br#""a\"#), None);
        assert_eq!(&*unquote(br#""a\"\\b""#), br#"a"\b"#);
    }

    #[test]
    fn a_number_is_digits_only_and_must_fit() {
        assert_eq!(decimal(b"0009"), Some(9));
        for bad in ["", "+1", "-1", " 1", "1 ", "36893488147419103232"] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad}");
        }
    }
}
