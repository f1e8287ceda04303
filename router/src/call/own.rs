//! Calls that agents make from their telephones: where they may go, and that whoever speaks is not rung meanwhile.

use std::time::Duration;

use tracing::warn;

use super::{Call, Stage, Why, dial::Dial};
use crate::{
    config::{Address, AgentId, Step, Template},
    journal::fact::{TollRefusal, What},
    log::Pii,
    shard::Switchboard,
};

/// A call that an agent makes.
pub(super) struct Own {
    agent: AgentId,
    /// It counts for the toll guard until it is over.
    by_trunk: bool,
    /// The agent who is called, if it is one.
    callee: Option<AgentId>,
    /// He has answered.
    speaks: bool,
}

/// As long as a call may ring that nobody limits (RFC 3261 §16.6, timer C).
const RING_TIMEOUT: Duration = Duration::from_secs(180);

impl Own {
    pub(super) fn new(agent: AgentId) -> Own {
        Own { agent, by_trunk: false, callee: None, speaks: false }
    }
}

impl Call {
    /// The agent who calls from his telephone.
    pub fn called_by(&self) -> Option<AgentId> {
        self.own.as_ref().map(|own| own.agent)
    }

    /// Agents who speak in a call that no queue gave them.
    pub fn speaks_besides(&self) -> impl Iterator<Item = AgentId> {
        let callee = |own: &Own| own.callee.filter(|_| own.speaks);
        self.called_by().into_iter().chain(self.own.as_deref().and_then(callee))
    }

    /// An agent calls: another agent, or by his trunk whom the toll guard lets him.
    pub(super) fn begin_own(&mut self, agent: AgentId, board: &mut Switchboard) {
        board.agent_calls(agent);
        match self.destination(agent, board) {
            Ok(address) => {
                let (on_busy, on_no_answer, on_failure) = (None, None, None);
                let step =
                    Step::Dial { address, ring_timeout: RING_TIMEOUT, on_busy, on_no_answer, on_failure };
                if let Some(dial) = Dial::of(step) {
                    self.dial(dial, board);
                }
            }
            Err(why) => {
                let (name, to) = (board.agent_name(agent), self.parties.called.clone());
                warn!(parent: &self.span, agent = name, to = %Pii(&to), why = why.word(), "an agent's call was refused by the toll guard");
                self.fact(What::TollRefused { agent: name, why }, board);
                self.end(Why::forbidden(), board);
            }
        }
    }

    fn destination(&mut self, agent: AgentId, board: &mut Switchboard) -> Result<Address, TollRefusal> {
        let (config, called) = (board.config.clone(), self.parties.called.as_str());
        if let Some(callee) = config.agent_called(called).filter(|callee| *callee != agent) {
            self.own.iter_mut().for_each(|own| own.callee = Some(callee));
            return Ok(Address::Phone(callee));
        }
        let phone = config.agent(agent).and_then(|agent| agent.phone.as_ref()).ok_or(TollRefusal::NoTrunk)?;
        let trunk = phone.trunk.ok_or(TollRefusal::NoTrunk)?;
        board.toll.begin(board.now, agent, phone, called)?;
        self.own.iter_mut().for_each(|own| own.by_trunk = true);
        Ok(Address::Number { user: Template::called(), trunk })
    }

    /// Somebody has answered an agent's call; an agent is busy from now on.
    pub(super) fn own_answered(&mut self, board: &mut Switchboard) {
        let Some(own) = self.own.as_mut().filter(|own| !own.speaks) else { return };
        own.speaks = true;
        own.callee.into_iter().for_each(|callee| board.agent_calls(callee));
    }

    /// The call is over, for all who took part in it.
    pub(super) fn own_over(&mut self, board: &mut Switchboard) {
        let Some(own) = self.own.as_deref() else { return };
        debug_assert!(!matches!(self.stage, Stage::Ended(_)), "told twice");
        if own.by_trunk {
            board.toll.ended(own.agent);
        }
        let over: Vec<AgentId> = self.speaks_besides().collect();
        over.into_iter().for_each(|agent| board.agent_call_over(agent));
    }
}
