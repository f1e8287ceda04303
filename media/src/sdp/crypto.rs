//! One `a=crypto` line (RFC 4568 §9.1): read generously, written plainly.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::description::Crypto;
use crate::srtp::{MasterKey, PeerKey, Suite};

/// With padding, or without: of 30 bytes there is none, of 46 some leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A line of the far end's that we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// 0 to 999,999,999: names the line, in the answer too.
    pub(super) tag: u32,
    /// What the far end sends with.
    pub(super) peer: PeerKey,
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// Why it is of no use to us, without the key. The line is to be passed over then (§6.3.7).
    pub(super) fn read(crypto: &Crypto) -> Result<Line, String> {
        let mut words = crypto.0.split_ascii_whitespace();
        let mut next = |what: &str| words.next().ok_or_else(|| format!("a line without {what}"));
        let (tag, suite, keys) = (next("a tag")?, next("a suite")?, next("a key")?);
        let is_tag = (1..=9).contains(&tag.len()) && tag.bytes().all(|digit| digit.is_ascii_digit());
        let tag = tag.parse().ok().filter(|_| is_tag).ok_or("a tag that is no number of up to 9 digits")?;
        let suite = Suite::by_name(suite).ok_or_else(|| unknown(suite))?;
        let peer = key(suite, keys).map_err(|why| format!("{suite} with {why}"))?;
        match words.find_map(unbearable) {
            Some(why) => Err(format!("{suite} with {why}")),
            None => Ok(Line { tag, peer }),
        }
    }
}

/// Where a suite should stand there may be a key, in a line that lacks a word: what does not look like a suite's name is
/// not shown.
fn unknown(suite: &str) -> String {
    let is_of_name = |byte: u8| byte == b'_' || byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_name = suite.len() <= 32 && suite.contains('_') && suite.bytes().all(is_of_name);
    if is_name { format!("{suite}, which is not known") } else { "a suite that is not known".to_owned() }
}

/// Our line. No lifetime: ours is the longest there is (§6.1), and old far ends refuse a line that names one.
pub(super) fn write(tag: u32, key: &MasterKey) -> Crypto {
    Crypto(format!("{tag} {} inline:{}", key.suite(), BASE64.encode(key.as_bytes())))
}

/// `inline:KEY`, `inline:KEY|2^31`, `inline:KEY|1:4`, `inline:KEY|1048576|1:4` (§6.1).
fn key(suite: Suite, text: &str) -> Result<PeerKey, &'static str> {
    if text.contains(';') {
        return Err("several keys");
    }
    let inline = text.split_at_checked(7).filter(|(method, _)| method.eq_ignore_ascii_case("inline:"));
    let mut parts = inline.ok_or("a key method other than inline")?.1.split('|');
    let bytes = BASE64.decode(parts.next().unwrap_or_default()).map_err(|_| "a key that is not base64")?;
    let key = MasterKey::new(suite, &bytes).ok_or("a key of the wrong length")?;
    let mut peer = PeerKey::from(key);
    for part in parts {
        match part.split_once(':') {
            Some((value, len)) => peer.mki_len = mki_len(value, len).ok_or("a malformed key identifier")?,
            None if is_lifetime(part) => {}
            None => return Err("a malformed lifetime"),
        }
    }
    Ok(peer)
}

/// Bytes of the identifier, 1 to 128. With one key its value says nothing.
fn mki_len(value: &str, len: &str) -> Option<u8> {
    let is_number = !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit());
    len.parse().ok().filter(|len| is_number && (1..=128).contains(len))
}

/// How many packets the key is good for: the far end counts its own, so the number says nothing to us.
fn is_lifetime(text: &str) -> bool {
    let number = text.strip_prefix("2^").unwrap_or(text);
    (1..=15).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// A session parameter that changes what packets look like (§6.3). All others we pass over, also unknown ones: real far
/// ends write some that mean nothing to a telephone call.
fn unbearable(parameter: &str) -> Option<&'static str> {
    let name = parameter.split('=').next().unwrap_or_default().to_ascii_uppercase();
    match name.as_str() {
        "KDR" => Some("keys that change by themselves (KDR)"),
        "UNAUTHENTICATED_SRTP" => Some("packets without a tag (UNAUTHENTICATED_SRTP)"),
        _ if name.starts_with("UNENCRYPTED_") => Some("packets in the clear (UNENCRYPTED_…)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn read(text: &str) -> Result<Line, String> {
        Line::read(&Crypto(text.replace("KEY", KEY)))
    }

    #[test]
    fn lines_as_they_occur_are_read() {
        let plain = read("1 AES_CM_128_HMAC_SHA1_80 inline:KEY").unwrap();
        assert_eq!(
            (plain.tag, plain.peer.key.suite(), plain.peer.mki_len),
            (1, Suite::AesCm128HmacSha1_80, 0)
        );
        for (text, tag, mki_len) in [
            ("0 AES_CM_128_HMAC_SHA1_32 inline:KEY|2^31", 0, 0),
            ("2 aes_cm_128_hmac_sha1_80 INLINE:KEY|1048576|1:4", 2, 4),
            (
                "999999999 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31|1:1 WSH=128 -x FEC_ORDER=FEC_SRTP",
                999_999_999,
                1,
            ),
            ("3  AES_CM_128_HMAC_SHA1_80   inline:KEY|18446744073:128", 3, 128),
            ("4 AES_CM_128_HMAC_SHA1_80 inline:KEY somethingnew=1", 4, 0),
        ] {
            let line = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((line.tag, line.peer.mki_len), (tag, mki_len), "{text}");
            assert_eq!(line.peer.key.as_bytes(), plain.peer.key.as_bytes(), "{text}");
        }
    }

    #[test]
    fn lines_we_cannot_use_say_why_and_never_show_the_key() {
        for (text, why) in [
            ("", "without a tag"),
            ("1 AES_CM_128_HMAC_SHA1_80", "without a key"),
            ("-1 AES_CM_128_HMAC_SHA1_80 inline:KEY", "no number"),
            ("1234567890 AES_CM_128_HMAC_SHA1_80 inline:KEY", "no number"),
            ("1 F8_128_HMAC_SHA1_80 inline:KEY", "F8_128_HMAC_SHA1_80, which is not known"),
            ("1 inline:KEY AES_CM_128_HMAC_SHA1_80", "a suite that is not known"),
            ("1 inline:KEY|2^31 inline:KEY", "a suite that is not known"),
            ("1 KEY inline:KEY", "a suite that is not known"),
            ("1 AES_CM_128_HMAC_SHA1_80 uri:KEY", "method"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY;inline:KEY", "several keys"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEYAAAA", "wrong length"),
            ("1 AES_256_CM_HMAC_SHA1_80 inline:KEY", "wrong length"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:K*Y", "base64"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^", "lifetime"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:0", "identifier"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:129", "identifier"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY KDR=3", "KDR"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTCP", "in the clear"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY WSH=64 unencrypted_srtp", "in the clear"),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNAUTHENTICATED_SRTP", "without a tag"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(why) && !said.contains("WVNf"), "{text}: {said}");
        }
    }

    #[test]
    fn what_we_write_is_read_back() {
        for suite in Suite::ALL {
            let key = MasterKey::new(suite, &[0xa5; 46][..MasterKey::len(suite)]).unwrap();
            let line = Line::read(&write(7, &key)).unwrap();
            assert_eq!(line, Line { tag: 7, peer: key.into() });
            let Crypto(text) =
                write(7, &MasterKey::new(suite, &[0xa5; 46][..MasterKey::len(suite)]).unwrap());
            assert!(Line::read(&Crypto(text.trim_end_matches('=').to_owned())).is_ok(), "{suite}");
        }
    }
}
