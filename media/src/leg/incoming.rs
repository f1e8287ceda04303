//! What a leg's peer sends: its sources one after the other, and their statistics.

use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::quality::{Heard, Losses, Loudness};
use crate::rtp::rtcp::ReportBlock;
use crate::rtp::sequence::{Arrival, Sequence};
use crate::rtp::stats::{Jitter, LegStats, ticks_to_us};
use crate::rtp::{Packet, stats};

/// The peer's packets as they come.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Ticks of the agreed codec's clock in a second.
    clock_rate: u32,
    /// Who speaks, and who spoke before: some gateways send their events as a source of their own, between
    /// the packets of sound.
    sources: [Option<Source>; 2],
    /// Runs so far: numbers of different runs cannot be compared.
    runs: u32,
    jitter: Jitter,
    lost_before: u64,
    /// Made with the first packet that is looked at, or the first source that leaves.
    sound: Option<Box<Sound>>,
    packets: u64,
    octets: u64,
    reordered: u64,
    duplicates: u64,
    late: u64,
    first_heard: Option<Instant>,
    last_heard: Option<Instant>,
}

/// What was lost of sources that left, and how loud all were.
#[derive(Debug, Default)]
struct Sound {
    losses: Losses,
    loudness: Loudness,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    run: u32,
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

impl Default for Incoming {
    fn default() -> Self {
        Incoming {
            clock_rate: 8_000,
            sources: [None, None],
            runs: 0,
            jitter: Jitter::default(),
            lost_before: 0,
            sound: None,
            packets: 0,
            octets: 0,
            reordered: 0,
            duplicates: 0,
            late: 0,
            first_heard: None,
            last_heard: None,
        }
    }
}

impl Incoming {
    /// The codec's clock from now on.
    pub(crate) fn set_clock(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.jitter.change_clock(self.clock_rate, clock_rate);
            self.clock_rate = clock_rate;
        }
    }

    /// Sorts in one accepted packet. `None`: a duplicate, too late, or a stray one: not for use.
    pub(crate) fn arrive(&mut self, now: Instant, packet: &Packet) -> Option<Place> {
        self.packets += 1;
        self.octets += packet.payload_len() as u64;
        self.first_heard.get_or_insert(now);
        self.last_heard = Some(now);
        let new_run = self.turn_to(packet);
        let source = self.sources[0].as_mut()?;
        let (run, lost) = (source.run, source.lost());
        match source.sequence.arrive(packet.sequence) {
            Arrival::InOrder(number) => return Some(Place { run, number, new_run }),
            Arrival::Reordered(number) => {
                self.reordered += 1;
                return Some(Place { run, number, new_run });
            }
            Arrival::Restarted(number) => {
                self.runs += 1;
                source.run = self.runs;
                self.lost_before += lost;
                self.jitter.pause();
                return Some(Place { run: self.runs, number, new_run: true });
            }
            Arrival::Duplicate => self.duplicates += 1,
            Arrival::Late | Arrival::Jump => self.late += 1,
        }
        None
    }

    /// One packet of sound, for the jitter; it came `since` the engine began.
    pub(crate) fn time(&mut self, since: Duration, timestamp: u32) {
        self.jitter.arrive(stats::ticks(since, self.clock_rate), timestamp);
    }

    /// Looks at the sound of a packet now and then.
    #[inline]
    pub(crate) fn listen(&mut self, place: Place, codec: Codec, payload: &[u8]) {
        if Loudness::wants(place.number) {
            self.sound.get_or_insert_default().loudness.hear(codec, payload);
        }
    }

    /// Looks at the sound of a packet in any case.
    pub(crate) fn listen_closely(&mut self, codec: Codec, payload: &[u8]) -> Option<Heard> {
        self.sound.get_or_insert_default().loudness.hear(codec, payload)
    }

    /// Makes the packet's source the one who speaks. True if it is new; it takes the place of the older of the two.
    fn turn_to(&mut self, packet: &Packet) -> bool {
        let is_it =
            |source: &Option<Source>| source.as_ref().is_some_and(|source| source.ssrc == packet.ssrc);
        if is_it(&self.sources[0]) {
            return false;
        }
        self.sources.swap(0, 1);
        self.jitter.pause();
        let is_new = !is_it(&self.sources[0]);
        if is_new {
            self.runs += 1;
            let sequence = Sequence::new(packet.sequence);
            let source = Source { ssrc: packet.ssrc, run: self.runs, sequence };
            if let Some(left) = self.sources[0].replace(source) {
                self.lost_before += left.lost();
                let sound = self.sound.get_or_insert_default();
                sound.losses = sound.losses.plus(left.sequence.losses());
            }
        }
        is_new
    }

    /// Forgets who spoke: what came meanwhile was not looked at (hold), and must not count as lost.
    pub(crate) fn forget_sources(&mut self) {
        self.lost_before = self.lost();
        let losses = self.losses();
        self.sound.get_or_insert_default().losses = losses;
        self.sources = [None, None];
        self.jitter.pause();
    }

    fn lost(&self) -> u64 {
        self.lost_before + self.sources.iter().flatten().map(Source::lost).sum::<u64>()
    }

    /// What was lost so far, by chance and in bursts.
    pub(crate) fn losses(&self) -> Losses {
        let sources = self.sources.iter().flatten();
        let before = self.sound.as_ref().map(|sound| sound.losses).unwrap_or_default();
        sources.fold(before, |sum, source| sum.plus(source.sequence.losses()))
    }

    /// Interarrival jitter in microseconds.
    pub(crate) fn jitter_us(&self) -> u32 {
        ticks_to_us(self.jitter.ticks(), self.clock_rate)
    }

    /// Packets that came, and how many of them were too late for use.
    pub(crate) fn received(&self) -> (u64, u64) {
        (self.packets - self.duplicates, self.late)
    }

    pub(crate) fn loudness(&self) -> Loudness {
        self.sound.as_ref().map(|sound| sound.loudness).unwrap_or_default()
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
        let source = self.sources[0].as_mut()?;
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
        stats.lost = self.lost();
        stats.jitter_us = self.jitter_us();
        stats.losses = self.losses();
        stats.loudness = self.loudness();
        stats.reordered = self.reordered;
        stats.duplicates = self.duplicates;
        stats.late = self.late;
        stats.first_heard = self.first_heard;
        stats.last_heard = self.last_heard;
    }
}

impl Source {
    fn lost(&self) -> u64 {
        self.sequence.lost().max(0) as u64
    }
}
