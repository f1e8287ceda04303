//! What the admin listener asks a shard. The shard answers between two of its turns, so that answers are exact.

use tokio::sync::{mpsc, oneshot};

use crate::{
    metrics::Snapshot,
    recording::{RecordingOrder, RecordingRefusal},
    status::{AgentStatus, Door, Order, OrderError, QueueStatus, RecordingStatus, Status},
};

/// One question; the answer goes into `reply`. A reply nobody waits for any more is no error.
#[derive(Debug)]
pub enum Question {
    /// The shard's numbers, for `/metrics`.
    Numbers {
        /// Where the answer goes.
        reply: oneshot::Sender<Snapshot>,
    },
    /// The node as this shard sees it.
    Status {
        /// How many live calls to tell, at most.
        live: usize,
        /// Where the answer goes.
        reply: oneshot::Sender<Status>,
    },
    /// An agent is to log in, pause and so on. Goes to the shard that owns agents.
    Agent {
        /// Name of the agent.
        agent: String,
        /// What is asked of him.
        order: Order,
        /// The operator's reason; empty if none was given.
        reason: String,
        /// Where the answer goes: the agent as he is now.
        reply: oneshot::Sender<Result<AgentStatus, OrderError>>,
    },
    /// The recording of a call is to begin, pause, go on or end.
    Recording {
        /// The call, or the name of an agent who talks in it.
        whose: String,
        /// What is to be done.
        order: RecordingOrder,
        /// The policy by which it is to begin, if another than the call's own.
        policy: Option<String>,
        /// The operator's reason; empty if none was given.
        reason: String,
        /// Where the answer goes: the recording as it is now.
        reply: oneshot::Sender<Result<RecordingStatus, RecordingRefusal>>,
    },
    /// A queue is to be closed by hand, or that is to be taken back.
    Queue {
        /// Name of the queue.
        queue: String,
        /// What is to be done.
        door: Door,
        /// The operator's reason; empty if none was given.
        reason: String,
        /// Where the answer goes: the queue as it is now.
        reply: oneshot::Sender<Result<QueueStatus, OrderError>>,
    },
}

/// Questions that wait for a shard. One more is answered by the admin listener itself: 503.
pub const QUESTIONS: usize = 64;

/// The way to one shard: the sender goes to the admin listener, the receiver to the shard's loop.
pub fn questions() -> (mpsc::Sender<Question>, mpsc::Receiver<Question>) {
    mpsc::channel(QUESTIONS)
}
