//! AES in counter mode with HMAC-SHA1: RFC 3711 §4.1.1 and §4.2.1, with longer keys RFC 6188.

use aes::cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipherCore, consts::U16};
use aes::{Aes128Enc, Aes256Enc};
use ctr::{CtrCore, flavors::Ctr128BE};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::key::SessionKeys;
use super::session::{Numbered, Tag};

/// A block cipher with its round keys made.
pub(super) enum Aes {
    Short(Aes128Enc),
    Long(Aes256Enc),
}

impl Aes {
    /// 32 bytes make a key of 256 bits, else the first 16 one of 128.
    pub(super) fn new(key: &[u8]) -> Aes {
        match key.first_chunk::<32>() {
            Some(long) => Aes::Long(Aes256Enc::new(long.into())),
            None => Aes::Short(Aes128Enc::new(key[..16].try_into().expect("16 bytes"))),
        }
    }

    /// Combines `data` with the key stream that begins at `start`.
    pub(super) fn apply_key_stream(&self, start: [u8; 16], data: &mut [u8]) {
        match self {
            Aes::Short(aes) => apply(aes, start, data),
            Aes::Long(aes) => apply(aes, start, data),
        }
    }
}

fn apply(aes: impl BlockCipherEncrypt<BlockSize = U16>, start: [u8; 16], data: &mut [u8]) {
    CtrCore::<_, Ctr128BE>::inner_iv_init(aes, &start.into()).apply_keystream_partial(data.into());
}

/// Session keys made ready: the round keys are expanded, the key's pads are in the hash already.
pub(super) struct Counter {
    aes: Aes,
    salt: u128,
    hmac: Hmac<Sha1>,
    tag_len: usize,
}

impl Counter {
    pub(super) fn new(keys: &SessionKeys, tag_len: usize) -> Counter {
        let mut salt = [0; 16];
        salt[..14].copy_from_slice(&keys.salt());
        let hmac =
            <Hmac<Sha1> as KeyInit>::new_from_slice(&keys.auth).expect("HMAC takes keys of any length");
        Counter { aes: Aes::new(keys.cipher()), salt: u128::from_be_bytes(salt), hmac, tag_len }
    }

    pub(super) fn tag_len(&self) -> usize {
        self.tag_len
    }

    pub(super) fn seal(&self, packet: &mut [u8], at: &Numbered) -> Tag {
        self.aes.apply_key_stream(self.start(at), &mut packet[at.clear..]);
        let whole = self.authenticate(packet, at).finalize().into_bytes();
        let mut tag = [0; 16];
        tag[..self.tag_len].copy_from_slice(&whole[..self.tag_len]);
        Tag { bytes: tag, len: self.tag_len }
    }

    pub(super) fn open(&self, packet: &mut [u8], tag: &[u8], at: &Numbered) -> bool {
        let is_right = self.authenticate(packet, at).verify_truncated_left(tag).is_ok();
        if is_right {
            self.aes.apply_key_stream(self.start(at), &mut packet[at.clear..]);
        }
        is_right
    }

    /// The packet, then what the receiver knows beside it: the rollover counter, or SRTCP's own index.
    fn authenticate(&self, packet: &[u8], at: &Numbered) -> Hmac<Sha1> {
        let rollovers = (at.index >> 16) as u32;
        self.hmac.clone().chain_update(packet).chain_update(at.trailer.unwrap_or(rollovers).to_be_bytes())
    }

    fn start(&self, at: &Numbered) -> [u8; 16] {
        (self.salt ^ u128::from(at.ssrc) << 64 ^ u128::from(at.index) << 16).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    fn key_stream(key: &str, blocks: usize) -> Vec<u8> {
        let mut stream = vec![0; 16 * blocks];
        let start: [u8; 16] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
        Aes::new(&hex(key)).apply_key_stream(start, &mut stream);
        stream
    }

    #[test]
    fn rfc3711_b2_key_stream_of_128_bits() {
        let stream = key_stream("2B7E151628AED2A6ABF7158809CF4F3C", 0xff02);
        assert_eq!(
            stream[..48],
            hex(
                "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"
            )
        );
        assert_eq!(
            stream[16 * 0xfeff..],
            hex(
                "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44"
            )
        );
    }

    #[test]
    fn rfc6188_7_1_key_stream_of_256_bits() {
        let stream = key_stream("57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98", 0xff02);
        assert_eq!(
            stream[..48],
            hex(
                "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31"
            )
        );
        assert_eq!(
            stream[16 * 0xfeff..],
            hex(
                "cea518c90fd91ced9cbb18c078a54711 3dbc4814f4da5f00a08772b63c6a046d 6eb246913062a16891433e97dd01a57f"
            )
        );
    }
}
