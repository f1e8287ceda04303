//! The server's side: challenges, and whether credentials are right (RFC 7616 §3.3, §3.4.6).

use super::{Algorithm, Challenge, Credentials, Ha1, Nonces};
use crate::message::Uri;
use std::time::Instant;
use subtle::ConstantTimeEq;

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is he.
    Right,
    /// He knows the password; the nonce is old, was used already, or is from an earlier run. Challenge him with `stale`.
    Stale,
    /// Wrong user or password, another request than this, or no nonce count.
    Wrong,
}

/// Judges credentials in one realm.
#[derive(Debug)]
pub struct Verifier {
    realm: String,
    nonces: Nonces,
    /// Compared with in place of a user who does not exist, so that he takes as long as one who does.
    nobody: [Ha1; 2],
}

impl Verifier {
    /// For users of `realm`.
    pub fn new(realm: &str, nonces: Nonces) -> Verifier {
        let nobody = Algorithm::ALL.map(|algorithm| Ha1::of(algorithm, "", realm, ""));
        Verifier { realm: realm.to_owned(), nonces, nobody }
    }

    /// Whether nonces of the other are nonces of this one, and proofs too.
    pub fn is_like(&self, other: &Verifier) -> bool {
        self.realm == other.realm && self.nonces.lifetime() == other.nonces.lifetime()
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// One challenge for each algorithm, the strongest first (RFC 8760 §2.4), all with one nonce. `salt` is random.
    pub fn challenges(&self, now: Instant, salt: u64, stale: bool) -> [Challenge; 2] {
        let nonce = self.nonces.mint(now, salt);
        Algorithm::ALL.map(|algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            algorithm,
            stale,
            counts: true,
        })
    }

    /// Judges the credentials of a request of `method` to `uri`, its Request-URI. `ha1` is that of the user they name,
    /// by their algorithm; `None`: there is no such user, which takes as long and ends as a wrong password does.
    pub fn judge(
        &mut self,
        now: Instant,
        credentials: &Credentials,
        (method, uri): (&str, &str),
        ha1: Option<&Ha1>,
    ) -> Verdict {
        let known = ha1.filter(|ha1| ha1.algorithm == credentials.algorithm);
        let nobody = self.nobody.iter().find(|nobody| nobody.algorithm == credentials.algorithm);
        let Some(ha1) = known.or(nobody) else { return Verdict::Wrong };
        let expected = credentials.expected(ha1, method);
        let given = credentials.response.to_ascii_lowercase();
        let proved = bool::from(expected.as_bytes().ct_eq(given.as_bytes()));
        let Some((count, _)) = &credentials.counted else { return Verdict::Wrong };
        let is_meant = credentials.realm == self.realm && is_same_uri(&credentials.uri, uri);
        match proved && known.is_some() && is_meant {
            false => Verdict::Wrong,
            true if self.nonces.take(now, &credentials.nonce, *count).is_ok() => Verdict::Right,
            true => Verdict::Stale,
        }
    }

    /// Nonces whose use is counted at present.
    pub fn nonces_in_use(&self) -> usize {
        self.nonces.in_use()
    }
}

/// Generous: proxies and telephones do not always write a URI alike (RFC 3261 §22.4).
fn is_same_uri(proved: &str, requested: &str) -> bool {
    let uris = || proved.parse::<Uri>().ok().zip(requested.parse::<Uri>().ok());
    proved == requested || uris().is_some_and(|(proved, requested)| proved.equivalent(&requested))
}
