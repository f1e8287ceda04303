//! What the router plays in a story: every prompt is one byte, by which a telephone tells which it heard.

use std::{path::Path, sync::Arc};

use media::{Codec, Prompt};
use router::{config::Config, prompts::Prompts};

/// Every prompt is one byte, over and over: what a telephone hears tells which it was. `prompts/welcome.wav` is
/// `welcome`, and `prompts/en/welcome.wav` is `en/welcome`.
pub(super) fn prompts(config: &Config) -> Prompts {
    Prompts::with(config, |file| {
        let name = name(&file.path);
        Arc::new(Prompt::from_samples(&vec![level(&name); 8_000 * 2], &name))
    })
}

fn name(path: &Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, folder) = (text(path.file_stem()), text(path.parent().and_then(Path::file_name)));
    if folder == "prompts" { stem } else { format!("{folder}/{stem}") }
}

pub(super) fn level(prompt: &str) -> i16 {
    if prompt.contains('/') {
        return far_apart(prompt);
    }
    prompt.bytes().fold(1_000_i16, |level, byte| level.wrapping_mul(31).wrapping_add(i16::from(byte))) | 0x400
}

/// Names that differ in one letter only, such as those of numbers, are other bytes too. The factor was searched for: with
/// it no two prompts of `testbed/prompts` are the same byte that one story may hear.
fn far_apart(prompt: &str) -> i16 {
    let sum = prompt.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(699).wrapping_add(byte.into()));
    let mut level = [0];
    Codec::Pcma.decode(&[(sum.wrapping_mul(2_654_435_761) >> 24) as u8], &mut level);
    level[0]
}

pub(super) fn voice_of(prompt: &str) -> u8 {
    Prompt::from_samples(&[level(prompt); 160], prompt).frame(Codec::Pcma, 0).map_or(0, |frame| frame[0])
}
