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
    time::Duration,
};

use super::{Relay, thread::Thread};

const NAME: &str = "bare";
/// Sockets looked at in one round, as our worker does.
const ROUND: usize = 64;

/// How often whoever sweeps looks.
pub(super) const SWEEP: Duration = Duration::from_micros(250);

pub(super) struct Bare {
    legs: Vec<(SocketAddr, SocketAddr)>,
    _running: Running,
}

/// A relay's thread, which looks at `ended` now and then.
pub(super) struct Running {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(name: &str, relay: impl FnOnce(&AtomicBool) + Send + 'static) -> io::Result<Running> {
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || relay(&end))?;
        Ok(Running { ended, thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

impl Bare {
    /// What comes to the first leg of a call goes from its second to the peer of that, and the other way round; `peers`
    /// are in the order of the legs.
    pub(super) fn start(peers: Vec<SocketAddr>, connected: bool, sweeps: bool) -> io::Result<Bare> {
        let sockets = bind_all(peers.len())?;
        if connected {
            sockets.iter().zip(&peers).try_for_each(|(socket, peer)| socket.connect(peer))?;
        }
        let (legs, epoll) = (pairs(&sockets)?, watch(&sockets)?);
        let relay = move |ended: &AtomicBool| {
            forward(&epoll, &sockets, ended, sweeps, |socket, packet, index| match connected {
                true => socket.send(packet),
                false => socket.send_to(packet, peers[index]),
            });
        };
        Ok(Bare { legs, _running: Running::start(NAME, relay)? })
    }
}

impl Relay for Bare {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.legs.clone()
    }

    fn threads(&self) -> io::Result<Vec<Thread>> {
        Ok(vec![Thread::named(NAME)?])
    }
}

/// A socket for each leg, those of a call side by side.
pub(super) fn bind_all(legs: usize) -> io::Result<Vec<UdpSocket>> {
    (0..legs).map(|_| bind()).collect()
}

/// The addresses of the two legs of each call.
pub(super) fn pairs(sockets: &[UdpSocket]) -> io::Result<Vec<(SocketAddr, SocketAddr)>> {
    sockets.chunks_exact(2).map(|pair| Ok((pair[0].local_addr()?, pair[1].local_addr()?))).collect()
}

pub(super) fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Reports the index of each socket that has something.
pub(super) fn watch(sockets: &[UdpSocket]) -> io::Result<OwnedFd> {
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

/// Waits a tenth of a second for sockets with something to read, and gives their indices to `each`. True if there may be
/// more of them.
pub(super) fn wait(epoll: &OwnedFd, mut each: impl FnMut(usize)) -> bool {
    let mut ready = [libc::epoll_event { events: 0, u64: 0 }; ROUND];
    // SAFETY: the array lives through the call and its length is given with it.
    let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), ready.as_mut_ptr(), ROUND as i32, 100) };
    ready[..usize::try_from(count).unwrap_or(0)].iter().for_each(|event| each(event.u64 as usize));
    count == ROUND as i32
}

fn forward(
    epoll: &OwnedFd,
    sockets: &[UdpSocket],
    ended: &AtomicBool,
    sweeps: bool,
    send: impl Fn(&UdpSocket, &[u8], usize) -> io::Result<usize>,
) {
    let mut packet = [0; 1_600];
    while !ended.load(Ordering::Relaxed) {
        let more = wait(epoll, |index| {
            let Ok(length) = sockets[index].recv(&mut packet) else { return };
            // A full socket loses the packet; the traffic counts it.
            send(&sockets[index ^ 1], &packet[..length], index ^ 1).ok();
        });
        if sweeps && !more {
            std::thread::sleep(SWEEP);
        }
    }
}
