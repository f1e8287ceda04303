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
    warning: Arc<Prompt>,
}

impl Prompts {
    /// The prompts that were loaded; one that is missing is passed over by the flow.
    pub fn new(files: BTreeMap<PromptId, Arc<Prompt>>) -> Prompts {
        Prompts {
            files,
            ringback: Arc::new(ringback()),
            beep: Arc::new(beep()),
            warning: Arc::new(warning()),
        }
    }

    /// These, and those of `older` that are not among them: a call keeps its flow over a reload, and the prompts that
    /// the flow names.
    pub fn beside(&self, older: &Prompts) -> Prompts {
        let mut files = older.files.clone();
        files.extend(self.files.iter().map(|(id, prompt)| (*id, Arc::clone(prompt))));
        Prompts {
            files,
            ringback: Arc::clone(&self.ringback),
            beep: Arc::clone(&self.beep),
            warning: Arc::clone(&self.warning),
        }
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

    /// Somebody cannot be heard: 425 Hz twice for 100 ms, softly.
    pub fn warning(&self) -> Arc<Prompt> {
        Arc::clone(&self.warning)
    }
}

fn warning() -> Prompt {
    let mut samples = tone::sine(425.0, 100, -20.0);
    samples.extend(tone::silence(100));
    samples.extend(tone::sine(425.0, 100, -20.0));
    Prompt::from_samples(&samples, "warning")
}

fn beep() -> Prompt {
    Prompt::from_samples(&tone::sine(1_000.0, 300, -15.0), "beep")
}

fn ringback() -> Prompt {
    let mut samples = tone::sine(425.0, 1_000, -20.0);
    samples.resize(5 * 8_000, 0);
    Prompt::from_samples(&samples, "ringback")
}
