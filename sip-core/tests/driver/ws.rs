//! WebSocket (RFC 7118), with a client of another make.

use super::tls::{Ca, serving};
use super::*;
use futures_util::{SinkExt, StreamExt};
use sip_core::driver::tls::TlsSettings;
use sip_core::{PeerId, Sources};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Without Content-Length, which a frame does not need.
const REGISTER: &str = "REGISTER sip:desk.test SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\n\r\n";

fn settings() -> DriverSettings {
    let mut sources = Sources::new();
    sources.allow("127.0.0.0/8".parse().unwrap(), None, PeerId(7));
    DriverSettings { tls: TlsSettings { sources, ..TlsSettings::default() }, ..DriverSettings::default() }
}

fn serve(settings: DriverSettings) -> Sockets {
    bind(Transport::Ws, settings)
}

fn request(protocol: &str, origin: &str) -> Request {
    let mut request = "ws://desk.test/".into_client_request().unwrap();
    let headers = [("Sec-WebSocket-Protocol", protocol), ("Origin", origin)];
    for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

async fn tcp(sockets: &Sockets) -> TcpStream {
    TcpStream::connect(address(sockets)).await.unwrap()
}

/// Lets the driver work until `until` is there; only ends of connections may come meanwhile.
async fn during<T>(sockets: &mut Sockets, until: impl Future<Output = T>) -> T {
    let mut into = vec![];
    let until = within(until);
    tokio::pin!(until);
    let done = loop {
        tokio::select! {
            done = &mut until => break done,
            () = sockets.next(&mut into) => {}
        }
    };
    assert!(into.iter().all(|input| matches!(input, Input::Closed { .. })), "{into:?}");
    done
}

/// A telephone in a browser.
async fn browser(sockets: &mut Sockets) -> WebSocketStream<TcpStream> {
    let stream = tcp(sockets).await;
    during(sockets, client_async(request("sip", ""), stream)).await.unwrap().0
}

/// The status with which a request to begin is refused.
async fn refused(sockets: &mut Sockets, request: Request) -> u16 {
    let stream = tcp(sockets).await;
    match during(sockets, client_async(request, stream)).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// What comes back for bytes that somebody sends, until the connection is closed.
async fn raw(sockets: &mut Sockets, bytes: &[u8]) -> String {
    let mut stream = tcp(sockets).await;
    stream.write_all(bytes).await.unwrap();
    let reading = async {
        let mut answer = vec![];
        let _ = stream.read_to_end(&mut answer).await; // whether by a reset does not matter
        answer
    };
    let answer = during(sockets, reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The next message that the client has, while the driver works.
async fn hears<S: AsyncRead + AsyncWrite + Unpin>(
    sockets: &mut Sockets,
    client: &mut WebSocketStream<S>,
) -> Message {
    during(sockets, client.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn rfc7118_4_a_message_in_a_frame_arrives_and_the_answer_goes_back_in_one() {
    let mut sockets = serve(settings());
    let mut client = browser(&mut sockets).await;
    client.send(Message::text(REGISTER)).await.unwrap();
    let (flow, bytes) = message(&mut sockets).await;
    assert_eq!((flow.transport, bytes), (Transport::Ws, Bytes::from_static(REGISTER.as_bytes())));
    client.send(Message::binary(REGISTER.as_bytes())).await.unwrap();
    assert_eq!(message(&mut sockets).await, (flow, Bytes::from_static(REGISTER.as_bytes())));
    let reply = Bytes::from_static("SIP/2.0 200 OK\r\nX: ä\r\n\r\n".as_bytes());
    sockets.transmit(flow, reply.clone());
    assert_eq!(hears(&mut sockets, &mut client).await, Message::text(std::str::from_utf8(&reply).unwrap()));
    let odd = Bytes::from_static(b"SIP/2.0 200 OK\r\nX: \xff\r\n\r\n");
    sockets.transmit(flow, odd.clone());
    assert_eq!(
        hears(&mut sockets, &mut client).await,
        Message::binary(odd),
        "what is no text is sent as bytes"
    );
}

#[tokio::test]
async fn over_tls_it_is_wss() {
    let ca = Ca::new();
    let listener = Listener::new(Transport::Wss, SocketAddr::from(([127, 0, 0, 1], 0)));
    let tls = serving(ca.good("desk.test"), &ca, |_| {});
    let mut sockets =
        Sockets::bind(&[listener], DriverSettings { tls, ..DriverSettings::default() }).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().into()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = tcp(&sockets).await;
    let connecting = async {
        let stream = connector.connect(ServerName::try_from("desk.test").unwrap(), stream).await.unwrap();
        client_async(request("sip", ""), stream).await.unwrap().0
    };
    let mut client = during(&mut sockets, connecting).await;
    client.send(Message::text(REGISTER)).await.unwrap();
    let (flow, _) = message(&mut sockets).await;
    assert_eq!(flow.transport, Transport::Wss);
    sockets.transmit(flow, Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n"));
    assert_eq!(hears(&mut sockets, &mut client).await, Message::text("SIP/2.0 200 OK\r\n\r\n"));
}

#[tokio::test]
async fn rfc7118_4_1_another_subprotocol_or_none_is_refused() {
    let mut sockets = serve(settings());
    assert_eq!(refused(&mut sockets, request("xmpp", "")).await, 400);
    let answer = raw(
        &mut sockets,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"sip\""), "{answer}");
    let stream = tcp(&sockets).await;
    let (_, response) = during(&mut sockets, client_async(request("xmpp, sip", ""), stream)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "sip", "of several the one that we speak");
}

#[tokio::test]
async fn what_is_no_websocket_is_told_so_and_closed() {
    let mut sockets = serve(settings());
    let cases: [(&[u8], &str); 6] = [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 "),
        (
            b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n",
            "HTTP/1.1 426 ",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 "),
        (b"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 400 "),
        (b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n", "HTTP/1.1 400 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ""),
    ];
    for (bytes, expected) in cases {
        let answer = raw(&mut sockets, bytes).await;
        assert!(answer.starts_with(expected), "{answer}");
        assert!(!expected.is_empty() || answer.is_empty(), "{answer}");
        assert!(!answer.contains("426") || answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{answer}");
    }
    let long = [b"GET / HTTP/1.1\r\nCookie: ".to_vec(), vec![b'x'; 9_000]].concat();
    assert!(raw(&mut sockets, &long).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(sockets.mishaps()["websocket"], 6);
    assert_eq!(sockets.mishaps()["tls-on-plain-port"], 1);
    while sockets.connections() > 0 {
        within(sockets.next(&mut vec![])).await;
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_and_who_is_no_page_is_not() {
    let origins = BTreeMap::from([(0, vec!["https://desk.test".to_owned()])]);
    let mut sockets = serve(DriverSettings { origins, ..settings() });
    assert_eq!(refused(&mut sockets, request("sip", "https://evil.test")).await, 403);
    assert_eq!(refused(&mut sockets, request("sip", "null")).await, 403);
    for origin in ["https://desk.test", "HTTPS://DESK.TEST", ""] {
        let stream = tcp(&sockets).await;
        during(&mut sockets, client_async(request("sip", origin), stream)).await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_source_gets_nothing() {
    let mut sockets = serve(DriverSettings::default());
    let answer = raw(&mut sockets, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.as_str(), sockets.counters().refused), ("", 1));
}

#[tokio::test]
async fn bytes_one_by_one_and_frames_of_one_byte_make_a_message() {
    let mut sockets = serve(settings());
    let mut client = browser(&mut sockets).await;
    let last = REGISTER.len() - 1;
    for (at, byte) in REGISTER.bytes().enumerate() {
        let kind = if at == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(vec![byte], OpCode::Data(kind), at == last);
        client.send(Message::Frame(frame)).await.unwrap();
    }
    assert_eq!(message(&mut sockets).await.1, REGISTER);
    let mut stream = tcp(&sockets).await;
    stream.set_nodelay(true).unwrap();
    let head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let slowly = async {
        for byte in head.bytes() {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = [0; 160];
        let len = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..len]).to_lowercase()
    };
    let answer = during(&mut sockets, slowly).await;
    // The example of RFC 6455 §1.3.
    assert!(answer.contains("101") && answer.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_the_connection_with_the_reason() {
    let mut sockets = serve(DriverSettings { max_message: 1_000, ..settings() });
    let mut client = browser(&mut sockets).await;
    client.send(Message::text("x".repeat(1_001))).await.unwrap();
    match hears(&mut sockets, &mut client).await {
        Message::Close(Some(CloseFrame { code, .. })) => assert_eq!(code, CloseCode::Size),
        other => panic!("{other:?}"),
    }
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    // The same in pieces, each of them short.
    let mut client = browser(&mut sockets).await;
    for at in 0..3 {
        let kind = if at == 0 { Data::Text } else { Data::Continue };
        client
            .send(Message::Frame(Frame::message(vec![b'x'; 400], OpCode::Data(kind), false)))
            .await
            .unwrap();
    }
    match hears(&mut sockets, &mut client).await {
        Message::Close(Some(CloseFrame { code, .. })) => assert_eq!(code, CloseCode::Size),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn pings_of_either_kind_are_answered() {
    let mut sockets = serve(settings());
    let mut client = browser(&mut sockets).await;
    client.send(Message::Ping(Bytes::from_static(b"are you there?"))).await.unwrap();
    assert_eq!(hears(&mut sockets, &mut client).await, Message::Pong(Bytes::from_static(b"are you there?")));
    client.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(hears(&mut sockets, &mut client).await, Message::text("\r\n"));
}

#[tokio::test]
async fn a_browser_is_pinged_and_one_that_stops_answering_is_found_dead() {
    let settings = DriverSettings {
        ping_interval: Duration::from_millis(50),
        pong_timeout: Duration::from_millis(50),
        ..settings()
    };
    let mut sockets = serve(settings);
    let mut client = browser(&mut sockets).await;
    assert_eq!(hears(&mut sockets, &mut client).await, Message::Ping(Bytes::new()));
    client.flush().await.unwrap(); // the answer, which the client makes by itself
    // From now on the client does not read, so it answers nothing.
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    assert_eq!(sockets.counters().closed_dead, 1);
}

#[tokio::test]
async fn who_takes_too_long_over_his_request_or_a_frame_is_closed() {
    let short = Duration::from_millis(50);
    let mut sockets = serve(DriverSettings { message_timeout: short, ..settings() });
    let mut stream = tcp(&sockets).await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    let mut client = browser(&mut sockets).await;
    client.send(Message::Frame(Frame::message(vec![b'x'], OpCode::Data(Data::Text), false))).await.unwrap();
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    assert_eq!(sockets.counters().closed_slow, 2);
    // Who is connected and silent is not slow.
    let mut client = browser(&mut sockets).await;
    let silent = during(&mut sockets, tokio::time::timeout(3 * short, client.next())).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test]
async fn a_farewell_is_returned_and_the_end_is_told() {
    let mut sockets = serve(settings());
    let mut client = browser(&mut sockets).await;
    client.close(None).await.unwrap();
    assert!(matches!(hears(&mut sockets, &mut client).await, Message::Close(_)));
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
}

#[tokio::test]
async fn a_frame_without_a_mask_breaks_the_rules() {
    let mut sockets = serve(settings());
    let client = browser(&mut sockets).await;
    let mut stream = client.into_inner();
    stream.write_all(b"\x81\x01x").await.unwrap(); // RFC 6455 §5.1
    let mut answer = [0; 2];
    during(&mut sockets, stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer[0], 0x88, "a close frame");
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    assert_eq!(sockets.mishaps()["websocket"], 1);
}
