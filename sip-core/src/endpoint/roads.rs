//! Ways to the far ends: open connections, who waits for a first answer on which, whose address we have chosen.

use super::legs::Hop;
use crate::transport::{Flow, PeerId, Transport};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

/// What is known of the ways messages take.
#[derive(Default)]
pub(super) struct Roads {
    /// Addresses that transactions and legs of ours send to, and whence calls came that still live: answers and
    /// requests in dialogs may come from there even if no source rule names them (any more).
    chosen: HashMap<IpAddr, u32>,
    /// Client transactions that have heard nothing yet, by where they wait.
    waiting: BTreeSet<(SocketAddr, Transport, u32, u64)>,
    connections: HashMap<u32, Connection>,
    /// The connection to use again for a hop.
    by_hop: HashMap<Hop, Flow>,
}

/// One open connection.
struct Connection {
    /// The hops it is used again for: the far end's address, and the one it gave itself (RFC 5923).
    hops: Vec<Hop>,
    /// Of the far end's certificate.
    names: Vec<String>,
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

    /// A connection exists. The first one to a hop is the one used again.
    pub(super) fn opened(&mut self, flow: Flow, peer: Option<PeerId>, names: Vec<String>) {
        if self.is_open(&flow) {
            return;
        }
        self.connections.insert(flow.connection, Connection { hops: Vec::new(), names });
        self.lead(Hop::new(flow.transport, flow.remote, peer), flow);
    }

    /// From now on a connection is the way to this hop too, unless there is one. At most two hops each.
    pub(super) fn lead(&mut self, hop: Hop, flow: Flow) {
        let Some(connection) = self.connections.get_mut(&flow.connection) else { return };
        if connection.hops.len() < 2 && !connection.hops.contains(&hop) {
            connection.hops.push(hop);
            self.by_hop.entry(hop).or_insert(flow);
        }
    }

    pub(super) fn closed(&mut self, flow: Flow) {
        for hop in self.connections.remove(&flow.connection).into_iter().flat_map(|gone| gone.hops) {
            if self.by_hop.get(&hop) == Some(&flow) {
                self.by_hop.remove(&hop);
            }
        }
    }

    /// The names that the far end of a connection has proved; none of others.
    pub(super) fn names(&self, flow: &Flow) -> &[String] {
        self.connections.get(&flow.connection).map_or(&[], |connection| &connection.names)
    }

    /// Whether messages can leave by this flow: datagrams always.
    pub(super) fn is_open(&self, flow: &Flow) -> bool {
        !flow.is_reliable() || self.connections.contains_key(&flow.connection)
    }

    /// A connection to this hop.
    pub(super) fn connection(&self, hop: Hop) -> Option<Flow> {
        self.by_hop.get(&hop).copied()
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
        let hop = Hop::new(Transport::Tcp, tcp(1).remote, None);
        roads.opened(tcp(1), None, vec![]);
        roads.opened(tcp(2), None, vec![]);
        assert_eq!(roads.connection(hop), Some(tcp(1)));
        roads.closed(tcp(1));
        assert_eq!(
            (roads.connection(hop), roads.is_open(&tcp(1)), roads.is_open(&tcp(2))),
            (None, false, true)
        );
    }

    #[test]
    fn what_was_proved_to_one_peer_is_not_used_for_another() {
        let mut roads = Roads::default();
        let flow = Flow { transport: Transport::Tls, ..tcp(1) };
        let hop = |peer| Hop::new(Transport::Tls, flow.remote, Some(PeerId(peer)));
        roads.opened(flow, Some(PeerId(1)), vec!["a.test".into()]);
        assert_eq!((roads.connection(hop(1)), roads.connection(hop(2))), (Some(flow), None));
        let alias = Hop { remote: "10.0.0.2:5061".parse().unwrap(), ..hop(1) };
        roads.lead(alias, flow);
        assert_eq!((roads.connection(alias), roads.names(&flow)), (Some(flow), &["a.test".to_owned()][..]));
        roads.closed(flow);
        assert_eq!((roads.connection(alias), roads.connection(hop(1)), roads.by_hop.len()), (None, None, 0));
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
