//! SRTP, or ICE and DTLS, that do not come about: said once, with the cure, where the operator looks.

use media::{PathError, sdp::NegotiationError};
use tracing::{Span, warn};

use super::{Call, Why};
use crate::{
    journal::fact::{LegNumber, What},
    shard::Switchboard,
};

/// For a leg whose packets our key does not open.
const NOT_OPENED: &str = "sound comes that the agreed SRTP key does not open, so it is not heard: the far end sends in the clear or with \
                          another key than it named in SDP (an SBC between us that changes SDP but not sound?), or somebody else \
                          sends to this port; compare a=crypto on both sides, or set srtp = \"off\" on both";

impl Call {
    /// For a second nothing that came on this leg could be opened.
    pub(super) fn could_not_be_opened(&self, leg: LegNumber) {
        warn!(parent: &self.span, leg, "{NOT_OPENED}");
    }

    /// ICE or DTLS has come to nothing, or has ended. An agent of a queue who was never heard is told good-bye and his
    /// caller goes on waiting; else the call ends as with any far end that is gone.
    pub(super) fn path_broken(&mut self, leg: LegNumber, why: &PathError, board: &mut Switchboard) {
        let cure = cure_of(why);
        warn!(parent: &self.span, leg, "no sound can come or go: {why}; {cure}");
        self.fact(What::PathBroken { leg, why: why.to_string() }, board);
        if *why != PathError::ConsentLost {
            self.was_never_heard(leg, board);
        }
        if self.leg(leg).is_some_and(|leg| leg.sip.is_some()) {
            self.lost(leg, Why::media_lost(leg), board);
        }
    }
}

/// An offer or an answer that comes to nothing for want of a key, or of our will to use one.
pub(super) fn log_refusal(span: &Span, leg: LegNumber, error: &NegotiationError) {
    let cure = match error {
        NegotiationError::Encrypted { .. } => "set srtp = \"optional\" on its trunk or agent",
        NegotiationError::NotEncrypted { .. } => {
            "switch SRTP (SDES) on at the far end, or set srtp = \"optional\" on its trunk or agent"
        }
        NegotiationError::NoUsableKey { .. } => "switch AES_CM_128_HMAC_SHA1_80 on at the far end",
        NegotiationError::NoAssociation { .. } => {
            "what calls by WebSocket or with media = \"webrtc\" must be a browser"
        }
        NegotiationError::Transport { .. } => {
            "set media = \"webrtc\" on its trunk or telephone if it is a browser"
        }
        _ => return,
    };
    warn!(parent: span, leg, "no sound can be agreed: {error}; {cure}");
}

/// What the operator can do about it.
fn cure_of(why: &PathError) -> &'static str {
    match why {
        PathError::NoCheck => {
            "look whether media.advertise and media.ports can be reached by UDP from there: a firewall, a NAT, another network?"
        }
        PathError::ConsentLost => "its side: the page was closed, or the network it was in is gone",
        PathError::Fingerprint => {
            "something between us changes SDP, or answers in its place: look at what forwards the SIP"
        }
        _ => "its side, or what lies between us drops datagrams of more than 1,200 bytes",
    }
}
