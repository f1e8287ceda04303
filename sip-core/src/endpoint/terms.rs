//! Which extensions are used with a peer (RFC 3261 §8.2.2.3, §19.2).

use super::Endpoint;
use crate::dialog::SessionPolicy;
use crate::message::{Header, Message};
use crate::transport::PeerId;
use std::collections::BTreeMap;

/// What we are ready to use in dialogs with a peer; by default only Replaces (RFC 3891), which changes nothing for who
/// does not use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Session timers (RFC 4028). `None`: we know nothing of them.
    pub session: Option<SessionPolicy>,
    /// Provisional responses that are acknowledged (RFC 3262).
    pub reliable: Reliability,
}

/// When provisional responses are acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// Where their INVITE requires it; ours say nothing of it.
    #[default]
    Never,
    /// The same, and our INVITEs leave it to the far end.
    Offered,
    /// Wherever the far end can, and our INVITEs require it.
    Required,
}

impl Terms {
    /// The value of our Supported.
    pub(super) fn supported(self) -> &'static [u8] {
        match (self.session.is_some(), self.pracks()) {
            (true, true) => b"timer, replaces, 100rel",
            (true, false) => b"timer, replaces",
            (false, true) => b"replaces, 100rel",
            (false, false) => b"replaces",
        }
    }

    /// Whether we can do what a Require asks for. A far end that cannot do without 100rel gets it.
    pub(super) fn understands(self, tag: &[u8]) -> bool {
        tag.eq_ignore_ascii_case(b"100rel")
            || self
                .supported()
                .split(|byte| *byte == b',')
                .any(|known| known.trim_ascii().eq_ignore_ascii_case(tag))
    }

    /// Whether we acknowledge provisional responses to INVITEs of ours. Where these do not say so, one that wants it has
    /// no right to (RFC 3262 §3) and is as good as any other.
    pub(super) fn pracks(self) -> bool {
        self.reliable != Reliability::Never
    }

    /// Whether our provisional responses to this INVITE are reliable (RFC 3262 §3).
    pub(super) fn is_reliable_for(self, invite: &Message) -> bool {
        let can = invite.has_token(Header::Supported, "100rel") && self.reliable == Reliability::Required;
        can || invite.has_token(Header::Require, "100rel")
    }
}

impl Endpoint {
    /// What is used with calls of each peer from now on; none for a peer that is not named. Dialogs that exist keep
    /// what they began with. For calls of ours see [`Invite::terms`](super::Invite::terms).
    pub fn set_terms(&mut self, terms: BTreeMap<PeerId, Terms>) {
        self.terms = terms;
    }

    pub(super) fn terms_of(&self, peer: Option<PeerId>) -> Terms {
        peer.and_then(|peer| self.terms.get(&peer)).copied().unwrap_or_default()
    }
}
