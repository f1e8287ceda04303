//! One DTLS association: its handshake, and the keys that come out of it (RFC 5764 §4.2).

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_crypto::RTCCrypto;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;

use super::News;
use crate::fingerprint::Fingerprint;
use crate::sdp::{Dtls, Keys};
use crate::srtp::{MasterKey, Suite};

/// From the first check to the end of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For this long after it the peer may ask for our last flight again, which may have been lost (RFC 6347 §4.2.4).
const LAST_FLIGHT: Duration = Duration::from_secs(30);
/// Datagrams read in one association: six of them make a handshake without loss. More are not looked at.
const MOST_DATAGRAMS: u32 = 128;
/// The record type of alerts (RFC 5246 §6.2.1).
const ALERT: u8 = 21;
/// The label of the exporter (RFC 5764 §4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// By which name the library knows the peer, who may move while the association lasts (RFC 8842 §4).
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// Why no sound can come or go by ICE and DTLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The peer never checked: it does not reach us.
    #[error(
        "no ICE check has come for 30 s: from where it is, the address in our description cannot be reached"
    )]
    NoCheck,
    /// The peer checks no more (RFC 7675).
    #[error("no ICE check comes any more, for 30 s: it is gone, or its network is")]
    ConsentLost,
    /// Somebody else answered, or something between us changes SDP.
    #[error("its certificate is not the one of a=fingerprint in its description")]
    Fingerprint,
    /// The handshake did not come to its end in time.
    #[error("the DTLS handshake has not ended within 10 s")]
    HandshakeTimeout,
    /// One side has ended the handshake; why, as far as it is known.
    #[error("the DTLS handshake has failed: {0}")]
    Handshake(String),
}

/// An association as it comes about.
pub(super) struct Handshake {
    agreed: Dtls,
    /// Made when it begins, gone when nothing can come of it any more.
    endpoint: Option<Endpoint>,
    outgoing: VecDeque<Vec<u8>>,
    state: Progress,
    datagrams: u32,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    /// No address of the peer's is known.
    Waiting,
    Running {
        give_up: Instant,
    },
    Done {
        until: Instant,
    },
    Over,
}

impl Handshake {
    pub(super) fn new(agreed: Dtls) -> Handshake {
        Handshake {
            agreed,
            endpoint: None,
            outgoing: VecDeque::new(),
            state: Progress::Waiting,
            datagrams: 0,
        }
    }

    /// Whether it is still the association that is wanted (RFC 8842 §5.5).
    pub(super) fn is_of(&self, agreed: &Dtls) -> bool {
        let Dtls { identity, active, fingerprints, .. } = &self.agreed;
        (identity, *active, fingerprints) == (&agreed.identity, agreed.active, &agreed.fingerprints)
    }

    pub(super) fn crypto(&self) -> &dyn RTCCrypto {
        self.agreed.identity.provider().crypto()
    }

    /// The peer is there: the client begins, the server waits for it, neither for ever.
    pub(super) fn begin(&mut self, now: Instant) -> Option<News> {
        let Progress::Waiting = self.state else { return None };
        self.state = Progress::Running { give_up: now + HANDSHAKE };
        let config = self.agreed.identity.config(self.agreed.active, self.agreed.fingerprints.clone());
        let begun = config.and_then(|config| match self.agreed.active {
            true => {
                let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, None);
                endpoint.connect(now, PEER, config, None)?;
                Ok(endpoint)
            }
            false => Ok(Endpoint::new(PEER, TransportProtocol::UDP, Some(config))),
        });
        match begun {
            Ok(endpoint) => {
                self.endpoint = Some(endpoint);
                self.collect();
                None
            }
            Err(error) => self.fail(PathError::Handshake(error.to_string())),
        }
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Option<News> {
        let endpoint = self.endpoint.as_mut()?;
        if self.datagrams >= MOST_DATAGRAMS {
            return None;
        }
        self.datagrams += 1;
        let read = endpoint.read(now, PEER, None, BytesMut::from(datagram));
        self.collect();
        match read {
            Ok(events) if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) => {
                self.complete(now)
            }
            Ok(_) => None,
            Err(error) => self.refused(error),
        }
    }

    /// What the library says of a datagram. Noise is an error to it too; the handshake has failed if an alert says so, the
    /// peer's or one that is about to leave.
    fn refused(&mut self, error: Error) -> Option<News> {
        let Progress::Running { .. } = self.state else { return None };
        let is_foreign = |state: &State| {
            let leaf = state.peer_certificates.first();
            leaf.is_some_and(|leaf| !Fingerprint::any_is_of(&self.agreed.fingerprints, leaf))
        };
        let is_foreign = self.endpoint.as_ref()?.get_connection_state(PEER).is_some_and(is_foreign);
        let says_so = self.outgoing.iter().any(|datagram| datagram.first() == Some(&ALERT));
        match error {
            _ if is_foreign => self.fail(PathError::Fingerprint),
            Error::ErrAlertFatalOrClose => {
                self.fail(PathError::Handshake("the far end has ended it by an alert".to_owned()))
            }
            error if says_so => self.fail(PathError::Handshake(error.to_string())),
            _ => None,
        }
    }

    fn fail(&mut self, why: PathError) -> Option<News> {
        (self.endpoint, self.state) = (None, Progress::Over);
        Some(News::Broken(why))
    }

    fn collect(&mut self) {
        while let Some(transmit) = self.endpoint.as_mut().and_then(Endpoint::poll_transmit) {
            self.outgoing.push_back(transmit.message.to_vec());
        }
    }

    /// The keys of both directions: the client's first, then both salts (RFC 5764 §4.2).
    fn complete(&mut self, now: Instant) -> Option<News> {
        self.state = Progress::Done { until: now + LAST_FLIGHT };
        let state = self.endpoint.as_ref()?.get_connection_state(PEER)?;
        let Some(suite) = suite(state.srtp_protection_profile()) else {
            return self.fail(PathError::Handshake("no profile of SRTP in common".to_owned()));
        };
        let (key, salt) = (suite.key_len(), suite.salt_len());
        let exported = state.export_keying_material(LABEL, &[], 2 * (key + salt));
        let material = match &exported {
            Ok(material) => material.as_ref(),
            Err(error) => {
                let error = error.to_string();
                return self.fail(PathError::Handshake(error));
            }
        };
        let half = |n: usize| {
            let (keys, salts) = material.split_at(2 * key);
            let bytes = [&keys[n * key..][..key], &salts[n * salt..][..salt]].concat();
            MasterKey::new(suite, &bytes)
        };
        let (client, server) = (half(0)?, half(1)?);
        let (send, receive) = if self.agreed.active { (client, server) } else { (server, client) };
        Some(News::Keys(Box::new(Keys { send, receive: receive.into() })))
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let resend = self.endpoint.as_ref().and_then(|endpoint| endpoint.poll_timeout(&PEER));
        match self.state {
            Progress::Running { give_up } => Some(resend.map_or(give_up, |at| at.min(give_up))),
            Progress::Done { until } => Some(until),
            Progress::Waiting | Progress::Over => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<News> {
        match self.state {
            Progress::Running { give_up } if give_up <= now => self.fail(PathError::HandshakeTimeout),
            Progress::Running { .. } => {
                let endpoint = self.endpoint.as_mut()?;
                endpoint.poll_timeout(&PEER).filter(|at| *at <= now)?;
                let resent = endpoint.handle_timeout(PEER, now);
                self.collect();
                resent.err().and_then(|_| self.fail(PathError::HandshakeTimeout))
            }
            Progress::Done { until } if until <= now => {
                (self.endpoint, self.state) = (None, Progress::Over);
                None
            }
            Progress::Waiting | Progress::Done { .. } | Progress::Over => None,
        }
    }
}

fn suite(profile: SrtpProtectionProfile) -> Option<Suite> {
    match profile {
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(Suite::AesCm128HmacSha1_80),
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32 => Some(Suite::AesCm128HmacSha1_32),
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(Suite::AeadAes128Gcm),
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Some(Suite::AeadAes256Gcm),
        _ => None,
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handshake { agreed, state, datagrams, .. } = self;
        out.debug_struct("Handshake")
            .field("agreed", agreed)
            .field("state", state)
            .field("datagrams", datagrams)
            .finish_non_exhaustive()
    }
}
