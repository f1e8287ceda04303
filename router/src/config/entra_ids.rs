//! `entra_id` of agents: nobody's presence is another's, and somebody asks for it.

use std::collections::BTreeMap;

use crate::presence::ObjectId;

use super::agent::Agent;
use super::names::AgentId;
use super::presence::Graph;
use super::raw::{Field, Item};
use super::scope::Scope;
use super::units::written;

/// Refuses ids that two agents have: one of them would be given calls by the presence of the other.
pub(super) fn unlike(agents: &BTreeMap<AgentId, Agent>, scope: &mut Scope<'_, '_>) {
    let mut owners: BTreeMap<ObjectId, String> = BTreeMap::new();
    for (agent, item) in written_ids(agents, scope) {
        let Some(id) = agent.entra_id else { continue };
        match owners.get(&id) {
            Some(other) => item.error(
                scope.report,
                format!("agent.{other} has this id too; write each person's own, as Entra shows it"),
            ),
            None => _ = owners.insert(id, agent.name.clone()),
        }
    }
}

/// Warns of ids that nobody asks for, of a section that asks for nobody, and of one that asks for too many; so many that
/// each answer would be stale before the next are refused.
pub(super) fn asked_for(
    agents: &BTreeMap<AgentId, Agent>,
    presence: &Field<'_>,
    graph: Option<&Graph>,
    scope: &mut Scope<'_, '_>,
) {
    let known = written_ids(agents, scope);
    let Some(graph) = graph else {
        if let Some((_, item)) = known.first() {
            item.warning(scope.report, "nobody asks for it; add [presence.graph], or take it out");
        }
        return;
    };
    let Some(section) = &presence.item else { return };
    let key = "presence.graph";
    if known.is_empty() {
        let text =
            "no agent has an entra_id, so nobody is asked for; give them theirs, or take the section out";
        scope.report.warning(&section.value.span(), key, text);
    }
    let real = graph.real_every(known.len());
    if real <= graph.every {
        return;
    }
    let (agents, requests, budget) = (known.len(), Graph::requests(known.len()), graph.budget);
    let round = format!(
        "{agents} agents take {requests} requests, with a budget of {budget} in 30s that is every {}",
        written(real)
    );
    if real < graph.fresh {
        let text = format!("{round}; raise presence.graph.budget or presence.graph.every");
        return scope.report.warning(&section.value.span(), key, text);
    }
    // Known for a while and unknown for a while, again and again: nobody wants that.
    let graph_table = section.value.get_ref().get("graph").unwrap_or(section.value);
    let place = graph_table.get_ref().get("fresh").unwrap_or(graph_table);
    let fresh = written(graph.fresh);
    let text = format!(
        "\"{fresh}\" is over before the next answer comes: {round}; write a longer time, or raise presence.graph.budget"
    );
    scope.report.error(&place.span(), "presence.graph.fresh", text);
}

/// Agents with an id, in the order of the file, and where each id is written.
fn written_ids<'a, 'i>(
    agents: &'a BTreeMap<AgentId, Agent>,
    scope: &Scope<'_, 'i>,
) -> Vec<(&'a Agent, Item<'i>)> {
    let sections = scope.agents.sections.iter();
    let written = sections.filter_map(|section| {
        let agent = agents.get(&AgentId::from(section.id))?;
        let value = section.value.get_ref().get("entra_id").filter(|_| agent.entra_id.is_some())?;
        Some((agent, Item { key: format!("{}.entra_id", section.path), value }))
    });
    written.collect()
}
