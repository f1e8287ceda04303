//! Nonces of a server: made without being remembered, remembered once somebody has proved his password with them.
//!
//! A nonce carries its age under a MAC, so strangers who ask for one cost no memory. What is remembered is how often a
//! nonce was used, and of those only so many: when one too many comes the oldest nonce is forgotten, and with it every
//! nonce as old is stale from then on, so that nothing can be used again that was forgotten (RFC 7616 §3.4.5, §5.5).

use super::hex;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// Why a nonce is not taken. Whoever proved his password with it hears `stale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceFault {
    /// We did not make it; an earlier run of ours may have.
    #[error("not one of our nonces")]
    Foreign,
    /// Its lifetime is over, or it was forgotten.
    #[error("the nonce is too old")]
    Old,
    /// It was used so often already: a replay, or two requests that overtook one another.
    #[error("the nonce count was used already")]
    Replayed,
}

/// The nonces of one server.
pub struct Nonces {
    key: [u64; 2],
    start: Instant,
    lifetime: Duration,
    most: usize,
    /// Nonce counts of those in use, the oldest nonce first.
    used: BTreeMap<Nonce, u32>,
    /// Milliseconds since the start: what was made no later is stale.
    forgotten: Option<u64>,
}

/// Made when, in milliseconds since the start, and what tells it from others of that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce {
    made: u64,
    salt: u64,
}

/// 16 bytes of nonce, 16 of MAC, two digits each.
const DIGITS: usize = 64;

impl Nonces {
    /// `key` is secret and random; nonces live for `lifetime`; `most` may be in use at one time.
    pub fn new(key: [u64; 2], now: Instant, lifetime: Duration, most: usize) -> Nonces {
        Nonces { key, start: now, lifetime, most: most.max(1), used: BTreeMap::new(), forgotten: None }
    }

    /// A new nonce. `salt` is random.
    pub fn mint(&self, now: Instant, salt: u64) -> String {
        let nonce = Nonce { made: self.millis(now), salt };
        let mut bytes = nonce.bytes().to_vec();
        bytes.extend_from_slice(&self.mac(&nonce));
        hex(&bytes)
    }

    /// Takes the use number `count` of a nonce. To be asked only when the proof made with it is right.
    ///
    /// # Errors
    /// The nonce is not ours, is too old, or was used with this count or a higher one.
    pub fn take(&mut self, now: Instant, text: &str, count: u32) -> Result<(), NonceFault> {
        let nonce = self.read(text).ok_or(NonceFault::Foreign)?;
        let now = self.millis(now);
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let forgotten = self.forgotten.is_some_and(|until| nonce.made <= until);
        if forgotten || nonce.made > now || now - nonce.made >= lifetime {
            return Err(NonceFault::Old);
        }
        if self.used.get(&nonce).is_some_and(|last| *last >= count) {
            return Err(NonceFault::Replayed);
        }
        self.used.insert(nonce, count);
        self.forget(now.saturating_sub(lifetime));
        Ok(())
    }

    /// How long each may be used.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// How many are in use.
    pub fn in_use(&self) -> usize {
        self.used.len()
    }

    /// Those that are stale by age, and of too many the oldest.
    fn forget(&mut self, stale: u64) {
        while let Some((&oldest, _)) = self.used.first_key_value() {
            match oldest.made <= stale && stale > 0 {
                true => {}
                false if self.used.len() <= self.most => return,
                false => self.forgotten = Some(oldest.made),
            }
            self.used.remove(&oldest);
        }
    }

    fn read(&self, text: &str) -> Option<Nonce> {
        let digits = Some(text).filter(|text| text.len() == DIGITS && text.is_ascii())?;
        let word = |at: usize| u64::from_str_radix(&digits[at..at + 16], 16).ok();
        let nonce = Nonce { made: word(0)?, salt: word(16)? };
        let mac = [word(32)?.to_be_bytes(), word(48)?.to_be_bytes()].concat();
        bool::from(self.mac(&nonce).ct_eq(&mac[..])).then_some(nonce)
    }

    fn mac(&self, nonce: &Nonce) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_keys(self.key[0], self.key[1]);
        hasher.write(&nonce.bytes());
        hasher.finish128().as_u128().to_be_bytes()
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whoever reads the key makes nonces of his own.
impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonces(secret, {} of {} in use, for {:?})", self.used.len(), self.most, self.lifetime)
    }
}

impl Nonce {
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.made.to_be_bytes());
        bytes[8..].copy_from_slice(&self.salt.to_be_bytes());
        bytes
    }
}
