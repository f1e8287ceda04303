//! Keys on the wire: what we write into branches, tags and Call-IDs carries one under a MAC, so that an answer finds
//! its owner without a table and a forged text finds nothing.

use crate::message::MAGIC_COOKIE as MAGIC;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use siphasher::sip::SipHasher24;
use std::hash::Hasher;

/// What a token is for: one made for a tag is worthless as a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Branch = 1,
    Tag = 2,
    CallId = 3,
    /// The branch of an ACK for a 2xx: no response selects anything by it.
    Ack = 4,
}

/// 24 bytes in base 32, lower case: peers may fold the case of branches and tags (RFC 3261 §7.3.1).
const TOKEN_LEN: usize = 39;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Text that carries a key: 64 bits of key, 64 of randomness, 64 of MAC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token([u8; TOKEN_LEN]);

impl Token {
    /// As long as any other, and nobody's.
    pub(crate) const BLANK: Token = Token([b'0'; TOKEN_LEN]);

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Token {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Recognises tokens: the half of [`Mint`] that needs no randomness, the same in every shard of one process.
#[derive(Clone, Copy)]
pub(crate) struct Seal {
    key: [u64; 2],
}

impl Seal {
    pub(crate) fn new(seed: [u8; 32]) -> Seal {
        let mut random = StdRng::from_seed(seed);
        Seal { key: [random.next_u64(), random.next_u64()] }
    }

    fn mac(&self, kind: Kind, key: u64, salt: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.key[0], self.key[1]);
        hasher.write_u8(kind as u8);
        hasher.write_u64(key);
        hasher.write_u64(salt);
        hasher.finish()
    }

    /// A keyed hash of any bytes, for tags of answers without a transaction and for steering.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(!self.key[0], self.key[1]);
        for part in parts {
            hasher.write(part);
            hasher.write_u8(0xff);
        }
        hasher.finish()
    }

    /// The key in `text`, when we made it for this purpose.
    pub(crate) fn read(&self, kind: Kind, text: &[u8]) -> Option<u64> {
        let [key, salt, mac] = decode(text)?;
        (self.mac(kind, key, salt) == mac).then_some(key)
    }

    /// The key in a branch, magic cookie included.
    pub(crate) fn read_branch(&self, branch: &[u8]) -> Option<u64> {
        let (magic, token) = branch.split_at_checked(MAGIC.len())?;
        magic.eq_ignore_ascii_case(MAGIC).then(|| self.read(Kind::Branch, token)).flatten()
    }
}

/// Makes tokens. All randomness of an endpoint comes from here, so one seed gives one run.
pub(crate) struct Mint {
    pub(crate) seal: Seal,
    random: StdRng,
}

impl Mint {
    pub(crate) fn new(seed: [u8; 32], owner: u8) -> Mint {
        let mut stream = seed;
        stream[0] ^= owner;
        stream[31] ^= 0x5a; // another stream than the seal's
        Mint { seal: Seal::new(seed), random: StdRng::from_seed(stream) }
    }

    pub(crate) fn token(&mut self, kind: Kind, key: u64) -> Token {
        let salt = self.random.next_u64();
        encode([key, salt, self.seal.mac(kind, key, salt)])
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.random.next_u64()
    }

    /// A number below `bound`, evenly spread enough for pauses.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.random.next_u32()) * u64::from(bound)) >> 32) as u32
    }
}

fn encode(words: [u64; 3]) -> Token {
    let mut bytes = [0; 24];
    for (at, word) in words.iter().enumerate() {
        bytes[at * 8..at * 8 + 8].copy_from_slice(&word.to_be_bytes());
    }
    let (mut out, mut acc, mut bits, mut at) = ([0; TOKEN_LEN], 0u32, 0, 0);
    for byte in bytes {
        acc = (acc << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out[at] = ALPHABET[(acc >> bits) as usize & 31];
            at += 1;
        }
    }
    out[at] = ALPHABET[(acc << (5 - bits)) as usize & 31];
    Token(out)
}

fn decode(text: &[u8]) -> Option<[u64; 3]> {
    if text.len() != TOKEN_LEN {
        return None;
    }
    let (mut bytes, mut acc, mut bits, mut at) = ([0u8; 24], 0u32, 0, 0);
    for byte in text {
        let digit = match byte.to_ascii_lowercase() {
            b @ b'0'..=b'9' => b - b'0',
            b @ b'a'..=b'v' => b - b'a' + 10,
            _ => return None,
        };
        acc = (acc << 5) | u32::from(digit);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes[at] = (acc >> bits) as u8;
            at += 1;
        }
    }
    let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    Some([word(0), word(8), word(16)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{generation, owner, pack, slot};

    #[test]
    fn a_token_gives_its_key_back_in_any_case_and_only_for_its_purpose() {
        let mut mint = Mint::new([7; 32], 3);
        let key = pack(3, 0xabcdef, 42);
        let token = mint.token(Kind::Tag, key);
        assert_eq!(mint.seal.read(Kind::Tag, token.as_bytes()), Some(key));
        assert_eq!(mint.seal.read(Kind::Tag, &token.as_bytes().to_ascii_uppercase()), Some(key));
        assert_eq!(mint.seal.read(Kind::Branch, token.as_bytes()), None);
        assert_eq!((owner(key), slot(key), generation(key)), (3, 0xabcdef, 42));
    }

    #[test]
    fn a_token_with_any_character_changed_selects_nothing() {
        let mut mint = Mint::new([7; 32], 0);
        let token = mint.token(Kind::CallId, 99);
        // The last character holds three bits of padding, so it is changed by its top bit.
        for at in 0..TOKEN_LEN {
            let mut forged = token.0;
            let digit = ALPHABET.iter().position(|c| *c == forged[at]).unwrap();
            forged[at] = ALPHABET[digit ^ 16];
            assert_eq!(mint.seal.read(Kind::CallId, &forged), None, "character {at}");
        }
    }

    #[test]
    fn another_seed_does_not_read_our_tokens_but_another_shard_does() {
        let token = Mint::new([7; 32], 0).token(Kind::Tag, 5);
        assert_eq!(Mint::new([8; 32], 0).seal.read(Kind::Tag, token.as_bytes()), None);
        assert_eq!(Mint::new([7; 32], 9).seal.read(Kind::Tag, token.as_bytes()), Some(5));
    }

    #[test]
    fn two_shards_with_one_seed_write_different_tokens() {
        let (mut a, mut b) = (Mint::new([7; 32], 0), Mint::new([7; 32], 1));
        assert!(a.token(Kind::Tag, 5) != b.token(Kind::Tag, 5));
    }
}
