//! `[agent.NAME]`: a person who takes calls.

use super::address::Address;
use super::names::QueueId;
use super::raw::{Item, section};
use super::scope::{Scope, Section};

section! {
    /// A person who takes calls.
    AgentToml "[agent.NAME]" {
        /// Where the agent is called: `"+4930555001@TRUNK"` or `"sip:anna@192.0.2.7"`, or a list of several. Required.
        call,
        /// How several addresses ring: `"all"` at once, the first to answer wins; `"in-turn"`, one after the other. Default `"all"`.
        ring,
        /// Queues the agent serves. Default: none.
        queues,
        /// `"auto"`: ready from the start; `"manual"`: only after a log-in. Default `"auto"`.
        login,
        /// Another agent may have one of the same addresses (a shared desk). Every agent at that address says so. Default false.
        shared,
    }
}

/// A person who takes calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Their name.
    pub name: String,
    /// Where they are called: one assignment, one winner. Never empty, no address twice.
    pub call: Vec<Address>,
    /// How several addresses ring. Default `All`.
    pub ring: RingOrder,
    /// Queues they serve, each once, as written.
    pub queues: Vec<QueueId>,
    /// Whether they are ready from the start. Default `Auto`.
    pub login: Login,
    /// Another agent may have one of the same addresses. Default false.
    pub shared: bool,
}

/// How several addresses of one agent ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingOrder {
    /// All at once; the first to answer wins.
    All,
    /// One after the other within the queue's `ring_timeout`, which they share evenly.
    InTurn,
}

/// How an agent comes to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Ready from the start of the process.
    Auto,
    /// Logged out until they log in.
    Manual,
}

impl Agent {
    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<Agent> {
        let item = Item { key: section.path.clone(), value: section.value };
        let table = item.table(&format!("[{}]", section.path), scope.report)?;
        let raw = AgentToml::read(table, &section.path, section.span(), scope.report);
        let such_as = "call = \"+4930555001@TRUNK\"";
        if raw.call.required(such_as, scope.report).is_some_and(|item| item.list().is_empty()) {
            let text = format!("nobody could reach this agent; write {such_as}");
            raw.call.list().first().unwrap_or(&item).error(scope.report, text);
        }
        let mut call = Vec::new();
        for item in raw.call.list() {
            let Some(address) = address(&item, scope) else { continue };
            if call.contains(&address) {
                item.error(scope.report, "this address stands in the list already; take one out");
            } else {
                call.push(address);
            }
        }
        let queues = queues(&raw.queues.list(), scope);
        let report = &mut *scope.report;
        if raw.queues.list().is_empty() {
            report.warning(
                &section.span(),
                &section.path,
                "serves no queue and will never be rung; write queues = [\"NAME\"]",
            );
        }
        Some(Agent {
            name: section.name.to_owned(),
            call,
            ring: raw.ring.choice(&[("all", RingOrder::All), ("in-turn", RingOrder::InTurn)], report),
            queues,
            login: raw.login.choice(&[("auto", Login::Auto), ("manual", Login::Manual)], report),
            shared: raw.shared.boolean(false, report),
        })
    }
}

fn address(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Address> {
    let address = Address::resolve(item, scope)?;
    let template = match &address {
        Address::Number { user, .. } => user,
        Address::Uri(address) => &address.uri,
    };
    if template.fixed().is_none() {
        item.error(
            scope.report,
            format!("\"{template}\" would be another address with every call; write the agent's own"),
        );
        return None;
    }
    Some(address)
}

fn queues(items: &[Item<'_>], scope: &mut Scope<'_, '_>) -> Vec<QueueId> {
    let mut queues = Vec::new();
    for item in items {
        let Some(name) = item.text("\"support\"", scope.report) else { continue };
        let Some(queue) = scope.queue(item, name) else { continue };
        if queues.contains(&queue) {
            item.error(scope.report, format!("\"{name}\" stands in the list already; take one out"));
        } else {
            queues.push(queue);
        }
    }
    queues
}
