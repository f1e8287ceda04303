//! Certificates, keys and roots out of PEM files (RFC 7468).

use rustls::RootCertStore;
use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

use super::certificate::Fields;

/// Why a PEM file is of no use; the text tells the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Not PEM, or damaged.
    #[error("is no PEM file ({0}); it must have lines such as -----BEGIN CERTIFICATE-----")]
    Unreadable(String),
    /// There is no certificate in it.
    #[error("has no certificate; put the certificate and then its intermediates there")]
    NoCertificate,
    /// A certificate that is none.
    #[error("certificate {position} of it is no X.509 certificate ({why}); write it anew")]
    Certificate {
        /// Which, from 1.
        position: usize,
        /// What is wrong with it.
        why: String,
    },
    /// There is no private key in it.
    #[error("has no private key; put a PKCS #8, PKCS #1 or SEC1 key there, without a password")]
    NoKey,
    /// A key of a kind we cannot use.
    #[error("has a key of no use ({0}); use RSA with 2048 bits or more, ECDSA P-256 or P-384, or Ed25519")]
    Key(String),
    /// Key and certificate are of different pairs.
    #[error("is not the key of that certificate; write the key that belongs to it")]
    Mismatch,
    /// The system keeps no roots.
    #[error("the system trusts nobody; install its root certificates (ca-certificates), or write trust")]
    NoSystemRoots,
}

impl PemError {
    /// Whether the fault is in the key's file, not in the certificate's.
    pub fn is_of_key(&self) -> bool {
        matches!(self, PemError::NoKey | PemError::Key(_) | PemError::Mismatch)
    }
}

/// A certificate with its chain and its private key: who we are.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    names: Arc<[String]>,
}

impl Identity {
    /// Reads a chain, leaf first, and its private key, both PEM.
    ///
    /// # Errors
    /// What is wrong with either file, or that they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, PemError> {
        let chain = certificates(chain)?;
        let leaf = webpki::EndEntityCert::try_from(&chain[0])
            .map_err(|why| PemError::Certificate { position: 1, why: why.to_string() })?;
        let names = leaf.valid_dns_names().map(str::to_owned).collect();
        let key = private_key(key)?;
        let provider = aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => PemError::Mismatch,
            other => PemError::Key(other.to_string()),
        })?;
        Ok(Identity { key: Arc::new(certified), names })
    }

    /// DNS names that the certificate carries, wildcards as they are written.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// When it ceases to hold, in seconds since 1970; `None` if it does not say.
    pub fn not_after(&self) -> Option<i64> {
        self.leaf()?.not_after
    }

    /// It is signed by itself: nobody believes it who does not know it already.
    pub fn is_self_signed(&self) -> bool {
        self.leaf().is_some_and(|leaf| leaf.issuer == leaf.subject)
    }

    /// No certificate of an authority stands behind it, and none of these roots has issued it: who knows only roots
    /// finds no way from it to one of them.
    pub fn lacks_intermediates(&self, trust: Option<&Trust>) -> bool {
        let of_root = |issuer: &[u8]| {
            trust.is_some_and(|trust| trust.0.roots.iter().any(|root| root.subject.as_ref() == issuer))
        };
        self.key.cert.len() == 1 && self.leaf().is_some_and(|leaf| !of_root(leaf.issuer))
    }

    /// Whether it may be shown by whoever connects (RFC 5280 §4.2.1.12, `clientAuth`); `None` if it does not say what
    /// it is made for.
    pub fn is_for_clients(&self) -> Option<bool> {
        self.leaf()?.is_for_clients()
    }

    fn leaf(&self) -> Option<Fields<'_>> {
        Fields::of(self.key.cert.first()?)
    }

    /// Its key is RSA: some far ends, Teams among them, know no others.
    pub fn is_rsa(&self) -> bool {
        self.key.key.algorithm() == SignatureAlgorithm::RSA
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }
}

/// The roots that certificates are to grow from. The default trusts nobody.
#[derive(Clone, Debug)]
pub struct Trust(Arc<RootCertStore>);

impl Default for Trust {
    fn default() -> Trust {
        Trust(Arc::new(RootCertStore::empty()))
    }
}

impl Trust {
    /// Reads roots from PEM.
    ///
    /// # Errors
    /// When there is none, or one cannot be used as a root.
    pub fn from_pem(bytes: &[u8]) -> Result<Trust, PemError> {
        let mut roots = RootCertStore::empty();
        for (at, root) in certificates(bytes)?.into_iter().enumerate() {
            let position = at + 1;
            roots.add(root).map_err(|why| PemError::Certificate { position, why: why.to_string() })?;
        }
        Ok(Trust(Arc::new(roots)))
    }

    /// Whom the operating system trusts. What of it cannot be read is left out.
    ///
    /// # Errors
    /// When it trusts nobody.
    pub fn system() -> Result<Trust, PemError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() { Err(PemError::NoSystemRoots) } else { Ok(Trust(Arc::new(roots))) }
    }

    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        self.0.clone()
    }
}

/// At least one.
fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let read = read.map_err(unreadable)?;
    if read.is_empty() { Err(PemError::NoCertificate) } else { Ok(read) }
}

fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => PemError::NoKey,
        other => PemError::Key(other.to_string()),
    })
}

fn unreadable(error: pem::Error) -> PemError {
    PemError::Unreadable(error.to_string())
}
