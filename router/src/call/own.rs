//! Calls that agents make from their telephones: where they may go, and that whoever speaks is not rung meanwhile.

use std::time::Duration;

use sip_core::StatusCode;
use tracing::warn;

use super::{
    CALLER, Call, Why,
    dial::Dial,
    failure::{Failure, Origin},
};
use crate::{
    config::{Address, AgentId, Step, Template, TrunkId},
    journal::fact::{LegNumber, TollRefusal, What},
    log::Pii,
    shard::Switchboard,
};

/// What a leg is to agents beside an assignment. It goes with the leg when that is given to another call, and is over
/// when the leg is.
#[derive(Debug, Default)]
pub(super) struct Besides {
    /// The agent who speaks at it in a call that no queue gave him.
    pub(super) speaks: Option<AgentId>,
    /// The agent for whose toll guard it counts.
    pays: Option<AgentId>,
    /// The agent for whose toll guard the leg will count that is being called for this one.
    pays_next: Option<AgentId>,
}

impl Besides {
    /// The leg is closed.
    pub(super) fn over(self, board: &mut Switchboard) {
        self.speaks.into_iter().for_each(|agent| board.agent_call_over(agent));
        self.pays.into_iter().chain(self.pays_next).for_each(|agent| board.toll.ended(agent));
    }
}

/// As long as a call may ring that nobody limits (RFC 3261 §16.6, timer C).
const RING_TIMEOUT: Duration = Duration::from_secs(180);

impl Call {
    /// The agent who calls from his telephone.
    pub fn called_by(&self) -> Option<AgentId> {
        self.own
    }

    /// Agents who speak in a call that no queue gave them.
    pub fn speaks_besides(&self) -> impl Iterator<Item = AgentId> {
        self.legs.iter().filter_map(|leg| leg.besides.speaks)
    }

    /// An agent calls: another agent, or by his trunk whom the toll guard lets him.
    pub(super) fn begin_own(&mut self, agent: AgentId, board: &mut Switchboard) {
        self.speaks_at(CALLER, agent, board);
        let colleague = board.config.agent_called(&self.parties.called);
        match colleague.filter(|colleague| *colleague != agent) {
            Some(colleague) => self.call_colleague(colleague, board),
            None => self.call_by_trunk(agent, board),
        }
    }

    /// At this leg an agent speaks to whom no queue gave him: he is given no caller until it is closed.
    pub(super) fn speaks_at(&mut self, leg: LegNumber, agent: AgentId, board: &mut Switchboard) {
        if let Some(leg) = self.leg_mut(leg).filter(|leg| leg.besides.speaks.is_none()) {
            leg.besides.speaks = Some(agent);
            board.agent_calls(agent);
        }
    }

    /// A colleague at work is this call's while he rings, as for a caller; one who is not may answer all the same.
    fn call_colleague(&mut self, colleague: AgentId, board: &mut Switchboard) {
        if let Err(why) = self.negotiate_caller(board) {
            return self.end(*why, board);
        }
        let at_work = board.is_at_work(colleague);
        if board.is_in_own_call(colleague) || at_work && !board.engage_agent(colleague, self.key) {
            let busy = Failure::found(StatusCode::BUSY_HERE, "the colleague has a call", Origin::Ourselves);
            return self.end(Why::failed(busy), board);
        }
        if let Some(dial) = without_limit(Address::Phone(colleague)) {
            self.dial_agent(dial, at_work.then_some(colleague), board);
        }
    }

    fn call_by_trunk(&mut self, agent: AgentId, board: &mut Switchboard) {
        let trunk = match self.passes_guard(agent, board) {
            Ok(trunk) => trunk,
            Err(why) => return self.refused_by_guard(agent, why, board),
        };
        self.caller().besides.pays_next = Some(agent);
        if let Some(dial) = without_limit(Address::Number { user: Template::called(), trunk }) {
            self.dial(dial, board);
        }
    }

    fn passes_guard(&self, agent: AgentId, board: &mut Switchboard) -> Result<TrunkId, TollRefusal> {
        let config = board.config.clone();
        let phone = config.agent(agent).and_then(|agent| agent.phone.as_ref()).ok_or(TollRefusal::NoTrunk)?;
        let trunk = phone.trunk.ok_or(TollRefusal::NoTrunk)?;
        board.toll.begin(board.now, agent, phone, &self.parties.called)?;
        Ok(trunk)
    }

    fn refused_by_guard(&mut self, agent: AgentId, why: TollRefusal, board: &mut Switchboard) {
        let (name, to) = (board.agent_name(agent), self.parties.called.clone());
        warn!(parent: &self.span, agent = name, to = %Pii(&to), why = why.word(), "an agent's call was refused by the toll guard");
        self.fact(What::TollRefused { agent: name, why }, board);
        self.end(Why::forbidden(), board);
    }

    /// Somebody has answered at this leg. Who called him pays for it from now on, and a colleague who is not at work
    /// speaks there.
    pub(super) fn answered_besides(&mut self, number: LegNumber, board: &mut Switchboard) {
        let payer = self.caller().besides.pays_next.take();
        let Some(leg) = self.leg_mut(number) else { return };
        leg.besides.pays = leg.besides.pays.or(payer);
        if let (Some(Address::Phone(colleague)), None) = (&leg.address, leg.agent) {
            let colleague = *colleague;
            self.speaks_at(number, colleague, board);
        }
    }

    /// The one who is called for `leg` counts for this agent's toll guard.
    pub(super) fn will_pay(&mut self, leg: LegNumber, payer: Option<AgentId>, board: &mut Switchboard) {
        match (self.leg_mut(leg), payer) {
            (Some(leg), Some(_)) => leg.besides.pays_next = payer,
            (_, payer) => payer.into_iter().for_each(|agent| board.toll.ended(agent)),
        }
    }

    /// Nobody is called for the caller any more: who would have paid, or does somewhere else.
    pub(super) fn no_more_to_pay(&mut self) -> Option<AgentId> {
        self.caller().besides.pays_next.take()
    }
}

fn without_limit(address: Address) -> Option<Dial> {
    let (on_busy, on_no_answer, on_failure) = (None, None, None);
    Dial::of(Step::Dial { address, ring_timeout: RING_TIMEOUT, on_busy, on_no_answer, on_failure })
}
