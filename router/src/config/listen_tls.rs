//! The TLS side of listeners, and whether listeners and trunks together make sense.

use std::collections::BTreeMap;

use sip_core::{Listener, Transport};

use super::listen::{BindToml, Listen, ListenToml};
use super::names::TrunkId;
use super::pem::{Pem, PemFiles, PemIdentity};
use super::problem::Report;
use super::raw::Field;
use super::scope::Kind;
use super::trunk::Trunk;
use super::trunk_targets::TrunkTarget;

/// What a TLS listener shows, and what it wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListenTls {
    /// What it shows; `None`: what a trunk has.
    pub identity: Option<PemIdentity>,
    /// Whether it wants to see a certificate of whoever connects. Default: it asks.
    pub client_certificates: ClientCertificates,
    /// The roots that such a certificate must grow from; `None`: the system's.
    pub trust: Option<Pem>,
}

/// Whether a listener wants to see a certificate of whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// No.
    Never,
    /// Yes; who has none, or one that cannot be verified, may come all the same if his trunk asks for no name.
    #[default]
    Ask,
    /// Yes, and nobody comes in without.
    Require,
}

const CHOICES: [(&str, ClientCertificates); 3] = [
    ("ask", ClientCertificates::Ask),
    ("require", ClientCertificates::Require),
    ("never", ClientCertificates::Never),
];

impl ListenTls {
    /// Reads the keys of a listener's table.
    pub(super) fn resolve(
        raw: &BindToml<'_>,
        listener: &Listener,
        files: PemFiles<'_>,
        report: &mut Report,
    ) -> ListenTls {
        if !listener.transport.is_secure() {
            let keys: [&Field<'_>; 4] = [&raw.certificate, &raw.key, &raw.client_certificates, &raw.trust];
            for item in keys.into_iter().filter_map(|field| field.item.as_ref()) {
                item.error(report, format!("{listener} has no TLS; take it out, or listen on tls:"));
            }
            return ListenTls::default();
        }
        ListenTls {
            identity: files.identity(&raw.certificate, &raw.key, report),
            client_certificates: raw.client_certificates.choice(&CHOICES, report),
            trust: files.trust(&raw.trust, report),
        }
    }
}

impl Listen {
    /// The same listeners with what their certificate files hold now: of those that `fresh`, read from the same file
    /// later, has with files of the same names. All else waits for a restart.
    pub(super) fn renewed_from(&self, fresh: &Listen) -> Listen {
        let mut renewed = self.clone();
        for (at, tls) in &mut renewed.tls {
            let same = fresh.sip.iter().position(|listener| *listener == self.sip[*at]);
            if let Some(now) = same.and_then(|at| fresh.tls.get(&at)) {
                tls.renew_from(now);
            }
        }
        renewed
    }
}

impl ListenTls {
    fn renew_from(&mut self, fresh: &ListenTls) {
        let paths = |identity: &PemIdentity| (identity.certificate.path.clone(), identity.key.path.clone());
        if self.identity.as_ref().map(paths) == fresh.identity.as_ref().map(paths) {
            self.identity.clone_from(&fresh.identity);
        }
        let path = |trust: &Pem| trust.path.clone();
        if self.trust.as_ref().map(path) == fresh.trust.as_ref().map(path) {
            self.trust.clone_from(&fresh.trust);
        }
    }
}

/// What neither a listener nor a trunk can tell alone.
pub(super) fn check(
    raw: &ListenToml<'_>,
    listen: &Listen,
    trunks: &BTreeMap<TrunkId, Trunk>,
    sections: &Kind<'_>,
    report: &mut Report,
) {
    let secure = || listen.sip.iter().filter(|listener| listener.transport.is_secure());
    let some_certificate = trunks.values().any(|trunk| trunk.tls.identity.is_some());
    for (at, item) in raw.sip.list().iter().enumerate().filter(|_| !some_certificate) {
        if let Some(tls) = listen.tls.get(&at)
            && tls.identity.is_none()
        {
            let bind = &listen.sip[at];
            item.error(report, format!("{bind} has no certificate to show; write {{ bind = \"{bind}\", certificate = \"certificate.pem\", key = \"key.pem\" }}, or give a trunk one"));
        }
    }
    let asks = listen.tls.values().any(|tls| tls.client_certificates != ClientCertificates::Never);
    for section in &sections.sections {
        let Some(trunk) = trunks.get(&TrunkId::from(section.id)) else { continue };
        let mut error =
            |key: &str, text: &str| report.error(&section.span(), &format!("{}.{key}", section.path), text);
        let by_tls = |target: &&TrunkTarget| target.to.transport == Some(Transport::Tls);
        if trunk.send_to.iter().any(|target| by_tls(&target)) && secure().next().is_none() {
            error(
                "send_to",
                "nothing listens by TLS, so no request of the far end could come back; add a tls: listener to listen.sip",
            );
        }
        let waits = !trunk.tls.peer_names.is_empty() && trunk.brings_calls();
        if waits && secure().next().is_none() {
            error(
                "peer_names",
                "nothing listens by TLS, so nobody can show a certificate; add a tls: listener to listen.sip",
            );
        } else if waits && !asks {
            error(
                "peer_names",
                "no listener asks for a certificate; write client_certificates = \"ask\" at one",
            );
        }
    }
}
