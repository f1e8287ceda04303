//! From the text of a file to a [`Config`], or to everything that is wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::agent::Agent;
use super::caller_group::CallerGroups;
use super::dns::{Dns, DnsToml};
use super::emergency::{Emergency, EmergencyToml};
use super::flow::Goto;
use super::flow_toml::FlowSection;
use super::hosts::Hosts;
use super::hours::Hours;
use super::languages::{Languages, PromptsToml};
use super::limits::{Limits, LimitsToml, Machine, warn_of_machine};
use super::listen::{Listen, ListenToml};
use super::media::{Media, MediaToml, codecs_named};
use super::names::{FlowId, HoursId, Names, QueueId};
use super::node::{JournalConfig, JournalToml, Log, LogToml, Node, NodeToml};
use super::number::{NumberSection, Numbers};
use super::pem::PemFiles;
use super::presence::{Beside, Graph};
use super::problem::{Place, Problem, Problems, Report, Severity, Source};
use super::prompt::{Files, Prompt, PromptFile, Prompts};
use super::queue::Queue;
use super::raw::{Field, section};
use super::recording::{RecordingPolicy, Recordings, RecordingsToml};
use super::registrar::{Registrar, RegistrarToml};
use super::scope::{Kind, Scope, Section};
use super::transfer::{Transfers, TransfersToml};
use super::trunk::Trunk;
use super::voicemail::{Voicemail, VoicemailToml};
use super::whole::Resolved;
use super::written::Written;
use super::{Config, Table, entra_ids, listen_tls, program, queue_tell, whole};

/// What a configuration is checked against beside itself.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What the machine allows.
    pub machine: Machine,
    /// Where prompts come from.
    pub files: Files,
    /// Prompts that are decoded already, by their paths: one whose file has not changed is not decoded again.
    pub known: BTreeMap<PathBuf, PromptFile>,
}

section! {
    /// One TOML file. Every length of time has its unit in the value: `"200ms"`, `"20s"`, `"1m30s"`, `"2h"`.
    RootToml "the file" {
        /// Who this Fernamt is.
        node,
        /// Where SIP and the admin pages are heard.
        listen,
        /// Addresses, ports and codecs of sound.
        media,
        /// How much at once.
        limits,
        /// Whom names are asked of.
        dns,
        /// The journal.
        journal,
        /// What is logged.
        log,
        /// Messages that callers leave.
        voicemail,
        /// What prompts have in common.
        prompts,
        /// Where recordings of calls lie.
        recordings,
        /// Which calls are recorded, and how.
        recording,
        /// What is known elsewhere of agents.
        presence,
        /// Whom calls come from and go to.
        trunk,
        /// Numbers that an agent can always call.
        emergency,
        /// Which flow answers which called number.
        number,
        /// Callers who are treated alike, known by their numbers.
        callers,
        /// What happens to a call, step by step.
        flow,
        /// How one queue treats its callers.
        queue,
        /// Where agents' telephones register.
        registrar,
        /// People who take calls.
        agent,
        /// Opening hours.
        hours,
        /// Names that are not asked of DNS.
        hosts,
        /// Whom a transfer target means.
        transfer,
        /// How transfers go.
        transfers,
    }
}

/// Reads, resolves and checks the file at `path`, on this machine. Relative prompts are looked up beside it.
///
/// # Errors
/// Every problem of the file; or one without a key if it cannot be read or is no UTF-8.
pub fn load(path: &Path, names: &mut Names) -> Result<Config, Problems> {
    load_after(None, path, names)
}

/// As [`load`], while `before` is in force.
///
/// # Errors
/// As [`load`].
pub fn load_after(before: Option<&Config>, path: &Path, names: &mut Names) -> Result<Config, Problems> {
    let file = path.display().to_string();
    let unreadable = |why: String| {
        let place = Place { line: 1, column: 1 };
        Problems(vec![Problem {
            file: file.clone(),
            place,
            key: String::new(),
            text: why,
            severity: Severity::Error,
        }])
    };
    let bytes = std::fs::read(path)
        .map_err(|error| unreadable(format!("the file cannot be read: {error}; name one that can")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(format!("byte {} is no UTF-8; save the file as UTF-8", error.utf8_error().valid_up_to()))
    })?;
    let base_dir = path.parent().unwrap_or(Path::new(""));
    let prompts = before.into_iter().flat_map(Config::prompts);
    let files = prompts.flat_map(|(_, prompt)| &prompt.files);
    let known = files.map(|(_, file)| (file.path.clone(), file.clone())).collect();
    let surroundings = Surroundings { machine: Machine::here(), files: Files::Disk, known };
    parse(&text, &file, base_dir, names, &surroundings)
}

/// As [`load`], from a text. `file` is its name in messages; prompts are looked up in `base_dir`.
///
/// `names` keeps ids over reloads and is left as it was when the text is refused.
///
/// # Errors
/// Every problem, warnings among them, in the order of the file. Mistakes of TOML's grammar are told alone: what
/// follows them cannot be judged.
pub fn parse(
    text: &str,
    file: &str,
    base_dir: &Path,
    names: &mut Names,
    surroundings: &Surroundings,
) -> Result<Config, Problems> {
    let (tree, grammar) = DeTable::parse_recoverable(text);
    let mut report = Report::new(Source::new(file, text));
    for error in grammar {
        let text = error.message().trim().replace('\n', "; ");
        let cure = if text == "duplicate key" { "; keep one of them" } else { "" };
        report.error(&error.span().unwrap_or(0..0), "", format!("{text}{cure}"));
    }
    if report.has_errors() {
        return Err(report.finish());
    }
    let mut grown = names.clone();
    let mut report = Report::new(Source::new(file, text));
    let config = resolve(tree.get_ref(), base_dir, &mut grown, surroundings, &mut report);
    if report.has_errors() {
        return Err(report.finish());
    }
    grown.generation += 1;
    let config = Config { generation: grown.generation, warnings: report.finish(), ..config };
    *names = grown;
    Ok(config)
}

/// A section that may be absent, and then has only defaults.
macro_rules! part {
    ($section:ident, $field:expr, $empty:ident, $report:expr) => {{
        let field = &$field;
        match field.item.as_ref().and_then(|item| item.table(&format!("[{}]", field.key), $report)) {
            Some(table) => $section::read(table, &field.key, place(field), $report),
            None => $section::read(&$empty, &field.key, place(field), $report),
        }
    }};
}

/// Everything but the generation and the warnings.
fn resolve(
    root: &DeTable<'_>,
    base_dir: &Path,
    names: &mut Names,
    surroundings: &Surroundings,
    report: &mut Report,
) -> Config {
    let raw = RootToml::read(root, "", 0..0, report);
    let empty = DeTable::new();
    let node = Node::resolve(&part!(NodeToml, raw.node, empty, report), report);
    let dns = Dns::resolve(&part!(DnsToml, raw.dns, empty, report), report);
    let journal = JournalConfig::resolve(&part!(JournalToml, raw.journal, empty, report), report);
    let log = Log::resolve(&part!(LogToml, raw.log, empty, report), report);
    let voicemail =
        Voicemail::resolve(&part!(VoicemailToml, raw.voicemail, empty, report), &node.data_dir, report);
    let recordings = part!(RecordingsToml, raw.recordings, empty, report);
    let folders = (node.data_dir.as_path(), voicemail.folder.as_path());
    let mut recordings = Recordings::resolve(&recordings, folders, report);
    let pem = PemFiles { files: &surroundings.files, base_dir };
    let listen_raw = part!(ListenToml, raw.listen, empty, report);
    let listen = Listen::resolve(&listen_raw, pem, report);
    let media = Media::resolve(&part!(MediaToml, raw.media, empty, report), &listen, report);
    let limits_raw = part!(LimitsToml, raw.limits, empty, report);
    let limits = Limits::resolve(&limits_raw, &listen, &media, &surroundings.machine, report);
    warn_of_machine(
        &place(&raw.listen),
        &place(&raw.media),
        (&listen, &media),
        &surroundings.machine,
        report,
    );

    let hosts = Hosts::resolve(&raw.hosts, report);
    let beside = Beside { base_dir, files: &surroundings.files };
    let graph = Graph::resolve(&raw.presence, beside, report);
    let (files, prompt_names) = (&surroundings.files, std::mem::take(&mut names.prompts));
    let prompts_raw = part!(PromptsToml, raw.prompts, empty, report);
    let languages = Languages::resolve(&prompts_raw, report);
    let codecs = codecs_named(root, &media);
    let prompts =
        Prompts::new((files, base_dir), prompt_names, &surroundings.known, languages.clone(), codecs);
    let mut scope = Scope::gather(root, names, prompts, pem, report);
    scope.speaks = (prompts_raw.snippets.item.is_some() || prompts_raw.tts.item.is_some())
        && languages.default().is_some();
    let policy = |section: &Section<'_>, scope: &mut Scope<'_, '_>| {
        RecordingPolicy::resolve(section, scope).map(Arc::new)
    };
    scope.policies = each(|scope| &scope.recordings, policy, &mut scope);
    recordings.policies = scope.policies.values().cloned().collect();
    let (resolved, numbers) = resolve_named(&raw, graph.as_ref(), &mut scope);
    listen_tls::check(&listen_raw, &listen, &resolved.trunks, &scope.trunks, scope.report);
    let emergency = part!(EmergencyToml, raw.emergency, empty, &mut *scope.report);
    let emergency = Emergency::resolve(&emergency, &resolved.trunks, scope.report);
    let registrar = {
        let report = &mut *scope.report;
        part!(RegistrarToml, raw.registrar, empty, report)
    };
    let registrar = Registrar::resolve(&registrar, &mut scope);
    whole::telephones(&registrar, &resolved, &mut scope);
    let groups = scope.callers.sections.clone();
    let callers = CallerGroups::resolve(&groups, &mut scope);
    let tells = resolved.queues.values().filter_map(|queue| queue.tell.as_ref());
    let snippets = queue_tell::snippets((&prompts_raw, node.data_dir.as_path()), tells, &mut scope);
    let (prompts, prompt_names) = scope.prompts.finish();
    names.prompts = prompt_names;
    Config {
        generation: 0,
        node,
        listen,
        media,
        limits,
        dns,
        journal,
        log,
        voicemail,
        recordings,
        graph: graph.map(Arc::new),
        emergency,
        registrar,
        hosts,
        warnings: Problems::default(),
        trunks: table(resolved.trunks, |id| id.index(), |trunk| &trunk.name),
        flows: table(resolved.flows, |id| id.index(), |flow| &flow.name),
        queues: table(resolved.queues, |id| id.index(), |queue| &queue.name),
        agents: table(resolved.agents, |id| id.index(), |agent| &agent.name),
        hours: table(resolved.hours, |id| id.index(), |hours| &hours.name),
        prompts: table(prompts, |id| id.index(), |prompt: &Prompt| &prompt.name),
        numbers,
        callers,
        transfers: resolved.transfers,
        languages,
        snippets,
        written: Written::of(root, report),
    }
}

/// The sections with names, each kind after those it refers to.
fn resolve_named<'i>(
    raw: &RootToml<'i>,
    graph: Option<&Graph>,
    scope: &mut Scope<'_, 'i>,
) -> (Resolved, Numbers) {
    let trunks = each(|scope| &scope.trunks, Trunk::resolve, scope);
    let hours: BTreeMap<HoursId, Hours> = each(|scope| &scope.hours, Hours::resolve, scope);
    scope.closed = hours.iter().map(|(id, hours)| (*id, (hours.closed_prompt, hours.closed))).collect();
    let queues = each(|scope| &scope.queues, Queue::resolve, scope);
    let agents = each(|scope| &scope.agents, Agent::resolve, scope);
    let flows: Vec<(FlowId, FlowSection)> =
        each(|scope| &scope.flows, |section, scope| Some(FlowSection::resolve(section, scope)), scope)
            .into_iter()
            .collect();
    let sections: Vec<_> =
        raw.number.list().iter().filter_map(|item| NumberSection::resolve(item, scope)).collect();

    let queue_name = |id: QueueId| scope.queues.name(id.index()).to_owned();
    let when_removed =
        |id: QueueId| queues.get(&id).map_or(Goto::Next, |queue: &Queue| queue.rules.when_removed);
    let keys = |id: QueueId| {
        let keys = queues.get(&id).into_iter().flat_map(|queue: &Queue| &queue.rules.keys);
        keys.map(|(_, goto)| *goto).collect()
    };
    let of_queues = program::Queues { name: &queue_name, when_removed: &when_removed, keys: &keys };
    program::check(&flows, &of_queues, scope.report);
    whole::removed_in_circles(&queues, scope);
    let finished = flows.iter().filter_map(|(id, flow)| Some((*id, flow.finished()?))).collect();
    let (empty, report) = (DeTable::new(), &mut *scope.report);
    let settings = part!(TransfersToml, raw.transfers, empty, report);
    let transfers = Transfers::resolve(&settings, &raw.transfer.list(), scope);
    let resolved = Resolved { trunks, flows: finished, queues, agents, hours, transfers };
    let numbers = whole::numbers(&sections, &resolved, scope);
    whole::shared_addresses(&resolved.agents, scope);
    entra_ids::unlike(&resolved.agents, scope);
    // With a mistake somewhere it is not known what the operator wanted to use.
    if !scope.report.has_errors() {
        whole::unused(&numbers, &resolved, scope);
        whole::vain_boosts(&sections, &resolved, scope);
        whole::closed_numbers(&numbers, &resolved, scope);
        entra_ids::asked_for(&resolved.agents, &raw.presence, graph, scope);
    }
    (resolved, numbers)
}

/// Resolves the sections of one kind.
fn each<'s, 'i, Id: From<usize> + Ord, T>(
    pick: impl for<'k> Fn(&'k Scope<'s, 'i>) -> &'k Kind<'i>,
    resolve: impl Fn(&Section<'i>, &mut Scope<'s, 'i>) -> Option<T>,
    scope: &mut Scope<'s, 'i>,
) -> BTreeMap<Id, T> {
    let sections = pick(scope).sections.clone();
    let resolved =
        sections.iter().filter_map(|section| Some((Id::from(section.id), resolve(section, scope)?)));
    resolved.collect()
}

fn table<Id, T>(
    items: impl IntoIterator<Item = (Id, T)>,
    index: impl Fn(Id) -> usize,
    name: impl Fn(&T) -> &String,
) -> Table<T> {
    Table::new(items.into_iter().map(|(id, item)| (index(id), name(&item).clone(), item)))
}

/// Where a section stands; the top of the file if it does not.
fn place(field: &Field<'_>) -> Range<usize> {
    field.item.as_ref().map_or(0..0, |item| item.value.span())
}
