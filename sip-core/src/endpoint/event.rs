//! What an endpoint tells its caller, and what it is asked to do.

use super::Terms;
use crate::auth::digest::Login;
use crate::auth::{Suspect, UserId};
use crate::key::LegKey;
use crate::locate::Trouble;
use crate::message::{Body, Message, StatusCode};
use crate::transport::{Flow, PeerId, Target};
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One early dialog of an INVITE of ours: which branch of a fork is speaking. Numbered from 0 as they appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EarlyId(pub u16);

/// A request inside a dialog that waits for [`Endpoint::answer_request`](super::Endpoint::answer_request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey(pub(super) u64);

/// A call to make.
#[derive(Clone, Debug)]
pub struct Invite {
    /// On whose behalf: decides which certificate a connection shows and wants to see. `None`: nobody's that we know.
    pub peer: Option<PeerId>,
    /// The way a telephone registered by: the INVITE and all of its dialog go by it, and by no other; `targets` are not
    /// looked at. A connection that is closed by now fails with [`FailCause::Closed`].
    pub flow: Option<Flow>,
    /// Next hops, tried in order on a transport failure, a time-out or a status of `retry_on` (RFC 3263 §4.3), a new
    /// branch each. A name that resolves to several addresses counts as so many. After the first 101 to 199 none is
    /// tried any more: somebody is being called.
    pub targets: Vec<Target>,
    /// Final statuses after which the next hop is tried, usually 408, 500, 502, 503 and 504.
    pub retry_on: Vec<StatusCode>,
    /// The Request-URI, as it is to stand on the wire.
    pub uri: Bytes,
    /// Another Request-URI for each of `targets`, where a far end wants to be called by its own name; empty: `uri` for
    /// all.
    pub uris: Vec<Bytes>,
    /// `From` without tag: `"Anna" <sip:anna@example.com>`.
    pub from: Bytes,
    /// `To` without tag.
    pub to: Bytes,
    /// Further headers in order, names as they are to be written. Those we write ourselves (Via, From, To,
    /// Call-ID, CSeq, Contact, Max-Forwards, Allow, Supported, User-Agent, Content-*) are left out.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The offer; without one the answer's 2xx brings it and [`Endpoint::ack`](super::Endpoint::ack) answers it.
    pub body: Option<Body>,
    /// Who we are to a far end that asks, in the whole dialog; a challenge is told as a failure only if this does not
    /// answer it.
    pub login: Option<Arc<Login>>,
    /// Never by TCP because of size alone, in the whole dialog.
    pub udp_only: bool,
    /// 0 to 255, usually 70, or one less than the request that caused this one had.
    pub max_forwards: u8,
    /// Resolving, connecting and the first response together may take this long per address; then the next one
    /// is tried. At most timer B (32 s). 8 s is a good value when there are several targets.
    pub first_response_timeout: Duration,
    /// Extensions to use in the dialog.
    pub terms: Terms,
}

/// A response to send.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status; 100 is sent by itself and ignored here.
    pub status: StatusCode,
    /// Another phrase than the usual one.
    pub reason: Option<Bytes>,
    /// Further headers in order.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The body.
    pub body: Option<Body>,
}

impl Reply {
    /// A response without body and further headers.
    pub fn new(status: StatusCode) -> Reply {
        Reply { status, reason: None, headers: Vec::new(), body: None }
    }

    /// The same with a body.
    pub fn with_body(self, body: Body) -> Reply {
        Reply { body: Some(body), ..self }
    }
}

/// How to end a leg, whatever its stage.
#[derive(Clone, Debug)]
pub struct HangUp {
    /// The final response when the leg is an INVITE we have not answered yet; else unused.
    pub status: StatusCode,
    /// Further headers of that response, or of the BYE or CANCEL: `Reason` (RFC 3326).
    pub headers: Vec<(Bytes, Bytes)>,
}

impl HangUp {
    /// A plain ending.
    pub fn new(status: StatusCode) -> HangUp {
        HangUp { status, headers: Vec::new() }
    }
}

/// Why an INVITE of ours failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailCause {
    /// The far end refused: there is a response.
    Response,
    /// Nothing came from any target in time. Status 408.
    TimedOut,
    /// No target could be reached: refused connection, ICMP error, no listener of that transport. Status 503.
    Unreachable,
    /// No target's name could be resolved. Status 503.
    Unresolved,
    /// The connection closed before the first response. Status 503.
    Closed,
    /// No transaction was to be had: a limit of ours. Status 503.
    Full,
}

/// What happened to a leg. After an event that says "leg over" its key is stale and there are no more events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new call; `100` has already left. Answer with [`respond`](super::Endpoint::respond).
    Invite {
        /// The new leg.
        leg: LegKey,
        /// Whose address it came from.
        peer: PeerId,
        /// Who proved to be the sender, where that is asked ([`set_guard`](super::Endpoint::set_guard)).
        user: Option<UserId>,
        /// The way it came.
        flow: Flow,
        /// The leg whose place it is to take (RFC 3891): answered, or of an INVITE of ours that rings. Taking it means to
        /// answer this one and to hang that one up.
        replaces: Option<LegKey>,
        /// The INVITE.
        request: Message,
    },
    /// A REGISTER of a user who proved to be he, to be answered with
    /// [`answer_register`](super::Endpoint::answer_register) within 32 s.
    Register {
        /// What to answer.
        key: RequestKey,
        /// Whose.
        user: UserId,
        /// The way it came: the way to the telephone.
        flow: Flow,
        /// The REGISTER.
        request: Message,
    },
    /// Somebody was locked out for wrong proofs.
    LockedOut {
        /// Whom it concerns.
        suspect: Suspect,
        /// Where the last of them came from.
        source: IpAddr,
    },
    /// The caller gave up: `200` to the CANCEL and `487` to the INVITE have left. Leg over.
    Cancelled {
        /// The leg that is over.
        leg: LegKey,
        /// The CANCEL.
        request: Option<Message>,
    },
    /// 101 to 199 to an INVITE of ours.
    Progress {
        /// Our leg.
        leg: LegKey,
        /// Which branch of a fork says so.
        early: EarlyId,
        /// The response.
        response: Message,
    },
    /// The first 2xx to an INVITE of ours: [`ack`](super::Endpoint::ack) is wanted. Other forks' 2xx are
    /// acknowledged and hung up inside.
    Answered {
        /// Our leg.
        leg: LegKey,
        /// Which branch of a fork has answered; `None`: one that had said nothing before.
        early: Option<EarlyId>,
        /// The 2xx.
        response: Message,
    },
    /// DNS did not lead where it should, or led there in spite of something an operator should know.
    NameTrouble {
        /// On whose behalf the name was looked up.
        peer: Option<PeerId>,
        /// The name.
        host: String,
        /// What is wrong.
        trouble: Trouble,
        /// Addresses that were found all the same.
        found: usize,
    },
    /// One address of an INVITE of ours came to nothing: no way, no answer, or a status of
    /// [`retry_on`](Invite::retry_on). After the last one [`Failed`](Event::Failed) follows.
    AttemptFailed {
        /// Our leg.
        leg: LegKey,
        /// The target that the address belongs to.
        target: Target,
        /// The target tried next, perhaps the same with another address; `None` after the last.
        next: Option<Target>,
        /// The way it went, if it went.
        flow: Option<Flow>,
        /// The response, if one came.
        response: Option<Message>,
        /// Why.
        cause: FailCause,
    },
    /// An INVITE of ours failed. Leg over.
    Failed {
        /// The leg that is over.
        leg: LegKey,
        /// The response's status, or the one that says the same (see [`FailCause`]).
        status: StatusCode,
        /// The response, if one came.
        response: Option<Message>,
        /// Why.
        cause: FailCause,
    },
    /// The ACK of a 2xx of ours; it brings the answer when our 2xx was the offer.
    Acked {
        /// The leg.
        leg: LegKey,
        /// The ACK.
        request: Message,
    },
    /// No ACK came within 64*T1 (RFC 3261 §13.3.1.4), or no PRACK of a reliable provisional response (RFC 3262 §3). The leg still lives: hang it up.
    AckMissing {
        /// The leg.
        leg: LegKey,
    },
    /// A re-INVITE, to be answered with [`respond`](super::Endpoint::respond).
    Reinvite {
        /// The leg.
        leg: LegKey,
        /// The re-INVITE.
        request: Message,
    },
    /// The far end took its re-INVITE back (CANCEL) or the dialog's rules ended it; `487` has left, the session
    /// stays as it was. There is nothing to respond to any more.
    ReinviteCancelled {
        /// The leg.
        leg: LegKey,
    },
    /// The end of a re-INVITE of ours. A 2xx has already been acknowledged, unless it answers a re-INVITE
    /// without body: then [`ack`](super::Endpoint::ack) is wanted. After 408 or 481 the dialog is dead at the far
    /// end: hang up (RFC 3261 §12.2.1.2). 491 here: the far end's re-INVITE came first, withdraw the offer.
    Reinvited {
        /// The leg.
        leg: LegKey,
        /// The final response, if one came.
        response: Option<Message>,
        /// Its status, or 408, 491, 503.
        status: StatusCode,
    },
    /// The far end hung up; `200` has left. Leg over.
    Bye {
        /// The leg that is over.
        leg: LegKey,
        /// The BYE.
        request: Message,
    },
    /// A request inside the dialog (INFO, UPDATE or PRACK with a description), to be answered with
    /// [`answer_request`](super::Endpoint::answer_request) within 32 s.
    Request {
        /// The leg.
        leg: LegKey,
        /// What to answer.
        key: RequestKey,
        /// The request.
        request: Message,
    },
    /// A REFER inside the dialog: take it with [`accept_refer`](super::Endpoint::accept_refer) or refuse it with
    /// [`answer_request`](super::Endpoint::answer_request), within 32 s. It has one Refer-To that can be read.
    Refer {
        /// The leg.
        leg: LegKey,
        /// What to answer.
        key: RequestKey,
        /// The REFER.
        request: Message,
    },
    /// What has come of a [`refer`](super::Endpoint::refer) of ours.
    Referred {
        /// The leg.
        leg: LegKey,
        /// Of the INVITE that the far end has sent, or of its refusal to send one.
        status: StatusCode,
        /// Nothing more will be told of it.
        is_last: bool,
    },
    /// The end of an [`ask`](super::Endpoint::ask). Leg over.
    Asked {
        /// The leg that is over.
        leg: LegKey,
        /// The final response, or why there is none from any address.
        answer: Result<Message, FailCause>,
        /// The way by which the response came, if one did.
        flow: Option<Flow>,
    },
    /// The end of an [`update`](super::Endpoint::update) with a body. 491 here: both ends have offered at once,
    /// withdraw the offer.
    Updated {
        /// The leg.
        leg: LegKey,
        /// The final response, if one came.
        response: Option<Message>,
        /// Its status, or 408, 491, 503.
        status: StatusCode,
    },
    /// The session is to be refreshed: send what was described last once more, unchanged, by
    /// [`reinvite`](super::Endpoint::reinvite) (RFC 4028 §7.4). Comes again if that fails.
    RefreshDue {
        /// The leg.
        leg: LegKey,
    },
    /// The session was not refreshed in time, or the far end does not know it any more. The leg still lives: hang it
    /// up (RFC 4028 §10).
    SessionExpired {
        /// The leg.
        leg: LegKey,
    },
    /// The end of a [`probe`](super::Endpoint::probe).
    Probed {
        /// The leg.
        leg: LegKey,
        /// False after 408, 481 or no answer at all.
        alive: bool,
    },
}

impl Event {
    /// The leg it happened to; `None` for what belongs to no call.
    pub fn leg(&self) -> Option<LegKey> {
        match self {
            Event::Register { .. } | Event::LockedOut { .. } | Event::NameTrouble { .. } => None,
            Event::Invite { leg, .. }
            | Event::Cancelled { leg, .. }
            | Event::Progress { leg, .. }
            | Event::Answered { leg, .. }
            | Event::AttemptFailed { leg, .. }
            | Event::Asked { leg, .. }
            | Event::Failed { leg, .. }
            | Event::Acked { leg, .. }
            | Event::AckMissing { leg }
            | Event::Reinvite { leg, .. }
            | Event::ReinviteCancelled { leg }
            | Event::Reinvited { leg, .. }
            | Event::Updated { leg, .. }
            | Event::RefreshDue { leg }
            | Event::SessionExpired { leg }
            | Event::Bye { leg, .. }
            | Event::Request { leg, .. }
            | Event::Refer { leg, .. }
            | Event::Referred { leg, .. }
            | Event::Probed { leg, .. } => Some(*leg),
        }
    }

    /// True if the leg is over with it: its key is stale from now on.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Event::Cancelled { .. } | Event::Failed { .. } | Event::Bye { .. } | Event::Asked { .. }
        )
    }
}
