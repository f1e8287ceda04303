//! AES-GCM: RFC 7714.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::RTCP_CLEAR;
use super::key::SessionKeys;
use super::session::{Numbered, Tag};

/// A session key made ready.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl Gcm {
    pub(super) fn new(keys: &SessionKeys) -> Gcm {
        let algorithm = if keys.cipher().len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, keys.cipher()).expect("the key is as long as its suite says");
        let mut salt = [0; 12];
        salt.copy_from_slice(&keys.salt()[..12]);
        Gcm { key: LessSafeKey::new(key), salt }
    }

    /// `None` only if the library fails.
    pub(super) fn seal(&self, packet: &mut [u8], at: &Numbered) -> Option<Tag> {
        let (clear, secret) = packet.split_at_mut(at.clear);
        let nonce = self.nonce(at);
        let tag = match at.trailer {
            None => self.key.seal_in_place_separate_tag(nonce, Aad::from(&*clear), secret),
            Some(word) => self.key.seal_in_place_separate_tag(nonce, rtcp_aad(clear, word), secret),
        };
        let bytes = tag.ok()?.as_ref().try_into().ok()?;
        Some(Tag { bytes, len: 16 })
    }

    /// On failure what was to be opened is destroyed.
    pub(super) fn open(&self, packet: &mut [u8], tag: &[u8], at: &Numbered) -> bool {
        let (clear, secret) = packet.split_at_mut(at.clear);
        let nonce = self.nonce(at);
        let opened = match at.trailer {
            None => self.key.open_in_place_separate_tag(nonce, Aad::from(&*clear), tag, secret),
            Some(word) => self.key.open_in_place_separate_tag(nonce, rtcp_aad(clear, word), tag, secret),
        };
        opened.is_ok()
    }

    /// Two zero bytes, the SSRC, 48 bits of index, combined with the salt (§8.1, §9.1).
    fn nonce(&self, at: &Numbered) -> Nonce {
        let mut nonce = self.salt;
        let numbers = u128::from(at.ssrc) << 48 | u128::from(at.index);
        for (byte, number) in nonce.iter_mut().zip(&numbers.to_be_bytes()[4..]) {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// What stays readable, then the index (§9.2).
fn rtcp_aad(clear: &[u8], word: u32) -> Aad<[u8; RTCP_CLEAR + 4]> {
    let mut aad = [0; RTCP_CLEAR + 4];
    aad[..RTCP_CLEAR].copy_from_slice(clear);
    aad[RTCP_CLEAR..].copy_from_slice(&word.to_be_bytes());
    Aad::from(aad)
}
