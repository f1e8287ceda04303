//! One leg of a call: a SIP dialog and its sound, under one number.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use media::{
    Command, Direction, MediaLegKey,
    sdp::{Negotiation, NegotiationError, Policy, Stream},
};
use sip_core::{LegKey, message::Uri};

use super::{
    Token, confirm::Whisper, early::EarlyAnswers, own::Besides, session::Offered, transfer::Engaged,
};
use crate::{
    config::{Address, AgentId, TrunkId},
    journal::fact::{LegMedia, LegNumber},
    shard::{Output, Switchboard},
};

/// Where the sound of somebody who holds comes from, and whether he sends any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holding {
    remote: Option<SocketAddr>,
    direction: Direction,
}

/// A dialog with somebody, and the sound that goes with it.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) number: LegNumber,
    /// `None` once the dialog is over for us.
    pub(super) sip: Option<LegKey>,
    /// `None` before it is needed.
    pub(super) sound: Option<Sound>,
    /// The agent who is called at it, or who calls by it from his telephone.
    pub(super) agent: Option<AgentId>,
    /// The trunk on which the leg counts as a call, while its dialog lives.
    pub(super) trunk: Option<TrunkId>,
    /// Whom it calls, and by which address of the configuration; neither of a leg that called us.
    pub(super) uri: String,
    pub(super) address: Option<Address>,
    /// Whoever answered has been given the call: it rings no more.
    pub(super) taken: bool,
    /// The agent whom it keeps from other calls, when the call talks to somebody else.
    pub(super) engaged: Option<Engaged>,
    /// Who speaks at it, and pays for it, without an assignment.
    pub(super) besides: Besides,
    /// It has been transferred away from, and is hung up now if it has not done so.
    pub(super) leaves_at: Option<Instant>,
    /// When it was called, unless it called us.
    pub(super) called_at: Option<Instant>,
    /// Its 2xx has come.
    pub(super) picked_up: bool,
    /// The far end has said that it sends the call on to somebody else (181).
    pub(super) forwarded: bool,
    /// It has rung: a later failure is a person's decision or absence, not the network's.
    pub(super) rang: bool,
    /// By what it is known if it comes to us again: a transfer that was sent back to its trunk.
    pub(super) tokens: Vec<Token>,
    /// What the agent hears before he has the caller.
    pub(super) whisper: Option<Whisper>,
    /// The far end put us on hold.
    pub(super) holds: bool,
    /// That is on record.
    pub(super) hold_noted: Option<Holding>,
    /// It said that it sends something by itself while it holds, and sends nothing.
    pub(super) hold_is_silent: bool,
    /// Our description in the offer that the ACK, or a PRACK before it, will answer (late offer, RFC 3264 §4).
    pub(super) answer_due_in_ack: bool,
    /// What branches of it have answered before the 2xx.
    pub(super) early: EarlyAnswers,
    /// We have told the far end that it is on hold.
    pub(super) told_held: bool,
    /// An offer of ours in the dialog that is under way.
    pub(super) offered: Option<Offered>,
    /// It has had a re-INVITE because it was not heard.
    pub(super) reoffered: bool,
    /// Its keys come in the sound.
    pub(super) presses_by_event: bool,
    /// Its SIP goes by WebSocket: it is a browser.
    pub(super) is_web: bool,
}

/// Offer and answer, port and engine leg.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) key: MediaLegKey,
    pub(super) port: u16,
    pub(super) negotiation: Negotiation,
    pub(super) connected: bool,
    /// `None` until the engine has told the final count.
    pub(super) count: Option<LegMedia>,
    closing: bool,
}

/// Why a leg got no sound.
#[derive(Debug)]
pub(super) enum NoSound {
    /// All ports are in use or in quarantine: ours.
    NoPort,
    /// Offer and answer found nothing: theirs.
    Refused(NegotiationError),
}

impl Leg {
    pub(super) fn new(number: LegNumber, sip: Option<LegKey>) -> Leg {
        let (sound, agent, trunk, whisper) = (None, None, None, None);
        let (called_at, picked_up, forwarded) = (None, false, false);
        let (rang, holds, answer_due_in_ack) = (false, false, false);
        let (uri, address, taken, engaged, leaves_at) = (String::new(), None, false, None, None);
        let (early, told_held, offered, presses_by_event) = (EarlyAnswers::default(), false, None, false);
        let besides = Besides::default();
        Leg {
            number,
            sip,
            sound,
            agent,
            trunk,
            uri,
            address,
            taken,
            engaged,
            besides,
            leaves_at,
            called_at,
            picked_up,
            forwarded,
            rang,
            tokens: Vec::new(),
            whisper,
            holds,
            hold_noted: None,
            hold_is_silent: false,
            answer_due_in_ack,
            early,
            told_held,
            offered,
            reoffered: false,
            presses_by_event,
            is_web: false,
        }
    }

    /// It is called and nobody has taken the call there.
    pub(super) fn rings(&self) -> bool {
        self.sip.is_some() && !self.taken
    }

    /// The number or user whom it calls.
    pub(super) fn party(&self) -> String {
        let uri = self.uri.parse::<Uri>().ok();
        let user = uri.as_ref().and_then(Uri::user_decoded);
        user.map(|user| String::from_utf8_lossy(&user).into_owned()).unwrap_or_default()
    }

    /// How it holds, if it does.
    pub(super) fn holding(&self) -> Option<Holding> {
        let stream = self.sound.as_ref().and_then(|sound| sound.negotiation.stream());
        let stream = stream.filter(|_| self.holds)?;
        Some(Holding { remote: stream.remote, direction: stream.direction })
    }

    /// By what was agreed on the far end sends us sound, on hold too.
    pub(super) fn sends_sound(&self) -> bool {
        let stream = self.sound.as_ref().and_then(|sound| sound.negotiation.stream());
        stream.is_some_and(|stream| stream.direction.receives())
    }

    /// The far end hears keys in the sound (RFC 4733).
    pub(super) fn takes_events(&self) -> bool {
        let stream = self.sound.as_ref().and_then(|sound| sound.negotiation.stream());
        stream.is_some_and(|stream| stream.send_event.is_some())
    }

    /// Reserves a port and an engine leg, once.
    pub(super) fn open_sound(
        &mut self,
        key: MediaLegKey,
        policy: Policy,
        board: &mut Switchboard,
    ) -> Result<&mut Sound, NoSound> {
        if self.sound.is_none() {
            let port = board.take_port().ok_or(NoSound::NoPort)?;
            self.sound = Some(Sound::open(key, port, policy, board));
        }
        self.sound.as_mut().ok_or(NoSound::NoPort)
    }

    /// Gives the engine what was agreed: the first time, and after every further offer and answer.
    pub(super) fn connect(&mut self, stream: Stream, board: &mut Switchboard) {
        if let Some(sound) = &mut self.sound {
            sound.connected = true;
            self.holds = stream.remote_holds;
            board.media(Command::Connect { leg: sound.key, stream });
        }
    }

    /// An answer to our offer: agreed and connected.
    pub(super) fn accept(&mut self, answer: &[u8], board: &mut Switchboard) -> Result<(), NegotiationError> {
        let Some(sound) = &mut self.sound else { return Ok(()) };
        let stream = sound.negotiation.accept(answer)?;
        self.connect(stream, board);
        Ok(())
    }

    /// Their offer: our answer, connected.
    pub(super) fn answer(
        &mut self,
        offer: &[u8],
        board: &mut Switchboard,
    ) -> Result<Bytes, NegotiationError> {
        let Some(sound) = &mut self.sound else { return Ok(Bytes::new()) };
        let (answer, stream) = sound.negotiation.answer(offer)?;
        self.connect(stream, board);
        Ok(answer)
    }

    /// No more sound; the engine answers with the final count.
    pub(super) fn close_sound(&mut self, board: &mut Switchboard) {
        if let Some(sound) = self.sound.as_mut().filter(|sound| !sound.closing) {
            sound.closing = true;
            board.media(Command::Close { leg: sound.key });
        }
    }

    /// The final count is still to come.
    pub(super) fn is_counting(&self) -> bool {
        self.sound.as_ref().is_some_and(|sound| sound.count.is_none())
    }

    /// Key of the engine's leg, while it is open.
    pub(super) fn media_key(&self) -> Option<MediaLegKey> {
        self.sound.as_ref().filter(|sound| !sound.closing).map(|sound| sound.key)
    }
}

impl Sound {
    /// An offer that tells the far end that it is on hold, or not any more, in the codec it speaks now (RFC 6337 §5.3).
    pub(super) fn offer_hold(&mut self, held: bool) -> Bytes {
        let codec = self.negotiation.stream().map(|stream| stream.codec);
        let direction = if held { Direction::SendOnly } else { Direction::SendRecv };
        self.negotiation.offer_like(direction, codec.as_slice())
    }

    fn open(key: MediaLegKey, port: u16, policy: Policy, board: &mut Switchboard) -> Sound {
        let local = board.media_address(port);
        let open = Command::Open {
            leg: key,
            ssrc: board.random(),
            sequence: board.random::<u16>() >> 1,
            timestamp: board.random(),
            cname: board.random(),
        };
        board.output(Output::OpenMedia { port, open });
        let session_id = u64::from(board.random::<u32>());
        Sound {
            key,
            port,
            negotiation: Negotiation::new(policy, local, session_id, board.random()),
            connected: false,
            count: None,
            closing: false,
        }
    }
}
