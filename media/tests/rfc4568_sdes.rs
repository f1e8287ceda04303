//! SDES (RFC 4568): which `a=crypto` line is taken, which keys are agreed, and how long they last.

use media::sdp::{Keys, Srtp};
use media::srtp::Suite;
use media::{Direction, Negotiation, NegotiationError, Policy, Stream};

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

fn leg(srtp: Srtp) -> Negotiation {
    with_suites(srtp, &[Suite::AesCm128HmacSha1_80], 1)
}

fn with_suites(srtp: Srtp, suites: &[Suite], seed: u8) -> Negotiation {
    let policy = Policy { srtp, suites: suites.to_vec(), ..Policy::default() };
    Negotiation::new(policy, "198.51.100.1:10000".parse().unwrap(), 4_711, [seed; 32])
}

/// A description from 192.0.2.1 with one audio, PCMA, and these `a=crypto` values; `KEY` and `OTHER` stand for keys.
fn audio(protocol: &str, crypto: &[&str]) -> String {
    let lines: String = crypto.iter().map(|line| format!("a=crypto:{line}\r\n")).collect();
    let lines = lines.replace("KEY", KEY).replace("OTHER", OTHER);
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 {protocol} 8\r\n{lines}"
    )
}

fn answer(leg: &mut Negotiation, offer: &str) -> (String, Stream) {
    let (answer, stream) = leg.answer(offer.as_bytes()).unwrap();
    (String::from_utf8(answer.to_vec()).unwrap(), stream)
}

fn offer(leg: &mut Negotiation) -> String {
    String::from_utf8(leg.offer().to_vec()).unwrap()
}

fn crypto(description: &str) -> Vec<&str> {
    description.lines().filter_map(|line| line.strip_prefix("a=crypto:")).collect()
}

fn keys(stream: &Stream) -> Keys {
    *stream.keys.clone().expect("SRTP is agreed")
}

#[test]
fn the_better_suite_is_taken_though_it_stands_second_and_answered_with_its_tag() {
    let offered =
        ["0 AES_CM_128_HMAC_SHA1_32 inline:KEY|2^31", "1 AES_CM_128_HMAC_SHA1_80 inline:OTHER|2^31"];
    for srtp in [Srtp::Optional, Srtp::Required] {
        let (answer, stream) = answer(&mut leg(srtp), &audio("RTP/SAVP", &offered));
        let keys = keys(&stream);
        assert!(answer.contains("m=audio 10000 RTP/SAVP 8\r\n"), "{answer}");
        assert_eq!(crypto(&answer).len(), 1);
        assert!(crypto(&answer)[0].starts_with("1 AES_CM_128_HMAC_SHA1_80 inline:"), "{answer}");
        assert_eq!(
            (keys.send.suite(), keys.receive.key.suite()),
            (Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_80)
        );
        assert_eq!(&keys.receive.key.as_bytes()[..4], b"=-n@", "the key of the second line");
        assert_ne!(keys.send, keys.receive.key);
    }
}

#[test]
fn tag_0_is_a_tag_like_any_other() {
    let offer = audio("RTP/SAVP", &["0 AES_CM_128_HMAC_SHA1_80 inline:KEY"]);
    let (answer, _) = answer(&mut leg(Srtp::Required), &offer);
    assert!(crypto(&answer)[0].starts_with("0 "), "{answer}");
}

#[test]
fn what_we_would_offer_is_taken_before_what_is_stronger_and_that_before_the_rest() {
    let gcm = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let all = [
        "1 AES_CM_128_HMAC_SHA1_32 inline:KEY",
        "2 AES_CM_128_HMAC_SHA1_80 inline:KEY",
        &format!("3 AEAD_AES_128_GCM inline:{gcm}"),
    ];
    let taken = |suites: &[Suite], offered: &[&str]| {
        let stream = answer(&mut with_suites(Srtp::Optional, suites, 1), &audio("RTP/SAVP", offered)).1;
        keys(&stream).send.suite()
    };
    use Suite::*;
    assert_eq!(taken(&[AesCm128HmacSha1_32], &all), AesCm128HmacSha1_32);
    assert_eq!(taken(&[AeadAes256Gcm, AesCm128HmacSha1_80], &all), AesCm128HmacSha1_80);
    assert_eq!(taken(&[AeadAes256Gcm], &all), AeadAes128Gcm);
    assert_eq!(taken(&[AeadAes256Gcm], &all[..2]), AesCm128HmacSha1_80);
}

#[test]
fn a_line_without_key_identifier_is_preferred_but_one_with_it_is_taken_too() {
    let with = "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31|1:1";
    let without = "2 AES_CM_128_HMAC_SHA1_80 inline:OTHER|2^31";
    let taken = |lines: &[&str]| {
        let (answer, stream) = answer(&mut leg(Srtp::Required), &audio("RTP/SAVP", lines));
        (crypto(&answer)[0][..1].to_owned(), keys(&stream).receive.mki_len)
    };
    assert_eq!(taken(&[with, without]), ("2".into(), 0));
    assert_eq!(taken(&[with]), ("1".into(), 1));
}

#[test]
fn an_offer_is_taken_or_refused_as_the_setting_says() {
    let line = ["1 AES_CM_128_HMAC_SHA1_80 inline:KEY"];
    let unusable =
        ["1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP", "2 F8_128_HMAC_SHA1_80 inline:KEY"];
    let (avp, savp) = ("RTP/AVP", "RTP/SAVP");
    // Encrypted, in the clear, or the status and the code of the Warning.
    type Outcome = Result<bool, (u16, u16)>;
    let cases: &[(Srtp, &str, &[&str], Outcome)] = &[
        (Srtp::Off, avp, &[], Ok(false)),
        (Srtp::Off, avp, &line, Ok(false)),
        (Srtp::Off, savp, &line, Err((488, 302))),
        (Srtp::Optional, avp, &[], Ok(false)),
        (Srtp::Optional, avp, &line, Ok(true)),
        (Srtp::Optional, avp, &unusable, Ok(false)),
        (Srtp::Optional, savp, &line, Ok(true)),
        (Srtp::Optional, "rtp/savpf", &line, Ok(true)),
        (Srtp::Optional, savp, &unusable, Err((488, 306))),
        (Srtp::Optional, savp, &[], Err((488, 302))),
        (Srtp::Required, avp, &[], Err((488, 302))),
        (Srtp::Required, avp, &line, Ok(true)),
        (Srtp::Required, avp, &unusable, Err((488, 306))),
        (Srtp::Required, savp, &line, Ok(true)),
        (Srtp::Required, "UDP/TLS/RTP/SAVP", &line, Err((488, 302))),
    ];
    for (srtp, protocol, lines, expected) in cases {
        let offer = audio(protocol, lines);
        let outcome = leg(*srtp).answer(offer.as_bytes());
        let outcome = outcome
            .map(|(_, stream)| stream.keys.is_some())
            .map_err(|error| (error.status(), error.warning().unwrap().0));
        assert_eq!(&outcome, expected, "{srtp:?} {protocol} {lines:?}");
    }
}

#[test]
fn a_refusal_says_what_is_wrong_with_each_line_and_not_its_key() {
    let offer = audio(
        "RTP/SAVP",
        &["1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP", "2 F8_128_HMAC_SHA1_80 inline:OTHER"],
    );
    let error = leg(Srtp::Required).answer(offer.as_bytes()).unwrap_err();
    let (_, text) = error.warning().unwrap();
    assert_eq!(
        text,
        "no a=crypto line can be used: AES_CM_128_HMAC_SHA1_80 with packets in the clear (UNENCRYPTED_…); \
         F8_128_HMAC_SHA1_80, which is not known"
    );
}

#[test]
fn each_side_offers_or_answers_as_its_setting_says_and_both_have_the_same_keys() {
    use Srtp::{Off, Optional, Required};
    for (caller, called, encrypted) in [
        (Off, Off, Some(false)),
        (Off, Optional, Some(false)),
        (Off, Required, None),
        (Optional, Off, Some(false)),
        (Optional, Optional, Some(true)),
        (Optional, Required, Some(true)),
        (Required, Off, None),
        (Required, Optional, Some(true)),
        (Required, Required, Some(true)),
    ] {
        let (mut one, mut two) =
            (with_suites(caller, &Suite::ALL, 1), with_suites(called, &[Suite::AesCm128HmacSha1_32], 2));
        let offered = one.offer();
        let outcome = two.answer(&offered).map(|(answer, theirs)| (one.accept(&answer).unwrap(), theirs));
        let Ok((ours, theirs)) = outcome else {
            assert_eq!(encrypted, None, "{caller:?} {called:?}");
            continue;
        };
        assert_eq!(Some(ours.keys.is_some()), encrypted, "{caller:?} {called:?}");
        assert_eq!(theirs.keys.is_some(), ours.keys.is_some());
        if let (Some(ours), Some(theirs)) = (ours.keys, theirs.keys) {
            assert_eq!((&ours.send, &theirs.send), (&theirs.receive.key, &ours.receive.key));
            assert_ne!(ours.send, theirs.send);
            assert_eq!(ours.send.suite(), Suite::AesCm128HmacSha1_32);
        }
    }
}

#[test]
fn an_offer_has_a_line_for_each_suite_and_a_key_of_its_own_for_each() {
    let mut leg = with_suites(Srtp::Optional, &[Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1_80], 1);
    let text = offer(&mut leg);
    assert!(text.contains("m=audio 10000 RTP/AVP "), "{text}");
    let lines = crypto(&text);
    assert!(
        lines[0].starts_with("1 AEAD_AES_128_GCM inline:")
            && lines[1].starts_with("2 AES_CM_128_HMAC_SHA1_80 inline:")
    );
    let key = |line: &str| line.split(':').nth(1).unwrap()[..20].to_owned();
    assert_ne!(key(lines[0]), key(lines[1]));
    let required = offer(&mut with_suites(Srtp::Required, &[Suite::AesCm128HmacSha1_80], 1));
    assert!(required.contains("m=audio 10000 RTP/SAVP "), "{required}");
    assert_eq!(crypto(&offer(&mut self::leg(Srtp::Off))), [""; 0]);
}

#[test]
fn answers_that_cannot_be_used_leave_what_was_agreed() {
    let usable = audio("RTP/SAVP", &["1 AES_CM_128_HMAC_SHA1_80 inline:KEY"]);
    let refusal = |answer: String| {
        let mut leg = leg(Srtp::Required);
        leg.offer();
        let agreed = leg.accept(usable.as_bytes()).unwrap();
        let offered = offer(&mut leg);
        let error = leg.accept(answer.as_bytes()).unwrap_err();
        assert_eq!(leg.stream(), Some(&agreed), "{error}");
        leg.withdraw();
        let refresh = offer(&mut leg);
        assert_eq!((leg.stream(), refresh), (Some(&agreed), offered), "the same key still");
        error
    };
    assert!(matches!(refusal(audio("RTP/AVP", &[])), NegotiationError::NotEncrypted { .. }));
    assert!(matches!(refusal(audio("RTP/SAVP", &[])), NegotiationError::NotEncrypted { .. }));
    let other = "1 AES_CM_128_HMAC_SHA1_32 inline:KEY";
    let error = refusal(audio("RTP/SAVP", &[other]));
    assert_eq!(
        error.to_string(),
        "no a=crypto line can be used: AES_CM_128_HMAC_SHA1_32, which was not offered"
    );
    let mut off = leg(Srtp::Off);
    off.offer();
    let error = off.accept(audio("RTP/SAVP", &[other]).as_bytes()).unwrap_err();
    assert!(matches!(error, NegotiationError::Encrypted { .. }));
}

#[test]
fn an_answer_with_another_tag_is_taken_by_its_suite() {
    let mut leg = leg(Srtp::Required);
    leg.offer();
    let stream = leg.accept(audio("RTP/SAVP", &["9 AES_CM_128_HMAC_SHA1_80 inline:KEY"]).as_bytes()).unwrap();
    assert!(stream.keys.is_some());
}

#[test]
fn a_refresh_repeats_key_and_version_and_hold_keeps_the_keys() {
    let line = ["1 AES_CM_128_HMAC_SHA1_80 inline:KEY"];
    let mut leg = leg(Srtp::Required);
    leg.offer();
    let agreed = keys(&leg.accept(audio("RTP/SAVP", &line).as_bytes()).unwrap());
    let refresh = offer(&mut leg);
    leg.accept(audio("RTP/SAVP", &line).as_bytes()).unwrap();
    assert_eq!(offer(&mut leg), refresh);
    assert_eq!(crypto(&refresh).len(), 1);
    leg.accept(audio("RTP/SAVP", &line).as_bytes()).unwrap();
    let hold = audio("RTP/SAVP", &line) + "a=inactive\r\n";
    let (text, held) = answer(&mut leg, &hold);
    assert_eq!((keys(&held), crypto(&text)), (agreed.clone(), crypto(&refresh)));
    let resumed = answer(&mut leg, &audio("RTP/SAVP", &line)).1;
    assert_eq!(keys(&resumed), agreed);
    let ours = leg.offer_like(Direction::Inactive, &[]);
    assert_eq!(crypto(std::str::from_utf8(&ours).unwrap()), crypto(&refresh));
}

#[test]
fn the_first_refresh_after_several_suites_names_the_one_that_was_taken_and_the_next_ones_repeat_it() {
    let line = ["2 AES_CM_128_HMAC_SHA1_80 inline:KEY"];
    let mut leg = with_suites(Srtp::Required, &[Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1_80], 1);
    let first = offer(&mut leg);
    let agreed = leg.accept(audio("RTP/SAVP", &line).as_bytes()).unwrap();
    let refresh = offer(&mut leg);
    assert_eq!(
        (crypto(&refresh), refresh.contains("o=- 4711 2 ")),
        (vec![crypto(&first)[1]], true),
        "{refresh}"
    );
    assert_eq!(leg.accept(audio("RTP/SAVP", &line).as_bytes()), Ok(agreed));
    assert_eq!(offer(&mut leg), refresh);
}

#[test]
fn a_new_key_of_theirs_changes_theirs_only_and_a_new_suite_both() {
    let mut leg = leg(Srtp::Required);
    let mut exchange = |line: &str| keys(&answer(&mut leg, &audio("RTP/SAVP", &[line])).1);
    let first = exchange("1 AES_CM_128_HMAC_SHA1_80 inline:KEY");
    let rekeyed = exchange("2 AES_CM_128_HMAC_SHA1_80 inline:OTHER");
    assert_eq!(rekeyed.send, first.send);
    assert_ne!(rekeyed.receive, first.receive);
    let other_suite = exchange("1 AES_CM_128_HMAC_SHA1_32 inline:KEY");
    assert_ne!(other_suite.send.as_bytes(), first.send.as_bytes());
    let back = exchange("1 AES_CM_128_HMAC_SHA1_80 inline:KEY");
    assert_ne!(back.send, first.send, "its counter is forgotten, so the key must not come again");
}

#[test]
fn after_sound_in_the_clear_our_key_is_a_new_one() {
    let mut leg = leg(Srtp::Optional);
    let line = ["1 AES_CM_128_HMAC_SHA1_80 inline:KEY"];
    let first = keys(&answer(&mut leg, &audio("RTP/AVP", &line)).1);
    let (text, clear) = answer(&mut leg, &audio("RTP/AVP", &[]));
    assert_eq!((clear.keys, crypto(&text).len()), (None, 0));
    let again = keys(&answer(&mut leg, &audio("RTP/AVP", &line)).1);
    assert_ne!(again.send, first.send);
}

#[test]
fn each_fork_may_take_another_line_of_one_offer() {
    let mut leg = with_suites(Srtp::Required, &[Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32], 1);
    leg.offer();
    let mut fork = |line: &str| keys(&leg.accept(audio("RTP/SAVP", &[line]).as_bytes()).unwrap()).send;
    let one = fork("1 AES_CM_128_HMAC_SHA1_80 inline:KEY");
    let two = fork("2 AES_CM_128_HMAC_SHA1_32 inline:KEY");
    assert_eq!(two.suite(), Suite::AesCm128HmacSha1_32);
    assert_eq!(fork("1 AES_CM_128_HMAC_SHA1_80 inline:OTHER"), one);
}

#[test]
fn of_two_ways_to_say_the_same_the_encrypted_one_is_taken_where_we_may() {
    let both = audio("RTP/AVP", &[])
        + &format!("m=audio 4002 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    for (srtp, port) in [(Srtp::Off, 4000), (Srtp::Optional, 4002), (Srtp::Required, 4002)] {
        let stream = answer(&mut leg(srtp), &both).1;
        assert_eq!((stream.remote.unwrap().port(), stream.keys.is_some()), (port, port == 4002), "{srtp:?}");
    }
}

#[test]
fn where_srtp_is_off_a_key_does_not_put_a_later_audio_before_the_first() {
    let both = audio("RTP/AVP", &[])
        + &format!("m=audio 4002 RTP/AVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    for (srtp, port) in [(Srtp::Off, 4000), (Srtp::Optional, 4002)] {
        assert_eq!(answer(&mut leg(srtp), &both).1.remote.unwrap().port(), port, "{srtp:?}");
    }
}

#[test]
fn no_key_shows_in_debug() {
    let mut leg = leg(Srtp::Required);
    let (text, stream) = answer(&mut leg, &audio("RTP/SAVP", &["1 AES_CM_128_HMAC_SHA1_80 inline:KEY"]));
    let shown = format!("{leg:?} {stream:?}");
    let ours = crypto(&text)[0].split(':').nth(1).unwrap();
    for secret in [KEY, ours, "[7, 7", "1, 1, 1, 1", "89, 83, 95"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn a_line_before_all_media_counts_for_the_audio_that_has_none_of_its_own() {
    let before =
        |line: &str, audio: &str| audio.replace("t=0 0\r\n", &format!("t=0 0\r\na=crypto:{line}\r\n"));
    let line = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let shared = before(&line, &audio("RTP/SAVP", &[]));
    let agreed = keys(&answer(&mut leg(Srtp::Required), &shared).1);
    assert_eq!(&agreed.receive.key.as_bytes()[..4], b"YS__");
    let own = before(&line, &audio("RTP/SAVP", &["2 AES_CM_128_HMAC_SHA1_80 inline:OTHER"]));
    let (text, stream) = answer(&mut leg(Srtp::Required), &own);
    assert_eq!((&keys(&stream).receive.key.as_bytes()[..4], &crypto(&text)[0][..2]), (&b"=-n@"[..], "2 "));
    let shown = format!("{:?}", media::sdp::Description::parse(shared.as_bytes()).unwrap());
    assert!(!shown.contains(KEY), "{shown}");
}
