//! `[recordings]` and `[recording.NAME]`: which calls are recorded, how, for how long, and where the files lie.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::names::PromptId;
use super::problem::Report;
use super::raw::{Field, Item, section};
use super::read::bounds;
use super::scope::{Scope, Section};

section! {
    /// Where recordings of calls lie. Each is a WAV file of two channels (8 kHz, 16 bits), named by UTC time and call: left what the caller says, right what he hears. Beside them lies `manifest.jsonl`, a line for each with its length, gaps, pauses and SHA-256, each line with the hash of the one before it; `fernamt recordings verify` checks all of it. Only the user that runs Fernamt can read the files.
    RecordingsToml "[recordings]" {
        /// Directory of the files, made if it does not exist; another one than `voicemail.folder`. A relative path starts at `node.data_dir`. Default `"recordings"`. Needs a restart.
        folder,
        /// Public keys for which the files are encrypted (age, X25519): `"age1…"` as `age-keygen` prints them, or a list. Whoever has one of the secret keys reads them with `age` or `fernamt recordings decrypt`; this machine cannot. Default: not encrypted. Needs a restart.
        recipients,
    }
}

section! {
    /// How calls are recorded whose number, queue, agent or trunk names this (`recording = "NAME"`), or that come to the step `{ record = "NAME" }`. A recording goes on to the end of the call, through hold, transfer and queues, and stays with the caller. Of several the agent's decides, then the queue's, the number's, the trunk's of the caller, the other trunk's.
    RecordingToml "[recording.NAME]" {
        /// `"always"`: the recording begins as soon as the caller is connected with somebody, or with the step; `"on-demand"`: when the agent presses `key`, or by `fernamt recordings start`. Default `"always"`.
        begin,
        /// Heard by both before the recording begins; in a step by the caller. Default: nothing.
        announcement,
        /// While two talk and are recorded both hear a tone (1,400 Hz, 200 ms) at this interval. `"5s"` to `"5m"`. Default: no tone.
        tone_every,
        /// Keys by which the agent begins the recording and ends it again; the second comes within 2 s of the first. Others in the call hear them. Two of `0`-`9`, `*`, `#`. Default: none.
        key,
        /// Keys by which the agent pauses the recording, as for card data, and goes on with it. Default: none.
        pause_key,
        /// A call that cannot be recorded, because the folder cannot be written, is refused with 503, or hung up if it has been answered; if false it goes on, with an alarm. A call that is being recorded goes on in any case. Default false.
        required,
        /// How long the files are kept; older ones are deleted within the hour, which is a line in the manifest. Of recordings made from then on. `"1h"` to `"36500d"`, default `"90d"`.
        keep,
    }
}

/// Where recordings of calls lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recordings {
    /// Directory of the files. Default `recordings` in `node.data_dir`.
    pub folder: PathBuf,
    /// For whom the files are encrypted, as `age1…`; empty: they are not.
    pub recipients: Vec<String>,
    /// By name.
    pub policies: Vec<Arc<RecordingPolicy>>,
}

/// How calls are recorded that name this policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingPolicy {
    /// Its name.
    pub name: String,
    /// Begins by itself. Default true.
    pub always: bool,
    /// Heard before it begins.
    pub announcement: Option<PromptId>,
    /// Interval of the tone; 5 s to 5 min, `None`: no tone.
    pub tone_every: Option<Duration>,
    /// Two keys of the agent by which it begins and ends.
    pub key: Option<[char; 2]>,
    /// Two keys of the agent by which it is paused and goes on.
    pub pause_key: Option<[char; 2]>,
    /// A call that cannot be recorded is refused. Default false.
    pub required: bool,
    /// How long files are kept. 1 h to 36,500 d, default 90 d.
    pub keep: Duration,
}

impl Recordings {
    /// The policy with this name.
    pub fn policy(&self, name: &str) -> Option<&Arc<RecordingPolicy>> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// `voicemail`: the folder of messages, in which each file is one.
    pub(super) fn resolve(
        raw: &RecordingsToml<'_>,
        (data_dir, voicemail): (&Path, &Path),
        report: &mut Report,
    ) -> Recordings {
        let folder = data_dir.join(raw.folder.text("\"recordings\"", report).unwrap_or("recordings"));
        if folder == voicemail {
            let text = "is the folder of messages too (voicemail.folder), where each file is one; write another directory";
            report.error(
                &raw.folder.item.as_ref().map_or(raw.folder.section.clone(), |item| item.value.span()),
                &raw.folder.key,
                text,
            );
        }
        let recipients = raw.recipients.list().iter().filter_map(|item| recipient(item, report)).collect();
        Recordings { folder, recipients, policies: Vec::new() }
    }
}

/// Bech32 with its checksum (BIP 173) is what `age` itself checks when the file is begun; here it is told what is no key.
fn recipient(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text("\"age1…\"", report)?;
    if text.starts_with("AGE-SECRET-KEY-") {
        item.error(
            report,
            "this is the secret key, which does not belong on this machine; write the public one, \"age1…\"",
        );
        return None;
    }
    if !is_recipient(text) {
        item.error(
            report,
            format!("{text:?} is no public key of age; write the line of `age-keygen` that begins with age1"),
        );
        return None;
    }
    Some(text.to_owned())
}

/// Public keys are `age1` and 58 characters of Bech32, of which the last six are a checksum.
fn is_recipient(text: &str) -> bool {
    const LETTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let Some(data) = text.strip_prefix("age1").filter(|data| data.len() == 58) else { return false };
    let values: Option<Vec<u32>> = data.chars().map(|c| LETTERS.find(c).map(|at| at as u32)).collect();
    let Some(values) = values else { return false };
    let prefix = "age".bytes().map(|byte| u32::from(byte >> 5));
    let prefix = prefix.chain([0]).chain("age".bytes().map(|byte| u32::from(byte & 31)));
    let sum = prefix.chain(values).fold(1u32, |sum, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ value;
        (0..5).filter(|bit| top >> bit & 1 == 1).fold(next, |next, bit| next ^ GENERATORS[bit])
    });
    sum == 1
}

impl RecordingPolicy {
    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<RecordingPolicy> {
        let item = Item { key: section.path.clone(), value: section.value };
        let table = item.table(&format!("[{}]", section.path), scope.report)?;
        let raw = RecordingToml::read(table, &section.path, section.span(), scope.report);
        let announcement = raw.announcement.item.as_ref().and_then(|item| scope.prompt(item));
        let report = &mut *scope.report;
        let tone = |item: &Item<'_>| item.duration(bounds("5s", "5m", ""), &mut *report);
        let tone_every = raw.tone_every.item.as_ref().and_then(tone);
        let (key, pause_key) = (keys(&raw.key, report), keys(&raw.pause_key, report));
        if let Some(item) = raw.pause_key.item.as_ref().filter(|_| key.is_some() && key == pause_key) {
            item.error(report, "is what `key` is; write other keys");
        }
        Some(RecordingPolicy {
            name: section.name.to_owned(),
            always: raw.begin.choice(&[("always", true), ("on-demand", false)], report),
            announcement,
            tone_every,
            key,
            pause_key,
            required: raw.required.boolean(false, report),
            keep: raw.keep.duration(bounds("1h", "36500d", "90d"), report),
        })
    }
}

fn keys(field: &Field<'_>, report: &mut Report) -> Option<[char; 2]> {
    let item = field.item.as_ref()?;
    let text = item.text("\"*1\"", report)?;
    let is_key = |c: &char| c.is_ascii_digit() || matches!(c, '*' | '#');
    let keys: Vec<char> = text.chars().filter(is_key).collect();
    match keys[..] {
        [first, second] if text.len() == 2 => Some([first, second]),
        _ => {
            item.error(
                report,
                format!("{text:?} is no pair of keys; write two of 0-9, * and #, such as \"*1\""),
            );
            None
        }
    }
}

/// `recording = "NAME"` of a number, queue, agent or trunk, and the step's.
pub(super) fn named(field: &Field<'_>, scope: &mut Scope<'_, '_>) -> Option<Arc<RecordingPolicy>> {
    policy(field.item.as_ref()?, scope)
}

/// The `[recording.NAME]` that a text names.
pub(super) fn policy(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Arc<RecordingPolicy>> {
    let name = item.text("\"calls\"", scope.report)?;
    let name = name.strip_prefix("recording.").unwrap_or(name);
    scope.recording(item, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_public_key_is_seen() {
        let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"; // from the specification's page
        assert!(is_recipient(key));
        assert!(!is_recipient(&key.replace("hyww", "hywy")));
        assert!(!is_recipient(&key[..61]));
        assert!(!is_recipient("age1"));
    }
}
