//! The client's side: answers to 401 and 407 (RFC 3261 §22.2, §22.3; RFC 7616 §3.4).

use super::{Challenge, Credentials, Freshness, Ha1, response};
use crate::message::{Header, Message, StatusCode};
use bytes::Bytes;
use std::fmt;

/// Who we are to a far end that asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name in the far end's realm.
    pub username: String,
    /// The password; never shown.
    pub password: String,
    /// Only challenges of this realm are answered; `None`: those of any.
    pub realm: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({:?}, secret, realm {:?})", self.username, self.realm)
    }
}

/// A challenge that we answer, and how often we have.
#[derive(Clone, Debug)]
pub struct Session {
    challenge: Challenge,
    ha1: Ha1,
    username: String,
    header: Header,
    count: u32,
}

impl Session {
    /// The best challenge of a 401 or 407 that `login` can answer: the strongest hash, of equals the topmost
    /// (RFC 8760 §2.4). `None` if there is none.
    pub fn of(response: &Message, login: &Login) -> Option<Session> {
        let (asks, header) = match response.status()? {
            StatusCode::UNAUTHORIZED => (Header::WwwAuthenticate, Header::Authorization),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                (Header::ProxyAuthenticate, Header::ProxyAuthorization)
            }
            _ => return None,
        };
        let challenges = response.values(asks).filter_map(|value| Challenge::parse(&value).ok());
        let ours =
            challenges.filter(|challenge| login.realm.as_ref().is_none_or(|realm| *realm == challenge.realm));
        let challenge = ours.min_by_key(|challenge| challenge.algorithm)?;
        let ha1 = Ha1::of(challenge.algorithm, &login.username, &challenge.realm, &login.password);
        Some(Session { challenge, ha1, username: login.username.clone(), header, count: 0 })
    }

    /// The far end says that only the nonce was too old.
    pub fn is_stale(&self) -> bool {
        self.challenge.stale
    }

    /// Which header the answer stands in.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Whether both answer the same question: then the newer takes the place of the older.
    pub fn replaces(&self, other: &Session) -> bool {
        self.header == other.header && self.challenge.realm == other.challenge.realm
    }

    /// The value of [`header`](Self::header) for one more request. `cnonce` is random.
    pub fn answer(&mut self, method: &str, uri: &str, cnonce: u64) -> Bytes {
        self.count += 1;
        let cnonce = format!("{cnonce:016x}");
        let counted = self.challenge.counts.then_some((self.count, cnonce.as_str()));
        let fresh = Freshness { nonce: &self.challenge.nonce, counted };
        let credentials = Credentials {
            username: self.username.clone(),
            realm: self.challenge.realm.clone(),
            nonce: self.challenge.nonce.clone(),
            uri: uri.to_owned(),
            response: response(&self.ha1, &fresh, method, uri),
            algorithm: self.challenge.algorithm,
            counted: counted.map(|(count, cnonce)| (count, cnonce.to_owned())),
            opaque: self.challenge.opaque.clone(),
        };
        Bytes::from(credentials.to_string())
    }
}
