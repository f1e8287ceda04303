//! Provisional responses of ours that the far end acknowledges (RFC 3262 §3).

use super::legs::Theirs;
use super::servers::Arrival;
use super::{Endpoint, Event, Reply, RequestKey};
use crate::dialog::{Acknowledged, Overdue, RAck, Reliable};
use crate::key::LegKey;
use crate::message::{Header, Message, StatusCode};
use std::collections::VecDeque;
use std::time::Instant;

/// Responses that may wait for their turn. One more is not sent: nobody needs so many rings, and what it describes
/// comes with the answer again.
const MOST_LATER: usize = 8;

/// Reliable provisional responses to one INVITE of theirs.
pub(super) struct Provisionals {
    pub(super) machine: Reliable,
    /// The one that waits for its PRACK has a description.
    described: bool,
    /// A PRACK with a description of its own waits for the caller's answer.
    answering: bool,
    later: VecDeque<Reply>,
    /// The 2xx, until all descriptions before it are acknowledged.
    held: Option<Reply>,
}

impl Provisionals {
    fn is_busy(&self) -> bool {
        self.machine.is_waiting() || self.answering || !self.later.is_empty()
    }

    /// A description is still to be acknowledged: until then there may be no 2xx (§3).
    fn holds_back(&self) -> bool {
        let waits = self.machine.is_waiting() && self.described;
        waits || self.answering || self.later.iter().any(|reply| reply.body.is_some())
    }
}

impl Endpoint {
    /// Whether provisional responses to the INVITE that waits are reliable, so that a description in one of them is
    /// the offer or the answer for good: the 2xx has none then (RFC 6337 §3.1.1).
    pub fn is_reliable(&self, leg: LegKey) -> bool {
        self.legs.get(leg.0).is_some_and(|state| state.theirs.is_some() && state.provisionals.is_some())
    }

    /// Their INVITE, about to wait in `leg`.
    pub(super) fn begin_provisionals(&mut self, leg: u64, invite: &Message) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let reliable = state.terms.is_reliable_for(invite);
        let first = 1 + self.mint.below(i32::MAX as u32);
        let cseq = invite.cseq().map_or(0, |cseq| cseq.number);
        state.provisionals = reliable.then(|| {
            Box::new(Provisionals {
                machine: Reliable::new(cseq, first, self.settings.timers),
                described: false,
                answering: false,
                later: VecDeque::new(),
                held: None,
            })
        });
    }

    /// A provisional response that must wait for an earlier one: taken, and true.
    pub(super) fn postpone_progress(&mut self, leg: u64, reply: &Reply) -> bool {
        let provisionals = self.legs.get_mut(leg).and_then(|state| state.provisionals.as_mut());
        let Some(provisionals) = provisionals.filter(|provisionals| provisionals.is_busy()) else {
            return false;
        };
        if provisionals.held.is_none() && provisionals.later.len() < MOST_LATER {
            provisionals.later.push_back(reply.clone());
        }
        true
    }

    /// A 2xx that must wait: taken, and true. Rings that have not left are not worth waiting for.
    pub(super) fn postpone_accept(&mut self, leg: u64, reply: &Reply) -> bool {
        let provisionals = self.legs.get_mut(leg).and_then(|state| state.provisionals.as_mut());
        let Some(provisionals) = provisionals else { return false };
        provisionals.later.retain(|reply| reply.body.is_some());
        let holds_back = provisionals.holds_back();
        match holds_back {
            true => provisionals.held = Some(reply.clone()),
            false => provisionals.machine.stop(),
        }
        holds_back
    }

    /// A reliable response has left.
    pub(super) fn progress_sent(&mut self, now: Instant, leg: u64, reply: &Reply, bytes: bytes::Bytes) {
        if let Some(provisionals) = self.legs.get_mut(leg).and_then(|state| state.provisionals.as_mut()) {
            provisionals.machine.sent(now, bytes);
            provisionals.described = reply.body.is_some();
        }
    }

    /// Their PRACK: `481` if it acknowledges nothing that we have sent. One with a description waits for the caller.
    pub(super) fn prack_received(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) {
        let Some(rack) = RAck::of(arrival.request) else {
            return self.refuse(arrival, Reply::new(StatusCode::BAD_REQUEST));
        };
        let Some(state) = self.legs.get_mut(leg).filter(|state| state.told) else {
            return self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
        };
        let acknowledged =
            state.provisionals.as_mut().map(|provisionals| provisionals.machine.acknowledge(rack));
        match acknowledged {
            None | Some(Acknowledged::Never) => {
                return self.refuse(arrival, Reply::new(StatusCode::CALL_DOES_NOT_EXIST));
            }
            // Nothing changes by it, so nothing has to be kept of it.
            Some(Acknowledged::Before) => return self.refuse(arrival, Reply::new(StatusCode::OK)),
            Some(Acknowledged::Now) => {}
        }
        let Some(server) = self.open_other(now, arrival, leg) else { return };
        let describes = !arrival.request.body().is_empty();
        match (describes, self.fault_of_content(arrival.request)) {
            (_, Some(reply)) => drop(self.reply(now, server, &reply, &[], false)),
            (true, None) => {
                self.note_answering(leg, true);
                let (key, request) = (RequestKey(server), arrival.request.clone());
                return self.tell(leg, Event::Request { leg: LegKey(leg), key, request });
            }
            (false, None) => drop(self.reply(now, server, &Reply::new(StatusCode::OK), &[], false)),
        }
        self.next_provisional(now, leg);
    }

    fn note_answering(&mut self, leg: u64, answering: bool) {
        if let Some(provisionals) = self.legs.get_mut(leg).and_then(|state| state.provisionals.as_mut()) {
            provisionals.answering = answering;
        }
    }

    /// The caller has answered a PRACK.
    pub(super) fn prack_answered(&mut self, now: Instant, leg: u64) {
        self.note_answering(leg, false);
        self.next_provisional(now, leg);
    }

    /// What waited for a PRACK goes out.
    fn next_provisional(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let (Some(theirs), Some(provisionals)) = (state.theirs, state.provisionals.as_mut()) else { return };
        if provisionals.machine.is_waiting() || provisionals.answering {
            return;
        }
        let next = provisionals.later.pop_front();
        let held = if next.is_none() { provisionals.held.take() } else { None };
        if let Some(reply) = next {
            self.send_progress(now, leg, theirs, &reply);
        }
        if let Some(reply) = held {
            self.respond(now, LegKey(leg), reply);
        }
        self.settle(leg);
    }

    /// A repeat, or the end of patience: then the call is to be refused by a 5xx (§3).
    pub(super) fn provisional_due(&mut self, now: Instant, leg: u64) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        let (Some(Theirs { server, .. }), Some(provisionals)) = (state.theirs, state.provisionals.as_mut())
        else {
            return;
        };
        match provisionals.machine.handle_timeout(now) {
            Some(Overdue::Resend(bytes)) => {
                let Some((flow, named)) = self.reply_way(server) else { return };
                self.counters.resent += 1;
                self.send_response(now, flow, Some(named), bytes);
            }
            Some(Overdue::GiveUp) => {
                (provisionals.held, provisionals.later) = (None, VecDeque::new());
                self.counters.acks_missing += 1;
                self.tell(leg, Event::AckMissing { leg: LegKey(leg) });
            }
            None => {}
        }
    }

    /// The RSeq of a provisional response about to leave, if it is a reliable one.
    pub(super) fn rseq_of(&self, leg: u64, request: &Message, reply: &Reply) -> Option<u32> {
        let provisionals = self.legs.get(leg)?.provisionals.as_ref()?;
        let is_of_invite = request.method() == crate::message::Method::Invite;
        (reply.status.is_provisional() && is_of_invite).then(|| provisionals.machine.next())
    }

    /// Answers a PRACK for the caller of the endpoint, if it is one: true.
    pub(super) fn is_prack(&self, server: u64) -> bool {
        self.open_request(server).is_some_and(|open| open.request.count(Header::RAck) > 0)
    }
}
