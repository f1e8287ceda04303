//! TLS 1.2 and 1.3 (RFC 3261 §26.3.1, RFC 5922, RFC 5923): what we show, whom we believe, and how a connection gets there.
//!
//! rustls does the work, without a socket and without a clock of its own. The steps of a handshake that cost a signature
//! run on helper threads ([`handshake`]), the rest on the thread of the connections ([`session`]).

mod certificate;
mod handshake;
mod pem;
mod session;
mod verify;

pub use pem::{Identity, PemError, Trust};

pub(super) use handshake::{Handshakes, Secured};
pub(super) use session::{Reading, Session};

use super::mishap::Mishap;
use crate::transport::{PeerId, Sources, carries_name};
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use verify::{ClientVerifier, ServerVerifier};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// Whether a listener wants to see a certificate of whoever connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// No.
    Never,
    /// Yes, and goes on without one; one that cannot be verified counts as none.
    #[default]
    Ask,
    /// Yes, and the handshake fails without one that can be verified.
    Require,
}

/// The TLS side of one listener.
#[derive(Clone, Debug, Default)]
pub struct TlsListener {
    /// What it shows to whom it has nothing better for. Without one there must be peers with one.
    pub identity: Option<Identity>,
    /// Whether it wants to see one. Default: it asks.
    pub client_certificates: ClientCertificates,
    /// By whom those must be signed; `None`: by somebody the system trusts.
    pub trust: Option<Trust>,
}

/// The TLS side of one peer. [`TlsPeer::new`] gives every default.
#[derive(Clone, Debug)]
pub struct TlsPeer {
    /// Who.
    pub peer: PeerId,
    /// What the operator calls it: `trunk.teams`.
    pub name: String,
    /// What we show when we connect there, or when it asks for a name of this certificate. Default none.
    pub identity: Option<Identity>,
    /// By whom its certificate must be signed; `None`: as the listener says, or by somebody the system trusts.
    pub trust: Option<Trust>,
    /// Names of which its certificate must carry one. Default none: where we connect, the name we connect to.
    pub names: Vec<String>,
    /// Whether it may show a certificate made for servers only when it connects to us. Default no.
    pub accept_server_auth_only: bool,
}

impl TlsPeer {
    /// A peer of which nothing is special.
    pub fn new(peer: PeerId, name: impl Into<String>) -> TlsPeer {
        let name = name.into();
        TlsPeer { peer, name, identity: None, trust: None, names: Vec::new(), accept_server_auth_only: false }
    }
}

/// Everything that decides about handshakes. The whole is replaced at a reload; connections go on with what they have.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// By the position of their listener among those bound.
    pub listeners: BTreeMap<usize, TlsListener>,
    /// Peers of which anything is special, or that should be called by name.
    pub peers: Vec<TlsPeer>,
    /// Whose address is whose.
    pub sources: Sources,
    /// Whom the system trusts; `None`: nobody.
    pub system: Option<Trust>,
}

/// The same, made ready.
#[derive(Default)]
pub(super) struct Tls {
    sources: Sources,
    peers: HashMap<PeerId, TlsPeer>,
    serving: HashMap<(usize, Option<PeerId>), Serving>,
    dialing: HashMap<Option<PeerId>, Arc<ClientConfig>>,
}

/// How one listener receives one peer.
#[derive(Clone)]
pub(super) struct Serving {
    config: Arc<ServerConfig>,
    /// `None`: nothing is asked for.
    verifier: Option<Arc<ClientVerifier>>,
}

impl Tls {
    pub(super) fn new(settings: TlsSettings) -> Tls {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let system = settings.system.unwrap_or_default();
        let mut tls = Tls { sources: settings.sources, ..Tls::default() };
        let strangers = None.into_iter().chain(settings.peers.iter().map(Some)).chain([None]);
        for peer in strangers {
            let id = peer.map(|peer| peer.peer);
            tls.dialing.insert(id, dialing(&provider, peer, &system));
            for (at, listener) in &settings.listeners {
                let serving = serving(&provider, listener, peer, &settings.peers, &system);
                tls.serving.insert((*at, id), serving);
            }
        }
        tls.peers = settings.peers.into_iter().map(|peer| (peer.peer, peer)).collect();
        tls
    }

    /// How `listener` receives whoever comes from `remote`; `None`: it has nothing to show.
    fn serving(&self, listener: usize, remote: SocketAddr) -> Option<&Serving> {
        let peer = self.sources.find(remote).filter(|peer| self.peers.contains_key(peer));
        self.serving.get(&(listener, peer))
    }

    fn dialing(&self, peer: Option<PeerId>) -> Arc<ClientConfig> {
        let known = peer.and_then(|peer| self.dialing.get(&Some(peer)));
        let config = known.or_else(|| self.dialing.get(&None));
        config
            .cloned()
            .unwrap_or_else(|| dialing(&Arc::new(aws_lc_rs::default_provider()), None, &Trust::default()))
    }

    /// The name to ask the far end for: that of the target, or else the first that its certificate may carry.
    fn server_name(
        &self,
        peer: Option<PeerId>,
        asked: Option<&str>,
        remote: SocketAddr,
    ) -> ServerName<'static> {
        let pinned = peer.and_then(|peer| self.peers.get(&peer)?.names.first().map(String::as_str));
        let name = asked.or(pinned).and_then(|name| ServerName::try_from(name.to_owned()).ok());
        name.unwrap_or_else(|| ServerName::IpAddress(remote.ip().to_canonical().into()))
    }

    /// Why whoever comes from `remote` with these names may not stay, if so.
    fn judge(&self, remote: SocketAddr, names: &[String], why_none: Option<Mishap>) -> Result<(), Mishap> {
        match self.sources.find(remote) {
            Some(peer) if !self.sources.believes(peer, names) => {
                Err(why_none.unwrap_or_else(|| Mishap::pinned(names, self.sources.pins(peer))))
            }
            _ => Ok(()),
        }
    }

    /// What the operator calls whoever is at `remote`.
    pub(super) fn who(&self, peer: Option<PeerId>, remote: SocketAddr) -> String {
        let peer = peer.or_else(|| self.sources.find(remote)).and_then(|peer| self.peers.get(&peer));
        peer.map_or_else(|| remote.to_string(), |peer| format!("{} at {remote}", peer.name))
    }
}

fn dialing(provider: &Arc<CryptoProvider>, peer: Option<&TlsPeer>, system: &Trust) -> Arc<ClientConfig> {
    let trust = peer.and_then(|peer| peer.trust.as_ref()).unwrap_or(system);
    let names = peer.map(|peer| peer.names.clone()).unwrap_or_default();
    let verifier = Arc::new(ServerVerifier::new(trust.roots(), names, provider));
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&VERSIONS)
        .expect("the provider has suites for both versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let shown = peer.and_then(|peer| peer.identity.clone());
    Arc::new(config.with_client_cert_resolver(Arc::new(Shown(shown))))
}

fn serving(
    provider: &Arc<CryptoProvider>,
    listener: &TlsListener,
    peer: Option<&TlsPeer>,
    all: &[TlsPeer],
    system: &Trust,
) -> Serving {
    let trust = peer.and_then(|peer| peer.trust.as_ref()).or(listener.trust.as_ref()).unwrap_or(system);
    let roots: Arc<RootCertStore> = trust.roots();
    let server_auth_only = peer.is_some_and(|peer| peer.accept_server_auth_only);
    let asks = listener.client_certificates;
    let verifier = (asks != ClientCertificates::Never)
        .then(|| Arc::new(ClientVerifier::new(roots, server_auth_only, asks, provider)));
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&VERSIONS)
        .expect("the provider has suites for both versions");
    let config = match &verifier {
        Some(verifier) => config.with_client_cert_verifier(verifier.clone()),
        None => config.with_no_client_auth(),
    };
    // What is shown to whom asks for no name we have comes first.
    let own = peer.and_then(|peer| peer.identity.clone()).into_iter().chain(listener.identity.clone());
    let others = all.iter().filter_map(|peer| peer.identity.clone());
    let shown = ByName(own.chain(others).collect());
    Serving { config: Arc::new(config.with_cert_resolver(Arc::new(shown))), verifier }
}

/// What we show when we connect.
#[derive(Debug)]
struct Shown(Option<Identity>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.as_ref().map(Identity::key)
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// What we show to whoever connects: the first that carries the name asked for (RFC 6066 §3), else the first.
#[derive(Debug)]
struct ByName(Vec<Identity>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let named = asked.and_then(|asked| self.0.iter().find(|known| carries_name(known.names(), asked)));
        named.or(self.0.first()).map(Identity::key)
    }
}
