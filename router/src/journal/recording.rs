//! What is written down of recordings.

use serde::{Deserialize, Serialize};

/// A step of a call's recording. From `Began` to `Ended`, pauses apart, there is sound in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum RecordingStep {
    /// Those who talk, or the caller, are told that they will be recorded.
    Announced {
        /// The policy by which they are.
        policy: String,
        /// What they hear.
        prompt: String,
    },
    /// From now on the call is recorded.
    Began {
        /// The policy.
        policy: String,
        /// Name of the file in `recordings.folder`.
        file: String,
        /// Who wanted it: `policy`, `step`, `key of anna`, or the operator's reason.
        by: String,
        /// Interval of the tone that those who talk hear; absent: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tone_ms: Option<u64>,
    },
    /// Nothing is recorded until [`Resumed`](Self::Resumed).
    Paused {
        /// Why, in the words of whoever wanted it.
        reason: String,
    },
    /// The recording goes on.
    Resumed {
        /// Who wanted it.
        by: String,
    },
    /// The recording is over.
    Ended {
        /// Name of the file.
        file: String,
        /// How long it is, pauses included.
        length_ms: u64,
        /// Why: `the call ended`, or who wanted it.
        why: String,
    },
    /// The call ought to be recorded and is not, or no longer.
    Failed {
        /// The file, if there was to be one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// What went wrong.
        why: String,
    },
}
