//! Whom the target of a transfer means. What is not written in the configuration is not called: a transfer is a call at
//! our cost.

use std::sync::Arc;

use sip_core::{StatusCode, message::ReferTo};

use super::{Call, Parties, arrive::text, way::Way};
use crate::{
    config::{Address, AgentId, Destination, FlowId, Goto, HoursId, TrunkId, Whose},
    journal::fact::LegNumber,
    shard::Switchboard,
};

/// Whom the target of a transfer means. An agent is engaged already.
pub(super) enum Target {
    /// A queue or a flow.
    Goto(Goto),
    /// What a call to that number would meet.
    Number { number: String, flow: FlowId, hours: Option<HoursId>, pattern: String },
    /// An agent, who is this call's from now on.
    Agent(AgentId),
    /// Somebody else.
    Address(Address),
    /// Back to the trunk it came from, as it came; the agent whom it means there, if he is known, is engaged already.
    Back(Box<Way>, Option<AgentId>),
}

impl Target {
    pub(super) fn in_words(&self, board: &Switchboard) -> String {
        match self {
            Target::Goto(to) => board.config.goto_in_words(*to),
            Target::Number { pattern, .. } => format!("number {pattern}"),
            Target::Agent(agent) => format!("agent.{}", board.agent_name(*agent)),
            Target::Address(address) => board.config.written(address),
            Target::Back(way, None) => format!("back to trunk.{}", way.name),
            Target::Back(way, Some(agent)) => {
                format!("agent.{} by trunk.{}", board.agent_name(*agent), way.name)
            }
        }
    }
}

impl Call {
    /// Whom `by` means, or why that is not to be had: 404 if nobody is meant, 486 if the agent has another call, 480 if
    /// he is not at work or the queue takes nobody, 403 if an agent was to be put into a queue like a caller.
    pub(super) fn target_of(
        &self,
        by: LegNumber,
        to: &ReferTo,
        board: &mut Switchboard,
    ) -> Result<Target, StatusCode> {
        if to.is_of_another_method() {
            return Err(StatusCode::FORBIDDEN);
        }
        if let Some(way) = self.way_back(by, to, board) {
            let agent = to.uri.param("x-m").and_then(|person| board.config.agent_in_teams(person));
            let agent = agent.filter(|agent| board.engage_agent(*agent, self.key));
            return Ok(Target::Back(Box::new(way), agent));
        }
        let user = to.uri.user_decoded().map(|user| text(&user)).unwrap_or_default();
        let number = self.number_meant(by, &user, board);
        let rules = &self.config.transfers;
        match rules.find(&user).or_else(|| rules.find(&number)).cloned() {
            Some(Destination::Goto(goto)) => self.goto_target(by, goto, board),
            Some(Destination::Agent(agent)) => self.agent_target(agent, board),
            Some(Destination::Address(address)) => {
                let parties = Parties { called: number, ..self.parties_for(by, board) };
                Ok(Target::Address(address.filled(|template| parties.fill(template))))
            }
            None => match board.config.agent_at(&user).or_else(|| board.config.agent_at(&number)) {
                Some(agent) => self.agent_target(agent, board),
                None => self.number_target(by, &number),
            },
        }
    }

    /// The transferred party as the caller of the new leg.
    fn parties_for(&self, by: LegNumber, board: &Switchboard) -> Parties {
        match self.other_party(by).filter(|other| *other != self.seat) {
            Some(other) => Parties { caller: self.number_of(other, board), ..Parties::default() },
            None => self.parties.clone(),
        }
    }

    /// The target as we write numbers, which whoever transfers writes as his trunk does.
    fn number_meant(&self, by: LegNumber, user: &str, board: &Switchboard) -> String {
        let trunk = self.trunk_of(by).and_then(|trunk| board.config.trunk(trunk));
        trunk.map_or(user.into(), |trunk| trunk.numbers.taken(Whose::Called, user)).into_owned()
    }

    /// The number of somebody we have called.
    pub(super) fn number_of(&self, leg: LegNumber, board: &Switchboard) -> String {
        let user = self.leg(leg).map(|leg| leg.party()).unwrap_or_default();
        self.number_meant(leg, &user, board)
    }

    fn goto_target(&self, by: LegNumber, to: Goto, board: &mut Switchboard) -> Result<Target, StatusCode> {
        let other = self.other_party(by).and_then(|other| self.leg(other));
        if other.is_some_and(|leg| leg.agent.is_some()) {
            return Err(StatusCode::FORBIDDEN);
        }
        if let Goto::Queue(queue) = to {
            let settings = board.config.queue(queue).cloned().ok_or(StatusCode::NOT_FOUND)?;
            if self.refused_at_the_door(queue, &settings, board).is_some() {
                return Err(StatusCode::TEMPORARILY_UNAVAILABLE);
            }
        }
        Ok(Target::Goto(to))
    }

    fn agent_target(&self, agent: AgentId, board: &mut Switchboard) -> Result<Target, StatusCode> {
        if !board.is_at_work(agent) {
            return Err(StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        match board.engage_agent(agent, self.key) {
            true => Ok(Target::Agent(agent)),
            false => Err(StatusCode::BUSY_HERE),
        }
    }

    /// As a call to it by the trunk of whoever transfers, or by that of whom he transfers.
    fn number_target(&self, by: LegNumber, user: &str) -> Result<Target, StatusCode> {
        let other = self.other_party(by);
        let trunks = [Some(by), other].into_iter().flatten().filter_map(|leg| self.trunk_of(leg));
        let number = trunks.filter_map(|trunk| self.config.route(trunk, user)).next();
        let number = number.filter(|_| !user.is_empty()).ok_or(StatusCode::NOT_FOUND)?;
        if other.and_then(|other| self.leg(other)).is_some_and(|leg| leg.agent.is_some()) {
            return Err(StatusCode::FORBIDDEN);
        }
        let (flow, hours, pattern) = (number.flow, number.hours, number.pattern.to_string());
        Ok(Target::Number { number: user.to_owned(), flow, hours, pattern })
    }

    pub(super) fn trunk_of(&self, leg: LegNumber) -> Option<TrunkId> {
        let own = self.leg(leg)?.trunk;
        own.or((leg == self.seat).then_some(self.trunk))
    }

    /// The way back by the trunk of whoever transfers, if the target is at one of its own addresses or has one of
    /// its own names, and the trunk wants it so: byte for byte, to one address and no other.
    fn way_back(&self, by: LegNumber, to: &ReferTo, board: &mut Switchboard) -> Option<Way> {
        let (trunk, config) = (self.trunk_of(by)?, Arc::clone(&board.config));
        let settings = config.trunk(trunk).filter(|trunk| trunk.transfer.returns)?;
        let host = String::from_utf8_lossy(to.uri.host()).to_ascii_lowercase();
        let is_there = |target: &&sip_core::Target| {
            let port = target.port_for(target.transport.unwrap_or(sip_core::Transport::Udp));
            target.host.to_string().eq_ignore_ascii_case(&host) && to.uri.port().is_none_or(|own| own == port)
        };
        let by_name = settings.transfer.own_hosts.contains(&host);
        let known = settings.send_to.iter().map(|target| &target.to).find(is_there).cloned();
        let target = match known {
            None if by_name => board.way_by(trunk, settings).into_iter().next()?,
            known => known?,
        };
        Some(Way::back(trunk, settings, text(&to.request_uri()), target))
    }
}
