//! Whom we believe (RFC 5922 §7): a chain to a root, the right usage, and one of the names wanted.

use super::ClientCertificates;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use std::sync::Arc;

/// DNS names of a certificate; none if it cannot be read.
pub(super) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let parsed = webpki::EndEntityCert::try_from(certificate);
    parsed.map(|parsed| parsed.valid_dns_names().map(str::to_owned).collect()).unwrap_or_default()
}

/// Of whoever connects to us.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    roots: Arc<RootCertStore>,
    /// `None`: there are no roots, nobody is believed.
    by_usage: Option<Arc<dyn ClientCertVerifier>>,
    server_auth_only: bool,
    asks: ClientCertificates,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        server_auth_only: bool,
        asks: ClientCertificates,
        provider: &Arc<CryptoProvider>,
    ) -> ClientVerifier {
        let by_usage =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build().ok();
        let algorithms = provider.signature_verification_algorithms;
        ClientVerifier { roots, by_usage, server_auth_only, asks, algorithms }
    }

    /// The names of a chain, leaf first, that is believed.
    pub(super) fn check(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Vec<String>, Error> {
        let (leaf, intermediates) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        self.check_chain(leaf, intermediates, now).map(|()| names_of(leaf))
    }

    fn check_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(by_usage) = &self.by_usage else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        match by_usage.verify_client_cert(leaf, intermediates, now) {
            Err(Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
            )) if self.server_auth_only => {
                let leaf = ParsedCertificate::try_from(leaf)?;
                let algorithms = self.algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&leaf, &self.roots, intermediates, now, algorithms)
            }
            checked => checked.map(drop),
        }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.asks == ClientCertificates::Require
    }

    /// None: a list of everybody the system trusts would fill packets, and some clients show nothing if they cannot
    /// find themselves in it.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// Where a certificate is only asked for, a bad one counts as none: that is decided after the handshake.
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.asks == ClientCertificates::Require {
            self.check_chain(leaf, intermediates, now)?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Of whom we connect to.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    roots: Arc<RootCertStore>,
    /// Any of these will do; none: the name we connect to.
    names: Vec<ServerName<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        names: Vec<String>,
        provider: &CryptoProvider,
    ) -> ServerVerifier {
        let names = names.into_iter().filter_map(|name| ServerName::try_from(name).ok()).collect();
        ServerVerifier { roots, names, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        asked: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, &self.roots, intermediates, now, algorithms)?;
        let any = if self.names.is_empty() { std::slice::from_ref(asked) } else { &self.names };
        let mut last = CertificateError::NotValidForName.into();
        for name in any {
            match verify_server_name(&leaf, name) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
