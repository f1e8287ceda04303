//! One leg: a peer's address, a line of packets each way, and what is to be told of them.

mod guard;
mod incoming;
mod latch;
mod outgoing;
mod quality;
mod reports;
mod secure;
mod slow;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use guard::DeadAir;
use guard::Guard;
pub(crate) use incoming::{Incoming, Place};
pub(crate) use latch::Latch;
pub(crate) use outgoing::{Numbers, Outgoing};
pub(crate) use reports::{Dice, Reports};
use secure::TurnedAway;
pub(crate) use secure::{Secure, Unopened};
pub(crate) use slow::{Decoded, Slow};

use crate::bridge::Side;
use crate::cadence::Seat;
use crate::codec::Codec;
use crate::dtmf;
use crate::engine::MediaLegKey;
use crate::path::Path;
use crate::player::{Over, Playing};
use crate::recorder::Recorder;
use crate::rtp::LegStats;
use crate::sdp::{Direction, Dtls, Stream, Tones};

/// Comfort noise, RFC 3389: understood as a sign of life, played to nobody.
const COMFORT_NOISE: u8 = 13;

/// Samples of 20 ms.
const FRAME: usize = 160;

/// How far a peer's first sound can be ahead of its answer: sound comes straight, SIP by way of proxies, or again after
/// a loss (T1 is 500 ms, RFC 3261 §17.1.1.1). What came sooner was a network's ringback. By as much his last sound can be
/// behind his hold.
const EARLY: Duration = Duration::from_secs(1);

/// Everything of one leg. Under 1.5 kB, and no memory beside it while it only relays.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) key: MediaLegKey,
    /// Given from outside, by which its socket is found.
    pub(crate) mark: u32,
    pub(crate) stream: Option<Stream>,
    pub(crate) latch: Latch,
    /// ICE and DTLS, if they were agreed: then the peer is where they say, not where the latch does.
    pub(crate) path: Option<Box<Path>>,
    /// SRTP, if it was agreed and its keys are known.
    pub(crate) secure: Option<Box<Secure>>,
    pub(crate) turned_away: TurnedAway,
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    /// It has another SSRC than it was opened with, for the peer had that one.
    pub(crate) renamed: bool,
    pub(crate) bridge: Option<Side>,
    /// In a conference: whom it hears is not worked out from a bridge.
    pub(crate) conference: bool,
    /// While its sound is decoded and mixed.
    pub(crate) slow: Option<Box<Slow>>,
    pub(crate) decoded: Decoded,
    pub(crate) rejected: u64,
    /// Packets of a payload type that was not agreed.
    pub(crate) unknown: u64,
    pub(crate) events: dtmf::Receiver,
    /// Listens for keys as tones; made where no telephone-event was agreed.
    pub(crate) ear: Option<Box<Listening>>,
    pub(crate) player: Player,
    /// Made when a recording begins.
    pub(crate) recorder: Option<Box<Recorder>>,
    pub(crate) reports: Reports,
    /// RTCP has a socket or shares ours.
    pub(crate) rtcp_open: bool,
    pub(crate) silence: Silence,
    /// Watches the first seconds after an answer.
    pub(crate) guard: Option<Box<Guard>>,
    /// The entry in the engine's deadlines that counts.
    pub(crate) entered_at: Option<Instant>,
}

/// What we say ourselves on a leg.
#[derive(Debug, Default)]
pub(crate) struct Player {
    pub(crate) playing: Option<Box<Playing>>,
    /// What is said over it; mostly nothing is.
    pub(crate) over: Option<Box<Over>>,
    /// Digits being sent; made when the first one is.
    pub(crate) digits: Option<Box<Digits>>,
    pub(crate) seat: Option<Seat>,
    /// The last beat served.
    pub(crate) beat: u64,
}

/// An ear for tones, and the newest packet that it was given: what comes out of order would be another tone to it.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    pub(crate) ear: dtmf::tones::Ear,
    newest: (u32, u64),
}

/// Digits on their way, and the timestamp of the one being sent.
#[derive(Debug)]
pub(crate) struct Digits {
    pub(crate) sender: dtmf::Sender,
    pub(crate) timestamp: u32,
}

impl Digits {
    /// With the clock of the leg's events.
    pub(crate) fn new(rate: u32) -> Digits {
        Digits { sender: dtmf::Sender::new(rate), timestamp: 0 }
    }
}

/// Whether the peer has fallen silent.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// Since when we expect to hear something; `None`: hold, or not connected.
    pub(crate) expecting_since: Option<Instant>,
    /// The current silence has been told.
    pub(crate) told: bool,
    /// When the last packet came that we had agreed to none of.
    pub(crate) unexpected_at: Option<Instant>,
    /// The first packet.
    pub(crate) awaited: Option<Awaited>,
    /// The first packet since the peer holds us, who has music of his own.
    pub(crate) awaited_on_hold: Option<Awaited>,
}

/// A packet that ought to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaited {
    since: Instant,
    within_ms: u32,
}

impl Awaited {
    fn new(since: Instant, within: Duration) -> Awaited {
        Awaited { since, within_ms: u32::try_from(within.as_millis()).unwrap_or(u32::MAX) }
    }

    fn until(self) -> Instant {
        self.since + Duration::from_millis(self.within_ms.into())
    }
}

/// What a payload type is on this leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Sound(Codec),
    Event,
    Noise,
    Unknown,
}

impl Leg {
    pub(crate) fn new(key: MediaLegKey, outgoing: Outgoing, cname: u64) -> Leg {
        Leg {
            key,
            mark: 0,
            stream: None,
            latch: Latch::default(),
            path: None,
            secure: None,
            turned_away: TurnedAway::default(),
            incoming: Incoming::default(),
            outgoing,
            renamed: false,
            bridge: None,
            conference: false,
            slow: None,
            decoded: Decoded::default(),
            rejected: 0,
            unknown: 0,
            guard: None,
            events: dtmf::Receiver::default(),
            ear: None,
            player: Player::default(),
            recorder: None,
            reports: Reports::new(cname),
            rtcp_open: false,
            silence: Silence::default(),
            entered_at: None,
        }
    }

    /// Takes over what SDP agreed. Numbers and statistics go on.
    pub(crate) fn connect(&mut self, now: Instant, mut stream: Stream) {
        match stream.dtls.take() {
            Some(agreed) => self.take_path(now, *agreed),
            None => {
                self.path = None;
                self.secure = Secure::renew(self.secure.take(), stream.keys.take().as_deref());
            }
        }
        let (could_send, could_receive) = (self.may_send(), self.may_receive());
        if self.stream.as_ref().is_none_or(|before| before.remote_rtcp != stream.remote_rtcp) {
            self.reports.forget_address();
        }
        self.latch.signal(now, stream.remote);
        self.incoming.set_clock(stream.codec.clock_rate());
        self.outgoing.set_clock(stream.codec.clock_rate());
        self.events.set_rate(stream.codec.clock_rate());
        let had_mux = self.stream.as_ref().is_some_and(|before| before.rtcp_mux);
        self.rtcp_open = stream.rtcp_mux || self.rtcp_open && !had_mux;
        self.stream = Some(stream);
        self.silence.expecting_since = match self.silence.expecting_since {
            _ if !self.expects_sound() => None,
            None => Some(now),
            since => since,
        };
        self.silence.awaited = self.silence.awaited.map(|awaited| Awaited { since: now, ..awaited });
        self.guard_anew(now);
        let holds = self.stream.as_ref().is_some_and(|stream| stream.remote_holds);
        self.silence.awaited_on_hold = self.silence.awaited_on_hold.filter(|_| holds);
        if !could_receive {
            self.incoming.forget_sources();
        }
        if !could_send || !self.may_send() {
            // What the peer did not hear is a pause, not a loss: the next packet follows the last one.
            self.outgoing.forget_speaker();
        }
    }

    /// ICE and DTLS as agreed, first or anew; keys of an association that goes on are kept.
    fn take_path(&mut self, now: Instant, agreed: Dtls) {
        let (path, is_new) = Path::renew(self.path.take(), now, agreed);
        self.path = Some(path);
        if is_new {
            self.secure = None;
        }
    }

    /// Something has been agreed, and the keys are there if it needs some.
    pub(crate) fn is_connected(&self) -> bool {
        self.stream.is_some() && (self.path.is_none() || self.secure.is_some())
    }

    /// Where the peer is.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        match &self.path {
            Some(path) => path.peer(),
            None => self.latch.target(),
        }
    }

    /// Whether a valid RTP packet from this address is the peer's.
    pub(crate) fn admit(&mut self, now: Instant, from: SocketAddr) -> bool {
        match &self.path {
            Some(path) => path.admits(from),
            None => self.latch.admit(now, from, self.secure.is_some()),
        }
    }

    /// Whether a packet from this address is worth looking at.
    pub(crate) fn would_admit(&self, now: Instant, from: SocketAddr) -> bool {
        match &self.path {
            Some(path) => path.admits(from),
            None => self.latch.would_admit(now, from),
        }
    }

    /// Listens for a key in a packet of sound, if that is agreed and nobody else is listening.
    pub(crate) fn hear_tones(
        &mut self,
        now: Instant,
        codec: Codec,
        place: Place,
        payload: &[u8],
    ) -> Option<dtmf::Pressed> {
        let tones = self.stream.as_ref()?.tones;
        if tones == Tones::Never || tones == Tones::Unbridged && self.bridge.is_some() || !codec.is_g711() {
            self.ear = None;
            return None;
        }
        let listening = self.ear.get_or_insert_default();
        let number = (place.run, place.number);
        if number <= listening.newest {
            return None;
        }
        listening.newest = number;
        let mut pressed = None;
        for bytes in payload.chunks(FRAME) {
            let mut samples = [0; FRAME];
            codec.decode(bytes, &mut samples);
            pressed = listening.ear.hear(now, &samples[..bytes.len()]).or(pressed);
        }
        pressed
    }

    /// Packets of the peer are welcome: our direction says so (RFC 3264 §5.1).
    pub(crate) fn may_receive(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(|stream| matches!(stream.direction, Direction::SendRecv | Direction::RecvOnly))
    }

    /// We may send: our direction says so, and the peer has an address, and keys if it needs some.
    pub(crate) fn may_send(&self) -> bool {
        let Some(stream) = &self.stream else { return false };
        let has_way = if self.path.is_some() { self.secure.is_some() } else { stream.remote.is_some() };
        matches!(stream.direction, Direction::SendRecv | Direction::SendOnly) && has_way
    }

    /// The peer ought to be sending: it may, and it has not put us on hold.
    fn expects_sound(&self) -> bool {
        self.may_receive() && self.stream.as_ref().is_some_and(|stream| !stream.remote_holds)
    }

    /// The peer has put us on hold.
    pub(crate) fn is_held_by_peer(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.remote_holds)
    }

    /// What a payload type means here. The two static numbers of G.711 are understood even when only one of them was
    /// agreed: a peer may change between codecs both offered (RFC 3264 §6.1), and the table costs nothing.
    pub(crate) fn sort(&self, payload_type: u8) -> Sort {
        let Some(stream) = &self.stream else { return Sort::Unknown };
        match payload_type {
            agreed if agreed == stream.receive_payload_type => Sort::Sound(stream.codec),
            event if Some(event) == stream.receive_event => Sort::Event,
            COMFORT_NOISE => Sort::Noise,
            fixed => {
                let known = Codec::by_static_payload_type(fixed).filter(|codec| codec.is_g711());
                known.map_or(Sort::Unknown, Sort::Sound)
            }
        }
    }

    /// Sound or digits of our own are going out, or would but for hold.
    pub(crate) fn is_speaking(&self) -> bool {
        self.player.playing.is_some() || self.player.over.is_some() || self.player.digits.is_some()
    }

    /// Where RTCP goes: where it came from, else where SDP said, else beside the address that RTP came from.
    pub(crate) fn rtcp_target(&self) -> Option<SocketAddr> {
        let stream = self.stream.as_ref()?;
        let rtp = self.target().filter(|_| self.is_connected())?;
        if stream.rtcp_mux {
            return Some(rtp);
        }
        let beside = SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?);
        let signalled = stream.remote_rtcp.filter(|_| self.latch.is_as_signalled());
        Some(self.reports.heard_from().or(signalled).unwrap_or(beside))
    }

    /// RTCP is believed from the host that RTP comes from, or from the address SDP gave for it.
    pub(crate) fn admits_rtcp(&self, from: SocketAddr) -> bool {
        if let Some(path) = &self.path {
            return path.admits(from);
        }
        let same_host = self.latch.target().is_some_and(|rtp| rtp.ip() == from.ip());
        same_host || self.stream.as_ref().is_some_and(|stream| stream.remote_rtcp == Some(from))
    }

    /// Since when nothing came; `None` while nothing is expected.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        let expecting = self.silence.expecting_since?;
        let heard = self.incoming.last_heard().max(self.reports.last_heard());
        Some(heard.map_or(expecting, |heard| heard.max(expecting)))
    }

    /// The first packet ought to come `within` this time, unless it was faster than the answer that allows it.
    pub(crate) fn expect(&mut self, now: Instant, within: Duration) {
        let was_faster = self.silence.unexpected_at.is_some_and(|at| now < at + EARLY);
        self.silence.awaited = (!was_faster).then_some(Awaited::new(now, within));
    }

    /// The music of a peer who holds us ought to come `within` this time.
    pub(crate) fn expect_on_hold(&mut self, now: Instant, within: Duration) {
        self.silence.awaited_on_hold = Some(Awaited::new(now, within));
    }

    /// When the first packet ought to have come; `None` once one has.
    fn awaited_until(&self) -> Option<Instant> {
        self.silence.awaited.filter(|_| self.incoming.last_heard().is_none()).map(Awaited::until)
    }

    /// When music ought to have come of a peer who holds us; `None` once something has. What he said before he heard that
    /// we know of the hold is none.
    fn awaited_on_hold_until(&self) -> Option<Instant> {
        let awaited = self.silence.awaited_on_hold?;
        self.incoming.last_heard().is_none_or(|heard| heard <= awaited.since + EARLY).then(|| awaited.until())
    }

    /// True, once, if music ought to have come by now of a peer who holds us, and did not.
    pub(crate) fn is_unheard_on_hold(&mut self, now: Instant) -> bool {
        let is_due = self.awaited_on_hold_until().is_some_and(|at| at <= now);
        is_due && self.silence.awaited_on_hold.take().is_some() && self.may_receive()
    }

    /// True, once, if the first packet ought to have come by now and did not. Who holds us now is not asked again.
    pub(crate) fn is_unheard(&mut self, now: Instant) -> bool {
        let is_due = self.awaited_until().is_some_and(|at| at <= now);
        is_due && self.silence.awaited.take().is_some() && self.expects_sound()
    }

    /// The leg's next slow deadline.
    pub(crate) fn deadline(&self, silence_timeout: Duration) -> Option<Instant> {
        let silent_at =
            self.quiet_since().filter(|_| !self.silence.told).map(|since| since + silence_timeout);
        let block_at = self.recorder.as_ref().map(|recorder| recorder.due_at());
        let awaited = [self.awaited_until(), self.awaited_on_hold_until(), self.guarded_until()];
        let tone = self.ear.as_ref().and_then(|listening| listening.ear.poll_timeout());
        let path_at = self.path.as_ref().and_then(|path| path.poll_timeout());
        let deadlines =
            [tone, self.events.poll_timeout(), self.reports.next_at, silent_at, block_at, path_at];
        deadlines.into_iter().chain(awaited).flatten().min()
    }

    pub(crate) fn stats(&self) -> LegStats {
        let mut stats =
            LegStats { codec: self.stream.as_ref().map(|stream| stream.codec), ..LegStats::default() };
        let decoded = self.decoded_so_far();
        (stats.longest_wait_ms, stats.concealed) = (decoded.longest_wait_ms.into(), decoded.concealed);
        stats.rejected = self.rejected;
        stats.suite = self.secure.as_ref().map(|secure| secure.suite());
        stats.unauthentic = self.turned_away.unauthentic;
        stats.replayed = self.turned_away.replayed;
        stats.rating = self.rating();
        self.incoming.write_stats(&mut stats);
        self.outgoing.write_stats(&mut stats);
        self.reports.write_stats(&mut stats, self.outgoing.clock_rate());
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_takes_less_than_a_kilobyte_and_a_half() {
        assert!(size_of::<Leg>() < 1_536, "{} bytes", size_of::<Leg>());
    }
}
