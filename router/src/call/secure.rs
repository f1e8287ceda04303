//! SRTP that does not come about: said once, with the cure, where the operator looks.

use media::sdp::NegotiationError;
use tracing::{Span, warn};

use super::Call;
use crate::journal::fact::LegNumber;

/// For a leg whose packets our key does not open.
const NOT_OPENED: &str = "sound comes that the agreed SRTP key does not open, so it is not heard: the far end sends in the clear or with \
                          another key than it named in SDP (an SBC between us that changes SDP but not sound?), or somebody else \
                          sends to this port; compare a=crypto on both sides, or set srtp = \"off\" on both";

impl Call {
    /// For a second nothing that came on this leg could be opened.
    pub(super) fn could_not_be_opened(&self, leg: LegNumber) {
        warn!(parent: &self.span, leg, "{NOT_OPENED}");
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
        _ => return,
    };
    warn!(parent: span, leg, "no sound can be agreed: {error}; {cure}");
}
