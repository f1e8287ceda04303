//! `kind` of a trunk: other keys of it, written by us where the operator has not written them.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::names::TrunkId;
use super::problem::Report;
use super::raw::{Field, Item, Value, join, section};
use super::scope::{Scope, Section};
use super::trunk::{Trunk, parse_source};
use super::trunk_name;
use super::trunk_teams;

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
const TEAMS: &str = concat!(
    r#"check_every = "60s"            # OPTIONS first: Teams calls nobody of whom it has not heard
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
transfers_rejoin = ["referred-by"] # a transfer to a number of ours comes to us again; "history-info" too with ForwardCallHistory
history = "drop"
anonymous = "sip:anonymous@anonymous.invalid"
shown_as = "{queue}: {name}"
missed_calls = false           # every CANCEL says that the call was completed elsewhere
answers_of_machines = "refuse"
agents_dial_out = true
headers = { pass = [], set = { X-MS-SBC = "Fernamt/Router/"#,
    env!("CARGO_PKG_VERSION"),
    r#"" }, in_answers = { X-MS-SBC = "Fernamt/Router/"#,
    env!("CARGO_PKG_VERSION"),
    r#"" } }
"#
);

/// And what it wants of us if we face it ourselves.
const TEAMS_ITSELF: &str = r#"send_to = ["tls:sip.pstnhub.microsoft.com:5061", "tls:sip2.pstnhub.microsoft.com:5061", "tls:sip3.pstnhub.microsoft.com:5061"]
accept_from = ["52.112.0.0/14", "52.120.0.0/14"]
peer_names = ["sip.pstnhub.microsoft.com", "sip2.pstnhub.microsoft.com", "sip3.pstnhub.microsoft.com"]
accept_server_auth_only = true # its certificates are for servers only
srtp = "required"
"#;

/// For the reference page.
pub(super) fn reference() -> String {
    format!(
        "\n## `kind = \"teams\"`\n\nOf `[trunk.NAME]`: what Teams Direct Routing wants, as if these lines stood there. A line of \
         your own with the same key takes the place of the one here; of a table, such as `headers`, each key by itself, and so of \
         a table in it: to let all headers of the caller go on, write `headers.pass = [\"*\"]`; to be another box, write X-MS-SBC \
         in `headers.set` and in `headers.in_answers`.\n\n```toml\n{TEAMS}```\n\nWithout `via` also these, and `advertise` is `fqdn`. In other clouds, such as GCC \
         High, `send_to`, `accept_from`, `peer_names` and `transfers_return` are others: write \
         them.\n\n```toml\n{TEAMS_ITSELF}```\n"
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
    pub(super) fn of(section: &Section<'i>, scope: &mut Scope<'_, '_>) -> Option<Kept<'i>> {
        let DeValue::Table(table) = section.value.get_ref() else { return None };
        let raw = TrunkKindToml::read_known(table, &section.path, section.span());
        let is_teams = raw.kind.choice(&[("plain", false), ("teams", true)], scope.report);
        if !is_teams {
            for item in [&raw.fqdn, &raw.via].into_iter().filter_map(|field| field.item.as_ref()) {
                item.error(
                    scope.report,
                    "says nothing without a kind; write kind = \"teams\" beside it, or take it out",
                );
            }
            return None;
        }
        let at = raw.kind.item.as_ref().map_or(section.span(), |item| item.value.span());
        let faces = raw.via.item.is_none();
        let mut whole = table.clone();
        if faces {
            add(&mut whole, TEAMS_ITSELF, &at);
            ask_for_what_is_ours(&raw, table, section, scope.report);
            keep_apart(&mut whole, section, &at, scope);
        }
        leave_out_rejoin(&mut whole, &at);
        add(&mut whole, TEAMS, &at);
        if !stands_for(&raw.via, "send_to", &mut whole, section, scope.report)
            && let Some(item) = &raw.via.item
        {
            item.error(scope.report, "stands beside send_to, and both say where calls go; take one out");
        }
        if !stands_for(&raw.fqdn, "advertise", &mut whole, section, scope.report) {
            trunk_name::name(&raw.fqdn, scope.report);
        }
        let value = Spanned::new(section.span(), DeValue::Table(whole));
        Some(Kept { value, faces })
    }

    /// The section that has all of it.
    pub(super) fn section<'k>(&'k self, written: &Section<'k>) -> Section<'k> {
        Section { value: &self.value, ..written.clone() }
    }

    /// What only the whole trunk shows.
    pub(super) fn check(&self, trunk: &Trunk, written: &Section<'_>, report: &mut Report) {
        if self.faces {
            trunk_teams::check(trunk, written, report);
        }
    }
}

/// What is not sent back does not come round: the profile's key would be told of as one without effect.
fn leave_out_rejoin<'i>(whole: &mut DeTable<'i>, at: &Range<usize>) {
    let returns = whole.get("transfers_return").map(Spanned::get_ref);
    if matches!(returns, Some(DeValue::Boolean(false))) {
        let nothing = || Spanned::new(at.clone(), DeValue::Array(DeArray::new()));
        whole.entry(key("transfers_rejoin", at)).or_insert_with(nothing);
    }
}

/// Facing Teams without these nothing goes.
fn ask_for_what_is_ours(
    raw: &TrunkKindToml<'_>,
    table: &DeTable<'_>,
    section: &Section<'_>,
    report: &mut Report,
) {
    raw.fqdn.required("fqdn = \"sbc.example.com\", by which Teams finds its tenant", report);
    if !table.contains_key("certificate") {
        let shown = "is missing; write certificate = \"sbc.pem\", with the name of fqdn in it";
        report.error(&section.span(), &join(&section.path, "certificate"), shown);
    }
}

/// Teams calls from the same addresses whatever the tenant, so that only one trunk can take its calls.
fn keep_apart<'i>(
    whole: &mut DeTable<'i>,
    section: &Section<'i>,
    at: &Range<usize>,
    scope: &mut Scope<'_, '_>,
) {
    let own = TrunkId::from(section.id);
    let other = whole.get("accept_from").and_then(|value| {
        let nets = Item { key: String::new(), value }.list();
        nets.iter().filter(|net| net.value.span() == *at).find_map(|net| {
            let source = parse_source(net.value.get_ref().as_str()?)?;
            scope.sources.get(&source).copied().filter(|other| *other != own)
        })
    });
    let Some(other) = other else { return };
    let other = scope.trunks.name(other.index());
    let text = format!(
        "Teams calls from the same addresses whatever the tenant, and they are trunk.{other}'s already; write \
         accept_from = [] here: then this trunk only calls, and trunk.{other} takes the calls of both"
    );
    scope.report.error(at, &join(&section.path, "kind"), text);
    let nobody = Spanned::new(at.clone(), DeValue::Array(DeArray::new()));
    whole.insert(key("accept_from", at), nobody);
}

/// What the file says by `field` is said by `name` from here on, and what is wrong with it is told of `field`. False if
/// the file says `name` too.
fn stands_for<'i>(
    field: &Field<'i>,
    name: &str,
    whole: &mut DeTable<'i>,
    section: &Section<'i>,
    report: &mut Report,
) -> bool {
    let Some(item) = &field.item else { return true };
    if whole.contains_key(name) {
        return false;
    }
    whole.insert(key(name, &item.value.span()), item.value.clone());
    report.tell_of(field.key.clone(), join(&section.path, name));
    true
}

/// Adds what the operator has not written himself; whatever is told about it is told where he wrote the kind.
fn add<'i>(table: &mut DeTable<'i>, lines: &'static str, at: &Range<usize>) {
    merge(table, DeTable::parse(lines).expect("our own lines are TOML").into_inner(), at);
}

/// Tables key by key, in any case: keys may be names of headers.
fn merge<'i>(table: &mut DeTable<'i>, preset: DeTable<'static>, at: &Range<usize>) {
    for (name, value) in preset {
        let own = table.iter_mut().find(|(own, _)| own.get_ref().eq_ignore_ascii_case(name.get_ref()));
        match (own.map(|(_, value)| value.get_mut()), value.into_inner()) {
            (Some(DeValue::Table(own)), DeValue::Table(more)) => merge(own, more, at),
            (Some(_), _) => {}
            (None, value) => drop(table.insert(key(name.get_ref(), at), moved(value, at))),
        }
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
