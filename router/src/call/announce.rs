//! What a caller hears while he waits: the queue's announcement, then music.

use super::{Call, Stage};
use crate::{config::QueueId, journal::fact::What, media_command::play, shard::Switchboard};

impl Call {
    /// The announcement if the queue has one, else music at once.
    pub(super) fn start_sound(&mut self, queue: QueueId, board: &mut Switchboard) {
        self.begin_telling(queue, board);
        let settings = board.config.queue(queue);
        self.announcement = match settings.and_then(|settings| settings.rules.announcement) {
            Some(prompt) => self.play_once(prompt, board),
            None => None,
        };
        if self.announcement.is_none() {
            self.start_music(queue, board);
        }
    }

    pub(super) fn start_music(&mut self, queue: QueueId, board: &mut Switchboard) {
        let music = board.config.queue(queue).and_then(|queue| queue.music.clone());
        let music = music.and_then(|music| board.music(&music, self.language));
        if let (Some(music), Some(leg)) = (music, self.caller().media_key()) {
            self.plays += 1;
            board.media(play::music(leg, self.plays, music));
        }
    }

    /// The queue has something new to say: instead of music, and of what it has said so far. He keeps his place.
    pub(super) fn hears_news(&mut self, board: &mut Switchboard) {
        if let Some(queue) = self.waits_in().filter(|_| self.calling_back.is_none()) {
            self.note_cut_prompt(board);
            self.start_sound(queue, board);
        }
    }

    /// A prompt ran to its end: true if it was the announcement.
    pub(super) fn announced(&mut self, play: u32, board: &mut Switchboard) -> bool {
        let ours = self.announcement.take_if(|playing| *playing == play).is_some();
        if ours {
            self.fact(What::PromptEnded { cut: false }, board);
            if let Some(queue) = self.waits_in() {
                self.start_music(queue, board);
            }
        }
        ours
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
