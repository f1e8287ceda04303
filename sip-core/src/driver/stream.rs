//! One TCP connection: messages out of its bytes, messages into it, and how long it may take over them.

use super::DriverSettings;
use super::connections::Writes;
use super::counters::Tally;
use super::sockets::Arrival;
use crate::endpoint::Input;
use crate::message;
use crate::transport::{Flow, Framed, FramingError, StreamFramer};
use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{Sender, UnboundedReceiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Bytes read from one connection before the others have their turn.
const READ: usize = 16 * 1_024;
/// Connections the kernel completes while we do not accept.
const BACKLOG: i32 = 1_024;
/// A pause after accepting failed: out of descriptors, it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the answer to a message that broke the framing may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Silence after which TCP itself asks whether the peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

thread_local! {
    /// What all connections of a thread read into: an idle one holds no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// What each connection is held to.
pub(super) struct Limits {
    pub(super) max_write_queue: usize,
    message: message::Limits,
    idle_timeout: Duration,
    message_timeout: Duration,
    write_timeout: Duration,
}

impl Limits {
    pub(super) fn new(settings: &DriverSettings) -> Limits {
        Limits {
            max_write_queue: settings.max_write_queue,
            message: message::Limits { max_bytes: settings.max_message, ..message::Limits::DEFAULT },
            idle_timeout: settings.idle_timeout,
            message_timeout: settings.message_timeout,
            write_timeout: settings.write_timeout,
        }
    }
}

/// Binds a listener that can be bound again as soon as we have ended.
pub(super) fn listen(local: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, Some(Protocol::TCP))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until nobody wants any more. Without a free place a connection is closed at once: a peer that is told
/// tries elsewhere, one that hangs in the backlog waits.
pub(super) async fn accept(
    socket: TcpListener,
    local: SocketAddr,
    places: Arc<Semaphore>,
    to_inbox: Sender<Arrival>,
    tally: Arc<Tally>,
) {
    loop {
        let Ok((stream, remote)) = socket.accept().await else {
            tally.accept_errors.add_one();
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tally.refused.add_one();
            continue;
        };
        let local = stream.local_addr().unwrap_or(local);
        if to_inbox.send(Arrival::Accepted { stream, local, remote, place }).await.is_err() {
            return;
        }
    }
}

/// Connects from `local`, if given, with a port of the kernel's choice.
pub(super) async fn connect(
    local: Option<IpAddr>,
    remote: SocketAddr,
    limit: Duration,
) -> io::Result<TcpStream> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(ip) = local {
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    timeout(limit, socket.connect(remote)).await?
}

/// Why reading ended.
enum End {
    Closed,
    Idle,
    Slow,
    Full,
    Unframed,
}

/// One connection, as its task sees it.
pub(super) struct Stream {
    pub(super) flow: Flow,
    pub(super) accepted: bool,
    pub(super) writes: Writes,
    pub(super) limits: Arc<Limits>,
    pub(super) to_inbox: Sender<Arrival>,
    pub(super) tally: Arc<Tally>,
}

impl Stream {
    /// Reads and writes until one of them ends, then reports the end.
    pub(super) async fn run(
        self,
        stream: TcpStream,
        queue: UnboundedReceiver<Bytes>,
        place: OwnedSemaphorePermit,
    ) {
        set_options(&stream);
        let (read, write) = stream.into_split();
        tokio::select! {
            end = self.read(read) => self.count(end),
            () = self.write(write, queue) => {}
        }
        drop(place);
        let _ = self.to_inbox.send(Arrival::Input(Input::Closed { flow: self.flow })).await;
    }

    fn count(&self, end: End) {
        match end {
            End::Closed => {}
            End::Idle => self.tally.closed_idle.add_one(),
            End::Slow => self.tally.closed_slow.add_one(),
            End::Full => self.tally.closed_full.add_one(),
            End::Unframed => self.tally.closed_unframed.add_one(),
        }
    }

    async fn read(&self, half: OwnedReadHalf) -> End {
        let mut framer = StreamFramer::new(self.limits.message.clone());
        // The first message is waited for like the rest of a half-read one.
        let mut unfinished_since = self.accepted.then(Instant::now);
        loop {
            let (deadline, late) = match unfinished_since {
                Some(since) => (since + self.limits.message_timeout, End::Slow),
                None => (Instant::now() + self.limits.idle_timeout, End::Idle),
            };
            match timeout_at(deadline, half.readable()).await {
                Err(_) => return late,
                Ok(Err(_)) => return End::Closed,
                Ok(Ok(())) => {}
            }
            let read = SCRATCH.with_borrow_mut(|scratch| {
                half.try_read(scratch).inspect(|len| framer.push(&scratch[..*len]))
            });
            match read {
                Ok(0) => return End::Closed,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => return End::Closed,
            }
            match self.take_frames(&mut framer).await {
                Err(end) => return end,
                Ok(_) if framer.is_empty() => unfinished_since = None,
                // Our own waiting for room in the inbox must not count against the peer.
                Ok(true) => unfinished_since = Some(Instant::now()),
                Ok(false) => unfinished_since = unfinished_since.or_else(|| Some(Instant::now())),
            }
        }
    }

    /// Hands over what is complete: whether there was anything.
    async fn take_frames(&self, framer: &mut StreamFramer) -> Result<bool, End> {
        let mut any = false;
        loop {
            match framer.next() {
                Ok(None) => return Ok(any),
                Ok(Some(Framed::Message(bytes))) => self.deliver(bytes).await?,
                Ok(Some(Framed::KeepAlivePing)) => self.pong()?,
                Ok(Some(Framed::KeepAlivePong)) => {}
                Err(error) => return Err(self.refuse(error).await),
            }
            any = true;
        }
    }

    /// Waits while the inbox is full: so long nothing is read.
    async fn deliver(&self, bytes: Bytes) -> Result<(), End> {
        self.tally.stream_messages_in.add_one();
        let input = Input::Received { flow: self.flow, bytes };
        self.to_inbox.send(Arrival::Input(input)).await.map_err(|_| End::Closed)
    }

    fn pong(&self) -> Result<(), End> {
        self.tally.stream_pings.add_one();
        if self.writes.push(Bytes::from_static(b"\r\n")) { Ok(()) } else { Err(End::Full) }
    }

    /// Nobody knows where the next message begins. The endpoint gets the head, to answer it, and the answer a
    /// moment to leave.
    async fn refuse(&self, error: FramingError) -> End {
        if let Some(head) = error.head()
            && self.deliver(head.clone()).await.is_ok()
        {
            sleep(LAST_WORDS).await;
        }
        End::Unframed
    }

    async fn write(&self, mut half: OwnedWriteHalf, mut queue: UnboundedReceiver<Bytes>) {
        while let Some(bytes) = queue.recv().await {
            match timeout(self.limits.write_timeout, half.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return self.tally.closed_full.add_one(),
            }
            self.writes.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
            self.tally.stream_messages_out.add_one();
        }
    }
}

fn set_options(stream: &TcpStream) {
    // A connection without them is slower or found dead later, but works.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE));
}
