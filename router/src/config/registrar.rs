//! `[registrar]`: where agents' telephones register, and what becomes of those who only pretend.

use std::time::Duration;

use sip_core::{
    PeerId, Sources, UserId,
    auth::{GuardSettings, digest::Algorithm},
};

use super::agent::Agent;
use super::names::{AgentId, TrunkId};
use super::phone::Phone;
use super::problem::Report;
use super::raw::{Field, section};
use super::read::bounds;
use super::scope::Scope;
use super::trunk::{Source, source};

section! {
    /// Where agents' telephones register, and call from. Who is asked who he is, and how long guesses are listened to.
    RegistrarToml "[registrar]" {
        /// Source addresses of telephones, written as in `trunk.NAME.accept_from`. Whatever begins there is asked for user and password; from anywhere else a REGISTER hears nothing. Default: none, no telephone can register.
        accept_from,
        /// The realm that telephones are shown when they are asked who they are (RFC 7616 §3.3), any text without `"` and `\`, such as `"desk.example.com"`. HA1s are made for it and for no other: with another realm every `phone.ha1_…` is to be made anew (`fernamt passwd USER --realm REALM`), and after a reload that changes it all have to register anew. Default `"fernamt"`.
        realm,
        /// By which hashes telephones may prove their password: `"sha-256"`, `"md5"`, or a list of both; they are asked for with the strongest first (RFC 8760). Some cannot register at all when they are asked for more than MD5, baresip 1.0 among them. An agent needs an HA1 by one of these. Default `["sha-256", "md5"]`.
        algorithms,
        /// The shortest time for which a telephone may register; less is answered 423 (RFC 3261 §10.3). `"10s"` to `"1h"`, default `"1m"`.
        min_expiry,
        /// For how long a telephone is registered that does not say. `"10s"` to `"1d"`, default `"10m"`.
        default_expiry,
        /// The longest time for which a telephone is registered, whatever it asks. `"1m"` to `"1d"`, default `"1h"`.
        max_expiry,
        /// Telephones of one agent at once; one more takes the place of the one that would expire first. 1 to 20, default 5.
        max_contacts,
        /// How often a registered telephone is asked whether it is there (OPTIONS), which also keeps NATs open; after two questions without an answer it is no longer registered. `"5s"` to `"10m"`, default `"30s"`.
        keep_alive,
        /// How long a telephone may use one nonce before it has to prove its password with a new one. `"10s"` to `"1d"`, default `"5m"`.
        nonce_lifetime,
        /// So many wrong users or passwords, each within `lock_for` of the one before, from one address (of IPv6 one /64) or for one user, and nothing that comes from there or says that it is he is believed for `lock_for`, the right password neither. An agent at the address where he last proved himself is counted apart: there he stays believed whatever is tried elsewhere, and a right password begins his count anew. 1 to 1000 attempts, default 10.
        lock_after,
        /// For how long `lock_after` locks out, counted from the last wrong attempt. `"10s"` to `"1d"`, default `"5m"`.
        lock_for,
    }
}

/// Where agents' telephones register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrar {
    /// Source addresses of telephones; empty: no telephone can register.
    pub accept_from: Vec<Source>,
    /// The realm of HA1s. Default `fernamt`.
    pub realm: String,
    /// By what telephones may prove their password, never empty. Default both.
    pub algorithms: Vec<Algorithm>,
    /// The shortest registration. 10 s to 1 h, default 1 min.
    pub min_expiry: Duration,
    /// For who does not say. 10 s to 1 d, default 10 min; between the other two.
    pub default_expiry: Duration,
    /// The longest registration. 1 min to 1 d, default 1 h.
    pub max_expiry: Duration,
    /// Telephones of one agent. 1 to 20, default 5.
    pub max_contacts: usize,
    /// How often a telephone is asked whether it is there. 5 s to 10 min, default 30 s.
    pub keep_alive: Duration,
    /// Life of a nonce. 10 s to 1 d, default 5 min.
    pub nonce_lifetime: Duration,
    /// Wrong passwords in a row. 1 to 1,000, default 10.
    pub lock_after: u32,
    /// For how long nothing is believed then. 10 s to 1 d, default 5 min.
    pub lock_for: Duration,
}

/// The peer that telephones are; no trunk has its number.
pub const PHONES: PeerId = PeerId(u16::MAX);

/// Nonces in use at one time, some 40 bytes each: two for each of ten thousand telephones.
const MAX_NONCES: usize = 20_000;

impl Registrar {
    pub(super) fn resolve(raw: &RegistrarToml<'_>, scope: &mut Scope<'_, '_>) -> Registrar {
        let accept_from = accept_from(raw, scope);
        let report = &mut *scope.report;
        let realm = raw.realm.text("\"fernamt\"", report).unwrap_or("fernamt");
        if let Some(item) =
            raw.realm.item.as_ref().filter(|_| realm.is_empty() || realm.contains(['"', '\\']))
        {
            item.error(
                report,
                format!("{realm:?} is no realm; write a name such as \"fernamt\" (default \"fernamt\")"),
            );
        }
        let registrar = Registrar {
            accept_from,
            realm: realm.to_owned(),
            algorithms: algorithms(&raw.algorithms, report),
            min_expiry: raw.min_expiry.duration(bounds("10s", "1h", "1m"), report),
            default_expiry: raw.default_expiry.duration(bounds("10s", "1d", "10m"), report),
            max_expiry: raw.max_expiry.duration(bounds("1m", "1d", "1h"), report),
            max_contacts: raw.max_contacts.integer(1..=20, 5, report) as usize,
            keep_alive: raw.keep_alive.duration(bounds("5s", "10m", "30s"), report),
            nonce_lifetime: raw.nonce_lifetime.duration(bounds("10s", "1d", "5m"), report),
            lock_after: raw.lock_after.integer(1..=1_000, 10, report) as u32,
            lock_for: raw.lock_for.duration(bounds("10s", "1d", "5m"), report),
        };
        if registrar.min_expiry > registrar.max_expiry {
            report.error(
                &raw.min_expiry.section,
                &raw.min_expiry.key,
                "is longer than registrar.max_expiry; no telephone could register; make one of them the other way",
            );
        }
        registrar
    }

    /// The default, within the two bounds.
    pub fn expiry_by_default(&self) -> Duration {
        self.default_expiry.min(self.max_expiry).max(self.min_expiry)
    }

    /// A telephone could register.
    pub fn is_open(&self) -> bool {
        !self.accept_from.is_empty()
    }

    pub(super) fn allow(&self, sources: &mut Sources) {
        for source in &self.accept_from {
            sources.allow(source.net, source.port, PHONES);
        }
    }

    /// What SIP has to know of these telephones. `None`: there is no door for them.
    pub(super) fn guard<'c>(
        &self,
        agents: impl Iterator<Item = (AgentId, &'c Agent)>,
    ) -> Option<GuardSettings> {
        let user = |(id, agent): (AgentId, &'c Agent)| {
            let phone: &Phone = agent.phone.as_ref()?;
            Some((phone.user.clone(), UserId(id.0), phone.ha1s.clone()))
        };
        self.is_open().then(|| GuardSettings {
            peer: PHONES,
            realm: self.realm.clone(),
            users: agents.filter_map(user).collect(),
            algorithms: self.algorithms.clone(),
            nonce_lifetime: self.nonce_lifetime,
            max_nonces: MAX_NONCES,
            lock_after: self.lock_after,
            lock_for: self.lock_for,
        })
    }
}

fn algorithms(field: &Field<'_>, report: &mut Report) -> Vec<Algorithm> {
    let mut found = Vec::new();
    for item in field.list() {
        let Some(name) = item.text("[\"sha-256\", \"md5\"]", report) else { continue };
        match Algorithm::from_name(name) {
            Some(algorithm) => found.push(algorithm),
            None => item.error(report, format!("\"{name}\" is not known; write \"sha-256\" or \"md5\"")),
        }
    }
    if found.is_empty() { Algorithm::ALL.to_vec() } else { found }
}

fn accept_from(raw: &RegistrarToml<'_>, scope: &mut Scope<'_, '_>) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for item in raw.accept_from.list() {
        let Some(source) = source(&item, scope.report) else { continue };
        let owner: Option<TrunkId> = scope.sources.get(&source).copied();
        match owner {
            Some(trunk) => {
                let (name, shown) = (scope.trunks.name(trunk.index()), item.written(scope.report));
                item.error(
                    scope.report,
                    format!(
                        "{shown} belongs to trunk.{name} already; give telephones addresses of their own"
                    ),
                );
            }
            None if sources.contains(&source) => {
                item.error(scope.report, "stands in the list already; take one out");
            }
            None => sources.push(source),
        }
    }
    sources
}
