//! All sockets of one shard behind one `next`.

use super::connections::{Connections, Dial, Opened};
use super::counters::{Counters, Tally};
use super::mishap::Mishaps;
use super::resolve::Resolver;
use super::stream::Door;
use super::tls::{Handshakes, TlsSettings};
use super::udp::{BURST, Buffers, Udp};
use super::{DnsSettings, DriverSettings, icmp, stream};
use crate::endpoint::{Input, OpenId, ResolveId};
use crate::locate::{Answer, Query, Reach};
use crate::transport::{Flow, Listener, PeerId, Target, Transport};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

/// The longest UDP payload there is, and a byte more.
const SCRATCH: usize = 65_536;
/// So many `next` in a row may find something without waiting before the tasks of the connections get a turn.
const TURNS: u32 = 4;

/// What the tasks of connections, listeners and the resolver have for us.
pub(super) enum Arrival {
    Input(Input),
    Accepted { stream: TcpStream, door: Door, remote: SocketAddr, place: OwnedSemaphorePermit },
    Opened(Box<Opened>),
    LookedUp { query: Query, answer: Answer },
}

/// The sockets of one shard: UDP, TCP and TLS listeners, connections, and the resolver.
///
/// It must live inside a current-thread tokio runtime with I/O and time. Whoever is dropped with it is closed.
///
/// Back-pressure: `next` reads a bounded burst. What is not read waits in the kernel: datagrams until its buffer
/// is full (then it drops, see [`udp_drops`](Sockets::udp_drops)), streams until their peers' sends block.
pub struct Sockets {
    udp: Vec<Udp>,
    streams: Vec<Listener>,
    connections: Connections,
    resolver: Resolver,
    /// Inputs made here, not by a task.
    ready: Vec<Input>,
    inbox: Receiver<Arrival>,
    to_inbox: Sender<Arrival>,
    tasks: JoinSet<()>,
    scratch: Box<[u8]>,
    turns: u32,
    tally: Arc<Tally>,
    handshakes: Arc<Handshakes>,
    mishaps: Arc<Mishaps>,
}

/// A listener that could not be bound.
#[derive(Debug)]
pub struct Unbound {
    /// Which one: an index into those asked for.
    pub listener: usize,
    /// Mostly `AddrInUse` or `AddrNotAvailable`.
    pub error: io::Error,
}

impl Sockets {
    /// Binds all listeners, or none. Port 0 takes a free one: [`listeners`](Sockets::listeners) tells which.
    ///
    /// # Errors
    /// Every listener that could not be bound, in their order.
    pub fn bind(listeners: &[Listener], settings: DriverSettings) -> Result<Sockets, Vec<Unbound>> {
        let tally = Arc::new(Tally::default());
        let mishaps = Arc::new(Mishaps::default());
        let handshakes = Arc::new(Handshakes::new(&settings, settings.tls.clone(), mishaps.clone()));
        let (to_inbox, inbox) = channel(settings.inbox.max(1));
        let mut sockets = Sockets {
            udp: Vec::new(),
            streams: Vec::new(),
            connections: Connections::new(&settings, handshakes.clone(), to_inbox.clone(), tally.clone()),
            resolver: Resolver::new(&settings, to_inbox.clone(), tally.clone()),
            ready: Vec::new(),
            inbox,
            to_inbox,
            tasks: JoinSet::new(),
            scratch: vec![0; SCRATCH].into(),
            turns: 0,
            tally,
            handshakes,
            mishaps,
        };
        let mut unbound = Vec::new();
        for (listener, asked) in listeners.iter().enumerate() {
            if let Err(error) = sockets.listen(listener, asked, &settings) {
                unbound.push(Unbound { listener, error });
            }
        }
        if unbound.is_empty() { Ok(sockets) } else { Err(unbound) }
    }

    fn listen(&mut self, position: usize, listener: &Listener, settings: &DriverSettings) -> io::Result<()> {
        match listener.transport {
            Transport::Udp => {
                let udp = Udp::bind(listener, settings, self.tally.clone())?;
                self.tasks.spawn(icmp::watch(udp.socket.clone(), self.to_inbox.clone(), self.tally.clone()));
                self.udp.push(udp);
            }
            transport => {
                let socket = stream::listen(listener.local)?;
                let local = socket.local_addr()?;
                self.streams.push(Listener { local, ..listener.clone() });
                self.tasks.spawn(self.connections.accept(socket, Door { transport, local, position }));
            }
        }
        Ok(())
    }

    /// The listeners as bound, UDP first: with the port the kernel chose where 0 was asked for.
    pub fn listeners(&self) -> Vec<Listener> {
        self.udp.iter().map(|udp| udp.listener.clone()).chain(self.streams.iter().cloned()).collect()
    }

    /// Waits until there is at least one input and appends what is there: from each UDP socket up to 64 datagrams,
    /// from everything else about as many.
    ///
    /// It may be dropped while it waits: nothing is lost.
    pub async fn next(&mut self, into: &mut Vec<Input>) {
        if self.turns >= TURNS {
            self.turns = 0;
            tokio::task::yield_now().await;
        }
        self.turns += 1;
        poll_fn(|cx| self.poll_next(cx, into)).await;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, into: &mut Vec<Input>) -> Poll<()> {
        let before = into.len();
        into.append(&mut self.ready);
        for udp in &mut self.udp {
            udp.poll_flush(cx, into);
            udp.poll_read(cx, &mut self.scratch, into);
        }
        self.poll_inbox(cx, into);
        while self.tasks.try_join_next().is_some() {}
        if into.len() > before {
            return Poll::Ready(());
        }
        self.turns = 0;
        Poll::Pending
    }

    fn poll_inbox(&mut self, cx: &mut Context<'_>, into: &mut Vec<Input>) {
        for _ in 0..BURST {
            match self.inbox.poll_recv(cx) {
                Poll::Ready(Some(arrival)) => self.take(arrival, into),
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
        // Not known to be empty: have another look soon.
        cx.waker().wake_by_ref();
    }

    fn take(&mut self, arrival: Arrival, into: &mut Vec<Input>) {
        match arrival {
            Arrival::Input(input) => self.take_input(input, into),
            Arrival::Accepted { stream, door, remote, place } => {
                self.connections.start_accepted(stream, door, remote, place, &mut self.tasks);
            }
            Arrival::Opened(mut opened) => {
                let (id, peer_names) = (opened.id, std::mem::take(&mut opened.peer_names));
                into.push(match self.connections.start_opened(*opened, &mut self.tasks) {
                    Ok(flow) => Input::Opened { id, flow, peer_names },
                    Err(_) => Input::OpenFailed { id },
                });
            }
            Arrival::LookedUp { query, answer } => {
                self.resolver.answered(&query, answer, into, &mut self.tasks);
            }
        }
    }

    /// What a connection had read before it was closed on our side came too late: the flow has ended, and nobody would
    /// ever hear of its end again.
    fn take_input(&mut self, input: Input, into: &mut Vec<Input>) {
        let flow = match &input {
            Input::Received { flow, .. } | Input::Accepted { flow, .. } | Input::Closed { flow } => *flow,
            _ => return into.push(input),
        };
        if flow.is_reliable() && !self.connections.is_open(&flow) {
            return;
        }
        if matches!(input, Input::Closed { .. }) {
            self.connections.forget(&flow);
        }
        into.push(input);
    }

    /// Sends on a flow. A datagram that can never arrive gives [`Input::Unreachable`], a stream whose peer does
    /// not read is closed; what is sent on a connection that is gone is counted, for its `Closed` tells.
    pub fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        if flow.transport != Transport::Udp {
            self.ready.extend(self.connections.send(flow, bytes));
            return;
        }
        let socket = self.udp.iter_mut().find(|udp| udp.listener.local == flow.local);
        let sent = socket.is_some_and(|udp| udp.send(flow.remote, bytes).is_ok());
        if !sent {
            self.ready.push(Input::Unreachable { remote: flow.remote });
        }
    }

    /// Opens a connection; `next` gives [`Input::Opened`] or [`Input::OpenFailed`] for it. With TLS the far end's
    /// certificate must be what the settings of `peer` want, and carry `server_name` if they name no other.
    pub fn open(
        &mut self,
        id: OpenId,
        transport: Transport,
        remote: SocketAddr,
        server_name: Option<String>,
        peer: Option<PeerId>,
    ) {
        let local = self.streams.iter().map(|listener| listener.local.ip());
        let local = local.into_iter().find(|ip| ip.is_ipv4() == remote.is_ipv4() && !ip.is_unspecified());
        match self.connections.open(Dial { id, transport, local, remote, server_name, peer }) {
            Some(task) => drop(self.tasks.spawn(task)),
            None => self.ready.push(Input::OpenFailed { id }),
        }
    }

    /// Closes a connection of ours or theirs. [`Input::Closed`] follows as for any other, and nothing after it: messages
    /// that the caller already holds may have come over it.
    pub fn close(&mut self, flow: Flow) {
        if self.connections.is_open(&flow) {
            self.connections.forget(&flow);
            self.ready.push(Input::Closed { flow });
        }
    }

    /// Looks up what a target means (RFC 3263 §4); `next` gives [`Input::Resolved`] for it. `random` decides among
    /// entries of the same priority. A literal address and what is still remembered need no question.
    pub fn resolve(&mut self, id: ResolveId, target: Target, reach: Reach, random: u64) {
        self.resolver.resolve(id, (target, reach), random, &mut self.ready, &mut self.tasks);
    }

    /// From now on names are asked of these servers, everything anew; what is remembered is used if they fail.
    pub fn renew_dns(&mut self, dns: DnsSettings) {
        self.resolver.renew(dns);
    }

    /// Handshakes that begin from now on go by these certificates and this trust. Connections that are open stay so.
    pub fn renew_tls(&mut self, tls: TlsSettings) {
        self.handshakes.renew(tls);
    }

    /// What came to nothing before a message was read, by kind: bad certificates, other protocols, and so on.
    pub fn mishaps(&self) -> BTreeMap<&'static str, u64> {
        self.mishaps.counts()
    }

    /// Connections now open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// What has been counted since the start.
    pub fn counters(&self) -> Counters {
        self.tally.read()
    }

    /// The kernel buffers that the UDP sockets really have.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn buffers(&self) -> io::Result<Vec<Buffers>> {
        self.udp.iter().map(Udp::buffers).collect()
    }

    /// Datagrams that the kernel dropped because they were not read in time, on all UDP sockets since they were
    /// bound. Reads `/proc/net/udp`, so ask when metrics are scraped, not for each message.
    ///
    /// # Errors
    /// When `/proc` is not there or not as Linux has it.
    pub fn udp_drops(&self) -> io::Result<u64> {
        self.udp.iter().map(Udp::drops).sum()
    }
}
