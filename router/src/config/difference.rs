//! What a reload changes, in words for the log.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::shortened;
use super::written::is_secret;
use super::{Config, Media};

/// Keys that are looked at only when the process starts; whole sections end in a dot.
const AT_START: [&str; 12] = [
    "node.",
    "listen.",
    "journal.",
    "log.",
    "voicemail.",
    "recordings.",
    "media.address",
    "media.advertise",
    "media.ports",
    "media.quarantine",
    "media.silence_timeout",
    "limits.max_calls",
];

impl Config {
    /// What differs from `old`, in words: one clause for each key, `; ` between them, keys in order. Empty if nothing does.
    ///
    /// A section that comes or goes is one clause.
    pub fn difference(&self, old: &Config) -> String {
        let mut clauses: BTreeMap<String, String> = BTreeMap::new();
        let keys = old.written.values.keys().chain(self.written.values.keys());
        for key in keys.map(String::as_str) {
            let (before, after) = (old.written.values.get(key), self.written.values.get(key));
            if before == after {
                continue;
            }
            let section = section_of(key);
            let (name, words) = match (old.has(section), self.has(section)) {
                (true, false) => (section, "removed".to_owned()),
                (false, true) => (section, "added".to_owned()),
                // Numbers of callers belong in no log.
                _ if key.starts_with("callers.") && key.ends_with(".numbers") => (key, "changed".to_owned()),
                _ if is_secret(key) => (key, "changed".to_owned()),
                _ => (key, format!("{} -> {}", shown(before), shown(after))),
            };
            clauses.insert(name.to_owned(), format!("{name} {words}"));
        }
        for (_, prompt) in self.prompts() {
            if old.prompts().any(|(_, before)| before.name == prompt.name && before != prompt) {
                clauses.insert(prompt.name.clone(), format!("prompt {} has another sound", prompt.name));
            }
        }
        let before = old.pems();
        for (path, pem) in self.pems() {
            if before.get(path).is_some_and(|before| *before != pem) {
                clauses.insert(path.display().to_string(), format!("{} has another content", path.display()));
            }
        }
        for name in self.passwords_renewed(old) {
            let key = format!("trunk.{name}.password_file");
            clauses.entry(key.clone()).or_insert_with(|| format!("{key} has another content"));
        }
        clauses.into_values().collect::<Vec<_>>().join("; ")
    }

    /// Trunks that were there before and prove themselves with another password from the same file.
    fn passwords_renewed<'c>(&'c self, old: &'c Config) -> impl Iterator<Item = &'c str> {
        let renewed = |trunk: &&super::Trunk| {
            let before = old.trunks().find(|(_, before)| before.name == trunk.name).map(|(_, before)| before);
            let passwords =
                before.and_then(|before| before.account.login.as_ref()).zip(trunk.account.login.as_ref());
            trunk.account.by_file && passwords.is_some_and(|(before, now)| before.password != now.password)
        };
        self.trunks().map(|(_, trunk)| trunk).filter(renewed).map(|trunk| trunk.name.as_str())
    }

    /// Leaves what only a restart can change as it is in `running`; returns the keys that differ, in order. They are
    /// told again by the next reload, until the restart.
    pub fn keep_until_restart(&mut self, running: &Config) -> BTreeSet<String> {
        let written = &mut self.written.values;
        let all = running.written.values.keys().chain(written.keys()).filter(|key| needs_restart(key));
        let differs = |key: &&String| running.written.values.get(*key) != written.get(*key);
        let waiting: BTreeSet<String> = all.filter(differs).cloned().collect();
        for key in &waiting {
            match running.written.values.get(key) {
                Some(value) => drop(written.insert(key.clone(), value.clone())),
                None => drop(written.remove(key)),
            }
        }
        self.node = running.node.clone();
        if waiting.iter().any(|key| key.starts_with("listen.")) {
            self.listen = running.listen.renewed_from(&self.listen);
        }
        self.journal = running.journal.clone();
        self.log = running.log;
        self.voicemail = running.voicemail.clone();
        self.media = Media { codecs: std::mem::take(&mut self.media.codecs), ..running.media.clone() };
        self.limits.max_calls = running.limits.max_calls;
        waiting
    }

    fn has(&self, section: &str) -> bool {
        let from = self.written.values.range(section.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(section)).any(|(key, _)| section_of(key) == section)
    }
}

fn needs_restart(key: &str) -> bool {
    AT_START.iter().any(|start| key.starts_with(start))
}

/// `queue.support` of `queue.support.music`; `media` of `media.ports`; the whole of `number "+49" on "carrier"`.
fn section_of(key: &str) -> &str {
    const NAMED: [&str; 6] = ["trunk.", "callers.", "flow.", "queue.", "agent.", "hours."];
    if key.starts_with("number ") || key.starts_with("transfer ") {
        return key.rsplit_once('.').map_or(key, |(section, _)| section);
    }
    let names = if NAMED.iter().any(|kind| key.starts_with(kind)) { 2 } else { 1 };
    key.match_indices('.').nth(names - 1).map_or(key, |(at, _)| &key[..at])
}

fn shown(value: Option<&String>) -> String {
    value.map_or_else(|| "default".to_owned(), |value| shortened(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reference;

    #[test]
    fn a_key_needs_a_restart_if_and_only_if_its_documentation_says_so() {
        let (page, mut section, mut looked_at) = (reference(), String::new(), 0);
        for line in page.lines() {
            if let Some(heading) = line.strip_prefix("## `") {
                let name = heading.trim_end_matches('`').strip_prefix('[').and_then(|h| h.strip_suffix(']'));
                section = name.filter(|name| !name.contains(['.', '['])).unwrap_or_default().to_owned();
            }
            let key = line.strip_prefix("- **`").and_then(|line| line.split_once('`'));
            let Some((key, text)) = key.filter(|_| !section.is_empty()) else { continue };
            let key = format!("{section}.{key}");
            assert_eq!(needs_restart(&key), text.ends_with("Needs a restart."), "{key}");
            looked_at += 1;
        }
        assert!(looked_at > 15, "{looked_at}");
    }
}
