//! The certificates of a configuration, as sip-core's driver wants them.

use sip_core::{
    PeerId,
    driver::tls::{ClientCertificates, Identity, TlsListener, TlsPeer, TlsSettings, Trust},
};
use tracing::warn;

use crate::config::{self, Config, ListenTls, Pem, PemIdentity, TrunkTls};

/// Everything that decides about handshakes. Every file was read and checked with the configuration.
pub(super) fn settings(config: &Config) -> TlsSettings {
    if config.listen.tls.is_empty() {
        // Without a listener nothing connects by TLS either; WebSocket asks whose address it is.
        return TlsSettings { sources: config.sources(), ..TlsSettings::default() };
    }
    let peer = |(id, trunk): (_, &config::Trunk)| peer(PeerId::from(id), &trunk.name, &trunk.tls);
    TlsSettings {
        listeners: config.listen.tls.iter().map(|(at, tls)| (*at, listener(tls))).collect(),
        peers: config.trunks().map(peer).collect(),
        sources: config.sources(),
        system: Trust::system().inspect_err(|why| warn!("TLS without trust of its own: {why}")).ok(),
    }
}

fn listener(tls: &ListenTls) -> TlsListener {
    TlsListener {
        identity: tls.identity.as_ref().and_then(identity),
        client_certificates: match tls.client_certificates {
            config::ClientCertificates::Never => ClientCertificates::Never,
            config::ClientCertificates::Ask => ClientCertificates::Ask,
            config::ClientCertificates::Require => ClientCertificates::Require,
        },
        trust: tls.trust.as_ref().and_then(trust),
    }
}

fn peer(id: PeerId, name: &str, tls: &TrunkTls) -> TlsPeer {
    TlsPeer {
        identity: tls.identity.as_ref().and_then(identity),
        trust: tls.trust.as_ref().and_then(trust),
        names: tls.peer_names.clone(),
        accept_server_auth_only: tls.accept_server_auth_only,
        ..TlsPeer::new(id, format!("trunk.{name}"))
    }
}

fn identity(pem: &PemIdentity) -> Option<Identity> {
    Identity::from_pem(&pem.certificate.bytes, &pem.key.bytes).ok()
}

fn trust(pem: &Pem) -> Option<Trust> {
    Trust::from_pem(&pem.bytes).ok()
}
