//! What a worker's legs are told, and what they tell.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::{Recorded, RecordingEnd};
use crate::dtmf::Digit;
use crate::leg::DeadAir;
use crate::prompt::Prompt;
use crate::rtp::LegStats;
use crate::sdp::Stream;

/// Names one media leg for its whole life. Whoever opens legs makes the keys and never uses one twice;
/// a key whose leg is closed is recognised and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaLegKey(pub u64);

impl fmt::Display for MediaLegKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "media-{:x}", self.0)
    }
}

/// Where a prompt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayFrom {
    /// At its first frame.
    Start,
    /// Where a player that never stops would be now: all callers hear the same place of the music.
    Shared,
}

/// What to do with a leg. A command for a key that is not open is counted and ignored.
#[derive(Debug, Clone)]
pub enum Command {
    /// A leg begins. Its numbers come from the caller's randomness (RFC 3550 §5.1, RFC 7022 §4.2).
    Open {
        /// A key never used before.
        leg: MediaLegKey,
        /// Our SSRC towards this peer.
        ssrc: u32,
        /// The first packet's sequence number.
        sequence: u16,
        /// The first packet's timestamp.
        timestamp: u32,
        /// Written as 16 hexadecimal digits.
        cname: u64,
    },
    /// SDP has been agreed, first or anew. What is sent goes on without a seam.
    Connect {
        /// Whose.
        leg: MediaLegKey,
        /// What was agreed.
        stream: Stream,
    },
    /// These two hear each other from the next packet on. Cuts what plays on either, and earlier bridges of both.
    Bridge {
        /// One.
        a: MediaLegKey,
        /// The other.
        b: MediaLegKey,
    },
    /// The leg and its partner hear each other no more.
    Unbridge {
        /// Either of the two.
        leg: MediaLegKey,
    },
    /// The peer has answered and ought to be heard soon: if no RTP packet is accepted within this time, that is
    /// [`Event::Unheard`]. Nothing happens if one has been accepted already, or came in the second before, faster than
    /// the answer; a Connect meanwhile begins the time anew.
    Expect {
        /// From whom.
        leg: MediaLegKey,
        /// Within which time.
        within: Duration,
        /// He has put us on hold and says that he sends something by himself (RFC 3264 §8.4): what came before counts for
        /// nothing, nor does the hold, and a Connect by which he takes us back ends the waiting.
        on_hold: bool,
    },
    /// The peer has answered and ought to be heard from now on: what comes within this time is judged, and if it is nothing
    /// that anybody could hear, that is [`Event::DeadAir`]. A Connect meanwhile begins the time anew; nothing is expected of a
    /// peer who holds us then.
    Guard {
        /// Whom.
        leg: MediaLegKey,
        /// Within which time.
        within: Duration,
    },
    /// Whoever is heard next on the leg is believed to be the peer, as when the session started: for one whose sound comes from
    /// another address than before. Until somebody is, our sound goes to where SDP said.
    Relatch {
        /// Whose.
        leg: MediaLegKey,
    },
    /// Plays a prompt instead of what plays now; on a bridged leg the partner is not heard meanwhile. Before the
    /// leg is connected it waits; while the peer holds us it goes on unheard.
    Play {
        /// Whose peer hears it.
        leg: MediaLegKey,
        /// Comes back in [`Event::Played`].
        play: u32,
        /// What to play.
        prompt: Arc<Prompt>,
        /// From the start again when it ends, for ever.
        repeat: bool,
        /// Where to begin.
        from: PlayFrom,
    },
    /// Cuts what plays. No [`Event::Played`].
    Stop {
        /// Whose.
        leg: MediaLegKey,
    },
    /// Sends a digit by RFC 4733, or as a tone to a peer who knows no telephone-event; several wait for each other, at most 32,
    /// more are dropped and counted. Meanwhile the peer hears nothing else.
    SendDigit {
        /// Whose peer gets it.
        leg: MediaLegKey,
        /// Which key.
        digit: Digit,
        /// How long, made at least 40 and at most 8,000.
        duration_ms: u16,
    },
    /// Records what the peer says from now on; an earlier recording of the leg ends, and is kept. Hold, other codecs and
    /// other addresses change nothing: where nothing comes there is silence. Comes out as [`Output::Recorded`].
    Record {
        /// Whose peer.
        leg: MediaLegKey,
        /// Comes back with every piece; never used twice.
        name: Arc<str>,
        /// After so long without speech [`Event::Quiet`] is told; `None`: never.
        quiet: Option<Duration>,
    },
    /// Ends the recording of the leg. If there is none, nothing happens.
    StopRecording {
        /// Whose.
        leg: MediaLegKey,
        /// What becomes of it.
        end: RecordingEnd,
    },
    /// The leg ends: a recording is kept, BYE if RTCP was in use, then [`Event::Closed`], then the key is stale.
    Close {
        /// Whose.
        leg: MediaLegKey,
    },
}

/// What happened on a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A prompt ran to its end; not told when it was cut.
    Played {
        /// Where.
        leg: MediaLegKey,
        /// The number given with [`Command::Play`].
        play: u32,
    },
    /// A key was pressed and let go (RFC 4733). Told once, also while playing or bridged.
    Digit {
        /// Where.
        leg: MediaLegKey,
        /// Which key.
        digit: Digit,
        /// How long, as far as packets told.
        duration_ms: u32,
    },
    /// A key was pressed and let go, heard as a tone: there were no telephone-events to say it. Whoever is bridged with the leg has
    /// heard the tone.
    Tone {
        /// Where.
        leg: MediaLegKey,
        /// Which key.
        digit: Digit,
        /// How long, to some 13 ms.
        duration_ms: u32,
    },
    /// The first RTP packet was accepted since Open, or since Bridge.
    Heard {
        /// From whom.
        leg: MediaLegKey,
        /// When.
        at: Instant,
        /// True: the first since the leg was bridged.
        bridged: bool,
    },
    /// Sound has gone both ways through a bridge for the first time.
    TwoWay {
        /// One leg of the bridge.
        a: MediaLegKey,
        /// The other.
        b: MediaLegKey,
        /// When the second way carried its first packet.
        at: Instant,
    },
    /// Neither RTP nor RTCP came for the silence timeout though we expect to receive. Told once per silence.
    Silent {
        /// From whom.
        leg: MediaLegKey,
        /// The last packet, or when we began to expect some.
        since: Instant,
    },
    /// Not one RTP packet was accepted, though [`Command::Expect`] said by when one should have been. Not told
    /// of a peer who holds us then, unless it was asked for that, or has agreed to send nothing. RTCP alone is no sound.
    Unheard {
        /// From whom.
        leg: MediaLegKey,
        /// Which of the two waits is over: that for the sound of somebody who holds us.
        on_hold: bool,
    },
    /// Nobody can be heard, though [`Command::Guard`] said that somebody ought to be. Told once a guard.
    DeadAir {
        /// Of whom.
        leg: MediaLegKey,
        /// Why.
        why: DeadAir,
    },
    /// For a second's worth of packets none could be opened by the peer's SRTP key. Told once, until one can.
    Unauthentic {
        /// From whom.
        leg: MediaLegKey,
    },
    /// Nobody has spoken for as long as [`Command::Record`] said. Told once a recording.
    Quiet {
        /// Where.
        leg: MediaLegKey,
    },
    /// RTCP has a use from now on: RTP was heard and rtcp-mux was not agreed. The worker opens port + 1 by itself
    /// and does not pass this on.
    RtcpWanted {
        /// For whom.
        leg: MediaLegKey,
    },
    /// The leg is over; the last event with this key.
    Closed {
        /// Which.
        leg: MediaLegKey,
        /// What it sent and received.
        stats: Box<LegStats>,
    },
}

/// A packet on its way through: send `packet[start..start + len]` from the socket of `leg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Whose socket sends.
    pub leg: MediaLegKey,
    /// Where to.
    pub to: SocketAddr,
    /// First byte: contributing sources and header extension are left behind before it.
    pub start: usize,
    /// Bytes from there.
    pub len: usize,
}

/// What [`Engine::poll_output`](super::Engine::poll_output) gives, in the order it came to pass.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Send this.
    Transmit {
        /// From whose socket.
        leg: MediaLegKey,
        /// From the RTCP socket (port + 1) instead of the RTP one.
        rtcp: bool,
        /// Where to.
        to: SocketAddr,
        /// RTP or RTCP.
        bytes: &'a [u8],
    },
    /// Tell the router.
    Event(Event),
    /// Put this away. Pieces of a recording come in order and without a gap; the last has an `end`.
    Recorded(Recorded),
    /// Nothing left; call [`Engine::handle_timeout`](super::Engine::handle_timeout) then, and why.
    Timeout(Option<(Instant, &'static str)>),
}

impl Event {
    /// The leg it happened on; the first of two.
    pub fn leg(&self) -> MediaLegKey {
        match self {
            Event::Played { leg, .. }
            | Event::Digit { leg, .. }
            | Event::Tone { leg, .. }
            | Event::Heard { leg, .. }
            | Event::TwoWay { a: leg, .. }
            | Event::Silent { leg, .. }
            | Event::Unheard { leg, .. }
            | Event::DeadAir { leg, .. }
            | Event::Unauthentic { leg }
            | Event::Quiet { leg }
            | Event::RtcpWanted { leg, .. }
            | Event::Closed { leg, .. } => *leg,
        }
    }
}
