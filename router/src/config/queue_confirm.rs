//! What an agent hears before the caller is connected, and whether he must press a key to take the call.

use std::time::Duration;

use super::names::PromptId;
use super::queue::QueueToml;
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::Scope;

section! {
    /// An agent who picks up takes the call by a key; until then the caller waits and others ring on. A mailbox presses no key.
    ConfirmToml "confirm = { … }" {
        /// The key: one of `0` to `9`, `*`, `#`. Default `"1"`.
        key,
        /// Longest time from picking up to the key, during which the whisper is repeated; then he has not answered. While others of his addresses ring it ends no sooner than `ring_timeout`. `"2s"` to `"2m"`, default `"15s"`.
        timeout,
    }
}

/// What an agent hears before the caller is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueConfirm {
    /// Heard by an agent who picks up; `None`: the caller, at once.
    pub whisper: Option<PromptId>,
    /// The key by which he takes the call, always together with a whisper; `None`: he need not.
    pub key: Option<char>,
    /// Longest time from picking up to the key. 2 s to 2 min, default 15 s; `None` without a key.
    pub timeout: Option<Duration>,
}

impl QueueConfirm {
    pub(super) fn resolve(raw: &QueueToml<'_>, scope: &mut Scope<'_, '_>) -> QueueConfirm {
        let whisper = raw.whisper.item.as_ref().and_then(|item| scope.prompt(item));
        let (key, timeout) = raw.confirm.item.as_ref().and_then(|item| confirm(item, scope)).unzip();
        if let Some(item) = raw.confirm.item.as_ref().filter(|_| raw.whisper.item.is_none()) {
            let text = "nobody would tell the agent to press a key; write whisper = \"FILE.wav\" too";
            item.error(scope.report, text);
        }
        QueueConfirm { whisper, key, timeout }
    }
}

fn confirm(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<(char, Duration)> {
    let table = item.table("{ key = \"1\" }", scope.report)?;
    let raw = ConfirmToml::read(table, &item.key, item.value.span(), scope.report);
    let timeout = raw.timeout.duration(bounds("2s", "2m", "15s"), scope.report);
    Some((raw.key.item.as_ref().map_or(Some('1'), |item| key(item, scope))?, timeout))
}

fn key(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<char> {
    let text = item.text("\"1\"", scope.report)?;
    let mut keys = text.chars();
    match (keys.next().filter(|key| matches!(key, '0'..='9' | '*' | '#')), keys.next()) {
        (Some(key), None) => Some(key),
        _ => {
            item.error(scope.report, format!("\"{text}\" is no key; write one of 0 to 9, * and #"));
            None
        }
    }
}
