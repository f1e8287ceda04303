//! What a worker's legs are told, and what they tell.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::{Recorded, RecordingEnd, Title};
use super::rooms::Supervision;
use crate::dtmf::Digit;
use crate::leg::DeadAir;
use crate::path::PathError;
use crate::player::Gain;
use crate::playlist::Playlist;
use crate::rtp::LegStats;
use crate::sdp::Stream;
use crate::srtp::Suite;

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
    /// At this frame of 20 ms; of a list that repeats also of a later round.
    Frame(u64),
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
    /// The leg takes part in what another and its partner say, now and with every later partner, until either of the two
    /// legs ends or Unbridge. Ends whatever else it heard. A leg that supervises or is in a conference cannot be supervised: that
    /// is [`Event::Alone`]. Sound is decoded and mixed for as long as it lasts.
    Supervise {
        /// Who takes part.
        leg: MediaLegKey,
        /// In whose talk.
        of: MediaLegKey,
        /// Who hears him.
        how: Supervision,
    },
    /// The leg hears everybody in a conference, and is heard. Ends whatever else it heard. At most
    /// [`MOST`](crate::room::MOST) are in one; one more is told [`Event::Full`].
    Join {
        /// Who.
        leg: MediaLegKey,
        /// The conference's number, made by who opens it.
        conference: u64,
    },
    /// The leg hears nobody more, and is heard by nobody: its bridge, supervision or conference ends for it.
    Unbridge {
        /// Whose; of a bridge either of the two.
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
    /// Plays prompts instead of what plays now; on a bridged leg the partner is not heard meanwhile. Before the
    /// leg is connected it waits; while the peer holds us it goes on unheard.
    Play {
        /// Whose peer hears it.
        leg: MediaLegKey,
        /// Comes back in [`Event::Played`].
        play: u32,
        /// What to play, one piece after another.
        prompt: Playlist,
        /// From the start again when it ends, for ever.
        repeat: bool,
        /// Where to begin.
        from: PlayFrom,
    },
    /// Plays prompts over what plays, which goes on under them; an earlier one over it is cut. What is under it fades to
    /// `under` in 200 ms before, and back in 200 ms after. Where the codec cannot be mixed byte by byte it is not heard
    /// meanwhile, and does not fade.
    PlayOver {
        /// Whose peer hears it.
        leg: MediaLegKey,
        /// Comes back in [`Event::Played`].
        play: u32,
        /// What to play, one piece after another, from the start.
        prompt: Playlist,
        /// How loud what is under it stays.
        under: Gain,
    },
    /// Cuts what plays, and what plays over it. No [`Event::Played`].
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
    /// Records the leg from now on; an earlier recording of it ends, and is kept. Hold, other codecs and other addresses
    /// change nothing: where nothing comes there is silence. Comes out as [`Output::Recorded`].
    Record {
        /// Whose.
        leg: MediaLegKey,
        /// How it is called, and whose sound is recorded.
        title: Arc<Title>,
        /// After so long without speech of the peer [`Event::Quiet`] is told; `None`: never.
        quiet: Option<Duration>,
    },
    /// Until [`ResumeRecording`](Self::ResumeRecording) the recording of the leg is silence, whatever is said, and also what
    /// comes later of what was said meanwhile. If there is none, or it is paused already, nothing happens.
    PauseRecording {
        /// Whose.
        leg: MediaLegKey,
        /// Why: comes back in [`Note::Paused`](super::Note::Paused).
        reason: Arc<str>,
    },
    /// The recording goes on. If it is not paused, nothing happens.
    ResumeRecording {
        /// Whose.
        leg: MediaLegKey,
    },
    /// Writes beside the recording of the leg what happens now; comes back in [`Note::Mark`](super::Note::Mark).
    MarkRecording {
        /// Whose.
        leg: MediaLegKey,
        /// What.
        what: Arc<str>,
    },
    /// The recording of one leg goes on at another without a seam, as when somebody takes the peer's place. One that the
    /// other had ends, and is kept.
    MoveRecording {
        /// Whose it was.
        from: MediaLegKey,
        /// Whose it is from now on.
        to: MediaLegKey,
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
    /// Whom the leg supervised is gone, or cannot be supervised.
    Alone {
        /// Who supervised.
        leg: MediaLegKey,
    },
    /// The conference has no room left: the leg hears nobody.
    Full {
        /// Who would have joined.
        leg: MediaLegKey,
    },
    /// A handshake has brought the keys: from now on the leg sends and hears (RFC 5764).
    Keyed {
        /// Which.
        leg: MediaLegKey,
        /// By which suite.
        suite: Suite,
        /// When.
        at: Instant,
    },
    /// ICE or DTLS came to nothing, or ended: nothing can be sent or heard any more. Told once.
    PathBroken {
        /// Which.
        leg: MediaLegKey,
        /// Why.
        why: PathError,
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

/// Where a leg lies in its engine: found once, so that it is not looked for with every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    pub(crate) leg: MediaLegKey,
    pub(crate) index: u32,
}

impl Spot {
    /// Whose it is.
    pub fn leg(&self) -> MediaLegKey {
        self.leg
    }
}

/// A packet on its way through: send `packet[start..start + len]` from the socket of `leg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Whose socket sends.
    pub leg: MediaLegKey,
    /// What [`Engine::mark`](super::Engine::mark) said of that leg, else 0.
    pub mark: u32,
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
            | Event::Alone { leg }
            | Event::Full { leg }
            | Event::Keyed { leg, .. }
            | Event::PathBroken { leg, .. }
            | Event::Quiet { leg }
            | Event::RtcpWanted { leg, .. }
            | Event::Closed { leg, .. } => *leg,
        }
    }
}
