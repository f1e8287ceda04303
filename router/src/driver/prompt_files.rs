//! Loads the prompts of a configuration: decoded, resampled and encoded once.

use std::{collections::BTreeMap, sync::Arc};

use media::Prompt;
use tracing::error;

use crate::{config::Config, prompts::Prompts};

/// Loads every prompt. One that cannot be read any more (the check had read it) is left out with an error in the
/// log: calls go on without it.
pub fn load(config: &Config) -> Prompts {
    let mut files = BTreeMap::new();
    let codecs = config.codecs();
    for (id, prompt) in config.prompts() {
        let loaded = std::fs::read(&prompt.path).map_err(|error| error.to_string()).and_then(|bytes| {
            Prompt::from_wav(&bytes, &prompt.name, &codecs).map_err(|error| error.to_string())
        });
        match loaded {
            Ok(loaded) => drop(files.insert(id, Arc::new(loaded))),
            Err(reason) => {
                error!(prompt = %prompt.path.display(), reason, "prompt left out: calls go on without it")
            }
        }
    }
    Prompts::new(files)
}
