//! A key pressed while waiting: out of the queue, to where the key leads.

use super::{Call, Stage, Waits};
use crate::{
    config::Goto,
    journal::fact::{LeftQueue, What},
    shard::Switchboard,
};

impl Call {
    /// The caller pressed a key in a queue, or while an agent of it rings. Where keys mean nothing it is not on record.
    pub(super) fn pressed_while_waiting(&mut self, key: char, board: &mut Switchboard) {
        let queue = self.waits_in().filter(|_| self.calling_back.is_none());
        let Some(settings) = queue.and_then(|queue| self.config.queue(queue)) else { return };
        let keys = &settings.rules.keys;
        if keys.is_empty() {
            return;
        }
        let to = keys.iter().find(|(known, _)| *known == key).map(|(_, to)| *to);
        self.fact(What::Chose { key: key.to_string(), valid: to.is_some() }, board);
        if let Some(to) = to {
            self.leave_by_key(to, board);
        }
    }

    /// Whoever rings, or was found in this very turn, is spared: the caller has chosen.
    fn leave_by_key(&mut self, to: Goto, board: &mut Switchboard) {
        match std::mem::replace(&mut self.stage, Stage::InFlow(Waits::Nothing)) {
            Stage::Waiting(place) => self.abandon_wait(place, LeftQueue::ByKey, board),
            Stage::Ringing(ring) => {
                self.hang_up_losers(None, board);
                self.abandon_assignment(&ring, LeftQueue::ByKey, board);
            }
            stage => return self.stage = stage,
        }
        self.note_cut_prompt(board);
        self.cut_prompt(board);
        self.go_to(to, board);
    }
}
