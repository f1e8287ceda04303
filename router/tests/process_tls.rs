//! The program itself behind mutual TLS: a call, a reload while it lasts, and somebody who is not whom he should be.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

mod process_support;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
};

use process_support::{Ca, PATIENCE, Program};
use sip_core::{
    Flow, Input, OpenId, PeerId, Transport,
    driver::{
        DriverSettings, Sockets,
        tls::{Identity, TlsPeer, TlsSettings, Trust},
    },
};

/// A running router that takes calls of `sbc.test` by TLS and lets them wait.
struct Router {
    program: Program,
    sip: SocketAddr,
}

impl Router {
    fn start(ca: &Ca) -> Router {
        let sip = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "[media]\naddress = \"127.0.0.1\"\nports = \"21000-21999\"\n\
             [listen]\nsip = [{{ bind = \"tls:{sip}\", certificate = \"us.pem\", trust = \"ca.pem\" }}]\n\
             [trunk.sbc]\naccept_from = [\"127.0.0.1\"]\npeer_names = [\"sbc.test\"]\n\
             [[number]]\nmatch = \"*\"\ntrunk = \"sbc\"\nflow = \"wait\"\n\
             [flow.wait]\nsteps = [{{ queue = \"desk\" }}]\n[queue.desk]\n"
        );
        let files = [("ca.pem", ca.0.pem()), ("us.pem", ca.issue("fernamt.test"))];
        Router { program: Program::start("tls", &files, &config), sip }
    }
}

/// Somebody who connects by TLS and shows `pem`.
fn far_end(ca: &Ca, pem: &str) -> Sockets {
    let mut peer = TlsPeer::new(PeerId(1), "router");
    peer.identity = Some(Identity::from_pem(pem.as_bytes(), pem.as_bytes()).unwrap());
    peer.trust = Some(Trust::from_pem(ca.0.pem().as_bytes()).unwrap());
    let tls = TlsSettings { peers: vec![peer], ..TlsSettings::default() };
    Sockets::bind(&[], DriverSettings { tls, ..DriverSettings::default() }).unwrap()
}

/// The next inputs, at least one.
async fn next(sockets: &mut Sockets) -> Vec<Input> {
    let mut inputs = Vec::new();
    tokio::time::timeout(PATIENCE, sockets.next(&mut inputs)).await.expect("nothing comes");
    inputs
}

async fn connect(sockets: &mut Sockets, router: &Router, name: &str) -> Flow {
    sockets.open(OpenId(1), Transport::Tls, router.sip, Some(name.to_owned()), Some(PeerId(1)));
    match next(sockets).await.remove(0) {
        Input::Opened { flow, peer_names, .. } if peer_names == [name] => flow,
        other => panic!("{other:?}"),
    }
}

/// The next message that begins so.
async fn expect(sockets: &mut Sockets, begin: &str) -> String {
    loop {
        for input in next(sockets).await {
            let Input::Received { bytes, .. } = input else { panic!("{input:?}") };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.starts_with(begin) {
                return text;
            }
        }
    }
}

fn request(method: &str, cseq: u32, router: SocketAddr, to_tag: &str) -> String {
    let offer =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n";
    let body = if method == "INVITE" { offer } else { "" };
    format!(
        "{method} sip:support@{router} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{method}\r\n\
         From: <sip:+4930@sbc.test>;tag=a\r\nTo: <sip:support@{router}>{to_tag}\r\nCall-ID: one@sbc.test\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:127.0.0.1:5061;transport=tls>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_call_by_mutual_tls_outlives_new_certificates_and_nobody_else_comes_in() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ca = Ca::new();
        let router = Router::start(&ca);
        let mut sbc = far_end(&ca, &ca.issue("sbc.test"));
        let flow = connect(&mut sbc, &router, "fernamt.test").await;
        sbc.transmit(flow, request("INVITE", 1, router.sip, "").into());
        let answer = expect(&mut sbc, "SIP/2.0 200").await;
        assert!(answer.contains(&format!("Contact: <sip:{};transport=tls>", router.sip)), "{answer}");
        let tag = answer.lines().find_map(|line| line.strip_prefix("To: ")?.split_once(";tag=")).unwrap().1;
        let tag = format!(";tag={tag}");
        sbc.transmit(flow, request("ACK", 1, router.sip, &tag).into());

        let mut stranger = far_end(&ca, &ca.issue("else.test"));
        stranger.open(OpenId(1), Transport::Tls, router.sip, Some("fernamt.test".into()), Some(PeerId(1)));
        let turned_away = |input: &Input| matches!(input, Input::Closed { .. } | Input::OpenFailed { .. });
        while !next(&mut stranger).await.iter().any(turned_away) {}
        let told = router.program.says("its certificate is for else.test, wanted is one of sbc.test");
        assert!(told.contains("trunk.sbc at 127.0.0.1:"), "{told}");

        fs::write(router.program.dir.join("us.pem"), ca.issue("renewed.test")).unwrap();
        router.program.reloads();
        let told = router.program.says("configuration reloaded");
        assert!(told.contains("us.pem has another content"), "{told}");
        connect(&mut far_end(&ca, &ca.issue("sbc.test")), &router, "renewed.test").await;
        sbc.transmit(flow, request("BYE", 2, router.sip, &tag).into());
        expect(&mut sbc, "SIP/2.0 200").await;

        fs::write(router.program.dir.join("us.pem"), ca.issue_until("late.test", 2020)).unwrap();
        router.program.reloads();
        router.program.says("us.pem of listen.sip[1] has ceased to hold on 2020-01-01");
    });
}
