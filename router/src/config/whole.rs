//! What can be judged only when every section is known: numbers and their trunks, shared addresses, what nobody uses.

use std::collections::{BTreeMap, BTreeSet};

use super::address::Address;
use super::agent::Agent;
use super::flow::{Flow, Goto, Step};
use super::hours::Hours;
use super::names::{AgentId, FlowId, HoursId, QueueId, TrunkId};
use super::number::{Number, NumberSection, Numbers};
use super::queue::Queue;
use super::raw::Item;
use super::registrar::Registrar;
use super::scope::{Kind, Scope};
use super::transfer::{Destination, Transfers, WhenGone};
use super::trunk::Trunk;

/// The sections that could be resolved.
pub(super) struct Resolved {
    pub(super) trunks: BTreeMap<TrunkId, Trunk>,
    pub(super) flows: BTreeMap<FlowId, Flow>,
    pub(super) queues: BTreeMap<QueueId, Queue>,
    pub(super) agents: BTreeMap<AgentId, Agent>,
    pub(super) hours: BTreeMap<HoursId, Hours>,
    pub(super) transfers: Transfers,
}

/// Telephones: each user name is one agent's, and somebody may register who is to.
pub(super) fn telephones(registrar: &Registrar, resolved: &Resolved, scope: &mut Scope<'_, '_>) {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    let mut anybody = None;
    for section in &scope.agents.sections {
        let agent = resolved.agents.get(&AgentId::from(section.id));
        let Some(phone) = agent.and_then(|agent| agent.phone.as_ref()) else { continue };
        anybody.get_or_insert(section);
        if !phone.ha1s.is_empty()
            && !phone.ha1s.iter().any(|ha1| registrar.algorithms.contains(&ha1.algorithm()))
        {
            let asked = registrar.algorithms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            let text = format!(
                "has no HA1 by {asked}, and by no other it could register (registrar.algorithms); write what `fernamt passwd {} --realm {}` prints",
                phone.user, registrar.realm
            );
            scope.report.error(&section.span(), &format!("{}.phone", section.path), text);
        }
        let names = [phone.user.as_str(), phone.number.as_str()];
        for name in names.iter().take(if names[0] == names[1] { 1 } else { 2 }) {
            if let Some(other) = known.insert(name, section.name) {
                let text = format!(
                    "\"{name}\" is the user or number of agent.{other} already; give each telephone its own"
                );
                scope.report.error(&section.span(), &format!("{}.phone", section.path), text);
            }
        }
    }
    match anybody {
        Some(section) if !registrar.is_open() && !scope.report.has_errors() => scope.report.warning(
            &section.span(),
            &format!("{}.phone", section.path),
            "no telephone can register; write [registrar] accept_from = [\"192.0.2.0/24\"]",
        ),
        _ => {}
    }
}

/// Spreads `[[number]]` sections over their trunks and patterns; reports what no call could reach.
pub(super) fn numbers(
    sections: &[NumberSection<'_>],
    resolved: &Resolved,
    scope: &mut Scope<'_, '_>,
) -> Numbers {
    let mut numbers = Numbers::default();
    let bringing: Vec<TrunkId> =
        resolved.trunks.iter().filter(|(_, trunk)| trunk.brings_calls()).map(|(id, _)| *id).collect();
    for section in sections {
        for (item, id) in &section.trunks {
            if resolved.trunks.get(id).is_some_and(|trunk| !trunk.brings_calls()) {
                let name = scope.trunks.name(id.index());
                item.error(
                    scope.report,
                    format!("trunk.{name} brings no calls; give it accept_from = [\"192.0.2.0/24\"]"),
                );
            }
        }
        let trunks: Vec<TrunkId> = if section.trunk_named {
            section.trunks.iter().map(|(_, id)| *id).collect()
        } else {
            bringing.clone()
        };
        if trunks.is_empty() && !section.trunk_named && !scope.report.has_errors() {
            section
                .item
                .error(scope.report, "no trunk brings calls; give one accept_from = [\"192.0.2.0/24\"]");
        }
        let Some(flow) = section.flow else { continue };
        for (item, pattern) in &section.patterns {
            for &trunk in &trunks {
                let NumberSection { boost, language, hours, .. } = *section;
                let (written, recording) = (pattern.clone(), section.recording.clone());
                let number = Number { pattern: written, trunk, flow, boost, language, hours, recording };
                if numbers.add(number).is_err() {
                    let name = scope.trunks.name(trunk.index());
                    let text = format!("\"{pattern}\" is answered on trunk.{name} already; take one out");
                    item.error(scope.report, text);
                }
            }
        }
    }
    numbers
}

/// Two agents at one address are two agents who pick up each other's calls.
pub(super) fn shared_addresses(agents: &BTreeMap<AgentId, Agent>, scope: &mut Scope<'_, '_>) {
    let mut owners: BTreeMap<&Address, AgentId> = BTreeMap::new();
    let in_file: Vec<AgentId> =
        scope.agents.sections.iter().map(|section| AgentId::from(section.id)).collect();
    for id in in_file {
        let Some(agent) = agents.get(&id) else { continue };
        for (at, address) in agent.call.iter().enumerate() {
            let Some(other) = owners.insert(address, id).and_then(|other| agents.get(&other)) else {
                continue;
            };
            if agent.shared && other.shared {
                continue;
            }
            let text = format!(
                "agent.{} has this address too, and would be rung for both; write another, or shared = true with each",
                other.name
            );
            report_call(agent, at, &text, scope);
        }
    }
}

/// Queues that send their callers to each other when they are taken away: when all are, nobody arrives
/// anywhere. A circle is told once.
pub(super) fn removed_in_circles(queues: &BTreeMap<QueueId, Queue>, scope: &mut Scope<'_, '_>) {
    let next = |id: &QueueId| match queues.get(id)?.rules.when_removed {
        Goto::Queue(queue) => Some(queue),
        Goto::Flow(_) | Goto::Next | Goto::Hangup => None,
    };
    for section in &scope.queues.sections {
        let start = QueueId::from(section.id);
        let way: Vec<QueueId> = std::iter::successors(next(&start), next).take(queues.len()).collect();
        let Some(end) = way.iter().position(|queue| *queue == start) else { continue };
        if way[..end].iter().any(|queue| queue.index() < section.id) {
            continue;
        }
        let Some(value) = section.value.get_ref().get("when_removed") else { continue };
        let words: Vec<String> = [start]
            .iter()
            .chain(&way[..=end])
            .map(|queue| format!("queue.{}", scope.queues.name(queue.index())))
            .collect();
        let text = format!("goes in a circle: {}; let one of them lead to \"next\"", words.join(" → "));
        Item { key: format!("{}.when_removed", section.path), value }.error(scope.report, text);
    }
}

/// Reports at the agent's `call`, or at the entry of it when it is a list.
fn report_call(agent: &Agent, at: usize, text: &str, scope: &mut Scope<'_, '_>) {
    let Some(section) = scope.agents.sections.iter().find(|section| section.name == agent.name) else {
        return;
    };
    let Some(value) = section.value.get_ref().get("call") else { return };
    let item = Item { key: format!("{}.call", section.path), value };
    let entries = item.list();
    entries.get(at).unwrap_or(&item).error(scope.report, text);
}

/// Warns of boosts on numbers from which no queue can be reached.
pub(super) fn vain_boosts(sections: &[NumberSection<'_>], resolved: &Resolved, scope: &mut Scope<'_, '_>) {
    for section in sections.iter().filter(|section| !section.boost.is_zero()) {
        let mut used = Used::default();
        section.flow.into_iter().for_each(|flow| used.goto(Goto::Flow(flow), resolved));
        section.hours.into_iter().for_each(|hours| used.hours(hours, resolved));
        if used.queues.is_empty() {
            let text = "has a boost and leads to no queue; take the boost out, or lead the flow to a queue";
            section.item.warning(scope.report, text);
        }
    }
}

/// Warns of numbers behind which everybody meets only closed queues: meant for a while, and then forgotten.
pub(super) fn closed_numbers(numbers: &Numbers, resolved: &Resolved, scope: &mut Scope<'_, '_>) {
    let is_closed = |id: &QueueId| resolved.queues.get(id).is_some_and(|queue| queue.rules.closed);
    let mut told: BTreeMap<QueueId, BTreeSet<String>> = BTreeMap::new();
    for number in numbers.list.iter().filter(|_| resolved.queues.keys().any(is_closed)) {
        let mut used = Used::default();
        used.goto(Goto::Flow(number.flow), resolved);
        if !used.dials && used.queues.iter().all(is_closed) {
            for queue in used.queues {
                told.entry(queue).or_default().insert(number.pattern.to_string());
            }
        }
    }
    for section in &scope.queues.sections {
        let Some(numbers) = told.get(&QueueId::from(section.id)) else { continue };
        let Some(value) = section.value.get_ref().get("closed") else { continue };
        let numbers = numbers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let text =
            format!("callers of {numbers} reach nobody else; let a dial or another queue follow in the flow");
        Item { key: format!("{}.closed", section.path), value }.warning(scope.report, text);
    }
}

/// Warns of what is written and has no effect.
pub(super) fn unused(numbers: &Numbers, resolved: &Resolved, scope: &mut Scope<'_, '_>) {
    let used = Used::by(numbers, resolved);
    let report = &mut *scope.report;
    let mut warn = |kind: &Kind<'_>, used: &dyn Fn(usize) -> bool, text: &str| {
        for section in kind.sections.iter().filter(|section| !used(section.id)) {
            report.warning(&section.span(), &section.path, text);
        }
    };
    warn(
        &scope.flows,
        &|id| used.flows.contains(&FlowId::from(id)),
        "no number and no step leads here; take it out, or name it",
    );
    warn(
        &scope.queues,
        &|id| used.queues.contains(&QueueId::from(id)),
        "no step leads here; take it out, or name it in a flow",
    );
    warn(
        &scope.hours,
        &|id| used.hours.contains(&HoursId::from(id)),
        "nobody asks for these hours; take them out, or name them",
    );
    warn(
        &scope.trunks,
        &|id| used.trunks.contains(&TrunkId::from(id)),
        "no number, dial or agent names it; take it out, or name it",
    );
    let served: BTreeSet<QueueId> = resolved
        .agents
        .values()
        .flat_map(|agent| agent.queues.iter().map(|membership| membership.queue))
        .collect();
    warn(
        &scope.queues,
        &|id| served.contains(&QueueId::from(id)),
        "no agent serves it, callers would only wait; name it in agent.NAME.queues",
    );
    if numbers.list.is_empty() {
        report.warning(
            &(0..0),
            "number",
            "no number is answered, every call will be refused with 404; add a [[number]]",
        );
    }
}

/// What can be reached from the numbers, and whom the agents are called by.
#[derive(Default)]
struct Used {
    flows: BTreeSet<FlowId>,
    queues: BTreeSet<QueueId>,
    hours: BTreeSet<HoursId>,
    trunks: BTreeSet<TrunkId>,
    /// Somebody is dialled by a step.
    dials: bool,
}

impl Used {
    fn by(numbers: &Numbers, resolved: &Resolved) -> Used {
        let mut used = Used::default();
        let agents = resolved.agents.values().flat_map(|agent| &agent.call);
        agents.for_each(|address| used.address(address));
        let helping = |trunk: &Trunk| trunk.emergency.preferred || trunk.emergency.agents_dial_out;
        used.trunks.extend(resolved.trunks.iter().filter(|(_, trunk)| helping(trunk)).map(|(id, _)| *id));
        for (_, destination) in &resolved.transfers.list {
            match destination {
                Destination::Goto(goto) => used.goto(*goto, resolved),
                Destination::Address(address) => used.address(address),
                Destination::Agent(_) => {}
            }
        }
        if let WhenGone::Goto(goto) = resolved.transfers.when_gone {
            used.goto(goto, resolved);
        }
        let phones = resolved.agents.values().filter_map(|agent| agent.phone.as_ref());
        used.trunks.extend(phones.filter_map(|phone| phone.trunk));
        for number in &numbers.list {
            used.trunks.insert(number.trunk);
            used.goto(Goto::Flow(number.flow), resolved);
            number.hours.into_iter().for_each(|hours| used.hours(hours, resolved));
        }
        used
    }

    fn address(&mut self, address: &Address) {
        if let Address::Number { trunk, .. } = address {
            self.trunks.insert(*trunk);
        }
    }

    fn hours(&mut self, id: HoursId, resolved: &Resolved) {
        if self.hours.insert(id)
            && let Some(hours) = resolved.hours.get(&id)
        {
            self.goto(hours.closed, resolved);
        }
    }

    /// Follows a way; flows are visited from a list, so that a long chain of them is no deep recursion.
    fn goto(&mut self, goto: Goto, resolved: &Resolved) {
        let mut ways = vec![goto];
        while let Some(goto) = ways.pop() {
            match goto {
                Goto::Next | Goto::Hangup => {}
                Goto::Queue(queue) => self.queue(queue, &mut ways, resolved),
                Goto::Flow(flow) => {
                    if self.flows.insert(flow)
                        && let Some(flow) = resolved.flows.get(&flow)
                    {
                        flow.steps.iter().for_each(|step| self.step(step, &mut ways, resolved));
                    }
                }
            }
        }
    }

    fn queue(&mut self, id: QueueId, ways: &mut Vec<Goto>, resolved: &Resolved) {
        let Some(queue) = resolved.queues.get(&id).filter(|_| self.queues.insert(id)) else { return };
        // A closed queue overflows; where its hours lead is of no account there.
        self.hours.extend(queue.hours);
        ways.push(queue.rules.when_removed);
        ways.extend(queue.rules.keys.iter().map(|(_, goto)| *goto));
    }

    fn step(&mut self, step: &Step, ways: &mut Vec<Goto>, resolved: &Resolved) {
        match step {
            Step::Menu { keys, otherwise, .. } => {
                ways.extend(keys.iter().map(|(_, goto)| *goto));
                ways.push(*otherwise);
            }
            Step::Queue { queue, .. } => self.queue(*queue, ways, resolved),
            Step::Dial { address, on_busy, on_no_answer, on_failure, .. } => {
                self.dials = true;
                self.address(address);
                ways.extend([on_busy, on_no_answer, on_failure].into_iter().flatten());
            }
            Step::Callback(callback) => {
                self.dials = true;
                self.address(&callback.dial);
                self.queue(callback.queue, ways, resolved);
                ways.push(callback.otherwise);
            }
            Step::Hours { hours, closed, .. } => {
                self.hours.insert(*hours);
                ways.push(*closed);
            }
            Step::Goto(goto) => ways.push(*goto),
            Step::Answer
            | Step::Language(_)
            | Step::Play { .. }
            | Step::Voicemail { .. }
            | Step::Conference { .. }
            | Step::Record { .. } => {}
            Step::Reject { .. } | Step::Hangup => {}
        }
    }
}
