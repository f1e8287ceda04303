//! What a client answers: Authorization and Proxy-Authorization (RFC 7616 §3.4).

use super::fields::{Fields, Quoted};
use super::{Algorithm, Freshness, Ha1, response};
use crate::message::ParseError;
use std::fmt;

/// One set of credentials. As text it is the value of its header.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it is.
    pub username: String,
    /// In whose eyes.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// What the request is sent to: its Request-URI.
    pub uri: String,
    /// The proof, in hexadecimal.
    pub response: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// How often the nonce was used, this time included, and the client's own nonce; `None` without qop.
    pub counted: Option<(u32, String)>,
    /// From the challenge, as it was.
    pub opaque: Option<String>,
}

impl Credentials {
    /// Reads a header's value.
    ///
    /// # Errors
    /// `Malformed`: another scheme, a part that is missing, an algorithm or a qop we do not have.
    pub fn parse(value: &[u8]) -> Result<Credentials, ParseError> {
        let fields = Fields::read("credentials", value)?;
        let counted = match fields.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let digits = fields.required("nc", "a nonce count")?;
                let count = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 8);
                let count = count.ok_or_else(|| fields.lacks("a nonce count of eight digits"))?;
                Some((count, fields.required("cnonce", "a client nonce")?))
            }
            Some(_) => return Err(fields.lacks("qop auth")),
        };
        Ok(Credentials {
            username: fields.required("username", "a username")?,
            realm: fields.required("realm", "a realm")?,
            nonce: fields.required("nonce", "a nonce")?,
            uri: fields.required("uri", "a uri")?,
            response: fields.required("response", "a response")?,
            algorithm: fields.algorithm()?,
            counted,
            opaque: fields.get("opaque"),
        })
    }

    /// The response that `ha1` would have given to a request of `method`.
    pub(super) fn expected(&self, ha1: &Ha1, method: &str) -> String {
        let counted = self.counted.as_ref().map(|(count, cnonce)| (*count, cnonce.as_str()));
        response(ha1, &Freshness { nonce: &self.nonce, counted }, method, &self.uri)
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = [
            ("username", &self.username),
            ("realm", &self.realm),
            ("nonce", &self.nonce),
            ("uri", &self.uri),
            ("response", &self.response),
        ];
        for (at, (name, value)) in quoted.into_iter().enumerate() {
            write!(f, "{}{name}={}", if at == 0 { "Digest " } else { ", " }, Quoted(value))?;
        }
        write!(f, ", algorithm={}", self.algorithm)?;
        if let Some((count, cnonce)) = &self.counted {
            write!(f, ", cnonce={}, qop=auth, nc={count:08x}", Quoted(cnonce))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Credentials {
    /// Without the proof: who has it and the rest can try passwords at home.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?} in {:?}, {})", self.username, self.realm, self.algorithm)
    }
}
