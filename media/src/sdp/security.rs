//! One leg's side of SDES (RFC 4568): which keys are offered, which line of the far end is taken.
//!
//! Each side names the key that *it* sends with. Ours lasts as long as the suite does: a re-INVITE repeats it, so that the
//! rollover counters of both ends go on.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::NegotiationError;
use super::association::{self, IceCredentials};
use super::crypto::{self, Line};
use super::description::{Crypto, Media};
use super::stream::{Keys, Policy, Srtp};
use crate::srtp::{MasterKey, Suite};

/// Our keys, and where new ones come from.
#[derive(Clone)]
pub(super) struct Security {
    secret: [u8; 32],
    drawn: u64,
    ours: Vec<OurLine>,
}

/// An `a=crypto` line of ours.
#[derive(Debug, Clone)]
pub(super) struct OurLine {
    tag: u32,
    key: MasterKey,
}

impl OurLine {
    pub(super) fn written(&self) -> Crypto {
        crypto::write(self.tag, &self.key)
    }
}

impl Security {
    pub(super) fn new(secret: [u8; 32]) -> Security {
        Security { secret, drawn: 0, ours: Vec::new() }
    }

    /// Lines for an offer: what was agreed, or offered before, else a new key for each suite.
    pub(super) fn offer(&mut self, policy: &Policy, is_agreed: bool) -> Vec<OurLine> {
        if self.ours.is_empty() && !is_agreed && policy.srtp != Srtp::Off {
            self.ours = (1..).zip(&policy.suites).map(|(tag, suite)| self.draw(tag, *suite)).collect();
        }
        self.ours.clone()
    }

    /// Our line and the keys that go with the far end's in its offer. A key of ours for the same suite is kept.
    pub(super) fn answer(&mut self, theirs: Option<Line>) -> Option<Keys> {
        let line = theirs.map(|line| {
            let kept = self.ours.iter().find(|ours| ours.key.suite() == line.peer.key.suite());
            let key = kept.map(|ours| ours.key.clone());
            let ours = match key {
                Some(key) => OurLine { tag: line.tag, key },
                None => self.draw(line.tag, line.peer.key.suite()),
            };
            (ours, line)
        });
        self.agree(line)
    }

    /// The keys that go with the far end's answer to `offered`.
    pub(super) fn accept(&mut self, offered: &[OurLine], theirs: Option<Line>) -> Option<Keys> {
        let line = theirs.and_then(|line| Some((taken(offered, &line)?.clone(), line)));
        self.agree(line)
    }

    /// One line is left, or none: then a later exchange begins with a new key, for the old counters are gone.
    fn agree(&mut self, line: Option<(OurLine, Line)>) -> Option<Keys> {
        self.ours.clear();
        let (ours, theirs) = line?;
        let keys = Keys { send: ours.key.clone(), receive: theirs.peer };
        self.ours.push(ours);
        Some(keys)
    }

    pub(super) fn written(&self) -> Vec<Crypto> {
        self.ours.iter().map(OurLine::written).collect()
    }

    /// New credentials for ICE, with 48 and 144 random bits (RFC 8445 §5.3).
    pub(super) fn draw_credentials(&mut self) -> IceCredentials {
        self.drawn += 1;
        let key = MasterKey::draw(Suite::AeadAes256Gcm, &self.secret, self.drawn);
        let (ufrag, rest) = key.as_bytes().split_at(6);
        IceCredentials { ufrag: BASE64.encode(ufrag), pwd: BASE64.encode(&rest[..18]) }
    }

    fn draw(&mut self, tag: u32, suite: Suite) -> OurLine {
        self.drawn += 1;
        OurLine { tag, key: MasterKey::draw(suite, &self.secret, self.drawn) }
    }
}

/// The line of an offer that is taken: `None` for sound in the clear.
///
/// # Errors
/// Why the medium cannot be taken the way it is offered.
pub(super) fn of_offer(policy: &Policy, media: &Media) -> Result<Option<Line>, NegotiationError> {
    let is_secure = is_secure(media)?;
    if policy.srtp == Srtp::Off {
        return if is_secure { Err(encrypted(media)) } else { Ok(None) };
    }
    let (mut usable, mut why) = (Vec::new(), Vec::new());
    for crypto in &media.crypto {
        match Line::read(crypto) {
            Ok(line) => usable.push(line),
            Err(reason) => why.push(reason),
        }
    }
    let best = usable.into_iter().min_by_key(|line| (rank(policy, line.peer.key.suite()), line.peer.mki_len));
    match best {
        Some(line) => Ok(Some(line)),
        None if !is_secure && policy.srtp == Srtp::Optional => Ok(None),
        None => Err(no_key(media, &why)),
    }
}

/// The line of an answer, which must be one of those offered: `None` for sound in the clear.
///
/// # Errors
/// Why the answer cannot be used.
pub(super) fn of_answer(
    policy: &Policy,
    offered: &[OurLine],
    media: &Media,
) -> Result<Option<Line>, NegotiationError> {
    let is_secure = is_secure(media)?;
    if offered.is_empty() {
        return if is_secure { Err(encrypted(media)) } else { Ok(None) };
    }
    let read = media.crypto.iter().map(|crypto| {
        let line = Line::read(crypto)?;
        let suite = line.peer.key.suite();
        taken(offered, &line).map(|_| line.clone()).ok_or_else(|| format!("{suite}, which was not offered"))
    });
    let (lines, why): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    match lines.into_iter().flatten().next() {
        Some(line) => Ok(Some(line)),
        None if media.crypto.is_empty() && !is_secure && policy.srtp != Srtp::Required => Ok(None),
        None => Err(no_key(media, &why.into_iter().filter_map(Result::err).collect::<Vec<_>>())),
    }
}

/// Each suite is offered once, so it names the line, also for those who answer with a tag of their own.
fn taken<'a>(offered: &'a [OurLine], line: &Line) -> Option<&'a OurLine> {
    offered.iter().find(|ours| ours.key.suite() == line.peer.key.suite())
}

/// What we offer first, then the rest of what we know.
fn rank(policy: &Policy, suite: Suite) -> Option<usize> {
    policy.suites.iter().chain(&Suite::ALL).position(|known| *known == suite)
}

/// The transport of a first offer (RFC 4568 §7.1.1). With "optional" the lines stand in an ordinary offer: who does not
/// know them does not see them.
pub(super) fn protocol(policy: &Policy) -> &'static str {
    if policy.dtls.is_some() {
        return association::PROTOCOL;
    }
    if policy.srtp == Srtp::Required { "RTP/SAVP" } else { "RTP/AVP" }
}

/// Whether the transport is SRTP. AVPF is AVP with earlier feedback (RFC 4585 §4): who offers it takes plain RTP from us as
/// well; so does who offers SAVPF (RFC 5124 §4).
fn is_secure(media: &Media) -> Result<bool, NegotiationError> {
    match media.protocol.to_ascii_uppercase().as_str() {
        "RTP/AVP" | "RTP/AVPF" => Ok(false),
        "RTP/SAVP" | "RTP/SAVPF" => Ok(true),
        _ => Err(NegotiationError::Transport { protocol: media.protocol.clone() }),
    }
}

fn encrypted(media: &Media) -> NegotiationError {
    NegotiationError::Encrypted { protocol: media.protocol.clone() }
}

fn no_key(media: &Media, why: &[String]) -> NegotiationError {
    match media.crypto.is_empty() {
        true => NegotiationError::NotEncrypted { protocol: media.protocol.clone() },
        false => NegotiationError::NoUsableKey { theirs: why.join("; ") },
    }
}

/// A description as it goes out, keys and all.
#[derive(Clone)]
pub(super) struct Confidential(pub(super) Bytes);

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security").field("ours", &self.ours).finish_non_exhaustive()
    }
}
