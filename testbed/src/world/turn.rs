//! One instant of the world: what is due, what follows from it, and what a driver would do with the outputs.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use media::MediaLegKey;
use router::shard::{Input, Output};
use sip_core::{Flow, Message, Transport};

use super::{STOCK, World};
use crate::{check, net::Datagram, phone::Phone};

impl World {
    pub(super) fn next_at(&self) -> Option<Instant> {
        let phones = self.phones.iter().filter_map(Phone::next_at).min();
        let desk = self.toil.as_ref().and_then(|toil| toil.next_at(self.now));
        let graph = self.graph.next_at();
        [self.net.next_at(), phones, graph, self.shard_timeout, self.engine_timeout, desk]
            .into_iter()
            .flatten()
            .min()
    }

    /// One instant: everything that is due at it.
    pub(super) fn step(&mut self, at: Instant) {
        self.now = at.max(self.now);
        self.turns += 1;
        if let Some(datagram) = self.net.take_due(self.now) {
            self.deliver(datagram);
        }
        if let Some(answer) = self.graph.take_due(self.now) {
            self.tell(answer);
        }
        if self.shard_timeout.is_some_and(|at| at <= self.now) {
            self.toils(0, |world| {
                world.shard.handle_timeout(world.now);
                world.drain_shard();
            });
        }
        self.work_off();
        if self.engine_timeout.is_some_and(|at| at <= self.now) {
            self.engine.handle_timeout(self.now);
            self.drain_engine();
        }
        for index in 0..self.phones.len() {
            if self.phones[index].next_at().is_some_and(|at| at <= self.now) {
                self.phones[index].handle_timeout(self.now);
                self.post(index);
            }
        }
    }

    pub(super) fn deliver(&mut self, datagram: Datagram) {
        if datagram.is_sip() {
            self.note(&datagram);
        }
        if datagram.to == self.router {
            let flow =
                Flow { transport: Transport::Udp, local: self.router, remote: datagram.from, connection: 0 };
            return self.hear(sip_core::Input::Received { flow, bytes: datagram.bytes });
        }
        if datagram.to.ip() == self.media {
            return self.deliver_media(datagram);
        }
        let found = self.phones.iter().position(|phone| phone.is_at(datagram.to));
        match found {
            Some(index) => {
                self.phones[index].handle_datagram(self.now, datagram);
                self.post(index);
            }
            None => self.follow_script(&datagram),
        }
    }

    /// At once, or when the router gets to it.
    pub(super) fn hear(&mut self, input: sip_core::Input) {
        match &mut self.toil {
            Some(toil) => toil.backlog.push(self.now, input),
            None => self.tell(Input::Sip(input)),
        }
    }

    /// One message that waits, if the router is free.
    fn work_off(&mut self) {
        let now = self.now;
        let free = self.toil.as_mut().filter(|toil| toil.next_at(now) == Some(now));
        if let Some(input) = free.and_then(|toil| toil.backlog.pop(now)) {
            self.toils(1, |world| world.tell(Input::Sip(input)));
        }
    }

    /// Work that costs what it makes the router do.
    pub(super) fn toils(&mut self, read: u32, work: impl FnOnce(&mut World)) {
        let (sent, legs) = self.work;
        work(self);
        let (sent, legs) = (self.work.0 - sent, self.work.1 - legs);
        if let Some(toil) = &mut self.toil {
            toil.spend(self.now, read, sent, legs);
        }
    }

    fn follow_script(&mut self, datagram: &Datagram) {
        let found = self.scripts.iter_mut().find(|script| script.address == datagram.to);
        let (Some(script), Ok(message)) = (found, Message::parse(datagram.bytes.clone())) else { return };
        for (after, bytes) in (script.answers)(&message) {
            self.net.send(self.now + after, Datagram { from: datagram.to, to: datagram.from, bytes });
        }
    }

    fn deliver_media(&mut self, datagram: Datagram) {
        let Some(&leg) = self.legs_by_port.get(&datagram.to.port()) else { return };
        let mut packet = [0; 2048];
        let len = datagram.bytes.len().min(1500);
        packet[..len].copy_from_slice(&datagram.bytes[..len]);
        if let Some(forward) = self.engine.handle_packet(self.now, leg, datagram.from, &mut packet, len) {
            let part = &packet[forward.start..forward.start + forward.len];
            self.send_media(forward.leg, forward.to, Bytes::copy_from_slice(part));
        }
        self.drain_engine();
    }

    fn send_media(&mut self, leg: MediaLegKey, to: SocketAddr, bytes: Bytes) {
        if let Some(port) = self.ports_by_leg.get(&leg) {
            let from = SocketAddr::new(self.media, *port);
            self.net.send(self.now, Datagram { from, to, bytes });
        }
    }

    pub(super) fn post(&mut self, phone: usize) {
        while let Some(datagram) = self.phones[phone].out.pop_front() {
            self.net.send(self.now, datagram);
        }
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.shard.handle_input(self.now, input);
        self.drain_shard();
    }

    /// What the driver does, on paper.
    pub(super) fn drain_shard(&mut self) {
        loop {
            match self.shard.poll_output() {
                Output::Sip(sip_core::Output::Transmit { flow, bytes }) => {
                    self.work.0 += 1;
                    self.net.send(self.now, Datagram { from: self.router, to: flow.remote, bytes });
                }
                Output::Sip(sip_core::Output::Resolve { id, target, reach, random }) => {
                    self.look_up(id, (target, reach), random);
                }
                Output::Sip(_) | Output::Dispatched { .. } => {}
                Output::OpenMedia { port, open } => {
                    self.work.1 += 1;
                    self.open_media(port, open);
                }
                Output::Media(command) => self.command(command),
                Output::ReleasePort(port) => self.release_port(port),
                Output::Fact(fact) => self.facts.push(fact),
                Output::Graph(ask) => self.graph.ask(self.now, &ask),
                Output::Timeout(at) => {
                    self.shard_timeout = at.map(|(at, _)| at);
                    if !self.stock_up() {
                        break;
                    }
                }
            }
        }
        let broken = check::after_turn(self);
        assert!(broken.is_empty(), "seed {}: {broken:#?}\n{}", self.seed, self.ladder());
    }

    pub(super) fn stock_up(&mut self) -> bool {
        let wanted = self.shard.ports_in_hand() < STOCK;
        let port = if wanted { self.pool.take(self.now) } else { None };
        if let Some(port) = port {
            self.shard.handle_input(self.now, Input::Port(port));
        }
        port.is_some()
    }

    fn open_media(&mut self, port: u16, open: media::Command) {
        if let media::Command::Open { leg, .. } = &open {
            self.legs_by_port.insert(port, *leg);
            self.ports_by_leg.insert(*leg, port);
        }
        self.command(open);
    }

    fn release_port(&mut self, port: u16) {
        if let Some(leg) = self.legs_by_port.remove(&port) {
            self.ports_by_leg.remove(&leg);
        }
        self.pool.release(self.now, port);
    }

    pub(super) fn command(&mut self, command: media::Command) {
        self.engine.handle_command(self.now, command);
        self.drain_engine();
    }

    pub(super) fn drain_engine(&mut self) {
        let mut events = Vec::new();
        loop {
            match self.engine.poll_output() {
                media::Output::Transmit { leg, rtcp: false, to, bytes } => {
                    let bytes = Bytes::copy_from_slice(bytes);
                    self.send_media(leg, to, bytes);
                }
                media::Output::Transmit { .. } => {}
                media::Output::Event(event) => events.push(event),
                media::Output::Recorded(piece) => self.recordings.take(&piece),
                media::Output::Timeout(at) => {
                    self.engine_timeout = at.map(|(at, _)| at);
                    break;
                }
            }
        }
        let told = !events.is_empty();
        for event in events {
            self.shard.handle_input(self.now, Input::Media(event));
        }
        if told {
            self.drain_shard();
        }
    }

    fn note(&mut self, datagram: &Datagram) {
        const KEPT: usize = 200;
        let at = self.elapsed().as_secs_f64();
        self.ladder.push_back(format!(
            "{at:10.3} {} -> {}  {}",
            datagram.from,
            datagram.to,
            datagram.start_line()
        ));
        if self.ladder.len() > KEPT {
            self.ladder.pop_front();
        }
    }
}
