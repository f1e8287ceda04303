//! Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4).

use super::{Flow, Transport};
use crate::message::Via;
use std::net::SocketAddr;

/// The flow of the response to a request that came over `flow` with `via` on top.
///
/// A stream answers on itself. A datagram goes back to the address it came from: to its very port when the sender
/// asked for that (`rport`), else to the port the Via names. `maddr` is not followed: it would let a sender point
/// our answers at a third party.
pub fn response_flow(flow: Flow, via: &Via) -> Flow {
    if flow.transport != Transport::Udp || via.rport().is_some() {
        return flow;
    }
    Flow { remote: named_address(flow, via), ..flow }
}

/// Where to open a new connection for a response when the one the request came over is gone.
pub fn named_address(flow: Flow, via: &Via) -> SocketAddr {
    SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(flow.transport.default_port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn response_port(flow: Flow, via: &'static str) -> u16 {
        response_flow(flow, &Via::parse(Bytes::from_static(via.as_bytes())).unwrap()).remote.port()
    }

    #[test]
    fn a_datagram_is_answered_to_the_port_in_the_via_unless_rport_asks_for_the_source() {
        let flow = Flow::udp("10.0.0.1:5060".parse().unwrap(), "10.0.0.2:34567".parse().unwrap());
        assert_eq!(response_port(flow, "SIP/2.0/UDP 192.168.1.1:5070;branch=z9hG4bKa"), 5070);
        assert_eq!(response_port(flow, "SIP/2.0/UDP 192.168.1.1;branch=z9hG4bKa"), 5060);
        assert_eq!(response_port(flow, "SIP/2.0/UDP 192.168.1.1:5070;rport;branch=z9hG4bKa"), 34567);
    }

    #[test]
    fn a_stream_answers_on_itself() {
        let (local, remote) = ("10.0.0.1:5060".parse().unwrap(), "10.0.0.2:34567".parse().unwrap());
        let flow = Flow::stream(Transport::Tcp, local, remote, 1);
        assert_eq!(response_port(flow, "SIP/2.0/TCP 10.0.0.2:5070;branch=z9hG4bKa"), 34567);
    }
}
