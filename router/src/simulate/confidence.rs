//! How sure a simulated figure is: 99 % confidence intervals from batch means.
//!
//! Waits of neighbouring calls resemble each other, so single calls say less than their number promises. Sums over
//! batches much longer than that resemblance, whole days say, are nearly independent, and their spread is honest.

use serde::Serialize;

/// A figure and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// With a probability of 99 % the true one is no farther away than this.
    pub within: f64,
}

impl Estimate {
    /// `truth` lies in the interval.
    pub fn holds(&self, truth: f64) -> bool {
        (self.value - truth).abs() <= self.within
    }
}

/// The mean of independent batches. `None` of fewer than two.
pub fn mean(batches: &[f64]) -> Option<Estimate> {
    let pairs: Vec<(f64, f64)> = batches.iter().map(|value| (*value, 1.0)).collect();
    ratio(&pairs)
}

/// A ratio such as answered over offered, of independent batches that each give numerator and denominator. `None` of
/// fewer than two, or if all denominators are zero.
pub fn ratio(batches: &[(f64, f64)]) -> Option<Estimate> {
    let count = batches.len() as f64;
    let (above, below) = batches.iter().fold((0.0, 0.0), |sum, batch| (sum.0 + batch.0, sum.1 + batch.1));
    if batches.len() < 2 || below == 0.0 {
        return None;
    }
    let value = above / below;
    let squares: f64 = batches.iter().map(|(above, below)| (above - value * below).powi(2)).sum();
    let deviation = (squares / (count - 1.0)).sqrt() / (below / count);
    Some(Estimate { value, within: student(batches.len() - 1) * deviation / count.sqrt() })
}

/// 99.5 % quantile of Student's t with few degrees of freedom.
const FEW: [f64; 10] = [63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169];
/// The same of the normal distribution.
const NORMAL: f64 = 2.575_829;

/// 99.5 % quantile of Student's t; Cornish and Fisher's expansion where the table ends.
fn student(freedom: usize) -> f64 {
    if let Some(few) = freedom.checked_sub(1).and_then(|index| FEW.get(index)) {
        return *few;
    }
    let (z, v) = (NORMAL, freedom as f64);
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / v + second / v.powi(2) + third / v.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_students() {
        for (freedom, printed) in
            [(1, 63.657), (10, 3.169), (11, 3.106), (20, 2.845), (30, 2.750), (120, 2.617)]
        {
            assert!((student(freedom) - printed).abs() < 0.002, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn a_ratio_weighs_batches_by_their_size_and_equal_batches_leave_no_doubt() {
        let estimate = ratio(&[(1.0, 2.0), (30.0, 38.0)]).unwrap();
        assert_eq!(estimate.value, 31.0 / 40.0);
        assert_eq!(ratio(&[(1.0, 2.0), (2.0, 4.0)]), Some(Estimate { value: 0.5, within: 0.0 }));
        let three = mean(&[1.0, 2.0, 3.0]).unwrap();
        assert!((three.within - 9.925 / 3f64.sqrt()).abs() < 1e-9);
        assert_eq!((mean(&[1.0]), ratio(&[(0.0, 0.0); 3])), (None, None));
    }
}
