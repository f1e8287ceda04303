//! The worker's thread: waits for its sockets, feeds the engine, sends straight from the hot path.

#![allow(clippy::disallowed_methods)] // here is where the clock is read

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::pace::Pace;
use super::socket::{Alarm, MediaSocket, Poller, ROUND};
use super::sockets::Sockets;
use super::worker::{Order, Shared, WorkerCounters, WorkerSettings};
use crate::engine::{Command, Engine, Event, MediaLegKey, Output, Recorded, Settings, Spot};

/// Bytes of the largest datagram taken; sound in packets is far below.
const DATAGRAM: usize = 1_600;
/// Room behind a packet for what SRTP adds.
const TAIL: usize = 64;
/// Commands taken between two looks at the sockets.
const COMMANDS_A_ROUND: usize = 256;
/// How soon events that found no room are tried again.
const RETRY: Duration = Duration::from_millis(5);
/// The token of bell and alarm; sockets have smaller ones.
const BELL: u64 = u64::MAX;
/// The token of the clock. The turn that it would be of a socket is never reached.
const CLOCK: u64 = u64::MAX - 1;

/// The worker's own side.
pub(super) struct Thread {
    engine: Engine,
    poller: Poller,
    sockets: Sockets,
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    events: Sender<Event>,
    /// Events that must not be lost and found no room. At most one Closed per leg and one Played per Play.
    backlog: VecDeque<Event>,
    wake: Box<dyn Fn() + Send>,
    store: Box<dyn FnMut(Recorded) + Send>,
    counters: WorkerCounters,
    ended: bool,
    pace: Pace,
    /// Wakes us for `due`.
    clock: Alarm,
    /// What the clock is set to; it may ring too early, but never too late.
    due: Option<Instant>,
}

impl Thread {
    pub(super) fn new(
        settings: &WorkerSettings,
        shared: Arc<Shared>,
        orders: Receiver<Order>,
        events: Sender<Event>,
        wake: Box<dyn Fn() + Send>,
        store: Box<dyn FnMut(Recorded) + Send>,
    ) -> io::Result<Thread> {
        let poller = Poller::new()?;
        poller.add_bell(&shared.bell, BELL)?;
        poller.add_bell(&shared.alarm, BELL)?;
        let clock = Alarm::new()?;
        poller.add_bell(&clock, CLOCK)?;
        let unix_origin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let engine = Engine::new(Settings {
            silence_timeout: settings.silence_timeout,
            rtcp_interval: settings.rtcp_interval,
            max_legs: settings.max_legs,
            ..Settings::new(Instant::now(), unix_origin, settings.seed)
        });
        let (sockets, backlog, counters) = (Sockets::default(), VecDeque::new(), WorkerCounters::default());
        let (ended, due) = (false, None);
        Ok(Thread {
            engine,
            poller,
            sockets,
            shared,
            orders,
            events,
            backlog,
            wake,
            store,
            counters,
            ended,
            pace: Pace::new(settings.sweep),
            clock,
            due,
        })
    }

    pub(super) fn run(mut self) {
        let (mut packet, mut pause) = ([0; DATAGRAM + TAIL], None);
        while !self.ended {
            let only_looks = self.finish_round();
            if let Some(pause) = pause.filter(|_| !only_looks) {
                std::thread::sleep(pause);
            }
            let ready = match self.poller.wait(only_looks) {
                Ok(ready) => ready,
                Err(error) => {
                    tracing::error!(%error, "the media worker cannot wait for its sockets and ends");
                    break;
                }
            };
            let now = Instant::now();
            self.take_orders(now);
            for n in 0..ready {
                self.read(now, self.poller.token(n), &mut packet);
            }
            self.engine.handle_timeout(now);
            pause = self.pace.round(now, ready, ready < ROUND);
        }
        self.finish_round();
    }

    /// Sends and tells what the round has brought, and sets the clock; true if the next round is to begin at once.
    fn finish_round(&mut self) -> bool {
        let mut told = self.retry_backlog();
        let deadline = loop {
            match self.engine.poll_output() {
                Output::Transmit { leg, rtcp, to, bytes } => {
                    if let Some(socket) = self.sockets.get(leg, rtcp) {
                        note_sent(&mut self.counters, socket.send(bytes, to));
                    }
                }
                Output::Event(Event::RtcpWanted { leg }) => self.open_rtcp(leg),
                Output::Event(event) => {
                    if let Event::Closed { leg, .. } = &event {
                        self.sockets.remove(*leg);
                    }
                    self.tell(event);
                    told = true;
                }
                Output::Recorded(piece) => (self.store)(piece),
                Output::Timeout(deadline) => break deadline,
            }
        };
        if told {
            (self.wake)();
        }
        self.counters.engine = *self.engine.counters();
        self.shared.publish(&self.counters);
        self.set_clock(deadline.map(|(at, _)| at));
        !self.orders.is_empty()
    }

    /// To the next deadline, on the next whole millisecond from now: those close together are served in one round.
    fn set_clock(&mut self, deadline: Option<Instant>) {
        let retry = || Instant::now() + RETRY;
        let wanted =
            if self.backlog.is_empty() { deadline } else { deadline.into_iter().chain([retry()]).min() };
        let Some(at) = wanted.filter(|at| self.due.is_none_or(|due| *at < due)) else { return };
        let pause = at.saturating_duration_since(Instant::now());
        let millis = pause.as_nanos().div_ceil(1_000_000).clamp(1, 60_000) as u64;
        self.clock.set(Duration::from_millis(millis));
        self.due = Some(at);
    }

    fn tell(&mut self, event: Event) {
        let must_arrive = matches!(event, Event::Played { .. } | Event::Closed { .. });
        let event = if self.backlog.is_empty() {
            self.events.try_send(event)
        } else {
            Err(TrySendError::Full(event))
        };
        match event {
            Err(TrySendError::Full(event)) if must_arrive => self.backlog.push_back(event),
            Err(TrySendError::Full(_)) => self.counters.events_dropped += 1,
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
        }
    }

    fn retry_backlog(&mut self) -> bool {
        let before = self.backlog.len();
        while let Some(event) = self.backlog.pop_front() {
            if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
                self.backlog.push_front(event);
                break;
            }
        }
        self.backlog.len() < before
    }

    fn take_orders(&mut self, now: Instant) {
        for _ in 0..COMMANDS_A_ROUND {
            match self.orders.try_recv() {
                Ok(Order::Open(socket, command)) => self.open(now, socket, command),
                Ok(Order::Command(command)) => self.engine.handle_command(now, command),
                Ok(Order::End) => self.end(now),
                Err(_) => return,
            }
        }
    }

    fn open(&mut self, now: Instant, socket: MediaSocket, command: Command) {
        let Command::Open { leg, .. } = command else { return };
        if self.sockets.contains(leg) {
            tracing::error!(%leg, "a media leg was opened twice");
            return;
        }
        self.engine.handle_command(now, command);
        // Where there is no room for it the engine says that it is closed, and here the socket is.
        let Some(spot) = self.engine.mark(leg, self.sockets.next_index()) else { return };
        let token = self.sockets.insert(spot, socket);
        if let Some(Err(error)) = self.sockets.get(leg, false).map(|socket| self.poller.add(socket, token)) {
            tracing::error!(%leg, %error, "a media leg will hear nothing");
        }
    }

    /// RTCP's own socket, one port above. Without it there are no reports, but sound.
    fn open_rtcp(&mut self, leg: MediaLegKey) {
        let Some((place, token)) = self.sockets.place_mut(leg) else { return };
        let Some(local) = place.leg.as_ref().map(|(_, socket)| socket.local()) else { return };
        if place.rtcp.is_some() {
            return;
        }
        let opened = local.port().checked_add(1).map(|port| MediaSocket::bind(local.ip(), port));
        match opened {
            Some(Ok(socket)) if self.poller.add(&socket, token | 1).is_ok() => place.rtcp = Some(socket),
            _ => self.counters.rtcp_unopened += 1,
        }
    }

    /// One datagram of a socket that has some. What is left is reported again in the next round.
    fn read(&mut self, now: Instant, token: u64, packet: &mut [u8; DATAGRAM + TAIL]) {
        if token == CLOCK {
            self.due = None;
            return;
        }
        if token == BELL {
            self.shared.hear();
            return self.take_orders(now);
        }
        let rtcp = token & 1 == 1;
        let Some((spot, socket)) = self.sockets.by_token(token) else { return };
        let (len, from) = match socket.receive(&mut packet[..DATAGRAM]) {
            Ok(received) => received,
            Err(error) => return note_failed(&mut self.counters, &error),
        };
        if len == DATAGRAM {
            self.counters.oversized += 1;
        } else if rtcp {
            self.engine.handle_rtcp(now, spot.leg(), from, &mut packet[..len]);
        } else {
            self.relay(now, spot, from, packet, len);
        }
    }

    fn relay(&mut self, now: Instant, spot: Spot, from: SocketAddr, packet: &mut [u8], len: usize) {
        let Some(forward) = self.engine.handle_packet_at(now, spot, from, packet, len) else { return };
        if let Some(socket) = self.sockets.at(forward.mark, forward.leg) {
            let bytes = &packet[forward.start..forward.start + forward.len];
            note_sent(&mut self.counters, socket.send(bytes, forward.to));
        }
    }

    fn end(&mut self, now: Instant) {
        for leg in self.sockets.legs() {
            self.engine.handle_command(now, Command::Close { leg });
        }
        self.ended = true;
    }
}

fn note_sent(counters: &mut WorkerCounters, sent: io::Result<usize>) {
    if let Err(error) = sent {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => counters.unreachable += 1,
            io::ErrorKind::WouldBlock => counters.send_blocked += 1,
            _ => counters.send_failed += 1,
        }
    }
}

/// A receive that failed: an ICMP error that came back, or nothing there after all.
fn note_failed(counters: &mut WorkerCounters, error: &io::Error) {
    if error.kind() != io::ErrorKind::WouldBlock {
        counters.unreachable += 1;
    }
}
