//! The call record: what is left of a call when it is over, as a fold over its facts (design §8).
//!
//! Every millisecond of a call lies in exactly one of four lengths: `flow_ms + wait_ms + ring_ms + talk_ms` is the
//! time from arrival to end. A clock that was set back adds nothing and takes nothing away.

mod fold;
mod live;
mod recordings;
mod transfers;

use serde::{Deserialize, Serialize};

pub use live::Records;
pub use recordings::{CallRecording, Pause};
pub use transfers::{Segment, Transfer};

use crate::{
    journal::fact::{CallId, Cause, DeadAir, Fault, LegMedia, LegNumber, Micros},
    reason::Reason,
};

/// One caller's whole stay. Times are UTC microseconds, lengths are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The call's name, unique over restarts.
    pub call: CallId,
    /// Generation of the configuration when the call arrived.
    pub generation: u64,
    /// The INVITE was admitted.
    pub arrived_at: Micros,
    /// Our 200 left for the caller, or the customer who is called back answered.
    pub answered_at: Option<Micros>,
    /// The caller was first bridged with somebody: an agent or a dialled party answered.
    pub connected_at: Option<Micros>,
    /// The call was over. Absent only while it lives.
    pub ended_at: Option<Micros>,
    /// The trunk it came by.
    pub trunk: String,
    /// Where its INVITE came from; `callback of CALL` if it is ours, to somebody who had asked for it in that call.
    pub source: String,
    /// The caller's number or address; empty if withheld.
    pub from: String,
    /// The called number or address.
    pub to: String,
    /// Pattern of the `[[number]]` that matched.
    pub number: String,
    /// The flow that number chose.
    pub flow: String,
    /// Menu keys the caller pressed, in order.
    pub keys: String,
    /// The queue the caller was in last.
    pub queue: Option<String>,
    /// The agent the caller was bridged with last; of a call from an agent's telephone, whose `trunk` is `phone`, the
    /// agent who called.
    pub agent: Option<String>,
    /// Assignments that came to nothing.
    pub unanswered: u16,
    /// In the flow: deciding, prompts, menus, and what follows a talk.
    pub flow_ms: u64,
    /// In queues, while no agent rang.
    pub wait_ms: u64,
    /// While an agent or a dialled party rang.
    pub ring_ms: u64,
    /// Bridged.
    pub talk_ms: u64,
    /// The part of `talk_ms` in which somebody had put the other on hold.
    pub hold_ms: u64,
    /// From the first answer of the called side until sound had gone both ways; absent if it never did.
    pub sound_ms: Option<u64>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// Whose fault that was.
    pub fault: Option<Fault>,
    /// Final status sent to the caller, if the call was never answered.
    pub status: Option<u16>,
    /// Q.850 cause seen with the end (RFC 3326), or else of the last leg that failed.
    pub q850: Option<u16>,
    /// Reason text seen with the end, or else phrase of the last leg that failed.
    pub reason: Option<String>,
    /// The caller's leg first, then those we dialled, in order; of a callback all are ours.
    pub legs: Vec<Leg>,
    /// Who spoke with whom from when to when, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// Transfers that were asked for, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<Transfer>,
    /// Recordings of the call, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<CallRecording>,
    /// The call in which its party goes on: this one was a consultation before a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_to: Option<CallId>,
    /// Where the call is now; of use only while it lives.
    #[serde(default)]
    pub progress: Progress,
}

/// A target that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The target, as configured.
    pub target: String,
    /// Its status; 408 for no answer on the network, 503 for no connection.
    pub status: u16,
    /// Text of the status line or of our own finding.
    pub phrase: String,
    /// When it came to nothing.
    pub ended_at: Micros,
    /// The target tried after it.
    pub next: String,
}

/// One dialog of a call with its media.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// 0 is the caller.
    pub leg: LegNumber,
    /// SIP Call-ID.
    pub sip_call_id: String,
    /// Trunk, or `sip` for a plain address.
    pub trunk: String,
    /// The far end's number or address.
    pub party: String,
    /// Of the caller's leg: whoever was called before and sent the call on (RFC 5806, 7044).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverted_from: Option<String>,
    /// Of a leg that called us: the call of ours that has come back to us by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hairpin_of: Option<CallId>,
    /// The agent rung by this leg, or who called by it from his telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Of the caller's leg: an agent who calls for help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
    /// INVITE received or sent.
    pub invited_at: Micros,
    /// First 180 or 183.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringing_at: Option<Micros>,
    /// 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Micros>,
    /// Failed, cancelled or over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Micros>,
    /// Targets of its trunk that were tried in vain before the one that has the last word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Final status of the INVITE: 200 when answered. Absent if we took it back before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Phrase of a status that is not 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
    /// Q.850 cause that came with it (RFC 3326).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q850: Option<u16>,
    /// Text of the Reason header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What its far end calls the call: a GUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The failure was seen on the wire (true) or found by ourselves (false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<bool>,
    /// Names of the files in which its far end was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<String>,
    /// Nobody could be heard on it in its first seconds, the last time that was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_air: Option<DeadAir>,
    /// What its media did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<LegMedia>,
}

/// Which of the four lengths runs now, and since when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    stage: Stage,
    since_ms: i64,
    /// The caller is in `queue`, waiting or while an agent rings: his order key, and when he entered.
    queued: Option<(u64, i64)>,
    /// When he first came to a queue; 0 if not known.
    #[serde(default)]
    arrived: Micros,
    /// Agents who ring for him.
    #[serde(default)]
    rung: u16,
    /// The dialled leg that is bridged.
    bridged: Option<LegNumber>,
    /// Who sits where the caller sat.
    #[serde(default)]
    seat: LegNumber,
    /// Legs that have put the other on hold.
    holding: Vec<LegNumber>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Flow,
    Waiting,
    Ringing,
    Talking,
}

impl Record {
    /// Somebody answered the caller: an agent or a dialled party, not only the flow.
    pub fn is_connected(&self) -> bool {
        self.connected_at.is_some()
    }

    /// Whoever was called before and sent the call to us.
    pub fn diverted_from(&self) -> Option<&str> {
        self.legs.first()?.diverted_from.as_deref()
    }

    /// What the far end that ended the call, or else of the last leg that says so, calls it: a GUID.
    pub fn correlation(&self) -> Option<String> {
        let of_leg = || self.legs.iter().rev().find_map(|leg| leg.correlation.clone());
        self.reason.as_deref().and_then(|reason| Reason::q850(reason).correlation).or_else(of_leg)
    }

    /// Arrival to end in milliseconds; the four lengths add up to it. While the call lives: to its last fact.
    pub fn total_ms(&self) -> u64 {
        self.flow_ms + self.wait_ms + self.ring_ms + self.talk_ms
    }

    /// Name of the queue the caller is in now, his order key there, and when he first came to a queue (0: not known).
    pub fn place(&self) -> Option<(&str, u64, Micros)> {
        Some((self.queue.as_deref()?, self.progress.queued?.0, self.progress.arrived))
    }
}
