//! What `fernamt check` tells of certificates: whose they are and how long they hold.

use jiff::{SignedDuration, Timestamp, Unit};

use crate::config::{Config, PemIdentity};

/// So many days before its end a certificate is to be renewed; Teams warns 30 days ahead too.
const SOON: i64 = 30;
/// And so many before it there is no time left to wait for somebody.
const VERY_SOON: i64 = 3;

/// One line for each certificate that we show.
pub(super) fn lines(config: &Config, now: Timestamp) -> String {
    let of_trunks = config.trunks().filter_map(|(_, trunk)| trunk.tls.identity.as_ref());
    let of_listeners = config.listen.tls.values().filter_map(|tls| tls.identity.as_ref());
    let mut lines: Vec<String> = of_trunks.chain(of_listeners).filter_map(|own| line(own, now)).collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

fn line(identity: &PemIdentity, now: Timestamp) -> Option<String> {
    let shown = identity.shown(None)?;
    let until = Timestamp::from_second(shown.not_after?).ok()?;
    let names = shown.names.join(", ");
    let left = until.duration_since(now).round(Unit::Hour).unwrap_or(SignedDuration::ZERO).as_hours() / 24;
    let (date, days) = (until.strftime("%F"), if left == 1 { "day" } else { "days" });
    let told = match left {
        _ if until <= now => {
            format!("has ceased to hold on {date}: nobody believes it any more; renew it now")
        }
        left if left <= VERY_SOON => {
            format!("holds until {date}, {left} {days} more; renew it today, or calls end then")
        }
        left if left <= SOON => format!("holds until {date}, {left} {days} more; renew it"),
        _ => format!("holds until {date}"),
    };
    Some(format!("certificate {} ({names}) {told}\n", identity.certificate.path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Pem;

    #[test]
    fn the_nearer_its_end_the_louder() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["sbc.test".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2027, 1, 31);
        let pem = |text: String| Pem { path: "c.pem".into(), bytes: text.into_bytes().into() };
        let certificate = pem(params.self_signed(&key).unwrap().pem());
        let identity = PemIdentity { certificate, key: pem(key.serialize_pem()) };
        let at = |date: &str| line(&identity, format!("{date}T12:00:00Z").parse().unwrap()).unwrap();
        let said = |rest: &str| format!("certificate c.pem (sbc.test) {rest}\n");
        assert_eq!(at("2026-11-30"), said("holds until 2027-01-31"));
        assert_eq!(at("2027-01-10"), said("holds until 2027-01-31, 20 days more; renew it"));
        assert_eq!(
            at("2027-01-29"),
            said("holds until 2027-01-31, 1 day more; renew it today, or calls end then")
        );
        assert_eq!(
            at("2027-02-01"),
            said("has ceased to hold on 2027-01-31: nobody believes it any more; renew it now")
        );
    }
}
