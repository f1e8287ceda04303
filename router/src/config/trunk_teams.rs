//! What Teams would not take of whoever faces it, though the file says it well (1.2 to 1.4 of what is known of it).

use std::ops::Range;

use sip_core::transport::carries_name;
use sip_core::{Host, OwnName};
use toml::de::DeValue;

use super::pem::Shown;
use super::problem::Report;
use super::raw::join;
use super::scope::Section;
use super::trunk::Trunk;

/// Characters of a name that Teams takes.
const LONGEST_NAME: usize = 63;

/// Looks at the name and the certificate of a trunk that faces Teams.
pub(super) fn check(trunk: &Trunk, written: &Section<'_>, report: &mut Report) {
    let Some(OwnName { host, .. }) = &trunk.own_name else { return };
    let (key, at) = first_of(&["advertise", "fqdn"], written);
    let fqdn = match host {
        Host::Name(fqdn) => fqdn,
        Host::Ip(ip) => {
            let text = format!(
                "{ip} is an address, by which Teams knows nobody (403); write the name that stands in the certificate, such as \"sbc.example.com\""
            );
            // Who has written where calls go may have somebody else there who knows addresses.
            let is_sure = first_of(&["send_to"], written).1 == written.span();
            return if is_sure { report.error(&at, &key, text) } else { report.warning(&at, &key, text) };
        }
    };
    for text in of_name(fqdn) {
        report.warning(&at, &key, text);
    }
    let Some(identity) = &trunk.tls.identity else { return };
    let Some(shown) = identity.shown(trunk.tls.trust.as_ref()) else { return };
    let (key, at) = first_of(&["certificate"], written);
    for text in of_certificate(&shown, fqdn) {
        report.warning(&at, &key, format!("{} {text}", identity.certificate.path.display()));
    }
}

/// The first of these keys that the file has, and where; the section for the last of them if it has none.
fn first_of(names: &[&str], written: &Section<'_>) -> (String, Range<usize>) {
    let DeValue::Table(table) = written.value.get_ref() else {
        return (written.path.clone(), written.span());
    };
    let found = names.iter().find_map(|name| Some((*name, table.get(*name)?.span())));
    let (name, at) = found.unwrap_or((names[names.len() - 1], written.span()));
    (join(&written.path, name), at)
}

fn of_name(fqdn: &str) -> Vec<String> {
    let mut doubts = Vec::new();
    if fqdn.len() > LONGEST_NAME {
        doubts.push(format!(
            "\"{fqdn}\" has {} characters, and Teams takes {LONGEST_NAME}; take a shorter name",
            fqdn.len()
        ));
    }
    if fqdn.to_ascii_lowercase().ends_with(".onmicrosoft.com") {
        doubts.push(format!(
            "\"{fqdn}\" is Microsoft's own, which Teams takes from no SBC; take a name of a domain of the tenant's"
        ));
    }
    doubts
}

fn of_certificate(shown: &Shown, fqdn: &str) -> Vec<String> {
    let mut doubts = Vec::new();
    if !carries_name(&shown.names, fqdn) {
        let has = if shown.names.is_empty() { "no name".to_owned() } else { shown.names.join(", ") };
        doubts.push(format!(
            "is for {has}, not for {fqdn}, so Teams refuses every call (403); have one made for that name"
        ));
    }
    if !shown.is_rsa {
        doubts.push(
            "has no RSA key, and the ciphers of Teams want one; have one made with RSA, 2048 bits or more"
                .to_owned(),
        );
    }
    if shown.is_self_signed {
        doubts.push(
            "is signed by itself, which Teams refuses; have one made by an authority of Microsoft's list"
                .to_owned(),
        );
    } else if shown.lacks_intermediates {
        doubts.push(
            "has no intermediate certificates behind it, and Teams fetches none; put those of its authority behind it"
                .to_owned(),
        );
    }
    if shown.is_for_clients == Some(false) {
        doubts.push(
            "is for servers only; Teams has wanted clientAuth beside serverAuth since March 2024, and whether it still does is not known: have one made for both while your authority makes them"
                .to_owned(),
        );
    }
    doubts
}
