//! How queues stand on the scheduler's lines.
//!
//! A line is where callers wait who accept the same agents. A queue has one for each step of its widening: a caller
//! moves to the next with the key he has, and an agent serves every line whose callers accept him. Behind the queues'
//! lines each agent has one of his own, for callers who wait for him alone. Numbers of lines are fixed by the ids of
//! queues and agents, so a reload moves nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use scheduler::Line;

use crate::config::{Agent, AgentId, Config, MAX_STEPS, Queue, QueueId};

const STEPS: u32 = MAX_STEPS as u32;

/// How many lines so many queues and agents have.
pub fn count(queues: u32, agents: u32) -> u32 {
    queues * STEPS + agents
}

/// Where callers wait for `agent` alone, if there are `all` lines: counted from the last.
pub fn of_agent(agent: AgentId, all: u32) -> Line {
    Line(all - 1 - agent.0)
}

/// Where callers of `queue` wait at `step` of its widening, from 0.
pub fn of_step(queue: QueueId, step: usize) -> Line {
    Line(queue.0 * STEPS + step as u32)
}

/// All lines of a queue.
pub fn of_queue(queue: QueueId) -> impl Iterator<Item = Line> {
    (0..MAX_STEPS).map(move |step| of_step(queue, step))
}

/// Whose line it is; of an agent's own line a queue that no configuration has.
pub fn queue_of(line: Line) -> QueueId {
    QueueId(line.0 / STEPS)
}

/// Of which crews an agent is who serves `lines`: those of queues whose last step of widening is among them.
pub fn crews(lines: &[Line], config: &Config) -> Vec<QueueId> {
    let of_crew = |line: &Line| {
        let queue = queue_of(*line);
        let last = config.queue(queue)?.steps.len() - 1;
        (of_step(queue, last) == *line).then_some(queue)
    };
    lines.iter().filter_map(of_crew).collect()
}

/// On which lines the members of each queue are accepted: made once for a configuration, asked for each agent, so that
/// thousands of queues with thousands of agents cost no more than what they have to do with each other.
pub struct Accepting {
    /// With the least skill that a member must have; 0 where any will do.
    by_queue: BTreeMap<QueueId, Vec<(Line, u8)>>,
    /// Queues whose callers may wait for one agent alone.
    sticky: BTreeSet<QueueId>,
}

impl Accepting {
    /// As `config` says.
    pub fn by(config: &Config) -> Accepting {
        let mut by_queue: BTreeMap<QueueId, Vec<(Line, u8)>> = BTreeMap::new();
        for (queue, settings) in config.queues() {
            for (at, step) in settings.steps.iter().enumerate() {
                let line = of_step(queue, at);
                by_queue.entry(queue).or_default().push((line, step.least_skill));
                for other in &step.agents_of {
                    by_queue.entry(*other).or_default().push((line, 0));
                }
            }
        }
        let sticky = config.queues().filter(|(_, queue)| queue.memory.sticky.is_some());
        Accepting { by_queue, sticky: sticky.map(|(id, _)| id).collect() }
    }

    /// The lines that an agent serves: those whose callers accept him. In order.
    pub fn served_by(&self, agent: &Agent) -> Vec<Line> {
        let members = agent.queues.iter().filter_map(|own| Some((own.skill, self.by_queue.get(&own.queue)?)));
        let mut lines: Vec<Line> = members
            .flat_map(|(skill, lines)| lines.iter().filter(move |(_, least)| skill >= *least))
            .map(|(line, _)| *line)
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// The same, and behind them his own line if somebody may wait there, of `all` lines.
    pub fn served_alone_too(&self, id: AgentId, agent: &Agent, all: u32) -> Vec<Line> {
        let own = agent.queues.iter().any(|own| self.sticky.contains(&own.queue));
        let mut lines = self.served_by(agent);
        lines.extend(own.then(|| of_agent(id, all)));
        lines
    }

    /// The most lines one agent of `config` serves, his own among them.
    pub fn most_served(&self, config: &Config) -> usize {
        config.agents().map(|(_, agent)| self.served_by(agent).len()).max().unwrap_or(0) + 1
    }
}

/// The step of widening that a caller is at after `waited` in the queue, and when the next begins.
pub fn step_after(settings: &Queue, waited: Duration) -> (usize, Option<Duration>) {
    let step = settings.steps.iter().rposition(|step| step.after <= waited).unwrap_or(0);
    (step, settings.steps.get(step + 1).map(|next| next.after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_knows_its_queue() {
        for queue in [QueueId(0), QueueId(2)] {
            assert!(of_queue(queue).all(|line| queue_of(line) == queue && line.0 < count(3, 0)));
        }
    }

    #[test]
    fn no_line_of_an_agent_is_a_queues() {
        let all = count(3, 5);
        let own: BTreeSet<Line> = (0..5).map(|agent| of_agent(AgentId(agent), all)).collect();
        assert_eq!(own.len(), 5);
        assert!(own.iter().all(|line| queue_of(*line).0 >= 3));
    }
}
