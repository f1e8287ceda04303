//! The program itself with a telephone in a browser: it registers by secure WebSocket, is rung, answers, and is gone with
//! its connection (RFC 7118). The client is of another make; the sound is plain RTP, as between servers (`media = "rtp"`);
//! that of a real browser is in `testbed/browser`.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod process_support;

use std::{
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
};

use process_support::{Ca, PATIENCE, Program};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};
use sip_core::{
    Message,
    auth::digest::{Algorithm, Ha1, Login, Session},
    message::Header,
};
use tungstenite::{WebSocket, client::IntoClientRequest};

const CARRIER: &str = "127.0.0.2:0";
const VOICE: u8 = 0x55;

/// A running router with a queue of which anna is the agent, by whatever telephone she registers.
struct Router {
    program: Program,
    sip: SocketAddr,
    wss: SocketAddr,
}

impl Router {
    fn start(ca: &Ca) -> Router {
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let wss = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let ha1 = Ha1::of(Algorithm::Sha256, "anna", "desk.test", "correct horse");
        let config = format!(
            "[media]\naddress = \"127.0.0.1\"\nports = \"22000-22999\"\n\
             [listen]\nsip = [\"udp:{sip}\", {{ bind = \"wss:{wss}\", certificate = \"us.pem\", \
             origins = [\"https://desk.test\"] }}]\n\
             [trunk.carrier]\naccept_from = [\"127.0.0.2\"]\n\
             [registrar]\naccept_from = [\"127.0.0.1\"]\nrealm = \"desk.test\"\n\
             [[number]]\nmatch = \"*\"\ntrunk = \"carrier\"\nflow = \"wait\"\n\
             [flow.wait]\nsteps = [{{ queue = \"desk\" }}]\n[queue.desk]\n\
             [agent.anna]\ncall = \"phone\"\nqueues = [\"desk\"]\nphone = {{ ha1_sha256 = \"{}\", media = \"rtp\" }}\n",
            ha1.reveal()
        );
        let files = [("us.pem", ca.issue("desk.test"))];
        Router { program: Program::start("wss", &files, &config), sip, wss }
    }

    /// A connection with TLS, from a page of this origin; `Err` is the status of a refusal.
    fn browser(&self, ca: &Ca, origin: &str) -> Result<Browser, u16> {
        let mut roots = RootCertStore::empty();
        roots.add(ca.0.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("desk.test").unwrap();
        let tcp = TcpStream::connect(self.wss).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let tls = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp);
        let mut request = "wss://desk.test/".into_client_request().unwrap();
        for (header, value) in [("Sec-WebSocket-Protocol", "sip"), ("Origin", origin)] {
            request.headers_mut().insert(header, value.parse().unwrap());
        }
        match tungstenite::client(request, tls) {
            Ok((socket, _)) => Ok(Browser(socket)),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }
}

struct Browser(WebSocket<StreamOwned<ClientConnection, TcpStream>>);

impl Browser {
    fn send(&mut self, text: String) {
        self.0.send(tungstenite::Message::text(text)).unwrap();
    }

    /// The next SIP message.
    fn next(&mut self) -> Message {
        loop {
            let message = self.0.read().expect("something comes");
            if message.is_text() || message.is_binary() {
                return Message::parse(message.into_data()).unwrap();
            }
        }
    }

    fn expect(&mut self, method: &str) -> Message {
        let message = self.next();
        assert!(message.is_request() && message.method().as_bytes() == method.as_bytes(), "{message:?}");
        message
    }

    fn register(&mut self, cseq: u32, proof: &str) -> Message {
        self.send(format!(
            "REGISTER sip:desk.test SIP/2.0\r\nVia: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK{cseq}\r\n\
             From: <sip:anna@desk.test>;tag=r\r\nTo: <sip:anna@desk.test>\r\nCall-ID: register@browser\r\n\
             CSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\nSupported: path, outbound, gruu\r\nExpires: 600\r\n\
             Contact: <sip:k2l8@df7jal23ls0d.invalid;transport=ws>\r\n{proof}\r\n"
        ));
        self.next()
    }
}

/// What answers a request: its dialog's headers, a tag of `who`, and a description of `sound` if there is one.
fn response(request: &Message, status: &str, who: &str, sound: Option<SocketAddr>) -> String {
    let lines = |header| request.values(header).map(move |value| (header, value));
    let copied =
        [Header::Via, Header::From, Header::To, Header::CallId, Header::CSeq].into_iter().flat_map(lines);
    let copied: String = copied
        .map(|(header, value)| {
            let tag = if header == Header::To && request.tag(Header::To).is_none() { ";tag=b" } else { "" };
            format!("{}: {}{tag}\r\n", header.name(), String::from_utf8_lossy(&value))
        })
        .collect();
    let body = sound.map(offer).unwrap_or_default();
    format!(
        "SIP/2.0 {status}\r\n{copied}Contact: <{who}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn offer(sound: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 8\r\n",
        sound.ip(),
        sound.port()
    )
}

/// Whoever calls from the carrier.
struct Caller {
    socket: UdpSocket,
    sound: UdpSocket,
}

fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

impl Caller {
    fn new() -> Caller {
        Caller { socket: socket(CARRIER), sound: socket(CARRIER) }
    }

    fn request(&self, router: &Router, method: &str, cseq: u32, to_tag: &str) {
        let (at, to) = (self.socket.local_addr().unwrap(), router.sip);
        let body = if method == "INVITE" { offer(self.sound.local_addr().unwrap()) } else { String::new() };
        let text = format!(
            "{method} sip:desk@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}\r\n\
             From: <sip:+4930@{at}>;tag=c\r\nTo: <sip:desk@{to}>{to_tag}\r\nCall-ID: one@carrier\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:{at}>\r\nMax-Forwards: 70\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send_to(text.as_bytes(), to).unwrap();
    }

    /// The next response with this status.
    fn expect(&self, status: u16) -> Message {
        loop {
            let mut bytes = [0; 4096];
            let length = self.socket.recv(&mut bytes).expect("something comes");
            let message = Message::parse(bytes[..length].to_vec().into()).unwrap();
            if message.status().is_some_and(|found| found.code() == status) {
                return message;
            }
        }
    }
}

/// Where a description says that its sound is.
fn sound_of(message: &Message) -> SocketAddr {
    let body = String::from_utf8_lossy(&message.body()).into_owned();
    let line = body.lines().find_map(|line| line.strip_prefix("m=audio ")).expect("an audio medium");
    format!("127.0.0.1:{}", line.split(' ').next().unwrap()).parse().unwrap()
}

/// A packet of speech goes from one to the other through the router.
fn speaks(from: &UdpSocket, router: SocketAddr, to: &UdpSocket, sequence: u8) {
    let mut packet = vec![0x80, 8, 0, sequence, 0, 0, 0, sequence, 1, 2, 3, 4];
    packet.extend([VOICE; 160]);
    from.send_to(&packet, router).unwrap();
    let mut heard = [0; 2048];
    while to.recv(&mut heard).expect("sound comes") != 172 || heard[12..172] != [VOICE; 160] {}
}

#[test]
fn a_telephone_in_a_browser_registers_is_rung_speaks_and_is_gone_with_its_connection() {
    let ca = Ca::new();
    let router = Router::start(&ca);
    assert_eq!(router.browser(&ca, "https://else.test").err(), Some(403), "a page of somebody else's");
    let mut browser = router.browser(&ca, "https://desk.test").expect("it connects");

    let asked = browser.register(1, "");
    assert_eq!(asked.status().unwrap().code(), 401);
    let login = Login { username: "anna".into(), password: "correct horse".into(), realm: None };
    let proof = Session::of(&asked, &login).expect("a question that can be answered").answer(
        "REGISTER",
        "sip:desk.test",
        1,
    );
    let proof = format!("Authorization: {}\r\n", String::from_utf8_lossy(&proof));
    assert_eq!(browser.register(2, &proof).status().unwrap().code(), 200);
    router.program.says("telephone registered");

    let caller = Caller::new();
    caller.request(&router, "INVITE", 1, "");
    let answered = caller.expect(200);
    let tag = format!(";tag={}", String::from_utf8_lossy(&answered.tag(Header::To).unwrap()));
    caller.request(&router, "ACK", 1, &tag);
    let invite = browser.expect("INVITE");
    let via = String::from_utf8_lossy(&invite.values(Header::Via).next().unwrap()).into_owned();
    assert!(via.starts_with("SIP/2.0/WSS "), "{via}");
    assert_eq!(invite.request_uri_bytes(), "sip:k2l8@df7jal23ls0d.invalid;transport=ws");
    let ear = socket("127.0.0.1:0");
    let us = "sip:k2l8@df7jal23ls0d.invalid;transport=ws";
    browser.send(response(&invite, "180 Ringing", us, None));
    browser.send(response(&invite, "200 OK", us, Some(ear.local_addr().unwrap())));
    browser.expect("ACK");

    speaks(&caller.sound, sound_of(&answered), &ear, 1);
    speaks(&ear, sound_of(&invite), &caller.sound, 1);
    caller.request(&router, "BYE", 2, &tag);
    let bye = browser.expect("BYE");
    browser.send(response(&bye, "200 OK", us, None));
    caller.expect(200);
    let end = router.program.says("call ended");
    assert!(end.contains("agent=\"anna\"") && end.contains("cause=\"caller-hung-up\""), "{end}");

    drop(browser);
    let gone = router.program.says("telephone not registered any more");
    assert!(gone.contains("connection closed"), "{gone}");
}
