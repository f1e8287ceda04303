//! What we are called towards a trunk's far end.

use sip_core::{Host, OwnName, Target};

use super::problem::Report;
use super::raw::{Field, Item, section};

section! {
    /// What we are called towards a trunk's far end.
    TrunkNameToml "[trunk.NAME]" {
        /// The name that this trunk's far end knows us by, `"HOST"` or `"HOST:PORT"`: it stands in Via, Contact and From of what we send there, and in Contact of our answers, those to OPTIONS included. Teams finds its tenant by it. Without a port the listener's is written. Default: what the listener says.
        advertise,
    }
}

/// What we are called towards the far end; `None`: what the listener says.
pub(super) fn own_name(raw: &TrunkNameToml<'_>, report: &mut Report) -> Option<OwnName> {
    name(&raw.advertise, report)
}

/// `HOST` or `HOST:PORT`.
pub(super) fn name(field: &Field<'_>, report: &mut Report) -> Option<OwnName> {
    let item = field.item.as_ref()?;
    let text = item.text("\"sbc.example.com\"", report)?;
    match read(text) {
        Ok(name) => {
            doubts(item, &name, report);
            Some(name)
        }
        Err(why) => {
            item.error(report, format!("\"{text}\" {why}"));
            None
        }
    }
}

fn read(text: &str) -> Result<OwnName, String> {
    if let Some((scheme, rest)) = text.split_once(':')
        && ["sip", "sips", "http", "https"].contains(&scheme.to_ascii_lowercase().as_str())
    {
        return Err(format!("is an address with its scheme; write \"{}\"", rest.trim_matches('/')));
    }
    if let Some((_, host)) = text.rsplit_once('@') {
        return Err(format!("has a user in it; write \"{host}\""));
    }
    if let Some(rest) = text.strip_prefix("*.") {
        return Err(format!(
            "is no name of a host, whatever the certificate says; write one such as \"sbc.{rest}\""
        ));
    }
    let target: Target = text.parse().map_err(|error| format!("is no HOST or HOST:PORT: {error}"))?;
    match target {
        Target { transport: Some(transport), host, port } => {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            Err(format!("names a transport, {transport}; write \"{host}{port}\""))
        }
        target if target.literal().is_some_and(|ip| ip.is_unspecified()) => {
            Err("is no address to be reached by; write the one by which the far end reaches us".to_owned())
        }
        Target { host, port, .. } => Ok(OwnName { host, port }),
    }
}

fn doubts(item: &Item<'_>, name: &OwnName, report: &mut Report) {
    if let Host::Name(host) = &name.host
        && !host.contains('.')
    {
        item.warning(report, format!("\"{host}\" is a name that only this house knows; write it in full, such as \"{host}.example.com\""));
    }
}
