//! Calls that become one, and INVITEs that take the place of a party: what concerns two calls at once.

use media::Event as MediaEvent;
use sip_core::{Flow, LegKey, Message, PeerId, Reply, StatusCode, auth::UserId};

use super::Shard;
use crate::{
    call::{Call, Input as CallInput, Joining},
    config::{AgentId, TrunkId},
    journal::fact::{Cause, Fault, LegNumber},
    keys::{CallKey, media_leg_number, media_leg_slot},
};

impl Shard {
    /// An attended transfer: the one call gives up a party, the other takes it in, both in this turn.
    pub(super) fn join(&mut self, joining: Joining) {
        let Some(to) = self.calls.get(joining.call).map(Call::id) else { return };
        let given = self.calls.take(joining.other).and_then(|mut other| {
            let span = other.span().entered();
            let given = other.gives_up(joining.leg, to, &mut self.board);
            drop(span);
            self.put_back(other);
            given
        });
        self.tell(joining.call, CallInput::Joins(Box::new((joining, given))));
    }

    /// Somebody calls to take the place of a party (RFC 3891). Refused, it is a call of its own in the record; else it is
    /// one leg more of the call that it has joined.
    pub(super) fn replace(
        &mut self,
        old: LegKey,
        leg: LegKey,
        (peer, user): (PeerId, Option<UserId>),
        flow: Flow,
        invite: &Message,
    ) {
        let (trunk, agent) = (TrunkId::from(peer), user.map(|user| AgentId(user.0)));
        let source = flow.remote.to_string();
        let board = &mut self.board;
        let trunk = board.trunk_called(trunk, flow, invite);
        board.goes_as_trunk_says(leg, trunk);
        let taken = match board.party_at(old).and_then(|(key, number)| Some((self.calls.take(key)?, number)))
        {
            None => Err(Box::new(Reply::new(StatusCode::CALL_DOES_NOT_EXIST))),
            Some((mut call, number)) => {
                let span = call.span().entered();
                let taken = call.replaced(number, leg, (trunk, agent), (invite, flow), board);
                drop(span);
                self.put_back(call);
                taken
            }
        };
        if let Err(reply) = taken {
            let ended = (Cause::Rejected, Fault::None, reply.status.code());
            self.board.sip.respond(self.board.now, leg, *reply);
            Call::note_refused(leg, (trunk, agent), (invite, &source), ended, &mut self.board);
        }
    }

    /// The call and leg that an engine leg belongs to; one that is closed belongs to nobody after this.
    pub(super) fn owner_of(&mut self, event: &MediaEvent) -> Option<(CallKey, LegNumber)> {
        let leg = event.leg();
        let moved = match event {
            MediaEvent::Closed { .. } => self.board.rehomed.remove(&leg),
            _ => self.board.rehomed.get(&leg).copied(),
        };
        let opened = || self.calls.in_slot(media_leg_slot(leg)).filter(|key| key.owns(leg));
        moved.or_else(|| Some((opened()?, media_leg_number(leg))))
    }
}
