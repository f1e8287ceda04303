//! Our registration at the far end of a trunk.

use std::time::Duration;

use sip_core::{Host, Target, Transport};
use toml::de::DeTable;

use super::raw::{Item, section};
use super::read::bounds;
use super::scope::{Scope, Section};
use super::trunk_account::TrunkAccount;
use super::trunk_targets::TrunkTarget;

section! {
    /// Our registration at the far end of a trunk.
    TrunkRegisterToml "[trunk.NAME]" {
        /// Register at the carrier, for one that sends calls only to where we have registered: `true`, or a table `{ expires = "10m" }`. It asks who we are, so the trunk needs a `username` and a password. We register at start, again before the time is over, ever later after failures (up to half an hour), and sign off when we drain or end. Calls come from the address that we have registered at as those of this trunk. Default false.
        register,
    }
}

section! {
    /// How we register at a carrier.
    RegisterToml "trunk.NAME.register = { … }" {
        /// Where: `"udp:sip.carrier.example"`. Default: the first of `send_to`.
        registrar,
        /// The domain of the account, as it stands behind the `@`. Default: the host of `registrar`.
        domain,
        /// The user part of the account's address. Default: `username` of the trunk.
        user,
        /// The user part of our Contact, by which the carrier calls us if it does not call by the number dialled. Default: as `user`.
        contact_user,
        /// For how long we ask; the carrier decides. `"1m"` to `"24h"`, default `"10m"`.
        expires,
        /// Where the number dialled stands in a call of this carrier: in the `"request-uri"`, or in `"to"` if the carrier calls our Contact. Default: `"request-uri"`, and `To` if that is our Contact.
        number_in,
    }
}

/// Our registration at the far end of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkRegister {
    /// Where.
    pub registrar: Target,
    /// The account's domain.
    pub domain: String,
    /// The account's user.
    pub user: String,
    /// The user of our Contact.
    pub contact_user: String,
    /// For how long we ask. 1 min to 24 h, default 10 min.
    pub expires: Duration,
    /// Where the number dialled stands in its calls.
    pub number_in: NumberIn,
}

/// Where the number dialled stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberIn {
    /// In the Request-URI, unless that is our Contact; then in To.
    Either,
    /// In the Request-URI.
    RequestUri,
    /// In To.
    To,
}

impl TrunkRegister {
    /// The same Contact of the same account at the same carrier: what differs beside is told by a renewal.
    pub fn is_same_account(&self, other: &TrunkRegister) -> bool {
        let account = |own: &TrunkRegister| {
            (own.registrar.clone(), own.domain.clone(), own.user.clone(), own.contact_user.clone())
        };
        account(self) == account(other)
    }

    pub(super) fn resolve(
        table: &DeTable<'_>,
        section: &Section<'_>,
        (account, send_to): (&TrunkAccount, &[TrunkTarget]),
        scope: &mut Scope<'_, '_>,
    ) -> Option<TrunkRegister> {
        let raw = TrunkRegisterToml::read_known(table, &section.path, section.span());
        let item = raw.register.item.as_ref()?;
        let (report, empty) = (&mut *scope.report, DeTable::new());
        let table = match item.value.get_ref() {
            toml::de::DeValue::Table(table) => table,
            _ if !item.boolean(false, report)? => return None,
            _ => &empty,
        };
        let raw = RegisterToml::read(table, &item.key, item.value.span(), report);
        let registrar = match &raw.registrar.item {
            Some(item) => registrar(item, report),
            None => first_target(item, send_to, report),
        };
        let login = account.login.as_deref().map(|login| login.username.clone());
        if login.is_none() && !report.has_errors() {
            item.error(report, "needs an account; write username = \"493012345\" and password_file = \"carrier.password\" into the trunk");
        }
        let user = raw.user.item.as_ref().map_or(login, |item| user(item, report));
        let contact_user =
            raw.contact_user.item.as_ref().map_or(user.clone(), |item| self::user(item, report));
        let expires = raw.expires.duration(bounds("1m", "24h", "10m"), report);
        let number_in = raw.number_in.item.as_ref().and_then(|item| {
            item.choice(&[("request-uri", NumberIn::RequestUri), ("to", NumberIn::To)], report)
        });
        let domain = raw.domain.item.as_ref().map(|item| domain(item, report));
        let registrar = registrar?;
        Some(TrunkRegister {
            domain: domain.unwrap_or_else(|| Some(registrar.host.to_string()))?,
            registrar,
            user: user?,
            contact_user: contact_user?,
            expires,
            number_in: number_in.unwrap_or(NumberIn::Either),
        })
    }
}

fn registrar(item: &Item<'_>, report: &mut super::problem::Report) -> Option<Target> {
    let text = item.text("\"udp:sip.carrier.example\"", report)?;
    let why = match text.parse::<Target>() {
        Ok(Target { transport: Some(other @ (Transport::Ws | Transport::Wss)), .. }) => {
            format!("nobody can be called by {other}; write udp:, tcp: or tls:")
        }
        Ok(target) => return Some(target),
        Err(error) => error.to_string(),
    };
    item.error(report, format!("\"{text}\": {why}"));
    None
}

fn first_target(
    item: &Item<'_>,
    send_to: &[TrunkTarget],
    report: &mut super::problem::Report,
) -> Option<Target> {
    let first = send_to.first().map(|target| target.to.clone());
    if first.is_none() && !report.has_errors() {
        item.error(
            report,
            "it is not said where; write register = { registrar = \"udp:sip.carrier.example\" }",
        );
    }
    first
}

fn domain(item: &Item<'_>, report: &mut super::problem::Report) -> Option<String> {
    let text = item.text("\"carrier.example\"", report)?;
    match text.parse::<Target>() {
        Ok(Target { transport: None, port: None, host }) if !text.starts_with('[') => match host {
            Host::Ip(std::net::IpAddr::V6(ip)) => Some(format!("[{ip}]")),
            _ => Some(text.to_owned()),
        },
        Ok(Target { transport: None, port: None, .. }) => Some(text.to_owned()),
        _ => {
            item.error(report, format!("\"{text}\" is no domain; write it such as \"carrier.example\""));
            None
        }
    }
}

/// What may stand before the `@` without being escaped, so that it comes back as it went out.
fn user(item: &Item<'_>, report: &mut super::problem::Report) -> Option<String> {
    let text = item.text("\"493012345\"", report)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&byte);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(plain) {
        return Some(text.to_owned());
    }
    item.error(report, format!("\"{text}\" is no user part; write it such as \"493012345\""));
    None
}
