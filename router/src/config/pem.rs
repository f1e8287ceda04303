//! PEM files: certificates, keys, roots. They are read and checked with the configuration, so that a reload takes new
//! ones over and no connection meets a broken one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::Report;
use super::prompt::Files;
use super::raw::{Field, Item};

/// One file, as read.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// Where it was: a relative path starts at the directory of the configuration.
    pub path: PathBuf,
    /// What was in it.
    pub bytes: Arc<[u8]>,
}

/// Without the bytes: they may be a private key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({})", self.path.display())
    }
}

/// A certificate with its chain, and the private key that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemIdentity {
    /// The certificate, then its intermediates.
    pub certificate: Pem,
    /// The key.
    pub key: Pem,
}

/// What a certificate that we show says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// DNS names, wildcards as they are written.
    pub names: Vec<String>,
    /// Its key is RSA.
    pub is_rsa: bool,
    /// When it ceases to hold, in seconds since 1970; `None` if it does not say.
    pub not_after: Option<i64>,
    /// It is signed by itself.
    pub is_self_signed: bool,
    /// No intermediate stands behind it, and no root that is known to be trusted has issued it.
    pub lacks_intermediates: bool,
    /// Whether it may be shown by whoever connects (RFC 5280 §4.2.1.12); `None` if it does not say.
    pub is_for_clients: Option<bool>,
}

impl PemIdentity {
    /// What the certificate says, to a far end that is known to trust these roots if they are given. `None` where there
    /// is no TLS library to ask.
    pub fn shown(&self, trust: Option<&Pem>) -> Option<Shown> {
        library::shown(self, trust)
    }
}

/// Where PEM files come from.
#[derive(Clone, Copy)]
pub(super) struct PemFiles<'s> {
    pub(super) files: &'s Files,
    pub(super) base_dir: &'s Path,
}

impl PemFiles<'_> {
    /// `certificate` and `key`, which may be one file: then `key` is left out.
    pub(super) fn identity(
        self,
        certificate: &Field<'_>,
        key: &Field<'_>,
        report: &mut Report,
    ) -> Option<PemIdentity> {
        let Some(item) = &certificate.item else {
            if let Some(item) = &key.item {
                item.error(
                    report,
                    "is a key without a certificate; write certificate = \"certificate.pem\" too",
                );
            }
            return None;
        };
        let own_key = key.item.as_ref().unwrap_or(item);
        let (chain, own_key_file) = (self.read(item, report), self.read(own_key, report));
        let identity = PemIdentity { certificate: chain?, key: own_key_file? };
        match library::check_identity(&identity) {
            Ok(()) => Some(identity),
            Err((of_key, why)) => {
                let (item, pem) =
                    if of_key { (own_key, &identity.key) } else { (item, &identity.certificate) };
                item.error(report, format!("{} {why}", pem.path.display()));
                None
            }
        }
    }

    /// A file of roots.
    pub(super) fn trust(self, field: &Field<'_>, report: &mut Report) -> Option<Pem> {
        let item = field.item.as_ref()?;
        let pem = self.read(item, report)?;
        match library::check_trust(&pem) {
            Ok(()) => Some(pem),
            Err(why) => {
                item.error(report, format!("{} {why}", pem.path.display()));
                None
            }
        }
    }

    fn read(self, item: &Item<'_>, report: &mut Report) -> Option<Pem> {
        let name = item.text("\"tls/certificate.pem\"", report)?;
        let path = self.base_dir.join(name);
        let shown = path.display();
        let why = match self.files.read(&path) {
            Ok(bytes) => return Some(Pem { path, bytes: bytes.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                format!("there is no file {shown}; put it there, or write the path of one that is")
            }
            Err(error) => format!("{shown} cannot be read: {error}; let this user read it"),
        };
        item.error(report, why);
        None
    }
}

/// What the TLS library says. Without drivers there is none, and files are taken as they are.
#[cfg(feature = "driver")]
mod library {
    use super::{Pem, PemIdentity, Shown};
    use sip_core::driver::tls::{Identity, Trust};

    /// The fault, and whether it is the key's.
    pub(super) fn check_identity(pem: &PemIdentity) -> Result<(), (bool, String)> {
        let read = Identity::from_pem(&pem.certificate.bytes, &pem.key.bytes);
        read.map(drop).map_err(|error| (error.is_of_key(), error.to_string()))
    }

    pub(super) fn shown(pem: &PemIdentity, trust: Option<&Pem>) -> Option<Shown> {
        let identity = Identity::from_pem(&pem.certificate.bytes, &pem.key.bytes).ok()?;
        let trust = trust.and_then(|trust| Trust::from_pem(&trust.bytes).ok());
        Some(Shown {
            names: identity.names().to_vec(),
            is_rsa: identity.is_rsa(),
            not_after: identity.not_after(),
            is_self_signed: identity.is_self_signed(),
            lacks_intermediates: identity.lacks_intermediates(trust.as_ref()),
            is_for_clients: identity.is_for_clients(),
        })
    }

    pub(super) fn check_trust(pem: &Pem) -> Result<(), String> {
        Trust::from_pem(&pem.bytes).map(drop).map_err(|error| error.to_string())
    }
}

#[cfg(not(feature = "driver"))]
mod library {
    use super::{Pem, PemIdentity, Shown};

    pub(super) fn check_identity(_: &PemIdentity) -> Result<(), (bool, String)> {
        Ok(())
    }

    pub(super) fn shown(_: &PemIdentity, _: Option<&Pem>) -> Option<Shown> {
        None
    }

    pub(super) fn check_trust(_: &Pem) -> Result<(), String> {
        Ok(())
    }
}
