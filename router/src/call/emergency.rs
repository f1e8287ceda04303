//! An agent calls for help: by whichever trunk takes the call, whatever else is going on.

use std::time::Duration;

use bytes::Bytes;
use sip_core::Message;
use tracing::warn;

use super::{
    CALLER, Call, Stage, Why,
    dial::Dial,
    ring::{Purpose, Ring, Rung},
};
use crate::{
    config::{Address, AgentId, Config, Step, Template, TrunkId},
    journal::fact::What,
    log::Pii,
    shard::Switchboard,
};

/// As long as a call may ring that nobody limits (RFC 3261 §16.6, timer C): who rings there is not given up.
const RING_TIMEOUT: Duration = Duration::from_secs(180);

/// A trunk's target that says nothing for so long is dead: the next one is tried.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The emergency number that an INVITE is for, if an agent makes the call: at a telephone of his that has registered, or
/// behind a trunk by which agents dial out. What a carrier brings is none: there it is a number like any.
pub(crate) fn number_of(
    config: &Config,
    (trunk, agent): (TrunkId, Option<AgentId>),
    invite: &Message,
) -> Option<String> {
    let behind_trunk = || config.trunk(trunk).is_some_and(|trunk| trunk.emergency.agents_dial_out);
    (agent.is_some() || behind_trunk()).then_some(())?;
    let called = invite.request_uri().ok()?.user_decoded()?.into_owned();
    let called = std::str::from_utf8(&called).ok()?;
    let number = called.split_once(';').map_or(called, |(number, _)| number); // ;phone-context=+49 and the like
    config.emergency.number(number).map(str::to_owned)
}

impl Call {
    /// Tries every trunk, and none counts whether it is full.
    pub(crate) fn call_for_help(&mut self, number: String, board: &mut Switchboard) {
        let trunks = board.config.emergency_trunks(self.trunk);
        let names = trunks.iter().map(|trunk| board.trunk_name(*trunk)).collect();
        warn!(parent: &self.span, number, from = %Pii(&self.parties.caller), "emergency call");
        self.fact(What::Emergency { number: number.clone(), trunks: names }, board);
        self.is_emergency = true;
        match self.called_by() {
            Some(agent) => self.speaks_at(CALLER, agent, board),
            None => self.occupy_trunk(CALLER, Some(self.trunk), board),
        }
        let user = Template::parse(&number).unwrap_or_else(|_| unreachable!("digits are a template"));
        let addresses: Vec<Address> =
            trunks.into_iter().map(|trunk| Address::Number { user: user.clone(), trunk }).collect();
        let Some(address) = addresses.first().cloned() else { return self.end(Why::no_help(), board) };
        let (on_busy, on_no_answer, on_failure) = (None, None, None);
        let step = Step::Dial { address, ring_timeout: RING_TIMEOUT, on_busy, on_no_answer, on_failure };
        let Some(dial) = Dial::of(step) else { return };
        if let Err(why) = self.negotiate_caller(board) {
            return self.end(*why, board);
        }
        self.stage = Stage::Ringing(Ring::new(Purpose::Step(Box::new(dial))));
        self.ring(Rung::each_in_turn(addresses, RING_TIMEOUT, board.at), board);
    }

    /// What tells the far end that it is an emergency (RFC 3261 §20.26, RFC 4412).
    pub(super) fn urgency(&self, board: &Switchboard) -> Vec<(Bytes, Bytes)> {
        if !self.is_emergency {
            return Vec::new();
        }
        let own = (Bytes::from_static(b"Priority"), Bytes::from_static(b"emergency"));
        let resource = board.config.emergency.resource_priority.clone();
        let resource = resource.map(|value| (Bytes::from_static(b"Resource-Priority"), value.into()));
        [Some(own), resource].into_iter().flatten().collect()
    }
}
