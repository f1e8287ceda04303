//! Many datagrams by one call into the system.

use std::{net::UdpSocket, os::fd::AsRawFd, ptr};

use socket2::SockAddr;

/// Datagrams by one call.
pub(super) const MOST: usize = 64;
/// Room for a datagram.
pub(super) const ROOM: usize = 256;

/// Sends each to its address; returns how many the socket took.
pub(super) fn send(socket: &UdpSocket, datagrams: &[(&[u8], &SockAddr)]) -> usize {
    let mut parts: Vec<libc::iovec> = datagrams
        .iter()
        .map(|(bytes, _)| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = parts.iter_mut().map(header).collect();
    for (header, (_, to)) in headers.iter_mut().zip(datagrams) {
        header.msg_hdr.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_namelen = to.len();
    }
    let count = headers.len() as libc::c_uint;
    // SAFETY: headers, parts, bytes and addresses live through the call, which only reads bytes and addresses.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).unwrap_or(0)
}

/// Receives what is there into the rooms; returns how many, and how long each is.
pub(super) fn receive(socket: &UdpSocket, rooms: &mut [[u8; ROOM]; MOST]) -> (usize, [usize; MOST]) {
    let mut parts: Vec<libc::iovec> = rooms
        .iter_mut()
        .map(|room| libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: ROOM })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = parts.iter_mut().map(header).collect();
    let count = headers.len() as libc::c_uint;
    // SAFETY: headers, parts and rooms live through the call, and each part has the length of its room.
    let received = unsafe {
        libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT, ptr::null_mut())
    };
    let mut lengths = [0; MOST];
    lengths.iter_mut().zip(&headers).for_each(|(length, header)| *length = header.msg_len as usize);
    (usize::try_from(received).unwrap_or(0), lengths)
}

fn header(part: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: all zeroes are a header without address, parts and control data.
    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (part, 1);
    header
}
