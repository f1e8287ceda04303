//! What we say ourselves: prompts, music, digits, on a beat of 20 ms.

use std::net::SocketAddr;
use std::time::Instant;

use super::outbox::Outbox;
use super::{Engine, Event, MediaLegKey};
use crate::dtmf::{Beat, Digit, Part, tones};
use crate::leg::{Digits, Leg, Numbers, Outgoing, Secure};
use crate::player::{self, Mixed, Over, Playing};
use crate::recorder::Recorder;
use crate::rtp::packet::HEADER;
use crate::sdp::Stream;

/// Samples of a beat.
const FRAME: usize = 160;

impl Engine {
    /// Plays instead of what plays now. A leg that was quiet begins at once; one that was speaking keeps its beat, so
    /// that two packets never come closer than 20 ms.
    pub(super) fn play(&mut self, now: Instant, index: u32, playing: Playing) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let was_playing =
            leg.player.playing.replace(Box::new(playing)).is_some() | leg.player.over.take().is_some();
        self.counters.playing += u64::from(!was_playing);
        self.begin_speaking(now, index);
    }

    /// Plays over what plays now.
    pub(super) fn play_over(&mut self, now: Instant, index: u32, over: Over) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let was_playing = leg.player.playing.is_some() | leg.player.over.replace(Box::new(over)).is_some();
        self.counters.playing += u64::from(!was_playing);
        self.begin_speaking(now, index);
    }

    /// Cuts what plays. Digits under way are finished.
    pub(super) fn stop(&mut self, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        if leg.player.playing.take().is_some() | leg.player.over.take().is_some() {
            self.counters.playing -= 1;
        }
        if !leg.is_speaking() {
            self.leave_cadence(index);
        }
    }

    pub(super) fn send_digit(&mut self, now: Instant, index: u32, digit: Digit, duration_ms: u16) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(rate) = leg.stream.as_ref().map(|stream| stream.codec.clock_rate()) else {
            self.counters.digits_refused += 1;
            return;
        };
        if leg
            .player
            .digits
            .get_or_insert_with(|| Box::new(Digits::new(rate)))
            .sender
            .push(digit, duration_ms)
        {
            self.begin_speaking(now, index);
        } else {
            self.counters.digits_refused += 1;
        }
    }

    /// Joins the cadence and speaks at once, unless the leg has its beat already or is not connected yet, with its keys if it needs some.
    pub(super) fn begin_speaking(&mut self, now: Instant, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        if leg.player.seat.is_some() || !leg.is_connected() {
            return;
        }
        let beat = self.cadence.beat_at(now);
        leg.player.seat = Some(self.cadence.join(beat, index));
        leg.outgoing.forget_speaker();
        self.serve(now, index, beat);
        self.wake_reports(now, index);
    }

    pub(super) fn leave_cadence(&mut self, index: u32) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(seat) = leg.player.seat.take() else { return };
        self.leave_seat(seat);
    }

    /// One beat of a leg in the cadence.
    pub(super) fn beat(&mut self, now: Instant, index: u32, beat: u64) {
        // A thread that lags behind may find its first beat, served when it joined, in the ring again.
        if self.legs.get(index).is_some_and(|leg| leg.player.beat < beat) {
            self.serve(now, index, beat);
        }
    }

    fn serve(&mut self, now: Instant, index: u32, beat: u64) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let to = leg.target().filter(|_| leg.may_send());
        let Leg { key, stream: Some(stream), outgoing, player, secure, recorder, .. } = leg else { return };
        let (secure, recorder, outbox) = (secure.as_deref_mut(), recorder.as_deref_mut(), &mut self.outbox);
        let mut line = Line { now, beat, leg: *key, to, outgoing, secure, recorder, outbox, sent: 0 };
        player.beat = beat;
        let digit_sounds = line.digit(&mut player.digits, stream);
        let was_playing = player.playing.is_some() || player.over.is_some();
        let mut mixed = Mixed::default();
        let heard = player::beat(&mut player.playing, &mut player.over, beat, stream.codec, &mut mixed);
        match heard.sound.filter(|_| !digit_sounds) {
            Some([]) => self.counters.unplayable += 1,
            Some(sound) => line.sound(stream, sound),
            None => {}
        }
        for play in heard.ended.into_iter().flatten() {
            line.outbox.event(Event::Played { leg: *key, play });
        }
        self.counters.played += line.sent;
        if was_playing && player.playing.is_none() && player.over.is_none() {
            self.counters.playing -= 1;
        }
        if !leg.is_speaking() {
            self.leave_cadence(index);
        }
    }
}

/// One beat's packets of one leg. Without an address (hold) they are not sent, but time goes on.
pub(super) struct Line<'a> {
    pub(super) now: Instant,
    pub(super) beat: u64,
    pub(super) leg: MediaLegKey,
    pub(super) to: Option<SocketAddr>,
    pub(super) outgoing: &'a mut Outgoing,
    pub(super) secure: Option<&'a mut Secure>,
    pub(super) recorder: Option<&'a mut Recorder>,
    pub(super) outbox: &'a mut Outbox,
    pub(super) sent: u64,
}

impl Line<'_> {
    pub(super) fn sound(&mut self, stream: &Stream, sound: &[u8]) {
        if let Some(to) = self.to {
            let numbers = self.outgoing.speak(self.now, self.beat);
            self.send(to, numbers, false, stream.send_payload_type, sound);
            if let Some(recorder) = &mut self.recorder {
                recorder.take_heard(self.now, stream.codec, numbers.spoken(), sound);
            }
        }
    }

    /// Sends the digit's packet for this beat; true if there was one. Digits that are done are put away.
    fn digit(&mut self, digits: &mut Option<Box<Digits>>, stream: &Stream) -> bool {
        let Some(under_way) = digits else { return false };
        let Beat::Part(part) = under_way.sender.beat() else {
            if under_way.sender.is_idle() {
                *digits = None;
            }
            return false;
        };
        let (Some(to), Some(payload_type)) = (self.to, stream.send_event) else {
            self.tone(part, stream);
            return true;
        };
        let numbers = self.outgoing.speak(self.now, self.beat);
        if part.first {
            under_way.timestamp = numbers.timestamp;
        }
        let timestamp = under_way.timestamp.wrapping_add(part.segment);
        self.send(to, Numbers { timestamp, ..numbers }, part.first, payload_type, &part.payload.write());
        true
    }

    /// The same as sound. What an event says three times is said once.
    fn tone(&mut self, part: Part, stream: &Stream) {
        let Some(digit) =
            Digit::from_event(part.payload.event).filter(|_| !part.repeated && stream.send_event.is_none())
        else {
            return;
        };
        let (mut samples, mut bytes) = ([0; FRAME], [0; FRAME]);
        let length =
            usize::try_from(part.segment + u32::from(part.payload.duration) - part.from).unwrap_or(FRAME);
        tones::write(digit, part.from, &mut samples[..length.min(FRAME)]);
        if stream.codec.encode(&samples, &mut bytes) {
            self.sound(stream, &bytes);
        }
    }

    fn send(&mut self, to: SocketAddr, numbers: Numbers, marker: bool, payload_type: u8, payload: &[u8]) {
        let fields = self.outgoing.stamp(self.now, numbers, marker, payload_type, payload.len());
        let mut header = [0; HEADER];
        fields.write(&mut header);
        let secure = self.secure.as_deref_mut();
        self.outbox.packet(self.leg, false, to, |out| {
            let start = out.len();
            out.extend_from_slice(&header);
            out.extend_from_slice(payload);
            secure.map_or(Some(()), |secure| secure.append_rtp(out, start))
        });
        self.sent += 1;
    }
}
