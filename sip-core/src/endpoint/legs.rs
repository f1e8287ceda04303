//! What an endpoint remembers of a leg.

use super::ask::Asking;
use super::clock::Alarm;
use super::forks::Fork;
use super::proofs::Proofs;
use super::refer::Referral;
use super::reliable::Provisionals;
use super::{FailCause, HangUp, Invite, Terms};
use crate::dialog::{Abilities, Dialog, Seen, SessionTimer, Unacked};
use crate::message::Body;
use crate::token::Token;
use crate::transport::{Flow, PeerId, Target, Transport};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Where a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Our INVITE is looking for its way or waits for a final response.
    Inviting,
    /// A question of ours looks for its way or waits for its answer.
    Asking,
    /// Their INVITE waits for our final response.
    Invited,
    /// A 2xx to our INVITE is there; the caller of the endpoint owes the ACK.
    Answered,
    /// Both have agreed, though their ACK may still be missing.
    Confirmed,
    /// Over for the caller of the endpoint. It stays while something of it is still on the wire.
    Over,
}

/// One INVITE dialog usage.
pub(super) struct Leg {
    pub(super) stage: Stage,
    /// Whether its events are still wanted.
    pub(super) told: bool,
    /// With whom.
    pub(super) peer: Option<PeerId>,
    /// Our tag, in From or To.
    pub(super) tag: Token,
    /// From the INVITE we got, or the 2xx we got.
    pub(super) dialog: Option<Box<Dialog>>,
    /// Our INVITE until it is acknowledged or has failed.
    pub(super) outgoing: Option<Box<Outgoing>>,
    /// Our question until it is answered or has failed.
    pub(super) asking: Option<Box<Asking>>,
    /// Their INVITE that waits for our final response.
    pub(super) theirs: Option<Theirs>,
    /// Provisional responses to it, if they are reliable.
    pub(super) provisionals: Option<Box<Provisionals>>,
    /// Our 2xx that waits for its ACK.
    pub(super) unacked: Option<Box<Unacked>>,
    /// The way that 2xx goes, and where to connect to if it is gone.
    pub(super) unacked_way: Option<(Flow, SocketAddr)>,
    /// Our re-INVITE.
    pub(super) ours: Option<Box<Ours>>,
    /// An UPDATE of ours is under way; with an offer or without.
    pub(super) updating: Option<Updating>,
    /// Their UPDATE with an offer that waits for our answer.
    pub(super) their_update: Option<u64>,
    /// What we are ready to use here.
    pub(super) terms: Terms,
    /// What the far end says it can do.
    pub(super) abilities: Abilities,
    /// When the session has to be refreshed, or is over.
    pub(super) session: Option<Box<SessionTimer>>,
    /// The shortest session the far end puts up with, as its `422` said. Seconds, 0 if it has not said.
    pub(super) their_min_se: u32,
    /// How often it has asked for a longer one.
    pub(super) too_short: u8,
    /// ACKs of 2xx, to be sent again with each repeat.
    pub(super) acks: Vec<SentAck>,
    /// The leg is to end as soon as the rules allow.
    pub(super) ending: Option<Box<HangUp>>,
    /// The way the dialog began.
    pub(super) flow: Option<Flow>,
    /// All of the dialog goes by that way while it is open, whatever Contact and Record-Route say: a telephone behind a
    /// NAT is reached by no other (RFC 5626 §5.3).
    pub(super) pinned: bool,
    /// What we prove to the far end, if we have a login there.
    pub(super) proofs: Option<Box<Proofs>>,
    /// Whence their INVITE came: what belongs to the dialog may come from there until it is over, even if the rule
    /// that let the INVITE in is gone by then.
    pub(super) came_from: Option<IpAddr>,
    /// Where requests in the dialog go, once known.
    pub(super) hop: Option<Hop>,
    /// The search for that, or for a way to the next target.
    pub(super) seek: Option<u64>,
    /// Client transactions that still may change something.
    pub(super) open_clients: u16,
    /// A probe is under way.
    pub(super) probing: bool,
    /// What the far end is to be told of its REFER.
    pub(super) referral: Option<Box<Referral>>,
    /// It has sent one before.
    pub(super) referred: bool,
    /// A REFER of ours of which we have not heard the last.
    pub(super) referring: bool,
    pub(super) udp_only: bool,
    /// A BYE was lost with its connection and has been sent once more.
    pub(super) bye_again: bool,
    /// When an Over leg may go, so that repeats of a 2xx still find their ACK.
    pub(super) linger_until: Option<Instant>,
    pub(super) alarm: Alarm,
}

/// A resolved next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hop {
    pub(super) transport: Transport,
    pub(super) remote: SocketAddr,
    /// Where certificates are shown it matters with whom: two peers at one address may want to see different ones.
    pub(super) peer: Option<PeerId>,
}

impl Hop {
    pub(super) fn new(transport: Transport, remote: SocketAddr, peer: Option<PeerId>) -> Hop {
        Hop { transport, remote, peer: peer.filter(|_| transport.is_secure()) }
    }
}

/// An INVITE of ours on its way to an answer.
pub(super) struct Outgoing {
    pub(super) invite: Invite,
    pub(super) call_id: Bytes,
    /// The only way to whom it is for, until it is taken.
    pub(super) flow: Option<Flow>,
    pub(super) targets: VecDeque<Target>,
    /// The one of [`Invite::targets`] that is being tried, by its position.
    pub(super) target: usize,
    /// Addresses of the current target that were not yet tried.
    pub(super) addresses: VecDeque<Hop>,
    /// The name behind them, for certificates.
    pub(super) server_name: Option<String>,
    /// Deadline of the address now being tried.
    pub(super) until: Option<Instant>,
    /// The attempt under way.
    pub(super) client: Option<u64>,
    /// The CSeq number of that attempt.
    pub(super) cseq: u32,
    /// Early dialogs, in the order in which they appeared.
    pub(super) forks: Vec<Fork>,
    /// Why the last attempt failed.
    pub(super) cause: FailCause,
}

/// Their INVITE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theirs {
    /// Its server transaction.
    pub(super) server: u64,
    /// When the last 1xx is to be repeated, lest a proxy give up (RFC 3261 §13.3.1.1).
    pub(super) remind_at: Option<Instant>,
}

/// Our re-INVITE.
pub(super) struct Ours {
    pub(super) body: Option<Body>,
    pub(super) state: OursState,
    /// The transaction of the last try.
    pub(super) client: Option<u64>,
    /// Its reliable provisional responses.
    pub(super) seen: Seen,
    /// No further try after this.
    pub(super) give_up_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OursState {
    /// Sent, or looking for its way.
    Sent,
    /// After a glare.
    Paused { until: Instant },
    /// Its 2xx is there; the caller of the endpoint owes the ACK.
    Answered { client: u64, cseq: u32 },
}

/// Our UPDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Updating {
    /// It says that we are there.
    Refresh,
    /// It has an offer.
    Offer,
}

/// The ACK of one 2xx.
pub(super) struct SentAck {
    /// The INVITE's client transaction.
    pub(super) client: u64,
    /// Which fork answered.
    pub(super) to_tag: Bytes,
    pub(super) sent: Option<(Flow, Bytes)>,
}

impl Leg {
    pub(super) fn new(stage: Stage, tag: Token) -> Leg {
        Leg {
            stage,
            told: true,
            peer: None,
            tag,
            dialog: None,
            outgoing: None,
            asking: None,
            theirs: None,
            provisionals: None,
            unacked: None,
            unacked_way: None,
            ours: None,
            updating: None,
            their_update: None,
            terms: Terms::default(),
            abilities: Abilities::default(),
            session: None,
            their_min_se: 0,
            too_short: 0,
            acks: Vec::new(),
            ending: None,
            flow: None,
            pinned: false,
            proofs: None,
            came_from: None,
            hop: None,
            seek: None,
            open_clients: 0,
            probing: false,
            referral: None,
            referred: false,
            referring: false,
            udp_only: false,
            bye_again: false,
            linger_until: None,
            alarm: Alarm::default(),
        }
    }

    /// When the leg itself has something to do, and what: only what [`leg_due`](super::Endpoint::leg_due) then does.
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let unacked = self.unacked.as_ref().map(|u| (u.poll_timeout(), "2xx without ACK"));
        let remind = self.theirs.and_then(|t| t.remind_at).map(|at| (at, "1xx reminder"));
        // After a refusal or a CANCEL of a re-INVITE nothing is repeated any more.
        let waiting = self.provisionals.as_ref().filter(|_| self.theirs.is_some());
        let prack = waiting.and_then(|p| p.machine.poll_timeout()).map(|at| (at, "1xx without PRACK"));
        let pause = self.ours.as_ref().and_then(|ours| match ours.state {
            OursState::Paused { until } => Some((until, "glare pause")),
            OursState::Sent | OursState::Answered { .. } => None,
        });
        // An UPDATE may agree on a session before there is one; it is kept up and ended from the answer on.
        let session = self.session.as_ref().filter(|_| self.stage == Stage::Confirmed);
        let session = session.map(|session| (session.poll_timeout(), "session"));
        let linger = self.linger_until.map(|at| (at, "K"));
        let referral = self.referral.as_ref().map(|referral| (referral.until, "referral"));
        [unacked, remind, prack, pause, session, linger, referral]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// Nothing of it is on the wire or waited for any more.
    pub(super) fn is_finished(&self) -> bool {
        self.stage == Stage::Over
            && self.open_clients == 0
            && self.seek.is_none()
            && self.theirs.is_none()
            && self.unacked.is_none()
            && self.referral.is_none()
            && self.linger_until.is_none()
    }

    /// Whether a re-INVITE of ours has to wait: one is under way in either direction (RFC 3261 §14.1).
    pub(super) fn is_invite_pending(&self) -> bool {
        self.theirs.is_some() || self.unacked.is_some() || self.ours.is_some()
    }
}
