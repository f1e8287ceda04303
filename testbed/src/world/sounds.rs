//! What the router plays in a story: every prompt is one byte, by which a telephone tells which it heard.

use std::{collections::BTreeMap, sync::Arc};

use media::{Codec, Prompt};
use router::{config::Config, prompts::Prompts};

/// Every prompt is one byte, over and over: what a telephone hears tells which it was.
pub(super) fn prompts(config: &Config) -> Prompts {
    let files: BTreeMap<_, _> = config
        .prompts()
        .map(|(id, prompt)| {
            let name =
                prompt.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            (id, Arc::new(Prompt::from_samples(&vec![level(&name); 8_000 * 2], &name)))
        })
        .collect();
    Prompts::new(files)
}

pub(super) fn level(prompt: &str) -> i16 {
    prompt.bytes().fold(1_000_i16, |level, byte| level.wrapping_mul(31).wrapping_add(i16::from(byte))) | 0x400
}

pub(super) fn voice_of(prompt: &str) -> u8 {
    Prompt::from_samples(&[level(prompt); 160], prompt).frame(Codec::Pcma, 0).map_or(0, |frame| frame[0])
}
