//! The thread of a shard: I/O and decisions of the whole node while one shard is enough (design §5).
//!
//! One turn: read what there is, handle a slice of it, calls in progress first, carry out what the shard says; sleep
//! until the next input or deadline when nothing waits any more.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use media::{
    Command, PortPool,
    driver::{MediaSocket, Worker},
};
use sip_core::{backlog::Backlog, driver::Sockets};
use tokio::sync::{Notify, mpsc};
use tracing::{error, info, warn};

use super::{graph::GraphClient, open, question::Question, recordings, tls};
use crate::{
    certificates::Certificates,
    clock::Clock,
    config::Config,
    journal::{
        Journal,
        fact::{Fact, Micros},
    },
    metrics::{Histogram, MediaCounters, Ports, RecordingCounters, Snapshot},
    prompts::Prompts,
    service::{Service, ServiceState},
    shard::{Input, Output, Shard},
};

/// Ports bound in advance: as many INVITEs can be answered in one turn.
const STOCK: usize = 64;
/// Messages handled before the sockets are read again: what waits is to wait where it is seen.
const SLICE: usize = 32;
/// How often clock and service are looked after.
const CARE_INTERVAL: Duration = Duration::from_millis(200);
/// A larger step of the system clock than this is taken over; facts stay in the order of `seq`.
const CLOCK_TOLERANCE: Micros = 20_000;
/// How long BYEs may wait for their answers when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(4);

/// What signals ask of the shard's thread.
pub enum Order {
    /// A new configuration is in force.
    Reload(Arc<Config>, Arc<Prompts>),
    /// No new calls; end when the last one has ended, at the latest after `limits.drain_timeout`.
    Drain,
    /// End all calls and the process now.
    End,
}

/// Everything the thread owns.
pub struct ShardThread {
    /// The decisions.
    pub shard: Shard,
    /// SIP on the wire.
    pub sockets: Sockets,
    /// The media worker.
    pub worker: Worker,
    /// What became of recordings.
    pub recordings: Arc<recordings::Shared>,
    /// Rings when the worker has said something.
    pub wake: Arc<Notify>,
    /// Where facts go.
    pub journal: Journal,
    /// Where Graph is asked.
    pub graph: GraphClient,
    /// What the admin listener asks.
    pub questions: mpsc::Receiver<Question>,
    /// What signals ask.
    pub orders: mpsc::Receiver<Order>,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Whether new calls are taken, and why not.
    pub service: ServiceState,
    /// Dates instants; the one the shard was made with.
    pub clock: Clock,
}

/// The running thread.
struct Running {
    parts: ShardThread,
    ports: BoundPorts,
    backlog: Backlog,
    facts: Vec<Fact>,
    certificates: Certificates,
    dispatch: Histogram,
    lag: Histogram,
    deadline: Option<Instant>,
    next_care: Instant,
    drained_by: Option<Instant>,
    gone_by: Option<Instant>,
}

/// Ports bound in advance.
struct BoundPorts {
    address: IpAddr,
    pool: PortPool,
    bound: HashMap<u16, MediaSocket>,
}

impl BoundPorts {
    fn quarantined(&self, now: Instant) -> u64 {
        (self.pool.capacity() - self.pool.in_use() - self.pool.free(now)) as u64
    }
}

impl ShardThread {
    /// Runs until it is told to end.
    pub async fn run(self) {
        let now = Instant::now();
        let media = &self.config.media;
        let pool = PortPool::new(media.ports.clone(), media.quarantine);
        let ports = BoundPorts { address: media.address, pool, bound: HashMap::new() };
        let backlog = Backlog::new(self.config.limits.max_lag);
        let mut certificates = Certificates::default();
        certificates.renew(&self.config);
        let mut running = Running {
            parts: self,
            certificates,
            ports,
            backlog,
            facts: Vec::new(),
            dispatch: Histogram::default(),
            lag: Histogram::default(),
            deadline: None,
            next_care: now,
            drained_by: None,
            gone_by: None,
        };
        running.carry_out(now);
        running.parts.service.started();
        running.serve().await;
    }
}

impl Running {
    async fn serve(&mut self) {
        let mut read = Vec::new();
        while !self.is_done(Instant::now()) {
            let wake_at = self.deadline.map_or(self.next_care, |at| at.min(self.next_care));
            let (full, idle) = (self.backlog.is_full(), self.backlog.is_empty());
            tokio::select! {
                biased;
                Some(order) = self.parts.orders.recv() => self.obey(order),
                Some(question) = self.parts.questions.recv() => self.reply(question),
                (number, answer) = self.parts.graph.next() => {
                    self.parts.shard.handle_input(Instant::now(), Input::Graph { number, answer });
                }
                () = self.parts.wake.notified() => {}
                () = self.parts.sockets.next(&mut read), if !full => {}
                // The runtime looks at the sockets meanwhile.
                () = tokio::task::yield_now(), if !idle => {}
                () = tokio::time::sleep_until(wake_at.into()), if idle => {}
            }
            let now = Instant::now();
            if wake_at <= now {
                self.lag.record(now - wake_at);
            }
            self.turn(now, &mut read);
        }
    }

    fn turn(&mut self, now: Instant, read: &mut Vec<sip_core::Input>) {
        read.drain(..).for_each(|input| self.backlog.push(now, input));
        for _ in 0..SLICE {
            let Some(input) = self.backlog.pop(now) else { break };
            self.parts.shard.handle_input(now, Input::Sip(input));
            self.carry_out(now);
        }
        while let Ok(event) = self.parts.worker.events().try_recv() {
            self.parts.shard.handle_input(now, Input::Media(event));
            self.carry_out(now);
        }
        if self.deadline.is_some_and(|at| at <= now) {
            self.parts.shard.handle_timeout(now);
        }
        self.carry_out(now);
        if self.next_care <= now {
            self.care(now);
        }
        if !self.facts.is_empty() {
            self.parts.journal.append_all(self.facts.drain(..));
        }
    }

    /// Carries out what the shard says, in its order.
    fn carry_out(&mut self, now: Instant) {
        loop {
            match self.parts.shard.poll_output() {
                Output::Sip(output) => self.sip(output),
                Output::OpenMedia { port, open } => self.open_media(port, open),
                Output::Media(command) => {
                    let sent = self.parts.worker.send(command);
                    self.note_refused(sent);
                }
                Output::ReleasePort(port) => self.ports.pool.release(now, port),
                Output::Fact(fact) => self.facts.push(fact),
                Output::Graph(ask) => self.parts.graph.ask(ask),
                Output::Dispatched { free_since } => self.dispatch.record(free_since.elapsed()),
                Output::Timeout(at) => {
                    self.deadline = at.map(|(at, _)| at);
                    if !self.stock_up(now) {
                        return;
                    }
                }
            }
        }
    }

    fn sip(&mut self, output: sip_core::Output) {
        match output {
            sip_core::Output::Transmit { flow, bytes } => self.parts.sockets.transmit(flow, bytes),
            sip_core::Output::Resolve { id, target, reach, random } => {
                self.parts.sockets.resolve(id, target, reach, random)
            }
            sip_core::Output::Open { id, transport, remote, server_name, peer } => {
                self.parts.sockets.open(id, transport, remote, server_name, peer)
            }
            sip_core::Output::Close { flow } => self.parts.sockets.close(flow),
            sip_core::Output::Event(_) | sip_core::Output::Timeout(_) => {}
        }
    }

    /// Hands the bound socket to the worker together with the leg that it serves.
    fn open_media(&mut self, port: u16, open: Command) {
        if let Some(socket) = self.ports.bound.remove(&port) {
            let sent = self.parts.worker.open(socket, open);
            self.note_refused(sent);
        }
    }

    /// The ring to the worker has room for every command of every admitted call; that it is full is a fault of ours.
    fn note_refused(&self, sent: Result<(), media::driver::Refused>) {
        if let Err(refused) = sent {
            error!(?refused, "the media worker takes no commands: sound of a call is lost");
        }
    }

    /// Binds one more port in advance. True if one was: the shard may have more to say then.
    fn stock_up(&mut self, now: Instant) -> bool {
        while self.parts.shard.ports_in_hand() < STOCK {
            let Some(port) = self.ports.pool.take(now) else { return false };
            match MediaSocket::bind(self.ports.address, port) {
                Ok(socket) => {
                    self.ports.bound.insert(port, socket);
                    self.parts.shard.handle_input(now, Input::Port(port));
                    return true;
                }
                Err(error) => {
                    warn!(port, %error, "media port cannot be bound, another is taken: is media.ports shared with a program?");
                    self.ports.pool.skip(now, port);
                }
            }
        }
        false
    }

    fn obey(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Drain => self.drain(now),
            Order::End => self.end(now),
            Order::Reload(config, prompts) => {
                self.parts.sockets.renew_tls(tls::settings(&config));
                self.parts.sockets.renew_dns(open::dns(&config));
                self.certificates.renew(&config);
                self.parts.config = Arc::clone(&config);
                self.backlog.set_patience(config.limits.max_lag);
                self.parts.shard.handle_input(now, Input::Reload(config, prompts));
            }
        }
    }

    /// Whoever asked may be gone: an answer that nobody awaits is no error.
    fn reply(&mut self, question: Question) {
        let now = Instant::now();
        match question {
            Question::Numbers { reply } => drop(reply.send(self.numbers(now))),
            Question::Status { live, reply } => {
                let mut status = self.parts.shard.status(live, self.parts.service.get());
                status.now = self.parts.clock.at(now);
                status.ports = (self.ports_in_use(), self.ports.quarantined(now));
                drop(reply.send(status));
            }
            Question::Agent { agent, order, reason, reply } => {
                drop(reply.send(self.parts.shard.order(now, &agent, order, &reason)));
            }
            Question::Recording { whose, order, policy, reason, reply } => {
                let asked = (policy.as_deref(), reason.as_str());
                drop(reply.send(self.parts.shard.order_recording(now, &whose, order, asked)));
            }
            Question::Queue { queue, door, reason, reply } => {
                drop(reply.send(self.parts.shard.switch(now, &queue, door, &reason)));
            }
        }
    }

    fn numbers(&self, now: Instant) -> Snapshot {
        let media = self.parts.worker.counters();
        let mut numbers = self.parts.shard.numbers();
        numbers.dispatch = self.dispatch.clone();
        numbers.loop_lag = self.lag.clone();
        numbers.certificates = self.certificates.ends();
        numbers.sip.backlog = self.backlog.len() as u64;
        numbers.sip.backlog_drops = self.backlog.dropped();
        numbers.sip.socket_drops = self.parts.sockets.udp_drops().unwrap_or(0);
        numbers.sip.connections = self.parts.sockets.connections() as u64;
        numbers.sip.mishaps = self.parts.sockets.mishaps();
        numbers.ports = Ports {
            in_use: self.ports_in_use(),
            free: (self.ports.pool.free(now) + self.parts.shard.ports_in_hand()) as u64,
            quarantined: self.ports.quarantined(now),
        };
        numbers.recordings = RecordingCounters {
            gaps: self.parts.recordings.gaps.load(Ordering::Relaxed),
            failed: self.parts.recordings.failed.load(Ordering::Relaxed),
        };
        numbers.media = MediaCounters {
            packets_in: media.engine.received,
            packets_out: media.engine.relayed + media.engine.played,
            rejected: media.engine.rejected,
            srtp_unauthentic: media.engine.srtp_unauthentic,
            srtp_replayed: media.engine.srtp_replayed,
            handshakes: media.engine.handshakes,
            paths_broken: media.engine.paths_broken,
            legs: media.engine.legs,
            rated: [media.engine.rated_good, media.engine.rated_fair, media.engine.rated_poor],
        };
        numbers
    }

    fn ports_in_use(&self) -> u64 {
        (self.ports.pool.in_use().saturating_sub(self.parts.shard.ports_in_hand())) as u64
    }

    fn drain(&mut self, now: Instant) {
        if self.drained_by.is_none() {
            let limit = self.parts.config.limits.drain_timeout;
            info!(
                calls = self.parts.shard.live_calls(),
                ?limit,
                "draining: new calls get 503, present ones go on"
            );
            self.drained_by = Some(now + limit);
            self.parts.service.drain();
            self.tell_service(now);
        }
    }

    fn end(&mut self, now: Instant) {
        if self.gone_by.is_none() {
            self.gone_by = Some(now + LAST_WORDS);
            self.parts.service.drain();
            self.tell_service(now);
            self.parts.shard.handle_input(now, Input::Shutdown);
            self.carry_out(now);
        }
    }

    /// Done when the last call is over and its BYE is answered, or when waiting for that has lasted long enough.
    fn is_done(&mut self, now: Instant) -> bool {
        let no_calls = self.parts.shard.live_calls() == 0;
        if self.drained_by.is_some_and(|at| at <= now || no_calls) {
            self.end(now);
        }
        self.gone_by.is_some_and(|at| at <= now || (no_calls && !self.parts.shard.is_awaiting()))
    }

    /// Follows the system clock, and tells SIP what the node says to those who ask whether it takes calls: OPTIONS
    /// and `/readyz` read one word.
    fn care(&mut self, now: Instant) {
        self.next_care = now + CARE_INTERVAL;
        let clock = Clock::new(now, utc_now());
        if (clock.at(now) - self.parts.clock.at(now)).abs() > CLOCK_TOLERANCE {
            self.parts.clock = clock;
            self.parts.shard.handle_input(now, Input::Clock(clock));
        }
        for news in self.parts.recordings.take_news() {
            self.parts.shard.handle_input(now, Input::Recorder(news));
        }
        for warning in self.certificates.handle_time(self.parts.clock.at(now)) {
            warn!("{warning}");
        }
        self.parts.service.overloaded(self.parts.shard.is_full());
        self.parts.service.unregistered(self.parts.shard.is_cut_off());
        self.tell_service(now);
    }

    fn tell_service(&mut self, now: Instant) {
        let service = match self.parts.service.get() {
            Service::Open => sip_core::Service::Open,
            Service::Draining => sip_core::Service::Draining,
            // What cannot come need not be refused: only those who ask are told.
            Service::NoJournal | Service::Unregistered => sip_core::Service::NoJournal,
            Service::Overloaded | Service::Starting => sip_core::Service::Overloaded,
        };
        self.parts.shard.handle_input(now, Input::Service(service));
        self.carry_out(now);
    }
}

/// UTC microseconds by the system clock.
pub fn utc_now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}
