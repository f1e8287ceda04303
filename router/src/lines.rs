//! How queues stand on the scheduler's lines.
//!
//! A line is where callers wait who accept the same agents. A queue has one for each step of its widening: a caller
//! moves to the next with the key he has, and an agent serves every line whose callers accept him. Numbers of lines
//! are fixed by the ids of queues, so a reload moves nobody.

use std::time::Duration;

use scheduler::Line;

use crate::config::{Agent, Config, MAX_STEPS, Queue, QueueId};

const STEPS: u32 = MAX_STEPS as u32;

/// How many lines so many queues have.
pub fn count(queues: u32) -> u32 {
    queues * STEPS
}

/// Where callers of `queue` wait at `step` of its widening, from 0.
pub fn of_step(queue: QueueId, step: usize) -> Line {
    Line(queue.0 * STEPS + step as u32)
}

/// All lines of a queue.
pub fn of_queue(queue: QueueId) -> impl Iterator<Item = Line> {
    (0..MAX_STEPS).map(move |step| of_step(queue, step))
}

/// Whose line it is.
pub fn queue_of(line: Line) -> QueueId {
    QueueId(line.0 / STEPS)
}

/// The lines that an agent serves: those whose callers accept him.
pub fn served_by(agent: &Agent, config: &Config) -> Vec<Line> {
    let accepting = |(queue, settings): (QueueId, &Queue)| {
        let steps = (0..settings.steps.len()).filter(|step| accepts(settings, *step, queue, agent));
        steps.map(|step| of_step(queue, step)).collect::<Vec<_>>()
    };
    config.queues().flat_map(accepting).collect()
}

/// The most lines one agent of `config` serves.
pub fn most_served(config: &Config) -> usize {
    config.agents().map(|(_, agent)| served_by(agent, config).len()).max().unwrap_or(0)
}

/// Does a caller of the queue at `step` accept this agent?
fn accepts(settings: &Queue, step: usize, queue: QueueId, agent: &Agent) -> bool {
    let step = &settings.steps[step];
    let skilled = agent.membership(queue).is_some_and(|own| own.skill >= step.least_skill);
    skilled || step.agents_of.iter().any(|other| agent.membership(*other).is_some())
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
            assert!(of_queue(queue).all(|line| queue_of(line) == queue && line.0 < count(3)));
        }
    }
}
