//! SIP, SIPS, tel and opaque URIs (RFC 3261 §19.1, RFC 3966, RFC 3986), kept byte for byte.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use bytes::Bytes;

use super::ParseError;
use super::text::{decimal, ends_uri};

/// A URI as it was written, with the places of its parts. Nothing is decoded or rewritten on the way through.
#[derive(Clone)]
pub struct Uri {
    raw: Bytes,
    scheme: Scheme,
    parts: Parts,
}

/// What stands before the first colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// `urn:` (RFC 8141)
    Urn,
    /// Any other; its URIs are opaque.
    Other,
}

type Span = Range<u32>;

#[derive(Debug, Clone, Default)]
struct Parts {
    scheme_end: u32,
    user: Option<Span>,
    password: Option<Span>,
    host: Span,
    port: Option<u16>,
    params: Span,
    headers: Option<Span>,
}

impl Uri {
    /// Reads a URI; the whole of `raw` must be it.
    ///
    /// # Errors
    /// `Malformed` with the byte where a part fails its grammar. Blanks, control bytes, quotes and angle brackets
    /// are never part of a URI; bytes above 127 are let through.
    pub fn parse(raw: Bytes) -> Result<Uri, ParseError> {
        Uri::parse_as("URI", raw)
    }

    pub(crate) fn parse_as(part: &'static str, raw: Bytes) -> Result<Uri, ParseError> {
        let fault = |(offset, expected)| ParseError::Malformed { part, offset, expected };
        if let Some(at) = raw.iter().position(|&byte| ends_uri(byte)) {
            return Err(fault((at, "no blank, quote or angle bracket")));
        }
        let colon = scheme_end(&raw).ok_or(fault((0, "a scheme and a colon")))?;
        let scheme = scheme(&raw[..colon]);
        let mut parts = match scheme {
            Scheme::Sip | Scheme::Sips => sip_parts(&raw, colon + 1).map_err(fault)?,
            Scheme::Tel => tel_parts(&raw, colon + 1).map_err(fault)?,
            Scheme::Urn | Scheme::Other if colon + 1 == raw.len() => {
                return Err(fault((colon + 1, "something named")));
            }
            Scheme::Urn | Scheme::Other => Parts::default(),
        };
        parts.scheme_end = colon as u32;
        Ok(Uri { raw, scheme, parts })
    }

    /// Which kind of URI it is.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The scheme as written, without the colon.
    pub fn scheme_name(&self) -> &[u8] {
        &self.raw[..self.parts.scheme_end as usize]
    }

    /// The user part as written, escapes kept, without a password. For `tel:` the number.
    pub fn user(&self) -> Option<&[u8]> {
        self.parts.user.as_ref().map(|span| self.at(span))
    }

    /// The user part with `%HH` decoded.
    pub fn user_decoded(&self) -> Option<Cow<'_, [u8]>> {
        self.user().map(decode)
    }

    /// The password, which RFC 3261 §19.1.1 advises against.
    pub fn password(&self) -> Option<&[u8]> {
        self.parts.password.as_ref().map(|span| self.at(span))
    }

    /// The host as written, an IPv6 address in its brackets; empty unless `sip:` or `sips:`.
    pub fn host(&self) -> &[u8] {
        self.at(&self.parts.host)
    }

    /// The host, if it is an IP address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        host_ip(self.host())
    }

    /// The port, if one is written. Absent is not the same as 5060 (RFC 3261 §19.1.4).
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The value of the first URI parameter of that name (any case); empty for one without value.
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.params()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.unwrap_or(b""))
    }

    /// URI parameters in order, as written.
    pub fn params(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        pairs(self.at(&self.parts.params), b';')
    }

    /// `?name=value&...` as written, without the question mark.
    pub fn headers(&self) -> Option<&[u8]> {
        self.parts.headers.as_ref().map(|span| self.at(span))
    }

    /// The value of the first URI header of that name (any case), escapes kept.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        pairs(self.headers()?, b'&')
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.unwrap_or(b""))
    }

    /// What follows the scheme's colon.
    pub fn opaque(&self) -> &[u8] {
        &self.raw[self.parts.scheme_end as usize + 1..]
    }

    /// As written.
    pub fn as_bytes(&self) -> &Bytes {
        &self.raw
    }

    /// As written, but without `?headers`: the form a Request-URI may have (RFC 3261 §19.1.5).
    pub fn without_headers(&self) -> Bytes {
        match &self.parts.headers {
            Some(span) => self.raw.slice(..span.start as usize - 1),
            None => self.raw.clone(),
        }
    }

    /// True if both name the same resource: RFC 3261 §19.1.4 for SIP, RFC 3966 §5 for numbers, else the same bytes.
    pub fn equivalent(&self, other: &Uri) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        match self.scheme {
            Scheme::Sip | Scheme::Sips => sip_equivalent(self, other),
            Scheme::Tel => tel_equivalent(self, other),
            Scheme::Urn | Scheme::Other => {
                self.scheme_name().eq_ignore_ascii_case(other.scheme_name())
                    && self.opaque() == other.opaque()
            }
        }
    }

    fn at(&self, span: &Span) -> &[u8] {
        &self.raw[span.start as usize..span.end as usize]
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.raw))
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({self})")
    }
}

impl std::str::FromStr for Uri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Uri, ParseError> {
        Uri::parse(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// The IP address that `host` is, with or without brackets around IPv6; `None` for a name.
pub fn host_ip(host: &[u8]) -> Option<IpAddr> {
    // Most hosts are names: do not ask the address parser about them.
    if !host.first().is_some_and(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'[' | b':')) {
        return None;
    }
    let text = std::str::from_utf8(host).ok()?;
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse().ok().or_else(|| three_colons(inner)).map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// The grammar of RFC 3261 has one colon too many before an IPv4 tail; both forms must be read (RFC 5118 §4.10).
fn three_colons(text: &str) -> Option<Ipv6Addr> {
    let (head, tail) = text.split_once(":::")?;
    tail.parse::<Ipv4Addr>().ok()?;
    format!("{head}::{tail}").parse().ok()
}

/// Reads `host[:port]` at the start of `text`: the host's length, and where a port would begin.
pub(crate) fn host_length(text: &[u8]) -> Result<usize, (usize, &'static str)> {
    if text.first() == Some(&b'[') {
        let end = memchr::memchr(b']', text).ok_or((0, "a closing bracket"))? + 1;
        return host_ip(&text[..end]).map(|_| end).ok_or((0, "an IPv6 address"));
    }
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    match text.iter().take_while(|&&byte| belongs(byte)).count() {
        0 => Err((0, "a host")),
        length => Ok(length),
    }
}

/// Reads the digits of a port at the start of `text`: the port and their count.
pub(crate) fn port(text: &[u8]) -> Result<(u16, usize), (usize, &'static str)> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    decimal(&text[..digits])
        .and_then(|value| u16::try_from(value).ok())
        .map(|value| (value, digits))
        .ok_or((0, "a port number"))
}

fn scheme_end(raw: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', raw)?;
    let (first, others) = raw[..colon].split_first()?;
    let valid = first.is_ascii_alphabetic()
        && others.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then_some(colon)
}

fn scheme(name: &[u8]) -> Scheme {
    match name.len() {
        3 if name.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
        3 if name.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
        3 if name.eq_ignore_ascii_case(b"urn") => Scheme::Urn,
        4 if name.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
        _ => Scheme::Other,
    }
}

/// `[user[:password]@]host[:port][;params][?headers]`. The first `@` ends the user: behind it none may stand
/// unescaped, but user parts may hold `;` and `?`.
fn sip_parts(raw: &[u8], start: usize) -> Result<Parts, (usize, &'static str)> {
    let mut parts = Parts::default();
    let mut at = start;
    if let Some(length) = memchr::memchr(b'@', &raw[start..]) {
        let end = start + length;
        let user_end = memchr::memchr(b':', &raw[start..end]).map_or(end, |colon| start + colon);
        if user_end == start {
            return Err((start, "a user"));
        }
        parts.user = Some(span(start, user_end));
        parts.password = (user_end < end).then(|| span(user_end + 1, end));
        at = end + 1;
    }
    let shift = |base: usize| move |(offset, expected)| (base + offset, expected);
    let host_end = at + host_length(&raw[at..]).map_err(shift(at))?;
    parts.host = span(at, host_end);
    at = host_end;
    if raw.get(at) == Some(&b':') {
        let (value, digits) = port(&raw[at + 1..]).map_err(shift(at + 1))?;
        parts.port = Some(value);
        at += 1 + digits;
    }
    tail(raw, at, &mut parts)?;
    Ok(parts)
}

/// `[;params][?headers]` from `at` to the end.
fn tail(raw: &[u8], at: usize, parts: &mut Parts) -> Result<(), (usize, &'static str)> {
    match raw.get(at) {
        None | Some(b';' | b'?') => {}
        Some(_) => return Err((at, "a port, a parameter or the end")),
    }
    let question = memchr::memchr(b'?', &raw[at..]).map(|found| at + found);
    parts.params = span(at, question.unwrap_or(raw.len()));
    parts.headers = question.map(|mark| span(mark + 1, raw.len()));
    Ok(())
}

fn tel_parts(raw: &[u8], start: usize) -> Result<Parts, (usize, &'static str)> {
    let end = memchr::memchr(b';', &raw[start..]).map_or(raw.len(), |semicolon| start + semicolon);
    if end == start {
        return Err((start, "a number"));
    }
    Ok(Parts { user: Some(span(start, end)), params: span(end, raw.len()), ..Parts::default() })
}

fn span(start: usize, end: usize) -> Span {
    start as u32..end as u32
}

/// `name=value` pairs between `mark`s; empty ones are skipped.
fn pairs(text: &[u8], mark: u8) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    text.split(move |&byte| byte == mark).filter(|pair| !pair.is_empty()).map(|pair| {
        match memchr::memchr(b'=', pair) {
            Some(equals) => (&pair[..equals], Some(&pair[equals + 1..])),
            None => (pair, None),
        }
    })
}

/// `%HH` decoded; a percent sign without two hex digits stays.
pub(super) fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, _)) = next_byte(&mut rest) {
        plain.push(byte);
    }
    Cow::Owned(plain)
}

/// The next byte of an escaped text, and whether it was written as `%HH`.
fn next_byte(rest: &mut &[u8]) -> Option<(u8, bool)> {
    let hex = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    if let [b'%', high, low, behind @ ..] = *rest
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        *rest = behind;
        return Some((high << 4 | low, true));
    }
    let (&byte, behind) = rest.split_first()?;
    *rest = behind;
    Some((byte, false))
}

/// Same text once escapes are decoded; an escaped reserved byte is not the bare one (RFC 3261 §19.1.4).
fn same_escaped(left: &[u8], right: &[u8], fold_case: bool) -> bool {
    let (mut left, mut right) = (left, right);
    loop {
        match (canonical(&mut left, fold_case), canonical(&mut right, fold_case)) {
            (None, None) => return true,
            (one, other) if one == other => {}
            _ => return false,
        }
    }
}

fn canonical(rest: &mut &[u8], fold_case: bool) -> Option<(u8, bool)> {
    let (byte, escaped) = next_byte(rest)?;
    let byte = if fold_case { byte.to_ascii_lowercase() } else { byte };
    Some((byte, escaped && b";/?:@&=+$,".contains(&byte)))
}

fn same_optional(left: Option<&[u8]>, right: Option<&[u8]>, fold_case: bool) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => same_escaped(left, right, fold_case),
        _ => false,
    }
}

fn sip_equivalent(left: &Uri, right: &Uri) -> bool {
    let same_host = match (left.host_ip(), right.host_ip()) {
        (Some(one), Some(other)) => one == other,
        _ => left.host().eq_ignore_ascii_case(right.host()),
    };
    same_host
        && left.port() == right.port()
        && same_optional(left.user(), right.user(), false)
        && same_optional(left.password(), right.password(), false)
        && params_agree(left, right)
        && params_agree(right, left)
        && headers_within(left, right)
        && headers_within(right, left)
}

/// Each parameter of `left` must equal that of `right`; absent there it may be, unless it changes where a request goes.
fn params_agree(left: &Uri, right: &Uri) -> bool {
    const NEVER_IN_ONE_ONLY: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    left.params().all(|(name, value)| {
        let mut others = right.params().filter(|(known, _)| same_escaped(known, name, true)).peekable();
        match others.peek() {
            Some(_) => others.any(|(_, other)| same_optional(value, other, true)),
            None => !NEVER_IN_ONE_ONLY.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())),
        }
    })
}

/// URI headers are never ignored: each of `left` must be in `right` (RFC 3261 §19.1.4).
fn headers_within(left: &Uri, right: &Uri) -> bool {
    pairs(left.headers().unwrap_or(b""), b'&').all(|(name, value)| {
        pairs(right.headers().unwrap_or(b""), b'&')
            .any(|(known, other)| same_escaped(known, name, true) && same_optional(value, other, false))
    })
}

/// Numbers without their visual separators, parameters in any order (RFC 3966 §5).
fn tel_equivalent(left: &Uri, right: &Uri) -> bool {
    let digits = |uri: &Uri| -> Vec<u8> {
        let number = uri.user().unwrap_or(b"").iter();
        number.filter(|byte| !b"-.()".contains(byte)).map(u8::to_ascii_lowercase).collect()
    };
    let within = |one: &Uri, other: &Uri| {
        one.params().all(|(name, value)| {
            other
                .params()
                .any(|(known, found)| known.eq_ignore_ascii_case(name) && same_optional(value, found, true))
        })
    };
    digits(left) == digits(right) && within(left, right) && within(right, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_part_is_found_and_nothing_is_changed() {
        let text =
            "sip:john.doe:p%3Aw@[2001:db8::1]:5061;transport=tls;x-c=5a/s/1/8c;lr?Replaces=a%40b&Subject=x";
        let uri = uri(text);
        assert_eq!((uri.user(), uri.password()), (Some(&b"john.doe"[..]), Some(&b"p%3Aw"[..])));
        assert_eq!((uri.host(), uri.port()), (&b"[2001:db8::1]"[..], Some(5061)));
        assert_eq!((uri.param("TRANSPORT"), uri.param("x-c")), (Some(&b"tls"[..]), Some(&b"5a/s/1/8c"[..])));
        assert_eq!((uri.param("lr"), uri.param("maddr")), (Some(&b""[..]), None));
        assert_eq!((uri.header("subject"), uri.headers().is_some()), (Some(&b"x"[..]), true));
        assert_eq!(uri.to_string(), text);
        assert_eq!(uri.without_headers(), text.split('?').next().unwrap());
    }

    #[test]
    fn other_schemes_are_read_as_far_as_they_go() {
        let tel = uri("tel:+1-201-555-0123;phone-context=example.com");
        assert_eq!(
            (tel.user(), tel.param("phone-context")),
            (Some(&b"+1-201-555-0123"[..]), Some(&b"example.com"[..]))
        );
        assert_eq!((uri("URN:service:sos").scheme(), uri("im:a@b").opaque()), (Scheme::Urn, &b"a@b"[..]));
    }

    #[test]
    fn what_is_no_uri_is_refused_with_its_byte() {
        for (text, offset) in [
            ("", 0),
            ("sip", 0),
            (":a", 0),
            ("1x:a", 0),
            ("sip:", 4),
            ("sip:a@", 6),
            ("sip:@b", 4),
            ("sip:a b@c", 5),
            ("sip:a@b:", 8),
            ("sip:a@b:x", 8),
            ("sip:a@b:65536", 8),
            ("sip:a@b@c", 7),
            ("sip:a@[::1", 6),
            ("sip:a@[x]", 6),
            ("tel:", 4),
            ("tel:;x", 4),
            ("urn:", 4),
            ("sip:a@b\"", 7),
            ("sip:a@b>", 7),
        ] {
            match Uri::parse(Bytes::copy_from_slice(text.as_bytes())) {
                Err(ParseError::Malformed { offset: found, .. }) => assert_eq!(found, offset, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    /// The examples of RFC 3261 §19.1.4.
    #[test]
    fn uris_are_equivalent_by_the_examples_of_rfc_3261() {
        for (left, right) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+1(201)555-0123", "tel:+12015550123"),
            ("sip:a.c;b=x;b", "sip:a.c;b;b=x"), // forbidden, but a URI must at least equal itself
        ] {
            assert!(uri(left).equivalent(&uri(right)) && uri(right).equivalent(&uri(left)), "{left} {right}");
        }
        for (left, right) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a%40b@c.com", "sips:a%40b@c.com"),
            ("sip:a%3Bb@c.com", "sip:a;b@c.com"),
            ("tel:+1201;ext=1", "tel:+1201"),
        ] {
            assert!(
                !uri(left).equivalent(&uri(right)) && !uri(right).equivalent(&uri(left)),
                "{left} {right}"
            );
        }
    }
}
