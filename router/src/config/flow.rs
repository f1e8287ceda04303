//! `[flow.NAME]`: what happens to a call, step by step.
//!
//! Steps run in order. `play`, `menu` and `queue` answer the call by themselves unless they are `early`, `voicemail`
//! always; a flow that runs out hangs up. What is checked when all flows are known stands in [`super::program`].

use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::callback::CallbackStep;
use super::languages::Language;
use super::names::{FlowId, HoursId, PromptId, QueueId};
use super::recording::RecordingPolicy;

/// What happens to a call, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// In order. After the last one the call is hung up. Never empty.
    pub steps: Vec<Step>,
}

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goto {
    /// `"flow.NAME"`: with the first step of that flow; there is no way back.
    Flow(FlowId),
    /// `"queue.NAME"`: wait there, then go on after the step that sent us.
    Queue(QueueId),
    /// `"next"`: after the step that sent us.
    Next,
    /// `"hangup"`: as the step of that name.
    Hangup,
}

/// One step of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `"answer"`: 200 to the caller; nothing if already answered.
    Answer,
    /// `{ language = "en" }`: the call has this language from now on.
    Language(Language),
    /// `{ play = "FILE" }`: plays to the end, then goes on.
    Play {
        /// What is played.
        prompt: PromptId,
        /// As early media, in a 183, without answering. Default false.
        early: bool,
    },
    /// `{ menu = { … } }`: plays, and waits for a key.
    ///
    /// A key during the prompt cuts it. `timeout` counts from the prompt's end. A wrong key or none repeats the
    /// prompt, so that it is heard `tries` times at most; then `otherwise`.
    Menu {
        /// What is played.
        prompt: PromptId,
        /// Wait for a key after the prompt. 1 s to 1 min, default 5 s.
        timeout: Duration,
        /// How often the prompt is heard at most. 1 to 9, default 3.
        tries: u8,
        /// What each key does, in the order of the keys; `0`-`9`, `*`, `#`, `A`-`D`. Never empty.
        keys: Vec<(char, Goto)>,
        /// After the last try. Default `Next`.
        otherwise: Goto,
        /// As early media, without answering. Default false.
        early: bool,
    },
    /// `{ queue = "NAME" }`: waits for an agent. The next step is the overflow: the queue is full, closed or gone, or `max_wait` is over.
    Queue {
        /// Where to wait.
        queue: QueueId,
        /// Waits (music as early media) without answering; the agent's answer answers. Default false.
        early: bool,
    },
    /// `{ dial = "USER@TRUNK" }`: calls somebody and connects them.
    ///
    /// Before the call is answered, 180, 183 and the answer of the far end are passed on. When the two have talked,
    /// the call is over. When they have not, `busy`, `no_answer` or `failure` says where to go on; without it the next
    /// step follows, and if there is none the caller gets the far end's final status.
    Dial {
        /// Whom.
        address: Address,
        /// How long it may ring. 1 s to 10 min, default 2 min; the trunk's `answer_timeout` caps it.
        ring_timeout: Duration,
        /// 486 or 600.
        on_busy: Option<Goto>,
        /// `ring_timeout` is over, or 408, 480 or 487 came after ringing.
        on_no_answer: Option<Goto>,
        /// Anything else: refused, unknown number, trunk full, unreachable.
        on_failure: Option<Goto>,
    },
    /// `{ callback = { … } }`: the caller is called back when it is his turn; he need not wait for it.
    Callback(CallbackStep),
    /// `{ hours = "NAME" }`: goes on with the next step when open.
    Hours {
        /// Which opening hours.
        hours: HoursId,
        /// Played when closed: the step's own, or that of the hours.
        closed_prompt: Option<PromptId>,
        /// Where to go on when closed, after the prompt: the step's own, or that of the hours.
        closed: Goto,
    },
    /// `{ voicemail = { … } }`: greeting, beep, a message is recorded; then goes on.
    Voicemail {
        /// For whom the message is.
        mailbox: String,
        /// Played before the beep.
        greeting: Option<PromptId>,
        /// Longest message. 1 s to 30 min, default 2 min.
        max: Duration,
        /// So long a silence ends the message. 1 s to 1 min, default 5 s; `None`: silence does not end it.
        silence: Option<Duration>,
    },
    /// `{ conference = "NAME" }`: talks with all who came to a step of the same name. The next step is for whom there was no
    /// room.
    Conference {
        /// Which.
        name: String,
    },
    /// `{ record = "NAME" }`: the call is recorded from here on.
    Record {
        /// How.
        policy: Arc<RecordingPolicy>,
    },
    /// `{ reject = 486 }`: final response, the call is over. If already answered, it is hung up.
    Reject {
        /// 400 to 699 except 401, 407 and 487. Default 603.
        status: u16,
    },
    /// `"hangup"`: BYE, or 603 if never answered.
    Hangup,
    /// `{ goto = "flow.NAME" }` or `{ goto = "queue.NAME" }`.
    Goto(Goto),
}
