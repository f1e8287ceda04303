//! What goes wrong with connections before a message is read: counted by kind, and told so that an operator can act.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One address is told of one kind of mishap this often at most.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Addresses and kinds remembered for that; when there are more, all are forgotten and may be told again.
const REMEMBERED: usize = 1_024;

/// Why a connection came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mishap {
    /// The kind, one of a few words: a label of a metric.
    pub(super) kind: &'static str,
    /// What happened and what to do, beginning after the far end's name.
    text: String,
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn mishap(kind: &'static str, text: impl Into<String>) -> Mishap {
    Mishap { kind, text: text.into() }
}

impl Mishap {
    /// A verified certificate of a name that is not wanted, or none.
    pub(super) fn pinned(names: &[String], wanted: &[String]) -> Mishap {
        let wanted = wanted.join(", ");
        match names {
            [] => Mishap::no_certificate(),
            names => mishap(
                "wrong-name",
                format!(
                    "its certificate is for {}, wanted is one of {wanted}: correct peer_names, or the certificate there",
                    names.join(", ")
                ),
            ),
        }
    }

    fn no_certificate() -> Mishap {
        mishap(
            "no-certificate",
            "shows no certificate: have mutual TLS switched on there, let the listener ask (client_certificates), or take peer_names out",
        )
    }

    /// What begins no WebSocket for SIP, or breaks its rules.
    pub(super) fn no_web_socket(why: &str) -> Mishap {
        mishap("websocket", format!("is no telephone of RFC 7118: {why}"))
    }

    pub(super) fn nothing_to_show() -> Mishap {
        mishap("nothing-to-show", "connects by TLS, and the listener has no certificate: give it one")
    }

    pub(super) fn too_many() -> Mishap {
        mishap("too-many", "is turned away: too many handshakes are under way")
    }

    pub(super) fn timed_out() -> Mishap {
        mishap(
            "timed-out",
            "does not finish its TLS handshake: see whether TLS is spoken on that port there, and whether a firewall cuts it off",
        )
    }

    pub(super) fn closed() -> Mishap {
        mishap(
            "closed",
            "closes the connection during the TLS handshake: its log says why; see whether it wants a certificate of ours",
        )
    }

    /// The first bytes of a connection, where they are of another protocol than the port's.
    pub(super) fn of_first_bytes(bytes: &[u8], tls_expected: bool) -> Option<Mishap> {
        let line = bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
        let is_http = memchr::memmem::find(line, b" HTTP/").is_some() || line.starts_with(b"HTTP/");
        match (bytes.first(), tls_expected) {
            (Some(0x16), false) => Some(mishap(
                "tls-on-plain-port",
                "speaks TLS on a port without: let it connect to a tls: listener",
            )),
            (Some(first), _) if is_http && first.is_ascii_uppercase() => {
                Some(mishap("http", "speaks HTTP on a port for SIP: the admin pages are at listen.admin"))
            }
            (Some(first), true) if *first != 0x16 => Some(mishap(
                "plain-text",
                "speaks no TLS on a port with TLS: have it use TLS, or let it connect to a tcp: listener",
            )),
            _ => None,
        }
    }

    /// What rustls found, in the handshake or after it.
    pub(super) fn of_tls(error: &Error) -> Mishap {
        match error {
            Error::InvalidCertificate(why) => of_certificate(why),
            Error::NoCertificatesPresented => Mishap::no_certificate(),
            Error::AlertReceived(alert) => of_alert(*alert),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => mishap(
                "plain-text",
                "speaks no TLS on a port with TLS: see whether the port is right, and the transport",
            ),
            Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::SupportedVersionsExtensionRequired
                // An extension of TLS 1.2: a client of before does not know it, and this is looked at first.
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
            ) => mishap("old-version", "speaks no TLS 1.2 or later: have it updated, or switched on there"),
            Error::PeerIncompatible(why) => mishap(
                "nothing-in-common",
                format!(
                    "has no cipher or signature in common with us ({why:?}): an RSA certificate suits most"
                ),
            ),
            other => mishap("protocol", format!("breaks the rules of TLS ({other})")),
        }
    }
}

fn of_certificate(error: &CertificateError) -> Mishap {
    use CertificateError::*;
    match error {
        ExpiredContext { time, not_after } => {
            let ago = spoken(time.as_secs().saturating_sub(not_after.as_secs()));
            mishap(
                "expired",
                format!(
                    "its certificate expired {ago} ago: have it renewed there; if it is not so, the clock here is wrong"
                ),
            )
        }
        Expired => mishap(
            "expired",
            "its certificate has expired: have it renewed there; if it is not so, the clock here is wrong",
        ),
        NotValidYetContext { time, not_before } => {
            let ahead = spoken(not_before.as_secs().saturating_sub(time.as_secs()));
            mishap(
                "not-valid-yet",
                format!(
                    "its certificate is valid only in {ahead}: see whether the clock here is right (timedatectl)"
                ),
            )
        }
        NotValidYet => mishap(
            "not-valid-yet",
            "its certificate is not valid yet: see whether the clock here is right (timedatectl)",
        ),
        UnknownIssuer => mishap(
            "unknown-ca",
            "its certificate is signed by nobody we trust: put the root of its CA into trust, and have it send its intermediates",
        ),
        BadSignature => mishap(
            "unknown-ca",
            "its certificate names a CA we trust as its issuer, and another has signed it: put the root that CA has now into trust",
        ),
        NotValidForNameContext { expected, presented } => {
            let presented: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let (expected, presented) = (expected.to_str(), presented.join(", "));
            mishap(
                "wrong-name",
                format!(
                    "its certificate is for {presented}, wanted is {expected}: correct the name in send_to, or write peer_names"
                ),
            )
        }
        NotValidForName => mishap(
            "wrong-name",
            "its certificate is for another name: correct the name in send_to, or write peer_names",
        ),
        InvalidPurpose | InvalidPurposeContext { .. } => mishap(
            "wrong-usage",
            "its certificate is not made for this side of TLS: if it is one for servers only, write accept_server_auth_only = true",
        ),
        Revoked => mishap("bad-certificate", "its certificate is revoked: have it renewed there"),
        other => mishap(
            "bad-certificate",
            format!("its certificate is of no use ({other:?}): have it renewed there"),
        ),
    }
}

/// The far end says what it does not like, mostly about our certificate.
fn of_alert(alert: AlertDescription) -> Mishap {
    use AlertDescription::*;
    match alert {
        CertificateExpired => mishap(
            "ours-refused",
            "says that our certificate has expired: renew it, or have the clock there set",
        ),
        UnknownCA => mishap(
            "ours-refused",
            "does not know who signed our certificate: put the intermediates behind it in the file, or have the root added there",
        ),
        CertificateRequired => {
            mishap("ours-refused", "wants to see a certificate of ours: write certificate and key")
        }
        BadCertificate | UnsupportedCertificate | CertificateUnknown | CertificateRevoked | AccessDenied => {
            mishap(
                "ours-refused",
                format!(
                    "refuses our certificate ({alert:?}): see its name, its usage (clientAuth), and whom they trust there"
                ),
            )
        }
        UnrecognisedName => {
            mishap("ours-refused", "does not serve the name we ask for: correct the name in send_to")
        }
        ProtocolVersion => {
            mishap("old-version", "speaks no TLS 1.2 or later: have it updated, or switched on there")
        }
        HandshakeFailure | InsufficientSecurity => mishap(
            "nothing-in-common",
            "has no cipher in common with us, or wants a certificate of ours: write certificate and key, with an RSA key",
        ),
        other => mishap("protocol", format!("ends TLS ({other:?}): its log says why")),
    }
}

/// A name as in the certificate; webpki writes `DnsName("a.test")` and `IpAddress(10.0.0.1)`.
fn bare(presented: &str) -> &str {
    let inside = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(presented).trim_matches('"')
}

/// `3 days`.
fn spoken(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// All of them since the start.
#[derive(Debug, Default)]
pub(super) struct Mishaps(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    counts: BTreeMap<&'static str, u64>,
    /// When it was told last, and how often it was not told since.
    told: HashMap<(IpAddr, &'static str), (Instant, u64)>,
}

impl Mishaps {
    /// Counts a mishap of `who`, who is at `address`, and tells it in the log unless it was just told.
    pub(super) fn note(&self, address: IpAddr, who: impl fmt::Display, mishap: &Mishap) {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = told.note(now, address, mishap.kind) {
            match more {
                0 => tracing::warn!(kind = mishap.kind, "{who} {mishap}"),
                more => tracing::warn!(kind = mishap.kind, more, "{who} {mishap}"),
            }
        }
    }

    /// How many of each kind.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).counts.clone()
    }
}

impl Told {
    /// Whether to tell it, and then how many like it were passed over.
    fn note(&mut self, now: Instant, address: IpAddr, kind: &'static str) -> Option<u64> {
        *self.counts.entry(kind).or_default() += 1;
        let key = (address, kind);
        if let Some((at, more)) = self.told.get_mut(&key) {
            if now.duration_since(*at) < TELL_EVERY {
                *more += 1;
                return None;
            }
            let passed_over = *more;
            (*at, *more) = (now, 0);
            return Some(passed_over);
        }
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        self.told.insert(key, (now, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sip_is_known_by_its_first_bytes() {
        let kind = |bytes: &[u8], tls| Mishap::of_first_bytes(bytes, tls).map(|mishap| mishap.kind);
        assert_eq!(kind(b"\x16\x03\x01\x02\x00", false), Some("tls-on-plain-port"));
        assert_eq!(kind(b"\x16\x03\x01\x02\x00", true), None);
        assert_eq!(kind(b"GET / HTTP/1.1\r\nHost: a\r\n", false), Some("http"));
        assert_eq!(kind(b"GET / HTTP/1.1\r\nHost: a\r\n", true), Some("http"));
        assert_eq!(kind(b"OPTIONS sip:a SIP/2.0\r\nX: HTTP/1\r\n", true), Some("plain-text"));
        assert_eq!(kind(b"OPTIONS sip:a SIP/2.0\r\nX: y HTTP/1\r\n", false), None);
        assert_eq!(kind(b"\r\n\r\n", false), None);
        assert_eq!(kind(b"", true), None);
    }

    #[test]
    fn a_client_from_before_tls_1_2_is_told_so_and_names_are_told_bare() {
        let old = Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired);
        assert_eq!(Mishap::of_tls(&old).kind, "old-version");
        let names = ["DnsName(\"a.test\")", "IpAddress(10.0.0.1)", "b.test"].map(bare);
        assert_eq!(names, ["a.test", "10.0.0.1", "b.test"]);
    }

    #[test]
    fn one_address_is_told_of_a_kind_once_a_minute_and_every_one_is_counted() {
        let (mut told, start) = (Told::default(), Instant::now());
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(told.note(at(0), a, "expired"), Some(0));
        assert_eq!(told.note(at(1), a, "expired"), None);
        assert_eq!(told.note(at(1), b, "expired"), Some(0));
        assert_eq!(told.note(at(1), a, "http"), Some(0));
        assert_eq!(told.note(at(61), a, "expired"), Some(1));
        assert_eq!(told.counts, BTreeMap::from([("expired", 4), ("http", 1)]));
    }

    #[test]
    fn the_memory_of_what_was_told_has_a_bound() {
        let (mut told, now) = (Told::default(), Instant::now());
        for host in 0..5_000_u32 {
            told.note(now, IpAddr::from(host.to_be_bytes()), "http");
            assert!(told.told.len() <= REMEMBERED);
        }
        assert_eq!(told.counts["http"], 5_000);
    }
}
