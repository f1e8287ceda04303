//! TLS: two drivers that shake hands, with certificates made here.

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use sip_core::driver::tls::{
    ClientCertificates, Identity, PemError, TlsListener, TlsPeer, TlsSettings, Trust,
};
use sip_core::{OpenId, PeerId, Sources};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const BYE: &[u8] = b"BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const PEER: PeerId = PeerId(7);

/// A certification authority.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new() -> Ca {
        Ca::named("House CA")
    }

    /// For clients that are no driver of ours.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    fn named(name: &str) -> Ca {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn trust(&self) -> Option<Trust> {
        Some(Trust::from_pem(self.0.pem().as_bytes()).unwrap())
    }

    /// Certificate and key, PEM, for both sides of TLS unless `change` says otherwise.
    fn pem(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn identity(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Option<Identity> {
        let (chain, key) = self.pem(name, change);
        Some(Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap())
    }

    pub(crate) fn good(&self, name: &str) -> Option<Identity> {
        self.identity(name, |_| {})
    }
}

/// Everybody on this machine is the peer.
fn sources(pins: &[&str]) -> Sources {
    let mut sources = Sources::new();
    sources.allow("127.0.0.0/8".parse().unwrap(), None, PEER);
    sources.pin(PEER, pins.iter().map(|name| (*name).to_owned()).collect());
    sources
}

/// One listener, which shows `identity` and trusts `ca`; the peer is as `change` says.
pub(crate) fn serving(identity: Option<Identity>, ca: &Ca, change: impl FnOnce(&mut TlsPeer)) -> TlsSettings {
    let client_certificates = ClientCertificates::Ask;
    let mut peer = TlsPeer::new(PEER, "trunk.far");
    change(&mut peer);
    let pins: Vec<&str> = peer.names.iter().map(String::as_str).collect();
    TlsSettings {
        listeners: BTreeMap::from([(0, TlsListener { identity, client_certificates, trust: ca.trust() })]),
        sources: sources(&pins),
        peers: vec![peer],
        system: None,
    }
}

/// Shows `identity` and trusts `ca` where it connects.
fn dialing(identity: Option<Identity>, ca: &Ca) -> TlsSettings {
    let peer = TlsPeer { identity, trust: ca.trust(), ..TlsPeer::new(PEER, "trunk.near") };
    TlsSettings { peers: vec![peer], sources: sources(&[]), ..TlsSettings::default() }
}

fn with(tls: TlsSettings) -> Sockets {
    bind(Transport::Tls, DriverSettings { tls, ..DriverSettings::default() })
}

fn open(near: &mut Sockets, far: &Sockets, name: &str) {
    near.open(OpenId(1), Transport::Tls, address(far), Some(name.to_owned()), Some(PEER));
}

/// Connects. The flow and the names of the far end, or nothing.
async fn connect(near: &mut Sockets, far: &mut Sockets, name: &str) -> Option<(Flow, Vec<String>)> {
    open(near, far, name);
    let mut told = vec![];
    tokio::select! {
        answer = input(near) => match answer {
            Input::Opened { flow, peer_names, .. } => Some((flow, peer_names)),
            Input::OpenFailed { .. } => None,
            other => panic!("{other:?}"),
        },
        () = async { loop { far.next(&mut told).await } } => unreachable!(),
    }
}

/// Both drivers work until the near one has heard that its connection is gone.
async fn closed(near: &mut Sockets, far: &mut Sockets) {
    let mut told = vec![];
    tokio::select! {
        end = input(near) => assert!(matches!(end, Input::Closed { .. }), "{end:?}"),
        () = async { loop { far.next(&mut told).await } } => unreachable!(),
    }
}

#[tokio::test]
async fn with_mutual_tls_messages_go_both_ways_and_each_side_knows_the_others_name() {
    let ca = Ca::new();
    let mut far = with(serving(ca.good("far.test"), &ca, |_| {}));
    let mut near = with(dialing(ca.good("near.test"), &ca));
    let (flow, names) = connect(&mut near, &mut far, "far.test").await.unwrap();
    assert_eq!(
        (flow.transport, flow.remote, names),
        (Transport::Tls, address(&far), vec!["far.test".to_owned()])
    );
    let large =
        [b"INFO sip:a SIP/2.0\r\nContent-Length: 60000\r\n\r\n".to_vec(), vec![b'a'; 60_000]].concat();
    for _ in 0..100 {
        near.transmit(flow, BYE.into());
    }
    near.transmit(flow, large.clone().into());
    let (mut idle, mut heard) = (vec![], vec![]);
    while heard.len() < 102 {
        tokio::select! {
            () = far.next(&mut heard) => {}
            () = near.next(&mut idle) => panic!("{idle:?}"),
        }
    }
    let Input::Accepted { flow: accepted, peer_names } = heard[0].clone() else { panic!("{heard:?}") };
    assert_eq!((accepted.transport, &peer_names[..]), (Transport::Tls, &["near.test".to_owned()][..]));
    assert!(
        heard[1..101]
            .iter()
            .all(|i| matches!(i, Input::Received { flow, bytes } if *flow == accepted && bytes == BYE))
    );
    assert!(matches!(&heard[101], Input::Received { bytes, .. } if *bytes == large));
    far.transmit(accepted, BYE.into());
    tokio::select! {
        (back, bytes) = message(&mut near) => assert_eq!((back, &bytes[..]), (flow, BYE)),
        () = far.next(&mut heard) => panic!("{:?}", heard.last()),
    }
    near.close(flow);
    let end = input(&mut far).await;
    assert!(matches!(end, Input::Closed { flow } if flow == accepted), "{end:?}");
    assert_eq!((near.counters().handshakes, far.counters().handshakes), (1, 1));
    assert!(near.mishaps().is_empty() && far.mishaps().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_whom_we_want_is_left_and_why_is_counted() {
    let (ca, other, namesake) = (Ca::new(), Ca::named("Other CA"), Ca::new());
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(2999, 1, 1);
    let cases = [
        (ca.identity("far.test", expired), "expired"),
        (ca.identity("far.test", early), "not-valid-yet"),
        (other.good("far.test"), "unknown-ca"),
        (namesake.good("far.test"), "unknown-ca"),
        (ca.good("else.test"), "wrong-name"),
    ];
    for (identity, kind) in cases {
        let mut far = with(serving(identity, &ca, |_| {}));
        let mut near = with(dialing(None, &ca));
        assert!(connect(&mut near, &mut far, "far.test").await.is_none(), "{kind}");
        assert_eq!(near.mishaps(), [(kind, 1)].into(), "{kind}");
        assert_eq!(near.counters().open_failed, 1);
    }
}

#[tokio::test]
async fn where_names_are_pinned_they_count_and_not_the_name_we_connect_to() {
    let ca = Ca::new();
    let mut far = with(serving(ca.good("sbc.test"), &ca, |_| {}));
    let mut settings = dialing(None, &ca);
    settings.peers[0].names = vec!["other.test".into(), "sbc.test".into()];
    let mut near = with(settings.clone());
    assert!(connect(&mut near, &mut far, "alias.test").await.is_some());
    settings.peers[0].names.pop();
    near.renew_tls(settings);
    assert!(connect(&mut near, &mut far, "sbc.test").await.is_none());
    assert_eq!(near.mishaps(), [("wrong-name", 1)].into());
}

#[tokio::test]
async fn a_client_is_let_in_only_with_a_certificate_of_a_pinned_name() {
    let (ca, other, namesake) = (Ca::new(), Ca::named("Other CA"), Ca::new());
    let for_servers = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
    };
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let cases = [
        (None, "no-certificate"),
        (ca.good("else.test"), "wrong-name"),
        (other.good("near.test"), "unknown-ca"),
        (namesake.good("near.test"), "unknown-ca"),
        (ca.identity("near.test", expired), "expired"),
        (ca.identity("near.test", for_servers), "wrong-usage"),
    ];
    for (identity, kind) in cases {
        let mut far = with(serving(ca.good("far.test"), &ca, |peer| peer.names = vec!["near.test".into()]));
        let mut near = with(dialing(identity, &ca));
        // The client learns of it only by the end of the connection (RFC 8446 §4.4.2.4).
        if connect(&mut near, &mut far, "far.test").await.is_some() {
            closed(&mut near, &mut far).await;
        }
        assert_eq!(far.mishaps(), [(kind, 1)].into(), "{kind}");
    }
    let mut far = with(serving(ca.good("far.test"), &ca, |peer| {
        peer.names = vec!["near.test".into()];
        peer.accept_server_auth_only = true;
    }));
    let mut near = with(dialing(ca.identity("near.test", for_servers), &ca));
    let (flow, _) = connect(&mut near, &mut far, "far.test").await.unwrap();
    near.transmit(flow, BYE.into());
    let (mut heard, mut idle) = (vec![], vec![]);
    while heard.len() < 2 {
        tokio::select! {
            () = far.next(&mut heard) => {}
            () = near.next(&mut idle) => panic!("{idle:?}"),
        }
    }
    assert!(matches!(&heard[0], Input::Accepted { peer_names, .. } if peer_names == &["near.test"]));
}

#[tokio::test]
async fn a_listener_that_requires_a_certificate_says_so_in_the_handshake() {
    let ca = Ca::new();
    let mut settings = serving(ca.good("far.test"), &ca, |_| {});
    settings.listeners.get_mut(&0).unwrap().client_certificates = ClientCertificates::Require;
    let mut far = with(settings);
    let mut near = with(dialing(None, &ca));
    if connect(&mut near, &mut far, "far.test").await.is_some() {
        closed(&mut near, &mut far).await;
    }
    assert_eq!(
        (near.mishaps(), far.mishaps()),
        ([("ours-refused", 1)].into(), [("no-certificate", 1)].into())
    );
}

#[tokio::test]
async fn the_certificate_shown_is_the_one_that_carries_the_name_asked_for() {
    let ca = Ca::new();
    let mut far = with(serving(ca.good("house.test"), &ca, |peer| peer.identity = ca.good("*.trunk.test")));
    let mut settings = dialing(None, &ca);
    settings.peers[0].names = ["house.test", "a.trunk.test"].map(str::to_owned).to_vec();
    let mut near = with(settings);
    let mut shown = vec![];
    for asked in ["house.test", "a.trunk.test", "nobody.test"] {
        shown.extend(connect(&mut near, &mut far, asked).await.unwrap().1);
    }
    assert_eq!(shown, ["house.test", "*.trunk.test", "*.trunk.test"], "the peer's own where none is right");
}

#[tokio::test]
async fn new_certificates_are_shown_to_new_connections_and_old_ones_go_on() {
    let ca = Ca::new();
    let mut far = with(serving(ca.good("old.test"), &ca, |_| {}));
    let mut near = with(dialing(None, &ca));
    let (old, _) = connect(&mut near, &mut far, "old.test").await.unwrap();
    far.renew_tls(serving(ca.good("new.test"), &ca, |_| {}));
    let (_, names) = connect(&mut near, &mut far, "new.test").await.unwrap();
    assert_eq!(names, ["new.test"]);
    near.transmit(old, BYE.into());
    let mut idle = vec![];
    tokio::select! {
        (_, bytes) = message(&mut far) => assert_eq!(&bytes[..], BYE),
        () = near.next(&mut idle) => panic!("{idle:?}"),
    }
}

#[tokio::test]
async fn who_speaks_another_protocol_is_closed_and_counted() {
    let ca = Ca::new();
    let mut tls = with(serving(ca.good("far.test"), &ca, |_| {}));
    let mut tcp = bind(Transport::Tcp, DriverSettings::default());
    let cases: [(bool, &[u8], &str); 4] = [
        (true, BYE, "plain-text"),
        (true, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http"),
        (false, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http"),
        (false, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "tls-on-plain-port"),
    ];
    for (secure, bytes, kind) in cases {
        let sockets = if secure { &mut tls } else { &mut tcp };
        let before = sockets.mishaps().get(kind).copied().unwrap_or_default();
        let mut peer = TcpStream::connect(address(sockets)).await.unwrap();
        peer.write_all(bytes).await.unwrap();
        assert!(matches!(input(sockets).await, Input::Closed { .. }), "{kind}");
        let mut rest = vec![];
        let _ = peer.read_to_end(&mut rest).await;
        assert_eq!(sockets.mishaps()[kind], before + 1);
        assert_eq!(sockets.connections(), 0);
    }
}

#[tokio::test]
async fn a_handshake_that_stands_still_is_given_up_and_they_are_bounded() {
    let ca = Ca::new();
    let tls = serving(ca.good("far.test"), &ca, |_| {});
    let handshake_timeout = Duration::from_millis(50);
    let settings = DriverSettings { tls, handshake_timeout, max_handshakes: 1, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Tls, settings);
    let _first = TcpStream::connect(address(&sockets)).await.unwrap();
    let _second = TcpStream::connect(address(&sockets)).await.unwrap();
    collect(&mut sockets, 2).await;
    assert_eq!(sockets.mishaps(), [("timed-out", 1), ("too-many", 1)].into());
    // Of ours too: somebody who accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    sockets.open(OpenId(3), Transport::Tls, silent.local_addr().unwrap(), None, None);
    assert!(matches!(input(&mut sockets).await, Input::OpenFailed { id: OpenId(3) }));
    assert_eq!(sockets.mishaps()["timed-out"], 2);
}

#[tokio::test]
async fn who_connects_to_us_does_not_keep_us_from_connecting() {
    let ca = Ca::new();
    let mut far = with(serving(ca.good("far.test"), &ca, |_| {}));
    let mut tls = serving(ca.good("near.test"), &ca, |_| {});
    tls.peers[0].trust = ca.trust();
    let mut near =
        bind(Transport::Tls, DriverSettings { tls, max_handshakes: 1, ..DriverSettings::default() });
    let _idle = TcpStream::connect(address(&near)).await.unwrap();
    let mut one_more = TcpStream::connect(address(&near)).await.unwrap();
    assert!(matches!(input(&mut near).await, Input::Closed { .. }));
    assert_eq!(within(one_more.read(&mut [0])).await.unwrap_or(0), 0);
    assert_eq!(near.mishaps(), [("too-many", 1)].into(), "the only place is taken");
    assert!(connect(&mut near, &mut far, "far.test").await.is_some());
}

#[tokio::test]
async fn one_address_has_only_so_many_handshakes_at_one_time_and_others_go_on() {
    let ca = Ca::new();
    let mut sockets = with(serving(ca.good("far.test"), &ca, |_| {}));
    let mut idle = vec![];
    for _ in 0..65 {
        idle.push(TcpStream::connect(address(&sockets)).await.unwrap());
    }
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }));
    assert_eq!((sockets.mishaps(), sockets.connections()), ([("too-many", 1)].into(), 64));
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let _other = elsewhere.connect(address(&sockets)).await.unwrap();
    idle.pop();
    idle.pop();
    assert!(matches!(input(&mut sockets).await, Input::Closed { .. }), "one of the first has gone");
    idle.push(TcpStream::connect(address(&sockets)).await.unwrap());
    meanwhile(&mut sockets, async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((sockets.mishaps()["too-many"], sockets.connections()), (1, 65));
}

#[test]
fn a_broken_file_says_what_is_wrong_with_it() {
    let ca = Ca::new();
    let ((chain, key), (_, other_key)) = (ca.pem("a.test", |_| {}), ca.pem("b.test", |_| {}));
    let read = |chain: &str, key: &str| Identity::from_pem(chain.as_bytes(), key.as_bytes()).err();
    assert_eq!(read(&chain, &key), None);
    assert_eq!(read(&[chain.clone(), key.clone()].concat(), &[chain.clone(), key.clone()].concat()), None);
    assert_eq!(read(&chain, &other_key), Some(PemError::Mismatch));
    assert_eq!(read(&chain, "nothing"), Some(PemError::NoKey));
    assert_eq!(read("nothing", &key), Some(PemError::NoCertificate));
    assert_eq!(read(&key, &key), Some(PemError::NoCertificate));
    let cut = &chain[..chain.len() / 2];
    assert!(matches!(read(cut, &key), Some(PemError::Unreadable(_))));
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(read(damaged, &key), Some(PemError::Certificate { position: 1, .. })));
    assert_eq!(Trust::from_pem(b"").err(), Some(PemError::NoCertificate));
}
