//! Whom a REFER sends to whom: Refer-To (RFC 3515 §2.1) and Replaces (RFC 3891 §6.1).

use std::fmt;

use bytes::Bytes;

use super::params::Params;
use super::text::trim;
use super::uri::{Uri, decode};
use super::{Header, Message, NameAddr, ParseError};

/// The target of a REFER.
#[derive(Debug, Clone)]
pub struct ReferTo {
    /// As it came, parameters of unknown meaning and letter case included.
    pub uri: Uri,
}

/// The name of a dialog that a new one is to take the place of, as seen by who gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: Bytes,
    /// The tag of whoever gets this; `0` for one of RFC 2543.
    pub to_tag: Bytes,
    /// The tag of the other side.
    pub from_tag: Bytes,
    /// Only as long as that dialog is not answered.
    pub early_only: bool,
}

impl ReferTo {
    /// Reads the one Refer-To of a REFER.
    ///
    /// Without angle brackets the whole value is the URI, which strictly is so only if neither `;` nor `?` is in it
    /// (RFC 3261 §20): a Refer-To has no parameters of its own that anybody writes, and its URI often has.
    ///
    /// # Errors
    /// `Missing` without one, `Malformed` with several (RFC 3515 §2.4.1) or if it is no URI.
    pub fn of(request: &Message) -> Result<ReferTo, ParseError> {
        let header = Header::ReferTo;
        let value = request.value(header).ok_or(ParseError::Missing { header: header.name() })?;
        if request.count(header) > 1 {
            return Err(fault("Refer-To", "only one"));
        }
        let value = Bytes::copy_from_slice(trim(&value));
        let uri = match value.contains(&b'<') {
            true => NameAddr::parse_as("Refer-To", value)?.uri,
            false => Uri::parse_as("Refer-To", value)?,
        };
        Ok(ReferTo { uri })
    }

    /// What an INVITE to it has as its Request-URI: byte for byte as it came but for what may not stand there, the
    /// `?headers` and the `method` parameter (RFC 3261 §19.1.1).
    pub fn request_uri(&self) -> Bytes {
        let bare = self.uri.without_headers();
        if self.uri.param("method").is_none() {
            return bare;
        }
        let mut parts = bare.split(|b| *b == b';');
        let mut uri = parts.next().unwrap_or_default().to_vec();
        for part in parts.filter(|part| !is_method(part)) {
            uri.push(b';');
            uri.extend_from_slice(part);
        }
        uri.into()
    }

    /// Another request than an INVITE is asked for (RFC 3515 §2.1).
    pub fn is_of_another_method(&self) -> bool {
        self.uri.param("method").is_some_and(|method| !method.eq_ignore_ascii_case(b"INVITE"))
    }

    /// The dialog that the INVITE is to replace: an attended transfer (RFC 5589 §7). `None` if it names none.
    pub fn replaces(&self) -> Option<Result<Replaces, ParseError>> {
        self.uri.header("Replaces").map(|escaped| Replaces::parse(&decode(escaped)))
    }
}

impl Replaces {
    /// Reads a value of the header.
    ///
    /// # Errors
    /// `Malformed` without a Call-ID or one of the two tags.
    pub fn parse(text: &[u8]) -> Result<Replaces, ParseError> {
        let text = trim(text);
        let end = text.iter().position(|b| *b == b';').unwrap_or(text.len());
        let params = Params::parse(&Bytes::copy_from_slice(&text[end..]))?;
        let tag = |name| params.get(name).filter(|tag| !tag.is_empty()).map(Bytes::copy_from_slice);
        let call_id = Bytes::copy_from_slice(trim(&text[..end]));
        match (tag("to-tag"), tag("from-tag")) {
            (Some(to_tag), Some(from_tag)) if !call_id.is_empty() => {
                Ok(Replaces { call_id, to_tag, from_tag, early_only: params.has("early-only") })
            }
            _ => Err(fault("Replaces", "a Call-ID, to-tag and from-tag")),
        }
    }
}

impl fmt::Display for Replaces {
    /// As a value of the header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (call_id, to_tag, from_tag) = (text(&self.call_id), text(&self.to_tag), text(&self.from_tag));
        let early_only = if self.early_only { ";early-only" } else { "" };
        write!(f, "{call_id};to-tag={to_tag};from-tag={from_tag}{early_only}")
    }
}

fn is_method(param: &[u8]) -> bool {
    param.get(..7).is_some_and(|name| name.eq_ignore_ascii_case(b"method="))
}

fn fault(part: &'static str, expected: &'static str) -> ParseError {
    ParseError::Malformed { part, offset: 0, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refer(fields: &str) -> Result<ReferTo, ParseError> {
        let text = format!("REFER sip:a@b SIP/2.0\r\n{fields}\r\n");
        ReferTo::of(&Message::parse(text.into()).unwrap())
    }

    #[test]
    fn what_is_not_understood_is_kept_byte_for_byte() {
        let uri = "sip:sip.pstnhub.example:5061;transport=TLS;x-m=8:orgid:1c9B;X-tt=aHR0cHM6Ly9%2f";
        for field in ["Refer-To", "r", "REFER-TO"] {
            let to = refer(&format!("{field}: \"Bo\" <{uri}>\r\n")).unwrap();
            assert_eq!((to.request_uri(), to.uri.user()), (Bytes::from(uri), None));
            assert!(to.replaces().is_none());
        }
    }

    #[test]
    fn the_headers_and_the_method_of_the_uri_are_no_part_of_a_request_uri() {
        let to = refer("Refer-To: <sip:bo@b;a=1;method=INVITE;c=2?Subject=x>\r\n").unwrap();
        assert_eq!(to.request_uri(), "sip:bo@b;a=1;c=2");
        assert!(!to.is_of_another_method());
        assert!(refer("Refer-To: <sip:bo@b;method=BYE>\r\n").unwrap().is_of_another_method());
    }

    #[test]
    fn a_replaces_is_read_out_of_its_escapes_with_and_without_brackets() {
        let escaped = "sip:bo@b?Replaces=c1%40x%3Bto-tag%3Dme%3Bfrom-tag%3Dyou%3Bearly-only&Require=replaces";
        for value in [format!("<{escaped}>"), escaped.to_owned()] {
            let replaces = refer(&format!("Refer-To: {value}\r\n")).unwrap().replaces().unwrap().unwrap();
            let Replaces { call_id, to_tag, from_tag, early_only } = replaces;
            assert_eq!((&call_id[..], &to_tag[..], &from_tag[..]), (&b"c1@x"[..], &b"me"[..], &b"you"[..]));
            assert!(early_only);
        }
    }

    #[test]
    fn none_two_and_broken_ones_are_faults() {
        for fields in ["", "Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>\r\n", "Refer-To: <>\r\n"] {
            assert!(refer(fields).is_err(), "{fields}");
        }
        for text in ["", "c1", "c1;to-tag=a", "c1;to-tag=;from-tag=b", ";to-tag=a;from-tag=b"] {
            assert!(Replaces::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
