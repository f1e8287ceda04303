//! Reading and writing session descriptions: RFC 8866, and what the world sends instead.

use media::sdp::{
    Connection, Crypto, Description, Direction, MAX_FORMATS, MAX_LINES, MAX_MEDIA, MediaKind, Origin, Rtcp,
    SdpError,
};
use media::{Codec, Negotiation, Policy};

fn read(text: &str) -> Description {
    Description::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What a leg of ours makes of it as an offer.
fn codec_agreed(text: &[u8]) -> Codec {
    let mut leg = Negotiation::new(Policy::default(), "198.51.100.1:10000".parse().unwrap(), 1, [7; 32]);
    leg.answer(text).unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(text))).1.codec
}

const ORDINARY: &str = "v=0\r\no=alice 2890844526 2890844527 IN IP4 192.0.2.1\r\ns=call\r\nc=IN IP4 192.0.2.1\r\n\
    b=RS:0\r\nb=AS:64\r\nt=0 0\r\na=tool:x\r\na=sendonly\r\nm=audio 49170/2 RTP/AVP 8 0 101\r\nc=IN IP4 192.0.2.2\r\n\
    b=RR:800\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000/1\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15,66\r\na=ptime:20\r\na=maxptime:150\r\na=rtcp:53020 IN IP4 192.0.2.3\r\na=rtcp-mux\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^31\r\na=label:main\r\na=recvonly\r\nm=image 0 udptl t38\r\n";

#[test]
fn every_line_finds_its_field() {
    let description = read(ORDINARY);
    assert_eq!(description.origin.user, "alice");
    assert_eq!(description.origin.version, "2890844527");
    assert_eq!(description.connection, Some(Connection::Ip("192.0.2.1".parse().unwrap())));
    assert_eq!((description.direction, description.rtcp_senders), (Some(Direction::SendOnly), Some(0)));
    assert_eq!(description.attributes[0].name, "tool");
    let audio = &description.media[0];
    assert_eq!((&audio.kind, audio.port, audio.protocol.as_str()), (&MediaKind::Audio, 49_170, "RTP/AVP"));
    assert_eq!(description.connection_of(audio), Some(&Connection::Ip("192.0.2.2".parse().unwrap())));
    assert_eq!(description.direction_of(audio), Direction::RecvOnly);
    assert_eq!((audio.ptime, audio.max_ptime), (Some(20), Some(150)));
    assert_eq!(audio.rtcp, Some(Rtcp { port: 53_020, address: Some("192.0.2.3".parse().unwrap()) }));
    assert!(audio.rtcp_mux && description.wants_rtcp(audio));
    assert_eq!(audio.crypto, [Crypto("1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^31".into())]);
    assert!(!format!("{description:?}").contains("inline:"), "keys stay out of logs");
    assert_eq!(audio.attributes[0].value.as_deref(), Some("main"));
    assert_eq!(audio.formats[2].parameters.as_deref(), Some("0-15,66"));
    assert_eq!(audio.formats[2].encoding.as_ref().unwrap().name, "telephone-event");
    let fax = &description.media[1];
    assert_eq!((fax.kind.name(), fax.port, fax.formats[0].payload_type()), ("image", 0, None));
    assert_eq!(description.direction_of(fax), Direction::SendOnly);
}

#[test]
fn what_is_written_reads_as_the_same() {
    let description = read(ORDINARY);
    let written = description.write();
    assert_eq!(Description::parse(&written).unwrap(), description);
    assert_eq!(Description::parse(&written).unwrap().write(), written);
}

#[test]
fn what_is_written_has_the_order_of_the_grammar() {
    let written = String::from_utf8(read(ORDINARY).write().to_vec()).unwrap();
    let keys: String = written.lines().map(|line| line.chars().next().unwrap()).collect();
    assert_eq!(keys, "voscbtaamcbaaaaaaaaaaam");
    assert!(written.ends_with("\r\n") && !written.contains("\r\n\r\n"));
}

/// The nineteen oddities of the field, each with what it is. All must lead to a call in A-law.
const ODD: [(&str, &str); 19] = [
    ("no t=", "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n"),
    ("no s=", "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"),
    ("no o=", "v=0\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"),
    (
        "empty s=",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n",
    ),
    (
        "t= before c=, a= before both",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\na=sendrecv\r\nt=0 0\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n",
    ),
    (
        "a= before c= in the medium",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=ptime:20\r\nc=IN IP4 192.0.2.1\r\n",
    ),
    (
        "twenty digits in o=",
        "v=0\r\no=- 99999999999999999999 99999999999999999999 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n",
    ),
    (
        "letters in o=",
        "v=0\r\no=- abc 1.5 IN IP4 host.example.com\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n",
    ),
    (
        "blanks in the user of o=",
        "v=0\r\no=my phone 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n",
    ),
    (
        "line types nobody knows",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\ny=0100000001\r\nf=v/2\r\nm=audio 4000 RTP/AVP 8\r\nq=1\r\n",
    ),
    (
        "T.38 beside the audio",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=image 4002 udptl t38\r\na=T38FaxVersion:0\r\nm=audio 4000 RTP/AVP 8\r\n",
    ),
    (
        "IPv6 in o=",
        "v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n",
    ),
    ("bare LF", "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 8\n"),
    (
        "no last line end",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8",
    ),
    (
        "empty lines",
        "\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\n\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n\r\n\r\n",
    ),
    (
        "blanks at line ends",
        "v=0 \r\no=- 1 1 IN IP4 192.0.2.1 \r\ns= \r\nc=IN IP4 192.0.2.1  \r\nt=0 0 \r\nm=audio 4000 RTP/AVP 8 \r\na=sendrecv \r\n",
    ),
    (
        "two blanks in m=",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN  IP4 192.0.2.1\r\nt=0 0\r\nm=audio  4000  RTP/AVP  8 101\r\na=rtpmap:101  telephone-event/8000\r\n",
    ),
    (
        "attributes that are not as they should be",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nb=AS\r\nb=TIAS:64.5\r\nt=now later\r\nr=x\r\nm=audio 4000 RTP/AVP 8 97\r\na=rtpmap\r\na=rtpmap:97\r\na=rtpmap:97 x\r\na=fmtp:97\r\na=ptime:\r\na=rtcp:many\r\na=\r\na=:\r\n",
    ),
    (
        "a NUL at the end, a stray CR",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=a\rb\r\nc=IN IP4 192.0.2.1\r\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n\0",
    ),
];

#[test]
fn the_nineteen_oddities_all_make_a_call() {
    for (what, text) in ODD {
        assert_eq!(codec_agreed(text.as_bytes()), Codec::Pcma, "{what}");
    }
}

#[test]
fn the_oddities_are_written_as_the_grammar_has_them() {
    for (what, text) in ODD {
        let written = read(text).write();
        assert_eq!(Description::parse(&written).unwrap().write(), written, "{what}");
        // A reader by the book takes what we write; only it wants numbers in o=.
        let written = Description { origin: Origin::default(), ..read(text) }.write();
        let session = sdp_types::Session::parse(&written).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(session.times.len(), 1, "{what}");
    }
}

#[test]
fn a_title_in_any_charset_costs_no_call() {
    let text = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Gespr\xE4ch\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=label:\xFF\r\n";
    assert_eq!(codec_agreed(text), Codec::Pcma);
}

#[test]
fn names_are_read_in_any_case() {
    let description = read(
        "v=0\r\nc=IN IP4 192.0.2.1\r\nm=AUDIO 4000 rtp/avp 96\r\na=RTPMAP:96 pcma/8000\r\na=SendOnly\r\n",
    );
    assert_eq!(description.media[0].kind, MediaKind::Audio);
    assert_eq!(description.direction_of(&description.media[0]), Direction::SendOnly);
    assert_eq!(codec_agreed(description.write().as_ref()), Codec::Pcma);
}

#[test]
fn the_first_mapping_of_a_number_counts() {
    let media = &read("v=0\r\nm=audio 1 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 x/1\r\n").media[0];
    assert_eq!(media.formats.len(), 1);
    assert_eq!(media.formats[0].encoding.as_ref().unwrap().name, "PCMA");
}

#[test]
fn brackets_and_ttl_are_no_part_of_an_address() {
    let of = |c: &str| read(&format!("v=0\r\nc={c}\r\n")).connection.unwrap();
    assert_eq!(of("IN IP6 [2001:db8::1]"), Connection::Ip("2001:db8::1".parse().unwrap()));
    assert_eq!(of("IN IP4 224.2.1.1/127/3"), Connection::Ip("224.2.1.1".parse().unwrap()));
    assert_eq!(of("IN IP4 host.example.com"), Connection::Other("IN IP4 host.example.com".into()));
}

#[test]
fn a_refused_medium_without_a_format_is_no_error() {
    assert_eq!(read("v=0\r\nm=video 0 RTP/AVP\r\n").media[0].port, 0);
    assert!(
        Description::parse(b"v=0\r\nm=audio 4000 RTP/AVP\r\n").is_err(),
        "but an open one must say what it is"
    );
}

#[test]
fn what_is_no_description_says_where_and_why() {
    for (text, expected) in [
        ("", "line 1: expected v=0"),
        ("\r\n\r\n", "line 1: expected v=0"),
        ("s=-\r\nv=0\r\n", "line 1: expected v=0"),
        ("v=1\r\n", "line 1: expected v=0"),
        ("v=0\r\ns=-\r\nnonsense\r\n", "line 3: expected a letter, '=' and a value"),
        ("v=0\r\nm\r\n", "line 2: expected a letter, '=' and a value"),
        (
            "v=0\r\ns=-\r\nm=audio 70000 RTP/AVP 8\r\n",
            "line 3: expected m= with kind, port, transport and formats, as in m=audio 4000 RTP/AVP 8",
        ),
        (
            "v=0\r\nc=IN IP4\r\n",
            "line 2: expected c= with network, family and address, as in c=IN IP4 192.0.2.1",
        ),
        (
            "v=0\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\n",
            "line 3: expected one c= before the first m=",
        ),
        (
            "v=0\r\nv=0\r\nm=\r\n",
            "line 3: expected m= with kind, port, transport and formats, as in m=audio 4000 RTP/AVP 8",
        ),
        ("v=0\r\ns=-\r\nv=1\r\n", "line 3: expected v=0"),
        (
            "v=0\r\nm=audio 4000/x RTP/AVP 8\r\n",
            "line 2: expected m= with kind, port, transport and formats, as in m=audio 4000 RTP/AVP 8",
        ),
    ] {
        let error = Description::parse(text.as_bytes()).expect_err(text);
        assert_eq!((error.to_string().as_str(), error.status()), (expected, 400), "{text}");
    }
}

#[test]
fn sizes_are_bounded() {
    let lines = format!("v=0\r\n{}", "a=x\r\n".repeat(MAX_LINES));
    let media = format!("v=0\r\n{}", "m=audio 0 RTP/AVP 8\r\n".repeat(MAX_MEDIA + 1));
    let formats = format!("v=0\r\nm=audio 4000 RTP/AVP{}\r\n", " 8".repeat(MAX_FORMATS + 1));
    for (text, expected) in [
        (lines, SdpError::TooManyLines),
        (media, SdpError::TooManyMedia),
        (formats, SdpError::TooManyFormats { line: 2 }),
        ("v=0\r\n".repeat(8_000), SdpError::TooLong(40_000)),
    ] {
        let error = Description::parse(text.as_bytes()).unwrap_err();
        assert_eq!((&error, error.status()), (&expected, 413));
    }
    let largest = format!("v=0\r\n{}", "m=audio 0 RTP/AVP 8\r\n".repeat(MAX_MEDIA));
    assert_eq!(read(&largest).media.len(), MAX_MEDIA);
}

mod never_panics {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Description::parse(&bytes);
        }

        #[test]
        fn on_damaged_descriptions(at in 0..ORDINARY.len(), byte in any::<u8>(), cut in 0..ORDINARY.len()) {
            let mut bytes = ORDINARY.as_bytes()[..cut].to_vec();
            if let Some(slot) = bytes.get_mut(at) { *slot = byte; }
            if let Ok(description) = Description::parse(&bytes) {
                let written = description.write();
                let again = Description::parse(&written).expect("what we write can be read");
                prop_assert_eq!(again.write(), written);
            }
        }
    }
}
