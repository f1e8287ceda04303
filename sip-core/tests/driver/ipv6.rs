//! IPv6 on real sockets. A machine without it says so and is passed over.

use super::tls::{Ca, serving};
use super::*;
use sip_core::driver::tls::TlsSettings;
use sip_core::{
    Endpoint, Event, Invite, OpenId, Output, PeerId, Settings, Sources, StatusCode, Terms, message::Message,
};

const OPTIONS: &[u8] = b"OPTIONS sip:a@[::1] SIP/2.0\r\nContent-Length: 0\r\n\r\n";

/// Whether `[::1]` can be bound here.
fn has_ipv6() -> bool {
    let bound = std::net::UdpSocket::bind("[::1]:0");
    if let Err(error) = &bound {
        println!("passed over: this machine has no IPv6 ({error})");
    }
    bound.is_ok()
}

fn listener(transport: Transport, at: &str) -> Listener {
    Listener::new(transport, at.parse().unwrap())
}

fn six(transport: Transport, tls: TlsSettings) -> Sockets {
    let settings = DriverSettings { tls, ..DriverSettings::default() };
    Sockets::bind(&[listener(transport, "[::1]:0")], settings).unwrap()
}

/// The next input of `near`, while `far` works too; what `far` gets is in `heard`.
async fn both(near: &mut Sockets, far: &mut Sockets, heard: &mut Vec<Input>) -> Vec<Input> {
    let mut into = vec![];
    let work = async {
        loop {
            tokio::select! {
                () = near.next(&mut into) => return,
                () = far.next(heard) => {}
            }
        }
    };
    within(work).await;
    into
}

/// The next message of `near`, while `far` sends it.
async fn received(near: &mut Sockets, far: &mut Sockets) -> (Flow, Bytes) {
    match both(near, far, &mut vec![]).await.remove(0) {
        Input::Received { flow, bytes } => (flow, bytes),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn datagrams_go_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let (mut near, mut far) =
        (six(Transport::Udp, TlsSettings::default()), six(Transport::Udp, TlsSettings::default()));
    near.transmit(Flow::udp(address(&near), address(&far)), Bytes::from_static(OPTIONS));
    let (flow, bytes) = received(&mut far, &mut near).await;
    assert_eq!((flow.remote, bytes), (address(&near), Bytes::from_static(OPTIONS)));
    far.transmit(flow, Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n"));
    assert_eq!(received(&mut near, &mut far).await.0.remote, address(&far));
}

#[tokio::test]
async fn connections_with_and_without_tls_go_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let ca = Ca::new();
    for transport in [Transport::Tcp, Transport::Tls] {
        let tls = || match transport {
            Transport::Tls => serving(ca.good("far.test"), &ca, |peer| peer.trust = ca.trust()),
            _ => TlsSettings::default(),
        };
        let (mut near, mut far) = (six(transport, tls()), six(transport, tls()));
        let name = Some("far.test".to_owned());
        near.open(OpenId(1), transport, address(&far), name, Some(PeerId(7)));
        let mut heard = vec![];
        let opened = both(&mut near, &mut far, &mut heard).await.remove(0);
        let Input::Opened { flow, .. } = opened else { panic!("{opened:?}") };
        assert_eq!((flow.remote, flow.transport), (address(&far), transport));
        near.transmit(flow, Bytes::from_static(OPTIONS));
        heard.retain(|input| matches!(input, Input::Received { .. }));
        while heard.is_empty() {
            let mut nothing = vec![];
            tokio::select! {
                () = near.next(&mut nothing) => panic!("{nothing:?}"),
                () = within(far.next(&mut heard)) => {}
            }
            heard.retain(|input| matches!(input, Input::Received { .. }));
        }
        let Input::Received { flow, bytes } = &heard[0] else { panic!("{heard:?}") };
        assert!(flow.remote.is_ipv6() && bytes == OPTIONS);
    }
}

#[tokio::test]
async fn one_port_can_be_listened_on_by_both_families() {
    if !has_ipv6() {
        return;
    }
    let first = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = first.local_addr().unwrap().port();
    drop(first);
    let both = [
        listener(Transport::Udp, &format!("127.0.0.1:{port}")),
        listener(Transport::Udp, &format!("[::1]:{port}")),
        listener(Transport::Tcp, &format!("127.0.0.1:{port}")),
        listener(Transport::Tcp, &format!("[::1]:{port}")),
    ];
    let mut sockets = Sockets::bind(&both, DriverSettings::default()).unwrap();
    for from in ["127.0.0.1:0", "[::1]:0"] {
        let peer = tokio::net::UdpSocket::bind(from).await.unwrap();
        let to = SocketAddr::new(peer.local_addr().unwrap().ip(), port);
        peer.send_to(OPTIONS, to).await.unwrap();
        assert_eq!(message(&mut sockets).await.0.local, to);
    }
}

/// Carries what an endpoint wants done to its sockets.
fn carry_out(endpoint: &mut Endpoint, sockets: &mut Sockets) -> Vec<Event> {
    let mut events = vec![];
    loop {
        match endpoint.poll_output() {
            Output::Transmit { flow, bytes } => sockets.transmit(flow, bytes),
            Output::Event(event) => events.push(event),
            Output::Timeout(_) => return events,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn rfc5118_a_call_over_ipv6_has_its_addresses_in_brackets() {
    if !has_ipv6() {
        return;
    }
    let mut far = six(Transport::Udp, TlsSettings::default());
    let mut near = six(Transport::Udp, TlsSettings::default());
    let mut endpoint = Endpoint::new(Settings::new([1; 32], near.listeners()));
    endpoint.set_sources(Sources::new());
    let target = format!("udp:{}", address(&far)).parse().unwrap();
    let invite = Invite {
        flow: None,
        peer: None,
        login: None,
        targets: vec![target],
        retry_on: vec![],
        uri: Bytes::from(format!("sip:bo@{}", address(&far))),
        uris: vec![],
        from: Bytes::from_static(b"<sip:anna@near.test>"),
        to: Bytes::from_static(b"<sip:bo@far.test>"),
        headers: vec![],
        body: None,
        udp_only: true,
        max_forwards: 70,
        first_response_timeout: Duration::from_secs(8),
        terms: Terms::default(),
    };
    #[allow(clippy::disallowed_methods, reason = "real sockets: their endpoint lives in real time")]
    let now = std::time::Instant::now();
    endpoint.invite(now, invite).unwrap();
    carry_out(&mut endpoint, &mut near);
    let (flow, bytes) = received(&mut far, &mut near).await;
    let request = Message::parse(bytes.clone()).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let us = address(&near);
    assert!(text.contains(&format!("Via: SIP/2.0/UDP {us};branch=")), "{text}");
    assert!(text.contains(&format!("Contact: <sip:{us}>")), "{text}");
    assert!(us.to_string().starts_with("[::1]:"));
    let mut busy =
        sip_core::message::respond_to(&request, flow.remote, StatusCode::BUSY_HERE, None, Some(b"x"));
    far.transmit(flow, busy.finish());
    let answer = both(&mut near, &mut far, &mut vec![]).await.remove(0);
    endpoint.handle_input(now, answer);
    let events = carry_out(&mut endpoint, &mut near);
    assert!(matches!(events[..], [Event::Failed { status: StatusCode::BUSY_HERE, .. }]), "{events:?}");
}
