//! RFC 8760 by clause: more than one digest algorithm in SIP.
#![allow(missing_docs)]

mod support;

use sip_core::auth::digest::{Algorithm, Challenge, Ha1, Nonces, Verifier};
use support::{SECOND, origin};

fn challenges() -> [Challenge; 2] {
    let now = origin();
    Verifier::new("agents", Nonces::new([1, 2], now, 60 * SECOND, 10)).challenges(now, 7, true)
}

#[test]
fn section_2_4_challenges_come_one_for_each_algorithm_with_the_most_preferred_on_top() {
    let texts = challenges().map(|challenge| challenge.to_string());
    assert!(texts[0].contains("algorithm=SHA-256") && texts[1].contains("algorithm=MD5"), "{texts:?}");
    for (challenge, text) in challenges().iter().zip(texts) {
        assert!(text.ends_with(", qop=\"auth\"") && text.contains(", stale=true, "), "{text}");
        assert_eq!(Challenge::parse(text.as_bytes()).as_ref(), Ok(challenge));
    }
}

#[test]
fn section_2_3_the_response_has_the_length_of_its_hash() {
    let digits = Algorithm::ALL.map(|algorithm| Ha1::of(algorithm, "a", "b", "c").reveal().len());
    assert_eq!(digits, [64, 32]);
}

#[test]
fn section_2_6_without_an_algorithm_it_is_md5() {
    let challenge = Challenge::parse(b"Digest realm=\"a\", nonce=\"b\"").unwrap();
    assert_eq!((challenge.algorithm, challenge.counts), (Algorithm::Md5, false));
}
