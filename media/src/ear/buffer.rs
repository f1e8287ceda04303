//! Packets that wait for their turn: as short as the network allows.
//!
//! How much later than the fastest one packets come decides how long all of them wait. Who is later than that delays
//! everything behind him: what is made up meanwhile takes no time away from what he said. A wait that has not been needed
//! for a second is shortened by a frame.

use std::collections::VecDeque;
use std::time::Instant;

/// The least and the most that packets wait, beyond their own length.
const LEAST_MS: i64 = 10;
const MOST_MS: i64 = 200;
/// More than this is no delay but a pile: a burst after an outage. It is cut to what is needed.
const PILE_MS: i64 = 300;
/// Packets at most, whatever they say they are.
const MOST_PACKETS: usize = 128;
/// So many frames are made up for who is late; then he is silent.
const PATIENCE: u8 = 5;
/// Frames between two looks whether the wait could be shorter: a second.
const LOOK: u8 = 50;
/// A timestamp so far from those before belongs to another clock.
const ANOTHER_CLOCK_MS: i64 = 10_000;

/// The packets of one peer that have come and were not yet wanted.
#[derive(Debug)]
pub(super) struct Buffer {
    per_ms: i64,
    /// By timestamp, no two alike.
    packets: VecDeque<Waiting>,
    run: Option<u32>,
    /// The newest timestamp, as it came and without wrapping.
    newest: Option<(u32, i64)>,
    /// What is to be heard next; `None`: nobody speaks, or not enough of it has come.
    next: Option<i64>,
    /// Length of a packet, as far as timestamps show.
    step: i64,
    lateness: Lateness,
    /// Frames made up in a row for somebody late.
    late: u8,
    /// The least that waited since the last look, and how long ago that was.
    least: i64,
    looked: u8,
    too_long: bool,
}

#[derive(Debug)]
struct Waiting {
    at: i64,
    payload: Box<[u8]>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// This; say by [`Buffer::heard`] how long it was.
    Packet(&'a [u8]),
    /// A frame that was lost, for later ones have come. `after` is the packet directly behind it, if that has.
    Lost { after: Option<&'a [u8]> },
    /// Nothing has come, but it may yet.
    Late,
    /// Nobody speaks.
    Nothing,
}

/// How much later packets come than the fastest of them.
#[derive(Debug, Default)]
struct Lateness {
    origin: Option<Instant>,
    fastest_us: i64,
    worst_us: i64,
}

impl Buffer {
    /// For timestamps of `clock_rate` Hz.
    pub(super) fn new(clock_rate: u32) -> Buffer {
        let per_ms = i64::from(clock_rate) / 1_000;
        Buffer {
            per_ms,
            packets: VecDeque::new(),
            run: None,
            newest: None,
            next: None,
            step: 20 * per_ms,
            lateness: Lateness::default(),
            late: 0,
            least: i64::MAX,
            looked: 0,
            too_long: false,
        }
    }

    /// Takes in a packet of run `run` (see [`Place`](crate::leg::Place)).
    pub(super) fn take(&mut self, now: Instant, run: u32, timestamp: u32, payload: &[u8]) {
        let at = self.unwrap(run, timestamp);
        self.lateness.note(now, at * 1_000 / self.per_ms);
        if self.next.is_some_and(|next| at < next) {
            return; // its place has been filled otherwise
        }
        let behind = self.packets.iter().rposition(|waiting| waiting.at <= at);
        let place = behind.map_or(0, |behind| behind + 1);
        if behind.is_some_and(|behind| self.packets[behind].at == at) {
            return;
        }
        if let Some(behind) = behind.filter(|behind| behind + 1 == self.packets.len()) {
            let step = at - self.packets[behind].at;
            self.step = if (10 * self.per_ms..=120 * self.per_ms).contains(&step) {
                step.min(2 * self.step)
            } else {
                self.step
            };
        }
        self.packets.insert(place, Waiting { at, payload: payload.into() });
        if self.packets.len() > MOST_PACKETS || self.waiting() > PILE_MS * self.per_ms {
            self.cut();
        }
    }

    /// The timestamp without wrapping; one of another clock starts everything anew.
    fn unwrap(&mut self, run: u32, timestamp: u32) -> i64 {
        let known = self.newest.filter(|_| self.run == Some(run));
        let at = known.map(|(newest, at)| at + i64::from(timestamp.wrapping_sub(newest).cast_signed()));
        let near =
            at.zip(known).filter(|(at, (_, newest))| (at - newest).abs() < ANOTHER_CLOCK_MS * self.per_ms);
        match near {
            Some((at, (_, newest))) if at <= newest => at,
            Some((at, _)) => {
                self.newest = Some((timestamp, at));
                at
            }
            None => {
                (self.packets, self.next) = (VecDeque::new(), None);
                (self.run, self.newest) = (Some(run), Some((timestamp, 0)));
                self.lateness = Lateness { worst_us: self.lateness.worst_us, ..Lateness::default() };
                0
            }
        }
    }

    /// The oldest go, until no more waits than is needed.
    fn cut(&mut self) {
        while self.waiting() > self.needed() && self.packets.len() > 1 {
            self.packets.pop_front();
            self.next = self.packets.front().map(|waiting| waiting.at);
        }
    }

    /// Once a frame, before anything is taken: looks whether the wait is longer than it need be.
    pub(super) fn tick(&mut self) {
        if self.next.is_none() {
            (self.least, self.looked) = (i64::MAX, 0);
            return;
        }
        self.least = self.least.min(self.waiting());
        self.looked += 1;
        if self.looked == LOOK {
            self.too_long = self.least > self.needed() + 20 * self.per_ms;
            (self.least, self.looked) = (i64::MAX, 0);
        }
    }

    /// True once, when two frames should be heard in the place of one.
    pub(super) fn is_too_long(&mut self) -> bool {
        std::mem::take(&mut self.too_long)
    }

    /// What comes next. Time that is made up for somebody late is not taken from him, unless he turns out to be lost.
    pub(super) fn next(&mut self) -> Next<'_> {
        let Some(next) = self.next.or_else(|| self.start()) else { return Next::Nothing };
        self.next = Some(next);
        let Some(front) = self.packets.front().map(|waiting| waiting.at) else { return self.wait() };
        let (waiting, needed) = (self.span_from(next), self.needed());
        if front > next + self.per_ms && waiting < needed {
            return self.wait(); // it may only have been overtaken
        }
        let made_up = i64::from(std::mem::take(&mut self.late)) * 20 * self.per_ms;
        let next = if front > next { (next + made_up.min(waiting - needed).max(0)).min(front) } else { next };
        if front > next + self.per_ms {
            self.next = Some(next + (20 * self.per_ms).min(front - next));
            let is_direct = front - next <= 20 * self.per_ms;
            return Next::Lost {
                after: self.packets.front().filter(|_| is_direct).map(|waiting| &*waiting.payload),
            };
        }
        self.next = Some(front);
        self.take_front()
    }

    fn take_front(&mut self) -> Next<'_> {
        // It stays until its length is known.
        self.packets.front().map_or(Next::Nothing, |waiting| Next::Packet(&waiting.payload))
    }

    /// The packet given out last was so many milliseconds, in thousandths.
    pub(super) fn heard(&mut self, us: i64) {
        if let Some(waiting) = self.packets.pop_front() {
            self.next = Some(waiting.at + us * self.per_ms / 1_000);
        }
    }

    fn wait(&mut self) -> Next<'_> {
        self.late += 1;
        if self.late > PATIENCE {
            (self.late, self.next) = (0, None);
            return Next::Nothing;
        }
        Next::Late
    }

    /// Where to begin: at the oldest, once enough has come.
    fn start(&self) -> Option<i64> {
        let front = self.packets.front()?;
        (self.span_from(front.at) >= self.needed()).then_some(front.at)
    }

    /// What ought to wait when a frame is taken.
    fn needed(&self) -> i64 {
        self.step
            + (self.lateness.worst_us * self.per_ms / 1_000)
                .clamp(LEAST_MS * self.per_ms, MOST_MS * self.per_ms)
    }

    /// What waits, in ticks: also what is missing among it.
    fn waiting(&self) -> i64 {
        let front = self.packets.front().map(|waiting| waiting.at);
        self.next.or(front).map_or(0, |from| self.span_from(from))
    }

    fn span_from(&self, from: i64) -> i64 {
        self.packets.back().map_or(0, |back| (back.at + self.step - from).max(0))
    }

    /// What waits, in milliseconds.
    pub(super) fn delay_ms(&self) -> u16 {
        u16::try_from(self.waiting() / self.per_ms).unwrap_or(0)
    }
}

impl Lateness {
    /// The worst is forgotten by and by, in some five seconds by half; the fastest creeps, for two clocks are never alike.
    fn note(&mut self, now: Instant, at_us: i64) {
        let is_first = self.origin.is_none();
        let origin = *self.origin.get_or_insert(now);
        let transit = now.saturating_duration_since(origin).as_micros() as i64 - at_us;
        self.fastest_us = if is_first { transit } else { transit.min(self.fastest_us + 5) };
        let late = (transit - self.fastest_us).min(MOST_MS * 1_000);
        self.worst_us = late.max(self.worst_us - self.worst_us / 350);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;
    use std::time::Duration;

    /// Packets of 20 ms that come when `arrives` says (`None`: lost), taken on a beat of 20 ms that begins with the first. What
    /// was given out, packets by their number.
    fn play(count: usize, frames: usize, arrives: impl Fn(usize) -> Option<u64>) -> (Vec<String>, Buffer) {
        let (start, mut buffer, mut told) = (origin(), Buffer::new(8_000), Vec::new());
        let mut comes: Vec<(u64, usize)> = (0..count).filter_map(|n| Some((arrives(n)?, n))).collect();
        comes.sort_unstable();
        let mut comes = comes.into_iter().peekable();
        for frame in 0..frames as u64 {
            while let Some((at, n)) = comes.next_if(|(at, _)| *at <= frame * 20) {
                buffer.take(
                    start + Duration::from_millis(at),
                    1,
                    (n as u32 * 160).wrapping_sub(320),
                    &(n as u16).to_be_bytes(),
                );
            }
            buffer.tick();
            if buffer.is_too_long() {
                told.push("shorter".to_owned());
                skip(&mut buffer);
            }
            told.push(match buffer.next() {
                Next::Packet(payload) => u16::from_be_bytes([payload[0], payload[1]]).to_string(),
                Next::Lost { after } => if after.is_some() { "lost, copy" } else { "lost" }.to_owned(),
                Next::Late => "late".to_owned(),
                Next::Nothing => "-".to_owned(),
            });
            if told.last().is_some_and(|told| told.parse::<u16>().is_ok()) {
                buffer.heard(20_000);
            }
        }
        (told, buffer)
    }

    fn skip(buffer: &mut Buffer) {
        if matches!(buffer.next(), Next::Packet(_)) {
            buffer.heard(20_000);
        }
    }

    fn numbers(told: &[String]) -> Vec<usize> {
        told.iter().filter_map(|told| told.parse().ok()).collect()
    }

    #[test]
    fn even_packets_wait_for_one_more_and_then_come_each_in_its_turn_across_a_wrap() {
        let (told, buffer) = play(20, 20, |n| Some(n as u64 * 20));
        assert_eq!(told[..3], ["-", "0", "1"]);
        assert_eq!(numbers(&told), (0..19).collect::<Vec<_>>());
        assert!(buffer.delay_ms() <= 40);
    }

    #[test]
    fn a_lost_packet_is_told_with_the_copy_that_follows_it_and_costs_no_delay() {
        let (told, _) = play(20, 20, |n| (n != 7).then_some(n as u64 * 20));
        assert_eq!(told[7..11], ["6", "lost, copy", "8", "9"]);
    }

    #[test]
    fn of_two_lost_in_a_row_only_the_second_has_a_copy() {
        let (told, _) = play(20, 20, |n| (n != 7 && n != 8).then_some(n as u64 * 20));
        assert_eq!(told[7..12], ["6", "late", "lost, copy", "9", "10"]);
    }

    #[test]
    fn packets_that_overtake_each_other_are_put_in_order() {
        let (told, _) = play(20, 22, |n| Some(n as u64 * 20 + if n % 4 == 2 { 25 } else { 0 }));
        let heard = numbers(&told);
        assert!(heard.is_sorted() && heard.len() >= 18, "{told:?}");
    }

    #[test]
    fn a_network_that_grows_slow_costs_a_break_once_and_then_nothing_more() {
        let late = |n: usize| if n > 50 && n.is_multiple_of(3) { 90 } else { 0 };
        let (told, buffer) = play(200, 200, |n| Some(n as u64 * 20 + late(n)));
        let breaks = told[80..].iter().filter(|told| told.parse::<u16>().is_err()).count();
        assert!(breaks <= 1, "{told:?}");
        assert!((90..=160).contains(&buffer.delay_ms()), "{} ms", buffer.delay_ms());
    }

    #[test]
    fn when_it_is_fast_again_the_wait_becomes_short_again() {
        let late = |n: usize| if (50..100).contains(&n) && n.is_multiple_of(3) { 90 } else { 0 };
        let (told, buffer) = play(2_000, 2_000, |n| Some(n as u64 * 20 + late(n)));
        assert!(buffer.delay_ms() <= 60, "{} ms", buffer.delay_ms());
        assert!(told.iter().filter(|told| *told == "shorter").count() >= 3);
    }

    #[test]
    fn who_stops_speaking_is_awaited_for_100_ms_and_then_silent() {
        let (told, _) = play(10, 30, |n| Some(n as u64 * 20));
        assert_eq!(told[11..16], ["late"; 5].map(str::to_owned));
        assert!(told[16..].iter().all(|told| told == "-"));
    }

    #[test]
    fn who_begins_anew_after_a_pause_is_heard_at_once() {
        let (told, _) = play(40, 90, |n| Some(n as u64 * 20 + if n >= 20 { 800 } else { 0 }));
        assert_eq!(told[60], "-");
        assert_eq!(numbers(&told).len(), 40, "{told:?}");
    }

    #[test]
    fn a_burst_after_an_outage_is_cut_to_the_last_of_it() {
        let (told, buffer) =
            play(200, 200, |n| Some(if (40..120).contains(&n) { 2_400 } else { n as u64 * 20 }));
        assert!(buffer.delay_ms() <= 300, "{} ms, {told:?}", buffer.delay_ms());
    }

    #[test]
    fn a_pile_of_packets_is_bounded() {
        let mut buffer = Buffer::new(8_000);
        for n in 0..10_000u32 {
            buffer.take(origin(), 1, n * 8, &[0; 8]);
        }
        assert!(buffer.packets.len() <= MOST_PACKETS);
    }

    #[test]
    fn another_clock_begins_anew() {
        let mut buffer = Buffer::new(8_000);
        buffer.take(origin(), 1, 5, &[1]);
        buffer.take(origin(), 2, 900_000, &[2]);
        assert_eq!(buffer.packets.len(), 1);
        assert_eq!(&*buffer.packets[0].payload, [2]);
    }
}
