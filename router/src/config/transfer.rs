//! `[[transfer]]` and `[transfers]`: where a transferred party is connected, and how.

use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::flow::Goto;
use super::music::Music;
use super::names::AgentId;
use super::pattern::{ByPattern, Pattern};
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::Scope;

section! {
    /// Whom a transfer target means. It is looked up by its user part: first here, an exact one before a prefix, a longer prefix before a shorter one; then among the agents, by name and by the user parts of their addresses; then as a call to that number by the transferring party's trunk, and by that of the transferred one. A target found nowhere is refused with 404: what is not written is not called.
    TransferToml "[[transfer]]" {
        /// The target's user part: `"8001"`, a prefix `"0*"`, or `"*"` for all; or a list of these. Required.
        pattern = "match",
        /// `"queue.NAME"`, `"flow.NAME"`, `"agent.NAME"`, or an address such as `"{called}@carrier"`, in which `{called}` is the target. Required.
        to,
    }
}

section! {
    /// How transfers go. While the new party is called the transferred one waits with us, and whoever transferred gets him back if it fails.
    TransfersToml "[transfers]" {
        /// How long the new party rings. `"5s"` to `"5m"`, default `"30s"`.
        ring_timeout,
        /// What the transferred party hears meanwhile, over and over: a file, a folder, several, or `{ play = … }`. Default: the ringing tone, as soon as it rings.
        music,
        /// Where the transferred party goes if the new one is not reached and whoever transferred has hung up. `"queue"`: back to the queue he came from, with the place he had, which makes him the first; who came from none is rung back to who transferred him. `"back"`: that at once, then the queue. Or `"flow.NAME"`, `"queue.NAME"`, `"hangup"`. Default `"queue"`.
        when_gone,
    }
}

/// How transfers go, and where.
#[derive(Debug, Clone)]
pub struct Transfers {
    /// How long the new party rings. 5 s to 5 min, default 30 s.
    pub ring_timeout: Duration,
    /// What the transferred party hears meanwhile; `None`: the ringing tone.
    pub music: Option<Arc<Music>>,
    /// Where he goes when nobody is left to give him back to. Default `Queue`.
    pub when_gone: WhenGone,
    /// In the order of the file.
    pub(super) list: Vec<(Pattern, Destination)>,
    by_pattern: ByPattern<usize>,
}

/// Whom a transfer target means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A queue or a flow.
    Goto(Goto),
    /// An agent, wherever he is to be had.
    Agent(AgentId),
    /// Somebody else.
    Address(Address),
}

/// Where a transferred party goes when the new one is not reached and whoever transferred has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenGone {
    /// To the queue he came from; who came from none: as `Back`.
    Queue,
    /// Whoever transferred is rung, if we had called him; then as `Queue`, else hung up.
    Back,
    /// There.
    Goto(Goto),
}

impl Transfers {
    /// Whom the `[[transfer]]`s say that `user` means.
    pub fn find(&self, user: &str) -> Option<&Destination> {
        self.by_pattern.find(user).map(|&at| &self.list[at].1)
    }

    pub(super) fn resolve(
        raw: &TransfersToml<'_>,
        rules: &[Item<'_>],
        scope: &mut Scope<'_, '_>,
    ) -> Transfers {
        let mut transfers = Transfers {
            ring_timeout: raw.ring_timeout.duration(bounds("5s", "5m", "30s"), scope.report),
            music: raw.music.item.as_ref().and_then(|item| Music::resolve(item, scope)),
            when_gone: raw
                .when_gone
                .item
                .as_ref()
                .and_then(|item| when_gone(item, scope))
                .unwrap_or(WhenGone::Queue),
            list: Vec::new(),
            by_pattern: ByPattern::default(),
        };
        rules.iter().for_each(|rule| transfers.add(rule, scope));
        transfers
    }

    fn add(&mut self, rule: &Item<'_>, scope: &mut Scope<'_, '_>) {
        let Some(table) = rule.table("[[transfer]]", scope.report) else { return };
        let raw = TransferToml::read(table, &rule.key, rule.value.span(), scope.report);
        let such_as = "match = \"8001\"";
        if raw.pattern.required(such_as, scope.report).is_some_and(|item| item.list().is_empty()) {
            let item = raw.pattern.item.as_ref().unwrap_or(rule);
            item.error(scope.report, format!("matches nothing; write {such_as}"));
        }
        let to = raw.to.required("to = \"queue.NAME\"", scope.report);
        let to = to.and_then(|item| destination(item, scope));
        for item in raw.pattern.list() {
            let (Some(pattern), Some(to)) = (Pattern::resolve(&item, scope), &to) else { continue };
            match self.by_pattern.add(&pattern, self.list.len()) {
                Ok(()) => self.list.push((pattern, to.clone())),
                Err(_) => {
                    item.error(scope.report, format!("\"{pattern}\" leads elsewhere already; take one out"))
                }
            }
        }
    }
}

fn destination(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Destination> {
    let text = item.text("\"queue.NAME\"", scope.report)?;
    match text.split_once('.') {
        Some(("agent", name)) => scope.agent(item, name).map(Destination::Agent),
        Some(("queue" | "flow", _)) => Goto::resolve(item, scope).map(Destination::Goto),
        _ if text.contains(['@', ':']) => Address::resolve(item, scope).map(Destination::Address),
        _ => {
            let cure = "write \"queue.NAME\", \"flow.NAME\", \"agent.NAME\" or an address such as \"{called}@TRUNK\"";
            item.error(scope.report, format!("\"{text}\" is nobody to transfer to; {cure}"));
            None
        }
    }
}

fn when_gone(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<WhenGone> {
    match item.text("\"queue\"", scope.report)? {
        "queue" => Some(WhenGone::Queue),
        "back" => Some(WhenGone::Back),
        "next" => {
            let cure =
                "write \"queue\", \"back\", \"flow.NAME\", \"queue.NAME\" or \"hangup\" (default \"queue\")";
            item.error(scope.report, format!("\"next\": no step follows a transfer; {cure}"));
            None
        }
        _ => Goto::resolve(item, scope).map(WhenGone::Goto),
    }
}
