//! Early dialogs of an INVITE of ours: each branch of a fork is one (RFC 3261 §12.1.2), and its reliable provisional
//! responses are acknowledged in it (RFC 3262 §4).

use super::inside::{Draft, DraftKind};
use super::legs::{Leg, Outgoing, Stage};
use super::{EarlyId, Endpoint};
use crate::dialog::{Dialog, RAck, Seen};
use crate::key::LegKey;
use crate::message::{Body, Header, Message};
use crate::token::Kind;
use crate::transport::Flow;
use bytes::Bytes;
use std::time::Instant;

/// One early dialog.
pub(super) struct Fork {
    pub(super) tag: Bytes,
    seen: Seen,
    /// The leg in which our PRACKs leave. It is nobody's but ours.
    leg: Option<u64>,
    /// A response with an offer waits for the caller's answer.
    owed: Option<RAck>,
}

/// Numbers left free for PRACKs of early dialogs that are not remembered any more when the call is answered: a gap does
/// no harm (RFC 3261 §12.2.1.1).
pub(super) const PRACKS: u32 = 1_000;

impl Outgoing {
    /// The number of the early dialog that speaks. Beyond `most` of them they share the last number.
    pub(super) fn early(&mut self, response: &Message, most: usize) -> u16 {
        let tag = response.tag(Header::To).unwrap_or_default();
        let at = self.known(&tag).unwrap_or_else(|| {
            if self.forks.len() < most.max(1) {
                let tag = Bytes::copy_from_slice(&tag);
                self.forks.push(Fork { tag, seen: Seen::default(), leg: None, owed: None });
            }
            self.forks.len() - 1
        });
        at as u16
    }

    /// Which early dialog has this tag.
    pub(super) fn known(&self, tag: &[u8]) -> Option<usize> {
        self.forks.iter().position(|fork| fork.tag == tag)
    }
}

impl Endpoint {
    /// A reliable provisional response to an INVITE of ours. True if it is the next one: then it is acknowledged, at once
    /// or by the caller if he owes an answer.
    pub(super) fn take_reliable(
        &mut self,
        now: Instant,
        leg: u64,
        (client, early, rseq): (u64, u16, u32),
        response: &Message,
    ) -> bool {
        if self.is_busy() {
            return false; // as if it had not come: it will be repeated
        }
        let Some(out) = self.legs.get_mut(leg).and_then(|state| state.outgoing.as_deref_mut()) else {
            return false;
        };
        let rack = RAck { rseq, cseq: out.cseq };
        let owes = out.invite.body.is_none() && !response.body().is_empty();
        let Some(fork) = out.forks.get_mut(usize::from(early)) else { return false };
        if !fork.seen.take(rseq) {
            return false;
        }
        fork.owed = owes.then_some(rack);
        let known = fork.leg;
        let Some(early_leg) = known.or_else(|| self.open_early_leg(leg, (client, early), response)) else {
            return false;
        };
        self.refresh_target(early_leg, response);
        if !owes {
            self.send_prack(now, early_leg, rack, None);
        }
        true
    }

    fn open_early_leg(&mut self, leg: u64, (client, early): (u64, u16), response: &Message) -> Option<u64> {
        let flow = self.clients.get(client)?.flow;
        let opened = self.open_fork(leg, flow, Dialog::of_response(response).ok()?)?;
        let out = self.legs.get_mut(leg)?.outgoing.as_deref_mut()?;
        out.forks.get_mut(usize::from(early))?.leg = Some(opened);
        Some(opened)
    }

    /// A leg of ours alone for another dialog of the INVITE of `leg`: it is with the same peer, takes the same way, and
    /// can prove who we are as well.
    pub(super) fn open_fork(&mut self, leg: u64, flow: Flow, dialog: Dialog) -> Option<u64> {
        let tag = self.mint.token(Kind::Tag, self.legs.next_key());
        let mut state = Leg::new(Stage::Answered, tag);
        if let Some(parent) = self.legs.get(leg) {
            (state.peer, state.proofs) = (parent.peer, parent.proofs.clone());
            (state.udp_only, state.pinned, state.terms) = (parent.udp_only, parent.pinned, parent.terms);
        }
        state.told = false;
        state.flow = Some(flow);
        state.dialog = Some(Box::new(dialog));
        self.legs.insert(state)
    }

    /// Acknowledges a reliable provisional response with an offer, with the answer to it: one to an INVITE of ours without
    /// a body, told by [`Event::Progress`](super::Event::Progress). All others are acknowledged by themselves.
    pub fn prack(&mut self, now: Instant, leg: LegKey, early: EarlyId, answer: Body) {
        let out = self
            .legs
            .get_mut(leg.0)
            .filter(|state| state.told)
            .and_then(|state| state.outgoing.as_deref_mut());
        let Some(fork) = out.and_then(|out| out.forks.get_mut(usize::from(early.0))) else { return };
        if let (Some(leg), Some(rack)) = (fork.leg, fork.owed.take()) {
            self.send_prack(now, leg, rack, Some(answer));
        }
    }

    pub(super) fn send_prack(&mut self, now: Instant, leg: u64, rack: RAck, body: Option<Body>) {
        let Some(cseq) = self.legs.get_mut(leg).and_then(|state| Some(state.dialog.as_mut()?.next_seq()))
        else {
            return;
        };
        let value = Bytes::from(format!("{} {} INVITE", rack.rseq, rack.cseq));
        let headers = vec![(Bytes::from_static(Header::RAck.name().as_bytes()), value)];
        self.send_draft(now, leg, Draft { kind: DraftKind::Prack, cseq, headers, body });
    }

    /// Our INVITE is answered or has failed: its early dialogs are over, but for PRACKs on their way.
    pub(super) fn drop_outgoing(&mut self, leg: u64) -> Option<Box<Outgoing>> {
        let out = self.legs.get_mut(leg)?.outgoing.take()?;
        out.forks.iter().filter_map(|fork| fork.leg).for_each(|early| self.finish(early));
        Some(out)
    }
}
