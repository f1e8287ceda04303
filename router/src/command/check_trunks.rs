//! What `fernamt check` tells of trunks: the order of their targets, their checks and limits.

use crate::config::{Config, Trunk, TrunkTarget, written};

/// One line for each trunk that does more than send its calls to one target.
pub(super) fn lines(config: &Config) -> String {
    let lines =
        config.trunks().filter_map(|(_, trunk)| Some(format!("trunk.{}: {}\n", trunk.name, line(trunk)?)));
    lines.collect()
}

fn line(trunk: &Trunk) -> Option<String> {
    let limits = &trunk.limits;
    let checks = trunk.health.check_every.map(|every| format!("OPTIONS every {}", written(every)));
    let calls = limits.max_calls.map(|most| format!("{most} calls at once"));
    let rate = limits.max_calls_per_second.map(|most| format!("{most} new calls a second"));
    let known = trunk.own_name.as_ref().map(|name| format!("we are {name} there"));
    let told: Vec<String> = [known, checks, calls, rate].into_iter().flatten().collect();
    if told.is_empty() && trunk.send_to.len() < 2 {
        return None;
    }
    let way = Some(targets(&trunk.send_to)).filter(|way| !way.is_empty());
    Some(way.into_iter().chain(told).collect::<Vec<_>>().join("; "))
}

/// `a (3 of 4) or b (1 of 4), then c`.
fn targets(targets: &[TrunkTarget]) -> String {
    let mut sorted: Vec<&TrunkTarget> = targets.iter().collect();
    sorted.sort_by_key(|target| target.priority);
    let equals = sorted.chunk_by(|one, other| one.priority == other.priority);
    equals.map(share).collect::<Vec<_>>().join(", then ")
}

fn share(equals: &[&TrunkTarget]) -> String {
    let all: u32 = equals.iter().map(|target| u32::from(target.weight)).sum();
    let told = equals.iter().map(|TrunkTarget { to, weight, .. }| match equals.len() {
        1 => to.to_string(),
        _ => format!("{to} ({weight} of {all})"),
    });
    told.collect::<Vec<_>>().join(" or ")
}
