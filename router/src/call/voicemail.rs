//! A message for a mailbox: greeting, beep, and what the caller says then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use media::{Command, RecordingEnd, Sides, Title};

use super::{
    Call, Stage, Waits,
    end::Why,
    flow::{Outcome, timestamp},
};
use crate::{
    config::{PromptId, Step},
    journal::fact::{MessageEnd, What},
    media_command::play,
    shard::Switchboard,
};

/// A shorter message is none: somebody who changed his mind at the beep.
const SHORTEST: Duration = Duration::from_secs(1);
/// Ends the message; before the beep it skips the greeting.
const DONE: char = '#';

/// One visit to a voicemail step.
pub(super) struct Voicemail {
    mailbox: String,
    greeting: Option<PromptId>,
    max: Duration,
    silence: Option<Duration>,
    phase: Phase,
}

enum Phase {
    Greeting { play: u32 },
    Beep { play: u32 },
    Recording { file: String, since: Instant },
}

impl Voicemail {
    /// The visit that a voicemail step begins; `None` for any other step.
    pub(super) fn of(step: Step) -> Option<Voicemail> {
        let Step::Voicemail { mailbox, greeting, max, silence } = step else { return None };
        Some(Voicemail { mailbox, greeting, max, silence, phase: Phase::Beep { play: 0 } })
    }

    /// When the message is as long as it may be.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Recording { since, .. } => Some(since + self.max),
            Phase::Greeting { .. } | Phase::Beep { .. } => None,
        }
    }

    /// The caller hears the greeting.
    pub(super) fn is_greeting(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. })
    }

    fn is_recording(&self) -> bool {
        matches!(self.phase, Phase::Recording { .. })
    }

    fn enter(self, phase: Phase) -> Stage {
        Stage::InFlow(Waits::Voicemail(Box::new(Voicemail { phase, ..self })))
    }

    /// Somebody may have spoken for long enough: the silence that ended the message does not count.
    fn is_worth_keeping(&self, length: Duration, end: MessageEnd) -> bool {
        let silence = self.silence.filter(|_| end == MessageEnd::Silence).unwrap_or_default();
        length >= SHORTEST + silence
    }
}

impl Call {
    pub(super) fn voicemail_step(&mut self, mut visit: Voicemail, board: &mut Switchboard) -> Outcome {
        if let Some(outcome) = self.before_sound(false, board) {
            return outcome;
        }
        match visit.greeting.take().and_then(|greeting| self.play_once(greeting, board)) {
            Some(play) => {
                self.stage = visit.enter(Phase::Greeting { play });
                Outcome::Wait
            }
            None => self.beep(visit, board),
        }
    }

    fn beep(&mut self, visit: Voicemail, board: &mut Switchboard) -> Outcome {
        let Some(leg) = self.caller().media_key() else { return Outcome::Next };
        self.plays += 1;
        board.media(play::once(leg, self.plays, board.prompts.beep()));
        self.stage = visit.enter(Phase::Beep { play: self.plays });
        Outcome::Wait
    }

    fn record_message(&mut self, visit: Voicemail, board: &mut Switchboard) -> Outcome {
        let Some(leg) = self.caller().media_key() else { return Outcome::Next };
        self.stop_recording("a message is recorded", board); // a leg has one recording at a time
        let began = timestamp(board.at).strftime("%Y%m%dT%H%M%SZ");
        let name = format!("{began}-{}-{}", self.id, visit.mailbox);
        let file = format!("{name}.wav");
        let title = Arc::new(Title { name, sides: Sides::Peer, about: String::new() });
        board.media(Command::Record { leg, title, quiet: visit.silence });
        self.stage = visit.enter(Phase::Recording { file, since: board.now });
        Outcome::Wait
    }

    /// Takes the visit out of the stage, if the call is in one of which `is` says so.
    fn take_visit(&mut self, is: impl FnOnce(&Voicemail) -> bool) -> Option<Voicemail> {
        match std::mem::replace(&mut self.stage, Stage::InFlow(Waits::Nothing)) {
            Stage::InFlow(Waits::Voicemail(visit)) if is(&visit) => Some(*visit),
            stage => {
                self.stage = stage;
                None
            }
        }
    }

    fn go_on_after(&mut self, outcome: Outcome, board: &mut Switchboard) {
        if !matches!(outcome, Outcome::Wait) {
            self.go_on(board);
        }
    }

    /// The greeting or the beep ran to its end.
    pub(super) fn voicemail_played(&mut self, play: u32, board: &mut Switchboard) {
        let awaited = |visit: &Voicemail| match visit.phase {
            Phase::Greeting { play: awaited } | Phase::Beep { play: awaited } => awaited == play,
            Phase::Recording { .. } => false,
        };
        let Some(visit) = self.take_visit(awaited) else { return };
        let outcome = if visit.is_greeting() {
            self.fact(What::PromptEnded { cut: false }, board);
            self.beep(visit, board)
        } else {
            self.record_message(visit, board)
        };
        self.go_on_after(outcome, board);
    }

    /// The caller pressed a key in a voicemail step.
    pub(super) fn pressed_in_voicemail(&mut self, key: char, board: &mut Switchboard) {
        if key != DONE {
            return;
        }
        if let Some(visit) = self.take_visit(Voicemail::is_greeting) {
            self.fact(What::PromptEnded { cut: true }, board);
            let outcome = self.beep(visit, board);
            return self.go_on_after(outcome, board);
        }
        self.message_is_over(MessageEnd::Key, board);
    }

    /// The message is over, and the flow goes on. Nothing happens if none is being recorded.
    pub(super) fn message_is_over(&mut self, end: MessageEnd, board: &mut Switchboard) {
        if let Some(visit) = self.take_visit(Voicemail::is_recording) {
            self.put_message_away(&visit, end, board);
            self.go_on(board);
        }
    }

    /// The call ends in a voicemail step: what has been said so far is kept.
    pub(super) fn leave_voicemail(&mut self, visit: &Voicemail, why: &Why, board: &mut Switchboard) {
        let end = if why.is_caller_gone() { MessageEnd::HungUp } else { MessageEnd::Ended };
        self.put_message_away(visit, end, board);
    }

    fn put_message_away(&mut self, visit: &Voicemail, end: MessageEnd, board: &mut Switchboard) {
        let Phase::Recording { file, since } = &visit.phase else { return };
        let length = board.now.saturating_duration_since(*since);
        let is_kept = visit.is_worth_keeping(length, end);
        if let Some(leg) = self.caller().media_key() {
            let end = if is_kept { RecordingEnd::Keep } else { RecordingEnd::Discard };
            board.media(Command::StopRecording { leg, end });
        }
        let left = What::VoicemailLeft {
            mailbox: visit.mailbox.clone(),
            file: is_kept.then(|| file.clone()),
            length_ms: u64::try_from(length.as_millis()).unwrap_or(u64::MAX),
            end,
        };
        self.fact(left, board);
    }
}
