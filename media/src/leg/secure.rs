//! SRTP of one leg: its keys, and the state of both directions.

use std::net::SocketAddr;
use std::time::Instant;

use super::Leg;
use crate::sdp::Keys;
use crate::srtp::{GROWTH, Receiver, Sender, SrtpError, Suite};

/// Packets in a row that our key does not open, a second of sound, before that is told: a few are in flight whenever keys
/// change.
const TOLD_AFTER: u32 = 50;

/// Both directions of a protected leg.
#[derive(Debug)]
pub(crate) struct Secure {
    keys: Keys,
    sender: Sender,
    receiver: Receiver,
    failed_in_a_row: u32,
}

/// What protection has turned away since the leg began.
#[derive(Debug, Default)]
pub(crate) struct TurnedAway {
    pub(crate) unauthentic: u64,
    pub(crate) replayed: u64,
}

impl Secure {
    /// What holds after an exchange of descriptions. A direction whose key is the same goes on with its rollover counter and
    /// replay window; a new key begins with nothing (RFC 4568 §7.1.4).
    pub(crate) fn renew(before: Option<Box<Secure>>, keys: Option<&Keys>) -> Option<Box<Secure>> {
        let keys = keys?;
        let Some(mut secure) = before else {
            let (sender, receiver) = (Sender::new(&keys.send), Receiver::new(&keys.receive));
            return Some(Box::new(Secure { keys: keys.clone(), sender, receiver, failed_in_a_row: 0 }));
        };
        if secure.keys.send != keys.send {
            secure.sender = Sender::new(&keys.send);
        }
        if secure.keys.receive != keys.receive {
            secure.receiver = Receiver::new(&keys.receive);
            secure.failed_in_a_row = 0;
        }
        secure.keys = keys.clone();
        Some(secure)
    }

    /// We send under another SSRC from now on, whose rollover counter begins with nothing (RFC 3711 §3.2.3).
    pub(crate) fn renamed(&mut self) {
        self.sender.begin_source();
    }

    pub(crate) fn suite(&self) -> Suite {
        self.keys.send.suite()
    }

    /// Protects the RTP packet in `buffer[..len]`; its new length.
    pub(crate) fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        self.sender.protect_rtp(buffer, len)
    }

    /// Protects the RTP packet that begins at `start` and is the last in `out`.
    pub(crate) fn append_rtp(&mut self, out: &mut Vec<u8>, start: usize) -> Option<()> {
        append(out, start, |buffer, len| self.sender.protect_rtp(buffer, len))
    }

    /// The same for RTCP.
    pub(crate) fn append_rtcp(&mut self, out: &mut Vec<u8>, start: usize) -> Option<()> {
        append(out, start, |buffer, len| self.sender.protect_rtcp(buffer, len))
    }
}

fn append(
    out: &mut Vec<u8>,
    start: usize,
    protect: impl FnOnce(&mut [u8], usize) -> Option<usize>,
) -> Option<()> {
    let len = out.len() - start;
    out.resize(out.len() + GROWTH, 0);
    let protected = protect(&mut out[start..], len)?;
    out.truncate(start + protected);
    Some(())
}

/// What became of a packet before it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Not from our peer's address: not even tried, so that a flood costs little.
    Stranger,
    /// Before the handshake has brought the keys.
    Early,
    /// Too short for its header and tag.
    Truncated,
    /// Not by this key. True: that has been so for a while, and is to be told.
    Unauthentic { told: bool },
    /// It has come before.
    Replayed,
}

impl Leg {
    /// Takes SRTP off an RTP packet, if the leg has any: the packet's length without it. Also on hold, for the rollover
    /// counter must keep up with a peer who sends on (RFC 3711 §3.3.1).
    pub(crate) fn open_rtp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<usize, Unopened> {
        if self.secure.is_none() {
            return self.unprotected(packet);
        }
        if !self.would_admit(now, from) {
            return Err(Unopened::Stranger);
        }
        let Some(secure) = &mut self.secure else { return Err(Unopened::Early) };
        let opened = secure.receiver.unprotect_rtp(packet);
        self.note_opened(opened)
    }

    /// Takes SRTCP off, if the leg has any.
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Unopened> {
        let Some(secure) = &mut self.secure else { return self.unprotected(packet) };
        let opened = secure.receiver.unprotect_rtcp(packet);
        self.note_opened(opened)
    }

    /// Without keys: as it is, unless they are still to come.
    fn unprotected(&self, packet: &[u8]) -> Result<usize, Unopened> {
        if self.path.is_some() { Err(Unopened::Early) } else { Ok(packet.len()) }
    }

    fn note_opened(&mut self, opened: Result<usize, SrtpError>) -> Result<usize, Unopened> {
        let Some(secure) = &mut self.secure else { return Err(Unopened::Truncated) };
        match opened {
            Ok(len) => {
                secure.failed_in_a_row = 0;
                Ok(len)
            }
            Err(SrtpError::Truncated) => Err(Unopened::Truncated),
            Err(SrtpError::Replayed) => {
                self.turned_away.replayed += 1;
                Err(Unopened::Replayed)
            }
            Err(SrtpError::Unauthentic | SrtpError::Unencrypted) => {
                self.turned_away.unauthentic += 1;
                secure.failed_in_a_row = secure.failed_in_a_row.saturating_add(1);
                Err(Unopened::Unauthentic { told: secure.failed_in_a_row == TOLD_AFTER })
            }
        }
    }
}
