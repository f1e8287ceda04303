//! Server transactions: requests of the far end, from their first byte to the last repeat.

use super::clock::{Alarm, Due};
use super::{Endpoint, Reply, write};
use crate::message::{Message, StatusCode};
use crate::transaction::{Action, InviteServer, Server, TransactionKey};
use crate::transport::{Flow, named_address, response_flow};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Instant;

/// One request of the far end.
pub(super) struct ServerTx {
    machine: Machine,
    key: TransactionKey,
    /// Where its responses go.
    flow: Flow,
    alarm: Alarm,
    /// What is needed until the final response; gone after it.
    open: Option<Box<Open>>,
    merged: u64,
}

enum Machine {
    Invite(InviteServer),
    Other(Server),
}

/// A request not finally answered.
pub(super) struct Open {
    pub(super) leg: u64,
    pub(super) request: Message,
    /// The address it came from.
    source: SocketAddr,
    /// Where to open a connection for the response if its own is gone.
    named: SocketAddr,
    /// When an unanswered request other than INVITE is forgotten: its sender has given up by then (timer F).
    until: Option<Instant>,
}

/// What a transaction key leads to. Most of a finished call's memory is here for 64 * T1, so it is little.
pub(super) enum Known {
    Server(u64),
    /// An INVITE answered by 2xx: its repeats are absorbed (RFC 6026 §7.1).
    Absorbed {
        merged: u64,
    },
    /// Any other request finally answered: its repeats hear the same again (timer J).
    Answered(Box<Answered>),
}

/// The last response of a transaction of which nothing else is left.
pub(super) struct Answered {
    flow: Flow,
    bytes: Box<[u8]>,
}

/// A request about to get a transaction.
pub(super) struct Arrival<'a> {
    pub(super) flow: Flow,
    pub(super) request: &'a Message,
    pub(super) key: TransactionKey,
    /// The hash by which a second copy over another path is known (RFC 3261 §8.2.2.2); 0 inside a dialog.
    pub(super) merged: u64,
}

impl ServerTx {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let machine = match &self.machine {
            Machine::Invite(machine) => machine.poll_timeout(),
            Machine::Other(machine) => machine.poll_timeout(),
        };
        machine.or_else(|| self.open.as_ref()?.until.map(|at| (at, "unanswered")))
    }

    /// An INVITE was refused and the refusal is not acknowledged yet.
    pub(super) fn is_unacknowledged(&self) -> bool {
        matches!(&self.machine, Machine::Invite(machine) if machine.is_completed())
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_terminated(),
            Machine::Other(machine) => machine.is_terminated(),
        }
    }
}

impl Endpoint {
    /// Gives an INVITE its transaction; the caller sends `100` at once.
    pub(super) fn open_invite(&mut self, arrival: &Arrival<'_>, leg: u64) -> Option<u64> {
        let timers = self.settings.timers;
        let machine = Machine::Invite(InviteServer::new(arrival.flow.is_reliable(), timers));
        self.open_server(arrival, leg, machine, None)
    }

    /// Gives any other request its transaction.
    pub(super) fn open_other(&mut self, now: Instant, arrival: &Arrival<'_>, leg: u64) -> Option<u64> {
        let timers = self.settings.timers;
        let machine = Machine::Other(Server::new(arrival.flow.is_reliable(), timers));
        self.open_server(arrival, leg, machine, Some(now + timers.give_up()))
    }

    fn open_server(
        &mut self,
        arrival: &Arrival<'_>,
        leg: u64,
        machine: Machine,
        until: Option<Instant>,
    ) -> Option<u64> {
        let via = arrival.request.via().ok()?;
        let open = Open {
            leg,
            request: arrival.request.clone(),
            source: arrival.flow.remote,
            named: named_address(arrival.flow, &via),
            until,
        };
        let tx = ServerTx {
            machine,
            key: arrival.key,
            flow: response_flow(arrival.flow, &via),
            alarm: Alarm::default(),
            open: Some(Box::new(open)),
            merged: arrival.merged,
        };
        let server = self.servers.insert(tx)?;
        self.by_key.insert(arrival.key, Known::Server(server));
        if arrival.merged != 0 {
            self.merged.insert(arrival.merged, arrival.key);
        }
        self.rearm_server(server);
        Some(server)
    }

    /// Where the responses of this request go, and where to connect to if that way is gone.
    pub(super) fn reply_way(&self, server: u64) -> Option<(Flow, SocketAddr)> {
        let tx = self.servers.get(server)?;
        Some((tx.flow, tx.open.as_ref()?.named))
    }

    /// What is kept of a request until its final response.
    pub(super) fn open_request(&self, server: u64) -> Option<&Open> {
        self.servers.get(server)?.open.as_deref()
    }

    /// Writes and sends a response with `tag` in To. The bytes, for a 2xx that has to be repeated.
    pub(super) fn reply(
        &mut self,
        now: Instant,
        server: u64,
        reply: &Reply,
        tag: &[u8],
        with_contact: bool,
    ) -> Option<Bytes> {
        let tx = self.servers.get(server)?;
        let open = tx.open.as_deref()?;
        let state = self.legs.get(open.leg);
        let contact =
            with_contact.then(|| self.origins.contact(&tx.flow, state.and_then(|state| state.peer)));
        let context = write::Context {
            tag,
            contact: contact.as_deref(),
            supported: state.map_or(b"", |state| state.terms.supported()),
            rseq: self.rseq_of(open.leg, &open.request, reply),
            session: state.filter(|_| with_contact).and_then(|state| state.session_answer(&open.request)),
            server: &self.settings.user_agent,
            always: self.origins.in_answers(state.and_then(|state| state.peer)),
        };
        let bytes = write::response(&open.request, open.source, reply, &context);
        self.send_reply(now, server, reply.status, bytes.clone());
        Some(bytes)
    }

    /// `100 Trying`, in the turn the INVITE came in (RFC 3261 §17.2.1).
    pub(super) fn reply_trying(&mut self, now: Instant, server: u64) {
        let Some(open) = self.open_request(server) else { return };
        let status = StatusCode::TRYING;
        let bytes = crate::message::respond_to(&open.request, open.source, status, None, None).finish();
        self.send_reply(now, server, status, bytes);
    }

    fn send_reply(&mut self, now: Instant, server: u64, status: StatusCode, bytes: Bytes) {
        let Some(tx) = self.servers.get_mut(server) else { return };
        let named = tx.open.as_ref().map(|open| open.named);
        let mut actions = std::mem::take(&mut self.actions);
        let mut linger = None;
        match &mut tx.machine {
            Machine::Invite(machine) => machine.respond(now, status.code(), bytes, &mut actions),
            Machine::Other(machine) => {
                let kept = Box::from(&bytes[..]);
                machine.respond(now, status.code(), bytes, &mut actions);
                linger = machine.poll_timeout().map(|(until, _)| (until, kept));
            }
        }
        if status.is_final() {
            tx.open = None;
        }
        let flow = tx.flow;
        for action in actions.drain(..) {
            if let Action::Send(bytes) = action {
                self.counters.responses_out.add(status);
                self.send_response(now, flow, named, bytes);
            }
        }
        self.actions = actions;
        match linger {
            Some((until, bytes)) => {
                let answered = Known::Answered(Box::new(Answered { flow, bytes }));
                self.reduce_server(server, until, |_| answered);
            }
            None => self.rearm_server(server),
        }
    }

    /// The answer of a finished transaction once more.
    pub(super) fn repeat_answer(&mut self, key: TransactionKey) {
        if let Some(Known::Answered(answered)) = self.by_key.get(&key) {
            let (flow, bytes) = (answered.flow, Bytes::copy_from_slice(&answered.bytes));
            self.counters.resent += 1;
            self.send(flow, bytes);
        }
    }

    /// The last response of an INVITE once more: the request has come again, or a proxy must be reminded.
    pub(super) fn repeat_reply(&mut self, server: u64) {
        let Some(tx) = self.servers.get_mut(server) else { return };
        let mut actions = std::mem::take(&mut self.actions);
        match &mut tx.machine {
            Machine::Invite(machine) => machine.handle_retransmission(&mut actions),
            Machine::Other(machine) => machine.handle_retransmission(&mut actions),
        }
        let flow = tx.flow;
        self.resend_all(flow, &mut actions);
        self.actions = actions;
    }

    /// An ACK with the key of this INVITE. True if it was for a 2xx and so for the leg.
    pub(super) fn acknowledge(&mut self, now: Instant, server: u64) -> bool {
        let Some(tx) = self.servers.get_mut(server) else { return false };
        let Machine::Invite(machine) = &mut tx.machine else { return false };
        let mut actions = std::mem::take(&mut self.actions);
        machine.handle_ack(now, &mut actions);
        let deliver = actions.contains(&Action::Deliver);
        actions.clear();
        self.actions = actions;
        self.rearm_server(server);
        deliver
    }

    /// Whether a CANCEL of this INVITE still has an effect; if so, whose it is.
    pub(super) fn cancellable(&self, server: u64) -> Option<u64> {
        let tx = self.servers.get(server)?;
        match &tx.machine {
            Machine::Invite(machine) if machine.is_proceeding() => tx.open.as_ref().map(|open| open.leg),
            _ => None,
        }
    }

    pub(super) fn server_due(&mut self, now: Instant, at: Instant, server: u64) {
        let Some(tx) = self.servers.get_mut(server) else { return };
        if !tx.alarm.is_meant(at) {
            return;
        }
        let mut actions = std::mem::take(&mut self.actions);
        match &mut tx.machine {
            Machine::Invite(machine) => machine.handle_timeout(now, &mut actions),
            Machine::Other(machine) => machine.handle_timeout(now),
        }
        let expired = tx.open.as_ref().is_some_and(|open| open.until.is_some_and(|until| until <= now));
        let flow = tx.flow;
        self.resend_all(flow, &mut actions);
        self.actions = actions;
        match expired {
            true => self.close_server(server),
            false => self.rearm_server(server),
        }
    }

    fn resend_all(&mut self, flow: Flow, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            if let Action::Send(bytes) = action {
                self.counters.resent += 1;
                self.send(flow, bytes);
            }
        }
    }

    /// Forgets what was only there for repeats.
    pub(super) fn absorbed_due(&mut self, key: TransactionKey) {
        match self.by_key.remove(&key) {
            Some(Known::Absorbed { merged }) => drop(self.merged.remove(&merged)),
            Some(Known::Answered(_)) => {}
            Some(Known::Server(_)) | None => return,
        }
        self.absorbed -= 1;
    }

    fn rearm_server(&mut self, server: u64) {
        let Some(tx) = self.servers.get_mut(server) else { return };
        if tx.is_terminated() {
            return self.close_server(server);
        }
        let want = tx.poll_timeout();
        match (&tx.machine, want) {
            (Machine::Invite(machine), Some((until, _))) if machine.is_accepted() => {
                self.reduce_server(server, until, |merged| Known::Absorbed { merged });
            }
            _ => self.clock.set(&mut tx.alarm, want, Due::Server(server)),
        }
    }

    /// Keeps of a transaction only what its repeats need.
    fn reduce_server(&mut self, server: u64, until: Instant, rest: impl FnOnce(u64) -> Known) {
        if let Some((key, merged)) = self.drop_server(server) {
            self.clock.absorb(until, key);
            self.by_key.insert(key, rest(merged));
            self.absorbed += 1;
        }
    }

    fn close_server(&mut self, server: u64) {
        if let Some((key, merged)) = self.drop_server(server) {
            self.by_key.remove(&key);
            self.merged.remove(&merged);
        }
    }

    fn drop_server(&mut self, server: u64) -> Option<(TransactionKey, u64)> {
        let mut tx = self.servers.remove(server)?;
        self.clock.clear(&mut tx.alarm);
        Some((tx.key, tx.merged))
    }
}
