//! `[voicemail]`: where messages lie, and for how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::Report;
use super::raw::section;
use super::read::bounds;

section! {
    /// Messages that callers leave in a `voicemail` step: WAV files, 8 kHz, 16 bits, one channel, named by UTC time, call and mailbox. Only the user that runs Fernamt can read them.
    VoicemailToml "[voicemail]" {
        /// Directory of the files, made if it does not exist. A relative path starts at `node.data_dir`. Default `"voicemail"`. Needs a restart.
        folder,
        /// How long messages are kept; older files are deleted within the hour. `"1h"` to `"3650d"`, default `"30d"`. Needs a restart.
        keep,
    }
}

/// Where messages lie, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voicemail {
    /// Directory of the files. Default `voicemail` in `node.data_dir`.
    pub folder: PathBuf,
    /// How long messages are kept. 1 h to 3,650 d, default 30 d.
    pub keep: Duration,
}

impl Voicemail {
    pub(super) fn resolve(raw: &VoicemailToml<'_>, data_dir: &Path, report: &mut Report) -> Voicemail {
        let folder = raw.folder.text("\"voicemail\"", report).unwrap_or("voicemail");
        if let Some(item) = raw.folder.item.as_ref().filter(|_| folder.is_empty()) {
            item.error(
                report,
                "an empty path is no directory; write one such as \"voicemail\" (default \"voicemail\")",
            );
        }
        Voicemail {
            folder: data_dir.join(folder),
            keep: raw.keep.duration(bounds("1h", "3650d", "30d"), report),
        }
    }
}
