//! How a call is to be thought of: the E-model's rating and the opinion that follows from it (ITU-T G.107, RFC 3611 §4.7.5).

use crate::codec::Codec;

/// R without delay and loss: G.107's defaults for everything that we do not measure (table 2).
const BEST: f64 = 93.2;

/// The longest a jitter buffer is taken to be; what needs more is lost there.
const LONGEST_BUFFER_MS: u32 = 200;

/// What is known of a leg's sound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) codec: Codec,
    /// Packets that ought to have come.
    pub(crate) expected: u64,
    /// Those that did not.
    pub(crate) lost: u32,
    /// In so many rows.
    pub(crate) rows: u32,
    pub(crate) jitter_us: u32,
    /// There and back on the network; not known: 0.
    pub(crate) round_trip_us: u32,
}

/// What somebody would say who hears what a leg's peer sends, as the packets came to us. The other way is on the peer's own
/// report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rating {
    /// R with delay, 0 to 100.
    pub r: u8,
    /// Mean opinion of one who only listens, in hundredths: 100 to 450.
    pub listening: u16,
    /// Mean opinion of one who talks too, which delay makes worse, in hundredths.
    pub conversational: u16,
}

/// Delay that a receiver adds so that jitter is not heard: twice the mean deviation, in whole frames of 20 ms, one frame at
/// least.
pub(crate) fn jitter_buffer_ms(jitter_us: u32) -> u32 {
    (2 * (jitter_us / 1_000)).next_multiple_of(20).clamp(20, LONGEST_BUFFER_MS)
}

impl Conditions {
    pub(crate) fn rating(&self) -> Rating {
        let heard = BEST - self.impairment();
        let talked = heard - delay_impairment(self.delay_ms());
        Rating {
            r: talked.clamp(0.0, 100.0).round() as u8,
            listening: opinion(heard),
            conversational: opinion(talked),
        }
    }

    /// From mouth to ear of this leg: half the round trip, a frame of 20 ms that is filled, and the jitter buffer.
    fn delay_ms(&self) -> f64 {
        f64::from(self.round_trip_us) / 2_000.0 + 20.0 + f64::from(jitter_buffer_ms(self.jitter_us))
    }

    /// Ie,eff of G.107 §3.5 (7-29): codec and loss, which hurts more in rows than one by one.
    fn impairment(&self) -> f64 {
        let (codec, robustness) = of_codec(self.codec);
        let share = if self.expected == 0 { 0.0 } else { f64::from(self.lost) / self.expected as f64 };
        let percent = share.min(1.0) * 100.0;
        codec + (95.0 - codec) * percent / (percent / self.burst_ratio(share) + robustness)
    }

    /// BurstR: mean length of the rows lost over what it would be if packets were lost by chance; 1 at least.
    fn burst_ratio(&self, share: f64) -> f64 {
        if self.rows == 0 {
            return 1.0;
        }
        (f64::from(self.lost) / f64::from(self.rows) * (1.0 - share)).max(1.0)
    }
}

/// Ie and Bpl (ITU-T G.113 appendix I). Whoever receives is taken to conceal losses, as every telephone does.
fn of_codec(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcma | Codec::Pcmu => (0.0, 25.1),
        // Of these the narrow scale of G.107 says nothing: taken as G.711, with what each does about losses.
        Codec::G722 => (0.0, 25.1),
        Codec::Opus => (0.0, 32.0),
        Codec::G729 => (11.0, 19.0),
    }
}

/// Idd of G.107 §3.4 (7-27): nothing up to 100 ms.
fn delay_impairment(ms: f64) -> f64 {
    if ms <= 100.0 {
        return 0.0;
    }
    let x = (ms / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// G.107 annex B, in hundredths.
fn opinion(r: f64) -> u16 {
    let r = r.clamp(0.0, 100.0);
    let mean = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    (mean.clamp(1.0, 4.5) * 100.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Conditions = Conditions {
        codec: Codec::Pcma,
        expected: 10_000,
        lost: 0,
        rows: 0,
        jitter_us: 500,
        round_trip_us: 20_000,
    };

    #[test]
    fn opinions_are_those_of_annex_b() {
        // G.107 table B.1: the bounds of user satisfaction.
        for (r, mean) in [(90.0, 434), (80.0, 403), (70.0, 360), (60.0, 310), (50.0, 258)] {
            assert!(opinion(r).abs_diff(mean) <= 1, "{r}: {}", opinion(r));
        }
        assert_eq!((opinion(-5.0), opinion(3.0), opinion(100.0), opinion(120.0)), (100, 100, 450, 450));
    }

    #[test]
    fn a_clean_call_over_g711_is_as_good_as_the_telephone_gets() {
        assert_eq!(GOOD.rating(), Rating { r: 93, listening: 441, conversational: 441 });
    }

    #[test]
    fn loss_by_chance_is_rated_as_g113_says() {
        // Ie,eff = 95 * 5 / (5 + 25.1) = 15.8: R is 77.4.
        let rating = Conditions { lost: 500, rows: 475, ..GOOD }.rating();
        assert_eq!((rating.r, rating.listening), (77, 392));
    }

    #[test]
    fn the_same_loss_is_worse_in_rows() {
        let chance = Conditions { lost: 500, rows: 475, ..GOOD }.rating();
        let rows = Conditions { lost: 500, rows: 50, ..GOOD }.rating();
        assert!(rows.listening + 10 < chance.listening, "{rows:?} {chance:?}");
    }

    #[test]
    fn delay_hurts_who_talks_and_not_who_listens() {
        let far = Conditions { round_trip_us: 700_000, ..GOOD }.rating();
        assert_eq!(far.listening, 441);
        // G.107: Idd of 390 ms is 24.
        assert!((67..=72).contains(&far.r) && far.conversational < 370, "{far:?}");
        let jittery = Conditions { round_trip_us: 200_000, jitter_us: 80_000, ..GOOD }.rating();
        assert!(jittery.conversational < jittery.listening, "a jitter buffer is delay too");
    }

    #[test]
    fn whatever_was_counted_there_is_a_rating() {
        for (expected, lost, rows) in [(0, 0, 0), (0, 9, 1), (1, 1, 1), (5, u32::MAX, 1), (u64::MAX, 3, 9)] {
            for round_trip_us in [0, u32::MAX] {
                let rating =
                    Conditions { expected, lost, rows, round_trip_us, jitter_us: u32::MAX, ..GOOD }.rating();
                assert!((100..=450).contains(&rating.conversational) && rating.r <= 100, "{rating:?}");
            }
        }
    }
}
