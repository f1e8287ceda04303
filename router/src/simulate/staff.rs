//! Who is there to answer.

use scheduler::Line;

use crate::{
    config::{Agent, Config, Login, Membership, QueueId, RingOrder, Srtp},
    journal::fact::Micros,
    lines::Accepting,
};

/// One agent's working time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Who it is.
    pub agent: Agent,
    /// The lines he serves.
    pub(super) lines: Vec<Line>,
    /// When he comes, as UTC.
    pub from: Micros,
    /// When he goes; a call he is in then is talked to its end.
    pub to: Micros,
}

/// So many agents for one queue, in place of those the configuration gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headcount {
    /// The queue.
    pub queue: QueueId,
    /// How many, who serve nothing else, with a skill of 10.
    pub agents: u32,
}

/// Everybody of `config`, at work from `from` to `to`, whatever their `login`. Queues with a headcount are served by
/// that many and by nobody else but whom widening lends.
pub fn staff(config: &Config, heads: &[Headcount], from: Micros, to: Micros) -> Vec<Worker> {
    let accepting = Accepting::by(config);
    let is_counted = |queue: QueueId| heads.iter().any(|head| head.queue == queue);
    let written = config.agents().filter_map(|(_, agent)| {
        let mut agent = agent.clone();
        agent.queues.retain(|membership| !is_counted(membership.queue));
        (!agent.queues.is_empty()).then(|| Worker::new(agent, &accepting, from, to))
    });
    let counted = heads.iter().flat_map(|head| {
        std::iter::repeat_n(Worker::of_queue(head.queue, &accepting, from, to), head.agents as usize)
    });
    written.chain(counted).collect()
}

impl Worker {
    fn new(agent: Agent, accepting: &Accepting, from: Micros, to: Micros) -> Worker {
        Worker { lines: accepting.served_by(&agent), agent, from, to }
    }

    /// Somebody who serves `queue` and nothing else.
    pub(super) fn of_queue(queue: QueueId, accepting: &Accepting, from: Micros, to: Micros) -> Worker {
        let agent = Agent {
            name: String::new(),
            call: Vec::new(),
            ring: RingOrder::All,
            queues: vec![Membership { queue, skill: 10, weight: 1 }],
            rank: u32::MAX,
            login: Login::Auto,
            phone: None,
            shared: false,
            transfers: false,
            entra_id: None,
            recording: None,
            srtp: Srtp::default(),
        };
        Worker::new(agent, accepting, from, to)
    }

    pub(super) fn serves(&self, queue: QueueId) -> bool {
        self.agent.membership(queue).is_some()
    }
}
