//! The words of facts: whose fault, why a call ended, how a caller left, what an agent does.
//!
//! A word is written in small letters with hyphens wherever it is read, by a machine or by people.

use serde::{Deserialize, Serialize};

use super::fact::{CallId, Micros};

/// Whose fault a failed call was. A user's own decision (busy, gave up) is nobody's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing failed, or a user decided so (486, 603, hang-up).
    None,
    /// What came from the calling side was wrong or stopped: no ACK, no media, unusable offer.
    CallerSide,
    /// The called side failed: no answer on the network, 5xx, unreachable.
    CalledSide,
    /// Our configuration: no such number, no flow.
    Configuration,
    /// We ourselves: full, draining, an error of ours.
    Router,
}

/// Why a call ended, as the call record tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The caller hung up in a talk, or in the flow (prompt, menu, between two steps), answered or not: BYE or CANCEL.
    CallerHungUp,
    /// The agent or called party hung up.
    CalledHungUp,
    /// The caller gave up waiting for somebody: in a queue, or while an agent or a dialled party rang. BYE or CANCEL.
    Abandoned,
    /// The flow came to its end and hung up.
    FlowEnded,
    /// The flow refused the call (`reject`), or no number matched.
    Rejected,
    /// The called party was busy, and nothing followed.
    Busy,
    /// The called party did not answer in time, and nothing followed.
    NoAnswer,
    /// The called party refused (603, 480, …), and nothing followed.
    Declined,
    /// The called side could not be reached: 4xx, 5xx, time-out, transport.
    Unreachable,
    /// Offer and answer left no common ground (488).
    NoCommonMedia,
    /// It was a consultation: its party goes on in the call of whom it was transferred to.
    Transferred,
    /// Our 2xx was never acknowledged (RFC 3261 §13.3.1.4).
    NoAck,
    /// The far end died silently: no RTP, no RTCP, no answer to a question in the dialog.
    MediaLost,
    /// The far end did not refresh the session in time, or did not know it any more (RFC 4028).
    SessionExpired,
    /// Refused or ended because we were full, draining or without a journal.
    Overload,
    /// The drain deadline came, or a second SIGINT.
    Shutdown,
    /// The process ended without an end of this call; written by the next start.
    RouterRestarted,
    /// An error of ours.
    Internal,
}

impl Fault {
    /// Its word in facts, records and labels.
    pub fn word(self) -> &'static str {
        match self {
            Fault::None => "none",
            Fault::CallerSide => "caller-side",
            Fault::CalledSide => "called-side",
            Fault::Configuration => "configuration",
            Fault::Router => "router",
        }
    }
}

impl Cause {
    /// Its word in facts, records and labels.
    pub fn word(self) -> &'static str {
        match self {
            Cause::CallerHungUp => "caller-hung-up",
            Cause::CalledHungUp => "called-hung-up",
            Cause::Abandoned => "abandoned",
            Cause::FlowEnded => "flow-ended",
            Cause::Rejected => "rejected",
            Cause::Busy => "busy",
            Cause::NoAnswer => "no-answer",
            Cause::Declined => "declined",
            Cause::Unreachable => "unreachable",
            Cause::NoCommonMedia => "no-common-media",
            Cause::Transferred => "transferred",
            Cause::NoAck => "no-ack",
            Cause::MediaLost => "media-lost",
            Cause::SessionExpired => "session-expired",
            Cause::Overload => "overload",
            Cause::Shutdown => "shutdown",
            Cause::RouterRestarted => "router-restarted",
            Cause::Internal => "internal",
        }
    }
}

/// How a caller left a queue. Exactly one per entry, so that the sums of a queue add up (design §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftQueue {
    /// An agent answered.
    Answered,
    /// The caller hung up while waiting or while an agent rang.
    Abandoned,
    /// `max_wait` was over.
    TimedOut,
    /// `max_waiting` was reached: never waited.
    Full,
    /// The queue was closed: by its hours, by its configuration or by hand.
    Closed,
    /// The queue was taken out of the configuration.
    Removed,
    /// Nobody who serves the queue was logged in (`turn_away_when`, `leave_when`).
    NobodyLoggedIn,
    /// All who serve the queue and were logged in had paused.
    NobodyReady,
    /// The estimated wait was above `max_estimate`: he entered, was told so by nobody, and went on.
    Estimate,
    /// He pressed one of the queue's `keys`.
    ByKey,
    /// A callback: an agent was there, and the customer was busy, did not answer or could not be reached.
    Unreached,
    /// The call ended for another reason (media lost, shutdown).
    Ended,
}

impl LeftQueue {
    /// Callers may be turned away so at the door: they have left without having entered.
    pub fn is_of_the_door(self) -> bool {
        match self {
            LeftQueue::Full | LeftQueue::Closed | LeftQueue::Removed => true,
            LeftQueue::NobodyLoggedIn | LeftQueue::NobodyReady => true,
            LeftQueue::Answered | LeftQueue::Abandoned | LeftQueue::TimedOut => false,
            LeftQueue::Estimate | LeftQueue::ByKey => false,
            LeftQueue::Unreached | LeftQueue::Ended => false,
        }
    }
}

/// By which times a queue's service is judged, as they were in force when the caller left: a report over months must
/// not change when a target does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// `service_level`: who waited no longer was served in time.
    pub in_time_ms: u64,
    /// `short_abandon`: who gives up no later does not count as offered.
    pub short_ms: u64,
}

/// Whose place a caller has taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The call that had it.
    pub call: CallId,
    /// When that call was cut off.
    pub lost_at: Micros,
}

/// What ended a message that a caller left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageEnd {
    /// The caller pressed `#`.
    Key,
    /// He said nothing for as long as the step's `silence`.
    Silence,
    /// It was as long as the step's `max`.
    TooLong,
    /// The caller hung up.
    HungUp,
    /// The call ended for another reason (media lost, shutdown).
    Ended,
}

impl MessageEnd {
    /// Its word in facts and labels.
    pub fn word(self) -> &'static str {
        match self {
            MessageEnd::Key => "key",
            MessageEnd::Silence => "silence",
            MessageEnd::TooLong => "too-long",
            MessageEnd::HungUp => "hung-up",
            MessageEnd::Ended => "ended",
        }
    }
}

/// Why an assignment came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unanswered {
    /// `ring_timeout` was over.
    NoAnswer,
    /// 486 or 600.
    Busy,
    /// 603, 480 or another refusal by a person.
    Rejected,
    /// The agent's address could not be reached.
    Failed,
    /// The caller left while the agent rang.
    CallerLeft,
    /// Another agent who rang for the same caller was faster: nothing is held against this one.
    AnsweredElsewhere,
    /// The agent's leg was answered and ended within two seconds: nobody can have said anything.
    HungUpAtOnce,
    /// The agent's leg was answered and carried no sound within the queue's `dead_air`: we hung it up.
    Silent,
    /// The agent answered, and the customer whom he was to call back did not: nothing is held against the agent.
    CustomerUnreached,
    /// The agent was not rung, and the fault is ours: no port or leg free, or his trunk has as many calls as it may.
    Router,
}

impl Unanswered {
    /// Its word in facts and labels.
    pub fn word(self) -> &'static str {
        match self {
            Unanswered::NoAnswer => "no-answer",
            Unanswered::Busy => "busy",
            Unanswered::Rejected => "rejected",
            Unanswered::Failed => "failed",
            Unanswered::CallerLeft => "caller-left",
            Unanswered::AnsweredElsewhere => "answered-elsewhere",
            Unanswered::HungUpAtOnce => "hung-up-at-once",
            Unanswered::Silent => "silent",
            Unanswered::CustomerUnreached => "customer-unreached",
            Unanswered::Router => "router",
        }
    }

    /// The agent or his telephone did not take the call, or could not be rung: the caller goes on waiting.
    pub fn is_of_the_agent(self) -> bool {
        !matches!(
            self,
            Unanswered::CallerLeft | Unanswered::AnsweredElsewhere | Unanswered::CustomerUnreached
        )
    }
}

/// Why an agent's telephone may not call where it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TollRefusal {
    /// The number begins with nothing that `may_call` has, or with what `never_call` has.
    Destination,
    /// He has no trunk, and no other agent has this number.
    NoTrunk,
    /// As many calls as `calls_at_once` says are under way.
    AtOnce,
    /// As many calls as `calls_per_hour` says have begun within an hour.
    PerHour,
}

impl TollRefusal {
    /// Its word in facts and labels.
    pub fn word(self) -> &'static str {
        match self {
            TollRefusal::Destination => "destination",
            TollRefusal::NoTrunk => "no-trunk",
            TollRefusal::AtOnce => "at-once",
            TollRefusal::PerHour => "per-hour",
        }
    }
}

/// How a callback was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackEnd {
    /// Customer and agent were connected.
    Reached,
    /// The customer was called as often as `tries` says.
    Unreached,
    /// `expires` was over.
    Expired,
    /// Its queue was taken out of the configuration.
    Removed,
}

impl CallbackEnd {
    /// Its word in facts and labels.
    pub fn word(self) -> &'static str {
        match self {
            CallbackEnd::Reached => "reached",
            CallbackEnd::Unreached => "unreached",
            CallbackEnd::Expired => "expired",
            CallbackEnd::Removed => "removed",
        }
    }
}

/// What is believed of a target of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// Calls try it in its turn.
    Up,
    /// It has not answered checks or calls: calls try it last.
    Down,
    /// It asked to be left alone for a while (Retry-After): calls try it last.
    Resting,
}

/// States of an agent (design §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentState {
    /// Not at work; only a log-in changes that.
    LoggedOut,
    /// At work, not to be rung: paused, or resting after an unanswered assignment.
    NotReady,
    /// Waiting for a caller.
    Idle,
    /// An assignment rings.
    Ringing,
    /// Bridged with a caller.
    Talking,
    /// After-call work.
    WrapUp,
}

/// What an agent, or somebody for him, asked for. The last one of each agent survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// At work and ready for calls: `login`, `ready`.
    Ready,
    /// At work, not to be rung: `pause`.
    Paused,
    /// Not at work: `logout`.
    LoggedOut,
}

/// Why nobody could be heard on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadAir {
    /// No packet came.
    Nothing,
    /// Packets came from a wrong address only.
    WrongSource,
    /// Packets came that the SRTP key does not open.
    Unauthentic,
    /// Packets came in a format that was not agreed.
    UnknownPayload,
    /// What came was one byte of silence over and over.
    DigitalSilence,
}

impl DeadAir {
    /// Its word in facts and labels.
    pub fn word(self) -> &'static str {
        match self {
            DeadAir::Nothing => "nothing",
            DeadAir::WrongSource => "wrong-source",
            DeadAir::Unauthentic => "unauthentic",
            DeadAir::UnknownPayload => "unknown-payload",
            DeadAir::DigitalSilence => "digital-silence",
        }
    }
}

/// What was done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cure {
    /// Nothing.
    None,
    /// Whoever sends is believed from now on.
    Relatched,
    /// A re-INVITE was sent.
    Reinvited,
}

/// What one leg's media did, as the engine counted it (RFC 3550 §6.4, A.3, A.8).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LegMedia {
    /// `PCMA`, `PCMU`, …
    pub codec: String,
    /// RTP packets accepted from the far end.
    pub packets_in: u64,
    /// Octets of RTP payload accepted.
    pub octets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Octets of RTP payload sent.
    pub octets_out: u64,
    /// Packets missing from the far end's sequence.
    pub lost: u64,
    /// Interarrival jitter in microseconds.
    pub jitter_us: u32,
    /// Packets from a source that was not the pinned one: dropped.
    pub rejected: u64,
    /// The SRTP suite last agreed; none: sound in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srtp: Option<String>,
    /// Packets that the SRTP key did not open: dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unauthentic: u64,
    /// Authentic packets that came again: dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replayed: u64,
    /// Round trip from RTCP, if the far end reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u32>,
    /// What the far end's sound was worth as it came to us; none if nothing came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<LegQuality>,
}

/// What one direction of a leg's sound was worth (RFC 3611 §4.7, ITU-T G.107).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LegQuality {
    /// R of the E-model with delay, 0 to 100.
    pub r: u8,
    /// Mean opinion of one who only listens, 1 to 4.5.
    pub mos_listening: f32,
    /// Mean opinion of one who talks too: delay counts, as far as the round trip is known.
    pub mos_conversational: f32,
    /// The opinion of one who listens to us, by the far end's own report (RTCP XR).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_remote: Option<f32>,
    /// Packets that never came, or far too late; `lost` of the leg has duplicates taken off (RFC 3550 A.3).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
    /// Bursts of loss.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bursts: u64,
    /// Packets lost within them; the rest was lost by chance.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_in_bursts: u64,
    /// Packets overtaken by later ones and used.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reordered: u64,
    /// Packets too late for use.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late: u64,
    /// Level of speech in dBm0; none if none was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech_dbm0: Option<i8>,
    /// Level between words in dBm0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_dbm0: Option<i8>,
    /// Samples at full scale, in millionths.
    #[serde(default, skip_serializing_if = "is_none_of")]
    pub clipped_ppm: u32,
    /// Share of the sound that was digital silence, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing_percent: Option<u8>,
}

fn is_none_of(count: &u32) -> bool {
    *count == 0
}

/// What almost never happens is not written into every record.
fn is_zero(count: &u64) -> bool {
    *count == 0
}
