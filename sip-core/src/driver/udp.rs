//! One UDP socket: bursts in, datagrams out.

use super::DriverSettings;
use super::counters::Tally;
use crate::endpoint::Input;
use crate::transport::{Flow, Listener};
use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, Sleep, sleep_until};

/// Datagrams read from one socket before the others have their turn.
pub(super) const BURST: usize = 64;
/// How soon the kernel is asked again after it took no datagram.
const RETRY: Duration = Duration::from_millis(1);

/// The kernel buffers of one UDP socket, in bytes as the kernel counts: payload and its own overhead, so about
/// half of it is messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// The socket.
    pub local: SocketAddr,
    /// For datagrams not yet read.
    pub receive: usize,
    /// For datagrams not yet sent.
    pub send: usize,
}

/// One UDP listener, which sends as well.
pub(super) struct Udp {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) listener: Listener,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    max_waiting: usize,
    retry: Pin<Box<Sleep>>,
    tally: Arc<Tally>,
}

impl Udp {
    /// Binds `listener`. A wildcard address works, but answers leave from the address the kernel chooses: on a
    /// machine with several, bind each.
    pub(super) fn bind(listener: &Listener, settings: &DriverSettings, tally: Arc<Tally>) -> io::Result<Udp> {
        let socket = Socket::new(Domain::for_address(listener.local), Type::DGRAM, Some(Protocol::UDP))?;
        if listener.local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The kernel caps what it does not like; the achieved size can be read.
        socket.set_recv_buffer_size(settings.receive_buffer)?;
        socket.set_send_buffer_size(settings.send_buffer)?;
        socket.set_nonblocking(true)?;
        super::icmp::ask_for_errors(&socket, listener.local)?;
        socket.bind(&listener.local.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let listener = Listener { local: socket.local_addr()?, ..listener.clone() };
        Ok(Udp {
            socket: Arc::new(socket),
            listener,
            waiting: VecDeque::new(),
            max_waiting: settings.max_waiting_datagrams,
            retry: Box::pin(sleep_until(Instant::now())),
            tally,
        })
    }

    /// Reads up to [`BURST`] datagrams. If it reads none, the task is woken when there are some.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, scratch: &mut [u8], into: &mut Vec<Input>) {
        for _ in 0..BURST {
            match self.socket.try_recv_from(scratch) {
                Ok((len, remote)) => self.take(&scratch[..len], remote, into),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    match self.socket.poll_recv_ready(cx) {
                        Poll::Ready(_) => {} // something came in between
                        Poll::Pending => return,
                    }
                }
                // An ICMP error that belongs to a datagram sent before: the error queue tells which.
                Err(_) => {}
            }
        }
        // Not known to be empty: have another look soon.
        cx.waker().wake_by_ref();
    }

    fn take(&self, datagram: &[u8], remote: SocketAddr, into: &mut Vec<Input>) {
        self.tally.datagrams_in.add_one();
        if datagram.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.tally.datagram_keep_alives.add_one();
            return;
        }
        // A copy of the right size: a slice kept for minutes must not hold a read buffer.
        let bytes = Bytes::copy_from_slice(datagram);
        into.push(Input::Received { flow: Flow::udp(self.listener.local, remote), bytes });
    }

    /// Sends, or lets it wait for the kernel. `Err`: it can never be sent there.
    pub(super) fn send(&mut self, remote: SocketAddr, bytes: Bytes) -> io::Result<()> {
        if self.waiting.is_empty() && self.try_send(remote, &bytes)? {
            return Ok(());
        }
        if self.waiting.len() >= self.max_waiting {
            self.tally.datagrams_dropped.add_one();
            return Ok(());
        }
        self.waiting.push_back((remote, bytes));
        Ok(())
    }

    /// Sends what waits. The task is woken when there is a chance to go on.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>, into: &mut Vec<Input>) {
        while let Some(&(remote, ref bytes)) = self.waiting.front() {
            match self.try_send(remote, bytes) {
                Ok(true) => {}
                Ok(false) if self.poll_retry(cx).is_ready() => continue,
                Ok(false) => return,
                Err(_) => into.push(Input::Unreachable { remote }),
            }
            self.waiting.pop_front();
        }
    }

    /// Waits a moment, not for the socket to become writable: once an ICMP error has come, tokio takes it for
    /// writable for ever.
    fn poll_retry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.socket.poll_send_ready(cx); // a first send may be waiting for tokio to look at the socket
        if self.retry.is_elapsed() {
            self.retry.as_mut().reset(Instant::now() + RETRY);
        }
        self.retry.as_mut().poll(cx)
    }

    /// `Ok(false)`: the kernel takes nothing now.
    fn try_send(&self, remote: SocketAddr, bytes: &[u8]) -> io::Result<bool> {
        let mut sent = self.socket.try_send_to(bytes, remote);
        if sent.as_ref().is_err_and(super::icmp::is_unreachable) {
            // Perhaps the error of an earlier datagram to somebody else, given to whoever sends next.
            sent = self.socket.try_send_to(bytes, remote);
        }
        match sent {
            Ok(_) => {
                self.tally.datagrams_out.add_one();
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => {
                self.tally.datagrams_refused.add_one();
                Err(e)
            }
        }
    }

    pub(super) fn buffers(&self) -> io::Result<Buffers> {
        let socket = SockRef::from(&*self.socket);
        Ok(Buffers {
            local: self.listener.local,
            receive: socket.recv_buffer_size()?,
            send: socket.send_buffer_size()?,
        })
    }

    /// Datagrams the kernel dropped because we did not read in time, since the socket was bound.
    pub(super) fn drops(&self) -> io::Result<u64> {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", self.socket.as_raw_fd()))?;
        let inode = link.to_string_lossy().trim_matches(|c: char| !c.is_ascii_digit()).to_owned();
        let table = if self.listener.local.is_ipv6() { "/proc/net/udp6" } else { "/proc/net/udp" };
        drops_of(&std::fs::read_to_string(table)?, &inode)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no inode {inode} in {table}")))
    }
}

/// The last column of the line whose tenth is `inode`.
fn drops_of(table: &str, inode: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.split_ascii_whitespace().nth(9) == Some(inode))?;
    line.split_ascii_whitespace().nth(12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drops_of_a_socket_stand_in_the_last_column() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
            117: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0000000000000000 9\n  \
            118: 0100007F:13C5 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 471 2 0000000000000000 12\n";
        assert_eq!(drops_of(table, "471"), Some(12));
        assert_eq!(drops_of(table, "47"), None);
    }
}
