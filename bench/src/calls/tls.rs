//! One TLS connection of the generator, and the door by which the router connects to the called side.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, RawFd},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sip_core::transport::{Framed, StreamFramer};

/// Messages over TLS. The socket does not block; what the system does not take now waits in rustls.
pub(super) struct Line {
    stream: TcpStream,
    tls: Connection,
    framer: StreamFramer,
    came: VecDeque<Bytes>,
    pub(super) remote: SocketAddr,
}

impl Line {
    /// Connects and shakes hands.
    pub(super) fn open(router: SocketAddr, certificate: &Path) -> io::Result<Line> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(chain(certificate)?);
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), router.ip().into()).map_err(io::Error::other)?;
        Line::begin(TcpStream::connect(router)?, tls.into())
    }

    fn begin(mut stream: TcpStream, mut tls: Connection) -> io::Result<Line> {
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let remote = stream.peer_addr()?;
        Ok(Line { stream, tls, framer: StreamFramer::default(), came: VecDeque::new(), remote })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        // What fails here fails the call, and that is counted.
        let _ = self.tls.writer().write_all(bytes);
        self.flush();
    }

    pub(super) fn flush(&mut self) {
        while self.tls.wants_write() && self.tls.write_tls(&mut self.stream).is_ok() {}
    }

    pub(super) fn read(&mut self) -> Option<Bytes> {
        if self.came.is_empty() {
            self.fill();
        }
        self.came.pop_front()
    }

    fn fill(&mut self) {
        let mut clear = [0; 16_384];
        while self.tls.read_tls(&mut self.stream).is_ok_and(|read| read > 0) {
            if self.tls.process_new_packets().is_err() {
                return;
            }
            while let Ok(read) = self.tls.reader().read(&mut clear) {
                self.framer.push(&clear[..read]);
                if read == 0 {
                    return;
                }
            }
            while let Ok(Some(framed)) = self.framer.next() {
                if let Framed::Message(bytes) = framed {
                    self.came.push_back(bytes);
                }
            }
        }
    }
}

/// Where the router connects to.
pub(super) struct Door {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    line: Option<Line>,
}

impl Door {
    pub(super) fn open(local: SocketAddr, certificate: &Path) -> io::Result<Door> {
        let key = PrivateKeyDer::from_pem_file(certificate).map_err(io::Error::other)?;
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(chain(certificate)?, key).map_err(io::Error::other)?;
        let listener = TcpListener::bind(local)?;
        listener.set_nonblocking(true)?;
        Ok(Door { listener, config: Arc::new(config), line: None })
    }

    /// The connection, once there is one.
    pub(super) fn line(&mut self) -> Option<&mut Line> {
        if let Some(stream) = self.knocks() {
            let tls = ServerConnection::new(self.config.clone()).map_err(io::Error::other);
            self.line = tls.and_then(|tls| Line::begin(stream, tls.into())).ok();
        }
        self.line.as_mut()
    }

    fn knocks(&self) -> Option<TcpStream> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).ok().map(|()| stream)
    }

    pub(super) fn fd(&self) -> RawFd {
        self.line.as_ref().map_or(self.listener.as_raw_fd(), Line::fd)
    }
}

fn chain(certificate: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(certificate).map_err(io::Error::other)?;
    read.collect::<Result<_, _>>().map_err(io::Error::other)
}
