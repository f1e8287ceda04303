//! The program itself behind mutual TLS: a call, a reload while it lasts, and somebody who is not whom he should be.
#![cfg(feature = "driver")]
#![allow(missing_docs)]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sip_core::{
    Flow, Input, OpenId, PeerId, Transport,
    driver::{
        DriverSettings, Sockets,
        tls::{Identity, TlsPeer, TlsSettings, Trust},
    },
};

/// How long anything may take that is to happen at once; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Ca {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key in one file.
    fn issue(&self, name: &str) -> String {
        self.issue_until(name, 2100)
    }

    /// The same, until the beginning of a year.
    fn issue_until(&self, name: &str, year: i32) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.signed_by(&key, &self.0).unwrap().pem() + &key.serialize_pem()
    }
}

/// A running router that takes calls of `sbc.test` by TLS and lets them wait.
struct Router {
    process: Child,
    log: Receiver<String>,
    sip: SocketAddr,
    dir: PathBuf,
}

impl Router {
    fn start(ca: &Ca) -> Router {
        let dir = std::env::temp_dir().join(format!("fernamt-tls-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("ca.pem"), ca.0.pem()).unwrap();
        fs::write(dir.join("us.pem"), ca.issue("fernamt.test")).unwrap();
        let sip = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let data = dir.join("data");
        let config = format!(
            "[node]\ndata_dir = {data:?}\n[media]\naddress = \"127.0.0.1\"\nports = \"21000-21999\"\n\
             [listen]\nsip = [{{ bind = \"tls:{sip}\", certificate = \"us.pem\", trust = \"ca.pem\" }}]\n\
             [trunk.sbc]\naccept_from = [\"127.0.0.1\"]\npeer_names = [\"sbc.test\"]\n\
             [[number]]\nmatch = \"*\"\ntrunk = \"sbc\"\nflow = \"wait\"\n\
             [flow.wait]\nsteps = [{{ queue = \"desk\" }}]\n[queue.desk]\n"
        );
        fs::write(dir.join("fernamt.toml"), config).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_fernamt"))
            .env("RUST_LOG", "info")
            .arg("run")
            .arg(dir.join("fernamt.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (read, log) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| read.send(line)));
        let router = Router { process, log, sip, dir };
        router.says("running");
        router
    }

    /// The next line of its log that has these words.
    fn says(&self, words: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("it does not say {words:?}: {error}"));
            if line.contains(words) {
                return line;
            }
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.dir).ok();
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
        let told = router.says("its certificate is for else.test, wanted is one of sbc.test");
        assert!(told.contains("trunk.sbc at 127.0.0.1:"), "{told}");

        fs::write(router.dir.join("us.pem"), ca.issue("renewed.test")).unwrap();
        let hup = Command::new("kill").args(["-HUP", &router.process.id().to_string()]).status().unwrap();
        assert!(hup.success());
        let told = router.says("configuration reloaded");
        assert!(told.contains("us.pem has another content"), "{told}");
        connect(&mut far_end(&ca, &ca.issue("sbc.test")), &router, "renewed.test").await;
        sbc.transmit(flow, request("BYE", 2, router.sip, &tag).into());
        expect(&mut sbc, "SIP/2.0 200").await;

        fs::write(router.dir.join("us.pem"), ca.issue_until("late.test", 2020)).unwrap();
        let hup = Command::new("kill").args(["-HUP", &router.process.id().to_string()]).status().unwrap();
        assert!(hup.success());
        router.says("us.pem of listen.sip[1] has ceased to hold on 2020-01-01");
    });
}
