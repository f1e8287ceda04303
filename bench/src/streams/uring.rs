//! A socket for each leg, all of them in one io_uring.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, AtomicU16, Ordering},
};

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use socket2::SockAddr;

use super::{
    Relay,
    bare::{Running, SWEEP, bind_all, pairs},
    thread::Thread,
};

const NAME: &str = "uring";
/// Buffers for packets on their way, a power of two.
const BUFFERS: u16 = 4_096;
const ROOM: usize = 2_048;
const GROUP: u16 = 0;
/// Sends by one call into the system at most.
const BATCH: u32 = 4_096;
/// Completions in a round after which there may be more: the kernel does not do all that there is to do at once.
const MORE: usize = 16;
const TENTH: types::Timespec = types::Timespec::new().nsec(100_000_000);

pub(super) struct Uring {
    legs: Vec<(SocketAddr, SocketAddr)>,
    _running: Running,
}

impl Uring {
    pub(super) fn start(peers: &[SocketAddr], sweeps: bool) -> io::Result<Uring> {
        IoUring::new(2)?; // where the kernel forbids it, it does so here
        let sockets = bind_all(peers.len())?;
        let legs = pairs(&sockets)?;
        let peers: Vec<SockAddr> = peers.iter().copied().map(SockAddr::from).collect();
        let relay = move |ended: &AtomicBool| {
            if let Err(error) = relay(&sockets, &peers, sweeps, ended) {
                eprintln!("no io_uring: {error}");
            }
        };
        Ok(Uring { legs, _running: Running::start(NAME, relay)? })
    }
}

impl Relay for Uring {
    fn legs(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.legs.clone()
    }

    fn threads(&self) -> io::Result<Vec<Thread>> {
        Ok(vec![Thread::named(NAME)?])
    }
}

/// Rooms for packets that the kernel takes by itself and we give back.
struct Buffers {
    rooms: Vec<[u8; ROOM]>,
    /// Page-aligned, as the kernel wants it.
    ring: Vec<Page>,
    tail: u16,
}

#[repr(C, align(4096))]
#[derive(Clone)]
struct Page([u8; 4_096]);

impl Buffers {
    fn new() -> Buffers {
        let ring = vec![Page([0; 4_096]); usize::from(BUFFERS) * 16 / 4_096];
        Buffers { rooms: vec![[0; ROOM]; BUFFERS.into()], ring, tail: 0 }
    }

    fn give(&mut self, id: u16) {
        let at = usize::from(self.tail & (BUFFERS - 1));
        let room = self.rooms[usize::from(id)].as_mut_ptr() as u64;
        // SAFETY: the pages have room for BUFFERS entries of 16 bytes, and `at` is less; the kernel reads only entries
        // before the tail, which is moved by `publish`.
        let entry = unsafe { &mut *self.ring.as_mut_ptr().cast::<types::BufRingEntry>().add(at) };
        entry.set_addr(room);
        entry.set_len(ROOM as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the pointer is to the ring's first entry, in which the tail lies, and both sides use it atomically.
        let tail = unsafe { &*types::BufRingEntry::tail(self.ring.as_ptr().cast()).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

fn relay(sockets: &[UdpSocket], peers: &[SockAddr], sweeps: bool, ended: &AtomicBool) -> io::Result<()> {
    let mut buffers = Buffers::new(); // before the ring, so that it outlives that
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_cqsize(4 * BATCH)
        .build(BATCH)?;
    // SAFETY: the pages and rooms of the buffers live longer than the io_uring, which is dropped before them.
    unsafe {
        ring.submitter().register_buf_ring_with_flags(buffers.ring.as_ptr() as u64, BUFFERS, GROUP, 0)?
    };
    (0..BUFFERS).for_each(|id| buffers.give(id));
    buffers.publish();
    let files: Vec<i32> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    ring.submitter().register_files(&files)?;
    for index in 0..sockets.len() {
        push(&mut ring, &receive(index))?;
    }
    let (mut lent, mut found) = (Vec::new(), 0);
    while !ended.load(Ordering::Relaxed) {
        if sweeps && found < MORE {
            ring.submit()?;
            std::thread::sleep(SWEEP);
        }
        let wait = types::SubmitArgs::new().timespec(&TENTH);
        match ring.submitter().submit_with_args(1, &wait) {
            Err(error) if error.raw_os_error() != Some(libc::ETIME) => return Err(error),
            _ => {}
        }
        // Sends are done when they are submitted: none of them waits for room.
        lent.drain(..).for_each(|id| buffers.give(id));
        buffers.publish();
        found = 0;
        loop {
            let Some(done) = ring.completion().next() else { break };
            found += 1;
            let index = done.user_data() as usize;
            if index >= sockets.len() {
                continue; // a send that failed
            }
            if let Some(id) = cqueue::buffer_select(done.flags()).filter(|_| done.result() >= 0) {
                let (room, to) = (&buffers.rooms[usize::from(id)], &peers[index ^ 1]);
                let send =
                    opcode::Send::new(types::Fixed(index as u32 ^ 1), room.as_ptr(), done.result() as u32)
                        .flags(libc::MSG_DONTWAIT)
                        .dest_addr(to.as_ptr().cast())
                        .dest_addr_len(to.len())
                        .build()
                        .flags(squeue::Flags::SKIP_SUCCESS)
                        .user_data(u64::MAX);
                push(&mut ring, &send)?;
                lent.push(id);
            }
            if !cqueue::more(done.flags()) {
                push(&mut ring, &receive(index))?;
            }
        }
    }
    Ok(())
}

fn receive(index: usize) -> squeue::Entry {
    opcode::RecvMulti::new(types::Fixed(index as u32), GROUP).build().user_data(index as u64)
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) -> io::Result<()> {
    // SAFETY: packets and addresses that an entry points to live until it is done: rooms are given back after it was
    // submitted, and a send does not wait.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit()?;
    }
    Ok(())
}
