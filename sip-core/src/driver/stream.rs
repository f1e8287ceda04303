//! One connection over TCP, with TLS or without: messages out of its bytes, messages into it, and how long it may take
//! over them.

use super::DriverSettings;
use super::connections::Writes;
use super::counters::Tally;
use super::framing::{Fault, Framing, Heard};
use super::mishap::Mishap;
use super::pings::{Due, Pings};
use super::sockets::Arrival;
use super::tls::{Handshakes, Reading, Secured, Session};
use super::ws::{self, Over};
use crate::endpoint::Input;
use crate::message;
use crate::transport::{Flow, FramingError, Transport};
use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::cell::RefCell;
use std::collections::BTreeMap;
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
    origins: BTreeMap<usize, Arc<[String]>>,
    idle_timeout: Duration,
    ping_interval: Duration,
    pong_timeout: Duration,
    message_timeout: Duration,
    write_timeout: Duration,
}

impl Limits {
    pub(super) fn new(settings: &DriverSettings) -> Limits {
        Limits {
            max_write_queue: settings.max_write_queue,
            message: message::Limits { max_bytes: settings.max_message, ..message::Limits::DEFAULT },
            origins: settings.origins.iter().map(|(at, origins)| (*at, origins.as_slice().into())).collect(),
            idle_timeout: settings.idle_timeout,
            ping_interval: settings.ping_interval,
            pong_timeout: settings.pong_timeout,
            message_timeout: settings.message_timeout,
            write_timeout: settings.write_timeout,
        }
    }

    /// The origins that may come in by a door for WebSocket; `None`: it is none.
    pub(super) fn origins(&self, door: &Door) -> Option<Arc<[String]>> {
        let any = || self.origins.get(&door.position).cloned().unwrap_or_default();
        door.transport.is_web().then(any)
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

/// A listener, as those see it who come in by it.
#[derive(Clone, Copy)]
pub(super) struct Door {
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    /// Its position among the listeners asked for.
    pub(super) position: usize,
}

/// Accepts until nobody wants any more. Without a free place a connection is closed at once: a peer that is told
/// tries elsewhere, one that hangs in the backlog waits.
pub(super) async fn accept(
    socket: TcpListener,
    door: Door,
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
        let local = stream.local_addr().unwrap_or(door.local);
        let door = Door { local, ..door };
        if to_inbox.send(Arrival::Accepted { stream, door, remote, place }).await.is_err() {
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
    Dead,
    Full,
    Unframed,
}

/// One connection, as its task sees it.
pub(super) struct Stream {
    pub(super) flow: Flow,
    pub(super) accepted: bool,
    /// The origins that a page may have; `None`: it is no WebSocket.
    pub(super) origins: Option<Arc<[String]>>,
    pub(super) writes: Writes,
    pub(super) limits: Arc<Limits>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) to_inbox: Sender<Arrival>,
    pub(super) tally: Arc<Tally>,
}

impl Stream {
    /// As [`run`](Self::run), for somebody who has come in by a listener: first the handshake, if it wants one.
    pub(super) async fn run_accepted(
        self,
        (mut stream, door): (TcpStream, Door),
        queue: UnboundedReceiver<Bytes>,
        place: OwnedSemaphorePermit,
    ) {
        // Elsewhere the first message is silently dropped; here an answer would come before it.
        if door.transport.is_web() && !self.handshakes.knows(self.flow.remote) {
            self.tally.refused.add_one();
            return self.report_end(place).await;
        }
        if !door.transport.is_secure() {
            return self.run(stream, None, queue, place).await;
        }
        let Some(secured) = self.handshakes.accept(door.position, &mut stream, self.flow.remote).await else {
            return self.report_end(place).await;
        };
        let Secured { session, peer_names } = secured;
        self.tally.handshakes.add_one();
        if !peer_names.is_empty() {
            let accepted = Input::Accepted { flow: self.flow, peer_names };
            let _ = self.to_inbox.send(Arrival::Input(accepted)).await;
        }
        self.run(stream, Some(session), queue, place).await;
    }

    /// Reads and writes until one of them ends, then reports the end.
    pub(super) async fn run(
        self,
        stream: TcpStream,
        session: Option<Session>,
        queue: UnboundedReceiver<Bytes>,
        place: OwnedSemaphorePermit,
    ) {
        set_options(&stream);
        let (read, mut write) = stream.into_split();
        tokio::select! {
            end = self.read(read, session.as_ref()) => self.count(end),
            () = self.write(&mut write, session.as_ref(), queue) => {}
        }
        if let Some(session) = session {
            let _ = write.try_write(&session.close()); // if there is no room for it, the end of TCP must do
        }
        self.report_end(place).await;
    }

    async fn report_end(&self, place: OwnedSemaphorePermit) {
        drop(place);
        let _ = self.to_inbox.send(Arrival::Input(Input::Closed { flow: self.flow })).await;
    }

    fn count(&self, end: End) {
        match end {
            End::Closed => {}
            End::Idle => self.tally.closed_idle.add_one(),
            End::Slow => self.tally.closed_slow.add_one(),
            End::Dead => self.tally.closed_dead.add_one(),
            End::Full => self.tally.closed_full.add_one(),
            End::Unframed => self.tally.closed_unframed.add_one(),
        }
    }

    async fn read(&self, half: OwnedReadHalf, session: Option<&Session>) -> End {
        let mut framer = Framing::new(&self.limits.message, self.origins.as_deref());
        // The first message is waited for like the rest of a half-read one.
        let mut unfinished_since = self.accepted.then(Instant::now);
        let mut is_new = self.accepted && session.is_none();
        let mut heard_at = Instant::now();
        let Limits { ping_interval, pong_timeout, .. } = *self.limits;
        // Who has connected to us pings us; a browser cannot, but answers.
        let is_ours_to_ping = !self.accepted || self.origins.is_some();
        let mut pings = is_ours_to_ping.then(|| Pings::new(heard_at, ping_interval, pong_timeout));
        // The end of a handshake may have brought the first message along.
        let mut reading = self.open(session, &[], &mut framer);
        loop {
            match self.take_frames(&mut framer, &mut pings).await {
                Err(end) => return end,
                Ok(any) if framer.is_empty() => unfinished_since = unfinished_since.filter(|_| !any),
                // Our own waiting for room in the inbox must not count against the peer.
                Ok(true) => unfinished_since = Some(Instant::now()),
                Ok(false) => unfinished_since = unfinished_since.or_else(|| Some(Instant::now())),
            }
            match reading {
                Ok(Reading::Open) => {}
                Ok(Reading::Ended) => return End::Closed,
                Err(end) => return end,
            }
            let (deadline, late) = match unfinished_since {
                Some(since) => (since + self.limits.message_timeout, End::Slow),
                None => (heard_at + self.limits.idle_timeout, End::Idle),
            };
            let wake_at = pings.as_ref().map_or(deadline, |pings| pings.at().min(deadline));
            match timeout_at(wake_at, half.readable()).await {
                Err(_) if wake_at < deadline => match self.ping(&mut pings) {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
                Err(_) => return late,
                Ok(Err(_)) => return End::Closed,
                Ok(Ok(())) => {}
            }
            heard_at = Instant::now();
            reading = SCRATCH.with_borrow_mut(|scratch| match half.try_read(scratch) {
                Ok(0) => Ok(Reading::Ended),
                Ok(len) if std::mem::take(&mut is_new) => self.take_first(&scratch[..len], &mut framer),
                Ok(len) => self.open(session, &scratch[..len], &mut framer),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Reading::Open),
                Err(_) => Ok(Reading::Ended),
            });
        }
    }

    /// Gives what was read to the framer, out of its seal if it has one.
    fn open(&self, session: Option<&Session>, read: &[u8], framer: &mut Framing) -> Result<Reading, End> {
        let Some(session) = session else {
            framer.push(read);
            return Ok(Reading::Open);
        };
        session.open(read, framer).map_err(|error| {
            self.handshakes.note(self.flow.remote, &Mishap::of_tls(&error));
            End::Closed
        })
    }

    /// The first bytes of a connection tell whether it came to the right port.
    fn take_first(&self, read: &[u8], framer: &mut Framing) -> Result<Reading, End> {
        let is_expected = |mishap: &Mishap| self.origins.is_some() && mishap.kind == "http";
        match Mishap::of_first_bytes(read, false).filter(|mishap| !is_expected(mishap)) {
            Some(mishap) => {
                self.handshakes.note(self.flow.remote, &mishap);
                Err(End::Unframed)
            }
            None => self.open(None, read, framer),
        }
    }

    /// Hands over what is complete: whether there was anything.
    async fn take_frames(&self, framer: &mut Framing, pings: &mut Option<Pings>) -> Result<bool, End> {
        let mut any = false;
        loop {
            let next = framer.next();
            let answers = framer.take_answers();
            if !answers.is_empty() && !self.writes.push(answers) {
                return Err(End::Full);
            }
            match next {
                Ok(None) => return Ok(any),
                Ok(Some(Heard::Life)) => {}
                Ok(Some(Heard::Message(bytes))) => {
                    pings.iter_mut().for_each(Pings::heard);
                    self.deliver(bytes).await?;
                }
                // Two answers in a row look like a ping.
                Ok(Some(heard @ (Heard::Ping | Heard::Pong))) => {
                    let is_answer = pings.as_mut().is_some_and(Pings::answered);
                    if matches!(heard, Heard::Ping) && !is_answer {
                        self.pong()?;
                    }
                }
                Err(Fault::Unframed(error)) => return Err(self.refuse(error).await),
                Err(Fault::Web(over)) => return Err(self.end_web_socket(over).await),
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

    /// Does what is due about pings.
    fn ping(&self, pings: &mut Option<Pings>) -> Result<(), End> {
        match pings.as_mut().map_or(Due::Nothing, |pings| pings.due(Instant::now())) {
            Due::Nothing => Ok(()),
            Due::Send if self.writes.push(self.a_ping()) => Ok(()),
            Due::Send => Err(End::Full),
            Due::Dead => Err(End::Dead),
        }
    }

    fn a_ping(&self) -> Bytes {
        match self.origins {
            Some(_) => ws::ping(),
            None => Bytes::from_static(b"\r\n\r\n"),
        }
    }

    fn pong(&self) -> Result<(), End> {
        self.tally.stream_pings.add_one();
        if self.writes.push(Bytes::from_static(b"\r\n")) { Ok(()) } else { Err(End::Full) }
    }

    /// What is said of that is in the queue already, and has a moment to leave.
    async fn end_web_socket(&self, over: Over) -> End {
        let end = match over {
            Over::Closed => End::Closed,
            Over::Refused(why) => {
                self.handshakes.note(self.flow.remote, &Mishap::no_web_socket(why));
                End::Unframed
            }
        };
        sleep(LAST_WORDS).await;
        end
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

    async fn write(
        &self,
        half: &mut OwnedWriteHalf,
        session: Option<&Session>,
        mut queue: UnboundedReceiver<Bytes>,
    ) {
        loop {
            let message = tokio::select! {
                message = queue.recv() => match message {
                    Some(message) => message,
                    None => return,
                },
                () = has_more(session) => Bytes::new(), // TLS itself has something to say
            };
            let len = message.len();
            let written = match session {
                Some(session) => Bytes::from(session.seal(&message)),
                None => message,
            };
            match timeout(self.limits.write_timeout, half.write_all(&written)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return self.tally.closed_full.add_one(),
            }
            self.writes.waiting.fetch_sub(len, Ordering::Relaxed);
            if len > 0 {
                self.tally.stream_messages_out.add_one();
            }
        }
    }
}

async fn has_more(session: Option<&Session>) {
    match session {
        Some(session) => session.has_more.notified().await,
        None => std::future::pending().await,
    }
}

fn set_options(stream: &TcpStream) {
    // A connection without them is slower or found dead later, but works.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE));
}
