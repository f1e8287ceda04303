//! Languages of prompts, and `[prompts]`.

use std::fmt;

use super::problem::Report;
use super::raw::{Item, nearest, section};
use super::read::any_of;

section! {
    /// What prompts have in common.
    PromptsToml "[prompts]" {
        /// Languages that callers are spoken to in, such as `["de", "en"]`; the first is that of every call of which nothing else is said (`language` of a `[[number]]`, the step `{ language = … }`). In the path of a prompt `{lang}` stands for the call's language; there must be a file for each of these. Default: none.
        languages,
        /// The folder of recorded numbers and words of which a queue's `tell` is made, such as `"prompts/{lang}/numbers"`. In German `0` to `20`, `30` to `90` by tens, `ein`, `und`, `hundert`, `tausend`; `place` ("Sie sind an Position"); `wait` ("die geschätzte Wartezeit beträgt"), `less-than-a-minute`, `one-minute` ("eine Minute"), `minutes`. In English `and`, `hundred` and `thousand` instead of the four words, and `in-line` after `place` ("You are number") and the number. Each is a sound file of that name; `check` names those that are missing and that `tts` does not speak. Default: none.
        snippets,
        /// A command that speaks what of the snippets is not recorded, such as `"espeak-ng -v {lang} --stdout"`. It is split at spaces and run without a shell; the text comes by its standard input, or in place of `{text}`; it writes a sound file to its standard output. Run when this file is read, by `check` too, once for each text: what it has spoken is kept in `speech` under `node.data_dir`, by text, language and command. Default: none.
        tts,
        /// How long it may take for one text. `"1s"` to `"1m"`, default `"10s"`.
        tts_timeout,
    }
}

/// What stands for the call's language in the path of a prompt.
pub(super) const PLACEHOLDER: &str = "{lang}";

/// A language as it stands in paths: `de`, `en-GB`; at most 8 letters, digits and hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language([u8; 8]);

impl Language {
    /// The language of that name; `None` if it is no name of one.
    pub fn named(text: &str) -> Option<Language> {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let mut name = [0; 8];
        let room = name
            .get_mut(..text.len())
            .filter(|_| starts && text.len() > 1 && text.as_bytes().iter().all(fits))?;
        room.copy_from_slice(text.as_bytes());
        Some(Language(name))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The languages that callers are spoken to in; the first is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Languages(Vec<Language>);

impl Languages {
    pub(super) fn resolve(raw: &PromptsToml<'_>, report: &mut Report) -> Languages {
        let mut languages = Vec::new();
        for item in raw.languages.list() {
            let Some(text) = item.text("\"de\"", report) else { continue };
            match Language::named(text) {
                None => item
                    .error(report, format!("{text:?} is no language; write one such as \"de\" or \"en-GB\"")),
                Some(language) if languages.contains(&language) => {
                    item.error(report, format!("\"{text}\" stands here twice; take one out"));
                }
                Some(language) => languages.push(language),
            }
        }
        Languages(languages)
    }

    /// That of a call of which nothing else is said; `None` if there are no languages.
    pub fn default(&self) -> Option<Language> {
        self.0.first().copied()
    }

    /// All of them, the default first.
    pub fn iter(&self) -> impl Iterator<Item = Language> {
        self.0.iter().copied()
    }

    /// The language that a value names.
    pub(super) fn named(&self, item: &Item<'_>, report: &mut Report) -> Option<Language> {
        let text = item.text("\"de\"", report)?;
        if let Some(language) = self.iter().find(|language| language.as_str() == text) {
            return Some(language);
        }
        let known: Vec<String> = self.iter().map(|language| format!("\"{language}\"")).collect();
        let cure = match nearest(text, self.0.iter().map(Language::as_str)) {
            _ if known.is_empty() => format!("write languages = [\"{text}\"] in [prompts]"),
            Some(near) if self.0.len() > 2 => format!("did you mean \"{near}\"?"),
            _ => format!("write {}, or add it there", any_of(&known)),
        };
        item.error(report, format!("\"{text}\" is not among prompts.languages; {cure}"));
        None
    }
}
