//! Facts: what the machines say happened. Records, metrics and reports are folds over them (design §8).
//!
//! Machines never write a log line or a record about business; they emit a [`Fact`]. The writer commits facts in
//! batches, one row per batch, and whatever is shown anywhere can be computed again from those rows.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Serialize};

pub use super::recording::RecordingStep;
pub use super::transfer::TransferStep;
pub use super::words::*;
use crate::credit::Credit;

/// The layout of [`Fact`]; raised when an old reader could misread a new fact.
pub const SCHEMA_VERSION: u16 = 1;

/// UTC microseconds since 1970.
pub type Micros = i64;

/// One thing that happened, at one instant, to one call or to the node itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Rises by one for each fact of this node and never repeats, over restarts too. The writer gives it.
    pub seq: u64,
    /// When it happened.
    pub at: Micros,
    /// The call it belongs to, as the digits of its `CallKey` within this run; `None` for the node's own facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Generation of the configuration in force.
    pub generation: u64,
    /// What happened.
    pub what: What,
}

/// A call's name that is unique over restarts: start of the run in microseconds, then the call's key in that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId {
    /// When this process started: [`Micros`].
    pub run: Micros,
    /// The call's key within that process.
    pub key: u64,
}

impl fmt::Display for CallId {
    /// `65a1f0c2b3d40-10000002a`: run and key in hexadecimal; [`FromStr`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.run, self.key)
    }
}

impl FromStr for CallId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<CallId, ParseIntError> {
        let (run, key) = text.split_once('-').unwrap_or((text, ""));
        Ok(CallId { run: Micros::from_str_radix(run, 16)?, key: u64::from_str_radix(key, 16)? })
    }
}

/// A leg's number within its call: 0 is the caller, or the customer who is called back; 1 and more are the legs we
/// dialled, in that order.
pub type LegNumber = u16;

/// What happened. `leg` is a [`LegNumber`]; times are [`Micros`] or a length in milliseconds, as named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum What {
    /// The process started. Calls of earlier runs that have no end get one now.
    Started {
        /// Of the running binary.
        version: String,
    },
    /// The process ended in order.
    Stopped,
    /// A configuration came into force.
    ConfigLoaded {
        /// What changed, in words; empty on start.
        difference: String,
    },
    /// Facts were lost because the journal could not be written and memory for them was full (`journal.spill`).
    /// The writer states it, in front of the first fact after the loss that was kept.
    Gap {
        /// How many facts.
        lost: u64,
        /// How many calls are missing as a whole among them: they have no record.
        #[serde(default)]
        calls: u64,
    },
    /// An INVITE was admitted: from here on one record follows.
    Arrived {
        /// The trunk it came by.
        trunk: String,
        /// The caller's number or address, as asserted; empty if withheld.
        from: String,
        /// The called number or address.
        to: String,
        /// SIP Call-ID of the caller's leg.
        sip_call_id: String,
        /// Where the datagram or connection came from.
        source: String,
        /// Whoever was called before and sent the call on (RFC 5806, 7044); absent if nobody did, or is to be named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        diverted_from: Option<String>,
        /// The call of ours that has come back to us by this INVITE, under the Call-ID that we gave it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hairpin_of: Option<CallId>,
        /// The agent whose telephone calls; then `trunk` is `phone`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// An agent's telephone may not call where it wanted: the toll guard is in the way.
    TollRefused {
        /// Name of the agent.
        agent: String,
        /// Why.
        why: TollRefusal,
    },
    /// A telephone has registered, or by another way than before.
    Registered {
        /// Name of the agent.
        agent: String,
        /// Its address, as it wrote it.
        contact: String,
        /// Where it really is.
        source: String,
        /// What it says it is; empty if it does not.
        device: String,
    },
    /// A telephone is not registered any more.
    Unregistered {
        /// Name of the agent.
        agent: String,
        /// Its address, as it wrote it.
        contact: String,
        /// Why, in words: `expired`, `does not answer`, …
        why: String,
    },
    /// Wrong passwords came too often: nobody is believed from there, or as this agent, for a while.
    LockedOut {
        /// Where the last came from.
        source: String,
        /// Name of the agent whose password it was, if he is locked out and not the address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// An agent calls for help.
    Emergency {
        /// The number, as it is sent.
        number: String,
        /// Names of the trunks that are tried, in order.
        trunks: Vec<String>,
    },
    /// The number's flow was chosen.
    Routed {
        /// Name of the flow.
        flow: String,
        /// Pattern of the `[[number]]` that matched.
        number: String,
    },
    /// Our 200 left for the caller.
    CallerAnswered,
    /// The caller's ACK came.
    Acknowledged,
    /// A prompt began.
    PromptStarted {
        /// As named in the configuration.
        prompt: String,
    },
    /// A prompt ended, or was cut.
    PromptEnded {
        /// It did not run to its end.
        cut: bool,
    },
    /// The caller chose from a menu; `key` is empty when the time ran out.
    Chose {
        /// The key as pressed.
        key: String,
        /// The menu knows this key.
        valid: bool,
    },
    /// The caller has left a message, or was asked for one and said nothing.
    VoicemailLeft {
        /// For whom.
        mailbox: String,
        /// Name of the file in `voicemail.folder`; absent if the message was under a second and thrown away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// How long it is, the silence at its end included.
        length_ms: u64,
        /// What ended it.
        end: MessageEnd,
    },
    /// The caller has come to a conference, and talks with who is in it until he hangs up.
    ConferenceJoined {
        /// Its name.
        conference: String,
    },
    /// There was no room left for him in the conference that he has just come to.
    ConferenceFull,
    /// What becomes of the recording of the call.
    Recording(RecordingStep),
    /// Opening hours were asked.
    HoursChecked {
        /// Name of the opening hours.
        hours: String,
        /// The answer.
        open: bool,
    },
    /// The caller entered a queue. No second one when he waits on after an unanswered assignment; one when the agent's
    /// leg was answered and ended at once or sent no sound ([`Unanswered::HungUpAtOnce`], [`Unanswered::Silent`]), with the
    /// old key.
    Queued {
        /// Name of the queue.
        queue: String,
        /// The caller's order key, wall-clock microseconds less credit.
        key: u64,
        /// Place at entry, 1 is next; 0 if not known.
        place: u32,
        /// When he first came to a queue in this call: by this he stands; 0 if not known.
        #[serde(default)]
        arrived: Micros,
        /// What puts him ahead of one who came when he came.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        credits: Vec<Credit>,
        /// The agent for whom he waits first, and nobody else may serve him: to whom he spoke last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sticky: Option<String>,
        /// How long he will wait at most in so many cases as `estimate_percent` says; absent if not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        estimate_ms: Option<u64>,
        /// The place is that of an earlier call of his, which he lost because we ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Kept>,
    },
    /// The caller waits no longer for one agent alone: he has waited so long enough, or the agent has gone.
    OpenToAll {
        /// Name of the queue.
        queue: String,
        /// Name of the agent.
        agent: String,
    },
    /// The caller has waited long enough to accept more agents.
    Widened {
        /// Name of the queue.
        queue: String,
        /// Which step of its widening: 1 is the first that was written.
        step: u8,
    },
    /// The caller was given to an agent, who is about to be rung.
    Assigned {
        /// Name of the queue.
        queue: String,
        /// Name of the agent.
        agent: String,
        /// Since the caller entered the queue.
        waited_ms: u64,
        /// Agents who rang for him already, and ring on: more than none only in a queue that rings several at once.
        #[serde(default, skip_serializing_if = "is_none")]
        beside: u8,
    },
    /// Why this agent and this caller: comes with each [`Assigned`](What::Assigned). Smaller keys are sooner.
    Chosen {
        /// How the queue chooses, as in the configuration.
        strategy: String,
        /// The step of widening that the caller had reached.
        step: u8,
        /// The caller's key: wall-clock microseconds of arrival less credit.
        caller_key: u64,
        /// Callers of the queue with smaller keys: those whom this agent may not serve.
        ahead: u32,
        /// Others who wait in the queue.
        waiting: u32,
        /// The smallest key of those others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_caller_key: Option<u64>,
        /// The agent's key in the strategy's order.
        agent_key: u64,
        /// Others who were idle for this caller.
        idle: u32,
        /// The first of those others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_agent: Option<String>,
        /// His key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_agent_key: Option<u64>,
    },
    /// An assignment came to nothing. With nobody else who rings for him the caller waits again with the old key, or has
    /// left.
    Unanswered {
        /// Name of the agent.
        agent: String,
        /// Why.
        why: Unanswered,
        /// How long it rang.
        rang_ms: u64,
    },
    /// The caller left the queue, or was turned away at its door ([`LeftQueue::is_of_the_door`]): then there is no `Queued`.
    Left {
        /// Name of the queue.
        queue: String,
        /// How.
        how: LeftQueue,
        /// Since entry: ring time of the last assignment included.
        waited_ms: u64,
        /// By which the wait is judged; all zero when no configuration was there to say.
        #[serde(default)]
        targets: Targets,
    },
    /// The caller asked to be called back: the callback is named by his call from now on, and pending until
    /// [`CallbackOver`](What::CallbackOver). It begins when his call is over.
    CallbackAsked {
        /// Name of the queue.
        queue: String,
        /// The caller's number, as asserted; never empty.
        from: String,
        /// What he had called.
        to: String,
        /// The trunk by which he had called.
        trunk: String,
        /// Where he is to be called, `NUMBER@TRUNK` or a SIP URI.
        dial: String,
        /// When he first came to a queue: by this he stands.
        arrived: Micros,
        /// How long he is to ring.
        ring_ms: u64,
        /// How long nobody calls again after it was in vain.
        retry_ms: u64,
        /// How often he is called at most.
        tries: u8,
        /// When it is given up.
        expires: Micros,
    },
    /// The caller asked to be called back and had asked before: that he is waiting for one already is all.
    CallbackAwaited {
        /// Name of the queue.
        queue: String,
        /// The callback.
        callback: CallId,
    },
    /// A call of ours to a customer who asked for it: from here on one record follows, as after
    /// [`Arrived`](What::Arrived). It waits in the queue like anybody.
    CallbackBegun {
        /// The callback.
        callback: CallId,
        /// The customer's number.
        from: String,
        /// What he had called.
        to: String,
        /// The trunk by which he had called.
        trunk: String,
        /// How often he can be called: this time included.
        tries: u8,
    },
    /// Not now: it begins again at `until`. Of its call if there was one, else of none.
    CallbackPutOff {
        /// The callback.
        callback: CallId,
        /// When it begins again.
        until: Micros,
        /// The customer was called: that is one try less.
        tried: bool,
    },
    /// Customer and agent were connected, or it was given up.
    CallbackOver {
        /// The callback.
        callback: CallId,
        /// Name of the queue.
        queue: String,
        /// How.
        how: CallbackEnd,
    },
    /// We sent an INVITE.
    Dialled {
        /// The new leg.
        leg: LegNumber,
        /// Name of the trunk, or `sip` for a plain address.
        trunk: String,
        /// Address dialled.
        to: String,
        /// SIP Call-ID of the new leg.
        sip_call_id: String,
        /// Name of the agent, if it is an assignment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// One target of a leg that we dialled came to nothing, and the next is tried.
    AttemptFailed {
        /// The leg.
        leg: LegNumber,
        /// The target, as configured.
        target: String,
        /// Its status; 408 for no answer on the network, 503 for no connection.
        status: u16,
        /// Text of the status line or of our own finding.
        phrase: String,
        /// The target tried next.
        next: String,
    },
    /// 180 or 183 of a leg we dialled.
    Ringing {
        /// The leg.
        leg: LegNumber,
        /// 180, 183, …
        status: u16,
    },
    /// 200 of a leg we dialled, acknowledged by us.
    LegAnswered {
        /// The leg.
        leg: LegNumber,
    },
    /// A leg we dialled came to nothing.
    LegFailed {
        /// The leg.
        leg: LegNumber,
        /// Final status; 408 for no answer on the network, 503 for no connection (RFC 3261 §8.1.3.1).
        status: u16,
        /// Text of the status line or of our own finding.
        phrase: String,
        /// `cause` of a Q.850 Reason header (RFC 3326), if one came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        q850: Option<u16>,
        /// Its text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What the far end calls the call, if the text says so: a GUID.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        correlation: Option<String>,
        /// Seen on the wire, or found by ourselves (time-out, unreachable).
        remote: bool,
    },
    /// Two legs' sound is connected.
    Bridged {
        /// The dialled leg; the other is the caller.
        leg: LegNumber,
        /// Agent bridged, if one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// Somebody is connected with somebody else.
    Transfer(TransferStep),
    /// First instant at which sound had gone both ways.
    TwoWaySound {
        /// The dialled leg.
        leg: LegNumber,
        /// Since the dialled leg's answer.
        after_ms: u64,
    },
    /// Nobody could be heard on a leg in its first seconds.
    DeadAir {
        /// The leg.
        leg: LegNumber,
        /// Why.
        why: DeadAir,
        /// What was done about it.
        cure: Cure,
    },
    /// A side put the other on hold, or took it back.
    Held {
        /// The leg that did.
        leg: LegNumber,
        /// On hold now.
        held: bool,
    },
    /// ICE or DTLS of a leg came to nothing, or ended (RFC 7675).
    PathBroken {
        /// The leg.
        leg: LegNumber,
        /// Why, in words.
        why: String,
    },
    /// A leg's media is over; its final count. Comes before the call's [`Ended`](What::Ended).
    LegEnded {
        /// The leg.
        leg: LegNumber,
        /// The count.
        media: LegMedia,
    },
    /// The call is over; the record closes with this fact, and no fact of this call may follow.
    Ended {
        /// Why.
        cause: Cause,
        /// Whose fault.
        fault: Fault,
        /// Final status sent to the caller, if the call was never answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// `cause` of a Q.850 Reason header seen with the end (RFC 3326).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        q850: Option<u16>,
        /// Reason text seen with the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Somebody asked for an agent to be ready, paused or logged out; the state follows when he is free.
    Wished {
        /// Name of the agent.
        agent: String,
        /// What was asked for.
        wish: Wish,
        /// The operator's reason; empty if none was given.
        reason: String,
    },
    /// Somebody closed a queue by hand, or took that back.
    QueueSwitched {
        /// Name of the queue.
        queue: String,
        /// Closed from now on.
        closed: bool,
        /// The operator's reason; empty if none was given.
        reason: String,
    },
    /// A target of a trunk is believed to be there, or not, or is left alone for a while.
    TrunkTarget {
        /// Name of the trunk.
        trunk: String,
        /// The target, as configured.
        target: String,
        /// What it is from now on.
        state: TargetState,
        /// Why, in words.
        why: String,
    },
    /// A spell in which new calls were refused because we could not keep up is over. They have no record.
    Overload {
        /// How many were refused.
        refused: u64,
        /// From the first to the last of them.
        lasted_ms: u64,
    },
    /// An agent's presence elsewhere lets him be given calls, or does not, from now on.
    Presence {
        /// Name of the agent.
        agent: String,
        /// He may be given calls.
        offered: bool,
        /// By what: `Busy, InACall`, `not yet known`, …
        says: String,
    },
    /// Agents of the queue who are at work and ready, and whose presence keeps them from this caller. Comes with
    /// [`Queued`](What::Queued) and [`Assigned`](What::Assigned) if there are such.
    HeldBack {
        /// Name of the queue.
        queue: String,
        /// Their names with what their presence says, eight at most.
        agents: Vec<(String, String)>,
        /// How many more.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u32,
    },
    /// An agent's state changed.
    Agent {
        /// Name of the agent.
        agent: String,
        /// The new state.
        state: AgentState,
        /// Why, in words: "log-in", "no answer", "wrap-up over", or the operator's reason.
        reason: String,
    },
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn is_none(count: &u8) -> bool {
    *count == 0
}
