//! Connections.

use super::*;
use sip_core::OpenId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BYE: &[u8] = b"BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const SHORT: Duration = Duration::from_millis(50);

async fn connect(sockets: &Sockets) -> TcpStream {
    TcpStream::connect(address(sockets)).await.unwrap()
}

/// A connection that the driver knows, and its flow.
async fn known(sockets: &mut Sockets) -> (TcpStream, Flow) {
    let mut peer = connect(sockets).await;
    peer.write_all(BYE).await.unwrap();
    let (flow, _) = message(sockets).await;
    (peer, flow)
}

/// Reads until the far end closes; whether by a reset does not matter.
async fn end(peer: &mut TcpStream) -> Vec<u8> {
    let mut all = vec![];
    let _ = peer.read_to_end(&mut all).await;
    all
}

#[tokio::test]
async fn messages_in_pieces_arrive_whole() {
    let mut sockets = bind(Transport::Tcp, DriverSettings::default());
    let mut peer = connect(&sockets).await;
    peer.set_nodelay(true).unwrap();
    let sending = async {
        for piece in BYE.chunks(7) {
            peer.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        peer.write_all(&[BYE, BYE].concat()).await.unwrap();
    };
    let (all, ()) = tokio::join!(collect(&mut sockets, 3), sending);
    let flow = Flow::stream(Transport::Tcp, address(&sockets), peer.local_addr().unwrap(), 1);
    for input in all {
        assert!(matches!(input, Input::Received { flow: f, bytes } if f == flow && bytes == BYE));
    }
}

#[tokio::test]
async fn a_ping_is_answered() {
    let mut sockets = bind(Transport::Tcp, DriverSettings::default());
    let mut peer = connect(&sockets).await;
    peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    meanwhile(&mut sockets, peer.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn an_answer_leaves_by_the_connection_and_its_end_is_told() {
    let mut sockets = bind(Transport::Tcp, DriverSettings::default());
    let (mut peer, flow) = known(&mut sockets).await;
    sockets.transmit(flow, "one".into());
    sockets.transmit(flow, "two".into());
    let mut buffer = [0; 6];
    meanwhile(&mut sockets, peer.read_exact(&mut buffer)).await.unwrap();
    assert_eq!((&buffer, sockets.connections()), (b"onetwo", 1));
    drop(peer);
    assert!(matches!(input(&mut sockets).await, Input::Closed { flow: f } if f == flow));
    sockets.transmit(flow, "three".into());
    assert_eq!((sockets.connections(), sockets.counters().stream_messages_lost), (0, 1));
}

#[tokio::test]
async fn messages_come_before_the_end_of_their_connection() {
    let mut sockets = bind(Transport::Tcp, DriverSettings { inbox: 2, ..DriverSettings::default() });
    let mut peer = connect(&sockets).await;
    peer.write_all(&BYE.repeat(100)).await.unwrap();
    drop(peer);
    let all = collect(&mut sockets, 101).await;
    assert!(all[..100].iter().all(|input| matches!(input, Input::Received { .. })));
    assert!(matches!(all[100], Input::Closed { .. }));
}

#[tokio::test]
async fn a_connection_of_ours_carries_both_ways() {
    let mut sockets = bind(Transport::Tcp, DriverSettings::default());
    let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = far.local_addr().unwrap();
    sockets.open(OpenId(7), Transport::Tcp, remote, None, None);
    let Input::Opened { id: OpenId(7), flow, .. } = input(&mut sockets).await else { panic!() };
    assert_eq!(flow.remote, remote);
    let (mut peer, from) = far.accept().await.unwrap();
    assert_eq!(flow.local, from);
    sockets.transmit(flow, BYE.into());
    let mut buffer = vec![0; BYE.len()];
    meanwhile(&mut sockets, peer.read_exact(&mut buffer)).await.unwrap();
    peer.write_all(BYE).await.unwrap();
    assert_eq!(message(&mut sockets).await, (flow, BYE.into()));
}

/// A connection of ours to somebody who is pinged often, and his end of it.
async fn pinged() -> (Sockets, TcpStream) {
    let settings = DriverSettings { ping_interval: SHORT, pong_timeout: SHORT, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tcp, settings);
    let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
    sockets.open(OpenId(1), Transport::Tcp, far.local_addr().unwrap(), None, None);
    assert!(matches!(input(&mut sockets).await, Input::Opened { .. }));
    (sockets, far.accept().await.unwrap().0)
}

#[tokio::test]
async fn a_connection_of_ours_is_pinged_and_one_whose_peer_never_answers_is_kept() {
    let (mut sockets, mut peer) = pinged().await;
    let mut pings = [0; 5 * 4];
    meanwhile(&mut sockets, peer.read_exact(&mut pings)).await.unwrap();
    assert_eq!((&pings[..], sockets.connections()), (&b"\r\n\r\n".repeat(5)[..], 1));
}

#[tokio::test]
async fn a_peer_who_answers_pings_no_more_is_dead_and_his_answers_are_not_answered() {
    let (mut sockets, mut peer) = pinged().await;
    let mut ping = [0; 4];
    for _ in 0..3 {
        meanwhile(&mut sockets, peer.read_exact(&mut ping)).await.unwrap();
        assert_eq!(&ping, b"\r\n\r\n");
        peer.write_all(b"\r\n").await.unwrap();
    }
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    assert_eq!((sockets.counters().closed_dead, sockets.counters().stream_pings), (1, 0));
}

#[tokio::test]
async fn what_cannot_be_opened_fails() {
    let mut sockets = bind(Transport::Tcp, DriverSettings::default());
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = gone.local_addr().unwrap();
    drop(gone);
    sockets.open(OpenId(1), Transport::Tcp, remote, None, None);
    assert!(matches!(input(&mut sockets).await, Input::OpenFailed { id: OpenId(1) }));
    sockets.open(OpenId(2), Transport::Ws, remote, None, None);
    assert!(matches!(input(&mut sockets).await, Input::OpenFailed { id: OpenId(2) }));
    assert_eq!(sockets.counters().open_failed, 2);
}

#[tokio::test]
async fn a_connection_that_we_close_is_reported_as_any_other_and_says_nothing_more() {
    let mut sockets = bind(Transport::Tcp, DriverSettings { inbox: 2, ..DriverSettings::default() });
    let mut peer = connect(&sockets).await;
    peer.write_all(&BYE.repeat(100)).await.unwrap();
    let Input::Received { flow, .. } = inputs(&mut sockets).await.remove(0) else { panic!("no message") };
    tokio::task::yield_now().await; // the next messages are read, and wait
    sockets.close(flow);
    sockets.close(flow);
    assert!(matches!(input(&mut sockets).await, Input::Closed { flow: f } if f == flow));
    meanwhile(&mut sockets, end(&mut peer)).await;
    assert_eq!(sockets.connections(), 0);
}

#[tokio::test]
async fn half_a_message_closes_the_connection_in_time() {
    let settings = DriverSettings { message_timeout: SHORT, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tcp, settings);
    let (mut peer, flow) = known(&mut sockets).await;
    peer.write_all(&BYE[..20]).await.unwrap();
    assert!(matches!(input(&mut sockets).await, Input::Closed { flow: f } if f == flow));
    end(&mut peer).await;
    assert_eq!(sockets.counters().closed_slow, 1);
}

#[tokio::test]
async fn a_connection_that_never_says_anything_is_closed() {
    let settings = DriverSettings { message_timeout: SHORT, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tcp, settings);
    let mut peer = connect(&sockets).await;
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    assert_eq!((end(&mut peer).await, sockets.counters().closed_slow), (vec![], 1));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let settings = DriverSettings { idle_timeout: SHORT, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tcp, settings);
    let (_peer, flow) = known(&mut sockets).await;
    assert!(matches!(input(&mut sockets).await, Input::Closed { flow: f } if f == flow));
    assert_eq!(sockets.counters().closed_idle, 1);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once_and_the_others_work() {
    let settings = DriverSettings { max_connections: 2, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tcp, settings);
    let (first, second) = (known(&mut sockets).await, known(&mut sockets).await);
    let mut third = connect(&sockets).await;
    meanwhile(&mut sockets, end(&mut third)).await;
    assert_eq!((sockets.connections(), sockets.counters().refused), (2, 1));
    sockets.open(OpenId(1), Transport::Tcp, address(&sockets), None, None);
    assert!(matches!(input(&mut sockets).await, Input::OpenFailed { .. }));
    drop(first);
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    let fourth = known(&mut sockets).await;
    assert_ne!(fourth.1.connection, second.1.connection);
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let settings = DriverSettings { max_connections_per_address: 1, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tcp, settings);
    let (first, _) = known(&mut sockets).await;
    let mut second = connect(&sockets).await;
    meanwhile(&mut sockets, end(&mut second)).await;
    assert_eq!((sockets.connections(), sockets.counters().refused), (1, 1));
    drop(first);
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    known(&mut sockets).await;
}

#[tokio::test]
async fn a_full_inbox_stops_the_reading_and_loses_nothing() {
    let mut sockets = bind(Transport::Tcp, DriverSettings { inbox: 4, ..DriverSettings::default() });
    let mut peer = connect(&sockets).await;
    const COUNT: usize = 100_000; // 4 MB: more than the kernel's buffers hold by default
    let sending = tokio::spawn(async move {
        peer.write_all(&BYE.repeat(COUNT)).await.unwrap();
        peer
    });
    let mut all = vec![];
    while all.len() < COUNT {
        let before = all.len();
        within(sockets.next(&mut all)).await;
        assert!(all.len() - before <= 64);
    }
    assert!(all.iter().all(|input| matches!(input, Input::Received { bytes, .. } if bytes == BYE)));
    within(sending).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off() {
    let settings = DriverSettings { max_write_queue: 100_000, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tcp, settings);
    let (_peer, flow) = known(&mut sockets).await;
    let large = Bytes::from(vec![b'a'; 60_000]);
    sockets.transmit(flow, large.clone());
    assert_eq!(sockets.connections(), 1);
    sockets.transmit(flow, large);
    assert!(matches!(input(&mut sockets).await, Input::Closed { flow: f } if f == flow));
    assert_eq!((sockets.connections(), sockets.counters().closed_full), (0, 1));
}

#[tokio::test]
async fn a_message_without_a_length_is_answered_and_the_connection_closed() {
    let mut sockets = bind(Transport::Tcp, DriverSettings::default());
    let mut peer = connect(&sockets).await;
    let head = b"INVITE sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n";
    peer.write_all(head).await.unwrap();
    peer.write_all(BYE).await.unwrap();
    let (flow, bytes) = message(&mut sockets).await;
    assert_eq!(&bytes[..], head);
    sockets.transmit(flow, "400".into());
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    assert_eq!((end(&mut peer).await, sockets.counters().closed_unframed), (b"400".to_vec(), 1));
}

#[tokio::test]
async fn a_flood_of_datagrams_does_not_silence_a_connection() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = [Listener::new(Transport::Udp, any), Listener::new(Transport::Tcp, any)];
    let mut sockets = Sockets::bind(&listeners, DriverSettings::default()).unwrap();
    let [udp, tcp] = &sockets.listeners()[..] else { panic!() };
    let (udp, tcp) = (udp.local, tcp.local);
    let flood = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut peer = std::net::TcpStream::connect(tcp).unwrap();
    std::io::Write::write_all(&mut peer, BYE).unwrap();
    let mut turns = 0;
    loop {
        // The socket is never empty: `next` has no reason to wait.
        for _ in 0..70 {
            flood.send_to(b"a", udp).unwrap();
        }
        if inputs(&mut sockets)
            .await
            .iter()
            .any(|i| matches!(i, Input::Received { bytes, .. } if bytes == BYE))
        {
            break;
        }
        turns += 1;
        assert!(turns < 50);
    }
}

#[tokio::test]
async fn connections_are_closed_with_the_sockets() {
    let mut sockets = bind(Transport::Tcp, DriverSettings::default());
    let (mut peer, _) = known(&mut sockets).await;
    let listening = address(&sockets);
    drop(sockets);
    assert_eq!(within(end(&mut peer)).await, b"");
    assert!(TcpStream::connect(listening).await.is_err());
}
