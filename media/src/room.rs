//! Who hears whom where sound is mixed: the arithmetic, without packets.

use crate::ear::{FRAME, Sound};

/// Who can be in a room at once.
pub const MOST: usize = 32;

/// A set of places in a room, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Places(u32);

impl Places {
    pub(crate) fn has(self, place: usize) -> bool {
        place < MOST && self.0 >> place & 1 == 1
    }

    pub(crate) fn with(self, place: usize) -> Places {
        Places(self.0 | 1 << place)
    }

    pub(crate) fn without(self, place: usize) -> Places {
        Places(self.0 & !(1 << place))
    }

    /// The first `count` places.
    pub(crate) fn first(count: usize) -> Places {
        Places(if count >= MOST { u32::MAX } else { (1 << count) - 1 })
    }
}

/// What everybody says, summed once: who hears all others gets the sum less his own.
pub(crate) struct Mix<'a> {
    frames: &'a [Sound],
    sum: [i32; FRAME],
}

impl<'a> Mix<'a> {
    /// Of at most [`MOST`] frames, one for each place.
    pub(crate) fn new(frames: &'a [Sound]) -> Mix<'a> {
        let mut sum = [0; FRAME];
        for frame in frames.iter().take(MOST) {
            add(&mut sum, frame, 1);
        }
        Mix { frames, sum }
    }

    /// What is heard by somebody who hears these places. Too loud a sum is clipped, it never wraps.
    pub(crate) fn heard(&self, hears: Places) -> Sound {
        let mut mixed;
        let all = self.frames.len().min(MOST);
        let hidden = (0..all).filter(|place| !hears.has(*place));
        if hidden.clone().count() <= all / 2 {
            mixed = self.sum;
            hidden.for_each(|place| add(&mut mixed, &self.frames[place], -1));
        } else {
            mixed = [0; FRAME];
            (0..all)
                .filter(|place| hears.has(*place))
                .for_each(|place| add(&mut mixed, &self.frames[place], 1));
        }
        mixed.map(|sample| sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16)
    }
}

fn add(sum: &mut [i32; FRAME], frame: &Sound, sign: i32) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        *sum += sign * i32::from(*sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone;

    fn voice(hz: f32, level: f32) -> Sound {
        tone::sine_at(16_000, hz, 20, level).try_into().unwrap()
    }

    #[test]
    fn everybody_hears_all_others_and_never_himself() {
        let frames: Vec<Sound> = (0..MOST).map(|n| voice(300.0 + 50.0 * n as f32, -40.0)).collect();
        let mix = Mix::new(&frames);
        for place in 0..MOST {
            let heard = mix.heard(Places::first(MOST).without(place));
            let expected: Vec<i32> = (0..FRAME)
                .map(|at| {
                    (0..MOST).filter(|other| *other != place).map(|other| i32::from(frames[other][at])).sum()
                })
                .collect();
            assert!(heard.iter().zip(expected).all(|(is, ought)| i32::from(*is) == ought), "place {place}");
        }
    }

    #[test]
    fn who_hears_few_hears_only_them() {
        let frames = [voice(500.0, -20.0), voice(900.0, -20.0), voice(1_300.0, -20.0)];
        let mix = Mix::new(&frames);
        assert_eq!(mix.heard(Places::default().with(1)), frames[1]);
        assert_eq!(mix.heard(Places::default()), [0; FRAME]);
        assert_eq!(mix.heard(Places::default().with(31)), [0; FRAME], "nobody is there");
    }

    #[test]
    fn too_loud_together_is_clipped_and_does_not_wrap() {
        let frames = [[i16::MAX; FRAME], [i16::MAX; FRAME], [i16::MIN; FRAME]];
        let mix = Mix::new(&frames);
        assert_eq!(mix.heard(Places::default().with(0).with(1)), [i16::MAX; FRAME]);
        assert_eq!(mix.heard(Places::first(3).without(0)), [-1; FRAME]);
    }
}
