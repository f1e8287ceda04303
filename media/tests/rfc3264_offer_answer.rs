//! Offer/answer as RFC 3264 has it, clause by clause, with the neighbours a telephone call meets (RFC 3605, 4733, 5761).

use std::net::SocketAddr;

use media::sdp::{Description, SdpError};
use media::{Codec, Direction, Negotiation, NegotiationError, Policy, Stream};

fn local() -> SocketAddr {
    "198.51.100.1:10000".parse().unwrap()
}

fn leg() -> Negotiation {
    Negotiation::new(Policy::default(), local(), 4_711, [7; 32])
}

/// A description from 192.0.2.1 with these lines below `t=`.
fn from_far_end(lines: &str) -> String {
    let lines = lines.lines().map(|line| format!("{}\r\n", line.trim())).collect::<String>();
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{lines}")
}

fn answer_to(lines: &str) -> (String, Stream) {
    let (answer, stream) = leg().answer(from_far_end(lines).as_bytes()).unwrap();
    (text(&answer), stream)
}

fn refusal_of(lines: &str) -> NegotiationError {
    leg().answer(from_far_end(lines).as_bytes()).unwrap_err()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn lines(description: &str, start: &str) -> Vec<String> {
    description.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

fn version(description: &[u8]) -> u64 {
    Description::parse(description).unwrap().origin.version.parse().unwrap()
}

#[test]
fn an_ordinary_offer_gets_an_ordinary_answer() {
    let (answer, stream) = answer_to(
        "m=audio 4000 RTP/AVP 0 8 101
         a=rtpmap:0 PCMU/8000
         a=rtpmap:8 PCMA/8000
         a=rtpmap:101 telephone-event/8000
         a=fmtp:101 0-16
         a=ptime:20",
    );
    let expected = "v=0\r\no=- 4711 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 10000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na=rtcp:10001\r\na=sendrecv\r\n";
    assert_eq!(answer, expected);
    let agreed = Stream {
        remote: Some("192.0.2.1:4000".parse().unwrap()),
        remote_rtcp: Some("192.0.2.1:4001".parse().unwrap()),
        rtcp_mux: false,
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        send_event: Some(101),
        receive_event: Some(101),
        direction: Direction::SendRecv,
        ptime: 20,
        remote_holds: false,
        dtls: None,
        opus: media::codec::OpusParameters::default(),
        rtcp_wanted: true,
        tones: Default::default(),
        wanted_reports: Default::default(),
        keys: None,
    };
    assert_eq!(stream, agreed);
}

#[test]
fn static_numbers_need_no_mapping() {
    assert_eq!(answer_to("m=audio 4000 RTP/AVP 0").1.codec, Codec::Pcmu);
    assert_eq!(answer_to("m=audio 4000 RTP/AVP 18 8").1.codec, Codec::Pcma);
}

#[test]
fn a_mapping_wins_over_the_static_meaning_of_a_number() {
    let (_, stream) = answer_to("m=audio 4000 RTP/AVP 8 97\na=rtpmap:8 OTHER/8000\na=rtpmap:97 pcmu/8000/1");
    assert_eq!((stream.codec, stream.send_payload_type, stream.receive_payload_type), (Codec::Pcmu, 97, 97));
    let stereo = "m=audio 4000 RTP/AVP 97\na=rtpmap:97 PCMU/8000/2";
    assert!(matches!(refusal_of(stereo), NegotiationError::NoCommonCodec { .. }));
}

#[test]
fn events_are_taken_at_the_number_and_clock_of_the_offer() {
    let (answer, stream) = answer_to(
        "m=audio 4000 RTP/AVP 8 96 110
         a=rtpmap:96 telephone-event/48000
         a=rtpmap:110 Telephone-Event/8000",
    );
    assert_eq!((stream.send_event, stream.receive_event), (Some(110), Some(110)));
    assert_eq!(lines(&answer, "m="), ["m=audio 10000 RTP/AVP 8 110"]);
    assert_eq!(lines(&answer, "a=fmtp"), ["a=fmtp:110 0-15"]);
}

#[test]
fn events_not_offered_are_not_answered() {
    let (answer, stream) = answer_to("m=audio 4000 RTP/AVP 8");
    assert_eq!((stream.send_event, stream.receive_event), (None, None));
    assert!(!answer.contains("telephone-event"));
    let policy = Policy { telephone_event: false, ..Policy::default() };
    let offer = from_far_end("m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000");
    let (_, stream) = Negotiation::new(policy, local(), 1, [7; 32]).answer(offer.as_bytes()).unwrap();
    assert_eq!(stream.send_event, None);
}

#[test]
fn each_medium_gets_a_line_and_all_but_one_audio_are_refused() {
    // §6: the same number of m= lines in the same order; a refused one has port 0.
    let (answer, stream) = answer_to(
        "m=video 5000 RTP/AVP 31 96
         m=image 5002 udptl t38
         m=audio 4000 RTP/AVP 8
         m=audio 4002 RTP/AVP 0
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    );
    let expected = [
        "m=video 0 RTP/AVP 31 96",
        "m=image 0 udptl t38",
        "m=audio 10000 RTP/AVP 8",
        "m=audio 0 RTP/AVP 0",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    ];
    assert_eq!(lines(&answer, "m="), expected);
    assert_eq!(stream.remote.unwrap().port(), 4_000);
}

#[test]
fn the_second_audio_is_taken_when_the_first_cannot_be() {
    for first in ["m=audio 0 RTP/AVP 8", "m=audio 4000 RTP/SAVP 8", "m=audio 4000 RTP/AVP 9"] {
        let (answer, stream) = answer_to(&format!("{first}\nm=audio 4002 RTP/AVP 8"));
        assert_eq!(lines(&answer, "m=audio 0 ").len(), 1);
        assert_eq!(stream.remote.unwrap().port(), 4_002);
    }
}

#[test]
fn a_direction_is_answered_by_its_counterpart() {
    // §6.1.
    for (offered, answered, direction, holds) in [
        ("sendrecv", "a=sendrecv", Direction::SendRecv, false),
        ("sendonly", "a=recvonly", Direction::RecvOnly, true),
        ("recvonly", "a=sendonly", Direction::SendOnly, false),
        ("inactive", "a=inactive", Direction::Inactive, true),
    ] {
        let (answer, stream) = answer_to(&format!("m=audio 4000 RTP/AVP 8\na={offered}"));
        assert!(answer.contains(answered), "{offered}: {answer}");
        assert_eq!((stream.direction, stream.remote_holds), (direction, holds), "{offered}");
    }
}

#[test]
fn the_direction_of_the_session_is_the_default_of_its_media() {
    let (_, stream) = answer_to("a=sendonly\nm=audio 4000 RTP/AVP 8");
    assert_eq!(stream.direction, Direction::RecvOnly);
    let (_, stream) = answer_to("a=sendonly\nm=audio 4000 RTP/AVP 8\na=sendrecv");
    assert_eq!(stream.direction, Direction::SendRecv);
}

#[test]
fn the_old_hold_by_address_sends_nothing_and_receives_on() {
    // §8.4.
    for c in ["IN IP4 0.0.0.0", "IN IP6 ::", "IN IP4 anything.invalid"] {
        let (answer, stream) = answer_to(&format!("m=audio 4000 RTP/AVP 8\nc={c}"));
        assert_eq!((stream.remote, stream.remote_rtcp), (None, None), "{c}");
        assert!(stream.remote_holds);
        assert_eq!(stream.direction, Direction::RecvOnly);
        assert!(answer.contains("a=recvonly"));
    }
    let (_, stream) = answer_to("m=audio 4000 RTP/AVP 8\nc=IN IP4 0.0.0.0\na=inactive");
    assert_eq!(stream.direction, Direction::Inactive);
}

#[test]
fn a_hold_and_its_end_follow_the_offers_and_raise_the_version() {
    let mut leg = leg();
    let mut versions = vec![];
    for (direction, ours) in [
        ("sendrecv", Direction::SendRecv),
        ("sendonly", Direction::RecvOnly),
        ("sendonly", Direction::RecvOnly),
        ("sendrecv", Direction::SendRecv),
    ] {
        let offer = from_far_end(&format!("m=audio 4000 RTP/AVP 8\na={direction}"));
        let (answer, stream) = leg.answer(offer.as_bytes()).unwrap();
        assert_eq!(stream.direction, ours);
        assert!(text(&answer).contains("o=- 4711 "), "the session id stays");
        versions.push(version(&answer));
    }
    assert_eq!(versions, [1, 2, 2, 3], "by one, and only with a change (§8)");
}

#[test]
fn a_new_address_port_and_codec_are_followed() {
    let mut leg = leg();
    leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    let offer = from_far_end("m=audio 6000 RTP/AVP 0\nc=IN IP4 192.0.2.77");
    let (answer, stream) = leg.answer(offer.as_bytes()).unwrap();
    assert_eq!(stream.remote.unwrap().to_string(), "192.0.2.77:6000");
    assert_eq!(stream.codec, Codec::Pcmu);
    assert!(text(&answer).contains("m=audio 10000 RTP/AVP 0\r\n"));
}

#[test]
fn our_order_decides_which_codec_is_taken() {
    let offer = from_far_end("m=audio 4000 RTP/AVP 0 8");
    let mut leg = leg();
    assert_eq!(leg.examine(offer.as_bytes()).unwrap(), [Codec::Pcmu, Codec::Pcma], "in the far end's order");
    leg.prefer(Some(Codec::Pcmu));
    assert_eq!(leg.answer(offer.as_bytes()).unwrap().1.codec, Codec::Pcmu);
}

#[test]
fn looking_at_an_offer_changes_nothing() {
    let leg = leg();
    leg.examine(from_far_end("m=audio 4000 RTP/AVP 0 8").as_bytes()).unwrap();
    assert_eq!((leg.stream(), leg.last_description()), (None, None));
}

#[test]
fn rtcp_shares_the_port_when_offered_and_only_then() {
    let (answer, stream) = answer_to("m=audio 4000 RTP/AVP 8\na=rtcp-mux\na=rtcp:4000");
    assert!(stream.rtcp_mux && answer.contains("a=rtcp-mux\r\n") && !answer.contains("a=rtcp:"));
    assert_eq!(stream.remote_rtcp, stream.remote);
    let (answer, stream) = answer_to("m=audio 4000 RTP/AVP 8\na=rtcp:4444 IN IP4 192.0.2.9");
    assert!(!stream.rtcp_mux && !answer.contains("rtcp-mux"));
    assert_eq!(stream.remote_rtcp.unwrap().to_string(), "192.0.2.9:4444");
}

#[test]
fn no_rtcp_is_wanted_when_both_bandwidths_are_zero() {
    let wanted = |b: &str| answer_to(&format!("m=audio 4000 RTP/AVP 8\n{b}")).1.rtcp_wanted;
    assert!(!wanted("b=RS:0\nb=RR:0"));
    assert!(wanted("b=RS:0\nb=RR:800"));
    assert!(wanted("b=AS:64"));
    assert!(wanted("b=RR:not a number"));
}

#[test]
fn feedback_profiles_are_answered_in_kind() {
    let (answer, _) = answer_to("m=audio 4000 RTP/AVPF 8");
    assert!(answer.contains("m=audio 10000 RTP/AVPF 8"));
}

#[test]
fn srtp_is_refused_where_it_is_off_with_a_text_that_says_what_works() {
    let error = refusal_of("m=audio 4000 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0");
    assert_eq!(error.status(), 488);
    let (code, text) = error.warning().unwrap();
    assert_eq!(code, 302);
    assert_eq!(text, "RTP/SAVP is encrypted, and SRTP is off here; RTP/AVP would be taken");
}

#[test]
fn no_common_codec_is_488_with_warning_305_that_names_both_sides() {
    let error = refusal_of("m=audio 4000 RTP/AVP 9 18 111\na=rtpmap:111 opus/48000/2");
    assert_eq!(error.status(), 488);
    let expected = "no codec in common: the far end has G722 G729 opus, we have PCMA PCMU";
    assert_eq!(error.warning().unwrap(), (305, expected.to_owned()));
}

#[test]
fn an_offer_without_open_audio_is_488_with_warning_304() {
    for lines in
        ["m=image 4000 udptl t38", "m=audio 0 RTP/AVP 8", "m=audio 0 RTP/AVP 8\nm=image 4000 udptl t38", ""]
    {
        let error = refusal_of(lines);
        assert_eq!((error.status(), error.warning().unwrap().0), (488, 304), "{lines}");
    }
}

#[test]
fn an_address_we_cannot_send_to_is_488_with_warning_301() {
    for c in ["IN IP6 2001:db8::1", "IN IP4 phone.example.com", "IN IP4 999.1.1.1", "ATM NSAP 47"] {
        let error = refusal_of(&format!("m=audio 4000 RTP/AVP 8\nc={c}"));
        assert_eq!((error.status(), error.warning().unwrap().0), (488, 301), "{c}");
    }
    let without = "v=0\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
    assert_eq!(leg().answer(without.as_bytes()).unwrap_err().warning().unwrap().0, 301);
}

#[test]
fn a_multicast_address_is_488_with_warning_330() {
    for c in ["IN IP4 224.2.1.1/127", "IN IP4 255.255.255.255"] {
        let error = refusal_of(&format!("m=audio 4000 RTP/AVP 8\nc={c}"));
        assert_eq!((error.status(), error.warning().unwrap().0), (488, 330), "{c}");
    }
}

#[test]
fn ipv6_is_spoken_where_our_address_is_ipv6() {
    let mut leg = Negotiation::new(Policy::default(), "[2001:db8::1]:10000".parse().unwrap(), 1, [7; 32]);
    let offer = from_far_end("m=audio 4000 RTP/AVP 8\nc=IN IP6 2001:db8::2");
    let (answer, stream) = leg.answer(offer.as_bytes()).unwrap();
    assert_eq!(stream.remote.unwrap().to_string(), "[2001:db8::2]:4000");
    assert!(text(&answer).contains("c=IN IP6 2001:db8::1\r\n"));
    assert!(text(&answer).contains("o=- 1 1 IN IP6 2001:db8::1\r\n"));
}

#[test]
fn what_is_no_description_is_400_and_what_is_too_big_413() {
    assert_eq!(leg().answer(b"").unwrap_err().status(), 400);
    assert_eq!(leg().answer(b"<html>").unwrap_err().status(), 400);
    assert_eq!(leg().answer(b"v=0\r\nm=audio many RTP/AVP 8\r\n").unwrap_err().status(), 400);
    let error = leg().answer(&[b'v'; 40_000]).unwrap_err();
    assert_eq!(error, NegotiationError::Unreadable(SdpError::TooLong(40_000)));
    assert_eq!(error.status(), 413);
}

#[test]
fn a_warning_cannot_end_its_quotes_or_its_line() {
    let error = refusal_of("m=audio 4000 RTP/\"AVP\\ 8");
    let text = error.warning().unwrap().1;
    assert!(!text.contains(['"', '\\', '\r', '\n']), "{text}");
}

#[test]
fn a_refused_offer_leaves_everything_as_it_was() {
    let mut leg = leg();
    leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    let (stream, sent) = (leg.stream().cloned(), leg.last_description().cloned());
    leg.answer(from_far_end("m=image 4000 udptl t38").as_bytes()).unwrap_err();
    assert_eq!((leg.stream().cloned(), leg.last_description().cloned()), (stream, sent));
}

#[test]
fn an_offer_lists_what_the_policy_allows_in_its_order() {
    let mut leg = leg();
    let expected = "v=0\r\no=- 4711 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 10000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=rtcp:10001\r\na=sendrecv\r\n";
    assert_eq!(text(&leg.offer()), expected);
    assert!(leg.awaits_answer());
    let only = text(&leg.offer_like(Direction::SendRecv, &[Codec::Pcmu]));
    assert!(only.contains("m=audio 10000 RTP/AVP 0 101\r\n"));
}

#[test]
fn numbers_may_differ_each_way() {
    // §6.1: the numbers of an answer are those the answerer wants to receive.
    let mut leg = leg();
    leg.offer();
    let answer = from_far_end(
        "m=audio 4000 RTP/AVP 98 97
         a=rtpmap:98 PCMU/8000
         a=rtpmap:97 telephone-event/8000
         a=ptime:30",
    );
    let stream = leg.accept(answer.as_bytes()).unwrap();
    assert_eq!((stream.codec, stream.send_payload_type, stream.receive_payload_type), (Codec::Pcmu, 98, 0));
    assert_eq!((stream.send_event, stream.receive_event), (Some(97), Some(101)));
    assert_eq!(stream.ptime, 30);
}

#[test]
fn an_answer_without_events_means_none_either_way() {
    let mut leg = leg();
    leg.offer();
    let stream = leg.accept(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    assert_eq!((stream.send_event, stream.receive_event), (None, None));
}

#[test]
fn a_refresh_repeats_the_offer_byte_for_byte() {
    let mut leg = leg();
    let first = leg.offer();
    leg.accept(from_far_end("m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000").as_bytes())
        .unwrap();
    assert_eq!(leg.offer(), first, "same version, same everything (RFC 4028 §7.4)");
}

#[test]
fn a_refresh_after_an_answer_repeats_that_answer() {
    let mut leg = leg();
    let offer = "m=video 5000 RTP/AVP 96\nm=audio 4000 RTP/AVP 97 8 100\na=rtpmap:97 PCMA/8000\n\
        a=rtpmap:100 telephone-event/8000\na=rtcp-mux";
    let (answer, _) = leg.answer(from_far_end(offer).as_bytes()).unwrap();
    assert_eq!(leg.offer(), answer);
    // §8.3.2: and a fuller offer keeps place, numbers and rtcp-mux.
    let fuller = text(&leg.offer_like(Direction::SendRecv, &[]));
    assert_eq!(lines(&fuller, "m="), ["m=video 0 RTP/AVP 96", "m=audio 10000 RTP/AVP 97 0 100"]);
    assert!(fuller.contains("a=rtcp-mux"));
}

#[test]
fn no_number_is_listed_twice() {
    let mut leg = leg();
    // The far end gives µ-law the number we use for events, and A-law the static number of µ-law.
    let offer = from_far_end("m=audio 4000 RTP/AVP 101\na=rtpmap:101 PCMU/8000");
    leg.answer(offer.as_bytes()).unwrap();
    let offer = from_far_end("m=audio 4000 RTP/AVP 0\na=rtpmap:0 PCMA/8000");
    leg.answer(offer.as_bytes()).unwrap();
    let ours = text(&leg.offer_like(Direction::SendRecv, &[]));
    assert_eq!(lines(&ours, "m="), ["m=audio 10000 RTP/AVP 0 101 96"]);
    assert_eq!(lines(&ours, "a=rtpmap:96"), ["a=rtpmap:96 telephone-event/8000"]);
}

#[test]
fn our_hold_is_offered_and_its_answer_read() {
    for (wanted, answered, ours) in [
        (Direction::SendOnly, "recvonly", Direction::SendOnly),
        (Direction::SendOnly, "inactive", Direction::Inactive),
        (Direction::SendOnly, "sendrecv", Direction::SendOnly), // wrong by §6.1, and common
        (Direction::Inactive, "inactive", Direction::Inactive),
        (Direction::RecvOnly, "sendonly", Direction::RecvOnly),
    ] {
        let mut leg = leg();
        leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
        let offer = leg.offer_like(wanted, &[]);
        assert!(text(&offer).contains(&format!("a={}\r\n", wanted.name())));
        let answer = from_far_end(&format!("m=audio 4000 RTP/AVP 8\na={answered}"));
        let stream = leg.accept(answer.as_bytes()).unwrap();
        assert_eq!(stream.direction, ours, "{wanted:?} answered {answered}");
        assert_eq!(stream.remote_holds, wanted.sends() && answered == "inactive");
    }
}

#[test]
fn our_hold_lasts_through_an_offer_of_the_far_end() {
    let mut leg = leg();
    leg.offer_like(Direction::SendOnly, &[]);
    leg.accept(from_far_end("m=audio 4000 RTP/AVP 8\na=recvonly").as_bytes()).unwrap();
    let (answer, stream) = leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    assert!(text(&answer).contains("a=sendonly"));
    assert_eq!(stream.direction, Direction::SendOnly);
}

#[test]
fn a_rejected_offer_changes_nothing_but_the_version() {
    let mut leg = leg();
    leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    let before = leg.stream().cloned();
    leg.offer_like(Direction::Inactive, &[]);
    leg.withdraw();
    assert_eq!(leg.stream().cloned(), before);
    let (answer, stream) = leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    assert_eq!(stream.direction, Direction::SendRecv, "the hold was not agreed");
    assert_eq!(version(&answer), 3, "version 2 was said, so it may not come again with another body (§8)");
}

#[test]
fn an_offer_across_ours_is_glare() {
    let mut leg = leg();
    leg.offer();
    let error = leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap_err();
    assert_eq!((error.status(), error.warning()), (491, None));
    leg.withdraw();
    leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut leg = leg();
    let offer = leg.offer(); // goes out in our 200
    assert!(text(&offer).contains("m=audio 10000"));
    let stream = leg.accept(from_far_end("m=audio 4000 RTP/AVP 0").as_bytes()).unwrap();
    assert_eq!((stream.codec, leg.stream()), (Codec::Pcmu, Some(&stream)));
    assert!(!leg.awaits_answer());
}

#[test]
fn each_fork_may_answer_and_the_last_one_counts() {
    let mut leg = leg();
    leg.offer();
    let early = leg.accept(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    let winner = leg.accept(from_far_end("m=audio 6000 RTP/AVP 0").as_bytes()).unwrap();
    assert_eq!((early.remote.unwrap().port(), winner.remote.unwrap().port()), (4_000, 6_000));
    assert_eq!(leg.stream(), Some(&winner));
}

#[test]
fn an_answer_must_fit_the_offer() {
    type Check = fn(&NegotiationError) -> bool;
    let cases: [(&str, Check); 8] = [
        ("", |e| matches!(e, NegotiationError::Mismatch(_))),
        ("m=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/AVP 8", |e| matches!(e, NegotiationError::Mismatch(_))),
        ("m=video 4000 RTP/AVP 8", |e| matches!(e, NegotiationError::Mismatch(_))),
        ("m=audio 0 RTP/AVP 8", |e| matches!(e, NegotiationError::Refused)),
        ("m=audio 4000 RTP/SAVP 8", |e| matches!(e, NegotiationError::Encrypted { .. })),
        ("m=audio 4000 UDP/TLS/RTP/SAVP 8", |e| matches!(e, NegotiationError::Transport { .. })),
        ("m=audio 4000 RTP/AVP 18 9", |e| matches!(e, NegotiationError::NoCommonCodec { .. })),
        ("m=audio 4000 RTP/AVP 8\nc=IN IP6 2001:db8::1", |e| matches!(e, NegotiationError::Address { .. })),
    ];
    for (lines, check) in cases {
        let mut leg = leg();
        leg.offer();
        let error = leg.accept(from_far_end(lines).as_bytes()).unwrap_err();
        assert!(check(&error), "{lines}: {error}");
        assert_eq!((leg.stream(), error.status()), (None, 488));
        assert!(leg.awaits_answer(), "another fork may do better");
    }
}

#[test]
fn a_codec_we_did_not_offer_is_no_agreement() {
    let mut leg = leg();
    leg.offer_like(Direction::SendRecv, &[Codec::Pcma]);
    let error = leg.accept(from_far_end("m=audio 4000 RTP/AVP 0").as_bytes()).unwrap_err();
    assert!(matches!(error, NegotiationError::NoCommonCodec { .. }));
}

#[test]
fn an_answer_to_nothing_is_an_error() {
    let mut leg = leg();
    assert_eq!(leg.accept(from_far_end("m=audio 4000 RTP/AVP 0").as_bytes()), Err(NegotiationError::Unasked));
}

#[test]
fn a_moved_address_is_told_with_the_next_version_but_names_the_same_session() {
    let mut leg = leg();
    leg.answer(from_far_end("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap();
    leg.set_local("198.51.100.2:20000".parse().unwrap());
    let offer = text(&leg.offer());
    assert!(offer.contains("o=- 4711 2 IN IP4 198.51.100.1\r\n"), "{offer}");
    assert!(offer.contains("c=IN IP4 198.51.100.2\r\n") && offer.contains("m=audio 20000 "));
}

#[test]
fn a_session_id_fits_a_signed_number() {
    // §5.
    let mut leg = Negotiation::new(Policy::default(), local(), u64::MAX, [7; 32]);
    assert!(text(&leg.offer()).contains("o=- 9223372036854775807 1 "));
}

#[test]
fn the_audio_agreed_before_stays_the_one_that_is_taken() {
    let mut leg = leg();
    leg.answer(from_far_end("m=audio 0 RTP/AVP 8\nm=audio 4002 RTP/AVP 8").as_bytes()).unwrap();
    let (answer, stream) =
        leg.answer(from_far_end("m=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/AVP 8").as_bytes()).unwrap();
    assert_eq!(stream.remote.unwrap().port(), 4_002);
    assert_eq!(lines(&text(&answer), "m="), ["m=audio 0 RTP/AVP 8", "m=audio 10000 RTP/AVP 8"]);
}
