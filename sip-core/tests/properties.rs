//! What must hold for any bytes: no panic, no reading past the end, and what is written is read back.

use bytes::Bytes;
use proptest::prelude::*;
use sip_core::message::{Builder, Header, Limits, Message, Method, NameAddr, Params, Uri, Via, respond_to};
use sip_core::transport::{Framed, StreamFramer};

/// Touches every reader of a message.
fn read_all(bytes: &Bytes) {
    let read = [Message::parse(bytes.clone()).ok(), Message::salvage(bytes.clone())];
    for message in read.into_iter().flatten() {
        let _ = (
            message.via(),
            message.from(),
            message.to(),
            message.contact(),
            message.cseq(),
            message.call_id(),
        );
        let _ = (message.routes(), message.record_routes(), message.max_forwards(), message.request_uri());
        let _ =
            (message.method(), message.status(), message.reason_phrase().len(), message.validate_request());
        for field in message.fields() {
            let _ = message.values(field.header).count();
        }
        if message.is_request() {
            let source = "192.0.2.1:5060".parse().unwrap();
            let status = sip_core::message::StatusCode::BAD_REQUEST;
            let answer = respond_to(&message, source, status, None, Some(b"tag")).finish();
            Message::parse(answer).expect("what we write can be read");
        }
    }
    let _ = (
        Uri::parse(bytes.clone()),
        NameAddr::parse(bytes.clone()),
        Via::parse(bytes.clone()),
        Params::parse(bytes),
    );
}

/// Bytes that look like SIP here and there.
fn nearly_sip() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just(&b"INVITE sip:a@b SIP/2.0\r\n"[..]),
        Just(&b"SIP/2.0 200 OK\r\n"[..]),
        Just(&b"Via: SIP/2.0/UDP h"[..]),
        Just(&b"v: SIP / 2.0 / UDP [::1] : 5 ;a=\"b"[..]),
        Just(&b"From: \"x\\\" <sip:a:b@c:1;d=e?f=g>;tag=1"[..]),
        Just(&b"To: <"[..]),
        Just(&b"Call-ID: 1"[..]),
        Just(&b"CSeq: 1 INVITE"[..]),
        Just(&b"l: 5"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"\r\n "[..]),
        Just(&b"\r\n\r\n"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r"[..]),
        Just(&b","[..]),
        Just(&b";"[..]),
        Just(&b"\""[..]),
        Just(&b"<"[..]),
        Just(&b">"[..]),
        Just(&b"%4"[..]),
        Just(&b"\xff\x00"[..]),
        Just(&b"m: *"[..]),
        Just(&b"Route: <sip:p;lr>,<sip:q>"[..]),
    ];
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

fn frames(pieces: &[&[u8]]) -> (Vec<Framed>, bool) {
    let mut framer = StreamFramer::new(Limits { max_bytes: 200, ..Limits::DEFAULT });
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, false),
            }
        }
    }
    (frames, true)
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.!%*_+`'~-]{1,12}"
}

/// Any text that stands on one line and has no blanks at its ends.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>().prop_filter("line end", |byte| !matches!(byte, b'\r' | b'\n')), 0..40)
        .prop_map(|text| text.trim_ascii().to_vec())
        .prop_filter("blank at an end", |text| text.trim_ascii() == &text[..])
}

proptest! {
    // What is found becomes a named test, not a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&Bytes::from(bytes));
    }

    #[test]
    fn bytes_that_look_like_sip_are_read_without_panic(bytes in nearly_sip()) {
        read_all(&Bytes::from(bytes));
    }

    #[test]
    fn a_stream_is_cut_alike_wherever_it_is_split(bytes in nearly_sip(), at in any::<prop::sample::Index>()) {
        let at = at.index(bytes.len() + 1);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let whole = frames(&[&bytes]);
        prop_assert_eq!(&frames(&[&bytes[..at], &bytes[at..]]), &whole);
        prop_assert_eq!(&frames(&single), &whole);
    }

    #[test]
    fn a_framed_message_means_the_same_to_the_parser(bytes in nearly_sip()) {
        for frame in frames(&[&bytes]).0 {
            if let Framed::Message(framed) = frame
                && let Ok(message) = Message::parse(framed.clone())
            {
                prop_assert_eq!(message.bytes(), &framed);
            }
        }
    }

    #[test]
    fn what_is_built_is_read_back(
        method in word(),
        fields in prop::collection::vec((word(), value()), 0..12),
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let known = |name: &str| Header::named(name.as_bytes()) == Header::ContentLength;
        let fields: Vec<_> = fields.into_iter().filter(|(name, _)| !known(name)).collect();
        let mut builder = Builder::request(&Method::new(&Bytes::from(method.clone())), b"sip:a@b");
        for (name, value) in &fields {
            builder.named(name, value);
        }
        let bytes = builder.body("application/octet-stream", &body).finish();
        let message = Message::parse(bytes.clone()).unwrap();
        prop_assert_eq!(message.method().to_string(), method);
        let read: Vec<_> = message.fields().map(|f| (f.name.to_vec(), f.value.to_vec())).collect();
        let written: Vec<_> = fields.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
        prop_assert_eq!(&read[..written.len()], &written[..]);
        prop_assert_eq!(message.body(), body);
        prop_assert_eq!(frames(&[&bytes]).0.len() == 1, bytes.len() <= 200);
    }

    #[test]
    fn equivalence_of_uris_is_the_same_from_both_sides(
        left in "sips?:([a-c%41;]{0,4}@)?[ab]\\.c(:[56])?(;[ab](=[xX])?){0,2}(\\?[a=&]{1,3})?",
        right in "sips?:([a-c%41;]{0,4}@)?[ab]\\.c(:[56])?(;[ab](=[xX])?){0,2}(\\?[a=&]{1,3})?",
    ) {
        if let (Ok(left), Ok(right)) = (left.parse::<Uri>(), right.parse::<Uri>()) {
            prop_assert_eq!(left.equivalent(&right), right.equivalent(&left));
            prop_assert!(left.equivalent(&left));
        }
    }
}
