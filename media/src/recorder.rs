//! Records what a peer says: packets put in order by their timestamps, gaps filled with silence, on our wall clock.
//!
//! The n-th sample of a recording is what was heard n/8000 s after it began, whatever happened to packets, numbers,
//! codecs and the dialog meanwhile; so the recordings of two legs that began together stay together. Sound is handed out
//! in blocks of 100 ms, 200 ms late: that is how late a packet may come and still find its place.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::engine::{Recorded, RecordingEnd};
use crate::leg::Place;
use crate::tone::{self, RATE};

/// Samples of a block: 100 ms.
const BLOCK: i64 = RATE as i64 / 10;
/// How much later than the earliest possible moment a block is handed out: 200 ms.
const PATIENCE: i64 = RATE as i64 / 5;
/// How far ahead of the wall clock a packet may say it is, 200 ms: one that came faster than those before it. Beyond, its
/// timestamp belongs to another clock.
const AHEAD: i64 = RATE as i64 / 5;
/// So many packets in a row too late for their places, a second of sound: the peer's clock has fallen behind ours.
const TOO_LATE: u32 = 50;
/// Samples of one packet that are looked at, half a second: more is no telephone.
const PACKET: usize = RATE as usize / 2;
/// Below this level nobody speaks: comfort noise lies some 10 dB lower, a low voice some 10 dB higher.
const QUIET_DBFS: f32 = -50.0;

/// A recording under way.
#[derive(Debug)]
pub(crate) struct Recorder {
    name: Arc<str>,
    began: Instant,
    /// The first sample that has not been handed out.
    next: i64,
    /// From `next` on, silence where nothing has come.
    window: VecDeque<i16>,
    /// Where the newest packet's timestamp lies.
    anchor: Option<Anchor>,
    late_in_a_row: u32,
    quiet: Option<Quiet>,
}

/// A timestamp of the peer and its place in the recording.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    run: u32,
    timestamp: u32,
    at: i64,
}

/// How long nobody has spoken, and from when on that is to be told.
#[derive(Debug)]
struct Quiet {
    limit: i64,
    samples: i64,
    told: bool,
}

impl Recorder {
    pub(crate) fn new(name: Arc<str>, began: Instant, quiet: Option<Duration>) -> Recorder {
        let quiet = quiet.map(|limit| Quiet { limit: samples_of(limit), samples: 0, told: false });
        let (next, window, anchor, late_in_a_row) = (0, VecDeque::new(), None, 0);
        Recorder { name, began, next, window, anchor, late_in_a_row, quiet }
    }

    /// When the next block is due.
    pub(crate) fn due_at(&self) -> Instant {
        let samples = u64::try_from(self.next + BLOCK + PATIENCE).unwrap_or(0);
        self.began + Duration::from_micros(samples * 1_000_000 / u64::from(RATE))
    }

    /// Takes in one packet of sound that has come now.
    pub(crate) fn take(&mut self, now: Instant, codec: Codec, place: Place, timestamp: u32, payload: &[u8]) {
        let payload = &payload[..payload.len().min(PACKET)];
        let length = payload.len() as i64;
        let on_time = self.wall(now) - length; // its last sample was spoken just now
        let by_timestamp = self.by_timestamp(on_time, place.run, timestamp);
        let at = by_timestamp.unwrap_or(on_time);
        if at + length <= self.next {
            self.late_in_a_row += 1;
            return;
        }
        self.late_in_a_row = 0;
        if by_timestamp.is_none() || self.anchor.is_none_or(|anchor| anchor.at < at) {
            self.anchor = Some(Anchor { run: place.run, timestamp, at });
        }
        self.write(at, codec, payload);
    }

    /// Where a packet belongs by its timestamp beside that of the newest one. `None`: they are not of one clock, or the
    /// wall clock disagrees.
    fn by_timestamp(&self, on_time: i64, run: u32, timestamp: u32) -> Option<i64> {
        let anchor = self.anchor.filter(|anchor| anchor.run == run && self.late_in_a_row < TOO_LATE);
        let by_timestamp = anchor.map(|Anchor { timestamp: known, at, .. }| {
            at + i64::from(timestamp.wrapping_sub(known).cast_signed()) // wraps as timestamps do (RFC 3550 §5.1)
        });
        by_timestamp.filter(|at| *at <= on_time + AHEAD)
    }

    fn write(&mut self, at: i64, codec: Codec, payload: &[u8]) {
        let from = usize::try_from(self.next - at).unwrap_or(0); // its beginning has been handed out already
        let start = usize::try_from(at - self.next).unwrap_or(0);
        let payload = &payload[from.min(payload.len())..];
        if self.window.len() < start + payload.len() {
            self.window.resize(start + payload.len(), 0);
        }
        let mut samples = [0; PACKET];
        codec.decode(payload, &mut samples);
        for (into, sample) in self.window.range_mut(start..).zip(&samples[..payload.len()]) {
            *into = *sample;
        }
    }

    /// The next block, if it is due.
    pub(crate) fn hand_out(&mut self, now: Instant) -> Option<Recorded> {
        (self.due_at() <= now).then(|| self.cut(BLOCK, None))
    }

    /// All that is left up to now, and the end of the recording.
    pub(crate) fn finish(mut self, now: Instant, end: RecordingEnd) -> Recorded {
        let left = (self.wall(now) - self.next).max(0);
        self.cut(left, Some(end))
    }

    fn cut(&mut self, length: i64, end: Option<RecordingEnd>) -> Recorded {
        let count = usize::try_from(length).unwrap_or(0);
        self.window.resize(self.window.len().max(count), 0);
        let samples: Box<[i16]> = self.window.drain(..count).collect();
        let at = self.next.unsigned_abs();
        self.next += length;
        if let Some(quiet) = &mut self.quiet {
            quiet.samples = if tone::level(&samples) < QUIET_DBFS { quiet.samples + length } else { 0 };
        }
        Recorded { name: Arc::clone(&self.name), at, samples, end }
    }

    /// True once, when nobody has spoken for as long as was set.
    pub(crate) fn fell_quiet(&mut self) -> bool {
        let Some(quiet) = self.quiet.as_mut().filter(|quiet| !quiet.told) else { return false };
        quiet.told = quiet.samples >= quiet.limit;
        quiet.told
    }

    /// Samples since the recording began.
    fn wall(&self, now: Instant) -> i64 {
        samples_of(now.saturating_duration_since(self.began))
    }
}

fn samples_of(length: Duration) -> i64 {
    i64::try_from(length.as_micros() * u128::from(RATE) / 1_000_000).unwrap_or(i64::MAX)
}
