//! `tell = { … }` of a queue: what those who wait are told of their wait, and the snippets of which it is made.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::languages::{Language, PLACEHOLDER, PromptsToml};
use super::names::PromptId;
use super::queue::QueueToml;
use super::raw::section;
use super::read::bounds;
use super::scope::Scope;
use super::tts::Tts;
use crate::speech::Tongue;

section! {
    /// What those who wait are told, in German or English by the call's language, from the recordings in `prompts.snippets` or by `prompts.tts`.
    TellToml "tell = { … }" {
        /// Which they are in the queue: "Sie sind an Position drei", "You are number three in line". Default true.
        place,
        /// How long they will wait at most by the queue's estimate, in minutes; nothing while there is no estimate. Default false.
        wait,
        /// When they are first told, after they have come. `"0s"` to `"10m"`, default `"10s"`.
        first,
        /// How long after the end of one announcement the next may begin. `"15s"` to `"1h"`, default `"1m"`.
        every,
        /// Tell it again only if it has changed. Default true.
        only_news,
    }
}

/// What those who wait are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueTell {
    /// Their place. Default true.
    pub place: bool,
    /// Their wait in minutes. Default false.
    pub wait: bool,
    /// When first. 0 s to 10 min, default 10 s.
    pub first: Duration,
    /// How long after the end of one the next. 15 s to 1 h, default 1 min.
    pub every: Duration,
    /// Only what has changed. Default true.
    pub only_news: bool,
}

impl QueueTell {
    pub(super) fn resolve(raw: &QueueToml<'_>, scope: &mut Scope<'_, '_>) -> Option<QueueTell> {
        let item = raw.tell.item.as_ref()?;
        let table = item.table("{ wait = true, every = \"1m\" }", scope.report)?;
        let raw = TellToml::read(table, &item.key, item.value.span(), scope.report);
        let report = &mut *scope.report;
        let tell = QueueTell {
            place: raw.place.boolean(true, report),
            wait: raw.wait.boolean(false, report),
            first: raw.first.duration(bounds("0s", "10m", "10s"), report),
            every: raw.every.duration(bounds("15s", "1h", "1m"), report),
            only_news: raw.only_news.boolean(true, report),
        };
        if !tell.place && !tell.wait {
            item.error(report, "nothing would be told; write place = true or wait = true, or take it out");
        }
        if !scope.speaks {
            item.error(
                scope.report,
                "nobody says what is to be told; write languages, and snippets or tts, in [prompts]",
            );
        }
        Some(tell)
    }
}

/// The snippets of each language, by name.
pub type Snippets = BTreeMap<Language, BTreeMap<&'static str, PromptId>>;

/// The snippets that the queues need, recorded or else spoken. Each that is missing is told.
pub(super) fn snippets<'q>(
    (raw, data_dir): (&PromptsToml<'_>, &Path),
    tells: impl Iterator<Item = &'q QueueTell>,
    scope: &mut Scope<'_, '_>,
) -> Snippets {
    let (place, wait) =
        tells.fold((false, false), |(place, wait), tell| (place | tell.place, wait | tell.wait));
    let folder = raw.snippets.text("\"prompts/{lang}/numbers\"", scope.report);
    let mut tts = Tts::resolve(raw, data_dir, scope);
    let item = raw.snippets.item.as_ref().or(raw.tts.item.as_ref());
    let Some(item) = item.filter(|_| place || wait) else { return Snippets::new() };
    let languages: Vec<Language> = scope.prompts.languages.iter().collect();
    if let Some(folder) = folder.filter(|folder| languages.len() > 1 && !folder.contains(PLACEHOLDER)) {
        let text = format!("{folder:?} is one folder for several languages; write {{lang}} in it");
        item.error(scope.report, text);
        return Snippets::new();
    }
    let mut all = Snippets::new();
    for language in languages {
        let Some(tongue) = Tongue::of(language) else {
            let text = format!(
                "numbers cannot be said in \"{language}\", only in \"de\" and \"en\"; take {language} out of prompts.languages, or tell out of the queues"
            );
            item.error(scope.report, text);
            continue;
        };
        let names = tongue.snippets(place, wait);
        let folder = folder.map(|folder| folder.replace(PLACEHOLDER, language.as_str()));
        let mut found =
            scope.prompts.snippets(folder.as_deref(), (names.as_slice(), tts.is_some()), item, scope.report);
        for name in names {
            if tts.is_some() && !found.contains_key(name) {
                found.extend(spoken(&mut tts, (language, tongue, name), scope).map(|id| (name, id)));
            }
        }
        all.insert(language, found);
    }
    all
}

/// Has a snippet spoken. A command that fails is told once and not tried again.
fn spoken(
    tts: &mut Option<Tts<'_>>,
    (language, tongue, name): (Language, Tongue, &'static str),
    scope: &mut Scope<'_, '_>,
) -> Option<PromptId> {
    let speaker = tts.as_ref()?;
    match scope.prompts.spoken(speaker, language, name, tongue.text(name)) {
        Ok(id) => Some(id),
        Err(why) => {
            speaker.item.error(scope.report, why);
            *tts = None;
            None
        }
    }
}
