//! The hot path: a packet comes, and mostly leaves by the bridged leg. In place, without allocation.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Engine, Event, Forward, MediaLegKey, Spot};
use crate::dtmf;
use crate::leg::{Leg, Place, Sort, Unopened};
use crate::recorder::Spoken;
use crate::rtp::packet::{HEADER, Packet};
use crate::rtp::{Kind, rtcp};

/// Why a packet was dropped; each has its counter.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Unexpected,
    UnknownPayload,
    Stranger,
    OutOfSequence,
}

impl Engine {
    /// Takes in `packet[..len]`, received on the RTP socket of `leg` from `from`. RTCP on the same port is told apart
    /// here (RFC 5761 §4). `Some`: send that part of `packet` on, it has been rewritten in place; behind `len` there is room
    /// for what SRTP adds, [`GROWTH`](crate::srtp::GROWTH) bytes.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        leg: MediaLegKey,
        from: SocketAddr,
        packet: &mut [u8],
        len: usize,
    ) -> Option<Forward> {
        let index = self.legs.find(leg);
        self.handle_packet_in(now, index, from, packet, len)
    }

    /// The same for a leg of which is known where it lies.
    pub fn handle_packet_at(
        &mut self,
        now: Instant,
        spot: Spot,
        from: SocketAddr,
        packet: &mut [u8],
        len: usize,
    ) -> Option<Forward> {
        let index = self.at(spot).map(|_| spot.index);
        self.handle_packet_in(now, index, from, packet, len)
    }

    /// The leg, unless it has been closed since.
    pub(crate) fn at(&self, spot: Spot) -> Option<&Leg> {
        self.legs.get(spot.index).filter(|leg| leg.key == spot.leg)
    }

    fn handle_packet_in(
        &mut self,
        now: Instant,
        index: Option<u32>,
        from: SocketAddr,
        packet: &mut [u8],
        len: usize,
    ) -> Option<Forward> {
        let Some(index) = index else {
            self.counters.stale += 1;
            return None;
        };
        match Kind::of(packet.get(..len)?) {
            Kind::Rtp => return self.handle_rtp(now, index, from, packet, len),
            Kind::Rtcp => self.read_rtcp(now, index, from, &mut packet[..len]),
            Kind::Stun => self.read_stun(now, index, from, &packet[..len]),
            Kind::Dtls => self.read_dtls(now, index, from, &packet[..len]),
            Kind::Other => self.counters.noise += 1,
        }
        None
    }

    fn handle_rtp(
        &mut self,
        now: Instant,
        index: u32,
        from: SocketAddr,
        datagram: &mut [u8],
        len: usize,
    ) -> Option<Forward> {
        let leg = self.legs.get_mut(index)?;
        let len = match leg.open_rtp(now, from, &mut datagram[..len]) {
            Ok(len) => len,
            Err(why) => {
                self.count_unopened(index, why);
                return None;
            }
        };
        let Ok(packet) = Packet::parse(&datagram[..len]) else {
            self.counters.malformed += 1;
            return None;
        };
        let accepted = leg.accept(now, from, &packet);
        if !matches!(accepted, Err(Refused::Unexpected | Refused::UnknownPayload | Refused::Stranger)) {
            self.counters.received += 1;
            self.note_heard(now, index);
            if self.legs.get(index)?.outgoing.ssrc() == packet.ssrc {
                self.resolve_collision(now, index);
            }
        }
        match accepted {
            Ok((sort, place)) => {
                self.note_payload(now, index, sort, place, &packet, &datagram[packet.start..packet.end]);
                self.pass_on(now, index, sort, place, &packet, datagram)
            }
            Err(refused) => {
                self.count_refused(refused);
                None
            }
        }
    }

    fn count_refused(&mut self, refused: Refused) {
        let counter = match refused {
            Refused::Unexpected => &mut self.counters.unexpected,
            Refused::UnknownPayload => &mut self.counters.unknown_payload,
            Refused::Stranger => &mut self.counters.rejected,
            Refused::OutOfSequence => &mut self.counters.out_of_sequence,
        };
        *counter += 1;
    }

    fn count_unopened(&mut self, index: u32, why: Unopened) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        match why {
            Unopened::Truncated => self.counters.malformed += 1,
            Unopened::Early => self.counters.unexpected += 1,
            Unopened::Replayed => self.counters.srtp_replayed += 1,
            Unopened::Stranger => {
                leg.rejected += 1;
                self.counters.rejected += 1;
            }
            Unopened::Unauthentic { told } => {
                self.counters.srtp_unauthentic += 1;
                if told {
                    self.outbox.event(Event::Unauthentic { leg: leg.key });
                }
            }
        }
    }

    /// The peer uses our SSRC: BYE for it, and another one (RFC 3550 §8.2). Once a leg: who does it again sends back what he
    /// hears, and would do so for ever.
    #[cold]
    fn resolve_collision(&mut self, now: Instant, index: u32) {
        if self.legs.get(index).is_none_or(|leg| leg.renamed) {
            return;
        }
        self.say_goodbye(now, index);
        let ssrc = self.dice.ssrc();
        let Some(leg) = self.legs.get_mut(index) else { return };
        leg.renamed = true;
        leg.outgoing.rename(ssrc);
        if let Some(secure) = &mut leg.secure {
            secure.renamed();
        }
        self.counters.collisions += 1;
    }

    /// Signs of life: the first packet, the first through a bridge, the first after a silence.
    fn note_heard(&mut self, now: Instant, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let key = leg.key;
        let first = leg.incoming.is_first();
        if first {
            self.outbox.event(Event::Heard { leg: key, at: now, bridged: false });
        }
        if let Some(side) = leg.bridge.as_mut().filter(|side| !side.heard) {
            side.heard = true;
            self.outbox.event(Event::Heard { leg: key, at: now, bridged: true });
        }
        if !leg.rtcp_open && leg.stream.as_ref().is_some_and(|stream| stream.rtcp_wanted) {
            leg.rtcp_open = true;
            self.outbox.event(Event::RtcpWanted { leg: key });
            self.wake_reports(now, index);
        } else if first {
            self.wake_reports(now, index);
        }
        self.note_life(index);
    }

    /// A silence that was told is over; the next one will be told again.
    pub(super) fn note_life(&mut self, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        if leg.silence.told {
            leg.silence.told = false;
            self.enter_deadline(index);
        }
    }

    fn note_payload(
        &mut self,
        now: Instant,
        index: u32,
        sort: Sort,
        place: Place,
        packet: &Packet,
        payload: &[u8],
    ) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let cut = if place.new_run { leg.events.restart(now) } else { None };
        let (mut ended, mut tone) = ([None; 2], None);
        match sort {
            Sort::Sound(codec) => {
                leg.incoming.time(now.saturating_duration_since(self.settings.origin), packet.timestamp);
                match &mut leg.guard {
                    Some(guard) => guard.hear(leg.incoming.listen_closely(codec, payload)),
                    None => leg.incoming.listen(place, codec, payload),
                }
                tone = leg.hear_tones(now, codec, place, payload);
                if let Some(slow) = &mut leg.slow {
                    slow.take(now, codec, place, packet.timestamp, payload);
                }
                if let Some(recorder) = &mut leg.recorder {
                    let spoken = Spoken { run: place.run, timestamp: packet.timestamp };
                    recorder.take_said(now, codec, spoken, payload);
                }
            }
            Sort::Event => {
                leg.guard.iter_mut().for_each(|guard| guard.hear_event());
                if let Some(payload) = dtmf::Payload::read(payload) {
                    ended = leg.events.arrive(now, packet.timestamp, payload);
                }
            }
            Sort::Noise => {
                leg.guard.iter_mut().for_each(|guard| guard.hear_noise());
                let ear = leg.slow.as_mut().and_then(|slow| slow.ear.as_mut());
                ear.into_iter().for_each(|ear| ear.take_noise(payload));
            }
            Sort::Unknown => {}
        }
        let listens = leg.ear.is_some();
        let partner = leg.bridge.filter(|_| leg.slow.is_some()).map(|side| side.partner);
        let leg = leg.key;
        if let Some(pressed) = tone {
            self.tell_tone(leg, pressed);
        }
        for pressed in cut.into_iter().chain(ended.into_iter().flatten()) {
            self.outbox.event(Event::Digit { leg, digit: pressed.digit, duration_ms: pressed.duration_ms });
            self.counters.digits += 1;
            if let Some(partner) = partner {
                self.send_digit(
                    now,
                    partner,
                    pressed.digit,
                    u16::try_from(pressed.duration_ms).unwrap_or(u16::MAX),
                );
            }
        }
        if sort == Sort::Event || listens {
            self.enter_deadline(index);
        }
    }

    /// Rewrites the packet for the bridged leg: its numbers, its payload type, its codec.
    fn pass_on(
        &mut self,
        now: Instant,
        index: u32,
        sort: Sort,
        place: Place,
        packet: &Packet,
        datagram: &mut [u8],
    ) -> Option<Forward> {
        let leg = self.legs.get(index)?;
        let partner_index = leg.bridge?.partner;
        if leg.slow.is_some() {
            if matches!(sort, Sort::Sound(_)) {
                self.note_carried(now, index, partner_index);
            }
            return None;
        }
        let partner = self.legs.get_mut(partner_index)?;
        let target = partner.target().filter(|_| partner.may_send() && !partner.is_speaking());
        let (Some(to), Some(stream)) = (target, &partner.stream) else {
            self.counters.held_back += 1;
            return None;
        };
        let payload_type = match sort {
            Sort::Sound(_) => Some(stream.send_payload_type),
            Sort::Event => stream.send_event,
            Sort::Noise | Sort::Unknown => None,
        };
        let Some(payload_type) = payload_type else {
            partner.outgoing.skip(place);
            self.counters.unrelayable += 1;
            return None;
        };
        let codec = stream.codec;
        let Some(numbers) = partner.outgoing.relay(now, place, packet.sequence, packet.timestamp) else {
            self.counters.out_of_sequence += 1;
            return None;
        };
        let fields = partner.outgoing.stamp(now, numbers, packet.marker, payload_type, packet.payload_len());
        let (leg, mark) = (partner.key, partner.mark);
        if let Sort::Sound(from) = sort {
            if from != codec {
                if !from.convert(codec, &mut datagram[packet.start..packet.end]) {
                    self.counters.unrelayable += 1;
                    return None;
                }
                self.counters.transcoded += 1;
            }
            if let Some(recorder) = &mut partner.recorder {
                recorder.take_heard(now, codec, numbers.spoken(), &datagram[packet.start..packet.end]);
            }
            self.note_carried(now, index, partner_index);
        }
        if numbers.switched {
            self.wake_reports(now, partner_index);
        }
        self.counters.relayed += 1;
        let start = packet.start - HEADER;
        fields.write(datagram[start..].first_chunk_mut()?);
        let len = packet.end - start;
        let len = match &mut self.legs.get_mut(partner_index)?.secure {
            Some(secure) => secure.protect_rtp(&mut datagram[start..], len)?,
            None => len,
        };
        Some(Forward { leg, mark, to, start, len })
    }

    /// Sound of the leg has reached its partner: two-way once both have.
    fn note_carried(&mut self, now: Instant, index: u32, partner: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let (key, Some(side)) = (leg.key, &mut leg.bridge) else { return };
        if std::mem::replace(&mut side.carried, true) {
            return;
        }
        let Some(partner) = self.legs.get(partner) else { return };
        if partner.bridge.is_some_and(|side| side.carried) {
            self.outbox.event(Event::TwoWay { a: partner.key, b: key, at: now });
        }
    }

    /// Takes in a datagram received on the RTCP socket of `leg` (port + 1).
    pub fn handle_rtcp(&mut self, now: Instant, leg: MediaLegKey, from: SocketAddr, packet: &mut [u8]) {
        match self.legs.find(leg) {
            Some(index) => self.read_rtcp(now, index, from, packet),
            None => self.counters.stale += 1,
        }
    }

    fn read_rtcp(&mut self, now: Instant, index: u32, from: SocketAddr, packet: &mut [u8]) {
        let ntp = self.ntp(now);
        let Some(leg) = self.legs.get_mut(index) else { return };
        if leg.stream.is_none() {
            self.counters.unexpected += 1;
            return;
        }
        if !leg.admits_rtcp(from) {
            leg.rejected += 1;
            self.counters.rejected += 1;
            return;
        }
        let len = match leg.open_rtcp(packet) {
            Ok(len) => len,
            Err(Unopened::Truncated) => {
                self.counters.rtcp_malformed += 1;
                return;
            }
            Err(why) => return self.count_unopened(index, why),
        };
        let Ok(compound) = rtcp::read(&packet[..len], leg.outgoing.ssrc()) else {
            self.counters.rtcp_malformed += 1;
            return;
        };
        leg.reports.arrive(now, ntp, from, &compound);
        self.counters.rtcp_received += 1;
        self.wake_reports(now, index);
        self.note_life(index);
    }
}

impl Leg {
    /// Whether a packet is for us at all, from our peer, and still of use.
    fn accept(&mut self, now: Instant, from: SocketAddr, packet: &Packet) -> Result<(Sort, Place), Refused> {
        if !self.may_receive() {
            self.silence.unexpected_at = Some(now);
            return Err(Refused::Unexpected);
        }
        let sort = self.sort(packet.payload_type);
        if sort == Sort::Unknown {
            self.unknown += 1;
            return Err(Refused::UnknownPayload);
        }
        if !self.admit(now, from) {
            self.rejected += 1;
            return Err(Refused::Stranger);
        }
        let place = self.incoming.arrive(now, packet).ok_or(Refused::OutOfSequence)?;
        Ok((sort, place))
    }
}
