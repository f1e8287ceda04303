//! One direction's RTP or RTCP: seals and opens packets whose numbers are known.

use super::counter::Counter;
use super::gcm::Gcm;
use super::key::SessionKeys;

/// Session keys made ready for use.
#[allow(clippy::large_enum_variant)] // most are of the larger kind, and lie in a box already
pub(super) enum Session {
    Counter(Counter),
    Gcm(Gcm),
}

/// What a packet's protection depends on beside the key.
pub(super) struct Numbered {
    pub(super) ssrc: u32,
    /// 48 bits of RTP: rollover counter and sequence number. 31 bits of RTCP.
    pub(super) index: u64,
    /// Bytes at the packet's beginning that stay readable.
    pub(super) clear: usize,
    /// SRTCP's E flag and index, which are sent with the packet.
    pub(super) trailer: Option<u32>,
}

/// What is appended to a sealed packet.
pub(super) struct Tag {
    pub(super) bytes: [u8; 16],
    pub(super) len: usize,
}

impl Session {
    pub(super) fn rtp(keys: &SessionKeys) -> Session {
        Session::new(keys, keys.suite().rtp_tag_len())
    }

    pub(super) fn rtcp(keys: &SessionKeys) -> Session {
        Session::new(keys, 10)
    }

    fn new(keys: &SessionKeys, hmac_tag_len: usize) -> Session {
        match keys.suite().is_aead() {
            true => Session::Gcm(Gcm::new(keys)),
            false => Session::Counter(Counter::new(keys, hmac_tag_len)),
        }
    }

    pub(super) fn tag_len(&self) -> usize {
        match self {
            Session::Counter(counter) => counter.tag_len(),
            Session::Gcm(_) => 16,
        }
    }

    /// Whether the tag is the last of a packet. With AEAD it belongs to the ciphertext and stands before SRTCP's index
    /// and the MKI (RFC 7714 §5.2).
    pub(super) fn tag_is_last(&self) -> bool {
        matches!(self, Session::Counter(_))
    }

    /// Encrypts in place. `None` only if the cipher's library fails.
    pub(super) fn seal(&self, packet: &mut [u8], at: &Numbered) -> Option<Tag> {
        match self {
            Session::Counter(counter) => Some(counter.seal(packet, at)),
            Session::Gcm(gcm) => gcm.seal(packet, at),
        }
    }

    /// Decrypts in place if `tag` is right; true then.
    pub(super) fn open(&self, packet: &mut [u8], tag: &[u8], at: &Numbered) -> bool {
        match self {
            Session::Counter(counter) => counter.open(packet, tag, at),
            Session::Gcm(gcm) => gcm.open(packet, tag, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::Suite;
    use crate::testing::hex;

    const SHORT: &str = "000102030405060708090a0b0c0d0e0f";
    const LONG: &str = "000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f";
    const HEADER: &str = "8040f17b 8041f8d3 5501a0b2";
    const TEXT: &str =
        "47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573";
    const REPORT: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef \
                          deadbeef deadbeef";

    fn session(suite: Suite, key: &str) -> Session {
        Session::rtp(&SessionKeys::given(suite, &hex(key), &hex("517569642070726f2071756f")))
    }

    /// Seals and opens again; the ciphertext with its tag behind it must be `expected`.
    fn check(session: &Session, at: &Numbered, plain: &[u8], expected: &str) {
        let mut packet = plain.to_vec();
        let tag = session.seal(&mut packet, at).unwrap();
        let sealed = [&packet[at.clear..], &tag.bytes[..tag.len]].concat();
        assert_eq!(sealed, hex(expected));
        let mut wrong = packet.clone();
        wrong[0] ^= 1;
        assert!(!session.open(&mut wrong, &tag.bytes[..tag.len], at));
        assert!(session.open(&mut packet, &tag.bytes[..tag.len], at));
        assert_eq!(packet, plain);
    }

    #[test]
    fn rfc7714_16_1_and_16_2_rtp() {
        let (plain, at) = (
            hex(&[HEADER, TEXT].concat()),
            Numbered { ssrc: 0x5501_a0b2, index: 0xf17b, clear: 12, trailer: None },
        );
        check(
            &session(Suite::AeadAes128Gcm, SHORT),
            &at,
            &plain,
            "f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833 \
             899d7f27 beb16a91 52cf765e e4390cce",
        );
        check(
            &session(Suite::AeadAes256Gcm, LONG),
            &at,
            &plain,
            "32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b \
             7aa3db36 dfffd6b0 f9bb7878 d7a76c13",
        );
    }

    #[test]
    fn rfc7714_17_1_and_17_2_rtcp() {
        let at = Numbered { ssrc: 0x4d61_7273, index: 0x5d4, clear: 8, trailer: Some(0x8000_05d4) };
        check(
            &session(Suite::AeadAes128Gcm, SHORT),
            &at,
            &hex(REPORT),
            "63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b \
             c84aa458 96cf4d2f c5abf872 45d9eade",
        );
        check(
            &session(Suite::AeadAes256Gcm, LONG),
            &at,
            &hex(REPORT),
            "d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad \
             1d1eb30c 4446839f 57ff6f6c b26ac3be",
        );
    }
}
