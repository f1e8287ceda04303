//! The sound of one person's call: SRTP packets of his own tone out, and what he hears, measured.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use media::{
    Codec, Direction,
    sdp::{Negotiation, NegotiationError, Policy, Srtp, Stream},
    srtp::Suite,
};

use crate::{shield::Shield, tone::Tone};

/// Time between two packets, and samples in one.
const PTIME: Duration = Duration::from_millis(20);
const FRAME: u32 = 160;
/// Samples kept to be measured: a second.
const KEPT: usize = 8_000;
/// Packets of one key: 100 ms, and its end three times (RFC 4733 §2.5.1.4).
const EVENT_PACKETS: u8 = 8;
/// Keys in the order of their event numbers (RFC 4733 §3.2).
const KEYS: &str = "0123456789*#ABCD";

pub(super) struct Sound {
    /// Where it takes packets.
    pub(super) local: SocketAddr,
    negotiation: Negotiation,
    /// What the far end has described last.
    theirs: Bytes,
    stream: Option<Stream>,
    /// Where the first description said that sound is to go: it goes there for ever (2.6 of the sheet).
    remote: Option<SocketAddr>,
    pub(super) next_at: Option<Instant>,
    sequence: u16,
    timestamp: u32,
    key: Option<(u8, u8, u32)>,
    ear: VecDeque<i16>,
    shield: Shield,
    tone: Arc<Tone>,
}

impl Sound {
    /// A description is still to be made. What it offers has the weaker suite first, as seen of Teams (2.1).
    pub(super) fn new(local: SocketAddr, tone: Arc<Tone>) -> Sound {
        let policy = Policy {
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            srtp: Srtp::Required,
            suites: ["AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_80"]
                .into_iter()
                .filter_map(Suite::by_name)
                .collect(),
            ..Policy::default()
        };
        Sound {
            local,
            theirs: Bytes::new(),
            negotiation: Negotiation::new(policy, local, rand::random::<u32>().into(), rand::random()),
            stream: None,
            remote: None,
            next_at: None,
            sequence: 1,
            timestamp: FRAME,
            key: None,
            ear: VecDeque::new(),
            shield: Shield::default(),
            tone,
        }
    }

    pub(super) fn offer(&mut self) -> Bytes {
        self.negotiation.offer()
    }

    /// Holds by `inactive`, or takes back (1.9).
    pub(super) fn offer_hold(&mut self, holds: bool) -> Bytes {
        let direction = if holds { Direction::Inactive } else { Direction::SendRecv };
        let codec = self.stream.as_ref().map(|stream| stream.codec);
        self.negotiation.offer_like(direction, codec.as_slice())
    }

    /// What was described last, once more.
    pub(super) fn again(&self) -> Option<Bytes> {
        self.negotiation.last_description().cloned()
    }

    /// What the far end has described last.
    pub(super) fn theirs(&self) -> &Bytes {
        &self.theirs
    }

    pub(super) fn accept(&mut self, answer: &Bytes, now: Instant) -> Result<(), NegotiationError> {
        let stream = self.negotiation.accept(answer)?;
        self.theirs.clone_from(answer);
        self.follow(stream);
        self.begin(now);
        Ok(())
    }

    pub(super) fn answer(&mut self, offer: &Bytes) -> Result<Bytes, NegotiationError> {
        let (answer, stream) = self.negotiation.answer(offer)?;
        self.theirs.clone_from(offer);
        self.follow(stream);
        Ok(answer)
    }

    /// He speaks from now on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.next_at.get_or_insert(now);
    }

    /// Whether the far end has moved its sound since its first description.
    pub(super) fn has_moved(&self) -> bool {
        let said = self.stream.as_ref().and_then(|stream| stream.remote);
        said.is_some() && said != self.remote
    }

    fn follow(&mut self, stream: Stream) {
        self.remote = self.remote.or(stream.remote);
        self.stream = Some(stream);
    }

    pub(super) fn press(&mut self, key: char) {
        let code = KEYS.find(key).and_then(|at| u8::try_from(at).ok());
        self.key = code.map(|code| (code, EVENT_PACKETS, self.timestamp));
    }

    /// One packet, if the agreement lets it out.
    pub(super) fn speak(&mut self, now: Instant) -> Option<(SocketAddr, Bytes)> {
        self.next_at = Some(now + PTIME);
        let stream = self.stream.clone()?;
        let (remote, sends) = (self.remote?, stream.direction.sends());
        if !sends {
            return None;
        }
        self.shield.follow(stream.keys.as_deref());
        let packet = self.packet(&stream);
        Some((remote, self.shield.protect(packet)))
    }

    fn packet(&mut self, stream: &Stream) -> Bytes {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME);
        let Some(((code, left, since), kind)) = self.key.zip(stream.send_event) else {
            let mut packet = self.header(stream.send_payload_type, self.timestamp);
            packet.put_slice(&self.tone.frame(stream.codec, self.timestamp));
            return packet.freeze();
        };
        let left = left - 1;
        self.key = Some((code, left, since)).filter(|_| left > 0);
        let mut packet = self.header(kind, since);
        packet.put_slice(&[code, if left < 3 { 0x8a } else { 0x0a }]);
        packet.put_u16(u16::from(EVENT_PACKETS - left) * FRAME as u16);
        packet.freeze()
    }

    fn header(&self, payload_type: u8, timestamp: u32) -> BytesMut {
        let mut packet = BytesMut::with_capacity(172);
        packet.put_slice(&[0x80, payload_type]);
        packet.put_u16(self.sequence);
        packet.put_u32(timestamp);
        packet.put_u32(0x7ea5_0001);
        packet
    }

    pub(super) fn hear(&mut self, packet: Bytes) {
        let Some(stream) = self.stream.as_ref().filter(|_| packet.len() > 12) else { return };
        if (64..96).contains(&(packet[1] & 0x7f)) {
            return; // RTCP
        }
        self.shield.follow(stream.keys.as_deref());
        let Some(packet) = self.shield.open(packet).filter(|_| self.shield.is_up()) else { return };
        if packet[1] & 0x7f != stream.receive_payload_type {
            return;
        }
        let mut samples = vec![0; packet.len() - 12];
        stream.codec.decode(&packet[12..], &mut samples);
        self.ear.extend(samples);
        self.ear.drain(..self.ear.len().saturating_sub(KEPT));
    }

    /// The last `ms` milliseconds; `None` until there are as many.
    pub(super) fn listened(&self, ms: usize) -> Option<Vec<i16>> {
        let skipped = self.ear.len().checked_sub(ms * 8)?;
        Some(self.ear.range(skipped..).copied().collect())
    }

    /// Forgets what was heard: who is heard from now on is to be measured.
    pub(super) fn forget(&mut self) {
        self.ear.clear();
    }
}
