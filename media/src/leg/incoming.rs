//! What a leg's peer sends: its sources one after the other, and their statistics.

use std::time::{Duration, Instant};

use crate::rtp::rtcp::ReportBlock;
use crate::rtp::sequence::{Arrival, Sequence};
use crate::rtp::stats::{Jitter, LegStats, ticks_to_us};
use crate::rtp::{Packet, stats};

/// Packets of the source before may still be under way for this long after a change.
const OVERLAP: Duration = Duration::from_secs(1);

/// The peer's packets as they come.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    source: Option<Source>,
    /// The source before and when it was left.
    previous: Option<(u32, Instant)>,
    /// Counts sources and restarts: numbers of different runs cannot be compared.
    run: u32,
    jitter: Jitter,
    lost_before: u64,
    packets: u64,
    octets: u64,
    reordered: u64,
    duplicates: u64,
    late: u64,
    first_heard: Option<Instant>,
    last_heard: Option<Instant>,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    sequence: Sequence,
}

/// A packet worth using, and its place among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which run of numbers it belongs to.
    pub(crate) run: u32,
    /// Its number in that run, not wrapping.
    pub(crate) number: u64,
    /// A new source, or the same one that started afresh.
    pub(crate) new_run: bool,
}

impl Incoming {
    /// Sorts in one accepted packet. `None`: a duplicate, too late, or a stray one: not for use.
    pub(crate) fn arrive(&mut self, now: Instant, packet: &Packet) -> Option<Place> {
        self.packets += 1;
        self.octets += packet.payload_len() as u64;
        self.first_heard.get_or_insert(now);
        self.last_heard = Some(now);
        if self.is_leftover(now, packet.ssrc) {
            self.late += 1;
            return None;
        }
        let new_source = self.source.as_ref().is_none_or(|source| source.ssrc != packet.ssrc);
        if new_source {
            self.change_source(now, packet);
        }
        let lost_so_far = self.current_lost();
        let source = self.source.as_mut()?;
        match source.sequence.arrive(packet.sequence) {
            Arrival::InOrder(number) => Some(Place { run: self.run, number, new_run: new_source }),
            Arrival::Reordered(number) => {
                self.reordered += 1;
                Some(Place { run: self.run, number, new_run: false })
            }
            Arrival::Restarted(number) => {
                self.lost_before += lost_so_far;
                self.begin_run();
                Some(Place { run: self.run, number, new_run: true })
            }
            Arrival::Duplicate => {
                self.duplicates += 1;
                None
            }
            Arrival::Late | Arrival::Jump => {
                self.late += 1;
                None
            }
        }
    }

    /// One packet of sound, for the jitter; `arrival` in ticks.
    pub(crate) fn time(&mut self, arrival: u32, timestamp: u32) {
        self.jitter.arrive(arrival, timestamp);
    }

    /// A packet of the source before, overtaken by the change.
    fn is_leftover(&self, now: Instant, ssrc: u32) -> bool {
        self.previous
            .is_some_and(|(before, at)| before == ssrc && now.saturating_duration_since(at) < OVERLAP)
    }

    fn change_source(&mut self, now: Instant, packet: &Packet) {
        self.lost_before += self.current_lost();
        let source = Source { ssrc: packet.ssrc, sequence: Sequence::new(packet.sequence) };
        self.previous = self.source.replace(source).map(|before| (before.ssrc, now));
        self.begin_run();
    }

    fn begin_run(&mut self) {
        self.run = self.run.wrapping_add(1);
        self.jitter.pause();
    }

    fn current_lost(&self) -> u64 {
        self.source.as_ref().map_or(0, |source| source.sequence.lost().max(0) as u64)
    }

    /// One packet has been accepted so far.
    pub(crate) fn is_first(&self) -> bool {
        self.packets == 1
    }

    /// When the last packet was accepted.
    pub(crate) fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    /// The report block about the current source, its sender report's part still zero (RFC 3550 §6.4.1).
    pub(crate) fn report(&mut self) -> Option<ReportBlock> {
        let jitter = self.jitter.ticks();
        let source = self.source.as_mut()?;
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: source.sequence.take_fraction_lost(),
            lost: source.sequence.lost().clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            highest: source.sequence.extended_highest(),
            jitter,
            last_report: 0,
            delay: 0,
        })
    }

    pub(crate) fn write_stats(&self, stats: &mut LegStats) {
        stats.received_packets = self.packets;
        stats.received_octets = self.octets;
        stats.lost = self.lost_before + self.current_lost();
        stats.jitter_us = ticks_to_us(self.jitter.ticks());
        stats.reordered = self.reordered;
        stats.duplicates = self.duplicates;
        stats.late = self.late;
        stats.first_heard = self.first_heard;
        stats.last_heard = self.last_heard;
    }
}

/// When a packet came, in ticks of the stream's clock.
pub(crate) fn arrival(origin: Instant, now: Instant) -> u32 {
    stats::ticks(now.saturating_duration_since(origin))
}
