//! Who calls whom, read from the caller's INVITE.

use std::borrow::Cow;

use bytes::Bytes;

use sip_core::{
    Message,
    message::{Header, NameAddr, Scheme, Uri},
};

use crate::config::{Template, Trunk, TrunkNumbers, Whose};

/// The caller and the called, as the trunk asserted them and in the house's writing: E.164 where it tells numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parties {
    /// The caller's number or user part; empty if withheld.
    pub caller: String,
    /// The caller's display name, if one came and it was not withheld.
    pub display: String,
    /// The called number or user part: the user of the Request-URI.
    pub called: String,
}

impl Parties {
    /// Reads them: P-Asserted-Identity before From (RFC 3325 §9.1), nothing if the caller asked for privacy
    /// (RFC 3323 §4.2) or From is anonymous (RFC 3261 §8.1.1.3). `trunk` is the one it came by.
    pub fn of(invite: &Message, trunk: Option<&Trunk>) -> Parties {
        let raw = TrunkNumbers::default();
        let numbers = trunk.map_or(&raw, |trunk| &trunk.numbers);
        let number = |whose, uri: &Uri| numbers.taken(whose, &user(uri, numbers.reads(whose))).into_owned();
        let called = invite.request_uri().ok().map(|uri| number(Whose::Called, &uri)).unwrap_or_default();
        let identity = asserted(invite).or_else(|| invite.from().ok());
        match identity.filter(|identity| !is_withheld(invite, identity, numbers)) {
            Some(identity) => Parties {
                caller: number(Whose::Caller, &identity.uri),
                display: identity.display_name().map(|name| lossy(&name)).unwrap_or_default(),
                called,
            },
            None => Parties { called, ..Parties::default() },
        }
    }

    /// True if the caller's number is not to be shown.
    pub fn withheld(&self) -> bool {
        self.caller.is_empty()
    }

    /// A template with this call's numbers, escaped as user parts are.
    pub fn fill(&self, template: &Template) -> String {
        template.fill(&escape_user(&self.called), &escape_user(&self.caller))
    }

    /// A From value for a leg that we dial: name, number and `host`, without a tag. The trunk by which it goes may show
    /// something else than the caller's number, and writes numbers in its own way; a withheld number stays withheld.
    pub fn from_value(&self, trunk: Option<&Trunk>, host: &str) -> String {
        let shown = trunk.map(|trunk| &trunk.from).filter(|from| !self.withheld() || from.fixed().is_some());
        let user = match (shown, self.withheld()) {
            (Some(from), _) => self.fill(from),
            (None, false) => escape_user(&self.caller).into_owned(),
            (None, true) => String::new(),
        };
        if user.is_empty() {
            return "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned();
        }
        let user = trunk.map_or(user.clone(), |trunk| trunk.numbers.given(Whose::Caller, &user).into_owned());
        let mark = trunk.map_or("", |trunk| trunk.numbers.mark(&user));
        let uri = format!("<sip:{user}@{host}{mark}>");
        match self.display.as_str() {
            "" => uri,
            name => format!("\"{}\" {uri}", name.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }
}

/// Percent-encodes what a user part may not carry (RFC 3261 §25.1 `user`).
fn escape_user(user: &str) -> Cow<'_, str> {
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

fn asserted(invite: &Message) -> Option<NameAddr> {
    invite
        .values(Header::PAssertedIdentity)
        .find_map(|value| NameAddr::parse(Bytes::copy_from_slice(&value)).ok())
}

fn is_withheld(invite: &Message, identity: &NameAddr, numbers: &TrunkNumbers) -> bool {
    let asked = invite.value(Header::Privacy).is_some_and(|value| {
        let value = lossy(&value).to_ascii_lowercase();
        value.split([';', ',']).any(|word| matches!(word.trim(), "id" | "user" | "header"))
    });
    asked || numbers.means_withheld(&user(&identity.uri, false))
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

    fn of(invite: &Message) -> Parties {
        Parties::of(invite, None)
    }

    fn invite(extra: &str, from: &str) -> Message {
        let text = format!(
            "INVITE sip:%2B4930123@router.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: {from};tag=1\r\nTo: <sip:x@router.test>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n{extra}\r\n"
        );
        Message::parse(text.into()).unwrap()
    }

    #[test]
    fn the_asserted_number_beats_the_one_in_from() {
        let parties = of(&invite("P-Asserted-Identity: <sip:+491@c>\r\n", "\"Eve\" <sip:+499@c>"));
        assert_eq!((parties.caller.as_str(), parties.called.as_str()), ("+491", "+4930123"));
    }

    #[test]
    fn a_withheld_number_is_neither_kept_nor_shown() {
        let asserted = "P-Asserted-Identity: <sip:+491@c>\r\nPrivacy: id\r\n";
        for parties in [
            of(&invite(asserted, "<sip:anonymous@anonymous.invalid>")),
            of(&invite("", "\"Anonymous\" <sip:anonymous@anonymous.invalid>")),
        ] {
            assert!(parties.withheld());
            assert_eq!(parties.from_value(None, "h"), "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        }
    }

    #[test]
    fn a_display_name_cannot_break_out_of_its_quotes() {
        let parties =
            Parties { caller: "a b".into(), display: "x\" <sip:evil>".into(), called: String::new() };
        assert_eq!(parties.from_value(None, "h"), "\"x\\\" <sip:evil>\" <sip:a%20b@h>");
    }
}
