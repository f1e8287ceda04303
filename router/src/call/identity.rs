//! Who is told to call: From, identity and history of a call that we send (RFC 3261 §8.1.1.3, RFC 3323, 3325, 7044).

use std::borrow::Cow;

use bytes::Bytes;

use super::{CALLER, Call, Parties, diversion::history_with, parties::escape_user, way::Way};
use crate::{
    config::{ANONYMOUS, AgentId, History, IdentityOut, Template, Trunk, Whose},
    journal::fact::LegNumber,
    shard::Switchboard,
};

/// What a call we send says of its caller.
struct Presented<'a> {
    parties: &'a Parties,
    /// The trunk it goes by, if it goes by one.
    trunk: Option<&'a Trunk>,
    /// Our host in its addresses.
    host: &'a str,
    /// What stands in place of the caller's name; `None`: his name.
    name: Option<String>,
}

/// What an INVITE of ours says of its caller.
pub(super) struct Told {
    /// From without a tag.
    pub(super) from: String,
    /// Headers beside those that the endpoint writes.
    pub(super) headers: Vec<(Bytes, Bytes)>,
}

impl Call {
    /// What a leg that we dial is told: the caller's headers as its trunk wants them, and who he is.
    pub(super) fn told_at(
        &self,
        leg: LegNumber,
        agent: Option<AgentId>,
        way: &Way,
        board: &Switchboard,
    ) -> Told {
        let customer = (leg == CALLER).then(|| self.shown_to_customer());
        let parties = customer.as_ref().unwrap_or(&self.parties);
        let trunk = way.trunk.and_then(|trunk| board.config.trunk(trunk));
        let name = agent.and_then(|_| self.name_for_agent(parties, trunk, board));
        let host = board.own_host(trunk);
        let presented = Presented { parties, trunk, host: &host, name };
        let urgency = self.urgency(board);
        let is_own = |name: &Bytes| urgency.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let entry = way.tokens.iter().find_map(|token| token.entry(&parties.called, &host));
        let is_replaced = |name: &Bytes| entry.is_some() && name.eq_ignore_ascii_case(b"History-Info");
        let passes = |name: &Bytes| presented.passes(name) && !is_own(name) && !is_replaced(name);
        let carried = self.carried.iter().filter(|(name, _)| passes(name)).cloned();
        let entry = entry.clone().map(|entry| (Bytes::from_static(b"History-Info"), entry));
        let history = entry.or_else(|| presented.history(&way.uri));
        let own = presented.identity().into_iter().chain(history).chain(presented.set());
        let headers = carried.chain(self.referred_by()).chain(own).chain(urgency.clone()).collect();
        Told { from: presented.from(), headers }
    }

    /// What an agent sees in place of the caller's name, if his queue or his trunk says so.
    fn name_for_agent(
        &self,
        parties: &Parties,
        trunk: Option<&Trunk>,
        board: &Switchboard,
    ) -> Option<String> {
        let queue = self.queue().and_then(|queue| board.config.queue(queue))?;
        let name = match (parties.display.as_str(), parties.withheld()) {
            (_, true) => "Anonymous",
            ("", false) => &parties.caller,
            (name, false) => name,
        };
        let by_trunk = || trunk.and_then(|trunk| trunk.identity.shown_as.as_ref());
        let shown_as = queue.shown_as.as_ref().or_else(by_trunk)?;
        Some(shown_as.replace("{queue}", &queue.name).replace("{name}", name))
    }
}

impl Presented<'_> {
    /// A From value without a tag. The trunk by which the call goes may show something else than the caller's number,
    /// and writes numbers in its own way; a withheld number stays withheld.
    fn from(&self) -> String {
        let shown = self.trunk.map(|trunk| &trunk.from);
        let number = self.number(shown).unwrap_or_default();
        let name = self.name.as_deref();
        match number.as_str() {
            "" => {
                let nobody = self.trunk.map_or(ANONYMOUS, |trunk| &trunk.identity.anonymous);
                address(name.unwrap_or("Anonymous"), &format!("<{nobody}>"))
            }
            number => address(name.unwrap_or(&self.parties.display), &self.uri(number)),
        }
    }

    /// Headers that say who calls, as the trunk is to be told.
    fn identity(&self) -> Vec<(Bytes, Bytes)> {
        let Some(trunk) = self.trunk else { return Vec::new() };
        let private = || header("Privacy", "id".to_owned());
        let (name, tells_hidden) = match trunk.identity.out {
            // Whoever asserts an identity further on must know that it is not to be shown (RFC 3325 §9.3); a number of
            // our own in From is nobody's secret.
            IdentityOut::None => return self.is_nobody().then(private).into_iter().collect(),
            IdentityOut::Asserted => ("P-Asserted-Identity", trunk.identity.trusted),
            IdentityOut::Preferred => ("P-Preferred-Identity", false),
        };
        let withheld = self.parties.withheld();
        let number = self.number(Some(&trunk.identity.number));
        let hidden =
            Some(&self.parties.hidden).filter(|hidden| withheld && tells_hidden && !hidden.is_empty());
        let number = number.or_else(|| Some(escape_user(hidden?).into_owned()));
        let identity = number.map(|number| header(name, address(&self.parties.display, &self.uri(&number))));
        identity.into_iter().chain(withheld.then(private)).collect()
    }

    /// From names nobody: the caller withholds his number, and the trunk shows no other.
    fn is_nobody(&self) -> bool {
        self.number(self.trunk.map(|trunk| &trunk.from)).is_none_or(|number| number.is_empty())
    }

    /// History-Info with our own entry, if the trunk wants one and somebody called us; `target` is where the call goes.
    fn history(&self, target: &str) -> Option<(Bytes, Bytes)> {
        self.trunk.filter(|trunk| trunk.identity.history == History::Add)?;
        let called = String::from_utf8_lossy(Some(&self.parties.request_uri).filter(|uri| !uri.is_empty())?);
        Some(header("History-Info", history_with(&self.parties.history, &called, target)))
    }

    /// Whether a header of the caller's INVITE goes to this trunk.
    fn passes(&self, name: &[u8]) -> bool {
        let Some(trunk) = self.trunk else { return true };
        let is = |header: &str| name.eq_ignore_ascii_case(header.as_bytes());
        let is_told = match trunk.identity.history {
            History::Pass => true,
            History::Add => !is("History-Info"),
            History::Drop => !is("History-Info") && !is("Diversion"),
        };
        is_told && trunk.headers.passes(name)
    }

    /// Headers that the trunk's configuration adds.
    fn set(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        let set = self.trunk.into_iter().flat_map(|trunk| &trunk.headers.set);
        set.map(|(name, value)| (name.clone(), self.parties.fill(value).into()))
    }

    /// The number that is shown by `template`, escaped; `None` if it would be the caller's and he withholds it.
    fn number(&self, template: Option<&Template>) -> Option<String> {
        let withheld = self.parties.withheld();
        match template.filter(|template| !withheld || template.fixed().is_some()) {
            Some(template) => Some(self.parties.fill(template)),
            None => Some(escape_user(&self.parties.caller).into_owned()).filter(|_| !withheld),
        }
    }

    fn uri(&self, number: &str) -> String {
        let Some(trunk) = self.trunk else { return format!("<sip:{number}@{}>", self.host) };
        let user: Cow<'_, str> = trunk.numbers.given(Whose::Caller, number);
        format!("<sip:{user}@{}{}>", self.host, trunk.numbers.mark(&user))
    }
}

fn header(name: &'static str, value: String) -> (Bytes, Bytes) {
    (Bytes::from_static(name.as_bytes()), value.into())
}

fn address(name: &str, uri: &str) -> String {
    if name.is_empty() { uri.to_owned() } else { format!("{} {uri}", quoted(name)) }
}

/// A display name that cannot break out of its quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_cannot_break_out_of_its_quotes() {
        let parties =
            Parties { caller: "a b".into(), display: "x\" <sip:evil>".into(), ..Parties::default() };
        let shown = Presented { parties: &parties, trunk: None, host: "h", name: None };
        assert_eq!(shown.from(), "\"x\\\" <sip:evil>\" <sip:a%20b@h>");
    }

    #[test]
    fn a_withheld_number_is_not_shown_but_the_queues_name_is() {
        let parties = Parties { hidden: "+491".into(), ..Parties::default() };
        let mut shown = Presented { parties: &parties, trunk: None, host: "h", name: None };
        assert_eq!(shown.from(), "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        shown.name = Some("support: Anonymous".to_owned());
        assert_eq!(shown.from(), "\"support: Anonymous\" <sip:anonymous@anonymous.invalid>");
        assert!(shown.identity().is_empty());
    }
}
