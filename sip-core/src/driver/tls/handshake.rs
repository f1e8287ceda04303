//! Handshakes: bounded in number and time, their costly steps on helper threads.
//!
//! A signature takes a millisecond and more. On the thread of the connections a few hundred reconnecting telephones
//! would stop every call for that long.

use super::session::{Session, drain, feed};
use super::{Tls, TlsSettings};
use crate::driver::DriverSettings;
use crate::driver::mishap::{Mishap, Mishaps};
use crate::transport::{PeerId, place_of};
use rustls::pki_types::UnixTime;
use rustls::{ClientConnection, Connection, Error, ServerConnection};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Costly steps done at one time, each on a thread.
const THREADS: usize = 2;
/// Handshakes of those who connect from one address, at one time: somebody who begins many and ends none must leave
/// room for others.
const MOST_FROM_ONE: usize = 64;
/// Bytes read at one time. What comes after the end of a handshake with its last piece fits into rustls' buffer.
const READ: usize = 4 * 1_024;

/// A connection that is ready.
pub(in crate::driver) struct Secured {
    pub(in crate::driver) session: Session,
    /// DNS names that the far end has proved; none if it has shown none, or was not asked.
    pub(in crate::driver) peer_names: Vec<String>,
}

/// All handshakes of one shard.
pub(in crate::driver) struct Handshakes {
    tls: RwLock<Arc<Tls>>,
    /// For those who connect to us.
    places: Semaphore,
    /// How many of them come from each address, or /64 of IPv6.
    from: Mutex<HashMap<IpAddr, usize>>,
    threads: Semaphore,
    limit: Duration,
    mishaps: Arc<Mishaps>,
}

impl Handshakes {
    pub(in crate::driver) fn new(
        settings: &DriverSettings,
        tls: TlsSettings,
        mishaps: Arc<Mishaps>,
    ) -> Handshakes {
        Handshakes {
            tls: RwLock::new(Arc::new(Tls::new(tls))),
            places: Semaphore::new(settings.max_handshakes.min(Semaphore::MAX_PERMITS)),
            from: Mutex::default(),
            threads: Semaphore::new(THREADS),
            limit: settings.handshake_timeout,
            mishaps,
        }
    }

    /// Handshakes that begin from now on go by these settings.
    pub(in crate::driver) fn renew(&self, tls: TlsSettings) {
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Tls::new(tls));
    }

    fn tls(&self) -> Arc<Tls> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this is anybody's address.
    pub(in crate::driver) fn knows(&self, remote: SocketAddr) -> bool {
        self.tls().sources.find(remote).is_some()
    }

    /// Receives whoever has connected to a listener, the so manyth of those bound. `None`: told and counted.
    pub(in crate::driver) async fn accept(
        &self,
        listener: usize,
        stream: &mut TcpStream,
        remote: SocketAddr,
    ) -> Option<Secured> {
        let tls = self.tls();
        let accepted = match self.place(remote.ip()) {
            Some(_place) => self.in_time(self.receive(&tls, listener, stream, remote)).await,
            None => Err(Mishap::too_many()),
        };
        self.told(accepted, tls.who(None, remote), remote)
    }

    /// Secures a connection of ours. `None`: told and counted.
    ///
    /// Those are bounded by connections that are wanted here; who connects to us must not keep us from calling.
    pub(in crate::driver) async fn connect(
        &self,
        stream: &mut TcpStream,
        (peer, server_name): (Option<PeerId>, Option<&str>),
        remote: SocketAddr,
    ) -> Option<Secured> {
        let tls = self.tls();
        let name = tls.server_name(peer, server_name, remote);
        let connected = self.in_time(async {
            let client = ClientConnection::new(tls.dialing(peer), name).map_err(|e| Mishap::of_tls(&e))?;
            let session = self.shake_hands(client.into(), stream, false).await?;
            let leaf = session.peer_certificates().and_then(<[_]>::first);
            let peer_names = leaf.map(super::verify::names_of).unwrap_or_default();
            Ok(Secured { session: Session::new(session), peer_names })
        });
        let connected = connected.await;
        self.told(connected, tls.who(peer, remote), remote)
    }

    /// Notes what went wrong with a connection for another reason than its handshake, or after it.
    pub(in crate::driver) fn note(&self, remote: SocketAddr, mishap: &Mishap) {
        self.mishaps.note(remote.ip(), self.tls().who(None, remote), mishap);
    }

    fn told(&self, secured: Result<Secured, Mishap>, who: String, remote: SocketAddr) -> Option<Secured> {
        secured.inspect_err(|mishap| self.mishaps.note(remote.ip(), who, mishap)).ok()
    }

    /// A place for somebody who connects from there, if he may have one.
    fn place(&self, from: IpAddr) -> Option<Place<'_>> {
        let place = self.places.try_acquire().ok()?;
        let mut all = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let from = place_of(from);
        let count = all.entry(from).or_default();
        if *count >= MOST_FROM_ONE {
            return None;
        }
        *count += 1;
        Some(Place { of: self, from, _place: place })
    }

    async fn in_time(&self, work: impl Future<Output = Result<Secured, Mishap>>) -> Result<Secured, Mishap> {
        timeout(self.limit, work).await.unwrap_or_else(|_| Err(Mishap::timed_out()))
    }

    async fn receive(
        &self,
        tls: &Tls,
        listener: usize,
        stream: &mut TcpStream,
        remote: SocketAddr,
    ) -> Result<Secured, Mishap> {
        let serving = tls.serving(listener, remote).ok_or_else(Mishap::nothing_to_show)?;
        let server = ServerConnection::new(serving.config.clone()).map_err(|e| Mishap::of_tls(&e))?;
        let session = self.shake_hands(server.into(), stream, true).await?;
        let chain = session.peer_certificates().unwrap_or_default();
        let checked = match &serving.verifier {
            Some(verifier) if !chain.is_empty() => verifier.check(chain, UnixTime::now()),
            _ => Err(Error::NoCertificatesPresented),
        };
        let (peer_names, why_none) = match checked {
            Ok(names) => (names, None),
            Err(why) => (Vec::new(), Some(Mishap::of_tls(&why))),
        };
        tls.judge(remote, &peer_names, why_none)?;
        Ok(Secured { session: Session::new(session), peer_names })
    }

    /// Carries bytes to and fro until both sides are ready.
    async fn shake_hands(
        &self,
        mut tls: Connection,
        stream: &mut TcpStream,
        is_server: bool,
    ) -> Result<Connection, Mishap> {
        let mut first = is_server;
        loop {
            send_all(&mut tls, stream).await?;
            if !tls.is_handshaking() {
                return Ok(tls);
            }
            let piece = read(stream).await?;
            if std::mem::take(&mut first)
                && let Some(mishap) = Mishap::of_first_bytes(&piece, true)
            {
                return Err(mishap);
            }
            let fed;
            (tls, fed) = self.feed(tls, piece).await?;
            if let Err(why) = fed {
                let _ = send_all(&mut tls, stream).await; // the alert that tells the far end why
                return Err(Mishap::of_tls(&why));
            }
        }
    }

    /// On a helper thread, when one is free.
    async fn feed(
        &self,
        mut tls: Connection,
        piece: Vec<u8>,
    ) -> Result<(Connection, Result<(), Error>), Mishap> {
        let _thread = self.threads.acquire().await.map_err(|_| Mishap::closed())?;
        let work = tokio::task::spawn_blocking(move || {
            let fed = feed(&mut tls, &piece);
            (tls, fed)
        });
        work.await.map_err(|_| Mishap::closed())
    }
}

/// One handshake of somebody who connects to us.
struct Place<'a> {
    of: &'a Handshakes,
    from: IpAddr,
    _place: SemaphorePermit<'a>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.of.from.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = all.entry(self.from) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

async fn send_all(tls: &mut Connection, stream: &mut TcpStream) -> Result<(), Mishap> {
    let mut sealed = Vec::new();
    drain(tls, &mut sealed);
    stream.write_all(&sealed).await.map_err(|_| Mishap::closed())
}

async fn read(stream: &TcpStream) -> Result<Vec<u8>, Mishap> {
    loop {
        stream.readable().await.map_err(|_| Mishap::closed())?;
        let mut piece = vec![0; READ];
        match stream.try_read(&mut piece) {
            Ok(0) => return Err(Mishap::closed()),
            Ok(len) => {
                piece.truncate(len);
                return Ok(piece);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Err(Mishap::closed()),
        }
    }
}
