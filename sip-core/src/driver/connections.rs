//! The connections of one shard: who is there, how many may be, and what waits to be written.

use super::DriverSettings;
use super::counters::Tally;
use super::sockets::Arrival;
use super::stream::{self, Limits};
use crate::endpoint::{Input, OpenId};
use crate::transport::{Flow, Transport};
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Sender, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};

/// All open connections, by number.
pub(super) struct Connections {
    open: HashMap<u32, Connection>,
    /// How many were accepted from each address.
    accepted_from: HashMap<IpAddr, usize>,
    max_per_address: usize,
    places: Arc<Semaphore>,
    last_number: u32,
    connect_timeout: Duration,
    limits: Arc<Limits>,
    to_inbox: Sender<Arrival>,
    tally: Arc<Tally>,
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
            to_inbox,
            tally,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The task that accepts on `socket`.
    pub(super) fn accept(&self, socket: TcpListener, local: SocketAddr) -> impl Future<Output = ()> + use<> {
        stream::accept(socket, local, self.places.clone(), self.to_inbox.clone(), self.tally.clone())
    }

    /// The task that connects; `None` if it cannot be done.
    pub(super) fn open(
        &self,
        id: OpenId,
        transport: Transport,
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let place = self.places.clone().try_acquire_owned().ok().filter(|_| transport == Transport::Tcp);
        let Some(place) = place else {
            self.tally.open_failed.add_one();
            return None;
        };
        let (to_inbox, tally, limit) = (self.to_inbox.clone(), self.tally.clone(), self.connect_timeout);
        Some(async move {
            let arrival = match stream::connect(local, remote, limit).await {
                Ok(stream) => Arrival::Opened { id, stream, place },
                Err(_) => {
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
        local: SocketAddr,
        remote: SocketAddr,
        place: OwnedSemaphorePermit,
        tasks: &mut JoinSet<()>,
    ) {
        let from = self.accepted_from.entry(remote.ip()).or_default();
        if *from >= self.max_per_address {
            self.tally.refused.add_one();
            return;
        }
        *from += 1;
        self.tally.accepted.add_one();
        self.start(stream, local, remote, true, place, tasks);
    }

    /// Starts to read and write a connection of ours.
    pub(super) fn start_opened(
        &mut self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<Flow> {
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        self.tally.opened.add_one();
        Ok(self.start(stream, local, remote, false, place, tasks))
    }

    fn start(
        &mut self,
        stream: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
        accepted: bool,
        place: OwnedSemaphorePermit,
        tasks: &mut JoinSet<()>,
    ) -> Flow {
        let flow = Flow::stream(Transport::Tcp, local, remote, self.number());
        let (channel, queue) = unbounded_channel();
        let max_waiting = self.limits.max_write_queue;
        let writes = Writes { channel, waiting: Arc::default(), max_waiting };
        let machine = stream::Stream {
            flow,
            accepted,
            writes: writes.clone(),
            limits: self.limits.clone(),
            to_inbox: self.to_inbox.clone(),
            tally: self.tally.clone(),
        };
        let task = tasks.spawn(machine.run(stream, queue, place));
        self.open.insert(flow.connection, Connection { flow, accepted, writes, task });
        flow
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

    /// Queues a message. What comes back is the end of a connection whose peer does not read.
    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes) -> Option<Input> {
        let connection = self.open.get(&flow.connection).filter(|connection| connection.flow == flow);
        let Some(connection) = connection else {
            self.tally.stream_messages_lost.add_one();
            return None;
        };
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
        let address = connection.flow.remote.ip();
        if let Some(from) = self.accepted_from.get_mut(&address) {
            *from -= 1;
            if *from == 0 {
                self.accepted_from.remove(&address);
            }
        }
    }
}
