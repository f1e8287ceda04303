//! By which way sound comes and goes: as between servers, or as with a browser.

use super::problem::Report;
use super::raw::{Field, section};

section! {
    /// By which way sound comes and goes.
    TrunkWayToml "[trunk.NAME]" {
        /// `"rtp"`: as `srtp` says. `"webrtc"`: calls we send offer ICE and DTLS-SRTP (RFC 8445, 5763), with us as the lite end, so `media.advertise` must be reached from there; what is offered so is taken, other offers as `srtp` says. Default `"rtp"`.
        media,
    }
}

/// By which way sound comes and goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WayOfSound {
    /// With telephones that registered by WebSocket, which are browsers, by ICE and DTLS, else by RTP.
    #[default]
    AsItComes,
    /// RTP, or SRTP with keys through SDP.
    Rtp,
    /// ICE and DTLS-SRTP.
    Webrtc,
}

impl WayOfSound {
    /// Whether ICE and DTLS are offered and taken; `is_web`: the far end came by WebSocket.
    pub fn is_webrtc(self, is_web: bool) -> bool {
        match self {
            WayOfSound::AsItComes => is_web,
            WayOfSound::Rtp => false,
            WayOfSound::Webrtc => true,
        }
    }

    pub(super) fn of_trunk(field: &Field<'_>, report: &mut Report) -> WayOfSound {
        field.choice(&[("rtp", WayOfSound::Rtp), ("webrtc", WayOfSound::Webrtc)], report)
    }

    pub(super) fn of_phone(field: &Field<'_>, report: &mut Report) -> WayOfSound {
        let ways =
            [("auto", WayOfSound::AsItComes), ("rtp", WayOfSound::Rtp), ("webrtc", WayOfSound::Webrtc)];
        field.choice(&ways, report)
    }
}
