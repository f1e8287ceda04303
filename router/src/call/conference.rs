//! A conference: all who have come to a step of the same name hear each other.

use std::hash::{DefaultHasher, Hasher};

use media::Command;

use super::{Call, Stage, Waits, flow::Outcome};
use crate::{journal::fact::What, shard::Switchboard};

impl Call {
    pub(super) fn conference_step(&mut self, name: String, board: &mut Switchboard) -> Outcome {
        if let Some(outcome) = self.before_sound(false, board) {
            return outcome;
        }
        let Some(leg) = self.caller().media_key() else { return Outcome::Next };
        board.media(Command::Join { leg, conference: number(&name) });
        self.fact(What::ConferenceJoined { conference: name }, board);
        self.stage = Stage::InFlow(Waits::Conference);
        Outcome::Wait
    }

    /// There were as many in it as can be: the flow goes on.
    pub(super) fn conference_is_full(&mut self, board: &mut Switchboard) {
        if matches!(self.stage, Stage::InFlow(Waits::Conference)) {
            self.fact(What::ConferenceFull, board);
            self.go_on(board);
        }
    }
}

/// The engine knows conferences by number: the same for the same name as long as this process runs.
fn number(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}
