//! The connections of one shard: who is there, how many may be, and what waits to be written.

use super::DriverSettings;
use super::counters::Tally;
use super::sockets::Arrival;
use super::stream::{self, Door, Limits};
use super::tls::{Handshakes, Secured, Session};
use super::ws;
use crate::endpoint::{Input, OpenId};
use crate::transport::{Flow, PeerId, Transport, place_of};
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};

/// All open connections, by number.
pub(super) struct Connections {
    open: HashMap<u32, Connection>,
    /// How many were accepted from each address, or /64 of IPv6.
    accepted_from: HashMap<IpAddr, usize>,
    max_per_address: usize,
    places: Arc<Semaphore>,
    last_number: u32,
    connect_timeout: Duration,
    limits: Arc<Limits>,
    handshakes: Arc<Handshakes>,
    to_inbox: Sender<Arrival>,
    tally: Arc<Tally>,
}

/// A connection to be opened.
pub(super) struct Dial {
    pub(super) id: OpenId,
    pub(super) transport: Transport,
    /// Our address, if it matters.
    pub(super) local: Option<IpAddr>,
    pub(super) remote: SocketAddr,
    pub(super) server_name: Option<String>,
    pub(super) peer: Option<PeerId>,
}

/// A connection that was opened.
pub(super) struct Opened {
    pub(super) id: OpenId,
    transport: Transport,
    stream: TcpStream,
    session: Option<Session>,
    pub(super) peer_names: Vec<String>,
    place: OwnedSemaphorePermit,
}

struct Connection {
    flow: Flow,
    accepted: bool,
    writes: Writes,
    task: AbortHandle,
}

/// The way to one connection's writer. The channel itself has no bound: the bytes in it have.
#[derive(Clone)]
pub(super) struct Writes {
    channel: UnboundedSender<Bytes>,
    pub(super) waiting: Arc<AtomicUsize>,
    max_waiting: usize,
}

impl Writes {
    /// `false`: too much waits already.
    pub(super) fn push(&self, bytes: Bytes) -> bool {
        let len = bytes.len();
        if self.waiting.load(Ordering::Relaxed) + len > self.max_waiting {
            return false;
        }
        self.waiting.fetch_add(len, Ordering::Relaxed);
        self.channel.send(bytes).is_ok()
    }
}

impl Connections {
    pub(super) fn new(
        settings: &DriverSettings,
        handshakes: Arc<Handshakes>,
        to_inbox: Sender<Arrival>,
        tally: Arc<Tally>,
    ) -> Connections {
        Connections {
            open: HashMap::new(),
            accepted_from: HashMap::new(),
            max_per_address: settings.max_connections_per_address,
            places: Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS))),
            last_number: 0,
            connect_timeout: settings.connect_timeout,
            limits: Arc::new(Limits::new(settings)),
            handshakes,
            to_inbox,
            tally,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The task that accepts on `socket`.
    pub(super) fn accept(&self, socket: TcpListener, door: Door) -> impl Future<Output = ()> + use<> {
        stream::accept(socket, door, self.places.clone(), self.to_inbox.clone(), self.tally.clone())
    }

    /// The task that connects; `None` if it cannot be done.
    pub(super) fn open(&self, dial: Dial) -> Option<impl Future<Output = ()> + use<>> {
        let spoken = matches!(dial.transport, Transport::Tcp | Transport::Tls);
        let place = self.places.clone().try_acquire_owned().ok().filter(|_| spoken);
        let Some(place) = place else {
            self.tally.open_failed.add_one();
            return None;
        };
        let (to_inbox, tally, limit) = (self.to_inbox.clone(), self.tally.clone(), self.connect_timeout);
        let handshakes = self.handshakes.clone();
        Some(async move {
            let id = dial.id;
            let arrival = match connect(dial, place, limit, &handshakes).await {
                Some(opened) => Arrival::Opened(Box::new(opened)),
                None => {
                    tally.open_failed.add_one();
                    Arrival::Input(Input::OpenFailed { id })
                }
            };
            let _ = to_inbox.send(arrival).await; // fails only when all is being dropped
        })
    }

    /// Starts to read and write an accepted connection, unless its address has too many already.
    pub(super) fn start_accepted(
        &mut self,
        stream: TcpStream,
        door: Door,
        remote: SocketAddr,
        place: OwnedSemaphorePermit,
        tasks: &mut JoinSet<()>,
    ) {
        let from = self.accepted_from.entry(place_of(remote.ip())).or_default();
        if *from >= self.max_per_address {
            self.tally.refused.add_one();
            return;
        }
        *from += 1;
        self.tally.accepted.add_one();
        let flow = Flow::stream(door.transport, door.local, remote, self.number());
        let origins = self.limits.origins(&door);
        self.start(flow, (true, origins), tasks, |machine, queue| {
            machine.run_accepted((stream, door), queue, place)
        });
    }

    /// Starts to read and write a connection of ours.
    pub(super) fn start_opened(&mut self, opened: Opened, tasks: &mut JoinSet<()>) -> io::Result<Flow> {
        let Opened { transport, stream, session, place, .. } = opened;
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        self.tally.opened.add_one();
        self.tally.handshakes.add(u64::from(session.is_some()));
        let flow = Flow::stream(transport, local, remote, self.number());
        self.start(flow, (false, None), tasks, |machine, queue| machine.run(stream, session, queue, place));
        Ok(flow)
    }

    fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        flow: Flow,
        (accepted, origins): (bool, Option<Arc<[String]>>),
        tasks: &mut JoinSet<()>,
        run: impl FnOnce(stream::Stream, UnboundedReceiver<Bytes>) -> F,
    ) {
        let (channel, queue) = unbounded_channel();
        let max_waiting = self.limits.max_write_queue;
        let writes = Writes { channel, waiting: Arc::default(), max_waiting };
        let machine = stream::Stream {
            flow,
            accepted,
            origins,
            writes: writes.clone(),
            limits: self.limits.clone(),
            handshakes: self.handshakes.clone(),
            to_inbox: self.to_inbox.clone(),
            tally: self.tally.clone(),
        };
        let task = tasks.spawn(run(machine, queue));
        self.open.insert(flow.connection, Connection { flow, accepted, writes, task });
    }

    /// A number that no open connection has; never 0.
    fn number(&mut self) -> u32 {
        loop {
            self.last_number = self.last_number.wrapping_add(1);
            if self.last_number != 0 && !self.open.contains_key(&self.last_number) {
                return self.last_number;
            }
        }
    }

    /// Whether this very connection is open.
    pub(super) fn is_open(&self, flow: &Flow) -> bool {
        self.open.get(&flow.connection).is_some_and(|connection| connection.flow == *flow)
    }

    /// Queues a message. What comes back is the end of a connection whose peer does not read.
    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes) -> Option<Input> {
        let connection = self.open.get(&flow.connection).filter(|connection| connection.flow == flow);
        let Some(connection) = connection else {
            self.tally.stream_messages_lost.add_one();
            return None;
        };
        let bytes = if flow.transport.is_web() { ws::framed(&bytes) } else { bytes };
        if connection.writes.push(bytes) {
            return None;
        }
        self.tally.closed_full.add_one();
        self.forget(&flow);
        Some(Input::Closed { flow })
    }

    /// Closes a connection, or takes note that it is closed.
    pub(super) fn forget(&mut self, flow: &Flow) {
        let Some(connection) = self.open.remove(&flow.connection) else { return };
        connection.task.abort();
        if !connection.accepted {
            return;
        }
        let address = place_of(connection.flow.remote.ip());
        if let Some(from) = self.accepted_from.get_mut(&address) {
            *from -= 1;
            if *from == 0 {
                self.accepted_from.remove(&address);
            }
        }
    }
}

/// Connects and, if it has to be, shakes hands.
async fn connect(
    dial: Dial,
    place: OwnedSemaphorePermit,
    limit: Duration,
    handshakes: &Handshakes,
) -> Option<Opened> {
    let Dial { id, transport, local, remote, server_name, peer } = dial;
    let mut stream = stream::connect(local, remote, limit).await.ok()?;
    let (session, peer_names) = if transport.is_secure() {
        let expected = (peer, server_name.as_deref());
        let Secured { session, peer_names } = handshakes.connect(&mut stream, expected, remote).await?;
        (Some(session), peer_names)
    } else {
        (None, Vec::new())
    };
    Some(Opened { id, transport, stream, session, peer_names, place })
}
