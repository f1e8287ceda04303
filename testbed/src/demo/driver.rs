//! Telephones on real sockets, in real time: two sockets each, all on one thread.
#![allow(clippy::disallowed_methods)]

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::timeout_at,
};

use crate::{net::Datagram, phone::Phone};

/// Datagrams read and not yet handled. When it is full the kernel's own buffers fill up, then it drops.
const INBOX: usize = 1_024;

/// All telephones with their sockets.
pub(super) struct Floor {
    pub(super) phones: Vec<Phone>,
    lines: Vec<Line>,
    arrivals: mpsc::Receiver<(usize, Datagram)>,
    start: Instant,
}

/// The sockets of one telephone, for writing.
struct Line {
    sip: UdpSocket,
    sound: UdpSocket,
}

/// A SIP message that a telephone sent or got.
pub(super) struct Seen {
    pub(super) at: Duration,
    pub(super) phone: usize,
    pub(super) sent: bool,
    pub(super) bytes: Bytes,
}

impl Floor {
    /// Binds the addresses of all telephones. Needs a runtime.
    pub(super) fn open(phones: Vec<Phone>) -> io::Result<Floor> {
        let (inbox, arrivals) = mpsc::channel(INBOX);
        let mut lines = Vec::new();
        for (index, phone) in phones.iter().enumerate() {
            let sip = listen(index, phone.address, inbox.clone())?;
            let sound = listen(index, phone.sound_address(), inbox.clone())?;
            lines.push(Line { sip, sound });
        }
        Ok(Floor { phones, lines, arrivals, start: Instant::now() })
    }

    pub(super) fn now(&self) -> Instant {
        Instant::now()
    }

    /// Time since the telephones were opened.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until something arrives or is due, `until` at the latest, and does all that is due. Gives the SIP
    /// messages that passed, in order.
    pub(super) async fn turn(&mut self, until: Instant) -> Vec<Seen> {
        let due = self.phones.iter().filter_map(Phone::next_at).min().unwrap_or(until).min(until);
        let mut seen = Vec::new();
        let mut arrived = timeout_at(due.into(), self.arrivals.recv()).await.ok().flatten();
        while let Some((phone, datagram)) = arrived {
            self.deliver(phone, datagram, &mut seen);
            arrived = self.arrivals.try_recv().ok();
        }
        let now = Instant::now();
        for phone in 0..self.phones.len() {
            if self.phones[phone].next_at().is_some_and(|at| at <= now) {
                self.phones[phone].handle_timeout(now);
            }
            self.post(phone, &mut seen);
        }
        seen
    }

    fn deliver(&mut self, phone: usize, datagram: Datagram, seen: &mut Vec<Seen>) {
        if datagram.is_sip() {
            seen.push(self.seen(phone, false, &datagram));
        }
        self.phones[phone].handle_datagram(Instant::now(), datagram);
        self.post(phone, seen);
    }

    fn post(&mut self, phone: usize, seen: &mut Vec<Seen>) {
        while let Some(datagram) = self.phones[phone].out.pop_front() {
            if datagram.is_sip() {
                seen.push(self.seen(phone, true, &datagram));
            }
            let line = &self.lines[phone];
            let socket = if datagram.from == self.phones[phone].address { &line.sip } else { &line.sound };
            // What the kernel does not take is lost, as on any network: SIP repeats it.
            let _ = socket.send_to(&datagram.bytes, datagram.to);
        }
    }

    fn seen(&self, phone: usize, sent: bool, datagram: &Datagram) -> Seen {
        Seen { at: self.elapsed(), phone, sent, bytes: datagram.bytes.clone() }
    }
}

/// Opens `address` and reads it into the inbox until the runtime ends.
fn listen(
    phone: usize,
    address: SocketAddr,
    inbox: mpsc::Sender<(usize, Datagram)>,
) -> io::Result<UdpSocket> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    let socket = UdpSocket::bind(address).map_err(named)?;
    socket.set_nonblocking(true)?;
    let reader = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((len, from)) = reader.recv_from(&mut buffer).await else { continue };
            let datagram = Datagram { from, to: address, bytes: Bytes::copy_from_slice(&buffer[..len]) };
            if inbox.send((phone, datagram)).await.is_err() {
                return;
            }
        }
    });
    Ok(socket)
}

/// SIGTERM and SIGINT.
pub(super) struct Ending(Signal, Signal);

impl Ending {
    pub(super) fn new() -> io::Result<Ending> {
        Ok(Ending(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    }

    /// Waits for either.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}
