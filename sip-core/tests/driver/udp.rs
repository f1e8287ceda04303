//! Datagrams.

use super::*;
use tokio::net::UdpSocket;

async fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn a_datagram_comes_with_its_flow_and_the_answer_goes_back() {
    let mut sockets = bind(Transport::Udp, DriverSettings::default());
    let (peer, remote) = peer().await;
    peer.send_to(b"OPTIONS", address(&sockets)).await.unwrap();
    let (flow, bytes) = message(&mut sockets).await;
    assert_eq!((flow, &bytes[..]), (Flow::udp(address(&sockets), remote), &b"OPTIONS"[..]));
    sockets.transmit(flow, "200".into());
    let mut buffer = [0; 100];
    let (len, from) = meanwhile(&mut sockets, peer.recv_from(&mut buffer)).await.unwrap();
    assert_eq!((&buffer[..len], from), (&b"200"[..], address(&sockets)));
    assert_eq!((sockets.counters().datagrams_in, sockets.counters().datagrams_out), (1, 1));
}

#[tokio::test]
async fn a_burst_is_read_in_pieces_of_at_most_64() {
    let mut sockets = bind(Transport::Udp, DriverSettings::default());
    let (peer, _) = peer().await;
    for n in 0..150u8 {
        peer.send_to(&[b'a', n], address(&sockets)).await.unwrap();
    }
    let mut read = vec![];
    while read.len() < 150 {
        let some = inputs(&mut sockets).await;
        assert!(some.len() <= 64);
        read.extend(some);
    }
    for (n, input) in read.iter().enumerate() {
        assert!(matches!(input, Input::Received { bytes, .. } if bytes[..] == [b'a', n as u8]), "{n}");
    }
}

#[tokio::test]
async fn keep_alives_are_counted_and_go_no_further() {
    let mut sockets = bind(Transport::Udp, DriverSettings::default());
    let (peer, _) = peer().await;
    for datagram in [&b"\r\n\r\n"[..], b"\0\0\0\0", b"", b"BYE"] {
        peer.send_to(datagram, address(&sockets)).await.unwrap();
    }
    assert_eq!(message(&mut sockets).await.1, "BYE");
    assert_eq!(sockets.counters().datagram_keep_alives, 3);
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_reported_and_others_still_get_theirs() {
    let mut sockets = bind(Transport::Udp, DriverSettings::default());
    let (gone, dead) = peer().await;
    drop(gone);
    let (peer, alive) = peer().await;
    let local = address(&sockets);
    sockets.transmit(Flow::udp(local, dead), "INVITE".into());
    assert!(matches!(input(&mut sockets).await, Input::Unreachable { remote } if remote == dead));
    for round in 0..10 {
        sockets.transmit(Flow::udp(local, dead), "INVITE".into());
        sockets.transmit(Flow::udp(local, alive), "INVITE".into());
        let mut buffer = [0; 100];
        assert_eq!(within(peer.recv(&mut buffer)).await.unwrap(), 6, "round {round}");
    }
}

#[tokio::test]
async fn an_icmp_error_does_not_stop_the_reading() {
    let mut sockets = bind(Transport::Udp, DriverSettings::default());
    let (gone, dead) = peer().await;
    drop(gone);
    let (peer, _) = peer().await;
    let local = address(&sockets);
    sockets.transmit(Flow::udp(local, dead), "INVITE".into());
    input(&mut sockets).await;
    peer.send_to(b"BYE", local).await.unwrap();
    assert_eq!(message(&mut sockets).await.1, "BYE");
    assert_eq!(sockets.counters().icmp_errors, 1);
}

#[tokio::test]
async fn what_cannot_be_sent_at_all_is_unreachable() {
    let mut sockets = bind(Transport::Udp, DriverSettings::default());
    let (_peer, remote) = peer().await;
    let elsewhere = SocketAddr::from(([127, 0, 0, 1], 9));
    sockets.transmit(Flow::udp(elsewhere, remote), "BYE".into());
    assert!(matches!(input(&mut sockets).await, Input::Unreachable { remote: r } if r == remote));
    let local = address(&sockets);
    meanwhile(&mut sockets, tokio::task::yield_now()).await;
    sockets.transmit(Flow::udp(local, remote), vec![b'a'; 65_536].into());
    assert!(matches!(input(&mut sockets).await, Input::Unreachable { remote: r } if r == remote));
    assert_eq!(sockets.counters().datagrams_refused, 1);
}

#[tokio::test]
async fn what_the_kernel_drops_can_be_read() {
    let settings = DriverSettings { receive_buffer: 4_096, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Udp, settings);
    assert_eq!(sockets.udp_drops().unwrap(), 0);
    let (peer, _) = peer().await;
    for _ in 0..100 {
        peer.send_to(&[b'a'; 1_000], address(&sockets)).await.unwrap();
    }
    let mut read = vec![];
    within(sockets.next(&mut read)).await;
    assert_eq!(read.len() as u64 + sockets.udp_drops().unwrap(), 100);
    assert!(sockets.udp_drops().unwrap() > 0);
}

#[tokio::test]
async fn the_achieved_buffer_can_be_read() {
    let small = bind(Transport::Udp, DriverSettings { receive_buffer: 8_192, ..DriverSettings::default() });
    let large = bind(Transport::Udp, DriverSettings::default());
    let (small, large) = (small.buffers().unwrap()[0], large.buffers().unwrap()[0]);
    assert_eq!(small.receive, 2 * 8_192, "Linux doubles for its own overhead");
    assert!(large.receive > small.receive && large.send > 0);
}

#[tokio::test]
async fn every_address_in_use_is_told() {
    let [one, other] = [(); 2].map(|()| bind(Transport::Udp, DriverSettings::default()));
    let free = Listener::new(Transport::Udp, SocketAddr::from(([127, 0, 0, 1], 0)));
    let listeners = [one.listeners(), vec![free], other.listeners()].concat();
    let unbound = Sockets::bind(&listeners, DriverSettings::default()).err().unwrap();
    let told: Vec<_> = unbound.iter().map(|unbound| (unbound.listener, unbound.error.kind())).collect();
    assert_eq!(told, [(0, std::io::ErrorKind::AddrInUse), (2, std::io::ErrorKind::AddrInUse)]);
}

#[tokio::test]
async fn next_may_be_dropped_while_it_waits() {
    let mut sockets = bind(Transport::Udp, DriverSettings::default());
    let (peer, _) = peer().await;
    for n in 0..50u8 {
        meanwhile(&mut sockets, tokio::task::yield_now()).await;
        peer.send_to(&[b'a', n], address(&sockets)).await.unwrap();
        assert_eq!(message(&mut sockets).await.1[..], [b'a', n]);
    }
}

#[tokio::test]
async fn ipv4_and_ipv6_share_a_port() {
    let four = bind(Transport::Udp, DriverSettings::default());
    let port = address(&four).port();
    let any = Listener::new(Transport::Udp, format!("[::]:{port}").parse().unwrap());
    let mut six = Sockets::bind(&[any], DriverSettings::default()).unwrap();
    let peer = UdpSocket::bind("[::1]:0").await.unwrap();
    peer.send_to(b"BYE", format!("[::1]:{port}")).await.unwrap();
    let (flow, bytes) = message(&mut six).await;
    assert_eq!((flow.remote, &bytes[..]), (peer.local_addr().unwrap(), &b"BYE"[..]));
}
