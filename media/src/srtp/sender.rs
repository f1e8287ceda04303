//! Protects what we send.

use std::fmt;

use super::key::{MasterKey, SessionKeys};
use super::session::{Numbered, Session};
use super::window::Window;
use super::{ENCRYPTED, GROWTH, RTCP_CLEAR, Suite};
use crate::rtp::packet::HEADER;

/// Packets one master key protects at most (RFC 3711 §9.2).
const MOST_RTP: u64 = 1 << 48;

/// One source of ours under one master key.
pub struct Sender {
    suite: Suite,
    rtp: Session,
    /// Made ready for each report: those are few, and a key made ready takes a kilobyte.
    rtcp: SessionKeys,
    /// `None` before the first packet, whose rollover counter is 0.
    sent: Option<Window>,
    reports: u32,
}

impl Sender {
    /// A source that has sent nothing under this key.
    #[must_use]
    pub fn new(key: &MasterKey) -> Sender {
        let (rtp, rtcp) = (Session::rtp(&key.rtp()), key.rtcp());
        Sender { suite: key.suite(), rtp, rtcp, sent: None, reports: 0 }
    }

    /// What is sent from now on has another SSRC, for which nothing has been sent yet. SSRCs must not come back under the
    /// same key: the same numbers would be used twice.
    pub fn begin_source(&mut self) {
        self.sent = None;
    }

    /// Protects the RTP packet in `buffer[..len]`, which has a header of 12 bytes as
    /// [`Fields`](crate::rtp::Fields) writes it. `buffer` has room for [`GROWTH`] bytes more. Returns the new length.
    ///
    /// `None`: this number has been sent under this key already, which would give away what both packets say, or the key
    /// is used up, or there is no room. Do not send it.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        debug_assert!(len >= HEADER, "{len} bytes are no RTP packet");
        let buffer = buffer.get_mut(..len + GROWTH)?;
        let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
        let index = match &self.sent {
            None => u64::from(sequence),
            Some(sent) => sent.guess(sequence).filter(|index| sent.admits(*index) && *index < MOST_RTP)?,
        };
        let ssrc = u32::from_be_bytes([buffer[8], buffer[9], buffer[10], buffer[11]]);
        let at = Numbered { ssrc, index, clear: HEADER, trailer: None };
        let tag = self.rtp.seal(&mut buffer[..len], &at)?;
        buffer[len..len + tag.len].copy_from_slice(&tag.bytes[..tag.len]);
        self.sent.get_or_insert(Window::new(index)).note(index);
        Some(len + tag.len)
    }

    /// Protects the compound RTCP packet in `buffer[..len]`, with room for [`GROWTH`] bytes more. Returns the new length.
    ///
    /// `None`: the key is used up, after 2^31 packets, or there is no room.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        debug_assert!(len >= RTCP_CLEAR, "{len} bytes are no RTCP packet");
        let buffer = buffer.get_mut(..len + GROWTH)?;
        // From 1: so does everybody, and a receiver may take 0 for nothing heard yet.
        let index = self.reports.checked_add(1).filter(|index| *index < ENCRYPTED)?;
        let ssrc = u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
        let word = ENCRYPTED | index;
        let at = Numbered { ssrc, index: u64::from(index), clear: RTCP_CLEAR, trailer: Some(word) };
        let session = Session::rtcp(&self.rtcp);
        let tag = session.seal(&mut buffer[..len], &at)?;
        let (word_at, tag_at) = match session.tag_is_last() {
            true => (len, len + 4),
            false => (len + tag.len, len),
        };
        buffer[word_at..word_at + 4].copy_from_slice(&word.to_be_bytes());
        buffer[tag_at..tag_at + tag.len].copy_from_slice(&tag.bytes[..tag.len]);
        self.reports = index;
        Some(len + 4 + tag.len)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sender")
            .field("suite", &self.suite)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
