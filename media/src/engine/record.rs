//! Recordings of legs: begun, paused and ended by command, handed out block by block.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Engine, Event};
use crate::leg::Leg;
use crate::recorder::{Holds, Recorder};

/// What a recording is called, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// Comes back with every piece; never used twice.
    pub name: String,
    /// Whose sound.
    pub sides: Sides,
    /// For whoever puts it away; the engine does not read it.
    pub about: String,
}

/// Whose sound is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// What the leg's peer says.
    Peer,
    /// Two channels: what he says, and what he hears: whatever leaves by his leg, prompts, music and whom he is bridged
    /// with, but no digits.
    Both,
}

impl Sides {
    /// Channels of the recording.
    #[must_use]
    pub const fn channels(self) -> u16 {
        match self {
            Sides::Peer => 1,
            Sides::Both => 2,
        }
    }
}

/// A channel of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// What the peer says: the first.
    Said,
    /// What he hears: the second.
    Heard,
}

/// A piece of a recording: 16-bit samples at 8 kHz. A *frame* is one sample of each channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// As given with [`Command::Record`](super::Command::Record).
    pub title: Arc<Title>,
    /// Frames of the recording before these.
    pub at: u64,
    /// 100 ms; in the last piece whatever is left, 0 to some 300 ms. Channels alternate.
    pub samples: Box<[i16]>,
    /// What else is to be known, about this piece or those before it.
    pub notes: Vec<Note>,
    /// In the last piece: what is to become of the recording.
    pub end: Option<RecordingEnd>,
}

impl Recorded {
    /// Frames of this piece.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.samples.len() as u64 / u64::from(self.title.sides.channels())
    }
}

/// What is to be known of a recording beside its sound. Places and lengths are frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// For 10 ms or longer there is silence in one channel that nobody has said. Told when it is over; none within a
    /// pause.
    Gap {
        /// In which channel.
        channel: Channel,
        /// Where it begins.
        at: u64,
        /// How long it is.
        length: u64,
        /// Why.
        why: Absence,
    },
    /// It was paused: silence in all channels. Told when it is over.
    Paused {
        /// Where it began.
        at: u64,
        /// For how long.
        length: u64,
        /// As given with [`Command::PauseRecording`](super::Command::PauseRecording).
        reason: Arc<str>,
    },
    /// From [`Command::MarkRecording`](super::Command::MarkRecording).
    Mark {
        /// Where.
        at: u64,
        /// What was given.
        what: Arc<str>,
    },
}

/// Why there is nothing to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The peer has put us on hold.
    HeldByPeer,
    /// Whom he is bridged with has put him on hold.
    HeldByOther,
    /// No packet came, or went: loss, silence that is not sent, nobody there.
    NothingCame,
}

/// What becomes of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingEnd {
    /// It is kept.
    Keep,
    /// It is thrown away.
    Discard,
}

impl Engine {
    pub(super) fn record(&mut self, now: Instant, index: u32, title: Arc<Title>, quiet: Option<Duration>) {
        self.stop_recording(now, index, RecordingEnd::Keep);
        self.attach(index, Box::new(Recorder::new(title, now, quiet)));
    }

    fn attach(&mut self, index: u32, recorder: Box<Recorder>) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        leg.recorder = Some(recorder);
        self.counters.recording += 1;
        self.enter_deadline(index);
    }

    fn detach(&mut self, index: u32) -> Option<Box<Recorder>> {
        let recorder = self.legs.get_mut(index).and_then(|leg| leg.recorder.take())?;
        self.counters.recording -= 1;
        Some(recorder)
    }

    pub(super) fn stop_recording(&mut self, now: Instant, index: u32, end: RecordingEnd) {
        let holds = self.holds(index);
        if let Some(recorder) = self.detach(index) {
            self.outbox.recorded(recorder.finish(now, holds, end));
        }
    }

    pub(super) fn move_recording(&mut self, now: Instant, from: u32, to: u32) {
        if from == to {
            return;
        }
        let Some(mut recorder) = self.detach(from) else { return };
        recorder.moves();
        self.stop_recording(now, to, RecordingEnd::Keep);
        self.attach(to, recorder);
    }

    pub(super) fn recorder(&mut self, index: u32) -> Option<&mut Recorder> {
        self.legs.get_mut(index)?.recorder.as_deref_mut()
    }

    /// Hands out the blocks that are due.
    pub(super) fn hand_out(&mut self, now: Instant, index: u32) {
        let holds = self.holds(index);
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(recorder) = &mut leg.recorder else { return };
        while let Some(block) = recorder.hand_out(now, holds) {
            self.outbox.recorded(block);
            if recorder.fell_quiet() {
                self.outbox.event(Event::Quiet { leg: leg.key });
            }
        }
    }

    fn holds(&self, index: u32) -> Holds {
        let holds = |leg: &Leg| leg.stream.as_ref().is_some_and(|stream| stream.remote_holds);
        let Some(leg) = self.legs.get(index).filter(|leg| leg.recorder.is_some()) else {
            return Holds::default();
        };
        let partner = leg.bridge.and_then(|side| self.legs.get(side.partner));
        Holds { peer: holds(leg), other: partner.is_some_and(holds) }
    }
}
