//! What a leg's sound was like: RFC 3550 §6.4.1 and appendix A.8.

use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::quality::{Losses, Loudness, Rating};
use crate::srtp::Suite;

use super::xr::VoipMetrics;

/// Interarrival jitter of one source, kept in 16ths of a tick (A.8).
#[derive(Debug, Clone, Copy, Default)]
pub struct Jitter {
    transit: Option<u32>,
    scaled: u32,
}

impl Jitter {
    /// Takes in one packet of sound: when it came, in ticks of the stream's clock, and its timestamp.
    /// Telephone-events stay out, their timestamp stands still.
    pub fn arrive(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            // A timestamp far off is a source with a new clock, not a network that was slow for hours.
            let step = (transit.wrapping_sub(before) as i32).unsigned_abs().min(1 << 20);
            self.scaled = self.scaled + step - ((self.scaled + 8) >> 4);
        }
    }

    /// The estimate in ticks, as a report block carries it.
    pub fn ticks(&self) -> u32 {
        self.scaled >> 4
    }

    /// The source's clock has another rate from now on: the estimate keeps its meaning in time.
    pub(crate) fn change_clock(&mut self, from: u32, to: u32) {
        self.transit = None;
        let scaled = u64::from(self.scaled) * u64::from(to) / u64::from(from.max(1));
        self.scaled = u32::try_from(scaled).unwrap_or(u32::MAX);
    }

    /// Forgets where the clock stood, keeps the estimate: for a source that pauses or starts afresh.
    pub fn pause(&mut self) {
        self.transit = None;
    }
}

/// What one leg sent and received from [`Open`](crate::Command::Open) to [`Close`](crate::Command::Close).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LegStats {
    /// The codec last agreed; `None` if the leg was never connected.
    pub codec: Option<Codec>,
    /// RTP packets accepted from the peer.
    pub received_packets: u64,
    /// Their payload, in bytes.
    pub received_octets: u64,
    /// RTP packets sent to the peer.
    pub sent_packets: u64,
    /// Their payload, in bytes.
    pub sent_octets: u64,
    /// Packets of the peer that never came (A.3, over all its sources).
    pub lost: u64,
    /// Jitter of the packets that came, in microseconds (A.8).
    pub jitter_us: u32,
    /// Packets that came after a newer one and were used.
    pub reordered: u64,
    /// Packets that came twice; the second was dropped.
    pub duplicates: u64,
    /// Packets that came too late for use and were dropped.
    pub late: u64,
    /// Where sound was decoded: the longest that packets waited in the jitter buffer, in milliseconds; 0 if it never was.
    pub longest_wait_ms: u32,
    /// Where sound was decoded: frames of 20 ms that were made up because nothing had come.
    pub concealed: u64,
    /// Packets from an address that is not the peer's, dropped.
    pub rejected: u64,
    /// The suite last agreed; `None`: sound in the clear.
    pub suite: Option<Suite>,
    /// Packets our SRTP key does not open, dropped.
    pub unauthentic: u64,
    /// Packets that were authentic and came again, or far too late, dropped.
    pub replayed: u64,
    /// What was lost, by chance and in bursts (RFC 3611 §4.7.2).
    pub losses: Losses,
    /// How loud the peer's sound is; only G.711 is looked at.
    pub loudness: Loudness,
    /// What the peer's sound is worth as it came to us; `None` if nothing came.
    pub rating: Option<Rating>,
    /// When the first RTP packet was accepted.
    pub first_heard: Option<Instant>,
    /// When the last RTP packet was accepted.
    pub last_heard: Option<Instant>,
    /// RTCP packets read from the peer.
    pub received_reports: u64,
    /// Packets of ours the peer misses, by its last report.
    pub remote_lost: Option<i32>,
    /// Jitter of our packets as the peer sees it, in microseconds, by its last report.
    pub remote_jitter_us: Option<u32>,
    /// Time there and back, in microseconds, by the peer's last report that told it (§6.4.1).
    pub round_trip_us: Option<u32>,
    /// What the peer says of our sound, by its last VoIP metrics (RFC 3611 §4.7).
    pub remote_metrics: Option<VoipMetrics>,
}

/// Ticks of a clock of `clock_rate` Hz in `time`, wrapping as RTP timestamps do.
pub(crate) fn ticks(time: Duration, clock_rate: u32) -> u32 {
    (time.as_micros() as u64 * u64::from(clock_rate / 1_000) / 1_000) as u32
}

/// Microseconds in `ticks` of a clock of `clock_rate` Hz.
pub(crate) fn ticks_to_us(ticks: u32, clock_rate: u32) -> u32 {
    u32::try_from(u64::from(ticks) * 1_000_000 / u64::from(clock_rate.max(1))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_packets_have_no_jitter_and_one_late_packet_leaves_a_sixteenth() {
        let mut jitter = Jitter::default();
        for n in 0..50 {
            jitter.arrive(1_000 + n * 160, n * 160);
        }
        assert_eq!(jitter.ticks(), 0);
        jitter.arrive(1_000 + 50 * 160 + 80, 50 * 160);
        assert_eq!(jitter.ticks(), 80 / 16);
    }

    #[test]
    fn the_estimate_is_that_of_the_integer_formula_in_a8() {
        // J += |D| - ((J + 8) >> 4) with |D| = 80 four times: 80, 155, 225, 291. Without rounding 292 (A.8).
        let mut jitter = Jitter::default();
        for (n, late) in [0, 80, 0, 80, 0].into_iter().enumerate() {
            jitter.arrive(1_000 + n as u32 * 160 + late, n as u32 * 160);
        }
        assert_eq!(jitter.scaled, 291);
    }

    #[test]
    fn ticks_wrap_after_six_days_without_harm() {
        let week = Duration::from_secs(7 * 24 * 3_600);
        for clock_rate in [8_000, 48_000] {
            assert_eq!(ticks(week, clock_rate), (7 * 24 * 3_600 * u64::from(clock_rate)) as u32);
        }
        assert_eq!(ticks(Duration::from_millis(20), 8_000), 160);
        assert_eq!(ticks_to_us(960, 48_000), 20_000);
    }
}
