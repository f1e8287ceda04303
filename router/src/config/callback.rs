//! The `callback` step: who would rather be called back than wait.

use std::time::Duration;

use super::address::{Address, Template};
use super::flow::{Goto, Step};
use super::names::{PromptId, QueueId};
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::Scope;

section! {
    /// The caller is called back when he would have had his turn: he keeps the place that he has come to in the queues of this call, counts as one who waits, and when an agent is free for him the agent is rung first and then he, so that nobody is called for whom there is no agent. Then the step is done; `"hangup"` may follow. A restart of the router loses nobody. Each queue has room for 1,000 of them; a second request of the same number for the same queue changes nothing, and the older place counts. While the queue is closed, full or turns callers away, or half of `limits.max_calls` wait for such calls, nobody more is called back.
    CallbackToml "{ callback = { … } }" {
        /// The `[queue.NAME]` whose agents call back; its hours, its widening and its other rules hold, but not `max_wait`. Required.
        queue,
        /// Where the caller is called: `"{caller}@TRUNK"` or `"sip:{caller}@HOST"`, with `{caller}` in it. He sees the number that he had called, or what `trunk.from` says if that is fixed. Required.
        dial,
        /// A sound file that confirms it, played to its end. Default: none.
        prompt,
        /// How long he rings. `"5s"` to `"5m"`, default `"30s"`; the trunk's `answer_timeout` caps it.
        ring_timeout,
        /// How long nobody calls again after it was in vain, or while the queue is closed. `"1m"` to `"24h"`, default `"15m"`.
        retry,
        /// How often he is called at most. An agent who hangs up before he answers does not count, nor does a want of lines of ours. 1 to 10, default 3.
        tries,
        /// How long after the request it is given up, whatever has happened. `"1m"` to `"7d"`, default `"4h"`.
        expires,
        /// Where to go on if he cannot be called back: his number is withheld, or the queue has no room for more of them. Default `"next"`.
        otherwise,
    }
}

/// What a `callback` step asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackStep {
    /// Whose agents call back.
    pub queue: QueueId,
    /// Where the caller is called.
    pub dial: Address,
    /// Played to confirm it.
    pub prompt: Option<PromptId>,
    /// How long he rings. 5 s to 5 min, default 30 s.
    pub ring_timeout: Duration,
    /// How long nobody calls again. 1 min to 24 h, default 15 min.
    pub retry: Duration,
    /// How often he is called. 1 to 10, default 3.
    pub tries: u8,
    /// When it is given up, counted from the request. 1 min to 7 days, default 4 h.
    pub expires: Duration,
    /// Where to go on without a callback. Default `Next`.
    pub otherwise: Goto,
}

/// Reads the step.
pub(super) fn step(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let table = item.table("{ queue = \"support\", dial = \"{caller}@TRUNK\" }", scope.report)?;
    let raw = CallbackToml::read(table, &item.key, item.value.span(), scope.report);
    let ring_timeout = raw.ring_timeout.duration(bounds("5s", "5m", "30s"), scope.report);
    let retry = raw.retry.duration(bounds("1m", "24h", "15m"), scope.report);
    let tries = raw.tries.integer(1..=10, 3, scope.report) as u8;
    let expires = raw.expires.duration(bounds("1m", "7d", "4h"), scope.report);
    let prompt = raw.prompt.item.as_ref().map(|item| scope.prompt(item));
    let otherwise = raw.otherwise.item.as_ref().map_or(Some(Goto::Next), |item| Goto::resolve(item, scope));
    let queue = raw.queue.required("queue = \"support\"", scope.report).cloned();
    let queue = queue.and_then(|item| {
        let text = item.text("\"support\"", scope.report)?;
        scope.queue(&item, text.strip_prefix("queue.").unwrap_or(text))
    });
    let dial = raw.dial.required("dial = \"{caller}@TRUNK\"", scope.report).cloned();
    let dial = dial.and_then(|item| dial_of(&item, scope));
    let prompt = prompt.map_or(Some(None), |prompt| prompt.map(Some))?;
    Some(Step::Callback(CallbackStep {
        queue: queue?,
        dial: dial?,
        prompt,
        ring_timeout,
        retry,
        tries,
        expires,
        otherwise: otherwise?,
    }))
}

/// An address that is the caller's.
fn dial_of(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Address> {
    let address = Address::resolve(item, scope)?;
    if !address.template().is_some_and(Template::names_caller) {
        let shown = item.written(scope.report);
        item.error(
            scope.report,
            format!("{shown} calls everybody at the same place; write {{caller}} in it"),
        );
        return None;
    }
    Some(address)
}
