//! The prompts of a configuration, decoded and encoded once, shared by all calls.

use std::{collections::BTreeMap, sync::Arc};

use media::{prompt::Prompt, tone};

use crate::config::PromptId;

/// Prompts by id, and the tones we make ourselves.
#[derive(Debug, Clone)]
pub struct Prompts {
    files: BTreeMap<PromptId, Arc<Prompt>>,
    ringback: Arc<Prompt>,
    beep: Arc<Prompt>,
    recording_tone: Arc<Prompt>,
}

impl Prompts {
    /// The prompts that were loaded; one that is missing is passed over by the flow.
    pub fn new(files: BTreeMap<PromptId, Arc<Prompt>>) -> Prompts {
        let (ringback, beep) = (Arc::new(ringback()), Arc::new(beep()));
        Prompts { files, ringback, beep, recording_tone: Arc::new(recording_tone()) }
    }

    /// These, and those of `older` that are not among them: a call keeps its flow over a reload, and the prompts that
    /// the flow names.
    pub fn beside(&self, older: &Prompts) -> Prompts {
        let mut files = older.files.clone();
        files.extend(self.files.iter().map(|(id, prompt)| (*id, Arc::clone(prompt))));
        Prompts { files, ..self.clone() }
    }

    /// A prompt of the configuration.
    pub fn get(&self, prompt: PromptId) -> Option<Arc<Prompt>> {
        self.files.get(&prompt).cloned()
    }

    /// What an answered caller hears while a `dial` rings: 425 Hz, one second of five (ITU-T E.180, Germany).
    pub fn ringback(&self) -> Arc<Prompt> {
        Arc::clone(&self.ringback)
    }

    /// After which a caller leaves his message: 1 kHz for 300 ms.
    pub fn beep(&self) -> Arc<Prompt> {
        Arc::clone(&self.beep)
    }
    /// By which those who talk hear that they are recorded: 1,400 Hz for 200 ms.
    pub fn recording_tone(&self) -> Arc<Prompt> {
        Arc::clone(&self.recording_tone)
    }
}

fn recording_tone() -> Prompt {
    Prompt::from_samples(&tone::sine(1_400.0, 200, -20.0), "recording tone")
}

fn beep() -> Prompt {
    Prompt::from_samples(&tone::sine(1_000.0, 300, -15.0), "beep")
}

fn ringback() -> Prompt {
    let mut samples = tone::sine(425.0, 1_000, -20.0);
    samples.resize(5 * 8_000, 0);
    Prompt::from_samples(&samples, "ringback")
}
