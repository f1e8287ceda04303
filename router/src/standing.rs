//! An agent's standing among the idle: what every strategy's order is made of.
//!
//! The scheduler takes the idle agent with the smallest key of a line. A strategy is a way to make that key: what it
//! asks for first, and among equals who became idle first.

use std::collections::BTreeMap;

use crate::{
    config::{Membership, QueueId, Strategy},
    journal::fact::Micros,
};

/// What is known of one agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when he is idle, no two alike.
    pub idle_since: Micros,
    /// Counts idlenesses of all agents: who became idle first has the smaller. Wraps after four thousand million.
    pub turn: u32,
    /// Calls answered since the process started.
    pub answered: u64,
    /// His last turn of each queue: 0 if he never had a call of it.
    last_of: BTreeMap<QueueId, u32>,
    /// Where he stands in each queue that chooses by chance.
    drawn: BTreeMap<QueueId, u64>,
}

/// For each queue that chooses by chance how far it has come: the place of the agent chosen last.
///
/// Agents draw exponential times, the heavier the shorter, and the earliest is chosen; so each is as likely as his
/// weight says. Who draws later draws from where the queue is: exponential times have no memory, so those who stayed
/// have the same chances as those who come.
#[derive(Debug, Clone, Default)]
pub struct Chances(BTreeMap<QueueId, u64>);

const TURN_BITS: u32 = 32;
/// Of the scheduler's 59 bits.
const FIRST_BITS: u32 = 27;

impl Standing {
    /// Of one who has just begun.
    pub fn since(at: Micros) -> Standing {
        Standing { idle_since: at, ..Standing::default() }
    }

    /// The key of an agent in `queue`; smaller is sooner. `membership` is absent where his own queue lends him.
    pub fn key(&self, strategy: Strategy, queue: QueueId, membership: Option<&Membership>, rank: u32) -> u64 {
        match strategy {
            Strategy::LongestIdle | Strategy::RingAll => u64::try_from(self.idle_since).unwrap_or(0),
            Strategy::FewestCalls => self.first_by(self.answered),
            Strategy::BestSkill => self.first_by(10 - membership.map_or(0, |own| u64::from(own.skill))),
            Strategy::RoundRobin => u64::from(self.last_of.get(&queue).copied().unwrap_or(0)),
            Strategy::Ordered => self.first_by(rank.into()),
            Strategy::RandomWeighted => self.drawn.get(&queue).copied().unwrap_or(0),
        }
    }

    fn first_by(&self, first: u64) -> u64 {
        first.min((1 << FIRST_BITS) - 1) << TURN_BITS | u64::from(self.turn)
    }

    /// He has been given a caller of `queue`.
    pub fn takes_turn(&mut self, queue: QueueId, turn: u32, chances: &mut Chances) {
        self.last_of.insert(queue, turn);
        if let Some(drawn) = self.drawn.remove(&queue) {
            let reached = chances.0.entry(queue).or_default();
            *reached = drawn.max(*reached);
        }
    }

    /// He becomes idle and draws for `queue`; `chance` is evenly spread over 0 to 1, 1 excluded.
    pub fn draws(&mut self, queue: QueueId, weight: u16, chance: f64, chances: &Chances) {
        let time = -(1.0 - chance).ln() / f64::from(weight.max(1));
        let reached = chances.0.get(&queue).copied().unwrap_or(0);
        self.drawn.insert(queue, reached + (time * (1_u64 << 32) as f64) as u64);
    }
}

/// In place of a strategy's name: the caller waited for this agent alone.
pub const STICKY: &str = "sticky";

/// What a key made by [`Standing::key`] says, for people; `at` writes an instant.
pub fn in_words(strategy: &str, key: u64, at: impl Fn(Micros) -> String) -> String {
    let first = key >> TURN_BITS;
    match strategy {
        "fewest-calls" if first == 1 => "1 call".to_owned(),
        "fewest-calls" => format!("{first} calls"),
        "best-skill" if first == 10 => "lent by another queue".to_owned(),
        "best-skill" => format!("skill {}", 10 - first.min(10)),
        "round-robin" if key == 0 => "no call of this queue yet".to_owned(),
        "round-robin" => format!("turn {key}"),
        "ordered" => format!("agent {} of the file", first + 1),
        "random-weighted" => format!("drawn at {key}"),
        _ => format!("idle since {}", at(Micros::try_from(key).unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: QueueId = QueueId(0);

    fn skilled(skill: u8) -> Membership {
        Membership { queue: QUEUE, skill, weight: 1 }
    }

    fn standing(turn: u32) -> Standing {
        Standing { idle_since: Micros::from(turn) + 1_700_000_000_000_000, turn, ..Standing::default() }
    }

    #[test]
    fn each_strategy_puts_first_whom_it_names_and_among_equals_the_longest_idle() {
        let (mut first, mut second) = (standing(1), standing(2));
        let key =
            |who: &Standing, strategy, skill, rank| who.key(strategy, QUEUE, Some(&skilled(skill)), rank);
        for strategy in [Strategy::LongestIdle, Strategy::RingAll, Strategy::FewestCalls, Strategy::BestSkill]
        {
            assert!(key(&first, strategy, 5, 0) < key(&second, strategy, 5, 0), "{strategy:?}");
        }
        assert!(key(&second, Strategy::BestSkill, 9, 0) < key(&first, Strategy::BestSkill, 8, 0));
        assert!(key(&second, Strategy::Ordered, 5, 0) < key(&first, Strategy::Ordered, 5, 1));
        first.answered = 1;
        assert!(key(&second, Strategy::FewestCalls, 5, 0) < key(&first, Strategy::FewestCalls, 5, 0));
        first.takes_turn(QUEUE, 7, &mut Chances::default());
        second.takes_turn(QUEUE, 3, &mut Chances::default());
        assert!(key(&second, Strategy::RoundRobin, 5, 0) < key(&first, Strategy::RoundRobin, 5, 0));
    }

    #[test]
    fn an_agent_of_another_queue_comes_after_the_queues_own() {
        let (lent, own) = (standing(1), standing(2));
        assert!(
            own.key(Strategy::BestSkill, QUEUE, Some(&skilled(1)), 0)
                < lent.key(Strategy::BestSkill, QUEUE, None, 0)
        );
    }

    /// 100,000 choices among three of whom the chosen one is away for a while: 1 to 2 to 5.
    #[test]
    fn chance_chooses_as_often_as_weights_say() {
        let weights = [1_u16, 2, 5];
        let (mut chances, mut random) = (Chances::default(), 4_711_u64);
        let mut chance = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut agents = [0, 1, 2].map(standing);
        let mut chosen = [0_u32; 3];
        for (agent, weight) in agents.iter_mut().zip(weights) {
            agent.draws(QUEUE, weight, chance(), &chances);
        }
        for turn in 0..100_000 {
            let key = |at: &usize| agents[*at].key(Strategy::RandomWeighted, QUEUE, None, 0);
            let at = (0..3).min_by_key(key).unwrap();
            chosen[at] += 1;
            agents[at].takes_turn(QUEUE, turn, &mut chances);
            agents[at].draws(QUEUE, weights[at], chance(), &chances);
        }
        for (chosen, weight) in chosen.iter().zip(weights) {
            let share = f64::from(*chosen) / 100_000.0;
            let expected = f64::from(weight) / 8.0;
            assert!((share - expected).abs() < 0.01, "{share} instead of {expected}");
        }
    }
}
