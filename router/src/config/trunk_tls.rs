//! TLS with a trunk: what we show there, whom we believe, and by which name.

use sip_core::Host;

use super::pem::{Pem, PemFiles, PemIdentity};
use super::problem::Report;
use super::raw::{Item, section};

section! {
    /// TLS with this trunk.
    TrunkTlsToml "[trunk.NAME]" {
        /// PEM file with the certificate that we show when we connect to this trunk by TLS, its intermediates behind it. It is also shown to whoever connects to a `tls:` listener from this trunk's addresses, or asks for a name of it (SNI). Read anew at a reload. When it ends stands in `/metrics` (`fernamt_certificate_not_after_seconds`), and the log says so 30, 14 and 3 days ahead. Default: none when we connect, the listener's when they do.
        certificate,
        /// PEM file with the key of `certificate`, without a password. Default: the file of `certificate`.
        key,
        /// PEM file with the roots that the trunk's certificate must grow from, in both directions. Read anew at a reload. Default: the listener's `trust` when they connect, the system's roots when we do.
        trust,
        /// Names of which the trunk's certificate must carry one, such as `["sip.pstnhub.microsoft.com"]`. Then nothing is believed to come from this trunk without such a certificate, whatever its address. Default: the host in `send_to` when we connect, any when they do.
        peer_names,
        /// Take a certificate that is made for servers only also where the trunk connects to us. Default false.
        accept_server_auth_only,
    }
}

/// TLS with a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrunkTls {
    /// What we show; `None`: nothing when we connect, what the listener has when they do.
    pub identity: Option<PemIdentity>,
    /// The roots that its certificate must grow from; `None`: the listener's or the system's.
    pub trust: Option<Pem>,
    /// Names of which its certificate must carry one; none: the host of the target.
    pub peer_names: Vec<String>,
    /// A certificate for servers only will do where the trunk connects to us. Default false.
    pub accept_server_auth_only: bool,
}

impl TrunkTls {
    pub(super) fn resolve(raw: &TrunkTlsToml<'_>, files: PemFiles<'_>, report: &mut Report) -> TrunkTls {
        TrunkTls {
            identity: files.identity(&raw.certificate, &raw.key, report),
            trust: files.trust(&raw.trust, report),
            peer_names: raw.peer_names.list().iter().filter_map(|item| peer_name(item, report)).collect(),
            accept_server_auth_only: raw.accept_server_auth_only.boolean(false, report),
        }
    }
}

fn peer_name(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text("\"sip.example.com\"", report)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let is_name = matches!(Host::new(text), Host::Name(_)) && !text.is_empty() && text.bytes().all(fits);
    if !is_name {
        let text =
            format!("\"{text}\" is no name of a certificate; write one in full, such as \"sip.example.com\"");
        item.error(report, text);
        return None;
    }
    Some(text.to_ascii_lowercase())
}
