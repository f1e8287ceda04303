//! Every call into the system that media makes: UDP sockets, epoll, eventfd, timerfd. The only file with `unsafe`.

#![allow(unsafe_code)]

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// DSCP 46, expedited forwarding (RFC 3246, RFC 4594 §4.1), in the upper six bits.
const EXPEDITED: u32 = 46 << 2;
/// Sockets looked at in one round: enough to save calls, few enough that the round's time still holds.
pub(super) const ROUND: usize = 64;

/// A bound UDP socket for one leg's RTP, or its RTCP.
#[derive(Debug)]
pub struct MediaSocket {
    socket: UdpSocket,
    local: SocketAddr,
}

impl MediaSocket {
    /// Binds `ip:port`, non-blocking and marked for expedited forwarding. Port 0 lets the system choose.
    ///
    /// # Errors
    /// What the system says: `AddrInUse` when somebody else has the port (skip it and take another), or no
    /// descriptors left.
    pub fn bind(ip: IpAddr, port: u16) -> io::Result<MediaSocket> {
        let address = SocketAddr::new(ip, port);
        let kind = Type::DGRAM.nonblocking(); // with the socket, not by two calls more
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
        // A network that does not carry the mark still carries the call.
        let _ = match ip {
            IpAddr::V4(_) => socket.set_tos_v4(EXPEDITED),
            IpAddr::V6(_) => socket.set_tclass_v6(EXPEDITED),
        };
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let local = if port == 0 { socket.local_addr()? } else { address };
        Ok(MediaSocket { socket, local })
    }

    /// The address it is bound to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Throws away what lies in it: packets of whoever used the port before. Returns how many.
    pub fn drain(&self) -> usize {
        let mut byte = [0];
        std::iter::from_fn(|| self.socket.recv_from(&mut byte).ok()).count()
    }

    /// One datagram, cut to the buffer's length.
    pub(super) fn receive(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(into)
    }

    pub(super) fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(bytes, to)
    }
}

impl AsRawFd for MediaSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Wakes a worker from another thread: an eventfd.
#[derive(Debug)]
pub(super) struct Bell(OwnedFd);

/// Wakes a worker a little later: a timerfd. Who sets it wakes nobody at once, and the timer needs no thread.
#[derive(Debug)]
pub(super) struct Alarm(OwnedFd);

impl Alarm {
    pub(super) fn new() -> io::Result<Alarm> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        // SAFETY: the call above has just opened this descriptor and nobody else knows it.
        Ok(Alarm(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes the poller return once, after `time`; what was set before counts no more.
    pub(super) fn set(&self, time: Duration) {
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // Zero would stop it.
        let nanos = if time.is_zero() { 1 } else { time.subsec_nanos().into() };
        let once = libc::timespec { tv_sec: time.as_secs().min(60) as libc::time_t, tv_nsec: nanos };
        let timer = libc::itimerspec { it_interval: never, it_value: once };
        // SAFETY: `timer` is valid for reads for the length of the call, and the old setting is not asked for. With an
        // open timerfd and a time in range it cannot fail.
        unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &timer, std::ptr::null_mut()) };
    }
}

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Bell {
    pub(super) fn new() -> io::Result<Bell> {
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: the call above has just opened this descriptor and nobody else knows it.
        Ok(Bell(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes the poller return. Ringing twice before it does is ringing once.
    pub(super) fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: `one` is valid for reads of its 8 bytes for the length of the call. The only failure of an
        // open eventfd is a full count, and then it is ringing already.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Waits for many descriptors: epoll, sockets level-triggered, so one read per report is enough.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call above has just opened this descriptor and nobody else knows it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Poller { epoll, ready: Vec::with_capacity(ROUND) })
    }

    /// Reports `token` as long as there is something to read. Closing the descriptor ends it.
    pub(super) fn add(&self, what: &MediaSocket, token: u64) -> io::Result<()> {
        self.watch(what, libc::EPOLLIN, token)
    }

    /// Reports `token` once for each ring of a [`Bell`] or an [`Alarm`]: neither need be read to be still.
    pub(super) fn add_bell(&self, bell: &impl AsRawFd, token: u64) -> io::Result<()> {
        self.watch(bell, libc::EPOLLIN | libc::EPOLLET, token)
    }

    fn watch(&self, what: &impl AsRawFd, events: i32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        let (epoll, fd) = (self.epoll.as_raw_fd(), what.as_raw_fd());
        // SAFETY: `event` is a valid epoll_event for the length of the call, which only reads it.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) })?;
        Ok(())
    }

    /// Waits until something is ready, or only looks. Returns how many are ready; being interrupted counts as none.
    ///
    /// A deadline is an [`Alarm`] that stays set over many waits. As a timeout of each wait it had to be set and taken
    /// back each time, which in a virtual machine cost more than a packet.
    pub(super) fn wait(&mut self, only_look: bool) -> io::Result<usize> {
        let millis = if only_look { 0 } else { -1 };
        self.ready.clear();
        let (epoll, room) = (self.epoll.as_raw_fd(), self.ready.capacity().min(ROUND) as i32);
        // SAFETY: the vector's allocation has room for `room` events, and the kernel writes no more than that.
        let waited = check(unsafe { libc::epoll_wait(epoll, self.ready.as_mut_ptr(), room, millis) });
        let count = match waited {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // SAFETY: the kernel has initialised the first `count` events, and `count` is at most `room`.
        unsafe { self.ready.set_len(count) };
        Ok(count)
    }

    /// The token of the n-th ready descriptor.
    pub(super) fn token(&self, n: usize) -> u64 {
        self.ready[n].u64
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
