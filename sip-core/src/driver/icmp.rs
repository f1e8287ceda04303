//! ICMP errors about datagrams of ours, read from the error queue of the socket (`IP_RECVERR`, Linux).
//!
//! Seen: what comes back from a host on the way or at the end (port, host, or network unreachable, forbidden by a
//! filter), with the address the datagram was sent to. Not seen: what a firewall drops in silence. An ICMP message
//! can be forged by whoever guesses our port and the peer's address, so it is a hint to try elsewhere, not a proof.

use super::counters::Tally;
use super::sockets::Arrival;
use crate::endpoint::Input;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::Sender;

/// Asks the kernel to keep ICMP errors for us.
pub(super) fn ask_for_errors(socket: &impl AsFd, local: SocketAddr) -> io::Result<()> {
    match local {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvErr, &true)?,
    }
    Ok(())
}

/// Whether this is what an ICMP error turns into.
pub(super) fn is_unreachable(error: &io::Error) -> bool {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    matches!(
        errno,
        Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EHOSTDOWN | Errno::EACCES
    )
}

/// Reports each error of the socket until nobody listens.
pub(super) async fn watch(socket: Arc<UdpSocket>, inbox: Sender<Arrival>, tally: Arc<Tally>) {
    loop {
        let error = socket.async_io(Interest::ERROR, || next_error(&socket)).await;
        let Ok(Some(remote)) = error else { continue };
        tally.icmp_errors.add_one();
        if inbox.send(Arrival::Input(Input::Unreachable { remote })).await.is_err() {
            return;
        }
    }
}

/// Takes one error off the queue: where the datagram was sent, if it says that it did not get there.
fn next_error(socket: &UdpSocket) -> io::Result<Option<SocketAddr>> {
    let mut payload = [0; 1]; // the datagram comes back, cut to nothing
    let mut parts = [IoSliceMut::new(&mut payload)];
    let mut space = nix::cmsg_space!([u8; 128]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let unreachable = message.cmsgs()?.any(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
            is_unreachable(&io::Error::from_raw_os_error(error.ee_errno as i32))
        }
        _ => false,
    });
    Ok(message.address.as_ref().filter(|_| unreachable).and_then(to_std))
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::from((a.ip(), a.port()))))
}
