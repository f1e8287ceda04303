//! Who is being rung: one person, or several at once for one caller. Each rings at addresses of his own, all at once
//! or in turn, and for a time of his own; the first to answer wins.

use std::time::{Duration, Instant};

use super::{assign::Place, callback::Reserved, dial::Dial, failure::Failure, transfer::Transfer, way::Way};
use crate::{
    config::{Address, AgentId, RingOrder},
    journal::fact::{LegNumber, Micros},
    shard::Switchboard,
};

/// Somebody is being rung.
pub(super) struct Ring {
    pub(super) purpose: Purpose,
    /// Whom we ring: whom the step or the transfer says, or as many agents as `ring_at_once` at most. Nobody only while the call
    /// decides what comes next.
    pub(super) rung: Vec<Rung>,
    /// Fewer ring than might, for want of idle agents.
    pub(super) is_short: bool,
    pub(super) plays_ringback: bool,
    /// The leg that the caller hears before its answer.
    pub(super) heard: Option<LegNumber>,
}

/// Why we ring.
pub(super) enum Purpose {
    /// Agents for a caller who waits.
    Assignment(Place),
    /// The customer who is called back, for an agent who has answered.
    Customer(Reserved),
    /// A `dial` step.
    Step(Box<Dial>),
    /// Whom a party of a talk wants to have the other one connected with.
    Transfer(Box<Transfer>),
}

/// One who is rung: all addresses at once or in turn.
pub(super) struct Rung {
    /// `None`: whom a `dial` step calls.
    pub(super) agent: Option<AgentId>,
    pub(super) since: Micros,
    /// When the addresses that ring now have rung long enough.
    pub(super) until: Option<Instant>,
    /// For each address in turn its share of the whole time.
    pub(super) timeout: Duration,
    pub(super) worst: Option<Failure>,
    /// The one way there is to whom a trunk alone knows, until it is tried.
    back: Option<Way>,
    /// Addresses not tried yet, the next one last.
    untried: Vec<Address>,
    order: RingOrder,
}

impl Ring {
    /// Nobody is rung yet.
    pub(super) fn new(purpose: Purpose) -> Ring {
        Ring { purpose, rung: Vec::new(), is_short: false, plays_ringback: false, heard: None }
    }

    /// The caller's place, if this is an assignment.
    pub(super) fn place(&self) -> Option<&Place> {
        match &self.purpose {
            Purpose::Assignment(place) | Purpose::Customer(Reserved { place, .. }) => Some(place),
            Purpose::Step(_) | Purpose::Transfer(_) => None,
        }
    }

    /// The agent who has answered and for whom the customer is called.
    pub(super) fn reserved(&self) -> Option<Reserved> {
        match self.purpose {
            Purpose::Customer(reserved) => Some(reserved),
            Purpose::Assignment(_) | Purpose::Step(_) | Purpose::Transfer(_) => None,
        }
    }

    /// The agents who are rung, or the one for whom the customer is called.
    pub(super) fn agents(&self) -> impl Iterator<Item = AgentId> {
        self.rung.iter().filter_map(|rung| rung.agent).chain(self.reserved().map(|reserved| reserved.agent))
    }

    /// When somebody has rung long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rung.iter().filter_map(|rung| rung.until).min()
    }

    /// He has picked up and has until then to take the call; while others of his addresses ring, as long as they may.
    pub(super) fn rings_until(&mut self, agent: Option<AgentId>, until: Instant, is_alone: bool) {
        if let Some(rung) = self.rung.iter_mut().find(|rung| rung.agent == agent) {
            rung.until = rung.until.filter(|_| !is_alone).max(Some(until));
        }
    }

    /// A leg of `agent` came to nothing.
    pub(super) fn note(&mut self, agent: Option<AgentId>, failure: Failure) {
        if let Some(rung) = self.rung.iter_mut().find(|rung| rung.agent == agent) {
            rung.note(failure);
        }
    }

    /// Takes out one who has rung long enough.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Rung> {
        let due = self.rung.iter().position(|rung| rung.until.is_some_and(|until| until <= now))?;
        Some(self.rung.remove(due))
    }

    /// Takes out the one who is rung at the legs of `agent`.
    pub(super) fn take(&mut self, agent: Option<AgentId>) -> Option<Rung> {
        let at = self.rung.iter().position(|rung| rung.agent == agent)?;
        Some(self.rung.remove(at))
    }
}

impl Rung {
    /// An agent, for a caller at `place`.
    pub(super) fn agent(agent: AgentId, place: &Place, board: &Switchboard) -> Rung {
        let settings = board.config.agent(agent);
        let addresses = settings.map(|agent| agent.call.clone()).unwrap_or_default();
        let order = settings.map_or(RingOrder::All, |agent| agent.ring);
        let timeout =
            board.config.queue(place.queue).map_or(Duration::from_secs(20), |queue| queue.ring_timeout);
        Rung::new(Some(agent), addresses, order, timeout, board.at)
    }

    /// An agent to whom somebody is transferred.
    pub(super) fn transferred_to(agent: AgentId, timeout: Duration, board: &Switchboard) -> Rung {
        let settings = board.config.agent(agent);
        let addresses = settings.map(|agent| agent.call.clone()).unwrap_or_default();
        let order = settings.map_or(RingOrder::All, |agent| agent.ring);
        Rung::new(Some(agent), addresses, order, timeout, board.at)
    }

    /// Whom a trunk alone knows how to reach; who it is may be known.
    pub(super) fn back(way: Way, agent: Option<AgentId>, timeout: Duration, at: Micros) -> Rung {
        Rung { back: Some(way), ..Rung::new(agent, Vec::new(), RingOrder::All, timeout, at) }
    }

    /// Whom a `dial` step calls; `agent` if he is this call's already.
    pub(super) fn party(address: Address, agent: Option<AgentId>, timeout: Duration, at: Micros) -> Rung {
        Rung::new(agent, vec![address], RingOrder::All, timeout, at)
    }

    /// Whoever takes the call first, asked one after the other, each for so long.
    pub(super) fn each_in_turn(addresses: Vec<Address>, each: Duration, at: Micros) -> Rung {
        let asked = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        Rung::new(None, addresses, RingOrder::InTurn, each.saturating_mul(asked), at)
    }

    fn new(
        agent: Option<AgentId>,
        mut untried: Vec<Address>,
        order: RingOrder,
        timeout: Duration,
        since: Micros,
    ) -> Rung {
        untried.reverse();
        let shares = if order == RingOrder::InTurn { untried.len().max(1) } else { 1 };
        let timeout = timeout / u32::try_from(shares).unwrap_or(u32::MAX);
        Rung { agent, since, until: None, timeout, worst: None, back: None, untried, order }
    }

    /// The addresses to ring now; none when all are tried.
    pub(super) fn next_addresses(&mut self) -> Vec<Address> {
        match self.order {
            RingOrder::All => std::mem::take(&mut self.untried).into_iter().rev().collect(),
            RingOrder::InTurn => self.untried.pop().into_iter().collect(),
        }
    }

    /// The way that is tried once and no other beside it.
    pub(super) fn take_back(&mut self) -> Option<Way> {
        self.back.take()
    }

    /// Of several legs that failed the one that says most about the person counts.
    pub(super) fn note(&mut self, failure: Failure) {
        if self.worst.as_ref().is_none_or(|worst| worst.weight() <= failure.weight()) {
            self.worst = Some(failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use sip_core::StatusCode;

    use super::{super::failure::Origin, *};

    #[test]
    fn of_two_failed_addresses_the_busy_one_decides() {
        let mut rung = Rung::new(None, Vec::new(), RingOrder::All, Duration::from_secs(1), 0);
        rung.note(Failure::found(StatusCode::BUSY_HERE, "busy", Origin::Remote));
        rung.note(Failure::found(StatusCode::REQUEST_TIMEOUT, "dead", Origin::Network));
        rung.note(Failure::no_way("no port"));
        assert!(rung.worst.unwrap().is_busy());
    }
}
