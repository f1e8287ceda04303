//! Keys as tones in the sound itself: ITU-T Q.23, heard within the bounds of Q.24, and made.
//!
//! For legs on which no telephone-event was agreed. Eight Goertzel filters over blocks of 102 samples cost some 2 µs a packet,
//! which only such legs pay.

use std::f32::consts::TAU;
use std::time::{Duration, Instant};

use super::{Digit, Pressed};

const RATE: f32 = 8_000.0;
/// Samples of a block, 12.75 ms: short enough that a tone of 40 ms, the shortest that must be heard, fills two, and long enough
/// that the tones of a group are told apart.
const BLOCK: usize = 102;
/// Blocks in a row that make a key: one of 25 ms that stood on its own would be speech.
const BLOCKS: u8 = 2;
/// Blocks in a row without it that end it: a break of under 10 ms is none.
const BREAK: u8 = 2;
/// Low group and high group, in the order of the keypad's rows and columns.
const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// The low tone may be 8 dB above the high one, the high one 4 dB above the low one (twist).
const LOW_ABOVE: f32 = 6.31;
const HIGH_ABOVE: f32 = 2.51;
/// Other tones of the group stay 8 dB below.
const APART: f32 = 6.31;
/// So much of the sound is the two tones. Speech that has both has more beside them.
const SHARE: f32 = 0.8;
/// Each tone has at least -36 dBm0: a peak of 360.
const FAINTEST: f32 = 360.0;
/// Packets that stop coming end the key.
const GIVEN_UP_AFTER: Duration = Duration::from_millis(150);
/// Peaks of the tones that we make: -10 and -8 dBm0 of 22,830 at 0 dBm0.
const LOW_PEAK: f32 = 7_220.0;
const HIGH_PEAK: f32 = 9_090.0;

/// Finds keys in the sound of one leg.
#[derive(Debug)]
pub struct Ear {
    /// Twice the cosine of each frequency.
    factors: [f32; 8],
    filters: [[f32; 2]; 8],
    energy: f32,
    filled: usize,
    last: Option<Digit>,
    /// Blocks in a row with `last`.
    rows: u8,
    current: Option<Held>,
    last_at: Option<Instant>,
}

/// A key that is being held.
#[derive(Debug)]
struct Held {
    digit: Digit,
    blocks: u32,
    missed: u8,
}

impl Default for Ear {
    fn default() -> Ear {
        let mut factors = [0.0; 8];
        for (factor, hz) in factors.iter_mut().zip(LOW.into_iter().chain(HIGH)) {
            *factor = 2.0 * (TAU * hz / RATE).cos();
        }
        Ear {
            factors,
            filters: [[0.0; 2]; 8],
            energy: 0.0,
            filled: 0,
            last: None,
            rows: 0,
            current: None,
            last_at: None,
        }
    }
}

impl Ear {
    /// Takes in the samples of a packet, at 8 kHz and in order. Gives a key that has been let go.
    pub fn hear(&mut self, now: Instant, samples: &[i16]) -> Option<Pressed> {
        self.last_at = Some(now);
        let mut pressed = None;
        let mut rest = samples;
        while !rest.is_empty() {
            let (taken, after) = rest.split_at(rest.len().min(BLOCK - self.filled));
            self.filter(taken);
            rest = after;
            if self.filled == BLOCK {
                let key = self.judge();
                pressed = self.follow(key).or(pressed);
            }
        }
        pressed
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work: a key is held, and packets may have stopped.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.current.as_ref().and(self.last_at).map(|at| at + GIVEN_UP_AFTER)
    }

    /// Ends a key whose packets stopped coming.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Pressed> {
        if self.poll_timeout()? > now { None } else { self.finish() }
    }

    fn filter(&mut self, samples: &[i16]) {
        for &sample in samples {
            let sample = f32::from(sample);
            self.energy += sample * sample;
            for (filter, factor) in self.filters.iter_mut().zip(self.factors) {
                *filter = [sample + factor * filter[0] - filter[1], filter[0]];
            }
        }
        self.filled += samples.len();
    }

    /// Which key the block holds. The next one begins.
    fn judge(&mut self) -> Option<Digit> {
        let mut powers = [0.0; 8];
        for ((power, [one, two]), factor) in powers.iter_mut().zip(self.filters).zip(self.factors) {
            *power = one * one + two * two - factor * one * two;
        }
        // A sine with peak A has the power (A·N/2)², and a block of it the energy N·A²/2.
        let all = self.energy * BLOCK as f32 / 2.0;
        (self.filters, self.energy, self.filled) = ([[0.0; 2]; 8], 0.0, 0);
        let (low, row) = loudest(&powers[..4])?;
        let (high, column) = loudest(&powers[4..])?;
        let faintest = (FAINTEST * BLOCK as f32 / 2.0).powi(2);
        let audible = low > faintest && high > faintest;
        let twisted = low > high * LOW_ABOVE || high > low * HIGH_ABOVE;
        (audible && !twisted && low + high > all * SHARE).then(|| Digit::from_char(KEYS[row][column]))?
    }

    fn follow(&mut self, key: Option<Digit>) -> Option<Pressed> {
        self.rows = if key.is_some() && key == self.last { self.rows.saturating_add(1) } else { 1 };
        self.last = key;
        let mut ended = None;
        if let Some(held) = &mut self.current {
            if key == Some(held.digit) {
                held.blocks += 1 + u32::from(held.missed);
                held.missed = 0;
                return None;
            }
            held.missed += 1;
            if held.missed < BREAK {
                return None;
            }
            ended = self.finish();
        }
        if let Some(digit) = key.filter(|_| self.rows >= BLOCKS) {
            self.current = Some(Held { digit, blocks: self.rows.into(), missed: 0 });
        }
        ended
    }

    fn finish(&mut self) -> Option<Pressed> {
        let Held { digit, blocks, .. } = self.current.take()?;
        Some(Pressed { digit, duration_ms: blocks * BLOCK as u32 * 1_000 / 8_000 })
    }
}

/// The loudest of a group, if the others are far below it.
fn loudest(group: &[f32]) -> Option<(f32, usize)> {
    let (at, best) = group.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
    let apart = group.iter().enumerate().all(|(other, power)| other == at || power * APART < best);
    apart.then_some((best, at))
}

/// Writes the tones of a key into `frame`, from this sample of the key on; both tones go on from frame to frame.
pub fn write(digit: Digit, from: u32, frame: &mut [i16]) {
    let key = digit.as_char();
    let Some((low, high)) = frequencies(key) else { return };
    let turn =
        |hz: f32, at: u32| (f64::from(hz) * f64::from(at) / 8_000.0 * std::f64::consts::TAU).sin() as f32;
    for (at, sample) in (from..).zip(frame) {
        *sample = (LOW_PEAK * turn(low, at) + HIGH_PEAK * turn(high, at)) as i16;
    }
}

fn frequencies(key: char) -> Option<(f32, f32)> {
    let row = KEYS.iter().position(|row| row.contains(&key))?;
    let column = KEYS[row].iter().position(|known| *known == key)?;
    Some((LOW[row], HIGH[column]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    /// Both tones, with these levels in dBm0 and this much off their frequencies.
    fn key(key: char, ms: u32, levels: (f32, f32), off: f32) -> Vec<i16> {
        let (low, high) = frequencies(key).unwrap();
        let peak = |dbm0: f32| 22_830.0 * 10f32.powf(dbm0 / 20.0);
        let sine = |hz: f32, at: u32| (TAU * hz * (1.0 + off) * at as f32 / RATE).sin();
        let sample = |at| (peak(levels.0) * sine(low, at) + peak(levels.1) * sine(high, at)) as i16;
        (0..ms * 8).map(sample).collect()
    }

    fn pause(ms: u32) -> Vec<i16> {
        vec![0; ms as usize * 8]
    }

    /// What is heard when this comes in packets, after `lead` samples of nothing.
    fn heard(lead: usize, sound: &[i16]) -> Vec<(char, u32)> {
        let (now, mut ear) = (origin(), Ear::default());
        let sound = [&vec![0; lead][..], sound, &pause(60)].concat();
        let pressed = sound.chunks(160).filter_map(|packet| ear.hear(now, packet));
        pressed.map(|pressed| (pressed.digit.as_char(), pressed.duration_ms)).collect()
    }

    fn keys(sound: &[i16]) -> String {
        heard(0, sound).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn every_key_of_40_ms_is_heard_wherever_it_begins() {
        for name in "0123456789*#ABCD".chars() {
            for lead in (0..102).step_by(7) {
                let heard = heard(lead, &key(name, 40, (-10.0, -8.0), 0.0));
                assert_eq!(heard.iter().map(|(key, _)| *key).collect::<String>(), name.to_string(), "{lead}");
            }
        }
    }

    #[test]
    fn what_is_shorter_than_20_ms_is_no_key() {
        for lead in (0..102).step_by(3) {
            assert_eq!(heard(lead, &key('5', 20, (-8.0, -8.0), 0.0)), [], "{lead}");
        }
    }

    #[test]
    fn keys_in_a_row_are_as_many_as_were_pressed() {
        let press = |name| [key(name, 50, (-8.0, -8.0), 0.0), pause(45)].concat();
        assert_eq!(keys(&"1123#".chars().flat_map(press).collect::<Vec<_>>()), "1123#");
        let long = heard(0, &key('9', 1_000, (-8.0, -8.0), 0.0));
        assert_eq!(long.len(), 1);
        assert!((960..=1_020).contains(&long[0].1), "{long:?}");
    }

    #[test]
    fn twist_and_level_within_q24_are_heard_and_beyond_are_not() {
        for (levels, wanted) in [
            ((-6.0, -13.0), "7"),  // low 7 dB above
            ((-11.0, -8.0), "7"),  // high 3 dB above
            ((-30.0, -30.0), "7"), // faint
            ((-3.5, -3.5), "7"),   // loud
            ((-6.0, -18.0), ""),
            ((-18.0, -8.0), ""),
            ((-45.0, -45.0), ""),
        ] {
            assert_eq!(keys(&key('7', 60, levels, 0.0)), wanted, "{levels:?}");
        }
    }

    #[test]
    fn frequencies_15_per_mille_off_are_heard_and_far_ones_are_not() {
        for name in "159D".chars() {
            for off in [-0.015, 0.015] {
                assert_eq!(keys(&key(name, 60, (-8.0, -8.0), off)), name.to_string(), "{off}");
            }
            for off in [-0.05, 0.05] {
                assert_ne!(keys(&key(name, 60, (-8.0, -8.0), off)), name.to_string(), "{off}");
            }
        }
    }

    #[test]
    fn what_we_make_is_what_we_hear_after_either_law() {
        for codec in [crate::Codec::Pcma, crate::Codec::Pcmu] {
            for name in "0123456789*#ABCD".chars() {
                let mut sound = vec![0; 800];
                for (n, frame) in sound.chunks_mut(160).enumerate() {
                    write(Digit::from_char(name).unwrap(), n as u32 * 160, frame);
                }
                let (mut bytes, mut decoded) = (vec![0; 800], vec![0; 800]);
                codec.encode(&sound, &mut bytes);
                codec.decode(&bytes, &mut decoded);
                assert_eq!(keys(&decoded), name.to_string());
            }
        }
    }

    #[test]
    fn a_key_whose_packets_stop_is_let_go() {
        let (now, mut ear) = (origin(), Ear::default());
        for packet in key('4', 100, (-8.0, -8.0), 0.0).chunks(160) {
            assert_eq!(ear.hear(now, packet), None);
        }
        let at = ear.poll_timeout().unwrap();
        assert_eq!(ear.handle_timeout(at - Duration::from_millis(1)), None);
        assert_eq!(ear.handle_timeout(at).map(|pressed| pressed.digit.as_char()), Some('4'));
        assert_eq!(ear.poll_timeout(), None);
    }

    #[test]
    fn a_key_is_heard_through_noise_20_db_below_it() {
        let mut noise = Noise(7);
        let sound: Vec<i16> = key('6', 60, (-8.0, -8.0), 0.0)
            .into_iter()
            .map(|sample| sample.saturating_add((noise.next() * 1_600.0) as i16))
            .collect();
        assert_eq!(keys(&sound), "6");
    }

    /// Talk-off: five minutes of what speech is like, vowels of a gliding pitch with three formants, fricatives, pauses.
    #[test]
    fn five_minutes_of_speech_like_sound_press_nothing() {
        let mut ear = Ear::default();
        let (now, mut noise, mut pressed) = (origin(), Noise(4_711), 0);
        for syllable in 0..1_500 {
            let sound = syllable_of(&mut noise, syllable);
            pressed += sound.chunks(160).filter(|packet| ear.hear(now, packet).is_some()).count();
        }
        assert!(pressed == 0, "{pressed} keys in five minutes");
    }

    #[test]
    fn music_of_single_tones_and_dial_tone_press_nothing() {
        for hz in (300..3_400).step_by(13) {
            let tone: Vec<i16> =
                (0..1_600).map(|at| (8_000.0 * (TAU * hz as f32 * at as f32 / RATE).sin()) as i16).collect();
            assert_eq!(keys(&tone), "", "{hz}");
        }
        for (one, other) in
            [(350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (1_400.0, 2_060.0), (950.0, 1_400.0)]
        {
            let sine = |hz: f32, at: u32| 6_000.0 * (TAU * hz * at as f32 / RATE).sin();
            let tone: Vec<i16> = (0..1_600).map(|at| (sine(one, at) + sine(other, at)) as i16).collect();
            assert_eq!(keys(&tone), "", "{one} {other}");
        }
    }

    struct Noise(u64);

    impl Noise {
        /// -1 to 1.
        fn next(&mut self) -> f32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
        }
    }

    /// 200 ms: a vowel, its harmonics weighted by formants at random places, or a fricative, or a pause.
    fn syllable_of(noise: &mut Noise, n: u32) -> Vec<i16> {
        let pitch = 150.0 + 70.0 * noise.next();
        let glide = 0.15 * noise.next();
        let formants =
            [500.0 + 250.0 * noise.next(), 1_500.0 + 600.0 * noise.next(), 2_500.0 + 400.0 * noise.next()];
        let harmonics: Vec<(f32, f32)> = (1..)
            .map(|n| n as f32 * pitch)
            .take_while(|hz| *hz < 3_400.0)
            .map(|hz| {
                (hz, formants.iter().map(|formant| 1.0 / (1.0 + ((hz - formant) / 80.0).powi(2))).sum())
            })
            .collect();
        let sample = |at: u32| {
            let seconds = at as f32 / RATE;
            let phase = seconds + glide * seconds * seconds / 0.4;
            4_000.0 * harmonics.iter().map(|(hz, weight)| weight * (TAU * hz * phase).sin()).sum::<f32>()
        };
        (0..1_600)
            .map(|at| match n % 5 {
                0 => 0.0,
                1 => 3_000.0 * noise.next(),
                _ => sample(at) + 100.0 * noise.next(),
            })
            .map(|sample| sample.clamp(-32_000.0, 32_000.0) as i16)
            .collect()
    }
}
