//! Any rate to any other, in pieces, so that a long sound costs no more memory than its result.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::PromptError;
use super::file::Sound;

/// Samples of one piece at the lower of both rates. The longer, the closer to half that rate the filter lets sound
/// through: 97 % at 1,024.
const PIECE: usize = 1_024;

/// The whole sound at `rate` Hz, as many samples as its duration asks for, at least one.
///
/// # Errors
/// `Resample` if the library refuses the two rates.
pub fn to(sound: &Sound, rate: u32) -> Result<Vec<i16>, PromptError> {
    if sound.rate() == rate {
        return Ok(sound.samples().to_vec());
    }
    let mut stream = Stream::new(sound.rate(), rate)?;
    let mut output = Vec::with_capacity(frames_at(sound.samples().len() as u64, sound.rate(), rate));
    for &sample in sound.samples() {
        stream.push(f32::from(sample) / 32_768.0, &mut output)?;
    }
    stream.finish(&mut output)?;
    Ok(output)
}

/// At least one: a sound that has samples keeps some.
fn frames_at(frames: u64, from: u32, to: u32) -> usize {
    (frames * u64::from(to)).div_ceil(u64::from(from)) as usize
}

/// A sound on its way from one rate to another. The start is neither late nor cut.
pub(super) struct Stream {
    from: u32,
    to: u32,
    resampler: Fft<f32>,
    input: Vec<f32>,
    piece: Vec<f32>,
    /// Output samples before the first of the sound.
    late: usize,
    taken: u64,
    given: usize,
}

impl Stream {
    pub(super) fn new(from: u32, to: u32) -> Result<Stream, PromptError> {
        use rubato::WindowFunction::BlackmanHarris2;
        let piece = PIECE.max(PIECE * from as usize / to as usize);
        let resampler =
            Fft::new_custom(from as usize, to as usize, piece, 1, 1, BlackmanHarris2, FixedSync::Both)
                .map_err(|error| PromptError::Resample { from, to, why: error.to_string() })?;
        let (late, most) = (resampler.output_delay(), resampler.output_frames_max());
        Ok(Stream { from, to, resampler, input: vec![], piece: vec![0.0; most], late, taken: 0, given: 0 })
    }

    /// One sample more. What comes out is appended to `output`.
    pub(super) fn push(&mut self, sample: f32, output: &mut Vec<i16>) -> Result<(), PromptError> {
        self.taken += 1;
        // A float beyond full scale is clipped here, not behind: sums of huge ones overflow in the transform, whose
        // inverse then refuses its input by a panic.
        self.input.push(sample.clamp(-1.0, 1.0));
        if self.input.len() < self.resampler.input_frames_next() { Ok(()) } else { self.turn(output) }
    }

    /// What is still inside.
    pub(super) fn finish(mut self, output: &mut Vec<i16>) -> Result<(), PromptError> {
        let wanted = frames_at(self.taken, self.from, self.to);
        while self.given < wanted {
            self.input.resize(self.resampler.input_frames_next(), 0.0);
            self.turn(output)?;
        }
        output.truncate(output.len() - (self.given - wanted));
        Ok(())
    }

    fn turn(&mut self, output: &mut Vec<i16>) -> Result<(), PromptError> {
        let written = process(&mut self.resampler, &self.input, &mut self.piece)
            .map_err(|why| PromptError::Resample { from: self.from, to: self.to, why })?;
        self.input.clear();
        let skip = self.late.min(written);
        self.late -= skip;
        self.given += written - skip;
        output.extend(self.piece[skip..written].iter().map(|&sample| linear(sample)));
        Ok(())
    }
}

fn process(resampler: &mut Fft<f32>, input: &[f32], output: &mut [f32]) -> Result<usize, String> {
    let (frames_in, frames_out) = (input.len(), output.len());
    let input = InterleavedSlice::new(input, 1, frames_in).map_err(|error| error.to_string())?;
    let mut output = InterleavedSlice::new_mut(output, 1, frames_out).map_err(|error| error.to_string())?;
    let done = resampler.process_into_buffer(&input, &mut output, None).map_err(|error| error.to_string())?;
    Ok(done.1)
}

/// Floats outside -1 to 1 are clipped, what is no number is silence.
pub(super) fn linear(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}
