//! Which shard owns a message, found from its Call-ID without parsing the rest.
//!
//! A Call-ID that we made names its owner; of any other a hash decides, the same for every message of the call:
//! a CANCEL, an ACK and a BYE carry the Call-ID of their INVITE (RFC 3261 §8.1.1.4).

use crate::key::owner;
use crate::token::{Kind, Seal};
use memchr::memchr_iter;

/// Finds owners. All shards of a process share the seed.
pub struct Steer {
    seal: Seal,
    shards: u8,
}

impl Steer {
    /// `shards` from 1 on; `seed` as in the endpoints' settings.
    pub fn new(seed: [u8; 32], shards: u8) -> Steer {
        Steer { seal: Seal::new(seed), shards: shards.max(1) }
    }

    /// The owner of a message; of bytes without a Call-ID it is the first shard, which refuses them.
    pub fn owner(&self, message: &[u8]) -> u8 {
        let Some(call_id) = find_call_id(message) else { return 0 };
        match self.seal.read(Kind::CallId, call_id) {
            Some(key) if owner(key) < self.shards => owner(key),
            _ => (self.seal.hash(&[call_id]) % u64::from(self.shards)) as u8,
        }
    }
}

/// The value of the first `Call-ID` or `i` header before the empty line, trimmed.
fn find_call_id(message: &[u8]) -> Option<&[u8]> {
    for end in memchr_iter(b'\n', message) {
        let line = &message[end + 1..];
        let name_len = match line.first()? {
            b'\r' | b'\n' => return None, // the header part is over
            b'i' | b'I' => 1,
            b'c' | b'C' if line.len() > 7 && line[..7].eq_ignore_ascii_case(b"call-id") => 7,
            _ => continue,
        };
        let rest = line[name_len..].trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b":") {
            let len = memchr::memchr(b'\n', value).unwrap_or(value.len());
            return Some(value[..len].trim_ascii());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::pack;
    use crate::token::Mint;

    #[test]
    fn a_call_id_of_ours_goes_to_the_shard_that_made_it() {
        let token = Mint::new([1; 32], 2).token(Kind::CallId, pack(2, 7, 1));
        let message = [b"BYE sip:a SIP/2.0\r\nVia: x\r\nCALL-ID : ", token.as_bytes(), b"\r\n\r\n"].concat();
        assert_eq!(Steer::new([1; 32], 4).owner(&message), 2);
    }

    #[test]
    fn every_message_of_a_foreign_call_goes_to_one_shard_whatever_the_header_form() {
        let steer = Steer::new([1; 32], 8);
        for call in 0..50 {
            let long = format!("INVITE sip:a SIP/2.0\r\nInfo: 1\r\nCall-ID: {call}@host\r\n\r\n");
            let short = format!("BYE sip:a SIP/2.0\r\ni:{call}@host\r\nVia: x\r\n\r\n");
            assert_eq!(steer.owner(long.as_bytes()), steer.owner(short.as_bytes()));
        }
    }

    #[test]
    fn a_call_id_in_the_body_does_not_count() {
        assert_eq!(find_call_id(b"INVITE sip:a SIP/2.0\r\nVia: x\r\n\r\nCall-ID: 1\r\n"), None);
        assert_eq!(find_call_id(b"junk"), None);
        assert_eq!(find_call_id(b"x\ni"), None);
    }
}
