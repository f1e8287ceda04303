//! RFC 7616 by clause: digest proofs, nonces and their counts, on the server's and the client's side.
#![allow(missing_docs)]

mod support;

use bytes::Bytes;
use sip_core::auth::digest::{
    Algorithm, Challenge, Credentials, Ha1, Login, NonceFault, Nonces, Session, Verdict, Verifier,
};
use sip_core::message::{Header, Message};
use std::time::{Duration, Instant};
use support::{MS, SECOND, origin};

const REALM: &str = "http-auth@example.org";
const PASSWORD: &str = "Circle of Life";
const LIFETIME: Duration = Duration::from_secs(60);

/// The Authorization of §3.9.1, by one of its two algorithms.
fn example(algorithm: &str, response: &str) -> Credentials {
    let text = format!(
        "Digest username=\"Mufasa\",\r\n realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
         algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    );
    Credentials::parse(text.replace("\r\n", "").as_bytes()).unwrap()
}

fn nonces(most: usize) -> (Nonces, Instant) {
    let now = origin();
    (Nonces::new([1, 2], now, LIFETIME, most), now)
}

fn verifier() -> (Verifier, Instant) {
    let (nonces, now) = nonces(100);
    (Verifier::new(REALM, nonces), now)
}

fn mufasa(algorithm: Algorithm) -> Ha1 {
    Ha1::of(algorithm, "Mufasa", REALM, PASSWORD)
}

const MD5: &str = "8ca523f5e9506fed4657c9700eebdbec";
const SHA256: &str = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";

#[test]
fn section_3_9_1_both_proofs_of_the_example_are_right_though_their_nonce_is_not_ours() {
    for (algorithm, response) in [(Algorithm::Md5, MD5), (Algorithm::Sha256, SHA256)] {
        let (mut verifier, now) = verifier();
        let credentials = example(algorithm.name(), response);
        let get = ("GET", "/dir/index.html");
        assert_eq!(verifier.judge(now, &credentials, get, Some(&mufasa(algorithm))), Verdict::Stale);
        let other = ("POST", "/dir/index.html");
        assert_eq!(verifier.judge(now, &credentials, other, Some(&mufasa(algorithm))), Verdict::Wrong);
    }
}

#[test]
fn section_3_4_2_the_ha1_of_the_example_can_be_kept_in_place_of_the_password() {
    assert_eq!(mufasa(Algorithm::Md5).reveal(), "3d78807defe7de2157e2b0b6573a855f");
    let digits = mufasa(Algorithm::Sha256).reveal().to_uppercase();
    assert_eq!(Ha1::from_hex(Algorithm::Sha256, &digits), Some(mufasa(Algorithm::Sha256)));
    for wrong in [&digits[1..], &digits.replacen(&digits[..1], "g", 1)] {
        assert_eq!(Ha1::from_hex(Algorithm::Sha256, wrong), None);
    }
}

/// What a client that knows the password answers to the strongest challenge.
fn answer(verifier: &Verifier, now: Instant, password: &str) -> Session {
    let challenges = verifier.challenges(now, 7, false).map(|challenge| challenge.to_string());
    session(401, &challenges, password).unwrap()
}

fn session(status: u16, challenges: &[String], password: &str) -> Option<Session> {
    let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    let headers: String = challenges.iter().map(|value| format!("{name}: {value}\r\n")).collect();
    let response = Message::parse(Bytes::from(format!("SIP/2.0 {status} Who\r\n{headers}\r\n"))).unwrap();
    let login = Login { username: "Mufasa".into(), password: password.into(), realm: None };
    Session::of(&response, &login)
}

fn register(session: &mut Session) -> Credentials {
    Credentials::parse(&session.answer("REGISTER", "sip:example.org", 9)).unwrap()
}

const TO_US: (&str, &str) = ("REGISTER", "sip:example.org");

#[test]
fn section_3_4_5_a_nonce_may_be_used_often_but_no_count_twice() {
    let (mut verifier, now) = verifier();
    let mut session = answer(&verifier, now, PASSWORD);
    let proofs = [register(&mut session), register(&mut session), register(&mut session)];
    let mut judge = |at: usize| verifier.judge(now, &proofs[at], TO_US, Some(&mufasa(Algorithm::Sha256)));
    assert_eq!(
        [judge(0), judge(0), judge(2), judge(1)],
        [Verdict::Right, Verdict::Stale, Verdict::Right, Verdict::Stale]
    );
}

#[test]
fn section_3_3_stale_is_only_for_who_knows_the_password() {
    let (mut verifier, now) = verifier();
    let later = now + LIFETIME;
    let (mut right, mut wrong) = (answer(&verifier, now, PASSWORD), answer(&verifier, now, "Hakuna"));
    let ha1 = mufasa(Algorithm::Sha256);
    assert_eq!(verifier.judge(later, &register(&mut right), TO_US, Some(&ha1)), Verdict::Stale);
    assert_eq!(verifier.judge(later, &register(&mut wrong), TO_US, Some(&ha1)), Verdict::Wrong);
}

#[test]
fn a_proof_for_another_uri_realm_user_or_algorithm_is_wrong() {
    let (mut verifier, now) = verifier();
    let mut session = answer(&verifier, now, PASSWORD);
    let (sha, md5) = (mufasa(Algorithm::Sha256), mufasa(Algorithm::Md5));
    let uri = Credentials { uri: "sip:other.org".into(), ..register(&mut session) };
    let realm = Credentials { realm: "other".into(), ..register(&mut session) };
    for credentials in [uri, realm] {
        assert_eq!(verifier.judge(now, &credentials, TO_US, Some(&sha)), Verdict::Wrong);
    }
    assert_eq!(verifier.judge(now, &register(&mut session), TO_US, None), Verdict::Wrong);
    assert_eq!(verifier.judge(now, &register(&mut session), TO_US, Some(&md5)), Verdict::Wrong);
    assert_eq!(verifier.judge(now, &register(&mut session), TO_US, Some(&sha)), Verdict::Right);
}

#[test]
fn nobody_cannot_be_proved_to_be_anybody() {
    let (mut verifier, now) = verifier();
    let challenges = verifier.challenges(now, 7, false).map(|challenge| challenge.to_string());
    let response = Message::parse(Bytes::from(format!(
        "SIP/2.0 401 Who\r\nWWW-Authenticate: {}\r\n\r\n",
        challenges[0]
    )));
    let login = Login { username: String::new(), password: String::new(), realm: None };
    let mut session = Session::of(&response.unwrap(), &login).unwrap();
    assert_eq!(verifier.judge(now, &register(&mut session), TO_US, None), Verdict::Wrong);
}

#[test]
fn a_proof_without_a_count_is_not_taken_for_it_could_be_used_again() {
    let (mut verifier, now) = verifier();
    let [challenge, _] = verifier.challenges(now, 7, false);
    let old = Challenge { counts: false, ..challenge }.to_string();
    let credentials = register(&mut session(401, &[old], PASSWORD).unwrap());
    assert_eq!(credentials.counted, None);
    assert_eq!(verifier.judge(now, &credentials, TO_US, Some(&mufasa(Algorithm::Sha256))), Verdict::Wrong);
}

#[test]
fn strangers_who_ask_for_nonces_cost_no_memory_and_a_forged_nonce_is_foreign() {
    let (mut nonces, now) = nonces(10);
    let made: Vec<String> = (0..1_000).map(|salt| nonces.mint(now, salt)).collect();
    assert_eq!(nonces.in_use(), 0);
    for at in 0..made[0].len() {
        let mut forged = made[0].clone().into_bytes();
        forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(nonces.take(now, &forged, 1), Err(NonceFault::Foreign), "digit {at}");
    }
    for wrong in ["", "é", &made[0][1..]] {
        assert_eq!(nonces.take(now, wrong, 1), Err(NonceFault::Foreign));
    }
    assert_eq!(nonces.take(now, &made[0], 1), Ok(()));
}

#[test]
fn a_nonce_that_had_to_be_forgotten_cannot_be_used_again_from_the_start() {
    let (mut nonces, start) = nonces(3);
    let made: Vec<(Instant, String)> =
        (0..5).map(|n| start + n * SECOND).map(|at| (at, nonces.mint(at, 0))).collect();
    let now = start + 10 * SECOND;
    for (_, nonce) in &made {
        nonces.take(now, nonce, 1).unwrap();
    }
    assert_eq!(nonces.in_use(), 3);
    let again: Vec<_> = made.iter().map(|(_, nonce)| nonces.take(now, nonce, 1)).collect();
    use NonceFault::{Old, Replayed};
    assert_eq!(again, [Err(Old), Err(Old), Err(Replayed), Err(Replayed), Err(Replayed)]);
    assert_eq!(nonces.take(now, &made[4].1, 2), Ok(()));
}

#[test]
fn nonces_whose_life_is_over_leave_no_trace() {
    let (mut nonces, start) = nonces(100);
    let first = nonces.mint(start, 0);
    nonces.take(start + LIFETIME - MS, &first, 1).unwrap();
    let later = start + LIFETIME + SECOND;
    let second = nonces.mint(later, 0);
    nonces.take(later, &second, 1).unwrap();
    assert_eq!((nonces.in_use(), nonces.take(later, &first, 2)), (1, Err(NonceFault::Old)));
}

#[test]
fn section_3_4_the_client_counts_up_and_writes_what_the_server_can_read() {
    let (verifier, now) = verifier();
    let mut session = answer(&verifier, now, PASSWORD);
    let counts: Vec<u32> = (0..3).map(|_| register(&mut session).counted.unwrap().0).collect();
    assert_eq!(counts, [1, 2, 3]);
}

#[test]
fn section_3_7_of_several_challenges_the_strongest_is_answered_whatever_its_place() {
    let (verifier, now) = verifier();
    let mut challenges = verifier.challenges(now, 7, false).map(|challenge| challenge.to_string()).to_vec();
    challenges.insert(0, "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth\"".into());
    challenges.insert(0, "Basic realm=\"x\"".into());
    challenges.reverse();
    for (status, header) in [(401, Header::Authorization), (407, Header::ProxyAuthorization)] {
        let mut session = session(status, &challenges, PASSWORD).unwrap();
        assert_eq!(session.header(), header);
        assert_eq!(register(&mut session).algorithm, Algorithm::Sha256);
    }
    assert!(session(401, &challenges[2..], PASSWORD).is_none());
}

#[test]
fn rfc_2069_a_server_without_qop_gets_a_proof_without_count() {
    let challenge = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
    let mut session = session(401, &[challenge.into()], "CircleOfLife").unwrap();
    let credentials = Credentials::parse(&session.answer("GET", "/dir/index.html", 1)).unwrap();
    assert_eq!(credentials.response, "1949323746fe6a43ef61f9606e7febea"); // RFC 2069 §2.4 as corrected by erratum 749
}

#[test]
fn what_is_no_challenge_or_no_credentials_says_where() {
    for (bad, offset) in [
        ("Basic abc", 0),
        ("Digest realm", 7),
        ("Digest realm=\"a\", realm=\"b\", nonce=\"c\"", 18),
        ("Digest realm=\"a\\\", nonce=\"c\"", 7),
        ("Digest realm=\"a\", nonce=b c", 18),
        ("Digest nonce=\"c\"", 0),
    ] {
        let fault = Challenge::parse(bad.as_bytes()).unwrap_err().to_string();
        assert!(fault.starts_with(&format!("malformed challenge at byte {offset}: ")), "{bad}: {fault}");
    }
    let good = example("MD5", MD5).to_string();
    assert!(Credentials::parse(good.as_bytes()).is_ok());
    for (from, to) in [
        ("username=\"Mufasa\", ", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("qop=auth", "qop=auth-int"),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        ("Mufasa", "Mu\rfasa"),
    ] {
        let bad = good.replace(from, to);
        assert!(bad != good && Credentials::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_name_with_quotes_and_backslashes_comes_back_as_it_was() {
    let odd = Credentials { username: "a\"b\\c, d=é".into(), ..example("MD5", MD5) };
    assert_eq!(Credentials::parse(odd.to_string().as_bytes()), Ok(odd));
}

#[test]
fn secrets_are_shown_by_nothing_that_is_printed_for_a_log() {
    let (verifier, now) = verifier();
    let login = Login { username: "Mufasa".into(), password: PASSWORD.into(), realm: None };
    let ha1 = mufasa(Algorithm::Sha256);
    let shown = format!("{login:?} {ha1:?} {:?} {:?}", answer(&verifier, now, PASSWORD), example("MD5", MD5));
    assert!(!shown.contains(PASSWORD) && !shown.contains(ha1.reveal()) && !shown.contains(MD5), "{shown}");
}

#[test]
fn the_key_of_nonces_is_never_shown() {
    let nonces = Nonces::new([1_234_567, 7_654_321], origin(), LIFETIME, 10);
    let verifier = format!("{:?}", Verifier::new("agents", nonces));
    assert!(verifier.contains("secret") && verifier.contains("agents"), "{verifier}");
    assert!(!verifier.contains("1234567") && !verifier.contains("7654321"), "{verifier}");
}
