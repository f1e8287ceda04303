//! The generator's sockets.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::Duration,
};

use super::{
    Load,
    tls::{Door, Line},
};
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};

/// Which of our sockets sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Caller,
    Called,
}

/// A datagram to send.
pub(super) type Out = VecDeque<(Side, SocketAddr, Bytes)>;

/// Receive buffer asked for: a burst of some thousands of messages.
const BUFFER: usize = 8 << 20;

pub(super) struct Wire {
    caller: Caller,
    called: Called,
    /// Where announcements are heard.
    sound: UdpSocket,
}

enum Caller {
    Udp(UdpSocket),
    Tls(Box<Line>),
}

enum Called {
    Udp(UdpSocket),
    Tls(Box<Door>),
}

impl Wire {
    /// By TLS if there is a certificate: it is shown to the router, and the router must show the same.
    pub(super) fn open(load: &Load) -> io::Result<Wire> {
        let sound = bind(SocketAddr::new(load.caller.ip(), 0))?;
        let (caller, called) = match &load.tls {
            None => (Caller::Udp(bind(load.caller)?), Called::Udp(bind(load.called)?)),
            Some(certificate) => (
                Caller::Tls(Box::new(Line::open(load.router, certificate)?)),
                Called::Tls(Box::new(Door::open(load.called, certificate)?)),
            ),
        };
        Ok(Wire { caller, called, sound })
    }

    pub(super) fn sound_port(&self) -> u16 {
        self.sound.local_addr().map_or(0, |address| address.port())
    }

    pub(super) fn send_all(&mut self, out: &mut Out) {
        // A full socket loses the datagram, and the call that it belonged to will be counted as failed.
        for (side, to, bytes) in out.drain(..) {
            match (side, &mut self.caller, &mut self.called) {
                (Side::Caller, Caller::Udp(socket), _) | (Side::Called, _, Called::Udp(socket)) => {
                    socket.send_to(&bytes, to).ok();
                }
                (Side::Caller, Caller::Tls(line), _) => line.send(&bytes),
                (Side::Called, _, Called::Tls(door)) => {
                    door.line().into_iter().for_each(|line| line.send(&bytes))
                }
            }
        }
        if let Caller::Tls(line) = &mut self.caller {
            line.flush();
        }
        if let Called::Tls(door) = &mut self.called {
            door.line().into_iter().for_each(Line::flush);
        }
    }

    /// Sleeps until something can be read, at most so long.
    pub(super) fn wait(&self, longest: Duration) {
        let caller = match &self.caller {
            Caller::Udp(socket) => socket.as_raw_fd(),
            Caller::Tls(line) => line.fd(),
        };
        let called = match &self.called {
            Called::Udp(socket) => socket.as_raw_fd(),
            Called::Tls(door) => door.fd(),
        };
        let poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut sockets = [caller, called, self.sound.as_raw_fd()].map(poll);
        let millis = i32::try_from(longest.as_micros().div_ceil(1_000)).unwrap_or(1);
        // SAFETY: the array lives through the call and its length is given with it.
        unsafe { libc::poll(sockets.as_mut_ptr(), sockets.len() as libc::nfds_t, millis) };
    }

    pub(super) fn read_caller(&mut self) -> Option<(Bytes, SocketAddr)> {
        match &mut self.caller {
            Caller::Udp(socket) => read(socket),
            Caller::Tls(line) => Some((line.read()?, line.remote)),
        }
    }

    pub(super) fn read_called(&mut self) -> Option<(Bytes, SocketAddr)> {
        match &mut self.called {
            Called::Udp(socket) => read(socket),
            Called::Tls(door) => door.line().and_then(|line| Some((line.read()?, line.remote))),
        }
    }

    pub(super) fn read_sound(&self) -> Option<SocketAddr> {
        let mut packet = [0; 2_048];
        self.sound.recv_from(&mut packet).ok().map(|(_, from)| from)
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn read(socket: &UdpSocket) -> Option<(Bytes, SocketAddr)> {
    let mut datagram = [0; 4_096];
    let (len, from) = socket.recv_from(&mut datagram).ok()?;
    Some((Bytes::copy_from_slice(&datagram[..len]), from))
}

/// A description for our side: G.711 and events at `port`.
pub(super) fn description(ip: std::net::IpAddr, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
    )
}
