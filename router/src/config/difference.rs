//! What a reload changes, in words for the log.

use std::collections::BTreeMap;

use super::Config;
use super::problem::shortened;

/// Keys that are looked at only when the process starts.
const AT_START: [&str; 5] = ["node.", "listen.", "media.address", "media.advertise", "media.ports"];

impl Config {
    /// What differs from `old`, in words: one clause for each key, `; ` between them, keys in order. Empty if nothing does.
    ///
    /// A section that comes or goes is one clause. A key that takes effect only after a restart says so.
    pub fn difference(&self, old: &Config) -> String {
        let mut clauses: BTreeMap<String, String> = BTreeMap::new();
        let keys = old.written.values.keys().chain(self.written.values.keys());
        for key in keys {
            let (before, after) = (old.written.values.get(key), self.written.values.get(key));
            if before == after {
                continue;
            }
            let section = section_of(key);
            let (name, words) = match (old.has(section), self.has(section)) {
                (true, false) => (section, "removed".to_owned()),
                (false, true) => (section, "added".to_owned()),
                _ => (key.as_str(), format!("{} -> {}", shown(before), shown(after))),
            };
            let restart = if needs_restart(key) { " (needs a restart)" } else { "" };
            clauses.insert(name.to_owned(), format!("{name} {words}{restart}"));
        }
        for (_, prompt) in self.prompts() {
            if old.prompts().any(|(_, before)| before.name == prompt.name && before != prompt) {
                clauses.insert(prompt.name.clone(), format!("prompt {} has another sound", prompt.name));
            }
        }
        clauses.into_values().collect::<Vec<_>>().join("; ")
    }

    /// Keys that differ from `old` and take effect only after a restart, in order.
    pub fn needs_restart<'a>(&'a self, old: &'a Config) -> Vec<&'a str> {
        let mut keys: Vec<&str> =
            old.written.values.keys().chain(self.written.values.keys()).map(String::as_str).collect();
        keys.retain(|key| {
            needs_restart(key) && old.written.values.get(*key) != self.written.values.get(*key)
        });
        keys.sort_unstable();
        keys.dedup();
        keys
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
    const NAMED: [&str; 5] = ["trunk.", "flow.", "queue.", "agent.", "hours."];
    if key.starts_with("number ") {
        return key.rsplit_once('.').map_or(key, |(section, _)| section);
    }
    let names = if NAMED.iter().any(|kind| key.starts_with(kind)) { 2 } else { 1 };
    key.match_indices('.').nth(names - 1).map_or(key, |(at, _)| &key[..at])
}

fn shown(value: Option<&String>) -> String {
    value.map_or_else(|| "default".to_owned(), |value| shortened(value))
}
