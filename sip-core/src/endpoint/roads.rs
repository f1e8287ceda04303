//! Ways to the far ends: open connections, who waits for a first answer on which, whose address we have chosen.

use super::legs::Hop;
use crate::transport::{Flow, Transport};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

/// What is known of the ways messages take.
#[derive(Default)]
pub(super) struct Roads {
    /// Addresses that transactions and legs of ours send to, and whence calls came that still live: answers and
    /// requests in dialogs may come from there even if no source rule names them (any more).
    chosen: HashMap<IpAddr, u32>,
    /// Client transactions that have heard nothing yet, by where they wait.
    waiting: BTreeSet<(SocketAddr, Transport, u32, u64)>,
    connections: HashSet<u32>,
    /// The connection to use again for an address.
    by_remote: HashMap<(Transport, SocketAddr), Flow>,
}

impl Roads {
    /// From now on something of ours sends to this address, or a call that came from it lives.
    pub(super) fn hold(&mut self, ip: IpAddr) {
        *self.chosen.entry(ip.to_canonical()).or_insert(0) += 1;
    }

    pub(super) fn release(&mut self, ip: IpAddr) {
        let ip = ip.to_canonical();
        if let Some(count) = self.chosen.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.chosen.remove(&ip);
            }
        }
    }

    /// Whether something of ours sends there or came from there.
    pub(super) fn is_chosen(&self, ip: IpAddr) -> bool {
        self.chosen.contains_key(&ip.to_canonical())
    }

    /// A client transaction waits for its first answer.
    pub(super) fn wait(&mut self, flow: Flow, client: u64) {
        self.waiting.insert((flow.remote, flow.transport, flow.connection, client));
    }

    /// It has one, or waits no more.
    pub(super) fn heard(&mut self, flow: Flow, client: u64) {
        self.waiting.remove(&(flow.remote, flow.transport, flow.connection, client));
    }

    /// Who waits on a flow, in the order of their keys.
    pub(super) fn waiting_on(&self, remote: SocketAddr, transport: Transport, connection: u32) -> Vec<u64> {
        let from = (remote, transport, connection, 0);
        let to = (remote, transport, connection, u64::MAX);
        self.waiting.range(from..=to).map(|(_, _, _, client)| *client).collect()
    }

    /// A connection exists. The first one to an address is the one used again.
    pub(super) fn opened(&mut self, flow: Flow) {
        if flow.is_reliable() && self.connections.insert(flow.connection) {
            self.by_remote.entry((flow.transport, flow.remote)).or_insert(flow);
        }
    }

    pub(super) fn closed(&mut self, flow: Flow) {
        self.connections.remove(&flow.connection);
        let place = (flow.transport, flow.remote);
        if self.by_remote.get(&place) == Some(&flow) {
            self.by_remote.remove(&place);
        }
    }

    /// Whether messages can leave by this flow: datagrams always.
    pub(super) fn is_open(&self, flow: &Flow) -> bool {
        !flow.is_reliable() || self.connections.contains(&flow.connection)
    }

    /// A connection to this hop.
    pub(super) fn connection(&self, hop: Hop) -> Option<Flow> {
        self.by_remote.get(&(hop.transport, hop.remote)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(connection: u32) -> Flow {
        let (local, remote) = ("10.0.0.1:5060".parse().unwrap(), "10.0.0.2:5060".parse().unwrap());
        Flow::stream(Transport::Tcp, local, remote, connection)
    }

    #[test]
    fn a_closed_connection_is_not_used_again_and_a_second_one_does_not_replace_the_first() {
        let mut roads = Roads::default();
        let hop = Hop { transport: Transport::Tcp, remote: tcp(1).remote };
        roads.opened(tcp(1));
        roads.opened(tcp(2));
        assert_eq!(roads.connection(hop), Some(tcp(1)));
        roads.closed(tcp(1));
        assert_eq!(
            (roads.connection(hop), roads.is_open(&tcp(1)), roads.is_open(&tcp(2))),
            (None, false, true)
        );
    }

    #[test]
    fn an_address_stays_chosen_until_the_last_holder_lets_go() {
        let mut roads = Roads::default();
        let ip = "10.0.0.2".parse().unwrap();
        roads.hold(ip);
        roads.hold("::ffff:10.0.0.2".parse().unwrap());
        roads.release(ip);
        assert!(roads.is_chosen(ip));
        roads.release(ip);
        assert!(!roads.is_chosen(ip));
    }

    #[test]
    fn only_those_who_still_wait_on_that_very_flow_are_found() {
        let mut roads = Roads::default();
        for (connection, client) in [(1, 10), (1, 11), (2, 12)] {
            roads.wait(tcp(connection), client);
        }
        roads.heard(tcp(1), 10);
        assert_eq!(roads.waiting_on(tcp(1).remote, Transport::Tcp, 1), [11]);
    }
}
