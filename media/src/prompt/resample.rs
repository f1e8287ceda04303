//! Any rate to any other, in pieces, so that a long file costs no more memory than its result.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::PromptError;
use crate::wav::Wav;

/// Output samples of one piece. The longer, the closer to half the rate the filter lets sound through: 97 % at 1,024.
const PIECE: usize = 1_024;

/// The whole sound, as many samples as its duration asks for.
pub(super) fn to(rate: u32, wav: &Wav<'_>) -> Result<Vec<i16>, PromptError> {
    let mut samples = wav.mono();
    if wav.rate() == rate {
        return samples.map(|sample| Ok(linear(sample?))).collect();
    }
    let failed = |why: String| PromptError::Resample { rate: wav.rate(), why };
    let mut resampler = new(wav.rate(), rate).map_err(|error| failed(error.to_string()))?;
    let (wanted, mut late) = (output_frames(wav, rate), resampler.output_delay());
    let mut output = Vec::with_capacity(wanted);
    let (mut input, mut piece) = (Vec::new(), vec![0.0; resampler.output_frames_max()]);
    while output.len() < wanted {
        fill(&mut input, &mut samples, resampler.input_frames_next())?;
        let written = process(&mut resampler, &input, &mut piece).map_err(failed)?;
        let skip = late.min(written);
        late -= skip;
        output.extend(piece[skip..written].iter().map(|&sample| linear(sample)));
    }
    output.truncate(wanted);
    Ok(output)
}

fn new(from: u32, to: u32) -> Result<Fft<f32>, rubato::ResamplerConstructionError> {
    use rubato::WindowFunction::BlackmanHarris2;
    let piece = PIECE * from as usize / to as usize;
    Fft::new_custom(from as usize, to as usize, piece, 1, 1, BlackmanHarris2, FixedSync::Both)
}

/// At least one: a file that has sound keeps some.
fn output_frames(wav: &Wav<'_>, rate: u32) -> usize {
    (wav.frames() as u64 * u64::from(rate)).div_ceil(u64::from(wav.rate())) as usize
}

/// The next `count` samples, silence behind the last.
fn fill(
    input: &mut Vec<f32>,
    samples: &mut impl Iterator<Item = Result<f32, crate::wav::WavError>>,
    count: usize,
) -> Result<(), PromptError> {
    input.clear();
    for sample in samples.by_ref().take(count) {
        // A float beyond full scale is clipped here, not behind: sums of huge ones overflow in the transform, whose
        // inverse then refuses its input by a panic.
        input.push(sample?.clamp(-1.0, 1.0));
    }
    input.resize(count, 0.0);
    Ok(())
}

fn process(resampler: &mut Fft<f32>, input: &[f32], output: &mut [f32]) -> Result<usize, String> {
    let (frames_in, frames_out) = (input.len(), output.len());
    let input = InterleavedSlice::new(input, 1, frames_in).map_err(|error| error.to_string())?;
    let mut output = InterleavedSlice::new_mut(output, 1, frames_out).map_err(|error| error.to_string())?;
    let done = resampler.process_into_buffer(&input, &mut output, None).map_err(|error| error.to_string())?;
    Ok(done.1)
}

/// Floats outside -1 to 1 are clipped.
fn linear(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}
