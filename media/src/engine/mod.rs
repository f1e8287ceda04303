//! One worker's legs, without I/O: packets, commands and the time go in, packets and events come out.
//!
//! Feed [`handle_command`](Engine::handle_command), [`handle_packet`](Engine::handle_packet) (the hot path: it
//! answers at once and in place), [`handle_rtcp`](Engine::handle_rtcp) and
//! [`handle_timeout`](Engine::handle_timeout); after each drain [`poll_output`](Engine::poll_output) until it says
//! `Timeout`.

mod command;
mod counters;
mod deadlines;
mod legs;
mod outbox;
mod path;
mod record;
mod relay;
mod report;
mod rooms;
mod speak;

use std::time::{Duration, Instant};

pub use command::{Command, Event, Forward, MediaLegKey, Output, PlayFrom, Spot};
pub use counters::{COUNTERS, Counters};
pub use record::{Absence, Channel, Note, Recorded, RecordingEnd, Sides, Title};
pub use rooms::Supervision;

#[cfg(feature = "driver")]
pub(crate) use legs::KeyHasher;

use deadlines::Deadlines;
use legs::Legs;
use outbox::{Outbox, Waiting};
use rooms::{Rooms, Watch, room_of_seat};

use crate::bridge::Side;
use crate::cadence::Cadence;
use crate::dtmf::Pressed;
use crate::leg::{Dice, Leg, Outgoing};
use crate::sdp::Stream;

/// What an engine is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The start of the engine's time; no instant given later may lie before it.
    pub origin: Instant,
    /// The wall clock at `origin`, since 1970: for sender reports.
    pub unix_origin: Duration,
    /// Where the random intervals of RTCP come from.
    pub seed: u64,
    /// Neither RTP nor RTCP for this long is [`Event::Silent`]. Default 60 s.
    pub silence_timeout: Duration,
    /// Mean time between two RTCP reports of a leg (RFC 3550 §6.2). Default 5 s.
    pub rtcp_interval: Duration,
    /// Legs open at once; an Open beyond is answered by [`Event::Closed`]. Default 20,000.
    pub max_legs: usize,
}

impl Settings {
    /// The defaults, starting at `origin`, which is `unix_origin` on the wall clock.
    pub fn new(origin: Instant, unix_origin: Duration, seed: u64) -> Settings {
        Settings {
            origin,
            unix_origin,
            seed,
            silence_timeout: Duration::from_secs(60),
            rtcp_interval: Duration::from_secs(5),
            max_legs: 20_000,
        }
    }
}

/// The legs of one media worker.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    legs: Legs,
    cadence: Cadence,
    rooms: Rooms,
    /// Who supervises whom. Few do.
    watches: Vec<Watch>,
    deadlines: Deadlines,
    outbox: Outbox,
    dice: Dice,
    counters: Counters,
}

impl Engine {
    /// An engine without legs.
    pub fn new(settings: Settings) -> Engine {
        Engine {
            cadence: Cadence::new(settings.origin),
            dice: Dice::new(settings.seed),
            settings,
            legs: Legs::default(),
            rooms: Rooms::default(),
            watches: Vec::new(),
            deadlines: Deadlines::default(),
            outbox: Outbox::default(),
            counters: Counters::default(),
        }
    }

    /// Does what it is told. A command for a leg that is not open is counted and ignored.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        if self.try_command(now, command).is_none() {
            self.counters.stale += 1;
        }
    }

    fn try_command(&mut self, now: Instant, command: Command) -> Option<()> {
        match command {
            Command::Open { leg, ssrc, sequence, timestamp, cname } => {
                return self.open(Leg::new(leg, Outgoing::new(ssrc, sequence, timestamp), cname));
            }
            Command::Connect { leg, stream } => self.connect(now, self.legs.find(leg)?, stream),
            Command::Bridge { a, b } => {
                let (a, b) = (self.legs.find(a)?, self.legs.find(b)?);
                return self.bridge(now, a, b);
            }
            Command::Supervise { leg, of, how } => {
                self.supervise(now, self.legs.find(leg)?, self.legs.find(of)?, how);
            }
            Command::Join { leg, conference } => self.join(now, self.legs.find(leg)?, conference),
            Command::Unbridge { leg } => self.part(now, self.legs.find(leg)?),
            Command::Expect { leg, within, on_hold } => {
                self.expect(now, self.legs.find(leg)?, within, on_hold);
            }
            Command::Guard { leg, within } => self.guard(now, self.legs.find(leg)?, within),
            Command::Relatch { leg } => self.legs.find_mut(leg)?.latch.open(),
            Command::Play { leg, play, prompt, repeat, from } => {
                self.play(now, self.legs.find(leg)?, crate::player::Playing::new(play, prompt, repeat, from));
            }
            Command::PlayOver { leg, play, prompt, under } => {
                self.play_over(now, self.legs.find(leg)?, crate::player::Over::new(play, prompt, under));
            }
            Command::Stop { leg } => self.stop(self.legs.find(leg)?),
            Command::SendDigit { leg, digit, duration_ms } => {
                self.send_digit(now, self.legs.find(leg)?, digit, duration_ms);
            }
            Command::Record { leg, title, quiet } => self.record(now, self.legs.find(leg)?, title, quiet),
            Command::PauseRecording { leg, reason } => {
                self.recorder(self.legs.find(leg)?).into_iter().for_each(|it| it.pause(now, reason.clone()));
            }
            Command::ResumeRecording { leg } => {
                self.recorder(self.legs.find(leg)?).into_iter().for_each(|it| it.resume(now));
            }
            Command::MarkRecording { leg, what } => {
                self.recorder(self.legs.find(leg)?).into_iter().for_each(|it| it.mark(now, what.clone()));
            }
            Command::MoveRecording { from, to } => {
                self.move_recording(now, self.legs.find(from)?, self.legs.find(to)?);
            }
            Command::StopRecording { leg, end } => self.stop_recording(now, self.legs.find(leg)?, end),
            Command::Close { leg } => self.close(now, self.legs.find(leg)?),
        }
        Some(())
    }

    fn open(&mut self, leg: Leg) -> Option<()> {
        if self.legs.find(leg.key).is_some() {
            return None;
        }
        if self.legs.len() >= self.settings.max_legs {
            self.outbox.event(Event::Closed { leg: leg.key, stats: Box::default() });
            return None;
        }
        self.legs.insert(leg);
        self.counters.legs = self.legs.len() as u64;
        Some(())
    }

    fn connect(&mut self, now: Instant, index: u32, stream: Stream) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        leg.connect(now, stream);
        if leg.is_speaking() {
            self.begin_speaking(now, index);
        }
        self.settle(now, index);
        self.wake_reports(now, index);
        self.enter_deadline(index);
    }

    fn expect(&mut self, now: Instant, index: u32, within: Duration, on_hold: bool) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        match on_hold {
            true => leg.expect_on_hold(now, within),
            false => leg.expect(now, within),
        }
        self.enter_deadline(index);
    }

    fn guard(&mut self, now: Instant, index: u32, within: Duration) {
        if let Some(leg) = self.legs.get_mut(index) {
            leg.guard(now, within);
        }
        self.enter_deadline(index);
    }

    fn bridge(&mut self, now: Instant, a: u32, b: u32) -> Option<()> {
        if a == b {
            return None;
        }
        for (leg, partner) in [(a, b), (b, a)] {
            self.stop(leg);
            self.part(now, leg);
            let leg = self.legs.get_mut(leg)?;
            leg.bridge = Some(Side::to(partner));
        }
        self.counters.bridges += 1;
        self.settle(now, a);
        Some(())
    }

    fn unbridge(&mut self, now: Instant, index: u32) {
        let Some(side) = self.legs.get_mut(index).and_then(|leg| leg.bridge) else { return };
        for index in [index, side.partner] {
            if let Some(leg) = self.legs.get_mut(index) {
                leg.bridge = None;
                leg.outgoing.forget_speaker();
            }
        }
        self.counters.bridges -= 1;
        self.settle(now, index);
        self.settle(now, side.partner);
    }

    fn close(&mut self, now: Instant, index: u32) {
        self.part(now, index);
        self.end_watches_of(now, index);
        self.say_goodbye(now, index);
        self.stop(index);
        self.stop_recording(now, index, RecordingEnd::Keep);
        self.leave_cadence(index);
        let Some(leg) = self.legs.remove(index) else { return };
        self.outbox.event(Event::Closed { leg: leg.key, stats: Box::new(leg.stats()) });
        self.counters.legs = self.legs.len() as u64;
        let legs = &self.legs;
        self.deadlines.tidy(legs.len(), |key, index| legs.get(index).is_some_and(|leg| leg.key.0 == key));
    }

    /// Serves everything due: beats of prompts, reports, silences, lost ends of digits.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(beat) = self.cadence.take_due(now) {
            // From the last to the first: who leaves is replaced by one that has been served.
            for seat in (0..self.cadence.seats(beat).len()).rev() {
                let index = self.cadence.seats(beat)[seat];
                match room_of_seat(index) {
                    Some(room) => self.mix(now, room, beat),
                    None => self.beat(now, index, beat),
                }
            }
        }
        while let Some((at, key, index)) = self.deadlines.pop_due(now) {
            self.handle_deadline(now, at, key, index);
        }
    }

    fn handle_deadline(&mut self, now: Instant, at: Instant, key: u64, index: u32) {
        let silence_timeout = self.settings.silence_timeout;
        let Some(leg) = self.legs.get_mut(index) else { return };
        if leg.key.0 != key || leg.entered_at != Some(at) {
            return;
        }
        leg.entered_at = None;
        if let Some(pressed) = leg.events.handle_timeout(now) {
            let event = Event::Digit { leg: leg.key, digit: pressed.digit, duration_ms: pressed.duration_ms };
            self.outbox.event(event);
            self.counters.digits += 1;
        }
        let tone = leg.ear.as_mut().and_then(|listening| listening.ear.handle_timeout(now));
        if let Some(since) =
            leg.quiet_since().filter(|since| !leg.silence.told && *since + silence_timeout <= now)
        {
            leg.silence.told = true;
            self.outbox.event(Event::Silent { leg: leg.key, since });
            self.counters.silences += 1;
        }
        // Before the next: what is told of an agent's leg is told while the call is still his.
        if let Some(why) = leg.judge(now) {
            self.outbox.event(Event::DeadAir { leg: leg.key, why });
            self.counters.dead_air += 1;
        }
        for (is_due, on_hold) in [(leg.is_unheard(now), false), (leg.is_unheard_on_hold(now), true)] {
            if is_due {
                self.outbox.event(Event::Unheard { leg: leg.key, on_hold });
                self.counters.unheard += 1;
            }
        }
        if leg.reports.next_at.is_some_and(|at| at <= now) {
            self.report(now, index);
        }
        self.serve_path(now, index);
        tone.into_iter().for_each(|pressed| self.tell_tone(MediaLegKey(key), pressed));
        self.hand_out(now, index);
        self.enter_deadline(index);
    }

    fn tell_tone(&mut self, leg: MediaLegKey, Pressed { digit, duration_ms }: Pressed) {
        self.outbox.event(Event::Tone { leg, digit, duration_ms });
        self.counters.digits += 1;
    }

    /// Enters the leg's next slow deadline unless an entry that is early enough stands already.
    fn enter_deadline(&mut self, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(due) = leg.deadline(self.settings.silence_timeout) else { return };
        if leg.entered_at.is_none_or(|entered| due < entered) {
            leg.entered_at = Some(due);
            self.deadlines.enter(due, leg.key.0, index);
        }
    }

    /// The next output. Drain until [`Output::Timeout`] after each input.
    pub fn poll_output(&mut self) -> Output<'_> {
        match self.outbox.next() {
            Some(Waiting::Packet { leg, rtcp, to, range }) => {
                Output::Transmit { leg, rtcp, to, bytes: self.outbox.bytes(range) }
            }
            Some(Waiting::Event(event)) => Output::Event(event),
            Some(Waiting::Recorded(recorded)) => Output::Recorded(recorded),
            None => Output::Timeout(self.next_timeout()),
        }
    }

    fn next_timeout(&self) -> Option<(Instant, &'static str)> {
        let beat = self.cadence.next_at().map(|at| (at, "beat"));
        let deadline = self.deadlines.next().map(|at| (at, "deadline"));
        [beat, deadline].into_iter().flatten().min()
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Where an open leg lies; `mark` comes back with every packet that it is to send on, and says what its owner likes.
    /// `None` if it is not open.
    pub fn mark(&mut self, leg: MediaLegKey, mark: u32) -> Option<Spot> {
        let index = self.legs.find(leg)?;
        self.legs.get_mut(index)?.mark = mark;
        Some(Spot { leg, index })
    }

    /// Whom a leg hears and is heard by; `None` if it is not bridged.
    pub fn partner(&self, leg: MediaLegKey) -> Option<MediaLegKey> {
        let side = self.legs.get(self.legs.find(leg)?)?.bridge?;
        self.legs.get(side.partner).map(|partner| partner.key)
    }

    /// A leg's numbers so far; `None` if it is not open.
    pub fn stats(&self, leg: MediaLegKey) -> Option<crate::rtp::LegStats> {
        self.legs.get(self.legs.find(leg)?).map(Leg::stats)
    }
}
