//! Checks and opens what a peer sends.

use std::fmt;

use super::key::{PeerKey, SessionKeys};
use super::session::{Numbered, Session};
use super::window::Sources;
use super::{ENCRYPTED, RTCP_CLEAR, SrtpError, Suite};
use crate::rtp::packet::header_len;

/// One peer's packets under one master key, of all its sources.
pub struct Receiver {
    suite: Suite,
    mki_len: usize,
    rtp: Session,
    /// Made ready for each report, as in [`Sender`](super::Sender).
    rtcp: SessionKeys,
    rtp_sources: Sources,
    rtcp_sources: Sources,
}

impl Receiver {
    /// A peer of whom nothing has been heard under this key.
    #[must_use]
    pub fn new(peer: &PeerKey) -> Receiver {
        Receiver {
            suite: peer.key.suite(),
            mki_len: usize::from(peer.mki_len),
            rtp: Session::rtp(&peer.key.rtp()),
            rtcp: peer.key.rtcp(),
            rtp_sources: Sources::default(),
            rtcp_sources: Sources::default(),
        }
    }

    /// Opens an SRTP packet in place; the RTP packet is what is returned, from the start. (RFC 3711 §3.3: first
    /// whether it has come before, then the tag, and only then is it remembered.)
    ///
    /// # Errors
    /// See [`SrtpError`]. Nothing is remembered then, and what lies in `packet` may be of no use any more.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let len = packet.len().checked_sub(self.rtp.tag_len() + self.mki_len).ok_or(SrtpError::Truncated)?;
        let clear = header_len(&packet[..len]).ok_or(SrtpError::Truncated)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let index = match self.rtp_sources.window(ssrc) {
            None => u64::from(sequence),
            Some(window) => {
                window.guess(sequence).filter(|index| window.admits(*index)).ok_or(SrtpError::Replayed)?
            }
        };
        let (packet, tail) = packet.split_at_mut(len);
        let tag = self.tag(&self.rtp, tail);
        let at = Numbered { ssrc, index, clear, trailer: None };
        if !self.rtp.open(packet, tag, &at) {
            return Err(SrtpError::Unauthentic);
        }
        self.rtp_sources.note(ssrc, index);
        Ok(len)
    }

    /// Opens an SRTCP packet in place; the RTCP packet is what is returned, from the start (RFC 3711 §3.4).
    ///
    /// # Errors
    /// As [`unprotect_rtp`](Self::unprotect_rtp).
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let session = Session::rtcp(&self.rtcp);
        let tail = 4 + session.tag_len() + self.mki_len;
        let len =
            packet.len().checked_sub(tail).filter(|len| *len >= RTCP_CLEAR).ok_or(SrtpError::Truncated)?;
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let (packet, tail) = packet.split_at_mut(len);
        let (word, tail) = match session.tag_is_last() {
            true => tail.split_at(4),
            false => {
                let (tag, rest) = tail.split_at(session.tag_len());
                (&rest[..4], tag)
            }
        };
        let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::Unencrypted);
        }
        let index = u64::from(word & !ENCRYPTED);
        if self.rtcp_sources.window(ssrc).is_some_and(|window| !window.admits(index)) {
            return Err(SrtpError::Replayed);
        }
        let at = Numbered { ssrc, index, clear: RTCP_CLEAR, trailer: Some(word) };
        if !session.open(packet, self.tag(&session, tail), &at) {
            return Err(SrtpError::Unauthentic);
        }
        self.rtcp_sources.note(ssrc, index);
        Ok(len)
    }

    /// The tag among what follows a packet: with HMAC behind the MKI, with AEAD before it.
    fn tag<'a>(&self, session: &Session, tail: &'a [u8]) -> &'a [u8] {
        match session.tag_is_last() {
            true => &tail[self.mki_len..],
            false => &tail[..session.tag_len()],
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (suite, sources) = (&self.suite, &self.rtp_sources);
        out.debug_struct("Receiver").field("suite", suite).field("sources", sources).finish_non_exhaustive()
    }
}
