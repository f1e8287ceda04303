//! Tones made and measured: for demonstrations, tests and ringing.
//!
//! Levels are dBFS against a full-scale sine: 0 dBFS has a peak of 32,767.

use std::f64::consts::TAU;

/// The sampling rate of everything here unless a function takes its own, in Hz.
pub const RATE: u32 = 8_000;

/// A sine of `hz` for `ms` milliseconds at [`RATE`].
#[must_use]
pub fn sine(hz: f32, ms: u32, level_dbfs: f32) -> Vec<i16> {
    sine_at(RATE, hz, ms, level_dbfs)
}

/// A sine at a sampling rate of `rate` Hz.
#[must_use]
pub fn sine_at(rate: u32, hz: f32, ms: u32, level_dbfs: f32) -> Vec<i16> {
    tones_at(rate, &[hz], ms, level_dbfs)
}

/// Two sines at once at [`RATE`], each at `level_dbfs` (above -6 dBFS peaks are clipped).
#[must_use]
pub fn dual(low_hz: f32, high_hz: f32, ms: u32, level_dbfs: f32) -> Vec<i16> {
    tones_at(RATE, &[low_hz, high_hz], ms, level_dbfs)
}

/// `ms` milliseconds of nothing at [`RATE`].
#[must_use]
pub fn silence(ms: u32) -> Vec<i16> {
    vec![0; count(RATE, ms)]
}

fn tones_at(rate: u32, tones: &[f32], ms: u32, level_dbfs: f32) -> Vec<i16> {
    let peak = f64::from(i16::MAX) * 10f64.powf(f64::from(level_dbfs) / 20.0);
    let sample = |index: usize| {
        let at = index as f64 / f64::from(rate);
        let sum: f64 = tones.iter().map(|&hz| (TAU * f64::from(hz) * at).sin()).sum();
        (peak * sum).round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    };
    (0..count(rate, ms)).map(sample).collect()
}

fn count(rate: u32, ms: u32) -> usize {
    (u64::from(rate) * u64::from(ms) / 1_000) as usize
}

/// How loud `hz` is in `samples` taken at [`RATE`], in dBFS; negative infinity when there is nothing.
///
/// Goertzel under a Hann window: a tone more than 4 · [`RATE`] / `samples.len()` Hz away counts for nothing. At least
/// 160 samples (20 ms) give a figure worth having; 800 tell tones 40 Hz apart.
#[must_use]
pub fn level_at(samples: &[i16], hz: f32) -> f32 {
    level_at_rate(RATE, samples, hz)
}

/// The same for samples taken at `rate` Hz.
#[must_use]
pub fn level_at_rate(rate: u32, samples: &[i16], hz: f32) -> f32 {
    let length = samples.len() as f64;
    let coefficient = 2.0 * (TAU * f64::from(hz) / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for (index, &sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * (index as f64 + 0.5) / length).cos();
        let next = f64::from(sample) * window + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = (last * last + before * before - coefficient * last * before).max(0.0);
    let peak = power.sqrt() * 4.0 / length; // half for the window's mean, half for the mirror frequency
    decibels(peak)
}

/// The root mean square of `samples` in dBFS (a full-scale sine is 0 dBFS).
#[must_use]
pub fn level(samples: &[i16]) -> f32 {
    let sum: f64 = samples.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum();
    decibels((2.0 * sum / samples.len().max(1) as f64).sqrt())
}

fn decibels(peak: f64) -> f32 {
    if peak > 0.0 { (20.0 * (peak / f64::from(i16::MAX)).log10()) as f32 } else { f32::NEG_INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_measured_at_the_level_it_was_made_with() {
        for level_dbfs in [0.0, -10.0, -30.0] {
            let samples = sine(1_004.0, 200, level_dbfs);
            assert_eq!(samples.len(), 1_600);
            assert!((level_at(&samples, 1_004.0) - level_dbfs).abs() < 0.1);
            assert!((level(&samples) - level_dbfs).abs() < 0.1);
        }
    }

    #[test]
    fn another_tone_is_not_heard() {
        let samples = sine(440.0, 100, -10.0);
        assert!(level_at(&samples, 480.0) < -50.0);
        assert!(level_at(&samples, 1_000.0) < -80.0);
    }

    #[test]
    fn both_tones_of_a_pair_are_heard() {
        let samples = dual(697.0, 1_209.0, 100, -10.0);
        assert!((level_at(&samples, 697.0) + 10.0).abs() < 0.2);
        assert!((level_at(&samples, 1_209.0) + 10.0).abs() < 0.2);
    }

    #[test]
    fn silence_and_nothing_at_all_have_no_level() {
        assert_eq!(level_at(&silence(20), 1_000.0), f32::NEG_INFINITY);
        assert_eq!(level_at(&[], 1_000.0), f32::NEG_INFINITY);
        assert_eq!(level(&[]), f32::NEG_INFINITY);
    }

    #[test]
    fn a_tone_survives_g711_within_half_a_decibel() {
        let samples = sine(1_004.0, 200, -10.0);
        for codec in crate::Codec::G711 {
            let (mut bytes, mut back) = (vec![0; samples.len()], vec![0; samples.len()]);
            codec.encode(&samples, &mut bytes);
            codec.decode(&bytes, &mut back);
            assert!((level_at(&back, 1_004.0) + 10.0).abs() < 0.5);
        }
    }
}
