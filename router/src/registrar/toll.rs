//! The toll guard: what a stolen password of a telephone can cost is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::config::{AgentId, Phone};
use crate::journal::fact::TollRefusal;

/// Calls of agents by trunks: those of the last hour, and those that are under way.
#[derive(Debug, Default)]
pub struct Toll {
    by_agent: BTreeMap<AgentId, Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    begun: VecDeque<Instant>,
    under_way: usize,
}

/// The hour of `calls_per_hour`.
const HOUR: Duration = Duration::from_secs(3_600);

impl Toll {
    /// A call of `agent` to `number` by his trunk begins; [`ended`](Self::ended) must follow.
    ///
    /// # Errors
    /// Why it may not. It is not counted then.
    pub fn begin(
        &mut self,
        now: Instant,
        agent: AgentId,
        phone: &Phone,
        number: &str,
    ) -> Result<(), TollRefusal> {
        if !phone.reach.allows(number) {
            return Err(TollRefusal::Destination);
        }
        let calls = self.by_agent.entry(agent).or_default();
        while calls.begun.front().is_some_and(|begun| now.saturating_duration_since(*begun) >= HOUR) {
            calls.begun.pop_front();
        }
        if calls.under_way >= phone.calls_at_once {
            return Err(TollRefusal::AtOnce);
        }
        if calls.begun.len() >= phone.calls_per_hour {
            return Err(TollRefusal::PerHour);
        }
        calls.begun.push_back(now);
        calls.under_way += 1;
        Ok(())
    }

    /// Calls that have begun and are not over.
    pub fn under_way(&self) -> usize {
        self.by_agent.values().map(|calls| calls.under_way).sum()
    }

    /// A call that had begun is over.
    pub fn ended(&mut self, agent: AgentId) {
        if let Some(calls) = self.by_agent.get_mut(&agent) {
            calls.under_way = calls.under_way.saturating_sub(1);
        }
    }
}
