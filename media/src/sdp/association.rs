//! ICE and DTLS in a description: RFC 8839 §5, RFC 8842 §5, RFC 8122 §5.
//!
//! We are the lite agent with one address, and leave it to the far end who begins the DTLS handshake. A far end's
//! certificate, credentials and role say which association it means: a re-INVITE that repeats them keeps it.

use std::fmt;
use std::net::SocketAddr;

use super::NegotiationError;
use super::description::{Attribute, Description, Media};
use super::stream::{Dtls, Policy};
use crate::fingerprint::Fingerprint;
use crate::path::Identity;

/// The transport that we offer (RFC 5764 §8).
pub(super) const PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";
/// Of a host's address, for the one component there is (RFC 8445 §5.1.2.1): 126 << 24 | 65535 << 8 | 255.
const PRIORITY: u32 = 2_130_706_431;
/// Our medium's name, where we offer first.
const MID: &str = "0";
/// Bounds of RFC 8839 §5.4.
const UFRAG: std::ops::RangeInclusive<usize> = 4..=256;
const PWD: std::ops::RangeInclusive<usize> = 22..=256;

/// What one end's checks are known by (RFC 8445 §5.3). The password does not show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "IceCredentials({}, ..)", self.ufrag)
    }
}

/// Who begins the handshake (RFC 4145 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    ActPass,
}

/// The far end's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Theirs {
    credentials: IceCredentials,
    setup: Option<Setup>,
    fingerprints: Vec<Fingerprint>,
    mid: Option<String>,
    is_bundled: bool,
}

/// What one leg has agreed so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Association {
    ours: Option<IceCredentials>,
    theirs: Option<IceCredentials>,
    active: bool,
    mid: Option<String>,
    is_bundled: bool,
}

impl Theirs {
    /// `None`: the medium has another transport, or we may not use this one.
    ///
    /// # Errors
    /// It lacks what nothing can be agreed without.
    pub(super) fn read(
        policy: &Policy,
        description: &Description,
        media: &Media,
    ) -> Result<Option<Theirs>, NegotiationError> {
        if policy.dtls.is_none() || !is_dtls(&media.protocol) {
            return Ok(None);
        }
        read(description, media).map(Some).map_err(|why| NegotiationError::NoAssociation { why })
    }
}

impl Association {
    /// Our side of the answer to an offer. Other credentials of theirs are a restart of ICE, in which we have others too
    /// (RFC 8839 §4.4.1.1.1); the role stays (RFC 8842 §5.5).
    pub(super) fn answer(
        &mut self,
        identity: &Identity,
        theirs: Theirs,
        draw: &mut dyn FnMut() -> IceCredentials,
    ) -> Dtls {
        let restarts = self.theirs.as_ref().is_some_and(|before| *before != theirs.credentials);
        let ours = self.ours.take().filter(|_| !restarts).unwrap_or_else(draw);
        self.active = match theirs.setup {
            Some(Setup::Passive) => true,
            Some(Setup::ActPass) => self.active,
            Some(Setup::Active) | None => false,
        };
        (self.mid, self.is_bundled) = (theirs.mid.clone(), theirs.is_bundled);
        self.agree(identity, ours, theirs)
    }

    /// What is agreed by the answer to our offer.
    pub(super) fn accept(
        &mut self,
        identity: &Identity,
        theirs: Theirs,
        draw: &mut dyn FnMut() -> IceCredentials,
    ) -> Dtls {
        let ours = self.ours.take().unwrap_or_else(draw);
        self.active = theirs.setup == Some(Setup::Passive);
        self.agree(identity, ours, theirs)
    }

    fn agree(&mut self, identity: &Identity, ours: IceCredentials, theirs: Theirs) -> Dtls {
        let their_ufrag = theirs.credentials.ufrag.clone();
        (self.ours, self.theirs) = (Some(ours.clone()), Some(theirs.credentials));
        let (active, fingerprints) = (self.active, theirs.fingerprints);
        Dtls { identity: identity.clone(), ours, their_ufrag, active, fingerprints }
    }

    /// Makes credentials for an offer, unless there are some.
    pub(super) fn offer(&mut self, draw: impl FnOnce() -> IceCredentials) {
        if self.ours.is_none() {
            (self.mid, self.is_bundled) = (Some(MID.to_owned()), true);
        }
        self.ours.get_or_insert_with(draw);
    }

    /// The lines of our medium. In an offer the far end may choose the role, also if it has chosen already (RFC 8842 §5.3).
    pub(super) fn lines(&self, identity: &Identity, at: SocketAddr, is_offer: bool) -> Vec<Attribute> {
        let Some(ours) = &self.ours else { return Vec::new() };
        let setup = match (is_offer, self.active) {
            (true, _) => "actpass",
            (false, true) => "active",
            (false, false) => "passive",
        };
        let candidate = format!("1 1 UDP {PRIORITY} {} {} typ host", at.ip(), at.port());
        let mid = self.mid.clone().map(|mid| attribute("mid", Some(mid)));
        let lines = [
            attribute("ice-ufrag", Some(ours.ufrag.clone())),
            attribute("ice-pwd", Some(ours.pwd.clone())),
            attribute("candidate", Some(candidate)),
            attribute("end-of-candidates", None),
            attribute("fingerprint", Some(identity.fingerprint().to_string())),
            attribute("setup", Some(setup.to_owned())),
        ];
        mid.into_iter().chain(lines).collect()
    }

    /// The lines before all media.
    pub(super) fn session_lines(&self) -> Vec<Attribute> {
        let bundled = self.mid.as_ref().filter(|_| self.is_bundled);
        let group = bundled.map(|mid| attribute("group", Some(format!("BUNDLE {mid}"))));
        let lite = [attribute("ice-lite", None), attribute("ice-options", Some("ice2".to_owned()))];
        lite.into_iter().chain(group).collect()
    }
}

/// Whether a medium's keys come by DTLS.
pub(super) fn is_dtls(protocol: &str) -> bool {
    [PROTOCOL, "UDP/TLS/RTP/SAVP"].iter().any(|known| known.eq_ignore_ascii_case(protocol))
}

fn read(description: &Description, media: &Media) -> Result<Theirs, &'static str> {
    // Where the medium has a line of its own, the session's says nothing about it.
    let all = |name: &'static str| {
        let own = media.attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case(name));
        let lines = if own { &media.attributes } else { &description.attributes };
        lines.iter().filter(move |attribute| attribute.name.eq_ignore_ascii_case(name))
    };
    let first = |name| all(name).find_map(|attribute| attribute.value.as_deref());
    if description.attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case("ice-lite")) {
        return Err("a=ice-lite: so are we, and nobody would check");
    }
    if !media.rtcp_mux {
        return Err("no a=rtcp-mux, and we have one port for it");
    }
    let bounded = |name, bounds: std::ops::RangeInclusive<usize>| {
        first(name).filter(|value| bounds.contains(&value.len()) && value.bytes().all(is_ice_char))
    };
    let ufrag = bounded("ice-ufrag", UFRAG).ok_or("no a=ice-ufrag of 4 to 256 characters")?.to_owned();
    let pwd = bounded("ice-pwd", PWD).ok_or("no a=ice-pwd of 22 to 256 characters")?.to_owned();
    let read = |attribute: &Attribute| attribute.value.as_deref().and_then(Fingerprint::read);
    let fingerprints: Vec<Fingerprint> = all("fingerprint").filter_map(read).collect();
    if fingerprints.is_empty() {
        return Err("no a=fingerprint by sha-256, sha-384 or sha-512");
    }
    let setup = match first("setup") {
        None => None,
        Some(word) => Some(setup(word).ok_or("a=setup is neither active, passive nor actpass")?),
    };
    let mid = first("mid").map(str::to_owned);
    let mut groups = description.attributes.iter().filter(|attribute| attribute.name == "group");
    let is_bundled = groups.any(|group| {
        let mut words = group.value.as_deref().unwrap_or_default().split_ascii_whitespace();
        words.next() == Some("BUNDLE") && words.any(|word| Some(word) == mid.as_deref())
    });
    Ok(Theirs { credentials: IceCredentials { ufrag, pwd }, setup, fingerprints, mid, is_bundled })
}

fn setup(word: &str) -> Option<Setup> {
    [("active", Setup::Active), ("passive", Setup::Passive), ("actpass", Setup::ActPass)]
        .into_iter()
        .find_map(|(known, setup)| known.eq_ignore_ascii_case(word).then_some(setup))
}

fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

fn attribute(name: &str, value: Option<String>) -> Attribute {
    Attribute { name: name.to_owned(), value }
}
