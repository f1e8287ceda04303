//! Client transactions: requests of ours on their way to one flow.

use super::clock::{Alarm, Due};
use super::{Endpoint, FailCause, write};
use crate::message::{Message, StatusCode};
use crate::token::{Kind, Token};
use crate::transaction::{Action, Client, InviteClient};
use crate::transport::Flow;
use bytes::Bytes;
use std::time::Instant;

/// What a request of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The INVITE of a new leg.
    Invite,
    /// The same, when another address is already being tried: it is cancelled as soon as it shows life.
    Abandoned,
    Reinvite,
    Bye,
    Cancel,
    Probe,
    Notify,
    Refer,
    /// A question outside dialogs.
    Ask,
    Update,
    Prack,
    Info,
}

impl Purpose {
    pub(super) fn is_invite(self) -> bool {
        matches!(self, Purpose::Invite | Purpose::Abandoned | Purpose::Reinvite)
    }
}

/// One request of ours.
pub(super) struct ClientTx {
    pub(super) leg: u64,
    pub(super) purpose: Purpose,
    pub(super) flow: Flow,
    machine: Machine,
    alarm: Alarm,
    /// Of an INVITE, gone after a 2xx; of a question; and of what may have to go out again with a proof.
    open: Option<Box<Open>>,
    /// It counts as open in its leg.
    counted: bool,
}

/// What an INVITE needs until its final response, and any request whose sender may have to prove who he is.
struct Open {
    /// What its ACK and CANCEL are made of.
    request: Bytes,
    /// When the next address is tried if nothing at all has come.
    first_response_at: Option<Instant>,
    /// Its CANCEL.
    cancel: Option<u64>,
    /// How often it has gone out before, without the right proof.
    times: u8,
}

/// Boxed, because what lingers is small.
enum Machine {
    Invite(Box<InviteClient>),
    Other(Box<Client>),
    /// An INVITE after its 2xx: further ones may come from other forks, or again (RFC 6026 §7.2, timer M).
    Accepted {
        until: Instant,
        /// How many others there were.
        forks: u16,
    },
}

/// A request ready to go.
pub(super) struct Departure {
    pub(super) leg: u64,
    pub(super) purpose: Purpose,
    pub(super) flow: Flow,
    pub(super) request: Bytes,
    pub(super) first_response_at: Option<Instant>,
}

impl ClientTx {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let machine = match &self.machine {
            Machine::Invite(machine) => machine.poll_timeout(),
            Machine::Other(machine) => machine.poll_timeout(),
            Machine::Accepted { until, .. } => Some((*until, "M")),
        };
        let first =
            self.open.as_ref().and_then(|open| open.first_response_at).map(|at| (at, "first response"));
        [first, machine].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// What is needed to send it again with a proof: its leg, purpose, way, text, and how often it went out before.
    pub(super) fn asked_again(&self) -> Option<(u64, Purpose, Flow, Bytes, u8)> {
        let open = self.open.as_deref().filter(|open| !open.request.is_empty())?;
        Some((self.leg, self.purpose, self.flow, open.request.clone(), open.times))
    }

    pub(super) fn set_times(&mut self, times: u8) {
        if let Some(open) = &mut self.open {
            open.times = times;
        }
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_terminated(),
            Machine::Other(machine) => machine.is_terminated(),
            Machine::Accepted { .. } => false,
        }
    }

    /// Nothing more can come of it that its leg must be there for.
    fn is_settled(&self) -> bool {
        match &self.machine {
            Machine::Other(machine) => machine.is_terminated(),
            Machine::Invite(_) | Machine::Accepted { .. } => !self.is_unanswered(),
        }
    }

    /// Its final response has not come yet.
    pub(super) fn is_unanswered(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_calling() || machine.is_proceeding(),
            Machine::Other(machine) => !machine.is_completed(),
            Machine::Accepted { .. } => false,
        }
    }

    /// Whoever wants to go waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.purpose != Purpose::Ask && self.is_unanswered()
    }

    fn handle_response(&mut self, now: Instant, status: StatusCode, actions: &mut Vec<Action>) {
        match &mut self.machine {
            Machine::Invite(machine) => machine.handle_response(now, status.code(), actions),
            Machine::Other(machine) => machine.handle_response(now, status.code(), actions),
            Machine::Accepted { .. } if status.is_success() => actions.push(Action::Deliver),
            Machine::Accepted { .. } => {}
        }
    }

    /// Whether one fork more, beside the `most` there may be, is acknowledged and hung up. A far end that has no end of
    /// them, or answers for ever, ends those beyond by itself for want of an ACK (RFC 3261 §13.3.1.4).
    pub(super) fn admits_fork(&mut self, most: usize) -> bool {
        let Machine::Accepted { forks, .. } = &mut self.machine else { return true };
        *forks = forks.saturating_add(1);
        usize::from(*forks) <= most
    }

    /// Of an INVITE answered by 2xx only the time it stays is kept.
    fn reduce(&mut self) {
        if let Machine::Invite(machine) = &self.machine
            && let (true, Some((until, _))) = (machine.is_accepted(), machine.poll_timeout())
        {
            self.machine = Machine::Accepted { until, forks: 0 };
        }
    }
}

impl Endpoint {
    /// The branch of the request that the next [`depart`](Self::depart) sends.
    pub(super) fn next_branch(&mut self) -> Token {
        let client = self.clients.next_key();
        self.mint.token(Kind::Branch, client)
    }

    /// Sends a request and watches over it. `None` only when no key is left.
    pub(super) fn depart(&mut self, now: Instant, departure: Departure) -> Option<u64> {
        let Departure { leg, purpose, flow, request, first_response_at } = departure;
        let request = self.with_proofs(leg, purpose, request);
        let may_prove = self.legs.get(leg).is_some_and(|state| state.proofs.is_some());
        let (timers, reliable) = (self.settings.timers, flow.is_reliable());
        let mut actions = std::mem::take(&mut self.actions);
        let kept = if purpose.is_invite() || may_prove { request.clone() } else { Bytes::new() };
        let open = Open { request: kept, first_response_at, cancel: None, times: 0 };
        let open = (purpose.is_invite() || may_prove || purpose == Purpose::Ask).then(|| Box::new(open));
        let machine = match purpose.is_invite() {
            true => {
                Machine::Invite(Box::new(InviteClient::new(now, request, reliable, timers, &mut actions)))
            }
            false => Machine::Other(Box::new(Client::new(now, request, reliable, timers, &mut actions))),
        };
        let alarm = Alarm::default();
        let tx = ClientTx { leg, purpose, flow, machine, alarm, open, counted: true };
        let client = self.clients.insert(tx);
        if let Some(client) = client {
            self.roads.hold(flow.remote.ip());
            self.roads.wait(flow, client);
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.open_clients += 1;
            }
            self.act(now, client, &mut actions, None);
            self.rearm_client(client);
        }
        actions.clear();
        self.actions = actions;
        client
    }

    /// A response has come. `client` is what its branch names; for a CANCEL that is the INVITE it cancels.
    pub(super) fn response(&mut self, now: Instant, client: u64, response: &Message) {
        let Some(status) = response.status() else { return };
        let Some(client) = self.addressee(client, response).filter(|client| self.is_sound(*client, response))
        else {
            self.counters.stray_responses += 1;
            return;
        };
        let Some(tx) = self.clients.get_mut(client) else { return };
        if let Some(open) = &mut tx.open {
            open.first_response_at = None;
        }
        let flow = tx.flow;
        let mut actions = std::mem::take(&mut self.actions);
        tx.handle_response(now, status, &mut actions);
        if status != StatusCode::SERVICE_UNAVAILABLE {
            self.believe(client);
        }
        self.roads.heard(flow, client);
        self.act(now, client, &mut actions, Some(response));
        self.actions = actions;
        self.rearm_client(client);
    }

    /// The transaction a response is for: the branch must be ours and the method in CSeq that of the request
    /// (RFC 3261 §17.1.3).
    fn addressee(&self, client: u64, response: &Message) -> Option<u64> {
        let tx = self.clients.get(client)?;
        let method = response.cseq().ok()?.method;
        use crate::message::Method;
        match (method, tx.purpose) {
            (Method::Invite, purpose) if purpose.is_invite() => Some(client),
            (Method::Cancel, purpose) if purpose.is_invite() => tx.open.as_ref()?.cancel,
            (Method::Bye, Purpose::Bye) | (Method::Options, Purpose::Probe) => Some(client),
            (Method::Notify, Purpose::Notify) | (Method::Refer, Purpose::Refer) => Some(client),
            (Method::Invite | Method::Cancel, Purpose::Ask) => None,
            (_, Purpose::Ask) => Some(client),
            (Method::Info, Purpose::Info) => Some(client),
            (Method::Update, Purpose::Update) | (Method::Prack, Purpose::Prack) => Some(client),
            _ => None,
        }
    }

    /// Whether a dialog can be made of a response. One that is damaged must not end the transaction: what would be
    /// known of the call then could neither be acknowledged nor hung up. A repeat or timer B helps.
    fn is_sound(&self, client: u64, response: &Message) -> bool {
        let Some(tx) = self.clients.get(client) else { return false };
        let (Ok(from), Ok(_), Ok(_)) = (response.from(), response.to(), response.call_id()) else {
            return false;
        };
        let by_tag = matches!(tx.purpose, Purpose::Invite | Purpose::Ask);
        let our_tag = self.legs.get(tx.leg).filter(|_| by_tag).map(|leg| leg.tag);
        our_tag.is_none_or(|tag| from.tag().is_some_and(|from| from.eq_ignore_ascii_case(tag.as_bytes())))
    }

    fn act(&mut self, now: Instant, client: u64, actions: &mut Vec<Action>, response: Option<&Message>) {
        for action in actions.drain(..) {
            match action {
                Action::Send(bytes) => {
                    let Some(tx) = self.clients.get(client) else { return };
                    self.send(tx.flow, bytes);
                }
                Action::Acknowledge => self.acknowledge_failure(client, response),
                Action::Deliver => {
                    let Some(response) = response else { continue };
                    self.deliver(now, client, response);
                }
                Action::TimedOut => self.client_failed(now, client, FailCause::TimedOut),
                Action::Unreachable => self.client_failed(now, client, FailCause::Unreachable),
                Action::AckTimedOut => {}
            }
        }
    }

    fn acknowledge_failure(&mut self, client: u64, response: Option<&Message>) {
        let Some(tx) = self.clients.get_mut(client) else { return };
        let (Machine::Invite(machine), Some(open)) = (&mut tx.machine, &tx.open) else { return };
        let (Some(response), Ok(invite)) = (response, Message::parse(open.request.clone())) else { return };
        let mut actions = Vec::with_capacity(1);
        machine.acknowledge(write::hop_ack(&invite, response), &mut actions);
        let flow = tx.flow;
        for action in actions {
            if let Action::Send(bytes) = action {
                self.send(flow, bytes);
            }
        }
    }

    /// Sends the CANCEL of an INVITE that is being worked on, once (RFC 3261 §9.1).
    pub(super) fn cancel(&mut self, now: Instant, client: u64, headers: &[(Bytes, Bytes)]) {
        let Some(tx) = self.clients.get_mut(client) else { return };
        let (Machine::Invite(machine), Some(open)) = (&mut tx.machine, &tx.open) else { return };
        if !machine.is_proceeding() || open.cancel.is_some() {
            return;
        }
        let Ok(invite) = Message::parse(open.request.clone()) else { return };
        machine.handle_cancelled(now);
        let (leg, flow) = (tx.leg, tx.flow);
        let request = write::cancel(&invite, headers);
        let departure = Departure { leg, purpose: Purpose::Cancel, flow, request, first_response_at: None };
        let cancel = self.depart(now, departure);
        if let Some(open) = self.clients.get_mut(client).and_then(|tx| tx.open.as_mut()) {
            open.cancel = cancel;
        }
        self.rearm_client(client);
    }

    /// Nobody waits for the final response of this INVITE any more, and after a BYE none may come: 64 * T1 are enough.
    pub(super) fn expire_invite(&mut self, now: Instant, client: u64) {
        if let Some(Machine::Invite(machine)) = self.clients.get_mut(client).map(|tx| &mut tx.machine) {
            machine.handle_cancelled(now);
            self.rearm_client(client);
        }
    }

    /// Nothing came from this address in time: the INVITE goes on alone and is cancelled when it shows life; a
    /// question is no longer of interest.
    fn abandon(&mut self, now: Instant, client: u64) {
        let Some(tx) = self.clients.get_mut(client) else { return };
        match tx.purpose {
            Purpose::Invite => {
                tx.purpose = Purpose::Abandoned;
                self.attempt_failed(now, client, FailCause::TimedOut, None);
            }
            Purpose::Ask => self.ask_failed(now, client, FailCause::TimedOut),
            _ => {}
        }
    }

    pub(super) fn client_due(&mut self, now: Instant, at: Instant, client: u64) {
        let Some(tx) = self.clients.get_mut(client) else { return };
        if !tx.alarm.is_meant(at) {
            return;
        }
        if let Some(open) = tx.open.as_mut().filter(|open| open.first_response_at.is_some_and(|at| at <= now))
        {
            open.first_response_at = None;
            self.abandon(now, client);
        }
        let Some(tx) = self.clients.get_mut(client) else { return };
        if matches!(tx.machine, Machine::Accepted { until, .. } if until <= now) {
            return self.close_client(client);
        }
        let mut actions = std::mem::take(&mut self.actions);
        match &mut tx.machine {
            Machine::Invite(machine) => machine.handle_timeout(now, &mut actions),
            Machine::Other(machine) => machine.handle_timeout(now, &mut actions),
            Machine::Accepted { .. } => {}
        }
        self.counters.resent += actions.iter().filter(|a| matches!(a, Action::Send(_))).count() as u64;
        self.act(now, client, &mut actions, None);
        self.actions = actions;
        self.rearm_client(client);
    }

    /// The way is gone before anything came back on it.
    pub(super) fn client_unreachable(&mut self, now: Instant, client: u64) {
        let Some(tx) = self.clients.get_mut(client) else { return };
        let mut actions = std::mem::take(&mut self.actions);
        match &mut tx.machine {
            Machine::Invite(machine) => machine.handle_unreachable(&mut actions),
            Machine::Other(machine) => machine.handle_unreachable(&mut actions),
            Machine::Accepted { .. } => {}
        }
        self.act(now, client, &mut actions, None);
        self.actions = actions;
        self.rearm_client(client);
    }

    fn rearm_client(&mut self, client: u64) {
        let Some(tx) = self.clients.get_mut(client) else { return };
        if tx.is_terminated() {
            return self.close_client(client);
        }
        tx.reduce();
        let want = tx.poll_timeout();
        self.clock.set(&mut tx.alarm, want, Due::Client(client));
        if tx.is_settled() && tx.counted {
            tx.counted = false;
            let leg = tx.leg;
            match &mut tx.open {
                // The CANCEL's response still has to find it.
                Some(open) if open.cancel.is_some() => open.request = Bytes::new(),
                open => *open = None,
            }
            self.uncount(leg);
        }
    }

    fn close_client(&mut self, client: u64) {
        let Some(mut tx) = self.clients.remove(client) else { return };
        self.clock.clear(&mut tx.alarm);
        self.roads.heard(tx.flow, client);
        self.roads.release(tx.flow.remote.ip());
        if let Some(leg) = self.legs.get_mut(tx.leg) {
            leg.acks.retain(|ack| ack.client != client);
        }
        if let Some(cancel) = tx.open.and_then(|open| open.cancel) {
            self.close_client(cancel); // its response could not find it any more
        }
        match tx.counted {
            true => self.uncount(tx.leg),
            false => self.settle(tx.leg),
        }
    }

    fn uncount(&mut self, leg: u64) {
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.open_clients -= 1;
        }
        self.settle(leg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lingers_of_a_request_of_ours_is_small() {
        assert!(size_of::<ClientTx>() <= 160, "{}", size_of::<ClientTx>());
    }
}
