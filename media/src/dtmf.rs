//! Telephone-events: RFC 4733. Received once per event, generated packet by packet. Keys as tones are beside it.

pub mod tones;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// An event whose packets stop coming for this long has ended, its end was lost. Three intervals of the
/// slowest common sender, 50 ms (RFC 4733 §2.5.2.2 leaves the number to us).
const GIVEN_UP_AFTER: Duration = Duration::from_millis(150);
/// Digits closer together than this are a flood, not fingers (RFC 4733 §2.5.2.3 asks for 40 ms of tone).
const SHORTEST_GAP: Duration = Duration::from_millis(20);
/// An event's last packet is sent three times in all (§2.5.1.4).
const ENDS: u8 = 3;
/// Packets in a second.
const BEATS: u32 = 50;
/// The clock of events beside G.711 (§2.1). Beside a codec of another clock they have that one's (§7.1.1).
const RATE: u32 = 8_000;
/// Packets' worth of pause between two digits: 60 ms.
const PAUSE: u8 = 3;
/// Digits that may wait to be sent on one leg; more are refused.
const QUEUE: usize = 32;

/// A key of a telephone: events 0 to 15 of RFC 4733 §3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// `0` to `9`, `*`, `#`, `A` to `D` in either case.
    pub fn from_char(key: char) -> Option<Digit> {
        let key = key.to_ascii_uppercase();
        "0123456789*#ABCD".find(key).map(|at| Digit(at as u8))
    }

    /// By its event number, 0 to 15. Above are flash and tones, which are no digits.
    pub fn from_event(event: u8) -> Option<Digit> {
        (event < 16).then_some(Digit(event))
    }

    /// The event number.
    pub fn event(self) -> u8 {
        self.0
    }

    /// The key as printed on a telephone.
    pub fn as_char(self) -> char {
        char::from(b"0123456789*#ABCD"[usize::from(self.0)])
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.as_char())
    }
}

/// The payload of a telephone-event packet (§2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// Event number; 0 to 15 are digits.
    pub event: u8,
    /// The event is over.
    pub end: bool,
    /// Power below 0 dBm0, 0 to 63.
    pub volume: u8,
    /// Ticks since the packet's timestamp.
    pub duration: u16,
}

impl Payload {
    /// Reads the first event of a payload; `None` below four bytes. Several events in one payload are for
    /// redundancy (§2.5.1.5), which we neither offer nor use.
    pub fn read(payload: &[u8]) -> Option<Payload> {
        let [event, flags, high, low] = *payload.first_chunk()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(Payload { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// The four bytes of it.
    pub fn write(&self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

/// A digit that is over, and how long it was held in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressed {
    /// Which key.
    pub digit: Digit,
    /// How long, as far as packets told.
    pub duration_ms: u32,
}

/// Finds digits in the telephone-event packets of one leg. An event is known by its timestamp.
#[derive(Debug)]
pub struct Receiver {
    /// Ticks a second.
    rate: u32,
    current: Option<Current>,
    /// Timestamp of the event last reported: its repeated end packets are no news.
    reported: Option<u32>,
    reported_at: Option<Instant>,
}

#[derive(Debug)]
struct Current {
    event: u8,
    timestamp: u32,
    /// Ticks of segments before this one (§2.5.1.3).
    before: u32,
    duration: u16,
    last_at: Instant,
}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver { rate: RATE, current: None, reported: None, reported_at: None }
    }
}

impl Receiver {
    /// The events' clock from now on, in ticks a second; 8,000 until this is said. An event under way is told by the new one.
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = rate.max(1_000);
    }

    /// Takes in one packet. Gives the digits that have ended: first the event before, when its end was lost,
    /// then this one by its end bit.
    pub fn arrive(&mut self, now: Instant, timestamp: u32, payload: Payload) -> [Option<Pressed>; 2] {
        if self.is_old(timestamp) {
            return [None; 2];
        }
        let lost_end = match &mut self.current {
            Some(current) if current.timestamp == timestamp => {
                current.duration = current.duration.max(payload.duration);
                current.last_at = now;
                None
            }
            Some(current) if current.continues(timestamp, payload) => {
                current.before += u32::from(u16::MAX);
                (current.timestamp, current.duration, current.last_at) = (timestamp, payload.duration, now);
                None
            }
            _ => {
                let ended = self.finish().filter(|_| self.is_slow_enough(now));
                let duration = payload.duration;
                self.current =
                    Some(Current { event: payload.event, timestamp, before: 0, duration, last_at: now });
                ended
            }
        };
        let ended = if payload.end { self.finish() } else { None };
        // One packet may end two events, so the second is not asked how soon it comes.
        [lost_end, ended.filter(|_| lost_end.is_some() || self.is_slow_enough(now))]
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work: an event has begun and may have lost its end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.last_at + GIVEN_UP_AFTER)
    }

    /// Ends an event whose packets stopped coming.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Pressed> {
        if self.poll_timeout()? > now { None } else { self.finish().filter(|_| self.is_slow_enough(now)) }
    }

    /// The source has changed: timestamps from now on have nothing to do with those before.
    pub fn restart(&mut self, now: Instant) -> Option<Pressed> {
        let ended = self.finish().filter(|_| self.is_slow_enough(now));
        self.reported = None;
        ended
    }

    /// False when the digit before was reported only just now; else this one is being reported.
    fn is_slow_enough(&mut self, now: Instant) -> bool {
        let slow = self.reported_at.is_none_or(|at| now.saturating_duration_since(at) >= SHORTEST_GAP);
        if slow {
            self.reported_at = Some(now);
        }
        slow
    }

    /// Reported already, or older than what was reported or is going on.
    fn is_old(&self, timestamp: u32) -> bool {
        let newest = self.current.as_ref().map(|current| current.timestamp);
        let older = |than: u32| (timestamp.wrapping_sub(than) as i32) < 0;
        self.reported.is_some_and(|known| known == timestamp || older(known)) || newest.is_some_and(older)
    }

    fn finish(&mut self) -> Option<Pressed> {
        let Current { event, timestamp, before, duration, .. } = self.current.take()?;
        self.reported = Some(timestamp);
        let digit = Digit::from_event(event)?;
        Some(Pressed { digit, duration_ms: (before + u32::from(duration)) / (self.rate / 1_000) })
    }
}

impl Current {
    /// A long event goes on in a new segment that starts where a full one ends (§2.5.1.3).
    fn continues(&self, timestamp: u32, payload: Payload) -> bool {
        self.event == payload.event && timestamp.wrapping_sub(self.timestamp) == u32::from(u16::MAX)
    }
}

/// One packet of a generated event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first packet of the event: marker bit, and the event's timestamp is taken here.
    pub first: bool,
    /// The end has been sent before, for it may get lost.
    pub repeated: bool,
    /// Its timestamp is so many ticks after that of the event's first packet: 0, but for events longer than 65,535 ticks, which
    /// go on in another segment (§2.5.1.3).
    pub segment: u32,
    /// Ticks of the event that have passed before this packet.
    pub from: u32,
    /// What the packet says.
    pub payload: Payload,
}

/// What a [`Sender`] does with one beat of 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Send this.
    Part(Part),
    /// Pause between two digits: send nothing.
    Pause,
    /// Nothing left to do.
    Done,
}

/// Generates events, one packet on each beat of 20 ms (§2.5.1).
#[derive(Debug)]
pub struct Sender {
    /// Ticks a second.
    rate: u32,
    waiting: VecDeque<(Digit, u32)>,
    current: Option<Sending>,
    pause: u8,
}

#[derive(Debug)]
struct Sending {
    digit: Digit,
    total: u32,
    elapsed: u32,
    /// Where the present segment begins.
    segment: u32,
    ends: u8,
}

impl Sender {
    /// For events with a clock of `rate` ticks a second, which is that of the codec.
    #[must_use]
    pub fn new(rate: u32) -> Sender {
        Sender { rate, waiting: VecDeque::new(), current: None, pause: 0 }
    }

    /// Adds a digit of `duration_ms`, made at least 40 ms and at most 8 s. False if 32 are waiting already.
    pub fn push(&mut self, digit: Digit, duration_ms: u16) -> bool {
        let fits = self.waiting.len() < QUEUE;
        if fits {
            let ms = u32::from(duration_ms.clamp(40, 8_000));
            self.waiting.push_back((digit, ms * (self.rate / 1_000)));
        }
        fits
    }

    /// Nothing is being sent and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.current.is_none() && self.waiting.is_empty() && self.pause == 0
    }

    /// What to send on this beat.
    pub fn beat(&mut self) -> Beat {
        if self.pause > 0 {
            self.pause -= 1;
            return Beat::Pause;
        }
        if self.current.is_none() {
            let Some((digit, total)) = self.waiting.pop_front() else { return Beat::Done };
            self.current = Some(Sending { digit, total, elapsed: 0, segment: 0, ends: 0 });
        }
        let Some(sending) = &mut self.current else { return Beat::Done };
        let part = sending.part(self.rate / BEATS);
        if sending.ends == ENDS {
            self.current = None;
            self.pause = PAUSE;
        }
        Beat::Part(part)
    }
}

impl Sending {
    fn part(&mut self, step: u32) -> Part {
        let from = self.elapsed;
        if from - self.segment > u32::from(u16::MAX) {
            self.segment += u32::from(u16::MAX);
        }
        self.elapsed = (from + step).min(self.total);
        // The packet that fills a segment says so; what is beyond is the next one's.
        let duration = u16::try_from(self.elapsed - self.segment).unwrap_or(u16::MAX);
        let end = self.segment + u32::from(duration) == self.total;
        self.ends += u8::from(end);
        Part {
            first: from == 0,
            repeated: self.ends > 1,
            segment: self.segment,
            from,
            payload: Payload { event: self.digit.event(), end, volume: 10, duration },
        }
    }
}
