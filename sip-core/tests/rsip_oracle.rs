//! `rsip` as oracle: on benign messages it and our parser agree; where it errs, a named case says which clause decides.
//!
//! Each case of the second part fails on the day `rsip` reads it right: then it may move to the first.

use bytes::Bytes;
use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader, UntypedHeader};
use sip_core::message::{Header, Message, Method, Scheme, StatusCode, Uri};

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn parse(bytes: impl AsRef<[u8]>) -> Message {
    Message::parse(Bytes::copy_from_slice(bytes.as_ref())).unwrap()
}

fn theirs(bytes: impl AsRef<[u8]>) -> Option<rsip::SipMessage> {
    rsip::SipMessage::try_from(bytes.as_ref()).ok()
}

/// A request around one line, which may replace a header of the same name.
fn with(line: &str) -> String {
    let name = line.split([':', ' ']).next().unwrap();
    let mut text = String::from("INVITE sip:bob@example.com SIP/2.0\r\n");
    for header in [
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds",
        "Max-Forwards: 70",
        "From: Alice <sip:alice@example.com>;tag=1928301774",
        "To: Bob <sip:bob@example.com>",
        "Call-ID: a84b4c76e66710@pc33.example.com",
        "CSeq: 314159 INVITE",
        "Contact: <sip:alice@pc33.example.com>",
    ] {
        if !header.starts_with(&format!("{name}:")) {
            text += &format!("{header}\r\n");
        }
    }
    text + line + "\r\nContent-Length: 0\r\n\r\n"
}

/// The same request to another Request-URI.
fn to_uri(uri: &str) -> String {
    with("Subject: x").replacen("sip:bob@example.com SIP", &format!("{uri} SIP"), 1)
}

// Part one: benign messages

const BENIGN: &[&str] = &[
    "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
     Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n\
     Max-Forwards: 70\r\n\
     To: Bob <sip:bob@biloxi.com>\r\n\
     From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
     Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n\
     CSeq: 314159 INVITE\r\n\
     Contact: <sip:alice@pc33.atlanta.com>\r\n\
     Content-Type: application/sdp\r\n\
     Content-Length: 4\r\n\r\nv=0\n",
    "SIP/2.0 200 OK\r\n\
     Via: SIP/2.0/UDP server10.biloxi.com;branch=z9hG4bKnashds8;received=192.0.2.3\r\n\
     Via: SIP/2.0/UDP bigbox3.site3.atlanta.com;branch=z9hG4bK77ef4c2312983.1;received=192.0.2.2\r\n\
     To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n\
     From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
     Call-ID: a84b4c76e66710\r\n\
     CSeq: 314159 INVITE\r\n\
     Contact: <sip:bob@192.0.2.4>\r\n\
     Content-Length: 0\r\n\r\n",
    "REGISTER sip:registrar.biloxi.com SIP/2.0\r\n\
     Via: SIP/2.0/TCP bobspc.biloxi.com:5061;branch=z9hG4bKnashds7\r\n\
     Max-Forwards: 70\r\n\
     To: <sip:bob@biloxi.com>\r\n\
     From: <sip:bob@biloxi.com>;tag=456248\r\n\
     Call-ID: 843817637684230@998sdasdh09\r\n\
     CSeq: 1826 REGISTER\r\n\
     Contact: <sip:bob@192.0.2.4>\r\n\
     Expires: 7200\r\n\
     X-Unknown: kept, as it is;really\r\n\
     Content-Length: 0\r\n\r\n",
    "BYE sips:+493012345@192.0.2.4:5061;transport=tcp SIP/2.0\r\n\
     Via: SIP/2.0/TLS 192.0.2.4;branch=z9hG4bKnashds10;rport\r\n\
     Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n\
     Max-Forwards: 70\r\n\
     From: \"Bob\" <sips:bob@biloxi.com>;tag=a6c85cf\r\n\
     To: <sips:alice@atlanta.com>;tag=1928301774\r\n\
     Call-ID: a84b4c76e66710\r\n\
     CSeq: 231 BYE\r\n\
     Reason: Q.850;cause=16\r\n\
     Content-Length: 0\r\n\r\n",
];

#[test]
fn on_benign_messages_both_parsers_read_the_same() {
    for text in BENIGN {
        let (ours, theirs) = (parse(text), theirs(text).unwrap());
        match &theirs {
            rsip::SipMessage::Request(request) => {
                assert_eq!(ours.method().to_string(), request.method.to_string());
                assert_same_uri(&ours.request_uri().unwrap(), &request.uri);
                assert_eq!(utf8(ours.request_uri().unwrap().host()), request.uri.host().to_string());
                assert_eq!(ours.body(), request.body);
            }
            rsip::SipMessage::Response(response) => {
                assert_eq!(ours.status().unwrap().code(), response.status_code.code());
                assert_eq!(ours.body(), response.body);
            }
        }
        let fields: Vec<_> = ours.fields().map(|f| format!("{}: {}", utf8(f.name), utf8(f.value))).collect();
        let headers: Vec<_> = theirs.headers().iter().map(ToString::to_string).collect();
        assert_eq!(fields, headers);
        assert_same_values(&ours, &theirs);
    }
}

/// `rsip` writes `transport=tcp` in capitals, which is the same URI (RFC 3261 §19.1.4).
fn assert_same_uri(ours: &Uri, theirs: &rsip::Uri) {
    assert!(ours.equivalent(&theirs.to_string().parse().unwrap()), "{ours} is not {theirs}");
}

fn assert_same_values(ours: &Message, theirs: &rsip::SipMessage) {
    let (via, their_via) = (ours.via().unwrap(), theirs.via_header().unwrap().typed().unwrap());
    assert_eq!(utf8(&via.transport), their_via.transport.to_string());
    assert_eq!(utf8(&via.host), their_via.uri.host().to_string());
    assert_eq!(via.port, their_via.uri.port().map(|port| *port.value()));
    assert_eq!(utf8(via.branch().unwrap()), their_via.branch().unwrap().to_string());
    let (from, their_from) = (ours.from().unwrap(), theirs.from_header().unwrap().typed().unwrap());
    assert_same_uri(&from.uri, &their_from.uri);
    assert_eq!(from.tag().map(utf8), their_from.tag().map(ToString::to_string));
    let (to, their_to) = (ours.to().unwrap(), theirs.to_header().unwrap().typed().unwrap());
    assert_same_uri(&to.uri, &their_to.uri);
    assert_eq!(to.tag().map(utf8), their_to.tag().map(ToString::to_string));
    let (cseq, their_cseq) = (ours.cseq().unwrap(), theirs.cseq_header().unwrap().typed().unwrap());
    assert_eq!((cseq.number, cseq.method.to_string()), (their_cseq.seq, their_cseq.method.to_string()));
    assert_eq!(utf8(&ours.call_id().unwrap()), theirs.call_id_header().unwrap().value());
}

// Part two: where rsip errs

/// User and host of the Request-URI as `rsip` sees them.
fn their_uri(text: &str) -> Option<(Option<String>, String)> {
    match theirs(text)? {
        rsip::SipMessage::Request(request) => {
            Some((request.uri.user().map(str::to_owned), request.uri.host().to_string()))
        }
        rsip::SipMessage::Response(_) => None,
    }
}

fn our_uri(text: &str) -> (Option<String>, String) {
    let uri = parse(text).request_uri().unwrap();
    (uri.user().map(utf8), utf8(uri.host()))
}

fn only_we_read_uri(uri: &str, user: Option<&str>, host: &str) {
    let expected = (user.map(str::to_owned), host.to_owned());
    assert_eq!(our_uri(&to_uri(uri)), expected);
    assert_ne!(their_uri(&to_uri(uri)), Some(expected));
    assert_eq!(parse(to_uri(uri)).request_uri_bytes(), uri.as_bytes());
}

#[test]
fn a_dot_belongs_to_the_user_rfc3261_25_1_unreserved() {
    only_we_read_uri("sip:john.doe@contoso.com", Some("john.doe"), "contoso.com");
}

#[test]
fn semicolon_parameters_belong_to_the_user_rfc3261_25_1_user_unreserved() {
    only_we_read_uri("sip:+4930;ext=5.1@example.com", Some("+4930;ext=5.1"), "example.com");
}

#[test]
fn an_escaped_user_may_hold_a_dot_rfc3261_19_1_2() {
    only_we_read_uri("sip:j%40x.y@example.com", Some("j%40x.y"), "example.com");
}

#[test]
fn an_ipv6_address_is_a_host_rfc3261_25_1_ipv6reference() {
    only_we_read_uri("sip:bob@[2001:db8::10]:5070", Some("bob"), "[2001:db8::10]");
}

#[test]
fn a_tel_uri_is_a_number_rfc3966_3() {
    let uri = parse(to_uri("tel:+1-201-555-0123;phone-context=example.com")).request_uri().unwrap();
    assert_eq!((uri.scheme(), uri.user().map(utf8)), (Scheme::Tel, Some("+1-201-555-0123".to_owned())));
    let read = theirs(to_uri("tel:+1-201-555-0123")).map(|message| message.to_string());
    assert!(!read.is_some_and(|text| text.starts_with("INVITE tel:+1-201-555-0123 ")));
}

#[test]
fn a_urn_is_a_uri_rfc5031() {
    let uri = parse(to_uri("urn:service:sos")).request_uri().unwrap();
    assert_eq!((uri.scheme(), uri.opaque()), (Scheme::Urn, &b"service:sos"[..]));
    assert!(theirs(to_uri("urn:service:sos")).is_none());
}

/// The Contact's URI as `rsip` sees it.
fn their_contact(text: &str) -> Option<String> {
    Some(theirs(text)?.contact_header().ok()?.typed().ok()?.uri.to_string())
}

fn only_we_read_contact(line: &str, uri: &str) {
    assert_eq!(parse(with(line)).contact().unwrap().uri.as_bytes(), uri.as_bytes());
    assert_ne!(their_contact(&with(line)).as_deref(), Some(uri));
}

#[test]
fn a_parameter_value_may_hold_slashes_rfc3261_25_1_param_unreserved() {
    let uri = "sip:sip-du-a-eu.example.com:5061;transport=tls;x-i=8d0e;x-c=5ab1d7f0/s/1/8c3e";
    only_we_read_contact(&format!("Contact: <{uri}>"), uri);
}

#[test]
fn a_parameter_value_may_hold_colons_rfc3261_25_1_param_unreserved() {
    let uri = "sip:sip.example.com:5061;transport=tls;x-m=8:orgid:2f9a6c1e-7b0d-4e55-9c1c-0a1b2c3d4e5f";
    only_we_read_contact(&format!("Contact: <{uri}>"), uri);
    let refer = parse(with(&format!("Refer-To: <{uri}>"))).address(Header::ReferTo).unwrap();
    assert_eq!(
        refer.uri.param("x-m").map(utf8).as_deref(),
        Some("8:orgid:2f9a6c1e-7b0d-4e55-9c1c-0a1b2c3d4e5f")
    );
}

#[test]
fn uri_headers_are_part_of_the_uri_rfc3261_19_1_1() {
    let text = with("Contact: <sip:bob@example.com?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>");
    let uri = parse(&text).contact().unwrap().uri;
    assert_eq!(
        (utf8(uri.host()), uri.header("Replaces")),
        ("example.com".to_owned(), Some(&b"a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2"[..]))
    );
    let host =
        theirs(&text).and_then(|m| Some(m.contact_header().ok()?.typed().ok()?.uri.host().to_string()));
    assert_ne!(host.as_deref(), Some("example.com"));
}

#[test]
fn an_ipv6_contact_is_kept_with_its_brackets_rfc3261_25_1() {
    only_we_read_contact("Contact: <sip:alice@[2001:db8::1]:5061>", "sip:alice@[2001:db8::1]:5061");
}

#[test]
fn an_unknown_transport_is_only_a_word_rfc3261_25_1_other_transport() {
    only_we_read_contact(
        "Contact: <sip:alice@example.com;transport=quic>",
        "sip:alice@example.com;transport=quic",
    );
}

#[test]
fn a_quoted_parameter_is_one_value_rfc3261_25_1_gen_value() {
    let line = "Contact: <sip:alice@example.com>;+sip.instance=\"<urn:uuid:0;1>\";reg-id=1";
    let contact = parse(with(line)).contact().unwrap();
    assert_eq!(contact.params.get("+sip.instance").map(utf8).as_deref(), Some("\"<urn:uuid:0;1>\""));
    assert_eq!(contact.params.get("reg-id"), Some(&b"1"[..]));
    let typed = theirs(with(line)).and_then(|message| message.contact_header().ok()?.typed().ok());
    assert!(!typed.is_some_and(|contact| contact.to_string().ends_with(";reg-id=1")));
}

#[test]
fn a_quoted_name_may_hold_what_separates_rfc3261_25_1_qdtext() {
    for name in [r#""a < b""#, r#""Doe, John""#, r#""a;tag=1""#, r#""a \"b\" c""#] {
        let line = format!("Contact: {name} <sip:alice@example.com>");
        let contact = parse(with(&line)).contact().unwrap();
        assert_eq!(contact.display.as_deref(), Some(name.as_bytes()));
        assert_eq!(contact.uri.as_bytes(), "sip:alice@example.com");
    }
    let angle = with("Contact: \"a < b\" <sip:alice@example.com>");
    assert_ne!(their_contact(&angle).as_deref(), Some("sip:alice@example.com"));
}

#[test]
fn two_contacts_may_share_a_line_rfc3261_7_3_1() {
    let text = with("Contact: <sip:a@example.com>;q=0.7, <sip:b@example.com>");
    let hosts: Vec<_> =
        parse(&text).addresses(Header::Contact).unwrap().iter().map(|c| c.uri.to_string()).collect();
    assert_eq!(hosts, ["sip:a@example.com", "sip:b@example.com"]);
    assert_ne!(their_contact(&text).as_deref(), Some("sip:a@example.com"));
}

#[test]
fn blanks_may_stand_around_a_tag_rfc3261_25_1_semi_and_equal() {
    let text = with("From: <sip:alice@example.com> ; tag = 88sja8x");
    assert_eq!(parse(&text).from().unwrap().tag(), Some(&b"88sja8x"[..]));
    let tag = theirs(&text).and_then(|m| m.from_header().ok()?.typed().ok()?.tag().map(ToString::to_string));
    assert_ne!(tag.as_deref(), Some("88sja8x"));
}

/// Hosts of all Vias as `rsip` sees them.
fn their_vias(text: &str) -> Option<Vec<String>> {
    let message = theirs(text)?;
    let vias = message.headers().iter().filter_map(|header| match header {
        rsip::Header::Via(via) => Some(via.typed().map(|via| via.uri.host_with_port.to_string())),
        _ => None,
    });
    vias.collect::<Result<_, _>>().ok()
}

fn only_we_read_vias(line: &str, hosts: &[&str]) {
    let read: Vec<_> = parse(with(line))
        .vias()
        .map(|via| via.unwrap())
        .map(|via| utf8(&via.host) + &via.port.map(|port| format!(":{port}")).unwrap_or_default())
        .collect();
    assert_eq!(read, hosts);
    assert_ne!(their_vias(&with(line)), Some(read));
}

#[test]
fn two_vias_may_share_a_line_rfc3261_7_3_1() {
    let line = "Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1, SIP/2.0/TCP b.example.com;branch=z9hG4bK2";
    only_we_read_vias(line, &["a.example.com", "b.example.com"]);
}

#[test]
fn an_ipv6_sender_keeps_its_brackets_rfc3261_25_1_sent_by() {
    only_we_read_vias("Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bK1", &["[2001:db8::9:1]:6050"]);
}

#[test]
fn an_unknown_via_transport_is_only_a_word_rfc3261_25_1_other_transport() {
    only_we_read_vias("Via: SIP/2.0/QUIC a.example.com;branch=z9hG4bK1", &["a.example.com"]);
}

#[test]
fn blanks_may_stand_around_every_mark_of_a_via_rfc3261_25_1_slash_and_colon() {
    only_we_read_vias("Via: SIP / 2.0 / UDP  host.example.com : 4000 ; ttl=16", &["host.example.com:4000"]);
}

#[test]
fn compact_names_mean_the_long_ones_rfc3261_7_3_3() {
    let text = "INVITE sip:bob@example.com SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\n\
                t: <sip:c@d>\r\ni: 7@a\r\nm: <sip:a@b>\r\nCSeq: 1 INVITE\r\nc: text/plain\r\nk: timer\r\nl: 2\r\n\r\nhi";
    let message = parse(text);
    message.validate_request().unwrap();
    assert_eq!((message.call_id().unwrap(), message.body()), (Bytes::from("7@a"), Bytes::from("hi")));
    assert!(message.has_token(Header::Supported, "timer") && message.has_content_type("text/plain"));
    assert!(theirs(text).unwrap().via_header().is_err());
}

#[test]
fn a_value_may_be_folded_rfc3261_7_3_1() {
    let text = with("Subject: I know\r\n you're there");
    assert_eq!(parse(&text).value(Header::Subject).as_deref(), Some(&b"I know you're there"[..]));
    assert!(theirs(&text).is_none());
}

#[test]
fn blanks_may_stand_before_the_colon_rfc3261_7_3_1() {
    let text = with("Subject \t: lunch");
    assert_eq!(parse(&text).value(Header::Subject).as_deref(), Some(&b"lunch"[..]));
    assert!(theirs(&text).is_none());
}

#[test]
fn a_line_may_end_with_lf_alone_which_no_rfc_allows_but_peers_send() {
    let text = with("Subject: lunch").replace("\r\n", "\n");
    parse(&text).validate_request().unwrap();
    assert!(theirs(&text).is_none());
}

#[test]
fn an_unknown_method_can_be_answered_rfc3261_8_2_1() {
    let text = with("Subject: x").replace("INVITE", "FROBNICATE");
    let message = parse(&text);
    message.validate_request().unwrap();
    assert_eq!(message.method(), Method::Other(Bytes::from_static(b"FROBNICATE")));
    assert!(theirs(&text).is_none());
}

#[test]
fn the_body_is_as_long_as_content_length_says_rfc3261_18_3() {
    let long = with("Subject: x").replace("Content-Length: 0", "Content-Length: 2") + "hi and junk";
    assert_eq!(parse(&long).body(), "hi");
    let short = with("Subject: x").replace("Content-Length: 0", "Content-Length: 20") + "hi";
    assert!(Message::parse(Bytes::from(short.clone())).is_err());
    let body = |text: &str| match theirs(text) {
        Some(rsip::SipMessage::Request(request)) => request.body,
        _ => panic!("a request"),
    };
    assert_eq!(
        (body(&long), body(&short)),
        (b"hi and junk".to_vec(), b"hi".to_vec()),
        "all that came, either way"
    );
}

#[test]
fn a_body_is_bytes_rfc3261_7_4() {
    let mut bytes = with("Subject: x").replace("Content-Length: 0", "Content-Length: 3").into_bytes();
    bytes.extend_from_slice(&[0xff, 0x00, 0xfe]);
    assert_eq!(parse(&bytes).body(), &[0xff, 0x00, 0xfe][..]);
    assert!(!Vec::from(theirs(&bytes).unwrap()).ends_with(&[0xff, 0x00, 0xfe]));
}

#[test]
fn one_odd_byte_does_not_spoil_a_message_rfc3261_25_1_text_utf8_is_advice_to_senders() {
    let mut bytes = with("Subject: caf?").into_bytes();
    let mark = bytes.iter().position(|&byte| byte == b'?').unwrap();
    bytes[mark] = 0xe9;
    assert_eq!(parse(&bytes).value(Header::Subject).as_deref(), Some(&b"caf\xe9"[..]));
    assert!(theirs(&bytes).is_none());
}

#[test]
fn a_phrase_is_kept_whatever_the_code_rfc3261_7_2() {
    let text = with("Subject: x").replace("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 486 Gone Fishing");
    let message = parse(&text);
    assert_eq!(
        (message.status(), message.reason_phrase()),
        (Some(StatusCode::BUSY_HERE), &b"Gone Fishing"[..])
    );
    assert!(!theirs(&text).unwrap().to_string().contains("Gone Fishing"));
}

// Part three: our parser fills their types

#[cfg(feature = "rsip")]
mod filled {
    use super::*;
    use sip_core::compat::CompatError;

    #[test]
    fn a_message_goes_there_and_back() {
        for text in BENIGN {
            let ours = parse(text);
            let filled = rsip::SipMessage::try_from(&ours).unwrap();
            assert_same_values(&ours, &filled);
            let back = Message::try_from(&filled).unwrap();
            assert_eq!(back.body(), ours.body());
            assert_eq!(
                (back.via().unwrap(), back.cseq().unwrap()),
                (ours.via().unwrap(), ours.cseq().unwrap())
            );
        }
    }

    #[test]
    fn what_their_parser_cannot_read_their_types_can_hold() {
        let text = "INVITE sip:john.doe@[2001:db8::1]:5061;x-c=a/s/1 SIP/2.0\r\n\
                    v: SIP / 2.0 / UDP a.example.com : 4000 ;branch=z9hG4bK1,\r\n SIP/2.0/TCP b.example.com\r\n\r\n\u{0}\u{1}";
        let Ok(rsip::SipMessage::Request(request)) = rsip::SipMessage::try_from(&parse(text)) else {
            panic!("a request");
        };
        assert_eq!(request.uri.user(), Some("john.doe"));
        assert_eq!(request.uri.host(), &rsip::Host::IpAddr("2001:db8::1".parse().unwrap()));
        assert_eq!(request.body, [0, 1]);
        assert_eq!(request.headers.iter().filter(|header| matches!(header, rsip::Header::Via(_))).count(), 2);
        let uri = Uri::try_from(&request.uri).unwrap();
        assert_eq!(uri.as_bytes(), "sip:john.doe@[2001:db8::1]:5061;x-c=a/s/1");
        let via = rsip::typed::Via::try_from(&parse(text).via().unwrap()).unwrap();
        assert_eq!(
            (via.uri.host_with_port.to_string(), via.branch().is_some()),
            ("a.example.com:4000".into(), true)
        );
    }

    #[test]
    fn what_they_have_no_room_for_is_an_error_and_no_loss() {
        let uri: Uri = "tel:+4930".parse().unwrap();
        assert_eq!(rsip::Uri::try_from(&uri), Err(CompatError::NoRoom("a URI that is not SIP")));
        let unknown = parse(with("Subject: x").replace("INVITE", "FROBNICATE"));
        assert_eq!(rsip::SipMessage::try_from(&unknown), Err(CompatError::NoRoom("an unknown method")));
    }
}
