//! What a leg sends: one SSRC, one line of sequence numbers and timestamps, whoever speaks.
//!
//! A receiver that sees prompt, music and agent as one stream neither stumbles nor counts loss (RFC 3550 §7.1 for
//! the relayed part: as a mixer with one source at a time). The source's own gaps and disorder stay visible.

use std::time::Instant;

use super::incoming::Place;
use crate::recorder::Spoken;
use crate::rtp::stats::{LegStats, ticks};
use crate::rtp::{Fields, rtcp::SenderInfo};

/// Milliseconds of one frame; a switch never goes forward by less.
const FRAME: u32 = 20;

/// The line of packets to one peer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    ssrc: u32,
    /// Ticks of the codec's clock in a second.
    clock_rate: u32,
    /// Number of the next packet after a switch: one above the highest sent.
    sequence: u16,
    /// The newest timestamp sent, and when a packet first carried it. Before the first packet: the one to take.
    edge: (u32, Option<Instant>),
    speaker: Speaker,
    /// The clock of the peer's other source: run and timestamp shift. It may speak again.
    parked: Option<(u32, u32)>,
    packets: u64,
    octets: u64,
}

/// Whose numbers the line follows. Anything else than the last speaker begins with a switch.
#[derive(Debug)]
enum Speaker {
    Nobody,
    /// Prompts and digits: the clock at the last beat, and that beat's millisecond.
    Ourselves {
        clock: u32,
        beat: u64,
    },
    Peer(Mapping),
}

/// From the numbers of one run of a source to ours.
#[derive(Debug)]
struct Mapping {
    run: u32,
    /// Packets older than this belong to the time before the switch.
    floor: u64,
    newest: u64,
    sequence_shift: u16,
    timestamp_shift: u32,
}

/// Numbers for one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    /// First packet after a switch: the marker bit is set, so that receivers may set up their buffer anew.
    pub(crate) switched: bool,
}

impl Numbers {
    /// One clock for all who speak: the line goes on whoever does.
    pub(crate) fn spoken(self) -> Spoken {
        Spoken { run: 0, timestamp: self.timestamp }
    }
}

impl Outgoing {
    pub(crate) fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Outgoing {
        Outgoing {
            ssrc,
            clock_rate: 8_000,
            sequence,
            edge: (timestamp, None),
            speaker: Speaker::Nobody,
            parked: None,
            packets: 0,
            octets: 0,
        }
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The codec's clock from now on. The timestamps go on from where they are, faster or slower (RFC 7160 §4.1).
    pub(crate) fn set_clock(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            self.forget_speaker();
        }
    }

    /// Ticks of the codec's clock in a second.
    pub(crate) fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// The peer has our SSRC (RFC 3550 §8.2): the line goes on under another one.
    pub(crate) fn rename(&mut self, ssrc: u32) {
        self.ssrc = ssrc;
    }

    /// The next packet, whoever sends it, begins anew: after hold, bridging, unbridging.
    pub(crate) fn forget_speaker(&mut self) {
        self.speaker = Speaker::Nobody;
        self.parked = None;
    }

    /// Numbers for a packet of the bridged peer. `None`: older than the switch to this speaker.
    pub(crate) fn relay(
        &mut self,
        now: Instant,
        place: Place,
        sequence: u16,
        timestamp: u32,
    ) -> Option<Numbers> {
        let switched = self.follow(now, place, sequence, timestamp);
        let Speaker::Peer(mapping) = &mut self.speaker else { return None };
        if place.number < mapping.floor {
            return None;
        }
        let sequence = sequence.wrapping_add(mapping.sequence_shift);
        let timestamp = timestamp.wrapping_add(mapping.timestamp_shift);
        if place.number >= mapping.newest {
            mapping.newest = place.number;
            self.sequence = sequence.wrapping_add(1);
        }
        Some(Numbers { sequence, timestamp, switched })
    }

    /// Maps onto our line the run that the packet belongs to. True if it was not known: a switch. The peer's other
    /// source keeps its clock, so that two that speak in turns do not push each other into the future.
    fn follow(&mut self, now: Instant, place: Place, sequence: u16, timestamp: u32) -> bool {
        let before = match &self.speaker {
            Speaker::Peer(mapping) if mapping.run == place.run => return false,
            Speaker::Peer(mapping) => Some((mapping.run, mapping.timestamp_shift)),
            Speaker::Nobody | Speaker::Ourselves { .. } => None,
        };
        let known = std::mem::replace(&mut self.parked, before).filter(|(run, _)| *run == place.run);
        self.speaker = Speaker::Peer(Mapping {
            run: place.run,
            floor: place.number,
            newest: place.number,
            sequence_shift: self.sequence.wrapping_sub(sequence),
            timestamp_shift: known.map_or(self.resume_at(now).wrapping_sub(timestamp), |(_, shift)| shift),
        });
        known.is_none()
    }

    /// A packet of the bridged peer is kept back (the far side knows no such payload). If it is the newest, the
    /// numbers close over it: it is not lost.
    pub(crate) fn skip(&mut self, place: Place) {
        let Speaker::Peer(mapping) = &mut self.speaker else { return };
        if mapping.run == place.run && place.number > mapping.newest {
            mapping.sequence_shift = mapping.sequence_shift.wrapping_sub(1);
            mapping.floor = place.number;
            mapping.newest = place.number;
        }
    }

    /// Moves our own clock to the beat at millisecond `beat` and gives the numbers for a packet on it.
    pub(crate) fn speak(&mut self, now: Instant, beat: u64) -> Numbers {
        let (clock, switched) = match self.speaker {
            Speaker::Ourselves { clock, beat: before } => (
                clock.wrapping_add((beat.saturating_sub(before) * u64::from(self.clock_rate / 1_000)) as u32),
                false,
            ),
            _ => (self.resume_at(now), true),
        };
        self.speaker = Speaker::Ourselves { clock, beat };
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Numbers { sequence, timestamp: clock, switched }
    }

    /// The timestamp a new speaker begins with: as much later as it is later, at least one frame.
    fn resume_at(&self, now: Instant) -> u32 {
        match self.edge {
            (first, None) => first,
            (edge, Some(at)) => {
                let passed = ticks(now.saturating_duration_since(at), self.clock_rate);
                edge.wrapping_add(passed.max(FRAME * (self.clock_rate / 1_000)))
            }
        }
    }

    /// Counts a packet as sent and gives its header.
    pub(crate) fn stamp(
        &mut self,
        now: Instant,
        numbers: Numbers,
        marker: bool,
        payload_type: u8,
        len: usize,
    ) -> Fields {
        let Numbers { sequence, timestamp, switched } = numbers;
        if self.edge.1.is_none() || (timestamp.wrapping_sub(self.edge.0) as i32) > 0 {
            self.edge = (timestamp, Some(now));
        }
        self.packets += 1;
        self.octets += len as u64;
        Fields { marker: marker || switched, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    /// Packets sent so far.
    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// Our part of a sender report at `now` (RFC 3550 §6.4.1).
    pub(crate) fn sender_info(&self, now: Instant, ntp: u64) -> Option<SenderInfo> {
        let (edge, at) = self.edge;
        let rtp = edge.wrapping_add(ticks(now.saturating_duration_since(at?), self.clock_rate));
        Some(SenderInfo { ntp, rtp, packets: self.packets as u32, octets: self.octets as u32 })
    }

    pub(crate) fn write_stats(&self, stats: &mut LegStats) {
        stats.sent_packets = self.packets;
        stats.sent_octets = self.octets;
    }
}
