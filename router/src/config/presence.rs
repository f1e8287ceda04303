//! `[presence.graph]`: who in Teams may be given calls, as Microsoft Graph says.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::presence::{KNOWN_WORDS, MOST_IDS, Mapping, ObjectId};

use super::problem::Report;
use super::prompt::Files;
use super::raw::{Field, Item, nearest, section};
use super::read::bounds;
use super::units::written;

section! {
    /// What is known elsewhere of agents.
    PresenceToml "[presence]" {
        /// Their presence in Teams: `[presence.graph]`.
        graph,
    }
}

section! {
    /// The presence in Teams of every agent who has an `entra_id`, asked of Microsoft Graph again and again. Whose presence says no is given no calls of queues, as in a pause: he keeps his log-in and his own pause, a call in progress is not touched, and he comes back by himself. The registered application needs the application permission `Presence.Read.All` with an administrator's consent. What agents do here comes first: Graph lags by seconds. While Graph does not answer, nobody waits for it.
    GraphToml "[presence.graph]" {
        /// The tenant: its id, or one of its domains. Required.
        tenant,
        /// The registered application, by its id. Required.
        client_id,
        /// File with the application's secret and nothing else, readable by the user that runs Fernamt only. It is read again for every token, so that a new secret needs no reload. A relative path starts at the directory of this file. Either this or `client_secret_env` is required.
        client_secret_file,
        /// Environment variable of the process that has the application's secret.
        client_secret_env,
        /// Refused: a secret does not belong in this file. See `client_secret_file`.
        client_secret,
        /// Where tokens are asked for; another one in national clouds. `http://` only on this machine, for tests. Default `"https://login.microsoftonline.com"`.
        login_url,
        /// Where presence is asked for; another one in national clouds. Default `"https://graph.microsoft.com"`.
        graph_url,
        /// PEM file of the certificate authorities that are believed instead of the system's: for a proxy that looks into TLS, and for tests. A relative path starts at the directory of this file. Default: the system's.
        trust,
        /// How often everybody's presence is asked for, 650 agents with one request. `"1s"` to `"5m"`, default `"5s"`.
        every,
        /// Requests for presence in 30 s at most; with more agents than that is enough for they are asked less often than `every`. Microsoft allows 1500 to all that ask with one `client_id`. 1 to 1500, default 300.
        budget,
        /// How long one request may take. `"1s"` to `"1m"`, default `"10s"`.
        timeout,
        /// Longest pause after failures in a row; it begins with `every` and doubles, and is somewhat different each time. Graph's `Retry-After` is kept to also when it is longer. `"1s"` to `"10m"`, default `"1m"`.
        back_off,
        /// How long an answer holds. Behind that, presence is not known any more and `stale` says what follows. So long a start or a new agent waits for the first answer, too. More than `every`, and than the time that `budget` makes of it; to `"1h"`, default `"1m"`.
        fresh,
        /// Who is given calls while presence is not known: `"offer"`, everybody, and SIP says who is busy; `"last"`, as the last answer said, everybody of whom there was none; `"skip"`, nobody. Default `"offer"`.
        stale,
        /// Words of Graph (availability or activity, in any case) one of which must be said of an agent who is given calls. Default `["Available", "AvailableIdle"]`.
        offer_when,
        /// Words with which he is given none, whatever else is said. Default `["OutOfOffice", "InACall", "InAConferenceCall", "DoNotDisturb", "Presenting", "UrgentInterruptionsOnly", "Focusing"]`.
        never_when,
        /// So long after a talk with one of our callers it is not believed that an agent is in a call: that is what Graph still says of ours. `"0s"` to `"5m"`, default `"15s"`.
        own_call_lag,
    }
}

/// How agents' presence is asked of Graph, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Id or domain of the tenant.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// Where its secret is.
    pub secret: SecretPlace,
    /// Base of the token's address, without `/` at its end. Default `https://login.microsoftonline.com`.
    pub login_url: String,
    /// Base of Graph's addresses, without `/` at its end. Default `https://graph.microsoft.com`.
    pub graph_url: String,
    /// Certificate authorities believed instead of the system's.
    pub trust: Option<PathBuf>,
    /// From one round of requests to the next. 1 s to 5 min, default 5 s.
    pub every: Duration,
    /// Requests for presence within 30 s at most. 1 to 1,500, default 300.
    pub budget: u16,
    /// How long one request may take. 1 s to 1 min, default 10 s.
    pub timeout: Duration,
    /// Longest pause after failures. 1 s to 10 min, default 1 min.
    pub back_off: Duration,
    /// How long an answer holds. 1 s to 1 h, default 1 min.
    pub fresh: Duration,
    /// What holds behind that. Default `Offer`.
    pub stale: Stale,
    /// Which words let an agent be given calls.
    pub mapping: Mapping,
    /// How long Graph still speaks of a call of ours that is over. 0 s to 5 min, default 15 s.
    pub own_call_lag: Duration,
}

/// Where the application's secret is: never in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// The whole of a file, white space around it apart.
    File(PathBuf),
    /// An environment variable of this process.
    Environment(String),
}

/// Who is given calls while his presence is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// Everybody: an outage of Graph keeps nobody from work.
    Offer,
    /// Whom the last answer allowed; of whom there was none, too.
    Last,
    /// Nobody.
    Skip,
}

/// What is outside of the file: where it lies, and what lies beside it.
#[derive(Clone, Copy)]
pub(super) struct Beside<'s> {
    pub(super) base_dir: &'s Path,
    pub(super) files: &'s Files,
}

impl Graph {
    /// `None` if there is no such section, or one with mistakes.
    pub(super) fn resolve(presence: &Field<'_>, beside: Beside<'_>, report: &mut Report) -> Option<Graph> {
        let item = presence.item.as_ref()?;
        let table = item.table("[presence.graph]", report)?;
        let presence = PresenceToml::read(table, &item.key, item.value.span(), report);
        let item = presence.graph.required("[presence.graph]", report)?;
        let table = item.table("[presence.graph]", report)?;
        let raw = GraphToml::read(table, &item.key, item.value.span(), report);
        let secret = secret(&raw, beside, report);
        let every = raw.every.duration(bounds("1s", "5m", "5s"), report);
        let graph = Graph {
            tenant: tenant(&raw.tenant, report).unwrap_or_default(),
            client_id: client_id(&raw.client_id, report).unwrap_or_default(),
            secret: secret.unwrap_or_else(|| SecretPlace::Environment(String::new())),
            login_url: url(&raw.login_url, "https://login.microsoftonline.com", report),
            graph_url: url(&raw.graph_url, "https://graph.microsoft.com", report),
            trust: raw.trust.item.as_ref().and_then(|item| trust(item, beside, report)),
            every,
            budget: raw.budget.integer(1..=1_500, 300, report) as u16,
            timeout: raw.timeout.duration(bounds("1s", "1m", "10s"), report),
            back_off: raw.back_off.duration(bounds("1s", "10m", "1m"), report),
            fresh: fresh(&raw.fresh, every, report),
            stale: raw
                .stale
                .choice(&[("offer", Stale::Offer), ("last", Stale::Last), ("skip", Stale::Skip)], report),
            mapping: mapping(&raw, report),
            own_call_lag: raw.own_call_lag.duration(bounds("0s", "5m", "15s"), report),
        };
        (!report.has_errors()).then_some(graph)
    }

    /// Requests for the presence of so many agents.
    pub fn requests(agents: usize) -> usize {
        agents.div_ceil(MOST_IDS)
    }

    /// How often so many agents can be asked for: `every`, or longer if the budget is not enough for that.
    pub fn real_every(&self, agents: usize) -> Duration {
        let by_budget =
            crate::presence::BUDGET_PERIOD * Graph::requests(agents) as u32 / u32::from(self.budget);
        self.every.max(by_budget)
    }

    /// The same application with the same secret at the same place: a token for the one is good for the other.
    pub fn same_login(&self, other: &Graph) -> bool {
        let login = |graph: &Graph| {
            let Graph { tenant, client_id, secret, login_url, graph_url, trust, .. } = graph.clone();
            (tenant, client_id, secret, login_url, graph_url, trust)
        };
        login(self) == login(other)
    }
}

fn tenant(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let such_as = "tenant = \"example.com\"";
    let item = field.required(such_as, report)?;
    let text = item.text("\"example.com\"", report)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if text.is_empty() || text.starts_with('.') || !text.chars().all(fits) {
        let text = format!("{text:?} is neither an id nor a domain; write {such_as}");
        item.error(report, text);
        return None;
    }
    Some(text.to_owned())
}

fn client_id(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let example = "client_id = \"66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911\"";
    let item = field.required(example, report)?;
    Some(object_id(item, "the application's id as Entra shows it", report)?.to_string())
}

/// An id as Entra gives them; `whose` says which one is to be written.
pub(super) fn object_id(item: &Item<'_>, whose: &str, report: &mut Report) -> Option<ObjectId> {
    let example = "\"66ad2f10-5a3d-4f4a-8d8f-3b7f0c1e9911\"";
    let text = item.text(example, report)?;
    text.parse().map_err(|error| item.error(report, format!("{text:?} is {error}; write {whose}"))).ok()
}

fn secret(raw: &GraphToml<'_>, beside: Beside<'_>, report: &mut Report) -> Option<SecretPlace> {
    const PLACES: &str = "client_secret_file = \"PATH\" or client_secret_env = \"NAME\"";
    if let Some(item) = &raw.client_secret.item {
        // Without the value: what this prints is read by many.
        let text = format!("a secret does not belong in this file; take it out and write {PLACES}");
        item.error(report, text);
    }
    match (&raw.client_secret_file.item, &raw.client_secret_env.item) {
        (Some(_), Some(env)) => env.error(report, "client_secret_file says it already; take one out"),
        (Some(item), None) => return secret_file(item, beside, report),
        (None, Some(item)) => return environment(item, report),
        (None, None) if raw.client_secret.item.is_none() => {
            let text = format!("has no secret; write {PLACES}");
            report.error(&raw.client_id.section, "presence.graph", text);
        }
        (None, None) => {}
    }
    None
}

/// A secret that is not there yet is only a warning: presence fails then, calls do not.
fn secret_file(item: &Item<'_>, beside: Beside<'_>, report: &mut Report) -> Option<SecretPlace> {
    let path = path(item, "graph.secret", beside, report)?;
    let shown = path.display();
    match beside.files.read(&path) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => {
            item.warning(report, format!("{shown} is empty; write the application's secret into it"));
        }
        Ok(_) => {}
        Err(error) => item.warning(
            report,
            format!(
                "{shown} cannot be read: {error}; put the application's secret there, for this user to read"
            ),
        ),
    }
    Some(SecretPlace::File(path))
}

fn environment(item: &Item<'_>, report: &mut Report) -> Option<SecretPlace> {
    let name = item.text("\"FERNAMT_GRAPH_SECRET\"", report)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        // Perhaps the secret itself: not shown.
        item.error(
            report,
            "is no name of a variable; write the name, not the secret: client_secret_env = \"FERNAMT_GRAPH_SECRET\"",
        );
        return None;
    }
    Some(SecretPlace::Environment(name.to_owned()))
}

fn trust(item: &Item<'_>, beside: Beside<'_>, report: &mut Report) -> Option<PathBuf> {
    let path = path(item, "ca.pem", beside, report)?;
    let shown = path.display();
    match beside.files.read(&path) {
        Ok(bytes) if String::from_utf8_lossy(&bytes).contains("-----BEGIN CERTIFICATE-----") => {
            return Some(path);
        }
        Ok(_) => item.error(report, format!("{shown} has no certificate; write a PEM file with one")),
        Err(error) => {
            item.error(report, format!("{shown} cannot be read: {error}; write a PEM file that can"));
        }
    }
    None
}

fn path(item: &Item<'_>, such_as: &str, beside: Beside<'_>, report: &mut Report) -> Option<PathBuf> {
    let text = item.text(&format!("\"{such_as}\""), report)?;
    if text.is_empty() {
        item.error(report, format!("an empty path is no file; write one such as \"{such_as}\""));
        return None;
    }
    Some(beside.base_dir.join(text))
}

/// The base of an address. The secret and tokens go there, so only over TLS, or within this machine.
fn url(field: &Field<'_>, default: &str, report: &mut Report) -> String {
    let written =
        field.item.as_ref().and_then(|item| Some((item, item.text(&format!("\"{default}\""), report)?)));
    let Some((item, text)) = written else { return default.to_owned() };
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let host = rest.split('/').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
    if !matches!(scheme, "https" | "http") || host.is_empty() || !rest.chars().all(fits) {
        item.error(report, format!("{text:?} is no base address; write such as \"{default}\""));
    } else if scheme == "http" && !is_here(host) {
        item.error(
            report,
            format!("{text:?} would send the secret over the network for all to read; write https://"),
        );
    }
    text.trim_end_matches('/').to_owned()
}

/// `127.0.0.1:8080`, `[::1]:8080`, `localhost`.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn fresh(field: &Field<'_>, every: Duration, report: &mut Report) -> Duration {
    let fresh = field.duration(bounds("1s", "1h", "1m"), report);
    if fresh <= every {
        let (fresh, every) = (written(fresh), written(every));
        let text = format!(
            "\"{fresh}\" is over before the next answer comes (every = \"{every}\"); write a longer time, or a shorter every"
        );
        let span = field.item.as_ref().map_or(field.section.clone(), |item| item.value.span());
        report.error(&span, &field.key, text);
    }
    fresh
}

fn mapping(raw: &GraphToml<'_>, report: &mut Report) -> Mapping {
    let Mapping { offer_when, never_when } = Mapping::default();
    let mapping = Mapping {
        offer_when: words(&raw.offer_when, offer_when, report),
        never_when: words(&raw.never_when, never_when, report),
    };
    if let Some(item) = raw.offer_when.item.as_ref().filter(|_| mapping.offer_when.is_empty()) {
        item.error(report, "nobody would ever be given a call; write [\"Available\"]");
    }
    let is_never = |item: &Item<'_>| item.value.get_ref().as_str().is_some_and(|word| mapping.is_never(word));
    for item in raw.offer_when.list().iter().filter(|item| is_never(item)) {
        item.error(report, "never_when has it too, and wins; take one out");
    }
    mapping
}

fn words(field: &Field<'_>, default: Vec<String>, report: &mut Report) -> Vec<String> {
    if field.item.is_none() {
        return default;
    }
    let mut words = Vec::new();
    for item in field.list() {
        let Some(word) = item.text("\"Available\"", report) else { continue };
        if !KNOWN_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            let near = nearest(word, KNOWN_WORDS.iter().copied());
            let cure = near.map_or("see whether it is written so".to_owned(), |near| {
                format!("did you mean \"{near}\"?")
            });
            item.warning(report, format!("Graph is not known to say \"{word}\"; {cure}"));
        }
        words.push(word.to_owned());
    }
    words
}
