//! RTCP of one leg: when we report, what the peer reported. RFC 3550 §6.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::rtp::rtcp::{Compound, ReportBlock, middle};
use crate::rtp::stats::{LegStats, ticks_to_us};
use crate::rtp::xr::{Delay, VoipMetrics, delay_since};

/// The state behind a leg's reports.
#[derive(Debug)]
pub(crate) struct Reports {
    pub(crate) cname: u64,
    /// When we report next; `None` until RTCP has a use.
    pub(crate) next_at: Option<Instant>,
    /// RTP packets sent when we reported the last but one time, and the last time.
    pub(crate) sent_before: [u64; 2],
    /// At least one compound packet has left: a BYE is due at the end (§6.3.7).
    pub(crate) reported: bool,
    /// Where the peer's RTCP came from last.
    heard_from: Option<SocketAddr>,
    last_heard: Option<Instant>,
    received: u64,
    /// What the peer's reports said; made when one comes.
    told: Option<Box<Told>>,
}

/// What the peer told by RTCP.
#[derive(Debug, Default)]
struct Told {
    /// His last sender report: the middle of its NTP time, and when it came.
    last_sender_report: Option<(u32, Instant)>,
    /// His last reference time, and when it came (RFC 3611 §4.4).
    reference_time: Option<(u64, Instant)>,
    remote: Option<ReportBlock>,
    metrics: Option<VoipMetrics>,
    round_trip: Option<Duration>,
}

impl Reports {
    pub(crate) fn new(cname: u64) -> Reports {
        Reports {
            cname,
            next_at: None,
            sent_before: [0; 2],
            reported: false,
            heard_from: None,
            last_heard: None,
            received: 0,
            told: None,
        }
    }

    /// Takes in what the peer reported at `now`, which is `ntp` on the wall clock.
    pub(crate) fn arrive(&mut self, now: Instant, ntp: u64, from: SocketAddr, compound: &Compound) {
        self.received += 1;
        self.heard_from = Some(from);
        self.last_heard = Some(now);
        let told = self.told.get_or_insert_default();
        if let Some(sender) = &compound.sender {
            told.last_sender_report = Some((middle(sender.ntp), now));
        }
        if let Some(block) = compound.about_us {
            told.round_trip = block.round_trip(ntp).or(told.round_trip);
            told.remote = Some(block);
        }
        let extended = &compound.extended;
        told.reference_time = extended.reference_time.map(|ntp| (ntp, now)).or(told.reference_time);
        told.metrics = extended.voip_metrics.or(told.metrics);
        told.round_trip = extended.delay.and_then(|delay| delay.round_trip(ntp)).or(told.round_trip);
    }

    /// When the peer's reference time came (RFC 3611 §4.5).
    pub(crate) fn delay(&self, now: Instant) -> Option<Delay> {
        let (ntp, at) = self.told.as_ref()?.reference_time?;
        Some(delay_since(ntp, now.saturating_duration_since(at)))
    }

    /// Time there and back in microseconds, as told last.
    pub(crate) fn round_trip_us(&self) -> Option<u32> {
        Some(self.told.as_ref()?.round_trip?.as_micros() as u32)
    }

    /// Fills in when the peer's last sender report came (§6.4.1: LSR and DLSR).
    pub(crate) fn complete(&self, now: Instant, block: ReportBlock) -> ReportBlock {
        let sender_report = self.told.as_ref().and_then(|told| told.last_sender_report);
        let Some((last_report, at)) = sender_report else { return block };
        let waited = now.saturating_duration_since(at);
        let delay = (waited.as_micros() << 16) / 1_000_000;
        ReportBlock { last_report, delay: delay.min(u128::from(u32::MAX)) as u32, ..block }
    }

    /// When the peer's last RTCP came.
    pub(crate) fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    /// Where the peer's RTCP comes from, if it was heard.
    pub(crate) fn heard_from(&self) -> Option<SocketAddr> {
        self.heard_from
    }

    /// A new description: the old address says nothing any more.
    pub(crate) fn forget_address(&mut self) {
        self.heard_from = None;
    }

    /// `clock_rate` is that of our packets.
    pub(crate) fn write_stats(&self, stats: &mut LegStats, clock_rate: u32) {
        stats.received_reports = self.received;
        let remote = self.told.as_ref().and_then(|told| told.remote);
        stats.remote_lost = remote.map(|block| block.lost);
        stats.remote_jitter_us = remote.map(|block| ticks_to_us(block.jitter, clock_rate));
        stats.round_trip_us = self.round_trip_us();
        stats.remote_metrics = self.told.as_ref().and_then(|told| told.metrics);
    }
}

/// Pseudo-random numbers from a seed (splitmix64): a simulation with the same seed reports at the same moments.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// An SSRC that nobody has, as far as 32 bits go.
    pub(crate) fn ssrc(&mut self) -> u32 {
        (self.roll() >> 32) as u32
    }

    /// Half to one and a half times `mean`, evenly (§6.2). The divisor e - 3/2 of §6.3.1 makes up for
    /// reconsideration, which a session of two has no need of.
    pub(crate) fn around(&mut self, mean: Duration) -> Duration {
        let share = (self.roll() >> 40) as u32; // 24 bits
        mean / 2 + mean * (share >> 8) / (1 << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_lie_between_half_and_one_and_a_half_and_their_mean_is_kept() {
        let mut dice = Dice::new(4_711);
        let five = Duration::from_secs(5);
        let rolls: Vec<_> = (0..1_000).map(|_| dice.around(five)).collect();
        assert!(rolls.iter().all(|roll| (five / 2..five * 3 / 2).contains(roll)));
        let mean = rolls.iter().sum::<Duration>() / 1_000;
        assert!((4_850..5_150).contains(&mean.as_millis()), "{mean:?}");
    }
}
