//! What plays on a leg, and where it is; and what is said over it.

use crate::cadence::PERIOD;
use crate::codec::Codec;
use crate::engine::PlayFrom;
use crate::playlist::{Playlist, Slot};

/// A playlist being played; mostly of one prompt.
#[derive(Debug)]
pub(crate) struct Playing {
    /// The router's number for it.
    pub(crate) play: u32,
    list: Playlist,
    repeat: bool,
    /// The beat at which the first frame was, or would have been, and how many frames before it are left out.
    began: Option<(u64, u64)>,
    from: PlayFrom,
    /// The piece of the last beat.
    slot: Option<Slot>,
}

impl Playing {
    pub(crate) fn new(play: u32, list: Playlist, repeat: bool, from: PlayFrom) -> Playing {
        Playing { play, list, repeat, began: None, from, slot: None }
    }

    /// The frame for a beat, empty if the prompt is not there in this codec; `None` for the beat after the last, when all
    /// has been heard. The first call decides where the list begins; after that only the beat counts, so beats that were
    /// missed leave a hole instead of a delay.
    pub(crate) fn frame(&mut self, beat: u64, codec: Codec) -> Option<&[u8]> {
        let (began, skipped) = *self.began.get_or_insert(match self.from {
            PlayFrom::Start => (beat, 0),
            // The common player turns through its frames since beat 0; `beat` is in its frame `beat / 20`.
            PlayFrom::Shared => (beat % PERIOD, 0),
            PlayFrom::Frame(frame) => (beat, frame),
        });
        let index = skipped + beat.saturating_sub(began) / PERIOD;
        if index >= self.list.frame_count() && !self.repeat {
            return None;
        }
        let slot = match self.slot.filter(|slot| slot.has(index)) {
            Some(slot) => slot,
            None => *self.slot.insert(self.list.slot(index)),
        };
        let (prompt, frame) = slot.of(&self.list, index);
        Some(prompt.frame(codec, frame).unwrap_or_default())
    }
}

/// How loud something stays that something else is said over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gain(u16);

impl Gain {
    /// Not at all.
    pub const NONE: Gain = Gain(0);
    const FULL: Gain = Gain(256);

    /// By so many decibels softer; 0 is as loud as before, 48 and more nothing.
    #[must_use]
    pub fn softer_by(decibels: u8) -> Gain {
        Gain((256.0 * 10f32.powf(-f32::from(decibels) / 20.0)).round() as u16)
    }

    /// So many steps of [`FADE`] on the way from full.
    fn faded(self, steps: u16) -> Gain {
        Gain(Gain::FULL.0 - (Gain::FULL.0 - self.0) * steps / FADE)
    }

    fn of(self, sample: i16) -> i32 {
        i32::from(sample) * i32::from(self.0) / 256
    }
}

/// Beats in which what is under fades, 20 ms each.
const FADE: u16 = 10;

/// Bytes of a frame that can be mixed.
const FRAME: usize = 160;

/// Room for a frame made of two.
pub(crate) struct Mixed([u8; FRAME]);

impl Default for Mixed {
    fn default() -> Mixed {
        Mixed([0; FRAME])
    }
}

/// What is said over what plays.
#[derive(Debug)]
pub(crate) struct Over {
    voice: Playing,
    under: Gain,
    phase: Phase,
}

/// What is under it fades, is under it, and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fades(u16),
    Speaks,
    Rises(u16),
}

impl Over {
    pub(crate) fn new(play: u32, list: Playlist, under: Gain) -> Over {
        Over { voice: Playing::new(play, list, false, PlayFrom::Start), under, phase: Phase::Fades(1) }
    }

    fn gain(&self) -> Gain {
        match self.phase {
            Phase::Fades(steps) | Phase::Rises(steps) => self.under.faded(steps),
            Phase::Speaks => self.under,
        }
    }
}

/// What a beat brings, and which plays came to their ends in it.
pub(crate) struct Heard<'a> {
    pub(crate) sound: Option<&'a [u8]>,
    pub(crate) ended: [Option<u32>; 2],
}

/// One beat of what plays and of what is said over it. Either is put away when it is over.
pub(crate) fn beat<'a>(
    playing: &'a mut Option<Box<Playing>>,
    over: &'a mut Option<Box<Over>>,
    beat: u64,
    codec: Codec,
    mixed: &'a mut Mixed,
) -> Heard<'a> {
    let mut ended = [None; 2];
    if playing.as_mut().is_some_and(|playing| playing.frame(beat, codec).is_none()) {
        ended[0] = playing.take().map(|playing| playing.play);
    }
    let is_mixed = codec.is_g711() && playing.is_some();
    if let Some(saying) = over {
        match saying.phase {
            Phase::Fades(steps) if !is_mixed || steps > FADE => saying.phase = Phase::Speaks,
            Phase::Rises(0) => *over = None,
            _ => {}
        }
    }
    if let Some(saying) = over
        && saying.phase == Phase::Speaks
        && saying.voice.frame(beat, codec).is_none()
    {
        ended[1] = Some(saying.voice.play);
        saying.phase = Phase::Rises(FADE - 1);
        if !is_mixed {
            *over = None;
        }
    }
    let music = playing.as_mut().and_then(|playing| playing.frame(beat, codec));
    let Some(saying) = over else { return Heard { sound: music, ended } };
    let gain = saying.gain();
    match &mut saying.phase {
        Phase::Fades(steps) => *steps += 1,
        Phase::Rises(steps) => *steps -= 1,
        Phase::Speaks => {}
    }
    let voice = if saying.phase == Phase::Speaks { saying.voice.frame(beat, codec) } else { None };
    let sound = match (music, voice) {
        (Some(_), Some(voice)) if gain == Gain::NONE || !is_mixed => Some(voice),
        (Some(music), voice) if is_mixed => Some(mix(codec, music, gain, voice, mixed)),
        (_, voice) => voice,
    };
    Heard { sound, ended }
}

/// G.711, in which a byte is a sample: others would have to be decoded and encoded with their states.
fn mix<'m>(codec: Codec, music: &[u8], gain: Gain, voice: Option<&[u8]>, mixed: &'m mut Mixed) -> &'m [u8] {
    let (mut under, mut over) = ([0; FRAME], [0; FRAME]);
    codec.decode(music, &mut under);
    if let Some(voice) = voice {
        codec.decode(voice, &mut over);
    }
    for (under, over) in under.iter_mut().zip(over) {
        let sum = gain.of(*under) + i32::from(over);
        *under = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    }
    codec.encode(&under, &mut mixed.0);
    &mixed.0
}
