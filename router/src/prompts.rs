//! The prompts of a configuration, decoded and encoded once, shared by all calls.

use std::{collections::BTreeMap, sync::Arc};

use media::{Playlist, prompt::Prompt, tone};

use crate::config::{Config, Language, PromptFile, PromptId};

/// Prompts by id, and the tones we make ourselves.
#[derive(Debug, Clone)]
pub struct Prompts {
    /// Without a language stands what has none, and beside its languages the default of what has some.
    files: BTreeMap<(PromptId, Option<Language>), Arc<Prompt>>,
    ringback: Arc<Prompt>,
    beep: Arc<Prompt>,
    recording_tone: Arc<Prompt>,
    warning: Arc<Prompt>,
}

impl Prompts {
    /// The prompts of a configuration, which has them decoded.
    pub fn of(config: &Config) -> Prompts {
        Prompts::with(config, |file| Arc::clone(&file.sound))
    }

    /// The prompts of a configuration with other sounds than it has.
    pub fn with(config: &Config, mut sound: impl FnMut(&PromptFile) -> Arc<Prompt>) -> Prompts {
        let mut files = BTreeMap::new();
        for (id, prompt) in config.prompts() {
            for (language, file) in &prompt.files {
                let sound = sound(file);
                files.entry((id, None)).or_insert_with(|| Arc::clone(&sound));
                files.insert((id, *language), sound);
            }
        }
        let (ringback, beep) = (Arc::new(ringback()), Arc::new(beep()));
        let (recording_tone, warning) = (Arc::new(recording_tone()), Arc::new(warning()));
        Prompts { files, ringback, beep, recording_tone, warning }
    }

    /// These, and those of `older` that are not among them: a call keeps its flow over a reload, and the prompts that
    /// the flow names.
    pub fn beside(&self, older: &Prompts) -> Prompts {
        let mut files = older.files.clone();
        files.extend(self.files.iter().map(|(key, prompt)| (*key, Arc::clone(prompt))));
        Prompts { files, ..self.clone() }
    }

    /// A prompt of the configuration, in this language if there is one of it.
    pub fn get(&self, prompt: PromptId, language: Option<Language>) -> Option<Arc<Prompt>> {
        self.files.get(&(prompt, language)).or_else(|| self.files.get(&(prompt, None))).cloned()
    }

    /// The pieces of some music as one list; `None` if there are none.
    pub fn list(&self, pieces: &[PromptId], language: Option<Language>) -> Option<Playlist> {
        Playlist::new(pieces.iter().filter_map(|piece| self.get(*piece, language)).collect())
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

    /// Somebody cannot be heard: 425 Hz twice for 100 ms, softly.
    pub fn warning(&self) -> Arc<Prompt> {
        Arc::clone(&self.warning)
    }
}

fn recording_tone() -> Prompt {
    Prompt::from_tone("recording tone", |rate| tone::sine_at(rate, 1_400.0, 200, -20.0))
}

fn warning() -> Prompt {
    Prompt::from_tone("warning", |rate| {
        let beep = tone::sine_at(rate, 425.0, 100, -20.0);
        [&beep[..], &vec![0; beep.len()], &beep].concat()
    })
}

fn beep() -> Prompt {
    Prompt::from_tone("beep", |rate| tone::sine_at(rate, 1_000.0, 300, -15.0))
}

fn ringback() -> Prompt {
    Prompt::from_tone("ringback", |rate| {
        let mut samples = tone::sine_at(rate, 425.0, 1_000, -20.0);
        samples.resize(5 * rate as usize, 0);
        samples
    })
}
