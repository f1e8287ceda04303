//! How a telephone is set up before it calls.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use media::{Codec, sdp::Srtp, srtp::Suite};

use super::Phone;
use crate::tone::Tone;

impl Phone {
    pub(crate) fn set_rtp_gap(&mut self, gap: Duration) {
        self.rtp_gap = gap;
    }

    /// From the next call on it speaks this tone instead of its byte, and keeps what it hears.
    pub(crate) fn set_tone(&mut self, tone: Tone) {
        self.tone = Some(Arc::new(tone));
    }

    /// The codecs that it offers and takes, best first.
    pub(crate) fn set_codecs(&mut self, codecs: &[Codec]) {
        self.policy.codecs = codecs.to_vec();
    }

    /// Whether it speaks SRTP, and which suites it offers.
    pub(crate) fn set_srtp(&mut self, srtp: Srtp, suites: &[Suite]) {
        (self.policy.srtp, self.policy.suites) = (srtp, suites.to_vec());
    }

    /// Where it takes sound, beside its address.
    pub(crate) fn set_sound_port(&mut self, port: u16) {
        self.sound_at.set_port(port);
    }

    /// Writes this header field into its INVITEs.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        self.headers.push((bytes(name), bytes(value)));
    }

    pub(crate) fn forget_headers(&mut self) {
        self.headers.clear();
    }

    /// Writes this Reason into what ends its calls: BYE, CANCEL, a refusal.
    pub(crate) fn set_reason(&mut self, value: &str) {
        self.reason = vec![(Bytes::from_static(b"Reason"), Bytes::copy_from_slice(value.as_bytes()))];
    }

    /// Where it takes sound, if that is somewhere else.
    pub(crate) fn set_sound_address(&mut self, address: SocketAddr) {
        self.sound_at = address;
    }
}
