//! What plays on a leg, and where it is.

use std::sync::Arc;

use crate::cadence::PERIOD;
use crate::codec::Codec;
use crate::engine::PlayFrom;
use crate::prompt::Prompt;

/// A prompt being played.
#[derive(Debug)]
pub(crate) struct Playing {
    /// The router's number for it.
    pub(crate) play: u32,
    prompt: Arc<Prompt>,
    repeat: bool,
    /// The beat at which the prompt's first frame was, or would have been.
    began: Option<u64>,
    from: PlayFrom,
}

/// What a beat brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Sound(&'a [u8]),
    /// The prompt is not there in this codec; it runs on unheard.
    Mute,
    /// The beat after the last frame: all has been heard.
    End,
}

impl Playing {
    pub(crate) fn new(play: u32, prompt: Arc<Prompt>, repeat: bool, from: PlayFrom) -> Playing {
        Playing { play, prompt, repeat, began: None, from }
    }

    /// The frame for a beat. The first call decides where the prompt begins; after that only the beat counts, so
    /// beats that were missed leave a hole instead of a delay.
    pub(crate) fn frame(&mut self, beat: u64, codec: Codec) -> Frame<'_> {
        let len = self.prompt.frame_count() as u64;
        let began = *self.began.get_or_insert(match self.from {
            PlayFrom::Start => beat,
            // The common player turns through its frames since beat 0; `beat` is in its frame `beat / 20`.
            PlayFrom::Shared => beat - beat % (len * PERIOD),
        });
        let index = beat.saturating_sub(began) / PERIOD;
        if index >= len && !self.repeat {
            return Frame::End;
        }
        self.prompt.frame(codec, (index % len) as usize).map_or(Frame::Mute, Frame::Sound)
    }
}
