//! How long something takes: talking, patience, ringing.

use std::{f64::consts::TAU, fmt, sync::Arc, time::Duration};

use rand::{Rng, rngs::StdRng};

use crate::{
    config::{duration, written},
    journal::fact::Micros,
};

/// Longer than anything that is simulated, and far from overflow when added to a date.
pub(super) const FOREVER: Micros = Micros::MAX / 4;

/// A length of time, to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Length {
    /// It never ends.
    Never,
    /// Always the same.
    Fixed(Duration),
    /// Exponential: as likely to end in the next second after an hour as at the start.
    Exponential {
        /// Its mean.
        mean: Duration,
    },
    /// Log-normal, the usual shape of talk times.
    LogNormal {
        /// Its mean.
        mean: Duration,
        /// Its standard deviation.
        deviation: Duration,
    },
    /// One of these, each as likely; never empty.
    Measured(Arc<[Micros]>),
}

impl Length {
    /// Reads `60s` (exponential with that mean), `fixed:60s`, `lognormal:3m,2m` (mean, standard deviation), `never`.
    ///
    /// # Errors
    /// A sentence with the text and the cure.
    pub fn parse(text: &str) -> Result<Length, String> {
        let time = |part: &str| {
            duration(part).map_err(|_| {
                format!(
                    "{text:?} is no length; write 60s, fixed:60s, lognormal:3m,2m (mean, deviation) or never"
                )
            })
        };
        if text == "never" {
            return Ok(Length::Never);
        }
        if let Some(fixed) = text.strip_prefix("fixed:") {
            return Ok(Length::Fixed(time(fixed)?));
        }
        let length = match text.strip_prefix("lognormal:") {
            Some(rest) => {
                let (mean, deviation) = rest.split_once(',').unwrap_or((rest, ""));
                Length::LogNormal { mean: time(mean)?, deviation: time(deviation)? }
            }
            None => Length::Exponential { mean: time(text)? },
        };
        match length.mean() {
            Some(Duration::ZERO) => {
                Err(format!("{text:?}: a mean of nothing; write fixed:0s if that is meant"))
            }
            _ => Ok(length),
        }
    }

    /// Its mean; `None` if it never ends. Of measured ones those that never ended are left out.
    pub fn mean(&self) -> Option<Duration> {
        match self {
            Length::Never => None,
            Length::Fixed(mean) | Length::Exponential { mean } | Length::LogNormal { mean, .. } => {
                Some(*mean)
            }
            Length::Measured(all) => {
                let ended = all.iter().filter(|length| **length < FOREVER);
                let (sum, count) = ended.fold((0, 0), |(sum, count), length| (sum + length, count + 1));
                Some(Duration::from_micros((sum / count.max(1)) as u64))
            }
        }
    }

    /// One of them. A fixed one takes nothing from `random`.
    pub(super) fn draw(&self, random: &mut StdRng) -> Micros {
        match self {
            Length::Never => FOREVER,
            Length::Fixed(length) => super::micros(*length),
            Length::Exponential { mean } => whole(exponential(random) * mean.as_secs_f64()),
            Length::LogNormal { mean, deviation } => {
                let spread = deviation.as_secs_f64() / mean.as_secs_f64();
                let variance = (spread * spread).ln_1p();
                whole(mean.as_secs_f64() * (normal(random) * variance.sqrt() - variance / 2.0).exp())
            }
            Length::Measured(all) => all[random.random_range(0..all.len())],
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Never => f.write_str("never ends"),
            Length::Fixed(length) => write!(f, "always {}", written(*length)),
            Length::Exponential { mean } => write!(f, "{} on average, exponential", written(*mean)),
            Length::LogNormal { mean, deviation } => {
                write!(f, "{} on average, log-normal, deviation {}", written(*mean), written(*deviation))
            }
            Length::Measured(all) => {
                let mean = Duration::from_secs(self.mean().unwrap_or_default().as_secs_f64().round() as u64);
                write!(f, "{} on average, as {} measured ones", written(mean), all.len())
            }
        }
    }
}

/// Exponential with mean 1.
pub(super) fn exponential(random: &mut StdRng) -> f64 {
    -(1.0 - random.random::<f64>()).ln()
}

/// Standard normal (Box and Muller).
fn normal(random: &mut StdRng) -> f64 {
    (2.0 * exponential(random)).sqrt() * (TAU * random.random::<f64>()).cos()
}

fn whole(seconds: f64) -> Micros {
    (seconds * 1e6).round().min(FOREVER as f64) as Micros
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn mean_and_deviation(length: &Length) -> (f64, f64) {
        let mut random = StdRng::seed_from_u64(1);
        let drawn: Vec<f64> = (0..200_000).map(|_| length.draw(&mut random) as f64 / 1e6).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let square = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
        (mean, square.sqrt())
    }

    #[test]
    fn what_is_drawn_has_the_mean_and_the_deviation_that_were_asked_for() {
        for (text, mean, deviation) in
            [("60s", 60.0, 60.0), ("fixed:60s", 60.0, 0.0), ("lognormal:3m,2m", 180.0, 120.0)]
        {
            let drawn = mean_and_deviation(&Length::parse(text).unwrap());
            assert!((drawn.0 - mean).abs() < 0.01 * mean, "{text}: {drawn:?}");
            assert!((drawn.1 - deviation).abs() <= 0.03 * deviation, "{text}: {drawn:?}");
        }
        let measured = mean_and_deviation(&Length::Measured([1_000_000, 3_000_000].into()));
        assert!((measured.0 - 2.0).abs() < 0.01, "{measured:?}");
    }

    #[test]
    fn a_length_without_unit_or_without_mean_is_refused_with_its_cure() {
        for text in ["60", "fixed:", "lognormal:3m", "exp:3m", ""] {
            assert!(Length::parse(text).unwrap_err().contains("write 60s, fixed:60s"), "{text}");
        }
        assert!(Length::parse("0s").unwrap_err().contains("fixed:0s"));
        assert_eq!(Length::parse("never"), Ok(Length::Never));
    }
}
