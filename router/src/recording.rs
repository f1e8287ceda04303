//! What all who have to do with recordings of calls agree on: what a recording is about, and what can be asked of it.

use serde::{Deserialize, Serialize};

use crate::journal::fact::{CallId, Micros};

/// What the name of an encrypted file ends in, behind that of its format.
pub const ENCRYPTED: &str = ".age";

/// What a recording is about. It goes with the sound to whoever writes the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The call.
    pub call: CallId,
    /// The policy by which it is made.
    pub policy: String,
    /// When it began.
    pub began: Micros,
    /// How long it is kept, in milliseconds.
    pub keep_ms: u64,
}

impl About {
    /// As text; [`About::read`] reads it back.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None` if it is of another kind, as of a message for a mailbox.
    #[must_use]
    pub fn read(text: &str) -> Option<About> {
        serde_json::from_str(text).ok()
    }
}

/// What can be asked of a call's recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingOrder {
    /// It begins.
    Start,
    /// Nothing is recorded until it is resumed.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Stop,
}

impl RecordingOrder {
    /// The words of the command line and of the URL.
    pub const WORDS: [(&'static str, RecordingOrder); 4] = [
        ("start", RecordingOrder::Start),
        ("pause", RecordingOrder::Pause),
        ("resume", RecordingOrder::Resume),
        ("stop", RecordingOrder::Stop),
    ];

    /// The order with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<RecordingOrder> {
        RecordingOrder::WORDS.iter().find(|(known, _)| *known == word).map(|(_, order)| *order)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        RecordingOrder::WORDS.iter().find(|(_, order)| *order == self).map_or("", |(word, _)| word)
    }
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingRefusal {
    /// No live call of that name, and no agent of that name who has one.
    #[error("{0:?} is no live call, and no agent who has one; `fernamt status` names them")]
    NoCall(String),
    /// No such policy.
    #[error("there is no [recording.{0}]")]
    UnknownPolicy(String),
    /// Nobody has said how.
    #[error("nothing says how this call is to be recorded; name a [recording.NAME] with --policy")]
    NoPolicy,
    /// It is not recorded.
    #[error("the call is not being recorded")]
    NotRecorded,
    /// It is recorded already.
    #[error("the call is being recorded already")]
    Recorded,
    /// It is paused already.
    #[error("the recording is paused already")]
    Paused,
    /// It is not paused.
    #[error("the recording is not paused")]
    NotPaused,
    /// There is no sound yet, or no more.
    #[error("the caller has not been answered, or is gone")]
    NotAnswered,
    /// Files cannot be written.
    #[error("nothing can be recorded now: {0}")]
    Trouble(String),
}

/// What the recorder says of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecorderNews {
    /// Files can be written; said once after a trouble.
    Works,
    /// They cannot, and why.
    Fails(String),
    /// A recording is cut short, or has a hole: its file, and why.
    Lost {
        /// Name of the file.
        file: String,
        /// What is lost, and why.
        why: String,
    },
}
