//! The 49 torture messages of RFC 4475, byte for byte in `rfc4475/`, and what becomes of each.
//!
//! Bytes the RFC prints in hex are real bytes here. Only the S/MIME signature of `mpart01` is another one.

use std::net::SocketAddr;

use bytes::Bytes;
use sip_core::message::{Header, Message, Method, ParseError, Scheme, StatusCode, respond_to};
use sip_core::transport::{Framed, StreamFramer};

macro_rules! torture {
    ($name:literal) => {
        Bytes::from_static(include_bytes!(concat!("rfc4475/", $name, ".sip")))
    };
}

/// A message that must be read, and if it is a request be fit to work on.
macro_rules! good {
    ($name:literal) => {{
        let message = Message::parse(torture!($name)).expect($name);
        if message.is_request() {
            message.validate_request().expect($name);
        }
        message
    }};
}

/// What the sender of a bad request hears: status and phrase. Panics when it is read and found good.
fn answer(bytes: Bytes) -> Option<(u16, String)> {
    let answer = match Message::parse(bytes.clone()) {
        Ok(message) => {
            let refusal = message.validate_request().expect_err("the request has a fault");
            (refusal.status().map(|status| (status.code(), refusal.phrase().to_owned())), Some(message))
        }
        Err(error) => {
            let message = Message::salvage(bytes);
            let status = error.status().filter(|_| message.is_some());
            (status.map(|status| (status.code(), error.to_string())), message)
        }
    };
    if let (Some((code, phrase)), Some(request)) = &answer {
        assert_can_be_answered(request, StatusCode::new(*code).unwrap(), phrase);
    }
    answer.0
}

/// The answer to a bad request is itself good, and carries its topmost Via.
fn assert_can_be_answered(request: &Message, status: StatusCode, phrase: &str) {
    let source: SocketAddr = "192.0.2.99:5060".parse().unwrap();
    let bytes = respond_to(request, source, status, Some(phrase.as_bytes()), Some(b"ours")).finish();
    let response = Message::parse(bytes).expect("our own answer can be read");
    assert_eq!((response.status(), response.reason_phrase()), (Some(status), phrase.as_bytes()));
    assert_eq!(response.count(Header::Via), request.count(Header::Via));
    assert_eq!(response.value(Header::CallId), request.value(Header::CallId));
}

fn refused_with(bytes: Bytes, code: u16, phrase: &str) {
    assert_eq!(answer(bytes), Some((code, phrase.to_owned())));
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn texts<'a>(values: impl Iterator<Item = std::borrow::Cow<'a, [u8]>>) -> Vec<String> {
    values.map(|value| text(&value).to_owned()).collect()
}

// §3.1.1 valid messages

#[test]
fn wsinv_3_1_1_1_folds_blanks_and_compact_names_are_read_to_the_last_value() {
    let message = good!("wsinv");
    assert_eq!(message.request_uri().unwrap().param("unknownparam"), Some(&b""[..]));
    assert_eq!(message.to().unwrap().tag(), Some(&b"1918181833n"[..]));
    let from = message.from().unwrap();
    assert_eq!(text(&from.display_name().unwrap()), r#"J Rosenberg \""#);
    assert_eq!((from.uri.host(), from.tag()), (&b"example.com"[..], Some(&b"98asjd8"[..])));
    assert_eq!((message.max_forwards().unwrap(), message.cseq().unwrap().number), (Some(68), 9));
    let vias: Vec<_> = message.vias().map(Result::unwrap).collect();
    let hosts: Vec<_> = vias.iter().map(|via| (text(&via.transport), text(&via.host))).collect();
    assert_eq!(hosts, [("UDP", "192.0.2.2"), ("TCP", "spindle.example.com"), ("UDP", "192.168.255.111")]);
    let branches: Vec<_> = vias.iter().map(|via| text(via.branch().unwrap())).collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    assert_eq!(message.value(Header::Subject).as_deref(), Some(&b""[..]));
    assert_eq!(texts(message.named(b"newfangledheader")), ["newfangled value continued newfangled value"]);
    assert_eq!(texts(message.named(b"UnknownHeaderWithUnusualValue")), [";;,,;;,;"]);
    assert_eq!(message.routes().unwrap()[0].uri.param("unknownwith"), Some(&b"value"[..]));
    let contact = message.contact().unwrap();
    assert_eq!(text(&contact.display_name().unwrap()), r#"Quoted string """#);
    assert_eq!(
        (contact.params.get("newparam"), contact.params.get("q")),
        (Some(&b"newvalue"[..]), Some(&b"0.33"[..]))
    );
    assert_eq!(message.body().len(), 150);
}

#[test]
fn intmeth_3_1_1_2_every_legal_byte_is_kept() {
    let message = good!("intmeth");
    let method = b"!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(message.method(), Method::Other(Bytes::from_static(method)));
    let uri = message.request_uri().unwrap();
    assert_eq!(text(uri.user().unwrap()), "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
    assert_eq!(text(uri.password().unwrap()), "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
    assert_eq!(uri.host(), b"example.com");
    assert_eq!(&*message.to().unwrap().display_name().unwrap(), b"BEL:\x07 NUL:\x00 DEL:\x7f");
    let from = message.from().unwrap();
    assert_eq!(text(from.params.get("fromParam''~+*_!.-%").unwrap()), "\"работающий\"");
    assert_eq!(from.tag(), Some(&b"_token~1'+`*%!-."[..]));
    assert_eq!(message.call_id().unwrap(), r#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#);
    assert_eq!(texts(message.named(b"extensionHeader-!.%*+_`'~")), ["\u{feff}大停電"]);
}

#[test]
fn esc01_3_1_1_3_escapes_stay_in_the_part_they_are_written_in() {
    let message = good!("esc01");
    let uri = message.request_uri().unwrap();
    assert_eq!((uri.scheme(), uri.host()), (Scheme::Sip, &b"example.net"[..]));
    assert_eq!(&*uri.user_decoded().unwrap(), b"sips:user@example.com");
    assert_eq!(uri.as_bytes(), "sip:sips%3Auser%40example.com@example.net");
    assert!(message.to().unwrap().uri.equivalent(&"sip:user@example.com".parse().unwrap()));
    let contact = message.contact().unwrap().uri;
    let plain = "sip:caller@host5.example.net;lr;name=value%2541".parse().unwrap();
    assert!(contact.equivalent(&plain), "value%25%34%31 is value%41, not valueA");
    assert!(!contact.equivalent(&"sip:caller@host5.example.net;lr;name=valueA".parse().unwrap()));
}

#[test]
fn escnull_3_1_1_4_escaped_nulls_are_part_of_the_user() {
    let message = good!("escnull");
    assert_eq!(&*message.to().unwrap().uri.user_decoded().unwrap(), b"null-\0-null");
    let contacts = message.addresses(Header::Contact).unwrap();
    assert_eq!(&*contacts[1].uri.user_decoded().unwrap(), b"\0\0");
    assert!(!contacts[0].uri.equivalent(&contacts[1].uri));
}

#[test]
fn esc02_3_1_1_5_percent_signs_outside_uris_are_only_percent_signs() {
    let message = good!("esc02");
    assert_eq!(message.method(), Method::Other(Bytes::from_static(b"RE%47IST%45R")));
    assert_eq!(&*message.to().unwrap().display_name().unwrap(), b"%Z%45");
    assert_eq!(message.via().unwrap().branch(), Some(&b"z9hG4bK209%fzsnel234"[..]));
    assert_eq!(message.count(Header::Contact), 2);
    assert_eq!(texts(message.named(b"C%6Fntact")), ["<sip:alias2@host2.example.com>"]);
}

#[test]
fn lwsdisp_3_1_1_6_no_blank_is_needed_before_the_bracket() {
    let from = good!("lwsdisp").from().unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some(&b"caller"[..]), Some(&b"323"[..])));
}

#[test]
fn longreq_3_1_1_7_long_values_and_34_vias_in_every_spelling_are_read() {
    let message = good!("longreq");
    assert_eq!((message.vias().count(), message.body().len()), (34, 150));
    assert_eq!(message.vias().last().unwrap().unwrap().received(), Some("192.0.2.5".parse().unwrap()));
    assert_eq!(message.from().unwrap().tag().unwrap().len(), 155);
}

#[test]
fn dblreq_3_1_1_8_a_datagram_ends_with_its_body_but_a_stream_goes_on() {
    let message = good!("dblreq");
    assert_eq!((message.method(), message.body()), (Method::Register, Bytes::new()));
    assert!(message.bytes().ends_with(b"Content-Length: 0\r\n\r\n"));

    let mut framer = StreamFramer::default();
    framer.push(&torture!("dblreq"));
    let frames: Vec<_> = std::iter::from_fn(|| framer.next().unwrap()).collect();
    assert!(matches!(&frames[..], [Framed::Message(_), Framed::KeepAlivePong, Framed::Message(invite)]
        if Message::parse(invite.clone()).unwrap().method() == Method::Invite));
}

#[test]
fn semiuri_3_1_1_9_a_semicolon_may_belong_to_the_user() {
    let message = good!("semiuri");
    let uri = message.request_uri().unwrap();
    assert_eq!((uri.user(), uri.host()), (Some(&b"user;par=u%40example.net"[..]), &b"example.com"[..]));
    assert_eq!(message.values(Header::Accept).count(), 6);
}

#[test]
fn transports_3_1_1_10_unknown_transports_are_only_names() {
    let message = good!("transports");
    let names: Vec<_> = message.vias().map(|via| via.unwrap().transport).collect();
    assert_eq!(names, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn mpart01_3_1_1_11_a_binary_body_passes_unchanged() {
    let message = good!("mpart01");
    let whole = torture!("mpart01");
    assert!(message.has_content_type("multipart/mixed") && whole.ends_with(&message.body()));
    assert!(message.body().contains(&0) && message.body().ends_with(b"--7a9cbec02ceef655--\r\n"));
}

#[test]
fn unreason_3_1_1_12_any_phrase_will_do() {
    let message = good!("unreason");
    assert_eq!(message.status(), Some(StatusCode::OK));
    assert_eq!(text(message.reason_phrase()), "= 2**3 * 5**2 но сто девяносто девять - простое");
}

#[test]
fn noreason_3_1_1_13_or_none() {
    let message = good!("noreason");
    assert_eq!((message.status(), message.reason_phrase()), (Some(StatusCode::TRYING), &b""[..]));
}

// §3.1.2 invalid messages

#[test]
fn badinv01_3_1_2_1_empty_parameters_are_refused() {
    refused_with(torture!("badinv01"), 400, "malformed Via at byte 23: expected a parameter name");
}

#[test]
fn clerr_3_1_2_2_a_body_shorter_than_its_length_is_refused() {
    refused_with(torture!("clerr"), 400, "body of 9999 bytes promised, 154 received");
}

#[test]
fn ncl_3_1_2_3_a_negative_length_is_refused() {
    refused_with(torture!("ncl"), 400, "malformed Content-Length at byte 0: expected a number");
}

#[test]
fn scalar02_3_1_2_4_overlarge_numbers_are_refused() {
    refused_with(
        torture!("scalar02"),
        400,
        "malformed Max-Forwards at byte 0: expected a number in its range",
    );
    assert!(Message::parse(torture!("scalar02")).unwrap().cseq().is_err());
}

#[test]
fn scalarlg_3_1_2_5_a_response_with_an_overlarge_cseq_belongs_to_nothing() {
    let message = good!("scalarlg");
    assert!(matches!(message.cseq(), Err(ParseError::Malformed { part: "CSeq", .. })));
    assert_eq!(Message::salvage(torture!("scalarlg")).map(drop), None, "responses are never answered");
}

#[test]
fn quotbal_3_1_2_6_a_quote_that_never_closes_is_refused() {
    refused_with(torture!("quotbal"), 400, "malformed To at byte 0: expected a closing quote");
}

#[test]
fn ltgtruri_3_1_2_7_brackets_around_the_request_uri_are_refused() {
    refused_with(
        torture!("ltgtruri"),
        400,
        "malformed Request-URI at byte 0: expected no blank and no angle bracket",
    );
}

#[test]
fn lwsruri_3_1_2_8_a_blank_in_the_request_uri_is_refused() {
    refused_with(
        torture!("lwsruri"),
        400,
        "malformed Request-URI at byte 21: expected no blank and no angle bracket",
    );
}

#[test]
fn lwsstart_3_1_2_9_several_spaces_in_the_request_line_are_forgiven() {
    assert_eq!(good!("lwsstart").request_uri_bytes(), "sip:user@example.com");
}

#[test]
fn trws_3_1_2_10_and_so_are_spaces_behind_it() {
    assert_eq!(good!("trws").request_uri_bytes(), "sip:remote-target@example.com");
}

#[test]
fn escruri_3_1_2_11_headers_in_the_request_uri_are_refused() {
    refused_with(
        torture!("escruri"),
        400,
        "malformed Request-URI at byte 0: expected no header fields in it",
    );
}

#[test]
fn baddate_3_1_2_12_a_date_nobody_reads_harms_nobody() {
    assert_eq!(good!("baddate").value(Header::Date).as_deref(), Some(&b"Fri, 01 Jan 2010 16:00:00 EST"[..]));
}

#[test]
fn regbadct_3_1_2_13_a_contact_with_headers_needs_brackets() {
    let phrase = "malformed Contact at byte 20: expected angle brackets around a URI with ? or ,";
    refused_with(torture!("regbadct"), 400, phrase);
}

#[test]
fn badaspec_3_1_2_14_blanks_inside_the_brackets_are_forgiven() {
    assert_eq!(good!("badaspec").to().unwrap().uri.as_bytes(), "sip:t.watson@example.org");
}

#[test]
fn baddn_3_1_2_15_a_comma_in_a_bare_display_name_is_forgiven() {
    let from = good!("baddn").from().unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some(&b"Bell, Alexander"[..]), Some(&b"43"[..])));
}

#[test]
fn badvers_3_1_2_16_another_version_gets_505() {
    refused_with(torture!("badvers"), 505, "Version Not Supported");
}

#[test]
fn mismatch01_3_1_2_17_cseq_must_name_the_method() {
    refused_with(
        torture!("mismatch01"),
        400,
        "malformed CSeq at byte 0: expected the method of the Request-Line",
    );
}

#[test]
fn mismatch02_3_1_2_18_also_for_a_method_nobody_knows() {
    refused_with(
        torture!("mismatch02"),
        400,
        "malformed CSeq at byte 0: expected the method of the Request-Line",
    );
}

#[test]
fn bigcode_3_1_2_19_an_overlarge_status_is_dropped() {
    assert_eq!(Message::parse(torture!("bigcode")).map(drop), Err(ParseError::NotSip));
    assert_eq!(answer(torture!("bigcode")), None);
}

// §3.2 and §3.3: for the layers above, but they must be read right

#[test]
fn badbranch_3_2_1_the_cookie_alone_is_no_transaction_id() {
    assert!(!good!("badbranch").via().unwrap().has_unique_branch());
}

#[test]
fn insuf_3_3_1_what_is_missing_is_named() {
    refused_with(torture!("insuf"), 400, "missing From header field");
}

#[test]
fn unkscm_3_3_2_an_unknown_scheme_is_a_uri_all_the_same() {
    let uri = good!("unkscm").request_uri().unwrap();
    assert_eq!((uri.scheme(), uri.opaque()), (Scheme::Other, &b"totallyopaquecontent"[..]));
}

#[test]
fn novelsc_3_3_3_and_so_is_one_that_looks_like_a_sip_uri() {
    let uri = good!("novelsc").request_uri().unwrap();
    assert_eq!((uri.scheme(), uri.scheme_name(), uri.host()), (Scheme::Other, &b"soap.beep"[..], &b""[..]));
}

#[test]
fn unksm2_3_3_4_unknown_schemes_may_stand_in_from_to_and_contact() {
    let message = good!("unksm2");
    assert_eq!(message.to().unwrap().uri.as_bytes(), "isbn:2983792873");
    assert_eq!(message.from().unwrap().uri.as_bytes(), "http://www.example.com");
    assert_eq!(message.contact().unwrap().uri.as_bytes(), "name:John_Smith");
}

#[test]
fn bext01_3_3_5_the_extensions_required_can_be_told_apart() {
    let message = good!("bext01");
    assert_eq!(texts(message.values(Header::Require)), ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert!(message.has_token(Header::ProxyRequire, "NOPROXIESSUPPORTTHIS"));
}

#[test]
fn invut_3_3_6_a_body_of_unknown_type_is_bytes() {
    let message = good!("invut");
    assert!(
        message.has_content_type("application/unknownformat") && !message.has_content_type("application/sdp")
    );
    assert_eq!(message.body().len(), 40);
}

#[test]
fn regaut01_3_3_7_an_unknown_authorization_is_one_value() {
    let message = good!("regaut01");
    assert_eq!(texts(message.values(Header::Authorization)), ["NoOneKnowsThisScheme opaque-data=here"]);
}

#[test]
fn multi01_3_3_8_headers_that_may_come_once_came_twice() {
    refused_with(torture!("multi01"), 400, "more than one From header field");
}

#[test]
fn mcl01_3_3_9_two_lengths_are_refused() {
    refused_with(torture!("mcl01"), 400, "more than one Content-Length header field");
}

#[test]
fn bcast_3_3_10_every_via_of_a_response_can_be_seen() {
    let message = good!("bcast");
    let hosts: Vec<_> = message.vias().map(|via| via.unwrap().host).collect();
    assert_eq!(hosts, ["192.0.2.198", "255.255.255.255"]);
    assert_eq!(message.method(), Method::Invite);
}

#[test]
fn zeromf_3_3_11_zero_hops_are_not_a_fault_of_form() {
    assert_eq!(good!("zeromf").max_forwards(), Ok(Some(0)));
}

#[test]
fn cparam01_3_3_12_outside_brackets_a_parameter_is_the_contacts() {
    let contact = good!("cparam01").contact().unwrap();
    assert!(contact.params.has("unknownparam") && contact.uri.param("unknownparam").is_none());
}

#[test]
fn cparam02_3_3_13_inside_brackets_it_is_the_uris() {
    let contact = good!("cparam02").contact().unwrap();
    assert!(!contact.params.has("unknownparam") && contact.uri.param("unknownparam").is_some());
}

#[test]
fn regescrt_3_3_14_headers_of_a_contact_are_kept() {
    let contact = good!("regescrt").contact().unwrap();
    assert_eq!(contact.uri.header("route"), Some(&b"%3Csip:sip.example.com%3E"[..]));
    assert_eq!(contact.uri.without_headers(), "sip:user@example.com");
}

#[test]
fn sdp01_3_3_15_what_the_sender_accepts_can_be_seen() {
    assert_eq!(texts(good!("sdp01").values(Header::Accept)), ["text/nobodyKnowsThis"]);
}

// §3.4 backward compatibility

#[test]
fn inv2543_3_4_1_a_client_older_than_the_rules_is_served() {
    let message = good!("inv2543");
    assert_eq!((message.max_forwards(), message.via().unwrap().branch()), (Ok(None), None));
    assert_eq!((message.from().unwrap().tag(), message.count(Header::Contact)), (None, 0));
    assert_eq!(message.to().unwrap().params.get("user"), Some(&b"phone"[..]));
    assert_eq!(message.record_routes().unwrap()[0].uri.param("maddr"), Some(&b"ss1.example.com"[..]));
}
