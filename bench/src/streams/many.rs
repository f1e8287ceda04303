//! Many datagrams by one call into the system.

use std::{
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
};

use socket2::SockAddr;

/// Datagrams by one call.
pub(super) const MOST: usize = 64;
/// Room for a datagram.
pub(super) const ROOM: usize = 256;

/// A datagram to be sent.
pub(super) struct Outgoing<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) to: &'a SockAddr,
    /// The address it comes from, if the socket has more than one.
    pub(super) from: Option<Ipv4Addr>,
}

/// IP_PKTINFO as it lies in memory.
#[repr(C)]
struct Source {
    header: libc::cmsghdr,
    info: libc::in_pktinfo,
}

impl Source {
    fn new(from: Ipv4Addr) -> Source {
        let any = libc::in_addr { s_addr: 0 };
        let from = libc::in_addr { s_addr: u32::from(from).to_be() };
        let cmsg_len = size_of::<libc::cmsghdr>() + size_of::<libc::in_pktinfo>();
        Source {
            header: libc::cmsghdr { cmsg_len, cmsg_level: libc::IPPROTO_IP, cmsg_type: libc::IP_PKTINFO },
            info: libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: from, ipi_addr: any },
        }
    }
}

/// Sends each to its address; returns how many the socket took.
pub(super) fn send(socket: &UdpSocket, datagrams: &[Outgoing<'_>]) -> usize {
    let mut parts: Vec<libc::iovec> = datagrams
        .iter()
        .map(|Outgoing { bytes, .. }| libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        })
        .collect();
    let mut sources: Vec<Option<Source>> =
        datagrams.iter().map(|datagram| datagram.from.map(Source::new)).collect();
    let mut headers: Vec<libc::mmsghdr> = parts.iter_mut().map(header).collect();
    for ((header, source), datagram) in headers.iter_mut().zip(&mut sources).zip(datagrams) {
        header.msg_hdr.msg_name = datagram.to.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_namelen = datagram.to.len();
        if let Some(source) = source {
            header.msg_hdr.msg_control = ptr::from_mut(source).cast();
            header.msg_hdr.msg_controllen = size_of::<Source>();
        }
    }
    let count = headers.len() as libc::c_uint;
    // SAFETY: headers, parts, sources, bytes and addresses live through the call, which only reads them but for the
    // lengths in the headers.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).unwrap_or(0)
}

/// Where datagrams are received.
pub(super) struct Rooms {
    bytes: Box<[[u8; ROOM]; MOST]>,
    senders: [libc::sockaddr_in; MOST],
    lengths: [usize; MOST],
    count: usize,
}

impl Rooms {
    pub(super) fn new() -> Rooms {
        // SAFETY: all zeroes are an address of no family.
        let senders = unsafe { std::mem::zeroed() };
        Rooms { bytes: Box::new([[0; ROOM]; MOST]), senders, lengths: [0; MOST], count: 0 }
    }

    /// Receives what is there instead of what was there before; how many.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> usize {
        let mut parts: Vec<libc::iovec> = self
            .bytes
            .iter_mut()
            .map(|room| libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: ROOM })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = parts.iter_mut().map(header).collect();
        for (header, sender) in headers.iter_mut().zip(&mut self.senders) {
            header.msg_hdr.msg_name = ptr::from_mut(sender).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
        }
        let count = headers.len() as libc::c_uint;
        // SAFETY: headers, parts, rooms and senders live through the call, and lengths are given with each.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        self.count = usize::try_from(received).unwrap_or(0);
        self.lengths.iter_mut().zip(&headers).for_each(|(length, header)| *length = header.msg_len as usize);
        self.count
    }

    /// What was received, each with its sender as [`number`] has it.
    pub(super) fn each(&mut self) -> impl Iterator<Item = (&mut [u8], u64)> {
        let packets = self.bytes[..self.count].iter_mut().zip(self.lengths);
        packets.map(|(room, length)| &mut room[..length]).zip(self.senders.iter().map(|from| {
            u64::from(u32::from_be(from.sin_addr.s_addr)) << 16 | u64::from(u16::from_be(from.sin_port))
        }))
    }
}

/// An address of IPv4 and its port in one number.
pub(super) fn number(address: &std::net::SocketAddr) -> u64 {
    match address {
        std::net::SocketAddr::V4(v4) => u64::from(v4.ip().to_bits()) << 16 | u64::from(v4.port()),
        std::net::SocketAddr::V6(_) => 0,
    }
}

fn header(part: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: all zeroes are a header without address, parts and control data.
    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (part, 1);
    header
}
