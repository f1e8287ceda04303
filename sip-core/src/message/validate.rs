//! Is a request fit to be worked on, and if not, what does its sender hear (RFC 3261 §8.2, §16.3, §21.4)?
//!
//! Only what the message says by itself is judged here. What depends on what we can do (method, scheme of the
//! Request-URI, Require, body) and on what we know (dialogs, loops) is for the endpoint.

use std::borrow::Cow;

use super::{Header, Message, Method, ParseError, StatusCode, Via};

/// Why a request is not worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its sender is told.
    Answer {
        /// 400, 505 or 513.
        status: StatusCode,
        /// What is wrong, for the Reason-Phrase (RFC 3261 §21.4.1).
        phrase: Cow<'static, str>,
    },
    /// It is dropped: an ACK is never answered, and without a Via there is nobody to answer.
    Silence {
        /// What is wrong, for the log.
        why: Cow<'static, str>,
    },
}

impl Refusal {
    /// The status to answer with; `None` when silence is right.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Refusal::Answer { status, .. } => Some(*status),
            Refusal::Silence { .. } => None,
        }
    }

    /// What is wrong, in words fit for a Reason-Phrase.
    pub fn phrase(&self) -> &str {
        match self {
            Refusal::Answer { phrase, .. } => phrase,
            Refusal::Silence { why } => why,
        }
    }
}

/// Headers that may come only once; two of them are two answers to one question (RFC 4475 §3.3.8).
const ONCE: [Header; 5] = [Header::From, Header::To, Header::CallId, Header::CSeq, Header::MaxForwards];

impl Message {
    /// Judges a request by itself, in the order of RFC 3261 §8.2 and §16.3: version, mandatory headers present, once
    /// and well formed, the method of CSeq that of the request line.
    ///
    /// Forgiven, because RFC 2543 clients do so: no Max-Forwards, no From tag, no branch, no Contact.
    ///
    /// # Errors
    /// The [`Refusal`]: 505 for another version, 400 with a phrase that names the fault, or silence.
    pub fn validate_request(&self) -> Result<(), Refusal> {
        if !self.is_version_2() {
            let status = StatusCode::VERSION_NOT_SUPPORTED;
            return Err(self.refusal(status, Cow::Borrowed(status.reason())));
        }
        self.check().map_err(|fault| {
            let status = fault.status().unwrap_or(StatusCode::BAD_REQUEST);
            self.refusal(status, Cow::Owned(fault.to_string()))
        })
    }

    fn refusal(&self, status: StatusCode, phrase: Cow<'static, str>) -> Refusal {
        if self.is_answerable() {
            Refusal::Answer { status, phrase }
        } else {
            Refusal::Silence { why: phrase }
        }
    }

    /// A request, not an ACK (RFC 3261 §17.1.1.3), with a top Via that says where it came from (§18.2.2).
    pub(super) fn is_answerable(&self) -> bool {
        let via = self.elements(Header::Via).next();
        self.is_request() && self.method() != Method::Ack && via.is_some_and(|text| Via::has_sender(&text))
    }

    fn check(&self) -> Result<(), ParseError> {
        self.request_uri().and_then(|uri| match uri.headers() {
            None => Ok(()),
            Some(_) => Err(malformed("Request-URI", "no header fields in it")), // RFC 3261 §19.1.1, table 1
        })?;
        let mut vias = self.vias();
        vias.next().ok_or(ParseError::Missing { header: Header::Via.name() })??;
        vias.try_for_each(|via| via.map(drop))?;
        if let Some(header) = ONCE.into_iter().find(|&header| self.count(header) > 1) {
            return Err(ParseError::Repeated { header: header.name() });
        }
        self.from()?;
        self.to()?;
        self.call_id()?;
        self.max_forwards()?;
        if self.cseq()?.method != self.method() {
            return Err(malformed("CSeq", "the method of the Request-Line"));
        }
        self.routes()?;
        self.record_routes()?;
        self.check_contact()
    }

    /// All Contacts must be readable; `*` belongs to REGISTER alone (RFC 3261 §10.2.2).
    fn check_contact(&self) -> Result<(), ParseError> {
        if self.method() == Method::Register && self.value(Header::Contact).as_deref() == Some(b"*") {
            return Ok(());
        }
        self.addresses(Header::Contact).map(drop)
    }
}

fn malformed(part: &'static str, expected: &'static str) -> ParseError {
    ParseError::Malformed { part, offset: 0, expected }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const GOOD: &str = "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1@a\r\n\
        CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n\r\n";

    /// The good request with one line made another.
    fn judged(from: &str, to: &str) -> Result<(), Refusal> {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD);
        Message::parse(Bytes::from(text)).unwrap().validate_request()
    }

    fn refusal(from: &str, to: &str) -> (Option<u16>, String) {
        let refusal = judged(from, to).expect_err("a refusal");
        (refusal.status().map(StatusCode::code), refusal.phrase().to_owned())
    }

    #[test]
    fn a_missing_header_is_named() {
        for (line, name) in [
            ("From: <sip:a@example.com>;tag=1\r\n", "From"),
            ("To: <sip:b@example.com>\r\n", "To"),
            ("Call-ID: 1@a\r\n", "Call-ID"),
            ("CSeq: 1 INVITE\r\n", "CSeq"),
        ] {
            assert_eq!(refusal(line, ""), (Some(400), format!("missing {name} header field")));
        }
    }

    #[test]
    fn what_an_older_client_leaves_out_is_forgiven() {
        for line in ["Max-Forwards: 70\r\n", ";branch=z9hG4bK1", ";tag=1", "Contact: <sip:a@192.0.2.1>\r\n"] {
            assert_eq!(judged(line, ""), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_malformed_header_is_named() {
        for (from, to, part) in [
            ("SIP/2.0/UDP 192.0.2.1;", "SIP/2.0/UDP 192.0.2.1;;", "Via"),
            ("<sip:a@example.com>", "<sip:a@example.com", "From"),
            ("<sip:b@example.com>", "\"b <sip:b@example.com>", "To"),
            ("1@a", "1 @a", "Call-ID"),
            ("1@a", "", "Call-ID"),
            ("1 INVITE", "INVITE", "CSeq"),
            ("1 INVITE", "2147483648 INVITE", "CSeq"),
            ("1 INVITE", "1 ACK", "CSeq"),
            ("1 INVITE", "1 invite", "CSeq"),
            ("70", "256", "Max-Forwards"),
            ("70", "seventy", "Max-Forwards"),
            ("Contact: <sip:a@192.0.2.1>", "Contact: *", "Contact"),
            ("Contact: <sip:a@192.0.2.1>", "Contact: <sip:a@192.0.2.1>,", "Contact"),
            ("Contact: ", "Route: sip\r\nContact: ", "Route"),
            ("Contact: ", "Record-Route: <>\r\nContact: ", "Record-Route"),
            ("sip:b@example.com SIP", "sip:@ SIP", "Request-URI"),
            ("sip:b@example.com SIP", "nonsense SIP", "Request-URI"),
            ("sip:b@example.com SIP", "sip:b@example.com:99999 SIP", "Request-URI"),
        ] {
            let (status, phrase) = refusal(from, to);
            assert_eq!(status, Some(400), "{to}");
            let named =
                ["malformed ", "missing "].iter().any(|how| phrase.starts_with(&format!("{how}{part} ")));
            assert!(named, "{to}: {phrase}");
        }
    }

    #[test]
    fn another_version_is_told_so_before_anything_else() {
        let text = GOOD.replace("com SIP/2.0", "com SIP/2.1").replace("Call-ID: 1@a\r\n", "");
        let refusal = Message::parse(Bytes::from(text)).unwrap().validate_request().unwrap_err();
        assert_eq!(refusal.status(), Some(StatusCode::VERSION_NOT_SUPPORTED));
    }

    #[test]
    fn an_ack_and_a_request_from_nowhere_hear_nothing() {
        let ack = GOOD.replace("INVITE", "ACK").replace("Call-ID: 1@a\r\n", "");
        let refusal = Message::parse(Bytes::from(ack.clone())).unwrap().validate_request().unwrap_err();
        assert_eq!((refusal.status(), refusal.phrase()), (None, "missing Call-ID header field"));
        assert!(Message::salvage(Bytes::from(ack)).is_none());
        for nowhere in ["", "Via: nonsense\r\n", "Via: SIP/2.0/UDP\r\n"] {
            let (status, _) =
                super::tests::refusal("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n", nowhere);
            assert_eq!(status, None, "{nowhere}");
        }
    }
}
