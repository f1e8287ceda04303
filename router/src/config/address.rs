//! Where a call is sent: a number by a trunk, or a SIP address of its own.

use std::fmt;

use sip_core::{Host, Target, Transport};

use super::names::{AgentId, TrunkId};
use super::raw::Item;
use super::scope::Scope;

/// Where a call is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// `USER@TRUNK`: a number that the trunk's far end knows.
    Number {
        /// The user part of the request URI.
        user: Template,
        /// The trunk; it has `send_to`.
        trunk: TrunkId,
    },
    /// `sip:USER@HOST`: an address of its own, reached without a trunk.
    Uri(UriAddress),
    /// `phone`: wherever telephones of this agent have registered.
    Phone(AgentId),
}

/// A SIP URI to call, and where that is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UriAddress {
    /// The whole URI, as it will be the request URI.
    pub uri: Template,
    /// Its host, port and transport.
    pub target: Target,
}

impl PartialOrd for UriAddress {
    fn partial_cmp(&self, other: &UriAddress) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UriAddress {
    fn cmp(&self, other: &UriAddress) -> std::cmp::Ordering {
        // The target follows from the URI.
        self.uri.cmp(&other.uri)
    }
}

/// A text with places for what is known only when a call comes: `{called}` and `{caller}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Part {
    Text(String),
    Called,
    Caller,
}

impl Template {
    /// Reads a text with `{called}` and `{caller}`.
    ///
    /// # Errors
    /// What is wrong and the cure, when another name or a lone brace stands in it.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let end = rest[open..].find('}').map(|end| open + end);
            let name = end.filter(|_| rest[open..].starts_with('{')).map(|end| &rest[open + 1..end]);
            match name {
                Some("called") => parts.push(Part::Called),
                Some("caller") => parts.push(Part::Caller),
                Some(other) => {
                    return Err(format!("{{{other}}} is not known; write {{called}} or {{caller}}"));
                }
                None => return Err("a brace stands alone; write {called} or {caller}".to_owned()),
            }
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    /// `{called}`: the number as it was dialled.
    pub fn called() -> Template {
        Template(vec![Part::Called])
    }

    /// The text for one call. `called` and `caller` are user parts of URIs as they came, escapes and all.
    pub fn fill(&self, called: &str, caller: &str) -> String {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(match part {
                Part::Text(own) => own,
                Part::Called => called,
                Part::Caller => caller,
            });
        }
        text
    }

    /// `{caller}` stands in it.
    pub fn names_caller(&self) -> bool {
        self.0.contains(&Part::Caller)
    }

    /// The text, if it is the same for every call.
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fill("{called}", "{caller}"))
    }
}

impl Address {
    /// As written in the configuration, given the trunk's name.
    pub fn written(&self, trunk_name: impl Fn(TrunkId) -> String) -> String {
        match self {
            Address::Number { user, trunk } => format!("{user}@{}", trunk_name(*trunk)),
            Address::Uri(address) => address.uri.to_string(),
            Address::Phone(_) => "phone".to_owned(),
        }
    }

    /// What is filled in for a call, if anything is: the user, or the whole URI.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Address::Number { user, .. } => Some(user),
            Address::Uri(address) => Some(&address.uri),
            Address::Phone(_) => None,
        }
    }

    /// The user part, if it is the same for every call.
    pub fn fixed_user(&self) -> Option<&str> {
        let text = self.template()?.fixed()?;
        match self {
            Address::Number { .. } => Some(text),
            Address::Uri(_) => text.split_once(':')?.1.rsplit_once('@').map(|(user, _)| user),
            Address::Phone(_) => None,
        }
    }

    /// The same address with everything filled in, for a later call that brings nothing.
    pub fn filled(&self, fill: impl Fn(&Template) -> String) -> Address {
        let text = |template| Template(vec![Part::Text(fill(template))]);
        match self {
            Address::Number { user, trunk } => Address::Number { user: text(user), trunk: *trunk },
            Address::Uri(UriAddress { uri, target }) => {
                Address::Uri(UriAddress { uri: text(uri), target: target.clone() })
            }
            Address::Phone(agent) => Address::Phone(*agent),
        }
    }

    /// Reads again what was [`written`](Self::written) of a [`filled`](Self::filled) address. `None` if `trunk` does not
    /// know its trunk any more.
    pub fn reread(text: &str, trunk: impl Fn(&str) -> Option<TrunkId>) -> Option<Address> {
        let template = |text: &str| Template(vec![Part::Text(text.to_owned())]);
        let Some((_, rest)) = text.split_once(':') else {
            let (user, name) = text.rsplit_once('@')?;
            return Some(Address::Number { user: template(user), trunk: trunk(name)? });
        };
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        let (host_port, params) = place.split_once(';').unwrap_or((place, ""));
        let mut target: Target = host_port.parse().ok()?;
        target.transport = transport_named(params).and_then(|name| Transport::from_name(name.as_bytes()));
        Some(Address::Uri(UriAddress { uri: template(text), target }))
    }

    /// Reads `USER@TRUNK` or `sip:USER@HOST`.
    pub(super) fn resolve(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Address> {
        let text = item.text("\"+4930555001@TRUNK\"", scope.report)?;
        match text.split_once(':') {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("sip") => uri(item, text, scope),
            Some(("sips", _)) => {
                refuse(item, scope, format!("\"{text}\": sips is not spoken by this version; write sip:"))
            }
            Some(("tel", number)) => {
                refuse(item, scope, format!("\"{text}\" names no way to go; write \"{number}@TRUNK\""))
            }
            _ => number(item, text, scope),
        }
    }
}

fn number(item: &Item<'_>, text: &str, scope: &mut Scope<'_, '_>) -> Option<Address> {
    let Some((user, trunk)) = text.rsplit_once('@') else {
        return refuse(
            item,
            scope,
            format!("\"{text}\" names no way to go; write \"{text}@TRUNK\" or \"sip:{text}@HOST\""),
        );
    };
    let user = user_part(item, user, scope);
    let id = scope.trunk(item, trunk);
    if id.is_some_and(|id| scope.mute_trunks.contains(&id)) {
        let text = format!(
            "trunk.{trunk} sends no calls; give it send_to = [\"udp:192.0.2.1:5060\"], or name another"
        );
        item.error(scope.report, text);
    }
    Some(Address::Number { user: user?, trunk: id? })
}

fn uri(item: &Item<'_>, text: &str, scope: &mut Scope<'_, '_>) -> Option<Address> {
    let rest = &text["sip:".len()..];
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    if let Some(user) = user {
        user_part(item, user, scope)?;
    }
    let (host_port, params) = place.split_once(';').unwrap_or((place, ""));
    if place.contains(['{', '?']) {
        return refuse(
            item,
            scope,
            format!("\"{text}\": {{called}} and {{caller}} may stand before the @ only, and no ? may follow"),
        );
    }
    let mut target: Target = match host_port.parse() {
        Ok(target) => target,
        Err(error) => return refuse(item, scope, format!("\"{text}\": {error}")),
    };
    if target.transport.is_some() {
        return refuse(
            item,
            scope,
            format!("\"{text}\": a URI names its transport behind: \";transport=tcp\""),
        );
    }
    target.transport = transport(item, text, params, scope)?;
    warn_of_trunk_name(item, user, &target, scope);
    let uri = Template::parse(text).ok()?;
    Some(Address::Uri(UriAddress { uri, target }))
}

/// The `transport` parameter (RFC 3261 §19.1.1). The outer `None` is a mistake, the inner an absent parameter.
fn transport(
    item: &Item<'_>,
    text: &str,
    params: &str,
    scope: &mut Scope<'_, '_>,
) -> Option<Option<Transport>> {
    let Some(name) = transport_named(params) else { return Some(None) };
    match Transport::from_name(name.as_bytes()) {
        Some(transport @ (Transport::Udp | Transport::Tcp | Transport::Tls)) => Some(Some(transport)),
        _ => {
            refuse(item, scope, format!("\"{text}\": nobody can be called by {name}; write udp, tcp or tls"))
        }
    }
}

fn transport_named(params: &str) -> Option<&str> {
    let mut pairs = params.split(';').filter_map(|param| param.split_once('='));
    pairs.find(|(name, _)| name.eq_ignore_ascii_case("transport")).map(|(_, value)| value)
}

fn user_part(item: &Item<'_>, user: &str, scope: &mut Scope<'_, '_>) -> Option<Template> {
    let template = match Template::parse(user) {
        Ok(template) => template,
        Err(why) => return refuse(item, scope, format!("\"{user}\": {why}")),
    };
    // user of RFC 3261 §25.1: unreserved, escapes, and & = + $ , ; ? /
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()%&=+$,;?/".contains(c);
    let text = template.fill("", "");
    match text.chars().find(|c| !allowed(*c)) {
        Some(wrong) => refuse(
            item,
            scope,
            format!(
                "\"{user}\": {wrong:?} may not stand in a number or user; escape it as %XX or take it out"
            ),
        ),
        None if user.is_empty() => {
            refuse(item, scope, "nobody stands before the @; write a number or a user".to_owned())
        }
        None => Some(template),
    }
}

fn warn_of_trunk_name(item: &Item<'_>, user: Option<&str>, target: &Target, scope: &mut Scope<'_, '_>) {
    let Host::Name(host) = &target.host else { return };
    if target.port.is_none() && scope.trunks.has(host) {
        let user = user.unwrap_or("USER");
        item.warning(
            scope.report,
            format!(
                "this goes to the host {host}, not to trunk.{host}; write \"{user}@{host}\" for the trunk"
            ),
        );
    }
}

fn refuse<T>(item: &Item<'_>, scope: &mut Scope<'_, '_>, why: String) -> Option<T> {
    item.error(scope.report, why);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_with_what_the_call_brought() {
        let template = Template::parse("0{called}-{caller}!").unwrap();
        assert_eq!(template.fill("12", "34"), "012-34!");
        assert_eq!(template.fixed(), None);
        assert_eq!(template.to_string(), "0{called}-{caller}!");
        assert_eq!(Template::parse("+4930").unwrap().fixed(), Some("+4930"));
    }

    #[test]
    fn an_address_filled_for_one_caller_is_the_same_when_it_is_read_again() {
        let carrier = |name: &str| (name == "carrier").then_some(TrunkId(3));
        let uri = UriAddress {
            uri: Template::parse("sip:{caller}@192.0.2.1:5070;transport=tcp").unwrap(),
            target: "tcp:192.0.2.1:5070".parse().unwrap(),
        };
        let number = Address::Number { user: Template::parse("0{caller}").unwrap(), trunk: TrunkId(3) };
        for address in [number, Address::Uri(uri)] {
            let filled = address.filled(|template| template.fill("1", "%2B49"));
            let text = filled.written(|_| "carrier".to_owned());
            assert_eq!(Address::reread(&text, carrier), Some(filled), "{text}");
        }
        assert_eq!(Address::reread("49@gone", carrier), None);
    }

    #[test]
    fn unknown_places_and_lone_braces_are_refused() {
        assert!(Template::parse("{callee}").unwrap_err().contains("write {called} or {caller}"));
        for text in ["{", "}", "a}b", "{called", "x{called}}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
