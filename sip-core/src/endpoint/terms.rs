//! Which extensions are used with a peer (RFC 3261 §8.2.2.3, §19.2).

use super::Endpoint;
use crate::dialog::SessionPolicy;
use crate::transport::PeerId;
use std::collections::BTreeMap;

/// What we are ready to use in dialogs with a peer; by default only Replaces (RFC 3891), which changes nothing for who
/// does not use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Session timers (RFC 4028). `None`: we know nothing of them.
    pub session: Option<SessionPolicy>,
}

impl Terms {
    /// The value of our Supported.
    pub(super) fn supported(self) -> &'static [u8] {
        match self.session {
            Some(_) => b"timer, replaces",
            None => b"replaces",
        }
    }

    /// Whether we can do what a Require asks for.
    pub(super) fn understands(self, tag: &[u8]) -> bool {
        self.supported().split(|byte| *byte == b',').any(|known| known.trim_ascii().eq_ignore_ascii_case(tag))
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
