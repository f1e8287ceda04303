//! ICE and DTLS in offers and answers: RFC 8839, 8842, 8122, 5763.
#![allow(missing_docs)]

use media::sdp::{Description, Negotiation, NegotiationError, Policy};
use media::{Direction, Identity};

const FINGERPRINT: &str =
    "sha-256 32:96:81:6C:96:9A:C9:AB:44:B7:BC:A4:FD:9B:78:7C:ED:27:A8:6E:B5:A0:0E:76:EA:FD:07:70:0C:C5:67:AC";

/// What a browser offers, with its own lines of the session, and lines of the audio left out or changed.
fn offer(session: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let lines = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 126",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:ts5b",
        "a=ice-pwd:1sw41lYZo5QwIT8+BhXDL59e",
        "a=ice-options:trickle",
        &format!("a=fingerprint:{FINGERPRINT}"),
        "a=setup:actpass",
        "a=mid:audio",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:126 telephone-event/8000",
    ];
    let lines: String = lines.iter().filter_map(|line| change(line)).map(|line| line + "\r\n").collect();
    format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{session}{lines}")
}

fn whole() -> String {
    offer("a=group:BUNDLE audio\r\n", |line| Some(line.to_owned()))
}

fn negotiation() -> Negotiation {
    let policy = Policy { dtls: Some(Identity::generate().unwrap()), ..Policy::default() };
    Negotiation::new(policy, "198.51.100.1:20000".parse().unwrap(), 7, [7; 32])
}

fn text(description: &[u8]) -> String {
    String::from_utf8(description.to_vec()).unwrap()
}

fn has(description: &str, line: &str) -> bool {
    description.lines().any(|found| found == line)
}

#[test]
fn an_answer_is_lite_passive_bundled_and_has_one_candidate() {
    let mut ours = negotiation();
    let (answer, stream) = ours.answer(whole().as_bytes()).unwrap();
    let answer = text(&answer);
    for line in [
        "a=ice-lite",
        "a=group:BUNDLE audio",
        "m=audio 20000 UDP/TLS/RTP/SAVPF 8 126",
        "a=rtcp-mux",
        "a=mid:audio",
        "a=setup:passive",
        "a=candidate:1 1 UDP 2130706431 198.51.100.1 20000 typ host",
        "a=end-of-candidates",
        "a=sendrecv",
    ] {
        assert!(has(&answer, line), "no {line} in\n{answer}");
    }
    assert!(
        answer.contains(&format!("a=fingerprint:{}", ours.policy().dtls.as_ref().unwrap().fingerprint()))
    );
    let dtls = stream.dtls.expect("DTLS is agreed");
    assert!((dtls.ours.ufrag.len(), dtls.ours.pwd.len(), dtls.active) == (8, 24, false), "{dtls:?}");
    assert_eq!((dtls.their_ufrag.as_str(), dtls.fingerprints[0].to_string().as_str()), ("ts5b", FINGERPRINT));
    assert_eq!((stream.direction, stream.remote_holds, stream.rtcp_mux), (Direction::SendRecv, false, true));
}

#[test]
fn what_stands_before_all_media_counts_where_the_medium_says_nothing() {
    let moved = ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup"];
    let session = format!(
        "a=ice-ufrag:ts5b\r\na=ice-pwd:1sw41lYZo5QwIT8+BhXDL59e\r\na=fingerprint:{FINGERPRINT}\r\na=setup:passive\r\n"
    );
    let offer =
        offer(&session, |line| (!moved.iter().any(|moved| line.starts_with(moved))).then(|| line.to_owned()));
    let (answer, stream) = negotiation().answer(offer.as_bytes()).unwrap();
    assert!(has(&text(&answer), "a=setup:active") && stream.dtls.unwrap().active);
    assert!(!text(&answer).contains("BUNDLE"), "it has bundled nothing");
}

#[test]
fn an_offer_that_lacks_what_it_needs_is_refused_with_the_reason() {
    let cases: [(&str, Option<&str>, &str); 8] = [
        ("a=ice-ufrag", None, "a=ice-ufrag"),
        ("a=ice-ufrag", Some("a=ice-ufrag:abc"), "a=ice-ufrag"),
        ("a=ice-pwd", None, "a=ice-pwd"),
        ("a=ice-pwd", Some("a=ice-pwd:too short"), "a=ice-pwd"),
        ("a=fingerprint", None, "a=fingerprint"),
        ("a=fingerprint", Some("a=fingerprint:sha-1 AB:CD"), "a=fingerprint"),
        ("a=setup", Some("a=setup:holdconn"), "a=setup"),
        ("a=rtcp-mux", None, "a=rtcp-mux"),
    ];
    for (start, other, reason) in cases {
        let offer = offer("", |line| match line.starts_with(start) {
            true => other.map(str::to_owned),
            false => Some(line.to_owned()),
        });
        let error = negotiation().answer(offer.as_bytes()).expect_err(start);
        assert!(matches!(error, NegotiationError::NoAssociation { why } if why.contains(reason)), "{error}");
        assert_eq!(error.status(), 488);
    }
    let lite = offer("a=ice-lite\r\n", |line| Some(line.to_owned()));
    assert!(matches!(
        negotiation().answer(lite.as_bytes()),
        Err(NegotiationError::NoAssociation { why }) if why.contains("ice-lite")
    ));
}

#[test]
fn without_a_certificate_dtls_is_not_spoken_and_with_one_plain_sound_still_is() {
    let local = "198.51.100.1:20000".parse().unwrap();
    let mut plain = Negotiation::new(Policy::default(), local, 7, [7; 32]);
    assert!(matches!(plain.answer(whole().as_bytes()), Err(NegotiationError::Transport { .. })));
    let rtp = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n";
    let (answer, stream) = negotiation().answer(rtp.as_bytes()).unwrap();
    assert!(stream.dtls.is_none() && has(&text(&answer), "m=audio 20000 RTP/AVP 8"));
    assert!(!text(&answer).contains("ice-") && !text(&answer).contains("fingerprint"));
}

#[test]
fn our_offer_leaves_the_role_open_and_takes_no_answer_of_another_transport() {
    let mut ours = negotiation();
    let offer = text(&ours.offer());
    for line in [
        "m=audio 20000 UDP/TLS/RTP/SAVPF 8 0 101",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=mid:0",
        "a=group:BUNDLE 0",
    ] {
        assert!(has(&offer, line), "no {line} in\n{offer}");
    }
    assert!(!offer.contains("a=crypto"));
    let plain = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n";
    assert!(matches!(ours.accept(plain.as_bytes()), Err(NegotiationError::Mismatch(_))));
    let answer = whole().replace("111 0 8 126", "8 126").replace("actpass", "passive");
    assert!(ours.accept(answer.as_bytes()).unwrap().dtls.unwrap().active);
    let again = text(&ours.offer());
    assert!(has(&again, "a=setup:actpass"));
    for name in ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint"] {
        let line = |text: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        assert_eq!(line(&again), line(&offer), "kept in a re-INVITE");
    }
}

#[test]
fn new_credentials_of_theirs_bring_new_ones_of_ours() {
    let mut ours = negotiation();
    let first = ours.answer(whole().as_bytes()).unwrap().1.dtls.unwrap();
    let same = ours.answer(whole().as_bytes()).unwrap().1.dtls.unwrap();
    assert_eq!(first, same);
    let restarted = whole().replace("ts5b", "Xs5b");
    let other = ours.answer(restarted.as_bytes()).unwrap().1.dtls.unwrap();
    assert!(other.ours.ufrag != first.ours.ufrag && other.ours.pwd != first.ours.pwd);
    assert_eq!((other.active, other.fingerprints), (first.active, first.fingerprints));
}

#[test]
fn hold_is_said_by_the_direction_and_not_by_an_address() {
    let mut ours = negotiation();
    ours.answer(whole().as_bytes()).unwrap();
    let (answer, stream) = ours.answer(whole().replace("sendrecv", "sendonly").as_bytes()).unwrap();
    assert!(stream.remote_holds && has(&text(&answer), "a=recvonly"));
    let (answer, stream) = ours.answer(whole().as_bytes()).unwrap();
    assert!(!stream.remote_holds && has(&text(&answer), "a=sendrecv"));
}

#[test]
fn a_picture_beside_the_sound_is_refused_by_its_name() {
    let picture = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:picture\r\na=rtcp-mux\r\n";
    let session = "a=group:BUNDLE audio picture\r\n";
    let offer = offer(session, |line| Some(line.to_owned())) + picture;
    let (answer, _) = negotiation().answer(offer.as_bytes()).unwrap();
    let answer = Description::parse(&answer).unwrap();
    let mid = answer.media[1].attributes.iter().find(|attribute| attribute.name == "mid");
    assert_eq!((answer.media[1].port, mid.unwrap().value.as_deref()), (0, Some("picture")));
    let group = answer.attributes.iter().find(|attribute| attribute.name == "group");
    assert_eq!(group.unwrap().value.as_deref(), Some("BUNDLE audio"));
}
