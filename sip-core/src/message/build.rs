//! Messages to send: written once, front to back, into one buffer.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};

use super::text::unfold;
use super::{Header, Message, Method, StatusCode, Via};

/// A body and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The value of Content-Type, `application/sdp` for instance.
    pub content_type: Bytes,
    /// The body itself.
    pub bytes: Bytes,
}

/// Writes one message. Headers stand in the order they are given; Content-Type and Content-Length come last.
///
/// A CR or LF in a value would let it end the header and begin another; it is written as a space, and in debug builds
/// it is a panic, for the fault is the caller's.
#[derive(Debug)]
pub struct Builder {
    out: BytesMut,
    /// Written last, so that headers may still follow; its type is empty if it stands among the headers.
    body: Option<Body>,
}

/// Room for most messages; longer ones grow.
const CAPACITY: usize = 1_024;

impl Builder {
    /// Begins a request.
    pub fn request(method: &Method, uri: &[u8]) -> Builder {
        let mut builder = Builder::empty();
        builder.put(method.as_bytes());
        builder.out.extend_from_slice(b" ");
        builder.put(uri);
        builder.out.extend_from_slice(b" SIP/2.0\r\n");
        builder
    }

    /// Begins a response; without `reason` the registered phrase is used.
    pub fn response(status: StatusCode, reason: Option<&[u8]>) -> Builder {
        let mut builder = Builder::empty();
        builder.out.extend_from_slice(b"SIP/2.0 ");
        builder.number(status.code());
        builder.out.extend_from_slice(b" ");
        builder.put(reason.unwrap_or(status.reason().as_bytes()));
        builder.end_line();
        builder
    }

    fn empty() -> Builder {
        Builder { out: BytesMut::with_capacity(CAPACITY), body: None }
    }

    /// Adds a header. Not for Content-Length, which [`finish`](Builder::finish) writes, nor for [`Header::Other`].
    pub fn header(&mut self, header: Header, value: impl AsRef<[u8]>) -> &mut Builder {
        debug_assert!(
            !matches!(header, Header::Other | Header::ContentLength),
            "{header} cannot be set here"
        );
        self.named(header.name().as_bytes(), value)
    }

    /// Adds a header under any name.
    pub fn named(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Builder {
        self.begin(name.as_ref());
        self.put(value.as_ref());
        self.end_line();
        self
    }

    /// Adds a header whose value is made of parts.
    pub fn parts(&mut self, header: Header, parts: &[&[u8]]) -> &mut Builder {
        self.begin(header.name().as_bytes());
        for part in parts {
            self.put(part);
        }
        self.end_line();
        self
    }

    /// Copies all fields of a header, name and value byte for byte; only a fold becomes a space (RFC 3261 §7.3.1).
    pub fn copy(&mut self, from: &Message, header: Header) -> &mut Builder {
        for field in from.fields().filter(|field| field.header == header) {
            self.named(field.name, unfold(field.value));
        }
        self
    }

    /// Copies the fields of an unknown header, by its name in any case.
    pub fn copy_named(&mut self, from: &Message, name: &[u8]) -> &mut Builder {
        for field in from.fields().filter(|field| field.name.eq_ignore_ascii_case(name)) {
            self.named(field.name, unfold(field.value));
        }
        self
    }

    /// Sets the body.
    pub fn body(&mut self, content_type: impl AsRef<[u8]>, body: &[u8]) -> &mut Builder {
        let content_type = Bytes::copy_from_slice(content_type.as_ref());
        self.attach(&Body { content_type, bytes: Bytes::copy_from_slice(body) })
    }

    /// Sets the body without copying it yet.
    pub fn attach(&mut self, body: &Body) -> &mut Builder {
        self.body = Some(body.clone());
        self
    }

    /// Sets the body of a message whose Content-Type is already among its headers.
    pub fn bare_body(&mut self, body: &[u8]) -> &mut Builder {
        self.attach(&Body { content_type: Bytes::new(), bytes: Bytes::copy_from_slice(body) })
    }

    /// The message. The builder is empty afterwards.
    pub fn finish(&mut self) -> Bytes {
        let body = self.body.take();
        if let Some(body) = body.as_ref().filter(|body| !body.content_type.is_empty()) {
            self.header(Header::ContentType, &body.content_type);
        }
        let bytes = body.map_or(Bytes::new(), |body| body.bytes);
        self.out.reserve(bytes.len() + 32);
        self.begin(Header::ContentLength.name().as_bytes());
        self.number(bytes.len());
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(&bytes);
        trimmed(std::mem::take(&mut self.out))
    }

    fn begin(&mut self, name: &[u8]) {
        debug_assert!(super::text::is_token(name), "not a header name");
        self.put(name);
        self.out.extend_from_slice(b": ");
    }

    fn end_line(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Writes text that may not end its line.
    fn put(&mut self, text: &[u8]) {
        match memchr::memchr2(b'\r', b'\n', text) {
            None => self.out.extend_from_slice(text),
            Some(_) => {
                debug_assert!(false, "line end in {:?}", String::from_utf8_lossy(text));
                self.out
                    .extend(text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
            }
        }
    }
}

/// Messages are kept for repeats as long as their transaction lives: a buffer mostly empty is not worth keeping.
fn trimmed(out: BytesMut) -> Bytes {
    if out.len() * 2 < out.capacity() { Bytes::copy_from_slice(&out) } else { out.freeze() }
}

/// Begins the response to `request` (RFC 3261 §8.2.6.2): its Vias, From, To, Call-ID and CSeq as they came.
///
/// The top Via gets `received` when the sender's own host is not the address of `source`, and where it asked for
/// `rport` both (RFC 3261 §18.2.1, RFC 3581 §4); what the sender wrote there itself is replaced. `to_tag` is added
/// where To has none; leave it out for 100. A 100 carries the request's Timestamp (§8.2.6.1). Without `reason` the
/// registered phrase is used.
pub fn respond_to(
    request: &Message,
    source: SocketAddr,
    status: StatusCode,
    reason: Option<&[u8]>,
    to_tag: Option<&[u8]>,
) -> Builder {
    let mut builder = Builder::response(status, reason);
    copy_vias(&mut builder, request, source);
    builder.copy(request, Header::From);
    copy_to(&mut builder, request, to_tag);
    builder.copy(request, Header::CallId).copy(request, Header::CSeq);
    if status == StatusCode::TRYING {
        builder.copy(request, Header::Timestamp);
    }
    builder
}

fn copy_vias(builder: &mut Builder, request: &Message, source: SocketAddr) {
    let mut fields = request.fields().filter(|field| field.header == Header::Via);
    let Some(top) = fields.next() else { return };
    let text = unfold(top.value);
    let stamped = request.via().ok().and_then(|via| stamp(&via, source));
    match stamped {
        None => builder.named(top.name, &text),
        Some(stamped) => {
            let mut rest = Some(&text[..]);
            super::text::next_element(&mut rest);
            let (comma, others): (&[u8], &[u8]) = rest.map_or((b"", b""), |others| (b",", others));
            builder.named(top.name, [&stamped, comma, others].concat())
        }
    };
    for field in fields {
        builder.named(field.name, unfold(field.value));
    }
}

/// The Via with `received` and `rport` as seen; `None` if nothing has to be added.
fn stamp(via: &Via, source: SocketAddr) -> Option<Vec<u8>> {
    let wants_port = via.params.has("rport");
    if !wants_port && !via.params.has("received") && via.host_ip() == Some(source.ip().to_canonical()) {
        return None;
    }
    let mut text = Vec::with_capacity(128);
    text.extend_from_slice(b"SIP/2.0/");
    text.extend_from_slice(&via.transport);
    text.push(b' ');
    text.extend_from_slice(&via.host);
    if let Some(port) = via.port {
        text.push(b':');
        put_number(&mut text, port);
    }
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case(b"received") || name.eq_ignore_ascii_case(b"rport") {
            continue;
        }
        text.push(b';');
        text.extend_from_slice(name);
        if let Some(value) = value {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
    text.extend_from_slice(b";received=");
    put_ip(&mut text, source.ip().to_canonical());
    if wants_port {
        text.extend_from_slice(b";rport=");
        put_number(&mut text, source.port());
    }
    Some(text)
}

/// As text. By `core::fmt` addresses were a tenth of what a response costs.
fn put_ip(text: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            for (at, octet) in ip.octets().into_iter().enumerate() {
                text.extend_from_slice(if at == 0 { b"" } else { b"." });
                put_number(text, octet.into());
            }
        }
        IpAddr::V6(ip) => text.extend_from_slice(ip.to_string().as_bytes()),
    }
}

fn put_number(text: &mut Vec<u8>, number: u16) {
    text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn copy_to(builder: &mut Builder, request: &Message, tag: Option<&[u8]>) {
    let tagless = request.tag(Header::To).is_none();
    match (tag.filter(|_| tagless), request.fields().find(|field| field.header == Header::To)) {
        (Some(tag), Some(field)) => {
            let value: Cow<'_, [u8]> = unfold(field.value);
            builder.named(field.name, [&value, &b";tag="[..], tag].concat());
        }
        _ => {
            builder.copy(request, Header::To);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:b@example.com SIP/2.0\r\n\
        v: SIP/2.0/UDP client.example.com:5070;rport;branch=z9hG4bK1;received=203.0.113.9, SIP/2.0/TCP x;branch=2\r\n\
        Via: SIP/2.0/UDP\r\n last.example.com\r\nFrom: <sip:a@example.com>;tag=1\r\nt: <sip:b@example.com>\r\n\
        Call-ID: 1@a\r\nCSeq: 1 INVITE\r\nTimestamp: 54\r\nX-Odd:  as, it;; is \r\n\r\n";

    fn invite() -> Message {
        Message::parse(Bytes::from_static(INVITE.as_bytes())).unwrap()
    }

    fn source(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_response_carries_what_the_request_came_with() {
        let mut builder =
            respond_to(&invite(), source("198.51.100.1:6060"), StatusCode::RINGING, None, Some(b"t1"));
        let expected = "SIP/2.0 180 Ringing\r\n\
            v: SIP/2.0/UDP client.example.com:5070;branch=z9hG4bK1;received=198.51.100.1;rport=6060, \
            SIP/2.0/TCP x;branch=2\r\nVia: SIP/2.0/UDP last.example.com\r\nFrom: <sip:a@example.com>;tag=1\r\n\
            t: <sip:b@example.com>;tag=t1\r\nCall-ID: 1@a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(builder.finish(), expected);
    }

    #[test]
    fn a_100_carries_the_timestamp_and_no_tag() {
        let bytes =
            respond_to(&invite(), source("198.51.100.1:6060"), StatusCode::TRYING, None, None).finish();
        let trying = Message::parse(bytes).unwrap();
        assert_eq!(trying.value(Header::Timestamp).as_deref(), Some(&b"54"[..]));
        assert_eq!(trying.to().unwrap().tag(), None);
    }

    #[test]
    fn the_top_via_is_left_alone_when_it_says_where_it_is() {
        let text = INVITE.replace("client.example.com:5070;rport;", "[2001:db8::1]:5070;");
        let request = Message::parse(Bytes::from(text.replace(";received=203.0.113.9", ""))).unwrap();
        let bytes = respond_to(&request, source("[2001:db8::1]:9"), StatusCode::OK, None, None).finish();
        assert_eq!(Message::parse(bytes).unwrap().via().unwrap(), request.via().unwrap());
        let other = respond_to(&request, source("[2001:db8::2]:9"), StatusCode::OK, None, None).finish();
        let via = Message::parse(other).unwrap().via().unwrap();
        assert_eq!((via.received(), via.rport()), ("2001:db8::2".parse().ok(), None));
    }

    #[test]
    fn a_tag_that_is_there_stays() {
        let text = INVITE.replace("t: <sip:b@example.com>", "t: <sip:b@example.com>;tag=old");
        let request = Message::parse(Bytes::from(text)).unwrap();
        let bytes = respond_to(&request, source("192.0.2.1:1"), StatusCode::OK, None, Some(b"new")).finish();
        assert_eq!(Message::parse(bytes).unwrap().to().unwrap().tag(), Some(&b"old"[..]));
    }

    #[test]
    fn the_body_comes_last_with_its_type_and_length() {
        let mut builder = Builder::request(&Method::Info, b"sip:b@example.com");
        let bytes = builder.body("text/plain", b"\r\n\xff").header(Header::Subject, "x").finish();
        assert_eq!(
            &bytes[..],
            b"INFO sip:b@example.com SIP/2.0\r\nSubject: x\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n\r\n\xff"
        );
    }

    #[test]
    fn unknown_headers_are_copied_byte_for_byte() {
        let bytes = Builder::response(StatusCode::OK, Some(b"Fine")).copy_named(&invite(), b"x-odd").finish();
        assert_eq!(bytes, "SIP/2.0 200 Fine\r\nX-Odd: as, it;; is\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "line end in"))]
    fn a_value_cannot_smuggle_a_header() {
        let bytes = Builder::response(StatusCode::OK, None).header(Header::Subject, "x\r\nEvil: y").finish();
        assert_eq!(bytes, "SIP/2.0 200 OK\r\nSubject: x  Evil: y\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn a_short_message_does_not_hold_a_long_buffer() {
        let bytes = Builder::response(StatusCode::OK, None).finish();
        assert!(bytes.try_into_mut().is_ok_and(|buffer| buffer.capacity() < CAPACITY / 2));
    }
}
