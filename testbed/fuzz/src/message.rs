//! One datagram: whatever it holds, it is read or refused, and what we answer can be read.

use bytes::Bytes;
use sip_core::message::{Builder, Message, Method, NameAddr, StatusCode, Uri, Via, respond_to};

/// Reads the bytes as message, URI, address and Via, and uses what was read.
pub fn run(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    for message in [Message::parse(bytes.clone()).ok(), Message::salvage(bytes.clone())].into_iter().flatten()
    {
        use_message(&message);
    }
    if let Ok(message) = Message::parse(bytes.clone()) {
        assert_parsing_again_changes_nothing(&message);
    }
    if let Ok(uri) = Uri::parse(bytes.clone()) {
        assert!(uri.equivalent(&uri));
        assert_eq!(uri.as_bytes(), &bytes);
    }
    let _ = (NameAddr::parse(bytes.clone()), Via::parse(bytes));
}

fn use_message(message: &Message) {
    let _ =
        (message.via(), message.from(), message.to(), message.contact(), message.cseq(), message.call_id());
    let _ = (message.routes(), message.record_routes(), message.max_forwards(), message.request_uri());
    for field in message.fields() {
        for value in message.values(field.header) {
            assert!(!value.contains(&b'\n'), "a value is one line");
        }
    }
    if message.is_request() {
        let _ = message.validate_request();
        let source = "192.0.2.1:5060".parse().expect("an address");
        let answer = respond_to(message, source, StatusCode::BAD_REQUEST, None, Some(b"tag")).finish();
        let answer = Message::parse(answer).expect("what we write can be read");
        assert_eq!(answer.status(), Some(StatusCode::BAD_REQUEST));
    }
}

/// All fields written out again are the same fields.
fn assert_parsing_again_changes_nothing(message: &Message) {
    let mut builder = Builder::request(&Method::Info, b"sip:a@b");
    let length =
        |name: &[u8]| name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l");
    let mut seen = Vec::new();
    for field in message.fields().filter(|field| !length(field.name)) {
        let name = field.name.to_ascii_lowercase();
        let before = seen.iter().filter(|known| **known == name).count();
        // This field's own value, not that of the first of its name: a repeated long Via would multiply.
        if let Some(value) = message.named(field.name).nth(before) {
            builder.named(field.name, value);
        }
        seen.push(name);
    }
    builder.bare_body(&message.body());
    let again = Message::parse(builder.finish()).expect("what we write can be read");
    let names = |message: &Message| -> Vec<Vec<u8>> {
        message.fields().map(|field| field.name.to_vec()).filter(|name| !length(name)).collect()
    };
    assert_eq!(names(&again), names(message));
    assert_eq!(again.body(), message.body());
}
