//! A call that goes round, and one that comes back to us as the forwarding of an agent.

use super::Shard;
use crate::{
    call::{Call, Parties, Why},
    config::{Address, AgentId, Reading},
    journal::fact::{AgentState, CallId},
};

impl Shard {
    /// Why a call that has just come is none of its own, if it is one of ours in another guise.
    pub(super) fn comes_back(&self, call: &Call) -> Option<Why> {
        if call.parties().is_loop {
            return Some(Why::looped());
        }
        let (agent, rung) = self.forwarder(call.parties())?;
        Some(Why::returned(&self.board.agent_name(agent), rung))
    }

    /// The agent who rings for this very caller and whose telephone has sent the call on to us. Refused it comes to
    /// nothing, and the caller keeps the place that he has; taken he would wait twice, and for himself.
    fn forwarder(&self, parties: &Parties) -> Option<(AgentId, CallId)> {
        let number = Some(parties.diverted_from.as_str()).filter(|number| !number.is_empty())?;
        let ringing = self.board.agents.iter().filter(|(_, desk)| desk.state == AgentState::Ringing);
        let mut called = ringing.filter(|(agent, _)| self.is_called_at(*agent, number));
        called.find_map(|(agent, desk)| {
            let rung = self.calls.get(desk.call?)?;
            (rung.parties().caller == parties.caller).then(|| (agent, rung.id()))
        })
    }

    /// The agent has this number, however the trunk by which he is called writes it.
    fn is_called_at(&self, agent: AgentId, number: &str) -> bool {
        let Some(settings) = self.board.config.agent(agent) else { return false };
        settings.call.iter().any(|address| {
            let Address::Number { user, trunk } = address else { return false };
            let (Some(user), Some(trunk)) = (user.fixed(), self.board.config.trunk(*trunk)) else {
                return false;
            };
            let e164 = trunk.numbers.dialling.e164(user, Reading::National);
            e164.as_deref().unwrap_or(user) == number
        })
    }
}
