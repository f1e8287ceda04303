//! The IPv6 torture messages of RFC 5118, in `rfc5118/`, and what becomes of each.

use std::net::IpAddr;

use bytes::Bytes;
use sip_core::message::{Message, ParseError, StatusCode};

macro_rules! torture {
    ($name:literal) => {
        Bytes::from_static(include_bytes!(concat!("rfc5118/", $name, ".sip")))
    };
}

macro_rules! good {
    ($name:literal) => {{
        let message = Message::parse(torture!($name)).expect($name);
        message.validate_request().expect($name);
        message
    }};
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn section_4_1_an_address_in_brackets_is_a_host() {
    let message = good!("ipv6-good");
    let uri = message.request_uri().unwrap();
    assert_eq!((uri.host(), uri.host_ip(), uri.port()), (&b"[2001:db8::10]"[..], ip("2001:db8::10"), None));
    assert_eq!(message.contact().unwrap().uri.host_ip(), ip("2001:db8::1"));
    assert_eq!(message.via().unwrap().host_ip(), ip("2001:db8::9:1"));
}

#[test]
fn section_4_2_without_brackets_it_is_refused() {
    let message = Message::parse(torture!("ipv6-bad")).unwrap();
    assert!(matches!(
        message.request_uri(),
        Err(ParseError::Malformed { part: "Request-URI", offset: 9, .. })
    ));
    assert_eq!(message.validate_request().unwrap_err().status(), Some(StatusCode::BAD_REQUEST));
}

#[test]
fn section_4_3_what_looks_like_a_port_inside_the_brackets_is_address() {
    let uri = good!("port-ambiguous").request_uri().unwrap();
    assert_eq!((uri.host_ip(), uri.port()), (ip("2001:db8::10:5070"), None));
}

#[test]
fn section_4_4_behind_the_brackets_it_is_the_port() {
    let uri = good!("port-unambiguous").request_uri().unwrap();
    assert_eq!((uri.host_ip(), uri.port()), (ip("2001:db8::10"), Some(5070)));
}

#[test]
fn section_4_5_received_is_read_with_brackets_and_without() {
    for message in [good!("via-received-param-with-delim"), good!("via-received-param-no-delim")] {
        assert_eq!(message.via().unwrap().received(), ip("2001:db8::9:255"));
        assert_eq!(message.via().unwrap().branch(), Some(&b"z9hG4bKas3-111"[..]));
    }
}

#[test]
fn section_4_6_addresses_in_the_body_are_none_of_ours() {
    let message = good!("ipv6-in-sdp");
    assert!(
        message.has_content_type("application/sdp") && message.body().starts_with(b"v=0\r\no=assistant ")
    );
}

#[test]
fn section_4_7_both_families_may_stand_in_one_message() {
    let vias: Vec<_> = good!("mult-ip-in-header").vias().map(Result::unwrap).collect();
    let hosts: Vec<_> = vias.iter().map(|via| via.host_ip()).collect();
    assert_eq!(hosts, [ip("2001:db8::9:1"), ip("192.0.2.1"), ip("2001:db8::9:255")]);
    assert_eq!((vias[0].port, vias[2].received()), (Some(6050), ip("192.0.2.200")));
}

#[test]
fn section_4_8_also_in_the_body() {
    assert!(good!("mult-ip-in-sdp").body().ends_with(b"a=rtpmap:107 H263-1998/90000\r\n"));
}

#[test]
fn section_4_9_an_ipv4_address_may_come_in_ipv6_clothing() {
    let message = good!("ipv4-mapped-ipv6");
    let via = message.via().unwrap();
    assert_eq!((via.host_ip(), via.port), (ip("::ffff:192.0.2.10"), Some(19823)));
    assert_eq!(message.contact().unwrap().uri.host_ip(), ip("::ffff:192.0.2.2"));
}

#[test]
fn section_4_10_three_colons_before_an_ipv4_tail_are_read_as_two_and_kept_as_three() {
    let wrong = good!("ipv6-bug-abnf-3-colons").request_uri().unwrap();
    let right = good!("ipv6-correct-abnf-2-colons").request_uri().unwrap();
    assert_eq!(wrong.host_ip(), ip("2001:db8::192.0.2.1"));
    assert_eq!(wrong.host_ip(), right.host_ip());
    assert!(wrong.equivalent(&right));
    assert_eq!(wrong.host(), b"[2001:db8:::192.0.2.1]");
    for other in ["sip:[2001:db8:::10]", "sip:[2001::1:::192.0.2.1]", "sip:[2001:db8::::192.0.2.1]"] {
        assert!(other.parse::<sip_core::message::Uri>().is_err(), "{other}");
    }
}
