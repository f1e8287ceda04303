//! Calls that become one: an attended transfer (RFC 5589 §7), in which whoever transfers has called the new party
//! himself, and an INVITE that takes the place of a party (Replaces, RFC 3891).

use bytes::Bytes;
use media::sdp::{Negotiation, Policy};
use sip_core::{Flow, LegKey, Message, Named, Reply, StatusCode, message::Replaces};
use tracing::{info, warn};

use super::{
    ALL_LEGS, Call, Stage, Waits, Why,
    arrive::{sdp, text},
    leg::{Leg, NoSound},
    parties::Parties,
    ring::{Purpose, Ring},
    talk::refusal,
    target::Target,
};
use crate::{
    config::{Address, AgentId, Goto, QueueId, TrunkId},
    journal::fact::{CallId, LegNumber, TransferStep, Unanswered, What},
    keys::CallKey,
    shard::Switchboard,
};

/// An attended transfer that was asked for and taken: the shard brings the two calls together in the same turn.
pub struct Joining {
    /// The call in which it was asked for. It goes on.
    pub call: CallKey,
    /// Who asked.
    by: LegNumber,
    sip: LegKey,
    /// The call in which he speaks with the new party. It ends.
    pub other: CallKey,
    /// He himself in that call.
    pub leg: LegNumber,
}

/// What a call gives up for another.
pub enum Given {
    /// A party that was talked to.
    Party(Box<Party>),
    /// Nobody yet: the caller waits in this queue, or an agent of it rings for him.
    Queue(QueueId),
    /// Nobody yet: this agent rings, and is the other call's from now on.
    Agent(AgentId),
    /// Nobody yet: this address rings, and counts for the toll guard of this agent.
    Address(Address, Option<AgentId>),
}

/// A party, its dialog and its sound.
pub struct Party {
    leg: Leg,
    agent: Option<AgentId>,
    call: CallId,
    sip_call_id: String,
    trunk: String,
    number: String,
}

/// Giving.
impl Call {
    /// Whoever sits at `leg` has transferred somebody else to the other party of this call, which ends with that. `None`:
    /// there is no such party, and nothing has changed.
    pub fn gives_up(&mut self, leg: LegNumber, to: CallId, board: &mut Switchboard) -> Option<Given> {
        if self.is_emergency {
            return None; // whoever has got help keeps it
        }
        let given = match &mut self.stage {
            Stage::Talking(_) => Given::Party(Box::new(self.party_besides(leg, board)?)),
            _ if leg != self.seat => return None,
            Stage::Waiting(place) => Given::Queue(place.queue),
            Stage::Ringing(Ring { purpose: Purpose::Assignment(place), .. }) => Given::Queue(place.queue),
            Stage::Ringing(Ring { purpose: Purpose::Step(dial), rung, .. }) => {
                match rung.pop().and_then(|rung| rung.agent) {
                    Some(agent) => Given::Agent(agent),
                    None => {
                        let address = dial.address().filled(|template| self.parties.fill(template));
                        Given::Address(address, self.no_more_to_pay())
                    }
                }
            }
            _ => return None,
        };
        self.fact(What::Transfer(TransferStep::Gave { call: to }), board);
        self.end(Why::transferred(), board);
        Some(given)
    }

    fn party_besides(&mut self, leg: LegNumber, board: &mut Switchboard) -> Option<Party> {
        let Stage::Talking(talk) = self.stage else { return None };
        let other = self.other_party(leg)?;
        self.stop_recording("its party goes on in another call", board);
        let number =
            if other == super::CALLER { self.parties.caller.clone() } else { self.number_of(other, board) };
        let own = talk.agent().map(|agent| (agent, talk.queue()));
        let agent = talk.agent().filter(|_| other == talk.leg());
        let given = self.leg_mut(other)?;
        let taken = std::mem::replace(given, Leg::new(other, None));
        if let Some(leg) = self.leg_mut(leg).filter(|_| agent.is_none()) {
            leg.engaged = own; // whoever transfers is the agent
        }
        self.stage = Stage::InFlow(Waits::Nothing);
        let trunk = taken.trunk.map(|trunk| board.trunk_name(trunk)).unwrap_or_default();
        let sip_call_id = taken.sip.and_then(|sip| board.sip.name(sip)).map(|name| text(&name.call_id));
        let sip_call_id = sip_call_id.unwrap_or_default();
        Some(Party { leg: taken, agent, call: self.id, sip_call_id, trunk, number })
    }
}

/// Taking.
impl Call {
    /// A REFER that names another dialog: whoever sent it speaks there with the new party.
    pub(super) fn transfer_attended(
        &mut self,
        (by, sip): (LegNumber, LegKey),
        replaces: &Replaces,
        board: &mut Switchboard,
    ) -> Result<(), StatusCode> {
        let named = match board.sip.named(replaces) {
            Some(Named::Answered(named) | Named::Ringing(named) | Named::Unanswered(named)) => named,
            Some(Named::Over) | None => return Err(StatusCode::CALL_DOES_NOT_EXIST),
        };
        let (other, leg) = board.party_at(named).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        if other == self.key {
            return Err(StatusCode::FORBIDDEN);
        }
        board.join(Joining { call: self.key, by, sip, other, leg });
        Ok(())
    }

    /// What the other call has given for an attended transfer.
    pub fn joins(&mut self, joining: &Joining, given: Option<Given>, board: &mut Switchboard) {
        let (by, sip) = (joining.by, joining.sip);
        match given {
            Some(Given::Party(party)) => self.takes_party(by, sip, *party, board),
            Some(Given::Queue(queue)) => {
                self.goes_instead((by, sip), Target::Goto(Goto::Queue(queue)), None, board);
            }
            Some(Given::Agent(agent)) => {
                board.agent_moves(agent, self.key);
                self.goes_instead((by, sip), Target::Agent(agent), None, board);
            }
            Some(Given::Address(address, payer)) => {
                self.goes_instead((by, sip), Target::Address(address), payer, board);
            }
            None => self.attended_failed(by, sip, StatusCode::CALL_DOES_NOT_EXIST, board),
        }
    }

    fn goes_instead(
        &mut self,
        (by, sip): (LegNumber, LegKey),
        target: Target,
        payer: Option<AgentId>,
        board: &mut Switchboard,
    ) {
        if let Some(other) = self.other_party(by) {
            self.will_pay(other, payer, board);
            return self.begin_transfer((by, sip), target, None, board);
        }
        payer.into_iter().for_each(|agent| board.toll.ended(agent));
        if let Target::Agent(agent) = target {
            board.spare_agent(agent, Unanswered::CallerLeft);
        }
        self.attended_failed(by, sip, StatusCode::CALL_DOES_NOT_EXIST, board);
    }

    /// The new party is not there: the talk goes on, if there is one.
    pub(super) fn attended_failed(
        &self,
        by: LegNumber,
        sip: LegKey,
        status: StatusCode,
        board: &mut Switchboard,
    ) {
        board.sip.notify(board.now, sip, status);
        self.fact(What::Transfer(TransferStep::Over { by, status: status.code() }), board);
        if let Stage::Talking(talk) = &self.stage {
            let agent = talk.agent().map(|agent| board.agent_name(agent));
            self.fact(What::Bridged { leg: talk.leg(), agent }, board);
        }
    }

    fn takes_party(&mut self, by: LegNumber, sip: LegKey, party: Party, board: &mut Switchboard) {
        let Party { mut leg, agent, call, sip_call_id, trunk, number } = party;
        let new = LegNumber::try_from(self.legs.len()).unwrap_or(LegNumber::MAX);
        (leg.number, leg.hold_noted, leg.hold_is_silent) = (new, None, false);
        let called_by = leg.agent;
        if let Some(own) = leg.sip {
            board.adopt(own, self.key, new);
        }
        if let Some(media) = leg.media_key() {
            board.rehome(media, self.key, new);
        }
        let tokens = std::mem::take(&mut leg.tokens);
        agent.into_iter().for_each(|agent| board.agent_moves(agent, self.key));
        self.legs.push(leg);
        self.may_come_round(new, tokens, board);
        let name = agent.or(called_by).map(|agent| board.agent_name(agent));
        let came =
            TransferStep::Came { leg: new, from: call, sip_call_id, trunk, party: number, agent: name };
        self.fact(What::Transfer(came), board);
        let Some(transfer) = self.steps_aside(by, sip, board) else {
            self.leg_mut(new).into_iter().for_each(|leg| leg.engaged = agent.map(|agent| (agent, None)));
            self.hang_up_leg(new, StatusCode::REQUEST_TERMINATED, board);
            return self.attended_failed(by, sip, StatusCode::CALL_DOES_NOT_EXIST, board);
        };
        self.talks_to(new, agent, &transfer, board);
        self.note_holds(board);
        info!(parent: &self.span, %call, "joined with another call");
    }
}

/// An INVITE that takes a party's place.
impl Call {
    /// Somebody calls to be where the party of `old` is: answered at once, and the old dialog is hung up (RFC 3891 §3).
    /// `Err`: why not; nothing has changed.
    pub fn replaced(
        &mut self,
        old: LegNumber,
        sip: LegKey,
        from: (TrunkId, Option<AgentId>),
        (invite, flow): (&Message, Flow),
        board: &mut Switchboard,
    ) -> Result<(), Box<Reply>> {
        let refused = |status| Err(Box::new(Reply::new(status)));
        if !self.may_replace(old, from, board) {
            return refused(StatusCode::FORBIDDEN);
        }
        if self.is_full() {
            warn!(parent: &self.span, old, "nobody takes a place: {ALL_LEGS}");
            return refused(StatusCode::FORBIDDEN);
        }
        let (trunk, agent) = from;
        let Stage::Talking(talk) = self.stage else { return refused(StatusCode::DECLINE) };
        if self.other_party(old).is_none() {
            return refused(StatusCode::CALL_DOES_NOT_EXIST);
        }
        let replaces_own = self.leg(old).is_some_and(|leg| leg.trunk == Some(trunk));
        if !replaces_own && board.admit_to_trunk(trunk).is_err() {
            return refused(board.overload_status(trunk));
        }
        let new = LegNumber::try_from(self.legs.len()).unwrap_or(LegNumber::MAX);
        let mut leg = Leg { is_web: flow.transport.is_web(), ..Leg::new(new, Some(sip)) };
        let policy = match agent {
            Some(agent) => board.phone_policy(agent, flow.transport.is_web()),
            None => board.policy(trunk),
        };
        let description = describe(&mut leg, self.key, policy, invite, board)?;
        if let Some(replaced) = self.leg_mut(old) {
            leg.agent = replaced.agent;
            leg.besides.speaks = replaced.besides.speaks.take();
        }
        (leg.taken, leg.picked_up) = (true, true);
        let whose = leg.agent.map(|agent| board.agent_name(agent));
        self.legs.push(leg);
        board.adopt(sip, self.key, new);
        self.occupy_trunk(new, Some(trunk).filter(|_| agent.is_none()), board);
        board.sip.respond(board.now, sip, Reply::new(StatusCode::OK).with_body(sdp(description)));
        let parties = match agent {
            Some(agent) => board.as_agent(agent, invite), // whatever his telephone says
            None => Parties::of(invite, board.config.trunk(trunk)),
        };
        let sip_call_id = text(invite.call_id().ok().as_deref().unwrap_or_default());
        let (trunk, party, source) = (board.trunk_name(trunk), parties.caller, flow.remote.to_string());
        let replaced =
            TransferStep::Replaced { leg: old, by: new, sip_call_id, trunk, party, agent: whose, source };
        self.fact(What::Transfer(replaced), board);
        if old == self.seat {
            self.fact(What::Transfer(TransferStep::Seated { leg: new }), board);
            self.sits(new, board);
            self.answered = super::Answered::Acknowledged;
        }
        let dialled = if old == talk.leg() { new } else { talk.leg() };
        self.hang_up_leg(old, StatusCode::REQUEST_TERMINATED, board);
        self.connect(dialled, board);
        let agent = talk.agent().map(|agent| board.agent_name(agent));
        self.fact(What::Bridged { leg: dialled, agent }, board);
        self.stage = Stage::Talking(talk.at_leg(dialled));
        self.follow_holds(board);
        self.record_talk(board);
        Ok(())
    }

    /// Whoever comes by the trunk of the party whose place he wants, or by one whose far end may transfer; a telephone
    /// that has registered takes the place of its agent and of nobody else. That he knows both tags says that a party of
    /// the dialog has told him.
    fn may_replace(
        &self,
        old: LegNumber,
        (trunk, agent): (TrunkId, Option<AgentId>),
        board: &Switchboard,
    ) -> bool {
        if agent.is_some() {
            return self.leg(old).is_some_and(|leg| leg.agent == agent);
        }
        let settings = board.config.trunk(trunk);
        let ip = self.leg(old).and_then(|leg| match leg.address.as_ref()? {
            Address::Uri(address) => address.target.literal(),
            Address::Number { .. } | Address::Phone(_) => None,
        });
        // A telephone at a plain address calls by the trunk that its address belongs to.
        let has = |ip| settings.is_some_and(|trunk| trunk.sources().any(|source| source.net.contains(&ip)));
        let is_own = self.trunk_of(old).map_or_else(|| ip.is_some_and(has), |own| own == trunk);
        is_own || settings.is_some_and(|trunk| trunk.transfer.allowed)
    }
}

/// Our description for whoever takes a place: the answer to his offer, or our offer if he made none.
fn describe(
    leg: &mut Leg,
    call: CallKey,
    policy: Policy,
    invite: &Message,
    board: &mut Switchboard,
) -> Result<Bytes, Box<Reply>> {
    let no_sound = |why| match why {
        NoSound::NoPort => Box::new(Reply::new(StatusCode::SERVICE_UNAVAILABLE)),
        NoSound::Refused(error) => Box::new(refusal(&error)),
    };
    let offer = invite.body();
    if !offer.is_empty() {
        // On paper first: no port is taken for somebody who is refused. What it says is sent to nobody, keys included.
        let mut trial = Negotiation::new(policy.clone(), board.media_address(0), 0, [0; 32]);
        trial.answer(&offer).map_err(|error| Box::new(refusal(&error)))?;
    }
    leg.open_sound(call.media_leg(leg.number), policy, board).map_err(no_sound)?;
    if !offer.is_empty() {
        return leg.answer(&offer, board).map_err(|error| Box::new(refusal(&error)));
    }
    leg.answer_due_in_ack = true;
    let offer = leg.sound.as_mut().map(|sound| sound.negotiation.offer());
    offer.ok_or_else(|| Box::new(Reply::new(StatusCode::SERVER_INTERNAL_ERROR)))
}
