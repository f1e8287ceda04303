//! What a leg's sound is worth, from what was counted of it.

use super::Leg;
use crate::quality::{Conditions, GMIN, Losses, Rating, jitter_buffer_ms, share};
use crate::rtp::xr::VoipMetrics;

/// Milliseconds of sound in a packet, as we ask for.
const FRAME_MS: u64 = 20;
/// As long as a jitter buffer is taken to become.
const BUFFER_MOST_MS: u16 = 200;

impl Leg {
    /// What the peer's sound is worth as it came to us; `None` if nothing came.
    pub(crate) fn rating(&self) -> Option<Rating> {
        Some(self.conditions(&self.incoming.losses())?.rating())
    }

    fn conditions(&self, losses: &Losses) -> Option<Conditions> {
        let codec = self.stream.as_ref()?.codec;
        let (received, late) = self.incoming.received();
        (received > 0).then(|| Conditions {
            codec,
            expected: received.saturating_sub(late) + u64::from(losses.lost),
            lost: losses.lost,
            rows: losses.rows,
            jitter_us: self.incoming.jitter_us(),
            round_trip_us: self.reports.round_trip_us().unwrap_or(0),
        })
    }

    /// The same for the peer (RFC 3611 §4.7).
    pub(crate) fn voip_metrics(&self) -> Option<VoipMetrics> {
        let losses = self.incoming.losses();
        let conditions = self.conditions(&losses)?;
        let (rating, expected) = (conditions.rating(), conditions.expected);
        let (loudness, (_, late)) = (self.incoming.loudness(), self.incoming.received());
        let buffer_ms = jitter_buffer_ms(conditions.jitter_us) as u16;
        let late = u32::try_from(late).unwrap_or(u32::MAX).min(losses.lost);
        Some(VoipMetrics {
            loss: share(losses.lost - late, expected),
            discard: share(late, expected),
            burst_density: losses.burst_density(),
            gap_density: losses.gap_density(expected),
            burst_ms: milliseconds(losses.burst_length().into()),
            gap_ms: milliseconds(losses.gap_length(expected)),
            round_trip_ms: (conditions.round_trip_us / 1_000).min(u16::MAX.into()) as u16,
            end_system_ms: FRAME_MS as u16 + buffer_ms,
            signal_dbm0: loudness.speech_dbm0(),
            noise_dbm0: loudness.noise_dbm0(),
            gmin: GMIN as u8,
            r: Some(rating.r),
            listening: Some((rating.listening / 10) as u8),
            conversational: Some((rating.conversational / 10) as u8),
            buffer_ms,
            buffer_most_ms: BUFFER_MOST_MS,
        })
    }
}

fn milliseconds(packets: u64) -> u16 {
    (packets * FRAME_MS).min(u16::MAX.into()) as u16
}
