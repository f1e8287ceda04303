//! What nobody hears that it is missing: the last pitch period again, ever quieter (in the manner of G.711 Appendix I).

/// For so long a made up sound keeps its loudness, then it fades.
const LOUD_MS: usize = 10;
/// After so long it is silent: nobody speaks a vowel without end.
const SILENT_MS: usize = 60;
/// The lowest voice: 66 Hz.
const LONGEST_PERIOD_MS: usize = 15;
/// What is compared to find the period.
const COMPARED_MS: usize = 20;
/// What comes after a gap is faded in over what was made up.
const SEAM_MS: usize = 4;

/// Remembers what was heard, and goes on with it.
#[derive(Debug)]
pub(super) struct Conceal {
    /// Samples in a millisecond.
    per_ms: usize,
    history: Vec<i16>,
    /// While something is made up: the period that is repeated, and how many samples were made.
    gap: Option<Gap>,
}

#[derive(Debug)]
struct Gap {
    period: Vec<i16>,
    made: usize,
}

impl Conceal {
    pub(super) fn new(rate: u32) -> Conceal {
        Conceal { per_ms: rate as usize / 1_000, history: Vec::new(), gap: None }
    }

    /// Sound that came. After a gap it begins with a seam.
    pub(super) fn heard(&mut self, sound: &mut [i16]) {
        if let Some(mut gap) = self.gap.take() {
            let seam = (SEAM_MS * self.per_ms).min(sound.len());
            for (at, sample) in sound[..seam].iter_mut().enumerate() {
                let (at, seam) = (at as i32, seam as i32);
                let made = i32::from(gap.sample(self.per_ms));
                *sample = ((made * (seam - at) + i32::from(*sample) * at) / seam) as i16;
            }
        }
        self.history.extend_from_slice(sound);
        let kept = (LONGEST_PERIOD_MS + COMPARED_MS) * self.per_ms;
        self.history.drain(..self.history.len().saturating_sub(kept));
    }

    /// Appends `count` samples to go on with.
    pub(super) fn make_up(&mut self, count: usize, sound: &mut Vec<i16>) {
        let per_ms = self.per_ms;
        let gap = self.gap.get_or_insert_with(|| Gap { period: period(&self.history, per_ms), made: 0 });
        sound.extend((0..count).map(|_| gap.sample(per_ms)));
    }

    /// Nothing was to be heard: what came before it is over.
    pub(super) fn forget(&mut self) {
        self.history.clear();
        self.gap = None;
    }
}

impl Gap {
    fn sample(&mut self, per_ms: usize) -> i16 {
        let Some(sample) = self.period.get(self.made % self.period.len().max(1)) else { return 0 };
        let (loud, silent) = (LOUD_MS * per_ms, SILENT_MS * per_ms);
        let left = (silent.saturating_sub(self.made)).min(silent - loud);
        self.made += 1;
        (i32::from(*sample) * left as i32 / (silent - loud) as i32) as i16
    }
}

/// The end of `history` that repeats best: of all periods the one whose sound is most like that one period earlier.
fn period(history: &[i16], per_ms: usize) -> Vec<i16> {
    let longest = LONGEST_PERIOD_MS * per_ms;
    let Some(compared) = history.len().checked_sub(longest).filter(|compared| *compared > 0) else {
        return Vec::new();
    };
    let last = &history[history.len() - compared..];
    let likeness = |lag: usize| {
        let before = &history[history.len() - compared - lag..history.len() - lag];
        let sum = |one: &[i16], other: &[i16]| -> f64 {
            one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
        };
        sum(last, before) / (sum(before, before) + 1.0).sqrt()
    };
    let lags = 5 * per_ms / 2..=longest;
    let best = lags.map(|lag| (likeness(lag), lag)).max_by(|one, other| one.0.total_cmp(&other.0));
    let lag = best.map_or(longest, |(_, lag)| lag);
    history[history.len() - lag..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone;

    #[test]
    fn a_voice_goes_on_through_a_lost_packet_without_a_break() {
        let voice = tone::sine(210.0, 400, -10.0);
        let (mut conceal, mut made) = (Conceal::new(8_000), Vec::new());
        conceal.heard(&mut voice[..800].to_vec());
        conceal.make_up(80, &mut made);
        let worst =
            made.iter().zip(&voice[800..]).map(|(is, was)| (i32::from(*is) - i32::from(*was)).abs()).max();
        assert!(worst < Some(2_500), "a tenth of full scale at most: {worst:?}");
    }

    #[test]
    fn it_fades_and_is_silent_after_60_ms() {
        let (mut conceal, mut made) = (Conceal::new(8_000), Vec::new());
        conceal.heard(&mut tone::sine(210.0, 100, -10.0));
        conceal.make_up(800, &mut made);
        let level = |ms: usize| tone::level(&made[ms * 8..ms * 8 + 80]);
        assert!(
            level(0) > -11.0 && level(30) < level(0) && level(30) > -20.0 && level(70) == f32::NEG_INFINITY
        );
    }

    #[test]
    fn after_nothing_there_is_nothing_to_go_on_with() {
        let (mut conceal, mut made) = (Conceal::new(8_000), Vec::new());
        conceal.make_up(160, &mut made);
        assert_eq!(made, [0; 160]);
    }

    #[test]
    fn what_comes_after_a_gap_is_faded_in() {
        let (mut conceal, mut made) = (Conceal::new(8_000), Vec::new());
        conceal.heard(&mut vec![10_000; 800]);
        conceal.make_up(80, &mut made);
        let mut after = [-10_000; 160];
        conceal.heard(&mut after);
        assert!(after[0] > 0 && after[31] < -9_000 && after[32..] == [-10_000; 128]);
        assert!(after.windows(2).all(|pair| pair[0] - pair[1] < 1_000));
    }
}
