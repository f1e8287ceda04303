//! What the house remembers of those who call: whom they spoke to last, and which queue they gave up in.
//!
//! By the number that the trunk asserted; who withholds it is a stranger each time. Bounded: of too many numbers those
//! are forgotten who have not called for longest. Nothing of it is written down: a start recalls it from the records of
//! the journal, so that it is kept no longer than they are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use smallvec::SmallVec;

use crate::{
    config::{AgentId, Config, QueueId},
    journal::fact::Micros,
};

/// Numbers that are remembered: some 200 bytes each.
pub const MOST_NUMBERS: usize = 200_000;

/// Queues in which one number gave up; of more the oldest is forgotten.
const MOST_QUEUES: usize = 8;

/// The memory of callers.
#[derive(Debug)]
pub struct Callers {
    known: HashMap<Arc<str>, Known>,
    /// Who has not called for longest first.
    by_turn: BTreeMap<u64, Arc<str>>,
    turn: u64,
    most: usize,
    forgotten: u64,
}

/// One caller.
#[derive(Debug, Default)]
struct Known {
    turn: u64,
    spoke: Option<(AgentId, Micros)>,
    gave_up: SmallVec<[(QueueId, Micros); 1]>,
}

/// A call that is over, as its record tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The caller's number, as asserted; never empty.
    pub from: String,
    /// Name of the queue he was in last.
    pub queue: Option<String>,
    /// Name of the agent he spoke to last.
    pub agent: Option<String>,
    /// When the call was over.
    pub ended_at: Micros,
    /// He gave up waiting.
    pub abandoned: bool,
}

impl Default for Callers {
    fn default() -> Callers {
        Callers::of_at_most(MOST_NUMBERS)
    }
}

impl Callers {
    /// Nobody is known yet; at most `most` numbers ever are.
    pub fn of_at_most(most: usize) -> Callers {
        Callers { known: HashMap::new(), by_turn: BTreeMap::new(), turn: 0, most, forgotten: 0 }
    }

    /// Takes in what records tell, oldest first. Queues and agents that `config` has not are of no account.
    pub fn recall(&mut self, records: &[Met], config: &Config) {
        let agents: HashMap<&str, AgentId> =
            config.agents().map(|(id, agent)| (agent.name.as_str(), id)).collect();
        let queues: HashMap<&str, QueueId> =
            config.queues().map(|(id, queue)| (queue.name.as_str(), id)).collect();
        for met in records {
            let queue = met.queue.as_deref().and_then(|name| queues.get(name));
            let agent = met.agent.as_deref().and_then(|name| agents.get(name));
            match (met.abandoned, queue, agent) {
                (true, Some(queue), _) => self.gave_up(&met.from, *queue, met.ended_at),
                (false, _, Some(agent)) => self.spoke_to(&met.from, *agent, met.ended_at),
                _ => {}
            }
        }
    }

    /// A talk with an agent ended at `at`.
    pub fn spoke_to(&mut self, number: &str, agent: AgentId, at: Micros) {
        if let Some(known) = self.meet(number) {
            known.spoke = Some((agent, at));
        }
    }

    /// Whoever waited in `queue` hung up at `at`.
    pub fn gave_up(&mut self, number: &str, queue: QueueId, at: Micros) {
        let Some(known) = self.meet(number) else { return };
        known.gave_up.retain(|(other, _)| *other != queue);
        if known.gave_up.len() == MOST_QUEUES {
            known.gave_up.remove(0);
        }
        known.gave_up.push((queue, at));
    }

    /// The agent he spoke to last, and when the talk ended.
    pub fn last_agent(&self, number: &str) -> Option<(AgentId, Micros)> {
        self.known.get(number)?.spoke
    }

    /// When he last gave up in `queue`.
    pub fn gave_up_at(&self, number: &str, queue: QueueId) -> Option<Micros> {
        self.known.get(number)?.gave_up.iter().find(|(other, _)| *other == queue).map(|(_, at)| *at)
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Nobody is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many were forgotten for want of room.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What is known of a caller who is here now; nothing ever of one who withholds his number.
    fn meet(&mut self, number: &str) -> Option<&mut Known> {
        if number.is_empty() || self.most == 0 {
            return None;
        }
        if !self.known.contains_key(number) && self.known.len() == self.most {
            self.forget_oldest();
        }
        let before = self.known.get(number).map_or(0, |known| known.turn);
        let name = self.by_turn.remove(&before).unwrap_or_else(|| number.into());
        self.turn += 1;
        self.by_turn.insert(self.turn, Arc::clone(&name));
        let known = self.known.entry(name).or_default();
        known.turn = self.turn;
        Some(known)
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.by_turn.pop_first() {
            self.known.remove(&oldest);
            self.forgotten += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: AgentId = AgentId(0);
    const BO: AgentId = AgentId(1);
    const SUPPORT: QueueId = QueueId(0);

    #[test]
    fn of_more_numbers_than_there_is_room_for_the_one_that_has_not_called_for_longest_is_forgotten() {
        let mut callers = Callers::of_at_most(2);
        callers.spoke_to("+491", ANNA, 1);
        callers.gave_up("+492", SUPPORT, 2);
        callers.gave_up("+491", SUPPORT, 3);
        callers.spoke_to("+493", BO, 4);
        assert_eq!((callers.len(), callers.by_turn.len(), callers.forgotten()), (2, 2, 1));
        assert_eq!(callers.gave_up_at("+492", SUPPORT), None);
        assert_eq!(
            (callers.last_agent("+491"), callers.last_agent("+493")),
            (Some((ANNA, 1)), Some((BO, 4)))
        );
    }

    #[test]
    fn a_withheld_number_is_not_remembered() {
        let mut callers = Callers::default();
        callers.spoke_to("", ANNA, 1);
        callers.gave_up("", SUPPORT, 1);
        assert_eq!((callers.last_agent(""), callers.gave_up_at("", SUPPORT)), (None, None));
        assert!(callers.is_empty());
    }

    #[test]
    fn the_last_agent_counts_and_of_each_queue_the_last_time() {
        let mut callers = Callers::default();
        callers.spoke_to("+491", ANNA, 1);
        callers.spoke_to("+491", BO, 2);
        assert_eq!(callers.last_agent("+491"), Some((BO, 2)));
        for queue in 0..20 {
            callers.gave_up("+491", QueueId(queue), 10);
            callers.gave_up("+491", QueueId(queue), 20);
        }
        assert_eq!(callers.gave_up_at("+491", QueueId(19)), Some(20));
        assert_eq!((callers.gave_up_at("+491", SUPPORT), callers.len()), (None, 1));
        assert_eq!(callers.known["+491"].gave_up.len(), MOST_QUEUES);
    }
}
