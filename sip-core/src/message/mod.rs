//! SIP messages (RFC 3261 §7): read without copying, written without parsing.
//!
//! [`Message`] is an index over the received bytes. Unknown methods and headers, odd spelling and bytes that are no
//! UTF-8 pass through as they came. [`Builder`] writes messages; [`respond_to`] begins the answer to a request.
//!
//! The way of a request: [`Message::parse`]; if that fails, [`Message::salvage`] and the error's
//! [`status`](ParseError::status); if not, [`Message::validate_request`], which says what to answer or to be silent.

mod build;
mod error;
mod header;
mod method;
mod name_addr;
mod params;
mod parse;
mod refer_to;
mod status;
mod text;
mod uri;
mod validate;
mod via;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use build::{Body, Builder, respond_to};
pub use error::ParseError;
pub use header::Header;
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::Limits;
pub use refer_to::{ReferTo, Replaces};
pub use status::StatusCode;
pub use uri::{Scheme, Uri, host_ip};
pub use validate::Refusal;
pub use via::{MAGIC_COOKIE, Via};

use parse::{Mode, Slot, Span, Start};
use text::{Cursor, is_blank, is_token_byte};
pub(crate) use text::{decimal, is_token, next_element, quoted_end, unfold, unquote};

/// One SIP message. A clone shares the bytes and the index.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    start: Start,
    fields: Arc<[Slot]>,
    body: u32,
}

/// One header field as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Which header it is, long or compact.
    pub header: Header,
    /// The name as written.
    pub name: &'a [u8],
    /// The value as written, without blanks around it; a folded value still has its line ends.
    pub value: &'a [u8],
}

/// CSeq: the place of a request in its dialog (RFC 3261 §20.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// 0 to 2^31 - 1 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method it counts.
    pub method: Method,
}

impl Message {
    /// Reads one datagram or one framed message with the default [`Limits`].
    ///
    /// Bytes behind the body that Content-Length tells of are dropped (RFC 3261 §18.3). CRLFs before the start line,
    /// lines that end with LF alone, folds, and blanks before the colon are read. Headers are not judged yet, except
    /// Content-Length.
    ///
    /// # Errors
    /// `NotSip` if the first line is none; `Malformed` for a line that is no header field or a Request-URI with
    /// blanks; `Repeated` for a second Content-Length; `Truncated` if the body is shorter than promised; `TooLong`
    /// and `TooMany` beyond the limits. [`Message::salvage`] then helps to answer.
    pub fn parse(bytes: Bytes) -> Result<Message, ParseError> {
        parse::read(bytes, &Limits::DEFAULT, Mode::Strict)
    }

    /// As [`parse`](Message::parse), with other limits.
    ///
    /// # Errors
    /// As [`parse`](Message::parse).
    pub fn parse_with(bytes: Bytes, limits: &Limits) -> Result<Message, ParseError> {
        parse::read(bytes, limits, Mode::Strict)
    }

    /// What can be read of a *request* that [`parse`](Message::parse) refused: enough to answer it with [`respond_to`].
    ///
    /// `None` if nothing may or can be answered: it is a response or an ACK, it is no SIP, or it has no readable Via.
    pub fn salvage(bytes: Bytes) -> Option<Message> {
        let message = parse::read(bytes, &Limits::DEFAULT, Mode::Salvage).ok()?;
        message.is_answerable().then_some(message)
    }

    /// The message as it came, from the start line to the end of the body.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// True for a request, false for a response.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of the request line; in a response that of CSeq, an empty `Other` if CSeq cannot be read.
    pub fn method(&self) -> Method {
        match &self.start {
            Start::Request { method, .. } => method.clone(),
            Start::Response { .. } => self.cseq().map_or(Method::Other(Bytes::new()), |cseq| cseq.method),
        }
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// `Malformed` if it is no URI or this is a response.
    pub fn request_uri(&self) -> Result<Uri, ParseError> {
        match &self.start {
            Start::Request { uri, .. } => Uri::parse_as("Request-URI", self.slice(uri)),
            Start::Response { .. } => Err(ParseError::Missing { header: "Request-URI" }),
        }
    }

    /// The Request-URI as written; empty in a response.
    pub fn request_uri_bytes(&self) -> Bytes {
        match &self.start {
            Start::Request { uri, .. } => self.slice(uri),
            Start::Response { .. } => Bytes::new(),
        }
    }

    /// The status of a response.
    pub fn status(&self) -> Option<StatusCode> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// What a response says behind its status, any bytes; empty in a request.
    pub fn reason_phrase(&self) -> &[u8] {
        match &self.start {
            Start::Request { .. } => b"",
            Start::Response { reason, .. } => self.at(reason),
        }
    }

    /// True unless a request speaks another version than `SIP/2.0`.
    pub fn is_version_2(&self) -> bool {
        match &self.start {
            Start::Request { version, .. } => self.at(version).eq_ignore_ascii_case(b"SIP/2.0"),
            Start::Response { .. } => true,
        }
    }

    /// All header fields in order, as they came.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|slot| self.field(slot))
    }

    /// How many fields of that header there are.
    pub fn count(&self, header: Header) -> usize {
        self.slots(header).count()
    }

    /// The value of the first field of that header, trimmed, each fold a space.
    pub fn value(&self, header: Header) -> Option<Cow<'_, [u8]>> {
        self.slots(header).next().map(|slot| self.text(slot))
    }

    /// All values of that header over all its fields; lists come apart at commas outside quotes and `<>`.
    ///
    /// An empty field gives nothing, an empty element in a list an empty value.
    pub fn values(&self, header: Header) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.slots(header).flat_map(move |slot| Elements::new(self.text(slot), header.is_list()))
    }

    /// The values of an unknown header, by its name in any case; one per field.
    pub fn named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = Cow<'a, [u8]>> {
        let fields = self.fields.iter().filter(move |slot| self.field(slot).name.eq_ignore_ascii_case(name));
        fields.map(|slot| self.text(slot))
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// `Missing`, or `Malformed`.
    pub fn via(&self) -> Result<Via, ParseError> {
        Via::parse(self.first(Header::Via)?)
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via, ParseError>> {
        self.elements(Header::Via).map(Via::parse)
    }

    /// From: who began the dialog.
    ///
    /// # Errors
    /// `Missing`, or `Malformed`.
    pub fn from(&self) -> Result<NameAddr, ParseError> {
        self.address(Header::From)
    }

    /// To: who was called.
    ///
    /// # Errors
    /// `Missing`, or `Malformed`.
    pub fn to(&self) -> Result<NameAddr, ParseError> {
        self.address(Header::To)
    }

    /// The tag of From or To; `None` if it is absent, empty or unreadable. The URI is not looked at: who a message belongs
    /// to is asked several times of each, and what is there was judged once.
    pub fn tag(&self, header: Header) -> Option<Bytes> {
        NameAddr::tag_in(header.name(), &self.first(header).ok()?).ok()?
    }

    /// The first Contact: where the sender can be reached from now on.
    ///
    /// # Errors
    /// `Missing`, or `Malformed`, also for the `*` of a REGISTER.
    pub fn contact(&self) -> Result<NameAddr, ParseError> {
        self.address(Header::Contact)
    }

    /// The first value of any header that holds addresses: Refer-To, P-Asserted-Identity, Diversion, ...
    ///
    /// # Errors
    /// `Missing`, or `Malformed`.
    pub fn address(&self, header: Header) -> Result<NameAddr, ParseError> {
        NameAddr::parse_as(header.name(), self.first(header)?)
    }

    /// All values of a header that holds addresses; none if there is no such header.
    ///
    /// # Errors
    /// `Malformed` for the first that is no address.
    pub fn addresses(&self, header: Header) -> Result<Vec<NameAddr>, ParseError> {
        self.elements(header).map(|value| NameAddr::parse_as(header.name(), value)).collect()
    }

    /// Route values, next hop first.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn routes(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(Header::Route)
    }

    /// Record-Route values in order.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(Header::RecordRoute)
    }

    /// CSeq.
    ///
    /// # Errors
    /// `Missing`; `Malformed` if it is not a number below 2^31 (RFC 3261 §8.1.1.5) and a method.
    pub fn cseq(&self) -> Result<CSeq, ParseError> {
        let text = self.first(Header::CSeq)?;
        let mut cursor = Cursor::new(Header::CSeq.name(), &text);
        let digits = cursor.take_while("a number", |byte| byte.is_ascii_digit())?;
        let number = decimal(digits).and_then(|number| u32::try_from(number).ok()).filter(|&n| n < 1 << 31);
        let number = number.ok_or_else(|| cursor.error("a number below 2^31"))?;
        if cursor.skip_blanks() == 0 {
            return Err(cursor.error("a blank before the method"));
        }
        let method = cursor.take_while("a method", is_token_byte)?;
        let method = Method::known(method).unwrap_or_else(|| Method::Other(cursor.own(method)));
        match cursor.peek() {
            None => Ok(CSeq { number, method }),
            Some(_) => Err(cursor.error("nothing behind the method")),
        }
    }

    /// Call-ID, compared byte for byte (RFC 3261 §20.8).
    ///
    /// # Errors
    /// `Missing`; `Malformed` if it is empty or has blanks in it.
    pub fn call_id(&self) -> Result<Bytes, ParseError> {
        let text = self.first(Header::CallId)?;
        let blank = text.iter().position(|&byte| is_blank(byte));
        match blank.or(text.is_empty().then_some(0)) {
            None => Ok(text),
            Some(offset) => Err(ParseError::Malformed { part: "Call-ID", offset, expected: "one word" }),
        }
    }

    /// Max-Forwards; `None` if absent, which an RFC 2543 client may (RFC 3261 §16.3).
    ///
    /// # Errors
    /// `Malformed` if it is not a number of 0 to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, ParseError> {
        Ok(self.number(Header::MaxForwards, u64::from(u8::MAX))?.map(|hops| hops as u8))
    }

    /// Content-Type as written.
    pub fn content_type(&self) -> Option<Bytes> {
        self.first(Header::ContentType).ok()
    }

    /// True if the media type is `kind` (`application/sdp`), whatever its case, blanks and parameters.
    pub fn has_content_type(&self, kind: &str) -> bool {
        let Some(value) = self.value(Header::ContentType) else { return false };
        let written = value.iter().take_while(|&&byte| byte != b';').filter(|&&byte| !is_blank(byte));
        written.map(u8::to_ascii_lowercase).eq(kind.bytes().map(|byte| byte.to_ascii_lowercase()))
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body as usize..)
    }

    /// True if one of that header's values is this token, in any case (`Supported: timer`).
    pub fn has_token(&self, header: Header, token: &str) -> bool {
        self.values(header).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// A header that is one number of at most `limit`; `None` if absent.
    fn number(&self, header: Header, limit: u64) -> Result<Option<u64>, ParseError> {
        let Some(value) = self.value(header) else { return Ok(None) };
        match decimal(&value).filter(|&number| number <= limit) {
            Some(number) => Ok(Some(number)),
            None => Err(ParseError::Malformed {
                part: header.name(),
                offset: 0,
                expected: "a number in its range",
            }),
        }
    }

    /// The first value of a header as its own slice: of the message, or of an unfolded copy.
    fn first(&self, header: Header) -> Result<Bytes, ParseError> {
        self.elements(header).next().ok_or(ParseError::Missing { header: header.name() })
    }

    fn elements(&self, header: Header) -> impl Iterator<Item = Bytes> {
        self.values(header).map(|value| match value {
            Cow::Borrowed(text) => self.bytes.slice_ref(text),
            Cow::Owned(text) => Bytes::from(text),
        })
    }

    fn slots(&self, header: Header) -> impl Iterator<Item = &Slot> {
        self.fields.iter().filter(move |slot| slot.header == header)
    }

    fn field(&self, slot: &Slot) -> Field<'_> {
        let name_end = slot.name_start + u32::from(slot.name_len);
        let value = self.at(&(slot.value_start..slot.value_end));
        Field { header: slot.header, name: self.at(&(slot.name_start..name_end)), value }
    }

    fn text(&self, slot: &Slot) -> Cow<'_, [u8]> {
        let value = self.at(&(slot.value_start..slot.value_end));
        if slot.folded { unfold(value) } else { Cow::Borrowed(value) }
    }

    fn at(&self, span: &Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    fn slice(&self, span: &Span) -> Bytes {
        self.bytes.slice(span.start as usize..span.end as usize)
    }
}

impl fmt::Debug for Message {
    /// The start line only: the rest is personal data and may be long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.bytes.split(|&byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or(b"");
        write!(f, "Message({})", String::from_utf8_lossy(line))
    }
}

/// The values of one field.
struct Elements<'a> {
    text: Cow<'a, [u8]>,
    /// Where the next one begins; `None` behind the last.
    at: Option<usize>,
    is_list: bool,
}

impl<'a> Elements<'a> {
    fn new(text: Cow<'a, [u8]>, is_list: bool) -> Self {
        let at = (!text.is_empty()).then_some(0);
        Elements { text, at, is_list }
    }

    /// Takes the next element off `text`.
    fn step<'t>(text: &'t [u8], at: &mut Option<usize>, is_list: bool) -> Option<&'t [u8]> {
        let start = at.take()?;
        if !is_list {
            return Some(text);
        }
        let mut rest = Some(&text[start..]);
        let element = next_element(&mut rest);
        *at = rest.map(|rest| text.len() - rest.len());
        element
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Cow<'a, [u8]>> {
        match &self.text {
            Cow::Borrowed(text) => Elements::step(text, &mut self.at, self.is_list).map(Cow::Borrowed),
            Cow::Owned(text) => {
                Elements::step(text, &mut self.at, self.is_list).map(|element| Cow::Owned(element.to_vec()))
            }
        }
    }
}
