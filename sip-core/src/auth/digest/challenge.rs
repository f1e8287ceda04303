//! What a server asks of a client: WWW-Authenticate and Proxy-Authenticate (RFC 7616 §3.3).

use super::Algorithm;
use super::fields::{Fields, Quoted};
use crate::message::ParseError;
use std::fmt;

/// One challenge. As text it is the value of its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose users are meant.
    pub realm: String,
    /// To be part of the proof.
    pub nonce: String,
    /// To be given back as it is.
    pub opaque: Option<String>,
    /// The hash.
    pub algorithm: Algorithm,
    /// The proof was right, but its nonce too old: the same password again, without asking anybody.
    pub stale: bool,
    /// `qop=auth` is offered: then the proof counts how often the nonce was used.
    pub counts: bool,
}

impl Challenge {
    /// Reads a header's value.
    ///
    /// # Errors
    /// `Malformed`: another scheme, no realm or nonce, an algorithm we do not have, no qop that we can give.
    pub fn parse(value: &[u8]) -> Result<Challenge, ParseError> {
        let fields = Fields::read("challenge", value)?;
        let offers: Vec<String> = match fields.get("qop") {
            Some(offers) => offers.split(',').map(|offer| offer.trim().to_ascii_lowercase()).collect(),
            None => Vec::new(),
        };
        let counts = offers.iter().any(|offer| offer == "auth");
        if !counts && !offers.is_empty() {
            return Err(fields.lacks("qop auth"));
        }
        Ok(Challenge {
            realm: fields.required("realm", "a realm")?,
            nonce: fields.required("nonce", "a nonce")?,
            opaque: fields.get("opaque"),
            algorithm: fields.algorithm()?,
            stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            counts,
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", Quoted(&self.realm), Quoted(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        write!(f, ", algorithm={}", self.algorithm)?;
        if self.counts { f.write_str(", qop=\"auth\"") } else { Ok(()) }
    }
}
