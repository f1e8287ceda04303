//! Who calls whom, read from the caller's INVITE.

use std::borrow::Cow;

use bytes::Bytes;

use sip_core::{
    Message,
    message::{Header, NameAddr, Scheme, Uri},
};

use super::diversion::{diverted_from, times_diverted_by};
use crate::config::{NumberIn, Template, Trunk, TrunkNumbers, Whose, is_telephone_number};

/// A number may stand so often among those that sent a call on before it is called again: forwarding to and fro happens.
const TIMES_ROUND: usize = 1;

/// The caller and the called, as the trunk asserted them and in the house's writing: E.164 where it tells numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parties {
    /// The caller's number or user part; empty if withheld.
    pub caller: String,
    /// The caller's display name, if one came and it was not withheld.
    pub display: String,
    /// The called number or user part: the user of the Request-URI.
    pub called: String,
    /// The number that he withholds, if a trunk that is trusted told it. It goes to other trusted trunks and nowhere
    /// else: not on record, not in the log, and nothing is remembered by it.
    pub(super) hidden: String,
    /// Whoever was called before and sent the call to us; empty if nobody did, or does not want to be named.
    pub diverted_from: String,
    /// The called number has sent this call on before, and more than once: it goes round.
    pub(crate) is_loop: bool,
    /// The Request-URI as it came; empty for a call of ours.
    pub(super) request_uri: Bytes,
    /// The values of History-Info as they came.
    pub(super) history: Vec<Bytes>,
}

impl Parties {
    /// Reads them. `trunk` is the one it came by: if it is trusted, P-Asserted-Identity and P-Preferred-Identity come
    /// before From (RFC 3325 §9). Nothing of the caller is told if he asked for privacy (RFC 3323 §4.2) or From is
    /// anonymous (RFC 3261 §8.1.1.3).
    pub fn of(invite: &Message, trunk: Option<&Trunk>) -> Parties {
        let raw = TrunkNumbers::default();
        let numbers = trunk.map_or(&raw, |trunk| &trunk.numbers);
        let number = |whose, uri: &Uri| numbers.taken(whose, &user(uri, numbers.reads(whose))).into_owned();
        let trusted = trunk.is_none_or(|trunk| trunk.identity.trusted);
        let (asserted, from) = (asserted(invite).filter(|_| trusted), invite.from().ok());
        let request_uri = invite.request_uri().ok();
        let dialled = trunk.and_then(|trunk| dialled_by_to(invite, trunk));
        let called = dialled.as_ref().or(request_uri.as_ref());
        let called = called.map(|uri| number(Whose::Called, uri)).unwrap_or_default();
        let is_called = |by: &NameAddr| number(Whose::Called, &by.uri) == called;
        let parties = Parties {
            is_loop: times_diverted_by(invite, is_called) > TIMES_ROUND,
            diverted_from: diverted_from(invite).map(|by| number(Whose::Called, &by.uri)).unwrap_or_default(),
            request_uri: request_uri.map(|uri| uri.as_bytes().clone()).unwrap_or_default(),
            called,
            history: invite.values(Header::HistoryInfo).map(|value| Bytes::copy_from_slice(&value)).collect(),
            ..Parties::default()
        };
        let Some(identity) = asserted.as_ref().or(from.as_ref()) else { return parties };
        let caller = number(Whose::Caller, &identity.uri);
        if wants_privacy(invite) || numbers.means_withheld(&user(&identity.uri, false)) {
            let hidden = if asserted.is_some() { caller } else { String::new() };
            return Parties { hidden, ..parties };
        }
        let same = |from: &&NameAddr| number(Whose::Caller, &from.uri) == caller;
        let named = [Some(identity), from.as_ref().filter(same)];
        let display = named.iter().flatten().find_map(|address| display(address)).unwrap_or_default();
        Parties { caller, display, ..parties }
    }

    /// The same call made by an agent, whatever his telephone says of him and of those who were called before.
    pub(crate) fn made_by(self, caller: String, display: String) -> Parties {
        let Parties { called, request_uri, .. } = self;
        Parties { caller, display, called, request_uri, ..Parties::default() }
    }

    /// True if the caller's number is not to be shown.
    pub fn withheld(&self) -> bool {
        self.caller.is_empty()
    }

    /// A template with this call's numbers, escaped as user parts are.
    pub fn fill(&self, template: &Template) -> String {
        template.fill(&escape_user(&self.called), &escape_user(&self.caller))
    }
}

/// Where a carrier calls the Contact that we have registered, the number dialled stands in To; `None`: it stands in the
/// Request-URI, as ever.
fn dialled_by_to(invite: &Message, trunk: &Trunk) -> Option<Uri> {
    let register = trunk.register.as_ref()?;
    let calls_us = || {
        let called = invite.request_uri().ok().and_then(|uri| Some(uri.user_decoded()?.into_owned()));
        called.is_some_and(|user| user == register.contact_user.as_bytes())
    };
    let by_to = match register.number_in {
        NumberIn::RequestUri => false,
        NumberIn::To => true,
        NumberIn::Either => calls_us(),
    };
    let to = invite.to().ok().filter(|_| by_to)?;
    to.uri.user().is_some().then_some(to.uri)
}

/// Percent-encodes what a user part may not carry (RFC 3261 §25.1 `user`).
pub(super) fn escape_user(user: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte);
    if user.bytes().all(plain) {
        return Cow::Borrowed(user);
    }
    let mut escaped = String::with_capacity(user.len() + 8);
    for byte in user.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(escaped)
}

/// Whom the network says it is; of several values the one with a telephone number (RFC 3325 §9.1: a `sip:` and a `tel:`
/// one at most), for by that callers are known.
fn asserted(invite: &Message) -> Option<NameAddr> {
    let of = |header| {
        let parsed =
            invite.values(header).filter_map(|value| NameAddr::parse(Bytes::copy_from_slice(&value)).ok());
        let all: Vec<NameAddr> = parsed.collect();
        let number = all.iter().position(|address| is_telephone_number(&user(&address.uri, false)));
        all.into_iter().nth(number.unwrap_or(0))
    };
    of(Header::PAssertedIdentity).or_else(|| of(Header::PPreferredIdentity))
}

/// `none` takes back whatever else is said (RFC 3323 §4.2).
fn wants_privacy(invite: &Message) -> bool {
    let Some(value) = invite.value(Header::Privacy) else { return false };
    let value = lossy(&value).to_ascii_lowercase();
    let says = |wanted: &[&str]| value.split([';', ',']).any(|word| wanted.contains(&word.trim()));
    says(&["id", "user", "header"]) && !says(&["none"])
}

/// The display name in one line.
fn display(address: &NameAddr) -> Option<String> {
    let name = lossy(&address.display_name()?).replace(char::is_control, " ");
    Some(name).filter(|name| !name.is_empty())
}

/// The user part, decoded. A local number of a `tel:` URI has its context with it, if it `is_read`.
fn user(uri: &Uri, is_read: bool) -> String {
    let user = uri.user_decoded().map(|user| lossy(&user)).unwrap_or_default();
    match uri.param("phone-context").filter(|_| is_read && uri.scheme() == Scheme::Tel) {
        Some(context) => format!("{user};phone-context={}", lossy(context)),
        None => user,
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(extra: &str, from: &str) -> Parties {
        let text = format!(
            "INVITE sip:%2B4930123@router.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: {from};tag=1\r\nTo: <sip:x@router.test>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n{extra}\r\n"
        );
        Parties::of(&Message::parse(text.into()).unwrap(), None)
    }

    #[test]
    fn the_asserted_number_beats_the_one_in_from() {
        let parties = of("P-Asserted-Identity: <sip:+491@c>\r\n", "\"Eve\" <sip:+499@c>");
        assert_eq!((parties.caller.as_str(), parties.called.as_str()), ("+491", "+4930123"));
        assert_eq!(parties.display, "", "the name of another");
        let parties = of("P-Preferred-Identity: <sip:+491@c>\r\n", "\"Eve\" <sip:+491@c>");
        assert_eq!((parties.caller.as_str(), parties.display.as_str()), ("+491", "Eve"));
    }

    #[test]
    fn of_several_asserted_identities_the_telephone_number_counts() {
        for value in ["\"Max\" <sip:max@c.example>, <tel:+491>", "<tel:+491>, <sip:max@c.example>"] {
            assert_eq!(
                of(&format!("P-Asserted-Identity: {value}\r\n"), "<sip:+499@c>").caller,
                "+491",
                "{value}"
            );
        }
        assert_eq!(of("P-Asserted-Identity: <sip:max@c.example>\r\n", "<sip:+499@c>").caller, "max");
    }

    #[test]
    fn a_withheld_number_is_neither_kept_nor_shown() {
        let asserted = "P-Asserted-Identity: <sip:+491@c>\r\nPrivacy: id\r\n";
        let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
        for (extra, from, hidden) in [
            (asserted, "<sip:+492@c>", "+491"),
            (asserted, anonymous, "+491"),
            ("", anonymous, ""),
            ("Privacy: user;id\r\n", "\"Max\" <sip:+492@c>", ""),
        ] {
            let parties = of(extra, from);
            assert!(parties.withheld() && parties.display.is_empty());
            assert_eq!(parties.hidden, hidden, "{extra}{from}");
        }
        assert_eq!(of("Privacy: none\r\n", "<sip:+492@c>").caller, "+492");
    }
}
