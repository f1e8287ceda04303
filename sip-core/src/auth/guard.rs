//! The door for telephones: whoever comes by it says who he is, or hears nothing but the question.

use super::digest::{Algorithm, Credentials, Ha1, Nonces, Verdict, Verifier};
use super::{Lockout, Suspect, UserId};
use crate::message::{Header, Message};
use crate::transport::PeerId;
use bytes::Bytes;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Who is let in, and how it is found out.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// The peer whose sources are guarded: requests from there that begin something must prove a user.
    pub peer: PeerId,
    /// The realm of the challenge; HA1s are made for it.
    pub realm: String,
    /// Users with the HA1s they have, one for each algorithm at most.
    pub users: Vec<(String, UserId, Vec<Ha1>)>,
    /// By what a user may prove himself; asked for with the strongest first, whatever their order here.
    pub algorithms: Vec<Algorithm>,
    /// How long a nonce may be used. 5 min is a good value.
    pub nonce_lifetime: Duration,
    /// Nonces in use at one time; beyond it the oldest are stale.
    pub max_nonces: usize,
    /// Wrong proofs that lock an address or a user out.
    pub lock_after: u32,
    /// For how long.
    pub lock_for: Duration,
}

/// What becomes of a request at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is he.
    User(UserId),
    /// Who is it? The same for no credentials, for wrong ones, for a user who is not known or is locked out.
    Challenge {
        /// He knows the password, but has to prove it with a new nonce.
        stale: bool,
        /// The credentials were wrong, or were not even looked at because he is locked out.
        wrong: bool,
        /// Who is locked out by them.
        locked: Option<Suspect>,
    },
}

/// The door itself.
#[derive(Debug)]
pub struct Guard {
    peer: PeerId,
    users: HashMap<String, (UserId, Vec<Ha1>)>,
    algorithms: Vec<Algorithm>,
    verifier: Verifier,
    lockout: Lockout,
}

impl Guard {
    /// `nonce_key` is secret and random.
    pub fn new(now: Instant, nonce_key: [u64; 2], settings: GuardSettings) -> Guard {
        let nonces = Nonces::new(nonce_key, now, settings.nonce_lifetime, settings.max_nonces);
        Guard {
            peer: settings.peer,
            verifier: Verifier::new(&settings.realm, nonces),
            lockout: Lockout::new(settings.lock_after, settings.lock_for),
            users: by_name(settings.users, &settings.algorithms),
            algorithms: settings.algorithms,
        }
    }

    /// Other settings from now on. Who is locked out stays so; nonces are stale if realm or lifetime have changed.
    ///
    /// `nonce_key` is secret, random and another one each time: which nonces were used is forgotten, so nobody may take
    /// them for new ones.
    pub fn change(&mut self, now: Instant, nonce_key: [u64; 2], settings: GuardSettings) {
        let nonces = Nonces::new(nonce_key, now, settings.nonce_lifetime, settings.max_nonces);
        let fresh = Verifier::new(&settings.realm, nonces);
        if !fresh.is_like(&self.verifier) {
            self.verifier = fresh;
        }
        self.peer = settings.peer;
        self.users = by_name(settings.users, &settings.algorithms);
        self.algorithms = settings.algorithms;
        let known: Vec<UserId> = self.users.values().map(|(user, _)| *user).collect();
        self.lockout.retain(|user| known.contains(&user));
        self.lockout.set_rule(settings.lock_after, settings.lock_for);
    }

    /// Whether requests of this peer come by this door.
    pub fn guards(&self, peer: PeerId) -> bool {
        self.peer == peer
    }

    /// Judges a request from `source`.
    pub fn admit(&mut self, now: Instant, source: IpAddr, request: &Message) -> Admission {
        let Some(credentials) = self.credentials(request) else {
            return Admission::Challenge { stale: false, wrong: false, locked: None };
        };
        let found = self.users.get(&credentials.username);
        let user = found.map(|(user, _)| *user);
        if self.lockout.is_locked(now, source, user) {
            return Admission::Challenge { stale: false, wrong: true, locked: None };
        }
        // Right a moment ago, perhaps, before the settings changed: no guess. Nor stale, which would have a telephone that
        // knows no other hash ask for ever.
        if !self.algorithms.contains(&credentials.algorithm) {
            return Admission::Challenge { stale: false, wrong: false, locked: None };
        }
        let ha1 = found.and_then(|(_, ha1s)| with_algorithm(ha1s, credentials.algorithm));
        let (method, uri) = (request.method(), request.request_uri_bytes());
        let method = String::from_utf8_lossy(method.as_bytes()).into_owned();
        let verdict = self.verifier.judge(now, &credentials, (&method, &String::from_utf8_lossy(&uri)), ha1);
        match (verdict, user) {
            (Verdict::Right, Some(user)) => {
                self.lockout.proved(source, user);
                Admission::User(user)
            }
            (Verdict::Stale, _) => Admission::Challenge { stale: true, wrong: false, locked: None },
            _ => {
                let locked = self.lockout.failed(now, source, user);
                Admission::Challenge { stale: false, wrong: true, locked }
            }
        }
    }

    /// The headers of a 401. `salt` is random.
    pub fn challenge(&self, now: Instant, salt: u64, stale: bool) -> Vec<(Bytes, Bytes)> {
        let name = Bytes::from_static(Header::WwwAuthenticate.name().as_bytes());
        let challenges = self.verifier.challenges(now, salt, stale);
        let asked = challenges.into_iter().filter(|challenge| self.algorithms.contains(&challenge.algorithm));
        asked.map(|value| (name.clone(), Bytes::from(value.to_string()))).collect()
    }

    /// Addresses and users who are locked out now.
    pub fn locked(&self, now: Instant) -> usize {
        self.lockout.locked(now)
    }

    /// Those for our realm; others are for somebody behind us (RFC 3261 §22.3).
    fn credentials(&self, request: &Message) -> Option<Credentials> {
        let all = request.values(Header::Authorization).filter_map(|value| Credentials::parse(&value).ok());
        all.into_iter().find(|credentials| credentials.realm == self.verifier.realm())
    }
}

/// With the HA1s that are of use.
fn by_name(
    users: Vec<(String, UserId, Vec<Ha1>)>,
    algorithms: &[Algorithm],
) -> HashMap<String, (UserId, Vec<Ha1>)> {
    let of_use = |mut ha1s: Vec<Ha1>| {
        ha1s.retain(|ha1| algorithms.contains(&ha1.algorithm()));
        ha1s
    };
    users.into_iter().map(|(name, user, ha1s)| (name, (user, of_use(ha1s)))).collect()
}

fn with_algorithm(ha1s: &[Ha1], algorithm: Algorithm) -> Option<&Ha1> {
    ha1s.iter().find(|ha1| ha1.algorithm() == algorithm)
}
