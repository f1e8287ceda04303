//! Digest: who knows the password shows it without saying it (RFC 7616; in SIP RFC 3261 §22.4 and RFC 8760).
//!
//! The server sends a [`Challenge`], the client answers with [`Credentials`], a [`Verifier`] judges them. On the other
//! side a [`Session`] answers the challenges of a far end with a [`Login`]. Only `qop=auth` and, towards old servers, no
//! qop at all: what a hash over the body would protect is changed on the way by every SBC.

mod challenge;
mod client;
mod credentials;
mod fields;
mod nonces;
mod server;

pub use challenge::Challenge;
pub use client::{Login, Session};
pub use credentials::Credentials;
pub use nonces::{NonceFault, Nonces};
pub use server::{Verdict, Verifier};

use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt;

/// A hash by which a password is proved (RFC 8760 §2.1). The stronger is the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `SHA-256`.
    Sha256,
    /// `MD5`: for telephones that know nothing else.
    Md5,
}

impl Algorithm {
    /// All of them, the strongest first: the order in which they are offered (RFC 8760 §2.4).
    pub const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

    /// As written in a challenge.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Md5 => "MD5",
        }
    }

    /// Reads a name in any case; `None` for one we do not have, the `-sess` variants among them.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// Hexadecimal digits of a hash.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Md5 => 32,
        }
    }

    /// The hash of the parts with colons between them, in lower-case hexadecimal.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Algorithm::Sha256 => hex(&Sha256::digest(text)),
            Algorithm::Md5 => hex(&Md5::digest(text)),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `H(user:realm:password)`: in its realm as good as the password itself, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    algorithm: Algorithm,
    digits: String,
}

impl Ha1 {
    /// That of a user, a realm and a password (RFC 7616 §3.4.2).
    pub fn of(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Ha1 {
        Ha1 { algorithm, digits: algorithm.hash(&[user, realm, password]) }
    }

    /// Reads it from hexadecimal digits; `None` unless there are as many as the hash has.
    pub fn from_hex(algorithm: Algorithm, digits: &str) -> Option<Ha1> {
        let fits = digits.len() == algorithm.digits() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| Ha1 { algorithm, digits: digits.to_ascii_lowercase() })
    }

    /// Which hash it is.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits, for the configuration and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.digits
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({}, secret)", self.algorithm)
    }
}

/// What makes one proof another than the next (RFC 7616 §3.4): the parts of a `response` beside H(A1) and H(A2).
struct Freshness<'a> {
    nonce: &'a str,
    /// Nonce count and client nonce; `None` towards a server that offers no qop.
    counted: Option<(u32, &'a str)>,
}

/// The `response` (RFC 7616 §3.4.1) for a request of `method` to the digest's `uri`.
fn response(ha1: &Ha1, fresh: &Freshness<'_>, method: &str, uri: &str) -> String {
    let algorithm = ha1.algorithm;
    let ha2 = algorithm.hash(&[method, uri]);
    match fresh.counted {
        Some((count, cnonce)) => {
            let count = format!("{count:08x}");
            algorithm.hash(&[&ha1.digits, fresh.nonce, &count, cnonce, "auth", &ha2])
        }
        None => algorithm.hash(&[&ha1.digits, fresh.nonce, &ha2]),
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}
