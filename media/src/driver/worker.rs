//! A media worker: one thread, one engine, its legs' sockets. No runtime.
//!
//! Commands come by a bounded ring, events leave by another. Whoever opens a leg reserves room for its commands when
//! the call is admitted, so the ring is made large enough (`commands`) never to be full.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::socket::{Alarm, Bell, MediaSocket};
use super::thread::Thread;
use crate::engine::{COUNTERS, Command, Counters, Event, Recorded};

/// What a worker is made with.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The thread's name, at most 15 bytes are shown by the system. Default `media`.
    pub name: String,
    /// Seed of the random RTCP intervals.
    pub seed: u64,
    /// See [`Settings::silence_timeout`](crate::Settings::silence_timeout). Default 60 s.
    pub silence_timeout: Duration,
    /// See [`Settings::rtcp_interval`](crate::Settings::rtcp_interval). Default 5 s.
    pub rtcp_interval: Duration,
    /// See [`Settings::max_legs`](crate::Settings::max_legs). Default 20,000.
    pub max_legs: usize,
    /// How long the worker looks away from its sockets after each round while there is much to do, from 16,000 packets a
    /// second on: a packet leaves later by that and the length of a round, and costs less. Zero: never. Default 250 µs.
    pub sweep: Duration,
    /// Commands that may wait. Default 65,536.
    pub commands: usize,
    /// Events that may wait. When full, Digit, Tone, Heard, TwoWay, Silent, Unheard, DeadAir and Unauthentic are dropped and counted; Played and
    /// Closed wait in the worker. Default 65,536.
    pub events: usize,
}

impl WorkerSettings {
    /// The defaults.
    pub fn new(seed: u64) -> WorkerSettings {
        WorkerSettings {
            name: "media".into(),
            seed,
            silence_timeout: Duration::from_secs(60),
            rtcp_interval: Duration::from_secs(5),
            max_legs: 20_000,
            sweep: Duration::from_micros(250),
            commands: 65_536,
            events: 65_536,
        }
    }
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The ring of commands is full: more was sent than was reserved.
    #[error("the media worker's ring is full")]
    Full,
    /// The worker has ended.
    #[error("the media worker has ended")]
    Ended,
}

/// What a worker counts: the engine's counters and those of its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerCounters {
    /// The engine's.
    pub engine: Counters,
    /// Sends refused because a socket's buffer was full.
    pub send_blocked: u64,
    /// Sends and receives that brought an ICMP error back (nobody listens there): ignored.
    pub unreachable: u64,
    /// Sends that failed otherwise.
    pub send_failed: u64,
    /// RTCP ports that could not be opened.
    pub rtcp_unopened: u64,
    /// Datagrams larger than any packet of sound, dropped.
    pub oversized: u64,
    /// Events dropped because the router did not read them.
    pub events_dropped: u64,
}

/// The handle of a running worker. Dropping it ends the worker.
#[derive(Debug)]
pub struct Worker {
    orders: Sender<Order>,
    events: Receiver<Event>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What both threads touch.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) bell: Bell,
    pub(super) alarm: Alarm,
    /// [`STILL`], [`SOON`] or [`RINGING`]: what was rung and not yet heard need not be rung again.
    ringing: AtomicU8,
    engine: [AtomicU64; COUNTERS],
    sockets: [AtomicU64; 6],
}

/// Nobody has rung.
const STILL: u8 = 0;
/// The alarm is set.
const SOON: u8 = 1;
/// The bell has been rung.
const RINGING: u8 = 2;

/// How long an order may wait that nobody hears the lack of: a quarter of a packet of sound.
const PATIENCE: Duration = Duration::from_millis(5);

/// What comes through the ring.
pub(super) enum Order {
    Open(MediaSocket, Command),
    Command(Command),
    End,
}

impl Worker {
    /// Starts the thread; what it records is thrown away. `wake` is called on it after events have been put out, at most once a round.
    ///
    /// # Errors
    /// No descriptors or no thread to be had.
    pub fn spawn(settings: WorkerSettings, wake: Box<dyn Fn() + Send>) -> io::Result<Worker> {
        Worker::spawn_recording(settings, wake, Box::new(drop))
    }

    /// The same for a worker that records: `store` is called on its thread with every piece of every recording, and
    /// must not wait for anything.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_recording(
        settings: WorkerSettings,
        wake: Box<dyn Fn() + Send>,
        store: Box<dyn FnMut(Recorded) + Send>,
    ) -> io::Result<Worker> {
        let (orders, incoming) = crossbeam_channel::bounded(settings.commands);
        let (outgoing, events) = crossbeam_channel::bounded(settings.events);
        let shared = Arc::new(Shared::new()?);
        let thread = Thread::new(&settings, shared.clone(), incoming, outgoing, wake, store)?;
        let thread = std::thread::Builder::new().name(settings.name).spawn(move || thread.run())?;
        Ok(Worker { orders, events, shared, thread: Some(thread) })
    }

    /// Opens a leg: `command` is its [`Command::Open`], `socket` bound beforehand. What lies in the socket is
    /// thrown away here, before the answer with its port can have reached anybody.
    ///
    /// # Errors
    /// See [`Refused`]; the socket is closed then.
    pub fn open(&self, socket: MediaSocket, command: Command) -> Result<(), Refused> {
        debug_assert!(matches!(command, Command::Open { .. }));
        socket.drain();
        self.order(Order::Open(socket, command))
    }

    /// Tells the engine.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn send(&self, command: Command) -> Result<(), Refused> {
        self.order(Order::Command(command))
    }

    fn order(&self, order: Order) -> Result<(), Refused> {
        let waits = order.waits();
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Disconnected(_) => Refused::Ended,
        })?;
        if waits {
            self.shared.ring_soon()
        } else {
            self.shared.ring()
        }
        Ok(())
    }

    /// Where events come out.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Room left in the ring of commands.
    pub fn room(&self) -> usize {
        self.orders.capacity().unwrap_or(0) - self.orders.len()
    }

    /// The counters as of the worker's last round.
    pub fn counters(&self) -> WorkerCounters {
        self.shared.read()
    }

    /// Closes all legs (each with BYE and [`Event::Closed`]), ends the thread and waits for it.
    pub fn shut_down(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // A full ring is emptied by the thread, which may sleep yet: so this waits no longer than one of its rounds.
        self.shared.bell.ring();
        if self.orders.send(Order::End).is_ok() {
            self.shared.bell.ring();
        }
        if thread.join().is_err() {
            tracing::error!("the media worker had panicked");
        }
    }
}

impl Order {
    /// Whether it is early enough when the next packet comes, or [`PATIENCE`] is over: orders are taken before sockets
    /// are read. Waking the worker for each of them cost a tenth of a call. What is to be *heard* does not wait.
    fn waits(&self) -> bool {
        match self {
            Order::Open(..) => true,
            Order::Command(Command::Play { .. } | Command::PlayOver { .. } | Command::SendDigit { .. })
            | Order::End => false,
            Order::Command(_) => true,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn new() -> io::Result<Shared> {
        Ok(Shared {
            bell: Bell::new()?,
            alarm: Alarm::new()?,
            ringing: AtomicU8::new(STILL),
            engine: [const { AtomicU64::new(0) }; COUNTERS],
            sockets: [const { AtomicU64::new(0) }; 6],
        })
    }

    /// Called after an order was put in. Release pairs with the Acquire in [`hear`](Self::hear).
    fn ring(&self) {
        if self.ringing.swap(RINGING, Ordering::AcqRel) != RINGING {
            self.bell.ring();
        }
    }

    /// The same, with [`PATIENCE`].
    fn ring_soon(&self) {
        // A write in any case: who only read that the alarm is set would not have released his order to the worker that
        // is just hearing it.
        if self.ringing.fetch_max(SOON, Ordering::AcqRel) == STILL {
            self.alarm.set(PATIENCE);
        }
    }

    /// Called before orders are taken out: an order put in after this rings again.
    pub(super) fn hear(&self) {
        self.ringing.swap(STILL, Ordering::AcqRel);
    }

    /// Lets other threads see the counters; they belong together only roughly, so nothing is ordered.
    pub(super) fn publish(&self, counters: &WorkerCounters) {
        let sockets = counters.socket_values();
        for (shared, (_, value)) in self.engine.iter().zip(counters.engine.each()) {
            shared.store(value, Ordering::Relaxed);
        }
        for (shared, value) in self.sockets.iter().zip(sockets) {
            shared.store(value, Ordering::Relaxed);
        }
    }

    fn read(&self) -> WorkerCounters {
        let engine = self.engine.each_ref().map(|count| count.load(Ordering::Relaxed));
        let [send_blocked, unreachable, send_failed, rtcp_unopened, oversized, events_dropped] =
            self.sockets.each_ref().map(|count| count.load(Ordering::Relaxed));
        let engine = Counters::from_values(engine);
        WorkerCounters {
            engine,
            send_blocked,
            unreachable,
            send_failed,
            rtcp_unopened,
            oversized,
            events_dropped,
        }
    }
}

impl WorkerCounters {
    fn socket_values(&self) -> [u64; 6] {
        let WorkerCounters {
            engine: _,
            send_blocked,
            unreachable,
            send_failed,
            rtcp_unopened,
            oversized,
            events_dropped,
        } = *self;
        [send_blocked, unreachable, send_failed, rtcp_unopened, oversized, events_dropped]
    }
}
