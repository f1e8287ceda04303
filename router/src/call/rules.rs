//! When a caller may enter a queue, and when he must leave it though he could wait on.

use std::time::Instant;

use super::assign::Place;
use crate::{
    call::{Answered, Call, flow::Outcome},
    config::{Goto, Queue, QueueId},
    journal::fact::LeftQueue,
    shard::Switchboard,
};

impl Call {
    /// Why the queue does not take a new caller; `None` if it does.
    pub(super) fn refused_at_the_door(
        &self,
        queue: QueueId,
        settings: &Queue,
        board: &mut Switchboard,
    ) -> Option<LeftQueue> {
        if board.is_closed(settings) || settings.hours.is_some_and(|hours| !self.is_open(hours, board)) {
            return Some(LeftQueue::Closed);
        }
        let crew = board.crew(queue);
        if settings.rules.turn_away_when.is_some_and(|how| crew.unstaffed_since(how).is_some()) {
            return Some(crew.how_unstaffed());
        }
        (board.waiting(queue) >= settings.max_waiting).then_some(LeftQueue::Full)
    }

    /// How a caller must leave who waits at `place`; `None` if he may wait on.
    pub(super) fn sent_away(
        &self,
        place: &Place,
        settings: &Queue,
        board: &Switchboard,
    ) -> Option<LeftQueue> {
        if board.is_closed(settings) {
            return Some(LeftQueue::Closed);
        }
        place.must_leave(board.now)
    }

    /// Where the caller goes who leaves the queue so, or is not let in.
    pub(super) fn way_out(&mut self, queue: QueueId, how: LeftQueue, board: &Switchboard) -> Outcome {
        match how {
            LeftQueue::Closed => {
                let prompt = board.config.queue(queue).and_then(|settings| settings.rules.closed_prompt);
                // A caller who waits without being answered is not answered to hear this.
                self.closed_step(prompt, Goto::Next, self.answered == Answered::Early)
            }
            // It may be gone for good: what is to be done was written when the call came.
            LeftQueue::Removed => {
                let settings = self.config.queue(queue);
                Outcome::Jump(settings.map_or(Goto::Next, |settings| settings.rules.when_removed))
            }
            _ => Outcome::Next,
        }
    }
}

impl Place {
    /// When the caller must go because nobody serves the queue, and how that is called: `leave_grace` after he came
    /// or the last agent went, whichever was later.
    pub(super) fn leaves(&self, settings: &Queue, board: &Switchboard) -> Option<(Instant, LeftQueue)> {
        let crew = board.crew(self.queue);
        let since = crew.unstaffed_since(settings.rules.leave_when?)?;
        let waited = board.now.saturating_duration_since(self.waits_since);
        let held = board.now.saturating_duration_since(since).min(waited);
        Some((board.now + settings.rules.leave_grace.saturating_sub(held), crew.how_unstaffed()))
    }
}
