//! The simulator on real sockets and by the real clock.
#![allow(clippy::disallowed_methods)]

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::Instant,
};

use bytes::Bytes;
use sip_core::{
    Flow, Input, Listener, OpenId, Sources, Transport,
    driver::{
        DriverSettings, Sockets,
        tls::{ClientCertificates, Identity, TlsListener, TlsPeer, TlsSettings, Trust},
    },
};
use tokio::{sync::mpsc, time::sleep_until};

use super::{
    papers::Papers,
    person::Person,
    proxy::{Deed, NAMES, PEER, PORT, Proxy},
};

/// Packets read and not yet handled.
const INBOX: usize = 1_024;
/// Calls at once.
const SOUND_PORTS: u16 = 16;

/// Where everything is on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The data centres, in order of their names, at [`PORT`].
    pub centres: [Ipv4Addr; 3],
    /// Where requests of dialogs come from that take another way.
    pub elsewhere: Ipv4Addr,
    /// Where the SBC takes TLS.
    pub sbc: SocketAddr,
}

/// The running simulator. It lives inside a current-thread runtime, and does something only while [`turn`](Self::turn)
/// is awaited.
pub struct TeamsSim {
    /// The machine: people, switches, what was seen.
    pub proxy: Proxy,
    sockets: Sockets,
    /// The other way out.
    elsewhere: Sockets,
    /// Its connection to the SBC, and what waits for it.
    side: Side,
    /// Connections of the other way, and the one whose dialogs they belong to.
    belongs: HashMap<Flow, Flow>,
    sound: BTreeMap<SocketAddr, UdpSocket>,
    packets: mpsc::Receiver<(SocketAddr, Bytes)>,
    place: Place,
}

#[derive(Default)]
struct Side {
    flow: Option<Flow>,
    waiting: Vec<(Flow, Bytes)>,
    opening: bool,
}

impl TeamsSim {
    /// Listens, as the trunk of the SBC called `fqdn` sees it.
    ///
    /// # Errors
    /// An address that cannot be bound, a certificate that cannot be used.
    pub fn open(place: Place, papers: &Papers, fqdn: &str, people: Vec<Person>) -> io::Result<TeamsSim> {
        let listeners: Vec<Listener> = place.centres.iter().map(|ip| at(*ip, PORT)).collect();
        let sockets = bind(&listeners, papers)?;
        let elsewhere = bind(&[at(place.elsewhere, 0)], papers)?;
        let (inbox, packets) = mpsc::channel(INBOX);
        let mut sound = BTreeMap::new();
        for _ in 0..SOUND_PORTS {
            let (address, socket) = listen(place.centres[0], inbox.clone())?;
            sound.insert(address, socket);
        }
        let addresses = listeners.iter().map(|listener| listener.local).collect();
        let proxy = Proxy::new(addresses, sound.keys().copied().collect(), (fqdn, place.sbc), people);
        let (side, belongs) = (Side::default(), HashMap::new());
        Ok(TeamsSim { proxy, sockets, elsewhere, side, belongs, sound, packets, place })
    }

    /// Waits until something arrives or is due, `until` at the latest, and does all that is due. It may be dropped
    /// while it waits.
    pub async fn turn(&mut self, until: Instant) {
        self.carry_out(); // what people did since the last turn
        let due = self.proxy.next_at().unwrap_or(until).min(until);
        let (mut near, mut far) = (Vec::new(), Vec::new());
        let mut packet = None;
        tokio::select! {
            () = self.sockets.next(&mut near) => {}
            () = self.elsewhere.next(&mut far) => {}
            got = self.packets.recv() => packet = got,
            () = sleep_until(due.into()) => {}
        }
        let now = Instant::now();
        for input in near {
            self.proxy.handle_input(now, input);
        }
        for input in far {
            self.came_elsewhere(now, input);
        }
        while let Some((at, bytes)) = packet {
            self.proxy.handle_sound(at, bytes);
            packet = self.packets.try_recv().ok();
        }
        self.proxy.handle_timeout(now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(deed) = self.proxy.poll() {
            match deed {
                Deed::Transmit { flow, bytes, elsewhere: false } => self.sockets.transmit(flow, bytes),
                Deed::Transmit { flow, bytes, .. } => self.send_elsewhere(flow, bytes),
                Deed::Open { id, transport, remote, server_name } => {
                    self.sockets.open(id, transport, remote, server_name, Some(PEER));
                }
                Deed::Close(flow) => self.sockets.close(flow),
                Deed::Sound { from, to, bytes } => {
                    // What the kernel does not take is lost, as on any network.
                    let _ = self.sound.get(&from).map(|socket| socket.send_to(&bytes, to));
                }
            }
        }
    }

    fn send_elsewhere(&mut self, flow: Flow, bytes: Bytes) {
        match self.side.flow {
            Some(side) => {
                self.belongs.insert(side, flow);
                self.elsewhere.transmit(side, bytes);
            }
            None => {
                self.side.waiting.push((flow, bytes));
                if !std::mem::replace(&mut self.side.opening, true) {
                    let name = Some(self.proxy.trunk().to_owned());
                    self.elsewhere.open(OpenId(1), Transport::Tls, self.place.sbc, name, Some(PEER));
                }
            }
        }
    }

    /// For the machine an answer came on the connection that its dialog began on.
    fn came_elsewhere(&mut self, now: Instant, input: Input) {
        match input {
            Input::Opened { flow, .. } => {
                self.side.flow = Some(flow);
                for (dialog, bytes) in std::mem::take(&mut self.side.waiting) {
                    self.send_elsewhere(dialog, bytes);
                }
            }
            Input::Received { flow, bytes } => {
                let flow = self.belongs.get(&flow).copied().unwrap_or(flow);
                self.proxy.handle_input(now, Input::Received { flow, bytes });
            }
            Input::Closed { .. } | Input::OpenFailed { .. } => self.side = Side::default(),
            _ => {}
        }
    }
}

fn at(ip: Ipv4Addr, port: u16) -> Listener {
    Listener::new(Transport::Tls, SocketAddr::new(IpAddr::V4(ip), port))
}

/// Mutual TLS: whoever connects shows a certificate of the one root, and so do we.
fn bind(listeners: &[Listener], papers: &Papers) -> io::Result<Sockets> {
    let (certificate, key) = &papers.teams;
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).map_err(io::Error::other)?;
    let trust = Trust::from_pem(papers.root.as_bytes()).map_err(io::Error::other)?;
    let listener = || TlsListener {
        identity: Some(identity.clone()),
        client_certificates: ClientCertificates::Require,
        trust: Some(trust.clone()),
    };
    let mut sources = Sources::new();
    sources.allow("127.0.0.0/8".parse().expect("a net"), None, PEER);
    let peer = TlsPeer {
        identity: Some(identity.clone()),
        trust: Some(trust.clone()),
        ..TlsPeer::new(PEER, format!("the SBC behind {}", NAMES[0]))
    };
    let tls = TlsSettings {
        listeners: (0..listeners.len()).map(|at| (at, listener())).collect(),
        peers: vec![peer],
        sources,
        system: None,
    };
    Sockets::bind(listeners, DriverSettings { tls, ..DriverSettings::default() }).map_err(|unbound| {
        let first = unbound.into_iter().next();
        first.map_or(io::ErrorKind::Other.into(), |unbound| {
            let at = listeners[unbound.listener].local;
            io::Error::new(unbound.error.kind(), format!("{at}: {}", unbound.error))
        })
    })
}

/// A socket for sound at any port, read into the inbox until the runtime ends.
fn listen(ip: Ipv4Addr, inbox: mpsc::Sender<(SocketAddr, Bytes)>) -> io::Result<(SocketAddr, UdpSocket)> {
    let socket = UdpSocket::bind((ip, 0))?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    let reader = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        loop {
            let Ok((len, _)) = reader.recv_from(&mut buffer).await else { continue };
            if inbox.send((address, Bytes::copy_from_slice(&buffer[..len]))).await.is_err() {
                return;
            }
        }
    });
    Ok((address, socket))
}
