//! What a caller hears while he waits: the queue's announcement, then music.

use media::{Gain, Playlist};

use super::{Call, Stage};
use crate::{config::QueueId, journal::fact::What, media_command::play, shard::Switchboard};

/// What a queue says, once or again and again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announcement {
    play: u32,
    /// Music goes on under it; else music follows it.
    over: bool,
}

impl Call {
    /// The announcement if the queue has one, else music at once.
    pub(super) fn start_sound(&mut self, queue: QueueId, board: &mut Switchboard) {
        self.begin_telling(queue, board);
        if !self.announces(queue, false, board) {
            self.start_music(queue, board);
        }
    }

    /// The queue's announcement, if it has one: over music, or as the first that is heard.
    fn announces(&mut self, queue: QueueId, over: bool, board: &mut Switchboard) -> bool {
        let prompt = board.config.queue(queue).and_then(|settings| settings.rules.announcement);
        let Some(sound) = prompt.and_then(|prompt| board.prompts.get(prompt, self.language)) else {
            return false;
        };
        let name = sound.name().to_owned();
        self.announce(queue, name, sound.into(), over, board)
    }

    /// Says something, on record as `name`. False if nobody is there to hear it.
    pub(super) fn announce(
        &mut self,
        queue: QueueId,
        name: String,
        sound: Playlist,
        over: bool,
        board: &mut Switchboard,
    ) -> bool {
        let Some(leg) = self.caller().media_key() else { return false };
        self.plays += 1;
        let under = board.config.queue(queue).map_or(Gain::NONE, |queue| queue.duck);
        board.media(match over {
            true => play::over(leg, self.plays, sound, under),
            false => play::list(leg, self.plays, sound),
        });
        self.announcement = Some(Announcement { play: self.plays, over });
        self.fact(What::PromptStarted { prompt: name }, board);
        true
    }

    pub(super) fn start_music(&mut self, queue: QueueId, board: &mut Switchboard) {
        let music = board.config.queue(queue).and_then(|queue| queue.music.clone());
        let music = music.and_then(|music| board.music(&music, self.language));
        if let (Some(music), Some(leg)) = (music, self.caller().media_key()) {
            self.plays += 1;
            board.media(play::music(leg, self.plays, music));
        }
    }

    /// The queue has something new to say: over the music, and instead of what it has said so far. He keeps his place.
    pub(super) fn hears_news(&mut self, board: &mut Switchboard) {
        if let Some(queue) = self.waits_in().filter(|_| self.calling_back.is_none()) {
            let over = self.announcement.is_none_or(|announcement| announcement.over);
            self.note_cut_prompt(board);
            if !self.announces(queue, over, board) {
                self.start_music(queue, board);
            }
        }
    }

    /// A prompt ran to its end: true if it was the announcement.
    pub(super) fn announced(&mut self, play: u32, board: &mut Switchboard) -> bool {
        let Some(ended) = self.announcement.take_if(|announcement| announcement.play == play) else {
            return false;
        };
        self.fact(What::PromptEnded { cut: false }, board);
        if let Some(queue) = self.waits_in().filter(|_| !ended.over) {
            self.start_music(queue, board);
        }
        true
    }

    /// A prompt is about to be cut, by a key, by an answer or by the end of the call: that is on record.
    pub(super) fn note_cut_prompt(&mut self, board: &mut Switchboard) {
        let announcement = self.announcement.take().is_some();
        let of_a_step = match &mut self.stage {
            Stage::InFlow(super::Waits::Prompt { .. }) => true,
            Stage::InFlow(super::Waits::Menu(menu)) => menu.cut(),
            Stage::InFlow(super::Waits::Voicemail(visit)) => visit.is_greeting(),
            _ => false,
        };
        if announcement || of_a_step {
            self.fact(What::PromptEnded { cut: true }, board);
        }
    }
}
