//! The whole of sip-core for one shard: bytes and commands in; bytes, events and the next deadline out.
//!
//! A request is screened by its source, matched to a transaction, then to a dialog. What the
//! caller of the endpoint decides comes back as a command on a [`LegKey`]. After each input and each
//! command drain [`Endpoint::poll_output`] until [`Output::Timeout`].

mod ask;
mod callee;
mod caller;
mod clients;
mod clock;
mod counters;
mod door;
mod doubts;
mod ending;
mod event;
mod forks;
mod inbound;
mod info;
mod inside;
mod io;
mod legs;
mod origin;
mod outside;
mod proofs;
mod refer;
mod refusal;
mod reliable;
mod replaces;
mod requests;
mod roads;
mod seeks;
mod servers;
mod sessions;
mod settings;
mod slots;
mod terms;
mod updates;
mod write;

pub use ask::Ask;
pub use counters::{ByStatus, Counters};
pub use event::{EarlyId, Event, FailCause, HangUp, Invite, Reply, RequestKey};
pub use io::{Input, OpenId, Output, ResolveId};
pub use origin::OwnName;
pub use refusal::Refusal;
pub use replaces::Named;
pub use settings::{Service, Settings, Urgent};
pub use terms::{Reliability, Terms};

use crate::auth::Guard;
use crate::key::LegKey;
use crate::token::Mint;
use crate::transaction::{Action, Keys, TransactionKey};
use crate::transport::{Flow, PeerId, Sources, Transport};
use bytes::Bytes;
use clients::ClientTx;
use clock::{Clock, Due};
use doubts::Doubts;
use legs::{Hop, Leg};
use origin::Origins;
use roads::Roads;
use seeks::{Openings, Seek, Work};
use servers::{Known, ServerTx};
use slots::Slots;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// SIP for one shard: transactions, dialogs and the ways between. It does no I/O and knows no clock.
pub struct Endpoint {
    settings: Settings,
    origins: Origins,
    mint: Mint,
    keys: Keys,
    sources: Sources,
    terms: BTreeMap<PeerId, Terms>,
    service: Service,
    urgent: Urgent,
    refusals: HashMap<PeerId, Refusal>,
    /// The message at hand has waited too long for a new call to be taken.
    late: bool,
    guard: Option<Box<Guard>>,
    legs: Slots<Leg>,
    clients: Slots<ClientTx>,
    servers: Slots<ServerTx>,
    /// Server transactions by what tells them apart.
    by_key: HashMap<TransactionKey, Known>,
    /// How many of those are only absorbed any more.
    absorbed: usize,
    /// INVITEs outside dialogs, by what two copies of one over different paths have in common.
    merged: HashMap<u64, TransactionKey>,
    seeks: Slots<Seek>,
    openings: Openings,
    roads: Roads,
    doubts: Doubts,
    clock: Clock,
    out: VecDeque<Output>,
    counters: Counters,
    /// Kept for its room only.
    actions: Vec<Action>,
}

/// The leg of a request that belongs to none: no generation is 0, so no leg has this key.
const NO_LEG: u64 = 0;

/// Deadlines that one [`Endpoint::handle_timeout`] brings to an end.
const MOST_AT_ONCE: usize = 100_000;

/// How long a response may wait for a new connection when its own is gone.
const REOPEN_TIMEOUT: Duration = Duration::from_secs(10);

impl Endpoint {
    /// An endpoint that takes nothing from anybody until [`set_sources`](Self::set_sources).
    pub fn new(settings: Settings) -> Endpoint {
        let owner = settings.owner;
        let mint = Mint::new(settings.seed, owner);
        let mut key_seed = [0; 16];
        for (at, part) in [b"server transactions", &b"server transaction keys"[..]].iter().enumerate() {
            key_seed[at * 8..at * 8 + 8].copy_from_slice(&mint.seal.hash(&[part]).to_be_bytes());
        }
        Endpoint {
            origins: Origins::new(&settings.listeners),
            keys: Keys::new(&key_seed),
            mint,
            sources: Sources::new(),
            terms: BTreeMap::new(),
            service: Service::Open,
            urgent: Urgent::default(),
            refusals: HashMap::new(),
            late: false,
            guard: None,
            legs: Slots::new(owner, settings.max_legs),
            clients: Slots::new(owner, settings.max_transactions),
            servers: Slots::new(owner, settings.max_transactions),
            by_key: HashMap::new(),
            absorbed: 0,
            merged: HashMap::new(),
            seeks: Slots::new(owner, settings.max_pending),
            openings: Openings::default(),
            roads: Roads::default(),
            doubts: Doubts::default(),
            clock: Clock::new(),
            out: VecDeque::new(),
            counters: Counters::default(),
            actions: Vec::new(),
            settings,
        }
    }

    /// Who may talk to us from now on.
    pub fn set_sources(&mut self, sources: Sources) {
        self.sources = sources;
    }

    /// Which calls are taken all the same from now on.
    pub fn set_urgent(&mut self, urgent: Urgent) {
        self.urgent = urgent;
    }

    /// Whether new calls are welcome from now on. Calls in progress do not notice.
    pub fn set_service(&mut self, service: Service) {
        self.service = service;
    }

    /// What each peer hears when its calls are not taken, from now on; who is not named hears 503.
    pub fn set_refusals(&mut self, refusals: HashMap<PeerId, Refusal>) {
        self.refusals = refusals;
    }

    /// What has been counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Transactions of both sides that exist now, those that only absorb repeats included.
    pub fn live_transactions(&self) -> usize {
        self.clients.len() + self.servers.len() + self.absorbed
    }

    /// Legs that exist now, those that only linger included.
    pub fn live_legs(&self) -> usize {
        self.legs.len()
    }

    /// Whether a far end is still to answer a request of ours or to acknowledge an answer: who wants to go may wait for
    /// that. What only lingers for repeats is not waited for. Looks at everything there is.
    pub fn is_awaiting(&self) -> bool {
        self.seeks.iter().any(Seek::is_awaited)
            || self.clients.iter().any(ClientTx::is_awaited)
            || self.servers.iter().any(ServerTx::is_unacknowledged)
            || self.legs.iter().any(|leg| leg.unacked.is_some())
    }

    /// The leg whose INVITE of ours has this Call-ID, also if it is over: a new call that has it is ours come back.
    pub fn leg_of_call_id(&self, call_id: &[u8]) -> Option<LegKey> {
        self.mint.seal.read(crate::token::Kind::CallId, call_id).map(LegKey)
    }

    /// The Call-ID of an INVITE of ours, until it is answered or has failed.
    pub fn call_id(&self, leg: LegKey) -> Option<&Bytes> {
        self.legs.get(leg.0)?.outgoing.as_ref().map(|outgoing| &outgoing.call_id)
    }

    /// Forbids TCP for large requests of this leg, as [`Invite::udp_only`] does for legs of ours.
    pub fn set_udp_only(&mut self, leg: LegKey, udp_only: bool) {
        if let Some(leg) = self.legs.get_mut(leg.0) {
            leg.udp_only = udp_only;
        }
    }

    /// Takes in what the outside world did.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { flow, bytes } => self.received(now, flow, bytes),
            Input::Late { flow, bytes } => {
                self.late = true;
                self.received(now, flow, bytes);
                self.late = false;
            }
            Input::Resolved { id, located } => self.resolved(now, id, located),
            Input::Opened { id, flow, peer_names } => self.opened(now, id, flow, peer_names),
            Input::Accepted { flow, peer_names } => self.accepted(flow, peer_names),
            Input::OpenFailed { id } => self.open_failed(now, id),
            Input::Closed { flow } => self.closed(now, flow),
            Input::Unreachable { remote } => self.unreachable(now, remote),
        }
    }

    /// Does what is due at `now`; a call too early does nothing. If that is very much, the rest stays due at once, so that
    /// what has come in meanwhile has its turn.
    pub fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..MOST_AT_ONCE {
            let Some((at, due)) = self.clock.pop(now) else { return };
            match due {
                Due::Client(client) => self.client_due(now, at, client),
                Due::Server(server) => self.server_due(now, at, server),
                Due::Absorbed(key) => self.absorbed_due(key),
                Due::Leg(leg) => self.leg_due(now, at, leg),
                Due::Seek(seek) => self.seek_due(now, at, seek),
            }
        }
    }

    /// What is to be done next, in order; [`Output::Timeout`] when that is all for now.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        self.counters.live_transactions = self.live_transactions() as u64;
        self.counters.live_legs = self.live_legs() as u64;
        self.counters.live_pending = self.seeks.len() as u64;
        Output::Timeout(self.clock.next().map(|(at, due)| (at, self.why(due))))
    }

    /// Which timer a deadline is; a stale one only wakes.
    fn why(&self, due: Due) -> &'static str {
        let timer = match due {
            Due::Client(client) => self.clients.get(client).and_then(ClientTx::poll_timeout),
            Due::Server(server) => self.servers.get(server).and_then(ServerTx::poll_timeout),
            Due::Leg(leg) => self.legs.get(leg).and_then(Leg::poll_timeout),
            Due::Absorbed(_) => return "L or J",
            Due::Seek(_) => return "next hop",
        };
        timer.map_or("stale", |(_, name)| name)
    }

    /// No room for a new call.
    fn is_full(&self) -> bool {
        self.legs.is_full() || self.is_busy()
    }

    /// No transaction more for new work; what ends something is always taken.
    fn is_busy(&self) -> bool {
        self.live_transactions() >= self.settings.max_transactions
    }

    /// Closes a connection of ours or theirs: whoever waits on it for a first answer hears that it is gone, dialogs that
    /// began on it open another one. A datagram flow has nothing to close.
    pub fn close(&mut self, now: Instant, flow: Flow) {
        if flow.is_reliable() && self.roads.is_open(&flow) {
            self.closed(now, flow);
            self.out.push_back(Output::Close { flow });
        }
    }

    fn closed(&mut self, now: Instant, flow: Flow) {
        self.roads.closed(flow);
        for client in self.roads.waiting_on(flow.remote, flow.transport, flow.connection) {
            self.client_unreachable(now, client);
        }
    }

    /// ICMP says that datagrams do not arrive: who has heard nothing yet need not wait (RFC 3261 §18.4).
    fn unreachable(&mut self, now: Instant, remote: SocketAddr) {
        for client in self.roads.waiting_on(remote, Transport::Udp, 0) {
            self.client_unreachable(now, client);
        }
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) {
        if self.roads.is_open(&flow) {
            self.counters.sent += 1;
            self.out.push_back(Output::Transmit { flow, bytes });
        }
    }

    /// Sends a response; over a new connection to the address in its Via if its own is gone (RFC 3261 §18.2.2).
    fn send_response(&mut self, now: Instant, flow: Flow, named: Option<SocketAddr>, bytes: Bytes) {
        if self.roads.is_open(&flow) {
            return self.send(flow, bytes);
        }
        let Some(remote) = named else { return };
        let hop = Hop::new(flow.transport, remote, self.sources.find(remote));
        match self.roads.connection(hop) {
            Some(flow) => self.send(flow, bytes),
            None => {
                let until = now + REOPEN_TIMEOUT;
                self.seek_connection(0, Work::Response(bytes), (hop, false), None, until);
            }
        }
    }
}
