//! Where callers go on whom a queue does not keep: full, closed, unstaffed, or waiting is over.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Flow, Goto, QueueId, Step};

/// Steps looked at behind one `queue` step: flows cannot be longer in practice, and circles end here.
const MOST_STEPS: usize = 64;

/// For each queue the one that follows it without the caller's doing, where all flows agree on that. Announcements
/// between the two take no time here; menus, opening hours, dialled numbers and what lies behind them are not followed.
pub(super) fn overflow(config: &Config) -> BTreeMap<QueueId, QueueId> {
    let mut found: BTreeMap<QueueId, BTreeSet<Option<QueueId>>> = BTreeMap::new();
    for (_, flow) in config.flows() {
        for (index, step) in flow.steps.iter().enumerate() {
            for queue in queues_of(step) {
                found.entry(queue).or_default().insert(next_queue(config, flow, index + 1));
            }
        }
    }
    found.into_iter().filter_map(|(queue, next)| Some((queue, only(&next)?))).collect()
}

fn only(next: &BTreeSet<Option<QueueId>>) -> Option<QueueId> {
    next.first().copied().flatten().filter(|_| next.len() == 1)
}

/// The queues to which a step may send a caller, to go on behind it.
fn queues_of(step: &Step) -> Vec<QueueId> {
    let gotos: Vec<Goto> = match step {
        Step::Queue { queue, .. } => vec![Goto::Queue(*queue)],
        Step::Goto(goto) | Step::Hours { closed: goto, .. } => vec![*goto],
        Step::Menu { keys, otherwise, .. } => {
            keys.iter().map(|(_, goto)| *goto).chain([*otherwise]).collect()
        }
        Step::Dial { on_busy, on_no_answer, on_failure, .. } => {
            [on_busy, on_no_answer, on_failure].into_iter().flatten().copied().collect()
        }
        Step::Callback(callback) => vec![callback.otherwise],
        Step::Answer
        | Step::Language(_)
        | Step::Play { .. }
        | Step::Voicemail { .. }
        | Step::Conference { .. }
        | Step::Record { .. } => Vec::new(),
        Step::Reject { .. } | Step::Hangup => Vec::new(),
    };
    gotos
        .into_iter()
        .filter_map(|goto| if let Goto::Queue(queue) = goto { Some(queue) } else { None })
        .collect()
}

fn next_queue(config: &Config, flow: &Flow, from: usize) -> Option<QueueId> {
    let (mut flow, mut at) = (flow, from);
    for _ in 0..MOST_STEPS {
        match flow.steps.get(at)? {
            Step::Queue { queue, .. } | Step::Goto(Goto::Queue(queue)) => return Some(*queue),
            Step::Answer
            | Step::Language(_)
            | Step::Record { .. }
            | Step::Play { .. }
            | Step::Goto(Goto::Next) => at += 1,
            Step::Goto(Goto::Flow(id)) => (flow, at) = (config.flow(*id)?, 0),
            Step::Goto(Goto::Hangup)
            | Step::Menu { .. }
            | Step::Dial { .. }
            | Step::Callback(_)
            | Step::Hours { .. }
            | Step::Voicemail { .. }
            | Step::Conference { .. }
            | Step::Reject { .. }
            | Step::Hangup => return None,
        }
    }
    None
}
