//! Master keys, and the session keys made from them: RFC 3711 §4.3, RFC 6188 §2, RFC 7714 §11.

use std::fmt;

use super::Suite;
use super::counter::Aes;

/// Bytes of the longest master key with its salt.
const LONGEST: usize = 32 + 14;

/// The master key of one direction, with its salt and the suite it is for. It does not show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; LONGEST],
}

impl MasterKey {
    /// `bytes` is the key followed by its salt, as SDES writes them (RFC 4568 §6.1). `None` if that is not as long as
    /// the suite wants.
    #[must_use]
    pub fn new(suite: Suite, bytes: &[u8]) -> Option<MasterKey> {
        if bytes.len() != MasterKey::len(suite) {
            return None;
        }
        let mut key = MasterKey { suite, bytes: [0; LONGEST] };
        key.bytes[..bytes.len()].copy_from_slice(bytes);
        Some(key)
    }

    /// The n-th key that follows from `secret`, which must be random: no two have anything in common.
    pub(crate) fn draw(suite: Suite, secret: &[u8; 32], n: u64) -> MasterKey {
        let mut key = MasterKey { suite, bytes: [0; LONGEST] };
        // Four blocks of key stream each, of which no key takes all.
        let bytes = &mut key.bytes[..MasterKey::len(suite)];
        Aes::new(secret).apply_key_stream((u128::from(n) << 2).to_be_bytes(), bytes);
        key
    }

    /// Bytes of a key of this suite with its salt.
    #[must_use]
    pub const fn len(suite: Suite) -> usize {
        suite.key_len() + suite.salt_len()
    }

    /// What it is a key for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key followed by its salt.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..MasterKey::len(self.suite)]
    }

    /// Session keys for RTP.
    pub(super) fn rtp(&self) -> SessionKeys {
        self.derive(0)
    }

    /// Session keys for RTCP.
    pub(super) fn rtcp(&self) -> SessionKeys {
        self.derive(3)
    }

    /// Three keys, with labels from `first` on. The key derivation rate is always 0 (RFC 3711 §4.3.1), so this happens
    /// once.
    fn derive(&self, first: u8) -> SessionKeys {
        let (key, salt) = self.as_bytes().split_at(self.suite.key_len());
        let aes = Aes::new(key);
        let (mut cipher, mut auth, mut session_salt) = ([0; 32], [0; 20], [0; 14]);
        expand(&aes, salt, first, &mut cipher);
        expand(&aes, salt, first + 1, &mut auth);
        expand(&aes, salt, first + 2, &mut session_salt);
        SessionKeys { suite: self.suite, cipher, auth, salt: session_salt }
    }
}

/// Fills `out` with the key stream for `label`. A salt of 12 bytes counts as one of 14 that ends in zeros (RFC 7714
/// §11).
fn expand(aes: &Aes, salt: &[u8], label: u8, out: &mut [u8]) {
    let mut start = [0; 16];
    start[..salt.len()].copy_from_slice(salt);
    start[7] ^= label;
    aes.apply_key_stream(start, out);
}

/// What one direction's RTP or RTCP is worked with.
pub(super) struct SessionKeys {
    suite: Suite,
    cipher: [u8; 32],
    pub(super) auth: [u8; 20],
    salt: [u8; 14],
}

impl SessionKeys {
    /// Session keys that were not derived: those of RFC 7714's examples.
    #[cfg(test)]
    pub(super) fn given(suite: Suite, cipher: &[u8], salt: &[u8]) -> SessionKeys {
        let mut keys = SessionKeys { suite, cipher: [0; 32], auth: [0; 20], salt: [0; 14] };
        keys.cipher[..cipher.len()].copy_from_slice(cipher);
        keys.salt[..salt.len()].copy_from_slice(salt);
        keys
    }

    pub(super) fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn cipher(&self) -> &[u8] {
        &self.cipher[..self.suite.key_len()]
    }

    pub(super) fn salt(&self) -> [u8; 14] {
        self.salt
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "MasterKey({}, ..)", self.suite)
    }
}

/// The key a peer sends with, and how many bytes of key identifier its packets carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerKey {
    /// The key.
    pub key: MasterKey,
    /// Bytes of the MKI in each packet, 0 to 128 (RFC 3711 §3.1). With one key its value says nothing and is not read.
    pub mki_len: u8,
}

impl From<MasterKey> for PeerKey {
    fn from(key: MasterKey) -> PeerKey {
        PeerKey { key, mki_len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    #[test]
    fn rfc3711_b3_session_keys_of_128_bits() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let keys = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap().rtp();
        assert_eq!(keys.cipher(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.auth[..], hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
        assert_eq!(keys.salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
    }

    #[test]
    fn rfc6188_7_2_session_keys_of_256_bits() {
        let master = hex(
            "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
        );
        let keys = MasterKey::new(Suite::Aes256CmHmacSha1_80, &master).unwrap().rtp();
        assert_eq!(keys.cipher(), hex("5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4"));
        assert_eq!(keys.auth[..], hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
        assert_eq!(keys.salt[..], hex("fa31791685ca444a9e07c6c64e93"));
    }

    #[test]
    fn keys_drawn_from_one_secret_have_nothing_in_common() {
        let mut blocks = std::collections::BTreeSet::new();
        for n in 0..100 {
            let key = MasterKey::draw(Suite::AeadAes256Gcm, &[7; 32], n);
            assert!(key.as_bytes().chunks_exact(8).all(|block| blocks.insert(block.to_vec())), "{n}");
        }
        assert!(
            blocks.is_disjoint(
                &MasterKey::draw(Suite::AeadAes256Gcm, &[8; 32], 1)
                    .as_bytes()
                    .chunks_exact(8)
                    .map(<[u8]>::to_vec)
                    .collect()
            )
        );
    }

    #[test]
    fn a_key_of_the_wrong_length_is_no_key_and_a_right_one_does_not_show() {
        for suite in Suite::ALL {
            let bytes = [0x5a; 64];
            assert_eq!(MasterKey::new(suite, &bytes[..MasterKey::len(suite) - 1]), None);
            assert_eq!(MasterKey::new(suite, &bytes[..MasterKey::len(suite) + 1]), None);
            let key = MasterKey::new(suite, &bytes[..MasterKey::len(suite)]).unwrap();
            let shown = format!("{key:?}");
            assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a"), "{shown}");
        }
    }
}
