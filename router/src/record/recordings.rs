//! What a record says of the recordings of its call.

use serde::{Deserialize, Serialize};

use super::Record;
use crate::journal::fact::{Micros, RecordingStep};

/// One recording of a call. Times are UTC microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecording {
    /// Name of the file in `recordings.folder`; empty if there was to be one and there is none.
    pub file: String,
    /// The policy by which it was made.
    pub policy: String,
    /// Who wanted it.
    pub by: String,
    /// When it began.
    pub from: Micros,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
    /// In which nothing was recorded, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// What went wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A time in which a recording was paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it began.
    pub from: Micros,
    /// When it ended; absent: with the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
    /// Why.
    pub reason: String,
}

impl Record {
    pub(super) fn recording(&mut self, at: Micros, step: &RecordingStep) {
        match step {
            RecordingStep::Announced { .. } => {}
            RecordingStep::Began { policy, file, by, .. } => self.recordings.push(CallRecording {
                file: file.clone(),
                policy: policy.clone(),
                by: by.clone(),
                from: at,
                ..CallRecording::default()
            }),
            RecordingStep::Failed { file: None, why } => {
                let failed = Some(why.clone());
                self.recordings.push(CallRecording {
                    from: at,
                    until: Some(at),
                    failed,
                    ..CallRecording::default()
                });
            }
            RecordingStep::Failed { file: Some(file), why } => {
                let lost = self.recordings.iter_mut().find(|known| known.file == *file);
                lost.into_iter().for_each(|lost| lost.failed = Some(why.clone()));
            }
            RecordingStep::Paused { reason } => self.present_recording(|present| {
                present.pauses.push(Pause { from: at, until: None, reason: reason.clone() });
            }),
            RecordingStep::Resumed { .. } => self.present_recording(|present| {
                present.pauses.last_mut().into_iter().for_each(|pause| pause.until = Some(at));
            }),
            RecordingStep::Ended { .. } => self.present_recording(|present| present.until = Some(at)),
        }
    }

    fn present_recording(&mut self, change: impl FnOnce(&mut CallRecording)) {
        if let Some(present) = self.recordings.iter_mut().rfind(|recording| recording.until.is_none()) {
            change(present);
        }
    }
}
