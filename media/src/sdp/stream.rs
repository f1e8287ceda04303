//! What we are willing to agree to, and what was agreed.

use std::net::SocketAddr;

use super::Direction;
use super::association::IceCredentials;
use crate::Codec;
use crate::codec::OpusParameters;
use crate::fingerprint::Fingerprint;
use crate::path::Identity;
use crate::rtp::xr::Wanted;
use crate::srtp::{MasterKey, PeerKey, Suite};

/// What one leg may agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Allowed codecs, the one we like best first: of the codecs in an offer this order decides. Not
    /// empty, or nothing can be agreed. Default PCMA, PCMU.
    pub codecs: Vec<Codec>,
    /// Whether RFC 4733 telephone events are offered and answered. Default true.
    pub telephone_event: bool,
    /// When keys are sought in the sound itself if no telephone-event is agreed. Default while it is not bridged.
    pub tones: Tones,
    /// Milliseconds per packet we ask to receive. 10 to 200, default 20.
    pub ptime: u8,
    /// Whether `a=rtcp-mux` is answered when the far end offers it (RFC 5761). We never offer it first: not every
    /// trunk that may answer it does so well. Default true.
    pub rtcp_mux: bool,
    /// Whether sound is encrypted (RFC 4568). Default off.
    pub srtp: Srtp,
    /// Suites we offer if it is, best first, none twice. Of an offer the first of these is taken that stands in it, else
    /// the strongest we know. Default AES_CM_128_HMAC_SHA1_80, which everybody knows.
    pub suites: Vec<Suite>,
    /// With a certificate ICE and DTLS-SRTP (RFC 5763) are offered, instead of what `srtp` says, and taken where they are
    /// offered. Default none: who offers nothing else is refused.
    pub dtls: Option<Identity>,
    /// Whether the far end is asked for extended reports (`a=rtcp-xr`, RFC 3611 §5). What it asks for it gets in any case.
    /// Default false.
    pub rtcp_xr: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            codecs: Codec::G711.to_vec(),
            telephone_event: true,
            tones: Tones::Unbridged,
            ptime: 20,
            rtcp_mux: true,
            srtp: Srtp::Off,
            suites: vec![Suite::AesCm128HmacSha1_80],
            dtls: None,
            rtcp_xr: false,
        }
    }
}

/// When keys are sought in the sound itself (ITU-T Q.23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tones {
    /// Never.
    #[default]
    Never,
    /// While we speak with the far end: menus, queues. Two people who talk do not press keys by their voices.
    Unbridged,
    /// Always.
    Always,
}

/// Whether sound is encrypted, with keys that go through SDP (SDES, RFC 4568): the signalling ought to be encrypted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Srtp {
    /// Never. Who offers nothing else is refused; `a=crypto` in an ordinary offer is not seen.
    #[default]
    Off,
    /// If the far end can: we offer `a=crypto` with RTP/AVP ("best effort"), and take what is offered.
    Optional,
    /// Always: we offer RTP/SAVP, and refuse who has no key for us.
    Required,
}

/// What was agreed of ICE, where we are the lite agent, and of DTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dtls {
    /// Our key and certificate.
    pub identity: Identity,
    /// What the far end's checks must know.
    pub ours: IceCredentials,
    /// The far end's `a=ice-ufrag`, by which its checks are known beside ours.
    pub their_ufrag: String,
    /// We begin the handshake (`a=setup:active`).
    pub active: bool,
    /// Of the far end's certificate; one of the strongest function must be right. Never empty.
    pub fingerprints: Vec<Fingerprint>,
}

/// Keys of both directions, by SDES or out of a DTLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// What we send with.
    pub send: MasterKey,
    /// What the far end sends with.
    pub receive: PeerKey,
}

/// What was agreed for one leg, ready for the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Where our RTP goes. `None` when the far end gave no address (`0.0.0.0`): send nothing.
    pub remote: Option<SocketAddr>,
    /// Where our RTCP goes: the RTP address when multiplexed, else `a=rtcp`, else the next port.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP shares the RTP port, both ways (RFC 5761).
    pub rtcp_mux: bool,
    /// The one codec of this stream.
    pub codec: Codec,
    /// Payload number to send the codec with: the far end's.
    pub send_payload_type: u8,
    /// Payload number the codec arrives with: ours.
    pub receive_payload_type: u8,
    /// Payload number to send telephone events with; `None` if the far end takes none.
    pub send_event: Option<u8>,
    /// Payload number telephone events arrive with.
    pub receive_event: Option<u8>,
    /// When keys are sought in the sound; never if telephone events are agreed.
    pub tones: Tones,
    /// Ours: whether *we* send and receive.
    pub direction: Direction,
    /// Milliseconds of sound the far end would like in each packet, 10 to 200. A wish (RFC 8866 §6.4): 20 always plays.
    pub ptime: u8,
    /// The far end asked not to be sent to: hold by `sendonly`, `inactive` or `0.0.0.0`.
    pub remote_holds: bool,
    /// False when the far end wants no RTCP (`b=RS:0` and `b=RR:0`, RFC 3556).
    pub rtcp_wanted: bool,
    /// The keys of SRTP and SRTCP that SDP brought; `None`: sound in the clear, unless `dtls` says otherwise.
    /// Extended reports that the far end asks for (RFC 3611 §5).
    pub wanted_reports: Wanted,
    /// The keys of SRTP and SRTCP; `None`: sound in the clear.
    pub keys: Option<Box<Keys>>,
    /// What the far end would like of Opus; says nothing about other codecs.
    pub opus: OpusParameters,
    /// The peer's address and keys come by ICE and DTLS: `remote` is none, and nothing is sent or heard before.
    pub dtls: Option<Box<Dtls>>,
}
