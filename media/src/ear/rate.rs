//! Between 8 and 16 kHz, frame by frame: 10 ms late, flat up to 3.4 kHz, what lies above 4 kHz gone by more than 100 dB.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::{FRAME, Sound};

/// Makes frames of 160 samples to such of 320.
pub(crate) struct Doubler(Converter);

/// Makes frames of 320 samples to such of 160.
pub(crate) struct Halver(Converter);

struct Converter {
    /// `None` if the library refuses, which it does not with these rates: then every other sample must do.
    resampler: Option<Fft<f32>>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Doubler {
    pub(crate) fn new() -> Doubler {
        Doubler(Converter::new(FRAME / 2, FRAME))
    }

    /// 160 samples in, 320 out.
    pub(crate) fn double(&mut self, narrow: &[i16], wide: &mut Sound) {
        self.0.convert(narrow, wide);
    }
}

impl Halver {
    pub(crate) fn new() -> Halver {
        Halver(Converter::new(FRAME, FRAME / 2))
    }

    /// 320 samples in, 160 out.
    pub(crate) fn halve(&mut self, wide: &Sound, narrow: &mut [i16; FRAME / 2]) {
        self.0.convert(wide, narrow);
    }

    /// Any even number of samples in, half as many out: whole frames, and the last one cut.
    pub(crate) fn halve_all(&mut self, wide: &[i16]) -> Vec<i16> {
        let mut all = Vec::with_capacity(wide.len() / 2);
        for piece in wide.chunks(FRAME) {
            let (mut frame, mut narrow) = ([0; FRAME], [0; FRAME / 2]);
            frame[..piece.len()].copy_from_slice(piece);
            self.halve(&frame, &mut narrow);
            all.extend_from_slice(&narrow[..piece.len() / 2]);
        }
        all
    }
}

impl Converter {
    fn new(from: usize, to: usize) -> Converter {
        let window = WindowFunction::BlackmanHarris2;
        let resampler = Fft::new_custom(from * 50, to * 50, from, 1, 1, window, FixedSync::Both).ok();
        Converter { resampler, input: vec![0.0; from], output: vec![0.0; to] }
    }

    fn convert(&mut self, from: &[i16], to: &mut [i16]) {
        for (into, sample) in self.input.iter_mut().zip(from) {
            *into = f32::from(*sample);
        }
        if self.resample().is_none() {
            let step = self.input.len() as f32 / to.len() as f32;
            self.output
                .iter_mut()
                .enumerate()
                .for_each(|(at, into)| *into = self.input[(at as f32 * step) as usize]);
        }
        for (into, sample) in to.iter_mut().zip(&self.output) {
            *into = sample.round() as i16; // saturates
        }
    }

    fn resample(&mut self) -> Option<()> {
        let (frames_in, frames_out) = (self.input.len(), self.output.len());
        let input = InterleavedSlice::new(&self.input, 1, frames_in).ok()?;
        let mut output = InterleavedSlice::new_mut(&mut self.output, 1, frames_out).ok()?;
        self.resampler.as_mut()?.process_into_buffer(&input, &mut output, None).ok().map(drop)
    }
}

impl std::fmt::Debug for Doubler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Doubler")
    }
}

impl std::fmt::Debug for Halver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Halver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone;

    #[test]
    fn there_and_back_a_tone_is_what_it_was() {
        for hz in [300.0, 1_000.0, 3_000.0, 3_400.0] {
            let narrow = tone::sine(hz, 1_000, -10.0);
            let (mut doubler, mut halver, mut back) = (Doubler::new(), Halver::new(), Vec::new());
            for frame in narrow.chunks_exact(FRAME / 2) {
                let (mut wide, mut narrow) = ([0; FRAME], [0; FRAME / 2]);
                doubler.double(frame, &mut wide);
                halver.halve(&wide, &mut narrow);
                back.extend(narrow);
            }
            let level = tone::level_at(&back[800..7_200], hz);
            assert!((level + 10.0).abs() < 0.1, "{hz} Hz: {level} dBFS");
            assert!(
                back[480..].iter().zip(&narrow[320..]).all(|(is, was)| (is - was).abs() < 64),
                "20 ms late, and the same"
            );
        }
    }

    #[test]
    fn full_scale_does_not_wrap() {
        let (mut doubler, mut wide) = (Doubler::new(), [0; FRAME]);
        let square: Vec<i16> = (0..160).map(|at| if at / 8 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        for _ in 0..4 {
            doubler.double(&square, &mut wide);
        }
        let sudden =
            wide.windows(2).filter(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs() > 60_000).count();
        assert_eq!(sudden, 0, "overshoot is clipped, not wrapped round");
    }
}
