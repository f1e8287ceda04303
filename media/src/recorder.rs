//! Records a leg: what its peer says, and if asked for what he hears, packets put in order by their timestamps, gaps
//! filled with silence, on our wall clock.
//!
//! The n-th sample of a recording is what was heard n/8000 s after it began, whatever happened to packets, numbers,
//! codecs and the dialog meanwhile; so both sides stay together. Sound is handed out in blocks of 100 ms, 200 ms late:
//! that is how late a packet may come and still find its place. Silence that nobody said is noted beside it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::codec::{Codec, Decoder};
use crate::ear::Halver;
use crate::engine::{Absence, Channel, Note, Recorded, RecordingEnd, Sides, Title};
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
/// Below this level nobody speaks: comfort noise lies some 10 dB lower, a low voice some 10 dB higher.
const QUIET_DBFS: f32 = -50.0;
/// A shorter hole is the seam between two who speak one after the other: 10 ms.
const SHORTEST_GAP: u64 = RATE as u64 / 100;

/// A recording under way.
#[derive(Debug)]
pub(crate) struct Recorder {
    title: Arc<Title>,
    began: Instant,
    /// The first sample that has not been handed out.
    next: i64,
    /// What the peer says.
    said: Track,
    /// What he hears.
    heard: Option<Track>,
    pauses: VecDeque<Pause>,
    notes: Vec<Note>,
    quiet: Option<Quiet>,
}

/// One side of a recording.
#[derive(Debug)]
struct Track {
    /// For the codec of the last packet.
    decoder: Option<Decoder>,
    /// For codecs of 16 kHz.
    halver: Halver,
    /// From `next` on; `None` where nothing has come.
    window: VecDeque<Option<i16>>,
    /// Where the newest packet's timestamp lies.
    anchor: Option<Anchor>,
    late_in_a_row: u32,
    /// The silence that the next block may go on with: where it began, and why.
    gap: Option<(u64, Absence)>,
}

/// A timestamp of whoever speaks and its place in the recording.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    run: u32,
    timestamp: u32,
    at: i64,
}

/// When a packet's sound was spoken, by the clock of whoever spoke: timestamps of different runs cannot be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoken {
    pub(crate) run: u32,
    pub(crate) timestamp: u32,
}

/// A part of the recording that nobody is to hear, whatever comes for it and however late.
#[derive(Debug)]
struct Pause {
    from: i64,
    /// `None`: it goes on.
    until: Option<i64>,
    reason: Arc<str>,
}

impl Pause {
    fn covers(&self, at: i64) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Who of the two holds the other, as far as their descriptions say so.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holds {
    pub(crate) peer: bool,
    pub(crate) other: bool,
}

impl Holds {
    fn absence(self) -> Absence {
        match self {
            Holds { peer: true, .. } => Absence::HeldByPeer,
            Holds { other: true, .. } => Absence::HeldByOther,
            Holds { .. } => Absence::NothingCame,
        }
    }
}

/// How long nobody has spoken, and from when on that is to be told.
#[derive(Debug)]
struct Quiet {
    limit: i64,
    samples: i64,
    told: bool,
}

impl Recorder {
    pub(crate) fn new(title: Arc<Title>, began: Instant, quiet: Option<Duration>) -> Recorder {
        let quiet = quiet.map(|limit| Quiet { limit: samples_of(limit), samples: 0, told: false });
        let heard = (title.sides == Sides::Both).then(Track::default);
        let (said, pauses, notes) = (Track::default(), VecDeque::new(), Vec::new());
        Recorder { title, began, next: 0, said, heard, pauses, notes, quiet }
    }

    /// When the next block is due.
    pub(crate) fn due_at(&self) -> Instant {
        let samples = u64::try_from(self.next + BLOCK + PATIENCE).unwrap_or(0);
        self.began + Duration::from_micros(samples * 1_000_000 / u64::from(RATE))
    }

    /// Takes in one packet of sound that has come from the peer now.
    pub(crate) fn take_said(&mut self, now: Instant, codec: Codec, spoken: Spoken, payload: &[u8]) {
        let wall = self.wall(now);
        self.said.take((wall, self.next), codec, spoken, payload);
    }

    /// Takes in one packet of sound that goes to the peer now.
    pub(crate) fn take_heard(&mut self, now: Instant, codec: Codec, spoken: Spoken, payload: &[u8]) {
        let wall = self.wall(now);
        if let Some(heard) = &mut self.heard {
            heard.take((wall, self.next), codec, spoken, payload);
        }
    }

    /// From now on nothing is recorded, until [`resume`](Self::resume); a second pause changes nothing.
    pub(crate) fn pause(&mut self, now: Instant, reason: Arc<str>) {
        if self.pauses.back().is_none_or(|pause| pause.until.is_some()) {
            self.pauses.push_back(Pause { from: self.wall(now).max(self.next), until: None, reason });
        }
    }

    pub(crate) fn resume(&mut self, now: Instant) {
        let wall = self.wall(now);
        let Some(pause) = self.pauses.back_mut().filter(|pause| pause.until.is_none()) else { return };
        pause.until = Some(wall.max(pause.from));
        let (at, length) = (pause.from.unsigned_abs(), (wall - pause.from).max(0).unsigned_abs());
        self.notes.push(Note::Paused { at, length, reason: Arc::clone(&pause.reason) });
    }

    /// Something that whoever listens ought to know, at this place.
    pub(crate) fn mark(&mut self, now: Instant, what: Arc<str>) {
        self.notes.push(Note::Mark { at: self.wall(now).max(0).unsigned_abs(), what });
    }

    /// It goes on at another leg, whose numbers have nothing to do with those so far.
    pub(crate) fn moves(&mut self) {
        self.said.anchor = None;
        self.heard.iter_mut().for_each(|heard| heard.anchor = None);
    }

    /// The next block, if it is due.
    pub(crate) fn hand_out(&mut self, now: Instant, holds: Holds) -> Option<Recorded> {
        (self.due_at() <= now).then(|| self.cut(BLOCK, holds, None))
    }

    /// All that is left up to now, and the end of the recording.
    pub(crate) fn finish(mut self, now: Instant, holds: Holds, end: RecordingEnd) -> Recorded {
        self.resume(now);
        let left = (self.wall(now) - self.next).max(0);
        let mut last = self.cut(left, holds, Some(end));
        for (channel, track) in [(Channel::Said, Some(&mut self.said)), (Channel::Heard, self.heard.as_mut())]
        {
            let until = self.next.unsigned_abs();
            last.notes.extend(track.and_then(|track| track.close_gap(channel, until)));
        }
        last
    }

    fn cut(&mut self, length: i64, holds: Holds, end: Option<RecordingEnd>) -> Recorded {
        let at = self.next;
        self.next += length;
        let mut block =
            Block { at, length, absence: holds.absence(), pauses: &self.pauses, notes: &mut self.notes };
        let said = block.of(Channel::Said, &mut self.said);
        if let Some(quiet) = &mut self.quiet {
            quiet.samples = if tone::level(&said) < QUIET_DBFS { quiet.samples + length } else { 0 };
        }
        let samples = match &mut self.heard {
            Some(track) => interleaved(&said, &block.of(Channel::Heard, track)),
            None => said.into(),
        };
        let next = self.next;
        self.pauses.retain(|pause| pause.until.is_none_or(|until| until > next));
        let notes = std::mem::take(&mut self.notes);
        Recorded { title: Arc::clone(&self.title), at: at.unsigned_abs(), samples, notes, end }
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

/// A stretch of the recording that is being handed out.
struct Block<'a> {
    at: i64,
    length: i64,
    absence: Absence,
    pauses: &'a VecDeque<Pause>,
    notes: &'a mut Vec<Note>,
}

impl Block<'_> {
    fn of(&mut self, channel: Channel, track: &mut Track) -> Vec<i16> {
        if let Some((_, why)) = track.gap.as_mut().filter(|(_, why)| *why == Absence::NothingCame) {
            *why = self.absence; // packets end sooner than the hold is known of
        }
        let samples = (self.at..self.at + self.length).map(|at| {
            let sample = track.window.pop_front().flatten();
            let place = at.unsigned_abs();
            let is_paused = self.pauses.iter().any(|pause| pause.covers(at));
            match sample {
                None if !is_paused => {
                    track.gap.get_or_insert((place, self.absence));
                }
                _ => self.notes.extend(track.close_gap(channel, place)),
            }
            if is_paused { 0 } else { sample.unwrap_or(0) }
        });
        samples.collect()
    }
}

fn interleaved(said: &[i16], heard: &[i16]) -> Box<[i16]> {
    said.iter().zip(heard).flat_map(|(said, heard)| [*said, *heard]).collect()
}

impl Default for Track {
    fn default() -> Track {
        let (window, anchor, late_in_a_row, gap) = (VecDeque::new(), None, 0, None);
        Track { decoder: None, halver: Halver::new(), window, anchor, late_in_a_row, gap }
    }
}

impl Track {
    /// One packet, now: at `wall` of the recording, of which all before `next` has been handed out.
    fn take(&mut self, (wall, next): (i64, i64), codec: Codec, spoken: Spoken, payload: &[u8]) {
        let clock_rate = codec.clock_rate();
        let samples = &self.decode(codec, payload);
        let length = samples.len() as i64;
        let on_time = wall - length; // its last sample was spoken just now
        let by_timestamp = self.by_timestamp(on_time, clock_rate, spoken);
        let at = by_timestamp.unwrap_or(on_time);
        if at + length <= next {
            self.late_in_a_row += 1;
            return;
        }
        self.late_in_a_row = 0;
        if by_timestamp.is_none() || self.anchor.is_none_or(|anchor| anchor.at < at) {
            self.anchor = Some(Anchor { run: spoken.run, timestamp: spoken.timestamp, at });
        }
        self.write(at - next, samples);
    }

    /// Where a packet belongs by its timestamp beside that of the newest one. `None`: they are not of one clock, or the
    /// wall clock disagrees.
    fn by_timestamp(&self, on_time: i64, clock_rate: u32, spoken: Spoken) -> Option<i64> {
        let anchor = self.anchor.filter(|anchor| anchor.run == spoken.run && self.late_in_a_row < TOO_LATE);
        let by_timestamp = anchor.map(|Anchor { timestamp: known, at, .. }| {
            // It wraps as timestamps do (RFC 3550 §5.1).
            let passed = i64::from(spoken.timestamp.wrapping_sub(known).cast_signed());
            at + passed * i64::from(RATE) / i64::from(clock_rate)
        });
        by_timestamp.filter(|at| *at <= on_time + AHEAD)
    }

    /// `at`: from the beginning of the window; negative if the beginning of the packet has been handed out already.
    fn write(&mut self, at: i64, samples: &[i16]) {
        let late = usize::try_from(-at).unwrap_or(0);
        let start = usize::try_from(at).unwrap_or(0);
        let samples = &samples[late.min(samples.len())..];
        if self.window.len() < start + samples.len() {
            self.window.resize(start + samples.len(), None);
        }
        for (into, sample) in self.window.range_mut(start..).zip(samples) {
            *into = Some(*sample);
        }
    }

    /// The samples of a payload, at [`RATE`]: where sound becomes what is recorded. None of a codec that can only be passed on.
    fn decode(&mut self, codec: Codec, payload: &[u8]) -> Vec<i16> {
        if self.decoder.as_ref().is_none_or(|decoder| decoder.codec() != codec) {
            (self.decoder, self.halver) = (Decoder::new(codec), Halver::new());
        }
        let mut samples = Vec::new();
        if let Some(decoder) = &mut self.decoder {
            decoder.decode(payload, &mut samples);
        }
        if codec.sound_rate() == RATE { samples } else { self.halver.halve_all(&samples) }
    }

    fn close_gap(&mut self, channel: Channel, until: u64) -> Option<Note> {
        let (at, why) = self.gap.take()?;
        let length = until - at;
        (length >= SHORTEST_GAP).then_some(Note::Gap { channel, at, length, why })
    }
}

fn samples_of(length: Duration) -> i64 {
    i64::try_from(length.as_micros() * u128::from(RATE) / 1_000_000).unwrap_or(i64::MAX)
}
