//! The least that a relay with a socket for each leg can do.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use super::{Relay, thread::Thread};

const NAME: &str = "bare";
/// Sockets looked at in one round, as our worker does.
const ROUND: usize = 64;

pub(super) struct Bare {
    legs: Vec<(SocketAddr, SocketAddr)>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bare {
    /// What comes to the first leg of a call goes from its second to `b`, and the other way round to `a`.
    pub(super) fn start(calls: usize, a: SocketAddr, b: SocketAddr) -> io::Result<Bare> {
        let sockets = (0..2 * calls).map(|_| bind()).collect::<io::Result<Vec<_>>>()?;
        let at = |index: usize| sockets[index].local_addr();
        let legs = (0..calls).map(|n| Ok((at(2 * n)?, at(2 * n + 1)?))).collect::<io::Result<Vec<_>>>()?;
        let (epoll, ended) = (watch(&sockets)?, Arc::new(AtomicBool::new(false)));
        let end = ended.clone();
        let relay = move || forward(&epoll, &sockets, [a, b], &end);
        let thread = std::thread::Builder::new().name(NAME.into()).spawn(relay)?;
        Ok(Bare { legs, ended, thread: Some(thread) })
    }
}

impl Relay for Bare {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.legs.clone()
    }

    fn thread(&self) -> io::Result<Thread> {
        Thread::named(NAME)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn watch(sockets: &[UdpSocket]) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll < 0 {
        return Err(io::Error::last_os_error());
    }
    for (index, socket) in sockets.iter().enumerate() {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: index as u64 };
        // SAFETY: `event` lives through the call, which only reads it.
        if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &mut event) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: the call above has just opened this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(epoll) })
}

fn forward(epoll: &OwnedFd, sockets: &[UdpSocket], [a, b]: [SocketAddr; 2], ended: &AtomicBool) {
    let mut ready = [libc::epoll_event { events: 0, u64: 0 }; ROUND];
    let mut packet = [0; 1_600];
    while !ended.load(Ordering::Relaxed) {
        // SAFETY: the array lives through the call and its length is given with it.
        let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), ready.as_mut_ptr(), ROUND as i32, 100) };
        for event in &ready[..usize::try_from(count).unwrap_or(0)] {
            let index = event.u64 as usize;
            let Ok(length) = sockets[index].recv(&mut packet) else { continue };
            // A full socket loses the packet; the traffic counts it.
            sockets[index ^ 1].send_to(&packet[..length], if index & 1 == 0 { b } else { a }).ok();
        }
    }
}
