//! What is known while the sections are resolved: the names of this file, their ids, and the files beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::flow::Goto;
use super::languages::Language;
use super::names::{AgentId, FlowId, HoursId, Interned, Names, PromptId, QueueId, TrunkId};
use super::pem::PemFiles;
use super::problem::Report;
use super::prompt::Prompts;
use super::raw::{Item, Value, join, nearest};
use super::read::{any_of, entries};
use super::recording::RecordingPolicy;
use super::trunk::Source;

/// The sections of one kind: `[queue.NAME]` for every NAME.
pub(super) struct Kind<'i> {
    pub(super) what: &'static str,
    /// In the order of the file.
    pub(super) sections: Vec<Section<'i>>,
    by_name: BTreeMap<&'i str, usize>,
}

/// One `[queue.NAME]`.
#[derive(Clone)]
pub(super) struct Section<'i> {
    pub(super) id: usize,
    pub(super) name: &'i str,
    /// Its key in full.
    pub(super) path: String,
    pub(super) value: &'i Value<'i>,
}

impl Section<'_> {
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }
}

impl<'i> Kind<'i> {
    /// Takes every section of this kind, gives it its id, and refuses names that could not be referred to.
    pub(super) fn gather(
        root: &'i toml::de::DeTable<'i>,
        what: &'static str,
        names: &mut Interned,
        report: &mut Report,
    ) -> Kind<'i> {
        let mut kind = Kind { what, sections: Vec::new(), by_name: BTreeMap::new() };
        let Some(value) = root.get(what) else { return kind };
        let item = Item { key: what.to_owned(), value };
        let Some(table) = item.table(&format!("[{what}.NAME]"), report) else { return kind };
        for (name, item) in entries(table, what) {
            if !is_name(name) {
                item.error(report, format!("{name:?} is no name; write up to 64 letters, digits, - and _"));
                continue;
            }
            let id = names.intern(name);
            kind.by_name.insert(name, id);
            kind.sections.push(Section { id, name, path: join(what, name), value: item.value });
        }
        kind
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The name of a section of this file; empty if it has none of that id.
    pub(super) fn name(&self, id: usize) -> &'i str {
        self.sections.iter().find(|section| section.id == id).map_or("", |section| section.name)
    }

    fn find(&self, item: &Item<'_>, name: &str, report: &mut Report) -> Option<usize> {
        if let Some(id) = self.by_name.get(name) {
            return Some(*id);
        }
        let what = self.what;
        let cure = match nearest(name, self.by_name.keys().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if self.by_name.is_empty() || self.by_name.len() > 8 => {
                format!("add [{}]", join(what, name))
            }
            None => {
                let known: Vec<String> = self.by_name.keys().map(|name| format!("\"{name}\"")).collect();
                format!("write {}, or add [{}]", any_of(&known), join(what, name))
            }
        };
        item.error(report, format!("there is no {what} \"{name}\"; {cure}"));
        None
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty() && name.chars().count() <= 64 && name.chars().all(fits)
}

/// Everything a section may refer to.
pub(super) struct Scope<'s, 'i> {
    pub(super) trunks: Kind<'i>,
    pub(super) flows: Kind<'i>,
    pub(super) queues: Kind<'i>,
    pub(super) agents: Kind<'i>,
    pub(super) hours: Kind<'i>,
    pub(super) callers: Kind<'i>,
    pub(super) recordings: Kind<'i>,
    /// Each `[recording.NAME]`, by its number among them.
    pub(super) policies: BTreeMap<usize, Arc<RecordingPolicy>>,
    pub(super) prompts: Prompts<'s>,
    pub(super) pem: PemFiles<'s>,
    /// What each `[hours.NAME]` does when closed; steps that name it inherit this.
    pub(super) closed: BTreeMap<HoursId, (Option<PromptId>, Goto)>,
    /// Languages and snippets are there, of which announcements can be made.
    pub(super) speaks: bool,
    /// Trunks that can send no call.
    pub(super) mute_trunks: BTreeSet<TrunkId>,
    /// Whose each source address of `accept_from` is.
    pub(super) sources: BTreeMap<Source, TrunkId>,
    pub(super) report: &'s mut Report,
}

impl<'s, 'i> Scope<'s, 'i> {
    pub(super) fn gather(
        root: &'i toml::de::DeTable<'i>,
        names: &mut Names,
        prompts: Prompts<'s>,
        pem: PemFiles<'s>,
        report: &'s mut Report,
    ) -> Scope<'s, 'i> {
        let scope = Scope {
            trunks: Kind::gather(root, "trunk", &mut names.trunks, report),
            flows: Kind::gather(root, "flow", &mut names.flows, report),
            queues: Kind::gather(root, "queue", &mut names.queues, report),
            agents: Kind::gather(root, "agent", &mut names.agents, report),
            hours: Kind::gather(root, "hours", &mut names.hours, report),
            // Nothing outlives a reload that would refer to a group of callers by its id.
            callers: Kind::gather(root, "callers", &mut Interned::default(), report),
            recordings: Kind::gather(root, "recording", &mut Interned::default(), report),
            policies: BTreeMap::new(),
            prompts,
            pem,
            closed: BTreeMap::new(),
            speaks: false,
            mute_trunks: BTreeSet::new(),
            sources: BTreeMap::new(),
            report,
        };
        let most = usize::from(u16::MAX); // the last number is that of telephones
        if let Some(section) = scope.trunks.sections.iter().find(|section| section.id >= most) {
            let text =
                format!("is the {}th name of a trunk since the start; restart to begin anew", section.id + 1);
            scope.report.error(&section.span(), &section.path, text);
        }
        scope
    }

    pub(super) fn trunk(&mut self, item: &Item<'_>, name: &str) -> Option<TrunkId> {
        self.trunks.find(item, name, self.report).map(TrunkId::from)
    }

    pub(super) fn flow(&mut self, item: &Item<'_>, name: &str) -> Option<FlowId> {
        self.flows.find(item, name, self.report).map(FlowId::from)
    }

    pub(super) fn queue(&mut self, item: &Item<'_>, name: &str) -> Option<QueueId> {
        self.queues.find(item, name, self.report).map(QueueId::from)
    }

    pub(super) fn agent(&mut self, item: &Item<'_>, name: &str) -> Option<AgentId> {
        self.agents.find(item, name, self.report).map(AgentId::from)
    }

    /// The policy of that name, or a problem.
    pub(super) fn recording(&mut self, item: &Item<'_>, name: &str) -> Option<Arc<RecordingPolicy>> {
        let id = self.recordings.find(item, name, self.report)?;
        self.policies.get(&id).cloned()
    }

    pub(super) fn hours(&mut self, item: &Item<'_>, name: &str) -> Option<HoursId> {
        self.hours.find(item, name, self.report).map(HoursId::from)
    }

    /// The `[hours.NAME]` that a text names.
    pub(super) fn hours_named(&mut self, item: &Item<'_>) -> Option<HoursId> {
        let name = item.text("\"office\"", self.report)?;
        self.hours(item, name.strip_prefix("hours.").unwrap_or(name))
    }

    /// What these hours do when closed.
    pub(super) fn when_closed(&self, hours: HoursId) -> (Option<PromptId>, Goto) {
        self.closed.get(&hours).copied().unwrap_or((None, Goto::Hangup))
    }

    pub(super) fn language(&mut self, item: &Item<'_>) -> Option<Language> {
        self.prompts.languages.named(item, self.report)
    }

    pub(super) fn prompt(&mut self, item: &Item<'_>) -> Option<PromptId> {
        self.prompts.resolve(item, self.report)
    }
}
