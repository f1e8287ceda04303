//! What plays on a leg, and where it is.

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

/// What a beat brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Sound(&'a [u8]),
    /// The beat after the last frame: all has been heard.
    End,
}

impl Playing {
    pub(crate) fn new(play: u32, list: Playlist, repeat: bool, from: PlayFrom) -> Playing {
        Playing { play, list, repeat, began: None, from, slot: None }
    }

    /// The frame for a beat. The first call decides where the list begins; after that only the beat counts, so
    /// beats that were missed leave a hole instead of a delay.
    pub(crate) fn frame(&mut self, beat: u64, codec: Codec) -> Frame<'_> {
        let (began, skipped) = *self.began.get_or_insert(match self.from {
            PlayFrom::Start => (beat, 0),
            // The common player turns through its frames since beat 0; `beat` is in its frame `beat / 20`.
            PlayFrom::Shared => (beat % PERIOD, 0),
            PlayFrom::Frame(frame) => (beat, frame),
        });
        let index = skipped + beat.saturating_sub(began) / PERIOD;
        if index >= self.list.frame_count() && !self.repeat {
            return Frame::End;
        }
        let slot = match self.slot.filter(|slot| slot.has(index)) {
            Some(slot) => slot,
            None => *self.slot.insert(self.list.slot(index)),
        };
        let (prompt, frame) = slot.of(&self.list, index);
        Frame::Sound(prompt.frame(codec, frame))
    }
}
