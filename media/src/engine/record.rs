//! Recordings of legs: begun and ended by command, handed out block by block.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Engine, Event};
use crate::recorder::Recorder;

/// A piece of a recording: 16-bit samples at 8 kHz, one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The name given with [`Command::Record`](super::Command::Record).
    pub name: Arc<str>,
    /// Samples of the recording before these.
    pub at: u64,
    /// 100 ms; in the last piece whatever is left, 0 to some 300 ms.
    pub samples: Box<[i16]>,
    /// In the last piece: what is to become of the recording.
    pub end: Option<RecordingEnd>,
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
    pub(super) fn record(&mut self, now: Instant, index: u32, name: Arc<str>, quiet: Option<Duration>) {
        self.stop_recording(now, index, RecordingEnd::Keep);
        let Some(leg) = self.legs.get_mut(index) else { return };
        leg.recorder = Some(Box::new(Recorder::new(name, now, quiet)));
        self.counters.recording += 1;
        self.enter_deadline(index);
    }

    pub(super) fn stop_recording(&mut self, now: Instant, index: u32, end: RecordingEnd) {
        let Some(recorder) = self.legs.get_mut(index).and_then(|leg| leg.recorder.take()) else { return };
        self.outbox.recorded(recorder.finish(now, end));
        self.counters.recording -= 1;
    }

    /// Hands out the blocks that are due.
    pub(super) fn hand_out(&mut self, now: Instant, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(recorder) = &mut leg.recorder else { return };
        while let Some(block) = recorder.hand_out(now) {
            self.outbox.recorded(block);
            if recorder.fell_quiet() {
                self.outbox.event(Event::Quiet { leg: leg.key });
            }
        }
    }
}
