//! A telephone's mouth and ear: RTP packets whose payload names the speaker, or a tone.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use bytes::{BufMut, Bytes, BytesMut};
use media::{
    Digit, Direction,
    dtmf::tones,
    sdp::{Negotiation, Policy, Stream},
};

use super::{Manner, Phone};
use crate::{net::Datagram, shield::Shield, tone::Tone};

pub(super) struct Sound {
    pub(super) negotiation: Negotiation,
    pub(super) stream: Option<Stream>,
    pub(super) local: SocketAddr,
    /// Another one in each call, as RFC 3550 §8.1 wants it.
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    pub(super) next_at: Option<Instant>,
    event: Option<Event4733>,
    last_digit: Option<u32>,
    tones: tones::Ear,
    ear: VecDeque<i16>,
    shield: Shield,
}

struct Event4733 {
    code: u8,
    packets_left: u8,
    timestamp: u32,
}

/// RTP packets per digit: 100 ms of event at 20 ms, and the end three times (RFC 4733 §2.5.1.4).
const EVENT_PACKETS: u8 = 8;

/// Keys in the order of their event numbers (RFC 4733 §3.2).
const DIGITS: &str = "0123456789*#ABCD";

impl Sound {
    pub(super) fn new(phone: &mut Phone) -> Sound {
        phone.ssrc = phone.ssrc.wrapping_add(1);
        let (local, events) = (phone.sound_at, phone.events);
        let policy = Policy { telephone_event: events, ..phone.policy.clone() };
        Sound {
            negotiation: Negotiation::new(policy, local, 7, [phone.voice; 32]),
            stream: None,
            local,
            ssrc: phone.ssrc,
            sequence: 1,
            timestamp: 160,
            next_at: None,
            event: None,
            last_digit: None,
            tones: tones::Ear::default(),
            ear: VecDeque::new(),
            shield: Shield::default(),
        }
    }

    /// Takes in a packet of the agreed codec; any other sound is not for us.
    fn listen(&mut self, packet: &[u8]) {
        const KEPT: usize = 8_000;
        let Some(stream) =
            self.stream.as_ref().filter(|stream| stream.receive_payload_type == packet[1] & 0x7f)
        else {
            return;
        };
        let payload = &packet[12..];
        let mut samples = vec![0; payload.len()];
        stream.codec.decode(payload, &mut samples);
        self.ear.extend(samples);
        self.ear.drain(..self.ear.len().saturating_sub(KEPT));
    }

    /// A key that was pressed as a tone and let go.
    fn key_in(&mut self, now: Instant, packet: &[u8]) -> Option<char> {
        let codec = self.stream.as_ref()?.codec;
        let mut samples = vec![0; packet.len() - 12];
        codec.decode(&packet[12..], &mut samples);
        self.tones.hear(now, &samples).map(|pressed| pressed.digit.as_char())
    }

    fn packet(&mut self, stream: &Stream, voice: u8, tone: Option<&Tone>) -> Bytes {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        if stream.send_event.is_none()
            && let Some(event) = &mut self.event
        {
            event.packets_left -= 1;
            let key =
                (Digit::from_event(event.code), u32::from(EVENT_PACKETS - 1 - event.packets_left) * 160);
            if event.packets_left == 0 {
                self.event = None;
            }
            return self.tone_of(key, stream);
        }
        match (&mut self.event, stream.send_event) {
            (Some(event), Some(payload_type)) => {
                event.packets_left -= 1;
                let ends = event.packets_left < 3;
                let played = u16::from(EVENT_PACKETS - event.packets_left) * 160;
                let mut packet = header(payload_type, self.ssrc, sequence, event.timestamp);
                packet.put_slice(&[event.code, if ends { 0x8a } else { 0x0a }]);
                packet.put_u16(played);
                if event.packets_left == 0 {
                    self.event = None;
                }
                packet.freeze()
            }
            _ => {
                let mut packet = header(stream.send_payload_type, self.ssrc, sequence, timestamp);
                match tone {
                    Some(tone) => packet.put_slice(&tone.frame(stream.codec, timestamp)),
                    None => packet.put_bytes(voice, 160),
                }
                packet.freeze()
            }
        }
    }
}

impl Sound {
    /// A key as a tone in the sound, from this sample of it on: what a telephone does that knows no events.
    fn tone_of(&self, (digit, from): (Option<Digit>, u32), stream: &Stream) -> Bytes {
        let (mut samples, mut bytes) = ([0; 160], [0; 160]);
        digit.into_iter().for_each(|digit| tones::write(digit, from, &mut samples));
        stream.codec.encode(&samples, &mut bytes);
        let mut packet = header(stream.send_payload_type, self.ssrc, self.sequence, self.timestamp);
        packet.put_slice(&bytes);
        packet.freeze()
    }
}

fn header(payload_type: u8, ssrc: u32, sequence: u16, timestamp: u32) -> BytesMut {
    let mut packet = BytesMut::with_capacity(172);
    packet.put_slice(&[0x80, payload_type]);
    packet.put_u16(sequence);
    packet.put_u32(timestamp);
    packet.put_u32(ssrc);
    packet
}

/// The packet as this telephone sends it.
fn in_manner(manner: Manner, stream: &Stream, bytes: Bytes) -> Bytes {
    let mut bytes = BytesMut::from(bytes);
    match manner {
        Manner::Nothing => bytes[12..].fill(if stream.codec == media::Codec::Pcmu { 0xff } else { 0xd5 }),
        Manner::Noise => {
            bytes.truncate(13);
            (bytes[1], bytes[12]) = (13, 60);
        }
        Manner::Foreign => bytes[1] = 77,
        Manner::Voice | Manner::From(_) | Manner::Garbled => {}
    }
    bytes.freeze()
}

fn garbled(bytes: Bytes) -> Bytes {
    let mut bytes = BytesMut::from(bytes);
    bytes.iter_mut().skip(12).for_each(|byte| *byte ^= 0x5a);
    bytes.freeze()
}

/// One packet of PCMA in which this speaker is heard.
pub(crate) fn sound_of(voice: u8) -> Bytes {
    let mut packet = header(8, 1, 1, 160);
    packet.put_bytes(voice, 160);
    packet.freeze()
}

impl Phone {
    /// The last `ms` milliseconds that it heard in this call, a second at most; `None` until there are as many. Only
    /// a telephone with a tone listens.
    pub(crate) fn listened(&self, ms: usize) -> Option<Vec<i16>> {
        let ear = &self.sound.as_ref()?.ear;
        let skipped = ear.len().checked_sub(ms * 8)?;
        Some(ear.range(skipped..).copied().collect())
    }

    pub(crate) fn sound_address(&self) -> SocketAddr {
        self.sound_at
    }

    pub(super) fn press(&mut self, key: char) {
        let code = DIGITS.find(key).and_then(|at| u8::try_from(at).ok());
        if let (Some(sound), Some(code)) = (&mut self.sound, code) {
            sound.event = Some(Event4733 { code, packets_left: EVENT_PACKETS, timestamp: sound.timestamp });
        }
    }

    /// One packet of voice or of an event, if the agreement lets it out.
    pub(super) fn speak(&mut self, now: Instant) {
        let Some(sound) = &mut self.sound else { return };
        sound.next_at = Some(now + self.rtp_gap);
        let Some(stream) = sound.stream.clone() else { return };
        let sends = matches!(stream.direction, Direction::SendRecv | Direction::SendOnly);
        let (Some(remote), true, false) = (stream.remote, sends, self.muted) else { return };
        sound.shield.follow(stream.keys.as_deref());
        let bytes = sound.packet(&stream, self.voice, self.tone.as_deref());
        let bytes = sound.shield.protect(in_manner(self.manner, &stream, bytes));
        let bytes = if self.manner == Manner::Garbled { garbled(bytes) } else { bytes };
        let from = if let Manner::From(elsewhere) = self.manner { elsewhere } else { sound.local };
        self.out.push_back(Datagram { from, to: remote, bytes });
    }

    pub(super) fn hear(&mut self, now: Instant, packet: Bytes) {
        let (Some(sound), true) = (&mut self.sound, packet.len() > 12) else { return };
        if packet[1] & 0x7f >= 64 && packet[1] & 0x7f < 96 {
            return; // RTCP on the same port (RFC 5761 §4)
        }
        sound.shield.follow(sound.stream.as_ref().and_then(|stream| stream.keys.as_deref()));
        let Some(packet) = &sound.shield.open(packet) else {
            self.unreadable += 1;
            return;
        };
        self.encrypted += u64::from(sound.shield.is_up());
        self.line.hear(now, packet);
        let events = sound.stream.as_ref().and_then(|stream| stream.receive_event);
        if events != Some(packet[1] & 0x7f) {
            *self.heard.entry(packet[12]).or_default() += 1;
            if events.is_none() {
                self.digits.extend(sound.key_in(now, packet));
            }
            if self.tone.is_some() {
                sound.listen(packet);
            }
        } else if packet[13] & 0x80 != 0 {
            // The end comes three times; its timestamp is the event's name (RFC 4733 §2.5.1.4).
            let name = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
            if sound.last_digit.replace(name) != Some(name) {
                self.digits.extend(DIGITS.chars().nth(usize::from(packet[12])));
            }
        }
    }
}
