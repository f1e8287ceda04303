//! The generator's sockets.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::Duration,
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
    caller: UdpSocket,
    called: UdpSocket,
    /// Where announcements are heard.
    sound: UdpSocket,
}

impl Wire {
    pub(super) fn open(caller: SocketAddr, called: SocketAddr) -> io::Result<Wire> {
        let sound = SocketAddr::new(caller.ip(), 0);
        Ok(Wire { caller: bind(caller)?, called: bind(called)?, sound: bind(sound)? })
    }

    pub(super) fn sound_port(&self) -> u16 {
        self.sound.local_addr().map_or(0, |address| address.port())
    }

    pub(super) fn send_all(&mut self, out: &mut Out) {
        for (side, to, bytes) in out.drain(..) {
            let socket = if side == Side::Caller { &self.caller } else { &self.called };
            // A full socket loses the datagram, and the call that it belonged to will be counted as failed.
            socket.send_to(&bytes, to).ok();
        }
    }

    /// Sleeps until something can be read, at most so long.
    pub(super) fn wait(&self, longest: Duration) {
        let poll =
            |socket: &UdpSocket| libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let mut sockets = [poll(&self.caller), poll(&self.called), poll(&self.sound)];
        let millis = i32::try_from(longest.as_micros().div_ceil(1_000)).unwrap_or(1);
        // SAFETY: the array lives through the call and its length is given with it.
        unsafe { libc::poll(sockets.as_mut_ptr(), sockets.len() as libc::nfds_t, millis) };
    }

    pub(super) fn read_caller(&self) -> Option<(Bytes, SocketAddr)> {
        read(&self.caller)
    }

    pub(super) fn read_called(&self) -> Option<(Bytes, SocketAddr)> {
        read(&self.called)
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
