//! `kind` of a trunk: other keys of it, written by us where the operator has not written them.

use std::ops::Range;

use sip_core::transport::carries_name;
use sip_core::{Host, OwnName};
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::problem::Report;
use super::raw::{Item, Value, section};
use super::scope::Section;
use super::trunk::Trunk;

section! {
    /// What a trunk's far end is.
    TrunkKindToml "[trunk.NAME]" {
        /// What the far end is. `"teams"`: Teams Direct Routing; then the trunk has the keys listed under `kind = "teams"` below, each of which can be written otherwise beside it. Default `"plain"`: whatever the other keys say.
        kind,
        /// Of `kind = "teams"`: the name of this SBC in the tenant, `"sbc.example.com"`; it is `advertise` and must stand in `certificate`. Required unless calls go `via` an SBC that has its own.
        fqdn,
        /// Of `kind = "teams"`: the SBC of the customer that calls to Teams go by, written as in `send_to`; TLS, certificates and SRTP towards Teams are its task then, and those towards it are as other trunks have them. Default: none, we face Teams ourselves.
        via,
    }
}

/// What Teams wants of whoever calls it, whether we or an SBC before us.
const TEAMS: &str = r#"check_every = "60s"            # OPTIONS first: Teams calls nobody of whom it has not heard
response_timeout = "5s"
retry_on = [503]               # anything else is final, and to ring again shows one missed call more
close_on_retry_after = true
numbers_in = "e164"
numbers_out = "+e164"
user_phone = true
session_expires = "30m"
min_se = "90s"
refresh = "reinvite"           # it knows no UPDATE
reliable = "never"             # and no PRACK
hold = "local"                 # it does not understand sendonly, and follows no new address of sound
transfers_return = ["sip.pstnhub.microsoft.com", "sip2.pstnhub.microsoft.com", "sip3.pstnhub.microsoft.com"] # whom its transfers mean only Teams knows
history = "drop"
anonymous = "sip:anonymous@anonymous.invalid"
shown_as = "{queue}: {name}"
missed_calls = false           # every CANCEL says that the call was completed elsewhere
answers_of_machines = "refuse"
agents_dial_out = true
headers = { pass = [], set = { X-MS-SBC = "Fernamt/Router/1.0" } }
"#;

/// And what it wants of us if we face it ourselves.
const TEAMS_ITSELF: &str = r#"send_to = ["tls:sip.pstnhub.microsoft.com:5061", "tls:sip2.pstnhub.microsoft.com:5061", "tls:sip3.pstnhub.microsoft.com:5061"]
accept_from = ["52.112.0.0/14", "52.120.0.0/14"]
peer_names = ["sip.pstnhub.microsoft.com", "sip2.pstnhub.microsoft.com", "sip3.pstnhub.microsoft.com"]
accept_server_auth_only = true # its certificates are for servers only
srtp = "required"
srtp_suites = ["AES_CM_128_HMAC_SHA1_80"]
"#;

/// Characters of a name that Teams takes.
const LONGEST_NAME: usize = 63;

/// For the reference page.
pub(super) fn reference() -> String {
    format!(
        "\n## `kind = \"teams\"`\n\nOf `[trunk.NAME]`: what Teams Direct Routing wants, as if these lines stood there. A line of \
         your own with the same key takes the place of the one here.\n\n```toml\n{TEAMS}```\n\nWithout `via` also these, \
         and `advertise` is `fqdn`. In other clouds, such as GCC High, `send_to`, `accept_from` and `peer_names` are \
         others: write them.\n\n```toml\n{TEAMS_ITSELF}```\n"
    )
}

/// A trunk with the keys that follow from its kind.
pub(super) struct Kept<'i> {
    value: Value<'i>,
    /// We face Teams ourselves.
    faces: bool,
}

impl<'i> Kept<'i> {
    /// The section as it is to be read; `None` if nothing follows.
    pub(super) fn of(section: &Section<'i>, report: &mut Report) -> Option<Kept<'i>> {
        let DeValue::Table(table) = section.value.get_ref() else { return None };
        let raw = TrunkKindToml::read_known(table, &section.path, section.span());
        let is_teams = raw.kind.choice(&[("plain", false), ("teams", true)], report);
        if !is_teams {
            for item in [&raw.fqdn, &raw.via].into_iter().filter_map(|field| field.item.as_ref()) {
                item.error(
                    report,
                    "says nothing without a kind; write kind = \"teams\" beside it, or take it out",
                );
            }
            return None;
        }
        let at = raw.kind.item.as_ref().map_or(section.span(), |item| item.value.span());
        let mut whole = table.clone();
        let lines = if raw.via.item.is_some() { vec![TEAMS] } else { vec![TEAMS, TEAMS_ITSELF] };
        lines.into_iter().for_each(|lines| add(&mut whole, lines, &at));
        if let Some(Item { value, .. }) = &raw.via.item {
            whole.entry(key("send_to", &at)).or_insert_with(|| (*value).clone());
        } else {
            raw.fqdn.required("fqdn = \"sbc.example.com\", by which Teams finds its tenant", report);
            let shown = "certificate = \"sbc.pem\", with the name of fqdn in it";
            if !table.contains_key("certificate") {
                report.error(
                    &section.span(),
                    &format!("{}.certificate", section.path),
                    format!("is missing; write {shown}"),
                );
            }
        }
        if let Some(Item { value, .. }) = &raw.fqdn.item {
            whole.entry(key("advertise", &at)).or_insert_with(|| (*value).clone());
        }
        let value = Spanned::new(section.span(), DeValue::Table(whole));
        Some(Kept { value, faces: raw.via.item.is_none() })
    }

    /// The section that has all of it.
    pub(super) fn section<'k>(&'k self, written: &Section<'k>) -> Section<'k> {
        Section { value: &self.value, ..written.clone() }
    }

    /// What Teams would not take, though it is no mistake of the file (1.2 and 1.3 of what is known of it).
    pub(super) fn doubts(&self, trunk: &Trunk, written: &Section<'_>, report: &mut Report) {
        let Some(OwnName { host: Host::Name(fqdn), .. }) = trunk.own_name.as_ref().filter(|_| self.faces)
        else {
            return;
        };
        let mut doubt = |key: &str, text: String| {
            report.warning(&written.span(), &format!("{}.{key}", written.path), text);
        };
        if fqdn.len() > LONGEST_NAME {
            doubt(
                "fqdn",
                format!(
                    "\"{fqdn}\" has {} characters, and Teams takes {LONGEST_NAME}; take a shorter name",
                    fqdn.len()
                ),
            );
        }
        if fqdn.to_ascii_lowercase().ends_with(".onmicrosoft.com") {
            doubt(
                "fqdn",
                format!(
                    "\"{fqdn}\" is Microsoft's own, which Teams takes from no SBC; take a name of a domain of the tenant's"
                ),
            );
        }
        let Some(identity) = &trunk.tls.identity else { return };
        let path = identity.certificate.path.display();
        if let Some(names) = identity.names().filter(|names| !carries_name(names, fqdn)) {
            let has = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            doubt(
                "certificate",
                format!(
                    "{path} is for {has}, not for {fqdn}, so Teams refuses every call (403); have one made for that name"
                ),
            );
        }
        if identity.is_rsa() == Some(false) {
            doubt(
                "certificate",
                format!(
                    "{path} has no RSA key, and the ciphers of Teams want one; have one made with RSA, 2048 bits or more"
                ),
            );
        }
    }
}

/// Adds lines that the operator has not written himself; whatever is told about them is told where he wrote the kind.
fn add<'i>(table: &mut DeTable<'i>, lines: &'static str, at: &Range<usize>) {
    let preset = DeTable::parse(lines).expect("our own lines are TOML").into_inner();
    for (name, value) in preset {
        table.entry(key(name.get_ref(), at)).or_insert_with(|| moved(value.into_inner(), at));
    }
}

fn key<'i>(name: &str, at: &Range<usize>) -> Spanned<DeString<'i>> {
    Spanned::new(at.clone(), name.to_owned().into())
}

fn moved<'i>(value: DeValue<'static>, at: &Range<usize>) -> Value<'i> {
    let value = match value {
        DeValue::Array(items) => {
            let mut array = DeArray::new();
            items.iter().for_each(|item| array.push(moved(item.get_ref().clone(), at)));
            DeValue::Array(array)
        }
        DeValue::Table(entries) => {
            let mut table = DeTable::new();
            for (name, value) in entries {
                table.insert(key(name.get_ref(), at), moved(value.into_inner(), at));
            }
            DeValue::Table(table)
        }
        plain => plain,
    };
    Spanned::new(at.clone(), value)
}
