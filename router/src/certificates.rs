//! How long the certificates that we show still hold: for `/metrics`, and a word to the operator while there is time.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use jiff::Timestamp;

use crate::{
    config::{Config, PemIdentity},
    journal::fact::Micros,
};

/// So many days before its end, and at its end, the operator hears of a certificate; Teams warns 30 days ahead too.
const STEPS: [i64; 4] = [30, 14, 3, 0];
const SECOND: Micros = 1_000_000;
const DAY: i64 = 24 * 60 * 60;

/// The certificates of the configuration in force. Time is UTC: what holds until a date does so by the calendar.
#[derive(Debug, Default)]
pub struct Certificates {
    held: Vec<Held>,
    /// Nobody is to be warned before.
    due: Micros,
}

/// One file, whoever shows it.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// Sections of the configuration: `trunk.teams`, `listen.sip[2]`.
    shown_by: Vec<String>,
    /// Its last second, since 1970.
    until: i64,
    /// The step at which the operator has heard of it last.
    told: Option<i64>,
}

/// What an operator is to know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub path: PathBuf,
    /// Sections of the configuration that show it.
    pub shown_by: Vec<String>,
    /// Its last second, since 1970.
    pub until: i64,
    /// Whole days that are left; `None`: it holds no more.
    pub left: Option<i64>,
}

impl Certificates {
    /// Takes those of this configuration over, after a reload in place of what was there. Of a certificate that has
    /// stayed nothing is told twice.
    pub fn renew(&mut self, config: &Config) {
        let mut held: Vec<Held> = Vec::new();
        for (shown_by, identity) in shown(config) {
            let Some(until) = identity.shown(None).and_then(|shown| shown.not_after) else { continue };
            let path = &identity.certificate.path;
            let same = |known: &&Held| &known.path == path && known.until == until;
            match held.iter().position(|known| same(&known)) {
                Some(at) => held[at].shown_by.push(shown_by),
                None => {
                    let told = self.held.iter().find(same).and_then(|known| known.told);
                    held.push(Held { path: path.clone(), shown_by: vec![shown_by], until, told });
                }
            }
        }
        *self = Certificates { held, due: Micros::MIN };
    }

    /// Whom to warn of at this time: once for each step that a certificate has come to.
    pub fn handle_time(&mut self, now: Micros) -> Vec<Warning> {
        if now < self.due {
            return Vec::new();
        }
        let now = now.div_euclid(SECOND);
        let warnings = self.held.iter_mut().filter_map(|held| held.warn(now)).collect();
        let next = self.held.iter().filter_map(|held| held.next_at(now)).min();
        self.due = next.map_or(Micros::MAX, |at| at.saturating_mul(SECOND));
        warnings
    }

    /// When each ceases to hold, in seconds since 1970, by the section that shows it.
    pub fn ends(&self) -> BTreeMap<String, i64> {
        let each =
            |held: &Held| held.shown_by.clone().into_iter().map(|by| (by, held.until)).collect::<Vec<_>>();
        self.held.iter().flat_map(each).collect()
    }
}

impl Held {
    /// The nearest step before its end that has come.
    fn step(&self, now: i64) -> Option<i64> {
        STEPS.into_iter().rev().find(|days| self.until - days * DAY <= now)
    }

    fn next_at(&self, now: i64) -> Option<i64> {
        STEPS.into_iter().map(|days| self.until - days * DAY).find(|at| *at > now)
    }

    fn warn(&mut self, now: i64) -> Option<Warning> {
        let step = self.step(now)?;
        if self.told.is_some_and(|told| told <= step) {
            return None;
        }
        self.told = Some(step);
        let left = (self.until > now).then(|| (self.until - now) / DAY);
        Some(Warning { path: self.path.clone(), shown_by: self.shown_by.clone(), until: self.until, left })
    }
}

/// Every certificate with the section that it stands in.
fn shown(config: &Config) -> impl Iterator<Item = (String, &PemIdentity)> {
    let of_trunks = config.trunks().filter_map(|(_, trunk)| {
        trunk.tls.identity.as_ref().map(|identity| (format!("trunk.{}", trunk.name), identity))
    });
    let of_listeners = config.listen.tls.iter().filter_map(|(at, tls)| {
        tls.identity.as_ref().map(|identity| (format!("listen.sip[{}]", at + 1), identity))
    });
    of_trunks.chain(of_listeners)
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Timestamp::from_second(self.until).map(|at| at.strftime("%F").to_string());
        let (date, path) = (date.unwrap_or_default(), self.path.display());
        write!(f, "the certificate {path} of {} ", self.shown_by.join(", "))?;
        match self.left {
            Some(left) => {
                let days = if left == 1 { "day" } else { "days" };
                write!(f, "holds until {date}, {left} {days} more; put a new one there and send SIGHUP")
            }
            None => write!(
                f,
                "has ceased to hold on {date}, and nobody believes it; put a new one there and send SIGHUP"
            ),
        }
    }
}

#[cfg(all(test, feature = "driver"))]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Files, Machine, Names, Surroundings, parse};

    /// A configuration whose listener and trunk show one certificate that holds until the end of January.
    fn config(year: i32) -> Config {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["sbc.test".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 31);
        let pem = params.self_signed(&key).unwrap().pem() + &key.serialize_pem();
        let files = Files::Memory([("etc/c.pem".into(), pem.into())].into());
        let text = r#"
            [listen]
            sip = ["udp:127.0.0.1:5060", { bind = "tls:127.0.0.1:5061", certificate = "c.pem" }]
            [trunk.sbc]
            send_to = "tls:sbc.test"
            accept_from = "10.0.0.1"
            certificate = "c.pem"
            [[number]]
            match = "*"
            trunk = "sbc"
            flow = "end"
            [flow.end]
            steps = ["hangup"]
        "#;
        let surroundings = Surroundings { machine: Machine::default(), files, ..Surroundings::default() };
        let read = parse(text, "f.toml", Path::new("etc"), &mut Names::new(), &surroundings);
        read.unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn at(time: &str) -> Micros {
        time.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn each_step_towards_the_end_is_told_once_and_a_new_certificate_begins_anew() {
        let mut certificates = Certificates::default();
        certificates.renew(&config(2027));
        let ends = certificates.ends();
        assert_eq!(ends.keys().collect::<Vec<_>>(), ["listen.sip[2]", "trunk.sbc"]);
        assert!(ends.values().all(|end| *end * SECOND == at("2027-01-31T00:00:00Z")), "{ends:?}");
        let mut told = |time: &str| {
            let warnings = certificates.handle_time(at(time));
            warnings.iter().map(|warning| warning.left.map_or(-1, |left| left)).collect::<Vec<_>>()
        };
        assert_eq!(told("2026-11-30T12:00:00Z"), [0; 0]);
        assert_eq!(told("2027-01-01T00:00:01Z"), [29]);
        assert_eq!(told("2027-01-01T00:00:02Z"), [0; 0]);
        assert_eq!(told("2027-01-16T23:59:59Z"), [0; 0]);
        assert_eq!(told("2027-01-17T00:00:00Z"), [14]);
        assert_eq!(told("2027-01-29T00:00:00Z"), [2]);
        assert_eq!(told("2027-01-30T23:59:59Z"), [0; 0]);
        assert_eq!(told("2027-01-31T00:00:00Z"), [-1]);
        assert_eq!(told("2028-01-31T00:00:00Z"), [0; 0]);
        assert_eq!(told("2027-01-01T00:00:00Z"), [0; 0], "a clock that is set back repeats nothing");
        certificates.renew(&config(2027));
        assert_eq!(
            certificates.handle_time(at("2027-02-01T00:00:00Z")),
            [],
            "the same certificate once more"
        );
        certificates.renew(&config(2028));
        assert_eq!(certificates.handle_time(at("2027-02-01T00:00:00Z")), []);
        assert_eq!(certificates.handle_time(at("2028-01-30T12:00:00Z")).len(), 1);
    }

    #[test]
    fn a_start_shortly_before_the_end_tells_it_once_and_whose_it_is() {
        let mut certificates = Certificates::default();
        certificates.renew(&config(2027));
        let told = certificates.handle_time(at("2027-01-29T12:00:00Z"));
        assert_eq!(
            told.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "the certificate etc/c.pem of trunk.sbc, listen.sip[2] holds until 2027-01-31, 1 day more; put a new one there and send SIGHUP"
            ]
        );
        let told = certificates.handle_time(at("2027-02-01T00:00:00Z"));
        assert_eq!(
            told.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "the certificate etc/c.pem of trunk.sbc, listen.sip[2] has ceased to hold on 2027-01-31, and nobody believes it; put a new one there and send SIGHUP"
            ]
        );
    }
}
