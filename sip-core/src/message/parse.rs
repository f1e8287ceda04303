//! From bytes to an index: where the start line, each header field and the body are (RFC 3261 §7).
//!
//! One pass, one allocation (the index), nothing decoded. What a header means is read on demand.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use memchr::{memchr, memchr2};
use smallvec::SmallVec;

use super::text::{decimal, is_blank, is_token, is_token_byte, trim};
use super::{Header, Message, Method, ParseError, StatusCode};

/// How much of a message is read before it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message. Default 65,535, what a datagram can hold; at most 4 GiB.
    pub max_bytes: usize,
    /// Header fields. Default 256.
    pub max_fields: usize,
    /// Via values. Default 70, the usual Max-Forwards (RFC 3261 §8.1.1.6).
    pub max_vias: usize,
}

impl Limits {
    /// What [`Message::parse`] allows.
    pub const DEFAULT: Limits = Limits { max_bytes: 65_535, max_fields: 256, max_vias: 70 };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}

/// Places in the message; `u32` halves the index.
pub(super) type Span = Range<u32>;

/// What the first line says.
#[derive(Debug, Clone)]
pub(super) enum Start {
    Request { method: Method, uri: Span, version: Span },
    Response { status: StatusCode, reason: Span },
}

/// One header field: where its name and its trimmed value are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) header: Header,
    pub(super) folded: bool,
    pub(super) name_len: u16,
    pub(super) name_start: u32,
    pub(super) value_start: u32,
    pub(super) value_end: u32,
}

/// How a fault is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It ends the reading.
    Strict,
    /// What cannot be read is left out: enough may remain to answer with 400.
    Salvage,
}

type Slots = SmallVec<[Slot; 48]>;

pub(super) fn read(mut bytes: Bytes, limits: &Limits, mode: Mode) -> Result<Message, ParseError> {
    let limit = limits.max_bytes.min(u32::MAX as usize);
    if bytes.len() > limit {
        return Err(ParseError::TooLong { part: "message", len: bytes.len(), limit });
    }
    // Keep-alives and careless senders put line ends before the start line (RFC 3261 §7.5).
    let lead = line_ends(&bytes);
    if lead > 0 {
        bytes = bytes.slice(lead..);
    }
    let first_line = Line::at(&bytes, 0).ok_or(ParseError::NotSip)?;
    let start = start_line(&bytes, first_line.end, mode)?;
    let mut reader = Reader { bytes: &bytes, limits, mode, slots: Slots::new(), vias: 0, length: None };
    let head_end = reader.fields(first_line.next)?;
    let body_end = reader.body_end(head_end)?;
    let fields: Arc<[Slot]> = Arc::from(&reader.slots[..]);
    bytes.truncate(body_end); // what a datagram holds beyond its Content-Length is no part of it (RFC 3261 §18.3)
    Ok(Message { bytes, start, fields, body: head_end as u32 })
}

/// How many bytes of CRLF and LF stand first. A CR without LF is none of them, here as in the framer.
fn line_ends(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += match bytes[at..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return at,
        };
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    limits: &'a Limits,
    mode: Mode,
    slots: Slots,
    vias: usize,
    length: Option<u64>,
}

impl Reader<'_> {
    /// Reads fields from `at` on; tells where the body begins.
    fn fields(&mut self, mut at: usize) -> Result<usize, ParseError> {
        loop {
            let Some(mut line) = Line::at(self.bytes, at) else {
                return self.unfinished(at);
            };
            if line.end == at {
                return Ok(line.next);
            }
            let mut folded = false;
            while self.bytes.get(line.next).is_some_and(|&byte| is_blank(byte)) {
                folded = true;
                match Line::at(self.bytes, line.next) {
                    Some(next) => line = next,
                    None => return self.unfinished(line.next),
                }
            }
            let added = self.field(at, line.end, folded);
            if self.mode == Mode::Strict {
                added?;
            }
            at = line.next;
        }
    }

    /// The message ends, or a bare CR stands, before the blank line.
    fn unfinished(&self, at: usize) -> Result<usize, ParseError> {
        match self.mode {
            Mode::Strict => {
                Err(malformed("header field", at, "a line that ends with CRLF, and a blank line at last"))
            }
            Mode::Salvage => Ok(self.bytes.len()),
        }
    }

    /// One field in `start..end`, its folds included.
    fn field(&mut self, start: usize, end: usize, folded: bool) -> Result<(), ParseError> {
        let text = &self.bytes[start..end];
        let name_len = text.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(text.len());
        let mut colon = name_len;
        while text.get(colon).is_some_and(|&byte| is_blank(byte)) {
            colon += 1;
        }
        if name_len == 0 || text.get(colon) != Some(&b':') {
            return Err(malformed("header field", start + colon, "a name and a colon"));
        }
        let Ok(short_len) = u16::try_from(name_len) else {
            let limit = usize::from(u16::MAX);
            return Err(ParseError::TooLong { part: "header field name", len: name_len, limit });
        };
        let value = trim(&text[colon + 1..]);
        let header = Header::named(&text[..name_len]);
        self.count(header, value)?;
        let value_start = value.as_ptr() as usize - self.bytes.as_ptr() as usize;
        self.slots.push(Slot {
            header,
            folded,
            name_len: short_len,
            name_start: start as u32,
            value_start: value_start as u32,
            value_end: (value_start + value.len()) as u32,
        });
        Ok(())
    }

    /// Bounds, and the one header the framing itself needs.
    fn count(&mut self, header: Header, value: &[u8]) -> Result<(), ParseError> {
        if self.slots.len() == self.limits.max_fields {
            return Err(ParseError::TooMany { part: "header fields", limit: self.limits.max_fields });
        }
        match header {
            Header::Via => {
                self.vias += 1 + memchr::memchr_iter(b',', value).count();
                if self.vias > self.limits.max_vias {
                    return Err(ParseError::TooMany { part: "Via values", limit: self.limits.max_vias });
                }
            }
            // Two lengths, even equal ones, are how messages are smuggled past a firewall (RFC 4475 §3.3.9).
            Header::ContentLength if self.length.is_some() => {
                return Err(ParseError::Repeated { header: Header::ContentLength.name() });
            }
            Header::ContentLength => {
                let length = decimal(value).ok_or(malformed(Header::ContentLength.name(), 0, "a number"))?;
                self.length = Some(length);
            }
            _ => {}
        }
        Ok(())
    }

    /// Where the body ends: by Content-Length, else with the datagram (RFC 3261 §18.3).
    fn body_end(&self, body: usize) -> Result<usize, ParseError> {
        let got = self.bytes.len() - body;
        match self.length {
            _ if self.mode == Mode::Salvage => Ok(body),
            None => Ok(self.bytes.len()),
            Some(promised) if promised <= got as u64 => Ok(body + promised as usize),
            Some(promised) => Err(ParseError::Truncated { promised, got }),
        }
    }
}

/// A line of the message, from where it was asked for to its end.
struct Line {
    /// Where its CRLF or LF stands.
    end: usize,
    /// Where the next line begins.
    next: usize,
}

impl Line {
    /// The line that begins at `start`; `None` if it never ends or has a CR inside, which some receivers take for an
    /// end of line and others do not.
    fn at(bytes: &[u8], start: usize) -> Option<Line> {
        let end = start + memchr2(b'\r', b'\n', bytes.get(start..)?)?;
        match (bytes[end], bytes.get(end + 1)) {
            (b'\n', _) => Some(Line { end, next: end + 1 }),
            (_, Some(b'\n')) => Some(Line { end, next: end + 2 }),
            _ => None,
        }
    }
}

fn start_line(bytes: &Bytes, end: usize, mode: Mode) -> Result<Start, ParseError> {
    let line = &bytes[..end];
    match line.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case(b"SIP/") => status_line(line),
        _ => request_line(bytes, line.trim_ascii_end(), mode),
    }
}

/// `SIP/2.0 486 Busy Here`. The phrase may be empty, and its blank forgotten. A response of another version or with
/// an impossible code is dropped, never answered.
fn status_line(line: &[u8]) -> Result<Start, ParseError> {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let version = words.next().unwrap_or(b"");
    let code = words.next().filter(|word| word.len() == 3).and_then(decimal);
    let status = code.and_then(|code| StatusCode::new(code as u16)).ok_or(ParseError::NotSip)?;
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Err(ParseError::NotSip);
    }
    let start = (version.len() + 5).min(line.len());
    Ok(Start::Response { status, reason: span(start, line.len()) })
}

/// `INVITE sip:a@b SIP/2.0`. More than one space between the three is forgiven (RFC 4475 §3.1.2.9, §3.1.2.10).
fn request_line(bytes: &Bytes, line: &[u8], mode: Mode) -> Result<Start, ParseError> {
    let method_end = memchr(b' ', line).ok_or(ParseError::NotSip)?;
    let version_start = memchr::memrchr(b' ', line).map_or(0, |space| space + 1);
    let method = &line[..method_end];
    if !is_token(method) || !is_version(&line[version_start..]) || version_start <= method_end + 1 {
        return Err(ParseError::NotSip);
    }
    let uri = trim(&line[method_end..version_start]);
    let uri_start = uri.as_ptr() as usize - line.as_ptr() as usize;
    let fault = uri.iter().position(|&byte| is_blank(byte) || byte == b'<');
    match fault {
        Some(at) if mode == Mode::Strict => {
            return Err(malformed("Request-URI", at, "no blank and no angle bracket"));
        }
        _ if uri.is_empty() => return Err(ParseError::NotSip),
        _ => {}
    }
    Ok(Start::Request {
        method: Method::known(method).unwrap_or_else(|| Method::Other(bytes.slice(..method_end))),
        uri: span(uri_start, uri_start + uri.len()),
        version: span(version_start, line.len()),
    })
}

/// `SIP/` digits `.` digits.
fn is_version(text: &[u8]) -> bool {
    let Some((prefix, number)) = text.split_at_checked(4) else { return false };
    let mut halves = number.splitn(2, |&byte| byte == b'.');
    let digits = |half: Option<&[u8]>| {
        half.is_some_and(|half| !half.is_empty() && half.iter().all(u8::is_ascii_digit))
    };
    prefix.eq_ignore_ascii_case(b"SIP/") && digits(halves.next()) && digits(halves.next())
}

fn malformed(part: &'static str, offset: usize, expected: &'static str) -> ParseError {
    ParseError::Malformed { part, offset, expected }
}

fn span(start: usize, end: usize) -> Span {
    start as u32..end as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: impl Into<Bytes>) -> Result<Message, ParseError> {
        Message::parse(text.into())
    }

    fn fault(text: impl Into<Bytes>) -> ParseError {
        parse(text).expect_err("a fault")
    }

    #[test]
    fn names_and_values_pass_byte_for_byte_in_order() {
        let message =
            parse(&b"FOO sip:a@b SIP/2.0\r\nX-a:1\r\nv:  h\xff  \r\nx-A : 2\r\n\t3\r\n\r\nbody"[..]).unwrap();
        let fields: Vec<_> = message.fields().map(|field| (field.header, field.name, field.value)).collect();
        assert_eq!(
            fields,
            [
                (Header::Other, &b"X-a"[..], &b"1"[..]),
                (Header::Via, &b"v"[..], &b"h\xff"[..]),
                (Header::Other, &b"x-A"[..], &b"2\r\n\t3"[..]),
            ]
        );
        assert_eq!(message.named(b"X-A").collect::<Vec<_>>(), [&b"1"[..], b"2 3"]);
        assert_eq!(message.body(), "body");
    }

    #[test]
    fn line_ends_before_the_start_line_are_skipped() {
        assert!(parse("\r\n\n\r\nBYE sip:a@b SIP/2.0\r\n\r\n").unwrap().bytes().starts_with(b"BYE"));
        assert_eq!(fault("\rBYE sip:a@b SIP/2.0\r\n\r\n"), ParseError::NotSip);
    }

    #[test]
    fn a_datagram_ends_where_its_content_length_says() {
        let message = parse("BYE sip:a@b SIP/2.0\r\nl: 2\r\n\r\nhi, junk").unwrap();
        assert_eq!((message.body(), message.bytes().len()), (Bytes::from("hi"), 31));
        assert_eq!(
            fault("BYE sip:a@b SIP/2.0\r\nl: 2\r\n\r\nh"),
            ParseError::Truncated { promised: 2, got: 1 }
        );
    }

    #[test]
    fn a_second_content_length_is_refused_even_if_it_agrees() {
        for second in ["Content-Length: 0", "l: 0", "CONTENT-LENGTH : 0"] {
            let text = format!("BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n{second}\r\n\r\n");
            assert_eq!(fault(text), ParseError::Repeated { header: "Content-Length" });
        }
        for odd in ["0, 0", "+0", "-1", "0x0", "", "18446744073709551616"] {
            let text = format!("BYE sip:a@b SIP/2.0\r\nContent-Length: {odd}\r\n\r\n");
            assert!(matches!(fault(text), ParseError::Malformed { part: "Content-Length", .. }), "{odd}");
        }
    }

    #[test]
    fn a_first_line_that_is_none_is_no_sip() {
        for text in [
            "",
            "\r\n",
            "\r\n\r\n",
            "BYE",
            "BYE sip:a@b",
            "BYE sip:a@b SIP/2.0",
            "BYE  SIP/2.0\r\n\r\n",
            " BYE sip:a@b SIP/2.0\r\n\r\n",
            "B(E sip:a@b SIP/2.0\r\n\r\n",
            "BYE sip:a@b HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "BYE sip:a@b SIP/2\r\n\r\n",
            "SIP/2.0 99 Low\r\n\r\n",
            "SIP/2.0 700 High\r\n\r\n",
            "SIP/2.0 20 Short\r\n\r\n",
            "SIP/3.0 200 OK\r\n\r\n",
            "\u{16}\u{3}\u{1}",
            "SIP/2.0\r\n\r\n",
        ] {
            assert_eq!(fault(text), ParseError::NotSip, "{text:?}");
            assert!(Message::salvage(text.into()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_field_is_named_by_its_byte() {
        let part = "header field";
        for (text, at) in [
            ("BYE sip:a@b SIP/2.0\r\nVia\r\n\r\n", 24),
            ("BYE sip:a@b SIP/2.0\r\n: x\r\n\r\n", 21),
            ("BYE sip:a@b SIP/2.0\r\nBad Name: x\r\n\r\n", 25),
        ] {
            let expected = "a name and a colon";
            assert_eq!(fault(text), ParseError::Malformed { part, offset: at, expected }, "{text:?}");
        }
    }

    #[test]
    fn a_head_without_blank_line_or_with_a_bare_cr_is_refused() {
        for text in [
            "BYE sip:a@b SIP/2.0\r\n",
            "BYE sip:a@b SIP/2.0\r\nVia: x",
            "BYE sip:a@b SIP/2.0\r\nVia: x\r\n",
            "BYE sip:a@b SIP/2.0\r\nVia: x\r\n y",
            "BYE sip:a@b SIP/2.0\r\nSubject: x\rEvil: y\r\n\r\n",
        ] {
            assert!(matches!(fault(text), ParseError::Malformed { part: "header field", .. }), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let limits = Limits { max_bytes: 120, max_fields: 3, max_vias: 2 };
        let read = |fields: &str| {
            Message::parse_with(format!("BYE sip:a@b SIP/2.0\r\n{fields}\r\n").into(), &limits)
        };
        assert!(read("A: 1\r\nB: 2\r\nC: 3\r\n").is_ok());
        let fault = |fields: &str| read(fields).expect_err("too much");
        assert_eq!(
            fault("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"),
            ParseError::TooMany { part: "header fields", limit: 3 }
        );
        assert!(read("v: a, b\r\n").is_ok());
        assert_eq!(fault("v: a, b\r\nv: c\r\n"), ParseError::TooMany { part: "Via values", limit: 2 });
        let long = "x".repeat(120);
        assert!(matches!(
            fault(&format!("A: {long}\r\n")),
            ParseError::TooLong { part: "message", limit: 120, .. }
        ));
    }

    #[test]
    fn a_clone_shares_bytes_and_index() {
        let message = parse("BYE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n").unwrap();
        let clone = message.clone();
        assert_eq!(clone.bytes().as_ptr(), message.bytes().as_ptr());
        assert!(Arc::ptr_eq(&clone.fields, &message.fields));
    }
}
